// SPDX-License-Identifier: GPL-2.0-only
/*
 * lifecycle.c - how VMs end: owners that are killed, descriptors that live on
 * elsewhere, every order of closing, the module unloaded and loaded
 *
 * Whatever happened, no vCPU thread and no reference to the module may remain.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/guest.h"
#include "lib/proc.h"

#define THREADS	"mvm-selftest"

static const u8 spin[] = { 0xeb, 0xfe };
static const u8 out_forever[] = { 0xe6, 0x80, 0xeb, 0xfc };
/* 1: incw 0x3000; jmp 1b */
static const u8 touch[] = { 0xff, 0x06, 0x00, 0x30, 0xeb, 0xfa };
/* sti; hlt; jmp . - 1 */
static const u8 halt[] = { 0xfb, 0xf4, 0xeb, 0xfd };

static void small_guest(struct vm *vm, struct vcpu *vcpu, const u8 *code,
			size_t size)
{
	vm_create(vm, 0);
	vm_ram(vm, SZ_64K);
	vcpu_create(vcpu, vm, 0);
	vcpu_real_code(vcpu, 0x1000, code, size);
}

/* ------------------------------------------------------------------------
 * SIGKILL
 */

enum state {
	ST_CREATED, ST_SPIN, ST_HALT, ST_FAULTS, ST_EXITS, ST_SYNC_RUN,
	ST_STOPPED, ST_SLOTS, ST_LAST
};

static const char *const state_names[] = {
	"before the first run", "spinning", "halted", "faulting",
	"in a loop of exits", "waiting in RUN", "stopped by SIGSTOP",
	"changing slots",
};

/* The owner: brings itself into the state and says so; never returns. */
static _Noreturn void owner(enum state state, int ready)
{
	struct vcpu vcpu;
	struct vm vm;

	switch (state) {
	case ST_HALT:
		small_guest(&vm, &vcpu, halt, sizeof(halt));
		break;
	case ST_FAULTS:
		small_guest(&vm, &vcpu, touch, sizeof(touch));
		break;
	case ST_EXITS:
		small_guest(&vm, &vcpu, out_forever, sizeof(out_forever));
		break;
	default:
		small_guest(&vm, &vcpu, spin, sizeof(spin));
	}
	if (state != ST_CREATED && state != ST_EXITS && state != ST_SYNC_RUN)
		vcpu_run_async(&vcpu);
	CHECK_EQ(write(ready, "", 1), 1);
	for (;;) {
		switch (state) {
		case ST_FAULTS:
			madvise(vm.ram + 0x3000, PAGE_SIZE, MADV_DONTNEED);
			break;
		case ST_EXITS:
			vcpu_run_to(&vcpu, MVM_EXIT_IO);
			break;
		case ST_SYNC_RUN:
			vcpu_run(&vcpu);
			break;
		case ST_STOPPED:
			raise(SIGSTOP);
			break;
		case ST_SLOTS:
			vm_slot(&vm, 1, 0, SZ_1M, PAGE_SIZE, vm.ram);
			vm_slot_remove(&vm, 1);
			break;
		default:
			pause();
		}
	}
}

static void kill_rounds(enum state state)
{
	struct random r = { .state = 0x5eed + state };
	long refs = module_refs();

	for (int round = 0; round < 4; round++) {
		int ready[2], status;
		pid_t pid;
		char c;

		CHECK_OK(pipe(ready));
		pid = CHECK_OK(fork());
		if (!pid)
			owner(state, ready[1]);
		close(ready[1]);
		if (read(ready[0], &c, 1) != 1)
			FAIL("the owner failed to start (%s)",
			     state_names[state]);
		usleep(random_below(&r, 8000));
		CHECK_OK(kill(pid, SIGKILL));
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK_EQ(status, SIGKILL);
		close(ready[0]);
		wait_module_refs(refs, THREADS);
	}
}

