// SPDX-License-Identifier: GPL-2.0-only
/*
 * vm.c - VMs and vCPUs for tests
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "vm.h"

int dev_fd(void)
{
	static int fd = -1;

	if (fd >= 0)
		return fd;
	fd = open(MVM_DEVICE_PATH, O_RDWR | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		test_skip("no " MVM_DEVICE_PATH ": is the module loaded?");
	return CHECK_OK(fd);
}

const struct mvm_info *dev_info(void)
{
	static struct mvm_info info;

	if (!info.abi_version)
		CHECK_OK(mvm_ioctl(dev_fd(), MVM_GET_INFO, &info));
	return &info;
}

void *mem_alloc(u64 bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	/* zeroing 2 MiB for a guest that touches 20 pages takes long */
	madvise(p, bytes, MADV_NOHUGEPAGE);
	return p;
}

void vm_create(struct vm *vm, u32 flags)
{
	struct mvm_create_vm c = { .flags = flags, .name = "selftest" };

	memset(vm, 0, sizeof(*vm));
	vm->fd = CHECK_OK(mvm_ioctl(dev_fd(), MVM_CREATE_VM, &c));
}

void vm_slot(struct vm *vm, u32 slot, u32 flags, u64 gpa, u64 length,
	     const void *addr)
{
	struct mvm_slot s = {
		.flags = flags,
		.slot = slot,
		.gpa = gpa,
		.length = length,
		.user_addr = (u64)addr,
	};

	CHECK_OK(mvm_ioctl(vm->fd, MVM_SET_SLOT, &s));
}

void vm_slot_remove(struct vm *vm, u32 slot)
{
	struct mvm_slot s = { .slot = slot };

	CHECK_OK(mvm_ioctl(vm->fd, MVM_SET_SLOT, &s));
}

void vm_ram(struct vm *vm, u64 bytes)
{
	vm->ram = mem_alloc(bytes);
	vm->ram_size = bytes;
	vm_slot(vm, SLOT_RAM, 0, 0, bytes, vm->ram);
}

void vm_destroy(struct vm *vm)
{
	CHECK_OK(close(vm->fd));
	vm->fd = -1;
	if (vm->ram)
		munmap(vm->ram, vm->ram_size);
	vm->ram = NULL;
}

void vcpu_create(struct vcpu *vcpu, struct vm *vm, u32 id)
{
	struct mvm_create_vcpu c = { .id = id };

	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->fd = CHECK_OK(mvm_ioctl(vm->fd, MVM_CREATE_VCPU, &c));
	vcpu->run = mmap(NULL, dev_info()->run_size, PROT_READ | PROT_WRITE,
			 MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED)
		FAIL("mmap of the run page: %m");
}

void vcpu_destroy(struct vcpu *vcpu)
{
	munmap(vcpu->run, dev_info()->run_size);
	CHECK_OK(close(vcpu->fd));
	vcpu->run = NULL;
	vcpu->fd = -1;
}

void vcpu_get_sregs(struct vcpu *vcpu, struct mvm_sregs *sregs)
{
	memset(sregs, 0, sizeof(*sregs));
	CHECK_OK(mvm_ioctl(vcpu->fd, MVM_GET_SREGS, sregs));
}

void vcpu_set_sregs(struct vcpu *vcpu, struct mvm_sregs *sregs)
{
	CHECK_OK(mvm_ioctl(vcpu->fd, MVM_SET_SREGS, sregs));
}

u64 vcpu_get_msr(struct vcpu *vcpu, u32 index)
{
	struct mvm_msr_entry e = { .index = index };
	struct mvm_msrs m = { .count = 1, .entries = (u64)&e };

	if (mvm_ioctl(vcpu->fd, MVM_GET_MSRS, &m))
		FAIL("get MSR 0x%x: errno %d (%m)", index, errno);
	return e.data;
}

