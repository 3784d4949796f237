// SPDX-License-Identifier: GPL-2.0-only
/*
 * memory.c - guest memory.
 *
 * A slot makes a range of the owner's address space appear at guest-physical
 * addresses.  Nothing is mapped until the guest touches it: the EPT violation
 * ends in mvm_memory_fault(), which asks the host's memory management for the
 * page and enters it into the EPT.  The page is not pinned.  When the host
 * takes it away, or changes it in any way, the mmu notifier zaps the mapping
 * first, and the guest faults again.
 *
 * Most pages that a guest touches first are there already: those the fault finds
 * within the window, without a look at anything that sleeps (fault_fast).
 *
 * Two protocols make that safe:
 *
 * - fault_is_stale(): a page that was looked up before an invalidation is not
 *   mapped after it.
 * - zap_and_unlock(): when a zap returns, no CPU can reach what was unmapped,
 *   and none walks a table that is freed.
 *
 * Called by vm.c (set-up, slots), the vCPUs' run loop (faults) and window.c
 * (flushes).
 */
#include <linux/cpu.h>
#include <linux/io.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/sched/mm.h>
#include <linux/signal.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>
#include <asm/cpufeature.h>
#include <asm/processor.h>

#include "caps.h"
#include "debug.h"
#include "memory.h"
#include "vcpu.h"
#include "vm.h"

/* those that were ever used: the others have no length, so no address matches */
#define for_each_slot(memory, slot)					\
	for ((slot) = (memory)->slots; (slot) < (memory)->slots + (memory)->slots_end; (slot)++)

/*
 * Zap guest-physical addresses, and end the critical section of memory->lock
 * that this belongs to.  On return no CPU uses a translation that was unmapped
 * here, or by anyone before: a zapper that found nothing present cannot tell
 * whether another one, who cleared the entry, has waited already, so it waits
 * too.  (Which range is being waited for does not matter: rare enough.)
 *
 * The order: entries cleared, generation raised, windows closed, tables freed.
 * A window that opens after the second step flushes before it enters.
 *
 * Context: IRQs on, no lock but @memory->lock; does not sleep.
 */
static void zap_and_unlock(struct mvm_vm *vm, u64 gpa, u64 length) __releases(&vm->memory.lock)
{
	struct mvm_memory *memory = &vm->memory;
	LIST_HEAD(unlinked);
	bool zapped;

	lockdep_assert_held(&memory->lock);
	zapped = ept_unmap(&memory->ept, gpa, length, &unlinked);
	if (zapped) {
		WRITE_ONCE(memory->generation, memory->generation + 1);
		mvm_debug(zapped, vm);
		atomic_inc(&memory->closing);
	}
	/* faults try again and again until @closing is 0: do not let them wait */
	preempt_disable();
	spin_unlock(&memory->lock);
	/* its barrier pairs with the opener's: see mvm_memory_needs_invept() */
	if (atomic_read_acquire(&memory->closing))
		mvm_vm_close_windows(vm);
	/* pairs with atomic_read_acquire(): windows first, then the count */
	if (zapped)
		atomic_dec_return_release(&memory->closing);
	preempt_enable();
	put_pages_list(&unlinked);
}

/* ------------------------------------------------------------------------
 * The mmu notifiers: the host's memory management tells what it will change.
 */

/*
 * The host is about to change a part of a slot's memory.  Called with any lock
 * of the mm held; must not sleep.
 */
static bool slot_invalidate(struct mmu_interval_notifier *notifier,
			    const struct mmu_notifier_range *range, unsigned long seq)
{
	struct mvm_mem_slot *slot = container_of(notifier, struct mvm_mem_slot, notifier);
	unsigned long start, end;

	spin_lock(&slot->vm->memory.lock);
	mmu_interval_set_seq(notifier, seq);
	/* nothing while the slot is being added or after it was removed */
	start = max(range->start, slot->hva);
	end = max(start, min(range->end, slot->hva + (unsigned long)slot->length));
	zap_and_unlock(slot->vm, slot->gpa + (start - slot->hva), end - start);
	return true;
}

static const struct mmu_interval_notifier_ops slot_notifier_ops = {
	.invalidate = slot_invalidate,
};

