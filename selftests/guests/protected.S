/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * protected.S - 32-bit protected mode without paging: exceptions with their
 * error codes, gates, CPL 3 and back
 */
#include "guests/guest.h"

	REAL_ENTRY
	ENTER_PROTECTED(protected)
	LOAD_IDT32

	mov	$1000, %ecx
	xor	%eax, %eax
1:	add	%ecx, %eax
	loop	1b
	cmp	$500500, %eax
	CHECK(e)

	TRAPS32(6, 0, ud2)
	TRAPS32(13, 0xf0, mov $0xf0, %eax; mov %eax, %gs)
	TRAPS32(11, ABSENT, mov $ABSENT, %eax; mov %eax, %gs)
	TRAPS32(13, 0x7f * 8 + 2, int $0x7f)
	TRAPS32(0, 0, xor %ecx, %ecx; div %ecx)
	/* INT3 goes on behind itself */
	movl	$-1, vector
	int3
	cmpl	$3, vector
	CHECK(e)

	/* a call gate */
	mov	$gate_proc, %eax
	mov	%ax, gdt + GATE
	movl	$CODE32, gdt + GATE + 2
	movw	$0x8c00, gdt + GATE + 4
	shr	$16, %eax
	mov	%ax, gdt + GATE + 6
	xor	%ebx, %ebx
	lcall	$GATE, $0
	cmp	$1, %ebx
	CHECK(e)

	/* CPL 3 and back */
	movl	$STACK0, tss + 4
	movl	$DATA, tss + 8
	movw	$0xffff, tss + 0x66
	mov	$TSS, %ax
	ltr	%ax
	SET_GATE32(0x80, system_call)
	push	$USER_DATA
	push	$STACK3
	push	$2
	push	$USER_CODE32
	push	$user
	iret

gate_proc:
	inc	%ebx
	lret

user:
	mov	$USER_DATA, %ax
	mov	%ax, %ds
	mov	%ax, %es
	mov	%cs, %ax
	cmp	$USER_CODE32, %ax
	CHECK(e)
	/* privileged instructions */
	TRAPS32(13, 0, cli)
	TRAPS32(13, 0, hlt)
	TRAPS32(13, 0, mov %cr0, %eax)
	TRAPS32(13, 0, in $0x10, %al)
	cmpl	$USER_CODE32, trap_cs
	CHECK(e)
	int	$0x80

system_call:
	mov	%cs, %ax
	cmp	$CODE32, %ax
	CHECK(e)
	cmpl	$USER_CODE32, 4(%esp)
	CHECK(e)
	cmpl	$STACK3, 12(%esp)
	CHECK(e)

	/* back to real mode and again */
	ljmp	$CODE16, $(prot16 - BASE)
	.code16
prot16:
	mov	$DATA16, %ax
	mov	%ax, %ds
	mov	%ax, %es
	mov	%ax, %ss
	mov	%cr0, %eax
	and	$0xfe, %al
	mov	%eax, %cr0
	ljmp	$0x1000, $(real - BASE)
real:
	mov	%cs, %ax
	mov	%ax, %ds
	mov	%ax, %ss
	mov	$0xfff0, %sp
	ENTER_PROTECTED(again)
	TRAPS32(6, 0, ud2)
	PASS

	HANDLERS32
	TABLES_GDT
