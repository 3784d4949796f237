// SPDX-License-Identifier: GPL-2.0-only
/*
 * proc.c - what /proc and /sys say about the module and its threads
 */
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <linux/mini_vm.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc.h"

/* What to do with each task that is found. */
struct task_work {
	long ticks;
	int id;		/* of the last one */
	int cpu;	/* pin it there, unless -1 */
	int nice;	/* renice it, unless -1 */
};

static unsigned int scan_tasks(const char *prefix, struct task_work *work)
{
	unsigned int n = 0;
	struct dirent *e;
	DIR *d = opendir("/proc");

	CHECK(d);
	while ((e = readdir(d))) {
		char path[300], text[512] = "", *name, *end;
		unsigned long user, system;
		int fd;

		if (e->d_name[0] < '0' || e->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/stat", e->d_name);
		fd = open(path, O_RDONLY);
		if (fd < 0)
			continue;
		if (read(fd, text, sizeof(text) - 1) < 0)
			text[0] = '\0';
		close(fd);
		name = strchr(text, '(');
		end = strrchr(text, ')');
		if (!name || !end)
			continue;
		/* as comm has it: with a newline at its end */
		*end = '\n';
		if (strncmp(name + 1, prefix, strlen(prefix)))
			continue;
		n++;
		work->id = atoi(e->d_name);
		if (work->cpu >= 0) {
			cpu_set_t set;

			CPU_ZERO(&set);
			CPU_SET(work->cpu, &set);
			CHECK_OK(sched_setaffinity(atoi(e->d_name), sizeof(set),
						   &set));
		}
		if (work->nice >= 0)
			CHECK_OK(setpriority(PRIO_PROCESS, atoi(e->d_name),
					     work->nice));
		if (sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
			   &user, &system) == 2)
			work->ticks += user + system;
	}
	closedir(d);
	return n;
}

unsigned int count_tasks(const char *prefix)
{
	struct task_work work = { .cpu = -1, .nice = -1 };

	return scan_tasks(prefix, &work);
}

int task_id(const char *prefix)
{
	struct task_work work = { .cpu = -1, .nice = -1 };

	scan_tasks(prefix, &work);
	return work.id;
}

unsigned int pin_tasks(const char *prefix, int cpu)
{
	struct task_work work = { .cpu = cpu, .nice = -1 };

	return scan_tasks(prefix, &work);
}

unsigned int renice_tasks(const char *prefix, int nice)
{
	struct task_work work = { .cpu = -1, .nice = nice };

	return scan_tasks(prefix, &work);
}

long task_ticks(const char *prefix)
{
	struct task_work work = { .cpu = -1, .nice = -1 };

	scan_tasks(prefix, &work);
	return work.ticks;
}

long file_number(const char *path)
{
	FILE *f = fopen(path, "r");
	long v = -1;

	if (!f)
		return -1;
	if (fscanf(f, "%ld", &v) != 1)
		v = -1;
	fclose(f);
	return v;
}

bool file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool ok;

	if (fd < 0)
		return false;
	ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return ok;
}

long module_refs(void)
{
	return file_number("/sys/module/mini_vm/refcnt");
}

void wait_module_refs(long refs, const char *thread_prefix)
{
	long now = -1;
	unsigned int n = 0;

	for (int ms = 0; ms < 5000; ms += 5) {
		now = module_refs();
		n = count_tasks(thread_prefix);
		if (now == refs && !n)
			return;
		usleep(5000);
	}
	FAIL("%ld references to the module, not %ld; %u threads", now, refs, n);
}

int module_load(void)
{
	const char *path = getenv("MINI_VM_KO");
	int fd, r;

	if (!path)
		path = "/lab/mini_vm.ko";
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		test_skip("%s: %m (set MINI_VM_KO)", path);
	r = syscall(SYS_finit_module, fd, "", 0);
	close(fd);
	for (int ms = 0; !r && access(MVM_DEVICE_PATH, F_OK); ms++) {
		CHECK(ms < 2000);
		usleep(1000);
	}
	return r;
}

int module_unload(void)
{
	return syscall(SYS_delete_module, "mini_vm", O_NONBLOCK);
}

void wait_child(int pid)
{
	int status;

	CHECK_EQ(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		FAIL("the child failed: status 0x%x", status);
}

u32 random_below(struct random *r, u32 n)
{
	r->state = r->state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (u32)(r->state >> 33) % n;
}
