// SPDX-License-Identifier: GPL-2.0-only
/* test_acpi_pm.c - ACPI's fixed hardware: timer, events, soft off. */
#include "devices/acpi_pm.h"
#include "fake_env.h"
#include "tap.h"

#define STATUS		0x600
#define ENABLE		0x602
#define CONTROL		0x604
#define TIMER		0x608
#define SCI		9
/* from one change of the timer's bit 31 to the next */
#define HALF_TURN_NS	((NSEC_PER_SEC << 31) / 3579545)

static u32 get(u16 port, unsigned int bytes)
{
	return (u32)bus_read(&fake.ports, port, bytes);
}

static void set(u16 port, unsigned int bytes, u32 value)
{
	bus_write(&fake.ports, port, bytes, value);
}

static void test_timer(void)
{
	u32 before;

	fake_start(&acpi_pm_device);
	is(get(TIMER, 4), 0, "the timer starts at 0");
	fake_pass(NSEC_PER_SEC);
	is(get(TIMER, 4), 3579545, "and counts 3,579,545 in a second");
	is(get(TIMER + 1, 1), 3579545 >> 8 & 0xff, "its bytes can be read");
	set(TIMER, 4, 7);
	is(get(TIMER, 4), 3579545, "and not written");
	before = get(TIMER, 4);
	fake_pass(100 * 24 * 3600 * NSEC_PER_SEC);
	is(get(TIMER, 4) - before, (u32)(100ULL * 24 * 3600 * 3579545),
	   "after a hundred days it is still right");
	fake_stop();
}

static void test_carry(void)
{
	fake_start(&acpi_pm_device);
	fake_pass(HALF_TURN_NS - NSEC_PER_MSEC);
	is(get(STATUS, 2) & 1, 0, "before bit 31 changes there is no carry");
	fake_pass(2 * NSEC_PER_MSEC);
	is(get(STATUS, 2) & 1, 1, "then there is one");
	ok(!fake.irq[SCI], "which interrupts nobody unless it is enabled");
	set(ENABLE, 2, 1);
	ok(fake.irq[SCI], "enabled, it does");
	set(STATUS, 2, 0);
	ok(fake.irq[SCI], "writing 0 clears nothing");
	set(STATUS, 2, 1);
	ok(!fake.irq[SCI], "writing 1 does");
	is(get(STATUS, 2), 0, "and the status is clear");
	fake_pass(HALF_TURN_NS - 2 * NSEC_PER_MSEC);
	ok(!fake.irq[SCI], "no interrupt until the bit changes again");
	fake_pass(2 * NSEC_PER_MSEC);
	ok(fake.irq[SCI], "and then one at once, the other way round too");
	set(ENABLE, 2, 0);
	ok(!fake.irq[SCI], "disabling drops the line");
	is(get(STATUS, 2) & 1, 1, "and keeps the status");
	fake_stop();
}

static void test_button(void)
{
	fake_start(&acpi_pm_device);
	ok(!fake.env.power_button(fake.env.power_button_device), "nobody heeds the power button");
	ok(!fake.irq[SCI], "so it does not interrupt");
	set(STATUS, 2, 0x0100);
	set(STATUS, 4, 0xffff0000);
	is(get(ENABLE, 2), 0x0521, "timer, global, power button and clock can be enabled");
	is(fake.rises[SCI], 0, "nothing has happened yet");
	ok(fake.env.power_button(fake.env.power_button_device), "now it is heeded");
	ok(fake.irq[SCI], "and interrupts");
	is(get(STATUS, 2), 0x0100, "and is in the status");
	is(get(STATUS + 1, 1), 0x01, "by bytes too");
	set(STATUS + 1, 1, 0x01);
	is(get(STATUS, 2), 0, "which clear it");
	ok(!fake.irq[SCI], "and end the interrupt");
	is(fake.exit_status, -1, "what follows is the guest's business");
	fake_stop();
}

static void test_sleep(void)
{
	fake_start(&acpi_pm_device);
	is(get(CONTROL, 2), 1, "SCI_EN is on without being asked");
	set(CONTROL, 2, 0);
	is(get(CONTROL, 2), 1, "and stays");
	set(CONTROL, 2, 5 << 10);
	is(get(CONTROL, 2), 5 << 10 | 1, "SLP_TYP reads back");
	set(CONTROL, 2, 5 << 10 | 1 << 13);
	is(fake.exit_status, -1, "there is no other sleeping state than S5");
	is(get(CONTROL, 2), 5 << 10 | 1, "SLP_EN reads as 0");
	set(CONTROL, 2, 0x2000);
	is(fake.exit_status, 0, "soft off ends the run with status 0");
	fake.exit_status = -1;
	set(CONTROL + 1, 1, 0x20);
	is(fake.exit_status, 0, "by bytes too");
	fake_stop();
}

int main(void)
{
	test_timer();
	test_carry();
	test_button();
	test_sleep();
	return tap_done();
}
