// SPDX-License-Identifier: GPL-2.0-only
/*
 * memory_map.c - the memory map that a PC's firmware would give, for the
 * loaders that pass one on.
 */
#include "memory_map.h"

static void add(struct memory_map *map, u64 start, u64 end, enum memory_type type)
{
	map->ranges[map->count++] = (struct memory_range) { start, end, type };
}

/**
 * memory_map() - what is where in the guest's physical memory
 * @mem: guest memory
 * @map: out: sorted, without overlaps; types as in e820 (ACPI 6.5, 15.4)
 */
void memory_map(const struct guest_mem *mem, struct memory_map *map)
{
	map->count = 0;
	add(map, 0, MEMORY_LOW_USABLE, MEMORY_RAM);
	add(map, MEMORY_LOW_USABLE, GPA_LOW_END, MEMORY_RESERVED);
	add(map, GPA_ROM, GPA_HIGH, MEMORY_RESERVED);
	add(map, GPA_HIGH, mem->low, MEMORY_RAM);
	if (mem->high)
		add(map, GPA_4G, GPA_4G + mem->high, MEMORY_RAM);
}
