// SPDX-License-Identifier: GPL-2.0-only
/*
 * cpuid.c - what a guest's CPUID may show, and the vCPU's table of answers.
 *
 * The supported table is an allow-list: a feature is shown only when it works
 * in a guest of mini-vm.  What is not listed stays hidden, also on CPUs that
 * are newer than this file.  Left out on purpose:
 *
 *   VMX, SMX, SGX, MPX, TSX, PKU, CET, AMX, LA57, WAITPKG, XSAVEC, XSAVES
 *	state or instructions that the module does not switch or that a VMX
 *	control keeps off
 *   MONITOR, DTES64, PDCM, Intel PT, RDT, performance monitoring, EST, TM, ACPI
 *	the host's
 *   MTRR, MCE, MCA
 *	memory is write-back whatever the guest says (EPT with IPAT), and machine
 *	checks are the host's
 *   IBRS, STIBP, SSBD, ARCH_CAPABILITIES, FLUSH_L1D
 *	the guest runs under the host's IA32_SPEC_CTRL; letting it choose would
 *	cost two WRMSRs a window.  MD_CLEAR is shown: VERW needs no MSR
 *
 * state.c and vcpu.c build tables; exits.c looks up.
 */
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sort.h>
#include <linux/string.h>
#include <asm/apicdef.h>
#include <asm/cpufeatures.h>
#include <asm/fpu/types.h>
#include <asm/msr-index.h>
#include <asm/processor.h>
#include <asm/processor-flags.h>
#include "caps.h"
#include "cpuid.h"

#define MAX_BASIC	0x16
#define MAX_EXTENDED	0x80000008
#define MAX_HYPERVISOR	MVM_CPUID_TIMING

/* The bit of a feature in its register. */
#define F(name)		BIT(X86_FEATURE_##name & 31)

/* Features that the kernel headers do not name everywhere */
#define F_FZRM		BIT(10)		/* 7.1 EAX: fast zero-length REP MOVSB */
#define F_FSRS		BIT(11)		/* 7.1 EAX: fast short REP STOSB */
#define F_FSRC		BIT(12)		/* 7.1 EAX: fast short REP CMPSB, SCASB */
#define F_ARAT		BIT(2)		/* 6 EAX: the APIC timer never stops */
#define F_INVARIANT_TSC	BIT(8)		/* 0x80000007 EDX */

/**
 * struct feature_word - the features of one result register
 * @leaf:	CPUID leaf
 * @index:	sub-leaf
 * @reg:	result register
 * @host:	shown where the host has them
 * @always:	shown on every host: the module provides them
 * @avx:	part of @host that needs the AVX state component
 * @avx512:	part of @host that needs the AVX-512 components
 */
struct feature_word {
	u32 leaf;
	u32 index;
	enum mvm_cpuid_reg reg;
	u32 host;
	u32 always;
	u32 avx;
	u32 avx512;
};

