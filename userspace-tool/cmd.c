// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd.c - what the subcommands share: how their command lines are read.
 */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "report.h"

/**
 * struct parse - a command line that is being read
 * @line:	what it may have
 * @name:	the subcommand's
 * @chosen:	the subcommand's own, for @line->option
 * @arguments:	out: those that are no options, NULL at their end
 */
struct parse {
	const struct cmd_line *line;
	const char *name;
	void *chosen;
	char **arguments;
};

static void take_arguments(struct parse *parse, char **arguments, struct argp_state *state)
{
	const struct cmd_line *line = parse->line;

	if (!line->args_doc)
		argp_error(state, "%s takes no arguments: what is '%s'?", parse->name,
			   arguments[0]);
	else if (!line->many && arguments[1])
		argp_error(state, "one %s at a time: what is '%s'?", line->thing, arguments[1]);
	parse->arguments = arguments;
}

static error_t parse_one(int key, char *argument, struct argp_state *state)
{
	struct parse *parse = state->input;
	const struct cmd_line *line = parse->line;

	switch (key) {
	case ARGP_KEY_ARGS:
		take_arguments(parse, state->argv + state->next, state);
		return 0;
	case ARGP_KEY_NO_ARGS:
		if (line->args_doc && !line->optional)
			argp_error(state, "which %s? %s", line->thing, line->hint);
		return 0;
	default:
		return line->option ? line->option(key, argument, state, parse->chosen) :
				      ARGP_ERR_UNKNOWN;
	}
}

/**
 * cmd_parse() - read a subcommand's command line
 * @line: what it may have
 * @argc: arguments, the subcommand's name included
 * @argv: likewise
 * @chosen: handed to @line->option
 * @arguments: out, if not NULL: those that are no options, NULL at their end;
 *	       itself NULL when there are none
 *
 * Return: STATUS_OK or STATUS_USAGE.
 */
int cmd_parse(const struct cmd_line *line, int argc, char **argv, void *chosen,
	      char ***arguments)
{
	const struct argp argp = {
		.options = line->options,
		.parser = parse_one,
		.args_doc = line->args_doc,
		.doc = line->doc,
	};
	struct parse parse = { .line = line, .name = argv[0], .chosen = chosen };
	char name[32];
	int i, status;

	/* argp takes argv[0] for "Usage: NAME" and for "NAME: message" */
	snprintf(name, sizeof(name), "mini-vm %s", argv[0]);
	argv[0] = (char *)"mini-vm";
	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-?") ||
		    !strcmp(argv[i], "--usage"))
			argv[0] = name;
	argp_err_exit_status = STATUS_USAGE;
	status = argp_parse(&argp, argc, argv, 0, NULL, &parse) ? STATUS_USAGE : STATUS_OK;
	if (arguments)
		*arguments = parse.arguments;
	return status;
}
