// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm.c - the benchmark's guest on KVM, for comparison: a VM with the interrupt
 * controllers in the kernel and, for each vCPU, one thread that stays in KVM_RUN,
 * which is the shortest way that KVM offers.
 *
 * The guest sees the CPUID that mini-vm shows it.  kvm_vm.c makes the VM.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../report.h"
#include "../walk.h"
#include "bench.h"
#include "kvm_vm.h"

/* KVM's local APIC timer counts ns. */
#define KVM_APIC_TIMER_KHZ	1000000

/**
 * bench_kvm_usable() - can this process make VMs of KVM?
 * @why: out: why not, empty otherwise
 * @size: of @why
 *
 * Return: true if so.
 */
bool bench_kvm_usable(char *why, size_t size)
{
	int device = open(KVM_PATH, O_RDWR | O_CLOEXEC), vm, error;

	why[0] = '\0';
	if (device < 0 && (errno == ENOENT || errno == ENODEV)) {
		snprintf(why, size, "there is no %s here ('modprobe kvm_intel' may make it)", KVM_PATH);
		return false;
	}
	if (device < 0) {
		snprintf(why, size, "%s cannot be opened: %s", KVM_PATH, strerror(errno));
		return false;
	}
	vm = ioctl(device, KVM_CREATE_VM, 0UL);
	error = errno;
	if (vm >= 0)
		close(vm);
	else
		snprintf(why, size, "KVM makes no VM: %s", strerror(error));
	close(device);
	return vm >= 0;
}

/**
 * bench_kvm_hold() - keep the CPU's VMX in use, as another user of KVM would
 *
 * KVM turns VMX on with its first VM at the latest.
 *
 * Return: for bench_kvm_release(), or -1 after a report.
 */
int bench_kvm_hold(void)
{
	int device = open(KVM_PATH, O_RDWR | O_CLOEXEC);
	int vm = device < 0 ? -1 : ioctl(device, KVM_CREATE_VM, 0UL);

	if (vm < 0)
		report_error("KVM makes no VM: %s", strerror(errno));
	if (device >= 0)
		close(device);
	return vm;
}

/**
 * bench_kvm_release() - undo bench_kvm_hold()
 * @vm: what that returned
 */
void bench_kvm_release(int vm)
{
	if (vm >= 0)
		close(vm);
}

static void destroy(struct bench_vm *vm)
{
	struct kvm_vm *kvm = vm->state;

	kvm_vm_destroy(kvm);
	free(kvm);
	vm->state = NULL;
}

static int add_vcpu(struct bench_vm *vm, unsigned int id)
{
	const u64 gpr[MVM_NR_GPRS] = {
		[MVM_RSP] = BENCH_STACK + id * BENCH_STACK_BYTES,
		[MVM_RDI] = id,
	};
	struct mvm_cpuid_entry entries[MVM_CPUID_MAX];
	u32 count;
	int status = bench_mini_vm_cpuid(entries, &count);

	if (status == STATUS_OK)
		status = kvm_vm_add_vcpu(vm->state, id, entries, count);
	return status == STATUS_OK ? kvm_vm_set_registers(vm->state, id, &vm->sregs[id], gpr,
							  BENCH_CODE, RFLAGS_FIXED) : status;
}

static int create(struct bench_vm *vm)
{
	struct kvm_vm *kvm = malloc(sizeof(*kvm));
	unsigned int id;
	int status;

	if (!kvm) {
		report_error("there is no memory for the benchmark");
		return STATUS_RESOURCE;
	}
	vm->state = kvm;
	vm->apic_timer_khz = KVM_APIC_TIMER_KHZ;
	kvm_vm_init(kvm);
	status = kvm_vm_create(kvm, KVM_VM_IRQCHIP_ALL, &vm->mem);
	for (id = 0; status == STATUS_OK && id < vm->vcpus; id++)
		status = add_vcpu(vm, id);
	if (status != STATUS_OK)
		destroy(vm);
	return status;
}

static int wire_bell(const struct kvm_vm *kvm, int bell)
{
	struct kvm_ioeventfd wire = {
		.addr = BENCH_PORT_WIRED,
		.len = 4,
		.fd = bell,
		.flags = KVM_IOEVENTFD_FLAG_PIO,
	};

	return ioctl(kvm->fd, KVM_IOEVENTFD, &wire) ? kvm_vm_refused("wire a port to an eventfd") :
							  STATUS_OK;
}

static int wire(struct bench_vm *vm, enum bench_wiring wiring)
{
	return wiring == BENCH_BELL ? wire_bell(vm->state, vm->bell) :
				      kvm_vm_post_writes(vm->state, BENCH_PORT_WIRED, 4);
}

static void count_posted(void *context, const struct kvm_coalesced_mmio *write)
{
	struct bench_vm *vm = context;

	vm->delivered += write->phys_addr == BENCH_PORT_WIRED;
}

static int unexpected(const struct kvm_run *run)
{
	report_error("the benchmark's guest did what it should not: KVM's exit %u, hardware reason 0x%llx",
		     run->exit_reason, (unsigned long long)run->hw.hardware_exit_reason);
	return STATUS_RESOURCE;
}

static int run_guest(struct bench_vm *vm, unsigned int id)
{
	static const u32 answer = BENCH_ANSWER;
	struct kvm_vm *kvm = vm->state;
	struct kvm_run *run = kvm->runs[id];

	for (;;) {
		if (ioctl(kvm->vcpus[id], KVM_RUN, 0UL)) {
			if (errno == EINTR)
				continue;
			return kvm_vm_refused("run the guest");
		}
		if (kvm->ring)
			kvm_vm_take_posted(kvm->ring, count_posted, vm);
		switch (run->exit_reason) {
		case KVM_EXIT_IO:
			if (run->io.port == BENCH_PORT_END)
				return STATUS_OK;
			if (run->io.port == BENCH_PORT_WIRED)
				vm->delivered++;	/* the ring was full */
			if (run->io.direction == KVM_EXIT_IO_IN)
				memcpy((u8 *)run + run->io.data_offset, &answer, sizeof(answer));
			break;
		case KVM_EXIT_MMIO:
			if (!run->mmio.is_write)
				memcpy(run->mmio.data, &answer, sizeof(answer));
			break;
		default:
			return unexpected(run);
		}
	}
}

const struct bench_backend bench_kvm = {
	.name = "KVM",
	.create = create,
	.run = run_guest,
	.wire = wire,
	.destroy = destroy,
};
