// SPDX-License-Identifier: GPL-2.0-only
/*
 * vm.c - every ioctl of the module that the command line uses, one function
 * each (see ../uapi/linux/mini_vm.h).
 *
 * Functions that can fail for reasons a person can mend report them; the rest
 * return -errno.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lapic.h"
#include "report.h"
#include "vm.h"

#define DEFAULT_PHYS_BITS	36
#define CPUID_PHYS_BITS		0x80000008
#define KVM_LEAVES		0x40000100

/* mvm_events.activity (SDM 3C 25.4.2) */
#define ACTIVITY_WAIT_SIPI	3

/* IA32_TIME_STAMP_COUNTER (SDM 4, table 2-2) */
#define MSR_TSC			0x10

static int report_open(int error)
{
	switch (error) {
	case ENOENT:
		report_error("there is no %s: the kernel module is not loaded; run 'modprobe mini_vm' as root, or 'mini-vm check' to learn why that fails",
			     MVM_DEVICE_PATH);
		break;
	case EACCES:
	case EPERM:
		report_error("you may not use %s; run as root, or join the group mini-vm ('sudo adduser USER mini-vm') and log in again",
			     MVM_DEVICE_PATH);
		break;
	case ENODEV:
	case ENXIO:
		report_error("%s has no driver behind it; load the kernel module again",
			     MVM_DEVICE_PATH);
		break;
	default:
		report_error("cannot open %s: %s", MVM_DEVICE_PATH,
			     strerror(error));
		break;
	}
	return STATUS_MACHINE;
}

/**
 * vm_open_device() - open the device and compare versions
 * @vm: to initialise; device and info are filled in
 *
 * Return: STATUS_OK, or STATUS_MACHINE after a report.
 */
int vm_open_device(struct vm *vm)
{
	memset(vm, 0, sizeof(*vm));
	vm->fd = -1;
	vm->info.size = sizeof(vm->info);
	vm->device = open(MVM_DEVICE_PATH, O_RDWR | O_CLOEXEC);
	if (vm->device < 0)
		return report_open(errno);
	if (ioctl(vm->device, MVM_GET_INFO, &vm->info)) {
		report_error("%s does not answer as the mini-vm module does (%s); load the module of this version",
			     MVM_DEVICE_PATH, strerror(errno));
		vm_close_device(vm);
		return STATUS_MACHINE;
	}
	if (vm->info.abi_version != MVM_ABI_VERSION) {
		report_error("the kernel module and this command differ: the module has ABI version %u, the command %u; install both from the same release",
			     vm->info.abi_version, MVM_ABI_VERSION);
		vm_close_device(vm);
		return STATUS_MACHINE;
	}
	return STATUS_OK;
}

/**
 * vm_close_device() - close the device
 * @vm: opened by vm_open_device(); ignored when that failed
 */
void vm_close_device(struct vm *vm)
{
	if (vm->device >= 0)
		close(vm->device);
	vm->device = -1;
}

/**
 * vm_get_supported_cpuid() - read what guests may be shown
 * @vm: the device is open
 * @entries: out: MVM_CPUID_MAX entries
 * @count: out: how many are filled in
 *
 * Return: 0 or -errno.
 */
int vm_get_supported_cpuid(const struct vm *vm, struct mvm_cpuid_entry *entries, u32 *count)
{
	struct mvm_cpuid table = {
		.size = sizeof(table),
		.count = MVM_CPUID_MAX,
		.entries = (u64)(uintptr_t)entries,
	};

	memset(entries, 0, MVM_CPUID_MAX * sizeof(*entries));
	if (ioctl(vm->device, MVM_GET_SUPPORTED_CPUID, &table))
		return -errno;
	*count = table.count < MVM_CPUID_MAX ? table.count : MVM_CPUID_MAX;
	return 0;
}

static int failed(const char *what)
{
	report_error("the kernel module refused to %s: %s", what,
		     strerror(errno));
	return STATUS_RESOURCE;
}

static int add_slots(struct vm *vm, const struct guest_mem *mem)
{
	unsigned int i;

	for (i = 0; i < mem->count; i++) {
		const struct guest_region *region = &mem->regions[i];
		struct mvm_slot slot = {
			.size = sizeof(slot),
			.flags = region->readonly ? MVM_SLOT_READONLY : 0,
			.slot = i,
			.gpa = region->gpa,
			.length = region->length,
			.user_addr = (u64)(uintptr_t)region->host,
		};

		if (ioctl(vm->fd, MVM_SET_SLOT, &slot))
			return failed("map the guest's memory");
	}
	return STATUS_OK;
}

