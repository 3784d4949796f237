/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * msr.h - the MSRs of the guest: which there are, who answers, what may be
 * written.  exits.c calls mvm_msr_read() and _write() for RDMSR and WRMSR
 * exits, state.c mvm_msr_get() and _set() for ioctls.  All of them run inside a
 * window, by the vCPU's runner.
 */
#ifndef MVM_MSR_H
#define MVM_MSR_H

#include <linux/types.h>

struct mvm_vcpu;

#define MVM_MSR_BITMAP_SIZE	4096

/* What became of an access. */
enum mvm_msr_result {
	MVM_MSR_OK = 0,
	MVM_MSR_FAULT,		/* #GP(0) */
	MVM_MSR_FORWARD,	/* unknown, and the VM's policy is to forward */
};

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
 *			(these MSRs, the TSC offset): close it and open it again
 *			before the next entry.  Set here, cleared by window.c
 */
struct mvm_msr_state {
	u64 kernel_gs_base;
	u64 star;
	u64 lstar;
	u64 cstar;
	u64 fmask;
	u64 tsc_aux;
	u64 tsc_adjust;
	u64 misc_enable;
	u64 ucode_revision;
	u64 platform_id;
	bool swap_kernel_gs;
	bool swap_syscall;
	bool swap_tsc_aux;
	bool reopen;
};

/* Power-up values; outside a window. */
void mvm_msr_init(struct mvm_msr_state *msr);

/* 4 KiB, MVM_MSR_BITMAP_SIZE: every access exits but those that need not. */
void mvm_msr_bitmap_init(unsigned long *bitmap);

/* The guest's RDMSR and WRMSR. */
int mvm_msr_read(struct mvm_vcpu *vcpu, u32 index, u64 *data);
int mvm_msr_write(struct mvm_vcpu *vcpu, u32 index, u64 data);

/* User space's; MVM_MSR_OK or MVM_MSR_FAULT. */
int mvm_msr_get(struct mvm_vcpu *vcpu, u32 index, u64 *data);
int mvm_msr_set(struct mvm_vcpu *vcpu, u32 index, u64 data);

/* Is it in the table, and valid?  Pure; x2APIC registers are lapic.c's. */
bool mvm_msr_known(u32 index, u64 data);

/* The guest writes EFER.  MVM_MSR_OK or MVM_MSR_FAULT. */
int mvm_set_efer(struct mvm_vcpu *vcpu, u64 efer);

/*
 * After EFER or the CPUID table changed: set the swap_* flags and open the
 * bitmap for MSRs that are the guest's from the next window on.
 */
void mvm_msr_update_swaps(struct mvm_vcpu *vcpu, u64 efer);

/* Let accesses to one MSR through without an exit, or make them exit. */
void mvm_msr_bitmap_pass(unsigned long *bitmap, u32 index, bool read,
			 bool write);

#endif /* MVM_MSR_H */
