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
#include "msr_policy.h"
#include "vmx_ops.h"

/*
 * IA32_MISC_ENABLE: fast strings on, branch trace and PEBS not there.  Only the
 * first can be changed; it changes nothing.
 */
#define MISC_ENABLE_VALUE	(MSR_IA32_MISC_ENABLE_FAST_STRING |	\
				 MSR_IA32_MISC_ENABLE_BTS_UNAVAIL |	\
				 MSR_IA32_MISC_ENABLE_PEBS_UNAVAIL)

/* The microcode's revision is in the upper half (SDM 3A 10.11.7). */
#define UCODE_REVISION		(1ULL << 32)

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
	return (u64)((s64)(data << 16) >> 16) == data;
}

static bool fits_32_bits(u64 data)
{
	return !(data >> 32);
}

/* Eight memory types; 2, 3 and those above 7 are reserved (SDM 3A 12.12.2). */
static bool is_pat(u64 data)
{
	if (data & ~0x0707070707070707ULL)
		return false;
	/* bit 1 without bit 2 */
	return !(data & ~(data >> 1) & 0x0202020202020202ULL);
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

#define ROW(index_, home_, valid_, ...)					\
	{ .index = index_, .home = home_, .valid = valid_, __VA_ARGS__ }
#define STATE(index_, field, valid_, ...)				\
	ROW(index_, MSR_IN_STATE, valid_,				\
	    .place = offsetof(struct mvm_msr_state, field), __VA_ARGS__)
#define VMCS(index_, field, valid_)					\
	ROW(index_, MSR_IN_VMCS, valid_, .place = VMCS_##field)

/* Searched from the top: those that running guests use come first. */
static const struct msr_row msr_rows[] = {
	ROW(MSR_IA32_TSC_DEADLINE, MSR_DEADLINE, any_value),
	ROW(MSR_IA32_TSC_ADJUST, MSR_TSC_ADJUSTMENT, any_value),
	ROW(MSR_IA32_TSC, MSR_TSC, any_value),
	ROW(MSR_IA32_APICBASE, MSR_APIC_BASE, any_value),
	ROW(MSR_EFER, MSR_EXTENDED_FEATURES, any_value),
	VMCS(MSR_IA32_CR_PAT, GUEST_PAT, is_pat),
	VMCS(MSR_FS_BASE, GUEST_FS_BASE, is_canonical),
	VMCS(MSR_GS_BASE, GUEST_GS_BASE, is_canonical),
	VMCS(MSR_IA32_SYSENTER_CS, GUEST_SYSENTER_CS, fits_32_bits),
	VMCS(MSR_IA32_SYSENTER_ESP, GUEST_SYSENTER_ESP, is_canonical),
	VMCS(MSR_IA32_SYSENTER_EIP, GUEST_SYSENTER_EIP, is_canonical),
	ROW(MSR_IA32_DEBUGCTLMSR, MSR_DEBUG_CONTROL, is_debugctl),
	STATE(MSR_KERNEL_GS_BASE, kernel_gs_base, is_canonical),
	STATE(MSR_STAR, star, any_value),
	STATE(MSR_LSTAR, lstar, is_canonical),
	STATE(MSR_CSTAR, cstar, is_canonical),
	STATE(MSR_SYSCALL_MASK, fmask, fits_32_bits),
	ROW(MSR_TSC_AUX, MSR_TSC_AUXILIARY, fits_32_bits),
	STATE(MSR_IA32_MISC_ENABLE, misc_enable, is_misc_enable),
	STATE(MSR_IA32_UCODE_REV, ucode_revision, any_value, .access = MSR_WRITE_IGNORED),
	STATE(MSR_IA32_PLATFORM_ID, platform_id, any_value, .access = MSR_READ_ONLY),
};

/* x2APIC registers (SDM 3A 11.12.1.2); lapic.c knows each. */
static const struct msr_row apic_row = ROW(0x800, MSR_APIC_REGISTER, any_value);

/**
 * msr_find() - the row of an MSR
 * @index: its address
 *
 * Returns NULL when the guest has no such MSR.
 */
const struct msr_row *msr_find(u32 index)
{
	unsigned int i;

	if (index >> 8 == 8)
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
	msr->ucode_revision = UCODE_REVISION;
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
	mvm_msr_bitmap_pass(bitmap, MSR_FS_BASE, true, true);
	mvm_msr_bitmap_pass(bitmap, MSR_GS_BASE, true, true);
	mvm_msr_bitmap_pass(bitmap, MSR_IA32_SYSENTER_CS, true, true);
	mvm_msr_bitmap_pass(bitmap, MSR_IA32_SYSENTER_ESP, true, true);
	mvm_msr_bitmap_pass(bitmap, MSR_IA32_SYSENTER_EIP, true, true);
	mvm_msr_bitmap_pass(bitmap, MSR_IA32_CR_PAT, true, true);
	mvm_msr_bitmap_pass(bitmap, MSR_EFER, true, false);
	mvm_msr_bitmap_pass(bitmap, MSR_IA32_TSC, true, false);
}

/**
 * mvm_msr_bitmap_pass() - which accesses to an MSR go without an exit
 * @bitmap: MSR bitmap (SDM 3C 25.6.9): 1 KiB each for reads of MSRs from 0,
 *	    reads from 0xc0000000, writes from 0 and writes from 0xc0000000;
 *	    a bit that is 1 makes an exit
 * @index: the MSR; nothing happens if it is in neither range
 * @read: reads go without an exit
 * @write: writes go without an exit
 */
void mvm_msr_bitmap_pass(unsigned long *bitmap, u32 index, bool read, bool write)
{
	u32 bit = index & 0x1fff;

	if (index - bit == 0xc0000000)
		bit += 0x400 * 8;
	else if (index - bit)
		return;
	__assign_bit(bit, bitmap, !read);
	__assign_bit(bit + 0x800 * 8, bitmap, !write);
}
