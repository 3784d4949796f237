// SPDX-License-Identifier: GPL-2.0-only
/*
 * exits.c - what happens after a VM exit: a table from exit reason to handler.
 *
 * Handlers run in the open window, IRQs off.  What may not happen there is left
 * for later (EXIT_NMI to EXIT_FAULT), what user space has to answer is decoded
 * into the run page.  A reason without a handler goes to user space as it is.
 */
#include <asm/fpu/xcr.h>
#include <asm/mce.h>
#include "doorbell.h"
#include "inject.h"
#include "trace.h"
#include "vm.h"
#include "vmx_ops.h"

/*
 * A guest register, by the low four bits of @n; the page is shared, so each
 * access is a single one.
 */
static u64 gpr_read(const struct mvm_vcpu *vcpu, unsigned int n)
{
	n &= 15;
	if (n == MVM_RSP)
		return vmcs_read(GUEST_RSP);
	return READ_ONCE(vcpu->run->gpr[n]);
}

static void gpr_write(struct mvm_vcpu *vcpu, unsigned int n, u64 value)
{
	n &= 15;
	if (n == MVM_RSP)
		vmcs_write(GUEST_RSP, value);
	else
		WRITE_ONCE(vcpu->run->gpr[n], value);
}

static u64 read_edx_eax(const struct mvm_vcpu *vcpu)
{
	return (u32)gpr_read(vcpu, MVM_RAX) | gpr_read(vcpu, MVM_RDX) << 32;
}

/* What the guest's code sees of a register: half of it outside 64-bit code. */
static u64 narrow(u64 value)
{
	bool long_mode = vmcs_read(VM_ENTRY_CONTROLS) & VM_ENTRY_IA32E_MODE;

	return long_mode && vmcs_read(GUEST_CS_AR_BYTES) & VMX_AR_L_MASK ? value : (u32)value;
}

/* With BTF the guest steps by branches, and entry insists (27.3.1.5). */
static noinline void pend_single_step(void)
{
	if (!(vmcs_read(GUEST_IA32_DEBUGCTL) & DEBUGCTLMSR_BTF))
		vmcs_write(GUEST_PENDING_DBG_EXCEPTIONS,
			   vmcs_read(GUEST_PENDING_DBG_EXCEPTIONS) | DR_STEP);
}

/**
 * mvm_skip_to() - the guest's instruction is done, by us
 * @rip: where it goes on
 *
 * In an open window.  Ends the shadow of STI and MOV SS, and gives a
 * single-stepping guest its #DB (SDM 3C 27.3.1.5, 33.2).  The handlers here
 * inline it.
 */
__always_inline void mvm_skip_to(unsigned long rip)
{
	u32 blocked = vmcs_read(GUEST_INTERRUPTIBILITY_INFO);

	vmcs_write(GUEST_RIP, rip);
	if (unlikely(blocked & MVM_SHADOWS))
		vmcs_write(GUEST_INTERRUPTIBILITY_INFO, blocked & ~MVM_SHADOWS);
	if (unlikely(vmcs_read(GUEST_RFLAGS) & X86_EFLAGS_TF))
		pend_single_step();
}

/* Where the exiting instruction ends; RIP wraps at 4 GiB outside 64-bit code. */
static __always_inline unsigned long next_rip(void)
{
	unsigned long rip = vmcs_read(GUEST_RIP);
	unsigned long next = rip + vmcs_read(VM_EXIT_INSTRUCTION_LEN);

	return unlikely((rip ^ next) >> 32) ? narrow(next) : next;
}

static __always_inline enum exit_result skip(struct mvm_vcpu *vcpu)
{
	mvm_skip_to(next_rip());
	return EXIT_RESUME;
}

/* ---- exits to user space ---- */

/**
 * mvm_exit_user() - describe an exit in the run page
 * @vcpu: vCPU whose window is open
 * @reason: MVM_EXIT_*; the caller has filled in its part of the union
 * @with: WITH_INSN when an instruction exited, which the answer completes;
 *	  WITH_SREGS when user space has to know them
 *
 * Returns EXIT_USER.
 */
enum exit_result mvm_exit_user(struct mvm_vcpu *vcpu, u32 reason, u32 with)
{
	struct mvm_run *run = vcpu->run;

