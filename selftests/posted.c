// SPDX-License-Identifier: GPL-2.0-only
/*
 * posted.c - posted port writes: what the ring holds and in which order, who is
 * woken, and readers that stop, lie or die
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/guest.h"
#include "lib/proc.h"

#define PORT	0x3f8
#define OTHER	0x300

/* the guest counts; the host says what it waits for */
static volatile u64 rounds, flag;

/* The ring's oldest entry must be this one. */
static void next_is(const struct vcpu *vcpu, u16 port, u8 bytes, u32 data)
{
	struct mvm_posted_write w;

	CHECK(ring_take(vcpu, &w));
	CHECK_EQ(w.port, port);
	CHECK_EQ(w.bytes, bytes);
	CHECK_EQ(w.reserved, 0);
	CHECK_EQ(w.data, data);
}

static void none_left(const struct vcpu *vcpu)
{
	struct mvm_posted_write w;

	CHECK(!ring_take(vcpu, &w));
}

static void exit_is(const struct vcpu *vcpu, u16 port, u8 flags, u32 data)
{
	CHECK_EQ(vcpu->run->exit_reason, MVM_EXIT_IO);
	CHECK_EQ(vcpu->run->io.port, port);
	CHECK_EQ(vcpu->run->io.flags, flags);
	CHECK_EQ(vcpu->run->io.data, data);
}

/* Does poll() report the ring? */
static bool says_so(const struct vcpu *vcpu, int ms)
{
	struct pollfd p = { .fd = vcpu->fd, .events = POLLPRI };

	CHECK_OK(poll(&p, 1, ms));
	return p.revents & POLLPRI;
}

/* ------------------------------------------------------------------------
 * Contents and order
 */

static void guest_mix(u64 arg)
{
	static const u8 text[2] = { 1, 2 };
	const u8 *p = text;
	u64 n = 2;

	(void)arg;
	gout8(PORT, 0xf1);
	gout16(PORT, 0xf2f2);
	gout32(PORT + 2, 0xf3f3f3f3);
	gout8(OTHER, 1);
	gout8(PORT + 7, 5);
	/* a wide one counts by its first port */
	gout16(PORT + 7, 6);
	gout16(PORT - 1, 7);
	gout8(PORT, 8);
	GUEST_EQ(gin32(PORT), 0x1234);
	gout8(PORT, 9);
	asm volatile("rep outsb" : "+S"(p), "+c"(n) : "d"(PORT) : "memory");
	/* AL counts, not what is above it */
	asm volatile("outb %%al, %%dx" : : "a"(0xabcdef08), "d"(PORT));
}

static void test_order(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_mix, 0);
	CHECK_OK(try_posted(&vm, 0, PORT, 8));
	none_left(&vcpu);
	guest_exit(&vcpu, MVM_EXIT_IO);
	exit_is(&vcpu, OTHER, 0, 1);
	next_is(&vcpu, PORT, 1, 0xf1);
	next_is(&vcpu, PORT, 2, 0xf2f2);
	next_is(&vcpu, PORT + 2, 4, 0xf3f3f3f3);
	none_left(&vcpu);
	guest_exit(&vcpu, MVM_EXIT_IO);
	exit_is(&vcpu, PORT - 1, 0, 7);
	next_is(&vcpu, PORT + 7, 1, 5);
	next_is(&vcpu, PORT + 7, 2, 6);
	none_left(&vcpu);
	/* an IN waits for what was written before it */
	guest_exit(&vcpu, MVM_EXIT_IO);
	exit_is(&vcpu, PORT, MVM_IO_IN, 0);
	next_is(&vcpu, PORT, 1, 8);
	none_left(&vcpu);
	vcpu.run->io.data = 0x1234;
	guest_exit(&vcpu, MVM_EXIT_IO);
	CHECK_EQ(vcpu.run->io.flags, MVM_IO_STRING | MVM_IO_REP);
	next_is(&vcpu, PORT, 1, 9);
	none_left(&vcpu);
	guest_done(&vcpu);
	next_is(&vcpu, PORT, 1, 8);
	none_left(&vcpu);
	CHECK_EQ(vcpu_stat(&vcpu, "posted_writes"), 8);
}

static void guest_number(u64 n)
{
	for (u32 i = 0; i < n; i++)
		gout32(PORT, i);
}

