// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_control_socket.c - the file of a control socket: who may have a name,
 * what becomes of the files of the dead, and the folder.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "control/client.h"
#include "control/directory.h"
#include "control/show.h"
#include "control/socket.h"
#include "tap.h"

static char folder[] = "/tmp/mini-vm-test.XXXXXX";
static char where[64];

static void moment(unsigned int ms)
{
	const struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	nanosleep(&time, NULL);
}

static const char *file_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s%s", where, name, CONTROL_SUFFIX);
	return path;
}

static bool exists(const char *name)
{
	return !access(file_of(name), F_OK);
}

static bool vanishes(const char *name)
{
	unsigned int i;

	for (i = 0; i < 300 && exists(name); i++)
		moment(10);
	return !exists(name);
}

/* Whether somebody listens under a name. */
static bool answers(const char *name)
{
	struct control_link link;
	int error = control_connect(&link, name);

	control_disconnect(&link);
	return !error;
}

/* ------------------------------------------------------------------------
 * A VM: a process that holds a name until it is told to go
 */

struct fake_vm {
	pid_t pid;
	pid_t keeper;
	int error;
	char name[NAME_MAX_LENGTH + 1];
	int leash;
};

static void be_vm(const char *name, bool exact, int say, int leash)
{
	struct control_socket socket;
	struct fake_vm self = { .pid = getpid() };
	int null = open("/dev/null", O_WRONLY);
	char how;

	dup2(null, STDERR_FILENO);	/* refusals are expected */
	self.error = control_socket_open(&socket, name, exact);
	self.keeper = socket.keeper;
	strcpy(self.name, socket.name);
	if (write(say, &self, sizeof(self)) != sizeof(self))
		_exit(1);
	if (read(leash, &how, 1) == 1 && how == 'c')
		control_socket_close(&socket);
	if (how == 'a')
		abort();
	_exit(0);
}

static struct fake_vm start(const char *name, bool exact)
{
	struct fake_vm vm = { .pid = -1 };
	int say[2], leash[2];
	pid_t pid;

	if (pipe2(say, O_CLOEXEC) || pipe2(leash, O_CLOEXEC))
		exit(1);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		close(leash[1]);
		be_vm(name, exact, say[1], leash[0]);
	}
	close(say[1]);
	close(leash[0]);
	if (read(say[0], &vm, sizeof(vm)) != sizeof(vm))
		printf("# a VM did not start\n");
	close(say[0]);
	vm.leash = leash[1];
	return vm;
}

/* 'c': closes its socket; 'x': just exits; 'a': aborts; else that signal. */
static void end(struct fake_vm *vm, char how, int number)
{
	if (number)
		kill(vm->pid, number);
	else if (write(vm->leash, &how, 1) != 1)
		printf("# a VM is gone\n");
	waitpid(vm->pid, NULL, 0);
	close(vm->leash);
}

/* ------------------------------------------------------------------------
 * The tests
 */

static void ends(void)
{
	static const struct {
		char how;
		int number;
		const char *name;
	} ways[] = {
		{ 'x', 0, "exit" },
		{ 'a', 0, "abort" },
		{ 0, SIGTERM, "SIGTERM" },
		{ 0, SIGINT, "SIGINT" },
		{ 0, SIGKILL, "SIGKILL" },
	};
	struct fake_vm vm = start("vm", true);
	size_t i;

	ok(!vm.error && exists("vm") && answers("vm"), "a VM listens under its name");
	end(&vm, 'c', 0);
	ok(!exists("vm"), "when it has closed the socket the file is gone");
	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		vm = start("vm", true);
		end(&vm, ways[i].how, ways[i].number);
		ok(vanishes("vm"), "also after %s", ways[i].name);
	}
	vm = start("vm", true);
	kill(vm.keeper, SIGTERM);
	kill(vm.keeper, SIGHUP);
	kill(vm.keeper, SIGINT);
	end(&vm, 0, SIGKILL);
	ok(vanishes("vm"), "the keeper heeds no signal that ends a terminal's programs");
}

static void names_taken(void)
{
	struct fake_vm first = start("vm", true), second, third, number;
	const char *longest = "abcdefghijklmnopqrstuvwxyz01234";

	second = start("vm", true);
	ok(second.error == -EADDRINUSE, "a second VM of the name is refused");
	end(&second, 'c', 0);
	ok(exists("vm") && answers("vm"), "which does not hurt the first");
	number = start("vm", false);
	ok(!number.error && !strcmp(number.name, "vm-2"), "unless it may be called %s",
	   number.name);
	third = start("vm", false);
	ok(!third.error && !strcmp(third.name, "vm-3"), "the next %s", third.name);
	end(&number, 'c', 0);
	number = start("vm", false);
	ok(!number.error && !strcmp(number.name, "vm-2"), "numbers are used again");
	end(&number, 'c', 0);
	end(&third, 'c', 0);
	kill(first.pid, SIGSTOP);
	second = start("vm", true);
	ok(second.error == -EADDRINUSE, "also when the first is stopped");
	end(&second, 'c', 0);
	kill(first.pid, SIGCONT);
	end(&first, 'c', 0);
	first = start(longest, false);
	second = start(longest, false);
	ok(!first.error && !strcmp(first.name, longest), "a name may have %d characters",
	   NAME_MAX_LENGTH);
	ok(!second.error && !strcmp(second.name, "abcdefghijklmnopqrstuvwxyz012-2"),
	   "a number takes the place of the last");
	end(&first, 'c', 0);
	end(&second, 'c', 0);
}

