// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_multiboot.c - Multiboot images that are good, cut short, or hostile, and
 * what they are told.
 */
#include <elf.h>

#define HEADER		0x200
#define CODE		0x1000
#define IMAGE_BYTES	0x3000

#include "load.h"
#include "walk.h"

#define LOAD_GPA	0x200000U
#define INFO_FLAGS	0
#define INFO_LOWER	4
#define INFO_UPPER	8
#define INFO_CMDLINE	16
#define INFO_MODS_COUNT	20
#define INFO_MODS_ADDR	24
#define INFO_MAP_LENGTH	44
#define INFO_MAP_ADDR	48
#define INFO_NAME	64

static Elf32_Ehdr *const ehdr = (Elf32_Ehdr *)image;
static Elf32_Phdr *const phdr = (Elf32_Phdr *)(image + sizeof(Elf32_Ehdr));

static void put_header(unsigned int at, u32 flags)
{
	put32(at, 0x1badb002);
	put32(at + 4, flags);
	put32(at + 8, 0 - (0x1badb002 + flags));
}

static void clear(void)
{
	unsigned int i;

	memset(image, 0, sizeof(image));
	for (i = CODE; i < sizeof(image); i++)
		image[i] = (u8)(i * 13 + (i >> 8));
	new_files();
}

/* An ELF32 image of one segment. */
static void new_elf(void)
{
	clear();
	put_header(HEADER, 3);
	memcpy(ehdr->e_ident, ELFMAG, SELFMAG);
	ehdr->e_ident[EI_CLASS] = ELFCLASS32;
	ehdr->e_ident[EI_DATA] = ELFDATA2LSB;
	ehdr->e_ident[EI_VERSION] = EV_CURRENT;
	ehdr->e_type = ET_EXEC;
	ehdr->e_machine = EM_386;
	ehdr->e_entry = LOAD_GPA + 0x10;
	ehdr->e_phoff = sizeof(Elf32_Ehdr);
	ehdr->e_phentsize = sizeof(Elf32_Phdr);
	ehdr->e_phnum = 1;
	phdr[0] = (Elf32_Phdr) {
		.p_type = PT_LOAD, .p_flags = PF_R | PF_W | PF_X,
		.p_offset = CODE, .p_vaddr = LOAD_GPA, .p_paddr = LOAD_GPA,
		.p_filesz = 0x2000, .p_memsz = 0x4321,
	};
}

/* An image whose header has addresses: the file from 0x100 on. */
static void new_flat(void)
{
	clear();
	put_header(HEADER, 3 | 1 << 16);
	put32(HEADER + 12, LOAD_GPA + 0x100);
	put32(HEADER + 16, LOAD_GPA);
	put32(HEADER + 20, LOAD_GPA + 0x2000);
	put32(HEADER + 24, LOAD_GPA + 0x4000);
	put32(HEADER + 28, LOAD_GPA + 0x1000);
}

static u32 info(unsigned int field)
{
	return get32(state.rbx + field);
}

