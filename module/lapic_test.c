// SPDX-License-Identifier: GPL-2.0-only
/*
 * lapic_test.c - KUnit tests of the local APIC.  Expected values are written
 * down here from the SDM, not taken from the tables of lapic.c.
 */
#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/kernel.h>
#include <linux/prandom.h>
#include <linux/string.h>
#include <asm/apicdef.h>
#include <asm/msr-index.h>
#include "lapic.h"

#define TEST_RATIO	2	/* TSC ticks per timer tick before the divider */
#define TEST_ID		0x23	/* x2APIC logical: cluster 2, bit 3 */
#define TEST_BITS	46	/* of a physical address */
#define TEST_NOW	1000000ULL

#define ENABLE		MSR_IA32_APICBASE_ENABLE
#define X2APIC		(MSR_IA32_APICBASE_ENABLE | X2APIC_ENABLE)
#define BASE		0xfee00000ULL
#define MSR(offset)	(0x800 + ((offset) >> 4))
#define DIVIDE_BY_1	0xb

/* What the caller of a write is asked for. */
struct lapic_effect {
	bool timer_changed, ipi;
	struct lapic_message message;
	u64 icr;
};

static struct lapic_effect take_effect(struct mvm_lapic_state *l)
{
	struct lapic_effect effect = {
		.timer_changed = l->timer_armed != l->timer_expiry,
		.ipi = l->ipi_icr, .message = l->ipi, .icr = l->ipi_icr,
	};

	l->timer_armed = l->timer_expiry;
	l->ipi_icr = 0;
	return effect;
}

static u32 rd_at(struct mvm_lapic_state *l, u32 offset, u64 now)
{
	struct mvm_lapic_access args = { .offset = offset, .value = 0xdeadbeef };

	return lapic_xapic_access(l, &args, now) ? 0 : args.value;
}

static u32 rd(struct mvm_lapic_state *l, u32 offset)
{
	return rd_at(l, offset, TEST_NOW);
}

static struct lapic_effect wr_at(struct mvm_lapic_state *l, u32 offset,
				 u32 value, u64 now)
{
	struct mvm_lapic_access args = {
		.offset = offset, .value = value, .flags = MVM_LAPIC_WRITE,
	};

	take_effect(l);
	lapic_xapic_access(l, &args, now);
	return take_effect(l);
}

static int set_base(struct mvm_lapic_state *l, u64 value, bool guest, bool x2apic,
		    u32 phys_bits, struct lapic_effect *effect)
{
	int err = lapic_set_base(l, value, guest, x2apic, phys_bits);

	*effect = take_effect(l);
	return err;
}

static int msr_write(struct mvm_lapic_state *l, u32 index, u64 data, u64 now,
		     struct lapic_effect *effect)
{
	int err = lapic_msr_write(l, index, data, now);

	*effect = take_effect(l);
	return err;
}

static void deadline_write(struct mvm_lapic_state *l, u64 tsc, u64 now,
			   struct lapic_effect *effect)
{
	msr_write(l, MSR_IA32_TSC_DEADLINE, tsc, now, effect);
}

static u64 deadline_read(struct mvm_lapic_state *l, u64 now)
{
	u64 data = 0xdeadbeef;

	lapic_msr_read(l, MSR_IA32_TSC_DEADLINE, now, &data);
	return data;
}

/* A local APIC with its page; to copy or compare it, take the whole. */
struct whole {
	struct mvm_lapic_state l;
	u32 page[LAPIC_PAGE_SIZE / sizeof(u32)];
};

static struct whole *whole(struct mvm_lapic_state *l)
{
	return container_of(l, struct whole, l);
}

static struct mvm_lapic_state *new_lapic(struct kunit *test)
{
	struct whole *new = kunit_kzalloc(test, sizeof(*new), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, new);
	memset(new, 0xa5, sizeof(*new));
	new->l.page = new->page;
	return &new->l;
}

/* One local APIC in the given mode; by software enabled unless it is off. */
static struct mvm_lapic_state *start(struct kunit *test, enum lapic_mode mode)
{
	struct mvm_lapic_state *l = new_lapic(test);
	struct lapic_effect effect;

	lapic_reset(l, TEST_ID, false, TEST_RATIO, 0);
	if (mode == LAPIC_DISABLED) {
		KUNIT_ASSERT_EQ(test, 0, set_base(l, BASE, true, true,
							TEST_BITS, &effect));
		return l;
	}
	wr_at(l, APIC_SPIV, 0x1ff, TEST_NOW);
	wr_at(l, APIC_TDCR, DIVIDE_BY_1, TEST_NOW);
	if (mode == LAPIC_X2APIC)
		KUNIT_ASSERT_EQ(test, 0, set_base(l, BASE | X2APIC, true,
							true, TEST_BITS, &effect));
	KUNIT_ASSERT_EQ(test, mode, lapic_mode(l->base));
	return l;
}

static struct lapic_effect wr(struct mvm_lapic_state *l, u32 offset, u32 value)
{
	return wr_at(l, offset, value, TEST_NOW);
}

static bool in_irr(struct mvm_lapic_state *l, u8 vector)
{
	return *lapic_reg(l, APIC_IRR + vector / 32 * 16) & BIT(vector % 32);
}

/* Take an interrupt: was it accepted? */
static bool accept(struct mvm_lapic_state *l, u8 vector, bool level)
{
	lapic_accept(l, vector, level);
	return in_irr(l, vector);
}

/* Let time pass: did the timer raise an interrupt? */
static bool timer_expired(struct mvm_lapic_state *l, u64 now)
{
	u8 vector = *lapic_reg(l, APIC_LVTT);
	u32 *irr = lapic_reg(l, APIC_IRR + vector / 32 * 16), before = *irr;
	bool raised;

	*irr &= ~BIT(vector % 32);
	lapic_timer_remaining(l, now);
	raised = in_irr(l, vector);
	*irr |= before;
	return raised;
}

static bool in_tmr(struct mvm_lapic_state *l, u8 vector)
{
	return *lapic_reg(l, APIC_TMR + vector / 32 * 16) & BIT(vector % 32);
}

static u32 esr(struct mvm_lapic_state *l)
{
	wr(l, APIC_ESR, 0);
	return rd(l, APIC_ESR);
}

/* Is nothing requested and nothing in service? */
static bool is_idle(struct mvm_lapic_state *l)
{
	u32 bits = 0, i;

	for (i = 0; i < 0x80; i += 16)
		bits |= *lapic_reg(l, APIC_ISR + i) | *lapic_reg(l, APIC_IRR + i);
	return !bits;
}

/* Deliver what is pending; LAPIC_NO_VECTOR if nothing is. */
static int deliver(struct mvm_lapic_state *l)
{
	int vector = lapic_pending(l);

	if (vector >= 0)
		lapic_acknowledge(l, vector);
	return vector;
}

/* ------------------------------------------------------------------------
 * Reset and modes
 */

static void power_up_state(struct kunit *test)
{
	struct mvm_lapic_state *l = new_lapic(test);
	u32 offset, expected;

	lapic_reset(l, 7, true, 4, 0);
	KUNIT_EXPECT_EQ(test, l->base, 0xfee00900ULL);
	KUNIT_EXPECT_EQ(test, lapic_mode(l->base), LAPIC_XAPIC);
	KUNIT_EXPECT_FALSE(test, lapic_software_enabled(l));
	for (offset = 0; offset < 0x400; offset += 16) {
		switch (offset) {
		case 0x020:
			expected = 7 << 24;
			break;
		case 0x030:
			expected = 0x00050014;
			break;
		case 0x0e0:
			expected = 0xffffffff;
			break;
		case 0x0f0:
			expected = 0xff;
			break;
		case 0x320 ... 0x370:
			expected = 0x10000;
			break;
		default:
			expected = 0;
		}
		KUNIT_EXPECT_EQ_MSG(test, rd(l, offset), expected,
				    "offset %#x", offset);
	}
	KUNIT_EXPECT_EQ(test, lapic_pending(l), LAPIC_NO_VECTOR);
	KUNIT_EXPECT_EQ(test, lapic_timer_remaining(l, 0), LAPIC_NEVER);

	lapic_reset(l, 8, false, 4, 0);
	KUNIT_EXPECT_EQ(test, l->base, 0xfee00800ULL);
}

/* SDM 3A figure 11-27 */
static void base_transitions(struct kunit *test)
{
	static const u64 bases[] = { BASE, BASE | ENABLE, BASE | X2APIC };
	static const bool legal[3][3] = {
		[LAPIC_DISABLED] = { true, true, false },
		[LAPIC_XAPIC] = { true, true, true },
		[LAPIC_X2APIC] = { true, false, true },
	};
	struct mvm_lapic_state *l;
	struct lapic_effect effect;
	int from, to, err;
	bool reset;

	for (from = LAPIC_DISABLED; from <= LAPIC_X2APIC; from++) {
		for (to = LAPIC_DISABLED; to <= LAPIC_X2APIC; to++) {
			l = start(test, from);
			*lapic_reg(l, APIC_TASKPRI) = 0x40;
			err = set_base(l, bases[to], true, true,
					     TEST_BITS, &effect);
			KUNIT_EXPECT_EQ_MSG(test, !err, legal[from][to],
					    "%d to %d", from, to);
			KUNIT_EXPECT_EQ(test, lapic_mode(l->base), err ? from : to);

			l = start(test, from);
			*lapic_reg(l, APIC_TASKPRI) = 0x40;
			l->timer_expiry = TEST_NOW;
			l->timer_armed = TEST_NOW;
			err = set_base(l, bases[to], false, true,
					     TEST_BITS, &effect);
			KUNIT_EXPECT_EQ(test, err, 0);
			KUNIT_EXPECT_EQ(test, lapic_mode(l->base), to);
			reset = from != to && (!from || !to);
			KUNIT_EXPECT_EQ_MSG(test, lapic_cr8(l), reset ? 0 : 4,
					    "%d to %d", from, to);
			KUNIT_EXPECT_EQ(test, effect.timer_changed, reset);
		}
	}
}

static void base_reserved_bits(struct kunit *test)
{
	struct mvm_lapic_state *l = start(test, LAPIC_XAPIC);
	struct lapic_effect effect;
	int bit, err;
	bool ok;

	for (bit = 0; bit < 64; bit++) {
		ok = bit == 8 || (bit >= 10 && bit < 39);
		err = set_base(l, ENABLE | BIT_ULL(bit), false, true, 39,
				     &effect);
		KUNIT_EXPECT_EQ_MSG(test, !err, ok, "bit %d", bit);
	}
	/* without x2APIC bit 10 is reserved; x2APIC mode needs the enable bit */
	l = start(test, LAPIC_XAPIC);
	KUNIT_EXPECT_NE(test, 0, set_base(l, BASE | X2APIC, true, false,
						TEST_BITS, &effect));
	KUNIT_EXPECT_NE(test, 0, set_base(l, BASE | X2APIC_ENABLE, true,
						true, TEST_BITS, &effect));
	KUNIT_EXPECT_NE(test, 0, set_base(l, BASE | X2APIC_ENABLE, false,
						true, TEST_BITS, &effect));
	KUNIT_EXPECT_EQ(test, l->base, BASE | ENABLE);
	KUNIT_EXPECT_EQ(test, 0, set_base(l, 0x12345000 | ENABLE, true,
						false, TEST_BITS, &effect));
	KUNIT_EXPECT_EQ(test, l->base, 0x12345000ULL | ENABLE);
}

static void disabling_resets_everything(struct kunit *test)
{
	struct mvm_lapic_state *l = start(test, LAPIC_XAPIC);
	struct lapic_effect effect;

	wr(l, APIC_LVTT, 0x40);
	wr(l, APIC_TMICT, 100);
	lapic_accept(l, 0x80, false);
	lapic_accept(l, 0x60, false);
	deliver(l);
	rd(l, 0);
	KUNIT_EXPECT_EQ(test, 0, set_base(l, BASE, true, true, TEST_BITS,
						&effect));
	KUNIT_EXPECT_TRUE(test, effect.timer_changed);
	KUNIT_EXPECT_EQ(test, lapic_timer_remaining(l, 0), LAPIC_NEVER);
	KUNIT_EXPECT_EQ(test, lapic_pending(l), LAPIC_NO_VECTOR);
	KUNIT_EXPECT_FALSE(test, accept(l, 0x80, false));
	wr(l, APIC_TASKPRI, 0x20);	/* not there: no effect */
	KUNIT_EXPECT_EQ(test, rd(l, APIC_LVR), 0);

	KUNIT_EXPECT_EQ(test, 0, set_base(l, BASE | ENABLE, true, true,
						TEST_BITS, &effect));
	KUNIT_EXPECT_EQ(test, rd(l, APIC_SPIV), 0xff);
	KUNIT_EXPECT_EQ(test, rd(l, APIC_LVTT), 0x10000);
	KUNIT_EXPECT_EQ(test, rd(l, APIC_TASKPRI), 0);
	KUNIT_EXPECT_EQ(test, esr(l), 0);
	KUNIT_EXPECT_TRUE(test, is_idle(l));
}

