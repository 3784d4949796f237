// SPDX-License-Identifier: GPL-2.0-only
/*
 * kunit.c - the KUnit module: the suites of the pure parts, which need no VMX,
 * and the one of the VMCS field list.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/string.h>
#include "vmcs_fields.h"

extern struct kunit_suite mvm_ept_suite;
extern struct kunit_suite mvm_lapic_suite;
extern struct kunit_suite mvm_caps_suite;
extern struct kunit_suite mvm_cpuid_suite;
extern struct kunit_suite mvm_msr_suite;
extern struct kunit_suite mvm_cr_suite;

#define FIELD_ROW(encoding_, name_, meaning_)				\
	{ .encoding = encoding_, .name = #name_, .meaning = meaning_ },

static const struct {
	u32 encoding;
	const char *name;
	const char *meaning;
} fields[] = { VMCS_FIELDS(FIELD_ROW) };

/* SDM 3D appendix B: what the bits of an encoding say. */
#define FIELD_HIGH(encoding)	((encoding) & 1)
#define FIELD_TYPE(encoding)	(((encoding) >> 10) & 3)
#define FIELD_WIDTH(encoding)	(((encoding) >> 13) & 3)
enum { TYPE_CONTROL, TYPE_READ_ONLY, TYPE_GUEST, TYPE_HOST };
enum { WIDTH_16, WIDTH_64, WIDTH_32, WIDTH_NATURAL };

static bool starts_with(const char *name, const char *prefix)
{
	return !strncmp(name, prefix, strlen(prefix));
}

static bool ends_with(const char *name, const char *suffix)
{
	size_t length = strlen(name), tail = strlen(suffix);

	return length >= tail && !strcmp(name + length - tail, suffix);
}

/* Each once, in the order of the SDM. */
static void fields_are_unique(struct kunit *test)
{
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		for (j = 0; j < i; j++) {
			KUNIT_EXPECT_NE_MSG(test, fields[i].encoding,
					    fields[j].encoding, "%s and %s",
					    fields[i].name, fields[j].name);
			KUNIT_EXPECT_STRNEQ(test, fields[i].name, fields[j].name);
		}
	}
}

static void fields_are_well_formed(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		u32 encoding = fields[i].encoding;

		KUNIT_EXPECT_FALSE_MSG(test, FIELD_HIGH(encoding), "%s",
				       fields[i].name);
		/* reserved: bit 12 and those from 15 on */
		KUNIT_EXPECT_EQ_MSG(test, encoding & ~0x6fffU, 0U, "%s",
				    fields[i].name);
		KUNIT_EXPECT_GT_MSG(test, strlen(fields[i].meaning), 2UL, "%s",
				    fields[i].name);
	}
}

static void field_types_match_their_names(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		const char *name = fields[i].name;
		u32 type = FIELD_TYPE(fields[i].encoding);

		if (starts_with(name, "HOST_"))
			KUNIT_EXPECT_EQ_MSG(test, type, TYPE_HOST, "%s", name);
		else if (type == TYPE_HOST)
			KUNIT_FAIL(test, "%s is a host field", name);
		if (type == TYPE_GUEST)
			KUNIT_EXPECT_TRUE_MSG(test,
				starts_with(name, "GUEST_") ||
				!strcmp(name, "VMCS_LINK_POINTER") ||
				!strcmp(name, "PREEMPTION_TIMER"), "%s", name);
	}
}

static void field_widths_match_their_names(struct kunit *test)
{
	static const struct {
		const char *suffix;
		u32 width;
	} rules[] = {
		{ "_SELECTOR", WIDTH_16 }, { "VPID", WIDTH_16 },
		{ "_ACCESS", WIDTH_32 }, { "_LIMIT", WIDTH_32 },
		{ "_CONTROLS", WIDTH_32 }, { "_COUNT", WIDTH_32 },
		{ "_INFO", WIDTH_32 }, { "_LEN", WIDTH_32 },
		{ "_ERROR_CODE", WIDTH_32 }, { "SYSENTER_CS", WIDTH_32 },
		{ "_BITMAP", WIDTH_64 }, { "_PAT", WIDTH_64 },
		{ "_EFER", WIDTH_64 }, { "_GLOBAL_CTRL", WIDTH_64 },
		{ "_POINTER", WIDTH_64 }, { "_OFFSET", WIDTH_64 },
		{ "_PHYSICAL_ADDRESS", WIDTH_64 },
		{ "_BASE", WIDTH_NATURAL }, { "_CR0", WIDTH_NATURAL },
		{ "_CR3", WIDTH_NATURAL }, { "_CR4", WIDTH_NATURAL },
		{ "_RIP", WIDTH_NATURAL }, { "_RSP", WIDTH_NATURAL },
		{ "_ESP", WIDTH_NATURAL }, { "_EIP", WIDTH_NATURAL },
		{ "_SHADOW", WIDTH_NATURAL }, { "_RFLAGS", WIDTH_NATURAL },
		{ "_DR7", WIDTH_NATURAL }, { "_LINEAR_ADDRESS", WIDTH_NATURAL },
	};
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		const char *name = fields[i].name;

		if (!strcmp(name, "EXCEPTION_BITMAP"))	/* one bit a vector */
			continue;
		for (j = 0; j < ARRAY_SIZE(rules); j++) {
			if (ends_with(name, rules[j].suffix))
				KUNIT_EXPECT_EQ_MSG(test,
					FIELD_WIDTH(fields[i].encoding),
					rules[j].width, "%s", name);
		}
	}
}

static struct kunit_case vmcs_cases[] = {
	KUNIT_CASE(fields_are_unique),
	KUNIT_CASE(fields_are_well_formed),
	KUNIT_CASE(field_types_match_their_names),
	KUNIT_CASE(field_widths_match_their_names),
	{}
};

static struct kunit_suite mvm_vmcs_suite = {
	.name = "mvm_vmcs",
	.test_cases = vmcs_cases,
};

kunit_test_suites(&mvm_ept_suite, &mvm_lapic_suite, &mvm_caps_suite,
		  &mvm_cpuid_suite, &mvm_msr_suite, &mvm_cr_suite,
		  &mvm_vmcs_suite);

MODULE_DESCRIPTION("KUnit tests of mini-vm");
MODULE_LICENSE("GPL");
