// SPDX-License-Identifier: GPL-2.0-only
/*
 * ept.c - extended page tables (SDM 3C 29.3).  See ept.h; called by memory.c.
 *
 * The CPU walks the tables while they change.  So every entry is written once,
 * as 64 bits; a new table is filled in before it is linked; and a table that is
 * unlinked keeps its contents until the caller knows that nobody walks it.
 */
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/io.h>
#include <linux/minmax.h>
#include <linux/mm.h>

#include "ept.h"

static unsigned int ept_index(u64 gpa, unsigned int level)
{
	return (gpa >> (12 + 9 * (level - 1))) & (EPT_ENTRIES - 1);
}

static bool ept_present(u64 entry)
{
	return entry & EPT_RWX;
}

static bool ept_is_leaf(u64 entry, unsigned int level)
{
	return level == EPT_LEVEL_4K || (entry & EPT_LARGE);
}

/* The table that a present entry, which is no leaf, refers to. */
static u64 *ept_child(u64 entry)
{
	return phys_to_virt(entry & EPT_ADDRESS);
}

static bool ept_is_empty(const u64 *table)
{
	unsigned int i;

	for (i = 0; i < EPT_ENTRIES; i++)
		if (ept_present(READ_ONCE(table[i])))
			return false;
	return true;
}

/*
 * The entry for @gpa at @level, or above where the walk ends earlier; @level
 * becomes the one that was reached.
 */
static u64 *ept_walk(const struct mvm_ept *ept, u64 gpa, unsigned int *level)
{
	u64 *table = ept->root;
	unsigned int at;

	for (at = EPT_LEVELS; ; at--) {
		u64 *entry = &table[ept_index(gpa, at)];
		u64 value = READ_ONCE(*entry);

		if (at == *level || !ept_present(value) ||
		    ept_is_leaf(value, at)) {
			*level = at;
			return entry;
		}
		table = ept_child(value);
	}
}

/**
 * ept_init - make an EPT that maps nothing
 * @ept:	to be set up
 * @ops:	where table pages come from
 * @arg:	for @ops->alloc
 *
 * Return: 0 or -ENOMEM.
 */
int ept_init(struct mvm_ept *ept, const struct ept_ops *ops, void *arg)
{
	ept->ops = ops;
	ept->root = ops->alloc(arg);
	ept->pages = ept->root ? 1 : 0;
	return ept->root ? 0 : -ENOMEM;
}

/**
 * ept_destroy - free all tables, the root included
 * @ept:	no CPU uses it any more, none will
 */
void ept_destroy(struct mvm_ept *ept)
{
	LIST_HEAD(unlinked);

	ept_unmap(ept, 0, 1ULL << EPT_GPA_BITS, &unlinked);
	ept_free_unlinked(ept, &unlinked);
	ept->ops->free(ept->root);
	ept->root = NULL;
	ept->pages = 0;
}

/*
 * Put @leaf, an entry of @level, under @entry, which is one of level @at and
 * not present.  The chain of tables between them is built from the leaf up and
 * linked as a whole: the tree never holds an empty table, whatever fails.
 */
static int ept_link_leaf(struct mvm_ept *ept, u64 *entry, unsigned int at,
			 u64 gpa, unsigned int level, u64 leaf, void *arg)
{
	u64 *tables[EPT_MAP_TABLES];
	unsigned int count = 0;
	u64 value = leaf;

	for (; level < at; level++) {
		u64 *table = ept->ops->alloc(arg);

		if (!table)
			goto free_tables;
		WRITE_ONCE(table[ept_index(gpa, level)], value);
		/* permissions are decided by the leaf alone (SDM 3C 29.3.2) */
		value = virt_to_phys(table) | EPT_RWX;
		tables[count++] = table;
	}
	ept->pages += count;
	/* a walker that sees the link sees the tables' contents */
	smp_wmb();
	WRITE_ONCE(*entry, value);
	return 0;

free_tables:
	while (count)
		ept->ops->free(tables[--count]);
	return -ENOMEM;
}

/**
 * ept_map - map one page
 * @ept:	the tables
 * @gpa:	guest-physical address, a multiple of the page's size
 * @pa:		host-physical address, likewise
 * @level:	EPT_LEVEL_4K or EPT_LEVEL_2M: the page's size
 * @access:	EPT_* permissions; with EPT_READ, since without it entries that
 *		can be written are misconfigured (SDM 3C 29.3.3.1)
 * @arg:	for @ops->alloc, called up to EPT_MAP_TABLES times
 *
 * Where the same page is mapped at the same level already, @access is added to
 * what it has: permissions are never taken away, so no flush is needed.  An EPT
 * violation itself drops what the CPU has cached about the address (SDM 3C
 * 29.4.3.1); another CPU that goes by the old permissions gets a violation.
 *
 * Context: the caller's lock; does not sleep.
 * Return: 0; -EINVAL: an argument; -EEXIST: something else is mapped, a page
 * of another size included: unmap and flush first; -ENOMEM: @ops->alloc
 * failed.  After an error nothing has changed.
 */
