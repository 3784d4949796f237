// SPDX-License-Identifier: GPL-2.0-only
/*
 * exits.c - every reason for which a run ends, its fields and its answers, and
 * the instructions that the module handles itself
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/guest.h"

/* An address with no memory behind it. */
#define HOLE	0x10000000UL

static struct mvm_cpuid_entry cpuid_entries[MVM_CPUID_MAX];

static void cpuid_table(struct vcpu *vcpu, unsigned int cmd, struct mvm_cpuid *a)
{
	a->size = 0;
	if (cmd == MVM_GET_CPUID)
		a->count = MVM_CPUID_MAX;
	a->entries = (u64)cpuid_entries;
	CHECK_OK(mvm_ioctl(vcpu->fd, cmd, a));
}

static struct mvm_cpuid_entry *cpuid_find(const struct mvm_cpuid *a, u32 function,
					  u32 index)
{
	for (u32 i = 0; i < a->count; i++)
		if (cpuid_entries[i].function == function &&
		    cpuid_entries[i].index == index)
			return &cpuid_entries[i];
	return NULL;
}

/* ------------------------------------------------------------------------
 * Ports
 */

static void guest_out(u64 arg)
{
	(void)arg;
	asm volatile("mov $0x1122334455667788, %%rax\n\t"
		     "mov $0xffff, %%edx\n\t"
		     "outb %%al, $0x10\n\t"
		     "outw %%ax, $0x20\n\t"
		     "outl %%eax, $0xff\n\t"
		     "outb %%al, %%dx\n\t"
		     "outw %%ax, %%dx\n\t"
		     "outl %%eax, %%dx\n\t"
		     : : : "rax", "rdx", "memory");
}

static void test_out(void)
{
	static const struct {
		u16 port;
		u8 bytes, len;
		u32 data;
	} want[] = {
		{ 0x10, 1, 2, 0x88 },	     { 0x20, 2, 3, 0x7788 },
		{ 0xff, 4, 2, 0x55667788 },  { 0xffff, 1, 1, 0x88 },
		{ 0xffff, 2, 2, 0x7788 },    { 0xffff, 4, 1, 0x55667788 },
	};
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_out, 0);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		guest_exit(&vcpu, MVM_EXIT_IO);
		CHECK_EQ(vcpu.run->io.port, want[i].port);
		CHECK_EQ(vcpu.run->io.bytes, want[i].bytes);
		CHECK_EQ(vcpu.run->io.data, want[i].data);
		CHECK_EQ(vcpu.run->io.flags, 0);
		CHECK_EQ(vcpu.run->insn_len, want[i].len);
		CHECK_EQ(vcpu.run->next_rip, vcpu.run->rip + want[i].len);
		CHECK_EQ(vcpu.run->action, MVM_ACTION_COMPLETE);
	}
	guest_done(&vcpu);
}

static void guest_in(u64 arg)
{
	u64 rax;

	(void)arg;
	asm volatile("inb $0x10, %%al" : "=a"(rax) : "0"(-1UL));
	GUEST_EQ(rax, 0xffffffffffffff12);
	asm volatile("inw $0x10, %%ax" : "=a"(rax) : "0"(-1UL));
	GUEST_EQ(rax, 0xffffffffffff3412);
	asm volatile("inl $0x10, %%eax" : "=a"(rax) : "0"(-1UL));
	GUEST_EQ(rax, 0x78563412);
	asm volatile("inl %%dx, %%eax" : "=a"(rax) : "0"(-1UL), "d"(0x1234));
	GUEST_EQ(rax, 0x78563412);
}

static void test_in(void)
{
	static const u8 bytes[] = { 1, 2, 4, 4 };
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_in, 0);
	for (size_t i = 0; i < ARRAY_SIZE(bytes); i++) {
		guest_exit(&vcpu, MVM_EXIT_IO);
		CHECK_EQ(vcpu.run->io.port, i == 3 ? 0x1234 : 0x10);
		CHECK_EQ(vcpu.run->io.bytes, bytes[i]);
		CHECK_EQ(vcpu.run->io.flags, MVM_IO_IN);
		/* bytes above the width are not the guest's */
		vcpu.run->io.data = 0x78563412;
	}
	guest_done(&vcpu);
}

static void user_out(void)
{
	asm volatile(TRY("outb %%al, $0x10") : : : "memory");
}

static void guest_user_out(u64 arg)
{
	(void)arg;
	guest_user_call(user_out);
	GUEST_EQ(guest_trap.vector, 13);
	GUEST_EQ(guest_trap.error, 0);
	/* with IOPL 3 it may */
	asm volatile("pushfq; orq $0x3000, (%%rsp); popfq" : : : "memory");
	guest_user_call(user_out);
	GUEST_EQ(guest_trap.vector, NO_TRAP);
}

static void test_user_out(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_user_out, 0);
	guest_exit(&vcpu, MVM_EXIT_IO);
	CHECK_EQ(vcpu.run->io.port, 0x10);
	guest_done(&vcpu);
}

/* What a string exit must say. */
static void check_string(struct vcpu *vcpu, u16 port, u8 bytes, u8 flags,
			 u64 count, u64 linear, u8 address_bytes)
{
	guest_exit(vcpu, MVM_EXIT_IO);
	CHECK_EQ(vcpu->run->io.port, port);
	CHECK_EQ(vcpu->run->io.bytes, bytes);
	CHECK_EQ(vcpu->run->io.flags, flags | MVM_IO_STRING);
	CHECK_EQ(vcpu->run->io.count, count);
	CHECK_EQ(vcpu->run->io.linear, linear);
	CHECK_EQ(vcpu->run->io.address_bytes, address_bytes);
	CHECK(vcpu->run->sync_valid & MVM_SYNC_SREGS);
}

static void guest_string(u64 arg)
{
	u64 rsi, rdi, rcx;

	(void)arg;
	/* without REP; RCX is not a count */
	rsi = GUEST_FREE;
	rcx = 77;
	asm volatile("outsb" : "+S"(rsi), "+c"(rcx) : "d"(0x100) : "memory");
	GUEST_EQ(rsi, GUEST_FREE + 1);
	GUEST_EQ(rcx, 77);
	/* widths */
	rcx = 3;
	asm volatile("rep outsw" : "+S"(rsi), "+c"(rcx) : "d"(0x101) : "memory");
	GUEST_EQ(rcx, 0);
	GUEST_EQ(rsi, GUEST_FREE + 7);
	rcx = 2;
	asm volatile("rep outsl" : "+S"(rsi), "+c"(rcx) : "d"(0x102) : "memory");
	/* downwards */
	rdi = GUEST_FREE + 0x100;
	rcx = 4;
	asm volatile("std; rep insb; cld"
		     : "+D"(rdi), "+c"(rcx) : "d"(0x103) : "memory");
	GUEST_EQ(rdi, GUEST_FREE + 0xfc);
	GUEST_EQ(*(u32 *)(GUEST_FREE + 0xfd), 0x01020304);
	/* a segment with a base */
	gwrmsr(MSR_FS_BASE, 0x1000);
	rsi = GUEST_FREE;
	rcx = 5;
	asm volatile("rep fs outsb"
		     : "+S"(rsi), "+c"(rcx) : "d"(0x104) : "memory");
	/* a 32-bit address size: the upper halves do not count */
	rsi = 0xdead00000000 | GUEST_FREE;
	rcx = 0xbeef00000000 | 6;
	asm volatile("addr32 rep outsb"
		     : "+S"(rsi), "+c"(rcx) : "d"(0x105) : "memory");
	/* in two parts */
	rdi = GUEST_FREE;
	rcx = 5;
	asm volatile("rep insw"
		     : "+D"(rdi), "+c"(rcx) : "d"(0x106) : "memory");
	GUEST_EQ(rdi, GUEST_FREE + 10);
	GUEST_EQ(rcx, 0);
	for (int i = 0; i < 5; i++)
		GUEST_EQ(((u16 *)GUEST_FREE)[i], 100 + i);
}

static void test_string(void)
{
	struct mvm_run *run;
	struct vcpu vcpu;
	struct vm vm;
	u16 *to;

	guest_create(&vm, &vcpu, 0, guest_string, 0);
	run = vcpu.run;
	check_string(&vcpu, 0x100, 1, 0, 1, GUEST_FREE, 8);
	CHECK_EQ(run->io.segment, 3);
	run->gpr[MVM_RSI] += 1;
	check_string(&vcpu, 0x101, 2, MVM_IO_REP, 3, GUEST_FREE + 1, 8);
	run->gpr[MVM_RSI] += 6;
	run->gpr[MVM_RCX] = 0;
	check_string(&vcpu, 0x102, 4, MVM_IO_REP, 2, GUEST_FREE + 7, 8);
	run->gpr[MVM_RCX] = 0;
	check_string(&vcpu, 0x103, 1, MVM_IO_IN | MVM_IO_REP | MVM_IO_DOWN, 4,
		     GUEST_FREE + 0x100, 8);
	*(u32 *)(vm.ram + GUEST_FREE + 0xfd) = 0x01020304;
	run->gpr[MVM_RDI] -= 4;
	run->gpr[MVM_RCX] = 0;
	check_string(&vcpu, 0x104, 1, MVM_IO_REP, 5, GUEST_FREE + 0x1000, 8);
	CHECK_EQ(run->io.segment, 4);
	run->gpr[MVM_RCX] = 0;
	check_string(&vcpu, 0x105, 1, MVM_IO_REP, 6, GUEST_FREE, 4);
	run->gpr[MVM_RCX] = 0;
	/* two of five, then the rest after a retry */
	check_string(&vcpu, 0x106, 2, MVM_IO_IN | MVM_IO_REP, 5, GUEST_FREE, 8);
	to = (u16 *)(vm.ram + GUEST_FREE);
	for (int i = 0; i < 5; i++)
		to[i] = 100 + i;
	run->gpr[MVM_RDI] += 4;
	run->gpr[MVM_RCX] -= 2;
	run->action = MVM_ACTION_RETRY;
	check_string(&vcpu, 0x106, 2, MVM_IO_IN | MVM_IO_REP, 3, GUEST_FREE + 4,
		     8);
	run->gpr[MVM_RDI] += 6;
	run->gpr[MVM_RCX] = 0;
	guest_done(&vcpu);
}

