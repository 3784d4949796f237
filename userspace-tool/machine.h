/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * machine.h - a whole virtual machine: memory, vCPUs, devices, terminal.
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
#include "pin.h"
#include "term.h"
#include "types.h"
#include "vm.h"

#define MACHINE_MAX_DEVICES	16
/* exit reasons that are counted one by one */
#define MACHINE_EXITS		16

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
	bool reset_exits;
	bool stats;
};

struct control;

/**
 * struct machine_pause - see machine_pause.c
 * @wanted:	no vCPU may run
 * @complete:	and none does
 * @tsc:	the first vCPU's TSC then
 */
struct machine_pause {
	bool wanted;
	bool complete;
	u64 tsc;
};

/**
 * struct machine_vcpu - a vCPU of a machine
 * @machine:	the machine
 * @id:		its number
 * @vcpu:	its descriptor and run page, in @machine->vm
 * @source:	the descriptor in the loop
 * @events:	what it is watched for there; 0: it is not
 * @held:	its exit is answered, but it waits for the terminal or for the end
 *		of a pause
 * @lapic:	its local APIC in a pause
 */
struct machine_vcpu {
	struct machine *machine;
	unsigned int id;
	const struct vcpu *vcpu;
	struct loop_source source;
	u32 events;
	bool held;
	struct mvm_lapic lapic;
};

/**
 * struct machine - a virtual machine
 * @config:	what the user asked for
 * @loop:	the event loop
 * @mem:	guest memory
 * @vm:		the module's VM and vCPUs
 * @ports:	I/O ports
 * @mmio_bus:	device memory
 * @env:	what devices see
 * @devices:	the devices
 * @device_count: how many
 * @term:	standard input and output
 * @term_open:	@term is in use
 * @vcpus:	the vCPUs, as many as @vm has
 * @affinity:	where this thread ran before it made a vCPU, with --pin
 * @clock:	the devices' time
 * @pause:	the vCPUs are to stand still
 * @control:	the control socket, or NULL
 * @started:	when the machine was made, loop_now()
 * @reset_wanted: the guest pulled the reset line
 * @stopped:	the run is over
 * @status:	exit status then
 * @resets:	how often the guest was reset
 * @exits:	exits served, by reason
 * @mmio_io:	the way from the emulator to @mmio_bus and the local APICs
 * @mmio:	the emulator, for one vCPU at a time
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
	struct machine_vcpu vcpus[VM_VCPUS_MAX];
	struct pin_mask affinity;
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
void machine_watch_vcpu(struct machine_vcpu *vcpu, bool watch);

/* Each vCPU of a machine; @v is a struct machine_vcpu pointer. */
#define machine_for_each_vcpu(machine, v)				\
	for ((v) = (machine)->vcpus;					\
	     (v) < (machine)->vcpus + (machine)->vm.vcpu_count; (v)++)

/* vcpu.c */
void vcpu_serve_exit(struct machine_vcpu *vcpu);
void vcpu_take_posted(struct machine *machine);
void vcpu_resume(struct machine_vcpu *vcpu);
const char *vcpu_exit_name(unsigned int reason);

/* machine_pause.c */
bool machine_pause(struct machine *machine);
void machine_paused(struct machine *machine);
void machine_resume(struct machine *machine);

/* registers.c */
void registers_report(const struct machine_vcpu *vcpu);

/* stats.c */
int stats_init(void);
void stats_report(const struct machine *machine);

#endif /* MINI_VM_MACHINE_H */
