// SPDX-License-Identifier: GPL-2.0-only
/*
 * fw_cfg_items.c - parses --fw-cfg and reads its files, before the guest runs.
 *
 * The text is QEMU's: [name=]NAME,file=FILE or [name=]NAME,string=STRING; a
 * comma inside a value is written twice.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fw_cfg_items.h"
#include "report.h"

/* The next value of @text, its double commas halved; NULL: no memory. */
static char *take_value(const char **text)
{
	char *value = malloc(strlen(*text) + 1);
	size_t used = 0;
	const char *at = *text;

	if (!value)
		return NULL;
	for (; *at; at++) {
		if (*at == ',') {
			if (at[1] != ',')
				break;
			at++;
		}
		value[used++] = *at;
	}
	value[used] = '\0';
	*text = *at ? at + 1 : at;
	return value;
}

static bool skip(const char **text, const char *prefix)
{
	size_t length = strlen(prefix);

	if (strncmp(*text, prefix, length))
		return false;
	*text += length;
	return true;
}

static const char *check_name(const struct fw_cfg_items *items, const char *name)
{
	unsigned int i;
	size_t at;

	if (!*name)
		return "the name is empty";
	if (strlen(name) >= FW_CFG_NAME_MAX)
		return "the name has more than 55 characters";
	for (at = 0; name[at]; at++)
		if (name[at] < 0x21 || name[at] > 0x7e)
			return "a name has printable characters without spaces only";
	if (!strncmp(name, "etc/", 4) || !strncmp(name, "opt/mini-vm/", 12))
		return "names that begin with etc/ or opt/mini-vm/ are mini-vm's own; use opt/NAME";
	for (i = 0; i < items->count; i++)
		if (!strcmp(items->items[i].name, name))
			return "the name is there twice";
	return NULL;
}

static const char *parse(struct fw_cfg_items *items, struct fw_cfg_item *item, const char *text)
{
	const char *wrong;
	char *name;

	skip(&text, "name=");
	name = take_value(&text);
	if (!name)
		return "out of memory";
	wrong = check_name(items, name);
	if (!wrong)
		strcpy(item->name, name);
	free(name);
	if (wrong)
		return wrong;

	if (skip(&text, "file=")) {
		item->path = take_value(&text);
		if (!item->path)
			return "out of memory";
		if (!*item->path)
			return "the file has no name";
	} else if (skip(&text, "string=")) {
		item->data = (u8 *)take_value(&text);
		if (!item->data)
			return "out of memory";
		/* as in QEMU, without the NUL */
		item->size = (u32)strlen((char *)item->data);
	} else {
		return "write name=NAME,file=FILE or name=NAME,string=STRING";
	}
	return *text ? "there is something behind the value; write a comma in it twice" : NULL;
}

/**
 * fw_cfg_items_add() - take one --fw-cfg
 * @items: gets one more
 * @text: the option's argument
 *
 * Return: NULL, or what is wrong with it, part of a sentence.
 */
const char *fw_cfg_items_add(struct fw_cfg_items *items, const char *text)
{
	struct fw_cfg_item item = { .path = NULL };
	const char *wrong;

	if (items->count == FW_CFG_ITEMS_MAX)
		return "there are too many; 32 are allowed";
	wrong = parse(items, &item, text);
	if (wrong) {
		free(item.path);
		free(item.data);
		return wrong;
	}
	items->items[items->count++] = item;
	return NULL;
}

static int read_all(struct fw_cfg_item *item, int fd)
{
	size_t room = 0, used = 0;

	for (;;) {
		ssize_t got;

		if (used == room) {
			u8 *more;

			room = room ? 2 * room : 4096;
			more = realloc(item->data, room);
			if (!more)
				return -ENOMEM;
			item->data = more;
		}
		got = read(fd, item->data + used, room - used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			break;
		used += (size_t)got;
		if (used > FW_CFG_ITEM_BYTES_MAX)
			return -EFBIG;
	}
	item->size = (u32)used;
	return 0;
}

/**
 * fw_cfg_items_load() - read the files that were named
 * @items: parsed
 *
 * Return: STATUS_OK, or STATUS_RESOURCE after a report.
 */
int fw_cfg_items_load(struct fw_cfg_items *items)
{
	unsigned int i;

	for (i = 0; i < items->count; i++) {
		struct fw_cfg_item *item = &items->items[i];
		int fd, error;

		if (!item->path)
			continue;
		fd = open(item->path, O_RDONLY | O_CLOEXEC);
		error = fd < 0 ? -errno : read_all(item, fd);
		if (fd >= 0)
			close(fd);
		if (error == -EFBIG)
			report_error("%s: too big for --fw-cfg, which takes %llu MiB at most",
				     item->path, FW_CFG_ITEM_BYTES_MAX / MIB);
		else if (error)
			report_error("%s: cannot read it for --fw-cfg: %s", item->path,
				     strerror(-error));
		if (error)
			return STATUS_RESOURCE;
	}
	return STATUS_OK;
}

/**
 * fw_cfg_items_free() - free all contents
 * @items: parsed or loaded
 */
void fw_cfg_items_free(struct fw_cfg_items *items)
{
	while (items->count) {
		struct fw_cfg_item *item = &items->items[--items->count];

		free(item->path);
		free(item->data);
	}
}
