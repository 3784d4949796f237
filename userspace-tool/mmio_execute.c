// SPDX-License-Identifier: GPL-2.0-only
/*
 * mmio_execute.c - the instructions that the emulator knows, as a table.
 *
 * An operation reads its operands, computes, and writes back; memory operands
 * are found and checked for writing before anything is read, so a fault leaves
 * no trace.  What is not in the table ends the run with a sentence that names
 * the instruction.
 */
#include <string.h>

#include "alu.h"
#include "mmio.h"

struct operation {
	ZydisMnemonic mnemonic;
	enum mmio_result (*run)(struct mmio *mmio,
				const struct operation *operation);
	alu_fn alu;
};

/* A register's number and which bytes of it an operand names. */
struct gpr_part {
	unsigned int number;
	unsigned int shift;
};

static bool gpr_part(ZydisRegister reg, struct gpr_part *part)
{
	part->shift = 0;
	if (reg >= ZYDIS_REGISTER_AL && reg <= ZYDIS_REGISTER_R15B) {
		unsigned int n = (unsigned int)(reg - ZYDIS_REGISTER_AL);

		if (n < 4) {
			part->number = n;
		} else if (n < 8) {		/* AH, CH, DH, BH */
			part->number = n - 4;
			part->shift = 8;
		} else {			/* SPL to R15B */
			part->number = n - 4;
		}
		return true;
	}
	if (reg >= ZYDIS_REGISTER_AX && reg <= ZYDIS_REGISTER_R15W)
		part->number = (unsigned int)(reg - ZYDIS_REGISTER_AX);
	else if (reg >= ZYDIS_REGISTER_EAX && reg <= ZYDIS_REGISTER_R15D)
		part->number = (unsigned int)(reg - ZYDIS_REGISTER_EAX);
	else if (reg >= ZYDIS_REGISTER_RAX && reg <= ZYDIS_REGISTER_R15)
		part->number = (unsigned int)(reg - ZYDIS_REGISTER_RAX);
	else
		return false;
	return true;
}

static u64 gpr_read(const struct mmio *mmio, const struct gpr_part *part,
		    unsigned int bytes)
{
	return (mmio->gpr[part->number] >> part->shift) & alu_mask(bytes);
}

/* 8- and 16-bit writes keep the rest, 32-bit ones clear the upper half. */
static void gpr_write(struct mmio *mmio, const struct gpr_part *part,
		      unsigned int bytes, u64 value)
{
	u64 *gpr = &mmio->gpr[part->number];
	u64 mask = alu_mask(bytes) << part->shift;

	if (bytes >= 4)
		*gpr = value & alu_mask(bytes);
	else
		*gpr = (*gpr & ~mask) | ((value << part->shift) & mask);
}

static enum mmio_result unsupported(struct mmio *mmio)
{
	const char *name = ZydisMnemonicGetString(mmio->decoded->instruction.mnemonic);

	return mmio_unable(mmio, "used the instruction '%s' on a device's memory, which mini-vm cannot emulate",
			   name ? name : "unknown");
}

/**
 * struct place - an operand made ready
 * @kind:	register, memory or immediate
 * @bytes:	its width
 * @part:	of a register
 * @span:	of memory
 * @value:	of an immediate
 */
struct place {
	enum { PLACE_GPR, PLACE_MEMORY, PLACE_IMMEDIATE } kind;
	unsigned int bytes;
	struct gpr_part part;
	struct mmio_span span;
	u64 value;
};

static bool segment_number(ZydisRegister reg, enum mmio_segment *segment)
{
	if (reg < ZYDIS_REGISTER_ES || reg > ZYDIS_REGISTER_GS)
		return false;
	*segment = (enum mmio_segment)(reg - ZYDIS_REGISTER_ES);
	return true;
}

