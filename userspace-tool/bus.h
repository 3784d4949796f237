/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bus.h - who answers at an I/O port or at a guest-physical address.
 */
#ifndef MINI_VM_BUS_H
#define MINI_VM_BUS_H

#include "types.h"

/**
 * struct bus_ops - how a device answers on a bus
 * @read:	@offset from the start of the device's range, @bytes 1 to
 *		bus_range.width; returns the value, zero extended
 * @write:	likewise; only the low @bytes of @value count
 */
struct bus_ops {
	u64 (*read)(void *device, u64 offset, unsigned int bytes);
	void (*write)(void *device, u64 offset, unsigned int bytes, u64 value);
};

/**
 * struct bus_range - one claimed stretch of a bus
 * @base:	first address
 * @length:	addresses
 * @name:	shown in statistics
 * @width:	widest access that the device takes, 1, 2, 4 or 8 bytes; the bus
 *		cuts a wider one into bytes, as an ISA bridge does
 * @ops:	NULL: known to be empty, all ones
 * @device:	first argument of @ops
 * @reads:	accesses since the bus was made
 * @writes:	likewise
 */
struct bus_range {
	u64 base;
	u64 length;
	const char *name;
	unsigned int width;
	const struct bus_ops *ops;
	void *device;
	u64 reads;
	u64 writes;
};

#define BUS_MAX_RANGES	32

/**
 * struct bus - an address space of devices
 * @name:		"port" or "MMIO"
 * @size:		addresses in all; accesses never reach beyond
 * @count:		ranges in use
 * @ranges:		sorted by base, never overlapping
 * @unclaimed_reads:	reads that nobody answered
 * @unclaimed_writes:	writes that nobody took
 */
struct bus {
	const char *name;
	u64 size;
	unsigned int count;
	struct bus_range ranges[BUS_MAX_RANGES];
	u64 unclaimed_reads;
	u64 unclaimed_writes;
};

void bus_init(struct bus *bus, const char *name, u64 size);
int bus_add(struct bus *bus, u64 base, u64 length, const char *name,
	    unsigned int width, const struct bus_ops *ops, void *device);
bool bus_claimed(const struct bus *bus, u64 address);
u64 bus_read(struct bus *bus, u64 address, unsigned int bytes);
void bus_write(struct bus *bus, u64 address, unsigned int bytes, u64 value);

#endif /* MINI_VM_BUS_H */
