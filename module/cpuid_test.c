// SPDX-License-Identifier: GPL-2.0-only
/*
 * cpuid_test.c - the table of what guests may be shown, on hosts that have
 * everything, little and nothing; SET; look-ups against a plain model.
 */
#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/prandom.h>
#include <linux/string.h>
#include <asm/processor-flags.h>
#include "caps.h"
#include "cpuid.h"

extern struct kunit_suite mvm_cpuid_suite;

#define B(n)	BIT(n)

/* The table under test, and the one that SET changes. */
static struct mvm_cpuid_table *supported, *table;
static struct mvm_cpuid_entry *scratch;

static const struct mvm_caps full_caps = {
	.proc2 = SECONDARY_EXEC_ENABLE_RDTSCP | SECONDARY_EXEC_ENABLE_INVPCID,
	.xcr0_mask = 0xe7, .tsc_khz = 3400001, .timer_ratio = 1,
};

static const struct mvm_caps bare_caps = {
	.tsc_khz = 5000000, .timer_ratio = 2,
};

/* A host that answers ones to everything. */
static void read_ones(u32 leaf, u32 index, u32 regs[4])
{
	memset(regs, 0xff, 16);
}

/*
 * A host with every leaf up to 0x20 and every feature, and sane answers where
 * they are numbers.
 */
static void read_rich(u32 leaf, u32 index, u32 regs[4])
{
	static const u32 components[][2] = {
		[2] = { 0x100, 0x240 }, [3] = { 0x40, 0x3c0 },
		[4] = { 0x40, 0x400 }, [5] = { 0x40, 0x440 },
		[6] = { 0x200, 0x480 }, [7] = { 0x400, 0x680 },
		[9] = { 0x8, 0xa80 },
	};

	memset(regs, 0xff, 16);
	switch (leaf) {
	case 0:
		memcpy(regs, (u32[]){ 0x20, 0x756e6547, 0x6c65746e, 0x49656e69 },
		       16);
		break;
	case 1:
		regs[0] = 0x000506e3;
		regs[1] = 0x07100800;
		break;
	case 4:
		memcpy(regs, (u32[]){ 0x1c004121, 0x01c0003f, 0x3f, 0 }, 16);
		if (index >= 2)
			regs[0] = 0;
		break;
	case 7:
		if (!index)
			regs[0] = 2;
		break;
	case 0xd:
		if (index >= 2) {
			memset(regs, 0, 16);
			if (index < ARRAY_SIZE(components)) {
				regs[0] = components[index][0];
				regs[1] = components[index][1];
			}
		}
		break;
	case 0x80000000:
		regs[0] = 0x80000008;
		break;
	case 0x80000002 ... 0x80000004:
		memset(regs, 'a' + (leaf & 7), 16);
		break;
	case 0x80000008:
		regs[0] = 0x302e;
		break;
	}
}

/* A CPU of 2010: no leaf 7, no leaf 0xd, few extended leaves. */
static void read_old(u32 leaf, u32 index, u32 regs[4])
{
	/* beyond the maximum: whatever the highest leaf says */
	memset(regs, 0xff, 16);
	switch (leaf) {
	case 0:
		memcpy(regs, (u32[]){ 5, 0x756e6547, 0x6c65746e, 0x49656e69 },
		       16);
		break;
	case 1:
		memcpy(regs, (u32[]){ 0x000206c2, 0x00100800, 0x009ae3bd,
				      0xbfebfbff }, 16);
		break;
	case 2 ... 5:
		memset(regs, 0, 16);
		break;
	case 0x80000000:
		regs[0] = 0x80000004;
		break;
	case 0x80000001:
		memcpy(regs, (u32[]){ 0, 0, 1, 0x20100800 }, 16);
		break;
	}
}

static int test_init(struct kunit *test)
{
	supported = kunit_kzalloc(test, sizeof(*supported), GFP_KERNEL);
	table = kunit_kzalloc(test, sizeof(*table), GFP_KERNEL);
	KUNIT_ASSERT_PTR_NE(test, supported, NULL);
	KUNIT_ASSERT_PTR_NE(test, table, NULL);
	scratch = kunit_kzalloc(test, sizeof(supported->entries), GFP_KERNEL);
	KUNIT_ASSERT_PTR_NE(test, scratch, NULL);
	mvm_cpuid_supported(supported, read_rich, &full_caps);
	*table = *supported;
	return 0;
}

/* Give the table these entries, as SET does. */
static int set_table(const struct mvm_cpuid_entry *entries, u32 count)
{
	memset(table, 0, sizeof(*table));
	memcpy(table->entries, entries, count * sizeof(*entries));
	table->count = count;
	return mvm_cpuid_prepare(table, supported);
}

