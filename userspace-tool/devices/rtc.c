// SPDX-License-Identifier: GPL-2.0-only
/*
 * rtc.c - the MC146818 real-time clock and its CMOS memory.
 *
 * The time of day is the host's plus an offset that the guest makes by setting
 * the clock.  While register B holds SET, the time registers are plain memory.
 * Update, alarm and periodic interrupts drive ISA interrupt 8.
 *
 * Source: Motorola MC146818A data sheet; the memory sizes in CMOS 0x15 to 0x18,
 * 0x30, 0x31, 0x34, 0x35 and 0x5b to 0x5d are the PC's convention.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "device.h"

#define REG_SECONDS		0x00
#define REG_SECONDS_ALARM	0x01
#define REG_MINUTES		0x02
#define REG_MINUTES_ALARM	0x03
#define REG_HOURS		0x04
#define REG_HOURS_ALARM		0x05
#define REG_WEEKDAY		0x06
#define REG_DAY			0x07
#define REG_MONTH		0x08
#define REG_YEAR		0x09
#define REG_A			0x0a
#define REG_B			0x0b
#define REG_C			0x0c
#define REG_D			0x0d
#define REG_CENTURY		0x32
#define CMOS_SIZE		128

#define A_RATE			0x0f
#define A_DIVIDER		0x70
#define A_UPDATING		BIT(7)
#define B_24_HOURS		BIT(1)
#define B_BINARY		BIT(2)
#define B_UPDATE_IRQ		BIT(4)
#define B_ALARM_IRQ		BIT(5)
#define B_PERIODIC_IRQ		BIT(6)
#define B_IRQS			(B_UPDATE_IRQ | B_ALARM_IRQ | B_PERIODIC_IRQ)
#define B_SET			BIT(7)
#define C_IRQ			BIT(7)
#define D_VALID			BIT(7)

#define DIVIDER_32KHZ		0x20
#define HOUR_PM			0x80
#define ALARM_ANY		0xc0	/* both top bits: don't care */
/* before each second the registers may change: 244 us (data sheet) */
#define UPDATE_WARNING		(244 * NSEC_PER_USEC)
/* about 1748 to 2191: in ns it must fit 64 bits, differences too */
#define SECONDS_MAX		7000000000LL
/* faster periodic rates are merged */
#define MIN_INTERVAL		(100 * NSEC_PER_USEC)

struct rtc {
	struct device_env *env;
	struct device_timer *update_timer;
	struct device_timer *periodic_timer;
	u8 index;
	u8 cmos[CMOS_SIZE];
	s64 offset;		/* guest's clock minus the host's, in ns */
	s64 alarm_checked;	/* second of the guest's clock last looked at */
	u64 periodic_last;	/* monotonic ns */
};

static s64 guest_ns(struct rtc *rtc)
{
	return (s64)rtc->env->wall(rtc->env) + rtc->offset;
}

static s64 floor_seconds(s64 ns)
{
	s64 seconds = ns / (s64)NSEC_PER_SEC;

	return ns % (s64)NSEC_PER_SEC < 0 ? seconds - 1 : seconds;
}

static u8 encode(const struct rtc *rtc, int value)
{
	if (rtc->cmos[REG_B] & B_BINARY)
		return (u8)value;
	return (u8)(value / 10 << 4 | value % 10);
}

static int decode(const struct rtc *rtc, u8 value)
{
	if (rtc->cmos[REG_B] & B_BINARY)
		return value;
	return (value >> 4) * 10 + (value & 0xf);
}

static u8 encode_hour(const struct rtc *rtc, int hour)
{
	u8 value;

	if (rtc->cmos[REG_B] & B_24_HOURS)
		return encode(rtc, hour);
	value = encode(rtc, hour % 12 ? hour % 12 : 12);
	return hour >= 12 ? value | HOUR_PM : value;
}

