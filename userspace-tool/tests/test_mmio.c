// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_mmio.c - instructions decoded and executed against a device that
 * records what it sees, and string I/O against a port that does.
 *
 * The code runs unpaged unless a test says otherwise; the device is everything
 * without memory, first of all 0xa0000.
 */
#include <string.h>

#include "io_string.h"
#include "mmio.h"
#include "tap.h"

#define DEVICE	0xa0000ULL
#define CODE	0x1000

static struct guest_mem mem;
static struct mvm_sregs sregs;
static u64 gpr[MVM_NR_GPRS];
static u64 rflags;
static struct mmio m;

static u8 device[4096];
static unsigned int reads, writes;
static u64 last_gpa, last_value;
static unsigned int last_bytes;

static u64 dev_read(void *context, u64 gpa, unsigned int bytes)
{
	u64 value = 0;

	(void)context;
	reads++;
	last_gpa = gpa;
	last_bytes = bytes;
	memcpy(&value, device + (gpa & 0xfff), bytes);
	return value;
}

static void dev_write(void *context, u64 gpa, unsigned int bytes, u64 value)
{
	(void)context;
	writes++;
	last_gpa = gpa;
	last_bytes = bytes;
	last_value = value;
	memcpy(device + (gpa & 0xfff), &value, bytes);
}

static const struct mmio_io io = { dev_read, dev_write, NULL };

static void segment(struct mvm_segment *s, u32 access)
{
	memset(s, 0, sizeof(*s));
	s->limit = 0xffffffff;
	s->access = access;
}

/* Flat segments; @bits 16, 32 or 64. 64-bit code gets identity tables. */
static void reset(unsigned int bits)
{
	static const u32 code_access[] = { 0x9b, 0xc09b, 0xa09b };
	u64 entry;

	guest_mem_clear(&mem);
	memset(&sregs, 0, sizeof(sregs));
	memset(gpr, 0, sizeof(gpr));
	memset(device, 0, sizeof(device));
	rflags = RFLAGS_FIXED;
	reads = 0;
	writes = 0;
	sregs.cr0 = CR0_PE;
	segment(&sregs.cs, code_access[bits / 32]);
	segment(&sregs.ds, 0xc093);
	segment(&sregs.es, 0xc093);
	segment(&sregs.ss, 0xc093);
	segment(&sregs.fs, 0xc093);
	segment(&sregs.gs, 0xc093);
	if (bits != 64)
		return;
	sregs.cr0 |= CR0_PG;
	sregs.cr4 = CR4_PAE;
	sregs.efer = EFER_LME | EFER_LMA;
	sregs.cr3 = 0x8000;
	entry = 0x9003;
	guest_mem_write(&mem, 0x8000, &entry, 8);
	entry = 0x83;
	guest_mem_write(&mem, 0x9000, &entry, 8);
}

static enum mmio_result run_at(u64 rip, const void *code, unsigned int bytes)
{
	enum mmio_result result;

	if (bytes)
		guest_mem_write(&mem, rip, code, bytes);
	mmio_init(&m, &mem, &io, &sregs, gpr, rip, rflags, 40);
	result = mmio_emulate(&m);
	memcpy(gpr, m.gpr, sizeof(gpr));
	rflags = m.rflags;
	return result;
}

/* Run one instruction, given as bytes. */
#define RUN(...) ({							\
	const u8 code_[] = { __VA_ARGS__ };				\
									\
	run_at(CODE, code_, sizeof(code_));				\
})

static void set_device(u64 offset, u64 value)
{
	memcpy(device + offset, &value, 8);
}

static u64 get_device(u64 offset)
{
	u64 value;

	memcpy(&value, device + offset, 8);
	return value;
}