static void test_elf(void)
{
	struct mvm_sregs sregs;
	u64 gpr[MVM_NR_GPRS], rip, rflags;
	u32 map;

	new_elf();
	files.command_line = "one two";
	is(load(), STATUS_OK, "a good ELF image loads");
	is(files.type, IMAGE_MULTIBOOT, "and is recognised");
	is(state.mode, BOOT_PROTECTED, "entered in protected mode");
	is(state.rip, LOAD_GPA + 0x10, "at its entry point");
	ok(!memcmp(guest_mem_at(&mem, LOAD_GPA, 0x2000), image + CODE, 0x2000), "its bytes are there");
	is(get32(LOAD_GPA + 0x2000), 0, "followed by zeros");
	memset(&sregs, 0, sizeof(sregs));
	boot_registers(&state, &sregs, gpr, &rip, &rflags);
	is(gpr[MVM_RAX], 0x2badb002, "EAX has the magic number");
	is(gpr[MVM_RBX], state.rbx, "EBX the information's address");
	ok(gpr[MVM_RSP] >= 4096 && guest_mem_at_writable(&mem, gpr[MVM_RSP] - 4096, 4096), "ESP is the end of a page that can be written");
	ok(sregs.cr0 & CR0_PE && !(sregs.cr0 & CR0_PG), "protection is on, paging off");
	is(rflags, 2, "interrupts are off");
	ok(sregs.cs.selector == 8 && sregs.cs.access == 0xc09b && !sregs.cs.base && sregs.cs.limit == 0xffffffff, "CS is flat 32-bit code");
	ok(sregs.ds.selector == 16 && sregs.ss.access == 0xc093 && !sregs.gs.base && sregs.es.limit == 0xffffffff, "the others are flat data");
	is(get64(sregs.gdt.base + 8), 0x00cf9b000000ffff, "selector 8 is in the GDT");
	is(get64(sregs.gdt.base + 16), 0x00cf93000000ffff, "and selector 16");
	is(sregs.gdt.limit, 23, "which ends there");

	is(info(INFO_FLAGS), 0x24d, "memory, command line, modules, map and name are given");
	is(info(INFO_LOWER), 639, "mem_lower");
	is(info(INFO_UPPER), 63 * 1024, "mem_upper");
	is(info(12), 0, "no boot device");
	is(get32(0x413) & 0xffff, 639, "the BIOS data area has the base memory");
	is(get32(0x40e) & 0xffff, 0x9fc0, "its extension's segment");
	is(get32(0x9fc00), 1, "and size");
	is(get32(0x400) & 0xffff, 0x3f8, "and the serial port");
	ok(!strncmp(text_at(info(INFO_CMDLINE)), image_path, strlen(image_path)), "the command line begins with the image's name");
	ok(!strcmp(text_at(info(INFO_CMDLINE)) + strlen(image_path), " one two"), "and goes on as asked for");
	ok(!strcmp(text_at(info(INFO_NAME)), "mini-vm"), "the loader's name");
	is(info(INFO_MODS_COUNT), 0, "no modules");
	is(info(INFO_MAP_LENGTH), 4 * 24, "four memory ranges");
	map = info(INFO_MAP_ADDR);
	is(get32(map), 20, "of 20 bytes");
	ok(get64(map + 4) == 0 && get64(map + 12) == 0x9fc00 && get32(map + 20) == 1, "low memory");
	ok(get64(map + 24 + 4) == 0x9fc00 && get32(map + 24 + 20) == 2, "the BIOS data area");
	ok(get64(map + 72 + 4) == MIB && get64(map + 72 + 12) == 63 * MIB && get32(map + 72 + 20) == 1, "high memory");
	ok(info(INFO_CMDLINE) >= LOAD_GPA + 0x4321 && info(INFO_MODS_ADDR) >= LOAD_GPA + 0x4321, "the strings are behind the image");

	files.command_line = "";
	is(load(), STATUS_OK, "without a command line");
	ok(!strcmp(text_at(info(INFO_CMDLINE)), image_path), "it is the image's name alone");

	ehdr->e_entry = 0xc0000010;
	phdr[0].p_vaddr = 0xc0000000;
	is(load(), STATUS_OK, "a higher-half kernel loads");
	is(state.rip, LOAD_GPA + 0x10, "and is entered at the physical address");
	put_header(HEADER, 4);
	is(load(), STATUS_OK, "an image that wants a video mode runs");
	ok(strstr(sentence, "no display"), "after a sentence");
	put_header(HEADER, 3);
	put32(HEADER + 8, 1);
	files.type = IMAGE_AUTO;
	refused("without a Multiboot header", "a wrong checksum");
	files.type = IMAGE_MULTIBOOT;
	put_header(HEADER, 8);
	refused("requires something", "an unknown requirement");
	put_header(HEADER, 1 << 17);
	is(load(), STATUS_OK, "an unknown wish is not fulfilled");

	clear();
	new_elf();
	put32(HEADER, 0);
	put_header(8192 - 12, 0);
	is(load(), STATUS_OK, "the header may end at 8 KiB");
	put32(8192 - 12, 0);
	files.type = IMAGE_AUTO;
	put_header(8192 - 8, 0);
	refused("without a Multiboot header", "but not behind");
	put32(8192 - 8, 0);
	files.type = IMAGE_AUTO;
	put_header(HEADER + 2, 0);
	refused("without a Multiboot header", "and is aligned to 4 bytes");
}

static void test_version2(void)
{
	new_elf();
	put32(0x1000, 0xe85250d6);
	put32(0x1004, 0);
	put32(0x1008, 24);
	put32(0x100c, 0 - (0xe85250d6 + 24));
	is(load(), STATUS_OK, "an image with headers of both versions loads");
	put32(HEADER, 0);
	files.type = IMAGE_AUTO;
	refused("only Multiboot 1 is supported", "one of version 2 alone does not");
	put32(0x100c, 0);
	refused("without a Multiboot header", "unless its checksum is wrong");
}

