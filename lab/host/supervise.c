// SPDX-License-Identifier: GPL-2.0-only
/*
 * supervise: runs one lab VM from start to end. Called by lab/run.
 *
 *   supervise [OPTION]... -- EMULATOR [ARG...]
 *     --channel FILE   the result channel's file (lab/vm/channel.h)
 *     --console FILE   the file that the VM's serial console goes to
 *     --interactive    the console is this terminal, logged to --console FILE;
 *                      "{tty}" in ARG becomes the device to connect to it
 *     --screen FILE    where what the emulator draws and prints is kept
 *     --get FILE       where the next file that the VM sends back belongs
 *     --timeout S      seconds after which the run is over
 *     --stall S        seconds without a sign of life that mean a lock-up: of the
 *                      emulator's CPU time, so that a busy host is not blamed on
 *                      the VM; of STALL_IDLE times as many by the clock
 *     --start S        the time, in seconds since 1970, that stages count from
 *
 * The emulator runs in a session of its own, its screen is drawn into a
 * pseudo terminal that nobody looks at, and all of it is killed on every way
 * out. The exit status is the command's, or 124, 125 or 99 as in lab/run; the
 * last line on standard error says which and why.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include "../vm/channel.h"

#define EXIT_SPLAT	99
#define EXIT_TIMEOUT	124
#define EXIT_LAB	125

#define GET_MAX		256
#define ESCAPE_KEY	0x1d	/* Ctrl-] */
#define TICK_MS		30
#define SHOWN_LINES	120	/* of a splat */
#define TAIL_LINES	30	/* of a console without a splat */

/* How long a dying kernel may go on to print, in seconds. */
#define LAST_WORDS	3.0
/* How much longer a VM may be silent whose emulator hardly runs. */
#define STALL_IDLE	10
/* How long the console may lag behind the end of the run, in seconds. */
#define CONSOLE_LAG	5.0

/* What no line of a healthy kernel's console contains. */
static const char *const splats[] = {
	"WARNING:", "BUG:", "Oops", "Kernel panic", "general protection fault",
	"soft lockup", "hard LOCKUP", "detected stall", "self-detected stall",
	"Call Trace:", "unchecked MSR access", "UBSAN:", "KASAN:", "KFENCE:",
	"blocked for more than", "possible recursive locking",
	"possible circular locking", "trying to register non-static key",
	"suspicious RCU usage", "list_add corruption", "list_del corruption",
	"refcount_t:", "divide error:", "invalid opcode:", "double fault",
	"unregister_netdevice: waiting", "scheduling while atomic",
};

/* After these the kernel runs no further. */
static const char *const last_words[] = {
	"---[ end Kernel panic", "Attempted to kill init",
	"Fatal exception", "System halted",
};

struct text {
	char *data;
	size_t size, room;
};

static struct {
	const char *channel_path, *console_path;
	const char *get[GET_MAX];
	int get_count;
	bool interactive;
	double timeout, stall, start;
	int screen;
} options = { .timeout = 0, .stall = 120, .screen = -1 };

static pid_t emulator;
static int screen = -1;		/* the emulator's terminal, master side */
static int terminal = -1;	/* the VM's console, master side, if interactive */
static int channel = -1, console = -1;
static struct termios saved_terminal;
static bool terminal_is_raw;

static struct text typed;	/* keys that wait for the shell */
static struct text pending;	/* channel bytes that are no whole record yet */
static struct text log_text;	/* the whole console */
static size_t scanned;		/* how much of it has been scanned */
static size_t splat_at = SIZE_MAX;
static char splat_name[64];
static double dying_since, last_progress, last_progress_cpu, ended_at;
static bool console_ended, kernel_is_up, shell_is_up, have_status, lab_failed;
static int command_status;
static FILE *incoming;
static const char *incoming_path;

static volatile sig_atomic_t caught_signal;

