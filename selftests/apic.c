// SPDX-License-Identifier: GPL-2.0-only
/*
 * apic.c - the local APIC: registers and modes, priorities, IPIs, MSIs, errors,
 * the timer in its three modes
 *
 * Guests use the x2APIC; the xAPIC is reached as user space reaches it, by
 * MVM_LAPIC_ACCESS.
 */
#include <stdio.h>
#include <unistd.h>

#include "lib/guest.h"

/* register offsets of the xAPIC; the x2APIC's MSR is 0x800 + offset / 16 */
#define R_ID		0x020
#define R_VERSION	0x030
#define R_TPR		0x080
#define R_PPR		0x0a0
#define R_EOI		0x0b0
#define R_LDR		0x0d0
#define R_DFR		0x0e0
#define R_SVR		0x0f0
#define R_ISR		0x100
#define R_TMR		0x180
#define R_IRR		0x200
#define R_ESR		0x280
#define R_ICR		0x300
#define R_ICR2		0x310
#define R_LVTT		0x320
#define R_LVT0		0x350
#define R_LVT1		0x360
#define R_LVTERR	0x370
#define R_TMICT		0x380
#define R_TMCCT		0x390
#define R_TDCR		0x3e0
#define R_SELF		0x3f0

#define BASE_ENABLE	(1UL << 11)
#define BASE_X2APIC	(1UL << 10)
#define LVT_MASKED	(1U << 16)
#define LVT_PERIODIC	(1U << 17)
#define LVT_DEADLINE	(2U << 17)

/* ------------------------------------------------------------------------
 * The guest's side
 */

static u64 rd(u32 reg)
{
	return grdmsr(0x800 + (reg >> 4));
}

static void wr(u32 reg, u64 value)
{
	gwrmsr(0x800 + (reg >> 4), value);
}

static u64 try_rd(u32 reg)
{
	u64 v;

	return try_rdmsr(0x800 + (reg >> 4), &v);
}

static u64 try_wr(u32 reg, u64 value)
{
	return try_wrmsr(0x800 + (reg >> 4), value);
}

static bool bit_of(u32 reg, u32 vector)
{
	return rd(reg + (vector / 32) * 0x10) >> (vector % 32) & 1;
}

/* Vectors in the order of their handlers; the highest in service meanwhile. */
static volatile u32 order[64], n_order;
static volatile u64 last_tsc;

static void on_irq(struct trap_frame *frame)
{
	last_tsc = grdtsc();
	if (n_order < ARRAY_SIZE(order))
		order[n_order] = frame->vector;
	n_order++;
	wr(R_EOI, 0);
}

/*
 * So that no delivery meets a page that is not mapped yet: of the CPU's own
 * deliveries Bochs does not tell then what they were.
 */
static void touch_tables(void)
{
	*(volatile u64 *)GUEST_GDT;
	*(volatile u64 *)GUEST_IDT;
	asm volatile("push %rax; pop %rax");
}

static void start_x2apic(void)
{
	touch_tables();
	gwrmsr(MSR_APIC_BASE, grdmsr(MSR_APIC_BASE) | BASE_X2APIC);
	wr(R_SVR, 0x1ff);
	for (int i = 32; i < 256; i++)
		if (i != GUEST_USER_VECTOR)
			guest_handler[i] = on_irq;
}

/* A window of a few instructions. */
static void window(void)
{
	asm volatile("sti; nop; nop; cli" : : : "memory");
}

/* ------------------------------------------------------------------------
 * The host's side
 */

static u32 lapic_read(struct vcpu *vcpu, u32 offset)
{
	struct mvm_lapic_access a = { .offset = offset };

	CHECK_OK(mvm_ioctl(vcpu->fd, MVM_LAPIC_ACCESS, &a));
	return a.value;
}

static void lapic_write(struct vcpu *vcpu, u32 offset, u32 value)
{
	struct mvm_lapic_access a = {
		.flags = MVM_LAPIC_WRITE, .offset = offset, .value = value
	};

	CHECK_OK(mvm_ioctl(vcpu->fd, MVM_LAPIC_ACCESS, &a));
}

static int try_msi(struct vm *vm, u64 address, u32 data)
{
	struct mvm_msi m = { .address = address, .data = data };

	return mvm_ioctl(vm->fd, MVM_SIGNAL_MSI, &m);
}

static void send_msi(struct vm *vm, u32 data)
{
	CHECK_OK(try_msi(vm, 0xfee00000, data));
}

/* A guest that needs nothing but to reach its end. */
static void run_guest(void (*fn)(u64), u64 arg)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, fn, arg);
	guest_done(&vcpu);
}

/* ------------------------------------------------------------------------
 * Registers and modes
 */

static void guest_nothing(u64 arg)
{
	(void)arg;
}

static void test_reset(void)
{
	struct vcpu vcpu;
	struct vm vm;
	u32 version;

	guest_create(&vm, &vcpu, 0, guest_nothing, 0);
	CHECK_EQ(lapic_read(&vcpu, R_ID), 0);
	version = lapic_read(&vcpu, R_VERSION);
	/* an integrated APIC with at least timer, LINT0, LINT1 and error */
	CHECK((version & 0xff) >= 0x10 && (version & 0xff) <= 0x15);
	CHECK((version >> 16 & 0xff) >= 3);
	CHECK_EQ(lapic_read(&vcpu, R_TPR), 0);
	CHECK_EQ(lapic_read(&vcpu, R_PPR), 0);
	CHECK_EQ(lapic_read(&vcpu, R_LDR), 0);
	CHECK_EQ(lapic_read(&vcpu, R_DFR), 0xffffffff);
	CHECK_EQ(lapic_read(&vcpu, R_SVR), 0xff);
	CHECK_EQ(lapic_read(&vcpu, R_ESR), 0);
	CHECK_EQ(lapic_read(&vcpu, R_LVTT), LVT_MASKED);
	CHECK_EQ(lapic_read(&vcpu, R_LVT0), LVT_MASKED);
	CHECK_EQ(lapic_read(&vcpu, R_LVT1), LVT_MASKED);
	CHECK_EQ(lapic_read(&vcpu, R_LVTERR), LVT_MASKED);
	CHECK_EQ(lapic_read(&vcpu, R_TMICT), 0);
	CHECK_EQ(lapic_read(&vcpu, R_TMCCT), 0);
	for (u32 i = 0; i < 0x80; i += 0x10) {
		CHECK_EQ(lapic_read(&vcpu, R_ISR + i), 0);
		CHECK_EQ(lapic_read(&vcpu, R_TMR + i), 0);
		CHECK_EQ(lapic_read(&vcpu, R_IRR + i), 0);
	}
}

static void guest_ids(u64 id)
{
	start_x2apic();
	GUEST_EQ(rd(R_ID), id);
	GUEST_EQ(rd(R_LDR), id / 16 << 16 | 1 << id % 16);
}

static void test_ids(void)
{
	u32 max = dev_info()->max_vcpus;
	const u32 ids[] = { 0, max - 1 };

	for (size_t i = 0; i < (max > 1 ? 2 : 1); i++) {
		struct vcpu vcpu;
		struct vm vm;

		vm_create(&vm, 0);
		guest_image(&vm);
		vcpu_create(&vcpu, &vm, ids[i]);
		CHECK_EQ(lapic_read(&vcpu, R_ID), ids[i] << 24);
		/* the stacks are made for low numbers */
		vcpu.id = 0;
		guest_vcpu(&vcpu, guest_ids, ids[i]);
		guest_done(&vcpu);
		vcpu_destroy(&vcpu);
		vm_destroy(&vm);
	}
}

static void guest_modes(u64 arg)
{
	u64 base = grdmsr(MSR_APIC_BASE);
	u64 xapic = base, off = base & ~BASE_ENABLE, x2 = base | BASE_X2APIC;

	(void)arg;
	/* the bootstrap processor, enabled */
	GUEST_EQ(base, 0xfee00900);
	/* MSRs of the x2APIC are not there in xAPIC mode */
	GUEST_EQ(try_rd(R_ID), 13);
	GUEST_EQ(try_wr(R_TPR, 0), 13);
	GUEST_EQ(try_wrmsr(MSR_APIC_BASE, off | BASE_X2APIC), 13);
	GUEST_EQ(try_wrmsr(MSR_APIC_BASE, base | 1), 13);
	GUEST_EQ(try_wrmsr(MSR_APIC_BASE, base | 1UL << 63), 13);
	GUEST_EQ(try_wrmsr(MSR_APIC_BASE, x2), NO_TRAP);
	GUEST_EQ(grdmsr(MSR_APIC_BASE), x2);
	GUEST_EQ(try_rd(R_ID), NO_TRAP);
	/* from x2APIC the only way is off */
	GUEST_EQ(try_wrmsr(MSR_APIC_BASE, xapic), 13);
	GUEST_EQ(try_wrmsr(MSR_APIC_BASE, off | BASE_X2APIC), 13);
	GUEST_EQ(grdmsr(MSR_APIC_BASE), x2);
	GUEST_EQ(try_wrmsr(MSR_APIC_BASE, off), NO_TRAP);
	GUEST_EQ(try_rd(R_ID), 13);
	/* from off the only way is xAPIC */
	GUEST_EQ(try_wrmsr(MSR_APIC_BASE, x2), 13);
	GUEST_EQ(try_wrmsr(MSR_APIC_BASE, xapic), NO_TRAP);
	GUEST_EQ(try_wrmsr(MSR_APIC_BASE, x2), NO_TRAP);
}

