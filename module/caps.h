/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * caps.h - what this CPU's VMX can do, and the control words that mini-vm
 * chooses from it.  Negotiation is pure: main.c reads the raw values once when
 * the module loads, mvm_caps_negotiate() decides, everything else reads
 * mvm_caps.
 */
#ifndef MVM_CAPS_H
#define MVM_CAPS_H

#include <linux/types.h>
#include <asm/vmx.h>

/**
 * struct vmx_capability_msrs - the raw facts (SDM 3D appendix A)
 * @vmx:		CPUID.1:ECX.VMX
 * @fred:		CR4.FRED is set
 * @perf_global_ctrl:	the CPU has IA32_PERF_GLOBAL_CTRL
 * @feature_control:	IA32_FEATURE_CONTROL
 * @basic:		IA32_VMX_BASIC
 * @pin:		IA32_VMX_[TRUE_]PINBASED_CTLS
 * @proc:		IA32_VMX_[TRUE_]PROCBASED_CTLS
 * @proc2:		IA32_VMX_PROCBASED_CTLS2, 0 when the CPU has none
 * @exit:		IA32_VMX_[TRUE_]EXIT_CTLS
 * @entry:		IA32_VMX_[TRUE_]ENTRY_CTLS
 * @misc:		IA32_VMX_MISC
 * @ept_vpid:		IA32_VMX_EPT_VPID_CAP, 0 when the CPU has none
 * @cr0_fixed0:		IA32_VMX_CR0_FIXED0: bits that must be 1
 * @cr4_fixed0:		IA32_VMX_CR4_FIXED0
 * @xcr0:		the host's XCR0, 0 without XSAVE
 * @tsc_khz:		frequency of the TSC, 0 when the kernel does not trust it
 * @signature:		CPUID.1:EAX
 *
 * The TRUE variants are taken when bit 55 of @basic is set.
 */
struct vmx_capability_msrs {
	bool vmx, fred, perf_global_ctrl;
	u64 feature_control, basic, pin, proc, proc2, exit, entry, misc, ept_vpid;
	u64 cr0_fixed0, cr4_fixed0, xcr0;
	u32 tsc_khz, signature;
};

/**
 * struct mvm_caps - what was negotiated
 * @vmcs_revision:	first word of a VMXON region and of a VMCS
 * @pin:		pin-based controls, ready for the VMCS; as in the other
 *			words, the bits of optional features say whether they
 *			are used
 * @proc:		primary processor-based controls; interrupt-window and
 *			NMI-window exiting are off and may be set
 * @proc2:		secondary processor-based controls; of "virtualize APIC
 *			accesses" and "virtualize x2APIC mode" the vCPU's mode
 *			chooses; APIC-register virtualization is there if
 *			virtual-interrupt delivery is
 * @exit:		VM-exit controls; IA32_PERF_GLOBAL_CTRL is switched by
 *			exit and entry or by neither
 * @entry:		VM-entry controls; "IA-32e mode guest" is off and may be
 *			set
 * @cr0_fixed0:		CR0 bits that must be 1 in the guest: NE; PE and PG are
 *			free (unrestricted guest)
 * @cr4_fixed0:		CR4 bits that must be 1 in VMX operation: VMXE
 * @preemption_shift:	the VMX-preemption timer counts down once every 2^shift TSC
 *			ticks
 * @backstop:		value of that timer that bounds a stretch of guest code
 * @timer_in_window:	it counts well enough to be a guest's APIC timer, too
 * @invvpid_single:	INVVPID of one VPID works; if not but VPIDs are on: INVVPID_ALL
 * @ept_2m:		EPT maps 2 MiB pages
 * @pt_in_vmx:		Intel PT may trace while VMX is on; without it VMXON
 *			stops a trace (SDM 3C 33.5)
 * @xcr0_mask:		XCR0 bits a guest may set, 0 without XSAVE
 * @tsc_khz:		frequency of the TSC
 * @timer_ratio:	TSC ticks per tick of the APIC timer before its divider,
 *			which is the crystal of CPUID leaf 0x15: 1, 2 or 4
 */
struct mvm_caps {
	u32 vmcs_revision, pin, proc, proc2, exit, entry;
	u64 cr0_fixed0, cr4_fixed0, xcr0_mask;
	u8 preemption_shift;
	u32 backstop;
	bool timer_in_window, invvpid_single, ept_2m, pt_in_vmx;
	u32 tsc_khz, timer_ratio;
};

/* This machine's; written once while the module loads. */
extern struct mvm_caps mvm_caps;

void vmx_read_capability_msrs(struct vmx_capability_msrs *raw);
int mvm_caps_negotiate(const struct vmx_capability_msrs *raw, struct mvm_caps *caps,
		       const char **why);

/* Does the CPU itself deliver what is in a vCPU's IRR, and end it? */
static inline bool mvm_caps_delivers(void)
{
	return mvm_caps.proc2 & SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY;
}

/* Frequency of the APIC timer before its divider, in Hz; fits 32 bits. */
static inline u32 mvm_caps_timer_hz(const struct mvm_caps *caps)
{
	return (u64)caps->tsc_khz * 1000 / caps->timer_ratio;
}

#endif /* MVM_CAPS_H */
