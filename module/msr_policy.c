// SPDX-License-Identifier: GPL-2.0-only
/*
 * msr_policy.c - which MSRs a guest has, and what it may write to them.
 *
 * What is not in the table does not exist: #GP, or an exit to user space if the
 * VM's policy says so.  Not there on purpose: FEATURE_CONTROL, SPEC_CTRL,
 * PRED_CMD, ARCH_CAPABILITIES, MTRRs, MCG_*, XSS, PLATFORM_INFO, performance
 * counters.  CPUID hides them, and systems that try all the same expect #GP.
 *
 * msr.c calls it for each access, vmcs.c for a new vCPU.
 */
#include <linux/bitops.h>
#include <linux/kernel.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <asm/msr-index.h>
#include <asm/page.h>
#include "msr.h"
#include "vmx_ops.h"

/*
 * IA32_MISC_ENABLE: fast strings on, branch trace and PEBS not there.  Only the
 * first can be changed; it changes nothing.
 */
#define MISC_ENABLE_VALUE						\
	(MSR_IA32_MISC_ENABLE_FAST_STRING | MSR_IA32_MISC_ENABLE_BTS_UNAVAIL |	\
	 MSR_IA32_MISC_ENABLE_PEBS_UNAVAIL)

/*
 * Checks of values.  What window.c loads into the CPU must be refused here if
 * the CPU would refuse it.
 */
static bool any_value(u64 data)
{
	return true;
}

/* A linear address of 48 bits; guests have no LA57. */
static bool is_canonical(u64 data)
{
	return __is_canonical_address(data, 48);
}

static bool fits_32_bits(u64 data)
{
	return !(data >> 32);
}

/* Eight memory types; 2, 3 and those above 7 are reserved (SDM 3A 12.12.2). */
static bool is_pat(u64 data)
{
	/* no bit above 2, no bit 1 without bit 2 */
	return !(data & ~0x0707070707070707ULL) &&
	       !(data & ~(data >> 1) & 0x0202020202020202ULL);
}

static bool is_misc_enable(u64 data)
{
	return (data | MSR_IA32_MISC_ENABLE_FAST_STRING) == MISC_ENABLE_VALUE;
}

/* BTF is for single stepping; LBR is taken and dropped: there are no LBRs. */
static bool is_debugctl(u64 data)
{
	return !(data & ~(u64)(DEBUGCTLMSR_BTF | DEBUGCTLMSR_LBR));
}

#define ROW(index_, home_, place_, valid_, ...)				\
	{ .index = index_, .home = home_, .place = place_, .valid = valid_, __VA_ARGS__ }
#define STATE(index, field, ...)					\
	ROW(index, MSR_IN_STATE, offsetof(struct mvm_msr_state, field), __VA_ARGS__)
#define VMCS(index, field, valid)	ROW(index, MSR_IN_VMCS, field, valid)
#define OTHER(index)			ROW(index, MSR_ELSEWHERE, 0, any_value)

/* Searched from the top: those that running guests use come first. */
static const struct msr_row msr_rows[] = {
	OTHER(MSR_IA32_TSC_DEADLINE),
	STATE(MSR_IA32_TSC_ADJUST, tsc_adjust, any_value),
	OTHER(MSR_IA32_TSC),
	OTHER(MSR_IA32_APICBASE),
	VMCS(MSR_EFER, GUEST_IA32_EFER, any_value),
	VMCS(MSR_IA32_CR_PAT, GUEST_IA32_PAT, is_pat),
	VMCS(MSR_FS_BASE, GUEST_FS_BASE, is_canonical),
	VMCS(MSR_GS_BASE, GUEST_GS_BASE, is_canonical),
	VMCS(MSR_IA32_SYSENTER_CS, GUEST_SYSENTER_CS, fits_32_bits),
	VMCS(MSR_IA32_SYSENTER_ESP, GUEST_SYSENTER_ESP, is_canonical),
	VMCS(MSR_IA32_SYSENTER_EIP, GUEST_SYSENTER_EIP, is_canonical),
	VMCS(MSR_IA32_DEBUGCTLMSR, GUEST_IA32_DEBUGCTL, is_debugctl),
	STATE(MSR_KERNEL_GS_BASE, kernel_gs_base, is_canonical),
	STATE(MSR_STAR, star, any_value),
	STATE(MSR_LSTAR, lstar, is_canonical),
	STATE(MSR_CSTAR, cstar, is_canonical),
	STATE(MSR_SYSCALL_MASK, fmask, fits_32_bits),
	STATE(MSR_TSC_AUX, tsc_aux, fits_32_bits),
	STATE(MSR_IA32_MISC_ENABLE, misc_enable, is_misc_enable),
	STATE(MSR_IA32_UCODE_REV, ucode_revision, any_value, .access = MSR_WRITE_IGNORED),
	STATE(MSR_IA32_PLATFORM_ID, platform_id, any_value, .access = MSR_READ_ONLY),
};