static void test_modes(void)
{
	run_guest(guest_modes, 0);
}

static void guest_rules(u64 arg)
{
	static const u32 absent[] = {
		0x000, 0x010, 0x040, 0x050, 0x090, 0x0c0, R_DFR, 0x290, R_ICR2,
		0x3a0, 0x3b0, 0x3c0, 0x3d0, 0x400, 0x7f0, 0xff0
	};
	static const u32 read_only[] = {
		R_ID, R_VERSION, R_PPR, R_LDR, R_ISR, R_ISR + 0x70, R_TMR,
		R_IRR, R_TMCCT
	};

	(void)arg;
	start_x2apic();
	for (u32 i = 0; i < ARRAY_SIZE(absent); i++) {
		GUEST_EQ(try_rd(absent[i]), 13);
		GUEST_EQ(try_wr(absent[i], 0), 13);
	}
	for (u32 i = 0; i < ARRAY_SIZE(read_only); i++) {
		GUEST_EQ(try_rd(read_only[i]), NO_TRAP);
		GUEST_EQ(try_wr(read_only[i], 0), 13);
	}
	/* write-only; only zero; only what has a meaning */
	GUEST_EQ(try_rd(R_EOI), 13);
	GUEST_EQ(try_rd(R_SELF), 13);
	GUEST_EQ(try_wr(R_EOI, 1), 13);
	GUEST_EQ(try_wr(R_EOI, 0), NO_TRAP);
	GUEST_EQ(try_wr(R_ESR, 1), 13);
	GUEST_EQ(try_wr(R_ESR, 0), NO_TRAP);
	GUEST_EQ(try_wr(R_TPR, 0x100), 13);
	GUEST_EQ(try_wr(R_TPR, 1UL << 32), 13);
	GUEST_EQ(try_wr(R_SELF, 0x100), 13);
	GUEST_EQ(try_wr(R_LVTT, 1UL << 8), 13);
	GUEST_EQ(try_wr(R_LVTT, 1UL << 32), 13);
	GUEST_EQ(try_wr(R_LVT0, 1UL << 17), 13);
	GUEST_EQ(try_wr(R_TDCR, 1UL << 4), 13);
	GUEST_EQ(try_wr(R_SVR, 1UL << 31), 13);
	GUEST_EQ(try_wr(R_ICR, 1UL << 20), 13);
	/* what is written is there */
	wr(R_TPR, 0x25);
	GUEST_EQ(rd(R_TPR), 0x25);
	GUEST_EQ(gread_cr8(), 2);
	gwrite_cr8(3);
	GUEST_EQ(rd(R_TPR), 0x30);
	GUEST_EQ(rd(R_PPR), 0x30);
	gwrite_cr8(0);
	wr(R_LVTT, LVT_MASKED | 0x50);
	GUEST_EQ(rd(R_LVTT), LVT_MASKED | 0x50);
	wr(R_LVT1, 0x400);
	GUEST_EQ(rd(R_LVT1), 0x400);
	wr(R_TDCR, 0xb);
	GUEST_EQ(rd(R_TDCR), 0xb);
}

static void test_rules(void)
{
	run_guest(guest_rules, 0);
}

/* The guest's own access to the xAPIC page, served by user space or the CPU. */
static void guest_xapic(u64 arg)
{
	u32 v;

	(void)arg;
	guest_handler[0x55] = on_irq;
	asm volatile("movl (%%rdx), %%eax"
		     : "=a"(v) : "d"(0xfee00000 + R_VERSION) : "memory");
	GUEST_ASSERT((v & 0xff) >= 0x10);
	asm volatile("movl %%eax, (%%rdx)"
		     : : "a"(0x1ff), "d"(0xfee00000 + R_SVR) : "memory");
	asm volatile("movl (%%rdx), %%eax"
		     : "=a"(v) : "d"(0xfee00000 + R_SVR) : "memory");
	GUEST_EQ(v, 0x1ff);
	/* an IPI to itself */
	asm volatile("movl %%eax, (%%rdx)"
		     : : "a"(0x40055), "d"(0xfee00000 + R_ICR) : "memory");
	guest_handler[0x55] = NULL;
	GUEST_SYNC(1);
}

/* What user space served of the guest's accesses to the xAPIC. */
struct served {
	u32 reads, writes;
};

/* To the next exit that is no access of xrd() or xwr(), or like them. */
static u32 serve_xapic(struct vcpu *vcpu, struct served *served)
{
	struct mvm_run *run = vcpu->run;
	u32 offset, reason;

	while ((reason = guest_run(vcpu)) == MVM_EXIT_MMIO) {
		CHECK_EQ(run->mmio.gpa >> 12, 0xfee00);
		offset = run->mmio.gpa & 0xfff;
		if (run->mmio.flags & MVM_MMIO_WRITE) {
			lapic_write(vcpu, offset, run->gpr[MVM_RAX]);
			served->writes++;
		} else {
			run->gpr[MVM_RAX] = lapic_read(vcpu, offset);
			served->reads++;
		}
		run->next_rip = run->rip + 2;
	}
	return reason;
}

static void test_xapic(void)
{
	u32 expected = dev_info()->capabilities & MVM_CAP_APICV ? 0 : 2;
	struct served served = { 0 };
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_xapic, 0);
	serve_xapic(&vcpu, &served);
	CHECK(guest_is_sync(&vcpu, 1));
	CHECK_EQ(served.reads, expected);
	CHECK_EQ(served.writes, expected);
	/* IF is clear: the IPI waits */
	CHECK_EQ(lapic_read(&vcpu, R_IRR + 0x20), 1 << (0x55 - 0x40));
	guest_done(&vcpu);
}

/* ------------------------------------------------------------------------
 * Priorities
 */

static void guest_priorities(u64 arg)
{
	(void)arg;
	start_x2apic();
	GUEST_SYNC(1);
	GUEST_EQ(bit_of(R_IRR, 0x41), 1);
	GUEST_EQ(bit_of(R_IRR, 0x61), 1);
	GUEST_EQ(bit_of(R_IRR, 0x62), 1);
	GUEST_EQ(bit_of(R_IRR, 0x63), 0);
	/* a class as high as the task's is not delivered */
	wr(R_TPR, 0x60);
	window();
	GUEST_EQ(n_order, 0);
	wr(R_TPR, 0x5f);
	window();
	GUEST_EQ(n_order, 2);
	GUEST_EQ(order[0], 0x62);
	GUEST_EQ(order[1], 0x61);
	GUEST_EQ(bit_of(R_IRR, 0x41), 1);
	GUEST_EQ(bit_of(R_IRR, 0x62), 0);
	gwrite_cr8(0);
	window();
	GUEST_EQ(n_order, 3);
	GUEST_EQ(order[2], 0x41);
}

static void test_priorities(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_priorities, 0);
	guest_sync(&vcpu, 1);
	send_msi(&vm, 0x41);
	send_msi(&vm, 0x62);
	send_msi(&vm, 0x61);
	send_msi(&vm, 0x62);
	guest_done(&vcpu);
}

static void on_nesting(struct trap_frame *frame)
{
	GUEST_EQ(frame->vector, 0x55);
	GUEST_EQ(bit_of(R_ISR, 0x55), 1);
	GUEST_EQ(bit_of(R_IRR, 0x55), 0);
	GUEST_EQ(rd(R_PPR), 0x50);
	order[n_order++] = frame->vector;
	/* same class, lower and higher: only the higher class nests */
	wr(R_SELF, 0x58);
	wr(R_SELF, 0x42);
	wr(R_SELF, 0x91);
	window();
	GUEST_EQ(n_order, 2);
	GUEST_EQ(order[1], 0x91);
	GUEST_EQ(bit_of(R_ISR, 0x91), 0);
	GUEST_EQ(bit_of(R_ISR, 0x55), 1);
	GUEST_EQ(bit_of(R_IRR, 0x58), 1);
	/* the same vector once more is held back too */
	wr(R_SELF, 0x55);
	window();
	GUEST_EQ(n_order, 2);
	wr(R_EOI, 0);
	guest_handler[0x55] = on_irq;
	GUEST_EQ(rd(R_PPR), 0);
}

static void guest_nesting(u64 arg)
{
	(void)arg;
	start_x2apic();
	guest_handler[0x55] = on_nesting;
	wr(R_SELF, 0x55);
	window();
	GUEST_EQ(n_order, 5);
	GUEST_EQ(order[2], 0x58);
	GUEST_EQ(order[3], 0x55);
	GUEST_EQ(order[4], 0x42);
	/* all vectors that there are */
	n_order = 0;
	for (u32 v = 0x20; v < 0x60; v++)
		wr(R_SELF, v);
	gsti();
	for (int i = 0; i < 10; i++)
		gnop();
	gcli();
	GUEST_EQ(n_order, 64);
	for (u32 i = 0; i < 64; i++)
		GUEST_EQ(order[i], 0x5f - i);
}