	run->exit_reason = reason;
	run->hw_reason = vcpu->exit_reason;
	run->hw_qualification = vcpu->exit_qualification;
	run->action = MVM_ACTION_COMPLETE;
	run->gpr[MVM_RSP] = vmcs_read(GUEST_RSP);
	run->rip = vmcs_read(GUEST_RIP);
	run->rflags = vmcs_read(GUEST_RFLAGS);
	run->insn_len = with & WITH_INSN ? vmcs_read(VM_EXIT_INSTRUCTION_LEN) : 0;
	run->next_rip = with & WITH_INSN ? next_rip() : run->rip;
	run->interruptibility = vmcs_read(GUEST_INTERRUPTIBILITY_INFO);
	run->sync_valid = 0;
	if (with & WITH_SREGS || READ_ONCE(run->sync_want) & MVM_SYNC_SREGS) {
		mvm_state_fill_sregs(vcpu, &run->sregs);
		run->sync_valid = MVM_SYNC_SREGS;
	}
	vcpu->answering = reason;
	return EXIT_USER;
}

/**
 * mvm_exit_fault() - the access that faulted cannot be served
 * @vcpu: vCPU whose window is open, to run it or for this
 * @arg: struct mvm_exit_memory: the owner's memory failed; NULL: there is none
 */
void mvm_exit_fault(struct mvm_vcpu *vcpu, void *arg)
{
	if (arg) {
		vcpu->run->memory = *(struct mvm_exit_memory *)arg;
		mvm_exit_user(vcpu, MVM_EXIT_MEMORY_FAULT, 0);
	} else {
		vcpu->stats.exits_mmio++;
		vcpu->run->mmio = vcpu->fault;
		mvm_exit_user(vcpu, MVM_EXIT_MMIO, WITH_SREGS);
	}
}

static enum exit_result exit_unhandled(struct mvm_vcpu *vcpu)
{
	vcpu->stats.exits_other++;
	return mvm_exit_user(vcpu, MVM_EXIT_UNHANDLED, WITH_INSN);
}

/**
 * mvm_exit_fail_entry() - the guest was not entered
 * @vcpu: vCPU whose window is open
 * @failed: 1: VMLAUNCH or VMRESUME failed, 2: it faulted, 0: entry failed after
 *	    that, while loading the guest's state (SDM 3C 27.8)
 */
enum exit_result mvm_exit_fail_entry(struct mvm_vcpu *vcpu, int failed)
{
	u32 error = !failed ? 0 : failed == 1 ? vmcs_read(VM_INSTRUCTION_ERROR) : U32_MAX;
	u32 info = vmcs_read(VM_ENTRY_INTR_INFO_FIELD);

	if (failed)
		vcpu->exit_reason = 0;
	vcpu->exit_qualification = failed ? 0 : vmcs_read(EXIT_QUALIFICATION);
	/* The event that was to be injected is not lost with the entry. */
	if (info & INTR_INFO_VALID_MASK) {
		vcpu->event = (struct mvm_event){
			.info = info,
			.error_code = vmcs_read(VM_ENTRY_EXCEPTION_ERROR_CODE),
			.insn_len = vmcs_read(VM_ENTRY_INSTRUCTION_LEN),
		};
		vmcs_write(VM_ENTRY_INTR_INFO_FIELD, 0);
	}
	if ((vcpu->exit_reason & 0xffff) == EXIT_REASON_MCE_DURING_VMENTRY)
		return EXIT_MACHINE_CHECK;
	vcpu->run->fail = (struct mvm_exit_fail){ .instruction_error = error };
	return mvm_exit_user(vcpu, MVM_EXIT_FAIL_ENTRY, 0);
}

/**
 * mvm_exit_no_vmx() - this CPU refused VMXON or our VMCS
 * @vcpu: vCPU; no window is open, so the page does not get the registers; the
 *	  next run goes on with those in the VMCS
 */
enum exit_result mvm_exit_no_vmx(struct mvm_vcpu *vcpu)
{
	struct mvm_run *run = vcpu->run;

	pr_err_ratelimited("CPU %d refused to enter VMX operation\n", smp_processor_id());
	vcpu->regs_in_vmcs = true;
	run->exit_reason = MVM_EXIT_FAIL_ENTRY;
	run->hw_reason = 0;
	run->hw_qualification = 0;
	run->fail = (struct mvm_exit_fail){ .instruction_error = U32_MAX };
	return EXIT_USER;
}

/* ---- handlers, in the order of the exit reasons ---- */

