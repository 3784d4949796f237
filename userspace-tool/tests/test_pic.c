// SPDX-License-Identifier: GPL-2.0-only
/* test_pic.c - the pair of 8259A. */
#include "devices/pic.h"
#include "fake_env.h"
#include "tap.h"

static void initialise(u8 icw4)
{
	out(0x20, 0x11);
	out(0xa0, 0x11);
	out(0x21, 0x30);
	out(0xa1, 0x38);
	out(0x21, 0x04);
	out(0xa1, 0x02);
	out(0x21, icw4);
	out(0xa1, icw4);
}

static void start(u8 icw4)
{
	fake_start(&pic_device);
	initialise(icw4);
}

static void set(unsigned int line, bool level)
{
	pic_set_irq(fake.env.pic, line, level);
}

/* What the CPU does. */
static u8 acknowledge(void)
{
	u8 vector = pic_acknowledge(fake.env.pic);

	fake.intr = pic_output(fake.env.pic);
	return vector;
}

static void test_sci(void)
{
	start(0x01);
	is(in(0x4d0), 0x00, "the master's lines are edge triggered at first");
	is(in(0x4d1), 0x02, "and of the slave's all but line 9, the SCI");
	set(9, true);
	is(acknowledge(), 0x39, "the SCI interrupts");
	out(0xa0, 0x20);
	out(0x20, 0x20);
	ok(fake.intr, "again after its end, while it is up");
	set(9, false);
	ok(!fake.intr, "and no more when it goes down");
	fake_stop();
}

static void test_edge(void)
{
	start(0x01);
	ok(!fake.intr, "no interrupt without a request");
	set(4, true);
	ok(fake.intr, "a rising edge requests an interrupt");
	is(acknowledge(), 0x34, "the vector is the base plus the input");
	ok(!fake.intr, "a service blocks its own input");
	out(0x20, 0x20);
	ok(!fake.intr, "in edge mode a high line asks once");
	set(4, false);
	set(4, true);
	ok(fake.intr, "a new edge asks again");
	set(4, false);
	ok(!fake.intr, "a request goes away with its line");
	is(acknowledge(), 0x37, "and its acknowledge is spurious: input 7");
	out(0x20, 0x0b);
	is(in(0x20), 0, "a spurious interrupt sets no in-service bit");
	fake_stop();
}

static void test_priority(void)
{
	start(0x01);
	set(5, true);
	set(3, true);
	is(acknowledge(), 0x33, "the lower input has priority");
	ok(!fake.intr, "a lower priority waits for the service");
	set(1, true);
	ok(fake.intr, "a higher priority does not");
	is(acknowledge(), 0x31, "and is served");
	out(0x20, 0x20);
	ok(!fake.intr, "the end of interrupt ends the highest service");
	out(0x20, 0x20);
	is(acknowledge(), 0x35, "then the waiting one comes");
	out(0x20, 0x65);
	out(0x20, 0x0b);
	is(in(0x20), 0, "a specific end of interrupt ends its service");
	fake_stop();
}

static void test_mask(void)
{
	start(0x01);
	out(0x21, 0x10);
	set(4, true);
	ok(!fake.intr, "a masked input does not interrupt");
	out(0x20, 0x0a);
	is(in(0x20), 0x10, "but shows in the request register");
	is(in(0x21), 0x10, "the mask can be read");
	out(0x21, 0x00);
	ok(fake.intr, "and interrupts when it is unmasked");
	fake_stop();
}

static void test_cascade(void)
{
	start(0x01);
	set(12, true);
	is(acknowledge(), 0x3c, "the slave gives its own vector");
	out(0x20, 0x0b);
	out(0xa0, 0x0b);
	is(in(0x20), 0x04, "the master serves the cascade");
	is(in(0xa0), 0x10, "and the slave its input");
	set(10, true);
	ok(!fake.intr, "the cascade in service blocks the slave");
	out(0xa0, 0x20);
	out(0x20, 0x20);
	is(acknowledge(), 0x3a, "after both ends the next one comes");
	out(0xa0, 0x20);
	out(0x20, 0x20);
	set(8, true);
	set(8, false);
	ok(!fake.intr, "a slave's request that goes away takes the master's along");
	set(14, true);
	fake.intr = false;
	out(0xa1, 0xff);
	is(acknowledge(), 0x37, "a slave masked in between is spurious on the master");
	fake_stop();

	start(0x01);
	set(2, true);
	ok(!fake.intr, "nobody but the slave drives the cascade");
	set(16, true);
	ok(!fake.intr, "there is no line 16");
	fake_stop();
}

