// SPDX-License-Identifier: GPL-2.0-only
/*
 * mmio_access.c - segments, paging and the split between memory and devices:
 * how the emulator reaches an operand.
 *
 * Each access is first translated as a whole (mmio_span()), so that a fault
 * comes before any side effect, and then performed.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "alu.h"
#include "mmio.h"

#define VECTOR_SS	12
#define VECTOR_GP	13
#define VECTOR_PF	14

/**
 * mmio_init() - prepare the emulation of one instruction
 * @mmio: to fill in
 * @mem: guest memory
 * @io: what lies where there is no memory
 * @sregs: system registers; must stay valid
 * @gpr: MVM_NR_GPRS general registers, copied
 * @rip: of the instruction
 * @rflags: flags
 * @phys_bits: MAXPHYADDR of the guest
 */
void mmio_init(struct mmio *mmio, const struct guest_mem *mem,
	       const struct mmio_io *io, const struct mvm_sregs *sregs,
	       const u64 *gpr, u64 rip, u64 rflags, unsigned int phys_bits)
{
	mmio->mem = mem;
	mmio->io = io;
	mmio->sregs = sregs;
	mmio->rip = rip;
	mmio->next_rip = rip;
	mmio->rflags = rflags;
	mmio->message[0] = '\0';
	memcpy(mmio->gpr, gpr, sizeof(mmio->gpr));
	memset(&mmio->exception, 0, sizeof(mmio->exception));
	walk_init(&mmio->walk, mem, sregs, rflags, phys_bits);
	mmio->long_mode = sregs->efer & EFER_LMA && sregs->cs.access & SEG_L;
	if (mmio->long_mode)
		mmio->code_bytes = 8;
	else
		mmio->code_bytes = sregs->cs.access & SEG_DB ? 4 : 2;
}

/**
 * mmio_unable() - give up
 * @mmio: the emulation
 * @format: the sentence's end, behind "the guest "
 *
 * Return: MMIO_UNABLE.
 */
enum mmio_result mmio_unable(struct mmio *mmio, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(mmio->message, sizeof(mmio->message), format, args);
	va_end(args);
	return MMIO_UNABLE;
}

/**
 * mmio_raise() - let the instruction end in an exception
 * @mmio: the emulation
 * @vector: 12, 13 or 14; all of these have an error code
 * @error_code: pushed
 * @cr2: for vector 14
 *
 * Return: MMIO_EXCEPTION.
 */
enum mmio_result mmio_raise(struct mmio *mmio, u8 vector, u32 error_code,
			    u64 cr2)
{
	mmio->exception = (struct mvm_exception) {
		.vector = vector,
		/* in real mode exceptions push no error code */
		.has_error_code = !!(mmio->sregs->cr0 & CR0_PE),
		.error_code = mmio->sregs->cr0 & CR0_PE ? error_code : 0,
		.cr2 = cr2,
	};
	return MMIO_EXCEPTION;
}

/**
 * mmio_segment() - a segment register by number
 * @mmio: the emulation
 * @segment: its number
 *
 * Return: the register.
 */
const struct mvm_segment *mmio_segment(const struct mmio *mmio,
				       enum mmio_segment segment)
{
	switch (segment) {
	case SEG_ES:
		return &mmio->sregs->es;
	case SEG_CS:
		return &mmio->sregs->cs;
	case SEG_SS:
		return &mmio->sregs->ss;
	case SEG_FS:
		return &mmio->sregs->fs;
	case SEG_GS:
		return &mmio->sregs->gs;
	default:
		return &mmio->sregs->ds;
	}
}

/* Does a segment outside 64-bit mode permit an access (SDM 3A 5.3 to 5.5)? */
static bool segment_permits(const struct mmio *mmio,
			    const struct mvm_segment *segment, u64 offset,
			    unsigned int bytes, unsigned int access)
{
	u32 rights = segment->access;
	u64 last = offset + bytes - 1;
	bool code = rights & SEG_TYPE_CODE;

	if (rights & MVM_SEGMENT_UNUSABLE)
		return false;
	if (mmio->sregs->cr0 & CR0_PE && !(mmio->rflags & RFLAGS_VM)) {
		if (access & WALK_WRITE && (code || !(rights & SEG_TYPE_RW)))
			return false;
		if (code && !(rights & SEG_TYPE_RW))
			return false;
	}
	if (!code && rights & SEG_TYPE_DOWN)
		return offset > segment->limit &&
		       last <= (rights & SEG_DB ? 0xffffffffULL : 0xffffULL);
	return last <= segment->limit;
}

/* Segmentation: from an offset to a linear address. */
static enum mmio_result linear_address(struct mmio *mmio,
				       enum mmio_segment segment, u64 offset,
				       unsigned int bytes, unsigned int access,
				       u64 *linear)
{
	const struct mvm_segment *reg = mmio_segment(mmio, segment);

	if (mmio->long_mode) {
		*linear = offset;
		if (segment == SEG_FS || segment == SEG_GS)
			*linear += reg->base;
		return MMIO_DONE;	/* canonical? the walk looks */
	}
	offset &= 0xffffffff;
	if (!segment_permits(mmio, reg, offset, bytes, access))
		return mmio_raise(mmio, segment == SEG_SS ? VECTOR_SS :
				  VECTOR_GP, 0, 0);
	*linear = (reg->base + offset) & 0xffffffff;
	return MMIO_DONE;
}

