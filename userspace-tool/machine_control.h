/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * machine_control.h - a machine and its control socket.
 */
#ifndef MINI_VM_MACHINE_CONTROL_H
#define MINI_VM_MACHINE_CONTROL_H

struct machine;

int machine_open_control(struct machine *machine);

#endif /* MINI_VM_MACHINE_CONTROL_H */
