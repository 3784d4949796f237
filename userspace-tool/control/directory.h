/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * directory.h - where the control sockets of a user's VMs are.
 */
#ifndef MINI_VM_CONTROL_DIRECTORY_H
#define MINI_VM_CONTROL_DIRECTORY_H

#include <sys/un.h>

#include "../name.h"
#include "../types.h"

#define CONTROL_SUFFIX		".sock"
/* what is left of a socket's address for the folder */
#define CONTROL_PATH_MAX	(sizeof(((struct sockaddr_un *)0)->sun_path) - \
				 sizeof("/" CONTROL_SUFFIX) - NAME_MAX_LENGTH)
/* VMs of one user that "ps" shows */
#define CONTROL_NAMES_MAX	1024

int control_path(char path[CONTROL_PATH_MAX + 1]);
int control_directory(bool create, char path[CONTROL_PATH_MAX + 1]);
void control_address(const char *path, const char *name,
		     struct sockaddr_un *address);
int control_names(char (**names)[NAME_MAX_LENGTH + 1], size_t *count);

#endif /* MINI_VM_CONTROL_DIRECTORY_H */
