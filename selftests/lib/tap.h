/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tap.h - the harness of the tests: TAP output, one child process a test
 *
 * A program is a table of tests.  Each test runs in a child process of its own
 * under a time limit, so a crash or a hang fails one test and the rest go on,
 * and whatever the test left open goes away with the child.  The first check
 * that fails ends its test.
 */
#ifndef SELFTESTS_TAP_H
#define SELFTESTS_TAP_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* exit statuses of kselftest */
#define KSFT_PASS	0
#define KSFT_FAIL	1
#define KSFT_SKIP	4

/**
 * struct test - one test
 * @name:	what it shows, as a sentence; no '#'
 * @fn:		its body, run in a child process
 * @seconds:	time limit, 0: TEST_SECONDS
 */
struct test {
	const char *name;
	void (*fn)(void);
	unsigned int seconds;
};

/* seconds of the machine under test, which may be an emulator's */
#define TEST_SECONDS	20

/**
 * run_tests() - run a program's tests, print TAP
 * @tests:	the table
 * @n:		its length
 * @argc:	of main()
 * @argv:	of main(): words, each chooses the tests whose name has it;
 *		"-l" lists the names, "-n" runs them without child processes,
 *		"-L" lets the waiting thread lend itself (vcpu_run())
 *
 * Return: the exit status for main().
 */
int run_tests(const struct test *tests, size_t n, int argc, char **argv);

/* -L was given. */
extern bool test_lends;

#define TEST_MAIN(table)                                                       \
	int main(int argc, char **argv)                                        \
	{                                                                      \
		return run_tests(table, ARRAY_SIZE(table), argc, argv);        \
	}

/* A line of explanation in the output. */
void diag(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* End the test: it cannot run here, for this reason. */
_Noreturn void test_skip(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));

/* End the test: it failed. */
_Noreturn void test_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* For child processes of a test: a failed check there ends the child. */
#define FAIL(...)	test_fail(__FILE__, __LINE__, __VA_ARGS__)

#define CHECK(cond)                                                            \
	do {                                                                   \
		if (!(cond))                                                   \
			FAIL("not true: %s", #cond);                           \
	} while (0)

/* Both sides as unsigned 64-bit numbers. */
#define CHECK_EQ(a, b)                                                         \
	do {                                                                   \
		u64 a_ = (u64)(a), b_ = (u64)(b);                              \
		if (a_ != b_)                                                  \
			FAIL("%s is 0x%llx, not %s (0x%llx)", #a,              \
			     (unsigned long long)a_, #b,                       \
			     (unsigned long long)b_);                          \
	} while (0)

/* A call that sets errno must succeed; its value. */
#define CHECK_OK(call)                                                         \
	({                                                                     \
		long ok_ = (long)(call);                                       \
		if (ok_ == -1)                                                 \
			FAIL("%s: errno %d (%m)", #call, errno);               \
		ok_;                                                           \
	})

/* A call must fail with this errno. */
#define CHECK_ERR(call, err)                                                   \
	do {                                                                   \
		long r_;                                                       \
		errno = 0;                                                     \
		r_ = (long)(call);                                             \
		if (r_ != -1)                                                  \
			FAIL("%s gave %ld, not errno %s", #call, r_, #err);    \
		if (errno != (err))                                            \
			FAIL("%s gave errno %d (%m), not %s", #call, errno,    \
			     #err);                                            \
	} while (0)

#endif
