// SPDX-License-Identifier: GPL-2.0-only
/*
 * inject.c - events on their way into the guest: what has been interrupted,
 * exceptions of exit handlers, NMIs, interrupts; in this order (SDM 3A 6.9),
 * at most one per entry.  What has to wait asks for a window exit.
 *
 * Called by window.c before an entry and by exit handlers.
 */
#include "inject.h"
#include "trace.h"
#include "vmx_ops.h"

static void write_event(struct mvm_vcpu *vcpu, struct mvm_event event)
{
	vmcs_write(VM_ENTRY_INTR_INFO_FIELD, event.info);
	if (event.info & INTR_INFO_DELIVER_CODE_MASK)
		vmcs_write(VM_ENTRY_EXCEPTION_ERROR_CODE, event.error_code);
	if (mvm_event_has_length(event.info))
		vmcs_write(VM_ENTRY_INSTRUCTION_LEN, event.insn_len);
	trace_mvm_inject(vcpu, event.info, event.error_code);
}

/* An event that is nothing but a type and a vector. */
static struct mvm_event plain_event(u32 type, u8 vector)
{
	return (struct mvm_event){ .info = type | vector | INTR_INFO_VALID_MASK };
}

/* Ask for, or give up, an exit as soon as the guest can take the event. */
static void want_window(struct mvm_vcpu *vcpu, bool interrupt, bool nmi)
{
	u32 controls = mvm_caps.proc | (interrupt ? CPU_BASED_INTR_WINDOW_EXITING : 0) |
		       (nmi ? CPU_BASED_NMI_WINDOW_EXITING : 0);

	if (controls != vcpu->proc_controls) {
		vcpu->proc_controls = controls;
		vmcs_write(CPU_BASED_VM_EXEC_CONTROL, controls);
	}
}

/*
 * The mode of the local APIC decides what the CPU virtualizes of it: accesses to
 * its page or its MSRs, never both (SDM 3C 27.2.1.1).
 */
static noinline void set_apic_mode(struct mvm_vcpu *vcpu)
{
	enum lapic_mode mode = lapic_mode(vcpu->lapic.base);
	bool x2apic, delivers = mvm_caps_delivers();
	u32 controls = mvm_caps.proc2;

	if (mode != LAPIC_XAPIC)
		controls &= ~SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES;
	if (mode != LAPIC_X2APIC)
		controls &= ~SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE;
	vmcs_write(SECONDARY_VM_EXEC_CONTROL, controls);
	x2apic = controls & SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE;
	/* One that is disabled by software takes no IPI, not even its own. */
	mvm_msr_bitmap_apic(vcpu->msr_bitmap, x2apic, x2apic && delivers,
			    x2apic && delivers && lapic_software_enabled(&vcpu->lapic));
	vcpu->lapic.mode_changed = false;
}

/* EOI of a level-triggered interrupt exits if user space wants to hear of it. */
static void set_eoi_exits(struct mvm_vcpu *vcpu)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(vcpu->eoi_exits); i++) {
		u64 vectors = lapic_level_vectors(&vcpu->lapic, i);

		if (vectors != vcpu->eoi_exits[i]) {
			vcpu->eoi_exits[i] = vectors;
			vmcs_write(EOI_EXIT_BITMAP0 + 2 * i, vectors);
		}
	}
}

/* What the CPU delivers next, and what to tell us of it. */
static noinline void show_interrupts(struct mvm_vcpu *vcpu)
{
	vmcs_write(GUEST_INTR_STATUS, lapic_status(&vcpu->lapic));
	if (vcpu->vm->flags & MVM_VM_EXIT_EOI)
		set_eoi_exits(vcpu);
}

/* An exit when the task priority lets an interrupt through. */
static noinline void set_tpr_threshold(struct mvm_vcpu *vcpu)
{
	if (!(mvm_caps.proc & CPU_BASED_TPR_SHADOW))
		return;
	vcpu->tpr_threshold = lapic_tpr_threshold(&vcpu->lapic);
	vmcs_write(TPR_THRESHOLD, vcpu->tpr_threshold);
}

/*
 * The local APIC's page may have changed: tell the CPU what it cannot see there.
 * What the CPU changes there, it also changes in the VMCS.
 */
static __always_inline void show_apic(struct mvm_vcpu *vcpu)
{
	const struct mvm_lapic_state *lapic = &vcpu->lapic;

	if (unlikely(lapic->mode_changed))
		set_apic_mode(vcpu);
	if (mvm_caps_delivers())
		show_interrupts(vcpu);
	else if (lapic_cr8(lapic) || vcpu->tpr_threshold)
		set_tpr_threshold(vcpu);
}

