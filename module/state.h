/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * state.h - the ioctls that read and write a stopped vCPU's state.
 *
 * Handlers of the vCPU ioctl table: @args is the kernel copy of the struct
 * (its size was checked), copied back when the row says so.  Called under
 * vcpu->lock with the vCPU stopped, in the owner's process.
 */
#ifndef MVM_STATE_H
#define MVM_STATE_H

#include <linux/types.h>

struct mvm_vcpu;

int mvm_ioctl_get_sregs(struct mvm_vcpu *vcpu, void *args);
int mvm_ioctl_set_sregs(struct mvm_vcpu *vcpu, void *args);
int mvm_ioctl_get_msrs(struct mvm_vcpu *vcpu, void *args);
int mvm_ioctl_set_msrs(struct mvm_vcpu *vcpu, void *args);
int mvm_ioctl_get_xsave(struct mvm_vcpu *vcpu, void *args);
int mvm_ioctl_set_xsave(struct mvm_vcpu *vcpu, void *args);
int mvm_ioctl_get_cpuid(struct mvm_vcpu *vcpu, void *args);
int mvm_ioctl_set_cpuid(struct mvm_vcpu *vcpu, void *args);
int mvm_ioctl_get_events(struct mvm_vcpu *vcpu, void *args);
int mvm_ioctl_set_events(struct mvm_vcpu *vcpu, void *args);

/* MVM_GET_SUPPORTED_CPUID of the device. */
long mvm_ioctl_get_supported_cpuid(void *device, void *args);

/* In a window: everything of struct mvm_sregs but its size and flags, which become 0. */
void mvm_state_fill_sregs(struct mvm_vcpu *vcpu, void *sregs);

/* IA32_APIC_BASE, by the guest or by user space. */
int mvm_state_set_apic_base(struct mvm_vcpu *vcpu, u64 base, bool host);

/* In a window: CPUID follows CR4.OSXSAVE, XCR0 and IA32_APIC_BASE. */
void mvm_state_refresh_cpuid(struct mvm_vcpu *vcpu);

#endif /* MVM_STATE_H */
