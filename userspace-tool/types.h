/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * types.h - short names of fixed-width integers and the few macros that every
 * file of the command line uses.
 */
#ifndef MINI_VM_TYPES_H
#define MINI_VM_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/types.h>

/* the kernel's, so that pointers into the ABI's structs need no casts */
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s64 s64;

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))
#define BIT(n)			(1U << (n))
#define BIT_ULL(n)		(1ULL << (n))

#define KIB			1024ULL
#define MIB			(1024 * KIB)
#define GIB			(1024 * MIB)

#define NSEC_PER_SEC		1000000000ULL
#define NSEC_PER_MSEC		1000000ULL
#define NSEC_PER_USEC		1000ULL

#endif /* MINI_VM_TYPES_H */
