// SPDX-License-Identifier: GPL-2.0-only
/*
 * elf.c - reads the program headers of an ELF executable and loads its
 * segments at their physical addresses.  Called by vmlinux.c and multiboot.c.
 *
 * Section headers, symbols and notes are never looked at, so a stripped or
 * damaged tail of the file does no harm.  Every field is an input that may be
 * wrong or hostile.
 *
 * Source: System V ABI, chapters 4 and 5, and its AMD64 supplement.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../report.h"
#include "elf.h"

/* More program headers than any kernel has; PN_XNUM is above it */
#define HEADERS_MAX		256

/**
 * struct header - what is needed of both classes' ELF headers
 * @entry:	entry point, physical or virtual
 * @table:	offset of the program headers in the file
 * @count:	how many there are
 */
struct header {
	u64 entry;
	u64 table;
	unsigned int count;
};

static int bad(const struct boot_files *files, const char *why)
{
	report_error("%s: an ELF file that mini-vm cannot boot: %s",
		     files->image_path, why);
	return STATUS_RESOURCE;
}

/**
 * elf_matches() - is this an ELF file?
 * @head: its first bytes
 * @bytes: how many
 */
bool elf_matches(const u8 *head, size_t bytes)
{
	return bytes >= SELFMAG && !memcmp(head, ELFMAG, SELFMAG);
}

/* All @length bytes at @offset, or a report. */
static int read_all(const struct boot_files *files, u64 offset, void *to,
		    size_t length)
{
	ssize_t got;

	if (offset > files->image_size || length > files->image_size - offset)
		return bad(files, "the file is truncated");
	got = pread(files->image_fd, to, length, (off_t)offset);
	if (got < 0) {
		report_error("%s: cannot read the image: %s",
			     files->image_path, strerror(errno));
		return STATUS_RESOURCE;
	}
	if ((size_t)got != length)
		return bad(files, "the file is truncated");
	return STATUS_OK;
}

static int check_type(const struct boot_files *files, u16 type)
{
	switch (type) {
	case ET_EXEC:
		return STATUS_OK;
	case ET_DYN:
		return bad(files, "it is a position-independent program or a library, not a kernel");
	case ET_REL:
		return bad(files, "it is an object file that was not linked");
	case ET_CORE:
		return bad(files, "it is a core dump");
	default:
		return bad(files, "it is not an executable");
	}
}

static int read_header32(const struct boot_files *files, struct header *header)
{
	Elf32_Ehdr ehdr;
	int status = read_all(files, 0, &ehdr, sizeof(ehdr));

	if (status != STATUS_OK)
		return status;
	if (ehdr.e_machine != EM_386)
		return bad(files, "it is a 32-bit file for another CPU than i386");
	if (ehdr.e_phnum && ehdr.e_phentsize != sizeof(Elf32_Phdr))
		return bad(files, "its program headers have a wrong size");
	header->entry = ehdr.e_entry;
	header->table = ehdr.e_phoff;
	header->count = ehdr.e_phnum;
	return check_type(files, ehdr.e_type);
}

static int read_header64(const struct boot_files *files, struct header *header)
{
	Elf64_Ehdr ehdr;
	int status = read_all(files, 0, &ehdr, sizeof(ehdr));

	if (status != STATUS_OK)
		return status;
	if (ehdr.e_machine != EM_X86_64)
		return bad(files, "it is a 64-bit file for another CPU than x86-64");
	if (ehdr.e_phnum && ehdr.e_phentsize != sizeof(Elf64_Phdr))
		return bad(files, "its program headers have a wrong size");
	header->entry = ehdr.e_entry;
	header->table = ehdr.e_phoff;
	header->count = ehdr.e_phnum;
	return check_type(files, ehdr.e_type);
}

static int read_header(const struct boot_files *files, struct elf_image *elf,
		       struct header *header)
{
	u8 ident[EI_NIDENT] = { 0 };
	int status;

	if (pread(files->image_fd, ident, sizeof(ident), 0) < 0) {
		report_error("%s: cannot read the image: %s",
			     files->image_path, strerror(errno));
		return STATUS_RESOURCE;
	}
	if (!elf_matches(ident, sizeof(ident))) {
		report_error("%s: not an ELF file: it does not begin with the bytes 7f 45 4c 46",
			     files->image_path);
		return STATUS_RESOURCE;
	}
	if (ident[EI_DATA] != ELFDATA2LSB || ident[EI_VERSION] != EV_CURRENT)
		return bad(files, "it is not for a little-endian CPU");
	if (ident[EI_CLASS] != ELFCLASS32 && ident[EI_CLASS] != ELFCLASS64)
		return bad(files, "it is neither a 32-bit nor a 64-bit file");
	elf->long_mode = ident[EI_CLASS] == ELFCLASS64;
	status = elf->long_mode ? read_header64(files, header) :
				  read_header32(files, header);
	if (status == STATUS_OK && header->count > HEADERS_MAX)
		return bad(files, "it has too many program headers");
	return status;
}

