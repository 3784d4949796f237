/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * mini_vm.h - the whole user-space ABI of mini-vm, and its manual.
 *
 * There are three kinds of file descriptor:
 *
 *   device   open("/dev/mini-vm")            MVM_GET_INFO, MVM_GET_SUPPORTED_CPUID,
 *                                            MVM_CREATE_VM
 *   VM       returned by MVM_CREATE_VM       MVM_SET_SLOT, MVM_CREATE_VCPU,
 *                                            MVM_SET_MSR_POLICY, MVM_SIGNAL_MSI,
 *                                            MVM_SET_IRQFD, MVM_SET_DOORBELL,
 *                                            MVM_SET_POSTED
 *   vCPU     returned by MVM_CREATE_VCPU     MVM_RUN and the rest; mmap() gives the
 *                                            run page and the ring of posted writes,
 *                                            poll() says POLLIN when an exit waits,
 *                                            POLLPRI when the ring has entries
 *
 * Rules that hold for every ioctl:
 *
 *  - The argument points to a struct whose first field, @size, is sizeof() that
 *    struct as the caller was compiled.  Smaller than the first published
 *    version: EINVAL.  Larger than the module knows, with a byte that is not
 *    zero in the part it does not know, or larger than a page: E2BIG; if that
 *    part is all zero, it is ignored.
 *  - The second field, @flags, and every field named "reserved" must be zero
 *    unless a flag is documented: EINVAL.
 *  - An unknown command, or a command sent to the wrong kind of descriptor:
 *    ENOTTY.  A bad pointer: EFAULT.
 *  - VM and vCPU commands work only in the process (address space) that
 *    created the VM: elsewhere, also in a forked child or after exec: EPERM.
 *  - vCPU commands other than MVM_KICK, MVM_SET_LINE and MVM_GET_STATS need a
 *    vCPU that is not running: EBUSY while it is.
 *
 * Integers are little endian.  Guest-physical addresses (GPA) and sizes are in
 * bytes; times are in TSC ticks unless a unit is named.
 */
#ifndef _UAPI_LINUX_MINI_VM_H
#define _UAPI_LINUX_MINI_VM_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Raised when user space has to change; MVM_GET_INFO reports the module's. */
#define MVM_ABI_VERSION		1

#define MVM_DEVICE_PATH		"/dev/mini-vm"
#define MVM_IOC_MAGIC		0xB5

/* ------------------------------------------------------------------------
 * Device
 */

/**
 * struct mvm_info - what this module and CPU can do (MVM_GET_INFO)
 * @size:		in: sizeof(struct mvm_info)
 * @flags:		must be 0
 * @abi_version:	out: MVM_ABI_VERSION of the module
 * @run_size:		out: bytes to mmap() from a vCPU descriptor, at offset 0
 * @max_vms:		out: VMs that may exist at once
 * @max_vcpus:		out: vCPUs a VM may have
 * @max_slots:		out: memory slots a VM may have
 * @xsave_size:		out: bytes of the XSAVE image (MVM_GET_XSAVE)
 * @xcr0_mask:		out: XCR0 bits a guest may set
 * @capabilities:	out: MVM_CAP_* bits
 * @max_gpa:		out: one past the highest GPA that a slot may cover
 * @tsc_khz:		out: TSC frequency that guests see, in kHz
 * @apic_timer_khz:	out: frequency of the local APIC timer before its
 *			divider, in kHz
 *
 * Errors: EINVAL, E2BIG, EFAULT.
 */
struct mvm_info {
	__u32 size;
	__u32 flags;
	__u32 abi_version;
	__u32 run_size;
	__u32 max_vms;
	__u32 max_vcpus;
	__u32 max_slots;
	__u32 xsave_size;
	__u64 xcr0_mask;
	__u64 capabilities;
	__u64 max_gpa;
	__u32 tsc_khz;
	__u32 apic_timer_khz;
};

/* EPT maps 2 MiB pages where the backing allows it */
#define MVM_CAP_EPT_2M		(1ULL << 0)
/* the CPU's VMX was already in use when the module loaded: windows borrow it */
#define MVM_CAP_BORROW		(1ULL << 1)
/* the VMX-preemption timer bounds every stretch of guest code */
#define MVM_CAP_PREEMPTION_TIMER (1ULL << 2)
/* the local APIC offers the TSC-deadline mode */
#define MVM_CAP_TSC_DEADLINE	(1ULL << 3)
/* the CPU delivers the local APIC's interrupts: most need no exit */
#define MVM_CAP_APICV		(1ULL << 4)
/* the task priority needs no exits */
#define MVM_CAP_TPR_SHADOW	(1ULL << 5)

#define MVM_GET_INFO		_IO(MVM_IOC_MAGIC, 0x00)

/**
 * struct mvm_cpuid_entry - the answer to one CPUID leaf
 * @function:	EAX on input
 * @index:	ECX on input; looked at only with MVM_CPUID_INDEXED
 * @flags:	MVM_CPUID_INDEXED or 0
 * @eax:	result
 * @ebx:	result
 * @ecx:	result
 * @edx:	result
 * @reserved:	must be 0
 */
struct mvm_cpuid_entry {
	__u32 function;
	__u32 index;
	__u32 flags;
	__u32 eax;
	__u32 ebx;
	__u32 ecx;
	__u32 edx;
	__u32 reserved;
};

/* the leaf has sub-leaves: @index takes part in the look-up */
#define MVM_CPUID_INDEXED	(1U << 0)
/* entries a table may have */
#define MVM_CPUID_MAX		96

