// SPDX-License-Identifier: GPL-2.0-only
/*
 * guest.c - random guests: a page of code, made of instructions that exit or
 * touch what the module keeps, and of noise
 *
 * RAM, for every mode: tables below 0x8000, stacks below 0x20000, code above.
 */
#include "fuzz.h"

#define RAM_GDT		0x800
#define RAM_PML4	0x1000
#define RAM_PDPT	0x2000
#define RAM_PD		0x3000	/* the first GiB */
#define RAM_PD_HIGH	0x4000	/* the fourth: where the APIC is */
#define RAM_IDT		0x5000
#define RAM_STACK(id)	(0x7800 - 0x200 * ((id) & 7))
#define RAM_CODE(id)	(0x8000 + 0x1000 * ((id) & 7))
#define CODE_MAX	192	/* bytes */

struct code {
	struct fuzzer *f;
	u8 *at;
	u8 *end;
	enum fuzz_mode mode;
};

static void byte(struct code *c, u8 b)
{
	if (c->at < c->end)
		*c->at++ = b;
}

static void bytes(struct code *c, const char *text, size_t n)
{
	while (n--)
		byte(c, *text++);
}

static void number(struct code *c, u32 value, u32 n)
{
	for (; n--; value >>= 8)
		byte(c, value);
}

/* mov $value, %reg of 32 bits */
static void set_reg(struct code *c, enum mvm_gpr reg, u32 value)
{
	if (c->mode == MODE_REAL)
		byte(c, 0x66);
	byte(c, 0xb8 + reg);
	number(c, value, 4);
}

/* Where something is, or nothing, or the APIC. */
static u32 address(struct code *c)
{
	switch (fuzz_draw(c->f, 8)) {
	case 0:
		return 0xfee00000 + (fuzz_draw(c->f, 64) << 4);
	case 1:
		return 0x200000 + (fuzz_draw(c->f, 64) << 12);
	case 2:
	case 3:
	case 4:
		/* slots 1 to 7 */
		return 0x100000 + fuzz_draw(c->f, 7 * 128 * 1024);
	case 5:
		return fuzz_value(c->f);
	default:
		return 0x10000 + fuzz_draw(c->f, FUZZ_RAM - 0x10000);
	}
}

static void memory_access(struct code *c)
{
	static const char ops[][3] = {
		"\x89\x07",	/* mov %eax, (%edi) */
		"\x8b\x07",	/* mov (%edi), %eax */
		"\xff\x07",	/* inc (%edi) */
		"\x87\x07",	/* xchg %eax, (%edi) */
		"\xf3\xab",	/* rep stos */
		"\xf3\x6c",	/* rep insb */
		"\xf3\x6e",	/* rep outsb */
		"\xff\xd7",	/* call *%edi */
		"\xff\x37",	/* push (%edi) */
		"\x80\x0f",	/* orb $next byte, (%edi) */
	};
	const char *op = ops[fuzz_draw(c->f, ARRAY_SIZE(ops))];

	set_reg(c, MVM_RDI, address(c));
	if (op[0] == '\xf3') {
		set_reg(c, MVM_RCX, fuzz_draw(c->f, 64));
		set_reg(c, MVM_RSI, address(c));
	}
	if (c->mode == MODE_REAL)
		byte(c, 0x67);
	bytes(c, op, 2);
}

static void msr_access(struct code *c)
{
	static const u32 index[] = {
		MSR_TSC, MSR_APIC_BASE, MSR_TSC_ADJUST, MSR_SPEC_CTRL,
		MSR_SYSENTER_CS, MSR_SYSENTER_EIP, MSR_MISC_ENABLE,
		MSR_DEBUGCTL, MSR_PAT, MSR_TSC_DEADLINE, MSR_EFER, MSR_STAR,
		MSR_LSTAR, MSR_FMASK, MSR_FS_BASE, MSR_GS_BASE,
		MSR_KERNEL_GS_BASE, MSR_TSC_AUX, 0x8b, 0xda0, 0x830, 0x832,
		0x838, 0x80b, 0x83f, 0x480, 0x40000000,
	};
	bool write = fuzz_one_in(c->f, 2);

	set_reg(c, MVM_RCX,
		fuzz_one_in(c->f, 8) ? fuzz_value(c->f) :
				index[fuzz_draw(c->f, ARRAY_SIZE(index))]);
	if (write) {
		set_reg(c, MVM_RAX, fuzz_value(c->f));
		set_reg(c, MVM_RDX, fuzz_one_in(c->f, 2) ? 0 : fuzz_value(c->f));
	}
	byte(c, 0x0f);
	byte(c, write ? 0x30 : 0x32);
}