#define FROM_PIC	(-2)	/* user space has to say the vector */

/*
 * The vector of the interrupt that comes next, FROM_PIC (a request of the PIC,
 * which LINT0 lets through) or MVM_NO_INTERRUPT.  With @ours, only of those that
 * we have to deliver: not the local APIC's where the CPU does.
 */
static __always_inline int next_interrupt(struct mvm_vcpu *vcpu, bool ours)
{
	if (vcpu->deferred_interrupt != MVM_NO_INTERRUPT)
		return vcpu->deferred_interrupt;
	if (READ_ONCE(vcpu->intr_line) && lapic_pin_is(&vcpu->lapic, APIC_LVT0, APIC_DM_EXTINT))
		return FROM_PIC;
	return ours && mvm_caps_delivers() ? MVM_NO_INTERRUPT : lapic_pending(&vcpu->lapic);
}

/**
 * mvm_can_wake() - is there an event that ends HLT?
 * @vcpu: vCPU that is not active; called by its runner, in or outside a window
 *
 * Wait-for-SIPI is ended by no event; an NMI waits, too (SDM 3C 25.4.2).
 */
bool mvm_can_wake(struct mvm_vcpu *vcpu)
{
	return vcpu->activity == GUEST_ACTIVITY_HLT &&
	       (vcpu->event.info || vcpu->nmi_pending ||
		(vcpu->halted_if && next_interrupt(vcpu, false) != MVM_NO_INTERRUPT));
}

/* The guest can take an interrupt now: give it this one. */
static enum exit_result inject_interrupt(struct mvm_vcpu *vcpu, int vector)
{
	if (vector == FROM_PIC) {
		/* The PIC answers in user space; the guest stays as it is. */
		WRITE_ONCE(vcpu->intr_line, false);
		return mvm_exit_user(vcpu, MVM_EXIT_EXTINT, 0);
	}
	if (vector == vcpu->deferred_interrupt)
		vcpu->deferred_interrupt = MVM_NO_INTERRUPT;
	else
		lapic_acknowledge(&vcpu->lapic, vector);
	write_event(vcpu, plain_event(INTR_TYPE_EXT_INTR, vector));
	vcpu->stats.injected_interrupts++;
	return EXIT_RESUME;
}

/**
 * mvm_inject_events() - put the event that is due into the VMCS
 * @vcpu: vCPU whose window is open
 *
 * Returns EXIT_RESUME, or EXIT_USER when user space has to say the vector.
 */
enum exit_result mvm_inject_events(struct mvm_vcpu *vcpu)
{
	enum exit_result result = EXIT_RESUME;
	int vector = next_interrupt(vcpu, true);
	u32 blocked = 0;

	vcpu->lapic.changed = false;
	if (vcpu->nmi_pending || vector != MVM_NO_INTERRUPT)
		blocked = vmcs_read(GUEST_INTERRUPTIBILITY_INFO) &
			  (GUEST_INTR_STATE_NMI | MVM_SHADOWS);
	if (vcpu->event.info) {
		write_event(vcpu, vcpu->event);
		vcpu->event.info = 0;
	} else if (vcpu->nmi_pending && !blocked) {
		vcpu->nmi_pending = false;
		write_event(vcpu, plain_event(INTR_TYPE_NMI_INTR, X86_TRAP_NMI));
		vcpu->stats.injected_nmis++;
	} else if (vcpu->nmi_pending && blocked == GUEST_INTR_STATE_STI) {
		/*
		 * STI blocks NMIs on some CPUs; entry may demand it (27.3.1.5).  An
		 * NMI window need not respect STI (26.2): it would open at once, for
		 * ever.  The interrupt window opens after one instruction.
		 */
		show_apic(vcpu);
		want_window(vcpu, true, false);
		return EXIT_RESUME;
	} else if (!vcpu->nmi_pending && vector != MVM_NO_INTERRUPT &&
		   !(blocked & MVM_SHADOWS) && vmcs_read(GUEST_RFLAGS) & X86_EFLAGS_IF) {
		result = inject_interrupt(vcpu, vector);
		vector = next_interrupt(vcpu, true);
	}
	show_apic(vcpu);
	want_window(vcpu, vector != MVM_NO_INTERRUPT, vcpu->nmi_pending);
	return result;
}

/*
 * A hardware exception.  Real mode has no error codes, and entry insists
 * (SDM 3C 27.2.1.3).
 */
