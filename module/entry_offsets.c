// SPDX-License-Identifier: GPL-2.0-only
/*
 * entry_offsets.c - struct offsets for entry.S.  Compiled to assembly, from
 * which Kbuild makes entry_offsets.h; never linked.
 */
#include <linux/kbuild.h>
#include <linux/mini_vm.h>
#include "vcpu.h"

#define GPR(name) OFFSET(GPR_##name, mvm_run, gpr[MVM_##name])

static void __used offsets(void)
{
	OFFSET(VCPU_RUN, mvm_vcpu, run);
	OFFSET(VCPU_HOST_RSP, mvm_vcpu, host_rsp);
	OFFSET(VCPU_LAUNCHED, mvm_vcpu, launched);
	BLANK();
	GPR(RAX);
	GPR(RCX);
	GPR(RDX);
	GPR(RBX);
	GPR(RBP);
	GPR(RSI);
	GPR(RDI);
	GPR(R8);
	GPR(R9);
	GPR(R10);
	GPR(R11);
	GPR(R12);
	GPR(R13);
	GPR(R14);
	GPR(R15);
}
