// SPDX-License-Identifier: GPL-2.0-only
/*
 * alu.c - results and flags, as SDM 1 3.4.3.1 and SDM 2 define them.
 *
 * mmio_execute.c calls these through its table; mmio_string.c for CMPS and
 * SCAS.  Operands are zero extended; @b is ignored by the operations with one
 * operand.
 */
#include "alu.h"
#include "walk.h"

#define RFLAGS_STATUS	(RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | \
			 RFLAGS_SF | RFLAGS_OF)

/**
 * alu_mask() - all ones of a width
 * @bytes: 1, 2, 4 or 8
 *
 * Return: the mask.
 */
u64 alu_mask(unsigned int bytes)
{
	return bytes >= 8 ? ~0ULL : BIT_ULL(8 * bytes) - 1;
}

/**
 * alu_sign_extend() - widen a signed value to 64 bits
 * @value: the value
 * @bytes: its width: 1, 2, 4 or 8
 *
 * Return: the value, sign extended.
 */
u64 alu_sign_extend(u64 value, unsigned int bytes)
{
	unsigned int shift = 64 - 8 * bytes;

	return (u64)((s64)(value << shift) >> shift);
}

static u64 sign_bit(unsigned int bytes)
{
	return BIT_ULL(8 * bytes - 1);
}

/* PF, ZF and SF follow from the result alone. */
static u64 result_flags(unsigned int bytes, u64 result)
{
	u64 flags = 0;

	if (!__builtin_parity((unsigned int)(result & 0xff)))
		flags |= RFLAGS_PF;
	if (!result)
		flags |= RFLAGS_ZF;
	if (result & sign_bit(bytes))
		flags |= RFLAGS_SF;
	return flags;
}

static u64 add(unsigned int bytes, u64 a, u64 b, unsigned int carry,
	       u64 *rflags)
{
	u64 result = (a + b + carry) & alu_mask(bytes);
	u64 flags = result_flags(bytes, result);

	if (result < a || (carry && result == a))
		flags |= RFLAGS_CF;
	if ((a ^ b ^ result) & 0x10)
		flags |= RFLAGS_AF;
	if (~(a ^ b) & (a ^ result) & sign_bit(bytes))
		flags |= RFLAGS_OF;
	*rflags = (*rflags & ~RFLAGS_STATUS) | flags;
	return result;
}

static u64 sub(unsigned int bytes, u64 a, u64 b, unsigned int borrow,
	       u64 *rflags)
{
	u64 result = (a - b - borrow) & alu_mask(bytes);
	u64 flags = result_flags(bytes, result);

	if (a < b || (borrow && a == b))
		flags |= RFLAGS_CF;
	if ((a ^ b ^ result) & 0x10)
		flags |= RFLAGS_AF;
	if ((a ^ b) & (a ^ result) & sign_bit(bytes))
		flags |= RFLAGS_OF;
	*rflags = (*rflags & ~RFLAGS_STATUS) | flags;
	return result;
}

static u64 logic(unsigned int bytes, u64 result, u64 *rflags)
{
	*rflags = (*rflags & ~RFLAGS_STATUS) | result_flags(bytes, result);
	return result;
}

/**
 * alu_add() - ADD
 * @bytes: width
 * @a: first operand
 * @b: second operand
 * @rflags: flags, updated
 *
 * Return: the result.
 */
u64 alu_add(unsigned int bytes, u64 a, u64 b, u64 *rflags)
{
	return add(bytes, a, b, 0, rflags);
}

/**
 * alu_adc() - ADC: ADD with the carry flag
 * @bytes: width
 * @a: first operand
 * @b: second operand
 * @rflags: flags, updated
 *
 * Return: the result.
 */
u64 alu_adc(unsigned int bytes, u64 a, u64 b, u64 *rflags)
{
	return add(bytes, a, b, *rflags & RFLAGS_CF, rflags);
}

/**
 * alu_sub() - SUB and CMP
 * @bytes: width
 * @a: first operand
 * @b: second operand
 * @rflags: flags, updated
 *
 * Return: the result.
 */
u64 alu_sub(unsigned int bytes, u64 a, u64 b, u64 *rflags)
{
	return sub(bytes, a, b, 0, rflags);
}

/**
 * alu_sbb() - SBB: SUB with the carry flag as borrow
 * @bytes: width
 * @a: first operand
 * @b: second operand
 * @rflags: flags, updated
 *
 * Return: the result.
 */
u64 alu_sbb(unsigned int bytes, u64 a, u64 b, u64 *rflags)
{
	return sub(bytes, a, b, *rflags & RFLAGS_CF, rflags);
}

/**
 * alu_and() - AND and TEST
 * @bytes: width
 * @a: first operand
 * @b: second operand
 * @rflags: flags, updated
 *
 * Return: the result.
 */
u64 alu_and(unsigned int bytes, u64 a, u64 b, u64 *rflags)
{
	return logic(bytes, a & b, rflags);
}

/**
 * alu_or() - OR
 * @bytes: width
 * @a: first operand
 * @b: second operand
 * @rflags: flags, updated
 *
 * Return: the result.
 */
u64 alu_or(unsigned int bytes, u64 a, u64 b, u64 *rflags)
{
	return logic(bytes, a | b, rflags);
}

/**
 * alu_xor() - XOR
 * @bytes: width
 * @a: first operand
 * @b: second operand
 * @rflags: flags, updated
 *
 * Return: the result.
 */
u64 alu_xor(unsigned int bytes, u64 a, u64 b, u64 *rflags)
{
	return logic(bytes, a ^ b, rflags);
}

/**
 * alu_inc() - INC: leaves the carry flag alone
 * @bytes: width
 * @a: operand
 * @b: ignored
 * @rflags: flags, updated
 *
 * Return: the result.
 */
u64 alu_inc(unsigned int bytes, u64 a, u64 b, u64 *rflags)
{
	u64 carry = *rflags & RFLAGS_CF;
	u64 result = add(bytes, a, 1, 0, rflags);

	(void)b;
	*rflags = (*rflags & ~RFLAGS_CF) | carry;
	return result;
}

/**
 * alu_dec() - DEC: leaves the carry flag alone
 * @bytes: width
 * @a: operand
 * @b: ignored
 * @rflags: flags, updated
 *
 * Return: the result.
 */
u64 alu_dec(unsigned int bytes, u64 a, u64 b, u64 *rflags)
{
	u64 carry = *rflags & RFLAGS_CF;
	u64 result = sub(bytes, a, 1, 0, rflags);

	(void)b;
	*rflags = (*rflags & ~RFLAGS_CF) | carry;
	return result;
}

/**
 * alu_neg() - NEG
 * @bytes: width
 * @a: operand
 * @b: ignored
 * @rflags: flags, updated
 *
 * Return: the result.
 */
u64 alu_neg(unsigned int bytes, u64 a, u64 b, u64 *rflags)
{
	(void)b;
	return sub(bytes, 0, a, 0, rflags);
}

/**
 * alu_not() - NOT: no flags
 * @bytes: width
 * @a: operand
 * @b: ignored
 * @rflags: unchanged
 *
 * Return: the result.
 */
u64 alu_not(unsigned int bytes, u64 a, u64 b, u64 *rflags)
{
	(void)b;
	(void)rflags;
	return ~a & alu_mask(bytes);
}