static void test_mov(void)
{
	reset(64);
	gpr[MVM_RBX] = DEVICE;
	gpr[MVM_RAX] = 0x1122334455667788;
	is(RUN(0x89, 0x43, 0x10), MMIO_DONE, "mov %%eax,0x10(%%rbx) works");
	is(last_gpa, DEVICE + 0x10, "at the right address");
	is(last_bytes, 4, "in 4 bytes");
	is(last_value, 0x55667788, "with the right value");
	is(m.next_rip, CODE + 3, "and goes on behind itself");
	RUN(0x48, 0x89, 0x03);
	is(get_device(0), 0x1122334455667788, "mov %%rax,(%%rbx) writes 8 bytes");
	is(last_bytes, 8, "in one piece");
	RUN(0x66, 0x89, 0x03);
	is(last_bytes, 2, "mov %%ax,(%%rbx) writes 2");
	RUN(0x88, 0x23);
	is(last_value, 0x77, "mov %%ah,(%%rbx) writes the second byte");
	gpr[MVM_RSI] = 0xab;
	RUN(0x40, 0x88, 0x33);
	is(last_value, 0xab, "with REX it is %%sil, not %%dh");

	set_device(0, 0xfedcba9876543210);
	gpr[MVM_RAX] = ~0ULL;
	RUN(0x8b, 0x03);
	is(gpr[MVM_RAX], 0x76543210, "a 32-bit load clears the upper half");
	gpr[MVM_RAX] = ~0ULL;
	RUN(0x66, 0x8b, 0x03);
	is(gpr[MVM_RAX], 0xffffffffffff3210, "a 16-bit load keeps the rest");
	gpr[MVM_RAX] = ~0ULL;
	RUN(0x8a, 0x23);
	is(gpr[MVM_RAX], 0xffffffffffff10ff, "a load of %%ah changes its byte alone");
	RUN(0x4c, 0x8b, 0x3b);
	is(gpr[MVM_R15], 0xfedcba9876543210, "a 64-bit load to %%r15");

	RUN(0xc7, 0x43, 0x20, 0x78, 0x56, 0x34, 0x12);
	is(get_device(0x20), 0x12345678, "mov $imm32,0x20(%%rbx)");
	RUN(0x48, 0xc7, 0x43, 0x28, 0xff, 0xff, 0xff, 0xff);
	is(get_device(0x28), ~0ULL, "movq sign extends its immediate");
	RUN(0x0f, 0xc3, 0x03);
	is(last_bytes, 4, "movnti");

	set_device(0, 0x80f0);
	RUN(0x0f, 0xb6, 0x03);
	is(gpr[MVM_RAX], 0xf0, "movzbl");
	RUN(0x0f, 0xb7, 0x03);
	is(gpr[MVM_RAX], 0x80f0, "movzwl");
	RUN(0x0f, 0xbe, 0x03);
	is(gpr[MVM_RAX], 0xfffffff0, "movsbl");
	RUN(0x48, 0x0f, 0xbf, 0x03);
	is(gpr[MVM_RAX], 0xffffffffffff80f0, "movswq");
	set_device(0, 0x80000000);
	RUN(0x48, 0x63, 0x03);
	is(gpr[MVM_RAX], 0xffffffff80000000, "movslq");

	set_device(0, 0x44);
	RUN(0xa0, 0x00, 0x00, 0x0a, 0, 0, 0, 0, 0);
	is(gpr[MVM_RAX] & 0xff, 0x44, "movabs 0xa0000,%%al");
	gpr[MVM_RAX] = 0x99;
	RUN(0xa3, 0x08, 0x00, 0x0a, 0, 0, 0, 0, 0);
	is(get_device(8), 0x99, "movabs %%eax,0xa0008");
}

static void test_addresses(void)
{
	reset(64);
	gpr[MVM_RBX] = DEVICE;
	gpr[MVM_RCX] = 4;
	RUN(0x8b, 0x44, 0x8b, 0xf8);
	is(last_gpa, DEVICE + 8, "base + index * 4 - 8");
	/* rip-relative: next rip is 0x1006 */
	RUN(0x8b, 0x05, 0xfa, 0xef, 0x09, 0x00);
	is(last_gpa, DEVICE, "relative to the next instruction");
	sregs.gs.base = 0x90000;
	gpr[MVM_RBX] = 0x10020;
	RUN(0x65, 0x8b, 0x03);
	is(last_gpa, DEVICE + 0x20, "%%gs adds its base in 64-bit mode");
	sregs.ds.base = 0x90000;
	gpr[MVM_RBX] = DEVICE;
	RUN(0x8b, 0x03);
	is(last_gpa, DEVICE, "%%ds does not");
	gpr[MVM_RBX] = 0xffffffff00000000 | DEVICE;
	RUN(0x67, 0x8b, 0x03);
	is(last_gpa, DEVICE, "a 32-bit address size cuts the address");
	gpr[MVM_RBX] = 0x800000000000;
	is(RUN(0x8b, 0x03), MMIO_EXCEPTION, "an address that is not canonical faults");
	is(m.exception.vector, 13, "with #GP");

	reset(16);
	sregs.cr0 = 0;
	sregs.ds.base = DEVICE;
	sregs.ds.limit = 0xffff;
	gpr[MVM_RBX] = 0xfff0;
	gpr[MVM_RSI] = 0x0030;
	is(RUN(0x8b, 0x40, 0x10), MMIO_DONE, "16-bit code");
	is(last_gpa, DEVICE + 0x30, "whose offsets wrap at 16 bits");
}

