/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ioapic.S - a flat binary: the serial port's interrupt, level triggered by the
 * I/O APIC.  The handler leaves the line up, so that each end of interrupt has
 * to bring the next one; the fifth takes it down.  First with EOIs to the xAPIC
 * page, then to the x2APIC's MSR.  Status 3, else the number of what failed.
 */
#include "guest.h"

#define IOAPIC		0xfec00000
#define XAPIC_EOI	0xfee000b0
#define XAPIC_SVR	0xfee000f0
#define X2APIC_EOI	0x80b
#define APIC_BASE_MSR	0x1b
#define X2APIC_MODE	0x400

#define VECTOR		0x40
#define LEVEL		0x8000
#define REMOTE_IRR	0x4000
#define MASKED		0x10000
#define PIN		4
#define ROUNDS		5

/* Addresses beyond 64 KiB take a 32-bit register. */
.macro ioapic_select index
	movl	$IOAPIC, %ebx
	movl	$\index, %fs:(%ebx)
.endm

.macro ioapic_write index, value
	ioapic_select \index
	movl	$\value, %fs:0x10(%ebx)
.endm

	.code16
	.globl _start
_start:
	cli
	/* FS reaches all 4 GiB, in real mode too */
	movl	$(0x10000 + gdt), gdt_base
	lgdtl	gdt_pointer
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	movw	$8, %bx
	movw	%bx, %fs
	andb	$0xfe, %al
	movl	%eax, %cr0
	xorw	%ax, %ax
	movw	%ax, %fs

	movw	%ax, %es
	movw	$handler, %es:(VECTOR * 4)
	movw	%cs, %es:(VECTOR * 4 + 2)
	movb	$0xff, %al		/* not by the PIC */
	outb	%al, $0x21
	outb	%al, $0xa1
	movl	$XAPIC_SVR, %ebx
	movl	$0x1ff, %fs:(%ebx)

	movb	$2, exit_code		/* the I/O APIC's version */
	ioapic_select 1
	movl	%fs:0x10(%ebx), %eax
	cmpl	$0x00170011, %eax
	jne	bad
	ioapic_write (0x11 + 2 * PIN), 0

	movb	$3, exit_code
	call	round
	movb	$1, x2apic
	movl	$APIC_BASE_MSR, %ecx
	rdmsr
	orl	$X2APIC_MODE, %eax
	wrmsr
	movb	$4, exit_code
	call	round
	movb	$1, exit_code
bad:
	movb	exit_code, %al
	outb	%al, $DEBUG_EXIT
1:	hlt
	jmp	1b

/* ROUNDS interrupts, and not one more. */
round:
	movw	$0, count
	ioapic_write (0x10 + 2 * PIN), (LEVEL | VECTOR)
	movw	$(COM1 + 4), %dx	/* OUT2: interrupts reach the line */
	movb	$0x08, %al
	outb	%al, %dx
	movw	$(COM1 + 1), %dx	/* "transmitter empty" is true at once */
	movb	$0x02, %al
	outb	%al, %dx
	sti
	movl	$200000, %ecx
2:	nop
	loopl	2b
	cli
	cmpw	$ROUNDS, count
	jne	bad
	ioapic_select (0x10 + 2 * PIN)
	movl	%fs:0x10(%ebx), %eax
	cmpl	$(LEVEL | VECTOR), %eax	/* no remote IRR left */
	jne	bad
	ioapic_write (0x10 + 2 * PIN), MASKED
	ret

handler:
	pushal
	incw	%cs:count
	cmpw	$ROUNDS, %cs:count
	jne	3f
	movw	$(COM1 + 1), %dx
	xorb	%al, %al
	outb	%al, %dx
3:	xorl	%eax, %eax
	cmpb	$0, %cs:x2apic
	jne	4f
	movl	$XAPIC_EOI, %ebx
	movl	%eax, %fs:(%ebx)
	jmp	5f
4:	movl	$X2APIC_EOI, %ecx
	xorl	%edx, %edx
	wrmsr
5:	popal
	iretw

count:	.word	0
x2apic:	.byte	0
exit_code: .byte 0
	.balign	8
gdt:	.quad	0
	.quad	0x00cf93000000ffff
gdt_pointer:
	.word	15
gdt_base: .long	0
