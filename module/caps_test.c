// SPDX-License-Identifier: GPL-2.0-only
/*
 * caps_test.c - capability negotiation against CPUs of several generations,
 * and against a good one with each feature taken away.
 */
#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/limits.h>
#include <linux/string.h>
#include "caps.h"

extern struct kunit_suite mvm_caps_suite;

/* A Skylake client; what is not here differs per test. */
static const struct vmx_capability_msrs skylake = {
	.vmx = true,
	.perf_global_ctrl = true,
	.feature_control = 0x5,
	.basic = 0x00da040000000004,
	.pin = 0x0000007f00000016,
	.proc = 0xfff9fffe04006172,
	.proc2 = 0x005fbcff00000000,
	.exit = 0x01ffffff00036dfb,
	.entry = 0x0003ffff000011fb,
	.misc = 0x000000007004c1e7,
	.ept_vpid = 0x00000f0106734141,
	.cr0_fixed0 = 0x80000021,
	.cr4_fixed0 = 0x2000,
	.xcr0 = 0x1f,
	.tsc_khz = 3400000,
};

struct generation {
	const char *name;
	const char *why;	/* NULL: it runs guests */
	u64 basic, pin, proc, proc2, exit, entry, misc, ept_vpid;
};

static const struct generation generations[] = {
	{
		.name = "Penryn",	/* no TRUE MSRs, no EPT */
		.why = "the CPU has no EPT",
		.basic = 0x005a08000000000d, .pin = 0x0000003f00000016,
		.proc = 0xf7f9fffe0401e172, .proc2 = 0x0000004100000000,
		.exit = 0x0003ffff00036dff, .entry = 0x00003fff000011ff,
		.misc = 0x00000000000403c0,
	}, {
		.name = "Conroe",	/* no secondary controls at all */
		.why = "the CPU has no EPT (no secondary VMX controls)",
		.basic = 0x001a040000000007,
		.pin = 0x0000001f00000016, .proc = 0x77b9fffe0401e172,
		.exit = 0x0003edff00036dff, .entry = 0x000011ff000011ff,
		.misc = 0x00000000000403c0,
	}, {
		.name = "Nehalem",
		.why = "the CPU has no unrestricted guests (real mode under EPT)",
		.basic = 0x00da04000000000e, .pin = 0x0000007f00000016,
		.proc = 0xfff9fffe04006172, .proc2 = 0x0000007f00000000,
		.exit = 0x007fffff00036dfb, .entry = 0x0000ffff000011fb,
		.misc = 0x00000000000401c5, .ept_vpid = 0x00000f0106114141,
	}, {
		.name = "Westmere",
		.basic = 0x00da04000000000f, .pin = 0x0000007f00000016,
		.proc = 0xfff9fffe04006172, .proc2 = 0x000000ff00000000,
		.exit = 0x007fffff00036dfb, .entry = 0x0000ffff000011fb,
		.misc = 0x00000000000401e5, .ept_vpid = 0x00000f0106134141,
	}, {
		.name = "Ivy Bridge",
		.basic = 0x00da040000000010, .pin = 0x0000007f00000016,
		.proc = 0xfff9fffe04006172, .proc2 = 0x000008ff00000000,
		.exit = 0x007fffff00036dfb, .entry = 0x0000ffff000011fb,
		.misc = 0x00000000100401e5, .ept_vpid = 0x00000f0106114141,
	}, {
		.name = "Haswell",
		.basic = 0x00da040000000012, .pin = 0x0000007f00000016,
		.proc = 0xfff9fffe04006172, .proc2 = 0x00007cff00000000,
		.exit = 0x007fffff00036dfb, .entry = 0x0000ffff000011fb,
		.misc = 0x00000000300481e5, .ept_vpid = 0x00000f0106334141,
	}, {
		.name = "Skylake",
		.basic = 0x00da040000000004, .pin = 0x0000007f00000016,
		.proc = 0xfff9fffe04006172, .proc2 = 0x005fbcff00000000,
		.exit = 0x01ffffff00036dfb, .entry = 0x0003ffff000011fb,
		.misc = 0x000000007004c1e7, .ept_vpid = 0x00000f0106734141,
	}, {
		.name = "Sapphire Rapids",	/* tertiary controls, UINTR, CET */
		.basic = 0x01da040000000014, .pin = 0x000000ff00000016,
		.proc = 0xfffbfffe04006172, .proc2 = 0xf5ffffff00000000,
		.exit = 0xffffffff00036dfb, .entry = 0x01ffffff000011fb,
		.misc = 0x000000007004c1e7, .ept_vpid = 0x00000f0106f34141,
	},
};