static void test_segments(void)
{
	reset(32);
	gpr[MVM_RBX] = DEVICE;
	sregs.ds.limit = DEVICE + 3;
	is(RUN(0x8b, 0x03), MMIO_DONE, "up to the segment's limit");
	is(RUN(0x8b, 0x43, 0x01), MMIO_EXCEPTION, "beyond it is a fault");
	is(m.exception.vector, 13, "#GP");
	is(RUN(0x36, 0x8b, 0x43, 0x01), MMIO_DONE, "in the stack segment it is not");
	sregs.ss.limit = DEVICE;
	is(RUN(0x36, 0x8b, 0x43, 0x01), MMIO_EXCEPTION, "until that ends too");
	is(m.exception.vector, 12, "#SS");
	sregs.es.access = 0xc091;
	is(RUN(0x26, 0x89, 0x03), MMIO_EXCEPTION, "a read-only segment refuses writes");
	sregs.es.access |= MVM_SEGMENT_UNUSABLE;
	is(RUN(0x26, 0x8b, 0x03), MMIO_EXCEPTION, "an unusable one everything");
	sregs.ds.limit = 0xffff;
	sregs.ds.access = 0xc097;
	is(RUN(0x8b, 0x03), MMIO_DONE, "expand-down: above the limit is inside");
	gpr[MVM_RBX] = 0x8000;
	is(RUN(0x8b, 0x03), MMIO_EXCEPTION, "and below outside");
}

static void test_arithmetic(void)
{
	reset(64);
	gpr[MVM_RBX] = DEVICE;
	set_device(0, 0x7fffffff);
	RUN(0x83, 0x03, 0x01);
	is(get_device(0), 0x80000000, "addl $1,(%%rbx)");
	is(rflags & 0x8d5, RFLAGS_OF | RFLAGS_SF | RFLAGS_AF | RFLAGS_PF,
	   "flags of an overflow");
	set_device(0, 0xffffffff);
	RUN(0x83, 0x03, 0x01);
	is(rflags & 0x8d5, RFLAGS_CF | RFLAGS_ZF | RFLAGS_AF | RFLAGS_PF,
	   "flags of a carry");
	set_device(0, 5);
	RUN(0x83, 0x13, 0x00);
	is(get_device(0), 6, "adc takes the carry");
	set_device(0, 0);
	RUN(0x83, 0x2b, 0x01);
	is(get_device(0), 0xffffffff, "sub");
	is(rflags & RFLAGS_CF, RFLAGS_CF, "borrows");
	RUN(0x83, 0x1b, 0x00);
	is(get_device(0), 0xfffffffe, "sbb takes the borrow");
	RUN(0x80, 0x23, 0x0f);
	is(get_device(0), 0xffffff0e, "andb");
	ok(!(rflags & (RFLAGS_CF | RFLAGS_OF)), "clears carry and overflow");
	RUN(0x80, 0x0b, 0x80);
	is(get_device(0), 0xffffff8e, "orb");
	gpr[MVM_RCX] = 0xff;
	RUN(0x30, 0x0b);
	is(get_device(0), 0xffffff71, "xorb");
	writes = 0;
	RUN(0x81, 0x3b, 0x71, 0xff, 0xff, 0xff);
	ok(rflags & RFLAGS_ZF, "cmpl finds them equal");
	RUN(0xf6, 0x03, 0x0e);
	ok(rflags & RFLAGS_ZF, "testb finds no bit");
	RUN(0x3b, 0x0b);
	ok(!(rflags & RFLAGS_ZF), "cmp with memory on the right");
	is(writes, 0, "and neither writes");
	gpr[MVM_RDX] = 1;
	RUN(0x03, 0x13);
	is(gpr[MVM_RDX], 0xffffff72, "add to a register");

	set_device(0, 0xff);
	rflags |= RFLAGS_CF;
	RUN(0xfe, 0x03);
	is(get_device(0), 0, "incb");
	ok(rflags & RFLAGS_CF && rflags & RFLAGS_ZF, "leaves a carry alone");
	set_device(0, 0xff);
	rflags &= ~RFLAGS_CF;
	RUN(0xfe, 0x03);
	ok(!(rflags & RFLAGS_CF), "and makes none");
	RUN(0xfe, 0x0b);
	is(get_device(0), 0xff, "decb");
	ok(!(rflags & RFLAGS_CF), "which borrows nothing");
	RUN(0xf6, 0x13);
	is(get_device(0), 0, "notb");
	set_device(0, 1);
	RUN(0xf6, 0x1b);
	is(get_device(0), 0xff, "negb");
	ok(rflags & RFLAGS_CF, "carries when it was not zero");
}