static void note_signal(int number)
{
	caught_signal = number;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The CPU time that the emulator has had; 0 without one. */
static double emulator_seconds(void)
{
	struct timespec t;
	clockid_t clock;

	if (emulator <= 0 || clock_getcpuclockid(emulator, &clock) || clock_gettime(clock, &t) < 0)
		return 0;
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The VM has given a sign of life. */
static void note_progress(void)
{
	last_progress = now();
	last_progress_cpu = emulator_seconds();
}

static void __attribute__((format(printf, 1, 2))) stage(const char *format, ...)
{
	const char *line_end = terminal_is_raw ? "\r\n" : "\n";
	char text[1200];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "lab: [%5.1fs] %s%s", now() - options.start, text, line_end);
}

static void restore_terminal(void)
{
	if (terminal_is_raw)
		tcsetattr(0, TCSANOW, &saved_terminal);
	terminal_is_raw = false;
}

static void kill_emulator(void)
{
	if (emulator <= 0)
		return;
	kill(-emulator, SIGKILL);
	kill(emulator, SIGKILL);
	waitpid(emulator, NULL, 0);
	emulator = 0;
}

static void __attribute__((noreturn, format(printf, 2, 3)))
finish(int status, const char *format, ...)
{
	char text[1200];
	va_list args;

	kill_emulator();
	restore_terminal();
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fflush(stdout);
	fprintf(stderr, "lab: [%5.1fs] %s\n", now() - options.start, text);
	exit(status);
}

static void append(struct text *text, const void *data, size_t size)
{
	if (text->size + size + 1 > text->room) {
		text->room = (text->size + size + 1) * 2;
		text->data = realloc(text->data, text->room);
		if (!text->data)
			finish(EXIT_LAB, "the lab failed: out of memory");
	}
	memcpy(text->data + text->size, data, size);
	text->size += size;
	text->data[text->size] = 0;
}

/* The kernel's console may carry anything; a terminal is shown only text. */
static void show_lines(size_t from, int lines)
{
	for (; from < log_text.size && lines > 0; from++) {
		unsigned char c = (unsigned char)log_text.data[from];

		if (c == '\n')
			lines--;
		if (c == '\n' || c == '\t' || (c >= 0x20 && c != 0x7f))
			fputc(c, stderr);
	}
	if (from < log_text.size)
		fprintf(stderr, "lab: (the rest of the console is left out)\n");
	else if (from && log_text.data[from - 1] != '\n')
		fputc('\n', stderr);
}

static void show_console_tail(void)
{
	size_t from = log_text.size;
	int lines = 0;

	if (!from) {
		fprintf(stderr, "lab: the VM's console is empty\n");
		return;
	}
	while (from && !(log_text.data[from - 1] == '\n' && lines++ == TAIL_LINES))
		from--;
	fprintf(stderr, "lab: the end of the VM's console:\n");
	show_lines(from, TAIL_LINES);
}

/* A program's own fault, reported by the kernel, is no fault of the kernel. */
static bool is_program_fault(const char *line)
{
	return strstr(line, "traps: ") && strstr(line, " ip:");
}

/* What the kernel says of the CPU at boot: of some models, that no mitigation helps. */
static bool is_about_cpu(const char *line)
{
	return strstr(line, "RETBleed: WARNING: ") || strstr(line, "Spectre V2 : WARNING: ");
}

static void scan_line(size_t at)
{
	const char *line = log_text.data + at;
	size_t i;

	if (strstr(line, END_OF_CONSOLE))
		console_ended = true;
	if (is_program_fault(line) || is_about_cpu(line))
		return;
	for (i = 0; splat_at == SIZE_MAX && i < sizeof(splats) / sizeof(splats[0]); i++) {
		if (strstr(line, splats[i])) {
			splat_at = at;
			snprintf(splat_name, sizeof(splat_name), "%s", splats[i]);
			stage("the VM's kernel printed \"%s\"", splats[i]);
		}
	}
	for (i = 0; !dying_since && i < sizeof(last_words) / sizeof(last_words[0]); i++)
		if (strstr(line, last_words[i]))
			dying_since = now();
}

static void scan_console(void)
{
	while (scanned < log_text.size) {
		char *end = memchr(log_text.data + scanned, '\n', log_text.size - scanned);
		size_t next;

		if (!end)
			return;
		next = (size_t)(end - log_text.data) + 1;
		*end = 0;
		scan_line(scanned);
		*end = '\n';
		scanned = next;
	}
}

static void read_console(void)
{
	char buffer[65536];
	ssize_t n;

	while ((n = read(console, buffer, sizeof(buffer))) > 0) {
		append(&log_text, buffer, (size_t)n);
		note_progress();
	}
	scan_console();
}

static void write_all(int fd, const void *data, size_t size)
{
	const char *bytes = data;

	while (size) {
		ssize_t n = write(fd, bytes, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			struct pollfd p = { .fd = fd, .events = POLLOUT };

			poll(&p, 1, 1000);
			continue;
		}
		if (n < 0)
			finish(EXIT_LAB, "the lab failed: nobody reads its output any more: %s",
			       strerror(errno));
		bytes += n;
		size -= (size_t)n;
	}
}

static const char *get_path(const char *text)
{
	long index = strtol(text, NULL, 10);

	if (index < 0 || index >= options.get_count)
		finish(EXIT_LAB, "the lab failed: the VM sent a file that nobody asked for");
	return options.get[index];
}

static void end_incoming(void)
{
	if (incoming && fclose(incoming) != 0)
		finish(EXIT_LAB, "the lab failed: %s: %s", incoming_path, strerror(errno));
	incoming = NULL;
}

static void take_record(enum record_type type, char *payload, size_t size)
{
	char text[RECORD_MAX + 1];

	memcpy(text, payload, size);
	text[size] = 0;
	if (type != RECORD_DATA)
		end_incoming();
	switch (type) {
	case RECORD_STAGE:
		shell_is_up = strncmp(text, STAGE_RUNNING, strlen(STAGE_RUNNING)) == 0;
		kernel_is_up = true;
		stage("%s", text);
		break;
	case RECORD_STDOUT:
		write_all(1, payload, size);
		break;
	case RECORD_STDERR:
		write_all(2, payload, size);
		break;
	case RECORD_FILE:
		incoming_path = get_path(text);
		incoming = fopen(incoming_path, "wb");
		if (!incoming)
			finish(EXIT_LAB, "the lab failed: %s: %s", incoming_path, strerror(errno));
		break;
	case RECORD_DATA:
		if (!incoming || fwrite(payload, 1, size, incoming) != size)
			finish(EXIT_LAB, "the lab failed: a file from the VM cannot be written");
		break;
	case RECORD_NO_FILE:
		lab_failed = true;
		stage("the VM could not send the file for %s:%s", get_path(text),
		      text + strcspn(text, " "));
		break;
	case RECORD_ALIVE:
		break;
	case RECORD_FAILED:
		lab_failed = true;
		stage("the lab VM failed: %s", text);
		break;
	case RECORD_STATUS:
		have_status = true;
		command_status = (int)strtol(text, NULL, 10) & 0xff;
		ended_at = now();
		break;
	default:
		finish(EXIT_LAB, "the lab failed: the result channel carries garbage (type %d)", type);
	}
}

static void read_channel(void)
{
	char buffer[65536];
	size_t done = 0;
	ssize_t n;

	while ((n = read(channel, buffer, sizeof(buffer))) > 0) {
		append(&pending, buffer, (size_t)n);
		note_progress();
	}
	while (pending.size - done >= RECORD_HEADER && !have_status) {
		unsigned char *record = (unsigned char *)pending.data + done;
		size_t size = record[1] | (size_t)record[2] << 8;

		if (size > RECORD_MAX)
			finish(EXIT_LAB, "the lab failed: the result channel carries garbage");
		if (pending.size - done < RECORD_HEADER + size)
			break;
		done += RECORD_HEADER + size;
		take_record(record[0], (char *)record + RECORD_HEADER, size);
	}
	pending.size -= done;
	memmove(pending.data, pending.data + done, pending.size);
}

static bool emulator_ended(int *status)
{
	if (emulator > 0 && waitpid(emulator, status, WNOHANG) == emulator) {
		kill(-emulator, SIGKILL);
		emulator = 0;
	}
	return emulator == 0;
}

static void finish_splat(void)
{
	kill_emulator();
	read_console();
	restore_terminal();
	fflush(stdout);
	fprintf(stderr, "lab: the VM's kernel said:\n");
	show_lines(splat_at, SHOWN_LINES);
	finish(EXIT_SPLAT, "exit 99: the lab VM's kernel printed \"%s\" (shown above)", splat_name);
}

static void finish_run(void)
{
	if (splat_at != SIZE_MAX)
		finish_splat();
	if (lab_failed && (command_status == 0 || command_status == EXIT_LAB))
		finish(EXIT_LAB, "exit 125: the lab failed (said above)");
	finish(command_status, "exit %d: the command's own status", command_status);
}

/* Decides whether the run is over; called after each round of reading. */
static void judge(double started)
{
	int status = 0;

	if (have_status && (console_ended || now() - ended_at > CONSOLE_LAG))
		finish_run();
	if (dying_since && now() - dying_since > LAST_WORDS) {
		if (splat_at != SIZE_MAX)
			finish_splat();
		show_console_tail();
		finish(EXIT_SPLAT, "exit 99: the lab VM's kernel stopped (shown above)");
	}
	if (!have_status && emulator_ended(&status)) {
		read_channel();
		read_console();
		if (have_status)
			finish_run();
		if (splat_at != SIZE_MAX)
			finish_splat();
		show_console_tail();
		if (kernel_is_up)
			finish(EXIT_SPLAT, "exit 99: the lab VM died without a word (a triple fault or a reset)");
		finish(EXIT_LAB, "exit 125: the lab failed: the emulator ended by itself (%s %d)",
		       WIFSIGNALED(status) ? "signal" : "status",
		       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	}
	if (caught_signal)
		finish(EXIT_LAB, "exit 125: the run was interrupted by signal %d", (int)caught_signal);
	if (options.timeout > 0 && now() - started > options.timeout) {
		if (splat_at != SIZE_MAX)
			finish_splat();
		show_console_tail();
		finish(EXIT_TIMEOUT, "exit 124: the time is up after %.0f s", options.timeout);
	}
	if (options.stall > 0 && !options.interactive &&
	    (emulator_seconds() - last_progress_cpu > options.stall ||
	     now() - last_progress > STALL_IDLE * options.stall)) {
		if (splat_at != SIZE_MAX)
			finish_splat();
		show_console_tail();
		finish(EXIT_SPLAT, "exit 99: the lab VM gave no sign of life for %.0f s: it locked up",
		       options.stall);
	}
}

static void make_raw(void)
{
	struct termios raw;

	if (!isatty(0) || tcgetattr(0, &saved_terminal) < 0)
		return;
	raw = saved_terminal;
	cfmakeraw(&raw);
	if (tcsetattr(0, TCSANOW, &raw) == 0)
		terminal_is_raw = true;
}

/* Keys go to the VM's console, what it prints comes here and into the log. */
static void serve_terminal(struct pollfd *keys, struct pollfd *output)
{
	char buffer[4096];
	ssize_t n;

	if (output->revents & POLLIN) {
		n = read(terminal, buffer, sizeof(buffer));
		if (n > 0) {
			write_all(1, buffer, (size_t)n);
			write_all(console, buffer, (size_t)n);
			append(&log_text, buffer, (size_t)n);
			note_progress();
			scan_console();
		}
	}
	if (keys->revents & (POLLIN | POLLHUP)) {
		n = read(0, buffer, sizeof(buffer));
		if (n <= 0) {
			static const char end_of_file = 4;	/* Ctrl-D */

			keys->fd = -1;
			append(&typed, &end_of_file, 1);
		} else if (memchr(buffer, ESCAPE_KEY, (size_t)n)) {
			write_all(1, "\r\n", 2);
			finish(0, "exit 0: left with Ctrl-]");
		} else {
			append(&typed, buffer, (size_t)n);
		}
	}
	if (shell_is_up && typed.size) {
		write_all(terminal, typed.data, typed.size);
		typed.size = 0;
	}
}

/* Takes what the emulator draws; returns where there may be more. */
static int read_screen(void)
{
	char drawn[65536];
	ssize_t n = read(screen, drawn, sizeof(drawn));

	if (n <= 0)
		return -1;
	if (options.screen >= 0 && write(options.screen, drawn, (size_t)n) != n)
		finish(EXIT_LAB, "the lab failed: the emulator's screen cannot be kept: %s", strerror(errno));
	return screen;
}

static void loop(void)
{
	struct pollfd fds[3] = {
		{ .fd = screen, .events = POLLIN },
		{ .fd = terminal, .events = POLLIN },
		{ .fd = options.interactive ? 0 : -1, .events = POLLIN },
	};
	double started = now();

	note_progress();
	for (;;) {
		poll(fds, 3, TICK_MS);
		if (fds[0].revents)
			fds[0].fd = read_screen();
		if (options.interactive)
			serve_terminal(&fds[2], &fds[1]);
		else
			read_console();
		read_channel();
		judge(started);
	}
}

/* Opens the VM's side of the console; returns the device's name. */
static const char *open_terminal(void)
{
	static char name[64];
	struct termios raw;
	int device;

	if (openpty(&terminal, &device, name, NULL, NULL) < 0)
		finish(EXIT_LAB, "the lab failed: no pseudo terminal: %s", strerror(errno));
	tcgetattr(device, &raw);
	cfmakeraw(&raw);
	tcsetattr(device, TCSANOW, &raw);
	/* The device stays open here, so the console survives the emulator. */
	fcntl(terminal, F_SETFD, FD_CLOEXEC);
	fcntl(device, F_SETFD, FD_CLOEXEC);
	return name;
}

static void substitute(char **argv, const char *tty)
{
	int i;

	for (i = 0; argv[i]; i++) {
		char *at = strstr(argv[i], "{tty}");
		char *text;

		if (at && asprintf(&text, "%.*s%s%s", (int)(at - argv[i]), argv[i], tty, at + 5) >= 0)
			argv[i] = text;
	}
}

static void start_emulator(char **argv)
{
	const struct winsize size = { .ws_row = 50, .ws_col = 132 };
	pid_t parent = getpid();

	emulator = forkpty(&screen, NULL, NULL, &size);
	if (emulator < 0)
		finish(EXIT_LAB, "the lab failed: no pseudo terminal: %s", strerror(errno));
	if (emulator == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(127);
		setenv("TERM", "vt100", 1);
		signal(SIGPIPE, SIG_DFL);
		execvp(argv[0], argv);
		_exit(127);
	}
	fcntl(screen, F_SETFD, FD_CLOEXEC);
}

static void parse(int argc, char **argv)
{
	static const struct option known[] = {
		{ "channel", required_argument, NULL, 'c' },
		{ "console", required_argument, NULL, 'l' },
		{ "interactive", no_argument, NULL, 'i' },
		{ "screen", required_argument, NULL, 'k' },
		{ "get", required_argument, NULL, 'g' },
		{ "timeout", required_argument, NULL, 't' },
		{ "stall", required_argument, NULL, 's' },
		{ "start", required_argument, NULL, 'z' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "+", known, NULL)) != -1) {
		switch (option) {
		case 'c':
			options.channel_path = optarg;
			break;
		case 'l':
			options.console_path = optarg;
			break;
		case 'i':
			options.interactive = true;
			break;
		case 'k':
			options.screen = open(optarg, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
			if (options.screen < 0)
				finish(EXIT_LAB, "the lab failed: %s: %s", optarg, strerror(errno));
			break;
		case 'g':
			if (options.get_count == GET_MAX)
				finish(EXIT_LAB, "the lab failed: too many --get");
			options.get[options.get_count++] = optarg;
			break;
		case 't':
			options.timeout = strtod(optarg, NULL);
			break;
		case 's':
			options.stall = strtod(optarg, NULL);
			break;
		case 'z':
			options.start = strtod(optarg, NULL);
			break;
		default:
			exit(EXIT_LAB);
		}
	}
	if (!options.channel_path || !options.console_path || optind >= argc) {
		fprintf(stderr, "usage: supervise --channel FILE --console FILE [OPTION]... -- EMULATOR [ARG...]\n");
		exit(EXIT_LAB);
	}
}

int main(int argc, char **argv)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	const struct sigaction action = { .sa_handler = note_signal };
	size_t i;

	options.start = now();
	parse(argc, argv);
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* The caller's sudden death must not leave the VM behind. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	channel = open(options.channel_path, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
	console = open(options.console_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (channel < 0 || console < 0)
		finish(EXIT_LAB, "the lab failed: cannot open its own files: %s", strerror(errno));
	if (options.interactive) {
		substitute(argv + optind, open_terminal());
		make_raw();
	}
	start_emulator(argv + optind);
	loop();
}
