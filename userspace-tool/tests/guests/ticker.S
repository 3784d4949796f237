/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ticker.S - a flat binary: sleeps by HLT and prints a letter at each tick of
 * the PIT, 18 a second, for ever: a dot, or J when the TSC has jumped, by 16
 * times and more of what the first ticks took.
 */
#include "guest.h"
	.code16
	.globl _start
_start:
	cli
	xorw	%ax, %ax
	movw	%ax, %es
	movw	$handler, %es:(0x20 * 4)	/* vector 0x20 */
	movw	%cs, %es:(0x20 * 4 + 2)

	movb	$0x11, %al		/* ICW1: edge, cascade, ICW4 */
	outb	%al, $0x20
	movb	$0x20, %al		/* ICW2 */
	outb	%al, $0x21
	movb	$0x04, %al		/* ICW3 */
	outb	%al, $0x21
	movb	$0x01, %al		/* ICW4 */
	outb	%al, $0x21
	movb	$0xfe, %al		/* only IRQ 0 */
	outb	%al, $0x21

	rdtsc
	movl	%eax, last
	movl	%edx, last + 4
	movb	$0x34, %al		/* counter 0, both bytes, mode 2 */
	outb	%al, $0x43
	xorb	%al, %al		/* 65536: 18.2 Hz */
	outb	%al, $0x40
	outb	%al, $0x40
sleep:
	sti
	hlt
	jmp	sleep

handler:
	pushal
	rdtsc
	movl	%eax, %ebx
	movl	%edx, %ecx
	subl	last, %eax
	sbbl	last + 4, %edx
	movl	%ebx, last
	movl	%ecx, last + 4
	shrdl	$10, %edx, %eax		/* in units that 32 bits hold */
	cmpw	$8, ticks
	jae	judge
	incw	ticks
	cmpl	usual, %eax
	jbe	dot
	movl	%eax, usual
	jmp	dot
judge:
	movl	usual, %ebx
	shll	$4, %ebx
	cmpl	%ebx, %eax
	movb	$'J', %al
	ja	print
dot:
	movb	$'.', %al
print:
	put_al
	movb	$0x20, %al		/* end of interrupt */
	outb	%al, $0x20
	popal
	iret

	.balign	4
last:	.long	0, 0
usual:	.long	0
ticks:	.word	0