static const struct feature_word feature_words[] = {
	{
		.leaf = 1, .reg = MVM_ECX,
		.host = F(XMM3) | F(PCLMULQDQ) | F(SSSE3) | F(CX16) | F(PCID) |
			F(XMM4_1) | F(XMM4_2) | F(MOVBE) | F(POPCNT) | F(AES) |
			F(XSAVE) | F(RDRAND),
		.always = F(X2APIC) | F(TSC_DEADLINE_TIMER) | F(HYPERVISOR),
		.avx = F(AVX) | F(F16C) | F(FMA),
	}, {
		.leaf = 1, .reg = MVM_EDX,
		.host = F(FPU) | F(VME) | F(DE) | F(PSE) | F(TSC) | F(MSR) |
			F(PAE) | F(CX8) | F(SEP) | F(PGE) | F(CMOV) | F(PAT) |
			F(PSE36) | F(CLFLUSH) | F(MMX) | F(FXSR) | F(XMM) |
			F(XMM2) | F(SELFSNOOP),
	}, {
		.leaf = 6, .reg = MVM_EAX, .always = F_ARAT,
	}, {
		.leaf = 7, .reg = MVM_EBX,
		.host = F(FSGSBASE) | F(BMI1) | F(FDP_EXCPTN_ONLY) | F(SMEP) |
			F(BMI2) | F(ERMS) | F(INVPCID) | F(ZERO_FCS_FDS) |
			F(RDSEED) | F(ADX) | F(SMAP) | F(CLFLUSHOPT) | F(CLWB) |
			F(SHA_NI),
		.always = F(TSC_ADJUST),
		.avx = F(AVX2),
		.avx512 = F(AVX512F) | F(AVX512DQ) | F(AVX512IFMA) |
			  F(AVX512PF) | F(AVX512ER) | F(AVX512CD) |
			  F(AVX512BW) | F(AVX512VL),
	}, {
		.leaf = 7, .reg = MVM_ECX,
		.host = F(UMIP) | F(GFNI) | F(RDPID) | F(CLDEMOTE) |
			F(MOVDIRI) | F(MOVDIR64B),
		.avx = F(VAES) | F(VPCLMULQDQ),
		.avx512 = F(AVX512VBMI) | F(AVX512_VBMI2) | F(AVX512_VNNI) |
			  F(AVX512_BITALG) | F(AVX512_VPOPCNTDQ),
	}, {
		.leaf = 7, .reg = MVM_EDX,
		.host = F(FSRM) | F(MD_CLEAR) | F(SERIALIZE),
		.avx512 = F(AVX512_4VNNIW) | F(AVX512_4FMAPS) |
			  F(AVX512_VP2INTERSECT) | F(AVX512_FP16),
	}, {
		.leaf = 7, .index = 1, .reg = MVM_EAX,
		.host = F_FZRM | F_FSRS | F_FSRC,
		.avx = F(AVX_VNNI),
		.avx512 = F(AVX512_BF16),
	}, {
		.leaf = 0xd, .index = 1, .reg = MVM_EAX,
		.host = F(XSAVEOPT) | F(XGETBV1),
	}, {
		.leaf = 0x80000001, .reg = MVM_ECX,
		.host = F(LAHF_LM) | F(ABM) | F(3DNOWPREFETCH),
	}, {
		.leaf = 0x80000001, .reg = MVM_EDX,
		.host = F(SYSCALL) | F(NX) | F(GBPAGES) | F(RDTSCP) | F(LM),
	}, {
		.leaf = 0x80000007, .reg = MVM_EDX, .host = F_INVARIANT_TSC,
	},
};

/*
 * Registers that are no features: SET may put there what it likes.  Everywhere
 * else it may only take bits away.
 */
static const struct {
	u32 first, last;
	u32 regs;		/* mask of BIT(enum mvm_cpuid_reg) */
} free_registers[] = {
	{ 0, 0, 0xf },				/* maximum, vendor */
	{ 1, 1, BIT(MVM_EAX) | BIT(MVM_EBX) }, /* model; CLFLUSH size */
	{ 2, 4, 0xf },				/* caches, serial number */
	{ 0xb, 0xb, 0xf },			/* topology */
	{ 0xd, 0xd, BIT(MVM_EBX) | BIT(MVM_ECX) }, /* computed below */
	{ 0x15, 0x16, 0xf },			/* frequencies */
	{ 0x1f, 0x1f, 0xf },			/* topology */
	{ 0x40000000, 0x4fffffff, 0xf },	/* hypervisor */
	{ 0x80000000, 0x80000000, 0xf },	/* maximum */
	{ 0x80000002, 0x80000006, 0xf },	/* brand, caches */
	{ 0x80000008, 0x80000008, BIT(MVM_EAX) }, /* checked below */
};

static_assert(MVM_CPUID_MAX < CPUID_ABSENT);

static const struct mvm_cpuid_entry zero_entry;

static u32 *entry_reg(struct mvm_cpuid_entry *entry, enum mvm_cpuid_reg reg)
{
	u32 *const regs[] = { &entry->eax, &entry->ebx, &entry->ecx, &entry->edx };

	return regs[reg];
}

static u32 get_reg(const struct mvm_cpuid_entry *entry, enum mvm_cpuid_reg reg)
{
	return *entry_reg((struct mvm_cpuid_entry *)entry, reg);
}

