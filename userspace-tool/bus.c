// SPDX-License-Identifier: GPL-2.0-only
/*
 * bus.c - finds the device behind a port or an address.
 *
 * Devices claim ranges when they are created; vcpu.c and mmio.c bring the
 * guest's accesses.  What nobody claims reads as all ones, as on a real board,
 * and is counted.
 */
#include <errno.h>
#include <string.h>

#include "bus.h"

static u64 ones(unsigned int bytes)
{
	return bytes >= 8 ? ~0ULL : BIT_ULL(8 * bytes) - 1;
}

/**
 * bus_init() - make an empty bus
 * @bus: to initialise
 * @name: for messages; must outlive the bus
 * @size: number of addresses, 0 for all of 2^64
 */
void bus_init(struct bus *bus, const char *name, u64 size)
{
	memset(bus, 0, sizeof(*bus));
	bus->name = name;
	bus->size = size;
}

/**
 * bus_add() - claim a range
 * @bus: the bus
 * @base: first address
 * @length: addresses
 * @name: for statistics; must outlive the bus
 * @width: widest access the device takes in one piece: 1, 2, 4 or 8 bytes
 * @ops: the device's answers, or NULL for a range that is empty by design
 * @device: passed to @ops
 *
 * Return: 0, -EINVAL (empty, wraps around, beyond the bus, bad width), -EEXIST
 * (overlaps a claimed range) or -ENOSPC.
 */
int bus_add(struct bus *bus, u64 base, u64 length, const char *name,
	    unsigned int width, const struct bus_ops *ops, void *device)
{
	unsigned int i;
	u64 last = base + length - 1;

	if (!length || last < base || (bus->size && last >= bus->size))
		return -EINVAL;
	if (width != 1 && width != 2 && width != 4 && width != 8)
		return -EINVAL;

	/* i becomes the first range that ends at or after our base */
	for (i = 0; i < bus->count; i++)
		if (bus->ranges[i].base + bus->ranges[i].length - 1 >= base)
			break;
	if (i < bus->count && bus->ranges[i].base <= last)
		return -EEXIST;
	if (bus->count == BUS_MAX_RANGES)
		return -ENOSPC;

	memmove(&bus->ranges[i + 1], &bus->ranges[i],
		(bus->count - i) * sizeof(bus->ranges[0]));
	bus->ranges[i] = (struct bus_range) {
		.base = base,
		.length = length,
		.name = name,
		.width = width,
		.ops = ops,
		.device = device,
	};
	bus->count++;
	return 0;
}

static const struct bus_range *find(const struct bus *bus, u64 address)
{
	unsigned int low = 0, high = bus->count;

	while (low < high) {
		unsigned int middle = (low + high) / 2;
		const struct bus_range *range = &bus->ranges[middle];

		if (address < range->base)
			high = middle;
		else if (address - range->base >= range->length)
			low = middle + 1;
		else
			return range;
	}
	return NULL;
}

/*
 * The range that takes the whole access in one piece, or NULL: nobody there, or
 * the access has to be cut into bytes.
 */
static struct bus_range *find_whole(struct bus *bus, u64 address,
				    unsigned int bytes)
{
	struct bus_range *range = (struct bus_range *)find(bus, address);

	if (!range || bytes > range->width || bytes > range->length ||
	    address - range->base > range->length - bytes)
		return NULL;
	return range;
}

/**
 * bus_claimed() - does a device answer at an address?
 * @bus: the bus
 * @address: port or GPA
 *
 * Return: true when one does.
 */
bool bus_claimed(const struct bus *bus, u64 address)
{
	const struct bus_range *range = find(bus, address);

	return range && range->ops;
}

/* Does any byte of an access that cannot go in one piece have an owner? */
static bool partly_claimed(const struct bus *bus, u64 address,
			   unsigned int bytes)
{
	unsigned int i;

	for (i = 0; i < bytes; i++)
		if (bus_claimed(bus, address + i))
			return true;
	return false;
}

/**
 * bus_read() - read from whatever is at an address
 * @bus: the bus
 * @address: port or GPA
 * @bytes: 1, 2, 4 or 8
 *
 * Return: the value, zero extended; all ones where nobody answers.
 */
u64 bus_read(struct bus *bus, u64 address, unsigned int bytes)
{
	struct bus_range *range = find_whole(bus, address, bytes);
	unsigned int i;
	u64 value = 0;

	if (range && range->ops) {
		range->reads++;
		return range->ops->read(range->device, address - range->base,
					bytes) & ones(bytes);
	}
	if (bytes == 1 || !partly_claimed(bus, address, bytes)) {
		if (range)
			range->reads++;
		else
			bus->unclaimed_reads++;
		return ones(bytes);
	}
	for (i = 0; i < bytes; i++)
		value |= bus_read(bus, address + i, 1) << (8 * i);
	return value;
}

/**
 * bus_write() - write to whatever is at an address
 * @bus: the bus
 * @address: port or GPA
 * @bytes: 1, 2, 4 or 8
 * @value: only the low @bytes count; dropped where nobody is
 */
void bus_write(struct bus *bus, u64 address, unsigned int bytes, u64 value)
{
	struct bus_range *range = find_whole(bus, address, bytes);
	unsigned int i;

	if (range && range->ops) {
		range->writes++;
		range->ops->write(range->device, address - range->base, bytes,
				  value & ones(bytes));
		return;
	}
	if (bytes == 1 || !partly_claimed(bus, address, bytes)) {
		if (range)
			range->writes++;
		else
			bus->unclaimed_writes++;
		return;
	}
	for (i = 0; i < bytes; i++)
		bus_write(bus, address + i, 1, (value >> (8 * i)) & 0xff);
}