static void x2apic_mode_keeps_state(struct kunit *test)
{
	struct mvm_lapic_state *l = start(test, LAPIC_XAPIC);
	struct lapic_effect effect;
	u64 data;

	wr(l, APIC_LVT0, 0x10755);
	lapic_accept(l, 0x80, false);
	KUNIT_ASSERT_EQ(test, 0, set_base(l, BASE | X2APIC, true, true,
						TEST_BITS, &effect));
	KUNIT_EXPECT_FALSE(test, effect.timer_changed);
	KUNIT_EXPECT_EQ(test, 0, lapic_msr_read(l, 0x802, 0, &data));
	KUNIT_EXPECT_EQ(test, data, TEST_ID);
	KUNIT_EXPECT_EQ(test, 0, lapic_msr_read(l, 0x80d, 0, &data));
	KUNIT_EXPECT_EQ(test, data, 0x20008);
	KUNIT_EXPECT_EQ(test, 0, lapic_msr_read(l, 0x835, 0, &data));
	KUNIT_EXPECT_EQ(test, data, 0x10755);
	KUNIT_EXPECT_EQ(test, lapic_pending(l), 0x80);
}

/* ------------------------------------------------------------------------
 * Register access
 */

/* What is left of a write of all ones and of all zeros (SDM 3A 11.4 to 11.8) */
static const struct {
	u32 offset;
	u32 ones, zeros;
} xapic_writes[] = {
	{ 0x020, TEST_ID << 24, TEST_ID << 24 },
	{ 0x030, 0x00050014, 0x00050014 },
	{ 0x080, 0xff, 0 },
	{ 0x090, 0, 0 },
	{ 0x0a0, 0, 0 },
	{ 0x0b0, 0, 0 },
	{ 0x0c0, 0, 0 },
	{ 0x0d0, 0xff000000, 0 },
	{ 0x0e0, 0xffffffff, 0x0fffffff },
	{ 0x0f0, 0x1ff, 0 },
	{ 0x100, 0, 0 }, { 0x170, 0, 0 },
	{ 0x180, 0, 0 }, { 0x1f0, 0, 0 },
	{ 0x200, 0, 0 }, { 0x270, 0, 0 },
	{ 0x280, 0, 0 },
	{ 0x300, 0xccfff, 0 },
	{ 0x310, 0xff000000, 0 },
	{ 0x320, 0x700ff, 0 },
	{ 0x330, 0x107ff, 0 },
	{ 0x340, 0x107ff, 0 },
	{ 0x350, 0x1a7ff, 0 },
	{ 0x360, 0x1a7ff, 0 },
	{ 0x370, 0x100ff, 0 },
	{ 0x390, 0, 0 },
	{ 0x3e0, 0xb, 0 },
};

static void xapic_write_masks(struct kunit *test)
{
	struct mvm_lapic_state *l;
	int i;

	for (i = 0; i < ARRAY_SIZE(xapic_writes); i++) {
		u32 offset = xapic_writes[i].offset;

		l = start(test, LAPIC_XAPIC);
		wr(l, offset, ~0U);
		KUNIT_EXPECT_EQ_MSG(test, rd(l, offset), xapic_writes[i].ones,
				    "offset %#x", offset);
		l = start(test, LAPIC_XAPIC);
		wr(l, offset, 0);
		KUNIT_EXPECT_EQ_MSG(test, rd(l, offset), xapic_writes[i].zeros,
				    "offset %#x", offset);
		KUNIT_EXPECT_EQ_MSG(test, l->esr_pending,
				    offset == 0x300 ? APIC_ESR_SENDILL : 0,
				    "offset %#x", offset);
	}
	l = start(test, LAPIC_XAPIC);
	wr(l, 0x380, ~0U);
	KUNIT_EXPECT_EQ(test, rd(l, 0x380), ~0U);
}

static bool xapic_has(u32 offset)
{
	int i;

	if ((offset >= 0x100 && offset <= 0x270) || offset == 0x380)
		return true;
	for (i = 0; i < ARRAY_SIZE(xapic_writes); i++)
		if (xapic_writes[i].offset == offset)
			return true;
	return false;
}

static void xapic_illegal_addresses(struct kunit *test)
{
	struct mvm_lapic_state *l;
	u32 offset, expected;

	for (offset = 0; offset < 0x1000; offset += 16) {
		expected = xapic_has(offset) ? 0 : APIC_ESR_ILLREGA;
		l = start(test, LAPIC_XAPIC);
		rd(l, offset);
		KUNIT_EXPECT_EQ_MSG(test, esr(l), expected, "read %#x", offset);
		wr(l, offset, 0x31);
		KUNIT_EXPECT_EQ_MSG(test, esr(l), expected, "write %#x", offset);
		kunit_kfree(test, l);
	}
}

/* Nothing that user space has to know better can reach the registers. */
static void xapic_accesses_that_cannot_be(struct kunit *test)
{
	static const u32 offsets[] = { 1, 0x81, 0x8f, 0x1000, 0x1080, 0xfffffff0, ~0U };
	static const enum lapic_mode modes[] = { LAPIC_DISABLED, LAPIC_X2APIC };
	struct mvm_lapic_access args = { .value = 0x50 };
	struct mvm_lapic_state *l;
	int i, write;

	for (write = 0; write < 2; write++) {
		args.flags = write ? MVM_LAPIC_WRITE : 0;
		l = start(test, LAPIC_XAPIC);
		for (i = 0; i < ARRAY_SIZE(offsets); i++) {
			args.offset = offsets[i];
			KUNIT_EXPECT_EQ(test, lapic_xapic_access(l, &args, 0), -EINVAL);
		}
		KUNIT_EXPECT_EQ(test, esr(l), 0);
		KUNIT_EXPECT_EQ(test, lapic_cr8(l), 0);
		for (i = 0; i < ARRAY_SIZE(modes); i++) {
			l = start(test, modes[i]);
			for (args.offset = 0; args.offset < 0x1000; args.offset += 16)
				KUNIT_EXPECT_EQ(test, lapic_xapic_access(l, &args, 0), -ENXIO);
			KUNIT_EXPECT_EQ(test, l->esr_pending, 0);
			KUNIT_EXPECT_EQ(test, lapic_cr8(l), 0);
		}
	}
	KUNIT_EXPECT_EQ(test, args.value, 0x50);
}

/* Which bits a WRMSR may set, SDM 3A table 11-6; 0 for a register: only 0. */
static bool x2apic_writable(u32 index, u64 *bits)
{
	static const struct {
		u32 index;
		u64 bits;
	} msrs[] = {
		{ 0x808, 0xff },
		{ 0x80b, 0 },
		{ 0x80f, 0x1ff },
		{ 0x828, 0 },
		/* delivery status of ICR and LVT, remote IRR: ignored */
		{ 0x830, 0xffffffff000cdfffULL },
		{ 0x832, 0x710ff },
		{ 0x833, 0x117ff },
		{ 0x834, 0x117ff },
		{ 0x835, 0x1f7ff },
		{ 0x836, 0x1f7ff },
		{ 0x837, 0x110ff },
		{ 0x838, 0xffffffff },
		{ 0x83e, 0xb },
		{ 0x83f, 0xff },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(msrs); i++) {
		if (msrs[i].index == index) {
			*bits = msrs[i].bits;
			return true;
		}
	}
	return false;
}

static bool x2apic_readable(u32 index)
{
	switch (index) {
	case 0x802: case 0x803: case 0x808: case 0x80a: case 0x80d: case 0x80f:
	case 0x810 ... 0x828:
	case 0x830:
	case 0x832 ... 0x839:
	case 0x83e:
		return true;
	default:
		return false;
	}
}

static void x2apic_msr_access(struct kunit *test)
{
	struct lapic_effect effect;
	struct mvm_lapic_state *l;
	u64 data, bits;
	u32 index;
	int bit, err;
	bool ok;

	for (index = 0x700; index <= 0x900; index++) {
		l = start(test, LAPIC_X2APIC);
		err = lapic_msr_read(l, index, TEST_NOW, &data);
		KUNIT_EXPECT_EQ_MSG(test, !err, x2apic_readable(index),
				    "RDMSR %#x", index);
		if (!x2apic_writable(index, &bits)) {
			KUNIT_EXPECT_NE_MSG(test, 0,
					    msr_write(l, index, 0, TEST_NOW,
							    &effect),
					    "WRMSR %#x", index);
			continue;
		}
		KUNIT_EXPECT_EQ_MSG(test, 0,
				    msr_write(l, index, 0, TEST_NOW, &effect),
				    "WRMSR %#x", index);
		for (bit = 0; bit < 64; bit++) {
			ok = bits & BIT_ULL(bit);
			err = msr_write(l, index, BIT_ULL(bit), TEST_NOW,
					      &effect);
			KUNIT_EXPECT_EQ_MSG(test, !err, ok, "WRMSR %#x bit %d",
					    index, bit);
		}
		KUNIT_EXPECT_EQ(test, l->esr_pending & APIC_ESR_ILLREGA, 0);
	}
	l = start(test, LAPIC_X2APIC);
	KUNIT_EXPECT_NE(test, 0, lapic_msr_read(l, 0x2, TEST_NOW, &data));
	KUNIT_EXPECT_NE(test, 0, lapic_msr_read(l, ~0U, TEST_NOW, &data));
	/* the reserved timer mode */
	KUNIT_EXPECT_NE(test, 0, msr_write(l, 0x832, 0x60030, TEST_NOW,
						 &effect));
}

static void x2apic_faults_change_nothing(struct kunit *test)
{
	struct mvm_lapic_state *l = start(test, LAPIC_X2APIC);
	struct whole *before = kunit_kzalloc(test, sizeof(*before), GFP_KERNEL);
	struct lapic_effect effect;
	u32 index;

	KUNIT_ASSERT_NOT_NULL(test, before);
	lapic_accept(l, 0x90, false);
	deliver(l);
	*before = *whole(l);
	for (index = 0x800; index < 0x900; index++) {
		if (index == 0x830)
			continue;
		KUNIT_EXPECT_NE(test, 0, msr_write(l, index, ~0ULL, TEST_NOW,
							 &effect));
		KUNIT_EXPECT_EQ_MSG(test, 0, memcmp(whole(l), before, sizeof(*before)),
				    "WRMSR %#x", index);
	}
	KUNIT_EXPECT_NE(test, 0, msr_write(l, 0x830, BIT(13), TEST_NOW,
						 &effect));
	KUNIT_EXPECT_FALSE(test, effect.ipi);
	KUNIT_EXPECT_EQ(test, 0, memcmp(whole(l), before, sizeof(*before)));
}

static void x2apic_msrs_need_their_mode(struct kunit *test)
{
	static const enum lapic_mode modes[] = { LAPIC_DISABLED, LAPIC_XAPIC };
	struct lapic_effect effect;
	struct mvm_lapic_state *l;
	u64 data;
	u32 i, index;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		l = start(test, modes[i]);
		for (index = 0x800; index < 0x840; index++) {
			KUNIT_EXPECT_NE(test, 0, lapic_msr_read(l, index, 0, &data));
			KUNIT_EXPECT_NE(test, 0, msr_write(l, index, 0, 0,
								 &effect));
		}
	}
}

/* ------------------------------------------------------------------------
 * Errors
 */

static void esr_latches_on_write(struct kunit *test)
{
	struct mvm_lapic_state *l = start(test, LAPIC_XAPIC);

	rd(l, 0x3f0);
	KUNIT_EXPECT_EQ(test, rd(l, APIC_ESR), 0);
	wr(l, APIC_ICR, 0x0f);
	KUNIT_EXPECT_EQ(test, rd(l, APIC_ESR), 0);
	wr(l, APIC_ESR, ~0U);
	KUNIT_EXPECT_EQ(test, rd(l, APIC_ESR), APIC_ESR_ILLREGA | APIC_ESR_SENDILL);
	KUNIT_EXPECT_EQ(test, rd(l, APIC_ESR), APIC_ESR_ILLREGA | APIC_ESR_SENDILL);
	wr(l, APIC_ESR, 0);
	KUNIT_EXPECT_EQ(test, rd(l, APIC_ESR), 0);
}

static void error_interrupt_once_per_esr_write(struct kunit *test)
{
	struct mvm_lapic_state *l = start(test, LAPIC_XAPIC);

	wr(l, APIC_LVTERR, 0x10000 | 0xee);
	rd(l, 0);
	KUNIT_EXPECT_EQ(test, lapic_pending(l), LAPIC_NO_VECTOR);
	esr(l);

	wr(l, APIC_LVTERR, 0xee);
	rd(l, 0);
	KUNIT_EXPECT_EQ(test, deliver(l), 0xee);
	wr(l, APIC_EOI, 0);
	rd(l, 0);
	KUNIT_EXPECT_EQ(test, lapic_pending(l), LAPIC_NO_VECTOR);
	KUNIT_EXPECT_EQ(test, esr(l), APIC_ESR_ILLREGA);
	rd(l, 0);
	KUNIT_EXPECT_EQ(test, deliver(l), 0xee);
}

