// SPDX-License-Identifier: GPL-2.0-only
/*
 * kunit.c - the KUnit module: the suites of the pure parts, which need no VMX.
 */
#include <kunit/test.h>
#include <linux/module.h>

extern struct kunit_suite mvm_ept_suite;
extern struct kunit_suite mvm_lapic_suite;
extern struct kunit_suite mvm_caps_suite;
extern struct kunit_suite mvm_cpuid_suite;
extern struct kunit_suite mvm_msr_suite;
extern struct kunit_suite mvm_cr_suite;
extern struct kunit_suite mvm_ports_suite;

kunit_test_suites(&mvm_ept_suite, &mvm_lapic_suite, &mvm_caps_suite,
		  &mvm_cpuid_suite, &mvm_msr_suite, &mvm_cr_suite, &mvm_ports_suite);

MODULE_DESCRIPTION("KUnit tests of mini-vm");
MODULE_LICENSE("GPL");
