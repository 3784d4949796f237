// SPDX-License-Identifier: GPL-2.0-only
/*
 * state.c - the state of a vCPU: as it comes, as it is set and got, and as it is
 * carried from one VM to another in the middle of its work
 */
#include <stdio.h>
#include <unistd.h>

#include "lib/guest.h"
#include "lib/proc.h"

/* ------------------------------------------------------------------------
 * Power-up
 */

static void check_segment(const struct mvm_segment *s, u16 selector, u64 base,
			  u32 access)
{
	CHECK_EQ(s->selector, selector);
	CHECK_EQ(s->base, base);
	CHECK_EQ(s->limit, 0xffff);
	/* the accessed and busy bits are VMX's wish */
	CHECK_EQ(s->access, access);
}

/* SDM 3A table 10-1 */
static void test_power_up(void)
{
	struct mvm_events e;
	struct mvm_sregs s;
	struct vcpu vcpu;
	struct vm vm;

	vm_create(&vm, 0);
	vcpu_create(&vcpu, &vm, 0);
	vcpu_get_sregs(&vcpu, &s);
	check_segment(&s.cs, 0xf000, 0xffff0000, 0x9b);
	check_segment(&s.ds, 0, 0, 0x93);
	check_segment(&s.es, 0, 0, 0x93);
	check_segment(&s.fs, 0, 0, 0x93);
	check_segment(&s.gs, 0, 0, 0x93);
	check_segment(&s.ss, 0, 0, 0x93);
	CHECK_EQ(s.gdt.base, 0);
	CHECK_EQ(s.gdt.limit, 0xffff);
	CHECK_EQ(s.idt.base, 0);
	CHECK_EQ(s.idt.limit, 0xffff);
	CHECK_EQ(s.cr0, X86_CR0_CD | X86_CR0_NW | X86_CR0_ET);
	CHECK_EQ(s.cr2, 0);
	CHECK_EQ(s.cr3, 0);
	CHECK_EQ(s.cr4, 0);
	CHECK_EQ(s.cr8, 0);
	CHECK_EQ(s.efer, 0);
	CHECK_EQ(s.xcr0, 1);
	CHECK_EQ(s.apic_base, 0xfee00900);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(s.dr[i], 0);
	CHECK_EQ(s.dr6, 0xffff0ff0);
	CHECK_EQ(s.dr7, 0x400);
	CHECK_EQ(vcpu.run->rip, 0xfff0);
	CHECK_EQ(vcpu.run->rflags, RFLAGS_FIXED);
	for (int i = 0; i < MVM_NR_GPRS; i++)
		if (i != MVM_RDX)
			CHECK_EQ(vcpu.run->gpr[i], 0);
	CHECK_EQ(vcpu_get_msr(&vcpu, MSR_PAT), 0x0007040600070406);
	CHECK_EQ(vcpu_get_msr(&vcpu, MSR_LSTAR), 0);
	CHECK_EQ(vcpu_get_msr(&vcpu, MSR_KERNEL_GS_BASE), 0);
	vcpu_get_events(&vcpu, &e);
	CHECK_EQ(e.activity, 0);
	CHECK_EQ(e.interruptibility, 0);
	CHECK_EQ(e.nmi_pending, 0);
	CHECK_EQ(e.intr_line, 0);
}

static void test_application_processor(void)
{
	struct vcpu bsp, ap;
	struct mvm_sregs s;
	struct vm vm;

	if (dev_info()->max_vcpus < 2)
		test_skip("max_vcpus is 1");
	vm_create(&vm, 0);
	vcpu_create(&ap, &vm, 1);
	vcpu_create(&bsp, &vm, 0);
	/* the number makes the bootstrap processor, not the order */
	vcpu_get_sregs(&ap, &s);
	CHECK_EQ(s.apic_base, 0xfee00800);
	vcpu_get_sregs(&bsp, &s);
	CHECK_EQ(s.apic_base, 0xfee00900);
}

/* ------------------------------------------------------------------------
 * Round trips
 */

