// SPDX-License-Identifier: GPL-2.0-only
/*
 * image.c - opens the files of a guest, says what kind of image it is, and
 * hands it to the loader for that kind.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../report.h"
#include "elf.h"
#include "loader.h"
#include "modules.h"
#include "multiboot.h"

#define BOOT_SECTOR_SIZE	512
#define BOOT_SIGNATURE_OFFSET	510
#define LINUX_MAGIC_OFFSET	0x202

/**
 * open_file() - open a file that a guest is given
 * @path: its name
 * @what: what it is to be, for messages
 * @may_be_empty: no bytes are enough
 * @fd: out: the descriptor, or -1
 * @size: out: its bytes
 *
 * Return: STATUS_OK, or STATUS_RESOURCE after a report.
 */
int open_file(const char *path, const char *what, bool may_be_empty, int *fd,
	      u64 *size)
{
	struct stat status;

	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (*fd < 0) {
		if (errno == ENOENT)
			report_error("%s: there is no such %s; check the path",
				     path, what);
		else if (errno == EACCES)
			report_error("%s: you may not read this %s; change its permissions or ask its owner",
				     path, what);
		else
			report_error("%s: cannot open this %s: %s", path, what,
				     strerror(errno));
		return STATUS_RESOURCE;
	}
	if (fstat(*fd, &status)) {
		report_error("%s: cannot examine this %s: %s", path, what,
			     strerror(errno));
		return STATUS_RESOURCE;
	}
	if (!S_ISREG(status.st_mode)) {
		report_error("%s: this %s is not a regular file; name a file",
			     path, what);
		return STATUS_RESOURCE;
	}
	*size = (u64)status.st_size;
	if (!*size && !may_be_empty) {
		report_error("%s: this %s is empty", path, what);
		return STATUS_RESOURCE;
	}
	return STATUS_OK;
}

static bool has_suffix(const char *path, const char *suffix)
{
	size_t length = strlen(path), end = strlen(suffix);

	return length > end && !strcmp(path + length - end, suffix);
}

static bool is_linux(const u8 *head, size_t bytes)
{
	return bytes >= LINUX_MAGIC_OFFSET + 4 &&
	       !memcmp(head + LINUX_MAGIC_OFFSET, "HdrS", 4);
}

static int detect(struct boot_files *files)
{
	u8 head[MULTIBOOT2_SEARCH] = { 0 };
	ssize_t got = pread(files->image_fd, head, sizeof(head), 0);
	struct multiboot_header header;
	bool signature;

	if (got < 0) {
		report_error("%s: cannot read the image: %s",
			     files->image_path, strerror(errno));
		return STATUS_RESOURCE;
	}
	signature = got >= BOOT_SECTOR_SIZE &&
		    head[BOOT_SIGNATURE_OFFSET] == 0x55 &&
		    head[BOOT_SIGNATURE_OFFSET + 1] == 0xaa;

	if (signature && is_linux(head, (size_t)got)) {
		files->type = IMAGE_BZIMAGE;
	} else if (multiboot_find(head, (size_t)got, &header)) {
		files->type = IMAGE_MULTIBOOT;
	} else if (multiboot2_matches(head, (size_t)got)) {
		report_error("%s: this is a Multiboot 2 image, and only Multiboot 1 is supported; give it a Multiboot 1 header too",
			     files->image_path);
		return STATUS_RESOURCE;
	} else if (elf_matches(head, (size_t)got)) {
		files->type = IMAGE_ELF;
	} else if (signature && files->image_size == BOOT_SECTOR_SIZE) {
		files->type = IMAGE_BOOT_SECTOR;
	} else if (has_suffix(files->image_path, ".flat") ||
		   has_suffix(files->image_path, ".bin")) {
		files->type = IMAGE_FLAT;
	} else {
		report_error("%s: not a kernel: it has no header of Linux, Multiboot or ELF, nor the size and signature of a boot sector; for real-mode code use --type flat",
			     files->image_path);
		return STATUS_RESOURCE;
	}
	return STATUS_OK;
}