/* The offset of a memory operand in its segment. */
static bool effective_address(const struct mmio *mmio,
			      const ZydisDecodedOperandMem *operand,
			      u64 *address)
{
	unsigned int bytes = mmio->decoded->instruction.address_width / 8;
	struct gpr_part part;
	u64 sum = 0;

	if (operand->disp.has_displacement)
		sum = (u64)operand->disp.value;
	if (operand->base == ZYDIS_REGISTER_RIP ||
	    operand->base == ZYDIS_REGISTER_EIP) {
		sum += mmio->next_rip;
	} else if (operand->base != ZYDIS_REGISTER_NONE) {
		if (!gpr_part(operand->base, &part))
			return false;
		sum += gpr_read(mmio, &part, bytes);
	}
	if (operand->index != ZYDIS_REGISTER_NONE) {
		if (!gpr_part(operand->index, &part))
			return false;
		sum += gpr_read(mmio, &part, bytes) * operand->scale;
	}
	*address = sum & alu_mask(bytes);
	return true;
}

/* Find an operand; @displace is added to a memory operand's address. */
static enum mmio_result prepare_at(struct mmio *mmio, unsigned int index,
				   unsigned int access, u64 displace,
				   struct place *place)
{
	const ZydisDecodedOperand *operand = &mmio->decoded->operands[index];
	enum mmio_segment segment;
	u64 address;

	place->bytes = operand->size / 8;
	switch (operand->type) {
	case ZYDIS_OPERAND_TYPE_REGISTER:
		place->kind = PLACE_GPR;
		if (segment_number(operand->reg.value, &segment)) {
			/* MOV from a segment register stores its selector */
			if (access & WALK_WRITE)
				return unsupported(mmio);
			place->kind = PLACE_IMMEDIATE;
			place->value = mmio_segment(mmio, segment)->selector;
			return MMIO_DONE;
		}
		if (!gpr_part(operand->reg.value, &place->part))
			return unsupported(mmio);
		break;
	case ZYDIS_OPERAND_TYPE_IMMEDIATE:
		place->kind = PLACE_IMMEDIATE;
		place->value = operand->imm.value.u;
		return MMIO_DONE;
	case ZYDIS_OPERAND_TYPE_MEMORY:
		place->kind = PLACE_MEMORY;
		if (!segment_number(operand->mem.segment, &segment) ||
		    !effective_address(mmio, &operand->mem, &address))
			return unsupported(mmio);
		break;
	default:
		return unsupported(mmio);
	}
	if (place->bytes != 1 && place->bytes != 2 && place->bytes != 4 &&
	    place->bytes != 8)
		return unsupported(mmio);
	if (place->kind != PLACE_MEMORY)
		return MMIO_DONE;
	address = (address + displace) &
		  alu_mask(mmio->decoded->instruction.address_width / 8);
	return mmio_span(mmio, segment, address, place->bytes, access,
			 &place->span);
}

static enum mmio_result prepare(struct mmio *mmio, unsigned int index,
				unsigned int access, struct place *place)
{
	return prepare_at(mmio, index, access, 0, place);
}

static u64 load(struct mmio *mmio, const struct place *place)
{
	switch (place->kind) {
	case PLACE_GPR:
		return gpr_read(mmio, &place->part, place->bytes);
	case PLACE_MEMORY:
		return mmio_span_read(mmio, &place->span);
	default:
		return place->value;
	}
}

static void store(struct mmio *mmio, const struct place *place, u64 value)
{
	if (place->kind == PLACE_GPR)
		gpr_write(mmio, &place->part, place->bytes, value);
	else if (place->kind == PLACE_MEMORY)
		mmio_span_write(mmio, &place->span, value);
}

/* Both operands of an instruction that has two. */
static enum mmio_result prepare_two(struct mmio *mmio, unsigned int access,
				    struct place *to, struct place *from)
{
	enum mmio_result result;

	if (mmio->decoded->instruction.operand_count_visible != 2)
		return unsupported(mmio);
	result = prepare(mmio, 0, access, to);
	if (result == MMIO_DONE)
		result = prepare(mmio, 1, 0, from);
	return result;
}

