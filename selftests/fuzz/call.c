// SPDX-License-Identifier: GPL-2.0-only
/*
 * call.c - the fuzzer's ioctls: a likely argument for each, ways to spoil it,
 * and what the kernel may answer
 */
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

/* what is drawn for a call, and where it goes */
struct call {
	enum fuzz_kind kind;
	struct fuzz_vm *vm;
	struct fuzz_vcpu *vcpu;
	bool honest;		/* arguments that should succeed */
	int fd;
	unsigned int command;
	void *arg;
	bool spoilt;		/* the general errors may come, too */
	u32 vcpu_id;
	u64 wait_ns;
};

enum target { DEVICE, VM, VCPU };

struct kind {
	const char *name;
	unsigned int command;
	u32 size;
	enum target target;
	bool stopped;		/* wants the vCPU stopped */
	bool entries;		/* the last field is a pointer */
	void (*fill)(struct fuzzer *f, struct call *c);
	int errnos[6];		/* beyond those that everyone has */
};

/* Memory for arrays that arguments point to: below the argument's page. */
static void *array(struct fuzzer *f)
{
	return f->arg - 4 * PAGE_SIZE;
}

#define ARRAY_BYTES	(4 * PAGE_SIZE)

/* ------------------------------------------------------------------------
 * Where the kernel and guests may write
 */

#define USER_END	((1UL << 47) - PAGE_SIZE)

/*
 * An address that is just anything may be one of ours, and what the kernel or a
 * guest writes there would be our own fault.  Those in the user's half go to the
 * playground, which but for RAM has no access; all others stay what they are.
 */
static u64 harmless(struct fuzzer *f, u64 address)
{
	u64 base = (u64)f->playground;

	if (address < PAGE_SIZE || address >= USER_END ||
	    (address >= base && address < base + FUZZ_PLAYGROUND / 2))
		return address;
	return base + address % (FUZZ_PLAYGROUND / 2);
}

/* The same for a slot, whose other end counts, too. */
static void make_slot_harmless(struct fuzzer *f, struct mvm_slot *slot)
{
	/* the kernel refuses what leaves the user's half */
	if (slot->length >= USER_END || slot->user_addr >= USER_END ||
	    slot->user_addr + slot->length > USER_END)
		return;
	slot->length %= FUZZ_PLAYGROUND / 2;
	slot->user_addr = harmless(f, slot->user_addr);
}

/* The arrays and the argument itself are meant to be written to. */
static u64 harmless_array(struct fuzzer *f, u64 address)
{
	u64 from = (u64)array(f), to = (u64)f->arg + 2 * PAGE_SIZE;

	return address >= from && address < to ? address : harmless(f, address);
}

/* ------------------------------------------------------------------------
 * Likely arguments
 */

static void spoil_bytes(struct fuzzer *f, void *p, size_t size)
{
	for (u32 n = 1 + fuzz_draw(f, 4); n; n--)
		((u8 *)p)[fuzz_draw(f, size)] = fuzz_draw(f, 256);
}

static void fill_nothing(struct fuzzer *f, struct call *c)
{
	(void)f;
	(void)c;
}

static void fill_get_cpuid(struct fuzzer *f, struct call *c)
{
	struct mvm_cpuid *a = c->arg;

	a->count = fuzz_one_in(f, 8) ? fuzz_draw(f, 2 * MVM_CPUID_MAX) :
				       MVM_CPUID_MAX;
	a->entries = (u64)array(f);
}

static void fill_create_vm(struct fuzzer *f, struct call *c)
{
	struct mvm_create_vm *a = c->arg;

	a->flags = fuzz_draw(f, 4);
	snprintf((char *)a->name, sizeof(a->name), "fuzz%u.%llu", f->index,
		 (unsigned long long)f->steps);
	if (!c->honest && fuzz_one_in(f, 8))
		a->name[fuzz_draw(f, sizeof(a->name))] = fuzz_draw(f, 256);
}

