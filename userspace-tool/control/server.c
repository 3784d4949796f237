// SPDX-License-Identifier: GPL-2.0-only
/*
 * server.c - serves the clients of a control socket from the VM's event loop.
 *
 * Nothing here may wait.  A client that sends slowly, or does not read, has
 * buffers of a fixed size and is dropped when it keeps a place that others
 * need, or for too long.  A client has one request served at a time: the next
 * is looked at when the answer is written.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../report.h"
#include "server.h"

/* A client may be silent for so long: people type at "socat -". */
#define IDLE_MAX	(60 * NSEC_PER_SEC)
/* and so long when others wait for its place */
#define IDLE_CROWDED	(250 * NSEC_PER_MSEC)
/* clients accepted before the loop looks at the guest again */
#define ACCEPT_BATCH	8

/**
 * struct control_client - a connection
 * @control:	the server
 * @source:	its descriptor in the loop
 * @events:	what the loop waits for; 0: only for its end
 * @watched:	it is in the loop
 * @in:		received, not yet served
 * @in_count:	bytes of it
 * @out:	the answer being written, or NULL
 * @out_count:	bytes of it
 * @out_done:	bytes written
 * @served:	when it last had an answer (or came), ns
 * @pausing:	its answer waits for the vCPU to stop
 * @waits:	it waits for the VM's end
 * @ended:	it sends no more
 * @closing:	to be dropped once @out is written
 */
struct control_client {
	struct control *control;
	struct loop_source source;
	u32 events;
	bool watched;
	char in[CONTROL_REQUEST_MAX];
	size_t in_count;
	char *out;
	size_t out_count;
	size_t out_done;
	u64 served;
	bool pausing;
	bool waits;
	bool ended;
	bool closing;
};

/* ------------------------------------------------------------------------
 * Places
 */

static void listen_on(struct control *control, bool listening)
{
	if (listening == control->listening)
		return;
	if (!listening)
		loop_remove(control->loop, &control->source);
	else if (loop_add(control->loop, &control->source, EPOLLIN))
		return;
	control->listening = listening;
}

static void unwatch(struct control_client *client)
{
	if (client->watched)
		loop_remove(client->control->loop, &client->source);
	client->watched = false;
}

static void drop(struct control_client *client)
{
	struct control *control = client->control;
	unsigned int i;

	unwatch(client);
	close(client->source.fd);
	free(client->out);
	for (i = 0; i < CONTROL_CLIENTS; i++)
		if (control->clients[i] == client)
			control->clients[i] = NULL;
	free(client);
	listen_on(control, true);
}

static struct control_client **free_place(struct control *control)
{
	unsigned int i;

	for (i = 0; i < CONTROL_CLIENTS; i++)
		if (!control->clients[i])
			return &control->clients[i];
	return NULL;
}

/* The one that has kept its place longest without a request; may be NULL. */
static struct control_client *idlest(struct control *control)
{
	struct control_client *found = NULL;
	unsigned int i;

	for (i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_client *client = control->clients[i];

		if (client && !client->waits && !client->pausing &&
		    (!found || client->served < found->served))
			found = client;
	}
	return found;
}

/* Drop who is silent for too long; come again when the next one may be. */
static void sweep(void *context)
{
	struct control *control = context;
	u64 now = loop_now(), limit;
	struct control_client *client;

	for (;;) {
		client = idlest(control);
		/* not listening: all places are taken, or descriptors ran out */
		limit = control->listening ? IDLE_MAX : IDLE_CROWDED;
		if (!client || now - client->served < limit)
			break;
		drop(client);
	}
	if (client)
		loop_timer_set(&control->timer, client->served + limit);
	else if (!control->listening && free_place(control))
		listen_on(control, true);
	else
		loop_timer_set(&control->timer, 0);
}

/* ------------------------------------------------------------------------
 * Requests
 */

static void say(struct control_client *client, char *line)
{
	client->out = line;
	client->out_done = 0;
	client->served = loop_now();
	if (line)
		client->out_count = strlen(line);
	else
		client->closing = true;	/* out of memory */
}

static void refuse(struct control_client *client, enum control_error error,
		   const char *message)
{
	say(client, control_refuse(error, message));
}

static json_t *state(const char *name)
{
	return json_pack("{s:s}", "state", name);
}

static json_t *stopped(enum control_stop how)
{
	static const char *const words[] = {
		[CONTROL_STOP_ASKED] = "power-button",
		[CONTROL_STOP_DEAF] = "ended-deaf",
		[CONTROL_STOP_ENDED] = "ended",
	};

	return json_pack("{s:s}", "how", words[how]);
}

