// SPDX-License-Identifier: GPL-2.0-only
/*
 * show.c - the benchmark's result, as a table for people and as JSON.
 *
 * What may be said of it depends on the clock: where a tick of the TSC is one
 * instruction, these are counts of instructions on an emulated CPU, and say
 * nothing about time; with several emulated CPUs they are not even counts.
 */
#include <stdio.h>

#include "../cmd.h"
#include "bench.h"

#define FORMAT	1

static const char *const column_names[] = {
	[BENCH_PLAIN] = "mini_vm",
	[BENCH_BORROW] = "mini_vm_borrow",
	[BENCH_KVM] = "kvm",
};

static const char *const column_heads[] = {
	[BENCH_PLAIN] = "mini-vm",
	[BENCH_BORROW] = "borrowing",
	[BENCH_KVM] = "KVM",
};

static const char *const clock_names[] = {
	[BENCH_TICKS] = "ticks",
	[BENCH_EMULATED] = "emulated",
	[BENCH_INSTRUCTIONS] = "instructions",
};

/* Column over KVM's; negative: one is not known. */
static double ratio(const struct bench_cost *costs, enum bench_column column)
{
	const struct bench_cost *kvm = &costs[BENCH_KVM];

	if (!costs[column].known || !kvm->known || kvm->ticks <= 0)
		return -1;
	return costs[column].ticks / kvm->ticks;
}

/* The widest of the row; negative: there was one try. */
static double spread(const struct bench_cost *costs)
{
	double widest = 0;
	unsigned int i;

	for (i = 0; i < BENCH_COLUMNS; i++) {
		if (costs[i].known && costs[i].spread < 0)
			return BENCH_SPREAD_UNKNOWN;
		if (costs[i].known && costs[i].spread > widest)
			widest = costs[i].spread;
	}
	return widest;
}

static void show_head(const struct bench_report *report, FILE *out)
{
	const struct bench_host *host = &report->host;

	if (host->clock == BENCH_INSTRUCTIONS)
		fprintf(out, "Clock: one tick of the TSC is one instruction, so this CPU is emulated: counts of\n"
			     "       instructions, the same in each run, that say nothing about time.\n");
	else if (host->clock == BENCH_EMULATED)
		fprintf(out, "Clock: ticks of the TSC of an emulated machine, CPUs: %ld; no counts of instructions,\n"
			     "       and they say nothing about time; compare within this run only.\n",
			host->cpus);
	else if (host->cpus > 1)
		fprintf(out, "Clock: ticks of the TSC on %ld CPUs; compare within this run only.\n",
			host->cpus);
	else
		fprintf(out, "Clock: ticks of the TSC.\n");
	fprintf(out, "CPU: %s, TSC %llu kHz\n", host->cpu, (unsigned long long)host->tsc_khz);
	fprintf(out, "Kernel: %s, mitigations %s\n", host->kernel,
		host->mitigations_off ? "off" : "as the kernel chose them");
	fprintf(out, "Halt polling: up to %llu us on both\n",
		(unsigned long long)host->halt_poll_ns / 1000);
	if (report->borrows)
		fprintf(out, "mini-vm borrows: something else had the CPU's VMX in use before.\n");
	else if (report->columns[BENCH_BORROW])
		fprintf(out, "borrowing: mini-vm while a VM of KVM keeps the CPU's VMX in use.\n");
	if (report->no_kvm[0])
		fprintf(out, "KVM: not measured: %s\n", report->no_kvm);
	if (report->left_out)
		fprintf(out, "With two vCPUs: not measured: this process may use one CPU only\n");
	fprintf(out, "A round includes the loop around the operation, 2 to 8 instructions.\n\n");
}

/* Digits behind the point, as far as the column has room for them. */
static void show_number(FILE *out, const struct bench_cost *cost)
{
	if (cost->known)
		fprintf(out, " %10.*f", cost->ticks < 1e7, cost->ticks);
	else
		fprintf(out, " %10s", "-");
}

static void show_ratio(FILE *out, double value)
{
	if (value < 0)
		fprintf(out, " %6s", "-");
	else
		fprintf(out, " %6.2f", value);
}

static void show_row(const struct bench_report *report, size_t row, FILE *out)
{
	const struct bench_cost *costs = report->costs[row];
	unsigned int i;

	fprintf(out, "%-15s", report->rows[row]->op);
	for (i = 0; i < BENCH_COLUMNS; i++)
		if (report->columns[i])
			show_number(out, &costs[i]);
	if (report->columns[BENCH_KVM])
		show_ratio(out, ratio(costs, BENCH_PLAIN));
	if (report->columns[BENCH_KVM] && report->columns[BENCH_BORROW])
		show_ratio(out, ratio(costs, BENCH_BORROW));
	if (spread(costs) < 0)
		fprintf(out, " %7s", "-");
	else
		fprintf(out, " %6.1f%%", 100 * spread(costs));
	fprintf(out, "  %s\n", report->rows[row]->title);
}

