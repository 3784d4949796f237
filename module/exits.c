// SPDX-License-Identifier: GPL-2.0-only
/*
 * exits.c - what happens after a VM exit: a table from exit reason to handler.
 *
 * Handlers run in the open window, IRQs off.  What may sleep is left for the
 * vCPU's thread (vcpu->after), what user space has to answer is decoded into
 * the run page.  A reason without a handler goes to user space as it is.
 */
#include <linux/kernel.h>
#include <linux/nospec.h>
#include <linux/sched.h>
#include <asm/debugreg.h>
#include <asm/mce.h>
#include <asm/processor-flags.h>
#include <asm/vmx.h>
#include "caps.h"
#include "cr.h"
#include "exits.h"
#include "inject.h"
#include "run.h"
#include "state.h"
#include "trace.h"
#include "vcpu.h"
#include "vm.h"
#include "vmcs.h"
#include "vmx_ops.h"
#include "window.h"

/* A guest register; the page is shared, so each access is a single one. */
static u64 gpr_read(const struct mvm_vcpu *vcpu, unsigned int n)
{
	n &= 15;
	if (n == MVM_RSP)
		return vmcs_read_natural(VMCS_GUEST_RSP);
	return READ_ONCE(vcpu->run->gpr[n]);
}

static void gpr_write(struct mvm_vcpu *vcpu, unsigned int n, u64 value)
{
	n &= 15;
	if (n == MVM_RSP)
		vmcs_write_natural(VMCS_GUEST_RSP, value);
	else
		WRITE_ONCE(vcpu->run->gpr[n], value);
}

static bool in_64bit_code(void)
{
	return vmcs_read32(VMCS_ENTRY_CONTROLS) & VM_ENTRY_IA32E_MODE &&
	       vmcs_read32(VMCS_GUEST_CS_ACCESS) & VMX_AR_L_MASK;
}

/* With BTF the guest steps by branches, and entry insists (27.3.1.5). */
static noinline void pend_single_step(void)
{
	if (!(vmcs_read64(VMCS_GUEST_DEBUGCTL) & DEBUGCTLMSR_BTF))
		vmcs_write_natural(VMCS_GUEST_PENDING_DEBUG,
				   vmcs_read_natural(VMCS_GUEST_PENDING_DEBUG) | DR_STEP);
}

static __always_inline void skip_to(unsigned long rip)
{
	u32 blocked = vmcs_read32(VMCS_GUEST_INTERRUPTIBILITY);

	vmcs_write_natural(VMCS_GUEST_RIP, rip);
	if (unlikely(blocked & (BLOCKED_BY_STI | BLOCKED_BY_MOV_SS)))
		vmcs_write32(VMCS_GUEST_INTERRUPTIBILITY,
			     blocked & ~(BLOCKED_BY_STI | BLOCKED_BY_MOV_SS));
	if (unlikely(vmcs_read_natural(VMCS_GUEST_RFLAGS) & X86_EFLAGS_TF))
		pend_single_step();
}

/**
 * mvm_skip_to() - the guest's instruction is done, by us
 * @vcpu: vCPU whose window is open
 * @rip: where it goes on
 *
 * Ends the shadow of STI and MOV SS, and gives a single-stepping guest its #DB
 * (SDM 3C 27.3.1.5, 33.2).
 */
void mvm_skip_to(struct mvm_vcpu *vcpu, unsigned long rip)
{
	skip_to(rip);
}

/* Where the exiting instruction ends; RIP wraps at 4 GiB outside 64-bit code. */
static __always_inline unsigned long next_rip(void)
{
	unsigned long rip = vmcs_read_natural(VMCS_GUEST_RIP);
	unsigned long next = rip + vmcs_read32(VMCS_EXIT_INSN_LEN);

	if (unlikely((rip ^ next) >> 32) && !in_64bit_code())
		next = (u32)next;
	return next;
}

static __always_inline enum exit_result skip(struct mvm_vcpu *vcpu)
{
	skip_to(next_rip());
	return EXIT_RESUME;
}

/* ---- exits to user space ---- */