static const struct mvm_cpuid_entry *
find_entry(const struct mvm_cpuid_table *table, u32 leaf, u32 index)
{
	u32 i;

	for (i = 0; i < table->count; i++) {
		const struct mvm_cpuid_entry *entry = &table->entries[i];

		if (entry->function == leaf &&
		    (!(entry->flags & MVM_CPUID_INDEXED) || entry->index == index))
			return entry;
	}
	return NULL;
}

static u32 max_extended(const struct mvm_cpuid_table *table)
{
	const struct mvm_cpuid_entry *entry = find_entry(table, 0x80000000, 0);

	return entry ? entry->eax : 0;
}

/**
 * mvm_cpuid_lookup_slow() - the rare cases of mvm_cpuid_lookup()
 * @table: the vCPU's table
 * @leaf: EAX
 * @index: ECX
 *
 * Never NULL.
 */
const struct mvm_cpuid_entry *
mvm_cpuid_lookup_slow(const struct mvm_cpuid_table *table, u32 leaf, u32 index)
{
	const struct mvm_cpuid_entry *entry = find_entry(table, leaf, index);

	if (entry)
		return entry;
	if (leaf >> 28 == MVM_CPUID_BASE >> 28 || leaf <= table->max_basic ||
	    (leaf >= 0x80000000 && leaf <= max_extended(table)))
		return &zero_entry;
	return find_entry(table, table->max_basic, index) ?: &zero_entry;
}

static int compare_entries(const void *a, const void *b)
{
	const struct mvm_cpuid_entry *x = a, *y = b;

	if (x->function != y->function)
		return x->function < y->function ? -1 : 1;
	if (x->index != y->index)
		return x->index < y->index ? -1 : 1;
	return 0;
}

/* Sort the entries and fill in the index in front of them. */
static void build_index(struct mvm_cpuid_table *table)
{
	const struct mvm_cpuid_entry *zero;
	u32 i;

	sort(table->entries, table->count, sizeof(table->entries[0]), compare_entries, NULL);
	memset(table->first, CPUID_ABSENT, sizeof(table->first));
	for (i = table->count; i-- > 0; ) {
		u32 low = table->entries[i].function & 0x3fffffff;

		if (low < CPUID_RANGE_LEAVES)
			table->first[table->entries[i].function >> 30][low] = i;
	}
	zero = find_entry(table, 0, 0);
	table->max_basic = zero ? zero->eax : 0;
}

/* Building the supported table. */
struct builder {
	struct mvm_cpuid_table *out;
	mvm_cpuid_reader read;
	const struct mvm_caps *caps;
	u32 max_basic, max_extended;	/* the host's */
};

static void read_host(struct builder *b, u32 leaf, u32 index, u32 regs[4])
{
	if (leaf > (leaf & 0x80000000 ? b->max_extended : b->max_basic))
		memset(regs, 0, 4 * sizeof(u32));
	else
		b->read(leaf, index, regs);
}

/* An entry without sub-leaves. */
#define ALONE	U32_MAX

static void add(struct builder *b, u32 leaf, u32 index, u32 eax, u32 ebx, u32 ecx, u32 edx)
{
	b->out->entries[b->out->count++] = (struct mvm_cpuid_entry){
		.function = leaf,
		.index = index == ALONE ? 0 : index,
		.flags = index == ALONE ? 0 : MVM_CPUID_INDEXED,
		.eax = eax, .ebx = ebx, .ecx = ecx, .edx = edx,
	};
}

static void add_host(struct builder *b, u32 leaf)
{
	u32 regs[4];

	read_host(b, leaf, 0, regs);
	add(b, leaf, ALONE, regs[0], regs[1], regs[2], regs[3]);
}

/* Deterministic cache parameters, nothing shared between cores (SDM 2A). */
static void add_caches(struct builder *b)
{
	u32 regs[4], i;

	for (i = 0; i < 8; i++) {
		read_host(b, 4, i, regs);
		if (!(regs[0] & 0x1f))
			break;
		add(b, 4, i, regs[0] & 0x3fff, regs[1], regs[2], regs[3]);
	}
}

