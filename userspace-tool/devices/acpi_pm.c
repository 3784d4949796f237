// SPDX-License-Identifier: GPL-2.0-only
/*
 * acpi_pm.c - the fixed hardware of ACPI: PM1 event and control registers, the
 * power management timer and the power button.  acpi/tables.c tells guests
 * where they are.
 *
 * The machine is always in ACPI mode: there is no SMI command port, and SCI_EN
 * reads as 1.  The only sleeping state is S5, soft off, which ends the run with
 * status 0.
 *
 * Source: ACPI 6.5, 4.8.3 (fixed hardware), 4.8.3.3 (timer).
 */
#include <errno.h>
#include <stdlib.h>

#include "acpi_pm.h"
#include "device.h"

/* PM1 status and enable */
#define PM1_TIMER	BIT(0)
#define PM1_GLOBAL	BIT(5)
#define PM1_POWER_BUTTON BIT(8)
#define PM1_RTC		BIT(10)
#define PM1_WAKE	BIT(15)
#define STATUS_KNOWN	(PM1_TIMER | PM1_GLOBAL | PM1_POWER_BUTTON | PM1_WAKE)
/* the FADT says that the clock's event never comes; drivers enable it all the same */
#define ENABLE_KNOWN	(PM1_TIMER | PM1_GLOBAL | PM1_POWER_BUTTON | PM1_RTC)

/* PM1 control */
#define CONTROL_SCI_EN	BIT(0)
#define CONTROL_KEPT	(BIT(1) | CONTROL_SLP_TYP)
#define CONTROL_SLP_TYP	(7U << 10)
#define CONTROL_SLP_EN	BIT(13)
#define SLP_TYP(control) ((control) >> 10 & 7)

/* the timer's carry: bit 31 changes */
#define HALF_TURN	(1ULL << 31)

/**
 * struct acpi_pm - the registers
 * @env:	its surroundings
 * @carry:	fires when the timer's top bit changes, while that is enabled
 * @start:	when the timer was 0, monotonic ns
 * @seen:	half turns of the timer that the guest has acknowledged
 * @status:	PM1 status, without PM1_TIMER
 * @enable:	PM1 enable
 * @control:	PM1 control, what of it can be written
 */
struct acpi_pm {
	struct device_env *env;
	struct device_timer *carry;
	u64 start;
	u64 seen;
	u16 status;
	u16 enable;
	u16 control;
};

static u64 ticks(const struct acpi_pm *pm)
{
	u64 elapsed = pm->env->now(pm->env) - pm->start;

	return (u64)((unsigned __int128)elapsed * ACPI_PM_TIMER_HZ / NSEC_PER_SEC);
}

static u16 read_status(const struct acpi_pm *pm)
{
	return pm->status | (ticks(pm) / HALF_TURN != pm->seen ? PM1_TIMER : 0);
}

/* Bring the SCI's level and the next moment to look at it up to date. */
static void update(struct acpi_pm *pm)
{
	u16 pending = read_status(pm) & pm->enable;
	u64 at = 0;

	if (pm->enable & PM1_TIMER && !(pending & PM1_TIMER)) {
		unsigned __int128 next = (unsigned __int128)(pm->seen + 1) * HALF_TURN;

		at = pm->start + (u64)((next * NSEC_PER_SEC + ACPI_PM_TIMER_HZ - 1) /
				       ACPI_PM_TIMER_HZ);
	}
	pm->env->timer_set(pm->carry, at);
	pm->env->irq(pm->env, IRQ_SCI, pending);
}

static void carry_fired(void *opaque)
{
	update(opaque);
}

/* Pressed and released: what follows is up to the guest, if it looks at all. */
static bool press_power_button(void *device)
{
	struct acpi_pm *pm = device;

	pm->status |= PM1_POWER_BUTTON;
	update(pm);
	return pm->enable & PM1_POWER_BUTTON;
}

/* The part of @value, a register of two bytes, that an access asks for. */
static u64 part(u16 value, u64 offset)
{
	return value >> (offset & 1 ? 8 : 0);
}

