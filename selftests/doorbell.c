// SPDX-License-Identifier: GPL-2.0-only
/*
 * doorbell.c - eventfds on both ways: OUTs of the guest that signal one
 * (doorbells), and signals that send the guest an interrupt (irqfds)
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/guest.h"
#include "lib/proc.h"

#define BELL		0x700
#define APIC_MSR(reg)	(0x800 + (reg))
#define R_EOI		0x0b
#define R_SVR		0x0f

/* ------------------------------------------------------------------------
 * The guest's side
 */

/* the guest counts, the host says what it waits for */
static volatile u64 rounds, flag;

static void on_irq(struct trap_frame *frame)
{
	(void)frame;
	gwrmsr(APIC_MSR(R_EOI), 0);
}

static void start_apic(void)
{
	gwrmsr(MSR_APIC_BASE, grdmsr(MSR_APIC_BASE) | 1UL << 10);
	gwrmsr(APIC_MSR(R_SVR), 0x1ff);
	for (int i = 32; i < 256; i++)
		guest_handler[i] = on_irq;
}

/* ------------------------------------------------------------------------
 * Which writes ring
 */

static void guest_widths(u64 arg)
{
	(void)arg;
	gout8(BELL, 1);
	gout16(BELL, 2);
	gout32(BELL, 3);
	GUEST_SYNC(1);
	gout8(BELL + 1, 4);
}

static void test_any(void)
{
	int bell = eventfd_new();
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_widths, 0);
	CHECK_OK(try_doorbell(&vm, 0, bell, BELL, 0, 0));
	guest_sync(&vcpu, 1);
	CHECK_EQ(eventfd_take(bell), 3);
	CHECK_EQ(vcpu_stat(&vcpu, "doorbells"), 3);
	/* the next port is another one */
	guest_exit(&vcpu, MVM_EXIT_IO);
	CHECK_EQ(vcpu.run->io.port, BELL + 1);
	CHECK_EQ(vcpu.run->io.data, 4);
	guest_done(&vcpu);
	CHECK_EQ(eventfd_take(bell), 0);
}

/* Exits with this value; the answer lets it go on. */
static void exits_with(struct vcpu *vcpu, u8 bytes, u32 data)
{
	guest_exit(vcpu, MVM_EXIT_IO);
	CHECK_EQ(vcpu->run->io.port, BELL);
	CHECK_EQ(vcpu->run->io.bytes, bytes);
	CHECK_EQ(vcpu->run->io.flags, 0);
	CHECK_EQ(vcpu->run->io.data, data);
}

static void test_width(void)
{
	int bell = eventfd_new();
	struct vcpu vcpu;
	struct vm vm;

	for (u8 bytes = 1; bytes <= 4; bytes *= 2) {
		guest_create(&vm, &vcpu, 0, guest_widths, 0);
		CHECK_OK(try_doorbell(&vm, 0, bell, BELL, bytes, 0));
		if (bytes != 1)
			exits_with(&vcpu, 1, 1);
		if (bytes != 2)
			exits_with(&vcpu, 2, 2);
		if (bytes != 4)
			exits_with(&vcpu, 4, 3);
		guest_sync(&vcpu, 1);
		CHECK_EQ(eventfd_take(bell), 1);
		vcpu_destroy(&vcpu);
		vm_destroy(&vm);
	}
}

static void guest_values(u64 arg)
{
	(void)arg;
	gout32(BELL, 0x10007);
	gout32(BELL, 7);
	gout8(BELL, 7);
	gout8(BELL, 0);
	/* AL counts, not what is above it */
	asm volatile("outb %%al, %%dx" : : "a"(0xabcdef08), "d"(BELL));
	asm volatile("outw %%ax, %%dx" : : "a"(0xabcd0009), "d"(BELL));
	GUEST_SYNC(1);
}