/* XSAVE components; sizes and offsets are the CPU's. */
static void add_xsave(struct builder *b)
{
	u64 mask = b->caps->xcr0_mask;
	u32 regs[4], i;

	if (!b->caps->xsave)
		return;
	add(b, 0xd, 0, lower_32_bits(mask), 0, 0, upper_32_bits(mask));
	add(b, 0xd, 1, 0, 0, 0, 0);
	for (i = 2; i < 63; i++) {
		if (!(mask & BIT_ULL(i)))
			continue;
		read_host(b, 0xd, i, regs);
		add(b, 0xd, i, regs[0], regs[1], 0, 0);
	}
}

/* Every leaf, with the feature registers still empty. */
static void add_leaves(struct builder *b)
{
	const struct mvm_caps *caps = b->caps;
	u32 mhz = DIV_ROUND_CLOSEST(caps->tsc_khz, 1000);
	u32 regs[4], leaf;

	read_host(b, 0, 0, regs);
	add(b, 0, ALONE, MAX_BASIC, regs[1], regs[2], regs[3]);
	read_host(b, 1, 0, regs);
	add(b, 1, ALONE, regs[0], regs[1] & 0xff00, 0, 0);
	add_host(b, 2);
	add_caches(b);
	add(b, 6, ALONE, 0, 0, 0, 0);
	read_host(b, 7, 0, regs);
	add(b, 7, 0, min(regs[0], 1U), 0, 0, 0);
	add(b, 7, 1, 0, 0, 0, 0);
	/* One thread in one core in a package of its own: level types 1, 2, 0. */
	add(b, 0xb, 0, 0, 1, 0x100, 0);
	add(b, 0xb, 1, 0, 1, 0x201, 0);
	add(b, 0xb, 2, 0, 0, 2, 0);
	add_xsave(b);
	/* TSC = crystal * EBX / EAX, so guests need not measure it. */
	add(b, 0x15, ALONE, 1, caps->timer_ratio, mvm_caps_timer_hz(caps), 0);
	add(b, 0x16, ALONE, mhz, mhz, 100, 0);

	memcpy(regs, MVM_CPUID_SIGNATURE, 12);
	add(b, MVM_CPUID_BASE, ALONE, MAX_HYPERVISOR, regs[0], regs[1], regs[2]);
	add(b, MVM_CPUID_FEATURES, ALONE, 0, 0, 0, 0);
	add(b, MVM_CPUID_TIMING, ALONE, caps->tsc_khz, caps->tsc_khz / caps->timer_ratio, 0, 0);

	add(b, 0x80000000, ALONE, MAX_EXTENDED, 0, 0, 0);
	add(b, 0x80000001, ALONE, 0, 0, 0, 0);
	for (leaf = 0x80000002; leaf <= 0x80000004; leaf++)
		add_host(b, leaf);
	read_host(b, 0x80000006, 0, regs);
	add(b, 0x80000006, ALONE, 0, 0, regs[2], 0);
	add(b, 0x80000007, ALONE, 0, 0, 0, 0);
	/* EPT with four levels and paging without LA57: 48 bits of each. */
	read_host(b, 0x80000008, 0, regs);
	add(b, 0x80000008, ALONE, clamp(regs[0] & 0xff, 36U, 48U) | 48 << 8, 0, 0, 0);
}

static u32 supported_features(struct builder *b, const struct feature_word *word)
{
	const struct mvm_caps *caps = b->caps;
	u32 mask = word->host;
	u32 regs[4];

	if (caps->xcr0_mask & XFEATURE_MASK_YMM)
		mask |= word->avx;
	if (caps->xcr0_mask & XFEATURE_MASK_AVX512)
		mask |= word->avx512;

	/* These fault in the guest unless a VMX control lets them work. */
	if (word->leaf == 1 && word->reg == MVM_ECX && !caps->xsave)
		mask &= ~F(XSAVE);
	if (word->leaf == 7 && word->reg == MVM_EBX && !caps->invpcid)
		mask &= ~F(INVPCID);
	if (word->leaf == 7 && word->reg == MVM_ECX && !caps->rdtscp)
		mask &= ~F(RDPID);
	if (word->leaf == 0x80000001 && word->reg == MVM_EDX && !caps->rdtscp)
		mask &= ~F(RDTSCP);

	read_host(b, word->leaf, word->index, regs);
	return (regs[word->reg] & mask) | word->always;
}

