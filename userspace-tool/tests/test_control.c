// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_control.c - the control socket of a VM that the test makes up, and
 * clients that mean well, and others.
 *
 * Server and clients take turns in one process: turn() lets the server do what
 * it can.  What is about the end of processes is in test_control_socket.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/directory.h"
#include "control/server.h"
#include "tap.h"

#define STATUS_LINE	"{\"version\":1,\"command\":\"status\"}\n"
#define STAT_LINE	"{\"version\":1,\"command\":\"stat\"}\n"
#define PAUSE_LINE	"{\"version\":1,\"command\":\"pause\"}\n"
#define RESUME_LINE	"{\"version\":1,\"command\":\"resume\"}\n"
#define STOP_LINE	"{\"version\":1,\"command\":\"stop\"}\n"
#define FORCE_LINE	"{\"version\":1,\"command\":\"stop\",\"force\":true}\n"
#define WAIT_LINE	"{\"version\":1,\"command\":\"wait\"}\n"

static char folder[] = "/tmp/mini-vm-test.XXXXXX";
static char where[64];

/* ------------------------------------------------------------------------
 * The VM
 */

static struct loop loop;
static struct control control;
static bool vm_paused, vm_slow;		/* slow: does not pause at once */
static unsigned int asked, stops, forces;

static json_t *fake_status(void *context)
{
	(void)context;
	asked++;
	return json_pack("{s:s}", "state", vm_paused ? "paused" : "running");
}

/* As long an answer as a client may expect. */
static json_t *fake_stat(void *context)
{
	static char text[CONTROL_ANSWER_MAX - 1000];

	(void)context;
	asked++;
	memset(text, 'x', sizeof(text) - 1);
	return json_pack("{s:s}", "text", text);
}

static bool fake_pause(void *context)
{
	(void)context;
	if (vm_slow)
		return false;
	vm_paused = true;
	return true;
}

static void fake_resume(void *context)
{
	(void)context;
	vm_paused = false;
	control_resumed(&control);
}

static enum control_stop fake_stop(void *context, bool force)
{
	(void)context;
	stops++;
	forces += force;
	return force ? CONTROL_STOP_ENDED : CONTROL_STOP_ASKED;
}

static const struct control_ops ops = {
	.status = fake_status,
	.stat = fake_stat,
	.pause = fake_pause,
	.resume = fake_resume,
	.stop = fake_stop,
};

static void turn(void)
{
	while (loop_wait(&loop, 5) > 0)
		;
}

static void start_vm(void)
{
	vm_paused = vm_slow = false;
	asked = stops = forces = 0;
	if (loop_init(&loop) || control_open(&control, "vm", true) ||
	    control_start(&control, &loop, &ops))
		exit(1);
}

static void end_vm(int status)
{
	control_stop(&control);
	loop_close(&loop);
	control_close(&control, status);
}

/* ------------------------------------------------------------------------
 * The clients
 */

static int dial(void)
{
	struct sockaddr_un address;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	control_address(where, "vm", &address);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		close(fd);
		return -1;
	}
	return fd;
}

static void put_bytes(int fd, const void *bytes, size_t count)
{
	if (send(fd, bytes, count, MSG_NOSIGNAL) != (ssize_t)count)
		printf("# sent less than %zu bytes\n", count);
}

static void put(int fd, const char *text)
{
	put_bytes(fd, text, strlen(text));
}

static char heard[2 * CONTROL_ANSWER_MAX];

/* What has come, or "" and -1 at the end. */
static ssize_t get(int fd)
{
	size_t used = 0;
	ssize_t got;

	turn();
	while ((got = read(fd, heard + used, sizeof(heard) - 1 - used)) > 0) {
		used += (size_t)got;
		turn();
	}
	heard[used] = '\0';
	return used ? (ssize_t)used : got == 0 || errno != EAGAIN ? -1 : 0;
}

static bool hears(int fd, const char *part)
{
	get(fd);
	if (strstr(heard, part))
		return true;
	return false;
}

static bool is_closed(int fd)
{
	return get(fd) < 0;
}

/* One request on a connection of its own; true when @part is in the answer. */
static bool ask(const void *request, size_t length, const char *part)
{
	int fd = dial();
	bool good;

	put_bytes(fd, request, length);
	good = hears(fd, part) && heard[strlen(heard) - 1] == '\n' &&
	       strchr(heard, '\n') == heard + strlen(heard) - 1;
	close(fd);
	turn();
	return good;
}

static bool still_serves(void)
{
	return ask(STATUS_LINE, strlen(STATUS_LINE), "\"state\":\"running\"");
}

/* ------------------------------------------------------------------------
 * The tests
 */

