// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz.c - random ioctls, seeded: see fuzz/fuzz.h for the parts
 *
 *	fuzz [--seed N|random] [--calls N] [TEST...]
 *
 * Whatever the calls do, each answers with an errno that mini_vm.h documents,
 * the host stays sound, and afterwards VMs run and nothing is left.  So that
 * this means something, every ioctl has to succeed 1,000 times in 100,000
 * calls, and guests have to be entered 10,000 times.
 */
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "lib/guest.h"

#define CALLS		100000
/* of every ioctl, and entries, in so many calls */
#define SUCCESSES	1000
#define ENTRIES		10000
/* exit reasons that guests must have come to */
#define REASONS		8

static u64 seed = 3;	/* the same one each time, unless told */
static u64 calls = CALLS;
static struct fuzzer *fuzzers;

/* ------------------------------------------------------------------------
 * Workers
 */

static void woken(int signal)
{
	(void)signal;
}

static __thread struct fuzzer *self;

/*
 * Nothing may happen to our own memory: neither the kernel nor a guest has an
 * address of it.  Says what was at work, and ends the test.
 */
static void crashed(int signal, siginfo_t *info, void *context)
{
	ucontext_t *user = context;

	(void)signal;
	FAIL("worker %d, step %llu: crash at 0x%llx, address 0x%llx; --seed %llu --calls %llu",
	     self ? (int)self->index : -1, self ? (unsigned long long)self->steps : 0,
	     (unsigned long long)user->uc_mcontext.gregs[REG_RIP],
	     (unsigned long long)info->si_addr, (unsigned long long)seed,
	     (unsigned long long)calls);
}

static void make_timer(struct fuzzer *f)
{
	struct sigevent e = {
		.sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = SIGUSR1,
	};

	e._sigev_un._tid = syscall(SYS_gettid);
	CHECK_OK(syscall(SYS_timer_create, CLOCK_MONOTONIC, &e, &f->timer));
}

static void *work(void *arg)
{
	struct fuzzer *f = arg;

	self = f;
	make_timer(f);
	while (f->calls < f->quota && !f->failed[0])
		fuzz_step(f);
	fuzz_close(f);
	return NULL;
}

