/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vectors.h - interrupt vectors and local APIC registers of the benchmark's guest.
 */
#ifndef MINI_VM_BENCH_VECTORS_H
#define MINI_VM_BENCH_VECTORS_H

/* one whose end is timed, and all others */
#define BENCH_VECTOR_TIMED	0x41
#define BENCH_VECTOR		0x40
#define BENCH_VECTOR_SPURIOUS	0xff

/* SDM 3A table 11-6 */
#define MSR_X2APIC_EOI		0x80b
#define MSR_X2APIC_SVR		0x80f
#define MSR_X2APIC_ICR		0x830
#define MSR_X2APIC_LVT_TIMER	0x832
#define MSR_X2APIC_TIMER_COUNT	0x838
#define MSR_X2APIC_TIMER_DIVIDE	0x83e
#define MSR_X2APIC_SELF_IPI	0x83f

#endif /* MINI_VM_BENCH_VECTORS_H */
