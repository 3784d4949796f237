/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pin.h - on which of the host's CPUs vCPUs run (--pin).
 */
#ifndef MINI_VM_PIN_H
#define MINI_VM_PIN_H

#include "types.h"

/* host CPUs that a list can name, more than Linux can have */
#define PIN_CPUS_MAX	8192
#define PIN_LIST_MAX	64

/**
 * struct pin_list - host CPUs, one for each vCPU, then again from the first
 * @count:	how many; 0: vCPUs run wherever this process may
 * @cpus:	their numbers
 */
struct pin_list {
	unsigned int count;
	u16 cpus[PIN_LIST_MAX];
};

/**
 * struct pin_mask - a set of host CPUs, as the kernel has it
 * @bytes:	how many of @bits count
 * @bits:	a bit each
 */
struct pin_mask {
	size_t bytes;
	unsigned long bits[PIN_CPUS_MAX / (8 * sizeof(unsigned long))];
};

const char *pin_parse(const char *text, struct pin_list *list);
int pin_save(struct pin_mask *mask);
int pin_restore(const struct pin_mask *mask);
int pin_set(const struct pin_list *list, unsigned int vcpu);

#endif /* MINI_VM_PIN_H */