static void serve_pause(struct control_client *client)
{
	const struct control_ops *ops = client->control->ops;

	if (ops->pause(ops->context))
		say(client, control_answer(state("paused")));
	else
		client->pausing = true;
}

static void serve_wait(struct control_client *client)
{
	const struct control *control = client->control;
	unsigned int i, waiters = 0;

	for (i = 0; i < CONTROL_CLIENTS; i++)
		if (control->clients[i] && control->clients[i]->waits)
			waiters++;
	if (client->waits)
		refuse(client, CONTROL_BUSY, "this connection waits already");
	else if (waiters >= CONTROL_WAITERS)
		refuse(client, CONTROL_BUSY, "too many wait for the end of this VM");
	else
		client->waits = true;
}

static void serve(struct control_client *client, const char *line, size_t length)
{
	const struct control_ops *ops = client->control->ops;
	struct control_refusal refusal;
	struct control_request request;

	if (!control_parse(line, length, &request, &refusal)) {
		refuse(client, refusal.error, refusal.message);
		return;
	}
	switch (request.command) {
	case CONTROL_STATUS:
		say(client, control_answer(ops->status(ops->context)));
		break;
	case CONTROL_STAT:
		say(client, control_answer(ops->stat(ops->context)));
		break;
	case CONTROL_PAUSE:
		serve_pause(client);
		break;
	case CONTROL_RESUME:
		ops->resume(ops->context);
		say(client, control_answer(state("running")));
		break;
	case CONTROL_STOP:
		say(client, control_answer(stopped(ops->stop(ops->context, request.force))));
		break;
	case CONTROL_WAIT:
		serve_wait(client);
		break;
	}
}

/* ------------------------------------------------------------------------
 * Bytes
 */

/* False: the client is gone. */
static bool flush(struct control_client *client)
{
	while (client->out_done < client->out_count) {
		ssize_t done = write(client->source.fd, client->out + client->out_done,
				     client->out_count - client->out_done);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return errno == EAGAIN;
		client->out_done += (size_t)done;
	}
	free(client->out);
	client->out = NULL;
	client->out_count = 0;
	return true;
}

/* Serve the first line of what came.  False: there is none yet. */
static bool serve_line(struct control_client *client)
{
	char *end = memchr(client->in, '\n', client->in_count);
	size_t length;

	if (!end) {
		if (client->in_count < sizeof(client->in))
			return false;
		refuse(client, CONTROL_BAD_REQUEST, "the line is too long");
		client->closing = true;
		return true;
	}
	length = (size_t)(end - client->in);
	serve(client, client->in, length);
	client->in_count -= length + 1;
	memmove(client->in, end + 1, client->in_count);
	return true;
}

static void watch(struct control_client *client, u32 events)
{
	if (client->watched && events == client->events)
		return;
	unwatch(client);
	client->events = events;
	client->watched = !loop_add(client->control->loop, &client->source, events);
	if (!client->watched)
		drop(client);
}

/* Do what can be done now, and wait for what is missing. */
static void advance(struct control_client *client)
{
	do {
		if (client->out && !flush(client)) {
			drop(client);
			return;
		}
		if (!client->out && client->closing) {
			drop(client);
			return;
		}
	} while (!client->out && !client->pausing && serve_line(client));

	if (client->out)
		watch(client, EPOLLOUT);
	else if (client->pausing)
		watch(client, 0);
	else if (!client->ended)
		watch(client, EPOLLIN);
	else if (client->waits)
		watch(client, 0);
	else
		drop(client);
}

static void client_ready(void *context, u32 events)
{
	struct control_client *client = context;

	if (events & EPOLLIN) {
		ssize_t got = read(client->source.fd, client->in + client->in_count,
				   sizeof(client->in) - client->in_count);

		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			return;
		if (got < 0) {
			drop(client);
			return;
		}
		client->ended = !got;
		client->in_count += (size_t)got;
	} else if (!(events & EPOLLOUT)) {
		drop(client);		/* EPOLLHUP, EPOLLERR */
		return;
	}
	advance(client);
}

/* ------------------------------------------------------------------------
 * Connections
 */

/* Only the VM's owner and root; the file's mode may have been changed. */
static bool may_command(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) &&
	       (peer.uid == 0 || peer.uid == geteuid());
}