/* mov to and from control and debug registers */
static void cr_access(struct code *c)
{
	static const u8 reg[] = { 0xc0, 0xd0, 0xd8, 0xe0 };
	u32 what = fuzz_draw(c->f, 8), n = fuzz_draw(c->f, 8);
	bool from = fuzz_one_in(c->f, 2);

	set_reg(c, MVM_RAX, fuzz_one_in(c->f, 2) ? fuzz_value(c->f) :
						   1U << fuzz_draw(c->f, 32));
	/* the mode may hang on an answer, so no draw may hang on the mode */
	if (c->mode == MODE_LONG && what == 0) {
		bytes(c, "\x44\x0f\x22\xc0", 4);	/* CR8 */
		return;
	}
	byte(c, 0x0f);
	byte(c, (from ? 0x20 : 0x22) + (what < 6 ? 0 : 1));
	byte(c, what < 6 ? reg[n % ARRAY_SIZE(reg)] : 0xc0 + 8 * n);
}

/* One that takes what the registers hold. */
static void plain(struct code *c)
{
	static const struct {
		u8 length;
		char text[5];
	} insn[] = {
		{ 2, "\x0f\xa2" },		/* cpuid */
		{ 2, "\x0f\xa2" },
		{ 2, "\x0f\xa2" },
		{ 1, "\xf4" },			/* hlt */
		{ 2, "\xfb\xf4" },		/* sti; hlt */
		{ 1, "\xfb" },			/* sti */
		{ 1, "\xfa" },			/* cli */
		{ 1, "\xec" },			/* in %dx, %al */
		{ 1, "\xef" },			/* out %eax, %dx */
		{ 3, "\x0f\x01\xc1" },		/* vmcall */
		{ 3, "\x0f\x01\xc2" },		/* vmlaunch */
		{ 3, "\x0f\x01\xc4" },		/* vmxoff */
		{ 3, "\x0f\x01\xd0" },		/* xgetbv */
		{ 3, "\x0f\x01\xd1" },		/* xsetbv */
		{ 3, "\x0f\x01\xf8" },		/* swapgs */
		{ 3, "\x0f\x01\xf9" },		/* rdtscp */
		{ 2, "\x0f\x31" },		/* rdtsc */
		{ 2, "\x0f\x33" },		/* rdpmc */
		{ 2, "\x0f\x05" },		/* syscall */
		{ 2, "\x0f\x34" },		/* sysenter */
		{ 2, "\x0f\x06" },		/* clts */
		{ 2, "\x0f\x08" },		/* invd */
		{ 2, "\x0f\x09" },		/* wbinvd */
		{ 2, "\x0f\x0b" },		/* ud2 */
		{ 2, "\xf3\x90" },		/* pause */
		{ 1, "\xcc" },			/* int3 */
		{ 1, "\xf1" },			/* int1 */
		{ 1, "\xcf" },			/* iret */
		{ 1, "\x9d" },			/* popf */
		{ 1, "\xc3" },			/* ret */
		{ 2, "\x8e\xd0" },		/* mov %ax, %ss */
		{ 2, "\x8e\xd8" },		/* mov %ax, %ds */
		{ 3, "\x0f\x01\x17" },		/* lgdt */
		{ 3, "\x0f\x01\x1f" },		/* lidt */
		{ 3, "\x0f\x01\x07" },		/* sgdt */
		{ 3, "\x0f\x01\x3f" },		/* invlpg */
		{ 3, "\x0f\x01\xf0" },		/* lmsw %ax */
		{ 3, "\x0f\x00\xd8" },		/* ltr %ax */
		{ 3, "\x0f\x00\xd0" },		/* lldt %ax */
		{ 3, "\x0f\xae\x07" },		/* fxsave */
		{ 3, "\x0f\xae\x2f" },		/* xrstor */
		{ 2, "\xdb\xe3" },		/* fninit */
		{ 3, "\x0f\x57\xc0" },		/* xorps */
		{ 2, "\xd9\xe8" },		/* fld1 */
		{ 2, "\xeb\xfe" },		/* for ever */
	};
	u32 i = fuzz_draw(c->f, ARRAY_SIZE(insn));

	bytes(c, insn[i].text, insn[i].length);
}

static void instruction(struct code *c)
{
	switch (fuzz_draw(c->f, 16)) {
	case 0:
	case 1:
	case 2:
		memory_access(c);
		break;
	case 3:
	case 4:
		msr_access(c);
		break;
	case 5:
		cr_access(c);
		break;
	case 6:
		/* in, out to a port; int */
		byte(c, "\xe4\xe6\xe5\xe7\xcd"[fuzz_draw(c->f, 5)]);
		byte(c, fuzz_one_in(c->f, 2) ? FUZZ_PORTS + fuzz_draw(c->f, 32) :
					       fuzz_draw(c->f, 256));
		break;
	case 7:
		/* a jump ahead, perhaps into an instruction */
		byte(c, 0x70 + fuzz_draw(c->f, 16));
		byte(c, fuzz_draw(c->f, 8));
		break;
	case 8:
		for (u32 n = 1 + fuzz_draw(c->f, 4); n; n--)
			byte(c, fuzz_draw(c->f, 256));
		break;
	case 9:
		set_reg(c, fuzz_draw(c->f, 8), fuzz_value(c->f));
		break;
	default:
		plain(c);
	}
}

