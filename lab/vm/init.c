// SPDX-License-Identifier: GPL-2.0-only
/*
 * The lab VM's init: mounts the usual file systems, loads the module, runs
 * the command, sends its output, the wanted files and its exit status over
 * the result channel (channel.h), unloads the module and stops.
 *
 * What to do is read from /lab, which lab/run puts into the initial RAM disk:
 *   /lab/command  the command's arguments, each ended by a zero byte
 *   /lab/get      the files to send back, each ended by a zero byte
 *   /lab/insmod   modules to load first, each ended by a zero byte
 *   /lab/shell    if present: the command gets the console as its terminal
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include "channel.h"

#define PRINTER_DATA	0x378
#define PRINTER_CONTROL	0x37a
#define PRINTER_READY	0x0c	/* selected, out of reset */
#define PRINTER_STROBE	0x01

#define LIST_MAX	256

/* How long output of processes that the command left behind is awaited. */
#define DRAIN_MS	200

/* How often a quiet init says that it is alive. */
#define ALIVE_MS	1000

static void send_byte(uint8_t byte)
{
	outb(byte, PRINTER_DATA);
	outb(PRINTER_READY | PRINTER_STROBE, PRINTER_CONTROL);
	outb(PRINTER_READY, PRINTER_CONTROL);
}

static void send_record(enum record_type type, const void *payload, size_t size)
{
	const uint8_t *bytes = payload;
	size_t i;

	send_byte((uint8_t)type);
	send_byte(size & 0xff);
	send_byte((size >> 8) & 0xff);
	for (i = 0; i < size; i++)
		send_byte(bytes[i]);
}

static void __attribute__((format(printf, 2, 3)))
send_text(enum record_type type, const char *format, ...)
{
	char text[1024];
	va_list args;
	int size;

	va_start(args, format);
	size = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (size >= (int)sizeof(text))
		size = sizeof(text) - 1;
	send_record(type, text, (size_t)size);
}

/* The console's last line tells the supervisor that it has seen it all. */
static void __attribute__((noreturn)) stop(int status)
{
	static const char end[] = "<0>" END_OF_CONSOLE "\n";
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, end, sizeof(end) - 1) < 0)
		send_text(RECORD_STAGE, "the console cannot be written: %s", strerror(errno));
	send_text(RECORD_STATUS, "%d", status);
	for (;;)
		pause();
}

static void __attribute__((noreturn, format(printf, 1, 2))) fail(const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	send_text(RECORD_FAILED, "%s", text);
	stop(125);
}

static void mount_all(void)
{
	static const struct {
		const char *type, *where, *options;
		bool optional;
	} mounts[] = {
		{ "proc", "/proc", NULL, false },
		{ "sysfs", "/sys", NULL, false },
		{ "devtmpfs", "/dev", NULL, false },
		{ "tmpfs", "/tmp", NULL, false },
		{ "tmpfs", "/run", NULL, false },
		{ "devpts", "/dev/pts", NULL, false },
		{ "tmpfs", "/dev/shm", NULL, false },
		{ "debugfs", "/sys/kernel/debug", NULL, true },
		{ "tracefs", "/sys/kernel/tracing", NULL, true },
		{ "cgroup2", "/sys/fs/cgroup", NULL, true },
	};
	size_t i;

	for (i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		mkdir(mounts[i].where, 0755);
		if (mount(mounts[i].type, mounts[i].where, mounts[i].type, 0, mounts[i].options) < 0 &&
		    !mounts[i].optional)
			fail("cannot mount %s: %s", mounts[i].where, strerror(errno));
	}
	symlink("/proc/self/fd", "/dev/fd");
	symlink("/proc/self/fd/0", "/dev/stdin");
	symlink("/proc/self/fd/1", "/dev/stdout");
	symlink("/proc/self/fd/2", "/dev/stderr");
}

