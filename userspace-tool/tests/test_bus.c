// SPDX-License-Identifier: GPL-2.0-only
/* test_bus.c - who answers at an address, and who does not. */
#include <errno.h>

#include "bus.h"
#include "tap.h"

struct recorder {
	u64 offset;
	unsigned int bytes;
	u64 value;
	unsigned int calls;
};

static u64 record_read(void *device, u64 offset, unsigned int bytes)
{
	struct recorder *recorder = device;

	recorder->offset = offset;
	recorder->bytes = bytes;
	recorder->calls++;
	return 0x1122334455667700ULL + offset;
}

static void record_write(void *device, u64 offset, unsigned int bytes,
			 u64 value)
{
	struct recorder *recorder = device;

	recorder->offset = offset;
	recorder->bytes = bytes;
	recorder->value = value;
	recorder->calls++;
}

static const struct bus_ops ops = { record_read, record_write };

static void test_overlaps(void)
{
	struct recorder r = { 0 };
	struct bus bus;

	bus_init(&bus, "port", 0x10000);
	is(bus_add(&bus, 0x100, 8, "a", 1, &ops, &r), 0, "a free range can be claimed");
	is(bus_add(&bus, 0x107, 1, "b", 1, &ops, &r), -EEXIST,
	   "a range that overlaps the last address is refused");
	is(bus_add(&bus, 0xff, 2, "b", 1, &ops, &r), -EEXIST,
	   "a range that overlaps the first address is refused");
	is(bus_add(&bus, 0xf0, 0x100, "b", 1, &ops, &r), -EEXIST,
	   "a range around another is refused");
	is(bus_add(&bus, 0x102, 1, "b", 1, &ops, &r), -EEXIST,
	   "a range inside another is refused");
	is(bus_add(&bus, 0x108, 8, "b", 1, &ops, &r), 0,
	   "a neighbour above is accepted");
	is(bus_add(&bus, 0xf8, 8, "c", 1, &ops, &r), 0,
	   "a neighbour below is accepted");
	is(bus_add(&bus, 0x200, 0, "d", 1, &ops, &r), -EINVAL,
	   "an empty range is refused");
	is(bus_add(&bus, 0xffff, 2, "d", 1, &ops, &r), -EINVAL,
	   "a range beyond the bus is refused");
	is(bus_add(&bus, ~0ULL, 2, "d", 1, &ops, &r), -EINVAL,
	   "a range that wraps around is refused");
	is(bus_add(&bus, 0x200, 1, "d", 3, &ops, &r), -EINVAL,
	   "a width of three is refused");
}

static void test_unclaimed(void)
{
	struct bus bus;

	bus_init(&bus, "port", 0x10000);
	is(bus_read(&bus, 0x80, 1), 0xff, "an unclaimed byte reads as all ones");
	is(bus_read(&bus, 0x80, 2), 0xffff, "an unclaimed word reads as all ones");
	is(bus_read(&bus, 0x80, 4), 0xffffffff,
	   "an unclaimed doubleword reads as all ones");
	is(bus_read(&bus, 0x80, 8), ~0ULL,
	   "an unclaimed quadword reads as all ones");
	bus_write(&bus, 0x80, 4, 5);
	is(bus.unclaimed_reads, 4, "unclaimed reads are counted");
	is(bus.unclaimed_writes, 1, "unclaimed writes are counted");
	is(bus_add(&bus, 0xcf8, 8, "absent", 4, NULL, NULL), 0,
	   "a range can be empty by design");
	is(bus_read(&bus, 0xcfc, 4), 0xffffffff, "and reads as all ones");
	is(bus.unclaimed_reads, 4, "and is not counted as unclaimed");
	is(bus_read(&bus, 0xffff, 4), 0xffffffff,
	   "an access across the end of the bus reads as all ones");
}

static void test_access(void)
{
	struct recorder narrow = { 0 }, wide = { 0 };
	struct bus bus;

	bus_init(&bus, "port", 0x10000);
	bus_add(&bus, 0x40, 4, "narrow", 1, &ops, &narrow);
	bus_add(&bus, 0x80, 8, "wide", 4, &ops, &wide);

	is(bus_read(&bus, 0x84, 4), 0x55667704,
	   "a wide device gets a wide access, cut to its width");
	is(wide.bytes, 4, "in one piece");
	is(wide.offset, 4, "with the offset in its range");
	is(bus_read(&bus, 0x40, 4), 0x03020100,
	   "a narrow device gets a wide access byte by byte");
	is(narrow.calls, 4, "one call for each byte");
	is(bus_read(&bus, 0x43, 2), 0xff03,
	   "bytes beyond the device are all ones");
	bus_write(&bus, 0x80, 2, 0xaabbccdd);
	is(wide.value, 0xccdd, "a write is cut to its width");
	narrow.calls = 0;
	bus_write(&bus, 0x42, 4, 0x11223344);
	is(narrow.calls, 2, "only the bytes inside the device are written");
	is(narrow.value, 0x33, "and in order");
	is(bus_read(&bus, 0x86, 4) >> 16, 0xffff,
	   "an access across a wide device's end is cut too");
	bus_add(&bus, 0x90, 2, "short", 4, &ops, &wide);
	is(bus_read(&bus, 0x90, 4), 0xffff0100,
	   "an access wider than a whole range is cut");
	ok(bus_claimed(&bus, 0x87) && !bus_claimed(&bus, 0x88),
	   "a range ends where it ends");
}

int main(void)
{
	test_overlaps();
	test_unclaimed();
	test_access();
	return tap_done();
}
