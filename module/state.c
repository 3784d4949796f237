// SPDX-License-Identifier: GPL-2.0-only
/*
 * state.c - read and write the registers of a stopped vCPU: the ioctls that a
 * debugger, a boot loader or a snapshot uses.
 *
 * vcpu.c calls the handlers under vcpu->lock while the vCPU is stopped, in the
 * owner's process.  They check everything that they are given before they
 * change anything.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/fpu/types.h>
#include "inject.h"
#include "vmx_ops.h"

/* ------------------------------------------------------------------------
 * System registers
 */

/* Registers of struct mvm_sregs that are fields of the VMCS as they stand. */
#define SEGMENTS(OP)									\
	OP(cs, CS) OP(ds, DS) OP(es, ES) OP(fs, FS) OP(gs, GS) OP(ss, SS) OP(tr, TR)	\
	OP(ldt, LDTR)
#define TABLES(OP) OP(gdt, GDTR) OP(idt, IDTR)

/* One by one: each exit for MMIO reads them all. */
#define READ_TABLE(reg, name)								\
	out->reg.base = vmcs_read(GUEST_##name##_BASE);					\
	out->reg.limit = vmcs_read(GUEST_##name##_LIMIT);
#define READ_SEGMENT(reg, name) READ_TABLE(reg, name)					\
	out->reg.selector = vmcs_read(GUEST_##name##_SELECTOR);				\
	out->reg.access = vmcs_read(GUEST_##name##_AR_BYTES);

#define WRITE_TABLE(reg, name)								\
	vmcs_write(GUEST_##name##_BASE, sregs->reg.base);				\
	vmcs_write(GUEST_##name##_LIMIT, sregs->reg.limit);
#define WRITE_SEGMENT(reg, name) WRITE_TABLE(reg, name)					\
	vmcs_write(GUEST_##name##_SELECTOR, sregs->reg.selector);			\
	vmcs_write(GUEST_##name##_AR_BYTES, sregs->reg.access);

#define RESERVED(reg, name)								\
	| sregs->reg.reserved[0] | sregs->reg.reserved[1] | sregs->reg.reserved[2]

/**
 * mvm_state_fill_sregs() - the system registers
 * @vcpu: vCPU whose window, or VMCS access window, is open
 * @sregs: struct mvm_sregs: everything is written; size and flags become 0
 */
void mvm_state_fill_sregs(struct mvm_vcpu *vcpu, void *sregs)
{
	struct mvm_sregs *out = sregs;

	memset(out, 0, sizeof(*out));
	SEGMENTS(READ_SEGMENT)
	TABLES(READ_TABLE)
	out->dr7 = vmcs_read(GUEST_DR7);
	out->cr0 = mvm_guest_cr0();
	/* In a running window the guest's CR2 is in the CPU. */
	out->cr2 = READ_ONCE(vcpu->in_window) ? native_read_cr2() : vcpu->cr2;
	out->cr3 = vmcs_read(GUEST_CR3);
	out->cr4 = mvm_guest_cr4();
	out->cr8 = lapic_cr8(&vcpu->lapic);
	out->efer = vmcs_read(GUEST_IA32_EFER);
	out->apic_base = vcpu->lapic.base;
	out->xcr0 = vcpu->xcr0;
	memcpy(out->dr, vcpu->dr, sizeof(out->dr));
	out->dr6 = vcpu->dr6;
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
	return mvm_window_access(vcpu, mvm_state_fill_sregs, args);
}

static void set_sregs(struct mvm_vcpu *vcpu, void *in)
{
	const struct mvm_sregs *sregs = in;

	SEGMENTS(WRITE_SEGMENT)
	TABLES(WRITE_TABLE)
	vmcs_write(GUEST_DR7, sregs->dr7);
	mvm_set_guest_crs(vcpu, sregs->cr0, sregs->cr3, sregs->cr4, sregs->efer);
}

/* Can a vCPU with this CPUID have these control registers? */
static bool sregs_fit(const struct mvm_sregs *sregs, const struct mvm_cpuid_table *table)
{
	return mvm_cr_valid(sregs->cr0, sregs->cr3, sregs->cr4, sregs->efer, table) &&
	       mvm_cpuid_xcr0_valid(table, sregs->xcr0);
}

static bool sregs_ok(struct mvm_vcpu *vcpu, const struct mvm_sregs *sregs)
{
	if (0 SEGMENTS(RESERVED) TABLES(RESERVED))
		return false;
	return sregs_fit(sregs, &vcpu->cpuid) && sregs->cr8 <= 15 && !(sregs->dr6 >> 32) &&
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
	struct mvm_sregs *sregs = args;

	if (!sregs_ok(vcpu, sregs) || mvm_state_set_apic_base(vcpu, sregs->apic_base, true))
		return -EINVAL;
	lapic_set_cr8(&vcpu->lapic, sregs->cr8);
	vcpu->cr2 = sregs->cr2;
	vcpu->xcr0 = sregs->xcr0;
	memcpy(vcpu->dr, sregs->dr, sizeof(vcpu->dr));
	vcpu->dr6 = mvm_dr6(sregs->dr6);
	sregs->dr7 = mvm_dr7(sregs->dr7);
	return mvm_window_access(vcpu, set_sregs, sregs);
}

/**
 * mvm_state_set_apic_base() - write IA32_APIC_BASE
 * @vcpu: vCPU
 * @base: value
 * @host: user space writes, not the guest
 *
 * mvm_state_refresh_cpuid() and mvm_vcpu_lapic_effect() have to follow.  Returns
 * 0, or -EINVAL and nothing has changed.
 */
int mvm_state_set_apic_base(struct mvm_vcpu *vcpu, u64 base, bool host)
{
	bool x2apic = mvm_cpuid_find(&vcpu->cpuid, 1, 0)->ecx & CPUID_BIT(X2APIC);

	return lapic_set_base(&vcpu->lapic, base, !host, x2apic,
			      mvm_cpuid_phys_bits(&vcpu->cpuid));
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
	struct mvm_msrs *args;
	struct mvm_msr_entry *entries;
	bool set;
};

/* Up to the first that fails: args->done counts. */
static void access_msrs(struct mvm_vcpu *vcpu, void *arg)
{
	const struct msr_batch *batch = arg;
	u32 *done = &batch->args->done;

	for (; *done < batch->args->count; ++*done) {
		struct mvm_msr_entry *entry = &batch->entries[*done];

		if (entry->reserved ||
		    (batch->set ? mvm_msr_write(vcpu, entry->index, entry->data, true)
				: mvm_msr_read(vcpu, entry->index, &entry->data)))
			return;
		mvm_vcpu_lapic_effect(vcpu);
	}
}

static int msrs(struct mvm_vcpu *vcpu, struct mvm_msrs *args, bool set)
{
	struct msr_batch batch = { .args = args, .set = set };
	void __user *user = u64_to_user_ptr(args->entries);
	size_t bytes = sizeof(*batch.entries);
	int ret;

	args->done = 0;
	if (args->count > MVM_MSRS_MAX)
		return -EINVAL;
	batch.entries = memdup_user(user, args->count * bytes);
	if (IS_ERR(batch.entries))
		return PTR_ERR(batch.entries);
	ret = mvm_window_access(vcpu, access_msrs, &batch);
	if (!ret && args->done < args->count)
		ret = -EINVAL;
	if (!set && copy_to_user(user, batch.entries, args->done * bytes))
		ret = -EFAULT;
	kfree(batch.entries);
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

/* Every CPU with VMX has DAZ; the upper half is reserved (SDM 1 10.2.3). */
#define MXCSR_DEFINED	0xffffU

/* XRSTOR would fault on what this refuses (SDM 1 13.8, 13.8.1). */
static bool xsave_ok(const struct xregs_state *image)
{
	if (image->i387.mxcsr & ~MXCSR_DEFINED)
		return false;
	/* Only the components that there are, and the standard format. */
	return !mvm_caps.xcr0_mask ||
	       (!(image->header.xfeatures & ~mvm_caps.xcr0_mask) && !image->header.xcomp_bv &&
		!memchr_inv(image->header.reserved, 0, sizeof(image->header.reserved)));
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

	if (xsave->reserved || xsave->length != mvm_xsave_size())
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
	bool ok;

	if (xsave->reserved || xsave->length != mvm_xsave_size())
		return -EINVAL;
	image = memdup_user(u64_to_user_ptr(xsave->buffer), xsave->length);
	if (IS_ERR(image))
		return PTR_ERR(image);
	ok = xsave_ok(image);
	if (ok)
		memcpy(vcpu->xsave, image, xsave->length);
	kfree(image);
	return ok ? 0 : -EINVAL;
}

/* ------------------------------------------------------------------------
 * CPUID
 */

static int get_table(const struct mvm_cpuid_table *table, struct mvm_cpuid *args)
{
	u32 room = args->count;

	if (args->reserved)
		return -EINVAL;
	args->count = table->count;
	if (room < table->count)
		return -E2BIG;
	return copy_to_user(u64_to_user_ptr(args->entries), table->entries,
			    table->count * sizeof(table->entries[0])) ? -EFAULT : 0;
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
	struct mvm_cpuid_table *table;
	struct mvm_sregs sregs;
	int ret;

	if (cpuid->reserved || cpuid->count > MVM_CPUID_MAX)
		return -EINVAL;
	if (vcpu->last_cpu >= 0)	/* it has run */
		return -EBUSY;
	table = kzalloc(sizeof(*table), GFP_KERNEL_ACCOUNT);
	if (!table)
		return -ENOMEM;
	table->count = cpuid->count;
	if (copy_from_user(table->entries, u64_to_user_ptr(cpuid->entries),
			   cpuid->count * sizeof(table->entries[0])))
		ret = -EFAULT;
	else
		ret = mvm_cpuid_prepare(table, &mvm_supported_cpuid) ?:
		      mvm_window_access(vcpu, mvm_state_fill_sregs, &sregs);
	/* Registers that were set before must be possible with the new table. */
	if (!ret && !sregs_fit(&sregs, table))
		ret = -EINVAL;
	if (!ret) {
		vcpu->cpuid = *table;
		/* The table says which bits of the registers are the guest's. */
		ret = mvm_window_access(vcpu, set_sregs, &sregs);
	}
	kfree(table);
	return ret;
}

/* ------------------------------------------------------------------------
 * Events
 */

static void get_events(struct mvm_vcpu *vcpu, void *arg)
{
	const struct mvm_event *event = &vcpu->event;
	struct mvm_events *out = arg;

	*out = (struct mvm_events){
		.interruptibility = vmcs_read(GUEST_INTERRUPTIBILITY_INFO),
		.pending_debug = vmcs_read(GUEST_PENDING_DBG_EXCEPTIONS),
		.activity = vcpu->activity,
		.nmi_pending = vcpu->nmi_pending || test_bit(MVM_REQ_NMI, &vcpu->requests),
		.intr_line = READ_ONCE(vcpu->intr_line),
	};
	if (event->info) {
		out->event = (event->info & INTR_INFO_INTR_TYPE_MASK) >> 8;
		out->vector = event->info & INTR_INFO_VECTOR_MASK;
		out->has_error_code = !!(event->info & INTR_INFO_DELIVER_CODE_MASK);
		out->error_code = out->has_error_code ? event->error_code : 0;
		if (out->event >= MVM_EVENT_SOFT_INT)
			out->insn_len = event->insn_len;
	} else if (vcpu->deferred_interrupt != MVM_NO_INTERRUPT) {
		out->event = MVM_EVENT_INTERRUPT;
		out->vector = vcpu->deferred_interrupt;
	}
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
	return mvm_window_access(vcpu, get_events, args);
}

/* What VM entry would refuse (SDM 3C 27.2.1.3, 27.3.1.5) */
static bool event_ok(const struct mvm_events *in)
{
	bool nmi = in->event == MVM_EVENT_NMI, exception = in->event == MVM_EVENT_EXCEPTION;
	bool software = in->event >= MVM_EVENT_SOFT_INT;

	return in->event <= MVM_EVENT_SOFT_EXC && in->event != 1 &&
	       !(nmi && in->interruptibility & (GUEST_INTR_STATE_MOV_SS | GUEST_INTR_STATE_NMI)) &&
	       !(nmi && in->vector != X86_TRAP_NMI) &&
	       !(exception && (in->vector > 31 || in->vector == X86_TRAP_NMI)) &&
	       in->has_error_code <= exception &&
	       in->error_code <= (in->has_error_code ? U16_MAX : 0) &&
	       in->insn_len <= (software ? 15 : 0) && !(software && !in->insn_len);
}

static bool activity_ok(const struct mvm_events *in)
{
	return in->activity <= GUEST_ACTIVITY_HLT ||
	       (in->activity == GUEST_ACTIVITY_WAIT_SIPI && !in->event && !in->vector);
}

static bool events_ok(const struct mvm_events *in)
{
	/* B0 to B3, enabled breakpoint, BS */
	const u64 pending = 0xf | BIT(12) | BIT(14);

	return !in->reserved && event_ok(in) &&
	       !(in->interruptibility & ~(MVM_SHADOWS | GUEST_INTR_STATE_NMI)) &&
	       (in->interruptibility & MVM_SHADOWS) != MVM_SHADOWS && activity_ok(in) &&
	       in->nmi_pending <= 1 && in->intr_line <= 1 && !(in->pending_debug & ~pending);
}

static void set_events(struct mvm_vcpu *vcpu, void *arg)
{
	const struct mvm_events *in = arg;

	vmcs_write(GUEST_INTERRUPTIBILITY_INFO, in->interruptibility);
	vmcs_write(GUEST_PENDING_DBG_EXCEPTIONS, in->pending_debug);
	vcpu->event = (struct mvm_event){};
	vcpu->deferred_interrupt = MVM_NO_INTERRUPT;
	if (in->event != MVM_EVENT_INTERRUPT)
		vcpu->event = (struct mvm_event){
			.info = in->vector | in->event << 8 | INTR_INFO_VALID_MASK |
				(in->has_error_code ? INTR_INFO_DELIVER_CODE_MASK : 0),
			.error_code = in->error_code,
			.insn_len = in->insn_len,
		};
	else if (in->vector)
		vcpu->deferred_interrupt = in->vector;
	vcpu->activity = in->activity;
	clear_bit(MVM_REQ_NMI, &vcpu->requests);
	vcpu->nmi_pending = in->nmi_pending;
	WRITE_ONCE(vcpu->intr_line, in->intr_line);
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
	return events_ok(args) ? mvm_window_access(vcpu, set_events, args) : -EINVAL;
}
