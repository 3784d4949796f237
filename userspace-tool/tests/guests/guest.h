/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guest.h - what the small real-mode guests share.  Each includes it first; it
 * is text for the assembler.
 */
#define COM1		0x3f8
#define COM1_LSR	(COM1 + 5)
#define DEBUG_EXIT	0xf4

#define LSR_READY	0x01
#define LSR_THRE	0x20

/* End the run with status (value << 1) | 1. */
.macro exit value
	movb	$\value, %al
	outb	%al, $DEBUG_EXIT
9:	hlt
	jmp	9b
.endm

/* Send AL; changes DX. */
.macro put_al
	pushw	%ax
	movw	$COM1_LSR, %dx
8:	inb	%dx, %al
	testb	$LSR_THRE, %al
	jz	8b
	popw	%ax
	movw	$COM1, %dx
	outb	%al, %dx
.endm
