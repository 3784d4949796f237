/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tap.h - the Test Anything Protocol for the tests of this folder: each
 * ok() is one promise, and its name says which.
 */
#ifndef MINI_VM_TAP_H
#define MINI_VM_TAP_H

#include <stdarg.h>
#include <stdio.h>

static unsigned int tap_count;
static unsigned int tap_failed;

__attribute__((format(printf, 4, 5), unused))
static int tap_ok(int good, const char *file, int line, const char *format, ...)
{
	va_list args;

	printf("%s %u - ", good ? "ok" : "not ok", ++tap_count);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	if (!good) {
		tap_failed++;
		printf("# failed at %s:%d\n", file, line);
	}
	return good;
}

#define ok(good, ...)	tap_ok(!!(good), __FILE__, __LINE__, __VA_ARGS__)

/* Equal numbers; both are shown when they differ. */
#define is(got, want, ...) do {						\
	unsigned long long got_ = (unsigned long long)(got);		\
	unsigned long long want_ = (unsigned long long)(want);		\
									\
	if (!ok(got_ == want_, __VA_ARGS__))				\
		printf("# got 0x%llx, want 0x%llx\n", got_, want_);	\
} while (0)

__attribute__((unused))
static int tap_done(void)
{
	printf("1..%u\n", tap_count);
	return tap_failed ? 1 : 0;
}

#endif /* MINI_VM_TAP_H */
