/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pae.S - PAE paging: 4 KiB and 2 MiB pages, execute-disable, PDPTEs that are
 * loaded with CR3, CR0 and CR4 and checked then (SDM 3A 4.4.1)
 *
 * A MOV to CR0 that changes CD, or one to CR4 that changes MCE, is the module's
 * to execute; the others are the CPU's.
 */
#include "guests/guest.h"

#define PDPT	TABLES
#define PDPT2	(TABLES + 0x20)
#define PD	(TABLES + 0x1000)
#define PD2	(TABLES + 0x2000)
#define PT	(TABLES + 0x3000)
#define VA	0x40000000

#define EFER	0xc0000080

#define CR0_CACHE	0x60000000	/* CD and NW: set at power-up */
#define CR0_CD		0x40000000
#define CR0_PG_WP	0x80010000
#define CR4_MCE		0x40
#define CR4_PGE		0x80

/* The write must be refused, and the register stay as it is. */
#define REFUSED(reg, value)					\
	mov	%reg, %ebx;					\
	TRAPS32(13, 0, mov value, %reg);			\
	mov	%reg, %ecx;					\
	cmp	%ebx, %ecx;					\
	CHECK(e)

/* A PDPTE that is not present may hold anything else. */
#define ABSENT_PDPTE(at)					\
	movl	$0xfffffffe, at;				\
	movl	$0xffffffff, at + 4

	REAL_ENTRY
	ENTER_PROTECTED(protected)
	LOAD_IDT32

	movl	$PD + 1, PDPT
	ABSENT_PDPTE(PDPT + 16)
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
	/* reserved bits in a PDPTE: no paging */
	movl	$PD2 + 3, PDPT + 8
	mov	%cr0, %eax
	or	$CR0_PG_WP, %eax
	REFUSED(cr0, %eax)
	and	$~CR0_CACHE, %eax
	REFUSED(cr0, %eax)
	movl	$PD2 + 1, PDPT + 8
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
	/* reserved bits in a PDPTE, low and high: refused, nothing changed */
	movl	$PD2 + 3, PDPT + 8
	mov	$PDPT, %eax
	REFUSED(cr3, %eax)
	movl	$PD2 + 1, PDPT + 8
	movl	$0x80000000, PDPT + 12
	REFUSED(cr3, %eax)
	cmpl	$0x55556666, VA * 2
	CHECK(e)

	/* likewise for the other writes that load them */
	movl	$PD2 + 1, PDPT2 + 8
	movl	$PD2 + 3, PDPT2 + 24
	mov	%cr0, %eax
	xor	$CR0_CD, %eax
	REFUSED(cr0, %eax)
	mov	%cr4, %eax
	xor	$CR4_PGE, %eax
	REFUSED(cr4, %eax)
	xor	$CR4_MCE, %eax
	REFUSED(cr4, %eax)
	cmpl	$0x55556666, VA * 2
	CHECK(e)
	TRAPS32(14, 0, mov VA, %eax)
	TRAPS32(14, 0, mov VA * 3, %eax)
	/* and taken when there are none: what is in memory counts then */
	ABSENT_PDPTE(PDPT2 + 24)
	mov	%cr0, %eax
	xor	$CR0_CD, %eax
	mov	%eax, %cr0
	cmpl	$0x55556666, VA
	CHECK(e)
	movl	$0, PDPT2 + 8
	mov	%cr4, %eax
	xor	$(CR4_MCE | CR4_PGE), %eax
	mov	%eax, %cr4
	TRAPS32(14, 0, mov VA, %eax)
	movl	$PD2 + 1, PDPT2 + 8
	xor	$CR4_PGE, %eax
	mov	%eax, %cr4
	cmpl	$0x55556666, VA
	CHECK(e)
	PASS

	HANDLERS32
	TABLES_GDT
