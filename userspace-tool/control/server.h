/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * server.h - the VM's side of the control socket.
 */
#ifndef MINI_VM_CONTROL_SERVER_H
#define MINI_VM_CONTROL_SERVER_H

#include <jansson.h>

#include "../loop.h"
#include "../types.h"
#include "protocol.h"
#include "socket.h"

/* clients at a time; more wait in the kernel's queue */
#define CONTROL_CLIENTS		32
/* of these so many may wait for the VM's end */
#define CONTROL_WAITERS		24

/* How a VM was asked to stop. */
enum control_stop {
	CONTROL_STOP_ASKED,	/* the power button is pressed */
	CONTROL_STOP_DEAF,	/* ended: the guest heeds no power button */
	CONTROL_STOP_ENDED,	/* ended, as was asked for */
};

/**
 * struct control_ops - what the server asks of the VM
 * @status:	its state, an object; NULL when out of memory
 * @stat:	that and its counters
 * @pause:	stop the vCPU; true: it has stopped, false: control_paused() will
 *		be called when it has
 * @resume:	let it go on
 * @stop:	ask the guest to power off, or end the VM
 * @context:	their first argument
 */
struct control_ops {
	json_t *(*status)(void *context);
	json_t *(*stat)(void *context);
	bool (*pause)(void *context);
	void (*resume)(void *context);
	enum control_stop (*stop)(void *context, bool force);
	void *context;
};

struct control_client;

/**
 * struct control - the server
 * @socket:	its name
 * @loop:	where it waits
 * @ops:	the VM
 * @source:	the listening socket in the loop
 * @listening:	and it is there
 * @timer:	fires when a client has been silent for too long
 * @clients:	NULL: free
 * @started:	@loop and @timer are in use
 */
struct control {
	struct control_socket socket;
	struct loop *loop;
	const struct control_ops *ops;
	struct loop_source source;
	bool listening;
	struct loop_timer timer;
	struct control_client *clients[CONTROL_CLIENTS];
	bool started;
};

int control_open(struct control *control, const char *name, bool exact);
int control_start(struct control *control, struct loop *loop,
		  const struct control_ops *ops);
void control_paused(struct control *control);
void control_resumed(struct control *control);
void control_stop(struct control *control);
void control_close(struct control *control, int status);

#endif /* MINI_VM_CONTROL_SERVER_H */
