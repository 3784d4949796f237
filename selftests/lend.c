// SPDX-License-Identifier: GPL-2.0-only
/*
 * lend.c - MVM_RUN_LEND: the waiting thread enters the guest itself
 *
 * What guests do then is the business of the other programs, with -L.  Here: that
 * the caller gets back what is its own, and how such a run ends or goes on
 * elsewhere.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/proc.h"
#include "lib/vm.h"

#define THREADS		"mvm-"
#define USER_DS		0x2b	/* of 64-bit Linux */

/* 1: in $0x60, %al; out %al, $0x61; jmp 1b */
static const u8 io_forever[] = { 0xe4, 0x60, 0xe6, 0x61, 0xeb, 0xfa };
static const u8 spin[] = { 0xeb, 0xfe };
/* cli; 1: hlt; jmp 1b */
static const u8 halt[] = { 0xfa, 0xf4, 0xeb, 0xfd };

struct guest {
	struct vm vm;
	struct vcpu vcpu;
};

static void guest_open(struct guest *g, const void *code, size_t size)
{
	vm_create(&g->vm, 0);
	vm_ram(&g->vm, SZ_64K);
	vcpu_create(&g->vcpu, &g->vm, 0);
	vcpu_real_code(&g->vcpu, 0x1000, code, size);
}

static void lend_to(struct guest *g, u32 reason)
{
	CHECK_OK(sys_run(g->vcpu.fd, MVM_RUN_LEND));
	CHECK_EQ(g->vcpu.run->exit_reason, reason);
}

static void test_runs(void)
{
	struct guest g;

	guest_open(&g, io_forever, sizeof(io_forever));
	for (u32 i = 0; i < 200; i++) {
		lend_to(&g, MVM_EXIT_IO);
		g.vcpu.run->io.data = i;
		/* with the thread and with the caller in turn, too */
		if (i % 3)
			lend_to(&g, MVM_EXIT_IO);
		else
			vcpu_run_to(&g.vcpu, MVM_EXIT_IO);
		CHECK_EQ(g.vcpu.run->io.port, 0x61);
		CHECK_EQ(g.vcpu.run->io.data, i & 0xff);
	}
	/* the two forms contradict each other */
	CHECK_ERR(sys_run(g.vcpu.fd, MVM_RUN_ASYNC | MVM_RUN_LEND), EINVAL);
	CHECK(vcpu_stat(&g.vcpu, "runs_lent") >= 333);
}

/* fninit; fldcw 0x2000; mov $0x55, %al; out %al, $0x61 */
static const u8 control_word[] = { 0xdb, 0xe3, 0xd9, 0x2e, 0x00, 0x20,
				   0xb0, 0x55, 0xe6, 0x61 };

static __thread u64 in_tls = 0x715;

static void test_registers(void)
{
	u16 before = 0x0b7f, after = 0;
	struct mvm_run_request r = { .size = sizeof(r), .flags = MVM_RUN_LEND };
	u64 mark = 0x0123456789abcdef, seen;
	struct guest g;
	long ret;

	guest_open(&g, control_word, sizeof(control_word));
	*(u16 *)(g.vm.ram + 0x2000) = 0x037a;
	/* nothing between may use the FPU: the system call itself */
	asm volatile("fldcw %[before]\n\t"
		     "movq %[mark], %%xmm7\n\t"
		     "syscall\n\t"
		     "fnstcw %[after]\n\t"
		     "movq %%xmm7, %[seen]"
		     : "=a"(ret), [after] "=m"(after), [seen] "=&r"(seen)
		     : "a"(SYS_ioctl), "D"((u64)g.vcpu.fd), "S"((u64)MVM_RUN), "d"(&r),
		       [before] "m"(before), [mark] "m"(mark)
		     : "rcx", "r11", "memory");
	CHECK_EQ(ret, 0);
	CHECK_EQ(g.vcpu.run->exit_reason, MVM_EXIT_IO);
	CHECK_EQ(vcpu_stat(&g.vcpu, "runs_lent"), 1);
	CHECK_EQ(after, before);
	CHECK_EQ(seen, mark);
	CHECK_EQ(in_tls, 0x715);
}

static u16 read_ds(void)
{
	u16 ds;

	asm volatile("mov %%ds, %0" : "=r"(ds));
	return ds;
}