/**
 * mvm_cpuid_supported() - build the table of what a guest may be shown
 * @out: the table
 * @read: the host's CPUID
 * @caps: what was negotiated
 *
 * Pure.
 */
void mvm_cpuid_supported(struct mvm_cpuid_table *out, mvm_cpuid_reader read,
			 const struct mvm_caps *caps)
{
	struct builder b = { .out = out, .read = read, .caps = caps };
	u32 regs[4];
	u32 i, j;

	memset(out, 0, sizeof(*out));
	read(0, 0, regs);
	b.max_basic = regs[0];
	read(0x80000000, 0, regs);
	b.max_extended = regs[0];

	add_leaves(&b);
	for (i = 0; i < ARRAY_SIZE(feature_words); i++) {
		const struct feature_word *word = &feature_words[i];

		for (j = 0; j < out->count; j++) {
			struct mvm_cpuid_entry *entry = &out->entries[j];

			if (entry->function == word->leaf && entry->index == word->index)
				*entry_reg(entry, word->reg) = supported_features(&b, word);
		}
	}
	build_index(out);
	/* The state after power-up: x87 alone. */
	mvm_cpuid_refresh(out, 0, XFEATURE_MASK_FP, 0, 0);
}

/**
 * mvm_cpuid_read_host() - the CPUID instruction
 * @leaf: EAX
 * @index: ECX
 * @regs: out: EAX, EBX, ECX, EDX
 */
void mvm_cpuid_read_host(u32 leaf, u32 index, u32 regs[4])
{
	cpuid_count(leaf, index, &regs[0], &regs[1], &regs[2], &regs[3]);
}

/* Bits of @entry's register @reg that SET may set. */
static u32 settable(const struct mvm_cpuid_entry *entry, const struct mvm_cpuid_entry *supported,
		    enum mvm_cpuid_reg reg)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(free_registers); i++) {
		if (entry->function >= free_registers[i].first &&
		    entry->function <= free_registers[i].last &&
		    free_registers[i].regs & BIT(reg) && (entry->function != 0xd || !entry->index))
			return U32_MAX;
	}
	/* The two that follow the vCPU's state whatever is written here. */
	i = 0;
	if (entry->function == 1 && reg == MVM_ECX)
		i = F(OSXSAVE);
	if (entry->function == 1 && reg == MVM_EDX)
		i = F(APIC);
	return i | (supported ? get_reg(supported, reg) : 0);
}

static bool entry_ok(const struct mvm_cpuid_entry *entry, const struct mvm_cpuid_table *supported)
{
	const struct mvm_cpuid_entry *known;
	enum mvm_cpuid_reg reg;

	if (entry->flags & ~MVM_CPUID_INDEXED || entry->reserved)
		return false;
	known = find_entry(supported, entry->function, entry->index);
	/* A leaf of features with sub-leaves has them, one without has not. */
	if (known && known->flags != entry->flags)
		return false;
	for (reg = MVM_EAX; reg <= MVM_EDX; reg++) {
		if (get_reg(entry, reg) & ~settable(entry, known, reg))
			return false;
	}
	/* Where the CPU puts a state component is not for us to say. */
	if (entry->function == 0xd && entry->index >= 2)
		return known && entry->eax == known->eax &&
		       entry->ebx == known->ebx && entry->ecx == known->ecx;
	if (entry->function == 0x80000008)
		return (entry->eax & 0xff) <= (known->eax & 0xff);
	return true;
}

static bool same_answer(const struct mvm_cpuid_entry *a, const struct mvm_cpuid_entry *b)
{
	return a->function == b->function &&
	       (!(a->flags & b->flags & MVM_CPUID_INDEXED) || a->index == b->index);
}

/**
 * mvm_cpuid_set() - replace a vCPU's table
 * @table: the vCPU's; untouched after an error
 * @supported: what may be shown
 * @entries: the new entries, from user space
 * @count: how many
 *
 * The caller calls mvm_cpuid_refresh() afterwards.  Returns 0 or -EINVAL: too
 * many entries, two for the same question, a feature bit that @supported lacks,
 * or a wrong layout of the XSAVE area.
 */
