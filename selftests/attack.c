// SPDX-License-Identifier: GPL-2.0-only
/*
 * attack.c - guests, and owners, that try to harm the host
 *
 * Each runs for a while; meanwhile the host must work, the vCPU must stop when
 * asked, the owner must die when killed, and afterwards the host's registers
 * must be what they were.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/guest.h"
#include "lib/host.h"
#include "lib/proc.h"

#define MILLISECONDS	40

static volatile bool got_sigtrap;

static void on_sigtrap(int sig)
{
	(void)sig;
	got_sigtrap = true;
}

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Something with an address that guests know. */
static volatile u64 host_target;

static void __attribute__((noinline)) host_function(void)
{
	host_target++;
	asm volatile("" : : : "memory");
}

static void answer(struct vcpu *vcpu)
{
	struct mvm_run *run = vcpu->run;

	/* step over what the guest cannot access */
	if (run->exit_reason == MVM_EXIT_MMIO)
		run->next_rip = run->rip + 2;
	if (run->exit_reason == MVM_EXIT_EXTINT)
		run->extint.vector = 0x20;
}

/*
 * Run the vCPU for a while, completing whatever exits come.  A guest that
 * reports a failure of its own fails the test.
 */
static void run_for(struct vcpu *vcpu, int ms)
{
	long end = now_ms() + ms;
	bool running = false;

	do {
		if (!running)
			vcpu_run_async(vcpu);
		running = true;
		host_check();
		for (int i = 0; i < 100; i++)
			host_function();
		if (vcpu_poll(vcpu, 0)) {
			running = false;
			guest_check(vcpu);
			if (guest_is_done(vcpu) ||
			    vcpu->run->exit_reason == MVM_EXIT_SHUTDOWN ||
			    vcpu->run->exit_reason == MVM_EXIT_FAIL_ENTRY ||
			    vcpu->run->exit_reason == MVM_EXIT_TASK_SWITCH)
				return;
			answer(vcpu);
		}
	} while (now_ms() < end);
	if (running)
		vcpu_stop(vcpu);
}

/* In a child: run the guest, then spin with it until killed. */
static _Noreturn void attacker(struct vcpu *vcpu, int ready)
{
	host_pin();
	signal(SIGTRAP, on_sigtrap);
	run_for(vcpu, MILLISECONDS);
	CHECK(!got_sigtrap);
	/* again, to be killed in the middle of it */
	if (vcpu->run->exit_reason == MVM_EXIT_INTR)
		vcpu_run_async(vcpu);
	CHECK_EQ(write(ready, "", 1), 1);
	for (;;)
		pause();
}

static void attack_with(void (*make)(struct vm *, struct vcpu *, u64), u64 arg)
{
	struct host_state before, after;
	int ready[2], status;
	long refs, start;
	pid_t pid;
	char c;

	dev_fd();
	host_pin();
	host_read(&before);
	refs = module_refs();
	CHECK_OK(pipe(ready));
	pid = CHECK_OK(fork());
	if (!pid) {
		struct vcpu vcpu;
		struct vm vm;

		close(ready[0]);
		make(&vm, &vcpu, arg);
		attacker(&vcpu, ready[1]);
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1) {
		waitpid(pid, &status, 0);
		FAIL("the attacker ended with status 0x%x", status);
	}
	host_check();
	start = now_ms();
	kill(pid, SIGKILL);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, SIGKILL);
	if (now_ms() - start > 5000)
		FAIL("it took %ld ms to die", now_ms() - start);
	wait_module_refs(refs, "mvm-selftest");
	host_read(&after);
	host_compare(&before, &after);
	host_check();
}

static void make_long(struct vm *vm, struct vcpu *vcpu, u64 fn)
{
	guest_create(vm, vcpu, MVM_VM_EXIT_VMCALL, (void (*)(u64))fn, 0);
}

