// SPDX-License-Identifier: GPL-2.0-only
/*
 * caps.c - decide whether mini-vm can run on this CPU, and with which VMX
 * controls.
 *
 * main.c calls both functions once, while the module loads.  The decision is
 * pure; only vmx_read_capability_msrs() looks at the machine.
 */
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <asm/cpufeature.h>
#include <asm/fpu/xcr.h>
#include <asm/msr.h>
#include <asm/processor.h>
#include <asm/tsc.h>
#include "caps.h"

/* IA32_VMX_BASIC (SDM 3D A.1) */
#define BASIC_32BIT_ADDRESSES	BIT_ULL(48)
#define BASIC_MEMORY_TYPE(v)	(((v) >> 50) & 0xf)
#define BASIC_INS_OUTS		BIT_ULL(54)
#define BASIC_TRUE_CONTROLS	BIT_ULL(55)
#define MEMORY_TYPE_WB		6

/* IA32_VMX_MISC (SDM 3D A.6) */
#define MISC_INTEL_PT		BIT_ULL(14)

/* IA32_VMX_EPT_VPID_CAP (SDM 3D A.10); its upper half is about INVVPID */
#define CAP_INVVPID		BIT_ULL(32)
#define CAP_INVVPID_SINGLE	BIT_ULL(41)
#define CAP_INVVPID_ALL		BIT_ULL(42)

#define CPUID_1_ECX_VMX		BIT(5)
#define CR4_FRED		BIT_ULL(32)

enum control_word { PIN, PROC, PROC2, EXIT, ENTRY, CONTROL_WORDS };

enum control_need {
	ON,		/* set; refuse the CPU that cannot */
	MAYBE,		/* set where the CPU can */
	OFF,		/* clear; refuse the CPU that cannot */
	LATER,		/* clear now, must be possible both ways */
};

/**
 * struct control_rule - what mini-vm wants of one control
 * @word:	which control word
 * @need:	what is wanted
 * @bit:	mask of the control; several for MAYBE
 * @why:	the refusal, for people
 */
struct control_rule {
	enum control_word word;
	enum control_need need;
	u32 bit;
	const char *why;
};

/* Secondary controls that virtualize the APIC (SDM 3C 30.1); the last two go together. */
#define APIC_DELIVERY	(SECONDARY_EXEC_APIC_REGISTER_VIRT | SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY)
#define APIC_CONTROLS	(SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES |	\
			 SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE | APIC_DELIVERY)

/* Longest stretch of guest code without an exit, where the CPU can bound it. */
#define BACKSTOP_MS	10

/*
 * The first rule that fails gives the reason, so what users of older CPUs need
 * to read comes first.
 */