/**
 * struct mvm_cpuid - a CPUID table
 * @size:	sizeof(struct mvm_cpuid)
 * @flags:	must be 0
 * @count:	GET: in: entries that @entries has room for, out: entries there
 *		are; SET: entries given, at most MVM_CPUID_MAX
 * @reserved:	must be 0
 * @entries:	user address of an array of struct mvm_cpuid_entry
 *
 * MVM_GET_SUPPORTED_CPUID (device): everything that a guest may be shown on
 * this host, the hypervisor leaves included; also every vCPU's table until it
 * is changed.  MVM_GET_CPUID, MVM_SET_CPUID (vCPU): the vCPU's table.  SET
 * refuses (EINVAL) a feature bit that the supported table lacks, a double
 * entry, and a count above MVM_CPUID_MAX.  A few bits follow the vCPU's state
 * whatever the table says: APIC, OSXSAVE, the XSAVE area size (leaf 0xd), the
 * APIC ID.  A basic or extended leaf above the maximum reads as the highest
 * basic leaf (SDM 2A, CPUID); whatever else is not in the table as all zeros.
 * SET after the first RUN: EBUSY.
 *
 * Errors: EINVAL, E2BIG (GET: @count too small; it is updated), EFAULT, EBUSY.
 */
struct mvm_cpuid {
	__u32 size;
	__u32 flags;
	__u32 count;
	__u32 reserved;
	__u64 entries;
};

#define MVM_GET_SUPPORTED_CPUID	_IO(MVM_IOC_MAGIC, 0x01)

/**
 * struct mvm_create_vm - make a VM (MVM_CREATE_VM)
 * @size:	sizeof(struct mvm_create_vm)
 * @flags:	MVM_VM_* bits
 * @name:	a name for thread names and traces: printable ASCII without '/',
 *		NUL terminated, not empty
 *
 * Returns a VM descriptor (close-on-exec).  The calling process owns the VM:
 * when its address space ends, by exit, exec or a signal, every vCPU stops,
 * whoever still holds a descriptor.
 *
 * Errors: EINVAL (flag, name), ENOSPC (max_vms reached), EMFILE, ENOMEM.
 */
struct mvm_create_vm {
	__u32 size;
	__u32 flags;
	__u8  name[32];
};

/* HLT ends a run with MVM_EXIT_HLT instead of sleeping in the module */
#define MVM_VM_EXIT_HLT		(1U << 0)
/* VMCALL ends a run with MVM_EXIT_VMCALL instead of returning -ENOSYS in RAX */
#define MVM_VM_EXIT_VMCALL	(1U << 1)
/* the end of a level-triggered interrupt ends a run with MVM_EXIT_EOI */
#define MVM_VM_EXIT_EOI		(1U << 2)

#define MVM_CREATE_VM		_IO(MVM_IOC_MAGIC, 0x02)

/* ------------------------------------------------------------------------
 * VM
 */

/**
 * struct mvm_slot - map owner memory into the guest (MVM_SET_SLOT)
 * @size:	sizeof(struct mvm_slot)
 * @flags:	MVM_SLOT_* bits
 * @slot:	number of the slot, below max_slots
 * @reserved:	must be 0
 * @gpa:	first GPA, a multiple of 4096
 * @length:	bytes, a multiple of 4096; 0 removes the slot
 * @user_addr:	owner's address of the first byte, a multiple of 4096
 *
 * Memory is not pinned: what the owner does to the range (unmap, remap, swap,
 * KSM, fork) the guest sees.  May be called while vCPUs run; when a removal
 * returns, no vCPU can reach the memory through this slot.  A slot that exists
 * cannot be changed, only removed (EEXIST).  To replace it, remove it first.
 *
 * Errors: EINVAL (alignment, wrap-around, beyond max_gpa, slot number, flag),
 * EEXIST (slot in use, or the range overlaps another slot), ENOENT (removing a
 * slot that is not there), EFAULT (@user_addr outside the user address space),
 * ENOMEM.
 */
struct mvm_slot {
	__u32 size;
	__u32 flags;
	__u32 slot;
	__u32 reserved;
	__u64 gpa;
	__u64 length;
	__u64 user_addr;
};

/* guest writes become MVM_EXIT_MMIO */
#define MVM_SLOT_READONLY	(1U << 0)

#define MVM_SET_SLOT		_IO(MVM_IOC_MAGIC, 0x10)

/**
 * struct mvm_create_vcpu - add a vCPU to a VM (MVM_CREATE_VCPU)
 * @size:	sizeof(struct mvm_create_vcpu)
 * @flags:	must be 0
 * @id:		number and local APIC ID, below max_vcpus
 * @reserved:	must be 0
 *
 * Returns a vCPU descriptor (close-on-exec).  The vCPU is in the state that the
 * SDM gives for power-up (SDM 3A 10.1.1: real mode, CS:IP f000:fff0), stopped;
 * id 0 is the bootstrap processor.  The others are active after power-up, too: to
 * let them wait for it, as those of a PC do, use MVM_SET_EVENTS.
 *
 * Its kernel thread is named "mvm-NAME/ID" (some tools show 15 characters of it).
 * It begins on the CPUs that the calling thread may use then (sched_setaffinity(2)),
 * and may be pinned and reniced.
 *
 * mmap() of the descriptor, shared, at offset 0 and run_size bytes long, gives
 * the run page and behind it, at MVM_RING_OFFSET, the VM's ring of posted writes
 * (anything else: EINVAL).  poll() reports POLLIN while the exit of an
 * asynchronous run waits, POLLPRI while the ring has entries (MVM_SET_POSTED),
 * and POLLHUP once the owner is gone.  Closing the descriptor stops the vCPU for
 * good; its id stays taken.
 *
 * Errors: EINVAL (id), EEXIST (id taken), ENOMEM, EAGAIN (no thread could be made:
 * memory, or the host's limit of threads), EMFILE, EIO (the owner's address space
 * is gone).
 */
struct mvm_create_vcpu {
	__u32 size;
	__u32 flags;
	__u32 id;
	__u32 reserved;
};

#define MVM_CREATE_VCPU		_IO(MVM_IOC_MAGIC, 0x11)

/**
 * struct mvm_msr_policy - what an MSR unknown to the module does
 *			   (MVM_SET_MSR_POLICY)
 * @size:	sizeof(struct mvm_msr_policy)
 * @flags:	must be 0
 * @policy:	MVM_MSR_POLICY_*
 * @reserved:	must be 0
 *
 * Errors: EINVAL (policy), EBUSY (a vCPU of the VM has run).
 */
