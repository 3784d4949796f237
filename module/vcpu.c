// SPDX-License-Identifier: GPL-2.0-only
/*
 * vcpu.c - the vCPU object: creation, its descriptor (ioctl, mmap, poll), its
 * end.  What runs it is in run.c.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/fpu/api.h>
#include <asm/fpu/types.h>
#include "inject.h"
#include "vcpu.h"
#include "vm.h"

static_assert(sizeof(struct mvm_run) <= PAGE_SIZE);
static_assert(sizeof(struct mvm_ring) <= PAGE_SIZE && MVM_RING_OFFSET == PAGE_SIZE);

/* ---- ioctls that work while the vCPU runs ---- */

static long vcpu_kick(void *object, void *args)
{
	mvm_vcpu_request(object, MVM_REQ_LOOK);
	return 0;
}

static long vcpu_set_line(void *object, void *args)
{
	const struct mvm_line *line = args;
	struct mvm_vcpu *vcpu = object;

	if (line->line > MVM_LINE_NMI || line->level > 1)
		return -EINVAL;
	if (line->line == MVM_LINE_INTR) {
		WRITE_ONCE(vcpu->intr_line, line->level);
		if (line->level)
			mvm_vcpu_request(vcpu, MVM_REQ_INTR);
	} else if (!xchg(&vcpu->nmi_line, line->level) && line->level) {
		/* Edge triggered; LINT1 decides when the runner takes it. */
		mvm_vcpu_request(vcpu, MVM_REQ_NMI_PIN);
	}
	return 0;
}

#define STAT_NAME(name) #name,
static const char *const stat_names[] = { MVM_STATS(STAT_NAME) };
static_assert(sizeof(struct mvm_vcpu_stats) == ARRAY_SIZE(stat_names) * sizeof(u64));

static long vcpu_get_stats(void *object, void *data)
{
	const u64 *counters = (void *)&((struct mvm_vcpu *)object)->stats;
	struct mvm_stats *args = data;
	u32 room = args->count, i;

	if (args->reserved)
		return -EINVAL;
	args->count = ARRAY_SIZE(stat_names);
	if (room < args->count)
		return -E2BIG;
	for (i = 0; i < args->count; i++) {
		struct mvm_stat stat = { .value = READ_ONCE(counters[i]) };

		strscpy(stat.name, stat_names[i], sizeof(stat.name));
		if (copy_to_user(u64_to_user_ptr(args->entries) + i * sizeof(stat), &stat,
				 sizeof(stat)))
			return -EFAULT;
	}
	return 0;
}

/* ---- ioctls of a stopped vCPU ---- */

static int lapic_get(struct mvm_vcpu *vcpu, void *args)
{
	lapic_get_state(&vcpu->lapic, mvm_vcpu_tsc(vcpu), args);
	return 0;
}

static int lapic_set(struct mvm_vcpu *vcpu, void *args)
{
	return lapic_set_state(&vcpu->lapic, args, mvm_vcpu_tsc(vcpu));
}

static int lapic_access(struct mvm_vcpu *vcpu, void *args)
{
	return lapic_xapic_access(&vcpu->lapic, args, mvm_vcpu_tsc(vcpu));
}

/**
 * mvm_vcpu_when_stopped() - call a handler that needs the vCPU stopped
 * @vcpu: vCPU
 * @handler: called under vcpu->lock, which keeps the vCPU from starting
 * @args: for the handler
 *
 * Returns what the handler returns, or -EBUSY: the vCPU runs.
 */
long mvm_vcpu_when_stopped(struct mvm_vcpu *vcpu,
			   int (*handler)(struct mvm_vcpu *vcpu, void *args), void *args)
{
	long ret = -EBUSY;

	mutex_lock(&vcpu->lock);
	if (!mvm_vcpu_runs(vcpu)) {
		/* What was posted to a stopped vCPU is part of its state. */
		mvm_vcpu_take_posted(vcpu);
		ret = handler(vcpu, args);
		mvm_vcpu_lapic_effect(vcpu);
	}
	mutex_unlock(&vcpu->lock);
	return ret;
}

/* ---- MVM_RUN ---- */