static void illegal_vectors(struct kunit *test)
{
	struct mvm_lapic_state *l = start(test, LAPIC_XAPIC);
	struct lapic_effect effect;
	int vector;

	for (vector = 0; vector < 256; vector++) {
		bool legal = vector >= 16;

		l = start(test, LAPIC_XAPIC);
		KUNIT_EXPECT_EQ(test, accept(l, vector, false), legal);
		KUNIT_EXPECT_EQ(test, in_irr(l, vector), legal);
		KUNIT_EXPECT_EQ(test, esr(l), legal ? 0 : APIC_ESR_RECVILL);
		effect = wr(l, APIC_ICR, vector);
		KUNIT_EXPECT_EQ(test, effect.ipi, legal);
		KUNIT_EXPECT_EQ(test, esr(l), legal ? 0 : APIC_ESR_SENDILL);
		effect = wr(l, APIC_ICR, APIC_DM_LOWEST | vector);
		KUNIT_EXPECT_EQ(test, effect.ipi, legal);
		KUNIT_EXPECT_EQ(test, esr(l), legal ? 0 : APIC_ESR_SENDILL);
	}

	/* the timer and, in turn, the error interrupt itself */
	l = start(test, LAPIC_XAPIC);
	wr(l, APIC_LVTERR, 0x05);
	wr(l, APIC_LVTT, 0x0f);
	wr(l, APIC_TMICT, 1);
	KUNIT_EXPECT_FALSE(test, timer_expired(l, TEST_NOW + TEST_RATIO));
	KUNIT_EXPECT_EQ(test, esr(l), APIC_ESR_RECVILL);
	KUNIT_EXPECT_TRUE(test, is_idle(l));
	rd(l, 0);
	KUNIT_EXPECT_EQ(test, esr(l), APIC_ESR_RECVILL | APIC_ESR_ILLREGA);
}

/* ------------------------------------------------------------------------
 * Priorities
 */

static void highest_vector_first(struct kunit *test)
{
	static const u8 vectors[] = { 0x31, 0x10, 0xff, 0x80, 0x3f, 0x20, 0x7f };
	static const u8 order[] = { 0xff, 0x80, 0x7f, 0x3f, 0x31, 0x20, 0x10 };
	struct mvm_lapic_state *l = start(test, LAPIC_XAPIC);
	int i;

	for (i = 0; i < ARRAY_SIZE(vectors); i++)
		KUNIT_EXPECT_TRUE(test, accept(l, vectors[i], false));
	for (i = 0; i < ARRAY_SIZE(order); i++) {
		KUNIT_EXPECT_EQ(test, deliver(l), order[i]);
		wr(l, APIC_EOI, 0);
	}
	KUNIT_EXPECT_EQ(test, deliver(l), LAPIC_NO_VECTOR);
	KUNIT_EXPECT_TRUE(test, is_idle(l));
	wr(l, APIC_EOI, 0);	/* one too many is harmless */
	KUNIT_EXPECT_EQ(test, esr(l), 0);
}

/* What is told to the I/O APIC: 0 for nothing. */
static u8 eoi(struct mvm_lapic_state *l)
{
	l->eoi = 0;
	if (lapic_mode(l->base) == LAPIC_X2APIC)
		lapic_msr_write(l, MSR(APIC_EOI), 0, TEST_NOW);
	else
		wr(l, APIC_EOI, 0);
	return l->eoi;
}

static void ends_of_levels_are_told(struct kunit *test)
{
	static const enum lapic_mode modes[] = { LAPIC_XAPIC, LAPIC_X2APIC };
	struct mvm_lapic_state *l;
	int i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		l = start(test, modes[i]);
		KUNIT_EXPECT_EQ(test, eoi(l), 0);	/* none in service */
		lapic_accept(l, 0x45, true);
		KUNIT_EXPECT_EQ(test, deliver(l), 0x45);
		lapic_accept(l, 0x91, false);
		KUNIT_EXPECT_EQ(test, deliver(l), 0x91);
		lapic_accept(l, 0xff, true);
		KUNIT_EXPECT_EQ(test, deliver(l), 0xff);
		KUNIT_EXPECT_EQ(test, eoi(l), 0xff);
		KUNIT_EXPECT_EQ(test, eoi(l), 0);	/* 0x91 was an edge */
		KUNIT_EXPECT_EQ(test, eoi(l), 0x45);
		KUNIT_EXPECT_EQ(test, eoi(l), 0);
		lapic_accept(l, 0x45, false);		/* an edge this time */
		KUNIT_EXPECT_EQ(test, deliver(l), 0x45);
		KUNIT_EXPECT_EQ(test, eoi(l), 0);
	}
}

static void nesting_follows_classes(struct kunit *test)
{
	struct mvm_lapic_state *l = start(test, LAPIC_XAPIC);

	lapic_accept(l, 0x45, false);
	KUNIT_EXPECT_EQ(test, deliver(l), 0x45);
	lapic_accept(l, 0x4f, false);	/* same class: waits */
	KUNIT_EXPECT_EQ(test, deliver(l), LAPIC_NO_VECTOR);
	lapic_accept(l, 0x45, false);	/* again, while in service: waits too */
	KUNIT_EXPECT_TRUE(test, in_irr(l, 0x45));
	lapic_accept(l, 0x50, false);	/* higher: nests */
	KUNIT_EXPECT_EQ(test, deliver(l), 0x50);
	KUNIT_EXPECT_EQ(test, rd(l, APIC_ISR + 0x20), BIT(0x45 % 32) | BIT(0x50 % 32));
	KUNIT_EXPECT_EQ(test, rd(l, APIC_PROCPRI), 0x50);
	lapic_accept(l, 0x31, false);

	wr(l, APIC_EOI, 0);		/* of 0x50 */
	KUNIT_EXPECT_EQ(test, rd(l, APIC_ISR + 0x20), BIT(0x45 % 32));
	KUNIT_EXPECT_EQ(test, rd(l, APIC_PROCPRI), 0x40);
	KUNIT_EXPECT_EQ(test, deliver(l), LAPIC_NO_VECTOR);
	wr(l, APIC_EOI, 0);		/* of 0x45 */
	KUNIT_EXPECT_EQ(test, deliver(l), 0x4f);
	wr(l, APIC_EOI, 0);
	KUNIT_EXPECT_EQ(test, deliver(l), 0x45);
	wr(l, APIC_EOI, 0);
	KUNIT_EXPECT_EQ(test, deliver(l), 0x31);
}

static void processor_priority(struct kunit *test)
{
	static const struct {
		u8 tpr, in_service, ppr;
	} cases[] = {
		{ 0x00, 0x00, 0x00 }, { 0x35, 0x00, 0x35 }, { 0x0f, 0x00, 0x0f },
		{ 0x35, 0x42, 0x40 }, { 0x45, 0x42, 0x45 }, { 0x55, 0x42, 0x55 },
		{ 0xff, 0x10, 0xff }, { 0xef, 0xff, 0xf0 }, { 0x00, 0x1f, 0x10 },
	};
	struct mvm_lapic_state *l;
	int i, vector;
	bool pending;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		l = start(test, LAPIC_XAPIC);
		if (cases[i].in_service) {
			lapic_accept(l, cases[i].in_service, false);
			KUNIT_EXPECT_EQ(test, deliver(l), cases[i].in_service);
		}
		wr(l, APIC_TASKPRI, cases[i].tpr);
		KUNIT_EXPECT_EQ_MSG(test, rd(l, APIC_PROCPRI), cases[i].ppr,
				    "case %d", i);
		for (vector = 16; vector < 256; vector++) {
			lapic_accept(l, vector, false);
			pending = vector >> 4 > cases[i].ppr >> 4;
			KUNIT_EXPECT_EQ_MSG(test, lapic_pending(l),
					    pending ? vector : LAPIC_NO_VECTOR,
					    "case %d", i);
		}
	}
}

static void cr8_is_the_task_priority(struct kunit *test)
{
	struct mvm_lapic_state *l = start(test, LAPIC_XAPIC);
	u64 cr8;

	wr(l, APIC_TASKPRI, 0x5a);
	KUNIT_EXPECT_EQ(test, lapic_cr8(l), 5);
	lapic_set_cr8(l, 0x7);
	KUNIT_EXPECT_EQ(test, rd(l, APIC_TASKPRI), 0x70);
	lapic_set_cr8(l, ~0ULL);
	KUNIT_EXPECT_EQ(test, rd(l, APIC_TASKPRI), 0xf0);

	lapic_accept(l, 0x6e, false);
	for (cr8 = 0; cr8 < 16; cr8++) {
		lapic_set_cr8(l, cr8);
		KUNIT_EXPECT_EQ(test, lapic_pending(l),
				cr8 < 6 ? 0x6e : LAPIC_NO_VECTOR);
	}
	/* an interrupt in service blocks it whatever CR8 is */
	lapic_set_cr8(l, 0);
	deliver(l);
	lapic_accept(l, 0x62, false);
	KUNIT_EXPECT_EQ(test, lapic_pending(l), LAPIC_NO_VECTOR);
	lapic_accept(l, 0x72, false);
	KUNIT_EXPECT_EQ(test, lapic_pending(l), 0x72);
	lapic_set_cr8(l, 9);
	KUNIT_EXPECT_EQ(test, lapic_pending(l), LAPIC_NO_VECTOR);
}

static void trigger_mode_register(struct kunit *test)
{
	struct mvm_lapic_state *l = start(test, LAPIC_XAPIC);

	lapic_accept(l, 0x41, true);
	lapic_accept(l, 0x61, false);
	KUNIT_EXPECT_EQ(test, rd(l, APIC_TMR + 0x20), BIT(0x41 % 32));
	KUNIT_EXPECT_EQ(test, rd(l, APIC_TMR + 0x30), 0);
	while (deliver(l) >= 0)
		wr(l, APIC_EOI, 0);
	KUNIT_EXPECT_EQ(test, rd(l, APIC_TMR + 0x20), BIT(0x41 % 32));

	/* an edge in between turns the vector into an edge-triggered one */
	lapic_accept(l, 0x41, false);
	KUNIT_EXPECT_EQ(test, rd(l, APIC_TMR + 0x20), 0);
}

static void software_disable(struct kunit *test)
{
	struct mvm_lapic_state *l = start(test, LAPIC_XAPIC);
	u32 offset;

	wr(l, APIC_LVT0, APIC_DM_EXTINT);
	wr(l, APIC_LVT1, APIC_DM_NMI);
	wr(l, APIC_LVTT, 0x44);
	lapic_accept(l, 0x90, false);
	wr(l, APIC_SPIV, 0xff);
	KUNIT_EXPECT_FALSE(test, lapic_software_enabled(l));
	for (offset = APIC_LVTT; offset <= APIC_LVTERR; offset += 16) {
		KUNIT_EXPECT_EQ(test, rd(l, offset) & APIC_LVT_MASKED, APIC_LVT_MASKED);
		wr(l, offset, 0x66);	/* cannot be unmasked */
		KUNIT_EXPECT_EQ(test, rd(l, offset), APIC_LVT_MASKED | 0x66);
	}
	KUNIT_EXPECT_FALSE(test, lapic_pin_is(l, APIC_LVT0, APIC_DM_EXTINT));
	KUNIT_EXPECT_FALSE(test, lapic_pin_is(l, APIC_LVT1, APIC_DM_NMI));
	/* nothing new comes in; what is there stays and is still delivered */
	KUNIT_EXPECT_FALSE(test, accept(l, 0xa0, false));
	KUNIT_EXPECT_EQ(test, deliver(l), 0x90);
	wr(l, APIC_EOI, 0);
	KUNIT_EXPECT_EQ(test, rd(l, APIC_ISR + 0x40), 0);
	/* it can still send */
	KUNIT_EXPECT_TRUE(test, wr(l, APIC_ICR, 0x50).ipi);

	wr(l, APIC_SPIV, 0x1ff);
	KUNIT_EXPECT_EQ(test, rd(l, APIC_LVTT), APIC_LVT_MASKED | 0x66);
	wr(l, APIC_LVTT, 0x66);
	KUNIT_EXPECT_EQ(test, rd(l, APIC_LVTT), 0x66);
}

static void local_pins(struct kunit *test)
{
	struct mvm_lapic_state *l = start(test, LAPIC_XAPIC);
	u32 mode;

	for (mode = 0; mode < 8; mode++) {
		wr(l, APIC_LVT0, mode << 8 | 0x20);
		wr(l, APIC_LVT1, mode << 8 | 0x20);
		KUNIT_EXPECT_EQ(test, lapic_pin_is(l, APIC_LVT0, APIC_DM_EXTINT), mode == 7);
		KUNIT_EXPECT_EQ(test, lapic_pin_is(l, APIC_LVT1, APIC_DM_NMI), mode == 4);
		wr(l, APIC_LVT0, APIC_LVT_MASKED | mode << 8);
		wr(l, APIC_LVT1, APIC_LVT_MASKED | mode << 8);
		KUNIT_EXPECT_FALSE(test, lapic_pin_is(l, APIC_LVT0, APIC_DM_EXTINT));
		KUNIT_EXPECT_FALSE(test, lapic_pin_is(l, APIC_LVT1, APIC_DM_NMI));
	}
	l = start(test, LAPIC_DISABLED);
	KUNIT_EXPECT_TRUE(test, lapic_pin_is(l, APIC_LVT0, APIC_DM_EXTINT));
	KUNIT_EXPECT_TRUE(test, lapic_pin_is(l, APIC_LVT1, APIC_DM_NMI));
}

/* ------------------------------------------------------------------------
 * Timer
 */

static void timer_dividers(struct kunit *test)
{
	static const struct {
		u32 dcr, divide;
	} cases[] = {
		{ 0x0, 2 }, { 0x1, 4 }, { 0x2, 8 }, { 0x3, 16 },
		{ 0x8, 32 }, { 0x9, 64 }, { 0xa, 128 }, { 0xb, 1 },
		{ 0x4, 2 }, { 0xf, 1 },
	};
	struct mvm_lapic_state *l;
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		u64 tick = (u64)cases[i].divide * TEST_RATIO;

		l = start(test, LAPIC_XAPIC);
		wr(l, APIC_TDCR, cases[i].dcr);
		wr(l, APIC_TMICT, 10);
		KUNIT_EXPECT_EQ_MSG(test, lapic_timer_remaining(l, TEST_NOW),
				    10 * tick, "DCR %#x", cases[i].dcr);
		KUNIT_EXPECT_EQ(test, rd_at(l, APIC_TMCCT, TEST_NOW + 3 * tick), 7);
		wr(l, APIC_TMICT, ~0U);
		KUNIT_EXPECT_EQ(test, lapic_timer_remaining(l, TEST_NOW),
				0xffffffffULL * tick);
		KUNIT_EXPECT_EQ(test, rd(l, APIC_TMCCT), ~0U);
	}
}

