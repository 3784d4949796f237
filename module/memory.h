/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * memory.h - guest memory: slots over the owner's address space, the mmu
 * notifier, and EPT violations.  Sits between vm.c, vcpu.c and ept.c.
 */
#ifndef MVM_MEMORY_H
#define MVM_MEMORY_H

#include <linux/atomic.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/spinlock.h>
#include <linux/mini_vm.h>
#include "ept.h"

#define MVM_MAX_SLOTS	64

struct mvm_vm;

/* A slot in use has length > 0. */
struct mvm_mem_slot {
	u64 gpa;				/* of the first byte */
	u64 length;				/* in bytes, whole pages */
	unsigned long hva;			/* owner's address of the first byte */
	u32 flags;				/* MVM_SLOT_* */
	struct mvm_vm *vm;
	struct mmu_interval_notifier notifier;	/* of a slot in use: on [hva, hva + length) */
	unsigned long seq;			/* of @notifier at the last fault, or 0 */
};

/*
 * Locks: [I] immutable, [S] slots_lock, [L] lock, [a] atomic access.  Slots are
 * changed under both, so either is enough to read them.
 *
 * slots_lock (mutex) is outside lock (spinlock), which is innermost: under it
 * nothing is allocated, and the mmu notifiers take it in any context that may
 * not sleep.  Neither is taken in interrupts; in a window lock is only tried.
 */
struct mvm_memory {
	struct mutex slots_lock;
	spinlock_t lock;
	struct mvm_mem_slot slots[MVM_MAX_SLOTS];	/* [S]+[L] */
	unsigned int slots_end;				/* [S]+[L] behind the last one ever used */
	unsigned long slots_removed;			/* [L] so far: see fault_is_stale() */
	struct mvm_ept ept;				/* [L] */
	u64 eptp;					/* [I] */
	unsigned long max_tables;			/* [I] limit for ept.pages */
	void *apic_page;				/* [I] see mvm_memory_map_apic() */
	struct mmu_notifier notifier;			/* for the end of the address space */

	/* flushing: see zap_and_unlock() */
	u64 generation;					/* [a] [L] to change: zaps so far, + 1 */
	atomic_t closing;				/* zaps that wait for windows */
	u64 __percpu *flushed;				/* generation at this CPU's last INVEPT */
};

/*
 * Per-vCPU scratch of the fault path, so that nothing is allocated under the
 * lock.  All zeros is a valid, empty cache.  Used by the vCPU's runner only.
 */
struct mvm_fault_cache {
	struct ept_cache tables;
	struct page *batch[EPT_ENTRIES];	/* for 2 MiB look-ups */
};

u64 mvm_memory_max_gpa(void);
int mvm_memory_init(struct mvm_vm *vm);
void mvm_memory_destroy(struct mvm_vm *vm);
long mvm_memory_set_slot(void *vm, void *args);
int mvm_memory_read(struct mvm_vm *vm, u64 gpa, void *buffer, size_t size);
int mvm_memory_fault(struct mvm_vm *vm, struct mvm_fault_cache *cache, u64 gpa, u64 access,
		     u64 *hva);
int mvm_memory_fault_fast(struct mvm_vm *vm, struct mvm_fault_cache *cache, u64 gpa, u64 access);
bool mvm_memory_map_apic(struct mvm_vm *vm, struct mvm_fault_cache *cache, u64 gpa, u64 access);
void mvm_memory_unmap_apic(struct mvm_vm *vm);
void mvm_fault_cache_free(struct mvm_fault_cache *cache);

/**
 * mvm_memory_needs_invept - must this CPU flush before it enters the guest?
 * @memory:	memory of the VM whose window is being opened
 *
 * Called by the window's opener, IRQs off, after it published that the window
 * is open and a full barrier.  Either it sees the generation that a zap has
 * raised, or the zap's zap_and_unlock() sees the window and closes it.  Marks the
 * CPU as up to date.
 *
 * Return: true: execute INVEPT for @memory->eptp now.
 */
static inline bool mvm_memory_needs_invept(struct mvm_memory *memory)
{
	u64 generation = READ_ONCE(memory->generation);

	if (likely(this_cpu_read(*memory->flushed) == generation))
		return false;
	this_cpu_write(*memory->flushed, generation);
	return true;
}

#endif /* MVM_MEMORY_H */
