// SPDX-License-Identifier: GPL-2.0-only
/*
 * socket.c - gives a VM its control socket, and sees to it that the socket's
 * file goes when the VM does.
 *
 * A file of a VM that was killed together with its keeper stays behind.  It is
 * known by nobody answering: connect() is refused.  Who looks and then binds
 * holds a lock on the folder, so of two VMs with one name only one starts.
 *
 * The file is removed by a child process, the keeper, that waits for the end of
 * the VM's process.  In the sandbox that process could only remove its socket
 * if it could remove any file; and the keeper also sees SIGKILL.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../report.h"
#include "directory.h"
#include "socket.h"

#define BACKLOG		128
/* how long to wait for others to be done with the folder */
#define LOCK_TRIES	500
#define LOCK_PAUSE	(10 * NSEC_PER_MSEC)
/* how long a process that is being killed may still listen */
#define REMOVE_TRIES	250
#define REMOVE_PAUSE	(20 * NSEC_PER_MSEC)
/* two guests of the same image are NAME and NAME-2 */
#define NAME_TRIES	999

static int lock_folder(int fd)
{
	const struct timespec moment = { .tv_nsec = (long)LOCK_PAUSE };
	int tries;

	for (tries = 0; tries < LOCK_TRIES; tries++) {
		if (!flock(fd, LOCK_EX | LOCK_NB))
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		nanosleep(&moment, NULL);
	}
	return -ETIMEDOUT;
}

/* Who listens there, 0: it cannot be said. */
static pid_t listener_of(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) ? 0 : peer.pid;
}

/*
 * Is somebody there?  0: the name is free now, or -errno: -EADDRINUSE when it is
 * taken, by @owner.  The folder is locked.
 */
static int probe(int folder, const struct sockaddr_un *address, const char *file,
		 pid_t *owner)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct stat status;
	int error = 0;

	if (fd < 0)
		return -errno;
	*owner = 0;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)))
		error = errno;
	else
		*owner = listener_of(fd);
	close(fd);
	/* EAGAIN: alive, with a full queue */
	if (!error || error == EAGAIN)
		return -EADDRINUSE;
	if (error == ENOENT)
		return 0;
	if (error != ECONNREFUSED)
		return -error;
	if (fstatat(folder, file, &status, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(status.st_mode))
		return -ENOTSOCK;
	return unlinkat(folder, file, 0) && errno != ENOENT ? -errno : 0;
}

static int listen_at(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	mode_t before;
	int error = 0;

	if (fd < 0)
		return -errno;
	before = umask(0177);
	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)))
		error = -errno;
	umask(before);
	if (!error && listen(fd, BACKLOG))
		error = -errno;
	if (error) {
		close(fd);
		return error;
	}
	return fd;
}

/* ------------------------------------------------------------------------
 * The keeper
 */

/**
 * struct kept - what the keeper needs to know
 * @folder:	of the socket
 * @lifeline:	end of file on it is the VM's end
 * @vm:		the VM's process
 * @file:	the socket's name in the folder
 * @address:	and its address
 */
struct kept {
	int folder;
	int lifeline;
	pid_t vm;
	const char *file;
	const struct sockaddr_un *address;
};

/*
 * Remove the file if nobody listens.  Another VM may have taken the name
 * meanwhile; and for a moment a process that is being killed still listens.
 */
static void remove_dead(int folder, const struct kept *kept)
{
	const struct timespec moment = { .tv_nsec = (long)REMOVE_PAUSE };
	pid_t owner;
	int tries;

	for (tries = 0; tries < REMOVE_TRIES; tries++) {
		if (lock_folder(folder))
			return;
		if (probe(folder, kept->address, kept->file, &owner) != -EADDRINUSE ||
		    (owner && owner != kept->vm))
			return;
		flock(folder, LOCK_UN);
		nanosleep(&moment, NULL);
	}
}

static void keep(const struct kept *kept)
{
	char byte;

	setsid();
	prctl(PR_SET_NAME, "mini-vm-keeper", 0, 0, 0);
	/* nothing else of the VM may live on here: its output, its files */
	if (dup2(kept->lifeline, STDIN_FILENO) < 0 || dup2(kept->folder, STDOUT_FILENO) < 0 ||
	    close_range(STDERR_FILENO, ~0U, 0) || chdir("/"))
		_exit(1);
	while (read(STDIN_FILENO, &byte, 1) < 0 && errno == EINTR)
		;
	remove_dead(STDOUT_FILENO, kept);
	_exit(0);
}

