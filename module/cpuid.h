/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cpuid.h - what the guest's CPUID instruction answers.  Pure: the host's
 * CPUID comes in as a callback, so KUnit tests it.  The look-up of a CPUID exit
 * is here, inline: it decides what the commonest exit costs.
 *
 * A vCPU's table is owned by its runner; mvm_supported_cpuid is written once
 * while the module loads.
 */
#ifndef MVM_CPUID_H
#define MVM_CPUID_H

#include <linux/bits.h>
#include <linux/nospec.h>
#include <linux/types.h>
#include <linux/mini_vm.h>

struct mvm_caps;

/* Leaves that a table can hold: 32 in each of four ranges, by bits 31:30. */
#define CPUID_RANGE_LEAVES	32
#define CPUID_RANGES		4
#define CPUID_ABSENT		0xff

/**
 * struct mvm_cpuid_table - the answers, and where to find them
 * @count:	entries in use
 * @max_basic:	highest basic leaf: EAX of leaf 0
 * @first:	index in @entries of the first entry of a leaf, or CPUID_ABSENT
 * @entries:	sorted by function, then index
 */
struct mvm_cpuid_table {
	u32 count, max_basic;
	u8 first[CPUID_RANGES][CPUID_RANGE_LEAVES];
	struct mvm_cpuid_entry entries[MVM_CPUID_MAX];
};

/* The bit of a feature in its register. */
#define CPUID_BIT(name)		BIT(X86_FEATURE_##name & 31)

enum mvm_cpuid_reg { MVM_EAX, MVM_EBX, MVM_ECX, MVM_EDX };

/* Everything that a guest may be shown on this host. */
extern struct mvm_cpuid_table mvm_supported_cpuid;

/* The CPUID instruction, or a test's stand-in; @regs: EAX, EBX, ECX, EDX. */
typedef void (*mvm_cpuid_reader)(u32 leaf, u32 index, u32 regs[4]);

/* The host's own; outside tests the reader for mvm_cpuid_supported(). */
void mvm_cpuid_read_host(u32 leaf, u32 index, u32 regs[4]);

void mvm_cpuid_supported(struct mvm_cpuid_table *out, mvm_cpuid_reader read,
			 const struct mvm_caps *caps);
int mvm_cpuid_prepare(struct mvm_cpuid_table *table, const struct mvm_cpuid_table *supported);
void mvm_cpuid_refresh(struct mvm_cpuid_table *table, u64 cr4, u64 xcr0, u64 apic_base,
		       u32 apic_id);

const struct mvm_cpuid_entry *mvm_cpuid_find(const struct mvm_cpuid_table *table, u32 leaf,
					     u32 index);
u64 mvm_cpuid_cr4_allowed(const struct mvm_cpuid_table *table);
u64 mvm_cpuid_efer_allowed(const struct mvm_cpuid_table *table);
bool mvm_cpuid_xcr0_valid(const struct mvm_cpuid_table *table, u64 xcr0);
unsigned int mvm_cpuid_phys_bits(const struct mvm_cpuid_table *table);
u32 mvm_cpuid_xsave_size(const struct mvm_cpuid_table *table, u64 xcr0);

const struct mvm_cpuid_entry *mvm_cpuid_lookup_slow(const struct mvm_cpuid_table *table, u32 leaf,
						    u32 index);

/**
 * mvm_cpuid_lookup - the answer to a CPUID instruction
 * @table:	the vCPU's table
 * @leaf:	EAX
 * @index:	ECX
 *
 * Never NULL: what the table lacks is answered as SDM 2A says (CPUID): a leaf
 * above the maximum as the highest basic leaf, others with zeros.
 */
static __always_inline const struct mvm_cpuid_entry *
mvm_cpuid_lookup(const struct mvm_cpuid_table *table, u32 leaf, u32 index)
{
	const struct mvm_cpuid_entry *entry;
	u32 low = leaf & 0x3fffffff, first;

	if (unlikely(low >= CPUID_RANGE_LEAVES))
		return mvm_cpuid_lookup_slow(table, leaf, index);
	low = array_index_nospec(low, CPUID_RANGE_LEAVES);
	first = table->first[leaf >> 30][low];
	if (unlikely(first >= MVM_CPUID_MAX))
		return mvm_cpuid_lookup_slow(table, leaf, index);
	entry = &table->entries[array_index_nospec(first, MVM_CPUID_MAX)];
	if (unlikely(entry->flags && entry->index != index))
		return mvm_cpuid_lookup_slow(table, leaf, index);
	return entry;
}

#endif /* MVM_CPUID_H */