/**
 * mvm_exit_user() - describe an exit in the run page
 * @vcpu: vCPU whose window is open
 * @reason: MVM_EXIT_*; the caller fills in the part of the union
 *
 * Returns EXIT_USER.
 */
enum exit_result mvm_exit_user(struct mvm_vcpu *vcpu, u32 reason)
{
	struct mvm_run *run = vcpu->run;

	run->exit_reason = reason;
	run->hw_reason = vcpu->exit_reason;
	run->hw_qualification = vcpu->exit_qualification;
	run->insn_len = 0;
	run->action = MVM_ACTION_COMPLETE;
	run->gpr[MVM_RSP] = vmcs_read_natural(VMCS_GUEST_RSP);
	run->rip = vmcs_read_natural(VMCS_GUEST_RIP);
	run->rflags = vmcs_read_natural(VMCS_GUEST_RFLAGS);
	run->next_rip = run->rip;
	run->interruptibility = vmcs_read32(VMCS_GUEST_INTERRUPTIBILITY);
	run->sync_valid = 0;
	if (READ_ONCE(run->sync_want) & MVM_SYNC_SREGS) {
		mvm_state_fill_sregs(vcpu, &run->sregs);
		run->sync_valid = MVM_SYNC_SREGS;
	}
	vcpu->answering = reason;
	return EXIT_USER;
}

/* An exit by an instruction, which the answer completes. */
static enum exit_result exit_user_insn(struct mvm_vcpu *vcpu, u32 reason)
{
	mvm_exit_user(vcpu, reason);
	vcpu->run->insn_len = vmcs_read32(VMCS_EXIT_INSN_LEN);
	vcpu->run->next_rip = next_rip();
	return EXIT_USER;
}

static void with_sregs(struct mvm_vcpu *vcpu)
{
	struct mvm_run *run = vcpu->run;

	if (run->sync_valid & MVM_SYNC_SREGS)
		return;
	mvm_state_fill_sregs(vcpu, &run->sregs);
	run->sync_valid |= MVM_SYNC_SREGS;
}

/**
 * mvm_exit_mmio() - the access that faulted has no memory behind it
 * @vcpu: vCPU with a VMCS access window
 * @unused: for mvm_window_access()
 */
void mvm_exit_mmio(struct mvm_vcpu *vcpu, void *unused)
{
	mvm_exit_user(vcpu, MVM_EXIT_MMIO);
	with_sregs(vcpu);
	vcpu->run->mmio = (struct mvm_exit_mmio){
		.gpa = vcpu->fault_gpa,
		.linear = vcpu->fault_linear,
		.flags = vcpu->fault_flags,
	};
	vcpu->stats.mmio++;
}

/**
 * mvm_exit_memory() - the owner's memory behind the access failed
 * @vcpu: vCPU with a VMCS access window
 * @arg: struct mvm_exit_memory, filled in
 */
void mvm_exit_memory(struct mvm_vcpu *vcpu, void *arg)
{
	mvm_exit_user(vcpu, MVM_EXIT_MEMORY_FAULT);
	vcpu->run->memory = *(struct mvm_exit_memory *)arg;
}

static enum exit_result exit_unhandled(struct mvm_vcpu *vcpu)
{
	vcpu->stats.other_exits++;
	mvm_exit_user(vcpu, MVM_EXIT_UNHANDLED);
	vcpu->run->insn_len = vmcs_read32(VMCS_EXIT_INSN_LEN);
	return EXIT_USER;
}

/* The event that was to be injected is not lost with the entry. */
static void recover_event(struct mvm_vcpu *vcpu)
{
	u32 info = vmcs_read32(VMCS_ENTRY_INTR_INFO);

	if (!(info & INTR_VALID))
		return;
	vcpu->event = (struct mvm_event){
		.info = info,
		.error_code = vmcs_read32(VMCS_ENTRY_ERROR_CODE),
		.insn_len = vmcs_read32(VMCS_ENTRY_INSN_LEN),
	};
	vmcs_write32(VMCS_ENTRY_INTR_INFO, 0);
}

/**
 * mvm_exit_entry_refused() - VMLAUNCH or VMRESUME did not enter
 * @vcpu: vCPU whose window is open
 * @failed: 1 VMfail, 2 fault
 */
