// SPDX-License-Identifier: GPL-2.0-only
/*
 * run.c - running a vCPU: the life of its kernel thread between MVM_RUN and the
 * next exit to user space, what others ask of it meanwhile, and its APIC timer.
 */
#include <linux/freezer.h>
#include <linux/kthread.h>
#include <linux/math64.h>
#include <linux/moduleparam.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>
#include <asm/tsc.h>
#include "doorbell.h"
#include "inject.h"
#include "trace.h"
#include "vm.h"
#include "vmx_ops.h"

/* As long as KVM's, so that the two can be compared. */
static unsigned int halt_poll_us = 200;
module_param(halt_poll_us, uint, 0644);
MODULE_PARM_DESC(halt_poll_us, "how long a halted vCPU at most waits awake, in microseconds; 0: not at all");

/* ---- what others ask ---- */

/**
 * mvm_vcpu_request() - set a request and see to it that the vCPU notices
 * @vcpu: any vCPU
 * @request: enum mvm_request
 *
 * Any context, hard IRQs included.  The other half of the kick protocol is in
 * mvm_window_run().
 */
void mvm_vcpu_request(struct mvm_vcpu *vcpu, enum mvm_request request)
{
	set_bit(request, &vcpu->requests);
	smp_mb__after_atomic();
	/* One that is stopped looks when it runs.  Who lends itself may be gone meanwhile. */
	rcu_read_lock();
	if (READ_ONCE(vcpu->in_window))
		kick_process(READ_ONCE(vcpu->runner));
	else if (mvm_vcpu_runs(vcpu))
		wake_up_process(READ_ONCE(vcpu->runner));
	rcu_read_unlock();
}

/**
 * mvm_vcpu_post_interrupt() - a fixed interrupt for the local APIC
 * @vcpu: any vCPU
 * @vector: 16 to 255
 * @level: level triggered
 *
 * Any context.
 */
void mvm_vcpu_post_interrupt(struct mvm_vcpu *vcpu, u8 vector, bool level)
{
	assign_bit(vector, vcpu->pending_level, level);
	set_bit(vector, vcpu->pending_irr);
	mvm_vcpu_request(vcpu, MVM_REQ_IRR);
}

/**
 * mvm_vcpu_post_startup() - INIT or SIPI for a vCPU
 * @vcpu: any vCPU
 * @mode: LAPIC_INIT or LAPIC_SIPI
 * @vector: of the SIPI
 *
 * Any context.  Only the vCPU's thread takes them: a vCPU that is stopped does
 * when it runs again.
 */
void mvm_vcpu_post_startup(struct mvm_vcpu *vcpu, enum lapic_delivery mode, u8 vector)
{
	u32 posted = READ_ONCE(vcpu->startup);

	while (!try_cmpxchg(&vcpu->startup, &posted, lapic_post_startup(posted, mode, vector)))
		;
	mvm_vcpu_request(vcpu, MVM_REQ_STARTUP);
}

/**
 * mvm_vcpu_stop() - end the vCPU's run for good
 * @vcpu: vCPU; may sleep
 *
 * The thread may be waiting for a page of the owner that will never come (a
 * userfaultfd whose server is gone, a dead network file system): a fatal signal
 * ends that wait.  The caller waits for the thread.
 */
void mvm_vcpu_stop(struct mvm_vcpu *vcpu)
{
	mvm_vcpu_request(vcpu, MVM_REQ_STOP);
	send_sig(SIGKILL, vcpu->thread, 1);
}

/* ---- time ---- */

/**
 * mvm_vcpu_tsc_offset() - guest TSC minus host TSC, in ticks
 * @vcpu: vCPU; called by its runner
 */
s64 mvm_vcpu_tsc_offset(const struct mvm_vcpu *vcpu)
{
	return READ_ONCE(vcpu->vm->tsc_offset) + READ_ONCE(mvm_tsc_lost) + vcpu->msr.tsc_adjust;
}

