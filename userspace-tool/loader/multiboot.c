// SPDX-License-Identifier: GPL-2.0-only
/*
 * multiboot.c - loads a Multiboot 1 image: an ELF executable, or any file whose
 * Multiboot header says itself where its bytes belong.
 *
 * An ELF64 executable is loaded too and entered in 32-bit protected mode like
 * any other, as GRUB does; QEMU refuses it.
 *
 * Source: Multiboot Specification version 0.6.96, 3.1 and 3.2.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../report.h"
#include "bytes.h"
#include "multiboot.h"

#define HEADER_MAGIC		0x1badb002
#define HEADER_BYTES		12
#define HEADER_BYTES_ADDRESSES	32
#define HEADER2_MAGIC		0xe85250d6
#define HEADER2_BYTES		16

/* Flags: below 16 what must be understood, above what need not */
#define FLAG_VIDEO		BIT(2)
#define FLAG_ADDRESSES		BIT(16)
#define FLAGS_REQUIRED		0xffffU
#define FLAGS_KNOWN		(BIT(0) | BIT(1) | FLAG_VIDEO)

static int bad(const struct boot_files *files, const char *why)
{
	report_error("%s: a Multiboot image that mini-vm cannot boot: %s",
		     files->image_path, why);
	return STATUS_RESOURCE;
}

/**
 * multiboot_find() - look for a Multiboot header
 * @head: the file's first bytes
 * @bytes: how many; MULTIBOOT_SEARCH at most are searched
 * @header: out, when there is one
 *
 * Return: whether there is one.
 */
bool multiboot_find(const u8 *head, size_t bytes,
		    struct multiboot_header *header)
{
	size_t at;

	if (bytes > MULTIBOOT_SEARCH)
		bytes = MULTIBOOT_SEARCH;
	for (at = 0; at + HEADER_BYTES <= bytes; at += 4) {
		const u8 *found = head + at;
		u32 flags = get32(found + 4);

		if (get32(found) != HEADER_MAGIC ||
		    (u32)(HEADER_MAGIC + flags + get32(found + 8)))
			continue;
		memset(header, 0, sizeof(*header));
		header->offset = at;
		header->flags = flags;
		if (!(flags & FLAG_ADDRESSES))
			return true;
		if (at + HEADER_BYTES_ADDRESSES > bytes)
			continue;
		header->header_addr = get32(found + 12);
		header->load_addr = get32(found + 16);
		header->load_end = get32(found + 20);
		header->bss_end = get32(found + 24);
		header->entry = get32(found + 28);
		return true;
	}
	return false;
}

/**
 * multiboot2_matches() - look for a header of Multiboot 2, which is another
 * protocol and not supported
 * @head: the file's first bytes
 * @bytes: how many; MULTIBOOT2_SEARCH at most are searched
 *
 * Source: Multiboot2 Specification version 2.0, 3.1.
 *
 * Return: whether there is one.
 */
bool multiboot2_matches(const u8 *head, size_t bytes)
{
	size_t at;

	if (bytes > MULTIBOOT2_SEARCH)
		bytes = MULTIBOOT2_SEARCH;
	for (at = 0; at + HEADER2_BYTES <= bytes; at += 8) {
		const u8 *found = head + at;

		/* magic, architecture, length and checksum */
		if (get32(found) == HEADER2_MAGIC &&
		    !(u32)(HEADER2_MAGIC + get32(found + 4) +
			   get32(found + 8) + get32(found + 12)))
			return true;
	}
	return false;
}

static int read_header(const struct boot_files *files,
		       struct multiboot_header *header)
{
	u8 head[MULTIBOOT_SEARCH];
	ssize_t got = pread(files->image_fd, head, sizeof(head), 0);

	if (got < 0) {
		report_error("%s: cannot read the image: %s",
			     files->image_path, strerror(errno));
		return STATUS_RESOURCE;
	}
	if (!multiboot_find(head, (size_t)got, header)) {
		report_error("%s: there is no Multiboot header in its first %u bytes",
			     files->image_path, MULTIBOOT_SEARCH);
		return STATUS_RESOURCE;
	}
	if (header->flags & FLAGS_REQUIRED & ~FLAGS_KNOWN)
		return bad(files, "its header requires something that Multiboot 0.6.96 does not know");
	return STATUS_OK;
}