static enum mmio_result run_mov(struct mmio *mmio,
				const struct operation *operation)
{
	struct place to, from;
	enum mmio_result result = prepare_two(mmio, WALK_WRITE, &to, &from);

	(void)operation;
	if (result != MMIO_DONE)
		return result;
	store(mmio, &to, load(mmio, &from));
	return MMIO_DONE;
}

static enum mmio_result run_movsx(struct mmio *mmio,
				  const struct operation *operation)
{
	struct place to, from;
	enum mmio_result result = prepare_two(mmio, WALK_WRITE, &to, &from);

	(void)operation;
	if (result != MMIO_DONE)
		return result;
	store(mmio, &to, alu_sign_extend(load(mmio, &from), from.bytes));
	return MMIO_DONE;
}

/* ADD, OR, ADC, SBB, AND, SUB, XOR */
static enum mmio_result run_alu(struct mmio *mmio,
				const struct operation *operation)
{
	struct place to, from;
	enum mmio_result result = prepare_two(mmio, WALK_WRITE, &to, &from);
	u64 a, b;

	if (result != MMIO_DONE)
		return result;
	a = load(mmio, &to);
	b = load(mmio, &from) & alu_mask(to.bytes);
	store(mmio, &to, operation->alu(to.bytes, a, b, &mmio->rflags));
	return MMIO_DONE;
}

/* CMP, TEST: only the flags are kept */
static enum mmio_result run_compare(struct mmio *mmio,
				    const struct operation *operation)
{
	struct place left, right;
	enum mmio_result result = prepare_two(mmio, 0, &left, &right);
	u64 a, b;

	if (result != MMIO_DONE)
		return result;
	a = load(mmio, &left);
	b = load(mmio, &right) & alu_mask(left.bytes);
	operation->alu(left.bytes, a, b, &mmio->rflags);
	return MMIO_DONE;
}

/* NOT, NEG, INC, DEC */
static enum mmio_result run_unary(struct mmio *mmio,
				  const struct operation *operation)
{
	struct place to;
	enum mmio_result result = prepare(mmio, 0, WALK_WRITE, &to);
	u64 a;

	if (result != MMIO_DONE)
		return result;
	a = load(mmio, &to);
	store(mmio, &to, operation->alu(to.bytes, a, 0, &mmio->rflags));
	return MMIO_DONE;
}

static enum mmio_result run_xchg(struct mmio *mmio,
				 const struct operation *operation)
{
	struct place one, two;
	enum mmio_result result = prepare(mmio, 0, WALK_WRITE, &one);
	u64 a, b;

	(void)operation;
	if (result == MMIO_DONE)
		result = prepare(mmio, 1, WALK_WRITE, &two);
	if (result != MMIO_DONE)
		return result;
	a = load(mmio, &one);
	b = load(mmio, &two);
	store(mmio, &one, b);
	store(mmio, &two, a);
	return MMIO_DONE;
}

static enum mmio_result run_xadd(struct mmio *mmio,
				 const struct operation *operation)
{
	struct place to, from;
	enum mmio_result result = prepare_two(mmio, WALK_WRITE, &to, &from);
	u64 a, sum;

	(void)operation;
	if (result != MMIO_DONE)
		return result;
	a = load(mmio, &to);
	sum = alu_add(to.bytes, a, load(mmio, &from), &mmio->rflags);
	store(mmio, &from, a);
	store(mmio, &to, sum);
	return MMIO_DONE;
}

