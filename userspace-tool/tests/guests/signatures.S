/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * signatures.S - a flat binary: looks for hypervisors where Linux does, at leaves
 * 0x40000000, 0x40000100, and so on to 0x40000f00, and prints a line for each.
 * Zero bytes are printed as dots.  Status 3 = (1 << 1) | 1.
 */
#include "guest.h"
	.code16
	.globl _start
_start:
	cld
	movl	$0x40000000, %esi
next:
	movl	%esi, %eax
	cpuid
	/* a highest leaf that lies in these */
	subl	%esi, %eax
	jz	absent
	cmpl	$0x100, %eax
	jae	absent
	movl	%ebx, text
	movl	%ecx, text + 4
	movl	%edx, text + 8
	movw	$text, %di
	movw	$13, %cx
print:
	movb	(%di), %al
	testb	%al, %al
	jnz	1f
	movb	$'.', %al
1:	put_al
	incw	%di
	loop	print
absent:
	addl	$0x100, %esi
	cmpl	$0x40001000, %esi
	jb	next
	exit	1
text:
	.ascii	"012345678901\n"
