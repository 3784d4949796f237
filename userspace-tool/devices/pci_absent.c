// SPDX-License-Identifier: GPL-2.0-only
/*
 * pci_absent.c - there is no PCI: its configuration ports read as all ones by
 * design, so that they do not look like an oversight in the statistics.
 */
#include "device.h"

static int pci_absent_create(struct device *device, struct device_env *env)
{
	device->state = NULL;
	return bus_add(env->ports, 0xcf8, 8, "no PCI", 4, NULL, NULL);
}

static void pci_absent_destroy(struct device *device)
{
	(void)device;
}

const struct device_type pci_absent_device = {
	.name = "no-pci",
	.help = "ports 0xcf8 to 0xcff stay empty: no PCI",
	.create = pci_absent_create,
	.destroy = pci_absent_destroy,
};
