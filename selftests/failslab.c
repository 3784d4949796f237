// SPDX-License-Identifier: GPL-2.0-only
/*
 * failslab.c - memory that is refused: every allocation that an operation makes
 * fails once, by the kernel's fault injection
 *
 * /proc/TID/fail-nth makes the Nth allocation of a task fail.  Each operation
 * runs with N = 1, 2, ... until it is over before the Nth allocation comes.
 * The answer must be a documented error, or success where the kernel can do
 * without; what was refused must work at the next attempt, and nothing may
 * leak.  The kernel has to have CONFIG_FAULT_INJECTION, FAILSLAB and
 * FAIL_PAGE_ALLOC; kmemleak looks afterwards where it is there.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/guest.h"
#include "lib/proc.h"

#define GPA		0x40000000UL
#define KTHREADD	2
/* No operation makes so many allocations. */
#define NTH_MAX		2000

/*
 * Let allocations that may wait fail, too, and say nothing about it: the
 * kernel's account of each would look like a warning.
 */
static void injection_on(void)
{
	static const char *const files[][2] = {
		{ "/sys/kernel/debug/failslab/ignore-gfp-wait", "N" },
		{ "/sys/kernel/debug/failslab/verbose", "0" },
		{ "/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N" },
		{ "/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem", "N" },
		{ "/sys/kernel/debug/fail_page_alloc/min-order", "0" },
		{ "/sys/kernel/debug/fail_page_alloc/verbose", "0" },
	};

	if (access("/proc/self/fail-nth", F_OK))
		test_skip("this kernel injects no faults");
	for (u32 i = 0; i < ARRAY_SIZE(files); i++)
		if (!file_write(files[i][0], files[i][1]))
			test_skip("%s: %m", files[i][0]);
	dev_info();
}

/* Open once: opening allocates, too. */
static int nth_open(pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fail-nth", tid);
	return CHECK_OK(open(path, O_RDWR | O_CLOEXEC));
}

static void nth_set(int fd, u32 n)
{
	char text[16];
	int size = snprintf(text, sizeof(text), "%u", n);

	CHECK_EQ(pwrite(fd, text, size, 0), size);
}

/* End it: true when the fault has happened. */
static bool nth_clear(int fd)
{
	char text[16] = "";

	CHECK(pread(fd, text, sizeof(text) - 1, 0) > 0);
	nth_set(fd, 0);
	return !atoi(text);
}

/*
 * The kernel may complain about memory with a stack trace, which is no fault
 * here but would look like one on the console.  So such messages stay in its
 * log, and we look there for what must not be.
 */
#define PRINTK	"/proc/sys/kernel/printk"

/**
 * struct quiet - the console without warnings
 * @log:	the kernel's log, from here on
 * @level:	the console's level before
 */
struct quiet {
	int log;
	long level;
};

