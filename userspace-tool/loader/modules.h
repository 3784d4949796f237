/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * modules.h - opening files that a guest is given; between image.c and
 * modules.c.
 */
#ifndef MINI_VM_LOADER_MODULES_H
#define MINI_VM_LOADER_MODULES_H

#include "loader.h"

int modules_open(struct boot_files *files);
void modules_close(struct boot_files *files);

/* image.c */
int open_file(const char *path, const char *what, bool may_be_empty, int *fd,
	      u64 *size);

#endif /* MINI_VM_LOADER_MODULES_H */