/**
 * mvm_vcpu_tsc() - the guest's TSC now
 * @vcpu: vCPU; called by its runner
 */
u64 mvm_vcpu_tsc(const struct mvm_vcpu *vcpu)
{
	return rdtsc() + mvm_vcpu_tsc_offset(vcpu);
}

/**
 * mvm_run_timer_fired() - vcpu->apic_timer fires
 * @timer: of a vCPU; hard interrupt context
 */
enum hrtimer_restart mvm_run_timer_fired(struct hrtimer *timer)
{
	mvm_vcpu_request(container_of(timer, struct mvm_vcpu, apic_timer), MVM_REQ_TIMER);
	return HRTIMER_NORESTART;
}

/* The host's timer does what no window does: it wakes. */
static void arm_hrtimer(struct mvm_vcpu *vcpu, u64 ticks)
{
	hrtimer_start(&vcpu->apic_timer,
		      ktime_add_ns(ktime_get(), mul_u64_u32_div(ticks, 1000000, mvm_caps.tsc_khz)),
		      HRTIMER_MODE_ABS_HARD);
}

/**
 * mvm_vcpu_update_timer() - the APIC timer was set, or may have expired
 * @vcpu: vCPU; called by its runner, also in a window: the hrtimer is a hard one
 *
 * An expiry that is due sets the interrupt at once.  The next one waits in
 * vcpu->timer_due: windows run the VMX-preemption timer for it, and before the
 * vCPU sleeps an hrtimer is armed.  Where the CPU's timer is no good, the hrtimer
 * does all; it may be early, since the two clocks differ a little: it comes here
 * again then.
 */
void mvm_vcpu_update_timer(struct mvm_vcpu *vcpu)
{
	u64 host = rdtsc(), ticks;

	ticks = lapic_timer_remaining(&vcpu->lapic, host + mvm_vcpu_tsc_offset(vcpu));
	vcpu->timer_due = MVM_NEVER;
	/* A year is as good as never, and cannot overflow. */
	if (ticks != LAPIC_NEVER)
		ticks = min_t(u64, ticks, (u64)mvm_caps.tsc_khz * 1000 * 3600 * 24 * 365);
	if (mvm_caps.timer_in_window) {
		if (ticks != LAPIC_NEVER) {
			vcpu->timer_due = host + ticks;
			vcpu->timer_in_window = true;
		}
	} else if (ticks != LAPIC_NEVER) {
		arm_hrtimer(vcpu, ticks);
	} else {	/* One that fires just now finds nothing due. */
		hrtimer_try_to_cancel(&vcpu->apic_timer);
	}
}

/**
 * mvm_vcpu_lapic_effect() - carry out what a write to the local APIC asks
 * @vcpu: vCPU; called by its runner after each write
 */
void mvm_vcpu_lapic_effect(struct mvm_vcpu *vcpu)
{
	struct mvm_lapic_state *lapic = &vcpu->lapic;

	if (lapic->timer_armed != lapic->timer_expiry)
		mvm_vcpu_update_timer(vcpu);
	if (lapic->eoi && vcpu->vm->flags & MVM_VM_EXIT_EOI) {
		__set_bit(lapic->eoi, vcpu->pending_eoi);
		vcpu->eoi_pending = true;
	}
	lapic->eoi = 0;
	if (lapic->ipi_icr)
		mvm_vm_deliver(vcpu->vm, vcpu, &lapic->ipi);
	lapic->ipi_icr = 0;
}

/* ---- the answer of user space ---- */

/* Exits that an instruction caused: COMPLETE goes on at next_rip. */
#define BY_INSTRUCTION	(BIT(MVM_EXIT_IO) | BIT(MVM_EXIT_MMIO) | BIT(MVM_EXIT_MSR) |	\
			 BIT(MVM_EXIT_HLT) | BIT(MVM_EXIT_VMCALL) | BIT(MVM_EXIT_TASK_SWITCH))

