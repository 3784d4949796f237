// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmcs.c - make a vCPU's VMCS: controls, and the guest in the state after power-up.
 * The host's state is written by window.c.
 *
 * Called by vcpu.c.
 */
#include <linux/gfp.h>
#include "inject.h"
#include "vm.h"
#include "vmx_ops.h"

/*
 * A loop of PAUSEs (SDM 3C 26.1.3), in TSC ticks: apart at most so far, and so long
 * until it exits: more than a lock is held, less than a turn of the host's scheduler.
 */
#define PAUSE_GAP	128
#define PAUSE_WINDOW	4096

/* clang-format off */
/* Fields that start as 0; TSC_OFFSET so agrees with vcpu->tsc_offset. */
static const u16 zero_fields[] = {
	PAGE_FAULT_ERROR_CODE_MASK, PAGE_FAULT_ERROR_CODE_MATCH, CR3_TARGET_COUNT,
	VM_EXIT_MSR_STORE_COUNT, VM_EXIT_MSR_LOAD_COUNT,
	VM_ENTRY_MSR_LOAD_COUNT, VM_ENTRY_INTR_INFO_FIELD,
	HOST_DS_SELECTOR, HOST_ES_SELECTOR, HOST_FS_SELECTOR, HOST_GS_SELECTOR, TSC_OFFSET,
	GUEST_ACTIVITY_STATE,
	GUEST_SYSENTER_CS, GUEST_SYSENTER_ESP, GUEST_SYSENTER_EIP, GUEST_IA32_DEBUGCTL,
};

/* Fields that INIT clears */
static const u16 init_zero_fields[] = {
	GUEST_GDTR_BASE, GUEST_IDTR_BASE, GUEST_RSP, GUEST_PENDING_DBG_EXCEPTIONS,
	GUEST_INTERRUPTIBILITY_INFO,
};
/* clang-format on */

/* All but the processor-based ones: inject.c writes them at the first run. */
static void write_controls(struct mvm_vcpu *vcpu)
{
	unsigned int i;

	vmcs_write(PIN_BASED_VM_EXEC_CONTROL, mvm_caps.pin);
	vmcs_write(VM_EXIT_CONTROLS, mvm_caps.exit);
	vmcs_write(VM_ENTRY_CONTROLS, mvm_caps.entry);

	/* #MC is the host's; #AC and #DB loops hang the CPU if they do not exit. */
	vmcs_write(EXCEPTION_BITMAP, BIT(X86_TRAP_MC) | BIT(X86_TRAP_AC) | BIT(X86_TRAP_DB));
	vmcs_write(MSR_BITMAP, __pa(vcpu->msr_bitmap));
	vmcs_write(EPT_POINTER, vcpu->vm->memory.eptp);
	vmcs_write(VMCS_LINK_POINTER, ~0UL);
	if (mvm_caps.proc2 & SECONDARY_EXEC_ENABLE_VPID)
		vmcs_write(VIRTUAL_PROCESSOR_ID, vcpu->vpid);
	if (mvm_caps.proc & CPU_BASED_TPR_SHADOW) {
		vmcs_write(VIRTUAL_APIC_PAGE_ADDR, __pa(vcpu->lapic.page));
		vmcs_write(TPR_THRESHOLD, 0);
	}
	if (mvm_caps.proc2 & SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES)
		vmcs_write(APIC_ACCESS_ADDR, __pa(vcpu->vm->memory.apic_page));
	for (i = 0; mvm_caps_delivers() && i < ARRAY_SIZE(vcpu->eoi_exits); i++)
		vmcs_write(EOI_EXIT_BITMAP0 + 2 * i, 0);
	if (mvm_caps.pin & PIN_BASED_VMX_PREEMPTION_TIMER)
		vmcs_write(VMX_PREEMPTION_TIMER_VALUE, mvm_caps.backstop);
	if (mvm_caps.proc2 & SECONDARY_EXEC_PAUSE_LOOP_EXITING) {
		vmcs_write(PLE_GAP, PAUSE_GAP);
		vmcs_write(PLE_WINDOW, PAUSE_WINDOW);
	}
}

/**
 * mvm_vmcs_init() - what INIT does to the registers in the VMCS (SDM 3A table 10-1)
 * @vcpu: vCPU with a window; mvm_vcpu_init() does the rest
 *
 * The cache mode in CR0 stays, and so do the MSRs but EFER.
 */
void mvm_vmcs_init(struct mvm_vcpu *vcpu)
{
	/* ES, CS, SS, DS, FS, GS: data or code, accessed; LDTR; TR: busy.  All present. */
	static const u8 access[] = { 0x93, 0x9b, 0x93, 0x93, 0x93, 0x93, 0x82, 0x8b };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(access); i++) {
		vmcs_write(GUEST_ES_SELECTOR + 2 * i, 0);
		vmcs_write(GUEST_ES_BASE + 2 * i, 0);
		vmcs_write(GUEST_ES_LIMIT + 2 * i, 0xffff);
		vmcs_write(GUEST_ES_AR_BYTES + 2 * i, access[i]);
	}
	for (i = 0; i < ARRAY_SIZE(init_zero_fields); i++)
		vmcs_write(init_zero_fields[i], 0);
	vmcs_write(GUEST_CS_SELECTOR, 0xf000);
	vmcs_write(GUEST_CS_BASE, 0xffff0000);
	vmcs_write(GUEST_GDTR_LIMIT, 0xffff);
	vmcs_write(GUEST_IDTR_LIMIT, 0xffff);

	mvm_set_guest_crs(vcpu, mvm_guest_cr0() & (X86_CR0_CD | X86_CR0_NW), 0, 0, 0);
	vmcs_write(GUEST_DR7, 0x400);
	vmcs_write(GUEST_RIP, 0xfff0);
	vmcs_write(GUEST_RFLAGS, X86_EFLAGS_FIXED);
}

static void write_all(struct mvm_vcpu *vcpu, void *unused)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(zero_fields); i++)
		vmcs_write(zero_fields[i], 0);
	write_controls(vcpu);
	/* After power-up: as by INIT, and the caches are off; PAT: SDM 3A 12.12.4. */
	mvm_set_guest_crs(vcpu, X86_CR0_CD | X86_CR0_NW, 0, 0, 0);
	mvm_vmcs_init(vcpu);
	vmcs_write(GUEST_IA32_PAT, 0x0007040600070406ULL);
	if (mvm_caps.entry & VM_ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL)
		vmcs_write(GUEST_IA32_PERF_GLOBAL_CTRL, 0);
}

/**
 * mvm_vmcs_create() - make the VMCS and MSR bitmap of a new vCPU
 * @vcpu: its VM, VPID, pages, CPUID table and MSR state are set
 *
 * The VMXON region is the vCPU's, too: it opens one window at a time, so one CPU
 * uses the region (SDM 3C 25.11.5).
 *
 * Returns 0, or -EIO when the CPU refuses VMX.
 */
int mvm_vmcs_create(struct mvm_vcpu *vcpu)
{
	vcpu->last_cpu = -1;
	/* The revision, bit 31 clear: not a shadow VMCS (SDM 3C 25.2). */
	*(u32 *)vcpu->vmcs = mvm_caps.vmcs_revision;
	*(u32 *)vcpu->vmxon = mvm_caps.vmcs_revision;
	mvm_msr_bitmap_init(vcpu->msr_bitmap);
	return mvm_window_access(vcpu, write_all, NULL);
}