static void test_nesting(void)
{
	run_guest(guest_nesting, 0);
}

/* ------------------------------------------------------------------------
 * IPIs
 */

static void guest_self_ipi(u64 arg)
{
	static const u64 icr[] = {
		0x40071,		/* shorthand self */
		0x00072,		/* physical, x2APIC ID 0 */
		0x80073,		/* all including self */
		0x00874 | 1UL << 32,	/* logical, cluster 0, bit 0 */
		0x00075 | 0xffffffffUL << 32,	/* broadcast */
	};

	(void)arg;
	start_x2apic();
	for (u32 i = 0; i < ARRAY_SIZE(icr); i++) {
		n_order = 0;
		wr(R_ICR, icr[i]);
		GUEST_EQ(bit_of(R_IRR, icr[i] & 0xff), 1);
		/* the x2APIC has no delivery status */
		GUEST_EQ(rd(R_ICR), icr[i]);
		window();
		GUEST_EQ(n_order, 1);
		GUEST_EQ(order[0], icr[i] & 0xff);
	}
	/* with interrupts enabled it arrives before the next instructions */
	gsti();
	n_order = 0;
	for (u32 i = 0; i < 20; i++) {
		wr(R_SELF, 0xa0 + i);
		gnop();
		GUEST_EQ(n_order, i + 1);
		GUEST_EQ(order[i], 0xa0 + i);
	}
	gcli();
	/* nobody is addressed: all but self, another ID */
	n_order = 0;
	wr(R_ICR, 0xc0076);
	wr(R_ICR, 0x00077 | 9UL << 32);
	window();
	GUEST_EQ(n_order, 0);
	/* an NMI to itself */
	guest_handler[2] = on_irq;
	wr(R_ICR, 0x00400);
	gnop();
	GUEST_EQ(guest_count[2], 1);
}

static void test_self_ipi(void)
{
	run_guest(guest_self_ipi, 0);
}

/* INIT, SIPI and SMI to nobody, and to itself what it takes no notice of. */
static void guest_init_ipi(u64 arg)
{
	(void)arg;
	start_x2apic();
	wr(R_ICR, 0x4500 | 1UL << 32);
	wr(R_ICR, 0x4612 | 1UL << 32);
	wr(R_ICR, 0xc4500);
	wr(R_ICR, 0x4612);
	wr(R_ICR, 0x4200);
	/* and a level de-assert */
	wr(R_ICR, 0x8500);
	GUEST_EQ(rd(R_SVR), 0x1ff);
}

static void test_init_ipi(void)
{
	run_guest(guest_init_ipi, 0);
}

/* Two vCPUs: the second answers each interrupt with one to the first. */
static volatile u32 pings, pongs;

static void on_ping(struct trap_frame *frame)
{
	(void)frame;
	pings++;
	wr(R_EOI, 0);
	wr(R_ICR, 0x91);
}

static void on_pong(struct trap_frame *frame)
{
	(void)frame;
	pongs++;
	wr(R_EOI, 0);
}

static void guest_second(u64 arg)
{
	(void)arg;
	/* the handlers are both vCPUs' */
	start_x2apic();
	guest_handler[0x90] = on_ping;
	guest_handler[0x91] = on_pong;
	GUEST_SYNC(2);
	for (;;)
		gsti_hlt();
}

static void guest_first(u64 arg)
{
	(void)arg;
	start_x2apic();
	guest_handler[0x90] = on_ping;
	guest_handler[0x91] = on_pong;
	GUEST_SYNC(1);
	gcli();
	for (u32 i = 0; i < 20; i++) {
		wr(R_ICR, 0x90 | 1UL << 32);
		/* no interrupt may come between the look and HLT */
		while (pongs == i) {
			gsti_hlt();
			gcli();
		}
		GUEST_EQ(pongs, i + 1);
	}
	GUEST_EQ(pings, 20);
	/* all but self */
	wr(R_ICR, 0xc0090);
	while (pongs == 20) {
		gsti_hlt();
		gcli();
	}
}

static void test_two_vcpus(void)
{
	struct vcpu first, second;
	struct vm vm;

	if (dev_info()->max_vcpus < 2)
		test_skip("max_vcpus is 1");
	guest_create(&vm, &first, 0, guest_first, 0);
	vcpu_create(&second, &vm, 1);
	guest_vcpu(&second, guest_second, 0);
	guest_sync(&first, 1);
	guest_sync(&second, 2);
	vcpu_run_async(&second);
	vcpu_run_async(&first);
	if (!vcpu_poll(&first, 10000)) {
		vcpu_stop(&first);
		diag("first: %s", exit_text(&first));
		vcpu_stop(&second);
		diag("second: %s", exit_text(&second));
		FAIL("no end after %u pings and %u pongs",
		     *GUEST_VAR(&vm, pings), *GUEST_VAR(&vm, pongs));
	}
	guest_check(&first);
	CHECK(guest_is_done(&first));
	CHECK_EQ(vcpu_stop(&second), MVM_EXIT_INTR);
}

/* ------------------------------------------------------------------------
 * MSIs
 */

static void guest_msi(u64 arg)
{
	(void)arg;
	start_x2apic();
	guest_handler[2] = on_irq;
	GUEST_SYNC(1);
	GUEST_EQ(guest_count[2], 1);
	window();
	GUEST_EQ(guest_count[0x31], 1);
	GUEST_EQ(guest_count[0x32], 1);
	GUEST_EQ(guest_count[0x33], 1);
	GUEST_EQ(guest_count[0x34], 1);
	GUEST_EQ(guest_count[0x35], 0);
	/* level-triggered ones say so */
	GUEST_SYNC(2);
	GUEST_EQ(bit_of(R_IRR, 0x36), 1);
	GUEST_EQ(bit_of(R_TMR, 0x36), 1);
	window();
	GUEST_EQ(guest_count[0x36], 1);
	GUEST_EQ(bit_of(R_TMR, 0x34), 0);
}

static void test_msi(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_msi, 0);
	guest_sync(&vcpu, 1);
	CHECK_OK(try_msi(&vm, 0xfee00000, 0x31));
	/* broadcast, lowest priority, logical to bit 0 */
	CHECK_OK(try_msi(&vm, 0xfeeff000, 0x32));
	CHECK_OK(try_msi(&vm, 0xfee00000, 0x133));
	CHECK_OK(try_msi(&vm, 0xfee01004, 0x34));
	CHECK_OK(try_msi(&vm, 0xfee00000, 0x400));
	CHECK_ERR(try_msi(&vm, 0xfee07000, 0x35), ENOENT);
	CHECK_ERR(try_msi(&vm, 0xfee80004, 0x35), ENOENT);
	guest_sync(&vcpu, 2);
	CHECK_OK(try_msi(&vm, 0xfee00000, 0xc036));
	guest_done(&vcpu);
}

/* ------------------------------------------------------------------------
 * Ends of level-triggered interrupts
 */

static void guest_eoi(u64 arg)
{
	(void)arg;
	start_x2apic();
	GUEST_SYNC(1);
	window();
	GUEST_EQ(guest_count[0x40], 1);
	/* once more, from the exit */
	GUEST_EQ(guest_count[0x51], 2);
	GUEST_SYNC(2);
}

static void test_eoi(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, MVM_VM_EXIT_EOI, guest_eoi, 0);
	guest_sync(&vcpu, 1);
	send_msi(&vm, 0x40);
	send_msi(&vm, 0xc051);
	guest_exit(&vcpu, MVM_EXIT_EOI);
	CHECK_EQ(vcpu.run->eoi.vector, 0x51);
	/* an I/O APIC whose pin is still active sends again */
	send_msi(&vm, 0xc051);
	guest_exit(&vcpu, MVM_EXIT_EOI);
	CHECK_EQ(vcpu.run->eoi.vector, 0x51);
	guest_sync(&vcpu, 2);
}

static void test_xapic_eoi(void)
{
	struct mvm_lapic state = { 0 };
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, MVM_VM_EXIT_EOI, guest_nothing, 0);
	lapic_write(&vcpu, R_SVR, 0x1ff);
	CHECK_OK(mvm_ioctl(vcpu.fd, MVM_GET_LAPIC, &state));
	/* three are in service; the one in the middle came by an edge */
	state.regs[(R_ISR + 0x20) >> 4] = 1U << 0x15 | 1U << 5;
	state.regs[(R_TMR + 0x20) >> 4] = 1U << 5;
	state.regs[(R_ISR + 0x50) >> 4] = 1U << 3;
	state.regs[(R_TMR + 0x50) >> 4] = 1U << 3;
	CHECK_OK(mvm_ioctl(vcpu.fd, MVM_SET_LAPIC, &state));
	lapic_write(&vcpu, R_EOI, 0);
	lapic_write(&vcpu, R_EOI, 0);
	lapic_write(&vcpu, R_EOI, 0);
	/* none of them is lost */
	guest_exit(&vcpu, MVM_EXIT_EOI);
	CHECK_EQ(vcpu.run->eoi.vector, 0xa3);
	guest_exit(&vcpu, MVM_EXIT_EOI);
	CHECK_EQ(vcpu.run->eoi.vector, 0x45);
	guest_done(&vcpu);
}

