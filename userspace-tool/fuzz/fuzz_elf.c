// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz_elf.c - any file as a Linux kernel in ELF form.
 */
#include "load.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	const struct guest_mem *mem;
	struct boot_files files;
	struct boot_state state;

	if (size < OPTION_BYTES)
		return -1;
	mem = load_input(data, size, IMAGE_ELF, &files, &state);
	if (mem && files.type == IMAGE_ELF) {
		struct elf_image elf;

		must(state.mode == BOOT_LONG);
		must(elf_read(&files, mem, &elf) == STATUS_OK);
		must_hold(mem, data, size, &elf);
		check_boot_params(mem, &files, &state, elf.start);
	}
	load_end(&files, data, size);
	return 0;
}
