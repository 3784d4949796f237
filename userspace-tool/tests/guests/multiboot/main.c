// SPDX-License-Identifier: GPL-2.0-only
/*
 * main.c - a Multiboot image that checks what it was given, by the Multiboot
 * specification 0.6.96, 3.2 and 3.3.
 *
 * Prints on COM1 "ok" or "not ok" for each promise, and what it found, for a
 * script to compare with what was asked for.  Ends by the debug-exit port: 0 when
 * all was well, else 1.  Runs under QEMU too, which is how its checks were
 * checked.
 */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define LOADER_MAGIC	0x2badb002
#define CR0_PE		(1u << 0)
#define CR0_PG		(1u << 31)
#define EFLAGS_IF	(1u << 9)
#define EFLAGS_VM	(1u << 17)
#define PAGE		4096u
#define MIB		0x100000u
#define LOW_END		0x9fc00u

#define HAS_MEMORY	(1u << 0)
#define HAS_CMDLINE	(1u << 2)
#define HAS_MODS	(1u << 3)
#define HAS_MMAP	(1u << 6)
#define HAS_LOADER	(1u << 9)

struct info {
	u32 flags;
	u32 mem_lower, mem_upper;
	u32 boot_device;
	u32 cmdline;
	u32 mods_count, mods_addr;
	u32 syms[4];
	u32 mmap_length, mmap_addr;
	u32 drives_length, drives_addr;
	u32 config_table;
	u32 loader_name;
};

struct module {
	u32 start, end, string, reserved;
};

struct range {
	u32 size;
	u64 start, bytes;
	u32 type;
} __attribute__((packed));

extern u32 entry_eax, entry_ebx, entry_eflags, entry_cr0;
extern u32 seen_es, seen_fs, seen_gs, seen_cs;
extern u8 image_start[], image_end[];

static int failed;
static u32 zeros[1024];

