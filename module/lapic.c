// SPDX-License-Identifier: GPL-2.0-only
/*
 * lapic.c - the local APIC of a vCPU (SDM 3A chapter 11), without the outside
 * world: msr.c and the exit handlers call it for the guest's accesses, vcpu.c
 * for interrupts, the timer and the ioctls, vm.c to route messages.
 *
 * Rules for every function here, unless it says otherwise: the caller is the
 * runner of the vCPU; @now and all other times are guest TSC ticks; nothing
 * sleeps.  All register values come from the guest and may be anything.
 */
#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/nospec.h>
#include <linux/string.h>
#include "lapic.h"

/* Version 0x14, LVT entries 0 to 5: no CMCI, no EOI-broadcast suppression. */
#define LAPIC_VERSION		0x00050014
#define LAPIC_LVT_TIMER_MODE	GENMASK(18, 17)

#define REG(offset)		((offset) >> 4)

/* Which accesses a register has: by MMIO in xAPIC mode, by MSR in x2APIC mode. */
enum { XR = BIT(0), XW = BIT(1), MR = BIT(2), MW = BIT(3) };
enum { RO = XR | MR, WO = XW | MW, RW = RO | WO };

struct lapic_register {
	u8 access;
	u32 writable;			/* bits that a write can change */
	u32 readonly;			/* more bits that a read can show */
};

/*
 * SDM 3A tables 11-1 and 11-6.  APR and RRD are footnoted there as not
 * supported, but as no illegal addresses either.
 */
static const struct lapic_register lapic_registers[LAPIC_REGS] = {
	[REG(APIC_ID) ... REG(APIC_LVR)] = { RO, 0, ~0U },
	[REG(APIC_TASKPRI)]	= { RW, 0xff, 0 },
	[REG(APIC_ARBPRI)]	= { XR, 0, 0 },
	[REG(APIC_PROCPRI)]	= { RO, 0, 0xff },
	[REG(APIC_EOI)]		= { WO, 0, 0 },
	[REG(APIC_RRR)]		= { XR, 0, 0 },
	[REG(APIC_LDR)]		= { RO | XW, GENMASK(31, 24), GENMASK(23, 0) },
	[REG(APIC_DFR)]		= { XR | XW, GENMASK(31, 28), GENMASK(27, 0) },
	[REG(APIC_SPIV)]	= { RW, 0x1ff, 0 },
	/* ISR, TMR, IRR: eight registers each */
	[REG(APIC_ISR) ... REG(APIC_IRR) + 7] = { RO, 0, ~0U },
	[REG(APIC_ESR)]		= { RW, 0, APIC_ESR_SENDILL | APIC_ESR_RECVILL | APIC_ESR_ILLREGA },
	[REG(APIC_ICR)]		= { RW, 0xccfff, APIC_ICR_BUSY },
	[REG(APIC_ICR2)]	= { XR | XW, GENMASK(31, 24), GENMASK(23, 0) },
	/* LVT: mask, trigger mode, polarity, delivery mode; remote IRR, delivery status */
	[REG(APIC_LVTT)]	= { RW, 0x700ff, 0x1000 },
	[REG(APIC_LVTTHMR) ... REG(APIC_LVTPC)] = { RW, 0x107ff, 0x1000 },
	[REG(APIC_LVT0) ... REG(APIC_LVT1)] = { RW, 0x1a7ff, 0x5000 },
	[REG(APIC_LVTERR)]	= { RW, 0x100ff, 0x1000 },
	[REG(APIC_TMICT)]	= { RW, ~0U, 0 },
	[REG(APIC_TMCCT)]	= { RO, 0, ~0U },
	[REG(APIC_TDCR)]	= { RW, 0xb, 0 },
	[REG(APIC_SELF_IPI)]	= { MW, 0xff, 0 },
};

/* The register at @index if it has one of @access, else 0: no register. */
static u32 lapic_find(u32 index, u8 access)
{
	if (index >= LAPIC_REGS)
		return 0;
	index = array_index_nospec(index, LAPIC_REGS);
	return lapic_registers[index].access & access ? index : 0;
}

/* ------------------------------------------------------------------------
 * Modes
 */

/* In the order of timer_regs; the last two for what comes of its interrupt. */
static const u16 timer_offsets[] = { APIC_LVTT, APIC_TMICT, APIC_TDCR, APIC_LVTERR, APIC_SPIV };

/*
 * After a change of SPIV, the LVT or the timer.  As long as the APIC is disabled by
 * software, the LVT is masked (SDM 3A 11.4.7.2).  What the guest writes next may be
 * in the page before lapic_written() sees it: keep what the timer goes by.
 */
