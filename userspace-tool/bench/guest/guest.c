// SPDX-License-Identifier: GPL-2.0-only
/*
 * guest.c - the guest of "mini-vm bench": does an operation so many times and
 * says how many ticks of its TSC that took.
 *
 * The same bytes run on every back end, in 64-bit mode, at CPL 0, with the
 * local APIC in x2APIC mode.  Each loop is as short as it can be, and what it
 * costs besides the operation is part of the result: 2 to 8 instructions.
 */
#include "../shared.h"
#include "vectors.h"

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long u64;

#define MSR_TSC_ADJUST		0x3b
#define MSR_TSC_DEADLINE	0x6e0

#define CR0_WP			(1UL << 16)

#define SVR_ENABLED		(1U << 8)
#define LVT_MASKED		(1U << 16)
#define LVT_TSC_DEADLINE	(2U << 17)
#define DIVIDE_BY_1		0xb
/* in x2APIC mode: the destination is APIC ID 1 */
#define ICR_TO_SECOND		(1UL << 32)

/* how far in the future an interrupt is that the guest waits for by spinning */
#define DEADLINE_TICKS		20000

/* a vector that no call of the module's or of KVM's has */
#define UNKNOWN_CALL		0x6d76

#define shared	((volatile struct bench_shared *)BENCH_SHARED)

volatile u64 guest_interrupts, guest_eoi_ticks;

void guest_main(u64 vcpu) __attribute__((noreturn));
void guest_exception(u64 vector, u64 rip) __attribute__((noreturn));

static inline u64 rdtsc(void)
{
	u32 low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return low | (u64)high << 32;
}

static inline void wrmsr(u32 msr, u64 value)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

static inline void end(void)
{
	asm volatile("out %%eax, %%dx" : : "a"(0), "d"(BENCH_PORT_END) : "memory");
}

static void __attribute__((noreturn)) fail(u64 line)
{
	shared->failed = line;
	for (;;)
		end();
}

#define CHECK(condition) do {						\
	if (!(condition))						\
		fail(__LINE__);						\
} while (0)

void guest_exception(u64 vector, u64 rip)
{
	shared->vector = vector;
	shared->rip = rip;
	fail(__LINE__);
}

/* A loop of @insns around n rounds, timed; RSI counts. */
#define LOOP(n, insns, ...)						\
	asm volatile("1:\t" insns "\n\tdec %%rsi\n\tjnz 1b"		\
		     : "+S"(n) : __VA_ARGS__)

static void do_cpuid(u64 n)
{
	LOOP(n, "xor %%eax, %%eax; xor %%ecx, %%ecx; cpuid",
	     : "rax", "rbx", "rcx", "rdx", "memory");
}

static void do_vmcall(u64 n)
{
	LOOP(n, "mov %%edi, %%eax; vmcall", "D"(UNKNOWN_CALL) : "rax", "memory");
}

static void do_rdmsr(u64 n)
{
	LOOP(n, "rdmsr", "c"(MSR_TSC_ADJUST) : "rax", "rdx", "memory");
}

static void do_wrmsr(u64 n)
{
	LOOP(n, "wrmsr", "c"(MSR_TSC_ADJUST), "a"(0), "d"(0) : "memory");
}

static void do_out(u64 n, u32 port)
{
	LOOP(n, "out %%eax, %%dx", "a"(0), "d"(port) : "memory");
}

static void do_in(u64 n)
{
	u32 answer = 0;

	asm volatile("1:\tin %%dx, %%eax\n\tdec %%rsi\n\tjnz 1b"
		     : "+S"(n), "+a"(answer) : "d"(BENCH_PORT_USER) : "memory");
	CHECK(answer == BENCH_ANSWER);
}

static void do_mmio_write(u64 n)
{
	LOOP(n, "mov %%eax, (%%rdi)", "a"(0), "D"(BENCH_MMIO) : "memory");
}

static void do_mmio_read(u64 n)
{
	u32 answer = 0;

	asm volatile("1:\tmov (%%rdi), %%eax\n\tdec %%rsi\n\tjnz 1b"
		     : "+S"(n), "+a"(answer) : "D"(BENCH_MMIO) : "memory");
	CHECK(answer == BENCH_ANSWER);
}

static void do_cr8_read(u64 n)
{
	LOOP(n, "mov %%cr8, %%rax", : "rax", "memory");
}

static void do_cr8_write(u64 n)
{
	LOOP(n, "mov %%rax, %%cr8", "a"(0) : "memory");
}

static void do_cr0_wp(u64 n)
{
	u64 cr0;

	asm volatile("mov %%cr0, %0" : "=r"(cr0));
	LOOP(n, "mov %%rax, %%cr0; mov %%rdi, %%cr0", "a"(cr0 & ~CR0_WP), "D"(cr0 | CR0_WP)
	     : "memory");
}

static void do_wbinvd(u64 n)
{
	LOOP(n, "wbinvd", : "memory");
}