/* ------------------------------------------------------------------------
 * What the CPU does by itself
 */

static u32 xrd(u32 reg)
{
	u32 v;

	asm volatile("movl (%%rdx), %%eax" : "=a"(v) : "d"(0xfee00000UL + reg) : "memory");
	return v;
}

static void xwr(u32 reg, u32 value)
{
	asm volatile("movl %%eax, (%%rdx)" : : "a"(value), "d"(0xfee00000UL + reg) : "memory");
}

/* In either mode: what a guest does that finds itself in one. */
static bool x2apic_mode(void)
{
	return grdmsr(MSR_APIC_BASE) & BASE_X2APIC;
}

static u64 any_rd(u32 reg)
{
	return x2apic_mode() ? rd(reg) : xrd(reg);
}

static void any_wr(u32 reg, u32 value)
{
	if (x2apic_mode())
		wr(reg, value);
	else
		xwr(reg, value);
}

static bool any_bit(u32 reg, u32 vector)
{
	return any_rd(reg + (vector / 32) * 0x10) >> (vector % 32) & 1;
}

static void on_irq_no_eoi(struct trap_frame *frame)
{
	order[n_order++ % ARRAY_SIZE(order)] = frame->vector;
}

static void on_xapic_irq(struct trap_frame *frame)
{
	order[n_order++ % ARRAY_SIZE(order)] = frame->vector;
	xwr(R_EOI, 0);
}

#define ROUNDS	100

static void guest_self_ipis(u64 arg)
{
	(void)arg;
	start_x2apic();
	GUEST_SYNC(1);
	for (u32 i = 0; i < ROUNDS; i++) {
		wr(R_SELF, 0x51);
		window();
		GUEST_EQ(n_order, i + 1);
	}
	GUEST_SYNC(2);
	/* two at once, by class; then one that has to wait for the other's EOI */
	n_order = 0;
	wr(R_SELF, 0x41);
	wr(R_SELF, 0x61);
	window();
	GUEST_EQ(n_order, 2);
	GUEST_EQ(order[0], 0x61);
	guest_handler[0x61] = on_irq_no_eoi;
	wr(R_SELF, 0x61);
	window();
	wr(R_SELF, 0x41);
	window();
	GUEST_EQ(n_order, 3);
	GUEST_EQ(bit_of(R_IRR, 0x41), 1);
	gsti();
	wr(R_EOI, 0);
	gnop();
	gcli();
	GUEST_EQ(n_order, 4);
	GUEST_EQ(order[3], 0x41);
}

/* Exits that interrupts take, if they take any. */
static u64 interrupt_exits(struct vcpu *vcpu)
{
	return vcpu_stat(vcpu, "exits_wrmsr") + vcpu_stat(vcpu, "exits_interrupt_window") +
	       vcpu_stat(vcpu, "exits_apic") + vcpu_stat(vcpu, "injected_interrupts");
}

static void test_self_ipi_without_exits(void)
{
	bool apicv = dev_info()->capabilities & MVM_CAP_APICV;
	struct vcpu vcpu;
	struct vm vm;
	u64 before;

	guest_create(&vm, &vcpu, 0, guest_self_ipis, 0);
	guest_sync(&vcpu, 1);
	before = interrupt_exits(&vcpu);
	guest_sync(&vcpu, 2);
	if (apicv)
		CHECK_EQ(interrupt_exits(&vcpu), before);
	else	/* SELF IPI, EOI, window, injection */
		CHECK(interrupt_exits(&vcpu) - before >= 3 * ROUNDS);
	guest_done(&vcpu);
}

static void guest_task_priority(u64 arg)
{
	(void)arg;
	start_x2apic();
	GUEST_SYNC(1);
	for (u32 i = 0; i < ROUNDS; i++) {
		gwrite_cr8(i % 11 + 5);
		GUEST_EQ(gread_cr8(), i % 11 + 5);
		wr(R_SELF, 0x51);
		window();
		GUEST_EQ(n_order, i);
		gwrite_cr8(5);
		window();
		GUEST_EQ(n_order, i);
		/* at once, not at the next exit */
		gsti();
		gwrite_cr8(4);
		gnop();
		gcli();
		GUEST_EQ(n_order, i + 1);
		GUEST_EQ(rd(R_PPR), 0x40);
	}
	GUEST_SYNC(2);
}

static void test_task_priority(void)
{
	u64 caps = dev_info()->capabilities, crs, apic;
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_task_priority, 0);
	guest_sync(&vcpu, 1);
	crs = vcpu_stat(&vcpu, "exits_cr");
	apic = vcpu_stat(&vcpu, "exits_apic");
	guest_sync(&vcpu, 2);
	CHECK_EQ(vcpu_stat(&vcpu, "exits_cr") - crs, caps & MVM_CAP_TPR_SHADOW ? 0 : 4 * ROUNDS);
	/* without delivery by the CPU: one when it falls below the threshold */
	CHECK_EQ(vcpu_stat(&vcpu, "exits_apic") - apic,
		 caps & MVM_CAP_TPR_SHADOW && !(caps & MVM_CAP_APICV) ? ROUNDS : 0);
	guest_done(&vcpu);
}

static void guest_xapic_accesses(u64 arg)
{
	(void)arg;
	touch_tables();
	xwr(R_SVR, 0x1ff);
	guest_handler[0x51] = on_xapic_irq;
	GUEST_SYNC(1);
	for (u32 i = 0; i < ROUNDS; i++) {
		xwr(R_TPR, 0x50);
		GUEST_EQ(xrd(R_TPR), 0x50);
		xwr(R_ICR, 0x40051);
		window();
		GUEST_EQ(n_order, i);
		gsti();
		xwr(R_TPR, 0x4f);
		gnop();
		gcli();
		GUEST_EQ(n_order, i + 1);
	}
	GUEST_SYNC(2);
	/* the rest of what a kernel does, and what is not there */
	xwr(R_ID, 0xff000000);
	GUEST_EQ(xrd(R_ID), 0);
	xwr(R_LDR, 0x12345678);
	GUEST_EQ(xrd(R_LDR), 0x12000000);
	xwr(R_DFR, 0x12345678);
	GUEST_EQ(xrd(R_DFR), 0x1fffffff);
	xwr(R_LVT1, 0xffffffff);
	GUEST_EQ(xrd(R_LVT1), 0x1a7ff);
	xwr(R_ICR2, 0xffffffff);
	GUEST_EQ(xrd(R_ICR2), 0xff000000);
	xwr(R_ESR, 0);
	xrd(0x3f0);
	xwr(R_ESR, 0);
	GUEST_EQ(xrd(R_ESR), 0x80);
	/* a timer, and what it was set to before */
	xwr(R_TDCR, 0xb);
	xwr(R_LVTT, 0x51);
	n_order = 0;
	xwr(R_TMICT, 1000);
	gsti();
	while (!n_order)
		gpause();
	gcli();
	GUEST_EQ(xrd(R_TMICT), 1000);
	GUEST_EQ(xrd(R_TMCCT), 0);
	xwr(R_LVTT, LVT_MASKED | LVT_DEADLINE | 0x51);
	xwr(R_TMICT, 2000);
	GUEST_EQ(xrd(R_TMICT), 1000);
	GUEST_SYNC(3);
}

static void test_xapic_accesses(void)
{
	u64 caps = dev_info()->capabilities;
	struct served served = { 0 };
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_xapic_accesses, 0);
	serve_xapic(&vcpu, &served);
	CHECK(guest_is_sync(&vcpu, 1));
	served = (struct served){ 0 };
	serve_xapic(&vcpu, &served);
	CHECK(guest_is_sync(&vcpu, 2));
	/* TPR and EOI, or ICR too, without user space */
	if (caps & MVM_CAP_APICV) {
		CHECK_EQ(served.reads + served.writes, 0);
	} else if (caps & MVM_CAP_TPR_SHADOW) {
		CHECK_EQ(served.reads, 0);
		CHECK_EQ(served.writes, ROUNDS);
	}
	serve_xapic(&vcpu, &served);
	CHECK(guest_is_sync(&vcpu, 3));
	guest_done(&vcpu);
}

static void guest_xapic_levels(u64 arg)
{
	(void)arg;
	touch_tables();
	xwr(R_SVR, 0x1ff);
	guest_handler[0x51] = on_xapic_irq;
	guest_handler[0x40] = on_xapic_irq;
	GUEST_SYNC(1);
	window();
	GUEST_EQ(n_order, 3);
	GUEST_SYNC(2);
}

static void test_xapic_levels(void)
{
	struct served served = { 0 };
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, MVM_VM_EXIT_EOI, guest_xapic_levels, 0);
	serve_xapic(&vcpu, &served);
	CHECK(guest_is_sync(&vcpu, 1));
	send_msi(&vm, 0x40);
	send_msi(&vm, 0xc051);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(serve_xapic(&vcpu, &served), MVM_EXIT_EOI);
		CHECK_EQ(vcpu.run->eoi.vector, 0x51);
		if (!i)
			send_msi(&vm, 0xc051);
	}
	serve_xapic(&vcpu, &served);
	CHECK(guest_is_sync(&vcpu, 2));
	/* by an edge now: the same vector's end is nobody's business */
	send_msi(&vm, 0x51);
	serve_xapic(&vcpu, &served);
	CHECK(vcpu.run->exit_reason != MVM_EXIT_EOI);
}