/* A vCPU's CPUID table: 0 or -errno. */
static int get_cpuid(const struct vcpu *vcpu, struct mvm_cpuid_entry entries[MVM_CPUID_MAX],
		     struct mvm_cpuid *table)
{
	*table = (struct mvm_cpuid) {
		.size = sizeof(*table),
		.count = MVM_CPUID_MAX,
		.entries = (u64)(uintptr_t)entries,
	};
	memset(entries, 0, MVM_CPUID_MAX * sizeof(*entries));
	return ioctl(vcpu->fd, MVM_GET_CPUID, table) ? -errno : 0;
}

/* MAXPHYADDR as the guest's CPUID tells it. */
static unsigned int read_phys_bits(const struct vm *vm)
{
	struct mvm_cpuid_entry entries[MVM_CPUID_MAX];
	struct mvm_cpuid table;
	unsigned int i;

	if (get_cpuid(&vm->vcpus[0], entries, &table))
		return DEFAULT_PHYS_BITS;
	for (i = 0; i < table.count && i < MVM_CPUID_MAX; i++) {
		unsigned int bits = entries[i].eax & 0xff;

		if (entries[i].function == CPUID_PHYS_BITS && bits >= 32 &&
		    bits <= 52)
			return bits;
	}
	return DEFAULT_PHYS_BITS;
}

/**
 * vm_create() - make a VM with the given memory and no vCPU
 * @vm: the device is open
 * @name: name of the VM, checked by the caller
 * @mem: guest memory
 *
 * Return: STATUS_OK, or another status after a report.
 */
int vm_create(struct vm *vm, const char *name, const struct guest_mem *mem)
{
	struct mvm_create_vm create = {
		.size = sizeof(create),
		.flags = MVM_VM_EXIT_EOI,
	};
	int status;

	strncpy((char *)create.name, name, sizeof(create.name) - 1);
	vm->fd = ioctl(vm->device, MVM_CREATE_VM, &create);
	if (vm->fd < 0 && errno == ENOSPC) {
		report_error("this machine already runs %u VMs, which is all the kernel module allows; stop one",
			     vm->info.max_vms);
		return STATUS_RESOURCE;
	}
	if (vm->fd < 0)
		return failed("make a VM");
	status = add_slots(vm, mem);
	if (status != STATUS_OK)
		vm_destroy(vm);
	return status;
}

/**
 * vm_add_vcpu() - make the next vCPU
 * @vm: made by vm_create(), with fewer vCPUs than VM_VCPUS_MAX
 *
 * Its thread begins on the CPUs that this thread may use.
 *
 * Return: STATUS_OK, or another status after a report; vm_destroy() is due in
 * either case.
 */
int vm_add_vcpu(struct vm *vm)
{
	struct mvm_create_vcpu create = {
		.size = sizeof(create),
		.id = vm->vcpu_count,
	};
	struct vcpu vcpu;

	if (vm->info.run_size < MVM_RING_OFFSET + sizeof(struct mvm_ring)) {
		report_error("the kernel module's run page is too small; install module and command from the same release");
		return STATUS_MACHINE;
	}
	vcpu.fd = ioctl(vm->fd, MVM_CREATE_VCPU, &create);
	if (vcpu.fd < 0)
		return failed("make a vCPU");
	vcpu.run = mmap(NULL, vm->info.run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			vcpu.fd, 0);
	if (vcpu.run == MAP_FAILED) {
		close(vcpu.fd);
		return failed("map the run page");
	}
	vm->vcpus[vm->vcpu_count++] = vcpu;
	vm->phys_bits = read_phys_bits(vm);
	return STATUS_OK;
}

/**
 * vm_add_kvm_leaves() - KVM's interface, without a feature, in a table of CPUID
 * @entries: MVM_CPUID_MAX entries
 * @count: how many are in use
 *
 * Linux, which knows KVM by name, then trusts the x2APIC without interrupt
 * remapping.  mini-vm's own leaves stay where they are; guests look for others at
 * multiples of 0x100 (Linux' Documentation/virt/kvm/x86/cpuid.rst).
 *
 * Return: 0, or -E2BIG.
 */
