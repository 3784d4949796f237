/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * boot.h - the row "boot": a kernel with the devices of "mini-vm run", from its
 * first instruction to the moment when its init reports itself.
 */
#ifndef MINI_VM_BENCH_BOOT_H
#define MINI_VM_BENCH_BOOT_H

#include "../board.h"
#include "bench.h"

/* What init writes to the debug-exit port when it is there. */
#define BOOT_CODE	21

/* Bytes of the guest's output that are kept; a power of 2. */
#define BOOT_KEPT	4096

/**
 * struct boot_console - what the guest says, for the case that it fails
 * @count:	bytes so far
 * @last:	the last BOOT_KEPT of them, a ring
 */
struct boot_console {
	u64 count;
	char last[BOOT_KEPT];
};

int bench_boot(const struct machine_config *what, enum bench_column column,
	       struct bench_cost *cost, bool *borrows);
void boot_console_put(void *console, u8 byte);
void boot_console_text(const struct boot_console *console, unsigned int lines,
		       char text[BOOT_KEPT + 1]);
bool boot_counts(int status, char *why, size_t size);
int boot_limit(struct loop_timer *timer, struct board *board);

/* boot_kvm.c */
struct kvm_run;
bool boot_kvm_serve(struct board *board, struct kvm_run *run);
int boot_on_kvm(const struct machine_config *config, u64 *ticks);

#endif /* MINI_VM_BENCH_BOOT_H */