static void fill_slot(struct fuzzer *f, struct call *c)
{
	struct mvm_slot *a = c->arg;
	u32 arena = fuzz_draw(f, FUZZ_VMS), page = fuzz_draw(f, 48);
	u32 gap = fuzz_draw(f, 4), pages = 1 + fuzz_draw(f, 16);
	bool read_only = fuzz_one_in(f, 4);

	a->slot = 1 + fuzz_draw(f, 7);
	/* guest RAM now and then, but it comes back */
	if (fuzz_one_in(f, 16) || !(c->vm->slots & 1))
		a->slot = 0;
	if (c->honest ? c->vm->slots >> a->slot & 1 : fuzz_one_in(f, 4)) {
		c->vm->slots &= ~(1UL << a->slot);
		return;
	}
	c->vm->slots |= 1UL << a->slot;
	if (!a->slot) {
		a->length = FUZZ_RAM;
		a->user_addr = (u64)c->vm->ram;
		return;
	}
	a->flags = read_only ? MVM_SLOT_READONLY : 0;
	a->gpa = 0x100000 + a->slot * 0x20000 + gap * PAGE_SIZE;
	a->length = pages * PAGE_SIZE;
	a->user_addr = (u64)f->vm[arena].ram + page * PAGE_SIZE;
	if (!c->honest && fuzz_one_in(f, 4))
		a->gpa = f->info.max_gpa - fuzz_draw(f, 4) * PAGE_SIZE;
	if (!c->honest && fuzz_one_in(f, 4))
		a->length = fuzz_value(f);
	if (!c->honest && fuzz_one_in(f, 4))
		a->user_addr = fuzz_value(f) & ~(PAGE_SIZE - 1);
}

static void fill_create_vcpu(struct fuzzer *f, struct call *c)
{
	struct mvm_create_vcpu *a = c->arg;

	/* in the script of a VM's start: 0 and 1 */
	a->id = c->honest ? c->vcpu - c->vm->vcpu : 2 + fuzz_draw(f, 7);
	c->vcpu_id = a->id;
}

static void fill_policy(struct fuzzer *f, struct call *c)
{
	struct mvm_msr_policy *a = c->arg;

	a->policy = fuzz_draw(f, c->honest ? 2 : 3);
}

static void fill_msi(struct fuzzer *f, struct call *c)
{
	static const u16 modes[] = { 0x000, 0x000, 0x100, 0x400, 0x500, 0x700 };
	struct mvm_msi *a = c->arg;

	a->address = 0xfee00000 | fuzz_draw(f, 3) << 12 | fuzz_draw(f, 4) << 2;
	a->data = 16 + fuzz_draw(f, 240);
	if (!fuzz_one_in(f, 4))
		a->address = 0xfee00000 | fuzz_draw(f, 2) << 12;
	if (!c->honest)
		a->data |= modes[fuzz_draw(f, ARRAY_SIZE(modes))] |
			   fuzz_draw(f, 4) << 14;
}

/* Add it or, if it was added, remove it: true. */
static bool toggle(u64 *bits, u32 which)
{
	*bits ^= 1UL << which;
	return !(*bits >> which & 1);
}

static void fill_irqfd(struct fuzzer *f, struct call *c)
{
	struct mvm_irqfd *a = c->arg;
	u32 which = fuzz_draw(f, FUZZ_EVENTFDS), vector = 16 + fuzz_draw(f, 240);
	u32 vcpu = fuzz_draw(f, FUZZ_VCPUS);

	a->eventfd = f->eventfd[which];
	if (toggle(&c->vm->irqfds, which)) {
		a->flags = MVM_IRQFD_REMOVE;
	} else {
		a->address = 0xfee00000 | vcpu << 12;
		a->data = vector;
	}
	if (!c->honest)
		spoil_bytes(f, &a->eventfd, 16);
}

