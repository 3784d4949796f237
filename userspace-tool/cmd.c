// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd.c - what the subcommands share.
 */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "report.h"

/**
 * cmd_parse() - parse a subcommand's options
 * @argp: its parser
 * @argc: arguments, the subcommand's name included
 * @argv: likewise
 * @input: handed to the parser
 *
 * Return: STATUS_OK or STATUS_USAGE.
 */
int cmd_parse(const struct argp *argp, int argc, char **argv, void *input)
{
	char name[32];
	int i;

	/* argp takes argv[0] for "Usage: NAME" and for "NAME: message" */
	snprintf(name, sizeof(name), "mini-vm %s", argv[0]);
	argv[0] = (char *)"mini-vm";
	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-?") ||
		    !strcmp(argv[i], "--usage"))
			argv[0] = name;
	argp_err_exit_status = STATUS_USAGE;
	return argp_parse(argp, argc, argv, 0, NULL, input) ?
	       STATUS_USAGE : STATUS_OK;
}
