// SPDX-License-Identifier: GPL-2.0-only
/*
 * multiboot_info.c - what a Multiboot image is told: the information structure,
 * the memory map, the command line and the modules.  Called by multiboot.c.
 *
 * Where things go follows QEMU's loader, since images are written for it:
 *
 *   0x9000   GDT
 *   0x9500   memory map
 *   0x9a00   information structure
 *   behind the image, from the next page: the list of modules and the strings;
 *   behind them, each on a page of its own, the modules
 *
 * The words of the BIOS data area that say where low memory ends are filled in
 * as a BIOS would, because images trust them more than the information (Xen
 * does); an image that is loaded over them has its own bytes there.
 *
 * An image that occupies the first three itself gets them behind it too.
 * "Behind" is never below 1 MiB, so modules do not run into the hole there.
 *
 * Source: Multiboot Specification version 0.6.96, 3.2 and 3.3.
 */
#include <string.h>

#include "../report.h"
#include "bytes.h"
#include "memory_map.h"
#include "multiboot.h"

#define LOADER_MAGIC		0x2badb002
#define LOADER_NAME		"mini-vm"

#define PAGE_GPA		0x9000
#define PAGE_GDT		0x000
#define PAGE_MAP		0x500
#define PAGE_INFO		0xa00

#define INFO_BYTES		116
#define INFO_FLAGS		0
#define INFO_MEM_LOWER		4
#define INFO_MEM_UPPER		8
#define INFO_CMDLINE		16
#define INFO_MODS_COUNT		20
#define INFO_MODS_ADDR		24
#define INFO_MMAP_LENGTH	44
#define INFO_MMAP_ADDR		48
#define INFO_LOADER_NAME	64

#define HAS_MEMORY		BIT(0)
#define HAS_CMDLINE		BIT(2)
#define HAS_MODS		BIT(3)
#define HAS_MMAP		BIT(6)
#define HAS_LOADER_NAME		BIT(9)

#define MOD_BYTES		16
#define MAP_BYTES		24

/* BIOS data area: (word) addresses and, at its end, the extended one */
#define BDA_GPA			0x400
#define BDA_BYTES		0x100
#define BDA_COM1		0x400
#define BDA_EBDA_SEGMENT	0x40e
#define BDA_EQUIPMENT		0x410
#define BDA_BASE_MEMORY		0x413	/* KiB */
#define EQUIPMENT_ONE_COM	BIT(9)
#define COM1_PORT		0x3f8

/* QEMU's selectors */
#define BOOT_CS			0x08
#define BOOT_DS			0x10

/*
 * ESP is undefined.  Behind QEMU's loader it is what the BIOS left, a little
 * below this, and some images call before they set it.
 */
#define BOOT_STACK		0x7000

/**
 * struct layout - the memory behind the image, given out upwards
 * @mem:	guest memory
 * @next:	first free GPA
 */
struct layout {
	const struct guest_mem *mem;
	u64 next;
};

/* Whole pages, or false: no room below the end of the low RAM. */
static bool take(struct layout *layout, u64 bytes, u64 *gpa)
{
	u64 room = layout->mem->low - layout->next;

	if (bytes > room)
		return false;
	*gpa = layout->next;
	bytes = (bytes + GUEST_PAGE - 1) & ~(GUEST_PAGE - 1);
	layout->next += bytes < room ? bytes : room;
	return true;
}

static bool occupies(const struct elf_image *image, u64 gpa, u64 bytes)
{
	unsigned int i;

	for (i = 0; i < image->count; i++) {
		const struct elf_segment *segment = &image->segments[i];

		if (segment->gpa < gpa + bytes &&
		    gpa < segment->gpa + segment->bytes)
			return true;
	}
	return false;
}

static int too_big(const struct boot_files *files, const char *path,
		   const char *what)
{
	report_error("%s: no room for %s behind the image in the guest's memory; give it more with --memory",
		     path ? path : files->image_path, what);
	return STATUS_RESOURCE;
}

/* No display, no disks: what is not said here is zero. */
static void write_bios_data(const struct guest_mem *mem,
			    const struct elf_image *image)
{
	u8 *low = guest_mem_at_writable(mem, 0, GPA_LOW_END);

	if (!low)
		return;
	if (!occupies(image, BDA_GPA, BDA_BYTES)) {
		put16(low + BDA_COM1, COM1_PORT);
		put16(low + BDA_EBDA_SEGMENT, MEMORY_LOW_USABLE >> 4);
		put16(low + BDA_EQUIPMENT, EQUIPMENT_ONE_COM);
		put16(low + BDA_BASE_MEMORY, MEMORY_LOW_USABLE / KIB);
	}
	/* the extended area begins with its size in KiB */
	if (!occupies(image, MEMORY_LOW_USABLE, KIB))
		low[MEMORY_LOW_USABLE] = (GPA_LOW_END - MEMORY_LOW_USABLE) / KIB;
}

/* Flat code and data segments at 0x08 and 0x10. */
static void write_gdt(u8 *page, u64 gpa, struct boot_state *state)
{
	put64(page + PAGE_GDT + BOOT_CS, 0x00cf9b000000ffffULL);
	put64(page + PAGE_GDT + BOOT_DS, 0x00cf93000000ffffULL);
	state->code = BOOT_CS;
	state->data = BOOT_DS;
	state->gdt = gpa + PAGE_GDT;
	state->gdt_limit = BOOT_DS + 7;
}