enum exit_result mvm_exit_entry_refused(struct mvm_vcpu *vcpu, int failed)
{
	u32 error = failed == 1 ? vmcs_read32(VMCS_INSN_ERROR) : U32_MAX;

	recover_event(vcpu);
	vcpu->exit_reason = 0;
	vcpu->exit_qualification = 0;
	mvm_exit_user(vcpu, MVM_EXIT_FAIL_ENTRY);
	vcpu->run->fail = (struct mvm_exit_fail){ .instruction_error = error };
	return EXIT_USER;
}

/**
 * mvm_exit_no_vmx() - this CPU refused VMXON or our VMCS
 * @vcpu: vCPU; no window is open, so the page does not get the registers; the
 *	  next run goes on with those in the VMCS
 */
enum exit_result mvm_exit_no_vmx(struct mvm_vcpu *vcpu)
{
	struct mvm_run *run = vcpu->run;

	pr_err_ratelimited("CPU %d refused to enter VMX operation\n",
			   smp_processor_id());
	vcpu->regs_in_vmcs = true;
	run->exit_reason = MVM_EXIT_FAIL_ENTRY;
	run->hw_reason = 0;
	run->hw_qualification = 0;
	run->fail = (struct mvm_exit_fail){ .instruction_error = U32_MAX };
	return EXIT_USER;
}

/* Entry failed while loading the guest's state: bit 31 (SDM 3C 27.8). */
static enum exit_result entry_failed(struct mvm_vcpu *vcpu)
{
	recover_event(vcpu);
	vcpu->exit_qualification = vmcs_read_natural(VMCS_EXIT_QUALIFICATION);
	if ((vcpu->exit_reason & 0xffff) == EXIT_REASON_MCE_DURING_VMENTRY) {
		vcpu->after = AFTER_MACHINE_CHECK;
		return EXIT_CLOSE;
	}
	mvm_exit_user(vcpu, MVM_EXIT_FAIL_ENTRY);
	vcpu->run->fail = (struct mvm_exit_fail){ 0 };
	return EXIT_USER;
}

/* ---- handlers, in the order of the exit reasons ---- */

/*
 * An exception of the guest that always exits (#DB, #AC, #MC), or an NMI of
 * the host.  The window is closed before #DB or #AC goes on: when its delivery
 * faults again and again, the CPU never looks at interrupts (CVE-2015-5307,
 * CVE-2015-8104).
 */
static enum exit_result exit_exception(struct mvm_vcpu *vcpu)
{
	u32 info = vmcs_read32(VMCS_EXIT_INTR_INFO);
	u32 blocked;

	if ((info & INTR_TYPE) == INTR_TYPE_NMI) {
		vcpu->after = AFTER_NMI;
		return EXIT_CLOSE;
	}
	vcpu->stats.exceptions++;
	/* IRET had unblocked NMIs before it faulted (SDM 3C 28.2.3). */
	if (info & INTR_UNBLOCKED_NMI && !vcpu->event.info) {
		blocked = vmcs_read32(VMCS_GUEST_INTERRUPTIBILITY);
		vmcs_write32(VMCS_GUEST_INTERRUPTIBILITY, blocked | BLOCKED_BY_NMI);
	}
	switch (info & INTR_VECTOR) {
	case VECTOR_MC:
		vcpu->after = AFTER_MACHINE_CHECK;
		return EXIT_CLOSE;
	case VECTOR_AC:
		mvm_raise_error(vcpu, VECTOR_AC, vmcs_read32(VMCS_EXIT_INTR_ERROR_CODE));
		return EXIT_CLOSE;
	case VECTOR_DB:
		/* SDM 3C table 28-1: B0-B3, BD, BS as in DR6. */
		mvm_raise_db(vcpu, vcpu->exit_qualification & (DR6_B0_3 | DR6_BD | DR6_BS));
		if ((info & INTR_TYPE) == INTR_TYPE_PRIV_SOFT) {
			vcpu->event.info = VECTOR_DB | INTR_TYPE_PRIV_SOFT | INTR_VALID;
			vcpu->event.insn_len = vmcs_read32(VMCS_EXIT_INSN_LEN);
		}
		/* A stepping guest in a shadow: entry demands BS (27.3.1.5). */
		blocked = vmcs_read32(VMCS_GUEST_INTERRUPTIBILITY);
		if (blocked & (BLOCKED_BY_STI | BLOCKED_BY_MOV_SS) &&
		    vmcs_read_natural(VMCS_GUEST_RFLAGS) & X86_EFLAGS_TF)
			pend_single_step();
		return EXIT_CLOSE;
	}
	return exit_unhandled(vcpu);
}

