// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_bench.c - "mini-vm bench": what operations of a guest cost, on mini-vm
 * and, where there is one, on KVM.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/boot.h"
#include "cmd.h"
#include "pin.h"
#include "report.h"
#include "vm.h"

#define KEY_JSON	'j'
#define KEY_LIST	'l'
#define KEY_TRIES	't'
#define KEY_KERNEL	'k'
#define KEY_INITRD	'i'
#define KEY_APPEND	'a'
#define KEY_NO_KVM	256
#define KEY_MARK	257

#define TRIES		8
#define TRIES_MAX	1000

/* The machine of the boot: that of "mini-vm run". */
#define BOOT_MEMORY	(256 * MIB)

/* Rounds before the marks of --mark, and between them. */
#define MARK_BEFORE	4
#define MARK_ROUNDS	4

/**
 * struct choice - what the user asked for
 * @json:	file for the JSON, "-" for standard output, or NULL
 * @list:	only say what there is
 * @no_kvm:	leave KVM alone
 * @mark:	no measurement, but marked rounds for an emulator's debugger
 * @tries:	series of each kind
 * @boot:	the machine that boots; no boot without its image and initial RAM disk
 */
struct choice {
	const char *json;
	bool list;
	bool no_kvm;
	bool mark;
	unsigned int tries;
	struct machine_config boot;
};

static const struct argp_option options[] = {
	{ "json", KEY_JSON, "FILE", 0, "write a JSON object to FILE, too; -: instead of the table", 0 },
	{ "list", KEY_LIST, NULL, 0, "list the operations and measure nothing", 0 },
	{ "tries", KEY_TRIES, "N", 0, "time N series of each length (default 8)", 0 },
	{ "no-kvm", KEY_NO_KVM, NULL, 0, "measure mini-vm alone", 0 },
	{ "kernel", KEY_KERNEL, "FILE", 0, "for the operation boot: a Linux kernel", 0 },
	{ "initrd", KEY_INITRD, "FILE", 0, "its initial RAM disk, whose init writes 21 to the port 0xf4", 0 },
	{ "append", KEY_APPEND, "STRING", 0, "its command line", 0 },
	{ "mark", KEY_MARK, NULL, 0, "measure nothing; mark the beginning and the end of some rounds of each operation with XCHG BX, BX for an emulator's debugger", 0 },
	{ NULL, 0, NULL, 0, NULL, 0 },
};

