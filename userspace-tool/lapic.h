/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lapic.h - the local APIC's page, whose registers are in the kernel module.
 */
#ifndef MINI_VM_LAPIC_H
#define MINI_VM_LAPIC_H

#include "vm.h"

bool lapic_read(const struct vcpu *vcpu, u64 apic_base, u64 gpa,
		unsigned int bytes, u64 *value);
bool lapic_write(const struct vcpu *vcpu, u64 apic_base, u64 gpa,
		 unsigned int bytes, u64 value);

#endif /* MINI_VM_LAPIC_H */
