// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz_mmio.c - any instruction in any state of the registers, against memory of
 * 2 MiB and a device everywhere else: the emulator of MMIO accesses and the one
 * of string I/O, which share their way to memory.
 *
 * The input, from its front: the state (struct input), then the instruction,
 * then what the page tables hold; what is missing is zero.
 */
#include <string.h>
#include <sys/mman.h>

#include "fuzz.h"
#include "io_string.h"
#include "mmio.h"

#define DEVICE		0xa0000ULL
#define CODE		0x1000ULL
#define CODE_BYTES	16
#define CR3		0x8000ULL
#define TABLES		0x9000ULL
#define TABLE_BYTES	0x4000U
#define DATA		0x20000ULL
#define ROUNDS		4

/* Where a register points, so that accesses are not all alike. */
enum aim { AIM_RAW, AIM_DEVICE, AIM_DATA, AIM_EDGE, AIM_CODE, AIM_SMALL, AIM_ROM, AIM_HIGH };

/**
 * struct input - the state of the machine
 * @mode:	what kind of code: index into modes, and flags
 * @what:	0: MMIO, else string I/O with these properties
 * @segments:	access rights of the data segments
 * @source:	segment of OUTS; bit 7: RCX may be any number
 * @rflags:	flags
 * @aim:	per general register, enum aim
 * @value:	per general register
 */
struct input {
	u8 mode;
	u8 what;
	u8 segments;
	u8 source;
	u32 rflags;
	u8 aim[MVM_NR_GPRS];
	u64 value[MVM_NR_GPRS];
};

#define MODE_TABLES	BIT(3)	/* page tables from the input */
#define MODE_USER	BIT(4)
#define MODE_WP		BIT(5)
#define MODE_SMAP	BIT(6)
#define MODE_EDGE	BIT(7)	/* the instruction crosses a page */

static struct guest_mem mem;

static bool is_memory(u64 gpa, unsigned int bytes)
{
	unsigned int i;

	for (i = 0; i < bytes; i++)
		if (guest_mem_at(&mem, gpa + i, 1))
			return true;
	return false;
}

static u64 dev_read(void *context, u64 gpa, unsigned int bytes)
{
	(void)context;
	must(bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8);
	must(!is_memory(gpa, bytes));
	return gpa * 0x9e3779b97f4a7c15ULL;
}

static void dev_write(void *context, u64 gpa, unsigned int bytes, u64 value)
{
	(void)context;
	must(bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8);
	must(bytes == 8 || !(value >> (8 * bytes)));
	must(!is_memory(gpa, bytes));
}

static const struct mmio_io io = { dev_read, dev_write, NULL };

/* Kinds of code: access rights of CS, control registers, EFER */
static const struct {
	u32 access;
	u64 cr0;
	u64 cr4;
	u64 efer;
	u64 rflags;
} modes[] = {
	{ 0x009b, 0, 0, 0, 0 },					/* real */
	{ 0x009b, CR0_PE, 0, 0, 0 },				/* 16 bits */
	{ 0xc09b, CR0_PE, 0, 0, 0 },				/* 32 bits */
	{ 0xc09b, CR0_PE | CR0_PG, CR4_PSE, 0, 0 },
	{ 0xc09b, CR0_PE | CR0_PG, CR4_PAE, EFER_NXE, 0 },
	{ 0xa09b, CR0_PE | CR0_PG, CR4_PAE, EFER_LME | EFER_LMA | EFER_NXE, 0 },
	{ 0xc09b, CR0_PE | CR0_PG, CR4_PAE, EFER_LME | EFER_LMA, 0 },	/* compatibility */
	{ 0x00fb, CR0_PE | CR0_PG, CR4_PSE, 0, RFLAGS_VM },	/* virtual 8086 */
};

static const u32 segment_access[] = {
	0xc093, 0xc091, 0xc097, 0x0093, 0xc09b, 0xc099, 0x10000, 0x8093,
};

static void set_segment(struct mvm_segment *segment, u32 access, u32 dpl)
{
	segment->access = access | dpl << 5;
	segment->limit = access & 0x8000 ? 0xffffffff : 0xffff;
}

static u64 aimed(u8 aim, u64 value)
{
	switch (aim % 8) {
	case AIM_DEVICE:
		return DEVICE + value % 0x2000;
	case AIM_DATA:
		return DATA + value % 0x2000;
	case AIM_EDGE:
		return GPA_LOW_END - 8 + value % 16;
	case AIM_CODE:
		return CODE + value % 64;
	case AIM_SMALL:
		return value % 300;
	case AIM_ROM:
		return GPA_ROM - 8 + value % 16;
	case AIM_HIGH:
		return 2 * MIB - 8 + value % 16;
	default:
		return value;
	}
}

