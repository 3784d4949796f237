// SPDX-License-Identifier: GPL-2.0-only
/*
 * vcpu.c - serves the exits of the vCPUs: looks at the run page, does what the
 * guest asked for, answers, and lets it run on.
 *
 * machine.c calls vcpu_serve_exit() when a vCPU's descriptor is readable, or
 * vcpu_enter() if its thread is to run the vCPU.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "devices/ioapic.h"
#include "devices/pic.h"
#include "io_string.h"
#include "lapic.h"
#include "machine.h"
#include "report.h"

/**
 * struct exit_handler - what to do about one exit reason
 * @name:	for statistics
 * @serve:	does it; to end the run it calls machine_stop()
 */
struct exit_handler {
	const char *name;
	void (*serve)(struct machine_vcpu *vcpu, struct mvm_run *run);
};

/* End the run because the guest did what cannot be served. */
static void give_up(struct machine_vcpu *vcpu, const char *sentence)
{
	report_error("%s", sentence);
	registers_report(vcpu);
	machine_stop(vcpu->machine, STATUS_RESOURCE);
}

static u64 mmio_read(void *context, u64 gpa, unsigned int bytes)
{
	struct machine_vcpu *vcpu = context;
	struct machine *machine = vcpu->machine;
	u64 value;

	if (lapic_read(vcpu->vcpu, machine->mmio.sregs->apic_base, gpa,
		       bytes, &value))
		return value;
	return bus_read(&machine->board.mmio_bus, gpa, bytes);
}

static void mmio_write(void *context, u64 gpa, unsigned int bytes, u64 value)
{
	struct machine_vcpu *vcpu = context;
	struct machine *machine = vcpu->machine;

	if (!lapic_write(vcpu->vcpu, machine->mmio.sregs->apic_base, gpa,
			 bytes, value))
		bus_write(&machine->board.mmio_bus, gpa, bytes, value);
}

/* Begin to act on behalf of the instruction that caused the exit. */
static void begin(struct machine_vcpu *vcpu, const struct mvm_run *run)
{
	struct machine *machine = vcpu->machine;

	machine->mmio_io = (struct mmio_io) {
		.read = mmio_read,
		.write = mmio_write,
		.context = vcpu,
	};
	mmio_init(&machine->mmio, &machine->board.mem, &machine->mmio_io,
		  &run->sregs, run->gpr, run->rip, run->rflags,
		  machine->vm.phys_bits);
}

/* And hand the outcome back. */
static void finish(struct machine_vcpu *vcpu, struct mvm_run *run,
		   enum mmio_result result)
{
	struct mmio *mmio = &vcpu->machine->mmio;
	char sentence[320];

	memcpy(run->gpr, mmio->gpr, sizeof(run->gpr));
	run->rflags = mmio->rflags;
	switch (result) {
	case MMIO_DONE:
		run->action = MVM_ACTION_COMPLETE;
		break;
	case MMIO_AGAIN:
		run->action = MVM_ACTION_RETRY;
		break;
	case MMIO_EXCEPTION:
		run->exception = mmio->exception;
		run->action = MVM_ACTION_EXCEPTION;
		break;
	case MMIO_UNABLE:
		if (run->exit_reason == MVM_EXIT_MMIO)
			snprintf(sentence, sizeof(sentence),
				 "the guest %s; RIP 0x%llx, guest-physical address 0x%llx",
				 mmio->message, (unsigned long long)run->rip,
				 (unsigned long long)run->mmio.gpa);
		else
			snprintf(sentence, sizeof(sentence), "the guest %s",
				 mmio->message);
		give_up(vcpu, sentence);
		break;
	}
}

static void serve_io(struct machine_vcpu *vcpu, struct mvm_run *run)
{
	struct machine *machine = vcpu->machine;
	struct mvm_exit_io *io = &run->io;

	if (io->flags & MVM_IO_STRING) {
		begin(vcpu, run);
		finish(vcpu, run,
		       io_string(&machine->mmio, &machine->board.ports, io));
		return;
	}
	if (io->flags & MVM_IO_IN)
		io->data = (u32)bus_read(&machine->board.ports, io->port, io->bytes);
	else
		bus_write(&machine->board.ports, io->port, io->bytes, io->data);
}

