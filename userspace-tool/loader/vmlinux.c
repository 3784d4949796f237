// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmlinux.c - loads a Linux kernel in the form in which it is linked: an ELF64
 * executable, entered at startup_64 by its physical address.
 *
 * Such a file has no set-up header; the boot parameters get one with what is
 * known without it.  The kernel runs where it was linked, so there is neither
 * relocation nor KASLR.
 *
 * Source: Linux Documentation/x86/boot.rst, "64-bit Boot Protocol".
 */
#include <string.h>

#include "../report.h"
#include "bytes.h"
#include "elf.h"
#include "linux.h"

/* The last protocol that brought a field which is filled in below */
#define PROTOCOL		0x020c
#define HEADER_END		(OFF_INIT_SIZE + 4)
/* What every x86-64 kernel has had since Linux 2.6.29 */
#define INITRD_ADDR_MAX		0x7fffffff
#define COMMAND_LINE_SIZE	2047
#define ALIGNMENT		(2 * MIB)

static void make_header(struct linux_kernel *kernel)
{
	u8 *header = kernel->header;

	put16(header + OFF_BOOT_FLAG, BOOT_FLAG);
	memcpy(header + OFF_MAGIC, "HdrS", 4);
	put16(header + OFF_VERSION, PROTOCOL);
	header[OFF_LOADFLAGS] = LOADED_HIGH;
	put32(header + OFF_INITRD_ADDR_MAX, INITRD_ADDR_MAX);
	put32(header + OFF_KERNEL_ALIGNMENT, ALIGNMENT);
	put16(header + OFF_XLOADFLAGS, XLF_KERNEL_64);
	put32(header + OFF_CMDLINE_SIZE, COMMAND_LINE_SIZE);
	put64(header + OFF_PREF_ADDRESS, kernel->load);
	put32(header + OFF_INIT_SIZE, (u32)kernel->init_size);
	kernel->header_end = HEADER_END;
}

/**
 * vmlinux_load() - load an ELF kernel, its initrd and its boot parameters
 * @files: the image, the initrd and the command line
 * @mem: guest memory
 * @state: out: how the vCPU starts
 *
 * Return: STATUS_OK, or STATUS_RESOURCE after a report.
 */
int vmlinux_load(const struct boot_files *files, const struct guest_mem *mem,
		 struct boot_state *state)
{
	struct linux_kernel kernel = { .long_entry = true };
	struct elf_image elf;
	int status;

	status = elf_read(files, mem, &elf);
	if (status != STATUS_OK)
		return status;
	if (!elf.long_mode) {
		report_error("%s: this is a 32-bit ELF file without a Multiboot header; of a 32-bit Linux kernel name the bzImage (often called vmlinuz)",
			     files->image_path);
		return STATUS_RESOURCE;
	}
	if (elf.start < GPA_HIGH || elf.end > mem->low) {
		report_error("%s: this kernel is linked for physical addresses 0x%llx to 0x%llx; a Linux kernel must lie between 1 MiB and 3 GiB",
			     files->image_path, (unsigned long long)elf.start,
			     (unsigned long long)elf.end);
		return STATUS_RESOURCE;
	}
	kernel.load = elf.start;
	kernel.init_size = elf.end - elf.start;
	kernel.entry = elf.entry;
	make_header(&kernel);
	status = elf_load(files, mem, &elf);
	if (status == STATUS_OK)
		status = linux_boot(files, mem, &kernel, state);
	return status;
}
