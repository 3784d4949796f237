/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compat.S - compatibility mode: 32-bit code in IA-32e mode at CPL 0 and 3, and
 * the way out of IA-32e mode to real mode
 */
#include "guests/long.h"

	REAL_ENTRY
	ENTER_PROTECTED(protected)
	ENTER_LONG(long1)
	LOAD_IDT64

	/* in 64-bit mode 0x48 is a prefix, in compatibility mode DEC */
	mov	$0x100000000, %rax
	.byte	0x48
	shr	$1, %rax
	mov	$0x80000000, %ebx
	cmp	%rbx, %rax
	CHECK(e)
	ljmp	*to_compat

	.code32
compat:
	mov	$5, %eax
	.byte	0x48
	cmp	$4, %eax
	CHECK(e)
	/* exceptions arrive in 64-bit mode and come back here */
	movl	$-1, vector64
	movl	$1f, recover64
	ud2
1:	cmpl	$6, vector64
	CHECK(e)
	cmpl	$CODE32, trap_cs64
	CHECK(e)
	/* addresses wrap at 4 GiB */
	mov	$0xfffffff0, %ebx
	mov	word + 0x10(%ebx), %ax
	cmp	$0xbeef, %ax
	CHECK(e)
	ljmp	$CODE64, $long2

	.code64
long2:
	mov	%cs, %ax
	cmp	$CODE64, %ax
	CHECK(e)
	/* 32-bit code at CPL 3 and back by an interrupt */
	movq	$STACK0, tss + 4
	movw	$0xffff, tss + 0x66
	mov	$TSS, %ax
	ltr	%ax
	SET_GATE64(0x80, system_call)
	pushq	$USER_DATA
	pushq	$STACK3
	pushq	$2
	pushq	$USER_CODE32
	pushq	$user
	iretq

	.code32
user:
	mov	$USER_DATA, %ax
	mov	%ax, %ds
	push	$7
	cmpl	$7, STACK3 - 4
	CHECK(e)
	movl	$-1, vector64
	movl	$1f, recover64
	cli
1:	cmpl	$13, vector64
	CHECK(e)
	int	$0x80

	.code64
system_call:
	cmpq	$USER_CODE32, 8(%rsp)
	CHECK(e)
	cmpq	$STACK3 - 4, 24(%rsp)
	CHECK(e)

	/* out: compatibility mode, paging off, LME off, real mode */
	ljmp	*to_leave
	.code32
leave_long:
	mov	$DATA, %ax
	mov	%ax, %ds
	mov	%ax, %ss
	mov	%cr0, %eax
	and	$0x7fffffff, %eax
	mov	%eax, %cr0
	jmp	1f
1:	mov	$EFER, %ecx
	rdmsr
	test	$0x400, %eax
	CHECK(z)
	and	$~0x100, %eax
	wrmsr
	ljmp	$CODE16, $(leave16 - BASE)
	.code16
leave16:
	mov	$DATA16, %ax
	mov	%ax, %ds
	mov	%ax, %ss
	mov	%cr0, %eax
	and	$0xfe, %al
	mov	%eax, %cr0
	ljmp	$0x1000, $(real - BASE)
real:
	mov	%cs, %ax
	mov	%ax, %ds
	mov	%ax, %ss
	mov	$0xfff0, %sp
	cmpw	$0xbeef, word - BASE
	CHECK(e)
	PASS

to_compat:
	.long	compat
	.word	CODE32
to_leave:
	.long	leave_long
	.word	CODE32
word:	.word	0xbeef

	HANDLERS64
	TABLES_GDT
