/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * report.h - exit statuses and the one way to talk to the person at the
 * terminal: sentences on stderr, each prefixed "mini-vm: ".
 */
#ifndef MINI_VM_REPORT_H
#define MINI_VM_REPORT_H

#include "types.h"

/*
 * Exit statuses of the command line.  A guest that ends by the debug-exit port
 * gives an odd status; these are even so that the two never meet.
 */
enum status {
	STATUS_OK = 0,			/* the guest powered off */
	STATUS_USAGE = 2,		/* the command line is wrong */
	STATUS_MACHINE = 4,		/* this machine cannot run VMs */
	STATUS_RESOURCE = 6,		/* image, memory, or a guest we cannot run */
	STATUS_RESET = 8,		/* guest reset, with --on-reset exit */
	STATUS_TRIPLE_FAULT = 10,	/* the guest's CPU shut down */
	STATUS_KILLED = 12,		/* Ctrl-A x or a signal */
};

void report_set_raw(bool raw);
void report_error(const char *format, ...)
	__attribute__((format(printf, 1, 2)));
void report_line(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

#endif /* MINI_VM_REPORT_H */
