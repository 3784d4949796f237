/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * linux.h - the Linux/x86 boot protocol: what bzimage.c and vmlinux.c share.
 */
#ifndef MINI_VM_LOADER_LINUX_H
#define MINI_VM_LOADER_LINUX_H

#include "loader.h"

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

#define BOOT_FLAG		0xaa55
#define LOADED_HIGH		BIT(0)
#define XLF_KERNEL_64		BIT(0)

/**
 * struct linux_kernel - a kernel that is about to be started
 * @header:	its set-up header, at the offsets above; beyond what it has, zeros
 * @header_end:	end of the header in it
 * @load:	GPA where it lies
 * @init_size:	bytes that it needs from there while it starts
 * @entry:	GPA where it is entered
 * @long_entry:	in 64-bit mode; otherwise in 32-bit mode
 */
struct linux_kernel {
	u8 header[0x300];
	unsigned int header_end;
	u64 load;
	u64 init_size;
	u64 entry;
	bool long_entry;
};

int linux_boot(const struct boot_files *files, const struct guest_mem *mem,
	       const struct linux_kernel *kernel, struct boot_state *state);

#endif /* MINI_VM_LOADER_LINUX_H */
