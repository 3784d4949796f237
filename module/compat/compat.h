/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compat.h - differences between kernels, in one place, included before every
 * file of the module.  No version is tested anywhere else.
 */
#ifndef MVM_COMPAT_H
#define MVM_COMPAT_H

#include <linux/version.h>
#include <linux/types.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "mini-vm needs Linux 6.1 or newer"
#endif
/* Raised when a newer kernel has been built for and booted. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
#error "mini-vm has been built for and tested on Linux 6.1 only"
#endif

#undef pr_fmt
#define pr_fmt(fmt) "mini-vm: " fmt

/* hrtimer_init() and the function field are one call from 6.13 on. */
#define mvm_hrtimer_setup(timer, callback, clock, mode)			\
do {									\
	hrtimer_init(timer, clock, mode);				\
	(timer)->function = (callback);					\
} while (0)

#endif /* MVM_COMPAT_H */