static void test_full(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_number, MVM_RING_ENTRIES + 3);
	CHECK_OK(try_posted(&vm, 0, PORT, 1));
	/* the one that does not fit is an exit, and so on until there is room */
	guest_exit(&vcpu, MVM_EXIT_IO);
	exit_is(&vcpu, PORT, 0, MVM_RING_ENTRIES);
	guest_exit(&vcpu, MVM_EXIT_IO);
	exit_is(&vcpu, PORT, 0, MVM_RING_ENTRIES + 1);
	next_is(&vcpu, PORT, 4, 0);
	guest_done(&vcpu);
	for (u32 i = 1; i < MVM_RING_ENTRIES; i++)
		next_is(&vcpu, PORT, 4, i);
	next_is(&vcpu, PORT, 4, MVM_RING_ENTRIES + 2);
	none_left(&vcpu);
	CHECK_EQ(vcpu_ring(&vcpu)->head, MVM_RING_ENTRIES + 1);
}

#define MANY	20000

static void test_many(void)
{
	u32 next = 0, exits = 0;
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_number, MANY);
	CHECK_OK(try_posted(&vm, 0, PORT, 1));
	for (;;) {
		struct mvm_posted_write w;

		guest_exit(&vcpu, MVM_EXIT_IO);
		while (ring_take(&vcpu, &w))
			CHECK_EQ(w.data, next++);
		if (guest_is_done(&vcpu))
			break;
		exit_is(&vcpu, PORT, 0, next++);
		exits++;
	}
	CHECK_EQ(next, MANY);
	CHECK_EQ(exits, MANY / (MVM_RING_ENTRIES + 1));
}

/* A reader beside the guest: it sees every write once, in order. */
static volatile u32 seen;
static volatile bool reader_ends;

static void *read_on(void *arg)
{
	struct vcpu *vcpu = arg;

	while (!reader_ends || says_so(vcpu, 0)) {
		struct mvm_posted_write w;

		says_so(vcpu, 10);
		while (ring_take(vcpu, &w)) {
			CHECK_EQ(w.data, seen);
			seen++;
		}
	}
	return NULL;
}

/* Waits for the other side to make room, as a device that is busy. */
static void guest_number_slowly(u64 n)
{
	for (u32 i = 0; i < n; i++) {
		gout32(PORT, i);
		while (i % 200 == 199 && flag <= i)
			gpause();
	}
}

static void test_reader(void)
{
	pthread_t thread;
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_number_slowly, 4000);
	CHECK_OK(try_posted(&vm, 0, PORT, 1));
	CHECK_EQ(pthread_create(&thread, NULL, read_on, &vcpu), 0);
	vcpu_run_async(&vcpu);
	while (!vcpu_poll(&vcpu, 1))
		*GUEST_VAR(&vm, flag) = seen;
	guest_check(&vcpu);
	CHECK(guest_is_done(&vcpu));
	reader_ends = true;
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(seen, 4000);
}

#define TURNS	100

/* Two vCPUs write in turn, each after it has seen that the other did. */
static void guest_turns(u64 me)
{
	for (u64 i = me; i < TURNS; i += 2) {
		while (flag != i)
			gpause();
		gout32(PORT, i);
		flag = i + 1;
	}
}

static void test_two_vcpus(void)
{
	bool done[2] = { false, false };
	struct vcpu vcpu[2];
	struct vm vm;
	u32 next = 0;

	guest_create(&vm, &vcpu[0], 0, guest_turns, 0);
	vcpu_create(&vcpu[1], &vm, 1);
	guest_vcpu(&vcpu[1], guest_turns, 1);
	CHECK_OK(try_posted(&vm, 0, PORT, 1));
	vcpu_run_async(&vcpu[0]);
	vcpu_run_async(&vcpu[1]);
	for (u32 i = 0; !done[0] || !done[1]; i = 1 - i) {
		struct mvm_posted_write w;

		if (done[i] || !vcpu_poll(&vcpu[i], 1))
			continue;
		/* the same ring in both mappings */
		while (ring_take(&vcpu[1 - i], &w))
			CHECK_EQ(w.data, next++);
		guest_check(&vcpu[i]);
		done[i] = guest_is_done(&vcpu[i]);
		if (done[i])
			continue;
		exit_is(&vcpu[i], PORT, 0, next++);
		vcpu_run_async(&vcpu[i]);
	}
	CHECK_EQ(next, TURNS);
}