static void test_sregs(void)
{
	struct mvm_sregs set, get;
	struct mvm_segment *seg;
	struct vcpu vcpu;
	struct vm vm;

	vm_create(&vm, 0);
	vcpu_create(&vcpu, &vm, 0);
	vcpu_get_sregs(&vcpu, &set);
	seg = &set.cs;
	/* cs, ds, es, fs, gs, ss, tr, ldt follow each other */
	for (u32 i = 0; i < 8; i++)
		seg[i] = (struct mvm_segment){
			.base = 0x1000 * (i + 1),
			.limit = 0x10000 + i,
			.access = 0x93 + 0x1000 * (i & 1),
			.selector = 8 * (i + 1),
		};
	set.ldt.access = MVM_SEGMENT_UNUSABLE;
	set.gdt = (struct mvm_table){ .base = 0x123456, .limit = 0x78 };
	set.idt = (struct mvm_table){ .base = 0x654321, .limit = 0x87 };
	set.cr0 = X86_CR0_PE | X86_CR0_ET | X86_CR0_MP | X86_CR0_TS |
		  X86_CR0_AM | X86_CR0_WP | X86_CR0_CD;
	set.cr2 = 0x1122334455667788;
	set.cr3 = 0x5000;
	set.cr4 = X86_CR4_PAE | X86_CR4_MCE | X86_CR4_DE;
	set.cr8 = 7;
	set.efer = EFER_SCE | EFER_LME;
	set.xcr0 = dev_info()->xcr0_mask ? 3 : set.xcr0;
	set.dr[0] = 0x10;
	set.dr[1] = 0x20;
	set.dr[2] = 0x7fffffffffff;
	set.dr[3] = 0xffff800000000000;
	set.dr6 = 0xffff0ff5;
	set.dr7 = 0x455;
	vcpu_set_sregs(&vcpu, &set);
	vcpu_get_sregs(&vcpu, &get);
	for (u32 i = 0; i < sizeof(get); i++)
		if (((u8 *)&get)[i] != ((u8 *)&set)[i])
			FAIL("byte %u: set 0x%x, got 0x%x", i,
			     ((u8 *)&set)[i], ((u8 *)&get)[i]);
	/* SET of what GET gave is always taken */
	vcpu_set_sregs(&vcpu, &get);
}

static const u32 state_msrs[] = {
	MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_STAR, MSR_LSTAR,
	MSR_CSTAR, MSR_FMASK, MSR_KERNEL_GS_BASE, MSR_PAT, MSR_TSC_ADJUST,
};

static void test_msrs(void)
{
	struct mvm_msr_entry e[ARRAY_SIZE(state_msrs)], back[ARRAY_SIZE(e)];
	struct mvm_msrs m = { .count = ARRAY_SIZE(e), .entries = (u64)e };
	struct vcpu vcpu;
	struct vm vm;

	vm_create(&vm, 0);
	vcpu_create(&vcpu, &vm, 0);
	for (size_t i = 0; i < ARRAY_SIZE(e); i++)
		e[i] = (struct mvm_msr_entry){ .index = state_msrs[i],
					       .data = 0x11110000 + i };
	e[8].data = 0x0606060606060600;
	CHECK_OK(mvm_ioctl(vcpu.fd, MVM_SET_MSRS, &m));
	memcpy(back, e, sizeof(e));
	for (size_t i = 0; i < ARRAY_SIZE(e); i++)
		back[i].data = 0;
	m.entries = (u64)back;
	CHECK_OK(mvm_ioctl(vcpu.fd, MVM_GET_MSRS, &m));
	for (size_t i = 0; i < ARRAY_SIZE(e); i++)
		if (e[i].data != back[i].data)
			FAIL("MSR 0x%x: set 0x%llx, got 0x%llx", e[i].index,
			     e[i].data, back[i].data);
}

static void test_events(void)
{
	static const struct mvm_events sets[] = {
		{ .event = MVM_EVENT_EXCEPTION, .vector = 14,
		  .has_error_code = 1, .error_code = 7 },
		{ .event = MVM_EVENT_SOFT_INT, .vector = 0x80, .insn_len = 2 },
		{ .event = MVM_EVENT_INTERRUPT, .vector = 0x77 },
		{ .event = MVM_EVENT_NMI, .vector = 2 },
		{ .interruptibility = 1 },
		{ .interruptibility = 2 },
		{ .interruptibility = 8, .nmi_pending = 1 },
		{ .activity = 1, .intr_line = 1 },
		{ .pending_debug = 1 << 14 },
		{ .event = 0 },
	};
	struct vcpu vcpu;
	struct vm vm;

	vm_create(&vm, 0);
	vcpu_create(&vcpu, &vm, 0);
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		struct mvm_events set = sets[i], get;

		vcpu_set_events(&vcpu, &set);
		vcpu_get_events(&vcpu, &get);
		if (memcmp(&set, &get, sizeof(set)))
			FAIL("set %zu comes back different", i);
	}
}

/* ------------------------------------------------------------------------
 * Time
 */