static error_t take_option(int key, char *argument, struct argp_state *state, void *context)
{
	struct choice *choice = context;
	char *end;
	long tries;

	switch (key) {
	case KEY_JSON:
		choice->json = argument;
		return 0;
	case KEY_LIST:
		choice->list = true;
		return 0;
	case KEY_NO_KVM:
		choice->no_kvm = true;
		return 0;
	case KEY_MARK:
		choice->mark = true;
		return 0;
	case KEY_KERNEL:
		choice->boot.files.image_path = argument;
		return 0;
	case KEY_INITRD:
		choice->boot.files.initrd_path = argument;
		return 0;
	case KEY_APPEND:
		choice->boot.files.command_line = argument;
		return 0;
	case KEY_TRIES:
		errno = 0;
		tries = strtol(argument, &end, 10);
		if (errno || end == argument || *end || tries < 1 || tries > TRIES_MAX)
			argp_error(state, "'%s' is not a number of tries from 1 to %d", argument,
				   TRIES_MAX);
		choice->tries = (unsigned int)tries;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct cmd_line line = {
	.options = options,
	.option = take_option,
	.args_doc = "[OPERATION...]",
	.thing = "operation",
	.many = true,
	.optional = true,
	.doc = "Measure what operations of a guest cost, on mini-vm and on KVM.",
};

static void list_rows(void)
{
	size_t i;

	for (i = 0; i < bench_row_count; i++)
		printf("%-15s %s%s\n", bench_rows[i].op, bench_rows[i].title,
		       bench_rows[i].second ? " (needs two CPUs)" : "");
}

/* Is there what the boot needs? */
static bool can_boot(const struct choice *choice)
{
	return choice->boot.files.image_path && choice->boot.files.initrd_path;
}

static int add_named(struct bench_report *report, const char *name, const struct choice *choice)
{
	const struct bench_row *row = bench_row(name);

	if (!row) {
		report_error("'%s' is not an operation; 'mini-vm bench --list' lists them", name);
		return STATUS_USAGE;
	}
	if (row->second && !bench_host_has_two_cpus()) {
		report_error("'%s' needs two CPUs, and this process may use one only", name);
		return STATUS_MACHINE;
	}
	if (row->boot && !can_boot(choice)) {
		report_error("the operation boot needs a kernel and its initial RAM disk; name them with --kernel and --initrd");
		return STATUS_USAGE;
	}
	if (row->boot && choice->mark) {
		report_error("the operation boot has no rounds to mark; leave it out, or --mark");
		return STATUS_USAGE;
	}
	report->rows[report->count++] = row;
	return STATUS_OK;
}

/* What this machine has the CPUs for; the boot only with a kernel, and not to be marked. */
static void add_all(struct bench_report *report, const struct choice *choice)
{
	size_t i;

	for (i = 0; i < bench_row_count; i++)
		if (bench_rows[i].second && !bench_host_has_two_cpus())
			report->left_out = true;
		else if (!bench_rows[i].boot || (can_boot(choice) && !choice->mark))
			report->rows[report->count++] = &bench_rows[i];
}

/* Those named, or all. */
static int choose_rows(struct bench_report *report, char **names, const struct choice *choice)
{
	size_t named = 0, i;
	int status = STATUS_OK;

	while (names && names[named])
		named++;
	report->rows = calloc(named ? named : bench_row_count, sizeof(*report->rows));
	report->costs = calloc(named ? named : bench_row_count, sizeof(*report->costs));
	if (!report->rows || !report->costs) {
		report_error("there is no memory for so many operations");
		return STATUS_RESOURCE;
	}
	for (i = 0; status == STATUS_OK && i < named; i++)
		status = add_named(report, names[i], choice);
	if (!named)
		add_all(report, choice);
	return status;
}

/* Has one of the operations to do with this? */
static bool wants(const struct bench_report *report, bool (*with)(const struct bench_row *row))
{
	size_t row;

	for (row = 0; row < report->count; row++)
		if (with(report->rows[row]))
			return true;
	return false;
}

static bool is_boot(const struct bench_row *row)
{
	return row->boot;
}

static bool is_operation(const struct bench_row *row)
{
	return !row->boot;
}

static bool is_compute(const struct bench_row *row)
{
	return row->code == BENCH_COMPUTE;
}

/* What is wrong with the files can be said before anything is measured. */
static int open_boot(const struct bench_report *report, struct choice *choice)
{
	struct boot_files *files = &choice->boot.files;
	int status;

	if (!wants(report, is_boot))
		return STATUS_OK;
	status = image_open(files);
	if (status == STATUS_OK && files->type != IMAGE_BZIMAGE && files->type != IMAGE_ELF) {
		report_error("%s is not a Linux kernel, which the operation boot needs",
			     files->image_path);
		status = STATUS_RESOURCE;
	}
	return status;
}

static const struct bench_backend *backend_of(enum bench_column column)
{
	return column == BENCH_KVM ? &bench_kvm : &bench_mini_vm;
}

static unsigned int vcpus_of(const struct bench_row *row)
{
	return row->second ? BENCH_VCPUS : 1;
}

static int measure_in_vm(struct bench_report *report, size_t row, enum bench_column column,
			 const struct choice *choice, bool *borrows)
{
	struct bench_vm vm;
	int status = bench_vm_create(&vm, backend_of(column), vcpus_of(report->rows[row]));

	if (status != STATUS_OK)
		return status;
	vm.lend = report->rows[row]->lend;
	status = bench_wire(&vm, report->rows[row]);
	if (status == STATUS_OK) {
		status = bench_measure(&vm, report->rows[row], choice->tries, report->host.tsc_khz,
				       &report->costs[row][column]);
		status = bench_unwire(&vm, report->rows[row], status);
	}
	if (status == STATUS_OK && column != BENCH_KVM)
		*borrows = bench_mini_vm_borrows(&vm);
	bench_vm_destroy(&vm);
	return status;
}

static int measure_operation(struct bench_report *report, size_t row, enum bench_column column,
			     const struct choice *choice, bool *borrows)
{
	struct pin_mask before;
	int status;

	if (!report->rows[row]->rival)
		return measure_in_vm(report, row, column, choice, borrows);
	status = bench_rival_stay(&before);
	if (status != STATUS_OK)
		return status;
	status = measure_in_vm(report, row, column, choice, borrows);
	pin_restore(&before);
	return status;
}

/* One row of one column, in a VM of its own. */
static int measure_one(struct bench_report *report, size_t row, enum bench_column column,
		       const struct choice *choice)
{
	bool borrows = false;
	int status;

	if (report->rows[row]->boot)
		status = bench_boot(&choice->boot, column, &report->costs[row][column], &borrows);
	else
		status = measure_operation(report, row, column, choice, &borrows);
	if (status == STATUS_OK && column != BENCH_KVM &&
	    borrows != (column == BENCH_BORROW)) {
		/* Without KVM's help it is not to borrow; then there is one column. */
		report->borrows = column == BENCH_PLAIN;
		if (column == BENCH_BORROW) {
			report_error("KVM has a VM, and mini-vm does not find VMX in use");
			status = STATUS_RESOURCE;
		}
	}
	return status;
}

/* A boot borrows in no column of its own: it takes too long. */
static int measure_column(struct bench_report *report, enum bench_column column,
			  const struct choice *choice)
{
	int status = STATUS_OK;
	size_t row;

	report->columns[column] = true;
	for (row = 0; status == STATUS_OK && row < report->count; row++)
		if (column != BENCH_BORROW || !report->rows[row]->boot)
			status = measure_one(report, row, column, choice);
	return status;
}

static int measure_all(struct bench_report *report, const struct choice *choice)
{
	int status, hold;

	status = measure_column(report, BENCH_PLAIN, choice);
	if (status != STATUS_OK)
		return status;
	if (wants(report, is_compute))
		report->compute_host = bench_host_compute();
	if (report->no_kvm[0])
		return STATUS_OK;
	if (!report->borrows && wants(report, is_operation)) {
		hold = bench_kvm_hold();
		if (hold < 0)
			return STATUS_RESOURCE;
		status = measure_column(report, BENCH_BORROW, choice);
		bench_kvm_release(hold);
	}
	return status == STATUS_OK ? measure_column(report, BENCH_KVM, choice) : status;
}

/* Rounds of each row between two marks; prints in which order. */
static int mark_one(const struct bench_row *row, enum bench_column column)
{
	u64 rounds = row->rounds && row->rounds < MARK_ROUNDS ? row->rounds : MARK_ROUNDS;
	struct bench_vm vm;
	int status = bench_vm_create(&vm, backend_of(column), vcpus_of(row));

	if (status != STATUS_OK)
		return status;
	vm.lend = row->lend;
	status = bench_wire(&vm, row);
	if (status == STATUS_OK)
		status = bench_unwire(&vm, row, bench_mark(&vm, row, MARK_BEFORE, rounds));
	bench_vm_destroy(&vm);
	if (status == STATUS_OK)
		printf("%s %s %llu\n", row->op, column == BENCH_KVM ? "kvm" : "mini_vm",
		       (unsigned long long)rounds);
	return status;
}

static int mark_all(struct bench_report *report)
{
	int status = STATUS_OK;
	size_t row;

	for (row = 0; status == STATUS_OK && row < report->count; row++) {
		status = mark_one(report->rows[row], BENCH_PLAIN);
		if (status == STATUS_OK && !report->no_kvm[0])
			status = mark_one(report->rows[row], BENCH_KVM);
	}
	return status;
}

static int write_json(const struct bench_report *report, const char *path)
{
	json_t *json = bench_show_json(report);
	FILE *file = strcmp(path, "-") ? fopen(path, "we") : stdout;
	int error = 0;

	if (!file || json_dumpf(json, file, JSON_INDENT(2)) || putc('\n', file) == EOF)
		error = errno;
	if (file && file != stdout && fclose(file) && !error)
		error = errno;
	json_decref(json);
	if (!error)
		return STATUS_OK;
	report_error("%s: cannot write the result there: %s", path, strerror(error));
	return STATUS_RESOURCE;
}

/* The module must be there; KVM need not. */
static int look_around(struct bench_report *report, const struct choice *choice)
{
	struct vm vm;
	int status = vm_open_device(&vm);

	if (status != STATUS_OK)
		return status;
	report->host.tsc_khz = vm.info.tsc_khz;
	vm_close_device(&vm);
	bench_host_read(&report->host);
	if (choice->no_kvm)
		snprintf(report->no_kvm, sizeof(report->no_kvm), "not wanted (--no-kvm)");
	else
		bench_kvm_usable(report->no_kvm, sizeof(report->no_kvm));
	return STATUS_OK;
}

/**
 * cmd_bench() - the bench subcommand
 * @argc: arguments from "bench" on
 * @argv: likewise
 *
 * Return: STATUS_OK, STATUS_USAGE, STATUS_MACHINE or STATUS_RESOURCE.
 */
int cmd_bench(int argc, char **argv)
{
	struct choice choice = {
		.tries = TRIES,
		.boot = {
			.name = "bench",
			.cpus = 1,
			.kvm = true,
			.memory = BOOT_MEMORY,
			.files = { .command_line = "", .image_fd = -1, .initrd_fd = -1 },
			.debugcon_fd = STDERR_FILENO,
		},
	};
	struct bench_report report = { .count = 0 };
	char **names;
	int status = cmd_parse(&line, argc, argv, &choice, &names);

	if (status == STATUS_OK && choice.list) {
		list_rows();
		return STATUS_OK;
	}
	if (status == STATUS_OK)
		status = choose_rows(&report, names, &choice);
	if (status == STATUS_OK)
		status = open_boot(&report, &choice);
	if (status == STATUS_OK)
		status = look_around(&report, &choice);
	if (status == STATUS_OK)
		status = choice.mark ? mark_all(&report) : measure_all(&report, &choice);
	if (status == STATUS_OK && !choice.mark) {
		if (!choice.json || strcmp(choice.json, "-"))
			bench_show_table(&report, stdout);
		if (choice.json)
			status = write_json(&report, choice.json);
	}
	image_close(&choice.boot.files);
	free(report.rows);
	free(report.costs);
	return status;
}