static void fill_doorbell(struct fuzzer *f, struct call *c)
{
	static const u8 widths[] = { 0, 1, 2, 4 };
	struct mvm_doorbell *a = c->arg;
	u32 which = fuzz_draw(f, 16);

	a->eventfd = f->eventfd[which % FUZZ_EVENTFDS];
	a->port = FUZZ_PORTS + which;
	a->bytes = widths[which % 4];
	if (which % 8 > 5) {
		a->flags = MVM_DOORBELL_MATCH;
		a->data = which;
	}
	if (toggle(&c->vm->bells, which))
		a->flags |= MVM_DOORBELL_REMOVE;
	if (!c->honest)
		spoil_bytes(f, &a->eventfd, 12);
}

static void fill_posted(struct fuzzer *f, struct call *c)
{
	struct mvm_posted_ports *a = c->arg;
	u32 which = fuzz_draw(f, 8);

	a->port = FUZZ_PORTS + 16 + 2 * which;
	a->count = 1 + which % 2;
	if (toggle(&c->vm->posted, which))
		a->flags = MVM_POSTED_REMOVE;
	if (!c->honest)
		spoil_bytes(f, &a->port, 8);
}

static void fill_run(struct fuzzer *f, struct call *c)
{
	struct mvm_run_request *a = c->arg;

	c->wait_ns = 20000 << fuzz_draw(f, 6);
	if (fuzz_one_in(f, 3))
		a->flags = MVM_RUN_ASYNC;
	else if (fuzz_one_in(f, 2))
		a->flags = MVM_RUN_LEND;
}

static void fill_sregs(struct fuzzer *f, struct call *c)
{
	struct mvm_sregs *a = c->arg;
	u32 mode = fuzz_draw(f, FUZZ_MODES);

	fuzz_mode_sregs(a, mode);
	c->vcpu->mode = mode;
	if (c->honest)
		return;
	switch (fuzz_draw(f, 6)) {
	case 0:
		a->cr4 ^= 1UL << fuzz_draw(f, 24);
		break;
	case 1:
		a->cr0 ^= 1UL << fuzz_draw(f, 32);
		break;
	case 2:
		a->efer ^= 1UL << fuzz_draw(f, 12);
		a->xcr0 |= fuzz_draw(f, 8);
		break;
	case 3:
		/* segments: only the CPU checks them */
		spoil_bytes(f, &a->cs, sizeof(a->cs) - 6);
		break;
	case 4:
		a->cr3 = fuzz_value(f);
		a->cr8 = fuzz_draw(f, 18);
		a->apic_base ^= 0x400;
		break;
	case 5:
		a->dr7 = fuzz_value(f) & 0xffffffff;
		a->dr[fuzz_draw(f, 4)] = fuzz_value(f);
	}
}

static void fill_msrs(struct fuzzer *f, struct call *c)
{
	static const struct {
		u32 index;
		u64 data;
	} good[] = {
		{ MSR_TSC, 12345 }, { MSR_TSC_ADJUST, 0 },
		{ MSR_SYSENTER_CS, 8 }, { MSR_SYSENTER_ESP, 0x8000 },
		{ MSR_SYSENTER_EIP, 0x9000 }, { MSR_PAT, 0x0007040600070406 },
		{ MSR_DEBUGCTL, 0 }, { MSR_EFER, 0 }, { MSR_STAR, 0x1234 },
		{ MSR_LSTAR, 0xffffffff80000000 }, { MSR_FMASK, 0x200 },
		{ MSR_FS_BASE, 0x1000 }, { MSR_GS_BASE, 0x2000 },
		{ MSR_KERNEL_GS_BASE, 0xffff800000000000 },
		{ MSR_TSC_AUX, 3 }, { MSR_TSC_DEADLINE, 0 },
	};
	struct mvm_msr_entry *e = array(f);
	struct mvm_msrs *a = c->arg;

	a->entries = (u64)e;
	a->count = 1 + fuzz_draw(f, 4);
	for (u32 i = 0; i < a->count; i++) {
		u32 which = fuzz_draw(f, ARRAY_SIZE(good));

		e[i] = (struct mvm_msr_entry){ .index = good[which].index,
					       .data = good[which].data };
		if (!c->honest && fuzz_one_in(f, 4))
			e[i].index = fuzz_value(f);
		if (!c->honest && fuzz_one_in(f, 4))
			e[i].data = fuzz_value(f);
	}
	if (!c->honest && fuzz_one_in(f, 8))
		a->count = fuzz_draw(f, MVM_MSRS_MAX + 2);
}

