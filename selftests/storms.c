// SPDX-License-Identifier: GPL-2.0-only
/*
 * storms.c - the owner's memory in a storm: everything that calls the mmu
 * notifier, while guests write patterns and verify them
 *
 * Four vCPUs share the pages of the region, one after the other.  Each writes into three
 * words of each of its pages what names the page, the word and the round, and keeps
 * the round apart, in memory that no storm touches.  When it comes back, the
 * words must be what it wrote last: a write that was lost, or that went to a
 * page that had been taken away, shows.  Only where the owner throws memory
 * away on purpose may it be zero instead.  At the end the owner compares what
 * it sees with the rounds that the guests have noted.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/guest.h"
#include "lib/proc.h"

#define GPA		0x20000000UL
#define REGION		(2 * SZ_2M)
#define MAX_PAGES	(REGION / PAGE_SIZE)
#define SMALL		64	/* pages, of the storms that do not want 2 MiB */
#define VCPUS		4
/* Times that the memory is hit in one storm. */
#define HITS		120

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

/* ------------------------------------------------------------------------
 * The guests
 */

static const u16 words[] = { 0, 257, 511 };

static volatile u64 storm_stop, storm_pages, storm_lossy;
static volatile u64 storm_rounds[VCPUS];
static volatile u64 storm_last[MAX_PAGES];

static u64 tag(u64 page, u64 word, u64 round)
{
	return (page + 1) << 48 | word << 32 | round;
}

static void guest_storm(u64 id)
{
	for (u64 round = 1; !storm_stop; round++) {
		for (u64 i = id; i < storm_pages; i += VCPUS) {
			volatile u64 *p = (u64 *)(GPA + i * PAGE_SIZE);
			u64 last = storm_last[i];

			for (u64 w = 0; w < ARRAY_SIZE(words); w++) {
				u64 is = p[words[w]];

				if (last && !(storm_lossy && !is))
					GUEST_EQ(is, tag(i, words[w], last));
				else if (!last)
					GUEST_EQ(is, 0);
			}
			storm_last[i] = round;
			for (u64 w = 0; w < ARRAY_SIZE(words); w++)
				p[words[w]] = tag(i, words[w], round);
		}
		storm_rounds[id] = round;
	}
}

/* ------------------------------------------------------------------------
 * The owner
 */

/**
 * struct storm - guests in a region
 * @vm:		the VM
 * @vcpu:	its vCPUs
 * @thread:	each runs one
 * @mem:	the region, 2 MiB aligned
 * @spare:	memory that hit_slot() puts in its place
 * @pages:	of it
 * @random:	what the storm does next
 * @faults:	runs that ended because the memory was away
 */
struct storm {
	struct vm vm;
	struct vcpu vcpu[VCPUS];
	pthread_t thread[VCPUS];
	u8 *mem, *spare;
	u32 pages;
	struct random random;
	volatile u64 faults;
};

