// SPDX-License-Identifier: GPL-2.0-only
/*
 * smp.c - guests with several vCPUs: INIT and SIPI, IPIs in all modes, wake-ups,
 * the TSC, and vCPUs that move or share a CPU
 *
 * vCPU 0 of a crew runs a guest function; it starts the others by INIT and SIPI,
 * as the kernel of a PC does.  SMP_ROUNDS in the environment is how often the tests
 * do what goes wrong rarely.
 */
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "lib/guest.h"
#include "lib/proc.h"

#define R_ID		0x020
#define R_TPR		0x080
#define R_EOI		0x0b0
#define R_LDR		0x0d0
#define R_DFR		0x0e0
#define R_SVR		0x0f0
#define R_ICR		0x300
#define R_ICR2		0x310

#define BASE_X2APIC	(1UL << 10)
#define XAPIC_PAGE	0xfee00000UL

#define INIT		0x4500
#define SIPI		0x4600
#define NMI		0x4400
#define FIXED		0x4000
#define LOWEST		0x4100
#define LOGICAL		0x0800
#define TO_SELF		0x40000
#define TO_ALL		0x80000
#define TO_OTHERS	0xc0000

#define MAX_CPUS	8
/* MVM_SET_EVENTS */
#define ACTIVE		0
#define HALTED		1
#define WAIT_SIPI	3
/* where SIPIs go to */
#define START_PAGE	0x20UL
#define OTHER_PAGE	0x21UL

/* the lower one is taken last */
#define PING		0x41
#define VECTOR		0x61
#define ALARM		0x31

static u32 rounds(u32 normal)
{
	const char *text = getenv("SMP_ROUNDS");

	return text ? strtoul(text, NULL, 0) : normal;
}

static int host_cpus(void)
{
	return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

/* ------------------------------------------------------------------------
 * The guest's side: from real mode to smp_main(APIC ID)
 */

asm(".pushsection .rodata\n"
    ".code16\n"
    "smp_start:\n"
    "	cli\n"
    "	movw %cs, %ax\n"
    "	movw %ax, %ds\n"
    "	lgdtl smp_gdt - smp_start\n"
    "	movl $0x620, %eax\n"		/* PAE, OSFXSR, OSXMMEXCPT */
    "	movl %eax, %cr4\n"
    "	movl $0x1000, %eax\n"		/* GUEST_PML4 */
    "	movl %eax, %cr3\n"
    "	movl $0xc0000080, %ecx\n"	/* EFER.LME */
    "	rdmsr\n"
    "	orl $0x100, %eax\n"
    "	wrmsr\n"
    "	movl $0x80010033, %eax\n"	/* PG, WP, NE, ET, MP, PE */
    "	movl %eax, %cr0\n"
    "	ljmpl *(smp_far - smp_start)\n"
    "smp_gdt:\n"
    "	.word 0x4f\n"
    "	.long 0x8000\n"			/* GUEST_GDT */
    "smp_far:\n"
    "	.long smp_long\n"
    "	.word 0x08\n"
    "smp_end:\n"
    "smp_idt:\n"
    "	.word 0xfff\n"
    "	.quad 0x9000\n"			/* GUEST_IDT */
    ".popsection\n"
    ".code64\n"
    "smp_long:\n"
    "	movl $0x10, %eax\n"
    "	movl %eax, %ds\n"
    "	movl %eax, %es\n"
    "	movl %eax, %ss\n"
    "	lidt smp_idt\n"
    "	movl $1, %eax\n"
    "	cpuid\n"
    "	movl %ebx, %edi\n"
    "	shrl $24, %edi\n"
    "	imull $0x10000, %edi, %eax\n"	/* GUEST_STACK(id) */
    "	movl $0x3ff000, %esp\n"
    "	subl %eax, %esp\n"
    "	call smp_main\n"
    "	jmp guest_return\n");
extern const u8 smp_start[], smp_end[];

/* What the others do once they are started, and how often each was. */
static void (*volatile others_do)(u64 id);
static volatile u32 starts[MAX_CPUS];
/* vCPUs of the crew */
static volatile u32 crew_size;
static volatile bool xapic;

static u64 rd(u32 reg)
{
	u32 v;

	if (!xapic)
		return grdmsr(0x800 + (reg >> 4));
	/* the host knows these two instructions: serve() */
	asm volatile("movl (%%rdx), %%eax" : "=a"(v) : "d"(XAPIC_PAGE + reg) : "memory");
	return v;
}

static void wr(u32 reg, u64 value)
{
	if (!xapic)
		gwrmsr(0x800 + (reg >> 4), value);
	else
		asm volatile("movl %%eax, (%%rdx)"
			     : : "a"((u32)value), "d"(XAPIC_PAGE + reg) : "memory");
}

/* In the layout of the x2APIC. */
static void send(u64 icr)
{
	if (xapic)
		wr(R_ICR2, icr >> 32 << 24);
	wr(R_ICR, xapic ? (u32)icr : icr);
}

static u64 to(u64 dest)
{
	return dest << 32;
}

/*
 * What the CPU reads to deliver an interrupt is mapped before the first one: Bochs
 * forgets a virtual interrupt that meets an EPT violation.
 */
static void apic_on(void)
{
	(void)*(volatile u64 *)GUEST_IDT;
	(void)*(volatile u64 *)GUEST_GDT;
	if (!xapic)
		gwrmsr(MSR_APIC_BASE, grdmsr(MSR_APIC_BASE) | BASE_X2APIC);
	wr(R_SVR, 0x1ff);
}

static __attribute__((used)) void smp_main(u64 id)
{
	__atomic_fetch_add(&starts[id], 1, __ATOMIC_SEQ_CST);
	others_do(id);
}

/* Wait without HLT: PAUSE lets others run. */
#define SPIN_UNTIL(cond)                                                       \
	do {                                                                   \
		while (!(cond))                                                \
			gpause();                                              \
	} while (0)

/* vCPU 0: let the others run @fn. */
static void start_others(void (*fn)(u64 id))
{
	others_do = fn;
	send(INIT | TO_OTHERS);
	send(SIPI | START_PAGE | TO_OTHERS);
	for (u32 id = 1; id < crew_size; id++)
		SPIN_UNTIL(starts[id]);
}

/* ------------------------------------------------------------------------
 * The host's side
 */

struct crew {
	struct vm vm;
	struct vcpu vcpu[MAX_CPUS];
	u32 n;
};

static void crew_create(struct crew *crew, u32 n, void (*fn)(u64 arg), u64 arg)
{
	if (dev_info()->max_vcpus < n)
		test_skip("max_vcpus is %u", dev_info()->max_vcpus);
	crew->n = n;
	guest_create(&crew->vm, &crew->vcpu[0], 0, fn, arg);
	for (u32 id = 1; id < n; id++) {
		struct mvm_events e;

		vcpu_create(&crew->vcpu[id], &crew->vm, id);
		vcpu_get_events(&crew->vcpu[id], &e);
		e.activity = WAIT_SIPI;
		vcpu_set_events(&crew->vcpu[id], &e);
	}
	*GUEST_VAR(&crew->vm, crew_size) = n;
	memcpy(crew->vm.ram + (START_PAGE << 12), smp_start, smp_end - smp_start);
	memcpy(crew->vm.ram + (OTHER_PAGE << 12), smp_start, smp_end - smp_start);
}

static void crew_run(struct crew *crew)
{
	for (u32 id = 0; id < crew->n; id++)
		vcpu_run_async(&crew->vcpu[id]);
}

/* An access to the xAPIC's page by rd() or wr(). */
static void serve(struct vcpu *vcpu)
{
	struct mvm_run *run = vcpu->run;
	struct mvm_lapic_access a = { .offset = run->mmio.gpa & 0xfff };

	if (run->exit_reason != MVM_EXIT_MMIO || run->mmio.gpa >> 12 != XAPIC_PAGE >> 12)
		FAIL("vCPU %u: %s", vcpu->id, exit_text(vcpu));
	if (run->mmio.flags & MVM_MMIO_WRITE) {
		a.flags = MVM_LAPIC_WRITE;
		a.value = run->gpr[MVM_RAX];
	}
	CHECK_OK(mvm_ioctl(vcpu->fd, MVM_LAPIC_ACCESS, &a));
	if (!(run->mmio.flags & MVM_MMIO_WRITE))
		run->gpr[MVM_RAX] = a.value;
	run->next_rip = run->rip + 2;
	vcpu_run_async(vcpu);
}

static void crew_report(struct crew *crew)
{
	for (u32 id = 0; id < crew->n; id++) {
		struct mvm_events e;

		vcpu_stop(&crew->vcpu[id]);
		vcpu_get_events(&crew->vcpu[id], &e);
		diag("vCPU %u: activity %u, started %u times, %s", id, e.activity,
		     (*GUEST_VAR(&crew->vm, starts))[id], exit_text(&crew->vcpu[id]));
	}
}

static u64 host_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000UL + t.tv_nsec;
}

