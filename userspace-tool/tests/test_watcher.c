// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_watcher.c - the thread that watches the loop for one that is in the guest:
 * whom it kicks, and when; outside and in the sandbox.
 */
#include <dirent.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "report.h"
#include "sandbox.h"
#include "tap.h"
#include "watcher.h"

static struct mvm_run run, other;
/* there is no vCPU here: the kick goes nowhere, immediate_exit says that it was */
static const struct vcpu vcpu = { .fd = -1, .run = &run };
static const struct vcpu second = { .fd = -1, .run = &other };

static struct loop loop;
static struct loop_source source;
static struct watcher watcher;

static void ready(void *context, u32 events)
{
	eventfd_t value;

	(void)context;
	(void)events;
	eventfd_read(source.fd, &value);
}

/* Not kicked: nothing came for a while. */
static bool kicked(struct mvm_run *whom, int ms)
{
	for (; ms; ms--) {
		if (__atomic_exchange_n(&whom->immediate_exit, 0, __ATOMIC_SEQ_CST))
			return true;
		poll(NULL, 0, 1);
	}
	return false;
}

static void happen(void)
{
	eventfd_write(source.fd, 1);
}

static bool begin(void)
{
	source.ready = ready;
	source.fd = eventfd(0, 0);
	return source.fd >= 0 && !loop_init(&loop) && !loop_add(&loop, &source, EPOLLIN) &&
	       !watcher_start(&watcher, &loop, &vcpu);
}

static int threads(void)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *entry;
	int count = 0;

	while ((entry = readdir(tasks)))
		count += entry->d_name[0] != '.';
	closedir(tasks);
	return count;
}

static bool alone(void)
{
	int ms;

	for (ms = 1000; ms && threads() > 1; ms--)
		poll(NULL, 0, 1);
	return ms;
}

/* What must hold in a sandbox, too: exit status 0. */
static int whole_life(void)
{
	if (!begin())
		return 1;
	if (sandbox_enter() != STATUS_OK)
		return 2;
	happen();
	if (!kicked(&run, 1000) || loop_wait(&loop, 0) != 1)
		return 3;
	watcher_hold(&watcher);
	watcher_release(&watcher, &vcpu);
	happen();
	if (!kicked(&run, 1000))
		return 4;
	watcher_end(&watcher);
	/* its thread's last system calls */
	poll(NULL, 0, 100);
	return 0;
}

int main(void)
{
	unsigned int i, lost = 0;
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(whole_life());
	waitpid(pid, &status, 0);
	is(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0, "it lives and ends in the sandbox");

	ok(begin(), "a watcher is made");
	ok(!kicked(&run, 50), "nobody is kicked while nothing happens");
	happen();
	ok(kicked(&run, 1000), "an event kicks");
	ok(!kicked(&run, 50), "once");
	happen();
	ok(kicked(&run, 1000), "one more, though the first is not served yet, kicks again");
	is(loop_wait(&loop, 0), 1, "the event is for the loop");
	is(loop_wait(&loop, 0), 0, "and is served once");
	ok(!kicked(&run, 50), "that kicks nobody");

	for (i = 0; i < 2000; i++) {
		happen();
		lost += !kicked(&run, 1000);
		if (i % 3)
			loop_wait(&loop, 0);
	}
	is(lost, 0, "no kick of 2000 is lost");
	loop_wait(&loop, 0);

	watcher_hold(&watcher);
	happen();
	ok(!kicked(&run, 50), "nobody is kicked while it is held");
	watcher_release(&watcher, &second);
	ok(kicked(&other, 1000), "but as soon as it is not");
	ok(!kicked(&run, 1), "and nobody else is");
	watcher_hold(&watcher);
	watcher_release(&watcher, NULL);
	happen();
	ok(!kicked(&other, 50) && !kicked(&run, 1), "there may be nobody to kick");

	watcher_end(&watcher);
	ok(alone(), "its thread ends");
	happen();
	ok(!kicked(&other, 50), "and kicks nobody any more");
	return tap_done();
}
