/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * entry.S - enter the guest and come back: the only assembly of the module.
 *
 *	enum exit_result mvm_vmx_enter(struct mvm_vcpu *vcpu);
 *
 * Called by window.c inside an open window: IRQs off, the vCPU's VMCS current,
 * the guest's FPU and MSRs loaded.  Not by C's rules: of the general registers
 * only RBP and RSP come back as they were.
 *
 * Loads the guest's general registers from the run page, except RSP, which is
 * in the VMCS, and executes VMLAUNCH or, when vcpu->launched, VMRESUME.  If
 * entry succeeds, the CPU continues at mvm_vmx_exit, "magically": HOST_RIP and
 * HOST_RSP of the VMCS lead there.  The guest's registers go back to the run
 * page and are cleared here, so that no guest value survives for speculation.
 *
 * Ends as mvm_handle_exit(vcpu) after a VM exit; as mvm_exit_fail_entry(vcpu, 1)
 * when the instruction failed (VMfail), (vcpu, 2) when it faulted (VMX operation
 * was taken away).
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/msr-index.h>
#include <asm/percpu.h>
#include <asm/unwind_hints.h>
#include "compat/nospec-branch.h"
#include "entry_offsets.h"

/*
 * The guest's registers from or to the run page, whose address is in RAX: in the
 * order of enum mvm_gpr, from RCX on; RSP is in the VMCS.  MOV keeps the flags.
 */
.macro move_gprs to_page:req
	.set	n, 1
	.irp	reg, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
	.ifc	\reg, rsp
	.elseif	\to_page
	mov	%\reg, RUN_GPRS + 8 * n(%rax)
	.else
	mov	RUN_GPRS + 8 * n(%rax), %\reg
	.endif
	.set	n, n + 1
	.endr
.endm

/* All but RBP and RSP, which come from the stack. */
.macro clear_gprs
	.irp	reg, eax, ecx, edx, ebx, esi, edi, r8d, r9d, r10d, r11d, r12d, r13d, r14d, r15d
	xor	%\reg, %\reg
	.endr
.endm

.text

SYM_FUNC_START(mvm_vmx_enter)
	push	%rbp
	push	%rdi			/* @vcpu, for the way back */

	/*
	 * Decided while there are registers: MOV keeps ZF and CF, BTS keeps ZF.
	 * Comparing with 0 clears CF.
	 */
	mov	VCPU_RUN(%rdi), %rax
	cmpb	$0, mvm_clear_cpu_buffers(%rip)	/* ZF: leave the buffers alone */
	btsw	$0, VCPU_LAUNCHED(%rdi)		/* CF: VMRESUME, not VMLAUNCH */
	jnc	.Lfirst_entry
.Lload:
	move_gprs to_page=0
	mov	RUN_GPRS(%rax), %rax

	/*
	 * MDS, TAA, MMIO stale data, RFDS: clear the buffers as the last thing
	 * before the guest runs, when mitigations.c asked for it.  VERW keeps CF.
	 */
	je	.Lbuffers_done
	verw	mvm_verw_selector(%rip)
.Lbuffers_done:
	jnc	.Lvmlaunch
	UNWIND_HINT_SAVE
.Lvmresume:
	vmresume
	jmp	.Lvmfail
.Lvmlaunch:
	vmlaunch
.Lvmfail:
	mov	$1, %ebp
	jmp	.Lfailed
.Lvmfault:
	mov	$2, %ebp
.Lfailed:
	clear_gprs
	mov	%ebp, %esi
	pop	%rdi
	pop	%rbp
	jmp	mvm_exit_fail_entry

	/* The stack is the same at every entry of a window: write it once. */
.Lfirst_entry:
	mov	$VMCS_HOST_RSP, %ecx
.Lvmwrite:
	vmwrite	%rsp, %rcx
	cmpb	$0, mvm_clear_cpu_buffers(%rip)
	jmp	.Lload

	_ASM_EXTABLE(.Lvmwrite, .Lvmfault)
	_ASM_EXTABLE(.Lvmresume, .Lvmfault)
	_ASM_EXTABLE(.Lvmlaunch, .Lvmfault)

SYM_INNER_LABEL(mvm_vmx_exit, SYM_L_GLOBAL)
	UNWIND_HINT_RESTORE
	ENDBR

	push	%rax
	mov	8(%rsp), %rax		/* @vcpu */
	mov	VCPU_RUN(%rax), %rax
	pop	RUN_GPRS(%rax)
	move_gprs to_page=1
	clear_gprs

	/*
	 * Before the first unbalanced RET: the guest has filled the return
	 * stack buffer and the branch history.  The kernel's own choice decides
	 * (patched at load).
	 */
	MVM_FILL_RETURN_BUFFER
	/* Legacy IBRS protects only after it is written again, with any value. */
	ALTERNATIVE "jmp .Librs_done", "", X86_FEATURE_KERNEL_IBRS
	mov	$MSR_IA32_SPEC_CTRL, %ecx
	mov	PER_CPU_VAR(x86_spec_ctrl_current), %rax
	mov	%rax, %rdx
	shr	$32, %rdx
	wrmsr
	lfence
.Librs_done:
	MVM_CLEAR_BRANCH_HISTORY

	pop	%rdi
	pop	%rbp
	jmp	mvm_handle_exit
SYM_FUNC_END(mvm_vmx_enter)