GUEST_CODE(string16, 16,
	   "mov $0x200, %ax; mov %ax, %es\n"
	   "mov $0x300, %ax; mov %ax, %ds\n"
	   "mov $0x400, %ax; mov %ax, %gs\n"
	   "mov $0x500, %dx\n"
	   "mov $0x30, %si; mov $0x40, %di\n"
	   "mov $0x00050003, %ecx\n"
	   "rep outsb\n"
	   "rep insb\n"
	   "rep outsb %es:(%si), (%dx)\n"
	   "rep outsw %cs:(%si), (%dx)\n"
	   "rep outsb %ss:(%si), (%dx)\n"
	   "rep outsb %gs:(%si), (%dx)\n"
	   "rep addr32 outsb\n"
	   "hlt\n");

static void test_string16(void)
{
	/* INS has its destination in ES: 0 */
	static const struct {
		u8 segment, bytes, flags, address;
		u32 linear, count;
	} want[] = {
		{ 3, 1, 0, 2, 0x3030, 3 },
		{ 0, 1, MVM_IO_IN, 2, 0x2040, 3 },
		{ 0, 1, 0, 2, 0x2030, 3 },
		{ 1, 2, 0, 2, 0x30, 3 },
		{ 2, 1, 0, 2, 0x30, 3 },
		{ 5, 1, 0, 2, 0x4030, 3 },
		{ 3, 1, 0, 4, 0x3030, 0x50003 },
	};
	struct vcpu vcpu;
	struct vm vm;

	vm_create(&vm, MVM_VM_EXIT_HLT);
	vm_ram(&vm, SZ_64K);
	vcpu_create(&vcpu, &vm, 0);
	vcpu_real_code(&vcpu, 0x1000, string16, GUEST_CODE_SIZE(string16));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		check_string(&vcpu, 0x500, want[i].bytes,
			     want[i].flags | MVM_IO_REP, want[i].count,
			     want[i].linear, want[i].address);
		CHECK_EQ(vcpu.run->io.segment, want[i].segment);
	}
	vcpu_run_to(&vcpu, MVM_EXIT_HLT);
}

/* ------------------------------------------------------------------------
 * General registers, answers
 */

static void __attribute__((naked)) guest_gprs(u64 arg)
{
	(void)arg;
	asm volatile("mov $0x1000000000000000, %rax\n\t"
		     "mov $0x1000000000000001, %rcx\n\t"
		     "mov $0x1000000000000002, %rdx\n\t"
		     "mov $0x1000000000000003, %rbx\n\t"
		     "mov $0x1000000000000005, %rbp\n\t"
		     "mov $0x1000000000000006, %rsi\n\t"
		     "mov $0x1000000000000007, %rdi\n\t"
		     "mov $0x1000000000000008, %r8\n\t"
		     "mov $0x1000000000000009, %r9\n\t"
		     "mov $0x100000000000000a, %r10\n\t"
		     "mov $0x100000000000000b, %r11\n\t"
		     "mov $0x100000000000000c, %r12\n\t"
		     "mov $0x100000000000000d, %r13\n\t"
		     "mov $0x100000000000000e, %r14\n\t"
		     "mov $0x100000000000000f, %r15\n\t"
		     "outb %al, $0x10\n\t"
		     "cpuid\n\t"
		     "outb %al, $0x11\n\t");
}

static void test_gprs(void)
{
	struct mvm_run *run;
	struct vcpu vcpu;
	struct vm vm;
	u64 rsp;

	guest_create(&vm, &vcpu, 0, guest_gprs, 0);
	run = vcpu.run;
	guest_exit(&vcpu, MVM_EXIT_IO);
	rsp = run->gpr[MVM_RSP];
	CHECK_EQ(rsp, GUEST_STACK(0) - 8);
	for (u64 i = 0; i < MVM_NR_GPRS; i++) {
		if (i != MVM_RSP)
			CHECK_EQ(run->gpr[i], 1UL << 60 | i);
		run->gpr[i] = 0x7fedcba900000000 + i;
	}
	/* flags that user space sets arrive too */
	run->rflags = RFLAGS_FIXED | 0x8d5;
	/* CPUID is handled inside; the rest must come through untouched */
	guest_exit(&vcpu, MVM_EXIT_IO);
	CHECK_EQ(run->io.port, 0x11);
	for (u64 i = 0; i < MVM_NR_GPRS; i++) {
		if (i == MVM_RAX || i == MVM_RCX || i == MVM_RDX ||
		    i == MVM_RBX)
			CHECK_EQ(run->gpr[i] >> 32, 0);
		else
			CHECK_EQ(run->gpr[i], 0x7fedcba900000000 + i);
	}
	CHECK_EQ(run->rflags, RFLAGS_FIXED | 0x8d5);
}

/* Exits without an instruction, and the first run, go on at rip. */
static void guest_elsewhere(u64 arg)
{
	GUEST_SYNC(arg);
}

static void test_rip(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, MVM_VM_EXIT_HLT, guest_elsewhere, 1);
	vcpu.run->next_rip = 0x123456;
	guest_sync(&vcpu, 1);
	/* after an instruction it is next_rip, wherever that is */
	vcpu.run->rip = 0x123456;
	vcpu.run->next_rip = (u64)guest_elsewhere;
	vcpu.run->gpr[MVM_RDI] = 2;
	guest_sync(&vcpu, 2);
	vcpu.run->immediate_exit = 1;
	vcpu_run_to(&vcpu, MVM_EXIT_INTR);
	vcpu.run->immediate_exit = 0;
	vcpu.run->rip = (u64)guest_elsewhere;
	vcpu.run->next_rip = 0x123456;
	vcpu.run->gpr[MVM_RDI] = 3;
	guest_sync(&vcpu, 3);
}

static void guest_retry(u64 arg)
{
	(void)arg;
	gout8(0x10, 1);
	GUEST_SYNC(1);
}

static void test_retry(void)
{
	struct vcpu vcpu;
	struct vm vm;
	u64 rip;

	guest_create(&vm, &vcpu, 0, guest_retry, 0);
	guest_exit(&vcpu, MVM_EXIT_IO);
	rip = vcpu.run->rip;
	for (int i = 0; i < 3; i++) {
		vcpu.run->action = MVM_ACTION_RETRY;
		guest_exit(&vcpu, MVM_EXIT_IO);
		CHECK_EQ(vcpu.run->io.port, 0x10);
		CHECK_EQ(vcpu.run->rip, rip);
		CHECK_EQ(vcpu.run->action, MVM_ACTION_COMPLETE);
	}
	guest_sync(&vcpu, 1);
}

static void guest_exceptions(u64 arg)
{
	extern const char out_insn[];

	(void)arg;
	asm volatile(TRY("out_insn: outb %%al, $0x10") : : : "memory");
	GUEST_EQ(guest_trap.vector, 14);
	GUEST_EQ(guest_trap.error, 6);
	GUEST_EQ(guest_trap.cr2, 0xdeadbeef000);
	GUEST_EQ(guest_trap.rip, out_insn);
	asm volatile(TRY("outb %%al, $0x11") : : : "memory");
	GUEST_EQ(guest_trap.vector, 13);
	GUEST_EQ(guest_trap.error, 0x1234);
	GUEST_EQ(gread_cr2(), 0xdeadbeef000);
	asm volatile(TRY("outb %%al, $0x12") : : : "memory");
	GUEST_EQ(guest_trap.vector, 6);
	asm volatile(TRY("outb %%al, $0x13") : : : "memory");
	GUEST_EQ(guest_trap.vector, 0);
}

static void test_exception(void)
{
	static const struct mvm_exception e[] = {
		{ .vector = 14, .has_error_code = 1, .error_code = 6,
		  .cr2 = 0xdeadbeef000 },
		{ .vector = 13, .has_error_code = 1, .error_code = 0x1234,
		  .cr2 = 1 },
		{ .vector = 6, .cr2 = 1 },
		{ .vector = 0 },
	};
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_exceptions, 0);
	for (size_t i = 0; i < ARRAY_SIZE(e); i++) {
		guest_exit(&vcpu, MVM_EXIT_IO);
		CHECK_EQ(vcpu.run->io.port, 0x10 + i);
		vcpu.run->exception = e[i];
		vcpu.run->action = MVM_ACTION_EXCEPTION;
	}
	guest_done(&vcpu);
}

static void test_sync_want(void)
{
	struct mvm_sregs s;
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_retry, 0);
	guest_exit(&vcpu, MVM_EXIT_IO);
	CHECK_EQ(vcpu.run->sync_valid, 0);
	vcpu.run->sync_want = MVM_SYNC_SREGS;
	vcpu.run->action = MVM_ACTION_RETRY;
	guest_exit(&vcpu, MVM_EXIT_IO);
	CHECK_EQ(vcpu.run->sync_valid, MVM_SYNC_SREGS);
	vcpu_get_sregs(&vcpu, &s);
	vcpu.run->sregs.size = s.size;
	CHECK(!memcmp(&s, &vcpu.run->sregs, sizeof(s)));
	CHECK_EQ(vcpu.run->sregs.cr3, GUEST_PML4);
	CHECK_EQ(vcpu.run->sregs.cs.selector, SEL_CODE64);
	CHECK_EQ(vcpu.run->sregs.efer, EFER_LME | EFER_LMA);
	CHECK_EQ(vcpu.run->sregs.gdt.base, GUEST_GDT);
}

/* ------------------------------------------------------------------------
 * MMIO
 */

static void guest_mmio(u64 arg)
{
	u32 v;

	(void)arg;
	asm volatile("movl %%eax, (%%rdx)"
		     : : "a"(0x12345678), "d"(HOLE + 0x124) : "memory");
	asm volatile("movl (%%rdx), %%eax"
		     : "=a"(v) : "d"(HOLE + 0x1008) : "memory");
	GUEST_EQ(v, 0xcafe);
	asm volatile("lock addl %%eax, (%%rdx)"
		     : : "a"(1), "d"(HOLE + 0x2000) : "memory");
	/* after user space puts memory there */
	*(volatile u32 *)(HOLE + 0x3004) = 0x77;
	GUEST_SYNC(1);
}

