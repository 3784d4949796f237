// SPDX-License-Identifier: GPL-2.0-only
/*
 * vm.c - the VM object: creation, its descriptor, what concerns all its vCPUs.
 *
 * The owner is the process (address space) that created the VM.  When it goes,
 * every vCPU stops, whoever still holds a descriptor.
 */
#include <linux/anon_inodes.h>
#include <linux/ctype.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/poll.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/syscore_ops.h>
#include <asm/tsc.h>
#include "debug.h"
#include "doorbell.h"
#include "vcpu.h"
#include "vm.h"

static DEFINE_IDA(vm_indexes);
static atomic64_t last_serial;

/* Ticks that the host's TSC went back by in suspends since the module was loaded. */
u64 mvm_tsc_lost;

static void free_vm(struct kref *refs)
{
	struct mvm_vm *vm = container_of(refs, struct mvm_vm, refs);
	struct mvm_vcpu *vcpu;
	unsigned int i;

	/* First: signals and the mmu notifier's callbacks look at the vCPUs. */
	mvm_irqfds_destroy(vm);
	mvm_memory_destroy(vm);
	mvm_ports_destroy(vm);
	mvm_for_each_vcpu(vm, i, vcpu)
		mvm_vcpu_free(vcpu);
	ida_free(&vm_indexes, vm->index);
	free_page((unsigned long)vm->ring);
	kfree(vm);
}

/**
 * mvm_vm_put() - a descriptor is closed; the last one frees the VM
 * @vm: VM; the caller may sleep
 */
void mvm_vm_put(struct mvm_vm *vm)
{
	kref_put(&vm->refs, free_vm);
}

static void nothing(void *unused)
{
}

/**
 * mvm_vm_close_windows() - interrupt every open window of the VM and wait until
 *			    it is closed
 * @vm: VM
 *
 * IRQs on; the caller holds no lock that a window takes.  Does not sleep.  A
 * window that opens meanwhile sees what the caller changed before (the barrier
 * pairs with the one in mvm_window_run()).
 */
void mvm_vm_close_windows(struct mvm_vm *vm)
{
	struct mvm_vcpu *vcpu;
	unsigned int i;

	smp_mb();
	preempt_disable();
	mvm_for_each_vcpu(vm, i, vcpu) {
		if (!smp_load_acquire(&vcpu->in_window))
			continue;
		/* Our own CPU has none: IRQs are on here. */
		smp_call_function_many(cpumask_of(READ_ONCE(vcpu->window_cpu)), nothing, NULL,
				       true);
	}
	preempt_enable();
}

/**
 * mvm_vm_owner_gone() - the owner's address space ends: stop every vCPU
 * @vm: VM
 *
 * Called from the mmu notifier's release, perhaps by two threads at once; may
 * sleep.  Returns when no vCPU runs any more.
 */
void mvm_vm_owner_gone(struct mvm_vm *vm)
{
	struct mvm_vcpu *vcpu;
	unsigned int i;

	WRITE_ONCE(vm->dead, true);
	/* Pairs with mutex in mvm_vcpu_create(): it sees @dead, or we see it. */
	mutex_lock(&vm->lock);
	mutex_unlock(&vm->lock);
	mvm_for_each_vcpu(vm, i, vcpu)
		mvm_vcpu_stop(vcpu);
	mvm_for_each_vcpu(vm, i, vcpu) {
		wait_event(vcpu->wait, !mvm_vcpu_runs(vcpu));
		/* Others may hold a descriptor and poll it. */
		wake_up_poll(&vcpu->wait, EPOLLHUP);
	}
}

/* Does a message from @source go to this vCPU too? */
static bool names(const struct lapic_message *message, const struct mvm_vcpu *vcpu,
		  const struct mvm_vcpu *source)
{
	if (message->shorthand == LAPIC_TO_DEST)
		return lapic_matches(&vcpu->lapic, message->dest, message->logical);
	return lapic_matches(&vcpu->lapic, LAPIC_BROADCAST, false) &&
	       (message->shorthand == LAPIC_TO_ALL ||
		(message->shorthand == LAPIC_TO_SELF) == (vcpu == source));
}

/* One local APIC takes the message, or its vCPU does. */
static void send(struct mvm_vcpu *vcpu, struct mvm_vcpu *source,
		 const struct lapic_message *message)
{
	switch (message->mode) {
	case LAPIC_FIXED:
	case LAPIC_LOWEST:
		if (vcpu == source)
			lapic_accept(&vcpu->lapic, message->vector, message->level);
		else
			mvm_vcpu_post_interrupt(vcpu, message->vector, message->level);
		break;
	case LAPIC_NMI:
		if (vcpu == source)
			vcpu->nmi_pending = true;
		else
			mvm_vcpu_request(vcpu, MVM_REQ_NMI);
		break;
	case LAPIC_INIT:
	case LAPIC_SIPI:
		mvm_vcpu_post_startup(vcpu, message->mode, message->vector);
		break;
	default:			/* SMI: there is no SMM */
		break;
	}
}

/**
 * mvm_vm_deliver() - route an interrupt message to the local APICs it names
 * @vm: VM
 * @source: vCPU that sent it, and whose runner calls; NULL for an MSI
 * @message: decoded
 *
 * One that is for any of several goes to the first that is enabled by software
 * (SDM 3A 11.6.2.4).  Returns 0, or -ENOENT: nobody matches.
 */
int mvm_vm_deliver(struct mvm_vm *vm, struct mvm_vcpu *source, const struct lapic_message *message)
{
	struct mvm_vcpu *vcpu;
	bool found = false;
	unsigned int i;

	mvm_for_each_vcpu(vm, i, vcpu) {
		if (!names(message, vcpu, source))
			continue;
		found = true;
		if (message->one && !lapic_software_enabled(&vcpu->lapic))
			continue;
		send(vcpu, source, message);
		if (message->one)
			break;
	}
	return found ? 0 : -ENOENT;
}

