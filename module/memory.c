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
 * Two protocols make that safe:
 *
 * - fault_is_stale(): a page that was looked up before an invalidation is not
 *   mapped after it.
 * - zap_finish(): when a zap returns, no CPU can reach what was unmapped, and
 *   none walks a table that is freed.
 *
 * Called by vm.c (set-up, slots), the vCPUs' run loop (faults) and window.c
 * (flushes).
 */
#include <linux/cpu.h>
#include <linux/io.h>
#include <linux/kthread.h>
#include <linux/log2.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/cpufeature.h>
#include <asm/processor.h>

#include "caps.h"
#include "memory.h"
#include "vm.h"

#define LARGE_SIZE	(1UL << 21)
#define LARGE_ORDER	ilog2(EPT_ENTRIES)

/* unused ones included: they have no pages, so no address matches */
#define for_each_slot(memory, slot)					\
	for ((slot) = (memory)->slots;					\
	     (slot) < (memory)->slots + MVM_MAX_SLOTS; (slot)++)

/* ------------------------------------------------------------------------
 * Zapping
 */

/*
 * Ends a critical section of memory->lock that called ept_unmap(); @zapped is
 * what that returned.  On return no CPU uses a translation that was unmapped
 * here, or by anyone before: a zapper that found nothing present cannot tell
 * whether another one, who cleared the entry, has waited already, so it waits
 * too.  (Which range is being waited for does not matter: rare enough.)
 *
 * The order: entries cleared, generation raised, windows closed, tables freed.
 * A window that opens after the second step flushes before it enters.
 *
 * Context: IRQs on, no lock but @memory->lock; does not sleep.
 */
static void zap_finish(struct mvm_vm *vm, bool zapped,
		       struct list_head *unlinked)
	__releases(&vm->memory.lock)
{
	struct mvm_memory *memory = &vm->memory;
	bool wait;

	lockdep_assert_held(&memory->lock);
	if (zapped) {
		WRITE_ONCE(memory->generation, memory->generation + 1);
		atomic_inc(&memory->closing);
	}
	wait = atomic_read_acquire(&memory->closing);
	spin_unlock(&memory->lock);
	if (!wait)
		return;

	/* pairs with the opener's barrier: see mvm_memory_needs_invept() */
	smp_mb();
	mvm_vm_close_windows(vm);
	if (!zapped)
		return;
	/* pairs with atomic_read_acquire(): windows first, then the count */
	smp_mb__before_atomic();
	atomic_dec(&memory->closing);
	ept_free_unlinked(&memory->ept, unlinked);
}

/* Zap guest-physical addresses.  Context: see zap_finish(). */
static void zap_gpa(struct mvm_vm *vm, u64 gpa, u64 length)
{
	LIST_HEAD(unlinked);
	bool zapped;

	spin_lock(&vm->memory.lock);
	zapped = ept_unmap(&vm->memory.ept, gpa, length, &unlinked);
	zap_finish(vm, zapped, &unlinked);
}

/* The part of [@start, @end), HVA, that a slot covers: false when none. */
static bool slot_clip(const struct mvm_mem_slot *slot, unsigned long *start,
		      unsigned long *end)
{
	*start = max(*start, slot->hva);
	*end = min(*end, slot->hva + (slot->pages << PAGE_SHIFT));
	return *start < *end;
}

/* Unmap all guest addresses of an HVA range; as ept_unmap(). */
static bool unmap_hva(struct mvm_memory *memory, unsigned long start,
		      unsigned long end, struct list_head *unlinked)
{
	const struct mvm_mem_slot *slot;
	bool zapped = false;

	for_each_slot(memory, slot) {
		unsigned long from = start, to = end;
		u64 gpa;

		if (!slot_clip(slot, &from, &to))
			continue;
		gpa = (slot->gfn << PAGE_SHIFT) + (from - slot->hva);
		zapped |= ept_unmap(&memory->ept, gpa, to - from, unlinked);
	}
	return zapped;
}

/* ------------------------------------------------------------------------
 * The mmu notifier: the host's memory management tells what it will change.
 * The callbacks come with any lock of the mm held, and must not sleep.
 */

static struct mvm_vm *notifier_vm(struct mmu_notifier *notifier)
{
	return container_of(notifier, struct mvm_vm, memory.notifier);
}

/*
 * Until invalidate_count goes down again, map nothing of [@start, @end), HVA.
 * While several invalidations run, one range covers them all.
 */
