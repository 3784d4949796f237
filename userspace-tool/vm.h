/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vm.h - the kernel module's file descriptors: device, VM, vCPU.
 */
#ifndef MINI_VM_VM_H
#define MINI_VM_VM_H

#include <linux/mini_vm.h>

#include "guest_mem.h"
#include "types.h"

/**
 * struct vm - a VM of the module with its one vCPU
 * @device:	descriptor of /dev/mini-vm
 * @fd:		VM descriptor, -1: none
 * @vcpu:	vCPU descriptor, -1: none
 * @run:	the run page
 * @info:	what the module offers
 * @phys_bits:	the guest's MAXPHYADDR
 */
struct vm {
	int device;
	int fd;
	int vcpu;
	struct mvm_run *run;
	struct mvm_info info;
	unsigned int phys_bits;
};

int vm_open_device(struct vm *vm);
void vm_close_device(struct vm *vm);
int vm_get_supported_cpuid(const struct vm *vm, struct mvm_cpuid_entry *entries, u32 *count);
int vm_create(struct vm *vm, const char *name, const struct guest_mem *mem);
void vm_destroy(struct vm *vm);
int vm_get_sregs(const struct vm *vm, struct mvm_sregs *sregs);
int vm_set_sregs(const struct vm *vm, struct mvm_sregs *sregs);
int vm_set_virtual_wire(const struct vm *vm);
int vm_start(const struct vm *vm);
int vm_run(const struct vm *vm, bool lend);
int vm_signal_msi(const struct vm *vm, u64 address, u32 data);
int vm_kick(const struct vm *vm);
int vm_get_tsc(const struct vm *vm, u64 *tsc);
int vm_set_tsc(const struct vm *vm, u64 tsc);
int vm_get_lapic(const struct vm *vm, struct mvm_lapic *lapic);
int vm_set_lapic(const struct vm *vm, struct mvm_lapic *lapic);
int vm_set_intr(const struct vm *vm, bool level);
int vm_lapic_read(const struct vm *vm, u32 offset, u32 *value);
int vm_lapic_write(const struct vm *vm, u32 offset, u32 value);
u32 vm_get_stats(const struct vm *vm, struct mvm_stat *stats, u32 room);

#endif /* MINI_VM_VM_H */