void vcpu_set_msr(struct vcpu *vcpu, u32 index, u64 data)
{
	struct mvm_msr_entry e = { .index = index, .data = data };
	struct mvm_msrs m = { .count = 1, .entries = (u64)&e };

	if (mvm_ioctl(vcpu->fd, MVM_SET_MSRS, &m))
		FAIL("set MSR 0x%x to 0x%llx: errno %d (%m)", index,
		     (unsigned long long)data, errno);
}

void vcpu_get_events(struct vcpu *vcpu, struct mvm_events *events)
{
	memset(events, 0, sizeof(*events));
	CHECK_OK(mvm_ioctl(vcpu->fd, MVM_GET_EVENTS, events));
}

void vcpu_set_events(struct vcpu *vcpu, struct mvm_events *events)
{
	CHECK_OK(mvm_ioctl(vcpu->fd, MVM_SET_EVENTS, events));
}

void cpuid_mask_dynamic(struct mvm_cpuid_entry *e)
{
	if (e->function == 1) {
		e->ebx &= 0x00ffffff;
		e->ecx &= ~(1U << 27);
		e->edx &= ~(1U << 9);
	} else if (e->function == 7 && e->index == 0) {
		e->ecx &= ~(1U << 4);
	} else if (e->function == 0xb || e->function == 0x1f) {
		e->edx = 0;
	} else if (e->function == 0xd && e->index < 2) {
		e->ebx = 0;
	}
}

u64 vcpu_stat(struct vcpu *vcpu, const char *name)
{
	static struct mvm_stat stat[256];
	struct mvm_stats s = { .count = 256, .entries = (u64)stat };

	CHECK_OK(mvm_ioctl(vcpu->fd, MVM_GET_STATS, &s));
	for (u32 i = 0; i < s.count; i++)
		if (!strcmp((char *)stat[i].name, name))
			return stat[i].value;
	FAIL("no counter '%s'", name);
}

static void real_segment(struct mvm_segment *seg, u16 selector, u32 access)
{
	*seg = (struct mvm_segment){
		.base = (u32)selector << 4,
		.limit = 0xffff,
		.access = access,
		.selector = selector,
	};
}

void vcpu_real_mode(struct vcpu *vcpu, u16 segment, u16 offset)
{
	struct mvm_sregs s;

	vcpu_get_sregs(vcpu, &s);
	real_segment(&s.cs, segment, 0x9b);
	real_segment(&s.ds, 0, 0x93);
	real_segment(&s.es, 0, 0x93);
	real_segment(&s.fs, 0, 0x93);
	real_segment(&s.gs, 0, 0x93);
	real_segment(&s.ss, 0, 0x93);
	s.idt.base = 0;
	s.idt.limit = 0x3ff;
	vcpu_set_sregs(vcpu, &s);
	memset(vcpu->run->gpr, 0, sizeof(vcpu->run->gpr));
	vcpu->run->gpr[MVM_RSP] = 0x7000;
	vcpu->run->rip = offset;
	vcpu->run->next_rip = offset;
	vcpu->run->rflags = RFLAGS_FIXED;
}

void vcpu_real_code(struct vcpu *vcpu, u16 gpa, const void *code, size_t size)
{
	CHECK(gpa + size <= 0x10000 && gpa + size <= vcpu->vm->ram_size);
	memcpy(vcpu->vm->ram + gpa, code, size);
	vcpu_real_mode(vcpu, 0, gpa);
}