/* Program header @index, in the wider form. */
static int read_phdr(const struct boot_files *files,
		     const struct elf_image *elf, const struct header *header,
		     unsigned int index, Elf64_Phdr *phdr)
{
	Elf32_Phdr narrow;
	int status;

	if (header->table > files->image_size)
		return bad(files, "the file is truncated");
	if (elf->long_mode)
		return read_all(files, header->table + index * sizeof(*phdr),
				phdr, sizeof(*phdr));
	status = read_all(files, header->table + index * sizeof(narrow),
			  &narrow, sizeof(narrow));
	*phdr = (Elf64_Phdr) {
		.p_type = narrow.p_type,
		.p_flags = narrow.p_flags,
		.p_offset = narrow.p_offset,
		.p_vaddr = narrow.p_vaddr,
		.p_paddr = narrow.p_paddr,
		.p_filesz = narrow.p_filesz,
		.p_memsz = narrow.p_memsz,
	};
	return status;
}

/* Into the list, sorted by address. */
static void insert(struct elf_image *elf, const Elf64_Phdr *phdr)
{
	unsigned int at = elf->count++;

	for (; at && elf->segments[at - 1].gpa > phdr->p_paddr; at--)
		elf->segments[at] = elf->segments[at - 1];
	elf->segments[at] = (struct elf_segment) {
		.offset = phdr->p_offset,
		.stored = phdr->p_filesz,
		.gpa = phdr->p_paddr,
		.bytes = phdr->p_memsz,
	};
}

static int add_segment(const struct boot_files *files,
		       const struct guest_mem *mem, struct elf_image *elf,
		       const Elf64_Phdr *phdr)
{
	if (phdr->p_filesz > phdr->p_memsz)
		return bad(files, "a segment has more bytes in the file than in memory");
	if (!phdr->p_memsz)
		return STATUS_OK;
	if (phdr->p_offset > files->image_size ||
	    phdr->p_filesz > files->image_size - phdr->p_offset)
		return bad(files, "the file is truncated");
	if (!guest_mem_at_writable(mem, phdr->p_paddr, phdr->p_memsz)) {
		report_error("%s: a segment of %llu KiB at physical address 0x%llx does not lie in the guest's memory, which ends at 0x%llx; give it more with --memory or link the image for another address",
			     files->image_path,
			     (unsigned long long)((phdr->p_memsz - 1) / KIB + 1),
			     (unsigned long long)phdr->p_paddr,
			     (unsigned long long)(mem->high ?
						  GPA_4G + mem->high :
						  mem->low));
		return STATUS_RESOURCE;
	}
	if (elf->count == ELF_SEGMENTS_MAX)
		return bad(files, "it has too many segments");
	insert(elf, phdr);
	return STATUS_OK;
}

/*
 * The header's entry point is meant to be physical in a kernel; a linker that
 * was not told so leaves the virtual one.
 */
static void translate_entry(struct elf_image *elf, const Elf64_Phdr *phdr,
			    u64 entry)
{
	if (phdr->p_vaddr != phdr->p_paddr && phdr->p_flags & PF_X &&
	    entry >= phdr->p_vaddr && entry - phdr->p_vaddr < phdr->p_memsz)
		elf->entry = phdr->p_paddr + (entry - phdr->p_vaddr);
}

static int check_segments(const struct boot_files *files,
			  struct elf_image *elf)
{
	const struct elf_segment *last;
	bool entered = false;
	unsigned int i;

	if (!elf->count)
		return bad(files, "it has no segments to load");
	for (i = 0; i < elf->count; i++) {
		const struct elf_segment *segment = &elf->segments[i];

		if (i && segment[-1].gpa + segment[-1].bytes > segment->gpa)
			return bad(files, "its segments overlap in physical memory");
		if (elf->entry >= segment->gpa &&
		    elf->entry - segment->gpa < segment->bytes)
			entered = true;
	}
	if (!entered)
		return bad(files, "its entry point lies outside its segments");
	last = &elf->segments[elf->count - 1];
	elf->start = elf->segments[0].gpa;
	elf->end = last->gpa + last->bytes;
	return STATUS_OK;
}

/**
 * elf_read() - read and check an executable's headers
 * @files: the image
 * @mem: guest memory, for which the segments must be
 * @elf: out
 *
 * Return: STATUS_OK, or STATUS_RESOURCE after a report.
 */
int elf_read(const struct boot_files *files, const struct guest_mem *mem,
	     struct elf_image *elf)
{
	struct header header;
	unsigned int i;
	int status;

	memset(elf, 0, sizeof(*elf));
	status = read_header(files, elf, &header);
	if (status != STATUS_OK)
		return status;
	elf->entry = header.entry;
	for (i = 0; i < header.count; i++) {
		Elf64_Phdr phdr;

		status = read_phdr(files, elf, &header, i, &phdr);
		if (status != STATUS_OK)
			return status;
		if (phdr.p_type == PT_INTERP)
			return bad(files, "it is a program, not a kernel");
		if (phdr.p_type != PT_LOAD)
			continue;
		status = add_segment(files, mem, elf, &phdr);
		if (status != STATUS_OK)
			return status;
		translate_entry(elf, &phdr, header.entry);
	}
	return check_segments(files, elf);
}

/**
 * elf_load() - copy the segments into guest memory
 * @files: the image
 * @mem: guest memory, as new: what the file does not store stays zero
 * @elf: from elf_read()
 *
 * Return: STATUS_OK, or STATUS_RESOURCE after a report.
 */
int elf_load(const struct boot_files *files, const struct guest_mem *mem,
	     const struct elf_image *elf)
{
	unsigned int i;
	int status = STATUS_OK;

	for (i = 0; i < elf->count && status == STATUS_OK; i++)
		status = load_file(files->image_path, files->image_fd,
				   elf->segments[i].offset,
				   elf->segments[i].stored, mem,
				   elf->segments[i].gpa);
	return status;
}