static void test_special_nested(void)
{
	start(0x11);
	set(12, true);
	acknowledge();
	set(9, true);
	is(acknowledge(), 0x39,
	   "special fully nested: a higher input of the slave is served");
	fake_stop();
}

static void test_special_mask(void)
{
	start(0x01);
	set(3, true);
	acknowledge();
	set(6, true);
	ok(!fake.intr, "without special mask mode the service blocks");
	out(0x21, 0x08);
	ok(!fake.intr, "also when it is masked");
	out(0x20, 0x68);
	is(acknowledge(), 0x36, "in special mask mode a masked service does not");
	out(0x20, 0x20);
	out(0x20, 0x0b);
	is(in(0x20), 0x08,
	   "a non-specific end of interrupt leaves the masked service");
	out(0x20, 0x48);
	set(6, false);
	set(6, true);
	ok(!fake.intr, "and the mode can be left");
	fake_stop();
}

static void test_rotation(void)
{
	start(0x01);
	set(2 + 1, true);
	acknowledge();
	out(0x20, 0xa0);
	set(3, false);
	set(3, true);
	set(6, true);
	is(acknowledge(), 0x36, "a rotating end of interrupt makes its input the last");
	out(0x20, 0x20);
	out(0x20, 0xc5);
	set(6, false);
	set(6, true);
	is(acknowledge(), 0x36, "priorities can be set: 6 comes after 5");
	fake_stop();

	start(0x03);
	set(3, true);
	is(acknowledge(), 0x33, "automatic end of interrupt gives the vector");
	out(0x20, 0x0b);
	is(in(0x20), 0, "and leaves no service");
	set(6, true);
	is(acknowledge(), 0x36, "so that a lower one can follow at once");
	out(0x20, 0x80);
	set(3, false);
	set(3, true);
	acknowledge();
	set(3, false);
	set(3, true);
	set(5, true);
	is(acknowledge(), 0x35, "rotation in automatic mode");
	fake_stop();
}

static void test_poll(void)
{
	start(0x01);
	out(0x20, 0x0c);
	is(in(0x20), 0, "a poll without a request gives 0");
	set(5, true);
	out(0x20, 0x0c);
	is(in(0x20), 0x85, "a poll gives the input");
	out(0x20, 0x0b);
	is(in(0x20), 0x20, "and begins its service");
	ok(!fake.intr, "so the CPU is not interrupted");
	fake_stop();
}

static void test_level(void)
{
	start(0x01);
	out(0x4d0, 0xff);
	out(0x4d1, 0xff);
	is(in(0x4d0), 0xf8, "inputs 0, 1 and 2 cannot be level triggered");
	is(in(0x4d1), 0xde, "nor 8 and 13");
	set(5, true);
	is(acknowledge(), 0x35, "a level interrupts");
	out(0x20, 0x20);
	ok(fake.intr, "and again while it stays");
	acknowledge();
	set(5, false);
	out(0x20, 0x20);
	ok(!fake.intr, "but not when it has gone");
	fake_stop();
}

static void test_initialisation(void)
{
	start(0x01);
	out(0x21, 0xff);
	set(4, true);
	initialise(0x01);
	ok(!fake.intr, "initialisation forgets edges");
	is(in(0x21), 0, "and clears the mask");
	set(4, false);
	set(4, true);
	ok(fake.intr, "an edge after it counts");
	out(0x20, 0x11);
	ok(!fake.intr, "no interrupts in the middle of initialisation");
	fake_stop();
}

int main(void)
{
	test_sci();
	test_edge();
	test_priority();
	test_mask();
	test_cascade();
	test_special_nested();
	test_special_mask();
	test_rotation();
	test_poll();
	test_level();
	test_initialisation();
	return tap_done();
}