static void good_requests(void)
{
	int fd;

	start_vm();
	ok(still_serves(), "a request is answered by one line");
	ok(strstr(heard, "{\"version\":1,\"ok\":true,\"result\":{") == heard,
	   "of the documented form");
	fd = dial();
	put(fd, PAUSE_LINE);
	ok(hears(fd, "\"state\":\"paused\"") && vm_paused, "pause");
	put(fd, RESUME_LINE);
	ok(hears(fd, "\"state\":\"running\"") && !vm_paused, "resume, on the same connection");
	put(fd, STOP_LINE);
	ok(hears(fd, "\"how\":\"power-button\"") && stops == 1 && !forces, "stop");
	put(fd, FORCE_LINE);
	ok(hears(fd, "\"how\":\"ended\"") && stops == 2 && forces == 1, "stop by force");
	put(fd, STATUS_LINE STATUS_LINE STATUS_LINE);
	get(fd);
	ok(strlen(heard) && asked == 4, "three requests in one piece are three");
	put(fd, " \t{\"command\" : \"status\" , \"version\":1 } \r\n");
	ok(hears(fd, "\"ok\":true"), "blanks and a CR do not matter");
	close(fd);
	turn();
	end_vm(0);
}

static void half_lines(void)
{
	const char *at;
	int fd, other;

	start_vm();
	fd = dial();
	for (at = STATUS_LINE; at[1]; at++) {
		put_bytes(fd, at, 1);
		turn();
	}
	ok(get(fd) == 0 && asked == 0, "a line without its end is not served");
	ok(still_serves(), "and keeps nobody from being served");
	put_bytes(fd, at, 1);
	ok(hears(fd, "\"ok\":true"), "its end makes it a request");
	put(fd, "{\"version\":1,\"comm");
	turn();
	close(fd);
	turn();
	fd = dial();
	put(fd, "{\"version\":1,\"command\":\"stop\"}");
	shutdown(fd, SHUT_WR);
	ok(is_closed(fd) && !stops, "a last line without an end is no request");
	close(fd);
	fd = dial();
	put(fd, STATUS_LINE);
	shutdown(fd, SHUT_WR);
	ok(hears(fd, "\"ok\":true"), "who sends no more still gets his answer");
	ok(is_closed(fd), "and then the end");
	close(fd);
	fd = dial();
	other = dial();
	put(fd, STOP_LINE);
	close(fd);
	turn();
	ok(stops == 1, "what was asked is done even if nobody waits for the answer");
	close(other);
	turn();
	end_vm(0);
}

static void hostile_lines(void)
{
	static const struct {
		const char *line, *word, *name;
	} lines[] = {
		{ "\n", "bad-request", "an empty line" },
		{ "hello\n", "bad-request", "no JSON" },
		{ "[]\n", "bad-request", "an array" },
		{ "\"stop\"\n", "bad-request", "a string" },
		{ "null\n", "bad-request", "null" },
		{ "{}\n", "bad-request", "an empty object" },
		{ "{\"version\":1}\n", "bad-request", "no command" },
		{ "{\"command\":\"stop\"}\n", "bad-request", "no version" },
		{ "{\"version\":\"1\",\"command\":\"stop\"}\n", "bad-request", "a version in quotes" },
		{ "{\"version\":2,\"command\":\"stop\"}\n", "bad-version", "a later version" },
		{ "{\"version\":4294967297,\"command\":\"stop\"}\n", "bad-version", "a version of 2^32 + 1" },
		{ "{\"version\":99999999999999999999,\"command\":\"stop\"}\n", "bad-request", "a version beyond 64 bits" },
		{ "{\"version\":1,\"command\":\"dance\"}\n", "unknown-command", "an unknown command" },
		{ "{\"version\":1,\"command\":\"\"}\n", "unknown-command", "an empty command" },
		{ "{\"version\":1,\"command\":\"STOP\"}\n", "unknown-command", "a command in capitals" },
		{ "{\"version\":1,\"command\":[\"stop\"]}\n", "bad-request", "a command in an array" },
		{ "{\"version\":1,\"command\":\"stop\",\"force\":1}\n", "bad-request", "a force of 1" },
		{ "{\"version\":1,\"command\":\"stop\",\"force\":null}\n", "bad-request", "a force of null" },
		{ "{\"version\":1,\"command\":\"stop\",\"farce\":true}\n", "bad-request", "an unknown member" },
		{ "{\"version\":1,\"command\":\"pause\",\"force\":true}\n", "bad-request", "a member of another command" },
		{ "{\"version\":1,\"command\":\"status\",\"command\":\"stop\"}\n", "bad-request", "a member twice" },
		{ "{\"version\":1,\"command\":\"stop\"}}\n", "bad-request", "a brace too many" },
		{ "{\"version\":1,\"command\":\"stop\"} x\n", "bad-request", "something behind it" },
		{ "{\"version\":1,\"command\":\"st\\u0000op\"}\n", "bad-request", "an escaped NUL" },
		{ "{\"version\":1,\"command\":\"stop\xff\"}\n", "bad-request", "invalid UTF-8" },
		{ "{\"version\":1,\"command\":\"stop\xc0\xae\"}\n", "bad-request", "overlong UTF-8" },
		{ "{\"version\":1,\"command\":\"\\ud800\"}\n", "bad-request", "half a surrogate pair" },
	};
	static const char nul[] = "{\"version\":1,\"command\":\"stop\"\0}\n";
	static const char nul_end[] = "{\"version\":1,\"command\":\"stop\"}\0\n";
	static char deep[4000];
	size_t i;

	start_vm();
	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		ok(ask(lines[i].line, strlen(lines[i].line), lines[i].word), "%s is refused: %s",
		   lines[i].name, lines[i].word);
		if (i == 0)
			ok(strstr(heard, "{\"version\":1,\"ok\":false,\"error\":\"") == heard,
			   "in the documented form");
	}
	ok(ask(nul, sizeof(nul) - 1, "bad-request"), "a NUL is refused");
	ok(ask(nul_end, sizeof(nul_end) - 1, "bad-request"), "a NUL behind it too");
	memset(deep, '[', sizeof(deep));
	deep[sizeof(deep) - 1] = '\n';
	ok(ask(deep, sizeof(deep), "bad-request"), "deep nesting is refused");
	ok(!stops && !vm_paused, "none of it was obeyed");
	ok(still_serves(), "the server lives");
	end_vm(0);
}

