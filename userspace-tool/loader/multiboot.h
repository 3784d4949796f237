/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * multiboot.h - Multiboot 1 (specification 0.6.96): what multiboot.c, which
 * loads the image, and multiboot_info.c, which informs it, share.
 */
#ifndef MINI_VM_LOADER_MULTIBOOT_H
#define MINI_VM_LOADER_MULTIBOOT_H

#include "elf.h"

/* The header lies in the first bytes of the file */
#define MULTIBOOT_SEARCH	8192
#define MULTIBOOT2_SEARCH	32768

/**
 * struct multiboot_header - the header, in the file's byte order no more
 * @offset:	where it was found in the file
 * @flags:	requirements and what follows
 * @header_addr: GPA of the header; from here on only with MULTIBOOT_ADDRESSES
 * @load_addr:	GPA of the first byte to load
 * @load_end:	GPA behind the last byte, 0: the whole file
 * @bss_end:	GPA behind the zeros that follow, 0: none
 * @entry:	GPA of the entry point
 */
struct multiboot_header {
	u64 offset;
	u32 flags;
	u32 header_addr;
	u32 load_addr;
	u32 load_end;
	u32 bss_end;
	u32 entry;
};

bool multiboot_find(const u8 *head, size_t bytes, struct multiboot_header *header);
bool multiboot2_matches(const u8 *head, size_t bytes);
int multiboot_inform(const struct boot_files *files, const struct guest_mem *mem,
		     const struct elf_image *image, struct boot_state *state);

#endif /* MINI_VM_LOADER_MULTIBOOT_H */
