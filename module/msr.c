// SPDX-License-Identifier: GPL-2.0-only
/*
 * msr.c - what RDMSR and WRMSR do: msr_policy.c says which MSRs there are, this
 * file reads and writes them.
 *
 * exits.c calls it for the guest's accesses, state.c for user space's.
 */
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <asm/cpufeatures.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include "cpuid.h"
#include "cr.h"
#include "lapic.h"
#include "msr.h"
#include "run.h"
#include "state.h"
#include "vcpu.h"
#include "vm.h"
#include "vmx_ops.h"

static u64 *state_place(struct mvm_vcpu *vcpu, const struct msr_row *row)
{
	return (u64 *)((char *)&vcpu->msr + row->place);
}

/*
 * Move the vCPU's TSC.  The APIC timer counts on a clock of its own: a count in
 * progress keeps its length, a deadline comes nearer or goes away.
 */
static void shift_tsc(struct mvm_vcpu *vcpu, u64 delta)
{
	lapic_timer_shift(&vcpu->lapic, delta);
	mvm_vcpu_update_timer(vcpu);
	/* Other vCPUs, when the whole VM's clock moved, see it at their next open. */
	vcpu->tsc_offset = mvm_vcpu_tsc_offset(vcpu);
	vmcs_write64(VMCS_TSC_OFFSET, vcpu->tsc_offset);
}

/*
 * The guest's write moves its TSC_ADJUST too (SDM 3B 18.17.3).  User space sets
 * the clock of the whole VM, so that restored vCPUs stay in step: TSC_ADJUST
 * first, then the TSC of one vCPU.
 */
static void write_tsc(struct mvm_vcpu *vcpu, u64 data, bool host)
{
	u64 delta = data - mvm_vcpu_tsc(vcpu);

	if (host)
		WRITE_ONCE(vcpu->vm->tsc_offset, vcpu->vm->tsc_offset + delta);
	else
		vcpu->msr.tsc_adjust += delta;
	shift_tsc(vcpu, delta);
}

static void write_tsc_adjust(struct mvm_vcpu *vcpu, u64 data)
{
	u64 delta = data - vcpu->msr.tsc_adjust;

	vcpu->msr.tsc_adjust = data;
	shift_tsc(vcpu, delta);
}

static int write_apic_base(struct mvm_vcpu *vcpu, u64 data, bool host)
{
	struct lapic_effect effect;

	if (mvm_state_set_apic_base(vcpu, data, host, &effect))
		return MVM_MSR_FAULT;
	mvm_vcpu_lapic_effect(vcpu, &effect);
	mvm_state_refresh_cpuid(vcpu);
	return MVM_MSR_OK;
}

static int read_msr(struct mvm_vcpu *vcpu, u32 index, u64 *data)
{
	const struct msr_row *row = msr_find(index);

	if (!row)
		return MVM_MSR_FORWARD;
	switch (row->home) {
	case MSR_IN_STATE:
		*data = *state_place(vcpu, row);
		return MVM_MSR_OK;
	case MSR_IN_VMCS:
		*data = __vmcs_read(row->place);
		return MVM_MSR_OK;
	case MSR_TSC:
		*data = mvm_vcpu_tsc(vcpu);
		return MVM_MSR_OK;
	case MSR_TSC_ADJUSTMENT:
		*data = vcpu->msr.tsc_adjust;
		return MVM_MSR_OK;
	case MSR_DEADLINE:
		*data = lapic_deadline_read(&vcpu->lapic, mvm_vcpu_tsc(vcpu));
		return MVM_MSR_OK;
	case MSR_APIC_BASE:
		*data = vcpu->lapic.base;
		return MVM_MSR_OK;
	case MSR_APIC_REGISTER:
		return lapic_msr_read(&vcpu->lapic, index, mvm_vcpu_tsc(vcpu),
				      data) ? MVM_MSR_FAULT : MVM_MSR_OK;
	case MSR_EXTENDED_FEATURES:
		*data = vmcs_read64(VMCS_GUEST_EFER);
		return MVM_MSR_OK;
	case MSR_DEBUG_CONTROL:
		*data = vmcs_read64(VMCS_GUEST_DEBUGCTL);
		return MVM_MSR_OK;
	case MSR_TSC_AUXILIARY:
		*data = vcpu->msr.tsc_aux;
		return vcpu->msr.swap_tsc_aux ? MVM_MSR_OK : MVM_MSR_FAULT;
	}
	return MVM_MSR_FAULT;
}

static int write_msr(struct mvm_vcpu *vcpu, u32 index, u64 data, bool host)
{
	const struct msr_row *row = msr_find(index);
	struct lapic_effect effect;

	if (!row)
		return MVM_MSR_FORWARD;
	if (!host && row->access == MSR_WRITE_IGNORED)
		return MVM_MSR_OK;
	if ((!host && row->access == MSR_READ_ONLY) || !row->valid(data))
		return MVM_MSR_FAULT;
	switch (row->home) {
	case MSR_IN_STATE:
		*state_place(vcpu, row) = data;
		return MVM_MSR_OK;
	case MSR_IN_VMCS:
		__vmcs_write(row->place, data);
		return MVM_MSR_OK;
	case MSR_TSC:
		write_tsc(vcpu, data, host);
		return MVM_MSR_OK;
	case MSR_TSC_ADJUSTMENT:
		write_tsc_adjust(vcpu, data);
		return MVM_MSR_OK;
	case MSR_DEADLINE:
		lapic_deadline_write(&vcpu->lapic, data, mvm_vcpu_tsc(vcpu), &effect);
		mvm_vcpu_lapic_effect(vcpu, &effect);
		return MVM_MSR_OK;
	case MSR_APIC_BASE:
		return write_apic_base(vcpu, data, host);
	case MSR_APIC_REGISTER:
		if (lapic_msr_write(&vcpu->lapic, index, data, mvm_vcpu_tsc(vcpu), &effect))
			return MVM_MSR_FAULT;
		mvm_vcpu_lapic_effect(vcpu, &effect);
		return MVM_MSR_OK;
	case MSR_EXTENDED_FEATURES:
		return mvm_set_efer(vcpu, data);
	case MSR_DEBUG_CONTROL:
		vmcs_write64(VMCS_GUEST_DEBUGCTL, data & DEBUGCTLMSR_BTF);
		return MVM_MSR_OK;
	case MSR_TSC_AUXILIARY:
		if (!vcpu->msr.swap_tsc_aux)
			return MVM_MSR_FAULT;
		vcpu->msr.tsc_aux = data;
		vcpu->msr.reopen = true;
		return MVM_MSR_OK;
	}
	return MVM_MSR_FAULT;
}

