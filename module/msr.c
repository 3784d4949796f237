// SPDX-License-Identifier: GPL-2.0-only
/*
 * msr.c - what RDMSR and WRMSR do: msr_policy.c says which MSRs there are, this
 * file reads and writes them.
 *
 * exits.c calls it for the guest's accesses, state.c for user space's.
 */
#include <asm/cpufeatures.h>
#include "msr.h"
#include "vcpu.h"
#include "vm.h"
#include "vmx_ops.h"

/*
 * Move the TSC of the vCPU, which shows in its TSC_ADJUST (SDM 3B 18.17.3), or
 * the clock of the whole VM.  The APIC timer counts on a clock of its own: a
 * count in progress keeps its length, a deadline comes nearer or goes away.
 */
static void shift_tsc(struct mvm_vcpu *vcpu, u64 delta, bool whole_vm)
{
	if (whole_vm)
		WRITE_ONCE(vcpu->vm->tsc_offset, vcpu->vm->tsc_offset + delta);
	else
		vcpu->msr.tsc_adjust += delta;
	lapic_timer_shift(&vcpu->lapic, delta);
	/* Other vCPUs, when the whole VM's clock moved, see it at their next open. */
	vcpu->tsc_offset = mvm_vcpu_tsc_offset(vcpu);
	vmcs_write(TSC_OFFSET, vcpu->tsc_offset);
}

/* EFER (SDM 3A 2.2.1, SDM 2B WRMSR); LMA is the CPU's and keeps what it has. */
static int write_efer(struct mvm_vcpu *vcpu, u64 efer)
{
	u64 old = vmcs_read(GUEST_IA32_EFER);

	if (efer & ~mvm_cpuid_efer_allowed(&vcpu->cpuid) ||
	    ((efer ^ old) & EFER_LME && vmcs_read(GUEST_CR0) & X86_CR0_PG))
		return -EINVAL;
	efer = (efer & ~EFER_LMA) | (old & EFER_LMA);
	vmcs_write(GUEST_IA32_EFER, efer);
	mvm_msr_update_swaps(vcpu, efer);
	/* Translations depend on NX (SDM 3A 4.10.2.2). */
	if ((efer ^ old) & EFER_NX) {
		vcpu->cr.flush = true;
		vcpu->msr.reopen = true;
	}
	return 0;
}

/* Those that are not just a value. */
static noinline int read_special(struct mvm_vcpu *vcpu, u32 index, u64 *data)
{
	switch (index) {
	case MSR_IA32_TSC:
		*data = mvm_vcpu_tsc(vcpu);
		return 0;
	case MSR_IA32_APICBASE:
		*data = vcpu->lapic.base;
		return 0;
	default:			/* TSC_AUX */
		*data = vcpu->msr.tsc_aux;
		return vcpu->msr.swap_tsc_aux ? 0 : -EINVAL;
	}
}

/* The local APIC's: those that guests use most, by far, need no row. */
static bool is_lapic(u32 index)
{
	return (index >= MSR_APIC_FIRST && index <= MSR_APIC_LAST) ||
	       index == MSR_IA32_TSC_DEADLINE;
}

/**
 * mvm_msr_read() - the guest or user space reads an MSR
 * @vcpu: vCPU with a window; its runner calls this
 * @index: ECX
 * @data: out, after 0
 *
 * Returns 0, -EINVAL (#GP) or -ENOENT: the module does not know the MSR.
 */
int mvm_msr_read(struct mvm_vcpu *vcpu, u32 index, u64 *data)
{
	const struct msr_row *row;

	if (is_lapic(index))
		return lapic_msr_read(&vcpu->lapic, index, mvm_vcpu_tsc(vcpu), data);
	row = msr_find(index);
	if (!row)
		return -ENOENT;
	if (row->special)
		return read_special(vcpu, index, data);
	*data = row->field ? vmcs_read(row->field) : *(u64 *)((void *)&vcpu->msr + row->offset);
	return 0;
}

/**
 * mvm_msr_write() - the guest or user space writes an MSR
 * @vcpu: vCPU with a window; its runner calls this
 * @index: ECX
 * @data: EDX:EAX
 * @host: user space writes, not the guest
 *
 * User space's TSC is the clock of the whole VM, so that restored vCPUs stay in
 * step: TSC_ADJUST first, then the TSC of one vCPU.  mvm_vcpu_lapic_effect() has
 * to follow.
 *
 * Returns 0, -EINVAL (#GP) or -ENOENT: the module does not know the MSR.
 */
int mvm_msr_write(struct mvm_vcpu *vcpu, u32 index, u64 data, bool host)
{
	const struct msr_row *row;
	int ret;

	if (is_lapic(index))
		return lapic_msr_write_quick(&vcpu->lapic, index, data) ? 0 :
			lapic_msr_write(&vcpu->lapic, index, data, mvm_vcpu_tsc(vcpu));
	row = msr_find(index);
	if (!row)
		return -ENOENT;
	if (!host && row->write_ignored)
		return 0;
	if ((!host && row->read_only) || (row->valid && !row->valid(data)))
		return -EINVAL;
	switch (index) {
	case MSR_IA32_TSC:
		shift_tsc(vcpu, data - mvm_vcpu_tsc(vcpu), host);
		return 0;
	case MSR_IA32_TSC_ADJUST:
		shift_tsc(vcpu, data - vcpu->msr.tsc_adjust, false);
		return 0;
	case MSR_IA32_APICBASE:
		ret = mvm_state_set_apic_base(vcpu, data, host);
		if (ret)
			return ret;
		mvm_state_refresh_cpuid(vcpu);
		/* The APIC-access page may have to go: run.c. */
		vcpu->msr.reopen = true;
		return 0;
	case MSR_EFER:
		return write_efer(vcpu, data);
	case MSR_IA32_DEBUGCTLMSR:
		data &= DEBUGCTLMSR_BTF;
		break;
	case MSR_TSC_AUX:
		if (!vcpu->msr.swap_tsc_aux)
			return -EINVAL;
		vcpu->msr.reopen = true;
	}
	if (row->field)
		vmcs_write(row->field, data);
	else
		*(u64 *)((void *)&vcpu->msr + row->offset) = data;
	return 0;
}

/**
 * mvm_msr_update_swaps() - after a change of EFER or of the CPUID table: set the
 *	swap_* flags and open the bitmap for MSRs that are the guest's from the next
 *	window on
 * @vcpu: its runner calls this, in or outside a window
 * @efer: EFER
 *
 * Once a guest has been able to execute SWAPGS or SYSCALL the MSRs behind them
 * stay its own.
 */
void mvm_msr_update_swaps(struct mvm_vcpu *vcpu, u64 efer)
{
	struct mvm_msr_state *msr = &vcpu->msr;

	if (efer & EFER_LME && !msr->swap_kernel_gs) {
		msr->swap_kernel_gs = true;
		msr->reopen = true;
		mvm_msr_bitmap_pass(vcpu->msr_bitmap, MSR_KERNEL_GS_BASE, 1, true);
	}
	if (efer & EFER_SCE && !msr->swap_syscall) {
		msr->swap_syscall = true;
		msr->reopen = true;
		/* STAR, LSTAR, CSTAR, FMASK */
		mvm_msr_bitmap_pass(vcpu->msr_bitmap, MSR_STAR, 4, true);
	}
	msr->swap_tsc_aux =
		mvm_cpuid_find(&vcpu->cpuid, 0x80000001, 0)->edx & CPUID_BIT(RDTSCP) ||
		mvm_cpuid_find(&vcpu->cpuid, 7, 0)->ecx & CPUID_BIT(RDPID);
}
