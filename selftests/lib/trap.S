/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * trap.S - entry points of a 64-bit guest's exceptions and interrupts
 *
 * 256 stubs of 16 bytes: each leaves a struct trap_frame on the stack, with an
 * error code of 0 where the CPU pushes none, and calls guest_trap_c().
 */
	.text

	.balign	16
	.globl	guest_stubs
guest_stubs:
	.set	vector, 0
	.rept	256
	.balign	16
	.if	!(vector == 8 || (vector >= 10 && vector <= 14) || \
		  vector == 17 || vector == 21)
	pushq	$0
	.endif
	pushq	$vector
	jmp	common
	.set	vector, vector + 1
	.endr

common:
	push	%rax
	push	%rbx
	push	%rcx
	push	%rdx
	push	%rsi
	push	%rdi
	push	%rbp
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	cld
	mov	%rsp, %rdi
	mov	%rsp, %rbp
	and	$-16, %rsp
	call	guest_trap_c
	mov	%rbp, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rbp
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%rcx
	pop	%rbx
	pop	%rax
	add	$16, %rsp
	iretq

/* where a guest's function returns to */
	.globl	guest_return
guest_return:
	mov	$0x5a8, %dx
	xor	%eax, %eax
	out	%eax, %dx
	jmp	guest_return

	.section .note.GNU-stack, "", @progbits