static void timer_one_shot(struct kunit *test)
{
	struct mvm_lapic_state *l = start(test, LAPIC_XAPIC);
	u64 end = TEST_NOW + 100 * TEST_RATIO;

	wr(l, APIC_LVTT, 0x40);
	KUNIT_EXPECT_TRUE(test, wr(l, APIC_TMICT, 100).timer_changed);
	KUNIT_EXPECT_EQ(test, l->timer_expiry, end);
	KUNIT_EXPECT_EQ(test, rd(l, APIC_TMCCT), 100);
	KUNIT_EXPECT_EQ(test, rd_at(l, APIC_TMCCT, TEST_NOW + 1), 100);
	KUNIT_EXPECT_EQ(test, rd_at(l, APIC_TMCCT, TEST_NOW + TEST_RATIO), 99);
	KUNIT_EXPECT_EQ(test, rd_at(l, APIC_TMCCT, end - 1), 1);

	KUNIT_EXPECT_FALSE(test, timer_expired(l, end - 1));
	KUNIT_EXPECT_EQ(test, lapic_timer_remaining(l, end - 1), 1);
	KUNIT_EXPECT_TRUE(test, timer_expired(l, end));
	KUNIT_EXPECT_EQ(test, deliver(l), 0x40);
	KUNIT_EXPECT_EQ(test, rd_at(l, APIC_TMCCT, end), 0);
	KUNIT_EXPECT_EQ(test, rd_at(l, APIC_TMCCT, end + 12345), 0);
	KUNIT_EXPECT_EQ(test, lapic_timer_remaining(l, end), LAPIC_NEVER);
	KUNIT_EXPECT_FALSE(test, timer_expired(l, end + 1000000));

	/* reprogramming moves the expiry, 0 stops */
	wr(l, APIC_TMICT, 100);
	wr_at(l, APIC_TMICT, 50, TEST_NOW + 40);
	KUNIT_EXPECT_EQ(test, l->timer_expiry, TEST_NOW + 40 + 50 * TEST_RATIO);
	KUNIT_EXPECT_TRUE(test, wr(l, APIC_TMICT, 0).timer_changed);
	KUNIT_EXPECT_EQ(test, lapic_timer_remaining(l, TEST_NOW), LAPIC_NEVER);
	KUNIT_EXPECT_EQ(test, rd(l, APIC_TMCCT), 0);
}

static void timer_periodic_catches_up(struct kunit *test)
{
	struct mvm_lapic_state *l = start(test, LAPIC_XAPIC);
	u64 period = 1000 * TEST_RATIO, now;

	wr(l, APIC_LVTT, APIC_LVT_TIMER_PERIODIC | 0x41);
	wr(l, APIC_TMICT, 1000);
	KUNIT_EXPECT_TRUE(test, timer_expired(l, TEST_NOW + period));
	KUNIT_EXPECT_EQ(test, l->timer_expiry, TEST_NOW + 2 * period);
	KUNIT_EXPECT_EQ(test, rd_at(l, APIC_TMCCT, TEST_NOW + period), 1000);
	KUNIT_EXPECT_EQ(test, deliver(l), 0x41);

	/* seven periods and a bit later: one interrupt, on the old grid */
	now = TEST_NOW + 9 * period + 17;
	KUNIT_EXPECT_TRUE(test, timer_expired(l, now));
	KUNIT_EXPECT_EQ(test, l->timer_expiry, TEST_NOW + 10 * period);
	KUNIT_EXPECT_FALSE(test, timer_expired(l, now));
	KUNIT_EXPECT_EQ(test, rd_at(l, APIC_TMCCT, now), 1000 - 17 / TEST_RATIO);

	/* exactly late by a number of periods */
	now = TEST_NOW + 12 * period;
	KUNIT_EXPECT_TRUE(test, timer_expired(l, now));
	KUNIT_EXPECT_EQ(test, l->timer_expiry, TEST_NOW + 13 * period);

	/* a read finds it due, too */
	lapic_acknowledge(l, 0x41);
	KUNIT_EXPECT_EQ(test, rd_at(l, APIC_TMCCT, now + period), 1000);
	KUNIT_EXPECT_TRUE(test, in_irr(l, 0x41));
	KUNIT_EXPECT_EQ(test, l->timer_expiry, TEST_NOW + 14 * period);
	KUNIT_EXPECT_NE(test, l->timer_expiry, l->timer_armed);
}

static void timer_period_is_bounded(struct kunit *test)
{
	struct mvm_lapic_state *l = start(test, LAPIC_XAPIC);

	l->timer_min = 5000;
	wr(l, APIC_LVTT, APIC_LVT_TIMER_PERIODIC | 0x41);
	wr(l, APIC_TMICT, 1);
	KUNIT_EXPECT_EQ(test, l->timer_expiry, TEST_NOW + 5000);
	KUNIT_EXPECT_EQ(test, rd(l, APIC_TMCCT), 1);
	KUNIT_EXPECT_TRUE(test, timer_expired(l, TEST_NOW + 5001));
	KUNIT_EXPECT_EQ(test, l->timer_expiry, TEST_NOW + 10000);
	/* a one-shot may be short: each needs a write */
	wr(l, APIC_LVTT, 0x41);
	wr(l, APIC_TMICT, 1);
	KUNIT_EXPECT_EQ(test, l->timer_expiry, TEST_NOW + TEST_RATIO);
	/* and a periodic one that it becomes is bounded from then on */
	wr(l, APIC_LVTT, APIC_LVT_TIMER_PERIODIC | 0x41);
	KUNIT_EXPECT_TRUE(test, timer_expired(l, TEST_NOW + TEST_RATIO));
	KUNIT_EXPECT_EQ(test, l->timer_expiry, TEST_NOW + TEST_RATIO + 5000);
}

static void timer_masked_runs_on(struct kunit *test)
{
	struct mvm_lapic_state *l = start(test, LAPIC_XAPIC);
	u64 period = 100 * TEST_RATIO;

	wr(l, APIC_LVTT, APIC_LVT_MASKED | APIC_LVT_TIMER_PERIODIC | 0x41);
	wr(l, APIC_TMICT, 100);
	KUNIT_EXPECT_FALSE(test, timer_expired(l, TEST_NOW + period));
	KUNIT_EXPECT_EQ(test, lapic_pending(l), LAPIC_NO_VECTOR);
	KUNIT_EXPECT_EQ(test, l->timer_expiry, TEST_NOW + 2 * period);
	wr_at(l, APIC_LVTT, APIC_LVT_TIMER_PERIODIC | 0x41, TEST_NOW + period + 1);
	KUNIT_EXPECT_TRUE(test, timer_expired(l, TEST_NOW + 2 * period));

	/* an expiry before the guest masks it counts, even if found later */
	wr_at(l, APIC_LVTT, APIC_LVT_MASKED | 0x41, TEST_NOW + 3 * period);
	lapic_acknowledge(l, 0x41);
	wr(l, APIC_EOI, 0);
	wr_at(l, APIC_LVTT, 0x41, TEST_NOW);
	wr_at(l, APIC_TMICT, 10, TEST_NOW);
	wr_at(l, APIC_LVTT, APIC_LVT_MASKED | 0x41, TEST_NOW + period);
	KUNIT_EXPECT_TRUE(test, in_irr(l, 0x41));
}

static void timer_mode_changes(struct kunit *test)
{
	struct mvm_lapic_state *l = start(test, LAPIC_XAPIC);
	struct lapic_effect effect;

	/* one-shot and periodic share the running count */
	wr(l, APIC_LVTT, 0x41);
	wr(l, APIC_TMICT, 100);
	wr_at(l, APIC_LVTT, APIC_LVT_TIMER_PERIODIC | 0x41, TEST_NOW + 10);
	KUNIT_EXPECT_EQ(test, l->timer_expiry, TEST_NOW + 100 * TEST_RATIO);
	/* to deadline mode and back: disarmed (SDM 3A 11.5.4.1) */
	KUNIT_EXPECT_TRUE(test, wr(l, APIC_LVTT, APIC_LVT_TIMER_TSCDEADLINE |
					0x41).timer_changed);
	KUNIT_EXPECT_EQ(test, lapic_timer_remaining(l, TEST_NOW), LAPIC_NEVER);
	deadline_write(l, TEST_NOW + 5, TEST_NOW, &effect);
	wr(l, APIC_LVTT, 0x41);
	KUNIT_EXPECT_EQ(test, lapic_timer_remaining(l, TEST_NOW), LAPIC_NEVER);
	KUNIT_EXPECT_EQ(test, deadline_read(l, TEST_NOW), 0);
	wr(l, APIC_LVTT, APIC_LVT_TIMER_TSCDEADLINE | 0x41);
	KUNIT_EXPECT_EQ(test, deadline_read(l, TEST_NOW), 0);
	/* the reserved mode never expires */
	deadline_write(l, TEST_NOW + 5, TEST_NOW, &effect);
	wr(l, APIC_LVTT, 0x60041);
	KUNIT_EXPECT_EQ(test, lapic_timer_remaining(l, TEST_NOW), LAPIC_NEVER);
	wr(l, APIC_TMICT, 10);
	deadline_write(l, TEST_NOW + 5, TEST_NOW, &effect);
	KUNIT_EXPECT_EQ(test, lapic_timer_remaining(l, TEST_NOW), LAPIC_NEVER);
	/* changing only vector or mask leaves a deadline alone */
	wr(l, APIC_LVTT, APIC_LVT_TIMER_TSCDEADLINE | 0x41);
	deadline_write(l, TEST_NOW + 5, TEST_NOW, &effect);
	wr(l, APIC_LVTT, APIC_LVT_TIMER_TSCDEADLINE | 0x42);
	KUNIT_EXPECT_TRUE(test, timer_expired(l, TEST_NOW + 5));
	KUNIT_EXPECT_EQ(test, deliver(l), 0x42);
}

static void timer_divider_changes(struct kunit *test)
{
	struct mvm_lapic_state *l = start(test, LAPIC_XAPIC);
	u64 now = TEST_NOW + 40 * TEST_RATIO;

	wr(l, APIC_LVTT, APIC_LVT_TIMER_PERIODIC | 0x41);
	wr(l, APIC_TMICT, 100);
	KUNIT_EXPECT_TRUE(test, wr_at(l, APIC_TDCR, 0x1, now).timer_changed);
	KUNIT_EXPECT_EQ(test, rd_at(l, APIC_TMCCT, now), 60);
	KUNIT_EXPECT_EQ(test, l->timer_expiry, now + 60 * 4 * TEST_RATIO);
	KUNIT_EXPECT_TRUE(test, timer_expired(l, l->timer_expiry));
	KUNIT_EXPECT_EQ(test, l->timer_expiry, now + 160 * 4 * TEST_RATIO);
	/* a stopped timer stays stopped */
	wr(l, APIC_TMICT, 0);
	wr(l, APIC_TDCR, 0x2);
	KUNIT_EXPECT_EQ(test, lapic_timer_remaining(l, now), LAPIC_NEVER);
}

static void timer_deadline(struct kunit *test)
{
	struct mvm_lapic_state *l = start(test, LAPIC_X2APIC);
	struct lapic_effect effect;
	u64 data;

	/* other modes ignore it */
	deadline_write(l, TEST_NOW + 10, TEST_NOW, &effect);
	KUNIT_EXPECT_FALSE(test, effect.timer_changed);
	KUNIT_EXPECT_EQ(test, deadline_read(l, TEST_NOW), 0);
	KUNIT_EXPECT_EQ(test, lapic_timer_remaining(l, TEST_NOW), LAPIC_NEVER);

	KUNIT_EXPECT_EQ(test, 0, msr_write(l, 0x832, 0x40043, TEST_NOW, &effect));
	deadline_write(l, TEST_NOW + 10, TEST_NOW, &effect);
	KUNIT_EXPECT_TRUE(test, effect.timer_changed);
	KUNIT_EXPECT_EQ(test, lapic_timer_remaining(l, TEST_NOW), 10);
	KUNIT_EXPECT_EQ(test, deadline_read(l, TEST_NOW), TEST_NOW + 10);
	/* the counter is out of use */
	KUNIT_EXPECT_EQ(test, 0, msr_write(l, 0x838, 77, TEST_NOW, &effect));
	KUNIT_EXPECT_EQ(test, 0, lapic_msr_read(l, 0x838, TEST_NOW, &data));
	KUNIT_EXPECT_EQ(test, data, 0);
	KUNIT_EXPECT_EQ(test, 0, lapic_msr_read(l, 0x839, TEST_NOW, &data));
	KUNIT_EXPECT_EQ(test, data, 0);
	KUNIT_EXPECT_EQ(test, lapic_timer_remaining(l, TEST_NOW), 10);

	KUNIT_EXPECT_FALSE(test, timer_expired(l, TEST_NOW + 9));
	KUNIT_EXPECT_EQ(test, deadline_read(l, TEST_NOW + 9), TEST_NOW + 10);
	KUNIT_EXPECT_EQ(test, deadline_read(l, TEST_NOW + 10), 0);
	KUNIT_EXPECT_EQ(test, deliver(l), 0x43);
	KUNIT_EXPECT_EQ(test, deadline_read(l, 0), 0);
	KUNIT_EXPECT_EQ(test, lapic_timer_remaining(l, 0), LAPIC_NEVER);

	/* in the past: at once; 0: disarmed; the end of time: never in practice */
	deadline_write(l, 1, TEST_NOW, &effect);
	KUNIT_EXPECT_EQ(test, lapic_timer_remaining(l, TEST_NOW), LAPIC_NEVER);
	KUNIT_EXPECT_TRUE(test, in_irr(l, 0x43));
	deadline_write(l, TEST_NOW + 10, TEST_NOW, &effect);
	deadline_write(l, 0, TEST_NOW, &effect);
	KUNIT_EXPECT_TRUE(test, effect.timer_changed);
	KUNIT_EXPECT_EQ(test, lapic_timer_remaining(l, TEST_NOW), LAPIC_NEVER);
	deadline_write(l, ~0ULL, TEST_NOW, &effect);
	KUNIT_EXPECT_FALSE(test, timer_expired(l, TEST_NOW));
	KUNIT_EXPECT_EQ(test, lapic_timer_remaining(l, TEST_NOW), ~0ULL - TEST_NOW);
}