/* The header's own addresses, made one segment. */
static int place_by_header(const struct boot_files *files,
			   const struct guest_mem *mem,
			   const struct multiboot_header *header,
			   struct elf_image *image)
{
	struct elf_segment *segment = image->segments;
	u64 before, stored, bytes;

	memset(image, 0, sizeof(*image));
	if (header->load_addr > header->header_addr)
		return bad(files, "its header's addresses put the header before the image");
	before = header->header_addr - header->load_addr;
	if (before > header->offset)
		return bad(files, "its header's addresses begin before the file");
	segment->offset = header->offset - before;
	stored = files->image_size - segment->offset;
	if (header->load_end) {
		if (header->load_end <= header->load_addr)
			return bad(files, "its header's addresses end before they begin");
		if (header->load_end - header->load_addr > stored)
			return bad(files, "the file is truncated");
		stored = header->load_end - header->load_addr;
	}
	bytes = stored;
	if (header->bss_end) {
		if (header->bss_end < header->load_addr + stored)
			return bad(files, "its header's addresses end the zeros before they begin");
		bytes = header->bss_end - header->load_addr;
	}
	if (header->entry < header->load_addr ||
	    header->entry - header->load_addr >= bytes)
		return bad(files, "its entry point lies outside of it");
	if (!guest_mem_at_writable(mem, header->load_addr, bytes)) {
		report_error("%s: its addresses, 0x%llx to 0x%llx, do not lie in the guest's memory, which ends at 0x%llx; give it more with --memory or link the image for others",
			     files->image_path,
			     (unsigned long long)header->load_addr,
			     (unsigned long long)(header->load_addr + bytes),
			     (unsigned long long)mem->low);
		return STATUS_RESOURCE;
	}
	segment->stored = stored;
	segment->gpa = header->load_addr;
	segment->bytes = bytes;
	image->count = 1;
	image->entry = header->entry;
	image->start = header->load_addr;
	image->end = header->load_addr + bytes;
	return STATUS_OK;
}

static int place(const struct boot_files *files, const struct guest_mem *mem,
		 const struct multiboot_header *header,
		 struct elf_image *image)
{
	u8 magic[4] = { 0 };
	int status;

	if (header->flags & FLAG_ADDRESSES)
		return place_by_header(files, mem, header, image);
	if (pread(files->image_fd, magic, sizeof(magic), 0) < 0 ||
	    !elf_matches(magic, sizeof(magic)))
		return bad(files, "it is not an ELF file, and its header has no addresses");
	status = elf_read(files, mem, image);
	if (status == STATUS_OK && image->end > mem->low)
		return bad(files, "a segment lies above 4 GiB");
	return status;
}

/**
 * multiboot_load() - load a Multiboot image, its modules and what it is told
 * @files: the image, its modules and the command line
 * @mem: guest memory
 * @state: out: how the vCPU starts
 *
 * Return: STATUS_OK, or STATUS_RESOURCE after a report.
 */
int multiboot_load(const struct boot_files *files, const struct guest_mem *mem,
		   struct boot_state *state)
{
	struct multiboot_header header;
	struct elf_image image;
	int status;

	status = read_header(files, &header);
	if (status == STATUS_OK)
		status = place(files, mem, &header, &image);
	if (status == STATUS_OK)
		status = elf_load(files, mem, &image);
	if (status == STATUS_OK)
		status = multiboot_inform(files, mem, &image, state);
	if (status != STATUS_OK)
		return status;
	if (header.flags & FLAG_VIDEO)
		report_error("%s: it asks for a video mode; there is no display, and it runs without one",
			     files->image_path);
	state->mode = BOOT_PROTECTED;
	state->rip = image.entry;
	return STATUS_OK;
}
