// SPDX-License-Identifier: GPL-2.0-only
/*
 * pit.c - the Intel 8254 timer and the speaker port that goes with it.
 *
 * Counter 0 drives ISA interrupt 0.  Counter 2 has its gate and its output in
 * port 0x61, where operating systems calibrate their clocks.  Nothing counts:
 * each value is computed from the monotonic clock when somebody looks, and one
 * timer is armed for the next rising edge of counter 0.
 *
 * Source: Intel 8254 data sheet (order 231164); port 0x61 as in Intel's
 * 82371AB (PIIX4) data sheet, 4.2.5.
 */
#include <errno.h>
#include <stdlib.h>

#include "device.h"
#include "pit.h"

#define ACCESS_LATCH	0
#define ACCESS_LOW	1
#define ACCESS_HIGH	2
#define ACCESS_BOTH	3

#define NEVER		(~0ULL)
/* A guest that asks for a faster clock gets merged ticks instead. */
#define MIN_INTERVAL	(100 * NSEC_PER_USEC)

/* port 0x61 */
#define SPEAKER_GATE2	BIT(0)
#define SPEAKER_DATA	BIT(1)
#define SPEAKER_REFRESH	BIT(4)
#define SPEAKER_OUT2	BIT(5)
#define REFRESH_PERIOD	(15 * NSEC_PER_USEC)

/**
 * struct counter - one of the three counters
 * @mode:	0 to 5
 * @access:	ACCESS_LOW, _HIGH or _BOTH
 * @bcd:	counts in decimal
 * @gate:	level of the gate input
 * @written:	bytes of a two-byte count written so far
 * @low:	the first of them
 * @loaded:	a count was written since the mode
 * @armed:	it counts (modes 1 and 5: a trigger came)
 * @initial:	the count in effect, 1 to 0x10000
 * @start:	when it was loaded, in ticks
 * @next:	count that takes over at @next_at, 0: none (modes 2 and 3)
 * @next_at:	end of the running period, in ticks
 * @held:	ticks elapsed when the gate went low (modes 0 and 4)
 * @read_high:	the next read of a two-byte count gives the high byte
 * @latched:	bytes of @latch left to read
 * @latch:	latched count
 * @status_latched: a read-back wants the status first
 * @status:	latched status
 */
struct counter {
	u8 mode;
	u8 access;
	bool bcd;
	bool gate;
	u8 written;
	u8 low;
	bool loaded;
	bool armed;
	u32 initial;
	u64 start;
	u32 next;
	u64 next_at;
	u64 held;
	bool read_high;
	u8 latched;
	u16 latch;
	bool status_latched;
	u8 status;
};

struct pit {
	struct device_env *env;
	struct device_timer *timer;
	struct counter counters[3];
	u64 edge_seen;		/* ticks up to which counter 0 was served */
	u8 speaker;
};

static u64 ns_to_ticks(u64 ns)
{
	return (u64)((unsigned __int128)ns * PIT_HZ / NSEC_PER_SEC);
}

/* The first ns at which ns_to_ticks() gives @ticks. */
static u64 ticks_to_ns(u64 ticks)
{
	return (u64)(((unsigned __int128)ticks * NSEC_PER_SEC + PIT_HZ - 1) /
		     PIT_HZ);
}

static u64 now_ticks(struct pit *pit)
{
	return ns_to_ticks(pit->env->now(pit->env));
}

static u32 modulus(const struct counter *counter)
{
	return counter->bcd ? 10000 : 0x10000;
}

static u32 from_bcd(u32 value)
{
	return (value & 0xf) + 10 * ((value >> 4) & 0xf) +
	       100 * ((value >> 8) & 0xf) + 1000 * ((value >> 12) & 0xf);
}

static u32 to_bcd(u32 value)
{
	return (value % 10) | (value / 10 % 10) << 4 |
	       (value / 100 % 10) << 8 | (value / 1000 % 10) << 12;
}