static void timer_survives_tsc_jumps(struct kunit *test)
{
	struct mvm_lapic_state *l = start(test, LAPIC_XAPIC);
	struct lapic_effect effect;

	/* across the wrap-around of the TSC */
	wr(l, APIC_LVTT, 0x41);
	wr_at(l, APIC_TMICT, 100, ~0ULL - 9);
	KUNIT_EXPECT_EQ(test, lapic_timer_remaining(l, ~0ULL - 9), 100 * TEST_RATIO);
	KUNIT_EXPECT_FALSE(test, timer_expired(l, ~0ULL));
	KUNIT_EXPECT_FALSE(test, timer_expired(l, 100 * TEST_RATIO - 11));
	KUNIT_EXPECT_TRUE(test, timer_expired(l, 100 * TEST_RATIO - 10));
	/* an expiry at TSC 0 is not "never" */
	wr_at(l, APIC_TMICT, 1, -(u64)TEST_RATIO);
	KUNIT_EXPECT_NE(test, lapic_timer_remaining(l, -(u64)TEST_RATIO), LAPIC_NEVER);

	wr(l, APIC_TMICT, 100);
	lapic_timer_shift(l, -(s64)TEST_NOW);
	KUNIT_EXPECT_EQ(test, lapic_timer_remaining(l, 0), 100 * TEST_RATIO);
	lapic_timer_shift(l, 12345);
	KUNIT_EXPECT_EQ(test, lapic_timer_remaining(l, 12345), 100 * TEST_RATIO);

	wr(l, APIC_LVTT, APIC_LVT_TIMER_TSCDEADLINE | 0x41);
	lapic_timer_shift(l, 7);
	KUNIT_EXPECT_EQ(test, lapic_timer_remaining(l, 7), LAPIC_NEVER);
	deadline_write(l, 500, 100, &effect);
	lapic_timer_shift(l, 300);
	KUNIT_EXPECT_NE(test, l->timer_armed, l->timer_expiry);
	KUNIT_EXPECT_EQ(test, lapic_timer_remaining(l, 400), 100);
	KUNIT_EXPECT_EQ(test, deadline_read(l, 400), 500);
}

/* ------------------------------------------------------------------------
 * Messages
 */

static void ipi_of_xapic(struct kunit *test)
{
	struct mvm_lapic_state *l = start(test, LAPIC_XAPIC);
	struct lapic_effect effect;
	struct lapic_message m;

	KUNIT_EXPECT_FALSE(test, wr(l, APIC_ICR2, 0x05ffffff).ipi);
	KUNIT_EXPECT_EQ(test, rd(l, APIC_ICR2), 0x05000000);
	effect = wr(l, APIC_ICR, APIC_DEST_LOGICAL | APIC_DM_LOWEST | 0x71);
	KUNIT_EXPECT_TRUE(test, effect.ipi);
	KUNIT_EXPECT_EQ(test, effect.icr, 0x500000971ULL);
	KUNIT_EXPECT_EQ(test, rd(l, APIC_ICR), 0x971);
	m = effect.message;
	KUNIT_EXPECT_EQ(test, m.shorthand, LAPIC_TO_DEST);
	KUNIT_EXPECT_EQ(test, m.mode, LAPIC_LOWEST);
	KUNIT_EXPECT_TRUE(test, m.logical);
	KUNIT_EXPECT_TRUE(test, m.one);
	KUNIT_EXPECT_EQ(test, m.vector, 0x71);
	KUNIT_EXPECT_EQ(test, m.dest, 5);

	/* broadcast in the layout of x2APIC; the register keeps its own */
	wr(l, APIC_ICR2, 0xff000000);
	effect = wr(l, APIC_ICR, APIC_DM_NMI);
	KUNIT_EXPECT_EQ(test, effect.icr, 0xffffffff00000400ULL);
	KUNIT_EXPECT_EQ(test, rd(l, APIC_ICR2), 0xff000000);
	m = effect.message;
	KUNIT_EXPECT_EQ(test, m.dest, LAPIC_BROADCAST);
	KUNIT_EXPECT_FALSE(test, m.one);
	/* the destination stays for the next command */
	KUNIT_EXPECT_EQ(test, wr(l, APIC_ICR, 0x55).icr, 0xffffffff00000055ULL);
}

static void ipi_of_x2apic(struct kunit *test)
{
	struct mvm_lapic_state *l = start(test, LAPIC_X2APIC);
	struct lapic_effect effect;
	u64 data;

	KUNIT_EXPECT_EQ(test, 0, msr_write(l, 0x830, 0xff00001055ULL,
						 TEST_NOW, &effect));
	KUNIT_EXPECT_TRUE(test, effect.ipi);
	KUNIT_EXPECT_EQ(test, effect.icr, 0xff00000055ULL);
	KUNIT_EXPECT_EQ(test, 0, lapic_msr_read(l, 0x830, TEST_NOW, &data));
	KUNIT_EXPECT_EQ(test, data, 0xff00000055ULL);
	KUNIT_EXPECT_EQ(test, 0, msr_write(l, 0x830, 0xffffffff000c4055ULL,
						 TEST_NOW, &effect));
	KUNIT_EXPECT_EQ(test, effect.icr, 0xffffffff000c4055ULL);
}

/* SDM 3A table 11-3: which shorthand goes with which delivery mode */
static void ipi_combinations(struct kunit *test)
{
	static const bool legal[4][8] = {
		[LAPIC_TO_DEST] = { 1, 1, 1, 0, 1, 1, 1, 0 },
		[LAPIC_TO_SELF] = { 1, 0, 0, 0, 0, 0, 0, 0 },
		[LAPIC_TO_ALL] = { 1, 0, 0, 0, 0, 0, 0, 0 },
		[LAPIC_TO_OTHERS] = { 1, 1, 1, 0, 1, 1, 1, 0 },
	};
	struct mvm_lapic_state *l;
	struct lapic_effect effect;
	struct lapic_message m;
	u32 shorthand, mode, icr;

	for (shorthand = 0; shorthand < 4; shorthand++) {
		for (mode = 0; mode < 8; mode++) {
			bool ok = legal[shorthand][mode];

			l = start(test, LAPIC_XAPIC);
			icr = shorthand << 18 | mode << 8 | 0x4000 | 0x9a;
			effect = wr(l, APIC_ICR, icr);
			KUNIT_EXPECT_EQ_MSG(test, effect.ipi, ok, "ICR %#x", icr);
			KUNIT_EXPECT_FALSE(test, in_irr(l, 0x9a));
			KUNIT_EXPECT_EQ(test, esr(l), 0);
			if (!effect.ipi)
				continue;
			KUNIT_EXPECT_EQ(test, effect.icr, icr);
			m = effect.message;
			KUNIT_EXPECT_EQ(test, m.shorthand, shorthand);
			KUNIT_EXPECT_EQ(test, m.mode, mode);
			KUNIT_EXPECT_FALSE(test, m.logical);
		}
	}
	/* level trigger is overridden; INIT level de-assert does nothing */
	l = start(test, LAPIC_XAPIC);
	KUNIT_EXPECT_EQ(test, wr(l, APIC_ICR, 0xc055).icr, 0x4055);
	KUNIT_EXPECT_FALSE(test, wr(l, APIC_ICR, 0x48055).message.level);
	KUNIT_EXPECT_EQ(test, rd(l, APIC_TMR + 0x20), 0);
	KUNIT_EXPECT_FALSE(test, wr(l, APIC_ICR, 0x8500).ipi);
	KUNIT_EXPECT_FALSE(test, wr(l, APIC_ICR, 0xc8500).ipi);
	KUNIT_EXPECT_TRUE(test, wr(l, APIC_ICR, 0xc500).ipi);
	KUNIT_EXPECT_TRUE(test, wr(l, APIC_ICR, 0x0500).ipi);
	/* SIPI vectors are page numbers, any is legal */
	KUNIT_EXPECT_TRUE(test, wr(l, APIC_ICR, 0x4601).ipi);
	KUNIT_EXPECT_EQ(test, esr(l), 0);
}

static void self_ipi(struct kunit *test)
{
	struct mvm_lapic_state *l = start(test, LAPIC_X2APIC);
	struct lapic_effect effect;
	u64 data;

	KUNIT_EXPECT_EQ(test, 0, msr_write(l, 0x83f, 0x88, 0, &effect));
	KUNIT_EXPECT_FALSE(test, effect.ipi);
	KUNIT_EXPECT_EQ(test, deliver(l), 0x88);
	KUNIT_EXPECT_EQ(test, 0, lapic_msr_read(l, 0x830, 0, &data));
	KUNIT_EXPECT_EQ(test, data, 0);
	KUNIT_EXPECT_EQ(test, 0, msr_write(l, 0x83f, 0x0f, 0, &effect));
	KUNIT_EXPECT_EQ(test, l->esr_pending, APIC_ESR_SENDILL | APIC_ESR_RECVILL);
	/* by the ICR it is a message like others */
	KUNIT_EXPECT_EQ(test, 0, msr_write(l, 0x830, 0x40099, 0, &effect));
	KUNIT_EXPECT_TRUE(test, effect.ipi);
	KUNIT_EXPECT_EQ(test, effect.message.shorthand, LAPIC_TO_SELF);
	KUNIT_EXPECT_EQ(test, deliver(l), LAPIC_NO_VECTOR);
}

/* SDM 3A 11.4.7.3: INIT leaves nothing but ID and mode */
static void init_resets_registers(struct kunit *test)
{
	static const enum lapic_mode modes[] = { LAPIC_XAPIC, LAPIC_X2APIC };
	struct mvm_lapic_state *l;
	u64 base;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		l = start(test, modes[i]);
		base = l->base;
		lapic_accept(l, 0x51, true);
		lapic_acknowledge(l, 0x51);
		lapic_accept(l, 0x61, false);
		*lapic_reg(l, APIC_TASKPRI) = 0x20;
		*lapic_reg(l, APIC_LVTT) = 0x61;
		l->timer_expiry = TEST_NOW;
		l->esr_pending = APIC_ESR_SENDILL;
		lapic_init(l);
		KUNIT_EXPECT_EQ(test, l->base, base);
		KUNIT_EXPECT_EQ(test, l->id, TEST_ID);
		KUNIT_EXPECT_FALSE(test, lapic_software_enabled(l));
		KUNIT_EXPECT_FALSE(test, in_irr(l, 0x61));
		KUNIT_EXPECT_EQ(test, lapic_pending(l), LAPIC_NO_VECTOR);
		KUNIT_EXPECT_EQ(test, lapic_cr8(l), 0);
		KUNIT_EXPECT_EQ(test, *lapic_reg(l, APIC_LVTT), APIC_LVT_MASKED);
		KUNIT_EXPECT_EQ(test, *lapic_reg(l, APIC_SPIV), 0xff);
		KUNIT_EXPECT_EQ(test, *lapic_reg(l, APIC_DFR), ~0U);
		KUNIT_EXPECT_EQ(test, l->esr_pending, 0);
		KUNIT_EXPECT_EQ(test, lapic_timer_remaining(l, TEST_NOW), LAPIC_NEVER);
	}
}

/* What comes before the vCPU looks: INIT undoes, of SIPIs the first counts */
static void startup_joins(struct kunit *test)
{
	const u32 init = LAPIC_POSTED_INIT, sipi = LAPIC_POSTED_SIPI;

	KUNIT_EXPECT_EQ(test, lapic_post_startup(0, LAPIC_INIT, 0x33), init);
	KUNIT_EXPECT_EQ(test, lapic_post_startup(0, LAPIC_SIPI, 0x12), sipi | 0x12);
	KUNIT_EXPECT_EQ(test, lapic_post_startup(0, LAPIC_SIPI, 0), sipi);
	KUNIT_EXPECT_EQ(test, lapic_post_startup(init, LAPIC_SIPI, 0xff), init | sipi | 0xff);
	KUNIT_EXPECT_EQ(test, lapic_post_startup(init | sipi | 0x12, LAPIC_SIPI, 0x21),
			init | sipi | 0x12);
	KUNIT_EXPECT_EQ(test, lapic_post_startup(init | sipi | 0x12, LAPIC_INIT, 0), init);
	KUNIT_EXPECT_EQ(test, lapic_post_startup(sipi | 0x12, LAPIC_INIT, 0), init);
}