/* All workers through so many calls, in this process. */
static void fuzz(u64 all_calls)
{
	struct sigaction wake = { .sa_handler = woken };
	struct sigaction crash = { .sa_sigaction = crashed, .sa_flags = SA_SIGINFO };
	pthread_t threads[FUZZ_WORKERS];

	dev_fd();
	CHECK_OK(sigaction(SIGUSR1, &wake, NULL));
	CHECK_OK(sigaction(SIGSEGV, &crash, NULL));
	CHECK_OK(sigaction(SIGBUS, &crash, NULL));
	fuzzers = mmap(NULL, FUZZ_WORKERS * sizeof(*fuzzers), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(fuzzers != MAP_FAILED);
	for (u32 i = 0; i < FUZZ_WORKERS; i++) {
		struct fuzzer *f = &fuzzers[i];

		f->index = i;
		f->seed = seed;
		f->signature = 0xcbf29ce484222325;
		f->all = fuzzers;
		f->quota = (all_calls + FUZZ_WORKERS - 1) / FUZZ_WORKERS;
		fuzz_open(f);
	}
	for (u32 i = 0; i < FUZZ_WORKERS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, work, &fuzzers[i]), 0);
	for (u32 i = 0; i < FUZZ_WORKERS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	for (u32 i = 0; i < FUZZ_WORKERS; i++)
		if (fuzzers[i].failed[0])
			FAIL("%s; again with --seed %llu --calls %llu",
			     fuzzers[i].failed, (unsigned long long)seed,
			     (unsigned long long)calls);
}

/* ------------------------------------------------------------------------
 * What came of it
 */

/* The workers' numbers, in that of the first. */
static struct fuzzer *sum_up(void)
{
	struct fuzzer *sum = &fuzzers[0];

	for (u32 i = 1; i < FUZZ_WORKERS; i++) {
		const struct fuzzer *f = &fuzzers[i];

		sum->calls += f->calls;
		sum->events += f->events;
		sum->entries += f->entries;
		for (u32 k = 0; k <= FUZZ_KINDS; k++) {
			sum->count[k].tried += f->count[k].tried;
			sum->count[k].succeeded += f->count[k].succeeded;
		}
		for (u32 k = 0; k < FUZZ_ERRNOS; k++)
			sum->errnos[k] += f->errnos[k];
		for (u32 k = 0; k < ARRAY_SIZE(f->exits); k++)
			sum->exits[k] += f->exits[k];
	}
	return sum;
}

static void print(const struct fuzzer *sum)
{
	diag("seed %llu: %llu calls, %llu other steps, %llu entries into guests",
	     (unsigned long long)seed, (unsigned long long)sum->calls,
	     (unsigned long long)sum->events, (unsigned long long)sum->entries);
	for (u32 k = 0; k < FUZZ_KINDS; k++)
		diag("%-20s %7llu of %7llu succeeded", fuzz_name(k),
		     (unsigned long long)sum->count[k].succeeded,
		     (unsigned long long)sum->count[k].tried);
	for (u32 k = 0; k < FUZZ_ERRNOS; k++)
		if (sum->errnos[k])
			diag("errno %-3u %-34s %7llu", k, strerror(k),
			     (unsigned long long)sum->errnos[k]);
	for (u32 k = 0; k < ARRAY_SIZE(sum->exits); k++)
		if (sum->exits[k])
			diag("exit %-12s %7llu", exit_name(k),
			     (unsigned long long)sum->exits[k]);
}

static void test_fuzz(void)
{
	u32 reasons = 0, poor = 0;
	struct timespec begin, end;
	struct fuzzer *sum;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	fuzz(calls);
	clock_gettime(CLOCK_MONOTONIC, &end);
	sum = sum_up();
	print(sum);
	diag("%ld s", (long)(end.tv_sec - begin.tv_sec));
	for (u32 k = 0; k < FUZZ_KINDS; k++) {
		/* else somebody writes into our own memory */
		CHECK(sum->count[k].succeeded <= sum->count[k].tried);
		if (sum->count[k].succeeded * CALLS < SUCCESSES * calls) {
			diag("%s has succeeded too seldom", fuzz_name(k));
			poor++;
		}
	}
	for (u32 k = 0; k < ARRAY_SIZE(sum->exits); k++)
		reasons += !!sum->exits[k];
	CHECK_EQ(poor, 0);
	CHECK(sum->entries * CALLS >= ENTRIES * calls);
	CHECK(reasons >= REASONS);
}

/*
 * Drawn calls must not depend on what the kernel answers: else a seed that
 * found something would not find it again.
 */
static void test_same(void)
{
	u64 *signatures = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(signatures != MAP_FAILED);
	dev_fd();
	for (u32 round = 0; round < 2; round++) {
		pid_t pid = CHECK_OK(fork());

		if (!pid) {
			fuzz(3000);
			for (u32 i = 0; i < FUZZ_WORKERS; i++)
				signatures[round * FUZZ_WORKERS + i] =
					fuzzers[i].signature;
			_exit(0);
		}
		wait_child(pid);
	}
	for (u32 i = 0; i < FUZZ_WORKERS; i++) {
		CHECK(signatures[i]);
		CHECK_EQ(signatures[i], signatures[FUZZ_WORKERS + i]);
	}
	/* and other calls for other workers */
	CHECK(signatures[0] != signatures[1]);
}

/* ------------------------------------------------------------------------
 * Afterwards
 */

static void guest_after(u64 arg)
{
	u32 r[4];
	u64 sum = 0;

	gcpuid(MVM_CPUID_BASE, 0, r);
	GUEST_EQ(r[1], 0x696e694d);	/* "Mini" */
	for (u64 i = 0; i < 0x1000; i++)
		((volatile u64 *)GUEST_FREE)[i] = i * arg;
	for (u64 i = 0; i < 0x1000; i++)
		sum += ((volatile u64 *)GUEST_FREE)[i];
	GUEST_EQ(sum, arg * 0x1000 * 0xfff / 2);
	GUEST_SYNC(1);
	GUEST_EQ(gread_cr4() & X86_CR4_PAE, X86_CR4_PAE);
}

static void test_boots(void)
{
	/* mov $0x2a, %al; out %al, $0x80; hlt */
	static const u8 real[] = { 0xb0, 0x2a, 0xe6, 0x80, 0xf4 };
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_after, 7);
	guest_sync(&vcpu, 1);
	guest_done(&vcpu);
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);

	vm_create(&vm, MVM_VM_EXIT_HLT);
	vm_ram(&vm, SZ_64K);
	vcpu_create(&vcpu, &vm, 0);
	vcpu_real_code(&vcpu, 0x1000, real, sizeof(real));
	vcpu_run_to(&vcpu, MVM_EXIT_IO);
	CHECK_EQ(vcpu.run->io.data, 0x2a);
	vcpu_run_to(&vcpu, MVM_EXIT_HLT);
}

