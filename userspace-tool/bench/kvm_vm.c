// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm_vm.c - makes a VM of KVM: memory, vCPUs, their CPUID and registers, in the
 * formats of mini-vm.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../devices/ioapic.h"
#include "../report.h"
#include "bench.h"
#include "kvm_vm.h"

/* where KVM keeps what it needs to run real mode on old CPUs: no memory there */
#define KVM_TSS_ADDRESS		0xfffbd000
#define KVM_IDENTITY_ADDRESS	0xfffbc000

/**
 * kvm_vm_refused() - report that KVM refused something
 * @what: what; errno says why
 *
 * Return: STATUS_RESOURCE.
 */
int kvm_vm_refused(const char *what)
{
	report_error("KVM refused to %s: %s", what, strerror(errno));
	return STATUS_RESOURCE;
}

/**
 * kvm_vm_init() - so that kvm_vm_destroy() may come
 * @vm: out: nothing is there
 */
void kvm_vm_init(struct kvm_vm *vm)
{
	*vm = (struct kvm_vm) { .device = -1, .fd = -1, .vcpus = { -1, -1 } };
}

/**
 * kvm_vm_destroy() - undo kvm_vm_create() and kvm_vm_add_vcpu(), also those that failed
 * @vm: the VM
 */
void kvm_vm_destroy(struct kvm_vm *vm)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(vm->vcpus); i++) {
		if (vm->runs[i])
			munmap(vm->runs[i], vm->run_size);
		if (vm->vcpus[i] >= 0)
			close(vm->vcpus[i]);
	}
	if (vm->fd >= 0)
		close(vm->fd);
	if (vm->device >= 0)
		close(vm->device);
}

static int add_memory(const struct kvm_vm *vm, const struct guest_mem *mem)
{
	unsigned int i;

	for (i = 0; i < mem->count; i++) {
		const struct guest_region *region = &mem->regions[i];
		struct kvm_userspace_memory_region slot = {
			.slot = i,
			.flags = region->readonly ? KVM_MEM_READONLY : 0,
			.guest_phys_addr = region->gpa,
			.memory_size = region->length,
			.userspace_addr = (u64)(uintptr_t)region->host,
		};

		if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &slot))
			return kvm_vm_refused("map the guest's memory");
	}
	return STATUS_OK;
}

/* The halt polling of mini-vm. */
static int set_halt_polling(const struct kvm_vm *vm, u64 ns)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_HALT_POLL, .args = { ns } };

	return ioctl(vm->fd, KVM_ENABLE_CAP, &cap) ? kvm_vm_refused("set the halt polling") :
						     STATUS_OK;
}

static int create_irqchip(const struct kvm_vm *vm, enum kvm_vm_irqchip irqchip)
{
	struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { IOAPIC_PINS } };
	int error = irqchip == KVM_VM_IRQCHIP_ALL ? ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0UL) :
						 ioctl(vm->fd, KVM_ENABLE_CAP, &split);

	return error ? kvm_vm_refused("make interrupt controllers") : STATUS_OK;
}

/**
 * kvm_vm_create() - make a VM with memory and without a vCPU
 * @vm: initialised
 * @irqchip: its interrupt controllers
 * @mem: its memory
 *
 * Return: STATUS_OK, or another status after a report; kvm_vm_destroy() is due in
 * either case.
 */
int kvm_vm_create(struct kvm_vm *vm, enum kvm_vm_irqchip irqchip, const struct guest_mem *mem)
{
	u64 identity = KVM_IDENTITY_ADDRESS;
	int status;

	vm->device = open(KVM_PATH, O_RDWR | O_CLOEXEC);
	if (vm->device < 0)
		return kvm_vm_refused("open " KVM_PATH);
	vm->fd = ioctl(vm->device, KVM_CREATE_VM, 0UL);
	if (vm->fd < 0)
		return kvm_vm_refused("make a VM");
	if (ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) ||
	    ioctl(vm->fd, KVM_SET_TSS_ADDR, (unsigned long)KVM_TSS_ADDRESS))
		return kvm_vm_refused("place its own pages");
	status = create_irqchip(vm, irqchip);
	if (status == STATUS_OK)
		status = set_halt_polling(vm, bench_halt_poll_ns());
	return status == STATUS_OK ? add_memory(vm, mem) : status;
}

static int set_cpuid(const struct kvm_vm *vm, unsigned int id,
		     const struct mvm_cpuid_entry *entries, u32 count)
{
	struct kvm_cpuid2 *table = calloc(1, sizeof(*table) + count * sizeof(table->entries[0]));
	int status = STATUS_OK;
	u32 i;

	if (!table) {
		report_error("there is no memory for the benchmark");
		return STATUS_RESOURCE;
	}
	for (i = 0; i < count; i++)
		table->entries[i] = (struct kvm_cpuid_entry2) {
			.function = entries[i].function,
			.index = entries[i].index,
			.flags = entries[i].flags & MVM_CPUID_INDEXED ?
					 KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
			.eax = entries[i].eax, .ebx = entries[i].ebx,
			.ecx = entries[i].ecx, .edx = entries[i].edx,
		};
	table->nent = count;
	if (ioctl(vm->vcpus[id], KVM_SET_CPUID2, table))
		status = kvm_vm_refused("show the guest mini-vm's CPUID");
	free(table);
	return status;
}

