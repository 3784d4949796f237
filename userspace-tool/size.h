/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * size.h - sizes as people write them.
 */
#ifndef MINI_VM_SIZE_H
#define MINI_VM_SIZE_H

#include "types.h"

int size_parse(const char *text, u64 *bytes);

#endif /* MINI_VM_SIZE_H */
