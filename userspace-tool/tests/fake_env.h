/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fake_env.h - surroundings for a device under test: a clock that the test
 * moves, timers that fire when it passes them, and interrupt lines, requests
 * and serial output that are recorded.
 */
#ifndef MINI_VM_FAKE_ENV_H
#define MINI_VM_FAKE_ENV_H

#include <stdlib.h>
#include <string.h>

#include "devices/device.h"

#define FAKE_TIMERS	8

struct device_timer {
	void (*fire)(void *opaque);
	void *opaque;
	u64 at;
	bool used;
};

static struct {
	struct device_env env;
	struct bus ports;
	struct bus mmio;
	struct device device;
	struct device_timer timers[FAKE_TIMERS];
	u64 now;
	u64 wall_offset;
	bool irq[16];
	unsigned int rises[16];
	bool intr;
	unsigned int messages;
	u64 msi_address;
	u32 msi_data;
	bool msi_refused;
	unsigned int resets;
	int exit_status;
	char output[256];
	unsigned int output_count;
} fake;

static u64 fake_now(struct device_env *env)
{
	(void)env;
	return fake.now;
}

static u64 fake_wall(struct device_env *env)
{
	(void)env;
	return fake.now + fake.wall_offset;
}

static void fake_irq(struct device_env *env, unsigned int line, bool level)
{
	(void)env;
	if (level && !fake.irq[line])
		fake.rises[line]++;
	fake.irq[line] = level;
}

static void fake_intr(struct device_env *env, bool level)
{
	(void)env;
	fake.intr = level;
}

static bool fake_msi(struct device_env *env, u64 address, u32 data)
{
	(void)env;
	fake.messages++;
	fake.msi_address = address;
	fake.msi_data = data;
	return !fake.msi_refused;
}

static void fake_post(struct device_env *env, u16 port)
{
	(void)env;
	(void)port;
}

static void fake_request(struct device_env *env, enum device_request request,
			 int status)
{
	(void)env;
	if (request == REQUEST_RESET)
		fake.resets++;
	else
		fake.exit_status = status;
}

static void fake_serial_out(struct device_env *env, u8 byte)
{
	(void)env;
	if (fake.output_count < sizeof(fake.output))
		fake.output[fake.output_count++] = (char)byte;
}

static void fake_serial_wants(struct device_env *env)
{
	(void)env;
}

static struct device_timer *fake_timer_new(struct device_env *env,
					   void (*fire)(void *opaque),
					   void *opaque)
{
	unsigned int i;

	(void)env;
	for (i = 0; i < FAKE_TIMERS; i++) {
		struct device_timer *timer = &fake.timers[i];

		if (timer->used)
			continue;
		timer->used = true;
		timer->fire = fire;
		timer->opaque = opaque;
		timer->at = 0;
		return timer;
	}
	return NULL;
}

static void fake_timer_set(struct device_timer *timer, u64 at)
{
	timer->at = at;
}

static void fake_timer_free(struct device_timer *timer)
{
	if (timer)
		timer->used = false;
}

/* New surroundings, to be changed before fake_create(). */
__attribute__((unused))
static void fake_prepare(void)
{
	memset(&fake, 0, sizeof(fake));
	fake.exit_status = -1;
	fake.now = 1000 * NSEC_PER_SEC;
	bus_init(&fake.ports, "port", 0x10000);
	bus_init(&fake.mmio, "MMIO", 0);
	fake.env = (struct device_env) {
		.ports = &fake.ports,
		.mmio = &fake.mmio,
		.ram_low = 256 * MIB,
		.now = fake_now,
		.wall = fake_wall,
		.irq = fake_irq,
		.intr = fake_intr,
		.msi = fake_msi,
		.debugcon_fd = -1,
		.request = fake_request,
		.serial_out = fake_serial_out,
		.serial_wants = fake_serial_wants,
		.timer_new = fake_timer_new,
		.timer_set = fake_timer_set,
		.timer_free = fake_timer_free,
		.post = fake_post,
	};
}

__attribute__((unused))
static int fake_create(const struct device_type *type)
{
	fake.device.type = type;
	return type->create(&fake.device, &fake.env);
}

/* Make one device in new surroundings. */
__attribute__((unused))
static int fake_start(const struct device_type *type)
{
	fake_prepare();
	return fake_create(type);
}

__attribute__((unused))
static void fake_stop(void)
{
	fake.device.type->destroy(&fake.device);
}

/* Let time pass, firing what falls due on the way. */
__attribute__((unused))
static void fake_pass(u64 ns)
{
	u64 end = fake.now + ns;

	for (;;) {
		struct device_timer *next = NULL;
		unsigned int i;

		for (i = 0; i < FAKE_TIMERS; i++) {
			struct device_timer *timer = &fake.timers[i];

			if (timer->used && timer->at && timer->at <= end &&
			    (!next || timer->at < next->at))
				next = timer;
		}
		if (!next)
			break;
		if (next->at > fake.now)
			fake.now = next->at;
		next->at = 0;
		next->fire(next->opaque);
	}
	fake.now = end;
}

__attribute__((unused))
static u8 in(u16 port)
{
	return (u8)bus_read(&fake.ports, port, 1);
}

__attribute__((unused))
static void out(u16 port, u8 value)
{
	bus_write(&fake.ports, port, 1, value);
}

#endif /* MINI_VM_FAKE_ENV_H */
