// SPDX-License-Identifier: GPL-2.0-only
/*
 * debug_exit.c - port 0xf4: a guest ends the run with a status of its choice,
 * as with QEMU's isa-debug-exit at this port with four bytes.
 *
 * The status is (value << 1) | 1, always odd, so that it cannot be taken for
 * one of the command line's own; bit 7 and above of the value are lost, as a
 * process has eight bits of status.  A write of any width to any of the four
 * ports does it; they read as 0.
 */
#include "device.h"

#define DEBUG_EXIT_PORT	0xf4
#define DEBUG_EXIT_BYTES 4

static u64 debug_exit_read(void *device, u64 offset, unsigned int bytes)
{
	(void)device;
	(void)offset;
	(void)bytes;
	return 0;
}

static void debug_exit_write(void *device, u64 offset, unsigned int bytes,
			     u64 value)
{
	struct device_env *env = device;

	(void)offset;
	(void)bytes;
	env->request(env, REQUEST_EXIT, (int)((value << 1 | 1) & 0xff));
}

static const struct bus_ops debug_exit_ops = {
	debug_exit_read, debug_exit_write
};

static int debug_exit_create(struct device *device, struct device_env *env)
{
	device->state = env;
	return bus_add(env->ports, DEBUG_EXIT_PORT, DEBUG_EXIT_BYTES, "debug-exit", 4,
		       &debug_exit_ops, env);
}

static void debug_exit_destroy(struct device *device)
{
	device->state = NULL;
}

const struct device_type debug_exit_device = {
	.name = "debug-exit",
	.help = "ports 0xf4 to 0xf7: a write of V ends the run with status (V << 1) | 1",
	.create = debug_exit_create,
	.destroy = debug_exit_destroy,
};
