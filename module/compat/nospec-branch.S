/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * nospec-branch.S - clear the CPU's branch history, for kernels that export no
 * way to do it.  Called by entry.S, through MVM_CLEAR_BRANCH_HISTORY.
 *
 * Intel, "Branch History Injection and Intra-mode Branch Target Injection"
 * (CVE-2022-0001, CVE-2022-0002), "Software BHB-clearing sequence": CPUs without
 * BHI_DIS_S forget the history when enough branches are taken.  Short loops (of 5
 * rounds, two branches each) alternate with calls, lest the CPU replay a loop
 * from its loop stream detector and record nothing; an LFENCE behind keeps
 * speculation from running ahead of it.  Intel's sequence takes 62 branches.
 *
 * Here each call is a function of its own, so that the stack has one depth in
 * each and can be unwound: 6 functions, of which each loops, calls the next and
 * returns.  In each, 5 jumps and 4 loop branches are taken; with a call and a
 * return that makes 66.
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include "nospec-branch.h"

#if MVM_OWN_BRANCH_STEPS

#define ROUNDS	5

/* A cache line each, behind NOPs that the kernel may patch (call depth tracking). */
.macro clear_level name:req, start:req, next
	.balign	64, 0xcc
	.skip	16, 0x90
	\start	\name
	mov	$ROUNDS, %eax
.Lround_\@:
	jmp	.Lcount_\@
	nop
.Lcount_\@:
	dec	%eax
	jnz	.Lround_\@
	.ifnb	\next
	call	\next
	.endif
	RET
SYM_FUNC_END(\name)
.endm

.macro start_global name
SYM_FUNC_START_NOALIGN(\name)
.endm

.macro start_local name
SYM_FUNC_START_LOCAL_NOALIGN(\name)
.endm

.text
clear_level clear_6, start_local
clear_level clear_5, start_local, clear_6
clear_level clear_4, start_local, clear_5
clear_level clear_3, start_local, clear_4
clear_level clear_2, start_local, clear_3
clear_level mvm_clear_branch_history, start_global, clear_2

#endif
