// SPDX-License-Identifier: GPL-2.0-only
/*
 * bzimage.c - loads a Linux kernel by the x86 boot protocol.
 *
 * The kernel is entered at its 64-bit entry point where it has one, otherwise
 * at the 32-bit one; its real-mode code is never run.  What the kernel needs
 * to find is put into low memory, which it treats as free once it has copied
 * what it wants:
 *
 *   0x6000   GDT
 *   0x7000   boot parameters ("zero page")
 *   0x8000   page tables: PML4, PDPT, four PDs; the first 4 GiB, identity
 *   0x20000  command line
 *
 * Source: Linux Documentation/x86/boot.rst and zero-page.rst.  Every field of
 * the header is an input that may be wrong or hostile.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../report.h"
#include "loader.h"

#define GDT_GPA			0x6000
#define BOOT_PARAMS_GPA		0x7000
#define BOOT_PARAMS_SIZE	0x1000
#define PML4_GPA		0x8000
#define PDPT_GPA		0x9000
#define PD_GPA			0xa000
#define COMMAND_LINE_GPA	0x20000
#define COMMAND_LINE_MAX	0x10000

/* What e820 calls usable below 1 MiB; the last KiB is the BIOS data's */
#define LOW_USABLE_END		0x9fc00

/* Offsets in the image and, for the header, in the boot parameters */
#define OFF_SETUP_SECTS		0x1f1
#define OFF_SYSSIZE		0x1f4
#define OFF_BOOT_FLAG		0x1fe
#define OFF_JUMP_LENGTH		0x201
#define OFF_MAGIC		0x202
#define OFF_VERSION		0x206
#define OFF_TYPE_OF_LOADER	0x210
#define OFF_LOADFLAGS		0x211
#define OFF_CODE32_START	0x214
#define OFF_RAMDISK_IMAGE	0x218
#define OFF_RAMDISK_SIZE	0x21c
#define OFF_CMD_LINE_PTR	0x228
#define OFF_INITRD_ADDR_MAX	0x22c
#define OFF_KERNEL_ALIGNMENT	0x230
#define OFF_RELOCATABLE		0x234
#define OFF_XLOADFLAGS		0x236
#define OFF_CMDLINE_SIZE	0x238
#define OFF_PREF_ADDRESS	0x258
#define OFF_INIT_SIZE		0x260
#define HEADER_END_MAX		0x281	/* 0x202 + 0x7f */

/* Offsets in the boot parameters alone */
#define OFF_ALT_MEM_K		0x1e0
#define OFF_E820_ENTRIES	0x1e8
#define OFF_E820_TABLE		0x2d0
#define E820_ENTRY		20

#define VERSION_CMDLINE_SIZE	0x0206
#define VERSION_INIT_SIZE	0x020a
#define VERSION_XLOADFLAGS	0x020c
#define LOADED_HIGH		BIT(0)
#define XLF_KERNEL_64		BIT(0)
#define ENTRY_64		0x200
#define DEFAULT_LOAD		0x100000
#define LOADER_UNDEFINED	0xff
#define SECTOR			512
#define PARAGRAPH		16

#define E820_RAM		1
#define E820_RESERVED		2

/**
 * struct kernel - the header, checked
 * @header:	the image's first bytes; beyond what it has, zeros
 * @header_end:	end of the header in it
 * @version:	protocol version
 * @payload:	offset of the protected-mode code in the file
 * @length:	its bytes
 * @load:	GPA where it goes
 * @init_size:	bytes that it needs from there while it starts
 * @long_entry:	it has the 64-bit entry point
 */
struct kernel {
	u8 header[0x300];
	unsigned int header_end;
	u16 version;
	u64 payload;
	u64 length;
	u64 load;
	u64 init_size;
	bool long_entry;
};

static u16 get16(const u8 *from)
{
	return (u16)(from[0] | from[1] << 8);
}

static u32 get32(const u8 *from)
{
	return get16(from) | (u32)get16(from + 2) << 16;
}

static u64 get64(const u8 *from)
{
	return get32(from) | (u64)get32(from + 4) << 32;
}