static void show_compute(const struct bench_report *report, FILE *out)
{
	size_t row;
	unsigned int i;

	for (row = 0; row < report->count; row++)
		if (report->rows[row]->code == BENCH_COMPUTE)
			break;
	if (row == report->count || report->compute_host <= 0)
		return;
	fprintf(out, "\nThe compute-bound loop takes %.1f on the host; above that:",
		1000 * report->compute_host);
	for (i = 0; i < BENCH_COLUMNS; i++)
		if (report->costs[row][i].known)
			fprintf(out, " %s %+.2f%%", column_heads[i],
				100 * (report->costs[row][i].ticks / (1000 * report->compute_host) - 1));
	fprintf(out, "\n");
}

/**
 * bench_show_table() - for people
 * @report: what was found
 * @out: where to
 */
void bench_show_table(const struct bench_report *report, FILE *out)
{
	size_t row;
	unsigned int i;

	show_head(report, out);
	fprintf(out, "%-15s", "operation");
	for (i = 0; i < BENCH_COLUMNS; i++)
		if (report->columns[i])
			fprintf(out, " %10s", column_heads[i]);
	if (report->columns[BENCH_KVM])
		fprintf(out, " %6s", "ratio");
	if (report->columns[BENCH_KVM] && report->columns[BENCH_BORROW])
		fprintf(out, " %6s", "borr.");
	fprintf(out, " %7s\n", "spread");
	for (row = 0; row < report->count; row++)
		show_row(report, row, out);
	show_compute(report, out);
}

static void add(json_t *object, const char *name, json_t *value)
{
	json_object_set_new(object, name, value);
}

/* Two digits are what there is; more would be noise of the division. */
static json_t *number(double value)
{
	return json_real((double)(long long)(value * 100 + (value < 0 ? -0.5 : 0.5)) / 100);
}

static json_t *host_json(const struct bench_report *report)
{
	const struct bench_host *host = &report->host;
	json_t *object = json_object();

	add(object, "cpu", json_string(host->cpu));
	add(object, "cpus", json_integer(host->cpus));
	add(object, "kernel", json_string(host->kernel));
	add(object, "tsc_khz", json_integer((json_int_t)host->tsc_khz));
	add(object, "clock", json_string(clock_names[host->clock]));
	add(object, "mitigations", json_string(host->mitigations_off ? "off" : "default"));
	add(object, "halt_poll_ns", json_integer((json_int_t)host->halt_poll_ns));
	add(object, "borrows", json_boolean(report->borrows));
	add(object, "no_kvm", report->no_kvm[0] ? json_string(report->no_kvm) : json_null());
	return object;
}

static json_t *row_json(const struct bench_report *report, size_t row)
{
	const struct bench_cost *costs = report->costs[row];
	json_t *object = json_object();
	unsigned int i;

	add(object, "op", json_string(report->rows[row]->op));
	add(object, "title", json_string(report->rows[row]->title));
	for (i = 0; i < BENCH_COLUMNS; i++)
		add(object, column_names[i],
		    costs[i].known ? number(costs[i].ticks) : json_null());
	add(object, "ratio", ratio(costs, BENCH_PLAIN) < 0 ? json_null() :
							     json_real(ratio(costs, BENCH_PLAIN)));
	add(object, "ratio_borrow", ratio(costs, BENCH_BORROW) < 0 ?
		json_null() : json_real(ratio(costs, BENCH_BORROW)));
	add(object, "spread", spread(costs) < 0 ? json_null() : json_real(spread(costs)));
	return object;
}

/**
 * bench_show_json() - for programs
 * @report: what was found
 *
 * Return: an object, the caller's.
 */
json_t *bench_show_json(const struct bench_report *report)
{
	json_t *object = json_object(), *rows = json_array();
	size_t row;

	add(object, "format", json_integer(FORMAT));
	add(object, "mini_vm_version", json_string(MINI_VM_VERSION));
	add(object, "host", host_json(report));
	add(object, "compute_host", report->compute_host > 0 ?
		number(1000 * report->compute_host) : json_null());
	for (row = 0; row < report->count; row++)
		json_array_append_new(rows, row_json(report, row));
	add(object, "rows", rows);
	return object;
}