#define KILL_TEST(name, state)                                                 \
	static void test_kill_##name(void)                                     \
	{                                                                      \
		if (access(MVM_DEVICE_PATH, F_OK))                             \
			test_skip("no " MVM_DEVICE_PATH);                      \
		kill_rounds(state);                                            \
	}

KILL_TEST(created, ST_CREATED)
KILL_TEST(spin, ST_SPIN)
KILL_TEST(halt, ST_HALT)
KILL_TEST(faults, ST_FAULTS)
KILL_TEST(exits, ST_EXITS)
KILL_TEST(sync, ST_SYNC_RUN)
KILL_TEST(stopped, ST_STOPPED)
KILL_TEST(slots, ST_SLOTS)

/* Killed at any moment of its start. */
static void test_kill_start(void)
{
	struct random r = { .state = 99 };
	long refs;

	dev_fd();
	refs = module_refs();
	for (int round = 0; round < 20; round++) {
		int null = CHECK_OK(open("/dev/null", O_WRONLY)), status;
		pid_t pid = CHECK_OK(fork());

		if (!pid)
			owner(round % ST_LAST == ST_STOPPED ? ST_SPIN :
							      round % ST_LAST,
			      null);
		close(null);
		usleep(random_below(&r, 3000));
		kill(pid, SIGKILL);
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK_EQ(status, SIGKILL);
	}
	wait_module_refs(refs, THREADS);
}

/* ------------------------------------------------------------------------
 * Descriptors outside the owner
 */

/* Every command says EPERM and poll does not hang. */
static void check_stranger(int vm_fd, int vcpu_fd)
{
	struct mvm_kick k = { .size = sizeof(k) };
	struct mvm_create_vcpu c = { .size = sizeof(c), .id = 1 };
	struct mvm_slot s = { .size = sizeof(s) };
	struct pollfd p = { .fd = vcpu_fd, .events = POLLIN };

	CHECK_ERR(sys_run(vcpu_fd, 0), EPERM);
	CHECK_ERR(sys_run(vcpu_fd, MVM_RUN_ASYNC), EPERM);
	CHECK_ERR(ioctl(vcpu_fd, MVM_KICK, &k), EPERM);
	CHECK_ERR(ioctl(vm_fd, MVM_CREATE_VCPU, &c), EPERM);
	CHECK_ERR(ioctl(vm_fd, MVM_SET_SLOT, &s), EPERM);
	CHECK(poll(&p, 1, 10) >= 0);
}

/*
 * An owner with a running vCPU and a child that has the descriptors: the owner
 * dies, the child looks, then dies too.
 */
static void orphan(int clone_flags)
{
	int to_child[2], from_child[2], status;
	long refs = module_refs(), ticks;
	pid_t parent;
	char c;

	CHECK_OK(pipe(to_child));
	CHECK_OK(pipe(from_child));
	parent = CHECK_OK(fork());
	if (!parent) {
		struct vcpu vcpu;
		struct vm vm;
		pid_t child;

		small_guest(&vm, &vcpu, spin, sizeof(spin));
		vcpu_run_async(&vcpu);
		child = syscall(SYS_clone, clone_flags | SIGCHLD, 0, 0, 0, 0);
		CHECK_OK(child);
		if (child)
			for (;;)
				pause();
		check_stranger(vm.fd, vcpu.fd);
		CHECK_EQ(write(from_child[1], "a", 1), 1);
		CHECK_EQ(read(to_child[0], &c, 1), 1);
		/* the owner is dead now */
		check_stranger(vm.fd, vcpu.fd);
		close(vm.fd);
		CHECK_ERR(sys_run(vcpu.fd, 0), EPERM);
		_exit(0);
	}
	if (poll(&(struct pollfd){ .fd = from_child[0], .events = POLLIN }, 1,
		 5000) != 1)
		FAIL("the child does not answer");
	CHECK_EQ(read(from_child[0], &c, 1), 1);
	CHECK_OK(kill(parent, SIGKILL));
	CHECK_EQ(waitpid(parent, &status, 0), parent);
	/* the guest has stopped although descriptors are open */
	usleep(20000);
	ticks = task_ticks(THREADS);
	usleep(100000);
	CHECK_EQ(task_ticks(THREADS), ticks);
	CHECK_EQ(write(to_child[1], "b", 1), 1);
	wait_module_refs(refs, THREADS);
}

