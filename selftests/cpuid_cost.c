// SPDX-License-Identifier: GPL-2.0-only
/*
 * cpuid_cost.c - what an exit costs that the module handles by itself
 *
 * A guest times loops of K and of 2K instructions; the slope is the cost of one
 * round trip.  Where the TSC counts instructions the result is exact and is
 * held against the file "budget".
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/guest.h"

#define K	200
#define TRIES	8

/* the budget, as it was when this was built */
asm(".pushsection .rodata\n"
    "budget_text: .incbin \"budget\"\n"
    "budget_end: .byte 0\n"
    ".popsection");
extern const char budget_text[];

enum kind { KIND_CPUID, KIND_VMCALL, KIND_RDMSR, KIND_WRMSR, KIND_NOP, KIND_DIV };

static volatile u64 cost[2];

static void loop(enum kind kind, u32 n)
{
	u64 x;

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
	case KIND_NOP:
		asm volatile("1: nop; nop; nop; nop; dec %%esi; jnz 1b"
			     : "+S"(n) : : "memory");
		break;
	case KIND_DIV:
		asm volatile("1: mov $1000, %%eax; xor %%edx, %%edx; div %%ecx\n\t"
			     "nop; dec %%esi; jnz 1b"
			     : "+S"(n), "=a"(x) : "c"(7) : "rdx", "memory");
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

/* Four NOPs cost what four other instructions cost, a division among them. */
static bool tsc_counts(void)
{
	return measure(KIND_NOP) == measure(KIND_DIV);
}

static bool mitigations_off(void)
{
	char text[4096] = "";
	int fd = open("/proc/cmdline", O_RDONLY);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		return false;
	close(fd);
	return strstr(text, "mitigations=off");
}

static u64 budget_of(const char *name)
{
	const char *line = budget_text;

	while (line && *line) {
		if (*line != '#' && !strncmp(line, name, strlen(name)) &&
		    line[strlen(name)] == '\t')
			return strtoul(line + strlen(name), NULL, 10);
		line = strchr(line, '\n');
		if (line)
			line++;
	}
	FAIL("no budget for %s", name);
}

static void check_cost(enum kind kind, const char *name)
{
	u64 ticks = measure(kind), limit = budget_of(name);

	diag("%s: %llu.%02llu ticks", name, (unsigned long long)ticks / 100,
	     (unsigned long long)ticks % 100);
	if (!tsc_counts())
		test_skip("the TSC does not count instructions here");
	if (sysconf(_SC_NPROCESSORS_ONLN) > 1)
		test_skip("more than one CPU: ticks are not instructions");
	if (!mitigations_off())
		test_skip("the budget holds with mitigations=off");
	if (ticks > limit * 100)
		FAIL("%s costs %llu instructions, the budget is %llu", name,
		     (unsigned long long)ticks / 100,
		     (unsigned long long)limit);
}

static void test_cpuid(void)
{
	check_cost(KIND_CPUID, "cpuid");
}

static void test_vmcall(void)
{
	check_cost(KIND_VMCALL, "vmcall");
}

static void test_rdmsr(void)
{
	check_cost(KIND_RDMSR, "rdmsr");
}

static void test_wrmsr(void)
{
	check_cost(KIND_WRMSR, "wrmsr");
}

static const struct test tests[] = {
	{ "cost: CPUID", test_cpuid },
	{ "cost: VMCALL that the module answers", test_vmcall },
	{ "cost: RDMSR of TSC_ADJUST", test_rdmsr },
	{ "cost: WRMSR of TSC_ADJUST", test_wrmsr },
};

TEST_MAIN(tests)
