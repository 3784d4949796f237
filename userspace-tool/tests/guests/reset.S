/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * reset.S - a boot sector: prints 'R' and pulls the reset line of the keyboard
 * controller.
 */
#include "guest.h"
	.code16
	.globl _start
_start:
	movb	$'R', %al
	put_al
	movb	$0xfe, %al
	outb	%al, $0x64
1:	hlt
	jmp	1b

	.org	510
	.word	0xaa55
