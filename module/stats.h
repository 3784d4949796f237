/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stats.h - the counters of a vCPU, once: the field is the name that user space
 * sees.  Written by the vCPU's runner only; read at any time.
 */
#ifndef MVM_STATS_H
#define MVM_STATS_H

#include <linux/types.h>

#define MVM_STATS(STAT)							\
	STAT(entries) STAT(windows) STAT(windows_borrowed) STAT(exits_to_user)	\
	STAT(runs_lent)								\
	STAT(exits_host_interrupt) STAT(exits_cpuid) STAT(exits_rdmsr)		\
	STAT(exits_wrmsr) STAT(exits_io) STAT(exits_mmio) STAT(exits_hlt)	\
	STAT(exits_pause) STAT(exits_cr) STAT(exits_dr) STAT(exits_exception)	\
	STAT(exits_interrupt_window) STAT(ept_faults) STAT(ept_faults_slow)	\
	STAT(exits_preemption_timer) STAT(exits_apic) STAT(exits_other)		\
	STAT(injected_interrupts) STAT(injected_exceptions) STAT(injected_nmis)	\
	STAT(reinjected_events) STAT(halts) STAT(halts_polled) STAT(invepts)	\
	STAT(doorbells) STAT(posted_writes)

#define MVM_STAT_FIELD(name) u64 name;
struct mvm_vcpu_stats {
	MVM_STATS(MVM_STAT_FIELD)
};
#undef MVM_STAT_FIELD

#endif /* MVM_STATS_H */