/*
 * The address space ends (exit, exec, kill), or mvm_memory_destroy() lets go of
 * it; both at once is possible.  May sleep.  At an end all slots have been
 * invalidated, and no fault can map again: mm_users is 0.
 */
static void memory_release(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	mvm_vm_owner_gone(container_of(notifier, struct mvm_vm, memory.notifier));
}

static const struct mmu_notifier_ops memory_notifier_ops = {
	.release = memory_release,
};

/* ------------------------------------------------------------------------
 * EPT violations
 */

/*
 * Fill the cache for one fault.  A kernel thread is in the root cgroup: charge
 * what it allocates to the owner.
 */
static int cache_fill(struct mvm_vm *vm, struct ept_cache *cache)
{
	struct mem_cgroup *memcg = get_mem_cgroup_from_mm(vm->mm), *old = set_active_memcg(memcg);
	unsigned long page;

	while (cache->count < EPT_MAP_TABLES && (page = get_zeroed_page(GFP_KERNEL_ACCOUNT)))
		cache->pages[cache->count++] = (void *)page;
	set_active_memcg(old);
	mem_cgroup_put(memcg);
	return cache->count < EPT_MAP_TABLES ? -ENOMEM : 0;
}

/**
 * mvm_fault_cache_free - free what a vCPU's fault cache holds
 * @cache:	left empty
 */
void mvm_fault_cache_free(struct mvm_fault_cache *cache)
{
	while (cache->tables.count)
		free_page((unsigned long)cache->tables.pages[--cache->tables.count]);
}

/* One EPT violation on its way. */
struct fault {
	u64 gpa;			/* of the access */
	unsigned long hva;		/* behind it */
	bool write;			/* the guest writes */
	bool writable;			/* the slot lets it */

	/* for fault_is_stale() */
	struct mvm_mem_slot *slot;
	unsigned long seq, slots_removed;

	/* what to map */
	unsigned int level;		/* EPT_LEVEL_2M: till the look-up, worth a try */
	u64 access;			/* EPT_* permissions */
	struct page *page;		/* at @hva; a reference is held */
};

/*
 * With the iTLB multihit erratum a guest can hang the CPU by executing from a
 * page whose size changes (CVE-2018-12207).  There, 2 MiB pages cannot be
 * executed, and a fetch turns them into 4 KiB pages.
 */
static bool large_pages_execute(void)
{
	return !boot_cpu_has_bug(X86_BUG_ITLB_MULTIHIT) || cpu_mitigations_off();
}

static struct mvm_mem_slot *slot_find(struct mvm_memory *memory, u64 gpa)
{
	struct mvm_mem_slot *slot;

	lockdep_assert_held(&memory->lock);
	for_each_slot(memory, slot)
		if (gpa - slot->gpa < slot->length)
			return slot;
	return NULL;
}

/*
 * Try a 2 MiB page around the fault? It has to lie in the slot and have the same
 * offset on both sides, and nothing may have forced 4 KiB pages there: a table
 * goes away when its last page is zapped, as when the host collapses pages.
 */
static void fault_choose_level(const struct mvm_memory *memory, const struct mvm_mem_slot *slot,
			       struct fault *fault, u64 access)
{
	u64 offset = ALIGN_DOWN(fault->gpa, SZ_2M) - slot->gpa;

	fault->level = EPT_LEVEL_4K;
	if (!mvm_caps.ept_2m || !IS_ALIGNED(fault->gpa ^ fault->hva, SZ_2M) ||
	    offset >= slot->length || slot->length - offset < SZ_2M ||
	    (access == EPT_EXEC && !large_pages_execute()))
		return;
	ept_walk(&memory->ept, fault->gpa, &fault->level);
	fault->level = min(fault->level, EPT_LEVEL_2M);
}

/* Set @fault going.  Returns the slot; NULL: that is MMIO. */
static struct mvm_mem_slot *fault_find_slot(struct mvm_memory *memory, struct fault *fault,
					    u64 gpa, u64 access)
{
	struct mvm_mem_slot *slot = slot_find(memory, gpa);

	/* The rest is not needed before it is set. */
	fault->gpa = gpa;
	fault->write = access == EPT_WRITE;
	if (!slot)
		return NULL;
	fault->hva = slot->hva + (gpa - slot->gpa);
	fault->writable = !(slot->flags & MVM_SLOT_READONLY);
	if (fault->write && !fault->writable)
		return NULL;
	fault_choose_level(memory, slot, fault, access);
	fault->slots_removed = memory->slots_removed;
	fault->slot = slot;
	return slot;
}

