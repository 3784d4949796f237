/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * alu.h - the arithmetic of the instructions that the emulator performs.
 */
#ifndef MINI_VM_ALU_H
#define MINI_VM_ALU_H

#include "types.h"

typedef u64 (*alu_fn)(unsigned int bytes, u64 a, u64 b, u64 *rflags);

u64 alu_mask(unsigned int bytes);
u64 alu_sign_extend(u64 value, unsigned int bytes);

u64 alu_add(unsigned int bytes, u64 a, u64 b, u64 *rflags);
u64 alu_adc(unsigned int bytes, u64 a, u64 b, u64 *rflags);
u64 alu_sub(unsigned int bytes, u64 a, u64 b, u64 *rflags);
u64 alu_sbb(unsigned int bytes, u64 a, u64 b, u64 *rflags);
u64 alu_and(unsigned int bytes, u64 a, u64 b, u64 *rflags);
u64 alu_or(unsigned int bytes, u64 a, u64 b, u64 *rflags);
u64 alu_xor(unsigned int bytes, u64 a, u64 b, u64 *rflags);
u64 alu_inc(unsigned int bytes, u64 a, u64 b, u64 *rflags);
u64 alu_dec(unsigned int bytes, u64 a, u64 b, u64 *rflags);
u64 alu_neg(unsigned int bytes, u64 a, u64 b, u64 *rflags);
u64 alu_not(unsigned int bytes, u64 a, u64 b, u64 *rflags);

#endif /* MINI_VM_ALU_H */
