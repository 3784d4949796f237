// SPDX-License-Identifier: GPL-2.0-only
/*
 * term.c - connects the guest's serial port to standard input and output.
 *
 * Input: a terminal is put into raw mode, so that the guest gets every key,
 * and Ctrl-A is the way out (Ctrl-A h lists its commands).  A pipe or a file
 * is read only as fast as the guest takes it.
 *
 * Output: collected for a few milliseconds or up to a line end, then written
 * without ever blocking the loop.  While it cannot be written and the buffer
 * is full, term_full() makes the machine hold the vCPU: nothing is lost.
 *
 * The terminal is given back on every way out: term_close(), exit(), and the
 * signals that kill a process.  Only SIGKILL leaves no chance.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report.h"
#include "term.h"

#define CTRL_A		0x01
#define FLUSH_AFTER	(5 * NSEC_PER_MSEC)
/* a pipe that is ready takes this much without blocking (POSIX PIPE_BUF) */
#define GUARDED_CHUNK	512

/* What the fatal-signal handlers and exit() restore. */
static volatile sig_atomic_t restore_needed;
static struct termios restore_settings;

static void restore_terminal(void)
{
	if (!restore_needed)
		return;
	restore_needed = 0;
	tcsetattr(STDIN_FILENO, TCSANOW, &restore_settings);
	report_set_raw(false);
}

/* An error of ours: give the terminal back, then die as we would have. */
static void fatal_signal(int number)
{
	if (restore_needed)
		tcsetattr(STDIN_FILENO, TCSANOW, &restore_settings);
	signal(number, SIG_DFL);
	raise(number);
}

static void catch_fatal_signals(void)
{
	static const int numbers[] = {
		SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP,
	};
	struct sigaction action = { .sa_handler = fatal_signal };
	size_t i;

	action.sa_flags = (int)SA_RESETHAND;
	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		sigaction(numbers[i], &action, NULL);
}

static void make_raw(struct term *term)
{
	struct termios raw = term->saved;

	if (!term->tty || term->raw)
		return;
	cfmakeraw(&raw);
	restore_settings = term->saved;
	restore_needed = 1;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw)) {
		restore_needed = 0;
		return;
	}
	term->raw = true;
	report_set_raw(true);
}

static void in_ready(void *context, u32 events);
static void out_ready(void *context, u32 events);
static void output_due(void *context);

/* Watch standard input only while somebody wants what comes. */
static void want_input(struct term *term, bool wanted)
{
	if (!term->in_watched || wanted == term->in_wanted)
		return;
	/* a pipe without a writer would report its end over and over */
	if (!wanted)
		loop_remove(term->loop, &term->in);
	else if (loop_add(term->loop, &term->in, EPOLLIN))
		return;
	term->in_wanted = wanted;
}

static void end_input(struct term *term)
{
	if (term->in_watched && term->in_wanted)
		loop_remove(term->loop, &term->in);
	term->in_watched = false;
	term->in_file = false;
	term->in_end = true;
}

static void open_input(struct term *term)
{
	int error;

	term->in.fd = STDIN_FILENO;
	term->in.ready = in_ready;
	term->in.context = term;
	term->tty = isatty(STDIN_FILENO) &&
		    !tcgetattr(STDIN_FILENO, &term->saved);
	error = loop_add(term->loop, &term->in, EPOLLIN);
	if (!error) {
		term->in_watched = true;
		term->in_wanted = true;
	} else if (error == -EPERM) {
		term->in_file = true;
	} else {
		term->in_end = true;	/* standard input is closed */
	}
}

/*
 * Our own open file of a terminal or pipe can be made non-blocking; the one
 * that we share with the shell must not be.
 */
