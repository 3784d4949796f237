// SPDX-License-Identifier: GPL-2.0-only
/*
 * client.c - one request to a VM, and its answer.
 *
 * The answer is not trusted: root may ask a VM whose guest has taken over its
 * process.  It is bounded in length and in time; show.c makes it fit to be
 * seen.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../loop.h"
#include "../report.h"
#include "client.h"
#include "directory.h"

/**
 * control_connect() - connect to a VM
 * @link: to initialise
 * @name: of the VM
 *
 * Return: 0; -ENOENT: no VM of that name runs; -EAGAIN: it does, but does not
 * accept; -ECANCELED after a report: the folder cannot be used; another -errno.
 */
int control_connect(struct control_link *link, const char *name)
{
	char path[CONTROL_PATH_MAX + 1];
	struct sockaddr_un address;
	socklen_t length = sizeof(struct ucred);
	struct ucred peer = { .pid = 0 };
	int error = 0, folder;

	*link = (struct control_link) { .fd = -1 };
	if (!name_valid(name))
		return -ENOENT;
	/* in somebody else's folder there may be anything */
	folder = control_directory(false, path);
	if (folder < 0)
		return folder == -ENOENT ? -ENOENT : -ECANCELED;
	close(folder);
	link->in = malloc(CONTROL_ANSWER_MAX);
	link->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (!link->in || link->fd < 0)
		error = link->in ? -errno : -ENOMEM;
	control_address(path, name, &address);
	if (!error && connect(link->fd, (struct sockaddr *)&address, sizeof(address)))
		error = errno == ECONNREFUSED || errno == ENOTDIR ? -ENOENT : -errno;
	if (error) {
		control_disconnect(link);
		return error;
	}
	if (!getsockopt(link->fd, SOL_SOCKET, SO_PEERCRED, &peer, &length))
		link->pid = peer.pid;
	return 0;
}

/**
 * control_disconnect() - close a connection
 * @link: from control_connect(), also when that failed
 */
void control_disconnect(struct control_link *link)
{
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
	free(link->in);
	link->in = NULL;
}

/**
 * control_request() - begin a request
 * @command: its name
 *
 * Return: an object, or NULL when out of memory.
 */
json_t *control_request(const char *command)
{
	return json_pack("{s:i,s:s}", "version", CONTROL_VERSION, "command", command);
}

/**
 * control_send() - send a request
 * @link: connected
 * @request: the reference is taken over; NULL: out of memory
 *
 * Return: 0 or -errno.
 */
int control_send(struct control_link *link, json_t *request)
{
	char text[CONTROL_REQUEST_MAX];
	size_t length;
	ssize_t sent;

	if (!request)
		return -ENOMEM;
	length = json_dumpb(request, text, sizeof(text) - 1, JSON_COMPACT);
	json_decref(request);
	if (!length || length > sizeof(text) - 1)
		return -EMSGSIZE;
	text[length++] = '\n';
	/* the first requests of a connection fit into the kernel's buffer */
	sent = send(link->fd, text, length, MSG_NOSIGNAL);
	/* who hangs up may have said why: control_receive() looks */
	if (sent < 0)
		return errno == EPIPE ? 0 : -errno;
	return (size_t)sent == length ? 0 : -EAGAIN;
}

/* The result in an answer's line. */
static int read_answer(const char *line, size_t length, json_t **result)
{
	json_t *answer = json_loadb(line, length, 0, NULL);
	json_t *value = json_object_get(answer, "result");
	int error = -EPROTO;

	if (json_integer_value(json_object_get(answer, "version")) == CONTROL_VERSION) {
		if (json_is_true(json_object_get(answer, "ok")) && json_is_object(value)) {
			*result = json_incref(value);
			error = 0;
		} else if (json_is_false(json_object_get(answer, "ok"))) {
			const char *word = json_string_value(json_object_get(answer, "error"));

			error = -EREMOTEIO;
			if (word && !strcmp(word, "denied"))
				error = -EACCES;
			else if (word && !strcmp(word, "busy"))
				error = -EBUSY;
		}
	}
	json_decref(answer);
	return error;
}

