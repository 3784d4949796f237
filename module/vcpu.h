/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vcpu.h - the vCPU object, and what the files that share it do with one.
 */
#ifndef MVM_VCPU_H
#define MVM_VCPU_H

#include <linux/hrtimer.h>
#include <linux/sched.h>
#include "caps.h"
#include "cr.h"
#include "lapic.h"
#include "memory.h"
#include "msr.h"
#include "stats.h"

struct eventfd_ctx;
struct mvm_vm;

/* Bits of vcpu->requests: set by anyone, followed by mvm_vcpu_kick(). */
enum mvm_request {
	MVM_REQ_STOP,		/* end the run: owner gone, descriptor closed */
	MVM_REQ_LOOK,		/* look at run->immediate_exit */
	MVM_REQ_TIMER,		/* the APIC timer's hrtimer fired */
	MVM_REQ_IRR,		/* pending_irr has bits */
	MVM_REQ_NMI,		/* latch an NMI */
	MVM_REQ_NMI_PIN,	/* the NMI pin rose: LINT1 decides */
	MVM_REQ_INTR,		/* the INTR line was raised: level in intr_line */
	MVM_REQ_STARTUP,	/* startup has bits */
};

/* Who may touch the vCPU's state.  The last two: it runs. */
enum mvm_vcpu_state {
	VCPU_STOPPED,		/* ioctls, under vcpu->lock */
	VCPU_EXITED,		/* ioctls; an exit waits to be collected */
	VCPU_RUNNING,		/* its thread */
	VCPU_LENT,		/* a thread of the owner's, in MVM_RUN */
};

/* What the run loop does after an exit, or another step in the window. */
enum exit_result {
	EXIT_RESUME,	/* enter again, nothing to inject has changed */
	EXIT_INJECT,	/* look for events to inject, then enter */
	EXIT_CLOSE,	/* close the window; the thread goes on outside */
	EXIT_YIELD,	/* likewise, and lets others run first */
	EXIT_NMI,	/* likewise, and deliver the NMI to the host, IRQs still off */
	EXIT_MACHINE_CHECK, /* likewise the machine check */
	EXIT_FAULT,	/* close the window; the thread serves the EPT violation */
	EXIT_USER,	/* close the window; the run page holds an exit */
};

/* What an exit tells user space beyond the registers: mvm_exit_user(). */
#define WITH_INSN	BIT(0)	/* where the instruction ends */
#define WITH_SREGS	BIT(1)

/*
 * An event to inject at the next entry, in the VMX interruption-information
 * format (SDM 3C 25.8.3); 0: none.
 */
struct mvm_event {
	u32 info;
	u32 error_code;
	u32 insn_len;
};

/* The answer of user space to an exit, copied from the run page and checked. */
struct mvm_answer {
	bool load;		/* the fields below wait to be loaded into the VMCS */
	bool completed;		/* an instruction was completed */
	u64 rip, rsp, rflags;
	struct mvm_exception exception;	/* vector 0xff: none */
};

#define MVM_NO_EXCEPTION	0xff
#define MVM_NEVER		(~0ULL)	/* vcpu->timer_due */

/*
 * Locks: [I] immutable after creation, [K] vcpu->lock, [W] wait.lock,
 * [R] the runner: the thread that runs it while it runs, else an ioctl that
 * holds vcpu->lock; [a] atomic access from anywhere.
 */
struct mvm_vcpu {
	struct mvm_vm *vm;			/* [I] */
	struct mvm_run *run;			/* [I] run page; contents hostile */
	u32 id;					/* [I] also the local APIC ID */
	u16 vpid;				/* [I] */
	struct task_struct *thread;		/* [I] */
	struct cpumask cpus;			/* [I] where it starts: its creator's */

	struct mutex lock;			/* one ioctl at a time */
	wait_queue_head_t wait;			/* the owner waits here for EXITED */
	enum mvm_vcpu_state state;		/* [W] to change, [a] to read */
	struct task_struct *runner;		/* [a] to be woken: @thread, or who lends itself */
	bool waiting;				/* [K] a thread waits in MVM_RUN */
	bool join;				/* [K] a wait was interrupted: see MVM_RUN */

	unsigned long requests;			/* [a] enum mvm_request */
	unsigned long pending_irr[256 / BITS_PER_LONG];	/* [a] */
	unsigned long pending_level[256 / BITS_PER_LONG]; /* [a] which of them are by level */
	u32 startup;				/* [a] LAPIC_POSTED_*: INIT, SIPI */
	bool intr_line;				/* [a] INTR pin */
	bool nmi_line;				/* [a] last level of the NMI pin */
	bool in_window;				/* [a] the kick protocol: window.c */