/* One interrupt in service, one that it holds back, in this mode or the last. */
static void make_two(void)
{
	any_wr(R_SVR, 0x1ff);
	n_order = 0;
	any_wr(R_ICR, 0x40061);
	window();
	any_wr(R_ICR, 0x40052);
	window();
	GUEST_EQ(n_order, 1);
	GUEST_EQ(order[0], 0x61);
}

static void expect_two(bool there)
{
	GUEST_EQ(any_bit(R_ISR, 0x61), there);
	GUEST_EQ(any_bit(R_IRR, 0x52), there);
	n_order = 0;
	window();
	GUEST_EQ(n_order, 0);
	any_wr(R_EOI, 0);
	window();
	GUEST_EQ(n_order, there);
	if (there)
		any_wr(R_EOI, 0);
	GUEST_EQ(any_bit(R_ISR, 0x52) || any_bit(R_ISR, 0x61) || any_bit(R_IRR, 0x52), 0);
}

static void guest_mode_changes(u64 arg)
{
	u64 xapic = grdmsr(MSR_APIC_BASE), off = xapic & ~BASE_ENABLE, x2 = xapic | BASE_X2APIC;
	/* every change that is allowed, twice */
	const u64 path[] = { x2, off, xapic, off, xapic, x2, x2, off, xapic, xapic, off, xapic, x2 };
	u64 from = xapic;

	(void)arg;
	touch_tables();
	guest_handler[0x61] = guest_handler[0x52] = on_irq_no_eoi;
	for (u32 i = 0; i < ARRAY_SIZE(path); i++) {
		if (from != off)
			make_two();
		gwrite_cr8(0);
		gwrmsr(MSR_APIC_BASE, path[i]);
		n_order = 0;
		window();
		GUEST_EQ(n_order, 0);
		/* CR8 is there in all of them */
		gwrite_cr8(9);
		GUEST_EQ(gread_cr8(), 9);
		gwrite_cr8(0);
		GUEST_EQ(try_rd(R_TPR), path[i] == x2 ? NO_TRAP : 13);
		GUEST_EQ(try_wr(R_EOI, 1), 13);
		GUEST_EQ(try_wr(R_SELF, 0x100), 13);
		if (path[i] != x2) {
			GUEST_EQ(try_wr(R_EOI, 0), 13);
			GUEST_EQ(try_wr(R_SELF, 0x52), 13);
			GUEST_EQ(try_wr(R_TPR, 0), 13);
		}
		if (path[i] != off)
			expect_two(from != off);
		from = path[i];
	}
	GUEST_SYNC(1);
}

static void test_mode_changes(void)
{
	struct served served = { 0 };
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_mode_changes, 0);
	serve_xapic(&vcpu, &served);
	CHECK(guest_is_sync(&vcpu, 1));
	guest_done(&vcpu);
}

/* User space takes what one vCPU's APIC holds to another, mode by mode. */
static void guest_carried(u64 arg)
{
	touch_tables();
	guest_handler[0x61] = guest_handler[0x52] = on_irq_no_eoi;
	if (arg)
		gwrmsr(MSR_APIC_BASE, grdmsr(MSR_APIC_BASE) | BASE_X2APIC);
	any_wr(R_SVR, 0x1ff);
	make_two();
	GUEST_SYNC(1);
	/* user space has put other ones there */
	GUEST_EQ(any_bit(R_ISR, 0x61), 0);
	GUEST_EQ(any_bit(R_ISR, 0x71), 1);
	GUEST_EQ(any_bit(R_IRR, 0x62), 1);
	guest_handler[0x62] = on_irq_no_eoi;
	n_order = 0;
	window();
	GUEST_EQ(n_order, 0);
	any_wr(R_EOI, 0);
	window();
	GUEST_EQ(n_order, 1);
	GUEST_EQ(order[0], 0x62);
	any_wr(R_EOI, 0);
	GUEST_SYNC(2);
}

static void test_set_in_service(void)
{
	for (u64 x2apic = 0; x2apic < 2; x2apic++) {
		struct served served = { 0 };
		struct mvm_lapic l = { 0 };
		struct vcpu vcpu;
		struct vm vm;

		guest_create(&vm, &vcpu, 0, guest_carried, x2apic);
		serve_xapic(&vcpu, &served);
		CHECK(guest_is_sync(&vcpu, 1));
		CHECK_OK(mvm_ioctl(vcpu.fd, MVM_GET_LAPIC, &l));
		CHECK_EQ(l.regs[0x13], 1U << 1);	/* ISR: 0x61 */
		CHECK_EQ(l.regs[0x22], 1U << 0x12);	/* IRR: 0x52 */
		CHECK_EQ(l.regs[R_PPR >> 4], 0x60);
		l.regs[0x13] = 1U << 0x11;
		l.regs[0x22] = 0;
		l.regs[0x23] = 1U << 2;
		CHECK_OK(mvm_ioctl(vcpu.fd, MVM_SET_LAPIC, &l));
		serve_xapic(&vcpu, &served);
		CHECK(guest_is_sync(&vcpu, 2));
		guest_done(&vcpu);
		vcpu_destroy(&vcpu);
		vm_destroy(&vm);
	}
}

static void guest_reads_version(u64 arg)
{
	for (u32 i = 0; i < arg; i++) {
		GUEST_SYNC(xrd(R_VERSION) & 0xff);
	}
}

/* Memory of the owner's takes the place of the APIC's page, and leaves it. */
static void test_slot_over_xapic(void)
{
	struct served served = { 0 };
	struct vcpu vcpu;
	struct vm vm;
	u32 *memory = mem_alloc(4096);

	memory[R_VERSION / 4] = 0x77;
	guest_create(&vm, &vcpu, 0, guest_reads_version, 4);
	for (int i = 0; i < 4; i++) {
		serve_xapic(&vcpu, &served);
		CHECK(guest_is_sync(&vcpu, i % 2 ? 0x77 : 0x14));
		if (i == 0 || i == 2)
			vm_slot(&vm, 60, 0, 0xfee00000, 4096, memory);
		else
			vm_slot_remove(&vm, 60);
	}
	guest_done(&vcpu);
}

static void guest_executes_xapic(u64 arg)
{
	(void)arg;
	GUEST_SYNC(xrd(R_VERSION) & 0xff);
	((void (*)(void))(unsigned long)(0xfee00000 + R_ICR))();
}

/* The page is there for reads and writes. */
static void test_code_in_xapic(void)
{
	struct served served = { 0 };
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_executes_xapic, 0);
	serve_xapic(&vcpu, &served);
	CHECK(guest_is_sync(&vcpu, 0x14));
	CHECK_EQ(guest_run(&vcpu), MVM_EXIT_MMIO);
	CHECK_EQ(vcpu.run->mmio.gpa, 0xfee00000 + R_ICR);
	CHECK_EQ(vcpu.run->mmio.flags & (MVM_MMIO_READ | MVM_MMIO_WRITE | MVM_MMIO_FETCH),
		 MVM_MMIO_FETCH);
}

/* One vCPU leaves its xAPIC: the page is no APIC to it, and still one to the other. */
static void guest_two_modes(u64 id)
{
	GUEST_EQ(xrd(R_VERSION) & 0xff, 0x14);
	GUEST_SYNC(1);
	if (id)
		gwrmsr(MSR_APIC_BASE, grdmsr(MSR_APIC_BASE) | BASE_X2APIC);
	GUEST_SYNC(2);
	GUEST_SYNC(xrd(R_VERSION) & 0xff);
	if (id) {
		gwrmsr(MSR_APIC_BASE, grdmsr(MSR_APIC_BASE) & ~(BASE_X2APIC | BASE_ENABLE));
		gwrmsr(MSR_APIC_BASE, 0x200000 | BASE_ENABLE);
		GUEST_SYNC(xrd(R_VERSION) & 0xff);
	}
}

static void test_two_modes(void)
{
	struct served served = { 0 };
	struct vcpu vcpus[2];
	struct vm vm;

	if (dev_info()->max_vcpus < 2)
		test_skip("a VM has one vCPU only");
	guest_create(&vm, &vcpus[0], 0, guest_two_modes, 0);
	vcpu_create(&vcpus[1], &vm, 1);
	guest_vcpu(&vcpus[1], guest_two_modes, 1);
	for (int i = 0; i < 2; i++) {
		serve_xapic(&vcpus[i], &served);
		CHECK(guest_is_sync(&vcpus[i], 1));
	}
	for (int i = 0; i < 2; i++) {
		serve_xapic(&vcpus[i], &served);
		CHECK(guest_is_sync(&vcpus[i], 2));
	}
	serve_xapic(&vcpus[0], &served);
	CHECK(guest_is_sync(&vcpus[0], 0x14));
	/* MMIO like any other, at the old place, whatever base and mode are */
	for (int i = 0; i < 2; i++) {
		guest_exit(&vcpus[1], MVM_EXIT_MMIO);
		CHECK_EQ(vcpus[1].run->mmio.gpa, 0xfee00000 + R_VERSION);
		vcpus[1].run->gpr[MVM_RAX] = 0x99;
		vcpus[1].run->next_rip = vcpus[1].run->rip + 2;
		CHECK_EQ(guest_run(&vcpus[1]), MVM_EXIT_IO);
		CHECK(guest_is_sync(&vcpus[1], 0x99));
	}
	guest_done(&vcpus[0]);
	guest_done(&vcpus[1]);
}

