/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * spin.S - a flat binary: prints an S and then does nothing for ever, without an
 * exit of its own.
 */
#include "guest.h"
	.code16
	.globl _start
_start:
	cli
	movb	$'S', %al
	put_al
spin:
	jmp	spin
