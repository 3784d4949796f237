/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ept.h - extended page tables: map, unmap and look up guest-physical
 * addresses.  Pure: table pages come in through a cache and nothing here
 * executes a VMX instruction, so KUnit tests it on any CPU.  Used by memory.c.
 *
 * Flushing is the caller's part (SDM 3C 29.4.3): a mapping that is added where
 * none was needs none; after ept_unmap() returned true, stale translations may
 * be cached and CPUs may still walk the tables that it unlinked.
 */
#ifndef MVM_EPT_H
#define MVM_EPT_H

#include <linux/bits.h>
#include <linux/list.h>
#include <linux/types.h>

/* EPT entry bits (SDM 3C 29.3.2) */
#define EPT_READ	BIT_ULL(0)
#define EPT_WRITE	BIT_ULL(1)
#define EPT_EXEC	BIT_ULL(2)
#define EPT_RWX		(EPT_READ | EPT_WRITE | EPT_EXEC)
#define EPT_TYPE_WB	(6ULL << 3)
#define EPT_IPAT	BIT_ULL(6)
#define EPT_LARGE	BIT_ULL(7)
#define EPT_ADDRESS	GENMASK_ULL(51, 12)

/* EPTP bits (SDM 3C 25.6.11) */
#define EPTP_TYPE_WB	6ULL
#define EPTP_WALK_4	(3ULL << 3)

/*
 * A level names a table and its entries: level 1 entries map 4 KiB, level 2
 * entries 2 MiB or a level 1 table, and so on; the root is the level 4 table.
 */
#define EPT_LEVELS	4
#define EPT_LEVEL_4K	1U
#define EPT_LEVEL_2M	2U
#define EPT_ENTRIES	512
/* bits of a GPA that four levels translate */
#define EPT_GPA_BITS	48
/* table pages that one ept_map() may need */
#define EPT_MAP_TABLES	(EPT_LEVELS - 1)

/* Table pages for one ept_map(), which runs where nothing can be allocated. */
struct ept_cache {
	void *pages[EPT_MAP_TABLES];	/* zeroed pages */
	unsigned int count;		/* of them */
};

/*
 * One EPT.  Every table but the root has an entry that is present: what is
 * mapped bounds the number of tables.
 *
 * Locks: [I] immutable, [C] the caller's lock.
 */
struct mvm_ept {
	u64 *root;			/* [I] level 4 table, kernel address */
	unsigned long pages;		/* [C] linked table pages, with the root */
};

/* Bytes that an entry of @level maps. */
static inline u64 ept_span(unsigned int level)
{
	return 1ULL << (12 + 9 * (level - 1));
}

int ept_init(struct mvm_ept *ept);
void ept_destroy(struct mvm_ept *ept);
int ept_map(struct mvm_ept *ept, u64 gpa, u64 pa, unsigned int level, u64 access,
	    struct ept_cache *cache);
bool ept_unmap(struct mvm_ept *ept, u64 gpa, u64 length, struct list_head *unlinked);
u64 *ept_walk(const struct mvm_ept *ept, u64 gpa, unsigned int *level);

#endif /* MVM_EPT_H */
