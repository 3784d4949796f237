/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * machine.h - a whole virtual machine: memory, vCPUs, devices, terminal.
 */
#ifndef MINI_VM_MACHINE_H
#define MINI_VM_MACHINE_H

#include "board.h"
#include "mmio.h"
#include "term.h"
#include "types.h"
#include "vm.h"
#include "watcher.h"

/* exit reasons that are counted one by one */
#define MACHINE_EXITS		16

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
 * @board:	memory, devices, their time, the event loop
 * @vm:		the module's VM and vCPUs
 * @term:	standard input and output
 * @term_open:	@term is in use
 * @vcpus:	the vCPUs, as many as @vm has
 * @watcher:	tells a thread in the guest when the loop has something to do
 * @watched:	it is there: the thread that turns the loop enters the guest, too
 * @lends:	and does so now
 * @loop_empty:	then: the loop has nothing to do, or @watcher will tell
 * @turns:	of the loop since the guest's last exit of its own
 * @affinity:	where this thread ran before it made a vCPU, with --pin
 * @pause:	the vCPUs are to stand still
 * @control:	the control socket, or NULL
 * @started:	when the machine was made, loop_now()
 * @reset_wanted: the guest pulled the reset line
 * @stopped:	the run is over
 * @status:	exit status then
 * @resets:	how often the guest was reset
 * @exits:	exits served, by reason
 * @mmio_io:	the way from the emulator to the devices and the local APICs
 * @mmio:	the emulator, for one vCPU at a time
 */
struct machine {
	const struct machine_config *config;
	struct board board;
	struct vm vm;
	struct term term;
	bool term_open;
	struct machine_vcpu vcpus[VM_VCPUS_MAX];
	struct watcher watcher;
	bool watched;
	bool lends;
	bool loop_empty;
	unsigned int turns;
	struct pin_mask affinity;
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
void machine_lend(struct machine *machine);

/* Each vCPU of a machine; @v is a struct machine_vcpu pointer. */
#define machine_for_each_vcpu(machine, v)				\
	for ((v) = (machine)->vcpus;					\
	     (v) < (machine)->vcpus + (machine)->vm.vcpu_count; (v)++)

/* vcpu.c */
void vcpu_serve_exit(struct machine_vcpu *vcpu);
void vcpu_enter(struct machine_vcpu *vcpu);
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
