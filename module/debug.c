// SPDX-License-Identifier: GPL-2.0-only
/*
 * debug.c - books of the invalidations that are required and of those that are
 * done (debug.h).  What is required is found out anew here, not taken from the
 * code that decides about it.
 *
 * A fault is noted in the window and becomes a kernel warning when it is closed.
 */
#include <linux/moduleparam.h>
#include <linux/percpu.h>
#include "vcpu.h"
#include "vm.h"
#include "vmx_ops.h"

unsigned long mvm_debug_tsc_back;
module_param_named(debug_tsc_back, mvm_debug_tsc_back, ulong, 0644);
MODULE_PARM_DESC(debug_tsc_back, "ticks that the TSC seems to go back by in each suspend");

/* Of each vCPU, by VPID; its runner's alone. */
static struct vcpu_book {
	u64 vm;				/* serial, 0: unused */
	int cpu;			/* where it entered last */
	u64 paging;			/* at the last exit */
	bool entered, invvpid;		/* INVVPID since then */
} vcpu_books[1 + MVM_MAX_VMS * MVM_MAX_VCPUS];

/* Of each VM, by index: zaps so far.  Its memory.lock protects it. */
static unsigned long zaps[MVM_MAX_VMS];

struct cpu_book {
	const char *fault;
	u64 loaded;			/* VMCS that is current and not clear */
	struct mvm_vm *vm;		/* of the open window */
	bool flushes;			/* INVEPT was executed in it */
	unsigned long needed;		/* zaps when it opened */
	struct {
		u64 vm;
		unsigned long zaps;	/* those that an INVEPT here has covered */
	} flushed[MVM_MAX_VMS];
};

static DEFINE_PER_CPU(struct cpu_book, cpu_books);

/* Spins with IRQs off: zaps wait for windows only after they have unlocked. */
static unsigned long count_zaps(struct mvm_vm *vm)
{
	unsigned long count;

	spin_lock(&vm->memory.lock);
	count = zaps[vm->index];
	spin_unlock(&vm->memory.lock);
	return count;
}

void mvm_debug_invept(u64 eptp)
{
	struct cpu_book *cpu = this_cpu_ptr(&cpu_books);

	if (eptp != cpu->vm->memory.eptp)
		return;
	cpu->flushes = true;
	cpu->flushed[cpu->vm->index].vm = cpu->vm->serial;
	cpu->flushed[cpu->vm->index].zaps = count_zaps(cpu->vm);
}

void mvm_debug_invvpid(u16 vpid)
{
	vcpu_books[vpid].invvpid = true;
}

void mvm_debug_vmptrld(u64 vmcs)
{
	if (!this_cpu_read(cpu_books.loaded))
		this_cpu_write(cpu_books.loaded, vmcs);
}

void mvm_debug_vmclear(u64 vmcs)
{
	if (this_cpu_read(cpu_books.loaded) == vmcs)
		this_cpu_write(cpu_books.loaded, 0);
}

/**
 * mvm_debug_zapped() - entries of the EPT were cleared
 * @vm: VM; the caller holds memory.lock, and raises the generation before it lets go
 */
void mvm_debug_zapped(struct mvm_vm *vm)
{
	zaps[vm->index]++;
}

/**
 * mvm_debug_opened() - a window is open, nothing is flushed yet
 * @vcpu: vCPU; in_window is set
 */
void mvm_debug_opened(struct mvm_vcpu *vcpu)
{
	struct cpu_book *cpu = this_cpu_ptr(&cpu_books);

	cpu->vm = vcpu->vm;
	cpu->flushes = false;
	cpu->needed = count_zaps(vcpu->vm);
}

/**
 * mvm_debug_loaded() - all flushes of the EPT are done that this window does
 * @vcpu: vCPU (SDM 3C 29.4.3.4)
 */
void mvm_debug_loaded(struct mvm_vcpu *vcpu)
{
	struct cpu_book *cpu = this_cpu_ptr(&cpu_books);
	struct vcpu_book *book = &vcpu_books[vcpu->vpid];
	struct mvm_vm *vm = vcpu->vm;

	if (book->vm != vm->serial)
		*book = (struct vcpu_book){ .vm = vm->serial, .cpu = -1 };
	if (!cpu->flushes && book->cpu != smp_processor_id())
		this_cpu_write(cpu_books.fault, "a vCPU has changed its CPU, and there was no INVEPT");
	else if (cpu->flushed[vm->index].vm != vm->serial ||
		 cpu->flushed[vm->index].zaps < cpu->needed)
		this_cpu_write(cpu_books.fault, "guest memory was unmapped, and there was no INVEPT");
	book->cpu = smp_processor_id();
}

/* What translations depend on: CR0.PG, CR4 (SDM 3A 4.10.4.1), EFER.NX: no bit twice. */
static u64 read_paging(void)
{
	const u64 cr4 = X86_CR4_PAE | X86_CR4_PGE | X86_CR4_PSE | X86_CR4_SMEP | X86_CR4_PCIDE;

	return (vmcs_read(GUEST_CR0) & X86_CR0_PG) | (vmcs_read(GUEST_CR4) & cr4) |
	       (vmcs_read(GUEST_IA32_EFER) & EFER_NX);
}

/**
 * mvm_debug_entering() - VM entry comes next
 * @vcpu: vCPU: what the module changed since the last exit has to be flushed
 */
void mvm_debug_entering(struct mvm_vcpu *vcpu)
{
	struct vcpu_book *book = &vcpu_books[vcpu->vpid];

	if (book->entered && !book->invvpid && mvm_caps.proc2 & SECONDARY_EXEC_ENABLE_VPID &&
	    book->paging != read_paging())
		this_cpu_write(cpu_books.fault, "paging has changed, and there was no INVVPID");
}

/**
 * mvm_debug_exited() - directly after a VM exit
 * @vcpu: vCPU
 */
void mvm_debug_exited(struct mvm_vcpu *vcpu)
{
	struct vcpu_book *book = &vcpu_books[vcpu->vpid];

	book->paging = read_paging();
	book->entered = true;
	book->invvpid = false;
}

/**
 * mvm_debug_closed() - the window is closed, the CPU is the host's; IRQs off
 * @vcpu: vCPU
 */
void mvm_debug_closed(struct mvm_vcpu *vcpu)
{
	const char *fault = this_cpu_xchg(cpu_books.fault, NULL);

	if (this_cpu_xchg(cpu_books.loaded, 0) == __pa(vcpu->vmcs))
		fault = "a window was closed, and there was no VMCLEAR";
	WARN_ONCE(fault, "mini-vm: %s\n", fault);
}
