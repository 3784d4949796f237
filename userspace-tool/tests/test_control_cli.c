// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_control_cli.c - build/mini-vm ps, stop, pause and stat, and VMs that
 * answer well, late, nonsense or nothing.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "control/directory.h"
#include "control/protocol.h"
#include "report.h"
#include "tap.h"

#define VM	"{\"version\":1,\"ok\":true,\"result\":{\"name\":\"other\",\"pid\":42,"	\
		"\"state\":\"running\",\"vcpus\":1,\"memory\":536870912,\"uptime\":3725,"	\
		"\"image\":\"vmlinuz\"}}\n"
#define BUTTON	"{\"version\":1,\"ok\":true,\"result\":{\"how\":\"power-button\"}}\n"
#define DEAF	"{\"version\":1,\"ok\":true,\"result\":{\"how\":\"ended-deaf\"}}\n"
#define ENDED	"{\"version\":1,\"ok\":true,\"result\":{\"how\":\"ended\"}}\n"
#define STATUS(text) "{\"version\":1,\"ok\":true,\"result\":{\"status\":" text "}}\n"

static char folder[] = "/tmp/mini-vm-test.XXXXXX";
static char where[64];
static char said[65536];

/* ------------------------------------------------------------------------
 * A VM: a process with a script
 */

static void put(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) < 0)
		_exit(1);
}

static char heard[65536];
static size_t heard_count;

/* Read until @part has come; a client that leaves ends the VM. */
static void await(int fd, const char *part)
{
	ssize_t got;

	for (;;) {
		heard[heard_count] = '\0';
		if (strstr(heard, part))
			return;
		got = read(fd, heard + heard_count, sizeof(heard) - 1 - heard_count);
		if (got <= 0)
			_exit(2);
		heard_count += (size_t)got;
	}
}

/* Serve clients one after the other; without a script, take them and be silent. */
static void be_vm(int listener, void (*script)(int fd))
{
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		heard_count = 0;
		if (!script)
			continue;
		script(fd);
		close(fd);
	}
}

static pid_t start(const char *name, void (*script)(int fd))
{
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), ready[2];
	struct sockaddr_un address;
	pid_t pid;
	char byte;

	control_address(where, name, &address);
	unlink(address.sun_path);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
	    pipe2(ready, O_CLOEXEC))
		exit(1);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		/* here: the kernel tells clients who called it */
		if (listen(listener, 5) || write(ready[1], "", 1) != 1)
			_exit(1);
		be_vm(listener, script);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		exit(1);
	close(ready[0]);
	close(listener);
	return pid;
}

static bool killed(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
	       WTERMSIG(status) == SIGKILL;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Exit status of mini-vm; what it printed, errors too, is in @said. */
static int run(const char *arguments)
{
	char command[256];
	size_t used;
	FILE *pipe;

	snprintf(command, sizeof(command), "build/mini-vm %s 2>&1 </dev/null", arguments);
	pipe = popen(command, "r");
	if (!pipe)
		exit(1);
	used = fread(said, 1, sizeof(said) - 1, pipe);
	said[used] = '\0';
	return WEXITSTATUS(pclose(pipe));
}

#define runs(arguments, want, part, name) do {				\
	int status_ = run(arguments);					\
									\
	if (!ok(status_ == (want) && strstr(said, part), "%s", name))	\
		printf("# status %d, said: %.500s\n", status_, said);	\
} while (0)

/* ------------------------------------------------------------------------
 * Scripts
 */

static void good(int fd)
{
	await(fd, "\"status\"");
	put(fd, VM);
}

static void hostile_text(int fd)
{
	await(fd, "status");
	put(fd, "{\"version\":1,\"ok\":true,\"result\":{\"state\":\"run\\u001b[2Jning\",\"vcpus\":-1,"
		"\"memory\":1e3,\"uptime\":\"long\",\"image\":\"a\\nb\\u009b31mc\"}}\n");
}

static void nonsense(int fd)
{
	await(fd, "}");
	put(fd, "hello\n");
}

static void endless(int fd)
{
	static char much[4096];
	int i;

	memset(much, 'x', sizeof(much) - 1);
	signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < 100; i++)
		if (write(fd, much, sizeof(much) - 1) < 0)
			break;
}

static void refuses(int fd)
{
	await(fd, "}");
	put(fd, "{\"version\":1,\"ok\":false,\"error\":\"failed\",\"message\":\"\\u001b[2J\"}\n");
}

static void denies(int fd)
{
	put(fd, "{\"version\":1,\"ok\":false,\"error\":\"denied\",\"message\":\"no\"}\n");
}

static void leaves(int fd)
{
	(void)fd;
}