static void test_match(void)
{
	int seven = eventfd_new(), eight = eventfd_new(), nine = eventfd_new(), zero = eventfd_new();
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_values, 0);
	CHECK_OK(try_doorbell(&vm, MVM_DOORBELL_MATCH, seven, BELL, 0, 7));
	CHECK_OK(try_doorbell(&vm, MVM_DOORBELL_MATCH, eight, BELL, 1, 8));
	CHECK_OK(try_doorbell(&vm, MVM_DOORBELL_MATCH, nine, BELL, 2, 9));
	CHECK_OK(try_doorbell(&vm, MVM_DOORBELL_MATCH, zero, BELL, 4, 0));
	exits_with(&vcpu, 4, 0x10007);
	CHECK_EQ(eventfd_take(seven), 0);
	exits_with(&vcpu, 1, 0);
	CHECK_EQ(eventfd_take(seven), 2);
	guest_sync(&vcpu, 1);
	CHECK_EQ(eventfd_take(seven), 0);
	CHECK_EQ(eventfd_take(eight), 1);
	CHECK_EQ(eventfd_take(nine), 1);
	CHECK_EQ(eventfd_take(zero), 0);
}

static void guest_others(u64 arg)
{
	static const u8 text[2] = { 1, 2 };
	const u8 *p = text;
	u64 n = 2;

	(void)arg;
	(void)gin32(BELL);
	asm volatile("rep outsb" : "+S"(p), "+c"(n) : "d"(BELL) : "memory");
	gout8(BELL, 1);
}

static void test_others(void)
{
	int bell = eventfd_new();
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_others, 0);
	CHECK_OK(try_doorbell(&vm, 0, bell, BELL, 0, 0));
	guest_exit(&vcpu, MVM_EXIT_IO);
	CHECK_EQ(vcpu.run->io.flags, MVM_IO_IN);
	guest_exit(&vcpu, MVM_EXIT_IO);
	CHECK_EQ(vcpu.run->io.flags, MVM_IO_STRING | MVM_IO_REP);
	CHECK_EQ(eventfd_take(bell), 0);
	guest_done(&vcpu);
	CHECK_EQ(eventfd_take(bell), 1);
}

static void test_step(void)
{
	int bell = eventfd_new();
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_steps_out, BELL);
	CHECK_OK(try_doorbell(&vm, 0, bell, BELL, 0, 0));
	guest_done(&vcpu);
	CHECK_EQ(eventfd_take(bell), 1);
}

/* ------------------------------------------------------------------------
 * Doorbells come and go
 */

static void test_limit(void)
{
	int bell = eventfd_new();
	struct vm vm;

	vm_create(&vm, 0);
	for (u32 round = 0; round < 2; round++) {
		for (u32 i = 0; i < MVM_MAX_DOORBELLS; i++)
			CHECK_OK(try_doorbell(&vm, MVM_DOORBELL_MATCH, bell, BELL + i % 5, 4, i));
		CHECK_ERR(try_doorbell(&vm, 0, bell, 1, 4, 0), ENOSPC);
		for (u32 i = 0; i < MVM_MAX_DOORBELLS; i++)
			CHECK_OK(try_doorbell(&vm, MVM_DOORBELL_MATCH | MVM_DOORBELL_REMOVE, -1,
					      BELL + i % 5, 4, i));
	}
}

static void guest_ring_for_ever(u64 arg)
{
	(void)arg;
	for (;;) {
		rounds++;
		gout8(BELL, 1);
	}
}

static void test_remove(void)
{
	int bell[2] = { eventfd_new(), eventfd_new() };
	u64 rung = 0, exits = 0;
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_ring_for_ever, 0);
	for (u32 i = 0; i < 100; i++) {
		CHECK_OK(try_doorbell(&vm, 0, bell[i % 2], BELL, i % 3 ? 1 : 0, 0));
		vcpu_run_async(&vcpu);
		sleep_ns(20000 << i % 4);
		CHECK_OK(try_doorbell(&vm, MVM_DOORBELL_REMOVE, -1, BELL, i % 3 ? 1 : 0, 0));
		/* never again, and the guest's next OUT is an exit */
		rung += eventfd_take(bell[i % 2]);
		CHECK(vcpu_poll(&vcpu, 5000));
		CHECK_EQ(vcpu.run->exit_reason, MVM_EXIT_IO);
		CHECK_EQ(vcpu.run->io.port, BELL);
		exits++;
		CHECK_EQ(eventfd_take(bell[0]), 0);
		CHECK_EQ(eventfd_take(bell[1]), 0);
	}
	/* no OUT was lost, and none counted twice */
	CHECK_EQ(*GUEST_VAR(&vm, rounds), rung + exits);
	CHECK(rung > 100);
	CHECK_EQ(vcpu_stat(&vcpu, "doorbells"), rung);
}

