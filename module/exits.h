/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * exits.h - what happens after a VM exit.
 */
#ifndef MVM_EXITS_H
#define MVM_EXITS_H

#include <linux/bits.h>
#include <linux/types.h>

struct mvm_vcpu;

/* What the run loop does next. */
enum exit_result {
	EXIT_RESUME,	/* enter again, nothing to inject has changed */
	EXIT_INJECT,	/* look for events to inject, then enter */
	EXIT_CLOSE,	/* close the window; the thread goes on outside */
	EXIT_NMI,	/* likewise, and deliver the NMI to the host, IRQs still off */
	EXIT_MACHINE_CHECK, /* likewise the machine check */
	EXIT_FAULT,	/* close the window; the thread serves the EPT violation */
	EXIT_USER,	/* close the window; the run page holds an exit */
};

/* What an exit tells user space beyond the registers: mvm_exit_user(). */
#define WITH_INSN	BIT(0)	/* where the instruction ends */
#define WITH_SREGS	BIT(1)

/* In the window: */
enum exit_result mvm_begin_run(struct mvm_vcpu *vcpu);
enum exit_result mvm_handle_exit(struct mvm_vcpu *vcpu);
enum exit_result mvm_exit_fail_entry(struct mvm_vcpu *vcpu, int failed);
enum exit_result mvm_exit_user(struct mvm_vcpu *vcpu, u32 reason, u32 with);

/* Window closed, IRQs off: */
enum exit_result mvm_exit_no_vmx(struct mvm_vcpu *vcpu);
void mvm_after_window(struct mvm_vcpu *vcpu, enum exit_result result);

#endif /* MVM_EXITS_H */