static void settle_timer(struct mvm_lapic_state *l)
{
	u32 offset, i;

	for (offset = APIC_LVTT; offset <= APIC_LVTERR && !lapic_software_enabled(l); offset += 16)
		*lapic_reg(l, offset) |= APIC_LVT_MASKED;
	for (i = 0; i < ARRAY_SIZE(timer_offsets); i++)
		l->timer_regs[i] = *lapic_reg(l, timer_offsets[i]);
}

/* The registers that follow from ID and mode. */
static void set_constants(struct mvm_lapic_state *l)
{
	bool x2apic = lapic_mode(l->base) == LAPIC_X2APIC;

	*lapic_reg(l, APIC_ID) = x2apic ? l->id : l->id << 24;
	*lapic_reg(l, APIC_LVR) = LAPIC_VERSION;
	if (x2apic)
		*lapic_reg(l, APIC_LDR) = (l->id >> 4) << 16 | BIT(l->id & 0xf);
}

/**
 * lapic_init() - what INIT does (SDM 3A 11.4.7.3, 11.12.5.1)
 * @l:		local APIC; ID, mode and what the caller was asked for stay
 */
void lapic_init(struct mvm_lapic_state *l)
{
	memset(l->page, 0, LAPIC_PAGE_SIZE);
	*lapic_reg(l, APIC_DFR) = ~0U;
	*lapic_reg(l, APIC_SPIV) = 0xff;
	set_constants(l);
	settle_timer(l);
	l->esr_pending = 0;
	l->timer_expiry = 0;
	l->mode_changed = true;
}

/**
 * lapic_reset() - the state at power-up (SDM 3A 11.4.7.1)
 * @l:		local APIC; all of it is set but @page, which stays
 * @id:		APIC ID, below 255
 * @bsp:	of the bootstrap processor
 * @timer_ratio: TSC ticks per tick of the timer before its divider, at least 1
 * @timer_min:	shortest period of the periodic timer: a guest that sets a
 *		shorter one would keep the host busy with its interrupts
 */
void lapic_reset(struct mvm_lapic_state *l, u32 id, bool bsp, u32 timer_ratio, u64 timer_min)
{
	*l = (struct mvm_lapic_state){
		.page = l->page, .id = id, .timer_ratio = timer_ratio, .timer_min = timer_min,
		.base = APIC_DEFAULT_PHYS_BASE | MSR_IA32_APICBASE_ENABLE |
			(bsp ? MSR_IA32_APICBASE_BSP : 0),
	};
	lapic_init(l);
}

/**
 * lapic_set_base() - write IA32_APIC_BASE (SDM 3A 11.4.4, 11.12.5)
 * @l:		local APIC
 * @value:	new value
 * @guest:	the guest writes it: only legal transitions; user space may go
 *		from any mode to any other
 * @x2apic:	the vCPU's CPUID offers it
 * @phys_bits:	width of a physical address, 32 to 63
 *
 * Disabling the APIC, as well as enabling it again, resets the registers.
 *
 * Return: 0, or -EINVAL, for the guest a #GP: a reserved bit, x2APIC mode
 * without the enable bit or a forbidden transition; then nothing has changed.
 */
int lapic_set_base(struct mvm_lapic_state *l, u64 value, bool guest, bool x2apic, u32 phys_bits)
{
	enum lapic_mode from = lapic_mode(l->base), to = lapic_mode(value);
	u64 reserved = GENMASK_ULL(63, phys_bits) | BIT(9) | GENMASK(7, 0);

	if (!x2apic || to == LAPIC_DISABLED)
		reserved |= X2APIC_ENABLE;
	if (value & reserved ||
	    (guest && from == LAPIC_DISABLED && to == LAPIC_X2APIC) ||
	    (guest && from == LAPIC_X2APIC && to == LAPIC_XAPIC))
		return -EINVAL;

	WRITE_ONCE(l->base, value);
	l->changed = true;
	if (from == to)
		return 0;
	/* their layout differs, and ICR is not preserved (SDM 3A 11.12.5.1) */
	*lapic_reg(l, APIC_ICR2) = 0;
	*lapic_reg(l, APIC_LDR) = 0;
	l->mode_changed = true;
	set_constants(l);
	if (from == LAPIC_DISABLED || to == LAPIC_DISABLED)
		lapic_init(l);
	return 0;
}

/* ------------------------------------------------------------------------
 * Interrupts and priorities
 */

/* IRR, ISR or TMR as a bitmap: x86 is little-endian. */
#define VECTORS(l, offset)	((unsigned long *)lapic_reg(l, offset))

/* And a vector's bit in it: of every 16 bytes the first 4 are there. */
static unsigned int vector_bit(u8 vector)
{
	return vector + (vector & 0xe0) * 3;
}