static void invalidate_begin(struct mvm_memory *memory, unsigned long start,
			     unsigned long end)
{
	lockdep_assert_held(&memory->lock);
	if (memory->invalidate_count++) {
		start = min(start, memory->invalidate_start);
		end = max(end, memory->invalidate_end);
	}
	memory->invalidate_start = start;
	memory->invalidate_end = end;
}

/* @changed: pages of a slot, which faults may have looked up already. */
static void invalidate_finish(struct mvm_memory *memory, bool changed)
{
	lockdep_assert_held(&memory->lock);
	if (!WARN_ON_ONCE(!memory->invalidate_count))
		memory->invalidate_count--;
	if (changed)
		memory->invalidate_seq++;
	wake_up_all(&memory->invalidated);
}

/* The host is about to change the range. */
static int memory_invalidate_start(struct mmu_notifier *notifier,
				   const struct mmu_notifier_range *range)
{
	struct mvm_vm *vm = notifier_vm(notifier);
	struct mvm_memory *memory = &vm->memory;
	LIST_HEAD(unlinked);
	bool zapped;

	spin_lock(&memory->lock);
	invalidate_begin(memory, range->start, range->end);
	zapped = unmap_hva(memory, range->start, range->end, &unlinked);
	zap_finish(vm, zapped, &unlinked);
	return 0;
}

/*
 * The change is made.  Who looked a page up in the meantime, or before, must do
 * it again; but not for every munmap() of memory that is no guest's.
 */
static void memory_invalidate_end(struct mmu_notifier *notifier,
				  const struct mmu_notifier_range *range)
{
	struct mvm_memory *memory = &notifier_vm(notifier)->memory;
	const struct mvm_mem_slot *slot;
	bool changed = false;

	spin_lock(&memory->lock);
	for_each_slot(memory, slot) {
		unsigned long start = range->start, end = range->end;

		changed |= slot_clip(slot, &start, &end);
	}
	invalidate_finish(memory, changed);
	spin_unlock(&memory->lock);
}

/*
 * The address space ends (exit, exec, kill), or mvm_memory_destroy() lets go of
 * it; both at once is possible.  May sleep.
 */
static void memory_release(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	struct mvm_vm *vm = notifier_vm(notifier);

	mvm_vm_owner_gone(vm);
	/* no fault can map again: mm_users is 0, or no vCPU is left */
	zap_gpa(vm, 0, 1ULL << EPT_GPA_BITS);
}

static const struct mmu_notifier_ops memory_notifier_ops = {
	.invalidate_range_start = memory_invalidate_start,
	.invalidate_range_end = memory_invalidate_end,
	.release = memory_release,
};

/* ------------------------------------------------------------------------
 * Table pages, accounted to the owner
 */

