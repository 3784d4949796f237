/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pae.S - PAE paging: 4 KiB and 2 MiB pages, execute-disable, PDPTEs that are
 * loaded with CR3 and checked then
 */
#include "guests/guest.h"

#define PDPT	TABLES
#define PDPT2	(TABLES + 0x20)
#define PD	(TABLES + 0x1000)
#define PD2	(TABLES + 0x2000)
#define PT	(TABLES + 0x3000)
#define VA	0x40000000

#define EFER	0xc0000080

	REAL_ENTRY
	ENTER_PROTECTED(protected)
	LOAD_IDT32

	movl	$PD + 1, PDPT
	movl	$PD2 + 1, PDPT + 8
	movl	$0x83, PD
	movl	$PT + 3, PD2
	movl	$SCRATCH + 3, PT
	/* execute-disabled */
	movl	$SCRATCH + 0x1000 + 3, PT + 8
	movl	$0x80000000, PT + 12
	mov	$EFER, %ecx
	rdmsr
	or	$0x800, %eax
	wrmsr
	mov	%cr4, %eax
	or	$0x20, %eax
	mov	%eax, %cr4
	mov	$PDPT, %eax
	mov	%eax, %cr3
	mov	%cr0, %eax
	or	$0x80010000, %eax
	mov	%eax, %cr0
	jmp	1f
1:
	movl	$0x11112222, SCRATCH
	cmpl	$0x11112222, VA
	CHECK(e)
	movl	$0x33334444, VA + 8
	cmpl	$0x33334444, SCRATCH + 8
	CHECK(e)
	testl	$0x40, PT
	CHECK(nz)

	/* not present; fetched from where code must not be */
	TRAPS32(14, 2, mov %eax, VA + 0x2000)
	movb	$0xc3, VA + 0x1000
	TRAPS32(14, 0x11, mov $VA + 0x1000, %eax; call *%eax)
	pop	%eax
	movb	$0xc3, VA
	mov	$VA, %eax
	call	*%eax

	/* PDPTEs count when CR3 is loaded, not when they are written */
	movl	$0, PDPT + 8
	invlpg	VA
	movl	$0x55556666, VA
	mov	$PDPT, %eax
	mov	%eax, %cr3
	TRAPS32(14, 0, mov VA, %eax)
	/* another table 32 bytes on */
	movl	$PD + 1, PDPT2
	movl	$PD2 + 1, PDPT2 + 16
	mov	$PDPT2, %eax
	mov	%eax, %cr3
	TRAPS32(14, 0, mov VA, %eax)
	cmpl	$0x55556666, VA * 2
	CHECK(e)
	/* reserved bits in a PDPTE: refused, nothing changed */
	movl	$PD2 + 3, PDPT + 8
	TRAPS32(13, 0, mov $PDPT, %eax; mov %eax, %cr3)
	mov	%cr3, %eax
	cmp	$PDPT2, %eax
	CHECK(e)
	cmpl	$0x55556666, VA * 2
	CHECK(e)
	PASS

	HANDLERS32
	TABLES_GDT
