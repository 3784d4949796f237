/* SPDX-License-Identifier: GPL-2.0-only */
/* real.S - real mode: arithmetic, segments, interrupts, exceptions, stepping */
#include "guests/guest.h"

	REAL_ENTRY
	xor	%ax, %ax
	mov	%ax, %fs

	/* 1 + ... + 100 */
	mov	$100, %cx
1:	add	%cx, %ax
	loop	1b
	cmp	$5050, %ax
	CHECK(e)

	/* 32-bit operands and addresses */
	mov	$0x12345678, %eax
	rol	$8, %eax
	cmp	$0x34567812, %eax
	CHECK(e)
	mov	$(word - BASE), %ebx
	mov	(%ebx), %ax
	cmp	$0xbeef, %ax
	CHECK(e)

	/* two segments, one place */
	mov	$0x2000, %ax
	mov	%ax, %es
	mov	$0x1fff, %ax
	mov	%ax, %gs
	movw	$0x5aa5, %es:0
	cmpw	$0x5aa5, %gs:0x10
	CHECK(e)

	/* a block copy */
	mov	$(text - BASE), %si
	mov	$0x100, %di
	mov	$8, %cx
	rep movsb
	cmpl	$0x64636261, %es:0x100
	CHECK(e)
	cmp	$0x108, %di
	CHECK(e)

	/* INT n, IRET */
	movw	$(on_int - BASE), %fs:0x40 * 4
	mov	%cs, %fs:0x40 * 4 + 2
	mov	$7, %bx
	int	$0x40
	cmp	$8, %bx
	CHECK(e)

	/* far call */
	lcall	$0x1000, $(far_proc - BASE)
	cmp	$9, %bx
	CHECK(e)

	/* #DE is a fault: the handler steps over the instruction of 2 bytes */
	movw	$(on_de - BASE), %fs:0
	mov	%cs, %fs:2
	xor	%cx, %cx
	mov	$1, %ax
	div	%cl
	cmp	$10, %bx
	CHECK(e)

	/* #UD likewise */
	movw	$(on_de - BASE), %fs:6 * 4
	mov	%cs, %fs:6 * 4 + 2
	ud2
	cmp	$11, %bx
	CHECK(e)

	/* single steps */
	movw	$(on_step - BASE), %fs:4
	mov	%cs, %fs:6
	xor	%bx, %bx
	pushf
	pop	%ax
	or	$0x100, %ax
	push	%ax
	popf
	nop
	nop
	nop
	and	$0xfe, %ah
	push	%ax
	popf
	cmp	$6, %bx
	CHECK(e)
	PASS

on_int:
	inc	%bx
	iret

far_proc:
	inc	%bx
	lret

on_de:
	inc	%bx
	push	%bp
	mov	%sp, %bp
	addw	$2, 2(%bp)
	pop	%bp
	iret

on_step:
	inc	%bx
	iret

word:	.word	0xbeef
text:	.ascii	"abcdefgh"