/*
 * Until vCPU 0 has an exit of its own: GUEST_SYNC() or its end.  The others have
 * none but accesses to their APIC.
 */
static void crew_wait(struct crew *crew, u32 seconds)
{
	u64 end = host_ns() + seconds * 1000000000UL;

	while (host_ns() < end) {
		struct pollfd p[MAX_CPUS];

		for (u32 id = 0; id < crew->n; id++)
			p[id] = (struct pollfd){ .fd = crew->vcpu[id].fd, .events = POLLIN };
		poll(p, crew->n, 100);
		for (u32 id = 0; id < crew->n; id++) {
			struct vcpu *vcpu = &crew->vcpu[id];

			if (!(p[id].revents & POLLIN))
				continue;
			guest_check(vcpu);
			if (!id && vcpu->run->exit_reason == MVM_EXIT_IO)
				return;
			serve(vcpu);
		}
	}
	crew_report(crew);
	FAIL("vCPU 0 has not come to its end");
}

static void crew_sync(struct crew *crew, u32 value)
{
	crew_wait(crew, 15);
	if (!guest_is_sync(&crew->vcpu[0], value))
		FAIL("exit is %s, not GUEST_SYNC(%u)", exit_text(&crew->vcpu[0]), value);
}

static void crew_done(struct crew *crew, u32 seconds)
{
	crew_wait(crew, seconds);
	if (!guest_is_done(&crew->vcpu[0]))
		FAIL("exit is %s, not the end", exit_text(&crew->vcpu[0]));
	for (u32 id = 1; id < crew->n; id++) {
		vcpu_stop(&crew->vcpu[id]);
		guest_check(&crew->vcpu[id]);
	}
}

/* A stopped vCPU's activity. */
static u8 activity(struct vcpu *vcpu)
{
	struct mvm_events e;

	vcpu_get_events(vcpu, &e);
	return e.activity;
}

/* One that runs on its own comes to wait for a SIPI. */
static void check_waits(struct vcpu *vcpu)
{
	for (int i = 0; activity(vcpu) != WAIT_SIPI; i++) {
		CHECK(i < 100);
		vcpu_run_async(vcpu);
		usleep(1000);
		vcpu_stop(vcpu);
		guest_check(vcpu);
	}
}