static void fill_get_xsave(struct fuzzer *f, struct call *c)
{
	struct mvm_xsave *a = c->arg;

	a->length = f->info.xsave_size;
	a->buffer = (u64)array(f);
}

static void fill_set_xsave(struct fuzzer *f, struct call *c)
{
	fill_get_xsave(f, c);
	memcpy(array(f), f->xsave, f->info.xsave_size);
	/* registers; else also the header and what is reserved */
	if (fuzz_one_in(f, 2))
		spoil_bytes(f, array(f) + 32, 384);
	if (!c->honest && fuzz_one_in(f, 2))
		spoil_bytes(f, array(f), f->info.xsave_size);
}

static void fill_set_cpuid(struct fuzzer *f, struct call *c)
{
	struct mvm_cpuid_entry *e = array(f);
	struct mvm_cpuid *a = c->arg;

	memcpy(e, f->cpuid, f->cpuids * sizeof(*e));
	a->entries = (u64)e;
	a->count = f->cpuids;
	if (c->honest)
		return;
	if (fuzz_one_in(f, 2))
		/* without some feature */
		(&e[fuzz_draw(f, a->count)].eax)[fuzz_draw(f, 4)] &=
			~(1U << fuzz_draw(f, 32));
	else
		spoil_bytes(f, e, a->count * sizeof(*e));
	if (fuzz_one_in(f, 8))
		a->count = fuzz_draw(f, MVM_CPUID_MAX + 2);
}

static void fill_events(struct fuzzer *f, struct call *c)
{
	struct mvm_events *a = c->arg;

	switch (fuzz_draw(f, 6)) {
	case 0:
		a->vector = 16 + fuzz_draw(f, 240);
		break;
	case 1:
		a->event = MVM_EVENT_NMI;
		a->vector = 2;
		break;
	case 2:
		a->event = MVM_EVENT_EXCEPTION;
		a->vector = 13;
		a->has_error_code = 1;
		a->error_code = fuzz_draw(f, 65536);
		break;
	case 3:
		a->event = MVM_EVENT_SOFT_INT;
		a->vector = fuzz_draw(f, 256);
		a->insn_len = 1 + fuzz_draw(f, 15);
		break;
	case 4:
		a->interruptibility = 1;
		a->nmi_pending = 1;
		break;
	case 5:
		/* active, halted, wait-for-SIPI */
		a->activity = "\0\1\3"[fuzz_draw(f, 3)];
		a->intr_line = fuzz_draw(f, 2);
	}
	if (!c->honest)
		spoil_bytes(f, &a->event, 20);
}

static void fill_lapic(struct fuzzer *f, struct call *c)
{
	struct mvm_lapic *a = c->arg;
	u32 reg = fuzz_draw(f, 64), bit = fuzz_draw(f, 32);

	*a = f->lapic;
	a->size = sizeof(*a);
	/* the ID is the vCPU's */
	a->regs[2] = (c->vcpu - c->vm->vcpu) << 24;
	/* an interrupt that is requested */
	a->regs[0x20 + reg % 8] |= 0xffff0000 & 1U << bit;
	if (!c->honest)
		a->regs[reg] ^= 1U << bit;
}

static void fill_lapic_access(struct fuzzer *f, struct call *c)
{
	static const u16 useful[] = {
		0x20, 0x30, 0x80, 0xb0, 0xd0, 0xf0, 0x280, 0x300, 0x310, 0x320,
		0x350, 0x360, 0x380, 0x390, 0x3e0,
	};
	struct mvm_lapic_access *a = c->arg;

	a->offset = fuzz_one_in(f, 8) ? fuzz_draw(f, 260) << 4 :
					useful[fuzz_draw(f, ARRAY_SIZE(useful))];
	if (fuzz_one_in(f, 2)) {
		a->flags = MVM_LAPIC_WRITE;
		a->value = fuzz_value(f);
	}
	if (!c->honest && fuzz_one_in(f, 8))
		a->offset = fuzz_value(f);
}

