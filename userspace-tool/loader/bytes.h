/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bytes.h - little-endian numbers in headers and tables, at any alignment.
 */
#ifndef MINI_VM_LOADER_BYTES_H
#define MINI_VM_LOADER_BYTES_H

#include "../types.h"

static inline u16 get16(const u8 *from)
{
	return (u16)(from[0] | from[1] << 8);
}

static inline u32 get32(const u8 *from)
{
	return get16(from) | (u32)get16(from + 2) << 16;
}

static inline u64 get64(const u8 *from)
{
	return get32(from) | (u64)get32(from + 4) << 32;
}

static inline void put16(u8 *to, u16 value)
{
	to[0] = (u8)value;
	to[1] = (u8)(value >> 8);
}

static inline void put32(u8 *to, u32 value)
{
	put16(to, (u16)value);
	put16(to + 2, (u16)(value >> 16));
}

static inline void put64(u8 *to, u64 value)
{
	put32(to, (u32)value);
	put32(to + 4, (u32)(value >> 32));
}

#endif /* MINI_VM_LOADER_BYTES_H */
