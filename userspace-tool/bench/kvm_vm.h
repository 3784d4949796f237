/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kvm_vm.h - a VM of KVM, for both guests of the benchmark.
 */
#ifndef MINI_VM_KVM_VM_H
#define MINI_VM_KVM_VM_H

#include <linux/kvm.h>
#include <linux/mini_vm.h>

#include "../guest_mem.h"
#include "../types.h"
#include "bench.h"

/* Writes that the ring of coalesced accesses, a page, has room for. */
#define KVM_RING_ENTRIES \
	((GUEST_PAGE - sizeof(struct kvm_coalesced_mmio_ring)) / sizeof(struct kvm_coalesced_mmio))

/* Which interrupt controllers KVM has in the kernel. */
enum kvm_vm_irqchip {
	KVM_VM_IRQCHIP_ALL,
	KVM_VM_IRQCHIP_LAPIC,	/* "split": those of the board are in user space */
};

/**
 * struct kvm_vm - a VM of KVM
 * @device:	/dev/kvm
 * @fd:		VM
 * @vcpus:	vCPUs
 * @runs:	their shared pages
 * @run_size:	bytes of each
 * @ring:	in there: writes that were kept; NULL: not asked for
 */
struct kvm_vm {
	int device;
	int fd;
	int vcpus[BENCH_VCPUS];
	struct kvm_run *runs[BENCH_VCPUS];
	size_t run_size;
	struct kvm_coalesced_mmio_ring *ring;
};

int kvm_vm_refused(const char *what);
void kvm_vm_init(struct kvm_vm *vm);
int kvm_vm_create(struct kvm_vm *vm, enum kvm_vm_irqchip irqchip, const struct guest_mem *mem);
int kvm_vm_add_vcpu(struct kvm_vm *vm, unsigned int id, const struct mvm_cpuid_entry *entries,
		    u32 count);
void kvm_vm_destroy(struct kvm_vm *vm);
int kvm_vm_set_registers(const struct kvm_vm *vm, unsigned int id, const struct mvm_sregs *from,
			 const u64 *gpr, u64 rip, u64 rflags);
int kvm_vm_post_writes(struct kvm_vm *vm, u16 port, u8 bytes);

/* Empty the ring; here, so that the compiler sees what is done with each write. */
static inline void kvm_vm_take_posted(struct kvm_coalesced_mmio_ring *ring,
				      void (*take)(void *context,
						   const struct kvm_coalesced_mmio *write),
				      void *context)
{
	u32 first = ring->first, last = __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE);

	for (; first != last; first = (first + 1) % KVM_RING_ENTRIES)
		take(context, &ring->coalesced_mmio[first]);
	__atomic_store_n(&ring->first, first, __ATOMIC_RELEASE);
}

#endif /* MINI_VM_KVM_VM_H */
