/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fuzz.h - what the parts of the ioctl fuzzer share
 *
 * fuzz.c	the program: options, threads, what is checked at the end
 * fuzz/step.c	one step after the other: which call on which object, and what
 *		happens to memory, descriptors and run pages in between
 * fuzz/call.c	the ioctls: their arguments, spoilt or not, and their results
 * fuzz/guest.c	random guests
 *
 * Each worker is a thread with VMs of its own, although calls stray to those of
 * the others.  What a worker does follows from the seed, its number and the
 * number of the step: no draw depends on what the kernel answered, so the same
 * seed gives every worker the same sequence of calls, though not the same
 * interleaving.
 */
#ifndef SELFTESTS_FUZZ_H
#define SELFTESTS_FUZZ_H

#include <stdatomic.h>

#include "lib/proc.h"
#include "lib/vm.h"

#define FUZZ_WORKERS	3
#define FUZZ_VMS	3	/* of a worker at once */
#define FUZZ_VCPUS	2	/* of a VM at once */
#define FUZZ_RAM	(256UL << 10)
/* Addresses that belong to guests, RAM at their beginning: see fuzz_harmless(). */
#define FUZZ_PLAYGROUND	(1UL << 40)
#define FUZZ_XSAVE_MAX	8192
/* Pages that only their worker writes to. */
#define FUZZ_OWN_PAGES	16
#define FUZZ_ERRNOS	140
#define FUZZ_EVENTFDS	8	/* of a worker */
/* Ports that may have doorbells, and behind them those that may be posted. */
#define FUZZ_PORTS	0x60

/* The ioctls; the last stands for commands that do not exist. */
enum fuzz_kind {
	F_GET_INFO, F_GET_SUPPORTED_CPUID, F_CREATE_VM,
	F_SET_SLOT, F_CREATE_VCPU, F_SET_MSR_POLICY, F_SIGNAL_MSI,
	F_SET_IRQFD, F_SET_DOORBELL, F_SET_POSTED,
	F_RUN, F_KICK, F_GET_SREGS, F_SET_SREGS, F_GET_MSRS, F_SET_MSRS,
	F_GET_XSAVE, F_SET_XSAVE, F_GET_CPUID, F_SET_CPUID, F_GET_EVENTS,
	F_SET_EVENTS, F_GET_LAPIC, F_SET_LAPIC, F_LAPIC_ACCESS, F_SET_LINE,
	F_GET_STATS,
	FUZZ_KINDS,
	F_NONE = FUZZ_KINDS
};

/**
 * struct fuzz_vcpu - a vCPU of a worker
 * @fd:		descriptor, -1: none; others read it
 * @id:		its number
 * @mode:	what SET_SREGS was last given: enum fuzz_mode
 * @running:	a run may be under way that we do not wait for
 * @join:	a wait for a run was interrupted: the next RUN returns its end
 * @strayed:	somebody may have run it behind our back
 * @run:	its run page; never NULL: the worker's spare page stands in
 */
struct fuzz_vcpu {
	atomic_int fd;
	u32 id;
	u32 mode;
	bool running;
	bool join;
	atomic_bool strayed;
	struct mvm_run *run;
};

/**
 * struct fuzz_vm - a VM of a worker
 * @fd:		descriptor, -1: none; others read it
 * @ram:	the owner's memory for slot 0; stays from VM to VM
 * @age:	steps since its creation
 * @life:	steps until its end
 * @slots:	bit n: slot n was added
 * @irqfds:	likewise irqfds, by eventfd
 * @bells:	likewise doorbells, by port
 * @posted:	likewise posted ranges
 * @vcpu:	its vCPUs
 */
struct fuzz_vm {
	atomic_int fd;
	u8 *ram;
	u32 age;
	u32 life;
	u64 slots;
	u64 irqfds;
	u64 bells;
	u64 posted;
	struct fuzz_vcpu vcpu[FUZZ_VCPUS];
};

/**
 * struct fuzz_count - results of one ioctl
 */
