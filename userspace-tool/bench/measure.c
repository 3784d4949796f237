// SPDX-License-Identifier: GPL-2.0-only
/*
 * measure.c - what one round of an operation takes.
 *
 * Series of K and of 2K rounds are timed, some of each.  The fastest of each
 * kind are those that nothing else came into; their difference is K rounds,
 * without what surrounds them.
 */
#include "../report.h"
#include "bench.h"

/*
 * A series is to be much longer than what surrounds it, and shorter than the
 * time between two ticks of the host's clock (4 ms), so that some have none.
 */
#define SERIES_US	400
#define ROUNDS_MIN	4
#define ROUNDS_MAX	4096

static int series(struct bench_vm *vm, const struct bench_row *row, u64 rounds, u64 tsc_khz,
		  u64 *ticks)
{
	int status = row->prepare ? row->prepare(vm, rounds) : STATUS_OK;

	if (status != STATUS_OK)
		return status;
	return row->rival ? bench_rival_ask(vm, row->code, rounds, tsc_khz, ticks) :
			    bench_vm_ask(vm, row->code, rounds, ticks);
}

/* K: by doubling. */
static int choose_rounds(struct bench_vm *vm, const struct bench_row *row, u64 tsc_khz,
			 u64 *rounds)
{
	int status;
	u64 ticks;

	*rounds = row->rounds;
	if (*rounds)
		return STATUS_OK;
	for (*rounds = ROUNDS_MIN; *rounds < ROUNDS_MAX; *rounds *= 2) {
		status = series(vm, row, *rounds, tsc_khz, &ticks);
		if (status != STATUS_OK || ticks >= SERIES_US * tsc_khz / 1000)
			return status;
	}
	return STATUS_OK;
}

static double per_round(const struct bench_row *row, const u64 *best, u64 rounds)
{
	if (row->whole)
		return (double)best[1] / (double)(2 * rounds);
	return ((double)best[1] - (double)best[0]) / (double)rounds;
}

/**
 * bench_measure() - measure one row
 * @vm: its guest waits
 * @row: which
 * @tries: series of each length
 * @tsc_khz: of the guest's TSC
 * @cost: out
 *
 * Return: STATUS_OK, or another status after a report.
 */
int bench_measure(struct bench_vm *vm, const struct bench_row *row, unsigned int tries,
		  u64 tsc_khz, struct bench_cost *cost)
{
	u64 rounds, ticks, best[2] = { ~0ULL, ~0ULL }, worst = 0;
	double delay = row->keep_delay ? 0 : (double)row->delay_us * (double)tsc_khz / 1000;
	unsigned int i, twice;
	int status;

	if (row->tries && row->tries < tries)
		tries = row->tries;

	vm->shared->delay = row->delay_us * vm->apic_timer_khz / 1000;
	status = choose_rounds(vm, row, tsc_khz, &rounds);
	for (i = 0; status == STATUS_OK && i < (row->whole ? tries : 2 * tries); i++) {
		twice = i & 1 || row->whole;
		status = series(vm, row, rounds << twice, tsc_khz, &ticks);
		if (status != STATUS_OK)
			break;
		if (ticks < best[twice])
			best[twice] = ticks;
		if (twice && ticks > worst)
			worst = ticks;
	}
	if (status != STATUS_OK)
		return status;
	*cost = (struct bench_cost) {
		.known = true,
		.ticks = per_round(row, best, rounds) - delay,
		.spread = best[1] ? (double)(worst - best[1]) / (double)best[1] : 0,
	};
	if (row->per)
		cost->ticks *= row->per;
	return STATUS_OK;
}

/**
 * bench_mark() - perform rounds that an emulator's debugger can tell apart
 * @vm: its guest waits
 * @row: which
 * @before: rounds without a mark that come first
 * @rounds: and between the two marks
 *
 * Return: STATUS_OK, or another status after a report.
 */
int bench_mark(struct bench_vm *vm, const struct bench_row *row, u64 before, u64 rounds)
{
	u64 ticks;
	int status;

	vm->shared->delay = row->delay_us * vm->apic_timer_khz / 1000;
	status = series(vm, row, before, 0, &ticks);
	vm->shared->trace = 1;
	return status == STATUS_OK ? series(vm, row, rounds, 0, &ticks) : status;
}