static int complete_exit(struct mvm_vcpu *vcpu)
{
	struct mvm_run *run = vcpu->run;

	if (vcpu->answering == MVM_EXIT_IO &&
	    (vcpu->io.flags & (MVM_IO_IN | MVM_IO_STRING)) == MVM_IO_IN) {
		u32 data = READ_ONCE(run->io.data);

		/* The low bytes of RAX; 4 bytes clear its upper half (SDM 1 3.4.1.1). */
		if (vcpu->io.bytes == 4)
			run->gpr[MVM_RAX] = 0;
		memcpy(&run->gpr[MVM_RAX], &data, vcpu->io.bytes);
	} else if (vcpu->answering == MVM_EXIT_MSR && vcpu->exit_reason == EXIT_REASON_MSR_READ) {
		u64 data = READ_ONCE(run->msr.data);

		run->gpr[MVM_RAX] = (u32)data;
		run->gpr[MVM_RDX] = data >> 32;
	} else if (vcpu->answering == MVM_EXIT_EXTINT) {
		u32 vector = READ_ONCE(run->extint.vector);

		if (vector > 255)
			return -EINVAL;
		vcpu->deferred_interrupt = vector;
	}
	return 0;
}

/* RFLAGS bits that exist, without VM86's virtual ones' checks: entry does them. */
#define RFLAGS_VALID	0x003f7fd5ULL

/*
 * Copy and check the answer in the run page, which user space may change under
 * our eyes: each field is read once.
 */
static int take_answer(struct mvm_vcpu *vcpu)
{
	struct mvm_answer *answer = &vcpu->answer;
	struct mvm_exception *exception = &answer->exception;
	struct mvm_run *run = vcpu->run;
	int ret;

	if (unlikely(vcpu->regs_in_vmcs)) {
		vcpu->regs_in_vmcs = false;
		return 0;
	}
	*answer = (struct mvm_answer){
		.rip = READ_ONCE(run->rip),
		.rsp = READ_ONCE(run->gpr[MVM_RSP]),
		.rflags = (READ_ONCE(run->rflags) & RFLAGS_VALID) | X86_EFLAGS_FIXED,
		.exception.vector = MVM_NO_EXCEPTION,
	};
	switch (READ_ONCE(run->action)) {
	case MVM_ACTION_COMPLETE:
		ret = complete_exit(vcpu);
		if (ret)
			return ret;
		if (BY_INSTRUCTION & BIT(vcpu->answering)) {
			answer->rip = READ_ONCE(run->next_rip);
			answer->completed = true;
			/* It ends with the instruction (SDM 3B 18.3.1.1). */
			answer->rflags &= ~(u64)X86_EFLAGS_RF;
		}
		break;
	case MVM_ACTION_RETRY:
		break;
	case MVM_ACTION_EXCEPTION:
		memcpy(exception, &run->exception, sizeof(*exception));
		if (exception->vector > 31 || exception->vector == X86_TRAP_NMI ||
		    exception->has_error_code > 1 || exception->reserved ||
		    (exception->has_error_code && !(EXCEPTIONS_WITH_CODE & BIT(exception->vector))))
			return -EINVAL;
		break;
	default:
		return -EINVAL;
	}
	answer->load = true;
	vcpu->answering = MVM_EXIT_NONE;
	vcpu->halted_if = answer->rflags & X86_EFLAGS_IF;
	if (exception->vector != MVM_NO_EXCEPTION)
		vcpu->activity = GUEST_ACTIVITY_ACTIVE;
	return 0;
}

/* In the window, before the first entry: the answer goes into the VMCS. */
static enum exit_result load_answer(struct mvm_vcpu *vcpu)
{
	struct mvm_answer *answer = &vcpu->answer;
	struct mvm_exception *exception = &answer->exception;