struct fuzz_count {
	u64 tried;
	u64 succeeded;
};

/**
 * struct fuzzer - a worker
 * @index:	its number
 * @seed:	of the whole program
 * @random:	of this step
 * @signature:	of everything that was drawn so far
 * @steps:	done
 * @calls:	ioctls drawn so far
 * @quota:	ioctls to draw
 * @all:	every worker, for calls that stray
 * @dev:	descriptor of the device
 * @timer:	ends waits in RUN
 * @eventfd:	for doorbells and irqfds
 * @vm:		its VMs
 * @playground:	FUZZ_PLAYGROUND of addresses that nothing of ours is at
 * @own:	FUZZ_OWN_PAGES with a pattern, thrown away and made again
 * @own_tag:	of each; 0: not made yet
 * @spare_run:	stands in for a run page that is not mapped
 * @arg:	two pages for arguments; behind them is nothing
 * @read_only:	a page
 * @info:	of the device
 * @cpuid:	the supported table
 * @cpuids:	its length
 * @xsave:	an image that was valid
 * @lapic:	likewise
 * @count:	by ioctl
 * @errnos:	by errno
 * @exits:	by exit reason, of waited runs
 * @entries:	into guests, of vCPUs that are closed
 * @events:	things that are no ioctls: mmap, fork, ...
 * @failed:	what the first unexpected result was; empty: none
 */
struct fuzzer {
	u32 index;
	u64 seed;
	struct random random;
	u64 signature;
	u64 steps;
	u64 calls;
	u64 quota;
	struct fuzzer *all;
	int dev;
	int timer;
	int eventfd[FUZZ_EVENTFDS];
	struct fuzz_vm vm[FUZZ_VMS];
	u8 *playground;
	u64 *own;
	u64 own_tag[FUZZ_OWN_PAGES];
	struct mvm_run *spare_run;
	u8 *arg;
	u8 *read_only;
	struct mvm_info info;
	struct mvm_cpuid_entry cpuid[MVM_CPUID_MAX];
	u32 cpuids;
	u8 xsave[FUZZ_XSAVE_MAX] __attribute__((aligned(64)));
	struct mvm_lapic lapic;

	struct fuzz_count count[FUZZ_KINDS + 1];
	u64 errnos[FUZZ_ERRNOS];
	u64 exits[MVM_EXIT_UNHANDLED + 1];
	u64 entries;
	u64 events;
	char failed[256];
};

/* A number below @n, of this step's sequence. */
u32 fuzz_draw(struct fuzzer *f, u32 n);
/* One in @n. */
bool fuzz_one_in(struct fuzzer *f, u32 n);
/* 64 bits: often small, a power of two, or all ones. */
u64 fuzz_value(struct fuzzer *f);

/* step.c */
void fuzz_open(struct fuzzer *f);
void fuzz_step(struct fuzzer *f);
void fuzz_close(struct fuzzer *f);

/* call.c */
const char *fuzz_name(enum fuzz_kind kind);
/* A call with a likely argument, or, unless @honest, perhaps with a hostile one. */
void fuzz_call(struct fuzzer *f, enum fuzz_kind kind, struct fuzz_vm *vm,
	       struct fuzz_vcpu *vcpu, bool honest);
/* End a run that may be under way; @clear: so that the next one runs. */
void fuzz_stop(struct fuzz_vcpu *vcpu, bool clear);
void fuzz_vcpu_close(struct fuzzer *f, struct fuzz_vcpu *vcpu, bool page_first);

/* guest.c */
enum fuzz_mode { MODE_REAL, MODE_PROTECTED, MODE_LONG, FUZZ_MODES };
/* System registers of a mode, for a vCPU that was fresh. */
void fuzz_mode_sregs(struct mvm_sregs *s, enum fuzz_mode mode);
/* A random program in RAM, and the vCPU's registers at its start. */
void fuzz_aim(struct fuzzer *f, struct fuzz_vm *vm, struct fuzz_vcpu *vcpu);

#endif