/* What an MSR that nobody knows does. */
static int unknown(struct mvm_vcpu *vcpu, int result)
{
	if (result == MVM_MSR_FORWARD && READ_ONCE(vcpu->vm->msr_policy) != MVM_MSR_POLICY_FORWARD)
		return MVM_MSR_FAULT;
	return result;
}

/**
 * mvm_msr_read() - the guest executes RDMSR
 * @vcpu: vCPU whose window is open
 * @index: ECX
 * @data: out, after MVM_MSR_OK
 *
 * Returns enum mvm_msr_result.
 */
int mvm_msr_read(struct mvm_vcpu *vcpu, u32 index, u64 *data)
{
	return unknown(vcpu, read_msr(vcpu, index, data));
}

/**
 * mvm_msr_write() - the guest executes WRMSR
 * @vcpu: vCPU whose window is open
 * @index: ECX
 * @data: EDX:EAX
 *
 * Returns enum mvm_msr_result.
 */
int mvm_msr_write(struct mvm_vcpu *vcpu, u32 index, u64 data)
{
	return unknown(vcpu, write_msr(vcpu, index, data, false));
}

/**
 * mvm_msr_get() - user space reads an MSR of a stopped vCPU
 * @vcpu: vCPU with a VMCS access window
 * @index: its address
 * @data: out, after MVM_MSR_OK
 *
 * Returns MVM_MSR_OK or MVM_MSR_FAULT.
 */
int mvm_msr_get(struct mvm_vcpu *vcpu, u32 index, u64 *data)
{
	return read_msr(vcpu, index, data) ? MVM_MSR_FAULT : MVM_MSR_OK;
}

/**
 * mvm_msr_set() - user space writes an MSR of a stopped vCPU
 * @vcpu: vCPU with a VMCS access window
 * @index: its address
 * @data: value
 *
 * Returns MVM_MSR_OK or MVM_MSR_FAULT.
 */
int mvm_msr_set(struct mvm_vcpu *vcpu, u32 index, u64 data)
{
	return write_msr(vcpu, index, data, true) ? MVM_MSR_FAULT : MVM_MSR_OK;
}

/**
 * mvm_set_efer() - write EFER (SDM 3A 2.2.1, SDM 2B WRMSR)
 * @vcpu: vCPU with a window
 * @efer: value; LMA is the CPU's and keeps what it has
 *
 * Returns MVM_MSR_OK or MVM_MSR_FAULT.
 */
int mvm_set_efer(struct mvm_vcpu *vcpu, u64 efer)
{
	u64 old = vmcs_read64(VMCS_GUEST_EFER);

	if (efer & ~mvm_cpuid_efer_allowed(&vcpu->cpuid))
		return MVM_MSR_FAULT;
	if ((efer ^ old) & EFER_LME && vmcs_read_natural(VMCS_GUEST_CR0) & X86_CR0_PG)
		return MVM_MSR_FAULT;

	efer = (efer & ~EFER_LMA) | (old & EFER_LMA);
	vmcs_write64(VMCS_GUEST_EFER, efer);
	mvm_msr_update_swaps(vcpu, efer);
	/* Translations depend on NX (SDM 3A 4.10.2.2). */
	if ((efer ^ old) & EFER_NX) {
		vcpu->cr.flush = true;
		vcpu->msr.reopen = true;
	}
	return MVM_MSR_OK;
}

/**
 * mvm_msr_update_swaps() - after a change of EFER or of the CPUID table
 * @vcpu: its runner calls this, in or outside a window
 * @efer: EFER
 *
 * Once a guest has been able to execute SWAPGS or SYSCALL the MSRs behind them
 * stay its own.
 */
void mvm_msr_update_swaps(struct mvm_vcpu *vcpu, u64 efer)
{
	static const u32 syscall_msrs[] = {
		MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SYSCALL_MASK,
	};
	struct mvm_msr_state *msr = &vcpu->msr;
	unsigned int i;

	if (efer & EFER_LME && !msr->swap_kernel_gs) {
		msr->swap_kernel_gs = true;
		msr->reopen = true;
		mvm_msr_bitmap_pass(vcpu->msr_bitmap, MSR_KERNEL_GS_BASE, true, true);
	}
	if (efer & EFER_SCE && !msr->swap_syscall) {
		msr->swap_syscall = true;
		msr->reopen = true;
		for (i = 0; i < ARRAY_SIZE(syscall_msrs); i++)
			mvm_msr_bitmap_pass(vcpu->msr_bitmap, syscall_msrs[i], true, true);
	}
	msr->swap_tsc_aux =
		mvm_cpuid_has(&vcpu->cpuid, 0x80000001, 0, MVM_EDX, X86_FEATURE_RDTSCP & 31) ||
		mvm_cpuid_has(&vcpu->cpuid, 7, 0, MVM_ECX, X86_FEATURE_RDPID & 31);
}
