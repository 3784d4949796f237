// SPDX-License-Identifier: GPL-2.0-only
/*
 * fw_cfg.c - QEMU's firmware configuration device at ports 0x510 to 0x51b:
 * numbered items, and a directory of named files among them, that a guest reads
 * byte by byte or by DMA.  Nothing can be written.
 *
 * Source: QEMU docs/specs/fw_cfg.rst.  Registers, numbers and file names are
 * those of QEMU's PC.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../fw_cfg_items.h"
#include "../guest_mem.h"
#include "device.h"

#define FW_CFG_PORT	0x510
#define DMA_PORT	0x514

/* keys */
#define KEY_SIGNATURE	0x00
#define KEY_ID		0x01
#define KEY_UUID	0x02
#define KEY_RAM_SIZE	0x03
#define KEY_NOGRAPHIC	0x04
#define KEY_NB_CPUS	0x05
#define KEY_BOOT_MENU	0x0e
#define KEY_MAX_CPUS	0x0f
#define KEY_FILE_DIR	0x19
#define KEY_FILE_FIRST	0x20
#define KEY_IRQ0_OVERRIDE 0x8002
#define KEY_WRITE	0x4000	/* a flag that selects nothing else */

#define ID_TRADITIONAL	BIT(0)
#define ID_DMA		BIT(1)

#define DMA_SIGNATURE	0x51454d5520434647ULL	/* "QEMU CFG" */
#define DMA_ERROR	BIT(0)
#define DMA_READ	BIT(1)
#define DMA_SKIP	BIT(2)
#define DMA_SELECT	BIT(3)
#define DMA_WRITE	BIT(4)

#define FILES_MAX	(FW_CFG_ITEMS_MAX + 8)
#define NUMBERED	9
#define E820_MAX	8
#define E820_RAM	1
#define E820_RESERVED	2
/* the last KiB of low memory is the extended BIOS data area */
#define LOW_USABLE_END	0x9fc00

/* An entry of the directory (all big endian). */
struct directory_entry {
	u32 size;
	u16 key;
	u16 reserved;
	char name[FW_CFG_NAME_MAX];
};

struct directory {
	u32 count;
	struct directory_entry entries[FILES_MAX];
};

/* What a DMA access reads from guest memory (all big endian). */
struct dma_request {
	u32 control;
	u32 length;
	u64 address;
};

struct __attribute__((packed)) e820_entry {
	u64 start;
	u64 length;
	u32 type;
};

/**
 * struct fw_cfg - the device
 * @env:	its surroundings
 * @numbers:	the small items, little endian
 * @directory:	the item KEY_FILE_DIR
 * @e820:	the file etc/e820
 * @contents:	of the files, in the directory's order
 * @current:	content of the selected item; NULL: there is none
 * @size:	its bytes
 * @offset:	next byte to read
 * @dma_high:	upper half of the address of a DMA request
 */
struct fw_cfg {
	struct device_env *env;
	struct {
		u16 key;
		u16 size;
		u8 bytes[16];
	} numbers[NUMBERED];
	struct directory directory;
	struct e820_entry e820[E820_MAX];
	const u8 *contents[FILES_MAX];
	const u8 *current;
	u32 size;
	u32 offset;
	u32 dma_high;
};

static void select_item(struct fw_cfg *cfg, u16 key)
{
	u32 files = be32toh(cfg->directory.count);
	unsigned int i;

	key &= (u16)~KEY_WRITE;
	cfg->current = NULL;
	cfg->size = 0;
	cfg->offset = 0;
	if (key == KEY_FILE_DIR) {
		cfg->current = (const u8 *)&cfg->directory;
		cfg->size = (u32)(offsetof(struct directory, entries) +
				  files * sizeof(struct directory_entry));
	} else if (key >= KEY_FILE_FIRST && key - KEY_FILE_FIRST < (int)files) {
		cfg->current = cfg->contents[key - KEY_FILE_FIRST];
		cfg->size = be32toh(cfg->directory.entries[key - KEY_FILE_FIRST].size);
	}
	for (i = 0; i < NUMBERED; i++) {
		if (cfg->numbers[i].size && cfg->numbers[i].key == key) {
			cfg->current = cfg->numbers[i].bytes;
			cfg->size = cfg->numbers[i].size;
		}
	}
}

