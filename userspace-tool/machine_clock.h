/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * machine_clock.h - the time that the devices of a machine know.
 */
#ifndef MINI_VM_MACHINE_CLOCK_H
#define MINI_VM_MACHINE_CLOCK_H

#include "loop.h"
#include "types.h"

struct device_timer;

/**
 * struct machine_clock - a clock that can stand still
 * @stopped_at:	when it was stopped, ns of the host; 0: it goes
 * @behind:	how long it has stood still before that, ns
 * @timers:	all timers of the devices
 */
struct machine_clock {
	u64 stopped_at;
	u64 behind;
	struct device_timer *timers;
};

u64 machine_clock_now(const struct machine_clock *clock);
void machine_clock_stop(struct machine_clock *clock);
void machine_clock_start(struct machine_clock *clock);

struct device_timer *machine_timer_new(struct machine_clock *clock, struct loop *loop,
				       void (*fire)(void *opaque), void *opaque);
void machine_timer_set(struct device_timer *timer, u64 at);
void machine_timer_free(struct device_timer *timer);

#endif /* MINI_VM_MACHINE_CLOCK_H */
