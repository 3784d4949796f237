/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hello.S - a boot sector: prints a line on COM1 and ends by the debug-exit
 * port with status 85 = (42 << 1) | 1.  DL must be 0x80 and CS:IP 0000:7c00.
 */
#include "guest.h"
	.code16
	.globl _start
_start:
	cmpb	$0x80, %dl
	jne	bad
	movw	$(0x7c00 + text), %si
next:
	lodsb
	testb	%al, %al
	jz	done
	put_al
	jmp	next
done:
	exit	42
bad:
	exit	1
text:
	.asciz	"hello from the boot sector\n"

	.org	510
	.word	0xaa55
