/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pci_absent.h - the reset control register, for the ACPI tables.
 */
#ifndef MINI_VM_PCI_ABSENT_H
#define MINI_VM_PCI_ABSENT_H

#define RESET_CONTROL_PORT	0xcf9
#define RESET_CONTROL_HARD	0x06	/* reset everything, and do it now */

#endif /* MINI_VM_PCI_ABSENT_H */
