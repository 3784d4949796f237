// SPDX-License-Identifier: GPL-2.0-only
/*
 * mitigations.c - steps against speculative-execution attacks.  Every step that
 * KVM takes on the same CPU is taken; what is decided is in debugfs.
 *
 *	return stack buffer	filled after each exit		entry.S
 *	branch history		cleared after each exit		entry.S
 *	registers		cleared after each exit		entry.S
 *	CPU buffers		VERW before each entry		entry.S
 *	L1 data cache		flushed when a window opens and	here
 *				others have used the CPU
 *	branch predictors	IBPB between vCPUs		here
 *	... and user space	IBPB before it runs (VMSCAPE)	here
 *	SPEC_CTRL		the host's value stays in force: it is hidden from
 *				guests, which run at least as protected as the
 *				host; written again after each exit where IBRS
 *				needs it				entry.S
 *
 * The two in entry.S that are patched follow the kernel's own choice; the
 * others are decided here, once, from the CPU's bugs as the kernel knows them.
 */
#include <linux/cpu.h>
#include <linux/hardirq.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/segment.h>
#include "compat/nospec-branch.h"
#include "mitigations.h"

/* VERW clears the buffers only with a memory operand. */
const u16 mvm_verw_selector = __KERNEL_DS;
bool mvm_clear_cpu_buffers;

/* The CPU's way to flush the L1 data cache. */
static enum { L1D_LEAVE, L1D_MSR, L1D_LOADS } l1d_flush __ro_after_init;

/* Twice the largest L1 data cache, for flushing it by loads; few CPUs need it. */
#define FLUSH_BYTES	SZ_64K
static char flush_pages[FLUSH_BYTES] __aligned(PAGE_SIZE);

/*
 * Replace the whole L1 data cache by our pages: the TLB entries first, then
 * the lines, so that no page walk brings other data in.  A load for each line,
 * and no loop around it.
 */
static noinline void flush_l1d_by_loads(void)
{
	const char *page;

	for (page = flush_pages; page < flush_pages + FLUSH_BYTES; page += PAGE_SIZE)
		(void)READ_ONCE(*page);
	barrier_nospec();
	for (page = flush_pages; page < flush_pages + FLUSH_BYTES; page += PAGE_SIZE)
		asm volatile(".set .Lline, 0\n\t"
			     ".rept %c1 / 64\n\t"
			     "movzbl .Lline(%0), %%eax\n\t"
			     ".set .Lline, .Lline + 64\n\t"
			     ".endr"
			     : : "r"(page), "i"(PAGE_SIZE) : "eax", "memory");
	barrier_nospec();
}

/* Since the last flush on this CPU; a kernel without KVM does not note it. */
static bool interrupts_were_handled(void)
{
	return !IS_ENABLED(CONFIG_KVM_INTEL) || kvm_get_cpu_l1tf_flush_l1d();
}

/**
 * mvm_mitigate_before_guest() - steps when a window has opened
 * @other_vcpu: another vCPU ran last on this CPU
 * @others_ran: so did another thread, or user space, since this vCPU's last window
 *
 * The L1 data cache is flushed where it may hold what is neither the guest's nor
 * its owner's: as in KVM's default ("cond"), after others ran or an interrupt was
 * handled, which the kernel notes for KVM. What is handled within a window, and
 * between two of them, touches data of the guest and of its owner.
 */
void mvm_mitigate_before_guest(bool other_vcpu, bool others_ran)
{
	if (other_vcpu)
		mvm_ibpb();
	if (l1d_flush == L1D_LEAVE || !(other_vcpu || others_ran || interrupts_were_handled()))
		return;
	kvm_clear_cpu_l1tf_flush_l1d();
	if (l1d_flush == L1D_MSR)
		wrmsrl(MSR_IA32_FLUSH_CMD, L1D_FLUSH);
	else
		flush_l1d_by_loads();
}

/**
 * mvm_mitigate_after_guest() - steps after a window
 * @others_vmcs: a VMCS of another hypervisor is current on this CPU again
 *
 * That hypervisor sees its own VMCS and concludes that no other guest ran, so
 * the barrier between their guest and ours is ours to take.
 */
void mvm_mitigate_after_guest(bool others_vmcs)
{
	if (others_vmcs)
		mvm_ibpb();
#ifdef X86_FEATURE_IBPB_EXIT_TO_USER
	if (cpu_feature_enabled(X86_FEATURE_IBPB_EXIT_TO_USER))
		this_cpu_write(x86_ibpb_exit_to_user, true);
#endif
}

/**
 * mvm_mitigations_init() - decide
 */
void __init mvm_mitigations_init(void)
{
	bool off = cpu_mitigations_off();

	mvm_clear_cpu_buffers = !off &&
		(boot_cpu_has_bug(X86_BUG_MDS) || boot_cpu_has_bug(X86_BUG_TAA) ||
		 boot_cpu_has_bug(X86_BUG_MMIO_STALE_DATA) ||
#ifdef X86_BUG_RFDS
		 boot_cpu_has_bug(X86_BUG_RFDS) ||
#endif
		 false);
	if (!off && boot_cpu_has_bug(X86_BUG_L1TF))
		l1d_flush = boot_cpu_has(X86_FEATURE_FLUSH_L1D) ? L1D_MSR : L1D_LOADS;
}

/**
 * mvm_mitigations_show() - the choices, for debugfs
 * @file: output
 * @unused: for DEFINE_SHOW_ATTRIBUTE()
 *
 * Returns 0.
 */
int mvm_mitigations_show(struct seq_file *file, void *unused)
{
	static const char * const l1d[] = {
		[L1D_LEAVE] = "not needed, or mitigations=off",
		[L1D_MSR] = "IA32_FLUSH_CMD, when a window opens after others ran",
		[L1D_LOADS] = "64 KiB of loads, when a window opens after others ran",
	};

	seq_printf(file, "return stack buffer: %s\n",
		   boot_cpu_has(X86_FEATURE_RSB_VMEXIT) ? "filled after each exit" :
		   boot_cpu_has(X86_FEATURE_RSB_VMEXIT_LITE) ?
		   "one entry filled after each exit" : "left, as the kernel chose");
#ifdef X86_FEATURE_CLEAR_BHB_LOOP_ON_VMEXIT
	seq_printf(file, "branch history: %s\n",
		   boot_cpu_has(X86_FEATURE_CLEAR_BHB_LOOP_ON_VMEXIT) ?
		   "cleared after each exit" : "left, as the kernel chose");
#endif
	seq_puts(file, "general registers: cleared after each exit\n");
	seq_printf(file, "CPU buffers: %s\n", mvm_clear_cpu_buffers ?
		   "VERW before each entry" : "not needed, or mitigations=off");
	seq_printf(file, "L1 data cache: %s\n", l1d[l1d_flush]);
	seq_printf(file, "branch predictors: %s\n", boot_cpu_has(X86_FEATURE_USE_IBPB) ?
		   "IBPB between vCPUs" : "left, as the kernel chose");
	seq_puts(file, "SPEC_CTRL: the host's value stays in force, hidden from guests\n");
	return 0;
}
