/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fw_cfg_items.h - the files that --fw-cfg gives to a guest.
 */
#ifndef MINI_VM_FW_CFG_ITEMS_H
#define MINI_VM_FW_CFG_ITEMS_H

#include "types.h"

/* a name in fw_cfg's directory, with its NUL */
#define FW_CFG_NAME_MAX		56
#define FW_CFG_ITEMS_MAX	32
#define FW_CFG_ITEM_BYTES_MAX	(64 * MIB)

/**
 * struct fw_cfg_item - one file
 * @name:	its name in the guest
 * @path:	file with the content, until fw_cfg_items_load(); NULL: none
 * @data:	content
 * @size:	bytes
 */
struct fw_cfg_item {
	char name[FW_CFG_NAME_MAX];
	char *path;
	u8 *data;
	u32 size;
};

/**
 * struct fw_cfg_items - all of them
 * @count:	how many
 * @items:	in the order given
 */
struct fw_cfg_items {
	unsigned int count;
	struct fw_cfg_item items[FW_CFG_ITEMS_MAX];
};

const char *fw_cfg_items_add(struct fw_cfg_items *items, const char *text);
int fw_cfg_items_load(struct fw_cfg_items *items);
void fw_cfg_items_free(struct fw_cfg_items *items);

#endif /* MINI_VM_FW_CFG_ITEMS_H */