static void guest_ring(u64 n)
{
	while (n--)
		gout32(BELL, n);
}

static void test_closed(void)
{
	int bell = eventfd_new(), copy = CHECK_OK(dup(bell));
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_ring, 10);
	CHECK_OK(try_doorbell(&vm, 0, bell, BELL, 0, 0));
	close(bell);
	guest_done(&vcpu);
	CHECK_EQ(eventfd_take(copy), 10);
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);

	/* the doorbell alone keeps it */
	guest_create(&vm, &vcpu, 0, guest_ring, 10);
	CHECK_OK(try_doorbell(&vm, 0, copy, BELL, 0, 0));
	close(copy);
	guest_done(&vcpu);
	CHECK_EQ(vcpu_stat(&vcpu, "doorbells"), 10);
}

static void test_vm_end(void)
{
	int bell = eventfd_new();

	for (u32 i = 0; i < 20; i++) {
		struct vcpu vcpu;
		struct vm vm;

		guest_create(&vm, &vcpu, 0, guest_ring_for_ever, 0);
		CHECK_OK(try_doorbell(&vm, 0, bell, BELL, 0, 0));
		vcpu_run_async(&vcpu);
		sleep_ns(30000 << i % 4);
		if (i % 2)
			vm_destroy(&vm);
		vcpu_destroy(&vcpu);
		if (i % 2 == 0)
			vm_destroy(&vm);
		/* nobody rings now, and the eventfd is as ever */
		eventfd_take(bell);
		CHECK_EQ(eventfd_take(bell), 0);
		eventfd_ring(bell);
		CHECK_EQ(eventfd_take(bell), 1);
	}
}

/* ------------------------------------------------------------------------
 * Who waits, and who else rings
 */

static void guest_call(u64 n)
{
	for (u64 i = 1; i <= n; i++) {
		gout8(BELL, 1);
		while (flag < i)
			gpause();
	}
}

struct waiter {
	struct vm *vm;
	int bell;
	u32 rounds;
};

/* Sleeps until it rings, and tells the guest so. */
static void *wait_for_bell(void *arg)
{
	struct waiter *w = arg;

	for (u32 i = 1; i <= w->rounds; i++) {
		struct pollfd p = { .fd = w->bell, .events = POLLIN };

		CHECK_EQ(poll(&p, 1, 10000), 1);
		CHECK_EQ(eventfd_take(w->bell), 1);
		*GUEST_VAR(w->vm, flag) = i;
	}
	return NULL;
}

static void test_waiter(void)
{
	struct waiter w = { .bell = eventfd_new(), .rounds = 1000 };
	pthread_t thread;
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_call, w.rounds);
	w.vm = &vm;
	CHECK_OK(try_doorbell(&vm, 0, w.bell, BELL, 0, 0));
	CHECK_EQ(pthread_create(&thread, NULL, wait_for_bell, &w), 0);
	guest_done(&vcpu);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(vcpu_stat(&vcpu, "doorbells"), w.rounds);
}

#define TWO_RINGS	20000

static void test_two_vcpus(void)
{
	int bell = eventfd_new();
	struct vcpu vcpu[2];
	struct vm vm;

	guest_create(&vm, &vcpu[0], 0, guest_ring, TWO_RINGS);
	vcpu_create(&vcpu[1], &vm, 1);
	guest_vcpu(&vcpu[1], guest_ring, TWO_RINGS);
	CHECK_OK(try_doorbell(&vm, 0, bell, BELL, 0, 0));
	vcpu_run_async(&vcpu[0]);
	vcpu_run_async(&vcpu[1]);
	for (u32 i = 0; i < 2; i++) {
		CHECK(vcpu_poll(&vcpu[i], 10000));
		guest_check(&vcpu[i]);
		CHECK(guest_is_done(&vcpu[i]));
		CHECK_EQ(vcpu_stat(&vcpu[i], "doorbells"), TWO_RINGS);
	}
	CHECK_EQ(eventfd_take(bell), 2 * TWO_RINGS);
}

static void guest_loop_back(u64 arg)
{
	(void)arg;
	start_apic();
	gsti();
	for (u32 i = 1; i <= 100; i++) {
		gout8(BELL, 1);
		/* no IPI tells a CPU of what it does itself */
		gnop();
		GUEST_EQ(guest_count[0x50], i);
	}
}

