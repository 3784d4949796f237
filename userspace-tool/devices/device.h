/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * device.h - what a device model is, and what it may ask of its surroundings.
 *
 * A device is plain C: it sees the world only through struct device_env, so
 * the tests give it a world of their own.
 */
#ifndef MINI_VM_DEVICE_H
#define MINI_VM_DEVICE_H

#include "../bus.h"
#include "../types.h"

struct fw_cfg_items;
struct guest_mem;
struct ioapic;
struct pic;
struct serial;
struct device_timer;

/* What a device may ask the machine to do. */
enum device_request {
	REQUEST_RESET,		/* pull the reset line */
	REQUEST_EXIT,		/* end the run with a status */
};

/**
 * struct device_env - the surroundings of a device
 * @ports:		I/O ports
 * @mmio:		guest-physical addresses without memory
 * @ram_low:		bytes of RAM below 4 GiB, counted from GPA 0
 * @ram_high:		bytes of RAM from 4 GiB up
 * @mem:		guest memory, for DMA
 * @cpus:		how many the guest has
 * @fw_cfg:		files for fw_cfg; NULL: none
 * @debugcon_fd:	where the debug console writes to
 * @pic:		set by the PIC when it is created
 * @ioapic:		set by the I/O APIC when it is created
 * @serial:		set by the first serial port when it is created
 * @power_button:	set by the device that has a power button when it is
 *			created: presses it; false: the guest heeds it not
 * @power_button_device: its argument
 * @now:		monotonic time in ns
 * @wall:		ns since 1970-01-01 00:00 UTC
 * @irq:		drive one of the 16 ISA interrupt lines
 * @intr:		drive the CPU's INTR pin (the PIC's output)
 * @msi:		send a message to local APICs: was it accepted?
 * @request:		ask for a reset or the end; @status counts for
 *			REQUEST_EXIT
 * @post:		writes to a port need no answer: they may come late, but in
 *			order with everything else
 * @serial_out:		a byte leaves the serial port
 * @serial_wants:	the serial port has room for input
 * @timer_new:		make a timer; NULL when out of memory or descriptors
 * @timer_set:		let it fire once at @at (monotonic ns); 0 stops it
 * @timer_free:		stop and free it; NULL is ignored
 *
 * All callbacks come from, and must be called on, the one thread of the event
 * loop.
 */
struct device_env {
	struct bus *ports;
	struct bus *mmio;
	u64 ram_low;
	u64 ram_high;
	const struct guest_mem *mem;
	unsigned int cpus;
	const struct fw_cfg_items *fw_cfg;
	int debugcon_fd;
	struct pic *pic;
	struct ioapic *ioapic;
	struct serial *serial;
	bool (*power_button)(void *device);
	void *power_button_device;

	u64 (*now)(struct device_env *env);
	u64 (*wall)(struct device_env *env);
	void (*irq)(struct device_env *env, unsigned int line, bool level);
	void (*intr)(struct device_env *env, bool level);
	bool (*msi)(struct device_env *env, u64 address, u32 data);
	void (*request)(struct device_env *env, enum device_request request,
			int status);
	void (*post)(struct device_env *env, u16 port);
	void (*serial_out)(struct device_env *env, u8 byte);
	void (*serial_wants)(struct device_env *env);
	struct device_timer *(*timer_new)(struct device_env *env,
					  void (*fire)(void *opaque),
					  void *opaque);
	void (*timer_set)(struct device_timer *timer, u64 at);
	void (*timer_free)(struct device_timer *timer);
};

/**
 * struct device - one device of a machine
 * @type:	its row of the table
 * @state:	its own
 */
struct device {
	const struct device_type *type;
	void *state;
};

/**
 * struct device_type - a kind of device
 * @name:	short name, shown to people
 * @help:	one line
 * @create:	allocate @device->state and claim ranges; 0 or -errno
 * @destroy:	free @device->state
 */
struct device_type {
	const char *name;
	const char *help;
	int (*create)(struct device *device, struct device_env *env);
	void (*destroy)(struct device *device);
};

/* The machine's devices, in order of creation (devices/table.c). */
extern const struct device_type *const device_types[];
extern const unsigned int device_type_count;

extern const struct device_type pic_device;
extern const struct device_type pit_device;
extern const struct device_type rtc_device;
extern const struct device_type serial_device;
extern const struct device_type i8042_device;
extern const struct device_type debug_exit_device;
extern const struct device_type post_device;
extern const struct device_type pci_absent_device;
extern const struct device_type ioapic_device;
extern const struct device_type acpi_pm_device;
extern const struct device_type fw_cfg_device;
extern const struct device_type debugcon_device;

/* ISA interrupt lines of the devices here */
#define IRQ_TIMER	0
#define IRQ_KEYBOARD	1
#define IRQ_CASCADE	2
#define IRQ_COM1	4
#define IRQ_RTC		8
#define IRQ_SCI		9	/* level triggered */

#endif /* MINI_VM_DEVICE_H */