/* An option that this type of image cannot use is a mistake, not ignored. */
static int check_options(const struct boot_files *files)
{
	bool kernel = files->type == IMAGE_BZIMAGE ||
		      files->type == IMAGE_ELF ||
		      files->type == IMAGE_MULTIBOOT;

	if (!kernel && files->initrd_path) {
		report_error("%s: only a kernel takes --initrd, and this image is not one",
			     files->image_path);
		return STATUS_USAGE;
	}
	if (!kernel && *files->command_line) {
		report_error("%s: only a kernel takes --append, and this image is not one",
			     files->image_path);
		return STATUS_USAGE;
	}
	if (files->module_args && files->type != IMAGE_MULTIBOOT) {
		report_error("%s: only a Multiboot image takes --module, and this image is not one",
			     files->image_path);
		return STATUS_USAGE;
	}
	return STATUS_OK;
}

/**
 * image_open() - open the image and what goes with it, settle the image's type
 * @files: paths and wanted type in, descriptors, sizes and type out
 *
 * Return: STATUS_OK, or another status after a report; image_close() is due in
 * either case.
 */
int image_open(struct boot_files *files)
{
	int status;

	files->image_fd = -1;
	files->initrd_fd = -1;
	files->module_count = 0;
	status = open_file(files->image_path, "image", false,
			   &files->image_fd, &files->image_size);
	if (status == STATUS_OK && files->type == IMAGE_AUTO)
		status = detect(files);
	if (status == STATUS_OK)
		status = check_options(files);
	if (status != STATUS_OK)
		return status;
	if (files->type == IMAGE_MULTIBOOT)
		return modules_open(files);
	if (files->initrd_path)
		return open_file(files->initrd_path, "initrd", false,
				 &files->initrd_fd, &files->initrd_size);
	return STATUS_OK;
}

/**
 * image_close() - close what image_open() has opened
 * @files: the files
 */
void image_close(struct boot_files *files)
{
	if (files->image_fd >= 0)
		close(files->image_fd);
	if (files->initrd_fd >= 0)
		close(files->initrd_fd);
	modules_close(files);
	files->image_fd = -1;
	files->initrd_fd = -1;
}

/**
 * load_file() - read part of a file into guest memory
 * @path: for messages
 * @fd: the file
 * @offset: where the part begins
 * @length: its bytes
 * @mem: guest memory
 * @gpa: where it goes
 *
 * Return: STATUS_OK, or STATUS_RESOURCE after a report.
 */
int load_file(const char *path, int fd, u64 offset, u64 length,
	      const struct guest_mem *mem, u64 gpa)
{
	u8 *to = guest_mem_at_writable(mem, gpa, length);

	if (!to) {
		report_error("%s: does not fit into the guest's memory; give it more with --memory",
			     path);
		return STATUS_RESOURCE;
	}
	while (length) {
		ssize_t got = pread(fd, to, length, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			report_error("%s: cannot read: %s", path,
				     strerror(errno));
			return STATUS_RESOURCE;
		}
		if (!got) {
			report_error("%s: the file ends too early; it is truncated or was changed meanwhile",
				     path);
			return STATUS_RESOURCE;
		}
		to += got;
		offset += (u64)got;
		length -= (u64)got;
	}
	return STATUS_OK;
}

/**
 * image_load() - put a guest into memory
 * @files: opened by image_open()
 * @mem: guest memory, as new
 * @state: out: how the vCPU starts
 *
 * Return: STATUS_OK, or another status after a report.
 */
int image_load(const struct boot_files *files, const struct guest_mem *mem,
	       struct boot_state *state)
{
	static int (*const loaders[])(const struct boot_files *files,
				      const struct guest_mem *mem,
				      struct boot_state *state) = {
		[IMAGE_BZIMAGE] = bzimage_load,
		[IMAGE_ELF] = vmlinux_load,
		[IMAGE_MULTIBOOT] = multiboot_load,
		[IMAGE_BOOT_SECTOR] = boot_sector_load,
		[IMAGE_FLAT] = flat_load,
	};

	memset(state, 0, sizeof(*state));
	return loaders[files->type](files, mem, state);
}
