/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * nospec-branch.h - <asm/nospec-branch.h>, and in our own code the two steps of
 * it that newer kernels export to KVM's modules alone; for C and assembly.
 */
#ifndef MVM_COMPAT_NOSPEC_BRANCH_H
#define MVM_COMPAT_NOSPEC_BRANCH_H

#include <linux/version.h>
#include <asm/nospec-branch.h>

/* The exports became KVM's after 6.12; ours do the same, so they may start early. */
#define MVM_OWN_BRANCH_STEPS	(LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0))

/* The same, with another name. */
#if !defined(X86_FEATURE_CLEAR_BHB_LOOP_ON_VMEXIT) && defined(X86_FEATURE_CLEAR_BHB_VMEXIT)
#define X86_FEATURE_CLEAR_BHB_LOOP_ON_VMEXIT	X86_FEATURE_CLEAR_BHB_VMEXIT
#endif

#ifdef __ASSEMBLY__

/*
 * Overwrites the return stack buffer where the kernel chose to after VM exits: its
 * FILL_RETURN_BUFFER without the loop around the calls, 35 instructions instead of
 * 82.  A speculative return to one of the entries meets an INT3.  On some CPUs one
 * entry is enough.
 */
.macro MVM_FILL_RETURN_BUFFER
	ALTERNATIVE_2 "jmp .Lfilled_\@", "", X86_FEATURE_RSB_VMEXIT, \
		      "jmp .Lfill_one_\@", X86_FEATURE_RSB_VMEXIT_LITE
	.rept RSB_CLEAR_LOOPS - 1
	MVM_CALL_OVER_INT3
	.endr
	add	$8 * (RSB_CLEAR_LOOPS - 1), %rsp
.Lfill_one_\@:
	MVM_CALL_OVER_INT3
	add	$8, %rsp
	lfence
.Lfilled_\@:
.endm

.macro MVM_CALL_OVER_INT3
	ANNOTATE_INTRA_FUNCTION_CALL
	call	.Lover_\@
	int3
.Lover_\@:
.endm

/*
 * Clears the branch history where the kernel chose to after VM exits.  Changes
 * RAX, RCX and the flags.
 */
.macro MVM_CLEAR_BRANCH_HISTORY
#if MVM_OWN_BRANCH_STEPS
	ALTERNATIVE "jmp .Lhistory_left_\@", "", X86_FEATURE_CLEAR_BHB_LOOP_ON_VMEXIT
	call	mvm_clear_branch_history
	lfence
.Lhistory_left_\@:
#else
	CLEAR_BRANCH_HISTORY_VMEXIT
#endif
.endm

#else /* !__ASSEMBLY__ */

#include <asm/cpufeature.h>
#include <asm/msr-index.h>

/*
 * The indirect branch predictor barrier (SDM 4, IA32_PRED_CMD).  No branch is in
 * front of it that could be mispredicted: the test is patched away.
 */
static __always_inline void mvm_ibpb(void)
{
#if MVM_OWN_BRANCH_STEPS
	if (static_cpu_has(X86_FEATURE_USE_IBPB))
		asm volatile("wrmsr" : : "c"(MSR_IA32_PRED_CMD), "a"(PRED_CMD_IBPB), "d"(0)
			     : "memory");
#else
	indirect_branch_prediction_barrier();
#endif
}

#endif /* __ASSEMBLY__ */

#endif /* MVM_COMPAT_NOSPEC_BRANCH_H */
