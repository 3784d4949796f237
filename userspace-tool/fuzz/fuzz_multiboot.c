// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz_multiboot.c - any file as a Multiboot image.
 */
#include "load.h"
#include "loader/multiboot.h"

static u32 word(const struct guest_mem *mem, u64 gpa)
{
	u32 value;

	must(guest_mem_read(mem, gpa, &value, sizeof(value)));
	return value;
}

/* A string that ends within memory. */
static const char *string(const struct guest_mem *mem, u64 gpa)
{
	const char *text = guest_mem_at(mem, gpa, 1);
	u64 i;

	must(text);
	for (i = 0; text[i]; i++)
		must(guest_mem_at(mem, gpa, i + 2));
	return text;
}

static void check_info(const struct guest_mem *mem, const struct boot_files *files,
		       const struct boot_state *state)
{
	u64 info = state->rbx, mods = word(mem, info + 24);
	size_t name = strlen(image_path);
	const char *line = string(mem, word(mem, info + 16));
	unsigned int i;

	must(state->mode == BOOT_PROTECTED && state->rax == 0x2badb002);
	must(word(mem, info) == 0x24d);
	must(!strncmp(line, image_path, name));
	must(*files->command_line ? line[name] == ' ' &&
	     !strcmp(line + name + 1, files->command_line) : !line[name]);
	must(!strcmp(string(mem, word(mem, info + 64)), "mini-vm"));
	must(word(mem, info + 20) == files->module_args);
	must(word(mem, info + 44) >= 4 * 24 &&
	     guest_mem_at(mem, word(mem, info + 48), word(mem, info + 44)));
	for (i = 0; i < files->module_args; i++, mods += 16) {
		u64 start = word(mem, mods), end = word(mem, mods + 4);

		must(start % 4096 == 0 && end - start == files->modules[i].size);
		must(start == end || !memcmp(guest_mem_at(mem, start, end - start), extra, end - start));
		must(!strcmp(string(mem, word(mem, mods + 8)), module));
	}
}

/* The image must still be whole when all the rest is in memory. */
static void check_image(const struct guest_mem *mem, const u8 *data, size_t size,
			const struct boot_files *files)
{
	struct multiboot_header header;
	struct elf_image image;

	must(multiboot_find(data, size, &header));
	if (header.flags & BIT(16)) {
		memset(&image, 0, sizeof(image));
		image.count = 1;
		image.segments[0] = (struct elf_segment) {
			.offset = header.offset - (header.header_addr - header.load_addr),
			.gpa = header.load_addr,
		};
		image.segments[0].stored = header.load_end ?
			header.load_end - header.load_addr :
			size - image.segments[0].offset;
		image.segments[0].bytes = header.bss_end ?
			header.bss_end - header.load_addr : image.segments[0].stored;
	} else {
		must(elf_read(files, mem, &image) == STATUS_OK);
	}
	must_hold(mem, data, size, &image);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	const struct guest_mem *mem;
	struct boot_files files;
	struct boot_state state;

	if (size < OPTION_BYTES)
		return -1;
	mem = load_input(data, size, IMAGE_MULTIBOOT, &files, &state);
	if (mem && files.type == IMAGE_MULTIBOOT) {
		check_info(mem, &files, &state);
		check_image(mem, data, size, &files);
	}
	load_end(&files, data, size);
	return 0;
}