static void generations_are_told_apart(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(generations); i++) {
		const struct generation *g = &generations[i];
		struct vmx_capability_msrs raw = skylake;
		struct mvm_caps caps;
		const char *why = "";
		int ret;

		raw.basic = g->basic;
		raw.pin = g->pin;
		raw.proc = g->proc;
		raw.proc2 = g->proc2;
		raw.exit = g->exit;
		raw.entry = g->entry;
		raw.misc = g->misc;
		raw.ept_vpid = g->ept_vpid;
		ret = mvm_caps_negotiate(&raw, &caps, &why);
		KUNIT_EXPECT_EQ_MSG(test, ret, g->why ? -EOPNOTSUPP : 0, "%s",
				    g->name);
		if (g->why && why)
			KUNIT_EXPECT_STREQ_MSG(test, why, g->why, "%s", g->name);
		else
			KUNIT_EXPECT_PTR_EQ_MSG(test, why, NULL, "%s", g->name);
	}
}

static void control_words_of_skylake(struct kunit *test)
{
	struct mvm_caps caps;
	const char *why;

	KUNIT_ASSERT_EQ(test, 0, mvm_caps_negotiate(&skylake, &caps, &why));
	KUNIT_EXPECT_EQ(test, caps.vmcs_revision, 4);
	KUNIT_EXPECT_EQ(test, caps.pin, 0x0000007f);
	KUNIT_EXPECT_EQ(test, caps.proc, 0xb5a06dfa);
	KUNIT_EXPECT_EQ(test, caps.proc2, 0x000014fb);
	KUNIT_EXPECT_EQ(test, caps.exit, 0x003f7fff);
	KUNIT_EXPECT_EQ(test, caps.entry, 0x0000f1ff);
	KUNIT_EXPECT_EQ(test, caps.cr0_fixed0, 0x20ULL);
	KUNIT_EXPECT_EQ(test, caps.cr4_fixed0, 0x2000ULL);
	KUNIT_EXPECT_TRUE(test, caps.pin & PIN_BASED_VMX_PREEMPTION_TIMER);
	KUNIT_EXPECT_EQ(test, caps.preemption_shift, 7);
	KUNIT_EXPECT_TRUE(test, caps.proc2 & SECONDARY_EXEC_ENABLE_VPID);
	KUNIT_EXPECT_TRUE(test, caps.invvpid_single);
	KUNIT_EXPECT_TRUE(test, caps.ept_2m);
	KUNIT_EXPECT_TRUE(test, caps.proc2 & SECONDARY_EXEC_ENABLE_RDTSCP);
	KUNIT_EXPECT_TRUE(test, caps.proc2 & SECONDARY_EXEC_ENABLE_INVPCID);
	KUNIT_EXPECT_TRUE(test, caps.entry & VM_ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL);
	KUNIT_EXPECT_TRUE(test, caps.pt_in_vmx);
}