static void test_orphan_fork(void)
{
	dev_fd();
	orphan(0);
}

static void test_orphan_files(void)
{
	dev_fd();
	orphan(CLONE_FILES);
}

static void send_fds(int sock, const int *fds, size_t n)
{
	char buf[CMSG_SPACE(8 * sizeof(int))] = { 0 }, c = 0;
	struct iovec iov = { &c, 1 };
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = buf,
		.msg_controllen = CMSG_SPACE(n * sizeof(int)),
	};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(h), fds, n * sizeof(int));
	CHECK_EQ(sendmsg(sock, &m, 0), 1);
}

static void receive_fds(int sock, int *fds, size_t n)
{
	char buf[CMSG_SPACE(8 * sizeof(int))] = { 0 }, c;
	struct iovec iov = { &c, 1 };
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = buf,
		.msg_controllen = sizeof(buf),
	};
	struct cmsghdr *h;

	CHECK_EQ(recvmsg(sock, &m, 0), 1);
	h = CMSG_FIRSTHDR(&m);
	CHECK(h && h->cmsg_len == CMSG_LEN(n * sizeof(int)));
	memcpy(fds, CMSG_DATA(h), n * sizeof(int));
}

static void test_passed(void)
{
	int sock[2], fds[2], status;
	struct mvm_run *run;
	struct pollfd hup;
	long refs;
	pid_t pid;

	dev_fd();
	refs = module_refs();
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
	pid = CHECK_OK(fork());
	if (!pid) {
		struct vcpu vcpu;
		struct vm vm;

		small_guest(&vm, &vcpu, spin, sizeof(spin));
		vcpu_run_async(&vcpu);
		send_fds(sock[1], (int[]){ vm.fd, vcpu.fd }, 2);
		for (;;)
			pause();
	}
	close(sock[1]);
	receive_fds(sock[0], fds, 2);
	check_stranger(fds[0], fds[1]);
	/* the owner lives: no hang-up yet */
	hup = (struct pollfd){ .fd = fds[1], .events = POLLIN };
	CHECK_EQ(poll(&hup, 1, 0), 0);
	/* the page itself may be refused or shown, not crash */
	run = mmap(NULL, dev_info()->run_size, PROT_READ | PROT_WRITE,
		   MAP_SHARED, fds[1], 0);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	check_stranger(fds[0], fds[1]);
	CHECK_EQ(poll(&hup, 1, 5000), 1);
	CHECK(hup.revents & POLLHUP);
	if (run != MAP_FAILED) {
		CHECK(run->exit_reason <= MVM_EXIT_UNHANDLED);
		run->immediate_exit = 1;
	}
	close(fds[1]);
	close(fds[0]);
	if (run != MAP_FAILED)
		munmap(run, dev_info()->run_size);
	wait_module_refs(refs, THREADS);
}

/* The program that takes the owner's place: the vCPU has ended, or soon will. */
static int expect_hang_up(int fd)
{
	struct pollfd hup = { .fd = fd, .events = POLLIN };

	CHECK_EQ(poll(&hup, 1, 5000), 1);
	CHECK(hup.revents & POLLHUP);
	return 0;
}

static void test_exec(void)
{
	long refs;
	pid_t pid;

	dev_fd();
	refs = module_refs();
	pid = CHECK_OK(fork());
	if (!pid) {
		struct vcpu vcpu;
		char fd[16];
		struct vm vm;

		small_guest(&vm, &vcpu, spin, sizeof(spin));
		vcpu_run_async(&vcpu);
		CHECK(!vcpu_poll(&vcpu, 10));
		/* the descriptors live on: the address space does not */
		fcntl(vm.fd, F_SETFD, 0);
		fcntl(vcpu.fd, F_SETFD, 0);
		snprintf(fd, sizeof(fd), "%d", vcpu.fd);
		execl("/proc/self/exe", "lifecycle", "--hang-up", fd, NULL);
		_exit(1);
	}
	wait_child(pid);
	wait_module_refs(refs, THREADS);
}