/*
 * IRET had unblocked NMIs before it faulted (SDM 3C 28.2.3): so says the same
 * bit of an exception's information and of an EPT violation's qualification.
 */
static void block_nmi_again(struct mvm_vcpu *vcpu, unsigned long bits)
{
	if (bits & INTR_INFO_UNBLOCK_NMI && !vcpu->event.info)
		vmcs_write(GUEST_INTERRUPTIBILITY_INFO,
			   vmcs_read(GUEST_INTERRUPTIBILITY_INFO) | GUEST_INTR_STATE_NMI);
}

/*
 * An exception of the guest that always exits (#DB, #AC, #MC), or an NMI of
 * the host.  The window is closed before #DB or #AC goes on: when its delivery
 * faults again and again, the CPU never looks at interrupts (CVE-2015-5307,
 * CVE-2015-8104).
 */
static enum exit_result exit_exception(struct mvm_vcpu *vcpu)
{
	u32 info = vmcs_read(VM_EXIT_INTR_INFO), type = info & INTR_INFO_INTR_TYPE_MASK;

	if (type == INTR_TYPE_NMI_INTR)
		return EXIT_NMI;
	block_nmi_again(vcpu, info);
	switch (info & INTR_INFO_VECTOR_MASK) {
	case X86_TRAP_MC:
		return EXIT_MACHINE_CHECK;
	case X86_TRAP_AC:
		mvm_raise(vcpu, X86_TRAP_AC, vmcs_read(VM_EXIT_INTR_ERROR_CODE));
		return EXIT_CLOSE;
	case X86_TRAP_DB:
		/* SDM 3C table 28-1: B0-B3, BD, BS as in DR6. */
		mvm_raise_db(vcpu, vcpu->exit_qualification & (DR_TRAP_BITS | DR6_BD | DR_STEP));
		if (type == INTR_TYPE_PRIV_SW_EXCEPTION) {
			vcpu->event.info = X86_TRAP_DB | type | INTR_INFO_VALID_MASK;
			vcpu->event.insn_len = vmcs_read(VM_EXIT_INSTRUCTION_LEN);
		}
		/* A stepping guest in a shadow: entry demands BS (27.3.1.5). */
		if (vmcs_read(GUEST_INTERRUPTIBILITY_INFO) & MVM_SHADOWS &&
		    vmcs_read(GUEST_RFLAGS) & X86_EFLAGS_TF)
			pend_single_step();
		return EXIT_CLOSE;
	}
	return exit_unhandled(vcpu);
}

/* The host's interrupt stays pending and is taken when IRQs come on. */
static enum exit_result exit_close(struct mvm_vcpu *vcpu)
{
	return EXIT_CLOSE;
}

/*
 * The guest's APIC timer, or the backstop, which gives the host's interrupts
 * their turn.  The timer may be early by a part of one count: entry sets it again.
 */
static enum exit_result exit_preemption_timer(struct mvm_vcpu *vcpu)
{
	u64 now = rdtsc();

	if (now >= vcpu->timer_due) {
		mvm_vcpu_update_timer(vcpu);
		return EXIT_INJECT;
	}
	return (vcpu->timer_due - now) >> mvm_caps.preemption_shift ? EXIT_CLOSE : EXIT_RESUME;
}

static enum exit_result exit_triple_fault(struct mvm_vcpu *vcpu)
{
	return mvm_exit_user(vcpu, MVM_EXIT_SHUTDOWN, 0);
}

static enum exit_result exit_window(struct mvm_vcpu *vcpu)
{
	return EXIT_INJECT;
}

/* User space switches the task, or gives up; the event is part of the switch. */
static enum exit_result exit_task_switch(struct mvm_vcpu *vcpu)
{
	u64 qualification = vcpu->exit_qualification;
	struct mvm_event event = vcpu->event;
	/* An event through a task gate is no instruction and has no length. */
	bool insn = !event.info || mvm_event_has_length(event.info);

	vcpu->event.info = 0;
	vcpu->run->task_switch = (struct mvm_exit_task_switch){
		.selector = qualification & 0xffff,
		.source = qualification >> 30 & 3,
		.has_error_code = !!(event.info & INTR_INFO_DELIVER_CODE_MASK),
		.error_code = event.error_code,
	};
	return mvm_exit_user(vcpu, MVM_EXIT_TASK_SWITCH, WITH_SREGS | (insn ? WITH_INSN : 0));
}