static enum mmio_result run_cmpxchg(struct mmio *mmio,
				    const struct operation *operation)
{
	struct gpr_part accumulator = { MVM_RAX, 0 };
	struct place to, from;
	enum mmio_result result;
	u64 old, expected;

	(void)operation;
	result = prepare(mmio, 0, WALK_WRITE, &to);
	if (result == MMIO_DONE)
		result = prepare(mmio, 1, 0, &from);
	if (result != MMIO_DONE)
		return result;
	old = load(mmio, &to);
	expected = gpr_read(mmio, &accumulator, to.bytes);
	alu_sub(to.bytes, expected, old, &mmio->rflags);
	if (expected == old) {
		store(mmio, &to, load(mmio, &from));
	} else {
		/* the destination is written in either case (SDM 2A) */
		store(mmio, &to, old);
		gpr_write(mmio, &accumulator, to.bytes, old);
	}
	return MMIO_DONE;
}

static u64 bit_keep(u64 value, u64 bit)
{
	(void)bit;
	return value;
}

static u64 bit_set(u64 value, u64 bit)
{
	return value | bit;
}

static u64 bit_reset(u64 value, u64 bit)
{
	return value & ~bit;
}

static u64 bit_complement(u64 value, u64 bit)
{
	return value ^ bit;
}

/* BT, BTS, BTR, BTC; a bit number in a register reaches beyond the operand */
static enum mmio_result run_bits(struct mmio *mmio, bool write,
				 u64 (*change)(u64 value, u64 bit))
{
	struct place to, index;
	enum mmio_result result = prepare(mmio, 1, 0, &index);
	unsigned int width = mmio->decoded->operands[0].size;
	u64 number, bit, value, displace = 0;

	if (result != MMIO_DONE)
		return result;
	if (width != 16 && width != 32 && width != 64)
		return unsupported(mmio);
	number = load(mmio, &index);
	if (mmio->decoded->operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	    mmio->decoded->operands[0].type == ZYDIS_OPERAND_TYPE_MEMORY) {
		s64 offset = (s64)alu_sign_extend(number, index.bytes);

		/* whole operands up or down; >> of a negative rounds down */
		displace = (u64)(offset >> __builtin_ctz(width)) * (width / 8);
	}
	result = prepare_at(mmio, 0, write ? WALK_WRITE : 0, displace, &to);
	if (result != MMIO_DONE)
		return result;
	bit = BIT_ULL(number & (width - 1));
	value = load(mmio, &to);
	mmio->rflags &= ~RFLAGS_CF;
	if (value & bit)
		mmio->rflags |= RFLAGS_CF;
	if (write)
		store(mmio, &to, change(value, bit));
	return MMIO_DONE;
}

static enum mmio_result run_bt(struct mmio *mmio,
			       const struct operation *operation)
{
	(void)operation;
	return run_bits(mmio, false, bit_keep);
}

static enum mmio_result run_bts(struct mmio *mmio,
				const struct operation *operation)
{
	(void)operation;
	return run_bits(mmio, true, bit_set);
}

static enum mmio_result run_btr(struct mmio *mmio,
				const struct operation *operation)
{
	(void)operation;
	return run_bits(mmio, true, bit_reset);
}

static enum mmio_result run_btc(struct mmio *mmio,
				const struct operation *operation)
{
	(void)operation;
	return run_bits(mmio, true, bit_complement);
}

static enum mmio_result run_string(struct mmio *mmio,
				   const struct operation *operation)
{
	(void)operation;
	/* MOVSD and CMPSD are also the names of SSE2 instructions */
	if (mmio->decoded->instruction.meta.category != ZYDIS_CATEGORY_STRINGOP)
		return unsupported(mmio);
	return mmio_string(mmio);
}