static void put32(u8 *to, u32 value)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		to[i] = (u8)(value >> (8 * i));
}

static void put64(u8 *to, u64 value)
{
	put32(to, (u32)value);
	put32(to + 4, (u32)(value >> 32));
}

static int bad(const struct boot_files *files, const char *why)
{
	report_error("%s: not a kernel that mini-vm can boot: %s",
		     files->image_path, why);
	return STATUS_RESOURCE;
}

static int read_header(const struct boot_files *files, struct kernel *kernel)
{
	unsigned int setup_sects;
	ssize_t got;

	memset(kernel, 0, sizeof(*kernel));
	got = pread(files->image_fd, kernel->header, sizeof(kernel->header), 0);
	if (got < 0) {
		report_error("%s: cannot read the kernel: %s",
			     files->image_path, strerror(errno));
		return STATUS_RESOURCE;
	}
	if (got < HEADER_END_MAX)
		return bad(files, "the file is too short for a boot header");
	if (get16(kernel->header + OFF_BOOT_FLAG) != 0xaa55 ||
	    memcmp(kernel->header + OFF_MAGIC, "HdrS", 4))
		return bad(files, "it has no Linux boot header");

	kernel->version = get16(kernel->header + OFF_VERSION);
	if (kernel->version < VERSION_CMDLINE_SIZE)
		return bad(files, "its boot protocol is older than 2.06 (Linux 2.6.22)");
	if (!(kernel->header[OFF_LOADFLAGS] & LOADED_HIGH))
		return bad(files, "it is a zImage; build a bzImage");

	/* a kernel of a newer protocol may have a longer header than ours */
	kernel->header_end = OFF_MAGIC + kernel->header[OFF_JUMP_LENGTH];
	if (kernel->header_end > HEADER_END_MAX)
		kernel->header_end = HEADER_END_MAX;
	if (kernel->header_end < OFF_CMDLINE_SIZE + 4)
		return bad(files, "its boot header is cut short");
	memset(kernel->header + kernel->header_end, 0,
	       sizeof(kernel->header) - kernel->header_end);

	setup_sects = kernel->header[OFF_SETUP_SECTS];
	if (!setup_sects)
		setup_sects = 4;
	kernel->payload = (setup_sects + 1ULL) * SECTOR;
	kernel->length = (u64)get32(kernel->header + OFF_SYSSIZE) * PARAGRAPH;
	if (!kernel->length)
		return bad(files, "its boot header names no code");
	/* syssize is rounded up to a paragraph: the last bytes may be absent */
	if (kernel->payload >= files->image_size ||
	    kernel->length - (PARAGRAPH - 1) >
	    files->image_size - kernel->payload)
		return bad(files, "the file is truncated");
	if (kernel->length > files->image_size - kernel->payload)
		kernel->length = files->image_size - kernel->payload;

	kernel->long_entry = kernel->version >= VERSION_XLOADFLAGS &&
			     get16(kernel->header + OFF_XLOADFLAGS) &
			     XLF_KERNEL_64;
	if (kernel->long_entry && kernel->length <= ENTRY_64)
		return bad(files, "its code ends before the 64-bit entry point");
	return STATUS_OK;
}

/* Does [gpa, gpa + bytes) lie in the RAM between 1 MiB and 3 GiB? */
static bool fits(const struct guest_mem *mem, u64 gpa, u64 bytes)
{
	return gpa >= GPA_HIGH && gpa < mem->low && bytes <= mem->low - gpa;
}

