// SPDX-License-Identifier: GPL-2.0-only
/*
 * step.c - the fuzzer's steps: a VM is made, set up, used and abused, and ends;
 * meanwhile its owner's memory and descriptors change
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

/* ------------------------------------------------------------------------
 * Numbers
 */

u32 fuzz_draw(struct fuzzer *f, u32 n)
{
	u32 v = random_below(&f->random, n);

	f->signature = (f->signature ^ v) * 0x100000001b3;
	return v;
}

bool fuzz_one_in(struct fuzzer *f, u32 n)
{
	return !fuzz_draw(f, n);
}

u64 fuzz_value(struct fuzzer *f)
{
	u32 bit = fuzz_draw(f, 64), small = fuzz_draw(f, 256);

	switch (fuzz_draw(f, 6)) {
	case 0:
		return small;
	case 1:
		return 1UL << bit;
	case 2:
		return (1UL << bit) - 1;
	case 3:
		return -(u64)small;
	case 4:
		return (u64)small << bit;
	default:
		return f->random.state;
	}
}

/* Each step has a sequence of its own, so one step's length moves no other. */
static void seed_step(struct fuzzer *f)
{
	u64 x = f->seed ^ (u64)f->index << 56 ^ f->steps * 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	f->random.state = x ^ x >> 31;
}

/* ------------------------------------------------------------------------
 * Things that are no ioctls
 */

