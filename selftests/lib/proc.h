/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc.h - what /proc and /sys say about the module and its threads
 */
#ifndef SELFTESTS_PROC_H
#define SELFTESTS_PROC_H

#include "tap.h"

/* Tasks in /proc whose name, with a newline at its end, begins like this. */
unsigned int count_tasks(const char *prefix);
/* The id of one of them; 0: there is none. */
int task_id(const char *prefix);
/* Put them on one CPU; how many there are. */
unsigned int pin_tasks(const char *prefix, int cpu);
/* Give them a nice value; how many there are. */
unsigned int renice_tasks(const char *prefix, int nice);
/* CPU time that they have used, in clock ticks. */
long task_ticks(const char *prefix);
/* One number from a file; -1 when there is none. */
long file_number(const char *path);
/* Write text to a file; false when that fails. */
bool file_write(const char *path, const char *text);

/* References that the module has; -1 when it is not loaded. */
long module_refs(void);
/*
 * Wait, for what the kernel finishes in the background, until the module has
 * this many references and no vCPU thread of that name is left.
 */
void wait_module_refs(long refs, const char *thread_prefix);
/*
 * Load the module from $MINI_VM_KO, or where the lab has it; skips the test when
 * there is no file, -1 and errno when it does not load.  Waits for the device.
 */
int module_load(void);
/* -1 and errno when it is in use. */
int module_unload(void);
/* The child must end with status 0. */
void wait_child(int pid);

/* A generator whose numbers are the same in every run. */
struct random {
	u64 state;
};
u32 random_below(struct random *r, u32 n);

#endif