/* Run to the end of a crew with this guest. */
static void run_crew(u32 n, void (*fn)(u64 arg), u64 arg)
{
	struct crew crew;

	crew_create(&crew, n, fn, arg);
	crew_run(&crew);
	crew_done(&crew, 18);
}

/* ------------------------------------------------------------------------
 * INIT and SIPI
 */

static void halt_for_ever(u64 id)
{
	(void)id;
	for (;;)
		ghlt();
}

static void guest_starts_others(u64 arg)
{
	(void)arg;
	apic_on();
	start_others(halt_for_ever);
	for (u32 id = 1; id < crew_size; id++)
		GUEST_EQ(starts[id], 1);
}

static void test_start_one(void)
{
	run_crew(2, guest_starts_others, 0);
}

static void test_start_all(void)
{
	run_crew(dev_info()->max_vcpus < MAX_CPUS ? dev_info()->max_vcpus : MAX_CPUS,
		 guest_starts_others, 0);
}

static void guest_init_sipi(u64 sipi)
{
	apic_on();
	send(INIT | to(1));
	GUEST_SYNC(1);
	send(SIPI | sipi | to(1));
	GUEST_SYNC(2);
	for (;;)
		ghlt();
}

static const u8 out_and_halt[] = { 0xe6, 0x80, 0xf4, 0xeb, 0xfd };	/* out %al, $0x80; hlt; jmp */

/* A vCPU that has another state in every register, then INIT and SIPI. */
static void test_registers(void)
{
	const u8 page = 0x34;
	struct mvm_lapic lapic = {}, after = {};
	struct mvm_sregs s, before;
	struct crew crew;
	struct vcpu *first = &crew.vcpu[0], *second = &crew.vcpu[1];
	struct mvm_run *run;
	u64 tsc;

	crew_create(&crew, 2, guest_init_sipi, page);
	memcpy(crew.vm.ram + (page << 12), out_and_halt, sizeof(out_and_halt));
	run = second->run;

	guest_vcpu(second, halt_for_ever, 0);
	vcpu_get_sregs(second, &s);
	s.cr0 &= ~(X86_CR0_CD | X86_CR0_NW);
	s.cr2 = 0x12345678;
	s.cr8 = 5;
	s.dr[1] = 0x1000;
	s.dr6 = 0xffff0ff1;
	s.dr7 = 0x40c;
	s.efer |= EFER_SCE;
	s.fs.base = 0x123456789;
	s.xcr0 = dev_info()->xcr0_mask ? 3 : s.xcr0;
	vcpu_set_sregs(second, &s);
	before = s;
	for (int i = 0; i < MVM_NR_GPRS; i++)
		run->gpr[i] = 0x0102030405060708 << i;
	run->rflags = RFLAGS_FIXED | RFLAGS_DF | RFLAGS_AC;
	vcpu_set_msr(second, MSR_LSTAR, 0x4321);
	vcpu_set_msr(second, MSR_PAT, 0x0001040600070406);
	vcpu_set_msr(second, MSR_TSC_ADJUST, 1UL << 50);
	CHECK_OK(mvm_ioctl(second->fd, MVM_GET_LAPIC, &lapic));
	lapic.regs[R_SVR >> 4] = 0x1ff;
	lapic.regs[R_TPR >> 4] = 0x50;
	lapic.regs[0x210 >> 4] = 1 << (ALARM & 31);		/* IRR */
	CHECK_OK(mvm_ioctl(second->fd, MVM_SET_LAPIC, &lapic));

	vcpu_run_async(second);
	guest_sync(first, 1);
	CHECK(!vcpu_poll(second, 20));
	vcpu_stop(second);
	CHECK_EQ(activity(second), WAIT_SIPI);
	tsc = vcpu_get_msr(second, MSR_TSC);
	CHECK_OK(mvm_ioctl(second->fd, MVM_GET_LAPIC, &after));
	vcpu_run_async(second);

	guest_sync(first, 2);
	if (!vcpu_poll(second, 1000))
		FAIL("the SIPI does not start it");
	CHECK_EQ(run->exit_reason, MVM_EXIT_IO);
	CHECK_EQ(run->io.port, 0x80);
	CHECK_EQ(activity(second), ACTIVE);
	vcpu_get_sregs(second, &s);
	/* SDM 3A table 10-1, column INIT, and 9.4.4.2 for CS:IP */
	CHECK_EQ(run->rip, 0);
	CHECK_EQ(s.cs.selector, page << 8);
	CHECK_EQ(s.cs.base, page << 12);
	CHECK_EQ(s.cs.limit, 0xffff);
	/* code or data: in real mode that does not matter */
	CHECK_EQ(s.cs.access | 8, 0x9b);
	CHECK_EQ(run->rflags, RFLAGS_FIXED);
	for (int i = 0; i < MVM_NR_GPRS; i++)
		if (i != MVM_RDX)
			CHECK_EQ(run->gpr[i], 0);
	CHECK(run->gpr[MVM_RDX] && !(run->gpr[MVM_RDX] >> 32));
	CHECK_EQ(s.ds.selector | s.es.selector | s.fs.selector | s.gs.selector | s.ss.selector, 0);
	CHECK_EQ(s.ds.base | s.es.base | s.fs.base | s.gs.base | s.ss.base, 0);
	CHECK_EQ(s.ss.limit, 0xffff);
	CHECK_EQ(s.ss.access, 0x93);
	CHECK_EQ(s.tr.selector | s.tr.base | s.ldt.selector | s.ldt.base, 0);
	CHECK_EQ(s.gdt.base | s.idt.base, 0);
	CHECK_EQ(s.gdt.limit & s.idt.limit, 0xffff);
	/* the cache mode stays */
	CHECK_EQ(s.cr0, X86_CR0_ET);
	CHECK_EQ(s.cr2 | s.cr3 | s.cr4 | s.cr8 | s.efer, 0);
	CHECK_EQ(s.dr[0] | s.dr[1] | s.dr[2] | s.dr[3], 0);
	CHECK_EQ(s.dr6, 0xffff0ff0);
	CHECK_EQ(s.dr7, 0x400);
	/* and so do XCR0, MSRs, the TSC, the APIC's base */
	CHECK_EQ(s.xcr0, before.xcr0);
	CHECK_EQ(s.apic_base, before.apic_base);
	CHECK_EQ(vcpu_get_msr(second, MSR_LSTAR), 0x4321);
	CHECK_EQ(vcpu_get_msr(second, MSR_PAT), 0x0001040600070406);
	CHECK_EQ(vcpu_get_msr(second, MSR_TSC_ADJUST), 1UL << 50);
	CHECK(tsc >> 50 == 1 && vcpu_get_msr(second, MSR_TSC) > tsc);
	/* of the local APIC the ID remains (SDM 3A 11.4.7.3) */
	CHECK_EQ(after.regs[R_ID >> 4], 1 << 24);
	CHECK_EQ(after.regs[R_SVR >> 4], 0xff);
	CHECK_EQ(after.regs[R_TPR >> 4], 0);
	CHECK_EQ(after.regs[0x210 >> 4], 0);
}

