// SPDX-License-Identifier: GPL-2.0-only
/*
 * stats.c - what "run --stats" prints at the end: exits, accesses, the
 * module's counters, and the memory of this process beside the guest's.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine.h"
#include "report.h"

/* Opened before the sandbox closes; its text is made when it is read. */
static int smaps_fd = -1;

/**
 * stats_init() - open what stats_report() will need
 *
 * Return: 0, or -1 when there is no /proc.
 */
int stats_init(void)
{
	smaps_fd = open("/proc/self/smaps", O_RDONLY | O_CLOEXEC);
	return smaps_fd < 0 ? -1 : 0;
}

/**
 * struct smaps - sums over the mappings of this process
 * @guest_start:	the guest's memory
 * @guest_end:		behind it
 * @in_guest:		the mapping being read is part of it
 * @guest:		resident KiB of it
 * @rest:		resident KiB of everything else
 */
struct smaps {
	u64 guest_start;
	u64 guest_end;
	bool in_guest;
	u64 guest;
	u64 rest;
};

static void smaps_line(struct smaps *smaps, const char *line)
{
	unsigned long long start, end, kib;

	if (sscanf(line, "%llx-%llx ", &start, &end) == 2)
		smaps->in_guest = start >= smaps->guest_start &&
				  end <= smaps->guest_end;
	else if (sscanf(line, "Rss: %llu", &kib) == 1)
		*(smaps->in_guest ? &smaps->guest : &smaps->rest) += kib;
}

static bool read_smaps(struct smaps *smaps)
{
	char buffer[1024];
	size_t used = 0;
	bool any = false;

	if (smaps_fd < 0 || lseek(smaps_fd, 0, SEEK_SET))
		return false;
	for (;;) {
		ssize_t got = read(smaps_fd, buffer + used,
				   sizeof(buffer) - 1 - used);
		char *line = buffer, *end;

		if (got <= 0)
			return any && !got;
		any = true;
		used += (size_t)got;
		buffer[used] = '\0';
		while ((end = strchr(line, '\n'))) {
			*end = '\0';
			smaps_line(smaps, line);
			line = end + 1;
		}
		used = strlen(line);
		if (used == sizeof(buffer) - 1)
			used = 0;	/* a path too long to matter */
		memmove(buffer, line, used);
	}
}

static void report_memory(const struct machine *machine)
{
	struct smaps smaps = {
		.guest_start = (u64)(uintptr_t)machine->board.mem.reserved,
	};

	smaps.guest_end = smaps.guest_start + machine->board.mem.reserved_bytes;
	if (!read_smaps(&smaps))
		return;
	report_line("memory: guest %llu KiB, beside it %llu KiB",
		    (unsigned long long)smaps.guest,
		    (unsigned long long)smaps.rest);
}

static void report_bus(const struct bus *bus)
{
	unsigned int i;

	for (i = 0; i < bus->count; i++) {
		const struct bus_range *range = &bus->ranges[i];

		if (range->reads || range->writes)
			report_line("%s %-14s %llu reads, %llu writes",
				    bus->name, range->name,
				    (unsigned long long)range->reads,
				    (unsigned long long)range->writes);
	}
	report_line("%s %-14s %llu reads, %llu writes", bus->name, "unclaimed",
		    (unsigned long long)bus->unclaimed_reads,
		    (unsigned long long)bus->unclaimed_writes);
}

static void report_module(const struct machine *machine)
{
	struct mvm_stat *stats = calloc(VM_STATS_MAX, sizeof(*stats));
	u32 count, i;

	if (!stats)
		return;
	count = vm_get_stats(&machine->vm, stats);
	for (i = 0; i < count; i++)
		report_line("module: %.*s %llu", (int)sizeof(stats[i].name),
			    (const char *)stats[i].name,
			    (unsigned long long)stats[i].value);
	free(stats);
}

/**
 * stats_report() - print the counters of a run
 * @machine: the machine, stopped, not yet taken apart
 */
void stats_report(const struct machine *machine)
{
	unsigned int i;

	for (i = 0; i < MACHINE_EXITS; i++)
		if (machine->exits[i])
			report_line("exits: %s %llu", vcpu_exit_name(i),
				    (unsigned long long)machine->exits[i]);
	report_line("resets: %llu", (unsigned long long)machine->resets);
	report_bus(&machine->board.ports);
	report_bus(&machine->board.mmio_bus);
	report_module(machine);
	report_memory(machine);
}
