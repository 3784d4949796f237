// SPDX-License-Identifier: GPL-2.0-only
/*
 * machine_control.c - what a machine tells and does when its control socket is
 * asked.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/server.h"
#include "machine.h"
#include "machine_control.h"
#include "report.h"

static json_t *status(void *context)
{
	const struct machine *machine = context;
	const struct machine_config *config = machine->config;

	return json_pack("{s:s,s:i,s:s,s:i,s:I,s:I,s:o}",
			 "name", config->name,
			 "pid", (int)getpid(),
			 "state", machine->pause.complete ? "paused" : "running",
			 "vcpus", (int)config->cpus,
			 "memory", (json_int_t)config->memory,
			 "uptime", (json_int_t)((loop_now() - machine->started) / NSEC_PER_SEC),
			 "image", control_text(config->files.image_path));
}

static json_t *exit_counters(const struct machine *machine)
{
	json_t *object = json_object();
	unsigned int i;

	for (i = 0; i < MACHINE_EXITS; i++)
		if (machine->exits[i] && vcpu_exit_name(i))
			json_object_set_new(object, vcpu_exit_name(i),
					    json_integer((json_int_t)machine->exits[i]));
	return object;
}

static json_t *bus_counters(const struct bus *bus)
{
	json_t *array = json_array();
	unsigned int i;

	for (i = 0; i < bus->count; i++) {
		const struct bus_range *range = &bus->ranges[i];

		if (range->reads || range->writes)
			json_array_append_new(array, json_pack("{s:s,s:I,s:I}",
				"device", range->name,
				"reads", (json_int_t)range->reads,
				"writes", (json_int_t)range->writes));
	}
	json_array_append_new(array, json_pack("{s:s,s:I,s:I}", "device", "unclaimed",
		"reads", (json_int_t)bus->unclaimed_reads,
		"writes", (json_int_t)bus->unclaimed_writes));
	return array;
}

static json_t *module_counters(const struct machine *machine)
{
	struct mvm_stat *stats = calloc(VM_STATS_MAX, sizeof(*stats));
	json_t *object = json_object();
	u32 count, i;

	count = stats ? vm_get_stats(&machine->vm, stats) : 0;
	for (i = 0; i < count; i++) {
		stats[i].name[sizeof(stats[i].name) - 1] = '\0';
		json_object_set_new(object, (const char *)stats[i].name,
				    json_integer((json_int_t)stats[i].value));
	}
	free(stats);
	return object;
}

static json_t *stat(void *context)
{
	const struct machine *machine = context;
	json_t *object = status(context);

	json_object_set_new(object, "resets", json_integer((json_int_t)machine->resets));
	json_object_set_new(object, "exits", exit_counters(machine));
	json_object_set_new(object, "ports", bus_counters(&machine->board.ports));
	json_object_set_new(object, "mmio", bus_counters(&machine->board.mmio_bus));
	json_object_set_new(object, "module", module_counters(machine));
	return object;
}

static bool pause_machine(void *context)
{
	return machine_pause(context);
}

static void resume_machine(void *context)
{
	machine_resume(context);
}

/*
 * A guest in a pause cannot see its button: first let it go on.  In this order,
 * since the end of a pause forgets interrupts.
 */
static bool press_power_button(struct machine *machine)
{
	const struct device_env *env = &machine->board.env;

	if (!env->power_button)
		return false;
	machine_resume(machine);
	return env->power_button(env->power_button_device);
}

static enum control_stop stop(void *context, bool force)
{
	struct machine *machine = context;

	if (!force && press_power_button(machine))
		return CONTROL_STOP_ASKED;
	machine_stop(machine, STATUS_KILLED);
	return force ? CONTROL_STOP_ENDED : CONTROL_STOP_DEAF;
}

/**
 * machine_open_control() - let the control socket serve a machine
 * @machine: made by machine_create(); its @control is set
 *
 * Return: STATUS_OK, or STATUS_RESOURCE after a report.
 */
int machine_open_control(struct machine *machine)
{
	static struct control_ops ops = {
		.status = status,
		.stat = stat,
		.pause = pause_machine,
		.resume = resume_machine,
		.stop = stop,
	};
	int error;

	ops.context = machine;
	error = control_start(machine->control, &machine->board.loop, &ops);
	if (error) {
		report_error("cannot serve the control socket: %s", strerror(-error));
		return STATUS_RESOURCE;
	}
	return STATUS_OK;
}