/* Behind the end, and without an item, everything is 0. */
static u8 next_byte(struct fw_cfg *cfg)
{
	return cfg->offset < cfg->size ? cfg->current[cfg->offset++] : 0;
}

static u64 cfg_read(void *device, u64 offset, unsigned int bytes)
{
	(void)offset;
	return bytes == 1 ? next_byte(device) : 0;
}

static void cfg_write(void *device, u64 offset, unsigned int bytes, u64 value)
{
	(void)offset;
	/* writing data went out of QEMU with 2.4 */
	if (bytes == 2)
		select_item(device, (u16)value);
}

/* ------------------------------------------------------------------------
 * DMA
 */

/* Does what @request asks; returns what becomes of its control word. */
static u32 dma_transfer(struct fw_cfg *cfg, const struct dma_request *request)
{
	u32 control = be32toh(request->control);
	u32 length = be32toh(request->length);
	u32 left, copied;
	u8 *to;

	if (control & DMA_SELECT)
		select_item(cfg, (u16)(control >> 16));
	left = cfg->size - cfg->offset;
	copied = length < left ? length : left;
	if (control & DMA_READ) {
		to = guest_mem_at_writable(cfg->env->mem, be64toh(request->address), length);
		if (length && !to)
			return DMA_ERROR;
		if (copied)
			memcpy(to, cfg->current + cfg->offset, copied);
		if (length > copied)
			memset(to + copied, 0, length - copied);
	} else if (control & DMA_WRITE) {
		return DMA_ERROR;
	} else if (!(control & DMA_SKIP)) {
		return 0;
	}
	cfg->offset += copied;
	return 0;
}

static void dma_run(struct fw_cfg *cfg, u64 gpa)
{
	struct dma_request request;
	u32 control = DMA_ERROR;

	if (guest_mem_read(cfg->env->mem, gpa, &request, sizeof(request)))
		control = dma_transfer(cfg, &request);
	control = htobe32(control);
	/* the guest sees that it is done; not if it gave a bad address */
	guest_mem_write(cfg->env->mem, gpa, &control, sizeof(control));
}

/* The register is big endian: its first byte is the most significant. */
static u64 dma_read(void *device, u64 offset, unsigned int bytes)
{
	u64 value = htobe64(DMA_SIGNATURE);

	(void)device;
	(void)bytes;
	return value >> (8 * offset);
}

static void dma_write(void *device, u64 offset, unsigned int bytes, u64 value)
{
	struct fw_cfg *cfg = device;
	u64 high = cfg->dma_high;

	if (bytes != 4)
		return;
	if (offset == 0) {
		cfg->dma_high = be32toh((u32)value);
	} else if (offset == 4) {
		cfg->dma_high = 0;
		dma_run(cfg, high << 32 | be32toh((u32)value));
	}
}

static const struct bus_ops cfg_ops = { cfg_read, cfg_write };
static const struct bus_ops dma_ops = { dma_read, dma_write };

/* ------------------------------------------------------------------------
 * Contents
 */

static void set_number(struct fw_cfg *cfg, unsigned int *used, u16 key, u64 value, u16 size)
{
	u64 little = htole64(value);

	cfg->numbers[*used].key = key;
	cfg->numbers[*used].size = size;
	if (size <= sizeof(little))
		memcpy(cfg->numbers[*used].bytes, &little, size);
	(*used)++;
}

