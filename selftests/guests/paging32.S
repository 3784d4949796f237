/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * paging32.S - 32-bit paging: pages of 4 KiB and 4 MiB, accessed and dirty
 * bits, page faults, paging off and on
 */
#include "guests/guest.h"

#define PD	TABLES
#define PT	(TABLES + 0x1000)
#define VA	0x800000

	REAL_ENTRY
	ENTER_PROTECTED(protected)
	LOAD_IDT32

	/* 4 MiB one to one; at 8 MiB pages of 4 KiB */
	movl	$0x83, PD
	movl	$PT + 3, PD + 4 * (VA >> 22)
	movl	$SCRATCH + 3, PT
	movl	$0, PT + 4
	movl	$SCRATCH + 0x1000 + 1, PT + 8
	movl	$SCRATCH + 0x2000 + 3, PT + 12
	mov	%cr4, %eax
	or	$0x10, %eax
	mov	%eax, %cr4
	mov	$PD, %eax
	mov	%eax, %cr3
	mov	%cr0, %eax
	or	$0x80010000, %eax
	mov	%eax, %cr0
	jmp	1f
1:
	/* the mapped page is the scratch page; accessed, then dirty */
	movl	$0x11112222, SCRATCH
	cmpl	$0x11112222, VA
	CHECK(e)
	testl	$0x20, PT
	CHECK(nz)
	testl	$0x40, PT
	CHECK(z)
	movl	$0x33334444, VA
	cmpl	$0x33334444, SCRATCH
	CHECK(e)
	testl	$0x40, PT
	CHECK(nz)

	/* not present: read, write; read-only: write */
	TRAPS32(14, 0, mov VA + 0x1234, %eax)
	mov	%cr2, %eax
	cmp	$VA + 0x1234, %eax
	CHECK(e)
	TRAPS32(14, 2, mov %eax, VA + 0x1000)
	TRAPS32(14, 3, mov %eax, VA + 0x2000)
	mov	VA + 0x2000, %eax
	/* no directory entry */
	TRAPS32(14, 0, mov 0xc0000000, %eax)
	mov	%cr2, %eax
	cmp	$0xc0000000, %eax
	CHECK(e)

	/* a write across two pages of which the second is absent: all or none */
	movl	$0, VA + 0xffc
	TRAPS32(14, 2, movl $-1, VA + 0xffe)
	cmpl	$0, VA + 0xffc
	CHECK(e)
	mov	%cr2, %eax
	cmp	$VA + 0x1000, %eax
	CHECK(e)

	/* present after all */
	movl	$SCRATCH + 0x3000 + 3, PT + 4
	invlpg	VA + 0x1000
	movl	$-1, VA + 0xffe
	cmpl	$0x0000ffff, SCRATCH + 0x3000
	CHECK(e)

	/* without paging the address is another one */
	movl	$0x55556666, VA + 0x3000
	mov	%cr0, %eax
	and	$0x7fffffff, %eax
	mov	%eax, %cr0
	jmp	1f
1:	cmpl	$0x55556666, SCRATCH + 0x2000
	CHECK(e)
	movl	$0x77778888, SCRATCH + 0x2000
	or	$0x80000000, %eax
	mov	%eax, %cr0
	jmp	1f
1:	cmpl	$0x77778888, VA + 0x3000
	CHECK(e)
	PASS

	HANDLERS32
	TABLES_GDT