static int decode_hour(const struct rtc *rtc, u8 value)
{
	int hour;

	if (rtc->cmos[REG_B] & B_24_HOURS)
		return decode(rtc, value);
	hour = decode(rtc, value & (u8)~HOUR_PM) % 12;
	return value & HOUR_PM ? hour + 12 : hour;
}

/* Bring the time registers to a moment of the guest's clock. */
static void store_time(struct rtc *rtc, s64 seconds)
{
	time_t t = (time_t)seconds;
	struct tm tm;
	int year;

	if (!gmtime_r(&t, &tm))
		return;
	year = tm.tm_year + 1900;
	rtc->cmos[REG_SECONDS] = encode(rtc, tm.tm_sec);
	rtc->cmos[REG_MINUTES] = encode(rtc, tm.tm_min);
	rtc->cmos[REG_HOURS] = encode_hour(rtc, tm.tm_hour);
	rtc->cmos[REG_WEEKDAY] = encode(rtc, tm.tm_wday + 1);
	rtc->cmos[REG_DAY] = encode(rtc, tm.tm_mday);
	rtc->cmos[REG_MONTH] = encode(rtc, tm.tm_mon + 1);
	rtc->cmos[REG_YEAR] = encode(rtc, year % 100);
	rtc->cmos[REG_CENTURY] = (u8)(year / 1000 % 10 << 4 | year / 100 % 10);
}

static void refresh(struct rtc *rtc)
{
	if (!(rtc->cmos[REG_B] & B_SET))
		store_time(rtc, floor_seconds(guest_ns(rtc)));
}

/*
 * The guest has set the clock: what the registers say is the time now.  Values
 * out of range are carried over, as timegm() does.
 */
static void load_time(struct rtc *rtc)
{
	u8 century = rtc->cmos[REG_CENTURY];
	struct tm tm = {
		.tm_sec = decode(rtc, rtc->cmos[REG_SECONDS]),
		.tm_min = decode(rtc, rtc->cmos[REG_MINUTES]),
		.tm_hour = decode_hour(rtc, rtc->cmos[REG_HOURS]),
		.tm_mday = decode(rtc, rtc->cmos[REG_DAY]),
		.tm_mon = decode(rtc, rtc->cmos[REG_MONTH]) - 1,
		.tm_year = ((century >> 4) * 10 + (century & 0xf)) * 100 +
			   decode(rtc, rtc->cmos[REG_YEAR]) - 1900,
	};
	time_t seconds = timegm(&tm);

	if (seconds < -SECONDS_MAX || seconds > SECONDS_MAX)
		return;		/* the clock keeps its time */
	rtc->offset = (s64)seconds * (s64)NSEC_PER_SEC -
		      (s64)rtc->env->wall(rtc->env);
	rtc->alarm_checked = seconds;
}

static void update_line(struct rtc *rtc)
{
	u8 *c = &rtc->cmos[REG_C];

	if (*c & rtc->cmos[REG_B] & B_IRQS)
		*c |= C_IRQ;
	rtc->env->irq(rtc->env, IRQ_RTC, *c & C_IRQ);
}

static u64 periodic_interval(const struct rtc *rtc)
{
	unsigned int rate = rtc->cmos[REG_A] & A_RATE;
	u64 interval;

	if (!rate || (rtc->cmos[REG_A] & A_DIVIDER) != DIVIDER_32KHZ)
		return 0;
	if (rate < 3)
		rate += 7;	/* 1 and 2 are 256 and 128 Hz */
	interval = (NSEC_PER_SEC << (rate - 1)) / 32768;
	return interval < MIN_INTERVAL ? MIN_INTERVAL : interval;
}

static void arm_periodic(struct rtc *rtc)
{
	u64 interval = periodic_interval(rtc);

	if (interval && rtc->cmos[REG_B] & B_PERIODIC_IRQ) {
		u64 now = rtc->env->now(rtc->env);

		if (now - rtc->periodic_last >= interval)
			rtc->periodic_last = now;
		rtc->env->timer_set(rtc->periodic_timer,
				    rtc->periodic_last + interval);
	} else {
		rtc->env->timer_set(rtc->periodic_timer, 0);
	}
}