/* Start, or join the run that an interrupted wait has left. */
static int start_or_join(struct mvm_vcpu *vcpu, bool lend)
{
	bool join = vcpu->join;
	int ret;

	if (vcpu->waiting || (!join && mvm_vcpu_runs(vcpu)))
		return -EBUSY;
	vcpu->join = false;
	if (join)
		return 0;
	mutex_lock(&vcpu->vm->lock);
	ret = mvm_run_start(vcpu, lend);
	vcpu->vm->has_run |= !ret;
	mutex_unlock(&vcpu->vm->lock);
	return ret;
}

static long vcpu_run(void *object, void *args)
{
	const struct mvm_run_request *request = args;
	struct mvm_vcpu *vcpu = object;
	int ret;

	if (request->flags == (MVM_RUN_ASYNC | MVM_RUN_LEND))
		return -EINVAL;
	mutex_lock(&vcpu->lock);
	ret = start_or_join(vcpu, request->flags & MVM_RUN_LEND);
	if (ret || request->flags & MVM_RUN_ASYNC)
		goto unlock;

	/* Others may ask meanwhile, and are told EBUSY. */
	vcpu->waiting = true;
	mutex_unlock(&vcpu->lock);
	if (READ_ONCE(vcpu->runner) == current)
		mvm_run_lent(vcpu);
	ret = wait_event_interruptible(vcpu->wait, !mvm_vcpu_runs(vcpu));
	mutex_lock(&vcpu->lock);
	vcpu->waiting = false;
	if (ret) {
		vcpu->join = true;
		ret = -EINTR;
	} else if (READ_ONCE(vcpu->vm->dead)) {
		ret = -EIO;
	} else {
		spin_lock_irq(&vcpu->wait.lock);
		vcpu->state = VCPU_STOPPED;
		spin_unlock_irq(&vcpu->wait.lock);
	}
unlock:
	mutex_unlock(&vcpu->lock);
	return ret;
}

static const struct mvm_ioctl_op vcpu_ioctls[] = {
	MVM_IOCTL(MVM_RUN, struct mvm_run_request, .handler = vcpu_run,
		  .flags = MVM_RUN_ASYNC | MVM_RUN_LEND),
	MVM_IOCTL(MVM_SET_LINE, struct mvm_line, .handler = vcpu_set_line),
	MVM_IOCTL(MVM_LAPIC_ACCESS, struct mvm_lapic_access, .stopped = lapic_access,
		  .flags = MVM_LAPIC_WRITE, .out = true),
	MVM_IOCTL(MVM_KICK, struct mvm_kick, .handler = vcpu_kick),
	MVM_IOCTL(MVM_GET_SREGS, struct mvm_sregs, .stopped = mvm_ioctl_get_sregs, .out = true),
	MVM_IOCTL(MVM_SET_SREGS, struct mvm_sregs, .stopped = mvm_ioctl_set_sregs),
	MVM_IOCTL(MVM_GET_MSRS, struct mvm_msrs, .stopped = mvm_ioctl_get_msrs, .out = true),
	MVM_IOCTL(MVM_SET_MSRS, struct mvm_msrs, .stopped = mvm_ioctl_set_msrs, .out = true),
	MVM_IOCTL(MVM_GET_XSAVE, struct mvm_xsave, .stopped = mvm_ioctl_get_xsave, .out = true),
	MVM_IOCTL(MVM_SET_XSAVE, struct mvm_xsave, .stopped = mvm_ioctl_set_xsave),
	MVM_IOCTL(MVM_GET_CPUID, struct mvm_cpuid, .stopped = mvm_ioctl_get_cpuid, .out = true),
	MVM_IOCTL(MVM_SET_CPUID, struct mvm_cpuid, .stopped = mvm_ioctl_set_cpuid),
	MVM_IOCTL(MVM_GET_EVENTS, struct mvm_events, .stopped = mvm_ioctl_get_events, .out = true),
	MVM_IOCTL(MVM_SET_EVENTS, struct mvm_events, .stopped = mvm_ioctl_set_events),
	MVM_IOCTL(MVM_GET_LAPIC, struct mvm_lapic, .stopped = lapic_get, .out = true),
	MVM_IOCTL(MVM_SET_LAPIC, struct mvm_lapic, .stopped = lapic_set),
	MVM_IOCTL(MVM_GET_STATS, struct mvm_stats, .handler = vcpu_get_stats, .out = true),
};

