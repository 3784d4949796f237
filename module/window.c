// SPDX-License-Identifier: GPL-2.0-only
/*
 * window.c - open a VMX window, run the guest in it, close it.
 *
 * A window is a stretch with IRQs off in which this CPU is in VMX operation.
 * Everything that the guest could change or see of the host is switched at its
 * two ends; between them only raw locks and atomics are allowed, and nothing
 * sleeps.  If another hypervisor holds VMX on this CPU the window borrows it:
 * their VMCS pointer is put back at the end.
 *
 * Called by run.c (mvm_window_run) and by ioctls (mvm_window_access).
 */
#include <linux/kdebug.h>
#include <asm/cpu_entry_area.h>
#include <asm/desc.h>
#include <asm/debugreg.h>
#include <asm/fpu/api.h>
#include <asm/fpu/xcr.h>
#include <asm/msr.h>
#include <asm/special_insns.h>
#include "inject.h"
#include "mitigations.h"
#include "trace.h"
#include "vm.h"
#include "vmx_ops.h"

#define VMCS_NONE	(~0ULL)

/*
 * After so many exits a window is closed, whatever happens: each exit starts the
 * backstop of vmcs.c anew, and the host's interrupts must not depend on the CPU
 * alone (Bochs holds them back while a guest has IF clear).
 */
#define EXITS_PER_WINDOW	2048

/*
 * Touched with IRQs off: the window that is open on a CPU now, and who ran last
 * there, for the branch-predictor barrier.
 */
static DEFINE_PER_CPU(struct mvm_window *, open_window);
static DEFINE_PER_CPU(u64, last_vcpu);

/* IA32_PEBS_ENABLE exists; found out when the module loads. */
static bool cpu_has_pebs __ro_after_init;
/* VMXON stops Intel PT's trace (SDM 3C 33.5); it is started again after VMXOFF. */
static bool vmxon_stops_pt __ro_after_init;

/*
 * MSRs that VM entry and exit do not switch.  SWAPGS and SYSCALL cannot be
 * intercepted, so their MSRs belong to the guest as soon as it may execute
 * them: struct mvm_msr_state holds @guest, and in @swap whether that is so.
 */
#define SWAPPED_MSR(index, swap, guest) \
	{ index, offsetof(struct mvm_msr_state, swap), offsetof(struct mvm_msr_state, guest) }

static const struct {
	u32 index;
	u16 swap, guest;
} swapped_msrs[] = {
	SWAPPED_MSR(MSR_KERNEL_GS_BASE, swap_kernel_gs, kernel_gs_base),
	SWAPPED_MSR(MSR_STAR, swap_syscall, star),
	SWAPPED_MSR(MSR_LSTAR, swap_syscall, lstar),
	SWAPPED_MSR(MSR_CSTAR, swap_syscall, cstar),
	SWAPPED_MSR(MSR_SYSCALL_MASK, swap_syscall, fmask),
	SWAPPED_MSR(MSR_TSC_AUX, swap_tsc_aux, tsc_aux),
};

/* The host's state while a window is open; lives on the opener's stack. */
struct mvm_window {
	struct mvm_vcpu *vcpu;
	unsigned long cr4;		/* before the window */
	bool borrowed;
	u64 their_vmcs;			/* current VMCS of VMX's owner, or VMCS_NONE */
	u64 pt_control;			/* IA32_RTIT_CTL, where VMXON stops a trace */
	bool guest_loaded;		/* all below is saved */
	u16 ldt;
	struct desc_ptr gdt, idt;
	unsigned long dr7, dr[4];
	bool guest_breakpoints;
	u64 debugctl, pebs_enable, xcr0;
	u64 msrs[ARRAY_SIZE(swapped_msrs)];
	bool swapped[ARRAY_SIZE(swapped_msrs)];
};

/*
 * CR4 is written raw: the kernel's shadow of CR4 must not learn of VMXE, and
 * no code that reads the shadow runs before it is cleared again.
 */
static __always_inline void raw_write_cr4(unsigned long value)
{
	asm volatile("mov %0, %%cr4" : : "r"(value) : "memory");
}

/*
 * Host fields of the VMCS (SDM 3C 25.5) that are not 0.  The constant ones and
 * those of the CPU are written when the vCPU comes to a CPU.  Selectors have RPL
 * and TI 0 (SDM 3C 27.2.3); kernel threads use null ones.  EFER and the MSRs are
 * read here and not remembered: with another hypervisor loaded its guest's values
 * may be live.
 */
