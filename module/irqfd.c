// SPDX-License-Identifier: GPL-2.0-only
/*
 * irqfd.c - eventfds whose signal sends an interrupt message, without a system
 * call of the VM's owner.
 *
 * An irqfd is an entry in the eventfd's wait queue.  Who signals calls it, with
 * the queue's lock held, in any context, hard interrupts included.  That lock is
 * what makes removing one safe: whoever has taken the entry out knows that nobody
 * is in irqfd_signalled() or will come there.
 */
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/list.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include "doorbell.h"
#include "vcpu.h"
#include "vm.h"

struct irqfd {
	struct list_head link;			/* vm->irqfds */
	struct mvm_vm *vm;			/* outlives this */
	struct lapic_message message;
	struct eventfd_ctx *eventfd;
	wait_queue_entry_t wait;
	bool gone;				/* its last descriptor was closed */
};

static int irqfd_signalled(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct irqfd *irqfd = container_of(wait, struct irqfd, wait);
	__poll_t events = key_to_poll(key);
	u64 count;

	if (events & EPOLLIN) {
		eventfd_ctx_do_read(irqfd->eventfd, &count);
		mvm_vm_deliver(irqfd->vm, NULL, &irqfd->message);
	}
	/* Out of the queue now; memory is given back later: look_for(). */
	if (events & EPOLLHUP) {
		list_del_init(&wait->entry);
		WRITE_ONCE(irqfd->gone, true);
	}
	return 0;
}

static void irqfd_free(struct irqfd *irqfd)
{
	u64 count;

	eventfd_ctx_remove_wait_queue(irqfd->eventfd, &irqfd->wait, &count);
	eventfd_ctx_put(irqfd->eventfd);
	list_del(&irqfd->link);
	kfree(irqfd);
}

/* An eventfd's way to tell its wait queue. */
struct irqfd_poll {
	poll_table table;
	struct irqfd *irqfd;
};

static void irqfd_enqueue(struct file *file, wait_queue_head_t *queue, poll_table *table)
{
	add_wait_queue(queue, &container_of(table, struct irqfd_poll, table)->irqfd->wait);
}

static int irqfd_add(struct mvm_vm *vm, struct file *file, struct eventfd_ctx *eventfd,
		     const struct lapic_message *message)
{
	struct irqfd *irqfd = kzalloc(sizeof(*irqfd), GFP_KERNEL_ACCOUNT);
	struct irqfd_poll poll = { .irqfd = irqfd };

	if (!irqfd)
		return -ENOMEM;
	irqfd->vm = vm;
	irqfd->message = *message;
	irqfd->eventfd = eventfd;
	init_waitqueue_func_entry(&irqfd->wait, irqfd_signalled);
	init_poll_funcptr(&poll.table, irqfd_enqueue);
	list_add(&irqfd->link, &vm->irqfds);
	/* Signals from before count as well: each later one finds us in the queue. */
	if (vfs_poll(file, &poll.table) & EPOLLIN)
		mvm_vm_deliver(vm, NULL, message);
	return 0;
}

/* Find the irqfd of an eventfd, count them, and free those that are gone. */
static struct irqfd *look_for(struct mvm_vm *vm, struct eventfd_ctx *eventfd, unsigned int *count)
{
	struct irqfd *irqfd, *next, *found = NULL;

	*count = 0;
	list_for_each_entry_safe(irqfd, next, &vm->irqfds, link) {
		if (READ_ONCE(irqfd->gone)) {
			irqfd_free(irqfd);
			continue;
		}
		++*count;
		if (irqfd->eventfd == eventfd)
			found = irqfd;
	}
	return found;
}

/**
 * mvm_set_irqfd() - MVM_SET_IRQFD
 * @object: VM
 * @data: struct mvm_irqfd
 */
long mvm_set_irqfd(void *object, void *data)
{
	const struct mvm_irqfd *args = data;
	bool remove = args->flags & MVM_IRQFD_REMOVE;
	struct lapic_message message;
	struct eventfd_ctx *eventfd;
	struct mvm_vm *vm = object;
	unsigned int count;
	struct irqfd *old;
	struct file *file;
	long ret;

	if (remove ? args->address || args->data :
		     lapic_decode_msi(args->address, args->data, &message))
		return -EINVAL;
	file = fget(args->eventfd);
	if (!file)
		return -EBADF;
	eventfd = eventfd_ctx_fileget(file);
	ret = PTR_ERR_OR_ZERO(eventfd);
	if (ret)
		goto put_file;

	mutex_lock(&vm->lock);
	old = look_for(vm, eventfd, &count);
	if (remove && old)
		irqfd_free(old);
	else if (remove)
		ret = -ENOENT;
	else if (old)
		ret = -EEXIST;
	else if (count == MVM_MAX_IRQFDS)
		ret = -ENOSPC;
	else
		ret = irqfd_add(vm, file, eventfd, &message);
	mutex_unlock(&vm->lock);
	/* The new irqfd keeps it. */
	if (remove || ret)
		eventfd_ctx_put(eventfd);
put_file:
	fput(file);
	return ret;
}

/**
 * mvm_irqfds_destroy() - a VM ends
 * @vm: its vCPUs are there still: signals may come until this returns
 */
void mvm_irqfds_destroy(struct mvm_vm *vm)
{
	struct irqfd *irqfd, *next;

	list_for_each_entry_safe(irqfd, next, &vm->irqfds, link)
		irqfd_free(irqfd);
}
