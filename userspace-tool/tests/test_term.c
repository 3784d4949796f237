// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_term.c - the terminal, with a child process that echoes its input in
 * upper case, three bytes at a time, between pipes or on a pseudo-terminal.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "report.h"
#include "tap.h"
#include "term.h"

/* ------------------------------------------------------------------------
 * The child
 */

static struct loop loop;
static struct term term;
static int child_status = -1;
static bool deaf;		/* takes no input */
static bool crash;		/* aborts at a '!' */

static size_t child_room(void *context)
{
	(void)context;
	return deaf || term_full(&term) ? 0 : 3;
}

static void child_receive(void *context, const u8 *bytes, size_t count)
{
	size_t i;

	(void)context;
	for (i = 0; i < count; i++) {
		u8 byte = bytes[i];

		if (byte == '.')
			child_status = 1;
		if (byte == '!' && crash)
			abort();
		term_put(&term, byte >= 'a' && byte <= 'z' ? byte - 32 : byte);
	}
}

static void child_break(void *context)
{
	(void)context;
	term_put(&term, '~');
}

static void child_quit(void *context)
{
	(void)context;
	child_status = STATUS_KILLED;
}

static void child_failed(void *context, int error)
{
	(void)context;
	child_status = error == EPIPE ? STATUS_RESOURCE : 99;
}

static const struct term_ops ops = {
	.room = child_room,
	.receive = child_receive,
	.send_break = child_break,
	.quit = child_quit,
	.failed = child_failed,
};

static void child(void)
{
	unsigned int turns = 0;

	if (loop_init(&loop) || term_open(&term, &loop, &ops))
		exit(98);
	while (child_status < 0) {
		int timeout = 20;

		/* at the end of input there is nothing to wait for */
		if (term.in_end && !term.in_count)
			child_status = 0;
		/* a guest that takes its input as fast as it can */
		if (term.in_count && !deaf && !term_full(&term))
			timeout = 0;
		if (loop_wait(&loop, timeout) < 0 || ++turns > 500000)
			child_status = 97;
		term_pump(&term);
	}
	term_close(&term);
	exit(child_status);
}

/* ------------------------------------------------------------------------
 * The parent
 */

static int to_child, from_child;

static pid_t start_on_pipes(void)
{
	int in[2], out[2];
	pid_t pid;

	if (pipe(in) || pipe(out))
		exit(1);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[0]);
		close(in[1]);
		close(out[0]);
		close(out[1]);
		child();
	}
	close(in[0]);
	close(out[1]);
	to_child = in[1];
	from_child = out[0];
	return pid;
}

static pid_t start_on_tty(void)
{
	pid_t pid;

	fflush(stdout);
	pid = forkpty(&to_child, NULL, NULL, NULL);
	if (!pid)
		child();
	from_child = to_child;
	return pid;
}

/* Read until @count bytes or the end are there, two seconds at most. */
static size_t collect(char *text, size_t count)
{
	size_t used = 0;

	while (used < count) {
		struct pollfd ready = { .fd = from_child, .events = POLLIN };
		ssize_t got;

		if (poll(&ready, 1, 2000) <= 0)
			break;
		got = read(from_child, text + used, count - used);
		if (got <= 0)
			break;
		used += (size_t)got;
	}
	return used;
}

static void send_text(const char *text)
{
	if (write(to_child, text, strlen(text)) < 0)
		printf("# cannot write to the child\n");
}

