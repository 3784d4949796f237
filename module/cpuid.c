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
#include <linux/sort.h>
#include <linux/string.h>
#include <asm/msr-index.h>
#include <asm/processor.h>
#include "caps.h"
#include "cpuid.h"

#define MAX_BASIC	0x16
#define MAX_EXTENDED	0x80000008
#define MAX_HYPERVISOR	MVM_CPUID_TIMING

#define F(name)		CPUID_BIT(name)

/* Features that the kernel headers do not name everywhere */
#define F_FZRM		BIT(10)		/* 7.1 EAX: fast zero-length REP MOVSB */
#define F_FSRS		BIT(11)		/* 7.1 EAX: fast short REP STOSB */
#define F_FSRC		BIT(12)		/* 7.1 EAX: fast short REP CMPSB, SCASB */
#define F_INVARIANT_TSC	BIT(8)		/* 0x80000007 EDX */

/**
 * struct feature_word - the features of one result register
 * @leaf:	CPUID leaf
 * @index:	sub-leaf
 * @reg:	result register
 * @always:	shown on every host: the module provides them
 * @host:	shown where the host has them
 * @xsave:	likewise, and XSAVE works in the guest
 * @avx:	likewise, and guests may enable the AVX state component
 * @avx512:	likewise, and guests may enable the AVX-512 components
 * @invpcid:	likewise, and INVPCID works in the guest
 * @rdtscp:	likewise, and RDTSCP and RDPID work in the guest
 */
struct feature_word {
	u32 leaf, index;
	enum mvm_cpuid_reg reg;
	u32 always, host, xsave, avx, avx512, invpcid, rdtscp;
};

static const struct feature_word feature_words[] = {
	{ 1, 0, MVM_ECX, .always = F(X2APIC) | F(TSC_DEADLINE_TIMER) | F(HYPERVISOR),
	  .host = F(XMM3) | F(PCLMULQDQ) | F(SSSE3) | F(CX16) | F(PCID) | F(XMM4_1) | F(XMM4_2) |
		  F(MOVBE) | F(POPCNT) | F(AES) | F(RDRAND),
	  .xsave = F(XSAVE), .avx = F(AVX) | F(F16C) | F(FMA) },
	{ 1, 0, MVM_EDX,
	  .host = F(FPU) | F(VME) | F(DE) | F(PSE) | F(TSC) | F(MSR) | F(PAE) | F(CX8) | F(SEP) |
		  F(PGE) | F(CMOV) | F(PAT) | F(PSE36) | F(CLFLUSH) | F(MMX) | F(FXSR) | F(XMM) |
		  F(XMM2) | F(SELFSNOOP) },
	{ 6, 0, MVM_EAX, .always = F(ARAT) },	/* the APIC timer never stops */
	{ 7, 0, MVM_EBX, .always = F(TSC_ADJUST),
	  .host = F(FSGSBASE) | F(BMI1) | F(FDP_EXCPTN_ONLY) | F(SMEP) | F(BMI2) | F(ERMS) |
		  F(ZERO_FCS_FDS) | F(RDSEED) | F(ADX) | F(SMAP) | F(CLFLUSHOPT) | F(CLWB) |
		  F(SHA_NI),
	  .avx = F(AVX2), .invpcid = F(INVPCID),
	  .avx512 = F(AVX512F) | F(AVX512DQ) | F(AVX512IFMA) | F(AVX512PF) | F(AVX512ER) |
		    F(AVX512CD) | F(AVX512BW) | F(AVX512VL) },
	{ 7, 0, MVM_ECX, .host = F(UMIP) | F(GFNI) | F(CLDEMOTE) | F(MOVDIRI) | F(MOVDIR64B),
	  .avx = F(VAES) | F(VPCLMULQDQ), .rdtscp = F(RDPID),
	  .avx512 = F(AVX512VBMI) | F(AVX512_VBMI2) | F(AVX512_VNNI) | F(AVX512_BITALG) |
		    F(AVX512_VPOPCNTDQ) },
	{ 7, 0, MVM_EDX, .host = F(FSRM) | F(MD_CLEAR) | F(SERIALIZE),
	  .avx512 = F(AVX512_4VNNIW) | F(AVX512_4FMAPS) | F(AVX512_VP2INTERSECT) | F(AVX512_FP16) },
	{ 7, 1, MVM_EAX, .host = F_FZRM | F_FSRS | F_FSRC,
	  .avx = F(AVX_VNNI), .avx512 = F(AVX512_BF16) },
	{ 0xd, 1, MVM_EAX, .host = F(XSAVEOPT) | F(XGETBV1) },
	{ 0x80000001, 0, MVM_ECX, .host = F(LAHF_LM) | F(ABM) | F(3DNOWPREFETCH) },
	{ 0x80000001, 0, MVM_EDX, .host = F(SYSCALL) | F(NX) | F(GBPAGES) | F(LM),
	  .rdtscp = F(RDTSCP) },
	{ 0x80000007, 0, MVM_EDX, .host = F_INVARIANT_TSC },
};