/* An expiry that has passed already; the interrupt comes at once. */
static void do_deadline_now(u64 n)
{
	u64 before = guest_interrupts;

	wrmsr(MSR_X2APIC_LVT_TIMER, LVT_TSC_DEADLINE | BENCH_VECTOR);
	asm volatile("sti\n"
		     "1:\tmov (%%rdi), %%rbx\n\t"
		     "mov $1, %%eax\n\t"
		     "wrmsr\n"
		     "2:\tcmp (%%rdi), %%rbx\n\t"
		     "je 2b\n\t"
		     "dec %%rsi\n\t"
		     "jnz 1b\n\t"
		     "cli"
		     : "+S"(n) : "c"(MSR_TSC_DEADLINE), "d"(0), "D"(&guest_interrupts)
		     : "rax", "rbx", "memory");
	CHECK(guest_interrupts - before == shared->rounds);
}

/* Wait for an interrupt; how many turns of the loop that took. */
static inline u64 spin(volatile u64 *counter, u64 value, u64 limit)
{
	u64 turns = 0;

	asm volatile("1:\tinc %0\n\t"
		     "cmp %0, %3\n\t"
		     "je 2f\n\t"
		     "cmp %2, %1\n\t"
		     "je 1b\n"
		     "2:"
		     : "+r"(turns) : "m"(*counter), "r"(value), "r"(limit) : "cc", "memory");
	return turns;
}

/* Ticks that so many turns take, when nothing comes in between. */
static u64 spin_time(u64 turns)
{
	u64 best = ~0UL, start, i;

	for (i = 0; i < 8; i++) {
		start = rdtsc();
		spin(&guest_interrupts, guest_interrupts, turns);
		start = rdtsc() - start;
		if (start < best)
			best = start;
	}
	return best;
}

/*
 * An expiry in the future: what is asked for is how much of the time until the
 * interrupt was served the guest did not have.
 */
static u64 deadline(u64 n)
{
	u64 per_1024 = spin_time(2048) - spin_time(1024);
	u64 start, turns, before = guest_interrupts, i;
	long taken = 0;

	wrmsr(MSR_X2APIC_LVT_TIMER, LVT_TSC_DEADLINE | BENCH_VECTOR);
	asm volatile("sti");
	for (i = 0; i < n; i++) {
		u64 now = guest_interrupts;

		start = rdtsc();
		wrmsr(MSR_TSC_DEADLINE, start + DEADLINE_TICKS);
		turns = spin(&guest_interrupts, now, ~0UL);
		taken += (long)(rdtsc() - start - turns * per_1024 / 1024);
	}
	asm volatile("cli");
	CHECK(guest_interrupts - before == n);
	/* where the clock's rate changes */
	return taken > 0 ? (u64)taken : 0;
}

/*
 * The write that makes an interrupt pending, while the guest takes none: all but
 * the first are of one that is pending already.  The guest takes it at the end.
 */
static u64 send_ipis(u64 n, u32 msr)
{
	u64 before = guest_interrupts, start = rdtsc();

	LOOP(n, "wrmsr", "c"(msr), "a"(BENCH_VECTOR), "d"(0) : "memory");
	start = rdtsc() - start;
	asm volatile("sti");
	while (guest_interrupts == before)
		;
	asm volatile("cli");
	CHECK(guest_interrupts - before == 1);
	return start;
}

static void take_ipis(u64 n, u32 vector)
{
	u64 before = guest_interrupts, rounds = n;

	LOOP(n, "mov (%%rdi), %%rbx; wrmsr; sti; nop; 2: cmp (%%rdi), %%rbx; je 2b; cli",
	     "c"(MSR_X2APIC_SELF_IPI), "a"(vector), "d"(0), "D"(&guest_interrupts)
	     : "rbx", "memory");
	CHECK(guest_interrupts - before == rounds);
}

static void do_ipi_hlt(u64 n)
{
	u64 before = guest_interrupts;

	LOOP(n, "wrmsr; sti; hlt; cli", "c"(MSR_X2APIC_SELF_IPI), "a"(BENCH_VECTOR), "d"(0)
	     : "memory");
	CHECK(guest_interrupts - before == shared->rounds);
}

static void use_one_shot_timer(void)
{
	wrmsr(MSR_X2APIC_TIMER_DIVIDE, DIVIDE_BY_1);
	wrmsr(MSR_X2APIC_LVT_TIMER, BENCH_VECTOR);
}

/* A one-shot timer, and a HLT that it ends. */
static void do_timer_hlt(u64 n)
{
	u64 before = guest_interrupts;

	use_one_shot_timer();
	LOOP(n, "wrmsr; sti; hlt; cli", "c"(MSR_X2APIC_TIMER_COUNT), "a"((u32)shared->delay),
	     "d"(0) : "memory");
	CHECK(guest_interrupts - before == shared->rounds);
}

/* On either vCPU: each waits for the other's. */
static inline void await_interrupt(u64 before)
{
	while (guest_interrupts == before && !shared->failed)
		;
}

/*
 * From the write of ICR until the second vCPU's handler has counted.  Before each
 * one a timer's time passes, in which the second vCPU comes to rest.  Interrupts are
 * on, so the host takes its own while this waits.
 */
