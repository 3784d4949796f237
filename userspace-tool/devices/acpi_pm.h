/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * acpi_pm.h - the fixed hardware of ACPI, and where its tables find it.
 */
#ifndef MINI_VM_ACPI_PM_H
#define MINI_VM_ACPI_PM_H

/* Where QEMU has them: small kernels write to 0x604 without reading tables. */
#define ACPI_PM1_EVENT_PORT	0x600
#define ACPI_PM1_EVENT_BYTES	4
#define ACPI_PM1_CONTROL_PORT	0x604
#define ACPI_PM1_CONTROL_BYTES	2
#define ACPI_PM_TIMER_PORT	0x608
#define ACPI_PM_TIMER_BYTES	4
/* SLP_TYP of \_S5 in acpi/dsdt.asl */
#define ACPI_SLEEP_TYPE_S5	0

#define ACPI_PM_TIMER_HZ	3579545

#endif /* MINI_VM_ACPI_PM_H */