static long vcpu_ioctl(struct file *file, unsigned int command, unsigned long arg)
{
	struct mvm_vcpu *vcpu = file->private_data;

	return mvm_ioctl(vcpu_ioctls, ARRAY_SIZE(vcpu_ioctls), vcpu, vcpu->vm->mm, command, arg);
}

/* ---- the descriptor ---- */

static int vcpu_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct mvm_vcpu *vcpu = file->private_data;
	int ret;

	if (vma->vm_pgoff || vma->vm_end - vma->vm_start != MVM_RUN_SIZE ||
	    !(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	ret = vm_insert_page(vma, vma->vm_start, virt_to_page(vcpu->run));
	if (ret)
		return ret;
	return vm_insert_page(vma, vma->vm_start + MVM_RING_OFFSET, virt_to_page(vcpu->vm->ring));
}

static __poll_t vcpu_poll(struct file *file, struct poll_table_struct *table)
{
	struct mvm_vcpu *vcpu = file->private_data;
	__poll_t events = 0;

	poll_wait(file, &vcpu->wait, table);
	poll_wait(file, &vcpu->vm->ring_wait, table);
	if (READ_ONCE(vcpu->state) == VCPU_EXITED)
		events |= EPOLLIN | EPOLLRDNORM;
	if (READ_ONCE(vcpu->vm->ring_head) != READ_ONCE(vcpu->vm->ring->tail))
		events |= EPOLLPRI;
	if (READ_ONCE(vcpu->vm->dead))
		events |= EPOLLHUP;
	return events;
}

/* The descriptor's end is the thread's; the object stays until the VM's end. */
static int vcpu_release(struct inode *inode, struct file *file)
{
	struct mvm_vcpu *vcpu = file->private_data;

	mvm_vcpu_stop(vcpu);
	kthread_stop(vcpu->thread);
	/* A thread that had not begun yet never will: neither will its run. */
	mvm_run_ended(vcpu);
	hrtimer_cancel(&vcpu->apic_timer);
	mvm_vm_put(vcpu->vm);
	return 0;
}

static const struct file_operations vcpu_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = vcpu_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = vcpu_mmap,
	.poll = vcpu_poll,
	.release = vcpu_release,
};

/* ---- creation ---- */

/**
 * mvm_vcpu_init() - what INIT does to registers that the VMCS does not hold (SDM
 *		     3A table 10-1)
 * @vcpu: its runner calls this
 *
 * FPU, XCR0 and TSC stay as they are.
 */
void mvm_vcpu_init(struct mvm_vcpu *vcpu)
{
	memset(vcpu->run->gpr, 0, sizeof(vcpu->run->gpr));
	/* The identification of the CPU (SDM 3A 10.1.2): family, model, stepping. */
	vcpu->run->gpr[MVM_RDX] = mvm_cpuid_lookup(&vcpu->cpuid, 1, 0)->eax;
	memset(vcpu->dr, 0, sizeof(vcpu->dr));
	vcpu->dr6 = 0xffff0ff0;
	vcpu->event = (struct mvm_event){};
	vcpu->deferred_interrupt = MVM_NO_INTERRUPT;
	vcpu->nmi_pending = false;
}

/* SDM 3A 10.1.1: the state after power-up, as far as the VMCS does not hold it. */
static void power_up(struct mvm_vcpu *vcpu)
{
	struct fxregs_state *fx = vcpu->xsave;

	fx->cwd = 0x37f;
	fx->mxcsr = MXCSR_DEFAULT;
	vcpu->xcr0 = 1;
	vcpu->timer_due = MVM_NEVER;
	vcpu->xapic_seen = true;
	vcpu->cpuid = mvm_supported_cpuid;
	mvm_vcpu_init(vcpu);
	mvm_msr_init(&vcpu->msr);
	/* The timer's shortest period: 20 us, so that no guest storms the host. */
	lapic_reset(&vcpu->lapic, vcpu->id, vcpu->id == 0, mvm_caps.timer_ratio,
		    mvm_caps.tsc_khz / 50);
	vcpu->run->rip = 0xfff0;
	vcpu->run->next_rip = 0xfff0;
	vcpu->run->rflags = X86_EFLAGS_FIXED;
}