static const struct control_rule control_rules[] = {
	{ PROC, ON, CPU_BASED_ACTIVATE_SECONDARY_CONTROLS,
	  "the CPU has no EPT (no secondary VMX controls)" },
	{ PROC2, ON, SECONDARY_EXEC_ENABLE_EPT, "the CPU has no EPT" },
	{ PROC2, ON, SECONDARY_EXEC_UNRESTRICTED_GUEST,
	  "the CPU has no unrestricted guests (real mode under EPT)" },
	{ PROC2, MAYBE, SECONDARY_EXEC_ENABLE_VPID | SECONDARY_EXEC_ENABLE_RDTSCP |
			SECONDARY_EXEC_ENABLE_INVPCID | SECONDARY_EXEC_WBINVD_EXITING |
			SECONDARY_EXEC_PAUSE_LOOP_EXITING | APIC_CONTROLS },

	{ PIN, ON, PIN_BASED_EXT_INTR_MASK, "the CPU cannot exit on external interrupts" },
	{ PIN, ON, PIN_BASED_NMI_EXITING, "the CPU cannot exit on NMIs" },
	{ PIN, ON, PIN_BASED_VIRTUAL_NMIS, "the CPU has no virtual NMIs" },
	{ PIN, MAYBE, PIN_BASED_VMX_PREEMPTION_TIMER },

	{ PROC, MAYBE, CPU_BASED_TPR_SHADOW },
	{ PROC, ON, CPU_BASED_HLT_EXITING, "the CPU cannot exit on HLT" },
	{ PROC, ON, CPU_BASED_USE_TSC_OFFSETTING, "the CPU has no TSC offsetting" },
	{ PROC, ON, CPU_BASED_MWAIT_EXITING, "the CPU cannot exit on MWAIT" },
	{ PROC, ON, CPU_BASED_MONITOR_EXITING, "the CPU cannot exit on MONITOR" },
	{ PROC, ON, CPU_BASED_RDPMC_EXITING, "the CPU cannot exit on RDPMC" },
	{ PROC, ON, CPU_BASED_CR8_LOAD_EXITING, "the CPU cannot exit on MOV to CR8" },
	{ PROC, ON, CPU_BASED_CR8_STORE_EXITING, "the CPU cannot exit on MOV from CR8" },
	{ PROC, ON, CPU_BASED_MOV_DR_EXITING, "the CPU cannot exit on MOV DR" },
	{ PROC, ON, CPU_BASED_UNCOND_IO_EXITING, "the CPU cannot exit on every I/O instruction" },
	{ PROC, ON, CPU_BASED_USE_MSR_BITMAPS, "the CPU has no MSR bitmaps" },
	{ PROC, OFF, CPU_BASED_CR3_LOAD_EXITING, "the CPU exits on every MOV to CR3" },
	{ PROC, OFF, CPU_BASED_CR3_STORE_EXITING, "the CPU exits on every MOV from CR3" },
	{ PROC, OFF, CPU_BASED_INVLPG_EXITING, "the CPU exits on every INVLPG" },
	{ PROC, OFF, CPU_BASED_PAUSE_EXITING, "the CPU exits on every PAUSE" },
	{ PROC, OFF, CPU_BASED_RDTSC_EXITING, "the CPU exits on every RDTSC" },
	{ PROC, LATER, CPU_BASED_INTR_WINDOW_EXITING, "the CPU has no interrupt-window exiting" },
	{ PROC, LATER, CPU_BASED_NMI_WINDOW_EXITING, "the CPU has no NMI-window exiting" },

	{ EXIT, ON, VM_EXIT_HOST_ADDR_SPACE_SIZE, "the CPU cannot exit to 64-bit mode" },
	{ EXIT, ON, VM_EXIT_SAVE_DEBUG_CONTROLS, "the CPU cannot save debug controls at VM exit" },
	{ EXIT, ON, VM_EXIT_SAVE_IA32_EFER, "the CPU cannot save EFER at VM exit" },
	{ EXIT, ON, VM_EXIT_LOAD_IA32_EFER, "the CPU cannot load EFER at VM exit" },
	{ EXIT, ON, VM_EXIT_SAVE_IA32_PAT, "the CPU cannot save PAT at VM exit" },
	{ EXIT, ON, VM_EXIT_LOAD_IA32_PAT, "the CPU cannot load PAT at VM exit" },
	{ EXIT, MAYBE, VM_EXIT_LOAD_IA32_PERF_GLOBAL_CTRL },
	{ EXIT, OFF, VM_EXIT_ACK_INTR_ON_EXIT,
	  "the CPU always acknowledges interrupts at VM exit" },

	{ ENTRY, ON, VM_ENTRY_LOAD_DEBUG_CONTROLS,
	  "the CPU cannot load debug controls at VM entry" },
	{ ENTRY, ON, VM_ENTRY_LOAD_IA32_EFER, "the CPU cannot load EFER at VM entry" },
	{ ENTRY, ON, VM_ENTRY_LOAD_IA32_PAT, "the CPU cannot load PAT at VM entry" },
	{ ENTRY, MAYBE, VM_ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL },
	{ ENTRY, LATER, VM_ENTRY_IA32E_MODE, "the CPU cannot enter 64-bit guests" },
};

/*
 * Capability MSRs of controls: a bit of the lower half that is 1 must be 1 in
 * the control word, a bit of the upper half that is 0 must be 0 (SDM 3D A.3).
 * Returns NULL, or why the CPU will not do.
 */
