// SPDX-License-Identifier: GPL-2.0-only
/*
 * The lab VM's boot loader, second half: reads the already decompressed
 * kernel and the initial RAM disk from the primary ATA disk, fills in the
 * boot parameters and enters the kernel.
 *
 * Entering an uncompressed kernel is the point of having a loader at all: in
 * an emulator the kernel's own decompression takes longer than its boot.
 * Runs in 32-bit protected mode with a flat memory and without interrupts;
 * called once by loader.S.
 */
#include "layout.h"

#define SERIAL_DATA	0x3f8
#define SERIAL_FORMAT	0x3fb
#define SERIAL_8N1	0x03
#define SERIAL_STATUS	0x3fd
#define SERIAL_EMPTY	0x20

#define ATA_DATA	0x1f0
#define ATA_COUNT	0x1f2
#define ATA_LBA_LOW	0x1f3
#define ATA_LBA_MID	0x1f4
#define ATA_LBA_HIGH	0x1f5
#define ATA_DEVICE	0x1f6
#define ATA_COMMAND	0x1f7
#define ATA_STATUS	0x1f7
#define ATA_CONTROL	0x3f6
#define ATA_NO_INTERRUPT 0x02
#define ATA_READ_MULTIPLE_EXT 0x29
#define ATA_SET_MULTIPLE 0xc6
#define ATA_BUSY	0x80
#define ATA_REQUEST	0x08
#define ATA_ERROR	0x21
/*
 * Sectors that the disk hands over at a time, as many as Bochs and QEMU can: in
 * QEMU each time costs some switches of threads, which take long on a busy host.
 */
#define ATA_TOGETHER	16

/* Offsets in Linux' boot parameters (the "zero page"). */
#define BP_SCREEN_COLUMNS 0x07
#define BP_SCREEN_LINES	0x0e
#define BP_SCREEN_VGA	0x0f
#define BP_SCREEN_POINTS 0x10
#define BP_E820_ENTRIES	0x1e8
#define BP_BOOT_FLAG	0x1fe
#define BP_MAGIC	0x202
#define BP_VERSION	0x206
#define BP_LOADER_TYPE	0x210
#define BP_LOAD_FLAGS	0x211
#define BP_RAMDISK	0x218
#define BP_RAMDISK_SIZE	0x21c
#define BP_COMMAND_LINE	0x228
#define BP_E820_TABLE	0x2d0

#define E820_RAM	1
#define LOWEST_INITRD_END 0x7fff0000u	/* the protocol's initrd_addr_max */

struct e820_range {
	uint64_t start;
	uint64_t size;
	uint32_t type;
} __attribute__((packed));

void load_kernel(void);
void enter_kernel(uint32_t entry, uint32_t boot_params, uint32_t cr3);

static inline void out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t in8(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

/* A busy serial port, even an emulated one, drops bytes. */
static void write_console(const char *text)
{
	out8(SERIAL_FORMAT, SERIAL_8N1);
	for (; *text; text++) {
		while (!(in8(SERIAL_STATUS) & SERIAL_EMPTY))
			;
		out8(SERIAL_DATA, *text);
	}
}

static void fail(const char *why)
{
	write_console("lab: boot loader: ");
	write_console(why);
	write_console("\r\n");
	for (;;)
		__asm__ volatile("hlt");
}

static void copy(void *to, const void *from, uint32_t size)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
}

static void clear(void *to, uint32_t size)
{
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(0) : "memory");
}

static void wait_for_disk(uint8_t wanted)
{
	uint8_t status;

	do
		status = in8(ATA_STATUS);
	while (status & ATA_BUSY);
	if ((status & ATA_ERROR) || (status & wanted) != wanted)
		fail("the boot disk cannot be read");
}

static void prepare_disk(void)
{
	out8(ATA_CONTROL, ATA_NO_INTERRUPT);
	out8(ATA_DEVICE, 0x40);
	out8(ATA_COUNT, ATA_TOGETHER);
	out8(ATA_COMMAND, ATA_SET_MULTIPLE);
	wait_for_disk(0);
}

/* Reads @count sectors (1 ... 65535) from @lba to @to; PIO, polled. */
static void *read_chunk(uint32_t lba, uint32_t count, void *to)
{
	out8(ATA_DEVICE, 0x40);
	out8(ATA_COUNT, count >> 8);
	out8(ATA_LBA_LOW, lba >> 24);
	out8(ATA_LBA_MID, 0);
	out8(ATA_LBA_HIGH, 0);
	out8(ATA_COUNT, count);
	out8(ATA_LBA_LOW, lba);
	out8(ATA_LBA_MID, lba >> 8);
	out8(ATA_LBA_HIGH, lba >> 16);
	out8(ATA_COMMAND, ATA_READ_MULTIPLE_EXT);
	while (count) {
		uint32_t now = count < ATA_TOGETHER ? count : ATA_TOGETHER;
		uint32_t words = now * (SECTOR_SIZE / 4);

		wait_for_disk(ATA_REQUEST);
		__asm__ volatile("rep insl"
				 : "+D"(to), "+c"(words)
				 : "d"(ATA_DATA)
				 : "memory");
		count -= now;
	}
	return to;
}