static u8 *map_aligned(u64 bytes)
{
	u8 *p = mmap(NULL, bytes + SZ_2M, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	p = (u8 *)(((u64)p + SZ_2M - 1) & ~(SZ_2M - 1));
	madvise(p, bytes, MADV_NOHUGEPAGE);
	return p;
}

/* Where the guest found no memory: behind its slot, or no slot. */
static u64 fault_gpa(const struct mvm_run *run)
{
	switch (run->exit_reason) {
	case MVM_EXIT_MEMORY_FAULT:
		return run->memory.gpa;
	case MVM_EXIT_MMIO:
		return run->mmio.gpa;
	default:
		return 0;
	}
}

static bool in_region(const struct storm *s, u64 gpa)
{
	return gpa >= GPA && gpa < GPA + s->pages * PAGE_SIZE;
}

static void *run_vcpu(void *arg)
{
	struct vcpu *vcpu = arg;
	struct storm *s = (struct storm *)((u8 *)vcpu->vm - offsetof(struct storm, vm));

	while (!guest_is_done(vcpu)) {
		guest_run(vcpu);
		if (guest_is_done(vcpu))
			break;
		/* the region is away for the moment; whoever took it needs time */
		if (!in_region(s, fault_gpa(vcpu->run)))
			FAIL("exit is %s", exit_text(vcpu));
		vcpu->run->action = MVM_ACTION_RETRY;
		__atomic_fetch_add(&s->faults, 1, __ATOMIC_RELAXED);
		sched_yield();
	}
	return NULL;
}

/* All guests have gone round since. */
static void wait_rounds(struct storm *s)
{
	u64 before[VCPUS];

	for (u32 i = 0; i < VCPUS; i++)
		before[i] = GUEST_VAR(&s->vm, storm_rounds)[0][i];
	for (u32 i = 0; i < VCPUS; i++)
		for (u32 ms = 0; GUEST_VAR(&s->vm, storm_rounds)[0][i] < before[i] + 2; ms++) {
			if (ms > 10000)
				FAIL("vCPU %u does not come round: %s", i,
				     exit_text(&s->vcpu[i]));
			usleep(1000);
		}
}

static void storm_begin(struct storm *s, u32 pages, bool lossy)
{
	dev_fd();
	*s = (struct storm){ .pages = pages, .random.state = 0x57043 + pages };
	s->mem = map_aligned(REGION);
	vm_create(&s->vm, 0);
	guest_image(&s->vm);
	vm_slot(&s->vm, SLOT_FREE, 0, GPA, REGION, s->mem);
	*GUEST_VAR(&s->vm, storm_pages) = pages;
	*GUEST_VAR(&s->vm, storm_lossy) = lossy;
	for (u32 i = 0; i < VCPUS; i++) {
		vcpu_create(&s->vcpu[i], &s->vm, i);
		guest_vcpu(&s->vcpu[i], guest_storm, i);
	}
	for (u32 i = 0; i < VCPUS; i++)
		CHECK_EQ(pthread_create(&s->thread[i], NULL, run_vcpu, &s->vcpu[i]), 0);
	wait_rounds(s);
}

/* Is this what a guest may have left in the page? */
static bool page_ok(struct storm *s, u32 page, const u8 *at, bool exact)
{
	u64 last = GUEST_VAR(&s->vm, storm_last)[0][page];

	for (u32 w = 0; w < ARRAY_SIZE(words); w++) {
		u64 is = ((volatile u64 *)at)[words[w]];

		if (!is && (!exact || *GUEST_VAR(&s->vm, storm_lossy) || !last))
			continue;
		if (exact ? is != tag(page, words[w], last) :
			    is >> 32 != tag(page, words[w], 0) >> 32) {
			diag("page %u word %u is 0x%llx, round %llu", page,
			     words[w], (unsigned long long)is,
			     (unsigned long long)last);
			return false;
		}
	}
	return true;
}

/* The guests come to their end; the owner has what they have written. */
static void storm_end(struct storm *s, u32 hits, u64 min_zaps)
{
	u64 zaps = 0, rounds = ~0ULL;

	wait_rounds(s);
	*GUEST_VAR(&s->vm, storm_stop) = 1;
	for (u32 i = 0; i < VCPUS; i++)
		CHECK_EQ(pthread_join(s->thread[i], NULL), 0);
	for (u32 page = 0; page < s->pages; page++)
		CHECK(page_ok(s, page, s->mem + page * PAGE_SIZE, true));
	for (u32 i = 0; i < VCPUS; i++) {
		u64 n = GUEST_VAR(&s->vm, storm_rounds)[0][i];

		zaps += vcpu_stat(&s->vcpu[i], "ept_faults");
		rounds = n < rounds ? n : rounds;
	}
	diag("%u hits, %llu rounds, %llu EPT faults, %llu exits for missing memory",
	     hits, (unsigned long long)rounds, (unsigned long long)zaps,
	     (unsigned long long)s->faults);
	CHECK(rounds >= 4);
	/* the storm has reached the guests' mappings */
	if (zaps < min_zaps)
		FAIL("only %llu EPT faults", (unsigned long long)zaps);
}

/* Part of the region, at most 8 pages of it. */
static u8 *some(struct storm *s, size_t *size)
{
	u32 page = random_below(&s->random, s->pages);
	u32 pages = 1 + random_below(&s->random, 8);

	if (page + pages > s->pages)
		pages = s->pages - page;
	*size = pages * PAGE_SIZE;
	return s->mem + page * PAGE_SIZE;
}

/* The guests run on; on one CPU only while we sleep. */
static void pause_a_little(struct storm *s)
{
	u32 n = random_below(&s->random, 8);

	if (n < 6)
		sleep_ns(n * 40000);
}

/* ------------------------------------------------------------------------
 * Kinds of weather
 */

static void hit_dontneed(struct storm *s)
{
	size_t size;
	u8 *at = some(s, &size);

	CHECK_OK(madvise(at, size, MADV_DONTNEED));
}

/* Away and back: the memory is the same, at other addresses meanwhile. */
static void hit_mremap(struct storm *s)
{
	static u8 *away;
	size_t size;
	u8 *at = some(s, &size);

	if (!away)
		away = map_aligned(SZ_64K);
	/* parts that differ in protection or history move one by one */
	if (mremap(at, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, away) != away) {
		size = PAGE_SIZE;
		CHECK(mremap(at, size, size, MREMAP_MAYMOVE | MREMAP_FIXED,
			     away) == away);
	}
	pause_a_little(s);
	CHECK(mremap(away, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, at) == at);
	/* nobody else may map something there */
	CHECK(mmap(away, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		   -1, 0) == away);
}

static void hit_mprotect(struct storm *s)
{
	size_t size;
	u8 *at = some(s, &size);
	bool none = random_below(&s->random, 2);

	CHECK_OK(mprotect(at, size, none ? PROT_NONE : PROT_READ));
	pause_a_little(s);
	CHECK_OK(mprotect(at, size, PROT_READ | PROT_WRITE));
}

/* The child has a copy of that moment: it holds still, whatever guests do. */
static void hit_fork(struct storm *s)
{
	pid_t pid = CHECK_OK(fork());

	if (!pid) {
		static u64 copy[MAX_PAGES];

		for (u32 page = 0; page < s->pages; page++) {
			const u8 *at = s->mem + page * PAGE_SIZE;

			copy[page] = *(volatile u64 *)at;
			if (!page_ok(s, page, at, false))
				_exit(1);
		}
		pause_a_little(s);
		sched_yield();
		for (u32 page = 0; page < s->pages; page++) {
			volatile u64 *at = (u64 *)(s->mem + page * PAGE_SIZE);

			if (*at != copy[page])
				_exit(2);
			/* nobody else may see this */
			for (u32 w = 0; w < ARRAY_SIZE(words); w++)
				at[words[w]] = 0xbadbadbad;
		}
		_exit(0);
	}
	wait_child(pid);
}

static void hit_pageout(struct storm *s)
{
	size_t size;
	u8 *at = some(s, &size);

	CHECK_OK(madvise(at, size, MADV_PAGEOUT));
}

/*
 * The slot goes, and comes back with other memory of the same content.  Who still has
 * the old memory reads rubbish, and what it writes there is lost.
 */
static void hit_slot(struct storm *s)
{
	size_t size = s->pages * PAGE_SIZE;
	u8 *old = s->mem;

	if (!s->spare)
		s->spare = map_aligned(REGION);
	vm_slot_remove(&s->vm, SLOT_FREE);
	memcpy(s->spare, old, size);
	memset(old, 0xbd, size);
	pause_a_little(s);
	for (size_t i = 0; i < size; i++)
		if (old[i] != 0xbd)
			FAIL("a guest wrote to offset 0x%zx of a slot that is gone", i);
	vm_slot(&s->vm, SLOT_FREE, 0, GPA, REGION, s->spare);
	s->mem = s->spare;
	s->spare = old;
}

/* Slots come and go beside the one that the guests use; it stays what it is. */
static void hit_neighbour(struct storm *s)
{
	if (!s->spare)
		s->spare = map_aligned(REGION);
	vm_slot(&s->vm, SLOT_FREE + 1, 0, GPA + REGION, REGION, s->spare);
	vm_slot(&s->vm, SLOT_FREE + 2, MVM_SLOT_READONLY, GPA - REGION, REGION, s->mem);
	pause_a_little(s);
	vm_slot_remove(&s->vm, SLOT_FREE + 2);
	vm_slot_remove(&s->vm, SLOT_FREE + 1);
}

static void storm(void (*hit)(struct storm *s), u32 hits, bool lossy)
{
	struct storm s;

	storm_begin(&s, SMALL, lossy);
	for (u32 i = 0; i < hits; i++) {
		hit(&s);
		pause_a_little(&s);
	}
	storm_end(&s, hits, SMALL + hits / 4);
}

static void test_dontneed(void)
{
	storm(hit_dontneed, HITS, true);
}

static void test_mremap(void)
{
	storm(hit_mremap, HITS, false);
}

static void test_mprotect(void)
{
	storm(hit_mprotect, HITS, false);
}

static void test_fork(void)
{
	storm(hit_fork, HITS / 5, false);
}

static void hit_slots(struct storm *s)
{
	if (random_below(&s->random, 2))
		hit_slot(s);
	else
		hit_neighbour(s);
}

static void test_slots(void)
{
	storm(hit_slots, HITS, false);
}

/* ------------------------------------------------------------------------
 * Swap
 */

#define ZRAM		"/sys/block/zram0/"
#define ZRAM_BYTES	(16UL << 20)

/* The device that was made for it; skips the test when there is no swap. */
static void swap_on(void)
{
	static union {
		u8 page[PAGE_SIZE];
		struct {
			u8 boot[1024];
			u32 version, last_page, bad_pages;
		} info;
	} header;
	char text[32];
	int fd;

	if (file_number("/proc/sys/vm/swappiness") < 0)
		test_skip("this kernel has no swap");
	if (access(ZRAM, F_OK) && system("modprobe zram 2>/dev/null"))
		test_skip("no zram to swap to");
	snprintf(text, sizeof(text), "%lu", ZRAM_BYTES);
	if (!file_write(ZRAM "disksize", text))
		test_skip("zram takes no size: %m");
	header.info.version = 1;
	header.info.last_page = ZRAM_BYTES / PAGE_SIZE - 1;
	memcpy(header.page + PAGE_SIZE - 10, "SWAPSPACE2", 10);
	fd = CHECK_OK(open("/dev/zram0", O_WRONLY | O_CLOEXEC));
	CHECK_EQ(write(fd, &header, sizeof(header)), sizeof(header));
	close(fd);
	CHECK_OK(swapon("/dev/zram0", 0));
}

static void swap_off(void)
{
	CHECK_OK(swapoff("/dev/zram0"));
	CHECK(file_write(ZRAM "reset", "1"));
}

static u64 vmstat(const char *name)
{
	FILE *f = fopen("/proc/vmstat", "r");
	unsigned long long v, found = 0;
	char word[64];

	CHECK(f);
	while (fscanf(f, "%63s %llu", word, &v) == 2)
		if (!strcmp(word, name))
			found = v;
	fclose(f);
	return found;
}

static void test_swap(void)
{
	u64 out, in;

	dev_fd();
	swap_on();
	out = vmstat("pswpout");
	in = vmstat("pswpin");
	storm(hit_pageout, HITS, false);
	out = vmstat("pswpout") - out;
	in = vmstat("pswpin") - in;
	swap_off();
	diag("%llu pages out, %llu in", (unsigned long long)out,
	     (unsigned long long)in);
	CHECK(out > HITS / 4);
	CHECK(in > HITS / 4);
}

/* ------------------------------------------------------------------------
 * Huge pages
 */

/* kB of the region in transparent huge pages */
static long huge_kb(const struct storm *s)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long from, to;
	bool inside = false;
	long kb, sum = 0;
	char line[256];

	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = from < (u64)s->mem + REGION && to > (u64)s->mem;
		else if (inside && sscanf(line, "AnonHugePages: %ld", &kb) == 1)
			sum += kb;
	}
	fclose(f);
	return sum;
}

