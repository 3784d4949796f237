/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lapic.h - the local APIC's page, whose registers are in the kernel module.
 */
#ifndef MINI_VM_LAPIC_H
#define MINI_VM_LAPIC_H

#include "vm.h"

/*
 * Registers (SDM 3A 11.4.1, 11.5.1, 11.9), and their values in "virtual wire mode"
 * (Intel MultiProcessor Specification 3.6.2.2): after power-up the local APIC passes
 * nothing on, and firmware, which there is none here, enables it with LINT0 as the
 * PIC's input and LINT1 as NMI.
 */
#define LAPIC_SVR		0x0f0
#define LAPIC_LVT_LINT0		0x350
#define LAPIC_LVT_LINT1		0x360
#define WIRE_SVR		(BIT(8) | 0xff)		/* enabled, spurious vector */
#define WIRE_LVT_LINT0		0x700			/* ExtINT */
#define WIRE_LVT_LINT1		0x400			/* NMI */

bool lapic_read(const struct vcpu *vcpu, u64 apic_base, u64 gpa,
		unsigned int bytes, u64 *value);
bool lapic_write(const struct vcpu *vcpu, u64 apic_base, u64 gpa,
		 unsigned int bytes, u64 value);

#endif /* MINI_VM_LAPIC_H */
