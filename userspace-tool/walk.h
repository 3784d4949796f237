/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * walk.h - from the guest's linear addresses to guest-physical ones.
 */
#ifndef MINI_VM_WALK_H
#define MINI_VM_WALK_H

#include <linux/mini_vm.h>

#include "guest_mem.h"
#include "types.h"

/* What is about to be done with the address. */
#define WALK_WRITE	BIT(0)
#define WALK_FETCH	BIT(1)

/* Page-fault error code (SDM 3A 4.7) */
#define PF_PRESENT	BIT(0)
#define PF_WRITE	BIT(1)
#define PF_USER		BIT(2)
#define PF_RESERVED	BIT(3)
#define PF_FETCH	BIT(4)

#define CR0_PE		BIT_ULL(0)
#define CR0_ET		BIT_ULL(4)
#define CR0_NE		BIT_ULL(5)
#define CR0_WP		BIT_ULL(16)
#define CR0_PG		BIT_ULL(31)
#define CR4_PSE		BIT_ULL(4)
#define CR4_PAE		BIT_ULL(5)
#define CR4_LA57	BIT_ULL(12)
#define CR4_SMEP	BIT_ULL(20)
#define CR4_SMAP	BIT_ULL(21)
#define EFER_LME	BIT_ULL(8)
#define EFER_LMA	BIT_ULL(10)
#define EFER_NXE	BIT_ULL(11)
#define RFLAGS_CF	BIT_ULL(0)
#define RFLAGS_FIXED	BIT_ULL(1)
#define RFLAGS_PF	BIT_ULL(2)
#define RFLAGS_AF	BIT_ULL(4)
#define RFLAGS_ZF	BIT_ULL(6)
#define RFLAGS_SF	BIT_ULL(7)
#define RFLAGS_DF	BIT_ULL(10)
#define RFLAGS_OF	BIT_ULL(11)
#define RFLAGS_VM	BIT_ULL(17)
#define RFLAGS_AC	BIT_ULL(18)

/* Segment access rights in the VMX format (SDM 3C 25.4.1) */
#define SEG_TYPE	0x0f
#define SEG_TYPE_CODE	BIT(3)
#define SEG_TYPE_DOWN	BIT(2)		/* data: expands down */
#define SEG_TYPE_RW	BIT(1)		/* data: writable, code: readable */
#define SEG_S		BIT(4)
#define SEG_DPL(access)	(((access) >> 5) & 3)
#define SEG_P		BIT(7)
#define SEG_L		BIT(13)
#define SEG_DB		BIT(14)

struct walk_mode;

/**
 * struct walk - the paging state of a vCPU
 * @mem:	where the tables are
 * @cr0:	control register
 * @cr3:	control register
 * @cr4:	control register
 * @efer:	EFER
 * @user:	the access is made at CPL 3
 * @ac:		RFLAGS.AC
 * @mode:	the shape of the tables
 * @reserved:	bits that are zero in each entry that is present
 * @address:	bits of an entry that are an address
 */
struct walk {
	const struct guest_mem *mem;
	u64 cr0;
	u64 cr3;
	u64 cr4;
	u64 efer;
	bool user;
	bool ac;
	const struct walk_mode *mode;
	u64 reserved;
	u64 address;
};

enum walk_result {
	WALK_OK,		/* the GPA is known */
	WALK_FAULT,		/* #PF with the error code given */
	WALK_NOT_CANONICAL,	/* #GP or #SS */
	WALK_NO_TABLE,		/* a table lies where there is no memory */
};

void walk_init(struct walk *walk, const struct guest_mem *mem,
	       const struct mvm_sregs *sregs, u64 rflags,
	       unsigned int phys_bits);
enum walk_result walk_linear(const struct walk *walk, u64 linear,
			     unsigned int access, u64 *gpa, u32 *error_code);

#endif /* MINI_VM_WALK_H */