static bool fault_begin(struct mvm_memory *memory, struct fault *fault, u64 gpa, u64 access)
{
	struct mvm_mem_slot *slot;

	spin_lock(&memory->lock);
	slot = fault_find_slot(memory, fault, gpa, access);
	spin_unlock(&memory->lock);
	if (!slot)
		return false;
	/*
	 * Waits while the host changes the range.  If the slot is removed now,
	 * the number means nothing, but reading it is safe.
	 */
	fault->seq = mmu_interval_read_begin(&slot->notifier);
	return true;
}

/* Is there a page that the host lets its owner write to without further ado? */
static bool fault_get_writable(struct fault *fault)
{
	return fault->writable &&
	       get_user_pages_fast_only(fault->hva, 1, FOLL_WRITE, &fault->page) == 1;
}

/*
 * Ask for the page behind the fault, in the owner's address space.  A read
 * takes the page as it is: it breaks no copy-on-write and allocates nothing
 * but what the host gives a reader; if the host could write to it already, so
 * may the guest.
 */
static int fault_get_page(struct fault *fault)
{
	unsigned int flags = FOLL_HWPOISON | (fault->write ? FOLL_WRITE : 0);
	struct page *page;
	long got;

	fault->access = EPT_RWX;
	if (fault_get_writable(fault))
		return 0;
	got = get_user_pages_unlocked(fault->hva, 1, &page, flags);
	if (got != 1)
		return got < 0 ? got : -EFAULT;
	/* of shared memory the host lets a reader write, too */
	if (!fault->write && fault_get_writable(fault)) {
		put_page(page);
		return 0;
	}
	fault->page = page;
	if (!fault->write)
		fault->access &= ~EPT_WRITE;
	return 0;
}

/*
 * Is the whole 2 MiB there, in one piece and in place?  That it stays so is
 * fault_is_stale()'s to find out.
 */
static bool fault_is_large(const struct fault *fault, struct page **pages)
{
	unsigned long hva = ALIGN_DOWN(fault->hva, SZ_2M);
	unsigned long first = page_to_pfn(fault->page) - ((fault->hva - hva) >> PAGE_SHIFT);
	long got, i;

	/* cheap tests first: the batch is costly */
	if (!IS_ALIGNED(first, EPT_ENTRIES) ||
	    folio_nr_pages(page_folio(fault->page)) < EPT_ENTRIES)
		return false;
	got = get_user_pages_fast_only(hva, EPT_ENTRIES, fault->access & EPT_WRITE ? FOLL_WRITE : 0,
				       pages);
	for (i = 0; i < got; i++)
		if (page_to_pfn(pages[i]) != first + i)
			break;
	/* not release_pages(): it keeps the references of the huge zero page */
	while (got > 0)
		put_page(pages[--got]);
	return i == EPT_ENTRIES;
}

/*
 * May the host have taken the page away since it was looked up, or user space
 * the slot?  Whoever does it later finds the mapping that the caller is about to
 * make under the same lock.
 *
 * Nor is anything mapped before zaps are flushed: the size of a mapping changes
 * only after a flush (SDM 3A 4.10.2.3).
 */
static bool fault_is_stale(const struct mvm_memory *memory, const struct fault *fault)
{
	lockdep_assert_held(&memory->lock);
	return memory->slots_removed != fault->slots_removed ||
	       mmu_interval_read_retry(&fault->slot->notifier, fault->seq) ||
	       atomic_read(&memory->closing);
}

/*
 * Enter the page into the EPT.  If the guest may write to it, it is marked
 * dirty at once, since the CPU will not tell: to clean a page, the host has to
 * change its own mapping, which zaps ours.
 */
static int fault_enter(struct mvm_memory *memory, struct mvm_fault_cache *cache,
		       const struct fault *fault)
{
	int error = ept_map(&memory->ept, fault->gpa, page_to_phys(fault->page), fault->level,
			    fault->access, &cache->tables);

	if (!error && fault->access & EPT_WRITE && !PageReserved(fault->page))
		SetPageDirty(fault->page);
	return error;
}

