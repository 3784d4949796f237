/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lapic.h - the local APIC: registers, priorities, local vector table and
 * timer state.  Pure: time comes in as an argument (TSC ticks of the guest),
 * and what has to happen elsewhere waits in the state for the caller, so KUnit
 * tests it.  All of it belongs to whoever runs the vCPU (its thread, or an
 * ioctl while it is stopped); others only set bits in vcpu->pending_irr.
 */
#ifndef MVM_LAPIC_H
#define MVM_LAPIC_H

#include <linux/types.h>
#include <linux/mini_vm.h>
#include <asm/apicdef.h>
#include <asm/msr-index.h>
#include <asm/vmx.h>

#define LAPIC_REGS	64		/* one per 16 bytes of the xAPIC page */
#define LAPIC_PAGE_SIZE	4096
#define LAPIC_NO_VECTOR	(-1)
#define LAPIC_BROADCAST	0xffffffffU	/* destination: every local APIC */
#define LAPIC_NEVER	(~0ULL)		/* lapic_timer_remaining(): not armed */

#define MSR_X2APIC_EOI		(APIC_BASE_MSR + (APIC_EOI >> 4))
#define MSR_X2APIC_SELF_IPI	(APIC_BASE_MSR + (APIC_SELF_IPI >> 4))

enum lapic_mode { LAPIC_DISABLED, LAPIC_XAPIC, LAPIC_X2APIC };

/* Delivery modes (SDM 3A 11.6.1), as in the ICR, the LVT and MSI data. */
enum lapic_delivery {
	LAPIC_FIXED, LAPIC_LOWEST, LAPIC_SMI, LAPIC_RESERVED,
	LAPIC_NMI, LAPIC_INIT, LAPIC_SIPI, LAPIC_EXTINT,
};

/* Destination shorthands of the ICR (SDM 3A 11.6.1). */
enum lapic_shorthand { LAPIC_TO_DEST, LAPIC_TO_SELF, LAPIC_TO_ALL, LAPIC_TO_OTHERS };

/* An interrupt message on its way to one or more local APICs: IPI or MSI. */
struct lapic_message {
	enum lapic_shorthand shorthand;	/* of an IPI; LAPIC_TO_DEST for an MSI */
	enum lapic_delivery mode;
	bool logical;			/* @dest is a logical destination */
	bool one;			/* deliver to one of those that match */
	bool level;			/* level triggered */
	u8 vector;
	u32 dest;			/* for lapic_matches() */
};

/* INIT and SIPI on their way to a vCPU; bits 7:0: the SIPI's vector */
#define LAPIC_POSTED_SIPI	BIT(8)
#define LAPIC_POSTED_INIT	BIT(9)

/* Everything here: owned by the runner of the vCPU. */
struct mvm_lapic_state {
	u32 *page;			/* constant: the registers, at their xAPIC offsets */
	u32 id, timer_ratio;		/* constant: TSC ticks per timer tick, divider at 1 */
	u64 timer_min;			/* constant: shortest period in TSC ticks */
	u64 base;			/* IA32_APIC_BASE */
	u32 timer_regs[5];		/* what an expiry depends on: see lapic_written() */
	u32 esr_pending;		/* errors since the last write of ESR */
	u64 timer_expiry;		/* guest TSC of the next expiry, or the deadline; 0: none */

	/* what the last write asks of the caller */
	u64 timer_armed;		/* not timer_expiry: ask lapic_timer_remaining() again */
	u64 ipi_icr;			/* not 0: send @ipi, which it says in the x2APIC's layout */
	struct lapic_message ipi;
	u8 eoi;				/* a level-triggered interrupt that has ended, or 0 */
	bool changed;			/* see what lapic_pending() says now */
	bool mode_changed;		/* the mode, or whether it takes interrupts */
};

/* The mode that a value of IA32_APIC_BASE selects (SDM 3A table 11-5). */
static inline enum lapic_mode lapic_mode(u64 base)
{
	if (!(base & MSR_IA32_APICBASE_ENABLE))
		return LAPIC_DISABLED;
	return base & X2APIC_ENABLE ? LAPIC_X2APIC : LAPIC_XAPIC;
}

/*
 * The register at an offset of the xAPIC, in the mode's layout.  PPR and the
 * timer's current count follow from others: what is there means nothing.
 */
static inline u32 *lapic_reg(const struct mvm_lapic_state *l, u32 offset)
{
	return &l->page[offset / sizeof(u32)];
}

/* Does it take fixed interrupts?  (SDM 3A 11.4.7.2)  Any thread may ask. */
static inline bool lapic_software_enabled(const struct mvm_lapic_state *l)
{
	return lapic_mode(READ_ONCE(l->base)) &&
	       READ_ONCE(*lapic_reg(l, APIC_SPIV)) & APIC_SPIV_APIC_ENABLED;
}

/* CR8 is the class of the task priority (SDM 3A 11.8.6); only bits 3:0 count. */
static inline u64 lapic_cr8(const struct mvm_lapic_state *l)
{
	return *lapic_reg(l, APIC_TASKPRI) >> 4;
}

static inline void lapic_set_cr8(struct mvm_lapic_state *l, u64 cr8)
{
	*lapic_reg(l, APIC_TASKPRI) = (cr8 & 0xf) << 4;
}

void lapic_reset(struct mvm_lapic_state *l, u32 id, bool bsp, u32 timer_ratio, u64 timer_min);
void lapic_init(struct mvm_lapic_state *l);
int lapic_set_base(struct mvm_lapic_state *l, u64 value, bool guest, bool x2apic, u32 phys_bits);

int lapic_xapic_access(struct mvm_lapic_state *l, struct mvm_lapic_access *args, u64 now);
void lapic_written(struct mvm_lapic_state *l, u32 offset, u64 now);
int lapic_msr_read(struct mvm_lapic_state *l, u32 index, u64 now, u64 *data);
bool lapic_msr_write_quick(struct mvm_lapic_state *l, u32 index, u64 data);
int lapic_msr_write(struct mvm_lapic_state *l, u32 index, u64 data, u64 now);

u64 lapic_timer_remaining(struct mvm_lapic_state *l, u64 now);
void lapic_timer_shift(struct mvm_lapic_state *l, s64 delta);

void lapic_accept(struct mvm_lapic_state *l, u8 vector, bool level);
int lapic_pending(const struct mvm_lapic_state *l);
void lapic_acknowledge(struct mvm_lapic_state *l, u8 vector);
u16 lapic_status(const struct mvm_lapic_state *l);
u8 lapic_tpr_threshold(const struct mvm_lapic_state *l);
u64 lapic_level_vectors(const struct mvm_lapic_state *l, unsigned int i);
bool lapic_pin_is(const struct mvm_lapic_state *l, u32 offset, u32 mode);

u32 lapic_post_startup(u32 posted, enum lapic_delivery mode, u8 vector);
u32 lapic_take_startup(struct mvm_lapic_state *l, u32 posted, u8 *activity);
int lapic_decode_msi(u64 address, u32 data, struct lapic_message *message);
bool lapic_matches(const struct mvm_lapic_state *l, u32 dest, bool logical);

void lapic_get_state(struct mvm_lapic_state *l, u64 now, struct mvm_lapic *out);
int lapic_set_state(struct mvm_lapic_state *l, const struct mvm_lapic *in, u64 now);

#endif /* MVM_LAPIC_H */
