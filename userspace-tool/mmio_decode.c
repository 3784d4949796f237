// SPDX-License-Identifier: GPL-2.0-only
/*
 * mmio_decode.c - fetches the guest's instruction through its page tables and
 * decodes it with Zydis.  mmio_emulate() calls it first.
 */
#include <string.h>

#include "mmio.h"

#define MAX_INSN	15

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

/**
 * mmio_decode() - fetch and decode the instruction at RIP
 * @mmio: the emulation; instruction, operands and next_rip are filled in
 *
 * Return: MMIO_DONE, MMIO_EXCEPTION or MMIO_UNABLE.
 */
enum mmio_result mmio_decode(struct mmio *mmio)
{
	u8 code[MAX_INSN];
	enum mmio_result result, second;
	ZydisDecoder decoder;
	unsigned int got;
	ZyanStatus status;

	result = fetch(mmio, code, sizeof(code), &got, &second);
	if (result != MMIO_DONE)
		return result;

	switch (mmio->code_bytes) {
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
	status = ZydisDecoderDecodeFull(&decoder, code, got,
					&mmio->instruction, mmio->operands);
	if (status == ZYDIS_STATUS_NO_MORE_DATA && second != MMIO_DONE)
		return second;
	if (!ZYAN_SUCCESS(status))
		return mmio_unable(mmio, "executes an instruction that mini-vm cannot decode (RIP 0x%llx, first bytes %02x %02x %02x %02x)",
				   (unsigned long long)mmio->rip, code[0],
				   got > 1 ? code[1] : 0,
				   got > 2 ? code[2] : 0,
				   got > 3 ? code[3] : 0);

	mmio->next_rip = mmio->rip + mmio->instruction.length;
	if (!mmio->long_mode)
		mmio->next_rip &= mmio->code_bytes == 2 &&
				  !(mmio->sregs->cs.limit >> 16) ?
				  0xffff : 0xffffffff;
	return MMIO_DONE;
}
