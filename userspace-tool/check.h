/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * check.h - can this machine run VMs, and if not, why and what to do?
 */
#ifndef MINI_VM_CHECK_H
#define MINI_VM_CHECK_H

#include "types.h"

/* Registers of a CPUID leaf, in the order of struct check_world.cpuid. */
enum check_register { CHECK_EAX, CHECK_EBX, CHECK_ECX, CHECK_EDX };

/* How it went to ask the device for its version. */
enum check_device {
	CHECK_DEVICE_OK,
	CHECK_DEVICE_ABSENT,
	CHECK_DEVICE_FORBIDDEN,
	CHECK_DEVICE_STRANGE,
};

/**
 * struct check_world - where the answers come from
 * @root:	put before every path
 * @release:	kernel release
 * @cpuid:	executes CPUID
 * @read_msr:	reads an MSR of CPU 0; false: not possible
 * @device:	asks /dev/mini-vm for its ABI version
 *
 * cmd_check.c gives the real machine's, the tests give machines of their own.
 */
struct check_world {
	const char *root;
	const char *release;
	void (*cpuid)(u32 leaf, u32 subleaf, u32 out[4]);
	bool (*read_msr)(const struct check_world *world, u32 index,
			 u64 *value);
	enum check_device (*device)(const struct check_world *world,
				    u32 *abi_version);
};

/**
 * struct check_report - the outcome
 * @text:	sentences, each on its own line
 * @used:	bytes of it
 * @able:	this machine can run VMs now
 */
struct check_report {
	char text[4096];
	size_t used;
	bool able;
};

void check_machine(const struct check_world *world,
		   struct check_report *report);

#endif /* MINI_VM_CHECK_H */