static u64 ipi(u64 n)
{
	u64 first = guest_interrupts, taken = 0, i;

	use_one_shot_timer();
	asm volatile("sti");
	while (!shared->second)
		;
	for (i = 0; i < n; i++) {
		u64 before = guest_interrupts, start;

		wrmsr(MSR_X2APIC_TIMER_COUNT, shared->delay);
		await_interrupt(before);
		start = rdtsc();
		wrmsr(MSR_X2APIC_ICR, BENCH_VECTOR | ICR_TO_SECOND);
		await_interrupt(before + 1);
		taken += rdtsc() - start;
	}
	asm volatile("cli");
	CHECK(guest_interrupts - first == 2 * n);
	return taken;
}

/* What the second vCPU does: takes interrupts, halted or not, until it is to end. */
static void __attribute__((noreturn)) be_second(void)
{
	shared->second = 1;
	for (;;) {
		asm volatile("sti");
		while (shared->code != BENCH_IPI_HALTED && !shared->stop)
			;
		asm volatile("cli");
		if (shared->stop)
			break;
		asm volatile("sti; hlt" : : : "memory");
	}
	for (;;)
		end();
}

static void stop_second(void)
{
	shared->stop = 1;
	wrmsr(MSR_X2APIC_ICR, BENCH_VECTOR | ICR_TO_SECOND);
}

static void touch(u64 n, u64 step)
{
	u64 at = BENCH_TOUCH;

	asm volatile("1:\tmovb $1, (%%rax)\n\tadd %%rdi, %%rax\n\tdec %%rsi\n\tjnz 1b"
		     : "+S"(n), "+a"(at) : "D"(step) : "memory");
}

/* What is asked for may be only a part of the rounds' time; else ALL of it is. */
#define ALL	(~0UL)
static u64 perform(u64 code, u64 n)
{
	switch (code) {
	case BENCH_NOTHING:
		break;
	case BENCH_CPUID:
		do_cpuid(n);
		break;
	case BENCH_VMCALL:
		do_vmcall(n);
		break;
	case BENCH_RDMSR:
		do_rdmsr(n);
		break;
	case BENCH_WRMSR:
		do_wrmsr(n);
		break;
	case BENCH_OUT:
		do_out(n, BENCH_PORT_USER);
		break;
	case BENCH_OUT_WIRED:
		do_out(n, BENCH_PORT_WIRED);
		break;
	case BENCH_IN:
		do_in(n);
		break;
	case BENCH_MMIO_WRITE:
		do_mmio_write(n);
		break;
	case BENCH_MMIO_READ:
		do_mmio_read(n);
		break;
	case BENCH_CR8_READ:
		do_cr8_read(n);
		break;
	case BENCH_CR8_WRITE:
		do_cr8_write(n);
		break;
	case BENCH_CR0_WP:
		do_cr0_wp(n);
		break;
	case BENCH_WBINVD:
		do_wbinvd(n);
		break;
	case BENCH_DEADLINE_NOW:
		do_deadline_now(n);
		break;
	case BENCH_DEADLINE:
		return deadline(n);
	case BENCH_SELF_IPI:
		return send_ipis(n, MSR_X2APIC_SELF_IPI);
	case BENCH_ICR:
		/* to APIC ID 0, its own: the form that KVM is quickest with */
		return send_ipis(n, MSR_X2APIC_ICR);
	case BENCH_EOI:
		guest_eoi_ticks = 0;
		take_ipis(n, BENCH_VECTOR_TIMED);
		return guest_eoi_ticks;
	case BENCH_IPI_NOP:
		take_ipis(n, BENCH_VECTOR);
		break;
	case BENCH_IPI_HLT:
		do_ipi_hlt(n);
		break;
	case BENCH_TIMER_HLT:
		do_timer_hlt(n);
		break;
	case BENCH_IPI:
	case BENCH_IPI_HALTED:
		return ipi(n);
	case BENCH_STOP_SECOND:
		stop_second();
		break;
	case BENCH_TOUCH_4K:
		touch(n, BENCH_PAGE_4K);
		break;
	case BENCH_TOUCH_2M:
		touch(n, BENCH_PAGE_2M);
		break;
	case BENCH_COMPUTE:
		/* Bochs keeps interrupts of the host from a guest that takes none. */
		asm volatile("sti");
		bench_compute(n);
		asm volatile("cli");
		break;
	default:
		fail(__LINE__);
	}
	return ALL;
}

/* An emulator's debugger may stop here; for a CPU it is nothing. */
static inline void mark(u64 trace)
{
	if (trace)
		asm volatile("xchg %%bx, %%bx" : : : "memory");
}

void guest_main(u64 vcpu)
{
	wrmsr(MSR_X2APIC_SVR, SVR_ENABLED | BENCH_VECTOR_SPURIOUS);
	if (vcpu)
		be_second();
	wrmsr(MSR_X2APIC_LVT_TIMER, LVT_MASKED);
	for (;;) {
		u64 code, rounds, trace, start, part;

		end();
		code = shared->code;
		rounds = shared->rounds;
		trace = shared->trace;
		mark(trace);
		start = rdtsc();
		part = perform(code, rounds);
		start = rdtsc() - start;
		mark(trace);
		shared->ticks = part == ALL ? start : part;
	}
}