static void expect_leaf(struct kunit *test, const struct mvm_cpuid_table *t,
			u32 leaf, u32 index, u32 eax, u32 ebx, u32 ecx, u32 edx)
{
	const struct mvm_cpuid_entry *e = mvm_cpuid_lookup(t, leaf, index);

	KUNIT_EXPECT_EQ_MSG(test, e->eax, eax, "0x%x.%u", leaf, index);
	KUNIT_EXPECT_EQ_MSG(test, e->ebx, ebx, "0x%x.%u", leaf, index);
	KUNIT_EXPECT_EQ_MSG(test, e->ecx, ecx, "0x%x.%u", leaf, index);
	KUNIT_EXPECT_EQ_MSG(test, e->edx, edx, "0x%x.%u", leaf, index);
}

/* The allow-list, spelled out by bit numbers of SDM 2A table 3-8. */
#define LEAF1_ECX (B(0) | B(1) | B(9) | B(12) | B(13) | B(17) | B(19) | B(20) | \
		   B(21) | B(22) | B(23) | B(24) | B(25) | B(26) | B(28) | \
		   B(29) | B(30) | B(31))
#define LEAF1_EDX (B(0) | B(1) | B(2) | B(3) | B(4) | B(5) | B(6) | B(8) | \
		   B(11) | B(13) | B(15) | B(16) | B(17) | B(19) | B(23) | \
		   B(24) | B(25) | B(26) | B(27))
#define LEAF7_EBX (B(0) | B(1) | B(3) | B(5) | B(6) | B(7) | B(8) | B(9) | \
		   B(10) | B(13) | B(16) | B(17) | B(18) | B(19) | B(20) | \
		   B(21) | B(23) | B(24) | B(26) | B(27) | B(28) | B(29) | \
		   B(30) | B(31))
#define LEAF7_ECX (B(1) | B(2) | B(6) | B(8) | B(9) | B(10) | B(11) | B(12) | \
		   B(14) | B(22) | B(25) | B(27) | B(28))
#define LEAF7_EDX (B(2) | B(3) | B(4) | B(8) | B(10) | B(14) | B(23))

static void host_with_everything_shows_the_allow_list(struct kunit *test)
{
	expect_leaf(test, supported, 1, 0, 0x000506e3, 0x0800, LEAF1_ECX,
		    LEAF1_EDX);
	expect_leaf(test, supported, 6, 0, B(2), 0, 0, 0);
	expect_leaf(test, supported, 7, 0, 1, LEAF7_EBX, LEAF7_ECX, LEAF7_EDX);
	expect_leaf(test, supported, 7, 1, B(4) | B(5) | B(10) | B(11) | B(12),
		    0, 0, 0);
	expect_leaf(test, supported, 7, 2, 0, 0, 0, 0);
	expect_leaf(test, supported, 0xd, 1, B(0) | B(2), 0, 0, 0);
	expect_leaf(test, supported, 0x80000001, 0, 0, 0, B(0) | B(5) | B(8),
		    B(11) | B(20) | B(26) | B(27) | B(29));
	expect_leaf(test, supported, 0x80000007, 0, 0, 0, 0, B(8));
	expect_leaf(test, supported, 0x80000008, 0, 0x302e, 0, 0, 0);
}

/* Every leaf that is not meant for guests is empty. */
static void other_leaves_are_empty(struct kunit *test)
{
	static const u32 empty[] = {
		3, 5, 8, 9, 0xa, 0xc, 0xe, 0xf, 0x10, 0x11, 0x12, 0x13, 0x14,
		0x40000002, 0x4000000f, 0x40000011, 0x40000100, 0x4fffffff,
		0x80000005,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(empty); i++) {
		expect_leaf(test, supported, empty[i], 0, 0, 0, 0, 0);
		expect_leaf(test, supported, empty[i], 1, 0, 0, 0, 0);
	}
}

static void identity_is_the_hosts(struct kunit *test)
{
	expect_leaf(test, supported, 0, 0, 0x16, 0x756e6547, 0x6c65746e,
		    0x49656e69);
	expect_leaf(test, supported, 0x80000000, 0, 0x80000008, 0, 0, 0);
	expect_leaf(test, supported, 0x80000002, 0, 0x63636363, 0x63636363,
		    0x63636363, 0x63636363);
	expect_leaf(test, supported, 0x80000004, 0, 0x65656565, 0x65656565,
		    0x65656565, 0x65656565);
	/* caches, shared with nobody */
	expect_leaf(test, supported, 4, 0, 0x00000121, 0x01c0003f, 0x3f, 0);
	expect_leaf(test, supported, 4, 1, 0x00000121, 0x01c0003f, 0x3f, 0);
	expect_leaf(test, supported, 4, 2, 0, 0, 0, 0);
}

static void frequencies(struct kunit *test)
{
	u32 regs[3];

	memcpy(regs, "MiniVMMiniVM", 12);
	expect_leaf(test, supported, 0x15, 0, 1, 1, 3400001000U, 0);
	expect_leaf(test, supported, 0x16, 0, 3400, 3400, 100, 0);
	expect_leaf(test, supported, 0x40000000, 0, 0x40000010, regs[0], regs[1],
		    regs[2]);
	expect_leaf(test, supported, 0x40000001, 0, 0, 0, 0, 0);
	expect_leaf(test, supported, 0x40000010, 0, 3400001, 3400001, 0, 0);

	mvm_cpuid_supported(table, read_rich, &bare_caps);
	expect_leaf(test, table, 0x15, 0, 1, 2, 2500000000U, 0);
	expect_leaf(test, table, 0x16, 0, 5000, 5000, 100, 0);
	expect_leaf(test, table, 0x40000010, 0, 5000000, 2500000, 0, 0);
}

