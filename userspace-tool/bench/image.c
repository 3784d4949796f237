// SPDX-License-Identifier: GPL-2.0-only
/*
 * image.c - the benchmark's guest in its memory: image, page tables,
 * descriptor tables and registers, the same for every back end.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../report.h"
#include "../walk.h"
#include "bench.h"
#include "guest/vectors.h"

/* the image as the Makefile built it */
asm(".pushsection .rodata\n"
    ".balign 16\n"
    "bench_image: .incbin \"bench/guest.bin\"\n"
    "bench_image_end:\n"
    ".popsection");
extern const u8 bench_image[], bench_image_end[];

/* Where the handlers are: guest/start.S. */
struct bench_head {
	u8 jump[16];
	u64 exceptions;
	u64 exception_bytes;
	u64 interrupt;
	u64 interrupt_timed;
};

/* A gate of the IDT (SDM 3A 6.14.1). */
struct gate {
	u16 offset0;
	u16 selector;
	u8 ist;
	u8 type;
	u16 offset1;
	u32 offset2;
	u32 zero;
};

#define GATE_INTERRUPT	0x8e

/* Page-table entries (SDM 3A 4.5) */
#define PTE_TABLE	0x03
#define PTE_LARGE	0x83
#define TABLE_ENTRIES	512

/* Access rights in the VMX format (SDM 3C 25.4.1) */
#define ACCESS_CODE	0xa09b
#define ACCESS_DATA	0xc093
#define ACCESS_TSS	0x008b

#define APIC_BASE_BSP	BIT(8)
#define APIC_BASE	(0xfee00000 | APIC_BASE_BSP | BIT(10) | BIT(11))

static void write_tables(const struct guest_mem *mem)
{
	static const u64 gdt[] = { 0, 0x00af9b000000ffff, 0x00cf93000000ffff,
				   0x00008b0000000067 | (u64)BENCH_TSS << 16, 0 };
	u64 *pml4 = guest_mem_at(mem, BENCH_PML4, GUEST_PAGE);
	u64 *pdpt = guest_mem_at(mem, BENCH_PDPT, GUEST_PAGE);
	u64 *pds = guest_mem_at(mem, BENCH_PDS, 4 * GUEST_PAGE);
	u64 i;

	pml4[0] = BENCH_PDPT | PTE_TABLE;
	for (i = 0; i < BENCH_MAPPED / GIB; i++)
		pdpt[i] = (BENCH_PDS + i * GUEST_PAGE) | PTE_TABLE;
	for (i = 0; i < BENCH_MAPPED / HUGE_PAGE; i++)
		pds[i] = i * HUGE_PAGE | PTE_LARGE;
	guest_mem_write(mem, BENCH_GDT, gdt, sizeof(gdt));
}

static void write_gate(const struct guest_mem *mem, unsigned int vector, u64 handler)
{
	const struct gate gate = {
		.offset0 = (u16)handler,
		.selector = BENCH_SELECTOR_CODE,
		.type = GATE_INTERRUPT,
		.offset1 = (u16)(handler >> 16),
		.offset2 = (u32)(handler >> 32),
	};

	guest_mem_write(mem, BENCH_IDT + vector * sizeof(gate), &gate, sizeof(gate));
}

static void write_idt(const struct guest_mem *mem)
{
	const struct bench_head *head = guest_mem_at(mem, BENCH_CODE, sizeof(*head));
	unsigned int vector;

	for (vector = 0; vector < 32; vector++)
		write_gate(mem, vector, head->exceptions + vector * head->exception_bytes);
	write_gate(mem, BENCH_VECTOR, head->interrupt);
	write_gate(mem, BENCH_VECTOR_TIMED, head->interrupt_timed);
}

static void set_registers(struct mvm_sregs *sregs)
{
	const struct mvm_segment data = {
		.selector = BENCH_SELECTOR_DATA, .limit = 0xffffffff, .access = ACCESS_DATA,
	};

	memset(sregs, 0, sizeof(*sregs));
	sregs->cs = data;
	sregs->cs.selector = BENCH_SELECTOR_CODE;
	sregs->cs.access = ACCESS_CODE;
	sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = data;
	sregs->tr = (struct mvm_segment) {
		.selector = BENCH_SELECTOR_TSS, .base = BENCH_TSS, .limit = 0x67,
		.access = ACCESS_TSS,
	};
	sregs->ldt.access = MVM_SEGMENT_UNUSABLE;
	sregs->gdt = (struct mvm_table) { .base = BENCH_GDT, .limit = 0x27 };
	sregs->idt = (struct mvm_table) { .base = BENCH_IDT, .limit = 0xfff };
	sregs->cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
	sregs->cr3 = BENCH_PML4;
	sregs->cr4 = CR4_PAE;
	sregs->efer = EFER_LME | EFER_LMA;
	sregs->apic_base = APIC_BASE;
	sregs->xcr0 = 1;
	sregs->dr6 = 0xffff0ff0;
	sregs->dr7 = 0x400;
}