static void serve_mmio(struct machine_vcpu *vcpu, struct mvm_run *run)
{
	const struct mvm_exit_mmio *mmio = &run->mmio;
	struct machine *machine = vcpu->machine;
	enum mmio_result result;

	begin(vcpu, run);
	if (mmio->flags & MVM_MMIO_FETCH)
		result = mmio_unable(&machine->mmio, "executes code where it has no memory");
	else if (mmio->flags & MVM_MMIO_WALK)
		result = mmio_unable(&machine->mmio, "has page tables where it has no memory (CR3 0x%llx)",
				     (unsigned long long)run->sregs.cr3);
	else if (mmio->flags & MVM_MMIO_IN_DELIVERY)
		result = mmio_unable(&machine->mmio, "has its interrupt table or stack where it has no memory");
	else
		result = mmio_emulate(&machine->mmio);
	if (result == MMIO_DONE)
		run->next_rip = machine->mmio.next_rip;
	finish(vcpu, run, result);
}

static void serve_extint(struct machine_vcpu *vcpu, struct mvm_run *run)
{
	struct machine *machine = vcpu->machine;
	int error;

	run->extint.vector = pic_acknowledge(machine->board.env.pic);
	/* the exit has dropped the line; a further request raises it again */
	error = vm_set_intr(vcpu->vcpu, pic_output(machine->board.env.pic));
	if (error) {
		report_error("the kernel module refused an interrupt: %s",
			     strerror(-error));
		machine_stop(machine, STATUS_RESOURCE);
	}
}

static void serve_intr(struct machine_vcpu *vcpu, struct mvm_run *run)
{
	(void)vcpu;
	/* before a look at what the kick was for */
	__atomic_exchange_n(&run->immediate_exit, 0, __ATOMIC_SEQ_CST);
}

static void serve_shutdown(struct machine_vcpu *vcpu, struct mvm_run *run)
{
	report_error("the guest's CPU shut down (triple fault) at RIP 0x%llx",
		     (unsigned long long)run->rip);
	registers_report(vcpu);
	machine_stop(vcpu->machine, STATUS_TRIPLE_FAULT);
}

static void serve_task_switch(struct machine_vcpu *vcpu, struct mvm_run *run)
{
	report_error("the guest switched to the hardware task 0x%x, which mini-vm does not do; RIP 0x%llx",
		     run->task_switch.selector, (unsigned long long)run->rip);
	registers_report(vcpu);
	machine_stop(vcpu->machine, STATUS_RESOURCE);
}

static void serve_eoi(struct machine_vcpu *vcpu, struct mvm_run *run)
{
	ioapic_eoi(vcpu->machine->board.env.ioapic, (u8)run->eoi.vector);
}

static void serve_memory_fault(struct machine_vcpu *vcpu, struct mvm_run *run)
{
	report_error("the guest's memory at 0x%llx failed: %s",
		     (unsigned long long)run->memory.gpa,
		     strerror((int)run->memory.error));
	registers_report(vcpu);
	machine_stop(vcpu->machine, STATUS_RESOURCE);
}

static void serve_fail_entry(struct machine_vcpu *vcpu, struct mvm_run *run)
{
	report_error("the CPU refused to enter the guest: VM-instruction error %u, reason 0x%x, qualification 0x%llx",
		     run->fail.instruction_error, run->hw_reason,
		     (unsigned long long)run->hw_qualification);
	registers_report(vcpu);
	machine_stop(vcpu->machine, STATUS_RESOURCE);
}

static void serve_unhandled(struct machine_vcpu *vcpu, struct mvm_run *run)
{
	report_error("the guest did something that mini-vm does not handle: VMX exit reason %u (0x%x), qualification 0x%llx, RIP 0x%llx",
		     run->hw_reason & 0xffff, run->hw_reason,
		     (unsigned long long)run->hw_qualification,
		     (unsigned long long)run->rip);
	registers_report(vcpu);
	machine_stop(vcpu->machine, STATUS_RESOURCE);
}