static void check_mmio(struct vcpu *vcpu, u64 gpa, u32 flags)
{
	guest_exit(vcpu, MVM_EXIT_MMIO);
	CHECK_EQ(vcpu->run->mmio.gpa, gpa);
	CHECK_EQ(vcpu->run->mmio.flags & ~MVM_MMIO_LINEAR, flags);
	if (vcpu->run->mmio.flags & MVM_MMIO_LINEAR)
		CHECK_EQ(vcpu->run->mmio.linear, gpa);
	CHECK(vcpu->run->sync_valid & MVM_SYNC_SREGS);
	CHECK_EQ(vcpu->run->sregs.cr3, GUEST_PML4);
}

static void test_mmio(void)
{
	struct vcpu vcpu;
	struct vm vm;
	u32 *mem;
	u64 rip;

	guest_create(&vm, &vcpu, 0, guest_mmio, 0);
	check_mmio(&vcpu, HOLE + 0x124, MVM_MMIO_WRITE);
	rip = vcpu.run->rip;
	CHECK_EQ(vm.ram[rip], 0x89);
	CHECK_EQ(vcpu.run->gpr[MVM_RAX], 0x12345678);
	/* mov %eax, (%rdx) and mov (%rdx), %eax have two bytes */
	vcpu.run->next_rip = rip + 2;
	check_mmio(&vcpu, HOLE + 0x1008, MVM_MMIO_READ);
	CHECK_EQ(vm.ram[vcpu.run->rip], 0x8b);
	vcpu.run->gpr[MVM_RAX] = 0xcafe;
	vcpu.run->next_rip = vcpu.run->rip + 2;
	guest_exit(&vcpu, MVM_EXIT_MMIO);
	CHECK_EQ(vcpu.run->mmio.gpa, HOLE + 0x2000);
	CHECK(vcpu.run->mmio.flags & MVM_MMIO_WRITE);
	vcpu.run->next_rip = vcpu.run->rip + 3;
	check_mmio(&vcpu, HOLE + 0x3004, MVM_MMIO_WRITE);
	mem = mem_alloc(PAGE_SIZE);
	vm_slot(&vm, SLOT_FREE, 0, HOLE + 0x3000, PAGE_SIZE, mem);
	vcpu.run->action = MVM_ACTION_RETRY;
	guest_sync(&vcpu, 1);
	CHECK_EQ(mem[1], 0x77);
}

static void guest_fetch(u64 arg)
{
	(void)arg;
	((void (*)(void))HOLE)();
}

static void test_mmio_fetch(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_fetch, 0);
	guest_exit(&vcpu, MVM_EXIT_MMIO);
	CHECK_EQ(vcpu.run->mmio.gpa, HOLE);
	CHECK(vcpu.run->mmio.flags & MVM_MMIO_FETCH);
	CHECK_EQ(vcpu.run->rip, HOLE);
}

static void guest_walk(u64 arg)
{
	volatile u64 *pml4 = (u64 *)GUEST_PML4;

	(void)arg;
	pml4[1] = HOLE | 7;
	*(volatile u32 *)(1UL << 39) = 1;
}

static void test_mmio_walk(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_walk, 0);
	guest_exit(&vcpu, MVM_EXIT_MMIO);
	CHECK_EQ(vcpu.run->mmio.gpa, HOLE);
	CHECK(vcpu.run->mmio.flags & MVM_MMIO_WALK);
	CHECK(vcpu.run->mmio.flags & MVM_MMIO_LINEAR);
	CHECK_EQ(vcpu.run->mmio.linear, 1UL << 39);
}

/* The guest's exception frame goes to an address without memory. */
static void guest_delivery(u64 arg)
{
	(void)arg;
	asm volatile("mov %0, %%rsp\n\tint3" : : "r"(HOLE + 0x1000) : "memory");
}

static void test_mmio_delivery(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_delivery, 0);
	guest_exit(&vcpu, MVM_EXIT_MMIO);
	CHECK(vcpu.run->mmio.gpa >= HOLE && vcpu.run->mmio.gpa < HOLE + 0x1000);
	CHECK(vcpu.run->mmio.flags & MVM_MMIO_IN_DELIVERY);
	CHECK(vcpu.run->mmio.flags & MVM_MMIO_WRITE);
}

/* #GP, whose frame goes there too. */
static void guest_delivery_gp(u64 arg)
{
	(void)arg;
	asm volatile("mov %0, %%rsp\n\tmov %1, %%es" : : "r"(HOLE + 0x1000), "r"(0xf8)
		     : "memory");
}

/* User space answers with a fault to a fault in delivery, and once more. */
static void test_mmio_double(void)
{
	static const struct mvm_exception gp = { .vector = 13, .has_error_code = 1 };
	static const u32 events[] = { 13, 8 };
	struct mvm_events e;
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_delivery_gp, 0);
	for (u32 i = 0; i < 2; i++) {
		guest_exit(&vcpu, MVM_EXIT_MMIO);
		CHECK(vcpu.run->mmio.flags & MVM_MMIO_IN_DELIVERY);
		vcpu_get_events(&vcpu, &e);
		CHECK_EQ(e.event, MVM_EVENT_EXCEPTION);
		CHECK_EQ(e.vector, events[i]);
		vcpu.run->action = MVM_ACTION_EXCEPTION;
		vcpu.run->exception = gp;
	}
	guest_exit(&vcpu, MVM_EXIT_SHUTDOWN);
}

/* ------------------------------------------------------------------------
 * HLT
 */

static void guest_hlt(u64 arg)
{
	(void)arg;
	ghlt();
	GUEST_SYNC(1);
	gsti_hlt();
	GUEST_SYNC(2);
}

static void test_hlt_exit(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, MVM_VM_EXIT_HLT, guest_hlt, 0);
	guest_exit(&vcpu, MVM_EXIT_HLT);
	CHECK_EQ(vcpu.run->next_rip, vcpu.run->rip + 1);
	guest_sync(&vcpu, 1);
	guest_exit(&vcpu, MVM_EXIT_HLT);
	CHECK(vcpu.run->rflags & RFLAGS_IF);
	guest_sync(&vcpu, 2);
}

static void test_hlt_sleep(void)
{
	struct mvm_events e;
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_hlt, 0);
	vcpu_run_async(&vcpu);
	CHECK(!vcpu_poll(&vcpu, 30));
	/* a stop finds it halted; it halts on when it runs again */
	CHECK_EQ(vcpu_stop(&vcpu), MVM_EXIT_INTR);
	vcpu_get_events(&vcpu, &e);
	CHECK_EQ(e.activity, 1);
	vcpu_run_async(&vcpu);
	CHECK(!vcpu_poll(&vcpu, 30));
	CHECK_EQ(vcpu_stop(&vcpu), MVM_EXIT_INTR);
	vcpu_get_events(&vcpu, &e);
	e.activity = 0;
	vcpu_set_events(&vcpu, &e);
	guest_sync(&vcpu, 1);
}

/* ------------------------------------------------------------------------
 * CPUID
 */

static struct mvm_cpuid_entry seen[MVM_CPUID_MAX];
static u32 n_asked;

static void guest_cpuid(u64 arg)
{
	(void)arg;
	for (u32 i = 0; i < n_asked; i++)
		asm volatile("cpuid"
			     : "=a"(seen[i].eax), "=b"(seen[i].ebx),
			       "=c"(seen[i].ecx), "=d"(seen[i].edx)
			     : "a"(seen[i].function), "c"(seen[i].index));
}

/* The guest executes CPUID for the n entries of seen[]; results come back. */
static void ask_cpuid(struct vm *vm, struct vcpu *vcpu, u32 n)
{
	u32 *p = (u32 *)GUEST_VAR(vm, seen);

	*GUEST_VAR(vm, n_asked) = n;
	memcpy(p, seen, sizeof(seen));
	guest_vcpu(vcpu, guest_cpuid, 0);
	guest_done(vcpu);
	memcpy(seen, p, sizeof(seen));
}

static void test_cpuid_table(void)
{
	struct mvm_cpuid a = { 0 };
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_cpuid, 0);
	cpuid_table(&vcpu, MVM_GET_CPUID, &a);
	memcpy(seen, cpuid_entries, sizeof(seen));
	for (u32 i = 0; i < a.count; i++)
		seen[i].eax = seen[i].ebx = seen[i].ecx = seen[i].edx = ~0;
	ask_cpuid(&vm, &vcpu, a.count);
	for (u32 i = 0; i < a.count; i++) {
		cpuid_mask_dynamic(&cpuid_entries[i]);
		cpuid_mask_dynamic(&seen[i]);
		if (memcmp(&seen[i], &cpuid_entries[i], sizeof(seen[i])))
			FAIL("leaf 0x%x/%u: guest sees %x %x %x %x, table has %x %x %x %x",
			     seen[i].function, seen[i].index, seen[i].eax,
			     seen[i].ebx, seen[i].ecx, seen[i].edx,
			     cpuid_entries[i].eax, cpuid_entries[i].ebx,
			     cpuid_entries[i].ecx, cpuid_entries[i].edx);
	}
}

