/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cmd.h - the subcommands, and the version that all of them print.
 */
#ifndef MINI_VM_CMD_H
#define MINI_VM_CMD_H

#include <argp.h>

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

int cmd_parse(const struct argp *argp, int argc, char **argv, void *input);

#endif /* MINI_VM_CMD_H */