static void test_step(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_steps_out, PORT);
	CHECK_OK(try_posted(&vm, 0, PORT, 1));
	guest_done(&vcpu);
	next_is(&vcpu, PORT, 1, 1);
	none_left(&vcpu);
}

/* ------------------------------------------------------------------------
 * Who is woken
 */

static void test_poll(void)
{
	struct vcpu vcpu, other;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_number, 2);
	vcpu_create(&other, &vm, 1);
	CHECK_OK(try_posted(&vm, 0, PORT, 1));
	CHECK(!says_so(&vcpu, 0));
	guest_done(&vcpu);
	CHECK(says_so(&vcpu, 0));
	CHECK(says_so(&other, 0));
	next_is(&vcpu, PORT, 4, 0);
	CHECK(says_so(&vcpu, 0));
	next_is(&vcpu, PORT, 4, 1);
	CHECK(!says_so(&vcpu, 0));
	CHECK(!says_so(&other, 0));
}

static void on_nmi(struct trap_frame *frame)
{
	(void)frame;
}

/* Waits, posts, and waits on: by HLT, which an NMI ends, or in a loop. */
static void guest_post_when_told(u64 halt)
{
	guest_handler[2] = on_nmi;
	for (u32 i = 1;; i++) {
		while (flag < i)
			gpause();
		rounds = i;
		gout32(PORT, i);
		while (flag == i)
			if (halt)
				ghlt();
			else
				gpause();
	}
}

struct sleeper {
	struct vcpu *vcpu;
	volatile u32 woken;
};

/* Each time it sleeps first: what it is told comes later. */
static void *sleep_on(void *arg)
{
	struct sleeper *s = arg;

	while (s->woken < 10) {
		struct mvm_posted_write w;

		CHECK(says_so(s->vcpu, 10000));
		CHECK(ring_take(s->vcpu, &w));
		CHECK_EQ(w.data, s->woken + 1);
		s->woken++;
	}
	return NULL;
}

static void wake_sleeper(u64 halt)
{
	struct sleeper s = { 0 };
	pthread_t thread;
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_post_when_told, halt);
	CHECK_OK(try_posted(&vm, 0, PORT, 1));
	s.vcpu = &vcpu;
	CHECK_EQ(pthread_create(&thread, NULL, sleep_on, &s), 0);
	vcpu_run_async(&vcpu);
	for (u32 i = 1; i <= 10; i++) {
		sleep_ns(20000000);
		CHECK_EQ(s.woken, i - 1);
		*GUEST_VAR(&vm, flag) = i;
		for (u32 ms = 0; s.woken < i; ms++) {
			struct mvm_msi nmi = { .address = 0xfee00000, .data = 0x400 };

			if (ms == 5000)
				FAIL("nobody was woken");
			/* not when it has written: another one would tell, too */
			if (halt && *GUEST_VAR(&vm, rounds) < i)
				CHECK_OK(mvm_ioctl(vm.fd, MVM_SIGNAL_MSI, &nmi));
			sleep_ns(1000000);
		}
	}
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

static void test_wake_halted(void)
{
	wake_sleeper(1);
}

static void test_wake_running(void)
{
	wake_sleeper(0);
}

static void guest_post_for_ever(u64 arg)
{
	(void)arg;
	for (;;)
		gout32(PORT, ++rounds);
}

static void *sleep_once(void *arg)
{
	return says_so(arg, 10000) ? arg : NULL;
}

/* Nobody answers the exit that the full ring brings. */
static void test_wake_full(void)
{
	pthread_t thread;
	struct vcpu vcpu;
	void *woken;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_post_for_ever, 0);
	CHECK_OK(try_posted(&vm, 0, PORT, 1));
	CHECK_EQ(pthread_create(&thread, NULL, sleep_once, &vcpu), 0);
	sleep_ns(20000000);
	vcpu_run_async(&vcpu);
	/* one that finds it so when its time is up is too late */
	sleep_ns(500000000);
	CHECK_EQ(pthread_tryjoin_np(thread, &woken), 0);
	CHECK(woken);
}

/* ------------------------------------------------------------------------
 * Who lends a thread is told by an exit
 */