static const char *choose_controls(const u64 allowed[CONTROL_WORDS], u32 chosen[CONTROL_WORDS])
{
	/*
	 * Controls that may be fixed to 1: the rules', and reserved bits that are when the CPU
	 * has no TRUE capability MSRs (SDM 3D A.2: the default1 class).
	 */
	u32 known[CONTROL_WORDS] = {
		[PIN] = PIN_BASED_ALWAYSON_WITHOUT_TRUE_MSR,
		[PROC] = CPU_BASED_ALWAYSON_WITHOUT_TRUE_MSR,
		[EXIT] = VM_EXIT_ALWAYSON_WITHOUT_TRUE_MSR,
		[ENTRY] = VM_ENTRY_ALWAYSON_WITHOUT_TRUE_MSR,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(control_rules); i++) {
		const struct control_rule *rule = &control_rules[i];
		u32 must = lower_32_bits(allowed[rule->word]);
		u32 may = upper_32_bits(allowed[rule->word]);

		if ((rule->need == OFF || rule->need == LATER) && must & rule->bit)
			return rule->why;
		if ((rule->need == ON || rule->need == LATER) && !(may & rule->bit))
			return rule->why;
		if (rule->need == ON || rule->need == MAYBE)
			chosen[rule->word] |= rule->bit & may;
		known[rule->word] |= rule->bit;
	}
	for (i = 0; i < CONTROL_WORDS; i++) {
		if (lower_32_bits(allowed[i]) & ~known[i])
			return "the CPU forces a VMX control that mini-vm does not know";
		chosen[i] |= lower_32_bits(allowed[i]);
	}
	return NULL;
}

/* After choose_controls(): EPT and unrestricted guest are there.  Returns likewise. */
static const char *check_features(const struct vmx_capability_msrs *raw)
{
	const u64 ept = VMX_EPT_PAGE_WALK_4_BIT | VMX_EPTP_WB_BIT | VMX_EPT_INVEPT_BIT |
			VMX_EPT_EXTENT_CONTEXT_BIT;
	/* PE and PG are free in an unrestricted guest (SDM 3C 24.8). */
	const u64 cr0_known = X86_CR0_PE | X86_CR0_NE | X86_CR0_PG;
	u32 size = vmx_basic_vmcs_size(raw->basic);

	if (raw->fred)
		return "the kernel uses FRED, which mini-vm does not support yet";
	if (!raw->tsc_khz)
		return "the CPU has no stable TSC of known frequency";
	if (!size || size > PAGE_SIZE || raw->basic & BASIC_32BIT_ADDRESSES ||
	    BASIC_MEMORY_TYPE(raw->basic) != MEMORY_TYPE_WB)
		return "the CPU cannot keep a VMCS in any page of ordinary memory";
	if ((raw->ept_vpid & ept) != ept)
		return "the CPU's EPT lacks four levels, write-back or single-context INVEPT";
	if (!(raw->basic & BASIC_INS_OUTS))
		return "the CPU does not report the operands of INS and OUTS";
	/* A CPU with unrestricted guests has it (SDM 3D A.6). */
	if (!(raw->misc & VMX_MISC_SAVE_EFER_LMA))
		return "the CPU does not save the guest's long mode at VM exit";
	if (raw->cr0_fixed0 & ~cr0_known || raw->cr4_fixed0 & ~(u64)X86_CR4_VMXE)
		return "the CPU fixes a bit of CR0 or CR4 that mini-vm does not know";
	return NULL;
}

/* XCR0 bits for guests: x87, SSE, AVX, AVX-512; no MPX, PKRU, CET or AMX. */
static u64 usable_xcr0(u64 host)
{
	u64 mask = host & (XFEATURE_MASK_FPSSE | XFEATURE_MASK_YMM | XFEATURE_MASK_AVX512);

	if ((mask & XFEATURE_MASK_FPSSE) != XFEATURE_MASK_FPSSE)
		return 0;
	/* AVX-512 comes with AVX, and whole (SDM 1 13.3). */
	if (!(mask & XFEATURE_MASK_YMM) || (mask & XFEATURE_MASK_AVX512) != XFEATURE_MASK_AVX512)
		mask &= ~XFEATURE_MASK_AVX512;
	return mask;
}