static void fill_line(struct fuzzer *f, struct call *c)
{
	struct mvm_line *a = c->arg;

	a->line = fuzz_draw(f, c->honest ? 2 : 3);
	a->level = fuzz_draw(f, c->honest ? 2 : 3);
}

static void fill_stats(struct fuzzer *f, struct call *c)
{
	struct mvm_stats *a = c->arg;

	a->count = c->honest ? 64 : fuzz_draw(f, 64);
	a->entries = (u64)array(f);
}

#define KIND(name_, type, target_, fill_, ...)                                 \
	[F_##name_] = { #name_, MVM_##name_, sizeof(type), target_,            \
			.fill = fill_, __VA_ARGS__ }

static const struct kind kinds[FUZZ_KINDS] = {
	KIND(GET_INFO, struct mvm_info, DEVICE, fill_nothing),
	KIND(GET_SUPPORTED_CPUID, struct mvm_cpuid, DEVICE, fill_get_cpuid,
	     .entries = true),
	KIND(CREATE_VM, struct mvm_create_vm, DEVICE, fill_create_vm,
	     .errnos = { ENOSPC, EMFILE }),
	KIND(SET_SLOT, struct mvm_slot, VM, fill_slot, .entries = true,
	     .errnos = { EEXIST, ENOENT, EFAULT }),
	KIND(CREATE_VCPU, struct mvm_create_vcpu, VM, fill_create_vcpu,
	     .errnos = { EEXIST, EMFILE }),
	KIND(SET_MSR_POLICY, struct mvm_msr_policy, VM, fill_policy,
	     .errnos = { EBUSY }),
	KIND(SIGNAL_MSI, struct mvm_msi, VM, fill_msi, .errnos = { ENOENT }),
	KIND(SET_IRQFD, struct mvm_irqfd, VM, fill_irqfd,
	     .errnos = { EBADF, EEXIST, ENOENT, ENOSPC }),
	KIND(SET_DOORBELL, struct mvm_doorbell, VM, fill_doorbell,
	     .errnos = { EBADF, EEXIST, ENOENT, ENOSPC }),
	KIND(SET_POSTED, struct mvm_posted_ports, VM, fill_posted,
	     .errnos = { EEXIST, ENOENT }),
	KIND(RUN, struct mvm_run_request, VCPU, fill_run,
	     .errnos = { EBUSY, EINTR }),
	KIND(KICK, struct mvm_kick, VCPU, fill_nothing),
	KIND(GET_SREGS, struct mvm_sregs, VCPU, fill_nothing, .stopped = true),
	KIND(SET_SREGS, struct mvm_sregs, VCPU, fill_sregs, .stopped = true),
	KIND(GET_MSRS, struct mvm_msrs, VCPU, fill_msrs, .stopped = true,
	     .entries = true),
	KIND(SET_MSRS, struct mvm_msrs, VCPU, fill_msrs, .stopped = true,
	     .entries = true),
	KIND(GET_XSAVE, struct mvm_xsave, VCPU, fill_get_xsave, .stopped = true,
	     .entries = true),
	KIND(SET_XSAVE, struct mvm_xsave, VCPU, fill_set_xsave, .stopped = true,
	     .entries = true),
	KIND(GET_CPUID, struct mvm_cpuid, VCPU, fill_get_cpuid, .stopped = true,
	     .entries = true, .errnos = { E2BIG }),
	KIND(SET_CPUID, struct mvm_cpuid, VCPU, fill_set_cpuid, .stopped = true,
	     .entries = true),
	KIND(GET_EVENTS, struct mvm_events, VCPU, fill_nothing, .stopped = true),
	KIND(SET_EVENTS, struct mvm_events, VCPU, fill_events, .stopped = true),
	KIND(GET_LAPIC, struct mvm_lapic, VCPU, fill_nothing, .stopped = true),
	KIND(SET_LAPIC, struct mvm_lapic, VCPU, fill_lapic, .stopped = true),
	KIND(LAPIC_ACCESS, struct mvm_lapic_access, VCPU, fill_lapic_access,
	     .stopped = true, .errnos = { ENXIO }),
	KIND(SET_LINE, struct mvm_line, VCPU, fill_line),
	KIND(GET_STATS, struct mvm_stats, VCPU, fill_stats, .entries = true),
};