static int finish(pid_t pid)
{
	int status;

	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static bool is_raw(void)
{
	struct termios now;

	return !tcgetattr(to_child, &now) && !(now.c_lflag & ICANON);
}

static bool becomes_raw(void)
{
	int i;

	for (i = 0; i < 200 && !is_raw(); i++)
		usleep(10000);
	return is_raw();
}

static void test_pipes(void)
{
	char text[5000], got[5000];
	size_t i;
	pid_t pid = start_on_pipes();

	for (i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 26);
	is(write(to_child, text, sizeof(text)), sizeof(text), "5000 bytes are piped in");
	close(to_child);
	is(collect(got, sizeof(got)), sizeof(got), "and come back");
	for (i = 0; i < sizeof(text) && got[i] == text[i] - 32; i++)
		;
	is(i, sizeof(text), "in order, though taken three at a time");
	is(finish(pid), 0, "the end of input is no error");
	close(from_child);

	pid = start_on_pipes();
	send_text("\1x\1a");
	is(collect(got, 4), 4, "Ctrl-A in a pipe");
	ok(!memcmp(got, "\1X\1A", 4), "is a byte like any other");
	send_text("line\n");
	is(collect(got, 5), 5, "a line comes at once");
	close(from_child);
	send_text("more");
	is(finish(pid), STATUS_RESOURCE, "when nobody reads the run ends");
	close(to_child);
}

static void test_slow_reader(void)
{
	static char block[65536];
	size_t total = 0, got;
	ssize_t sent;
	pid_t pid = start_on_pipes();
	size_t all = 0;

	/* more than both pipes and all buffers hold, until it stops */
	memset(block, 'q', sizeof(block));
	fcntl(to_child, F_SETFL, O_NONBLOCK);
	for (;;) {
		struct pollfd ready = { .fd = to_child, .events = POLLOUT };

		if (poll(&ready, 1, 300) <= 0)
			break;
		sent = write(to_child, block, sizeof(block));
		if (sent > 0)
			all += (size_t)sent;
		if (all > 200000)
			break;
	}
	close(to_child);
	for (;;) {
		got = collect(block, sizeof(block));
		if (!got)
			break;
		total += got;
	}
	ok(all > 70000, "a reader that comes late stops the sender");
	is(total, all, "and nothing is lost");
	is(finish(pid), 0, "the child ends well");
	close(from_child);
}

static void test_keys(void)
{
	char got[200];
	pid_t pid = start_on_tty();

	ok(becomes_raw(), "a terminal is put into raw mode");
	send_text("abc\3");
	is(collect(got, 4), 4, "keys arrive without Enter");
	ok(!memcmp(got, "ABC\3", 4), "Ctrl-C too");
	send_text("\1a");
	is(collect(got, 1), 1, "Ctrl-A a");
	is(got[0], 1, "sends Ctrl-A");
	send_text("\1b");
	is(collect(got, 1), 1, "Ctrl-A b");
	is(got[0], '~', "sends a break");
	send_text("\1h");
	got[collect(got, 60)] = '\0';
	ok(strstr(got, "Ctrl-A x"), "Ctrl-A h shows help");
	send_text("\1x");
	is(finish(pid), STATUS_KILLED, "Ctrl-A x ends the run");
	ok(!is_raw(), "and the terminal is as before");
	close(to_child);
}

static void test_restored(void)
{
	pid_t pid = start_on_tty();

	ok(becomes_raw(), "raw mode");
	send_text(".");
	is(finish(pid), 1, "the run ends by itself");
	ok(!is_raw(), "the terminal is restored at the end");
	close(to_child);

	crash = true;
	pid = start_on_tty();
	ok(becomes_raw(), "raw mode");
	send_text("!");
	is(finish(pid), -SIGABRT, "the process dies of abort()");
	ok(!is_raw(), "the terminal is restored all the same");
	close(to_child);
	crash = false;

	pid = start_on_tty();
	ok(becomes_raw(), "raw mode");
	kill(pid, SIGSEGV);
	is(finish(pid), -SIGSEGV, "the process dies of SIGSEGV");
	ok(!is_raw(), "the terminal is restored all the same");
	close(to_child);

	deaf = true;
	pid = start_on_tty();
	ok(becomes_raw(), "raw mode");
	send_text("typed but not taken");
	send_text("\1x");
	is(finish(pid), STATUS_KILLED, "Ctrl-A x works while the guest takes nothing");
	close(to_child);
	deaf = false;
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	test_pipes();
	test_slow_reader();
	test_keys();
	test_restored();
	return tap_done();
}
