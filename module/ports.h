/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ports.h - OUT without an exit to user space: which ports have doorbells, whose
 * writes are posted, and the ring that these go to.  Pure: doorbell.c gives it
 * eventfds and locks, so KUnit tests it.
 */
#ifndef MVM_PORTS_H
#define MVM_PORTS_H

#include <linux/types.h>
#include <linux/mini_vm.h>

struct eventfd_ctx;

/* A doorbell in use has an eventfd. */
struct port_doorbell {
	struct eventfd_ctx *eventfd;
	u32 data;			/* with @match: only this value rings */
	u16 port;
	u8 bytes;			/* 0: any width */
	bool match;
	u8 next;			/* of this port, or 0 */
};

/* struct mvm_ports.use: the first doorbell of a port, or one of these. */
#define PORT_EXITS	0
#define PORT_POSTED	255

static_assert(MVM_MAX_DOORBELLS < PORT_POSTED);

/*
 * What a VM's ports do.  Changed by one at a time, read in windows without a
 * lock: a doorbell is filled in before it is linked, and emptied only when nobody
 * can have found it any more.
 */
struct mvm_ports {
	u8 use[65536];
	struct port_doorbell doorbells[1 + MVM_MAX_DOORBELLS];	/* the first is none */
};

/* What a write of @bytes, 1, 2 or 4, takes of EAX; there is room for all of 3 bits, and 1. */
static inline u32 port_data(u32 eax, u8 bytes)
{
	static const u32 masks[9] = { [1] = 0xff, [2] = 0xffff, [4] = ~0U };

	return eax & masks[bytes];
}

/**
 * ports_find_doorbell() - which doorbell does a write ring?
 * @ports: others may change it
 * @use: what it says of the port, not PORT_POSTED; read once, by the caller
 * @bytes: width of the write
 * @eax: EAX; the low @bytes are the value
 *
 * Return: the doorbell, or NULL.
 */
static __always_inline const struct port_doorbell *
ports_find_doorbell(const struct mvm_ports *ports, u8 use, u8 bytes, u32 eax)
{
	const struct port_doorbell *doorbell;

	for (; use; use = READ_ONCE(doorbell->next)) {
		doorbell = &ports->doorbells[use];
		OPTIMIZER_HIDE_VAR(doorbell);	/* compute the address once */
		if ((!doorbell->bytes || doorbell->bytes == bytes) &&
		    (!doorbell->match || doorbell->data == port_data(eax, bytes)))
			return doorbell;
	}
	return NULL;
}

bool ports_doorbell_valid(const struct mvm_doorbell *args);
int ports_add_doorbell(struct mvm_ports *ports, const struct mvm_doorbell *args,
		       struct eventfd_ctx *eventfd);
struct port_doorbell *ports_unlink_doorbell(struct mvm_ports *ports,
					    const struct mvm_doorbell *args);
int ports_set_posted(struct mvm_ports *ports, u32 first, u32 count, bool posted);

bool ring_post(struct mvm_ring *ring, u32 *head, struct mvm_posted_write write);

#endif /* MVM_PORTS_H */