/**
 * mmio_span() - find an operand, checking every permission
 * @mmio: the emulation
 * @segment: its segment
 * @offset: its offset in the segment, cut to the address size
 * @bytes: its width, 1 to 8
 * @access: 0 or WALK_WRITE
 * @span: out: where it lies
 *
 * Return: MMIO_DONE, MMIO_EXCEPTION or MMIO_UNABLE.
 */
enum mmio_result mmio_span(struct mmio *mmio, enum mmio_segment segment,
			   u64 offset, unsigned int bytes, unsigned int access,
			   struct mmio_span *span)
{
	enum mmio_result result;
	unsigned int first, piece;
	u64 linear;

	result = linear_address(mmio, segment, offset, bytes, access, &linear);
	if (result != MMIO_DONE)
		return result;

	first = (unsigned int)(GUEST_PAGE - (linear & (GUEST_PAGE - 1)));
	if (first > bytes)
		first = bytes;
	span->count = first < bytes ? 2 : 1;
	span->bytes[0] = first;
	span->bytes[1] = bytes - first;

	for (piece = 0; piece < span->count; piece++) {
		u64 at = piece ? linear + first : linear;
		u32 error_code;

		if (!mmio->long_mode)
			at &= 0xffffffff;
		switch (walk_linear(&mmio->walk, at, access, &span->gpa[piece],
				    &error_code)) {
		case WALK_OK:
			break;
		case WALK_FAULT:
			return mmio_raise(mmio, VECTOR_PF, error_code, at);
		case WALK_NOT_CANONICAL:
			return mmio_raise(mmio, segment == SEG_SS ? VECTOR_SS :
					  VECTOR_GP, 0, 0);
		case WALK_NO_TABLE:
			return mmio_unable(mmio, "has page tables outside its memory (linear address 0x%llx, CR3 0x%llx)",
					   (unsigned long long)at,
					   (unsigned long long)mmio->sregs->cr3);
		}
	}
	return MMIO_DONE;
}

static u64 read_piece(struct mmio *mmio, u64 gpa, unsigned int bytes)
{
	const void *host = guest_mem_at(mmio->mem, gpa, bytes);
	unsigned int i;
	u64 value = 0;

	if (host) {
		memcpy(&value, host, bytes);
		return value;
	}
	if (bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8)
		return mmio->io->read(mmio->io->context, gpa, bytes) &
		       alu_mask(bytes);
	for (i = 0; i < bytes; i++)
		value |= (mmio->io->read(mmio->io->context, gpa + i, 1) &
			  0xff) << (8 * i);
	return value;
}

static void write_piece(struct mmio *mmio, u64 gpa, unsigned int bytes,
			u64 value)
{
	void *host = guest_mem_at_writable(mmio->mem, gpa, bytes);
	unsigned int i;

	if (host) {
		memcpy(host, &value, bytes);
		return;
	}
	if (guest_mem_at(mmio->mem, gpa, bytes))
		return;			/* ROM */
	if (bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8) {
		mmio->io->write(mmio->io->context, gpa, bytes,
				value & alu_mask(bytes));
		return;
	}
	for (i = 0; i < bytes; i++)
		mmio->io->write(mmio->io->context, gpa + i, 1,
				(value >> (8 * i)) & 0xff);
}

/**
 * mmio_span_read() - read an operand
 * @mmio: the emulation
 * @span: found by mmio_span()
 *
 * Return: the value, zero extended.
 */
u64 mmio_span_read(struct mmio *mmio, const struct mmio_span *span)
{
	u64 value = read_piece(mmio, span->gpa[0], span->bytes[0]);

	if (span->count == 2)
		value |= read_piece(mmio, span->gpa[1], span->bytes[1])
			 << (8 * span->bytes[0]);
	return value;
}

/**
 * mmio_span_write() - write an operand
 * @mmio: the emulation
 * @span: found by mmio_span() with WALK_WRITE
 * @value: the low bytes of it count
 */
void mmio_span_write(struct mmio *mmio, const struct mmio_span *span,
		     u64 value)
{
	write_piece(mmio, span->gpa[0], span->bytes[0], value);
	if (span->count == 2)
		write_piece(mmio, span->gpa[1], span->bytes[1],
			    value >> (8 * span->bytes[0]));
}

/**
 * mmio_counter() - read RCX, RSI or RDI cut to the address size
 * @mmio: the emulation
 * @gpr: which
 * @bytes: address size
 *
 * Return: its value.
 */
u64 mmio_counter(const struct mmio *mmio, enum mvm_gpr gpr, unsigned int bytes)
{
	return mmio->gpr[gpr] & alu_mask(bytes);
}

/**
 * mmio_set_counter() - write RCX, RSI or RDI in the address size
 * @mmio: the emulation
 * @gpr: which
 * @bytes: address size: 2 leaves the upper bits, 4 clears them
 * @value: new value
 */
void mmio_set_counter(struct mmio *mmio, enum mvm_gpr gpr, unsigned int bytes,
		      u64 value)
{
	if (bytes == 2)
		mmio->gpr[gpr] = (mmio->gpr[gpr] & ~0xffffULL) |
				 (value & 0xffff);
	else
		mmio->gpr[gpr] = value & alu_mask(bytes);
}
