/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * load.h - what the tests of the loaders share: guest memory of 64 MiB, an
 * image made in an array, and a way to load it that catches the sentence which
 * would go to stderr.
 */
#ifndef MINI_VM_TEST_LOAD_H
#define MINI_VM_TEST_LOAD_H

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/loader.h"
#include "report.h"
#include "tap.h"

static struct guest_mem mem;
static struct boot_files files;
static struct boot_state state;
static char folder[] = "/tmp/mini-vm-loader-XXXXXX";
static char image_path[64], initrd_path[64], messages_path[64];
static u8 image[IMAGE_BYTES];
static int messages;
static char sentence[1024];

__attribute__((unused))
static void put16(unsigned int at, u16 value)
{
	image[at] = (u8)value;
	image[at + 1] = (u8)(value >> 8);
}

__attribute__((unused))
static void put32(unsigned int at, u32 value)
{
	put16(at, (u16)value);
	put16(at + 2, (u16)(value >> 16));
}

__attribute__((unused))
static void put64(unsigned int at, u64 value)
{
	put32(at, (u32)value);
	put32(at + 4, (u32)(value >> 32));
}

__attribute__((unused))
static u32 get32(u64 gpa)
{
	u32 value = 0;

	guest_mem_read(&mem, gpa, &value, 4);
	return value;
}

__attribute__((unused))
static u64 get64(u64 gpa)
{
	return get32(gpa) | (u64)get32(gpa + 4) << 32;
}

/* The string at a GPA. */
__attribute__((unused))
static const char *text_at(u64 gpa)
{
	const char *text = guest_mem_at(&mem, gpa, 64);

	return text ? text : "(not in memory)";
}

static void write_file(const char *path, const void *bytes, size_t count)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, bytes, count) != (ssize_t)count)
		exit(1);
	close(fd);
}

static void new_files(void)
{
	memset(&files, 0, sizeof(files));
	files.command_line = "";
	files.image_path = image_path;
}

/* Open and load; stderr is caught. */
static int load_bytes(const void *bytes, size_t count)
{
	int saved = dup(STDERR_FILENO);
	ssize_t got;
	int status;

	write_file(image_path, bytes, count);
	guest_mem_clear(&mem);
	if (ftruncate(messages, 0) || lseek(messages, 0, SEEK_SET) < 0)
		exit(1);
	dup2(messages, STDERR_FILENO);
	status = image_open(&files);
	if (status == STATUS_OK)
		status = image_load(&files, &mem, &state);
	image_close(&files);
	dup2(saved, STDERR_FILENO);
	close(saved);
	got = pread(messages, sentence, sizeof(sentence) - 1, 0);
	sentence[got > 0 ? got : 0] = '\0';
	return status;
}

__attribute__((unused))
static int load(void)
{
	return load_bytes(image, sizeof(image));
}

#define refused(words, name) do {					\
	int status_ = load();						\
									\
	if (!ok(status_ == STATUS_RESOURCE &&				\
		strstr(sentence, words), "%s", name))			\
		printf("# status %d, it said: %s\n", status_, sentence);\
} while (0)

static bool load_begin(void)
{
	if (guest_mem_create(&mem, 64 * MIB) || !mkdtemp(folder))
		return false;
	snprintf(image_path, sizeof(image_path), "%s/image", folder);
	snprintf(initrd_path, sizeof(initrd_path), "%s/initrd", folder);
	snprintf(messages_path, sizeof(messages_path), "%s/messages", folder);
	messages = open(messages_path, O_RDWR | O_CREAT, 0600);
	return messages >= 0;
}

static void load_end(void)
{
	close(messages);
	unlink(image_path);
	unlink(initrd_path);
	unlink(messages_path);
	rmdir(folder);
	guest_mem_destroy(&mem);
}

#endif /* MINI_VM_TEST_LOAD_H */