static void quiet_begin(struct quiet *q)
{
	q->log = CHECK_OK(open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
	CHECK_OK(lseek(q->log, 0, SEEK_END));
	q->level = file_number(PRINTK);
	/* errors and worse */
	CHECK(file_write(PRINTK, "4"));
}

static void quiet_end(struct quiet *q)
{
	static const char *const bad[] = {
		"WARNING:", "BUG:", "Oops", "KASAN:", "UBSAN:", "refcount_t:",
		"possible recursive", "possible circular", "suspicious RCU",
		"non-static key", "list_add corruption", "list_del corruption",
	};
	char record[8192], level[16];
	bool found = false;
	ssize_t n;

	snprintf(level, sizeof(level), "%ld", q->level);
	CHECK(file_write(PRINTK, level));
	while ((n = read(q->log, record, sizeof(record) - 1)) > 0 || errno == EPIPE) {
		/* EPIPE: the oldest are overwritten already */
		if (n <= 0)
			continue;
		record[n] = '\0';
		for (u32 i = 0; i < ARRAY_SIZE(bad); i++)
			if (strstr(record, bad[i])) {
				diag("%s", record);
				found = true;
			}
	}
	close(q->log);
	if (found)
		FAIL("the kernel has complained");
}

static u32 count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	u32 n = 0;

	CHECK(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/**
 * struct operation - what is to be tried
 * @name:	for messages
 * @prepare:	before each attempt; may be NULL
 * @call:	-1 and errno, or what is not negative
 * @undo:	after a success, with its value; may be NULL
 * @errnos:	what it may say, zero terminated
 */
struct operation {
	const char *name;
	void (*prepare)(void);
	long (*call)(void);
	void (*undo)(long value);
	int errnos[4];
};

static bool expected(const struct operation *o, int error)
{
	for (u32 i = 0; o->errnos[i]; i++)
		if (o->errnos[i] == error)
			return true;
	return false;
}

/* Try it with every allocation of a task refused; how many were. */
static u32 try_all(const struct operation *o, pid_t tid)
{
	u32 faults = 0, errors = 0, fds;
	int nth = nth_open(tid);
	struct quiet quiet;
	long value;

	/* once before: our own pages are there, and tables have grown */
	if (o->prepare)
		o->prepare();
	value = CHECK_OK(o->call());
	if (o->undo)
		o->undo(value);
	fds = count_fds();
	quiet_begin(&quiet);
	for (u32 n = 1; n < NTH_MAX; n++) {
		bool happened;
		long ret;
		int error;

		if (o->prepare)
			o->prepare();
		nth_set(nth, n);
		ret = o->call();
		error = errno;
		happened = nth_clear(nth);
		if (ret == -1 && !happened)
			FAIL("%s: errno %d (%s) although no allocation failed",
			     o->name, error, strerror(error));
		if (ret == -1 && !expected(o, error))
			FAIL("%s: allocation %u failed, and it says errno %d (%s)",
			     o->name, n, error, strerror(error));
		if (ret != -1) {
			if (o->undo)
				o->undo(ret);
		} else {
			errors++;
			ret = o->call();
			if (ret == -1)
				FAIL("%s: allocation %u failed, and again without: %m",
				     o->name, n);
			if (o->undo)
				o->undo(ret);
		}
		if (!happened) {
			quiet_end(&quiet);
			CHECK_EQ(count_fds(), fds);
			close(nth);
			diag("%s: %u allocations refused, %u times an error",
			     o->name, faults, errors);
			return faults;
		}
		faults++;
	}
	FAIL("%s: no end after %d allocations", o->name, NTH_MAX);
}

static void close_fd(long fd)
{
	CHECK_OK(close(fd));
}

/* ------------------------------------------------------------------------
 * Creation
 */

static struct vm vm;
static struct vcpu vcpu;

static long create_vm(void)
{
	struct mvm_create_vm c = { .name = "failslab" };

	return mvm_ioctl(dev_fd(), MVM_CREATE_VM, &c);
}

static void test_create_vm(void)
{
	static const struct operation o = {
		"CREATE_VM", NULL, create_vm, close_fd, { ENOMEM }
	};

	injection_on();
	/* the VM, its index, its EPT, the notifier, the descriptor */
	CHECK(try_all(&o, getpid()) >= 5);
}

static void fresh_vm(void)
{
	if (vm.fd > 0)
		close(vm.fd);
	vm_create(&vm, 0);
}

static long create_vcpu(void)
{
	struct mvm_create_vcpu c = { .id = 0 };

	return mvm_ioctl(vm.fd, MVM_CREATE_VCPU, &c);
}

static void test_create_vcpu(void)
{
	/* the file table may change with each VM: one is open from the start */
	static const struct operation o = {
		"CREATE_VCPU", fresh_vm, create_vcpu, close_fd, { ENOMEM }
	};

	injection_on();
	fresh_vm();
	/* the object, the run page, XSAVE, the VMCS, the descriptor */
	CHECK(try_all(&o, getpid()) >= 5);
}

/* The kernel thread is made by kthreadd. */
static void test_create_thread(void)
{
	static const struct operation o = {
		"CREATE_VCPU's thread", fresh_vm, create_vcpu, close_fd,
		/* clone() says EAGAIN for some of its allocations */
		{ ENOMEM, EAGAIN }
	};

	injection_on();
	fresh_vm();
	CHECK(try_all(&o, KTHREADD) >= 3);
}

static void *run_page;

static void fresh_vcpu(void)
{
	if (vcpu.fd > 0)
		close(vcpu.fd);
	fresh_vm();
	vcpu.fd = CHECK_OK(create_vcpu());
}

static long map_run_page(void)
{
	run_page = mmap(NULL, dev_info()->run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			vcpu.fd, 0);
	return run_page == MAP_FAILED ? -1 : 0;
}

static void unmap_run_page(long value)
{
	(void)value;
	CHECK_OK(munmap(run_page, dev_info()->run_size));
}

static void test_mmap(void)
{
	static const struct operation o = {
		"mmap of the run page", NULL, map_run_page, unmap_run_page,
		{ ENOMEM }
	};

	injection_on();
	fresh_vcpu();
	CHECK(try_all(&o, getpid()) >= 1);
}

static u8 *slot_memory;

static long add_slot(void)
{
	struct mvm_slot s = {
		.slot = SLOT_FREE,
		.gpa = GPA,
		.length = SZ_2M,
		.user_addr = (u64)slot_memory,
	};

	return mvm_ioctl(vm.fd, MVM_SET_SLOT, &s);
}

static void remove_slot(long value)
{
	(void)value;
	vm_slot_remove(&vm, SLOT_FREE);
}

static void test_slot(void)
{
	static const struct operation o = {
		"SET_SLOT", NULL, add_slot, remove_slot, { ENOMEM }
	};

	injection_on();
	slot_memory = mem_alloc(SZ_2M);
	fresh_vm();
	/* it need not allocate at all */
	try_all(&o, getpid());
}

/* ------------------------------------------------------------------------
 * Doorbells, posted ports, irqfds
 */

static int event;

static long add_doorbell(void)
{
	return try_doorbell(&vm, 0, event, 0x500, 1, 0);
}

static long add_posted(void)
{
	return try_posted(&vm, 0, 0x3f8, 8);
}

static long add_irqfd(void)
{
	return try_irqfd(&vm, 0, event, 0x50);
}

static void test_eventfds(void)
{
	static const struct operation ops[] = {
		{ "SET_DOORBELL", fresh_vm, add_doorbell, NULL, { ENOMEM } },
		{ "SET_POSTED", fresh_vm, add_posted, NULL, { ENOMEM } },
		{ "SET_IRQFD", fresh_vm, add_irqfd, NULL, { ENOMEM } },
	};

	injection_on();
	event = eventfd_new();
	fresh_vm();
	for (u32 i = 0; i < ARRAY_SIZE(ops); i++)
		CHECK(try_all(&ops[i], getpid()) >= 1);
}

/* ------------------------------------------------------------------------
 * State
 */

static struct mvm_cpuid_entry table[MVM_CPUID_MAX];
static u32 table_count;
static u8 xsave[8192] __attribute__((aligned(64)));
static struct mvm_msr_entry msrs[MVM_MSRS_MAX];

static long set_cpuid(void)
{
	struct mvm_cpuid c = { .count = table_count, .entries = (u64)table };

	return mvm_ioctl(vcpu.fd, MVM_SET_CPUID, &c);
}

static long set_xsave(void)
{
	struct mvm_xsave x = {
		.length = dev_info()->xsave_size,
		.buffer = (u64)xsave,
	};

	return mvm_ioctl(vcpu.fd, MVM_SET_XSAVE, &x);
}

static long get_msrs(void)
{
	struct mvm_msrs m = { .count = ARRAY_SIZE(msrs), .entries = (u64)msrs };

	return mvm_ioctl(vcpu.fd, MVM_GET_MSRS, &m);
}

static long set_msrs(void)
{
	struct mvm_msrs m = { .count = ARRAY_SIZE(msrs), .entries = (u64)msrs };

	return mvm_ioctl(vcpu.fd, MVM_SET_MSRS, &m);
}

static void test_state(void)
{
	static const struct operation ops[] = {
		{ "SET_CPUID", NULL, set_cpuid, NULL, { ENOMEM } },
		{ "SET_XSAVE", NULL, set_xsave, NULL, { ENOMEM } },
		{ "GET_MSRS", NULL, get_msrs, NULL, { ENOMEM } },
		{ "SET_MSRS", NULL, set_msrs, NULL, { ENOMEM } },
	};
	struct mvm_cpuid c = { .count = MVM_CPUID_MAX, .entries = (u64)table };
	struct mvm_xsave x = { .buffer = (u64)xsave };

	injection_on();
	CHECK(dev_info()->xsave_size <= sizeof(xsave));
	x.length = dev_info()->xsave_size;
	fresh_vcpu();
	CHECK_OK(mvm_ioctl(vcpu.fd, MVM_GET_CPUID, &c));
	table_count = c.count;
	CHECK_OK(mvm_ioctl(vcpu.fd, MVM_GET_XSAVE, &x));
	for (u32 i = 0; i < ARRAY_SIZE(msrs); i++)
		msrs[i].index = MSR_TSC_AUX;
	for (u32 i = 0; i < ARRAY_SIZE(ops); i++)
		CHECK(try_all(&ops[i], getpid()) >= 1);
}

/* ------------------------------------------------------------------------
 * Faults of a guest
 */

static volatile u64 touch_stride, touch_count;

static void guest_touch(u64 arg)
{
	(void)arg;
	for (;;) {
		for (u64 i = 0; i < touch_count; i++)
			(*(volatile u64 *)(GPA + i * touch_stride))++;
		GUEST_SYNC(1);
	}
}

/* The id of the one thread whose name begins like this. */
static pid_t find_thread(const char *prefix)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	pid_t found = 0;

	CHECK(d);
	while ((e = readdir(d))) {
		char path[300], name[64] = "";
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%s/comm", e->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		if (fgets(name, sizeof(name), f) &&
		    !strncmp(name, prefix, strlen(prefix)))
			found = atoi(e->d_name);
		fclose(f);
	}
	closedir(d);
	CHECK(found);
	return found;
}