static void guest_sipi_twice(u64 arg)
{
	(void)arg;
	apic_on();
	start_others(halt_for_ever);
	/* to one that halts; another page would show */
	send(SIPI | OTHER_PAGE | to(1));
	send(SIPI | START_PAGE | TO_OTHERS);
	/* both at once, before the vCPU looks */
	send(INIT | to(1));
	send(SIPI | START_PAGE | to(1));
	send(SIPI | OTHER_PAGE | to(1));
	SPIN_UNTIL(starts[1] == 2);
	GUEST_SYNC(1);
	GUEST_EQ(starts[1], 2);
}

static void test_sipi_twice(void)
{
	struct crew crew;

	crew_create(&crew, 2, guest_sipi_twice, 0);
	crew_run(&crew);
	crew_sync(&crew, 1);
	/* time for one that should not come */
	usleep(20000);
	vcpu_run_async(&crew.vcpu[0]);
	crew_done(&crew, 10);
}

static volatile u64 beats;

static void count_for_ever(u64 id)
{
	(void)id;
	for (;;)
		beats++;
}

static void wait_for_irq(u64 id)
{
	(void)id;
	for (;;)
		gsti_hlt();
}

/* In each state that a vCPU can be in, INIT stops it, and a SIPI starts it again. */
static void guest_init_running(u64 arg)
{
	static void (*const states[])(u64 id) = { count_for_ever, halt_for_ever, wait_for_irq };
	u64 seen;

	(void)arg;
	apic_on();
	start_others(states[0]);
	for (u32 i = 0; i < 30; i++) {
		u32 before = starts[1];

		if (i % 3 == 0)
			SPIN_UNTIL(beats);
		send(INIT | to(1));
		/* of an INIT to one that waits already nothing is seen */
		if (i & 1)
			send(INIT | to(1));
		GUEST_EQ(starts[1], before);
		others_do = states[(i + 1) % 3];
		beats = 0;
		send(SIPI | (i & 1 ? OTHER_PAGE : START_PAGE) | to(1));
		SPIN_UNTIL(starts[1] == before + 1);
	}
	/* it waits: nothing moves */
	others_do = count_for_ever;
	send(INIT | to(1));
	GUEST_SYNC(1);
	seen = beats;
	GUEST_SYNC(2);
	GUEST_EQ(beats, seen);
}

static void test_init_running(void)
{
	struct crew crew;

	crew_create(&crew, 2, guest_init_running, 0);
	crew_run(&crew);
	crew_sync(&crew, 1);
	usleep(10000);
	vcpu_run_async(&crew.vcpu[0]);
	crew_sync(&crew, 2);
	usleep(10000);
	vcpu_run_async(&crew.vcpu[0]);
	crew_done(&crew, 10);
	check_waits(&crew.vcpu[1]);
}

static void init_self(u64 id)
{
	apic_on();
	send(INIT | to(id));
	GUEST_ASSERT(!"INIT to itself has no effect");
}

static void guest_others_init_self(u64 arg)
{
	(void)arg;
	apic_on();
	start_others(init_self);
	GUEST_SYNC(1);
	/* x2APIC mode outlives INIT */
	start_others(init_self);
	SPIN_UNTIL(starts[1] == 2);
}

static void test_init_self(void)
{
	struct crew crew;

	crew_create(&crew, 2, guest_others_init_self, 0);
	crew_run(&crew);
	crew_sync(&crew, 1);
	CHECK(!vcpu_poll(&crew.vcpu[1], 20));
	vcpu_run_async(&crew.vcpu[0]);
	crew_done(&crew, 10);
	check_waits(&crew.vcpu[1]);
}

/* The bootstrap processor begins at its reset vector, where nothing is here. */
static void test_init_bsp(void)
{
	struct vcpu vcpu;
	struct mvm_sregs s;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, init_self, 0);
	CHECK_EQ(guest_run(&vcpu), MVM_EXIT_MMIO);
	CHECK_EQ(vcpu.run->mmio.gpa, 0xfffffff0);
	CHECK(vcpu.run->mmio.flags & MVM_MMIO_FETCH);
	CHECK_EQ(vcpu.run->rip, 0xfff0);
	CHECK_EQ(activity(&vcpu), ACTIVE);
	vcpu_get_sregs(&vcpu, &s);
	CHECK_EQ(s.cs.selector, 0xf000);
	CHECK_EQ(s.cs.base, 0xffff0000);
	CHECK_EQ(s.cr0 & (X86_CR0_PE | X86_CR0_PG), 0);
}