static enum exit_result exit_cpuid(struct mvm_vcpu *vcpu)
{
	struct mvm_run *run = vcpu->run;
	const struct mvm_cpuid_entry *entry;

	entry = mvm_cpuid_lookup(&vcpu->cpuid, READ_ONCE(run->gpr[MVM_RAX]),
				 READ_ONCE(run->gpr[MVM_RCX]));
	run->gpr[MVM_RAX] = entry->eax;
	run->gpr[MVM_RBX] = entry->ebx;
	run->gpr[MVM_RCX] = entry->ecx;
	run->gpr[MVM_RDX] = entry->edx;
	return skip(vcpu);
}

static enum exit_result exit_hlt(struct mvm_vcpu *vcpu)
{
	if (vcpu->vm->flags & MVM_VM_EXIT_HLT)
		return mvm_exit_user(vcpu, MVM_EXIT_HLT, WITH_INSN);
	skip(vcpu);
	vcpu->activity = GUEST_ACTIVITY_HLT;
	vcpu->halted_if = vmcs_read(GUEST_RFLAGS) & X86_EFLAGS_IF;
	return EXIT_CLOSE;
}

/*
 * Pause-loop exiting (SDM 3C 26.1.3): the guest spins, perhaps for a vCPU whose
 * thread waits for this CPU.
 */
static enum exit_result exit_pause(struct mvm_vcpu *vcpu)
{
	skip(vcpu);
	return EXIT_YIELD;
}

/* Instructions that CPUID does not offer; RDPMC is always there, but no counters are. */
static enum exit_result exit_refuse(struct mvm_vcpu *vcpu)
{
	u8 vector = vcpu->exit_reason == EXIT_REASON_RDPMC ? X86_TRAP_GP : X86_TRAP_UD;

	return mvm_raise(vcpu, vector, 0);
}

static enum exit_result exit_vmcall(struct mvm_vcpu *vcpu)
{
	if (vcpu->vm->flags & MVM_VM_EXIT_VMCALL)
		return mvm_exit_user(vcpu, MVM_EXIT_VMCALL, WITH_INSN);
	vcpu->run->gpr[MVM_RAX] = -ENOSYS;
	return skip(vcpu);
}

/* Qualification: SDM 3C table 28-3. */
static enum exit_result exit_cr_access(struct mvm_vcpu *vcpu)
{
	enum { MOV_TO = 0 << 4, MOV_FROM = 1 << 4 };	/* or CLTS, LMSW */
	unsigned long qualification = vcpu->exit_qualification;
	u64 value = narrow(gpr_read(vcpu, qualification >> 8));
	int result;

	switch (qualification & 0x3f) {
	case MOV_TO | 0:
		result = mvm_write_guest_cr0(vcpu, value);
		break;
	case MOV_TO | 4:
		result = mvm_write_guest_cr4(vcpu, value);
		break;
	case MOV_TO | 8:
		if (value & ~15ULL)
			return mvm_raise(vcpu, X86_TRAP_GP, 0);
		lapic_set_cr8(&vcpu->lapic, value);
		skip(vcpu);
		return EXIT_INJECT;
	case MOV_FROM | 8:
		gpr_write(vcpu, qualification >> 8, lapic_cr8(&vcpu->lapic));
		return skip(vcpu);
	default:			/* no host-owned bit is in their reach */
		return exit_unhandled(vcpu);
	}
	if (result == -EAGAIN)
		return EXIT_CLOSE;	/* and the instruction again */
	if (result)
		return mvm_raise(vcpu, X86_TRAP_GP, 0);
	if (vcpu->cr.flush)
		mvm_cr_commit(vcpu);
	return skip(vcpu);
}

/* Qualification: SDM 3C table 28-4. */
static enum exit_result exit_dr_access(struct mvm_vcpu *vcpu)
{
	unsigned long qualification = vcpu->exit_qualification;
	unsigned long dr7 = vmcs_read(GUEST_DR7);
	unsigned int n = qualification & 7, gpr = qualification >> 8;
	u64 value;