static void guest_tsc(u64 has_adjust)
{
	u64 t, adjust;

	/* user space has set it */
	t = grdtsc();
	GUEST_ASSERT(t >= 1UL << 40 && t < (1UL << 40) + (1UL << 36));
	gwrmsr(MSR_TSC, 5UL << 40);
	t = grdtsc();
	GUEST_ASSERT(t >= 5UL << 40 && t < (5UL << 40) + (1UL << 36));
	GUEST_SYNC(1);
	if (!has_adjust)
		return;
	/* SDM 3B 18.17.3: a write of one moves the other */
	adjust = grdmsr(MSR_TSC_ADJUST);
	t = grdtsc();
	gwrmsr(MSR_TSC_ADJUST, adjust + (1UL << 38));
	GUEST_ASSERT(grdtsc() - t >= 1UL << 38);
	GUEST_EQ(grdmsr(MSR_TSC_ADJUST), adjust + (1UL << 38));
	t = grdtsc();
	gwrmsr(MSR_TSC, t + (1UL << 37));
	GUEST_ASSERT(grdmsr(MSR_TSC_ADJUST) - adjust >=
		     (1UL << 38) + (1UL << 37) - (1UL << 32));
	GUEST_SYNC(2);
}

static void test_tsc(void)
{
	struct mvm_cpuid_entry entries[MVM_CPUID_MAX];
	struct mvm_cpuid a = { .count = MVM_CPUID_MAX,
			       .entries = (u64)entries };
	bool has_adjust = false;
	struct vcpu vcpu;
	struct vm vm;
	u64 t;

	guest_create(&vm, &vcpu, 0, guest_tsc, 0);
	CHECK_OK(mvm_ioctl(vcpu.fd, MVM_GET_CPUID, &a));
	for (u32 i = 0; i < a.count; i++)
		if (entries[i].function == 7 && entries[i].index == 0)
			has_adjust = entries[i].ebx & 2;
	vcpu.run->gpr[MVM_RDI] = has_adjust;
	vcpu_set_msr(&vcpu, MSR_TSC, 1UL << 40);
	guest_sync(&vcpu, 1);
	t = vcpu_get_msr(&vcpu, MSR_TSC);
	CHECK(t >= 5UL << 40 && t < (5UL << 40) + (1UL << 36));
	/* it goes on while the vCPU is stopped */
	usleep(10000);
	CHECK(vcpu_get_msr(&vcpu, MSR_TSC) > t);
	if (has_adjust)
		guest_sync(&vcpu, 2);
	guest_done(&vcpu);
}

/* ------------------------------------------------------------------------
 * From one VM to the next
 */

static volatile u64 result, steps, traps;

static void on_step_trap(struct trap_frame *frame)
{
	traps++;
	/* UD2 has two bytes */
	frame->rip += 2;
}

static u64 mix(u64 a, u64 b)
{
	a ^= b;
	a *= 0x9e3779b97f4a7c15;
	return a ^ a >> 29;
}

/*
 * A computation over registers of every kind, memory, exceptions and exits,
 * whose result no stop may change.
 */
static void guest_work(u64 n)
{
	u64 h = 1, *mem = (u64 *)GUEST_FREE;

	guest_handler[6] = on_step_trap;
	gwrmsr(MSR_LSTAR, 0x1000);
	gwrite_dr0(0x2000);
	asm volatile("movq %0, %%xmm5" : : "r"(0x12345678UL));
	gwrmsr(MSR_APIC_BASE, grdmsr(MSR_APIC_BASE) | 1 << 10);
	gwrmsr(0x80f, 0x1ff);
	for (u64 i = 0; i < n; i++) {
		u64 x;

		h = mix(h, i);
		mem[h % 8192] += h;
		h = mix(h, mem[(h >> 20) % 8192]);
		switch (h >> 60) {
		case 0:
			asm volatile("ud2");
			h = mix(h, traps);
			break;
		case 1:
			gwrmsr(MSR_LSTAR, grdmsr(MSR_LSTAR) + 1);
			break;
		case 2:
			gwrite_dr0(gread_dr0() + 1);
			break;
		case 3:
			gwrite_cr2(gread_cr2() + 8);
			break;
		case 4:
			asm volatile("movq %%xmm5, %0; add $3, %0\n\t"
				     "movq %0, %%xmm5" : "=&r"(x));
			break;
		case 5:
			gwrite_cr8(h >> 8 & 15);
			break;
		case 6:
			/* an interrupt request that stays */
			gwrmsr(0x83f, 0x20 + (h >> 8) % 200);
			break;
		}
	}
	h = mix(h, grdmsr(MSR_LSTAR));
	h = mix(h, gread_dr0());
	h = mix(h, gread_cr2());
	h = mix(h, gread_cr8());
	for (u32 i = 0; i < 8; i++)
		h = mix(h, grdmsr(0x820 + i));
	asm volatile("movq %%xmm5, %0" : "=r"(result));
	result = mix(h, result);
}

