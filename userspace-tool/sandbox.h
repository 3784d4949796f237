/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sandbox.h - giving up what the event loop does not need.
 */
#ifndef MINI_VM_SANDBOX_H
#define MINI_VM_SANDBOX_H

int sandbox_enter(void);

#endif /* MINI_VM_SANDBOX_H */