/* The compound page itself, not only its mapping. */
static void split_pages(struct storm *s)
{
	char text[96];

	snprintf(text, sizeof(text), "%d,0x%lx,0x%lx,0", getpid(),
		 (unsigned long)s->mem, (unsigned long)s->mem + REGION);
	file_write("/sys/kernel/debug/split_huge_pages", text);
}

static void split(struct storm *s)
{
	size_t size;
	u8 *at = some(s, &size);

	switch (random_below(&s->random, 3)) {
	case 0:
		split_pages(s);
		break;
	case 1:
		CHECK_OK(mprotect(at, PAGE_SIZE, PROT_READ));
		CHECK_OK(mprotect(at, PAGE_SIZE, PROT_READ | PROT_WRITE));
		break;
	case 2:
		hit_mremap(s);
	}
}

static void test_collapse(void)
{
	u32 collapsed = 0, parted = 0;
	const u32 turns = 12;
	struct storm s;

	storm_begin(&s, MAX_PAGES, false);
	for (u32 i = 0; i < turns; i++) {
		u8 *at = s.mem + (i & 1) * SZ_2M;

		CHECK_OK(madvise(at, SZ_2M, MADV_HUGEPAGE));
		/* EAGAIN, EBUSY: a page was in use just then */
		if (madvise(at, SZ_2M, MADV_COLLAPSE) && errno == EINVAL)
			test_skip("no MADV_COLLAPSE");
		collapsed += huge_kb(&s) > 0;
		wait_rounds(&s);
		madvise(at, SZ_2M, MADV_NOHUGEPAGE);
		for (u32 n = 0; n < 8 && huge_kb(&s); n++)
			split(&s);
		parted += !huge_kb(&s);
		pause_a_little(&s);
	}
	diag("collapsed in %u of %u turns, all split after %u", collapsed, turns,
	     parted);
	storm_end(&s, 2 * turns, MAX_PAGES);
	CHECK(collapsed >= turns / 2);
	CHECK(parted >= turns / 4);
}

