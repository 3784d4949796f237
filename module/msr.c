// SPDX-License-Identifier: GPL-2.0-only
/*
 * msr.c - which MSRs a guest has, and what RDMSR and WRMSR of each do.
 *
 * One table row per MSR.  What is not in the table does not exist: #GP, or an
 * exit to user space if the VM's policy says so.  MSRs that a guest reads
 * although CPUID hides their feature are not missing by accident:
 * FEATURE_CONTROL, SPEC_CTRL, PRED_CMD, ARCH_CAPABILITIES, MTRRs, MCG_*, XSS,
 * PLATFORM_INFO and performance counters fault, and operating systems probe
 * for that.
 *
 * The MSR bitmap lets the guest reach without an exit what entry and exit, or
 * the window, switch anyway.
 */
#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include "cpuid.h"
#include "cr.h"
#include "lapic.h"
#include "msr.h"
#include "run.h"
#include "vcpu.h"
#include "vm.h"
#include "vmx_ops.h"

#define X2APIC_FIRST		0x800
#define X2APIC_LAST		0x8ff

/*
 * IA32_MISC_ENABLE: fast strings on, branch trace and PEBS not there.  Only the
 * first can be changed; it changes nothing.
 */
#define MISC_ENABLE_VALUE	(MSR_IA32_MISC_ENABLE_FAST_STRING |	\
				 MSR_IA32_MISC_ENABLE_BTS_UNAVAIL |	\
				 MSR_IA32_MISC_ENABLE_PEBS_UNAVAIL)

/* The microcode revision is in the upper half (SDM 3A 10.11.7). */
#define UCODE_REVISION		(1ULL << 32)

/* Checks of a value; the CPU would fault on what they refuse. */
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

/* SDM 3A 12.12.2: types 2 and 3 and those above 7 are reserved. */
static bool is_pat(u64 data)
{
	u64 types = data & 0x0707070707070707ULL;

	if (types != data)
		return false;
	/* bit 1 without bit 2: types 2 and 3 */
	return !((data & ~(data >> 1)) & 0x0202020202020202ULL);
}

static bool is_misc_enable(u64 data)
{
	return (data | MSR_IA32_MISC_ENABLE_FAST_STRING) == MISC_ENABLE_VALUE;
}

/* BTF belongs to single stepping and needs nothing else; LBRs are not there. */
static bool is_debugctl(u64 data)
{
	return !(data & ~(u64)(DEBUGCTLMSR_BTF | DEBUGCTLMSR_LBR));
}

/* Where the value of an MSR is. */
enum msr_home {
	HOME_STATE,		/* struct mvm_msr_state, at offset @place */
	HOME_VMCS,		/* VMCS field @place */
	HOME_NONE,		/* computed by @read and @write */
};

enum msr_access {
	READ_WRITE,
	READ_ONLY,		/* the guest's write faults, user space's does not */
	WRITE_IGNORED,		/* the guest's write does nothing */
};

/**
 * struct msr_row - an MSR
 * @index:	its address
 * @home:	where its value is
 * @place:	and where there
 * @access:	what the guest may do
 * @valid:	check of a value to be written
 * @read:	instead of reading @place; cannot fail
 * @write:	instead of writing @place; 0 or nonzero for #GP
 *
 * @valid was called before @write; @host: user space writes, not the guest.
 */
struct msr_row {
	u32 index;
	enum msr_home home;
	u32 place;
	enum msr_access access;
	bool (*valid)(u64 data);
	u64 (*read)(struct mvm_vcpu *vcpu);
	int (*write)(struct mvm_vcpu *vcpu, u64 data, bool host);
};

static u64 read_tsc(struct mvm_vcpu *vcpu)
{
	return mvm_vcpu_tsc(vcpu);
}

/*
 * Move the vCPU's TSC.  The APIC timer counts on a clock of its own: a count in
 * progress keeps its length, a deadline comes nearer or goes away.
 */
static void shift_tsc(struct mvm_vcpu *vcpu, u64 delta)
{
	lapic_timer_shift(&vcpu->lapic, delta);
	mvm_vcpu_update_timer(vcpu);
	vcpu->msr.reopen = true;
}

/*
 * The guest's write moves its TSC_ADJUST too (SDM 3B 18.17.3).  User space sets
 * the clock of the whole VM, so that restored vCPUs stay in step: TSC_ADJUST
 * first, then the TSC of one vCPU.
 */
