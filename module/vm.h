/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vm.h - the VM object: what its vCPUs share.
 */
#ifndef MVM_VM_H
#define MVM_VM_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/wait.h>
#include "memory.h"

#define MVM_MAX_VMS	64
#define MVM_MAX_VCPUS	8

struct mvm_ports;
struct mvm_vcpu;

/*
 * Locks: [I] immutable after creation, [V] vm->lock, [a] atomic access,
 * [r] ring_lock, [m] see memory.h.
 *
 * A vCPU, once in @vcpus, stays until the VM is freed: readers need no lock.
 */
struct mvm_vm {
	struct kref refs;			/* [a] one per descriptor */
	u64 serial;				/* [I] never used twice */
	u16 index;				/* [I] below MVM_MAX_VMS, for VPIDs */
	struct mm_struct *mm;			/* [I] owner; mm_count held */
	char name[32];				/* [I] */
	u32 flags;				/* [I] MVM_VM_* */
	struct mutex lock;
	u32 msr_policy;				/* [V] MVM_MSR_POLICY_*, fixed once @has_run */
	bool has_run;				/* [V] a vCPU was started */
	bool dead;				/* [a] the owner's mm is gone */
	s64 tsc_offset;				/* [a] guest TSC - host TSC - mvm_tsc_lost */
	struct mvm_vcpu *vcpus[MVM_MAX_VCPUS];	/* [V] to set, [a] to read */
	struct mvm_memory memory;		/* [m] */

	/* eventfds and posted writes: doorbell.c, irqfd.c */
	struct list_head irqfds;		/* [V] */
	struct mvm_ports *ports;		/* [V] to change, [a] to read; NULL: none yet */
	raw_spinlock_t ring_lock;		/* taken in windows */
	struct mvm_ring *ring;			/* [r] shared with user space; contents hostile */
	u32 ring_head;				/* [r] to change, [a] to read */
	wait_queue_head_t ring_wait;		/* who polls for entries */
};

/* Each vCPU of a VM; @i is an unsigned int. */
#define mvm_for_each_vcpu(vm, i, vcpu)					\
	for ((i) = 0; (i) < MVM_MAX_VCPUS; (i)++)			\
		if (!((vcpu) = READ_ONCE((vm)->vcpus[i]))) {} else

long mvm_vm_create(void *object, void *args);
void mvm_vm_put(struct mvm_vm *vm);
extern u64 mvm_tsc_lost;

void mvm_vms_init(void);
void mvm_vms_exit(void);

void mvm_vm_close_windows(struct mvm_vm *vm);
void mvm_vm_owner_gone(struct mvm_vm *vm);

struct lapic_message;
int mvm_vm_deliver(struct mvm_vm *vm, struct mvm_vcpu *source,
		   const struct lapic_message *message);

#endif /* MVM_VM_H */