static void xsave_leaves_describe_what_guests_may_enable(struct kunit *test)
{
	expect_leaf(test, supported, 0xd, 0, 0xe7, 0x240, 0xa80, 0);
	expect_leaf(test, supported, 0xd, 2, 0x100, 0x240, 0, 0);
	expect_leaf(test, supported, 0xd, 3, 0, 0, 0, 0);
	expect_leaf(test, supported, 0xd, 5, 0x40, 0x440, 0, 0);
	expect_leaf(test, supported, 0xd, 6, 0x200, 0x480, 0, 0);
	expect_leaf(test, supported, 0xd, 7, 0x400, 0x680, 0, 0);
	expect_leaf(test, supported, 0xd, 9, 0, 0, 0, 0);
	KUNIT_EXPECT_EQ(test, mvm_cpuid_xsave_size(supported, 0x1), 576);
	KUNIT_EXPECT_EQ(test, mvm_cpuid_xsave_size(supported, 0x7), 832);
	KUNIT_EXPECT_EQ(test, mvm_cpuid_xsave_size(supported, 0xe7), 2688);
}

static void features_need_their_controls(struct kunit *test)
{
	mvm_cpuid_supported(table, read_rich, &bare_caps);
	/* no XSAVE, hence no AVX; no INVPCID, RDTSCP, RDPID */
	expect_leaf(test, table, 1, 0, 0x000506e3, 0x0800,
		    LEAF1_ECX & ~(B(12) | B(26) | B(28) | B(29)), LEAF1_EDX);
	expect_leaf(test, table, 7, 0, 1,
		    LEAF7_EBX & ~(B(5) | B(10) | B(16) | B(17) | B(21) | B(26) |
				  B(27) | B(28) | B(30) | B(31)),
		    B(2) | B(8) | B(25) | B(27) | B(28), B(4) | B(10) | B(14));
	expect_leaf(test, table, 7, 1, B(10) | B(11) | B(12), 0, 0, 0);
	expect_leaf(test, table, 0x80000001, 0, 0, 0, B(0) | B(5) | B(8),
		    B(11) | B(20) | B(26) | B(29));
	expect_leaf(test, table, 0xd, 0, 0, 0, 0, 0);
	expect_leaf(test, table, 0xd, 1, 0, 0, 0, 0);
	KUNIT_EXPECT_EQ(test, mvm_cpuid_xsave_size(table, 0), 512);
}

static void avx512_needs_its_state(struct kunit *test)
{
	struct mvm_caps caps = full_caps;

	caps.xcr0_mask = 0x7;
	mvm_cpuid_supported(table, read_rich, &caps);
	KUNIT_EXPECT_TRUE(test, mvm_cpuid_find(table, 7, 0)->ebx & BIT(5));
	KUNIT_EXPECT_FALSE(test, mvm_cpuid_find(table, 7, 0)->ebx & BIT(16));
	KUNIT_EXPECT_FALSE(test, mvm_cpuid_find(table, 7, 0)->ecx & BIT(1));
	KUNIT_EXPECT_FALSE(test, mvm_cpuid_find(table, 7, 0)->edx & BIT(2));
	KUNIT_EXPECT_FALSE(test, mvm_cpuid_find(table, 7, 1)->eax & BIT(5));
	expect_leaf(test, table, 0xd, 0, 0x7, 0x240, 0x340, 0);
}

/* Leaves above the host's maximum are not read: they repeat another one. */
static void old_host_has_no_features_by_accident(struct kunit *test)
{
	mvm_cpuid_supported(table, read_old, &bare_caps);
	expect_leaf(test, table, 1, 0, 0x000206c2, 0x0800,
		    B(0) | B(9) | B(13) | B(17) | B(19) | B(20) | B(21) |
		    B(23) | B(24) | B(31),
		    0xbfebfbff & LEAF1_EDX);
	expect_leaf(test, table, 7, 0, 0, B(1), 0, 0);
	expect_leaf(test, table, 7, 1, 0, 0, 0, 0);
	expect_leaf(test, table, 0x80000001, 0, 0, 0, 1,
		    B(11) | B(20) | B(29));
	expect_leaf(test, table, 0x80000006, 0, 0, 0, 0, 0);
	expect_leaf(test, table, 0x80000007, 0, 0, 0, 0, 0);
	expect_leaf(test, table, 0x80000008, 0, 0x3024, 0, 0, 0);
}

/* Nonsense from the host does not overflow the table or a width. */
static void impossible_host_is_survived(struct kunit *test)
{
	mvm_cpuid_supported(table, read_ones, &full_caps);
	KUNIT_EXPECT_LE(test, table->count, (u32)MVM_CPUID_MAX);
	KUNIT_EXPECT_EQ(test, mvm_cpuid_phys_bits(table), 48U);
}

