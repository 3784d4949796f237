/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * entry.S - a 64-bit test kernel in a 32-bit Multiboot image: its header, which
 * asks for nothing, and its way into long mode before it has looked at anything.
 */
#define MAGIC		0x1badb002
#define FLAGS		0
#define MSR_EFER	0xc0000080
#define EFER_LME	8
#define MSR_GS_BASE	0xc0000101
#define CR4_PAE		5
#define CR0_PE		0
#define CR0_PG		31
#define CODE64		0x08
#define DATA		0x10

	.section .header, "a"
	.balign	4
	.long	MAGIC, FLAGS, -(MAGIC + FLAGS)

	.text
	.code32
	.globl	_start
_start:
	movl	%eax, entry_eax
	movl	%ebx, entry_ebx
	movl	$stack_end, %esp
	/* what is per CPU lies behind GS: an MSR in protected mode already */
	movl	$stack_end, %eax
	xorl	%edx, %edx
	movl	$MSR_GS_BASE, %ecx
	wrmsr
	lgdt	gdt_pointer
	rdmsr
	movw	$DATA, %bx
	movw	%bx, %ds
	movw	%bx, %es
	movw	%bx, %fs
	movw	%bx, %gs
	movw	%bx, %ss
	wrmsr				/* loading GS has cleared it */
	movl	%cr4, %eax
	btsl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	$pml4, %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	rdmsr
	btsl	$EFER_LME, %eax
	wrmsr
	movl	%cr0, %eax
	btsl	$CR0_PE, %eax
	btsl	$CR0_PG, %eax
	movl	%eax, %cr0
	ljmp	$CODE64, $1f
	.code64
1:	call	main
2:	hlt
	jmp	2b

/* The handler of the one interrupt that this sends itself. */
	.globl	interrupt_entry
interrupt_entry:
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rsi
	pushq	%rdi
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	cld
	call	interrupt
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rdi
	popq	%rsi
	popq	%rdx
	popq	%rcx
	popq	%rax
	iretq

/* Where other CPUs would start, if there were any. */
	.globl	other_cpu, other_cpu_end
	.code16
other_cpu:
1:	hlt
	jmp	1b
other_cpu_end:

	.data
	.globl	entry_eax, entry_ebx, gdt
entry_eax:	.long	0
entry_ebx:	.long	0
	.balign	8
gdt:	.quad	0
	.quad	0x00af9b000000ffff	/* 64-bit code */
	.quad	0x00cf93000000ffff	/* data */
	.quad	0, 0			/* the TSS, which main.c makes */
gdt_end:
gdt_pointer:
	.word	gdt_end - gdt - 1
	.quad	gdt

/* The first 4 GiB for everyone, in pages of 2 MiB. */
	.balign	4096
pd:
	.set	page, 0
	.rept	4 * 512
	.quad	0x1e7 | (page << 21)
	.set	page, page + 1
	.endr
pdpt:
	.set	page, 0
	.rept	4
	.quad	pd + 7 + page * 4096
	.set	page, page + 1
	.endr
	.balign	4096
pml4:	.quad	pdpt + 7
	.balign	4096

	.bss
	.balign	16
	.skip	8192
stack_end:

	.section .note.GNU-stack, "", @progbits
