// SPDX-License-Identifier: GPL-2.0-only
/*
 * rows.c - what is measured, one row an operation.
 *
 * A new operation gets a code in shared.h, a loop in guest/guest.c and a row
 * here; one that user space serves, the two back ends too.  The boot is boot.c's.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "../report.h"
#include "bench.h"

/* of a series: each of the two rings is full 100 times at least */
#define BENCH_POSTED_ROUNDS	32768

/* The part of the guest's memory that @rounds pages of @size bytes are in. */
static u8 *touched(struct bench_vm *vm, u64 rounds, u64 size)
{
	return guest_mem_at(&vm->mem, BENCH_TOUCH, rounds * size);
}

static int advise(u8 *memory, u64 length, int advice)
{
	if (memory && !madvise(memory, length, advice))
		return STATUS_OK;
	report_error("the host does not do with the guest's memory what this row wants: %s",
		     memory ? strerror(errno) : "too many pages");
	return STATUS_RESOURCE;
}

/* No host page is there, and none will be a large one. */
static int prepare_absent(struct bench_vm *vm, u64 rounds)
{
	u64 length = rounds * BENCH_PAGE_4K;
	u8 *memory = touched(vm, rounds, BENCH_PAGE_4K);
	int status = advise(memory, length, MADV_NOHUGEPAGE);

	return status == STATUS_OK ? advise(memory, length, MADV_DONTNEED) : status;
}

/* They are there, but not in the guest's tables, whose entries went with the old. */
static int prepare_present(struct bench_vm *vm, u64 rounds)
{
	int status = prepare_absent(vm, rounds);
	u8 *memory = touched(vm, rounds, BENCH_PAGE_4K);

	if (status == STATUS_OK)
		memset(memory, 0x5a, rounds * BENCH_PAGE_4K);
	return status;
}

/* None is there, and they will be large. */
static int prepare_huge(struct bench_vm *vm, u64 rounds)
{
	u64 length = rounds * BENCH_PAGE_2M;
	u8 *memory = touched(vm, rounds, BENCH_PAGE_2M);
	int status = advise(memory, length, MADV_HUGEPAGE);

	return status == STATUS_OK ? advise(memory, length, MADV_DONTNEED) : status;
}