/* The second vCPU, until the guest has been told to end it. */
static void *run_second(void *context)
{
	struct bench_vm *vm = context;

	/* the first one would wait for it for ever */
	if (vm->backend->run(vm, 1) != STATUS_OK)
		exit(STATUS_RESOURCE);
	return NULL;
}

/* The first until its first question, then the second. */
static int start(struct bench_vm *vm)
{
	int status = vm->backend->run(vm, 0);

	if (status == STATUS_OK && vm->vcpus > 1 &&
	    pthread_create(&vm->second, NULL, run_second, vm)) {
		report_error("there is no thread for the benchmark's second vCPU");
		status = STATUS_RESOURCE;
	}
	return status;
}

/**
 * bench_vm_create() - make a VM whose guest waits for what it shall do
 * @vm: out
 * @backend: of which kind
 * @vcpus: how many, BENCH_VCPUS at most
 *
 * Return: STATUS_OK, or another status after a report.
 */
int bench_vm_create(struct bench_vm *vm, const struct bench_backend *backend, unsigned int vcpus)
{
	int status;

	memset(vm, 0, sizeof(*vm));
	vm->backend = backend;
	vm->vcpus = vcpus;
	if (guest_mem_create(&vm->mem, BENCH_MEMORY)) {
		report_error("there is no room for the benchmark guest's memory: %s",
			     strerror(errno));
		return STATUS_RESOURCE;
	}
	guest_mem_write(&vm->mem, BENCH_CODE, bench_image,
			(u64)(bench_image_end - bench_image));
	write_tables(&vm->mem);
	write_idt(&vm->mem);
	vm->shared = guest_mem_at(&vm->mem, BENCH_SHARED, sizeof(*vm->shared));
	set_registers(&vm->sregs[0]);
	vm->sregs[1] = vm->sregs[0];
	vm->sregs[1].apic_base &= ~(u64)APIC_BASE_BSP;
	status = backend->create(vm);
	if (status == STATUS_OK) {
		status = start(vm);
		if (status == STATUS_OK)
			return STATUS_OK;
		backend->destroy(vm);
	}
	guest_mem_destroy(&vm->mem);
	return status;
}

/**
 * bench_vm_destroy() - undo bench_vm_create()
 * @vm: made by it
 */
void bench_vm_destroy(struct bench_vm *vm)
{
	u64 ticks;

	if (vm->vcpus > 1) {
		/* a guest that has failed does not end it; the process does */
		if (vm->shared->failed ||
		    bench_vm_ask(vm, BENCH_STOP_SECOND, 1, &ticks) != STATUS_OK)
			exit(STATUS_RESOURCE);
		pthread_join(vm->second, NULL);
	}
	vm->backend->destroy(vm);
	guest_mem_destroy(&vm->mem);
}

/**
 * bench_vm_ask() - let the guest do something and say how long that took
 * @vm: its guest waits
 * @code: what
 * @rounds: how often
 * @ticks: out: ticks of its TSC
 *
 * Return: STATUS_OK, or another status after a report.
 */
int bench_vm_ask(struct bench_vm *vm, enum bench_code code, u64 rounds, u64 *ticks)
{
	int status;

	vm->shared->code = code;
	vm->shared->rounds = rounds;
	vm->asked += rounds;
	status = vm->backend->run(vm, 0);
	if (status != STATUS_OK)
		return status;
	if (vm->shared->failed) {
		report_error("the benchmark's guest failed on %s: line %llu, exception %llu, RIP 0x%llx",
			     vm->backend->name, vm->shared->failed, vm->shared->vector,
			     vm->shared->rip);
		return STATUS_RESOURCE;
	}
	*ticks = vm->shared->ticks;
	return STATUS_OK;
}
