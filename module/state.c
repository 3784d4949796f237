// SPDX-License-Identifier: GPL-2.0-only
/*
 * state.c - read and write the registers of a stopped vCPU: the ioctls that a
 * debugger, a boot loader or a snapshot uses.
 *
 * vcpu.c calls the handlers under vcpu->lock while the vCPU is stopped, in the
 * owner's process.  They check everything that they are given before they
 * change anything.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/mini_vm.h>
#include <asm/debugreg.h>
#include <asm/processor-flags.h>
#include <asm/special_insns.h>
#include "caps.h"
#include "cpuid.h"
#include "cr.h"
#include "cr_rules.h"
#include "inject.h"
#include "lapic.h"
#include "msr.h"
#include "run.h"
#include "state.h"
#include "vcpu.h"
#include "vm.h"
#include "vmx_ops.h"
#include "window.h"

/* XSAVE image, standard format (SDM 1 13.4) */
#define XSAVE_MXCSR		24
#define XSAVE_BV		512
#define XSAVE_RESERVED		520	/* XCOMP_BV and the rest of the header */
#define XSAVE_RESERVED_END	576

/* ------------------------------------------------------------------------
 * System registers
 */

/* Segment fields follow each other in the VMCS in this order, two apart. */
enum { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR, SEGS };

static_assert(VMCS_GUEST_TR_SELECTOR == VMCS_GUEST_ES_SELECTOR + 2 * SEG_TR);
static_assert(VMCS_GUEST_TR_BASE == VMCS_GUEST_ES_BASE + 2 * SEG_TR);
static_assert(VMCS_GUEST_TR_LIMIT == VMCS_GUEST_ES_LIMIT + 2 * SEG_TR);
static_assert(VMCS_GUEST_TR_ACCESS == VMCS_GUEST_ES_ACCESS + 2 * SEG_TR);

/* Where each is in struct mvm_sregs. */
static const u16 segment_offsets[SEGS] = {
	[SEG_ES] = offsetof(struct mvm_sregs, es),
	[SEG_CS] = offsetof(struct mvm_sregs, cs),
	[SEG_SS] = offsetof(struct mvm_sregs, ss),
	[SEG_DS] = offsetof(struct mvm_sregs, ds),
	[SEG_FS] = offsetof(struct mvm_sregs, fs),
	[SEG_GS] = offsetof(struct mvm_sregs, gs),
	[SEG_LDTR] = offsetof(struct mvm_sregs, ldt),
	[SEG_TR] = offsetof(struct mvm_sregs, tr),
};

static struct mvm_segment *segment(const struct mvm_sregs *sregs, unsigned int i)
{
	return (struct mvm_segment *)((char *)sregs + segment_offsets[i]);
}

/**
 * mvm_state_fill_sregs() - the system registers
 * @vcpu: vCPU whose window, or VMCS access window, is open
 * @out: everything is written; size and flags become 0
 */
void mvm_state_fill_sregs(struct mvm_vcpu *vcpu, struct mvm_sregs *out)
{
	unsigned int i;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < SEGS; i++) {
		struct mvm_segment *s = segment(out, i);

		s->selector = __vmcs_read(VMCS_GUEST_ES_SELECTOR + 2 * i);
		s->base = __vmcs_read(VMCS_GUEST_ES_BASE + 2 * i);
		s->limit = __vmcs_read(VMCS_GUEST_ES_LIMIT + 2 * i);
		s->access = __vmcs_read(VMCS_GUEST_ES_ACCESS + 2 * i);
	}
	out->gdt.base = vmcs_read_natural(VMCS_GUEST_GDTR_BASE);
	out->gdt.limit = vmcs_read32(VMCS_GUEST_GDTR_LIMIT);
	out->idt.base = vmcs_read_natural(VMCS_GUEST_IDTR_BASE);
	out->idt.limit = vmcs_read32(VMCS_GUEST_IDTR_LIMIT);
	out->cr0 = mvm_guest_cr0();
	/* In a running window the guest's CR2 is in the CPU. */
	out->cr2 = READ_ONCE(vcpu->mode) == MVM_IN_WINDOW ? native_read_cr2() : vcpu->cr2;
	out->cr3 = vmcs_read_natural(VMCS_GUEST_CR3);
	out->cr4 = mvm_guest_cr4();
	out->cr8 = lapic_cr8(&vcpu->lapic);
	out->efer = vmcs_read64(VMCS_GUEST_EFER);
	out->apic_base = vcpu->lapic.base;
	out->xcr0 = vcpu->xcr0;
	memcpy(out->dr, vcpu->dr, sizeof(out->dr));
	out->dr6 = vcpu->dr6;
	out->dr7 = vmcs_read_natural(VMCS_GUEST_DR7);
}