/* Posts @n writes when it may, and is silent from then on. */
static void guest_post_and_halt(u64 n)
{
	while (!flag)
		gpause();
	for (u32 i = 1; i <= n; i++)
		gout32(PORT, i);
	rounds = 1;
	for (;;)
		ghlt();
}

static void guest_post_and_run(u64 n)
{
	(void)n;
	gout32(PORT, 1);
	for (;;)
		gpause();
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* MVM_RUN; false: the run went on for so long. */
static bool run_for(const struct vcpu *vcpu, u32 flags, u32 us)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	int error;

	sigaction(SIGALRM, &sa, NULL);
	ualarm(us, 0);
	error = sys_run(vcpu->fd, flags) ? errno : 0;
	ualarm(0, 0);
	CHECK(!error || error == EINTR);
	return !error;
}

static void told_by_exit(const struct vcpu *vcpu)
{
	CHECK_EQ(vcpu->run->exit_reason, MVM_EXIT_INTR);
	CHECK_EQ(vcpu->run->immediate_exit, 0);
}

static void lend_and_post(void (*guest)(u64 arg))
{
	struct vcpu vcpu;
	struct vm vm;

	for (u32 i = 0; i < 20; i++) {
		guest_create(&vm, &vcpu, 0, guest, 1);
		CHECK_OK(try_posted(&vm, 0, PORT, 1));
		*GUEST_VAR(&vm, flag) = 1;
		CHECK(run_for(&vcpu, MVM_RUN_LEND, 900000));
		told_by_exit(&vcpu);
		next_is(&vcpu, PORT, 4, 1);
		none_left(&vcpu);
		/* once; it runs on as it did before */
		if (i < 3)
			CHECK(!run_for(&vcpu, MVM_RUN_LEND, 50000));
		vm_destroy(&vm);
		CHECK_OK(close(vcpu.fd));
	}
}

static void test_lent_halted(void)
{
	lend_and_post(guest_post_and_halt);
}

static void test_lent_running(void)
{
	lend_and_post(guest_post_and_run);
}

static void test_lent_many(void)
{
	u32 next = 0, told = 0;
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_number, MANY);
	CHECK_OK(try_posted(&vm, 0, PORT, 1));
	for (;;) {
		struct mvm_posted_write w;

		CHECK_OK(sys_run(vcpu.fd, MVM_RUN_LEND));
		while (ring_take(&vcpu, &w))
			CHECK_EQ(w.data, next++);
		if (vcpu.run->exit_reason == MVM_EXIT_INTR) {
			told++;
			continue;
		}
		guest_check(&vcpu);
		if (guest_is_done(&vcpu))
			break;
		exit_is(&vcpu, PORT, 0, next++);
	}
	CHECK_EQ(next, MANY);
	/* when the ring is full, that tells */
	CHECK(told < MANY / 64);
}

/* A signal gives the run away, and the promise with it. */
static void test_lent_signal(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_post_and_halt, 2);
	CHECK_OK(try_posted(&vm, 0, PORT, 1));
	CHECK(!run_for(&vcpu, MVM_RUN_LEND, 20000));
	*GUEST_VAR(&vm, flag) = 1;
	CHECK(vcpu_poll(&vcpu, 5000));
	CHECK(run_for(&vcpu, 0, 900000));
	told_by_exit(&vcpu);
	/* it may have come between the two */
	next_is(&vcpu, PORT, 4, 1);
	if (!*GUEST_VAR(&vm, rounds))
		CHECK(run_for(&vcpu, MVM_RUN_LEND, 900000));
	next_is(&vcpu, PORT, 4, 2);
	none_left(&vcpu);
}

/* Who does not lend is not told so, with the forms in turn either. */
static void test_not_lent(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_post_and_halt, 1);
	CHECK_OK(try_posted(&vm, 0, PORT, 1));
	vcpu.run->immediate_exit = 1;
	CHECK(run_for(&vcpu, MVM_RUN_LEND, 900000));
	CHECK_EQ(vcpu.run->exit_reason, MVM_EXIT_INTR);
	vcpu.run->immediate_exit = 0;
	*GUEST_VAR(&vm, flag) = 1;
	CHECK(!run_for(&vcpu, 0, 200000));
	CHECK_EQ(*GUEST_VAR(&vm, rounds), 1);
	next_is(&vcpu, PORT, 4, 1);
	none_left(&vcpu);
}

