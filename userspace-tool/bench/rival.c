// SPDX-License-Identifier: GPL-2.0-only
/*
 * rival.c - a thread that computes on the vCPU's CPU meanwhile, and what a series
 * takes from it: all time that it does not get.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include "../pin.h"
#include "../report.h"
#include "bench.h"

/**
 * struct rival - the thread
 * @thread:	its handle
 * @clock:	of its CPU time
 * @runs:	it has begun
 * @stop:	it is to end
 */
struct rival {
	pthread_t thread;
	clockid_t clock;
	bool runs;
	bool stop;
};

static void *compute(void *arg)
{
	struct rival *rival = arg;

	__atomic_store_n(&rival->runs, true, __ATOMIC_RELAXED);
	while (!__atomic_load_n(&rival->stop, __ATOMIC_RELAXED))
		bench_compute(1000);
	return NULL;
}

static u64 cpu_ns(const struct rival *rival)
{
	struct timespec time;

	clock_gettime(rival->clock, &time);
	return (u64)time.tv_sec * 1000000000 + (u64)time.tv_nsec;
}

/**
 * bench_rival_stay() - let all that is made from now on run on one CPU
 * @before: out: for pin_restore()
 *
 * Return: STATUS_OK, or another status after a report.
 */
int bench_rival_stay(struct pin_mask *before)
{
	struct pin_list here = { .count = 1, .cpus = { (u16)sched_getcpu() } };
	int error = pin_save(before);

	if (!error)
		error = pin_set(&here, 0);
	if (!error)
		return STATUS_OK;
	report_error("cannot stay on one CPU: %s", strerror(-error));
	return STATUS_RESOURCE;
}

/**
 * bench_rival_ask() - as bench_vm_ask(), beside a thread that computes
 * @vm: its guest waits; with several CPUs bench_rival_stay() came before it was made,
 *	or the thread is no rival
 * @code: what
 * @rounds: how often
 * @tsc_khz: of the TSC
 * @ticks: out: ticks of the TSC that the thread did not get
 *
 * Return: STATUS_OK, or another status after a report.
 */
int bench_rival_ask(struct bench_vm *vm, enum bench_code code, u64 rounds, u64 tsc_khz, u64 *ticks)
{
	struct rival rival = { .stop = false };
	u64 start, had;
	int status, error = pthread_create(&rival.thread, NULL, compute, &rival);

	if (error) {
		report_error("cannot start a thread: %s", strerror(error));
		return STATUS_RESOURCE;
	}
	pthread_getcpuclockid(rival.thread, &rival.clock);
	while (!__atomic_load_n(&rival.runs, __ATOMIC_RELAXED))
		sched_yield();
	start = bench_ticks();
	had = cpu_ns(&rival);
	status = bench_vm_ask(vm, code, rounds, ticks);
	*ticks = bench_ticks() - start - (cpu_ns(&rival) - had) * tsc_khz / 1000000;
	__atomic_store_n(&rival.stop, true, __ATOMIC_RELAXED);
	pthread_join(rival.thread, NULL);
	return status;
}