static void test_segments(void)
{
	struct guest g;
	u16 ds;

	guest_open(&g, io_forever, sizeof(io_forever));
	asm volatile("mov %0, %%ds" : : "r"(USER_DS));
	CHECK_OK(sys_run(g.vcpu.fd, MVM_RUN_LEND));
	ds = read_ds();
	asm volatile("mov %0, %%ds" : : "r"(0));
	CHECK_EQ(ds, USER_DS);
	CHECK_EQ(g.vcpu.run->exit_reason, MVM_EXIT_IO);
	CHECK_EQ(vcpu_stat(&g.vcpu, "runs_lent"), 0);
}

static void on_signal(int sig)
{
	(void)sig;
}

/* A signal gives the run to the thread; nothing is lost on the way. */
static void check_signal(const void *code, size_t size)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct guest g;

	guest_open(&g, code, size);
	sigaction(SIGALRM, &sa, NULL);
	for (u32 i = 0; i < 5; i++) {
		ualarm(20000, 0);
		CHECK_ERR(sys_run(g.vcpu.fd, MVM_RUN_LEND), EINTR);
		CHECK(!vcpu_poll(&g.vcpu, 5));
		CHECK_EQ(vcpu_stop(&g.vcpu), MVM_EXIT_INTR);
		CHECK_OK(sys_run(g.vcpu.fd, MVM_RUN_ASYNC));
		CHECK_EQ(vcpu_stop(&g.vcpu), MVM_EXIT_INTR);
	}
	CHECK_EQ(vcpu_stat(&g.vcpu, "runs_lent"), 5);
}

static void test_signal(void)
{
	check_signal(spin, sizeof(spin));
}

static void test_signal_halted(void)
{
	check_signal(halt, sizeof(halt));
}

static void *kick_later(void *arg)
{
	struct vcpu *vcpu = arg;

	usleep(20000);
	vcpu->run->immediate_exit = 1;
	vcpu_kick(vcpu);
	return NULL;
}

static void check_kick(const void *code, size_t size)
{
	pthread_t thread;
	struct guest g;

	guest_open(&g, code, size);
	for (u32 i = 0; i < 5; i++) {
		CHECK_EQ(pthread_create(&thread, NULL, kick_later, &g.vcpu), 0);
		lend_to(&g, MVM_EXIT_INTR);
		CHECK_EQ(pthread_join(thread, NULL), 0);
		g.vcpu.run->immediate_exit = 0;
	}
	CHECK_EQ(vcpu_stat(&g.vcpu, "runs_lent"), 5);
}

static void test_kick(void)
{
	check_kick(spin, sizeof(spin));
}

static void test_kick_halted(void)
{
	check_kick(halt, sizeof(halt));
}

static void *lend_for_ever(void *arg)
{
	struct guest *g = arg;

	sys_run(g->vcpu.fd, MVM_RUN_LEND);
	return NULL;
}

/* A process that lends itself ends as @end makes it end. */
static void check_end(const void *code, size_t size, void (*end)(void))
{
	long refs = module_refs();

	for (u32 i = 0; i < 4; i++) {
		pid_t pid = CHECK_OK(fork());
		int status;

		if (!pid) {
			pthread_t thread;
			struct guest g;

			guest_open(&g, code, size);
			CHECK_EQ(pthread_create(&thread, NULL, lend_for_ever, &g), 0);
			usleep(5000 + 5000 * i);
			end();
			pause();
		}
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : !WEXITSTATUS(status));
		wait_module_refs(refs, THREADS);
	}
}

static void end_by_kill(void)
{
	kill(getpid(), SIGKILL);
}

/* Another program, in which the lender's thread is no more. */
static void end_by_exec(void)
{
	execl("/bin/true", "true", NULL);
	FAIL("exec: %m");
}

static void test_kill(void)
{
	check_end(spin, sizeof(spin), end_by_kill);
	check_end(halt, sizeof(halt), end_by_kill);
}

static void test_exec(void)
{
	check_end(spin, sizeof(spin), end_by_exec);
	check_end(halt, sizeof(halt), end_by_exec);
}

static const struct test tests[] = {
	{ "lend: exits come and are answered, with the vCPU's thread in between", test_runs },
	{ "lend: the caller keeps its FPU, SSE and thread registers", test_registers },
	{ "lend: a caller with a segment in DS does not lend, and keeps it", test_segments },
	{ "lend: a signal hands a running guest to the vCPU's thread", test_signal },
	{ "lend: a signal hands a halted guest to the vCPU's thread", test_signal_halted },
	{ "lend: a kick from another thread ends the run", test_kick },
	{ "lend: a kick from another thread ends the run of a halted guest", test_kick_halted },
	{ "lend: a process that is killed while it lends leaves nothing", test_kill },
	{ "lend: exec while another thread lends itself leaves nothing", test_exec },
};

TEST_MAIN(tests)