static void test_elf64(void)
{
	Elf64_Ehdr *const wide = (Elf64_Ehdr *)image;
	Elf64_Phdr *const wide_phdr = (Elf64_Phdr *)(image + sizeof(*wide));

	new_elf();
	memset(image, 0, HEADER);
	memcpy(wide->e_ident, ELFMAG, SELFMAG);
	wide->e_ident[EI_CLASS] = ELFCLASS64;
	wide->e_ident[EI_DATA] = ELFDATA2LSB;
	wide->e_ident[EI_VERSION] = EV_CURRENT;
	wide->e_type = ET_EXEC;
	wide->e_machine = EM_X86_64;
	wide->e_entry = LOAD_GPA + 0x10;
	wide->e_phoff = sizeof(*wide);
	wide->e_phentsize = sizeof(*wide_phdr);
	wide->e_phnum = 1;
	*wide_phdr = (Elf64_Phdr) {
		.p_type = PT_LOAD, .p_flags = PF_R | PF_W | PF_X,
		.p_offset = CODE, .p_vaddr = LOAD_GPA, .p_paddr = LOAD_GPA,
		.p_filesz = 0x2000, .p_memsz = 0x4000,
	};
	is(load(), STATUS_OK, "an ELF64 image loads");
	is(files.type, IMAGE_MULTIBOOT, "as a Multiboot image");
	is(state.mode, BOOT_PROTECTED, "entered in 32-bit mode");
	files.type = IMAGE_ELF;
	is(load(), STATUS_OK, "or as a Linux kernel with --type elf");
	is(state.mode, BOOT_LONG, "entered in 64-bit mode");
}

static void test_flat(void)
{
	new_flat();
	is(load(), STATUS_OK, "an image with addresses loads");
	is(files.type, IMAGE_MULTIBOOT, "and is recognised");
	is(state.rip, LOAD_GPA + 0x1000, "entered where it says");
	ok(!memcmp(guest_mem_at(&mem, LOAD_GPA, 0x2000), image + HEADER - 0x100, 0x2000), "its bytes are there");
	is(get32(LOAD_GPA + 0x2000), 0, "and end where it says");
	ok(info(INFO_CMDLINE) >= LOAD_GPA + 0x4000, "the strings are behind its zeros");
	put32(HEADER + 20, 0);
	put32(HEADER + 24, 0);
	is(load(), STATUS_OK, "an image that does not say where it ends");
	ok(!memcmp(guest_mem_at(&mem, LOAD_GPA, IMAGE_BYTES - 0x100), image + 0x100, IMAGE_BYTES - 0x100), "is the whole file");

	new_flat();
	put32(HEADER + 16, LOAD_GPA + 0x101);
	refused("header before the image", "a header outside the image");
	new_flat();
	put32(HEADER + 12, LOAD_GPA + 0x201);
	refused("begin before the file", "an image that begins before the file");
	new_flat();
	put32(HEADER + 20, LOAD_GPA);
	refused("end before they begin", "an empty image");
	put32(HEADER + 20, LOAD_GPA + IMAGE_BYTES - 0xff);
	refused("boot: the file is truncated", "an image that ends behind the file");
	new_flat();
	put32(HEADER + 24, LOAD_GPA + 0x1fff);
	refused("end the zeros", "zeros that end in the image");
	new_flat();
	put32(HEADER + 28, LOAD_GPA + 0x4000);
	refused("entry point lies outside", "an entry point behind the image");
	put32(HEADER + 28, LOAD_GPA - 1);
	refused("entry point lies outside", "an entry point before it");
	new_flat();
	put32(HEADER + 24, 0xffffffff);
	refused("do not lie in the guest's memory", "an image of 4 GiB");
	new_flat();
	put32(HEADER + 12, 0xfffff100);
	put32(HEADER + 16, 0xfffff000);
	put32(HEADER + 20, 0);
	put32(HEADER + 24, 0);
	put32(HEADER + 28, 0xfffff000);
	refused("do not lie in the guest's memory", "an image that wraps around");
	new_flat();
	put_header(HEADER, 3);
	refused("its header has no addresses", "neither ELF nor addresses");
}

static void test_low(void)
{
	u64 gpa;

	/* where the information usually is */
	new_flat();
	put32(HEADER + 12, 0x9100);
	put32(HEADER + 16, 0x9000);
	put32(HEADER + 20, 0xb000);
	put32(HEADER + 24, 0xc000);
	put32(HEADER + 28, 0x9200);
	write_file(initrd_path, "module", 6);
	files.module_arg[files.module_args++] = initrd_path;
	is(load(), STATUS_OK, "an image at 0x9000 loads");
	ok(!memcmp(guest_mem_at(&mem, 0x9000, 0x2000), image + HEADER - 0x100, 0x2000), "and is not overwritten");
	ok(state.rbx >= MIB && state.gdt >= MIB && info(INFO_MAP_ADDR) >= MIB, "the information is above 1 MiB");
	ok(info(INFO_CMDLINE) >= MIB && info(INFO_CMDLINE) - state.rbx >= 116, "the strings too");
	gpa = get32(info(INFO_MODS_ADDR));
	ok(gpa >= MIB && !memcmp(text_at(gpa), "module", 6), "and the module");

	/* page 0 */
	put32(HEADER + 12, 0x100);
	put32(HEADER + 16, 0);
	put32(HEADER + 20, 0x2000);
	put32(HEADER + 24, 0);
	put32(HEADER + 28, 0x1000);
	is(load(), STATUS_OK, "an image at 0 loads");
	ok(!memcmp(guest_mem_at(&mem, 0, 0x2000), image + HEADER - 0x100, 0x2000), "and is there");

	/* up to the last byte of memory */
	new_flat();
	put32(HEADER + 24, 64 * MIB);
	refused("no room for the Multiboot information", "no room behind the image");
	put32(HEADER + 24, 64 * MIB - 4096);
	is(load(), STATUS_OK, "a page is enough");
	files.module_args = 1;
	files.module_arg[0] = initrd_path;
	refused("no room for this module", "but not for a module");
}