static void test_exchange(void)
{
	reset(64);
	gpr[MVM_RBX] = DEVICE;
	set_device(0, 7);
	gpr[MVM_RAX] = 9;
	RUN(0x87, 0x03);
	ok(gpr[MVM_RAX] == 7 && get_device(0) == 9, "xchg");
	RUN(0x0f, 0xc1, 0x03);
	ok(gpr[MVM_RAX] == 9 && get_device(0) == 16, "xadd");
	gpr[MVM_RAX] = 16;
	gpr[MVM_RCX] = 3;
	RUN(0xf0, 0x0f, 0xb1, 0x0b);
	ok(get_device(0) == 3 && rflags & RFLAGS_ZF, "lock cmpxchg that finds its value");
	RUN(0xf0, 0x0f, 0xb1, 0x0b);
	ok(gpr[MVM_RAX] == 3 && !(rflags & RFLAGS_ZF), "and one that does not");

	set_device(0, 0);
	RUN(0x0f, 0xba, 0x2b, 0x05);
	is(get_device(0), 0x20, "bts $5");
	ok(!(rflags & RFLAGS_CF), "the bit was clear");
	RUN(0x0f, 0xba, 0x23, 0x05);
	ok(rflags & RFLAGS_CF, "bt finds it");
	gpr[MVM_RAX] = 64 + 3;
	RUN(0x0f, 0xab, 0x03);
	is(last_gpa, DEVICE + 8, "bts %%eax reaches beyond its operand");
	is(get_device(8), 8, "to the right bit");
	gpr[MVM_RBX] = DEVICE + 16;
	gpr[MVM_RAX] = 0xffffffff;
	RUN(0x0f, 0xab, 0x03);
	is(last_gpa, DEVICE + 12, "also downwards");
	is(get_device(12), 0x80000000, "to the highest bit");
	RUN(0x0f, 0xb3, 0x03);
	is(get_device(12), 0, "btr");
	RUN(0x0f, 0xbb, 0x03);
	is(get_device(12), 0x80000000, "btc");
}