static void test_cpuid_set(void)
{
	static const struct mvm_cpuid_entry own[] = {
		{ .function = 0, .eax = 4, .ebx = 0x11, .ecx = 0x22,
		  .edx = 0x33 },
		{ .function = 2, .eax = 1, .ebx = 2, .ecx = 3, .edx = 4 },
		{ .function = 4, .flags = MVM_CPUID_INDEXED, .eax = 0x40 },
		{ .function = 4, .index = 1, .flags = MVM_CPUID_INDEXED,
		  .eax = 0x41 },
		{ .function = 0x80000000, .eax = 0x80000004 },
		{ .function = 0x80000004, .eax = 0x61626364, .edx = 0x65666768 },
		{ .function = 0x40000000, .eax = 0x40000001, .ebx = 0x99 },
	};
	const u32 n = ARRAY_SIZE(own);
	struct mvm_cpuid_entry one, extended, *e;
	struct mvm_cpuid a = { 0 };
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_cpuid, 0);
	/* what 64-bit mode needs stays as it is */
	cpuid_table(&vcpu, MVM_GET_CPUID, &a);
	e = cpuid_find(&a, 1, 0);
	CHECK(e);
	one = *e;
	e = cpuid_find(&a, 0x80000001, 0);
	CHECK(e);
	extended = *e;
	memcpy(cpuid_entries, own, sizeof(own));
	cpuid_entries[n] = one;
	cpuid_entries[n + 1] = extended;
	a.count = n + 2;
	cpuid_table(&vcpu, MVM_SET_CPUID, &a);
	memset(seen, 0, sizeof(seen));
	for (u32 i = 0; i < n; i++) {
		seen[i].function = own[i].function;
		seen[i].index = own[i].index;
		seen[i].flags = own[i].flags;
	}
	/* a leaf without sub-leaves does not look at ECX */
	seen[7].function = 2;
	seen[7].index = 55;
	/* beyond the highest basic leaf, beyond the highest extended leaf */
	seen[8].function = 5;
	seen[9].function = 0x3fffffff;
	seen[9].index = 1;
	seen[10].function = 0x80000005;
	seen[11].function = 0xffffffff;
	/* the hypervisor's range, gaps below a maximum, a sub-leaf: zeros */
	seen[12].function = 0x40000002;
	seen[12].eax = 7;
	seen[13].function = 0x400000ff;
	seen[14].function = 3;
	seen[15].function = 4;
	seen[15].index = 7;
	seen[16].function = 0x80000003;
	ask_cpuid(&vm, &vcpu, 17);
	for (u32 i = 0; i < n; i++)
		if (memcmp(&seen[i], &own[i], sizeof(own[i])))
			FAIL("leaf 0x%x/%u: EAX is 0x%x", own[i].function,
			     own[i].index, seen[i].eax);
	CHECK_EQ(seen[7].eax, 1);
	CHECK_EQ(seen[7].edx, 4);
	CHECK_EQ(seen[8].eax, 0x40);
	CHECK_EQ(seen[9].eax, 0x41);
	CHECK_EQ(seen[10].eax, 0x40);
	CHECK_EQ(seen[11].eax, 0x40);
	for (int i = 12; i < 17; i++)
		CHECK_EQ(seen[i].eax | seen[i].ebx | seen[i].ecx | seen[i].edx,
			 0);
}

static void test_cpuid_hypervisor(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_cpuid, 0);
	memset(seen, 0, sizeof(seen));
	seen[0].function = MVM_CPUID_BASE;
	seen[1].function = MVM_CPUID_FEATURES;
	seen[2].function = MVM_CPUID_TIMING;
	seen[3].function = 1;
	seen[4].function = 0x4000000f;
	ask_cpuid(&vm, &vcpu, 5);
	CHECK_EQ(seen[0].eax, MVM_CPUID_TIMING);
	CHECK(!memcmp(&seen[0].ebx, MVM_CPUID_SIGNATURE, 12));
	CHECK_EQ(seen[1].eax, 0);
	CHECK_EQ(seen[2].eax, dev_info()->tsc_khz);
	CHECK_EQ(seen[2].ebx, dev_info()->apic_timer_khz);
	CHECK(seen[3].ecx & 1U << 31);
	CHECK_EQ(seen[3].ebx >> 24, 0);
	CHECK_EQ(seen[4].eax | seen[4].ebx | seen[4].ecx | seen[4].edx, 0);
	/* not offered: VMX, MONITOR, performance counters */
	CHECK(!(seen[3].ecx & 1U << 5));
}

static void guest_cpuid_dynamic(u64 has_xsave)
{
	u32 r[4];

	gcpuid(1, 0, r);
	GUEST_EQ(r[2] >> 27 & 1, 0);
	GUEST_EQ(r[3] >> 9 & 1, 1);
	gwrmsr(MSR_APIC_BASE, grdmsr(MSR_APIC_BASE) & ~(1UL << 11));
	gcpuid(1, 0, r);
	GUEST_EQ(r[3] >> 9 & 1, 0);
	if (!has_xsave)
		return;
	gwrite_cr4(gread_cr4() | X86_CR4_OSXSAVE);
	gcpuid(1, 0, r);
	GUEST_EQ(r[2] >> 27 & 1, 1);
	gcpuid(0xd, 0, r);
	GUEST_EQ(r[1], 576);
	if (has_xsave & 4) {
		asm volatile("xsetbv" : : "a"(7), "d"(0), "c"(0));
		gcpuid(0xd, 0, r);
		GUEST_EQ(r[1], 832);
	}
	gwrite_cr4(gread_cr4() & ~X86_CR4_OSXSAVE);
	gcpuid(1, 0, r);
	GUEST_EQ(r[2] >> 27 & 1, 0);
}

static void test_cpuid_dynamic(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_cpuid_dynamic,
		     dev_info()->xcr0_mask);
	guest_done(&vcpu);
}

/* ------------------------------------------------------------------------
 * MSRs
 */

static const struct {
	u32 index;
	u64 value;
} plain_msrs[] = {
	{ MSR_SYSENTER_CS, 0x10 },
	{ MSR_SYSENTER_ESP, 0xffff800012345678 },
	{ MSR_SYSENTER_EIP, 0x00007fff12345678 },
	{ MSR_STAR, 0x0023001000000000 },
	{ MSR_LSTAR, 0xffffffff81000000 },
	{ MSR_CSTAR, 0xffffffff82000000 },
	{ MSR_FMASK, 0x47700 },
	{ MSR_FS_BASE, 0x123456789 },
	{ MSR_GS_BASE, 0xffff888000001000 },
	{ MSR_KERNEL_GS_BASE, 0xffff888000002000 },
	{ MSR_PAT, 0x0007010600070406 },
};

static void guest_msrs(u64 arg)
{
	u64 v;

	(void)arg;
	for (u32 i = 0; i < ARRAY_SIZE(plain_msrs); i++) {
		GUEST_EQ(try_wrmsr(plain_msrs[i].index, plain_msrs[i].value),
			 NO_TRAP);
		GUEST_EQ(try_rdmsr(plain_msrs[i].index, &v), NO_TRAP);
		GUEST_EQ(v, plain_msrs[i].value);
	}
	GUEST_SYNC(1);
	/* the values are still there after the run has ended once */
	for (u32 i = 0; i < ARRAY_SIZE(plain_msrs); i++)
		GUEST_EQ(grdmsr(plain_msrs[i].index), plain_msrs[i].value);
	/* what user space wrote */
	GUEST_SYNC(2);
	for (u32 i = 0; i < ARRAY_SIZE(plain_msrs); i++)
		GUEST_EQ(grdmsr(plain_msrs[i].index), 0);
}

static void test_msrs(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_msrs, 0);
	guest_sync(&vcpu, 1);
	for (u32 i = 0; i < ARRAY_SIZE(plain_msrs); i++)
		if (vcpu_get_msr(&vcpu, plain_msrs[i].index) !=
		    plain_msrs[i].value)
			FAIL("MSR 0x%x is 0x%llx", plain_msrs[i].index,
			     (unsigned long long)vcpu_get_msr(
				     &vcpu, plain_msrs[i].index));
	guest_sync(&vcpu, 2);
	for (u32 i = 0; i < ARRAY_SIZE(plain_msrs); i++)
		vcpu_set_msr(&vcpu, plain_msrs[i].index, 0);
	guest_done(&vcpu);
}

static void guest_msr_fault(u64 arg)
{
	extern const char rdmsr_insn[];
	u64 v;

	(void)arg;
	asm volatile(TRY("rdmsr_insn: rdmsr")
		     : : "c"(0x12345678) : "rax", "rdx", "memory");
	GUEST_EQ(guest_trap.vector, 13);
	GUEST_EQ(guest_trap.error, 0);
	GUEST_EQ(guest_trap.rip, rdmsr_insn);
	GUEST_EQ(try_wrmsr(0x12345678, 1), 13);
	GUEST_EQ(try_rdmsr(0xc0000105, &v), 13);
	GUEST_EQ(try_rdmsr(0xffffffff, &v), 13);
	/* values that hardware refuses */
	GUEST_EQ(try_wrmsr(MSR_LSTAR, 1UL << 63), 13);
	GUEST_EQ(try_wrmsr(MSR_CSTAR, 0x800000000000), 13);
	GUEST_EQ(try_wrmsr(MSR_KERNEL_GS_BASE, 1UL << 62), 13);
	GUEST_EQ(try_wrmsr(MSR_FS_BASE, 1UL << 62), 13);
	GUEST_EQ(try_wrmsr(MSR_SYSENTER_ESP, 1UL << 63), 13);
	GUEST_EQ(try_wrmsr(MSR_PAT, 0x0202020202020202), 13);
	GUEST_EQ(try_wrmsr(MSR_PAT, 0x8), 13);
	GUEST_EQ(try_wrmsr(MSR_PAT, 3), 13);
	GUEST_EQ(try_wrmsr(MSR_EFER, grdmsr(MSR_EFER) | 2), 13);
	GUEST_EQ(try_wrmsr(MSR_EFER, grdmsr(MSR_EFER) & ~EFER_LME), 13);
	GUEST_EQ(try_wrmsr(MSR_EFER, 1UL << 63), 13);
	GUEST_EQ(grdmsr(MSR_EFER), EFER_LME | EFER_LMA);
	GUEST_EQ(try_wrmsr(MSR_EFER, grdmsr(MSR_EFER) | EFER_SCE), NO_TRAP);
	GUEST_EQ(grdmsr(MSR_EFER), EFER_LME | EFER_LMA | EFER_SCE);
	/* LMA is the CPU's */
	GUEST_EQ(try_wrmsr(MSR_EFER, EFER_LME | EFER_SCE), NO_TRAP);
	GUEST_EQ(grdmsr(MSR_EFER), EFER_LME | EFER_LMA | EFER_SCE);
	/* read-only: x2APIC and MTRR capabilities */
	GUEST_EQ(try_wrmsr(0xfe, 0), 13);
	GUEST_EQ(try_wrmsr(0x802, 0), 13);
	GUEST_EQ(try_wrmsr(MSR_APIC_BASE, 1UL << 8 | 1), 13);
}

static void test_msr_fault(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_msr_fault, 0);
	guest_done(&vcpu);
}

static void guest_msr_read_only(u64 arg)
{
	(void)arg;
	GUEST_EQ(grdmsr(0x17), 5UL << 50);
	GUEST_EQ(try_wrmsr(0x17, 0), 13);
	/* the microcode's revision: written before it is read */
	GUEST_EQ(grdmsr(0x8b), 0x77UL << 32);
	GUEST_EQ(try_wrmsr(0x8b, 0), NO_TRAP);
	GUEST_EQ(grdmsr(0x8b), 0x77UL << 32);
}