	/* the hardware's view: window.c, vmcs.c */
	void *vmcs;				/* [I] VMCS region, of MVM_VMCS_BYTES */
	void *vmxon;				/* [I] VMXON region, likewise part of them */
	unsigned long *msr_bitmap;		/* [R] likewise */
	u16 launched;				/* [R] in the open window; entry.S sets it */
	u32 proc_controls;			/* [R] likewise */
	u8 tpr_threshold;			/* [R] likewise */
	bool xapic_seen;			/* [R] mvm_vcpu_has_xapic() when it last ran */
	u64 eoi_exits[4];			/* [R] likewise */
	s64 tsc_offset;				/* [R] likewise */
	unsigned long switches;			/* [R] of the runner at its last window; ~0: a new run */
	int window_cpu;				/* [R] where the window is, or was last */
	int last_cpu;				/* [R] where it ran last, or -1 */

	/* the guest's state that the VMCS does not hold */
	struct mvm_event event;			/* [R] to inject */
	int deferred_interrupt;			/* [R] acknowledged vector that has to wait, or -1 */
	bool nmi_pending;			/* [R] */
	u8 activity;				/* [R] GUEST_ACTIVITY_*; the VMCS says: active */
	bool halted_if;				/* [R] RFLAGS.IF of a halted vCPU */
	u64 halt_poll;				/* [R] wait so long awake, in ticks of the TSC */
	u64 cr2;				/* [R] */
	u64 xcr0;				/* [R] */
	u64 dr[4], dr6;				/* [R]; DR7 is in the VMCS */
	void *xsave;				/* [R] XSAVE image, 64-byte aligned */
	struct mvm_lapic_state lapic;		/* [R] */
	struct mvm_cpuid_table cpuid;		/* [R]; fixed after the first run */
	struct mvm_msr_state msr;		/* [R] */
	struct mvm_cr_state cr;			/* [R] */
	u64 timer_due;				/* [R] the APIC timer: host TSC, or MVM_NEVER */
	bool timer_in_window;			/* [R] the preemption timer is not the backstop alone */
	struct hrtimer apic_timer;		/* armed by [R], when no window can do it */

	/* from MVM_RUN to the first entry: run.c */
	u32 answering;				/* [R] MVM_EXIT_* that waits for its answer */
	struct mvm_answer answer;		/* [R] */
	bool regs_in_vmcs;			/* [R] not in the page: mvm_exit_no_vmx() */
	u32 forced_exit;			/* [R] MVM_EXIT_* to report before entering, or 0 */
	bool eoi_pending;			/* [R] pending_eoi has bits */
	unsigned long pending_eoi[256 / BITS_PER_LONG];	/* [R] vectors for user space */

	/* the exit being handled: exits.c */
	u32 exit_reason;			/* [R] raw */
	unsigned long exit_qualification;	/* [R] */
	struct mvm_exit_io io;			/* [R] as decoded; the page's copy is hostile */
	u64 msr_data;				/* [R] of a RDMSR */
	struct mvm_exit_mmio fault;		/* [R] EPT violation, served outside */
	struct mvm_fault_cache fault_cache;	/* [R] */
	bool posted;				/* [R] writes, and nobody was told */
	bool posted_exits;			/* [R] who runs it is told by an exit: MVM_RUN_LEND */
	struct eventfd_ctx *rung;		/* [R] PREEMPT_RT: to be signalled behind the window */

	struct mvm_vcpu_stats stats;		/* [R] to change, [a] to read */
};

/* What an EPT violation was, in mvm_exit_mmio.flags: the bits of the EPT. */
#define MVM_ACCESS	(MVM_MMIO_READ | MVM_MMIO_WRITE | MVM_MMIO_FETCH)
static_assert(MVM_MMIO_READ == EPT_READ && MVM_MMIO_WRITE == EPT_WRITE &&
	      MVM_MMIO_FETCH == EPT_EXEC);

/* Has it an xAPIC where the APIC-access page is mapped?  Any thread may ask. */
static inline bool mvm_vcpu_has_xapic(const struct mvm_vcpu *vcpu)
{
	u64 base = READ_ONCE(vcpu->lapic.base);

	return lapic_mode(base) == LAPIC_XAPIC &&
	       base >> PAGE_SHIFT == APIC_DEFAULT_PHYS_BASE >> PAGE_SHIFT;
}

static inline bool mvm_vcpu_runs(const struct mvm_vcpu *vcpu)
{
	return READ_ONCE(vcpu->state) >= VCPU_RUNNING;
}

/* Bytes to mmap() from a vCPU: the run page and the VM's ring of posted writes. */
#define MVM_RUN_SIZE	(MVM_RING_OFFSET + PAGE_SIZE)

/* Bytes of the XSAVE image of every vCPU. */
static inline u32 mvm_xsave_size(void)
{
	return mvm_cpuid_xsave_size(&mvm_supported_cpuid, mvm_caps.xcr0_mask);
}

/* vcpu.c: its life */
long mvm_vcpu_create(void *vm, void *args);
void mvm_vcpu_free(struct mvm_vcpu *vcpu);
void mvm_vcpu_init(struct mvm_vcpu *vcpu);
long mvm_vcpu_when_stopped(struct mvm_vcpu *vcpu,
			   int (*handler)(struct mvm_vcpu *vcpu, void *args), void *args);