static void make_tables(u8 *ram)
{
	static const u64 gdt[] = {
		0,
		0x00af9b000000ffff,	/* 0x08: code, 64 bits */
		0x00cf93000000ffff,	/* 0x10: data */
		0x00cf9b000000ffff,	/* 0x18: code, 32 bits */
	};
	u64 *pdpt = (u64 *)(ram + RAM_PDPT), *pd = (u64 *)(ram + RAM_PD);
	u64 *high = (u64 *)(ram + RAM_PD_HIGH);

	memcpy(ram + RAM_GDT, gdt, sizeof(gdt));
	*(u64 *)(ram + RAM_PML4) = RAM_PDPT | 7;
	pdpt[0] = RAM_PD | 7;
	pdpt[3] = RAM_PD_HIGH | 7;
	for (u64 i = 0; i < 512; i++) {
		pd[i] = i << 21 | 0x87;
		high[i] = (3UL << 30) | i << 21 | 0x87;
	}
}

void fuzz_mode_sregs(struct mvm_sregs *s, enum fuzz_mode mode)
{
	struct mvm_segment data = {
		.limit = 0xffffffff,
		.access = 0xc093,
		.selector = 0x10,
	};

	*s = (struct mvm_sregs){ .size = sizeof(*s) };
	if (mode == MODE_REAL)
		data = (struct mvm_segment){ .limit = 0xffff, .access = 0x93 };
	s->cs = s->ds = s->es = s->fs = s->gs = s->ss = data;
	s->cs.access = mode == MODE_REAL ? 0x9b :
		       mode == MODE_LONG ? 0xa09b : 0xc09b;
	if (mode != MODE_REAL)
		s->cs.selector = mode == MODE_LONG ? 0x08 : 0x18;
	s->tr = (struct mvm_segment){ .base = 0x600, .limit = 0x67, .access = 0x8b };
	s->ldt = (struct mvm_segment){ .access = MVM_SEGMENT_UNUSABLE };
	s->gdt = (struct mvm_table){ .base = RAM_GDT, .limit = 0x1f };
	s->idt = (struct mvm_table){ .base = mode == MODE_REAL ? 0 : RAM_IDT,
				     .limit = 0x3ff };
	s->cr0 = X86_CR0_ET | X86_CR0_NE | (mode == MODE_REAL ? 0 : X86_CR0_PE);
	if (mode == MODE_LONG) {
		s->cr0 |= X86_CR0_PG;
		s->cr3 = RAM_PML4;
		s->cr4 = X86_CR4_PAE | X86_CR4_OSFXSR;
		s->efer = EFER_LME | EFER_LMA;
	}
	s->xcr0 = 1;
	s->apic_base = 0xfee00800;
	s->dr6 = 0xffff0ff0;
	s->dr7 = 0x400;
}

void fuzz_aim(struct fuzzer *f, struct fuzz_vm *vm, struct fuzz_vcpu *vcpu)
{
	u64 start = RAM_CODE(vcpu->id);
	struct code c = {
		.f = f,
		.at = vm->ram + start,
		.end = vm->ram + start + CODE_MAX,
		.mode = vcpu->mode,
	};
	u32 n = 1 + fuzz_draw(f, 12);
	volatile struct mvm_run *run = vcpu->run;

	make_tables(vm->ram);
	while (n--)
		instruction(&c);
	/* and again */
	c.end += 5;
	byte(&c, 0xe9);
	number(&c, vm->ram + start - (c.at + (c.mode == MODE_REAL ? 2 : 4)), 4);

	for (u32 i = 0; i < MVM_NR_GPRS; i++)
		run->gpr[i] = fuzz_value(f);
	/* a counter that ends soon */
	run->gpr[MVM_RCX] = fuzz_draw(f, 64);
	run->gpr[MVM_RSP] = RAM_STACK(vcpu->id);
	run->rip = start;
	run->next_rip = start;
	run->rflags = RFLAGS_FIXED | (fuzz_one_in(f, 2) ? RFLAGS_IF : 0) |
		      (fuzz_one_in(f, 16) ? RFLAGS_TF : 0);
	run->action = MVM_ACTION_RETRY;
}
