// SPDX-License-Identifier: GPL-2.0-only
/*
 * mmio_decode.c - fetches the guest's instruction through its page tables and
 * decodes it with Zydis.  mmio_emulate() calls it first.
 */
#include <string.h>

#include "mmio.h"

/*
 * Fetch up to @limit bytes at RIP into @code.  What lies on a second page that
 * cannot be reached is left out: the instruction may not need it.
 */
static enum mmio_result fetch(struct mmio *mmio, u8 *code, unsigned int limit,
			      unsigned int *got, enum mmio_result *second)
{
	u64 linear = mmio->rip;
	unsigned int done = 0;

	*second = MMIO_DONE;
	if (!mmio->long_mode)
		linear = (mmio->sregs->cs.base + (u32)linear) & 0xffffffff;
	while (done < limit) {
		u64 at = linear + done;
		unsigned int piece = (unsigned int)(GUEST_PAGE -
						    (at & (GUEST_PAGE - 1)));
		enum mmio_result result = MMIO_DONE;
		u32 error_code;
		u64 gpa = 0;

		if (!mmio->long_mode)
			at &= 0xffffffff;
		if (piece > limit - done)
			piece = limit - done;
		switch (walk_linear(&mmio->walk, at, WALK_FETCH, &gpa,
				    &error_code)) {
		case WALK_OK:
			break;
		case WALK_FAULT:
			result = mmio_raise(mmio, 14, error_code, at);
			break;
		case WALK_NOT_CANONICAL:
			result = mmio_raise(mmio, 13, 0, 0);
			break;
		case WALK_NO_TABLE:
			result = mmio_unable(mmio, "has page tables outside its memory (RIP 0x%llx)",
					     (unsigned long long)mmio->rip);
			break;
		}
		if (result == MMIO_DONE &&
		    !guest_mem_read(mmio->mem, gpa, code + done, piece))
			result = mmio_unable(mmio, "executes code outside its memory (RIP 0x%llx, guest-physical address 0x%llx)",
					     (unsigned long long)mmio->rip,
					     (unsigned long long)gpa);
		if (result != MMIO_DONE) {
			if (!done)
				return result;
			*second = result;
			break;
		}
		done += piece;
	}
	*got = done;
	return MMIO_DONE;
}

/* What Zydis says of @got bytes; instruction.length stays 0 when it cannot. */
static ZyanStatus decode(struct mmio_decoded *decoded, unsigned int code_bytes, const u8 *code,
			 unsigned int got)
{
	ZydisDecoder decoder;
	ZyanStatus status;

	switch (code_bytes) {
	case 8:
		ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64,
				 ZYDIS_STACK_WIDTH_64);
		break;
	case 4:
		ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_32,
				 ZYDIS_STACK_WIDTH_32);
		break;
	default:
		ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_16,
				 ZYDIS_STACK_WIDTH_16);
		break;
	}
	status = ZydisDecoderDecodeFull(&decoder, code, got, &decoded->instruction,
					decoded->operands);
	if (!ZYAN_SUCCESS(status)) {
		decoded->instruction.length = 0;
		return status;
	}
	memcpy(decoded->code, code, decoded->instruction.length);
	decoded->code_bytes = code_bytes;
	return status;
}

/* To compare the bytes is much less work than to decode them. */
static bool remembers(const struct mmio_decoded *decoded, unsigned int code_bytes, const u8 *code,
		      unsigned int got)
{
	unsigned int length = decoded->instruction.length;

	return length && length <= got && decoded->code_bytes == code_bytes &&
	       !memcmp(decoded->code, code, length);
}

/**
 * mmio_decode() - fetch and decode the instruction at RIP
 * @mmio: the emulation; decoded and next_rip are filled in
 *
 * Return: MMIO_DONE, MMIO_EXCEPTION or MMIO_UNABLE.
 */
enum mmio_result mmio_decode(struct mmio *mmio)
{
	struct mmio_decoded *decoded = &mmio->cache[mmio->rip % MMIO_DECODED];
	u8 code[ZYDIS_MAX_INSTRUCTION_LENGTH];
	enum mmio_result result, second;
	unsigned int got;
	ZyanStatus status;

	result = fetch(mmio, code, sizeof(code), &got, &second);
	if (result != MMIO_DONE)
		return result;
	mmio->decoded = decoded;
	if (!remembers(decoded, mmio->code_bytes, code, got)) {
		status = decode(decoded, mmio->code_bytes, code, got);
		if (status == ZYDIS_STATUS_NO_MORE_DATA && second != MMIO_DONE)
			return second;
		if (!ZYAN_SUCCESS(status))
			return mmio_unable(mmio, "executes an instruction that mini-vm cannot decode (RIP 0x%llx, first bytes %02x %02x %02x %02x)",
					   (unsigned long long)mmio->rip, code[0],
					   got > 1 ? code[1] : 0,
					   got > 2 ? code[2] : 0,
					   got > 3 ? code[3] : 0);
	}
	mmio->next_rip = mmio->rip + decoded->instruction.length;
	if (!mmio->long_mode)
		mmio->next_rip &= mmio->code_bytes == 2 &&
				  !(mmio->sregs->cs.limit >> 16) ?
				  0xffff : 0xffffffff;
	return MMIO_DONE;
}
