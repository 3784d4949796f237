/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vmx_ops.h - one wrapper per VMX instruction, and the typed VMCS accessors.
 *
 * Each wrapper returns an error instead of dying: CR4.VMXE does not prove that
 * VMX operation is on (its owner may have left it behind our back), so every
 * instruction has an exception-table entry.  Used by window.c and by code that
 * runs inside a window.
 */
#ifndef MVM_VMX_OPS_H
#define MVM_VMX_OPS_H

#include <linux/types.h>
#include <linux/build_bug.h>
#include <asm/asm.h>
#include "vmcs_fields.h"

/*
 * What a VMX instruction says (SDM 3C 31.2): CF: VMfailInvalid, ZF: VMfailValid.
 * A fault (#UD outside VMX operation, #GP) lands on the fixup.
 */
enum vmx_status {
	VMX_OK = 0,
	VMX_FAIL = 1,
	VMX_FAULT = 2,
};

#define VMX_INSN(insn, operands...)					\
({									\
	int __status;							\
									\
	asm volatile goto("1: " insn "\n\t"				\
			  "jbe %l[__failed]\n\t"			\
			  _ASM_EXTABLE(1b, %l[__faulted])		\
			  : : operands : "cc", "memory"			\
			  : __failed, __faulted);			\
	__status = VMX_OK;						\
	if (0) {							\
__failed:	__status = VMX_FAIL;					\
	}								\
	if (0) {							\
__faulted:	__status = VMX_FAULT;					\
	}								\
	__status;							\
})

/* Enter VMX operation with the region at physical address @region. */
static __always_inline int vmx_vmxon(u64 region)
{
	__label__ __failed, __faulted;

	return VMX_INSN("vmxon %0", "m"(region));
}

/* Leave VMX operation. */
static __always_inline int vmx_vmxoff(void)
{
	__label__ __failed, __faulted;

	return VMX_INSN("vmxoff", "i"(0));
}

/* Write the CPU's cached data of a VMCS back to memory; its state is "clear". */
static __always_inline int vmx_vmclear(u64 vmcs)
{
	__label__ __failed, __faulted;

	return VMX_INSN("vmclear %0", "m"(vmcs));
}

/* Make a VMCS current. */
static __always_inline int vmx_vmptrld(u64 vmcs)
{
	__label__ __failed, __faulted;

	return VMX_INSN("vmptrld %0", "m"(vmcs));
}

/* Which VMCS is current; all ones: none.  Faults outside VMX operation. */
static __always_inline int vmx_vmptrst(u64 *vmcs)
{
	__label__ __failed, __faulted;

	return VMX_INSN("vmptrst (%0)", "r"(vmcs));
}

/* Operand of INVEPT (SDM 3C 31.3). */
struct invept_operand {
	u64 eptp;
	u64 reserved;
};

/* Operand of INVVPID (SDM 3C 31.3). */
struct invvpid_operand {
	u64 vpid;
	u64 linear;
};

enum { INVEPT_SINGLE = 1, INVEPT_ALL = 2 };
enum { INVVPID_SINGLE = 1, INVVPID_ALL = 2 };

static __always_inline int vmx_invept(unsigned long type, u64 eptp)
{
	__label__ __failed, __faulted;
	struct invept_operand operand = { .eptp = eptp };

	return VMX_INSN("invept %0, %1", "m"(operand), "r"(type));
}

static __always_inline int vmx_invvpid(unsigned long type, u16 vpid)
{
	__label__ __failed, __faulted;
	struct invvpid_operand operand = { .vpid = vpid };

	return VMX_INSN("invvpid %0, %1", "m"(operand), "r"(type));
}

/* The width of a field is in its encoding. */
#define VMCS_WIDTH(field)	(((field) >> 13) & 3)
enum { VMCS_WIDTH_16, VMCS_WIDTH_64, VMCS_WIDTH_32, VMCS_WIDTH_NATURAL };

/*
 * VMREAD.  Fails only outside a window or on a field that the CPU lacks, which
 * are faults of the module: it reads as 0 then, and nothing dies.  The output
 * and the labels do not go together in gcc before 11, so the flags decide.
 */
static __always_inline unsigned long __vmcs_read(unsigned long field)
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

static __always_inline int __vmcs_write(unsigned long field, unsigned long value)
{
	__label__ __failed, __faulted;

	return VMX_INSN("vmwrite %0, %1", "r"(value), "r"(field));
}

/* Accessors by width: the wrong one does not compile. */
#define VMCS_ACCESSORS(suffix, type, width)				\
static __always_inline type vmcs_read##suffix(unsigned long field)	\
{									\
	BUILD_BUG_ON_MSG(VMCS_WIDTH(field) != (width) || (field) & 1,	\
			 "the VMCS field has another width");		\
	return __vmcs_read(field);					\
}									\
static __always_inline int vmcs_write##suffix(unsigned long field,	\
					      type value)		\
{									\
	BUILD_BUG_ON_MSG(VMCS_WIDTH(field) != (width) || (field) & 1,	\
			 "the VMCS field has another width");		\
	return __vmcs_write(field, value);				\
}

VMCS_ACCESSORS(16, u16, VMCS_WIDTH_16)
VMCS_ACCESSORS(32, u32, VMCS_WIDTH_32)
VMCS_ACCESSORS(64, u64, VMCS_WIDTH_64)
VMCS_ACCESSORS(_natural, unsigned long, VMCS_WIDTH_NATURAL)

#endif /* MVM_VMX_OPS_H */
