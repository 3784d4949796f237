// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_stat.c - "mini-vm stat": the state and the counters of a running VM.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "control/client.h"
#include "control/show.h"
#include "report.h"

#define KEY_JSON	'j'

static const struct argp_option options[] = {
	{ "json", KEY_JSON, NULL, 0, "print a JSON object", 0 },
	{ NULL, 0, NULL, 0, NULL, 0 },
};

static error_t take_option(int key, char *argument, struct argp_state *state, void *context)
{
	bool *json = context;

	(void)argument;
	(void)state;
	if (key != KEY_JSON)
		return ARGP_ERR_UNKNOWN;
	*json = true;
	return 0;
}

static const struct cmd_line line = {
	.options = options,
	.option = take_option,
	.args_doc = "NAME",
	.thing = CMD_VM,
	.hint = CMD_VM_HINT,
	.doc = "Show the state and the counters of a VM.",
};

static void print_row(const char *label, const char *text)
{
	printf("%-12s %s\n", label, text);
}

/* The members of an object that are numbers. */
static void print_counters(json_t *object, const char *group)
{
	char name[SHOW_SIZE], text[SHOW_SIZE];
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value) {
		(void)value;
		snprintf(name, sizeof(name), "%s", key);
		show_clean(name);
		show_number(object, key, text);
		printf("%s: %s %s\n", group, name, text);
	}
}

static void print_bus(const json_t *array, const char *group)
{
	char name[SHOW_SIZE], reads[SHOW_SIZE], writes[SHOW_SIZE];
	const json_t *row;
	size_t i;

	for (i = 0; (row = json_array_get(array, i)); i++) {
		show_text(row, "device", name);
		show_number(row, "reads", reads);
		show_number(row, "writes", writes);
		printf("%s: %-14s %s reads, %s writes\n", group, name, reads, writes);
	}
}

static void print_table(const json_t *vm, const char *name)
{
	char text[SHOW_SIZE];

	print_row("name", name);
	show_number(vm, "pid", text);
	print_row("pid", text);
	show_text(vm, "state", text);
	print_row("state", text);
	show_number(vm, "vcpus", text);
	print_row("vcpus", text);
	show_memory(vm, "memory", text);
	print_row("memory", text);
	show_uptime(vm, "uptime", text);
	print_row("uptime", text);
	show_text(vm, "image", text);
	print_row("image", text);
	show_number(vm, "resets", text);
	print_row("resets", text);
	print_counters(json_object_get(vm, "exits"), "exits");
	print_bus(json_object_get(vm, "ports"), "port");
	print_bus(json_object_get(vm, "mmio"), "MMIO");
	print_counters(json_object_get(vm, "module"), "module");
}

/**
 * cmd_stat() - the stat subcommand
 * @argc: arguments from "stat" on
 * @argv: likewise
 *
 * Return: STATUS_OK, STATUS_USAGE or STATUS_RESOURCE.
 */
int cmd_stat(int argc, char **argv)
{
	bool json_wanted = false;
	char **names;
	int status = cmd_parse(&line, argc, argv, &json_wanted, &names);
	json_t *vm = NULL;

	if (status == STATUS_OK)
		status = control_call(names[0], "stat", &vm);
	if (status != STATUS_OK)
		return status;
	if (!json_wanted)
		print_table(vm, names[0]);
	else if (json_dumpf(vm, stdout, JSON_INDENT(2)) || putchar('\n') == EOF) {
		report_error("cannot write to standard output: %s", strerror(errno));
		status = STATUS_RESOURCE;
	}
	json_decref(vm);
	return status;
}
