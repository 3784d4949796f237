// SPDX-License-Identifier: GPL-2.0-only
/*
 * post.c - port 0x80, the diagnostic display: takes every write and reads back
 * the last.  Operating systems write there to lose a microsecond.
 */
#include <errno.h>
#include <stdlib.h>

#include "device.h"

struct post {
	u8 code;
};

static u64 post_read(void *device, u64 offset, unsigned int bytes)
{
	struct post *post = device;

	(void)offset;
	(void)bytes;
	return post->code;
}

static void post_write(void *device, u64 offset, unsigned int bytes, u64 value)
{
	struct post *post = device;

	(void)offset;
	(void)bytes;
	post->code = (u8)value;
}

static const struct bus_ops post_ops = { post_read, post_write };

static int post_create(struct device *device, struct device_env *env)
{
	struct post *post = calloc(1, sizeof(*post));
	int error;

	if (!post)
		return -ENOMEM;
	error = bus_add(env->ports, 0x80, 1, "POST", 1, &post_ops, post);
	if (error) {
		free(post);
		return error;
	}
	device->state = post;
	return 0;
}

static void post_destroy(struct device *device)
{
	free(device->state);
}

const struct device_type post_device = {
	.name = "post",
	.help = "diagnostic port 0x80",
	.create = post_create,
	.destroy = post_destroy,
};
