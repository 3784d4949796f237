// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm.c - the benchmark's guest on KVM, for comparison: a VM with the interrupt
 * controllers in the kernel and, for each vCPU, one thread that stays in KVM_RUN,
 * which is the shortest way that KVM offers.
 *
 * The guest sees the CPUID that mini-vm shows it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../report.h"
#include "../walk.h"
#include "bench.h"

#define KVM_PATH	"/dev/kvm"

/* KVM's local APIC timer counts ns. */
#define KVM_APIC_TIMER_KHZ	1000000

/* where KVM keeps what it needs to run real mode on old CPUs: no memory there */
#define KVM_TSS_ADDRESS		0xfffbd000
#define KVM_IDENTITY_ADDRESS	0xfffbc000

/**
 * struct state - a VM of KVM
 * @device:	/dev/kvm
 * @fd:		VM
 * @vcpus:	vCPUs
 * @runs:	their shared pages
 * @run_size:	bytes of each
 * @ring:	in there: writes that were kept; NULL: not asked for
 */
struct state {
	int device;
	int fd;
	int vcpus[BENCH_VCPUS];
	struct kvm_run *runs[BENCH_VCPUS];
	size_t run_size;
	struct kvm_coalesced_mmio_ring *ring;
};

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

static int refused(const char *what)
{
	report_error("KVM refused to %s: %s", what, strerror(errno));
	return STATUS_RESOURCE;
}

static void destroy(struct bench_vm *vm)
{
	struct state *state = vm->state;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(state->vcpus); i++) {
		if (state->runs[i])
			munmap(state->runs[i], state->run_size);
		if (state->vcpus[i] >= 0)
			close(state->vcpus[i]);
	}
	if (state->fd >= 0)
		close(state->fd);
	if (state->device >= 0)
		close(state->device);
	free(state);
	vm->state = NULL;
}

static int add_memory(const struct state *state, const struct guest_mem *mem)
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

		if (ioctl(state->fd, KVM_SET_USER_MEMORY_REGION, &slot))
			return refused("map the guest's memory");
	}
	return STATUS_OK;
}

/* The halt polling of mini-vm. */
static int set_halt_polling(const struct state *state, u64 ns)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_HALT_POLL, .args = { ns } };

	return ioctl(state->fd, KVM_ENABLE_CAP, &cap) ? refused("set the halt polling") : STATUS_OK;
}

static int create_vm(struct state *state, const struct guest_mem *mem)
{
	u64 identity = KVM_IDENTITY_ADDRESS;
	int status;

	state->device = open(KVM_PATH, O_RDWR | O_CLOEXEC);
	if (state->device < 0)
		return refused("open " KVM_PATH);
	state->fd = ioctl(state->device, KVM_CREATE_VM, 0UL);
	if (state->fd < 0)
		return refused("make a VM");
	if (ioctl(state->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) ||
	    ioctl(state->fd, KVM_SET_TSS_ADDR, (unsigned long)KVM_TSS_ADDRESS))
		return refused("place its own pages");
	if (ioctl(state->fd, KVM_CREATE_IRQCHIP, 0UL))
		return refused("make interrupt controllers");
	status = set_halt_polling(state, bench_halt_poll_ns());
	return status == STATUS_OK ? add_memory(state, mem) : status;
}

static int create_vcpu(struct state *state, unsigned int id)
{
	int size = ioctl(state->device, KVM_GET_VCPU_MMAP_SIZE, 0UL);
	void *run;

	state->vcpus[id] = ioctl(state->fd, KVM_CREATE_VCPU, (unsigned long)id);
	if (size < 0 || state->vcpus[id] < 0)
		return refused("make a vCPU");
	run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, state->vcpus[id], 0);
	if (run == MAP_FAILED)
		return refused("map its page");
	state->runs[id] = run;
	state->run_size = (size_t)size;
	return STATUS_OK;
}

