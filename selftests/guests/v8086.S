/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * v8086.S - virtual-8086 mode under a monitor at CPL 0: instructions that IOPL
 * guards arrive as #GP, memory is the 8086's
 */
#include "guests/guest.h"

	REAL_ENTRY
	ENTER_PROTECTED(protected)
	LOAD_IDT32
	/* the monitor takes #GP */
	SET_GATE32(13, monitor)
	movl	$STACK0, tss + 4
	movl	$DATA, tss + 8
	movw	$0xffff, tss + 0x66
	mov	$TSS, %ax
	ltr	%ax
	push	$0			/* GS, FS, DS, ES */
	push	$0
	push	$0x6000
	push	$0x1000
	push	$0x3000			/* SS, SP */
	push	$0x8000
	push	$0x20002		/* VM, IOPL 0 */
	push	$0x1000
	push	$(task - BASE)
	iret

	.code16
task:
	/* segments as an 8086 has them */
	movw	$0x1234, 0x10
	mov	$0x5fff, %ax
	mov	%ax, %ds
	cmpw	$0x1234, 0x20
	CHECK(e)
	cmpw	$0xbeef, %es:word - BASE
	CHECK(e)
	push	$0x4321
	pop	%bx
	cmp	$0x4321, %bx
	CHECK(e)
	/* each of these goes to the monitor */
	cli
	sti
	pushf
	popf
	int	$0x40
	iret
	in	$0x10, %al
	hlt
word:	.word	0xbeef
	.code32

/* EIP, CS, EFLAGS, ESP, SS of the task are above the error code. */
monitor:
	cmpl	$0, (%esp)
	CHECK(e)
	testl	$0x20000, 12(%esp)
	CHECK(nz)
	mov	$DATA, %ax
	mov	%ax, %ds
	movzwl	8(%esp), %ebx
	shl	$4, %ebx
	add	4(%esp), %ebx
	mov	step, %ecx
	movzbl	opcodes(%ecx), %eax
	cmp	%al, (%ebx)
	CHECK(e)
	cmp	$0xf4, %al
	je	done
	movzbl	lengths(%ecx), %eax
	add	%eax, 4(%esp)
	incl	step
	add	$4, %esp
	iret
done:
	PASS

step:	.long	0
opcodes: .byte	0xfa, 0xfb, 0x9c, 0x9d, 0xcd, 0xcf, 0xe4, 0xf4
lengths: .byte	1, 1, 1, 1, 2, 1, 2, 1

	HANDLERS32
	TABLES_GDT
