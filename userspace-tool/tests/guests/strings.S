/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * strings.S - a flat binary: REP OUTSB of a line, then REP INSB of four bytes
 * from the unclaimed port 0x300, which must be all ones.  Status 3 = (1 << 1)
 * | 1 when all is well.
 */
#include "guest.h"
	.code16
	.globl _start
_start:
	cld
	movw	$text, %si
	movw	$(end - text), %cx
	movw	$COM1, %dx
	rep outsb
	testw	%cx, %cx
	jnz	bad
	cmpw	$end, %si
	jne	bad

	movw	$buffer, %di
	movw	$4, %cx
	movw	$0x300, %dx
	rep insb
	cmpl	$0xffffffff, buffer
	jne	bad
	cmpw	$(buffer + 4), %di
	jne	bad
	exit	1
bad:
	exit	2
text:
	.ascii	"one line by one instruction\n"
end:
buffer:
	.long	0