/* Is any of 128 vectors there, from this word on? */
static bool any_vector(const u32 *words)
{
	return words[0] | words[4] | words[8] | words[12];
}

/* The highest vector in IRR or ISR: often there is none. */
static __always_inline int highest_vector(const struct mvm_lapic_state *l, u32 offset)
{
	const u32 *first = lapic_reg(l, offset), *word = first;

	if (any_vector(first + 16))
		word += 16;
	else if (!any_vector(first))
		return LAPIC_NO_VECTOR;
	if (word[8] | word[12])
		word += 8;
	if (word[4])
		word += 4;
	return (word - first) * 8 + __fls(*word);
}

/* SDM 3A 11.8.3.1; where that leaves a choice, as SDM 3C 30.1.3 */
static __always_inline int lapic_ppr(const struct mvm_lapic_state *l)
{
	int tpr = *lapic_reg(l, APIC_TASKPRI), isrv = highest_vector(l, APIC_ISR);

	return tpr >> 4 >= isrv >> 4 ? tpr : isrv & 0xf0;
}

/* What an entry of the LVT was set up for has happened. */
static void lvt_interrupt(struct mvm_lapic_state *l, u32 offset)
{
	u32 lvt = *lapic_reg(l, offset);

	if (!(lvt & APIC_LVT_MASKED))
		lapic_accept(l, lvt & 0xff, false);
}

/*
 * SDM 3A 11.5.3.  A write of ESR re-arms the error interrupt, so only the
 * first error after it raises one.  If that finds an illegal vector in LVT
 * error, it comes back here, but no further.
 */
static void lapic_error(struct mvm_lapic_state *l, u32 errors)
{
	bool armed = !l->esr_pending;

	l->esr_pending |= errors;
	if (armed)
		lvt_interrupt(l, APIC_LVTERR);
}

/**
 * lapic_accept() - take a fixed interrupt into the IRR (SDM 3A 11.8.4)
 * @l:		local APIC; a disabled one ignores it
 * @vector:	0 to 15: noted as an error
 * @level:	level triggered
 */
void lapic_accept(struct mvm_lapic_state *l, u8 vector, bool level)
{
	if (!lapic_software_enabled(l))
		return;
	if (vector < 16) {
		lapic_error(l, APIC_ESR_RECVILL);
		return;
	}
	__set_bit(vector_bit(vector), VECTORS(l, APIC_IRR));
	__assign_bit(vector_bit(vector), VECTORS(l, APIC_TMR), level);
	l->changed = true;
}

/**
 * lapic_pending() - the interrupt to deliver now (SDM 3A 11.8.4)
 * @l:		local APIC
 *
 * Return: the highest requested vector if it beats the processor priority,
 * else LAPIC_NO_VECTOR.
 */
int lapic_pending(const struct mvm_lapic_state *l)
{
	int vector = highest_vector(l, APIC_IRR);

	/* by class */
	return vector >= 0 && vector >> 4 > lapic_ppr(l) >> 4 ? vector : LAPIC_NO_VECTOR;
}

/**
 * lapic_status() - the guest interrupt status for the VMCS (SDM 3C 25.4.2)
 * @l:		local APIC
 *
 * Return: RVI, the highest vector requested, and above it SVI, the highest in
 * service; 0: none.
 */
u16 lapic_status(const struct mvm_lapic_state *l)
{
	return max(highest_vector(l, APIC_ISR), 0) << 8 | max(highest_vector(l, APIC_IRR), 0);
}

/**
 * lapic_tpr_threshold() - the TPR threshold for the VMCS (SDM 3C 30.1.2)
 * @l:		local APIC
 *
 * Return: the class below which the task priority has to drop for the highest
 * requested vector to be delivered; 0: TPR does not hold it back, or not alone.
 */
u8 lapic_tpr_threshold(const struct mvm_lapic_state *l)
{
	int cr8 = lapic_cr8(l), class = cr8 ? highest_vector(l, APIC_IRR) >> 4 : 0;

	return class > highest_vector(l, APIC_ISR) >> 4 && class <= cr8 ? class : 0;
}

/**
 * lapic_level_vectors() - vectors whose EOI the I/O APIC is told of
 * @l:		local APIC
 * @i:		of which 64 vectors: 0 to 3
 *
 * Return: a bit each.
 */
u64 lapic_level_vectors(const struct mvm_lapic_state *l, unsigned int i)
{
	const u32 *words = lapic_reg(l, APIC_TMR + 32 * i);

	return (u64)words[4] << 32 | words[0];
}

/**
 * lapic_acknowledge() - the interrupt is being delivered: IRR to ISR
 * @l:		local APIC
 * @vector:	what lapic_pending() returned
 */
