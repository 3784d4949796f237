// SPDX-License-Identifier: GPL-2.0-only
/*
 * ept_test.c - KUnit tests of ept.c: what it maps, what it leaves alone, how it
 * counts and gives back table pages.  The suite is registered in kunit.c.
 */
#include <kunit/test.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/prandom.h>
#include <linux/sizes.h>

#include "ept.h"

#define SZ_512G		(1ULL << 39)
#define END		(1ULL << EPT_GPA_BITS)
/* leaf bits beside address and permissions */
#define ATTRIBUTES	(EPT_TYPE_WB | EPT_IPAT)

/* Each mapping gets a cache of as many tables: fewer than it needs, to fail. */
static unsigned int cached = EPT_MAP_TABLES;

static int test_init(struct kunit *test)
{
	struct mvm_ept *ept;

	ept = kunit_kzalloc(test, sizeof(*ept), GFP_KERNEL);
	if (!ept)
		return -ENOMEM;
	cached = EPT_MAP_TABLES;
	test->priv = ept;
	return ept_init(ept);
}

static void test_exit(struct kunit *test)
{
	struct mvm_ept *ept = test->priv;

	if (ept && ept->root)
		ept_destroy(ept);
}

/* As ept_map(); what it takes from the cache must be what it links. */
static int map_access(struct kunit *test, u64 gpa, u64 pa, unsigned int level, u64 access)
{
	struct mvm_ept *ept = test->priv;
	unsigned long before = ept->pages;
	struct ept_cache cache = {};
	int error;

	while (cache.count < cached) {
		cache.pages[cache.count] = (void *)get_zeroed_page(GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, cache.pages[cache.count]);
		cache.count++;
	}
	error = ept_map(ept, gpa, pa, level, access, &cache);
	KUNIT_EXPECT_EQ(test, ept->pages - before, (unsigned long)(cached - cache.count));
	while (cache.count)
		free_page((unsigned long)cache.pages[--cache.count]);
	return error;
}

/* Map one page; everything but @level gets a default. */
static int map(struct kunit *test, u64 gpa, u64 pa, unsigned int level)
{
	return map_access(test, gpa, pa, level, EPT_RWX);
}

/* Unmap and free at once: no CPU walks these tables.  Returns tables freed. */
static long unmap(struct kunit *test, u64 gpa, u64 length)
{
	struct mvm_ept *ept = test->priv;
	unsigned long before = ept->pages;
	LIST_HEAD(unlinked);
	struct list_head *page;
	long count = 0;
	bool changed;

	changed = ept_unmap(ept, gpa, min(length, END - gpa), &unlinked);
	list_for_each(page, &unlinked)
		count++;
	if (count)
		KUNIT_EXPECT_TRUE(test, changed);
	KUNIT_EXPECT_EQ(test, before - ept->pages, (unsigned long)count);
	put_pages_list(&unlinked);
	return count;
}

static u64 lookup(struct kunit *test, u64 gpa)
{
	unsigned int level = EPT_LEVEL_4K;

	return *ept_walk(test->priv, gpa, &level);
}

static unsigned int lookup_level(struct kunit *test, u64 gpa)
{
	unsigned int level = EPT_LEVEL_4K;

	ept_walk(test->priv, gpa, &level);
	return level;
}

static unsigned long tables(struct kunit *test)
{
	return ((struct mvm_ept *)test->priv)->pages;
}

static void empty_ept_maps_nothing(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, tables(test), 1UL);
	KUNIT_EXPECT_EQ(test, lookup(test, 0), 0ULL);
	KUNIT_EXPECT_EQ(test, lookup(test, END - 1), 0ULL);
	KUNIT_EXPECT_EQ(test, lookup_level(test, 0), 4U);
	KUNIT_EXPECT_EQ(test, unmap(test, 0, END), 0L);
	KUNIT_EXPECT_EQ(test, tables(test), 1UL);
}

