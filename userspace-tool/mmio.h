/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mmio.h - performs one guest instruction that reached for a device.
 *
 * Used by vcpu.c for MVM_EXIT_MMIO, and in part (memory access through the
 * guest's tables) by io_string.c.  Nothing here knows the kernel module: the
 * registers come in, and devices are reached through struct mmio_io, so the
 * tests run it on the host.
 */
#ifndef MINI_VM_MMIO_H
#define MINI_VM_MMIO_H

#include <Zydis/Zydis.h>

#include "guest_mem.h"
#include "types.h"
#include "walk.h"

/**
 * struct mmio_io - what lies where there is no memory
 * @read:	@bytes 1, 2, 4 or 8; zero extended
 * @write:	likewise
 * @context:	first argument of both
 */
struct mmio_io {
	u64 (*read)(void *context, u64 gpa, unsigned int bytes);
	void (*write)(void *context, u64 gpa, unsigned int bytes, u64 value);
	void *context;
};

enum mmio_result {
	MMIO_DONE,		/* go on at next_rip */
	MMIO_AGAIN,		/* a string is not finished: execute it again */
	MMIO_EXCEPTION,		/* raise struct mmio.exception */
	MMIO_UNABLE,		/* struct mmio.message says why */
};

/* Segment numbers as in struct mvm_exit_io and in the encoding. */
enum mmio_segment { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS };

/**
 * struct mmio_span - where an operand lies in guest-physical memory
 * @count:	pieces: 1, or 2 across a page boundary
 * @gpa:	of each piece
 * @bytes:	of each piece
 */
struct mmio_span {
	unsigned int count;
	u64 gpa[2];
	unsigned int bytes[2];
};

/* An instruction is remembered in one of so many places; a power of 2. */
#define MMIO_DECODED	16

/**
 * struct mmio_decoded - what became of an instruction's bytes
 * @code:	the bytes; instruction.length of them count, 0: nothing is here
 * @code_bytes:	struct mmio.code_bytes
 * @instruction: the decoded instruction
 * @operands:	and its operands
 */
struct mmio_decoded {
	u8 code[ZYDIS_MAX_INSTRUCTION_LENGTH];
	unsigned int code_bytes;
	ZydisDecodedInstruction instruction;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
};

/**
 * struct mmio - one emulation; zeroed before the first
 * @mem:	guest memory
 * @io:		what lies elsewhere
 * @sregs:	system registers of the vCPU
 * @walk:	its paging state
 * @gpr:	general registers, updated
 * @rip:	of the instruction
 * @rflags:	updated
 * @next_rip:	out: behind the instruction
 * @exception:	out, with MMIO_EXCEPTION
 * @message:	out, with MMIO_UNABLE: the rest of a sentence that begins
 *		"the guest "
 * @long_mode:	64-bit code
 * @code_bytes:	default operand and address size of the code: 2, 4 or 8
 * @decoded:	the decoded instruction
 * @cache:	instructions that were decoded before, of this and other emulations
 */
struct mmio {
	const struct guest_mem *mem;
	const struct mmio_io *io;
	const struct mvm_sregs *sregs;
	struct walk walk;
	u64 gpr[MVM_NR_GPRS];
	u64 rip;
	u64 rflags;
	u64 next_rip;
	struct mvm_exception exception;
	char message[160];
	bool long_mode;
	unsigned int code_bytes;
	const struct mmio_decoded *decoded;
	struct mmio_decoded cache[MMIO_DECODED];
};

/* Elements of a string instruction that are moved before interrupts get a turn */
#define MMIO_STRING_CHUNK	4096

void mmio_init(struct mmio *mmio, const struct guest_mem *mem,
	       const struct mmio_io *io, const struct mvm_sregs *sregs,
	       const u64 *gpr, u64 rip, u64 rflags, unsigned int phys_bits);
enum mmio_result mmio_emulate(struct mmio *mmio);

/* mmio_decode.c */
enum mmio_result mmio_decode(struct mmio *mmio);

/* mmio_access.c */
enum mmio_result mmio_unable(struct mmio *mmio, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
enum mmio_result mmio_raise(struct mmio *mmio, u8 vector, u32 error_code,
			    u64 cr2);
const struct mvm_segment *mmio_segment(const struct mmio *mmio,
				       enum mmio_segment segment);
enum mmio_result mmio_span(struct mmio *mmio, enum mmio_segment segment,
			   u64 offset, unsigned int bytes, unsigned int access,
			   struct mmio_span *span);
u64 mmio_span_read(struct mmio *mmio, const struct mmio_span *span);
void mmio_span_write(struct mmio *mmio, const struct mmio_span *span,
		     u64 value);
u64 mmio_counter(const struct mmio *mmio, enum mvm_gpr gpr,
		 unsigned int bytes);
void mmio_set_counter(struct mmio *mmio, enum mvm_gpr gpr, unsigned int bytes,
		      u64 value);

/* mmio_string.c */
enum mmio_result mmio_string(struct mmio *mmio);

#endif /* MINI_VM_MMIO_H */
