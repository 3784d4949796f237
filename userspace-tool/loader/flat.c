// SPDX-License-Identifier: GPL-2.0-only
/*
 * flat.c - images without a format: boot sectors and flat real-mode binaries.
 *
 * A boot sector starts as a PC's BIOS would start it from the first hard disk:
 * at 0000:7c00 with DL = 0x80.  A flat binary starts at 1000:0000 with all data
 * segments equal to CS.  There is no BIOS below either: software interrupts
 * lead nowhere.
 */
#include "../report.h"
#include "loader.h"

#define BOOT_SECTOR_GPA		0x7c00
#define BOOT_SECTOR_SIZE	512
#define BOOT_DRIVE		0x80
#define FLAT_GPA		0x10000
#define FLAT_MAX		(GPA_LOW_END - FLAT_GPA)
#define FLAT_STACK		0xfffe

/**
 * boot_sector_load() - load a boot sector at 0x7c00
 * @files: the image
 * @mem: guest memory
 * @state: out: how the vCPU starts
 *
 * Return: STATUS_OK, or STATUS_RESOURCE after a report.
 */
int boot_sector_load(const struct boot_files *files,
		     const struct guest_mem *mem, struct boot_state *state)
{
	u8 signature[2];

	if (files->image_size != BOOT_SECTOR_SIZE) {
		report_error("%s: a boot sector has 512 bytes, this file has %llu; use --type flat for other real-mode code",
			     files->image_path,
			     (unsigned long long)files->image_size);
		return STATUS_RESOURCE;
	}
	state->mode = BOOT_REAL;
	state->rip = BOOT_SECTOR_GPA;
	state->rsp = BOOT_SECTOR_GPA;
	state->rdx = BOOT_DRIVE;
	if (load_file(files->image_path, files->image_fd, 0, BOOT_SECTOR_SIZE,
		      mem, BOOT_SECTOR_GPA) != STATUS_OK)
		return STATUS_RESOURCE;
	if (!guest_mem_read(mem, BOOT_SECTOR_GPA + 510, signature, 2) ||
	    signature[0] != 0x55 || signature[1] != 0xaa) {
		report_error("%s: not a boot sector: it does not end with the bytes 55 aa; use --type flat for other real-mode code",
			     files->image_path);
		return STATUS_RESOURCE;
	}
	return STATUS_OK;
}

/**
 * flat_load() - load a flat real-mode binary at 1000:0000
 * @files: the image
 * @mem: guest memory
 * @state: out: how the vCPU starts
 *
 * Return: STATUS_OK, or STATUS_RESOURCE after a report.
 */
int flat_load(const struct boot_files *files, const struct guest_mem *mem,
	      struct boot_state *state)
{
	if (files->image_size > FLAT_MAX) {
		report_error("%s: a flat binary may have %llu bytes at most, this one has %llu",
			     files->image_path, (unsigned long long)FLAT_MAX,
			     (unsigned long long)files->image_size);
		return STATUS_RESOURCE;
	}
	state->mode = BOOT_REAL;
	state->code = FLAT_GPA >> 4;
	state->data = FLAT_GPA >> 4;
	state->rsp = FLAT_STACK;
	return load_file(files->image_path, files->image_fd, 0,
			 files->image_size, mem, FLAT_GPA);
}