static void leaf_entries_have_the_bits_of_the_sdm(struct kunit *test)
{
	struct mvm_ept *ept = test->priv;
	u64 *table = ept->root;
	unsigned int level;
	u64 entry;

	KUNIT_EXPECT_EQ(test, map(test, 0x1000, 0x123456789000, 1), 0);
	KUNIT_EXPECT_EQ(test, map(test, SZ_2M, 0x123456600000, 2), 0);
	KUNIT_EXPECT_EQ(test, lookup(test, 0x1fff),
			0x123456789000 | ATTRIBUTES | EPT_RWX);
	KUNIT_EXPECT_EQ(test, lookup(test, SZ_4M - 1),
			0x123456600000 | ATTRIBUTES | EPT_RWX | EPT_LARGE);

	/* entries above have an address and permissions, nothing else */
	for (level = EPT_LEVELS; level > 1; level--) {
		entry = table[0];
		KUNIT_EXPECT_EQ(test, entry & ~EPT_ADDRESS, (u64)EPT_RWX);
		table = phys_to_virt(entry & EPT_ADDRESS);
	}
	KUNIT_EXPECT_EQ(test, table[0], 0ULL);
	KUNIT_EXPECT_EQ(test, table[2], 0ULL);
}

static const u64 edges[] = {
	0, SZ_4K, SZ_2M - SZ_4K, SZ_2M, SZ_1G - SZ_4K, SZ_1G,
	SZ_512G - SZ_4K, SZ_512G, END - SZ_512G, END - SZ_2M, END - SZ_4K,
};

static void small_page_maps_its_4k_and_no_more(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(edges); i++) {
		u64 gpa = edges[i];

		KUNIT_EXPECT_EQ(test, map(test, gpa, SZ_1G, 1), 0);
		KUNIT_EXPECT_EQ(test, tables(test), 4UL);
		KUNIT_EXPECT_NE(test, lookup(test, gpa), 0ULL);
		KUNIT_EXPECT_NE(test, lookup(test, gpa + SZ_4K - 1), 0ULL);
		KUNIT_EXPECT_EQ(test, lookup(test, gpa + SZ_4K), 0ULL);
		KUNIT_EXPECT_EQ(test, lookup(test, gpa - 1), 0ULL);
		KUNIT_EXPECT_EQ(test, lookup_level(test, gpa), 1U);
		/* neighbours are left alone */
		KUNIT_EXPECT_EQ(test, unmap(test, gpa + SZ_4K, END), 0L);
		KUNIT_EXPECT_EQ(test, unmap(test, 0, gpa), 0L);
		KUNIT_EXPECT_NE(test, lookup(test, gpa), 0ULL);
		KUNIT_EXPECT_EQ(test, unmap(test, gpa, SZ_4K), 3L);
		KUNIT_EXPECT_EQ(test, lookup(test, gpa), 0ULL);
		KUNIT_EXPECT_EQ(test, tables(test), 1UL);
	}
}

static void large_page_maps_its_2m_and_no_more(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(edges); i++) {
		u64 gpa = edges[i] & ~(u64)(SZ_2M - 1);

		KUNIT_EXPECT_EQ(test, map(test, gpa, SZ_1G, 2), 0);
		KUNIT_EXPECT_EQ(test, tables(test), 3UL);
		KUNIT_EXPECT_NE(test, lookup(test, gpa), 0ULL);
		KUNIT_EXPECT_NE(test, lookup(test, gpa + SZ_2M - 1), 0ULL);
		KUNIT_EXPECT_EQ(test, lookup(test, gpa + SZ_2M), 0ULL);
		KUNIT_EXPECT_EQ(test, lookup(test, gpa - 1), 0ULL);
		KUNIT_EXPECT_EQ(test, lookup_level(test, gpa), 2U);
		KUNIT_EXPECT_EQ(test, unmap(test, gpa + SZ_2M, END), 0L);
		KUNIT_EXPECT_EQ(test, unmap(test, 0, gpa), 0L);
		KUNIT_EXPECT_NE(test, lookup(test, gpa), 0ULL);
		KUNIT_EXPECT_EQ(test, unmap(test, gpa, SZ_2M), 2L);
		KUNIT_EXPECT_EQ(test, tables(test), 1UL);
	}
}

