/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * msr.h - the guest's MSRs.  msr_policy.c says which there are, where the value
 * of each is, what may be written, and which accesses need no exit; it is pure:
 * KUnit tests it.  msr.c acts on it: exits.c calls it for RDMSR and WRMSR exits,
 * state.c for ioctls, both inside a window, as the vCPU's runner.
 */
#ifndef MVM_MSR_H
#define MVM_MSR_H

#include <linux/types.h>

struct mvm_vcpu;

#define MVM_MSR_BITMAP_SIZE	4096

/**
 * struct mvm_msr_state - guest MSRs that the VMCS does not hold
 * @kernel_gs_base:	IA32_KERNEL_GS_BASE
 * @star:		IA32_STAR
 * @lstar:		IA32_LSTAR
 * @cstar:		IA32_CSTAR
 * @fmask:		IA32_FMASK
 * @tsc_aux:		IA32_TSC_AUX
 * @tsc_adjust:		IA32_TSC_ADJUST; guest TSC = host TSC + vm->tsc_offset +
 *			@tsc_adjust, modulo 2^64
 * @misc_enable:	IA32_MISC_ENABLE
 * @ucode_revision:	IA32_BIOS_SIGN_ID
 * @platform_id:	IA32_PLATFORM_ID
 * @swap_kernel_gs:	the guest has had EFER.LME: it can change
 *			IA32_KERNEL_GS_BASE by SWAPGS or WRMSR without an exit,
 *			so window.c loads it at open and stores it at close
 * @swap_syscall:	the guest has had EFER.SCE: the same for STAR, LSTAR,
 *			CSTAR and FMASK
 * @swap_tsc_aux:	the CPUID table has RDTSCP or RDPID: window.c loads
 *			@tsc_aux at open; the guest's writes exit, so there is
 *			nothing to store at close
 * @reopen:		a handler changed what is loaded when a window opens
 *			(these MSRs, the TSC offset), or before: close it and
 *			open it again before the next entry.  Set here, cleared by window.c
 *
 * Owned by the vCPU's runner.
 */
struct mvm_msr_state {
	u64 kernel_gs_base, star, lstar, cstar, fmask, tsc_aux;
	u64 tsc_adjust, misc_enable, ucode_revision, platform_id;
	bool swap_kernel_gs, swap_syscall, swap_tsc_aux, reopen;
};

/**
 * struct msr_row - an MSR
 * @index:	its address
 * @field:	VMCS field of its value, or 0
 * @offset:	where in struct mvm_msr_state the value is otherwise
 * @special:	msr.c knows how to read it
 * @valid:	may @data be written; NULL: anything may
 * @read_only:	the guest's write faults, user space's does not
 * @write_ignored: the guest's write does nothing
 */
struct msr_row {
	u32 index;
	u16 field, offset;
	bool (*valid)(u64 data);
	bool special, read_only, write_ignored;
};

/* x2APIC registers are MSRs (SDM 3A 11.12.1.2). */
#define MSR_APIC_FIRST	0x800
#define MSR_APIC_LAST	0x8ff

const struct msr_row *msr_find(u32 index);
void mvm_msr_init(struct mvm_msr_state *msr);
void mvm_msr_bitmap_init(unsigned long *bitmap);
void mvm_msr_bitmap_pass(unsigned long *bitmap, u32 index, unsigned int count, bool write);
void mvm_msr_bitmap_apic(unsigned long *bitmap, bool tpr, bool eoi, bool self_ipi);

int mvm_msr_read(struct mvm_vcpu *vcpu, u32 index, u64 *data);
int mvm_msr_write(struct mvm_vcpu *vcpu, u32 index, u64 data, bool host);
void mvm_msr_update_swaps(struct mvm_vcpu *vcpu, u64 efer);

#endif /* MVM_MSR_H */