/*
 * CPUs whose VMX-preemption timer counts at another rate than they say: errata
 * AAJ126, AAK139, AAM126, AAN92, AAO95, AAP86, AAT59, AAU65, AAX65, AAZ59 and
 * BA86 of Intel's specification updates, and the Xeon E3-1220 v2.
 */
static const u32 wrong_preemption_timers[] = {
	0x106a0, 0x106a1, 0x106a4, 0x106a5, 0x106e4, 0x106e5, 0x20652, 0x20655, 0x206e6, 0x306a8,
};

static bool preemption_timer_is_right(u32 signature)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(wrong_preemption_timers); i++)
		if (signature == wrong_preemption_timers[i])
			return false;
	return true;
}

/**
 * mvm_caps_negotiate() - choose the VMX controls
 * @raw: what the CPU offers
 * @caps: out: what mini-vm uses; undefined after an error
 * @why: out: the reason of a refusal, for people
 *
 * Pure.  Returns 0, -ENODEV (no VMX), -EACCES (the firmware keeps VMX off) or
 * -EOPNOTSUPP (a feature is missing).
 */
int mvm_caps_negotiate(const struct vmx_capability_msrs *raw, struct mvm_caps *caps,
		       const char **why)
{
	const u64 allowed[CONTROL_WORDS] = {
		[PIN] = raw->pin, [PROC] = raw->proc, [PROC2] = raw->proc2,
		[EXIT] = raw->exit, [ENTRY] = raw->entry,
	};
	const u64 ept = raw->ept_vpid;
	u32 chosen[CONTROL_WORDS] = {};

	*why = "the CPU has no VMX, or a hypervisor below hides it";
	if (!raw->vmx)
		return -ENODEV;
	/* VMXON would fault (SDM 3C 24.7); the kernel locks it at boot. */
	*why = "the firmware has not decided about VMX (IA32_FEATURE_CONTROL is not locked)";
	if (!(raw->feature_control & FEAT_CTL_LOCKED))
		return -EACCES;
	*why = "the firmware has switched VMX off; look for \"VT-x\" or \"virtualization\" in its set-up";
	if (!(raw->feature_control & FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX))
		return -EACCES;
	*why = choose_controls(allowed, chosen) ?: check_features(raw);
	if (*why)
		return -EOPNOTSUPP;

	/* A VPID that cannot be flushed is worse than none. */
	if (!(ept & CAP_INVVPID && ept & (CAP_INVVPID_SINGLE | CAP_INVVPID_ALL)))
		chosen[PROC2] &= ~SECONDARY_EXEC_ENABLE_VPID;
	/* With a TPR shadow CR8 needs no exits; without it the rest is not allowed (27.2.1.1). */
	if (chosen[PROC] & CPU_BASED_TPR_SHADOW)
		chosen[PROC] &= lower_32_bits(raw->proc) |
				~(u32)(CPU_BASED_CR8_LOAD_EXITING | CPU_BASED_CR8_STORE_EXITING);
	else
		chosen[PROC2] &= ~APIC_CONTROLS;
	if ((chosen[PROC2] & APIC_DELIVERY) != APIC_DELIVERY)
		chosen[PROC2] &= ~APIC_DELIVERY;
	/* Loading it on one side only would leave the guest's on the other. */
	if (!raw->perf_global_ctrl || !(chosen[EXIT] & VM_EXIT_LOAD_IA32_PERF_GLOBAL_CTRL) ||
	    !(chosen[ENTRY] & VM_ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL)) {
		chosen[EXIT] &= ~VM_EXIT_LOAD_IA32_PERF_GLOBAL_CTRL;
		chosen[ENTRY] &= ~VM_ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL;
	}
	*caps = (struct mvm_caps){
		.vmcs_revision = vmx_basic_vmcs_revision_id(raw->basic),
		.pin = chosen[PIN], .proc = chosen[PROC], .proc2 = chosen[PROC2],
		.exit = chosen[EXIT], .entry = chosen[ENTRY],
		.cr0_fixed0 = raw->cr0_fixed0 & X86_CR0_NE, .cr4_fixed0 = raw->cr4_fixed0,
		.preemption_shift = vmx_misc_preemption_timer_rate(raw->misc),
		.invvpid_single = ept & CAP_INVVPID && ept & CAP_INVVPID_SINGLE,
		.ept_2m = ept & VMX_EPT_2MB_PAGE_BIT,
		.pt_in_vmx = raw->misc & MISC_INTEL_PT,
		.xcr0_mask = usable_xcr0(raw->xcr0), .tsc_khz = raw->tsc_khz, .timer_ratio = 1,
	};
	caps->backstop = min_t(u64, ((u64)caps->tsc_khz * BACKSTOP_MS) >> caps->preemption_shift,
			       U32_MAX);
	caps->timer_in_window = caps->pin & PIN_BASED_VMX_PREEMPTION_TIMER &&
				preemption_timer_is_right(raw->signature);
	/* CPUID.15H:ECX gives the crystal in Hz, in 32 bits. */
	while ((u64)caps->tsc_khz * 1000 / caps->timer_ratio > U32_MAX)
		caps->timer_ratio *= 2;
	return 0;
}