/* ------------------------------------------------------------------------
 * Ports come and go
 */

static void test_remove(void)
{
	struct vcpu vcpu;
	struct vm vm;
	u32 next = 1;

	guest_create(&vm, &vcpu, 0, guest_post_for_ever, 0);
	for (u32 i = 0; i < 50; i++) {
		struct mvm_posted_write w;
		u32 head;

		CHECK_OK(try_posted(&vm, 0, PORT, 1 + i % 3));
		vcpu_run_async(&vcpu);
		sleep_ns(20000 << i % 4);
		CHECK_OK(try_posted(&vm, MVM_POSTED_REMOVE, PORT, 1 + i % 3));
		head = vcpu_ring(&vcpu)->head;
		CHECK(vcpu_poll(&vcpu, 5000));
		CHECK_EQ(vcpu_ring(&vcpu)->head, head);
		while (ring_take(&vcpu, &w))
			CHECK_EQ(w.data, next++);
		exit_is(&vcpu, PORT, 0, next++);
	}
	CHECK(next > 200);
}

/* ------------------------------------------------------------------------
 * Readers that stop, lie or die
 */

static u32 random_tail(struct random *r, u32 head)
{
	switch (random_below(r, 4)) {
	case 0:
		return head - random_below(r, 2 * MVM_RING_ENTRIES);
	case 1:
		return head + random_below(r, 2 * MVM_RING_ENTRIES);
	case 2:
		return head + (1U << random_below(r, 32));
	default:
		return random_below(r, ~0U);
	}
}

/* Everything behind the ring is still as it was. */
static void ring_ends_there(const struct vcpu *vcpu)
{
	const u8 *page = (const u8 *)vcpu_ring(vcpu);

	for (u32 i = sizeof(struct mvm_ring); i < PAGE_SIZE; i++)
		CHECK_EQ(page[i], 0);
}

static void test_tails(void)
{
	static const u32 full[] = { 1, 2, MVM_RING_ENTRIES, 0x80000000, -MVM_RING_ENTRIES };
	volatile struct mvm_ring *ring;
	struct random r = { 1 };
	struct vcpu vcpu;
	struct vm vm;
	u32 head, n = 0;

	guest_create(&vm, &vcpu, 0, guest_post_for_ever, 0);
	CHECK_OK(try_posted(&vm, 0, PORT, 1));
	ring = vcpu_ring(&vcpu);
	/* the ring looks full: each OUT is an exit, and its value is right */
	for (u32 i = 0; i < ARRAY_SIZE(full); i++) {
		head = ring->head;
		ring->tail = head + full[i];
		for (u32 k = 0; k < 3; k++) {
			guest_exit(&vcpu, MVM_EXIT_IO);
			exit_is(&vcpu, PORT, 0, ++n);
			CHECK_EQ(ring->head, head);
		}
	}
	/* whatever it says, no more than the ring's size goes in at a time */
	for (u32 i = 0; i < 300; i++) {
		u32 tail = random_tail(&r, ring->head), room;

		head = ring->head;
		room = head - tail < MVM_RING_ENTRIES ? MVM_RING_ENTRIES - (head - tail) : 0;
		ring->tail = tail;
		guest_exit(&vcpu, MVM_EXIT_IO);
		n += room + 1;
		exit_is(&vcpu, PORT, 0, n);
		CHECK_EQ(ring->head, head + room);
	}
	/* nobody trusts the rest of the page */
	for (u32 i = 0; i < 20; i++) {
		head = ring->head;
		memset((void *)ring, 0xff, sizeof(*ring));
		ring->tail = head;
		guest_exit(&vcpu, MVM_EXIT_IO);
		n += MVM_RING_ENTRIES + 1;
		exit_is(&vcpu, PORT, 0, n);
		CHECK_EQ(ring->head, head + MVM_RING_ENTRIES);
		CHECK_EQ(ring->entries[(head + 7) % MVM_RING_ENTRIES].data,
			 n - MVM_RING_ENTRIES + 7);
	}
	ring_ends_there(&vcpu);
	/* and once it is right again, all is as before */
	ring->tail = ring->head;
	guest_exit(&vcpu, MVM_EXIT_IO);
	for (u32 i = 0; i < MVM_RING_ENTRIES; i++)
		next_is(&vcpu, PORT, 4, ++n);
	exit_is(&vcpu, PORT, 0, n + 1);
}