	answer->load = false;
	vmcs_write(GUEST_RSP, answer->rsp);
	vmcs_write(GUEST_RFLAGS, answer->rflags);
	if (answer->completed)
		mvm_skip_to(answer->rip);
	else
		vmcs_write(GUEST_RIP, answer->rip);
	if (exception->vector == MVM_NO_EXCEPTION)
		return EXIT_INJECT;
	if (exception->vector == X86_TRAP_PF)
		native_write_cr2(exception->cr2);
	if (exception->vector == X86_TRAP_DB)
		return mvm_raise_db(vcpu, 0);
	return mvm_raise(vcpu, exception->vector, exception->error_code);
}

/* In the window, before the first entry: INIT and SIPI (SDM 3A 9.4.1, table 10-1). */
static void start_up(struct mvm_vcpu *vcpu)
{
	u32 posted = lapic_take_startup(&vcpu->lapic, xchg(&vcpu->startup, 0), &vcpu->activity);

	if (posted & LAPIC_POSTED_INIT) {
		mvm_vcpu_init(vcpu);
		mvm_vmcs_init(vcpu);
		native_write_cr2(0);
		mvm_vcpu_lapic_effect(vcpu);
	}
	if (posted & LAPIC_POSTED_SIPI) {
		vmcs_write(GUEST_CS_SELECTOR, (posted & 0xff) << 8);
		vmcs_write(GUEST_CS_BASE, (posted & 0xff) << 12);
		vmcs_write(GUEST_RIP, 0);
	}
}

/**
 * mvm_begin_run() - what has to be in the VMCS before the first entry
 * @vcpu: vCPU whose window was just opened
 *
 * Returns EXIT_INJECT, EXIT_USER when the run ends before it has begun, or
 * EXIT_CLOSE: look anew at what the vCPU does.
 */
enum exit_result mvm_begin_run(struct mvm_vcpu *vcpu)
{
	s64 tsc_offset = mvm_vcpu_tsc_offset(vcpu);
	u32 forced = vcpu->forced_exit;

	if (unlikely(vcpu->tsc_offset != tsc_offset)) {
		vcpu->tsc_offset = tsc_offset;
		vmcs_write(TSC_OFFSET, tsc_offset);
	}
	if (vcpu->cr.flush)
		mvm_cr_commit(vcpu);
	if (vcpu->answer.load && load_answer(vcpu) == EXIT_USER)
		return EXIT_USER;
	if (unlikely(READ_ONCE(vcpu->startup))) {
		start_up(vcpu);
		return EXIT_CLOSE;
	}
	if (unlikely(vcpu->eoi_pending))
		return mvm_exit_eoi(vcpu);
	if (unlikely(forced)) {
		vcpu->forced_exit = MVM_EXIT_NONE;
		return mvm_exit_user(vcpu, forced, 0);
	}
	return EXIT_INJECT;
}

/* ---- the thread ---- */

/**
 * mvm_vcpu_take_posted() - interrupts that others have posted, and a timer that
 *			    has fired, become the vCPU's own
 * @vcpu: vCPU; called by its runner, before the VMCS is loaded; IRQs may be off
 */
void mvm_vcpu_take_posted(struct mvm_vcpu *vcpu)
{
	unsigned int vector;

	if (unlikely(rdtsc() >= vcpu->timer_due))
		mvm_vcpu_update_timer(vcpu);
	if (likely(!READ_ONCE(vcpu->requests)))
		return;
	if (test_and_clear_bit(MVM_REQ_TIMER, &vcpu->requests))
		mvm_vcpu_update_timer(vcpu);
	if (test_and_clear_bit(MVM_REQ_IRR, &vcpu->requests)) {
		for_each_set_bit(vector, vcpu->pending_irr, 256) {
			clear_bit(vector, vcpu->pending_irr);
			lapic_accept(&vcpu->lapic, vector, test_bit(vector, vcpu->pending_level));
		}
	}
	if (test_and_clear_bit(MVM_REQ_NMI_PIN, &vcpu->requests))
		vcpu->nmi_pending |= lapic_pin_is(&vcpu->lapic, APIC_LVT1, APIC_DM_NMI);
	if (test_and_clear_bit(MVM_REQ_NMI, &vcpu->requests))
		vcpu->nmi_pending = true;
}

