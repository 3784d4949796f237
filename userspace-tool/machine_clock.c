// SPDX-License-Identifier: GPL-2.0-only
/*
 * machine_clock.c - the clock and the timers of the devices: the host's
 * monotonic clock, except that it stands still while the machine is paused.
 *
 * Devices know only this clock.  machine.c gives it to them, machine_pause.c
 * stops it.
 */
#include <stdlib.h>

#include "machine.h"

/**
 * struct device_timer - a timer of a device
 * @timer:	of the loop, in the host's time
 * @clock:	whose time @at is
 * @next:	another one of the machine
 * @at:		when it fires, ns of the machine's clock; 0: stopped
 * @fire:	called when it does
 * @opaque:	its argument
 */
struct device_timer {
	struct loop_timer timer;
	struct machine_clock *clock;
	struct device_timer *next;
	u64 at;
	void (*fire)(void *opaque);
	void *opaque;
};

/**
 * machine_clock_now() - the devices' time
 * @clock: the clock
 *
 * Return: ns.
 */
u64 machine_clock_now(const struct machine_clock *clock)
{
	return (clock->stopped_at ? clock->stopped_at : loop_now()) - clock->behind;
}

static void arm(struct device_timer *timer)
{
	const struct machine_clock *clock = timer->clock;

	loop_timer_set(&timer->timer,
		       timer->at && !clock->stopped_at ? timer->at + clock->behind : 0);
}

/**
 * machine_clock_stop() - let the clock stand still; no timer fires
 * @clock: the clock; nothing happens if it is stopped already
 */
void machine_clock_stop(struct machine_clock *clock)
{
	struct device_timer *timer;

	if (clock->stopped_at)
		return;
	clock->stopped_at = loop_now();
	for (timer = clock->timers; timer; timer = timer->next)
		arm(timer);
}

/**
 * machine_clock_start() - let the clock go on where it stopped
 * @clock: the clock; nothing happens if it is not stopped
 */
void machine_clock_start(struct machine_clock *clock)
{
	struct device_timer *timer;

	if (!clock->stopped_at)
		return;
	clock->behind += loop_now() - clock->stopped_at;
	clock->stopped_at = 0;
	for (timer = clock->timers; timer; timer = timer->next)
		arm(timer);
}

static void fired(void *context)
{
	struct device_timer *timer = context;

	timer->at = 0;
	timer->fire(timer->opaque);
}

/**
 * machine_timer_new() - make a timer of a device
 * @clock: whose time it follows
 * @loop: where it fires
 * @fire: called when it does
 * @opaque: its argument
 *
 * Return: the timer, or NULL when out of memory or descriptors.
 */
struct device_timer *machine_timer_new(struct machine_clock *clock, struct loop *loop,
				       void (*fire)(void *opaque), void *opaque)
{
	struct device_timer *timer = malloc(sizeof(*timer));

	if (!timer)
		return NULL;
	*timer = (struct device_timer) {
		.clock = clock,
		.next = clock->timers,
		.fire = fire,
		.opaque = opaque,
	};
	if (loop_timer_init(&timer->timer, loop, fired, timer)) {
		free(timer);
		return NULL;
	}
	clock->timers = timer;
	return timer;
}

/**
 * machine_timer_set() - choose when a timer fires
 * @timer: the timer
 * @at: ns of the machine's clock; 0: never
 */
void machine_timer_set(struct device_timer *timer, u64 at)
{
	timer->at = at;
	arm(timer);
}

/**
 * machine_timer_free() - stop and free a timer
 * @timer: the timer, or NULL
 */
void machine_timer_free(struct device_timer *timer)
{
	struct device_timer **link;

	if (!timer)
		return;
	for (link = &timer->clock->timers; *link != timer; link = &(*link)->next)
		;
	*link = timer->next;
	loop_timer_close(&timer->timer);
	free(timer);
}