/* INIT meets a vCPU that is stopped, at an exit that is answered after it. */
static void read_port(u64 id)
{
	(void)id;
	GUEST_EQ(gin32(0x123), 0xdead);
	GUEST_ASSERT(!"INIT has no effect on a stopped vCPU");
}

static void guest_stopped_target(u64 arg)
{
	(void)arg;
	apic_on();
	start_others(read_port);
	GUEST_SYNC(1);
	others_do = halt_for_ever;
	send(INIT | to(1));
	GUEST_SYNC(2);
	send(SIPI | START_PAGE | to(1));
	SPIN_UNTIL(starts[1] == 2);
}

static void test_init_stopped(void)
{
	struct crew crew;
	struct vcpu *second = &crew.vcpu[1];

	crew_create(&crew, 2, guest_stopped_target, 0);
	vcpu_run_async(second);
	guest_sync(&crew.vcpu[0], 1);
	if (!vcpu_poll(second, 1000))
		FAIL("no exit");
	CHECK_EQ(second->run->exit_reason, MVM_EXIT_IO);
	guest_sync(&crew.vcpu[0], 2);
	/* it has not noticed yet */
	CHECK_EQ(activity(second), ACTIVE);
	second->run->io.data = 0xdead;
	vcpu_run_async(second);
	CHECK(!vcpu_poll(second, 20));
	vcpu_run_async(&crew.vcpu[0]);
	crew_done(&crew, 10);
}

static void guest_nmi_to_waiting(u64 arg)
{
	(void)arg;
	apic_on();
	GUEST_SYNC(1);
	send(NMI | to(1));
	send(FIXED | VECTOR | to(1));
	GUEST_SYNC(2);
}

static void test_wait_blocks(void)
{
	struct crew crew;
	struct vcpu *second = &crew.vcpu[1];
	struct mvm_events e;

	crew_create(&crew, 2, guest_nmi_to_waiting, 0);
	vcpu_run_async(second);
	guest_sync(&crew.vcpu[0], 1);
	guest_sync(&crew.vcpu[0], 2);
	CHECK(!vcpu_poll(second, 20));
	vcpu_stop(second);
	CHECK_EQ(second->run->exit_reason, MVM_EXIT_INTR);
	vcpu_get_events(second, &e);
	CHECK_EQ(e.activity, WAIT_SIPI);
	CHECK_EQ(e.nmi_pending, 1);
	/* user space may make it active, without a SIPI */
	e.activity = ACTIVE;
	e.nmi_pending = 0;
	vcpu_set_events(second, &e);
	vcpu_real_code(second, 0xb000, out_and_halt, sizeof(out_and_halt));
	vcpu_run_to(second, MVM_EXIT_IO);
}

/* ------------------------------------------------------------------------
 * IPIs
 */

/* By vCPU and vector, and those that came to the wrong handler. */
static volatile u32 got[MAX_CPUS][256];

static u32 my_id(void)
{
	u32 r[4];

	gcpuid(1, 0, r);
	return r[1] >> 24;
}

static void on_ipi(struct trap_frame *frame)
{
	__atomic_fetch_add(&got[my_id()][frame->vector], 1, __ATOMIC_SEQ_CST);
	if (frame->vector != 2)
		wr(R_EOI, 0);
}

static void handle_ipis(void)
{
	guest_handler[2] = on_ipi;
	guest_handler[PING] = on_ipi;
	guest_handler[VECTOR] = on_ipi;
}

/* In the middle of an interrupt, with a higher one requested. */
static void on_ping(struct trap_frame *frame)
{
	(void)frame;
	send(FIXED | VECTOR | TO_SELF);
	count_for_ever(0);
}

static void be_interrupted(u64 id)
{
	apic_on();
	gsti();
	send(FIXED | (starts[id] == 1 ? PING : ALARM) | TO_SELF);
	wait_for_irq(id);
}

/* What was in service holds nothing back after INIT; what was requested does not come. */
static void guest_init_in_service(u64 arg)
{
	(void)arg;
	guest_handler[PING] = on_ping;
	guest_handler[VECTOR] = on_ipi;
	guest_handler[ALARM] = on_ipi;
	apic_on();
	start_others(be_interrupted);
	SPIN_UNTIL(beats);
	send(INIT | to(1));
	send(SIPI | START_PAGE | to(1));
	SPIN_UNTIL(got[1][ALARM]);
	GUEST_EQ(got[1][VECTOR], 0);
}

static void test_init_in_service(void)
{
	run_crew(2, guest_init_in_service, 0);
}

/* Logical IDs of an xAPIC: a bit each, or two clusters of two. */
static u32 flat_id(u64 id)
{
	return 1U << id;
}

static u32 cluster_id(u64 id)
{
	return (u32)(id / 2) << 4 | 1U << id % 2;
}

static volatile bool clusters;
static volatile u32 ready;

static void be_target(u64 id)
{
	apic_on();
	GUEST_EQ(rd(R_ID) >> (xapic ? 24 : 0), id);
	if (xapic) {
		wr(R_DFR, clusters ? 0x0fffffff : 0xffffffff);
		wr(R_LDR, (clusters ? cluster_id(id) : flat_id(id)) << 24);
	}
	__atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
	if (id)
		wait_for_irq(id);
}

