/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * elf.h - the segments of an ELF executable, for vmlinux.c and multiboot.c.
 */
#ifndef MINI_VM_LOADER_ELF_H
#define MINI_VM_LOADER_ELF_H

#include "loader.h"

#define ELF_SEGMENTS_MAX	64

/**
 * struct elf_segment - one PT_LOAD entry that occupies memory
 * @offset:	of its bytes in the file
 * @stored:	bytes there; what follows them in memory is zero
 * @gpa:	physical address
 * @bytes:	in memory
 */
struct elf_segment {
	u64 offset;
	u64 stored;
	u64 gpa;
	u64 bytes;
};

/**
 * struct elf_image - a checked executable
 * @long_mode:	ELF64 for x86-64; otherwise ELF32 for i386
 * @entry:	GPA of the entry point, within a segment
 * @start:	first address of the lowest segment
 * @end:	first address behind the highest one
 * @count:	segments in use
 * @segments:	sorted by address, without overlaps, all in RAM
 */
struct elf_image {
	bool long_mode;
	u64 entry;
	u64 start;
	u64 end;
	unsigned int count;
	struct elf_segment segments[ELF_SEGMENTS_MAX];
};

bool elf_matches(const u8 *head, size_t bytes);
int elf_read(const struct boot_files *files, const struct guest_mem *mem,
	     struct elf_image *elf);
int elf_load(const struct boot_files *files, const struct guest_mem *mem,
	     const struct elf_image *elf);

#endif /* MINI_VM_LOADER_ELF_H */
