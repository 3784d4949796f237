/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * doorbell.h - eventfds on both ways: OUTs that ring doorbells or are posted
 * (doorbell.c), and eventfds that send interrupts (irqfd.c).
 */
#ifndef MVM_DOORBELL_H
#define MVM_DOORBELL_H

#include <linux/eventfd.h>
#include "ports.h"
#include "vcpu.h"
#include "vm.h"

bool mvm_post_write(struct mvm_vcpu *vcpu, u16 port, u8 bytes, u32 eax);

/**
 * mvm_port_write() - try to serve an OUT here
 * @vcpu: vCPU whose window is open
 * @port: the port
 * @bytes: width
 * @eax: EAX; the low @bytes are written
 *
 * eventfd_signal() takes spinlocks that are not raw and may wake threads.  With
 * IRQs off that is allowed, in a window as in an interrupt: nothing raw is held, so
 * lockdep agrees (PROVE_RAW_LOCK_NESTING, too).  On PREEMPT_RT such locks sleep,
 * so there it waits until the window is closed: run_window().
 *
 * Return: false: it is an ordinary exit.
 */
static __always_inline bool mvm_port_write(struct mvm_vcpu *vcpu, u16 port, u8 bytes, u32 eax)
{
	const struct mvm_ports *ports = smp_load_acquire(&vcpu->vm->ports);
	u8 use = ports ? smp_load_acquire(&ports->use[port]) : PORT_EXITS;
	const struct port_doorbell *doorbell;

	if (use == PORT_EXITS)
		return false;
	if (use == PORT_POSTED)
		return mvm_post_write(vcpu, port, bytes, eax);
	doorbell = ports_find_doorbell(ports, use, bytes, eax);
	if (!doorbell)
		return false;
	vcpu->stats.doorbells++;
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		vcpu->rung = doorbell->eventfd;
	else
		mvm_eventfd_signal(doorbell->eventfd);
	return true;
}

long mvm_set_doorbell(void *vm, void *args);
long mvm_set_posted(void *vm, void *args);
void mvm_ports_destroy(struct mvm_vm *vm);

long mvm_set_irqfd(void *vm, void *args);
void mvm_irqfds_destroy(struct mvm_vm *vm);

#endif /* MVM_DOORBELL_H */
