// SPDX-License-Identifier: GPL-2.0-only
/*
 * hostevents.c - what happens to a host while guests run: CPUs go and come,
 * a profiler samples, it sleeps
 */
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/guest.h"
#include "lib/host.h"
#include "lib/proc.h"

#define THREADS		"mvm-selftest"
#define VMS		2
#define TICK_VECTOR	0x40

/* ------------------------------------------------------------------------
 * A guest that lives: it counts, its timer ticks, its clock runs forward
 */

static volatile u64 life, ticks, max_gap;

static void tick(struct trap_frame *frame)
{
	(void)frame;
	ticks++;
	gwrmsr(0x80b, 0);	/* EOI */
}

#define HALTS		(1ULL << 63)

/* @arg: period of the APIC timer, in its ticks; HALTS: sleep in between */
static void guest_life(u64 arg)
{
	volatile u64 *mem = (u64 *)GUEST_FREE;
	u64 before, now;
	u32 r[4];

	guest_handler[TICK_VECTOR] = tick;
	gwrmsr(MSR_APIC_BASE, grdmsr(MSR_APIC_BASE) | 0xc00);
	gwrmsr(0x80f, 0x1ff);			/* software enable */
	gwrmsr(0x83e, 0xb);			/* divide by 1 */
	gwrmsr(0x832, 0x20000 | TICK_VECTOR);	/* periodic */
	gwrmsr(0x838, (u32)arg);
	gsti();
	before = grdtsc();
	for (u64 i = 1;; i++) {
		u64 at = i % 0x4000;

		if (arg & HALTS)
			ghlt();
		mem[at] = i;
		gcpuid(MVM_CPUID_BASE, 0, r);
		GUEST_EQ(r[1], 0x696e694d);
		GUEST_EQ(mem[at], i);
		now = grdtsc();
		GUEST_ASSERT(now >= before);
		if (now - before > max_gap)
			max_gap = now - before;
		before = now;
		life = i;
	}
}

/* one that computes, one that sleeps most of the time */
static struct vm vms[VMS];
static struct vcpu vcpus[VMS];

static void start_guests(void)
{
	u64 period = 2 * (u64)dev_info()->apic_timer_khz;

	for (u32 i = 0; i < VMS; i++) {
		guest_create(&vms[i], &vcpus[i], 0, guest_life,
			     period | (i ? HALTS : 0));
		vcpu_run_async(&vcpus[i]);
	}
}

/* All of them go on, and their timers tick. */
static void guests_live(void)
{
	u64 life_before[VMS], ticks_before[VMS];

	for (u32 i = 0; i < VMS; i++) {
		life_before[i] = *GUEST_VAR(&vms[i], life);
		ticks_before[i] = *GUEST_VAR(&vms[i], ticks);
	}
	for (u32 i = 0; i < VMS; i++)
		for (u32 ms = 0; *GUEST_VAR(&vms[i], life) < life_before[i] + 30 ||
				 *GUEST_VAR(&vms[i], ticks) < ticks_before[i] + 3; ms++) {
			if (vcpu_poll(&vcpus[i], 0)) {
				guest_check(&vcpus[i]);
				FAIL("guest %u: %s", i, exit_text(&vcpus[i]));
			}
			if (ms > 10000)
				FAIL("guest %u stands still", i);
			usleep(1000);
		}
}

static void stop_guests(void)
{
	for (u32 i = 0; i < VMS; i++) {
		CHECK_EQ(vcpu_stop(&vcpus[i]), MVM_EXIT_INTR);
		vcpu_destroy(&vcpus[i]);
		vm_destroy(&vms[i]);
	}
}

/* ------------------------------------------------------------------------
 * CPUs
 */

#define CPU1	"/sys/devices/system/cpu/cpu1/online"

static void test_offline(void)
{
	dev_fd();
	if (file_number(CPU1) != 1)
		test_skip("no second CPU that can go offline");
	start_guests();
	guests_live();
	for (u32 round = 0; round < 5; round++) {
		/* they run where it will happen */
		CHECK_EQ(pin_tasks(THREADS, 1), VMS);
		guests_live();
		CHECK(file_write(CPU1, "0"));
		CHECK_EQ(file_number(CPU1), 0);
		guests_live();
		CHECK(file_write(CPU1, "1"));
		guests_live();
	}
	/* the CPU that came back runs guests */
	CHECK_EQ(pin_tasks(THREADS, 1), VMS);
	guests_live();
	stop_guests();
}

static void test_offline_create(void)
{
	dev_fd();
	if (file_number(CPU1) != 1)
		test_skip("no second CPU that can go offline");
	/* a VM made while a CPU is away runs there later */
	CHECK(file_write(CPU1, "0"));
	start_guests();
	guests_live();
	CHECK(file_write(CPU1, "1"));
	CHECK_EQ(pin_tasks(THREADS, 1), VMS);
	guests_live();
	stop_guests();
}

/* ------------------------------------------------------------------------
 * A profiler
 */

#define RING_PAGES	16