static void addresses_are_rounded_to_the_page(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, map(test, SZ_2M + 0x1234, SZ_1G + 0x1234, 2), 0);
	KUNIT_EXPECT_EQ(test, lookup(test, SZ_2M), SZ_1G | ATTRIBUTES | EPT_RWX | EPT_LARGE);
	KUNIT_EXPECT_EQ(test, map(test, 0x1234, SZ_1G + 0x1234, 1), 0);
	KUNIT_EXPECT_EQ(test, lookup(test, 0x1000), (SZ_1G + 0x1000) | ATTRIBUTES | EPT_RWX);
}

static void permissions_are_added_never_removed(struct kunit *test)
{
	u64 entry = SZ_1G | ATTRIBUTES;

	KUNIT_EXPECT_EQ(test, map_access(test, 0, SZ_1G, 1, EPT_READ), 0);
	KUNIT_EXPECT_EQ(test, lookup(test, 0), entry | EPT_READ);
	KUNIT_EXPECT_EQ(test, map(test, 0, SZ_1G, 1), 0);
	KUNIT_EXPECT_EQ(test, lookup(test, 0), entry | EPT_RWX);
	KUNIT_EXPECT_EQ(test, map_access(test, 0, SZ_1G, 1, EPT_READ), 0);
	KUNIT_EXPECT_EQ(test, lookup(test, 0), entry | EPT_RWX);
	KUNIT_EXPECT_EQ(test, tables(test), 4UL);
}

static void another_page_does_not_replace_one(struct kunit *test)
{
	u64 entry;

	KUNIT_EXPECT_EQ(test, map(test, 0, SZ_1G, 1), 0);
	entry = lookup(test, 0);
	KUNIT_EXPECT_EQ(test, map(test, 0, SZ_2M, 1), -EEXIST);
	KUNIT_EXPECT_EQ(test, lookup(test, 0), entry);

	KUNIT_EXPECT_EQ(test, map(test, SZ_2M, SZ_1G, 2), 0);
	entry = lookup(test, SZ_2M);
	KUNIT_EXPECT_EQ(test, map(test, SZ_2M, SZ_2M, 2), -EEXIST);
	KUNIT_EXPECT_EQ(test, lookup(test, SZ_2M), entry);
}

static void another_size_needs_unmap_first(struct kunit *test)
{
	u64 gpa;

	/* small pages, then a large one */
	for (gpa = 0; gpa < SZ_2M; gpa += SZ_4K)
		KUNIT_ASSERT_EQ(test, map(test, gpa, SZ_1G + gpa, 1), 0);
	KUNIT_EXPECT_EQ(test, map(test, 0, SZ_1G, 2), -EEXIST);
	KUNIT_EXPECT_EQ(test, lookup_level(test, 0), 1U);
	KUNIT_EXPECT_EQ(test, unmap(test, 0, SZ_2M), 3L);
	KUNIT_EXPECT_EQ(test, map(test, 0, SZ_1G, 2), 0);
	KUNIT_EXPECT_EQ(test, lookup_level(test, SZ_2M - 1), 2U);
	KUNIT_EXPECT_EQ(test, tables(test), 3UL);

	/* a large page, then a small one */
	KUNIT_EXPECT_EQ(test, map(test, SZ_4K, SZ_1G + SZ_4K, 1), -EEXIST);
	KUNIT_EXPECT_EQ(test, unmap(test, 0, SZ_2M), 2L);
	KUNIT_EXPECT_EQ(test, map(test, SZ_4K, SZ_1G + SZ_4K, 1), 0);
	KUNIT_EXPECT_EQ(test, lookup(test, 0), 0ULL);
	KUNIT_EXPECT_EQ(test, lookup_level(test, SZ_4K), 1U);
	KUNIT_EXPECT_EQ(test, tables(test), 4UL);
}

