// SPDX-License-Identifier: GPL-2.0-only
/*
 * machine_pause.c - stops the vCPU and lets it go on, so that the guest does
 * not notice.
 *
 * A pause is complete when the vCPU has left the guest, its exit is answered,
 * and it was not started again.  From then on the guest's time stands still:
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
 * machine_paused() - the vCPU has stopped and must not go on for now
 * @machine: a pause is wanted
 */
void machine_paused(struct machine *machine)
{
	struct machine_pause *pause = &machine->pause;
	int error;

	if (pause->complete)
		return;
	/* the kick may have come too late for this exit: not in the next run */
	machine->vm.run->immediate_exit = 0;
	error = vm_get_tsc(&machine->vm, &pause->tsc);
	if (!error)
		error = vm_get_lapic(&machine->vm, &pause->lapic);
	if (error) {
		refused(machine, "read", error);
		return;
	}
	machine_clock_stop(&machine->clock);
	pause->complete = true;
	if (machine->control)
		control_paused(machine->control);
}

/**
 * machine_pause() - stop the vCPU
 * @machine: the machine
 *
 * Return: true when it has stopped; else machine_paused() will be called.
 */
bool machine_pause(struct machine *machine)
{
	struct machine_pause *pause = &machine->pause;

	if (!pause->wanted) {
		int error = 0;

		pause->wanted = true;
		if (machine->held) {
			machine_paused(machine);
		} else {
			machine->vm.run->immediate_exit = 1;
			error = vm_kick(&machine->vm);
		}
		if (error)
			refused(machine, "stop", error);
	}
	return pause->complete;
}

/* The local APIC's timer is set after the clock by which it counts. */
static int restore_time(struct machine *machine)
{
	int error = vm_set_tsc(&machine->vm, machine->pause.tsc);

	return error ? error : vm_set_lapic(&machine->vm, &machine->pause.lapic);
}

/**
 * machine_resume() - let a paused vCPU go on
 * @machine: the machine, paused or not
 */
void machine_resume(struct machine *machine)
{
	struct machine_pause *pause = &machine->pause;
	int error;

	if (!pause->wanted)
		return;
	pause->wanted = false;
	if (machine->control)
		control_resumed(machine->control);
	/* else it is still on its way out of the guest, and will turn round */
	if (!pause->complete)
		return;
	pause->complete = false;
	error = restore_time(machine);
	machine_clock_start(&machine->clock);
	if (error)
		refused(machine, "set", error);
	else
		vcpu_resume(machine);
}
