// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_bench.c - the benchmark without a VM: its rows, what it makes of
 * measurements, how it shows them, and that its guest can be placed.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "bench/bench.h"
#include "bench/boot.h"
#include "report.h"
#include "tap.h"

static struct bench_cost costs[2][BENCH_COLUMNS];
static const struct bench_row *rows[2];
static struct bench_report report;
static char text[8192];

static void new_report(void)
{
	memset(costs, 0, sizeof(costs));
	memset(&report, 0, sizeof(report));
	rows[0] = bench_row("cpuid");
	rows[1] = bench_row("compute");
	report.rows = rows;
	report.costs = costs;
	report.count = 2;
	report.compute_host = 8;
	report.host.tsc_khz = 200000;
	report.host.cpus = 1;
	report.host.clock = BENCH_INSTRUCTIONS;
	strcpy(report.host.cpu, "a CPU");
	strcpy(report.host.kernel, "6.1.0");
	report.columns[BENCH_PLAIN] = true;
	report.columns[BENCH_BORROW] = true;
	report.columns[BENCH_KVM] = true;
	costs[0][BENCH_PLAIN] = (struct bench_cost) { true, 150, 0.01 };
	costs[0][BENCH_BORROW] = (struct bench_cost) { true, 300, 0 };
	costs[0][BENCH_KVM] = (struct bench_cost) { true, 1000, 0.25 };
	costs[1][BENCH_PLAIN] = (struct bench_cost) { true, 8040, 0 };
}

static const char *table(void)
{
	FILE *file = fmemopen(text, sizeof(text) - 1, "w");

	memset(text, 0, sizeof(text));
	bench_show_table(&report, file);
	fclose(file);
	return text;
}

#define shows(words, name) do {						\
	if (!ok(strstr(table(), words), "%s", name))			\
		printf("# the table:\n%s\n", text);			\
} while (0)

static void test_rows(void)
{
	size_t i, j, doubles = 0, bad = 0;

	for (i = 0; i < bench_row_count; i++) {
		const struct bench_row *row = &bench_rows[i];

		for (j = 0; j < i; j++)
			doubles += !strcmp(row->op, bench_rows[j].op);
		bad += !row->title || (row->code == BENCH_NOTHING) != row->boot || strlen(row->op) > 15 ||
		       strcspn(row->op, " ,=") != strlen(row->op);
		bad += row->code == BENCH_TOUCH_2M &&
		       2 * row->rounds * BENCH_PAGE_2M > BENCH_TOUCH_END - BENCH_TOUCH;
		bad += row->code == BENCH_TOUCH_4K &&
		       2 * row->rounds * BENCH_PAGE_4K > BENCH_TOUCH_END - BENCH_TOUCH;
		bad += (row->code == BENCH_OUT_WIRED) != (row->wiring != BENCH_NO_WIRE) ||
		       (row->waiter && row->wiring != BENCH_BELL);
		/* mini-vm's thread cannot lend itself to two vCPUs */
		bad += row->second && (row->lend || row->wiring || !row->delay_us || !row->keep_delay);
		/* what is kept is taken 100 times at least; KVM's ring is the smaller one */
		bad += row->wiring == BENCH_POST &&
		       row->rounds < 100 * (MVM_RING_ENTRIES + 1);
	}
	is(doubles, 0, "each operation has a name of its own");
	is(bad, 0, "each has a title and something to do, stays in its memory, and fills its ring 100 times");
	ok(bench_row("cpuid") && !bench_row("cpu") && !bench_row(""), "rows are found by whole names");
}

static void test_words(void)
{
	ok(bench_text_has_word("quiet mitigations=off\n", "mitigations=off"), "the last word is found");
	ok(bench_text_has_word("mitigations=off quiet", "mitigations=off"), "the first word is found");
	ok(!bench_text_has_word("x.mitigations=off", "mitigations=off"), "a word's end is no word");
	ok(!bench_text_has_word("mitigations=off,nosmt", "mitigations=off"), "nor its beginning");
	ok(!bench_text_has_word("", "a"), "nothing has no words");
}