	if (n == 4 || n == 5) {		/* aliases of 6 and 7 (SDM 3B 18.2.2) */
		if (mvm_guest_cr4() & X86_CR4_DE)
			return mvm_raise(vcpu, X86_TRAP_UD, 0);
		n += 2;
	}
	if (dr7 & DR7_GENERAL_DETECT)
		return mvm_raise_db(vcpu, DR6_BD);
	if (qualification & BIT(4)) {	/* MOV from */
		value = n < 4 ? vcpu->dr[array_index_nospec(n, 4)] : n == 6 ? vcpu->dr6 : dr7;
		gpr_write(vcpu, gpr, narrow(value));
		return skip(vcpu);
	}
	value = narrow(gpr_read(vcpu, gpr));
	if (n >= 6 && value >> 32)
		return mvm_raise(vcpu, X86_TRAP_GP, 0);
	if (n < 4)
		vcpu->dr[array_index_nospec(n, 4)] = value;
	else if (n == 6)
		vcpu->dr6 = mvm_dr6(value);
	else
		vmcs_write(GUEST_DR7, mvm_dr7(value));
	skip(vcpu);
	return EXIT_CLOSE;	/* breakpoints are loaded when the window opens */
}

/*
 * INS and OUTS are forwarded with what the CPU says about them; their memory
 * operand is user space's business.
 */
static noinline enum exit_result forward_io(struct mvm_vcpu *vcpu)
{
	unsigned long qualification = vcpu->exit_qualification;
	struct mvm_exit_io io = {
		.port = qualification >> 16,
		.bytes = (qualification & 7) + 1,
		/* bits 3 to 5, in the same order */
		.flags = qualification >> 3 & (MVM_IO_IN | MVM_IO_STRING | MVM_IO_REP),
	};

	if (io.flags & MVM_IO_STRING) {
		u32 info = vmcs_read(VMX_INSTRUCTION_INFO);

		io.address_bytes = 2 << min(info >> 7 & 3, 2U);
		/* Not defined for INS, which knows only ES (SDM 3C table 28-8). */
		io.segment = io.flags & MVM_IO_IN ? 0 : info >> 15 & 7;
		io.linear = vmcs_read(GUEST_LINEAR_ADDRESS);
		io.count = 1;
		if (vmcs_read(GUEST_RFLAGS) & X86_EFLAGS_DF)
			io.flags |= MVM_IO_DOWN;
		if (io.flags & MVM_IO_REP) {
			io.count = gpr_read(vcpu, MVM_RCX) & GENMASK_ULL(8 * io.address_bytes - 1, 0);
			if (!io.count)
				return skip(vcpu);
		}
	} else {
		/* A prefix without meaning, and an IN finds no data. */
		io.flags &= MVM_IO_IN;
		if (!io.flags)
			io.data = port_data(gpr_read(vcpu, MVM_RAX), io.bytes);
	}
	vcpu->io = io;
	vcpu->run->io = io;
	return mvm_exit_user(vcpu, MVM_EXIT_IO, WITH_INSN |
			     (io.flags & MVM_IO_STRING ? WITH_SREGS : 0));
}

/* Qualification: SDM 3C table 28-5.  An instruction: no event is being delivered. */
static enum exit_result exit_io(struct mvm_vcpu *vcpu)
{
	unsigned long qualification = vmcs_read(EXIT_QUALIFICATION);

	/* OUT with a doorbell, or posted; neither IN (bit 3) nor OUTS (bit 4). */
	if (qualification & (BIT(3) | BIT(4)) ||
	    !mvm_port_write(vcpu, qualification >> 16, (qualification & 7) + 1,
			    gpr_read(vcpu, MVM_RAX))) {
		vcpu->exit_qualification = qualification;
		return forward_io(vcpu);
	}
	skip(vcpu);
	/*
	 * The eventfd may be one that sends an interrupt to this vCPU: the request
	 * is set, but no IPI comes from one's own CPU.
	 */
	return READ_ONCE(vcpu->requests) || (IS_ENABLED(CONFIG_PREEMPT_RT) && vcpu->rung) ?
		EXIT_CLOSE : EXIT_RESUME;
}

/* An access to an MSR that we do not serve: user space does, or it faults. */
static enum exit_result msr_failed(struct mvm_vcpu *vcpu, int result, struct mvm_exit_msr msr)
{
	if (result != -ENOENT || READ_ONCE(vcpu->vm->msr_policy) != MVM_MSR_POLICY_FORWARD)
		return mvm_raise(vcpu, X86_TRAP_GP, 0);
	vcpu->run->msr = msr;
	return mvm_exit_user(vcpu, MVM_EXIT_MSR, WITH_INSN);
}