struct mvm_msr_policy {
	__u32 size;
	__u32 flags;
	__u32 policy;
	__u32 reserved;
};

/* #GP(0) in the guest (default) */
#define MVM_MSR_POLICY_FAULT	0
/* MVM_EXIT_MSR */
#define MVM_MSR_POLICY_FORWARD	1

#define MVM_SET_MSR_POLICY	_IO(MVM_IOC_MAGIC, 0x12)

/**
 * struct mvm_msi - deliver a message-signalled interrupt (MVM_SIGNAL_MSI)
 * @size:	sizeof(struct mvm_msi)
 * @flags:	must be 0
 * @address:	message address (SDM 3A 11.11.1), 0xfeeXXXXX
 * @data:	message data (SDM 3A 11.11.2); delivery modes fixed, lowest
 *		priority and NMI; a level-triggered one is noted in the local
 *		APIC's TMR, so its end can be told: MVM_VM_EXIT_EOI
 * @reserved:	must be 0
 *
 * Errors: EINVAL (address, vector below 16, delivery mode), ENOENT (no vCPU
 * matches the destination).
 */
struct mvm_msi {
	__u32 size;
	__u32 flags;
	__u64 address;
	__u32 data;
	__u32 reserved;
};

#define MVM_SIGNAL_MSI		_IO(MVM_IOC_MAGIC, 0x13)

/**
 * struct mvm_irqfd - let an eventfd send an interrupt message (MVM_SET_IRQFD)
 * @size:	sizeof(struct mvm_irqfd)
 * @flags:	MVM_IRQFD_REMOVE or 0
 * @eventfd:	descriptor of an eventfd
 * @data:	as in struct mvm_msi; 0 with MVM_IRQFD_REMOVE
 * @address:	as in struct mvm_msi; 0 with MVM_IRQFD_REMOVE
 *
 * From now on each signal of the eventfd, by write() or by the kernel, delivers
 * the message as MVM_SIGNAL_MSI does; one that no vCPU matches is dropped.
 * Signals that come together may be one interrupt.  A signal from before counts
 * as well.  The eventfd's count is taken, so nobody else should read it.
 *
 * An irqfd ends with MVM_IRQFD_REMOVE, when the last descriptor of its eventfd is
 * closed, or with the VM.  When the removal returns, no message comes any more.
 *
 * Errors: EINVAL (address, vector, delivery mode, flag, not an eventfd), EBADF,
 * EEXIST (the VM has an irqfd of this eventfd), ENOENT (it has none to remove),
 * ENOSPC (it has MVM_MAX_IRQFDS), ENOMEM.
 */
struct mvm_irqfd {
	__u32 size;
	__u32 flags;
	__s32 eventfd;
	__u32 data;
	__u64 address;
};

#define MVM_IRQFD_REMOVE	(1U << 0)
/* irqfds that a VM may have */
#define MVM_MAX_IRQFDS		64

#define MVM_SET_IRQFD		_IO(MVM_IOC_MAGIC, 0x14)

/**
 * struct mvm_doorbell - signal an eventfd when the guest writes to a port
 *			 (MVM_SET_DOORBELL)
 * @size:	sizeof(struct mvm_doorbell)
 * @flags:	MVM_DOORBELL_* bits
 * @eventfd:	descriptor of an eventfd; not looked at with MVM_DOORBELL_REMOVE
 * @data:	with MVM_DOORBELL_MATCH: the value, zero extended; else 0
 * @port:	the port; of a wide write, the first one
 * @bytes:	width of the write: 1, 2 or 4; 0: any
 * @reserved:	must be 0
 *
 * An OUT to the port, of this width, and with MVM_DOORBELL_MATCH of this value,
 * adds 1 to the eventfd, and the guest goes on without an exit to user space.
 * INs, OUTSs and OUTs that match no doorbell are exits as ever.  Doorbells may
 * share a port as long as no write can ring two of them.  They may be added and
 * removed while vCPUs run.  To remove one, give the same port, width and match;
 * when that returns, the eventfd is signalled no more.
 *
 * Errors: EINVAL (width, value, flag, not an eventfd), EBADF, EEXIST (a write
 * would ring two, or writes to the port are posted), ENOENT (none to remove),
 * ENOSPC (the VM has MVM_MAX_DOORBELLS), ENOMEM.
 */
struct mvm_doorbell {
	__u32 size;
	__u32 flags;
	__s32 eventfd;
	__u32 data;
	__u16 port;
	__u8  bytes;
	__u8  reserved[5];
};

/* only writes of @data */
#define MVM_DOORBELL_MATCH	(1U << 0)
#define MVM_DOORBELL_REMOVE	(1U << 1)
/* doorbells that a VM may have */
#define MVM_MAX_DOORBELLS	128

#define MVM_SET_DOORBELL	_IO(MVM_IOC_MAGIC, 0x15)

/**
 * struct mvm_posted_ports - post the guest's writes to a range of ports
 *			     (MVM_SET_POSTED)
 * @size:	sizeof(struct mvm_posted_ports)
 * @flags:	MVM_POSTED_REMOVE or 0
 * @port:	first port
 * @reserved:	must be 0
 * @count:	ports, at least 1
 *
 * An OUT to one of the ports (of a wide write, the first one counts) is appended
 * to the VM's ring, struct mvm_ring, and the guest goes on without an exit to
 * user space.  When the ring is full the OUT is an ordinary MVM_EXIT_IO.  INs and
 * OUTSs always are.
 *
 * Order is kept if user space takes what the ring holds before it serves any
 * exit: the writes of all vCPUs are in one ring, and one that was posted before
 * an exit, by the same vCPU or by another whose write the exiting one has seen the
 * effect of, is there when the exit is.  Likewise when a doorbell's eventfd is
 * read.
 *
 * While the ring has entries, poll() of each vCPU descriptor reports POLLPRI.  A
 * sleeping poll() is woken not by the write itself but soon after it: when the
 * vCPU halts, the host is interrupted or has other work, at the latest after 10
 * ms of guest code.
 *
 * May be called while vCPUs run.  When a removal returns, nothing is posted for
 * these ports any more; entries that are in the ring stay.
 *
 * Errors: EINVAL (range, flag), EEXIST (a port has a doorbell, or is posted
 * already), ENOENT (removal: a port is not posted), ENOMEM.  After an error
 * nothing has changed.
 */
