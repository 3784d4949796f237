// SPDX-License-Identifier: GPL-2.0-only
/* test_fw_cfg.c - QEMU's firmware configuration device and its option. */
#include <endian.h>
#include <stdlib.h>
#include <unistd.h>

#include "fake_env.h"
#include "fw_cfg_items.h"
#include "guest_mem.h"
#include "report.h"
#include "tap.h"

#define DMA_GPA		0x1000ULL
#define BUFFER_GPA	0x2000ULL

static struct guest_mem mem;
static struct fw_cfg_items items;

static void start(void)
{
	fake_prepare();
	fake.env.mem = &mem;
	fake.env.fw_cfg = &items;
	fake.env.ram_high = 2 * GIB;
	fake.env.cpus = 5;
	is(fake_create(&fw_cfg_device), 0, "the device is made");
}

static void select_key(u16 key)
{
	bus_write(&fake.ports, 0x510, 2, key);
}

/* As kvm-unit-tests and hobby kernels do it. */
static u64 number(u16 key, unsigned int bytes)
{
	unsigned int i;
	u64 value = 0;

	select_key(key);
	for (i = 0; i < bytes; i++)
		value |= (u64)in(0x511) << (8 * i);
	return value;
}

static u32 big(unsigned int bytes)
{
	u32 value = 0;

	while (bytes--)
		value = value << 8 | in(0x511);
	return value;
}

/* The key of a file, 0: not there. */
static u16 find(const char *name, u32 *size)
{
	unsigned int count, i;

	select_key(0x19);
	count = big(4);
	for (i = 0; i < count; i++) {
		u32 bytes = big(4);
		u16 key = (u16)big(2), at;
		char text[56];

		big(2);
		for (at = 0; at < 56; at++)
			text[at] = (char)in(0x511);
		if (!text[55] && !strcmp(text, name)) {
			*size = bytes;
			return key;
		}
	}
	return 0;
}

static void test_numbers(void)
{
	start();
	is(number(0x00, 4), 0x554d4551, "the signature is QEMU");
	is(number(0x01, 4), 3, "the id: bytes and DMA");
	is(number(0x03, 8), 256 * MIB + 2 * GIB, "RAM size is all of it");
	is(number(0x05, 2), 5, "the number of CPUs");
	is(number(0x0f, 2), 5, "is the most there can be");
	is(number(0x8002, 4), 1, "IRQ 0 is overridden");
	is(number(0x01, 8), 3, "behind an item's end there are zeros");
	is(number(0x4005, 2), 5, "the write flag selects no other item");
	is(number(0x7777, 4), 0, "an item that is not there is zeros");
	is(number(0xffff, 4), 0, "also the last key");
	select_key(0);
	is(in(0x510), 'Q', "the data port is next to the selector too");
	is(bus_read(&fake.ports, 0x510, 2), 0, "the selector cannot be read");
	is(in(0x511), 'E', "and doing so takes no byte");
	fake_stop();
}

static void test_files(void)
{
	u32 size = 0, i, bad = 0;
	u16 key;

	start();
	key = find("etc/e820", &size);
	ok(key >= 0x20, "etc/e820 is in the directory");
	is(size, 5 * 20, "with five entries");
	is(number(key, 8), 0, "which begin at 0");
	is(find("opt/no", &size), 0, "what is not there is not found");
	key = find("opt/a", &size);
	is(size, 3, "a string has no NUL");
	is(number(key, 4), 0x00636261, "and its bytes");
	key = find("opt/big", &size);
	is(size, 10000, "a file has its size");
	select_key(key);
	for (i = 0; i < size; i++)
		bad += in(0x511) != (u8)(i * 7);
	is(bad, 0, "and its bytes");
	is(in(0x511), 0, "and an end");
	key = find("opt/empty", &size);
	ok(key && !size, "an empty one is there");
	is(number(key, 1), 0, "and empty");
	fake_stop();
}

/* Returns the control word that the device leaves. */
static u32 dma(u32 control, u32 length, u64 address, u64 at)
{
	struct { u32 control, length; u64 address; } request = {
		htobe32(control), htobe32(length), htobe64(address),
	};

	guest_mem_write(&mem, at, &request, sizeof(request));
	bus_write(&fake.ports, 0x514, 4, htobe32((u32)(at >> 32)));
	bus_write(&fake.ports, 0x518, 4, htobe32((u32)at));
	if (!guest_mem_read(&mem, at, &request, 4))
		return ~0U;
	return be32toh(request.control);
}