/* Reads a file of zero-ended strings; returns how many, 0 without the file. */
static size_t read_list(const char *path, char *list[LIST_MAX])
{
	struct stat st;
	size_t count = 0, i;
	char *data;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	if (fstat(fd, &st) < 0 || !(data = malloc((size_t)st.st_size + 1)) ||
	    read(fd, data, (size_t)st.st_size) != st.st_size)
		fail("cannot read %s", path);
	close(fd);
	data[st.st_size] = 0;
	for (i = 0; i < (size_t)st.st_size; i += strlen(data + i) + 1) {
		if (count == LIST_MAX - 1)
			fail("%s: more than %d entries", path, LIST_MAX - 1);
		list[count++] = data + i;
	}
	list[count] = NULL;
	return count;
}

static void load_module(char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) < 0)
		fail("cannot load %s: %s", path, strerror(errno));
	close(fd);
}

/*
 * Unloads what load_module() loaded. A module that is still in use although
 * every other process is gone has leaked a reference: that fails the run.
 */
static void unload_module(const char *path)
{
	const struct timespec moment = { .tv_nsec = 100000000 };
	char name[64];
	const char *base = strrchr(path, '/');
	size_t i;
	int tries;

	snprintf(name, sizeof(name), "%s", base ? base + 1 : path);
	name[strcspn(name, ".")] = 0;
	for (i = 0; name[i]; i++)
		if (name[i] == '-')
			name[i] = '_';
	for (tries = 0; tries < 30; tries++) {
		if (syscall(SYS_delete_module, name, O_NONBLOCK) == 0 || errno == ENOENT)
			return;
		kill(-1, SIGKILL);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		nanosleep(&moment, NULL);
	}
	send_text(RECORD_FAILED, "the module %s cannot be unloaded after the command: %s", name,
		  strerror(errno));
	stop(125);
}

