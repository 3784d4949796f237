// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_clock.c - the devices' clock, which stands still in a pause.
 */
#include <time.h>

#include "machine_clock.h"
#include "tap.h"

static struct loop loop;
static struct machine_clock the_clock;
static unsigned int fired;

static void fire(void *opaque)
{
	(void)opaque;
	fired++;
}

/* Turn the loop for so long. */
static void turn(unsigned int ms)
{
	u64 end = loop_now() + ms * NSEC_PER_MSEC;

	while (loop_now() < end)
		loop_wait(&loop, 1);
}

static u64 now(void)
{
	return machine_clock_now(&the_clock);
}

int main(void)
{
	struct device_timer *timer, *other;
	u64 before, after;

	if (loop_init(&loop))
		return 1;
	before = loop_now();
	after = now();
	ok(after >= before && after <= loop_now(), "the clock is the host's");
	timer = machine_timer_new(&the_clock, &loop, fire, NULL);
	other = machine_timer_new(&the_clock, &loop, fire, NULL);
	machine_timer_set(timer, now() + 100 * NSEC_PER_MSEC);
	machine_clock_stop(&the_clock);
	before = now();
	turn(200);
	ok(now() == before, "it stands still");
	is(fired, 0, "and no timer fires");
	machine_timer_set(other, now() + 150 * NSEC_PER_MSEC);
	machine_clock_stop(&the_clock);
	ok(now() == before, "a second stop changes nothing");
	machine_clock_start(&the_clock);
	after = now();
	ok(after - before < 50 * NSEC_PER_MSEC, "it goes on where it stopped (%llu us later)",
	   (unsigned long long)((after - before) / NSEC_PER_USEC));
	machine_clock_start(&the_clock);
	turn(20);
	is(fired, 0, "the rest of a timer's time is still to come");
	turn(400);
	is(fired, 2, "then it fires, and one that was set meanwhile too");
	turn(100);
	is(fired, 2, "once");
	machine_timer_set(timer, now());
	machine_timer_set(timer, 0);
	turn(20);
	is(fired, 2, "a stopped timer does not fire");
	machine_timer_set(timer, now() + NSEC_PER_MSEC);
	turn(50);
	is(fired, 3, "after a pause timers work as before");
	machine_timer_free(other);
	machine_clock_stop(&the_clock);
	machine_clock_start(&the_clock);
	machine_timer_free(timer);
	machine_timer_free(NULL);
	ok(!the_clock.timers, "none is left");
	loop_close(&loop);
	return tap_done();
}