static void read_disk(uint32_t lba, uint32_t size, uint32_t address)
{
	uint32_t left = (size + SECTOR_SIZE - 1) / SECTOR_SIZE;
	void *to = (void *)address;

	while (left) {
		uint32_t count = left > 32768 ? 32768 : left;

		to = read_chunk(lba, count, to);
		lba += count;
		left -= count;
	}
}

/*
 * Finds the highest page-aligned place for @size bytes in RAM below 2 GiB
 * and above @lowest; fails when there is none.
 */
static uint32_t place_initrd(uint32_t size, uint32_t lowest)
{
	const struct e820_range *range = (void *)E820_TABLE;
	uint32_t i, best = 0;

	for (i = 0; i < *(uint32_t *)E820_COUNT; i++) {
		uint64_t end = range[i].start + range[i].size;
		uint64_t start;

		if (range[i].type != E820_RAM)
			continue;
		if (end > LOWEST_INITRD_END)
			end = LOWEST_INITRD_END;
		if (end < (uint64_t)size + lowest)
			continue;
		start = (end - size) & ~0xfffull;
		if (start >= lowest && start >= range[i].start && start > best)
			best = start;
	}
	if (!best)
		fail("the VM's memory is too small for the initial RAM disk");
	return best;
}

static void fill_boot_params(const struct description *what, uint32_t initrd)
{
	uint8_t *params = (void *)BOOT_PARAMS;
	uint32_t ranges = *(uint32_t *)E820_COUNT;

	clear(params, 4096);
	params[BP_SCREEN_COLUMNS] = 80;
	params[BP_SCREEN_LINES] = 25;
	params[BP_SCREEN_VGA] = 1;
	params[BP_SCREEN_POINTS] = 16;
	*(uint16_t *)(params + BP_BOOT_FLAG) = 0xaa55;
	*(uint32_t *)(params + BP_MAGIC) = 0x53726448;	/* "HdrS" */
	*(uint16_t *)(params + BP_VERSION) = 0x020f;
	params[BP_LOADER_TYPE] = 0xff;
	params[BP_LOAD_FLAGS] = 0x01;	/* loaded high */
	*(uint32_t *)(params + BP_RAMDISK) = initrd;
	*(uint32_t *)(params + BP_RAMDISK_SIZE) = what->initrd_size;
	*(uint32_t *)(params + BP_COMMAND_LINE) = COMMAND_LINE;
	copy((void *)COMMAND_LINE, what->command_line, COMMAND_LINE_MAX);
	params[BP_E820_ENTRIES] = ranges;
	copy(params + BP_E820_TABLE, (void *)E820_TABLE, ranges * sizeof(struct e820_range));
}

/* Maps the first 4 GiB one to one with 2 MiB pages; returns the CR3 value. */
static uint32_t map_memory(void)
{
	uint64_t *root = (void *)PAGE_TABLES;
	uint64_t *pointers = root + 512;
	uint64_t *pages = root + 1024;
	uint32_t i;

	clear(root, 6 * 4096);
	root[0] = (uint32_t)pointers | 3;
	for (i = 0; i < 4; i++)
		pointers[i] = (uint32_t)(pages + 512 * i) | 3;
	for (i = 0; i < 2048; i++)
		pages[i] = ((uint64_t)i << 21) | 0x83;
	return PAGE_TABLES;
}

void load_kernel(void)
{
	const struct description *what = (void *)DESCRIPTION;
	uint32_t initrd;

	prepare_disk();
	read_disk(DESCRIPTION_LBA, DESCRIPTION_SECTORS * SECTOR_SIZE, DESCRIPTION);
	if (what->magic != DESCRIPTION_MAGIC)
		fail("the boot disk carries no kernel");
	write_console("lab: boot loader: loading the kernel\r\n");
	read_disk(what->kernel_lba, what->kernel_size, what->kernel_address);
	initrd = place_initrd((what->initrd_size + 4095) & ~4095u, what->kernel_end);
	read_disk(what->initrd_lba, what->initrd_size, initrd);
	fill_boot_params(what, initrd);
	write_console("lab: boot loader: entering the kernel\r\n");
	enter_kernel(what->kernel_entry, BOOT_PARAMS, map_memory());
}