static bool periodic(const struct counter *counter)
{
	return counter->mode == 2 || counter->mode == 3;
}

/* Let a count that waits for the end of the period take over. */
static void settle(struct counter *counter, u64 now)
{
	if (counter->next && now >= counter->next_at) {
		counter->start = counter->next_at;
		counter->initial = counter->next;
		counter->next = 0;
	}
}

static bool counting(const struct counter *counter)
{
	return counter->loaded && counter->armed;
}

static u64 elapsed(const struct counter *counter, u64 now)
{
	/* a low gate stops modes 0 and 4; 1 and 5 only look at its edge */
	if (!counter->gate && (counter->mode == 0 || counter->mode == 4))
		return counter->held;
	return now > counter->start ? now - counter->start : 0;
}

/* The counting element, as a read would see it. */
static u32 current_count(struct counter *counter, u64 now)
{
	u32 mod = modulus(counter);
	u64 gone;
	u32 value;

	settle(counter, now);
	if (!counting(counter) || (periodic(counter) && !counter->gate))
		return counter->initial % mod;
	gone = elapsed(counter, now);
	if (counter->mode == 2)
		value = counter->initial - (u32)(gone % counter->initial);
	else if (counter->mode == 3)
		/* counts down by two, twice each period */
		value = (counter->initial & ~1U) -
			(u32)(2 * gone % (counter->initial > 1 ?
					  counter->initial & ~1U : 1));
	else
		value = (u32)((counter->initial + mod - gone % mod) % mod);
	return value % mod;
}

/* Level of the output pin. */
static bool output(struct counter *counter, u64 now)
{
	u64 gone;

	settle(counter, now);
	if (!counting(counter))
		return counter->mode != 0;
	gone = elapsed(counter, now);
	switch (counter->mode) {
	case 0:
	case 1:
		return gone >= counter->initial;
	case 2:
		return !counter->gate ||
		       gone % counter->initial != counter->initial - 1;
	case 3:
		return !counter->gate ||
		       gone % counter->initial < (counter->initial + 1) / 2;
	default:
		return gone != counter->initial;
	}
}

/* First rising edge of the output after @after, in ticks, or NEVER. */
static u64 next_edge(struct counter *counter, u64 after)
{
	u64 edge;

	settle(counter, after);
	if (!counting(counter) || (!counter->gate && counter->mode != 1 &&
				   counter->mode != 5))
		return NEVER;
	switch (counter->mode) {
	case 0:
	case 1:
		edge = counter->start + counter->initial;
		break;
	case 2:
	case 3:
		edge = counter->start;
		if (after >= edge)
			edge += ((after - edge) / counter->initial + 1) *
				counter->initial;
		else
			edge += counter->initial;
		break;
	default:
		edge = counter->start + counter->initial + 1;
		break;
	}
	return edge > after ? edge : NEVER;
}

/* Serve what is due on counter 0 and arm the timer for its next edge. */
static void update_irq(struct pit *pit)
{
	struct counter *counter = &pit->counters[0];
	u64 now = now_ticks(pit);
	u64 edge = next_edge(counter, pit->edge_seen);

	if (edge != NEVER && edge <= now) {
		/* however many periods went by, the PIC sees one edge */
		pit->env->irq(pit->env, IRQ_TIMER, false);
		pit->env->irq(pit->env, IRQ_TIMER, true);
	} else if (!output(counter, now) && counter->mode != 2 &&
		   counter->mode != 3) {
		pit->env->irq(pit->env, IRQ_TIMER, false);
	}
	pit->edge_seen = now;

	edge = next_edge(counter, now);
	if (edge == NEVER) {
		pit->env->timer_set(pit->timer, 0);
	} else {
		u64 at = ticks_to_ns(edge);
		u64 soonest = pit->env->now(pit->env) + MIN_INTERVAL;

		/* slow one-shots are exact; only a storm is slowed down */
		if (periodic(counter) &&
		    ticks_to_ns(counter->initial) < MIN_INTERVAL &&
		    at < soonest)
			at = soonest;
		pit->env->timer_set(pit->timer, at);
	}
}