static void test_clock(void)
{
	is(bench_clock_of(1, 6000, 6000, 6000), BENCH_INSTRUCTIONS,
	   "where each instruction takes a tick, ticks are instructions");
	is(bench_clock_of(1, 6000, 6001, 6000), BENCH_EMULATED, "where one takes two, they are not");
	is(bench_clock_of(2, 6000, 6000, 6000), BENCH_EMULATED, "nor where there are two CPUs");
	is(bench_clock_of(2, 5952, 6064, 6000), BENCH_EMULATED, "an emulator's clock may go in steps");
	is(bench_clock_of(2, 6000, 26000, 6000), BENCH_TICKS, "where divisions take longer, a CPU is real");
	is(bench_clock_of(1, 1500, 6000, 6000), BENCH_TICKS, "and where NOPs take less");
}

static void test_table(void)
{
	new_report();
	shows("cpuid                150.0      300.0     1000.0   0.15   0.30   25.0%  CPUID\n",
	      "a row has all columns, both ratios and the widest spread");
	shows("compute             8040.0          -          -      -      -    0.0%",
	      "what was not measured is a dash");
	shows("takes 8000.0 on the host; above that: mini-vm +0.50%\n", "the compute-bound loop is held against the host's");
	shows("one tick of the TSC is one instruction, so this CPU is emulated", "the clock is named");
	shows("mitigations as the kernel chose them", "and the mitigations");
	ok(!strstr(text, "faster"), "nothing is said to be faster");
	report.host.clock = BENCH_TICKS;
	report.host.mitigations_off = true;
	shows("Clock: ticks of the TSC.\n", "a clock that does not count instructions is named");
	shows("mitigations off", "mitigations that are off are named");
	report.host.cpus = 2;
	shows("on 2 CPUs; compare within this run only", "and the number of CPUs");
	report.host.clock = BENCH_EMULATED;
	shows("TSC of an emulated machine, CPUs: 2; no counts of instructions,\n",
	      "two emulated CPUs do not count instructions");
	ok(!strstr(table(), "With two vCPUs"), "where nothing is left out, nothing is said");
	report.left_out = true;
	shows("With two vCPUs: not measured: this process may use one CPU only\n",
	      "what is left out is named");
}

static void test_without_kvm(void)
{
	new_report();
	report.columns[BENCH_BORROW] = false;
	report.columns[BENCH_KVM] = false;
	strcpy(report.no_kvm, "there is no /dev/kvm here");
	costs[0][BENCH_BORROW].known = false;
	costs[0][BENCH_KVM].known = false;
	shows("KVM: not measured: there is no /dev/kvm here\n", "without KVM the table says why");
	shows("cpuid                150.0    1.0%  CPUID\n", "and has one column");
	report.borrows = true;
	shows("had the CPU's VMX in use before", "VMX in use beforehand is named");
}

/* A back end that only wires. */
static enum bench_wiring wired;
static int wire_status;

static int wire(struct bench_vm *vm, enum bench_wiring wiring)
{
	(void)vm;
	wired = wiring;
	return wire_status;
}

static const struct bench_backend wires = { .name = "a back end", .wire = wire };

/* Bells that were rung while @asked were asked for: what comes of it? */
static int ring(const char *op, u64 asked, u64 rung, int status)
{
	struct bench_vm vm = { .backend = &wires, .asked = asked };
	const struct bench_row *row = bench_row(op);

	wired = BENCH_NO_WIRE;
	if (bench_wire(&vm, row) != STATUS_OK)
		return -1;
	if (row->wiring == BENCH_POST)
		vm.delivered = rung;
	for (; row->wiring == BENCH_BELL && rung; rung--)
		eventfd_write(vm.bell, 1);
	status = bench_unwire(&vm, row, status);
	return row->wiring == BENCH_NO_WIRE || close(vm.bell) ? status : -2;
}

static void test_wires(void)
{
	is(ring("cpuid", 5, 0, STATUS_OK), STATUS_OK, "an operation without a wire gets none");
	is(wired, BENCH_NO_WIRE, "from the back end either");
	is(ring("doorbell", 1000, 1000, STATUS_OK), STATUS_OK, "each ring of a bell is counted");
	is(wired, BENCH_BELL, "when the back end has wired it");
	is(ring("doorbell", 1000, 999, STATUS_OK), STATUS_RESOURCE, "one that is lost is an error");
	is(ring("doorbell-wake", 1000, 1000, STATUS_OK), STATUS_OK, "who sleeps counts them, too");
	is(ring("doorbell-wake", 1000, 1001, STATUS_OK), STATUS_RESOURCE, "one too many is an error");
	is(ring("out-posted", 1000, 1000, STATUS_OK), STATUS_OK, "the back end counts what is posted");
	is(wired, BENCH_POST, "when it has wired that");
	is(ring("out-posted", 1000, 0, STATUS_OK), STATUS_RESOURCE, "what is not is an error");
	is(ring("doorbell", 1000, 0, STATUS_MACHINE), STATUS_MACHINE, "a measurement's own failure stays");
	wire_status = STATUS_MACHINE;
	is(ring("doorbell", 0, 0, STATUS_OK), -1, "a back end may refuse");
	wire_status = STATUS_OK;
}