static void test_lies_meanwhile(void)
{
	volatile struct mvm_ring *ring;
	struct random r = { 2 };
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_post_for_ever, 0);
	CHECK_OK(try_posted(&vm, 0, PORT, 1));
	ring = vcpu_ring(&vcpu);
	for (u32 i = 0; i < 300; i++) {
		vcpu_run_async(&vcpu);
		while (!vcpu_poll(&vcpu, 0)) {
			ring->tail = random_tail(&r, ring->head);
			ring->head = random_below(&r, ~0U);
			ring->entries[random_below(&r, MVM_RING_ENTRIES)].port = ~0;
		}
		CHECK_EQ(vcpu.run->exit_reason, MVM_EXIT_IO);
		CHECK_EQ(vcpu.run->io.port, PORT);
		CHECK_EQ(vcpu.run->io.data, *(volatile u32 *)GUEST_VAR(&vm, rounds));
	}
	ring_ends_there(&vcpu);
}

/* The owner of a guest that posts: somebody reads, or nobody does. */
static _Noreturn void owner(bool reads, int ready)
{
	struct mvm_posted_write w;
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_post_for_ever, 0);
	CHECK_OK(try_posted(&vm, 0, PORT, 1));
	vcpu_run_async(&vcpu);
	CHECK(says_so(&vcpu, 10000));
	CHECK_EQ(write(ready, "", 1), 1);
	for (;;) {
		if (!reads)
			pause();
		if (vcpu_poll(&vcpu, 0))
			vcpu_run_async(&vcpu);
		while (ring_take(&vcpu, &w))
			;
	}
}

static void test_killed(void)
{
	long refs;

	dev_fd();
	refs = module_refs();
	for (u32 i = 0; i < 10; i++) {
		int ready[2], status;
		pid_t pid;
		char c;

		CHECK_OK(pipe(ready));
		pid = CHECK_OK(fork());
		if (!pid)
			owner(i % 2, ready[1]);
		close(ready[1]);
		CHECK_EQ(read(ready[0], &c, 1), 1);
		close(ready[0]);
		sleep_ns(100000 << i % 5);
		kill(pid, SIGKILL);
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFSIGNALED(status));
	}
	if (refs >= 0)
		wait_module_refs(refs, "mvm-selftest");
}

/* The page of a ring lives as long as its mapping. */
static void test_mapping_stays(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_number, 5);
	CHECK_OK(try_posted(&vm, 0, PORT, 1));
	guest_done(&vcpu);
	CHECK_OK(close(vcpu.fd));
	vm_destroy(&vm);
	for (u32 i = 0; i < 5; i++)
		next_is(&vcpu, PORT, 4, i);
	none_left(&vcpu);
}

static const struct test tests[] = {
	{ "posted: OUTs of every width, in order with exits and INs", test_order },
	{ "posted: an OUT that finds the ring full is an exit", test_full },
	{ "posted: filled and emptied many times, in order", test_many },
	{ "posted: a reader beside the guest sees each write once", test_reader },
	{ "posted: the writes of two vCPUs are in one order", test_two_vcpus },
	{ "posted: a guest that steps sees the OUT as one step", test_step },
	{ "poll: POLLPRI while the ring has entries, on each vCPU", test_poll },
	{ "poll: who sleeps is woken when the guest halts", test_wake_halted },
	{ "poll: who sleeps is woken while the guest runs on", test_wake_running },
	{ "poll: who sleeps is woken when the ring is full", test_wake_full },
	{ "lent: a guest that posts and halts ends the run", test_lent_halted },
	{ "lent: a guest that posts and runs on does, too", test_lent_running },
	{ "lent: many writes, in order, and few exits for them", test_lent_many },
	{ "lent: the run ends so where a signal has given it to", test_lent_signal },
	{ "lent: who does not lend is told by poll() alone", test_not_lent },
	{ "posted: ports that are removed while the guest writes", test_remove },
	{ "hostile: tails that are no tails", test_tails },
	{ "hostile: the ring is scribbled on while the guest writes", test_lies_meanwhile },
	{ "hostile: owners are killed, with and without a reader", test_killed },
	{ "posted: what was mapped stays readable after the VM's end", test_mapping_stays },
};

TEST_MAIN(tests)