static void get_sregs(struct mvm_vcpu *vcpu, void *out)
{
	mvm_state_fill_sregs(vcpu, out);
}

/**
 * mvm_ioctl_get_sregs() - MVM_GET_SREGS
 * @vcpu: stopped vCPU, its lock is held
 * @args: struct mvm_sregs
 *
 * Returns 0, -EINVAL or -EIO.
 */
int mvm_ioctl_get_sregs(struct mvm_vcpu *vcpu, void *args)
{
	struct mvm_sregs *sregs = args;

	if (sregs->flags)
		return -EINVAL;
	return mvm_window_access(vcpu, get_sregs, sregs);
}

static void set_sregs(struct mvm_vcpu *vcpu, void *in)
{
	const struct mvm_sregs *sregs = in;
	unsigned int i;

	for (i = 0; i < SEGS; i++) {
		const struct mvm_segment *s = segment(sregs, i);

		__vmcs_write(VMCS_GUEST_ES_SELECTOR + 2 * i, s->selector);
		__vmcs_write(VMCS_GUEST_ES_BASE + 2 * i, s->base);
		__vmcs_write(VMCS_GUEST_ES_LIMIT + 2 * i, s->limit);
		__vmcs_write(VMCS_GUEST_ES_ACCESS + 2 * i, s->access);
	}
	vmcs_write_natural(VMCS_GUEST_GDTR_BASE, sregs->gdt.base);
	vmcs_write32(VMCS_GUEST_GDTR_LIMIT, sregs->gdt.limit);
	vmcs_write_natural(VMCS_GUEST_IDTR_BASE, sregs->idt.base);
	vmcs_write32(VMCS_GUEST_IDTR_LIMIT, sregs->idt.limit);
	mvm_set_guest_crs(vcpu, sregs->cr0, sregs->cr3, sregs->cr4, sregs->efer);
	vmcs_write_natural(VMCS_GUEST_DR7, mvm_dr7(sregs->dr7));
}

static bool sregs_ok(struct mvm_vcpu *vcpu, const struct mvm_sregs *sregs)
{
	unsigned int i;

	if (sregs->flags || memchr_inv(sregs->gdt.reserved, 0, sizeof(sregs->gdt.reserved)) ||
	    memchr_inv(sregs->idt.reserved, 0, sizeof(sregs->idt.reserved)))
		return false;
	for (i = 0; i < SEGS; i++) {
		const struct mvm_segment *s = segment(sregs, i);

		if (memchr_inv(s->reserved, 0, sizeof(s->reserved)))
			return false;
	}
	return mvm_cr_valid(sregs->cr0, sregs->cr3, sregs->cr4, sregs->efer, &vcpu->cpuid) &&
	       sregs->cr8 <= 15 && mvm_state_xcr0_valid(vcpu, sregs->xcr0) && !(sregs->dr6 >> 32) &&
	       !(sregs->dr7 >> 32);
}

/**
 * mvm_ioctl_set_sregs() - MVM_SET_SREGS
 * @vcpu: stopped vCPU, its lock is held
 * @args: struct mvm_sregs
 *
 * Returns 0, -EINVAL or -EIO.
 */