/* Take over what others have asked for.  False: the run is over. */
static bool attend(struct mvm_vcpu *vcpu)
{
	/* Clear first, look then: what is set meanwhile sets the bit again. */
	clear_bit(MVM_REQ_LOOK, &vcpu->requests);
	clear_bit(MVM_REQ_INTR, &vcpu->requests);
	clear_bit(MVM_REQ_STARTUP, &vcpu->requests);
	smp_mb__after_atomic();
	if (unlikely(READ_ONCE(vcpu->run->immediate_exit)) && !vcpu->forced_exit)
		vcpu->forced_exit = MVM_EXIT_INTR;
	mvm_vcpu_take_posted(vcpu);
	return !test_bit(MVM_REQ_STOP, &vcpu->requests);
}

/* Has somebody made a request, or is the APIC timer due? */
static bool must_attend(struct mvm_vcpu *vcpu)
{
	return READ_ONCE(vcpu->requests) || READ_ONCE(vcpu->run->immediate_exit) ||
	       rdtsc() >= vcpu->timer_due;
}

static void sleep_until_attend(struct mvm_vcpu *vcpu)
{
	u64 now = rdtsc();

	if (vcpu->timer_due != MVM_NEVER)
		arm_hrtimer(vcpu, vcpu->timer_due - min(now, vcpu->timer_due));
	/* A thread of the owner's takes signals: run() hands the vCPU back then. */
	set_current_state(current == vcpu->thread ? TASK_IDLE : TASK_INTERRUPTIBLE);
	if (!must_attend(vcpu))
		schedule();
	__set_current_state(TASK_RUNNING);
	if (vcpu->timer_due != MVM_NEVER)
		hrtimer_try_to_cancel(&vcpu->apic_timer);
}

/*
 * HLT.  To fall asleep and be woken costs more than a short wait awake.  How long
 * is worth it the last waits tell: one that ended soon after we had fallen asleep
 * makes it longer, one that took longer than the most allowed ends it.
 */
static void wait_halted(struct mvm_vcpu *vcpu)
{
	u64 most = (u64)READ_ONCE(halt_poll_us) * mvm_caps.tsc_khz / 1000;
	u64 start = rdtsc(), poll = min(vcpu->halt_poll, most);

	vcpu->stats.halts++;
	/* A thread that waits for this CPU has better use for it. */
	while (rdtsc() - start < poll && !need_resched() && single_task_running()) {
		if (must_attend(vcpu)) {
			vcpu->stats.halts_polled++;
			return;
		}
		cpu_relax();
	}
	sleep_until_attend(vcpu);
	vcpu->halt_poll = rdtsc() - start > most ? 0 : min(most, max(2 * poll, most / 16));
}

/* An EPT violation, outside the window.  True: the run page holds an exit. */
static bool serve_fault(struct mvm_vcpu *vcpu)
{
	u64 access = vcpu->fault.flags & MVM_ACCESS;
	struct mvm_exit_memory memory = { .gpa = vcpu->fault.gpa, .flags = access };
	int error;

	error = mvm_memory_fault(vcpu->vm, &vcpu->fault_cache, memory.gpa, access,
				 &memory.user_addr);
	trace_mvm_ept_fault(vcpu, error);
	/* The owner's last breath is no error: attend() will find MVM_REQ_STOP. */
	if (!error || (error != -ENXIO && READ_ONCE(vcpu->vm->dead)))
		return false;
	if (error == -ENXIO &&
	    mvm_memory_map_apic(vcpu->vm, &vcpu->fault_cache, memory.gpa, access))
		return false;
	memory.error = -error;
	if (mvm_window_access(vcpu, mvm_exit_fault, error == -ENXIO ? NULL : &memory))
		mvm_exit_no_vmx(vcpu);
	return true;
}