void vcpu_protected_mode(struct vcpu *vcpu, u32 eip)
{
	static const u64 gdt[] = {
		[MODE32_CODE / 8] = 0x00cf9b000000ffff,
		[MODE32_DATA / 8] = 0x00cf93000000ffff,
		[MODE32_TR / 8] = 0x00008b0000000067 | (u64)MODE32_TSS << 16,
	};
	struct mvm_segment data = {
		.limit = 0xffffffff,
		.access = 0xc093,
		.selector = MODE32_DATA,
	};
	struct mvm_sregs s;

	memcpy(vcpu->vm->ram + MODE32_GDT, gdt, sizeof(gdt));
	vcpu_get_sregs(vcpu, &s);
	s.cs = data;
	s.cs.access = 0xc09b;
	s.cs.selector = MODE32_CODE;
	s.ds = s.es = s.fs = s.gs = s.ss = data;
	s.tr = (struct mvm_segment){
		.base = MODE32_TSS,
		.limit = 0x67,
		.access = 0x8b,
		.selector = MODE32_TR,
	};
	s.gdt = (struct mvm_table){ .base = MODE32_GDT, .limit = 0xff };
	s.idt = (struct mvm_table){ .base = MODE32_IDT, .limit = 0x7ff };
	s.cr0 = X86_CR0_PE | X86_CR0_ET | X86_CR0_NE;
	vcpu_set_sregs(vcpu, &s);
	memset(vcpu->run->gpr, 0, sizeof(vcpu->run->gpr));
	vcpu->run->gpr[MVM_RSP] = 0x7000;
	vcpu->run->rip = eip;
	vcpu->run->next_rip = eip;
	vcpu->run->rflags = RFLAGS_FIXED;
}

int sys_run(int fd, u32 flags)
{
	struct mvm_run_request r = { .size = sizeof(r), .flags = flags };

	return ioctl(fd, MVM_RUN, &r);
}

u32 vcpu_run(struct vcpu *vcpu)
{
	int r;

	do {
		r = sys_run(vcpu->fd, test_lends ? MVM_RUN_LEND : 0);
		/* who lends is told so of posted writes, whether it wants to know or not */
	} while (r ? errno == EINTR : test_lends && vcpu->run->exit_reason == MVM_EXIT_INTR &&
				      !vcpu->run->immediate_exit);
	if (r)
		FAIL("MVM_RUN: errno %d (%m)", errno);
	return vcpu->run->exit_reason;
}

void vcpu_run_expect(struct vcpu *vcpu, u32 reason, const char *file, int line)
{
	if (vcpu_run(vcpu) != reason)
		test_fail(file, line, "exit is %s, not %s", exit_text(vcpu),
			  exit_name(reason));
}

const char *exit_name(u32 reason)
{
	static const char *const names[] = {
		[MVM_EXIT_NONE] = "NONE",
		[MVM_EXIT_INTR] = "INTR",
		[MVM_EXIT_IO] = "IO",
		[MVM_EXIT_MMIO] = "MMIO",
		[MVM_EXIT_MSR] = "MSR",
		[MVM_EXIT_HLT] = "HLT",
		[MVM_EXIT_EXTINT] = "EXTINT",
		[MVM_EXIT_SHUTDOWN] = "SHUTDOWN",
		[MVM_EXIT_VMCALL] = "VMCALL",
		[MVM_EXIT_TASK_SWITCH] = "TASK_SWITCH",
		[MVM_EXIT_EOI] = "EOI",
		[MVM_EXIT_MEMORY_FAULT] = "MEMORY_FAULT",
		[MVM_EXIT_FAIL_ENTRY] = "FAIL_ENTRY",
		[MVM_EXIT_UNHANDLED] = "UNHANDLED",
	};

	return reason < ARRAY_SIZE(names) ? names[reason] : "unknown";
}

const char *exit_text(const struct vcpu *vcpu)
{
	const struct mvm_run *run = vcpu->run;
	static char text[256];
	char more[128] = "";

	switch (run->exit_reason) {
	case MVM_EXIT_IO:
		snprintf(more, sizeof(more), " port 0x%x bytes %u flags 0x%x data 0x%x",
			 run->io.port, run->io.bytes, run->io.flags,
			 run->io.data);
		break;
	case MVM_EXIT_MMIO:
		snprintf(more, sizeof(more), " gpa 0x%llx flags 0x%x",
			 run->mmio.gpa, run->mmio.flags);
		break;
	case MVM_EXIT_MSR:
		snprintf(more, sizeof(more), " index 0x%x write %u",
			 run->msr.index, run->msr.write);
		break;
	case MVM_EXIT_MEMORY_FAULT:
		snprintf(more, sizeof(more), " gpa 0x%llx error %u flags 0x%x",
			 run->memory.gpa, run->memory.error, run->memory.flags);
		break;
	case MVM_EXIT_FAIL_ENTRY:
		snprintf(more, sizeof(more), " instruction error %u",
			 run->fail.instruction_error);
		break;
	}
	snprintf(text, sizeof(text),
		 "%s (hw_reason 0x%x qualification 0x%llx rip 0x%llx rflags 0x%llx)%s",
		 exit_name(run->exit_reason), run->hw_reason,
		 run->hw_qualification, run->rip, run->rflags, more);
	return text;
}