int mvm_ioctl_set_sregs(struct mvm_vcpu *vcpu, void *args)
{
	const struct mvm_sregs *sregs = args;
	struct lapic_effect effect;

	if (!sregs_ok(vcpu, sregs) ||
	    mvm_state_set_apic_base(vcpu, sregs->apic_base, true, &effect))
		return -EINVAL;
	mvm_vcpu_lapic_effect(vcpu, &effect);
	lapic_set_cr8(&vcpu->lapic, sregs->cr8);
	vcpu->cr2 = sregs->cr2;
	vcpu->xcr0 = sregs->xcr0;
	memcpy(vcpu->dr, sregs->dr, sizeof(vcpu->dr));
	vcpu->dr6 = mvm_dr6(sregs->dr6);
	return mvm_window_access(vcpu, set_sregs, args);
}

/**
 * mvm_state_set_apic_base() - write IA32_APIC_BASE
 * @vcpu: vCPU
 * @base: value
 * @host: user space writes, not the guest
 * @effect: out: for mvm_vcpu_lapic_effect()
 *
 * mvm_state_refresh_cpuid() has to follow.  Returns 0, or -EINVAL and nothing
 * has changed.
 */
int mvm_state_set_apic_base(struct mvm_vcpu *vcpu, u64 base, bool host, struct lapic_effect *effect)
{
	return lapic_set_base(&vcpu->lapic, base, !host,
			      mvm_cpuid_has(&vcpu->cpuid, 1, 0, MVM_ECX, X86_FEATURE_X2APIC & 31),
			      mvm_cpuid_phys_bits(&vcpu->cpuid), effect);
}

/**
 * mvm_state_xcr0_valid() - may the guest load this into XCR0
 * @vcpu: vCPU
 * @xcr0: value
 */
bool mvm_state_xcr0_valid(struct mvm_vcpu *vcpu, u64 xcr0)
{
	/* Without XSAVE nobody can change it from its reset value. */
	return xcr0 == XFEATURE_MASK_FP || mvm_cpuid_xcr0_valid(&vcpu->cpuid, xcr0);
}

/**
 * mvm_state_refresh_cpuid() - CPUID follows the vCPU's registers
 * @vcpu: vCPU with a window
 */
void mvm_state_refresh_cpuid(struct mvm_vcpu *vcpu)
{
	mvm_cpuid_refresh(&vcpu->cpuid, mvm_guest_cr4(), vcpu->xcr0, vcpu->lapic.base, vcpu->id);
}

/* ------------------------------------------------------------------------
 * MSRs
 */

struct msr_batch {
	struct mvm_msr_entry *entries;
	u32 count;
	u32 done;
	bool set;
};

static void access_msrs(struct mvm_vcpu *vcpu, void *arg)
{
	struct msr_batch *access = arg;
	int ret;

	for (; access->done < access->count; access->done++) {
		struct mvm_msr_entry *entry = &access->entries[access->done];

		if (entry->reserved)
			return;
		ret = access->set ? mvm_msr_set(vcpu, entry->index, entry->data)
				  : mvm_msr_get(vcpu, entry->index, &entry->data);
		if (ret != MVM_MSR_OK)
			return;
	}
}

static int msrs(struct mvm_vcpu *vcpu, struct mvm_msrs *args, bool set)
{
	void __user *user = u64_to_user_ptr(args->entries);
	struct msr_batch access = { .count = args->count, .set = set };
	size_t bytes = args->count * sizeof(*access.entries);
	int ret;

	args->done = 0;
	if (args->flags || args->count > MVM_MSRS_MAX)
		return -EINVAL;
	if (!args->count)
		return 0;
	access.entries = memdup_user(user, bytes);
	if (IS_ERR(access.entries))
		return PTR_ERR(access.entries);
	ret = mvm_window_access(vcpu, access_msrs, &access);
	if (ret)
		goto free;
	args->done = access.done;
	if (access.done < access.count)
		ret = -EINVAL;
	bytes = access.done * sizeof(*access.entries);
	if (!set && copy_to_user(user, access.entries, bytes))
		ret = -EFAULT;
free:
	kfree(access.entries);
	return ret;
}

/**
 * mvm_ioctl_get_msrs() - MVM_GET_MSRS
 * @vcpu: stopped vCPU, its lock is held
 * @args: struct mvm_msrs; done is written also after an error
 *
 * Returns 0, -EINVAL, -EFAULT, -ENOMEM or -EIO.
 */
