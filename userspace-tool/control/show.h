/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * show.h - what VMs say, as columns for people.
 */
#ifndef MINI_VM_CONTROL_SHOW_H
#define MINI_VM_CONTROL_SHOW_H

#include <jansson.h>

#include "../types.h"

#define SHOW_SIZE	256

void show_text(const json_t *object, const char *key, char out[SHOW_SIZE]);
void show_number(const json_t *object, const char *key, char out[SHOW_SIZE]);
void show_memory(const json_t *object, const char *key, char out[SHOW_SIZE]);
void show_uptime(const json_t *object, const char *key, char out[SHOW_SIZE]);
void show_clean(char *text);

#endif /* MINI_VM_CONTROL_SHOW_H */