static void set_numbers(struct fw_cfg *cfg)
{
	unsigned int used = 0;

	set_number(cfg, &used, KEY_SIGNATURE, 0, 4);
	memcpy(cfg->numbers[0].bytes, "QEMU", 4);
	set_number(cfg, &used, KEY_ID, ID_TRADITIONAL | ID_DMA, 4);
	set_number(cfg, &used, KEY_UUID, 0, 16);
	set_number(cfg, &used, KEY_RAM_SIZE, cfg->env->ram_low + cfg->env->ram_high, 8);
	set_number(cfg, &used, KEY_NOGRAPHIC, 1, 2);
	set_number(cfg, &used, KEY_NB_CPUS, cfg->env->cpus, 2);
	set_number(cfg, &used, KEY_BOOT_MENU, 0, 2);
	set_number(cfg, &used, KEY_MAX_CPUS, cfg->env->cpus, 2);
	/* IRQ 0 is on pin 2 of the I/O APIC */
	set_number(cfg, &used, KEY_IRQ0_OVERRIDE, 1, 4);
}

static void add_file(struct fw_cfg *cfg, const char *name, const void *data, u32 size)
{
	u32 count = be32toh(cfg->directory.count);
	struct directory_entry *entry = &cfg->directory.entries[count];

	entry->size = htobe32(size);
	entry->key = htobe16((u16)(KEY_FILE_FIRST + count));
	strncpy(entry->name, name, sizeof(entry->name) - 1);
	cfg->contents[count] = data;
	cfg->directory.count = htobe32(count + 1);
}

static void add_e820(struct fw_cfg *cfg, u32 *used, u64 start, u64 end, u32 type)
{
	cfg->e820[(*used)++] = (struct e820_entry) {
		.start = htole64(start),
		.length = htole64(end - start),
		.type = htole32(type),
	};
}

static void set_e820(struct fw_cfg *cfg)
{
	const struct device_env *env = cfg->env;
	u32 used = 0;

	add_e820(cfg, &used, 0, LOW_USABLE_END, E820_RAM);
	add_e820(cfg, &used, LOW_USABLE_END, GPA_LOW_END, E820_RESERVED);
	add_e820(cfg, &used, GPA_ROM, GPA_HIGH, E820_RESERVED);
	add_e820(cfg, &used, GPA_HIGH, env->ram_low, E820_RAM);
	if (env->ram_high)
		add_e820(cfg, &used, GPA_4G, GPA_4G + env->ram_high, E820_RAM);
	add_file(cfg, "etc/e820", cfg->e820, (u32)(used * sizeof(cfg->e820[0])));
}

/* S3 and S4 are switched off, S5 is SLP_TYP 0 (acpi/dsdt.asl). */
static const u8 system_states[] = { 0x80, 0, 0, 0x01, 0x02, 0x80 };

static void set_files(struct fw_cfg *cfg)
{
	const struct fw_cfg_items *items = cfg->env->fw_cfg;
	unsigned int i;

	set_e820(cfg);
	add_file(cfg, "etc/system-states", system_states, sizeof(system_states));
	add_file(cfg, "opt/mini-vm/version", MINI_VM_VERSION, sizeof(MINI_VM_VERSION) - 1);
	for (i = 0; items && i < items->count; i++)
		add_file(cfg, items->items[i].name, items->items[i].data, items->items[i].size);
}

static int fw_cfg_create(struct device *device, struct device_env *env)
{
	struct fw_cfg *cfg = calloc(1, sizeof(*cfg));
	int error;

	if (!cfg)
		return -ENOMEM;
	cfg->env = env;
	set_numbers(cfg);
	set_files(cfg);
	select_item(cfg, KEY_SIGNATURE);
	error = bus_add(env->ports, FW_CFG_PORT, 2, "fw_cfg", 2, &cfg_ops, cfg);
	if (!error)
		error = bus_add(env->ports, DMA_PORT, 8, "fw_cfg DMA", 4, &dma_ops, cfg);
	if (error) {
		free(cfg);
		return error;
	}
	device->state = cfg;
	return 0;
}

static void fw_cfg_destroy(struct device *device)
{
	free(device->state);
}

const struct device_type fw_cfg_device = {
	.name = "fw_cfg",
	.help = "QEMU's firmware configuration, ports 0x510 to 0x51b",
	.create = fw_cfg_create,
	.destroy = fw_cfg_destroy,
};