static void addresses_have_at_most_48_bits(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, mvm_cpuid_phys_bits(supported), 46U);
	memset(table, 0, sizeof(*table));
	KUNIT_EXPECT_EQ(test, mvm_cpuid_phys_bits(table), 36U);
}

/* ------------------------------------------------------------------------
 * Look-ups
 */

static void leaves_above_the_maximum_read_as_the_highest(struct kunit *test)
{
	static const u32 above[] = {
		0x17, 0x1f, 0x20, 0x1000, 0x3fffffff, 0x50000000, 0x7fffffff,
		0x80000009, 0x8000001f, 0x80000020, 0x8fffffff, 0xc0000000,
		0xc0000001, 0xffffffff,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(above); i++) {
		expect_leaf(test, supported, above[i], 0, 3400, 3400, 100, 0);
		expect_leaf(test, supported, above[i], 7, 3400, 3400, 100, 0);
	}
}

/* The sub-leaf counts when the highest leaf has sub-leaves. */
static void highest_leaf_keeps_its_sub_leaves(struct kunit *test)
{
	struct mvm_cpuid_entry entries[] = {
		{ .function = 0, .eax = 0xd },
		{ .function = 0xd, .index = 0, .flags = 1, .eax = 0x7 },
		{ .function = 0xd, .index = 1, .flags = 1, .eax = 1 },
		{ .function = 0xd, .index = 2, .flags = 1, .eax = 0x100,
		  .ebx = 0x240 },
	};

	KUNIT_ASSERT_EQ(test, 0, set_table(entries, ARRAY_SIZE(entries)));
	expect_leaf(test, table, 0x16, 2, 0x100, 0x240, 0, 0);
	expect_leaf(test, table, 0x16, 1, 1, 0, 0, 0);
	expect_leaf(test, table, 0x16, 3, 0, 0, 0, 0);
	expect_leaf(test, table, 5, 0, 0, 0, 0, 0);
}

/* A hole at either end of a range is a hole, not the end. */
static void maximum_that_is_missing_reads_as_zeros(struct kunit *test)
{
	struct mvm_cpuid_entry entries[] = {
		{ .function = 0, .eax = 5 },
		{ .function = 2, .eax = 0x222 },
		{ .function = 0x80000000, .eax = 0x80000005 },
	};

	KUNIT_ASSERT_EQ(test, 0, set_table(entries, ARRAY_SIZE(entries)));
	expect_leaf(test, table, 5, 0, 0, 0, 0, 0);
	expect_leaf(test, table, 0x80000005, 0, 0, 0, 0, 0);
	entries[0].eax = 2;
	KUNIT_ASSERT_EQ(test, 0, set_table(entries, ARRAY_SIZE(entries)));
	expect_leaf(test, table, 3, 0, 0x222, 0, 0, 0);
	expect_leaf(test, table, 0x80000005, 0, 0, 0, 0, 0);
	expect_leaf(test, table, 0x80000006, 0, 0x222, 0, 0, 0);
}

/* Sub-leaf 0 is the one that the fast path finds. */
static void index_points_to_the_first_sub_leaf(struct kunit *test)
{
	static const u32 leaves[] = { 4, 7, 0xb, 0xd };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(leaves); i++) {
		u8 first = supported->first[0][leaves[i]];

		KUNIT_ASSERT_LT(test, first, (u8)MVM_CPUID_MAX);
		KUNIT_EXPECT_EQ(test, supported->entries[first].function,
				leaves[i]);
		KUNIT_EXPECT_EQ(test, supported->entries[first].index, 0U);
	}
}

static void leaf_without_sub_leaves_ignores_ecx(struct kunit *test)
{
	expect_leaf(test, supported, 0x16, 0xffffffff, 3400, 3400, 100, 0);
	expect_leaf(test, supported, 7, 0xffffffff, 0, 0, 0, 0);
}

static void empty_table_answers_zeros(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, 0, set_table(NULL, 0));
	expect_leaf(test, table, 0, 0, 0, 0, 0, 0);
	expect_leaf(test, table, 1, 0, 0, 0, 0, 0);
	expect_leaf(test, table, 0x40000000, 0, 0, 0, 0, 0);
	expect_leaf(test, table, 0xffffffff, 0, 0, 0, 0, 0);
}

/* SDM 2A, CPUID, and uapi, without an index and without a fast path. */
static void model_lookup(const struct mvm_cpuid_entry *entries, u32 count,
			 u32 leaf, u32 index, struct mvm_cpuid_entry *out)
{
	u32 max_basic = 0, max_extended = 0, i;
	bool found = false;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < count; i++) {
		const struct mvm_cpuid_entry *e = &entries[i];

		if (e->function == 0 && (!e->flags || !e->index))
			max_basic = e->eax;
		if (e->function == 0x80000000 && (!e->flags || !e->index))
			max_extended = e->eax;
		found |= e->function == leaf && (!e->flags || e->index == index);
	}
	if (!found && !(leaf >= 0x40000000 && leaf <= 0x4fffffff) &&
	    !(leaf < 0x80000000 && leaf <= max_basic) &&
	    !(leaf >= 0x80000000 && leaf <= max_extended))
		leaf = max_basic;
	for (i = 0; i < count; i++) {
		const struct mvm_cpuid_entry *e = &entries[i];

		if (e->function == leaf && (!e->flags || e->index == index))
			*out = *e;
	}
}