/* The interrupt stays pending and is taken when IRQs come on. */
static enum exit_result exit_host_interrupt(struct mvm_vcpu *vcpu)
{
	vcpu->stats.host_interrupts++;
	return EXIT_CLOSE;
}

static enum exit_result exit_triple_fault(struct mvm_vcpu *vcpu)
{
	return mvm_exit_user(vcpu, MVM_EXIT_SHUTDOWN);
}

static enum exit_result exit_window(struct mvm_vcpu *vcpu)
{
	vcpu->stats.interrupt_windows++;
	return EXIT_INJECT;
}

/* User space switches the task, or gives up; the event is part of the switch. */
static enum exit_result exit_task_switch(struct mvm_vcpu *vcpu)
{
	u64 qualification = vcpu->exit_qualification;
	struct mvm_event event = vcpu->event;

	vcpu->event.info = 0;
	/* An event through a task gate is no instruction and has no length. */
	if (event.info && (event.info & INTR_TYPE) < INTR_TYPE_SOFT_INT)
		mvm_exit_user(vcpu, MVM_EXIT_TASK_SWITCH);
	else
		exit_user_insn(vcpu, MVM_EXIT_TASK_SWITCH);
	vcpu->run->task_switch = (struct mvm_exit_task_switch){
		.selector = qualification & 0xffff,
		.source = qualification >> 30 & 3,
		.has_error_code = !!(event.info & INTR_HAS_ERROR_CODE),
		.error_code = event.error_code,
	};
	with_sregs(vcpu);
	return EXIT_USER;
}

static enum exit_result exit_cpuid(struct mvm_vcpu *vcpu)
{
	struct mvm_run *run = vcpu->run;
	const struct mvm_cpuid_entry *entry;

	vcpu->stats.cpuid++;
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
	vcpu->stats.hlt++;
	if (vcpu->vm->flags & MVM_VM_EXIT_HLT)
		return exit_user_insn(vcpu, MVM_EXIT_HLT);
	mvm_skip_to(vcpu, next_rip());
	vcpu->halted = true;
	vcpu->halted_if = vmcs_read_natural(VMCS_GUEST_RFLAGS) & X86_EFLAGS_IF;
	return EXIT_CLOSE;
}

/* No device's DMA bypasses the caches for a guest: nothing to write back. */
static enum exit_result exit_skip(struct mvm_vcpu *vcpu)
{
	vcpu->stats.other_exits++;
	return skip(vcpu);
}

/* Not asked for: somebody who spins lets others run. */
static enum exit_result exit_pause(struct mvm_vcpu *vcpu)
{
	vcpu->stats.pause++;
	skip(vcpu);
	return EXIT_CLOSE;
}

static enum exit_result exit_undefined(struct mvm_vcpu *vcpu)
{
	vcpu->stats.other_exits++;
	return mvm_raise(vcpu, VECTOR_UD);
}

/* No performance counters are shown to guests. */
static enum exit_result exit_rdpmc(struct mvm_vcpu *vcpu)
{
	vcpu->stats.other_exits++;
	return mvm_raise_error(vcpu, VECTOR_GP, 0);
}

static enum exit_result exit_vmcall(struct mvm_vcpu *vcpu)
{
	vcpu->stats.other_exits++;
	if (vcpu->vm->flags & MVM_VM_EXIT_VMCALL)
		return exit_user_insn(vcpu, MVM_EXIT_VMCALL);
	vcpu->run->gpr[MVM_RAX] = -ENOSYS;
	return skip(vcpu);
}

