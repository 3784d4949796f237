// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_sandbox.c - what is allowed after sandbox_enter(), and what is not; each
 * attempt in a child of its own.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "loop.h"
#include "report.h"
#include "sandbox.h"
#include "tap.h"

static char said[512];

/* Exit status of @attempt in the sandbox; its stderr is in @said. */
static int attempt(void (*what)(void))
{
	int fds[2], status;
	size_t used = 0;
	ssize_t got;
	pid_t pid;

	if (pipe(fds))
		exit(1);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		dup2(fds[1], STDERR_FILENO);
		if (sandbox_enter() != STATUS_OK)
			_exit(77);
		what();
		_exit(0);
	}
	close(fds[1]);
	while ((got = read(fds[0], said + used, sizeof(said) - 1 - used)) > 0)
		used += (size_t)got;
	said[used] = '\0';
	close(fds[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void open_file(void)
{
	open("/etc/passwd", O_RDONLY);
}

static void open_socket(void)
{
	socket(AF_INET, SOCK_STREAM, 0);
}

static void start_program(void)
{
	execl("/bin/true", "true", (char *)NULL);
}

static void new_process(void)
{
	if (!fork())
		_exit(0);
}

static void map_code(void)
{
	mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
	     -1, 0);
}

static void make_code(void)
{
	static char page[8192];

	mprotect((void *)(((unsigned long)page + 4095) & ~4095UL), 4096,
		 PROT_READ | PROT_EXEC);
}

static void type_for_the_user(void)
{
	ioctl(0, TIOCSTI, "x");
}

static void kill_another(void)
{
	kill(getppid(), 0);
}

static void fired(void *context)
{
	*(bool *)context = true;
}

static void ask_privileges(void)
{
	prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
}

static struct loop early;

static void timers(void)
{
	struct loop_timer timer;
	bool done = false;

	if (loop_timer_init(&timer, &early, fired, &done))
		_exit(1);
	loop_timer_set(&timer, loop_now() + 1000000);
	if (loop_wait(&early, 1000) != 1 || !done)
		_exit(2);
	loop_timer_close(&timer);
}

static void just_malloc(void)
{
	void *small = malloc(100), *large = malloc(8 << 20);
	struct tm tm;
	time_t now = 1709251198;

	if (!small || !large)
		_exit(1);
	memset(large, 1, 8 << 20);
	free(large);
	free(small);
	if (!gmtime_r(&now, &tm) || timegm(&tm) != now)
		_exit(2);
	report_error("a sentence");
}

#define is_refused(what, name) do {					\
	int status_ = attempt(what);					\
									\
	if (!ok(status_ == STATUS_RESOURCE &&				\
		strstr(said, "is not allowed while a guest runs"),	\
		"%s", name))						\
		printf("# status %d, said: %s\n", status_, said);	\
} while (0)

int main(void)
{
	if (loop_init(&early))
		return 1;
	is_refused(open_file, "opening a file is refused");
	is_refused(open_socket, "opening a socket is refused");
	is_refused(start_program, "starting a program is refused");
	is_refused(new_process, "making a process is refused");
	is_refused(map_code, "mapping executable memory is refused");
	is_refused(make_code, "making memory executable is refused");
	is_refused(type_for_the_user, "typing into the user's terminal is refused");
	is_refused(kill_another, "a signal to another process is refused");
	is_refused(ask_privileges, "prctl is refused");
	is(attempt(timers), 0, "timers can be made and fire");
	is(attempt(just_malloc), 0, "memory, the calendar and messages work");
	ok(strstr(said, "mini-vm: a sentence"), "the message arrived");
	return tap_done();
}
