// SPDX-License-Identifier: GPL-2.0-only
/*
 * ioapic.c - the I/O interrupt controller: 24 pins, each of which sends a
 * message to local APICs (device_env.msi).
 *
 * machine.c drives pins 0 to 15 with the ISA lines (line 0 is on pin 2, as the
 * MADT says); the others are not connected.  vcpu.c brings the ends of
 * interrupts.
 *
 * A level-triggered pin sends once and then waits, its "remote IRR" set, for
 * the end of interrupt; while the pin is still active then, it sends again.
 * Messages that no local APIC can take are lost: the modes SMI, INIT and
 * ExtINT (the PIC is wired to LINT0, not to a pin), and all when none accepts.
 *
 * Source: Intel 82093AA I/O APIC data sheet (290566-001), chapter 3.
 */
#include <errno.h>
#include <stdlib.h>

#include "device.h"
#include "ioapic.h"

#define WINDOW_BYTES	0x100
#define REGISTER_SELECT	0x00
#define REGISTER_DATA	0x10

#define REG_ID		0x00
#define REG_VERSION	0x01
#define REG_ARBITRATION	0x02
#define REG_REDIRECTION	0x10	/* two of 32 bits for each pin */

#define VERSION		(0x11U | (IOAPIC_PINS - 1) << 16)
#define ID_SHIFT	24
#define ID_MASK		(0xfU << ID_SHIFT)

/* an entry of the redirection table */
#define ENTRY_VECTOR	0xffULL
#define ENTRY_MODE(e)	((e) >> 8 & 7)
#define ENTRY_LOGICAL	BIT_ULL(11)
#define ENTRY_LOW	BIT_ULL(13)	/* active low */
#define ENTRY_REMOTE_IRR BIT_ULL(14)
#define ENTRY_LEVEL	BIT_ULL(15)
#define ENTRY_MASKED	BIT_ULL(16)
#define ENTRY_DEST(e)	((e) >> 56)
#define ENTRY_WRITABLE	0xff0000000001afffULL	/* all but delivery status, remote IRR */

#define MODE_FIXED	0
#define MODE_LOWEST	1
#define MODE_NMI	4

/* a message (SDM 3A 11.11) */
#define MSI_ADDRESS	0xfee00000U
#define MSI_DEST_SHIFT	12
#define MSI_LOGICAL	BIT(2)
#define MSI_MODE_SHIFT	8
#define MSI_LEVEL	(BIT(15) | BIT(14))	/* level triggered, asserted */

/**
 * struct ioapic - the controller
 * @env:	its surroundings
 * @id:		register 0
 * @arbitration: register 2
 * @selected:	register that the data window shows
 * @lines:	electrical level of the pins
 * @driven:	pins that somebody has driven; the others are never active
 * @entries:	redirection table
 */
struct ioapic {
	struct device_env *env;
	u32 id;
	u32 arbitration;
	u8 selected;
	u32 lines;
	u32 driven;
	u64 entries[IOAPIC_PINS];
};

static bool active(const struct ioapic *ioapic, unsigned int pin)
{
	bool level = ioapic->lines & BIT(pin);

	return ioapic->driven & BIT(pin) && level != !!(ioapic->entries[pin] & ENTRY_LOW);
}

/* Send a pin's message: was it accepted? */
static bool send(struct ioapic *ioapic, u64 entry)
{
	u32 mode = ENTRY_MODE(entry);
	u64 address = MSI_ADDRESS | ENTRY_DEST(entry) << MSI_DEST_SHIFT;
	u32 data = (u32)(entry & ENTRY_VECTOR) | mode << MSI_MODE_SHIFT;

	if (mode != MODE_FIXED && mode != MODE_LOWEST && mode != MODE_NMI)
		return false;
	if (entry & ENTRY_LOGICAL)
		address |= MSI_LOGICAL;
	/* NMIs have edges only */
	if (entry & ENTRY_LEVEL && mode != MODE_NMI)
		data |= MSI_LEVEL;
	return ioapic->env->msi(ioapic->env, address, data);
}

/* A level-triggered pin: send if it is active and not waiting for an EOI. */
static void serve_level(struct ioapic *ioapic, unsigned int pin)
{
	u64 *entry = &ioapic->entries[pin];

	if (!(*entry & ENTRY_LEVEL) || *entry & (ENTRY_MASKED | ENTRY_REMOTE_IRR) ||
	    !active(ioapic, pin))
		return;
	if (send(ioapic, *entry) && ENTRY_MODE(*entry) != MODE_NMI)
		*entry |= ENTRY_REMOTE_IRR;
}

/**
 * ioapic_set_irq() - drive a pin
 * @ioapic: the controller
 * @pin: 0 to 23; others are ignored
 * @level: electrical level; the redirection table says which one is active
 *
 * An edge on a masked pin is lost (data sheet 3.2.4, interrupt mask).
 */