static void arm_update(struct rtc *rtc)
{
	s64 ns;

	if (rtc->cmos[REG_B] & B_SET ||
	    !(rtc->cmos[REG_B] & (B_UPDATE_IRQ | B_ALARM_IRQ))) {
		rtc->env->timer_set(rtc->update_timer, 0);
		return;
	}
	ns = guest_ns(rtc);
	ns = (floor_seconds(ns) + 1) * (s64)NSEC_PER_SEC - ns;
	rtc->env->timer_set(rtc->update_timer,
			    rtc->env->now(rtc->env) + (u64)ns);
}

static bool alarm_field(u8 alarm, u8 value)
{
	return (alarm & ALARM_ANY) == ALARM_ANY || alarm == value;
}

static bool alarm_matches(struct rtc *rtc, s64 second)
{
	store_time(rtc, second);
	return alarm_field(rtc->cmos[REG_SECONDS_ALARM],
			   rtc->cmos[REG_SECONDS]) &&
	       alarm_field(rtc->cmos[REG_MINUTES_ALARM],
			   rtc->cmos[REG_MINUTES]) &&
	       alarm_field(rtc->cmos[REG_HOURS_ALARM], rtc->cmos[REG_HOURS]);
}

static void fire_update(void *opaque)
{
	struct rtc *rtc = opaque;
	s64 second = floor_seconds(guest_ns(rtc));
	s64 first = rtc->alarm_checked + 1;

	/* after a long pause look at one minute at most */
	if (second - first > 60 || second < first)
		first = second;
	if (second != rtc->alarm_checked)
		rtc->cmos[REG_C] |= B_UPDATE_IRQ;
	for (; first <= second && second != rtc->alarm_checked; first++)
		if (alarm_matches(rtc, first))
			rtc->cmos[REG_C] |= B_ALARM_IRQ;
	rtc->alarm_checked = second;
	update_line(rtc);
	arm_update(rtc);
}

static void fire_periodic(void *opaque)
{
	struct rtc *rtc = opaque;

	rtc->periodic_last = rtc->env->now(rtc->env);
	rtc->cmos[REG_C] |= B_PERIODIC_IRQ;
	update_line(rtc);
	arm_periodic(rtc);
}

static bool time_register(u8 index)
{
	return index == REG_SECONDS || index == REG_MINUTES ||
	       (index == REG_HOURS) ||
	       (index >= REG_WEEKDAY && index <= REG_YEAR) ||
	       index == REG_CENTURY;
}

static u8 read_register(struct rtc *rtc)
{
	u8 index = rtc->index;
	u8 value;

	if (time_register(index))
		refresh(rtc);
	value = rtc->cmos[index];
	if (index == REG_A) {
		s64 ns = guest_ns(rtc);
		s64 left = (floor_seconds(ns) + 1) * (s64)NSEC_PER_SEC - ns;

		if (!(rtc->cmos[REG_B] & B_SET) &&
		    left <= (s64)UPDATE_WARNING)
			value |= A_UPDATING;
	} else if (index == REG_C) {
		rtc->cmos[REG_C] = 0;
		update_line(rtc);
	} else if (index == REG_D) {
		value = D_VALID;
	}
	return value;
}

static void write_b(struct rtc *rtc, u8 value)
{
	u8 old = rtc->cmos[REG_B];

	refresh(rtc);
	if (value & B_SET)
		value &= (u8)~B_UPDATE_IRQ;	/* data sheet, SET */
	rtc->cmos[REG_B] = value;
	if (old & B_SET && !(value & B_SET))
		load_time(rtc);
	rtc->alarm_checked = floor_seconds(guest_ns(rtc));
	update_line(rtc);
	arm_update(rtc);
	arm_periodic(rtc);
}

