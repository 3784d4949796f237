// SPDX-License-Identifier: GPL-2.0-only
/*
 * linux.c - gives a Linux kernel what the x86 boot protocol promises it: boot
 * parameters, command line, initrd, and the CPU's state at the entry point.
 * Called by bzimage.c and vmlinux.c, which know where the kernel lies.
 *
 * What the kernel needs to find is put into low memory, which it treats as
 * free once it has copied what it wants:
 *
 *   0x6000   GDT
 *   0x7000   boot parameters ("zero page")
 *   0x8000   page tables: PML4, PDPT, four PDs; the first 4 GiB, identity
 *   0x20000  command line
 *
 * Source: Linux Documentation/x86/boot.rst and zero-page.rst.
 */
#include <string.h>

#include "../report.h"
#include "bytes.h"
#include "linux.h"
#include "memory_map.h"

#define GDT_GPA			0x6000
#define BOOT_PARAMS_GPA		0x7000
#define BOOT_PARAMS_SIZE	0x1000
#define PML4_GPA		0x8000
#define PDPT_GPA		0x9000
#define PD_GPA			0xa000
#define COMMAND_LINE_GPA	0x20000
#define COMMAND_LINE_MAX	0x10000

/* Offsets in the boot parameters alone */
#define OFF_ALT_MEM_K		0x1e0
#define OFF_E820_ENTRIES	0x1e8
#define OFF_E820_TABLE		0x2d0
#define E820_ENTRY		20

#define LOADER_UNDEFINED	0xff

/* The selectors that the protocol asks for */
#define BOOT_CS			0x10
#define BOOT_DS			0x18

static int no_low_memory(const struct boot_files *files)
{
	report_error("%s: the guest has no low memory for the boot parameters",
		     files->image_path);
	return STATUS_RESOURCE;
}

/* As high as the kernel allows, and above it. */
static int place_initrd(const struct boot_files *files,
			const struct guest_mem *mem,
			const struct linux_kernel *kernel, u64 *gpa)
{
	u64 end = (u64)get32(kernel->header + OFF_INITRD_ADDR_MAX) + 1;
	u64 floor = kernel->load + kernel->init_size;

	*gpa = 0;
	if (files->initrd_fd < 0)
		return STATUS_OK;
	if (end > mem->low)
		end = mem->low;
	if (files->initrd_size <= end) {
		*gpa = (end - files->initrd_size) & ~(GUEST_PAGE - 1);
		if (*gpa >= floor)
			return STATUS_OK;
	}
	report_error("%s: the initrd is too big for the guest's memory: it has %llu MiB, and %llu MiB are left beside the kernel; give the guest more with --memory",
		     files->initrd_path,
		     (unsigned long long)((files->initrd_size + MIB - 1) / MIB),
		     (unsigned long long)((end > floor ? end - floor : 0) /
					  MIB));
	return STATUS_RESOURCE;
}

static int write_command_line(const struct boot_files *files,
			      const struct guest_mem *mem,
			      const struct linux_kernel *kernel)
{
	u64 length = strlen(files->command_line);
	u64 limit = get32(kernel->header + OFF_CMDLINE_SIZE);

	if (limit > COMMAND_LINE_MAX - 1)
		limit = COMMAND_LINE_MAX - 1;
	if (length > limit) {
		report_error("%s: the command line has %llu characters, and this kernel takes %llu at most",
			     files->image_path, (unsigned long long)length,
			     (unsigned long long)limit);
		return STATUS_RESOURCE;
	}
	if (!guest_mem_write(mem, COMMAND_LINE_GPA, files->command_line,
			     length + 1))
		return no_low_memory(files);
	return STATUS_OK;
}

static void write_e820(u8 *params, const struct guest_mem *mem)
{
	u8 *entry = params + OFF_E820_TABLE;
	struct memory_map map;
	unsigned int i;

	memory_map(mem, &map);
	for (i = 0; i < map.count; i++, entry += E820_ENTRY) {
		put64(entry, map.ranges[i].start);
		put64(entry + 8, map.ranges[i].end - map.ranges[i].start);
		put32(entry + 16, map.ranges[i].type);
	}
	params[OFF_E820_ENTRIES] = (u8)map.count;
}