void lapic_acknowledge(struct mvm_lapic_state *l, u8 vector)
{
	__clear_bit(vector_bit(vector), VECTORS(l, APIC_IRR));
	__set_bit(vector_bit(vector), VECTORS(l, APIC_ISR));
}

/**
 * lapic_pin_is() - does a pin of the processor do this now? (SDM 3A 11.5.1)
 * @l:		local APIC
 * @offset:	APIC_LVT0 for LINT0, APIC_LVT1 for LINT1
 * @mode:	APIC_DM_*
 *
 * A disabled APIC leaves its pins to the processor, as INTR and NMI (SDM 3A
 * 11.4.3).
 */
bool lapic_pin_is(const struct mvm_lapic_state *l, u32 offset, u32 mode)
{
	return lapic_mode(l->base) == LAPIC_DISABLED ||
	       (*lapic_reg(l, offset) & (APIC_LVT_MASKED | APIC_MODE_MASK)) == mode;
}

/* ------------------------------------------------------------------------
 * Timer (SDM 3A 11.5.4)
 */

static u32 timer_mode(const struct mvm_lapic_state *l)
{
	return *lapic_reg(l, APIC_LVTT) & LAPIC_LVT_TIMER_MODE;
}

/* One-shot or periodic; the fourth value of the mode is reserved. */
static bool timer_counts(const struct mvm_lapic_state *l)
{
	return timer_mode(l) <= APIC_LVT_TIMER_PERIODIC;
}

/* TSC ticks per tick of the counter (SDM 3A figure 11-10) */
static u64 timer_tick(const struct mvm_lapic_state *l)
{
	u32 dcr = *lapic_reg(l, APIC_TDCR);

	return (u64)l->timer_ratio << ((((dcr & 3) | (dcr >> 1 & 4)) + 1) & 7);
}

/* TSC ticks that a whole count takes. */
static u64 timer_period(const struct mvm_lapic_state *l)
{
	u64 ticks = *lapic_reg(l, APIC_TMICT) * timer_tick(l);

	return timer_mode(l) == APIC_LVT_TIMER_PERIODIC ? max(ticks, l->timer_min) : ticks;
}

/* The counter reaches 0 after @ticks; 0 as a time means: never. */
static void timer_arm(struct mvm_lapic_state *l, u64 now, u64 ticks)
{
	l->timer_expiry = now + ticks ?: 1;
}

/*
 * Let the timer expire if it is due.  A periodic one that missed several periods
 * raises one interrupt and stays on its grid; a masked one runs on.
 *
 * A guest can set its TSC so that it wraps soon: expiries of the counter are
 * compared as differences.  A deadline is a number that the guest chose.
 */
static void timer_expire(struct mvm_lapic_state *l, u64 now)
{
	u64 expiry = l->timer_expiry, period, late;

	if (!expiry || (timer_counts(l) ? (s64)(now - expiry) < 0 : now < expiry))
		return;
	l->timer_expiry = 0;
	if (timer_mode(l) == APIC_LVT_TIMER_PERIODIC) {
		period = timer_period(l);
		div64_u64_rem(now - expiry, period, &late);
		timer_arm(l, now, period - late);
	}
	lvt_interrupt(l, APIC_LVTT);
}

/* The current-count register of a timer that is not due. */
static u32 timer_count(const struct mvm_lapic_state *l, u64 now)
{
	if (!l->timer_expiry || !timer_counts(l))
		return 0;
	/* timer_min, or a TSC that jumped, may have left more */
	return min_t(u64, DIV64_U64_ROUND_UP(l->timer_expiry - now, timer_tick(l)),
		     *lapic_reg(l, APIC_TMICT));
}

/**
 * lapic_timer_remaining() - how long until the timer expires
 * @l:		local APIC; a timer that is due expires
 * @now:	guest TSC
 *
 * The caller sees to it that it asks again then; before, only after writes to
 * the local APIC that make timer_expiry differ from timer_armed.
 *
 * Return: TSC ticks, LAPIC_NEVER when not armed.  In deadline mode it can be any
 * number but 0.
 */
u64 lapic_timer_remaining(struct mvm_lapic_state *l, u64 now)
{
	timer_expire(l, now);
	l->timer_armed = l->timer_expiry;
	return l->timer_expiry ? l->timer_expiry - now : LAPIC_NEVER;
}

/**
 * lapic_timer_shift() - the guest's TSC jumped
 * @l:		local APIC
 * @delta:	TSC ticks that the guest's TSC moved forward
 *
 * The counter does not run on the TSC: a count in progress keeps its length.
 * A TSC deadline keeps its value.
 */
void lapic_timer_shift(struct mvm_lapic_state *l, s64 delta)
{
	if (l->timer_expiry && timer_counts(l))
		timer_arm(l, l->timer_expiry, delta);
	/* a deadline comes at another time of the host */
	l->timer_armed = 0;
}

