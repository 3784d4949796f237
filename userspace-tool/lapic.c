// SPDX-License-Identifier: GPL-2.0-only
/*
 * lapic.c - xAPIC accesses of the guest, passed on to the kernel module.
 *
 * Registers are 32 bits at multiples of 16 (SDM 3A 11.4.1).  Other accesses
 * are undefined there; here the bytes behind a register read as zero, and only
 * a whole aligned 32-bit write has an effect.
 */
#include "alu.h"
#include "lapic.h"

#define APIC_BASE_ENABLED	BIT_ULL(11)
#define APIC_BASE_X2APIC	BIT_ULL(10)
#define APIC_BASE_ADDRESS	0x000ffffffffff000ULL
#define APIC_PAGE		4096
#define APIC_STRIDE		16
#define APIC_REGISTER		4

/* Is @gpa in the page, and the APIC in the mode that has one? */
static bool in_page(u64 apic_base, u64 gpa, u32 *offset)
{
	u64 base = apic_base & APIC_BASE_ADDRESS;

	if (!(apic_base & APIC_BASE_ENABLED) || apic_base & APIC_BASE_X2APIC)
		return false;
	if (gpa < base || gpa - base >= APIC_PAGE)
		return false;
	*offset = (u32)(gpa - base);
	return true;
}

/**
 * lapic_read() - read from the APIC page
 * @vcpu: stopped
 * @apic_base: the guest's IA32_APIC_BASE
 * @gpa: address of the access
 * @bytes: 1, 2, 4 or 8
 * @value: out
 *
 * Return: false when the address is not the APIC's.
 */
bool lapic_read(const struct vcpu *vcpu, u64 apic_base, u64 gpa,
		unsigned int bytes, u64 *value)
{
	u32 offset, reg, data;

	if (!in_page(apic_base, gpa, &offset))
		return false;
	*value = 0;
	reg = offset & (APIC_STRIDE - 1);
	if (reg >= APIC_REGISTER)
		return true;
	if (vm_lapic_read(vcpu, offset & ~(APIC_STRIDE - 1U), &data))
		return false;
	*value = ((u64)data >> (8 * reg)) & alu_mask(bytes);
	return true;
}

/**
 * lapic_write() - write to the APIC page
 * @vcpu: stopped
 * @apic_base: the guest's IA32_APIC_BASE
 * @gpa: address of the access
 * @bytes: 1, 2, 4 or 8
 * @value: what to write
 *
 * Return: false when the address is not the APIC's.
 */
bool lapic_write(const struct vcpu *vcpu, u64 apic_base, u64 gpa,
		 unsigned int bytes, u64 value)
{
	u32 offset;

	if (!in_page(apic_base, gpa, &offset))
		return false;
	if (offset & (APIC_STRIDE - 1) || bytes != APIC_REGISTER)
		return true;
	return !vm_lapic_write(vcpu, offset, (u32)value);
}