/* ------------------------------------------------------------------------
 * Closing
 */

static void close_in_order(const int order[4], bool running)
{
	struct mvm_create_vm cv = { .name = "selftest" };
	struct mvm_create_vcpu cc = { .id = 0 };
	struct vcpu vcpu;
	struct vm vm = { 0 };
	int dev;

	dev = CHECK_OK(open(MVM_DEVICE_PATH, O_RDWR | O_CLOEXEC));
	vm.fd = CHECK_OK(mvm_ioctl(dev, MVM_CREATE_VM, &cv));
	vm_ram(&vm, SZ_64K);
	vcpu.vm = &vm;
	vcpu.fd = CHECK_OK(mvm_ioctl(vm.fd, MVM_CREATE_VCPU, &cc));
	vcpu.run = mmap(NULL, dev_info()->run_size, PROT_READ | PROT_WRITE,
			MAP_SHARED, vcpu.fd, 0);
	CHECK(vcpu.run != MAP_FAILED);
	vcpu_real_code(&vcpu, 0x1000, spin, sizeof(spin));
	if (running)
		vcpu_run_async(&vcpu);
	for (int i = 0; i < 4; i++) {
		switch (order[i]) {
		case 0:
			CHECK_OK(close(dev));
			break;
		case 1:
			CHECK_OK(close(vm.fd));
			break;
		case 2:
			CHECK_OK(close(vcpu.fd));
			break;
		case 3:
			CHECK_OK(munmap(vcpu.run, dev_info()->run_size));
		}
	}
	munmap(vm.ram, vm.ram_size);
}

static void test_close_orders(void)
{
	long refs;

	dev_info();
	refs = module_refs();
	for (int n = 0; n < 256; n++) {
		int order[4] = { n & 3, n >> 2 & 3, n >> 4 & 3, n >> 6 };
		unsigned int seen = 0;

		for (int i = 0; i < 4; i++)
			seen |= 1 << order[i];
		if (seen != 15)
			continue;
		close_in_order(order, false);
		close_in_order(order, true);
	}
	wait_module_refs(refs, THREADS);
}

static void test_vm_closed_first(void)
{
	struct vcpu vcpu;
	struct vm vm;
	int copy;

	small_guest(&vm, &vcpu, out_forever, sizeof(out_forever));
	vcpu_run_to(&vcpu, MVM_EXIT_IO);
	CHECK_OK(close(vm.fd));
	/* a vCPU keeps its VM; a copy of its descriptor keeps the vCPU */
	for (int i = 0; i < 3; i++)
		vcpu_run_to(&vcpu, MVM_EXIT_IO);
	copy = CHECK_OK(dup(vcpu.fd));
	CHECK_OK(close(vcpu.fd));
	vcpu.fd = copy;
	vcpu_run_to(&vcpu, MVM_EXIT_IO);
	CHECK_OK(close(copy));
	/* the run page stays until it is unmapped */
	CHECK_EQ(vcpu.run->exit_reason, MVM_EXIT_IO);
}

static void *creator(void *arg)
{
	struct vcpu *vcpu = arg;

	small_guest(vcpu->vm, vcpu, out_forever, sizeof(out_forever));
	vcpu_run_to(vcpu, MVM_EXIT_IO);
	return NULL;
}