/* IA32_TSC_DEADLINE (SDM 3A 11.5.4.1): 0 after it passed and in other timer modes. */
static u64 read_deadline(struct mvm_lapic_state *l, u64 now)
{
	timer_expire(l, now);
	return timer_counts(l) ? 0 : l->timer_expiry;
}

/* ------------------------------------------------------------------------
 * Messages
 */

/*
 * Carry out a write of the ICR (SDM 3A 11.6.1, table 11-3).  An INIT level
 * de-assert has no effect, and all other messages are edge triggered whatever
 * the trigger bit says.
 */
static void send_ipi(struct mvm_lapic_state *l)
{
	u32 icr = *lapic_reg(l, APIC_ICR), dest = *lapic_reg(l, APIC_ICR2), mode = icr >> 8 & 7;
	enum lapic_shorthand shorthand = icr >> 18 & 3;

	if (mode <= LAPIC_LOWEST && (icr & 0xff) < 16) {
		lapic_error(l, APIC_ESR_SENDILL);
		return;
	}
	if (mode == LAPIC_RESERVED || mode == LAPIC_EXTINT ||
	    (mode == LAPIC_INIT &&
	     (icr & (APIC_INT_LEVELTRIG | APIC_INT_ASSERT)) == APIC_INT_LEVELTRIG) ||
	    (mode != LAPIC_FIXED && (shorthand == LAPIC_TO_SELF || shorthand == LAPIC_TO_ALL)))
		return;
	if (lapic_mode(l->base) == LAPIC_XAPIC)
		dest = dest >> 24 == 0xff ? LAPIC_BROADCAST : dest >> 24;
	l->ipi_icr = (u64)dest << 32 | (icr & ~APIC_INT_LEVELTRIG);
	l->ipi = (struct lapic_message){
		.shorthand = shorthand, .mode = mode, .vector = icr, .dest = dest,
		.logical = icr & APIC_DEST_LOGICAL, .one = mode == LAPIC_LOWEST,
	};
}

/**
 * lapic_post_startup() - an INIT or SIPI joins those that a vCPU has not taken
 * @posted:	LAPIC_POSTED_*
 * @mode:	LAPIC_INIT or LAPIC_SIPI
 * @vector:	of the SIPI
 *
 * INIT undoes what came before.  Of several SIPIs the first starts the processor
 * and the others find it running (SDM 3A 9.4.3).
 *
 * Return: what takes the place of @posted.
 */
u32 lapic_post_startup(u32 posted, enum lapic_delivery mode, u8 vector)
{
	if (mode == LAPIC_INIT)
		return LAPIC_POSTED_INIT;
	return posted & LAPIC_POSTED_SIPI ? posted : posted | LAPIC_POSTED_SIPI | vector;
}

/**
 * lapic_take_startup() - the vCPU takes INIT and SIPI (SDM 3A 9.4.1, 11.6.1)
 * @l:		local APIC; INIT resets it
 * @posted:	LAPIC_POSTED_*, as lapic_post_startup() has made it
 * @activity:	of the vCPU, GUEST_ACTIVITY_*; updated
 *
 * Return: what has an effect: LAPIC_POSTED_INIT, then LAPIC_POSTED_SIPI with its
 * vector; a SIPI has none unless the vCPU waits for it.
 */
u32 lapic_take_startup(struct mvm_lapic_state *l, u32 posted, u8 *activity)
{
	if (posted & LAPIC_POSTED_INIT) {
		lapic_init(l);
		*activity = l->base & MSR_IA32_APICBASE_BSP ? GUEST_ACTIVITY_ACTIVE :
							      GUEST_ACTIVITY_WAIT_SIPI;
	}
	if (*activity != GUEST_ACTIVITY_WAIT_SIPI)
		return posted & LAPIC_POSTED_INIT;
	if (posted & LAPIC_POSTED_SIPI)
		*activity = GUEST_ACTIVITY_ACTIVE;
	return posted;
}

/**
 * lapic_decode_msi() - a message-signalled interrupt (SDM 3A 11.11)
 * @address:	message address
 * @data:	message data
 * @message:	out, when 0 is returned
 *
 * Return: 0, or -EINVAL: not a message address, a reserved address bit, a
 * delivery mode other than fixed, lowest priority and NMI, or a vector below 16.
 */