static void stale(void)
{
	struct fake_vm vm = start("vm", true), other;
	struct sockaddr_un address;
	int fd;

	/* a service manager kills all at once */
	kill(vm.keeper, SIGKILL);
	moment(50);
	end(&vm, 0, SIGKILL);
	ok(exists("vm") && !answers("vm"), "a VM killed with its keeper leaves its file");
	other = start("vm", true);
	ok(!other.error && answers("vm"), "which the next of the name replaces");
	end(&other, 'c', 0);

	vm = start("vm", true);
	moment(100);			/* until the keeper waits */
	kill(vm.keeper, SIGSTOP);
	end(&vm, 0, SIGKILL);
	other = start("vm", true);
	ok(!other.error && answers("vm"), "also before a slow keeper has come to it");
	kill(vm.keeper, SIGCONT);
	moment(300);
	ok(exists("vm") && answers("vm"), "who then leaves it alone");
	end(&other, 'c', 0);

	fd = open(file_of("vm"), O_CREAT | O_WRONLY, 0600);
	if (write(fd, "precious", 8) != 8)
		printf("# cannot write\n");
	close(fd);
	vm = start("vm", true);
	ok(vm.error == -ENOTSOCK && exists("vm"), "what is no socket is not removed (%d)", vm.error);
	end(&vm, 'c', 0);
	unlink(file_of("vm"));

	/* bound, not yet listening, by a program that knows no locks */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	control_address(where, "vm", &address);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
		printf("# cannot bind\n");
	close(fd);
	vm = start("vm", true);
	ok(!vm.error, "any dead socket is replaced");
	end(&vm, 'c', 0);
}

#define RACERS	20
#define RACES	20

/* Without it bind() alone would decide. */
static void leave_stale_file(const char *name)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;

	control_address(where, name, &address);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
		printf("# cannot bind\n");
	close(fd);
}

static void race(void)
{
	struct fake_vm vms[RACERS];
	int gate[2], say[2], winners = 0, losers = 0, i;
	unsigned int round;

	for (round = 0; round < RACES; round++) {
		int leash[2];

		leave_stale_file("racer");
		if (pipe(gate) || pipe(say) || pipe(leash))
			exit(1);
		fflush(stdout);
		for (i = 0; i < RACERS; i++) {
			vms[i].pid = fork();
			if (!vms[i].pid) {
				char byte;

				close(gate[1]);
				close(leash[1]);
				if (read(gate[0], &byte, 1))
					_exit(1);
				be_vm("racer", true, say[1], leash[0]);
			}
		}
		close(gate[1]);		/* off they go */
		for (i = 0; i < RACERS; i++) {
			struct fake_vm one;

			if (read(say[0], &one, sizeof(one)) != sizeof(one))
				exit(1);
			winners += !one.error;
			losers += one.error == -EADDRINUSE;
		}
		close(leash[1]);
		close(leash[0]);
		for (i = 0; i < RACERS; i++)
			waitpid(vms[i].pid, NULL, 0);
		close(gate[0]);
		close(say[0]);
		close(say[1]);
		if (!vanishes("racer"))
			printf("# the winner's file is left\n");
	}
	ok(winners == RACES && losers == RACES * (RACERS - 1),
	   "of %d that want a dead VM's name at once one gets it, each time (%d times of %d)",
	   RACERS, winners, RACES);
}

/* The lock is what decides a race; here it is held long enough to be seen. */
static void lock(void)
{
	int fd = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool early;
	int status;
	pid_t pid;

	leave_stale_file("vm");
	if (fd < 0 || flock(fd, LOCK_EX))
		exit(1);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		struct control_socket socket;

		close(fd);
		if (control_socket_open(&socket, "vm", true))
			_exit(1);
		moment(300);
		control_socket_close(&socket);
		_exit(0);
	}
	moment(250);
	early = answers("vm");
	flock(fd, LOCK_UN);
	close(fd);
	waitpid(pid, &status, 0);
	ok(!early && !status, "a VM looks at a name only while it holds the folder's lock");
}

