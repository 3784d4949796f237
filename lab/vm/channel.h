/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The lab's result channel: a stream of records that the lab VM's init
 * (lab/vm/init.c) writes to the emulated printer port and the supervisor on
 * the host (lab/host/supervise.c) reads from the file behind it. It is apart
 * from the console, so the kernel's messages and the command's output never
 * mix, and it needs no driver.
 *
 * A record is one type byte, the payload's size in two bytes (little endian)
 * and the payload.
 */
#ifndef LAB_VM_CHANNEL_H
#define LAB_VM_CHANNEL_H

#define RECORD_HEADER	3
#define RECORD_MAX	4096

enum record_type {
	RECORD_STAGE = 'S',	/* text: what begins now */
	RECORD_STDOUT = 'O',	/* bytes of the command's standard output */
	RECORD_STDERR = 'E',	/* bytes of its standard error */
	RECORD_FILE = 'F',	/* text: the --get index in decimal; a file begins */
	RECORD_DATA = 'D',	/* bytes of that file */
	RECORD_NO_FILE = 'N',	/* text: the --get index, a space, why it is missing */
	RECORD_ALIVE = 'A',	/* nothing: init runs */
	RECORD_FAILED = 'L',	/* text: what the lab itself could not do */
	RECORD_STATUS = 'X',	/* text: the command's exit status; the last record */
};

/* How the stage begins in which the command runs. */
#define STAGE_RUNNING "running "

/* Printed to the console, after everything else, when the run is over. */
#define END_OF_CONSOLE	"lab: end of the run"

#endif
