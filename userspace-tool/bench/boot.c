// SPDX-License-Identifier: GPL-2.0-only
/*
 * boot.c - boots a kernel once on a back end and says how long that took.
 *
 * Both have the board of "mini-vm run": board.c.  On mini-vm, machine.c puts vCPUs
 * on it as that command does; on KVM, boot_kvm.c.  The clock goes from the moment
 * before the vCPU first enters the guest to the one after the guest has written to
 * the debug-exit port.  What the guest says goes nowhere, and its last lines are
 * shown if it does not come so far.
 */
#include <stdlib.h>
#include <string.h>

#include "../machine.h"
#include "../report.h"
#include "boot.h"

/* debug_exit.c */
#define BOOT_STATUS	(BOOT_CODE << 1 | 1)
/* longer than any boot */
#define BOOT_SECONDS	300
/* of a guest that failed */
#define BOOT_LINES	15

/**
 * boot_console_put() - keep a byte of what the guest says
 * @console: struct boot_console
 * @byte: the byte
 */
void boot_console_put(void *console, u8 byte)
{
	struct boot_console *kept = console;

	kept->last[kept->count++ % BOOT_KEPT] = (char)byte;
}

/**
 * boot_console_text() - what the guest said last
 * @console: what was kept
 * @lines: so many lines at most
 * @text: out: lines and blanks of ASCII; other bytes are question marks
 */
void boot_console_text(const struct boot_console *console, unsigned int lines,
		       char text[BOOT_KEPT + 1])
{
	u64 count = console->count < BOOT_KEPT ? console->count : BOOT_KEPT;
	char *end = text, *begin;
	u64 i;

	for (i = console->count - count; i < console->count; i++) {
		char c = console->last[i % BOOT_KEPT];

		if (c != '\r')
			*end++ = c == '\n' || (c >= ' ' && c <= '~') ? c : '?';
	}
	while (end > text && end[-1] == '\n')
		end--;
	*end = '\0';
	for (begin = end; begin > text; begin--)
		if (begin[-1] == '\n' && !--lines)
			break;
	memmove(text, begin, (size_t)(end - begin) + 1);
}

/**
 * boot_counts() - did the guest end as a boot is to end?
 * @status: exit status of the run
 * @why: out: why not, behind "the guest "; empty: that has been reported
 * @size: of @why
 *
 * Return: true if so.
 */
bool boot_counts(int status, char *why, size_t size)
{
	why[0] = '\0';
	if (status == STATUS_OK)
		snprintf(why, size, "switched itself off");
	else if (status == STATUS_RESET)
		snprintf(why, size, "reset itself");
	else if (status == STATUS_KILLED)
		snprintf(why, size, "was not there after %d s", BOOT_SECONDS);
	else if (status & 1 && status != BOOT_STATUS)
		snprintf(why, size, "wrote %d to the debug-exit port, and not %d", status >> 1,
			 BOOT_CODE);
	return status == BOOT_STATUS;
}

static void too_late(void *context)
{
	struct board *board = context;

	board->env.request(&board->env, REQUEST_EXIT, STATUS_KILLED);
}

/**
 * boot_limit() - end the run when it takes too long
 * @timer: to initialise; loop_timer_close() is due when the run is over
 * @board: what runs
 *
 * Return: STATUS_OK, or STATUS_RESOURCE after a report.
 */
int boot_limit(struct loop_timer *timer, struct board *board)
{
	int error = loop_timer_init(timer, &board->loop, too_late, board);

	if (error) {
		report_error("there is no timer for the benchmark: %s", strerror(-error));
		return STATUS_RESOURCE;
	}
	loop_timer_set(timer, loop_now() + BOOT_SECONDS * NSEC_PER_SEC);
	return STATUS_OK;
}

static int run(struct machine *machine, u64 *ticks)
{
	struct loop_timer limit;
	int status = boot_limit(&limit, &machine->board);

	if (status != STATUS_OK)
		return status;
	*ticks = bench_ticks();
	status = machine_run(machine);
	*ticks = bench_ticks() - *ticks;
	loop_timer_close(&limit);
	return status;
}

static int boot_on_mini_vm(const struct machine_config *config, u64 *ticks, bool *borrows)
{
	struct machine *machine = malloc(sizeof(*machine));
	int status;

	if (!machine) {
		report_error("there is no memory for the benchmark");
		return STATUS_RESOURCE;
	}
	status = machine_create(machine, config);
	if (status == STATUS_OK) {
		status = run(machine, ticks);
		*borrows = bench_vm_borrows(&machine->vm);
	}
	machine_destroy(machine);
	free(machine);
	return status;
}

static void show_last_words(const struct boot_console *console)
{
	char text[BOOT_KEPT + 1], *rest = text, *line;

	report_line("It said %llu bytes, at the end:", (unsigned long long)console->count);
	boot_console_text(console, BOOT_LINES, text);
	while ((line = strsep(&rest, "\n")))
		report_line("  %s", line);
}

/**
 * bench_boot() - boot a kernel
 * @what: the machine, its files open; the output and what a reset does are chosen here
 * @column: BENCH_KVM, or a column of mini-vm
 * @cost: out
 * @borrows: out, unless on KVM: mini-vm has borrowed VMX
 *
 * Return: STATUS_OK, or another status after a report: the guest must end the run by
 * writing BOOT_CODE to the debug-exit port.
 */
int bench_boot(const struct machine_config *what, enum bench_column column,
	       struct bench_cost *cost, bool *borrows)
{
	struct machine_config config = *what;
	struct boot_console console = { .count = 0 };
	char why[80];
	u64 ticks = 0;
	int status;

	config.output = boot_console_put;
	config.output_context = &console;
	config.reset_exits = true;
	status = column == BENCH_KVM ? boot_on_kvm(&config, &ticks) :
				       boot_on_mini_vm(&config, &ticks, borrows);
	if (boot_counts(status, why, sizeof(why))) {
		*cost = (struct bench_cost) { true, (double)ticks, BENCH_SPREAD_UNKNOWN };
		return STATUS_OK;
	}
	if (why[0])
		report_error("the kernel did not come to its init on %s: the guest %s",
			     column == BENCH_KVM ? "KVM" : "mini-vm", why);
	if (console.count)
		show_last_words(&console);
	return status == STATUS_MACHINE ? status : STATUS_RESOURCE;
}