static void test_thread_ends(void)
{
	struct vcpu vcpu;
	struct vm vm;
	pthread_t thread;

	vcpu.vm = &vm;
	dev_fd();
	CHECK_EQ(pthread_create(&thread, NULL, creator, &vcpu), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	/* the process is the owner, not the thread */
	vcpu_run_to(&vcpu, MVM_EXIT_IO);
}

static void test_renice(void)
{
	struct vcpu vcpu;
	struct vm vm;

	small_guest(&vm, &vcpu, spin, sizeof(spin));
	CHECK_EQ(pin_tasks(THREADS, 0), 1);
	CHECK_EQ(renice_tasks(THREADS, 10), 1);
	vcpu_run_async(&vcpu);
	CHECK(!vcpu_poll(&vcpu, 10));
	CHECK_EQ(vcpu_stop(&vcpu), MVM_EXIT_INTR);
}

static volatile sig_atomic_t alarms;

static void alarmed(int signal)
{
	(void)signal;
	alarms++;
}

/* How long a signal takes, in us. */
static long signal_us(void)
{
	enum { SIGNALS = 16 };
	struct timespec begin, end;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (int i = 0; i < SIGNALS; i++)
		CHECK_OK(raise(SIGALRM));
	clock_gettime(CLOCK_MONOTONIC, &end);
	return ((end.tv_sec - begin.tv_sec) * 1000000 +
		(end.tv_nsec - begin.tv_nsec) / 1000) / SIGNALS;
}

/*
 * To make a VM the kernel locks all mappings of the process, and stops when a signal
 * comes: with so many of them it takes longer than the next signal does.  Between
 * two signals, this program gets on.
 */
static void test_signal_storm(void)
{
	struct sigaction action = { .sa_handler = alarmed, .sa_flags = SA_RESTART };
	struct itimerval storm = { 0 };
	const size_t pages = 1000;
	struct vcpu vcpu;
	struct vm vm;
	u8 *many;

	many = mmap(NULL, pages * PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(many != MAP_FAILED);
	for (size_t i = 0; i < pages; i += 2)
		CHECK_OK(mprotect(many + i * PAGE_SIZE, PAGE_SIZE, PROT_NONE));
	dev_fd();
	CHECK_OK(sigaction(SIGALRM, &action, NULL));
	storm.it_interval.tv_usec = 100 + 8 * signal_us();
	storm.it_value = storm.it_interval;
	alarms = 0;
	CHECK_OK(setitimer(ITIMER_REAL, &storm, NULL));
	vm_create(&vm, 0);
	vm_ram(&vm, SZ_64K);
	storm = (struct itimerval){ 0 };
	CHECK_OK(setitimer(ITIMER_REAL, &storm, NULL));
	CHECK(alarms);
	vcpu_create(&vcpu, &vm, 0);
	vcpu_real_code(&vcpu, 0x1000, out_forever, sizeof(out_forever));
	vcpu_run_to(&vcpu, MVM_EXIT_IO);
}

static void *runner(void *arg)
{
	struct vcpu *vcpu = arg;

	vcpu_run(vcpu);
	return NULL;
}

static void test_two_threads(void)
{
	struct vcpu vcpu;
	struct vm vm;
	pthread_t thread;
	int r;

	small_guest(&vm, &vcpu, spin, sizeof(spin));
	CHECK_EQ(pthread_create(&thread, NULL, runner, &vcpu), 0);
	usleep(20000);
	/* the other thread waits */
	r = sys_run(vcpu.fd, MVM_RUN_ASYNC);
	CHECK_EQ(r, -1);
	CHECK_EQ(errno, EBUSY);
	CHECK_ERR(sys_run(vcpu.fd, 0), EBUSY);
	vcpu.run->immediate_exit = 1;
	vcpu_kick(&vcpu);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(vcpu.run->exit_reason, MVM_EXIT_INTR);
}

/* Threads that wait in RUN when another one ends the process. */
static void test_exit_group(void)
{
	long refs;
	pid_t pid;

	dev_fd();
	refs = module_refs();
	for (int i = 0; i < 3; i++) {
		pid = CHECK_OK(fork());
		if (!pid) {
			struct vcpu vcpu[2];
			struct vm vm[2];
			pthread_t thread;

			for (int j = 0; j < 2; j++) {
				small_guest(&vm[j], &vcpu[j], spin,
					    sizeof(spin));
				pthread_create(&thread, NULL, runner, &vcpu[j]);
			}
			usleep(5000);
			_exit(0);
		}
		wait_child(pid);
	}
	wait_module_refs(refs, THREADS);
}

/* ------------------------------------------------------------------------
 * The module
 */

static void test_unload_busy(void)
{
	struct vcpu vcpu;
	struct vm vm;

	small_guest(&vm, &vcpu, spin, sizeof(spin));
	CHECK(module_refs() > 0);
	CHECK_ERR(module_unload(), EWOULDBLOCK);
	vcpu_run_async(&vcpu);
	CHECK_ERR(module_unload(), EWOULDBLOCK);
	CHECK_EQ(vcpu_stop(&vcpu), MVM_EXIT_INTR);
}

static void test_reload(void)
{
	CHECK(module_refs() >= 0);
	if (module_refs() > 0)
		test_skip("the module is in use");
	/* without the file there would be no way back */
	if (!module_load() || errno != EEXIST)
		FAIL("loading twice: errno %d (%m), not EEXIST", errno);
	for (int i = 0; i < 20; i++) {
		pid_t pid;

		CHECK_OK(module_unload());
		CHECK_EQ(module_refs(), -1);
		CHECK(access(MVM_DEVICE_PATH, F_OK));
		CHECK_OK(module_load());
		pid = CHECK_OK(fork());
		if (!pid) {
			struct vcpu vcpu;
			struct vm vm;

			small_guest(&vm, &vcpu, out_forever,
				    sizeof(out_forever));
			vcpu_run_to(&vcpu, MVM_EXIT_IO);
			vcpu_run_to(&vcpu, MVM_EXIT_IO);
			_exit(0);
		}
		wait_child(pid);
		wait_module_refs(0, "mvm-");
	}
}

static void test_nothing_left(void)
{
	dev_fd();
	wait_module_refs(1, "mvm-");
}

static const struct test tests[] = {
	{ "kill: an owner before the first run", test_kill_created },
	{ "kill: an owner whose guest spins", test_kill_spin },
	{ "kill: an owner whose guest is halted", test_kill_halt },
	{ "kill: an owner whose guest faults on and on", test_kill_faults },
	{ "kill: an owner in a loop of exits", test_kill_exits },
	{ "kill: an owner that waits in RUN", test_kill_sync },
	{ "kill: an owner that is stopped", test_kill_stopped },
	{ "kill: an owner that adds and removes slots", test_kill_slots },
	{ "kill: an owner at any moment of its start", test_kill_start, 40 },
	{ "orphan: a forked child holds the descriptors of a dead owner",
	  test_orphan_fork },
	{ "orphan: a child that shares the descriptor table", test_orphan_files },
	{ "orphan: descriptors passed over a socket", test_passed },
	{ "exec: ends the VM although descriptors survive", test_exec },
	{ "close: device, VM, vCPU and run page in all 24 orders",
	  test_close_orders, 40 },
	{ "close: a vCPU keeps its VM", test_vm_closed_first },
	{ "threads: the VM outlives the thread that made it", test_thread_ends },
	{ "threads: the vCPU's may be pinned and reniced", test_renice },
	{ "threads: a second RUN gives EBUSY", test_two_threads },
	{ "signals: a storm of them holds up neither VM nor slot", test_signal_storm, 120 },
	{ "threads: exit of the process while threads wait in RUN",
	  test_exit_group },
	{ "module: cannot be unloaded while a VM exists", test_unload_busy },
	{ "module: unloaded and loaded 20 times, a VM in each", test_reload,
	  120 },
	{ "module: no thread and no reference is left", test_nothing_left },
};

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "--hang-up"))
		return expect_hang_up(atoi(argv[2]));
	return run_tests(tests, ARRAY_SIZE(tests), argc, argv);
}