bool vcpu_poll(struct vcpu *vcpu, int ms)
{
	struct pollfd p = { .fd = vcpu->fd, .events = POLLIN };
	int r;

	do {
		r = poll(&p, 1, ms);
	} while (r < 0 && errno == EINTR);
	CHECK_OK(r);
	return r && (p.revents & POLLIN);
}

void vcpu_run_async(struct vcpu *vcpu)
{
	CHECK_OK(sys_run(vcpu->fd, MVM_RUN_ASYNC));
}

void vcpu_kick(struct vcpu *vcpu)
{
	struct mvm_kick k = { .size = sizeof(k) };

	CHECK_OK(ioctl(vcpu->fd, MVM_KICK, &k));
}

void sleep_ns(u32 ns)
{
	struct timespec t = { .tv_nsec = ns };

	prctl(PR_SET_TIMERSLACK, 1);
	nanosleep(&t, NULL);
}

u32 vcpu_stop(struct vcpu *vcpu)
{
	vcpu->run->immediate_exit = 1;
	vcpu_kick(vcpu);
	if (!vcpu_poll(vcpu, 10000))
		FAIL("the vCPU does not stop");
	vcpu->run->immediate_exit = 0;
	return vcpu->run->exit_reason;
}

int try_doorbell(struct vm *vm, u32 flags, int fd, u16 port, u8 bytes, u32 data)
{
	struct mvm_doorbell d = {
		.flags = flags,
		.eventfd = fd,
		.port = port,
		.bytes = bytes,
		.data = data,
	};

	return mvm_ioctl(vm->fd, MVM_SET_DOORBELL, &d);
}

int try_irqfd(struct vm *vm, u32 flags, int fd, u32 data)
{
	bool remove = flags & MVM_IRQFD_REMOVE;
	struct mvm_irqfd i = {
		.flags = flags,
		.eventfd = fd,
		.address = remove ? 0 : 0xfee00000,
		.data = data,
	};

	return mvm_ioctl(vm->fd, MVM_SET_IRQFD, &i);
}

int try_posted(struct vm *vm, u32 flags, u16 port, u32 count)
{
	struct mvm_posted_ports p = {
		.flags = flags,
		.port = port,
		.count = count,
	};

	return mvm_ioctl(vm->fd, MVM_SET_POSTED, &p);
}

int eventfd_new(void)
{
	return CHECK_OK(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

u64 eventfd_take(int fd)
{
	u64 count;

	if (read(fd, &count, sizeof(count)) == sizeof(count))
		return count;
	CHECK_EQ(errno, EAGAIN);
	return 0;
}

void eventfd_ring(int fd)
{
	u64 one = 1;

	CHECK_EQ(write(fd, &one, sizeof(one)), sizeof(one));
}

volatile struct mvm_ring *vcpu_ring(const struct vcpu *vcpu)
{
	return (void *)vcpu->run + MVM_RING_OFFSET;
}

bool ring_take(const struct vcpu *vcpu, struct mvm_posted_write *write)
{
	struct mvm_ring *ring = (void *)vcpu_ring(vcpu);
	u32 tail = ring->tail;

	if (__atomic_load_n(&ring->head, __ATOMIC_ACQUIRE) == tail)
		return false;
	*write = ring->entries[tail % MVM_RING_ENTRIES];
	__atomic_store_n(&ring->tail, tail + 1, __ATOMIC_RELEASE);
	return true;
}
