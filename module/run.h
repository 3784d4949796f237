/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * run.h - running a vCPU: its thread, requests from others, its timer.
 */
#ifndef MVM_RUN_H
#define MVM_RUN_H

#include <linux/types.h>
#include "vcpu.h"

int mvm_run_thread(void *vcpu);
int mvm_run_start(struct mvm_vcpu *vcpu);
void mvm_run_ended(struct mvm_vcpu *vcpu);
void mvm_run_timer_init(struct mvm_vcpu *vcpu);

/* Any context: */
void mvm_vcpu_request(struct mvm_vcpu *vcpu, enum mvm_request request);
void mvm_vcpu_post_interrupt(struct mvm_vcpu *vcpu, u8 vector, bool level);

void mvm_vcpu_stop(struct mvm_vcpu *vcpu);

/* The runner: */
u64 mvm_vcpu_tsc(const struct mvm_vcpu *vcpu);
s64 mvm_vcpu_tsc_offset(const struct mvm_vcpu *vcpu);
void mvm_vcpu_take_posted(struct mvm_vcpu *vcpu);
void mvm_vcpu_update_timer(struct mvm_vcpu *vcpu);
void mvm_vcpu_lapic_effect(struct mvm_vcpu *vcpu, const struct lapic_effect *effect);

/* exits.c, for mvm_window_access(): */
void mvm_exit_fault(struct mvm_vcpu *vcpu, void *arg);
enum exit_result mvm_exit_apic(struct mvm_vcpu *vcpu);
void mvm_skip_to(struct mvm_vcpu *vcpu, unsigned long rip);

#endif /* MVM_RUN_H */