/*
 * Refuse each allocation of the vCPU's thread while the guest touches pages
 * that are not there.
 */
static void faults_refused(u64 length, u64 stride, u32 least)
{
	u32 refused = 0, exits = 0;
	struct quiet quiet;
	u64 *mem;
	int nth;

	guest_create(&vm, &vcpu, 0, guest_touch, 0);
	*GUEST_VAR(&vm, touch_stride) = stride;
	*GUEST_VAR(&vm, touch_count) = length / stride;
	mem = mem_alloc(length);
	/* the image is mapped already: only the pages under test fault */
	vm_slot(&vm, SLOT_FREE, 0, GPA, length, mem);
	guest_sync(&vcpu, 1);
	nth = nth_open(find_thread("mvm-selftest"));
	quiet_begin(&quiet);
	for (u32 n = 1; n < NTH_MAX; n++) {
		bool happened;

		vm_slot_remove(&vm, SLOT_FREE);
		CHECK_OK(madvise(mem, length, MADV_DONTNEED));
		vm_slot(&vm, SLOT_FREE, 0, GPA, length, mem);
		nth_set(nth, n);
		guest_run(&vcpu);
		happened = nth_clear(nth);
		if (!guest_is_sync(&vcpu, 1)) {
			CHECK(happened);
			CHECK_EQ(vcpu.run->exit_reason, MVM_EXIT_MEMORY_FAULT);
			CHECK_EQ(vcpu.run->memory.error, ENOMEM);
			CHECK(vcpu.run->memory.gpa >= GPA &&
			      vcpu.run->memory.gpa < GPA + length);
			exits++;
			vcpu.run->action = MVM_ACTION_RETRY;
			guest_sync(&vcpu, 1);
		}
		/* each page was touched once, the interrupted one too */
		for (u64 i = 0; i < length; i += stride)
			CHECK_EQ(mem[i / 8], 1);
		if (!happened)
			break;
		refused++;
	}
	quiet_end(&quiet);
	diag("%u allocations refused, %u exits", refused, exits);
	CHECK(refused >= least);
	CHECK(exits >= 1);
}

