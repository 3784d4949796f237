/* SPDX-License-Identifier: GPL-2.0-only */
/* long.h - for test guests: IA-32e mode */
#ifndef LONG_H
#define LONG_H

#include "guests/guest.h"

#define PML4	TABLES
#define PDPT	(TABLES + 0x1000)
#define PD	(TABLES + 0x2000)
#define PT	(TABLES + 0x3000)

#define EFER	0xc0000080

/* From protected mode: one to one in the first 2 MiB, for all. */
#define ENTER_LONG(label)					\
	movl	$PDPT + 7, PML4;				\
	movl	$PD + 7, PDPT;					\
	movl	$0x87, PD;					\
	mov	%cr4, %eax;					\
	or	$0x20, %eax;					\
	mov	%eax, %cr4;					\
	mov	$PML4, %eax;					\
	mov	%eax, %cr3;					\
	mov	$EFER, %ecx;					\
	rdmsr;							\
	or	$0x101, %eax;					\
	wrmsr;							\
	mov	%cr0, %eax;					\
	or	$0x80010000, %eax;				\
	mov	%eax, %cr0;					\
	ljmp	$CODE64, $label;				\
	.code64;						\
label:

/* 64-bit exceptions, as HANDLERS32 has them. */
#define HANDLERS64						\
	.code64;						\
	.balign	16;						\
stubs64:							\
	.set	m, 0;						\
	.rept	32;						\
	.balign	16;						\
	.if	!(m == 8 || (m >= 10 && m <= 14) || m == 17);	\
	pushq	$0;						\
	.endif;							\
	pushq	$m;						\
	jmp	stub64_end;					\
	.set	m, m + 1;					\
	.endr;							\
stub64_end:							\
	popq	vector64;					\
	popq	error64;					\
	push	%rax;						\
	mov	16(%rsp), %rax;					\
	mov	%rax, trap_cs64;				\
	mov	recover64, %rax;				\
	test	%rax, %rax;					\
	jz	1f;						\
	mov	%rax, 8(%rsp);					\
	movq	$0, recover64;					\
1:	pop	%rax;						\
	iretq;							\
	.balign	16;						\
idt64:	.fill	512, 8, 0;					\
idtr64:	.word	256 * 16 - 1;					\
	.quad	idt64;						\
vector64: .quad	0;						\
error64: .quad	0;						\
trap_cs64: .quad 0;						\
recover64: .quad 0

#define LOAD_IDT64						\
	mov	$stubs64, %eax;					\
	mov	$idt64, %edi;					\
	mov	$32, %ecx;					\
1:	mov	%ax, (%rdi);					\
	movw	$CODE64, 2(%rdi);				\
	movw	$0x8e00, 4(%rdi);				\
	mov	%eax, %edx;					\
	shr	$16, %edx;					\
	mov	%dx, 6(%rdi);					\
	add	$16, %eax;					\
	add	$16, %edi;					\
	loop	1b;						\
	lidt	idtr64

#define SET_GATE64(n, handler)					\
	mov	$handler, %eax;					\
	mov	%ax, idt64 + (n) * 16;				\
	movw	$CODE64, idt64 + (n) * 16 + 2;			\
	movw	$0xee00, idt64 + (n) * 16 + 4;			\
	shr	$16, %eax;					\
	mov	%ax, idt64 + (n) * 16 + 6

#define TRAPS64(vec, code, ...)					\
	movq	$-1, vector64;					\
	movq	$75f, recover64;				\
	__VA_ARGS__;						\
75:	movq	$0, recover64;					\
	cmpq	$vec, vector64;					\
	CHECK(e);						\
	cmpq	$code, error64;					\
	CHECK(e)

#endif
