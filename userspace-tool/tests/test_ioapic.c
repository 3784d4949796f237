// SPDX-License-Identifier: GPL-2.0-only
/* test_ioapic.c - the I/O APIC: registers, edges, levels, ends of interrupts. */
#include "devices/ioapic.h"
#include "fake_env.h"
#include "tap.h"

#define LOW		BIT(13)
#define REMOTE_IRR	BIT(14)
#define LEVEL		BIT(15)
#define MASKED		BIT(16)

static u32 get(u8 reg)
{
	bus_write(&fake.mmio, IOAPIC_GPA, 4, reg);
	return (u32)bus_read(&fake.mmio, IOAPIC_GPA + 0x10, 4);
}

static void set(u8 reg, u32 value)
{
	bus_write(&fake.mmio, IOAPIC_GPA, 4, reg);
	bus_write(&fake.mmio, IOAPIC_GPA + 0x10, 4, value);
}

static u32 entry(unsigned int pin)
{
	return get((u8)(0x10 + 2 * pin));
}

static void set_entry(unsigned int pin, u32 low, u8 dest)
{
	set((u8)(0x11 + 2 * pin), (u32)dest << 24);
	set((u8)(0x10 + 2 * pin), low);
}

static void drive(unsigned int pin, bool level)
{
	ioapic_set_irq(fake.env.ioapic, pin, level);
}

static void eoi(u8 vector)
{
	ioapic_eoi(fake.env.ioapic, vector);
}

static void test_registers(void)
{
	unsigned int pin, good = 0;

	fake_start(&ioapic_device);
	is(get(0), IOAPIC_ID << 24, "the id is that of the MADT");
	is(get(1), 0x00170011, "version 0x11, 24 pins");
	for (pin = 0; pin < IOAPIC_PINS; pin++)
		good += entry(pin) == MASKED && get((u8)(0x11 + 2 * pin)) == 0;
	is(good, IOAPIC_PINS, "all pins are masked at first");
	set(0, 0xffffffff);
	is(get(0), 0x0f000000, "the id has four bits");
	is(get(2), 0x0f000000, "and the arbitration id follows");
	set(1, 0);
	is(get(1), 0x00170011, "the version cannot be written");
	set_entry(23, 0xffffffff & ~MASKED, 0xab);
	is(entry(23), 0x0000afff, "delivery status and remote IRR cannot be written");
	is(get(0x3f), 0xab000000, "of the high word only the destination can");
	is(get(0x40), 0, "behind the table there is nothing");
	set(0xff, 0xffffffff);
	is(get(0xff), 0, "also at the end of the index");
	bus_write(&fake.mmio, IOAPIC_GPA, 1, 0x3e);
	bus_write(&fake.mmio, IOAPIC_GPA + 0x10, 1, 0x55);
	is(get(0x3e), 0x0000afff, "the data register takes whole words only");
	is(bus_read(&fake.mmio, IOAPIC_GPA, 4), 0x3e, "the index reads back");
	fake_stop();
}

static void test_edge(void)
{
	fake_start(&ioapic_device);
	drive(4, true);
	drive(4, false);
	set_entry(4, 0x31, 5);
	is(fake.messages, 0, "an edge on a masked pin is lost");
	drive(4, true);
	is(fake.messages, 1, "an edge sends a message");
	is(fake.msi_address, 0xfee05000, "to the destination");
	is(fake.msi_data, 0x0031, "with the vector, edge triggered");
	drive(4, true);
	is(fake.messages, 1, "a level that stays is no edge");
	drive(4, false);
	is(fake.messages, 1, "nor is the falling one");
	is(entry(4), 0x31, "an edge leaves no remote IRR");
	set_entry(4, 0x31 | LOW, 5);
	is(fake.messages, 1, "a new polarity is no edge");
	drive(4, true);
	is(fake.messages, 1, "active low: rising is none");
	drive(4, false);
	is(fake.messages, 2, "falling is one");
	drive(IOAPIC_PINS, true);
	drive(~0U, true);
	is(fake.messages, 2, "other pins do not exist");
	fake_stop();
}

static void test_modes(void)
{
	fake_start(&ioapic_device);
	set_entry(1, 0x40 | 1 << 8 | 1 << 11, 0xff);
	drive(1, true);
	is(fake.msi_address, 0xfeeff004, "a logical destination");
	is(fake.msi_data, 0x0140, "lowest priority");
	set_entry(2, 4 << 8 | LEVEL, 0);
	drive(2, true);
	is(fake.msi_data, 0x0400, "an NMI is an edge");
	is(entry(2) & REMOTE_IRR, 0, "and waits for no end");
	set_entry(3, 2 << 8, 0);
	drive(3, true);
	set_entry(5, 5 << 8, 0);
	drive(5, true);
	set_entry(6, 7 << 8, 0);
	drive(6, true);
	is(fake.messages, 2, "SMI, INIT and ExtINT are not sent");
	fake_stop();
}

static void test_level(void)
{
	fake_start(&ioapic_device);
	drive(9, true);
	set_entry(9, 0x51 | LEVEL, 0);
	is(fake.messages, 1, "a level that waits is sent when it is unmasked");
	is(fake.msi_data, 0xc051, "level triggered, asserted");
	is(entry(9), 0x51 | LEVEL | REMOTE_IRR, "and the remote IRR is set");
	drive(9, false);
	drive(9, true);
	is(fake.messages, 1, "until the end nothing more is sent");
	eoi(0x50);
	is(fake.messages, 1, "the end of another vector changes nothing");
	eoi(0x51);
	is(fake.messages, 2, "after the end a level that stays is sent again");
	drive(9, false);
	eoi(0x51);
	is(fake.messages, 2, "one that went away is not");
	is(entry(9), 0x51 | LEVEL, "and the remote IRR is clear");

	drive(9, true);
	set_entry(9, 0x51 | LEVEL | MASKED, 0);
	is(entry(9) & REMOTE_IRR, REMOTE_IRR, "masking keeps the remote IRR");
	eoi(0x51);
	is(fake.messages, 3, "a masked pin is not sent again");
	set_entry(9, 0x51 | LEVEL, 0);
	is(fake.messages, 4, "but when it is unmasked");
	set_entry(9, 0x51 | MASKED, 0);
	is(entry(9) & REMOTE_IRR, 0, "a moment as edge ends it without an EOI");
	set_entry(9, 0x51 | LEVEL, 0);
	is(fake.messages, 5, "and back as level it is sent again");
	eoi(0x51);
	drive(9, false);
	eoi(0x51);

	fake.messages = 0;
	fake.msi_refused = true;
	drive(9, true);
	is(entry(9) & REMOTE_IRR, 0, "a message that nobody accepts waits for no end");
	fake.msi_refused = false;
	drive(9, true);
	is(fake.messages, 2, "and can be sent again");

	fake.messages = 0;
	set_entry(20, 0x60 | LEVEL | LOW, 0);
	is(fake.messages, 0, "a pin without a wire is not active, even active low");
	drive(20, true);
	is(fake.messages, 0, "active low: high is idle");
	drive(20, false);
	is(fake.messages, 1, "low is active");
	set_entry(21, 0x60 | LEVEL, 0);
	drive(21, true);
	is(fake.messages, 2, "two pins can share a vector");
	eoi(0x60);
	is(fake.messages, 4, "and are both ended by it");
	fake_stop();
}

int main(void)
{
	test_registers();
	test_edge();
	test_modes();
	test_level();
	return tap_done();
}
