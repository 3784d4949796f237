// SPDX-License-Identifier: GPL-2.0-only
/*
 * host.c - what has to be known of the host before a number means something:
 * its CPU, its kernel, whether that defends itself against speculation attacks,
 * and what a tick of the clock is.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench.h"

#define LOOPS	1000
#define TURN	6
#define TRIES	8

/**
 * bench_ticks() - the host's time-stamp counter
 *
 * Return: ticks.
 */
u64 bench_ticks(void)
{
	u32 low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return low | (u64)high << 32;
}

/* Six instructions a turn (TURN), all of them nothing. */
static void turn_nops(u64 n)
{
	asm volatile("1:\tnop\n\tnop\n\tnop\n\tnop\n\tdec %0\n\tjnz 1b" : "+r"(n));
}

/* And six of which one is a division. */
static void turn_divisions(u64 n)
{
	asm volatile("1:\tmov $1000, %%eax\n\txor %%edx, %%edx\n\tdivl %1\n\tnop\n\tdec %0\n\tjnz 1b"
		     : "+r"(n) : "r"(7) : "eax", "edx");
}

/* Ticks of LOOPS turns: the difference of the best of LOOPS and of 2 * LOOPS. */
static u64 slope(void (*turn)(u64 n))
{
	u64 best[2] = { ~0ULL, ~0ULL }, start, ticks;
	unsigned int i;

	for (i = 0; i < 2 * TRIES; i++) {
		start = bench_ticks();
		turn((u64)LOOPS << (i & 1));
		ticks = bench_ticks() - start;
		if (ticks < best[i & 1])
			best[i & 1] = ticks;
	}
	return best[1] - best[0];
}

static void read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, size - 1);

	text[got > 0 ? got : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

/**
 * bench_text_has_word() - is a word in a line of words?
 * @text: words, blanks between them
 * @word: what to look for, a whole word
 *
 * Return: true if it is.
 */
bool bench_text_has_word(const char *text, const char *word)
{
	static const char blanks[] = " \t\n";
	size_t length = strlen(word);

	while (*text) {
		text += strspn(text, blanks);
		if (strcspn(text, blanks) == length && !strncmp(text, word, length))
			return true;
		text += strcspn(text, blanks);
	}
	return false;
}

static void read_cpu_model(char *model, size_t size)
{
	char text[8192], *line;

	read_file("/proc/cpuinfo", text, sizeof(text));
	line = strstr(text, "model name");
	line = line ? strchr(line, ':') : NULL;
	snprintf(model, size, "%.*s", line ? (int)strcspn(line + 2, "\n") : 7,
		 line ? line + 2 : "unknown");
}

/* On a CPU a division takes many times as long as nothing. */
static bool near(u64 ticks, u64 insns)
{
	return ticks > insns - insns / 20 && ticks < insns + insns / 20;
}

/**
 * bench_clock_of() - find out what a tick is
 * @cpus: how many are online
 * @nops: ticks of instructions that do nothing
 * @divisions: and of so many of which some are divisions
 * @insns: how many
 *
 * An emulator with several CPUs lets them execute some instructions each in turn, and
 * its clock go on after that: then ticks count no instructions.
 *
 * Return: what it is.
 */
enum bench_clock bench_clock_of(long cpus, u64 nops, u64 divisions, u64 insns)
{
	if (cpus == 1 && nops == insns && divisions == insns)
		return BENCH_INSTRUCTIONS;
	return near(nops, insns) && near(divisions, insns) ? BENCH_EMULATED : BENCH_TICKS;
}

/**
 * bench_host_has_two_cpus() - can two vCPUs run at the same time?
 *
 * Return: true if this process may use two CPUs.
 */
bool bench_host_has_two_cpus(void)
{
	cpu_set_t cpus;

	/* an error: there are more than the set has room for */
	return sched_getaffinity(0, sizeof(cpus), &cpus) || CPU_COUNT(&cpus) > 1;
}

/**
 * bench_host_read() - find out about this host
 * @host: out; @tsc_khz is left alone
 */
void bench_host_read(struct bench_host *host)
{
	struct utsname name;
	char text[4096];

	read_cpu_model(host->cpu, sizeof(host->cpu));
	snprintf(host->kernel, sizeof(host->kernel), "%s", uname(&name) ? "unknown" : name.release);
	host->cpus = sysconf(_SC_NPROCESSORS_ONLN);
	read_file("/proc/cmdline", text, sizeof(text));
	host->mitigations_off = bench_text_has_word(text, "mitigations=off");
	host->halt_poll_ns = bench_halt_poll_ns();
	host->clock = bench_clock_of(host->cpus, slope(turn_nops), slope(turn_divisions),
				     TURN * LOOPS);
}

/**
 * bench_host_compute() - the guest's compute-bound loop, on the host
 *
 * Return: ticks of one turn, as bench_measure() finds them for the guest.
 */
double bench_host_compute(void)
{
	u64 best = ~0ULL, start, ticks;
	unsigned int i;

	for (i = 0; i < BENCH_COMPUTE_TRIES; i++) {
		start = bench_ticks();
		bench_compute(2 * BENCH_COMPUTE_ROUNDS);
		ticks = bench_ticks() - start;
		if (ticks < best)
			best = ticks;
	}
	return (double)best / (2 * BENCH_COMPUTE_ROUNDS);
}