static void folders(void)
{
	char (*names)[NAME_MAX_LENGTH + 1];
	char path[CONTROL_PATH_MAX + 1], deep[128];
	struct fake_vm one, two;
	struct stat status;
	size_t count;
	int fd;

	ok(!stat(where, &status) && (status.st_mode & 07777) == 0700, "the folder has mode 0700");
	one = start("b", true);
	two = start("a", true);
	close(open(file_of("..") , O_CREAT | O_WRONLY, 0600));
	close(open(file_of("name with spaces"), O_CREAT | O_WRONLY, 0600));
	ok(!control_names(&names, &count) && count == 3 && !strcmp(names[0], "..") &&
	   !strcmp(names[1], "a") && !strcmp(names[2], "b"),
	   "names are listed in order, without those that cannot be");
	free(names);
	unlink(file_of(".."));
	unlink(file_of("name with spaces"));
	end(&one, 'c', 0);
	end(&two, 'c', 0);
	ok(!control_names(&names, &count) && !count, "an empty folder has none");
	free(names);

	fd = open("/dev/null", O_WRONLY);
	fflush(stderr);
	dup2(fd, STDERR_FILENO);	/* refusals are expected */
	close(fd);
	chmod(where, 0777);
	ok(control_directory(false, path) == -EPERM, "a folder open to all is refused");
	chmod(where, 0700);
	if (!geteuid()) {
		chmod(where, 0770);
		fd = control_directory(false, path);
		ok(fd >= 0, "root's folder may be open to a group");
		close(fd);
		if (chown(where, 65534, 65534))
			printf("# cannot chown\n");
		ok(control_directory(false, path) == -EPERM, "another user's folder is refused");
		if (chown(where, 0, 0))
			printf("# cannot chown\n");
		chmod(where, 0700);
	}
	rmdir(where);
	ok(!control_names(&names, &count) && !count, "no folder: no names");
	free(names);
	snprintf(deep, sizeof(deep), "%s/real", folder);
	if (mkdir(deep, 0700) || symlink(deep, where))
		printf("# cannot make a link\n");
	ok(control_directory(true, path) < 0, "a link in its place is not followed");
	unlink(where);
	rmdir(deep);
	memset(deep, 'd', sizeof(deep));
	deep[0] = '/';
	deep[CONTROL_PATH_MAX + 1] = '\0';
	setenv("MINI_VM_RUNTIME_DIR", deep, 1);
	ok(control_directory(true, path) == -ENAMETOOLONG, "a name too long for a socket is refused");
	setenv("MINI_VM_RUNTIME_DIR", where, 1);
}

static void paths(void)
{
	char path[CONTROL_PATH_MAX + 1], want[64];

	unsetenv("MINI_VM_RUNTIME_DIR");
	setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
	control_path(path);
	ok(!strcmp(path, geteuid() ? "/run/user/7/mini-vm" : "/run/mini-vm"),
	   "the usual folder is %s", path);
	if (!geteuid() && seteuid(65534))
		exit(1);
	control_path(path);
	ok(!strcmp(path, "/run/user/7/mini-vm"), "for a user %s", path);
	setenv("XDG_RUNTIME_DIR", "relative", 1);
	control_path(path);
	snprintf(want, sizeof(want), "/tmp/mini-vm-%u", (unsigned int)geteuid());
	ok(!strcmp(path, want), "without XDG_RUNTIME_DIR %s", path);
	if (!getuid() && seteuid(0))
		exit(1);
	setenv("MINI_VM_RUNTIME_DIR", where, 1);
}

static void shows(void)
{
	char text[SHOW_SIZE] = "a\033[2Jb\tc\177d\302\233e\303\244?\n";
	json_t *vm = json_pack("{s:i,s:I,s:I,s:i,s:s}", "uptime", 90061, "memory",
			       (json_int_t)3 << 30, "little", (json_int_t)512 << 20,
			       "negative", -1, "text", "");

	show_clean(text);
	ok(!strcmp(text, "a?[2Jb?c?d?e\303\244??"), "control characters are not shown: %s", text);
	show_uptime(vm, "uptime", text);
	ok(!strcmp(text, "1-01:01:01"), "a day, an hour, a minute, a second: %s", text);
	show_memory(vm, "memory", text);
	ok(!strcmp(text, "3G"), "3 GiB: %s", text);
	show_memory(vm, "little", text);
	ok(!strcmp(text, "512M"), "512 MiB: %s", text);
	show_number(vm, "negative", text);
	ok(!strcmp(text, "-"), "a negative number is none");
	show_text(vm, "text", text);
	ok(!strcmp(text, "-"), "nor is an empty text one");
	show_memory(vm, "text", text);
	ok(!strcmp(text, "-"), "nor a text a number");
	show_uptime(NULL, "uptime", text);
	ok(!strcmp(text, "-"), "nor nothing anything");
	json_decref(vm);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	/* a shell that starts the tests in the background has it ignored */
	signal(SIGINT, SIG_DFL);
	if (!mkdtemp(folder))
		return 1;
	snprintf(where, sizeof(where), "%s/run", folder);
	setenv("MINI_VM_RUNTIME_DIR", where, 1);
	ends();
	names_taken();
	stale();
	race();
	lock();
	folders();
	paths();
	shows();
	ok(!rmdir(folder), "no file is left");
	return tap_done();
}
