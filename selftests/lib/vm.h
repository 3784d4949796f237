/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vm.h - VMs and vCPUs for tests
 *
 * Functions here end the test when something fails that the test is not about.
 * The raw ioctls are at the end: they return -1 and set errno.
 */
#ifndef SELFTESTS_VM_H
#define SELFTESTS_VM_H

#include <linux/mini_vm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "tap.h"

#define PAGE_SIZE	4096UL
#define SZ_64K		(64UL << 10)
#define SZ_1M		(1UL << 20)
#define SZ_2M		(2UL << 20)

/**
 * struct vm - a VM
 * @fd:		its descriptor
 * @ram:	what vm_ram() gave it at GPA 0, or NULL
 * @ram_size:	bytes there
 */
struct vm {
	int fd;
	u8 *ram;
	u64 ram_size;
};

/**
 * struct vcpu - a vCPU
 * @vm:		its VM
 * @fd:		its descriptor
 * @id:		its number
 * @run:	its run page
 */
struct vcpu {
	struct vm *vm;
	int fd;
	u32 id;
	struct mvm_run *run;
};

/* slots that the library uses; tests take theirs from SLOT_FREE up */
#define SLOT_RAM	0
#define SLOT_FREE	1

/* The device, opened at the first call; skips the test when it is not there. */
int dev_fd(void);
/* What the device says. */
const struct mvm_info *dev_info(void);

void vm_create(struct vm *vm, u32 flags);
/* Anonymous memory from GPA 0. */
void vm_ram(struct vm *vm, u64 bytes);
void vm_slot(struct vm *vm, u32 slot, u32 flags, u64 gpa, u64 length,
	     const void *addr);
void vm_slot_remove(struct vm *vm, u32 slot);
void vm_destroy(struct vm *vm);
/* Fresh zeroed memory of the owner. */
void *mem_alloc(u64 bytes);

void vcpu_create(struct vcpu *vcpu, struct vm *vm, u32 id);
void vcpu_destroy(struct vcpu *vcpu);

void vcpu_get_sregs(struct vcpu *vcpu, struct mvm_sregs *sregs);
void vcpu_set_sregs(struct vcpu *vcpu, struct mvm_sregs *sregs);
u64 vcpu_get_msr(struct vcpu *vcpu, u32 index);
void vcpu_set_msr(struct vcpu *vcpu, u32 index, u64 data);
void vcpu_get_events(struct vcpu *vcpu, struct mvm_events *events);
void vcpu_set_events(struct vcpu *vcpu, struct mvm_events *events);
/* Clear the bits that follow the vCPU's state, not the table. */
void cpuid_mask_dynamic(struct mvm_cpuid_entry *e);
u64 vcpu_stat(struct vcpu *vcpu, const char *name);

/* Real mode at segment:offset with flat-zero data segments, SS:SP 0:0x7000. */
void vcpu_real_mode(struct vcpu *vcpu, u16 segment, u16 offset);
/* Copy code to RAM at @gpa (below 64 KiB) and go there in real mode. */
void vcpu_real_code(struct vcpu *vcpu, u16 gpa, const void *code, size_t size);

/*
 * 32-bit protected mode without paging, flat segments with the selectors and
 * descriptors that are at MODE32_GDT, and a TSS.
 */
void vcpu_protected_mode(struct vcpu *vcpu, u32 eip);
#define MODE32_GDT	0x800
#define MODE32_IDT	0x1800
#define MODE32_TSS	0xa00
#define MODE32_CODE	0x08
#define MODE32_DATA	0x10
#define MODE32_TR	0x18
/* entries that tests fill in */
#define MODE32_FREE	0x20

/* Real-mode or 32-bit code, assembled here; position-independent. */
#define GUEST_CODE(name, bits, text)                                           \
	asm(".pushsection .rodata\n"                                           \
	    ".code" #bits "\n" #name ":\n" text "\n" #name "_end:\n"            \
	    ".code64\n.popsection");                                           \
	extern const u8 name[], name##_end[]
#define GUEST_CODE_SIZE(name)	((size_t)(name##_end - name))

/* Run until an exit; the exit reason.  Signals do not end it. */
u32 vcpu_run(struct vcpu *vcpu);
/* Run; the exit must be this one. */
void vcpu_run_expect(struct vcpu *vcpu, u32 reason, const char *file, int line);
#define vcpu_run_to(vcpu, reason)                                              \
	vcpu_run_expect(vcpu, reason, __FILE__, __LINE__)
/* One-line account of the last exit, in a static buffer. */
const char *exit_text(const struct vcpu *vcpu);
const char *exit_name(u32 reason);

