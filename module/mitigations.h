/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mitigations.h - what is done against speculative-execution attacks between
 * guests, and by a guest on the host.
 */
#ifndef MVM_MITIGATIONS_H
#define MVM_MITIGATIONS_H

#include <linux/types.h>

struct seq_file;

/* entry.S */
extern bool mvm_clear_cpu_buffers;
extern const u16 mvm_verw_selector;

void mvm_mitigations_init(void);
int mvm_mitigations_show(struct seq_file *file, void *unused);

/* In a window, IRQs off. */
void mvm_mitigate_before_guest(bool other_vcpu, bool others_ran);
/* Directly after a window, IRQs off. */
void mvm_mitigate_after_guest(bool others_vmcs);

#endif /* MVM_MITIGATIONS_H */