/* Allowed-0 bits are kept, allowed-1 bits never exceeded. */
static void control_words_obey_the_msrs(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(generations); i++) {
		const struct generation *g = &generations[i];
		struct vmx_capability_msrs raw = skylake;
		struct mvm_caps caps;
		const char *why;

		if (g->why)
			continue;
		raw.pin = g->pin;
		raw.proc = g->proc;
		raw.proc2 = g->proc2;
		raw.exit = g->exit;
		raw.entry = g->entry;
		KUNIT_ASSERT_EQ(test, 0, mvm_caps_negotiate(&raw, &caps, &why));
#define EXPECT_OBEYS(word)						\
	do {								\
		KUNIT_EXPECT_EQ(test, ~caps.word & (u32)raw.word, 0U);	\
		KUNIT_EXPECT_EQ(test, caps.word & ~(u32)(raw.word >> 32), 0U); \
	} while (0)
		EXPECT_OBEYS(pin);
		EXPECT_OBEYS(proc);
		EXPECT_OBEYS(proc2);
		EXPECT_OBEYS(exit);
		EXPECT_OBEYS(entry);
#undef EXPECT_OBEYS
	}
}

#define WORD(name)	offsetof(struct vmx_capability_msrs, name)

static u64 *word(struct vmx_capability_msrs *raw, size_t offset)
{
	return (u64 *)((char *)raw + offset);
}

/* Bits of control words, by their number in SDM 3C 25.6 to 25.8. */
static const struct {
	size_t offset;
	unsigned int bit;
} required[] = {
	{ WORD(pin), 0 }, { WORD(pin), 3 }, { WORD(pin), 5 },
	{ WORD(proc), 2 }, { WORD(proc), 3 }, { WORD(proc), 7 },
	{ WORD(proc), 10 }, { WORD(proc), 11 }, { WORD(proc), 19 },
	{ WORD(proc), 20 }, { WORD(proc), 22 }, { WORD(proc), 23 },
	{ WORD(proc), 24 }, { WORD(proc), 28 }, { WORD(proc), 29 },
	{ WORD(proc), 31 }, { WORD(proc2), 1 }, { WORD(proc2), 7 },
	{ WORD(exit), 2 }, { WORD(exit), 9 }, { WORD(exit), 18 },
	{ WORD(exit), 19 }, { WORD(exit), 20 }, { WORD(exit), 21 },
	{ WORD(entry), 2 }, { WORD(entry), 9 }, { WORD(entry), 14 },
	{ WORD(entry), 15 },
}, forced[] = {
	{ WORD(proc), 2 }, { WORD(proc), 9 }, { WORD(proc), 12 },
	{ WORD(proc), 15 }, { WORD(proc), 16 }, { WORD(proc), 22 },
	{ WORD(proc), 30 }, { WORD(exit), 15 }, { WORD(entry), 9 },
	/* not known to the module: posted interrupts, RDTSC exiting's kin */
	{ WORD(pin), 7 }, { WORD(proc), 27 }, { WORD(proc2), 2 },
	{ WORD(exit), 22 }, { WORD(entry), 17 },
};

static void each_required_control_has_its_refusal(struct kunit *test)
{
	const char *reasons[ARRAY_SIZE(required)];
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(required); i++) {
		struct vmx_capability_msrs raw = skylake;
		u64 mask = BIT_ULL(required[i].bit + 32) | BIT_ULL(required[i].bit);
		struct mvm_caps caps;

		reasons[i] = NULL;
		*word(&raw, required[i].offset) &= ~mask;
		KUNIT_EXPECT_EQ_MSG(test, -EOPNOTSUPP,
				    mvm_caps_negotiate(&raw, &caps, &reasons[i]),
				    "word %zu bit %u", required[i].offset,
				    required[i].bit);
		KUNIT_ASSERT_PTR_NE(test, reasons[i], NULL);
		for (j = 0; j < i; j++)
			KUNIT_EXPECT_STRNEQ(test, reasons[i], reasons[j]);
	}
}

static void controls_that_cannot_be_off_are_refused(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(forced); i++) {
		struct vmx_capability_msrs raw = skylake;
		struct mvm_caps caps;
		const char *why = NULL;

		*word(&raw, forced[i].offset) |= BIT_ULL(forced[i].bit);
		KUNIT_EXPECT_EQ_MSG(test, -EOPNOTSUPP,
				    mvm_caps_negotiate(&raw, &caps, &why),
				    "word %zu bit %u", forced[i].offset,
				    forced[i].bit);
		KUNIT_EXPECT_PTR_NE(test, why, NULL);
	}
}

