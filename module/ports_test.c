// SPDX-License-Identifier: GPL-2.0-only
/*
 * ports_test.c - which doorbell a write rings, which may stand side by side, and
 * the arithmetic of the ring of posted writes.
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include "ports.h"

extern struct kunit_suite mvm_ports_suite;

/* Any pointers that are told apart. */
static struct eventfd_ctx *eventfd(unsigned long n)
{
	return (struct eventfd_ctx *)(0x1000 + n);
}

static struct mvm_ports *new_ports(struct kunit *test)
{
	struct mvm_ports *ports = kunit_kzalloc(test, sizeof(*ports), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, ports);
	return ports;
}

static struct mvm_doorbell any(u16 port, u8 bytes)
{
	return (struct mvm_doorbell){ .port = port, .bytes = bytes };
}

static struct mvm_doorbell match(u16 port, u8 bytes, u32 data)
{
	return (struct mvm_doorbell){
		.port = port, .bytes = bytes, .data = data, .flags = MVM_DOORBELL_MATCH,
	};
}

static int add(struct mvm_ports *ports, struct mvm_doorbell args, unsigned long n)
{
	return ports_add_doorbell(ports, &args, eventfd(n));
}

static bool take_out(struct mvm_ports *ports, struct mvm_doorbell args)
{
	struct port_doorbell *doorbell = ports_unlink_doorbell(ports, &args);

	if (doorbell)
		doorbell->eventfd = NULL;
	return doorbell;
}

/* Which one a write rings; 0: none. */
static unsigned long rings(struct mvm_ports *ports, u16 port, u8 bytes, u32 data)
{
	const struct port_doorbell *found =
		ports_find_doorbell(ports, ports->use[port], bytes, data);

	return found ? (unsigned long)found->eventfd - 0x1000 : 0;
}

static void doorbells_have_widths_and_values(struct kunit *test)
{
	struct mvm_doorbell args;
	u32 bytes, i;

	for (bytes = 0; bytes < 256; bytes++) {
		bool known = bytes == 0 || bytes == 1 || bytes == 2 || bytes == 4;

		args = any(0x10, bytes);
		KUNIT_EXPECT_EQ_MSG(test, ports_doorbell_valid(&args), known, "%u", bytes);
	}
	args = match(0x10, 1, 0xff);
	KUNIT_EXPECT_TRUE(test, ports_doorbell_valid(&args));
	args = match(0x10, 1, 0x100);
	KUNIT_EXPECT_FALSE(test, ports_doorbell_valid(&args));
	args = match(0x10, 2, 0xffff);
	KUNIT_EXPECT_TRUE(test, ports_doorbell_valid(&args));
	args = match(0x10, 2, 0x10000);
	KUNIT_EXPECT_FALSE(test, ports_doorbell_valid(&args));
	args = match(0x10, 4, ~0U);
	KUNIT_EXPECT_TRUE(test, ports_doorbell_valid(&args));
	args = match(0x10, 0, ~0U);
	KUNIT_EXPECT_TRUE(test, ports_doorbell_valid(&args));
	args = any(0x10, 4);
	args.data = 1;
	KUNIT_EXPECT_FALSE(test, ports_doorbell_valid(&args));
	for (i = 0; i < ARRAY_SIZE(args.reserved); i++) {
		args = any(0x10, 4);
		args.reserved[i] = 1;
		KUNIT_EXPECT_FALSE_MSG(test, ports_doorbell_valid(&args), "%u", i);
	}
}

