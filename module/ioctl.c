// SPDX-License-Identifier: GPL-2.0-only
/*
 * ioctl.c - what all ioctls have in common: find the row, copy the argument in,
 * call the handler, copy the argument out.
 */
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/uaccess.h>
#include "vcpu.h"

static_assert(sizeof(struct mvm_sregs) <= MVM_IOCTL_MAX_SIZE);
static_assert(sizeof(struct mvm_lapic) <= MVM_IOCTL_MAX_SIZE);

/**
 * mvm_ioctl() - serve an ioctl by a table
 * @ops: the table
 * @count: its rows
 * @object: for the handler
 * @owner: the only address space that may ask, or NULL
 * @command: from user space
 * @arg: from user space: address of a struct that starts with its size
 *
 * Returns what the handler returns; EPERM, ENOTTY, EFAULT, EINVAL (size, flags), E2BIG
 * or EBUSY (a vCPU that has to be stopped is not) before it is called.
 */
long mvm_ioctl(const struct mvm_ioctl_op *ops, unsigned int count, void *object,
	       const struct mm_struct *owner, unsigned int command, unsigned long arg)
{
	struct {
		u32 size, flags;
		u8 rest[MVM_IOCTL_MAX_SIZE - 2 * sizeof(u32)];
	} __aligned(8) args;
	void __user *user = (void __user *)arg;
	const struct mvm_ioctl_op *op = ops;
	u32 size;
	long ret;

	if (owner && current->mm != owner)
		return -EPERM;
	while (op->command != command)
		if (++op == ops + count)
			return -ENOTTY;
	if (get_user(size, (u32 __user *)user))
		return -EFAULT;
	if (size < op->size)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	/* E2BIG when the part that we do not know is not zero. */
	ret = copy_struct_from_user(&args, op->size, user, size);
	if (ret)
		return ret;
	if (args.flags & ~op->flags)
		return -EINVAL;
	ret = op->stopped ? mvm_vcpu_when_stopped(object, op->stopped, &args) :
			    op->handler(object, &args);
	if (op->out && ret != -EFAULT) {
		/* The size stays what the caller has said. */
		args.size = size;
		if (copy_to_user(user, &args, op->size))
			return -EFAULT;
	}
	return ret;
}