static void random_tables_answer_as_the_model(struct kunit *test)
{
	static const u32 bases[] = {
		0, 0, 0x40000000, 0x40000000, 0x80000000, 0x40000100, 0x80000020,
		0xc0000000, 0x10, 0x30,
	};
	struct mvm_cpuid_entry *entries = scratch;
	struct rnd_state random;
	unsigned int round, i;

	prandom_seed_state(&random, 20240607);
	for (round = 0; round < 300; round++) {
		u32 count = 0, probes;

		for (i = prandom_u32_state(&random) % MVM_CPUID_MAX; i; i--) {
			u32 r = prandom_u32_state(&random);
			struct mvm_cpuid_entry e = {
				.function = bases[r % ARRAY_SIZE(bases)] +
					    (r >> 8) % 24,
				.index = (r >> 16) % 4,
				.eax = r >> 20,
				.ebx = r,
			};
			u32 j;

			/* a leaf has sub-leaves or has not */
			e.flags = e.function % 3 == 0;
			for (j = 0; j < count; j++) {
				if (entries[j].function == e.function &&
				    (!(e.flags & entries[j].flags) ||
				     entries[j].index == e.index))
					break;
			}
			if (j == count)
				entries[count++] = e;
		}
		/* A host that supports just this. */
		memcpy(supported->entries, entries, count * sizeof(*entries));
		supported->count = count;
		KUNIT_ASSERT_EQ(test, 0, set_table(entries, count));

		for (probes = 0; probes < 400; probes++) {
			u32 r = prandom_u32_state(&random);
			u32 leaf = bases[r % ARRAY_SIZE(bases)] + (r >> 8) % 40;
			u32 index = (r >> 16) % 5;
			struct mvm_cpuid_entry expected;
			const struct mvm_cpuid_entry *e;

			model_lookup(entries, count, leaf, index, &expected);
			e = mvm_cpuid_lookup(table, leaf, index);
			KUNIT_ASSERT_EQ_MSG(test, e->eax, expected.eax,
					    "round %u: 0x%x.%u", round, leaf,
					    index);
			KUNIT_ASSERT_EQ_MSG(test, e->ebx, expected.ebx,
					    "round %u: 0x%x.%u", round, leaf,
					    index);
		}
	}
}

/* ------------------------------------------------------------------------
 * SET
 */

/* SET of the supported table with one entry changed. */
static int set_changed(const struct mvm_cpuid_entry *change)
{
	u32 i;

	memcpy(scratch, supported->entries, sizeof(supported->entries));
	for (i = 0; i < supported->count; i++) {
		if (scratch[i].function == change->function &&
		    scratch[i].index == change->index)
			scratch[i] = *change;
	}
	return set_table(scratch, supported->count);
}

static void supported_table_can_be_set(struct kunit *test)
{
	struct mvm_cpuid_entry *entries = scratch;

	memcpy(entries, supported->entries, sizeof(supported->entries));
	KUNIT_EXPECT_EQ(test, 0, set_table(entries, supported->count));
	KUNIT_EXPECT_EQ(test, 0, memcmp(table, supported, sizeof(*table)));
	/* also after the state of a vCPU went into it */
	mvm_cpuid_refresh(table, X86_CR4_OSXSAVE, 0xe7, BIT(11), 5);
	memcpy(entries, table->entries, sizeof(table->entries));
	KUNIT_EXPECT_EQ(test, 0, set_table(entries, supported->count));
}

static void order_of_entries_does_not_matter(struct kunit *test)
{
	struct mvm_cpuid_entry *entries = scratch;
	u32 i;

	for (i = 0; i < supported->count; i++)
		entries[i] = supported->entries[supported->count - 1 - i];
	KUNIT_EXPECT_EQ(test, 0, set_table(entries, supported->count));
	KUNIT_EXPECT_EQ(test, 0, memcmp(table, supported, sizeof(*table)));
}

/* Each feature register: a bit that is not supported, then all of them gone. */
static void unsupported_features_are_refused(struct kunit *test)
{
	static const u32 leaves[][2] = {
		{ 6, 0 }, { 7, 0 }, { 7, 1 }, { 0xd, 1 }, { 0x80000001, 0 },
		{ 0x80000007, 0 },
	};
	unsigned int i, bit;

	for (i = 0; i < ARRAY_SIZE(leaves); i++) {
		const struct mvm_cpuid_entry *s =
			mvm_cpuid_lookup(supported, leaves[i][0], leaves[i][1]);
		struct mvm_cpuid_entry e;

		for (bit = 0; bit < 32; bit++) {
#define TRY(reg)							\
			do {						\
				e = *s;					\
				e.reg ^= BIT(bit);			\
				KUNIT_EXPECT_EQ_MSG(test,		\
					s->reg & BIT(bit) ? 0 : -EINVAL, \
					set_changed(&e), "0x%x.%u " #reg " %u", \
					leaves[i][0], leaves[i][1], bit); \
			} while (0)
			TRY(eax);
			TRY(ebx);
			TRY(ecx);
			TRY(edx);
#undef TRY
		}
	}
}

