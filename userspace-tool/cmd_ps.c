// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_ps.c - "mini-vm ps": asks all VMs of the user at once.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "control/client.h"
#include "control/directory.h"
#include "control/show.h"
#include "loop.h"
#include "report.h"

enum option_key {
	KEY_JSON = 'j',
	KEY_QUIET = 'q',
};

struct ps_options {
	bool json;
	bool quiet;
};

static const struct argp_option options[] = {
	{ "json", KEY_JSON, NULL, 0, "print a JSON array", 0 },
	{ "quiet", KEY_QUIET, NULL, 0, "print names only", 0 },
	{ NULL, 0, NULL, 0, NULL, 0 },
};

static error_t take_option(int key, char *argument, struct argp_state *state, void *context)
{
	struct ps_options *chosen = context;

	(void)argument;
	switch (key) {
	case KEY_JSON:
		chosen->json = true;
		break;
	case KEY_QUIET:
		chosen->quiet = true;
		break;
	case ARGP_KEY_END:
		if (chosen->json && chosen->quiet)
			argp_error(state, "--json or --quiet, not both");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct cmd_line line = {
	.options = options,
	.option = take_option,
	.doc = "List the VMs that you run: name, process, state, vCPUs, memory, uptime and image.\v"
	       "Root sees root's VMs.",
};

/* What is known of a VM that does not answer. */
static json_t *unresponsive(const char *name, pid_t pid)
{
	json_t *vm = json_pack("{s:s,s:s}", "name", name, "state", "unresponsive");

	if (pid > 0)
		json_object_set_new(vm, "pid", json_integer(pid));
	return vm;
}

/*
 * The state of the VM behind @link, NULL if it has gone.  Its name is its
 * socket's: what it calls itself is not looked at.
 */
static json_t *collect(struct control_link *link, const char *name, int error, u64 deadline)
{
	json_t *vm = NULL;

	if (!error)
		error = control_receive(link, deadline, &vm);
	if (error == -ENOENT || error == -ECONNRESET || error == -EPIPE)
		return NULL;
	if (error)
		return unresponsive(name, link->pid);
	json_object_set_new(vm, "name", json_string(name));
	return vm;
}

/* Ask all, then listen to all: those that do not answer cost their time once. */
static json_t *ask_all(char (*names)[NAME_MAX_LENGTH + 1], size_t count)
{
	struct control_link *links = calloc(count + 1, sizeof(*links));
	int *errors = calloc(count + 1, sizeof(*errors));
	u64 deadline = loop_now() + CONTROL_PATIENCE_MS * NSEC_PER_MSEC;
	json_t *vms = json_array();
	size_t i;

	for (i = 0; links && errors && i < count; i++) {
		errors[i] = control_connect(&links[i], names[i]);
		if (!errors[i])
			errors[i] = control_send(&links[i], control_request("status"));
	}
	for (i = 0; links && errors && i < count; i++) {
		json_t *vm = collect(&links[i], names[i], errors[i], deadline);

		if (vm)
			json_array_append_new(vms, vm);
		control_disconnect(&links[i]);
	}
	free(links);
	free(errors);
	return vms;
}

static void print_row(const json_t *vm)
{
	char name[SHOW_SIZE], pid[SHOW_SIZE], state[SHOW_SIZE], vcpus[SHOW_SIZE];
	char memory[SHOW_SIZE], uptime[SHOW_SIZE], image[SHOW_SIZE];

	show_text(vm, "name", name);
	show_number(vm, "pid", pid);
	show_text(vm, "state", state);
	show_number(vm, "vcpus", vcpus);
	show_memory(vm, "memory", memory);
	show_uptime(vm, "uptime", uptime);
	show_text(vm, "image", image);
	printf("%-16s %7s %-12s %5s %7s %11s  %s\n", name, pid, state, vcpus, memory, uptime,
	       image);
}

static int print_json(const json_t *vms)
{
	if (json_dumpf(vms, stdout, JSON_INDENT(2)) || putchar('\n') == EOF) {
		report_error("cannot write to standard output: %s", strerror(errno));
		return STATUS_RESOURCE;
	}
	return STATUS_OK;
}

static int print(const json_t *vms, const struct ps_options *chosen)
{
	const json_t *vm;
	size_t i;

	if (chosen->json)
		return print_json(vms);
	if (!chosen->quiet)
		printf("%-16s %7s %-12s %5s %7s %11s  %s\n", "NAME", "PID", "STATE", "VCPUS",
		       "MEMORY", "UPTIME", "IMAGE");
	for (i = 0; (vm = json_array_get(vms, i)); i++) {
		if (chosen->quiet)
			puts(json_string_value(json_object_get(vm, "name")));
		else
			print_row(vm);
	}
	return STATUS_OK;
}

/**
 * cmd_ps() - the ps subcommand
 * @argc: arguments from "ps" on
 * @argv: likewise
 *
 * Return: STATUS_OK, STATUS_USAGE or STATUS_RESOURCE.
 */
int cmd_ps(int argc, char **argv)
{
	struct ps_options chosen = { .json = false };
	char (*names)[NAME_MAX_LENGTH + 1];
	size_t count;
	json_t *vms;
	int status = cmd_parse(&line, argc, argv, &chosen, NULL);

	if (status != STATUS_OK)
		return status;
	if (control_names(&names, &count))
		return STATUS_RESOURCE;
	vms = ask_all(names, count);
	free(names);
	status = print(vms, &chosen);
	json_decref(vms);
	return status;
}
