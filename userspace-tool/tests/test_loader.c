// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_loader.c - images that are good, cut short, or hostile.
 *
 * The errors' sentences go to a file instead of stderr, so that they can be
 * read; the addresses are those of the boot protocol.
 */
#include <string.h>

#define SETUP		(5 * 512)
#define CODE_BYTES	4096
#define IMAGE_BYTES	(SETUP + CODE_BYTES)

#include "load.h"
#include "walk.h"

#define ZERO_PAGE	0x7000
#define COMMAND_LINE	0x20000

/* A kernel of protocol 2.15 with 4 KiB of code. */
static void new_kernel(void)
{
	unsigned int i;

	memset(image, 0, sizeof(image));
	image[0x1f1] = 4;
	put32(0x1f4, CODE_BYTES / 16);
	put16(0x1fe, 0xaa55);
	image[0x201] = 0x6a;
	memcpy(image + 0x202, "HdrS", 4);
	put16(0x206, 0x020f);
	image[0x211] = 1;
	put32(0x22c, 0x7fffffff);
	put32(0x230, 0x200000);
	image[0x234] = 1;
	put16(0x236, 1);
	put32(0x238, 2047);
	put32(0x258, 0x1000000);
	put32(0x260, 0x400000);
	for (i = 0; i < CODE_BYTES; i++)
		image[SETUP + i] = (u8)(i * 7);
	new_files();
}

static void test_kernel(void)
{
	u8 loaded[CODE_BYTES];
	unsigned int i;
	u64 cr3;

	new_kernel();
	files.command_line = "console=ttyS0";
	is(load(), STATUS_OK, "a good kernel loads");
	is(files.type, IMAGE_BZIMAGE, "and is recognised");
	is(state.mode, BOOT_LONG, "entered in long mode");
	is(state.rip, 0x1000200, "at its preferred address plus 0x200");
	is(state.rsi, ZERO_PAGE, "RSI has the boot parameters");
	guest_mem_read(&mem, 0x1000000, loaded, sizeof(loaded));
	ok(!memcmp(loaded, image + SETUP, CODE_BYTES), "all its code is there");
	is(get32(ZERO_PAGE + 0x202), 0x53726448, "the header is copied");
	is(get32(ZERO_PAGE + 0x210) & 0xff, 0xff, "the loader is 'undefined'");
	is(get32(ZERO_PAGE + 0x228), COMMAND_LINE, "the command line's address");
	ok(!strcmp(guest_mem_at(&mem, COMMAND_LINE, 64), "console=ttyS0"), "and the command line");
	is(get32(ZERO_PAGE + 0x1e8) & 0xff, 4, "four memory ranges");
	is(get64(ZERO_PAGE + 0x2d0 + 8), 0x9fc00, "low memory");
	is(get64(ZERO_PAGE + 0x2d0 + 60), 0x100000, "and memory from 1 MiB");
	is(get64(ZERO_PAGE + 0x2d0 + 68), 63 * MIB, "to the end");

	cr3 = state.cr3;
	is(get64(get64(get64(cr3) & ~0xfffULL) & ~0xfffULL), 0x83, "the page tables map 0 to 0");
	is(get64((get64((get64(cr3) & ~0xfffULL) + 24) & ~0xfffULL) + 511 * 8), 0xffe00083, "up to 4 GiB");
	is(get64(state.gdt + 0x10), 0x00af9b000000ffff, "selector 0x10 is 64-bit code");
	is(get64(state.gdt + 0x18), 0x00cf93000000ffff, "selector 0x18 is data");
	is(state.gdt_limit, 0x1f, "the GDT ends behind it");

	put16(0x236, 0);
	is(load(), STATUS_OK, "a kernel without the 64-bit entry loads");
	is(state.mode, BOOT_PROTECTED, "entered in protected mode");
	is(state.rip, 0x1000000, "at its first byte");
	for (i = 0, image[0x1f1] = 0; i < 1; i++)
		is(load(), STATUS_OK, "a setup size of 0 means 4 sectors");

	new_kernel();
	put32(0x258, 0x10000000);
	is(load(), STATUS_OK, "a relocatable kernel that prefers what is not there");
	is(state.rip, 0x200200, "goes to the first aligned address");
	put32(0x258, 0x1000001);
	is(load(), STATUS_OK, "a preferred address that is not aligned");
	is(state.rip, 0x200200, "is not taken");
	new_kernel();
	put32(0x1f4, (CODE_BYTES + 16) / 16);
	image[0x234] = 0;
	is(load_bytes(image, sizeof(image)), STATUS_RESOURCE, "a paragraph too many is truncated");
	put32(0x1f4, CODE_BYTES / 16);
	is(load_bytes(image, sizeof(image) - 5), STATUS_OK, "but the last paragraph may be broken");
}

static void test_initrd(void)
{
	static u8 data[10000];
	u64 at;

	memset(data, 0x5a, sizeof(data));
	write_file(initrd_path, data, sizeof(data));
	new_kernel();
	files.initrd_path = initrd_path;
	is(load(), STATUS_OK, "a kernel with an initrd");
	at = get32(ZERO_PAGE + 0x218);
	is(get32(ZERO_PAGE + 0x21c), sizeof(data), "the initrd's size");
	ok(at % 4096 == 0 && at >= 0x1400000 && at + sizeof(data) <= mem.low, "above the kernel, in memory");
	ok(!memcmp(guest_mem_at(&mem, at, sizeof(data)), data, sizeof(data)), "and there it is");
	put32(0x22c, 0x1ffffff);
	is(load(), STATUS_OK, "below the highest address the kernel allows");
	at = get32(ZERO_PAGE + 0x218);
	ok(at + sizeof(data) <= 0x2000000, "it is");
	put32(0x22c, 0x13fffff);
	refused("the initrd is too big", "no room between kernel and limit");
	put32(0x22c, 0);
	refused("the initrd is too big", "a limit of 0");
	put32(0x22c, 0xffffffff);
	is(load(), STATUS_OK, "a limit of 4 GiB");

	files.initrd_path = "/nonexistent/initrd";
	refused("there is no such initrd", "a missing initrd");
}