#define KHUGEPAGED	"/sys/kernel/mm/transparent_hugepage/khugepaged/"

static void test_khugepaged(void)
{
	char before[3][16];
	static const char *const files[] = {
		KHUGEPAGED "scan_sleep_millisecs",
		KHUGEPAGED "alloc_sleep_millisecs",
		KHUGEPAGED "pages_to_scan",
	};
	static const char *const eager[] = { "5", "5", "4096" };
	struct storm s;
	u32 turns = 0;

	if (access(KHUGEPAGED, F_OK))
		test_skip("no khugepaged");
	storm_begin(&s, MAX_PAGES, false);
	for (u32 i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(before[i], sizeof(before[i]), "%ld", file_number(files[i]));
		CHECK(file_write(files[i], eager[i]));
	}
	for (; turns < 4; turns++) {
		CHECK_OK(madvise(s.mem, REGION, MADV_HUGEPAGE));
		for (u32 ms = 0; !huge_kb(&s) && ms < 4000; ms += 20)
			usleep(20000);
		if (!huge_kb(&s))
			break;
		wait_rounds(&s);
		madvise(s.mem, REGION, MADV_NOHUGEPAGE);
		split_pages(&s);
	}
	for (u32 i = 0; i < ARRAY_SIZE(files); i++)
		file_write(files[i], before[i]);
	storm_end(&s, turns, MAX_PAGES);
	CHECK(turns > 1);
}