/**
 * mvm_vcpu_free() - free a vCPU whose descriptor is closed, or never was
 * @vcpu: vCPU; its thread has ended
 */
void mvm_vcpu_free(struct mvm_vcpu *vcpu)
{
	if (vcpu->thread)
		put_task_struct(vcpu->thread);
	if (vcpu->vmcs)
		free_pages_exact(vcpu->vmcs, MVM_VMCS_BYTES);
	mvm_fault_cache_free(&vcpu->fault_cache);
	kfree(vcpu->xsave);
	free_page((unsigned long)vcpu->run);
	kfree(vcpu);
}

static struct mvm_vcpu *alloc_vcpu(struct mvm_vm *vm, u32 id)
{
	struct mvm_vcpu *vcpu = kzalloc(sizeof(*vcpu), GFP_KERNEL_ACCOUNT);
	struct task_struct *thread;

	if (!vcpu)
		return ERR_PTR(-ENOMEM);
	vcpu->vm = vm;
	vcpu->id = id;
	cpumask_copy(&vcpu->cpus, current->cpus_ptr);
	/* VPID 0 is the host's (SDM 3C 29.1). */
	vcpu->vpid = 1 + vm->index * MVM_MAX_VCPUS + id;
	mutex_init(&vcpu->lock);
	init_waitqueue_head(&vcpu->wait);
	mvm_hrtimer_setup(&vcpu->apic_timer, mvm_run_timer_fired, CLOCK_MONOTONIC,
			  HRTIMER_MODE_ABS_HARD);
	vcpu->run = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	/* A power of two is aligned to its size: XSAVE wants 64 bytes. */
	vcpu->xsave = kzalloc(roundup_pow_of_two(mvm_xsave_size()), GFP_KERNEL_ACCOUNT);
	vcpu->vmcs = alloc_pages_exact(MVM_VMCS_BYTES, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!vcpu->run || !vcpu->xsave || !vcpu->vmcs) {
		mvm_vcpu_free(vcpu);
		return ERR_PTR(-ENOMEM);
	}
	vcpu->vmxon = vcpu->vmcs + PAGE_SIZE;
	vcpu->msr_bitmap = vcpu->vmcs + 2 * PAGE_SIZE;
	vcpu->lapic.page = vcpu->vmcs + 3 * PAGE_SIZE;
	power_up(vcpu);

	thread = kthread_create(mvm_run_thread, vcpu, "mvm-%s/%u", vm->name, id);
	if (IS_ERR(thread)) {
		mvm_vcpu_free(vcpu);
		return ERR_CAST(thread);
	}
	vcpu->thread = get_task_struct(thread);
	vcpu->runner = thread;
	return vcpu;
}

/**
 * mvm_vcpu_create() - MVM_CREATE_VCPU
 * @object: VM
 * @data: struct mvm_create_vcpu
 *
 * Returns a descriptor or a negative errno.
 */
long mvm_vcpu_create(void *object, void *data)
{
	const struct mvm_create_vcpu *args = data;
	struct mvm_vm *vm = object;
	struct mvm_vcpu *vcpu;
	unsigned int id;
	int fd, ret;

	if (args->reserved || args->id >= MVM_MAX_VCPUS)
		return -EINVAL;
	id = array_index_nospec(args->id, MVM_MAX_VCPUS);

	mutex_lock(&vm->lock);
	ret = vm->vcpus[id] ? -EEXIST : vm->dead ? -EIO : 0;
	if (ret)
		goto unlock;
	vcpu = alloc_vcpu(vm, id);
	ret = PTR_ERR_OR_ZERO(vcpu);
	if (ret)
		goto unlock;
	ret = mvm_vmcs_create(vcpu);
	if (ret)
		goto stop;

	kref_get(&vm->refs);
	fd = anon_inode_getfd("mini-vm-vcpu", &vcpu_fops, vcpu, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		mvm_vm_put(vm);
		ret = fd;
		goto stop;
	}
	/* Published: others may send it interrupts from here on. */
	smp_store_release(&vm->vcpus[id], vcpu);
	wake_up_process(vcpu->thread);
	mutex_unlock(&vm->lock);
	return fd;

stop:
	kthread_stop(vcpu->thread);
	mvm_vcpu_free(vcpu);
unlock:
	mutex_unlock(&vm->lock);
	return ret;
}
