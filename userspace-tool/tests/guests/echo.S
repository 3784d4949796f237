/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * echo.S - a flat binary: sends back what it reads from COM1, in upper case,
 * until a '.', then ends with status 1.
 */
#include "guest.h"
	.code16
	.globl _start
_start:
	movw	$COM1_LSR, %dx
	inb	%dx, %al
	testb	$LSR_READY, %al
	jz	_start
	movw	$COM1, %dx
	inb	%dx, %al
	cmpb	$'.', %al
	je	done
	cmpb	$'a', %al
	jb	send
	cmpb	$'z', %al
	ja	send
	subb	$0x20, %al
send:
	put_al
	jmp	_start
done:
	exit	0