/* Qualification: SDM 3C table 28-3. */
static enum exit_result exit_cr_access(struct mvm_vcpu *vcpu)
{
	unsigned long qualification = vcpu->exit_qualification;
	unsigned int cr = qualification & 15, gpr = qualification >> 8 & 15;
	bool write = !(qualification >> 4 & 3);
	int result;
	u64 value;

	vcpu->stats.cr++;
	if (qualification >> 4 & 2)	/* CLTS, LMSW: no host-owned bit in reach */
		return exit_unhandled(vcpu);
	if (cr == 8 && !write) {
		gpr_write(vcpu, gpr, lapic_cr8(&vcpu->lapic));
		return skip(vcpu);
	}
	if (!write)
		return exit_unhandled(vcpu);

	value = gpr_read(vcpu, gpr);
	switch (cr) {
	case 0:
		result = mvm_write_guest_cr0(vcpu, in_64bit_code() ? value : (u32)value);
		break;
	case 4:
		result = mvm_write_guest_cr4(vcpu, in_64bit_code() ? value : (u32)value);
		break;
	case 8:
		if (value & ~15ULL)
			return mvm_raise_error(vcpu, VECTOR_GP, 0);
		lapic_set_cr8(&vcpu->lapic, value);
		skip(vcpu);
		return EXIT_INJECT;
	default:
		return exit_unhandled(vcpu);
	}
	if (result == -EAGAIN)
		return EXIT_CLOSE;	/* and the instruction again */
	if (result)
		return mvm_raise_error(vcpu, VECTOR_GP, 0);
	if (vcpu->cr.flush)
		mvm_cr_commit(vcpu);
	return skip(vcpu);
}

static enum exit_result write_dr(struct mvm_vcpu *vcpu, unsigned int n, u64 value)
{
	switch (n) {
	case 0 ... 3:
		vcpu->dr[array_index_nospec(n, 4)] = value;
		break;
	case 6:
		if (value >> 32)
			return mvm_raise_error(vcpu, VECTOR_GP, 0);
		vcpu->dr6 = mvm_dr6(value);
		return skip(vcpu);
	default:
		if (value >> 32)
			return mvm_raise_error(vcpu, VECTOR_GP, 0);
		vmcs_write_natural(VMCS_GUEST_DR7, mvm_dr7(value));
	}
	skip(vcpu);
	return EXIT_CLOSE;	/* breakpoints are loaded when the window opens */
}

/* Qualification: SDM 3C table 28-4. */
static enum exit_result exit_dr_access(struct mvm_vcpu *vcpu)
{
	unsigned long qualification = vcpu->exit_qualification;
	unsigned int n = qualification & 7, gpr = qualification >> 8 & 15;
	unsigned long dr7 = vmcs_read_natural(VMCS_GUEST_DR7);
	bool wide = in_64bit_code();
	u64 value;

	vcpu->stats.dr++;
	if (n == 4 || n == 5) {		/* aliases of 6 and 7 (SDM 3B 18.2.2) */
		if (mvm_guest_cr4() & X86_CR4_DE)
			return mvm_raise(vcpu, VECTOR_UD);
		n += 2;
	}
	if (dr7 & DR7_GENERAL_DETECT)
		return mvm_raise_db(vcpu, DR6_BD);
	if (!(qualification & BIT(4))) {
		value = gpr_read(vcpu, gpr);
		return write_dr(vcpu, n, wide ? value : (u32)value);
	}
	value = n < 4 ? vcpu->dr[array_index_nospec(n, 4)] : n == 6 ? vcpu->dr6 : dr7;
	gpr_write(vcpu, gpr, wide ? value : (u32)value);
	return skip(vcpu);
}

/*
 * Qualification: SDM 3C table 28-5.  INS and OUTS are forwarded with what the
 * CPU says about them; their memory operand is user space's business.
 */
static enum exit_result exit_io(struct mvm_vcpu *vcpu)
{
	static const u8 address_bytes[] = { 2, 4, 8, 8 };
	unsigned long qualification = vcpu->exit_qualification;
	u64 mask, count = 1;
	struct mvm_exit_io io = {
		.port = qualification >> 16,
		.bytes = (qualification & 7) + 1,
		.flags = qualification & BIT(3) ? MVM_IO_IN : 0,
	};