/**
 * kvm_vm_add_vcpu() - make a vCPU
 * @vm: the VM
 * @id: its number
 * @entries: the CPUID that the guest sees
 * @count: of them
 *
 * Return: STATUS_OK, or another status after a report.
 */
int kvm_vm_add_vcpu(struct kvm_vm *vm, unsigned int id, const struct mvm_cpuid_entry *entries,
		    u32 count)
{
	int size = ioctl(vm->device, KVM_GET_VCPU_MMAP_SIZE, 0UL);
	void *run;

	vm->vcpus[id] = ioctl(vm->fd, KVM_CREATE_VCPU, (unsigned long)id);
	if (size < 0 || vm->vcpus[id] < 0)
		return kvm_vm_refused("make a vCPU");
	run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vm->vcpus[id], 0);
	if (run == MAP_FAILED)
		return kvm_vm_refused("map its page");
	vm->runs[id] = run;
	vm->run_size = (size_t)size;
	return set_cpuid(vm, id, entries, count);
}

/* Access rights in the VMX format (SDM 3C 25.4.1), taken apart. */
static struct kvm_segment segment(const struct mvm_segment *from)
{
	u32 access = from->access;

	return (struct kvm_segment) {
		.base = from->base,
		.limit = from->limit,
		.selector = from->selector,
		.type = access & 15,
		.s = access >> 4 & 1,
		.dpl = access >> 5 & 3,
		.present = access >> 7 & 1,
		.avl = access >> 12 & 1,
		.l = access >> 13 & 1,
		.db = access >> 14 & 1,
		.g = access >> 15 & 1,
		.unusable = access >> 16 & 1,
	};
}

static struct kvm_dtable dtable(const struct mvm_table *from)
{
	return (struct kvm_dtable) { .base = from->base, .limit = from->limit };
}

/**
 * kvm_vm_set_registers() - what the guest begins with
 * @vm: the VM
 * @id: number of the vCPU
 * @from: system registers
 * @gpr: general registers, MVM_NR_GPRS of them
 * @rip: instruction pointer
 * @rflags: flags
 *
 * Return: STATUS_OK, or another status after a report.
 */
int kvm_vm_set_registers(const struct kvm_vm *vm, unsigned int id, const struct mvm_sregs *from,
			 const u64 *gpr, u64 rip, u64 rflags)
{
	const struct kvm_regs regs = {
		.rax = gpr[MVM_RAX], .rbx = gpr[MVM_RBX],
		.rcx = gpr[MVM_RCX], .rdx = gpr[MVM_RDX],
		.rsi = gpr[MVM_RSI], .rdi = gpr[MVM_RDI],
		.rsp = gpr[MVM_RSP], .rbp = gpr[MVM_RBP],
		.r8 = gpr[MVM_R8], .r9 = gpr[MVM_R9],
		.r10 = gpr[MVM_R10], .r11 = gpr[MVM_R11],
		.r12 = gpr[MVM_R12], .r13 = gpr[MVM_R13],
		.r14 = gpr[MVM_R14], .r15 = gpr[MVM_R15],
		.rip = rip, .rflags = rflags,
	};
	/* one that is not the first does not wait for a SIPI */
	struct kvm_mp_state runnable = { .mp_state = KVM_MP_STATE_RUNNABLE };
	struct kvm_sregs sregs;
	int vcpu = vm->vcpus[id];

	memset(&sregs, 0, sizeof(sregs));
	sregs.cs = segment(&from->cs);
	sregs.ds = segment(&from->ds);
	sregs.es = segment(&from->es);
	sregs.fs = segment(&from->fs);
	sregs.gs = segment(&from->gs);
	sregs.ss = segment(&from->ss);
	sregs.tr = segment(&from->tr);
	sregs.ldt = segment(&from->ldt);
	sregs.gdt = dtable(&from->gdt);
	sregs.idt = dtable(&from->idt);
	sregs.cr0 = from->cr0;
	sregs.cr3 = from->cr3;
	sregs.cr4 = from->cr4;
	sregs.efer = from->efer;
	sregs.apic_base = from->apic_base;
	if (ioctl(vcpu, KVM_SET_SREGS, &sregs) || ioctl(vcpu, KVM_SET_REGS, &regs) ||
	    ioctl(vcpu, KVM_SET_MP_STATE, &runnable))
		return kvm_vm_refused("set the guest's registers");
	return STATUS_OK;
}

/**
 * kvm_vm_post_writes() - let the guest run on when it writes to a port
 * @vm: writes to the port go to @vm->ring
 * @port: the port
 * @bytes: width of the writes
 *
 * Return: STATUS_OK, or another status after a report.
 */
int kvm_vm_post_writes(struct kvm_vm *vm, u16 port, u8 bytes)
{
	struct kvm_coalesced_mmio_zone zone = { .addr = port, .size = bytes, .pio = 1 };
	int page = ioctl(vm->fd, KVM_CHECK_EXTENSION, (unsigned long)KVM_CAP_COALESCED_MMIO);

	if (page <= 0 || ioctl(vm->fd, KVM_REGISTER_COALESCED_MMIO, &zone))
		return kvm_vm_refused("keep the writes to a port");
	vm->ring = (void *)((u8 *)vm->runs[0] + (size_t)page * GUEST_PAGE);
	return STATUS_OK;
}
