/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mmio.S - a boot sector: reads and writes where there is no memory (the video
 * window, all ones), checks that ROM space is read only and all ones, and
 * compares what the emulator did.  Status 3 when all is well, else the number
 * of the check that failed: 5, 7, 9...
 */
#include "guest.h"
	.code16
	.globl _start
_start:
	movw	$0xa000, %ax
	movw	%ax, %es
	movl	$0x12345678, %es:0x10	/* dropped */
	movl	%es:0x10, %eax
	movb	$2, %bl
	cmpl	$0xffffffff, %eax
	jne	bad

	movb	$3, %bl			/* flags of a read-modify-write */
	clc
	incw	%es:0x20
	jnz	bad			/* 0xffff + 1 = 0 */

	movb	$4, %bl			/* strings out of the hole */
	pushw	%es
	popw	%ds
	xorw	%si, %si
	movw	%si, %es
	movw	$0x600, %di
	movw	$8, %cx
	cld
	rep movsb
	testw	%cx, %cx
	jnz	bad
	cmpw	$0x608, %di
	jne	bad
	cmpw	$8, %si
	jne	bad
	cmpl	$0xffffffff, %es:0x604
	jne	bad

	movb	$5, %bl			/* ROM space */
	movw	$0xf000, %ax
	movw	%ax, %ds
	movb	$0, 0x10
	cmpb	$0xff, 0x10
	jne	bad
	exit	1
bad:
	movb	%bl, %al
	outb	%al, $DEBUG_EXIT
1:	hlt
	jmp	1b

	.org	510
	.word	0xaa55
