// SPDX-License-Identifier: GPL-2.0-only
/* test_walk.c - guest memory's bounds and the page-table walker. */
#include <errno.h>
#include <string.h>

#include "guest_mem.h"
#include "tap.h"
#include "walk.h"

static struct guest_mem mem;
static struct mvm_sregs sregs;
static u64 rflags;
static u64 gpa;
static u32 code;

#define USER_SS		(3 << 5)

static enum walk_result go(u64 linear, unsigned int access)
{
	struct walk walk;

	walk_init(&walk, &mem, &sregs, rflags, 40);
	gpa = ~0ULL;
	code = ~0U;
	return walk_linear(&walk, linear, access, &gpa, &code);
}

static void put64(u64 at, u64 value)
{
	guest_mem_write(&mem, at, &value, 8);
}

static void put32(u64 at, u32 value)
{
	guest_mem_write(&mem, at, &value, 4);
}

static u64 get64(u64 at)
{
	u64 value = 0;

	guest_mem_read(&mem, at, &value, 8);
	return value;
}

static void reset(u64 cr4, u64 efer)
{
	guest_mem_clear(&mem);
	memset(&sregs, 0, sizeof(sregs));
	rflags = RFLAGS_FIXED;
	sregs.cr0 = CR0_PE | CR0_PG;
	sregs.cr3 = 0x1000;
	sregs.cr4 = cr4;
	sregs.efer = efer;
}

static void test_memory(void)
{
	u8 byte = 0;
	u64 value;

	ok(!guest_mem_at(&mem, GPA_LOW_END, 1), "the video window is no memory");
	ok(guest_mem_at(&mem, GPA_LOW_END - 8, 8), "the last bytes before it are");
	ok(!guest_mem_at(&mem, GPA_LOW_END - 8, 9), "an access across the end is refused");
	ok(!guest_mem_at(&mem, mem.low, 1), "nothing behind the RAM");
	ok(!guest_mem_at(&mem, ~0ULL, 2), "an access that wraps around is refused");
	ok(!guest_mem_at(&mem, 0x1000, ~0ULL), "a huge length is refused");
	ok(!guest_mem_at(&mem, 0x1000, mem.size), "a length that would cross the holes is refused");
	ok(guest_mem_read(&mem, GPA_ROM, &byte, 1) && byte == 0xff, "ROM space reads as all ones");
	ok(!guest_mem_write(&mem, GPA_ROM, &byte, 1), "and cannot be written");
	ok(guest_mem_read(&mem, GPA_HIGH - 1, &byte, 1) && byte == 0xff, "up to 1 MiB");
	put64(0x2000, 0x55);
	guest_mem_clear(&mem);
	ok(guest_mem_read(&mem, 0x2000, &value, 8) && !value, "a reset clears the memory");
	ok(!((uintptr_t)mem.host & (HUGE_PAGE - 1)), "it is 2 MiB aligned");
}

static void test_sizes(void)
{
	struct guest_mem other;

	is(guest_mem_create(&other, MIB), -EINVAL, "too little memory is refused");
	is(guest_mem_create(&other, GUEST_MEM_MAX + GUEST_PAGE), -EINVAL, "too much memory is refused");
	is(guest_mem_create(&other, 4 * MIB + 1), -EINVAL, "a broken page is refused");
	is(guest_mem_create(&other, 5 * GIB), 0, "5 GiB can be had");
	is(other.low, 3 * GIB, "3 GiB of it below the hole");
	ok(!guest_mem_at(&other, 3 * GIB, 1), "the hole is empty");
	ok(!guest_mem_at(&other, 4 * GIB - 1, 1), "to its end");
	ok(guest_mem_at(&other, 4 * GIB, 2 * GIB), "the rest is above 4 GiB");
	ok(!guest_mem_at(&other, 6 * GIB, 1), "and ends there");
	ok(guest_mem_at(&other, 4 * GIB, 1) == other.host + 3 * GIB, "host memory has no hole");
	guest_mem_destroy(&other);
}

static void test_off(void)
{
	reset(0, 0);
	sregs.cr0 = 0;
	ok(go(0x12345678, WALK_WRITE) == WALK_OK && gpa == 0x12345678, "without paging linear is physical");
	ok(go(0x112345678, 0) == WALK_OK && gpa == 0x12345678, "in 32 bits");
}

