/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * load.h - loads a fuzzer's input as an image and checks what every loader
 * promises.  Included by one target each; catches the reports.
 *
 * The last bytes of the input choose the rest of the command line, so any file
 * is an input as it is:
 *
 *   -1  memory: 2 MiB, 32 MiB, 64 MiB or 5 GiB; bit 2: detect the type
 *   -2  modules, for a Multiboot image
 *   -3  size of initrd and modules
 *   -4  length of the command line
 */
#ifndef MINI_VM_FUZZ_LOAD_H
#define MINI_VM_FUZZ_LOAD_H

#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "loader/elf.h"
#include "loader/loader.h"
#include "report.h"
#include "walk.h"

#define OPTION_BYTES	4
#define EXTRA_UNIT	97	/* bytes, so that sizes are odd */
#define EXTRA_BYTES	(256 * EXTRA_UNIT)
#define AUTO_TYPE	BIT(2)

static struct guest_mem mems[4];
static u8 extra[EXTRA_BYTES];
static int image_fd, extra_fd;
static char image_path[32], extra_path[32], module[64];
static char command_line[256 * 24];
static unsigned int reports;

/* In the place of report.c: the sentences are counted and looked at. */
void report_error(const char *format, ...)
{
	char text[2048];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	must(strlen(text) > 10 && !strchr(text, '\n'));
	reports++;
}

static void set_up(void)
{
	static const u64 sizes[] = { 2 * MIB, 32 * MIB, 64 * MIB, 5 * GIB };
	unsigned int i;

	if (image_path[0])
		return;
	for (i = 0; i < ARRAY_SIZE(mems); i++) {
		must(!guest_mem_create(&mems[i], sizes[i]));
		/* clearing a huge page for a few bytes takes long */
		madvise(mems[i].host, mems[i].size, MADV_NOHUGEPAGE);
	}
	image_fd = memfd_create("image", 0);
	extra_fd = memfd_create("extra", 0);
	must(image_fd >= 0 && extra_fd >= 0);
	memset(extra, 0xa5, sizeof(extra));
	snprintf(image_path, sizeof(image_path), "/proc/self/fd/%d", image_fd);
	snprintf(extra_path, sizeof(extra_path), "/proc/self/fd/%d", extra_fd);
	snprintf(module, sizeof(module), "%s with words", extra_path);
	memset(command_line, 'c', sizeof(command_line));
}

/* Does the guest have what the file has, and zeros behind it? */
__attribute__((unused))
static void must_hold(const struct guest_mem *mem, const u8 *data, size_t size,
		      const struct elf_image *image)
{
	unsigned int i;

	for (i = 0; i < image->count; i++) {
		const struct elf_segment *segment = &image->segments[i];
		const u8 *host = guest_mem_at(mem, segment->gpa, segment->bytes);
		u64 rest = segment->bytes - segment->stored;

		must(host && segment->offset <= size &&
		     segment->stored <= size - segment->offset);
		must(!memcmp(host, data + segment->offset, segment->stored));
		host += segment->stored;
		for (rest = rest < 65536 ? rest : 65536; rest; rest--)
			must(!*host++);
	}
}

/* The CPU must find its first instruction, and the tables on the way. */
static void check_entry(const struct guest_mem *mem, const struct boot_state *state)
{
	u64 gpr[MVM_NR_GPRS], rip, rflags, gpa, descriptor;
	struct mvm_sregs sregs;
	struct walk walk;
	u32 error_code;

	memset(&sregs, 0, sizeof(sregs));
	boot_registers(state, &sregs, gpr, &rip, &rflags);
	must(rflags == RFLAGS_FIXED);
	walk_init(&walk, mem, &sregs, rflags, 40);
	must(walk_linear(&walk, sregs.cs.base + rip, WALK_FETCH, &gpa, &error_code) == WALK_OK);
	must(gpa == sregs.cs.base + rip && guest_mem_at(mem, gpa, 1));
	if (state->mode == BOOT_REAL)
		return;
	must(sregs.cs.selector + 7U <= sregs.gdt.limit && sregs.ds.selector + 7U <= sregs.gdt.limit);
	must(guest_mem_read(mem, sregs.gdt.base + sregs.cs.selector, &descriptor, 8) &&
	     descriptor >> 47 & 1);
}

/*
 * Load it as @type.  Returns the memory when that worked, with @files and
 * @state, else NULL; load_end() is due in either case.
 */
static const struct guest_mem *load_input(const u8 *data, size_t size, enum image_type type,
					  struct boot_files *files, struct boot_state *state)
{
	const u8 *option = data + size - OPTION_BYTES;
	struct guest_mem *mem;
	unsigned int i;
	int status;

	set_up();
	mem = &mems[option[3] % ARRAY_SIZE(mems)];
	must(!ftruncate(image_fd, 0) &&
	     pwrite(image_fd, data, size, 0) == (ssize_t)size);
	must(!ftruncate(extra_fd, 0) &&
	     pwrite(extra_fd, extra, option[1] * EXTRA_UNIT, 0) == option[1] * EXTRA_UNIT);
	memset(files, 0, sizeof(*files));
	files->type = option[3] & AUTO_TYPE ? IMAGE_AUTO : type;
	files->image_path = image_path;
	files->command_line = command_line + sizeof(command_line) - 1 - option[0] * 23;
	command_line[sizeof(command_line) - 1] = '\0';
	if (type != IMAGE_MULTIBOOT && option[1])
		files->initrd_path = extra_path;
	for (i = 0; type == IMAGE_MULTIBOOT && i < option[2] % (BOOT_MODULES_MAX + 1); i++)
		files->module_arg[files->module_args++] = module;

	reports = 0;
	status = image_open(files);
	if (status == STATUS_OK)
		status = image_load(files, mem, state);
	must(status == STATUS_OK || status == STATUS_RESOURCE || status == STATUS_USAGE);
	if (status != STATUS_OK) {
		must(reports == 1);
		return NULL;
	}
	/* a Multiboot image that wants a video mode is told off */
	must(reports <= (files->type == IMAGE_MULTIBOOT));
	check_entry(mem, state);
	return mem;
}

static void load_end(struct boot_files *files, const u8 *data, size_t size)
{
	image_close(files);
	must(!guest_mem_clear(&mems[data[size - 1] % ARRAY_SIZE(mems)]));
}

/* What Linux finds in its boot parameters; the kernel begins at @load. */
__attribute__((unused))
static void check_boot_params(const struct guest_mem *mem, const struct boot_files *files,
			      const struct boot_state *state, u64 load)
{
	const u8 *params = guest_mem_at(mem, state->rsi, 4096);
	u32 line, start, bytes, init_size;

	must(params);
	memcpy(&line, params + 0x228, 4);
	memcpy(&start, params + 0x218, 4);
	memcpy(&bytes, params + 0x21c, 4);
	memcpy(&init_size, params + 0x260, 4);
	if (params[0x206] < 0x0a)
		init_size = 0;
	must(!strcmp(guest_mem_at(mem, line, strlen(files->command_line) + 1),
		     files->command_line));
	must(params[0x1e8] >= 4 && params[0x1e8] <= 128);
	if (!files->initrd_path)
		return;
	must(bytes == files->initrd_size && start >= load + init_size);
	must(guest_mem_at_writable(mem, start, bytes) &&
	     !memcmp(guest_mem_at(mem, start, bytes), extra, bytes));
}

#endif /* MINI_VM_FUZZ_LOAD_H */