static void powers_off(int fd)
{
	await(fd, "\"wait\"}\n");
	await(fd, "\"force\":false}\n");
	put(fd, BUTTON);
	usleep(300000);
	put(fd, STATUS("0"));
}

static void resets(int fd)
{
	await(fd, "\"force\":false}\n");
	put(fd, BUTTON STATUS("8"));
}

static void ignores_button(int fd)
{
	await(fd, "\"force\":false}\n");
	put(fd, BUTTON);
	await(fd, "\"force\":true}\n");
	put(fd, ENDED STATUS("12"));
}

static void deaf(int fd)
{
	await(fd, "\"force\":false}\n");
	put(fd, DEAF STATUS("12"));
}

static void obeys_force(int fd)
{
	await(fd, "\"force\":true}\n");
	put(fd, ENDED STATUS("12"));
}

/* ------------------------------------------------------------------------
 * The tests
 */

static void listing(void)
{
	pid_t one = start("one", good), two = start("two", hostile_text), gone;

	runs("ps", 0, "VCPUS", "ps lists");
	ok(strstr(said, "\none                   42 running          1    512M    01:02:05  vmlinuz\n"),
	   "a VM, under the name of its socket");
	ok(strstr(said, "two                    - run?[2Jning      -       -           -  a?b?31mc\n"),
	   "and another, made harmless for the terminal");
	ok(!strchr(said, '\033') && !strstr(said, "\302\233"), "without any control character");
	runs("ps --quiet", 0, "one\ntwo\n", "ps --quiet lists names");
	end(two);
	end(one);
	runs("ps --quiet", 0, "", "dead VMs are not listed");
	ok(!*said, "at all");

	gone = start("gone", leaves);
	one = start("one", good);
	runs("ps", 0, "\none ", "nor are those that hang up");
	ok(!strstr(said, "gone"), "at all");
	end(gone);
	end(one);

	one = start("babble", nonsense);
	two = start("endless", endless);
	runs("ps", 0, "unresponsive", "VMs that talk nonsense are listed as unresponsive");
	runs("stat babble", 6, "gave an answer that is none", "stat says it");
	runs("stat endless", 6, "gave an answer that is none", "also of an answer without an end");
	end(one);
	end(two);
	one = start("strict", denies);
	runs("pause strict", 6, "belongs to another user", "a VM of somebody else");
	end(one);
	one = start("newer", refuses);
	runs("resume newer", 6, "refused", "a VM that refuses");
	ok(!strchr(said, '\033'), "its words are not shown");
	end(one);
}

static void stopping(void)
{
	pid_t vm = start("vm", powers_off);

	runs("stop vm", 0, "vm: the guest powered off\n", "stop waits until the guest is off");
	end(vm);
	vm = start("vm", resets);
	runs("stop vm", 0, "vm: the guest ended with status 8\n", "or ends otherwise");
	end(vm);
	vm = start("vm", ignores_button);
	runs("stop --timeout 1 vm", 0, "vm: the guest did not power off within 1 s; it was ended\n",
	     "a guest that takes too long is ended");
	end(vm);
	vm = start("vm", deaf);
	runs("stop vm", 0, "vm: ended; the guest heeds no power button\n",
	     "so is one that heeds no button");
	end(vm);
	vm = start("vm", obeys_force);
	runs("stop --force vm", 0, "vm: ended\n", "by force");
	end(vm);
	vm = start("vm", leaves);
	runs("stop vm", 6, "has just ended", "a VM that hangs up");
	end(vm);
	vm = start("vm", NULL);
	runs("stop vm", 6, "does not answer", "a VM that is silent");
	runs("stop --force vm", 0, "vm: did not answer; its process was killed\n", "is killed by force");
	ok(killed(vm), "indeed");
}

static void silent(void)
{
	pid_t vms[3];
	char name[8];
	time_t begin;
	int i;

	for (i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "vm%d", i);
		vms[i] = start(name, NULL);
	}
	begin = time(NULL);
	runs("ps --json", 0, "\"state\": \"unresponsive\"", "silent VMs are listed");
	ok(time(NULL) - begin < 9, "and keep ps waiting only once");
	snprintf(said, sizeof(said) - 1, "%s", strstr(said, "vm2") ? "vm2" : "");
	ok(*said, "all of them");
	for (i = 0; i < 3; i++)
		end(vms[i]);
}

int main(void)
{
	char command[128];

	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(folder))
		return 1;
	snprintf(where, sizeof(where), "%s/run", folder);
	if (mkdir(where, 0700))
		return 1;
	setenv("MINI_VM_RUNTIME_DIR", where, 1);
	listing();
	stopping();
	silent();
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command) || tap_done();
}
