// SPDX-License-Identifier: GPL-2.0-only
/*
 * table.c - the devices of the machine.  This list is all there is: nothing
 * registers itself.
 */
#include "device.h"

const struct device_type *const device_types[] = {
	/* first: the others raise their lines */
	&pic_device,
	&ioapic_device,
	&pit_device,
	&rtc_device,
	&serial_device,
	&i8042_device,
	&debug_exit_device,
	&post_device,
	&pci_absent_device,
	&acpi_pm_device,
	&fw_cfg_device,
	&debugcon_device,
};

const unsigned int device_type_count = ARRAY_SIZE(device_types);
