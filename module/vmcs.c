// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmcs.c - make a vCPU's VMCS: controls, the constant part of the host's state,
 * and the guest in the state after power-up.
 *
 * Called by vcpu.c.
 */
#include <linux/gfp.h>
#include <asm/desc.h>
#include <asm/msr.h>
#include <asm/vmx.h>
#include "caps.h"
#include "cr.h"
#include "inject.h"
#include "msr.h"
#include "run.h"
#include "vcpu.h"
#include "vm.h"
#include "vmcs.h"
#include "vmx_ops.h"
#include "window.h"

/* entry.S has it as a number. */
static_assert(VMCS_HOST_RSP == 0x6c14);

/* Longest stretch of guest code without an exit, where the CPU can bound it. */
#define BACKSTOP_MS	10

static void write_controls(struct mvm_vcpu *vcpu)
{
	u64 backstop = ((u64)mvm_caps.tsc_khz * BACKSTOP_MS) >> mvm_caps.preemption_shift;

	vmcs_write32(VMCS_PIN_CONTROLS, mvm_caps.pin);
	vmcs_write32(VMCS_PROC_CONTROLS, mvm_caps.proc);
	vmcs_write32(VMCS_PROC_CONTROLS2, mvm_caps.proc2);
	vmcs_write32(VMCS_EXIT_CONTROLS, mvm_caps.exit);
	vmcs_write32(VMCS_ENTRY_CONTROLS, mvm_caps.entry);
	vcpu->proc_controls = mvm_caps.proc;

	/* #MC is the host's; #AC and #DB loops hang the CPU if they do not exit. */
	vmcs_write32(VMCS_EXCEPTION_BITMAP,
		     BIT(VECTOR_MC) | BIT(VECTOR_AC) | BIT(VECTOR_DB));
	vmcs_write32(VMCS_PAGE_FAULT_MASK, 0);
	vmcs_write32(VMCS_PAGE_FAULT_MATCH, 0);
	vmcs_write32(VMCS_CR3_TARGET_COUNT, 0);
	vmcs_write32(VMCS_EXIT_MSR_STORE_COUNT, 0);
	vmcs_write32(VMCS_EXIT_MSR_LOAD_COUNT, 0);
	vmcs_write32(VMCS_ENTRY_MSR_LOAD_COUNT, 0);
	vmcs_write32(VMCS_ENTRY_INTR_INFO, 0);
	vmcs_write64(VMCS_MSR_BITMAP, __pa(vcpu->msr_bitmap));
	vmcs_write64(VMCS_EPT_POINTER, vcpu->vm->memory.eptp);
	vmcs_write64(VMCS_VMCS_LINK_POINTER, ~0ULL);
	if (mvm_caps.vpid)
		vmcs_write16(VMCS_VPID, vcpu->vpid);
	if (mvm_caps.preemption_timer)
		vmcs_write32(VMCS_PREEMPTION_TIMER, min_t(u64, backstop, U32_MAX));
	vcpu->tsc_offset = mvm_vcpu_tsc_offset(vcpu);
	vmcs_write64(VMCS_TSC_OFFSET, vcpu->tsc_offset);
}

/* Selectors have RPL and TI 0 (SDM 3C 27.2.3); kernel threads use null ones. */
static void write_host(struct mvm_vcpu *vcpu)
{
	u64 pat, sysenter_cs, sysenter_eip;
	u16 tr;

	store_tr(tr);
	rdmsrl(MSR_IA32_CR_PAT, pat);
	rdmsrl(MSR_IA32_SYSENTER_CS, sysenter_cs);
	rdmsrl(MSR_IA32_SYSENTER_EIP, sysenter_eip);

	vmcs_write16(VMCS_HOST_CS_SELECTOR, __KERNEL_CS);
	vmcs_write16(VMCS_HOST_SS_SELECTOR, __KERNEL_DS);
	vmcs_write16(VMCS_HOST_DS_SELECTOR, 0);
	vmcs_write16(VMCS_HOST_ES_SELECTOR, 0);
	vmcs_write16(VMCS_HOST_FS_SELECTOR, 0);
	vmcs_write16(VMCS_HOST_GS_SELECTOR, 0);
	vmcs_write16(VMCS_HOST_TR_SELECTOR, tr);
	vmcs_write_natural(VMCS_HOST_CR0, read_cr0() & ~X86_CR0_TS);
	vmcs_write32(VMCS_HOST_SYSENTER_CS, sysenter_cs);
	vmcs_write_natural(VMCS_HOST_SYSENTER_EIP, sysenter_eip);
	vmcs_write64(VMCS_HOST_PAT, pat);
	vmcs_write_natural(VMCS_HOST_RIP, (unsigned long)mvm_vmx_exit);
	/* Never equal to what the first open finds: */
	vcpu->host_rsp = 0;
	vcpu->host_cr3 = ~0UL;
	vcpu->host_cr4 = 0;
	vcpu->host_fs_base = ~0UL;
	vcpu->host_efer = 0;
	vcpu->last_cpu = -1;
}

