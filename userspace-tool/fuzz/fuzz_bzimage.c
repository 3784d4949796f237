// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz_bzimage.c - any file as a Linux bzImage.
 */
#include "load.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	const struct guest_mem *mem;
	struct boot_files files;
	struct boot_state state;

	if (size < OPTION_BYTES)
		return -1;
	mem = load_input(data, size, IMAGE_BZIMAGE, &files, &state);
	if (mem && files.type == IMAGE_BZIMAGE) {
		u64 offset = (data[0x1f1] ? data[0x1f1] + 1 : 5) * 512;
		u64 code = state.rip - (state.mode == BOOT_LONG ? 0x200 : 0);
		u64 length = size - offset;

		must(offset < size && code >= GPA_HIGH);
		length = length < 512 ? length : 512;
		must(!memcmp(guest_mem_at(mem, code, length), data + offset, length) ||
		     (data[0x1f4] | data[0x1f5] | data[0x1f6] | data[0x1f7]) < 32);
		check_boot_params(mem, &files, &state, code);
	}
	load_end(&files, data, size);
	return 0;
}
