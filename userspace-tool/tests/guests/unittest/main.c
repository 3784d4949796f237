// SPDX-License-Identifier: GPL-2.0-only
/*
 * main.c - does what the unit tests of hypervisors do before the first test runs,
 * kvm-unit-tests' above all, and tells what it found: resets the local APIC,
 * masks the PICs, programs the serial port, reads Multiboot's memory size, command
 * line and one module (variables of an environment), looks for other CPUs by
 * INIT and SIPI and fw_cfg's count, changes to x2APIC, interrupts itself, and ends
 * by a 32-bit write to the debug-exit port.
 *
 * Prints "ok" or "not ok" for each step, and facts for a script to compare. The
 * status is 0 when all was well, else 1. Runs under QEMU too, with
 * -device isa-debug-exit,iobase=0xf4,iosize=4.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define LOADER_MAGIC	0x2badb002
#define COM1		0x3f8
#define FW_CFG		0x510
#define FW_CFG_RAM_SIZE	3
#define FW_CFG_CPUS	5
#define DEBUG_EXIT	0xf4
#define POWER_OFF	0x8900	/* Bochs' */
#define TEST_DEVICE	0xe0	/* QEMU's pc-testdev */
#define TEST_LINES	0x2000

#define MSR_APIC_BASE	0x1b
#define APIC_BASE_BSP	(1u << 8)
#define APIC_BASE_X2	(1u << 10)
#define APIC_BASE_EN	(1u << 11)
#define APIC_MSR	0x800
#define APIC_ID		0x20
#define APIC_EOI	0xb0
#define APIC_SPIV	0xf0
#define APIC_ICR	0x300
#define APIC_ICR2	0x310
#define ICR_INIT	0x500
#define ICR_STARTUP	0x600
#define ICR_ASSERT	0x4000
#define ICR_BUSY	0x1000
#define ICR_ALL_BUT_SELF 0xc0000
#define CPUID_X2APIC	(1u << 21)
#define VECTOR		0x20

#define CODE64		0x08
#define TSS		0x18

struct info {
	u32 flags;
	u32 mem_lower, mem_upper;
	u32 boot_device;
	u32 cmdline;
	u32 mods_count, mods_addr;
};

struct module {
	u32 start, end, string, reserved;
};

struct __attribute__((packed)) pointer {
	u16 limit;
	u64 base;
};

extern u32 entry_eax, entry_ebx;
extern u64 gdt[];
extern u8 other_cpu[], other_cpu_end[];
void interrupt_entry(void);
void interrupt(void);

static volatile u32 interrupts;
static int failed, x2apic;
static u64 idt[256][2];
static u8 tss[104] __attribute__((aligned(16)));