int mvm_cpuid_set(struct mvm_cpuid_table *table, const struct mvm_cpuid_table *supported,
		  const struct mvm_cpuid_entry *entries, u32 count)
{
	u32 i, j;

	if (count > MVM_CPUID_MAX)
		return -EINVAL;
	for (i = 0; i < count; i++) {
		if (!entry_ok(&entries[i], supported))
			return -EINVAL;
		for (j = 0; j < i; j++) {
			if (same_answer(&entries[i], &entries[j]))
				return -EINVAL;
		}
	}

	memset(table, 0, sizeof(*table));
	memcpy(table->entries, entries, count * sizeof(*entries));
	table->count = count;
	build_index(table);
	return 0;
}

/**
 * mvm_cpuid_refresh() - bring the bits that follow the vCPU's state up to date
 * @table: the vCPU's
 * @cr4: CR4 as the guest sees it: OSXSAVE
 * @xcr0: XCR0: size of the XSAVE area
 * @apic_base: IA32_APIC_BASE: APIC
 * @apic_id: the local APIC ID
 *
 * Called by the vCPU's runner whenever one of them has changed.
 */
void mvm_cpuid_refresh(struct mvm_cpuid_table *table, u64 cr4, u64 xcr0, u64 apic_base, u32 apic_id)
{
	u32 i;

	for (i = 0; i < table->count; i++) {
		struct mvm_cpuid_entry *entry = &table->entries[i];

		switch (entry->function) {
		case 1:
			entry->ebx = (entry->ebx & 0xffffff) | apic_id << 24;
			entry->ecx &= ~F(OSXSAVE);
			if (cr4 & X86_CR4_OSXSAVE)
				entry->ecx |= F(OSXSAVE);
			entry->edx &= ~F(APIC);
			if (apic_base & MSR_IA32_APICBASE_ENABLE)
				entry->edx |= F(APIC);
			break;
		case 0xb:
		case 0x1f:
			entry->edx = apic_id;
			break;
		case 0xd:
			if (entry->index)
				break;
			entry->ebx = mvm_cpuid_xsave_size(table, xcr0);
			entry->ecx = mvm_cpuid_xsave_size(table, entry->eax);
			break;
		}
	}
}

/**
 * mvm_cpuid_has() - does the table show a feature
 * @table: a table
 * @leaf: leaf
 * @index: sub-leaf
 * @reg: result register
 * @bit: number of the bit in it
 */
bool mvm_cpuid_has(const struct mvm_cpuid_table *table, u32 leaf, u32 index,
		   enum mvm_cpuid_reg reg, unsigned int bit)
{
	const struct mvm_cpuid_entry *entry = find_entry(table, leaf, index);

	return entry && get_reg(entry, reg) & BIT(bit);
}

/* Bits of a register that exist when CPUID shows a feature. */
struct feature_bits {
	u64 bits;
	u32 leaf;
	enum mvm_cpuid_reg reg;
	u32 feature;		/* X86_FEATURE_*, modulo 32 the bit of @reg */
};

static u64 allowed_bits(const struct mvm_cpuid_table *table,
			const struct feature_bits *list, u32 count)
{
	u64 bits = 0;
	u32 i;

	for (i = 0; i < count; i++) {
		if (mvm_cpuid_has(table, list[i].leaf, 0, list[i].reg, list[i].feature & 31))
			bits |= list[i].bits;
	}
	return bits;
}

/**
 * mvm_cpuid_cr4_allowed() - the CR4 bits that the guest may set
 * @table: the vCPU's
 *
 * MCE and PCE are always there: the host owns what the first does, and RDPMC
 * faults whatever the second says.
 */
