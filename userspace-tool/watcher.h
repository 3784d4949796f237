/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * watcher.h - a thread that looks at the event loop while the one that turns it is
 * in the guest.
 */
#ifndef MINI_VM_WATCHER_H
#define MINI_VM_WATCHER_H

#include "loop.h"
#include "vm.h"

/**
 * struct watcher - see watcher.c
 * @epoll:	tells when something has happened in the loop, or @end
 * @turn:	eventfd of 1, or 0 while somebody uses @vcpu
 * @end:	eventfd: the thread is to end
 * @here:	eventfd: it has begun; it has ended
 * @vcpu:	whom it kicks, or NULL
 */
struct watcher {
	int epoll;
	int turn;
	int end;
	int here;
	const struct vcpu *vcpu;
};

int watcher_start(struct watcher *watcher, const struct loop *loop, const struct vcpu *vcpu);
void watcher_hold(struct watcher *watcher);
void watcher_release(struct watcher *watcher, const struct vcpu *vcpu);
void watcher_end(struct watcher *watcher);

#endif /* MINI_VM_WATCHER_H */