static void test_loop_back(void)
{
	int bell = eventfd_new();
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_loop_back, 0);
	CHECK_OK(try_doorbell(&vm, 0, bell, BELL, 0, 0));
	CHECK_OK(try_irqfd(&vm, 0, bell, 0x50));
	guest_done(&vcpu);
	CHECK_EQ(eventfd_take(bell), 0);
}

/* ------------------------------------------------------------------------
 * irqfds
 */

static void guest_wait_irqs(u64 halt)
{
	start_apic();
	GUEST_SYNC(1);
	for (u32 i = 1;; i++) {
		while (guest_count[0x50] < i) {
			if (halt) {
				gsti_hlt();
			} else {
				gsti();
				gpause();
				gcli();
			}
		}
		rounds = guest_count[0x50];
	}
}

/* Wait until the guest has counted so many interrupts. */
static bool counts(struct vm *vm, u64 n)
{
	for (u32 ms = 0; ms < 5000; ms++) {
		if (*GUEST_VAR(vm, rounds) >= n)
			return true;
		sleep_ns(1000000);
	}
	return false;
}

/* Signals one after the other: each brings its interrupt. */
static void one_by_one(u64 halt, u32 n)
{
	int line = eventfd_new();
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_wait_irqs, halt);
	guest_sync(&vcpu, 1);
	CHECK_OK(try_irqfd(&vm, 0, line, 0x50));
	vcpu_run_async(&vcpu);
	for (u32 i = 1; i <= n; i++) {
		eventfd_ring(line);
		CHECK(counts(&vm, i));
		CHECK_EQ(*GUEST_VAR(&vm, rounds), i);
	}
	/* the count was taken */
	CHECK_EQ(eventfd_take(line), 0);
	vcpu_stop(&vcpu);
}

static void test_irqfd_running(void)
{
	one_by_one(0, 50);
}

static void test_irqfd_halted(void)
{
	one_by_one(1, 500);
}

static void *ring_storm(void *arg)
{
	for (u32 i = 0; i < 20000; i++)
		eventfd_ring(*(int *)arg);
	return NULL;
}

static void test_irqfd_storm(void)
{
	int line[2] = { eventfd_new(), eventfd_new() };
	pthread_t thread[2];
	struct vcpu vcpu;
	struct vm vm;
	u64 before;

	guest_create(&vm, &vcpu, 0, guest_wait_irqs, 1);
	guest_sync(&vcpu, 1);
	for (u32 i = 0; i < 2; i++)
		CHECK_OK(try_irqfd(&vm, 0, line[i], 0x50));
	vcpu_run_async(&vcpu);
	for (u32 i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&thread[i], NULL, ring_storm, &line[i]), 0);
	for (u32 i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(thread[i], NULL), 0);
	CHECK(counts(&vm, 1));
	CHECK(*GUEST_VAR(&vm, rounds) <= 40000);
	/* after it each one arrives as before */
	sleep_ns(20000000);
	before = *GUEST_VAR(&vm, rounds);
	for (u32 i = 1; i <= 20; i++) {
		eventfd_ring(line[i % 2]);
		CHECK(counts(&vm, before + i));
	}
	CHECK_EQ(*GUEST_VAR(&vm, rounds), before + 20);
	vcpu_stop(&vcpu);
}

static void guest_count_irqs(u64 arg)
{
	(void)arg;
	start_apic();
	guest_handler[2] = on_irq;
	for (u32 i = 1;; i++) {
		GUEST_SYNC(i);
		asm volatile("sti; nop; nop; cli" : : : "memory");
	}
}

/* The guest has seen so many interrupts of each of these vectors, when it looks. */
static void has_seen(struct vcpu *vcpu, u32 sync, u32 n50, u32 n51)
{
	guest_sync(vcpu, sync);
	CHECK_EQ(GUEST_VAR(vcpu->vm, guest_count)[0][0x50], n50);
	CHECK_EQ(GUEST_VAR(vcpu->vm, guest_count)[0][0x51], n51);
}