static enum exit_result exit_rdmsr(struct mvm_vcpu *vcpu)
{
	u32 index = gpr_read(vcpu, MVM_RCX);
	/* Not on the stack: the compiler would guard that. */
	int result = mvm_msr_read(vcpu, index, &vcpu->msr_data);

	if (result)
		return msr_failed(vcpu, result, (struct mvm_exit_msr){ .index = index });
	gpr_write(vcpu, MVM_RAX, (u32)vcpu->msr_data);
	gpr_write(vcpu, MVM_RDX, vcpu->msr_data >> 32);
	return skip(vcpu);
}

/* After a write to the local APIC or to an MSR: the effects. */
static enum exit_result apic_effect(struct mvm_vcpu *vcpu)
{
	mvm_vcpu_lapic_effect(vcpu);
	if (vcpu->eoi_pending)
		return mvm_exit_eoi(vcpu);
	/* An INIT to itself: no IPI brings that. */
	if (vcpu->msr.reopen || READ_ONCE(vcpu->startup))
		return EXIT_CLOSE;
	return vcpu->lapic.changed ? EXIT_INJECT : EXIT_RESUME;
}

static enum exit_result exit_wrmsr(struct mvm_vcpu *vcpu)
{
	struct mvm_exit_msr msr = {
		.index = gpr_read(vcpu, MVM_RCX), .write = 1, .data = read_edx_eax(vcpu),
	};
	int result = mvm_msr_write(vcpu, msr.index, msr.data, false);

	if (result)
		return msr_failed(vcpu, result, msr);
	skip(vcpu);
	return apic_effect(vcpu);
}

/*
 * An access to the xAPIC that the CPU does not virtualize (qualification: SDM 3C
 * table 28-6).  An EOI is done here: whatever is written means the same, and
 * guests write it by a MOV, whose shortest has 2 bytes; that CPUs tell the length
 * of such exits KVM relies on, too.  All else user space decodes.
 */
static enum exit_result exit_apic_access(struct mvm_vcpu *vcpu)
{
	/* of linear addresses; then in a delivery; then by physical address: page tables */
	enum { LINEAR_READ, LINEAR_WRITE, LINEAR_FETCH, PHYSICAL = 10 };
	u32 type = vcpu->exit_qualification >> 12 & 0xf, offset = vcpu->exit_qualification & 0xfff;
	struct mvm_lapic_access eoi = { .flags = MVM_LAPIC_WRITE, .offset = APIC_EOI };

	if (type == LINEAR_WRITE && offset == APIC_EOI && !vcpu->event.info &&
	    vmcs_read(VM_EXIT_INSTRUCTION_LEN) > 1) {
		lapic_xapic_access(&vcpu->lapic, &eoi, mvm_vcpu_tsc(vcpu));
		skip(vcpu);
		return apic_effect(vcpu);
	}
	vcpu->fault = (struct mvm_exit_mmio){
		.gpa = APIC_DEFAULT_PHYS_BASE | offset,
		.flags = type == LINEAR_READ ? MVM_MMIO_READ :
			 type == LINEAR_FETCH ? MVM_MMIO_FETCH :
			 type >= PHYSICAL ? MVM_MMIO_READ | MVM_MMIO_WALK : MVM_MMIO_WRITE,
	};
	if (vcpu->event.info)
		vcpu->fault.flags |= MVM_MMIO_IN_DELIVERY;
	mvm_exit_fault(vcpu, NULL);
	return EXIT_USER;
}

/* The guest has ended a level-triggered interrupt; it is out of service already. */
static enum exit_result exit_eoi_induced(struct mvm_vcpu *vcpu)
{
	vcpu->lapic.eoi = vcpu->exit_qualification;
	return apic_effect(vcpu);
}

/* The instruction is done; what it wrote is in the page. */
static enum exit_result exit_apic_write(struct mvm_vcpu *vcpu)
{
	lapic_written(&vcpu->lapic, vcpu->exit_qualification & 0xfff, mvm_vcpu_tsc(vcpu));
	return apic_effect(vcpu);
}

/**
 * mvm_exit_eoi() - tell user space of an EOI
 * @vcpu: vCPU whose window is open; eoi_pending
 */
enum exit_result mvm_exit_eoi(struct mvm_vcpu *vcpu)
{
	u32 vector = find_last_bit(vcpu->pending_eoi, 256);