struct mvm_posted_ports {
	__u32 size;
	__u32 flags;
	__u16 port;
	__u16 reserved;
	__u32 count;
};

#define MVM_POSTED_REMOVE	(1U << 0)

#define MVM_SET_POSTED		_IO(MVM_IOC_MAGIC, 0x16)

/* ------------------------------------------------------------------------
 * vCPU: registers
 */

/* Index into mvm_run.gpr: the encoding of ModRM and of the exit data. */
enum mvm_gpr {
	MVM_RAX, MVM_RCX, MVM_RDX, MVM_RBX, MVM_RSP, MVM_RBP, MVM_RSI, MVM_RDI,
	MVM_R8, MVM_R9, MVM_R10, MVM_R11, MVM_R12, MVM_R13, MVM_R14, MVM_R15,
	MVM_NR_GPRS
};

/**
 * struct mvm_segment - a segment register
 * @base:	linear address
 * @limit:	in bytes, expanded
 * @access:	access rights in the VMX format (SDM 3C 25.4.1): type, S, DPL, P,
 *		AVL, L, D/B, G; bit 16: unusable
 * @selector:	selector
 * @reserved:	must be 0
 */
struct mvm_segment {
	__u64 base;
	__u32 limit;
	__u32 access;
	__u16 selector;
	__u16 reserved[3];
};

#define MVM_SEGMENT_UNUSABLE	(1U << 16)

/**
 * struct mvm_table - GDTR or IDTR
 * @base:	linear address
 * @limit:	in bytes
 * @reserved:	must be 0
 */
struct mvm_table {
	__u64 base;
	__u16 limit;
	__u16 reserved[3];
};

/**
 * struct mvm_sregs - system registers (MVM_GET_SREGS, MVM_SET_SREGS)
 * @size:	sizeof(struct mvm_sregs)
 * @flags:	must be 0
 * @cs:		code segment
 * @ds:		data segment
 * @es:		data segment
 * @fs:		data segment
 * @gs:		data segment
 * @ss:		stack segment
 * @tr:		task register
 * @ldt:	local descriptor table register
 * @gdt:	global descriptor table register
 * @idt:	interrupt descriptor table register
 * @cr0:	as the guest sees it
 * @cr2:	page-fault linear address
 * @cr3:	page-table base
 * @cr4:	as the guest sees it
 * @cr8:	task priority, 0 to 15
 * @efer:	extended feature enable register
 * @apic_base:	IA32_APIC_BASE
 * @xcr0:	extended control register 0
 * @dr:		DR0 to DR3
 * @dr6:	debug status
 * @dr7:	debug control
 *
 * SET refuses (EINVAL) control-register bits that the vCPU's CPUID table does
 * not offer and combinations that VM entry would refuse (SDM 3C 27.3.1.1): PG
 * without PE, LMA without LME and PG, an XCR0 outside xcr0_mask.  Segments are
 * not checked: a vCPU with impossible segments ends its next run with
 * MVM_EXIT_FAIL_ENTRY.
 *
 * Errors: EINVAL, EFAULT, EBUSY.
 */
struct mvm_sregs {
	__u32 size;
	__u32 flags;
	struct mvm_segment cs, ds, es, fs, gs, ss, tr, ldt;
	struct mvm_table gdt, idt;
	__u64 cr0;
	__u64 cr2;
	__u64 cr3;
	__u64 cr4;
	__u64 cr8;
	__u64 efer;
	__u64 apic_base;
	__u64 xcr0;
	__u64 dr[4];
	__u64 dr6;
	__u64 dr7;
};

#define MVM_GET_SREGS		_IO(MVM_IOC_MAGIC, 0x22)
#define MVM_SET_SREGS		_IO(MVM_IOC_MAGIC, 0x23)

/**
 * struct mvm_msr_entry - one MSR
 * @index:	its address
 * @reserved:	must be 0
 * @data:	its value
 */
struct mvm_msr_entry {
	__u32 index;
	__u32 reserved;
	__u64 data;
};

/* entries of one call */
#define MVM_MSRS_MAX		256

/**
 * struct mvm_msrs - read or write MSRs (MVM_GET_MSRS, MVM_SET_MSRS)
 * @size:	sizeof(struct mvm_msrs)
 * @flags:	must be 0
 * @count:	entries given, at most MVM_MSRS_MAX
 * @done:	out: entries processed before the first that failed
 * @entries:	user address of an array of struct mvm_msr_entry
 *
 * Returns 0 only when all were processed.  The same checks as for a RDMSR or
 * WRMSR of the guest hold; IA32_TSC, IA32_APIC_BASE and read-only MSRs of the
 * module may be set by user space.  IA32_TSC is the clock of all vCPUs of the VM:
 * to restore them, set TSC_ADJUST of each, the TSC of one, then the local APICs.
 *
 * Errors: EINVAL (an MSR unknown, or a value refused: see @done), EFAULT, EBUSY.
 */
struct mvm_msrs {
	__u32 size;
	__u32 flags;
	__u32 count;
	__u32 done;
	__u64 entries;
};

#define MVM_GET_MSRS		_IO(MVM_IOC_MAGIC, 0x24)
#define MVM_SET_MSRS		_IO(MVM_IOC_MAGIC, 0x25)