#define WRITE_SEGMENT(name, selector, base, limit, access)		\
do {									\
	vmcs_write16(VMCS_GUEST_##name##_SELECTOR, selector);		\
	vmcs_write_natural(VMCS_GUEST_##name##_BASE, base);		\
	vmcs_write32(VMCS_GUEST_##name##_LIMIT, limit);			\
	vmcs_write32(VMCS_GUEST_##name##_ACCESS, access);		\
} while (0)

/* Access rights: present, accessed data or code, busy TSS, LDT. */
#define ACCESS_DATA	0x93
#define ACCESS_CODE	0x9b
#define ACCESS_TSS	0x8b
#define ACCESS_LDT	0x82

/* SDM 3A table 10-1: the state after power-up. */
static void write_guest(struct mvm_vcpu *vcpu)
{
	WRITE_SEGMENT(CS, 0xf000, 0xffff0000, 0xffff, ACCESS_CODE);
	WRITE_SEGMENT(DS, 0, 0, 0xffff, ACCESS_DATA);
	WRITE_SEGMENT(ES, 0, 0, 0xffff, ACCESS_DATA);
	WRITE_SEGMENT(FS, 0, 0, 0xffff, ACCESS_DATA);
	WRITE_SEGMENT(GS, 0, 0, 0xffff, ACCESS_DATA);
	WRITE_SEGMENT(SS, 0, 0, 0xffff, ACCESS_DATA);
	WRITE_SEGMENT(TR, 0, 0, 0xffff, ACCESS_TSS);
	WRITE_SEGMENT(LDTR, 0, 0, 0xffff, ACCESS_LDT);
	vmcs_write_natural(VMCS_GUEST_GDTR_BASE, 0);
	vmcs_write32(VMCS_GUEST_GDTR_LIMIT, 0xffff);
	vmcs_write_natural(VMCS_GUEST_IDTR_BASE, 0);
	vmcs_write32(VMCS_GUEST_IDTR_LIMIT, 0xffff);

	mvm_cr_write_masks(vcpu);
	mvm_set_guest_crs(vcpu, X86_CR0_CD | X86_CR0_NW | X86_CR0_ET, 0, 0, 0);
	vmcs_write_natural(VMCS_GUEST_DR7, 0x400);
	vmcs_write_natural(VMCS_GUEST_RSP, 0);
	vmcs_write_natural(VMCS_GUEST_RIP, 0xfff0);
	vmcs_write_natural(VMCS_GUEST_RFLAGS, X86_EFLAGS_FIXED);
	vmcs_write_natural(VMCS_GUEST_PENDING_DEBUG, 0);
	vmcs_write32(VMCS_GUEST_INTERRUPTIBILITY, 0);
	vmcs_write32(VMCS_GUEST_ACTIVITY, 0);
	vmcs_write32(VMCS_GUEST_SYSENTER_CS, 0);
	vmcs_write_natural(VMCS_GUEST_SYSENTER_ESP, 0);
	vmcs_write_natural(VMCS_GUEST_SYSENTER_EIP, 0);
	vmcs_write64(VMCS_GUEST_DEBUGCTL, 0);
	/* SDM 3A 12.12.4: PAT after power-up. */
	vmcs_write64(VMCS_GUEST_PAT, 0x0007040600070406ULL);
	if (mvm_caps.perf_global_ctrl)
		vmcs_write64(VMCS_GUEST_PERF_GLOBAL_CTRL, 0);
}

static void write_all(struct mvm_vcpu *vcpu, void *unused)
{
	write_controls(vcpu);
	write_host(vcpu);
	write_guest(vcpu);
}

/**
 * mvm_vmcs_create() - make the VMCS and MSR bitmap of a new vCPU
 * @vcpu: its VM, VPID, CPUID table and MSR state are set
 *
 * Returns 0, -ENOMEM, or -EIO when the CPU refuses VMX.
 */
int mvm_vmcs_create(struct mvm_vcpu *vcpu)
{
	int ret;

	vcpu->vmcs = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	vcpu->msr_bitmap = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!vcpu->vmcs || !vcpu->msr_bitmap) {
		mvm_vmcs_free(vcpu);
		return -ENOMEM;
	}
	/* The revision, bit 31 clear: not a shadow VMCS (SDM 3C 25.2). */
	*(u32 *)vcpu->vmcs = mvm_caps.vmcs_revision;
	vcpu->vmcs_pa = __pa(vcpu->vmcs);
	mvm_msr_bitmap_init(vcpu->msr_bitmap);

	ret = mvm_window_access(vcpu, write_all, NULL);
	if (ret)
		mvm_vmcs_free(vcpu);
	return ret;
}

/**
 * mvm_vmcs_free() - undo mvm_vmcs_create(); no window of the vCPU is open
 * @vcpu: vCPU
 */
void mvm_vmcs_free(struct mvm_vcpu *vcpu)
{
	free_page((unsigned long)vcpu->vmcs);
	free_page((unsigned long)vcpu->msr_bitmap);
	vcpu->vmcs = NULL;
	vcpu->msr_bitmap = NULL;
}
