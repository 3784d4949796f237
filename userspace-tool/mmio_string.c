// SPDX-License-Identifier: GPL-2.0-only
/*
 * mmio_string.c - MOVS, STOS, LODS, SCAS and CMPS with and without REP, between
 * any mix of memory and devices.
 *
 * Each element is complete, registers included, before the next begins: a
 * fault in the middle leaves what the CPU would leave.
 */
#include "alu.h"
#include "mmio.h"

enum string_kind { KIND_MOVS, KIND_STOS, KIND_LODS, KIND_SCAS, KIND_CMPS };

/**
 * struct string - a string instruction being performed
 * @kind:	which
 * @bytes:	of an element
 * @address:	address size in bytes
 * @segment:	of the source
 * @step:	added to RSI and RDI
 */
struct string {
	enum string_kind kind;
	unsigned int bytes;
	unsigned int address;
	enum mmio_segment segment;
	u64 step;
};

static enum string_kind string_kind(ZydisMnemonic mnemonic)
{
	switch (mnemonic) {
	case ZYDIS_MNEMONIC_STOSB:
	case ZYDIS_MNEMONIC_STOSW:
	case ZYDIS_MNEMONIC_STOSD:
	case ZYDIS_MNEMONIC_STOSQ:
		return KIND_STOS;
	case ZYDIS_MNEMONIC_LODSB:
	case ZYDIS_MNEMONIC_LODSW:
	case ZYDIS_MNEMONIC_LODSD:
	case ZYDIS_MNEMONIC_LODSQ:
		return KIND_LODS;
	case ZYDIS_MNEMONIC_SCASB:
	case ZYDIS_MNEMONIC_SCASW:
	case ZYDIS_MNEMONIC_SCASD:
	case ZYDIS_MNEMONIC_SCASQ:
		return KIND_SCAS;
	case ZYDIS_MNEMONIC_CMPSB:
	case ZYDIS_MNEMONIC_CMPSW:
	case ZYDIS_MNEMONIC_CMPSD:
	case ZYDIS_MNEMONIC_CMPSQ:
		return KIND_CMPS;
	default:
		return KIND_MOVS;
	}
}

/* The segment of DS:RSI, which a prefix may replace. */
static enum mmio_segment source_segment(const struct mmio *mmio)
{
	unsigned int i;

	for (i = 0; i < mmio->decoded->instruction.operand_count; i++) {
		const ZydisDecodedOperand *operand = &mmio->decoded->operands[i];
		ZydisRegister base = operand->mem.base;

		if (operand->type == ZYDIS_OPERAND_TYPE_MEMORY &&
		    (base == ZYDIS_REGISTER_SI || base == ZYDIS_REGISTER_ESI ||
		     base == ZYDIS_REGISTER_RSI) &&
		    operand->mem.segment >= ZYDIS_REGISTER_ES &&
		    operand->mem.segment <= ZYDIS_REGISTER_GS)
			return (enum mmio_segment)(operand->mem.segment -
						   ZYDIS_REGISTER_ES);
	}
	return SEG_DS;
}

static void advance(struct mmio *mmio, const struct string *string,
		    enum mvm_gpr gpr)
{
	mmio_set_counter(mmio, gpr, string->address,
			 mmio->gpr[gpr] + string->step);
}

static enum mmio_result element(struct mmio *mmio, const struct string *string)
{
	bool has_source = string->kind == KIND_MOVS ||
			  string->kind == KIND_LODS ||
			  string->kind == KIND_CMPS;
	bool has_target = string->kind != KIND_LODS;
	bool writes = string->kind == KIND_MOVS || string->kind == KIND_STOS;
	u64 accumulator = mmio->gpr[MVM_RAX] & alu_mask(string->bytes);
	enum mmio_result result = MMIO_DONE;
	struct mmio_span source, target;
	u64 left, right;

	if (has_source)
		result = mmio_span(mmio, string->segment,
				   mmio_counter(mmio, MVM_RSI, string->address),
				   string->bytes, 0, &source);
	if (result == MMIO_DONE && has_target)
		result = mmio_span(mmio, SEG_ES,
				   mmio_counter(mmio, MVM_RDI, string->address),
				   string->bytes, writes ? WALK_WRITE : 0,
				   &target);
	if (result != MMIO_DONE)
		return result;

	switch (string->kind) {
	case KIND_MOVS:
		mmio_span_write(mmio, &target, mmio_span_read(mmio, &source));
		break;
	case KIND_STOS:
		mmio_span_write(mmio, &target, accumulator);
		break;
	case KIND_LODS:
		left = mmio_span_read(mmio, &source);
		if (string->bytes >= 4)
			mmio->gpr[MVM_RAX] = left;
		else
			mmio->gpr[MVM_RAX] = (mmio->gpr[MVM_RAX] &
					      ~alu_mask(string->bytes)) | left;
		break;
	case KIND_SCAS:
		right = mmio_span_read(mmio, &target);
		alu_sub(string->bytes, accumulator, right, &mmio->rflags);
		break;
	case KIND_CMPS:
		left = mmio_span_read(mmio, &source);
		right = mmio_span_read(mmio, &target);
		alu_sub(string->bytes, left, right, &mmio->rflags);
		break;
	}
	if (has_source)
		advance(mmio, string, MVM_RSI);
	if (has_target)
		advance(mmio, string, MVM_RDI);
	return MMIO_DONE;
}

/* Does the comparison end a REPE or REPNE? */
static bool comparison_ends(const struct mmio *mmio,
			    const struct string *string)
{
	bool equal = mmio->rflags & RFLAGS_ZF;

	if (string->kind != KIND_SCAS && string->kind != KIND_CMPS)
		return false;
	if (mmio->decoded->instruction.attributes & ZYDIS_ATTRIB_HAS_REPNE)
		return equal;
	return !equal;
}

/**
 * mmio_string() - perform a decoded string instruction
 * @mmio: the emulation
 *
 * Return: MMIO_DONE when it is finished, MMIO_AGAIN after MMIO_STRING_CHUNK
 * elements, MMIO_EXCEPTION or MMIO_UNABLE.
 */
enum mmio_result mmio_string(struct mmio *mmio)
{
	bool repeat = mmio->decoded->instruction.attributes &
		      (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE |
		       ZYDIS_ATTRIB_HAS_REPNE);
	struct string string = {
		.kind = string_kind(mmio->decoded->instruction.mnemonic),
		/* the first operand, memory or accumulator, is one element */
		.bytes = mmio->decoded->operands[0].size / 8,
		.address = mmio->decoded->instruction.address_width / 8,
		.segment = source_segment(mmio),
	};
	unsigned int chunk;

	string.step = mmio->rflags & RFLAGS_DF ? 0ULL - string.bytes :
						 string.bytes;
	if (!repeat)
		return element(mmio, &string);

	for (chunk = 0; chunk < MMIO_STRING_CHUNK; chunk++) {
		u64 left = mmio_counter(mmio, MVM_RCX, string.address);
		enum mmio_result result;

		if (!left)
			return MMIO_DONE;
		result = element(mmio, &string);
		if (result != MMIO_DONE)
			return result;
		mmio_set_counter(mmio, MVM_RCX, string.address, left - 1);
		if (left == 1 || comparison_ends(mmio, &string))
			return MMIO_DONE;
	}
	return MMIO_AGAIN;
}
