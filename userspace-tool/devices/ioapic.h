/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ioapic.h - the I/O interrupt controller.
 */
#ifndef MINI_VM_IOAPIC_H
#define MINI_VM_IOAPIC_H

#include "../types.h"

#define IOAPIC_GPA	0xfec00000ULL
#define IOAPIC_PINS	24
/* ISA line 0 */
#define IOAPIC_TIMER_PIN 2
/* what its register and the MADT say; the ids below are the vCPUs' */
#define IOAPIC_ID	8

struct ioapic;

void ioapic_set_irq(struct ioapic *ioapic, unsigned int pin, bool level);
void ioapic_eoi(struct ioapic *ioapic, u8 vector);

#endif /* MINI_VM_IOAPIC_H */