static void test_msr_read_only(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_msr_read_only, 0);
	vcpu_set_msr(&vcpu, 0x17, 5UL << 50);
	vcpu_set_msr(&vcpu, 0x8b, 0x77UL << 32);
	guest_done(&vcpu);
}

static void guest_msr_forward(u64 arg)
{
	u64 rax, rdx;

	(void)arg;
	asm volatile("rdmsr"
		     : "=a"(rax), "=d"(rdx)
		     : "c"(0x12345678), "0"(-1UL), "1"(-1UL)
		     : "memory");
	GUEST_EQ(rax, 0x55667788);
	GUEST_EQ(rdx, 0x11223344);
	GUEST_EQ(try_wrmsr(0xc0010015, 0xaabbccdd00112233), NO_TRAP);
	GUEST_EQ(try_wrmsr(0xc0010016, 0), 13);
	GUEST_EQ(try_rdmsr(0xffffffff, &rax), 13);
	/* known ones stay inside */
	GUEST_EQ(try_wrmsr(MSR_LSTAR, 0x1000), NO_TRAP);
	GUEST_EQ(try_wrmsr(MSR_LSTAR, 1UL << 63), 13);
}

static void test_msr_forward(void)
{
	struct mvm_msr_policy p = { .policy = MVM_MSR_POLICY_FORWARD };
	struct mvm_run *run;
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_msr_forward, 0);
	run = vcpu.run;
	CHECK_OK(mvm_ioctl(vm.fd, MVM_SET_MSR_POLICY, &p));
	guest_exit(&vcpu, MVM_EXIT_MSR);
	CHECK_EQ(run->msr.index, 0x12345678);
	CHECK_EQ(run->msr.write, 0);
	CHECK_EQ(run->insn_len, 2);
	run->msr.data = 0x1122334455667788;
	guest_exit(&vcpu, MVM_EXIT_MSR);
	CHECK_EQ(run->msr.index, 0xc0010015);
	CHECK_EQ(run->msr.write, 1);
	CHECK_EQ(run->msr.data, 0xaabbccdd00112233);
	guest_exit(&vcpu, MVM_EXIT_MSR);
	CHECK_EQ(run->msr.index, 0xc0010016);
	run->exception = (struct mvm_exception){ .vector = 13,
						 .has_error_code = 1 };
	run->action = MVM_ACTION_EXCEPTION;
	guest_exit(&vcpu, MVM_EXIT_MSR);
	CHECK_EQ(run->msr.index, 0xffffffff);
	CHECK_EQ(run->msr.write, 0);
	run->action = MVM_ACTION_EXCEPTION;
	guest_done(&vcpu);
}

/* ------------------------------------------------------------------------
 * Control registers
 */

static void guest_cr0(u64 arg)
{
	u64 cr0 = gread_cr0(), smsw;

	(void)arg;
	GUEST_EQ(cr0, X86_CR0_PE | X86_CR0_MP | X86_CR0_ET | X86_CR0_NE |
			      X86_CR0_WP | X86_CR0_PG);
	/* the guest sees what it writes, also where the host owns the bit */
	gwrite_cr0(cr0 | X86_CR0_CD | X86_CR0_NW);
	GUEST_EQ(gread_cr0(), cr0 | X86_CR0_CD | X86_CR0_NW);
	gwrite_cr0(cr0 | X86_CR0_CD);
	GUEST_EQ(gread_cr0(), cr0 | X86_CR0_CD);
	gwrite_cr0(cr0);
	GUEST_EQ(gread_cr0(), cr0);
	gwrite_cr0(cr0 & ~X86_CR0_NE);
	GUEST_EQ(gread_cr0(), cr0 & ~X86_CR0_NE);
	gwrite_cr0(cr0 | X86_CR0_AM | X86_CR0_EM);
	GUEST_EQ(gread_cr0(), cr0 | X86_CR0_AM | X86_CR0_EM);
	gwrite_cr0(cr0);
	/* ET reads as 1; undefined bits are ignored or fault, upper ones fault */
	gwrite_cr0(cr0 & ~X86_CR0_ET);
	GUEST_EQ(gread_cr0(), cr0);
	GUEST_EQ(try_write_cr0(cr0 | X86_CR0_NW), 13);
	GUEST_EQ(guest_trap.error, 0);
	GUEST_EQ(try_write_cr0(cr0 & ~X86_CR0_PE), 13);
	GUEST_EQ(try_write_cr0(cr0 | 1UL << 32), 13);
	GUEST_EQ(try_write_cr0(cr0 | 1UL << 63), 13);
	GUEST_EQ(gread_cr0(), cr0);
	/* TS by MOV, CLTS, LMSW; SMSW shows the same */
	gwrite_cr0(cr0 | X86_CR0_TS);
	asm volatile("smsw %0" : "=r"(smsw));
	GUEST_EQ(smsw & 0xffff, (cr0 | X86_CR0_TS) & 0xffff);
	asm volatile("clts" : : : "memory");
	GUEST_EQ(gread_cr0(), cr0);
	asm volatile("lmsw %w0" : : "r"(0xf) : "memory");
	GUEST_EQ(gread_cr0(), cr0 | X86_CR0_TS | X86_CR0_EM);
	/* LMSW cannot clear PE */
	asm volatile("lmsw %w0" : : "r"(X86_CR0_MP) : "memory");
	GUEST_EQ(gread_cr0(), cr0);
	GUEST_SYNC(1);
	GUEST_EQ(gread_cr0(), cr0 | X86_CR0_CD);
}

static void test_cr0(void)
{
	struct mvm_sregs s;
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_cr0, 0);
	guest_sync(&vcpu, 1);
	vcpu_get_sregs(&vcpu, &s);
	CHECK_EQ(s.cr0, 0x80010033);
	s.cr0 |= X86_CR0_CD;
	vcpu_set_sregs(&vcpu, &s);
	vcpu_get_sregs(&vcpu, &s);
	CHECK_EQ(s.cr0, 0xc0010033);
	guest_done(&vcpu);
}

static void guest_cr0_memory(u64 arg)
{
	volatile u64 *pd = (u64 *)(GUEST_PML4 + 0x2000);
	volatile u32 *p = (u32 *)0x600000;
	u64 cr0 = gread_cr0();

	(void)arg;
	*p = 1;
	/* the 2 MiB page at 6 MiB becomes read-only: WP decides for CPL 0 */
	pd[3] &= ~2UL;
	gwrite_cr3(gread_cr3());
	asm volatile(TRY("movl $2, %0") : "=m"(*p) : : "memory");
	GUEST_EQ(guest_trap.vector, 14);
	GUEST_EQ(guest_trap.error, 3);
	GUEST_EQ(guest_trap.cr2, 0x600000);
	gwrite_cr0(cr0 & ~X86_CR0_WP);
	asm volatile(TRY("movl $3, %0") : "=m"(*p) : : "memory");
	GUEST_EQ(guest_trap.vector, NO_TRAP);
	GUEST_EQ(*p, 3);
	gwrite_cr0(cr0);
	asm volatile(TRY("movl $4, %0") : "=m"(*p) : : "memory");
	GUEST_EQ(guest_trap.vector, 14);
	GUEST_EQ(*p, 3);
}

static void test_cr0_wp(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_cr0_memory, 0);
	guest_done(&vcpu);
}

static void guest_cr4(u64 arg)
{
	u64 cr4 = gread_cr4();

	(void)arg;
	GUEST_EQ(cr4, X86_CR4_PAE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT);
	gwrite_cr4(cr4 | X86_CR4_MCE | X86_CR4_DE | X86_CR4_TSD);
	GUEST_EQ(gread_cr4(), cr4 | X86_CR4_MCE | X86_CR4_DE | X86_CR4_TSD);
	gwrite_cr4(cr4);
	GUEST_EQ(gread_cr4(), cr4);
	gwrite_cr4(cr4 | X86_CR4_PGE);
	GUEST_EQ(gread_cr4(), cr4 | X86_CR4_PGE);
	GUEST_EQ(try_write_cr4(cr4 | X86_CR4_VMXE), 13);
	GUEST_EQ(guest_trap.error, 0);
	GUEST_EQ(try_write_cr4(cr4 & ~X86_CR4_PAE), 13);
	GUEST_EQ(try_write_cr4(cr4 | 1UL << 15), 13);
	GUEST_EQ(try_write_cr4(cr4 | 1UL << 31), 13);
	GUEST_EQ(try_write_cr4(cr4 | 1UL << 63), 13);
	GUEST_EQ(gread_cr4(), cr4 | X86_CR4_PGE);
}

static void test_cr4(void)
{
	struct mvm_sregs s;
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_cr4, 0);
	guest_done(&vcpu);
	vcpu_get_sregs(&vcpu, &s);
	CHECK_EQ(s.cr4, X86_CR4_PAE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT |
				X86_CR4_PGE);
}

static void guest_cr3(u64 arg)
{
	u64 *from = (u64 *)GUEST_PML4, *to = (u64 *)GUEST_FREE;

	(void)arg;
	for (int i = 0; i < 512; i++)
		to[i] = from[i];
	gwrite_cr3(GUEST_FREE);
	GUEST_EQ(gread_cr3(), GUEST_FREE);
	/* PWT and PCD are bits like others */
	gwrite_cr3(GUEST_FREE | 0x18);
	GUEST_EQ(gread_cr3(), GUEST_FREE | 0x18);
	GUEST_EQ(try_write_cr3(GUEST_FREE | 1UL << 62), 13);
	GUEST_EQ(gread_cr3(), GUEST_FREE | 0x18);
	GUEST_SYNC(1);
	GUEST_EQ(gread_cr3(), GUEST_PML4);
}

static void test_cr3(void)
{
	struct mvm_sregs s;
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_cr3, 0);
	guest_sync(&vcpu, 1);
	vcpu_get_sregs(&vcpu, &s);
	CHECK_EQ(s.cr3, GUEST_FREE | 0x18);
	s.cr3 = GUEST_PML4;
	vcpu_set_sregs(&vcpu, &s);
	guest_done(&vcpu);
}