/**
 * struct mvm_xsave - FPU, SSE and AVX state (MVM_GET_XSAVE, MVM_SET_XSAVE)
 * @size:	sizeof(struct mvm_xsave)
 * @flags:	must be 0
 * @length:	bytes at @buffer; mvm_info.xsave_size
 * @reserved:	must be 0
 * @buffer:	user address of an XSAVE image, standard format (SDM 1 13.4);
 *		where the host has no XSAVE, an FXSAVE image
 *
 * Errors: EINVAL (length, a reserved bit in the header, MXCSR), EFAULT, EBUSY.
 */
struct mvm_xsave {
	__u32 size;
	__u32 flags;
	__u32 length;
	__u32 reserved;
	__u64 buffer;
};

#define MVM_GET_XSAVE		_IO(MVM_IOC_MAGIC, 0x26)
#define MVM_SET_XSAVE		_IO(MVM_IOC_MAGIC, 0x27)

#define MVM_GET_CPUID		_IO(MVM_IOC_MAGIC, 0x28)
#define MVM_SET_CPUID		_IO(MVM_IOC_MAGIC, 0x29)

/**
 * struct mvm_events - what is about to happen to a vCPU (MVM_GET_EVENTS,
 *		       MVM_SET_EVENTS)
 * @size:		sizeof(struct mvm_events)
 * @flags:		must be 0
 * @event:		an event to be injected at the next entry: MVM_EVENT_*
 * @vector:		its vector
 * @has_error_code:	0 or 1
 * @insn_len:		bytes of the instruction, for software events
 * @error_code:		pushed when @has_error_code
 * @interruptibility:	SDM 3C 25.4.2: bit 0 STI, 1 MOV SS, 3 NMI blocking
 * @activity:		0 active, 1 halted, 3 wait-for-SIPI (SDM 3C 25.4.2); with 3
 *			there must be no @event
 * @nmi_pending:	0 or 1
 * @intr_line:		0 or 1: level of the INTR line (MVM_SET_LINE)
 * @reserved:		must be 0
 * @pending_debug:	pending debug exceptions (SDM 3C 25.4.2)
 *
 * INIT and SIPI, sent by the ICR of any vCPU of the VM, are carried out by the
 * module: INIT resets registers and local APIC as SDM 3A table 10-1 says and lets
 * the bootstrap processor begin at its reset vector, all others wait for a SIPI.
 * A stopped vCPU takes them when it runs again; they do not show here before.
 *
 * An external interrupt waits until the guest can take it.  Completing an exit
 * of an instruction (MVM_ACTION_COMPLETE) ends the shadow of STI and MOV SS, as
 * the end of an instruction does.
 *
 * Errors: EINVAL, EFAULT, EBUSY.
 */
struct mvm_events {
	__u32 size;
	__u32 flags;
	__u8  event;
	__u8  vector;
	__u8  has_error_code;
	__u8  insn_len;
	__u32 error_code;
	__u32 interruptibility;
	__u8  activity;
	__u8  nmi_pending;
	__u8  intr_line;
	__u8  reserved;
	__u64 pending_debug;
};

/* the interruption types of SDM 3C 25.8.3, plus one; 1 and 7 are not used */
#define MVM_EVENT_INTERRUPT	0	/* external interrupt, when @vector is not 0 */
#define MVM_EVENT_NMI		2
#define MVM_EVENT_EXCEPTION	3
#define MVM_EVENT_SOFT_INT	4	/* INT n */
#define MVM_EVENT_PRIV_SOFT_EXC	5	/* INT1 */
#define MVM_EVENT_SOFT_EXC	6	/* INT3, INTO */

#define MVM_GET_EVENTS		_IO(MVM_IOC_MAGIC, 0x2a)
#define MVM_SET_EVENTS		_IO(MVM_IOC_MAGIC, 0x2b)

/**
 * struct mvm_lapic - the local APIC (MVM_GET_LAPIC, MVM_SET_LAPIC)
 * @size:		sizeof(struct mvm_lapic)
 * @flags:		must be 0
 * @regs:		registers: regs[offset >> 4] is the one at xAPIC offset
 *			@offset (SDM 3A table 11-1); ICR in 0x300 and 0x310
 * @tsc_deadline:	IA32_TSC_DEADLINE, 0 when not armed
 *
 * The mode is in mvm_sregs.apic_base; set that first.
 *
 * Errors: EINVAL (an impossible register value), EFAULT, EBUSY.
 */
struct mvm_lapic {
	__u32 size;
	__u32 flags;
	__u32 regs[64];
	__u64 tsc_deadline;
};

#define MVM_GET_LAPIC		_IO(MVM_IOC_MAGIC, 0x2c)
#define MVM_SET_LAPIC		_IO(MVM_IOC_MAGIC, 0x2d)

/**
 * struct mvm_lapic_access - perform an xAPIC register access (MVM_LAPIC_ACCESS)
 * @size:	sizeof(struct mvm_lapic_access)
 * @flags:	MVM_LAPIC_WRITE or 0
 * @offset:	from the APIC base, a multiple of 16, below 4096
 * @value:	in for a write, out for a read
 *
 * For MVM_EXIT_MMIO at the page that IA32_APIC_BASE names: user space decodes
 * the instruction, performs the access here and completes the exit.  Side
 * effects (EOI, IPIs, timers) happen.  An offset without a register sets the
 * APIC's error status, as hardware does; the call still succeeds.
 *
 * Errors: EINVAL (offset, flag), ENXIO (APIC disabled or in x2APIC mode),
 * EFAULT, EBUSY.
 */
struct mvm_lapic_access {
	__u32 size;
	__u32 flags;
	__u32 offset;
	__u32 value;
};

#define MVM_LAPIC_WRITE		(1U << 0)

#define MVM_LAPIC_ACCESS	_IO(MVM_IOC_MAGIC, 0x2e)