const char *fuzz_name(enum fuzz_kind kind)
{
	return kinds[kind].name;
}

/* ------------------------------------------------------------------------
 * Spoiling them
 */

/* Any descriptor: of the device, of a VM, of a vCPU, of nobody. */
static int stray_fd(struct fuzzer *f)
{
	struct fuzzer *other = &f->all[fuzz_draw(f, FUZZ_WORKERS)];
	struct fuzz_vm *vm = &other->vm[fuzz_draw(f, FUZZ_VMS)];
	u32 vcpu = fuzz_draw(f, FUZZ_VCPUS), what = fuzz_draw(f, 8);

	switch (what) {
	case 0:
		return f->dev;
	case 1:
		return -1;
	case 2:
	case 3:
		return atomic_load(&vm->fd);
	default:
		vm->vcpu[vcpu].strayed = true;
		return atomic_load(&vm->vcpu[vcpu].fd);
	}
}

static void *bad_pointer(struct fuzzer *f)
{
	switch (fuzz_draw(f, 6)) {
	case 0:
		return NULL;
	case 1:
		return (void *)0xffffffff81000000;
	case 2:
		return (void *)0x0000800000000000 - fuzz_draw(f, 16);
	case 3:
		return f->read_only;
	case 4:
		/* leaves the mapping */
		return f->arg + 2 * PAGE_SIZE - 1 - fuzz_draw(f, 32);
	default:
		return (void *)harmless(f, fuzz_value(f));
	}
}

static void spoil_size(struct fuzzer *f, struct call *c, u32 size)
{
	u8 *p = f->arg;

	/* where there is room for more */
	memcpy(p, c->arg, size);
	memset(p + size, 0, PAGE_SIZE - size);
	c->arg = p;
	switch (fuzz_draw(f, 6)) {
	case 0:
		*(u32 *)p = fuzz_draw(f, size);
		break;
	case 1:
		*(u32 *)p = fuzz_value(f);
		break;
	case 2:
		*(u32 *)p = PAGE_SIZE + fuzz_draw(f, 2);
		break;
	case 3:
		p[size + fuzz_draw(f, 16)] = 1 + fuzz_draw(f, 255);
		*(u32 *)p = size + 16;
		break;
	default:
		/* a longer struct of the future: fine */
		*(u32 *)p = size + 8 * fuzz_draw(f, 8);
	}
}

static void spoil(struct fuzzer *f, struct call *c)
{
	const struct kind *k = &kinds[c->kind];

	c->spoilt = true;
	switch (fuzz_draw(f, 8)) {
	case 0:
	case 1:
		spoil_size(f, c, k->size);
		break;
	case 2:
		((u32 *)c->arg)[1] |= 1U << fuzz_draw(f, 32);
		break;
	case 3:
		if (k->size > 8)
			spoil_bytes(f, c->arg + 8, k->size - 8);
		break;
	case 4:
		c->arg = bad_pointer(f);
		break;
	case 5:
		if (k->entries)
			*(u64 *)(c->arg + k->size - 8) = (u64)bad_pointer(f);
		break;
	case 6:
		c->command = fuzz_one_in(f, 2) ? kinds[fuzz_draw(f, FUZZ_KINDS)].command :
						 _IO(MVM_IOC_MAGIC, fuzz_draw(f, 256));
		break;
	case 7:
		c->fd = stray_fd(f);
	}
}