int lapic_decode_msi(u64 address, u32 data, struct lapic_message *message)
{
	u32 mode = data >> 8 & 7, dest = address >> 12 & 0xff;

	if (address >> 20 != 0xfee || address & GENMASK(11, 4) ||
	    (mode != LAPIC_NMI && (mode > LAPIC_LOWEST || (data & 0xff) < 16)))
		return -EINVAL;
	*message = (struct lapic_message){
		.mode = mode, .vector = data, .level = data & APIC_INT_LEVELTRIG,
		.dest = dest == 0xff ? LAPIC_BROADCAST : dest, .logical = address & BIT(2),
		.one = mode == LAPIC_LOWEST || address & BIT(3),
	};
	return 0;
}

/**
 * lapic_matches() - is this APIC among the destinations of a message?
 * @l:		local APIC; any thread may ask
 * @dest:	destination, LAPIC_BROADCAST for all
 * @logical:	a logical destination (SDM 3A 11.6.2.2, 11.12.10), not an ID
 */
bool lapic_matches(const struct mvm_lapic_state *l, u32 dest, bool logical)
{
	enum lapic_mode mode = lapic_mode(READ_ONCE(l->base));
	u32 ldr = READ_ONCE(*lapic_reg(l, APIC_LDR)) >> 24;
	u32 model = READ_ONCE(*lapic_reg(l, APIC_DFR)) >> 28;

	if (mode == LAPIC_DISABLED)
		return false;
	if (dest == LAPIC_BROADCAST)
		return true;
	if (!logical)
		return dest == l->id;
	if (mode == LAPIC_X2APIC)
		return dest >> 16 == l->id >> 4 && dest & BIT(l->id & 0xf);
	if (model == 0xf)
		return !(dest >> 8) && dest & ldr;
	return model == 0 && dest >> 4 == ldr >> 4 && dest & ldr & 0xf;
}

/* ------------------------------------------------------------------------
 * Register access
 */

static u32 read_register(struct mvm_lapic_state *l, u32 index, u64 now)
{
	timer_expire(l, now);
	switch (index) {
	case REG(APIC_PROCPRI):
		return lapic_ppr(l);
	case REG(APIC_TMCCT):
		return timer_count(l, now);
	default:
		return *lapic_reg(l, index << 4);
	}
}

/* EOI (SDM 3A 11.8.5): what was in service no longer is; the I/O APIC is told. */
static void end_of_interrupt(struct mvm_lapic_state *l)
{
	int vector = highest_vector(l, APIC_ISR);

	/* without a request nothing comes of it */
	l->changed |= highest_vector(l, APIC_IRR) >= 0;
	if (vector < 0)
		return;
	__clear_bit(vector_bit(vector), VECTORS(l, APIC_ISR));
	if (test_bit(vector_bit(vector), VECTORS(l, APIC_TMR)))
		l->eoi = vector;
}

/* @index is a register that can be written; reserved bits of @value are ignored. */
static void write_register(struct mvm_lapic_state *l, u32 index, u32 value, u64 now)
{
	u32 *reg = lapic_reg(l, index << 4), count;
	bool counted;

	if (index == REG(APIC_EOI)) {	/* no matter of the timer's */
		end_of_interrupt(l);
		return;
	}
	timer_expire(l, now);
	l->changed = true;
	value &= lapic_registers[index].writable;
	switch (index) {
	case REG(APIC_ESR):
		*reg = l->esr_pending;
		l->esr_pending = 0;
		break;
	case REG(APIC_ICR):
		*reg = value;
		send_ipi(l);
		break;
	case REG(APIC_LVTT):
		counted = timer_counts(l);
		*reg = value;
		/* to or from a counting mode, or to the reserved one: disarm */
		if (counted != timer_counts(l) || timer_mode(l) == LAPIC_LVT_TIMER_MODE)
			l->timer_expiry = 0;
		break;
	case REG(APIC_TMICT):
		if (timer_mode(l) == APIC_LVT_TIMER_TSCDEADLINE)
			break;
		*reg = value;
		l->timer_expiry = 0;
		if (value && timer_counts(l))
			timer_arm(l, now, timer_period(l));
		break;
	case REG(APIC_TDCR):
		/* what is left of the count goes on at the new speed */
		count = timer_count(l, now);
		*reg = value;
		if (count)
			timer_arm(l, now, count * timer_tick(l));
		break;
	case REG(APIC_SELF_IPI):
		if (value < 16)
			lapic_error(l, APIC_ESR_SENDILL);
		lapic_accept(l, value, false);
		break;
	case REG(APIC_SPIV):
		WRITE_ONCE(*reg, value);
		l->mode_changed = true;
		break;
	case REG(APIC_DFR):
		value |= GENMASK(27, 0);
		fallthrough;
	default:
		/* of LDR and DFR other threads ask: lapic_matches(); of SPIV, too */
		WRITE_ONCE(*reg, value);
	}
	if (index == REG(APIC_SPIV) || (index >= REG(APIC_LVTT) && index <= REG(APIC_TDCR)))
		settle_timer(l);
}