/**
 * struct mvm_line - drive an interrupt pin of a vCPU (MVM_SET_LINE)
 * @size:	sizeof(struct mvm_line)
 * @flags:	must be 0
 * @line:	MVM_LINE_*
 * @level:	0 or 1
 *
 * MVM_LINE_INTR is the output of a user-space PIC, wired to LINT0: while it is
 * 1 and the guest can take an external interrupt that LINT0 passes on (the APIC
 * is disabled, or LVT0 is in ExtINT mode and not masked), the run ends with
 * MVM_EXIT_EXTINT, which sets the line to 0; user space answers with the vector
 * and raises the line again if the PIC has more.  MVM_LINE_NMI: a change to 1
 * latches one NMI if LINT1 passes it on (LVT1 in NMI mode and not masked; it is
 * masked after reset); otherwise it is lost.  Works at any time from any thread of the owner.
 *
 * Errors: EINVAL (line, level).
 */
struct mvm_line {
	__u32 size;
	__u32 flags;
	__u32 line;
	__u32 level;
};

#define MVM_LINE_INTR		0
#define MVM_LINE_NMI		1

#define MVM_SET_LINE		_IO(MVM_IOC_MAGIC, 0x2f)

/**
 * struct mvm_stat - a counter
 * @name:	what it counts, NUL terminated
 * @value:	since the vCPU was created
 */
struct mvm_stat {
	__u8  name[40];
	__u64 value;
};

/**
 * struct mvm_stats - read the counters of a vCPU (MVM_GET_STATS)
 * @size:	sizeof(struct mvm_stats)
 * @flags:	must be 0
 * @count:	in: entries that @entries has room for; out: entries there are
 * @reserved:	must be 0
 * @entries:	user address of an array of struct mvm_stat
 *
 * Works while the vCPU runs; values are then those of a moment ago.
 *
 * Errors: E2BIG (@count too small; it is updated), EFAULT.
 */
struct mvm_stats {
	__u32 size;
	__u32 flags;
	__u32 count;
	__u32 reserved;
	__u64 entries;
};

#define MVM_GET_STATS		_IO(MVM_IOC_MAGIC, 0x30)

/* ------------------------------------------------------------------------
 * vCPU: running
 */

/**
 * struct mvm_run_request - run a vCPU (MVM_RUN)
 * @size:	sizeof(struct mvm_run_request)
 * @flags:	MVM_RUN_ASYNC, MVM_RUN_LEND or 0
 *
 * The answer to the last exit and the registers are taken from the run page.
 *
 * With MVM_RUN_ASYNC: starts the vCPU and returns; poll() reports POLLIN when
 * the run has ended and the run page holds the exit.  The next MVM_RUN answers
 * that exit.
 *
 * Without: returns 0 when the run has ended.  A signal ends the wait with
 * EINTR; the vCPU runs on and nothing is lost: the next MVM_RUN, of either
 * form, joins that run instead of starting another one and returns its exit.
 *
 * With MVM_RUN_LEND the same, but the calling thread lends itself: it enters the
 * guest in place of the vCPU's thread, which saves two switches of threads at
 * each exit.  Affinity and priority are the caller's.  A signal gives the run to
 * the vCPU's thread.  So does, from the beginning, a caller whose DS, ES, FS or
 * GS is not null: as a rule, one that executes 32-bit code.
 *
 * Whoever runs it then, such a run also ends, with MVM_EXIT_INTR, when the vCPU has
 * posted writes and a sleeping poll() would be told of them (MVM_SET_POSTED): who
 * lends its thread needs no other one to empty the ring.
 *
 * mvm_run.immediate_exit ends a run before the next guest instruction with
 * MVM_EXIT_INTR; for a vCPU that runs, set it and call MVM_KICK.
 *
 * Errors: EBUSY (it runs: asynchronous, or another thread waits), EINTR,
 * EINVAL (the run page holds an impossible answer, or both flags are set), EIO
 * (the owner's address space is gone), EFAULT.
 */
struct mvm_run_request {
	__u32 size;
	__u32 flags;
};

#define MVM_RUN_ASYNC		(1U << 0)
#define MVM_RUN_LEND		(1U << 1)

#define MVM_RUN			_IO(MVM_IOC_MAGIC, 0x20)

/**
 * struct mvm_kick - make a running vCPU look at mvm_run.immediate_exit
 *		     (MVM_KICK)
 * @size:	sizeof(struct mvm_kick)
 * @flags:	must be 0
 *
 * Harmless when the vCPU does not run.
 */
struct mvm_kick {
	__u32 size;
	__u32 flags;
};

#define MVM_KICK		_IO(MVM_IOC_MAGIC, 0x21)

/* Why a run ended: mvm_run.exit_reason. */
enum mvm_exit_reason {
	MVM_EXIT_NONE		= 0,	/* the vCPU has not run yet */
	/* immediate_exit was set; with MVM_RUN_LEND also: there are posted writes */
	MVM_EXIT_INTR		= 1,
	MVM_EXIT_IO		= 2,	/* IN, OUT, INS, OUTS: mvm_run.io */
	MVM_EXIT_MMIO		= 3,	/* no memory there, or read-only: .mmio */
	MVM_EXIT_MSR		= 4,	/* RDMSR, WRMSR by policy: .msr */
	MVM_EXIT_HLT		= 5,	/* HLT, with MVM_VM_EXIT_HLT */
	MVM_EXIT_EXTINT		= 6,	/* acknowledge the PIC: .extint */
	MVM_EXIT_SHUTDOWN	= 7,	/* triple fault */
	MVM_EXIT_VMCALL		= 8,	/* VMCALL, with MVM_VM_EXIT_VMCALL */
	MVM_EXIT_TASK_SWITCH	= 9,	/* hardware task switch: .task_switch */
	/* 10 is not used */
	MVM_EXIT_MEMORY_FAULT	= 11,	/* the owner's memory failed: .memory */
	MVM_EXIT_FAIL_ENTRY	= 12,	/* VM entry refused: .fail */
	/*
	 * No handler: hw_reason says which.  Also after a machine check of the
	 * host (hw_reason 0 or 41): if memory failed, the guest must not go on.
	 */
	MVM_EXIT_UNHANDLED	= 13,
	MVM_EXIT_EOI		= 14,	/* with MVM_VM_EXIT_EOI: .eoi */
};