static void partial_unmap_takes_the_whole_large_page(struct kunit *test)
{
	static const struct { u64 gpa, length; } parts[] = {
		{ SZ_2M, SZ_4K },
		{ SZ_2M + SZ_1M, SZ_4K },
		{ SZ_4M - SZ_4K, SZ_4K },
		{ SZ_4M - 1, 1 },
		{ 0, SZ_2M + 1 },
		{ SZ_4M - SZ_4K, SZ_1G },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		KUNIT_EXPECT_EQ(test, map(test, SZ_2M, SZ_1G, 2), 0);
		unmap(test, parts[i].gpa, parts[i].length);
		KUNIT_EXPECT_EQ(test, lookup(test, SZ_2M), 0ULL);
		KUNIT_EXPECT_EQ(test, lookup(test, SZ_4M - 1), 0ULL);
		KUNIT_EXPECT_EQ(test, tables(test), 1UL);
	}
}

static void unmap_rounds_to_pages(struct kunit *test)
{
	struct mvm_ept *ept = test->priv;
	LIST_HEAD(unlinked);

	KUNIT_EXPECT_EQ(test, map(test, SZ_4K, SZ_1G, 1), 0);
	KUNIT_EXPECT_FALSE(test, ept_unmap(ept, SZ_4K, 0, &unlinked));
	KUNIT_EXPECT_NE(test, lookup(test, SZ_4K), 0ULL);
	unmap(test, SZ_4K + 10, 1);
	KUNIT_EXPECT_EQ(test, lookup(test, SZ_4K), 0ULL);

	KUNIT_EXPECT_EQ(test, map(test, SZ_4K, SZ_1G, 1), 0);
	unmap(test, SZ_4K - 1, 2);
	KUNIT_EXPECT_EQ(test, lookup(test, SZ_4K), 0ULL);
}

static void unmap_across_tables_frees_those_left_empty(struct kunit *test)
{
	const u64 first = SZ_512G - SZ_2M;
	u64 gpa;

	/* 2 MiB on each side of a 512 GiB boundary: 3 tables each */
	for (gpa = first; gpa < first + SZ_4M; gpa += SZ_4K)
		KUNIT_ASSERT_EQ(test, map(test, gpa, SZ_1G, 1), 0);
	KUNIT_EXPECT_EQ(test, tables(test), 7UL);

	KUNIT_EXPECT_EQ(test, unmap(test, SZ_512G - SZ_4K, SZ_8K), 0L);
	KUNIT_EXPECT_NE(test, lookup(test, SZ_512G - SZ_8K), 0ULL);
	KUNIT_EXPECT_EQ(test, lookup(test, SZ_512G - SZ_4K), 0ULL);
	KUNIT_EXPECT_EQ(test, lookup(test, SZ_512G), 0ULL);
	KUNIT_EXPECT_NE(test, lookup(test, SZ_512G + SZ_4K), 0ULL);

	/* all of one side, and the other's last page stays */
	KUNIT_EXPECT_EQ(test, unmap(test, first, SZ_4M - SZ_4K), 3L);
	KUNIT_EXPECT_NE(test, lookup(test, SZ_512G + SZ_2M - SZ_4K), 0ULL);
	KUNIT_EXPECT_EQ(test, unmap(test, SZ_512G + SZ_2M - SZ_4K, SZ_4K), 3L);
	KUNIT_EXPECT_EQ(test, tables(test), 1UL);
}

/* What CPUs still walk must stay what it was until it is freed. */
static void unlinked_tables_are_listed_once_and_kept(struct kunit *test)
{
	struct mvm_ept *ept = test->priv;
	LIST_HEAD(unlinked);
	struct page *page;
	long count = 0;
	u64 *root = ept->root;
	u64 *level3, *level2, *level1;
	u64 entry;

	KUNIT_ASSERT_EQ(test, map(test, 0, SZ_1G, 1), 0);
	KUNIT_ASSERT_EQ(test, map(test, SZ_1G, SZ_1G, 1), 0);
	KUNIT_ASSERT_EQ(test, map(test, SZ_2M, SZ_1G, 2), 0);
	entry = lookup(test, 0);
	level3 = phys_to_virt(root[0] & EPT_ADDRESS);
	level2 = phys_to_virt(level3[0] & EPT_ADDRESS);
	level1 = phys_to_virt(level2[0] & EPT_ADDRESS);

	KUNIT_EXPECT_TRUE(test, ept_unmap(ept, 0, END, &unlinked));
	KUNIT_EXPECT_EQ(test, root[0], 0ULL);
	KUNIT_EXPECT_EQ(test, tables(test), 1UL);
	KUNIT_EXPECT_EQ(test, level1[0], entry);
	list_for_each_entry(page, &unlinked, lru)
		count++;
	KUNIT_EXPECT_EQ(test, count, 5L);
	/* the tree is usable at once */
	KUNIT_EXPECT_EQ(test, map(test, 0, SZ_2M, 2), 0);
	KUNIT_EXPECT_EQ(test, level1[0], entry);
	put_pages_list(&unlinked);
	KUNIT_EXPECT_EQ(test, tables(test), 3UL);
}

