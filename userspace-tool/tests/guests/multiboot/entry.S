/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * entry.S - the Multiboot header of the test guest, and its first instructions:
 * they keep the CPU's state for main.c before anything changes it.
 *
 * With ADDRESSES the header says where the image goes, for a file that is not
 * ELF.
 */
#define MAGIC		0x1badb002
#define FLAG_ALIGN	(1 << 0)
#define FLAG_MEMORY	(1 << 1)
#define FLAG_ADDRESSES	(1 << 16)

#ifdef ADDRESSES
#define FLAGS		(FLAG_ALIGN | FLAG_MEMORY | FLAG_ADDRESSES)
#else
#define FLAGS		(FLAG_ALIGN | FLAG_MEMORY)
#endif

	.section .header, "ax"
	.balign	4
header:
	.long	MAGIC, FLAGS, -(MAGIC + FLAGS)
	.long	header, image_start, image_stored, image_end, _start

	.text
	.globl	_start
_start:
	movl	%eax, entry_eax
	movl	%ebx, entry_ebx
	movl	$stack_end, %esp
	pushfl
	popl	entry_eflags
	movl	%cr0, %eax
	movl	%eax, entry_cr0
	/* the segments' hidden limits: a fault here is a triple fault */
	movl	$0xfffff000, %ebx
	movb	%ds:(%ebx), %al
	movb	%es:(%ebx), %al
	movb	%fs:(%ebx), %al
	movb	%gs:(%ebx), %al
	movb	%ss:(%ebx), %al
	movb	%cs:(%ebx), %al
	/* and their bases */
	movl	$entry_eax, %ebx
	movl	%es:(%ebx), %eax
	movl	%eax, seen_es
	movl	%fs:(%ebx), %eax
	movl	%eax, seen_fs
	movl	%gs:(%ebx), %eax
	movl	%eax, seen_gs
	movl	%cs:(%ebx), %eax
	movl	%eax, seen_cs
	cld
	call	main
1:	hlt
	jmp	1b

	.data
	.globl	entry_eax, entry_ebx, entry_eflags, entry_cr0
	.globl	seen_es, seen_fs, seen_gs, seen_cs
entry_eax:	.long	0
entry_ebx:	.long	0
entry_eflags:	.long	0
entry_cr0:	.long	0
seen_es:	.long	0
seen_fs:	.long	0
seen_gs:	.long	0
seen_cs:	.long	0

	.bss
	.balign	16
	.skip	4096
stack_end:

	.section .note.GNU-stack, "", @progbits
