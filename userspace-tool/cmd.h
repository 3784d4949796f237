/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cmd.h - the subcommands, and the version that all of them print.
 */
#ifndef MINI_VM_CMD_H
#define MINI_VM_CMD_H

#include <argp.h>
#include <stdbool.h>

#ifndef MINI_VM_VERSION
#error "the Makefile defines MINI_VM_VERSION"
#endif

int cmd_run(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_ps(int argc, char **argv);
int cmd_stop(int argc, char **argv);
int cmd_pause(int argc, char **argv);
int cmd_resume(int argc, char **argv);
int cmd_stat(int argc, char **argv);
int cmd_bench(int argc, char **argv);

/* What commands say that take VMs. */
#define CMD_VM		"VM"
#define CMD_VM_HINT	"'mini-vm ps' lists those that run"

/**
 * struct cmd_line - what the command line of a subcommand may have
 * @options:	argp's table; NULL: no options but --help
 * @option:	takes an option, and ARGP_KEY_END at the end, as argp's parsers do;
 *		@chosen is the subcommand's own.  NULL: not wanted
 * @args_doc:	the arguments' names for the help; NULL: it takes none
 * @thing:	what an argument names
 * @hint:	what to say, behind "which @thing?", when there is none
 * @many:	there may be more than one
 * @optional:	there may be none; then @hint is not wanted
 * @doc:	argp's description
 */
struct cmd_line {
	const struct argp_option *options;
	error_t (*option)(int key, char *argument, struct argp_state *state, void *chosen);
	const char *args_doc;
	const char *thing;
	const char *hint;
	bool many;
	bool optional;
	const char *doc;
};

int cmd_parse(const struct cmd_line *line, int argc, char **argv, void *chosen,
	      char ***arguments);

#endif /* MINI_VM_CMD_H */
