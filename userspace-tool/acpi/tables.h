/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tables.h - the ACPI tables in the guest's memory.
 */
#ifndef MINI_VM_ACPI_TABLES_H
#define MINI_VM_ACPI_TABLES_H

#include "../guest_mem.h"
#include "../vm.h"

/* In the ROM sockets; guests search 0xe0000 to 0xfffff for the RSDP. */
#define ACPI_TABLES_GPA		0xe0000ULL
#define ACPI_TABLES_BYTES	0x2000ULL
#define ACPI_RSDP_GPA		0xf0100ULL
/*
 * The FACS has a lock that guests write to.  It is at the end of low memory,
 * which loaders report as reserved, as a PC's extended BIOS data area.
 */
#define ACPI_FACS_GPA		0x9ff00ULL

bool acpi_tables_install(const struct guest_mem *mem, unsigned int cpus);

#endif /* MINI_VM_ACPI_TABLES_H */
