// SPDX-License-Identifier: GPL-2.0-only
/*
 * pci_absent.c - what is left of a chip set without PCI: its configuration
 * ports read as all ones, and the reset control register is among them.
 *
 * The register, port 0xcf9, answers accesses of one byte only; wider ones are
 * meant for the configuration address.
 *
 * Source: Intel 82371AB (PIIX4) data sheet (290562), 4.2.5.3.
 */
#include <errno.h>
#include <stdlib.h>

#include "device.h"
#include "pci_absent.h"

#define PCI_CONFIG_PORT	0xcf8
#define PCI_CONFIG_BYTES 8

#define RESET_SYSTEM	BIT(1)	/* all of it, not just the CPU */
#define RESET_CPU	BIT(2)	/* its rising edge resets */

struct pci_absent {
	struct device_env *env;
	u8 control;
};

static bool is_reset_control(u64 offset, unsigned int bytes)
{
	return offset == RESET_CONTROL_PORT - PCI_CONFIG_PORT && bytes == 1;
}

static u64 config_read(void *device, u64 offset, unsigned int bytes)
{
	const struct pci_absent *absent = device;

	return is_reset_control(offset, bytes) ? absent->control : ~0ULL;
}

static void config_write(void *device, u64 offset, unsigned int bytes, u64 value)
{
	struct pci_absent *absent = device;
	u8 control = (u8)(value & (RESET_SYSTEM | RESET_CPU));
	bool rises = control & RESET_CPU && !(absent->control & RESET_CPU);

	if (!is_reset_control(offset, bytes))
		return;
	absent->control = control;
	if (rises)
		absent->env->request(absent->env, REQUEST_RESET, 0);
}

static const struct bus_ops config_ops = { config_read, config_write };

static int pci_absent_create(struct device *device, struct device_env *env)
{
	struct pci_absent *absent = calloc(1, sizeof(*absent));
	int error;

	if (!absent)
		return -ENOMEM;
	absent->env = env;
	error = bus_add(env->ports, PCI_CONFIG_PORT, PCI_CONFIG_BYTES, "no PCI, reset", 4,
			&config_ops, absent);
	if (error) {
		free(absent);
		return error;
	}
	device->state = absent;
	return 0;
}

static void pci_absent_destroy(struct device *device)
{
	free(device->state);
}

const struct device_type pci_absent_device = {
	.name = "no-pci",
	.help = "ports 0xcf8 to 0xcff: no PCI; 0xcf9 is the reset control register",
	.create = pci_absent_create,
	.destroy = pci_absent_destroy,
};