/* Everything that a snapshot holds. */
static void carry_over(struct vcpu *from, struct vcpu *to)
{
	static u8 xsave[16384] __attribute__((aligned(64)));
	struct mvm_xsave x = {
		.length = dev_info()->xsave_size, .buffer = (u64)xsave
	};
	struct mvm_msr_entry e[ARRAY_SIZE(state_msrs)];
	struct mvm_msrs m = { .count = ARRAY_SIZE(e), .entries = (u64)e };
	struct mvm_lapic lapic = { 0 };
	struct mvm_events events;
	struct mvm_sregs sregs;

	vcpu_get_sregs(from, &sregs);
	vcpu_set_sregs(to, &sregs);
	memset(e, 0, sizeof(e));
	for (size_t i = 0; i < ARRAY_SIZE(e); i++)
		e[i].index = state_msrs[i];
	CHECK_OK(mvm_ioctl(from->fd, MVM_GET_MSRS, &m));
	CHECK_OK(mvm_ioctl(to->fd, MVM_SET_MSRS, &m));
	CHECK_OK(mvm_ioctl(from->fd, MVM_GET_XSAVE, &x));
	CHECK_OK(mvm_ioctl(to->fd, MVM_SET_XSAVE, &x));
	CHECK_OK(mvm_ioctl(from->fd, MVM_GET_LAPIC, &lapic));
	CHECK_OK(mvm_ioctl(to->fd, MVM_SET_LAPIC, &lapic));
	vcpu_get_events(from, &events);
	vcpu_set_events(to, &events);
	memcpy(to->run->gpr, from->run->gpr, sizeof(to->run->gpr));
	to->run->rip = from->run->rip;
	to->run->next_rip = from->run->next_rip;
	to->run->rflags = from->run->rflags;
	memcpy(to->vm->ram, from->vm->ram, GUEST_RAM);
}

#define WORK	20000

static void test_copy(void)
{
	struct random r = { .state = 31 };
	struct vcpu vcpu[2];
	unsigned int moves = 0, at = 0;
	struct vm vm[2];
	u64 want;

	guest_create(&vm[0], &vcpu[0], 0, guest_work, WORK);
	guest_done(&vcpu[0]);
	want = *GUEST_VAR(&vm[0], result);
	CHECK(*GUEST_VAR(&vm[0], traps) > 10);
	vcpu_destroy(&vcpu[0]);
	vm_destroy(&vm[0]);

	guest_create(&vm[0], &vcpu[0], 0, guest_work, WORK);
	for (;;) {
		struct vcpu *v = &vcpu[at];

		vcpu_run_async(v);
		if (moves < 12)
			sleep_ns(random_below(&r, 400000));
		else
			vcpu_poll(v, 10000);
		if (vcpu_stop(v) != MVM_EXIT_INTR)
			break;
		guest_create(&vm[at ^ 1], &vcpu[at ^ 1], 0, guest_work, 0);
		carry_over(v, &vcpu[at ^ 1]);
		vcpu_destroy(v);
		vm_destroy(&vm[at]);
		at ^= 1;
		moves++;
	}
	guest_check(&vcpu[at]);
	CHECK(guest_is_done(&vcpu[at]));
	diag("moved %u times", moves);
	CHECK(moves > 0);
	CHECK_EQ(*GUEST_VAR(&vm[at], result), want);
}

/* In the middle of a delivery: the event goes along and arrives once. */
static void guest_event(u64 arg)
{
	(void)arg;
	guest_handler[6] = on_step_trap;
	asm volatile("outl %0, %1; ud2" : : "a"(1), "d"((u16)PORT_SYNC));
	GUEST_EQ(traps, 1);
}

static void test_copy_event(void)
{
	struct vcpu from, to;
	struct vm a, b;

	guest_create(&a, &from, 0, guest_event, 0);
	guest_sync(&from, 1);
	/* the UD2 follows: raise #UD there */
	from.run->rip = from.run->next_rip;
	from.run->exception = (struct mvm_exception){ .vector = 6 };
	from.run->action = MVM_ACTION_EXCEPTION;
	from.run->immediate_exit = 1;
	vcpu_run_to(&from, MVM_EXIT_INTR);
	guest_create(&b, &to, 0, guest_event, 0);
	carry_over(&from, &to);
	guest_done(&to);
}

static const struct test tests[] = {
	{ "power-up: every register as the SDM gives it", test_power_up },
	{ "power-up: number 0 is the bootstrap processor",
	  test_application_processor },
	{ "sregs: what is set is got, byte for byte", test_sregs },
	{ "msrs: what is set is got", test_msrs },
	{ "events: what is set is got", test_events },
	{ "tsc: user space and guest set it; TSC_ADJUST follows", test_tsc },
	{ "copy: a guest goes on in other VMs with the same result", test_copy,
	  60 },
	{ "copy: an event on its way goes along", test_copy_event },
};

TEST_MAIN(tests)
