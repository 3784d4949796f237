// SPDX-License-Identifier: GPL-2.0-only
/*
 * cr.c - writes of the guest's control registers that VMX does not let through,
 * and the PAE page-directory pointers that some of them load.
 *
 * exits.c calls it for intercepted MOVs, state.c and vmcs.c to set registers,
 * run.c outside the window.
 */
#include "cr.h"
#include "vcpu.h"
#include "vm.h"
#include "vmx_ops.h"

/* Cache mode: never the guest's */
#define CR0_CACHE	(X86_CR0_CD | X86_CR0_NW)

/* CR3 in PAE paging: where the page-directory pointers are */
#define PDPT_ADDRESS	GENMASK_ULL(31, 5)

/* CR0 as the guest sees it; the owned bits are in the shadow. */
u64 mvm_guest_cr0(void)
{
	u64 mask = vmcs_read(CR0_GUEST_HOST_MASK);

	return (vmcs_read(GUEST_CR0) & ~mask) | (vmcs_read(CR0_READ_SHADOW) & mask);
}

/* Likewise CR4. */
u64 mvm_guest_cr4(void)
{
	u64 mask = vmcs_read(CR4_GUEST_HOST_MASK);

	return (vmcs_read(GUEST_CR4) & ~mask) | (vmcs_read(CR4_READ_SHADOW) & mask);
}

static void put_cr0(u64 cr0)
{
	vmcs_write(GUEST_CR0, (cr0 & ~CR0_CACHE) | mvm_caps.cr0_fixed0);
	vmcs_write(CR0_READ_SHADOW, cr0);
}

static void put_cr4(u64 cr4)
{
	vmcs_write(GUEST_CR4, cr4 | X86_CR4_MCE | mvm_caps.cr4_fixed0);
	vmcs_write(CR4_READ_SHADOW, cr4);
}

/* Enter or leave long mode together with CR0.PG. */
static void put_long_mode(u64 cr0, u64 efer)
{
	bool long_mode = efer & EFER_LME && cr0 & X86_CR0_PG;
	u32 controls = vmcs_read(VM_ENTRY_CONTROLS) & ~VM_ENTRY_IA32E_MODE;

	vmcs_write(GUEST_IA32_EFER, (efer & ~EFER_LMA) | (long_mode ? EFER_LMA : 0));
	vmcs_write(VM_ENTRY_CONTROLS, controls | (long_mode ? VM_ENTRY_IA32E_MODE : 0));
}

/**
 * mvm_set_guest_crs() - set the control registers, whatever they were
 * @vcpu: vCPU with a VMCS access window
 * @cr0: as the guest sees it
 * @cr3: value
 * @cr4: as the guest sees it
 * @efer: value; LMA follows from LME and PG
 *
 * The caller has checked them with mvm_cr_valid().  The masks are written, too:
 * the vCPU's CPUID table says which bits of CR4 there are.
 *
 * In PAE paging the thread loads the page-directory pointers before it enters
 * the guest; but when the guest was in PAE paging with that CR3 already it keeps
 * those that it has, which memory need not hold any more.
 */
void mvm_set_guest_crs(struct mvm_vcpu *vcpu, u64 cr0, u64 cr3, u64 cr4, u64 efer)
{
	bool pae = pae_paging(cr0, cr4, efer);
	bool same = pae && vmcs_read(GUEST_CR3) == cr3 &&
		    pae_paging(mvm_guest_cr0(), mvm_guest_cr4(), vmcs_read(GUEST_IA32_EFER));

	vmcs_write(CR0_GUEST_HOST_MASK, CR0_CACHE | mvm_caps.cr0_fixed0);
	vmcs_write(CR4_GUEST_HOST_MASK, ~mvm_cpuid_cr4_allowed(&vcpu->cpuid) | X86_CR4_MCE |
						X86_CR4_OSXSAVE | mvm_caps.cr4_fixed0);
	put_cr0(cr0 | X86_CR0_ET);
	put_cr4(cr4);
	vmcs_write(GUEST_CR3, cr3);
	put_long_mode(cr0, efer);
	mvm_msr_update_swaps(vcpu, efer);
	mvm_state_refresh_cpuid(vcpu);

	vcpu->cr.valid = false;
	vcpu->cr.flush = true;
	if (same)
		return;
	vcpu->cr.cr3 = cr3;
	vcpu->cr.need_pdptes = pae;
	vcpu->cr.write_pdptes = pae;
}

static void write_pdptes(const u64 pdpte[4])
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		vmcs_write(GUEST_PDPTR0 + 2 * i, pdpte[i]);
}

/*
 * The instruction loads the page-directory pointers (SDM 3A 4.4.1).  VM entry
 * takes them from the VMCS, not from memory (SDM 3C 27.3.2.4), so they are read
 * here; but guest memory is out of reach in a window.  The first time, ask for
 * them; when the instruction comes again they are there.
 */