static struct mvm_event exception(u8 vector, u32 error_code)
{
	struct mvm_event event = plain_event(INTR_TYPE_HARD_EXCEPTION, vector);

	if (EXCEPTIONS_WITH_CODE & BIT(vector) && vmcs_read(GUEST_CR0) & X86_CR0_PE) {
		event.info |= INTR_INFO_DELIVER_CODE_MASK;
		/* Bits 31:16 must be 0 (SDM 3C 27.2.1.3). */
		event.error_code = error_code & 0xffff;
	}
	return event;
}

/* Two faults at once: which classes make a double fault (SDM 3A table 6-5). */
static bool contributory(u32 vector)
{
	return vector == X86_TRAP_DE || (vector >= X86_TRAP_TS && vector <= X86_TRAP_GP);
}

/**
 * mvm_raise() - raise an exception in the guest
 * @vcpu: vCPU whose window is open
 * @vector: 0 to 31
 * @error_code: pushed when the exception has one, which none has in real mode
 *
 * When it comes while another event is being delivered, the other one is in
 * vcpu->event: an interrupt or NMI is kept for later; two faults that do not go
 * together become #DF, and a fault in the delivery of #DF shuts the guest down.
 */
enum exit_result mvm_raise(struct mvm_vcpu *vcpu, u8 vector, u32 error_code)
{
	struct mvm_event old = vcpu->event;
	u32 first = old.info & INTR_INFO_VECTOR_MASK;
	bool benign = !contributory(vector) && vector != X86_TRAP_PF;

	vcpu->stats.injected_exceptions++;
	vcpu->event = exception(vector, error_code);
	if (!old.info)
		return EXIT_INJECT;
	switch (old.info & INTR_INFO_INTR_TYPE_MASK) {
	case INTR_TYPE_EXT_INTR:
		vcpu->deferred_interrupt = first;
		break;
	case INTR_TYPE_NMI_INTR:
		vcpu->nmi_pending = true;
		break;
	case INTR_TYPE_HARD_EXCEPTION:
		if (first == X86_TRAP_DF && !benign) {
			vcpu->event.info = 0;
			return mvm_exit_user(vcpu, MVM_EXIT_SHUTDOWN, 0);
		}
		if ((contributory(first) && contributory(vector)) ||
		    (first == X86_TRAP_PF && !benign))
			vcpu->event = exception(X86_TRAP_DF, 0);
		break;
	}
	return EXIT_INJECT;
}

/**
 * mvm_raise_db() - raise #DB
 * @vcpu: vCPU whose window is open
 * @dr6_bits: what DR6 shows as the cause: B0-B3, BD, BS
 *
 * Delivery of #DB clears DR7.GD (SDM 3B 18.2.4).
 */
enum exit_result mvm_raise_db(struct mvm_vcpu *vcpu, u64 dr6_bits)
{
	unsigned long dr7 = vmcs_read(GUEST_DR7);

	vcpu->dr6 = (vcpu->dr6 & ~(u64)DR_TRAP_BITS) | dr6_bits;
	vmcs_write(GUEST_DR7, dr7 & ~DR7_GENERAL_DETECT);
	return mvm_raise(vcpu, X86_TRAP_DB, 0);
}

/**
 * mvm_requeue_event() - an exit has interrupted the delivery of an event
 * @vcpu: vCPU whose window is open, directly after the exit
 *
 * It is delivered again at the next entry (SDM 3C 28.2.4).
 */
void mvm_requeue_event(struct mvm_vcpu *vcpu)
{
	u32 info = vmcs_read(IDT_VECTORING_INFO_FIELD);

	if (likely(!(info & INTR_INFO_VALID_MASK)))
		return;
	vcpu->stats.reinjected_events++;
	vcpu->event = (struct mvm_event){
		.info = info & ~INTR_INFO_RESVD_BITS_MASK,
		.error_code = info & INTR_INFO_DELIVER_CODE_MASK ?
			vmcs_read(IDT_VECTORING_ERROR_CODE) : 0,
		.insn_len = mvm_event_has_length(info) ? vmcs_read(VM_EXIT_INSTRUCTION_LEN) : 0,
	};
	/* Injecting it needs NMIs unblocked (SDM 3C 27.3.1.5). */
	if ((info & INTR_INFO_INTR_TYPE_MASK) == INTR_TYPE_NMI_INTR)
		vmcs_write(GUEST_INTERRUPTIBILITY_INFO,
			   vmcs_read(GUEST_INTERRUPTIBILITY_INFO) & ~GUEST_INTR_STATE_NMI);
}