static void refresh_host_fields(struct mvm_vcpu *vcpu, struct mvm_window *window)
{
	int cpu = smp_processor_id();

	if (vcpu->last_cpu != cpu) {
		vmcs_write(HOST_CS_SELECTOR, __KERNEL_CS);
		vmcs_write(HOST_SS_SELECTOR, __KERNEL_DS);
		vmcs_write(HOST_TR_SELECTOR, GDT_ENTRY_TSS * 8);
		vmcs_write(HOST_CR0, read_cr0() & ~X86_CR0_TS);
		vmcs_write(HOST_IA32_SYSENTER_CS, native_read_msr(MSR_IA32_SYSENTER_CS));
		vmcs_write(HOST_IA32_SYSENTER_EIP, native_read_msr(MSR_IA32_SYSENTER_EIP));
		vmcs_write(HOST_IA32_PAT, native_read_msr(MSR_IA32_CR_PAT));
		vmcs_write(HOST_RIP, (unsigned long)mvm_vmx_exit);
		vmcs_write(HOST_IA32_SYSENTER_ESP, native_read_msr(MSR_IA32_SYSENTER_ESP));
		vmcs_write(HOST_GS_BASE, native_read_msr(MSR_GS_BASE));
		vmcs_write(HOST_TR_BASE, (unsigned long)&get_cpu_entry_area(cpu)->tss.x86_tss);
		vmcs_write(HOST_GDTR_BASE, window->gdt.address);
		vmcs_write(HOST_IDTR_BASE, window->idt.address);
	}
	vmcs_write(HOST_CR3, __read_cr3());
	vmcs_write(HOST_CR4, window->cr4 | X86_CR4_VMXE);
	vmcs_write(HOST_FS_BASE, native_read_msr(MSR_FS_BASE));
	vmcs_write(HOST_IA32_EFER, native_read_msr(MSR_EFER));
	if (mvm_caps.entry & VM_ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL)
		vmcs_write(HOST_IA32_PERF_GLOBAL_CTRL, native_read_msr(MSR_CORE_PERF_GLOBAL_CTRL));
}

static u64 *guest_msr(struct mvm_vcpu *vcpu, unsigned int i)
{
	return (void *)&vcpu->msr + swapped_msrs[i].guest;
}

static void load_guest_msrs(struct mvm_vcpu *vcpu, struct mvm_window *window)
{
	unsigned int i;

	vcpu->msr.reopen = false;
	for (i = 0; i < ARRAY_SIZE(swapped_msrs); i++) {
		/* The flags may change before the window closes: remember. */
		window->swapped[i] = *(bool *)((void *)&vcpu->msr + swapped_msrs[i].swap);
		if (!window->swapped[i])
			continue;
		rdmsrl(swapped_msrs[i].index, window->msrs[i]);
		if (window->msrs[i] != *guest_msr(vcpu, i))
			wrmsrl(swapped_msrs[i].index, *guest_msr(vcpu, i));
	}
	rdmsrl(MSR_IA32_DEBUGCTLMSR, window->debugctl);
	/* PEBS would write its records into the guest's address space. */
	window->pebs_enable = 0;
	if (cpu_has_pebs) {
		rdmsrl(MSR_IA32_PEBS_ENABLE, window->pebs_enable);
		if (window->pebs_enable)
			wrmsrl(MSR_IA32_PEBS_ENABLE, 0);
	}
}

static void unload_guest_msrs(struct mvm_vcpu *vcpu, struct mvm_window *window)
{
	unsigned int i;
	u64 guest;

	for (i = 0; i < ARRAY_SIZE(swapped_msrs); i++) {
		if (!window->swapped[i])
			continue;
		rdmsrl(swapped_msrs[i].index, guest);
		/* A write of TSC_AUX exits, and its value waits for the next window. */
		if (swapped_msrs[i].index != MSR_TSC_AUX)
			*guest_msr(vcpu, i) = guest;
		if (guest != window->msrs[i])
			wrmsrl(swapped_msrs[i].index, window->msrs[i]);
	}
	/* A VM exit clears DEBUGCTL (SDM 3C 28.5.1). */
	if (window->debugctl)
		wrmsrl(MSR_IA32_DEBUGCTLMSR, window->debugctl);
	if (window->pebs_enable)
		wrmsrl(MSR_IA32_PEBS_ENABLE, window->pebs_enable);
}

/*
 * FPU, SSE and AVX.  The image is loaded and stored with the host's XCR0, so
 * that every component that the guest may ever enable is switched, whatever its
 * XCR0 says.  CR0.TS would not do instead (LazyFP, CVE-2018-3665).  An image
 * that the CPU refuses cannot come in (state.c checks it); if one did, the
 * kernel's fixup warns and the guest starts from the reset state.
 */
