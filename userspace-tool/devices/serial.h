/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * serial.h - the first serial port, as the terminal sees it.
 */
#ifndef MINI_VM_SERIAL_H
#define MINI_VM_SERIAL_H

#include "../types.h"

struct serial;

size_t serial_room(const struct serial *serial);
void serial_receive(struct serial *serial, const u8 *bytes, size_t count);
void serial_break(struct serial *serial);

#endif /* MINI_VM_SERIAL_H */
