// SPDX-License-Identifier: GPL-2.0-only
/*
 * modules.c - the modules of a Multiboot image: from the command line's words
 * to open files.  Called by image.c.
 *
 * A module is written as "FILE[ STRING]"; the image is given all of it.  Also
 * --initrd names modules, separated by commas (two commas are one that does not
 * separate), because QEMU's -initrd does.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../report.h"
#include "loader.h"
#include "modules.h"

static int no_memory(void)
{
	report_error("out of memory");
	return STATUS_RESOURCE;
}

/* @string is from malloc() and becomes the module's. */
static int add(struct boot_files *files, char *string)
{
	struct boot_module *module;
	size_t name;

	if (files->module_count == BOOT_MODULES_MAX) {
		report_error("a guest can have %d modules at most",
			     BOOT_MODULES_MAX);
		free(string);
		return STATUS_USAGE;
	}
	module = &files->modules[files->module_count++];
	module->string = string;
	module->fd = -1;
	name = strcspn(string, " ");
	if (!name) {
		report_error("a module needs a file: write --module FILE or --module 'FILE STRING'");
		return STATUS_USAGE;
	}
	module->path = strndup(string, name);
	if (!module->path)
		return no_memory();
	return open_file(module->path, "module", true, &module->fd,
			 &module->size);
}

/* The part of a list up to its comma, which @list is moved behind. */
static char *next_part(const char **list)
{
	const char *from = *list + strspn(*list, " ");
	char *part = malloc(strlen(from) + 1), *to = part;

	if (!part)
		return NULL;
	for (; *from; *to++ = *from++) {
		if (*from != ',')
			continue;
		if (*++from != ',')
			break;
	}
	*to = '\0';
	*list = from;
	return part;
}

static int open_list(struct boot_files *files)
{
	const char *list = files->initrd_path;
	int status;

	do {
		char *part = next_part(&list);

		status = part ? add(files, part) : no_memory();
	} while (status == STATUS_OK && *list);
	return status;
}

/**
 * modules_open() - open the modules that the user named
 * @files: a Multiboot image's; @files->modules is filled in
 *
 * Return: STATUS_OK, or another status after a report; modules_close() is due
 * in either case.
 */
int modules_open(struct boot_files *files)
{
	unsigned int i;
	int status = STATUS_OK;

	if (files->initrd_path && files->module_args) {
		report_error("%s: name the modules with --module or with --initrd, not with both",
			     files->image_path);
		return STATUS_USAGE;
	}
	if (files->initrd_path)
		return open_list(files);
	for (i = 0; i < files->module_args && status == STATUS_OK; i++) {
		const char *argument = files->module_arg[i];
		char *string = strdup(argument + strspn(argument, " "));

		status = string ? add(files, string) : no_memory();
	}
	return status;
}

/**
 * modules_close() - close what modules_open() has opened
 * @files: the files
 */
void modules_close(struct boot_files *files)
{
	while (files->module_count) {
		struct boot_module *module =
			&files->modules[--files->module_count];

		if (module->fd >= 0)
			close(module->fd);
		free(module->path);
		free(module->string);
		memset(module, 0, sizeof(*module));
	}
}
