// SPDX-License-Identifier: GPL-2.0-only
/*
 * inject.c - events on their way into the guest: what has been interrupted,
 * exceptions of exit handlers, NMIs, interrupts; in this order (SDM 3A 6.9),
 * at most one per entry.  What has to wait asks for a window exit.
 *
 * Called by window.c before an entry and by exit handlers.
 */
#include <linux/bitops.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>
#include <asm/vmx.h>
#include "inject.h"
#include "trace.h"
#include "vcpu.h"
#include "vmcs.h"
#include "vmx_ops.h"

static void write_event(struct mvm_vcpu *vcpu, u32 info, u32 error_code, u32 insn_len)
{
	vmcs_write32(VMCS_ENTRY_INTR_INFO, info);
	if (info & INTR_HAS_ERROR_CODE)
		vmcs_write32(VMCS_ENTRY_ERROR_CODE, error_code);
	switch (info & INTR_TYPE) {
	case INTR_TYPE_SOFT_INT:
	case INTR_TYPE_PRIV_SOFT:
	case INTR_TYPE_SOFT_EXC:
		vmcs_write32(VMCS_ENTRY_INSN_LEN, insn_len);
	}
	trace_mvm_inject(vcpu, info, error_code);
}

/* Ask for, or give up, an exit as soon as the guest can take the event. */
static void want_window(struct mvm_vcpu *vcpu, bool interrupt, bool nmi)
{
	u32 controls = vcpu->proc_controls;

	controls &= ~(CPU_BASED_INTR_WINDOW_EXITING | CPU_BASED_NMI_WINDOW_EXITING);
	if (interrupt)
		controls |= CPU_BASED_INTR_WINDOW_EXITING;
	if (nmi)
		controls |= CPU_BASED_NMI_WINDOW_EXITING;
	if (controls != vcpu->proc_controls) {
		vcpu->proc_controls = controls;
		vmcs_write32(VMCS_PROC_CONTROLS, controls);
	}
}

/* Is the PIC's request one that LINT0 lets through? */
static bool extint_pending(struct mvm_vcpu *vcpu)
{
	return READ_ONCE(vcpu->intr_line) && lapic_accepts_extint(&vcpu->lapic);
}

static bool interrupt_pending(struct mvm_vcpu *vcpu)
{
	return vcpu->deferred_interrupt != MVM_NO_INTERRUPT || extint_pending(vcpu) ||
	       lapic_pending(&vcpu->lapic) != LAPIC_NO_VECTOR;
}

/**
 * mvm_can_wake() - is there an event that ends HLT?
 * @vcpu: halted vCPU; called by its runner, in or outside a window
 */
bool mvm_can_wake(struct mvm_vcpu *vcpu)
{
	return vcpu->event.info || vcpu->nmi_pending ||
	       (vcpu->halted_if && interrupt_pending(vcpu));
}

/* The guest can take an interrupt now: give it the one that is due. */
static enum exit_result inject_interrupt(struct mvm_vcpu *vcpu)
{
	int vector = vcpu->deferred_interrupt;

	if (vector != MVM_NO_INTERRUPT) {
		vcpu->deferred_interrupt = MVM_NO_INTERRUPT;
	} else if (extint_pending(vcpu)) {
		/* The PIC answers in user space; the guest stays as it is. */
		WRITE_ONCE(vcpu->intr_line, false);
		return mvm_exit_user(vcpu, MVM_EXIT_EXTINT);
	} else {
		vector = lapic_pending(&vcpu->lapic);
		if (vector == LAPIC_NO_VECTOR)
			return EXIT_RESUME;
		lapic_acknowledge(&vcpu->lapic, vector);
	}
	write_event(vcpu, vector | INTR_TYPE_EXT | INTR_VALID, 0, 0);
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
	u32 blocked;

	if (vcpu->event.info) {
		write_event(vcpu, vcpu->event.info, vcpu->event.error_code,
			    vcpu->event.insn_len);
		vcpu->event.info = 0;
		want_window(vcpu, interrupt_pending(vcpu), vcpu->nmi_pending);
		return EXIT_RESUME;
	}
	if (!vcpu->nmi_pending && !interrupt_pending(vcpu)) {
		want_window(vcpu, false, false);
		return EXIT_RESUME;
	}

	blocked = vmcs_read32(VMCS_GUEST_INTERRUPTIBILITY);
	if (vcpu->nmi_pending) {
		/*
		 * STI blocks NMIs on some CPUs; entry may demand it (27.3.1.5).  An
		 * NMI window need not respect STI (26.2): it would open at once, for
		 * ever.  The interrupt window opens after one instruction.
		 */
		if (blocked & (BLOCKED_BY_NMI | BLOCKED_BY_STI | BLOCKED_BY_MOV_SS)) {
			if ((blocked & (BLOCKED_BY_NMI | BLOCKED_BY_STI)) == BLOCKED_BY_STI)
				want_window(vcpu, true, false);
			else
				want_window(vcpu, interrupt_pending(vcpu), true);
			return EXIT_RESUME;
		}
		vcpu->nmi_pending = false;
		write_event(vcpu, VECTOR_NMI | INTR_TYPE_NMI | INTR_VALID, 0, 0);
		vcpu->stats.injected_nmis++;
	} else if (!(blocked & (BLOCKED_BY_STI | BLOCKED_BY_MOV_SS)) &&
		   vmcs_read_natural(VMCS_GUEST_RFLAGS) & X86_EFLAGS_IF) {
		result = inject_interrupt(vcpu);
	}
	want_window(vcpu, interrupt_pending(vcpu), false);
	return result;
}

