/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * smp.S - a flat binary: starts all other CPUs, prints how many there are, and
 * lets them read the TSC in turn for ever, with a letter every 64 rounds: a dot, B
 * when it was less than another CPU's before, J when it jumped by 2^29 and more.  In
 * the first rounds each CPU prints its number, the odd ones by OUTS: these are
 * exits, while an OUT may be posted, and who comes later must not overtake.
 *
 * A SIPI brings the others here, too: the vector 0x10 is 1000:0000.
 */
#include "guest.h"
#define APIC_BASE	0x1b
#define BASE_BSP	0x100
#define BASE_X2APIC	0x400
#define X2APIC_ID	0x802
#define X2APIC_ICR	0x830
#define TO_OTHERS	0xc0000
#define INIT		0x4500
#define SIPI		0x4600
#define FW_CFG		0x510
#define NB_CPUS		0x05
#define SPEAKING	4	/* rounds */
	.code16
	.globl _start
_start:
	cli
	movw	%cs, %ax
	movw	%ax, %ds
	movl	$APIC_BASE, %ecx
	rdmsr
	movl	%eax, %ebx
	orl	$BASE_X2APIC, %eax
	wrmsr
	movl	$X2APIC_ID, %ecx
	rdmsr
	movl	%eax, %esi		/* this CPU */
	lock incb started
	testl	$BASE_BSP, %ebx
	jz	turn

	movw	$0x8000, %sp
	movw	$FW_CFG, %dx
	movw	$NB_CPUS, %ax
	outw	%ax, %dx
	incw	%dx
	inb	%dx, %al
	movb	%al, cpus
	xorl	%edx, %edx
	movl	$X2APIC_ICR, %ecx
	movl	$TO_OTHERS | INIT, %eax
	wrmsr
	movl	$TO_OTHERS | SIPI | 0x10, %eax
	wrmsr
1:	pause
	movb	started, %al
	cmpb	cpus, %al
	jne	1b
	addb	$'0', %al
	put_al
	rdtsc
	movl	%eax, last
	movl	%edx, last + 4
	movb	$0, token		/* nobody's, until now */

turn:
	pause
	movl	%esi, %eax
	cmpb	token, %al
	jne	turn
	lfence
	rdtsc
	movl	%eax, %ebx
	movl	%edx, %ecx
	subl	last, %eax
	sbbl	last + 4, %edx
	movl	%ebx, last
	movl	%ecx, last + 4
	jns	1f
	movb	$'B', letter
	jmp	2f
1:	shrdl	$29, %edx, %eax
	testl	%eax, %eax
	jz	2f
	movb	$'J', letter
2:	testl	%esi, %esi
	jnz	3f
	incw	rounds
	testw	$63, rounds
	jnz	3f
	movb	letter, %al
	put_al
	movb	$'.', letter
3:	movl	%esi, %eax
	cmpb	$SPEAKING, spoken
	je	5f
	addb	$'0', %al
	movw	$COM1, %dx
	testw	$1, %si
	jnz	4f
	outb	%al, %dx
	jmp	5f
4:	movb	%al, number
	movl	%esi, %ebx
	movw	$number, %si
	outsb
	movl	%ebx, %esi

5:	movl	%esi, %eax
	incb	%al
	cmpb	cpus, %al
	jne	7f
	xorb	%al, %al
	cmpb	$SPEAKING, spoken
	je	7f
	incb	spoken
7:	movb	%al, token
	jmp	turn

	.balign	8
last:	.long	0, 0
rounds:	.word	0
cpus:	.byte	0
started: .byte	0
spoken:	.byte	0
number:	.byte	0
token:	.byte	0xff
letter:	.byte	'.'