static void write_register(struct rtc *rtc, u8 value)
{
	u8 index = rtc->index;

	switch (index) {
	case REG_A:
		rtc->cmos[REG_A] = value & (u8)~A_UPDATING;
		rtc->periodic_last = rtc->env->now(rtc->env);
		arm_periodic(rtc);
		break;
	case REG_B:
		write_b(rtc, value);
		break;
	case REG_C:
	case REG_D:
		break;		/* read only */
	default:
		if (time_register(index) && !(rtc->cmos[REG_B] & B_SET)) {
			/* set while the clock runs: takes effect at once */
			refresh(rtc);
			rtc->cmos[index] = value;
			load_time(rtc);
			break;
		}
		rtc->cmos[index] = value;
		break;
	}
}

static u64 rtc_read(void *device, u64 offset, unsigned int bytes)
{
	(void)bytes;
	/* the index cannot be read on a PC */
	return offset ? read_register(device) : 0xff;
}

static void rtc_write(void *device, u64 offset, unsigned int bytes, u64 value)
{
	struct rtc *rtc = device;

	(void)bytes;
	if (offset)
		write_register(rtc, (u8)value);
	else
		rtc->index = value & (CMOS_SIZE - 1);	/* bit 7 masks NMI */
}

static void store_sizes(struct rtc *rtc)
{
	u64 above_1m = rtc->env->ram_low > MIB ? rtc->env->ram_low - MIB : 0;
	u64 above_16m = rtc->env->ram_low > 16 * MIB ?
			rtc->env->ram_low - 16 * MIB : 0;
	u64 extended = above_1m / KIB;
	u64 blocks = above_16m / (64 * KIB);
	u64 high = rtc->env->ram_high / (64 * KIB);

	if (extended > 0xffff)
		extended = 0xffff;
	if (blocks > 0xffff)
		blocks = 0xffff;
	rtc->cmos[0x15] = 639 & 0xff;
	rtc->cmos[0x16] = 639 >> 8;
	rtc->cmos[0x17] = (u8)extended;
	rtc->cmos[0x18] = (u8)(extended >> 8);
	rtc->cmos[0x30] = (u8)extended;
	rtc->cmos[0x31] = (u8)(extended >> 8);
	rtc->cmos[0x34] = (u8)blocks;
	rtc->cmos[0x35] = (u8)(blocks >> 8);
	rtc->cmos[0x5b] = (u8)high;
	rtc->cmos[0x5c] = (u8)(high >> 8);
	rtc->cmos[0x5d] = (u8)(high >> 16);
}

static const struct bus_ops rtc_ops = { rtc_read, rtc_write };

static void rtc_destroy(struct device *device)
{
	struct rtc *rtc = device->state;

	rtc->env->timer_free(rtc->update_timer);
	rtc->env->timer_free(rtc->periodic_timer);
	free(rtc);
}

static int rtc_create(struct device *device, struct device_env *env)
{
	struct rtc *rtc = calloc(1, sizeof(*rtc));
	int error = -ENOMEM;

	if (!rtc)
		return -ENOMEM;
	device->state = rtc;
	rtc->env = env;
	rtc->cmos[REG_A] = DIVIDER_32KHZ | 6;
	rtc->cmos[REG_B] = B_24_HOURS;
	store_sizes(rtc);
	rtc->alarm_checked = floor_seconds(guest_ns(rtc));
	rtc->update_timer = env->timer_new(env, fire_update, rtc);
	rtc->periodic_timer = env->timer_new(env, fire_periodic, rtc);
	if (rtc->update_timer && rtc->periodic_timer)
		error = bus_add(env->ports, 0x70, 2, "RTC", 1, &rtc_ops, rtc);
	if (error)
		rtc_destroy(device);
	return error;
}

const struct device_type rtc_device = {
	.name = "rtc",
	.help = "MC146818 clock and CMOS memory, ports 0x70 and 0x71",
	.create = rtc_create,
	.destroy = rtc_destroy,
};