static_assert(MVM_CPUID_MAX < CPUID_ABSENT);

/* What is not in a table reads as zeros. */
static const struct mvm_cpuid_entry absent;

#define for_each_entry(entry, table)	\
	for ((entry) = (table)->entries; (entry) < (table)->entries + (table)->count; (entry)++)

/**
 * mvm_cpuid_find() - an entry of a table
 * @table: a table
 * @leaf: leaf
 * @index: sub-leaf
 *
 * Never NULL: what is not in the table are zeros.
 */
const struct mvm_cpuid_entry *mvm_cpuid_find(const struct mvm_cpuid_table *table, u32 leaf,
					     u32 index)
{
	const struct mvm_cpuid_entry *entry;

	for_each_entry(entry, table) {
		if (entry->function == leaf &&
		    (!(entry->flags & MVM_CPUID_INDEXED) || entry->index == index))
			return entry;
	}
	return &absent;
}

/**
 * mvm_cpuid_lookup_slow() - the rare cases of mvm_cpuid_lookup()
 * @table: the vCPU's table
 * @leaf: EAX
 * @index: ECX
 *
 * Never NULL.
 */
const struct mvm_cpuid_entry *mvm_cpuid_lookup_slow(const struct mvm_cpuid_table *table, u32 leaf,
						    u32 index)
{
	const struct mvm_cpuid_entry *entry = mvm_cpuid_find(table, leaf, index);

	if (entry != &absent || leaf >> 28 == MVM_CPUID_BASE >> 28 || leaf <= table->max_basic ||
	    (leaf >= 0x80000000 && leaf <= mvm_cpuid_find(table, 0x80000000, 0)->eax))
		return entry;
	return mvm_cpuid_find(table, table->max_basic, index);
}

static int compare_entries(const void *a, const void *b)
{
	const struct mvm_cpuid_entry *x = a, *y = b;
	u64 left = (u64)x->function << 32 | x->index, right = (u64)y->function << 32 | y->index;

	return left < right ? -1 : left > right;
}

/* Sort the entries and fill in the index in front of them. */
static void build_index(struct mvm_cpuid_table *table)
{
	u32 i;

	sort(table->entries, table->count, sizeof(table->entries[0]), compare_entries, NULL);
	memset(table->first, CPUID_ABSENT, sizeof(table->first));
	for (i = table->count; i-- > 0; ) {
		u32 leaf = table->entries[i].function, low = leaf & 0x3fffffff;

		if (low < CPUID_RANGE_LEAVES)
			table->first[leaf >> 30][low] = i;
	}
	table->max_basic = mvm_cpuid_find(table, 0, 0)->eax;
}

/* Building the supported table. */
struct builder {
	struct mvm_cpuid_table *out;
	mvm_cpuid_reader read;
	const struct mvm_caps *caps;
};

/* Leaves above the host's maximum repeat another one, so they are not read. */
static void read_host(const struct builder *b, u32 leaf, u32 index, u32 regs[4])
{
	b->read(leaf & 0x80000000, 0, regs);
	if (leaf > regs[0])
		memset(regs, 0, 4 * sizeof(u32));
	else
		b->read(leaf, index, regs);
}