static void load_guest_fpu(struct mvm_vcpu *vcpu, struct mvm_window *window)
{
	u64 mask = mvm_caps.xcr0_mask;

	kernel_fpu_begin_mask(0);
	asm volatile("1: " ALTERNATIVE("fxrstor64 (%0)", "xrstor64 (%0)", X86_FEATURE_XSAVE)
		     "\n2:\n\t" _ASM_EXTABLE_TYPE(1b, 2b, EX_TYPE_FPU_RESTORE)
		     : : "r"(vcpu->xsave), "a"((u32)mask), "d"((u32)(mask >> 32)) : "memory");
	if (static_cpu_has(X86_FEATURE_XSAVE)) {
		window->xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK);
		if (vcpu->xcr0 != window->xcr0)
			xsetbv(XCR_XFEATURE_ENABLED_MASK, vcpu->xcr0);
	}
}

static void unload_guest_fpu(struct mvm_vcpu *vcpu, struct mvm_window *window)
{
	u64 mask = mvm_caps.xcr0_mask;

	if (static_cpu_has(X86_FEATURE_XSAVE) && vcpu->xcr0 != window->xcr0)
		xsetbv(XCR_XFEATURE_ENABLED_MASK, window->xcr0);
	asm volatile(ALTERNATIVE_2("fxsave64 (%0)", "xsave64 (%0)", X86_FEATURE_XSAVE,
				   "xsaveopt64 (%0)", X86_FEATURE_XSAVEOPT)
		     : : "r"(vcpu->xsave), "a"((u32)mask), "d"((u32)(mask >> 32)) : "memory");
	kernel_fpu_end();
}

/*
 * Debug registers.  DR7 and DEBUGCTL are switched by VM entry and exit; DR6 is
 * never the guest's, because #DB and MOV DR exit; DR0-3 only matter while the
 * guest has a breakpoint enabled.
 */
static void load_guest_debug(struct mvm_vcpu *vcpu, struct mvm_window *window)
{
	unsigned int i;

	/* The host's own breakpoints must not fire on the guest's addresses. */
	window->dr7 = local_db_save();
	window->guest_breakpoints = vmcs_read(GUEST_DR7) & 0xff;	/* L0-L3, G0-G3 */
	for (i = 0; unlikely(window->guest_breakpoints) && i < 4; i++) {
		get_debugreg(window->dr[i], i);
		set_debugreg(vcpu->dr[i], i);
	}
}

static void unload_guest_debug(struct mvm_window *window)
{
	unsigned int i;

	for (i = 0; unlikely(window->guest_breakpoints) && i < 4; i++)
		set_debugreg(window->dr[i], i);
	/* A VM exit leaves DR7 with nothing enabled (SDM 3C 28.5.1). */
	local_db_restore(window->dr7);
}

/*
 * VMCLEAR also when VMXOFF follows: VMXOFF does not write cached VMCS data back
 * (SDM 3C 25.11.1), and in borrow mode the owner may turn VMX off at any time.
 */
static void window_close(struct mvm_window *window)
{
	if (window->guest_loaded) {
		unload_guest_fpu(window->vcpu, window);
		unload_guest_msrs(window->vcpu, window);
		unload_guest_debug(window);
	}
	vmx_vmclear(__pa(window->vcpu->vmcs));
	if (window->their_vmcs != VMCS_NONE)
		vmx_vmptrld(window->their_vmcs);
	if (!window->borrowed) {
		vmx_vmxoff();
		if (unlikely(vmxon_stops_pt && window->pt_control & RTIT_CTL_TRACEEN))
			wrmsrl(MSR_IA32_RTIT_CTL, window->pt_control);
		raw_write_cr4(window->cr4);
	}
	this_cpu_write(open_window, NULL);
	if (window->guest_loaded) {
		native_load_gdt(&window->gdt);
		native_load_idt(&window->idt);
		if (unlikely(window->ldt))
			asm volatile("lldt %w0" : : "r"(window->ldt));
		/* TR's limit is 0x67 now: the I/O bitmap is out of reach. */
		invalidate_tss_limit();
		mvm_mitigate_after_guest(window->their_vmcs != VMCS_NONE);
	}
	mvm_debug(closed, window->vcpu);
}

/*
 * Open: IRQs are off.  Enter VMX operation, or find that it is on already:
 * CR4.VMXE alone proves nothing; VMPTRST faults outside VMX operation, and then
 * VMX is free for us.  On success the vCPU's VMCS is current and clear.
 */