/* Every VM that was made is free again. */
static void test_all_vms(void)
{
	u32 max = dev_info()->max_vms;
	struct mvm_create_vm c = { .name = "one too many" };
	struct vm vm;

	wait_module_refs(1, "mvm-");
	for (u32 i = 0; i < max; i++)
		vm_create(&vm, 0);
	CHECK_ERR(mvm_ioctl(dev_fd(), MVM_CREATE_VM, &c), ENOSPC);
}

static void test_nothing_left(void)
{
	if (access(MVM_DEVICE_PATH, F_OK))
		test_skip("no " MVM_DEVICE_PATH);
	wait_module_refs(0, "mvm-");
	CHECK_OK(module_unload());
	CHECK(access("/sys/kernel/debug/mini-vm", F_OK));
	CHECK(access("/sys/module/mini_vm", F_OK));
	CHECK_OK(module_load());
}

/* ------------------------------------------------------------------------
 * Options
 */

static u64 number(const char *name, const char *text)
{
	char *end;
	u64 v;

	errno = 0;
	v = strtoull(text, &end, 0);
	if (errno || end == text || *end || *text == '-') {
		fprintf(stderr, "fuzz: --%s %s: not a number\n", name, text);
		exit(2);
	}
	return v;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "calls", required_argument, NULL, 'c' },
		{ }
	};
	struct test tests[] = {
		{ "fuzz: a seed draws the same calls again", test_same, 400 },
		{ "fuzz: random calls get documented answers, and every ioctl succeeds often",
		  test_fuzz },
		{ "fuzz: afterwards VMs run in long mode and in real mode", test_boots },
		{ "fuzz: afterwards max_vms VMs can be made", test_all_vms, 60 },
		{ "fuzz: no thread and no reference is left, the module unloads and loads",
		  test_nothing_left },
	};
	char *rest[argc + 1];
	int n = 1, option;

	opterr = 0;
	/* what is not ours is the harness's, "-l" and "-n" among it */
	while ((option = getopt_long(argc, argv, "+ln", options, NULL)) != -1) {
		switch (option) {
		case 's':
			if (strcmp(optarg, "random"))
				seed = number("seed", optarg);
			else if (getrandom(&seed, 4, 0) != 4)
				seed = time(NULL);
			break;
		case 'c':
			calls = number("calls", optarg);
			break;
		case 'l':
			rest[n++] = "-l";
			break;
		case 'n':
			rest[n++] = "-n";
			break;
		default:
			fprintf(stderr, "usage: fuzz [--seed N|random] [--calls N] [-l] [-n] [TEST...]\n");
			return 2;
		}
	}
	rest[0] = argv[0];
	while (optind < argc)
		rest[n++] = argv[optind++];
	rest[n] = NULL;
	if (!calls) {
		fprintf(stderr, "fuzz: --calls 0: nothing to do\n");
		return 2;
	}
	/* on a kernel that checks itself it takes ten times as long */
	tests[1].seconds = 60 + calls / 20;
	printf("# seed %llu, %llu calls\n", (unsigned long long)seed,
	       (unsigned long long)calls);
	fflush(stdout);
	return run_tests(tests, ARRAY_SIZE(tests), n, rest);
}
