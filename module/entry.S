/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * entry.S - enter the guest and come back: the only assembly of the module.
 *
 *	int mvm_vmx_enter(struct mvm_vcpu *vcpu);
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
 * Returns 0 after a VM exit, 1 when the instruction failed (VMfail), 2 when it
 * faulted (VMX operation was taken away).
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/nospec-branch.h>
#include <asm/unwind_hints.h>
#include "entry_offsets.h"

#define VMCS_HOST_RSP	0x6c14	/* vmcs_fields.h; asserted in vmcs.c */

.text

SYM_FUNC_START(mvm_vmx_enter)
	push	%rbp
	push	%rdi			/* @vcpu, for the way back */

	/* The stack is the same at every entry of a window: write it once. */
	cmp	%rsp, VCPU_HOST_RSP(%rdi)
	je	.Lhost_rsp_known
	mov	%rsp, VCPU_HOST_RSP(%rdi)
	mov	$VMCS_HOST_RSP, %eax
.Lvmwrite:
	vmwrite	%rsp, %rax
.Lhost_rsp_known:

	mov	VCPU_RUN(%rdi), %rax
	cmpb	$0, VCPU_LAUNCHED(%rdi)	/* ZF decides below; MOV keeps it */

	mov	GPR_RCX(%rax), %rcx
	mov	GPR_RDX(%rax), %rdx
	mov	GPR_RBX(%rax), %rbx
	mov	GPR_RBP(%rax), %rbp
	mov	GPR_RSI(%rax), %rsi
	mov	GPR_RDI(%rax), %rdi
	mov	GPR_R8(%rax), %r8
	mov	GPR_R9(%rax), %r9
	mov	GPR_R10(%rax), %r10
	mov	GPR_R11(%rax), %r11
	mov	GPR_R12(%rax), %r12
	mov	GPR_R13(%rax), %r13
	mov	GPR_R14(%rax), %r14
	mov	GPR_R15(%rax), %r15
	mov	GPR_RAX(%rax), %rax

	je	.Lnot_launched

	/*
	 * MDS, TAA, MMIO stale data, RFDS: clear the buffers as the last thing
	 * before the guest runs, when mitigations.c asked for it.
	 */
	cmpb	$0, mvm_clear_cpu_buffers(%rip)
	je	.Lvmresume
	verw	mvm_verw_selector(%rip)
	UNWIND_HINT_SAVE
.Lvmresume:
	vmresume
	jmp	.Lvmfail

.Lnot_launched:
	cmpb	$0, mvm_clear_cpu_buffers(%rip)
	je	.Lvmlaunch
	verw	mvm_verw_selector(%rip)
.Lvmlaunch:
	vmlaunch
	jmp	.Lvmfail

	_ASM_EXTABLE(.Lvmwrite, .Lvmfault)
	_ASM_EXTABLE(.Lvmresume, .Lvmfault)
	_ASM_EXTABLE(.Lvmlaunch, .Lvmfault)

SYM_INNER_LABEL(mvm_vmx_exit, SYM_L_GLOBAL)
	UNWIND_HINT_RESTORE
	ENDBR

	push	%rax
	mov	8(%rsp), %rax		/* @vcpu */
	mov	VCPU_RUN(%rax), %rax
	pop	GPR_RAX(%rax)
	mov	%rcx, GPR_RCX(%rax)
	mov	%rdx, GPR_RDX(%rax)
	mov	%rbx, GPR_RBX(%rax)
	mov	%rbp, GPR_RBP(%rax)
	mov	%rsi, GPR_RSI(%rax)
	mov	%rdi, GPR_RDI(%rax)
	mov	%r8, GPR_R8(%rax)
	mov	%r9, GPR_R9(%rax)
	mov	%r10, GPR_R10(%rax)
	mov	%r11, GPR_R11(%rax)
	mov	%r12, GPR_R12(%rax)
	mov	%r13, GPR_R13(%rax)
	mov	%r14, GPR_R14(%rax)
	mov	%r15, GPR_R15(%rax)
	xor	%eax, %eax		/* result: a VM exit */

.Lclear:
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%ebx, %ebx
	xor	%ebp, %ebp
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	xor	%r12d, %r12d
	xor	%r13d, %r13d
	xor	%r14d, %r14d
	xor	%r15d, %r15d

	/*
	 * Before the first unbalanced RET: the guest has filled the return
	 * stack buffer and the branch history.  The kernel's own choice decides
	 * (patched at load).
	 */
	FILL_RETURN_BUFFER %rcx, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT, \
			   X86_FEATURE_RSB_VMEXIT_LITE
	push	%rax
	CLEAR_BRANCH_HISTORY_VMEXIT
	pop	%rax

	pop	%rdi
	pop	%rbp
	RET

.Lvmfault:
	mov	$2, %eax
	jmp	.Lclear
.Lvmfail:
	mov	$1, %eax
	jmp	.Lclear
SYM_FUNC_END(mvm_vmx_enter)
