// SPDX-License-Identifier: GPL-2.0-only
/*
 * ept.c - extended page tables (SDM 3C 29.3).  See ept.h; called by memory.c.
 *
 * The CPU walks the tables while they change.  So every entry is written once,
 * as 64 bits; a new table is filled in before it is linked; and a table that is
 * unlinked keeps its contents until the caller knows that nobody walks it.
 */
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "ept.h"

static unsigned int ept_index(u64 gpa, unsigned int level)
{
	return (gpa >> (12 + 9 * (level - 1))) & (EPT_ENTRIES - 1);
}

/* An entry that is not present is 0. */
static bool ept_is_table(u64 entry, unsigned int level)
{
	return entry && level > EPT_LEVEL_4K && !(entry & EPT_LARGE);
}

/* The table that an entry refers to. */
static u64 *ept_child(u64 entry)
{
	return phys_to_virt(entry & EPT_ADDRESS);
}

/**
 * ept_walk - find the entry that translates an address
 * @ept:	the tables
 * @gpa:	guest-physical address, of EPT_GPA_BITS
 * @level:	the wanted one; out: the level of the entry where the walk ended, which
 *		is above where that is a leaf, or not present
 *
 * Context: the caller's lock; does not sleep.
 * Return: the entry; 0 in it when the address is not mapped.
 */
u64 *ept_walk(const struct mvm_ept *ept, u64 gpa, unsigned int *level)
{
	unsigned int at = EPT_LEVELS, wanted = *level;
	u64 *entry = &ept->root[ept_index(gpa, at)];

	/* 9 bits of the address at each level, from the top */
	for (gpa <<= 64 - EPT_GPA_BITS + 9; at > wanted && ept_is_table(*entry, at); gpa <<= 9) {
		at--;
		entry = &ept_child(*entry)[gpa >> (64 - 9)];
	}
	*level = at;
	return entry;
}

/**
 * ept_init - make an EPT that maps nothing
 * @ept:	to be set up
 *
 * Return: 0 or -ENOMEM.
 */
int ept_init(struct mvm_ept *ept)
{
	ept->root = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	ept->pages = 1;
	return ept->root ? 0 : -ENOMEM;
}

/**
 * ept_map - map one page
 * @ept:	the tables
 * @gpa:	guest-physical address in the page
 * @pa:		host-physical address in the page
 * @level:	EPT_LEVEL_4K or EPT_LEVEL_2M: the page's size
 * @access:	EPT_* permissions; with EPT_READ, since without it entries that
 *		can be written are misconfigured (SDM 3C 29.3.3.1)
 * @cache:	up to EPT_MAP_TABLES are taken from it
 *
 * Where the same page is mapped at the same level already, @access is added to
 * what it has: permissions are never taken away, so no flush is needed.  An EPT
 * violation itself drops what the CPU has cached about the address (SDM 3C
 * 29.4.3.1); another CPU that goes by the old permissions gets a violation.
 *
 * The tables that are missing are built from the leaf up and linked as a whole:
 * the tree never holds an empty one.
 *
 * Context: the caller's lock; does not sleep.
 * Return: 0; -EEXIST: another page is there, or one of another size: unmap and
 * flush first; -ENOMEM: the cache is too empty.  After an error nothing has
 * changed.
 */
int ept_map(struct mvm_ept *ept, u64 gpa, u64 pa, unsigned int level, u64 access,
	    struct ept_cache *cache)
{
	u64 value = (pa & ~(ept_span(level) - 1)) | access | EPT_TYPE_WB | EPT_IPAT;
	unsigned int at = level;
	u64 *entry = ept_walk(ept, gpa, &at);

	if (level == EPT_LEVEL_2M)
		value |= EPT_LARGE;
	if (*entry && (at != level || ept_is_table(*entry, at) || (*entry ^ value) & EPT_ADDRESS))
		return -EEXIST;
	if (cache->count < at - level)
		return -ENOMEM;
	for (; level < at; level++) {
		u64 *table = cache->pages[--cache->count];

		table[ept_index(gpa, level)] = value;
		/* permissions are decided by the leaf alone (SDM 3C 29.3.2) */
		value = virt_to_phys(table) | EPT_RWX;
		ept->pages++;
	}
	/* a walker that sees the link sees the tables' contents */
	smp_wmb();
	WRITE_ONCE(*entry, *entry | value);
	return 0;
}

/* A table, and those below it, has left the tree.  At most EPT_LEVELS deep. */
static void ept_unlink(struct mvm_ept *ept, u64 *table, unsigned int level,
		       struct list_head *unlinked)
{
	unsigned int i;

	for (i = 0; level > EPT_LEVEL_4K && i < EPT_ENTRIES; i++)
		if (ept_is_table(table[i], level))
			ept_unlink(ept, ept_child(table[i]), level - 1, unlinked);
	list_add(&virt_to_page(table)->lru, unlinked);
	ept->pages--;
}

/* Unmap [@gpa, @end), which lies in @table; its entries are of @level. */
static bool ept_unmap_table(struct mvm_ept *ept, u64 *table, unsigned int level, u64 gpa, u64 end,
			    struct list_head *unlinked)
{
	u64 span = ept_span(level);
	bool changed = false;
	u64 next;

	for (; gpa < end; gpa = next) {
		u64 *entry = &table[ept_index(gpa, level)];

		next = (gpa | (span - 1)) + 1;
		if (!*entry)
			continue;
		if (ept_is_table(*entry, level)) {
			u64 *child = ept_child(*entry);

			/* a table that is covered as a whole is not cleared, just cut off */
			if (next - gpa < span || next > end) {
				changed |= ept_unmap_table(ept, child, level - 1, gpa,
							   min(next, end), unlinked);
				if (memchr_inv(child, 0, PAGE_SIZE))
					continue;
			}
			ept_unlink(ept, child, level - 1, unlinked);
		}
		WRITE_ONCE(*entry, 0);
		changed = true;
	}
	return changed;
}

/**
 * ept_unmap - unmap a range
 * @ept:	the tables
 * @gpa:	first guest-physical address; rounded down to 4 KiB
 * @length:	bytes; the end, of EPT_GPA_BITS at most, is rounded up to 4 KiB
 * @unlinked:	tables that left the tree are added to this list, by page->lru
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
bool ept_unmap(struct mvm_ept *ept, u64 gpa, u64 length, struct list_head *unlinked)
{
	return ept_unmap_table(ept, ept->root, EPT_LEVELS, gpa & PAGE_MASK,
			       PAGE_ALIGN(gpa + length), unlinked);
}

/**
 * ept_destroy - free all tables, the root included
 * @ept:	no CPU uses it any more, none will
 */
void ept_destroy(struct mvm_ept *ept)
{
	LIST_HEAD(unlinked);

	ept_unlink(ept, ept->root, EPT_LEVELS, &unlinked);
	put_pages_list(&unlinked);
}