static void test_faults(void)
{
	injection_on();
	/* 4 pages and the tables above them */
	faults_refused(4 * PAGE_SIZE, PAGE_SIZE, 4);
}

static void test_faults_far(void)
{
	injection_on();
	/* a table for each page */
	faults_refused(4 * SZ_2M, SZ_2M, 8);
}

/* ------------------------------------------------------------------------
 * What is left
 */

static void test_nothing_left(void)
{
	injection_on();
	wait_module_refs(1, "mvm-");
}

#define KMEMLEAK "/sys/kernel/debug/kmemleak"

static void test_no_leak(void)
{
	char line[512];
	u32 lines = 0;
	FILE *f;

	injection_on();
	if (!file_write(KMEMLEAK, "scan"))
		test_skip("no kmemleak: %m");
	/* what is younger than 5 s is not reported */
	sleep(6);
	CHECK(file_write(KMEMLEAK, "scan"));
	CHECK(file_write(KMEMLEAK, "scan"));
	f = fopen(KMEMLEAK, "r");
	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		diag("%s", line);
		lines++;
	}
	fclose(f);
	CHECK_EQ(lines, 0);
}

static const struct test tests[] = {
	{ "nomem: CREATE_VM", test_create_vm, 60 },
	{ "nomem: CREATE_VCPU", test_create_vcpu, 60 },
	{ "nomem: CREATE_VCPU, the thread", test_create_thread, 60 },
	{ "nomem: mmap of the run page", test_mmap, 60 },
	{ "nomem: SET_SLOT", test_slot, 60 },
	{ "nomem: SET_DOORBELL, SET_POSTED, SET_IRQFD", test_eventfds, 60 },
	{ "nomem: SET_CPUID, SET_XSAVE, GET_MSRS, SET_MSRS", test_state, 60 },
	{ "nomem: a guest that faults pages in gets MEMORY_FAULT, ENOMEM, and goes on",
	  test_faults, 60 },
	{ "nomem: a guest that faults tables in", test_faults_far, 60 },
	{ "nomem: no thread and no reference is left", test_nothing_left },
	{ "nomem: kmemleak finds nothing", test_no_leak, 60 },
};

TEST_MAIN(tests)