/* After spoiling: no address but ours and those in the playground. */
static void keep_out(struct fuzzer *f, struct call *c)
{
	const struct kind *k = &kinds[c->kind];
	u8 *arg = c->arg;

	/* a bad pointer: then nothing of ours is read */
	if ((u64)arg - (u64)f->arg > 2 * PAGE_SIZE - k->size)
		arg = f->arg + 2 * PAGE_SIZE - k->size;
	/* a smaller struct is no slot */
	if (c->command == MVM_SET_SLOT && k->size >= sizeof(struct mvm_slot)) {
		make_slot_harmless(f, (struct mvm_slot *)arg);
	} else if (k->entries) {
		u64 *p = (u64 *)(arg + k->size - 8);

		*p = harmless_array(f, *p);
	}
}

/* ------------------------------------------------------------------------
 * Calling
 */

static void set_timer(struct fuzzer *f, u64 ns)
{
	struct itimerspec t = {
		.it_value.tv_nsec = ns,
		/* it may come before the wait begins: again, then */
		.it_interval.tv_nsec = ns ? 1000000 : 0,
	};

	syscall(SYS_timer_settime, f->timer, 0, &t, NULL);
}

void fuzz_stop(struct fuzz_vcpu *vcpu, bool clear)
{
	struct mvm_kick kick = { .size = sizeof(kick) };
	struct pollfd p = { .fd = vcpu->fd, .events = POLLIN };

	if (!vcpu->running)
		return;
	vcpu->running = false;
	*(volatile u8 *)&vcpu->run->immediate_exit = 1;
	ioctl(vcpu->fd, MVM_KICK, &kick);
	poll(&p, 1, 20);
	if (clear)
		*(volatile u8 *)&vcpu->run->immediate_exit = 0;
}

void fuzz_vcpu_close(struct fuzzer *f, struct fuzz_vcpu *vcpu, bool page_first)
{
	static __thread struct mvm_stat stat[64];
	struct mvm_stats stats = {
		.size = sizeof(stats),
		.count = ARRAY_SIZE(stat),
		.entries = (u64)stat,
	};
	int fd = atomic_exchange(&vcpu->fd, -1);

	if (fd >= 0 && !ioctl(fd, MVM_GET_STATS, &stats) &&
	    !strcmp((char *)stat[0].name, "entries"))
		f->entries += stat[0].value;
	if (!page_first && fd >= 0)
		close(fd);
	if (vcpu->run != f->spare_run)
		munmap(vcpu->run, f->info.run_size);
	vcpu->run = f->spare_run;
	if (page_first && fd >= 0)
		close(fd);
	vcpu->running = false;
}

