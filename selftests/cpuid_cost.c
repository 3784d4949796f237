// SPDX-License-Identifier: GPL-2.0-only
/*
 * cpuid_cost.c - what an exit costs that the module handles by itself
 *
 * A guest times loops of K and of 2K instructions; the slope is the cost of one
 * round trip, printed.  What it may be is for "mini-vm bench" and lab/bench-budget
 * to say; this is for where only the selftests are.
 */
#include "lib/guest.h"

#define K	200
#define TRIES	8

enum kind { KIND_CPUID, KIND_VMCALL, KIND_RDMSR, KIND_WRMSR };

static volatile u64 cost[2];

static void loop(enum kind kind, u32 n)
{
	switch (kind) {
	case KIND_CPUID:
		asm volatile("1: xor %%eax, %%eax; xor %%ecx, %%ecx; cpuid\n\t"
			     "dec %%esi; jnz 1b"
			     : "+S"(n)
			     : : "rax", "rbx", "rcx", "rdx", "memory");
		break;
	case KIND_VMCALL:
		asm volatile("1: xor %%eax, %%eax; vmcall\n\t"
			     "dec %%esi; jnz 1b"
			     : "+S"(n) : : "rax", "memory");
		break;
	case KIND_RDMSR:
		asm volatile("1: rdmsr; dec %%esi; jnz 1b"
			     : "+S"(n) : "c"(MSR_TSC_ADJUST) : "rax", "rdx", "memory");
		break;
	case KIND_WRMSR:
		asm volatile("1: wrmsr; dec %%esi; jnz 1b"
			     : "+S"(n) : "c"(MSR_TSC_ADJUST), "a"(0), "d"(0) : "memory");
		break;
	}
}

static void guest_time(u64 kind)
{
	u64 best[2] = { ~0UL, ~0UL };

	for (u32 try = 0; try < TRIES; try++) {
		for (u32 twice = 0; twice < 2; twice++) {
			u64 start = grdtsc(), t;

			loop(kind, K << twice);
			t = grdtsc() - start;
			if (t < best[twice])
				best[twice] = t;
		}
	}
	cost[0] = best[0];
	cost[1] = best[1];
}

/* Ticks of one round, times 100. */
static u64 measure(enum kind kind)
{
	struct vcpu vcpu;
	struct vm vm;
	u64 slope;

	guest_create(&vm, &vcpu, 0, guest_time, kind);
	guest_done(&vcpu);
	slope = GUEST_VAR(&vm, cost)[0][1] - GUEST_VAR(&vm, cost)[0][0];
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
	return slope * 100 / K;
}

static void show_cost(enum kind kind, const char *name)
{
	u64 ticks = measure(kind);

	diag("%s: %llu.%02llu ticks", name, (unsigned long long)ticks / 100,
	     (unsigned long long)ticks % 100);
	/* No exit is cheaper than that, and a clock that stands still is none. */
	CHECK(ticks > 20 * 100 && ticks < 1000000 * 100ULL);
}

static void test_cpuid(void)
{
	show_cost(KIND_CPUID, "cpuid");
}

static void test_vmcall(void)
{
	show_cost(KIND_VMCALL, "vmcall");
}

static void test_rdmsr(void)
{
	show_cost(KIND_RDMSR, "rdmsr");
}

static void test_wrmsr(void)
{
	show_cost(KIND_WRMSR, "wrmsr");
}

static const struct test tests[] = {
	{ "cost: CPUID", test_cpuid },
	{ "cost: VMCALL that the module answers", test_vmcall },
	{ "cost: RDMSR of TSC_ADJUST", test_rdmsr },
	{ "cost: WRMSR of TSC_ADJUST", test_wrmsr },
};

TEST_MAIN(tests)