static int perf_open(u32 type, u64 config, int cpu)
{
	struct perf_event_attr attr = {
		.type = type,
		.size = sizeof(attr),
		.config = config,
		.freq = 1,
		.sample_freq = 2000,
		.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID,
	};

	return syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

/**
 * struct samples - what a profiler saw
 * @all:	samples
 * @vcpus:	of vCPU threads
 * @guest:	that claim to be from inside a guest
 */
struct samples {
	u64 all, vcpus, guest;
};

static bool is_vcpu(u32 tid)
{
	char path[64], name[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/comm", tid);
	f = fopen(path, "r");
	if (!f)
		return false;
	if (!fgets(name, sizeof(name), f))
		name[0] = '\0';
	fclose(f);
	return !strncmp(name, THREADS, strlen(THREADS));
}

/* The records of the ring as far as they have been kept. */
static void read_ring(struct perf_event_mmap_page *page, struct samples *sum)
{
	const u8 *ring = (u8 *)page + PAGE_SIZE;
	u64 size = RING_PAGES * PAGE_SIZE, at = page->data_tail;
	u64 head = __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE);
	u32 last_tid = 0;
	bool last_is = false;

	while (at < head) {
		u8 record[256];
		struct perf_event_header h;
		u32 tid;

		for (u64 i = 0; i < sizeof(h); i++)
			((u8 *)&h)[i] = ring[(at + i) % size];
		CHECK(h.size >= sizeof(h) && h.size <= sizeof(record));
		for (u64 i = 0; i < h.size; i++)
			record[i] = ring[(at + i) % size];
		at += h.size;
		if (h.type != PERF_RECORD_SAMPLE)
			continue;
		/* header, ip, pid, tid */
		tid = *(u32 *)(record + 20);
		if (tid != last_tid)
			last_is = is_vcpu(tid);
		last_tid = tid;
		sum->all++;
		sum->vcpus += last_is;
		h.misc &= PERF_RECORD_MISC_CPUMODE_MASK;
		sum->guest += h.misc == PERF_RECORD_MISC_GUEST_KERNEL ||
			      h.misc == PERF_RECORD_MISC_GUEST_USER;
	}
	page->data_tail = at;
}

static void sample(u32 type, u64 config)
{
	int fds[8], cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct perf_event_mmap_page *pages[8];
	struct host_state before, after;
	struct samples sum = { };

	if (cpus > 8)
		cpus = 8;
	host_pin();
	host_read(&before);
	start_guests();
	guests_live();
	for (int i = 0; i < cpus; i++) {
		fds[i] = perf_open(type, config, i);
		if (fds[i] < 0)
			test_skip("perf_event_open: %m");
		pages[i] = mmap(NULL, (1 + RING_PAGES) * PAGE_SIZE,
				PROT_READ | PROT_WRITE, MAP_SHARED, fds[i], 0);
		CHECK(pages[i] != MAP_FAILED);
	}
	for (u32 n = 0; n < 20; n++) {
		guests_live();
		usleep(20000);
		for (int i = 0; i < cpus; i++)
			read_ring(pages[i], &sum);
	}
	host_check();
	for (int i = 0; i < cpus; i++) {
		munmap(pages[i], (1 + RING_PAGES) * PAGE_SIZE);
		close(fds[i]);
	}
	guests_live();
	stop_guests();
	host_read(&after);
	host_compare(&before, &after);
	diag("%llu samples, %llu in vCPU threads", (unsigned long long)sum.all,
	     (unsigned long long)sum.vcpus);
	CHECK(sum.all > 50);
	CHECK(sum.vcpus > 10);
	/* the module does not lend the profiler its guests */
	CHECK_EQ(sum.guest, 0);
}

static void test_perf_clock(void)
{
	dev_fd();
	sample(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK);
}

static void test_perf_nmi(void)
{
	int fd = perf_open(PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES, 0);

	dev_fd();
	if (fd < 0)
		test_skip("no performance counter that could raise an NMI: %m");
	close(fd);
	sample(PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES);
}

/* ------------------------------------------------------------------------
 * Sleep
 */

#define PM_TEST		"/sys/power/pm_test"
#define PM_STATE	"/sys/power/state"
#define PM_MEM		"/sys/power/mem_sleep"
#define PM_DELAY	"/sys/module/suspend/parameters/pm_test_delay"

/* seconds that the test modes of suspend hold still */
#define DELAY		1

static bool file_has(const char *path, const char *word)
{
	char text[256] = "";
	FILE *f = fopen(path, "r");
	bool has;

	if (!f)
		return false;
	if (!fgets(text, sizeof(text), f))
		text[0] = '\0';
	fclose(f);
	has = strstr(text, word);
	return has;
}

/* The guests slept at least so long, and live. */
static void guests_slept(u64 ms)
{
	guests_live();
	for (u32 i = 0; i < VMS; i++) {
		u64 gap = *GUEST_VAR(&vms[i], max_gap) / dev_info()->tsc_khz;

		diag("guest %u: %llu ms without an instruction", i,
		     (unsigned long long)gap);
		if (gap < ms)
			FAIL("guest %u ran while the host slept", i);
	}
}

static void need_suspend(const char *state, const char *level)
{
	dev_fd();
	if (!file_has(PM_TEST, level))
		test_skip("this kernel has no pm_test");
	if (!file_has(PM_STATE, state))
		test_skip("this machine has no state '%s'", state);
	CHECK(file_write(PM_DELAY, "1"));
}

static void suspend_once(const char *state, const char *level)
{
	CHECK(file_write(PM_TEST, level));
	if (!file_write(PM_STATE, state))
		FAIL("%s as far as %s: %m", state, level);
	CHECK(file_write(PM_TEST, "none"));
}

static void suspend_as_far_as(const char *state, const char *level)
{
	need_suspend(state, level);
	start_guests();
	guests_live();
	for (u32 round = 0; round < 2; round++) {
		for (u32 i = 0; i < VMS; i++)
			*GUEST_VAR(&vms[i], max_gap) = 0;
		suspend_once(state, level);
		guests_slept(DELAY * 1000 * 3 / 4);
	}
	stop_guests();
}

static void test_suspend_freezer(void)
{
	suspend_as_far_as("freeze", "freezer");
}

static void test_suspend_devices(void)
{
	suspend_as_far_as("freeze", "devices");
}

static void test_suspend_platform(void)
{
	/* the deepest that there is for "freeze" */
	suspend_as_far_as("freeze", "platform");
}

static void need_deep(void)
{
	if (!file_has(PM_MEM, "deep"))
		test_skip("the firmware does not offer suspend to RAM");
	CHECK(file_write(PM_MEM, "deep"));
}

/* The other CPUs go offline, then all but the firmware's part. */
static void test_suspend_core(void)
{
	need_deep();
	suspend_as_far_as("mem", "core");
}

static volatile u64 token, last_tsc, token_stop;

/* Two vCPUs in turn: the TSC is never less than what the other one has read. */
static void guest_token(u64 id)
{
	while (!token_stop) {
		u64 now;

		if (token % 2 != id) {
			gpause();
			continue;
		}
		now = grdtsc();
		GUEST_ASSERT(now >= last_tsc);
		last_tsc = now;
		token++;
	}
}

static void wait_tokens(struct vm *vm, struct vcpu *pair)
{
	u64 before = *GUEST_VAR(vm, token);

	for (u32 ms = 0; *GUEST_VAR(vm, token) < before + 10; ms++) {
		for (u32 i = 0; i < 2; i++)
			if (vcpu_poll(&pair[i], 0)) {
				guest_check(&pair[i]);
				FAIL("vCPU %u: %s", i, exit_text(&pair[i]));
			}
		if (ms > 20000)
			FAIL("the guest stands still");
		usleep(1000);
	}
}

#define TSC_BACK	"/sys/module/mini_vm/parameters/debug_tsc_back"

/* The module believes that the TSC went back by a minute: see module/debug.c. */
static void test_suspend_tsc(void)
{
	u64 back = 60000 * (u64)dev_info()->tsc_khz, before;
	struct vcpu pair[2];
	char text[24];
	struct vm vm;

	if (access(TSC_BACK, F_OK))
		test_skip("needs a module built with MVM_DEBUG=1");
	need_deep();
	need_suspend("mem", "core");
	vm_create(&vm, 0);
	guest_image(&vm);
	for (u32 i = 0; i < 2; i++) {
		vcpu_create(&pair[i], &vm, i);
		guest_vcpu(&pair[i], guest_token, i);
		vcpu_run_async(&pair[i]);
	}
	wait_tokens(&vm, pair);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)back);
	CHECK(file_write(TSC_BACK, text));
	for (u32 round = 0; round < 2; round++) {
		before = *GUEST_VAR(&vm, last_tsc);
		suspend_once("mem", "core");
		wait_tokens(&vm, pair);
		/* what was lost is made up for, once */
		CHECK(*GUEST_VAR(&vm, last_tsc) - before >= back);
		CHECK(*GUEST_VAR(&vm, last_tsc) - before < 2 * back);
	}
	CHECK(file_write(TSC_BACK, "0"));
	*GUEST_VAR(&vm, token_stop) = 1;
	for (u32 i = 0; i < 2; i++) {
		CHECK(vcpu_poll(&pair[i], 5000));
		guest_check(&pair[i]);
	}
}

static const struct test tests[] = {
	{ "cpu: guests go on while their CPU goes offline and comes back",
	  test_offline, 60 },
	{ "cpu: a VM made while a CPU is away runs on it later",
	  test_offline_create, 60 },
	{ "perf: a profiler's timer samples beside guests", test_perf_clock, 60 },
	{ "perf: a profiler's NMIs beside guests", test_perf_nmi, 60 },
	{ "suspend: as far as the freezer, guests stand still and go on",
	  test_suspend_freezer, 60 },
	{ "suspend: as far as devices", test_suspend_devices, 60 },
	{ "suspend: as far as the platform", test_suspend_platform, 60 },
	{ "suspend: to RAM, all but the firmware's part", test_suspend_core, 60 },
	{ "suspend: a TSC that goes back does not for guests, and vCPUs agree", test_suspend_tsc, 60 },
};

TEST_MAIN(tests)