static void test_strings(void)
{
	u8 buffer[16];

	reset(64);
	memcpy(buffer, "0123456789abcdef", 16);
	guest_mem_write(&mem, 0x5000, buffer, 16);
	gpr[MVM_RSI] = 0x5000;
	gpr[MVM_RDI] = DEVICE;
	gpr[MVM_RCX] = 4;
	is(RUN(0xf3, 0xa5), MMIO_DONE, "rep movsl to the device");
	ok(!memcmp(device, buffer, 16), "moves all");
	ok(!gpr[MVM_RCX] && gpr[MVM_RSI] == 0x5010 && gpr[MVM_RDI] == DEVICE + 16,
	   "and leaves the registers behind it");
	is(last_bytes, 4, "four bytes at a time");
	gpr[MVM_RSI] = DEVICE + 3;
	gpr[MVM_RDI] = 0x6003;
	gpr[MVM_RCX] = 4;
	rflags |= RFLAGS_DF;
	RUN(0xf3, 0xa4);
	guest_mem_read(&mem, 0x6000, buffer, 4);
	ok(!memcmp(buffer, "0123", 4) && gpr[MVM_RDI] == 0x5fff, "rep movsb downwards from the device");
	rflags &= ~RFLAGS_DF;
	gpr[MVM_RAX] = 0x1234;
	gpr[MVM_RDI] = DEVICE;
	RUN(0x66, 0xab);
	is(get_device(0) & 0xffffffff, 0x33321234, "stosw");
	gpr[MVM_RSI] = DEVICE + 1;
	RUN(0xac);
	is(gpr[MVM_RAX], 0x1212, "lodsb changes %%al alone");
	is(gpr[MVM_RSI], DEVICE + 2, "and moves on");
	memset(device, 'x', 16);
	device[5] = 'y';
	gpr[MVM_RAX] = 'y';
	gpr[MVM_RDI] = DEVICE;
	gpr[MVM_RCX] = 16;
	RUN(0xf2, 0xae);
	ok(gpr[MVM_RCX] == 10 && gpr[MVM_RDI] == DEVICE + 6, "repne scasb stops behind what it finds");
	gpr[MVM_RAX] = 'x';
	gpr[MVM_RDI] = DEVICE;
	gpr[MVM_RCX] = 16;
	RUN(0xf3, 0xae);
	is(gpr[MVM_RCX], 10, "repe scasb behind what differs");
	memset(buffer, 'x', 16);
	guest_mem_write(&mem, 0x5000, buffer, 16);
	gpr[MVM_RSI] = 0x5000;
	gpr[MVM_RDI] = DEVICE;
	gpr[MVM_RCX] = 16;
	RUN(0xf3, 0xa6);
	is(gpr[MVM_RCX], 10, "repe cmpsb");
	ok(!(rflags & RFLAGS_ZF) && rflags & RFLAGS_CF, "x is below y");

	gpr[MVM_RDI] = DEVICE;
	gpr[MVM_RCX] = MMIO_STRING_CHUNK + 5;
	rflags &= ~RFLAGS_DF;
	is(RUN(0xf3, 0xaa), MMIO_AGAIN, "a long string is done in parts");
	is(gpr[MVM_RCX], 5, "so that interrupts come in between");
	is(run_at(CODE, NULL, 0), MMIO_DONE, "and then finished");
	gpr[MVM_RCX] = 0;
	writes = 0;
	RUN(0xf3, 0xaa);
	is(writes, 0, "a count of zero does nothing");

	/* the tables map the first GiB only */
	gpr[MVM_RSI] = DEVICE;
	gpr[MVM_RDI] = 0x3ffffffc;
	gpr[MVM_RCX] = 8;
	is(RUN(0xf3, 0xa4), MMIO_EXCEPTION, "a fault in the middle of a string");
	is(m.exception.vector, 14, "is a #PF");
	is(m.exception.cr2, 0x40000000, "at the address that failed");
	is(m.exception.error_code, PF_WRITE, "a write");
	is(gpr[MVM_RCX], 4, "after the elements that could be done");
}