static void long_lines(void)
{
	static char text[CONTROL_REQUEST_MAX + 100];
	int fd;

	start_vm();
	memset(text, ' ', sizeof(text));
	memcpy(text, STATUS_LINE, strlen(STATUS_LINE) - 1);
	text[CONTROL_REQUEST_MAX - 1] = '\n';
	ok(ask(text, CONTROL_REQUEST_MAX, "\"ok\":true"), "a line of %d bytes is served",
	   CONTROL_REQUEST_MAX);
	fd = dial();
	text[CONTROL_REQUEST_MAX - 1] = ' ';
	text[CONTROL_REQUEST_MAX] = '\n';
	put_bytes(fd, text, CONTROL_REQUEST_MAX + 1);
	ok(hears(fd, "the line is too long"), "one of %d is not", CONTROL_REQUEST_MAX + 1);
	ok(is_closed(fd), "and the connection is closed");
	close(fd);
	ok(asked == 1, "nothing of it was obeyed");
	ok(still_serves(), "the server lives");
	end_vm(0);
}

static unsigned int open_places(void)
{
	unsigned int i, count = 0;

	for (i = 0; i < CONTROL_CLIENTS; i++)
		count += control.clients[i] != NULL;
	return count;
}

static void many_clients(void)
{
	int fds[100], answered = 0;
	unsigned int i, rounds;
	u64 begin;

	start_vm();
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = dial();
		if (fds[i] >= 0)
			put(fds[i], STATUS_LINE);
	}
	for (rounds = 0; rounds < 20; rounds++) {
		turn();
		for (i = 0; i < ARRAY_SIZE(fds); i++) {
			if (fds[i] >= 0 && get(fds[i]) > 0 && strstr(heard, "\"ok\":true")) {
				answered++;
				close(fds[i]);
				fds[i] = -1;
			}
		}
	}
	is(answered, 100, "100 clients at once are all served");
	turn();
	is(open_places(), 0, "and leave nothing behind");

	for (i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = dial();
	turn();
	ok(open_places() <= CONTROL_CLIENTS, "of 100 silent clients %u have a place",
	   open_places());
	begin = loop_now();
	while (!still_serves() && loop_now() - begin < 10 * NSEC_PER_SEC)
		;
	ok(loop_now() - begin < 5 * NSEC_PER_SEC, "they give way to one who asks (%llu ms)",
	   (unsigned long long)((loop_now() - begin) / NSEC_PER_MSEC));
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	turn();
	ok(still_serves() && open_places() == 0, "and are forgotten");
	end_vm(0);
}

static void slow_reader(void)
{
	unsigned int i, before;
	int fd;

	start_vm();
	fd = dial();
	for (i = 0; i < 100; i++)
		put(fd, STAT_LINE);
	turn();
	before = asked;
	turn();
	ok(before < 20 && asked == before, "who does not read is not served further (%u of 100)",
	   asked);
	ok(still_serves(), "others are");
	for (i = 0; i < 1000 && asked < 101; i++)
		if (read(fd, heard, sizeof(heard)) > 0)
			turn();
	is(asked, 101, "when he reads he gets it all");
	close(fd);
	turn();
	end_vm(0);
}

