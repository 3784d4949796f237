/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guest_mem.h - the guest's physical memory, and bounds-checked access to it.
 */
#ifndef MINI_VM_GUEST_MEM_H
#define MINI_VM_GUEST_MEM_H

#include "types.h"

/* Layout: see guest_mem.c. */
#define GPA_LOW_END	0xa0000ULL
#define GPA_ROM		0xc0000ULL
#define GPA_HIGH	0x100000ULL
#define GPA_HOLE	(3 * GIB)
#define GPA_4G		(4 * GIB)

#define GUEST_MEM_MIN	(2 * MIB)
#define GUEST_MEM_MAX	(1024 * GIB)
#define GUEST_PAGE	4096ULL
#define HUGE_PAGE	(2 * MIB)

#define GUEST_MEM_REGIONS 4

/**
 * struct guest_region - a stretch of guest-physical memory
 * @gpa:	first address
 * @length:	bytes
 * @host:	where it is in this process
 * @readonly:	ROM: the guest's writes are dropped
 */
struct guest_region {
	u64 gpa;
	u64 length;
	u8 *host;
	bool readonly;
};

/**
 * struct guest_mem - all of it
 * @size:	bytes of RAM that the user asked for
 * @low:	end of the RAM below 4 GiB, a GPA
 * @high:	bytes of RAM from 4 GiB up
 * @host:	the mapping, 2 MiB aligned
 * @count:	regions in use
 * @regions:	sorted by GPA
 * @reserved:	start of the address space set aside for it
 * @reserved_bytes: its length
 */
struct guest_mem {
	u64 size;
	u64 low;
	u64 high;
	u8 *host;
	unsigned int count;
	struct guest_region regions[GUEST_MEM_REGIONS];
	void *reserved;
	u64 reserved_bytes;
};

int guest_mem_create(struct guest_mem *mem, u64 size);
void guest_mem_destroy(struct guest_mem *mem);
int guest_mem_clear(struct guest_mem *mem);
void *guest_mem_at(const struct guest_mem *mem, u64 gpa, u64 length);
void *guest_mem_at_writable(const struct guest_mem *mem, u64 gpa, u64 length);
bool guest_mem_read(const struct guest_mem *mem, u64 gpa, void *buffer,
		    u64 length);
bool guest_mem_write(const struct guest_mem *mem, u64 gpa, const void *buffer,
		     u64 length);

#endif /* MINI_VM_GUEST_MEM_H */