	__clear_bit(vector, vcpu->pending_eoi);
	vcpu->eoi_pending = !bitmap_empty(vcpu->pending_eoi, 256);
	vcpu->run->eoi = (struct mvm_exit_eoi){ .vector = vector };
	return mvm_exit_user(vcpu, MVM_EXIT_EOI, 0);
}

/* Qualification: SDM 3C table 28-7. */
static enum exit_result exit_ept_violation(struct mvm_vcpu *vcpu)
{
	unsigned long qualification = vcpu->exit_qualification;
	struct mvm_exit_mmio *fault = &vcpu->fault;
	int error;

	/* Read, write, fetch: of several the one that asks for most. */
	*fault = (struct mvm_exit_mmio){
		.gpa = vmcs_read(GUEST_PHYSICAL_ADDRESS),
		.flags = qualification & BIT(1) ? MVM_MMIO_WRITE :
			 qualification & BIT(2) ? MVM_MMIO_FETCH : MVM_MMIO_READ,
	};
	if (qualification & BIT(7)) {
		fault->linear = vmcs_read(GUEST_LINEAR_ADDRESS);
		fault->flags |= MVM_MMIO_LINEAR | (qualification & BIT(8) ? 0 : MVM_MMIO_WALK);
	}
	if (vcpu->event.info)
		fault->flags |= MVM_MMIO_IN_DELIVERY;
	block_nmi_again(vcpu, qualification);
	error = mvm_memory_fault_fast(vcpu->vm, &vcpu->fault_cache, fault->gpa,
				      fault->flags & MVM_ACCESS);
	if (error == -EAGAIN) {
		vcpu->stats.ept_faults_slow++;
		return EXIT_FAULT;
	}
	trace_mvm_ept_fault(vcpu, error);
	if (error) {
		mvm_exit_fault(vcpu, NULL);
		return EXIT_USER;
	}
	return vcpu->event.info ? EXIT_INJECT : EXIT_RESUME;
}

/* SDM 1 13.3: the rules of XSETBV.  CPL was checked by the CPU. */
static enum exit_result exit_xsetbv(struct mvm_vcpu *vcpu)
{
	u64 value = read_edx_eax(vcpu);

	if ((u32)gpr_read(vcpu, MVM_RCX) != 0 || !mvm_cpuid_xcr0_valid(&vcpu->cpuid, value))
		return mvm_raise(vcpu, X86_TRAP_GP, 0);
	vcpu->xcr0 = value;
	xsetbv(XCR_XFEATURE_ENABLED_MASK, value);
	mvm_state_refresh_cpuid(vcpu);
	return skip(vcpu);
}

/* A row of the table: from exit reason to handler. */
struct exit_op {
	enum exit_result (*handler)(struct mvm_vcpu *vcpu);
	u8 counter;		/* which u64 of struct mvm_vcpu_stats */
	bool detailed;		/* has a qualification, may interrupt a delivery (28.2.4) */
};

#define OP(reason, counter_, handler_, ...)						\
	[EXIT_REASON_##reason] = {							\
		.counter = offsetof(struct mvm_vcpu_stats, counter_) / sizeof(u64),	\
		.handler = handler_, __VA_ARGS__					\
	}
#define DETAILED .detailed = true