static void a_write_rings_the_doorbell_of_its_port_width_and_value(struct kunit *test)
{
	struct mvm_ports *ports = new_ports(test);

	KUNIT_EXPECT_EQ(test, add(ports, any(0x10, 0), 1), 0);
	KUNIT_EXPECT_EQ(test, add(ports, any(0x20, 2), 2), 0);
	KUNIT_EXPECT_EQ(test, add(ports, match(0x30, 0, 7), 3), 0);
	KUNIT_EXPECT_EQ(test, add(ports, match(0x30, 1, 8), 4), 0);
	KUNIT_EXPECT_EQ(test, add(ports, match(0x30, 4, 8), 5), 0);
	KUNIT_EXPECT_EQ(test, add(ports, any(0xffff, 1), 6), 0);

	KUNIT_EXPECT_EQ(test, rings(ports, 0x10, 1, 0), 1);
	KUNIT_EXPECT_EQ(test, rings(ports, 0x10, 2, 99), 1);
	KUNIT_EXPECT_EQ(test, rings(ports, 0x10, 4, ~0U), 1);
	KUNIT_EXPECT_EQ(test, rings(ports, 0x0f, 4, 0), 0);
	KUNIT_EXPECT_EQ(test, rings(ports, 0x11, 1, 0), 0);
	KUNIT_EXPECT_EQ(test, rings(ports, 0x20, 2, 5), 2);
	KUNIT_EXPECT_EQ(test, rings(ports, 0x20, 1, 5), 0);
	KUNIT_EXPECT_EQ(test, rings(ports, 0x20, 4, 5), 0);
	KUNIT_EXPECT_EQ(test, rings(ports, 0x30, 1, 7), 3);
	KUNIT_EXPECT_EQ(test, rings(ports, 0x30, 4, 7), 3);
	KUNIT_EXPECT_EQ(test, rings(ports, 0x30, 1, 8), 4);
	KUNIT_EXPECT_EQ(test, rings(ports, 0x30, 4, 8), 5);
	KUNIT_EXPECT_EQ(test, rings(ports, 0x30, 2, 8), 0);
	KUNIT_EXPECT_EQ(test, rings(ports, 0x30, 1, 9), 0);
	KUNIT_EXPECT_EQ(test, rings(ports, 0xffff, 1, 9), 6);
}

static void no_write_rings_two_doorbells(struct kunit *test)
{
	static const u8 widths[] = { 0, 1, 2, 4 };
	unsigned int i, k;

	for (i = 0; i < 8; i++) {
		for (k = 0; k < 8; k++) {
			struct mvm_ports *ports = new_ports(test);
			u8 a = widths[i & 3], b = widths[k & 3];
			bool clash = !a || !b || a == b;

			KUNIT_EXPECT_EQ(test, add(ports, i & 4 ? match(5, a, 3) : any(5, a), 1), 0);
			KUNIT_EXPECT_EQ_MSG(test, add(ports, k & 4 ? match(5, b, 3) : any(5, b), 2),
					    clash ? -EEXIST : 0, "%u %u", i, k);
			/* another value clashes only with one that has none */
			if (k & 4)
				KUNIT_EXPECT_EQ_MSG(test, add(ports, match(5, b, 4), 3),
						    clash && !(i & 4) ? -EEXIST : 0, "%u %u", i, k);
			KUNIT_EXPECT_EQ(test, add(ports, any(6, a), 4), 0);
			kunit_kfree(test, ports);
		}
	}
}

static void a_doorbell_that_was_removed_is_not_rung(struct kunit *test)
{
	struct mvm_ports *ports = new_ports(test);
	unsigned int out, i;

	/* first, middle and last of a port's */
	for (out = 1; out <= 3; out++) {
		for (i = 1; i <= 3; i++)
			KUNIT_EXPECT_EQ(test, add(ports, match(9, 1, i), i), 0);
		KUNIT_EXPECT_FALSE(test, take_out(ports, match(9, 2, out)));
		KUNIT_EXPECT_FALSE(test, take_out(ports, match(8, 1, out)));
		KUNIT_EXPECT_FALSE(test, take_out(ports, match(9, 1, 4)));
		KUNIT_EXPECT_FALSE(test, take_out(ports, any(9, 1)));
		KUNIT_EXPECT_TRUE(test, take_out(ports, match(9, 1, out)));
		KUNIT_EXPECT_FALSE(test, take_out(ports, match(9, 1, out)));
		for (i = 1; i <= 3; i++)
			KUNIT_EXPECT_EQ(test, rings(ports, 9, 1, i), i == out ? 0 : i);
		for (i = 1; i <= 3; i++)
			take_out(ports, match(9, 1, i));
		KUNIT_EXPECT_EQ(test, ports->use[9], PORT_EXITS);
	}
	/* a value of 0 is a value */
	KUNIT_EXPECT_EQ(test, add(ports, match(9, 1, 0), 1), 0);
	KUNIT_EXPECT_FALSE(test, take_out(ports, any(9, 1)));
	KUNIT_EXPECT_TRUE(test, take_out(ports, match(9, 1, 0)));
}

