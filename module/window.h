/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * window.h - the VMX window: the stretch with IRQs off in which this CPU is in
 * VMX operation with one vCPU's VMCS current.  Outside a window the CPU is as
 * if mini-vm were not there.
 */
#ifndef MVM_WINDOW_H
#define MVM_WINDOW_H

#include <linux/types.h>
#include "exits.h"

struct mvm_vcpu;

int mvm_windows_init(void);
void mvm_windows_exit(void);

enum exit_result mvm_window_run(struct mvm_vcpu *vcpu);
int mvm_window_access(struct mvm_vcpu *vcpu,
		      void (*fn)(struct mvm_vcpu *vcpu, void *arg), void *arg);

/* For exit handlers, inside the open window: */
void mvm_window_set_xcr0(struct mvm_vcpu *vcpu, u64 xcr0);

/* entry.S: where a VM exit arrives */
void mvm_vmx_exit(void);

#endif /* MVM_WINDOW_H */
