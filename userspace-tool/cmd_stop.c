// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_stop.c - "mini-vm stop": an orderly end if the guest can be asked for
 * one, the end in any case.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cmd.h"
#include "control/client.h"
#include "loop.h"
#include "report.h"

#define DEFAULT_TIMEOUT	60
#define TIMEOUT_MAX	86400
/* after the VM has said that it ends: its memory is to be given back */
#define END_SECONDS	60

enum option_key {
	KEY_FORCE = 'f',
	KEY_TIMEOUT = 't',
};

struct stop_options {
	bool force;
	unsigned int timeout;
};

static const struct argp_option options[] = {
	{ "force", KEY_FORCE, NULL, 0, "end the VM without asking its guest", 0 },
	{ "timeout", KEY_TIMEOUT, "SECONDS", 0,
	  "how long the guest may take to power off (default 60)", 0 },
	{ NULL, 0, NULL, 0, NULL, 0 },
};

static void parse_timeout(const char *text, struct stop_options *chosen,
			  struct argp_state *state)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || value > TIMEOUT_MAX)
		argp_error(state, "--timeout: '%s' is not a number of seconds from 0 to %d",
			   text, TIMEOUT_MAX);
	chosen->timeout = (unsigned int)value;
}

static error_t take_option(int key, char *argument, struct argp_state *state, void *context)
{
	struct stop_options *chosen = context;

	switch (key) {
	case KEY_FORCE:
		chosen->force = true;
		break;
	case KEY_TIMEOUT:
		parse_timeout(argument, chosen, state);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct cmd_line line = {
	.options = options,
	.option = take_option,
	.args_doc = "NAME...",
	.thing = CMD_VM,
	.hint = CMD_VM_HINT,
	.many = true,
	.doc = "Press the power button of VMs and wait until their guests have powered off.\v"
	       "A VM whose guest heeds no power button, or takes too long, is ended. "
	       "What happened is printed.",
};

static json_t *stop_request(bool force)
{
	json_t *request = control_request("stop");

	json_object_set_new(request, "force", json_boolean(force));
	return request;
}

/* Ask the VM to stop; @how: its own word for what it did. */
static int ask(struct control_link *link, bool force, char how[16])
{
	u64 deadline = loop_now() + CONTROL_PATIENCE_MS * NSEC_PER_MSEC;
	const char *word;
	json_t *result;
	int error;

	error = control_send(link, stop_request(force));
	if (!error)
		error = control_receive(link, deadline, &result);
	if (error)
		return error;
	word = json_string_value(json_object_get(result, "how"));
	snprintf(how, 16, "%s", word ? word : "");
	json_decref(result);
	return 0;
}

/*
 * Wait for the answer to "wait", which is the end.  A VM that is gone without a
 * word has ended too: -1 in @status then.
 */
static int wait_end(struct control_link *link, unsigned int seconds, int *status)
{
	json_t *result;
	int error = control_receive(link, loop_now() + seconds * NSEC_PER_SEC, &result);

	*status = -1;
	if (error == -ECONNRESET)
		return 0;
	if (error)
		return error;
	if (json_is_integer(json_object_get(result, "status")))
		*status = (int)json_integer_value(json_object_get(result, "status"));
	json_decref(result);
	return 0;
}

static bool hung_up(const struct control_link *link)
{
	struct pollfd state = { .fd = link->fd };

	return poll(&state, 1, 0) != 0;
}

/*
 * SIGKILL to the process that listens at the socket, and to no other: while the
 * connection lives its number cannot have gone to another.
 */
static int kill_process(const char *name, const struct control_link *link)
{
	int fd = link->pid > 0 ? (int)syscall(SYS_pidfd_open, link->pid, 0) : -1;
	int failed = fd < 0 || hung_up(link) ||
		     syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);

	if (fd >= 0)
		close(fd);
	if (failed)
		return control_report(name, -ETIMEDOUT);
	printf("%s: did not answer; its process was killed\n", name);
	return STATUS_OK;
}

static int end_by_force(const char *name, struct control_link *link, const char *why)
{
	int status, error;
	char how[16];

	error = ask(link, true, how);
	if (!error)
		error = wait_end(link, END_SECONDS, &status);
	if (error && error != -ECONNRESET && error != -EPIPE)
		return control_report(name, error);
	printf("%s: %s; it was ended\n", name, why);
	return STATUS_OK;
}

/* The power button is pressed. */
static int await_power_off(const char *name, struct control_link *link,
			   const struct stop_options *chosen)
{
	char why[80];
	int status, error;

	error = wait_end(link, chosen->timeout, &status);
	if (error == -ETIMEDOUT) {
		snprintf(why, sizeof(why), "the guest did not power off within %u s",
			 chosen->timeout);
		return end_by_force(name, link, why);
	}
	if (error)
		return control_report(name, error);
	if (status == STATUS_OK)
		printf("%s: the guest powered off\n", name);
	else if (status > 0)
		printf("%s: the guest ended with status %d\n", name, status);
	else
		printf("%s: ended\n", name);
	return STATUS_OK;
}

static int converse(const char *name, struct control_link *link,
		    const struct stop_options *chosen)
{
	int error, status;
	char how[16];

	/* first, so that the end cannot be missed; answered last */
	error = control_send(link, control_request("wait"));
	if (!error)
		error = ask(link, chosen->force, how);
	if (error == -ETIMEDOUT && chosen->force)
		return kill_process(name, link);
	if (error)
		return control_report(name, error);
	if (!strcmp(how, "power-button"))
		return await_power_off(name, link, chosen);
	error = wait_end(link, END_SECONDS, &status);
	if (error == -ETIMEDOUT && chosen->force)
		return kill_process(name, link);
	if (error)
		return control_report(name, error);
	printf("%s: ended%s\n", name,
	       strcmp(how, "ended-deaf") ? "" : "; the guest heeds no power button");
	return STATUS_OK;
}

static int stop(const char *name, void *context)
{
	struct control_link link;
	int status, error = control_connect(&link, name);

	status = error ? control_report(name, error) : converse(name, &link, context);
	control_disconnect(&link);
	return status;
}

/**
 * cmd_stop() - the stop subcommand
 * @argc: arguments from "stop" on
 * @argv: likewise
 *
 * Return: STATUS_OK: the VMs are gone; STATUS_USAGE; STATUS_RESOURCE.
 */
int cmd_stop(int argc, char **argv)
{
	struct stop_options chosen = { .timeout = DEFAULT_TIMEOUT };
	char **names;
	int status = cmd_parse(&line, argc, argv, &chosen, &names);

	return status == STATUS_OK ? control_each(names, stop, &chosen) : status;
}