/* An IPI, and whom it must reach: all of @mask, or one of them. */
struct message {
	u64 icr;
	u32 mask;
	bool one;
};

#define DEST(d, icr)	((u64)(d) << 32 | (icr))

static const struct message x2apic_messages[] = {
	{ DEST(2, FIXED), 1 << 2 },
	{ DEST(0, FIXED), 1 << 0 },
	{ DEST(3, NMI), 1 << 3 },
	{ DEST(7, FIXED), 0 },
	{ DEST(0xffffffff, FIXED), 0xf },
	{ DEST(0xffffffff, NMI), 0xf },
	{ DEST(0xffffffff, LOWEST), 0xf, true },
	{ DEST(1, LOWEST), 1 << 1, true },
	/* cluster 0, bits by ID; cluster 1 has nobody */
	{ DEST(0x6, FIXED | LOGICAL), 0x6 },
	{ DEST(0xf, FIXED | LOGICAL), 0xf },
	{ DEST(0xa, NMI | LOGICAL), 0xa },
	{ DEST(0xc, LOWEST | LOGICAL), 0xc, true },
	{ DEST(0x1000f, FIXED | LOGICAL), 0 },
	{ DEST(0xffffffff, FIXED | LOGICAL), 0xf },
	{ FIXED | TO_SELF, 1 << 0 },
	{ FIXED | TO_ALL, 0xf },
	{ FIXED | TO_OTHERS, 0xe },
	{ NMI | TO_OTHERS, 0xe },
	{ LOWEST | TO_OTHERS, 0xe, true },
};

static const struct message xapic_messages[] = {
	{ DEST(2, FIXED), 1 << 2 },
	{ DEST(3, NMI), 1 << 3 },
	{ DEST(9, FIXED), 0 },
	{ DEST(0xff, FIXED), 0xf },
	{ DEST(0xff, LOWEST), 0xf, true },
	{ FIXED | TO_SELF, 1 << 0 },
	{ FIXED | TO_ALL, 0xf },
	{ FIXED | TO_OTHERS, 0xe },
	{ NMI | TO_OTHERS, 0xe },
};

static const struct message flat_messages[] = {
	{ DEST(0x4, FIXED | LOGICAL), 0x4 },
	{ DEST(0x9, FIXED | LOGICAL), 0x9 },
	{ DEST(0xff, FIXED | LOGICAL), 0xf },
	{ DEST(0x30, FIXED | LOGICAL), 0 },
	{ DEST(0x6, NMI | LOGICAL), 0x6 },
	{ DEST(0xe, LOWEST | LOGICAL), 0xe, true },
};

static const struct message cluster_messages[] = {
	{ DEST(0x01, FIXED | LOGICAL), 0x1 },
	{ DEST(0x03, FIXED | LOGICAL), 0x3 },
	{ DEST(0x12, FIXED | LOGICAL), 0x8 },
	{ DEST(0x13, NMI | LOGICAL), 0xc },
	{ DEST(0x13, LOWEST | LOGICAL), 0xc, true },
	{ DEST(0x23, FIXED | LOGICAL), 0 },
	{ DEST(0xff, FIXED | LOGICAL), 0xf },
};

static u32 total(u32 vector)
{
	u32 sum = 0;

	for (u32 id = 0; id < crew_size; id++)
		sum += got[id][vector];
	return sum;
}

/*
 * Send each, then a PING to all: what was sent before it has come when it has, and
 * nothing else.
 */
static void send_messages(const struct message *m, u32 n)
{
	for (u32 i = 0; i < n; i++, m++) {
		u32 vector = (m->icr >> 8 & 7) == 4 ? 2 : VECTOR, hit = 0;
		u32 before[4], pings = total(PING), expected;

		for (u32 id = 0; id < 4; id++)
			before[id] = got[id][vector];
		expected = total(vector) + (m->one ? 1 : __builtin_popcount(m->mask));
		send(m->icr | (vector == 2 ? 0 : VECTOR));
		gsti();
		SPIN_UNTIL(total(vector) >= expected);
		send(FIXED | PING | TO_ALL);
		SPIN_UNTIL(total(PING) == pings + 4);
		gcli();
		for (u32 id = 0; id < 4; id++) {
			GUEST_ASSERT(got[id][vector] - before[id] <= 1);
			hit |= (got[id][vector] - before[id]) << id;
		}
		if (m->one ? !hit || hit & ~m->mask || hit & (hit - 1) : hit != m->mask)
			guest_fail(__FILE__, i, "whom the message of this number reached, and should",
				   hit, m->mask);
	}
}

#define SEND(messages)	send_messages(messages, ARRAY_SIZE(messages))

static void guest_ipis(u64 mode)
{
	xapic = mode;
	clusters = mode == 2;
	handle_ipis();
	apic_on();
	start_others(be_target);
	be_target(0);
	SPIN_UNTIL(ready == crew_size);
	if (mode == 0)
		SEND(x2apic_messages);
	if (mode == 1) {
		SEND(xapic_messages);
		SEND(flat_messages);
	}
	if (mode == 2)
		SEND(cluster_messages);
}

static void test_x2apic(void)
{
	run_crew(4, guest_ipis, 0);
}

static void test_xapic_flat(void)
{
	run_crew(4, guest_ipis, 1);
}

static void test_xapic_cluster(void)
{
	run_crew(4, guest_ipis, 2);
}

/* Of several the one that takes it must be one that is enabled by software. */
static void guest_lowest(u64 arg)
{
	(void)arg;
	handle_ipis();
	apic_on();
	start_others(be_target);
	SPIN_UNTIL(ready == crew_size - 1);
	wr(R_SVR, 0xff);
	send(LOWEST | VECTOR | to(0xffffffff));
	SPIN_UNTIL(total(VECTOR) == 1);
	GUEST_EQ(got[0][VECTOR], 0);
}