static const struct exit_op exit_ops[] = {
	OP(EXCEPTION_NMI, exits_exception, exit_exception, DETAILED),
	OP(EXTERNAL_INTERRUPT, exits_host_interrupt, exit_close),
	OP(TRIPLE_FAULT, exits_other, exit_triple_fault),
	OP(INIT_SIGNAL, exits_host_interrupt, exit_close),
	OP(INTERRUPT_WINDOW, exits_interrupt_window, exit_window),
	OP(NMI_WINDOW, exits_interrupt_window, exit_window),
	OP(TASK_SWITCH, exits_other, exit_task_switch, DETAILED),
	OP(CPUID, exits_cpuid, exit_cpuid),
	OP(HLT, exits_hlt, exit_hlt),
	/* No device's DMA bypasses the caches for a guest: nothing to write back. */
	OP(INVD, exits_other, skip),
	OP(WBINVD, exits_other, skip),
	OP(RDPMC, exits_other, exit_refuse),
	OP(VMCALL, exits_other, exit_vmcall),
	/* VMLAUNCH, VMPTRLD, VMPTRST, VMREAD, VMRESUME, VMWRITE, VMXOFF between them */
	OP(VMCLEAR ... EXIT_REASON_VMON, exits_other, exit_refuse),
	OP(INVEPT, exits_other, exit_refuse),
	OP(INVVPID, exits_other, exit_refuse),
	OP(MWAIT_INSTRUCTION, exits_other, exit_refuse),
	OP(MONITOR_INSTRUCTION, exits_other, exit_refuse),
	OP(CR_ACCESS, exits_cr, exit_cr_access, DETAILED),
	OP(DR_ACCESS, exits_dr, exit_dr_access, DETAILED),
	OP(IO_INSTRUCTION, exits_io, exit_io),
	OP(MSR_READ, exits_rdmsr, exit_rdmsr),
	OP(MSR_WRITE, exits_wrmsr, exit_wrmsr),
	OP(EPT_VIOLATION, ept_faults, exit_ept_violation, DETAILED),
	OP(EPT_MISCONFIG, exits_other, NULL, DETAILED),
	OP(APIC_ACCESS, exits_apic, exit_apic_access, DETAILED),
	OP(TPR_BELOW_THRESHOLD, exits_apic, exit_window),
	OP(EOI_INDUCED, exits_apic, exit_eoi_induced, DETAILED),
	OP(APIC_WRITE, exits_apic, exit_apic_write, DETAILED),
	OP(PREEMPTION_TIMER, exits_preemption_timer, exit_preemption_timer),
	OP(XSETBV, exits_other, exit_xsetbv),
	OP(PAUSE_INSTRUCTION, exits_pause, exit_pause),
};

static enum exit_result serve(struct mvm_vcpu *vcpu, const struct exit_op *op)
{
	if (unlikely(!op->handler))
		return exit_unhandled(vcpu);
	((u64 *)&vcpu->stats)[op->counter]++;
	return op->handler(vcpu);
}

/* Those that are rarer, or traced: apart, so that the others need no registers saved. */
static noinline enum exit_result serve_detailed(struct mvm_vcpu *vcpu, const struct exit_op *op)
{
	trace_mvm_exit(vcpu);
	if (op->detailed) {
		vcpu->exit_qualification = vmcs_read(EXIT_QUALIFICATION);
		mvm_requeue_event(vcpu);
	}
	return serve(vcpu, op);
}

static noinline enum exit_result serve_unlisted(struct mvm_vcpu *vcpu)
{
	trace_mvm_exit(vcpu);
	return vcpu->exit_reason & VMX_EXIT_REASONS_FAILED_VMENTRY ?
		mvm_exit_fail_entry(vcpu, 0) : exit_unhandled(vcpu);
}

/**
 * mvm_handle_exit() - dispatch a VM exit
 * @vcpu: vCPU whose window is open, directly after the exit: entry.S comes here
 */
enum exit_result mvm_handle_exit(struct mvm_vcpu *vcpu)
{
	u32 reason = vmcs_read(VM_EXIT_REASON);
	const struct exit_op *op;

	mvm_debug(exited, vcpu);
	vcpu->exit_reason = reason;
	vcpu->exit_qualification = 0;
	if (unlikely(reason >= ARRAY_SIZE(exit_ops)))
		return serve_unlisted(vcpu);
	op = &exit_ops[array_index_nospec(reason, ARRAY_SIZE(exit_ops))];
	OPTIMIZER_HIDE_VAR(op);		/* compute the address once */
	if (op->detailed || trace_mvm_exit_enabled())
		return serve_detailed(vcpu, op);
	return serve(vcpu, op);
}

/**
 * mvm_after_window() - what must happen before IRQs come on
 * @vcpu: vCPU whose window was just closed; IRQs off
 * @result: of its last exit
 */
void mvm_after_window(struct mvm_vcpu *vcpu, enum exit_result result)
{
	if (result == EXIT_NMI) {
		/* NMIs are blocked since the exit, until the handler's IRET. */
		asm volatile("int $2");
	} else if (result == EXIT_MACHINE_CHECK) {
		/* As if from user mode: recoverable. */
		struct pt_regs regs = { .cs = 3, .flags = X86_EFLAGS_IF };

		do_machine_check(&regs);
		/*
		 * If memory failed, its recovery waits in task work, which a
		 * kernel thread never does: user space decides, not we.
		 */
		vcpu->forced_exit = MVM_EXIT_UNHANDLED;
	}
}