/* Likewise, unless the page is stale.  Return: 0; -EAGAIN: look the page up again. */
static int fault_map(struct mvm_vm *vm, struct mvm_fault_cache *cache, const struct fault *fault)
{
	struct mvm_memory *memory = &vm->memory;
	int error = -EAGAIN;

	spin_lock(&memory->lock);
	if (!fault_is_stale(memory, fault)) {
		fault->slot->seq = fault->seq;
		if (memory->ept.pages + EPT_MAP_TABLES > memory->max_tables) {
			/* start again with an empty EPT: crude, but it bounds the memory */
			zap_and_unlock(vm, 0, 1ULL << EPT_GPA_BITS);
			return -EAGAIN;
		}
		error = fault_enter(memory, cache, fault);
		if (error == -EEXIST && fault->level == EPT_LEVEL_4K) {
			/* as when a fetch finds a 2 MiB page that does not execute */
			zap_and_unlock(vm, ALIGN_DOWN(fault->gpa, SZ_2M), SZ_2M);
			return -EAGAIN;
		}
		if (error == -EEXIST)	/* 4 KiB pages came first: the next try finds them */
			error = -EAGAIN;
	}
	spin_unlock(&memory->lock);
	return error;
}

/*
 * The runner has the owner's address space (run.c), but what is in it may be
 * gone: hold it for a while.
 */
static int owner_enter(struct mvm_vm *vm)
{
	return mmget_not_zero(vm->mm) ? 0 : -EFAULT;
}

static void owner_leave(struct mvm_vm *vm)
{
	/* not mmput(): exit_mmap() would wait in memory_release() for us */
	mmput_async(vm->mm);
}

/* Find what to map, and map it. */
static int fault_serve(struct mvm_vm *vm, struct mvm_fault_cache *cache, struct fault *fault)
{
	int error = owner_enter(vm);

	if (error)
		return error;
	error = fault_get_page(fault);
	if (!error) {
		if (fault->level == EPT_LEVEL_2M && !fault_is_large(fault, cache->batch))
			fault->level = EPT_LEVEL_4K;
		if (fault->level == EPT_LEVEL_2M && !large_pages_execute())
			fault->access &= ~EPT_EXEC;
		error = fault_map(vm, cache, fault);
		put_page(fault->page);
	}
	owner_leave(vm);
	return error;
}

/**
 * mvm_memory_fault - serve an EPT violation
 * @vm:		the VM
 * @cache:	the vCPU's
 * @gpa:	guest-physical address of the access
 * @access:	EPT_READ, EPT_WRITE or EPT_EXEC: what was tried
 * @hva:	out: the owner's address behind @gpa, unless that is MMIO
 *
 * Context: a vCPU's kernel thread, outside any window; sleeps as long as the
 * owner's page faults take.
 * Return: 0: mapped, or a race: enter again; -ENXIO: MMIO, that is no slot, or a
 * write to a read-only one; -EFAULT, -EHWPOISON or -ENOMEM: the owner's memory
 * failed.
 */
int mvm_memory_fault(struct mvm_vm *vm, struct mvm_fault_cache *cache, u64 gpa, u64 access,
		     u64 *hva)
{
	unsigned int tries = 2;
	struct fault fault;
	int error;

	/* stale the first time: no wonder when the look-up itself broke copy-on-write */
	do {
		if (!fault_begin(&vm->memory, &fault, gpa, access))
			return -ENXIO;
		*hva = fault.hva;
		error = cache_fill(vm, &cache->tables);
		if (!error)
			error = fault_serve(vm, cache, &fault);
	} while (error == -EAGAIN && --tries);

	if (!error || error == -EAGAIN)
		return 0;
	/* also for a signal that kills the owner: nobody sees that */
	return error == -EHWPOISON || error == -ENOMEM ? error : -EFAULT;
}

/* The page behind the fault, if the host has it there already. */
static bool fault_get_present(struct fault *fault)
{
	fault->access = EPT_RWX;
	if (fault_get_writable(fault))
		return true;
	fault->access &= ~EPT_WRITE;
	return !fault->write && get_user_pages_fast_only(fault->hva, 1, 0, &fault->page) == 1;
}

/*
 * Where the APIC-access page goes, if no slot is there: see mvm_memory_map_apic().
 * Nothing executes there, and Bochs gives up when something does.
 */