static void open_output(struct term *term)
{
	struct stat status = { 0 };

	term->out_fd = STDOUT_FILENO;
	if (fstat(STDOUT_FILENO, &status) || S_ISREG(status.st_mode))
		goto watch;	/* never blocks, and has one file position */
	if (S_ISCHR(status.st_mode) || S_ISFIFO(status.st_mode)) {
		int fd = open("/proc/self/fd/1",
			      O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

		if (fd >= 0)
			term->out_fd = fd;
		else
			term->out_guard = true;
	} else {
		term->out_guard = true;
	}

watch:
	term->out.fd = term->out_fd;
	term->out.ready = out_ready;
	term->out.context = term;
}

/**
 * term_open() - take over standard input and output
 * @term: to initialise
 * @loop: where to wait
 * @ops: the other side
 *
 * Return: 0 or -errno.
 */
int term_open(struct term *term, struct loop *loop, const struct term_ops *ops)
{
	int error;

	memset(term, 0, sizeof(*term));
	error = loop_timer_init(&term->out_timer, loop, output_due, term);
	if (error)
		return error;
	term->loop = loop;
	term->ops = ops;
	signal(SIGPIPE, SIG_IGN);
	open_input(term);
	open_output(term);
	if (term->tty) {
		catch_fatal_signals();
		if (atexit(restore_terminal)) {
			loop_timer_close(&term->out_timer);
			return -ENOMEM;
		}
		make_raw(term);
	}
	return 0;
}

/**
 * term_suspend() - give the terminal back for a while (SIGTSTP)
 * @term: the terminal
 */
void term_suspend(struct term *term)
{
	restore_terminal();
	term->raw = false;
}

/**
 * term_resume() - take the terminal again
 * @term: the terminal
 */
void term_resume(struct term *term)
{
	make_raw(term);
}

/**
 * term_close() - write what is left and give the terminal back
 * @term: the terminal
 */
void term_close(struct term *term)
{
	term_finish(term);
	end_input(term);
	if (term->out_waits)
		loop_remove(term->loop, &term->out);
	term->out_waits = false;
	loop_timer_close(&term->out_timer);
	if (term->out_fd != STDOUT_FILENO)
		close(term->out_fd);
	term_suspend(term);
}

/**
 * term_put() - a byte from the guest
 * @term: the terminal
 * @byte: the byte; lost only when output has failed for good
 *
 * The machine lets vCPUs run only while there is room for what each may bring until
 * it can be stopped: see term_full().
 */
void term_put(struct term *term, u8 byte)
{
	if (term->out_dead || term->out_count == TERM_OUT_SIZE)
		return;
	if (!term->out_count)
		term->out_since = loop_now();
	term->out_buffer[term->out_count++] = byte;
	if (term->out_waits)
		return;
	if (byte == '\n' || term->out_count >= TERM_CHUNK)
		term_flush(term);
	/* a timer that runs already comes no later, and is set anew then */
	else if (!term->out_timer.at)
		loop_timer_set(&term->out_timer, term->out_since + FLUSH_AFTER);
}

/**
 * term_full() - must the guest wait before it sends more?
 * @term: the terminal
 *
 * Return: true while the reader is so far behind that what all vCPUs may bring
 * might not fit.
 */
bool term_full(const struct term *term)
{
	return term->out_count > TERM_OUT_SIZE - TERM_ROOM;
}

static void output_failed(struct term *term, int error)
{
	term->out_dead = true;
	term->out_count = 0;
	if (term->out_waits)
		loop_remove(term->loop, &term->out);
	term->out_waits = false;
	term->ops->failed(term->ops->context, error);
}

static void watch_output(struct term *term, bool watch)
{
	if (watch == term->out_waits)
		return;
	if (!watch)
		loop_remove(term->loop, &term->out);
	else if (loop_add(term->loop, &term->out, EPOLLOUT))
		return;		/* a regular file: never full */
	term->out_waits = watch;
}

static bool may_block(const struct term *term)
{
	struct pollfd ready = { .fd = term->out_fd, .events = POLLOUT };

	return term->out_guard && poll(&ready, 1, 0) == 0;
}

/**
 * term_flush() - write as much as the reader takes now
 * @term: the terminal
 */
void term_flush(struct term *term)
{
	size_t done = 0;

	while (done < term->out_count) {
		size_t chunk = term->out_count - done;
		ssize_t written;

		if (term->out_guard && chunk > GUARDED_CHUNK)
			chunk = GUARDED_CHUNK;
		if (may_block(term))
			break;
		written = write(term->out_fd, term->out_buffer + done, chunk);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0 && errno == EAGAIN)
			break;
		if (written < 0) {
			output_failed(term, errno);
			return;
		}
		done += (size_t)written;
	}
	memmove(term->out_buffer, term->out_buffer + done,
		term->out_count - done);
	term->out_count -= done;
	watch_output(term, term->out_count > 0);
}