/* Where TRUE MSRs are missing, CR3 exits cannot be switched off. */
static void without_true_msrs_cr3_exits_are_the_reason(struct kunit *test)
{
	struct vmx_capability_msrs raw = skylake;
	struct mvm_caps caps;
	const char *why = "";

	raw.proc |= 0x0401e172;
	KUNIT_ASSERT_EQ(test, -EOPNOTSUPP,
			mvm_caps_negotiate(&raw, &caps, &why));
	KUNIT_EXPECT_STREQ(test, why, "the CPU exits on every MOV to CR3");
}

static void optional_controls_may_be_missing(struct kunit *test)
{
	struct vmx_capability_msrs raw = skylake;
	struct mvm_caps caps;
	const char *why;

	raw.pin &= ~BIT_ULL(32 + 6);
	raw.proc2 &= ~(BIT_ULL(32 + 0) | BIT_ULL(32 + 3) | BIT_ULL(32 + 4) | BIT_ULL(32 + 5) |
		       BIT_ULL(32 + 6) | BIT_ULL(32 + 10) | BIT_ULL(32 + 12));
	raw.ept_vpid &= ~(BIT_ULL(0) | BIT_ULL(16) | BIT_ULL(17) | BIT_ULL(21) |
			  BIT_ULL(26));
	raw.misc &= ~BIT_ULL(14);
	KUNIT_ASSERT_EQ(test, 0, mvm_caps_negotiate(&raw, &caps, &why));
	KUNIT_EXPECT_EQ(test, caps.pin, 0x3f);
	KUNIT_EXPECT_EQ(test, caps.proc2, 0x82);
	KUNIT_EXPECT_FALSE(test, caps.pin & PIN_BASED_VMX_PREEMPTION_TIMER);
	KUNIT_EXPECT_FALSE(test, caps.proc2 & SECONDARY_EXEC_ENABLE_VPID);
	KUNIT_EXPECT_FALSE(test, caps.proc2 & SECONDARY_EXEC_ENABLE_RDTSCP);
	KUNIT_EXPECT_FALSE(test, caps.proc2 & SECONDARY_EXEC_ENABLE_INVPCID);
	KUNIT_EXPECT_FALSE(test, caps.ept_2m);
	KUNIT_EXPECT_FALSE(test, caps.pt_in_vmx);
}

/*
 * SDM 3C 27.2.1.1: x2APIC mode, register virtualization and virtual-interrupt
 * delivery need a TPR shadow; mini-vm takes the last two together.  Without the
 * shadow CR8 has to exit.
 */
static void apic_controls_come_as_far_as_the_cpu_has_them(struct kunit *test)
{
	const u32 cr8 = BIT(19) | BIT(20), shadow = BIT(21), all = BIT(0) | BIT(4) | BIT(8) | BIT(9);
	static const struct {
		u64 no_proc, no_proc2;
		u32 left;
	} cases[] = {
		{ 0, 0, BIT(0) | BIT(4) | BIT(8) | BIT(9) },
		{ BIT_ULL(32 + 21), 0, 0 },
		{ 0, BIT_ULL(32 + 9), BIT(0) | BIT(4) },
		{ 0, BIT_ULL(32 + 8), BIT(0) | BIT(4) },
		{ 0, BIT_ULL(32 + 0), BIT(4) | BIT(8) | BIT(9) },
		{ 0, BIT_ULL(32 + 4), BIT(0) | BIT(8) | BIT(9) },
		{ 0, BIT_ULL(32 + 0) | BIT_ULL(32 + 4) | BIT_ULL(32 + 9), 0 },
	};
	struct vmx_capability_msrs raw;
	struct mvm_caps caps;
	const char *why;
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		raw = skylake;
		raw.proc2 = 0x00ffffff00000000;		/* a server's */
		raw.proc &= ~cases[i].no_proc;
		raw.proc2 &= ~cases[i].no_proc2;
		KUNIT_ASSERT_EQ(test, 0, mvm_caps_negotiate(&raw, &caps, &why));
		KUNIT_EXPECT_EQ_MSG(test, caps.proc2 & all, cases[i].left, "case %d", i);
		KUNIT_EXPECT_EQ_MSG(test, caps.proc & (cr8 | shadow),
				    cases[i].no_proc ? cr8 : shadow, "case %d", i);
	}
}