/* What mini-vm shows its guests. */
static int set_cpuid(const struct state *state, unsigned int id)
{
	struct mvm_cpuid_entry entries[MVM_CPUID_MAX];
	struct kvm_cpuid2 *table;
	u32 count, i;
	int status = bench_mini_vm_cpuid(entries, &count);

	if (status != STATUS_OK)
		return status;
	table = calloc(1, sizeof(*table) + count * sizeof(table->entries[0]));
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
	if (ioctl(state->vcpus[id], KVM_SET_CPUID2, table))
		status = refused("show the guest mini-vm's CPUID");
	free(table);
	return status;
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

static int set_registers(const struct state *state, unsigned int id, const struct mvm_sregs *from)
{
	const struct kvm_regs regs = {
		.rip = BENCH_CODE,
		.rsp = BENCH_STACK + id * BENCH_STACK_BYTES,
		.rdi = id,
		.rflags = RFLAGS_FIXED,
	};
	/* the second one does not wait for a SIPI */
	struct kvm_mp_state runnable = { .mp_state = KVM_MP_STATE_RUNNABLE };
	struct kvm_sregs sregs;
	int vcpu = state->vcpus[id];

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
		return refused("set the guest's registers");
	return STATUS_OK;
}

static int create(struct bench_vm *vm)
{
	struct state *state = calloc(1, sizeof(*state));
	unsigned int id;
	int status;

	if (!state) {
		report_error("there is no memory for the benchmark");
		return STATUS_RESOURCE;
	}
	vm->state = state;
	vm->apic_timer_khz = KVM_APIC_TIMER_KHZ;
	state->device = state->fd = state->vcpus[0] = state->vcpus[1] = -1;
	status = create_vm(state, &vm->mem);
	for (id = 0; status == STATUS_OK && id < vm->vcpus; id++) {
		status = create_vcpu(state, id);
		if (status == STATUS_OK)
			status = set_cpuid(state, id);
		if (status == STATUS_OK)
			status = set_registers(state, id, &vm->sregs[id]);
	}
	if (status != STATUS_OK)
		destroy(vm);
	return status;
}

static int wire_bell(const struct state *state, int bell)
{
	struct kvm_ioeventfd wire = {
		.addr = BENCH_PORT_WIRED,
		.len = 4,
		.fd = bell,
		.flags = KVM_IOEVENTFD_FLAG_PIO,
	};

	return ioctl(state->fd, KVM_IOEVENTFD, &wire) ? refused("wire a port to an eventfd") :
							STATUS_OK;
}

static int wire_post(struct state *state)
{
	struct kvm_coalesced_mmio_zone zone = { .addr = BENCH_PORT_WIRED, .size = 4, .pio = 1 };
	int page = ioctl(state->fd, KVM_CHECK_EXTENSION, (unsigned long)KVM_CAP_COALESCED_MMIO);

	if (page <= 0 || ioctl(state->fd, KVM_REGISTER_COALESCED_MMIO, &zone))
		return refused("keep the writes to a port");
	state->ring = (void *)((u8 *)state->runs[0] + (size_t)page * GUEST_PAGE);
	return STATUS_OK;
}

static int wire(struct bench_vm *vm, enum bench_wiring wiring)
{
	return wiring == BENCH_BELL ? wire_bell(vm->state, vm->bell) : wire_post(vm->state);
}

#define RING_ENTRIES \
	((GUEST_PAGE - sizeof(struct kvm_coalesced_mmio_ring)) / sizeof(struct kvm_coalesced_mmio))

/* How many writes were kept since the last time. */
static u64 empty_ring(struct kvm_coalesced_mmio_ring *ring)
{
	u32 first = ring->first, last = __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE);
	u64 count = 0;

	while (first != last) {
		count += ring->coalesced_mmio[first].phys_addr == BENCH_PORT_WIRED;
		first = (first + 1) % RING_ENTRIES;
	}
	__atomic_store_n(&ring->first, first, __ATOMIC_RELEASE);
	return count;
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
	struct state *state = vm->state;
	struct kvm_run *run = state->runs[id];

	for (;;) {
		if (ioctl(state->vcpus[id], KVM_RUN, 0UL)) {
			if (errno == EINTR)
				continue;
			return refused("run the guest");
		}
		if (state->ring)
			vm->delivered += empty_ring(state->ring);
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
