/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bench.h - the parts of "mini-vm bench": the rows, the back ends that run the
 * same guest, measurements, and how they are shown.
 */
#ifndef MINI_VM_BENCH_H
#define MINI_VM_BENCH_H

#include <pthread.h>
#include <stdio.h>

#include <jansson.h>
#include <linux/mini_vm.h>

#include "../guest_mem.h"
#include "../types.h"
#include "shared.h"

struct bench_backend;
struct pin_mask;
struct vm;

/* the first is asked; rows that want it have a second one */
#define BENCH_VCPUS	2

/* What a guest's write to BENCH_PORT_WIRED does, without an exit to user space. */
enum bench_wiring {
	BENCH_NO_WIRE,
	BENCH_BELL,		/* it signals bench_vm.bell */
	BENCH_POST,		/* it is kept until user space takes it */
};

/**
 * struct bench_vm - a VM of one of the back ends
 * @backend:	which
 * @mem:	its memory, with the guest in it
 * @shared:	the page through which it is asked
 * @sregs:	the system registers that each vCPU begins with
 * @lend:	where the back end can: the waiting thread runs the vCPU itself
 * @apic_timer_khz: of its local APIC's timer, before the divider
 * @asked:	rounds that the guest was asked for
 * @bell:	an eventfd, for BENCH_BELL
 * @waiter:	the thread that sleeps on it
 * @has_waiter:	and is there
 * @delivered:	writes to BENCH_PORT_WIRED that have arrived
 * @vcpus:	how many there are
 * @second:	the thread that runs the second one
 * @state:	the back end's own
 */
struct bench_vm {
	const struct bench_backend *backend;
	struct guest_mem mem;
	volatile struct bench_shared *shared;
	struct mvm_sregs sregs[BENCH_VCPUS];
	bool lend;
	u64 apic_timer_khz;
	u64 asked;
	int bell;
	pthread_t waiter;
	bool has_waiter;
	u64 delivered;
	unsigned int vcpus;
	pthread_t second;
	void *state;
};

/**
 * struct bench_backend - something that runs the guest
 * @name:	for messages
 * @create:	make a VM of @vm->mem and @vm->sregs whose @vm->vcpus are about to
 *		execute BENCH_CODE, with their numbers in RDI
 * @run:	let a vCPU run until it writes to BENCH_PORT_END, and serve its other
 *		accesses
 * @wire:	wire BENCH_PORT_WIRED; with BENCH_POST @run adds to @vm->delivered
 * @destroy:	undo create
 *
 * @create, @run and @wire return STATUS_OK, or another status after a report.
 */
struct bench_backend {
	const char *name;
	int (*create)(struct bench_vm *vm);
	int (*run)(struct bench_vm *vm, unsigned int vcpu);
	int (*wire)(struct bench_vm *vm, enum bench_wiring wiring);
	void (*destroy)(struct bench_vm *vm);
};

extern const struct bench_backend bench_mini_vm;
extern const struct bench_backend bench_kvm;

/* kvm.c */
#define KVM_PATH	"/dev/kvm"
bool bench_kvm_usable(char *why, size_t size);
int bench_kvm_hold(void);
void bench_kvm_release(int vm);

/* mini_vm.c */
bool bench_mini_vm_borrows(const struct bench_vm *vm);
bool bench_vm_borrows(const struct vm *vm);
u64 bench_halt_poll_ns(void);
int bench_mini_vm_cpuid(struct mvm_cpuid_entry *entries, u32 *count);

/* image.c */
int bench_vm_create(struct bench_vm *vm, const struct bench_backend *backend, unsigned int vcpus);
void bench_vm_destroy(struct bench_vm *vm);
int bench_vm_ask(struct bench_vm *vm, enum bench_code code, u64 rounds, u64 *ticks);

/* rival.c */
int bench_rival_stay(struct pin_mask *before);
int bench_rival_ask(struct bench_vm *vm, enum bench_code code, u64 rounds, u64 tsc_khz, u64 *ticks);

