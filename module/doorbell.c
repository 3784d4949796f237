// SPDX-License-Identifier: GPL-2.0-only
/*
 * doorbell.c - what an OUT can do without an exit to user space: ring a doorbell,
 * which is an eventfd, or be posted to the VM's ring.
 *
 * Windows read the table of ports without a lock, IRQs off; RCU waits for that.
 * It is changed under vm->lock.
 */
#include <linux/eventfd.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include "doorbell.h"
#include "vcpu.h"
#include "vm.h"

/**
 * mvm_post_write() - append a write to the ring
 * @vcpu: vCPU whose window is open
 * @port: the port
 * @bytes: width
 * @eax: EAX; the low @bytes are written
 *
 * Return: false: the ring is full.
 */
bool mvm_post_write(struct mvm_vcpu *vcpu, u16 port, u8 bytes, u32 eax)
{
	struct mvm_vm *vm = vcpu->vm;
	bool posted;

	/* One ring for all vCPUs: so their writes stay in order, too. */
	raw_spin_lock(&vm->ring_lock);
	posted = ring_post(vm->ring, &vm->ring_head, (struct mvm_posted_write){
		.port = port, .bytes = bytes, .data = port_data(eax, bytes),
	});
	raw_spin_unlock(&vm->ring_lock);
	if (posted) {
		vcpu->posted = true;
		vcpu->stats.posted_writes++;
	}
	return posted;
}

/* The table is made when it is first needed, and stays. */
static int make_ports(struct mvm_vm *vm)
{
	struct mvm_ports *ports;

	if (vm->ports)
		return 0;
	ports = kvzalloc(sizeof(*ports), GFP_KERNEL_ACCOUNT);
	if (!ports)
		return -ENOMEM;
	smp_store_release(&vm->ports, ports);
	return 0;
}

static long remove_doorbell(struct mvm_vm *vm, const struct mvm_doorbell *args)
{
	struct port_doorbell *doorbell = NULL;

	if (vm->ports)
		doorbell = ports_unlink_doorbell(vm->ports, args);
	if (!doorbell)
		return -ENOENT;
	/* A window may have found it before. */
	synchronize_rcu_expedited();
	eventfd_ctx_put(doorbell->eventfd);
	doorbell->eventfd = NULL;
	return 0;
}

static long add_doorbell(struct mvm_vm *vm, const struct mvm_doorbell *args)
{
	struct eventfd_ctx *eventfd = eventfd_ctx_fdget(args->eventfd);
	long ret;

	if (IS_ERR(eventfd))
		return PTR_ERR(eventfd);
	ret = make_ports(vm);
	if (!ret)
		ret = ports_add_doorbell(vm->ports, args, eventfd);
	if (ret)
		eventfd_ctx_put(eventfd);
	return ret;
}

/**
 * mvm_set_doorbell() - MVM_SET_DOORBELL
 * @object: VM
 * @data: struct mvm_doorbell
 */
long mvm_set_doorbell(void *object, void *data)
{
	const struct mvm_doorbell *args = data;
	struct mvm_vm *vm = object;
	long ret;

	if (!ports_doorbell_valid(args))
		return -EINVAL;
	mutex_lock(&vm->lock);
	ret = args->flags & MVM_DOORBELL_REMOVE ? remove_doorbell(vm, args) :
						  add_doorbell(vm, args);
	mutex_unlock(&vm->lock);
	return ret;
}

/**
 * mvm_set_posted() - MVM_SET_POSTED
 * @object: VM
 * @data: struct mvm_posted_ports
 */
long mvm_set_posted(void *object, void *data)
{
	const struct mvm_posted_ports *args = data;
	bool post = !(args->flags & MVM_POSTED_REMOVE);
	struct mvm_vm *vm = object;
	long ret;

	if (args->reserved || !args->count || args->count > 65536U - args->port)
		return -EINVAL;
	mutex_lock(&vm->lock);
	ret = make_ports(vm);
	if (!ret)
		ret = ports_set_posted(vm->ports, args->port, args->count, post);
	if (!ret && !post)
		synchronize_rcu_expedited();
	mutex_unlock(&vm->lock);
	return ret;
}

/**
 * mvm_ports_destroy() - a VM ends
 * @vm: no vCPU runs
 */
void mvm_ports_destroy(struct mvm_vm *vm)
{
	unsigned int i;

	for (i = 1; vm->ports && i <= MVM_MAX_DOORBELLS; i++)
		if (vm->ports->doorbells[i].eventfd)
			eventfd_ctx_put(vm->ports->doorbells[i].eventfd);
	kvfree(vm->ports);
}
