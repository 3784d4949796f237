// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_pause.c - "mini-vm pause" and "mini-vm resume".
 */
#include "cmd.h"
#include "control/client.h"
#include "report.h"

static const struct cmd_line pause_line = {
	.args_doc = "NAME...",
	.thing = CMD_VM,
	.hint = CMD_VM_HINT,
	.many = true,
	.doc = "Let VMs stand still until 'mini-vm resume'.\v"
	       "When it returns, the vCPU is out of the guest. "
	       "The guest's clocks stand still too, all but the RTC.",
};

static const struct cmd_line resume_line = {
	.args_doc = "NAME...",
	.thing = CMD_VM,
	.hint = CMD_VM_HINT,
	.many = true,
	.doc = "Let paused VMs go on.",
};

static int ask(const char *name, void *context)
{
	json_t *result = NULL;
	int status = control_call(name, context, &result);

	json_decref(result);
	return status;
}

static int for_each(const struct cmd_line *line, int argc, char **argv, const char *command)
{
	char **names;
	int status = cmd_parse(line, argc, argv, NULL, &names);

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
	return for_each(&pause_line, argc, argv, "pause");
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
	return for_each(&resume_line, argc, argv, "resume");
}
