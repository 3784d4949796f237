// SPDX-License-Identifier: GPL-2.0-only
/*
 * guest.c - guests in 64-bit mode
 */
#include <stdio.h>

#include "guest.h"

extern char __executable_start[], _end[];
extern char guest_stubs[], guest_return[];

volatile struct guest_report guest_report;
volatile struct guest_trap guest_trap;
volatile u64 guest_recover;
void (*volatile guest_handler[256])(struct trap_frame *frame);
volatile u32 guest_count[256];

/* ------------------------------------------------------------------------
 * Runs in the guest
 */

_Noreturn void guest_fail(const char *file, u64 line, const char *text, u64 a,
			  u64 b)
{
	guest_report.file = file;
	guest_report.line = line;
	guest_report.text = text;
	guest_report.a = a;
	guest_report.b = b;
	for (;;)
		gout32(PORT_FAIL, 0);
}

void guest_trap_c(struct trap_frame *frame);

/* Every exception and interrupt of the guest, from the stubs in trap.S. */
void __attribute__((used)) guest_trap_c(struct trap_frame *frame)
{
	u64 vector = frame->vector;

	guest_count[vector]++;
	if (vector < 32) {
		guest_trap.error = frame->error;
		guest_trap.rip = frame->rip;
		guest_trap.rflags = frame->rflags;
		guest_trap.rsp = frame->rsp;
		guest_trap.cr2 = gread_cr2();
		guest_trap.dr6 = gread_dr6();
		guest_trap.vector = vector;
	}
	if (guest_handler[vector]) {
		guest_handler[vector](frame);
	} else if (vector < 32 && guest_recover) {
		frame->rip = guest_recover;
		frame->rflags &= ~RFLAGS_TF;
		guest_recover = 0;
	} else {
		guest_fail(__FILE__, __LINE__,
			   "unexpected trap (a: vector, b: rip)", vector,
			   frame->rip);
	}
}

/* The stack and the place of the call that guest_user_call() returns from. */
static volatile u64 user_rsp, user_rip;

static void user_back(struct trap_frame *frame)
{
	frame->cs = SEL_CODE64;
	frame->ss = SEL_DATA;
	frame->rsp = user_rsp;
	frame->rip = user_rip;
}

static void __attribute__((used)) user_end(void)
{
	asm volatile("int %0" : : "i"(GUEST_USER_VECTOR));
}

void guest_user_call(void (*fn)(void))
{
	u64 stack = GUEST_STACK_USER - 8;

	guest_handler[GUEST_USER_VECTOR] = user_back;
	*(volatile u64 *)stack = (u64)user_end;
	/* every register but RSP may come back changed */
	asm volatile("push %%rbp\n\t"
		     "push %%rbx\n\t"
		     "mov %%rsp, user_rsp\n\t"
		     "movq $1f, user_rip\n\t"
		     "pushfq\n\t"
		     "pop %%rax\n\t"
		     "push %[ss]\n\t"
		     "push %[stack]\n\t"
		     "push %%rax\n\t"
		     "push %[cs]\n\t"
		     "push %[fn]\n\t"
		     "iretq\n"
		     "1:\tpop %%rbx\n\t"
		     "pop %%rbp\n\t"
		     : [stack] "+r"(stack), [fn] "+r"(fn)
		     : [ss] "i"(SEL_USER_DATA), [cs] "i"(SEL_USER_CODE64)
		     : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10",
		       "r11", "r12", "r13", "memory", "cc");
}

/* ------------------------------------------------------------------------
 * Runs on the host
 */

struct gate {
	u16 offset0;
	u16 selector;
	u8 ist;
	u8 type;
	u16 offset1;
	u32 offset2;
	u32 zero;
};

static void make_tables(struct vm *vm)
{
	static const u64 gdt[] = {
		[SEL_CODE64 / 8] = 0x00af9b000000ffff,
		[SEL_DATA / 8] = 0x00cf93000000ffff,
		[SEL_CODE32 / 8] = 0x00cf9b000000ffff,
		[SEL_USER_DATA / 8] = 0x00cff3000000ffff,
		[SEL_USER_CODE64 / 8] = 0x00affb000000ffff,
		[SEL_USER_CODE32 / 8] = 0x00cffb000000ffff,
		[SEL_TSS / 8] = 0x00008b0000000067 | (u64)GUEST_TSS << 16,
		[SEL_TSS / 8 + 1] = 0,
	};
	u64 *pml4 = (u64 *)(vm->ram + GUEST_PML4);
	u64 *pdpt = pml4 + 512, *pd = pdpt + 512;
	struct gate *idt = (struct gate *)(vm->ram + GUEST_IDT);

	pml4[0] = (GUEST_PML4 + 0x1000) | 7;
	for (u64 i = 0; i < GUEST_MAPPED >> 30; i++)
		pdpt[i] = (GUEST_PML4 + 0x2000 + i * 0x1000) | 7;
	for (u64 i = 0; i < GUEST_MAPPED >> 21; i++)
		pd[i] = i << 21 | 0x87;
	memcpy(vm->ram + GUEST_GDT, gdt, sizeof(gdt));
	for (u64 i = 0; i < 256; i++) {
		u64 stub = (u64)guest_stubs + 16 * i;

		idt[i] = (struct gate){
			.offset0 = stub,
			.selector = SEL_CODE64,
			.type = i == 3 || i == 4 || i == GUEST_USER_VECTOR ?
					0xee : 0x8e,
			.offset1 = stub >> 16,
			.offset2 = stub >> 32,
		};
	}
	*(u64 *)(vm->ram + GUEST_TSS + 4) = GUEST_STACK_TRAP;
	*(u64 *)(vm->ram + GUEST_TSS + 0x24) = GUEST_STACK_IST;
	/* no I/O bitmap */
	*(u16 *)(vm->ram + GUEST_TSS + 0x66) = 0xffff;
}