static bool is_apic_page(u64 gpa, u64 access)
{
	return mvm_caps.proc2 & SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES &&
	       gpa >> PAGE_SHIFT == APIC_DEFAULT_PHYS_BASE >> PAGE_SHIFT && access != EPT_EXEC;
}

/**
 * mvm_memory_fault_fast - serve an EPT violation within the window
 * @vm:		the VM
 * @cache:	the vCPU's
 * @gpa:	guest-physical address of the access
 * @access:	EPT_READ, EPT_WRITE or EPT_EXEC: what was tried
 *
 * Serves what needs nothing but a 4 KiB page that is present, tables that are in
 * the cache, and a lock that is free.  The lock is held from the look-up to the
 * mapping, so an invalidation that begins meanwhile waits; that none was under
 * way says the sequence number of the slot's last fault, which is still good.
 *
 * Context: an open window: IRQs off; the runner has the owner's address space.
 * Return: 0: mapped; -ENXIO: MMIO, as mvm_memory_fault() says; -EAGAIN: that one has
 * to serve it, outside.
 */
int mvm_memory_fault_fast(struct mvm_vm *vm, struct mvm_fault_cache *cache, u64 gpa, u64 access)
{
	struct mvm_memory *memory = &vm->memory;
	struct mvm_mem_slot *slot;
	struct fault fault;
	int error = -EAGAIN;

	/* the lock sleeps on PREEMPT_RT */
	if (IS_ENABLED(CONFIG_PREEMPT_RT) || !spin_trylock(&memory->lock))
		return -EAGAIN;
	slot = fault_find_slot(memory, &fault, gpa, access);
	if (!slot) {
		error = is_apic_page(gpa, access) ? -EAGAIN : -ENXIO;
	} else {
		fault.seq = slot->seq;
		if (fault.level == EPT_LEVEL_4K && !fault_is_stale(memory, &fault) &&
		    memory->ept.pages + EPT_MAP_TABLES <= memory->max_tables &&
		    fault_get_present(&fault)) {
			if (!fault_enter(memory, cache, &fault))
				error = 0;
			put_page(fault.page);
		}
	}
	spin_unlock(&memory->lock);
	return error;
}

/**
 * mvm_memory_read - read guest memory
 * @vm:		the VM
 * @gpa:	guest-physical address
 * @buffer:	out, when 0 is returned
 * @size:	bytes, which lie in one page
 *
 * Context: a vCPU's kernel thread, outside any window; may sleep.
 * Return: 0, or -EFAULT when there is no memory.
 */
int mvm_memory_read(struct mvm_vm *vm, u64 gpa, void *buffer, size_t size)
{
	struct fault fault;
	unsigned long left;

	if (!fault_begin(&vm->memory, &fault, gpa, EPT_READ) || owner_enter(vm))
		return -EFAULT;
	left = copy_from_user(buffer, (void __user *)fault.hva, size);
	owner_leave(vm);
	return left ? -EFAULT : 0;
}

/* ------------------------------------------------------------------------
 * The APIC-access page (SDM 3C 30.4): where a guest's xAPIC is mapped to it, the
 * CPU virtualizes accesses.  What is in it nobody sees.  It is the VM's, as the
 * EPT is, so all vCPUs must want it: each has its xAPIC there.
 */

static bool all_have_xapic(struct mvm_vm *vm)
{
	struct mvm_vcpu *vcpu;
	unsigned int i;

	mvm_for_each_vcpu(vm, i, vcpu)
		if (!mvm_vcpu_has_xapic(vcpu))
			return false;
	return true;
}

/**
 * mvm_memory_map_apic - map the APIC-access page, if that is what is missing
 * @vm:		the VM
 * @cache:	the vCPU's
 * @gpa:	guest-physical address of a fault that no slot serves
 * @access:	EPT_READ, EPT_WRITE or EPT_EXEC: what was tried
 *
 * A vCPU's xAPIC that goes away meanwhile is seen here, or its thread finds the
 * page mapped: mvm_memory_unmap_apic() comes after the change.
 *
 * Context: a vCPU's runner, outside any window; may sleep.
 * Return: true: mapped, or a race: enter again.
 */