int mvm_ioctl_get_msrs(struct mvm_vcpu *vcpu, void *args)
{
	return msrs(vcpu, args, false);
}

/**
 * mvm_ioctl_set_msrs() - MVM_SET_MSRS
 * @vcpu: stopped vCPU, its lock is held
 * @args: struct mvm_msrs; done is written also after an error
 *
 * Returns 0, -EINVAL, -EFAULT, -ENOMEM or -EIO.
 */
int mvm_ioctl_set_msrs(struct mvm_vcpu *vcpu, void *args)
{
	return msrs(vcpu, args, true);
}

/* ------------------------------------------------------------------------
 * XSAVE image
 */

/* XRSTOR would fault on what this refuses (SDM 1 13.8, 13.8.1). */
static bool xsave_ok(const void *image)
{
	u64 bv;

	if (*(const u32 *)(image + XSAVE_MXCSR) & ~mvm_caps.mxcsr_mask)
		return false;
	if (!mvm_caps.xsave)
		return true;
	bv = *(const u64 *)(image + XSAVE_BV);
	return !(bv & ~mvm_caps.xcr0_mask) &&
	       !memchr_inv(image + XSAVE_RESERVED, 0, XSAVE_RESERVED_END - XSAVE_RESERVED);
}

/**
 * mvm_ioctl_get_xsave() - MVM_GET_XSAVE
 * @vcpu: stopped vCPU, its lock is held
 * @args: struct mvm_xsave
 *
 * Returns 0, -EINVAL or -EFAULT.
 */
int mvm_ioctl_get_xsave(struct mvm_vcpu *vcpu, void *args)
{
	const struct mvm_xsave *xsave = args;

	if (xsave->flags || xsave->reserved || xsave->length != mvm_xsave_size())
		return -EINVAL;
	if (copy_to_user(u64_to_user_ptr(xsave->buffer), vcpu->xsave, xsave->length))
		return -EFAULT;
	return 0;
}

/**
 * mvm_ioctl_set_xsave() - MVM_SET_XSAVE
 * @vcpu: stopped vCPU, its lock is held
 * @args: struct mvm_xsave
 *
 * Returns 0, -EINVAL, -EFAULT or -ENOMEM.
 */
int mvm_ioctl_set_xsave(struct mvm_vcpu *vcpu, void *args)
{
	const struct mvm_xsave *xsave = args;
	void *image;
	int ret = 0;

	if (xsave->flags || xsave->reserved || xsave->length != mvm_xsave_size())
		return -EINVAL;
	image = memdup_user(u64_to_user_ptr(xsave->buffer), xsave->length);
	if (IS_ERR(image))
		return PTR_ERR(image);
	if (xsave_ok(image))
		memcpy(vcpu->xsave, image, xsave->length);
	else
		ret = -EINVAL;
	kfree(image);
	return ret;
}

/* ------------------------------------------------------------------------
 * CPUID
 */

static int get_table(const struct mvm_cpuid_table *table, struct mvm_cpuid *args)
{
	u32 room = args->count;

	if (args->flags || args->reserved)
		return -EINVAL;
	args->count = table->count;
	if (room < table->count)
		return -E2BIG;
	if (copy_to_user(u64_to_user_ptr(args->entries), table->entries,
			 table->count * sizeof(table->entries[0])))
		return -EFAULT;
	return 0;
}

/**
 * mvm_ioctl_get_supported_cpuid() - MVM_GET_SUPPORTED_CPUID
 * @device: unused
 * @args: struct mvm_cpuid; count is written also after -E2BIG
 *
 * Returns 0, -EINVAL, -E2BIG or -EFAULT.
 */
long mvm_ioctl_get_supported_cpuid(void *device, void *args)
{
	return get_table(&mvm_supported_cpuid, args);
}

/**
 * mvm_ioctl_get_cpuid() - MVM_GET_CPUID
 * @vcpu: stopped vCPU, its lock is held
 * @args: struct mvm_cpuid; count is written also after -E2BIG
 *
 * Returns 0, -EINVAL, -E2BIG or -EFAULT.
 */
