// SPDX-License-Identifier: GPL-2.0-only
/*
 * watcher.c - a thread that gets another one out of the guest when its event loop
 * has something to do.
 *
 * The loop's epoll descriptor is in one of the watcher's own, edge-triggered: each
 * event wakes it once, whether or not the loop has served it yet.  The watcher sets
 * mvm_run.immediate_exit and kicks, and never looks at what it was.  No event is
 * missed if the other thread clears immediate_exit first, then turns the loop until
 * that has nothing more, and then enters the guest.
 *
 * The two wait for each other by eventfds, as a mutex would need a system call that
 * the sandbox does not allow.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "watcher.h"

/* Blocking, and of 8 bytes: they do not fail, and signals are blocked or restart them. */
static void take(int eventfd)
{
	eventfd_t value;

	while (eventfd_read(eventfd, &value) && errno == EINTR)
		;
}

static void give(int eventfd)
{
	while (eventfd_write(eventfd, 1) && errno == EINTR)
		;
}

static void kick(struct watcher *watcher)
{
	take(watcher->turn);
	if (watcher->vcpu) {
		__atomic_store_n(&watcher->vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
		vm_kick(watcher->vcpu);
	}
	give(watcher->turn);
}

static void *watch(void *context)
{
	struct watcher *watcher = context;
	struct epoll_event event;

	give(watcher->here);
	for (;;) {
		int count = epoll_wait(watcher->epoll, &event, 1, -1);

		if (count == 1 && event.data.fd == watcher->end)
			break;
		if (count == 1)
			kick(watcher);
	}
	give(watcher->here);
	return NULL;
}

/* Signals are for the other thread, but for those that this one's own faults bring. */
static int make_thread(struct watcher *watcher)
{
	static const int own[] = {
		SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS,
	};
	pthread_attr_t attributes;
	sigset_t others, before;
	pthread_t thread;
	size_t i;
	int error;

	sigfillset(&others);
	for (i = 0; i < ARRAY_SIZE(own); i++)
		sigdelset(&others, own[i]);
	error = pthread_attr_init(&attributes);
	if (error)
		return -error;
	/* to join it would need what the sandbox does not allow */
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_BLOCK, &others, &before);
	error = pthread_create(&thread, &attributes, watch, watcher);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return -error;
}

static int watch_descriptor(const struct watcher *watcher, int fd, u32 events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	return epoll_ctl(watcher->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static void close_all(struct watcher *watcher)
{
	const int fds[] = { watcher->epoll, watcher->turn, watcher->end, watcher->here };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/**
 * watcher_start() - make a watcher
 * @watcher: to initialise
 * @loop: what it watches
 * @vcpu: whom it kicks
 *
 * Return: 0 or -errno.
 */
int watcher_start(struct watcher *watcher, const struct loop *loop, const struct vcpu *vcpu)
{
	int error = 0;

	*watcher = (struct watcher) {
		.epoll = epoll_create1(EPOLL_CLOEXEC),
		.turn = eventfd(1, EFD_CLOEXEC),
		.end = eventfd(0, EFD_CLOEXEC),
		.here = eventfd(0, EFD_CLOEXEC),
		.vcpu = vcpu,
	};
	if (watcher->epoll < 0 || watcher->turn < 0 || watcher->end < 0 || watcher->here < 0)
		error = -errno;
	if (!error)
		error = watch_descriptor(watcher, loop->epoll, EPOLLIN | EPOLLET);
	if (!error)
		error = watch_descriptor(watcher, watcher->end, EPOLLIN);
	if (!error)
		error = make_thread(watcher);
	if (error)
		close_all(watcher);
	else	/* the first system calls of a thread are libc's: not in the sandbox */
		take(watcher->here);
	return error;
}

/**
 * watcher_hold() - let it kick nobody for now
 * @watcher: a watcher; watcher_release() is due
 */
void watcher_hold(struct watcher *watcher)
{
	take(watcher->turn);
}

/**
 * watcher_release() - let it kick again
 * @watcher: held
 * @vcpu: whom, or NULL: nobody
 *
 * What has happened meanwhile it kicks for now.
 */
void watcher_release(struct watcher *watcher, const struct vcpu *vcpu)
{
	watcher->vcpu = vcpu;
	give(watcher->turn);
}

/**
 * watcher_end() - end a watcher
 * @watcher: made by watcher_start(), and not held
 */
void watcher_end(struct watcher *watcher)
{
	give(watcher->end);
	take(watcher->here);
	close_all(watcher);
}