static void test_dma(void)
{
	u8 bytes[64] = { 0 };
	u32 size, wrong = 0, i;
	u16 key;

	start();
	is(bus_read(&fake.ports, 0x514, 4), 0x554d4551, "the DMA register reads QEMU");
	is(bus_read(&fake.ports, 0x518, 4), 0x47464320, "CFG");
	key = find("opt/big", &size);
	memset(bytes, 0xee, sizeof(bytes));
	guest_mem_write(&mem, BUFFER_GPA, bytes, sizeof(bytes));
	is(dma((u32)key << 16 | 8 | 2, 16, BUFFER_GPA, DMA_GPA), 0, "select and read");
	guest_mem_read(&mem, BUFFER_GPA, bytes, sizeof(bytes));
	for (i = 0; i < 16; i++)
		wrong += bytes[i] != (u8)(i * 7);
	is(wrong, 0, "gives the bytes");
	is(bytes[16], 0xee, "and no more");
	is(dma(4, 9980, 0, DMA_GPA), 0, "skip");
	is(dma(2, 8, BUFFER_GPA, DMA_GPA), 0, "and read across the end");
	guest_mem_read(&mem, BUFFER_GPA, bytes, sizeof(bytes));
	is(bytes[3], (u8)(9999 * 7), "gives the last byte");
	is(bytes[4] | bytes[5] | bytes[6] | bytes[7], 0, "and zeros behind");
	is(dma(4, ~0U, 0, DMA_GPA), 0, "skipping far beyond the end is harmless");
	is(in(0x511), 0, "and stays there");
	is(dma((u32)key << 16 | 8 | 0x10, 4, BUFFER_GPA, DMA_GPA), 1, "nothing can be written");
	is(dma((u32)key << 16 | 8 | 2, 4, GPA_ROM, DMA_GPA), 1, "ROM cannot be read to");
	is(dma(2, 4, ~0ULL - 1, DMA_GPA), 1, "nor what wraps around");
	is(dma(2, ~0U, BUFFER_GPA, DMA_GPA), 1, "nor more than there is memory");
	is(dma(2, 0, ~0ULL, DMA_GPA), 0, "no bytes need no memory");
	is(dma(2, 4, BUFFER_GPA, 0xfff00000), ~0U, "a request outside memory does nothing");
	is(dma(0, 4, BUFFER_GPA, DMA_GPA), 0, "neither does one without a command");
	fake_stop();
}

static void wrong(const char *text, const char *why)
{
	const char *got = fw_cfg_items_add(&items, text);

	ok(got && strstr(got, why), "--fw-cfg %s: %s", text, why);
	if (got && !strstr(got, why))
		printf("# %s\n", got);
}

static void test_option(void)
{
	char path[] = "/tmp/mini-vm-test-XXXXXX", text[80];
	int fd = mkstemp(path);
	u8 bytes[10000];
	unsigned int i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (u8)(i * 7);
	ok(fd >= 0 && write(fd, bytes, sizeof(bytes)) == sizeof(bytes), "a file to give");
	ok(!fw_cfg_items_add(&items, "name=opt/a,string=abc"), "a string is taken");
	ok(!fw_cfg_items_add(&items, "opt/b,string=x,,y"), "without name=, with a comma");
	is(items.items[1].size, 3, "which is written twice");
	ok(!memcmp(items.items[1].data, "x,y", 3), "and counts once");
	ok(!fw_cfg_items_add(&items, "name=opt/empty,string="), "an empty one too");
	snprintf(text, sizeof(text), "name=opt/big,file=%s", path);
	ok(!fw_cfg_items_add(&items, text), "and a file");
	is(fw_cfg_items_load(&items), STATUS_OK, "which is read");
	unlink(path);
	close(fd);
	wrong("", "the name is empty");
	wrong("name=,string=a", "the name is empty");
	wrong("name=opt/a,string=a", "there twice");
	wrong("name=opt/c", "write name=NAME");
	wrong("name=opt/c,file=", "the file has no name");
	wrong("name=opt/c,string=a,b", "write a comma in it twice");
	wrong("name=etc/e820,string=a", "mini-vm's own");
	wrong("name=opt/a b,string=a", "printable");
	wrong("name=opt/456789012345678901234567890123456789012345678901234567,string=a",
	      "more than 55");
	for (i = items.count; i < FW_CFG_ITEMS_MAX; i++) {
		snprintf(text, sizeof(text), "name=opt/many/%u,string=%u", i, i);
		fw_cfg_items_add(&items, text);
	}
	wrong("name=opt/last,string=a", "too many");
}

int main(void)
{
	if (guest_mem_create(&mem, 4 * MIB))
		return 1;
	test_option();
	test_numbers();
	test_files();
	test_dma();
	fw_cfg_items_free(&items);
	guest_mem_destroy(&mem);
	return tap_done();
}