void ioapic_set_irq(struct ioapic *ioapic, unsigned int pin, bool level)
{
	bool was;

	if (pin >= IOAPIC_PINS)
		return;
	was = active(ioapic, pin);
	ioapic->driven |= BIT(pin);
	if (level)
		ioapic->lines |= BIT(pin);
	else
		ioapic->lines &= ~BIT(pin);
	if (ioapic->entries[pin] & ENTRY_LEVEL)
		serve_level(ioapic, pin);
	else if (!was && active(ioapic, pin) && !(ioapic->entries[pin] & ENTRY_MASKED))
		send(ioapic, ioapic->entries[pin]);
}

/**
 * ioapic_eoi() - a local APIC has ended a level-triggered interrupt
 * @ioapic: the controller
 * @vector: of the interrupt; ends it at all pins that have this vector
 */
void ioapic_eoi(struct ioapic *ioapic, u8 vector)
{
	unsigned int pin;

	for (pin = 0; pin < IOAPIC_PINS; pin++) {
		u64 *entry = &ioapic->entries[pin];

		if ((*entry & ENTRY_VECTOR) != vector || !(*entry & ENTRY_REMOTE_IRR))
			continue;
		*entry &= ~ENTRY_REMOTE_IRR;
		serve_level(ioapic, pin);
	}
}

static u32 read_register(const struct ioapic *ioapic)
{
	unsigned int reg = ioapic->selected;
	unsigned int pin = (reg - REG_REDIRECTION) / 2;

	switch (reg) {
	case REG_ID:
		return ioapic->id;
	case REG_VERSION:
		return VERSION;
	case REG_ARBITRATION:
		return ioapic->arbitration;
	}
	if (reg < REG_REDIRECTION || pin >= IOAPIC_PINS)
		return 0;
	return (u32)(ioapic->entries[pin] >> (reg & 1 ? 32 : 0));
}

static void write_entry(struct ioapic *ioapic, unsigned int pin, bool high, u32 value)
{
	u64 *entry = &ioapic->entries[pin];
	u64 mask = ENTRY_WRITABLE & (high ? 0xffffffffULL << 32 : 0xffffffffULL);

	*entry = (*entry & ~mask) | ((u64)value << (high ? 32 : 0) & mask);
	/*
	 * Operating systems rely on it: they end an interrupt without an EOI by
	 * making the pin edge triggered for a moment.
	 */
	if (!(*entry & ENTRY_LEVEL))
		*entry &= ~ENTRY_REMOTE_IRR;
	serve_level(ioapic, pin);
}

static void write_register(struct ioapic *ioapic, u32 value)
{
	unsigned int reg = ioapic->selected;
	unsigned int pin = (reg - REG_REDIRECTION) / 2;

	if (reg == REG_ID) {
		ioapic->id = value & ID_MASK;
		ioapic->arbitration = ioapic->id;
	} else if (reg >= REG_REDIRECTION && pin < IOAPIC_PINS) {
		write_entry(ioapic, pin, reg & 1, value);
	}
}

static u64 window_read(void *device, u64 offset, unsigned int bytes)
{
	const struct ioapic *ioapic = device;

	(void)bytes;
	if (offset == REGISTER_SELECT)
		return ioapic->selected;
	return offset == REGISTER_DATA ? read_register(ioapic) : 0;
}

/* The data register takes whole words only (data sheet 3.1). */
static void window_write(void *device, u64 offset, unsigned int bytes, u64 value)
{
	struct ioapic *ioapic = device;

	if (offset == REGISTER_SELECT)
		ioapic->selected = (u8)value;
	else if (offset == REGISTER_DATA && bytes == 4)
		write_register(ioapic, (u32)value);
}

static const struct bus_ops window_ops = { window_read, window_write };

static int ioapic_create(struct device *device, struct device_env *env)
{
	struct ioapic *ioapic = calloc(1, sizeof(*ioapic));
	unsigned int pin;
	int error;

	if (!ioapic)
		return -ENOMEM;
	ioapic->env = env;
	ioapic->id = IOAPIC_ID << ID_SHIFT;
	ioapic->arbitration = ioapic->id;
	for (pin = 0; pin < IOAPIC_PINS; pin++)
		ioapic->entries[pin] = ENTRY_MASKED;
	error = bus_add(env->mmio, IOAPIC_GPA, WINDOW_BYTES, "I/O APIC", 4, &window_ops, ioapic);
	if (error) {
		free(ioapic);
		return error;
	}
	device->state = ioapic;
	env->ioapic = ioapic;
	return 0;
}

static void ioapic_destroy(struct device *device)
{
	free(device->state);
}

const struct device_type ioapic_device = {
	.name = "ioapic",
	.help = "82093AA I/O APIC at 0xfec00000, 24 pins",
	.create = ioapic_create,
	.destroy = ioapic_destroy,
};
