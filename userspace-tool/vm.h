/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vm.h - the kernel module's file descriptors: device, VM, vCPU.
 */
#ifndef MINI_VM_VM_H
#define MINI_VM_VM_H

#include <linux/mini_vm.h>

#include "guest_mem.h"
#include "types.h"

/* vCPUs of a VM; acpi/dsdt.asl names so many */
#define VM_VCPUS_MAX	8

/* counters of a vCPU, more than there are */
#define VM_STATS_MAX	128

/**
 * struct vcpu - a vCPU of the module
 * @fd:		its descriptor
 * @run:	its run page
 */
struct vcpu {
	int fd;
	struct mvm_run *run;
};

/**
 * struct vm - a VM of the module with its vCPUs
 * @device:	descriptor of /dev/mini-vm
 * @fd:		VM descriptor, -1: none
 * @vcpus:	the vCPUs; the first is the bootstrap processor
 * @vcpu_count:	how many there are
 * @info:	what the module offers
 * @phys_bits:	the guest's MAXPHYADDR
 */
struct vm {
	int device;
	int fd;
	struct vcpu vcpus[VM_VCPUS_MAX];
	unsigned int vcpu_count;
	struct mvm_info info;
	unsigned int phys_bits;
};

int vm_open_device(struct vm *vm);
void vm_close_device(struct vm *vm);
int vm_get_supported_cpuid(const struct vm *vm, struct mvm_cpuid_entry *entries, u32 *count);
int vm_create(struct vm *vm, const char *name, const struct guest_mem *mem);
int vm_add_vcpu(struct vm *vm);
int vm_add_kvm_leaves(struct mvm_cpuid_entry *entries, u32 *count);
int vm_offer_kvm(const struct vcpu *vcpu);
void vm_destroy(struct vm *vm);
int vm_get_sregs(const struct vcpu *vcpu, struct mvm_sregs *sregs);
int vm_set_sregs(const struct vcpu *vcpu, struct mvm_sregs *sregs);
int vm_set_virtual_wire(const struct vcpu *vcpu);
int vm_wait_for_sipi(const struct vcpu *vcpu);
int vm_start(const struct vcpu *vcpu);
int vm_run(const struct vcpu *vcpu, bool lend);
int vm_signal_msi(const struct vm *vm, u64 address, u32 data);
int vm_kick(const struct vcpu *vcpu);
int vm_get_tsc(const struct vcpu *vcpu, u64 *tsc);
int vm_set_tsc(const struct vcpu *vcpu, u64 tsc);
int vm_get_lapic(const struct vcpu *vcpu, struct mvm_lapic *lapic);
int vm_set_lapic(const struct vcpu *vcpu, struct mvm_lapic *lapic);
int vm_set_intr(const struct vcpu *vcpu, bool level);
int vm_lapic_read(const struct vcpu *vcpu, u32 offset, u32 *value);
int vm_lapic_write(const struct vcpu *vcpu, u32 offset, u32 value);
int vm_set_doorbell(const struct vm *vm, u16 port, u8 bytes, int eventfd);
int vm_post_writes(const struct vm *vm, u16 port);
struct mvm_ring *vm_ring(const struct vm *vm);
bool vm_next_posted(const struct vm *vm, struct mvm_posted_write *write);
u32 vm_get_stats(const struct vm *vm, struct mvm_stat stats[VM_STATS_MAX]);

#endif /* MINI_VM_VM_H */
