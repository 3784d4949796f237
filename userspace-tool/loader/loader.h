/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * loader.h - from an image file to a guest that is ready to run.
 */
#ifndef MINI_VM_LOADER_H
#define MINI_VM_LOADER_H

#include <linux/mini_vm.h>

#include "../guest_mem.h"
#include "../types.h"

enum image_type {
	IMAGE_AUTO,
	IMAGE_BZIMAGE,
	IMAGE_ELF,
	IMAGE_MULTIBOOT,
	IMAGE_BOOT_SECTOR,
	IMAGE_FLAT,
};

#define BOOT_MODULES_MAX	64

/**
 * struct boot_module - a module of a Multiboot image
 * @string:	what the image is told: the file's name and more
 * @path:	the file's name alone
 * @fd:		open for reading
 * @size:	bytes
 */
struct boot_module {
	char *string;
	char *path;
	int fd;
	u64 size;
};

/**
 * struct boot_files - what the user named on the command line
 * @type:		IMAGE_AUTO until image_open() has looked
 * @image_path:		for messages
 * @image_fd:		open for reading
 * @image_size:		bytes
 * @initrd_path:	NULL: none; for a Multiboot image a list of modules
 * @initrd_fd:		open for reading, -1: none
 * @initrd_size:	bytes
 * @command_line:	for a kernel
 * @module_args:	how often --module was given
 * @module_arg:		its values
 * @module_count:	modules in use, once image_open() has opened them
 * @modules:		the modules
 */
struct boot_files {
	enum image_type type;
	const char *image_path;
	int image_fd;
	u64 image_size;
	const char *initrd_path;
	int initrd_fd;
	u64 initrd_size;
	const char *command_line;
	unsigned int module_args;
	const char *module_arg[BOOT_MODULES_MAX];
	unsigned int module_count;
	struct boot_module modules[BOOT_MODULES_MAX];
};

enum boot_mode { BOOT_REAL, BOOT_PROTECTED, BOOT_LONG };

/**
 * struct boot_state - how the first vCPU starts
 * @mode:	CPU mode
 * @rip:	instruction pointer
 * @rsp:	stack pointer
 * @rsi:	Linux: address of the boot parameters
 * @rax:	Multiboot: the loader's magic number
 * @rbx:	Multiboot: address of the information structure
 * @rdx:	boot sector: drive number in DL
 * @code:	code segment selector
 * @data:	data and stack segment selectors
 * @cr3:	long mode: page tables
 * @gdt:	GPA of the GDT, in protected and long mode
 * @gdt_limit:	its limit
 */
struct boot_state {
	enum boot_mode mode;
	u64 rip;
	u64 rsp;
	u64 rsi;
	u64 rax;
	u64 rbx;
	u64 rdx;
	u16 code;
	u16 data;
	u64 cr3;
	u64 gdt;
	u16 gdt_limit;
};

/* Each reports its own errors, in one sentence, and gives an exit status. */
int image_open(struct boot_files *files);
void image_close(struct boot_files *files);
int image_load(const struct boot_files *files, const struct guest_mem *mem,
	       struct boot_state *state);
int load_file(const char *path, int fd, u64 offset, u64 length,
	      const struct guest_mem *mem, u64 gpa);

int bzimage_load(const struct boot_files *files, const struct guest_mem *mem,
		 struct boot_state *state);
int vmlinux_load(const struct boot_files *files, const struct guest_mem *mem,
		 struct boot_state *state);
int multiboot_load(const struct boot_files *files, const struct guest_mem *mem,
		   struct boot_state *state);
int boot_sector_load(const struct boot_files *files,
		     const struct guest_mem *mem, struct boot_state *state);
int flat_load(const struct boot_files *files, const struct guest_mem *mem,
	      struct boot_state *state);

void boot_registers(const struct boot_state *state, struct mvm_sregs *sregs,
		    u64 *gpr, u64 *rip, u64 *rflags);

#endif /* MINI_VM_LOADER_H */
