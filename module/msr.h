/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * msr.h - accesses to the guest's MSRs.  exits.c calls mvm_msr_read() and
 * mvm_msr_write() for RDMSR and WRMSR exits, state.c mvm_msr_get() and
 * mvm_msr_set() for ioctls.  All of them run inside a window, by the vCPU's
 * runner.
 */
#ifndef MVM_MSR_H
#define MVM_MSR_H

#include <linux/types.h>
#include "msr_policy.h"

struct mvm_vcpu;

/* What became of an access. */
enum mvm_msr_result {
	MVM_MSR_OK = 0,
	MVM_MSR_FAULT,		/* #GP(0) */
	MVM_MSR_FORWARD,	/* unknown, and the VM's policy is to forward */
};

/* The guest's RDMSR and WRMSR. */
int mvm_msr_read(struct mvm_vcpu *vcpu, u32 index, u64 *data);
int mvm_msr_write(struct mvm_vcpu *vcpu, u32 index, u64 data);

/* User space's; MVM_MSR_OK or MVM_MSR_FAULT. */
int mvm_msr_get(struct mvm_vcpu *vcpu, u32 index, u64 *data);
int mvm_msr_set(struct mvm_vcpu *vcpu, u32 index, u64 data);

/* The guest writes EFER.  MVM_MSR_OK or MVM_MSR_FAULT. */
int mvm_set_efer(struct mvm_vcpu *vcpu, u64 efer);

/*
 * After EFER or the CPUID table changed: set the swap_* flags and open the
 * bitmap for MSRs that are the guest's from the next window on.
 */
void mvm_msr_update_swaps(struct mvm_vcpu *vcpu, u64 efer);

#endif /* MVM_MSR_H */
