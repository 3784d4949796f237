// SPDX-License-Identifier: GPL-2.0-only
/*
 * machine_pause.c - stops the vCPUs and lets them go on, so that the guest does
 * not notice.
 *
 * A pause is complete when each vCPU has left the guest, its exit is answered,
 * and it was not started again.  Only then are the clocks and the local APICs
 * read: a vCPU that still runs sends interrupts to those that have stopped.  From
 * then on the guest's time stands still:
 * the devices' clock, the TSC and the local APIC with its timer.  Only the RTC
 * follows the wall clock, as after a sleep of a real machine.
 */
#include <string.h>

#include "control/server.h"
#include "machine.h"
#include "report.h"

static void refused(struct machine *machine, const char *what, int error)
{
	report_error("the kernel module refused to %s the guest's clock: %s", what,
		     strerror(-error));
	machine_stop(machine, STATUS_RESOURCE);
}

/**
 * machine_paused() - a vCPU has stopped and must not go on for now
 * @machine: a pause is wanted
 */
void machine_paused(struct machine *machine)
{
	struct machine_pause *pause = &machine->pause;
	struct machine_vcpu *vcpu;
	int error;

	if (pause->complete)
		return;
	machine_for_each_vcpu(machine, vcpu)
		if (!vcpu->held)
			return;
	error = vm_get_tsc(machine->vcpus[0].vcpu, &pause->tsc);
	machine_for_each_vcpu(machine, vcpu) {
		/* the kick may have come too late for this exit: not in the next run */
		vcpu->vcpu->run->immediate_exit = 0;
		if (!error)
			error = vm_get_lapic(vcpu->vcpu, &vcpu->lapic);
	}
	if (error) {
		refused(machine, "read", error);
		return;
	}
	machine_clock_stop(&machine->board.clock);
	pause->complete = true;
	if (machine->control)
		control_paused(machine->control);
}

/**
 * machine_pause() - stop the vCPUs
 * @machine: the machine
 *
 * Return: true when they have stopped; else machine_paused() will be called.
 */
bool machine_pause(struct machine *machine)
{
	struct machine_pause *pause = &machine->pause;
	struct machine_vcpu *vcpu;

	if (!pause->wanted) {
		int error = 0;

		pause->wanted = true;
		machine_for_each_vcpu(machine, vcpu) {
			/* one that this thread runs stands still now */
			if (machine->lends)
				vcpu->held = true;
			if (vcpu->held || error)
				continue;
			vcpu->vcpu->run->immediate_exit = 1;
			error = vm_kick(vcpu->vcpu);
		}
		if (error)
			refused(machine, "stop", error);
		else
			machine_paused(machine);
	}
	return pause->complete;
}

/*
 * The TSC is the clock of all vCPUs; the timers of the local APICs, which count by
 * it, are set after it.
 */
static int restore_time(struct machine *machine)
{
	int error = vm_set_tsc(machine->vcpus[0].vcpu, machine->pause.tsc);
	struct machine_vcpu *vcpu;

	machine_for_each_vcpu(machine, vcpu)
		if (!error)
			error = vm_set_lapic(vcpu->vcpu, &vcpu->lapic);
	return error;
}

/**
 * machine_resume() - let paused vCPUs go on
 * @machine: the machine, paused or not
 */
void machine_resume(struct machine *machine)
{
	struct machine_pause *pause = &machine->pause;
	struct machine_vcpu *vcpu;
	int error = 0;

	if (!pause->wanted)
		return;
	pause->wanted = false;
	if (machine->control)
		control_resumed(machine->control);
	if (pause->complete) {
		pause->complete = false;
		error = restore_time(machine);
		machine_clock_start(&machine->board.clock);
	}
	if (error) {
		refused(machine, "set", error);
		return;
	}
	/* the others are still on their way out of the guest, and will turn round */
	machine_for_each_vcpu(machine, vcpu)
		if (vcpu->held)
			vcpu_resume(vcpu);
}
