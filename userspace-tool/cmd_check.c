// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_check.c - "mini-vm check": asks the real machine and prints the answer.
 */
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <linux/mini_vm.h>

#include "check.h"
#include "cmd.h"
#include "report.h"

static void real_cpuid(u32 leaf, u32 subleaf, u32 out[4])
{
	__cpuid_count(leaf, subleaf, out[0], out[1], out[2], out[3]);
}

static bool real_msr(const struct check_world *world, u32 index, u64 *value)
{
	char path[PATH_MAX];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "%s/dev/cpu/0/msr", world->root);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	got = pread(fd, value, sizeof(*value), index);
	close(fd);
	return got == sizeof(*value);
}

static enum check_device real_device(const struct check_world *world,
				     u32 *abi_version)
{
	struct mvm_info info = { .size = sizeof(info) };
	char path[PATH_MAX];
	int fd, failed;

	snprintf(path, sizeof(path), "%s%s", world->root, MVM_DEVICE_PATH);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return errno == EACCES || errno == EPERM ?
		       CHECK_DEVICE_FORBIDDEN : CHECK_DEVICE_ABSENT;
	failed = ioctl(fd, MVM_GET_INFO, &info);
	close(fd);
	if (failed)
		return CHECK_DEVICE_STRANGE;
	*abi_version = info.abi_version;
	return CHECK_DEVICE_OK;
}

static const struct cmd_line line = {
	.doc = "Say whether this machine can run virtual machines, and if not, why and what to do.\v"
	       "The exit status is 0 when it can and 4 when it cannot.",
};

/**
 * cmd_check() - the check subcommand
 * @argc: arguments from "check" on
 * @argv: likewise
 *
 * Return: STATUS_OK, STATUS_MACHINE or STATUS_USAGE.
 */
int cmd_check(int argc, char **argv)
{
	struct check_report report;
	struct check_world world = {
		.root = "",
		.cpuid = real_cpuid,
		.read_msr = real_msr,
		.device = real_device,
	};
	struct utsname name;
	int status;

	status = cmd_parse(&line, argc, argv, NULL, NULL);
	if (status != STATUS_OK)
		return status;
	if (uname(&name)) {
		report_error("cannot ask for the kernel's release");
		return STATUS_MACHINE;
	}
	world.release = name.release;
	check_machine(&world, &report);
	fputs(report.text, stdout);
	return report.able ? STATUS_OK : STATUS_MACHINE;
}