static void test_irqfd_add_remove(void)
{
	int a = eventfd_new(), b = eventfd_new();
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_count_irqs, 0);
	has_seen(&vcpu, 1, 0, 0);
	/* a signal from before counts */
	eventfd_ring(a);
	eventfd_ring(a);
	CHECK_OK(try_irqfd(&vm, 0, a, 0x50));
	CHECK_OK(try_irqfd(&vm, 0, b, 0x51));
	has_seen(&vcpu, 2, 1, 0);
	eventfd_ring(b);
	has_seen(&vcpu, 3, 1, 1);
	eventfd_ring(a);
	eventfd_ring(b);
	has_seen(&vcpu, 4, 2, 2);
	/* each eventfd once */
	CHECK_ERR(try_irqfd(&vm, 0, a, 0x60), EEXIST);
	CHECK_OK(try_irqfd(&vm, MVM_IRQFD_REMOVE, a, 0));
	CHECK_ERR(try_irqfd(&vm, MVM_IRQFD_REMOVE, a, 0), ENOENT);
	eventfd_ring(a);
	eventfd_ring(b);
	has_seen(&vcpu, 5, 2, 3);
	CHECK_EQ(eventfd_take(a), 1);
	/* with another message */
	CHECK_OK(try_irqfd(&vm, 0, a, 0x51));
	has_seen(&vcpu, 6, 2, 3);
	eventfd_ring(a);
	has_seen(&vcpu, 7, 2, 4);
	/* what comes between two of them waits for the second */
	CHECK_OK(try_irqfd(&vm, MVM_IRQFD_REMOVE, a, 0));
	eventfd_ring(a);
	CHECK_OK(try_irqfd(&vm, 0, a, 0x50));
	has_seen(&vcpu, 8, 3, 4);
}

static void test_irqfd_messages(void)
{
	int nmi = eventfd_new(), nobody = eventfd_new();
	struct mvm_irqfd i = {
		.eventfd = nobody, .address = 0xfee07000, .data = 0x50,
	};
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_count_irqs, 0);
	has_seen(&vcpu, 1, 0, 0);
	CHECK_OK(try_irqfd(&vm, 0, nmi, 0x400));
	/* there is no such vCPU: dropped */
	CHECK_OK(mvm_ioctl(vm.fd, MVM_SET_IRQFD, &i));
	eventfd_ring(nobody);
	CHECK_EQ(eventfd_take(nobody), 0);
	has_seen(&vcpu, 2, 0, 0);
	CHECK_EQ(GUEST_VAR(&vm, guest_count)[0][2], 0);
	eventfd_ring(nmi);
	has_seen(&vcpu, 3, 0, 0);
	CHECK_EQ(GUEST_VAR(&vm, guest_count)[0][2], 1);
}

static void test_irqfd_closed(void)
{
	int line, copy;
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_count_irqs, 0);
	has_seen(&vcpu, 1, 0, 0);
	/* the last descriptor counts */
	line = eventfd_new();
	copy = CHECK_OK(dup(line));
	CHECK_OK(try_irqfd(&vm, 0, line, 0x50));
	close(line);
	eventfd_ring(copy);
	has_seen(&vcpu, 2, 1, 0);
	close(copy);
	/* those that are gone take no place */
	for (u32 i = 0; i < 3 * MVM_MAX_IRQFDS; i++) {
		line = eventfd_new();
		CHECK_OK(try_irqfd(&vm, 0, line, 0x51));
		close(line);
	}
	has_seen(&vcpu, 3, 1, 0);
	line = eventfd_new();
	CHECK_OK(try_irqfd(&vm, 0, line, 0x51));
	eventfd_ring(line);
	has_seen(&vcpu, 4, 1, 1);
}

static void test_irqfd_limit(void)
{
	int line[MVM_MAX_IRQFDS + 1];
	struct vm vm;

	vm_create(&vm, 0);
	for (u32 i = 0; i <= MVM_MAX_IRQFDS; i++)
		line[i] = eventfd_new();
	for (u32 i = 0; i < MVM_MAX_IRQFDS; i++)
		CHECK_OK(try_irqfd(&vm, 0, line[i], 0x50));
	CHECK_ERR(try_irqfd(&vm, 0, line[MVM_MAX_IRQFDS], 0x50), ENOSPC);
	CHECK_OK(try_irqfd(&vm, MVM_IRQFD_REMOVE, line[3], 0));
	CHECK_OK(try_irqfd(&vm, 0, line[MVM_MAX_IRQFDS], 0x50));
}

static volatile bool storm_ends;

static void *ring_on(void *arg)
{
	while (!storm_ends)
		eventfd_ring(*(int *)arg);
	return NULL;
}