static int write_tsc(struct mvm_vcpu *vcpu, u64 data, bool host)
{
	u64 delta = data - mvm_vcpu_tsc(vcpu);

	if (host)
		WRITE_ONCE(vcpu->vm->tsc_offset, vcpu->vm->tsc_offset + delta);
	else
		vcpu->msr.tsc_adjust += delta;
	shift_tsc(vcpu, delta);
	return 0;
}

static int write_tsc_adjust(struct mvm_vcpu *vcpu, u64 data, bool host)
{
	u64 delta = data - vcpu->msr.tsc_adjust;

	vcpu->msr.tsc_adjust = data;
	shift_tsc(vcpu, delta);
	return 0;
}

static u64 read_deadline(struct mvm_vcpu *vcpu)
{
	return lapic_deadline_read(&vcpu->lapic, mvm_vcpu_tsc(vcpu));
}

static int write_deadline(struct mvm_vcpu *vcpu, u64 data, bool host)
{
	struct lapic_effect effect;

	lapic_deadline_write(&vcpu->lapic, data, mvm_vcpu_tsc(vcpu), &effect);
	mvm_vcpu_lapic_effect(vcpu, &effect);
	return 0;
}

static u64 read_apic_base(struct mvm_vcpu *vcpu)
{
	return vcpu->lapic.base;
}

static int write_apic_base(struct mvm_vcpu *vcpu, u64 data, bool host)
{
	bool x2apic = mvm_cpuid_has(&vcpu->cpuid, 1, 0, MVM_ECX,
				    X86_FEATURE_X2APIC & 31);
	struct lapic_effect effect;

	if (lapic_set_base(&vcpu->lapic, data, !host, x2apic,
			   mvm_cpuid_phys_bits(&vcpu->cpuid), &effect))
		return MVM_MSR_FAULT;
	mvm_vcpu_lapic_effect(vcpu, &effect);
	mvm_cpuid_refresh(&vcpu->cpuid, mvm_guest_cr4(), vcpu->xcr0, data,
			  vcpu->id);
	return 0;
}

static int write_efer(struct mvm_vcpu *vcpu, u64 data, bool host)
{
	return mvm_set_efer(vcpu, data);
}

static int write_debugctl(struct mvm_vcpu *vcpu, u64 data, bool host)
{
	return vmcs_write64(VMCS_GUEST_DEBUGCTL, data & DEBUGCTLMSR_BTF);
}

/* Without RDTSCP and RDPID the MSR does not exist. */
static int write_tsc_aux(struct mvm_vcpu *vcpu, u64 data, bool host)
{
	if (!vcpu->msr.swap_tsc_aux && !host)
		return MVM_MSR_FAULT;
	vcpu->msr.tsc_aux = data;
	vcpu->msr.reopen = true;
	return 0;
}

#define STATE(index_, field, valid_, ...)				\
	{								\
		.index = index_, .home = HOME_STATE, .valid = valid_,	\
		.place = offsetof(struct mvm_msr_state, field),		\
		__VA_ARGS__						\
	}
#define VMCS(index_, field, valid_, ...)				\
	{								\
		.index = index_, .home = HOME_VMCS, .valid = valid_,	\
		.place = VMCS_##field, __VA_ARGS__			\
	}
#define COMPUTED(index_, read_, write_)					\
	{								\
		.index = index_, .home = HOME_NONE, .valid = any_value,	\
		.read = read_, .write = write_				\
	}

/* Searched from the top: those that running guests use come first. */
static const struct msr_row msr_rows[] = {
	COMPUTED(MSR_IA32_TSC_DEADLINE, read_deadline, write_deadline),
	STATE(MSR_IA32_TSC_ADJUST, tsc_adjust, any_value,
	      .write = write_tsc_adjust),
	COMPUTED(MSR_IA32_TSC, read_tsc, write_tsc),
	COMPUTED(MSR_IA32_APICBASE, read_apic_base, write_apic_base),
	VMCS(MSR_EFER, GUEST_EFER, any_value, .write = write_efer),
	VMCS(MSR_IA32_CR_PAT, GUEST_PAT, is_pat),
	VMCS(MSR_FS_BASE, GUEST_FS_BASE, is_canonical),
	VMCS(MSR_GS_BASE, GUEST_GS_BASE, is_canonical),
	VMCS(MSR_IA32_SYSENTER_CS, GUEST_SYSENTER_CS, fits_32_bits),
	VMCS(MSR_IA32_SYSENTER_ESP, GUEST_SYSENTER_ESP, is_canonical),
	VMCS(MSR_IA32_SYSENTER_EIP, GUEST_SYSENTER_EIP, is_canonical),
	VMCS(MSR_IA32_DEBUGCTLMSR, GUEST_DEBUGCTL, is_debugctl,
	     .write = write_debugctl),
	STATE(MSR_KERNEL_GS_BASE, kernel_gs_base, is_canonical),
	STATE(MSR_STAR, star, any_value),
	STATE(MSR_LSTAR, lstar, is_canonical),
	STATE(MSR_CSTAR, cstar, is_canonical),
	STATE(MSR_SYSCALL_MASK, fmask, fits_32_bits),
	STATE(MSR_TSC_AUX, tsc_aux, fits_32_bits, .write = write_tsc_aux),
	STATE(MSR_IA32_MISC_ENABLE, misc_enable, is_misc_enable),
	STATE(MSR_IA32_UCODE_REV, ucode_revision, any_value,
	      .access = WRITE_IGNORED),
	STATE(MSR_IA32_PLATFORM_ID, platform_id, any_value,
	      .access = READ_ONLY),
};