/* The guest runs, and its OUTs signal what they have to. */
static enum exit_result run_window(struct mvm_vcpu *vcpu)
{
	enum exit_result result;

	/* Keeps the eventfds of doorbells that are rung in the window. */
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		rcu_read_lock();
	result = mvm_window_run(vcpu);
	if (IS_ENABLED(CONFIG_PREEMPT_RT)) {
		if (vcpu->rung)
			mvm_eventfd_signal(vcpu->rung);
		vcpu->rung = NULL;
		rcu_read_unlock();
	}
	/*
	 * Not at each write: on the same CPU each would switch to the reader and back.
	 * An exit is told first: mvm_run_ended().
	 */
	if (vcpu->posted && result != EXIT_USER) {
		/* A lender's exit is still to come: what now follows may sleep. */
		vcpu->posted = vcpu->posted_exits;
		wake_up_poll(&vcpu->vm->ring_wait, EPOLLPRI);
	}
	return result;
}

/*
 * From MVM_RUN to the next exit to user space.  False: a signal came for a thread
 * that has lent itself; the run goes on elsewhere.
 */
static bool run(struct mvm_vcpu *vcpu)
{
	enum exit_result result;

	while (attend(vcpu)) {
		if (current != vcpu->thread && signal_pending(current))
			return false;
		/* The host suspends; its hrtimers sleep then, the TSC perhaps not. */
		if (try_to_freeze()) {
			set_bit(MVM_REQ_TIMER, &vcpu->requests);
			continue;
		}
		/* Nothing to run: HLT or wait-for-SIPI, and nothing that ends it. */
		if (vcpu->activity != GUEST_ACTIVITY_ACTIVE && !vcpu->forced_exit &&
		    !vcpu->eoi_pending && !READ_ONCE(vcpu->startup)) {
			if (!mvm_can_wake(vcpu)) {
				wait_halted(vcpu);
				continue;
			}
			vcpu->activity = GUEST_ACTIVITY_ACTIVE;
		}

		/* A guest in PAE paging: its page-directory pointers. */
		if (unlikely(vcpu->cr.need_pdptes))
			mvm_cr_load_pdptes(vcpu);

		/* The xAPIC is gone, has moved, or come back. */
		if (unlikely(vcpu->xapic_seen != mvm_vcpu_has_xapic(vcpu))) {
			vcpu->xapic_seen = !vcpu->xapic_seen;
			if (!vcpu->xapic_seen)
				mvm_memory_unmap_apic(vcpu->vm);
		}

		/* The guest runs here. */
		result = run_window(vcpu);
		if (result == EXIT_USER || (result == EXIT_FAULT && serve_fault(vcpu)))
			break;

		/* Interrupts came in with IRQs on; now others may run. */
		if (result == EXIT_YIELD)
			yield();
		cond_resched_tasks_rcu_qs();
	}
	vcpu->stats.exits_to_user++;
	return true;
}

/**
 * mvm_run_ended() - the vCPU no longer runs: tell who waits
 * @vcpu: vCPU; called by its thread, or when that has ended
 */
void mvm_run_ended(struct mvm_vcpu *vcpu)
{
	bool posted = vcpu->posted;

	/* Now, as somebody else may run it as soon as the state says so. */
	vcpu->posted = false;
	spin_lock_irq(&vcpu->wait.lock);
	vcpu->state = VCPU_EXITED;
	wake_up_locked_poll(&vcpu->wait, EPOLLIN);
	WRITE_ONCE(vcpu->runner, vcpu->thread);
	spin_unlock_irq(&vcpu->wait.lock);
	if (posted)
		wake_up_poll(&vcpu->vm->ring_wait, EPOLLPRI);
}

