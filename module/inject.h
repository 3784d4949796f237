/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * inject.h - events on their way into the guest.  All functions run in an open
 * window, except mvm_can_wake().
 */
#ifndef MVM_INJECT_H
#define MVM_INJECT_H

#include <asm/trapnr.h>
#include <asm/vmx.h>
#include <uapi/asm/debugreg.h>
#include "vcpu.h"

/* Interruptibility state (SDM 3C 25.4.2): the shadow of STI or of MOV SS */
#define MVM_SHADOWS		(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS)

/* #DF, #TS, #NP, #SS, #GP, #PF, #AC (SDM 3A table 6-1) */
#define EXCEPTIONS_WITH_CODE	(BIT(8) | GENMASK(14, 10) | BIT(17))

/* Software interrupts and exceptions are instructions (SDM 3C 25.8.3). */
static inline bool mvm_event_has_length(u32 info)
{
	return (info & INTR_INFO_INTR_TYPE_MASK) >= INTR_TYPE_SOFT_INTR;
}

/* Debug registers (SDM 3B 18.2) */
#define DR6_BD			BIT_ULL(13)
#define DR7_GENERAL_DETECT	BIT(13)

/* What DR6 and DR7 hold after a write: some bits are fixed.  No RTM. */
static inline u64 mvm_dr6(u64 value)
{
	return (value & (DR_TRAP_BITS | DR6_BD | DR_STEP | DR_SWITCH)) | DR6_RESERVED;
}

static inline u64 mvm_dr7(u64 value)
{
	return (value & 0xffff23ff) | 0x400;
}

#define MVM_NO_INTERRUPT	LAPIC_NO_VECTOR

enum exit_result mvm_inject_events(struct mvm_vcpu *vcpu);
void mvm_requeue_event(struct mvm_vcpu *vcpu);
bool mvm_can_wake(struct mvm_vcpu *vcpu);

enum exit_result mvm_raise(struct mvm_vcpu *vcpu, u8 vector, u32 error_code);
enum exit_result mvm_raise_db(struct mvm_vcpu *vcpu, u64 dr6_bits);

#endif /* MVM_INJECT_H */
