// SPDX-License-Identifier: GPL-2.0-only
/*
 * loop.c - epoll over the vCPU, the terminal, signals and timers.
 *
 * cmd_run.c turns it; machine.c, term.c and the devices' timers are its
 * sources.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "loop.h"

#define BATCH	8

/**
 * loop_init() - make a loop
 * @loop: to initialise
 *
 * Return: 0 or -errno.
 */
int loop_init(struct loop *loop)
{
	loop->removed = false;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	return loop->epoll < 0 ? -errno : 0;
}

/**
 * loop_close() - free a loop
 * @loop: all its sources are removed
 */
void loop_close(struct loop *loop)
{
	if (loop->epoll >= 0)
		close(loop->epoll);
	loop->epoll = -1;
}

/**
 * loop_add() - watch a descriptor
 * @loop: the loop
 * @source: must stay until loop_remove()
 * @events: EPOLLIN, EPOLLOUT
 *
 * Return: 0 or -errno; -EPERM: a regular file, which is always ready.
 */
int loop_add(struct loop *loop, struct loop_source *source, u32 events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, source->fd, &event) ?
	       -errno : 0;
}

/**
 * loop_remove() - stop watching
 * @loop: the loop
 * @source: its descriptor is still open
 */
void loop_remove(struct loop *loop, struct loop_source *source)
{
	epoll_ctl(loop->epoll, EPOLL_CTL_DEL, source->fd, NULL);
	loop->removed = true;
}

/**
 * loop_wait() - wait for events and call their sources
 * @loop: the loop
 * @timeout_ms: at most so long; -1: for ever
 *
 * Return: how many events there were, or -errno.
 */
int loop_wait(struct loop *loop, int timeout_ms)
{
	struct epoll_event events[BATCH];
	int count, i;

	count = epoll_wait(loop->epoll, events, BATCH, timeout_ms);
	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	loop->removed = false;
	for (i = 0; i < count; i++) {
		struct loop_source *source = events[i].data.ptr;

		source->ready(source->context, events[i].events);
		/* what is still ready will be reported again */
		if (loop->removed)
			break;
	}
	return count;
}

/**
 * loop_now() - the monotonic clock
 *
 * Return: ns.
 */
u64 loop_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * NSEC_PER_SEC + (u64)now.tv_nsec;
}

static void timer_ready(void *context, u32 events)
{
	struct loop_timer *timer = context;
	u64 expirations;

	(void)events;
	if (read(timer->source.fd, &expirations, sizeof(expirations)) !=
	    sizeof(expirations))
		return;		/* set anew or stopped meanwhile */
	timer->at = 0;
	timer->fire(timer->context);
}

/**
 * loop_timer_init() - make a timer
 * @timer: to initialise
 * @loop: where it fires
 * @fire: called when it does
 * @context: its argument
 *
 * Return: 0 or -errno.
 */
int loop_timer_init(struct loop_timer *timer, struct loop *loop,
		    void (*fire)(void *context), void *context)
{
	int error;

	*timer = (struct loop_timer) {
		.source = {
			.ready = timer_ready,
			.context = timer,
		},
		.loop = loop,
		.fire = fire,
		.context = context,
	};
	timer->source.fd = timerfd_create(CLOCK_MONOTONIC,
					  TFD_NONBLOCK | TFD_CLOEXEC);
	if (timer->source.fd < 0)
		return -errno;
	error = loop_add(loop, &timer->source, EPOLLIN);
	if (error)
		close(timer->source.fd);
	return error;
}

/**
 * loop_timer_set() - choose when a timer fires
 * @timer: the timer
 * @at: monotonic ns; a moment that has passed: as soon as the loop turns;
 *	0: never
 */
void loop_timer_set(struct loop_timer *timer, u64 at)
{
	struct itimerspec when = {
		.it_value = {
			.tv_sec = (time_t)(at / NSEC_PER_SEC),
			.tv_nsec = (long)(at % NSEC_PER_SEC),
		},
	};

	if (timer->at == at)
		return;
	timer->at = at;
	timerfd_settime(timer->source.fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/**
 * loop_timer_close() - free a timer
 * @timer: the timer
 */
void loop_timer_close(struct loop_timer *timer)
{
	loop_remove(timer->loop, &timer->source);
	close(timer->source.fd);
}