/**
 * term_finish() - write all that is left, waiting for a slow reader
 * @term: the terminal
 *
 * Waits five seconds at most for each sign of life of the reader.
 */
void term_finish(struct term *term)
{
	while (term->out_count && !term->out_dead) {
		struct pollfd ready = { .fd = term->out_fd, .events = POLLOUT };
		size_t before = term->out_count;

		term_flush(term);
		if (term->out_count == before &&
		    poll(&ready, 1, 5000) <= 0)
			return;
	}
}

/* Output has waited for the rest of its line long enough. */
static void output_due(void *context)
{
	struct term *term = context;

	if (!term->out_count || term->out_waits)
		return;
	if (loop_now() - term->out_since >= FLUSH_AFTER)
		term_flush(term);
	else
		loop_timer_set(&term->out_timer, term->out_since + FLUSH_AFTER);
}

static void out_ready(void *context, u32 events)
{
	(void)events;
	term_flush(context);
}

static void help(void)
{
	report_line("%s",
		    "\r\nCtrl-A h  this help\r\n"
		    "Ctrl-A x  end the guest\r\n"
		    "Ctrl-A b  send a break\r\n"
		    "Ctrl-A a  send Ctrl-A");
}

/* Queue a typed byte; what nobody takes for a long time is dropped. */
static void queue_byte(struct term *term, u8 byte)
{
	if (term->in_count < TERM_IN_SIZE)
		term->in_buffer[term->in_count++] = byte;
}

static void escape_command(struct term *term, u8 byte)
{
	switch (byte) {
	case 'x':
	case 'X':
		term->ops->quit(term->ops->context);
		break;
	case 'b':
	case 'B':
		term->ops->send_break(term->ops->context);
		break;
	case 'a':
	case 'A':
	case CTRL_A:
		queue_byte(term, CTRL_A);
		break;
	default:
		help();
		break;
	}
}

static void typed(struct term *term, u8 byte)
{
	if (!term->tty) {
		queue_byte(term, byte);
	} else if (term->escape) {
		term->escape = false;
		escape_command(term, byte);
	} else if (byte == CTRL_A) {
		term->escape = true;
	} else {
		queue_byte(term, byte);
	}
}

/* Hand the guest what it takes. */
static void deliver(struct term *term)
{
	size_t room = term->ops->room(term->ops->context);

	if (!term->in_count || !room)
		return;
	if (room > term->in_count)
		room = term->in_count;
	term->ops->receive(term->ops->context, term->in_buffer, room);
	memmove(term->in_buffer, term->in_buffer + room,
		term->in_count - room);
	term->in_count -= room;
}

static void read_input(struct term *term)
{
	u8 bytes[256];
	/* what comes from a pipe must not be lost, only waited with */
	size_t room = term->tty ? sizeof(bytes) :
				  TERM_IN_SIZE - term->in_count;
	ssize_t got, i;

	if (room > sizeof(bytes))
		room = sizeof(bytes);
	if (!room)
		return;
	got = read(STDIN_FILENO, bytes, room);
	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (got <= 0) {
		end_input(term);
		return;
	}
	for (i = 0; i < got; i++)
		typed(term, bytes[i]);
}

static void in_ready(void *context, u32 events)
{
	struct term *term = context;

	(void)events;
	read_input(term);
	term_pump(term);
}

/**
 * term_pump() - move input towards the guest
 * @term: the terminal
 *
 * To be called once per turn of the loop: the guest may have begun to listen.
 */
void term_pump(struct term *term)
{
	if (term->in_file && !term->in_count &&
	    term->ops->room(term->ops->context))
		read_input(term);
	deliver(term);
	want_input(term, term->tty || !term->in_count);
}