static void guest_cr8(u64 arg)
{
	(void)arg;
	for (u64 i = 0; i < 16; i++) {
		gwrite_cr8(i);
		GUEST_EQ(gread_cr8(), i);
	}
	GUEST_EQ(try_write_cr8(16), 13);
	GUEST_EQ(try_write_cr8(1UL << 63), 13);
	gwrite_cr8(5);
	GUEST_SYNC(1);
	GUEST_EQ(gread_cr8(), 9);
}

static void test_cr8(void)
{
	struct mvm_lapic_access tpr = { .offset = 0x80 };
	struct mvm_sregs s;
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_cr8, 0);
	guest_sync(&vcpu, 1);
	vcpu_get_sregs(&vcpu, &s);
	CHECK_EQ(s.cr8, 5);
	CHECK_OK(mvm_ioctl(vcpu.fd, MVM_LAPIC_ACCESS, &tpr));
	CHECK_EQ(tpr.value, 0x50);
	tpr.value = 0x97;
	tpr.flags = MVM_LAPIC_WRITE;
	CHECK_OK(mvm_ioctl(vcpu.fd, MVM_LAPIC_ACCESS, &tpr));
	guest_done(&vcpu);
}

static void guest_tlb(u64 arg)
{
	volatile u64 *pd = (u64 *)(GUEST_PML4 + 0x2000);
	volatile u64 *p = (u64 *)0x40000000UL;
	volatile u64 *slot = &pd[512];

	(void)arg;
	/* the first 2 MiB of the second GiB show the pages at 2 and 6 MiB */
	*(u64 *)0x200000 = 0x2222;
	*(u64 *)0x600000 = 0x6666;
	*slot = 0x200087;
	asm volatile("invlpg %0" : : "m"(*p) : "memory");
	GUEST_EQ(*p, 0x2222);
	*slot = 0x600087;
	asm volatile("invlpg %0" : : "m"(*p) : "memory");
	GUEST_EQ(*p, 0x6666);
	*slot = 0x200087;
	gwrite_cr3(gread_cr3());
	GUEST_EQ(*p, 0x2222);
	/* a global page does not outlive a change of PGE */
	gwrite_cr4(gread_cr4() | X86_CR4_PGE);
	*slot = 0x600187;
	asm volatile("invlpg %0" : : "m"(*p) : "memory");
	GUEST_EQ(*p, 0x6666);
	*slot = 0x200187;
	gwrite_cr4(gread_cr4() & ~X86_CR4_PGE);
	GUEST_EQ(*p, 0x2222);
	/* not present */
	*slot = 0;
	asm volatile("invlpg %0" : : "m"(*p) : "memory");
	asm volatile(TRY("movq (%0), %%rax") : : "r"(p) : "rax", "memory");
	GUEST_EQ(guest_trap.vector, 14);
	GUEST_EQ(guest_trap.error, 0);
	GUEST_EQ(guest_trap.cr2, p);
}

static void test_tlb(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_tlb, 0);
	guest_done(&vcpu);
}

/* ------------------------------------------------------------------------
 * Debug registers and exceptions
 */

static void guest_dr(u64 arg)
{
	(void)arg;
	GUEST_EQ(gread_dr6(), 0xffff0ff0);
	GUEST_EQ(gread_dr7(), 0x400);
	gwrite_dr0(0x1111);
	gwrite_dr1(0x2222);
	gwrite_dr2(0x3333);
	gwrite_dr3(0x4444);
	GUEST_EQ(gread_dr0(), 0x1111);
	GUEST_EQ(gread_dr1(), 0x2222);
	GUEST_EQ(gread_dr2(), 0x3333);
	GUEST_EQ(gread_dr3(), 0x4444);
	gwrite_dr6(0xffff4ff1);
	GUEST_EQ(gread_dr6(), 0xffff4ff1);
	gwrite_dr7(0x00010402);
	GUEST_EQ(gread_dr7(), 0x00010402);
	GUEST_EQ(try_write_dr7(1UL << 32), 13);
	GUEST_EQ(try_write_dr6(1UL << 32), 13);
	/* DR4 and DR5 are DR6 and DR7 until CR4.DE */
	u64 v;

	asm volatile(".byte 0x0f, 0x21, 0xe0" : "=a"(v)); /* mov %db4, %rax */
	GUEST_EQ(v, 0xffff4ff1);
	gwrite_cr4(gread_cr4() | X86_CR4_DE);
	asm volatile(TRY(".byte 0x0f, 0x21, 0xe0") : "=a"(v) : : "memory");
	GUEST_EQ(guest_trap.vector, 6);
	GUEST_SYNC(1);
	GUEST_EQ(gread_dr0(), 0x1111);
	GUEST_EQ(gread_dr3(), 0x9999);
	GUEST_EQ(gread_dr6(), 0xffff0ff0);
	GUEST_EQ(gread_dr7(), 0x400);
}

static void test_dr(void)
{
	struct mvm_sregs s;
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_dr, 0);
	guest_sync(&vcpu, 1);
	vcpu_get_sregs(&vcpu, &s);
	CHECK_EQ(s.dr[0], 0x1111);
	CHECK_EQ(s.dr[1], 0x2222);
	CHECK_EQ(s.dr[2], 0x3333);
	CHECK_EQ(s.dr[3], 0x4444);
	CHECK_EQ(s.dr6, 0xffff4ff1);
	CHECK_EQ(s.dr7, 0x00010402);
	s.dr[3] = 0x9999;
	s.dr6 = 0xffff0ff0;
	s.dr7 = 0x400;
	vcpu_set_sregs(&vcpu, &s);
	guest_done(&vcpu);
}

static volatile u64 db_rip[32];
static volatile u32 n_db;
static volatile u64 watched;

static void on_db(struct trap_frame *frame)
{
	if (n_db < ARRAY_SIZE(db_rip))
		db_rip[n_db] = frame->rip;
	n_db++;
}

static void guest_gd(u64 arg)
{
	extern const char gd_insn[];

	(void)arg;
	gwrite_dr6(0xffff0ff0);
	gwrite_dr7(0x400 | 1 << 13);
	asm volatile(TRY("gd_insn: mov %%dr0, %%rax") : : : "rax", "memory");
	GUEST_EQ(guest_trap.vector, 1);
	GUEST_EQ(guest_trap.rip, gd_insn);
	GUEST_EQ(guest_trap.dr6, 0xffff0ff0 | 1 << 13);
	/* the CPU clears GD for the handler */
	GUEST_EQ(gread_dr7(), 0x400);
}

static void test_gd(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_gd, 0);
	guest_done(&vcpu);
}

static void guest_tf(u64 arg)
{
	extern const char tf1[], tf2[], tf3[], tf4[], tf5[], tf6[];

	(void)arg;
	guest_handler[1] = on_db;
	gwrite_dr6(0xffff0ff0);
	asm volatile("pushfq\n\t"
		     "orq $0x100, (%%rsp)\n\t"
		     "popfq\n\t"
		     "nop\n"
		     "tf1: cpuid\n"
		     "tf2: mov %%cr0, %%rax\n"
		     "tf3: mov %%rax, %%cr0\n"
		     "tf4: mov %%dr7, %%rax\n"
		     "tf5: pushfq\n"
		     "tf6: andq $~0x100, (%%rsp)\n\t"
		     "popfq\n\t"
		     : : "a"(0), "c"(0) : "rbx", "rdx", "memory");
	/* one #DB after each instruction, also after those that exit */
	GUEST_EQ(db_rip[0], tf1);
	GUEST_EQ(db_rip[1], tf2);
	GUEST_EQ(db_rip[2], tf3);
	GUEST_EQ(db_rip[3], tf4);
	GUEST_EQ(db_rip[4], tf5);
	GUEST_EQ(db_rip[5], tf6);
	/* and after the AND and the POPF that ends it */
	GUEST_EQ(n_db, 8);
	GUEST_EQ(guest_trap.dr6, 0xffff0ff0 | 1 << 14);
}

static void test_tf(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_tf, 0);
	guest_done(&vcpu);
}

static void __attribute__((noinline, noclone)) guest_breakpoints(u64 arg)
{
	extern const char bp_data[], bp_read[], bp_insn[];

	(void)arg;
	/* a write to 4 bytes: a trap, after the instruction */
	gwrite_dr6(0xffff0ff0);
	gwrite_dr0((u64)&watched);
	gwrite_dr7(0x400 | 1 << 1 | 1 << 16 | 3 << 18);
	asm volatile("movl $1, watched\nbp_data:" : : : "memory");
	GUEST_EQ(n_db, 1);
	GUEST_EQ(db_rip[0], bp_data);
	GUEST_EQ(guest_trap.dr6, 0xffff0ff1);
	/* reading does not hit it */
	(void)watched;
	GUEST_EQ(n_db, 1);
	/* DR2, reads or writes of one byte */
	gwrite_dr6(0xffff0ff0);
	gwrite_dr7(0x400);
	gwrite_dr2((u64)&watched + 3);
	gwrite_dr7(0x400 | 1 << 5 | 3 << 24);
	asm volatile("movb watched+3, %%al\nbp_read:" : : : "rax", "memory");
	GUEST_EQ(n_db, 2);
	GUEST_EQ(db_rip[1], bp_read);
	GUEST_EQ(guest_trap.dr6, 0xffff0ff4);
	/* an instruction: a fault, before it */
	gwrite_dr6(0xffff0ff0);
	gwrite_dr7(0x400);
	gwrite_dr1((u64)bp_insn);
	gwrite_dr7(0x400 | 1 << 3);
	/* the handler sets RF, or it would be hit again */
	asm volatile("nop\nbp_insn: nop" : : : "memory");
	gwrite_dr7(0x400);
	GUEST_EQ(db_rip[2], bp_insn);
	GUEST_EQ(guest_trap.dr6, 0xffff0ff2);
	/* disabled: no more */
	n_db = 0;
	asm volatile("movl $2, watched" : : : "memory");
	GUEST_EQ(n_db, 0);
}

static void on_db_once(struct trap_frame *frame)
{
	on_db(frame);
	if (n_db > 10)
		guest_fail(__FILE__, __LINE__, "#DB again (a: rip, b: DR6)",
			   frame->rip, guest_trap.dr6);
	frame->rflags |= RFLAGS_RF;
}

static void guest_breakpoints_entry(u64 arg)
{
	guest_handler[1] = on_db_once;
	guest_breakpoints(arg);
}