static int wait_readable(int fd, u64 deadline)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	u64 now = loop_now();
	u64 left = deadline > now ? deadline - now : 0;
	int got;

	/* a deadline may be further away than poll() can look */
	left = left / NSEC_PER_MSEC + !!(left % NSEC_PER_MSEC);
	got = poll(&ready, 1, left > 1000000 ? 1000000 : (int)left);
	if (got < 0 && errno != EINTR)
		return -errno;
	return got <= 0 && loop_now() >= deadline ? -ETIMEDOUT : 0;
}

/**
 * control_receive() - wait for an answer
 * @link: connected
 * @deadline: loop_now() when to give up
 * @result: out: what the VM answered, an object; a new reference
 *
 * Return: 0; -ETIMEDOUT; -ECONNRESET: the VM ended; -EPROTO: it talks nonsense;
 * -EREMOTEIO: it refused; -EACCES, -EBUSY: for that reason; another -errno.
 */
int control_receive(struct control_link *link, u64 deadline, json_t **result)
{
	for (;;) {
		char *end = memchr(link->in, '\n', link->in_count);
		ssize_t got;
		int error;

		if (end) {
			size_t length = (size_t)(end - link->in);

			error = read_answer(link->in, length, result);
			link->in_count -= length + 1;
			memmove(link->in, end + 1, link->in_count);
			return error;
		}
		if (link->in_count == CONTROL_ANSWER_MAX)
			return -EPROTO;
		error = wait_readable(link->fd, deadline);
		if (error)
			return error;
		got = read(link->fd, link->in + link->in_count,
			   CONTROL_ANSWER_MAX - link->in_count);
		if (!got)
			return -ECONNRESET;
		if (got < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (got > 0)
			link->in_count += (size_t)got;
	}
}

/**
 * control_report() - say why a VM could not be asked
 * @name: of the VM
 * @error: -errno of control_connect(), control_send() or control_receive()
 *
 * Return: STATUS_RESOURCE.
 */
int control_report(const char *name, int error)
{
	switch (error) {
	case -ENOENT:
		report_error("no VM called '%s' runs; 'mini-vm ps' lists those that do", name);
		break;
	case -EACCES:
	case -EPERM:
		report_error("the VM '%s' belongs to another user", name);
		break;
	case -EAGAIN:
	case -ETIMEDOUT:
		report_error("the VM '%s' does not answer; its process may be stopped (SIGCONT lets it go on)",
			     name);
		break;
	case -ECONNRESET:
	case -EPIPE:
		report_error("the VM '%s' has just ended", name);
		break;
	case -EBUSY:
		report_error("the VM '%s' is busy with other requests; try again", name);
		break;
	case -EREMOTEIO:
		report_error("the VM '%s' refused; it may be of another version of mini-vm", name);
		break;
	case -EPROTO:
		report_error("the VM '%s' gave an answer that is none", name);
		break;
	case -ECANCELED:
		break;		/* control_directory() has said it */
	default:
		report_error("cannot talk to the VM '%s': %s", name, strerror(-error));
		break;
	}
	return STATUS_RESOURCE;
}

/**
 * control_call() - one request, one answer, one connection
 * @name: of the VM
 * @command: without arguments
 * @result: out, when STATUS_OK is returned: a new reference
 *
 * Return: STATUS_OK, or STATUS_RESOURCE after a report.
 */
int control_call(const char *name, const char *command, json_t **result)
{
	u64 deadline = loop_now() + CONTROL_PATIENCE_MS * NSEC_PER_MSEC;
	struct control_link link;
	int error;

	error = control_connect(&link, name);
	if (!error)
		error = control_send(&link, control_request(command));
	if (!error)
		error = control_receive(&link, deadline, result);
	control_disconnect(&link);
	return error ? control_report(name, error) : STATUS_OK;
}

/**
 * control_each() - do something with each VM that the command line names
 * @names: NULL-terminated
 * @what: does it; returns a status
 * @context: its second argument
 *
 * Return: STATUS_OK, or the first other status; all are tried.
 */
int control_each(char **names, int (*what)(const char *name, void *context), void *context)
{
	int status = STATUS_OK, one;

	for (; *names; names++) {
		one = what(*names, context);
		if (status == STATUS_OK)
			status = one;
	}
	return status;
}