static void too_empty_cache_changes_nothing(struct kunit *test)
{
	for (cached = 0; cached < 3; cached++) {
		KUNIT_EXPECT_EQ(test, map(test, SZ_1G, SZ_1G, 1), -ENOMEM);
		KUNIT_EXPECT_EQ(test, tables(test), 1UL);
		KUNIT_EXPECT_EQ(test, lookup_level(test, SZ_1G), 4U);
	}
	KUNIT_EXPECT_EQ(test, map(test, SZ_1G, SZ_1G, 1), 0);

	/* next to what is there: one table is missing, then none */
	cached = 0;
	KUNIT_EXPECT_EQ(test, map(test, SZ_1G + SZ_2M, SZ_1G, 1), -ENOMEM);
	KUNIT_EXPECT_EQ(test, tables(test), 4UL);
	KUNIT_EXPECT_EQ(test, map(test, SZ_1G + SZ_4K, SZ_1G, 1), 0);
	KUNIT_EXPECT_EQ(test, map(test, SZ_1G + SZ_2M, SZ_1G, 2), 0);
}

/*
 * The model: 8 regions of 2 MiB, two on each side of three boundaries, each
 * nothing, one large page, or small pages; what is mapped where, page by page.
 */
#define REGIONS		8
#define PAGES		(REGIONS * EPT_ENTRIES)
#define ROUNDS		20000

static const u64 region_gpa[REGIONS] = {
	0, SZ_2M,
	SZ_1G - SZ_2M, SZ_1G,
	SZ_512G - SZ_2M, SZ_512G,
	END - SZ_4M, END - SZ_2M,
};

struct model {
	u64 entry[PAGES];		/* expected leaf entry, 0: none */
	unsigned int level[REGIONS];	/* 0: empty */
};

static void model_unmap(struct model *model, u64 gpa, u64 length)
{
	unsigned int i, page;

	for (i = 0; i < REGIONS; i++) {
		bool any = false;

		for (page = 0; page < EPT_ENTRIES; page++) {
			u64 *entry = &model->entry[i * EPT_ENTRIES + page];
			u64 at = region_gpa[i] + page * SZ_4K;
			u64 size = SZ_4K;

			if (model->level[i] == 2) {
				at = region_gpa[i];
				size = SZ_2M;
			}
			if (at < gpa + length && gpa < at + size)
				*entry = 0;
			any |= *entry;
		}
		if (!any)
			model->level[i] = 0;
	}
}

static void model_map(struct kunit *test, struct model *model,
		      unsigned int region, unsigned int page,
		      unsigned int level, u64 pfn, u64 access)
{
	u64 *entries = &model->entry[region * EPT_ENTRIES];
	u64 bits = access | ATTRIBUTES | (level == 2 ? EPT_LARGE : 0);
	int expected = 0, error;
	u64 pa, gpa;

	if (level == 2) {
		page = 0;
		pfn &= ~(u64)(EPT_ENTRIES - 1);
	}
	pa = pfn * SZ_4K;
	gpa = region_gpa[region] + page * SZ_4K;

	if ((model->level[region] && model->level[region] != level) ||
	    (entries[page] && (entries[page] & EPT_ADDRESS) != pa))
		expected = -EEXIST;
	error = map_access(test, gpa, pa, level, access);
	KUNIT_ASSERT_EQ(test, error, expected);
	if (error)
		return;
	model->level[region] = level;
	entries[page] |= pa | bits;
	for (page = 1; level == 2 && page < EPT_ENTRIES; page++)
		entries[page] = entries[0];
}

