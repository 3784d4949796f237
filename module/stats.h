/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stats.h - the counters of a vCPU, once: field and the name that user space
 * sees.  Written by the vCPU's runner only; read at any time.
 */
#ifndef MVM_STATS_H
#define MVM_STATS_H

#include <linux/types.h>

#define MVM_STATS(STAT)							\
	STAT(entries, "entries")					\
	STAT(windows, "windows")					\
	STAT(borrowed_windows, "windows_borrowed")			\
	STAT(user_exits, "exits_to_user")				\
	STAT(host_interrupts, "exits_host_interrupt")			\
	STAT(cpuid, "exits_cpuid")					\
	STAT(msr_reads, "exits_rdmsr")					\
	STAT(msr_writes, "exits_wrmsr")					\
	STAT(io, "exits_io")						\
	STAT(mmio, "exits_mmio")					\
	STAT(hlt, "exits_hlt")						\
	STAT(pause, "exits_pause")					\
	STAT(cr, "exits_cr")						\
	STAT(dr, "exits_dr")						\
	STAT(exceptions, "exits_exception")				\
	STAT(interrupt_windows, "exits_interrupt_window")		\
	STAT(ept_faults, "ept_faults")					\
	STAT(preemption_timer, "exits_preemption_timer")		\
	STAT(other_exits, "exits_other")				\
	STAT(injected_interrupts, "injected_interrupts")		\
	STAT(injected_exceptions, "injected_exceptions")		\
	STAT(injected_nmis, "injected_nmis")				\
	STAT(reinjected, "reinjected_events")				\
	STAT(halts, "halts")						\
	STAT(invepts, "invepts")

#define MVM_STAT_FIELD(field, name) u64 field;
struct mvm_vcpu_stats {
	MVM_STATS(MVM_STAT_FIELD)
};
#undef MVM_STAT_FIELD

#endif /* MVM_STATS_H */