static void doorbells_are_counted(struct kunit *test)
{
	struct mvm_ports *ports = new_ports(test);
	unsigned int i;

	for (i = 1; i <= MVM_MAX_DOORBELLS; i++)
		KUNIT_EXPECT_EQ(test, add(ports, match(i % 3, 4, i), i), 0);
	KUNIT_EXPECT_EQ(test, add(ports, any(7, 4), i), -ENOSPC);
	for (i = 1; i <= MVM_MAX_DOORBELLS; i++)
		KUNIT_EXPECT_EQ(test, rings(ports, i % 3, 4, i), i);
	/* one that is unlinked, but may still be in use, is not taken */
	{
		struct mvm_doorbell args = match(1, 4, 1);
		struct port_doorbell *old = ports_unlink_doorbell(ports, &args);

		KUNIT_ASSERT_NOT_NULL(test, old);
		KUNIT_EXPECT_EQ(test, add(ports, any(7, 4), 200), -ENOSPC);
		old->eventfd = NULL;
		KUNIT_EXPECT_EQ(test, add(ports, any(7, 4), 200), 0);
	}
	KUNIT_EXPECT_EQ(test, rings(ports, 7, 4, 0), 200);
	for (i = 2; i <= MVM_MAX_DOORBELLS; i++)
		KUNIT_EXPECT_EQ(test, rings(ports, i % 3, 4, i), i);
}

static void ports_are_posted_in_ranges(struct kunit *test)
{
	struct mvm_ports *ports = new_ports(test);

	KUNIT_EXPECT_EQ(test, ports_set_posted(ports, 0x3f8, 8, true), 0);
	KUNIT_EXPECT_EQ(test, ports->use[0x3f7], PORT_EXITS);
	KUNIT_EXPECT_EQ(test, ports->use[0x3f8], PORT_POSTED);
	KUNIT_EXPECT_EQ(test, ports->use[0x3ff], PORT_POSTED);
	KUNIT_EXPECT_EQ(test, ports->use[0x400], PORT_EXITS);
	/* all or nothing */
	KUNIT_EXPECT_EQ(test, ports_set_posted(ports, 0x3f0, 9, true), -EEXIST);
	KUNIT_EXPECT_EQ(test, ports->use[0x3f0], PORT_EXITS);
	KUNIT_EXPECT_EQ(test, ports_set_posted(ports, 0x3f8, 9, false), -ENOENT);
	KUNIT_EXPECT_EQ(test, ports->use[0x3f8], PORT_POSTED);
	/* a port is one thing */
	KUNIT_EXPECT_EQ(test, add(ports, any(0x3f9, 1), 1), -EEXIST);
	KUNIT_EXPECT_FALSE(test, take_out(ports, any(0x3f9, 1)));
	KUNIT_EXPECT_EQ(test, add(ports, any(0x100, 1), 1), 0);
	KUNIT_EXPECT_EQ(test, ports_set_posted(ports, 0x100, 1, true), -EEXIST);
	KUNIT_EXPECT_EQ(test, ports_set_posted(ports, 0x100, 1, false), -ENOENT);
	KUNIT_EXPECT_EQ(test, rings(ports, 0x100, 1, 0), 1);

	KUNIT_EXPECT_EQ(test, ports_set_posted(ports, 0x3fa, 1, false), 0);
	KUNIT_EXPECT_EQ(test, ports->use[0x3fa], PORT_EXITS);
	KUNIT_EXPECT_EQ(test, ports->use[0x3fb], PORT_POSTED);
	KUNIT_EXPECT_EQ(test, ports_set_posted(ports, 0xffff, 1, true), 0);
	KUNIT_EXPECT_EQ(test, ports->use[0xffff], PORT_POSTED);
}