static void outb(u16 port, u8 value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static u8 inb(u16 port)
{
	u8 value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static u64 rdmsr(u32 index)
{
	u32 low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
	return low | (u64)high << 32;
}

static void wrmsr(u32 index, u64 value)
{
	__asm__ volatile("wrmsr" : : "a"((u32)value), "d"((u32)(value >> 32)), "c"(index)
			 : "memory");
}

static void set_up_serial(void)
{
	outb(COM1 + 3, inb(COM1 + 3) | 0x80);
	outb(COM1, 1);				/* 115,200 baud */
	outb(COM1 + 1, 0);
	outb(COM1 + 3, inb(COM1 + 3) & 0x7f);
	outb(COM1 + 1, 0);
	outb(COM1 + 3, 3);
	outb(COM1 + 2, 0);			/* no FIFOs */
	outb(COM1 + 4, 3);
}

static void put(char c)
{
	while (!(inb(COM1 + 5) & 0x20))
		;
	outb(COM1, (u8)c);
}

static void print(const char *text)
{
	while (*text)
		put(*text++);
}

static void fact(const char *name, u64 value)
{
	char digits[24], *at = digits + sizeof(digits) - 1;

	*at = '\0';
	do {
		*--at = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	print(name);
	print(at);
	put('\n');
}

static void check(int good, const char *name)
{
	print(good ? "ok - " : "not ok - ");
	print(name);
	put('\n');
	if (!good)
		failed = 1;
}

static volatile u32 *apic(u32 reg)
{
	return (volatile u32 *)(0xfee00000ul + reg);
}

static u32 apic_id(void)
{
	return x2apic ? (u32)rdmsr(APIC_MSR + APIC_ID / 16) : *apic(APIC_ID) >> 24;
}

void interrupt(void)
{
	interrupts++;
	if (x2apic)
		wrmsr(APIC_MSR + APIC_EOI / 16, 0);
	else
		*apic(APIC_EOI) = 0;
}

static void send(u32 command, u32 to)
{
	if (x2apic) {
		wrmsr(APIC_MSR + APIC_ICR / 16, (u64)to << 32 | command);
		return;
	}
	while (*apic(APIC_ICR) & ICR_BUSY)
		;
	*apic(APIC_ICR2) = to << 24;
	*apic(APIC_ICR) = command;
}

/* Off and on again: all its registers are as after a reset. */
static void reset_apic(void)
{
	u64 base = rdmsr(MSR_APIC_BASE);

	check(base & APIC_BASE_EN && base & APIC_BASE_BSP, "the local APIC is on, and the boot CPU's");
	wrmsr(MSR_APIC_BASE, base & ~(u64)(APIC_BASE_EN | APIC_BASE_X2));
	check(!(rdmsr(MSR_APIC_BASE) & APIC_BASE_EN), "it can be switched off");
	wrmsr(MSR_APIC_BASE, base | APIC_BASE_EN);
	check(rdmsr(MSR_APIC_BASE) & APIC_BASE_EN, "and on");
	*apic(APIC_SPIV) = 0x1ff;
	check(*apic(APIC_SPIV) == 0x1ff, "and enabled");
}

static void set_up_tables(void)
{
	const struct pointer pointer = { sizeof(idt) - 1, (u64)idt };
	u64 entry = (u64)interrupt_entry, base = (u64)tss;

	idt[VECTOR][0] = (entry & 0xffff) | CODE64 << 16 | 0x8e0000000000 |
			 (entry >> 16 & 0xffff) << 48;
	idt[VECTOR][1] = entry >> 32;
	__asm__ volatile("lidt %0" : : "m"(pointer));
	gdt[TSS / 8] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 | 0x890000000000 |
		       (base >> 24 & 0xff) << 56;
	gdt[TSS / 8 + 1] = base >> 32;
	__asm__ volatile("ltr %w0" : : "r"(TSS));
}

static u64 fw_cfg(u16 key, unsigned int bytes)
{
	u64 value = 0;
	unsigned int i;

	__asm__ volatile("outw %0, %1" : : "a"(key), "Nd"((u16)FW_CFG));
	for (i = 0; i < bytes; i++)
		value |= (u64)inb(FW_CFG + 1) << i * 8;
	return value;
}

static void show_multiboot(const struct info *info)
{
	const struct module *modules = (const struct module *)(u64)info->mods_addr;
	const char *word = (const char *)(u64)info->cmdline;
	u32 at;

	fact("mem_upper: ", info->mem_upper);
	print("argument: ");
	for (; *word; word++) {
		if (*word == ' ')
			print("\nargument: ");
		else
			put(*word);
	}
	put('\n');
	fact("modules: ", info->mods_count);
	if (info->mods_count != 1)
		return;
	print("environment: ");
	for (at = modules->start; at < modules->end; at++)
		put(*(const char *)(u64)at == '\n' ? '|' : *(const char *)(u64)at);
	put('\n');
}

/* Start what other CPUs there are at address 0, as fw_cfg counts them. */
static void look_for_others(void)
{
	u32 size = (u32)(other_cpu_end - other_cpu);
	const u8 *from = other_cpu;
	void *to = (void *)0;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
	send(ICR_INIT | ICR_ALL_BUT_SELF | ICR_ASSERT, 0);
	send(ICR_STARTUP | ICR_ALL_BUT_SELF, 0);
	fact("CPUs: ", fw_cfg(FW_CFG_CPUS, 2));
	fact("memory: ", fw_cfg(FW_CFG_RAM_SIZE, 8));
}

static void enable_x2apic(void)
{
	u32 a = 1, b, c = 0, d, id = apic_id();

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	if (!(c & CPUID_X2APIC)) {
		print("no x2APIC\n");
		return;
	}
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_X2);
	x2apic = 1;
	check(apic_id() == id, "x2APIC mode keeps the APIC's ID");
}

static void interrupt_itself(void)
{
	u32 patience;

	__asm__ volatile("sti");
	send(VECTOR, apic_id());
	for (patience = 0; !interrupts && patience < 1000000; patience++)
		__asm__ volatile("pause");
	__asm__ volatile("cli");
	check(interrupts == 1, "an interrupt that it sends itself comes once");
}

/* Nobody is there: nothing happens, and all bits are 1. */
static void look_for_test_device(void)
{
	u32 value, all = ~0u;
	u16 port;

	for (port = TEST_DEVICE; port < TEST_DEVICE + 8; port += 4) {
		__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
		all &= value;
	}
	outb(TEST_LINES, 1);
	outb(TEST_LINES, 0);
	fact("test device: ", all != ~0u);
}

void main(void)
{
	static const char power_off[] = "Shutdown";
	u32 i;

	set_up_serial();
	check(entry_eax == LOADER_MAGIC, "EAX is the loader's magic number");
	reset_apic();
	set_up_tables();
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	show_multiboot((const struct info *)(u64)entry_ebx);
	look_for_others();
	interrupt_itself();
	enable_x2apic();
	interrupts = 0;
	interrupt_itself();
	look_for_test_device();
	print("end\n");
	__asm__ volatile("outl %0, %1" : : "a"((u32)failed), "Nd"((u16)DEBUG_EXIT));
	for (i = 0; power_off[i]; i++)
		outb(POWER_OFF, (u8)power_off[i]);
}
