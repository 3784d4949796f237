/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vmx_ops.h - one function per VMX instruction.  The fields of a VMCS have the
 * kernel's names (enum vmcs_field, <asm/vmx.h>).
 *
 * Each function returns an error instead of dying: CR4.VMXE does not prove that
 * VMX operation is on (its owner may have left it behind our back), so every
 * instruction has an exception-table entry.  Used by window.c and by code that
 * runs inside a window.
 */
#ifndef MVM_VMX_OPS_H
#define MVM_VMX_OPS_H

#include <linux/errno.h>
#include <linux/types.h>
#include <asm/asm.h>
#include <asm/vmx.h>
#include "debug.h"

/*
 * Define name(parameters), which executes @insn.  It returns 0, or -EIO when the
 * instruction failed (SDM 3C 31.2; CF: VMfailInvalid, ZF: VMfailValid) or
 * faulted (#UD outside VMX operation, #GP).
 */
#define DEFINE_VMX_OP(name, parameters, insn, operands...)		\
static __always_inline int name parameters				\
{									\
	asm volatile goto("1: " insn "\n\t"				\
			  "jbe %l[failed]\n\t"				\
			  _ASM_EXTABLE(1b, %l[failed])			\
			  : : operands : "cc", "memory" : failed);	\
	return 0;							\
failed:									\
	return -EIO;							\
}

/* Enter VMX operation with the region at physical address @region; leave it. */
DEFINE_VMX_OP(vmx_vmxon, (u64 region), "vmxon %0", "m"(region))
DEFINE_VMX_OP(vmx_vmxoff, (void), "vmxoff", "i"(0))

/* Write the CPU's cached data of a VMCS back to memory; its state is "clear". */
DEFINE_VMX_OP(vmx_vmclear, (u64 vmcs), "vmclear %0", "m"(vmcs))

/* Make a VMCS current. */
DEFINE_VMX_OP(vmx_vmptrld, (u64 vmcs), "vmptrld %0", "m"(vmcs))

/* Which VMCS is current; all ones: none.  Faults outside VMX operation. */
DEFINE_VMX_OP(vmx_vmptrst, (u64 *vmcs), "vmptrst (%0)", "r"(vmcs))

/* Operand of INVEPT and INVVPID: EPTP or VPID, linear address (SDM 3C 31.3). */
struct vmx_context {
	u64 id, linear;
};

enum { INVEPT_SINGLE = 1, INVVPID_SINGLE = 1, INVVPID_ALL = 2 };

DEFINE_VMX_OP(vmx_invept, (unsigned long type, u64 eptp), "invept %0, %1",
	      "m"((struct vmx_context){ eptp }), "r"(type))
DEFINE_VMX_OP(vmx_invvpid, (unsigned long type, u16 vpid), "invvpid %0, %1",
	      "m"((struct vmx_context){ vpid }), "r"(type))

/*
 * VMWRITE and VMREAD move 64 bits; of a narrower field the upper ones are
 * ignored, or read as 0 (SDM 3C 31.3).
 */
DEFINE_VMX_OP(vmcs_write, (unsigned long field, unsigned long value), "vmwrite %0, %1",
	      "r"(value), "r"(field))

/*
 * VMREAD.  Fails only outside a window or on a field that the CPU lacks, which
 * are faults of the module: it reads as 0 then, and nothing dies.  The output
 * and the labels do not go together in gcc before 11, so the flags decide.
 */
static __always_inline unsigned long vmcs_read(unsigned long field)
{
	unsigned long value;

	asm volatile("1: vmread %[field], %[value]\n\t"
		     "ja 3f\n\t"
		     "2: xor %k[value], %k[value]\n\t"
		     "3:\n\t"
		     _ASM_EXTABLE(1b, 2b)
		     : [value] "=&r"(value) : [field] "r"(field) : "cc");
	return value;
}

/* A debug build keeps books of these; a macro does not expand in itself. */
#ifdef MVM_DEBUG
#define vmx_invept(type, eptp)	(mvm_debug_invept(eptp), vmx_invept(type, eptp))
#define vmx_invvpid(type, vpid)	(mvm_debug_invvpid(vpid), vmx_invvpid(type, vpid))
#define vmx_vmptrld(vmcs)	(mvm_debug_vmptrld(vmcs), vmx_vmptrld(vmcs))
#define vmx_vmclear(vmcs)	(mvm_debug_vmclear(vmcs), vmx_vmclear(vmcs))
#endif

#endif /* MVM_VMX_OPS_H */