static void leaf_1_features_are_checked_identity_is_not(struct kunit *test)
{
	const struct mvm_cpuid_entry *s = mvm_cpuid_lookup(supported, 1, 0);
	struct mvm_cpuid_entry e;
	unsigned int bit;

	for (bit = 0; bit < 32; bit++) {
		/* OSXSAVE and APIC follow the vCPU; any value is taken */
		e = *s;
		e.ecx ^= BIT(bit);
		KUNIT_EXPECT_EQ_MSG(test, set_changed(&e),
				    s->ecx & BIT(bit) || bit == 27 ? 0 : -EINVAL,
				    "ecx %u", bit);
		e = *s;
		e.edx ^= BIT(bit);
		KUNIT_EXPECT_EQ_MSG(test, set_changed(&e),
				    s->edx & BIT(bit) || bit == 9 ? 0 : -EINVAL,
				    "edx %u", bit);
		e = *s;
		e.eax ^= BIT(bit);
		e.ebx ^= BIT(bit);
		KUNIT_EXPECT_EQ(test, set_changed(&e), 0);
	}
}

static void free_leaves_take_anything(struct kunit *test)
{
	static const u32 free[] = {
		0, 2, 3, 0x15, 0x16, 0x40000000, 0x40000001, 0x40000010,
		0x40000100, 0x80000000, 0x80000002, 0x80000003, 0x80000004,
		0x80000005, 0x80000006,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(free); i++) {
		struct mvm_cpuid_entry e = {
			.function = free[i], .eax = ~0U, .ebx = ~0U, .ecx = ~0U,
			.edx = ~0U,
		};

		KUNIT_EXPECT_EQ_MSG(test, 0, set_table(&e, 1),
				    "0x%x", free[i]);
		expect_leaf(test, table, free[i], 0, ~0U, ~0U, ~0U, ~0U);
	}
}

static void unknown_leaves_must_be_empty(struct kunit *test)
{
	static const u32 unknown[] = {
		5, 8, 9, 0xa, 0xc, 0xf, 0x10, 0x12, 0x14, 0x17, 0x1d, 0x20, 0x23,
		0x3fffffff, 0x50000000, 0x80000009, 0x8000001f, 0xc0000001,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(unknown); i++) {
		struct mvm_cpuid_entry e = { .function = unknown[i] };

		KUNIT_EXPECT_EQ(test, 0, set_table(&e, 1));
		e.edx = 1;
		KUNIT_EXPECT_EQ_MSG(test, -EINVAL,
				    set_table(&e, 1),
				    "0x%x", unknown[i]);
	}
}

static void xsave_layout_is_not_to_be_changed(struct kunit *test)
{
	struct mvm_cpuid_entry e = *mvm_cpuid_lookup(supported, 0xd, 2);

	e.eax++;
	KUNIT_EXPECT_EQ(test, -EINVAL, set_changed(&e));
	e.eax--;
	e.ebx -= 0x40;
	KUNIT_EXPECT_EQ(test, -EINVAL, set_changed(&e));
	e = *mvm_cpuid_lookup(supported, 0xd, 0);
	e.eax |= BIT(9);
	KUNIT_EXPECT_EQ(test, -EINVAL, set_changed(&e));
	e.eax = 0x7;
	KUNIT_EXPECT_EQ(test, 0, set_changed(&e));
	mvm_cpuid_refresh(table, 0, 0x3, 0, 0);
	expect_leaf(test, table, 0xd, 0, 0x7, 0x240, 0x340, 0);
	/* a component that nobody has */
	e = (struct mvm_cpuid_entry){ .function = 0xd, .index = 9, .flags = 1 };
	KUNIT_EXPECT_EQ(test, -EINVAL, set_table(&e, 1));
}

static void physical_addresses_do_not_grow(struct kunit *test)
{
	struct mvm_cpuid_entry e = *mvm_cpuid_lookup(supported, 0x80000008, 0);

	e.eax = 0x302f;
	KUNIT_EXPECT_EQ(test, -EINVAL, set_changed(&e));
	e.eax = 0x3027;
	KUNIT_EXPECT_EQ(test, 0, set_changed(&e));
	KUNIT_EXPECT_EQ(test, mvm_cpuid_phys_bits(table), 39U);
	e.ebx = 1;
	KUNIT_EXPECT_EQ(test, -EINVAL, set_changed(&e));
}