static const struct msr_row *find_row(u32 index)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(msr_rows); i++) {
		if (msr_rows[i].index == index)
			return &msr_rows[i];
	}
	return NULL;
}

static u64 *state_place(struct mvm_vcpu *vcpu, const struct msr_row *row)
{
	return (u64 *)((char *)&vcpu->msr + row->place);
}

static int read_row(struct mvm_vcpu *vcpu, u32 index, u64 *data)
{
	const struct msr_row *row;

	if (index >= X2APIC_FIRST && index <= X2APIC_LAST)
		return lapic_msr_read(&vcpu->lapic, index, mvm_vcpu_tsc(vcpu),
				      data) ? MVM_MSR_FAULT : MVM_MSR_OK;
	row = find_row(index);
	if (!row)
		return MVM_MSR_FORWARD;
	if (index == MSR_TSC_AUX && !vcpu->msr.swap_tsc_aux)
		return MVM_MSR_FAULT;
	if (row->read)
		*data = row->read(vcpu);
	else if (row->home == HOME_STATE)
		*data = *state_place(vcpu, row);
	else
		*data = __vmcs_read(row->place);
	return MVM_MSR_OK;
}

static int write_row(struct mvm_vcpu *vcpu, u32 index, u64 data, bool host)
{
	const struct msr_row *row;
	struct lapic_effect effect;

	if (index >= X2APIC_FIRST && index <= X2APIC_LAST) {
		if (lapic_msr_write(&vcpu->lapic, index, data,
				    mvm_vcpu_tsc(vcpu), &effect))
			return MVM_MSR_FAULT;
		mvm_vcpu_lapic_effect(vcpu, &effect);
		return MVM_MSR_OK;
	}
	row = find_row(index);
	if (!row)
		return MVM_MSR_FORWARD;
	if (!host && row->access == WRITE_IGNORED)
		return MVM_MSR_OK;
	if ((!host && row->access == READ_ONLY) || !row->valid(data))
		return MVM_MSR_FAULT;
	if (row->write)
		return row->write(vcpu, data, host) ? MVM_MSR_FAULT : MVM_MSR_OK;
	if (row->home == HOME_STATE)
		*state_place(vcpu, row) = data;
	else
		__vmcs_write(row->place, data);
	return MVM_MSR_OK;
}

/* What an MSR that nobody knows does. */
static int unknown(struct mvm_vcpu *vcpu, int result)
{
	if (result == MVM_MSR_FORWARD &&
	    READ_ONCE(vcpu->vm->msr_policy) != MVM_MSR_POLICY_FORWARD)
		return MVM_MSR_FAULT;
	return result;
}

/**
 * mvm_msr_read() - the guest executes RDMSR
 * @vcpu: vCPU whose window is open
 * @index: ECX
 * @data: out, after MVM_MSR_OK
 *
 * Returns enum mvm_msr_result.
 */
int mvm_msr_read(struct mvm_vcpu *vcpu, u32 index, u64 *data)
{
	return unknown(vcpu, read_row(vcpu, index, data));
}

/**
 * mvm_msr_write() - the guest executes WRMSR
 * @vcpu: vCPU whose window is open
 * @index: ECX
 * @data: EDX:EAX
 *
 * Returns enum mvm_msr_result.
 */
int mvm_msr_write(struct mvm_vcpu *vcpu, u32 index, u64 data)
{
	return unknown(vcpu, write_row(vcpu, index, data, false));
}

