/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * machine.h - a whole virtual machine: memory, vCPU, devices, terminal.
 */
#ifndef MINI_VM_MACHINE_H
#define MINI_VM_MACHINE_H

#include "bus.h"
#include "devices/device.h"
#include "fw_cfg_items.h"
#include "guest_mem.h"
#include "loader/loader.h"
#include "loop.h"
#include "machine_clock.h"
#include "mmio.h"
#include "term.h"
#include "types.h"
#include "vm.h"

#define MACHINE_MAX_DEVICES	16
/* exit reasons that are counted one by one */
#define MACHINE_EXITS		16

/**
 * struct machine_config - what the user asked for
 * @name:	of the VM
 * @memory:	bytes of RAM
 * @files:	image, initrd, command line
 * @fw_cfg:	files for the guest's fw_cfg
 * @debugcon_path: file for the debug console; NULL: standard error
 * @debugcon_fd: open, for the debug console
 * @reset_exits: a reset of the guest ends the run
 * @stats:	print counters at the end
 */
struct machine_config {
	const char *name;
	u64 memory;
	struct boot_files files;
	struct fw_cfg_items fw_cfg;
	const char *debugcon_path;
	int debugcon_fd;
	bool reset_exits;
	bool stats;
};

struct control;

/**
 * struct machine_pause - see machine_pause.c
 * @wanted:	the vCPU must not run
 * @complete:	and does not
 * @tsc:	the guest's TSC then
 * @lapic:	and its local APIC
 */
struct machine_pause {
	bool wanted;
	bool complete;
	u64 tsc;
	struct mvm_lapic lapic;
};

/**
 * struct machine - a virtual machine
 * @config:	what the user asked for
 * @loop:	the event loop
 * @mem:	guest memory
 * @vm:		the module's VM and vCPU
 * @ports:	I/O ports
 * @mmio_bus:	device memory
 * @env:	what devices see
 * @devices:	the devices
 * @device_count: how many
 * @term:	standard input and output
 * @term_open:	@term is in use
 * @vcpu:	the vCPU's descriptor in the loop
 * @vcpu_added:	and it is there
 * @held:	an exit is answered, but the vCPU waits for the terminal or for
 *		the end of a pause
 * @clock:	the devices' time
 * @pause:	the vCPU is to stand still
 * @control:	the control socket, or NULL
 * @started:	when the machine was made, loop_now()
 * @reset_wanted: the guest pulled the reset line
 * @stopped:	the run is over
 * @status:	exit status then
 * @resets:	how often the guest was reset
 * @exits:	exits served, by reason
 * @mmio_io:	the way from the emulator to @mmio_bus and the local APIC
 * @mmio:	the emulator
 */
struct machine {
	const struct machine_config *config;
	struct loop loop;
	struct guest_mem mem;
	struct vm vm;
	struct bus ports;
	struct bus mmio_bus;
	struct device_env env;
	struct device devices[MACHINE_MAX_DEVICES];
	unsigned int device_count;
	struct term term;
	bool term_open;
	struct loop_source vcpu;
	bool vcpu_added;
	bool held;
	struct machine_clock clock;
	struct machine_pause pause;
	struct control *control;
	u64 started;
	bool reset_wanted;
	bool stopped;
	int status;
	u64 resets;
	u64 exits[MACHINE_EXITS];
	struct mmio_io mmio_io;
	struct mmio mmio;
};

int machine_create(struct machine *machine,
		   const struct machine_config *config);
int machine_open_terminal(struct machine *machine);
int machine_run(struct machine *machine);
void machine_destroy(struct machine *machine);
void machine_stop(struct machine *machine, int status);
void machine_watch_vcpu(struct machine *machine, bool watch);

/* vcpu.c */
void vcpu_init(struct machine *machine);
void vcpu_serve_exit(struct machine *machine);
void vcpu_resume(struct machine *machine);
const char *vcpu_exit_name(unsigned int reason);

/* machine_pause.c */
bool machine_pause(struct machine *machine);
void machine_paused(struct machine *machine);
void machine_resume(struct machine *machine);

/* registers.c */
void registers_report(const struct machine *machine);

/* stats.c */
int stats_init(void);
void stats_report(const struct machine *machine);

#endif /* MINI_VM_MACHINE_H */