static void startup_takes(struct kunit *test)
{
	const u32 init = LAPIC_POSTED_INIT, sipi = LAPIC_POSTED_SIPI | 0x9a;
	enum { ACTIVE = 0, HLT = 1, WAIT = 3 };		/* SDM 3C 25.4.2 */
	static const struct {
		bool bsp;
		u8 before, after;
		u32 posted, effect;
	} rows[] = {
		/* an application processor: whatever it did, it waits */
		{ false, ACTIVE, WAIT, init, init },
		{ false, HLT, WAIT, init, init },
		{ false, WAIT, WAIT, init, init },
		{ false, ACTIVE, ACTIVE, init | sipi, init | sipi },
		{ false, WAIT, ACTIVE, init | sipi, init | sipi },
		/* a SIPI alone starts only one that waits */
		{ false, WAIT, ACTIVE, sipi, sipi },
		{ false, ACTIVE, ACTIVE, sipi, 0 },
		{ false, HLT, HLT, sipi, 0 },
		{ false, WAIT, WAIT, 0, 0 },
		/* the bootstrap processor waits for nobody */
		{ true, ACTIVE, ACTIVE, init, init },
		{ true, HLT, ACTIVE, init, init },
		{ true, ACTIVE, ACTIVE, init | sipi, init },
		{ true, HLT, HLT, sipi, 0 },
		{ true, WAIT, ACTIVE, sipi, sipi },
		{ true, WAIT, ACTIVE, init, init },
	};
	struct mvm_lapic_state *l;
	u32 i, effect;
	u8 activity;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		l = start(test, LAPIC_X2APIC);
		l->base |= rows[i].bsp ? MSR_IA32_APICBASE_BSP : 0;
		activity = rows[i].before;
		effect = lapic_take_startup(l, rows[i].posted, &activity);
		/* the vector of a SIPI without an effect does not matter */
		if (!(effect & LAPIC_POSTED_SIPI))
			effect &= ~0xffU;
		KUNIT_EXPECT_EQ_MSG(test, effect, rows[i].effect, "row %u", i);
		KUNIT_EXPECT_EQ_MSG(test, activity, rows[i].after, "row %u", i);
		KUNIT_EXPECT_EQ_MSG(test, lapic_software_enabled(l), !(rows[i].posted & init),
				    "row %u", i);
	}
}

static void destinations(struct kunit *test)
{
	static const struct {
		enum lapic_mode mode;
		u32 ldr, dfr, dest;
		bool logical, match;
	} cases[] = {
		{ LAPIC_XAPIC, 0, ~0U, TEST_ID, false, true },
		{ LAPIC_XAPIC, 0, ~0U, TEST_ID + 1, false, false },
		{ LAPIC_XAPIC, 0, ~0U, TEST_ID | 0x100, false, false },
		{ LAPIC_XAPIC, 0, ~0U, 0xff, false, false },
		{ LAPIC_XAPIC, 0, ~0U, LAPIC_BROADCAST, false, true },
		{ LAPIC_XAPIC, 0, ~0U, LAPIC_BROADCAST, true, true },
		/* flat */
		{ LAPIC_XAPIC, 0x04, ~0U, 0x04, true, true },
		{ LAPIC_XAPIC, 0x04, ~0U, 0xff, true, true },
		{ LAPIC_XAPIC, 0x04, ~0U, 0xfb, true, false },
		{ LAPIC_XAPIC, 0x0c, ~0U, 0x08, true, true },
		{ LAPIC_XAPIC, 0x00, ~0U, 0x0f, true, false },
		{ LAPIC_XAPIC, 0x04, ~0U, 0x104, true, false },
		{ LAPIC_XAPIC, 0x04, ~0U, 0, true, false },
		/* cluster */
		{ LAPIC_XAPIC, 0x24, 0, 0x24, true, true },
		{ LAPIC_XAPIC, 0x24, 0, 0x2f, true, true },
		{ LAPIC_XAPIC, 0x24, 0, 0x2b, true, false },
		{ LAPIC_XAPIC, 0x24, 0, 0x34, true, false },
		{ LAPIC_XAPIC, 0x24, 0, 0x20, true, false },
		{ LAPIC_XAPIC, 0x24, 0, 0x124, true, false },
		/* neither */
		{ LAPIC_XAPIC, 0x24, 0x70000000, 0x24, true, false },
		/* x2APIC: the logical ID follows from the ID, LDR is ignored */
		{ LAPIC_X2APIC, 0xff, ~0U, TEST_ID, false, true },
		{ LAPIC_X2APIC, 0xff, ~0U, 0xff, false, false },
		{ LAPIC_X2APIC, 0xff, ~0U, LAPIC_BROADCAST, false, true },
		{ LAPIC_X2APIC, 0xff, ~0U, LAPIC_BROADCAST, true, true },
		{ LAPIC_X2APIC, 0xff, ~0U, 0x20008, true, true },
		{ LAPIC_X2APIC, 0xff, ~0U, 0x2ffff, true, true },
		{ LAPIC_X2APIC, 0xff, ~0U, 0x2fff7, true, false },
		{ LAPIC_X2APIC, 0xff, ~0U, 0x30008, true, false },
		{ LAPIC_X2APIC, 0xff, ~0U, 0x00008, true, false },
		{ LAPIC_X2APIC, 0xff, ~0U, 0x20000, true, false },
		{ LAPIC_DISABLED, 0, 0, TEST_ID, false, false },
		{ LAPIC_DISABLED, 0, 0, LAPIC_BROADCAST, false, false },
	};
	struct mvm_lapic_state *l;
	struct lapic_effect effect;
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		l = start(test, cases[i].mode ? LAPIC_XAPIC : LAPIC_DISABLED);
		wr(l, APIC_LDR, cases[i].ldr << 24);
		wr(l, APIC_DFR, cases[i].dfr);
		if (cases[i].mode == LAPIC_X2APIC)
			KUNIT_EXPECT_EQ(test, 0, set_base(l, BASE | X2APIC,
								true, true,
								TEST_BITS, &effect));
		KUNIT_EXPECT_EQ_MSG(test, lapic_matches(l, cases[i].dest,
							cases[i].logical),
				    cases[i].match, "case %d", i);
	}
}

static void message_signalled_interrupts(struct kunit *test)
{
	struct lapic_message m;

	KUNIT_EXPECT_EQ(test, 0, lapic_decode_msi(0xfee23000, 0x4051, &m));
	KUNIT_EXPECT_EQ(test, m.shorthand, LAPIC_TO_DEST);
	KUNIT_EXPECT_EQ(test, m.mode, LAPIC_FIXED);
	KUNIT_EXPECT_FALSE(test, m.logical || m.one || m.level);
	KUNIT_EXPECT_EQ(test, m.vector, 0x51);
	KUNIT_EXPECT_EQ(test, m.dest, 0x23);

	KUNIT_EXPECT_EQ(test, 0, lapic_decode_msi(0xfeeff00c, 0xc151, &m));
	KUNIT_EXPECT_EQ(test, m.mode, LAPIC_LOWEST);
	KUNIT_EXPECT_TRUE(test, m.logical && m.one && m.level);
	KUNIT_EXPECT_EQ(test, m.dest, LAPIC_BROADCAST);
	/* logical without, and one of several with the redirection hint */
	KUNIT_EXPECT_EQ(test, 0, lapic_decode_msi(0xfee03004, 0x51, &m));
	KUNIT_EXPECT_TRUE(test, m.logical && !m.one);
	KUNIT_EXPECT_EQ(test, 0, lapic_decode_msi(0xfee03008, 0x51, &m));
	KUNIT_EXPECT_TRUE(test, !m.logical && m.one);
	KUNIT_EXPECT_EQ(test, 0, lapic_decode_msi(0xfee00000, 0x400, &m));
	KUNIT_EXPECT_EQ(test, m.mode, LAPIC_NMI);

	KUNIT_EXPECT_NE(test, 0, lapic_decode_msi(0xfed00000, 0x51, &m));
	KUNIT_EXPECT_NE(test, 0, lapic_decode_msi(0xfef00000, 0x51, &m));
	KUNIT_EXPECT_NE(test, 0, lapic_decode_msi(0x1fee00000, 0x51, &m));
	KUNIT_EXPECT_NE(test, 0, lapic_decode_msi(0xfee00010, 0x51, &m));
	KUNIT_EXPECT_NE(test, 0, lapic_decode_msi(0xfee00800, 0x51, &m));
	KUNIT_EXPECT_NE(test, 0, lapic_decode_msi(0xfee00000, 0x0f, &m));
	KUNIT_EXPECT_NE(test, 0, lapic_decode_msi(0xfee00000, 0x10f, &m));
	KUNIT_EXPECT_NE(test, 0, lapic_decode_msi(0xfee00000, 0x251, &m));
	KUNIT_EXPECT_NE(test, 0, lapic_decode_msi(0xfee00000, 0x351, &m));
	KUNIT_EXPECT_NE(test, 0, lapic_decode_msi(0xfee00000, 0x551, &m));
	KUNIT_EXPECT_NE(test, 0, lapic_decode_msi(0xfee00000, 0x651, &m));
	KUNIT_EXPECT_NE(test, 0, lapic_decode_msi(0xfee00000, 0x751, &m));
}

/* ------------------------------------------------------------------------
 * APIC virtualization: what the CPU is told, and what it has written
 */

/* IRR, ISR and TMR: bit and word of each vector are where the CPU looks (SDM 3A 11.8.4). */
static void vectors_are_where_the_cpu_looks(struct kunit *test)
{
	struct mvm_lapic_state *l = start(test, LAPIC_X2APIC);
	int vector;
	u8 *page = (u8 *)l->page;

	for (vector = 16; vector < 256; vector++) {
		int byte = vector / 32 * 16 + vector % 32 / 8;
		u8 bit = BIT(vector % 8);

		lapic_accept(l, vector, true);
		KUNIT_ASSERT_EQ(test, page[0x200 + byte], bit);
		KUNIT_ASSERT_EQ(test, page[0x180 + byte] & bit, bit);
		KUNIT_ASSERT_EQ(test, page[0x100 + byte], 0);
		KUNIT_ASSERT_EQ(test, lapic_status(l), vector);
		KUNIT_ASSERT_EQ(test, lapic_level_vectors(l, vector / 64) >> vector % 64, 1ULL);
		KUNIT_ASSERT_EQ(test, deliver(l), vector);
		KUNIT_ASSERT_EQ(test, page[0x200 + byte], 0);
		KUNIT_ASSERT_EQ(test, page[0x100 + byte], bit);
		KUNIT_ASSERT_EQ(test, lapic_status(l), vector << 8);
		lapic_msr_write(l, MSR(APIC_EOI), 0, TEST_NOW);
		KUNIT_ASSERT_EQ(test, page[0x100 + byte], 0);
		KUNIT_ASSERT_EQ(test, lapic_status(l), 0);
		lapic_accept(l, vector, false);
		KUNIT_ASSERT_EQ(test, page[0x180 + byte] & bit, 0);
		KUNIT_ASSERT_EQ(test, lapic_level_vectors(l, vector / 64), 0ULL);
		deliver(l);
		lapic_msr_write(l, MSR(APIC_EOI), 0, TEST_NOW);
	}
}

/* SDM 3C 30.1.2: an exit when the task priority no longer holds the interrupt back. */
static void tpr_threshold(struct kunit *test)
{
	static const struct {
		u8 irr, isr, tpr, threshold;
	} cases[] = {
		{ 0, 0, 0xf0, 0 }, { 0x51, 0, 0, 0 }, { 0x51, 0, 0x4f, 0 },
		{ 0x51, 0, 0x50, 5 }, { 0x51, 0, 0x5f, 5 }, { 0x51, 0, 0xff, 5 },
		{ 0x10, 0, 0x10, 1 }, { 0xff, 0, 0xf0, 15 },
		/* another in service holds it back, too, till its EOI */
		{ 0x51, 0x50, 0xf0, 0 }, { 0x51, 0x61, 0xf0, 0 }, { 0x51, 0x4f, 0xf0, 5 },
	};
	struct mvm_lapic_state *l = start(test, LAPIC_XAPIC);
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		wr(l, APIC_TASKPRI, 0);
		if (cases[i].isr) {
			lapic_accept(l, cases[i].isr, false);
			deliver(l);
		}
		if (cases[i].irr)
			lapic_accept(l, cases[i].irr, false);
		wr(l, APIC_TASKPRI, cases[i].tpr);
		KUNIT_EXPECT_EQ_MSG(test, lapic_tpr_threshold(l), cases[i].threshold, "case %d", i);
		/* one below the threshold it is delivered, at the threshold it is not */
		if (cases[i].threshold) {
			wr(l, APIC_TASKPRI, cases[i].threshold << 4);
			KUNIT_EXPECT_LT(test, lapic_pending(l), 0);
			wr(l, APIC_TASKPRI, (cases[i].threshold - 1) << 4);
			KUNIT_EXPECT_EQ(test, lapic_pending(l), cases[i].irr);
		}
		wr(l, APIC_TASKPRI, 0);
		while (!is_idle(l)) {
			deliver(l);
			wr(l, APIC_EOI, 0);
		}
	}
}

