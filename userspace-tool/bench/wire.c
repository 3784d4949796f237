// SPDX-License-Identifier: GPL-2.0-only
/*
 * wire.c - ports whose writes do not wait for user space: what the back end
 * promised to deliver is counted here, sooner or later.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../report.h"
#include "bench.h"

/* added to the bell by bench_unwire(): more than any series rings it */
#define END		(1ULL << 40)

/* Sleeps until the bell rings, again and again: the host switches to it. */
static void *wait_for_bell(void *context)
{
	struct bench_vm *vm = context;
	u64 rung;

	for (;;) {
		if (read(vm->bell, &rung, sizeof(rung)) != sizeof(rung))
			return NULL;
		vm->delivered += rung % END;
		if (rung >= END)
			return NULL;
	}
}

/*
 * Where this process may say so, the waiter comes before the guest: else, when the
 * scheduler lets the guest go on, many rings are one wake-up.
 */
static bool start_waiter(struct bench_vm *vm)
{
	const struct sched_param first = { .sched_priority = 1 };

	if (pthread_create(&vm->waiter, NULL, wait_for_bell, vm))
		return false;
	pthread_setschedparam(vm->waiter, SCHED_FIFO, &first);
	return true;
}

/**
 * bench_wire() - wire BENCH_PORT_WIRED of a VM as a row wants it
 * @vm: its guest waits
 * @row: the row; without a wiring there is nothing to do
 *
 * Return: STATUS_OK, or another status after a report.
 */
int bench_wire(struct bench_vm *vm, const struct bench_row *row)
{
	int status;

	if (!row->wiring)
		return STATUS_OK;
	vm->bell = eventfd(0, EFD_CLOEXEC);
	if (vm->bell < 0) {
		report_error("there is no eventfd for the benchmark: %s", strerror(errno));
		return STATUS_RESOURCE;
	}
	status = vm->backend->wire(vm, row->wiring);
	if (status == STATUS_OK && row->waiter) {
		vm->has_waiter = start_waiter(vm);
		if (!vm->has_waiter) {
			report_error("there is no thread for the benchmark");
			status = STATUS_RESOURCE;
		}
	}
	if (status != STATUS_OK)
		close(vm->bell);
	return status;
}

/**
 * bench_unwire() - undo bench_wire(), and see that each write arrived
 * @vm: the VM; its guest waits
 * @row: the row
 * @status: what came of the measurement; if it failed, so may have the writes
 *
 * Return: @status, or another one after a report.
 */
int bench_unwire(struct bench_vm *vm, const struct bench_row *row, int status)
{
	const u64 rung = END;

	if (!row->wiring)
		return status;
	if (write(vm->bell, &rung, sizeof(rung)) != sizeof(rung)) {
		report_error("the benchmark's bell is stuck: %s", strerror(errno));
		return STATUS_RESOURCE;
	}
	if (vm->has_waiter)
		pthread_join(vm->waiter, NULL);
	else
		wait_for_bell(vm);
	close(vm->bell);
	if (status != STATUS_OK || vm->delivered == vm->asked)
		return status;
	report_error("of %llu writes of the benchmark's guest %s delivered %llu",
		     (unsigned long long)vm->asked, vm->backend->name,
		     (unsigned long long)vm->delivered);
	return STATUS_RESOURCE;
}