static void vcpu_made(struct fuzzer *f, struct call *c, int fd)
{
	void *run;

	if (c->vcpu->fd >= 0) {
		close(fd);
		return;
	}
	run = mmap(NULL, f->info.run_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (run == MAP_FAILED) {
		snprintf(f->failed, sizeof(f->failed), "mmap of a run page: %m");
		close(fd);
		return;
	}
	c->vcpu->id = c->vcpu_id;
	c->vcpu->run = run;
	c->vcpu->mode = MODE_REAL;
	c->vcpu->join = false;
	c->vcpu->strayed = false;
	atomic_store(&c->vcpu->fd, fd);
}

static void vm_made(struct fuzz_vm *vm, int fd)
{
	if (vm->fd >= 0)
		close(fd);
	else
		atomic_store(&vm->fd, fd);
}

static void fail(struct fuzzer *f, const struct call *c, long ret, const char *why)
{
	if (f->failed[0])
		return;
	snprintf(f->failed, sizeof(f->failed),
		 "worker %u, step %llu: %s (command 0x%x%s) gave %ld, errno %d, exit reason %u: %s",
		 f->index, (unsigned long long)f->steps, kinds[c->kind].name,
		 c->command, c->spoilt ? ", spoilt" : "", ret, ret ? errno : 0,
		 c->vcpu->run->exit_reason, why);
}

static bool documented(const struct call *c, int error)
{
	static const int general[] = { ENOTTY, EPERM, EBADF, EBUSY, EEXIST,
				       ENOENT, ENXIO, ENOSPC, EMFILE, EINTR };
	const struct kind *k = &kinds[c->kind];

	if (error == EINVAL || error == EFAULT || error == E2BIG)
		return true;
	if (error == EBADF && c->fd < 0)
		return true;
	if (k->stopped && error == EBUSY)
		return true;
	for (u32 i = 0; i < ARRAY_SIZE(k->errnos); i++)
		if (k->errnos[i] && k->errnos[i] == error)
			return true;
	/* another descriptor or another command has other answers */
	for (u32 i = 0; c->spoilt && i < ARRAY_SIZE(general); i++)
		if (general[i] == error)
			return true;
	return false;
}

static void note_result(struct fuzzer *f, struct call *c, long ret)
{
	const struct kind *k = &kinds[c->kind];
	bool same = c->command == k->command;
	bool makes = c->command == MVM_CREATE_VM || c->command == MVM_CREATE_VCPU;

	f->count[same ? c->kind : F_NONE].tried++;
	if (ret == -1) {
		if (errno < FUZZ_ERRNOS)
			f->errnos[errno]++;
		if (!documented(c, errno))
			fail(f, c, ret, "no documented errno");
		return;
	}
	f->count[same ? c->kind : F_NONE].succeeded++;
	if (ret && !makes)
		fail(f, c, ret, "success is 0");
	if (!makes)
		return;
	/* a stray call made something in another VM: nobody wants it */
	if (c->spoilt)
		close(ret);
	else if (c->kind == F_CREATE_VM)
		vm_made(c->vm, ret);
	else
		vcpu_made(f, c, ret);
}

static void note_run(struct fuzzer *f, struct call *c, long ret)
{
	const volatile struct mvm_run *run = c->vcpu->run;
	bool joined = c->vcpu->join;
	u32 reason = run->exit_reason;

	if (ret == -1) {
		/* it runs on */
		if (errno == EINTR || errno == EBUSY)
			c->vcpu->running = true;
		if (errno == EINTR)
			c->vcpu->join = true;
		return;
	}
	c->vcpu->join = false;
	if (((struct mvm_run_request *)c->arg)->flags & MVM_RUN_ASYNC) {
		c->vcpu->running = true;
		return;
	}
	c->vcpu->running = false;
	/* the page may have been scribbled on since the run ended */
	if (joined || c->vcpu->strayed)
		return;
	if (reason == MVM_EXIT_NONE || reason > MVM_EXIT_UNHANDLED)
		fail(f, c, ret, "no documented exit reason");
	else
		f->exits[reason]++;
}

void fuzz_call(struct fuzzer *f, enum fuzz_kind kind, struct fuzz_vm *vm,
	       struct fuzz_vcpu *vcpu, bool honest)
{
	const struct kind *k = &kinds[kind];
	struct call c = {
		.kind = kind,
		.vm = vm,
		.vcpu = vcpu,
		.honest = honest,
		.command = k->command,
		/* right before the memory that is not there */
		.arg = f->arg + 2 * PAGE_SIZE - k->size,
	};
	bool stop_first = !fuzz_one_in(f, 16), clear = !fuzz_one_in(f, 16);
	long ret;

	f->calls++;
	memset(c.arg, 0, k->size);
	k->fill(f, &c);
	((u32 *)c.arg)[0] = k->size;
	c.fd = k->target == DEVICE ? f->dev :
	       k->target == VM ? atomic_load(&vm->fd) : atomic_load(&vcpu->fd);
	if (!honest && fuzz_one_in(f, 5))
		spoil(f, &c);
	keep_out(f, &c);

	if (stop_first && k->stopped)
		fuzz_stop(vcpu, clear);
	/* a spoilt command may be RUN, too */
	if (kind == F_RUN || c.spoilt)
		set_timer(f, c.wait_ns ?: 100000);
	ret = ioctl(c.fd, c.command, c.arg);
	if (kind == F_RUN || c.spoilt) {
		int error = errno;

		set_timer(f, 0);
		errno = error;
	}
	note_result(f, &c, ret);
	if (c.command == MVM_RUN && c.spoilt)
		vcpu->strayed = true;
	if (kind == F_RUN && !c.spoilt)
		note_run(f, &c, ret);
	else if (k->stopped && ret == -1 && errno == EBUSY)
		vcpu->running = true;
}
