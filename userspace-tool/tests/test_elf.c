// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_elf.c - Linux kernels in ELF form that are good, cut short, or hostile.
 *
 * The image is made of an ELF64 header, three program headers and 4 KiB for
 * two segments; the layout is that of a real vmlinux.
 */
#include <elf.h>
#include <stddef.h>

#define CODE		0x1000
#define IMAGE_BYTES	0x3000

#include "load.h"

#define ZERO_PAGE	0x7000
#define PHDRS		sizeof(Elf64_Ehdr)
#define TEXT_GPA	0x1000000ULL
#define TEXT_VIRTUAL	0xffffffff81000000ULL
#define DATA_GPA	0x1400000ULL

static Elf64_Ehdr *const ehdr = (Elf64_Ehdr *)image;
static Elf64_Phdr *const phdr = (Elf64_Phdr *)(image + PHDRS);

static void new_kernel(void)
{
	unsigned int i;

	memset(image, 0, sizeof(image));
	for (i = CODE; i < sizeof(image); i++)
		image[i] = (u8)(i * 13 + (i >> 8));
	memcpy(ehdr->e_ident, ELFMAG, SELFMAG);
	ehdr->e_ident[EI_CLASS] = ELFCLASS64;
	ehdr->e_ident[EI_DATA] = ELFDATA2LSB;
	ehdr->e_ident[EI_VERSION] = EV_CURRENT;
	ehdr->e_type = ET_EXEC;
	ehdr->e_machine = EM_X86_64;
	ehdr->e_entry = TEXT_GPA + 0x40;
	ehdr->e_phoff = PHDRS;
	ehdr->e_phentsize = sizeof(Elf64_Phdr);
	ehdr->e_phnum = 3;
	/* not in the order of their addresses */
	phdr[0] = (Elf64_Phdr) {
		.p_type = PT_LOAD, .p_flags = PF_R | PF_W,
		.p_offset = 0x2000, .p_vaddr = TEXT_VIRTUAL + 0x400000,
		.p_paddr = DATA_GPA, .p_filesz = 0x1000, .p_memsz = 0x9000,
	};
	phdr[1] = (Elf64_Phdr) {
		.p_type = PT_LOAD, .p_flags = PF_R | PF_X,
		.p_offset = CODE, .p_vaddr = TEXT_VIRTUAL,
		.p_paddr = TEXT_GPA, .p_filesz = 0x1000, .p_memsz = 0x1000,
	};
	phdr[2] = (Elf64_Phdr) { .p_type = PT_NOTE, .p_offset = ~0ULL };
	new_files();
}

static void test_kernel(void)
{
	static u8 data[10000];

	new_kernel();
	files.command_line = "console=ttyS0";
	memset(data, 0x5a, sizeof(data));
	write_file(initrd_path, data, sizeof(data));
	files.initrd_path = initrd_path;
	is(load(), STATUS_OK, "a good kernel loads");
	is(files.type, IMAGE_ELF, "and is recognised");
	is(state.mode, BOOT_LONG, "entered in long mode");
	is(state.rip, TEXT_GPA + 0x40, "at its entry point");
	is(state.rsi, ZERO_PAGE, "RSI has the boot parameters");
	ok(state.code == 0x10 && state.data == 0x18, "with the protocol's selectors");
	is(get64(state.gdt + 0x10), 0x00af9b000000ffff, "which are in the GDT");
	ok(!memcmp(guest_mem_at(&mem, TEXT_GPA, 0x1000), image + CODE, 0x1000), "its code is there");
	ok(!memcmp(guest_mem_at(&mem, DATA_GPA, 0x1000), image + 0x2000, 0x1000), "and its data");
	is(get32(DATA_GPA + 0x1000), 0, "followed by zeros");
	is(get32(ZERO_PAGE + 0x202), 0x53726448, "it gets a set-up header");
	is(get32(ZERO_PAGE + 0x1fe) & 0xffff, 0xaa55, "with the boot flag");
	is(get32(ZERO_PAGE + 0x206) & 0xffff, 0x20c, "the protocol's version");
	is(get32(ZERO_PAGE + 0x210) & 0xffff, 0x1ff, "the loader's type, loaded high");
	is(get64(ZERO_PAGE + 0x258), TEXT_GPA, "its address");
	is(get32(ZERO_PAGE + 0x260), 0x409000, "and size");
	ok(!strcmp(text_at(get32(ZERO_PAGE + 0x228)), "console=ttyS0"), "the command line");
	is(get32(ZERO_PAGE + 0x21c), sizeof(data), "the initrd's size");
	is(get32(get32(ZERO_PAGE + 0x218)), 0x5a5a5a5a, "and content");
	is(get32(ZERO_PAGE + 0x1e8) & 0xff, 4, "the memory map");

	files.initrd_path = NULL;
	ehdr->e_entry = TEXT_VIRTUAL + 0x40;
	is(load(), STATUS_OK, "a kernel with a virtual entry point loads");
	is(state.rip, TEXT_GPA + 0x40, "and is entered at the physical one");
	phdr[1].p_filesz = 0;
	is(load(), STATUS_OK, "a segment may be zeros alone");
	is(get32(TEXT_GPA), 0, "and is");
	new_kernel();
	phdr[2] = phdr[1];
	phdr[2].p_paddr = 0;
	phdr[2].p_filesz = 0;
	phdr[2].p_memsz = 0;
	is(load(), STATUS_OK, "an empty segment is none");
}