	vcpu->stats.io++;
	if (qualification & BIT(4)) {
		u32 info = vmcs_read32(VMCS_EXIT_INSN_INFO);

		io.flags |= MVM_IO_STRING;
		io.address_bytes = address_bytes[info >> 7 & 3];
		/* Not defined for INS, which knows only ES (SDM 3C table 28-8). */
		io.segment = io.flags & MVM_IO_IN ? 0 : info >> 15 & 7;
		io.linear = vmcs_read_natural(VMCS_GUEST_LINEAR_ADDRESS);
		if (vmcs_read_natural(VMCS_GUEST_RFLAGS) & X86_EFLAGS_DF)
			io.flags |= MVM_IO_DOWN;
		if (qualification & BIT(5)) {
			io.flags |= MVM_IO_REP;
			mask = io.address_bytes == 8 ? ~0ULL :
			       BIT_ULL(8 * io.address_bytes) - 1;
			count = gpr_read(vcpu, MVM_RCX) & mask;
			if (!count)
				return skip(vcpu);
		}
		io.count = count;
	} else if (!(io.flags & MVM_IO_IN)) {
		io.data = gpr_read(vcpu, MVM_RAX) & (~0U >> (32 - 8 * io.bytes));
	}
	exit_user_insn(vcpu, MVM_EXIT_IO);
	vcpu->io = io;
	vcpu->run->io = io;
	if (io.flags & MVM_IO_STRING)
		with_sregs(vcpu);
	return EXIT_USER;
}

/* How an access to an MSR ended, turned into what happens next. */
static enum exit_result msr_done(struct mvm_vcpu *vcpu, int result, u32 index,
				 u64 data, bool write)
{
	if (!result) {
		skip(vcpu);
		return vcpu->msr.reopen ? EXIT_CLOSE : EXIT_INJECT;
	}
	if (result != -ENOENT || READ_ONCE(vcpu->vm->msr_policy) != MVM_MSR_POLICY_FORWARD)
		return mvm_raise_error(vcpu, VECTOR_GP, 0);
	exit_user_insn(vcpu, MVM_EXIT_MSR);
	vcpu->run->msr = (struct mvm_exit_msr){ .index = index, .write = write, .data = data };
	return EXIT_USER;
}

static enum exit_result exit_rdmsr(struct mvm_vcpu *vcpu)
{
	u32 index = gpr_read(vcpu, MVM_RCX);
	u64 data = 0;
	int result;

	vcpu->stats.msr_reads++;
	result = mvm_msr_read(vcpu, index, &data);
	if (result)
		return msr_done(vcpu, result, index, 0, false);
	gpr_write(vcpu, MVM_RAX, (u32)data);
	gpr_write(vcpu, MVM_RDX, data >> 32);
	return skip(vcpu);
}

static enum exit_result exit_wrmsr(struct mvm_vcpu *vcpu)
{
	u32 index = gpr_read(vcpu, MVM_RCX);
	u64 data = (u32)gpr_read(vcpu, MVM_RAX) | gpr_read(vcpu, MVM_RDX) << 32;
	enum exit_result result;

	vcpu->stats.msr_writes++;
	result = msr_done(vcpu, mvm_msr_write(vcpu, index, data, false), index, data, true);
	/* The write of an ICR that only user space can serve. */
	if (result != EXIT_USER && vcpu->pending_ipi)
		return mvm_exit_ipi(vcpu);
	return result;
}

/**
 * mvm_exit_ipi() - hand an INIT, SIPI or SMI to user space
 * @vcpu: vCPU whose window is open; pending_ipi is set
 */
enum exit_result mvm_exit_ipi(struct mvm_vcpu *vcpu)
{
	mvm_exit_user(vcpu, MVM_EXIT_IPI);
	vcpu->run->ipi = (struct mvm_exit_ipi){ .icr = vcpu->pending_ipi };
	vcpu->pending_ipi = 0;
	return EXIT_USER;
}