static void test_lowest(void)
{
	run_crew(3, guest_lowest, 0);
}

/* ------------------------------------------------------------------------
 * Wake-ups
 */

static volatile u64 turns;
static volatile u32 max_turns;

static void on_turn(struct trap_frame *frame)
{
	(void)frame;
	wr(R_EOI, 0);
}

/*
 * Wait for the own turn in HLT, after a moment that is longer each time, so that
 * the other's IPI comes before, in and after each step of falling asleep.
 */
static void take_turn(u64 id, u64 round)
{
	for (u64 i = 0; i < round % 512; i++)
		gnop();
	gcli();
	while (turns % crew_size != id)
		gsti_hlt();
	turns++;
	send(FIXED | PING | to((id + 1) % crew_size));
}

static void turn_for_ever(u64 id)
{
	apic_on();
	__atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
	for (u64 i = 0;; i += 7)
		take_turn(id, i);
}

static void guest_turns(u64 arg)
{
	(void)arg;
	guest_handler[PING] = on_turn;
	apic_on();
	/* the others wait until it is vCPU 1's turn */
	start_others(turn_for_ever);
	SPIN_UNTIL(ready == crew_size - 1);
	for (u64 i = 0; turns < max_turns; i += 3)
		take_turn(0, i);
}

static void turns_of(u32 n, u32 count)
{
	struct crew crew;
	u64 halts = 0;

	crew_create(&crew, n, guest_turns, 0);
	*GUEST_VAR(&crew.vm, max_turns) = count;
	crew_run(&crew);
	crew_done(&crew, 60 + count / 10000);
	for (u32 id = 0; id < n; id++)
		halts += vcpu_stat(&crew.vcpu[id], "halts");
	diag("%u wake-ups, %llu times a thread slept", count, (unsigned long long)halts);
}

/* The one that hunts for wake-ups; on one CPU there is less to race for. */
static void test_turns_two(void)
{
	turns_of(2, rounds(host_cpus() > 1 ? 1000000 : 6000));
}

static void test_turns_four(void)
{
	turns_of(4, rounds(4000));
}

/* Wake-ups by user space, which races with the vCPU's falling asleep. */
static void guest_counts(u64 arg)
{
	(void)arg;
	guest_handler[PING] = on_ipi;
	apic_on();
	gcli();
	for (;;) {
		u32 before = got[0][PING];

		while (got[0][PING] == before)
			gsti_hlt();
	}
}

static void test_wake_by_msi(void)
{
	struct mvm_msi msi = { .address = 0xfee00000, .data = PING };
	struct random random = { .state = 1 };
	volatile u32 *count;
	struct vcpu vcpu;
	struct vm vm;
	u32 n = rounds(2000);

	guest_create(&vm, &vcpu, 0, guest_counts, 0);
	count = &(*GUEST_VAR(&vm, got))[0][PING];
	vcpu_run_async(&vcpu);
	while (vcpu_stat(&vcpu, "halts") == 0)
		usleep(100);
	for (u32 i = 0; i < n; i++) {
		CHECK_OK(mvm_ioctl(vm.fd, MVM_SIGNAL_MSI, &msi));
		for (u32 ms = 0; *count == i; ms++) {
			if (ms == 200000)
				FAIL("wake-up %u was lost", i);
			sched_yield();
		}
		for (volatile u32 spin = random_below(&random, 2000); spin; spin--)
			;
	}
	vcpu_stop(&vcpu);
	CHECK_EQ(*count, n);
}

/* ------------------------------------------------------------------------
 * Time, and CPUs that vCPUs move between and share
 */

static volatile u64 last_tsc, token, tsc_rounds;

/* Who has the token reads the TSC: it must be no less than what the other read. */
static void pass_token(u64 id)
{
	u64 now;

	SPIN_UNTIL(token % crew_size == id);
	/* not before the token was seen */
	asm volatile("lfence" : : : "memory");
	now = grdtsc();
	if (now < last_tsc)
		guest_fail(__FILE__, __LINE__, "the TSC went backwards", last_tsc, now);
	last_tsc = now;
	token++;
}

static void pass_for_ever(u64 id)
{
	for (;;)
		pass_token(id);
}

static void guest_tsc(u64 arg)
{
	(void)arg;
	apic_on();
	start_others(pass_for_ever);
	while (token < tsc_rounds)
		pass_token(0);
}

#define THREADS		"mvm-selftest/"

static void test_tsc(void)
{
	struct crew crew;

	if (host_cpus() < 2)
		test_skip("this needs 2 CPUs");
	crew_create(&crew, 2, guest_tsc, 0);
	*GUEST_VAR(&crew.vm, tsc_rounds) = rounds(20000);
	crew_run(&crew);
	crew_done(&crew, 60);
}

static void test_tsc_moving(void)
{
	struct crew crew;

	if (host_cpus() < 2)
		test_skip("this needs 2 CPUs");
	crew_create(&crew, 2, guest_tsc, 0);
	*GUEST_VAR(&crew.vm, tsc_rounds) = ~0UL;
	crew_run(&crew);
	for (u32 i = 0; i < rounds(20000) / 100; i++) {
		char name[32];

		for (u32 id = 0; id < 2; id++) {
			snprintf(name, sizeof(name), THREADS "%u", id);
			CHECK(pin_tasks(name, (int)(i + id) % 2));
		}
		usleep(2000);
		CHECK(!vcpu_poll(&crew.vcpu[0], 0));
	}
	*GUEST_VAR(&crew.vm, tsc_rounds) = 0;
	crew_done(&crew, 20);
	diag("%llu tokens", (unsigned long long)*GUEST_VAR(&crew.vm, token));
}