static void pauses(void)
{
	int one, two;

	start_vm();
	vm_slow = true;
	one = dial();
	two = dial();
	put(one, PAUSE_LINE STATUS_LINE);
	put(two, PAUSE_LINE);
	ok(get(one) == 0 && get(two) == 0, "a pause is not answered before the vCPU has stopped");
	ok(still_serves(), "meanwhile others are served");
	vm_paused = true;
	control_paused(&control);
	ok(hears(two, "\"state\":\"paused\""), "then it is");
	get(one);
	ok(strstr(heard, "\n{"), "and what was asked behind it");
	vm_paused = false;
	put(one, PAUSE_LINE);
	turn();
	put(two, RESUME_LINE);
	ok(hears(two, "\"ok\":true"), "resume, before the vCPU has stopped");
	ok(hears(one, "\"error\":\"failed\""), "fails the pause");
	put(one, PAUSE_LINE);
	turn();
	close(one);
	turn();
	is(open_places(), 1, "who leaves before his answer is forgotten");
	put(two, PAUSE_LINE);
	turn();
	end_vm(12);
	ok(read(two, heard, sizeof(heard)) > 0 && strstr(heard, "\"error\":\"failed\""),
	   "a VM that ends before it has paused says so");
	close(two);
}

static void waiters(void)
{
	int fds[CONTROL_WAITERS + 1];
	unsigned int i, told = 0;

	start_vm();
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = dial();
		put(fds[i], WAIT_LINE);
	}
	turn();
	ok(hears(fds[CONTROL_WAITERS], "\"error\":\"busy\""), "only %d may wait for the end",
	   CONTROL_WAITERS);
	ok(still_serves(), "others are served while they wait");
	put(fds[0], STATUS_LINE);
	ok(hears(fds[0], "\"ok\":true"), "even one of them");
	put(fds[0], WAIT_LINE);
	ok(hears(fds[0], "\"error\":\"busy\""), "but nobody waits twice");
	end_vm(85);
	for (i = 0; i < CONTROL_WAITERS; i++) {
		ssize_t got = read(fds[i], heard, sizeof(heard) - 1);

		heard[got > 0 ? got : 0] = '\0';
		told += strcmp(heard, "{\"version\":1,\"ok\":true,\"result\":{\"status\":85}}\n") == 0;
	}
	is(told, CONTROL_WAITERS, "all who wait are told the exit status");
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

static void strangers(void)
{
	struct stat status;
	char path[128];
	int exit_status;
	pid_t pid;

	start_vm();
	snprintf(path, sizeof(path), "%s/vm.sock", where);
	ok(!stat(path, &status) && (status.st_mode & 07777) == 0600, "the socket has mode 0600");
	ok(!stat(where, &status) && (status.st_mode & 07777) == 0700, "and its folder 0700");
	if (geteuid()) {
		ok(1, "another user is denied # SKIP needs root");
	} else {
		int go[2];

		/* let the file system pass him, so that the server has to deny */
		if (pipe(go) || chmod(folder, 0755) || chmod(where, 0755) || chmod(path, 0666))
			exit(1);
		fflush(stdout);
		pid = fork();
		if (!pid) {
			int fd;
			char text[200] = "";

			if (setgid(65534) || setuid(65534))
				_exit(1);
			fd = dial();
			put(fd, STOP_LINE);
			fcntl(fd, F_SETFL, 0);
			if (write(go[1], "", 1) != 1 || read(fd, text, sizeof(text) - 1) <= 0)
				_exit(2);
			_exit(strstr(text, "\"error\":\"denied\"") ? 0 : 3);
		}
		close(go[1]);
		if (read(go[0], path, 1) != 1)
			printf("# the child failed\n");
		turn();
		waitpid(pid, &exit_status, 0);
		close(go[0]);
		ok(exit_status == 0 && !stops, "another user is denied (%d)", exit_status);
	}
	turn();
	is(open_places(), 0, "and disconnected");
	end_vm(0);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(folder))
		return 1;
	snprintf(where, sizeof(where), "%s/run", folder);
	setenv("MINI_VM_RUNTIME_DIR", where, 1);
	good_requests();
	half_lines();
	hostile_lines();
	long_lines();
	many_clients();
	slow_reader();
	pauses();
	waiters();
	strangers();
	rmdir(where);
	ok(!rmdir(folder), "no file is left");
	return tap_done();
}