static void test_crossing(void)
{
	static const u8 load[] = { 0x8b, 0x43, 0x10 };
	u64 entry;

	reset(64);
	/* 4 KiB pages: 0x1000 code, 0x2000 absent */
	entry = 0xa003;
	guest_mem_write(&mem, 0x9000, &entry, 8);
	entry = 0xb003;
	guest_mem_write(&mem, 0xa000, &entry, 8);
	entry = 0x5003;
	guest_mem_write(&mem, 0xb000 + 8 * 1, &entry, 8);
	entry = 0x6003;
	guest_mem_write(&mem, 0xb000 + 8 * 2, &entry, 8);
	entry = DEVICE | 3;
	guest_mem_write(&mem, 0xb000 + 8 * 3, &entry, 8);
	entry = 0xfff003;
	guest_mem_write(&mem, 0xb000 + 8 * 4, &entry, 8);
	/* an instruction on two pages: bytes at 0x5fff and 0x6000 */
	guest_mem_write(&mem, 0x5ffe, load, 2);
	guest_mem_write(&mem, 0x6000, load + 2, 1);
	gpr[MVM_RBX] = 0x3000;
	is(run_at(0x1ffe, NULL, 0), MMIO_DONE, "an instruction across two pages");
	is(last_gpa, DEVICE + 0x10, "is fetched whole");
	entry = 0;
	guest_mem_write(&mem, 0xb000 + 8 * 2, &entry, 8);
	is(run_at(0x1ffe, NULL, 0), MMIO_EXCEPTION, "whose second page is missing");
	ok(m.exception.vector == 14 && m.exception.cr2 == 0x2000, "faults there");
	guest_mem_write(&mem, 0x5ffe, "\x8b\x03", 2);
	is(run_at(0x1ffe, NULL, 0), MMIO_DONE, "one that ends with the page needs no second");

	/* an operand across two pages: the device and RAM */
	memset(device, 0x11, sizeof(device));
	guest_mem_write(&mem, 0xfff000, "\x22\x22\x22\x22", 4);
	gpr[MVM_RBX] = 0x3ffd;
	guest_mem_write(&mem, 0x5ff0, "\x48\x8b\x03", 3);
	reads = 0;
	is(run_at(0x1ff0, NULL, 0), MMIO_DONE, "an operand across device and RAM");
	is(gpr[MVM_RAX], 0x0022222222111111, "is put together");
	is(reads, 3, "three odd bytes go to the device one by one");
	sregs.cr3 = 0xf0000000;
	is(run_at(0x1ff0, NULL, 0), MMIO_UNABLE, "page tables outside memory");
	ok(strstr(m.message, "page tables"), "are named");
}

/* One that was decoded before is decoded anew when its bytes or its mode differ. */
static void test_remembered(void)
{
	reset(32);
	gpr[MVM_RBX] = DEVICE;
	gpr[MVM_RAX] = 0x11223344;
	RUN(0x89, 0x43, 0x10);
	RUN(0x89, 0x43, 0x10);
	is(writes, 2, "an instruction is performed again");
	RUN(0x89, 0x43, 0x14);
	is(last_gpa, DEVICE + 0x14, "and as the guest has changed it");
	RUN(0x88, 0x43, 0x14);
	is(last_bytes, 1, "in its opcode, too");
	RUN(0x66, 0x89, 0x43, 0x18);
	is(last_bytes, 2, "or in its length");
	RUN(0x89, 0x07);
	segment(&sregs.cs, 0x9b);
	gpr[MVM_RBX] = 0x8000;
	segment(&sregs.ds, 0xc093);
	sregs.ds.base = DEVICE - 0x8000;
	is(RUN(0x89, 0x07), MMIO_DONE, "the same bytes in 16-bit code");
	is(last_bytes, 2, "are another instruction");
	is(last_gpa, DEVICE, "with another address");
	is(RUN(0x0f, 0x0b), MMIO_UNABLE, "what cannot be performed");
	is(RUN(0x0f, 0x0b), MMIO_UNABLE, "cannot be the next time either");
}

static void test_refused(void)
{
	reset(64);
	gpr[MVM_RBX] = DEVICE;
	is(RUN(0xd1, 0x23), MMIO_UNABLE, "an instruction that is not known is refused");
	ok(strstr(m.message, "'shl'"), "by its name");
	is(reads + writes, 0, "before it touches anything");
	is(RUN(0xf2, 0x0f, 0x10, 0x03), MMIO_UNABLE, "the other movsd (SSE2) is not the string's");
	is(RUN(0x06), MMIO_UNABLE, "an invalid instruction is refused");
	reset(32);
	is(run_at(DEVICE, NULL, 0), MMIO_UNABLE, "code in a device is refused");
	ok(strstr(m.message, "code outside"), "and named");
}

static void test_rom(void)
{
	reset(32);
	gpr[MVM_RBX] = GPA_ROM;
	gpr[MVM_RAX] = 0;
	is(RUN(0x88, 0x03), MMIO_DONE, "a write to ROM is done");
	is(writes, 0, "without reaching a device");
	is(RUN(0x8a, 0x03), MMIO_DONE, "and read back");
	is(gpr[MVM_RAX], 0xff, "unchanged");
}

/* ------------------------------------------------------------------------
 * INS and OUTS
 */

static char port_out[64];
static unsigned int port_count;
static u8 port_next;

static u64 port_read(void *context, u64 offset, unsigned int bytes)
{
	(void)context;
	(void)offset;
	(void)bytes;
	return port_next++;
}