int vm_add_kvm_leaves(struct mvm_cpuid_entry *entries, u32 *count)
{
	struct mvm_cpuid_entry *entry = &entries[*count];
	char signature[12] = "KVMKVMKVM";

	if (*count + 2 > MVM_CPUID_MAX)
		return -E2BIG;
	entry[0].function = KVM_LEAVES;
	entry[0].eax = KVM_LEAVES + 1;
	memcpy(&entry[0].ebx, signature, 4);
	memcpy(&entry[0].ecx, signature + 4, 4);
	memcpy(&entry[0].edx, signature + 8, 4);
	/* features: none */
	entry[1].function = KVM_LEAVES + 1;
	*count += 2;
	return 0;
}

/**
 * vm_offer_kvm() - let the guest find KVM's interface, without a feature
 * @vcpu: has not run yet
 *
 * Return: 0 or -errno.
 */
int vm_offer_kvm(const struct vcpu *vcpu)
{
	struct mvm_cpuid_entry entries[MVM_CPUID_MAX];
	struct mvm_cpuid table;
	int error = get_cpuid(vcpu, entries, &table);

	if (!error)
		error = vm_add_kvm_leaves(entries, &table.count);
	if (error)
		return error;
	return ioctl(vcpu->fd, MVM_SET_CPUID, &table) ? -errno : 0;
}

/**
 * vm_destroy() - end the VM; its vCPUs stop
 * @vm: made by vm_create(), or without a VM
 */
void vm_destroy(struct vm *vm)
{
	while (vm->vcpu_count) {
		struct vcpu *vcpu = &vm->vcpus[--vm->vcpu_count];

		munmap(vcpu->run, vm->info.run_size);
		close(vcpu->fd);
	}
	if (vm->fd >= 0)
		close(vm->fd);
	vm->fd = -1;
}

/**
 * vm_get_sregs() - read the system registers
 * @vcpu: is stopped
 * @sregs: out
 *
 * Return: 0 or -errno.
 */
int vm_get_sregs(const struct vcpu *vcpu, struct mvm_sregs *sregs)
{
	memset(sregs, 0, sizeof(*sregs));
	sregs->size = sizeof(*sregs);
	return ioctl(vcpu->fd, MVM_GET_SREGS, sregs) ? -errno : 0;
}

/**
 * vm_set_sregs() - write the system registers
 * @vcpu: is stopped
 * @sregs: new values
 *
 * Return: 0 or -errno.
 */
int vm_set_sregs(const struct vcpu *vcpu, struct mvm_sregs *sregs)
{
	sregs->size = sizeof(*sregs);
	sregs->flags = 0;
	return ioctl(vcpu->fd, MVM_SET_SREGS, sregs) ? -errno : 0;
}

/**
 * vm_set_virtual_wire() - wire the PIC to the CPU as a PC's firmware does
 * @vcpu: the first one, which has not run yet
 *
 * Return: 0 or -errno.
 */
int vm_set_virtual_wire(const struct vcpu *vcpu)
{
	struct mvm_lapic lapic = { .size = sizeof(lapic) };

	if (ioctl(vcpu->fd, MVM_GET_LAPIC, &lapic))
		return -errno;
	lapic.regs[LAPIC_SVR >> 4] = WIRE_SVR;
	lapic.regs[LAPIC_LVT_LINT0 >> 4] = WIRE_LVT_LINT0;
	lapic.regs[LAPIC_LVT_LINT1 >> 4] = WIRE_LVT_LINT1;
	return ioctl(vcpu->fd, MVM_SET_LAPIC, &lapic) ? -errno : 0;
}

/**
 * vm_wait_for_sipi() - let the vCPU wait until the guest starts it
 * @vcpu: not the first one; it has not run yet
 *
 * Return: 0 or -errno.
 */
int vm_wait_for_sipi(const struct vcpu *vcpu)
{
	struct mvm_events events = {
		.size = sizeof(events),
		.activity = ACTIVITY_WAIT_SIPI,
	};

	return ioctl(vcpu->fd, MVM_SET_EVENTS, &events) ? -errno : 0;
}

/**
 * vm_start() - let the vCPU run until its next exit
 * @vcpu: is stopped; the run page holds the answer to the last exit
 *
 * Return: 0 or -errno.
 */
