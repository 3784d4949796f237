// SPDX-License-Identifier: GPL-2.0-only
/* test_pit.c - the 8254 and port 0x61. */
#include "devices/pit.h"
#include "fake_env.h"
#include "tap.h"

static void start(void)
{
	fake_start(&pit_device);
}

static void program(unsigned int counter, unsigned int mode, u16 count)
{
	out(0x43, (u8)(counter << 6 | 0x30 | mode << 1));
	out((u16)(0x40 + counter), (u8)count);
	out((u16)(0x40 + counter), (u8)(count >> 8));
}

static u16 latched(unsigned int counter)
{
	u16 value;

	out(0x43, (u8)(counter << 6));
	value = in((u16)(0x40 + counter));
	return (u16)(value | in((u16)(0x40 + counter)) << 8);
}

/* ns in which @ticks pass, and a little more */
static u64 ticks(u64 count)
{
	return count * NSEC_PER_SEC / PIT_HZ + 1;
}

static bool out2(void)
{
	return in(0x61) & 0x20;
}

static void test_rate(void)
{
	start();
	program(0, 2, 11932);
	is(fake.rises[0], 0, "mode 2 does not interrupt at once");
	fake_pass(NSEC_PER_SEC);
	ok(fake.rises[0] >= 99 && fake.rises[0] <= 100,
	   "mode 2 interrupts at its rate");
	fake.rises[0] = 0;
	program(0, 3, 11932);
	fake_pass(NSEC_PER_SEC);
	ok(fake.rises[0] >= 99 && fake.rises[0] <= 101,
	   "mode 3 interrupts at its rate");
	fake.rises[0] = 0;
	fake.now += NSEC_PER_SEC;
	fake_pass(1);
	is(fake.rises[0], 1, "ticks that were missed are merged into one");
	fake.rises[0] = 0;
	program(0, 2, 0);
	fake_pass(NSEC_PER_SEC);
	ok(fake.rises[0] >= 18 && fake.rises[0] <= 19,
	   "a count of 0 is 65536");
	fake.rises[0] = 0;
	program(0, 2, 2);
	fake_pass(NSEC_PER_SEC / 100);
	ok(fake.rises[0] > 0 && fake.rises[0] <= 101,
	   "a storm of interrupts is slowed down");
	fake_stop();
}

static void test_one_shot(void)
{
	start();
	program(0, 0, 1000);
	fake_pass(ticks(998));
	ok(!fake.irq[0], "mode 0: low while it counts");
	fake_pass(ticks(3));
	ok(fake.irq[0], "mode 0: high at the end");
	fake_pass(NSEC_PER_SEC);
	ok(fake.irq[0], "and stays high");
	is(fake.rises[0], 1, "one interrupt");
	program(0, 0, 1000);
	ok(!fake.irq[0], "a new count takes the output down");
	out(0x40, 0x10);
	fake_pass(NSEC_PER_SEC);
	ok(!fake.irq[0], "the first byte of a new count stops mode 0");
	out(0x40, 0x00);
	fake_pass(ticks(0x12));
	ok(fake.irq[0], "the second starts it");
	program(0, 4, 100);
	fake.rises[0] = 0;
	fake_pass(NSEC_PER_SEC);
	is(fake.rises[0], 1, "mode 4: one interrupt");
	fake_stop();
}

static void test_reading(void)
{
	u16 value, low;

	start();
	program(0, 2, 10000);
	fake_pass(ticks(100));
	value = latched(0);
	ok(value >= 9898 && value <= 9900, "a latch gives the count");
	out(0x43, 0x00);
	fake_pass(ticks(500));
	low = in(0x40);
	value = (u16)(low | in(0x40) << 8);
	ok(value >= 9898 && value <= 9900, "which waits to be read");
	out(0x43, 0xc2);
	is(in(0x40) & 0x3f, 0x34, "read-back: status tells mode and access first");
	value = in(0x40);
	value = (u16)(value | in(0x40) << 8);
	ok(value <= 9400 && value > 9390, "and then the count");
	out(0x43, 0xe2);
	ok(in(0x40) & 0x80, "mode 2: the output is high");
	out(0x43, 0x36);
	out(0x43, 0xe2);
	ok(in(0x40) & 0x40, "no count written yet: null count");
	is(in(0x43), 0xff, "the control word cannot be read");

	out(0x43, 0x14);	/* low byte only */
	out(0x40, 50);
	fake_pass(ticks(10));
	value = in(0x40);
	ok(value >= 38 && value <= 40, "one-byte access counts one byte");

	out(0x43, 0x35);	/* BCD, mode 2 */
	out(0x40, 0x00);
	out(0x40, 0x10);
	fake_pass(ticks(1));
	is(latched(0), 0x0999, "BCD counts in decimal");
	fake_stop();
}

static void test_reload(void)
{
	start();
	program(0, 2, 10000);
	fake_pass(ticks(100));
	out(0x40, (u8)5000);
	out(0x40, 5000 >> 8);
	ok(latched(0) > 9000, "mode 2: a new count waits for the period's end");
	fake_pass(ticks(9905));
	ok(latched(0) <= 5000, "and then takes over");
	fake_stop();
}

static void test_gate(void)
{
	u16 value;

	start();
	program(2, 0, 1000);
	fake_pass(NSEC_PER_SEC);
	ok(!out2(), "counter 2: the gate is low after power-up");
	out(0x61, 0x01);
	out(0x61, 0x00);
	program(2, 0, 1000);
	fake_pass(NSEC_PER_SEC);
	ok(!out2(), "and a low gate stops it");
	out(0x61, 0x01);
	fake_pass(ticks(900));
	ok(!out2(), "counter 2 counts when the gate is high");
	fake_pass(ticks(102));
	ok(out2(), "and its output shows in port 0x61");
	is(fake.rises[0], 0, "counter 2 interrupts nobody");

	out(0x61, 0x00);
	program(2, 1, 100);
	fake_pass(NSEC_PER_SEC);
	value = latched(2);
	is(value, 100, "mode 1 waits for the gate's edge");
	out(0x61, 0x01);
	fake_pass(ticks(50));
	value = latched(2);
	ok(value >= 48 && value <= 50, "and then counts");
	is(in(0x61) & 0x0f, 0x01, "port 0x61 reads back what was written");
	value = in(0x61) & 0x10;
	fake_pass(15000);
	ok((in(0x61) & 0x10) != value, "the refresh bit toggles");
	fake_stop();
}

int main(void)
{
	test_rate();
	test_one_shot();
	test_reading();
	test_reload();
	test_gate();
	return tap_done();
}
