/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * qemu.S - a flat binary that finds its way as kernels written for QEMU do:
 * reads the number of CPUs and the file opt/note from fw_cfg and writes its
 * first 16 bytes to the debug console, then powers off through port 0x604.
 * Status 0, else the number of what failed.
 */
#include "guest.h"

#define FW_CFG		0x510
#define KEY_SIGNATURE	0x00
#define KEY_CPUS	0x05
#define KEY_DIRECTORY	0x19
#define DEBUGCON	0xe9

.macro select key
	movw	$FW_CFG, %dx
	movw	\key, %ax
	outw	%ax, %dx
	incw	%dx
.endm

	.code16
	.globl _start
_start:
	movw	%cs, %ax
	movw	%ax, %ds
	movw	%ax, %es
	cld
	movb	$2, %bl
	inb	$DEBUGCON, %al
	cmpb	$DEBUGCON, %al
	jne	bad
	movb	$3, %bl
	select	$KEY_SIGNATURE
	movw	$entry, %di
	movw	$4, %cx
	rep insb
	cmpl	$0x554d4551, entry	/* "QEMU" */
	jne	bad
	movb	$4, %bl
	select	$KEY_CPUS
	inb	%dx, %al
	cmpb	$1, %al
	jne	bad
	movb	$5, %bl
	select	$KEY_DIRECTORY
	movw	$entry, %di
	movw	$4, %cx
	rep insb
	movb	entry + 3, %bh		/* how many; big endian */
next:
	testb	%bh, %bh
	jz	bad
	decb	%bh
	movw	$entry, %di
	movw	$64, %cx
	rep insb
	movw	$(entry + 8), %si
	movw	$name, %di
	movw	$9, %cx
	repe cmpsb
	jne	next
	movw	entry + 4, %ax
	xchgb	%al, %ah
	select	%ax
	movw	$16, %cx
1:	inb	%dx, %al
	testb	%al, %al		/* its end */
	jz	2f
	outb	%al, $DEBUGCON
	loop	1b
2:	movb	$'\n', %al
	outb	%al, $DEBUGCON
	movw	$0x604, %dx
	movw	$0x2000, %ax
	outw	%ax, %dx
	movb	$6, %bl			/* still here */
bad:
	movb	%bl, %al
	outb	%al, $DEBUG_EXIT
3:	hlt
	jmp	3b

name:	.asciz	"opt/note"
	.balign	4
entry:	.space	64