static void guest_wait_msi(u64 halt)
{
	start_x2apic();
	GUEST_SYNC(1);
	for (u32 i = 0; i < 10; i++) {
		if (halt)
			gsti_hlt();
		gsti();
		while (n_order == i)
			gpause();
		gcli();
		GUEST_EQ(order[i], 0x40 + i);
		GUEST_SYNC(2);
	}
}

/* From outside, while the guest runs or sleeps. */
static void wait_msi(u64 halt)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_wait_msi, halt);
	guest_sync(&vcpu, 1);
	for (u32 i = 0; i < 10; i++) {
		vcpu_run_async(&vcpu);
		CHECK(!vcpu_poll(&vcpu, i ? i / 2 : 20));
		send_msi(&vm, 0x40 + i);
		CHECK(vcpu_poll(&vcpu, 5000));
		guest_check(&vcpu);
		CHECK(guest_is_sync(&vcpu, 2));
	}
	guest_done(&vcpu);
}

static void test_msi_running(void)
{
	wait_msi(0);
}

static void test_msi_halted(void)
{
	wait_msi(1);
}

/* ------------------------------------------------------------------------
 * Software disable, errors
 */

static void guest_disable(u64 arg)
{
	(void)arg;
	start_x2apic();
	wr(R_LVTT, 0x50);
	wr(R_LVTERR, 0x51);
	guest_handler[2] = on_irq;
	wr(R_SVR, 0xff);
	/* every LVT is masked and stays so */
	GUEST_EQ(rd(R_LVTT), LVT_MASKED | 0x50);
	GUEST_EQ(rd(R_LVTERR), LVT_MASKED | 0x51);
	wr(R_LVTT, 0x50);
	GUEST_EQ(rd(R_LVTT), LVT_MASKED | 0x50);
	GUEST_SYNC(1);
	window();
	GUEST_EQ(n_order, 1);
	GUEST_EQ(order[0], 2);
	GUEST_EQ(bit_of(R_IRR, 0x60), 0);
	wr(R_SVR, 0x1ff);
	window();
	GUEST_EQ(n_order, 1);
	/* and taken again */
	GUEST_SYNC(2);
	window();
	GUEST_EQ(n_order, 2);
}

static void test_disable(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_disable, 0);
	guest_sync(&vcpu, 1);
	/* fixed ones are refused, NMI is taken; either result of the call */
	try_msi(&vm, 0xfee00000, 0x60);
	CHECK_OK(try_msi(&vm, 0xfee00000, 0x400));
	guest_sync(&vcpu, 2);
	send_msi(&vm, 0x61);
	guest_done(&vcpu);
}

static void guest_errors(u64 arg)
{
	(void)arg;
	start_x2apic();
	wr(R_ESR, 0);
	GUEST_EQ(rd(R_ESR), 0);
	/* a vector below 16 cannot be sent: bit 5 */
	wr(R_SELF, 0x0f);
	wr(R_ESR, 0);
	GUEST_EQ(rd(R_ESR) & 0x20, 0x20);
	wr(R_ESR, 0);
	GUEST_EQ(rd(R_ESR), 0);
	wr(R_LVTERR, 0x70);
	wr(R_ICR, 0x40003);
	window();
	GUEST_EQ(n_order, 1);
	GUEST_EQ(order[0], 0x70);
	wr(R_ESR, 0);
	GUEST_EQ(rd(R_ESR) & 0x20, 0x20);
}

static void test_errors(void)
{
	run_guest(guest_errors, 0);
}

static void test_xapic_errors(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_nothing, 0);
	lapic_write(&vcpu, R_ESR, 0);
	CHECK_EQ(lapic_read(&vcpu, R_ESR), 0);
	/* no register there: bit 7 */
	lapic_read(&vcpu, 0x040);
	lapic_write(&vcpu, R_ESR, 0);
	CHECK_EQ(lapic_read(&vcpu, R_ESR), 0x80);
	lapic_write(&vcpu, R_ESR, 0);
	CHECK_EQ(lapic_read(&vcpu, R_ESR), 0);
	lapic_write(&vcpu, 0xff0, 1);
	lapic_write(&vcpu, R_ESR, 0);
	CHECK_EQ(lapic_read(&vcpu, R_ESR), 0x80);
	/* the xAPIC has registers that the x2APIC lacks */
	lapic_write(&vcpu, R_LDR, 0x03000000);
	lapic_write(&vcpu, R_DFR, 0x0fffffff);
	CHECK_EQ(lapic_read(&vcpu, R_LDR), 0x03000000);
	CHECK_EQ(lapic_read(&vcpu, R_DFR), 0x0fffffff);
	lapic_write(&vcpu, R_DFR, 0xffffffff);
	/* flat logical destinations */
	lapic_write(&vcpu, R_SVR, 0x1ff);
	CHECK_OK(try_msi(&vm, 0xfee02004, 0x44));
	CHECK_EQ(lapic_read(&vcpu, R_IRR + 0x20), 1 << 4);
	CHECK_ERR(try_msi(&vm, 0xfee04004, 0x45), ENOENT);
	/* EOI by user space */
	lapic_write(&vcpu, R_ICR2, 0);
	lapic_write(&vcpu, R_ICR, 0x46);
	CHECK_EQ(lapic_read(&vcpu, R_IRR + 0x20), 1 << 4 | 1 << 6);
}

/* ------------------------------------------------------------------------
 * The timer
 */

static u32 apic_khz, tsc_khz;

/* TSC ticks of n timer ticks. */
static u64 tsc_of(u64 n)
{
	return n * tsc_khz / apic_khz;
}

/* Timer ticks of so many microseconds. */
static u32 timer_us(u32 us)
{
	return (u64)apic_khz * us / 1000;
}

static void start_timer(struct vm *vm)
{
	*GUEST_VAR(vm, apic_khz) = dev_info()->apic_timer_khz;
	*GUEST_VAR(vm, tsc_khz) = dev_info()->tsc_khz;
}

static void run_timer_guest(void (*fn)(u64), u64 arg)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, fn, arg);
	start_timer(&vm);
	guest_done(&vcpu);
}

static void guest_oneshot(u64 arg)
{
	u64 start, want;
	u32 count, now;

	(void)arg;
	start_x2apic();
	for (u32 divide = 0; divide < 3; divide++) {
		/* by 1, by 2, by 16 */
		static const u32 dcr[] = { 0xb, 0x0, 0x3 };
		static const u32 by[] = { 1, 2, 16 };

		wr(R_TDCR, dcr[divide]);
		wr(R_LVTT, 0x50);
		n_order = 0;
		count = timer_us(500) / by[divide];
		want = tsc_of((u64)count * by[divide]);
		start = grdtsc();
		wr(R_TMICT, count);
		now = rd(R_TMCCT);
		GUEST_ASSERT(now > 0 && now <= count);
		gsti();
		while (!n_order)
			gpause();
		gcli();
		GUEST_EQ(order[0], 0x50);
		/* not early (rounding apart), and not ten times as late */
		GUEST_ASSERT(last_tsc - start + want / 100 + 100 >= want);
		GUEST_ASSERT(last_tsc - start < 10 * want + 20000 * tsc_khz / 1000);
		GUEST_EQ(rd(R_TMCCT), 0);
		GUEST_EQ(rd(R_TMICT), count);
		/* once */
		start = grdtsc();
		gsti();
		while (grdtsc() - start < 2 * want)
			gpause();
		gcli();
		GUEST_EQ(n_order, 1);
	}
	/* 0 stops it */
	n_order = 0;
	wr(R_TDCR, 0xb);
	wr(R_TMICT, timer_us(300));
	wr(R_TMICT, 0);
	GUEST_EQ(rd(R_TMCCT), 0);
	start = grdtsc();
	gsti();
	while (grdtsc() - start < tsc_of(timer_us(600)))
		gpause();
	gcli();
	GUEST_EQ(n_order, 0);
}

static void test_oneshot(void)
{
	run_timer_guest(guest_oneshot, 0);
}

/* A guest that does nothing else has no exit but the timer's. */
static void guest_punctual(u64 arg)
{
	u32 punctual = 0;

	(void)arg;
	start_x2apic();
	wr(R_TDCR, 0xb);
	wr(R_LVTT, 0x51);
	for (u32 i = 0; i < 21; i++) {
		u64 start = grdtsc();

		n_order = 0;
		wr(R_TMICT, timer_us(200));
		gsti();
		while (!n_order)
			;
		gcli();
		/* 1 ms late at most */
		punctual += last_tsc - start < tsc_of(timer_us(200)) + tsc_khz;
	}
	/* now and then the host does something else */
	GUEST_ASSERT(punctual > 10);
}

static void test_punctual(void)
{
	run_timer_guest(guest_punctual, 0);
}

