/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cr.h - the guest's control registers.
 *
 * Unrestricted guests switch PE, PG, PAE and long mode in hardware.  The host
 * owns only what the guest must not have physically:
 *
 *   CR0  CD, NW (neither entry nor exit switches the cache mode: SDM 3C
 *        27.3.2.1, 28.5.1) and the bits that VMX fixes (NE)
 *   CR4  MCE (always 1: #MC must reach the host), VMXE (always 1, reads as 0),
 *        OSXSAVE (CPUID shows it) and every bit that CPUID does not offer
 *
 * Most writes need no exit.  A MOV to CR0 or CR4 that changes a host-owned bit
 * exits, and then all of it is done here.  LMSW and CLTS never exit: the host
 * owns none of the bits that they write (SDM 3C 26.1.3).
 *
 * The rules here, which values the registers may have and which writes fault,
 * are pure: KUnit tests them.  cr.c asks for the guest's writes, state.c for
 * user space's.
 */
#ifndef MVM_CR_H
#define MVM_CR_H

#include <linux/bits.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include "cpuid.h"

struct mvm_vcpu;

/**
 * struct mvm_cr_state - what the next entry needs besides the VMCS fields
 * @need_pdptes: the thread, outside the window and before it opens the next
 *		 one, calls mvm_cr_load_pdptes().  Set by a CR write that
 *		 returned -EAGAIN and by SET_SREGS
 * @flush:	mvm_cr_commit() has work to do: it drops translations, and
 *		writes @pdpte to the VMCS when @write_pdptes
 * @write_pdptes: SET_SREGS wants @pdpte in the VMCS
 * @valid:	@pdpte was read for the instruction at @rip, to be executed again
 * @cr3:	where they were read
 * @rip:	the instruction that they were read for
 * @pdpte:	PAE page-directory pointers, as read from guest memory
 *
 * Owned by the vCPU's runner.  The member is vcpu->cr.
 */
struct mvm_cr_state {
	bool need_pdptes, flush, write_pdptes, valid;
	u64 cr3, rip, pdpte[4];
};

/* Writes of the others have no effect in the lower half, #GP in the upper one. */
#define CR0_DEFINED							\
	((u64)(X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | X86_CR0_ET | X86_CR0_NE | \
	       X86_CR0_WP | X86_CR0_AM | X86_CR0_NW | X86_CR0_CD | X86_CR0_PG))

/* A page-directory pointer: bits that must be 0 (SDM 3A table 4-8) */
#define PDPTE_PRESENT	BIT_ULL(0)
#define PDPTE_RESERVED	(GENMASK_ULL(2, 1) | GENMASK_ULL(8, 5))

/* Does @cr0 with the others mean PAE paging (SDM 3A 4.1.1)? */
static inline bool pae_paging(u64 cr0, u64 cr4, u64 efer)
{
	return cr0 & X86_CR0_PG && cr4 & X86_CR4_PAE && !(efer & EFER_LME);
}

/* PG without PE and NW without CD are illegal (SDM 2B MOV). */
static inline bool cr0_consistent(u64 cr0)
{
	return (cr0 & X86_CR0_PE || !(cr0 & X86_CR0_PG)) &&
	       (cr0 & X86_CR0_CD || !(cr0 & X86_CR0_NW));
}

/**
 * mvm_cr0_check() - is a MOV to CR0 legal (SDM 2B MOV, SDM 3A 4.1.2)
 * @old: CR0 before
 * @new: what the guest writes
 * @cr4: CR4
 * @efer: EFER
 * @cs_l: CS.L is set
 * @tss16: TR holds a 16-bit TSS
 */
static inline bool mvm_cr0_check(u64 old, u64 new, u64 cr4, u64 efer, bool cs_l, bool tss16)
{
	if (new >> 32 || !cr0_consistent(new))
		return false;
	if (!((old ^ new) & X86_CR0_PG))
		return true;
	if (!(new & X86_CR0_PG))	/* not with PCIDs nor in 64-bit mode */
		return !(cr4 & X86_CR4_PCIDE) && !(efer & EFER_LMA && cs_l);
	if (!(efer & EFER_LME))
		return true;
	/* Long mode begins. */
	return cr4 & X86_CR4_PAE && !cs_l && !tss16;
}

/**
 * mvm_cr4_check() - is a MOV to CR4 legal (SDM 2B MOV, SDM 3A 4.1.2)
 * @old: CR4 before
 * @new: what the guest writes
 * @allowed: bits that exist: mvm_cpuid_cr4_allowed()
 * @cr3: CR3
 * @efer: EFER
 */
static inline bool mvm_cr4_check(u64 old, u64 new, u64 allowed, u64 cr3, u64 efer)
{
	if (new & ~allowed)
		return false;
	if (new & ~old & X86_CR4_PCIDE && (!(efer & EFER_LMA) || cr3 & 0xfff))
		return false;
	return new & X86_CR4_PAE || !(efer & EFER_LMA);
}

/**
 * mvm_cr_valid() - may control registers have these values together (SDM 3C
 *		    27.3.1.1)
 * @cr0: CR0
 * @cr3: CR3
 * @cr4: CR4
 * @efer: EFER
 * @table: the vCPU's CPUID
 */
static inline bool mvm_cr_valid(u64 cr0, u64 cr3, u64 cr4, u64 efer,
				const struct mvm_cpuid_table *table)
{
	bool long_mode = efer & EFER_LME && cr0 & X86_CR0_PG;

	return !(cr0 & ~CR0_DEFINED) && cr0_consistent(cr0) &&
	       !(cr3 >> mvm_cpuid_phys_bits(table)) && !(cr4 & ~mvm_cpuid_cr4_allowed(table)) &&
	       !(efer & ~mvm_cpuid_efer_allowed(table)) && !(efer & EFER_LMA) == !long_mode &&
	       (long_mode ? cr4 & X86_CR4_PAE : !(cr4 & X86_CR4_PCIDE));
}

/**
 * mvm_pdpte_valid() - are the reserved bits of a page-directory pointer 0
 * @pdpte: PAE page-directory-pointer-table entry
 * @phys_bits: width of a guest-physical address
 */
static inline bool mvm_pdpte_valid(u64 pdpte, unsigned int phys_bits)
{
	return !(pdpte & PDPTE_PRESENT) || !(pdpte & (PDPTE_RESERVED | GENMASK_ULL(63, phys_bits)));
}

/* In a window: */
u64 mvm_guest_cr0(void);
u64 mvm_guest_cr4(void);
int mvm_write_guest_cr0(struct mvm_vcpu *vcpu, u64 value);
int mvm_write_guest_cr4(struct mvm_vcpu *vcpu, u64 value);
void mvm_set_guest_crs(struct mvm_vcpu *vcpu, u64 cr0, u64 cr3, u64 cr4, u64 efer);
void mvm_cr_commit(struct mvm_vcpu *vcpu);

/* In the vCPU's thread, outside any window; may sleep: */
void mvm_cr_load_pdptes(struct mvm_vcpu *vcpu);

#endif /* MVM_CR_H */