static int load_pdptes(struct mvm_vcpu *vcpu)
{
	struct mvm_cr_state *cr = &vcpu->cr;
	u64 cr3 = vmcs_read(GUEST_CR3);
	u64 rip = vmcs_read(GUEST_RIP);
	unsigned int i;

	if (!cr->valid || cr->cr3 != cr3 || cr->rip != rip) {
		*cr = (struct mvm_cr_state){ .need_pdptes = true, .flush = cr->flush,
					     .cr3 = cr3, .rip = rip };
		return -EAGAIN;
	}
	cr->valid = false;
	for (i = 0; i < 4; i++) {
		if (!mvm_pdpte_valid(cr->pdpte[i], mvm_cpuid_phys_bits(&vcpu->cpuid)))
			return -EINVAL;
	}
	write_pdptes(cr->pdpte);
	return 0;
}

/**
 * mvm_write_guest_cr0() - the guest's MOV to CR0 was intercepted
 * @vcpu: vCPU whose window is open
 * @value: what it writes
 *
 * Returns 0 (done: advance RIP), -EINVAL (#GP) or -EAGAIN: close the window,
 * mvm_cr_load_pdptes(), and let the guest execute the instruction again.
 * vcpu->cr.flush may have become true.
 */
int mvm_write_guest_cr0(struct mvm_vcpu *vcpu, u64 value)
{
	u64 old = mvm_guest_cr0(), cr4 = mvm_guest_cr4();
	u64 efer = vmcs_read(GUEST_IA32_EFER);
	u32 tr_type = vmcs_read(GUEST_TR_AR_BYTES) & VMX_AR_TYPE_MASK;
	int ret = 0;

	if (!mvm_cr0_check(old, value, cr4, efer, vmcs_read(GUEST_CS_AR_BYTES) & VMX_AR_L_MASK,
			   tr_type == VMX_AR_TYPE_BUSY_16_TSS))
		ret = -EINVAL;
	else if (pae_paging(value, cr4, efer) && (old ^ value) & (X86_CR0_PG | CR0_CACHE))
		ret = load_pdptes(vcpu);
	if (ret)
		return ret;
	put_cr0((value & CR0_DEFINED) | X86_CR0_ET);
	if ((old ^ value) & X86_CR0_PG) {
		put_long_mode(value, efer);
		vcpu->cr.flush = true;
	}
	return 0;
}

/**
 * mvm_write_guest_cr4() - the guest's MOV to CR4 was intercepted
 * @vcpu: vCPU whose window is open
 * @value: what it writes
 *
 * Returns 0 (done: advance RIP), -EINVAL (#GP) or -EAGAIN: close the window,
 * mvm_cr_load_pdptes(), and let the guest execute the instruction again.
 * vcpu->cr.flush may have become true.
 */
int mvm_write_guest_cr4(struct mvm_vcpu *vcpu, u64 value)
{
	const u64 loads = X86_CR4_PAE | X86_CR4_PGE | X86_CR4_PSE | X86_CR4_SMEP;
	u64 old = mvm_guest_cr4(), changed = old ^ value;
	u64 efer = vmcs_read(GUEST_IA32_EFER);
	int ret = 0;

	if (!mvm_cr4_check(old, value, mvm_cpuid_cr4_allowed(&vcpu->cpuid), vmcs_read(GUEST_CR3),
			   efer))
		ret = -EINVAL;
	else if (changed & loads && pae_paging(mvm_guest_cr0(), value, efer))
		ret = load_pdptes(vcpu);
	if (ret)
		return ret;
	put_cr4(value);
	/* SDM 3A 4.10.4.1: what a MOV to CR4 invalidates */
	if (changed & (loads | X86_CR4_PCIDE))
		vcpu->cr.flush = true;
	if (changed & X86_CR4_OSXSAVE)
		mvm_state_refresh_cpuid(vcpu);
	return 0;
}

/**
 * mvm_cr_load_pdptes() - read the PAE page-directory pointers
 * @vcpu: vCPU; called by its thread outside any window, when need_pdptes; may
 *	  sleep
 *
 * Where there is no memory they are all ones, as on a bus that nobody answers:
 * #GP for an instruction, a refused VM entry after SET_SREGS.
 */
void mvm_cr_load_pdptes(struct mvm_vcpu *vcpu)
{
	struct mvm_cr_state *cr = &vcpu->cr;

	if (mvm_memory_read(vcpu->vm, cr->cr3 & PDPT_ADDRESS, cr->pdpte, sizeof(cr->pdpte)))
		memset(cr->pdpte, 0xff, sizeof(cr->pdpte));
	cr->need_pdptes = false;
	cr->valid = !cr->write_pdptes;
}

/**
 * mvm_cr_commit() - finish a change of control registers before an entry
 * @vcpu: vCPU whose window is open
 *
 * What the guest cached under the old ones must go; without VPIDs each entry
 * flushes (SDM 3C 29.4.3.1).
 */
void mvm_cr_commit(struct mvm_vcpu *vcpu)
{
	vcpu->cr.flush = false;
	if (vcpu->cr.write_pdptes) {
		vcpu->cr.write_pdptes = false;
		write_pdptes(vcpu->cr.pdpte);
	}
	/* INVVPID_ALL does not look at the VPID. */
	if (mvm_caps.proc2 & SECONDARY_EXEC_ENABLE_VPID)
		vmx_invvpid(mvm_caps.invvpid_single ? INVVPID_SINGLE : INVVPID_ALL, vcpu->vpid);
}
