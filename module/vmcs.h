/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vmcs.h - a vCPU's VMCS: what is written once.  window.c refreshes the host's
 * part at every open.
 */
#ifndef MVM_VMCS_H
#define MVM_VMCS_H

struct mvm_vcpu;

int mvm_vmcs_create(struct mvm_vcpu *vcpu);
void mvm_vmcs_free(struct mvm_vcpu *vcpu);

#endif /* MVM_VMCS_H */