/* Qualification: SDM 3C table 28-7. */
static enum exit_result exit_ept_violation(struct mvm_vcpu *vcpu)
{
	unsigned long qualification = vcpu->exit_qualification;
	u32 blocked;

	vcpu->stats.ept_faults++;
	vcpu->fault_gpa = vmcs_read64(VMCS_GUEST_PHYSICAL_ADDRESS);
	vcpu->fault_linear = 0;
	vcpu->fault_flags = 0;
	if (qualification & BIT(1)) {
		vcpu->fault_access = EPT_WRITE;
		vcpu->fault_flags |= MVM_MMIO_WRITE;
	} else if (qualification & BIT(2)) {
		vcpu->fault_access = EPT_EXEC;
		vcpu->fault_flags |= MVM_MMIO_FETCH;
	} else {
		vcpu->fault_access = EPT_READ;
		vcpu->fault_flags |= MVM_MMIO_READ;
	}
	if (qualification & BIT(7)) {
		vcpu->fault_linear = vmcs_read_natural(VMCS_GUEST_LINEAR_ADDRESS);
		vcpu->fault_flags |= MVM_MMIO_LINEAR;
		if (!(qualification & BIT(8)))
			vcpu->fault_flags |= MVM_MMIO_WALK;
	}
	if (vcpu->event.info)
		vcpu->fault_flags |= MVM_MMIO_IN_DELIVERY;
	/* IRET had unblocked NMIs before it faulted (SDM 3C 28.2.3). */
	else if (qualification & BIT(12)) {
		blocked = vmcs_read32(VMCS_GUEST_INTERRUPTIBILITY);
		vmcs_write32(VMCS_GUEST_INTERRUPTIBILITY, blocked | BLOCKED_BY_NMI);
	}
	vcpu->after = AFTER_FAULT;
	return EXIT_CLOSE;
}

/* The backstop: host interrupts get their turn. */
static enum exit_result exit_preemption_timer(struct mvm_vcpu *vcpu)
{
	vcpu->stats.preemption_timer++;
	return EXIT_CLOSE;
}

/* SDM 1 13.3: the rules of XSETBV.  CPL was checked by the CPU. */
static enum exit_result exit_xsetbv(struct mvm_vcpu *vcpu)
{
	u64 value = (u32)gpr_read(vcpu, MVM_RAX) | gpr_read(vcpu, MVM_RDX) << 32;

	vcpu->stats.other_exits++;
	if ((u32)gpr_read(vcpu, MVM_RCX) != 0 || !mvm_cpuid_xcr0_valid(&vcpu->cpuid, value))
		return mvm_raise_error(vcpu, VECTOR_GP, 0);
	mvm_window_set_xcr0(vcpu, value);
	mvm_state_refresh_cpuid(vcpu);
	return skip(vcpu);
}

/* A row of the table. */
struct exit_op {
	const char *name;
	enum exit_result (*handler)(struct mvm_vcpu *vcpu);
	bool in_delivery;	/* may interrupt the delivery of an event (28.2.4) */
	bool qualified;		/* has an exit qualification */
};

#define OP(reason, name_, handler_, ...)				\
	[EXIT_REASON_##reason] = {					\
		.name = name_, .handler = handler_, __VA_ARGS__		\
	}
#define IN_DELIVERY	.in_delivery = true
#define QUALIFIED	.qualified = true