static void port_write(void *context, u64 offset, unsigned int bytes,
		       u64 value)
{
	(void)context;
	(void)offset;
	(void)bytes;
	if (port_count < sizeof(port_out))
		port_out[port_count++] = (char)value;
}

static const struct bus_ops port_ops = { port_read, port_write };

static enum mmio_result string_io(struct bus *ports, u8 flags, u8 bytes,
				  u8 address_bytes, u8 seg)
{
	struct mvm_exit_io exit = {
		.port = 0x10,
		.bytes = bytes,
		.flags = flags | MVM_IO_STRING,
		.address_bytes = address_bytes,
		.segment = seg,
	};
	enum mmio_result result;

	mmio_init(&m, &mem, &io, &sregs, gpr, CODE, rflags, 40);
	result = io_string(&m, ports, &exit);
	memcpy(gpr, m.gpr, sizeof(gpr));
	return result;
}

static void test_string_io(void)
{
	struct bus ports;
	u8 buffer[8];

	bus_init(&ports, "port", 0x10000);
	bus_add(&ports, 0x10, 1, "test", 4, &port_ops, NULL);
	reset(32);
	guest_mem_write(&mem, 0x5000, "hello", 5);
	gpr[MVM_RSI] = 0x5000;
	gpr[MVM_RCX] = 5;
	is(string_io(&ports, MVM_IO_REP, 1, 4, SEG_DS), MMIO_DONE, "rep outsb");
	ok(port_count == 5 && !memcmp(port_out, "hello", 5), "writes all in order");
	ok(!gpr[MVM_RCX] && gpr[MVM_RSI] == 0x5005, "and updates the registers");
	gpr[MVM_RDI] = 0x5003;
	gpr[MVM_RCX] = 4;
	rflags |= RFLAGS_DF;
	string_io(&ports, MVM_IO_IN | MVM_IO_REP | MVM_IO_DOWN, 1, 4, SEG_DS);
	guest_mem_read(&mem, 0x5000, buffer, 4);
	ok(!memcmp(buffer, "\3\2\1\0", 4), "rep insb downwards");
	rflags &= ~RFLAGS_DF;
	gpr[MVM_RCX] = 0x10001;
	gpr[MVM_RSI] = 0x1ffff;
	port_count = 0;
	string_io(&ports, MVM_IO_REP, 1, 2, SEG_DS);
	is(gpr[MVM_RCX], 0x10000, "a 16-bit count ends at 16 bits");
	is(gpr[MVM_RSI], 0x10000, "and a 16-bit index wraps");
	gpr[MVM_RCX] = 7;
	gpr[MVM_RDI] = 0x5000;
	string_io(&ports, MVM_IO_IN, 2, 4, SEG_DS);
	is(gpr[MVM_RCX], 7, "without REP the count stays");
	is(gpr[MVM_RDI], 0x5002, "the index moves by the width");

	sregs.es.access = 0xc091;
	port_next = 0x40;
	is(string_io(&ports, MVM_IO_IN, 1, 4, SEG_DS), MMIO_EXCEPTION, "ins into a read-only segment faults");
	is(port_next, 0x40, "before the port is read");
	sregs.fs.limit = 0x5000;
	gpr[MVM_RSI] = 0x5001;
	is(string_io(&ports, 0, 1, 4, SEG_FS), MMIO_EXCEPTION, "outs from beyond a segment's limit faults");
	gpr[MVM_RCX] = 100000;
	is(string_io(&ports, MVM_IO_REP, 1, 4, SEG_DS), MMIO_AGAIN, "a long string is done in parts");
	is(gpr[MVM_RCX], 100000 - MMIO_STRING_CHUNK, "of the size that the terminal can hold");
	is(string_io(&ports, 0, 3, 4, SEG_DS), MMIO_UNABLE, "a width of three is refused");
	is(string_io(&ports, 0, 1, 4, 6), MMIO_UNABLE, "segment 6 is refused");
}

int main(void)
{
	if (guest_mem_create(&mem, 16 * MIB))
		return 1;
	test_mov();
	test_addresses();
	test_segments();
	test_arithmetic();
	test_exchange();
	test_strings();
	test_crossing();
	test_remembered();
	test_refused();
	test_rom();
	test_string_io();
	guest_mem_destroy(&mem);
	return tap_done();
}