static void adjust_tsc(u64 id)
{
	(void)id;
	gwrmsr(MSR_TSC_ADJUST, 1UL << 40);
	last_tsc = grdtsc();
	token = 1;
	halt_for_ever(id);
}

static void guest_tsc_adjust(u64 arg)
{
	u64 before, now;

	(void)arg;
	apic_on();
	before = grdtsc();
	start_others(adjust_tsc);
	SPIN_UNTIL(token);
	now = grdtsc();
	GUEST_ASSERT(now - before < 1UL << 39);
	GUEST_ASSERT(last_tsc - before > 1UL << 40);
	GUEST_ASSERT(last_tsc < now + (1UL << 40));
}

static void test_tsc_adjust(void)
{
	run_crew(2, guest_tsc_adjust, 0);
}

/* Under load, each from CPU to CPU. */
static void test_moving(void)
{
	u32 n = 3 * rounds(20000) / 200, moves = 0;
	struct crew crew;

	if (host_cpus() < 2)
		test_skip("this needs 2 CPUs");
	crew_create(&crew, 3, guest_turns, 0);
	*GUEST_VAR(&crew.vm, max_turns) = ~0U;
	crew_run(&crew);
	for (u32 i = 0; i < n; i++) {
		char name[32];

		snprintf(name, sizeof(name), THREADS "%u", i % 3);
		moves += pin_tasks(name, i / 3 & 1);
		usleep(1000);
		CHECK(!vcpu_poll(&crew.vcpu[0], 0));
	}
	CHECK(moves >= n);
	*GUEST_VAR(&crew.vm, max_turns) = 0;
	crew_done(&crew, 20);
	diag("%llu turns", (unsigned long long)*GUEST_VAR(&crew.vm, turns));
}

/* Two that spin for each other on one CPU: each turn waits for the host's scheduler. */
static void test_one_cpu(void)
{
	const u32 n = 300;
	struct crew crew;
	u64 begin, pauses = 0;

	crew_create(&crew, 2, guest_tsc, 0);
	*GUEST_VAR(&crew.vm, tsc_rounds) = n;
	CHECK(pin_tasks(THREADS, 0) >= 2);
	begin = host_ns();
	crew_run(&crew);
	crew_done(&crew, 60);
	for (u32 id = 0; id < 2; id++)
		pauses += vcpu_stat(&crew.vcpu[id], "exits_pause");
	diag("%u turns, %llu us each, %llu exits by PAUSE", n,
	     (unsigned long long)(host_ns() - begin) / n / 1000, (unsigned long long)pauses);
}

/* A thread that makes a vCPU says where it runs. */
static void test_affinity(void)
{
	cpu_set_t set;
	struct vcpu vcpu;
	struct vm vm;

	if (host_cpus() < 2)
		test_skip("this needs 2 CPUs");
	CPU_ZERO(&set);
	CPU_SET(1, &set);
	CHECK_OK(sched_setaffinity(0, sizeof(set), &set));
	guest_create(&vm, &vcpu, 0, halt_for_ever, 0);
	CPU_SET(0, &set);
	CHECK_OK(sched_setaffinity(0, sizeof(set), &set));
	vcpu_run_async(&vcpu);
	while (!vcpu_stat(&vcpu, "halts"))
		usleep(100);
	CHECK_OK(sched_getaffinity(task_id(THREADS), sizeof(set), &set));
	CHECK_EQ(CPU_COUNT(&set), 1);
	CHECK(CPU_ISSET(1, &set));
}

static const struct test tests[] = {
	{ "start: INIT and SIPI start a vCPU that waits", test_start_one },
	{ "start: and all that a VM can have", test_start_all },
	{ "start: registers and local APIC are as the SDM says", test_registers },
	{ "start: a SIPI counts only once, and only for a vCPU that waits", test_sipi_twice },
	{ "init: stops a vCPU that runs or halts, and a SIPI starts it again", test_init_running },
	{ "init: a vCPU to itself", test_init_self },
	{ "init: the bootstrap processor begins at its reset vector", test_init_bsp },
	{ "init: to a vCPU that is stopped, whose exit is then forgotten", test_init_stopped },
	{ "init: forgets the interrupts that are requested and in service", test_init_in_service },
	{ "wait: neither NMI nor interrupt ends it, user space may", test_wait_blocks },
	{ "ipi: x2APIC, physical and logical, all kinds and shorthands", test_x2apic },
	{ "ipi: xAPIC, physical and flat", test_xapic_flat },
	{ "ipi: xAPIC in clusters", test_xapic_cluster },
	{ "ipi: one for any goes to one that is enabled", test_lowest },
	{ "wake: two vCPUs in turn, none is lost", test_turns_two, 600 },
	{ "wake: four vCPUs in turn, none is lost", test_turns_four, 600 },
	{ "wake: by user space, none is lost", test_wake_by_msi, 600 },
	{ "tsc: never goes backwards from one vCPU to the other", test_tsc, 120 },
	{ "tsc: nor when they move from CPU to CPU", test_tsc_moving, 600 },
	{ "tsc: TSC_ADJUST is each vCPU's own", test_tsc_adjust },
	{ "cpus: vCPUs under load move from CPU to CPU", test_moving, 600 },
	{ "cpus: two that spin for each other on one CPU get on", test_one_cpu, 120 },
	{ "cpus: a vCPU begins where the thread that made it may run", test_affinity },
};

TEST_MAIN(tests)
