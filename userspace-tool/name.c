// SPDX-License-Identifier: GPL-2.0-only
/*
 * name.c - names of VMs: they become names of threads and of sockets.
 */
#include <string.h>

#include "name.h"

static bool allowed(char c)
{
	return c >= 0x21 && c <= 0x7e && c != '/';
}

/**
 * name_valid() - can a VM be called so?
 * @name: the name
 *
 * Return: true for 1 to NAME_MAX_LENGTH printable ASCII characters without
 * space and '/'.
 */
bool name_valid(const char *name)
{
	size_t i;

	for (i = 0; name[i]; i++)
		if (i == NAME_MAX_LENGTH || !allowed(name[i]))
			return false;
	return i;
}

/**
 * name_from_path() - a name made of an image's, with what is not allowed left out
 * @path: of the image
 * @name: out
 */
void name_from_path(const char *path, char name[NAME_MAX_LENGTH + 1])
{
	const char *base = strrchr(path, '/');
	size_t used = 0;

	for (base = base ? base + 1 : path; *base; base++)
		if (allowed(*base) && used < NAME_MAX_LENGTH)
			name[used++] = *base;
	name[used] = '\0';
	if (!used)
		strcpy(name, "guest");
}