int mvm_ioctl_get_cpuid(struct mvm_vcpu *vcpu, void *args)
{
	return get_table(&vcpu->cpuid, args);
}

struct cpuid_change {
	const struct mvm_cpuid_table *table;
	int ret;
};

/* Registers that were set before must be possible with the new table. */
static void change_cpuid(struct mvm_vcpu *vcpu, void *arg)
{
	struct cpuid_change *change = arg;
	u64 cr4 = mvm_guest_cr4(), efer = vmcs_read64(VMCS_GUEST_EFER);

	if (!mvm_cr_valid(mvm_guest_cr0(), vmcs_read_natural(VMCS_GUEST_CR3), cr4, efer,
			  change->table) ||
	    (vcpu->xcr0 != XFEATURE_MASK_FP && !mvm_cpuid_xcr0_valid(change->table, vcpu->xcr0))) {
		change->ret = -EINVAL;
		return;
	}
	vcpu->cpuid = *change->table;
	mvm_state_refresh_cpuid(vcpu);
	mvm_cr_write_masks(vcpu);
	mvm_msr_update_swaps(vcpu, efer);
}

/**
 * mvm_ioctl_set_cpuid() - MVM_SET_CPUID
 * @vcpu: stopped vCPU, its lock is held
 * @args: struct mvm_cpuid
 *
 * Returns 0, -EBUSY, -EINVAL, -EFAULT, -ENOMEM or -EIO.
 */
int mvm_ioctl_set_cpuid(struct mvm_vcpu *vcpu, void *args)
{
	const struct mvm_cpuid *cpuid = args;
	struct mvm_cpuid_entry *entries;
	struct mvm_cpuid_table *table;
	struct cpuid_change change = {};
	int ret;

	if (cpuid->flags || cpuid->reserved || cpuid->count > MVM_CPUID_MAX)
		return -EINVAL;
	if (vcpu->last_cpu >= 0)	/* it has run */
		return -EBUSY;
	entries = memdup_user(u64_to_user_ptr(cpuid->entries), cpuid->count * sizeof(*entries));
	if (IS_ERR(entries))
		return PTR_ERR(entries);
	table = kmalloc(sizeof(*table), GFP_KERNEL_ACCOUNT);
	ret = -ENOMEM;
	if (!table)
		goto free_entries;
	ret = mvm_cpuid_set(table, &mvm_supported_cpuid, entries, cpuid->count);
	if (ret)
		goto free_table;
	change.table = table;
	ret = mvm_window_access(vcpu, change_cpuid, &change) ?: change.ret;
free_table:
	kfree(table);
free_entries:
	kfree(entries);
	return ret;
}

/* ------------------------------------------------------------------------
 * Events
 */

struct vmcs_events {
	u32 interruptibility;
	u64 pending_debug;
};

static void get_events(struct mvm_vcpu *vcpu, void *arg)
{
	struct vmcs_events *events = arg;

	events->interruptibility = vmcs_read32(VMCS_GUEST_INTERRUPTIBILITY);
	events->pending_debug = vmcs_read_natural(VMCS_GUEST_PENDING_DEBUG);
}

static void set_events(struct mvm_vcpu *vcpu, void *arg)
{
	const struct vmcs_events *events = arg;

	vmcs_write32(VMCS_GUEST_INTERRUPTIBILITY, events->interruptibility);
	vmcs_write_natural(VMCS_GUEST_PENDING_DEBUG, events->pending_debug);
}

/**
 * mvm_ioctl_get_events() - MVM_GET_EVENTS
 * @vcpu: stopped vCPU, its lock is held
 * @args: struct mvm_events
 *
 * Returns 0, -EINVAL or -EIO.
 */