/* What another process has of our descriptors is no use to it. */
static void event_fork(struct fuzzer *f, struct fuzz_vm *vm, struct fuzz_vcpu *vcpu)
{
	struct mvm_kick kick = { .size = sizeof(kick) };
	struct mvm_slot slot = { .size = sizeof(slot) };
	struct mvm_run_request run = { .size = sizeof(run) };
	int vm_fd = vm->fd, vcpu_fd = vcpu->fd, status = 0;
	pid_t pid = fork();

	if (!pid) {
		bool bad = false;

		if (vm_fd >= 0)
			bad |= ioctl(vm_fd, MVM_SET_SLOT, &slot) != -1 || errno != EPERM;
		if (vcpu_fd >= 0) {
			bad |= ioctl(vcpu_fd, MVM_KICK, &kick) != -1 || errno != EPERM;
			bad |= ioctl(vcpu_fd, MVM_RUN, &run) != -1 || errno != EPERM;
		}
		/* the copy of guest memory is the child's */
		vm->ram[0x600]++;
		_exit(bad);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		snprintf(f->failed, sizeof(f->failed),
			 "worker %u, step %llu: a forked child: status 0x%x",
			 f->index, (unsigned long long)f->steps, status);
}

static void map_at(struct fuzzer *f, void *at, size_t size, int protection)
{
	if (mmap(at, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		 -1, 0) != at)
		snprintf(f->failed, sizeof(f->failed), "mmap: %m");
}

/* The owner does something to guest memory, and a guest runs meanwhile. */
static void event_memory(struct fuzzer *f, struct fuzz_vm *vm, struct fuzz_vcpu *vcpu)
{
	u32 page = fuzz_draw(f, FUZZ_RAM / PAGE_SIZE), pages = 1 + fuzz_draw(f, 16);
	u32 what = fuzz_draw(f, 6);
	u8 *at = vm->ram + page * PAGE_SIZE;
	size_t size;

	if (page + pages > FUZZ_RAM / PAGE_SIZE)
		pages = FUZZ_RAM / PAGE_SIZE - page;
	size = pages * PAGE_SIZE;
	switch (what) {
	case 0:
		madvise(at, size, MADV_DONTNEED);
		break;
	case 1:
	case 2:
		mprotect(at, size, what == 1 ? PROT_READ : PROT_NONE);
		fuzz_call(f, F_RUN, vm, vcpu, true);
		mprotect(at, size, PROT_READ | PROT_WRITE);
		break;
	case 3:
		/* a hole without access: into a true one others would map */
		map_at(f, at, size, PROT_NONE);
		fuzz_call(f, F_RUN, vm, vcpu, true);
		/* fall through */
	case 4:
		map_at(f, at, size, PROT_READ | PROT_WRITE);
		break;
	case 5:
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif
		madvise(at, size, MADV_PAGEOUT);
	}
}

/* Write into the run page or the ring, whether the guest runs or not. */
static void event_scribble(struct fuzzer *f, struct fuzz_vcpu *vcpu)
{
	volatile struct mvm_run *run = vcpu->run;
	volatile struct mvm_ring *ring = (void *)run + MVM_RING_OFFSET;
	volatile u8 *p = (volatile u8 *)run;
	u32 n = 1 + fuzz_draw(f, 8), behind = fuzz_draw(f, 300);

	switch (fuzz_draw(f, 8)) {
	case 0:
		while (n--)
			p[fuzz_draw(f, MVM_RING_OFFSET + PAGE_SIZE)] = fuzz_draw(f, 256);
		break;
	case 1:
		run->gpr[fuzz_draw(f, MVM_NR_GPRS)] = fuzz_value(f);
		run->rip = fuzz_value(f);
		run->next_rip = fuzz_value(f);
		break;
	case 2:
		run->rflags = fuzz_value(f);
		break;
	case 3:
		run->action = MVM_ACTION_EXCEPTION;
		run->exception.vector = fuzz_draw(f, 33);
		run->exception.has_error_code = fuzz_draw(f, 2);
		run->exception.error_code = fuzz_draw(f, 8);
		run->exception.cr2 = fuzz_value(f);
		break;
	case 4:
		run->action = fuzz_draw(f, 4);
		run->immediate_exit = fuzz_one_in(f, 4);
		break;
	case 5:
		run->sync_want = fuzz_value(f);
		run->io.data = fuzz_value(f);
		break;
	case 6:
		ring->tail = ring->head - behind;
		break;
	case 7:
		ring->tail = fuzz_value(f);
		ring->head = fuzz_value(f);
	}
}

/* A burst of writes while the run that was just started goes on. */
static void event_race(struct fuzzer *f, struct fuzz_vm *vm, struct fuzz_vcpu *vcpu)
{
	fuzz_call(f, F_RUN, vm, vcpu, true);
	for (u32 n = fuzz_draw(f, 32); n; n--)
		event_scribble(f, vcpu);
	fuzz_call(f, F_KICK, vm, vcpu, true);
}

/* The same object by another descriptor: closing the first changes nothing. */
static void event_dup(atomic_int *fd)
{
	int old = *fd, copy;

	if (old < 0)
		return;
	copy = dup(old);
	if (copy < 0)
		return;
	atomic_store(fd, copy);
	close(old);
}

/* mmap of what must not be mapped, and of what may. */
static void event_mmap(struct fuzzer *f, struct fuzz_vcpu *vcpu)
{
	u32 pages = fuzz_draw(f, 4), offset = fuzz_draw(f, 3);
	bool private = fuzz_one_in(f, 2);
	bool good = pages * PAGE_SIZE == f->info.run_size && !offset && !private;
	void *p;

	if (vcpu->fd < 0)
		return;
	p = mmap(NULL, pages * PAGE_SIZE, PROT_READ | PROT_WRITE,
		 private ? MAP_PRIVATE : MAP_SHARED, vcpu->fd, offset * PAGE_SIZE);
	if ((p != MAP_FAILED) != good)
		snprintf(f->failed, sizeof(f->failed),
			 "worker %u, step %llu: mmap of %u pages at page %u, %s: %s",
			 f->index, (unsigned long long)f->steps, pages, offset,
			 private ? "private" : "shared",
			 good ? "refused" : "not refused");
	if (p == MAP_FAILED)
		return;
	/* from now on this mapping */
	munmap(vcpu->run, f->info.run_size);
	vcpu->run = p;
}

/* Signal one, which may be an irqfd, or close it for good. */
static void event_eventfd(struct fuzzer *f)
{
	int *fd = &f->eventfd[fuzz_draw(f, FUZZ_EVENTFDS)];

	if (fuzz_one_in(f, 16)) {
		close(*fd);
		*fd = eventfd_new();
	} else {
		eventfd_ring(*fd);
	}
}

static void event(struct fuzzer *f, struct fuzz_vm *vm, struct fuzz_vcpu *vcpu)
{
	u32 what = fuzz_draw(f, 64);

	f->events++;
	if (what < 18)
		fuzz_aim(f, vm, vcpu);
	else if (what < 24)
		event_eventfd(f);
	else if (what < 36)
		event_scribble(f, vcpu);
	else if (what < 44)
		event_race(f, vm, vcpu);
	else if (what < 54)
		event_memory(f, vm, vcpu);
	else if (what < 57)
		event_dup(fuzz_one_in(f, 2) ? &vm->fd : &vcpu->fd);
	else if (what < 60)
		event_mmap(f, vcpu);
	else if (what < 62)
		fuzz_vcpu_close(f, vcpu, fuzz_one_in(f, 2));
	else if (what < 63)
		fuzz_stop(vcpu, true);
	else
		event_fork(f, vm, vcpu);
}

/*
 * A page of ours that no slot names: what is in it, we wrote.  It is thrown away
 * and made again, so pages that guests have lost come to be here: who still
 * reaches one of them is found out.
 */
static void check_own(struct fuzzer *f)
{
	u32 page = fuzz_draw(f, FUZZ_OWN_PAGES);
	volatile u64 *p = f->own + page * (PAGE_SIZE / 8);
	u64 tag = f->own_tag[page];

	for (u32 i = 0; tag && i < PAGE_SIZE / 8; i++)
		if (p[i] != tag + i && !f->failed[0])
			snprintf(f->failed, sizeof(f->failed),
				 "worker %u, step %llu: somebody wrote into our own memory: 0x%llx, not 0x%llx, at offset 0x%lx of page %u",
				 f->index, (unsigned long long)f->steps,
				 (unsigned long long)p[i],
				 (unsigned long long)(tag + i), i * 8UL, page);
	madvise((void *)p, PAGE_SIZE, MADV_DONTNEED);
	tag = 0x0777000000000000 + (f->steps << 16);
	for (u32 i = 0; i < PAGE_SIZE / 8; i++)
		p[i] = tag + i;
	f->own_tag[page] = tag;
}

/* ------------------------------------------------------------------------
 * The life of a VM
 */

/* Its first steps, or it would not get far. */
static void script(struct fuzzer *f, struct fuzz_vm *vm)
{
	static const struct {
		enum fuzz_kind kind;
		u32 vcpu;
	} steps[] = {
		{ F_CREATE_VM, 0 }, { F_SET_SLOT, 0 }, { F_SET_MSR_POLICY, 0 },
		{ F_CREATE_VCPU, 0 }, { F_SET_CPUID, 0 }, { F_CREATE_VCPU, 1 },
		{ F_SET_CPUID, 1 }, { F_SET_SREGS, 0 }, { F_SET_SREGS, 1 },
	};
	struct fuzz_vcpu *vcpu = &vm->vcpu[steps[vm->age].vcpu];
	bool honest = !fuzz_one_in(f, 24);

	fuzz_call(f, steps[vm->age].kind, vm, vcpu, honest);
	if (++vm->age == ARRAY_SIZE(steps)) {
		vm->life = vm->age + 10 + fuzz_draw(f, 80);
		fuzz_aim(f, vm, &vm->vcpu[0]);
		fuzz_aim(f, vm, &vm->vcpu[1]);
	}
}

static void end_vm(struct fuzzer *f, struct fuzz_vm *vm)
{
	bool vm_first = fuzz_one_in(f, 2), page_first = fuzz_one_in(f, 2);
	u32 first = fuzz_draw(f, FUZZ_VCPUS);
	int fd = atomic_exchange(&vm->fd, -1);

	if (vm_first && fd >= 0)
		close(fd);
	for (u32 i = 0; i < FUZZ_VCPUS; i++)
		fuzz_vcpu_close(f, &vm->vcpu[(first + i) % FUZZ_VCPUS], page_first);
	if (!vm_first && fd >= 0)
		close(fd);
	vm->age = 0;
	vm->life = 0;
	vm->slots = 0;
	vm->irqfds = 0;
	vm->bells = 0;
	vm->posted = 0;
}

static enum fuzz_kind draw_kind(struct fuzzer *f)
{
	/* those of a VM's start seldom: they fail later */
	static const u8 weights[FUZZ_KINDS] = {
		[F_GET_INFO] = 4, [F_GET_SUPPORTED_CPUID] = 4,
		[F_CREATE_VM] = 1, [F_SET_SLOT] = 8, [F_CREATE_VCPU] = 1,
		[F_SET_MSR_POLICY] = 1, [F_SIGNAL_MSI] = 6, [F_RUN] = 24,
		[F_SET_IRQFD] = 6, [F_SET_DOORBELL] = 6, [F_SET_POSTED] = 5,
		[F_KICK] = 4, [F_GET_SREGS] = 4, [F_SET_SREGS] = 6,
		[F_GET_MSRS] = 5, [F_SET_MSRS] = 6, [F_GET_XSAVE] = 4,
		[F_SET_XSAVE] = 6, [F_GET_CPUID] = 4, [F_SET_CPUID] = 1,
		[F_GET_EVENTS] = 4, [F_SET_EVENTS] = 8, [F_GET_LAPIC] = 4,
		[F_SET_LAPIC] = 7, [F_LAPIC_ACCESS] = 7, [F_SET_LINE] = 4,
		[F_GET_STATS] = 5,
	};
	u32 sum = 0, at;

	for (u32 i = 0; i < FUZZ_KINDS; i++)
		sum += weights[i];
	at = fuzz_draw(f, sum);
	for (u32 i = 0; i < FUZZ_KINDS; i++) {
		if (at < weights[i])
			return i;
		at -= weights[i];
	}
	return F_GET_INFO;
}

void fuzz_step(struct fuzzer *f)
{
	struct fuzz_vcpu *vcpu;
	struct fuzz_vm *vm;

	seed_step(f);
	check_own(f);
	vm = &f->vm[fuzz_draw(f, FUZZ_VMS)];
	if (!vm->life) {
		script(f, vm);
	} else if (vm->age++ > vm->life) {
		end_vm(f, vm);
	} else {
		vcpu = &vm->vcpu[fuzz_draw(f, FUZZ_VCPUS)];
		if (fuzz_one_in(f, 6))
			event(f, vm, vcpu);
		else
			fuzz_call(f, draw_kind(f), vm, vcpu, !fuzz_one_in(f, 3));
	}
	f->steps++;
}

/* ------------------------------------------------------------------------
 * Begin and end
 */

static void *map(size_t pages, int protection)
{
	void *p = mmap(NULL, pages * PAGE_SIZE, protection,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

/* What a fresh vCPU has, as a base for what is set later. */
static void learn(struct fuzzer *f)
{
	struct mvm_cpuid cpuid = {
		.count = ARRAY_SIZE(f->cpuid),
		.entries = (u64)f->cpuid,
	};
	struct mvm_xsave xsave = { .buffer = (u64)f->xsave };
	struct vcpu vcpu;
	struct vm vm;

	f->info = *dev_info();
	CHECK(f->info.xsave_size <= sizeof(f->xsave));
	CHECK_OK(mvm_ioctl(f->dev, MVM_GET_SUPPORTED_CPUID, &cpuid));
	f->cpuids = cpuid.count;
	vm_create(&vm, 0);
	vcpu_create(&vcpu, &vm, 0);
	xsave.length = f->info.xsave_size;
	CHECK_OK(mvm_ioctl(vcpu.fd, MVM_GET_XSAVE, &xsave));
	CHECK_OK(mvm_ioctl(vcpu.fd, MVM_GET_LAPIC, &f->lapic));
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
}

void fuzz_open(struct fuzzer *f)
{
	u8 *memory = map(8, PROT_READ | PROT_WRITE);

	f->dev = CHECK_OK(open(MVM_DEVICE_PATH, O_RDWR | O_CLOEXEC));
	f->arg = memory + 4 * PAGE_SIZE;
	CHECK_OK(mprotect(f->arg + 2 * PAGE_SIZE, PAGE_SIZE, PROT_NONE));
	f->read_only = f->arg + 3 * PAGE_SIZE;
	CHECK_OK(mprotect(f->read_only, PAGE_SIZE, PROT_READ));
	f->spare_run = map(dev_info()->run_size / PAGE_SIZE, PROT_READ | PROT_WRITE);
	f->own = map(FUZZ_OWN_PAGES, PROT_READ | PROT_WRITE);
	f->playground = mmap(NULL, FUZZ_PLAYGROUND, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(f->playground != MAP_FAILED);
	for (u32 i = 0; i < FUZZ_VMS; i++) {
		struct fuzz_vm *vm = &f->vm[i];

		vm->fd = -1;
		vm->ram = f->playground + i * FUZZ_RAM;
		CHECK_OK(mprotect(vm->ram, FUZZ_RAM, PROT_READ | PROT_WRITE));
		for (u32 k = 0; k < FUZZ_VCPUS; k++) {
			vm->vcpu[k].fd = -1;
			vm->vcpu[k].run = f->spare_run;
		}
	}
	for (u32 i = 0; i < FUZZ_EVENTFDS; i++)
		f->eventfd[i] = eventfd_new();
	learn(f);
}

void fuzz_close(struct fuzzer *f)
{
	for (u32 i = 0; i < FUZZ_VMS; i++)
		end_vm(f, &f->vm[i]);
	for (u32 i = 0; i < FUZZ_EVENTFDS; i++)
		close(f->eventfd[i]);
	close(f->dev);
}