static void test_hostile(void)
{
	unsigned int i;
	size_t cut;
	int bad = 0;

	new_kernel();
	put32(0x260, 0xfffffff0);
	refused("the kernel is too big", "a kernel that wants 4 GiB");
	new_kernel();
	put32(0x258 + 4, 0xffffffff);
	image[0x234] = 0;
	refused("the kernel is too big", "a preferred address of 2^64");
	new_kernel();
	put32(0x258, 0);
	image[0x234] = 0;
	refused("the kernel is too big", "a preferred address of 0");
	new_kernel();
	put32(0x230, 0x30000);
	refused("impossible alignment", "an alignment that is no power of two");
	put32(0x230, 0);
	refused("impossible alignment", "an alignment of 0");
	put32(0x230, 0x80000000);
	refused("impossible alignment", "an alignment of 2 GiB");
	new_kernel();
	put32(0x1f4, 0xffffffff);
	refused("truncated", "a size of 64 GiB");
	put32(0x1f4, 0);
	refused("names no code", "a size of 0");
	new_kernel();
	image[0x1f1] = 255;
	refused("truncated", "more setup code than file");
	new_kernel();
	put16(0x206, 0x0205);
	refused("older than 2.06", "an old protocol");
	new_kernel();
	image[0x211] = 0;
	refused("zImage", "a zImage");
	new_kernel();
	image[0x201] = 0x10;
	refused("cut short", "a header that ends too early");
	new_kernel();
	put32(0x1f4, 0x200 / 16);
	refused("64-bit entry point", "an entry point behind the code");
	new_kernel();
	put32(0x238, 4);
	files.command_line = "12345";
	refused("5 characters, and this kernel takes 4", "a command line that is too long");
	new_kernel();
	image[0x201] = 0xff;
	is(load(), STATUS_OK, "a header longer than the protocol's is cut");

	/* any length and any single broken byte of the header: no crash */
	for (cut = 1; cut < sizeof(image); cut += 37) {
		new_kernel();
		bad += load_bytes(image, cut) == STATUS_OK;
	}
	is(bad, 0, "no truncated kernel loads");
	for (i = 0x1f1; i < 0x270; i++) {
		new_kernel();
		image[i] ^= 0xff;
		load();
	}
	ok(1, "a broken byte anywhere in the header does not break the loader");
}

static void test_other(void)
{
	u8 sector[512] = { 0xf4 };
	struct mvm_sregs sregs;
	u64 gpr[MVM_NR_GPRS], rip, rflags;

	new_kernel();
	sector[510] = 0x55;
	sector[511] = 0xaa;
	is(load_bytes(sector, 512), STATUS_OK, "a boot sector loads");
	is(files.type, IMAGE_BOOT_SECTOR, "and is recognised");
	memset(&sregs, 0, sizeof(sregs));
	boot_registers(&state, &sregs, gpr, &rip, &rflags);
	ok(sregs.cs.selector == 0 && rip == 0x7c00, "CS:IP 0000:7c00");
	is(gpr[MVM_RDX], 0x80, "DL is the first disk");
	is(rflags, 2, "interrupts off");
	is(get32(0x7c00) & 0xff, 0xf4, "its code at 0x7c00");

	files.type = IMAGE_AUTO;
	sector[511] = 0;
	is(load_bytes(sector, 512), STATUS_RESOURCE, "without its signature it is nothing");
	ok(strstr(sentence, "not a kernel"), "not a kernel");
	files.type = IMAGE_BOOT_SECTOR;
	is(load_bytes(sector, 512), STATUS_RESOURCE, "not even when called a boot sector");
	ok(strstr(sentence, "55 aa"), "and the reason is said");
	is(load_bytes(sector, 511), STATUS_RESOURCE, "a boot sector has 512 bytes");

	files.type = IMAGE_FLAT;
	is(load_bytes(sector, 3), STATUS_OK, "a flat binary loads");
	boot_registers(&state, &sregs, gpr, &rip, &rflags);
	ok(sregs.cs.selector == 0x1000 && sregs.cs.base == 0x10000 && rip == 0, "CS:IP 1000:0000");
	ok(sregs.ds.selector == 0x1000 && sregs.ss.selector == 0x1000 && sregs.es.base == 0x10000, "all segments equal");
	is(gpr[MVM_RSP], 0xfffe, "SP 0xfffe");
	is(get32(0x10000) & 0xff, 0xf4, "its code at 0x10000");

	files.type = IMAGE_AUTO;
	is(load_bytes("", 0), STATUS_RESOURCE, "an empty file is refused");
	ok(strstr(sentence, "empty"), "with a clear sentence");
	is(load_bytes("some text", 9), STATUS_RESOURCE, "text is refused");

	files.type = IMAGE_BOOT_SECTOR;
	files.command_line = "quiet";
	is(load_bytes(sector, 512), STATUS_USAGE, "--append needs a kernel");
	files.command_line = "";
	files.image_path = folder;
	is(load_bytes(sector, 512), STATUS_RESOURCE, "a folder is refused");
	ok(strstr(sentence, "not a regular file"), "with a clear sentence");
}

int main(void)
{
	if (!load_begin())
		return 1;
	test_kernel();
	test_initrd();
	test_hostile();
	test_other();
	load_end();
	return tap_done();
}
