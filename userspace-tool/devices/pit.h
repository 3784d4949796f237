/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pit.h - the clock of the 8254: 14.31818 MHz divided by 12.
 */
#ifndef MINI_VM_PIT_H
#define MINI_VM_PIT_H

#define PIT_HZ	1193182ULL

#endif /* MINI_VM_PIT_H */