static void test_kind(void)
{
	new_kernel();
	ehdr->e_machine = EM_AARCH64;
	refused("another CPU than x86-64", "a kernel for another CPU");
	new_kernel();
	ehdr->e_ident[EI_CLASS] = ELFCLASS32;
	refused("another CPU than i386", "a 32-bit file for x86-64");
	new_kernel();
	ehdr->e_ident[EI_CLASS] = 7;
	refused("neither a 32-bit nor a 64-bit", "an unknown class");
	new_kernel();
	ehdr->e_ident[EI_DATA] = ELFDATA2MSB;
	refused("little-endian", "a big-endian file");
	new_kernel();
	ehdr->e_type = ET_DYN;
	refused("position-independent", "a shared object");
	ehdr->e_type = ET_REL;
	refused("not linked", "an object file");
	ehdr->e_type = ET_CORE;
	refused("core dump", "a core dump");
	ehdr->e_type = 99;
	refused("not an executable", "another type");
	new_kernel();
	phdr[2].p_type = PT_INTERP;
	refused("a program, not a kernel", "a program with an interpreter");
	is(load_bytes("\177ELF and more", 13), STATUS_RESOURCE, "a few bytes");
	ok(strstr(sentence, "ELF file that mini-vm cannot boot"), "with a clear sentence");
}

static void test_segments(void)
{
	new_kernel();
	phdr[0].p_paddr = TEXT_GPA + 0xfff;
	refused("overlap", "segments that overlap by a byte");
	phdr[0].p_paddr = TEXT_GPA + 0x1000;
	is(load(), STATUS_OK, "but not if they touch");
	phdr[0].p_paddr = TEXT_GPA - 0x8fff;
	refused("overlap", "a segment that reaches into the next");
	new_kernel();
	phdr[0].p_paddr = 64 * MIB - 0x8fff;
	refused("does not lie in the guest's memory", "a segment beyond the memory");
	phdr[0].p_paddr = 64 * MIB - 0x9000;
	is(load(), STATUS_OK, "but not if it just fits");
	phdr[0].p_paddr = ~0ULL - 0xfff;
	refused("does not lie in the guest's memory", "a segment that wraps around");
	phdr[0].p_paddr = DATA_GPA;
	phdr[0].p_memsz = ~0ULL;
	refused("does not lie in the guest's memory", "a segment of 2^64 bytes");
	new_kernel();
	phdr[0].p_memsz = 0xfff;
	refused("more bytes in the file", "more in the file than in memory");
	new_kernel();
	phdr[0].p_offset = 0x2001;
	refused("boot: the file is truncated", "a segment that ends behind the file");
	phdr[0].p_offset = ~0ULL;
	refused("boot: the file is truncated", "a segment that begins behind the file");
	new_kernel();
	phdr[1].p_paddr = 0x8000;
	ehdr->e_entry = 0x8000;
	refused("between 1 MiB and 3 GiB", "a segment in low memory");
	phdr[1].p_paddr = 0xc0000;
	refused("does not lie in the guest's memory", "a segment in the ROM");
	new_kernel();
	ehdr->e_entry = TEXT_GPA + 0x1000;
	refused("entry point lies outside", "an entry point behind the code");
	ehdr->e_entry = 0;
	refused("entry point lies outside", "an entry point of 0");
	new_kernel();
	phdr[0].p_type = PT_NULL;
	phdr[1].p_type = PT_NULL;
	refused("no segments", "no segments");
	ehdr->e_phnum = 0;
	refused("no segments", "no program headers");
	ehdr->e_phnum = 0xffff;
	refused("too many program headers", "too many program headers");
	new_kernel();
	ehdr->e_phentsize = 32;
	refused("wrong size", "program headers of a wrong size");
	new_kernel();
	ehdr->e_phoff = sizeof(image) - 100;
	refused("boot: the file is truncated", "program headers that end behind the file");
	ehdr->e_phoff = ~0ULL - 8;
	refused("boot: the file is truncated", "and far behind");
}

static void test_many(void)
{
	unsigned int i;
	size_t cut;
	int loaded = 0;

	/* as many segments as there may be, and one more */
	new_kernel();
	for (i = 0; i < 65; i++) {
		phdr[i] = phdr[1];
		phdr[i].p_paddr = TEXT_GPA + (65 - i) * 0x1000;
		phdr[i].p_filesz = 0x10;
	}
	ehdr->e_entry = TEXT_GPA + 0x2000;
	ehdr->e_phnum = 64;
	is(load(), STATUS_OK, "64 segments load");
	ehdr->e_phnum = 65;
	refused("too many segments", "65 do not");

	for (cut = 1; cut < sizeof(image); cut += 41) {
		new_kernel();
		loaded += load_bytes(image, cut) == STATUS_OK;
	}
	is(loaded, 0, "no truncated kernel loads");
	for (i = 0; i < PHDRS + 3 * sizeof(Elf64_Phdr); i++) {
		new_kernel();
		image[i] ^= 0xff;
		load();
	}
	ok(1, "a broken byte anywhere in the headers does not break the loader");
}

int main(void)
{
	if (!load_begin())
		return 1;
	test_kernel();
	test_kind();
	test_segments();
	test_many();
	load_end();
	return tap_done();
}