int ept_map(struct mvm_ept *ept, u64 gpa, u64 pa, unsigned int level,
	    u64 access, void *arg)
{
	u64 leaf = pa | access | EPT_TYPE_WB | EPT_IPAT;
	unsigned int at = level;
	u64 *entry, old;

	if ((level != EPT_LEVEL_4K && level != EPT_LEVEL_2M) ||
	    ((gpa | pa) & (ept_span(level) - 1)) || gpa >> EPT_GPA_BITS ||
	    (pa & ~EPT_ADDRESS) || (access & ~EPT_RWX) ||
	    !(access & EPT_READ))
		return -EINVAL;
	if (level == EPT_LEVEL_2M)
		leaf |= EPT_LARGE;

	entry = ept_walk(ept, gpa, &at);
	old = READ_ONCE(*entry);
	if (!ept_present(old))
		return ept_link_leaf(ept, entry, at, gpa, level, leaf, arg);
	if (at != level || !ept_is_leaf(old, at) ||
	    ((old ^ leaf) & EPT_ADDRESS))
		return -EEXIST;
	WRITE_ONCE(*entry, old | leaf);
	return 0;
}

/*
 * A table, and those below it, has left the tree.  At most EPT_LEVELS - 1 deep.
 */
static void ept_unlink(struct mvm_ept *ept, u64 *table, unsigned int level,
		       struct list_head *unlinked)
{
	unsigned int i;

	for (i = 0; level > EPT_LEVEL_4K && i < EPT_ENTRIES; i++) {
		u64 entry = READ_ONCE(table[i]);

		if (ept_present(entry) && !ept_is_leaf(entry, level))
			ept_unlink(ept, ept_child(entry), level - 1, unlinked);
	}
	list_add(&virt_to_page(table)->lru, unlinked);
	ept->pages--;
}

/* Unmap [@gpa, @end), which lies in @table; its entries are of @level. */
static bool ept_unmap_table(struct mvm_ept *ept, u64 *table,
			    unsigned int level, u64 gpa, u64 end,
			    struct list_head *unlinked)
{
	u64 span = ept_span(level);
	bool changed = false;
	u64 next;

	for (; gpa < end; gpa = next) {
		u64 *entry = &table[ept_index(gpa, level)];
		u64 old = READ_ONCE(*entry);
		u64 *child;

		next = (gpa | (span - 1)) + 1;
		if (!ept_present(old))
			continue;
		if (ept_is_leaf(old, level)) {
			WRITE_ONCE(*entry, 0);
			changed = true;
			continue;
		}
		child = ept_child(old);
		/* a table that is covered as a whole is not cleared, just cut off */
		if (next - gpa < span || next > end) {
			changed |= ept_unmap_table(ept, child, level - 1, gpa,
						   min(next, end), unlinked);
			if (!ept_is_empty(child))
				continue;
		}
		WRITE_ONCE(*entry, 0);
		ept_unlink(ept, child, level - 1, unlinked);
		changed = true;
	}
	return changed;
}

/**
 * ept_unmap - unmap a range
 * @ept:	the tables
 * @gpa:	first guest-physical address; rounded down to 4 KiB
 * @length:	bytes; the end is rounded up to 4 KiB, and cut at 48 bits
 * @unlinked:	tables that left the tree are added to this list
 *
 * A 2 MiB page that the range only touches is unmapped as a whole: what is left
 * of it faults and comes back as 4 KiB pages.  Tables without any present entry
 * are unlinked.
 *
 * Context: the caller's lock; does not sleep.
 * Return: true when anything was unmapped: translations may be cached, and
 * pages in @unlinked may be walked, until every CPU that uses @ept has left
 * the guest and executed INVEPT (SDM 3C 29.4.3.4).
 */
bool ept_unmap(struct mvm_ept *ept, u64 gpa, u64 length,
	       struct list_head *unlinked)
{
	const u64 limit = 1ULL << EPT_GPA_BITS;
	const u64 mask = ept_span(EPT_LEVEL_4K) - 1;
	u64 end;

	if (gpa >= limit)
		return false;
	end = gpa + min(length, limit - gpa);
	if (end == gpa)
		return false;
	return ept_unmap_table(ept, ept->root, EPT_LEVELS, gpa & ~mask,
			       (end + mask) & ~mask, unlinked);
}

/**
 * ept_lookup - find the entry that translates an address
 * @ept:	the tables
 * @gpa:	guest-physical address
 * @level:	out: level of the entry where the walk ended; for an address
 *		that is not mapped, 1 says that a 4 KiB table is there
 *
 * Context: the caller's lock; does not sleep.
 * Return: the leaf entry, 0 when the address is not mapped.
 */
u64 ept_lookup(const struct mvm_ept *ept, u64 gpa, unsigned int *level)
{
	u64 entry;

	*level = EPT_LEVELS;
	if (gpa >> EPT_GPA_BITS)
		return 0;
	*level = EPT_LEVEL_4K;
	entry = READ_ONCE(*ept_walk(ept, gpa, level));
	return ept_present(entry) ? entry : 0;
}

/**
 * ept_free_unlinked - free the tables that ept_unmap() unlinked
 * @ept:	the tables; only its callbacks are used, so no lock is needed
 * @unlinked:	emptied; no CPU walks these pages any more
 */
void ept_free_unlinked(const struct mvm_ept *ept, struct list_head *unlinked)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, unlinked, lru) {
		list_del(&page->lru);
		ept->ops->free(page_address(page));
	}
}
