// SPDX-License-Identifier: GPL-2.0-only
/*
 * tap.c - the harness of the tests
 */
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"

/* shared with the child: why a test was skipped */
static char *reason;
#define REASON_SIZE	256

void diag(const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n > 0)
		printf("# %s\n", line);
	fflush(stdout);
}

_Noreturn void test_skip(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, REASON_SIZE, fmt, ap);
	va_end(ap);
	_exit(KSFT_SKIP);
}

_Noreturn void test_fail(const char *file, int line, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	diag("%s:%d: %s", file, line, text);
	_exit(KSFT_FAIL);
}

static bool chosen(const char *name, int argc, char **argv)
{
	bool any = false;

	for (int i = 1; i < argc; i++) {
		if (argv[i][0] == '-')
			continue;
		any = true;
		if (strstr(name, argv[i]))
			return true;
	}
	return !any;
}

/*
 * The test's process group is killed when the time is up: a test may have
 * children of its own.
 */
static int run_one(const struct test *t)
{
	unsigned int limit = t->seconds ? t->seconds : TEST_SECONDS;
	struct timespec now, tick = { .tv_nsec = 1000000 };
	time_t end;
	sigset_t chld;
	int status;
	pid_t pid;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		diag("fork: %m");
		return KSFT_FAIL;
	}
	if (!pid) {
		setpgid(0, 0);
		sigprocmask(SIG_UNBLOCK, &chld, NULL);
		t->fn();
		fflush(stdout);
		_exit(KSFT_PASS);
	}
	setpgid(pid, pid);
	clock_gettime(CLOCK_MONOTONIC, &now);
	end = now.tv_sec + limit;
	tick.tv_sec = limit + 1;
	tick.tv_nsec = 0;
	while (waitpid(pid, &status, WNOHANG) == 0) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec >= end) {
			diag("no end after %u s", limit);
			kill(-pid, SIGKILL);
			/* a hang in the kernel must not hang the harness */
			for (int i = 0; i < 100; i++) {
				if (waitpid(pid, &status, WNOHANG) == pid)
					return KSFT_FAIL;
				usleep(50000);
			}
			diag("process %d does not die", pid);
			return KSFT_FAIL;
		}
		tick.tv_sec = end - now.tv_sec;
		sigtimedwait(&chld, NULL, &tick);
	}
	/* leave nothing behind for the next test */
	kill(-pid, SIGKILL);
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	diag("killed by signal %d (%s)", WTERMSIG(status),
	     strsignal(WTERMSIG(status)));
	return KSFT_FAIL;
}

bool test_lends;

int run_tests(const struct test *tests, size_t n, int argc, char **argv)
{
	unsigned int total = 0, passed = 0, failed = 0, skipped = 0;
	bool list = false, no_fork = false;

	for (int i = 1; i < argc; i++) {
		list |= !strcmp(argv[i], "-l");
		no_fork |= !strcmp(argv[i], "-n");
		test_lends |= !strcmp(argv[i], "-L");
	}
	for (size_t i = 0; i < n; i++) {
		if (!chosen(tests[i].name, argc, argv))
			continue;
		total++;
		if (list)
			puts(tests[i].name);
	}
	if (list)
		return KSFT_PASS;

	reason = mmap(NULL, REASON_SIZE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (reason == MAP_FAILED)
		return KSFT_FAIL;
	printf("TAP version 13\n1..%u\n", total);
	fflush(stdout);
	total = 0;
	for (size_t i = 0; i < n; i++) {
		int result;

		if (!chosen(tests[i].name, argc, argv))
			continue;
		total++;
		reason[0] = '\0';
		if (no_fork) {
			tests[i].fn();
			result = KSFT_PASS;
		} else {
			result = run_one(&tests[i]);
		}
		switch (result) {
		case KSFT_PASS:
			passed++;
			printf("ok %u %s\n", total, tests[i].name);
			break;
		case KSFT_SKIP:
			skipped++;
			printf("ok %u %s # SKIP %s\n", total, tests[i].name,
			       reason);
			break;
		default:
			failed++;
			printf("not ok %u %s\n", total, tests[i].name);
		}
		fflush(stdout);
	}
	printf("# Totals: pass:%u fail:%u xfail:0 xpass:0 skip:%u error:0\n",
	       passed, failed, skipped);
	if (failed)
		return KSFT_FAIL;
	if (!passed)
		return KSFT_SKIP;
	return KSFT_PASS;
}
