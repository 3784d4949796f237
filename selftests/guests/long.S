/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * long.S - 64-bit mode: exceptions, canonical addresses, SYSCALL and SYSRET,
 * SWAPGS, a stack of the IST
 */
#include "guests/long.h"

#define STAR		0xc0000081
#define LSTAR		0xc0000082
#define FMASK		0xc0000084
#define GS_BASE		0xc0000101
#define KERNEL_GS_BASE	0xc0000102

#define VA	0x7f0000000000
#define IST1	0x3c000

	REAL_ENTRY
	ENTER_PROTECTED(protected)
	ENTER_LONG(long)
	LOAD_IDT64
	mov	$STACK, %rsp

	mov	$0x123456789abcdef0, %rax
	bswap	%rax
	mov	$0xf0debc9a78563412, %rbx
	cmp	%rbx, %rax
	CHECK(e)
	/* 32-bit results clear the upper half */
	mov	$-1, %rax
	mov	$1, %eax
	cmp	$1, %rax
	CHECK(e)

	TRAPS64(6, 0, ud2)
	mov	$0x8000000000000000, %rbx
	TRAPS64(13, 0, mov (%rbx), %rax)
	TRAPS64(12, 0, mov %rbx, %rbp; mov (%rbp), %rax)

	/* a mapping at the top of the lower half */
	movl	$PDPT + 0x7, PML4 + 8 * 254
	mov	$VA, %rbx
	movq	$0x1111, SCRATCH
	cmpq	$0x1111, SCRATCH(%rbx)
	CHECK(e)
	TRAPS64(14, 0, mov 0x200000(%rbx), %rax)
	mov	%cr2, %rax
	lea	0x200000(%rbx), %rcx
	cmp	%rcx, %rax
	CHECK(e)

	/* an exception on a stack of its own */
	movq	$STACK0, tss + 4
	movq	$IST1, tss + 0x24
	movw	$0xffff, tss + 0x66
	mov	$TSS, %ax
	ltr	%ax
	SET_GATE64(3, on_int3)
	movb	$1, idt64 + 3 * 16 + 4
	mov	%rsp, %rbx
	int3
	cmp	%rsp, %rbx
	CHECK(e)

	/* user space and back by SYSCALL; SWAPGS exchanges the bases */
	mov	$STAR, %ecx
	xor	%eax, %eax
	mov	$(USER_CODE32 << 16 | CODE64), %edx
	wrmsr
	mov	$LSTAR, %ecx
	mov	$system_call, %eax
	xor	%edx, %edx
	wrmsr
	mov	$FMASK, %ecx
	mov	$0x400, %eax
	wrmsr
	mov	$GS_BASE, %ecx
	mov	$SCRATCH + 0x100, %eax
	wrmsr
	mov	$KERNEL_GS_BASE, %ecx
	mov	$SCRATCH + 0x200, %eax
	wrmsr
	movq	$0xaaaa, SCRATCH + 0x100
	movq	$0xbbbb, SCRATCH + 0x200
	cmpq	$0xaaaa, %gs:0
	CHECK(e)
	xor	%esi, %esi
	mov	$user, %ecx
	mov	$0x2, %r11d
	mov	$STACK3, %rsp
	sysretq

user:
	mov	%cs, %eax
	cmp	$USER_CODE64, %eax
	CHECK(e)
	mov	%ss, %eax
	cmp	$USER_DATA, %eax
	CHECK(e)
	std
	syscall
after:
	cmp	$1, %esi
	CHECK(e)
	/* DF is back with RFLAGS */
	pushf
	testq	$0x400, (%rsp)
	CHECK(nz)
	TRAPS64(13, 0, hlt)
	inc	%esi
	syscall

system_call:
	cmp	$0, %esi
	jne	end
	inc	%esi
	mov	%cs, %eax
	cmp	$CODE64, %eax
	CHECK(e)
	pushf
	testq	$0x400, (%rsp)
	CHECK(z)
	popf
	lea	after(%rip), %rax
	cmp	%rax, %rcx
	CHECK(e)
	swapgs
	cmpq	$0xbbbb, %gs:0
	CHECK(e)
	swapgs
	cmpq	$0xaaaa, %gs:0
	CHECK(e)
	sysretq

end:
	cmp	$2, %esi
	CHECK(e)
	PASS

on_int3:
	cmp	$IST1 - 40, %rsp
	CHECK(e)
	iretq

	HANDLERS64
	TABLES_GDT
