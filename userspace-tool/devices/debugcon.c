// SPDX-License-Identifier: GPL-2.0-only
/*
 * debugcon.c - port 0xe9, the debug console of Bochs and QEMU: what a guest
 * writes there goes to standard error, or to the file of --debugcon.  It reads
 * as 0xe9, by which a guest knows that it is there.
 *
 * Bytes are collected to lines: a write(2) each would be slow, and a line
 * should not be torn by a report.  A line that does not end is written out
 * after a moment, and at the end of the run.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../report.h"
#include "device.h"

#define DEBUGCON_PORT	0xe9
#define FLUSH_AFTER	(20 * NSEC_PER_MSEC)

/**
 * struct debugcon - the console
 * @env:	its surroundings
 * @flush:	fires when a line has waited long enough
 * @tty:	the output is a terminal, which may be raw
 * @failed:	the output is gone; that was reported
 * @used:	bytes in @line
 * @line:	what has not been written yet
 */
struct debugcon {
	struct device_env *env;
	struct device_timer *flush;
	bool tty;
	bool failed;
	size_t used;
	u8 line[1024];
};

static int write_all(int fd, const u8 *bytes, size_t count)
{
	while (count) {
		ssize_t written = write(fd, bytes, count);
		struct pollfd ready = { .fd = fd, .events = POLLOUT };

		if (written < 0 && errno == EAGAIN)
			poll(&ready, 1, -1);
		else if (written < 0 && errno != EINTR)
			return errno;
		if (written > 0) {
			bytes += written;
			count -= (size_t)written;
		}
	}
	return 0;
}

static void flush(struct debugcon *console)
{
	int error = console->failed ? 0 :
		    write_all(console->env->debugcon_fd, console->line, console->used);

	console->used = 0;
	console->env->timer_set(console->flush, 0);
	if (!error)
		return;
	console->failed = true;
	report_error("cannot write the output of the debug console: %s; the guest was ended",
		     strerror(error));
	console->env->request(console->env, REQUEST_EXIT, STATUS_RESOURCE);
}

static void flush_fired(void *opaque)
{
	flush(opaque);
}

static void debugcon_write(void *device, u64 offset, unsigned int bytes, u64 value)
{
	struct debugcon *console = device;
	u64 now = console->env->now(console->env);

	(void)offset;
	(void)bytes;
	if (!console->used)
		console->env->timer_set(console->flush, now + FLUSH_AFTER);
	if (console->tty && (u8)value == '\n')
		console->line[console->used++] = '\r';
	console->line[console->used++] = (u8)value;
	/* one byte may become two */
	if ((u8)value == '\n' || console->used + 2 > sizeof(console->line))
		flush(console);
}

static u64 debugcon_read(void *device, u64 offset, unsigned int bytes)
{
	(void)device;
	(void)offset;
	(void)bytes;
	return DEBUGCON_PORT;
}

static const struct bus_ops debugcon_ops = { debugcon_read, debugcon_write };

static int debugcon_create(struct device *device, struct device_env *env)
{
	struct debugcon *console = calloc(1, sizeof(*console));
	int error;

	if (!console)
		return -ENOMEM;
	console->env = env;
	console->tty = isatty(env->debugcon_fd);
	console->flush = env->timer_new(env, flush_fired, console);
	error = console->flush ? bus_add(env->ports, DEBUGCON_PORT, 1, "debug console", 1,
					 &debugcon_ops, console) : -ENOMEM;
	if (error) {
		env->timer_free(console->flush);
		free(console);
		return error;
	}
	env->post(env, DEBUGCON_PORT);
	device->state = console;
	return 0;
}

static void debugcon_destroy(struct device *device)
{
	struct debugcon *console = device->state;

	if (console->used)
		flush(console);
	console->env->timer_free(console->flush);
	free(console);
}

const struct device_type debugcon_device = {
	.name = "debugcon",
	.help = "debug console, port 0xe9",
	.create = debugcon_create,
	.destroy = debugcon_destroy,
};
