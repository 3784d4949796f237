// SPDX-License-Identifier: GPL-2.0-only
/*
 * main.c - the mini-vm command: finds the subcommand.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/mini_vm.h>

#include "cmd.h"
#include "report.h"

struct subcommand {
	const char *name;
	const char *help;
	int (*run)(int argc, char **argv);
};

static const struct subcommand subcommands[] = {
	{ "run", "boot a kernel, a Multiboot image, a boot sector or a flat binary", cmd_run },
	{ "ps", "list the VMs that run", cmd_ps },
	{ "stop", "ask a VM's guest to power off, or end the VM", cmd_stop },
	{ "pause", "let a VM stand still", cmd_pause },
	{ "resume", "let a paused VM go on", cmd_resume },
	{ "stat", "show a VM's state and counters", cmd_stat },
	{ "bench", "measure what a guest's operations cost, beside KVM", cmd_bench },
	{ "check", "say whether this machine can run VMs", cmd_check },
};

static void help(void)
{
	size_t i;

	printf("Usage: mini-vm COMMAND [OPTION...] [ARGUMENT...]\n"
	       "Run virtual machines with the mini_vm kernel module.\n\n"
	       "Commands:\n");
	for (i = 0; i < ARRAY_SIZE(subcommands); i++)
		printf("  %-8s %s\n", subcommands[i].name,
		       subcommands[i].help);
	printf("\nOptions:\n"
	       "  --help     show this help\n"
	       "  --version  show the version\n\n"
	       "'mini-vm COMMAND --help' describes a command; see also mini-vm(1).\n");
}

static void version(void)
{
	printf("mini-vm %s (ABI %u)\n", MINI_VM_VERSION, MVM_ABI_VERSION);
}

/* Descriptors 0 to 2 must not become the device's or a file's. */
static int open_standard_files(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

/* A full disk or a closed pipe must not pass for success. */
static int finish_output(int status)
{
	if (fflush(stdout) && status == STATUS_OK) {
		report_error("cannot write to standard output: %s",
			     strerror(errno));
		return STATUS_RESOURCE;
	}
	return status;
}

int main(int argc, char **argv)
{
	size_t i;

	if (open_standard_files())
		return STATUS_RESOURCE;
	if (argc < 2) {
		report_error("which command? 'mini-vm run IMAGE' boots a guest, 'mini-vm --help' lists all");
		return STATUS_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help") ||
	    !strcmp(argv[1], "-h") || !strcmp(argv[1], "--usage")) {
		help();
		return finish_output(STATUS_OK);
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		version();
		return finish_output(STATUS_OK);
	}
	for (i = 0; i < ARRAY_SIZE(subcommands); i++)
		if (!strcmp(argv[1], subcommands[i].name))
			return finish_output(subcommands[i].run(argc - 1,
								argv + 1));
	report_error("'%s' is not a command; 'mini-vm --help' lists them",
		     argv[1]);
	return STATUS_USAGE;
}