static void test_32bit(void)
{
	reset(0, 0);
	put32(0x1000 + 4 * 1, 0x2007);
	put32(0x2000 + 4 * 2, 0x5003);
	ok(go(0x402123, 0) == WALK_OK && gpa == 0x5123, "32-bit paging: 4 KiB page");
	is(get64(0x1000 + 4) & 0x60, 0x20, "the directory entry is marked accessed");
	is(get64(0x2000 + 8) & 0x60, 0x20, "the page is accessed, not dirty");
	ok(go(0x402123, WALK_WRITE) == WALK_OK, "a write is allowed");
	is(get64(0x2000 + 8) & 0x60, 0x60, "and makes the page dirty");
	is(get64(0x1000 + 4) & 0x40, 0, "but not the directory entry");
	ok(go(0x403000, 0) == WALK_FAULT && code == 0, "a missing page is error code 0");
	ok(go(0x800000, WALK_WRITE) == WALK_FAULT && code == PF_WRITE, "a missing table, written: W");
	sregs.ss.access = USER_SS;
	ok(go(0x402123, 0) == WALK_FAULT && code == (PF_USER | PF_PRESENT), "a supervisor page from user mode: U, P");

	put32(0x1000 + 4 * 3, 0x00c00083);
	sregs.ss.access = 0;
	ok(go(0xc12345, 0) == WALK_NO_TABLE || gpa != 0xc12345, "without PSE a large page is a table");
	sregs.cr4 = CR4_PSE;
	ok(go(0xc12345, 0) == WALK_OK && gpa == 0xc12345, "PSE: 4 MiB page");
	put32(0x1000 + 4 * 3, 0x00c02083);
	ok(go(0xc12345, 0) == WALK_OK && gpa == 0x100c12345, "PSE-36: bits 20 to 13 are address bits 39 to 32");
	put32(0x1000 + 4 * 3, 0x00e00083);
	ok(go(0xc12345, 0) == WALK_FAULT && code == (PF_PRESENT | PF_RESERVED), "bit 21 is reserved");
	sregs.cr3 = 0xf0000000;
	ok(go(0x402123, 0) == WALK_NO_TABLE, "tables outside memory are noticed");
}

static void test_pae(void)
{
	reset(CR4_PAE, 0);
	sregs.cr3 = 0x1020;
	put64(0x1020 + 8 * 3, 0x2001);
	put64(0x2000 + 8 * 1, 0x3007);
	put64(0x3000 + 8 * 2, 0x5007);
	put64(0x2000 + 8 * 2, 0x00c00083);
	ok(go(0xc0202123, 0) == WALK_OK && gpa == 0x5123, "PAE: 4 KiB page; CR3 is 32-byte aligned");
	is(get64(0x1020 + 24), 0x2001, "PDPTEs have no accessed bit");
	ok(go(0xc0412345, 0) == WALK_OK && gpa == 0xc12345, "PAE: 2 MiB page");
	put64(0x3000 + 8 * 2, 0x5007 | 1ULL << 63);
	ok(go(0xc0202123, 0) == WALK_FAULT && code == (PF_PRESENT | PF_RESERVED), "NX without EFER.NXE is reserved");
	sregs.efer = EFER_NXE;
	ok(go(0xc0202123, 0) == WALK_OK, "with NXE data may be read");
	ok(go(0xc0202123, WALK_FETCH) == WALK_FAULT && code == (PF_PRESENT | PF_FETCH), "but not executed: I, P");
	put64(0x1020 + 8 * 3, 0x2003);
	ok(go(0xc0202123, 0) == WALK_FAULT && code & PF_RESERVED, "bit 1 of a PDPTE is reserved");
}

static void long_tables(void)
{
	put64(0x1000, 0x2007);
	put64(0x1000 + 8 * 256, 0x2007);
	put64(0x2000, 0x3007);
	put64(0x2000 + 8 * 1, 0x40000083 | 4);
	put64(0x3000, 0x4007);
	put64(0x3000 + 8 * 1, 0x00600087);
	put64(0x4000 + 8 * 5, 0x5007);
	put64(0x4000 + 8 * 6, 0x6005);
	put64(0x4000 + 8 * 7, 0x7003);
}