void guest_image(struct vm *vm)
{
	CHECK((u64)__executable_start >= GUEST_STACK(0));
	CHECK((u64)_end <= GUEST_RAM);
	vm_ram(vm, GUEST_RAM);
	memcpy(vm->ram + (u64)__executable_start, __executable_start,
	       _end - __executable_start);
	make_tables(vm);
}

void guest_vcpu(struct vcpu *vcpu, void (*fn)(u64 arg), u64 arg)
{
	struct mvm_segment data = {
		.limit = 0xffffffff,
		.access = 0xc093,
		.selector = SEL_DATA,
	};
	u64 rsp = GUEST_STACK(vcpu->id) - 8;
	struct mvm_sregs s;

	vcpu_get_sregs(vcpu, &s);
	s.cs = data;
	s.cs.access = 0xa09b;
	s.cs.selector = SEL_CODE64;
	s.ds = s.es = s.fs = s.gs = s.ss = data;
	s.tr = (struct mvm_segment){
		.base = GUEST_TSS,
		.limit = 0x67,
		.access = 0x8b,
		.selector = SEL_TSS,
	};
	s.ldt = (struct mvm_segment){ .access = MVM_SEGMENT_UNUSABLE };
	s.gdt = (struct mvm_table){ .base = GUEST_GDT, .limit = 0x4f };
	s.idt = (struct mvm_table){ .base = GUEST_IDT, .limit = 0xfff };
	s.cr0 = X86_CR0_PE | X86_CR0_MP | X86_CR0_ET | X86_CR0_NE | X86_CR0_WP |
		X86_CR0_PG;
	s.cr3 = GUEST_PML4;
	s.cr4 = X86_CR4_PAE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT;
	s.efer = EFER_LME | EFER_LMA;
	vcpu_set_sregs(vcpu, &s);

	*(u64 *)(vcpu->vm->ram + rsp) = (u64)guest_return;
	memset(vcpu->run->gpr, 0, sizeof(vcpu->run->gpr));
	vcpu->run->gpr[MVM_RSP] = rsp;
	vcpu->run->gpr[MVM_RDI] = arg;
	vcpu->run->rip = (u64)fn;
	vcpu->run->next_rip = (u64)fn;
	vcpu->run->rflags = RFLAGS_FIXED;
}

void guest_create(struct vm *vm, struct vcpu *vcpu, u32 flags,
		  void (*fn)(u64 arg), u64 arg)
{
	vm_create(vm, flags);
	guest_image(vm);
	vcpu_create(vcpu, vm, 0);
	guest_vcpu(vcpu, fn, arg);
}

static bool is_out(const struct vcpu *vcpu, u16 port)
{
	return vcpu->run->exit_reason == MVM_EXIT_IO &&
	       vcpu->run->io.port == port &&
	       !(vcpu->run->io.flags & MVM_IO_IN);
}

bool guest_is_sync(const struct vcpu *vcpu, u32 value)
{
	return is_out(vcpu, PORT_SYNC) && vcpu->run->io.data == value;
}

bool guest_is_done(const struct vcpu *vcpu)
{
	return is_out(vcpu, PORT_DONE);
}

void guest_check(struct vcpu *vcpu)
{
	volatile struct guest_report *r = GUEST_VAR(vcpu->vm, guest_report);

	if (!is_out(vcpu, PORT_FAIL))
		return;
	test_fail(r->file, r->line, "guest: %s (0x%llx, 0x%llx)", r->text,
		  (unsigned long long)r->a, (unsigned long long)r->b);
}

u32 guest_run(struct vcpu *vcpu)
{
	vcpu_run(vcpu);
	guest_check(vcpu);
	return vcpu->run->exit_reason;
}

static _Noreturn void unexpected(struct vcpu *vcpu, const char *want,
				 const char *file, int line)
{
	volatile struct guest_trap *t = GUEST_VAR(vcpu->vm, guest_trap);

	if (vcpu->run->exit_reason == MVM_EXIT_SHUTDOWN)
		diag("last exception: %lld rip 0x%llx", (long long)t->vector,
		     (unsigned long long)t->rip);
	test_fail(file, line, "exit is %s, not %s", exit_text(vcpu), want);
}

void guest_sync_at(struct vcpu *vcpu, u32 value, const char *file, int line)
{
	char want[32];

	guest_run(vcpu);
	if (guest_is_sync(vcpu, value))
		return;
	snprintf(want, sizeof(want), "GUEST_SYNC(0x%x)", value);
	unexpected(vcpu, want, file, line);
}

void guest_exit_at(struct vcpu *vcpu, u32 reason, const char *file, int line)
{
	if (guest_run(vcpu) != reason)
		unexpected(vcpu, exit_name(reason), file, line);
}

void guest_done_at(struct vcpu *vcpu, const char *file, int line)
{
	guest_run(vcpu);
	if (!guest_is_done(vcpu))
		unexpected(vcpu, "the guest's end", file, line);
}