/* Write like a CPU with APIC-register virtualization: the page first. */
static void cpu_writes(struct mvm_lapic_state *l, u32 offset, u32 value, u64 now)
{
	*lapic_reg(l, offset) = value;
	lapic_written(l, offset, now);
}

/* Whatever the guest writes: by the CPU and by us it comes to the same. */
static void writes_of_the_cpu_are_writes(struct kunit *test)
{
	static const u16 offsets[] = {
		0x080, 0x0d0, 0x0e0, 0x0f0, 0x280, 0x300, 0x320, 0x330, 0x340, 0x350,
		0x360, 0x370, 0x380, 0x3e0,
	};
	struct mvm_lapic_state *l = start(test, LAPIC_XAPIC), *other = start(test, LAPIC_XAPIC);
	struct lapic_effect effect;
	struct rnd_state rnd;
	u64 now = TEST_NOW;
	int i, offset;

	prandom_seed_state(&rnd, 4);
	for (i = 0; i < 20000; i++) {
		u32 value = prandom_u32_state(&rnd) >> prandom_u32_state(&rnd) % 32;
		u32 at = offsets[prandom_u32_state(&rnd) % ARRAY_SIZE(offsets)];

		/* mostly enabled, and the timer not masked */
		if (at == 0x0f0 && i % 8)
			value |= 0x100;
		if (at == 0x320 && i % 2)
			value &= ~0x10000;
		now += prandom_u32_state(&rnd) % 1000;
		effect = wr_at(l, at, value, now);
		take_effect(other);
		cpu_writes(other, at, value, now);
		KUNIT_ASSERT_EQ_MSG(test, l->timer_expiry, other->timer_expiry, "%#x to %#x", at,
				    value);
		KUNIT_ASSERT_EQ(test, effect.icr, other->ipi_icr);
		for (offset = 0; offset < 0x400; offset += 16)
			KUNIT_ASSERT_EQ_MSG(test, *lapic_reg(l, offset), *lapic_reg(other, offset),
					    "%#x after %#x to %#x", offset, at, value);
	}
	/* the ID is not for the guest to change */
	cpu_writes(other, APIC_ID, 0xff000000, now);
	KUNIT_EXPECT_EQ(test, rd(other, APIC_ID), TEST_ID << 24);
	/* a self-IPI whose vector is none */
	l = start(test, LAPIC_X2APIC);
	cpu_writes(l, APIC_SELF_IPI, 0x0f, now);
	msr_write(l, MSR(APIC_ESR), 0, now, &(struct lapic_effect){});
	KUNIT_EXPECT_EQ(test, *lapic_reg(l, APIC_ESR), 0x60);
}

/* The quick way does what the long way does, or nothing. */
static void quick_writes_are_writes(struct kunit *test)
{
	static const u64 values[] = { 0, 1, 15, 16, 0x31, 0x52, 0xff, 0x100, 1ULL << 32 | 0x31 };
	struct mvm_lapic_state *l = start(test, LAPIC_X2APIC), *other = start(test, LAPIC_X2APIC);
	unsigned int done[2] = { 0 }, refused = 0;
	struct rnd_state rnd;
	int i, vector;

	prandom_seed_state(&rnd, 5);
	for (i = 0; i < 20000; i++) {
		u32 index = MSR(i % 4 == 3 ? prandom_u32_state(&rnd) % 0x40 << 4 :
				i & 1 ? APIC_EOI : APIC_SELF_IPI);
		u64 value = i % 3 ? 0x10 + prandom_u32_state(&rnd) % 0xf0 :
				    values[prandom_u32_state(&rnd) % ARRAY_SIZE(values)];

		if (index == MSR(APIC_EOI) && i % 5)
			value = 0;
		l->changed = false;
		l->eoi = 0;
		/* some are level triggered, and what is pending is taken into service */
		if (i % 5 == 0) {
			lapic_accept(l, 0x20 + i % 0xe0, i & 8);
			vector = lapic_pending(l);
			if (vector >= 0)
				lapic_acknowledge(l, vector);
		}
		*whole(other) = *whole(l);
		other->page = whole(other)->page;
		if (!lapic_msr_write_quick(l, index, value)) {
			refused += index == MSR(APIC_EOI);
			other->page = l->page;
			KUNIT_ASSERT_EQ(test, 0, memcmp(l, other, sizeof(*l)));
			other->page = whole(other)->page;
			KUNIT_ASSERT_EQ(test, 0, memcmp(l->page, other->page, LAPIC_PAGE_SIZE));
			continue;
		}
		done[index == MSR(APIC_EOI)]++;
		KUNIT_ASSERT_EQ(test, 0, lapic_msr_write(other, index, value, TEST_NOW));
		KUNIT_ASSERT_EQ(test, l->eoi, other->eoi);
		KUNIT_ASSERT_EQ(test, l->changed, other->changed);
		KUNIT_ASSERT_EQ(test, l->esr_pending, other->esr_pending);
		KUNIT_ASSERT_EQ_MSG(test, 0, memcmp(l->page, other->page, LAPIC_PAGE_SIZE),
				    "%#llx to %#x", value, index);
	}
	KUNIT_EXPECT_GT(test, done[0], 3000U);
	KUNIT_EXPECT_GT(test, done[1], 3000U);
	KUNIT_EXPECT_GT(test, refused, 300U);
	/* only in x2APIC mode are there such MSRs */
	l = start(test, LAPIC_XAPIC);
	KUNIT_EXPECT_FALSE(test, lapic_msr_write_quick(l, MSR(APIC_EOI), 0));
	KUNIT_EXPECT_FALSE(test, lapic_msr_write_quick(l, MSR(APIC_SELF_IPI), 0x31));
}

/* ------------------------------------------------------------------------
 * State
 */

/* Save @l, restore it into a fresh APIC, and compare. */
static void check_round_trip(struct kunit *test, struct mvm_lapic_state *l,
			     u64 now)
{
	struct mvm_lapic *saved = kunit_kzalloc(test, 2 * sizeof(*saved), GFP_KERNEL);
	struct mvm_lapic_state *copy = new_lapic(test);
	struct lapic_effect effect;

	KUNIT_ASSERT_NOT_NULL(test, saved);
	lapic_get_state(l, now, saved);
	lapic_reset(copy, l->id, l->base & BIT(8), l->timer_ratio, l->timer_min);
	KUNIT_ASSERT_EQ(test, 0, set_base(copy, l->base, false, true,
						TEST_BITS, &effect));
	KUNIT_ASSERT_EQ(test, 0, lapic_set_state(copy, saved, now));
	lapic_get_state(copy, now, saved + 1);
	KUNIT_EXPECT_EQ(test, 0, memcmp(saved, saved + 1, sizeof(*saved)));
	KUNIT_EXPECT_EQ(test, lapic_pending(copy), lapic_pending(l));
	KUNIT_EXPECT_EQ(test, *lapic_reg(copy, APIC_ICR), *lapic_reg(l, APIC_ICR));
	KUNIT_EXPECT_EQ(test, *lapic_reg(copy, APIC_ICR2), *lapic_reg(l, APIC_ICR2));
	KUNIT_EXPECT_EQ(test, deadline_read(copy, now), deadline_read(l, now));
	KUNIT_EXPECT_EQ(test, !copy->timer_expiry, !l->timer_expiry);
	kunit_kfree(test, saved);
	kunit_kfree(test, whole(copy));
}

static void state_round_trip(struct kunit *test)
{
	struct mvm_lapic_state *l = start(test, LAPIC_XAPIC);
	struct lapic_effect effect;

	lapic_accept(l, 0x31, true);
	lapic_accept(l, 0xa2, false);
	deliver(l);
	lapic_accept(l, 0xb0, false);
	wr(l, APIC_TASKPRI, 0x3c);
	wr(l, APIC_LDR, 0x02000000);
	wr(l, APIC_DFR, 0);
	wr(l, APIC_LVT0, APIC_DM_EXTINT);
	wr(l, APIC_LVT1, APIC_DM_NMI);
	wr(l, APIC_LVTERR, 0xfe);
	wr(l, APIC_ICR2, 0x07000000);
	wr(l, APIC_ICR, 0x4055);
	rd(l, 0);
	wr(l, APIC_ESR, 0);
	wr(l, APIC_LVTT, APIC_LVT_TIMER_PERIODIC | 0x44);
	wr(l, APIC_TMICT, 1000);
	check_round_trip(test, l, TEST_NOW + 100 * TEST_RATIO);
	check_round_trip(test, l, TEST_NOW + 1100 * TEST_RATIO);

	l = start(test, LAPIC_X2APIC);
	msr_write(l, 0x830, 0x1234567800004055ULL, TEST_NOW, &effect);
	msr_write(l, 0x832, 0x40044, TEST_NOW, &effect);
	deadline_write(l, TEST_NOW + 1000, TEST_NOW, &effect);
	check_round_trip(test, l, TEST_NOW + 100);
	KUNIT_EXPECT_EQ(test, l->timer_expiry, TEST_NOW + 1000);
	/* overdue: it expires first, so the interrupt is not lost */
	check_round_trip(test, l, TEST_NOW + 1000);
	KUNIT_EXPECT_EQ(test, l->timer_expiry, 0);
	KUNIT_EXPECT_TRUE(test, in_irr(l, 0x44));

	check_round_trip(test, start(test, LAPIC_DISABLED), TEST_NOW);
}

static void state_timer_goes_on(struct kunit *test)
{
	struct mvm_lapic_state *l = start(test, LAPIC_XAPIC);
	struct mvm_lapic *saved = kunit_kzalloc(test, sizeof(*saved), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, saved);
	wr(l, APIC_LVTT, 0x44);
	wr(l, APIC_TMICT, 1000);
	lapic_get_state(l, TEST_NOW + 400 * TEST_RATIO, saved);
	KUNIT_EXPECT_EQ(test, saved->regs[0x39], 600);
	KUNIT_EXPECT_EQ(test, 0, lapic_set_state(l, saved, 77));
	KUNIT_EXPECT_EQ(test, lapic_timer_remaining(l, 77), 600 * TEST_RATIO);
	KUNIT_EXPECT_TRUE(test, timer_expired(l, 77 + 600 * TEST_RATIO));
	KUNIT_EXPECT_EQ(test, deliver(l), 0x44);
}

/* A single change to a good state, and whether it is still good. */
static void state_validation(struct kunit *test)
{
	static const struct {
		u32 offset, value;
		bool ok;
	} cases[] = {
		{ 0x000, 1 }, { 0x010, 1 }, { 0x040, 1 }, { 0x070, 1 },
		{ 0x020, (TEST_ID + 1) << 24 }, { 0x020, TEST_ID },
		{ 0x030, 0x12345678, true },	/* not taken */
		{ 0x080, 0xff, true }, { 0x080, 0x100 },
		{ 0x090, 1 }, { 0x0b0, 1 }, { 0x0c0, 1 },
		{ 0x0a0, 0xf0, true },		/* not taken */
		{ 0x0d0, 0xff000000, true }, { 0x0d0, 0x01000001 },
		{ 0x0e0, 0x0fffffff, true }, { 0x0e0, 0xf0000000 },
		{ 0x0f0, 0x100, true }, { 0x0f0, 0x3ff }, { 0x0f0, 0x11ff },
		{ 0x0f0, 0xff },		/* LVT0 is not masked */
		{ 0x100, 0x10000, true }, { 0x100, 0x8000 },
		{ 0x180, 0x10000, true }, { 0x180, 0x8000 },
		{ 0x200, 0x10000, true }, { 0x200, 0x8000 },
		{ 0x110, ~0U, true }, { 0x1f0, ~0U, true }, { 0x270, ~0U, true },
		{ 0x280, 0xe0, true }, { 0x280, 0x01 }, { 0x280, 0x100 },
		{ 0x290, 1 }, { 0x2f0, 0x10000 },
		{ 0x300, 0xccfff, true }, { 0x300, 0x2000 }, { 0x300, 0x100000 },
		{ 0x310, 0xff000000, true }, { 0x310, 1 },
		{ 0x320, 0x10030, true }, { 0x320, 0x100 }, { 0x320, 0x80000 },
		{ 0x330, 0x800 }, { 0x340, 0x2000 }, { 0x350, 0x800 },
		{ 0x360, 0x20000 }, { 0x370, 0x100 },
		{ 0x380, 100, true }, { 0x390, 1 },
		{ 0x3e0, 0xb, true }, { 0x3e0, 4 }, { 0x3f0, 1 },
	};
	struct mvm_lapic_state *l = start(test, LAPIC_XAPIC);
	struct mvm_lapic *in = kunit_kzalloc(test, sizeof(*in), GFP_KERNEL);
	struct whole *before = kunit_kzalloc(test, sizeof(*before), GFP_KERNEL);
	int i, err;

	KUNIT_ASSERT_NOT_NULL(test, in);
	KUNIT_ASSERT_NOT_NULL(test, before);
	wr(l, APIC_LVT0, APIC_DM_EXTINT);
	*before = *whole(l);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		*whole(l) = *before;
		lapic_get_state(l, TEST_NOW, in);
		in->regs[cases[i].offset >> 4] = cases[i].value;
		err = lapic_set_state(l, in, TEST_NOW);
		KUNIT_EXPECT_EQ_MSG(test, !err, cases[i].ok, "%#x to %#x",
				    cases[i].offset, cases[i].value);
		if (err)
			KUNIT_EXPECT_EQ(test, 0, memcmp(whole(l), before, sizeof(*before)));
		check_round_trip(test, l, TEST_NOW);
	}
}