static void double_entries_are_refused(struct kunit *test)
{
	struct mvm_cpuid_entry e[2] = {};

	e[0].function = e[1].function = 2;
	KUNIT_EXPECT_EQ(test, -EINVAL, set_table(e, 2));
	/* without the flag the index says nothing */
	e[1].index = 1;
	KUNIT_EXPECT_EQ(test, -EINVAL, set_table(e, 2));
	e[0].function = e[1].function = 0x1f;
	e[0].flags = 1;
	KUNIT_EXPECT_EQ(test, -EINVAL, set_table(e, 2));
	e[1].flags = 1;
	KUNIT_EXPECT_EQ(test, 0, set_table(e, 2));
	e[1].index = 0;
	KUNIT_EXPECT_EQ(test, -EINVAL, set_table(e, 2));
}

static void malformed_entries_are_refused(struct kunit *test)
{
	struct mvm_cpuid_entry e = { .function = 0x40000005 };
	u32 i;

	for (i = 1; i < 32; i++) {
		e.flags = BIT(i);
		KUNIT_EXPECT_EQ(test, -EINVAL, set_table(&e, 1));
	}
	e.flags = 0;
	e.reserved = 1;
	KUNIT_EXPECT_EQ(test, -EINVAL, set_table(&e, 1));
	/* features with sub-leaves hidden in an entry without, and the reverse */
	e = *mvm_cpuid_lookup(supported, 7, 0);
	e.flags = 0;
	KUNIT_EXPECT_EQ(test, -EINVAL, set_table(&e, 1));
	e = *mvm_cpuid_lookup(supported, 1, 0);
	e.flags = 1;
	KUNIT_EXPECT_EQ(test, -EINVAL, set_table(&e, 1));
	e.index = 1;
	KUNIT_EXPECT_EQ(test, -EINVAL, set_table(&e, 1));
	/* as many as there is room for */
	for (i = 0; i < MVM_CPUID_MAX; i++)
		scratch[i] = (struct mvm_cpuid_entry){
			.function = 0x40000000 + i, .eax = i,
		};
	KUNIT_EXPECT_EQ(test, 0, set_table(scratch, MVM_CPUID_MAX));
	expect_leaf(test, table, 0x40000000 + MVM_CPUID_MAX - 1, 0,
		    MVM_CPUID_MAX - 1, 0, 0, 0);
}

/* ------------------------------------------------------------------------
 * Bits that follow the vCPU, and what follows from CPUID
 */

static void refresh_follows_the_vcpu(struct kunit *test)
{
	mvm_cpuid_refresh(table, X86_CR4_OSXSAVE, 0x7, 0xfee00000 | BIT(11), 6);
	expect_leaf(test, table, 1, 0, 0x000506e3, 0x06000800, LEAF1_ECX | B(27),
		    LEAF1_EDX | B(9));
	expect_leaf(test, table, 0xb, 0, 0, 1, 0x100, 6);
	expect_leaf(test, table, 0xb, 1, 0, 1, 0x201, 6);
	expect_leaf(test, table, 0xb, 2, 0, 0, 0x2, 6);
	expect_leaf(test, table, 0xd, 0, 0xe7, 0x340, 0xa80, 0);

	mvm_cpuid_refresh(table, 0, 0x1, 0xfee00000, 1);
	expect_leaf(test, table, 1, 0, 0x000506e3, 0x01000800, LEAF1_ECX,
		    LEAF1_EDX);
	expect_leaf(test, table, 0xd, 0, 0xe7, 0x240, 0xa80, 0);
	mvm_cpuid_refresh(table, 0, 0xe7, 0, 0);
	expect_leaf(test, table, 0xd, 0, 0xe7, 0xa80, 0xa80, 0);
}

/* Each bit of CR4 needs its feature, and no other. */
static void cr4_bits_need_their_features(struct kunit *test)
{
	static const struct {
		u32 leaf;
		enum mvm_cpuid_reg reg;
		unsigned int bit;
		u64 cr4;
	} cases[] = {
		{ 1, MVM_EDX, 1, 0x3 }, { 1, MVM_EDX, 4, 0x4 },
		{ 1, MVM_EDX, 2, 0x8 }, { 1, MVM_EDX, 3, 0x10 },
		{ 1, MVM_EDX, 6, 0x20 }, { 1, MVM_EDX, 13, 0x80 },
		{ 1, MVM_EDX, 24, 0x200 }, { 1, MVM_EDX, 25, 0x400 },
		{ 7, MVM_ECX, 2, 0x800 }, { 7, MVM_EBX, 0, 0x10000 },
		{ 1, MVM_ECX, 17, 0x20000 }, { 1, MVM_ECX, 26, 0x40000 },
		{ 7, MVM_EBX, 7, 0x100000 }, { 7, MVM_EBX, 20, 0x200000 },
	};
	u64 all = mvm_cpuid_cr4_allowed(supported);
	unsigned int i;

	/* everything but VMXE, SMXE, LA57, PKE, CET, PKS, UINTR, FRED, LAM */
	KUNIT_EXPECT_EQ(test, all, 0x370fffULL);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct mvm_cpuid_entry e =
			*mvm_cpuid_lookup(supported, cases[i].leaf, 0);

		switch (cases[i].reg) {
		case MVM_EBX:
			e.ebx &= ~BIT(cases[i].bit);
			break;
		case MVM_ECX:
			e.ecx &= ~BIT(cases[i].bit);
			break;
		default:
			e.edx &= ~BIT(cases[i].bit);
		}
		KUNIT_ASSERT_EQ(test, 0, set_changed(&e));
		KUNIT_EXPECT_EQ(test, mvm_cpuid_cr4_allowed(table),
				all & ~cases[i].cr4);
	}
	memset(table, 0, sizeof(*table));
	KUNIT_EXPECT_EQ(test, mvm_cpuid_cr4_allowed(table), 0x140ULL);
}