/* How user space answers an exit: mvm_run.action. */
enum mvm_action {
	/*
	 * Done: results are taken from the answer fields, and the guest goes on
	 * behind the instruction, if one caused the exit: mvm_run.next_rip.
	 */
	MVM_ACTION_COMPLETE	= 0,
	/*
	 * Go on at mvm_run.rip: execute the instruction again.  To
	 * MVM_EXIT_EXTINT: there was no interrupt after all.
	 */
	MVM_ACTION_RETRY	= 1,
	/* raise mvm_run.exception at mvm_run.rip */
	MVM_ACTION_EXCEPTION	= 2,
};

/**
 * struct mvm_exit_io - MVM_EXIT_IO
 * @port:		first port
 * @bytes:		1, 2 or 4 bytes at a time
 * @flags:		MVM_IO_*
 * @data:		out: the value, zero extended; in: answer to an IN
 * @count:		string: repetitions left (RCX, cut to the address size;
 *			1 without REP)
 * @linear:		string: linear address of the first element
 * @address_bytes:	string: address size 2, 4 or 8: width of RCX, RSI, RDI
 * @segment:		OUTS: segment of the source (0 ES, 1 CS, 2 SS, 3 DS, 4 FS,
 *			5 GS); INS: 0, its destination is always in ES
 * @reserved:		0
 *
 * For the string forms user space moves the data, updates RCX, RSI and RDI,
 * and completes the exit, or retries it after part of the repetitions; the
 * sregs group is valid.
 */
struct mvm_exit_io {
	__u16 port;
	__u8  bytes;
	__u8  flags;
	__u32 data;
	__u64 count;
	__u64 linear;
	__u8  address_bytes;
	__u8  segment;
	__u8  reserved[6];
};

#define MVM_IO_IN		(1U << 0)	/* IN or INS, else OUT or OUTS */
#define MVM_IO_STRING		(1U << 1)	/* INS or OUTS */
#define MVM_IO_REP		(1U << 2)	/* with a REP prefix */
#define MVM_IO_DOWN		(1U << 3)	/* RFLAGS.DF is set */

/**
 * struct mvm_exit_mmio - MVM_EXIT_MMIO
 * @gpa:	guest-physical address of the access
 * @linear:	linear address, when MVM_MMIO_LINEAR
 * @flags:	MVM_MMIO_*
 * @reserved:	0
 *
 * User space fetches and decodes the instruction at RIP (the sregs group is
 * valid), performs the access, writes the registers, sets next_rip behind the
 * instruction and completes.
 */
struct mvm_exit_mmio {
	__u64 gpa;
	__u64 linear;
	__u32 flags;
	__u32 reserved;
};

#define MVM_MMIO_READ		(1U << 0)
#define MVM_MMIO_WRITE		(1U << 1)
#define MVM_MMIO_FETCH		(1U << 2)
#define MVM_MMIO_LINEAR		(1U << 3)	/* @linear is valid */
/* the CPU was walking the guest's page tables, not accessing an operand */
#define MVM_MMIO_WALK		(1U << 4)
/* the access met an event that is being delivered; it is delivered again */
#define MVM_MMIO_IN_DELIVERY	(1U << 5)

/**
 * struct mvm_exit_msr - MVM_EXIT_MSR
 * @index:	ECX
 * @write:	1: WRMSR, 0: RDMSR
 * @data:	EDX:EAX; in: answer to a RDMSR
 */
struct mvm_exit_msr {
	__u32 index;
	__u32 write;
	__u64 data;
};

/**
 * struct mvm_exit_extint - MVM_EXIT_EXTINT
 * @vector:	in: the vector that the PIC gives, 0 to 255
 * @reserved:	0
 */
struct mvm_exit_extint {
	__u32 vector;
	__u32 reserved;
};

/**
 * struct mvm_exit_task_switch - MVM_EXIT_TASK_SWITCH
 * @selector:		of the new task
 * @source:		0 CALL, 1 IRET, 2 JMP, 3 task gate (SDM 3C 28.2.1)
 * @has_error_code:	the event that caused it has one
 * @error_code:		that error code
 * @reserved:		0
 */
struct mvm_exit_task_switch {
	__u16 selector;
	__u8  source;
	__u8  has_error_code;
	__u32 error_code;
	__u64 reserved;
};

/**
 * struct mvm_exit_eoi - MVM_EXIT_EOI
 * @vector:	of the interrupt that has ended
 * @reserved:	0
 *
 * The guest has written EOI for an interrupt whose TMR bit is set.  The write is
 * complete; an I/O APIC in user space does now what the message on the bus would
 * make it do.  After EOIs by MVM_LAPIC_ACCESS the next run ends with this exit,
 * once for each vector, before it enters the guest.
 */
struct mvm_exit_eoi {
	__u32 vector;
	__u32 reserved;
};

/**
 * struct mvm_exit_memory - MVM_EXIT_MEMORY_FAULT
 * @gpa:	guest-physical address of the access
 * @user_addr:	owner's address behind it
 * @error:	positive errno: EFAULT (nothing mapped there, or protection),
 *		EHWPOISON (memory failure), ENOMEM
 * @flags:	MVM_MMIO_READ, _WRITE, _FETCH
 *
 * Retry after the cause is mended.
 */
struct mvm_exit_memory {
	__u64 gpa;
	__u64 user_addr;
	__u32 error;
	__u32 flags;
};

/**
 * struct mvm_exit_fail - MVM_EXIT_FAIL_ENTRY
 * @instruction_error:	VM-instruction error number (SDM 3C 31.4), 0 when entry
 *			failed later, while loading the guest's state
 * @reserved:		0
 *
 * hw_reason and hw_qualification hold what the CPU reported (SDM 3C 27.8).
 */
struct mvm_exit_fail {
	__u32 instruction_error;
	__u32 reserved;
};

