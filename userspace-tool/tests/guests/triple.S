/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * triple.S - a boot sector: an IDT without entries and an undefined opcode,
 * which is a triple fault.
 */
#include "guest.h"
	.code16
	.globl _start
_start:
	lidt	0x7c00 + nothing
	ud2
nothing:
	.word	0
	.long	0

	.org	510
	.word	0xaa55