static int start_keeper(struct control_socket *socket, struct kept *kept)
{
	sigset_t all, before;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	kept->vm = getpid();
	kept->lifeline = ends[0];
	/* of the terminal's signals and a service manager's it must not die */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	socket->keeper = fork();
	if (!socket->keeper) {
		close(ends[1]);
		keep(kept);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(ends[0]);
	if (socket->keeper < 0) {
		close(ends[1]);
		return -errno;
	}
	socket->lifeline = ends[1];
	return 0;
}

/* ------------------------------------------------------------------------
 * Opening and closing
 */

/* The folder is locked. */
static int open_locked(struct control_socket *socket, int folder, const char *path)
{
	char file[NAME_MAX_LENGTH + sizeof(CONTROL_SUFFIX)];
	struct sockaddr_un address;
	struct kept kept = { .folder = folder, .file = file, .address = &address };
	pid_t owner;
	int error;

	snprintf(file, sizeof(file), "%s%s", socket->name, CONTROL_SUFFIX);
	control_address(path, socket->name, &address);
	error = probe(folder, &address, file, &owner);
	if (error)
		return error;
	socket->listener = listen_at(&address);
	if (socket->listener < 0)
		return socket->listener;
	error = start_keeper(socket, &kept);
	if (error) {
		unlinkat(folder, file, 0);
		close(socket->listener);
		socket->listener = -1;
	}
	return error;
}

/* "vmlinuz", "vmlinuz-2", …: cut where the number would not fit. */
static void number_name(char out[NAME_MAX_LENGTH + 1], const char *name, int number)
{
	char suffix[16] = "";
	int room;

	if (number > 1)
		snprintf(suffix, sizeof(suffix), "-%d", number);
	room = NAME_MAX_LENGTH - (int)strlen(suffix);
	snprintf(out, NAME_MAX_LENGTH + 1, "%.*s%s", room, name, suffix);
}

/**
 * control_socket_open() - take a name, and listen under it
 * @socket: to initialise; @socket->name is set in any case
 * @name: what to call the VM, valid
 * @exact: not otherwise: else a name that is taken gets a number
 *
 * Forks, so it must come before threads and before what a child should not
 * hold.  Where there can be no socket, a VM can still run.
 *
 * Return: 0, -EADDRINUSE after a report: another VM has the name, or another
 * -errno after a report.
 */
int control_socket_open(struct control_socket *socket, const char *name, bool exact)
{
	char path[CONTROL_PATH_MAX + 1];
	int folder, error, number = 1;

	*socket = (struct control_socket) { .listener = -1, .lifeline = -1 };
	number_name(socket->name, name, 1);
	folder = control_directory(true, path);
	if (folder < 0)
		return folder;
	error = lock_folder(folder);
	if (error) {
		report_error("cannot lock the folder %s: %s", path, strerror(-error));
		close(folder);
		return error;
	}
	do {
		number_name(socket->name, name, number++);
		error = open_locked(socket, folder, path);
	} while (error == -EADDRINUSE && !exact && number <= NAME_TRIES);
	/* closing unlocks, except that the keeper has a copy */
	flock(folder, LOCK_UN);
	close(folder);
	if (error == -EADDRINUSE)
		report_error("a VM called '%s' runs already; choose another --name, or end that one: mini-vm stop %s",
			     name, name);
	else if (error)
		report_error("cannot make the control socket %s/%s%s: %s", path, socket->name,
			     CONTROL_SUFFIX, strerror(-error));
	return error;
}

/**
 * control_socket_close() - give the name back
 * @socket: from control_socket_open(), also when that failed
 *
 * Returns when the file is gone.
 */
void control_socket_close(struct control_socket *socket)
{
	if (socket->listener < 0)
		return;
	close(socket->listener);
	close(socket->lifeline);
	while (waitpid(socket->keeper, NULL, 0) < 0 && errno == EINTR)
		;
	*socket = (struct control_socket) { .listener = -1, .lifeline = -1 };
}
