// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_sandbox.c - what is allowed after sandbox_enter(), and what is not; each
 * attempt in a child of its own.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "control/server.h"
#include "loop.h"
#include "report.h"
#include "sandbox.h"
#include "tap.h"

static char said[512];
static char folder[] = "/tmp/mini-vm-test.XXXXXX";
static struct control control;
/* what an attempt does before it is in the sandbox */
static void (*before)(void);

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
		if (before)
			before();
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

static int here[2], go[2];

static void *wait_and_open(void *context)
{
	char byte;

	if (write(here[1], "x", 1) == 1 && read(go[0], &byte, 1) == 1)
		open_file();
	return context;
}

/* It is there when its first system calls, which are libc's, are over. */
static void start_thread(void)
{
	pthread_t thread;
	char byte;

	if (pipe(here) || pipe(go) || pthread_create(&thread, NULL, wait_and_open, NULL) ||
	    read(here[0], &byte, 1) != 1)
		_exit(78);
}

static void let_thread_go(void)
{
	if (write(go[1], "x", 1) != 1 || poll(NULL, 0, 5000))
		_exit(79);
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

static void connect_somewhere(void)
{
	struct sockaddr address = { .sa_family = AF_UNIX };

	connect(0, &address, sizeof(address));
}

static void remove_file(void)
{
	unlink("/tmp/mini-vm-no-such-file");
}

static void look_at_a_socket(void)
{
	int value;
	socklen_t length = sizeof(value);

	getsockopt(0, SOL_SOCKET, SO_TYPE, &value, &length);
}

static int listener = -1;
static pid_t client_pid;

/* A client of the control socket comes while the guest runs. */
static void serve_a_client(void)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	char byte;

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) ||
	    peer.pid != client_pid || read(fd, &byte, 1) != 1 || write(fd, "b", 1) != 1 ||
	    close(fd))
		_exit(1);
}

/* jansson's first object would read /dev/urandom, if control_open() had not. */
static void serve_request(void)
{
	static const char line[] = "{\"version\":1,\"command\":\"stop\",\"force\":true}";
	struct control_request request;
	struct control_refusal refusal;
	char *answer;

	if (!control_parse(line, sizeof(line) - 1, &request, &refusal) || !request.force)
		_exit(1);
	answer = control_answer(json_pack("{s:s}", "how", "ended"));
	if (!answer || !strstr(answer, "ended"))
		_exit(2);
	free(answer);
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

static int with_client(void (*what)(void))
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t length = sizeof(address.sun_family);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), status;

	/* bind() with the family alone picks an abstract name */
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&address, length) || listen(listener, 1))
		exit(1);
	length = sizeof(address);
	client_pid = getpid();
	if (getsockname(listener, (struct sockaddr *)&address, &length) ||
	    connect(fd, (struct sockaddr *)&address, length) || write(fd, "a", 1) != 1)
		exit(1);
	status = attempt(what);
	close(listener);
	close(fd);
	return status;
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
	if (!mkdtemp(folder) || setenv("MINI_VM_RUNTIME_DIR", folder, 1) ||
	    control_open(&control, "sandboxed", true))
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
	is_refused(connect_somewhere, "connecting to a socket is refused");
	is_refused(remove_file, "removing a file is refused");
	is_refused(look_at_a_socket, "socket options are refused, except who is there");
	before = start_thread;
	is_refused(let_thread_go, "a thread that was there before may not either");
	before = NULL;
	is(with_client(serve_a_client), 0, "a client of the control socket can be served");
	is(attempt(serve_request), 0, "and its request be read and answered");
	is(attempt(timers), 0, "timers can be made and fire");
	is(attempt(just_malloc), 0, "memory, the calendar and messages work");
	ok(strstr(said, "mini-vm: a sentence"), "the message arrived");
	control_close(&control, 0);
	rmdir(folder);
	return tap_done();
}