/* x2APIC registers (SDM 3A 11.12.1.2); lapic.c knows each. */
static const struct msr_row apic_row = OTHER(MSR_APIC_FIRST);

/**
 * msr_find() - the row of an MSR
 * @index: its address
 *
 * Returns NULL when the guest has no such MSR.
 */
const struct msr_row *msr_find(u32 index)
{
	unsigned int i;

	if (index >= MSR_APIC_FIRST && index <= MSR_APIC_LAST)
		return &apic_row;
	for (i = 0; i < ARRAY_SIZE(msr_rows); i++) {
		if (msr_rows[i].index == index)
			return &msr_rows[i];
	}
	return NULL;
}

/**
 * mvm_msr_init() - MSRs after power-up
 * @msr: of a new vCPU, all zero
 *
 * mvm_msr_update_swaps() follows when the CPUID table and the bitmap are there.
 */
void mvm_msr_init(struct mvm_msr_state *msr)
{
	msr->misc_enable = MISC_ENABLE_VALUE;
	/* The microcode's revision is in the upper half (SDM 3A 10.11.7). */
	msr->ucode_revision = 1ULL << 32;
}

/**
 * mvm_msr_bitmap_init() - the bitmap of a new vCPU
 * @bitmap: MVM_MSR_BITMAP_SIZE bytes
 *
 * Without an exit go: what VM entry and exit switch and the CPU checks by
 * itself, and reading the TSC, to which the CPU adds the offset.
 */
void mvm_msr_bitmap_init(unsigned long *bitmap)
{
	memset(bitmap, 0xff, MVM_MSR_BITMAP_SIZE);
	mvm_msr_bitmap_pass(bitmap, MSR_FS_BASE, true);
	mvm_msr_bitmap_pass(bitmap, MSR_GS_BASE, true);
	mvm_msr_bitmap_pass(bitmap, MSR_IA32_SYSENTER_CS, true);
	mvm_msr_bitmap_pass(bitmap, MSR_IA32_SYSENTER_ESP, true);
	mvm_msr_bitmap_pass(bitmap, MSR_IA32_SYSENTER_EIP, true);
	mvm_msr_bitmap_pass(bitmap, MSR_IA32_CR_PAT, true);
	mvm_msr_bitmap_pass(bitmap, MSR_EFER, false);
	mvm_msr_bitmap_pass(bitmap, MSR_IA32_TSC, false);
}

/**
 * mvm_msr_bitmap_pass() - reads of an MSR go without an exit
 * @bitmap: MSR bitmap (SDM 3C 25.6.9): 1 KiB each for reads of MSRs from 0,
 *	    reads from 0xc0000000, writes from 0 and writes from 0xc0000000;
 *	    a bit that is 1 makes an exit
 * @index: the MSR; nothing happens if it is in neither range
 * @write: writes go without an exit, too
 */
void mvm_msr_bitmap_pass(unsigned long *bitmap, u32 index, bool write)
{
	u32 bit = index & 0x1fff;

	if (index - bit == 0xc0000000)
		bit += 0x400 * 8;
	else if (index - bit)
		return;
	__clear_bit(bit, bitmap);
	if (write)
		__clear_bit(bit + 0x800 * 8, bitmap);
}