/* Tables that the model needs, the root included. */
static unsigned long model_tables(const struct model *model)
{
	u64 seen2 = U64_MAX, seen3 = U64_MAX;
	unsigned long count = 1;
	unsigned int i;

	for (i = 0; i < REGIONS; i++) {
		if (!model->level[i])
			continue;
		count += model->level[i] == 1;
		count += region_gpa[i] >> 30 != seen2;
		count += region_gpa[i] >> 39 != seen3;
		seen2 = region_gpa[i] >> 30;
		seen3 = region_gpa[i] >> 39;
	}
	return count;
}

static void model_compare(struct kunit *test, const struct model *model)
{
	unsigned int i;

	for (i = 0; i < PAGES; i++) {
		u64 gpa = region_gpa[i / EPT_ENTRIES] +
			  i % EPT_ENTRIES * SZ_4K;

		if (lookup(test, gpa) == model->entry[i])
			continue;
		KUNIT_FAIL(test, "GPA %llx: entry %llx, expected %llx", gpa,
			   lookup(test, gpa), model->entry[i]);
	}
	KUNIT_EXPECT_EQ(test, tables(test), model_tables(model));
}

static void random_changes_follow_the_model(struct kunit *test)
{
	struct model *model;
	struct rnd_state random;
	unsigned int round;

	model = kunit_kzalloc(test, sizeof(*model), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, model);
	prandom_seed_state(&random, 20240229);

	for (round = 0; round < ROUNDS; round++) {
		u32 dice = prandom_u32_state(&random);
		unsigned int region = dice % REGIONS;
		unsigned int page = dice / REGIONS % EPT_ENTRIES;
		u64 gpa = region_gpa[region] + page * SZ_4K;
		u64 length;

		if (dice >> 29 < 6) {
			model_map(test, model, region, page,
				  dice >> 28 & 1 ? 1 : 1 + (dice >> 27 & 1),
				  EPT_ENTRIES * (dice >> 12 & 7 ? 1 : 2) + page,
				  EPT_READ | (dice >> 20 & EPT_RWX));
		} else {
			length = (prandom_u32_state(&random) % 4) ?
				 SZ_4K * (1 + dice % 700) : dice * 64ULL;
			length = min(length, END - gpa);
			unmap(test, gpa, length);
			model_unmap(model, gpa, length);
		}
		if (round % 64 == 0)
			model_compare(test, model);
	}
	model_compare(test, model);
	unmap(test, 0, END);
	KUNIT_EXPECT_EQ(test, tables(test), 1UL);
}

static struct kunit_case ept_cases[] = {
	KUNIT_CASE(empty_ept_maps_nothing),
	KUNIT_CASE(leaf_entries_have_the_bits_of_the_sdm),
	KUNIT_CASE(small_page_maps_its_4k_and_no_more),
	KUNIT_CASE(large_page_maps_its_2m_and_no_more),
	KUNIT_CASE(addresses_are_rounded_to_the_page),
	KUNIT_CASE(permissions_are_added_never_removed),
	KUNIT_CASE(another_page_does_not_replace_one),
	KUNIT_CASE(another_size_needs_unmap_first),
	KUNIT_CASE(partial_unmap_takes_the_whole_large_page),
	KUNIT_CASE(unmap_rounds_to_pages),
	KUNIT_CASE(unmap_across_tables_frees_those_left_empty),
	KUNIT_CASE(unlinked_tables_are_listed_once_and_kept),
	KUNIT_CASE(too_empty_cache_changes_nothing),
	KUNIT_CASE(random_changes_follow_the_model),
	{}
};

struct kunit_suite mvm_ept_suite = {
	.name = "mvm_ept",
	.init = test_init,
	.exit = test_exit,
	.test_cases = ept_cases,
};