/* One side alone would leave the guest's value to the host, or the reverse. */
static void perf_global_ctrl_is_switched_on_both_sides_or_none(struct kunit *test)
{
	struct vmx_capability_msrs raw;
	struct mvm_caps caps;
	const char *why;
	int i;

	for (i = 0; i < 3; i++) {
		raw = skylake;
		if (i == 0)
			raw.exit &= ~BIT_ULL(32 + 12);
		else if (i == 1)
			raw.entry &= ~BIT_ULL(32 + 13);
		else
			raw.perf_global_ctrl = false;
		KUNIT_ASSERT_EQ(test, 0, mvm_caps_negotiate(&raw, &caps, &why));
		KUNIT_EXPECT_FALSE(test, caps.entry & VM_ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL);
		KUNIT_EXPECT_FALSE(test, caps.exit & BIT(12));
		KUNIT_EXPECT_FALSE(test, caps.entry & BIT(13));
	}
}

static void vpids_need_a_way_to_flush_them(struct kunit *test)
{
	struct vmx_capability_msrs raw = skylake;
	struct mvm_caps caps;
	const char *why;

	raw.ept_vpid &= ~BIT_ULL(41);		/* single context */
	KUNIT_ASSERT_EQ(test, 0, mvm_caps_negotiate(&raw, &caps, &why));
	KUNIT_EXPECT_TRUE(test, caps.proc2 & SECONDARY_EXEC_ENABLE_VPID);
	KUNIT_EXPECT_FALSE(test, caps.invvpid_single);

	raw.ept_vpid &= ~BIT_ULL(42);		/* all contexts */
	KUNIT_ASSERT_EQ(test, 0, mvm_caps_negotiate(&raw, &caps, &why));
	KUNIT_EXPECT_FALSE(test, caps.proc2 & SECONDARY_EXEC_ENABLE_VPID);
	KUNIT_EXPECT_FALSE(test, caps.proc2 & BIT(5));

	raw = skylake;
	raw.ept_vpid &= ~BIT_ULL(32);		/* INVVPID itself */
	KUNIT_ASSERT_EQ(test, 0, mvm_caps_negotiate(&raw, &caps, &why));
	KUNIT_EXPECT_FALSE(test, caps.proc2 & SECONDARY_EXEC_ENABLE_VPID);
	KUNIT_EXPECT_FALSE(test, caps.proc2 & BIT(5));
}

static void expect_refusal(struct kunit *test,
			   const struct vmx_capability_msrs *raw, int error)
{
	struct mvm_caps caps;
	const char *why = NULL;

	KUNIT_EXPECT_EQ(test, error, mvm_caps_negotiate(raw, &caps, &why));
	KUNIT_EXPECT_PTR_NE(test, why, NULL);
}