static void test_irqfd_vm_end(void)
{
	int line = eventfd_new();
	pthread_t thread;
	long refs;

	dev_fd();
	refs = module_refs();
	CHECK_EQ(pthread_create(&thread, NULL, ring_on, &line), 0);
	for (u32 i = 0; i < 50; i++) {
		struct vcpu vcpu;
		struct vm vm;

		guest_create(&vm, &vcpu, 0, guest_wait_irqs, i % 2);
		guest_sync(&vcpu, 1);
		CHECK_OK(try_irqfd(&vm, 0, line, 0x50));
		vcpu_run_async(&vcpu);
		CHECK(counts(&vm, 1));
		if (i % 4 < 2)
			vm_destroy(&vm);
		vcpu_destroy(&vcpu);
		if (i % 4 >= 2)
			vm_destroy(&vm);
	}
	storm_ends = true;
	CHECK_EQ(pthread_join(thread, NULL), 0);
	if (refs >= 0)
		wait_module_refs(refs, "mvm-selftest");
}

/* The owner is killed; who else has the eventfd signals it on. */
static void test_irqfd_owner_killed(void)
{
	int line = eventfd_new();
	long refs;

	dev_fd();
	refs = module_refs();
	for (u32 i = 0; i < 5; i++) {
		int ready[2], status;
		pid_t pid;
		char c;

		CHECK_OK(pipe(ready));
		pid = CHECK_OK(fork());
		if (!pid) {
			struct vcpu vcpu;
			struct vm vm;

			guest_create(&vm, &vcpu, 0, guest_wait_irqs, 1);
			guest_sync(&vcpu, 1);
			CHECK_OK(try_irqfd(&vm, 0, line, 0x50));
			vcpu_run_async(&vcpu);
			CHECK(counts(&vm, 10));
			CHECK_EQ(write(ready[1], "", 1), 1);
			for (;;)
				pause();
		}
		close(ready[1]);
		for (struct pollfd p = { .fd = ready[0], .events = POLLIN }; !poll(&p, 1, 1);)
			eventfd_ring(line);
		CHECK_EQ(read(ready[0], &c, 1), 1);
		close(ready[0]);
		kill(pid, SIGKILL);
		for (u32 n = 0; n < 1000; n++)
			eventfd_ring(line);
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFSIGNALED(status));
		eventfd_ring(line);
	}
	if (refs >= 0)
		wait_module_refs(refs, "mvm-selftest");
	eventfd_take(line);
	eventfd_ring(line);
	CHECK_EQ(eventfd_take(line), 1);
}

static const struct test tests[] = {
	{ "doorbell: OUTs of every width ring, and the guest goes on", test_any },
	{ "doorbell: one with a width leaves the other widths alone", test_width },
	{ "doorbell: one with a value leaves the other values alone", test_match },
	{ "doorbell: IN and OUTS are exits as ever", test_others },
	{ "doorbell: a guest that steps sees the OUT as one step", test_step },
	{ "doorbell: as many as are promised, and again after their removal", test_limit },
	{ "doorbell: removed while the guest rings, it is silent", test_remove },
	{ "doorbell: its owner may close the eventfd", test_closed },
	{ "doorbell: the VM may end while the guest rings", test_vm_end },
	{ "doorbell: who sleeps in poll() wakes, a thousand times", test_waiter },
	{ "doorbell: two vCPUs ring it, and no ring is lost", test_two_vcpus },
	{ "doorbell: one that interrupts its own vCPU does so at once", test_loop_back },
	{ "irqfd: each signal interrupts a guest that spins", test_irqfd_running },
	{ "irqfd: each signal wakes a guest that halts", test_irqfd_halted },
	{ "irqfd: none is lost after a storm", test_irqfd_storm },
	{ "irqfd: comes, goes, and changes its message", test_irqfd_add_remove },
	{ "irqfd: an NMI, and a destination that is not there", test_irqfd_messages },
	{ "irqfd: ends when its eventfd is closed", test_irqfd_closed },
	{ "irqfd: as many as are promised", test_irqfd_limit },
	{ "irqfd: the VM may end while signals come", test_irqfd_vm_end },
	{ "irqfd: the owner may be killed while signals come", test_irqfd_owner_killed },
};

TEST_MAIN(tests)