static int write_boot_params(const struct boot_files *files,
			     const struct guest_mem *mem,
			     const struct linux_kernel *kernel, u64 initrd)
{
	u8 *params = guest_mem_at_writable(mem, BOOT_PARAMS_GPA,
					   BOOT_PARAMS_SIZE);

	if (!params)
		return no_low_memory(files);
	memset(params, 0, BOOT_PARAMS_SIZE);
	memcpy(params + OFF_SETUP_SECTS, kernel->header + OFF_SETUP_SECTS,
	       kernel->header_end - OFF_SETUP_SECTS);
	params[OFF_TYPE_OF_LOADER] = LOADER_UNDEFINED;
	put32(params + OFF_CODE32_START, (u32)kernel->load);
	put32(params + OFF_CMD_LINE_PTR, COMMAND_LINE_GPA);
	if (files->initrd_fd >= 0) {
		put32(params + OFF_RAMDISK_IMAGE, (u32)initrd);
		put32(params + OFF_RAMDISK_SIZE, (u32)files->initrd_size);
	}
	put32(params + OFF_ALT_MEM_K, (u32)((mem->low - GPA_HIGH) / KIB));
	write_e820(params, mem);
	return STATUS_OK;
}

/* A flat code segment at 0x10 and a flat data segment at 0x18. */
static bool write_gdt(const struct guest_mem *mem, struct boot_state *state)
{
	u64 gdt[4] = { 0 };

	gdt[2] = state->mode == BOOT_LONG ? 0x00af9b000000ffffULL :
					    0x00cf9b000000ffffULL;
	gdt[3] = 0x00cf93000000ffffULL;
	state->gdt = GDT_GPA;
	state->gdt_limit = sizeof(gdt) - 1;
	return guest_mem_write(mem, GDT_GPA, gdt, sizeof(gdt));
}

/* Map the first 4 GiB to themselves in pages of 2 MiB. */
static bool write_page_tables(const struct guest_mem *mem,
			      struct boot_state *state)
{
	const u64 table = 0x3;		/* present, writable */
	const u64 page = 0x83;		/* and large */
	u64 *pml4 = guest_mem_at_writable(mem, PML4_GPA, GUEST_PAGE);
	u64 *pdpt = guest_mem_at_writable(mem, PDPT_GPA, GUEST_PAGE);
	u64 *pd = guest_mem_at_writable(mem, PD_GPA, 4 * GUEST_PAGE);
	unsigned int i;

	if (!pml4 || !pdpt || !pd)
		return false;
	memset(pml4, 0, GUEST_PAGE);
	memset(pdpt, 0, GUEST_PAGE);
	pml4[0] = PDPT_GPA | table;
	for (i = 0; i < 4; i++)
		pdpt[i] = (PD_GPA + i * GUEST_PAGE) | table;
	for (i = 0; i < 4 * 512; i++)
		pd[i] = i * HUGE_PAGE | page;
	state->cr3 = PML4_GPA;
	return true;
}

/**
 * linux_boot() - prepare everything but the kernel itself
 * @files: the initrd and the command line
 * @mem: guest memory, the kernel's own stretch checked to be RAM
 * @kernel: where it lies and what its header says
 * @state: out: how the vCPU starts
 *
 * Return: STATUS_OK, or STATUS_RESOURCE after a report.
 */
int linux_boot(const struct boot_files *files, const struct guest_mem *mem,
	       const struct linux_kernel *kernel, struct boot_state *state)
{
	u64 initrd;
	int status;

	status = place_initrd(files, mem, kernel, &initrd);
	if (status == STATUS_OK)
		status = write_command_line(files, mem, kernel);
	if (status == STATUS_OK)
		status = write_boot_params(files, mem, kernel, initrd);
	if (status == STATUS_OK && files->initrd_fd >= 0)
		status = load_file(files->initrd_path, files->initrd_fd, 0,
				   files->initrd_size, mem, initrd);
	if (status != STATUS_OK)
		return status;

	state->mode = kernel->long_entry ? BOOT_LONG : BOOT_PROTECTED;
	state->rip = kernel->entry;
	state->rsi = BOOT_PARAMS_GPA;
	state->code = BOOT_CS;
	state->data = BOOT_DS;
	if (!write_gdt(mem, state) ||
	    (kernel->long_entry && !write_page_tables(mem, state)))
		return no_low_memory(files);
	return STATUS_OK;
}