/**
 * lapic_xapic_access() - the guest reads or writes a register in its APIC page
 * @l:		local APIC
 * @args:	reserved bits of what it writes are ignored; what it reads is 0
 *		where nothing is
 * @now:	guest TSC
 *
 * An access where no register is, is an error (SDM 3A 11.5.3).
 *
 * Return: 0, or as struct mvm_lapic_access documents.
 */
int lapic_xapic_access(struct mvm_lapic_state *l, struct mvm_lapic_access *args, u64 now)
{
	u32 index = lapic_find(args->offset >> 4, XR | XW);
	u8 access = lapic_registers[index].access;

	if (args->offset & 15 || args->offset >= 4096)
		return -EINVAL;
	if (lapic_mode(l->base) != LAPIC_XAPIC)
		return -ENXIO;
	if (!index)
		lapic_error(l, APIC_ESR_ILLREGA);
	if (!(args->flags & MVM_LAPIC_WRITE))
		args->value = access & XR ? read_register(l, index, now) : 0;
	else if (access & XW)
		write_register(l, index, args->value, now);
	return 0;
}

/**
 * lapic_written() - the CPU has put what the guest wrote into the page, and no
 *		     more (SDM 3C 30.4.3.2, 30.5)
 * @l:		local APIC with APIC-register virtualization
 * @offset:	of the register; anything
 * @now:	guest TSC
 */
void lapic_written(struct mvm_lapic_state *l, u32 offset, u64 now)
{
	u32 index = lapic_find(offset >> 4, XW | MW), value = *lapic_reg(l, index << 4), i;

	/* what the timer did till now, it did as it was set then */
	for (i = 0; i < ARRAY_SIZE(timer_offsets); i++)
		*lapic_reg(l, timer_offsets[i]) = l->timer_regs[i];
	if (index)
		write_register(l, index, value, now);
	else		/* the ID: xAPICs may let it be written, ours does not */
		set_constants(l);
}

/**
 * lapic_msr_read() - read IA32_TSC_DEADLINE or an x2APIC MSR (SDM 3A 11.12.1)
 * @l:		local APIC
 * @index:	of the MSR
 * @now:	guest TSC
 * @data:	out, when 0 is returned
 *
 * Return: 0, or nonzero for #GP.
 */
int lapic_msr_read(struct mvm_lapic_state *l, u32 index, u64 now, u64 *data)
{
	u32 reg = lapic_find(index - APIC_BASE_MSR, MR);

	if (index == MSR_IA32_TSC_DEADLINE) {
		*data = read_deadline(l, now);
		return 0;
	}
	if (!reg || lapic_mode(l->base) != LAPIC_X2APIC)
		return -EINVAL;
	*data = read_register(l, reg, now);
	if (reg == REG(APIC_ICR))
		*data |= (u64)*lapic_reg(l, APIC_ICR2) << 32;
	return 0;
}

/**
 * lapic_msr_write() - write IA32_TSC_DEADLINE or an x2APIC MSR (SDM 3A 11.12.1)
 * @l:		local APIC
 * @index:	of the MSR
 * @data:	new value; a deadline of 0 disarms, one that has passed is due at
 *		once, and in other timer modes it is ignored (SDM 3A 11.5.4.1)
 * @now:	guest TSC
 *
 * Return: 0, or nonzero for #GP; then nothing has changed.
 */
int lapic_msr_write(struct mvm_lapic_state *l, u32 index, u64 data, u64 now)
{
	const struct lapic_register *r;
	u64 valid;
	u32 reg;

	if (index == MSR_IA32_TSC_DEADLINE) {
		timer_expire(l, now);
		if (timer_mode(l) == APIC_LVT_TIMER_TSCDEADLINE)
			l->timer_expiry = data;
		return 0;
	}
	reg = lapic_find(index - APIC_BASE_MSR, MW);
	r = &lapic_registers[reg];
	/* read-only bits are ignored; ESR alone must be written with 0 */
	valid = r->writable | (reg == REG(APIC_ESR) ? 0 : r->readonly);
	if (reg == REG(APIC_ICR))
		valid |= GENMASK_ULL(63, 32);
	if (!reg || lapic_mode(l->base) != LAPIC_X2APIC || data & ~valid ||
	    (reg == REG(APIC_LVTT) && (data & LAPIC_LVT_TIMER_MODE) == LAPIC_LVT_TIMER_MODE))
		return -EINVAL;

	if (reg == REG(APIC_ICR))
		*lapic_reg(l, APIC_ICR2) = data >> 32;
	write_register(l, reg, data, now);
	return 0;
}

