// SPDX-License-Identifier: GPL-2.0-only
/*
 * guest_mem.c - the guest's physical memory.
 *
 *   0          - 0x9ffff     RAM
 *   0xa0000    - 0xbffff     nothing (a video adapter's window)
 *   0xc0000    - 0xfffff     ROM sockets without ROMs: read only, all ones
 *   0x100000   - 3 GiB       RAM
 *   3 GiB      - 4 GiB       nothing (APIC and, one day, PCI)
 *   4 GiB      -             the rest of the RAM
 *
 * The empty ROM sockets are memory, not holes, because operating systems scan
 * them byte by byte for tables and each byte would be an exit; they read the
 * same either way.
 *
 * One private anonymous mapping holds it all, so that GPA and host address
 * agree modulo 2 MiB and huge pages fit on both sides.  The loaders, the
 * page-table walker and the emulator come here with addresses that the guest
 * chose: nothing is reached but through the checks below.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "guest_mem.h"

static void add_region(struct guest_mem *mem, u64 gpa, u64 length, u64 offset,
		       bool readonly)
{
	mem->regions[mem->count++] = (struct guest_region) {
		.gpa = gpa,
		.length = length,
		.host = mem->host + offset,
		.readonly = readonly,
	};
}

static void fill_roms(struct guest_mem *mem)
{
	memset(mem->host + GPA_ROM, 0xff, GPA_HIGH - GPA_ROM);
}

/**
 * guest_mem_create() - reserve and map the guest's memory
 * @mem: to fill in
 * @size: bytes, a multiple of 4096, GUEST_MEM_MIN to GUEST_MEM_MAX
 *
 * Pages cost host memory only once they are touched.
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int guest_mem_create(struct guest_mem *mem, u64 size)
{
	u64 length;
	u8 *start;

	memset(mem, 0, sizeof(*mem));
	if (size < GUEST_MEM_MIN || size > GUEST_MEM_MAX || size % GUEST_PAGE)
		return -EINVAL;

	/* a 2 MiB boundary and an inaccessible page on each side */
	length = size + 2 * HUGE_PAGE;
	start = mmap(NULL, length, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (start == MAP_FAILED)
		return -ENOMEM;
	mem->reserved = start;
	mem->reserved_bytes = length;
	mem->host = (u8 *)(((uintptr_t)start + HUGE_PAGE) &
			   ~(uintptr_t)(HUGE_PAGE - 1));
	if (mprotect(mem->host, size, PROT_READ | PROT_WRITE)) {
		guest_mem_destroy(mem);
		return -ENOMEM;
	}
	/* an optimisation: a kernel without huge pages refuses, and works */
	(void)madvise(mem->host, size, MADV_HUGEPAGE);
	/* a core dump of the CLI should not hold the guest */
	(void)madvise(mem->host, size, MADV_DONTDUMP);

	mem->size = size;
	mem->low = size < GPA_HOLE ? size : GPA_HOLE;
	mem->high = size - mem->low;
	add_region(mem, 0, GPA_LOW_END, 0, false);
	add_region(mem, GPA_ROM, GPA_HIGH - GPA_ROM, GPA_ROM, true);
	add_region(mem, GPA_HIGH, mem->low - GPA_HIGH, GPA_HIGH, false);
	if (mem->high)
		add_region(mem, GPA_4G, mem->high, mem->low, false);
	fill_roms(mem);
	return 0;
}

/**
 * guest_mem_destroy() - unmap everything
 * @mem: made by guest_mem_create(), or all zero
 */
void guest_mem_destroy(struct guest_mem *mem)
{
	if (mem->reserved)
		munmap(mem->reserved, mem->reserved_bytes);
	memset(mem, 0, sizeof(*mem));
}

/**
 * guest_mem_clear() - make the memory as new, for a reset
 * @mem: the memory; no vCPU may run
 *
 * Return: 0 or -errno.
 */
int guest_mem_clear(struct guest_mem *mem)
{
	if (madvise(mem->host, mem->size, MADV_DONTNEED))
		return -errno;
	fill_roms(mem);
	return 0;
}

/* Most of the memory, and most of what is looked for, is in the last ones. */
static inline const struct guest_region *find(const struct guest_mem *mem, u64 gpa)
{
	const struct guest_region *region = mem->regions + mem->count;

	while (region-- > mem->regions)
		if (gpa - region->gpa < region->length)
			return region;
	return NULL;
}

/**
 * guest_mem_at() - find guest memory in this process, to read
 * @mem: the memory
 * @gpa: first address, as hostile as can be
 * @length: bytes
 *
 * Return: a pointer to @length bytes, or NULL when not all of them lie in one
 * stretch of memory.
 */
void *guest_mem_at(const struct guest_mem *mem, u64 gpa, u64 length)
{
	const struct guest_region *region = find(mem, gpa);

	if (!region || length > region->length ||
	    gpa - region->gpa > region->length - length)
		return NULL;
	return region->host + (gpa - region->gpa);
}

/**
 * guest_mem_at_writable() - find guest memory in this process, to write
 * @mem: the memory
 * @gpa: first address, as hostile as can be
 * @length: bytes
 *
 * Return: as guest_mem_at(), and NULL for ROM.
 */
void *guest_mem_at_writable(const struct guest_mem *mem, u64 gpa, u64 length)
{
	const struct guest_region *region = find(mem, gpa);

	if (!region || region->readonly)
		return NULL;
	return guest_mem_at(mem, gpa, length);
}

/**
 * guest_mem_read() - copy from the guest
 * @mem: the memory
 * @gpa: first address, as hostile as can be
 * @buffer: where to
 * @length: bytes
 *
 * Return: false, and nothing copied, unless all of it is memory.
 */
bool guest_mem_read(const struct guest_mem *mem, u64 gpa, void *buffer,
		    u64 length)
{
	const void *from = guest_mem_at(mem, gpa, length);

	if (!from)
		return false;
	memcpy(buffer, from, length);
	return true;
}

/**
 * guest_mem_write() - copy to the guest
 * @mem: the memory
 * @gpa: first address, as hostile as can be
 * @buffer: where from
 * @length: bytes
 *
 * Return: false, and nothing copied, unless all of it is RAM.
 */
bool guest_mem_write(const struct guest_mem *mem, u64 gpa, const void *buffer,
		     u64 length)
{
	void *to = guest_mem_at_writable(mem, gpa, length);

	if (!to)
		return false;
	memcpy(to, buffer, length);
	return true;
}