static void test_modules(void)
{
	static u8 data[5000];
	char one[128], list[256], second[80];
	u32 mods, i;

	for (i = 0; i < sizeof(data); i++)
		data[i] = (u8)(i * 3);
	write_file(initrd_path, data, sizeof(data));
	snprintf(second, sizeof(second), "%s,comma", initrd_path);
	write_file(second, "", 0);
	snprintf(one, sizeof(one), "  %s with words", initrd_path);

	new_elf();
	files.module_args = 2;
	files.module_arg[0] = one;
	files.module_arg[1] = second;
	is(load(), STATUS_OK, "an image with modules loads");
	is(info(INFO_MODS_COUNT), 2, "two modules");
	mods = info(INFO_MODS_ADDR);
	ok(get32(mods) % 4096 == 0 && get32(mods + 16) % 4096 == 0, "aligned to pages");
	ok(get32(mods) > info(INFO_CMDLINE), "behind the strings");
	is(get32(mods + 4) - get32(mods), sizeof(data), "the first's size");
	ok(!memcmp(guest_mem_at(&mem, get32(mods), sizeof(data)), data, sizeof(data)), "its content");
	ok(!strcmp(text_at(get32(mods + 8)), one + 2), "its string, with the name and without the blanks");
	is(get32(mods + 12), 0, "and a zero");
	is(get32(mods + 16), get32(mods) + 8192, "the second is two pages behind");
	is(get32(mods + 20), get32(mods + 16), "and empty");
	ok(!strcmp(text_at(get32(mods + 24)), second), "with its string");

	new_elf();
	snprintf(list, sizeof(list), "%s a b, %s,,comma", initrd_path, initrd_path);
	files.initrd_path = list;
	is(load(), STATUS_OK, "--initrd names modules");
	is(info(INFO_MODS_COUNT), 2, "two of them");
	mods = info(INFO_MODS_ADDR);
	ok(!strcmp(text_at(get32(mods + 8)) + strlen(initrd_path), " a b"), "one with words");
	ok(!strcmp(text_at(get32(mods + 24)), second), "one with a comma in its name");
	is(load(), STATUS_OK, "a second time");
	is(info(INFO_MODS_COUNT), 2, "there are as many");
	unlink(second);
}

static void test_hostile(void)
{
	unsigned int i;
	size_t cut;

	for (cut = 1; cut < sizeof(image); cut += 41) {
		new_elf();
		load_bytes(image, cut);
		new_flat();
		load_bytes(image, cut);
	}
	for (i = 0; i < HEADER + 48; i++) {
		new_elf();
		image[i] ^= 0xff;
		load();
	}
	/* the checksum does not cover the addresses */
	for (i = HEADER + 12; i < HEADER + 32; i++) {
		new_flat();
		image[i] ^= 0xff;
		load();
	}
	ok(1, "broken bytes anywhere do not break the loader");
}

static void test_big(void)
{
	u32 map;

	guest_mem_destroy(&mem);
	if (guest_mem_create(&mem, 5 * GIB)) {
		ok(1, "5 GiB # SKIP no address space");
		return;
	}
	new_elf();
	is(load(), STATUS_OK, "an image in 5 GiB");
	is(info(INFO_UPPER), (3 * GIB - MIB) / 1024, "mem_upper ends at the hole");
	map = info(INFO_MAP_ADDR);
	ok(get64(map + 96 + 4) == 4 * GIB && get64(map + 96 + 12) == 2 * GIB, "the map has what is above 4 GiB");
	guest_mem_destroy(&mem);
	guest_mem_create(&mem, 2 * MIB);
	new_elf();
	phdr[0].p_paddr = MIB;
	phdr[0].p_vaddr = MIB;
	ehdr->e_entry = MIB;
	is(load(), STATUS_OK, "an image in 2 MiB");
	phdr[0].p_paddr = 3 * MIB;
	refused("give it more with --memory", "no memory at its address");
}

int main(void)
{
	if (!load_begin())
		return 1;
	test_elf();
	test_version2();
	test_elf64();
	test_flat();
	test_low();
	test_modules();
	test_hostile();
	test_big();
	load_end();
	return tap_done();
}
