// SPDX-License-Identifier: GPL-2.0-only
/*
 * boot-disk OUTPUT LOADER KERNEL ADDRESS ENTRY END COMMAND-LINE CPIO...
 * writes the disk that the lab VM boots from: the boot loader (lab/boot), the
 * flat KERNEL as kernel-image made it with its three numbers, and the CPIO
 * archives one after the other as the initial RAM disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../boot/layout.h"

/* Bochs wants whole cylinders: 16 heads of 63 sectors. */
#define CYLINDER_SIZE	(16 * 63 * SECTOR_SIZE)

static int disk;

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *format, ...)
{
	va_list args;

	fputs("boot-disk: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static void write_at(const void *data, size_t size, off_t where)
{
	if (pwrite(disk, data, size, where) != (ssize_t)size)
		die("cannot write the disk: %s", strerror(errno));
}

/* Copies the whole file to the disk; returns its size. */
static size_t add_file(const char *path, off_t where)
{
	struct stat st;
	off_t from = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		die("%s: %s", path, strerror(errno));
	while (from < st.st_size) {
		ssize_t n = copy_file_range(fd, &from, disk, &where, (size_t)(st.st_size - from), 0);

		if (n <= 0) {
			static char buffer[1 << 20];

			n = pread(fd, buffer, sizeof(buffer), from);
			if (n <= 0)
				die("%s: %s", path, n ? strerror(errno) : "cut off");
			write_at(buffer, (size_t)n, where);
			from += n;
			where += n;
		}
	}
	close(fd);
	return (size_t)st.st_size;
}

static uint32_t number(const char *text)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || *end || end == text || value > UINT32_MAX)
		die("%s: not a 32-bit number", text);
	return (uint32_t)value;
}

int main(int argc, char **argv)
{
	static struct description what = { .magic = DESCRIPTION_MAGIC };
	off_t end;
	int i;

	if (argc < 9)
		die("usage: boot-disk OUTPUT LOADER KERNEL ADDRESS ENTRY END COMMAND-LINE CPIO...");
	if (strlen(argv[7]) >= COMMAND_LINE_MAX)
		die("the kernel's command line is longer than %d bytes", COMMAND_LINE_MAX - 1);
	disk = open(argv[1], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (disk < 0)
		die("%s: %s", argv[1], strerror(errno));
	if (add_file(argv[2], 0) > LOADER_SECTORS * SECTOR_SIZE)
		die("%s: too large for its sectors", argv[2]);
	what.kernel_lba = DATA_LBA;
	what.kernel_size = (uint32_t)add_file(argv[3], (off_t)DATA_LBA * SECTOR_SIZE);
	what.kernel_address = number(argv[4]);
	what.kernel_entry = number(argv[5]);
	what.kernel_end = number(argv[6]);
	strcpy(what.command_line, argv[7]);
	what.initrd_lba = DATA_LBA + (what.kernel_size + SECTOR_SIZE - 1) / SECTOR_SIZE;
	end = (off_t)what.initrd_lba * SECTOR_SIZE;
	for (i = 8; i < argc; i++) {
		/* The kernel finds the next archive at a multiple of 4 bytes. */
		size_t size = (add_file(argv[i], end) + 3) & ~(size_t)3;

		what.initrd_size += (uint32_t)size;
		end += (off_t)size;
	}
	write_at(&what, sizeof(what), (off_t)DESCRIPTION_LBA * SECTOR_SIZE);
	end = (end + CYLINDER_SIZE - 1) / CYLINDER_SIZE * CYLINDER_SIZE;
	if (ftruncate(disk, end) < 0 || close(disk) < 0)
		die("%s: %s", argv[1], strerror(errno));
	return 0;
}