static void guest_periodic(u64 arg)
{
	u64 start, period;

	(void)arg;
	start_x2apic();
	wr(R_TDCR, 0xb);
	wr(R_LVTT, LVT_PERIODIC | 0x52);
	period = tsc_of(timer_us(500));
	start = grdtsc();
	wr(R_TMICT, timer_us(500));
	gsti();
	while (n_order < 5)
		gpause();
	gcli();
	GUEST_ASSERT(last_tsc - start + period / 10 >= 5 * period);
	GUEST_ASSERT(rd(R_TMCCT) <= timer_us(500));
	/* masked: it counts on, nothing comes */
	wr(R_LVTT, LVT_MASKED | LVT_PERIODIC | 0x52);
	window();
	n_order = 0;
	start = grdtsc();
	gsti();
	while (grdtsc() - start < 3 * period)
		gpause();
	gcli();
	GUEST_EQ(n_order, 0);
	GUEST_ASSERT(rd(R_TMCCT) > 0);
	/* unmasked: it comes again */
	wr(R_LVTT, LVT_PERIODIC | 0x53);
	gsti();
	while (!n_order)
		gpause();
	gcli();
	GUEST_EQ(order[0], 0x53);
	wr(R_TMICT, 0);
	window();
	n_order = 0;
	start = grdtsc();
	gsti();
	while (grdtsc() - start < 2 * period)
		gpause();
	gcli();
	GUEST_EQ(n_order, 0);
}

static void test_periodic(void)
{
	run_timer_guest(guest_periodic, 0);
}

static void guest_deadline(u64 arg)
{
	u64 start, deadline;

	(void)arg;
	start_x2apic();
	/* in the other modes the MSR is 0 whatever is written */
	gwrmsr(MSR_TSC_DEADLINE, grdtsc() + 1000000);
	GUEST_EQ(grdmsr(MSR_TSC_DEADLINE), 0);
	wr(R_LVTT, LVT_DEADLINE | 0x54);
	/* the count registers do nothing in this mode */
	wr(R_TMICT, 1000);
	GUEST_EQ(rd(R_TMCCT), 0);
	/* in the past: at once */
	gwrmsr(MSR_TSC_DEADLINE, grdtsc() - 1);
	window();
	GUEST_EQ(n_order, 1);
	GUEST_EQ(order[0], 0x54);
	GUEST_EQ(grdmsr(MSR_TSC_DEADLINE), 0);
	gwrmsr(MSR_TSC_DEADLINE, 1);
	window();
	GUEST_EQ(n_order, 2);
	/* in the future: not before */
	for (u32 i = 0; i < 5; i++) {
		start = grdtsc();
		deadline = start + tsc_of(timer_us(300));
		n_order = 0;
		gwrmsr(MSR_TSC_DEADLINE, deadline);
		GUEST_EQ(grdmsr(MSR_TSC_DEADLINE), deadline);
		gsti();
		while (!n_order)
			gpause();
		gcli();
		GUEST_ASSERT(last_tsc >= deadline);
		GUEST_EQ(grdmsr(MSR_TSC_DEADLINE), 0);
	}
	/* disarmed by 0, moved by a later write */
	n_order = 0;
	gwrmsr(MSR_TSC_DEADLINE, grdtsc() + tsc_of(timer_us(300)));
	gwrmsr(MSR_TSC_DEADLINE, 0);
	GUEST_EQ(grdmsr(MSR_TSC_DEADLINE), 0);
	start = grdtsc();
	gsti();
	while (grdtsc() - start < tsc_of(timer_us(900)))
		gpause();
	gcli();
	GUEST_EQ(n_order, 0);
	/* a change of mode disarms */
	gwrmsr(MSR_TSC_DEADLINE, grdtsc() + tsc_of(timer_us(300)));
	wr(R_LVTT, 0x54);
	GUEST_EQ(grdmsr(MSR_TSC_DEADLINE), 0);
	start = grdtsc();
	gsti();
	while (grdtsc() - start < tsc_of(timer_us(900)))
		gpause();
	gcli();
	GUEST_EQ(n_order, 0);
}

static void guest_no_deadline(u64 arg)
{
	u32 r[4];

	(void)arg;
	gcpuid(1, 0, r);
	GUEST_EQ(r[2] >> 24 & 1, 0);
	start_x2apic();
	GUEST_EQ(try_wrmsr(MSR_TSC_DEADLINE, 0), 13);
}

static void test_deadline(void)
{
	if (dev_info()->capabilities & MVM_CAP_TSC_DEADLINE)
		run_timer_guest(guest_deadline, 0);
	else
		run_timer_guest(guest_no_deadline, 0);
}

static void arm_timer(u32 mode, u32 count)
{
	if (mode == LVT_DEADLINE)
		gwrmsr(MSR_TSC_DEADLINE, grdtsc() + tsc_of(count));
	else
		wr(R_TMICT, count);
}

/* By a count of 0, or by a change of the mode. */
static void disarm_timer(u32 mode, bool by_mode)
{
	if (by_mode)
		wr(R_LVTT, (mode == LVT_DEADLINE ? 0 : LVT_DEADLINE) | LVT_MASKED);
	else if (mode == LVT_DEADLINE)
		gwrmsr(MSR_TSC_DEADLINE, 0);
	else
		wr(R_TMICT, 0);
}

#define RACES		1500

/* 10 us in timer ticks, or more where a write takes so long that it has to be longer. */
static u32 race_unit(void)
{
	u64 start = grdtsc();

	wr(R_TMICT, ~0U);
	wr(R_TMICT, 0);
	return timer_us(10) + 2 * (grdtsc() - start) * apic_khz / tsc_khz;
}

/*
 * The timer is disarmed in the moment in which it expires: its interrupt has come, or
 * is pending, or never comes.  @modes: there is a mode with a deadline.
 */
static void guest_timer_races(u64 modes)
{
	u32 state = 1, early = 0, late = 0, unit;

	start_x2apic();
	wr(R_TDCR, 0xb);
	wr(R_LVTT, 0x60);
	unit = race_unit();
	for (u32 i = 0; i < RACES; i++) {
		u32 mode = modes && i % 2 ? LVT_DEADLINE : 0, count, came;
		u64 start, wait;

		state = state * 1103515245 + 12345;
		count = unit + (state >> 16) % unit;
		/* up to a unit before or after */
		state = state * 1103515245 + 12345;
		wait = tsc_of(count - unit + (state >> 16) % (2 * unit));
		n_order = 0;
		wr(R_LVTT, mode | 0x60);
		arm_timer(mode, count);
		start = grdtsc();
		gsti();
		while (grdtsc() - start < wait)
			;
		gcli();
		disarm_timer(mode, modes && i % 3 == 0);
		came = n_order + bit_of(R_IRR, 0x60);
		GUEST_ASSERT(came <= 1);
		early += !came;
		late += came;
		start = grdtsc();
		gsti();
		while (grdtsc() - start < tsc_of(3 * unit))
			;
		gcli();
		GUEST_EQ(n_order, came);
		/* armed anew it comes, and once */
		n_order = 0;
		wr(R_LVTT, mode | 0x61);
		arm_timer(mode, count);
		/* a second time before the first has come, or not */
		if (i % 5 == 0)
			arm_timer(mode, 2 * count);
		while (!n_order) {
			gsti_hlt();
			gcli();
		}
		wait = tsc_of(timer_us(5) + (i % 5 ? 0 : 2 * count));
		start = grdtsc();
		gsti();
		while (grdtsc() - start < wait)
			;
		gcli();
		GUEST_EQ(order[0], 0x61);
		GUEST_ASSERT(n_order == 1 || (i % 5 == 0 && n_order == 2));
		wr(R_TMICT, 0);
	}
	GUEST_ASSERT(early > RACES / 10);
	GUEST_ASSERT(late > RACES / 10);
}

static void test_timer_races(void)
{
	run_timer_guest(guest_timer_races, dev_info()->capabilities & MVM_CAP_TSC_DEADLINE);
}

static void guest_timer_hlt(u64 deadline)
{
	(void)deadline;
	start_x2apic();
	wr(R_TDCR, 0xb);
	for (u32 i = 0; i < 10; i++) {
		u64 start = grdtsc(), want = tsc_of(timer_us(200));

		if (deadline) {
			wr(R_LVTT, LVT_DEADLINE | 0x56);
			gwrmsr(MSR_TSC_DEADLINE, start + want);
		} else {
			wr(R_LVTT, 0x56);
			wr(R_TMICT, timer_us(200));
		}
		n_order = 0;
		while (!n_order)
			gsti_hlt();
		gcli();
		GUEST_ASSERT(last_tsc - start + want / 100 + 100 >= want);
	}
}

static void test_timer_hlt(void)
{
	run_timer_guest(guest_timer_hlt, 0);
	if (dev_info()->capabilities & MVM_CAP_TSC_DEADLINE)
		run_timer_guest(guest_timer_hlt, 1);
}

/* The timer runs while the vCPU is stopped. */
static void guest_timer_stopped(u64 arg)
{
	(void)arg;
	start_x2apic();
	wr(R_TDCR, 0xb);
	wr(R_LVTT, 0x57);
	wr(R_TMICT, timer_us(500));
	GUEST_SYNC(1);
	GUEST_EQ(bit_of(R_IRR, 0x57), 1);
	window();
	GUEST_EQ(n_order, 1);
}

