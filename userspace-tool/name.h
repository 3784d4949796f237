/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * name.h - what a VM may be called.
 */
#ifndef MINI_VM_NAME_H
#define MINI_VM_NAME_H

#include "types.h"

/* the module's limit, struct mvm_create_vm */
#define NAME_MAX_LENGTH	31

bool name_valid(const char *name);
void name_from_path(const char *path, char name[NAME_MAX_LENGTH + 1]);

#endif /* MINI_VM_NAME_H */