/* A write of 1 or 2 bytes, as @value and @mask of the whole register. */
static void widen(u64 offset, unsigned int bytes, u64 *value, u16 *mask)
{
	unsigned int shift = offset & 1 ? 8 : 0;

	*mask = (u16)((bytes == 1 ? 0xff : 0xffff) << shift);
	*value = *value << shift & *mask;
}

static u64 event_read(void *device, u64 offset, unsigned int bytes)
{
	const struct acpi_pm *pm = device;

	(void)bytes;
	return part(offset < 2 ? read_status(pm) : pm->enable, offset);
}

static void event_write(void *device, u64 offset, unsigned int bytes, u64 value)
{
	struct acpi_pm *pm = device;
	u16 mask;

	widen(offset, bytes, &value, &mask);
	if (offset >= 2) {
		pm->enable = (u16)((pm->enable & ~mask) | (value & ENABLE_KNOWN));
	} else {
		/* writing 1 clears */
		pm->status &= (u16)~(value & STATUS_KNOWN);
		if (value & PM1_TIMER)
			pm->seen = ticks(pm) / HALF_TURN;
	}
	update(pm);
}

static u64 control_read(void *device, u64 offset, unsigned int bytes)
{
	const struct acpi_pm *pm = device;

	(void)bytes;
	return part(pm->control | CONTROL_SCI_EN, offset);
}

static void control_write(void *device, u64 offset, unsigned int bytes, u64 value)
{
	struct acpi_pm *pm = device;
	u16 mask;

	widen(offset, bytes, &value, &mask);
	pm->control = (u16)(((pm->control & ~mask) | value) & CONTROL_KEPT);
	if (value & CONTROL_SLP_EN && SLP_TYP(pm->control) == ACPI_SLEEP_TYPE_S5)
		pm->env->request(pm->env, REQUEST_EXIT, 0);
}

static u64 timer_read(void *device, u64 offset, unsigned int bytes)
{
	(void)bytes;
	return (u32)ticks(device) >> (8 * offset);
}

static void timer_write(void *device, u64 offset, unsigned int bytes, u64 value)
{
	/* it can only be read */
	(void)device;
	(void)offset;
	(void)bytes;
	(void)value;
}

static const struct bus_ops event_ops = { event_read, event_write };
static const struct bus_ops control_ops = { control_read, control_write };
static const struct bus_ops timer_ops = { timer_read, timer_write };

static void acpi_pm_destroy(struct device *device)
{
	struct acpi_pm *pm = device->state;

	pm->env->timer_free(pm->carry);
	free(pm);
}

static int acpi_pm_create(struct device *device, struct device_env *env)
{
	struct acpi_pm *pm = calloc(1, sizeof(*pm));
	int error;

	if (!pm)
		return -ENOMEM;
	device->state = pm;
	pm->env = env;
	pm->start = env->now(env);
	pm->carry = env->timer_new(env, carry_fired, pm);
	error = pm->carry ? 0 : -ENOMEM;
	if (!error)
		error = bus_add(env->ports, ACPI_PM1_EVENT_PORT, ACPI_PM1_EVENT_BYTES,
				"ACPI events", 2, &event_ops, pm);
	if (!error)
		error = bus_add(env->ports, ACPI_PM1_CONTROL_PORT, ACPI_PM1_CONTROL_BYTES,
				"ACPI control", 2, &control_ops, pm);
	if (!error)
		error = bus_add(env->ports, ACPI_PM_TIMER_PORT, ACPI_PM_TIMER_BYTES,
				"ACPI timer", 4, &timer_ops, pm);
	if (error) {
		acpi_pm_destroy(device);
		return error;
	}
	env->power_button = press_power_button;
	env->power_button_device = pm;
	return 0;
}

const struct device_type acpi_pm_device = {
	.name = "acpi",
	.help = "ACPI power management, timer and power button, ports 0x600 to 0x60b",
	.create = acpi_pm_create,
	.destroy = acpi_pm_destroy,
};