static void test_breakpoints(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_breakpoints_entry, 0);
	guest_done(&vcpu);
}

static void guest_icebp(u64 arg)
{
	extern const char after_icebp[], after_int3[];

	(void)arg;
	guest_handler[1] = on_db;
	guest_handler[3] = on_db;
	asm volatile(".byte 0xf1\nafter_icebp:" : : : "memory");
	GUEST_EQ(guest_count[1], 1);
	GUEST_EQ(db_rip[0], after_icebp);
	asm volatile("int3\nafter_int3:" : : : "memory");
	GUEST_EQ(guest_count[3], 1);
	GUEST_EQ(db_rip[1], after_int3);
}

static void test_icebp(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_icebp, 0);
	guest_done(&vcpu);
}

static void user_unaligned(void)
{
	asm volatile("pushfq; orq $0x40000, (%%rsp); popfq\n\t"
		     TRY("movl %0, %%eax")
		     "pushfq; andq $~0x40000, (%%rsp); popfq"
		     : : "m"(*(u32 *)(GUEST_FREE + 1)) : "rax", "memory", "cc");
}

static void guest_ac(u64 arg)
{
	(void)arg;
	gwrite_cr0(gread_cr0() | X86_CR0_AM);
	guest_user_call(user_unaligned);
	GUEST_EQ(guest_trap.vector, 17);
	GUEST_EQ(guest_trap.error, 0);
	gwrite_cr0(gread_cr0() & ~X86_CR0_AM);
	guest_user_call(user_unaligned);
	GUEST_EQ(guest_trap.vector, NO_TRAP);
}

static void test_ac(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_ac, 0);
	guest_done(&vcpu);
}

/* ------------------------------------------------------------------------
 * Other instructions that exit
 */

static u64 try_xsetbv(u32 index, u64 value)
{
	asm volatile(TRY("xsetbv")
		     : : "c"(index), "a"((u32)value), "d"((u32)(value >> 32))
		     : "memory");
	return guest_trap.vector;
}

static u64 gxgetbv(void)
{
	u32 lo, hi;

	asm volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0) : "memory");
	return (u64)hi << 32 | lo;
}

static void guest_xsetbv(u64 mask)
{
	GUEST_EQ(try_xsetbv(0, 1), 6);
	gwrite_cr4(gread_cr4() | X86_CR4_OSXSAVE);
	GUEST_EQ(gxgetbv(), 1);
	GUEST_EQ(try_xsetbv(0, 3), NO_TRAP);
	GUEST_EQ(gxgetbv(), 3);
	GUEST_EQ(try_xsetbv(0, mask), NO_TRAP);
	GUEST_EQ(gxgetbv(), mask);
	GUEST_EQ(try_xsetbv(0, 0), 13);
	GUEST_EQ(guest_trap.error, 0);
	GUEST_EQ(try_xsetbv(0, 2), 13);
	GUEST_EQ(try_xsetbv(0, 5), 13);
	GUEST_EQ(try_xsetbv(0, 1UL << 63 | 1), 13);
	GUEST_EQ(try_xsetbv(0, ~mask | 1), 13);
	GUEST_EQ(try_xsetbv(1, 1), 13);
	GUEST_EQ(try_xsetbv(0xffffffff, 1), 13);
	GUEST_EQ(gxgetbv(), mask);
	GUEST_EQ(try_xsetbv(0, 1), NO_TRAP);
	GUEST_SYNC(1);
	GUEST_EQ(gxgetbv(), 3);
}

static void test_xsetbv(void)
{
	struct mvm_sregs s;
	struct vcpu vcpu;
	struct vm vm;

	if (!dev_info()->xcr0_mask)
		test_skip("no XSAVE on this machine");
	guest_create(&vm, &vcpu, 0, guest_xsetbv, dev_info()->xcr0_mask);
	guest_sync(&vcpu, 1);
	vcpu_get_sregs(&vcpu, &s);
	CHECK_EQ(s.xcr0, 1);
	s.xcr0 = 3;
	vcpu_set_sregs(&vcpu, &s);
	guest_done(&vcpu);
}

static void guest_cache(u64 arg)
{
	(void)arg;
	asm volatile(TRY("wbinvd") : : : "memory");
	GUEST_EQ(guest_trap.vector, NO_TRAP);
	asm volatile(TRY("invd") : : : "memory");
	GUEST_EQ(guest_trap.vector, NO_TRAP);
	for (int i = 0; i < 100; i++)
		gpause();
}

static void test_cache(void)
{
	volatile u64 canary = 0x1122334455667788;
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_cache, 0);
	guest_done(&vcpu);
	CHECK_EQ(canary, 0x1122334455667788);
}

static volatile u64 tsc_of_guest;

static void guest_tsc(u64 has_rdtscp)
{
	u64 last = grdtsc(), now;
	u32 aux;

	for (int i = 0; i < 100; i++) {
		now = grdtsc();
		GUEST_ASSERT(now > last);
		last = now;
	}
	/* the MSR is the same clock */
	now = grdmsr(MSR_TSC);
	GUEST_ASSERT(now > last && now - last < 1UL << 32);
	tsc_of_guest = grdtsc();
	GUEST_ASSERT(tsc_of_guest > now);
	GUEST_SYNC(2);
	if (!has_rdtscp)
		return;
	gwrmsr(MSR_TSC_AUX, 0x89abcdef);
	asm volatile("rdtscp" : "=c"(aux) : : "rax", "rdx");
	GUEST_EQ(aux, 0x89abcdef);
	GUEST_SYNC(1);
	asm volatile("rdtscp" : "=c"(aux) : : "rax", "rdx");
	GUEST_EQ(aux, 0x89abcdef);
	GUEST_EQ(grdmsr(MSR_TSC_AUX), 0x89abcdef);
	/* its upper half is reserved */
	GUEST_EQ(try_wrmsr(MSR_TSC_AUX, 1UL << 32), 13);
}

static void test_tsc(void)
{
	struct mvm_cpuid a = { 0 };
	struct mvm_cpuid_entry *e;
	struct vcpu vcpu;
	struct vm vm;
	bool has;
	u64 tsc;

	guest_create(&vm, &vcpu, 0, guest_tsc, 0);
	cpuid_table(&vcpu, MVM_GET_CPUID, &a);
	e = cpuid_find(&a, 0x80000001, 0);
	has = e && e->edx & 1 << 27;
	vcpu.run->gpr[MVM_RDI] = has;
	/* what the CPU gives the guest lies between two times that the module says */
	tsc = vcpu_get_msr(&vcpu, MSR_TSC);
	guest_sync(&vcpu, 2);
	CHECK(*GUEST_VAR(&vm, tsc_of_guest) > tsc);
	CHECK(*GUEST_VAR(&vm, tsc_of_guest) < vcpu_get_msr(&vcpu, MSR_TSC));
	if (has)
		guest_sync(&vcpu, 1);
	guest_done(&vcpu);
}

static void guest_vmcall(u64 arg)
{
	u64 rax, rbx = 0x5555;

	(void)arg;
	for (u64 nr = 0; nr < 3; nr++) {
		asm volatile("vmcall"
			     : "=a"(rax), "+b"(rbx) : "0"(nr * 1000)
			     : "memory");
		GUEST_EQ(rax, -38);
		GUEST_EQ(rbx, 0x5555);
	}
}

static void test_vmcall(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_vmcall, 0);
	guest_done(&vcpu);
}

static void guest_vmcall_exit(u64 arg)
{
	u64 rax;

	(void)arg;
	asm volatile("vmcall" : "=a"(rax) : "0"(7), "b"(8) : "memory");
	GUEST_EQ(rax, 1234567890123);
}

static void test_vmcall_exit(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, MVM_VM_EXIT_VMCALL, guest_vmcall_exit, 0);
	guest_exit(&vcpu, MVM_EXIT_VMCALL);
	CHECK_EQ(vcpu.run->gpr[MVM_RAX], 7);
	CHECK_EQ(vcpu.run->gpr[MVM_RBX], 8);
	CHECK_EQ(vcpu.run->insn_len, 3);
	CHECK_EQ(vcpu.run->next_rip, vcpu.run->rip + 3);
	vcpu.run->gpr[MVM_RAX] = 1234567890123;
	guest_done(&vcpu);
}

#define EXPECT_UD(insn, ...)                                                   \
	do {                                                                   \
		asm volatile(TRY(insn) : : __VA_ARGS__ : "memory");            \
		if (guest_trap.vector != 6)                                    \
			guest_fail(__FILE__, __LINE__,                         \
				   "no #UD (a: vector): " insn,                \
				   guest_trap.vector, 0);                      \
	} while (0)

static void guest_vmx(u64 arg)
{
	static u64 mem[2] __attribute__((aligned(16)));

	(void)arg;
	EXPECT_UD("vmxon %0", "m"(mem[0]));
	EXPECT_UD("vmxoff", "m"(mem[0]));
	EXPECT_UD("vmclear %0", "m"(mem[0]));
	EXPECT_UD("vmptrld %0", "m"(mem[0]));
	EXPECT_UD("vmptrst %0", "m"(mem[0]));
	EXPECT_UD("vmlaunch", "m"(mem[0]));
	EXPECT_UD("vmresume", "m"(mem[0]));
	EXPECT_UD("vmread %%rax, %%rcx", "a"(0), "c"(0));
	EXPECT_UD("vmwrite %%rax, %%rcx", "a"(0), "c"(0));
	EXPECT_UD("invept (%0), %%rax", "r"(mem), "a"(1));
	EXPECT_UD("invvpid (%0), %%rax", "r"(mem), "a"(1));
	EXPECT_UD("vmfunc", "a"(0), "c"(0));
	EXPECT_UD(".byte 0x0f, 0x37 # getsec", "a"(0));
	EXPECT_UD(".byte 0x0f, 0xaa # rsm", "a"(0));
}

static void test_vmx(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_vmx, 0);
	guest_done(&vcpu);
}

static void guest_not_offered(u64 has_monitor)
{
	asm volatile(TRY("rdpmc") : : "c"(0) : "rax", "rdx", "memory");
	GUEST_EQ(guest_trap.vector, 13);
	GUEST_EQ(guest_trap.error, 0);
	if (has_monitor)
		return;
	EXPECT_UD("monitor", "a"(GUEST_FREE), "c"(0), "d"(0));
	EXPECT_UD("mwait", "a"(0), "c"(0));
}

