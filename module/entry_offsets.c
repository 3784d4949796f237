// SPDX-License-Identifier: GPL-2.0-only
/*
 * entry_offsets.c - struct offsets and other numbers for entry.S.  Compiled to
 * assembly, from which Kbuild makes entry_offsets.h; never linked.
 */
#include <linux/kbuild.h>
#include <asm/vmx.h>
#include "vcpu.h"

static void __used offsets(void)
{
	OFFSET(VCPU_RUN, mvm_vcpu, run);
	OFFSET(VCPU_LAUNCHED, mvm_vcpu, launched);
	DEFINE(VMCS_HOST_RSP, HOST_RSP);
	OFFSET(RUN_GPRS, mvm_run, gpr);
}
