/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * msr_policy.h - which MSRs a guest has: where the value of each is, what may be
 * written, and which accesses need no exit.  Pure: KUnit tests it.  msr.c acts
 * on it.
 */
#ifndef MVM_MSR_POLICY_H
#define MVM_MSR_POLICY_H

#include <linux/types.h>

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
 *			(these MSRs, the TSC offset): close it and open it again
 *			before the next entry.  Set here, cleared by window.c
 *
 * Owned by the vCPU's runner.
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

/* Where the value of an MSR is, or who knows it. */
enum msr_home {
	MSR_IN_STATE,		/* struct mvm_msr_state, at offset @place */
	MSR_IN_VMCS,		/* VMCS field @place */
	MSR_TSC,
	MSR_TSC_ADJUSTMENT,
	MSR_DEADLINE,
	MSR_APIC_BASE,
	MSR_APIC_REGISTER,
	MSR_EXTENDED_FEATURES,	/* EFER */
	MSR_DEBUG_CONTROL,
	MSR_TSC_AUXILIARY,
};

enum msr_access {
	MSR_READ_WRITE,
	MSR_READ_ONLY,		/* the guest's write faults, user space's does not */
	MSR_WRITE_IGNORED,	/* the guest's write does nothing */
};

/**
 * struct msr_row - an MSR
 * @index:	its address
 * @home:	where its value is
 * @place:	and where there
 * @access:	what the guest may do
 * @valid:	may @data be written
 */
struct msr_row {
	u32 index;
	enum msr_home home;
	u32 place;
	enum msr_access access;
	bool (*valid)(u64 data);
};

const struct msr_row *msr_find(u32 index);

/* Power-up values of a zeroed struct; mvm_msr_update_swaps() follows. */
void mvm_msr_init(struct mvm_msr_state *msr);

void mvm_msr_bitmap_init(unsigned long *bitmap);
void mvm_msr_bitmap_pass(unsigned long *bitmap, u32 index, bool read,
			 bool write);

#endif /* MVM_MSR_POLICY_H */
