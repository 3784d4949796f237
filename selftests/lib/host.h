/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * host.h - what a guest must not change: the host's registers, seen from user
 * space
 */
#ifndef SELFTESTS_HOST_H
#define SELFTESTS_HOST_H

#include "tap.h"

#define HOST_MSRS	24

/**
 * struct host_state - registers of CPU 0
 * @has_msrs:	/dev/cpu/0/msr could be read
 * @valid:	bit i: MSR i of the list could be read
 * @msr:	their values
 * @xcr0:	extended control register, 0 where the host has no XSAVE
 * @cr0:	what SMSW shows
 */
struct host_state {
	bool has_msrs;
	u64 valid;
	u64 msr[HOST_MSRS];
	u64 xcr0;
	u64 cr0;
};

/* Stay on CPU 0 from here on. */
void host_pin(void);
void host_read(struct host_state *s);
/* Fails the test where the two differ. */
void host_compare(const struct host_state *before,
		  const struct host_state *after);
/*
 * Look whether the host works while a guest runs: system calls, RDTSCP's
 * processor number, segment bases, timers.  Takes some milliseconds.
 */
void host_check(void);

#endif
