// SPDX-License-Identifier: GPL-2.0-only
/*
 * sandbox.c - once everything is set up: no new privileges, and only the
 * system calls of the event loop.
 *
 * A guest that takes over this process through a fault of a device model can
 * then neither open files nor start programs nor reach the network.  Any other
 * system call ends the process with a sentence and status 6.
 */
#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <linux/mini_vm.h>

#include "report.h"
#include "sandbox.h"

static const int allowed[] = {
	/* the loop */
	SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_ctl),
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(restart_syscall),
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(close),
	/* the control socket and its keeper */
	SCMP_SYS(accept4), SCMP_SYS(wait4),
	/* timers, where the vDSO cannot answer */
	SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime),
	SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday),
	/* a reset: load the image again, statistics */
	SCMP_SYS(pread64), SCMP_SYS(lseek), SCMP_SYS(madvise),
	/* malloc() */
	SCMP_SYS(brk), SCMP_SYS(munmap),
	/* signals and the end */
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(getpid), SCMP_SYS(gettid),
	SCMP_SYS(exit), SCMP_SYS(exit_group),
};

static const unsigned long allowed_ioctls[] = {
	MVM_CREATE_VM, MVM_SET_SLOT, MVM_CREATE_VCPU, MVM_RUN, MVM_KICK,
	MVM_SET_EVENTS, MVM_SIGNAL_MSI, MVM_SET_POSTED, MVM_GET_SREGS, MVM_SET_SREGS,
	MVM_GET_CPUID, MVM_SET_CPUID, MVM_SET_LINE, MVM_GET_MSRS, MVM_SET_MSRS,
	MVM_GET_LAPIC, MVM_SET_LAPIC, MVM_LAPIC_ACCESS, MVM_GET_STATS,
	TCGETS, TCSETS,
};

/* Only what is safe in a signal handler: the process may be in any state. */
static void forbidden(int number, siginfo_t *info, void *context)
{
	unsigned int call = (unsigned int)info->si_syscall;
	char digits[16], text[160], *at = digits + sizeof(digits) - 1;
	ssize_t written;

	(void)number;
	(void)context;
	*at = '\0';
	do {
		*--at = (char)('0' + call % 10);
		call /= 10;
	} while (call);
	stpcpy(stpcpy(stpcpy(text, "\r\nmini-vm: internal error: the system call "),
		      at),
	       " is not allowed while a guest runs; please report this\r\n");
	written = write(STDERR_FILENO, text, strlen(text));
	(void)written;
	exit(STATUS_RESOURCE);	/* gives the terminal back */
}

/* Allow a call when (argument & mask) == value. */
static int allow_when(scmp_filter_ctx filter, int call, unsigned int argument,
		      u64 mask, u64 value)
{
	struct scmp_arg_cmp condition = {
		.arg = argument,
		.op = SCMP_CMP_MASKED_EQ,
		.datum_a = mask,
		.datum_b = value,
	};

	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1,
				      &condition);
}

static int add_rules(scmp_filter_ctx filter)
{
	u64 self = (u64)getpid();
	size_t i;
	int error = 0;

	for (i = 0; i < ARRAY_SIZE(allowed) && !error; i++)
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	/* the kernel looks at 32 bits of an ioctl's number */
	for (i = 0; i < ARRAY_SIZE(allowed_ioctls) && !error; i++)
		error = allow_when(filter, SCMP_SYS(ioctl), 1, 0xffffffff,
				   allowed_ioctls[i]);
	/* who is it? */
	if (!error)
		error = allow_when(filter, SCMP_SYS(getsockopt), 2, 0xffffffff, SO_PEERCRED);
	/* memory, but none that can be executed */
	if (!error)
		error = allow_when(filter, SCMP_SYS(mmap), 2, PROT_EXEC, 0);
	/* where this thread alone runs: --pin after a reset */
	if (!error)
		error = allow_when(filter, SCMP_SYS(sched_setaffinity), 0, ~0ULL, 0);
	/* signals to this process alone: abort(), SIGSTOP after SIGTSTP */
	if (!error)
		error = allow_when(filter, SCMP_SYS(tgkill), 0, ~0ULL, self);
	if (!error)
		error = allow_when(filter, SCMP_SYS(kill), 0, ~0ULL, self);
	return error;
}

/* libc reads the time zone's file at its first use of the calendar. */
static void load_time_zone(void)
{
	time_t zero = 0;
	struct tm tm;

	gmtime_r(&zero, &tm);
}

/**
 * sandbox_enter() - give up everything but the event loop's system calls
 *
 * Return: STATUS_OK, or STATUS_RESOURCE after a report.
 */
int sandbox_enter(void)
{
	struct sigaction action = { .sa_flags = SA_SIGINFO };
	scmp_filter_ctx filter;
	int error;

	load_time_zone();
	action.sa_sigaction = forbidden;
	sigaction(SIGSYS, &action, NULL);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) {
		report_error("cannot give up privileges: %s", strerror(errno));
		return STATUS_RESOURCE;
	}
	filter = seccomp_init(SCMP_ACT_TRAP);
	if (!filter) {
		report_error("cannot make a system-call filter");
		return STATUS_RESOURCE;
	}
	/* the watcher's thread, too */
	error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!error)
		error = add_rules(filter);
	if (!error)
		error = seccomp_load(filter);
	seccomp_release(filter);
	if (error) {
		report_error("cannot set up the system-call filter: %s; the kernel needs CONFIG_SECCOMP_FILTER",
			     strerror(-error));
		return STATUS_RESOURCE;
	}
	return STATUS_OK;
}
