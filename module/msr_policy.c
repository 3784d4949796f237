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
#include <linux/bitmap.h>
#include <linux/kernel.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <asm/apicdef.h>
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

#define X2APIC_MSR(offset)	(MSR_APIC_FIRST + ((offset) >> 4))

/*
 * Checks of values.  What window.c loads into the CPU must be refused here if
 * the CPU would refuse it.
 */

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

#define STATE(index, member, ...) \
	{ index, .offset = offsetof(struct mvm_msr_state, member), __VA_ARGS__ }

/* Searched from the top: those that running guests use come first. */
static const struct msr_row msr_rows[] = {
	STATE(MSR_IA32_TSC_ADJUST, tsc_adjust),
	{ MSR_IA32_TSC_DEADLINE, .special = true },
	{ MSR_IA32_TSC, .special = true },
	{ MSR_IA32_APICBASE, .special = true },
	{ MSR_EFER, GUEST_IA32_EFER },
	{ MSR_IA32_CR_PAT, GUEST_IA32_PAT, .valid = is_pat },
	{ MSR_FS_BASE, GUEST_FS_BASE, .valid = is_canonical },
	{ MSR_GS_BASE, GUEST_GS_BASE, .valid = is_canonical },
	{ MSR_IA32_SYSENTER_CS, GUEST_SYSENTER_CS, .valid = fits_32_bits },
	{ MSR_IA32_SYSENTER_ESP, GUEST_SYSENTER_ESP, .valid = is_canonical },
	{ MSR_IA32_SYSENTER_EIP, GUEST_SYSENTER_EIP, .valid = is_canonical },
	{ MSR_IA32_DEBUGCTLMSR, GUEST_IA32_DEBUGCTL, .valid = is_debugctl },
	STATE(MSR_KERNEL_GS_BASE, kernel_gs_base, .valid = is_canonical),
	STATE(MSR_STAR, star),
	STATE(MSR_LSTAR, lstar, .valid = is_canonical),
	STATE(MSR_CSTAR, cstar, .valid = is_canonical),
	STATE(MSR_SYSCALL_MASK, fmask, .valid = fits_32_bits),
	STATE(MSR_TSC_AUX, tsc_aux, .valid = fits_32_bits, .special = true),
	STATE(MSR_IA32_MISC_ENABLE, misc_enable, .valid = is_misc_enable),
	STATE(MSR_IA32_UCODE_REV, ucode_revision, .write_ignored = true),
	STATE(MSR_IA32_PLATFORM_ID, platform_id, .read_only = true),
};

/* x2APIC registers (SDM 3A 11.12.1.2); lapic.c knows each. */
static const struct msr_row apic_row = { MSR_APIC_FIRST, .special = true };

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
	mvm_msr_bitmap_pass(bitmap, MSR_FS_BASE, 2, true);		/* and GS_BASE */
	mvm_msr_bitmap_pass(bitmap, MSR_IA32_SYSENTER_CS, 3, true);	/* ESP, EIP */
	mvm_msr_bitmap_pass(bitmap, MSR_IA32_CR_PAT, 1, true);
	mvm_msr_bitmap_pass(bitmap, MSR_EFER, 1, false);
	mvm_msr_bitmap_pass(bitmap, MSR_IA32_TSC, 1, false);
}

/* The bitmap's bit for reads; writes have theirs behind it. */
#define WRITES	(0x800 * 8)

static unsigned int bitmap_bit(u32 index)
{
	return (index & 0x1fff) + (index < 0xc0000000 ? 0 : 0x400 * 8);
}

/**
 * mvm_msr_bitmap_pass() - reads of MSRs go without an exit
 * @bitmap: MSR bitmap (SDM 3C 25.6.9): 1 KiB each for reads of MSRs from 0,
 *	    reads from 0xc0000000, writes from 0 and writes from 0xc0000000;
 *	    a bit that is 1 makes an exit
 * @index: the first of them, in one of the two ranges
 * @count: how many
 * @write: writes go without an exit, too
 */
void mvm_msr_bitmap_pass(unsigned long *bitmap, u32 index, unsigned int count, bool write)
{
	bitmap_clear(bitmap, bitmap_bit(index), count);
	if (write)
		bitmap_clear(bitmap, bitmap_bit(index) + WRITES, count);
}

/**
 * mvm_msr_bitmap_apic() - which x2APIC registers the CPU virtualizes (SDM 3C 30.5)
 * @bitmap: MSR bitmap
 * @tpr: reads and writes of TPR go without an exit; if not, they exit
 * @eoi: likewise writes of EOI
 * @self_ipi: likewise writes of SELF IPI
 *
 * No others: the CPU would write its own APIC's, and read as 0 what is not there.
 */
void mvm_msr_bitmap_apic(unsigned long *bitmap, bool tpr, bool eoi, bool self_ipi)
{
	__assign_bit(bitmap_bit(X2APIC_MSR(APIC_TASKPRI)), bitmap, !tpr);
	__assign_bit(bitmap_bit(X2APIC_MSR(APIC_TASKPRI)) + WRITES, bitmap, !tpr);
	__assign_bit(bitmap_bit(X2APIC_MSR(APIC_EOI)) + WRITES, bitmap, !eoi);
	__assign_bit(bitmap_bit(X2APIC_MSR(APIC_SELF_IPI)) + WRITES, bitmap, !self_ipi);
}