static struct mvm_posted_write numbered(u32 n)
{
	return (struct mvm_posted_write){ .port = n, .bytes = 4, .data = n };
}

static void the_ring_keeps_order_and_is_full_at_its_size(struct kunit *test)
{
	/* guards behind it and before it */
	u8 *page = kunit_kzalloc(test, 3 * sizeof(struct mvm_ring), GFP_KERNEL);
	struct mvm_ring *ring = (void *)(page + sizeof(*ring));
	static const u32 starts[] = { 0, 1, MVM_RING_ENTRIES - 1, U32_MAX - 3 };
	u32 head, i, k;

	KUNIT_ASSERT_NOT_NULL(test, page);
	memset(page, 0x5a, 3 * sizeof(*ring));
	for (i = 0; i < ARRAY_SIZE(starts); i++) {
		head = starts[i];
		ring->head = head;
		ring->tail = head;
		for (k = 0; k < MVM_RING_ENTRIES; k++)
			KUNIT_EXPECT_TRUE(test, ring_post(ring, &head, numbered(k)));
		KUNIT_EXPECT_FALSE(test, ring_post(ring, &head, numbered(999)));
		KUNIT_EXPECT_EQ(test, head, starts[i] + MVM_RING_ENTRIES);
		KUNIT_EXPECT_EQ(test, ring->head, head);
		for (k = 0; k < MVM_RING_ENTRIES; k++)
			KUNIT_EXPECT_EQ(test, k,
					ring->entries[(starts[i] + k) % MVM_RING_ENTRIES].data);
		/* one taken, one more goes in, in its place */
		ring->tail++;
		KUNIT_EXPECT_TRUE(test, ring_post(ring, &head, numbered(1000)));
		KUNIT_EXPECT_FALSE(test, ring_post(ring, &head, numbered(1001)));
		KUNIT_EXPECT_EQ(test, ring->entries[starts[i] % MVM_RING_ENTRIES].data, 1000);
	}
	for (i = 0; i < sizeof(*ring); i++)
		KUNIT_ASSERT_TRUE(test, page[i] == 0x5a && page[2 * sizeof(*ring) + i] == 0x5a);
}

static void a_tail_that_is_no_tail_looks_like_a_full_ring(struct kunit *test)
{
	struct mvm_ring *ring = kunit_kzalloc(test, sizeof(*ring), GFP_KERNEL);
	static const u32 wrong[] = { 1, 2, 1000, 0x7fffffff, 0x80000000,
				     (u32)-MVM_RING_ENTRIES, (u32)-MVM_RING_ENTRIES - 1 };
	u32 head = 0, i;

	KUNIT_ASSERT_NOT_NULL(test, ring);
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		ring->tail = wrong[i];
		KUNIT_EXPECT_FALSE_MSG(test, ring_post(ring, &head, numbered(i)), "0x%x", wrong[i]);
		KUNIT_EXPECT_EQ(test, head, 0);
	}
	/* what user space makes of the head does not count */
	ring->tail = 0;
	ring->head = 0x12345678;
	KUNIT_EXPECT_TRUE(test, ring_post(ring, &head, numbered(77)));
	KUNIT_EXPECT_EQ(test, head, 1);
	KUNIT_EXPECT_EQ(test, ring->head, 1);
	KUNIT_EXPECT_EQ(test, ring->entries[0].data, 77);
}

static struct kunit_case ports_cases[] = {
	KUNIT_CASE(doorbells_have_widths_and_values),
	KUNIT_CASE(a_write_rings_the_doorbell_of_its_port_width_and_value),
	KUNIT_CASE(no_write_rings_two_doorbells),
	KUNIT_CASE(a_doorbell_that_was_removed_is_not_rung),
	KUNIT_CASE(doorbells_are_counted),
	KUNIT_CASE(ports_are_posted_in_ranges),
	KUNIT_CASE(the_ring_keeps_order_and_is_full_at_its_size),
	KUNIT_CASE(a_tail_that_is_no_tail_looks_like_a_full_ring),
	{}
};

struct kunit_suite mvm_ports_suite = {
	.name = "mvm_ports",
	.test_cases = ports_cases,
};
