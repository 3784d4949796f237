// SPDX-License-Identifier: GPL-2.0-only
/*
 * ports.c - which ports have doorbells, whose writes are posted, and the ring of
 * posted writes.  See ports.h; called by doorbell.c.
 */
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/string.h>
#include <asm/barrier.h>
#include "ports.h"

/**
 * ports_doorbell_valid() - can there be such a doorbell?
 * @args: from user space
 */
bool ports_doorbell_valid(const struct mvm_doorbell *args)
{
	u32 values = args->bytes == 1 ? 0xff : args->bytes == 2 ? 0xffff : ~0U;

	if (args->bytes > 4 || args->bytes == 3 ||
	    memchr_inv(args->reserved, 0, sizeof(args->reserved)))
		return false;
	return args->flags & MVM_DOORBELL_MATCH ? args->data <= values : !args->data;
}

/* Would some write ring both? */
static bool overlaps(const struct port_doorbell *doorbell, const struct mvm_doorbell *args)
{
	if (doorbell->bytes && args->bytes && doorbell->bytes != args->bytes)
		return false;
	return !doorbell->match || !(args->flags & MVM_DOORBELL_MATCH) ||
	       doorbell->data == args->data;
}

/**
 * ports_add_doorbell() - add a doorbell
 * @ports: no other change is under way; others may read
 * @args: valid
 * @eventfd: not NULL
 *
 * Return: 0, -EEXIST (a write would ring two, or the port is posted) or -ENOSPC.
 */
int ports_add_doorbell(struct mvm_ports *ports, const struct mvm_doorbell *args,
		       struct eventfd_ctx *eventfd)
{
	u8 first = ports->use[args->port], i;

	if (first == PORT_POSTED)
		return -EEXIST;
	for (i = first; i; i = ports->doorbells[i].next)
		if (overlaps(&ports->doorbells[i], args))
			return -EEXIST;
	for (i = 1; i <= MVM_MAX_DOORBELLS; i++)
		if (!ports->doorbells[i].eventfd)
			break;
	if (i > MVM_MAX_DOORBELLS)
		return -ENOSPC;
	ports->doorbells[i] = (struct port_doorbell){
		.eventfd = eventfd, .port = args->port, .bytes = args->bytes, .data = args->data,
		.match = args->flags & MVM_DOORBELL_MATCH, .next = first,
	};
	smp_store_release(&ports->use[args->port], i);
	return 0;
}

/**
 * ports_unlink_doorbell() - let nobody find a doorbell from now on
 * @ports: no other change is under way; others may read
 * @args: valid: its port, width and match
 *
 * Return: the doorbell, or NULL.  Who has found it before may still use it, so
 * the caller waits until it sets its eventfd to NULL.
 */
struct port_doorbell *ports_unlink_doorbell(struct mvm_ports *ports,
					    const struct mvm_doorbell *args)
{
	u8 *link = &ports->use[args->port];
	struct port_doorbell *doorbell;

	if (*link == PORT_POSTED)
		return NULL;
	for (; *link; link = &doorbell->next) {
		doorbell = &ports->doorbells[*link];
		if (doorbell->bytes == args->bytes && doorbell->data == args->data &&
		    doorbell->match == !!(args->flags & MVM_DOORBELL_MATCH)) {
			WRITE_ONCE(*link, doorbell->next);
			return doorbell;
		}
	}
	return NULL;
}

/**
 * ports_set_posted() - post writes to a range of ports, or no longer
 * @ports: no other change is under way; others may read
 * @first: first port
 * @count: of ports, within the 65536
 * @posted: or no longer
 *
 * Return: 0, -EEXIST (a port has a doorbell, or is posted already) or -ENOENT (to
 * be posted no longer, and was not); then nothing is changed.
 */
int ports_set_posted(struct mvm_ports *ports, u32 first, u32 count, bool posted)
{
	u32 port;

	for (port = first; port < first + count; port++)
		if (ports->use[port] != (posted ? PORT_EXITS : PORT_POSTED))
			return posted ? -EEXIST : -ENOENT;
	for (port = first; port < first + count; port++)
		WRITE_ONCE(ports->use[port], posted ? PORT_POSTED : PORT_EXITS);
	return 0;
}

/**
 * ring_post() - append a write
 * @ring: shared with user space
 * @head: the ring's head; user space sees a copy
 * @write: the write
 *
 * Of what user space writes only the tail is looked at.  One that is no index of
 * an entry in use looks like a full ring.
 *
 * Return: true, or false when the ring is full.
 */
bool ring_post(struct mvm_ring *ring, u32 *head, struct mvm_posted_write write)
{
	/* Acquire: user space has read the entry before it gives it back. */
	if (*head - smp_load_acquire(&ring->tail) >= MVM_RING_ENTRIES)
		return false;
	ring->entries[(*head)++ % MVM_RING_ENTRIES] = write;
	smp_store_release(&ring->head, *head);
	return true;
}