static void state_validation_of_the_timer(struct kunit *test)
{
	static const struct {
		u32 lvtt, initial, current_count;
		u64 deadline;
		bool ok;
	} cases[] = {
		{ 0x00030, 10, 10, 0, true },
		{ 0x00030, 10, 11, 0, false },
		{ 0x20030, 10, 1, 0, true },
		{ 0x20030, 10, 0, 0, true },
		{ 0x00030, 0, 0, 5, false },
		{ 0x20030, 0, 0, 5, false },
		{ 0x40030, 0, 0, 5, true },
		{ 0x40030, 10, 0, 5, true },
		{ 0x40030, 10, 1, 5, false },
		{ 0x60030, 10, 1, 0, false },
		{ 0x60030, 10, 0, 5, false },
		{ 0x60030, 10, 0, 0, true },
	};
	struct mvm_lapic_state *l = start(test, LAPIC_XAPIC);
	struct mvm_lapic *in = kunit_kzalloc(test, sizeof(*in), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, in);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		lapic_get_state(l, 1, in);
		in->regs[0x32] = cases[i].lvtt;
		in->regs[0x38] = cases[i].initial;
		in->regs[0x39] = cases[i].current_count;
		in->tsc_deadline = cases[i].deadline;
		KUNIT_EXPECT_EQ_MSG(test, !lapic_set_state(l, in, 1), cases[i].ok,
				    "case %d", i);
		if (cases[i].ok)
			KUNIT_EXPECT_EQ_MSG(test, !l->timer_expiry,
					    !cases[i].current_count &&
					    !cases[i].deadline, "case %d", i);
	}
}

static void state_of_a_disabled_apic(struct kunit *test)
{
	struct mvm_lapic_state *l = start(test, LAPIC_DISABLED);
	struct mvm_lapic *in = kunit_kzalloc(test, sizeof(*in), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, in);
	lapic_get_state(l, 1, in);
	in->regs[0x22] = 0xff;
	KUNIT_EXPECT_EQ(test, 0, lapic_set_state(l, in, 1));
	KUNIT_EXPECT_EQ(test, lapic_pending(l), LAPIC_NO_VECTOR);
	in->regs[0] = 1;
	KUNIT_EXPECT_NE(test, 0, lapic_set_state(l, in, 1));
}

/* ------------------------------------------------------------------------
 * Random sequences against models that are too simple to be wrong
 */

struct priority_model {
	bool irr[256], isr[256], level[256];
	int tpr;
};

static int model_highest(const bool *vectors)
{
	int vector;

	for (vector = 255; vector >= 0; vector--)
		if (vectors[vector])
			return vector;
	return LAPIC_NO_VECTOR;
}

static int model_pending(const struct priority_model *m)
{
	int irr = model_highest(m->irr), isr = model_highest(m->isr);

	return irr >> 4 > max(m->tpr >> 4, isr >> 4) ? irr : LAPIC_NO_VECTOR;
}

static void model_step(struct kunit *test, struct priority_model *m,
		       struct mvm_lapic_state *l, u32 random)
{
	int vector = random >> 8 & 0xff, top;

	switch (random & 7) {
	case 0 ... 2:
		lapic_accept(l, vector, random & BIT(16));
		if (vector >= 16) {
			m->irr[vector] = true;
			m->level[vector] = random & BIT(16);
		}
		break;
	case 3 ... 4:
		vector = lapic_pending(l);
		if (vector >= 0) {
			lapic_acknowledge(l, vector);
			m->irr[vector] = false;
			m->isr[vector] = true;
		}
		break;
	case 5 ... 6:
		wr(l, APIC_EOI, 0);
		top = model_highest(m->isr);
		if (top < 0)
			break;
		m->isr[top] = false;
		KUNIT_EXPECT_EQ(test, in_tmr(l, top), m->level[top]);
		break;
	case 7:
		m->tpr = random & BIT(16) ? vector / 4 : 0;
		wr(l, APIC_TASKPRI, m->tpr);
		break;
	}
}

static void random_priorities(struct kunit *test)
{
	struct priority_model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	struct mvm_lapic_state *l = start(test, LAPIC_XAPIC);
	struct rnd_state rnd;
	int i, delivered = 0, blocked = 0;

	KUNIT_ASSERT_NOT_NULL(test, m);
	prandom_seed_state(&rnd, 1);
	for (i = 0; i < 20000; i++) {
		model_step(test, m, l, prandom_u32_state(&rnd));
		KUNIT_ASSERT_EQ_MSG(test, lapic_pending(l), model_pending(m),
				    "step %d", i);
		delivered += lapic_pending(l) >= 0;
		blocked += model_highest(m->irr) >= 0 && lapic_pending(l) < 0;
	}
	/* the sequence was worth its time */
	KUNIT_EXPECT_GT(test, delivered, 1000);
	KUNIT_EXPECT_GT(test, blocked, 1000);
}

/* A timer that moves one TSC tick at a time. */
struct timer_model {
	u32 initial, count, tick, phase;
	bool periodic, masked;
	int interrupts;
};

static void timer_model_tick(struct timer_model *m)
{
	if (!m->count || ++m->phase < m->tick)
		return;
	m->phase = 0;
	if (--m->count)
		return;
	m->interrupts += !m->masked;
	if (m->periodic)
		m->count = m->initial;
}

static void timer_model_write(struct timer_model *m, struct mvm_lapic_state *l,
			      u32 random, u64 now)
{
	static const u32 divide[] = { 2, 4, 8, 16, 32, 64, 128, 1 };
	u32 dcr;

	switch (random % 3) {
	case 0:
		m->initial = random >> 8 & 0xf ? random >> 16 & 0x3f : 0;
		m->count = m->initial;
		m->phase = 0;
		wr_at(l, APIC_TMICT, m->initial, now);
		break;
	case 1:
		m->periodic = random & BIT(8);
		m->masked = !(random & (BIT(9) | BIT(10)));
		wr_at(l, APIC_LVTT, 0x50 | (m->periodic ? BIT(17) : 0) |
		      (m->masked ? BIT(16) : 0), now);
		break;
	case 2:
		dcr = random >> 8 & 7;
		m->tick = divide[dcr] * TEST_RATIO;
		m->phase = 0;
		wr_at(l, APIC_TDCR, (dcr & 3) | (dcr & 4) << 1, now);
		break;
	}
}

static void random_timer(struct kunit *test)
{
	struct timer_model m = { .tick = TEST_RATIO, .masked = true };
	struct mvm_lapic_state *l = start(test, LAPIC_XAPIC);
	struct rnd_state rnd;
	int i, steps, fired = 0;
	u64 now = ~0ULL - 500000;	/* the TSC wraps on the way */

	prandom_seed_state(&rnd, 2);
	for (i = 0; i < 4000; i++) {
		timer_model_write(&m, l, prandom_u32_state(&rnd), now);
		m.interrupts = 0;
		for (steps = 0; steps < 8; steps++)
			*lapic_reg(l, APIC_IRR + steps * 16) = 0;
		for (steps = prandom_u32_state(&rnd) % 1000; steps; steps--) {
			timer_model_tick(&m);
			now++;
		}
		KUNIT_ASSERT_EQ_MSG(test, timer_expired(l, now),
				    m.interrupts > 0, "step %d", i);
		KUNIT_ASSERT_EQ_MSG(test, rd_at(l, APIC_TMCCT, now), m.count,
				    "step %d", i);
		KUNIT_ASSERT_EQ(test, in_irr(l, 0x50), m.interrupts > 0);
		fired += m.interrupts > 0;
	}
	KUNIT_EXPECT_GT(test, fired, 500);
}

/* What must hold whatever the guest did. */
static void check_invariants(struct kunit *test, struct mvm_lapic_state *l, u64 now)
{
	KUNIT_ASSERT_EQ(test, *lapic_reg(l, APIC_IRR) & 0xffff, 0);
	KUNIT_ASSERT_EQ(test, *lapic_reg(l, APIC_ISR) & 0xffff, 0);
	KUNIT_ASSERT_LT(test, lapic_cr8(l), 16);
	if (lapic_mode(l->base) != LAPIC_X2APIC)
		KUNIT_ASSERT_EQ(test, *lapic_reg(l, APIC_ICR2) & GENMASK(23, 0), 0);
	/* a deadline in its mode only; nothing runs in the reserved one */
	if ((*lapic_reg(l, APIC_LVTT) & 0x60000) != APIC_LVT_TIMER_TSCDEADLINE)
		KUNIT_ASSERT_EQ(test, deadline_read(l, now), 0);
	if ((*lapic_reg(l, APIC_LVTT) & 0x60000) == 0x60000)
		KUNIT_ASSERT_EQ(test, l->timer_expiry, 0);
}

static void random_guest(struct kunit *test)
{
	static const u64 modes[] = { 0, ENABLE, ENABLE, ENABLE, X2APIC, X2APIC };
	struct mvm_lapic_state *l = start(test, LAPIC_XAPIC);
	struct lapic_effect effect;
	struct rnd_state rnd;
	u64 now = TEST_NOW, data;
	u32 r, value, offset;
	int i;

	l->timer_min = 1000;
	prandom_seed_state(&rnd, 3);
	for (i = 0; i < 60000; i++) {
		r = prandom_u32_state(&rnd);
		value = prandom_u32_state(&rnd) >> (r >> 24 & 31);
		offset = r >> 8 & 0x3f0;
		now += r & BIT(7) ? r >> 20 : (u64)value << 20;
		data = r & BIT(6) ? value : (u64)value << 32 | value;
		switch (r & 15) {
		case 0 ... 3:
			wr_at(l, offset, value, now);
			break;
		case 4 ... 7:
			msr_write(l, MSR(offset), data, now, &effect);
			break;
		case 8:
			rd_at(l, offset, now);
			lapic_msr_read(l, MSR(offset), now, &data);
			break;
		case 9:
			lapic_accept(l, value, r & BIT(8));
			break;
		case 10:
			deadline_write(l, data, now, &effect);
			break;
		case 11:
			timer_expired(l, now);
			break;
		case 12:
			deliver(l);
			break;
		case 13:
			lapic_matches(l, value, r & BIT(8));
			lapic_timer_shift(l, data);
			break;
		case 14:
			if (r >> 8 & 3)
				wr_at(l, APIC_SPIV, 0x1ff, now);
			else
				set_base(l, BASE | modes[(r >> 12) % 6],
					       r & BIT(10), true, TEST_BITS, &effect);
			break;
		case 15:
			check_round_trip(test, l, now);
			break;
		}
		check_invariants(test, l, now);
	}
}

static struct kunit_case lapic_cases[] = {
	KUNIT_CASE(power_up_state),
	KUNIT_CASE(base_transitions),
	KUNIT_CASE(base_reserved_bits),
	KUNIT_CASE(disabling_resets_everything),
	KUNIT_CASE(x2apic_mode_keeps_state),
	KUNIT_CASE(xapic_write_masks),
	KUNIT_CASE(xapic_illegal_addresses),
	KUNIT_CASE(xapic_accesses_that_cannot_be),
	KUNIT_CASE(x2apic_msr_access),
	KUNIT_CASE(x2apic_faults_change_nothing),
	KUNIT_CASE(x2apic_msrs_need_their_mode),
	KUNIT_CASE(esr_latches_on_write),
	KUNIT_CASE(error_interrupt_once_per_esr_write),
	KUNIT_CASE(illegal_vectors),
	KUNIT_CASE(highest_vector_first),
	KUNIT_CASE(ends_of_levels_are_told),
	KUNIT_CASE(nesting_follows_classes),
	KUNIT_CASE(processor_priority),
	KUNIT_CASE(cr8_is_the_task_priority),
	KUNIT_CASE(trigger_mode_register),
	KUNIT_CASE(software_disable),
	KUNIT_CASE(local_pins),
	KUNIT_CASE(timer_dividers),
	KUNIT_CASE(timer_one_shot),
	KUNIT_CASE(timer_periodic_catches_up),
	KUNIT_CASE(timer_period_is_bounded),
	KUNIT_CASE(timer_masked_runs_on),
	KUNIT_CASE(timer_mode_changes),
	KUNIT_CASE(timer_divider_changes),
	KUNIT_CASE(timer_deadline),
	KUNIT_CASE(timer_survives_tsc_jumps),
	KUNIT_CASE(ipi_of_xapic),
	KUNIT_CASE(ipi_of_x2apic),
	KUNIT_CASE(ipi_combinations),
	KUNIT_CASE(self_ipi),
	KUNIT_CASE(init_resets_registers),
	KUNIT_CASE(startup_joins),
	KUNIT_CASE(startup_takes),
	KUNIT_CASE(destinations),
	KUNIT_CASE(message_signalled_interrupts),
	KUNIT_CASE(vectors_are_where_the_cpu_looks),
	KUNIT_CASE(tpr_threshold),
	KUNIT_CASE(writes_of_the_cpu_are_writes),
	KUNIT_CASE(quick_writes_are_writes),
	KUNIT_CASE(state_round_trip),
	KUNIT_CASE(state_timer_goes_on),
	KUNIT_CASE(state_validation),
	KUNIT_CASE(state_validation_of_the_timer),
	KUNIT_CASE(state_of_a_disabled_apic),
	KUNIT_CASE(random_priorities),
	KUNIT_CASE(random_timer),
	KUNIT_CASE(random_guest),
	{}
};

extern struct kunit_suite mvm_lapic_suite;

struct kunit_suite mvm_lapic_suite = {
	.name = "lapic",
	.test_cases = lapic_cases,
};