static void welcome(struct control *control, struct control_client **place, int fd)
{
	struct control_client *client = calloc(1, sizeof(*client));

	if (!client) {
		close(fd);
		return;
	}
	*client = (struct control_client) {
		.control = control,
		.source = {
			.fd = fd,
			.ready = client_ready,
			.context = client,
		},
		.served = loop_now(),
	};
	*place = client;
	if (!may_command(fd)) {
		refuse(client, CONTROL_DENIED, "only the owner of the VM and root may use this socket");
		client->closing = true;
	}
	advance(client);
}

static void listener_ready(void *context, u32 events)
{
	struct control *control = context;
	unsigned int i;

	(void)events;
	for (i = 0; i < ACCEPT_BATCH; i++) {
		struct control_client **place = free_place(control);
		int fd;

		if (!place) {
			listen_on(control, false);
			break;
		}
		fd = accept4(control->socket.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
			       errno == ENOBUFS)) {
			listen_on(control, false);
			loop_timer_set(&control->timer, loop_now() + IDLE_CROWDED);
			return;
		}
		if (fd < 0)
			break;
		welcome(control, place, fd);
	}
	sweep(control);
}

/* ------------------------------------------------------------------------
 * The server
 */

/**
 * control_open() - take a name
 * @control: to initialise
 * @name: see control_socket_open()
 * @exact: likewise
 *
 * Return: 0, or -errno after a report; control_close() is due in either case.
 */
int control_open(struct control *control, const char *name, bool exact)
{
	memset(control, 0, sizeof(*control));
	/* now, since it reads a file */
	json_object_seed(0);
	return control_socket_open(&control->socket, name, exact);
}

/**
 * control_start() - serve clients from now on
 * @control: from control_open()
 * @loop: where
 * @ops: the VM; must stay
 *
 * Return: 0 or -errno; 0 too when there is no socket.
 */
int control_start(struct control *control, struct loop *loop,
		  const struct control_ops *ops)
{
	int error;

	if (control->socket.listener < 0)
		return 0;
	control->loop = loop;
	control->ops = ops;
	control->source = (struct loop_source) {
		.fd = control->socket.listener,
		.ready = listener_ready,
		.context = control,
	};
	error = loop_timer_init(&control->timer, loop, sweep, control);
	if (error)
		return error;
	control->started = true;
	error = loop_add(loop, &control->source, EPOLLIN);
	control->listening = !error;
	return error;
}

/* Answer those who wait for the vCPU to stop. */
static void answer_pausing(struct control *control, bool paused)
{
	unsigned int i;

	for (i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_client *client = control->clients[i];

		if (!client || !client->pausing)
			continue;
		client->pausing = false;
		if (paused)
			say(client, control_answer(state("paused")));
		else
			refuse(client, CONTROL_FAILED, "the VM was resumed before it had paused");
		advance(client);
	}
}

/**
 * control_paused() - the vCPU has stopped after a pause
 * @control: the server
 */
void control_paused(struct control *control)
{
	answer_pausing(control, true);
}

/**
 * control_resumed() - the VM is resumed: who still waits for its pause waits in
 *		       vain
 * @control: the server
 */
void control_resumed(struct control *control)
{
	answer_pausing(control, false);
}

/**
 * control_stop() - leave the loop: from now on no request is served
 * @control: from control_open()
 *
 * Clients that wait for the VM's end stay connected.
 */
void control_stop(struct control *control)
{
	unsigned int i;

	if (!control->started)
		return;
	for (i = 0; i < CONTROL_CLIENTS; i++)
		if (control->clients[i])
			unwatch(control->clients[i]);
	listen_on(control, false);
	loop_timer_close(&control->timer);
	control->started = false;
}

/* Tell those who wait; what the kernel does not take at once is lost. */
static void say_goodbye(struct control_client *client, int status)
{
	if (client->out && (!flush(client) || client->out))
		return;
	if (client->waits)
		say(client, control_answer(json_pack("{s:i}", "status", status)));
	else if (client->pausing)
		refuse(client, CONTROL_FAILED, "the VM ended before it had paused");
	if (client->out)
		flush(client);
}

/**
 * control_close() - the VM has ended: remove the socket, tell who waits
 * @control: from control_open(), after control_stop()
 * @status: exit status of the run
 */
void control_close(struct control *control, int status)
{
	unsigned int i;

	control_socket_close(&control->socket);
	for (i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_client *client = control->clients[i];

		if (!client)
			continue;
		say_goodbye(client, status);
		close(client->source.fd);
		free(client->out);
		free(client);
		control->clients[i] = NULL;
	}
}