static void fire(void *opaque)
{
	update_irq(opaque);
}

static void load_count(struct pit *pit, struct counter *counter, u32 value)
{
	u64 now = now_ticks(pit);
	u32 count = counter->bcd ? from_bcd(value) : value;

	if (!count)
		count = modulus(counter);
	/* a period of one tick is not allowed in modes 2 and 3 */
	if (periodic(counter) && count == 1)
		count = 2;

	settle(counter, now);
	if (counter->loaded && counter->armed && periodic(counter) &&
	    counter->gate) {
		u64 gone = elapsed(counter, now);

		counter->next = count;
		counter->next_at = now + counter->initial -
				   gone % counter->initial;
		return;
	}
	counter->initial = count;
	counter->loaded = true;
	if (counter->mode != 1 && counter->mode != 5) {
		counter->armed = true;
		counter->start = now;
		counter->held = 0;
	}
}

static void write_count(struct pit *pit, struct counter *counter, u8 value)
{
	switch (counter->access) {
	case ACCESS_LOW:
		load_count(pit, counter, value);
		break;
	case ACCESS_HIGH:
		load_count(pit, counter, (u32)value << 8);
		break;
	default:
		if (!counter->written) {
			counter->low = value;
			counter->written = 1;
			/* the first byte stops a count in mode 0 */
			if (counter->mode == 0)
				counter->armed = false;
			break;
		}
		counter->written = 0;
		load_count(pit, counter, counter->low | (u32)value << 8);
		break;
	}
}

static u16 visible_count(struct counter *counter, u64 now)
{
	u32 value = current_count(counter, now);

	return (u16)(counter->bcd ? to_bcd(value) : value);
}

static void latch_count(struct counter *counter, u64 now)
{
	if (counter->latched)
		return;		/* the first latch stays until it is read */
	counter->latch = visible_count(counter, now);
	counter->latched = counter->access == ACCESS_BOTH ? 2 : 1;
	/* a latch is read from its first byte */
	counter->read_high = false;
}

static void latch_status(struct counter *counter, u64 now)
{
	if (counter->status_latched)
		return;
	counter->status_latched = true;
	counter->status = (u8)(output(counter, now) << 7 |
			       (!counter->loaded || counter->next) << 6 |
			       counter->access << 4 | counter->mode << 1 |
			       counter->bcd);
}

static void write_control(struct pit *pit, u8 value)
{
	unsigned int select = value >> 6;
	struct counter *counter;
	u64 now = now_ticks(pit);
	unsigned int i;

	if (select == 3) {		/* read-back; both bits are inverted */
		for (i = 0; i < 3; i++) {
			if (!(value & BIT(i + 1)))
				continue;
			if (!(value & BIT(5)))
				latch_count(&pit->counters[i], now);
			if (!(value & BIT(4)))
				latch_status(&pit->counters[i], now);
		}
		return;
	}

	counter = &pit->counters[select];
	if (((value >> 4) & 3) == ACCESS_LATCH) {
		latch_count(counter, now);
		return;
	}
	counter->access = (value >> 4) & 3;
	counter->mode = (value >> 1) & 7;
	if (counter->mode > 5)
		counter->mode -= 4;	/* 6 and 7 are 2 and 3 */
	counter->bcd = value & 1;
	counter->written = 0;
	counter->loaded = false;
	counter->armed = false;
	counter->next = 0;
	counter->read_high = false;
	counter->latched = 0;
	counter->status_latched = false;
}

static u8 read_count(struct pit *pit, struct counter *counter)
{
	u16 value;

	if (counter->status_latched) {
		counter->status_latched = false;
		return counter->status;
	}
	if (counter->latched) {
		value = counter->latch;
		counter->latched--;
	} else {
		value = visible_count(counter, now_ticks(pit));
	}
	if (counter->access == ACCESS_BOTH) {
		bool high = counter->read_high;

		counter->read_high = !high;
		return (u8)(high ? value >> 8 : value);
	}
	return (u8)(counter->access == ACCESS_HIGH ? value >> 8 : value);
}