bool mvm_memory_map_apic(struct mvm_vm *vm, struct mvm_fault_cache *cache, u64 gpa, u64 access)
{
	struct mvm_memory *memory = &vm->memory;
	bool mapped = false;

	if (!is_apic_page(gpa, access) || cache_fill(vm, &cache->tables))
		return false;
	spin_lock(&memory->lock);
	if (!slot_find(memory, gpa) && all_have_xapic(vm))
		/* before zaps are flushed nothing is mapped: see fault_is_stale() */
		mapped = atomic_read(&memory->closing) ||
			 !ept_map(&memory->ept, gpa, virt_to_phys(memory->apic_page),
				  EPT_LEVEL_4K, EPT_READ | EPT_WRITE, &cache->tables);
	spin_unlock(&memory->lock);
	return mapped;
}

/**
 * mvm_memory_unmap_apic - a vCPU's xAPIC is no longer where it was
 * @vm:		the VM
 *
 * Context: as mvm_memory_map_apic(); before that vCPU enters the guest again.
 */
void mvm_memory_unmap_apic(struct mvm_vm *vm)
{
	spin_lock(&vm->memory.lock);
	/* not the memory of a slot that may be there */
	if (slot_find(&vm->memory, APIC_DEFAULT_PHYS_BASE))
		spin_unlock(&vm->memory.lock);
	else
		zap_and_unlock(vm, APIC_DEFAULT_PHYS_BASE, PAGE_SIZE);
}

/* ------------------------------------------------------------------------
 * Slots
 */

/**
 * mvm_memory_max_gpa - end of the guest-physical address space
 *
 * Bounded by what the EPT translates and by MAXPHYADDR, which guests see as the
 * host's (SDM 3A 4.1.4).
 *
 * Return: one past the highest address that a slot may cover.
 */
u64 mvm_memory_max_gpa(void)
{
	return 1ULL << min_t(unsigned int, EPT_GPA_BITS, boot_cpu_data.x86_phys_bits);
}

/*
 * To register a notifier takes all locks of the address space, and any signal makes
 * the kernel give up; where a timer sends them faster than that, to restart the call
 * would never end.  A signal that kills counts, and so does what is no signal (the
 * freezer, task work).
 */
static void block_signals(sigset_t *saved)
{
	sigset_t all_but_kill;

	siginitsetinv(&all_but_kill, sigmask(SIGKILL));
	sigprocmask(SIG_BLOCK, &all_but_kill, saved);
}

static int unblock_signals(sigset_t *saved, int error)
{
	sigprocmask(SIG_SETMASK, saved, NULL);
	return error == -EINTR ? -ERESTARTNOINTR : error;
}

static int slot_add(struct mvm_vm *vm, struct mvm_mem_slot *slot, const struct mvm_slot *args)
{
	struct mvm_memory *memory = &vm->memory;
	const struct mvm_mem_slot *other;
	sigset_t signals;
	int error;

	if (slot->length)
		return -EEXIST;
	for_each_slot(memory, other)
		if (other->length && args->gpa < other->gpa + other->length &&
		    other->gpa < args->gpa + args->length)
			return -EEXIST;

	slot->vm = vm;
	block_signals(&signals);
	error = mmu_interval_notifier_insert(&slot->notifier, vm->mm, args->user_addr, args->length,
					     &slot_notifier_ops);
	error = unblock_signals(&signals, error);
	if (error)
		return error;
	spin_lock(&memory->lock);
	slot->gpa = args->gpa;
	slot->length = args->length;
	slot->hva = args->user_addr;
	slot->flags = args->flags;
	slot->seq = 0;		/* never good: the first one is 2 */
	memory->slots_end = max_t(unsigned int, memory->slots_end, slot - memory->slots + 1);
	/* nothing is mapped there yet, so no flush (SDM 3C 29.4.2); but the APIC may be */
	if (APIC_DEFAULT_PHYS_BASE - slot->gpa < slot->length)
		zap_and_unlock(vm, APIC_DEFAULT_PHYS_BASE, PAGE_SIZE);
	else
		spin_unlock(&memory->lock);
	return 0;
}

static int slot_remove(struct mvm_vm *vm, struct mvm_mem_slot *slot)
{
	u64 length = slot->length;

	if (!length)
		return -ENOENT;
	spin_lock(&vm->memory.lock);
	slot->length = 0;
	/* faults on their way know the slot still */
	vm->memory.slots_removed++;
	zap_and_unlock(vm, slot->gpa, length);
	mmu_interval_notifier_remove(&slot->notifier);
	return 0;
}