/* ------------------------------------------------------------------------
 * KSM
 */

#define KSM "/sys/kernel/mm/ksm/"

/*
 * Tags differ from page to page, so KSM only write-protects and looks; the
 * pages that nobody writes, behind them, are alike and get merged.
 */
static void test_ksm(void)
{
	struct storm s;
	long merged = 0;

	if (access(KSM, F_OK))
		test_skip("no KSM");
	storm_begin(&s, SMALL, false);
	for (u32 page = SMALL; page < 2 * SMALL; page++)
		memset(s.mem + page * PAGE_SIZE, 0x5a, PAGE_SIZE);
	CHECK_OK(madvise(s.mem, 2 * SMALL * PAGE_SIZE, MADV_MERGEABLE));
	CHECK(file_write(KSM "sleep_millisecs", "1"));
	CHECK(file_write(KSM "pages_to_scan", "500"));
	CHECK(file_write(KSM "run", "1"));
	for (u32 ms = 0; ms < 4000 && merged < SMALL / 2; ms += 20) {
		usleep(20000);
		merged = file_number(KSM "pages_sharing");
	}
	wait_rounds(&s);
	/* unmerge, under the guests */
	CHECK(file_write(KSM "run", "2"));
	wait_rounds(&s);
	file_write(KSM "run", "0");
	diag("%ld pages merged", merged);
	storm_end(&s, merged, SMALL);
	CHECK(merged >= SMALL / 2);
}