/* run.c: its thread; the first four in any context, the rest by the runner */
void mvm_vcpu_request(struct mvm_vcpu *vcpu, enum mvm_request request);
void mvm_vcpu_post_interrupt(struct mvm_vcpu *vcpu, u8 vector, bool level);
void mvm_vcpu_post_startup(struct mvm_vcpu *vcpu, enum lapic_delivery mode, u8 vector);
void mvm_vcpu_stop(struct mvm_vcpu *vcpu);
int mvm_run_thread(void *vcpu);
int mvm_run_start(struct mvm_vcpu *vcpu, bool lend);
void mvm_run_lent(struct mvm_vcpu *vcpu);
void mvm_run_ended(struct mvm_vcpu *vcpu);
enum hrtimer_restart mvm_run_timer_fired(struct hrtimer *timer);
enum exit_result mvm_begin_run(struct mvm_vcpu *vcpu);
u64 mvm_vcpu_tsc(const struct mvm_vcpu *vcpu);
s64 mvm_vcpu_tsc_offset(const struct mvm_vcpu *vcpu);
void mvm_vcpu_take_posted(struct mvm_vcpu *vcpu);
void mvm_vcpu_update_timer(struct mvm_vcpu *vcpu);
void mvm_vcpu_lapic_effect(struct mvm_vcpu *vcpu);

/*
 * window.c: the stretch with IRQs off in which this CPU is in VMX operation with
 * the vCPU's VMCS current.  Outside a window the CPU is as if mini-vm were not
 * there.
 */
void mvm_windows_init(void);
void mvm_windows_exit(void);
enum exit_result mvm_window_run(struct mvm_vcpu *vcpu);
int mvm_window_access(struct mvm_vcpu *vcpu,
		      void (*fn)(struct mvm_vcpu *vcpu, void *arg), void *arg);
void mvm_vmx_exit(void);	/* entry.S: where a VM exit arrives */

/* vmcs.c: make a VMCS.  A page each: VMCS, VMXON, MSR bitmap, local APIC */
#define MVM_VMCS_BYTES	(4 * PAGE_SIZE)
int mvm_vmcs_create(struct mvm_vcpu *vcpu);
void mvm_vmcs_init(struct mvm_vcpu *vcpu);

/* exits.c: in the window, but for the last two: closed, IRQs off */
enum exit_result mvm_handle_exit(struct mvm_vcpu *vcpu);
enum exit_result mvm_exit_fail_entry(struct mvm_vcpu *vcpu, int failed);
enum exit_result mvm_exit_user(struct mvm_vcpu *vcpu, u32 reason, u32 with);
enum exit_result mvm_exit_eoi(struct mvm_vcpu *vcpu);
void mvm_exit_fault(struct mvm_vcpu *vcpu, void *arg);
void mvm_skip_to(unsigned long rip);
enum exit_result mvm_exit_no_vmx(struct mvm_vcpu *vcpu);
void mvm_after_window(struct mvm_vcpu *vcpu, enum exit_result result);

/*
 * state.c: handlers of the vCPU ioctl table.  @args is the kernel copy of the
 * struct (its size and flags were checked), copied back when the row says so.
 * Called under vcpu->lock with the vCPU stopped, in the owner's process.
 */
int mvm_ioctl_get_sregs(struct mvm_vcpu *vcpu, void *args);
int mvm_ioctl_set_sregs(struct mvm_vcpu *vcpu, void *args);
int mvm_ioctl_get_msrs(struct mvm_vcpu *vcpu, void *args);
int mvm_ioctl_set_msrs(struct mvm_vcpu *vcpu, void *args);
int mvm_ioctl_get_xsave(struct mvm_vcpu *vcpu, void *args);
int mvm_ioctl_set_xsave(struct mvm_vcpu *vcpu, void *args);
int mvm_ioctl_get_cpuid(struct mvm_vcpu *vcpu, void *args);
int mvm_ioctl_set_cpuid(struct mvm_vcpu *vcpu, void *args);
int mvm_ioctl_get_events(struct mvm_vcpu *vcpu, void *args);
int mvm_ioctl_set_events(struct mvm_vcpu *vcpu, void *args);
/* MVM_GET_SUPPORTED_CPUID of the device. */
long mvm_ioctl_get_supported_cpuid(void *device, void *args);
/* In a window: everything of struct mvm_sregs but its size and flags, which become 0. */
void mvm_state_fill_sregs(struct mvm_vcpu *vcpu, void *sregs);
/* IA32_APIC_BASE, by the guest or by user space. */
int mvm_state_set_apic_base(struct mvm_vcpu *vcpu, u64 base, bool host);
/* In a window: CPUID follows CR4.OSXSAVE, XCR0 and IA32_APIC_BASE. */
void mvm_state_refresh_cpuid(struct mvm_vcpu *vcpu);

/*
 * ioctl.c: ioctls are rows of a table: command, struct, handler.  One generic
 * function copies the argument in and out for all three kinds of descriptor.
 */

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

#endif /* MVM_VCPU_H */