static void firmware_decides_about_vmx(struct kunit *test)
{
	static const struct {
		u64 feature_control;
		int error;
	} cases[] = {
		{ 0x0, -EACCES },	/* not locked: VMXON faults */
		{ 0x4, -EACCES },	/* set, not locked */
		{ 0x1, -EACCES },	/* locked off */
		{ 0x3, -EACCES },	/* inside SMX only */
		{ 0x5, 0 },
		{ 0x7, 0 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vmx_capability_msrs raw = skylake;
		struct mvm_caps caps;
		const char *why;

		raw.feature_control = cases[i].feature_control;
		KUNIT_EXPECT_EQ_MSG(test, cases[i].error,
				    mvm_caps_negotiate(&raw, &caps, &why),
				    "0x%llx", cases[i].feature_control);
	}
}

static void platforms_that_cannot_are_refused(struct kunit *test)
{
	struct vmx_capability_msrs raw = skylake;

	raw.vmx = false;
	expect_refusal(test, &raw, -ENODEV);
	/* nothing else is known then */
	memset(&raw, 0, sizeof(raw));
	expect_refusal(test, &raw, -ENODEV);

	raw = skylake;
	raw.fred = true;
	expect_refusal(test, &raw, -EOPNOTSUPP);
	raw = skylake;
	raw.tsc_khz = 0;
	expect_refusal(test, &raw, -EOPNOTSUPP);
}

static void vmcs_formats_that_do_not_fit_are_refused(struct kunit *test)
{
	static const u64 basics[] = {
		0x00da000000000004,	/* size 0 */
		0x00da100100000004,	/* size 4097 */
		0x00db040000000004,	/* 32-bit addresses */
		0x00c2040000000004,	/* memory type uncacheable */
		0x009a040000000004,	/* no information about INS and OUTS */
	};
	struct vmx_capability_msrs raw = skylake;
	struct mvm_caps caps;
	const char *why;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(basics); i++) {
		raw.basic = basics[i];
		expect_refusal(test, &raw, -EOPNOTSUPP);
	}
	raw.basic = 0x00da100080000004;	/* size 4096; bit 31 is not revision */
	KUNIT_EXPECT_EQ(test, 0, mvm_caps_negotiate(&raw, &caps, &why));
	KUNIT_EXPECT_EQ(test, caps.vmcs_revision, 4);
}

static void ept_needs_four_levels_write_back_and_invept(struct kunit *test)
{
	static const unsigned int bits[] = { 6, 14, 20, 25 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bits); i++) {
		struct vmx_capability_msrs raw = skylake;

		raw.ept_vpid &= ~BIT_ULL(bits[i]);
		expect_refusal(test, &raw, -EOPNOTSUPP);
	}
}

static void long_mode_must_be_saved_at_exit(struct kunit *test)
{
	struct vmx_capability_msrs raw = skylake;

	raw.misc &= ~BIT_ULL(5);
	expect_refusal(test, &raw, -EOPNOTSUPP);
}

static void unknown_fixed_bits_are_refused(struct kunit *test)
{
	struct vmx_capability_msrs raw = skylake;
	struct mvm_caps caps;
	const char *why;

	raw.cr0_fixed0 |= BIT_ULL(16);
	expect_refusal(test, &raw, -EOPNOTSUPP);
	raw = skylake;
	raw.cr4_fixed0 |= BIT_ULL(14);
	expect_refusal(test, &raw, -EOPNOTSUPP);
	raw = skylake;
	raw.cr0_fixed0 = 0;
	KUNIT_EXPECT_EQ(test, 0, mvm_caps_negotiate(&raw, &caps, &why));
	KUNIT_EXPECT_EQ(test, caps.cr0_fixed0, 0ULL);
}

static void xcr0_is_cut_to_what_is_switched(struct kunit *test)
{
	static const struct {
		u64 host, guest;
	} cases[] = {
		{ 0x0, 0x0 },
		{ 0x1, 0x0 },		/* XSAVE without SSE: not used */
		{ 0x3, 0x3 },
		{ 0x7, 0x7 },
		{ 0x1f, 0x7 },		/* MPX */
		{ 0xff, 0xe7 },		/* AVX-512 */
		{ 0x67, 0x7 },		/* parts of AVX-512 */
		{ 0xe3, 0x3 },		/* AVX-512 without AVX */
		{ 0x602e7, 0xe7 },	/* PKRU, AMX */
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vmx_capability_msrs raw = skylake;
		struct mvm_caps caps;
		const char *why;

		raw.xcr0 = cases[i].host;
		KUNIT_ASSERT_EQ(test, 0, mvm_caps_negotiate(&raw, &caps, &why));
		KUNIT_EXPECT_EQ_MSG(test, caps.xcr0_mask, cases[i].guest,
				    "0x%llx", cases[i].host);
	}
}