static void efer_bits_need_their_features(struct kunit *test)
{
	struct mvm_cpuid_entry e = *mvm_cpuid_lookup(supported, 0x80000001, 0);
	u32 edx = e.edx;

	KUNIT_EXPECT_EQ(test, mvm_cpuid_efer_allowed(supported), 0xd01ULL);
	e.edx = edx & ~B(11);
	KUNIT_ASSERT_EQ(test, 0, set_changed(&e));
	KUNIT_EXPECT_EQ(test, mvm_cpuid_efer_allowed(table), 0xd00ULL);
	e.edx = edx & ~B(20);
	KUNIT_ASSERT_EQ(test, 0, set_changed(&e));
	KUNIT_EXPECT_EQ(test, mvm_cpuid_efer_allowed(table), 0x501ULL);
	e.edx = edx & ~B(29);
	KUNIT_ASSERT_EQ(test, 0, set_changed(&e));
	KUNIT_EXPECT_EQ(test, mvm_cpuid_efer_allowed(table), 0x801ULL);
}

/* SDM 1 13.3, over all values of the low nine bits. */
static void xcr0_values(struct kunit *test)
{
	u64 xcr0;

	for (xcr0 = 0; xcr0 < 512; xcr0++) {
		u64 top = xcr0 & 0xe0;
		bool valid = xcr0 & 1 && !(xcr0 & ~0xe7ULL) &&
			     (!(xcr0 & 4) || xcr0 & 2) &&
			     (!top || (top == 0xe0 && xcr0 & 4));

		KUNIT_EXPECT_EQ_MSG(test, valid,
				    mvm_cpuid_xcr0_valid(supported, xcr0),
				    "0x%llx", xcr0);
	}
	KUNIT_EXPECT_FALSE(test, mvm_cpuid_xcr0_valid(supported, BIT_ULL(63) | 1));
	mvm_cpuid_supported(table, read_rich, &bare_caps);
	KUNIT_EXPECT_TRUE(test, mvm_cpuid_xcr0_valid(table, 1));
	KUNIT_EXPECT_FALSE(test, mvm_cpuid_xcr0_valid(table, 3));
}

static struct kunit_case cpuid_cases[] = {
	KUNIT_CASE(host_with_everything_shows_the_allow_list),
	KUNIT_CASE(other_leaves_are_empty),
	KUNIT_CASE(identity_is_the_hosts),
	KUNIT_CASE(frequencies),
	KUNIT_CASE(xsave_leaves_describe_what_guests_may_enable),
	KUNIT_CASE(features_need_their_controls),
	KUNIT_CASE(avx512_needs_its_state),
	KUNIT_CASE(old_host_has_no_features_by_accident),
	KUNIT_CASE(impossible_host_is_survived),
	KUNIT_CASE(addresses_have_at_most_48_bits),
	KUNIT_CASE(leaves_above_the_maximum_read_as_the_highest),
	KUNIT_CASE(highest_leaf_keeps_its_sub_leaves),
	KUNIT_CASE(maximum_that_is_missing_reads_as_zeros),
	KUNIT_CASE(index_points_to_the_first_sub_leaf),
	KUNIT_CASE(leaf_without_sub_leaves_ignores_ecx),
	KUNIT_CASE(empty_table_answers_zeros),
	KUNIT_CASE(random_tables_answer_as_the_model),
	KUNIT_CASE(supported_table_can_be_set),
	KUNIT_CASE(order_of_entries_does_not_matter),
	KUNIT_CASE(unsupported_features_are_refused),
	KUNIT_CASE(leaf_1_features_are_checked_identity_is_not),
	KUNIT_CASE(free_leaves_take_anything),
	KUNIT_CASE(unknown_leaves_must_be_empty),
	KUNIT_CASE(xsave_layout_is_not_to_be_changed),
	KUNIT_CASE(physical_addresses_do_not_grow),
	KUNIT_CASE(double_entries_are_refused),
	KUNIT_CASE(malformed_entries_are_refused),
	KUNIT_CASE(refresh_follows_the_vcpu),
	KUNIT_CASE(cr4_bits_need_their_features),
	KUNIT_CASE(efer_bits_need_their_features),
	KUNIT_CASE(xcr0_values),
	{}
};

struct kunit_suite mvm_cpuid_suite = {
	.name = "mvm_cpuid",
	.init = test_init,
	.test_cases = cpuid_cases,
};
