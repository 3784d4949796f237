/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * memory_map.h - the guest's memory map, as its firmware would describe it.
 */
#ifndef MINI_VM_LOADER_MEMORY_MAP_H
#define MINI_VM_LOADER_MEMORY_MAP_H

#include "../guest_mem.h"
#include "../types.h"

/* End of the usable memory below 1 MiB; the last KiB is the BIOS data's */
#define MEMORY_LOW_USABLE	0x9fc00ULL
#define MEMORY_RANGES_MAX	8

/* Types of e820 and of Multiboot alike */
enum memory_type { MEMORY_RAM = 1, MEMORY_RESERVED = 2 };

/**
 * struct memory_range - a stretch of guest-physical addresses
 * @start:	first address
 * @end:	first address behind it
 * @type:	what it is
 */
struct memory_range {
	u64 start;
	u64 end;
	enum memory_type type;
};

/**
 * struct memory_map - all that is not empty
 * @count:	ranges in use
 * @ranges:	sorted by address
 */
struct memory_map {
	unsigned int count;
	struct memory_range ranges[MEMORY_RANGES_MAX];
};

void memory_map(const struct guest_mem *mem, struct memory_map *map);

#endif /* MINI_VM_LOADER_MEMORY_MAP_H */
