// SPDX-License-Identifier: GPL-2.0-only
/*
 * host.c - the host's registers, seen from user space
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "host.h"
#include "vm.h"

static const u32 list[HOST_MSRS] = {
	0x1b,		/* IA32_APIC_BASE */
	0x3a,		/* IA32_FEATURE_CONTROL */
	0x48,		/* IA32_SPEC_CTRL */
	0x8b,		/* IA32_BIOS_SIGN_ID */
	0x122,		/* IA32_TSX_CTRL */
	0x174,		/* IA32_SYSENTER_CS */
	0x175,		/* IA32_SYSENTER_ESP */
	0x176,		/* IA32_SYSENTER_EIP */
	0x1a0,		/* IA32_MISC_ENABLE */
	0x1d9,		/* IA32_DEBUGCTL */
	0x277,		/* IA32_PAT */
	0x2ff,		/* IA32_MTRR_DEF_TYPE */
	0x38f,		/* IA32_PERF_GLOBAL_CTRL */
	0x3b,		/* IA32_TSC_ADJUST */
	0x3f1,		/* IA32_PEBS_ENABLE */
	0xda0,		/* IA32_XSS */
	0xc0000080,	/* IA32_EFER */
	0xc0000081,	/* IA32_STAR */
	0xc0000082,	/* IA32_LSTAR */
	0xc0000083,	/* IA32_CSTAR */
	0xc0000084,	/* IA32_FMASK */
	0xc0000101,	/* IA32_GS_BASE, of the kernel */
	0xc0000102,	/* IA32_KERNEL_GS_BASE: ours */
	0xc0000103,	/* IA32_TSC_AUX */
};

void host_pin(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	CHECK_OK(sched_setaffinity(0, sizeof(set), &set));
}

static int msr_open(void)
{
	int fd = open("/dev/cpu/0/msr", O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (system("modprobe msr 2>/dev/null"))
		return -1;
	for (int i = 0; i < 50 && fd < 0; i++) {
		fd = open("/dev/cpu/0/msr", O_RDONLY | O_CLOEXEC);
		usleep(10000);
	}
	return fd;
}

static bool has_osxsave(void)
{
	u32 a = 1, b, c = 0, d;

	asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return c >> 27 & 1;
}

void host_read(struct host_state *s)
{
	int fd = msr_open();
	u32 lo, hi;

	*s = (struct host_state){ .has_msrs = fd >= 0 };
	for (int i = 0; fd >= 0 && i < HOST_MSRS; i++)
		if (pread(fd, &s->msr[i], 8, list[i]) == 8)
			s->valid |= 1UL << i;
	if (fd >= 0)
		close(fd);
	if (has_osxsave()) {
		asm volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
		s->xcr0 = (u64)hi << 32 | lo;
	}
	/*
	 * All but TS, which comes and goes.  The SDM promises the low 16 bits;
	 * CPUs show all of CR0.
	 */
	asm volatile("smsw %k0" : "=r"(s->cr0));
	s->cr0 &= 0xfff7 | X86_CR0_CD | X86_CR0_NW;
}

void host_compare(const struct host_state *before,
		  const struct host_state *after)
{
	CHECK_EQ(before->has_msrs, after->has_msrs);
	CHECK_EQ(before->valid, after->valid);
	for (int i = 0; i < HOST_MSRS; i++)
		if (before->msr[i] != after->msr[i])
			FAIL("the host's MSR 0x%x was 0x%llx and is 0x%llx",
			     list[i], (unsigned long long)before->msr[i],
			     (unsigned long long)after->msr[i]);
	CHECK_EQ(before->xcr0, after->xcr0);
	CHECK_EQ(before->cr0, after->cr0);
}

static bool has_rdtscp(void)
{
	u32 a = 0x80000001, b, c = 0, d;

	asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return d >> 27 & 1;
}

void host_check(void)
{
	static __thread u64 canary = 0xfeedface;
	struct timespec t0, t1;
	pid_t pid = getpid();
	u32 aux, cpu;

	clock_gettime(CLOCK_MONOTONIC, &t0);
	for (int i = 0; i < 200; i++) {
		CHECK_EQ(syscall(SYS_getpid), pid);
		/* thread-local: by the FS base */
		CHECK_EQ(canary, 0xfeedface);
		if (has_rdtscp()) {
			CHECK_EQ(syscall(SYS_getcpu, &cpu, NULL, NULL), 0);
			asm volatile("rdtscp" : "=c"(aux) : : "rax", "rdx");
			CHECK_EQ(aux & 0xfff, cpu);
		}
	}
	for (int i = 0; i < 5; i++)
		usleep(500);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	/* the guest has half of the CPU, not all of it */
	if (t1.tv_sec - t0.tv_sec > 2)
		FAIL("the host was stalled for %ld s",
		     (long)(t1.tv_sec - t0.tv_sec));
}