static int choose_address(const struct boot_files *files,
			  const struct guest_mem *mem, struct kernel *kernel)
{
	u64 preferred = DEFAULT_LOAD;
	u64 alignment = get32(kernel->header + OFF_KERNEL_ALIGNMENT);

	kernel->init_size = kernel->length;
	if (kernel->version >= VERSION_INIT_SIZE) {
		u64 init_size = get32(kernel->header + OFF_INIT_SIZE);

		preferred = get64(kernel->header + OFF_PREF_ADDRESS);
		if (init_size > kernel->init_size)
			kernel->init_size = init_size;
	}
	if (kernel->header[OFF_RELOCATABLE]) {
		if (!alignment || alignment & (alignment - 1) ||
		    alignment > GIB)
			return bad(files, "its boot header asks for an impossible alignment");
		if (!fits(mem, preferred, kernel->init_size) ||
		    preferred & (alignment - 1)) {
			preferred = (GPA_HIGH + alignment - 1) &
				    ~(alignment - 1);
		}
	}
	if (!fits(mem, preferred, kernel->init_size)) {
		report_error("%s: the kernel is too big for the guest's memory: it needs %llu MiB from address 0x%llx, and the guest has %llu MiB; give it more with --memory",
			     files->image_path,
			     (unsigned long long)((kernel->init_size + MIB - 1)
						  / MIB),
			     (unsigned long long)preferred,
			     (unsigned long long)(mem->size / MIB));
		return STATUS_RESOURCE;
	}
	kernel->load = preferred;
	return STATUS_OK;
}

/* As high as the kernel allows, and above it. */
static int place_initrd(const struct boot_files *files,
			const struct guest_mem *mem,
			const struct kernel *kernel, u64 *gpa)
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
			      const struct kernel *kernel)
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
		return bad(files, "the guest has no low memory");
	return STATUS_OK;
}

static void add_e820(u8 *params, u64 start, u64 end, u32 type)
{
	u8 *entry = params + OFF_E820_TABLE +
		    params[OFF_E820_ENTRIES] * E820_ENTRY;

	put64(entry, start);
	put64(entry + 8, end - start);
	put32(entry + 16, type);
	params[OFF_E820_ENTRIES]++;
}

static int write_boot_params(const struct boot_files *files,
			     const struct guest_mem *mem,
			     const struct kernel *kernel, u64 initrd)
{
	u8 *params = guest_mem_at_writable(mem, BOOT_PARAMS_GPA,
					   BOOT_PARAMS_SIZE);

	if (!params)
		return bad(files, "the guest has no low memory");
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
	add_e820(params, 0, LOW_USABLE_END, E820_RAM);
	add_e820(params, LOW_USABLE_END, GPA_LOW_END, E820_RESERVED);
	add_e820(params, GPA_ROM, GPA_HIGH, E820_RESERVED);
	add_e820(params, GPA_HIGH, mem->low, E820_RAM);
	if (mem->high)
		add_e820(params, GPA_4G, GPA_4G + mem->high, E820_RAM);
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
 * bzimage_load() - load a Linux kernel, its initrd and its boot parameters
 * @files: the image, the initrd and the command line
 * @mem: guest memory
 * @state: out: how the vCPU starts
 *
 * Return: STATUS_OK, or STATUS_RESOURCE after a report.
 */
int bzimage_load(const struct boot_files *files, const struct guest_mem *mem,
		 struct boot_state *state)
{
	struct kernel kernel;
	u64 initrd;
	int status;

	status = read_header(files, &kernel);
	if (status == STATUS_OK)
		status = choose_address(files, mem, &kernel);
	if (status == STATUS_OK)
		status = place_initrd(files, mem, &kernel, &initrd);
	if (status == STATUS_OK)
		status = write_command_line(files, mem, &kernel);
	if (status == STATUS_OK)
		status = write_boot_params(files, mem, &kernel, initrd);
	if (status == STATUS_OK)
		status = load_file(files->image_path, files->image_fd,
				   kernel.payload, kernel.length, mem,
				   kernel.load);
	if (status == STATUS_OK && files->initrd_fd >= 0)
		status = load_file(files->initrd_path, files->initrd_fd, 0,
				   files->initrd_size, mem, initrd);
	if (status != STATUS_OK)
		return status;

	state->mode = kernel.long_entry ? BOOT_LONG : BOOT_PROTECTED;
	state->rip = kernel.load + (kernel.long_entry ? ENTRY_64 : 0);
	state->rsi = BOOT_PARAMS_GPA;
	if (!write_gdt(mem, state) ||
	    (kernel.long_entry && !write_page_tables(mem, state)))
		return bad(files, "the guest has no low memory");
	return STATUS_OK;
}