/*
 * A hardware exception.  Real mode has no error codes, and entry insists
 * (SDM 3C 27.2.1.3).
 */
static struct mvm_event exception(u8 vector, bool has_error_code, u32 error_code)
{
	struct mvm_event event = { .info = vector | INTR_TYPE_EXCEPTION | INTR_VALID };

	if (has_error_code && vmcs_read_natural(VMCS_GUEST_CR0) & X86_CR0_PE) {
		event.info |= INTR_HAS_ERROR_CODE;
		/* Bits 31:16 must be 0 (SDM 3C 27.2.1.3). */
		event.error_code = error_code & 0xffff;
	}
	return event;
}

/* Two faults at once: which classes make a double fault (SDM 3A table 6-5). */
static bool contributory(u32 vector)
{
	return vector == 0 || (vector >= 10 && vector <= 13);
}

/*
 * Queue an exception.  When it comes while another event is being delivered,
 * the other one is in vcpu->event: an interrupt or NMI is kept for later; two
 * faults that do not go together become #DF, and a fault in the delivery of #DF
 * shuts the guest down.
 */
static enum exit_result queue_exception(struct mvm_vcpu *vcpu, struct mvm_event new)
{
	struct mvm_event old = vcpu->event;
	u32 first = old.info & INTR_VECTOR, second = new.info & INTR_VECTOR;

	vcpu->stats.injected_exceptions++;
	vcpu->event = new;
	if (!old.info)
		return EXIT_INJECT;
	switch (old.info & INTR_TYPE) {
	case INTR_TYPE_EXT:
		vcpu->deferred_interrupt = first;
		break;
	case INTR_TYPE_NMI:
		vcpu->nmi_pending = true;
		break;
	case INTR_TYPE_EXCEPTION:
		if (first == X86_TRAP_DF && (contributory(second) || second == VECTOR_PF)) {
			vcpu->event.info = 0;
			return mvm_exit_user(vcpu, MVM_EXIT_SHUTDOWN);
		}
		if ((contributory(first) && contributory(second)) ||
		    (first == VECTOR_PF && (contributory(second) || second == VECTOR_PF)))
			vcpu->event = exception(X86_TRAP_DF, true, 0);
		break;
	}
	return EXIT_INJECT;
}

/**
 * mvm_raise() - raise an exception without error code in the guest
 * @vcpu: vCPU whose window is open
 * @vector: 0 to 31
 */
enum exit_result mvm_raise(struct mvm_vcpu *vcpu, u8 vector)
{
	return queue_exception(vcpu, exception(vector, false, 0));
}

/**
 * mvm_raise_error() - raise an exception with an error code
 * @vcpu: vCPU whose window is open
 * @vector: 0 to 31
 * @error_code: pushed, except in real mode, where exceptions have none
 */
enum exit_result mvm_raise_error(struct mvm_vcpu *vcpu, u8 vector, u32 error_code)
{
	return queue_exception(vcpu, exception(vector, true, error_code));
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
	unsigned long dr7 = vmcs_read_natural(VMCS_GUEST_DR7);

	vcpu->dr6 = (vcpu->dr6 & ~DR6_B0_3) | dr6_bits;
	vmcs_write_natural(VMCS_GUEST_DR7, dr7 & ~DR7_GENERAL_DETECT);
	return mvm_raise(vcpu, VECTOR_DB);
}

/**
 * mvm_requeue_event() - an exit has interrupted the delivery of an event
 * @vcpu: vCPU whose window is open, directly after the exit
 *
 * It is delivered again at the next entry (SDM 3C 28.2.4).
 */
void mvm_requeue_event(struct mvm_vcpu *vcpu)
{
	u32 info = vmcs_read32(VMCS_IDT_VECTORING_INFO);

	if (likely(!(info & INTR_VALID)))
		return;
	vcpu->stats.reinjected++;
	vcpu->event.info = info & (INTR_VALID | INTR_HAS_ERROR_CODE | INTR_TYPE |
				   INTR_VECTOR);
	vcpu->event.error_code = info & INTR_HAS_ERROR_CODE ?
		vmcs_read32(VMCS_IDT_VECTORING_ERROR_CODE) : 0;
	switch (info & INTR_TYPE) {
	case INTR_TYPE_NMI:
		/* Injecting it needs NMIs unblocked (SDM 3C 27.3.1.5). */
		vmcs_write32(VMCS_GUEST_INTERRUPTIBILITY,
			     vmcs_read32(VMCS_GUEST_INTERRUPTIBILITY) &
			     ~BLOCKED_BY_NMI);
		break;
	case INTR_TYPE_SOFT_INT:
	case INTR_TYPE_PRIV_SOFT:
	case INTR_TYPE_SOFT_EXC:
		vcpu->event.insn_len = vmcs_read32(VMCS_EXIT_INSN_LEN);
	}
}
