/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vmcs_fields.h - the VMCS fields that mini-vm uses, once: encoding, name and
 * one-line meaning.  The accessors of vmcs.h, the dump and the KUnit test are
 * made from this list.
 *
 * The encoding carries the width and the kind (SDM 3D appendix B): bits 14:13
 * are 0 for 16-bit, 1 for 64-bit, 2 for 32-bit and 3 for natural-width fields.
 *
 * FIELD(encoding, NAME, "meaning")
 */

/* The guest's segment registers: four fields each, number @n. */
#define VMCS_SEGMENT(FIELD, n, seg)					      \
	FIELD(0x0800 + 2 * (n), GUEST_##seg##_SELECTOR, "guest " #seg " selector") \
	FIELD(0x4800 + 2 * (n), GUEST_##seg##_LIMIT, "guest " #seg " limit")  \
	FIELD(0x4814 + 2 * (n), GUEST_##seg##_ACCESS, "guest " #seg " access rights") \
	FIELD(0x6806 + 2 * (n), GUEST_##seg##_BASE, "guest " #seg " base")

#define VMCS_FIELDS(FIELD)						      \
	VMCS_SEGMENT(FIELD, 0, ES) VMCS_SEGMENT(FIELD, 1, CS)		      \
	VMCS_SEGMENT(FIELD, 2, SS) VMCS_SEGMENT(FIELD, 3, DS)		      \
	VMCS_SEGMENT(FIELD, 4, FS) VMCS_SEGMENT(FIELD, 5, GS)		      \
	VMCS_SEGMENT(FIELD, 6, LDTR) VMCS_SEGMENT(FIELD, 7, TR)		      \
	/* 16-bit */							      \
	FIELD(0x0000, VPID, "virtual-processor identifier")		      \
	FIELD(0x0c00, HOST_ES_SELECTOR, "host ES selector")		      \
	FIELD(0x0c02, HOST_CS_SELECTOR, "host CS selector")		      \
	FIELD(0x0c04, HOST_SS_SELECTOR, "host SS selector")		      \
	FIELD(0x0c06, HOST_DS_SELECTOR, "host DS selector")		      \
	FIELD(0x0c08, HOST_FS_SELECTOR, "host FS selector")		      \
	FIELD(0x0c0a, HOST_GS_SELECTOR, "host GS selector")		      \
	FIELD(0x0c0c, HOST_TR_SELECTOR, "host TR selector")		      \
	/* 64-bit */							      \
	FIELD(0x2000, IO_BITMAP_A, "I/O bitmap, ports 0-0x7fff")	      \
	FIELD(0x2002, IO_BITMAP_B, "I/O bitmap, ports 0x8000-0xffff")	      \
	FIELD(0x2004, MSR_BITMAP, "MSR bitmap")				      \
	FIELD(0x2010, TSC_OFFSET, "added to the guest's TSC")		      \
	FIELD(0x201a, EPT_POINTER, "root of the EPT")			      \
	FIELD(0x2400, GUEST_PHYSICAL_ADDRESS, "GPA of an EPT violation")      \
	FIELD(0x2800, VMCS_LINK_POINTER, "shadow VMCS, none: all ones")	      \
	FIELD(0x2802, GUEST_DEBUGCTL, "guest IA32_DEBUGCTL")		      \
	FIELD(0x2804, GUEST_PAT, "guest IA32_PAT")			      \
	FIELD(0x2806, GUEST_EFER, "guest IA32_EFER")			      \
	FIELD(0x2808, GUEST_PERF_GLOBAL_CTRL, "guest IA32_PERF_GLOBAL_CTRL")  \
	FIELD(0x280a, GUEST_PDPTE0, "guest PAE PDPTE 0")		      \
	FIELD(0x280c, GUEST_PDPTE1, "guest PAE PDPTE 1")		      \
	FIELD(0x280e, GUEST_PDPTE2, "guest PAE PDPTE 2")		      \
	FIELD(0x2810, GUEST_PDPTE3, "guest PAE PDPTE 3")		      \
	FIELD(0x2c00, HOST_PAT, "host IA32_PAT")			      \
	FIELD(0x2c02, HOST_EFER, "host IA32_EFER")			      \
	FIELD(0x2c04, HOST_PERF_GLOBAL_CTRL, "host IA32_PERF_GLOBAL_CTRL")    \
	/* 32-bit */							      \
	FIELD(0x4000, PIN_CONTROLS, "pin-based VM-execution controls")	      \
	FIELD(0x4002, PROC_CONTROLS, "primary processor-based controls")      \
	FIELD(0x4004, EXCEPTION_BITMAP, "vectors that exit")		      \
	FIELD(0x4006, PAGE_FAULT_MASK, "page-fault error-code mask")	      \
	FIELD(0x4008, PAGE_FAULT_MATCH, "page-fault error-code match")	      \
	FIELD(0x400a, CR3_TARGET_COUNT, "CR3-target count")		      \
	FIELD(0x400c, EXIT_CONTROLS, "VM-exit controls")		      \
	FIELD(0x400e, EXIT_MSR_STORE_COUNT, "VM-exit MSR-store count")	      \
	FIELD(0x4010, EXIT_MSR_LOAD_COUNT, "VM-exit MSR-load count")	      \
	FIELD(0x4012, ENTRY_CONTROLS, "VM-entry controls")		      \
	FIELD(0x4014, ENTRY_MSR_LOAD_COUNT, "VM-entry MSR-load count")	      \
	FIELD(0x4016, ENTRY_INTR_INFO, "event to inject at entry")	      \
	FIELD(0x4018, ENTRY_ERROR_CODE, "its error code")		      \
	FIELD(0x401a, ENTRY_INSN_LEN, "its instruction length")		      \
	FIELD(0x401c, TPR_THRESHOLD, "exit when TPR falls below")	      \
	FIELD(0x401e, PROC_CONTROLS2, "secondary processor-based controls")   \
	FIELD(0x4400, INSN_ERROR, "VM-instruction error number")	      \
	FIELD(0x4402, EXIT_REASON, "exit reason")			      \
	FIELD(0x4404, EXIT_INTR_INFO, "event that caused the exit")	      \
	FIELD(0x4406, EXIT_INTR_ERROR_CODE, "its error code")		      \
	FIELD(0x4408, IDT_VECTORING_INFO, "event that the exit interrupted")  \
	FIELD(0x440a, IDT_VECTORING_ERROR_CODE, "its error code")	      \
	FIELD(0x440c, EXIT_INSN_LEN, "length of the exiting instruction")     \
	FIELD(0x440e, EXIT_INSN_INFO, "details of the exiting instruction")   \
	FIELD(0x4810, GUEST_GDTR_LIMIT, "guest GDTR limit")		      \
	FIELD(0x4812, GUEST_IDTR_LIMIT, "guest IDTR limit")		      \
	FIELD(0x4824, GUEST_INTERRUPTIBILITY, "STI, MOV SS, SMI, NMI blocking") \
	FIELD(0x4826, GUEST_ACTIVITY, "active, HLT, shutdown, wait-for-SIPI") \
	FIELD(0x482a, GUEST_SYSENTER_CS, "guest IA32_SYSENTER_CS")	      \
	FIELD(0x482e, PREEMPTION_TIMER, "VMX-preemption timer value")	      \
	FIELD(0x4c00, HOST_SYSENTER_CS, "host IA32_SYSENTER_CS")	      \
	/* natural width */						      \
	FIELD(0x6000, CR0_MASK, "CR0 bits owned by the host")		      \
	FIELD(0x6002, CR4_MASK, "CR4 bits owned by the host")		      \
	FIELD(0x6004, CR0_SHADOW, "what the guest reads of those in CR0")     \
	FIELD(0x6006, CR4_SHADOW, "what the guest reads of those in CR4")     \
	FIELD(0x6400, EXIT_QUALIFICATION, "exit qualification")		      \
	FIELD(0x640a, GUEST_LINEAR_ADDRESS, "linear address of the access")   \
	FIELD(0x6800, GUEST_CR0, "guest CR0")				      \
	FIELD(0x6802, GUEST_CR3, "guest CR3")				      \
	FIELD(0x6804, GUEST_CR4, "guest CR4")				      \
	FIELD(0x6816, GUEST_GDTR_BASE, "guest GDTR base")		      \
	FIELD(0x6818, GUEST_IDTR_BASE, "guest IDTR base")		      \
	FIELD(0x681a, GUEST_DR7, "guest DR7")				      \
	FIELD(0x681c, GUEST_RSP, "guest RSP")				      \
	FIELD(0x681e, GUEST_RIP, "guest RIP")				      \
	FIELD(0x6820, GUEST_RFLAGS, "guest RFLAGS")			      \
	FIELD(0x6822, GUEST_PENDING_DEBUG, "pending debug exceptions")	      \
	FIELD(0x6824, GUEST_SYSENTER_ESP, "guest IA32_SYSENTER_ESP")	      \
	FIELD(0x6826, GUEST_SYSENTER_EIP, "guest IA32_SYSENTER_EIP")	      \
	FIELD(0x6c00, HOST_CR0, "host CR0")				      \
	FIELD(0x6c02, HOST_CR3, "host CR3")				      \
	FIELD(0x6c04, HOST_CR4, "host CR4")				      \
	FIELD(0x6c06, HOST_FS_BASE, "host FS base")			      \
	FIELD(0x6c08, HOST_GS_BASE, "host GS base")			      \
	FIELD(0x6c0a, HOST_TR_BASE, "host TR base")			      \
	FIELD(0x6c0c, HOST_GDTR_BASE, "host GDTR base")			      \
	FIELD(0x6c0e, HOST_IDTR_BASE, "host IDTR base")			      \
	FIELD(0x6c10, HOST_SYSENTER_ESP, "host IA32_SYSENTER_ESP")	      \
	FIELD(0x6c12, HOST_SYSENTER_EIP, "host IA32_SYSENTER_EIP")	      \
	FIELD(0x6c14, HOST_RSP, "host RSP")				      \
	FIELD(0x6c16, HOST_RIP, "host RIP")

#define VMCS_FIELD_ENUM(encoding, name, meaning) VMCS_##name = encoding,
enum vmcs_encoding { VMCS_FIELDS(VMCS_FIELD_ENUM) };
#undef VMCS_FIELD_ENUM
