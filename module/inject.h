/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * inject.h - events on their way into the guest.  All functions run in an open
 * window, except mvm_can_wake().
 */
#ifndef MVM_INJECT_H
#define MVM_INJECT_H

#include <linux/bits.h>
#include <linux/types.h>
#include "exits.h"

struct mvm_vcpu;

/* Interruption information (SDM 3C 25.8.3, 25.9.2) */
#define INTR_VECTOR		0x000000ffU
#define INTR_TYPE		0x00000700U
#define INTR_HAS_ERROR_CODE	BIT(11)
#define INTR_UNBLOCKED_NMI	BIT(12)		/* exit information only */
#define INTR_VALID		BIT(31)

#define INTR_TYPE_EXT		(0U << 8)
#define INTR_TYPE_NMI		(2U << 8)
#define INTR_TYPE_EXCEPTION	(3U << 8)
#define INTR_TYPE_SOFT_INT	(4U << 8)
#define INTR_TYPE_PRIV_SOFT	(5U << 8)
#define INTR_TYPE_SOFT_EXC	(6U << 8)

/* Interruptibility state (SDM 3C 25.4.2) */
#define BLOCKED_BY_STI		BIT(0)
#define BLOCKED_BY_MOV_SS	BIT(1)
#define BLOCKED_BY_NMI		BIT(3)

/* Vectors */
#define VECTOR_DB	1
#define VECTOR_NMI	2
#define VECTOR_UD	6
#define VECTOR_GP	13
#define VECTOR_PF	14
#define VECTOR_AC	17
#define VECTOR_MC	18

/* Debug registers (SDM 3B 18.2) */
#define DR6_B0_3		0xfULL
#define DR6_BD			BIT_ULL(13)
#define DR6_BS			BIT_ULL(14)
#define DR7_GENERAL_DETECT	BIT(13)

/* What DR6 and DR7 hold after a write: some bits are fixed.  No RTM. */
static inline u64 mvm_dr6(u64 value)
{
	return (value & (DR6_B0_3 | DR6_BD | DR6_BS | BIT_ULL(15))) | 0xffff0ff0;
}

static inline u64 mvm_dr7(u64 value)
{
	return (value & 0xffff23ff) | 0x400;
}

#define MVM_NO_INTERRUPT	(-1)

enum exit_result mvm_inject_events(struct mvm_vcpu *vcpu);
void mvm_requeue_event(struct mvm_vcpu *vcpu);
bool mvm_can_wake(struct mvm_vcpu *vcpu);

enum exit_result mvm_raise(struct mvm_vcpu *vcpu, u8 vector);
enum exit_result mvm_raise_error(struct mvm_vcpu *vcpu, u8 vector, u32 error_code);
enum exit_result mvm_raise_db(struct mvm_vcpu *vcpu, u64 dr6_bits);

#endif /* MVM_INJECT_H */
