// SPDX-License-Identifier: GPL-2.0-only
/*
 * msr_test.c - which MSRs a guest has and what they take, the MSR bitmap, and
 * the rules of control registers.
 */
#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/bits.h>
#include "cpuid.h"
#include "cr.h"
#include "msr.h"

extern struct kunit_suite mvm_msr_suite;
extern struct kunit_suite mvm_cr_suite;

static const struct msr_row *find(struct kunit *test, u32 index)
{
	const struct msr_row *row = msr_find(index);

	KUNIT_ASSERT_PTR_NE_MSG(test, row, NULL, "0x%x", index);
	return row;
}

static bool may_write(const struct msr_row *row, u64 data)
{
	return !row->valid || row->valid(data);
}

static void guests_have_these_msrs(struct kunit *test)
{
	static const struct {
		u32 index;
		bool read_only, write_ignored;
	} known[] = {
		{ 0x10 }, { 0x17, true },
		{ 0x1b }, { 0x3b },
		{ 0x8b, false, true },
		{ 0x174 }, { 0x175 },
		{ 0x176 }, { 0x1a0 },
		{ 0x1d9 }, { 0x277 },
		{ 0x6e0 }, { 0x800 },
		{ 0x808 }, { 0x8ff },
		{ 0xc0000080 },
		{ 0xc0000081 }, { 0xc0000082 },
		{ 0xc0000083 }, { 0xc0000084 },
		{ 0xc0000100 }, { 0xc0000101 },
		{ 0xc0000102 }, { 0xc0000103 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(known); i++) {
		const struct msr_row *row = find(test, known[i].index);

		KUNIT_EXPECT_EQ_MSG(test, row->read_only, known[i].read_only, "0x%x",
				    known[i].index);
		KUNIT_EXPECT_EQ_MSG(test, row->write_ignored, known[i].write_ignored, "0x%x",
				    known[i].index);
	}
}

/* Each value is where its name says, and no two MSRs share a place. */
static void msr_values_have_their_places(struct kunit *test)
{
	static const struct {
		u32 index, field, offset;
	} places[] = {
		{ 0x174, 0x482a }, { 0x175, 0x6824 }, { 0x176, 0x6826 },
		{ 0x1d9, 0x2802 }, { 0x277, 0x2804 }, { 0xc0000080, 0x2806 },
		{ 0xc0000100, 0x680e }, { 0xc0000101, 0x6810 },
		{ 0xc0000081, 0, offsetof(struct mvm_msr_state, star) },
		{ 0xc0000082, 0, offsetof(struct mvm_msr_state, lstar) },
		{ 0xc0000083, 0, offsetof(struct mvm_msr_state, cstar) },
		{ 0xc0000084, 0, offsetof(struct mvm_msr_state, fmask) },
		{ 0xc0000102, 0, offsetof(struct mvm_msr_state, kernel_gs_base) },
		{ 0x1a0, 0, offsetof(struct mvm_msr_state, misc_enable) },
		{ 0x8b, 0, offsetof(struct mvm_msr_state, ucode_revision) },
		{ 0x17, 0, offsetof(struct mvm_msr_state, platform_id) },
		{ 0x3b, 0, offsetof(struct mvm_msr_state, tsc_adjust) },
		{ 0xc0000103, 0, offsetof(struct mvm_msr_state, tsc_aux) },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		const struct msr_row *row = find(test, places[i].index);

		KUNIT_EXPECT_EQ_MSG(test, row->field, places[i].field, "0x%x", row->index);
		KUNIT_EXPECT_EQ_MSG(test, row->offset, places[i].offset, "0x%x", row->index);
	}
}

static void hidden_msrs_do_not_exist(struct kunit *test)
{
	static const u32 hidden[] = {
		0x0, 0x1, 0x34, 0x3a, 0x48, 0x49, 0x79, 0xc1, 0xce, 0xcd, 0xe7,
		0xfe, 0x10a, 0x10b, 0x122, 0x140, 0x179, 0x17a, 0x186, 0x19c,
		0x1b0, 0x200, 0x2ff, 0x345, 0x38d, 0x38f, 0x3f1, 0x400, 0x480,
		0x491, 0x570, 0x6a0, 0x6e1, 0x7ff, 0x900, 0xd90, 0xda0,
		0x40000000, 0x4b564d00, 0xc000007f, 0xc0000085, 0xc00000ff,
		0xc0000104, 0xc0010015, 0xffffffff,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(hidden); i++)
		KUNIT_EXPECT_PTR_EQ_MSG(test, msr_find(hidden[i]), NULL, "0x%x",
					hidden[i]);
}

static void msr_values_are_checked(struct kunit *test)
{
	static const struct {
		u32 index;
		u64 data;
		bool valid;
	} cases[] = {
		/* canonical addresses of 48 bits */
		{ 0xc0000102, 0, true },
		{ 0xc0000102, 0x00007fffffffffff, true },
		{ 0xc0000102, 0x0000800000000000, false },
		{ 0xc0000102, 0xffff7fffffffffff, false },
		{ 0xc0000102, 0xffff800000000000, true },
		{ 0xc0000102, 0xffffffffffffffff, true },
		{ 0xc0000082, 0x0001000000000000, false },
		{ 0xc0000083, 0x8000000000000000, false },
		{ 0xc0000100, 0x0000800000000000, false },
		{ 0xc0000101, 0x0000800000000000, false },
		{ 0x175, 0x0000800000000000, false },
		{ 0x176, 0x0000800000000000, false },
		{ 0x176, 0xffffffff81000000, true },
		/* 32 bits */
		{ 0xc0000084, 0xffffffff, true },
		{ 0xc0000084, 0x100000000, false },
		{ 0xc0000103, 0xffffffff, true },
		{ 0xc0000103, 0x100000000, false },
		{ 0x174, 0x100000000, false },
		/* anything */
		{ 0xc0000081, ~0ULL, true },
		{ 0x10, ~0ULL, true },
		{ 0x3b, ~0ULL, true },
		{ 0x6e0, ~0ULL, true },
		/* memory types: 0, 1, 4 to 7 */
		{ 0x277, 0x0007040600070406, true },
		{ 0x277, 0x0007010600070106, true },
		{ 0x277, 0x0706050401000706, true },
		{ 0x277, 0x0000000000000002, false },
		{ 0x277, 0x0000000000000003, false },
		{ 0x277, 0x0200000000000000, false },
		{ 0x277, 0x0000030000000000, false },
		{ 0x277, 0x0000000000000008, false },
		{ 0x277, 0x8000000000000000, false },
		/* MISC_ENABLE: fast strings may change */
		{ 0x1a0, 0x1801, true },
		{ 0x1a0, 0x1800, true },
		{ 0x1a0, 0x0001, false },
		{ 0x1a0, 0x1801 | BIT_ULL(18), false },
		{ 0x1a0, 0x1801 | BIT_ULL(34), false },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test, cases[i].valid,
				    may_write(find(test, cases[i].index), cases[i].data),
				    "0x%x 0x%llx", cases[i].index, cases[i].data);
}

/* LBR and BTF, no other bit. */
static void debugctl_bits(struct kunit *test)
{
	const struct msr_row *row = find(test, 0x1d9);
	unsigned int bit;

	KUNIT_EXPECT_TRUE(test, row->valid(0));
	for (bit = 0; bit < 64; bit++)
		KUNIT_EXPECT_EQ_MSG(test, bit <= 1, row->valid(BIT_ULL(bit)),
				    "bit %u", bit);
}

/* Each of 256 values of one byte of PAT, in each place. */
static void pat_types_in_every_place(struct kunit *test)
{
	const struct msr_row *row = find(test, 0x277);
	unsigned int place, type;

	for (place = 0; place < 8; place++) {
		for (type = 0; type < 256; type++) {
			u64 data = (u64)type << (8 * place);
			bool valid = type <= 1 || (type >= 4 && type <= 7);

			KUNIT_EXPECT_EQ_MSG(test, valid, row->valid(data),
					    "0x%llx", data);
		}
	}
}

static void msrs_after_power_up(struct kunit *test)
{
	struct mvm_msr_state msr = {};

	mvm_msr_init(&msr);
	KUNIT_EXPECT_EQ(test, msr.misc_enable, 0x1801ULL);
	KUNIT_EXPECT_EQ(test, msr.ucode_revision, 0x100000000ULL);
	KUNIT_EXPECT_EQ(test, msr.platform_id, 0ULL);
	KUNIT_EXPECT_FALSE(test, msr.swap_kernel_gs);
	KUNIT_EXPECT_FALSE(test, msr.swap_syscall);
	/* What is there can be written back. */
	KUNIT_EXPECT_TRUE(test, find(test, 0x1a0)->valid(msr.misc_enable));
}

static unsigned long *new_bitmap(struct kunit *test)
{
	unsigned long *bitmap = kunit_kzalloc(test, MVM_MSR_BITMAP_SIZE,
					      GFP_KERNEL);

	KUNIT_ASSERT_PTR_NE(test, bitmap, NULL);
	return bitmap;
}

/* SDM 3C 25.6.9: four quarters, by byte and bit. */
static void bitmap_bits_are_where_the_sdm_says(struct kunit *test)
{
	static const struct {
		u32 index;
		unsigned int read_byte, write_byte, bit;
	} cases[] = {
		{ 0x0, 0x000, 0x800, 0 },
		{ 0x10, 0x002, 0x802, 0 },
		{ 0x175, 0x02e, 0x82e, 5 },
		{ 0x1fff, 0x3ff, 0xbff, 7 },
		{ 0xc0000000, 0x400, 0xc00, 0 },
		{ 0xc0000080, 0x410, 0xc10, 0 },
		{ 0xc0000102, 0x420, 0xc20, 2 },
		{ 0xc0001fff, 0x7ff, 0xfff, 7 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned long *bitmap = new_bitmap(test);
		u8 *bytes = (u8 *)bitmap;
		u8 bit = BIT(cases[i].bit);

		memset(bytes, 0xff, MVM_MSR_BITMAP_SIZE);
		mvm_msr_bitmap_pass(bitmap, cases[i].index, 1, false);
		KUNIT_EXPECT_EQ(test, bytes[cases[i].read_byte], (u8)~bit);
		KUNIT_EXPECT_EQ(test, bytes[cases[i].write_byte], 0xff);
		KUNIT_EXPECT_EQ(test, bitmap_weight(bitmap, 32768), 32767);

		mvm_msr_bitmap_pass(bitmap, cases[i].index, 1, true);
		KUNIT_EXPECT_EQ(test, bytes[cases[i].read_byte], (u8)~bit);
		KUNIT_EXPECT_EQ(test, bytes[cases[i].write_byte], (u8)~bit);
		KUNIT_EXPECT_EQ(test, bitmap_weight(bitmap, 32768), 32766);
	}
}

static void bitmap_passes_neighbours(struct kunit *test)
{
	unsigned long *bitmap = new_bitmap(test);

	memset(bitmap, 0xff, MVM_MSR_BITMAP_SIZE);
	mvm_msr_bitmap_pass(bitmap, 0xc0000081, 4, true);
	KUNIT_EXPECT_EQ(test, bitmap_weight(bitmap, 32768), 32768 - 2 * 4);
	KUNIT_EXPECT_EQ(test, ((u8 *)bitmap)[0x410], 0xe1);
	KUNIT_EXPECT_EQ(test, ((u8 *)bitmap)[0xc10], 0xe1);
}

static bool passes(const unsigned long *bitmap, u32 index, bool write)
{
	unsigned int bit = (write ? 0x4000 : 0) +
			   (index >= 0xc0000000 ? 0x2000 : 0) + (index & 0x1fff);

	return !test_bit(bit, bitmap);
}

/* What goes through is switched by hardware, and nothing else goes through. */
static void new_bitmap_passes_exactly_these(struct kunit *test)
{
	static const u32 both[] = {
		0x174, 0x175, 0x176, 0x277, 0xc0000100, 0xc0000101,
	}, read_only[] = { 0x10, 0xc0000080 };
	unsigned long *bitmap = new_bitmap(test);
	unsigned int i;

	mvm_msr_bitmap_init(bitmap);
	for (i = 0; i < ARRAY_SIZE(both); i++) {
		KUNIT_EXPECT_TRUE(test, passes(bitmap, both[i], false));
		KUNIT_EXPECT_TRUE(test, passes(bitmap, both[i], true));
	}
	for (i = 0; i < ARRAY_SIZE(read_only); i++) {
		KUNIT_EXPECT_TRUE(test, passes(bitmap, read_only[i], false));
		KUNIT_EXPECT_FALSE(test, passes(bitmap, read_only[i], true));
	}
	KUNIT_EXPECT_EQ(test, bitmap_weight(bitmap, 32768), 32768 - 2 * 6 - 2);
}

/* SDM 3C 30.5; what passes once exits again when the mode changes. */
static void bitmap_passes_the_x2apic_as_told(struct kunit *test)
{
	unsigned long *bitmap = new_bitmap(test);
	unsigned int i;

	memset(bitmap, 0xff, MVM_MSR_BITMAP_SIZE);
	for (i = 0; i < 16; i++) {
		bool tpr = i & 1, eoi = i & 2, self_ipi = i & 4;

		mvm_msr_bitmap_apic(bitmap, tpr, eoi, self_ipi);
		KUNIT_EXPECT_EQ(test, passes(bitmap, 0x808, false), tpr);
		KUNIT_EXPECT_EQ(test, passes(bitmap, 0x808, true), tpr);
		KUNIT_EXPECT_FALSE(test, passes(bitmap, 0x80b, false));
		KUNIT_EXPECT_EQ(test, passes(bitmap, 0x80b, true), eoi);
		KUNIT_EXPECT_FALSE(test, passes(bitmap, 0x83f, false));
		KUNIT_EXPECT_EQ(test, passes(bitmap, 0x83f, true), self_ipi);
		KUNIT_EXPECT_EQ(test, bitmap_weight(bitmap, 32768),
				32768 - 2 * tpr - eoi - self_ipi);
	}
}

static struct kunit_case msr_cases[] = {
	KUNIT_CASE(guests_have_these_msrs),
	KUNIT_CASE(msr_values_have_their_places),
	KUNIT_CASE(hidden_msrs_do_not_exist),
	KUNIT_CASE(msr_values_are_checked),
	KUNIT_CASE(debugctl_bits),
	KUNIT_CASE(pat_types_in_every_place),
	KUNIT_CASE(msrs_after_power_up),
	KUNIT_CASE(bitmap_bits_are_where_the_sdm_says),
	KUNIT_CASE(bitmap_passes_neighbours),
	KUNIT_CASE(new_bitmap_passes_exactly_these),
	KUNIT_CASE(bitmap_passes_the_x2apic_as_told),
	{}
};

struct kunit_suite mvm_msr_suite = {
	.name = "mvm_msr",
	.test_cases = msr_cases,
};

/* ------------------------------------------------------------------------
 * Control registers
 */

#define PE	X86_CR0_PE
#define NW	X86_CR0_NW
#define CD	X86_CR0_CD
#define PG	X86_CR0_PG
#define PAE	X86_CR4_PAE
#define PCIDE	X86_CR4_PCIDE
#define LME	EFER_LME
#define LMA	EFER_LMA

static void cr0_writes(struct kunit *test)
{
	static const struct {
		u64 old, new, cr4, efer;
		bool cs_l, tss16, legal;
	} cases[] = {
		{ 0, PE, 0, 0, false, false, true },
		{ 0, PE | CD | NW, 0, 0, false, false, true },
		{ 0, PE | CD, 0, 0, false, false, true },
		{ 0, NW, 0, 0, false, false, false },
		{ 0, PG, 0, 0, false, false, false },
		{ 0, PG | PE, 0, 0, false, false, true },
		{ 0, BIT_ULL(32), 0, 0, false, false, false },
		{ 0, BIT_ULL(63), 0, 0, false, false, false },
		{ 0, BIT_ULL(20) | PE, 0, 0, false, false, true },
		/* into long mode */
		{ PE, PG | PE, PAE, LME, false, false, true },
		{ PE, PG | PE, 0, LME, false, false, false },
		{ PE, PG | PE, PAE, LME, true, false, false },
		{ PE, PG | PE, PAE, LME, false, true, false },
		{ PE, PG | PE, PAE, 0, false, true, true },
		/* out of it */
		{ PG | PE, PE, PAE, LME | LMA, false, false, true },
		{ PG | PE, PE, PAE, LME | LMA, true, false, false },
		{ PG | PE, PE, PAE | PCIDE, LME | LMA, false, false, false },
		{ PG | PE, 0, PAE, LME | LMA, false, false, true },
		{ PG | PE, PG, PAE, LME | LMA, false, false, false },
		/* paging stays on: none of that matters */
		{ PG | PE, PG | PE | CD, PAE | PCIDE, LME | LMA, true, true, true },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test, cases[i].legal,
				    mvm_cr0_check(cases[i].old, cases[i].new,
						  cases[i].cr4, cases[i].efer,
						  cases[i].cs_l, cases[i].tss16),
				    "case %u", i);
}

static void cr4_writes(struct kunit *test)
{
	static const u64 allowed = PAE | PCIDE | X86_CR4_PGE;
	static const struct {
		u64 old, new, cr3, efer;
		bool legal;
	} cases[] = {
		{ 0, 0, 0, 0, true },
		{ 0, PAE, 0, 0, true },
		{ PAE, 0, 0, 0, true },
		{ PAE, 0, 0, LME | LMA, false },
		{ PAE, PAE | X86_CR4_PGE, 0, LME | LMA, true },
		{ 0, X86_CR4_VMXE, 0, 0, false },
		{ 0, X86_CR4_SMEP, 0, 0, false },
		{ 0, BIT_ULL(63), 0, 0, false },
		{ PAE, PAE | PCIDE, 0x1000, LME | LMA, true },
		{ PAE, PAE | PCIDE, 0x1001, LME | LMA, false },
		{ PAE, PAE | PCIDE, 0x1000, 0, false },
		{ PAE | PCIDE, PAE | PCIDE, 0x1001, LME | LMA, true },
		{ PAE | PCIDE, PAE, 0x1001, LME | LMA, true },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test, cases[i].legal,
				    mvm_cr4_check(cases[i].old, cases[i].new,
						  allowed, cases[i].cr3,
						  cases[i].efer),
				    "case %u", i);
}

static void register_combinations(struct kunit *test)
{
	static const struct {
		u64 cr0, cr3, cr4, efer;
		bool valid;
	} cases[] = {
		{ 0x60000010, 0, 0, 0, true },
		{ PE | PG, 0x1000, 0, 0, true },
		{ PG, 0, 0, 0, false },
		{ NW, 0, 0, 0, false },
		{ BIT_ULL(20), 0, 0, 0, false },
		{ BIT_ULL(40), 0, 0, 0, false },
		{ PE | PG, 0x1000, PAE, LME | LMA, true },
		{ PE | PG, 0x1000, PAE, LME, false },
		{ PE, 0x1000, PAE, LME | LMA, false },
		{ PE | PG, 0x1000, PAE, LMA, false },
		{ PE | PG, 0x1000, 0, LME | LMA, false },
		{ PE, 0x1000, PAE, LME, true },
		{ PE | PG, 0x1000, PAE | PCIDE, LME | LMA, true },
		{ PE | PG, 0x1000, PAE | PCIDE, 0, false },
		{ PE, 0, 0, EFER_NX | EFER_SCE, true },
		{ PE, 0, 0, EFER_SVME, false },
		{ PE, 0, X86_CR4_VMXE, 0, false },
		{ PE, 0, X86_CR4_SMAP, 0, false },	/* not in the table */
		{ PE | PG, BIT_ULL(39) - 1, 0, 0, true },
		{ PE | PG, BIT_ULL(39), 0, 0, false },
		{ PE | PG, BIT_ULL(63), 0, 0, false },
	};
	struct mvm_cpuid_table *table = kunit_kzalloc(test, sizeof(*table),
						      GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_PTR_NE(test, table, NULL);
	table->count = 3;
	table->entries[0] = (struct mvm_cpuid_entry){
		.function = 1, .edx = BIT(6), .ecx = BIT(17),	/* PAE, PCID */
	};
	table->entries[1] = (struct mvm_cpuid_entry){
		.function = 0x80000001, .edx = BIT(11) | BIT(20) | BIT(29),
	};
	table->entries[2] = (struct mvm_cpuid_entry){
		.function = 0x80000008, .eax = 39,
	};
	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test, cases[i].valid,
				    mvm_cr_valid(cases[i].cr0, cases[i].cr3,
						 cases[i].cr4, cases[i].efer,
						 table),
				    "case %u", i);
}

static void pae_paging_is_told_from_the_others(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, pae_paging(PG | PE, PAE, 0));
	KUNIT_EXPECT_TRUE(test, pae_paging(PG | PE, PAE, EFER_NX));
	KUNIT_EXPECT_FALSE(test, pae_paging(PG | PE, PAE, LME | LMA));
	KUNIT_EXPECT_FALSE(test, pae_paging(PG | PE, PAE, LME));
	KUNIT_EXPECT_FALSE(test, pae_paging(PG | PE, 0, 0));
	KUNIT_EXPECT_FALSE(test, pae_paging(PE, PAE, 0));
}

/* SDM 3A table 4-8: bits 2:1, 8:5 and those from the width on are reserved. */
static void pdptes(struct kunit *test)
{
	unsigned int bit;

	for (bit = 1; bit < 64; bit++) {
		bool reserved = bit == 1 || bit == 2 ||
				(bit >= 5 && bit <= 8) || bit >= 39;

		KUNIT_EXPECT_EQ_MSG(test, !reserved,
				    mvm_pdpte_valid(BIT_ULL(bit) | 1, 39),
				    "bit %u", bit);
		/* not present: anything */
		KUNIT_EXPECT_TRUE(test, mvm_pdpte_valid(BIT_ULL(bit), 39));
	}
	KUNIT_EXPECT_TRUE(test, mvm_pdpte_valid(1, 39));
	KUNIT_EXPECT_FALSE(test, mvm_pdpte_valid(~0ULL, 39));
	KUNIT_EXPECT_FALSE(test, mvm_pdpte_valid(~0ULL, 52));
}

static struct kunit_case cr_cases[] = {
	KUNIT_CASE(cr0_writes),
	KUNIT_CASE(cr4_writes),
	KUNIT_CASE(register_combinations),
	KUNIT_CASE(pae_paging_is_told_from_the_others),
	KUNIT_CASE(pdptes),
	{}
};

struct kunit_suite mvm_cr_suite = {
	.name = "mvm_cr",
	.test_cases = cr_cases,
};