/* ------------------------------------------------------------------------
 * All at once
 */

static void test_all(void)
{
	static void (*const hits[])(struct storm *s) = {
		hit_dontneed, hit_mremap, hit_mprotect, hit_pageout, hit_slots,
	};
	struct storm s;

	storm_begin(&s, SMALL, true);
	for (u32 i = 0; i < 2 * HITS; i++) {
		u32 which = random_below(&s.random, 32);

		if (which == 0)
			hit_fork(&s);
		else
			hits[which % ARRAY_SIZE(hits)](&s);
		pause_a_little(&s);
		if (i % 64 == 63) {
			CHECK_OK(madvise(s.mem, SZ_2M, MADV_HUGEPAGE));
			madvise(s.mem, SZ_2M, MADV_COLLAPSE);
			madvise(s.mem, SZ_2M, MADV_NOHUGEPAGE);
		}
	}
	storm_end(&s, 2 * HITS, SMALL + HITS / 2);
}

/*
 * The check itself: a write that the owner undoes behind the guest's back is
 * what a lost write looks like, and must be found.
 */
static void test_found(void)
{
	struct vcpu vcpu;
	struct vm vm;
	u64 *mem;

	guest_create(&vm, &vcpu, 0, guest_storm, 0);
	mem = (u64 *)map_aligned(REGION);
	vm_slot(&vm, SLOT_FREE, 0, GPA, REGION, mem);
	*GUEST_VAR(&vm, storm_pages) = SMALL;
	vcpu_run_async(&vcpu);
	for (u32 ms = 0; GUEST_VAR(&vm, storm_rounds)[0][0] < 2; ms++) {
		CHECK(ms < 5000);
		usleep(1000);
	}
	CHECK(!vcpu_poll(&vcpu, 0));
	CHECK_OK(madvise(mem, SMALL * PAGE_SIZE, MADV_DONTNEED));
	CHECK(vcpu_poll(&vcpu, 5000));
	CHECK_EQ(vcpu.run->exit_reason, MVM_EXIT_IO);
	CHECK_EQ(vcpu.run->io.port, PORT_FAIL);
}

static const struct test tests[] = {
	{ "storm: a guest notices when a write is lost", test_found },
	{ "storm: MADV_DONTNEED leaves the pattern or zeros", test_dontneed, 60 },
	{ "storm: mremap away and back loses nothing", test_mremap, 60 },
	{ "storm: mprotect loses nothing", test_mprotect, 60 },
	{ "storm: fork parts the memory and loses nothing", test_fork, 60 },
	{ "storm: slots go and come back with other memory, and nothing is lost", test_slots, 60 },
	{ "storm: pages go to swap and come back", test_swap, 60 },
	{ "storm: huge pages are collapsed and split", test_collapse, 60 },
	{ "storm: khugepaged collapses while the guests write", test_khugepaged, 60 },
	{ "storm: KSM merges and unmerges beside the guests' pages", test_ksm, 60 },
	{ "storm: all at once", test_all, 100 },
};

TEST_MAIN(tests)