#define ATTACK(name)                                                           \
	static void test_##name(void)                                          \
	{                                                                      \
		attack_with(make_long, (u64)guest_##name);                     \
	}

static void spin_forever(void)
{
	for (;;)
		gpause();
}

static void swallow(struct trap_frame *frame)
{
	(void)frame;
}

/* Every vector is taken; faults go on behind TRY(). */
static void on_any_fault(struct trap_frame *frame)
{
	if (guest_recover) {
		frame->rip = guest_recover;
		guest_recover = 0;
	} else if (frame->vector != 1 && frame->vector != 2) {
		guest_fail(__FILE__, __LINE__, "fault (a: vector, b: rip)",
			   frame->vector, frame->rip);
	}
}

static void take_all(void)
{
	for (int i = 0; i < 32; i++)
		guest_handler[i] = on_any_fault;
	for (int i = 32; i < 256; i++)
		guest_handler[i] = swallow;
}

/* ------------------------------------------------------------------------
 * Registers
 */

static void guest_cache_off(u64 arg)
{
	(void)arg;
	gwrite_cr0(gread_cr0() | X86_CR0_CD | X86_CR0_NW);
	asm volatile("wbinvd; invd" : : : "memory");
	spin_forever();
}
ATTACK(cache_off)

static void guest_mce_off(u64 arg)
{
	(void)arg;
	gwrite_cr4(gread_cr4() & ~X86_CR4_MCE);
	spin_forever();
}
ATTACK(mce_off)

static void guest_syscall_msrs(u64 arg)
{
	(void)arg;
	take_all();
	gwrmsr(MSR_EFER, grdmsr(MSR_EFER) | EFER_SCE);
	try_wrmsr(MSR_STAR, 0x1122334455667788);
	try_wrmsr(MSR_LSTAR, 0x1000);
	try_wrmsr(MSR_CSTAR, 0x2000);
	try_wrmsr(MSR_FMASK, 0xffffffff);
	try_wrmsr(MSR_SYSENTER_CS, 0xfff8);
	try_wrmsr(MSR_SYSENTER_ESP, 0x3000);
	try_wrmsr(MSR_SYSENTER_EIP, 0x4000);
	try_wrmsr(MSR_TSC_AUX, 0xfff);
	try_wrmsr(MSR_FS_BASE, 0x5000);
	try_wrmsr(MSR_GS_BASE, 0x6000);
	for (u64 i = 0;; i++) {
		try_wrmsr(MSR_KERNEL_GS_BASE, 0xffff800000000000 + i);
		asm volatile("swapgs" : : : "memory");
	}
}
ATTACK(syscall_msrs)

static void guest_debug_registers(u64 arg)
{
	(void)arg;
	take_all();
	/* breakpoints on what the host executes and writes */
	gwrite_dr0((u64)host_function);
	gwrite_dr1((u64)&host_target);
	gwrite_dr2(0xffffffff81000000);
	gwrite_dr3((u64)host_check);
	gwrite_dr7(0xffff07ff & ~(1 << 13));
	try_wrmsr(MSR_DEBUGCTL, 1);
	try_wrmsr(MSR_DEBUGCTL, 2);
	try_wrmsr(MSR_DEBUGCTL, ~0UL);
	spin_forever();
}
ATTACK(debug_registers)

static void guest_control_registers(u64 arg)
{
	u64 cr0 = gread_cr0(), cr4 = gread_cr4(), cr3 = gread_cr3();

	(void)arg;
	take_all();
	for (;;) {
		for (u64 bit = 0; bit < 64; bit++) {
			try_write_cr0(cr0 ^ 1UL << bit);
			try_write_cr0(cr0);
			/* SMEP, SMAP, CET and LA57 would only harm the guest */
			if (bit < 20 && bit != 5) {
				try_write_cr4(cr4 ^ 1UL << bit);
				try_write_cr4(cr4);
			} else if (bit > 24) {
				try_write_cr4(cr4 ^ 1UL << bit);
			}
			try_write_cr8(1UL << bit);
			if (bit < 5 || bit > 51) {
				try_write_cr3(cr3 | 1UL << bit);
				try_write_cr3(cr3);
			}
		}
		try_write_cr8(0);
		try_write_cr4(cr4 | X86_CR4_VMXE);
	}
}
ATTACK(control_registers)

static void guest_xcr0(u64 arg)
{
	(void)arg;
	take_all();
	gwrite_cr4(gread_cr4() | X86_CR4_OSXSAVE);
	for (u64 i = 0;; i++) {
		u64 v = i * 0x9e3779b97f4a7c15;

		if (i < 64)
			v = 1UL << i;
		asm volatile(TRY("xsetbv")
			     : : "a"((u32)v), "d"((u32)(v >> 32)),
			       "c"((u32)(i % 3))
			     : "memory");
		asm volatile(TRY("xsetbv")
			     : : "a"((u32)v | 1), "d"(0), "c"(0) : "memory");
	}
}

static void test_xcr0(void)
{
	if (!dev_info()->xcr0_mask)
		test_skip("no XSAVE on this machine");
	attack_with(make_long, (u64)guest_xcr0);
}

/* Every MSR that there may be, with values of each kind. */
static void guest_msrs(u64 arg)
{
	static const u32 special[] = {
		0x10, MSR_FEATURE_CONTROL, MSR_SPEC_CTRL, 0x49, 0x79, 0x8b,
		0xe2, 0x10b, 0x122, MSR_MISC_ENABLE, MSR_DEBUGCTL, MSR_PAT,
		MSR_MTRR_DEF_TYPE, 0x38d, 0x38f, 0x3f1, 0x480, 0x48b, 0x600,
		0xc80, 0xda0, 0x4b564d00, 0xc0010015,
	};
	u64 v;

	(void)arg;
	take_all();
	for (u32 i = 0; i < ARRAY_SIZE(special); i++) {
		try_rdmsr(special[i], &v);
		try_wrmsr(special[i], v);
		try_wrmsr(special[i], 0);
		try_wrmsr(special[i], ~0UL);
		try_wrmsr(special[i], 1);
		try_wrmsr(special[i], 0x0303030303030303);
		try_wrmsr(special[i], 1UL << 63);
	}
	for (u32 i = 0; i < 0x1000; i++) {
		/* the local APIC is another test's */
		if (i >= 0x800 && i < 0x900)
			continue;
		try_rdmsr(i, &v);
		try_wrmsr(i, ~0UL << (i & 63));
		try_rdmsr(0xc0000000 + i, &v);
		if (i == 0x80)
			continue;
		try_wrmsr(0xc0000000 + i, i * 0x10001UL);
	}
	GUEST_SYNC(1);
	spin_forever();
}
ATTACK(msrs)

/* ------------------------------------------------------------------------
 * Loops
 */

static void guest_spin(u64 arg)
{
	(void)arg;
	gcli();
	asm volatile("1: jmp 1b");
}
ATTACK(spin)

static void guest_halt(u64 arg)
{
	(void)arg;
	gcli();
	for (;;)
		ghlt();
}
ATTACK(halt)

static void guest_exits(u64 arg)
{
	u32 r[4];

	(void)arg;
	for (;;)
		gcpuid(0, 0, r);
}
ATTACK(exits)

static void guest_nmi_storm(u64 arg)
{
	(void)arg;
	take_all();
	gwrmsr(MSR_APIC_BASE, grdmsr(MSR_APIC_BASE) | 1 << 10);
	gwrmsr(0x80f, 0x1ff);
	for (;;)
		gwrmsr(0x830, 0x400);
}
ATTACK(nmi_storm)

static void eoi(struct trap_frame *frame)
{
	(void)frame;
	gwrmsr(0x80b, 0);
	gwrmsr(0x83f, 0x30);
}

static void guest_ipi_storm(u64 arg)
{
	(void)arg;
	take_all();
	gwrmsr(MSR_APIC_BASE, grdmsr(MSR_APIC_BASE) | 1 << 10);
	gwrmsr(0x80f, 0x1ff);
	gwrmsr(0x836, 0x400);
	guest_handler[0x30] = eoi;
	gwrmsr(0x83f, 0x30);
	gsti();
	spin_forever();
}
ATTACK(ipi_storm)

static void timer_eoi(struct trap_frame *frame)
{
	(void)frame;
	gwrmsr(0x80b, 0);
}

/* The shortest period that there is. */
static void guest_timer_storm(u64 arg)
{
	(void)arg;
	take_all();
	gwrmsr(MSR_APIC_BASE, grdmsr(MSR_APIC_BASE) | 1 << 10);
	gwrmsr(0x80f, 0x1ff);
	guest_handler[0x31] = timer_eoi;
	gwrmsr(0x83e, 0xb);
	gwrmsr(0x832, 1 << 17 | 0x31);
	gwrmsr(0x838, 1);
	for (;;)
		gsti_hlt();
}
ATTACK(timer_storm)

static void timer_rearm(struct trap_frame *frame)
{
	(void)frame;
	gwrmsr(0x80b, 0);
	try_wrmsr(MSR_TSC_DEADLINE, grdtsc() - 1);
}

static void guest_deadline_storm(u64 arg)
{
	(void)arg;
	take_all();
	gwrmsr(MSR_APIC_BASE, grdmsr(MSR_APIC_BASE) | 1 << 10);
	gwrmsr(0x80f, 0x1ff);
	guest_handler[0x32] = timer_rearm;
	gwrmsr(0x832, 2 << 17 | 0x32);
	gwrmsr(MSR_TSC_DEADLINE, 1);
	for (;;)
		gsti_hlt();
}

static void test_deadline_storm(void)
{
	if (!(dev_info()->capabilities & MVM_CAP_TSC_DEADLINE))
		test_skip("the APIC has no TSC-deadline mode");
	attack_with(make_long, (u64)guest_deadline_storm);
}

/*
 * CVE-2015-8104: a breakpoint on the stack that #DB is delivered to: each
 * delivery raises the next one, without end.
 */
static void guest_db_loop(u64 arg)
{
	struct {
		u16 limit;
		u64 base;
	} __attribute__((packed)) idt;

	(void)arg;
	take_all();
	asm volatile("sidt %0" : "=m"(idt));
	/* #DB on the stack of IST 1 */
	*(u8 *)(idt.base + 1 * 16 + 4) = 1;
	gwrite_dr0(GUEST_STACK_IST - 8);
	gwrite_dr7(0x400 | 1 << 1 | 3UL << 16 | 2UL << 18);
	asm volatile(".byte 0xf1");
	spin_forever();
}
ATTACK(db_loop)

/* Single steps over everything, for ever. */
static void guest_step_loop(u64 arg)
{
	(void)arg;
	take_all();
	asm volatile("pushfq; orq $0x100, (%rsp); popfq");
	for (;;) {
		u32 r[4];

		gcpuid(0, 0, r);
	}
}
ATTACK(step_loop)

/*
 * CVE-2015-5307: alignment checks at CPL 3 with a gate that stays at CPL 3 and
 * a stack that is not aligned: #AC in the delivery of #AC, without end.
 */
GUEST_CODE(ac_loop, 32,
	   "mov $0x33, %eax; mov %eax, %ds; mov %eax, %es\n"
	   "mov %cr0, %eax; or $0x40000, %eax; mov %eax, %cr0\n"
	   "push $0x33; push $0x6001; push $0x40002; push $0x2b; push $0x4000\n"
	   "iret\n");
GUEST_CODE(ac_user, 32, "1: mov 0x6101, %eax; jmp 1b\n");

static void make_ac_loop(struct vm *vm, struct vcpu *vcpu, u64 arg)
{
	u64 *gdt, *idt;

	(void)arg;
	vm_create(vm, 0);
	vm_ram(vm, SZ_64K);
	vcpu_create(vcpu, vm, 0);
	vcpu_protected_mode(vcpu, 0x3000);
	memcpy(vm->ram + 0x3000, ac_loop, GUEST_CODE_SIZE(ac_loop));
	memcpy(vm->ram + 0x4000, ac_user, GUEST_CODE_SIZE(ac_user));
	gdt = (u64 *)(vm->ram + MODE32_GDT);
	idt = (u64 *)(vm->ram + MODE32_IDT);
	gdt[5] = 0x00cffb000000ffff;
	gdt[6] = 0x00cff3000000ffff;
	/* #AC by an interrupt gate to user code: no change of the stack */
	idt[17] = 0x0000ee00002b4000;
}

static void test_ac_loop(void)
{
	attack_with(make_ac_loop, 0);
}

/* The gate for #PF points to nowhere: faults in faults, resolved as #DF. */
static void guest_fault_loop(u64 arg)
{
	(void)arg;
	take_all();
	for (;;)
		asm volatile(TRY("movq %%rax, (%0)")
			     : : "r"(1UL << 46) : "memory");
}
ATTACK(fault_loop)

static void guest_rep(u64 arg)
{
	u64 rcx = ~0UL, rdi = GUEST_FREE;

	(void)arg;
	/* 2 to the 64 loads, all from memory that is there */
	asm volatile("rep lodsb"
		     : "+S"(rdi), "+c"(rcx) : : "rax", "memory");
}

static void guest_rep_io(u64 arg)
{
	u64 rcx = ~0UL, rsi = GUEST_FREE;

	(void)arg;
	asm volatile("rep outsb"
		     : "+S"(rsi), "+c"(rcx) : "d"(0x80) : "memory");
	for (;;) {
		rcx = ~0UL;
		rsi = -16UL;
		asm volatile("rep insl"
			     : "+D"(rsi), "+c"(rcx) : "d"(0x80) : "memory");
	}
}
ATTACK(rep)
ATTACK(rep_io)

/* All guest-physical addresses, most without memory. */
static void guest_sweep(u64 arg)
{
	(void)arg;
	for (u64 a = 0x800000; a < GUEST_MAPPED; a += SZ_2M)
		asm volatile("movl (%%rdx), %%eax"
			     : : "d"(a) : "rax", "memory");
}
ATTACK(sweep)

static void guest_vmcalls(u64 arg)
{
	(void)arg;
	for (u64 i = 0;; i++)
		asm volatile("vmcall" : "+a"(i) : : "memory");
}
ATTACK(vmcalls)

/* ------------------------------------------------------------------------
 * The owner as the attacker
 */

static void test_nmi_line_storm(void)
{
	struct mvm_line l = { .size = sizeof(l), .line = MVM_LINE_NMI };
	struct vcpu vcpu;
	struct vm vm;
	long end;

	guest_create(&vm, &vcpu, 0, guest_ipi_storm, 0);
	vcpu_run_async(&vcpu);
	end = now_ms() + MILLISECONDS;
	while (now_ms() < end)
		for (u32 i = 0; i < 50; i++) {
			l.level = i & 1;
			CHECK_OK(ioctl(vcpu.fd, MVM_SET_LINE, &l));
		}
	host_check();
	vcpu_stop(&vcpu);
	guest_check(&vcpu);
}

/* Somebody writes over the run page while the guest runs. */
static volatile bool scribble_end;

static void *scribbler(void *arg)
{
	struct vcpu *vcpu = arg;
	struct random r = { .state = 5 };
	u32 *page = (u32 *)vcpu->run;

	while (!scribble_end) {
		for (u32 i = 0; i < 50; i++)
			page[random_below(&r, sizeof(*vcpu->run) / 4)] =
				random_below(&r, ~0U);
		sched_yield();
	}
	return NULL;
}

static void guest_mixed(u64 arg)
{
	u32 r[4];

	(void)arg;
	for (u32 i = 0;; i++) {
		gcpuid(i, 0, r);
		gout32(0x80, i);
		*(volatile u32 *)(GUEST_FREE + (i & 0xff) * PAGE_SIZE) = i;
	}
}

static void test_scribble(void)
{
	struct random r = { .state = 6 };
	pthread_t thread;
	struct vcpu vcpu;
	struct vm vm;
	u32 taken = 0, refused = 0;
	struct host_state before, after;

	host_pin();
	host_read(&before);
	guest_create(&vm, &vcpu, 0, guest_mixed, 0);
	CHECK_EQ(pthread_create(&thread, NULL, scribbler, &vcpu), 0);
	for (u32 i = 0; i < 200; i++) {
		if (sys_run(vcpu.fd, MVM_RUN_ASYNC)) {
			CHECK(errno == EINVAL || errno == EBUSY);
			refused++;
			memset(vcpu.run, 0, sizeof(*vcpu.run));
		} else {
			taken++;
			if (!vcpu_poll(&vcpu, random_below(&r, 2))) {
				vcpu.run->immediate_exit = 1;
				do {
					vcpu.run->immediate_exit = 1;
					vcpu_kick(&vcpu);
				} while (!vcpu_poll(&vcpu, 10));
			}
		}
	}
	scribble_end = true;
	pthread_join(thread, NULL);
	diag("%u runs, %u refused", taken, refused);
	CHECK(taken > 0);
	host_read(&after);
	host_compare(&before, &after);
}

static void fill_random(struct random *r, void *to, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((u8 *)to)[i] = random_below(r, 256);
}

/* One field of the structure, not all of it: more gets through the checks. */
static void spoil(struct random *r, void *at, size_t size)
{
	u64 *word = (u64 *)at + 1 + random_below(r, size / 8 - 1);

	switch (random_below(r, 4)) {
	case 0:
		*word ^= 1UL << random_below(r, 64);
		break;
	case 1:
		*word = 0;
		break;
	case 2:
		*word = ~0UL << random_below(r, 64);
		break;
	default:
		fill_random(r, word, 8);
	}
}

/* Random states, accepted or not; then a run. */
static void test_random_state(void)
{
	struct random r = { .state = 77 };
	static u8 xsave[16384] __attribute__((aligned(64)));
	struct mvm_xsave x = {
		.length = dev_info()->xsave_size, .buffer = (u64)xsave
	};
	struct host_state before, after;
	u32 ran = 0, failed = 0;
	struct vcpu vcpu;
	struct vm vm;

	host_pin();
	host_read(&before);
	guest_create(&vm, &vcpu, 0, guest_mixed, 0);
	for (u32 i = 0; i < 250; i++) {
		struct mvm_run *run = vcpu.run;
		struct mvm_events events;
		struct mvm_sregs sregs;
		struct mvm_lapic lapic = { 0 };

		guest_vcpu(&vcpu, guest_mixed, 0);
		if (i & 1)
			vcpu_real_mode(&vcpu, 0x40, 0);
		vcpu_get_sregs(&vcpu, &sregs);
		vcpu_get_events(&vcpu, &events);
		CHECK_OK(mvm_ioctl(vcpu.fd, MVM_GET_LAPIC, &lapic));
		CHECK_OK(mvm_ioctl(vcpu.fd, MVM_GET_XSAVE, &x));
		for (u32 n = random_below(&r, 4); n--;)
			spoil(&r, &sregs, sizeof(sregs));
		mvm_ioctl(vcpu.fd, MVM_SET_SREGS, &sregs);
		if (random_below(&r, 2))
			spoil(&r, &events, sizeof(events));
		mvm_ioctl(vcpu.fd, MVM_SET_EVENTS, &events);
		if (random_below(&r, 2))
			spoil(&r, &lapic, sizeof(lapic));
		mvm_ioctl(vcpu.fd, MVM_SET_LAPIC, &lapic);
		spoil(&r, xsave, 640);
		mvm_ioctl(vcpu.fd, MVM_SET_XSAVE, &x);
		if (random_below(&r, 2))
			fill_random(&r, run->gpr, sizeof(run->gpr));
		if (!random_below(&r, 4))
			fill_random(&r, &run->rip, 8);
		if (!random_below(&r, 4))
			fill_random(&r, &run->rflags, 8);
		run->next_rip = run->rip;
		if (sys_run(vcpu.fd, MVM_RUN_ASYNC)) {
			CHECK_EQ(errno, EINVAL);
			continue;
		}
		ran++;
		if (!vcpu_poll(&vcpu, 1))
			vcpu_stop(&vcpu);
		failed += run->exit_reason == MVM_EXIT_FAIL_ENTRY;
		/* the state of the next round is set from a good one */
		vcpu_destroy(&vcpu);
		vm_destroy(&vm);
		guest_create(&vm, &vcpu, 0, guest_mixed, 0);
	}
	diag("%u runs, %u entries refused by the CPU", ran, failed);
	CHECK(ran > 20);
	host_read(&after);
	host_compare(&before, &after);
	host_check();
}

/* Random arguments for every command on every descriptor. */
static void test_random_ioctls(void)
{
	struct random r = { .state = 78 };
	struct vcpu vcpu;
	struct vm vm;
	u8 arg[512];

	guest_create(&vm, &vcpu, 0, guest_mixed, 0);
	for (u32 i = 0; i < 3000; i++) {
		const int fds[] = { dev_fd(), vm.fd, vcpu.fd };
		u32 nr = random_below(&r, 0x34);
		u32 known[] = { 8, 16, 24, 32, 40, 64, 272, 344 };
		int fd;

		fill_random(&r, arg, sizeof(arg));
		if (random_below(&r, 4))
			memset(arg, 0, sizeof(arg));
		*(u32 *)arg = known[random_below(&r, ARRAY_SIZE(known))];
		if (random_below(&r, 2))
			((u32 *)arg)[1] = 0;
		for (u32 n = random_below(&r, 4); n--;)
			arg[random_below(&r, 64)] = random_below(&r, 256);
		/* a run could wait for ever */
		if (nr == 0x20)
			continue;
		fd = ioctl(fds[random_below(&r, 3)], _IO(MVM_IOC_MAGIC, nr),
			   arg);
		if (fd > 2)
			close(fd);
	}
	host_check();
}

static const struct test tests[] = {
	{ "registers: CR0.CD and NW, WBINVD, INVD", test_cache_off },
	{ "registers: CR4.MCE off", test_mce_off },
	{ "registers: MSRs of SYSCALL and SYSENTER, SWAPGS, TSC_AUX",
	  test_syscall_msrs },
	{ "registers: breakpoints at the host's addresses, DEBUGCTL",
	  test_debug_registers },
	{ "registers: every bit of the control registers",
	  test_control_registers },
	{ "registers: XCR0", test_xcr0 },
	{ "registers: 8000 MSRs", test_msrs, 40 },
	{ "loop: spinning with interrupts disabled", test_spin },
	{ "loop: HLT with interrupts disabled", test_halt },
	{ "loop: CPUID", test_exits },
	{ "loop: VMCALL to user space", test_vmcalls },
	{ "loop: NMIs by the ICR", test_nmi_storm },
	{ "loop: IPIs to itself", test_ipi_storm },
	{ "loop: the shortest timer period", test_timer_storm },
	{ "loop: TSC deadlines in the past", test_deadline_storm },
	{ "loop: #DB on the stack of #DB (CVE-2015-8104)", test_db_loop },
	{ "loop: single steps", test_step_loop },
	{ "loop: #AC on the stack of #AC (CVE-2015-5307)", test_ac_loop },
	{ "loop: page faults", test_fault_loop },
	{ "loop: REP with a count of 2 to the 64", test_rep },
	{ "loop: REP OUTS and INS with such a count", test_rep_io },
	{ "memory: all addresses, without memory there", test_sweep },
	{ "owner: a storm of NMIs by the line", test_nmi_line_storm },
	{ "owner: writes over the run page while the guest runs",
	  test_scribble, 60 },
	{ "owner: random states", test_random_state, 60 },
	{ "owner: random arguments", test_random_ioctls, 60 },
};

TEST_MAIN(tests)