static const struct exit_handler handlers[] = {
	[MVM_EXIT_INTR] = { "kicks", serve_intr },
	[MVM_EXIT_IO] = { "port I/O", serve_io },
	[MVM_EXIT_MMIO] = { "device memory", serve_mmio },
	[MVM_EXIT_EXTINT] = { "PIC interrupts", serve_extint },
	[MVM_EXIT_SHUTDOWN] = { "shutdowns", serve_shutdown },
	[MVM_EXIT_TASK_SWITCH] = { "task switches", serve_task_switch },
	[MVM_EXIT_EOI] = { "ends of interrupts", serve_eoi },
	[MVM_EXIT_MEMORY_FAULT] = { "memory faults", serve_memory_fault },
	[MVM_EXIT_FAIL_ENTRY] = { "failed entries", serve_fail_entry },
	[MVM_EXIT_UNHANDLED] = { "unhandled", serve_unhandled },
};

/**
 * vcpu_exit_name() - what exits of a reason are called in statistics
 * @reason: MVM_EXIT_*
 *
 * Return: the name, or NULL for a reason that never comes.
 */
const char *vcpu_exit_name(unsigned int reason)
{
	return reason < ARRAY_SIZE(handlers) ? handlers[reason].name : NULL;
}

static void refused(struct machine_vcpu *vcpu, int error)
{
	report_error("the kernel module refused to run the guest on: %s", strerror(-error));
	registers_report(vcpu);
	machine_stop(vcpu->machine, STATUS_RESOURCE);
}

/**
 * vcpu_resume() - let a vCPU run on after its exit was served
 * @vcpu: has stopped
 *
 * While the terminal cannot take more output the vCPU is held instead;
 * machine_run() comes here again.  Likewise in a pause; then machine_resume()
 * does.  One that this thread runs machine_run() enters.
 */
void vcpu_resume(struct machine_vcpu *vcpu)
{
	struct machine *machine = vcpu->machine;
	int error;

	vcpu->held = machine->pause.wanted || term_full(&machine->term);
	/* a vCPU that is held stays readable: do not look at it */
	machine_watch_vcpu(vcpu, !vcpu->held);
	if (machine->pause.wanted)
		machine_paused(machine);
	if (vcpu->held || machine->lends)
		return;
	error = vm_start(vcpu->vcpu);
	if (error)
		refused(vcpu, error);
}

/**
 * vcpu_enter() - run a vCPU in this thread until its next exit, and serve that
 * @vcpu: has stopped, and its last exit is answered
 */
void vcpu_enter(struct machine_vcpu *vcpu)
{
	struct machine *machine = vcpu->machine;
	int error = vm_run(vcpu->vcpu, true);

	if (error) {
		refused(vcpu, error);
		return;
	}
	/* the watcher may have wanted it */
	machine->loop_empty = vcpu->vcpu->run->exit_reason != MVM_EXIT_INTR;
	vcpu_serve_exit(vcpu);
}

/**
 * vcpu_take_posted() - serve the writes that the ring holds
 * @machine: its vCPUs may go on writing
 *
 * No more than fit into the ring: all that any vCPU posted before an exit of one,
 * and the rest another time.
 */
void vcpu_take_posted(struct machine *machine)
{
	unsigned int left = MVM_RING_ENTRIES;
	struct mvm_posted_write write;

	while (left-- && vm_next_posted(&machine->vm, &write))
		bus_write(&machine->board.ports, write.port, write.bytes, write.data);
}

/**
 * vcpu_serve_exit() - serve the exit that the run page holds
 * @vcpu: has stopped
 */
void vcpu_serve_exit(struct machine_vcpu *vcpu)
{
	struct machine *machine = vcpu->machine;
	struct mvm_run *run = vcpu->vcpu->run;
	unsigned int reason = run->exit_reason;

	if (reason != MVM_EXIT_INTR)
		machine_lend(machine);
	/* the vCPU's own, and others' that it may have seen the effect of */
	vcpu_take_posted(machine);
	if (reason >= ARRAY_SIZE(handlers) || !handlers[reason].serve) {
		report_error("the kernel module reported the exit %u, which this command does not know; install both from the same release",
			     reason);
		machine_stop(machine, STATUS_RESOURCE);
		return;
	}
	if (reason < MACHINE_EXITS)
		machine->exits[reason]++;
	handlers[reason].serve(vcpu, run);
	if (!machine->stopped && !machine->reset_wanted)
		vcpu_resume(vcpu);
}