/* What a console says of @said, in @lines lines. */
static const char *last_words(const char *said, unsigned int lines)
{
	static char words[BOOT_KEPT + 1];
	static struct boot_console console;

	memset(&console, 0, sizeof(console));
	memset(words, 'x', sizeof(words));
	for (; *said; said++)
		boot_console_put(&console, (u8)*said);
	boot_console_text(&console, lines, words);
	return words;
}

static void test_console(void)
{
	static char much[3 * BOOT_KEPT];
	size_t i;

	ok(!strcmp(last_words("", 3), ""), "who says nothing has no last words");
	ok(!strcmp(last_words("one\r\ntwo\r\n\n", 3), "one\ntwo"), "lines end in any way");
	ok(!strcmp(last_words("one\ntwo\nthree", 2), "two\nthree"), "the last ones are kept");
	ok(!strcmp(last_words("one\n", 1), "one"), "also when there is one");
	ok(!strcmp(last_words("\033[2Jred\x80\t", 3), "?[2Jred??"), "what a terminal would heed is not passed on");
	for (i = 0; i < sizeof(much) - 1; i++)
		much[i] = i % 64 == 63 ? '\n' : (char)('a' + i / 64 % 26);
	is(strlen(last_words(much, ~0U)), BOOT_KEPT, "of much, the end is kept");
	ok(!strcmp(last_words(much, 1), much + sizeof(much) - 64), "up to the last byte");
}

/* Does a run with this status count, and what is said? */
static bool counts(int status, const char *part)
{
	char why[80];

	return boot_counts(status, why, sizeof(why)) || !strstr(why, part);
}

static void test_verdicts(void)
{
	char why[80];

	ok(boot_counts(43, why, sizeof(why)) && !why[0], "a boot counts when the guest writes 21");
	ok(!counts(41, "wrote 20 to the debug-exit port, and not 21"), "not when it writes something else");
	ok(!counts(STATUS_OK, "switched itself off"), "nor when it switches itself off");
	ok(!counts(STATUS_RESET, "reset itself"), "or resets itself");
	ok(!counts(STATUS_KILLED, "was not there after 300 s"), "or comes too late");
	ok(!boot_counts(STATUS_TRIPLE_FAULT, why, sizeof(why)) && !why[0], "or after what was reported");
}

/* A device that keeps what it is given and answers with its address. */
static u64 wrote[8];
static unsigned int writes;

static u64 keep_read(void *device, u64 offset, unsigned int bytes)
{
	(void)device;
	return 0x8877665544332210 + offset + writes++ + bytes * 0x100;
}

static void keep_write(void *device, u64 offset, unsigned int bytes, u64 value)
{
	(void)device;
	wrote[writes++ % ARRAY_SIZE(wrote)] = value + (offset + bytes * 0x100) * 0x100000000;
}

static const struct bus_ops keep_ops = { keep_read, keep_write };