static const struct operation operations[] = {
	{ ZYDIS_MNEMONIC_MOV, run_mov, NULL },
	{ ZYDIS_MNEMONIC_MOVNTI, run_mov, NULL },
	{ ZYDIS_MNEMONIC_MOVZX, run_mov, NULL },
	{ ZYDIS_MNEMONIC_MOVSX, run_movsx, NULL },
	{ ZYDIS_MNEMONIC_MOVSXD, run_movsx, NULL },
	{ ZYDIS_MNEMONIC_ADD, run_alu, alu_add },
	{ ZYDIS_MNEMONIC_OR, run_alu, alu_or },
	{ ZYDIS_MNEMONIC_ADC, run_alu, alu_adc },
	{ ZYDIS_MNEMONIC_SBB, run_alu, alu_sbb },
	{ ZYDIS_MNEMONIC_AND, run_alu, alu_and },
	{ ZYDIS_MNEMONIC_SUB, run_alu, alu_sub },
	{ ZYDIS_MNEMONIC_XOR, run_alu, alu_xor },
	{ ZYDIS_MNEMONIC_CMP, run_compare, alu_sub },
	{ ZYDIS_MNEMONIC_TEST, run_compare, alu_and },
	{ ZYDIS_MNEMONIC_NOT, run_unary, alu_not },
	{ ZYDIS_MNEMONIC_NEG, run_unary, alu_neg },
	{ ZYDIS_MNEMONIC_INC, run_unary, alu_inc },
	{ ZYDIS_MNEMONIC_DEC, run_unary, alu_dec },
	{ ZYDIS_MNEMONIC_XCHG, run_xchg, NULL },
	{ ZYDIS_MNEMONIC_XADD, run_xadd, NULL },
	{ ZYDIS_MNEMONIC_CMPXCHG, run_cmpxchg, NULL },
	{ ZYDIS_MNEMONIC_BT, run_bt, NULL },
	{ ZYDIS_MNEMONIC_BTS, run_bts, NULL },
	{ ZYDIS_MNEMONIC_BTR, run_btr, NULL },
	{ ZYDIS_MNEMONIC_BTC, run_btc, NULL },
	{ ZYDIS_MNEMONIC_MOVSB, run_string, NULL },
	{ ZYDIS_MNEMONIC_MOVSW, run_string, NULL },
	{ ZYDIS_MNEMONIC_MOVSD, run_string, NULL },
	{ ZYDIS_MNEMONIC_MOVSQ, run_string, NULL },
	{ ZYDIS_MNEMONIC_STOSB, run_string, NULL },
	{ ZYDIS_MNEMONIC_STOSW, run_string, NULL },
	{ ZYDIS_MNEMONIC_STOSD, run_string, NULL },
	{ ZYDIS_MNEMONIC_STOSQ, run_string, NULL },
	{ ZYDIS_MNEMONIC_LODSB, run_string, NULL },
	{ ZYDIS_MNEMONIC_LODSW, run_string, NULL },
	{ ZYDIS_MNEMONIC_LODSD, run_string, NULL },
	{ ZYDIS_MNEMONIC_LODSQ, run_string, NULL },
	{ ZYDIS_MNEMONIC_SCASB, run_string, NULL },
	{ ZYDIS_MNEMONIC_SCASW, run_string, NULL },
	{ ZYDIS_MNEMONIC_SCASD, run_string, NULL },
	{ ZYDIS_MNEMONIC_SCASQ, run_string, NULL },
	{ ZYDIS_MNEMONIC_CMPSB, run_string, NULL },
	{ ZYDIS_MNEMONIC_CMPSW, run_string, NULL },
	{ ZYDIS_MNEMONIC_CMPSD, run_string, NULL },
	{ ZYDIS_MNEMONIC_CMPSQ, run_string, NULL },
};

/**
 * mmio_emulate() - perform the instruction at RIP
 * @mmio: made by mmio_init(); gpr, rflags and next_rip are updated
 *
 * With MMIO_EXCEPTION and MMIO_UNABLE the registers are those before the
 * instruction, or, in a string, before the element that failed.
 *
 * Return: how it ended.
 */
enum mmio_result mmio_emulate(struct mmio *mmio)
{
	enum mmio_result result = mmio_decode(mmio);
	unsigned int i;

	if (result != MMIO_DONE)
		return result;
	for (i = 0; i < ARRAY_SIZE(operations); i++)
		if (operations[i].mnemonic == mmio->decoded->instruction.mnemonic)
			return operations[i].run(mmio, &operations[i]);
	return unsupported(mmio);
}
