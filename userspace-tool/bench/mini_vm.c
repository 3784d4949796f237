// SPDX-License-Identifier: GPL-2.0-only
/*
 * mini_vm.c - the benchmark's guest on mini-vm: for each vCPU one thread that waits
 * in MVM_RUN, or lends itself, and the emulator of memory-mapped I/O that "mini-vm run" has.
 */
#include <stdlib.h>
#include <string.h>

#include "../mmio.h"
#include "../report.h"
#include "../vm.h"
#include "bench.h"

/**
 * struct state - the module's VM
 * @vm:		descriptors and run page
 * @io:		the way from the emulator to what BENCH_MMIO answers
 * @mmio:	the emulator
 * @ring:	posted writes; NULL: not asked for
 */
struct state {
	struct vm vm;
	struct mmio_io io;
	struct mmio mmio;
	struct mvm_ring *ring;
};

static u64 mmio_read(void *context, u64 gpa, unsigned int bytes)
{
	(void)context;
	(void)gpa;
	(void)bytes;
	return BENCH_ANSWER;
}

static void mmio_write(void *context, u64 gpa, unsigned int bytes, u64 value)
{
	(void)context;
	(void)gpa;
	(void)bytes;
	(void)value;
}

static int set_registers(const struct bench_vm *vm, const struct vcpu *vcpu, unsigned int id)
{
	struct mvm_run *run = vcpu->run;
	struct mvm_sregs sregs = vm->sregs[id];
	int error = vm_set_sregs(vcpu, &sregs);

	if (error) {
		report_error("the kernel module refused the benchmark guest's registers: %s",
			     strerror(-error));
		return STATUS_RESOURCE;
	}
	memset(run->gpr, 0, sizeof(run->gpr));
	run->gpr[MVM_RSP] = BENCH_STACK + id * BENCH_STACK_BYTES;
	run->gpr[MVM_RDI] = id;
	run->rip = BENCH_CODE;
	run->next_rip = BENCH_CODE;
	run->rflags = RFLAGS_FIXED;
	return STATUS_OK;
}

static void destroy(struct bench_vm *vm)
{
	struct state *state = vm->state;

	vm_destroy(&state->vm);
	vm_close_device(&state->vm);
	free(state);
	vm->state = NULL;
}

static int create(struct bench_vm *vm)
{
	struct state *state = calloc(1, sizeof(*state));
	unsigned int id;
	int status;

	if (!state) {
		report_error("there is no memory for the benchmark");
		return STATUS_RESOURCE;
	}
	vm->state = state;
	state->io = (struct mmio_io) { .read = mmio_read, .write = mmio_write };
	status = vm_open_device(&state->vm);
	if (status == STATUS_OK)
		status = vm_create(&state->vm, "bench", &vm->mem);
	for (id = 0; status == STATUS_OK && id < vm->vcpus; id++) {
		status = vm_add_vcpu(&state->vm);
		if (status == STATUS_OK)
			status = set_registers(vm, &state->vm.vcpus[id], id);
	}
	vm->apic_timer_khz = state->vm.info.apic_timer_khz;
	if (status != STATUS_OK)
		destroy(vm);
	return status;
}

static enum mmio_result serve_mmio(struct state *state, const struct bench_vm *vm,
				   struct mvm_run *run)
{
	struct mmio *mmio = &state->mmio;
	enum mmio_result result;

	mmio_init(mmio, &vm->mem, &state->io, &run->sregs, run->gpr, run->rip, run->rflags,
		  state->vm.phys_bits);
	result = mmio_emulate(mmio);
	memcpy(run->gpr, mmio->gpr, sizeof(run->gpr));
	run->rflags = mmio->rflags;
	run->next_rip = mmio->next_rip;
	return result;
}

static int wire(struct bench_vm *vm, enum bench_wiring wiring)
{
	struct state *state = vm->state;
	int error;

	if (wiring == BENCH_BELL) {
		error = vm_set_doorbell(&state->vm, BENCH_PORT_WIRED, 4, vm->bell);
	} else {
		error = vm_post_writes(&state->vm, BENCH_PORT_WIRED);
		state->ring = vm_ring(&state->vm);
	}
	if (!error)
		return STATUS_OK;
	report_error("the kernel module refused to wire a port of the benchmark's guest: %s",
		     strerror(-error));
	return STATUS_RESOURCE;
}

