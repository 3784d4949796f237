// SPDX-License-Identifier: GPL-2.0-only
/*
 * pin.c - parses --pin and moves this thread to a host CPU.
 *
 * A vCPU's thread begins on the CPUs that the thread which makes the vCPU may
 * use.  So machine.c moves this one before it makes a vCPU, and back after it.
 * The system calls are made directly: libc's functions know 1024 CPUs.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pin.h"

#define BITS	(8 * sizeof(unsigned long))

/* A CPU's number at @text; @text moves behind it.  False: there is none. */
static bool take_number(const char **text, unsigned int *number)
{
	unsigned long value;
	char *end;

	if (!isdigit((unsigned char)**text))
		return false;
	value = strtoul(*text, &end, 10);
	if (value >= PIN_CPUS_MAX)
		return false;
	*text = end;
	*number = (unsigned int)value;
	return true;
}

/**
 * pin_parse() - read a list of host CPUs
 * @text: numbers and ranges, separated by commas: "0,2-3"
 * @list: out
 *
 * Return: NULL, or what is wrong.
 */
const char *pin_parse(const char *text, struct pin_list *list)
{
	list->count = 0;
	do {
		unsigned int first, last;

		if (!take_number(&text, &first))
			return "write CPU numbers as in 0,2-3";
		last = first;
		if (*text == '-' && (text++, !take_number(&text, &last) || last < first))
			return "a range is two CPU numbers, the higher one last";
		if (last - first >= PIN_LIST_MAX - list->count)
			return "these are too many CPUs";
		while (first <= last)
			list->cpus[list->count++] = (u16)first++;
	} while (*text == ',' && *++text);
	return *text ? "write CPU numbers as in 0,2-3" : text[-1] == ',' ? "a number is missing" : NULL;
}

static int set_mask(const struct pin_mask *mask)
{
	return syscall(SYS_sched_setaffinity, 0, mask->bytes, mask->bits) ? -errno : 0;
}

/**
 * pin_save() - where may this thread run?
 * @mask: out, for pin_restore()
 *
 * Return: 0 or -errno.
 */
int pin_save(struct pin_mask *mask)
{
	long bytes = syscall(SYS_sched_getaffinity, 0, sizeof(mask->bits), mask->bits);

	if (bytes < 0)
		return -errno;
	mask->bytes = (size_t)bytes;
	return 0;
}

/**
 * pin_restore() - let this thread run where it did
 * @mask: from pin_save()
 *
 * Return: 0 or -errno.
 */
int pin_restore(const struct pin_mask *mask)
{
	return set_mask(mask);
}

/**
 * pin_set() - move this thread to the CPU of a vCPU
 * @list: not empty
 * @vcpu: number of the vCPU
 *
 * Return: 0 or -errno; -EINVAL: there is no such CPU, or it may not be used.
 */
int pin_set(const struct pin_list *list, unsigned int vcpu)
{
	unsigned int cpu = list->cpus[vcpu % list->count];
	struct pin_mask mask = { .bytes = sizeof(mask.bits) };

	mask.bits[cpu / BITS] = 1UL << cpu % BITS;
	return set_mask(&mask);
}