static void test_timer_stopped(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_timer_stopped, 0);
	start_timer(&vm);
	guest_sync(&vcpu, 1);
	usleep(20000);
	guest_done(&vcpu);
}

/* ------------------------------------------------------------------------
 * GET and SET
 */

static void guest_round_trip(u64 second)
{
	if (!second) {
		start_x2apic();
		wr(R_TPR, 0x31);
		wr(R_LVTT, LVT_MASKED | 0x5a);
		wr(R_LVT1, 0x400);
		wr(R_TDCR, 0xb);
		wr(R_SELF, 0x77);
		wr(R_SELF, 0x22);
		GUEST_SYNC(1);
		return;
	}
	for (int i = 32; i < 256; i++)
		guest_handler[i] = on_irq;
	GUEST_EQ(rd(R_TPR), 0x31);
	GUEST_EQ(gread_cr8(), 3);
	GUEST_EQ(rd(R_SVR), 0x1ff);
	GUEST_EQ(rd(R_LVTT), LVT_MASKED | 0x5a);
	GUEST_EQ(rd(R_LVT1), 0x400);
	GUEST_EQ(rd(R_TDCR), 0xb);
	window();
	GUEST_EQ(n_order, 2);
	GUEST_EQ(order[0], 0x99);
	GUEST_EQ(order[1], 0x77);
	wr(R_TPR, 0);
	window();
	GUEST_EQ(n_order, 3);
	GUEST_EQ(order[2], 0x22);
}

static void test_round_trip(void)
{
	struct mvm_lapic l = { 0 }, back = { 0 };
	struct vcpu from, to;
	struct vm a, b;
	struct mvm_sregs s;

	guest_create(&a, &from, 0, guest_round_trip, 0);
	guest_sync(&from, 1);
	/* one that comes while the vCPU is stopped is part of the state */
	send_msi(&a, 0x99);
	CHECK_OK(mvm_ioctl(from.fd, MVM_GET_LAPIC, &l));
	CHECK_EQ(l.regs[(R_IRR + 0x40) >> 4], 1 << (0x99 - 0x80));
	CHECK_EQ(l.regs[R_TPR >> 4], 0x31);
	CHECK_EQ(l.regs[R_SVR >> 4], 0x1ff);
	CHECK_EQ(l.regs[(R_IRR + 0x30) >> 4], 1 << (0x77 - 0x60));
	CHECK_EQ(l.regs[(R_IRR + 0x10) >> 4], 1 << (0x22 - 0x20));
	CHECK_EQ(l.tsc_deadline, 0);

	guest_create(&b, &to, 0, guest_round_trip, 1);
	vcpu_get_sregs(&to, &s);
	s.apic_base |= BASE_X2APIC;
	vcpu_set_sregs(&to, &s);
	CHECK_OK(mvm_ioctl(to.fd, MVM_SET_LAPIC, &l));
	CHECK_OK(mvm_ioctl(to.fd, MVM_GET_LAPIC, &back));
	for (u32 i = 0; i < 64; i++)
		if (l.regs[i] != back.regs[i])
			FAIL("register 0x%x: set 0x%x, got 0x%x", i << 4,
			     l.regs[i], back.regs[i]);
	CHECK_EQ(l.tsc_deadline, back.tsc_deadline);
	guest_done(&to);
}

/* A timer that runs goes on in the other VM. */
static void guest_timer_moves(u64 deadline)
{
	start_x2apic();
	if (deadline) {
		wr(R_LVTT, LVT_DEADLINE | 0x5b);
		gwrmsr(MSR_TSC_DEADLINE, grdtsc() + tsc_of(timer_us(3000)));
	} else {
		wr(R_TDCR, 0xb);
		wr(R_LVTT, 0x5b);
		wr(R_TMICT, timer_us(3000));
	}
	GUEST_SYNC(1);
	for (;;)
		gpause();
}

static void guest_timer_arrives(u64 arg)
{
	(void)arg;
	for (int i = 32; i < 256; i++)
		guest_handler[i] = on_irq;
	gsti();
	while (!n_order)
		gpause();
	GUEST_EQ(order[0], 0x5b);
}

static void timer_moves(u64 deadline)
{
	struct mvm_lapic l = { 0 };
	struct vcpu from, to;
	struct vm a, b;
	struct mvm_sregs s;

	guest_create(&a, &from, 0, guest_timer_moves, deadline);
	start_timer(&a);
	guest_sync(&from, 1);
	CHECK_OK(mvm_ioctl(from.fd, MVM_GET_LAPIC, &l));
	if (deadline)
		CHECK(l.tsc_deadline);
	else
		CHECK(l.regs[R_TMCCT >> 4] > 0 &&
		      l.regs[R_TMCCT >> 4] <= l.regs[R_TMICT >> 4]);
	guest_create(&b, &to, 0, guest_timer_arrives, 0);
	vcpu_get_sregs(&to, &s);
	s.apic_base |= BASE_X2APIC;
	vcpu_set_sregs(&to, &s);
	vcpu_set_msr(&to, MSR_TSC, vcpu_get_msr(&from, MSR_TSC));
	CHECK_OK(mvm_ioctl(to.fd, MVM_SET_LAPIC, &l));
	guest_done(&to);
}

static void test_timer_moves(void)
{
	timer_moves(0);
	if (dev_info()->capabilities & MVM_CAP_TSC_DEADLINE)
		timer_moves(1);
}

static void test_set_impossible(void)
{
	static const struct {
		u32 reg, value;
	} bad[] = {
		{ R_TPR, 0x100 }, { R_LVTT, 0xffffffff },
		{ R_TDCR, 0xffffffff }, { R_SVR, 0xffffffff },
	};
	struct mvm_lapic good = { 0 }, l;
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_nothing, 0);
	CHECK_OK(mvm_ioctl(vcpu.fd, MVM_GET_LAPIC, &good));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		l = good;
		l.regs[bad[i].reg >> 4] = bad[i].value;
		if (mvm_ioctl(vcpu.fd, MVM_SET_LAPIC, &l) != -1 ||
		    errno != EINVAL)
			FAIL("register 0x%x: 0x%x is not refused", bad[i].reg,
			     bad[i].value);
	}
	l = good;
	CHECK_OK(mvm_ioctl(vcpu.fd, MVM_SET_LAPIC, &l));
}

static const struct test tests[] = {
	{ "registers: as the SDM gives them after reset", test_reset },
	{ "registers: ID and logical ID follow the vCPU's number", test_ids },
	{ "modes: allowed and forbidden changes of IA32_APIC_BASE", test_modes },
	{ "x2apic: reserved bits, absent and read-only registers give #GP",
	  test_rules },
	{ "xapic: the guest's accesses are served", test_xapic },
	{ "xapic: error status, logical destinations, ICR", test_xapic_errors },
	{ "priority: IRR, task priority, order", test_priorities },
	{ "priority: nesting by class, end of interrupt", test_nesting },
	{ "ipi: to itself by every way", test_self_ipi },
	{ "ipi: INIT to nobody, SIPI to who runs and SMI do nothing", test_init_ipi },
	{ "ipi: between two vCPUs that halt", test_two_vcpus },
	{ "msi: modes and destinations", test_msi },
	{ "msi: reaches a guest that spins", test_msi_running },
	{ "msi: wakes a guest that halts", test_msi_halted },
	{ "eoi: the end of a level-triggered interrupt goes to user space", test_eoi },
	{ "eoi: so do those that user space writes to the xAPIC", test_xapic_eoi },
	{ "eoi: nor is it lost when the guest itself writes to the xAPIC", test_xapic_levels },
	{ "cpu: IPIs to itself and their EOIs take no exit where the CPU delivers them",
	  test_self_ipi_without_exits },
	{ "cpu: CR8 holds back and lets through, without exits where there is a TPR shadow",
	  test_task_priority },
	{ "cpu: the xAPIC's registers are virtualized as far as the CPU does it",
	  test_xapic_accesses },
	{ "modes: changes in every order, with interrupts pending and in service",
	  test_mode_changes },
	{ "modes: user space changes what is pending and in service", test_set_in_service },
	{ "xapic: a slot takes its place and leaves it", test_slot_over_xapic },
	{ "xapic: code there is told as a fetch", test_code_in_xapic },
	{ "xapic: is gone for the vCPU that leaves it, and only for that", test_two_modes },
	{ "svr: software disable masks and refuses", test_disable },
	{ "esr: illegal vectors", test_errors },
	{ "timer: one-shot, with three dividers", test_oneshot },
	{ "timer: comes in time when nothing else happens", test_punctual },
	{ "timer: periodic, masked, stopped", test_periodic },
	{ "timer: TSC deadline, or #GP where it is not offered", test_deadline },
	{ "timer: disarmed and programmed anew in the moment it expires", test_timer_races, 60 },
	{ "timer: wakes from HLT", test_timer_hlt },
	{ "timer: expires while the vCPU is stopped", test_timer_stopped },
	{ "state: get and set carry everything over", test_round_trip },
	{ "state: a running timer goes on in another VM", test_timer_moves },
	{ "state: impossible registers give EINVAL", test_set_impossible },
};

TEST_MAIN(tests)