static void test_long(void)
{
	reset(CR4_PAE, EFER_LME | EFER_LMA | EFER_NXE);
	long_tables();
	ok(go(0x5123, 0) == WALK_OK && gpa == 0x5123, "4-level: 4 KiB page");
	ok(go(0xffff800000005123, 0) == WALK_OK && gpa == 0x5123, "the upper half");
	ok(go(0x234567, 0) == WALK_OK && gpa == 0x634567, "2 MiB page");
	ok(go(0x40123456, 0) == WALK_OK && gpa == 0x40123456, "1 GiB page");
	ok(go(0x800000005123, 0) == WALK_NOT_CANONICAL, "an address that is not canonical");

	ok(go(0x6000, WALK_WRITE) == WALK_OK, "a supervisor writes read-only pages while CR0.WP is clear");
	sregs.cr0 |= CR0_WP;
	ok(go(0x6000, WALK_WRITE) == WALK_FAULT && code == (PF_PRESENT | PF_WRITE), "and not when it is set");
	is(get64(0x4000 + 8 * 7) & 0x20, 0, "a page that nobody touched is not accessed");

	sregs.ss.access = USER_SS;
	sregs.cr0 &= ~CR0_WP;
	ok(go(0x5000, WALK_WRITE) == WALK_OK, "user mode writes user pages");
	ok(go(0x6000, WALK_WRITE) == WALK_FAULT && code == (PF_PRESENT | PF_WRITE | PF_USER), "but not read-only ones, whatever WP says");
	ok(go(0x7000, 0) == WALK_FAULT && code == (PF_PRESENT | PF_USER), "nor supervisor pages");
	is(get64(0x4000 + 8 * 7) & 0x20, 0, "a refused access leaves no accessed bit");

	sregs.ss.access = 0;
	sregs.cr4 |= CR4_SMEP;
	ok(go(0x5000, WALK_FETCH) == WALK_FAULT && code == (PF_PRESENT | PF_FETCH), "SMEP: a supervisor does not execute user pages");
	ok(go(0x7000, WALK_FETCH) == WALK_OK, "but its own");
	sregs.cr4 |= CR4_SMAP;
	ok(go(0x5000, 0) == WALK_FAULT && code == PF_PRESENT, "SMAP: nor reads them");
	rflags |= RFLAGS_AC;
	ok(go(0x5000, 0) == WALK_OK, "unless RFLAGS.AC is set");

	put64(0x4000 + 8 * 5, 0x5007 | 1ULL << 45);
	ok(go(0x5000, 0) == WALK_FAULT && code == (PF_PRESENT | PF_RESERVED), "address bits beyond MAXPHYADDR are reserved");
	put64(0x3000 + 8 * 1, 0x00601087 | 1 << 13);
	ok(go(0x234567, 0) == WALK_FAULT && code & PF_RESERVED, "low address bits of a large page are reserved");
	put64(0x1000, 0x2007 | 0x80);
	ok(go(0x234567, 0) == WALK_FAULT && code & PF_RESERVED, "the size bit of a PML4 entry is reserved");
}

static void test_5level(void)
{
	reset(CR4_PAE | CR4_LA57, EFER_LME | EFER_LMA);
	sregs.cr3 = 0x8000;
	put64(0x8000 + 8 * 1, 0x1007);
	put64(0x8000, 0x1007);
	long_tables();
	ok(go(0x1000000005123, 0) == WALK_OK && gpa == 0x5123, "5-level paging");
	ok(go(0x800000005123, 0) == WALK_OK && gpa == 0x5123, "what is not canonical with 4 levels is with 5");
	ok(go(0x100000000005123, 0) == WALK_NOT_CANONICAL, "57 bits are the limit");
}

int main(void)
{
	if (guest_mem_create(&mem, 16 * MIB))
		return 1;
	test_memory();
	test_sizes();
	test_off();
	test_32bit();
	test_pae();
	test_long();
	test_5level();
	guest_mem_destroy(&mem);
	return tap_done();
}