int mvm_ioctl_get_events(struct mvm_vcpu *vcpu, void *args)
{
	const struct mvm_event *event = &vcpu->event;
	struct mvm_events *out = args;
	struct vmcs_events vmcs;
	int ret;

	if (out->flags)
		return -EINVAL;
	ret = mvm_window_access(vcpu, get_events, &vmcs);
	if (ret)
		return ret;
	*out = (struct mvm_events){
		.interruptibility = vmcs.interruptibility,
		.pending_debug = vmcs.pending_debug,
		.activity = vcpu->halted,
		.nmi_pending = vcpu->nmi_pending || test_bit(MVM_REQ_NMI, &vcpu->requests),
		.intr_line = READ_ONCE(vcpu->intr_line),
	};
	if (event->info) {
		out->event = (event->info & INTR_TYPE) >> 8;
		out->vector = event->info & INTR_VECTOR;
		out->has_error_code = !!(event->info & INTR_HAS_ERROR_CODE);
		out->error_code = out->has_error_code ? event->error_code : 0;
		if (out->event >= MVM_EVENT_SOFT_INT)
			out->insn_len = event->insn_len;
	} else if (vcpu->deferred_interrupt != MVM_NO_INTERRUPT) {
		out->event = MVM_EVENT_INTERRUPT;
		out->vector = vcpu->deferred_interrupt;
	}
	return 0;
}

/* What VM entry would refuse (SDM 3C 27.2.1.3, 27.3.1.5) */
static bool event_ok(const struct mvm_events *in)
{
	bool exception = in->event == MVM_EVENT_EXCEPTION;
	bool software = in->event >= MVM_EVENT_SOFT_INT;

	if (in->event > MVM_EVENT_SOFT_EXC || in->event == 1)
		return false;
	if (in->event == MVM_EVENT_NMI &&
	    (in->vector != VECTOR_NMI ||
	     in->interruptibility & (BLOCKED_BY_MOV_SS | BLOCKED_BY_NMI)))
		return false;
	if (exception && (in->vector > 31 || in->vector == VECTOR_NMI))
		return false;
	if (in->has_error_code > exception || in->error_code > (in->has_error_code ? U16_MAX : 0))
		return false;
	return software ? in->insn_len && in->insn_len <= 15 : !in->insn_len;
}

static bool events_ok(const struct mvm_events *in)
{
	const u32 blocking = BLOCKED_BY_STI | BLOCKED_BY_MOV_SS | BLOCKED_BY_NMI;
	const u32 both = BLOCKED_BY_STI | BLOCKED_BY_MOV_SS;
	/* B0 to B3, enabled breakpoint, BS */
	const u64 pending = 0xf | BIT(12) | BIT(14);

	return !in->flags && !in->reserved && event_ok(in) && !(in->interruptibility & ~blocking) &&
	       (in->interruptibility & both) != both && in->activity <= 1 && in->nmi_pending <= 1 &&
	       in->intr_line <= 1 && !(in->pending_debug & ~pending);
}

/**
 * mvm_ioctl_set_events() - MVM_SET_EVENTS
 * @vcpu: stopped vCPU, its lock is held
 * @args: struct mvm_events
 *
 * Returns 0, -EINVAL or -EIO.
 */
int mvm_ioctl_set_events(struct mvm_vcpu *vcpu, void *args)
{
	const struct mvm_events *in = args;
	struct vmcs_events vmcs = {
		.interruptibility = in->interruptibility,
		.pending_debug = in->pending_debug,
	};
	int ret;

	if (!events_ok(in))
		return -EINVAL;
	ret = mvm_window_access(vcpu, set_events, &vmcs);
	if (ret)
		return ret;

	vcpu->event = (struct mvm_event){};
	vcpu->deferred_interrupt = MVM_NO_INTERRUPT;
	if (in->event != MVM_EVENT_INTERRUPT)
		vcpu->event = (struct mvm_event){
			.info = in->vector | in->event << 8 | INTR_VALID |
				(in->has_error_code ? INTR_HAS_ERROR_CODE : 0),
			.error_code = in->error_code,
			.insn_len = in->insn_len,
		};
	else if (in->vector)
		vcpu->deferred_interrupt = in->vector;
	vcpu->halted = in->activity;
	clear_bit(MVM_REQ_NMI, &vcpu->requests);
	vcpu->nmi_pending = in->nmi_pending;
	WRITE_ONCE(vcpu->intr_line, in->intr_line);
	return 0;
}