static int window_open(struct mvm_vcpu *vcpu, struct mvm_window *window)
{
	window->vcpu = vcpu;
	window->guest_loaded = false;
	window->their_vmcs = VMCS_NONE;
	window->cr4 = __read_cr4();
	window->borrowed = window->cr4 & X86_CR4_VMXE && !vmx_vmptrst(&window->their_vmcs);
	if (!window->borrowed) {
		raw_write_cr4(window->cr4 | X86_CR4_VMXE);
		if (unlikely(vmxon_stops_pt))
			rdmsrl(MSR_IA32_RTIT_CTL, window->pt_control);
		if (unlikely(vmx_vmxon(__pa(vcpu->vmxon)))) {
			raw_write_cr4(window->cr4);
			return -EIO;
		}
	}
	this_cpu_write(open_window, window);
	vcpu->launched = 0;
	/* A new region is not a VMCS before VMCLEAR (SDM 3C 25.11.3). */
	if ((unlikely(vcpu->last_cpu < 0) && vmx_vmclear(__pa(vcpu->vmcs))) ||
	    unlikely(vmx_vmptrld(__pa(vcpu->vmcs)))) {
		window_close(window);
		return -EIO;
	}
	return 0;
}

/*
 * Load everything that is the guest's.  vcpu->in_window is set already, so
 * an invalidation of guest memory either is seen here or waits for us.
 */
static void window_load_guest(struct mvm_vcpu *vcpu, struct mvm_window *window)
{
	u64 serial = vcpu->vm->serial * MVM_MAX_VCPUS + vcpu->id;
	unsigned long switches = current->nvcsw + current->nivcsw;

	/*
	 * What a VM exit leaves behind of the descriptor tables (SDM 3C 28.5.2).
	 * It makes DS and ES null, which they are in a kernel thread; LDTR is the
	 * last process's.
	 */
	native_store_gdt(&window->gdt);
	store_idt(&window->idt);
	asm volatile("sldt %0" : "=m"(window->ldt));

	mvm_debug(opened, vcpu);
	refresh_host_fields(vcpu, window);
	load_guest_debug(vcpu, window);
	load_guest_msrs(vcpu, window);
	load_guest_fpu(vcpu, window);
	if (native_read_cr2() != vcpu->cr2)
		native_write_cr2(vcpu->cr2);
	window->guest_loaded = true;

	/*
	 * Translations that this CPU cached for this EPT (SDM 3C 29.4.3.4): stale
	 * when something was unmapped since, or when the guest has changed its
	 * own tables on another CPU.
	 */
	if (mvm_memory_needs_invept(&vcpu->vm->memory) || vcpu->last_cpu != smp_processor_id()) {
		vmx_invept(INVEPT_SINGLE, vcpu->vm->memory.eptp);
		vcpu->stats.invepts++;
	}
	vcpu->last_cpu = smp_processor_id();
	mvm_debug(loaded, vcpu);
	mvm_mitigate_before_guest(this_cpu_xchg(last_vcpu, serial) != serial,
				  vcpu->switches != switches);
	vcpu->switches = switches;
}

/*
 * How long the guest may run: until its APIC timer expires, or the host wants its
 * turn.  The timer starts anew at each entry; it counts while bit @preemption_shift
 * of the TSC changes (SDM 3C 26.5.1), so one more is not too early.
 */
static noinline void set_preemption_timer(struct mvm_vcpu *vcpu)
{
	u64 now = rdtsc(), due = max(vcpu->timer_due, now);

	vcpu->timer_in_window = vcpu->timer_due != MVM_NEVER;
	vmcs_write(VMX_PREEMPTION_TIMER_VALUE,
		   min_t(u64, mvm_caps.backstop, ((due - now) >> mvm_caps.preemption_shift) + 1));
}

/*
 * Enter once, and see why the guest came back.  entry.S leaves no general
 * register but RBP and RSP as it was: the compiler keeps what it needs, which is
 * less than a function call would save.
 */
static enum exit_result enter_guest(struct mvm_vcpu *vcpu)
{
	struct mvm_vcpu *argument = vcpu;
	enum exit_result result;

	if (vcpu->timer_in_window)
		set_preemption_timer(vcpu);
	trace_mvm_entry(vcpu);
	mvm_debug(entering, vcpu);
	vcpu->stats.entries++;
	asm volatile("call mvm_vmx_enter"
		     : "=a"(result), "+D"(argument), ASM_CALL_CONSTRAINT
		     : : "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "r12",
			 "r13", "r14", "r15", "cc", "memory");
	return result;
}