static const struct exit_op exit_ops[] = {
	OP(EXCEPTION_NMI, "exception or NMI", exit_exception, IN_DELIVERY, QUALIFIED),
	OP(EXTERNAL_INTERRUPT, "external interrupt", exit_host_interrupt),
	OP(TRIPLE_FAULT, "triple fault", exit_triple_fault),
	OP(INIT_SIGNAL, "INIT", exit_host_interrupt),
	OP(INTERRUPT_WINDOW, "interrupt window", exit_window),
	OP(NMI_WINDOW, "NMI window", exit_window),
	OP(TASK_SWITCH, "task switch", exit_task_switch, IN_DELIVERY, QUALIFIED),
	OP(CPUID, "CPUID", exit_cpuid),
	OP(HLT, "HLT", exit_hlt),
	OP(INVD, "INVD", exit_skip),
	OP(RDPMC, "RDPMC", exit_rdpmc),
	OP(VMCALL, "VMCALL", exit_vmcall),
	OP(VMCLEAR, "VMCLEAR", exit_undefined),
	OP(VMLAUNCH, "VMLAUNCH", exit_undefined),
	OP(VMPTRLD, "VMPTRLD", exit_undefined),
	OP(VMPTRST, "VMPTRST", exit_undefined),
	OP(VMREAD, "VMREAD", exit_undefined),
	OP(VMRESUME, "VMRESUME", exit_undefined),
	OP(VMWRITE, "VMWRITE", exit_undefined),
	OP(VMOFF, "VMXOFF", exit_undefined),
	OP(VMON, "VMXON", exit_undefined),
	OP(CR_ACCESS, "control register", exit_cr_access, QUALIFIED),
	OP(DR_ACCESS, "debug register", exit_dr_access, QUALIFIED),
	OP(IO_INSTRUCTION, "port I/O", exit_io, QUALIFIED),
	OP(MSR_READ, "RDMSR", exit_rdmsr),
	OP(MSR_WRITE, "WRMSR", exit_wrmsr),
	OP(MWAIT_INSTRUCTION, "MWAIT", exit_undefined),
	OP(MONITOR_INSTRUCTION, "MONITOR", exit_undefined),
	OP(EPT_VIOLATION, "EPT violation", exit_ept_violation, IN_DELIVERY, QUALIFIED),
	OP(EPT_MISCONFIG, "EPT misconfiguration", NULL, IN_DELIVERY),
	OP(INVEPT, "INVEPT", exit_undefined),
	OP(PREEMPTION_TIMER, "preemption timer", exit_preemption_timer),
	OP(INVVPID, "INVVPID", exit_undefined),
	OP(WBINVD, "WBINVD", exit_skip),
	OP(XSETBV, "XSETBV", exit_xsetbv),
	OP(PAUSE_INSTRUCTION, "PAUSE", exit_pause),
};

/**
 * mvm_handle_exit() - dispatch a VM exit
 * @vcpu: vCPU whose window is open, directly after the exit
 */
enum exit_result mvm_handle_exit(struct mvm_vcpu *vcpu)
{
	u32 reason = vmcs_read32(VMCS_EXIT_REASON);
	const struct exit_op *op;

	vcpu->exit_reason = reason;
	trace_mvm_exit(vcpu);
	if (unlikely(reason >= ARRAY_SIZE(exit_ops)))
		return reason & VMX_EXIT_REASONS_FAILED_VMENTRY ?
		       entry_failed(vcpu) : exit_unhandled(vcpu);
	op = &exit_ops[array_index_nospec(reason, ARRAY_SIZE(exit_ops))];
	OPTIMIZER_HIDE_VAR(op);		/* compute the address once */
	vcpu->exit_qualification = op->qualified ?
		vmcs_read_natural(VMCS_EXIT_QUALIFICATION) : 0;
	if (op->in_delivery)
		mvm_requeue_event(vcpu);
	if (unlikely(!op->handler))
		return exit_unhandled(vcpu);
	return op->handler(vcpu);
}

/**
 * mvm_after_window() - what must happen before IRQs come on
 * @vcpu: vCPU whose window was just closed; IRQs off
 */
void mvm_after_window(struct mvm_vcpu *vcpu)
{
	switch (vcpu->after) {
	case AFTER_NMI:
		/* NMIs are blocked since the exit, until the handler's IRET. */
		vcpu->after = AFTER_NOTHING;
		asm volatile("int $2");
		break;
	case AFTER_MACHINE_CHECK: {
		struct pt_regs regs = {
			.cs = 3,	/* as if from user mode: recoverable */
			.flags = X86_EFLAGS_IF,
		};

		vcpu->after = AFTER_NOTHING;
		do_machine_check(&regs);
		/*
		 * If memory failed, its recovery waits in task work, which a
		 * kernel thread never does: user space decides, not we.
		 */
		vcpu->forced_exit = MVM_EXIT_UNHANDLED;
		break;
	}
	default:
		break;
	}
}