/**
 * mvm_msr_get() - user space reads an MSR of a stopped vCPU
 * @vcpu: vCPU with a VMCS access window
 * @index: its address
 * @data: out, after MVM_MSR_OK
 *
 * Returns MVM_MSR_OK or MVM_MSR_FAULT.
 */
int mvm_msr_get(struct mvm_vcpu *vcpu, u32 index, u64 *data)
{
	return read_row(vcpu, index, data) ? MVM_MSR_FAULT : MVM_MSR_OK;
}

/**
 * mvm_msr_set() - user space writes an MSR of a stopped vCPU
 * @vcpu: vCPU with a VMCS access window
 * @index: its address
 * @data: value
 *
 * Returns MVM_MSR_OK or MVM_MSR_FAULT.
 */
int mvm_msr_set(struct mvm_vcpu *vcpu, u32 index, u64 data)
{
	return write_row(vcpu, index, data, true) ? MVM_MSR_FAULT : MVM_MSR_OK;
}

/**
 * mvm_msr_known() - is there such an MSR, and may it hold this value
 * @index: its address
 * @data: value
 *
 * Pure, for tests; x2APIC registers are lapic.c's.
 */
bool mvm_msr_known(u32 index, u64 data)
{
	const struct msr_row *row = find_row(index);

	return row && row->valid(data);
}

/**
 * mvm_set_efer() - write EFER (SDM 3A 2.2.1, SDM 2B WRMSR)
 * @vcpu: vCPU with a window
 * @efer: value; LMA is the CPU's and keeps what it has
 *
 * Returns MVM_MSR_OK or MVM_MSR_FAULT.
 */
int mvm_set_efer(struct mvm_vcpu *vcpu, u64 efer)
{
	u64 old = vmcs_read64(VMCS_GUEST_EFER);

	if (efer & ~mvm_cpuid_efer_allowed(&vcpu->cpuid))
		return MVM_MSR_FAULT;
	if ((efer ^ old) & EFER_LME &&
	    vmcs_read_natural(VMCS_GUEST_CR0) & X86_CR0_PG)
		return MVM_MSR_FAULT;

	efer = (efer & ~EFER_LMA) | (old & EFER_LMA);
	vmcs_write64(VMCS_GUEST_EFER, efer);
	mvm_msr_update_swaps(vcpu, efer);
	/* Translations depend on NX (SDM 3A 4.10.2.2). */
	if ((efer ^ old) & EFER_NX) {
		vcpu->cr.flush = true;
		vcpu->msr.reopen = true;
	}
	return MVM_MSR_OK;
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
void mvm_msr_bitmap_pass(unsigned long *bitmap, u32 index, bool read,
			 bool write)
{
	u32 bit = index & 0x1fff;

	if (index - bit == 0xc0000000)
		bit += 0x400 * 8;
	else if (index - bit)
		return;
	assign_bit(bit, bitmap, !read);
	assign_bit(bit + 0x800 * 8, bitmap, !write);
}

/**
 * mvm_msr_update_swaps() - after a change of EFER or of the CPUID table
 * @vcpu: its runner calls this, in or outside a window
 * @efer: EFER
 *
 * Once a guest has been able to execute SWAPGS or SYSCALL the MSRs behind them
 * stay its own.
 */
void mvm_msr_update_swaps(struct mvm_vcpu *vcpu, u64 efer)
{
	static const u32 syscall_msrs[] = {
		MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SYSCALL_MASK,
	};
	struct mvm_msr_state *msr = &vcpu->msr;
	unsigned int i;

	if (efer & EFER_LME && !msr->swap_kernel_gs) {
		msr->swap_kernel_gs = true;
		msr->reopen = true;
		mvm_msr_bitmap_pass(vcpu->msr_bitmap, MSR_KERNEL_GS_BASE, true,
				    true);
	}
	if (efer & EFER_SCE && !msr->swap_syscall) {
		msr->swap_syscall = true;
		msr->reopen = true;
		for (i = 0; i < ARRAY_SIZE(syscall_msrs); i++)
			mvm_msr_bitmap_pass(vcpu->msr_bitmap, syscall_msrs[i],
					    true, true);
	}
	msr->swap_tsc_aux =
		mvm_cpuid_has(&vcpu->cpuid, 0x80000001, 0, MVM_EDX,
			      X86_FEATURE_RDTSCP & 31) ||
		mvm_cpuid_has(&vcpu->cpuid, 7, 0, MVM_ECX,
			      X86_FEATURE_RDPID & 31);
}
