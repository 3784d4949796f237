// SPDX-License-Identifier: GPL-2.0-only
/*
 * kernel-image KERNEL OUTPUT: takes the decompressed kernel out of a Linux
 * bzImage (or takes an ELF vmlinux as it is) and writes it to OUTPUT as it
 * lies in physical memory, with its first byte at the lowest load address.
 * Prints "ADDRESS ENTRY END" in hexadecimal: where OUTPUT belongs, where the
 * kernel is entered, and the end of all it uses at first, BSS included.
 * The decompressor (xz, gzip, ...) is run as a program.
 *
 * kernel-image --elf KERNEL OUTPUT: writes the decompressed kernel as the ELF
 * file that it is (a vmlinux without symbols) and prints nothing.
 */
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

struct bytes {
	unsigned char *data;
	size_t size;
};

static const struct compression {
	const char *name;
	const char *magic;
	size_t magic_size;
	const char *const *command;
} compressions[] = {
	{ "xz", "\xfd" "7zXZ", 5, (const char *const[]){ "xz", "-dc", "--single-stream", NULL } },
	{ "gzip", "\x1f\x8b", 2, (const char *const[]){ "gzip", "-dc", NULL } },
	{ "lz4", "\x02\x21\x4c\x18", 4, (const char *const[]){ "lz4", "-dc", NULL } },
	{ "zstd", "\x28\xb5\x2f\xfd", 4, (const char *const[]){ "zstd", "-dc", NULL } },
	{ "bzip2", "BZh", 3, (const char *const[]){ "bzip2", "-dc", NULL } },
};

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *format, ...)
{
	va_list args;

	fputs("kernel-image: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static struct bytes map_file(const char *path)
{
	struct bytes file;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		die("%s: %s", path, strerror(errno));
	file.size = (size_t)st.st_size;
	if (file.size < 4096)
		die("%s: not a Linux kernel", path);
	file.data = mmap(NULL, file.size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (file.data == MAP_FAILED)
		die("%s: %s", path, strerror(errno));
	close(fd);
	return file;
}

/* The compressed kernel inside the bzImage, or nothing. */
static struct bytes find_payload(struct bytes image)
{
	struct bytes payload = { NULL, 0 };
	uint32_t offset, length;
	size_t setup;

	if (memcmp(image.data + 0x202, "HdrS", 4) != 0)
		return payload;
	setup = ((image.data[0x1f1] ? image.data[0x1f1] : 4) + 1) * 512u;
	memcpy(&offset, image.data + 0x248, 4);
	memcpy(&length, image.data + 0x24c, 4);
	if (setup + offset + (size_t)length > image.size)
		die("the kernel's header points behind its end");
	payload.data = image.data + setup + offset;
	payload.size = length;
	return payload;
}

static const struct compression *find_compression(struct bytes payload)
{
	size_t i;

	for (i = 0; i < sizeof(compressions) / sizeof(compressions[0]); i++)
		if (payload.size > compressions[i].magic_size &&
		    memcmp(payload.data, compressions[i].magic, compressions[i].magic_size) == 0)
			return &compressions[i];
	die("the kernel is compressed in a way that this program does not know");
}

/* Feeds @payload to the decompressor; its writer is a child process. */
static struct bytes decompress(struct bytes payload)
{
	const struct compression *how = find_compression(payload);
	struct bytes result = { NULL, 0 };
	size_t room = 0;
	int to[2], from[2];

	if (pipe(to) < 0 || pipe(from) < 0)
		die("pipe: %s", strerror(errno));
	if (fork() == 0) {
		dup2(to[0], 0);
		dup2(from[1], 1);
		close(to[1]);
		close(from[0]);
		/* The size that the kernel appends looks like garbage to it. */
		if (!freopen("/dev/null", "w", stderr))
			_exit(127);
		execvp(how->command[0], (char *const *)how->command);
		_exit(127);
	}
	if (fork() == 0) {
		size_t done = 0;

		close(to[0]);
		close(from[0]);
		close(from[1]);
		while (done < payload.size) {
			ssize_t n = write(to[1], payload.data + done, payload.size - done);

			if (n <= 0)
				break;
			done += (size_t)n;
		}
		_exit(0);
	}
	close(to[0]);
	close(to[1]);
	close(from[1]);
	for (;;) {
		ssize_t n;

		if (result.size == room) {
			room = room ? room * 2 : 1 << 24;
			result.data = realloc(result.data, room);
			if (!result.data)
				die("out of memory");
		}
		n = read(from[0], result.data + result.size, room - result.size);
		if (n < 0)
			die("%s: %s", how->name, strerror(errno));
		if (n == 0)
			break;
		result.size += (size_t)n;
	}
	while (wait(NULL) > 0)
		;
	if (result.size < 4096)
		die("%s did not decompress the kernel (is it installed?)", how->name);
	return result;
}

static void write_segments(struct bytes elf, const char *path)
{
	const Elf64_Ehdr *header = (const void *)elf.data;
	const Elf64_Phdr *segment = (const void *)(elf.data + header->e_phoff);
	uint64_t lowest = UINT64_MAX, end = 0, used = 0, size = 0;
	unsigned char *flat;
	FILE *file;
	int i;

	if (memcmp(elf.data, ELFMAG, SELFMAG) != 0 || header->e_machine != EM_X86_64 ||
	    header->e_phoff + header->e_phnum * sizeof(*segment) > elf.size)
		die("not an x86-64 kernel");
	for (i = 0; i < header->e_phnum; i++) {
		if (segment[i].p_type != PT_LOAD)
			continue;
		if (segment[i].p_offset + segment[i].p_filesz > elf.size)
			die("the kernel's ELF file is cut off");
		if (segment[i].p_paddr < lowest)
			lowest = segment[i].p_paddr;
		if (segment[i].p_paddr + segment[i].p_filesz > end)
			end = segment[i].p_paddr + segment[i].p_filesz;
		if (segment[i].p_paddr + segment[i].p_memsz > used)
			used = segment[i].p_paddr + segment[i].p_memsz;
	}
	if (end <= lowest || end - lowest > 1u << 30)
		die("the kernel has no segments to load");
	size = end - lowest;
	flat = calloc(1, size);
	if (!flat)
		die("out of memory");
	for (i = 0; i < header->e_phnum; i++)
		if (segment[i].p_type == PT_LOAD)
			memcpy(flat + (segment[i].p_paddr - lowest),
			       elf.data + segment[i].p_offset, segment[i].p_filesz);
	file = fopen(path, "wb");
	if (!file || fwrite(flat, 1, size, file) != size || fclose(file) != 0)
		die("%s: %s", path, strerror(errno));
	printf("0x%llx 0x%llx 0x%llx\n", (unsigned long long)lowest,
	       (unsigned long long)header->e_entry, (unsigned long long)used);
}

static void write_elf(struct bytes elf, const char *path)
{
	FILE *file;

	if (memcmp(elf.data, ELFMAG, SELFMAG) != 0)
		die("not an ELF kernel");
	file = fopen(path, "wb");
	if (!file || fwrite(elf.data, 1, elf.size, file) != elf.size || fclose(file) != 0)
		die("%s: %s", path, strerror(errno));
}

int main(int argc, char **argv)
{
	struct bytes image, payload;
	int elf = argc == 4 && strcmp(argv[1], "--elf") == 0;

	if (argc != 3 && !elf)
		die("usage: kernel-image [--elf] KERNEL OUTPUT");
	image = map_file(argv[argc - 2]);
	payload = find_payload(image);
	if (payload.data)
		image = decompress(payload);
	if (elf)
		write_elf(image, argv[3]);
	else
		write_segments(image, argv[2]);
	return 0;
}
