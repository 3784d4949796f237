/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The lab VM's boot loader, first half: from the BIOS to 32-bit C and from
 * there to the kernel's 64-bit entry.
 *
 * The BIOS loads the first sector to 0x7c00 and jumps to it in real mode.
 * The sector reads the rest of the loader behind itself, asks the BIOS for
 * the memory map, enters protected mode and calls load_kernel() (load.c).
 * enter_kernel() never comes back: it switches to long mode and jumps to the
 * kernel's startup_64, as the 64-bit boot protocol of Linux
 * (Documentation/x86/boot.rst) wants it: identity-mapped memory, flat
 * segments 0x10 and 0x18, interrupts off, RSI = boot parameters.
 */
#include "layout.h"

	.code16
	.section .boot, "ax"
	.globl	_start
_start:
	cli
	cld
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movw	$0x7c00, %sp
	sti

	/* Read the rest of the loader; DL is the drive the BIOS booted from. */
	movw	$disk_packet, %si
	movb	$0x42, %ah
	int	$0x13
	jc	read_failed

	/* Ask for the memory map, 20 bytes an entry, until EBX is 0 again. */
	xorl	%ebx, %ebx
	movw	$E820_TABLE, %di
	xorl	%ebp, %ebp
next_range:
	movl	$0xe820, %eax
	movl	$0x534d4150, %edx
	movl	$20, %ecx
	int	$0x15
	jc	map_done
	incl	%ebp
	addw	$20, %di
	cmpl	$E820_MAX, %ebp
	jae	map_done
	testl	%ebx, %ebx
	jnz	next_range
map_done:
	movl	%ebp, E820_COUNT

	/* Open the A20 gate and enter protected mode. */
	cli
	inb	$0x92, %al
	orb	$2, %al
	andb	$0xfe, %al
	outb	%al, $0x92
	lgdt	gdt_pointer
	movl	%cr0, %eax
	orl	$1, %eax
	movl	%eax, %cr0
	ljmp	$0x08, $protected_mode

read_failed:
	hlt
	jmp	read_failed

	.balign	4
disk_packet:
	.byte	16, 0
	.word	LOADER_SECTORS - 1
	.word	0x7e00, 0
	.quad	1

	.balign	8
gdt:
	.quad	0
	.quad	0x00cf9a000000ffff	/* 0x08: 32-bit code */
	.quad	0x00af9a000000ffff	/* 0x10: 64-bit code, Linux' __BOOT_CS */
	.quad	0x00cf92000000ffff	/* 0x18: data, Linux' __BOOT_DS */
gdt_pointer:
	.word	gdt_pointer - gdt - 1
	.long	gdt

	.org	510
	.word	0xaa55

	.code32
	.text
protected_mode:
	movw	$0x18, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movw	%ax, %fs
	movw	%ax, %gs
	movl	$0x7c00, %esp
	call	load_kernel
stop:
	hlt
	jmp	stop

/* void enter_kernel(uint32_t entry, uint32_t boot_params, uint32_t cr3) */
	.globl	enter_kernel
enter_kernel:
	movl	4(%esp), %edi
	movl	8(%esp), %esi
	movl	12(%esp), %eax
	movl	%eax, %cr3
	movl	%cr4, %eax
	orl	$0x20, %eax		/* PAE */
	movl	%eax, %cr4
	movl	$0xc0000080, %ecx	/* EFER */
	rdmsr
	orl	$0x100, %eax		/* LME */
	wrmsr
	movl	%cr0, %eax
	orl	$0x80000000, %eax	/* PG */
	movl	%eax, %cr0
	ljmp	$0x10, $long_mode

	.code64
long_mode:
	movl	%edi, %eax
	movl	%esi, %esi
	xorl	%ebp, %ebp
	xorl	%edi, %edi
	xorl	%ebx, %ebx
	jmp	*%rax

	.section .note.GNU-stack, "", @progbits