static long vm_set_msr_policy(void *object, void *args)
{
	const struct mvm_msr_policy *policy = args;
	struct mvm_vm *vm = object;
	long ret = 0;

	if (policy->reserved || policy->policy > MVM_MSR_POLICY_FORWARD)
		return -EINVAL;
	mutex_lock(&vm->lock);
	if (vm->has_run)
		ret = -EBUSY;
	else
		vm->msr_policy = policy->policy;
	mutex_unlock(&vm->lock);
	return ret;
}

static long vm_signal_msi(void *object, void *args)
{
	const struct mvm_msi *msi = args;
	struct lapic_message message;

	if (msi->reserved || lapic_decode_msi(msi->address, msi->data, &message))
		return -EINVAL;
	return mvm_vm_deliver(object, NULL, &message);
}

static const struct mvm_ioctl_op vm_ioctls[] = {
	MVM_IOCTL(MVM_SET_SLOT, struct mvm_slot, .handler = mvm_memory_set_slot,
		  .flags = MVM_SLOT_READONLY),
	MVM_IOCTL(MVM_CREATE_VCPU, struct mvm_create_vcpu, .handler = mvm_vcpu_create),
	MVM_IOCTL(MVM_SET_MSR_POLICY, struct mvm_msr_policy, .handler = vm_set_msr_policy),
	MVM_IOCTL(MVM_SIGNAL_MSI, struct mvm_msi, .handler = vm_signal_msi),
	MVM_IOCTL(MVM_SET_IRQFD, struct mvm_irqfd, .handler = mvm_set_irqfd,
		  .flags = MVM_IRQFD_REMOVE),
	MVM_IOCTL(MVM_SET_DOORBELL, struct mvm_doorbell, .handler = mvm_set_doorbell,
		  .flags = MVM_DOORBELL_MATCH | MVM_DOORBELL_REMOVE),
	MVM_IOCTL(MVM_SET_POSTED, struct mvm_posted_ports, .handler = mvm_set_posted,
		  .flags = MVM_POSTED_REMOVE),
};

static long vm_ioctl(struct file *file, unsigned int command, unsigned long arg)
{
	struct mvm_vm *vm = file->private_data;

	return mvm_ioctl(vm_ioctls, ARRAY_SIZE(vm_ioctls), vm, vm->mm, command, arg);
}

static int vm_release(struct inode *inode, struct file *file)
{
	mvm_vm_put(file->private_data);
	return 0;
}

static const struct file_operations vm_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = vm_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.release = vm_release,
};

/* A name is for ps, traces and messages: nothing in it may confuse them. */
static bool name_valid(const u8 *name, size_t size)
{
	size_t length = strnlen(name, size), i;

	if (!length || length == size)
		return false;
	for (i = 0; i < length; i++)
		if (!isascii(name[i]) || !isprint(name[i]) || name[i] == '/')
			return false;
	return true;
}

/**
 * mvm_vm_create() - MVM_CREATE_VM
 * @object: unused
 * @data: struct mvm_create_vm
 *
 * Returns a descriptor or a negative errno.
 */
long mvm_vm_create(void *object, void *data)
{
	const struct mvm_create_vm *args = data;
	struct mvm_vm *vm;
	int ret;

	if (!name_valid(args->name, sizeof(args->name)))
		return -EINVAL;
	vm = kzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);
	if (!vm)
		return -ENOMEM;
	kref_init(&vm->refs);
	mutex_init(&vm->lock);
	strscpy(vm->name, args->name, sizeof(vm->name));
	vm->flags = args->flags;
	vm->serial = atomic64_inc_return(&last_serial);
	vm->tsc_offset = -(s64)(rdtsc() + READ_ONCE(mvm_tsc_lost));
	INIT_LIST_HEAD(&vm->irqfds);
	raw_spin_lock_init(&vm->ring_lock);
	init_waitqueue_head(&vm->ring_wait);
	ret = -ENOMEM;
	vm->ring = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!vm->ring)
		goto free;

	ret = ida_alloc_max(&vm_indexes, MVM_MAX_VMS - 1, GFP_KERNEL);
	if (ret < 0)
		goto free;
	vm->index = ret;
	ret = mvm_memory_init(vm);
	if (ret)
		goto free_index;
	ret = anon_inode_getfd("mini-vm", &vm_fops, vm, O_RDWR | O_CLOEXEC);
	if (ret < 0)
		mvm_vm_put(vm);
	return ret;

free_index:
	ida_free(&vm_indexes, vm->index);
free:
	free_page((unsigned long)vm->ring);
	kfree(vm);
	return ret;
}

/*
 * Suspend may stop the TSC, or start it again from 0: no guest may see it go
 * backwards.  The vCPU threads are frozen meanwhile (run.c).
 */
static u64 tsc_at_suspend;

static int suspend(void)
{
	tsc_at_suspend = rdtsc() + mvm_debug_tsc_back;
	return 0;
}

static void resume(void)
{
	u64 now = rdtsc();

	if (now < tsc_at_suspend)
		WRITE_ONCE(mvm_tsc_lost, mvm_tsc_lost + (tsc_at_suspend - now));
}

MVM_DEFINE_SYSCORE(suspend_watch, suspend, resume);

/**
 * mvm_vms_init() - watch for suspend
 */
void mvm_vms_init(void)
{
	mvm_register_syscore(&suspend_watch);
}

/**
 * mvm_vms_exit() - undo mvm_vms_init(); no VM is left
 */
void mvm_vms_exit(void)
{
	mvm_unregister_syscore(&suspend_watch);
	ida_destroy(&vm_indexes);
}
