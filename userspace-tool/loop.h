/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * loop.h - the event loop: one thread serves everything.
 */
#ifndef MINI_VM_LOOP_H
#define MINI_VM_LOOP_H

#include "types.h"

/**
 * struct loop_source - a descriptor that the loop watches
 * @fd:		the descriptor
 * @ready:	called with the epoll events that are there
 * @context:	its argument
 *
 * The owner keeps it, and removes it before it goes away.
 */
struct loop_source {
	int fd;
	void (*ready)(void *context, u32 events);
	void *context;
};

/**
 * struct loop - the event loop
 * @epoll:	epoll descriptor
 * @removed:	a source was removed: events already fetched may be stale
 */
struct loop {
	int epoll;
	bool removed;
};

/**
 * struct loop_timer - one shot of the monotonic clock
 * @source:	its timerfd
 * @loop:	where it is
 * @at:		when it fires, ns; 0: stopped
 * @fire:	called when it does
 * @context:	its argument
 */
struct loop_timer {
	struct loop_source source;
	struct loop *loop;
	u64 at;
	void (*fire)(void *context);
	void *context;
};

int loop_init(struct loop *loop);
void loop_close(struct loop *loop);
int loop_add(struct loop *loop, struct loop_source *source, u32 events);
void loop_remove(struct loop *loop, struct loop_source *source);
int loop_wait(struct loop *loop, int timeout_ms);

u64 loop_now(void);
int loop_timer_init(struct loop_timer *timer, struct loop *loop,
		    void (*fire)(void *context), void *context);
void loop_timer_set(struct loop_timer *timer, u64 at);
void loop_timer_close(struct loop_timer *timer);

#endif /* MINI_VM_LOOP_H */