/**
 * struct bench_row - an operation that is measured
 * @op:		its name, for the command line and for programs
 * @title:	for people
 * @code:	what the guest does
 * @rounds:	0: as many as fit between two ticks of the host's clock
 * @delay_us:	a timer's time, which is no cost and is taken off
 * @keep_delay:	but not here: the whole round counts, or the guest does not time it
 * @lend:	see struct bench_vm
 * @whole:	a series is long enough that its beginning and end do not count
 * @tries:	0, or the most series of each length that are worth while
 * @per:	what is shown is so many rounds; 0: one
 * @wiring:	of BENCH_PORT_WIRED
 * @waiter:	with BENCH_BELL: a thread sleeps until the bell rings, again and again
 * @rival:	what counts is what it takes from a thread that computes on the same CPU
 * @second:	wants a second vCPU, and two CPUs to run them on
 * @boot:	no operation of the guest, but the boot of a kernel: see boot.c
 * @prepare:	before each series: @rounds are about to come
 */
struct bench_row {
	const char *op;
	const char *title;
	enum bench_code code;
	u64 rounds;
	u64 delay_us;
	bool keep_delay;
	bool lend;
	bool whole;
	unsigned int tries;
	unsigned int per;
	enum bench_wiring wiring;
	bool waiter;
	bool rival;
	bool second;
	bool boot;
	int (*prepare)(struct bench_vm *vm, u64 rounds);
};

extern const struct bench_row bench_rows[];
extern const size_t bench_row_count;

const struct bench_row *bench_row(const char *op);

/* There was one try. */
#define BENCH_SPREAD_UNKNOWN	-1

/**
 * struct bench_cost - what one round takes
 * @known:	it was measured
 * @ticks:	of the TSC
 * @spread:	by how much the worst series was above the best: 0.01 is a percent;
 *		or BENCH_SPREAD_UNKNOWN
 */
struct bench_cost {
	bool known;
	double ticks;
	double spread;
};

/* The ways a row is measured. */
enum bench_column {
	BENCH_PLAIN,		/* mini-vm */
	BENCH_BORROW,		/* mini-vm while a VM of KVM keeps the CPU's VMX in use */
	BENCH_KVM,
	BENCH_COLUMNS
};

/* What a tick of the TSC is. */
enum bench_clock {
	BENCH_TICKS,		/* of a clock */
	BENCH_EMULATED,		/* of an emulator's, which goes by instructions, not by time */
	BENCH_INSTRUCTIONS	/* an instruction */
};

/**
 * struct bench_host - where this was measured
 * @cpu:	model name
 * @kernel:	release
 * @cpus:	how many are online
 * @tsc_khz:	of the guests' TSC
 * @clock:	what its ticks are
 * @mitigations_off: the kernel was told so
 * @halt_poll_ns: of both back ends
 */
struct bench_host {
	char cpu[80];
	char kernel[80];
	long cpus;
	u64 tsc_khz;
	enum bench_clock clock;
	bool mitigations_off;
	u64 halt_poll_ns;
};

/* host.c */
void bench_host_read(struct bench_host *host);
double bench_host_compute(void);
enum bench_clock bench_clock_of(long cpus, u64 nops, u64 divisions, u64 insns);
bool bench_host_has_two_cpus(void);
u64 bench_ticks(void);
bool bench_text_has_word(const char *text, const char *word);

/**
 * struct bench_report - all that was found
 * @host:	where
 * @columns:	which were wanted and possible
 * @no_kvm:	why there is no column of KVM; empty: there is
 * @left_out:	rows with a second vCPU, because there is one CPU
 * @borrows:	how mini-vm had VMX in its first column: borrowed, with VMX in use
 *		before this command
 * @rows:	which rows, @count of them
 * @costs:	of each row
 * @count:	how many
 * @compute_host: ticks of a round of the compute-bound loop on the host, or 0
 */
struct bench_report {
	struct bench_host host;
	bool columns[BENCH_COLUMNS];
	char no_kvm[160];
	bool left_out;
	bool borrows;
	const struct bench_row **rows;
	struct bench_cost (*costs)[BENCH_COLUMNS];
	size_t count;
	double compute_host;
};

/* measure.c */
int bench_measure(struct bench_vm *vm, const struct bench_row *row, unsigned int tries,
		  u64 tsc_khz, struct bench_cost *cost);
int bench_mark(struct bench_vm *vm, const struct bench_row *row, u64 before, u64 rounds);

/* wire.c */
int bench_wire(struct bench_vm *vm, const struct bench_row *row);
int bench_unwire(struct bench_vm *vm, const struct bench_row *row, int status);

/* show.c */
void bench_show_table(const struct bench_report *report, FILE *out);
json_t *bench_show_json(const struct bench_report *report);

#endif /* MINI_VM_BENCH_H */
