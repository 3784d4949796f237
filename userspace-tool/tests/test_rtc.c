// SPDX-License-Identifier: GPL-2.0-only
/* test_rtc.c - the MC146818 and CMOS memory. */
#include "fake_env.h"
#include "tap.h"

static u8 rd(u8 index)
{
	out(0x70, index);
	return in(0x71);
}

static void wr(u8 index, u8 value)
{
	out(0x70, index);
	out(0x71, value);
}

/* 2024-02-29 23:59:58 UTC */
#define MOMENT	1709251198ULL

static void start(void)
{
	fake_start(&rtc_device);
	fake.wall_offset = MOMENT * NSEC_PER_SEC - fake.now;
}

static void test_time(void)
{
	start();
	is(rd(0x00), 0x58, "seconds in BCD");
	is(rd(0x02), 0x59, "minutes");
	is(rd(0x04), 0x23, "hours");
	is(rd(0x06), 5, "day of the week: Thursday is 5");
	is(rd(0x07), 0x29, "day");
	is(rd(0x08), 0x02, "month");
	is(rd(0x09), 0x24, "year");
	is(rd(0x32), 0x20, "century");
	fake_pass(2 * NSEC_PER_SEC);
	is(rd(0x07), 0x01, "the day after a leap day");
	is(rd(0x08), 0x03, "is in March");
	wr(0x0b, 0x06);
	is(rd(0x09), 24, "binary mode");
	wr(0x0b, 0x00);
	fake.wall_offset -= 2 * NSEC_PER_SEC;
	is(rd(0x04), 0x91, "12-hour mode: 11 p.m. has bit 7");
	is(rd(0x8d), 0x80, "register D says valid; bit 7 of the index is the NMI's");
	fake_stop();
}

static void test_setting(void)
{
	start();
	wr(0x0b, 0x82);
	wr(0x00, 0x30);
	wr(0x02, 0x15);
	wr(0x04, 0x08);
	wr(0x07, 0x31);
	wr(0x08, 0x12);
	wr(0x09, 0x99);
	wr(0x32, 0x19);
	fake_pass(10 * NSEC_PER_SEC);
	is(rd(0x00), 0x30, "with SET the clock stands still");
	wr(0x0b, 0x02);
	is(rd(0x09), 0x99, "the guest's time stays set");
	fake_pass(31 * NSEC_PER_SEC);
	is(rd(0x00), 0x01, "and goes on");
	is(rd(0x02), 0x16, "minutes carried");
	wr(0x00, 0x45);
	is(rd(0x00), 0x45, "a register can be set while the clock runs");
	wr(0x0b, 0x86);
	wr(0x09, 0xff);
	wr(0x32, 0xff);
	wr(0x0b, 0x02);
	is(rd(0x09), 0x99, "a year beyond reason is not taken");
	is(rd(0x32), 0x19, "nor its century");
	fake_stop();
}

static void test_update(void)
{
	start();
	is(rd(0x0a) & 0x80, 0, "no update in the middle of a second");
	fake_pass(NSEC_PER_SEC - 100 * NSEC_PER_USEC);
	is(rd(0x0a) & 0x80, 0x80, "an update is announced before the second's end");
	wr(0x0b, 0x12);
	fake_pass(100 * NSEC_PER_USEC);
	ok(fake.irq[8], "the update interrupt comes with the second");
	is(rd(0x0c), 0x90, "register C says which");
	ok(!fake.irq[8], "and reading it takes the line down");
	fake_pass(3 * NSEC_PER_SEC - 1);
	is(fake.rises[8], 2, "no second edge while it is not read");
	fake_stop();
}

static void test_alarm(void)
{
	start();
	wr(0x01, 0x05);
	wr(0x03, 0xff);
	wr(0x05, 0xc0);
	wr(0x0b, 0x22);
	fake_pass(6 * NSEC_PER_SEC);
	ok(!fake.irq[8], "the alarm waits");
	fake_pass(1 * NSEC_PER_SEC + 1);
	ok(fake.irq[8], "and comes; 0xc0 and above match anything");
	is(rd(0x0c) & 0xa0, 0xa0, "register C says which");
	fake_stop();
}

static void test_periodic(void)
{
	unsigned int i, got = 0;

	start();
	wr(0x0a, 0x2a);		/* 64 Hz */
	wr(0x0b, 0x42);
	for (i = 0; i < 1000; i++) {
		fake_pass(NSEC_PER_MSEC);
		if (fake.irq[8]) {
			got++;
			rd(0x0c);
		}
	}
	ok(got >= 63 && got <= 64, "the periodic interrupt has its rate");
	wr(0x0b, 0x02);
	fake.rises[8] = 0;
	fake_pass(NSEC_PER_SEC);
	is(fake.rises[8], 0, "and can be switched off");
	fake_stop();
}

static void test_memory(void)
{
	start();
	is(rd(0x15) | rd(0x16) << 8, 639, "639 KiB of base memory");
	is(rd(0x34) | rd(0x35) << 8, 240 * 16, "memory above 16 MiB in 64 KiB");
	is(rd(0x17) | rd(0x18) << 8, 0xffff, "extended memory is cut to 65535 KiB");
	wr(0x50, 0xa5);
	is(rd(0x50), 0xa5, "the rest is memory");
	is(in(0x70), 0xff, "the index cannot be read");
	fake_stop();
}

int main(void)
{
	test_time();
	test_setting();
	test_update();
	test_alarm();
	test_periodic();
	test_memory();
	return tap_done();
}