static void write_map(u8 *page, u64 gpa, const struct guest_mem *mem)
{
	struct memory_map map;
	u8 *info = page + PAGE_INFO;
	u8 *entry = page + PAGE_MAP;
	unsigned int i;

	memory_map(mem, &map);
	for (i = 0; i < map.count; i++, entry += MAP_BYTES) {
		/* the size does not count itself */
		put32(entry, MAP_BYTES - 4);
		put64(entry + 4, map.ranges[i].start);
		put64(entry + 12, map.ranges[i].end - map.ranges[i].start);
		put32(entry + 20, map.ranges[i].type);
	}
	put32(info + INFO_MMAP_LENGTH, map.count * MAP_BYTES);
	put32(info + INFO_MMAP_ADDR, (u32)(gpa + PAGE_MAP));
	put32(info + INFO_MEM_LOWER, MEMORY_LOW_USABLE / KIB);
	put32(info + INFO_MEM_UPPER, (u32)((mem->low - GPA_HIGH) / KIB));
}

/* The modules' contents; start and end of each into the list. */
static int load_modules(const struct boot_files *files, struct layout *layout,
			u8 *list)
{
	unsigned int i;

	for (i = 0; i < files->module_count; i++) {
		const struct boot_module *module = &files->modules[i];
		u64 gpa;
		int status;

		if (!take(layout, module->size, &gpa))
			return too_big(files, module->path, "this module");
		put32(list + i * MOD_BYTES, (u32)gpa);
		put32(list + i * MOD_BYTES + 4, (u32)(gpa + module->size));
		if (!module->size)
			continue;
		status = load_file(module->path, module->fd, 0, module->size,
				   layout->mem, gpa);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

/* The bytes of the block that write_block() fills. */
static u64 block_bytes(const struct boot_files *files)
{
	u64 bytes = files->module_count * MOD_BYTES + sizeof(LOADER_NAME) +
		    strlen(files->image_path) + strlen(files->command_line) + 2;
	unsigned int i;

	for (i = 0; i < files->module_count; i++)
		bytes += strlen(files->modules[i].string) + 1;
	return bytes;
}

/* Returns the GPA behind the string. */
static u64 put_string(u8 *block, u64 base, u64 gpa, const char *string)
{
	size_t bytes = strlen(string) + 1;

	memcpy(block + (gpa - base), string, bytes);
	return gpa + bytes;
}

/* The list of modules, without their addresses, and the strings. */
static void write_block(const struct boot_files *files, u8 *block, u64 base,
			u8 *info)
{
	u64 gpa = base + files->module_count * MOD_BYTES;
	unsigned int i;

	put32(info + INFO_MODS_COUNT, files->module_count);
	put32(info + INFO_MODS_ADDR, (u32)base);
	for (i = 0; i < files->module_count; i++) {
		put32(block + i * MOD_BYTES + 8, (u32)gpa);
		gpa = put_string(block, base, gpa, files->modules[i].string);
	}
	put32(info + INFO_LOADER_NAME, (u32)gpa);
	gpa = put_string(block, base, gpa, LOADER_NAME);
	put32(info + INFO_CMDLINE, (u32)gpa);
	gpa = put_string(block, base, gpa, files->image_path);
	if (*files->command_line) {
		block[gpa - 1 - base] = ' ';
		put_string(block, base, gpa, files->command_line);
	}
}

/**
 * multiboot_inform() - write the information, load the modules
 * @files: the image's name, the command line and the modules
 * @mem: guest memory
 * @image: where the image lies, checked to be RAM below 4 GiB
 * @state: out: GDT, selectors, EAX, EBX and ESP
 *
 * Return: STATUS_OK, or STATUS_RESOURCE after a report.
 */
int multiboot_inform(const struct boot_files *files,
		     const struct guest_mem *mem,
		     const struct elf_image *image, struct boot_state *state)
{
	struct layout layout = { mem, GPA_HIGH };
	u64 page_gpa = PAGE_GPA, block_gpa;
	u8 *page, *block;

	if (image->end > GPA_HIGH)
		layout.next = (image->end + GUEST_PAGE - 1) & ~(GUEST_PAGE - 1);
	if (layout.next > mem->low)
		layout.next = mem->low;
	if ((occupies(image, PAGE_GPA, GUEST_PAGE) &&
	     !take(&layout, GUEST_PAGE, &page_gpa)) ||
	    !take(&layout, block_bytes(files), &block_gpa))
		return too_big(files, NULL, "the Multiboot information");
	page = guest_mem_at_writable(mem, page_gpa, GUEST_PAGE);
	block = guest_mem_at_writable(mem, block_gpa, block_bytes(files));
	if (!page || !block)
		return too_big(files, NULL, "the Multiboot information");
	memset(page, 0, GUEST_PAGE);
	memset(block, 0, block_bytes(files));
	write_gdt(page, page_gpa, state);
	write_map(page, page_gpa, mem);
	write_bios_data(mem, image);
	write_block(files, block, block_gpa, page + PAGE_INFO);
	put32(page + PAGE_INFO + INFO_FLAGS,
	      HAS_MEMORY | HAS_CMDLINE | HAS_MODS | HAS_MMAP |
	      HAS_LOADER_NAME);
	state->rax = LOADER_MAGIC;
	state->rbx = page_gpa + PAGE_INFO;
	state->rsp = BOOT_STACK;
	return load_modules(files, &layout, block);
}
