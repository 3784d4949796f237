/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * term.h - the guest's serial port on standard input and output.
 */
#ifndef MINI_VM_TERM_H
#define MINI_VM_TERM_H

#include <termios.h>

#include "loop.h"
#include "types.h"
#include "vm.h"

/* bytes that one exit can bring: a chunk of a string instruction */
#define TERM_CHUNK	4096
/*
 * And all that can come when no more should: an exit of each vCPU with the posted
 * writes before it, those that made the output full, and those at the end.
 */
#define TERM_ROOM	(VM_VCPUS_MAX * TERM_CHUNK + (VM_VCPUS_MAX + 2) * MVM_RING_ENTRIES)
#define TERM_OUT_SIZE	(TERM_CHUNK + TERM_ROOM)
#define TERM_IN_SIZE	1024

/**
 * struct term_ops - what the terminal asks of the machine
 * @room:	bytes that the guest takes now
 * @receive:	bytes for the guest
 * @send_break:	a break condition for the guest
 * @quit:	the user wants to end the run
 * @failed:	standard output cannot be written any more; errno
 * @context:	their first argument
 */
struct term_ops {
	size_t (*room)(void *context);
	void (*receive)(void *context, const u8 *bytes, size_t count);
	void (*send_break)(void *context);
	void (*quit)(void *context);
	void (*failed)(void *context, int error);
	void *context;
};

/**
 * struct term - standard input and output
 * @loop:	where it waits
 * @ops:	the other side
 * @in:		standard input
 * @out:	standard output, opened again where that is possible so that
 *		it can be non-blocking without a change to what the shell shares
 * @out_fd:	the descriptor behind @out
 * @tty:	standard input is a terminal
 * @raw:	and in raw mode
 * @saved:	its settings before
 * @in_watched:	epoll watches standard input
 * @in_file:	it is a regular file: always ready
 * @in_wanted:	EPOLLIN is asked for
 * @in_end:	end of input
 * @escape:	Ctrl-A was typed
 * @out_waits:	output is full: epoll tells when it is not
 * @out_dead:	output failed
 * @out_guard:	it may block: ask poll() first
 * @out_timer:	flushes output that no line end does
 * @out_since:	when the oldest byte in @out_buffer came, ns
 * @out_count:	bytes in @out_buffer
 * @in_count:	bytes in @in_buffer
 * @out_buffer:	not yet written
 * @in_buffer:	typed, not yet taken by the guest
 */
struct term {
	struct loop *loop;
	const struct term_ops *ops;
	struct loop_source in;
	struct loop_source out;
	int out_fd;
	bool tty;
	bool raw;
	struct termios saved;
	bool in_watched;
	bool in_file;
	bool in_wanted;
	bool in_end;
	bool escape;
	bool out_waits;
	bool out_dead;
	bool out_guard;
	struct loop_timer out_timer;
	u64 out_since;
	size_t out_count;
	size_t in_count;
	u8 out_buffer[TERM_OUT_SIZE];
	u8 in_buffer[TERM_IN_SIZE];
};

int term_open(struct term *term, struct loop *loop,
	      const struct term_ops *ops);
void term_close(struct term *term);
void term_suspend(struct term *term);
void term_resume(struct term *term);
void term_put(struct term *term, u8 byte);
bool term_full(const struct term *term);
void term_flush(struct term *term);
void term_finish(struct term *term);
void term_pump(struct term *term);

#endif /* MINI_VM_TERM_H */