static pid_t start_command(char **command, int out, int err)
{
	pid_t pid = fork();

	if (pid < 0)
		fail("cannot start the command: %s", strerror(errno));
	if (pid > 0)
		return pid;
	setsid();
	if (out < 0) {
		int tty = open("/dev/ttyS0", O_RDWR);

		if (tty < 0)
			_exit(126);
		ioctl(tty, TIOCSCTTY, 1);
		dup2(tty, 0);
		dup2(tty, 1);
		dup2(tty, 2);
	} else {
		dup2(open("/dev/null", O_RDONLY), 0);
		dup2(out, 1);
		dup2(err, 2);
	}
	/* The port belongs to init alone. */
	iopl(0);
	if (chdir("/root") < 0)
		_exit(126);
	execvp(command[0], command);
	dprintf(2, "%s: %s\n", command[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* Passes on what is there; returns false at the end of the stream. */
static bool forward(int fd, enum record_type type)
{
	char buffer[RECORD_MAX];
	ssize_t n = read(fd, buffer, sizeof(buffer));

	if (n > 0)
		send_record(type, buffer, (size_t)n);
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* Only there so that the end of a child interrupts poll(). */
static void child_ended(int number)
{
	(void)number;
}

static int run_command(char **command, bool shell)
{
	const struct sigaction action = { .sa_handler = child_ended };
	int out[2] = { -1, -1 }, err[2] = { -1, -1 };
	struct pollfd fds[2];
	int status = 0, open_ends;
	bool over = false;
	pid_t child;

	sigaction(SIGCHLD, &action, NULL);
	if (!shell && (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0))
		fail("cannot make a pipe: %s", strerror(errno));
	child = start_command(command, out[1], err[1]);
	close(out[1]);
	close(err[1]);
	fds[0] = (struct pollfd){ .fd = out[0], .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = err[0], .events = POLLIN };
	open_ends = shell ? 0 : 2;
	while (!over || open_ends) {
		int ready = poll(fds, 2, over ? DRAIN_MS : ALIVE_MS);
		int i, reaped_status;
		pid_t reaped;

		if (over && ready == 0)
			break;
		if (ready == 0)
			send_record(RECORD_ALIVE, NULL, 0);
		for (i = 0; ready > 0 && i < 2; i++) {
			if (fds[i].fd < 0 || !fds[i].revents)
				continue;
			if (!forward(fds[i].fd, i ? RECORD_STDERR : RECORD_STDOUT)) {
				close(fds[i].fd);
				fds[i].fd = -1;
				open_ends--;
			}
		}
		while ((reaped = waitpid(-1, &reaped_status, WNOHANG)) > 0) {
			if (reaped == child) {
				over = true;
				status = reaped_status;
			}
		}
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

#define KMEMLEAK	"/sys/kernel/debug/kmemleak"

/* kmemleak reports no object younger than 5 seconds. */
#define LEAK_AGE	6

static void scan_for_leaks(void)
{
	int fd = open(KMEMLEAK, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "scan", 4) != 4)
		fail("kmemleak does not scan: %s", strerror(errno));
	close(fd);
}

/*
 * A kernel that looks for leaks says what the command and the modules left behind,
 * and that fails the run, as a splat does. The first scan learns what every object
 * holds, the second reports those that nobody refers to and that have not changed.
 */
static void report_leaks(void)
{
	char line[256];
	FILE *leaks, *console;
	int i;

	if (access(KMEMLEAK, W_OK) < 0)
		return;
	send_text(RECORD_STAGE, "looking for leaks");
	sleep(LEAK_AGE);
	for (i = 0; i < 2; i++) {
		scan_for_leaks();
		send_text(RECORD_STAGE, "looking for leaks: scan %d of 2 is done", i + 1);
	}
	leaks = fopen(KMEMLEAK, "re");
	console = fopen("/dev/kmsg", "we");
	if (!leaks || !console)
		fail("kmemleak cannot be read: %s", strerror(errno));
	setlinebuf(console);
	for (i = 0; fgets(line, sizeof(line), leaks); i++)
		fprintf(console, "<3>%s%s", i ? "" : "BUG: memory leak: ", line);
	fclose(leaks);
	fclose(console);
}

static void send_file(size_t index, const char *path)
{
	char buffer[RECORD_MAX];
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		send_text(RECORD_NO_FILE, "%zu %s", index, strerror(errno));
		return;
	}
	send_text(RECORD_FILE, "%zu", index);
	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		send_record(RECORD_DATA, buffer, (size_t)n);
	if (n < 0)
		send_text(RECORD_NO_FILE, "%zu %s", index, strerror(errno));
	close(fd);
}

int main(void)
{
	char *command[LIST_MAX], *wanted[LIST_MAX], *modules[LIST_MAX];
	size_t count, module_count, i;
	bool shell = access("/lab/shell", F_OK) == 0;
	int status;

	if (iopl(3) < 0)
		reboot(RB_POWER_OFF);
	outb(PRINTER_READY, PRINTER_CONTROL);
	send_text(RECORD_STAGE, "the kernel is up");
	umask(022);
	mount_all();
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/root", 1);
	setenv("TERM", shell ? "vt100" : "dumb", 1);
	setenv("XDG_RUNTIME_DIR", "/run", 1);
	module_count = read_list("/lab/insmod", modules);
	for (i = 0; i < module_count; i++) {
		send_text(RECORD_STAGE, "loading %s", modules[i]);
		load_module(modules[i]);
	}
	if (read_list("/lab/command", command) == 0)
		fail("there is no command to run");
	send_text(RECORD_STAGE, STAGE_RUNNING "%s", command[0]);
	status = run_command(command, shell);
	count = read_list("/lab/get", wanted);
	for (i = 0; i < count; i++)
		send_file(i, wanted[i]);
	for (i = module_count; i-- > 0;)
		unload_module(modules[i]);
	if (module_count)
		report_leaks();
	send_text(RECORD_STAGE, "the command ended with status %d", status);
	stop(status);
}
