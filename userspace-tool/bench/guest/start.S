/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * start.S - where the benchmark's guest begins, and its interrupt handlers.
 *
 * The host has set up 64-bit mode, a stack and the tables, and RDI with the vCPU's
 * number; image.c takes the addresses of the handlers from the words at the image's
 * start.
 */
#include "vectors.h"

	.section .head, "ax"
	.globl	start
start:
	jmp	guest_main

	.balign	16
	/* struct bench_head of image.c */
	.quad	exceptions
	.quad	exception_bytes
	.quad	interrupt
	.quad	interrupt_timed

	.text

/* 32 stubs of equal length: the CPU pushes an error code for some of them. */
	.balign	16
exceptions:
	.set	vector, 0
	.rept	32
	.balign	16
	.if	!(vector == 8 || (vector >= 10 && vector <= 14) || \
		  vector == 17 || vector == 21)
	push	$0
	.endif
	push	$vector
	jmp	exception
	.set	vector, vector + 1
	.endr
	.set	exception_bytes, 16

exception:
	pop	%rdi
	pop	%rsi			/* the error code */
	pop	%rsi			/* RIP */
	call	guest_exception

/* Counts, and ends the interrupt. */
interrupt:
	push	%rax
	push	%rcx
	push	%rdx
	incq	guest_interrupts(%rip)
	mov	$MSR_X2APIC_EOI, %ecx
	xor	%eax, %eax
	xor	%edx, %edx
	wrmsr
	pop	%rdx
	pop	%rcx
	pop	%rax
	iretq

/* The same, and adds up what the end of the interrupt takes. */
interrupt_timed:
	push	%rax
	push	%rcx
	push	%rdx
	push	%rbx
	incq	guest_interrupts(%rip)
	mov	$MSR_X2APIC_EOI, %ecx
	rdtsc
	mov	%eax, %ebx
	xor	%eax, %eax
	xor	%edx, %edx
	wrmsr
	rdtsc
	sub	%ebx, %eax
	add	%rax, guest_eoi_ticks(%rip)
	pop	%rbx
	pop	%rdx
	pop	%rcx
	pop	%rax
	iretq

	.section .note.GNU-stack, "", @progbits
