/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guest.h - for the test guests: flat binaries, one a CPU mode
 *
 * A guest is loaded at GPA 0x10000 with 2 MiB of memory and entered in real
 * mode at 1000:0000.  It checks itself and ends with OUT to port 0xf4: 0 when
 * all is well, else 1 after it has said the line of its source in 16 bits at
 * port 0xf6.
 */
#ifndef GUEST_H
#define GUEST_H

#define BASE		0x10000

#define PORT_END	0xf4
#define PORT_LINE	0xf6

/* After a comparison: go on when the condition holds. */
#define CHECK(cc)						\
	j##cc	77f;						\
	mov	$__LINE__, %ax;					\
	out	%ax, $PORT_LINE;				\
	mov	$1, %al;					\
	out	%al, $PORT_END;					\
76:	hlt;							\
	jmp	76b;						\
77:

#define PASS							\
	mov	$0, %al;					\
	out	%al, $PORT_END;					\
76:	hlt;							\
	jmp	76b

/* Real mode: segments of the image, a stack at its end. */
#define REAL_ENTRY						\
	.code16;						\
	.globl	_start;						\
_start:								\
	cli;							\
	cld;							\
	mov	%cs, %ax;					\
	mov	%ax, %ds;					\
	mov	%ax, %es;					\
	mov	%ax, %ss;					\
	mov	$0xfff0, %sp

/* selectors of the GDT below */
#define CODE32		0x08
#define DATA		0x10
#define CODE64		0x18
/* in the order that SYSRET wants */
#define USER_CODE32	0x23
#define USER_DATA	0x2b
#define USER_CODE64	0x33
#define CODE16		0x38
#define DATA16		0x40
#define TSS		0x48	/* 16 bytes in 64-bit mode */
#define ABSENT		0x58
#define GATE		0x60	/* 16 bytes in 64-bit mode */

/* From real mode to flat protected mode at the label. */
#define ENTER_PROTECTED(label)					\
	lgdtl	gdtr - BASE;					\
	mov	%cr0, %eax;					\
	or	$1, %al;					\
	mov	%eax, %cr0;					\
	ljmpl	$CODE32, $label;				\
	.code32;						\
label:								\
	mov	$DATA, %ax;					\
	mov	%ax, %ds;					\
	mov	%ax, %es;					\
	mov	%ax, %fs;					\
	mov	%ax, %gs;					\
	mov	%ax, %ss;					\
	mov	$STACK, %esp

/* memory that guests use beside their image */
#define STACK		0x30000
#define STACK0		0x34000		/* for traps from CPL 3 */
#define STACK3		0x38000		/* at CPL 3 */
#define TABLES		0x40000		/* page tables */
#define SCRATCH		0x60000

#define TABLES_GDT						\
	.balign	8;						\
gdt:	.quad	0;						\
	.quad	0x00cf9b000000ffff;				\
	.quad	0x00cf93000000ffff;				\
	.quad	0x00af9b000000ffff;				\
	.quad	0x00cffb000000ffff;				\
	.quad	0x00cff3000000ffff;				\
	.quad	0x00affb000000ffff;				\
	.quad	0x00009b010000ffff;				\
	.quad	0x000093010000ffff;				\
	.word	0x67, tss - BASE, 0x8901, 0;			\
	.quad	0;						\
	.quad	0x00cf13000000ffff;				\
	.quad	0, 0;						\
gdt_end:							\
gdtr:	.word	gdt_end - gdt - 1;				\
	.long	gdt, 0;						\
	.balign	8;						\
tss:	.fill	104, 1, 0;					\
tss_end:

/*
 * 32-bit exceptions: vector, error code and CS of the last one are stored, the
 * guest goes on at "recover" when that is not 0.
 */
#define HANDLERS32						\
	.code32;						\
	.balign	16;						\
stubs:								\
	.set	n, 0;						\
	.rept	32;						\
	.balign	16;						\
	.if	!(n == 8 || (n >= 10 && n <= 14) || n == 17);	\
	push	$0;						\
	.endif;							\
	push	$n;						\
	jmp	stub_end;					\
	.set	n, n + 1;					\
	.endr;							\
stub_end:							\
	popl	vector;						\
	popl	error;						\
	push	%eax;						\
	mov	8(%esp), %eax;					\
	mov	%eax, trap_cs;					\
	mov	recover, %eax;					\
	test	%eax, %eax;					\
	jz	1f;						\
	mov	%eax, 4(%esp);					\
	movl	$0, recover;					\
1:	pop	%eax;						\
	iret;							\
	.balign	8;						\
idt:	.fill	256, 8, 0;					\
idtr:	.word	256 * 8 - 1;					\
	.long	idt, 0;						\
vector:	.long	0;						\
error:	.long	0;						\
trap_cs: .long	0;						\
recover: .long	0

/* Make the IDT for them and load it. */
#define LOAD_IDT32						\
	mov	$stubs, %eax;					\
	mov	$idt, %edi;					\
	mov	$32, %ecx;					\
1:	mov	%ax, (%edi);					\
	movw	$CODE32, 2(%edi);				\
	movw	$0x8e00, 4(%edi);				\
	mov	%eax, %edx;					\
	shr	$16, %edx;					\
	mov	%dx, 6(%edi);					\
	add	$16, %eax;					\
	add	$8, %edi;					\
	loop	1b;						\
	lidt	idtr

/* A gate of DPL 3 for software interrupt n. */
#define SET_GATE32(n, handler)					\
	mov	$handler, %eax;					\
	mov	%ax, idt + (n) * 8;				\
	movw	$CODE32, idt + (n) * 8 + 2;			\
	movw	$0xee00, idt + (n) * 8 + 4;			\
	shr	$16, %eax;					\
	mov	%ax, idt + (n) * 8 + 6

/* The instruction must raise this exception with this error code. */
#define TRAPS32(vec, code, ...)					\
	movl	$-1, vector;					\
	movl	$75f, recover;					\
	__VA_ARGS__;						\
75:	movl	$0, recover;					\
	cmpl	$vec, vector;					\
	CHECK(e);						\
	cmpl	$code, error;					\
	CHECK(e)

#endif