/* Add a leaf: what is given here, except for registers that show features. */
static void add(const struct builder *b, u32 leaf, u32 index, u32 eax, u32 ebx, u32 ecx, u32 edx)
{
	const struct mvm_caps *caps = b->caps;
	bool indexed = leaf == 4 || leaf == 7 || leaf == 0xb || leaf == 0xd;
	u32 regs[] = { eax, ebx, ecx, edx }, host[4], i;

	read_host(b, leaf, index, host);
	for (i = 0; i < ARRAY_SIZE(feature_words); i++) {
		const struct feature_word *word = &feature_words[i];
		u32 mask = word->host |
			   (caps->xcr0_mask ? word->xsave : 0) |
			   (caps->xcr0_mask & XFEATURE_MASK_YMM ? word->avx : 0) |
			   (caps->xcr0_mask & XFEATURE_MASK_AVX512 ? word->avx512 : 0) |
			   (caps->proc2 & SECONDARY_EXEC_ENABLE_INVPCID ? word->invpcid : 0) |
			   (caps->proc2 & SECONDARY_EXEC_ENABLE_RDTSCP ? word->rdtscp : 0);

		if (word->leaf == leaf && word->index == index)
			regs[word->reg] = (host[word->reg] & mask) | word->always;
	}
	b->out->entries[b->out->count++] = (struct mvm_cpuid_entry){
		.function = leaf, .index = index, .flags = indexed ? MVM_CPUID_INDEXED : 0,
		.eax = regs[MVM_EAX], .ebx = regs[MVM_EBX],
		.ecx = regs[MVM_ECX], .edx = regs[MVM_EDX],
	};
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
	static const u32 as_the_host[] = { 2, 0x80000002, 0x80000003, 0x80000004 };
	const struct builder builder = { .out = out, .read = read, .caps = caps }, *b = &builder;
	u32 mhz = DIV_ROUND_CLOSEST(caps->tsc_khz, 1000), regs[4], i;
	u64 mask = caps->xcr0_mask;

	memset(out, 0, sizeof(*out));
	read_host(b, 0, 0, regs);
	add(b, 0, 0, MAX_BASIC, regs[1], regs[2], regs[3]);
	read_host(b, 1, 0, regs);
	add(b, 1, 0, regs[0], regs[1] & 0xff00, 0, 0);
	for (i = 0; i < ARRAY_SIZE(as_the_host); i++) {
		read_host(b, as_the_host[i], 0, regs);
		add(b, as_the_host[i], 0, regs[0], regs[1], regs[2], regs[3]);
	}
	/* Deterministic cache parameters, nothing shared between cores (SDM 2A). */
	for (i = 0; i < 8; i++) {
		read_host(b, 4, i, regs);
		if (!(regs[0] & 0x1f))
			break;
		add(b, 4, i, regs[0] & 0x3fff, regs[1], regs[2], regs[3]);
	}
	add(b, 6, 0, 0, 0, 0, 0);
	read_host(b, 7, 0, regs);
	add(b, 7, 0, min(regs[0], 1U), 0, 0, 0);
	add(b, 7, 1, 0, 0, 0, 0);
	/* One thread in one core in a package of its own: level types 1, 2, 0. */
	add(b, 0xb, 0, 0, 1, 0x100, 0);
	add(b, 0xb, 1, 0, 1, 0x201, 0);
	add(b, 0xb, 2, 0, 0, 2, 0);
	/* XSAVE components; sizes and offsets are the CPU's. */
	if (mask) {
		add(b, 0xd, 0, lower_32_bits(mask), 0, 0, upper_32_bits(mask));
		add(b, 0xd, 1, 0, 0, 0, 0);
	}
	for (i = 2; i < 63; i++) {
		read_host(b, 0xd, i, regs);
		if (mask & BIT_ULL(i))
			add(b, 0xd, i, regs[0], regs[1], 0, 0);
	}
	/* TSC = crystal * EBX / EAX, so guests need not measure it. */
	add(b, 0x15, 0, 1, caps->timer_ratio, mvm_caps_timer_hz(caps), 0);
	add(b, 0x16, 0, mhz, mhz, 100, 0);

	memcpy(regs, MVM_CPUID_SIGNATURE, 12);
	add(b, MVM_CPUID_BASE, 0, MAX_HYPERVISOR, regs[0], regs[1], regs[2]);
	add(b, MVM_CPUID_FEATURES, 0, 0, 0, 0, 0);
	add(b, MVM_CPUID_TIMING, 0, caps->tsc_khz, caps->tsc_khz / caps->timer_ratio, 0, 0);

	add(b, 0x80000000, 0, MAX_EXTENDED, 0, 0, 0);
	add(b, 0x80000001, 0, 0, 0, 0, 0);
	read_host(b, 0x80000006, 0, regs);
	add(b, 0x80000006, 0, 0, 0, regs[2], 0);
	add(b, 0x80000007, 0, 0, 0, 0, 0);
	/* EPT with four levels and paging without LA57: 48 bits of each. */
	read_host(b, 0x80000008, 0, regs);
	add(b, 0x80000008, 0, clamp(regs[0] & 0xff, 36U, 48U) | 48 << 8, 0, 0, 0);

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

/*
 * May SET put this in?  Registers that are no features take what user space
 * likes; everywhere else bits may only be taken away.
 */
static bool entry_ok(const struct mvm_cpuid_entry *entry, const struct mvm_cpuid_table *supported)
{
	const struct mvm_cpuid_entry *known =
		mvm_cpuid_find(supported, entry->function, entry->index);
	struct mvm_cpuid_entry allowed = *known;

	if (entry->flags & ~MVM_CPUID_INDEXED || entry->reserved)
		return false;
	/* A leaf of features with sub-leaves has them, one without has not. */
	if (known != &absent && known->flags != entry->flags)
		return false;

	switch (entry->function) {
	case 0:					/* maximum, vendor */
	case 2 ... 4:				/* caches, serial number */
	case 0xb:				/* topology */
	case 0x15 ... 0x16:			/* frequencies */
	case 0x1f:				/* topology */
	case 0x40000000 ... 0x4fffffff:		/* hypervisor */
	case 0x80000000:			/* maximum */
	case 0x80000002 ... 0x80000006:		/* brand, caches */
		return true;
	case 1:					/* model; CLFLUSH size */
		allowed.eax = allowed.ebx = U32_MAX;
		/* These two follow the vCPU's state whatever is written here. */
		allowed.ecx |= F(OSXSAVE);
		allowed.edx |= F(APIC);
		break;
	case 0xd:
		/* mvm_cpuid_refresh() computes the sizes in sub-leaf 0. */
		if (!entry->index)
			allowed.ebx = allowed.ecx = U32_MAX;
		/* Where the CPU puts a state component is not for us to say. */
		if (entry->index >= 2)
			return !memcmp(entry, known, sizeof(*entry));
		break;
	case 0x80000008:			/* width of addresses */
		if ((entry->eax & 0xff) > (known->eax & 0xff))
			return false;
		allowed.eax = U32_MAX;
		break;
	}
	return !(entry->eax & ~allowed.eax || entry->ebx & ~allowed.ebx ||
		 entry->ecx & ~allowed.ecx || entry->edx & ~allowed.edx);
}

/**
 * mvm_cpuid_prepare() - check a table that user space has filled, and index it
 * @table: its count, which is in range, and its entries are given
 * @supported: what may be shown
 *
 * The caller calls mvm_cpuid_refresh() afterwards.  Returns 0 or -EINVAL: two
 * entries for the same question, a feature bit that @supported lacks, or a wrong
 * layout of the XSAVE area.
 */
int mvm_cpuid_prepare(struct mvm_cpuid_table *table, const struct mvm_cpuid_table *supported)
{
	const struct mvm_cpuid_entry *a, *b;

	for_each_entry(a, table) {
		if (!entry_ok(a, supported))
			return -EINVAL;
		for (b = table->entries; b < a; b++) {
			if (a->function == b->function &&
			    (!(a->flags & b->flags & MVM_CPUID_INDEXED) || a->index == b->index))
				return -EINVAL;
		}
	}
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
void mvm_cpuid_refresh(struct mvm_cpuid_table *table, u64 cr4, u64 xcr0, u64 apic_base,
		       u32 apic_id)
{
	u32 osxsave = cr4 & X86_CR4_OSXSAVE ? F(OSXSAVE) : 0;
	u32 apic = apic_base & MSR_IA32_APICBASE_ENABLE ? F(APIC) : 0;
	struct mvm_cpuid_entry *entry;

	for_each_entry(entry, table) {
		if (entry->function == 1) {
			entry->ebx = (entry->ebx & 0xffffff) | apic_id << 24;
			entry->ecx = (entry->ecx & ~F(OSXSAVE)) | osxsave;
			entry->edx = (entry->edx & ~F(APIC)) | apic;
		} else if (entry->function == 0xb || entry->function == 0x1f) {
			entry->edx = apic_id;
		} else if (entry->function == 0xd && !entry->index) {
			entry->ebx = mvm_cpuid_xsave_size(table, xcr0);
			entry->ecx = mvm_cpuid_xsave_size(table, entry->eax);
		}
	}
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
	const struct mvm_cpuid_entry *l1 = mvm_cpuid_find(table, 1, 0);
	const struct mvm_cpuid_entry *l7 = mvm_cpuid_find(table, 7, 0);

	return X86_CR4_MCE | X86_CR4_PCE |
	       (l1->edx & F(VME) ? X86_CR4_VME | X86_CR4_PVI : 0) |
	       (l1->edx & F(TSC) ? X86_CR4_TSD : 0) | (l1->edx & F(DE) ? X86_CR4_DE : 0) |
	       (l1->edx & F(PSE) ? X86_CR4_PSE : 0) | (l1->edx & F(PAE) ? X86_CR4_PAE : 0) |
	       (l1->edx & F(PGE) ? X86_CR4_PGE : 0) | (l1->edx & F(FXSR) ? X86_CR4_OSFXSR : 0) |
	       (l1->edx & F(XMM) ? X86_CR4_OSXMMEXCPT : 0) |
	       (l1->ecx & F(PCID) ? X86_CR4_PCIDE : 0) |
	       (l1->ecx & F(XSAVE) ? X86_CR4_OSXSAVE : 0) |
	       (l7->ebx & F(FSGSBASE) ? X86_CR4_FSGSBASE : 0) |
	       (l7->ebx & F(SMEP) ? X86_CR4_SMEP : 0) | (l7->ebx & F(SMAP) ? X86_CR4_SMAP : 0) |
	       (l7->ecx & F(UMIP) ? X86_CR4_UMIP : 0);
}

/**
 * mvm_cpuid_efer_allowed() - the EFER bits that the guest may set; LMA is among
 *			      them, though the CPU decides it
 * @table: the vCPU's
 */
u64 mvm_cpuid_efer_allowed(const struct mvm_cpuid_table *table)
{
	u32 edx = mvm_cpuid_find(table, 0x80000001, 0)->edx;

	return (edx & F(SYSCALL) ? EFER_SCE : 0) | (edx & F(LM) ? EFER_LME | EFER_LMA : 0) |
	       (edx & F(NX) ? EFER_NX : 0);
}

/**
 * mvm_cpuid_xcr0_valid() - may the guest load this into XCR0 (SDM 1 13.3)
 * @table: the vCPU's
 * @xcr0: value
 */
bool mvm_cpuid_xcr0_valid(const struct mvm_cpuid_table *table, u64 xcr0)
{
	const struct mvm_cpuid_entry *entry = mvm_cpuid_find(table, 0xd, 0);
	u64 avx512 = xcr0 & XFEATURE_MASK_AVX512;

	/* Without XSAVE nobody can change it from its reset value. */
	if (xcr0 == XFEATURE_MASK_FP)
		return true;
	return xcr0 & XFEATURE_MASK_FP && !(xcr0 & ~(entry->eax | (u64)entry->edx << 32)) &&
	       (xcr0 & XFEATURE_MASK_SSE || !(xcr0 & XFEATURE_MASK_YMM)) &&
	       (!avx512 || (avx512 == XFEATURE_MASK_AVX512 && xcr0 & XFEATURE_MASK_YMM));
}

/**
 * mvm_cpuid_phys_bits() - width of a guest-physical address
 * @table: the vCPU's
 */
unsigned int mvm_cpuid_phys_bits(const struct mvm_cpuid_table *table)
{
	/* SDM 2A, CPUID, leaf 0x80000008: 36 where the CPU does not say. */
	return mvm_cpuid_find(table, 0x80000008, 0)->eax & 0xff ?: 36;
}

/**
 * mvm_cpuid_xsave_size() - bytes of an XSAVE area in the standard format, of an
 *			    FXSAVE area without XSAVE
 * @table: the vCPU's
 * @xcr0: the state components in it
 */
u32 mvm_cpuid_xsave_size(const struct mvm_cpuid_table *table, u64 xcr0)
{
	const struct mvm_cpuid_entry *entry;
	u32 size = 512 + 64;	/* legacy region and header (SDM 1 13.4) */

	if (mvm_cpuid_find(table, 0xd, 0) == &absent)
		return 512;	/* FXSAVE */
	for_each_entry(entry, table) {
		if (entry->function == 0xd && entry->index >= 2 && entry->index < 63 &&
		    xcr0 & BIT_ULL(entry->index))
			size = max(size, entry->eax + entry->ebx);
	}
	return size;
}