/**
 * vmx_read_capability_msrs() - read the facts of the CPU this runs on
 * @raw: out
 *
 * Process context.
 */
void vmx_read_capability_msrs(struct vmx_capability_msrs *raw)
{
	u32 variant = 0;
	u64 value;

	memset(raw, 0, sizeof(*raw));
	/* Not boot_cpu_has(): the kernel hides a VMX that firmware locked. */
	raw->vmx = cpuid_ecx(1) & CPUID_1_ECX_VMX;
	if (!raw->vmx)
		return;
	rdmsrl(MSR_IA32_FEAT_CTL, raw->feature_control);
	raw->fred = __read_cr4() & CR4_FRED;
	raw->tsc_khz = check_tsc_unstable() ? 0 : tsc_khz;
	raw->signature = cpuid_eax(1);

	rdmsrl(MSR_IA32_VMX_BASIC, raw->basic);
	/* The four TRUE MSRs are in the order of the plain ones. */
	if (raw->basic & BASIC_TRUE_CONTROLS)
		variant = MSR_IA32_VMX_TRUE_PINBASED_CTLS - MSR_IA32_VMX_PINBASED_CTLS;
	rdmsrl(MSR_IA32_VMX_PINBASED_CTLS + variant, raw->pin);
	rdmsrl(MSR_IA32_VMX_PROCBASED_CTLS + variant, raw->proc);
	rdmsrl(MSR_IA32_VMX_EXIT_CTLS + variant, raw->exit);
	rdmsrl(MSR_IA32_VMX_ENTRY_CTLS + variant, raw->entry);
	rdmsrl(MSR_IA32_VMX_MISC, raw->misc);
	rdmsrl(MSR_IA32_VMX_CR0_FIXED0, raw->cr0_fixed0);
	rdmsrl(MSR_IA32_VMX_CR4_FIXED0, raw->cr4_fixed0);
	/* These two exist only with what they describe (SDM 3D A.3.3, A.10). */
	if (upper_32_bits(raw->proc) & CPU_BASED_ACTIVATE_SECONDARY_CONTROLS)
		rdmsrl(MSR_IA32_VMX_PROCBASED_CTLS2, raw->proc2);
	if (upper_32_bits(raw->proc2) & (SECONDARY_EXEC_ENABLE_EPT | SECONDARY_EXEC_ENABLE_VPID))
		rdmsrl(MSR_IA32_VMX_EPT_VPID_CAP, raw->ept_vpid);

	/* An emulator may have the control and lack the MSR. */
	raw->perf_global_ctrl = !rdmsrl_safe(MSR_CORE_PERF_GLOBAL_CTRL, &value);
	if (boot_cpu_has(X86_FEATURE_OSXSAVE))
		raw->xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK);
}