int vm_start(const struct vcpu *vcpu)
{
	struct mvm_run_request request = {
		.size = sizeof(request),
		.flags = MVM_RUN_ASYNC,
	};

	return ioctl(vcpu->fd, MVM_RUN, &request) ? -errno : 0;
}

/**
 * vm_run() - let the vCPU run, and wait for its next exit
 * @vcpu: is stopped; the run page holds the answer to the last exit
 * @lend: in this thread, not in the vCPU's
 *
 * Return: 0 or -errno; a signal does not end the wait.
 */
int vm_run(const struct vcpu *vcpu, bool lend)
{
	struct mvm_run_request request = {
		.size = sizeof(request),
		.flags = lend ? MVM_RUN_LEND : 0,
	};

	while (ioctl(vcpu->fd, MVM_RUN, &request))
		if (errno != EINTR)
			return -errno;
	return 0;
}

/**
 * vm_kick() - make the vCPU look at mvm_run.immediate_exit
 * @vcpu: may run
 *
 * Return: 0 or -errno.
 */
int vm_kick(const struct vcpu *vcpu)
{
	struct mvm_kick kick = { .size = sizeof(kick) };

	return ioctl(vcpu->fd, MVM_KICK, &kick) ? -errno : 0;
}

/* One MSR, by MVM_GET_MSRS or MVM_SET_MSRS. */
static int access_msr(const struct vcpu *vcpu, unsigned long command, struct mvm_msr_entry *entry)
{
	struct mvm_msrs msrs = {
		.size = sizeof(msrs),
		.count = 1,
		.entries = (u64)(uintptr_t)entry,
	};

	return ioctl(vcpu->fd, command, &msrs) ? -errno : 0;
}

/**
 * vm_get_tsc() - read the guest's time-stamp counter
 * @vcpu: is stopped
 * @tsc: out
 *
 * Return: 0 or -errno.
 */
int vm_get_tsc(const struct vcpu *vcpu, u64 *tsc)
{
	struct mvm_msr_entry entry = { .index = MSR_TSC };
	int error = access_msr(vcpu, MVM_GET_MSRS, &entry);

	*tsc = entry.data;
	return error;
}

/**
 * vm_set_tsc() - set the guest's time-stamp counter
 * @vcpu: is stopped
 * @tsc: from where it counts on
 *
 * Return: 0 or -errno.
 */
int vm_set_tsc(const struct vcpu *vcpu, u64 tsc)
{
	struct mvm_msr_entry entry = { .index = MSR_TSC, .data = tsc };

	return access_msr(vcpu, MVM_SET_MSRS, &entry);
}

/**
 * vm_get_lapic() - read the local APIC
 * @vcpu: is stopped
 * @lapic: out
 *
 * Return: 0 or -errno.
 */
int vm_get_lapic(const struct vcpu *vcpu, struct mvm_lapic *lapic)
{
	memset(lapic, 0, sizeof(*lapic));
	lapic->size = sizeof(*lapic);
	return ioctl(vcpu->fd, MVM_GET_LAPIC, lapic) ? -errno : 0;
}

/**
 * vm_set_lapic() - write the local APIC
 * @vcpu: is stopped
 * @lapic: from vm_get_lapic()
 *
 * Return: 0 or -errno.
 */
int vm_set_lapic(const struct vcpu *vcpu, struct mvm_lapic *lapic)
{
	return ioctl(vcpu->fd, MVM_SET_LAPIC, lapic) ? -errno : 0;
}

/**
 * vm_set_intr() - drive the vCPU's INTR pin
 * @vcpu: may run
 * @level: level of the pin
 *
 * Return: 0 or -errno.
 */
int vm_set_intr(const struct vcpu *vcpu, bool level)
{
	struct mvm_line line = {
		.size = sizeof(line),
		.line = MVM_LINE_INTR,
		.level = level,
	};

	return ioctl(vcpu->fd, MVM_SET_LINE, &line) ? -errno : 0;
}

/**
 * vm_signal_msi() - send an interrupt message to the local APICs
 * @vm: its vCPUs may run
 * @address: message address
 * @data: message data
 *
 * Return: 0 or -errno; -ENOENT: no local APIC matches the destination.
 */
int vm_signal_msi(const struct vm *vm, u64 address, u32 data)
{
	struct mvm_msi msi = {
		.size = sizeof(msi),
		.address = address,
		.data = data,
	};

	return ioctl(vm->fd, MVM_SIGNAL_MSI, &msi) ? -errno : 0;
}