static u64 pit_read(void *device, u64 offset, unsigned int bytes)
{
	struct pit *pit = device;

	(void)bytes;
	if (offset == 3)
		return 0xff;	/* the control word cannot be read */
	return read_count(pit, &pit->counters[offset]);
}

static void pit_write(void *device, u64 offset, unsigned int bytes, u64 value)
{
	struct pit *pit = device;
	bool counter0 = offset == 0 || (offset == 3 && !(value >> 6));

	(void)bytes;
	if (counter0)
		update_irq(pit);	/* what was due before the change */
	if (offset == 3)
		write_control(pit, (u8)value);
	else
		write_count(pit, &pit->counters[offset], (u8)value);
	if (counter0)
		update_irq(pit);
}

static void set_gate2(struct pit *pit, bool level)
{
	struct counter *counter = &pit->counters[2];
	u64 now = now_ticks(pit);

	if (counter->gate == level)
		return;
	settle(counter, now);
	if (!level) {
		counter->held = elapsed(counter, now);
		counter->gate = false;
		return;
	}
	counter->gate = true;
	if (counter->mode == 0 || counter->mode == 4) {
		counter->start = now - counter->held;	/* go on */
	} else {
		/* a rising gate starts the others anew */
		counter->start = now;
		counter->armed = true;
		if (counter->next) {
			counter->initial = counter->next;
			counter->next = 0;
		}
	}
}

static u64 speaker_read(void *device, u64 offset, unsigned int bytes)
{
	struct pit *pit = device;
	u64 ns = pit->env->now(pit->env);
	u8 value = pit->speaker;

	(void)offset;
	(void)bytes;
	if (output(&pit->counters[2], ns_to_ticks(ns)))
		value |= SPEAKER_OUT2;
	if (ns / REFRESH_PERIOD & 1)
		value |= SPEAKER_REFRESH;
	return value;
}

static void speaker_write(void *device, u64 offset, unsigned int bytes,
			  u64 value)
{
	struct pit *pit = device;

	(void)offset;
	(void)bytes;
	/* bits 2 and 3 disable checks that this board does not have */
	pit->speaker = value & 0x0f;
	set_gate2(pit, value & SPEAKER_GATE2);
}

static const struct bus_ops pit_ops = { pit_read, pit_write };
static const struct bus_ops speaker_ops = { speaker_read, speaker_write };

static int pit_create(struct device *device, struct device_env *env)
{
	struct pit *pit = calloc(1, sizeof(*pit));
	unsigned int i;
	int error = -ENOMEM;

	if (!pit)
		return -ENOMEM;
	pit->env = env;
	for (i = 0; i < 3; i++) {
		pit->counters[i].access = ACCESS_BOTH;
		pit->counters[i].initial = 0x10000;
		pit->counters[i].gate = i < 2;
	}
	pit->timer = env->timer_new(env, fire, pit);
	if (!pit->timer)
		goto free_pit;
	error = bus_add(env->ports, 0x40, 4, "PIT", 1, &pit_ops, pit);
	if (!error)
		error = bus_add(env->ports, 0x61, 1, "speaker", 1,
				&speaker_ops, pit);
	if (error)
		goto free_timer;
	device->state = pit;
	return 0;

free_timer:
	env->timer_free(pit->timer);
free_pit:
	free(pit);
	return error;
}

static void pit_destroy(struct device *device)
{
	struct pit *pit = device->state;

	pit->env->timer_free(pit->timer);
	free(pit);
}

const struct device_type pit_device = {
	.name = "pit",
	.help = "8254 timer and speaker, ports 0x40 to 0x43 and 0x61",
	.create = pit_create,
	.destroy = pit_destroy,
};