u64 mvm_cpuid_cr4_allowed(const struct mvm_cpuid_table *table)
{
	static const struct feature_bits list[] = {
		{ X86_CR4_VME | X86_CR4_PVI, 1, MVM_EDX, X86_FEATURE_VME },
		{ X86_CR4_TSD, 1, MVM_EDX, X86_FEATURE_TSC },
		{ X86_CR4_DE, 1, MVM_EDX, X86_FEATURE_DE },
		{ X86_CR4_PSE, 1, MVM_EDX, X86_FEATURE_PSE },
		{ X86_CR4_PAE, 1, MVM_EDX, X86_FEATURE_PAE },
		{ X86_CR4_PGE, 1, MVM_EDX, X86_FEATURE_PGE },
		{ X86_CR4_OSFXSR, 1, MVM_EDX, X86_FEATURE_FXSR },
		{ X86_CR4_OSXMMEXCPT, 1, MVM_EDX, X86_FEATURE_XMM },
		{ X86_CR4_PCIDE, 1, MVM_ECX, X86_FEATURE_PCID },
		{ X86_CR4_OSXSAVE, 1, MVM_ECX, X86_FEATURE_XSAVE },
		{ X86_CR4_FSGSBASE, 7, MVM_EBX, X86_FEATURE_FSGSBASE },
		{ X86_CR4_SMEP, 7, MVM_EBX, X86_FEATURE_SMEP },
		{ X86_CR4_SMAP, 7, MVM_EBX, X86_FEATURE_SMAP },
		{ X86_CR4_UMIP, 7, MVM_ECX, X86_FEATURE_UMIP },
	};

	return X86_CR4_MCE | X86_CR4_PCE | allowed_bits(table, list, ARRAY_SIZE(list));
}

/**
 * mvm_cpuid_efer_allowed() - the EFER bits that the guest may set; LMA is among
 *			      them, though the CPU decides it
 * @table: the vCPU's
 */
u64 mvm_cpuid_efer_allowed(const struct mvm_cpuid_table *table)
{
	static const struct feature_bits list[] = {
		{ EFER_SCE, 0x80000001, MVM_EDX, X86_FEATURE_SYSCALL },
		{ EFER_LME | EFER_LMA, 0x80000001, MVM_EDX, X86_FEATURE_LM },
		{ EFER_NX, 0x80000001, MVM_EDX, X86_FEATURE_NX },
	};

	return allowed_bits(table, list, ARRAY_SIZE(list));
}

/**
 * mvm_cpuid_xcr0_valid() - may the guest load this into XCR0 (SDM 1 13.3)
 * @table: the vCPU's
 * @xcr0: value
 */
bool mvm_cpuid_xcr0_valid(const struct mvm_cpuid_table *table, u64 xcr0)
{
	const struct mvm_cpuid_entry *entry = find_entry(table, 0xd, 0);
	u64 avx512 = xcr0 & XFEATURE_MASK_AVX512;

	if (!entry || !(xcr0 & XFEATURE_MASK_FP) || xcr0 & ~(entry->eax | (u64)entry->edx << 32))
		return false;
	if (xcr0 & XFEATURE_MASK_YMM && !(xcr0 & XFEATURE_MASK_SSE))
		return false;
	return !avx512 || (avx512 == XFEATURE_MASK_AVX512 && xcr0 & XFEATURE_MASK_YMM);
}

/**
 * mvm_cpuid_phys_bits() - width of a guest-physical address
 * @table: the vCPU's
 */
unsigned int mvm_cpuid_phys_bits(const struct mvm_cpuid_table *table)
{
	const struct mvm_cpuid_entry *entry = find_entry(table, 0x80000008, 0);
	u32 bits = entry ? entry->eax & 0xff : 0;

	return bits ?: 36;	/* SDM 2A, CPUID, leaf 0x80000008 */
}

/**
 * mvm_cpuid_xsave_size() - bytes of an XSAVE area in the standard format, of an
 *			    FXSAVE area without XSAVE
 * @table: the vCPU's
 * @xcr0: the state components in it
 */
u32 mvm_cpuid_xsave_size(const struct mvm_cpuid_table *table, u64 xcr0)
{
	u32 size = 512 + 64;	/* legacy region and header (SDM 1 13.4) */
	u32 i;

	if (!find_entry(table, 0xd, 0))
		return 512;	/* FXSAVE */
	for (i = 0; i < table->count; i++) {
		const struct mvm_cpuid_entry *entry = &table->entries[i];

		if (entry->function == 0xd && entry->index >= 2 &&
		    entry->index < 63 && xcr0 & BIT_ULL(entry->index))
			size = max(size, entry->eax + entry->ebx);
	}
	return size;
}
