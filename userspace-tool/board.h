/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * board.h - a machine without its CPUs: memory with an image in it, the devices,
 * their time, and the event loop.
 *
 * machine.c puts the module's vCPUs on it.
 */
#ifndef MINI_VM_BOARD_H
#define MINI_VM_BOARD_H

#include "bus.h"
#include "devices/device.h"
#include "fw_cfg_items.h"
#include "guest_mem.h"
#include "loader/loader.h"
#include "loop.h"
#include "machine_clock.h"
#include "pin.h"
#include "types.h"

#define BOARD_MAX_DEVICES	16

/**
 * struct machine_config - what the user asked for
 * @name:	of the VM
 * @cpus:	vCPUs, 1 to VM_VCPUS_MAX
 * @pin:	host CPUs for them
 * @kvm:	the guest finds KVM's interface
 * @memory:	bytes of RAM
 * @files:	image, initrd, command line
 * @fw_cfg:	files for the guest's fw_cfg
 * @debugcon_path: file for the debug console; NULL: standard error
 * @debugcon_fd: open, for the debug console
 * @output:	takes what leaves the serial port; NULL: the terminal does
 * @output_context: its first argument
 * @reset_exits: a reset of the guest ends the run
 * @stats:	print counters at the end
 */
struct machine_config {
	const char *name;
	unsigned int cpus;
	struct pin_list pin;
	bool kvm;
	u64 memory;
	struct boot_files files;
	struct fw_cfg_items fw_cfg;
	const char *debugcon_path;
	int debugcon_fd;
	void (*output)(void *context, u8 byte);
	void *output_context;
	bool reset_exits;
	bool stats;
};

/**
 * struct board - a machine without its CPUs
 * @config:	what the user asked for
 * @loop:	the event loop
 * @clock:	the devices' time
 * @mem:	guest memory
 * @ports:	I/O ports
 * @mmio_bus:	device memory
 * @env:	what devices see
 * @devices:	the devices
 * @device_count: how many
 */
struct board {
	const struct machine_config *config;
	struct loop loop;
	struct machine_clock clock;
	struct guest_mem mem;
	struct bus ports;
	struct bus mmio_bus;
	struct device_env env;
	struct device devices[BOARD_MAX_DEVICES];
	unsigned int device_count;
};

int board_create(struct board *board, const struct machine_config *config,
		 struct boot_state *state);
int board_load(struct board *board, struct boot_state *state);
int board_add_devices(struct board *board, const struct device_env *calls);
void board_remove_devices(struct board *board);
void board_destroy(struct board *board);

#endif /* MINI_VM_BOARD_H */
