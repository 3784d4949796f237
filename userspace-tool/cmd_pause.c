// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_pause.c - "mini-vm pause" and "mini-vm resume".
 */
#include "cmd.h"
#include "control/client.h"
#include "report.h"

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	char ***names = state->input;

	(void)argument;
	switch (key) {
	case ARGP_KEY_ARGS:
		*names = state->argv + state->next;
		break;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which VM? 'mini-vm ps' lists those that run");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp pause_parser = {
	.parser = parse_option,
	.args_doc = "NAME...",
	.doc = "Let VMs stand still until 'mini-vm resume'.\v"
	       "When it returns, the vCPU is out of the guest. "
	       "The guest's clocks stand still too, all but the RTC.",
};

static const struct argp resume_parser = {
	.parser = parse_option,
	.args_doc = "NAME...",
	.doc = "Let paused VMs go on.",
};

static int ask(const char *name, void *context)
{
	json_t *result = NULL;
	int status = control_call(name, context, &result);

	json_decref(result);
	return status;
}

static int for_each(const struct argp *parser, int argc, char **argv, const char *command)
{
	char **names = NULL;
	int status = cmd_parse(parser, argc, argv, &names);

	return status == STATUS_OK ? control_each(names, ask, (void *)command) : status;
}

/**
 * cmd_pause() - the pause subcommand
 * @argc: arguments from "pause" on
 * @argv: likewise
 *
 * Return: STATUS_OK, STATUS_USAGE or STATUS_RESOURCE.
 */
int cmd_pause(int argc, char **argv)
{
	return for_each(&pause_parser, argc, argv, "pause");
}

/**
 * cmd_resume() - the resume subcommand
 * @argc: arguments from "resume" on
 * @argv: likewise
 *
 * Return: STATUS_OK, STATUS_USAGE or STATUS_RESOURCE.
 */
int cmd_resume(int argc, char **argv)
{
	return for_each(&resume_parser, argc, argv, "resume");
}