/**
 * struct mvm_exception - an exception to raise (MVM_ACTION_EXCEPTION)
 * @vector:		0 to 31, not 2 (NMI)
 * @has_error_code:	0 or 1; 1 only for vectors that have one (8, 10 to 14, 17),
 *			which get 0 without it
 * @reserved:		must be 0
 * @error_code:		pushed when @has_error_code
 * @cr2:		for vector 14: the address
 */
struct mvm_exception {
	__u8  vector;
	__u8  has_error_code;
	__u16 reserved;
	__u32 error_code;
	__u64 cr2;
};

/* mvm_run.sync_want, sync_valid */
#define MVM_SYNC_SREGS		(1ULL << 0)

/**
 * struct mvm_run - the run page, shared between the module and user space
 * @immediate_exit:	user: not 0: leave the guest at once
 * @action:		user: answer to the last exit, MVM_ACTION_*; the module
 *			sets it to MVM_ACTION_COMPLETE at each exit
 * @reserved0:		0
 * @exit_reason:	module: MVM_EXIT_*
 * @hw_reason:		module: raw VMX exit reason (SDM 3C appendix C)
 * @insn_len:		module: bytes of the instruction, 0 when the CPU does not
 *			say (EPT violations)
 * @hw_qualification:	module: raw exit qualification
 * @sync_want:		user: MVM_SYNC_* groups to fill in at every exit
 * @sync_valid:		module: groups that this exit filled in
 * @exception:		user: for MVM_ACTION_EXCEPTION
 * @gpr:		general registers, enum mvm_gpr; they live here: valid
 *			whenever the vCPU is stopped, taken at the next run
 * @rip:		instruction pointer; likewise
 * @rflags:		likewise
 * @next_rip:		where the guest goes on after MVM_ACTION_COMPLETE of an
 *			exit that an instruction caused (IO, MMIO, MSR, HLT,
 *			VMCALL, TASK_SWITCH); all others, and the first run, go
 *			on at @rip
 * @interruptibility:	module: SDM 3C 25.4.2
 * @reserved1:		0
 * @io:			MVM_EXIT_IO
 * @mmio:		MVM_EXIT_MMIO
 * @msr:		MVM_EXIT_MSR
 * @extint:		MVM_EXIT_EXTINT
 * @task_switch:	MVM_EXIT_TASK_SWITCH
 * @eoi:		MVM_EXIT_EOI
 * @memory:		MVM_EXIT_MEMORY_FAULT
 * @fail:		MVM_EXIT_FAIL_ENTRY
 * @pad:		room for later exits
 * @sregs:		module: system registers, when sync_valid has
 *			MVM_SYNC_SREGS; to change them use MVM_SET_SREGS
 *
 * While the vCPU runs only @immediate_exit means something.
 */
struct mvm_run {
	__u8  immediate_exit;
	__u8  action;
	__u16 reserved0;
	__u32 exit_reason;
	__u32 hw_reason;
	__u32 insn_len;
	__u64 hw_qualification;
	__u64 sync_want;
	__u64 sync_valid;
	struct mvm_exception exception;
	__u64 gpr[MVM_NR_GPRS];
	__u64 rip;
	__u64 rflags;
	__u64 next_rip;
	__u32 interruptibility;
	__u32 reserved1;
	union {
		struct mvm_exit_io io;
		struct mvm_exit_mmio mmio;
		struct mvm_exit_msr msr;
		struct mvm_exit_extint extint;
		struct mvm_exit_task_switch task_switch;
		struct mvm_exit_eoi eoi;
		struct mvm_exit_memory memory;
		struct mvm_exit_fail fail;
		__u8 pad[128];
	};
	struct mvm_sregs sregs;
};

/**
 * struct mvm_posted_write - an entry of the ring
 * @port:	first port
 * @bytes:	1, 2 or 4
 * @reserved:	0
 * @data:	the value, zero extended
 */
struct mvm_posted_write {
	__u16 port;
	__u8  bytes;
	__u8  reserved;
	__u32 data;
};

/* entries of the ring, and where it is in a vCPU's mapping */
#define MVM_RING_ENTRIES	256
#define MVM_RING_OFFSET		4096

/**
 * struct mvm_ring - the posted writes of a VM (MVM_SET_POSTED)
 * @head:	module: entries written so far, modulo 2^32
 * @reserved0:	0
 * @tail:	user: entries taken so far, modulo 2^32
 * @reserved1:	0
 * @entries:	number n is in entries[n % MVM_RING_ENTRIES]
 *
 * All vCPUs of a VM show the same ring in their mappings.  User space reads @head
 * (with acquire semantics), takes the entries from @tail on, and then writes
 * @tail (with release semantics).  The module reads nothing but @tail; a wrong one
 * harms the VM alone: entries are lost or seen twice, or, when it is no number of
 * the last MVM_RING_ENTRIES, the ring is full.
 */
struct mvm_ring {
	__u32 head;
	__u32 reserved0[15];
	__u32 tail;
	__u32 reserved1[15];
	struct mvm_posted_write entries[MVM_RING_ENTRIES];
};

/* ------------------------------------------------------------------------
 * The hypervisor's CPUID leaves
 *
 *   0x40000000  EAX: highest leaf; EBX, ECX, EDX: MVM_CPUID_SIGNATURE
 *   0x40000001  EAX: features of the paravirtual interface: none, 0
 *   0x40000010  EAX: TSC frequency in kHz; EBX: APIC timer frequency in kHz
 *
 * VMCALL returns -ENOSYS (-38) in RAX whatever the number, unless the VM was
 * made with MVM_VM_EXIT_VMCALL.
 */
#define MVM_CPUID_BASE		0x40000000
#define MVM_CPUID_FEATURES	0x40000001
#define MVM_CPUID_TIMING	0x40000010
#define MVM_CPUID_SIGNATURE	"MiniVMMiniVM"

#endif /* _UAPI_LINUX_MINI_VM_H */