/* Wait at most @ms for the end of an asynchronous run; true when it ended. */
bool vcpu_poll(struct vcpu *vcpu, int ms);
void vcpu_run_async(struct vcpu *vcpu);
void vcpu_kick(struct vcpu *vcpu);
/* Sleep so short that a guest meanwhile executes some thousand instructions. */
void sleep_ns(u32 ns);
/* Set immediate_exit, kick, and join: the vCPU is stopped after it. */
u32 vcpu_stop(struct vcpu *vcpu);

/* Doorbells, irqfds, posted ports: -1 and errno, as the ioctls. */
int try_doorbell(struct vm *vm, u32 flags, int fd, u16 port, u8 bytes, u32 data);
int try_irqfd(struct vm *vm, u32 flags, int fd, u32 data);
int try_posted(struct vm *vm, u32 flags, u16 port, u32 count);
/* An eventfd that does not block; how often it was signalled since the last time. */
int eventfd_new(void);
u64 eventfd_take(int fd);
void eventfd_ring(int fd);
/* The ring of posted writes in a vCPU's mapping; the oldest entry, or false. */
volatile struct mvm_ring *vcpu_ring(const struct vcpu *vcpu);
bool ring_take(const struct vcpu *vcpu, struct mvm_posted_write *write);

/* IA32 bits that tests need by name */
#define X86_CR0_PE	(1UL << 0)
#define X86_CR0_MP	(1UL << 1)
#define X86_CR0_EM	(1UL << 2)
#define X86_CR0_TS	(1UL << 3)
#define X86_CR0_ET	(1UL << 4)
#define X86_CR0_NE	(1UL << 5)
#define X86_CR0_WP	(1UL << 16)
#define X86_CR0_AM	(1UL << 18)
#define X86_CR0_NW	(1UL << 29)
#define X86_CR0_CD	(1UL << 30)
#define X86_CR0_PG	(1UL << 31)
#define X86_CR4_VME	(1UL << 0)
#define X86_CR4_TSD	(1UL << 2)
#define X86_CR4_DE	(1UL << 3)
#define X86_CR4_PSE	(1UL << 4)
#define X86_CR4_PAE	(1UL << 5)
#define X86_CR4_MCE	(1UL << 6)
#define X86_CR4_PGE	(1UL << 7)
#define X86_CR4_PCE	(1UL << 8)
#define X86_CR4_OSFXSR	(1UL << 9)
#define X86_CR4_OSXMMEXCPT (1UL << 10)
#define X86_CR4_VMXE	(1UL << 13)
#define X86_CR4_OSXSAVE	(1UL << 18)
#define EFER_SCE	(1UL << 0)
#define EFER_LME	(1UL << 8)
#define EFER_LMA	(1UL << 10)
#define EFER_NX		(1UL << 11)
#define RFLAGS_FIXED	(1UL << 1)
#define RFLAGS_TF	(1UL << 8)
#define RFLAGS_IF	(1UL << 9)
#define RFLAGS_DF	(1UL << 10)
#define RFLAGS_RF	(1UL << 16)
#define RFLAGS_AC	(1UL << 18)

#define MSR_TSC			0x10
#define MSR_APIC_BASE		0x1b
#define MSR_FEATURE_CONTROL	0x3a
#define MSR_TSC_ADJUST		0x3b
#define MSR_SPEC_CTRL		0x48
#define MSR_SYSENTER_CS		0x174
#define MSR_SYSENTER_ESP	0x175
#define MSR_SYSENTER_EIP	0x176
#define MSR_MISC_ENABLE		0x1a0
#define MSR_DEBUGCTL		0x1d9
#define MSR_PAT			0x277
#define MSR_MTRR_DEF_TYPE	0x2ff
#define MSR_TSC_DEADLINE	0x6e0
#define MSR_EFER		0xc0000080
#define MSR_STAR		0xc0000081
#define MSR_LSTAR		0xc0000082
#define MSR_CSTAR		0xc0000083
#define MSR_FMASK		0xc0000084
#define MSR_FS_BASE		0xc0000100
#define MSR_GS_BASE		0xc0000101
#define MSR_KERNEL_GS_BASE	0xc0000102
#define MSR_TSC_AUX		0xc0000103

/*
 * The ioctls, one wrapper each: struct arguments get their size here when they
 * have none.
 */
#define mvm_ioctl(fd, cmd, arg)                                                \
	({                                                                     \
		__auto_type arg_ = (arg);                                      \
		if (!arg_->size)                                               \
			arg_->size = sizeof(*arg_);                            \
		ioctl(fd, cmd, arg_);                                          \
	})

int sys_run(int fd, u32 flags);

#endif
