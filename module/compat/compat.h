/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compat.h - differences between kernels, included before every C file of the
 * module.  No version is tested outside of this folder.
 */
#ifndef MVM_COMPAT_H
#define MVM_COMPAT_H

#include <linux/version.h>

/* 6.1, 6.12 and 7.2 are built for and booted; dkms.conf has the same range. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "mini-vm needs Linux 6.1 or newer"
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 3, 0)
#error "mini-vm supports Linux 6.1 to 7.2"
#endif

#include <linux/list.h>
#include <linux/mm.h>
#include <linux/types.h>
#include <asm/cpufeatures.h>
#include <asm/msr.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
#include <asm/cpuid/api.h>	/* asm/processor.h has it no more */
#endif

#undef pr_fmt
#define pr_fmt(fmt) "mini-vm: " fmt

/* hrtimer_init() and the function field are one call from 6.13 on. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define mvm_hrtimer_setup(timer, callback, clock, mode) \
	hrtimer_setup(timer, callback, clock, mode)
#else
#define mvm_hrtimer_setup(timer, callback, clock, mode)			\
do {									\
	hrtimer_init(timer, clock, mode);				\
	(timer)->function = (callback);					\
} while (0)
#endif

/* It always adds 1 from 6.8 on. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
#define mvm_eventfd_signal(eventfd)	eventfd_signal(eventfd)
#else
#define mvm_eventfd_signal(eventfd)	eventfd_signal(eventfd, 1)
#endif

/* The q, as everywhere in x86 for 64 bits, replaced the l in 6.16. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
#ifndef rdmsrl
#define rdmsrl(msr, value)	rdmsrq(msr, value)
#define rdmsrl_safe(msr, value)	rdmsrq_safe(msr, value)
#define wrmsrl(msr, value)	wrmsrq(msr, value)
#endif
#endif

/*
 * MVM_DEFINE_SYSCORE(name, on_suspend, on_resume): what mvm_register_syscore()
 * takes.  The callbacks have no argument; the kernel's have one from 6.19 on, and
 * in later releases of 6.12.  Kbuild looks which it is.
 */
#ifdef MVM_SYSCORE_HAS_DATA
#define MVM_DEFINE_SYSCORE(name, on_suspend, on_resume)			\
static int name##_suspend(void *data)					\
{									\
	return on_suspend();						\
}									\
static void name##_resume(void *data)					\
{									\
	on_resume();							\
}									\
static const struct syscore_ops name##_ops = {				\
	.suspend = name##_suspend,					\
	.resume = name##_resume,					\
};									\
static struct syscore name = { .ops = &name##_ops }
#define mvm_register_syscore(syscore)	register_syscore(syscore)
#define mvm_unregister_syscore(syscore)	unregister_syscore(syscore)
#else
#define MVM_DEFINE_SYSCORE(name, on_suspend, on_resume)			\
static struct syscore_ops name = { .suspend = on_suspend, .resume = on_resume }
#define mvm_register_syscore(syscore)	register_syscore_ops(syscore)
#define mvm_unregister_syscore(syscore)	unregister_syscore_ops(syscore)
#endif

/* Newer kernels keep this to themselves.  The pages have one reference each. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 0, 0)
static inline void mvm_put_pages_list(struct list_head *pages)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, pages, lru) {
		list_del(&page->lru);
		__free_page(page);
	}
}
#define put_pages_list(pages)	mvm_put_pages_list(pages)
#endif

/*
 * Where the kernel has no such choice, the barrier is executed on every CPU that
 * knows it, whatever the command line says.
 */
#ifndef X86_FEATURE_USE_IBPB
#define X86_FEATURE_USE_IBPB	X86_FEATURE_IBPB
#endif

#endif /* MVM_COMPAT_H */
