/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * timer.S - a flat binary: sets up the PIC and the PIT and sleeps by HLT until
 * ten timer interrupts have come; each prints a dot.  Status 3.
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
	outb	%al, $0xa0
	movb	$0x20, %al		/* ICW2 */
	outb	%al, $0x21
	movb	$0x28, %al
	outb	%al, $0xa1
	movb	$0x04, %al		/* ICW3 */
	outb	%al, $0x21
	movb	$0x02, %al
	outb	%al, $0xa1
	movb	$0x01, %al		/* ICW4 */
	outb	%al, $0x21
	outb	%al, $0xa1
	movb	$0xfe, %al		/* only IRQ 0 */
	outb	%al, $0x21
	movb	$0xff, %al
	outb	%al, $0xa1

	movb	$0x34, %al		/* counter 0, both bytes, mode 2 */
	outb	%al, $0x43
	movw	$11932, %ax		/* 100 Hz */
	outb	%al, $0x40
	movb	%ah, %al
	outb	%al, $0x40

	movw	$10, %bx
sleep:
	sti
	hlt
	cli
	testw	%bx, %bx
	jnz	sleep
	movb	$'\n', %al
	put_al
	exit	1

handler:
	pushw	%ax
	pushw	%dx
	movb	$'.', %al
	put_al
	decw	%bx
	movb	$0x20, %al		/* end of interrupt */
	outb	%al, $0x20
	popw	%dx
	popw	%ax
	iret