/**
 * mvm_window_run() - run the guest until something must happen outside
 * @vcpu: runner's vCPU
 *
 * Process context, IRQs on.  Returns EXIT_USER when the run page holds an exit,
 * EXIT_FAULT when the thread has to serve an EPT violation, else what is done
 * with already: an interrupt of the host, for example.
 */
enum exit_result mvm_window_run(struct mvm_vcpu *vcpu)
{
	enum exit_result result = EXIT_CLOSE;
	unsigned int exits_left = EXITS_PER_WINDOW;
	struct mvm_window window;

	/* Preemption comes on last: what asked for it meanwhile gets it there. */
	preempt_disable();
	local_irq_disable();

	/*
	 * The kick protocol.  Others set a request, then look at in_window; we set
	 * in_window, then look at the requests.  One of us sees the other.  After
	 * this test a request brings an IPI, which stays pending while IRQs are
	 * off and forces an exit at entry.
	 */
	vcpu->window_cpu = smp_processor_id();
	smp_store_release(&vcpu->in_window, true);
	smp_mb();
	/* Where the host is slow, a timer of the guest is always due by now. */
	mvm_vcpu_take_posted(vcpu);
	if (READ_ONCE(vcpu->requests) || need_resched())
		goto out;

	if (unlikely(window_open(vcpu, &window))) {
		result = mvm_exit_no_vmx(vcpu);
		goto out;
	}
	window_load_guest(vcpu, &window);
	vcpu->stats.windows++;
	vcpu->stats.windows_borrowed += window.borrowed;

	result = mvm_begin_run(vcpu);
	if (result == EXIT_INJECT)
		result = mvm_inject_events(vcpu);
	while (result == EXIT_RESUME) {
		result = enter_guest(vcpu);
		/* A thread that an exit has woken on this CPU sends no IPI. */
		if (unlikely(!--exits_left || test_preempt_need_resched()) &&
		    result <= EXIT_INJECT)
			result = EXIT_CLOSE;
		if (result == EXIT_INJECT)
			result = mvm_inject_events(vcpu);
	}
	/* Who lends a thread reads the ring when it gets it back. */
	if (unlikely(vcpu->posted) && vcpu->posted_exits && result <= EXIT_YIELD)
		result = mvm_exit_user(vcpu, MVM_EXIT_INTR, 0);
	vcpu->cr2 = native_read_cr2();
	window_close(&window);
	mvm_after_window(vcpu, result);
out:
	smp_store_release(&vcpu->in_window, false);
	local_irq_enable();
	preempt_enable();
	return result;
}

/**
 * mvm_window_access() - VMCS accesses of an ioctl
 * @vcpu: a stopped vCPU; the caller holds vcpu->lock
 * @fn: called with IRQs off and the VMCS current; only VMCS accesses
 * @arg: for @fn
 *
 * Returns 0, or -EIO when the CPU refused a VMX instruction.
 */
int mvm_window_access(struct mvm_vcpu *vcpu,
		      void (*fn)(struct mvm_vcpu *vcpu, void *arg), void *arg)
{
	struct mvm_window window;
	int ret;

	local_irq_disable();
	ret = window_open(vcpu, &window);
	if (!ret) {
		fn(vcpu, arg);
		window_close(&window);
	}
	local_irq_enable();
	return ret;
}

/*
 * An oops or panic on this CPU inside a window: take the guest's state off the
 * CPU, which may live on, and leave VMX operation, so that a crash kernel can
 * start (relocate_kernel clears CR4.VMXE, which faults in VMX operation).  The
 * guest is lost; the host's dump is not.
 */
static int die_notify(struct notifier_block *self, unsigned long event, void *data)
{
	struct mvm_window *window = this_cpu_read(open_window);

	if (event == DIE_OOPS && window) {
		/* Another oops on the way does not come back here. */
		this_cpu_write(open_window, NULL);
		window_close(window);
	}
	return NOTIFY_DONE;
}

static struct notifier_block die_block = { .notifier_call = die_notify };

/**
 * mvm_windows_init() - before the first window
 */
void mvm_windows_init(void)
{
	u64 pebs;

	cpu_has_pebs = boot_cpu_has(X86_FEATURE_PEBS) && !rdmsrl_safe(MSR_IA32_PEBS_ENABLE, &pebs);
	vmxon_stops_pt = boot_cpu_has(X86_FEATURE_INTEL_PT) && !mvm_caps.pt_in_vmx;
	register_die_notifier(&die_block);
}

/**
 * mvm_windows_exit() - undo mvm_windows_init(); no window is open any more
 */
void mvm_windows_exit(void)
{
	unregister_die_notifier(&die_block);
}