/**
 * vm_lapic_read() - read a register of the local APIC
 * @vcpu: is stopped
 * @offset: from the APIC's base, a multiple of 16
 * @value: out
 *
 * Return: 0 or -errno.
 */
int vm_lapic_read(const struct vcpu *vcpu, u32 offset, u32 *value)
{
	struct mvm_lapic_access access = {
		.size = sizeof(access),
		.offset = offset,
	};

	if (ioctl(vcpu->fd, MVM_LAPIC_ACCESS, &access))
		return -errno;
	*value = access.value;
	return 0;
}

/**
 * vm_lapic_write() - write a register of the local APIC
 * @vcpu: is stopped
 * @offset: from the APIC's base, a multiple of 16
 * @value: what to write
 *
 * Return: 0 or -errno.
 */
int vm_lapic_write(const struct vcpu *vcpu, u32 offset, u32 value)
{
	struct mvm_lapic_access access = {
		.size = sizeof(access),
		.flags = MVM_LAPIC_WRITE,
		.offset = offset,
		.value = value,
	};

	return ioctl(vcpu->fd, MVM_LAPIC_ACCESS, &access) ? -errno : 0;
}

/**
 * vm_set_doorbell() - signal an eventfd when the guest writes to a port
 * @vm: a VM
 * @port: the port
 * @bytes: width of the writes, of any value; 0: any width
 * @eventfd: what is signalled
 *
 * Return: 0 or -errno.
 */
int vm_set_doorbell(const struct vm *vm, u16 port, u8 bytes, int eventfd)
{
	struct mvm_doorbell doorbell = {
		.size = sizeof(doorbell),
		.eventfd = eventfd,
		.port = port,
		.bytes = bytes,
	};

	return ioctl(vm->fd, MVM_SET_DOORBELL, &doorbell) ? -errno : 0;
}

/**
 * vm_post_writes() - let the guest run on when it writes to a port
 * @vm: a VM
 * @port: writes to it go to the ring, vm_next_posted()
 *
 * Return: 0 or -errno.
 */
int vm_post_writes(const struct vm *vm, u16 port)
{
	struct mvm_posted_ports ports = {
		.size = sizeof(ports),
		.port = port,
		.count = 1,
	};

	return ioctl(vm->fd, MVM_SET_POSTED, &ports) ? -errno : 0;
}

/**
 * vm_ring() - the ring of posted writes
 * @vm: has a vCPU
 *
 * Return: where it is mapped.
 */
struct mvm_ring *vm_ring(const struct vm *vm)
{
	return (void *)((char *)vm->vcpus[0].run + MVM_RING_OFFSET);
}

/**
 * vm_next_posted() - take the oldest posted write of all vCPUs
 * @vm: has a vCPU; they may run
 * @write: out
 *
 * Return: false when there is none.
 */
bool vm_next_posted(const struct vm *vm, struct mvm_posted_write *write)
{
	struct mvm_ring *ring = vm_ring(vm);
	u32 tail = ring->tail;

	if (__atomic_load_n(&ring->head, __ATOMIC_ACQUIRE) == tail)
		return false;
	*write = ring->entries[tail % MVM_RING_ENTRIES];
	__atomic_store_n(&ring->tail, tail + 1, __ATOMIC_RELEASE);
	return true;
}

/**
 * vm_get_stats() - read the module's counters
 * @vm: its vCPUs may run
 * @stats: out: sums over the vCPUs
 *
 * Return: entries filled in; 0 when the module refuses.
 */
u32 vm_get_stats(const struct vm *vm, struct mvm_stat stats[VM_STATS_MAX])
{
	struct mvm_stat more[VM_STATS_MAX];
	unsigned int i;
	u32 count = 0, n;

	for (i = 0; i < vm->vcpu_count; i++) {
		struct mvm_stats request = {
			.size = sizeof(request),
			.count = VM_STATS_MAX,
			.entries = (u64)(uintptr_t)(i ? more : stats),
		};

		if (ioctl(vm->vcpus[i].fd, MVM_GET_STATS, &request))
			return 0;
		count = request.count < VM_STATS_MAX ? request.count : VM_STATS_MAX;
		/* the counters of all vCPUs are the same ones */
		for (n = 0; i && n < count; n++)
			stats[n].value += more[n].value;
	}
	return count;
}
