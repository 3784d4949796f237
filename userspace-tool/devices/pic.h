/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pic.h - the pair of 8259A interrupt controllers.
 */
#ifndef MINI_VM_PIC_H
#define MINI_VM_PIC_H

#include "../types.h"

struct pic;

void pic_set_irq(struct pic *pic, unsigned int line, bool level);
bool pic_output(const struct pic *pic);
u8 pic_acknowledge(struct pic *pic);

#endif /* MINI_VM_PIC_H */
