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
 */
#ifndef MVM_CR_H
#define MVM_CR_H

#include <linux/types.h>
#include "vmx_ops.h"

struct mvm_vcpu;

/* What became of a write by the guest. */
enum mvm_cr_result {
	MVM_CR_OK = 0,		/* done: advance RIP */
	MVM_CR_FAULT,		/* #GP(0) */
	/*
	 * PAE page-directory pointers have to be read from guest memory: close
	 * the window and enter again at the same RIP.  The thread calls
	 * mvm_cr_load_pdptes() in between; the instruction exits again and
	 * finds them.
	 */
	MVM_CR_NEED_PDPTES,
};

/**
 * struct mvm_cr_state - what the next entry needs besides the VMCS fields
 * @need_pdptes: the thread, outside the window and before it opens the next
 *		 one, calls mvm_cr_load_pdptes().  Set by a CR write that
 *		 returned MVM_CR_NEED_PDPTES and by SET_SREGS
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
	bool need_pdptes;
	bool flush;
	bool write_pdptes;
	bool valid;
	u64 cr3;
	u64 rip;
	u64 pdpte[4];
};

/* In a window.  What the guest reads. */
u64 mvm_guest_cr0(void);
u64 mvm_guest_cr4(void);

/* In a window: write the masks, from the vCPU's CPUID table. */
void mvm_cr_write_masks(struct mvm_vcpu *vcpu);

/* In a window: an intercepted MOV to CR0 or CR4.  enum mvm_cr_result. */
int mvm_write_guest_cr0(struct mvm_vcpu *vcpu, u64 value);
int mvm_write_guest_cr4(struct mvm_vcpu *vcpu, u64 value);

/*
 * In a window: set CR0, CR3, CR4 and EFER together, without the checks for
 * transitions; the caller has checked the combination.
 */
void mvm_set_guest_crs(struct mvm_vcpu *vcpu, u64 cr0, u64 cr3, u64 cr4,
		       u64 efer);

/* In the vCPU's thread, outside any window, when @need_pdptes; may sleep. */
void mvm_cr_load_pdptes(struct mvm_vcpu *vcpu);

/* In a window, before an entry, when @flush is set. */
void mvm_cr_commit(struct mvm_vcpu *vcpu);

#endif /* MVM_CR_H */