/* Everything mapped to itself in large pages, where the input says nothing. */
static void write_tables(unsigned int mode, const u8 *data, size_t size)
{
	static u8 bytes[TABLE_BYTES];
	u64 wide = TABLES | 7;
	u32 narrow[1024];
	unsigned int i;

	memset(bytes, 0, sizeof(bytes));
	if (size) {
		/* the first entries of each of four tables */
		for (i = 0; i < 4; i++)
			memcpy(bytes + i * GUEST_PAGE, data + i * (size / 4), size / 4);
		guest_mem_write(&mem, CR3, bytes, sizeof(bytes));
		return;
	}
	if (!(modes[mode].cr4 & CR4_PAE)) {
		for (i = 0; i < 1024; i++)
			narrow[i] = i << 22 | 0x87;
		guest_mem_write(&mem, CR3, narrow, sizeof(narrow));
		return;
	}
	if (!(modes[mode].efer & EFER_LMA))
		wide = TABLES | 1;
	guest_mem_write(&mem, CR3, &wide, sizeof(wide));
	/* a large page, of 1 GiB or 2 MiB, is the same entry */
	wide = 0x87;
	guest_mem_write(&mem, TABLES, &wide, sizeof(wide));
}

static void set_state(const struct input *input, struct mvm_sregs *sregs, u64 *gpr)
{
	unsigned int mode = input->mode % 8, i;
	u32 dpl = input->mode & MODE_USER || mode == 7 ? 3 : 0;
	u32 access = segment_access[input->segments % 8];

	memset(sregs, 0, sizeof(*sregs));
	sregs->cr0 = modes[mode].cr0 | (input->mode & MODE_WP ? CR0_WP : 0);
	sregs->cr3 = CR3;
	sregs->cr4 = modes[mode].cr4 | (input->mode & MODE_SMAP ? CR4_SMAP : 0);
	sregs->efer = modes[mode].efer;
	set_segment(&sregs->cs, modes[mode].access, dpl);
	set_segment(&sregs->ss, 0xc093, dpl);
	set_segment(&sregs->ds, access, dpl);
	set_segment(&sregs->es, segment_access[input->segments / 8 % 8], dpl);
	set_segment(&sregs->fs, access, dpl);
	set_segment(&sregs->gs, access, dpl);
	sregs->fs.base = DEVICE;
	sregs->gs.base = input->value[0];
	for (i = 0; i < MVM_NR_GPRS; i++)
		gpr[i] = aimed(input->aim[i], input->value[i]);
	/* long strings take long and show little more than short ones */
	if (!(input->source & 0x80))
		gpr[MVM_RCX] &= 0x80000000000000ff;
}

static enum mmio_result run_once(const struct input *input, struct mmio *mmio)
{
	struct mvm_exit_io exit = {
		.port = (u16)input->value[2],
		.bytes = 1U << (input->what & 3),
		.flags = MVM_IO_STRING | (input->what & 4 ? MVM_IO_IN : 0) |
			 (input->what & 8 ? MVM_IO_REP : 0),
		.address_bytes = 2U << (input->what >> 4 & 3),
		.segment = input->source & 7,
	};
	struct bus ports;

	if (!input->what)
		return mmio_emulate(mmio);
	bus_init(&ports, "port", 0x10000);
	return io_string(mmio, &ports, &exit);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	u8 code[CODE_BYTES] = { 0 };
	struct mvm_sregs sregs;
	u64 gpr[MVM_NR_GPRS], rip, rflags;
	struct input input;
	enum mmio_result result = MMIO_AGAIN;
	static struct mmio mmio;
	size_t code_bytes;
	unsigned int round;

	if (size < sizeof(input))
		return -1;
	if (!mem.host) {
		must(!guest_mem_create(&mem, 2 * MIB));
		madvise(mem.host, mem.size, MADV_NOHUGEPAGE);
	}
	memcpy(&input, data, sizeof(input));
	data += sizeof(input);
	size -= sizeof(input);
	code_bytes = size < CODE_BYTES ? size : CODE_BYTES;
	memcpy(code, data, code_bytes);
	data += code_bytes;
	size -= code_bytes;
	if (!(input.mode & MODE_TABLES))
		size = 0;
	write_tables(input.mode % 8, data, size < TABLE_BYTES ? size : TABLE_BYTES);
	rip = input.mode & MODE_EDGE ? CODE + GUEST_PAGE - 3 : CODE;
	guest_mem_write(&mem, rip, code, sizeof(code));
	set_state(&input, &sregs, gpr);
	rflags = (input.rflags & 0x50dd5) | RFLAGS_FIXED | modes[input.mode % 8].rflags;

	for (round = 0; round < ROUNDS && result == MMIO_AGAIN; round++) {
		memset(&mmio, 0xee, sizeof(mmio));
		mmio_init(&mmio, &mem, &io, &sregs, gpr, rip, rflags, 40);
		result = run_once(&input, &mmio);
		switch (result) {
		case MMIO_DONE:
			must(input.what || ((mmio.next_rip - rip) & 0xffff) <= 15);
			break;
		case MMIO_AGAIN:
			break;
		case MMIO_EXCEPTION:
			must(mmio.exception.vector < 32 && mmio.exception.vector != 2);
			must(mmio.exception.has_error_code <= 1 && !mmio.exception.reserved);
			break;
		case MMIO_UNABLE:
			must(memchr(mmio.message, 0, sizeof(mmio.message)));
			must(strlen(mmio.message) > 10);
			break;
		default:
			must(!"a result that is none");
		}
		memcpy(gpr, mmio.gpr, sizeof(gpr));
		rflags = mmio.rflags;
		must(rflags & RFLAGS_FIXED && !(rflags >> 22));
	}
	must(!guest_mem_clear(&mem));
	return 0;
}
