/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cf9.S - a boot sector: resets by the register that ACPI names, port 0xcf9.
 * Each start prints an S and checks that memory and PIC are as new; if they are
 * not, it ends with the number of what was left as debug-exit value.
 */
#include "guest.h"
	.code16
	.globl _start
_start:
	movb	$'S', %al
	put_al
	movb	$2, %bl
	xorw	%ax, %ax
	movw	%ax, %es
	cmpw	$0, %es:0x600		/* memory is clear */
	jne	bad
	movb	$3, %bl
	inb	$0x21, %al		/* so is the PIC's mask */
	testb	%al, %al
	jnz	bad
	movw	$0x1234, %es:0x600
	movb	$0xff, %al
	outb	%al, $0x21
	movw	$0xcf9, %dx
	movb	$0x02, %al
	outb	%al, %dx
	movb	$0x06, %al
	outb	%al, %dx
	movb	$4, %bl			/* still here */
bad:
	movb	%bl, %al
	outb	%al, $DEBUG_EXIT
1:	hlt
	jmp	1b

	.org	510
	.word	0xaa55