const struct bench_row bench_rows[] = {
	{ .op = "cpuid", .title = "CPUID", .code = BENCH_CPUID },
	{ .op = "vmcall", .title = "VMCALL, unknown number", .code = BENCH_VMCALL },
	{ .op = "rdmsr", .title = "RDMSR of TSC_ADJUST", .code = BENCH_RDMSR },
	{ .op = "wrmsr", .title = "WRMSR of TSC_ADJUST", .code = BENCH_WRMSR },
	{ .op = "out", .title = "OUT handled in user space", .code = BENCH_OUT },
	{ .op = "in", .title = "IN handled in user space", .code = BENCH_IN },
	{ .op = "out-lend", .title = "OUT, mini-vm's thread lends itself", .code = BENCH_OUT,
	  .lend = true },
	{ .op = "in-lend", .title = "IN, likewise", .code = BENCH_IN, .lend = true },
	{ .op = "doorbell", .title = "OUT that signals an eventfd, nobody sleeps on it",
	  .code = BENCH_OUT_WIRED, .wiring = BENCH_BELL },
	{ .op = "doorbell-wake", .title = "OUT that signals an eventfd, and wakes who sleeps on it",
	  .code = BENCH_OUT_WIRED, .wiring = BENCH_BELL, .waiter = true },
	{ .op = "out-posted", .title = "OUT kept in a ring that user space empties when it is full",
	  .code = BENCH_OUT_WIRED, .wiring = BENCH_POST, .rounds = BENCH_POSTED_ROUNDS,
	  .tries = 2 },
	{ .op = "mmio-write", .title = "MMIO write handled in user space", .code = BENCH_MMIO_WRITE },
	{ .op = "mmio-read", .title = "MMIO read handled in user space", .code = BENCH_MMIO_READ },
	{ .op = "mmio-write-lend", .title = "MMIO write, mini-vm's thread lends itself",
	  .code = BENCH_MMIO_WRITE, .lend = true },
	{ .op = "mmio-read-lend", .title = "MMIO read, likewise", .code = BENCH_MMIO_READ,
	  .lend = true },
	{ .op = "cr8-read", .title = "CR8 read", .code = BENCH_CR8_READ },
	{ .op = "cr8-write", .title = "CR8 write", .code = BENCH_CR8_WRITE },
	{ .op = "deadline-now", .title = "TSC-deadline timer, immediate", .code = BENCH_DEADLINE_NOW },
	{ .op = "deadline", .title = "TSC-deadline timer, programmed: time taken from the guest",
	  .code = BENCH_DEADLINE },
	{ .op = "self-ipi", .title = "self-IPI: write of SELF_IPI, interrupts off", .code = BENCH_SELF_IPI },
	{ .op = "icr", .title = "self-IPI: write of ICR, interrupts off", .code = BENCH_ICR },
	{ .op = "eoi", .title = "self-IPI: write of EOI in its handler", .code = BENCH_EOI },
	{ .op = "self-ipi-nop", .title = "self-IPI, STI; NOP, EOI, IRET", .code = BENCH_IPI_NOP },
	{ .op = "self-ipi-hlt", .title = "self-IPI, STI; HLT, EOI, IRET", .code = BENCH_IPI_HLT },
	{ .op = "ipi", .title = "IPI to a second vCPU that spins, until its handler has counted",
	  .code = BENCH_IPI, .delay_us = 50, .keep_delay = true, .second = true },
	{ .op = "ipi-halted", .title = "the same to one halted for longer than it is polled",
	  .code = BENCH_IPI_HALTED, .delay_us = 400, .keep_delay = true, .second = true },
	{ .op = "timer-hlt", .title = "one-shot APIC timer of 1 us, HLT, wake: the whole round",
	  .code = BENCH_TIMER_HLT, .delay_us = 1, .keep_delay = true },
	{ .op = "timer-poll", .title = "one-shot APIC timer of 50 us, HLT, wake: the time besides",
	  .code = BENCH_TIMER_HLT, .delay_us = 50 },
	{ .op = "timer-sleep", .title = "the same with 400 us, longer than a halted vCPU is polled",
	  .code = BENCH_TIMER_HLT, .delay_us = 400 },
	{ .op = "timer-rival", .title = "timer-poll's round: time taken from a thread that computes beside",
	  .code = BENCH_TIMER_HLT, .delay_us = 50, .keep_delay = true, .rounds = 1000, .tries = 2,
	  .whole = true, .rival = true },
	{ .op = "cr0-wp", .title = "CR0.WP off and on", .code = BENCH_CR0_WP },
	{ .op = "wbinvd", .title = "WBINVD", .code = BENCH_WBINVD },
	{ .op = "ept-present", .title = "EPT violation, 4 KiB page, present in the host",
	  .code = BENCH_TOUCH_4K, .rounds = 32, .prepare = prepare_present },
	{ .op = "ept-absent", .title = "EPT violation, 4 KiB page, allocated by the host",
	  .code = BENCH_TOUCH_4K, .rounds = 16, .prepare = prepare_absent },
	{ .op = "ept-huge", .title = "EPT violation, 2 MiB page, allocated by the host",
	  .code = BENCH_TOUCH_2M, .rounds = 1, .tries = 4, .prepare = prepare_huge },
	{ .op = "compute", .title = "1000 rounds of a compute-bound loop", .code = BENCH_COMPUTE,
	  .rounds = BENCH_COMPUTE_ROUNDS, .tries = BENCH_COMPUTE_TRIES, .whole = true,
	  .per = 1000 },
	{ .op = "boot", .title = "boot of a Linux kernel, from its entry to its init; one try", .boot = true },
};

const size_t bench_row_count = ARRAY_SIZE(bench_rows);

/**
 * bench_row() - find a row
 * @op: its name
 *
 * Return: the row, or NULL.
 */
const struct bench_row *bench_row(const char *op)
{
	size_t i;

	for (i = 0; i < bench_row_count; i++)
		if (!strcmp(bench_rows[i].op, op))
			return &bench_rows[i];
	return NULL;
}