static void outb(unsigned short port, u8 value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static u8 inb(unsigned short port)
{
	u8 value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static void put(char c)
{
	while (!(inb(0x3fd) & 0x20))
		;
	outb(0x3f8, (u8)c);
}

static void print(const char *text)
{
	while (*text)
		put(*text++);
}

static void print_number(u32 value, u32 base)
{
	char digits[12], *at = digits + sizeof(digits) - 1;

	*at = '\0';
	do {
		*--at = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	print(at);
}

static void fact(const char *name, u32 value, u32 base)
{
	print(name);
	print_number(value, base);
}

static void check(int good, const char *name)
{
	print(good ? "ok - " : "not ok - ");
	print(name);
	put('\n');
	if (!good)
		failed = 1;
}

static void check_entry(void)
{
	u32 i, sum = 0;

	check(entry_eax == LOADER_MAGIC, "EAX is the loader's magic number");
	check(entry_cr0 & CR0_PE, "protection is on");
	check(!(entry_cr0 & CR0_PG), "paging is off");
	check(!(entry_eflags & (EFLAGS_IF | EFLAGS_VM)), "interrupts are off");
	check(seen_es == LOADER_MAGIC && seen_fs == LOADER_MAGIC &&
	      seen_gs == LOADER_MAGIC && seen_cs == LOADER_MAGIC,
	      "the segments are flat");
	for (i = 0; i < sizeof(zeros) / sizeof(zeros[0]); i++)
		sum |= zeros[i];
	check(!sum, "the BSS is zero");
}

/* Does the word keep what is written to it?  Its content stays. */
static int is_ram(u32 address)
{
	volatile u32 *word = (volatile u32 *)address;
	u32 old = *word;
	int good;

	*word = ~old;
	good = *word == ~old;
	*word = old ^ 0x5a5a5a5a;
	good &= *word == (old ^ 0x5a5a5a5a);
	*word = old;
	return good;
}

static void check_memory(void)
{
	volatile u32 *even = (volatile u32 *)0x500, *odd = (volatile u32 *)(MIB + 0x500);
	u32 address, old = *even;
	int good = 1;

	*even = 0x11111111;
	*odd = 0x22222222;
	check(*even == 0x11111111 && *odd == 0x22222222, "the A20 line is on");
	*even = old;
	/* GCC takes an access to the first page for a null pointer's */
	for (address = 0; address < LOW_END; address += 1020) {
		__asm__ volatile("" : "+r"(address));
		good &= is_ram(address);
	}
	check(good, "page 0 and the memory below 639 KiB is RAM");
}

static int overlap(u32 start, u32 end, u32 other_start, u32 other_end)
{
	return start < other_end && other_start < end;
}

static u32 length(u32 string)
{
	const char *text = (const char *)string;
	u32 count = 0;

	while (text[count])
		count++;
	return count + 1;
}

/* Nothing of the information lies in [start, end). */
static int is_clear(const struct info *info, u32 start, u32 end)
{
	const struct module *modules = (const struct module *)info->mods_addr;
	u32 i;

	if (overlap(start, end, (u32)info, (u32)(info + 1)) ||
	    overlap(start, end, info->mmap_addr, info->mmap_addr + info->mmap_length) ||
	    overlap(start, end, info->mods_addr, (u32)(modules + info->mods_count)) ||
	    overlap(start, end, info->cmdline, info->cmdline + length(info->cmdline)) ||
	    overlap(start, end, info->loader_name,
		    info->loader_name + length(info->loader_name)))
		return 0;
	for (i = 0; i < info->mods_count; i++)
		if (overlap(start, end, modules[i].string,
			    modules[i].string + length(modules[i].string)))
			return 0;
	return 1;
}

static void check_map(const struct info *info)
{
	u32 at = info->mmap_addr, end = at + info->mmap_length;
	u64 last = 0, low = 0, high = 0;
	u32 base;
	int sorted = 1, ram = 1;

	while (at < end) {
		const struct range *range = (const struct range *)at;
		u64 stop = range->start + range->bytes;

		sorted &= range->size >= 20 && range->start >= last && range->bytes;
		last = stop;
		fact("map: ", (u32)(range->start >> 32), 16);
		fact(":", (u32)range->start, 16);
		fact(" to ", (u32)(stop >> 32), 16);
		fact(":", (u32)stop, 16);
		fact(" type ", range->type, 10);
		put('\n');
		if (range->type == 1 && !range->start)
			low = stop;
		if (range->type == 1 && range->start == MIB)
			high = stop;
		/* only what can be reached without paging */
		if (range->type == 1 && stop <= 0xffffffffu)
			ram &= is_ram((u32)range->start) && is_ram((u32)stop - 4);
		at += range->size + 4;
	}
	check(at == end && sorted, "the memory map is sorted and whole");
	check(ram, "what it calls RAM is RAM");
	check(low >> 10 == info->mem_lower, "mem_lower agrees with it");
	__asm__ volatile("movzwl 0x413, %0" : "=r"(base));
	check(base == info->mem_lower, "and with the BIOS data area");
	check((high - MIB) >> 10 == info->mem_upper, "mem_upper agrees with it");
}

static void check_modules(const struct info *info)
{
	const struct module *modules = (const struct module *)info->mods_addr;
	u32 i, k, last = (u32)image_end;
	int aligned = 1, apart = 1;

	fact("modules: ", info->mods_count, 10);
	put('\n');
	for (i = 0; i < info->mods_count; i++) {
		const struct module *module = &modules[i];
		u32 sum = 0;

		aligned &= module->start % PAGE == 0;
		apart &= module->start >= last && module->end >= module->start &&
			 is_clear(info, module->start, module->end) && !module->reserved;
		last = module->end;
		for (k = module->start; k < module->end; k++)
			sum = sum * 31 + *(const u8 *)k;
		print("module: ");
		print((const char *)module->string);
		fact(" | bytes ", module->end - module->start, 10);
		fact(" sum ", sum, 10);
		put('\n');
	}
	check(aligned, "modules begin on a page");
	check(apart, "and keep clear of everything else");
}

void main(void)
{
	const struct info *info = (const struct info *)entry_ebx;
	const u32 must = HAS_MEMORY | HAS_CMDLINE | HAS_MODS | HAS_MMAP | HAS_LOADER;

	check_entry();
	check((info->flags & must) == must, "the information is complete");
	check(is_clear(info, (u32)image_start, (u32)image_end), "and lies beside the image");
	fact("flags: ", info->flags, 16);
	put('\n');
	fact("lower: ", info->mem_lower, 10);
	put('\n');
	fact("upper: ", info->mem_upper, 10);
	put('\n');
	print("command line: ");
	print((const char *)info->cmdline);
	print("|\nloader: ");
	print((const char *)info->loader_name);
	put('\n');
	check_map(info);
	check_modules(info);
	check_memory();
	print("end\n");
	outb(0xf4, (u8)failed);
}