/* @arg: a vCPU's fault cache, or NULL where sleeping is allowed */
static void *table_alloc(void *arg)
{
	struct mvm_fault_cache *cache = arg;

	if (!cache)
		return (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (WARN_ON_ONCE(!cache->count))
		return NULL;
	return cache->tables[--cache->count];
}

static void table_free(void *page)
{
	free_page((unsigned long)page);
}

static const struct ept_ops memory_ept_ops = {
	.alloc = table_alloc,
	.free = table_free,
};

/*
 * Fill the cache for one fault.  A kernel thread is in the root cgroup: charge
 * what it allocates to the owner.
 */
static int fault_cache_fill(struct mvm_vm *vm, struct mvm_fault_cache *cache)
{
	struct mem_cgroup *memcg, *old;

	if (cache->pages && cache->count == EPT_MAP_TABLES)
		return 0;

	memcg = get_mem_cgroup_from_mm(vm->mm);
	old = set_active_memcg(memcg);
	if (!cache->pages)
		cache->pages = kmalloc_array(EPT_ENTRIES, sizeof(*cache->pages),
					     GFP_KERNEL_ACCOUNT);
	while (cache->count < EPT_MAP_TABLES) {
		void *table = table_alloc(NULL);

		if (!table)
			break;
		cache->tables[cache->count++] = table;
	}
	set_active_memcg(old);
	mem_cgroup_put(memcg);
	return cache->pages && cache->count == EPT_MAP_TABLES ? 0 : -ENOMEM;
}

/**
 * mvm_fault_cache_free - free what a vCPU's fault cache holds
 * @cache:	left empty
 */
void mvm_fault_cache_free(struct mvm_fault_cache *cache)
{
	while (cache->count)
		table_free(cache->tables[--cache->count]);
	kfree(cache->pages);
	cache->pages = NULL;
}

/* ------------------------------------------------------------------------
 * EPT violations
 */

/* One EPT violation on its way. */
struct fault {
	u64 gpa;			/* of the 4 KiB page */
	unsigned long hva;		/* behind it */
	bool write;			/* the guest writes */
	bool writable;			/* the slot lets it */
	bool may_be_large;		/* a 2 MiB page is worth a try */
	unsigned long seq;		/* invalidate_seq before the look-up */

	/* the outcome of the look-up: fault_find_pages() */
	unsigned int level;		/* EPT_LEVEL_4K or EPT_LEVEL_2M */
	u64 access;			/* EPT_* permissions to map it with */
	struct page *page;		/* the first page; a reference is held */
};

/*
 * With the iTLB multihit erratum a guest can hang the CPU by executing from a
 * page whose size changes (CVE-2018-12207).  There, 2 MiB pages cannot be
 * executed, and a fetch turns them into 4 KiB pages.
 */
static bool large_pages_execute(void)
{
	return !boot_cpu_has_bug(X86_BUG_ITLB_MULTIHIT) ||
	       cpu_mitigations_off();
}

static const struct mvm_mem_slot *slot_find(const struct mvm_memory *memory,
					    u64 gfn)
{
	const struct mvm_mem_slot *slot;

	for_each_slot(memory, slot)
		if (gfn >= slot->gfn && gfn - slot->gfn < slot->pages)
			return slot;
	return NULL;
}

/*
 * A 2 MiB page around the fault: it has to lie in the slot and have the same
 * offset on both sides, and nothing may have forced 4 KiB pages there: a table
 * goes away when its last page is zapped, as when the host collapses pages.
 */
static bool fault_may_be_large(const struct mvm_memory *memory,
			       const struct mvm_mem_slot *slot,
			       const struct fault *fault, u64 access)
{
	u64 first = (fault->gpa & ~(LARGE_SIZE - 1)) >> PAGE_SHIFT;
	unsigned int level;

	if (!mvm_caps.ept_2m || (fault->gpa ^ fault->hva) & (LARGE_SIZE - 1))
		return false;
	if (first < slot->gfn ||
	    first + EPT_ENTRIES > slot->gfn + slot->pages)
		return false;
	if (access == EPT_EXEC && !large_pages_execute())
		return false;
	ept_lookup(&memory->ept, fault->gpa, &level);
	return level >= EPT_LEVEL_2M;
}

/* Look the slot up and set @fault going; false: that is MMIO. */
static bool fault_begin(struct mvm_memory *memory, struct fault *fault, u64 gpa,
			u64 access)
{
	const struct mvm_mem_slot *slot;
	bool found = false;

	fault->gpa = gpa & PAGE_MASK;
	fault->write = access == EPT_WRITE;

	spin_lock(&memory->lock);
	slot = slot_find(memory, gpa >> PAGE_SHIFT);
	if (slot) {
		fault->hva = slot->hva +
			     (fault->gpa - (slot->gfn << PAGE_SHIFT));
		fault->writable = !(slot->flags & MVM_SLOT_READONLY);
		fault->may_be_large = fault_may_be_large(memory, slot, fault,
							 access);
		fault->seq = memory->invalidate_seq;
		found = fault->writable || !fault->write;
	}
	spin_unlock(&memory->lock);
	return found;
}

/*
 * Ask for the page behind the fault, in the owner's address space.  A read
 * takes the page as it is: it breaks no copy-on-write and allocates nothing
 * but what the host gives a reader; if the host could write to it already, so
 * may the guest.
 */
static int fault_get_page(struct fault *fault, bool *writable)
{
	unsigned int flags = FOLL_HWPOISON | (fault->write ? FOLL_WRITE : 0);
	struct page *page;
	long got;

	*writable = true;
	if (fault->writable &&
	    get_user_pages_fast_only(fault->hva, 1, FOLL_WRITE,
				     &fault->page) == 1)
		return 0;
	*writable = fault->write;
	if (!fault->write &&
	    get_user_pages_fast_only(fault->hva, 1, 0, &fault->page) == 1)
		return 0;
	got = get_user_pages_unlocked(fault->hva, 1, &fault->page, flags);
	if (got != 1)
		return got < 0 ? got : -EFAULT;
	/* of shared memory the host lets a reader write, too */
	if (!fault->write && fault->writable &&
	    get_user_pages_fast_only(fault->hva, 1, FOLL_WRITE, &page) == 1) {
		put_page(fault->page);
		fault->page = page;
		*writable = true;
	}
	return 0;
}

static void put_pages(struct page **pages, long count)
{
	while (count > 0)
		put_page(pages[--count]);
}

/*
 * Is the whole 2 MiB there, in one piece and in place?  On success the
 * references of 512 pages are held.  That it stays so is fault_is_stale()'s to
 * find out.
 */
static bool fault_get_large(const struct fault *fault, bool writable,
			    struct page **pages)
{
	unsigned long hva = fault->hva & ~(LARGE_SIZE - 1);
	unsigned long pfn = page_to_pfn(fault->page);
	unsigned long offset = (fault->hva - hva) >> PAGE_SHIFT;
	long got, i;

	/* cheap tests first: the batch is costly */
	if ((pfn & (EPT_ENTRIES - 1)) != offset ||
	    folio_order(page_folio(fault->page)) < LARGE_ORDER)
		return false;
	got = get_user_pages_fast_only(hva, EPT_ENTRIES,
				       writable ? FOLL_WRITE : 0, pages);
	for (i = 0; i < got; i++)
		if (page_to_pfn(pages[i]) != pfn - offset + i)
			break;
	if (i == EPT_ENTRIES)
		return true;
	put_pages(pages, got);
	return false;
}

/* Find what to map: fills in @fault's outcome. */
static int fault_find_pages(struct fault *fault, struct page **pages)
{
	bool writable;
	int error;

	error = fault_get_page(fault, &writable);
	if (error)
		return error;

	fault->level = EPT_LEVEL_4K;
	fault->access = EPT_READ | EPT_EXEC;
	if (fault->may_be_large && fault_get_large(fault, writable, pages)) {
		put_page(fault->page);
		fault->page = pages[0];
		fault->level = EPT_LEVEL_2M;
		fault->gpa &= ~(LARGE_SIZE - 1);
		fault->hva &= ~(LARGE_SIZE - 1);
		if (!large_pages_execute())
			fault->access &= ~EPT_EXEC;
	}
	if (writable)
		fault->access |= EPT_WRITE;
	return 0;
}

/*
 * May the host have taken the page away since it was looked up?  An
 * invalidation either runs now, or has finished since and raised the number, or
 * will find the mapping that the caller is about to make under the same lock.
 * Removing a slot raises the number, too.
 */
static bool fault_is_stale(const struct mvm_memory *memory,
			   const struct fault *fault)
{
	lockdep_assert_held(&memory->lock);
	if (memory->invalidate_seq != fault->seq)
		return true;
	return memory->invalidate_count &&
	       fault->hva < memory->invalidate_end &&
	       fault->hva + ept_span(fault->level) > memory->invalidate_start;
}

/*
 * Enter the page into the EPT.  If the guest may write to it, it is marked
 * dirty at once, since the CPU will not tell: to clean a page, the host has to
 * change its own mapping, which zaps ours.
 *
 * Return: 0; -EAGAIN: the page is stale; -ENOSPC; else as ept_map().
 */
static int fault_try_map(struct mvm_memory *memory,
			 struct mvm_fault_cache *cache,
			 const struct fault *fault)
{
	int error;

	if (fault_is_stale(memory, fault))
		return -EAGAIN;
	if (memory->ept.pages + EPT_MAP_TABLES > memory->max_tables)
		return -ENOSPC;
	error = ept_map(&memory->ept, fault->gpa, page_to_phys(fault->page),
			fault->level, fault->access, cache);
	if (!error && (fault->access & EPT_WRITE) &&
	    !PageReserved(fault->page))
		SetPageDirty(fault->page);
	return error;
}

/*
 * Map what was found.  A page of another size that is in the way is zapped
 * first, as if the host changed the range: the size of a mapping changes only
 * after a flush (SDM 3A 4.10.2.3), and no other vCPU may put the old one back
 * meanwhile, or two could do that to each other for ever.
 *
 * Return: 0; -EAGAIN: look the page up again.
 */
static int fault_map(struct mvm_vm *vm, struct mvm_fault_cache *cache,
		     const struct fault *fault)
{
	struct mvm_memory *memory = &vm->memory;
	unsigned long hva = fault->hva & ~(LARGE_SIZE - 1);
	LIST_HEAD(unlinked);
	bool zapped;
	int error;

	spin_lock(&memory->lock);
	error = fault_try_map(memory, cache, fault);
	if (error == -EEXIST) {
		invalidate_begin(memory, hva, hva + LARGE_SIZE);
		zapped = ept_unmap(&memory->ept, fault->gpa & ~(LARGE_SIZE - 1),
				   LARGE_SIZE, &unlinked);
		zap_finish(vm, zapped, &unlinked);

		spin_lock(&memory->lock);
		invalidate_finish(memory, false);
		error = fault_try_map(memory, cache, fault);
		/* other faults have seen what was there before */
		memory->invalidate_seq++;
	}
	spin_unlock(&memory->lock);

	if (error != -ENOSPC)
		return error;
	/* start again with an empty EPT: crude, but it bounds the memory */
	zap_gpa(vm, 0, 1ULL << EPT_GPA_BITS);
	return -EAGAIN;
}

/* With current->mm the owner's. */
static int fault_serve(struct mvm_vm *vm, struct mvm_fault_cache *cache,
		       struct fault *fault)
{
	int error;

	error = fault_find_pages(fault, cache->pages);
	if (error)
		return error;
	error = fault_map(vm, cache, fault);
	if (fault->level == EPT_LEVEL_2M)
		put_pages(cache->pages, EPT_ENTRIES);
	else
		put_page(fault->page);
	return error;
}

/* The same from any thread.  mm_users is held no longer than needed. */
static int fault_serve_for_owner(struct mvm_vm *vm,
				 struct mvm_fault_cache *cache,
				 struct fault *fault)
{
	int error;

	if (current->mm == vm->mm)
		return fault_serve(vm, cache, fault);
	if (WARN_ON_ONCE(current->mm) || !mmget_not_zero(vm->mm))
		return -EFAULT;
	kthread_use_mm(vm->mm);
	error = fault_serve(vm, cache, fault);
	kthread_unuse_mm(vm->mm);
	/* not mmput(): exit_mmap() would wait in memory_release() for us */
	mmput_async(vm->mm);
	return error;
}

/**
 * mvm_memory_fault - serve an EPT violation
 * @vm:		the VM
 * @cache:	the vCPU's
 * @gpa:	guest-physical address of the access
 * @access:	EPT_READ, EPT_WRITE or EPT_EXEC: what was tried
 * @error:	out, for MVM_FAULT_ERROR: EFAULT, EHWPOISON or ENOMEM, positive
 * @hva:	out, for MVM_FAULT_ERROR: the owner's address behind @gpa
 *
 * Context: a vCPU's kernel thread or a thread of the owner, outside any
 * window; sleeps as long as the owner's page faults take.
 * Return: see enum mvm_fault_result.
 */
enum mvm_fault_result mvm_memory_fault(struct mvm_vm *vm,
				       struct mvm_fault_cache *cache, u64 gpa,
				       u64 access, int *error,
				       unsigned long *hva)
{
	struct mvm_memory *memory = &vm->memory;
	unsigned int tries = 2;
	struct fault fault;
	int failed;

	do {
		fault = (struct fault){};
		if (!fault_begin(memory, &fault, gpa, access))
			return MVM_FAULT_MMIO;
		*hva = fault.hva + offset_in_page(gpa);
		failed = fault_cache_fill(vm, cache);
		if (!failed)
			failed = fault_serve_for_owner(vm, cache, &fault);
		if (failed != -EAGAIN)
			break;
		/*
		 * Stale: no wonder when the look-up itself broke copy-on-write.
		 * While the host changes the range, another try is in vain, and
		 * could keep the one who does it from the CPU.
		 */
		wait_event(memory->invalidated,
			   !READ_ONCE(memory->invalidate_count) ||
			   READ_ONCE(memory->invalidate_seq) != fault.seq);
	} while (--tries);

	/* trace point: gpa, access, fault.level, fault.access, failed */
	if (!failed || failed == -EAGAIN)
		return MVM_FAULT_MAPPED;
	/* also for a signal that kills the owner: nobody sees that */
	*error = failed == -EHWPOISON || failed == -ENOMEM ? -failed : EFAULT;
	return MVM_FAULT_ERROR;
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
	return 1ULL << min_t(unsigned int, EPT_GPA_BITS,
			     boot_cpu_data.x86_phys_bits);
}

static int slot_add(struct mvm_memory *memory, struct mvm_mem_slot *slot,
		    const struct mvm_slot *args)
{
	const struct mvm_mem_slot new = {
		.gfn = args->gpa >> PAGE_SHIFT,
		.pages = args->length >> PAGE_SHIFT,
		.hva = args->user_addr,
		.flags = args->flags,
	};
	const struct mvm_mem_slot *other;

	if (slot->pages)
		return -EEXIST;
	for_each_slot(memory, other)
		if (new.gfn < other->gfn + other->pages &&
		    other->gfn < new.gfn + new.pages)
			return -EEXIST;

	/* nothing is mapped there yet: no flush (SDM 3C 29.4.2) */
	spin_lock(&memory->lock);
	*slot = new;
	spin_unlock(&memory->lock);
	return 0;
}

static int slot_remove(struct mvm_vm *vm, struct mvm_mem_slot *slot)
{
	struct mvm_memory *memory = &vm->memory;
	LIST_HEAD(unlinked);
	bool zapped;

	if (!slot->pages)
		return -ENOENT;
	spin_lock(&memory->lock);
	zapped = ept_unmap(&memory->ept, slot->gfn << PAGE_SHIFT,
			   slot->pages << PAGE_SHIFT, &unlinked);
	*slot = (struct mvm_mem_slot){};
	/* faults on their way know the slot still */
	memory->invalidate_seq++;
	zap_finish(vm, zapped, &unlinked);
	return 0;
}

/**
 * mvm_memory_set_slot - add or remove a slot (MVM_SET_SLOT)
 * @vm:		the VM; its owner calls
 * @args:	see struct mvm_slot; a kernel copy, its size is checked already
 *
 * For a removal (length 0) the addresses are not looked at.
 *
 * Context: may sleep, takes slots_lock.
 * Return: 0, or what struct mvm_slot documents.
 */
int mvm_memory_set_slot(struct mvm_vm *vm, const struct mvm_slot *args)
{
	struct mvm_memory *memory = &vm->memory;
	u64 max_gpa = mvm_memory_max_gpa();
	struct mvm_mem_slot *slot;
	int error;

	if ((args->flags & ~MVM_SLOT_READONLY) || args->reserved ||
	    args->slot >= MVM_MAX_SLOTS)
		return -EINVAL;
	if (args->length) {
		if (!PAGE_ALIGNED(args->gpa | args->length | args->user_addr) ||
		    args->length > max_gpa ||
		    args->gpa > max_gpa - args->length)
			return -EINVAL;
		if (!access_ok((void __user *)(unsigned long)args->user_addr,
			       args->length))
			return -EFAULT;
	}

	slot = &memory->slots[array_index_nospec(args->slot, MVM_MAX_SLOTS)];
	mutex_lock(&memory->slots_lock);
	if (args->length)
		error = slot_add(memory, slot, args);
	else
		error = slot_remove(vm, slot);
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
 * Return: 0, -ENOMEM, or -ERESTARTNOINTR: a signal came first.
 */
int mvm_memory_init(struct mvm_vm *vm)
{
	struct mvm_memory *memory = &vm->memory;
	int error;

	mutex_init(&memory->slots_lock);
	spin_lock_init(&memory->lock);
	init_waitqueue_head(&memory->invalidated);
	atomic_set(&memory->closing, 0);
	memory->generation = 1;
	/*
	 * Every table has a page below it, so slots bound their number, but a
	 * slot may be huge and need little memory (the zero page).  1/64 of the
	 * host's pages suffice to map all its memory 8 times, page by page.
	 */
	memory->max_tables = max(totalram_pages() / 64, 1024UL);

	memory->flushed = alloc_percpu_gfp(u64, GFP_KERNEL_ACCOUNT);
	if (!memory->flushed)
		return -ENOMEM;
	error = ept_init(&memory->ept, &memory_ept_ops, NULL);
	if (error)
		goto free_flushed;
	memory->eptp = virt_to_phys(memory->ept.root) | EPTP_WALK_4 |
		       EPTP_TYPE_WB;

	vm->mm = current->mm;
	memory->notifier.ops = &memory_notifier_ops;
	error = mmu_notifier_register(&memory->notifier, vm->mm);
	if (error)
		goto destroy_ept;
	return 0;

destroy_ept:
	vm->mm = NULL;
	ept_destroy(&memory->ept);
free_flushed:
	free_percpu(memory->flushed);
	return error == -EINTR ? -ERESTARTNOINTR : error;
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

	/* drops mm_count: vm->mm is not valid any more */
	mmu_notifier_unregister(&memory->notifier, vm->mm);
	ept_destroy(&memory->ept);
	free_percpu(memory->flushed);
	mutex_destroy(&memory->slots_lock);
}
