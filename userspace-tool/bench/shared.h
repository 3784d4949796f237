/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * shared.h - what the benchmark's guest and the command agree on: where things
 * lie in guest memory, the ports, the page through which they speak.
 */
#ifndef MINI_VM_BENCH_SHARED_H
#define MINI_VM_BENCH_SHARED_H

/* Guest-physical addresses; the guest's page tables map 4 GiB one to one. */
#define BENCH_SHARED	0x1000
#define BENCH_GDT	0x2000
#define BENCH_IDT	0x3000
#define BENCH_TSS	0x4000
#define BENCH_PML4	0x5000
#define BENCH_PDPT	0x6000
#define BENCH_PDS	0x7000		/* four */
#define BENCH_STACK	0x20000		/* and below: that of vCPU 0 */
#define BENCH_STACK_BYTES 0x8000	/* of each */
#define BENCH_CODE	0x100000
#define BENCH_CODE_MAX	0x100000
/* memory that only the page-fault rows touch */
#define BENCH_TOUCH	0x1000000
#define BENCH_TOUCH_END	0x3000000
#define BENCH_MEMORY	0x4000000
/* no memory */
#define BENCH_MMIO	0xd0000000

#define BENCH_MAPPED	0x100000000

#define BENCH_SELECTOR_CODE	0x08
#define BENCH_SELECTOR_DATA	0x10
#define BENCH_SELECTOR_TSS	0x18

/* The guest has done what it was asked, or has failed. */
#define BENCH_PORT_END	0x5a8
/* Answered by user space. */
#define BENCH_PORT_USER	0x5b0
/* Wired to something in the kernel, in rows that want it. */
#define BENCH_PORT_WIRED 0x5c0

/* What an IN from BENCH_PORT_USER and a read of BENCH_MMIO give. */
#define BENCH_ANSWER	0x5a17c0de

/* What the guest can be asked to do so many times. */
enum bench_code {
	BENCH_NOTHING,
	BENCH_CPUID,
	BENCH_VMCALL,
	BENCH_RDMSR,
	BENCH_WRMSR,
	BENCH_OUT,
	BENCH_IN,
	BENCH_OUT_WIRED,
	BENCH_MMIO_WRITE,
	BENCH_MMIO_READ,
	BENCH_CR8_READ,
	BENCH_CR8_WRITE,
	BENCH_CR0_WP,
	BENCH_WBINVD,
	BENCH_DEADLINE_NOW,
	BENCH_DEADLINE,
	BENCH_SELF_IPI,
	BENCH_ICR,
	BENCH_EOI,
	BENCH_IPI_NOP,
	BENCH_IPI_HLT,
	BENCH_TIMER_HLT,
	BENCH_IPI,
	BENCH_IPI_HALTED,
	BENCH_STOP_SECOND,
	BENCH_TOUCH_4K,
	BENCH_TOUCH_2M,
	BENCH_COMPUTE,
};

#define BENCH_PAGE_4K	0x1000
#define BENCH_PAGE_2M	0x200000

/**
 * struct bench_shared - the page that host and guest share
 * @code:	host: enum bench_code
 * @rounds:	host: how often
 * @delay:	host: of a timer, in its own ticks
 * @trace:	host: not 0: mark beginning and end for an emulator's debugger
 * @ticks:	guest: TSC ticks that it took
 * @failed:	guest: 0, or the line of guest.c that was not content
 * @vector:	guest: an exception that it did not expect
 * @rip:	guest: where
 * @second:	guest: its second vCPU takes interrupts
 * @stop:	guest: and is to end
 */
struct bench_shared {
	unsigned long long code;
	unsigned long long rounds;
	unsigned long long delay;
	unsigned long long trace;
	unsigned long long ticks;
	unsigned long long failed;
	unsigned long long vector;
	unsigned long long rip;
	unsigned long long second;
	unsigned long long stop;
};

/* One round of a compute-bound loop: BENCH_COMPUTE_INSNS instructions. */
#define BENCH_COMPUTE_INSNS	8
/* of a series: long enough that the host's own ticks average out */
#define BENCH_COMPUTE_ROUNDS	1000000
#define BENCH_COMPUTE_TRIES	3
static inline void bench_compute(unsigned long rounds)
{
	unsigned long a = 1, b = 3;

	__asm__ volatile("1:\timul %1, %0\n\t"
			 "add $7, %1\n\t"
			 "xor %1, %0\n\t"
			 "rol $3, %0\n\t"
			 "sub %0, %1\n\t"
			 "lea 5(%0,%1), %0\n\t"
			 "dec %2\n\t"
			 "jnz 1b"
			 : "+r"(a), "+r"(b), "+r"(rounds) : : "cc");
}

#endif /* MINI_VM_BENCH_SHARED_H */