/**
 * mvm_run_thread() - the vCPU's kernel thread
 * @data: struct mvm_vcpu
 */
int mvm_run_thread(void *data)
{
	struct mvm_vcpu *vcpu = data;
	bool frozen;

	/* A thread of its creator would inherit them; not where none of them is left. */
	set_cpus_allowed_ptr(current, &vcpu->cpus);
	allow_signal(SIGKILL);	/* mvm_vcpu_stop() */
	set_freezable();
	/*
	 * Its page tables, for look-ups of guest memory and for cheap switches
	 * between this thread and the owner's.  It does not keep what they map
	 * alive: who takes a page from there holds mm_users (memory.c), and the
	 * thread ends before the VM lets go of mm_count.
	 */
	kthread_use_mm(vcpu->vm->mm);
	while (!kthread_freezable_should_stop(&frozen)) {
		if (frozen)
			set_bit(MVM_REQ_TIMER, &vcpu->requests);
		set_current_state(TASK_IDLE);
		if (READ_ONCE(vcpu->state) != VCPU_RUNNING && !kthread_should_stop())
			schedule();
		__set_current_state(TASK_RUNNING);
		if (READ_ONCE(vcpu->state) != VCPU_RUNNING)
			continue;
		run(vcpu);
		mvm_run_ended(vcpu);
	}
	kthread_unuse_mm(vcpu->vm->mm);
	return 0;
}

/**
 * mvm_run_lent() - run a vCPU that mvm_run_start() has lent to this thread
 * @vcpu: vCPU; user context of the owner's, may sleep
 *
 * Returns when the run has ended, or when a signal came: then the vCPU's own
 * thread goes on with it.
 */
void mvm_run_lent(struct mvm_vcpu *vcpu)
{
	vcpu->stats.runs_lent++;
	if (run(vcpu)) {
		mvm_run_ended(vcpu);
		return;
	}
	vcpu->switches = ~0UL;
	spin_lock_irq(&vcpu->wait.lock);
	WRITE_ONCE(vcpu->runner, vcpu->thread);
	vcpu->state = VCPU_RUNNING;
	spin_unlock_irq(&vcpu->wait.lock);
	wake_up_process(vcpu->thread);
}

/*
 * VM exits leave the segment registers null (SDM 3C 28.5.2), as they are in a
 * 64-bit process that does not use them.
 */
static bool segments_are_null(void)
{
	u16 ds, es, fs, gs;

	savesegment(ds, ds);
	savesegment(es, es);
	savesegment(fs, fs);
	savesegment(gs, gs);
	return !(ds | es | fs | gs);
}

/**
 * mvm_run_start() - answer the last exit and let the vCPU run
 * @vcpu: stopped vCPU; the caller holds vcpu->lock
 * @lend: not its thread is to run it but the caller, if that can:
 *	  vcpu->runner is current then, and the caller calls mvm_run_lent()
 *
 * Returns 0, -EINVAL (the answer is impossible) or -EIO (the owner's address
 * space is gone).
 */
int mvm_run_start(struct mvm_vcpu *vcpu, bool lend)
{
	int ret = take_answer(vcpu);

	lockdep_assert_held(&vcpu->lock);
	if (ret)
		return ret;
	vcpu->posted_exits = lend;
	lend = lend && segments_are_null();
	vcpu->switches = ~0UL;
	spin_lock_irq(&vcpu->wait.lock);
	if (READ_ONCE(vcpu->vm->dead) || test_bit(MVM_REQ_STOP, &vcpu->requests)) {
		ret = -EIO;
	} else {
		WRITE_ONCE(vcpu->runner, lend ? current : vcpu->thread);
		vcpu->state = lend ? VCPU_LENT : VCPU_RUNNING;
	}
	spin_unlock_irq(&vcpu->wait.lock);
	if (!ret && !lend)
		wake_up_process(vcpu->thread);
	return ret;
}