static void test_kvm_exits(void)
{
	static union {
		struct kvm_run run;
		u8 page[8192];
	} shared;
	static struct board board;
	struct kvm_run *run = &shared.run;
	u16 *array = (u16 *)(shared.page + 4096);

	bus_init(&board.ports, "port", 0x10000);
	bus_init(&board.mmio_bus, "MMIO", 0);
	bus_add(&board.ports, 0x100, 4, "ports", 4, &keep_ops, NULL);
	bus_add(&board.mmio_bus, 0xd0000000, 16, "device", 8, &keep_ops, NULL);

	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = KVM_EXIT_IO_OUT;
	run->io.port = 0x102;
	run->io.size = 2;
	run->io.count = 3;
	run->io.data_offset = 4096;
	memcpy(array, (u16[]) { 0x1111, 0x2222, 0x3333, 0x4444 }, 8);
	ok(boot_kvm_serve(&board, run) && writes == 3 && wrote[0] == 0x20200001111 &&
	   wrote[1] == 0x20200002222 && wrote[2] == 0x20200003333, "a string is written piece by piece");
	writes = 0;
	run->io.direction = KVM_EXIT_IO_IN;
	run->io.count = 2;
	ok(boot_kvm_serve(&board, run) && writes == 2 && array[0] == 0x2412 && array[1] == 0x2413 &&
	   array[2] == 0x3333, "and read");
	writes = 0;
	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = 0xd0000008;
	run->mmio.len = 4;
	run->mmio.is_write = 1;
	memset(run->mmio.data, 0x5a, 8);
	ok(boot_kvm_serve(&board, run) && writes == 1 && wrote[0] == 0x4085a5a5a5a, "device memory is written");
	writes = 0;
	run->mmio.is_write = 0;
	run->mmio.len = 1;
	ok(boot_kvm_serve(&board, run) && run->mmio.data[0] == 0x18 && run->mmio.data[1] == 0x5a, "and read");
	run->mmio.len = 3;
	ok(!boot_kvm_serve(&board, run), "an access of three bytes cannot be served");
	run->exit_reason = KVM_EXIT_IOAPIC_EOI;
	ok(!boot_kvm_serve(&board, run), "nor the end of a level-triggered interrupt");
	run->exit_reason = KVM_EXIT_IRQ_WINDOW_OPEN;
	ok(boot_kvm_serve(&board, run), "that an interrupt may come wants no answer");
}

static void test_boot_row(void)
{
	json_t *json, *row;

	new_report();
	rows[0] = bench_row("boot");
	costs[0][BENCH_PLAIN] = (struct bench_cost) { true, 3456789012, BENCH_SPREAD_UNKNOWN };
	costs[0][BENCH_BORROW].known = false;
	costs[0][BENCH_KVM] = (struct bench_cost) { true, 4000000000, BENCH_SPREAD_UNKNOWN };
	shows("boot            3456789012          - 4000000000   0.86      -       -  boot of a Linux kernel",
	      "a boot has whole instructions and no spread");
	json = bench_show_json(&report);
	row = json_array_get(json_object_get(json, "rows"), 0);
	ok(json_is_null(json_object_get(row, "spread")) && json_is_null(json_object_get(row, "mini_vm_borrow")),
	   "what is not known of it is null");
	json_decref(json);
}

static double real(json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name));
}

static void test_json(void)
{
	json_t *json, *row, *host;

	new_report();
	json = bench_show_json(&report);
	row = json_array_get(json_object_get(json, "rows"), 0);
	host = json_object_get(json, "host");
	is(json_array_size(json_object_get(json, "rows")), 2, "the JSON has each row");
	ok(!strcmp(json_string_value(json_object_get(row, "op")), "cpuid"), "rows name their operation");
	ok(real(row, "mini_vm") == 150 && real(row, "mini_vm_borrow") == 300 &&
	   real(row, "kvm") == 1000, "they have three costs");
	ok(real(row, "ratio") == 0.15 && real(row, "ratio_borrow") == 0.3, "and two ratios");
	ok(real(row, "spread") == 0.25, "and a spread");
	ok(!strcmp(json_string_value(json_object_get(host, "clock")), "instructions") &&
	   !strcmp(json_string_value(json_object_get(host, "mitigations")), "default"),
	   "the host's clock and mitigations are there");
	ok(json_is_null(json_object_get(host, "no_kvm")), "no_kvm is null where KVM was measured");
	row = json_array_get(json_object_get(json, "rows"), 1);
	ok(json_is_null(json_object_get(row, "kvm")) && json_is_null(json_object_get(row, "ratio")),
	   "what was not measured is null");
	json_decref(json);
	report.host.clock = BENCH_EMULATED;
	json = bench_show_json(&report);
	host = json_object_get(json, "host");
	ok(!strcmp(json_string_value(json_object_get(host, "clock")), "emulated"),
	   "an emulator's clock is named");
	json_decref(json);
}

int main(void)
{
	test_rows();
	test_words();
	test_clock();
	test_table();
	test_without_kvm();
	test_wires();
	test_json();
	test_console();
	test_verdicts();
	test_kvm_exits();
	test_boot_row();
	return tap_done();
}
