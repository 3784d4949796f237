/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ioctl.h - ioctls are rows of a table: command, struct, handler.  One generic
 * function copies the argument in and out for all three kinds of descriptor.
 */
#ifndef MVM_IOCTL_H
#define MVM_IOCTL_H

#include <linux/types.h>

struct mvm_vcpu;

/* The largest argument: struct mvm_sregs. */
#define MVM_IOCTL_MAX_SIZE	512

/**
 * struct mvm_ioctl_op - a row
 * @command:	MVM_*
 * @size:	sizeof() the struct, which is also its first published version
 * @flags:	bits of its flags that have a meaning; the others must be 0
 * @out:	the struct is copied back, also after an error
 * @handler:	@object is the descriptor's object, @args the kernel's copy, of
 *		which size and flags are checked and nothing else.  Returns what
 *		the ioctl returns.
 * @stopped:	instead of @handler, on a vCPU: needs the vCPU stopped, and is
 *		called under vcpu->lock
 */
struct mvm_ioctl_op {
	unsigned int command;
	unsigned int size;
	u32 flags;
	bool out;
	long (*handler)(void *object, void *args);
	int (*stopped)(struct mvm_vcpu *vcpu, void *args);
};

#define MVM_IOCTL(command_, type, ...)	\
	{ .command = command_, .size = sizeof(type), __VA_ARGS__ }

long mvm_ioctl(const struct mvm_ioctl_op *ops, unsigned int count, void *object,
	       const struct mm_struct *owner, unsigned int command, unsigned long arg);

#endif /* MVM_IOCTL_H */
