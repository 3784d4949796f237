/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the boot loader keeps things: low memory while it runs, and the
 * sectors of the boot disk. Included by the loader's assembly and C and by
 * the host program that writes the disk (lab/host/boot-disk.c).
 */
#ifndef LAB_BOOT_LAYOUT_H
#define LAB_BOOT_LAYOUT_H

/* The disk: loader, one description, kernel, initial RAM disk. */
#define SECTOR_SIZE	512
#define LOADER_SECTORS	32
#define DESCRIPTION_LBA	LOADER_SECTORS
#define DESCRIPTION_SECTORS 8
#define DATA_LBA	(DESCRIPTION_LBA + DESCRIPTION_SECTORS)
#define DESCRIPTION_MAGIC 0x62616c6d	/* "mlab" */
#define COMMAND_LINE_MAX 2048

/* Low memory: below the loader's own 0x7c00 ... 0xbc00. */
#define E820_COUNT	0x4ffc
#define E820_TABLE	0x5000
#define E820_MAX	64
#define PAGE_TABLES	0x70000
#define DESCRIPTION	0x80000
#define BOOT_PARAMS	0x90000
#define COMMAND_LINE	0x91000

#ifndef __ASSEMBLER__
#include <stdint.h>

/* What the loader has to load; sizes in bytes, addresses are physical. */
struct description {
	uint32_t magic;
	uint32_t kernel_lba;
	uint32_t kernel_size;
	uint32_t kernel_address;
	uint32_t kernel_entry;
	uint32_t kernel_end;	/* end of what the kernel uses: BSS and brk */
	uint32_t initrd_lba;
	uint32_t initrd_size;
	char command_line[COMMAND_LINE_MAX];
};
#endif

#endif