/**
 * lapic_msr_write_quick() - the two writes of an x2APIC's MSRs that come most often:
 *			     EOI, and SELF_IPI, which need no time
 * @l:		local APIC
 * @index:	of the MSR
 * @data:	new value
 *
 * Return: false, and nothing has changed: it is another write, or a faulty one.
 */
bool lapic_msr_write_quick(struct mvm_lapic_state *l, u32 index, u64 data)
{
	if (lapic_mode(l->base) != LAPIC_X2APIC)
		return false;
	if (index == MSR_X2APIC_EOI && !data)
		end_of_interrupt(l);
	else if (index == MSR_X2APIC_SELF_IPI && data >= 16 && data < 256)
		lapic_accept(l, data, false);
	else
		return false;
	return true;
}

/* ------------------------------------------------------------------------
 * State for user space
 */

/**
 * lapic_get_state() - the registers for MVM_GET_LAPIC
 * @l:		local APIC; a timer that is due expires
 * @now:	guest TSC
 * @out:	@regs and @tsc_deadline are set
 *
 * Errors that the guest has not yet latched in ESR are not part of it.
 */
void lapic_get_state(struct mvm_lapic_state *l, u64 now, struct mvm_lapic *out)
{
	u32 i;

	for (i = 0; i < LAPIC_REGS; i++)
		out->regs[i] = lapic_find(i, RO) ? read_register(l, i, now) : 0;
	out->tsc_deadline = read_deadline(l, now);
}

/* Could these registers be those of @l in its mode? */
static bool valid_state(const struct mvm_lapic_state *l, const struct mvm_lapic *in)
{
	const struct lapic_register *r = lapic_registers;
	const u32 *regs = in->regs;
	u32 timer = regs[REG(APIC_LVTT)] & LAPIC_LVT_TIMER_MODE;
	bool x2apic = lapic_mode(l->base) == LAPIC_X2APIC;
	u32 i;

	for (i = 0; i < LAPIC_REGS; i++, r++)
		if (regs[i] & ~(r->access & RO ? r->writable | r->readonly : 0))
			return false;
	/* disabled by software: all of the LVT is masked */
	for (i = REG(APIC_LVTT); i <= REG(APIC_LVTERR); i++)
		if (!(regs[REG(APIC_SPIV)] & APIC_SPIV_APIC_ENABLED || regs[i] & APIC_LVT_MASKED))
			return false;
	return regs[REG(APIC_ID)] == (x2apic ? l->id : l->id << 24) &&
	       (x2apic || !((regs[REG(APIC_LDR)] | regs[REG(APIC_ICR2)]) & GENMASK(23, 0))) &&
	       (regs[REG(APIC_DFR)] | GENMASK(31, 28)) == ~0U &&
	       /* vectors 0 to 15 do not exist */
	       !((regs[REG(APIC_ISR)] | regs[REG(APIC_TMR)] | regs[REG(APIC_IRR)]) & 0xffff) &&
	       regs[REG(APIC_TMCCT)] <= regs[REG(APIC_TMICT)] &&
	       (!regs[REG(APIC_TMCCT)] || timer <= APIC_LVT_TIMER_PERIODIC) &&
	       (!in->tsc_deadline || timer == APIC_LVT_TIMER_TSCDEADLINE);
}

/**
 * lapic_set_state() - the registers from MVM_SET_LAPIC
 * @l:		local APIC; its mode, set before, decides how they are read
 * @in:		@regs and @tsc_deadline are used; hostile
 * @now:	guest TSC; the timer goes on from its current count
 *
 * Registers that follow from others (version, PPR, the LDR of x2APIC mode) are
 * not taken.  A disabled APIC has no state: it is checked and forgotten.
 *
 * Return: 0, or -EINVAL for a value that the registers cannot have; then
 * nothing has changed.
 */
int lapic_set_state(struct mvm_lapic_state *l, const struct mvm_lapic *in, u64 now)
{
	const struct lapic_register *r = lapic_registers;
	u32 i, count = in->regs[REG(APIC_TMCCT)];

	if (!valid_state(l, in))
		return -EINVAL;
	if (lapic_mode(l->base) == LAPIC_DISABLED)
		return 0;

	for (i = 0; i < LAPIC_REGS; i++, r++)
		*lapic_reg(l, i << 4) = in->regs[i] & (r->writable ?: r->readonly);
	*lapic_reg(l, APIC_DFR) |= GENMASK(27, 0);
	*lapic_reg(l, APIC_ICR2) = in->regs[REG(APIC_ICR2)];
	set_constants(l);
	settle_timer(l);
	l->mode_changed = true;
	l->esr_pending = 0;
	l->timer_expiry = in->tsc_deadline;
	if (count)
		timer_arm(l, now, count * timer_tick(l));
	return 0;
}