/**
 * mvm_memory_set_slot - add or remove a slot (MVM_SET_SLOT)
 * @object:	the VM; its owner calls
 * @data:	struct mvm_slot; a kernel copy, its size is checked already
 *
 * For a removal (length 0) the addresses are not looked at.
 *
 * Context: may sleep, takes slots_lock.
 * Return: 0, or what struct mvm_slot documents.
 */
long mvm_memory_set_slot(void *object, void *data)
{
	const struct mvm_slot *args = data;
	struct mvm_vm *vm = object;
	struct mvm_memory *memory = &vm->memory;
	u64 max_gpa = mvm_memory_max_gpa();
	struct mvm_mem_slot *slot;
	int error;

	if (args->reserved || args->slot >= MVM_MAX_SLOTS)
		return -EINVAL;
	if (args->length) {
		if (!PAGE_ALIGNED(args->gpa | args->length | args->user_addr) ||
		    args->length > max_gpa || args->gpa > max_gpa - args->length)
			return -EINVAL;
		if (!access_ok((void __user *)(unsigned long)args->user_addr, args->length))
			return -EFAULT;
	}

	slot = &memory->slots[array_index_nospec(args->slot, MVM_MAX_SLOTS)];
	mutex_lock(&memory->slots_lock);
	error = args->length ? slot_add(vm, slot, args) : slot_remove(vm, slot);
	mutex_unlock(&memory->slots_lock);
	return error;
}

/* ------------------------------------------------------------------------
 * Set-up
 */

/**
 * mvm_memory_init - give a VM its memory, without any slot
 * @vm:		zeroed; @vm->mm becomes the caller's
 *
 * From here on the notifier may call: mvm_vm_owner_gone() and
 * mvm_vm_close_windows() have to work for @vm.
 *
 * Return: 0, -ENOMEM, or -ERESTARTNOINTR: interrupted.
 */
int mvm_memory_init(struct mvm_vm *vm)
{
	struct mvm_memory *memory = &vm->memory;
	sigset_t signals;
	int error;

	mutex_init(&memory->slots_lock);
	spin_lock_init(&memory->lock);
	atomic_set(&memory->closing, 0);
	memory->generation = 1;
	/*
	 * Every table has a page below it, so slots bound their number, but a
	 * slot may be huge and need little memory (the zero page).  1/64 of the
	 * host's pages suffice to map all its memory 8 times, page by page.
	 */
	memory->max_tables = max(totalram_pages() / 64, 1024UL);

	error = ept_init(&memory->ept);
	if (error)
		return error;
	memory->eptp = virt_to_phys(memory->ept.root) | EPTP_WALK_4 | EPTP_TYPE_WB;

	vm->mm = current->mm;
	memory->notifier.ops = &memory_notifier_ops;
	memory->flushed = alloc_percpu_gfp(u64, GFP_KERNEL_ACCOUNT);
	memory->apic_page = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	error = -ENOMEM;
	block_signals(&signals);
	if (memory->flushed && memory->apic_page)
		error = mmu_notifier_register(&memory->notifier, vm->mm);
	error = unblock_signals(&signals, error);
	if (error) {
		free_page((unsigned long)memory->apic_page);
		free_percpu(memory->flushed);
		ept_destroy(&memory->ept);
	}
	return error;
}

/**
 * mvm_memory_destroy - take a VM's memory away
 * @vm:		mvm_memory_init() has succeeded; no vCPU runs any more, and no
 *		descriptor is left
 *
 * Calls mvm_vm_owner_gone() unless the owner went first, and waits for it if
 * that runs at the moment: the vCPU objects must still be there.
 *
 * Context: may sleep; no lock that the notifier's release takes.
 */
void mvm_memory_destroy(struct mvm_vm *vm)
{
	struct mvm_memory *memory = &vm->memory;
	struct mvm_mem_slot *slot;

	for_each_slot(memory, slot)
		slot_remove(vm, slot);
	/* drops mm_count: vm->mm is not valid any more */
	mmu_notifier_unregister(&memory->notifier, vm->mm);
	ept_destroy(&memory->ept);
	free_page((unsigned long)memory->apic_page);
	free_percpu(memory->flushed);
}