static void test_not_offered(void)
{
	struct mvm_cpuid a = { 0 };
	struct mvm_cpuid_entry *e;
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_not_offered, 0);
	cpuid_table(&vcpu, MVM_GET_CPUID, &a);
	e = cpuid_find(&a, 1, 0);
	CHECK(e);
	vcpu.run->gpr[MVM_RDI] = e->ecx >> 3 & 1;
	guest_done(&vcpu);
}

/* ------------------------------------------------------------------------
 * Ends: triple fault, task switch, impossible state
 */

static void guest_triple(u64 arg)
{
	struct {
		u16 limit;
		u64 base;
	} __attribute__((packed)) idt = { 0, 0 };

	(void)arg;
	asm volatile("lidt %0; ud2" : : "m"(idt));
}

static void test_shutdown(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_triple, 0);
	vcpu_run_to(&vcpu, MVM_EXIT_SHUTDOWN);
	CHECK_EQ(vcpu.run->hw_reason & 0xffff, 2);
	/* user space may reset it and go on */
	guest_vcpu(&vcpu, guest_retry, 0);
	guest_exit(&vcpu, MVM_EXIT_IO);
	guest_sync(&vcpu, 1);
}

#define TSS2	0x900
#define SEL_TSS2	MODE32_FREE
#define SEL_GATE	(MODE32_FREE + 8)

static void set_task(struct vm *vm)
{
	u64 *gdt = (u64 *)(vm->ram + MODE32_GDT);
	u64 *idt = (u64 *)(vm->ram + MODE32_IDT);

	gdt[SEL_TSS2 / 8] = 0x0000890000000067 | (u64)TSS2 << 16;
	gdt[SEL_GATE / 8] = 0x0000850000000000 | (u64)SEL_TSS2 << 16;
	/* #UD and #GP by task gate */
	idt[6] = 0x0000850000000000 | (u64)SEL_TSS2 << 16;
	idt[13] = 0x0000850000000000 | (u64)SEL_TSS2 << 16;
}

GUEST_CODE(task_call, 32, "lcall $0x20, $0\n hlt\n");
GUEST_CODE(task_gate_call, 32, "lcall $0x28, $0\n hlt\n");
GUEST_CODE(task_jmp, 32, "ljmp $0x20, $0\n hlt\n");
GUEST_CODE(task_iret, 32,
	   "pushf; orl $0x4000, (%esp); popf; iret; hlt\n");
GUEST_CODE(task_ud, 32, "ud2\n");
GUEST_CODE(task_gp, 32, "mov $0xfff8, %eax; mov %eax, %ds\n");

static void test_task_switch(void)
{
	const struct {
		const u8 *code, *end;
		u8 source, has_error;
		u32 error;
	} want[] = {
		{ task_call, task_call_end, 0, 0, 0 },
		{ task_gate_call, task_gate_call_end, 0, 0, 0 },
		{ task_iret, task_iret_end, 1, 0, 0 },
		{ task_jmp, task_jmp_end, 2, 0, 0 },
		{ task_ud, task_ud_end, 3, 0, 0 },
		{ task_gp, task_gp_end, 3, 1, 0xfff8 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		struct vcpu vcpu;
		struct vm vm;

		vm_create(&vm, MVM_VM_EXIT_HLT);
		vm_ram(&vm, SZ_64K);
		vcpu_create(&vcpu, &vm, 0);
		vcpu_protected_mode(&vcpu, 0x3000);
		memcpy(vm.ram + 0x3000, want[i].code, want[i].end - want[i].code);
		set_task(&vm);
		/* the back link of the current TSS */
		*(u16 *)(vm.ram + MODE32_TSS) = SEL_TSS2;
		if (want[i].source == 1) /* IRET returns to a busy task */
			vm.ram[MODE32_GDT + SEL_TSS2 + 5] = 0x8b;
		vcpu_run_to(&vcpu, MVM_EXIT_TASK_SWITCH);
		CHECK_EQ(vcpu.run->task_switch.selector, SEL_TSS2);
		CHECK_EQ(vcpu.run->task_switch.source, want[i].source);
		CHECK_EQ(vcpu.run->task_switch.has_error_code,
			 want[i].has_error);
		if (want[i].has_error)
			CHECK_EQ(vcpu.run->task_switch.error_code,
				 want[i].error);
		vcpu_destroy(&vcpu);
		vm_destroy(&vm);
	}
}

static void test_fail_entry(void)
{
	struct mvm_sregs good, bad;
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_retry, 0);
	vcpu_get_sregs(&vcpu, &good);
	/* L and D at once */
	bad = good;
	bad.cs.access |= 1 << 14;
	vcpu_set_sregs(&vcpu, &bad);
	vcpu_run_to(&vcpu, MVM_EXIT_FAIL_ENTRY);
	/* SDM 3C 27.8: reason 33 with bit 31, no VM-instruction error */
	CHECK_EQ(vcpu.run->fail.instruction_error, 0);
	CHECK_EQ(vcpu.run->hw_reason, 0x80000021);
	vcpu_run_to(&vcpu, MVM_EXIT_FAIL_ENTRY);
	/* TR must be usable */
	bad = good;
	bad.tr.access = MVM_SEGMENT_UNUSABLE;
	vcpu_set_sregs(&vcpu, &bad);
	vcpu_run_to(&vcpu, MVM_EXIT_FAIL_ENTRY);
	/* mended, it runs */
	vcpu_set_sregs(&vcpu, &good);
	guest_vcpu(&vcpu, guest_retry, 0);
	guest_exit(&vcpu, MVM_EXIT_IO);
	guest_sync(&vcpu, 1);
}

static void guest_forever(u64 arg)
{
	volatile u64 *count = (u64 *)GUEST_FREE;

	(void)arg;
	for (;;)
		(*count)++;
}

static void test_async_progress(void)
{
	volatile u64 *count;
	struct vcpu vcpu;
	struct vm vm;
	u64 before;

	guest_create(&vm, &vcpu, 0, guest_forever, 0);
	count = (u64 *)(vm.ram + GUEST_FREE);
	for (int i = 0; i < 5; i++) {
		before = *count;
		vcpu_run_async(&vcpu);
		for (int ms = 0; *count == before; ms++) {
			CHECK(ms < 5000);
			CHECK(!vcpu_poll(&vcpu, 1));
		}
		CHECK_EQ(vcpu_stop(&vcpu), MVM_EXIT_INTR);
		before = *count;
		usleep(1000);
		/* stopped is stopped */
		CHECK_EQ(*count, before);
	}
}

static const struct test tests[] = {
	{ "io: OUT gives port, width, value and length", test_out },
	{ "io: IN changes as many bytes as its width says", test_in },
	{ "io: CPL 3 without IOPL gets #GP and no exit", test_user_out },
	{ "io: INS and OUTS are decoded, also with REP, DF and FS",
	  test_string },
	{ "io: 16-bit INS and OUTS are decoded with each segment",
	  test_string16 },
	{ "run page: all 16 general registers go both ways", test_gprs },
	{ "run page: sync_want brings the system registers", test_sync_want },
	{ "run page: rip or next_rip, as the exit before says", test_rip },
	{ "action: RETRY executes the instruction again", test_retry },
	{ "action: EXCEPTION raises #PF with CR2, #GP with its code, #UD, #DE",
	  test_exception },
	{ "mmio: read, write and read-modify-write say where and how",
	  test_mmio },
	{ "mmio: a fetch says so", test_mmio_fetch },
	{ "mmio: a page walk says so", test_mmio_walk },
	{ "mmio: an exception frame that meets it says so",
	  test_mmio_delivery },
	{ "mmio: a fault as answer to a fault in delivery is #DF, then a shutdown",
	  test_mmio_double },
	{ "hlt: ends the run when the VM asks for it", test_hlt_exit },
	{ "hlt: sleeps in the module when it does not", test_hlt_sleep },
	{ "cpuid: the guest sees the vCPU's table", test_cpuid_table },
	{ "cpuid: a table that user space sets, leaves beyond it",
	  test_cpuid_set },
	{ "cpuid: hypervisor leaves", test_cpuid_hypervisor },
	{ "cpuid: OSXSAVE, APIC and XSAVE size follow the vCPU",
	  test_cpuid_dynamic },
	{ "msr: known ones keep what guest or user space writes", test_msrs },
	{ "msr: unknown ones and refused values give #GP", test_msr_fault },
	{ "msr: read-only ones have what user space gave them",
	  test_msr_read_only },
	{ "msr: unknown ones exit when the policy says FORWARD",
	  test_msr_forward },
	{ "cr0: the guest sees what it wrote; bad values give #GP", test_cr0 },
	{ "cr0: WP protects memory", test_cr0_wp },
	{ "cr4: the guest sees what it wrote; bad values give #GP", test_cr4 },
	{ "cr3: moves both ways", test_cr3 },
	{ "cr8: is the task priority", test_cr8 },
	{ "tlb: INVLPG, CR3 and PGE drop translations", test_tlb },
	{ "dr: moves both ways, also by user space", test_dr },
	{ "dr: GD gives #DB before the access", test_gd },
	{ "db: single step stops after every instruction, handled or not",
	  test_tf },
	{ "db: breakpoints on data and instructions", test_breakpoints },
	{ "db: INT1 and INT3 arrive", test_icebp },
	{ "ac: alignment checks at CPL 3 arrive", test_ac },
	{ "xsetbv: valid values only", test_xsetbv },
	{ "cache: WBINVD, INVD and PAUSE go on", test_cache },
	{ "tsc: RDTSC, RDTSCP and the MSR are one clock", test_tsc },
	{ "vmcall: returns -ENOSYS", test_vmcall },
	{ "vmcall: ends the run when the VM asks for it", test_vmcall_exit },
	{ "vmx: its instructions give #UD", test_vmx },
	{ "not offered: RDPMC gives #GP, MONITOR and MWAIT #UD",
	  test_not_offered },
	{ "shutdown: a triple fault", test_shutdown },
	{ "task switch: selector, source and error code", test_task_switch },
	{ "fail entry: an impossible state, and the mended one runs",
	  test_fail_entry },
	{ "async: a guest advances while it runs and only then",
	  test_async_progress },
};

TEST_MAIN(tests)