/* How many writes were posted since the last time. */
static u64 empty_ring(struct mvm_ring *ring)
{
	u32 tail = ring->tail, head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
	u64 count = 0;

	for (; tail != head; tail++)
		count += ring->entries[tail % MVM_RING_ENTRIES].port == BENCH_PORT_WIRED;
	__atomic_store_n(&ring->tail, tail, __ATOMIC_RELEASE);
	return count;
}

static int unexpected(const struct mvm_run *run)
{
	report_error("the benchmark's guest did what it should not: exit %u, VMX exit reason %u, RIP 0x%llx",
		     run->exit_reason, run->hw_reason, (unsigned long long)run->rip);
	return STATUS_RESOURCE;
}

static int run_guest(struct bench_vm *vm, unsigned int id)
{
	struct state *state = vm->state;
	const struct vcpu *vcpu = &state->vm.vcpus[id];
	struct mvm_run *run = vcpu->run;
	int error;

	for (;;) {
		error = vm_run(vcpu, vm->lend);
		if (error) {
			report_error("the kernel module refused to run the benchmark's guest: %s",
				     strerror(-error));
			return STATUS_RESOURCE;
		}
		if (state->ring)
			vm->delivered += empty_ring(state->ring);
		if (run->exit_reason == MVM_EXIT_IO && run->io.port == BENCH_PORT_USER)
			run->io.data = BENCH_ANSWER;
		else if (run->exit_reason == MVM_EXIT_IO && run->io.port == BENCH_PORT_END)
			return STATUS_OK;
		else if (run->exit_reason == MVM_EXIT_IO && run->io.port == BENCH_PORT_WIRED)
			vm->delivered++;	/* the ring was full */
		else if (run->exit_reason != MVM_EXIT_MMIO ||
			 serve_mmio(state, vm, run) != MMIO_DONE)
			return unexpected(run);
	}
}

const struct bench_backend bench_mini_vm = {
	.name = "mini-vm",
	.create = create,
	.run = run_guest,
	.wire = wire,
	.destroy = destroy,
};

/**
 * bench_halt_poll_ns() - how long the module lets a halted vCPU wait awake
 *
 * Return: ns; 0 also where that cannot be known.
 */
u64 bench_halt_poll_ns(void)
{
	FILE *file = fopen("/sys/module/mini_vm/parameters/halt_poll_us", "re");
	unsigned long long us = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%llu", &us) != 1)
		us = 0;
	fclose(file);
	return us * 1000;
}

/**
 * bench_vm_borrows() - does the module run this VM with borrowed VMX?
 * @vm: has run
 *
 * Return: true when VMX was in use at each opening of a window.
 */
bool bench_vm_borrows(const struct vm *vm)
{
	struct mvm_stat stats[VM_STATS_MAX];
	u64 windows = 0, borrowed = 0;
	struct vm first = *vm;
	u32 count, i;

	/* a second vCPU runs, and its counters with it */
	first.vcpu_count = 1;
	count = vm_get_stats(&first, stats);
	for (i = 0; i < count; i++) {
		if (!strcmp((const char *)stats[i].name, "windows"))
			windows = stats[i].value;
		if (!strcmp((const char *)stats[i].name, "windows_borrowed"))
			borrowed = stats[i].value;
	}
	return windows && windows == borrowed;
}

/**
 * bench_mini_vm_borrows() - the same of a VM of this back end
 * @vm: a VM of bench_mini_vm that has run
 *
 * Return: as bench_vm_borrows().
 */
bool bench_mini_vm_borrows(const struct bench_vm *vm)
{
	const struct state *state = vm->state;

	return bench_vm_borrows(&state->vm);
}

/**
 * bench_mini_vm_cpuid() - the CPUID table that the guest has on mini-vm
 * @entries: out: MVM_CPUID_MAX entries
 * @count: out: how many are filled in
 *
 * Return: STATUS_OK, or another status after a report.
 */
int bench_mini_vm_cpuid(struct mvm_cpuid_entry *entries, u32 *count)
{
	struct vm vm;
	int status = vm_open_device(&vm), error;

	if (status != STATUS_OK)
		return status;
	error = vm_get_supported_cpuid(&vm, entries, count);
	vm_close_device(&vm);
	if (error) {
		report_error("the kernel module does not say which CPUID guests see: %s",
			     strerror(-error));
		return STATUS_MACHINE;
	}
	return STATUS_OK;
}