/* CPUID.15H:ECX has 32 bits for the crystal's frequency in Hz. */
static void crystal_fits_32_bits(struct kunit *test)
{
	static const struct {
		u32 tsc_khz, ratio;
	} cases[] = {
		{ 200000, 1 }, { 3400000, 1 }, { 4294967, 1 }, { 4294968, 2 },
		{ 8589934, 2 }, { 8589935, 4 }, { 16000000, 4 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vmx_capability_msrs raw = skylake;
		struct mvm_caps caps;
		const char *why;

		raw.tsc_khz = cases[i].tsc_khz;
		KUNIT_ASSERT_EQ(test, 0, mvm_caps_negotiate(&raw, &caps, &why));
		KUNIT_EXPECT_EQ(test, caps.timer_ratio, cases[i].ratio);
		KUNIT_EXPECT_EQ(test, mvm_caps_timer_hz(&caps),
				(u32)(cases[i].tsc_khz * 1000ULL / cases[i].ratio));
	}
}

/* Those with the erratum keep the backstop, whose rate does not matter. */
static void preemption_timer_serves_the_guest_where_it_counts_right(struct kunit *test)
{
	struct vmx_capability_msrs raw = skylake;
	struct mvm_caps caps;
	const char *why;

	raw.signature = 0x506e3;
	KUNIT_ASSERT_EQ(test, 0, mvm_caps_negotiate(&raw, &caps, &why));
	KUNIT_EXPECT_TRUE(test, caps.timer_in_window);
	/* 10 ms of 3.4 GHz, in counts of 2^7 ticks */
	KUNIT_EXPECT_EQ(test, caps.backstop, 34000000 >> 7);

	raw.signature = 0x20655;
	KUNIT_ASSERT_EQ(test, 0, mvm_caps_negotiate(&raw, &caps, &why));
	KUNIT_EXPECT_FALSE(test, caps.timer_in_window);
	KUNIT_EXPECT_TRUE(test, caps.pin & PIN_BASED_VMX_PREEMPTION_TIMER);

	raw.signature = 0x506e3;
	raw.pin &= ~((u64)PIN_BASED_VMX_PREEMPTION_TIMER << 32);
	KUNIT_ASSERT_EQ(test, 0, mvm_caps_negotiate(&raw, &caps, &why));
	KUNIT_EXPECT_FALSE(test, caps.timer_in_window);
}

static struct kunit_case caps_cases[] = {
	KUNIT_CASE(generations_are_told_apart),
	KUNIT_CASE(control_words_of_skylake),
	KUNIT_CASE(control_words_obey_the_msrs),
	KUNIT_CASE(each_required_control_has_its_refusal),
	KUNIT_CASE(controls_that_cannot_be_off_are_refused),
	KUNIT_CASE(without_true_msrs_cr3_exits_are_the_reason),
	KUNIT_CASE(optional_controls_may_be_missing),
	KUNIT_CASE(apic_controls_come_as_far_as_the_cpu_has_them),
	KUNIT_CASE(perf_global_ctrl_is_switched_on_both_sides_or_none),
	KUNIT_CASE(vpids_need_a_way_to_flush_them),
	KUNIT_CASE(firmware_decides_about_vmx),
	KUNIT_CASE(platforms_that_cannot_are_refused),
	KUNIT_CASE(vmcs_formats_that_do_not_fit_are_refused),
	KUNIT_CASE(ept_needs_four_levels_write_back_and_invept),
	KUNIT_CASE(long_mode_must_be_saved_at_exit),
	KUNIT_CASE(unknown_fixed_bits_are_refused),
	KUNIT_CASE(xcr0_is_cut_to_what_is_switched),
	KUNIT_CASE(crystal_fits_32_bits),
	KUNIT_CASE(preemption_timer_serves_the_guest_where_it_counts_right),
	{}
};

struct kunit_suite mvm_caps_suite = {
	.name = "mvm_caps",
	.test_cases = caps_cases,
};
