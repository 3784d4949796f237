// SPDX-License-Identifier: GPL-2.0-only
/*
 * abi.c - the shape of every ioctl: sizes, flags, reserved fields, pointers,
 * descriptors, owners, order; the run page as a mapping; poll
 *
 * Each ioctl is a row of a table; the rules at the top of mini_vm.h are tested
 * on all rows.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/proc.h"
#include "lib/vm.h"

enum fd_kind { FD_DEVICE, FD_VM, FD_VCPU };

struct ctx {
	struct vm vm;
	struct vcpu vcpu;
};

/* out %al, $0x80; jmp . - 2: an exit as often as one likes */
static const u8 out_forever[] = { 0xe6, 0x80, 0xeb, 0xfc };
static const u8 spin[] = { 0xeb, 0xfe };

static void ctx_open(struct ctx *c, const void *code, size_t size)
{
	vm_create(&c->vm, 0);
	vm_ram(&c->vm, SZ_64K);
	vcpu_create(&c->vcpu, &c->vm, 0);
	vcpu_real_code(&c->vcpu, 0x1000, code, size);
}

static void ctx_close(struct ctx *c)
{
	vcpu_destroy(&c->vcpu);
	vm_destroy(&c->vm);
}

/* ------------------------------------------------------------------------
 * The table of ioctls.  fill() makes an argument that succeeds on a VM with a
 * vCPU that has not run.
 */

static struct mvm_cpuid_entry cpuid_entries[MVM_CPUID_MAX];
static struct mvm_msr_entry msr_entry;
static struct mvm_stat stats[256];
static u8 *xsave;

static void fill_none(struct ctx *c, void *arg)
{
	(void)c;
	(void)arg;
}

static void fill_cpuid(struct ctx *c, void *arg)
{
	struct mvm_cpuid *a = arg;

	(void)c;
	a->count = MVM_CPUID_MAX;
	a->entries = (u64)cpuid_entries;
}

static void fill_set_cpuid(struct ctx *c, void *arg)
{
	struct mvm_cpuid get = { 0 };

	fill_cpuid(c, &get);
	CHECK_OK(mvm_ioctl(dev_fd(), MVM_GET_SUPPORTED_CPUID, &get));
	fill_cpuid(c, arg);
	((struct mvm_cpuid *)arg)->count = get.count;
}

static void fill_create_vm(struct ctx *c, void *arg)
{
	(void)c;
	strcpy((char *)((struct mvm_create_vm *)arg)->name, "row");
}

static void fill_slot(struct ctx *c, void *arg)
{
	struct mvm_slot *a = arg;

	a->slot = SLOT_FREE;
	a->gpa = SZ_1M;
	a->length = PAGE_SIZE;
	a->user_addr = (u64)c->vm.ram;
}

static void fill_msr_policy(struct ctx *c, void *arg)
{
	(void)c;
	((struct mvm_msr_policy *)arg)->policy = MVM_MSR_POLICY_FORWARD;
}

static void fill_msi(struct ctx *c, void *arg)
{
	struct mvm_msi *a = arg;

	(void)c;
	a->address = 0xfee00000;
	a->data = 0x40;
}

/* the same one each time */
static int some_eventfd(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = eventfd_new();
	return fd;
}

static void fill_irqfd(struct ctx *c, void *arg)
{
	struct mvm_irqfd *a = arg;

	(void)c;
	a->eventfd = some_eventfd();
	a->address = 0xfee00000;
	a->data = 0x40;
}

static void fill_doorbell(struct ctx *c, void *arg)
{
	struct mvm_doorbell *a = arg;

	(void)c;
	a->eventfd = some_eventfd();
	a->port = 0x500;
	a->bytes = 2;
}

static void fill_posted(struct ctx *c, void *arg)
{
	struct mvm_posted_ports *a = arg;

	(void)c;
	a->port = 0x3f8;
	a->count = 8;
}

static void fill_sregs(struct ctx *c, void *arg)
{
	struct mvm_sregs s;
	u32 size = *(u32 *)arg;

	vcpu_get_sregs(&c->vcpu, &s);
	memcpy(arg, &s, sizeof(s));
	*(u32 *)arg = size;
}

static void fill_msrs(struct ctx *c, void *arg)
{
	struct mvm_msrs *a = arg;

	(void)c;
	msr_entry = (struct mvm_msr_entry){ .index = MSR_LSTAR };
	a->count = 1;
	a->entries = (u64)&msr_entry;
}

static void fill_xsave(struct ctx *c, void *arg)
{
	struct mvm_xsave *a = arg, get = { 0 };

	if (!xsave)
		xsave = mem_alloc(SZ_64K);
	get.length = dev_info()->xsave_size;
	get.buffer = (u64)xsave;
	CHECK_OK(mvm_ioctl(c->vcpu.fd, MVM_GET_XSAVE, &get));
	a->length = get.length;
	a->buffer = get.buffer;
}

static void fill_events(struct ctx *c, void *arg)
{
	struct mvm_events e;
	u32 size = *(u32 *)arg;

	vcpu_get_events(&c->vcpu, &e);
	memcpy(arg, &e, sizeof(e));
	*(u32 *)arg = size;
}

static void fill_lapic(struct ctx *c, void *arg)
{
	struct mvm_lapic l = { 0 };
	u32 size = *(u32 *)arg;

	CHECK_OK(mvm_ioctl(c->vcpu.fd, MVM_GET_LAPIC, &l));
	memcpy(arg, &l, sizeof(l));
	*(u32 *)arg = size;
}

static void fill_lapic_access(struct ctx *c, void *arg)
{
	(void)c;
	((struct mvm_lapic_access *)arg)->offset = 0x30;
}

static void fill_line(struct ctx *c, void *arg)
{
	(void)c;
	((struct mvm_line *)arg)->line = MVM_LINE_INTR;
}

static void fill_stats(struct ctx *c, void *arg)
{
	struct mvm_stats *a = arg;

	(void)c;
	a->count = ARRAY_SIZE(stats);
	a->entries = (u64)stats;
}

#define RANGE(type, field)                                                     \
	{ offsetof(type, field), sizeof(((type *)0)->field) }
/* A reserved member of a member. */
#define SEG(name)	RANGE(struct mvm_sregs, name.reserved)

static const struct row {
	const char *name;
	enum fd_kind fd;
	unsigned int cmd;
	u32 size;
	/* flag bits that mean something */
	u32 flags;
	void (*fill)(struct ctx *c, void *arg);
	/* works while the vCPU runs */
	bool any_time;
	struct {
		u32 offset;
		u32 length;
	} reserved[12];
} rows[] = {
#define ROW(kind, cmd, type) .name = #cmd, .fd = kind, cmd, sizeof(struct type)
	{ ROW(FD_DEVICE, MVM_GET_INFO, mvm_info), .fill = fill_none },
	{ ROW(FD_DEVICE, MVM_GET_SUPPORTED_CPUID, mvm_cpuid),
	  .fill = fill_cpuid, .reserved = { RANGE(struct mvm_cpuid, reserved) } },
	{ ROW(FD_DEVICE, MVM_CREATE_VM, mvm_create_vm),
	  .flags = MVM_VM_EXIT_HLT | MVM_VM_EXIT_VMCALL | MVM_VM_EXIT_EOI,
	  .fill = fill_create_vm },
	{ ROW(FD_VM, MVM_SET_SLOT, mvm_slot), .flags = MVM_SLOT_READONLY,
	  .fill = fill_slot, .reserved = { RANGE(struct mvm_slot, reserved) } },
	{ ROW(FD_VM, MVM_CREATE_VCPU, mvm_create_vcpu), .fill = fill_none,
	  .reserved = { RANGE(struct mvm_create_vcpu, reserved) } },
	{ ROW(FD_VM, MVM_SET_MSR_POLICY, mvm_msr_policy),
	  .fill = fill_msr_policy,
	  .reserved = { RANGE(struct mvm_msr_policy, reserved) } },
	{ ROW(FD_VM, MVM_SIGNAL_MSI, mvm_msi), .fill = fill_msi,
	  .reserved = { RANGE(struct mvm_msi, reserved) } },
	{ ROW(FD_VM, MVM_SET_IRQFD, mvm_irqfd), .flags = MVM_IRQFD_REMOVE,
	  .fill = fill_irqfd },
	{ ROW(FD_VM, MVM_SET_DOORBELL, mvm_doorbell),
	  .flags = MVM_DOORBELL_MATCH | MVM_DOORBELL_REMOVE,
	  .fill = fill_doorbell,
	  .reserved = { RANGE(struct mvm_doorbell, reserved) } },
	{ ROW(FD_VM, MVM_SET_POSTED, mvm_posted_ports),
	  .flags = MVM_POSTED_REMOVE, .fill = fill_posted,
	  .reserved = { RANGE(struct mvm_posted_ports, reserved) } },
	{ ROW(FD_VCPU, MVM_RUN, mvm_run_request), .flags = MVM_RUN_ASYNC | MVM_RUN_LEND,
	  .fill = fill_none },
	{ ROW(FD_VCPU, MVM_KICK, mvm_kick), .fill = fill_none,
	  .any_time = true },
	{ ROW(FD_VCPU, MVM_GET_SREGS, mvm_sregs), .fill = fill_none },
	{ ROW(FD_VCPU, MVM_SET_SREGS, mvm_sregs), .fill = fill_sregs,
	  .reserved = { SEG(cs), SEG(ds), SEG(es), SEG(fs), SEG(gs), SEG(ss),
			SEG(tr), SEG(ldt), SEG(gdt), SEG(idt) } },
	{ ROW(FD_VCPU, MVM_GET_MSRS, mvm_msrs), .fill = fill_msrs },
	{ ROW(FD_VCPU, MVM_SET_MSRS, mvm_msrs), .fill = fill_msrs },
	{ ROW(FD_VCPU, MVM_GET_XSAVE, mvm_xsave), .fill = fill_xsave,
	  .reserved = { RANGE(struct mvm_xsave, reserved) } },
	{ ROW(FD_VCPU, MVM_SET_XSAVE, mvm_xsave), .fill = fill_xsave,
	  .reserved = { RANGE(struct mvm_xsave, reserved) } },
	{ ROW(FD_VCPU, MVM_GET_CPUID, mvm_cpuid), .fill = fill_cpuid,
	  .reserved = { RANGE(struct mvm_cpuid, reserved) } },
	{ ROW(FD_VCPU, MVM_SET_CPUID, mvm_cpuid), .fill = fill_set_cpuid,
	  .reserved = { RANGE(struct mvm_cpuid, reserved) } },
	{ ROW(FD_VCPU, MVM_GET_EVENTS, mvm_events), .fill = fill_none },
	{ ROW(FD_VCPU, MVM_SET_EVENTS, mvm_events), .fill = fill_events,
	  .reserved = { RANGE(struct mvm_events, reserved) } },
	{ ROW(FD_VCPU, MVM_GET_LAPIC, mvm_lapic), .fill = fill_none },
	{ ROW(FD_VCPU, MVM_SET_LAPIC, mvm_lapic), .fill = fill_lapic },
	{ ROW(FD_VCPU, MVM_LAPIC_ACCESS, mvm_lapic_access),
	  .flags = MVM_LAPIC_WRITE, .fill = fill_lapic_access },
	{ ROW(FD_VCPU, MVM_SET_LINE, mvm_line), .fill = fill_line,
	  .any_time = true },
	{ ROW(FD_VCPU, MVM_GET_STATS, mvm_stats), .fill = fill_stats,
	  .any_time = true, .reserved = { RANGE(struct mvm_stats, reserved) } },
};

#define ARG_MAX_SIZE	1024

static const struct row *row_of(unsigned int cmd)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].cmd == cmd)
			return &rows[i];
	FAIL("no row for command 0x%x", cmd);
}

/* A context that suits the row: CREATE_VCPU needs its id free. */
static void row_open(struct ctx *c, const struct row *row)
{
	if (row->cmd != MVM_CREATE_VCPU) {
		ctx_open(c, out_forever, sizeof(out_forever));
		return;
	}
	vm_create(&c->vm, 0);
	vm_ram(&c->vm, SZ_64K);
	c->vcpu.run = NULL;
}

static void row_close(struct ctx *c)
{
	if (c->vcpu.run)
		vcpu_destroy(&c->vcpu);
	vm_destroy(&c->vm);
}

static int row_fd(struct ctx *c, const struct row *row)
{
	switch (row->fd) {
	case FD_DEVICE:
		return dev_fd();
	case FD_VM:
		return c->vm.fd;
	default:
		return c->vcpu.fd;
	}
}

static void row_arg(struct ctx *c, const struct row *row, u8 *arg)
{
	memset(arg, 0, ARG_MAX_SIZE);
	*(u32 *)arg = row->size;
	row->fill(c, arg);
}

/* The call must succeed; a descriptor that it returns is closed. */
static void row_succeeds(struct ctx *c, const struct row *row, void *arg)
{
	int r = ioctl(row_fd(c, row), row->cmd, arg);

	if (r < 0)
		FAIL("%s: errno %d (%m)", row->name, errno);
	if (row->cmd == MVM_CREATE_VM || row->cmd == MVM_CREATE_VCPU)
		close(r);
	else
		CHECK_EQ(r, 0);
}

static void row_fails(struct ctx *c, const struct row *row, const void *arg,
		      int err, const char *how, u32 detail)
{
	int r;

	errno = 0;
	r = ioctl(row_fd(c, row), row->cmd, arg);
	if (r != -1 || errno != err)
		FAIL("%s, %s 0x%x: returned %d, errno %d, not errno %d",
		     row->name, how, detail, r, errno, err);
}

#define FOR_EACH_ROW(row)                                                      \
	for (const struct row *row = rows; row < rows + ARRAY_SIZE(rows); row++)

static void test_valid(void)
{
	u8 arg[ARG_MAX_SIZE];
	struct ctx c;

	FOR_EACH_ROW(row) {
		row_open(&c, row);
		row_arg(&c, row, arg);
		row_succeeds(&c, row, arg);
		row_close(&c);
	}
}

static void test_short(void)
{
	u8 arg[ARG_MAX_SIZE];
	struct ctx c;

	FOR_EACH_ROW(row) {
		const u32 sizes[] = { 0, 1, 4, 7, row->size - 4, row->size - 1 };

		row_open(&c, row);
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
			row_arg(&c, row, arg);
			*(u32 *)arg = sizes[i];
			row_fails(&c, row, arg, EINVAL, "size", sizes[i]);
		}
		row_close(&c);
	}
}

static void test_long_zero(void)
{
	u8 arg[ARG_MAX_SIZE];
	struct ctx c;

	FOR_EACH_ROW(row) {
		row_open(&c, row);
		row_arg(&c, row, arg);
		*(u32 *)arg = row->size + 40;
		row_succeeds(&c, row, arg);
		row_close(&c);
	}
}

static void test_long_nonzero(void)
{
	u8 arg[ARG_MAX_SIZE];
	struct ctx c;

	FOR_EACH_ROW(row) {
		row_open(&c, row);
		for (u32 tail = 1; tail <= 40; tail += 13) {
			row_arg(&c, row, arg);
			*(u32 *)arg = row->size + 40;
			arg[row->size + tail - 1] = 0x80;
			row_fails(&c, row, arg, E2BIG, "tail byte", tail);
		}
		/* a huge size whose tail cannot be all zero or read */
		row_arg(&c, row, arg);
		*(u32 *)arg = 0xffffffff;
		errno = 0;
		CHECK_EQ(ioctl(row_fd(&c, row), row->cmd, arg), -1);
		CHECK(errno == E2BIG || errno == EFAULT);
		row_close(&c);
	}
}

static void test_flags(void)
{
	u8 arg[ARG_MAX_SIZE];
	struct ctx c;

	FOR_EACH_ROW(row) {
		row_open(&c, row);
		for (int bit = 0; bit < 32; bit++) {
			if (row->flags & 1U << bit)
				continue;
			row_arg(&c, row, arg);
			((u32 *)arg)[1] = 1U << bit;
			row_fails(&c, row, arg, EINVAL, "flag", 1U << bit);
		}
		row_close(&c);
	}
}

static void test_reserved(void)
{
	u8 arg[ARG_MAX_SIZE];
	unsigned int n = 0;
	struct ctx c;

	FOR_EACH_ROW(row) {
		row_open(&c, row);
		for (size_t r = 0; r < ARRAY_SIZE(row->reserved); r++) {
			u32 from = row->reserved[r].offset;

			for (u32 i = 0; i < row->reserved[r].length; i++) {
				row_arg(&c, row, arg);
				arg[from + i] = 1;
				row_fails(&c, row, arg, EINVAL, "reserved byte",
					  from + i);
				n++;
			}
		}
		row_close(&c);
	}
	CHECK(n > 80);
}

static void test_efault(void)
{
	u8 *two = mem_alloc(2 * PAGE_SIZE);
	u8 arg[ARG_MAX_SIZE];
	struct ctx c;

	CHECK_OK(mprotect(two + PAGE_SIZE, PAGE_SIZE, PROT_NONE));
	FOR_EACH_ROW(row) {
		u8 *edge = two + PAGE_SIZE - (row->size - 4);

		row_open(&c, row);
		row_fails(&c, row, NULL, EFAULT, "NULL", 0);
		row_fails(&c, row, two + PAGE_SIZE, EFAULT,
			  "no access", 0);
		row_fails(&c, row, (void *)-4096L, EFAULT, "kernel address", 0);
		row_fails(&c, row, (void *)(1UL << 63), EFAULT,
			  "address that is not canonical", 0);
		/* all but the last four bytes are there */
		row_arg(&c, row, arg);
		memcpy(edge, arg, row->size - 4);
		row_fails(&c, row, edge, EFAULT, "cut", 0);
		row_close(&c);
	}
}

static void test_efault_out(void)
{
	u8 arg[ARG_MAX_SIZE];
	struct ctx c;
	u8 *ro = mem_alloc(PAGE_SIZE);
	static const unsigned int out[] = {
		MVM_GET_INFO, MVM_GET_SUPPORTED_CPUID, MVM_GET_SREGS,
		MVM_GET_EVENTS, MVM_GET_LAPIC, MVM_LAPIC_ACCESS, MVM_GET_STATS,
	};

	ctx_open(&c, out_forever, sizeof(out_forever));
	for (size_t i = 0; i < ARRAY_SIZE(out); i++) {
		const struct row *row = row_of(out[i]);

		row_arg(&c, row, arg);
		mprotect(ro, PAGE_SIZE, PROT_READ | PROT_WRITE);
		memcpy(ro, arg, row->size);
		mprotect(ro, PAGE_SIZE, PROT_READ);
		row_fails(&c, row, ro, EFAULT, "read-only", 0);
	}
}

static void test_efault_inner(void)
{
	void *hole = mem_alloc(PAGE_SIZE);
	struct mvm_cpuid cpuid = { .count = 1, .entries = (u64)hole };
	struct mvm_msrs msrs = { .count = 1, .entries = (u64)hole };
	struct mvm_xsave x = { .length = dev_info()->xsave_size,
			       .buffer = (u64)hole };
	struct mvm_stats st = { .count = 256, .entries = (u64)hole };
	struct ctx c;

	CHECK_OK(mprotect(hole, PAGE_SIZE, PROT_NONE));
	ctx_open(&c, out_forever, sizeof(out_forever));
	CHECK_ERR(mvm_ioctl(c.vcpu.fd, MVM_SET_CPUID, &cpuid), EFAULT);
	cpuid.count = MVM_CPUID_MAX;
	CHECK_ERR(mvm_ioctl(c.vcpu.fd, MVM_GET_CPUID, &cpuid), EFAULT);
	cpuid.count = MVM_CPUID_MAX;
	CHECK_ERR(mvm_ioctl(dev_fd(), MVM_GET_SUPPORTED_CPUID, &cpuid), EFAULT);
	CHECK_ERR(mvm_ioctl(c.vcpu.fd, MVM_GET_MSRS, &msrs), EFAULT);
	CHECK_ERR(mvm_ioctl(c.vcpu.fd, MVM_SET_MSRS, &msrs), EFAULT);
	CHECK_ERR(mvm_ioctl(c.vcpu.fd, MVM_GET_XSAVE, &x), EFAULT);
	CHECK_ERR(mvm_ioctl(c.vcpu.fd, MVM_SET_XSAVE, &x), EFAULT);
	CHECK_ERR(mvm_ioctl(c.vcpu.fd, MVM_GET_STATS, &st), EFAULT);
}

static void test_wrong_fd(void)
{
	u8 arg[ARG_MAX_SIZE];
	struct ctx c;

	ctx_open(&c, out_forever, sizeof(out_forever));
	FOR_EACH_ROW(row) {
		const int fds[] = { dev_fd(), c.vm.fd, c.vcpu.fd };

		for (int kind = FD_DEVICE; kind <= FD_VCPU; kind++) {
			if (kind == (int)row->fd)
				continue;
			row_arg(&c, row, arg);
			errno = 0;
			CHECK_EQ(ioctl(fds[kind], row->cmd, arg), -1);
			if (errno != ENOTTY)
				FAIL("%s on fd kind %d: errno %d (%m)",
				     row->name, kind, errno);
		}
	}
}

static void test_unknown_command(void)
{
	struct mvm_kick arg = { .size = sizeof(arg) };
	unsigned int tried = 0;
	struct ctx c;

	ctx_open(&c, out_forever, sizeof(out_forever));
	for (unsigned int nr = 0; nr < 256; nr++) {
		unsigned int cmd = _IO(MVM_IOC_MAGIC, nr);
		bool known = false;

		FOR_EACH_ROW(row)
			known |= row->cmd == cmd;
		if (known)
			continue;
		tried++;
		CHECK_ERR(ioctl(dev_fd(), cmd, &arg), ENOTTY);
		CHECK_ERR(ioctl(c.vm.fd, cmd, &arg), ENOTTY);
		CHECK_ERR(ioctl(c.vcpu.fd, cmd, &arg), ENOTTY);
	}
	CHECK_EQ(tried, 256 - ARRAY_SIZE(rows));
	/* the right number with another magic, size or direction */
	CHECK_ERR(ioctl(c.vcpu.fd, _IO(0xae, 0x21), &arg), ENOTTY);
	CHECK_ERR(ioctl(c.vcpu.fd, _IOW(MVM_IOC_MAGIC, 0x21, struct mvm_kick),
			&arg), ENOTTY);
	/* commands that the VFS answers stay the VFS's */
	CHECK_ERR(ioctl(c.vcpu.fd, 0x5401 /* TCGETS */, &arg), ENOTTY);
}

/* ------------------------------------------------------------------------
 * Owner
 */

static void check_eperm(struct ctx *c)
{
	u8 arg[ARG_MAX_SIZE];

	FOR_EACH_ROW(row) {
		if (row->fd == FD_DEVICE)
			continue;
		memset(arg, 0, sizeof(arg));
		*(u32 *)arg = row->size;
		row_fails(c, row, arg, EPERM, "not the owner", 0);
	}
}

static void test_fork(void)
{
	struct ctx c, own;
	pid_t pid;

	ctx_open(&c, out_forever, sizeof(out_forever));
	pid = CHECK_OK(fork());
	if (!pid) {
		check_eperm(&c);
		/* the device descriptor itself is anybody's */
		ctx_open(&own, out_forever, sizeof(out_forever));
		vcpu_run_to(&own.vcpu, MVM_EXIT_IO);
		_exit(0);
	}
	wait_child(pid);
	vcpu_run_to(&c.vcpu, MVM_EXIT_IO);
}

static void test_fork_running(void)
{
	struct ctx c;
	pid_t pid;

	ctx_open(&c, spin, sizeof(spin));
	vcpu_run_async(&c.vcpu);
	pid = CHECK_OK(fork());
	if (!pid) {
		check_eperm(&c);
		_exit(0);
	}
	wait_child(pid);
	CHECK_EQ(vcpu_stop(&c.vcpu), MVM_EXIT_INTR);
}

static void test_vfork(void)
{
	struct mvm_kick k = { .size = sizeof(k) };
	struct ctx c;
	int status;
	pid_t pid;

	ctx_open(&c, out_forever, sizeof(out_forever));
	/* a child in the same address space is the owner too */
	pid = vfork();
	if (!pid)
		_exit(ioctl(c.vcpu.fd, MVM_KICK, &k) ? 1 : 0);
	CHECK_OK(pid);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

/* The program again, with descriptors that survived exec. */
static int after_exec(char **argv)
{
	struct ctx c = {
		.vm.fd = atoi(argv[2]),
		.vcpu.fd = atoi(argv[3]),
	};

	check_eperm(&c);
	return 0;
}

static void test_exec(void)
{
	char vm[16], vcpu[16];
	struct ctx c;

	ctx_open(&c, spin, sizeof(spin));
	vcpu_run_async(&c.vcpu);
	fcntl(c.vm.fd, F_SETFD, 0);
	fcntl(c.vcpu.fd, F_SETFD, 0);
	snprintf(vm, sizeof(vm), "%d", c.vm.fd);
	snprintf(vcpu, sizeof(vcpu), "%d", c.vcpu.fd);
	execl("/proc/self/exe", "abi", "--after-exec", vm, vcpu, NULL);
	FAIL("exec: %m");
}

static void test_cloexec(void)
{
	struct ctx c;

	ctx_open(&c, out_forever, sizeof(out_forever));
	CHECK_EQ(fcntl(c.vm.fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(c.vcpu.fd, F_GETFD), FD_CLOEXEC);
}

/* ------------------------------------------------------------------------
 * Creation: names, limits
 */

static void test_info_values(void)
{
	const struct mvm_info *i = dev_info();

	CHECK_EQ(i->size, sizeof(*i));
	CHECK_EQ(i->abi_version, MVM_ABI_VERSION);
	CHECK(i->run_size >= MVM_RING_OFFSET + sizeof(struct mvm_ring) &&
	      i->run_size % PAGE_SIZE == 0);
	CHECK(i->max_vms > 0);
	CHECK(i->max_vcpus > 0);
	CHECK(i->max_slots > SLOT_FREE);
	CHECK(i->xsave_size >= 512);
	CHECK(!i->xcr0_mask || (i->xcr0_mask & 3) == 3);
	/* at least the 4 GiB that a PC has devices in */
	CHECK(i->max_gpa >= 1ULL << 32 && i->max_gpa % PAGE_SIZE == 0);
	CHECK(i->tsc_khz > 1000);
	CHECK(i->apic_timer_khz > 0);
	CHECK(!(i->capabilities & ~(MVM_CAP_EPT_2M | MVM_CAP_BORROW |
				    MVM_CAP_PREEMPTION_TIMER |
				    MVM_CAP_TSC_DEADLINE | MVM_CAP_APICV |
				    MVM_CAP_TPR_SHADOW)));
}

static int create_named(const void *name, size_t n)
{
	struct mvm_create_vm c = { 0 };
	int fd;

	memcpy(c.name, name, n);
	fd = mvm_ioctl(dev_fd(), MVM_CREATE_VM, &c);
	if (fd >= 0)
		close(fd);
	return fd < 0 ? -1 : 0;
}

static void test_names(void)
{
	char name[32];

	CHECK_OK(create_named("a", 1));
	CHECK_OK(create_named("a name, with: signs~", 20));
	CHECK_OK(create_named("..", 2));
	memset(name, 'x', sizeof(name));
	CHECK_OK(create_named(name, 31));
	CHECK_ERR(create_named(name, 32), EINVAL);
	CHECK_ERR(create_named("", 0), EINVAL);
	CHECK_ERR(create_named("a/b", 3), EINVAL);
	for (int c = 1; c < 256; c++) {
		char one[2] = { 'a', c };

		if (c == '/' || c < 0x20 || c > 0x7e)
			CHECK_ERR(create_named(one, 2), EINVAL);
		else
			CHECK_OK(create_named(one, 2));
	}
}

static void test_thread_name(void)
{
	struct mvm_create_vm c = { .name = "thname" };
	struct mvm_create_vm lng = { .name = "a-rather-long-name" };
	struct vm vm = { 0 };
	struct vcpu vcpu;

	vm.fd = CHECK_OK(mvm_ioctl(dev_fd(), MVM_CREATE_VM, &c));
	CHECK_EQ(count_tasks("mvm-thname/0\n"), 0);
	vcpu_create(&vcpu, &vm, 0);
	CHECK_EQ(count_tasks("mvm-thname/0\n"), 1);
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);

	vm.fd = CHECK_OK(mvm_ioctl(dev_fd(), MVM_CREATE_VM, &lng));
	vcpu_create(&vcpu, &vm, 0);
	/* comm has 15 characters; newer kernels show all of it */
	CHECK_EQ(count_tasks("mvm-a-rather-lo"), 1);
}

static void test_max_vms(void)
{
	u32 max = dev_info()->max_vms, n;
	struct mvm_create_vm c = { .name = "many" };
	struct rlimit rl = { max + 64, max + 64 };
	int *fds = mem_alloc(max * sizeof(int) + PAGE_SIZE);

	if (max > 4096)
		test_skip("max_vms is %u: too many to try", max);
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &rl));
	for (n = 0; n < max; n++)
		fds[n] = CHECK_OK(mvm_ioctl(dev_fd(), MVM_CREATE_VM, &c));
	CHECK_ERR(mvm_ioctl(dev_fd(), MVM_CREATE_VM, &c), ENOSPC);
	CHECK_ERR(mvm_ioctl(dev_fd(), MVM_CREATE_VM, &c), ENOSPC);
	CHECK_OK(close(fds[max / 2]));
	fds[max / 2] = CHECK_OK(mvm_ioctl(dev_fd(), MVM_CREATE_VM, &c));
	CHECK_ERR(mvm_ioctl(dev_fd(), MVM_CREATE_VM, &c), ENOSPC);
}

static void test_vcpu_ids(void)
{
	u32 max = dev_info()->max_vcpus;
	struct mvm_create_vcpu c = { 0 };
	struct vm vm;
	int fd = -1;

	vm_create(&vm, 0);
	for (c.id = max; c.id--;)
		fd = CHECK_OK(mvm_ioctl(vm.fd, MVM_CREATE_VCPU, &c));
	/* a vCPU whose descriptor is closed keeps its number */
	CHECK_OK(close(fd));
	for (c.id = 0; c.id < max; c.id++)
		CHECK_ERR(mvm_ioctl(vm.fd, MVM_CREATE_VCPU, &c), EEXIST);
	c.id = max;
	CHECK_ERR(mvm_ioctl(vm.fd, MVM_CREATE_VCPU, &c), EINVAL);
	c.id = 0xffffffff;
	CHECK_ERR(mvm_ioctl(vm.fd, MVM_CREATE_VCPU, &c), EINVAL);
	c.id = 0x80000000;
	CHECK_ERR(mvm_ioctl(vm.fd, MVM_CREATE_VCPU, &c), EINVAL);
}

static void test_emfile(void)
{
	struct mvm_create_vm c = { .name = "emfile" };
	struct mvm_create_vcpu v = { 0 };
	struct rlimit rl;
	struct vm vm;
	int last, fd;

	CHECK_OK(getrlimit(RLIMIT_NOFILE, &rl));
	vm_create(&vm, 0);
	last = CHECK_OK(dup(vm.fd));
	close(last);
	rl.rlim_cur = last;
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &rl));
	/* often enough to run out of VMs if each left one behind */
	for (u32 i = 0; i < dev_info()->max_vms + 2; i++)
		CHECK_ERR(mvm_ioctl(dev_fd(), MVM_CREATE_VM, &c), EMFILE);
	CHECK_ERR(mvm_ioctl(vm.fd, MVM_CREATE_VCPU, &v), EMFILE);
	rl.rlim_cur = last + 2;
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &rl));
	fd = CHECK_OK(mvm_ioctl(vm.fd, MVM_CREATE_VCPU, &v));
	close(fd);
	fd = CHECK_OK(mvm_ioctl(dev_fd(), MVM_CREATE_VM, &c));
	close(fd);
}

/* ------------------------------------------------------------------------
 * The run page and poll
 */

#define LAYOUT(type, field, offset)                                            \
	_Static_assert(offsetof(struct type, field) == (offset), #field)
#define SIZE(type, size) _Static_assert(sizeof(struct type) == (size), #type)

SIZE(mvm_info, 64);
SIZE(mvm_cpuid_entry, 32);
SIZE(mvm_cpuid, 24);
SIZE(mvm_create_vm, 40);
SIZE(mvm_slot, 40);
SIZE(mvm_create_vcpu, 16);
SIZE(mvm_msr_policy, 16);
SIZE(mvm_msi, 24);
SIZE(mvm_irqfd, 24);
SIZE(mvm_doorbell, 24);
SIZE(mvm_posted_ports, 16);
SIZE(mvm_segment, 24);
SIZE(mvm_table, 16);
SIZE(mvm_sregs, 344);
SIZE(mvm_msr_entry, 16);
SIZE(mvm_msrs, 24);
SIZE(mvm_xsave, 24);
SIZE(mvm_events, 32);
SIZE(mvm_lapic, 272);
SIZE(mvm_lapic_access, 16);
SIZE(mvm_line, 16);
SIZE(mvm_stat, 48);
SIZE(mvm_stats, 24);
SIZE(mvm_run_request, 8);
SIZE(mvm_kick, 8);
SIZE(mvm_exit_io, 32);
SIZE(mvm_exit_mmio, 24);
SIZE(mvm_exit_msr, 16);
SIZE(mvm_exit_task_switch, 16);
SIZE(mvm_exit_memory, 24);
SIZE(mvm_exception, 16);
LAYOUT(mvm_run, immediate_exit, 0);
LAYOUT(mvm_run, action, 1);
LAYOUT(mvm_run, exit_reason, 4);
LAYOUT(mvm_run, hw_reason, 8);
LAYOUT(mvm_run, insn_len, 12);
LAYOUT(mvm_run, hw_qualification, 16);
LAYOUT(mvm_run, sync_want, 24);
LAYOUT(mvm_run, sync_valid, 32);
LAYOUT(mvm_run, exception, 40);
LAYOUT(mvm_run, gpr, 56);
LAYOUT(mvm_run, rip, 184);
LAYOUT(mvm_run, rflags, 192);
LAYOUT(mvm_run, next_rip, 200);
LAYOUT(mvm_run, interruptibility, 208);
LAYOUT(mvm_run, io, 216);
LAYOUT(mvm_run, sregs, 344);
SIZE(mvm_run, 688);
SIZE(mvm_posted_write, 8);
LAYOUT(mvm_ring, head, 0);
LAYOUT(mvm_ring, tail, 64);
LAYOUT(mvm_ring, entries, 128);
SIZE(mvm_ring, 128 + 8 * MVM_RING_ENTRIES);

/* The module fills in what the header says, at these bytes. */
static void test_run_layout(void)
{
	/* mov $0x12345678, %edx; mov $7, %al; out %ax, $0x44 */
	static const u8 code[] = { 0x66, 0xba, 0x78, 0x56, 0x34, 0x12,
				   0xb0, 0x07, 0xe7, 0x44 };
	struct ctx c;
	u8 *p;

	ctx_open(&c, code, sizeof(code));
	p = (u8 *)c.vcpu.run;
	for (u32 i = sizeof(struct mvm_run); i < dev_info()->run_size; i++)
		CHECK_EQ(p[i], 0);
	p[1] = 0;
	CHECK_EQ(vcpu_run(&c.vcpu), MVM_EXIT_IO);
	CHECK_EQ(p[1], MVM_ACTION_COMPLETE);
	CHECK_EQ(*(u32 *)(p + 4), MVM_EXIT_IO);
	CHECK_EQ(*(u32 *)(p + 8), 30);
	CHECK_EQ(*(u32 *)(p + 12), 2);
	/* SDM 3C 28.2.1: size 2, OUT, immediate, port */
	CHECK_EQ(*(u64 *)(p + 16), 1 | 1 << 6 | 0x44 << 16);
	CHECK_EQ(*(u64 *)(p + 56), 7);
	CHECK_EQ(*(u64 *)(p + 56 + 8 * MVM_RDX), 0x12345678);
	CHECK_EQ(*(u64 *)(p + 184), 0x1008);
	CHECK_EQ(*(u64 *)(p + 200), 0x100a);
	CHECK_EQ(*(u16 *)(p + 216), 0x44);
	CHECK_EQ(p[218], 2);
	CHECK_EQ(*(u32 *)(p + 220), 7);
}

static void test_mmap(void)
{
	u32 size = dev_info()->run_size;
	struct ctx c;
	int prot = PROT_READ | PROT_WRITE;
	struct mvm_run *again;

	ctx_open(&c, out_forever, sizeof(out_forever));
	CHECK_ERR(mmap(NULL, size + PAGE_SIZE, prot, MAP_SHARED, c.vcpu.fd, 0),
		  EINVAL);
	CHECK_ERR(mmap(NULL, size - PAGE_SIZE, prot, MAP_SHARED, c.vcpu.fd, 0),
		  EINVAL);
	CHECK_ERR(mmap(NULL, size - PAGE_SIZE, prot, MAP_SHARED, c.vcpu.fd,
		       PAGE_SIZE), EINVAL);
	CHECK_ERR(mmap(NULL, size, prot, MAP_SHARED, c.vcpu.fd, PAGE_SIZE),
		  EINVAL);
	CHECK_ERR(mmap(NULL, PAGE_SIZE, prot, MAP_SHARED, c.vcpu.fd, size),
		  EINVAL);
	/* it would hide the answers of user space from the module */
	CHECK_ERR(mmap(NULL, size, prot, MAP_PRIVATE, c.vcpu.fd, 0), EINVAL);
	CHECK_ERR(mmap(NULL, size, prot, MAP_SHARED, c.vm.fd, 0), ENODEV);
	CHECK_ERR(mmap(NULL, size, prot, MAP_SHARED, dev_fd(), 0), ENODEV);
	/* a second mapping is the same page */
	again = mmap(NULL, size, prot, MAP_SHARED, c.vcpu.fd, 0);
	CHECK(again != MAP_FAILED);
	vcpu_run_to(&c.vcpu, MVM_EXIT_IO);
	CHECK_EQ(again->exit_reason, MVM_EXIT_IO);
	again->gpr[MVM_RBX] = 0x77;
	CHECK_EQ(c.vcpu.run->gpr[MVM_RBX], 0x77);
	munmap(again, size);
	vcpu_run_to(&c.vcpu, MVM_EXIT_IO);
}

static void test_poll(void)
{
	struct ctx c;

	ctx_open(&c, out_forever, sizeof(out_forever));
	CHECK(!vcpu_poll(&c.vcpu, 0));
	vcpu_run_async(&c.vcpu);
	CHECK(vcpu_poll(&c.vcpu, 5000));
	CHECK(vcpu_poll(&c.vcpu, 0));
	/* the next run takes the exit: nothing waits until it ends */
	memcpy(c.vm.ram + 0x1002, spin, sizeof(spin));
	vcpu_run_async(&c.vcpu);
	CHECK(!vcpu_poll(&c.vcpu, 20));
	CHECK_EQ(vcpu_stop(&c.vcpu), MVM_EXIT_INTR);
	/* the exit of a run that was waited for has been reported */
	memcpy(c.vm.ram + 0x1002, out_forever + 2, 2);
	c.vcpu.run->rip = 0x1000;
	vcpu_run_to(&c.vcpu, MVM_EXIT_IO);
	CHECK(!vcpu_poll(&c.vcpu, 0));
}

/* ------------------------------------------------------------------------
 * Order
 */

static void test_busy(void)
{
	u8 arg[ARG_MAX_SIZE];
	struct ctx c, idle;
	unsigned int busy = 0;

	ctx_open(&idle, spin, sizeof(spin));
	ctx_open(&c, spin, sizeof(spin));
	vcpu_run_async(&c.vcpu);
	FOR_EACH_ROW(row) {
		if (row->fd != FD_VCPU)
			continue;
		/* the argument is made with the vCPU that is not busy */
		row_arg(&idle, row, arg);
		if (row->any_time) {
			row_succeeds(&c, row, arg);
			continue;
		}
		row_fails(&c, row, arg, EBUSY, "running", 0);
		busy++;
	}
	CHECK_EQ(busy, 14);
	CHECK_EQ(vcpu_stop(&c.vcpu), MVM_EXIT_INTR);
	row_arg(&c, row_of(MVM_GET_SREGS), arg);
	row_succeeds(&c, row_of(MVM_GET_SREGS), arg);
}

static void test_busy_after_run(void)
{
	struct mvm_msr_policy p = { .policy = MVM_MSR_POLICY_FORWARD };
	u8 arg[ARG_MAX_SIZE];
	struct ctx c;

	ctx_open(&c, out_forever, sizeof(out_forever));
	CHECK_OK(mvm_ioctl(c.vm.fd, MVM_SET_MSR_POLICY, &p));
	vcpu_run_to(&c.vcpu, MVM_EXIT_IO);
	CHECK_ERR(mvm_ioctl(c.vm.fd, MVM_SET_MSR_POLICY, &p), EBUSY);
	row_arg(&c, row_of(MVM_SET_CPUID), arg);
	row_fails(&c, row_of(MVM_SET_CPUID), arg, EBUSY, "after RUN", 0);
	row_arg(&c, row_of(MVM_GET_CPUID), arg);
	row_succeeds(&c, row_of(MVM_GET_CPUID), arg);
}

static void test_slot_while_running(void)
{
	struct ctx c;

	ctx_open(&c, spin, sizeof(spin));
	vcpu_run_async(&c.vcpu);
	vm_slot(&c.vm, SLOT_FREE, 0, SZ_1M, PAGE_SIZE, c.vm.ram);
	vm_slot_remove(&c.vm, SLOT_FREE);
	CHECK_EQ(vcpu_stop(&c.vcpu), MVM_EXIT_INTR);
}

static void test_impossible_answer(void)
{
	struct mvm_run *run;
	struct ctx c;

	ctx_open(&c, out_forever, sizeof(out_forever));
	run = c.vcpu.run;
	vcpu_run_to(&c.vcpu, MVM_EXIT_IO);
	for (int action = 3; action < 256; action += 11) {
		run->action = action;
		CHECK_ERR(sys_run(c.vcpu.fd, 0), EINVAL);
		CHECK_ERR(sys_run(c.vcpu.fd, MVM_RUN_ASYNC), EINVAL);
	}
	run->action = MVM_ACTION_EXCEPTION;
	run->exception = (struct mvm_exception){ .vector = 2 };
	CHECK_ERR(sys_run(c.vcpu.fd, 0), EINVAL);
	run->exception = (struct mvm_exception){ .vector = 32 };
	CHECK_ERR(sys_run(c.vcpu.fd, 0), EINVAL);
	run->exception = (struct mvm_exception){ .vector = 255 };
	CHECK_ERR(sys_run(c.vcpu.fd, 0), EINVAL);
	run->exception = (struct mvm_exception){ .vector = 13,
						 .has_error_code = 2 };
	CHECK_ERR(sys_run(c.vcpu.fd, 0), EINVAL);
	run->exception = (struct mvm_exception){ .vector = 6, .reserved = 1 };
	CHECK_ERR(sys_run(c.vcpu.fd, 0), EINVAL);
	/* the exit is still there to be answered */
	run->action = MVM_ACTION_COMPLETE;
	vcpu_run_to(&c.vcpu, MVM_EXIT_IO);
	CHECK_EQ(run->rip, 0x1000);
}

static void test_immediate_exit_first(void)
{
	struct ctx c;

	ctx_open(&c, out_forever, sizeof(out_forever));
	c.vcpu.run->immediate_exit = 1;
	vcpu_run_to(&c.vcpu, MVM_EXIT_INTR);
	CHECK_EQ(c.vcpu.run->rip, 0x1000);
	vcpu_run_to(&c.vcpu, MVM_EXIT_INTR);
	c.vcpu.run->immediate_exit = 0;
	vcpu_run_to(&c.vcpu, MVM_EXIT_IO);
}

/* ------------------------------------------------------------------------
 * Errors of one command each
 */

static void test_cpuid_count(void)
{
	struct mvm_cpuid a = { .count = 0, .entries = (u64)cpuid_entries };
	struct ctx c;
	u32 n;

	ctx_open(&c, out_forever, sizeof(out_forever));
	CHECK_ERR(mvm_ioctl(dev_fd(), MVM_GET_SUPPORTED_CPUID, &a), E2BIG);
	n = a.count;
	CHECK(n > 3 && n <= MVM_CPUID_MAX);
	a.count = n - 1;
	CHECK_ERR(mvm_ioctl(dev_fd(), MVM_GET_SUPPORTED_CPUID, &a), E2BIG);
	CHECK_EQ(a.count, n);
	CHECK_OK(mvm_ioctl(dev_fd(), MVM_GET_SUPPORTED_CPUID, &a));
	CHECK_EQ(a.count, n);
	a.count = n - 1;
	CHECK_ERR(mvm_ioctl(c.vcpu.fd, MVM_GET_CPUID, &a), E2BIG);
	CHECK_EQ(a.count, n);
	a.count = n + 1 < MVM_CPUID_MAX ? n + 1 : n;
	CHECK_OK(mvm_ioctl(c.vcpu.fd, MVM_GET_CPUID, &a));
	CHECK_EQ(a.count, n);
}

/* But for the bits that follow the vCPU's state. */
static void check_same_cpuid(const struct mvm_cpuid_entry *a,
			     const struct mvm_cpuid_entry *b, u32 n)
{
	for (u32 i = 0; i < n; i++) {
		struct mvm_cpuid_entry x = a[i], y = b[i];

		cpuid_mask_dynamic(&x);
		cpuid_mask_dynamic(&y);
		if (memcmp(&x, &y, sizeof(x)))
			FAIL("leaf 0x%x/%u differs", x.function, x.index);
	}
}

static void test_set_cpuid(void)
{
	static struct mvm_cpuid_entry e[MVM_CPUID_MAX + 1];
	static struct mvm_cpuid_entry back[MVM_CPUID_MAX];
	struct mvm_cpuid a = { .count = MVM_CPUID_MAX, .entries = (u64)e };
	struct mvm_cpuid get = { .count = MVM_CPUID_MAX,
				 .entries = (u64)back };
	struct mvm_cpuid_entry *one = NULL;
	struct ctx c;
	u32 n, unsupported;

	ctx_open(&c, out_forever, sizeof(out_forever));
	CHECK_OK(mvm_ioctl(dev_fd(), MVM_GET_SUPPORTED_CPUID, &a));
	n = a.count;
	/* the vCPU starts with the supported table */
	CHECK_OK(mvm_ioctl(c.vcpu.fd, MVM_GET_CPUID, &get));
	CHECK_EQ(get.count, n);
	check_same_cpuid(e, back, n);

	a.count = MVM_CPUID_MAX + 1;
	CHECK_ERR(mvm_ioctl(c.vcpu.fd, MVM_SET_CPUID, &a), EINVAL);

	for (u32 i = 0; i < n; i++)
		if (e[i].function == 1)
			one = &e[i];
	CHECK(one);
	a.count = n;
	/* VMX and every other feature that is not offered */
	CHECK(!(one->ecx & 1 << 5));
	unsupported = ~one->ecx;
	for (int bit = 0; bit < 32; bit++) {
		/* OSXSAVE follows CR4, bit 31 is the hypervisor's */
		if (!(unsupported & 1U << bit) || bit == 27 || bit == 31)
			continue;
		one->ecx |= 1U << bit;
		errno = 0;
		if (!mvm_ioctl(c.vcpu.fd, MVM_SET_CPUID, &a) ||
		    errno != EINVAL)
			FAIL("CPUID.1.ECX bit %d: errno %d", bit, errno);
		one->ecx &= ~(1U << bit);
	}
	/* double entries, with and without sub-leaves */
	if (n < MVM_CPUID_MAX) {
		e[n] = *one;
		a.count = n + 1;
		CHECK_ERR(mvm_ioctl(c.vcpu.fd, MVM_SET_CPUID, &a), EINVAL);
	}
	a.count = n;
	one->flags = 2;
	CHECK_ERR(mvm_ioctl(c.vcpu.fd, MVM_SET_CPUID, &a), EINVAL);
	one->flags = 0;
	one->reserved = 1;
	CHECK_ERR(mvm_ioctl(c.vcpu.fd, MVM_SET_CPUID, &a), EINVAL);
	one->reserved = 0;
	/* a refused table changed nothing; a smaller one is taken */
	get.count = MVM_CPUID_MAX;
	CHECK_OK(mvm_ioctl(c.vcpu.fd, MVM_GET_CPUID, &get));
	check_same_cpuid(e, back, n);
	one->ecx = 0;
	CHECK_OK(mvm_ioctl(c.vcpu.fd, MVM_SET_CPUID, &a));
	a.count = 1;
	CHECK_OK(mvm_ioctl(c.vcpu.fd, MVM_SET_CPUID, &a));
	get.count = MVM_CPUID_MAX;
	CHECK_OK(mvm_ioctl(c.vcpu.fd, MVM_GET_CPUID, &get));
	CHECK_EQ(get.count, 1);
	CHECK(!memcmp(e, back, sizeof(*e)));
}

static void test_msr_policy(void)
{
	struct mvm_msr_policy p = { .policy = 2 };
	struct vm vm;

	vm_create(&vm, 0);
	CHECK_ERR(mvm_ioctl(vm.fd, MVM_SET_MSR_POLICY, &p), EINVAL);
	p.policy = 0xffffffff;
	CHECK_ERR(mvm_ioctl(vm.fd, MVM_SET_MSR_POLICY, &p), EINVAL);
	p.policy = MVM_MSR_POLICY_FORWARD;
	CHECK_OK(mvm_ioctl(vm.fd, MVM_SET_MSR_POLICY, &p));
	p.policy = MVM_MSR_POLICY_FAULT;
	CHECK_OK(mvm_ioctl(vm.fd, MVM_SET_MSR_POLICY, &p));
}

static void test_msi(void)
{
	struct mvm_msi m = { .address = 0xfee00000, .data = 0x40 };
	struct ctx c;

	ctx_open(&c, out_forever, sizeof(out_forever));
	CHECK_OK(mvm_ioctl(c.vm.fd, MVM_SIGNAL_MSI, &m));
	m.address = 0xfed00000;
	CHECK_ERR(mvm_ioctl(c.vm.fd, MVM_SIGNAL_MSI, &m), EINVAL);
	m.address = 0xff000000;
	CHECK_ERR(mvm_ioctl(c.vm.fd, MVM_SIGNAL_MSI, &m), EINVAL);
	m.address = 0x1fee00000;
	CHECK_ERR(mvm_ioctl(c.vm.fd, MVM_SIGNAL_MSI, &m), EINVAL);
	m.address = 0xfee00000;
	for (u32 vector = 0; vector < 16; vector++) {
		m.data = vector;
		CHECK_ERR(mvm_ioctl(c.vm.fd, MVM_SIGNAL_MSI, &m), EINVAL);
		m.data = 0x100 | vector;
		CHECK_ERR(mvm_ioctl(c.vm.fd, MVM_SIGNAL_MSI, &m), EINVAL);
	}
	/* fixed, lowest priority and NMI; nothing else */
	for (u32 mode = 0; mode < 8; mode++) {
		m.data = mode << 8 | 0x40;
		if (mode == 0 || mode == 1 || mode == 4)
			CHECK_OK(mvm_ioctl(c.vm.fd, MVM_SIGNAL_MSI, &m));
		else
			CHECK_ERR(mvm_ioctl(c.vm.fd, MVM_SIGNAL_MSI, &m),
				  EINVAL);
	}
	m.data = 0x400;
	CHECK_OK(mvm_ioctl(c.vm.fd, MVM_SIGNAL_MSI, &m));
	m.data = 0x40;
	m.address = 0xfee00000 | dev_info()->max_vcpus << 12;
	CHECK_ERR(mvm_ioctl(c.vm.fd, MVM_SIGNAL_MSI, &m), ENOENT);
}

static void test_irqfd(void)
{
	struct mvm_irqfd i = {
		.eventfd = eventfd_new(), .address = 0xfee00000, .data = 0x40,
	};
	struct ctx c;

	ctx_open(&c, out_forever, sizeof(out_forever));
	i.address = 0xfed00000;
	CHECK_ERR(mvm_ioctl(c.vm.fd, MVM_SET_IRQFD, &i), EINVAL);
	i.address = 0x1fee00000;
	CHECK_ERR(mvm_ioctl(c.vm.fd, MVM_SET_IRQFD, &i), EINVAL);
	i.address = 0xfee00000;
	i.data = 15;
	CHECK_ERR(mvm_ioctl(c.vm.fd, MVM_SET_IRQFD, &i), EINVAL);
	i.data = 0x540;
	CHECK_ERR(mvm_ioctl(c.vm.fd, MVM_SET_IRQFD, &i), EINVAL);
	i.data = 0x40;
	/* a removal has no message */
	i.flags = MVM_IRQFD_REMOVE;
	CHECK_ERR(mvm_ioctl(c.vm.fd, MVM_SET_IRQFD, &i), EINVAL);
	CHECK_ERR(try_irqfd(&c.vm, MVM_IRQFD_REMOVE, i.eventfd, 1), EINVAL);
	CHECK_ERR(try_irqfd(&c.vm, MVM_IRQFD_REMOVE, i.eventfd, 0), ENOENT);
	CHECK_ERR(try_irqfd(&c.vm, MVM_IRQFD_REMOVE, -1, 0), EBADF);
	CHECK_ERR(try_irqfd(&c.vm, 0, -1, 0x40), EBADF);
	CHECK_ERR(try_irqfd(&c.vm, 0, 9999, 0x40), EBADF);
	CHECK_ERR(try_irqfd(&c.vm, 0, c.vm.fd, 0x40), EINVAL);
	CHECK_ERR(try_irqfd(&c.vm, 0, dev_fd(), 0x40), EINVAL);
	CHECK_OK(try_irqfd(&c.vm, 0, i.eventfd, 0x40));
	CHECK_ERR(try_irqfd(&c.vm, 0, i.eventfd, 0x40), EEXIST);
	CHECK_ERR(try_irqfd(&c.vm, 0, dup(i.eventfd), 0x41), EEXIST);
	CHECK_OK(try_irqfd(&c.vm, MVM_IRQFD_REMOVE, dup(i.eventfd), 0));
	CHECK_ERR(try_irqfd(&c.vm, MVM_IRQFD_REMOVE, i.eventfd, 0), ENOENT);
}

static void test_doorbell(void)
{
	const u32 match = MVM_DOORBELL_MATCH, remove = MVM_DOORBELL_REMOVE;
	int fd = eventfd_new();
	struct ctx c;

	ctx_open(&c, out_forever, sizeof(out_forever));
	CHECK_ERR(try_doorbell(&c.vm, remove, -1, 0x500, 1, 0), ENOENT);
	for (u32 bytes = 0; bytes < 256; bytes++) {
		if (bytes <= 4 && bytes != 3)
			continue;
		CHECK_ERR(try_doorbell(&c.vm, 0, fd, 0x500, bytes, 0), EINVAL);
		CHECK_ERR(try_doorbell(&c.vm, remove, -1, 0x500, bytes, 0), EINVAL);
	}
	/* a value that no such write has, or that nobody asks for */
	CHECK_ERR(try_doorbell(&c.vm, match, fd, 0x500, 1, 0x100), EINVAL);
	CHECK_ERR(try_doorbell(&c.vm, match, fd, 0x500, 2, 0x10000), EINVAL);
	CHECK_ERR(try_doorbell(&c.vm, 0, fd, 0x500, 1, 1), EINVAL);
	CHECK_ERR(try_doorbell(&c.vm, 0, -1, 0x500, 1, 0), EBADF);
	CHECK_ERR(try_doorbell(&c.vm, 0, c.vcpu.fd, 0x500, 1, 0), EINVAL);

	CHECK_OK(try_doorbell(&c.vm, match, fd, 0x500, 1, 0xff));
	CHECK_OK(try_doorbell(&c.vm, match, fd, 0x500, 1, 0));
	CHECK_OK(try_doorbell(&c.vm, 0, fd, 0x500, 2, 0));
	CHECK_OK(try_doorbell(&c.vm, 0, fd, 0xffff, 4, 0));
	/* a write would ring two */
	CHECK_ERR(try_doorbell(&c.vm, match, fd, 0x500, 1, 0xff), EEXIST);
	CHECK_ERR(try_doorbell(&c.vm, 0, fd, 0x500, 1, 0), EEXIST);
	CHECK_ERR(try_doorbell(&c.vm, 0, fd, 0x500, 0, 0), EEXIST);
	CHECK_ERR(try_doorbell(&c.vm, match, fd, 0x500, 2, 5), EEXIST);
	CHECK_ERR(try_doorbell(&c.vm, match, fd, 0x500, 0, 0xff), EEXIST);
	/* only one that is there goes away */
	CHECK_ERR(try_doorbell(&c.vm, match | remove, -1, 0x500, 1, 1), ENOENT);
	CHECK_ERR(try_doorbell(&c.vm, match | remove, -1, 0x501, 1, 0), ENOENT);
	CHECK_ERR(try_doorbell(&c.vm, match | remove, -1, 0x500, 2, 0), ENOENT);
	CHECK_ERR(try_doorbell(&c.vm, remove, -1, 0x500, 1, 0), ENOENT);
	CHECK_OK(try_doorbell(&c.vm, match | remove, -1, 0x500, 1, 0));
	CHECK_ERR(try_doorbell(&c.vm, match | remove, -1, 0x500, 1, 0), ENOENT);
	CHECK_OK(try_doorbell(&c.vm, remove, -1, 0x500, 2, 0));
	CHECK_OK(try_doorbell(&c.vm, match | remove, -1, 0x500, 1, 0xff));
	CHECK_OK(try_doorbell(&c.vm, 0, fd, 0x500, 0, 0));
}

static void test_posted(void)
{
	int fd = eventfd_new();
	struct ctx c;

	ctx_open(&c, out_forever, sizeof(out_forever));
	CHECK_ERR(try_posted(&c.vm, MVM_POSTED_REMOVE, 0, 1), ENOENT);
	CHECK_ERR(try_posted(&c.vm, 0, 0x3f8, 0), EINVAL);
	CHECK_ERR(try_posted(&c.vm, 0, 0xffff, 2), EINVAL);
	CHECK_ERR(try_posted(&c.vm, 0, 1, 0x10000), EINVAL);
	CHECK_ERR(try_posted(&c.vm, 0, 1, 0xffffffff), EINVAL);
	CHECK_ERR(try_posted(&c.vm, 0, 0, 0x10001), EINVAL);
	CHECK_OK(try_posted(&c.vm, 0, 0, 0x10000));
	CHECK_ERR(try_posted(&c.vm, 0, 0xffff, 1), EEXIST);
	CHECK_ERR(try_doorbell(&c.vm, 0, fd, 0x500, 0, 0), EEXIST);
	CHECK_ERR(try_doorbell(&c.vm, MVM_DOORBELL_REMOVE, -1, 0x500, 0, 0), ENOENT);
	CHECK_OK(try_posted(&c.vm, MVM_POSTED_REMOVE, 0x500, 1));
	CHECK_ERR(try_posted(&c.vm, MVM_POSTED_REMOVE, 0x4ff, 2), ENOENT);
	CHECK_OK(try_doorbell(&c.vm, 0, fd, 0x500, 0, 0));
	CHECK_ERR(try_posted(&c.vm, 0, 0x500, 1), EEXIST);
	/* after an error all is as before */
	CHECK_OK(try_posted(&c.vm, MVM_POSTED_REMOVE, 0, 0x500));
	CHECK_ERR(try_posted(&c.vm, 0, 0, 0x501), EEXIST);
	CHECK_OK(try_posted(&c.vm, 0, 0, 0x500));
	CHECK_OK(try_posted(&c.vm, MVM_POSTED_REMOVE, 0x501, 0xfaff));
}

static int try_sregs(struct vcpu *vcpu, const struct mvm_sregs *from)
{
	struct mvm_sregs s = *from;

	return mvm_ioctl(vcpu->fd, MVM_SET_SREGS, &s);
}

static void test_sregs(void)
{
	struct mvm_sregs good, bad;
	struct vcpu *v;
	struct ctx c;

	ctx_open(&c, out_forever, sizeof(out_forever));
	v = &c.vcpu;
	vcpu_get_sregs(v, &good);
#define REFUSED(change)                                                        \
	do {                                                                   \
		bad = good;                                                    \
		change;                                                        \
		if (try_sregs(v, &bad) != -1 || errno != EINVAL)               \
			FAIL("not refused: %s", #change);                      \
	} while (0)
	REFUSED(bad.cr0 |= X86_CR0_PG);
	REFUSED(bad.cr0 |= 1ULL << 32);
	REFUSED(bad.cr0 |= 1ULL << 63);
	REFUSED(bad.cr4 |= X86_CR4_VMXE);
	REFUSED(bad.cr4 |= 1UL << 19);
	REFUSED(bad.cr4 |= 1UL << 30);
	REFUSED(bad.cr4 |= 1UL << 63);
	REFUSED(bad.efer |= EFER_LMA);
	REFUSED(bad.efer |= EFER_LMA | EFER_LME);
	REFUSED(bad.efer |= 1UL << 1);
	REFUSED(bad.efer |= 1UL << 63);
	REFUSED(bad.xcr0 = 0);
	REFUSED(bad.xcr0 = 2);
	REFUSED(bad.xcr0 = 1ULL << 63);
	REFUSED(bad.xcr0 = ~dev_info()->xcr0_mask | 1);
	REFUSED(bad.xcr0 = 5);
	REFUSED(bad.cr8 = 16);
	REFUSED(bad.cr8 = ~0ULL);
	/* 64-bit mode needs PAE */
	REFUSED(bad.cr0 |= X86_CR0_PG | X86_CR0_PE;
		bad.efer |= EFER_LME | EFER_LMA; bad.cr4 &= ~X86_CR4_PAE);
	/* a table that CPUID does not offer takes its bits along */
	bad = good;
	vcpu_get_sregs(v, &good);
	CHECK(!memcmp(&good, &bad, sizeof(good)));
	CHECK_OK(try_sregs(v, &good));
}

/* Bits of CR4 belong to features: without them in CPUID, SET refuses. */
static void test_sregs_cpuid(void)
{
	static const struct {
		u32 function, bit_ecx, bit_edx, bit_ebx;
		u64 cr4;
	} f[] = {
		{ 1, 0, 1U << 6, 0, X86_CR4_PAE },
		{ 1, 0, 1U << 2, 0, X86_CR4_DE },
		{ 1, 0, 1U << 13, 0, X86_CR4_PGE },
		{ 1, 1U << 26, 0, 0, X86_CR4_OSXSAVE },
		{ 1, 1U << 17, 0, 0, 1UL << 17 /* PCIDE */ },
		{ 7, 0, 0, 1U << 7, 1UL << 20 /* SMEP */ },
		{ 7, 0, 0, 1U << 20, 1UL << 21 /* SMAP */ },
		{ 7, 0, 0, 1U << 0, 1UL << 16 /* FSGSBASE */ },
	};
	unsigned int offered = 0;

	for (size_t i = 0; i < ARRAY_SIZE(f); i++) {
		struct mvm_cpuid a = { .count = MVM_CPUID_MAX,
				       .entries = (u64)cpuid_entries };
		struct mvm_cpuid_entry *e = NULL;
		struct mvm_sregs s;
		struct ctx c;
		bool has;

		ctx_open(&c, out_forever, sizeof(out_forever));
		CHECK_OK(mvm_ioctl(c.vcpu.fd, MVM_GET_CPUID, &a));
		for (u32 j = 0; j < a.count; j++)
			if (cpuid_entries[j].function == f[i].function &&
			    cpuid_entries[j].index == 0)
				e = &cpuid_entries[j];
		has = e && ((e->ecx & f[i].bit_ecx) || (e->edx & f[i].bit_edx) ||
			    (e->ebx & f[i].bit_ebx));
		vcpu_get_sregs(&c.vcpu, &s);
		s.cr4 |= f[i].cr4;
		/* PCIDE also wants IA-32e mode */
		if (has && f[i].cr4 != 1UL << 17) {
			offered++;
			CHECK_OK(try_sregs(&c.vcpu, &s));
			s.cr4 &= ~f[i].cr4;
			CHECK_OK(try_sregs(&c.vcpu, &s));
			s.cr4 |= f[i].cr4;
		}
		if (e) {
			e->ecx &= ~f[i].bit_ecx;
			e->edx &= ~f[i].bit_edx;
			e->ebx &= ~f[i].bit_ebx;
			CHECK_OK(mvm_ioctl(c.vcpu.fd, MVM_SET_CPUID, &a));
		}
		if (try_sregs(&c.vcpu, &s) != -1 || errno != EINVAL)
			FAIL("CR4 bits 0x%llx without CPUID not refused",
			     (unsigned long long)f[i].cr4);
		ctx_close(&c);
	}
	CHECK(offered > 2);
}

static void test_msrs(void)
{
	struct mvm_msr_entry e[3] = {
		{ .index = MSR_LSTAR, .data = 0x1000 },
		{ .index = 0x12345678 },
		{ .index = MSR_CSTAR, .data = 0x2000 },
	};
	static struct mvm_msr_entry many[MVM_MSRS_MAX + 1];
	struct mvm_msrs m = { .count = 3, .done = 77, .entries = (u64)e };
	struct ctx c;

	ctx_open(&c, out_forever, sizeof(out_forever));
	/* stops at the first that fails and says how many were done */
	CHECK_ERR(mvm_ioctl(c.vcpu.fd, MVM_SET_MSRS, &m), EINVAL);
	CHECK_EQ(m.done, 1);
	CHECK_EQ(vcpu_get_msr(&c.vcpu, MSR_LSTAR), 0x1000);
	CHECK_EQ(vcpu_get_msr(&c.vcpu, MSR_CSTAR), 0);
	e[0].data = 0;
	CHECK_ERR(mvm_ioctl(c.vcpu.fd, MVM_GET_MSRS, &m), EINVAL);
	CHECK_EQ(m.done, 1);
	CHECK_EQ(e[0].data, 0x1000);
	/* a value that WRMSR would refuse: not canonical */
	e[1] = (struct mvm_msr_entry){ .index = MSR_LSTAR, .data = 1UL << 63 };
	CHECK_ERR(mvm_ioctl(c.vcpu.fd, MVM_SET_MSRS, &m), EINVAL);
	CHECK_EQ(m.done, 1);
	e[1] = (struct mvm_msr_entry){ .index = MSR_FMASK, .reserved = 1 };
	CHECK_ERR(mvm_ioctl(c.vcpu.fd, MVM_SET_MSRS, &m), EINVAL);
	e[1].reserved = 0;
	CHECK_OK(mvm_ioctl(c.vcpu.fd, MVM_SET_MSRS, &m));
	CHECK_EQ(m.done, 3);
	CHECK_EQ(vcpu_get_msr(&c.vcpu, MSR_CSTAR), 0x2000);
	m.count = 0;
	CHECK_OK(mvm_ioctl(c.vcpu.fd, MVM_SET_MSRS, &m));
	CHECK_EQ(m.done, 0);
	/* limits of one call */
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i].index = MSR_LSTAR;
	m.entries = (u64)many;
	m.count = MVM_MSRS_MAX;
	CHECK_OK(mvm_ioctl(c.vcpu.fd, MVM_GET_MSRS, &m));
	CHECK_EQ(m.done, MVM_MSRS_MAX);
	m.count = MVM_MSRS_MAX + 1;
	CHECK_ERR(mvm_ioctl(c.vcpu.fd, MVM_GET_MSRS, &m), EINVAL);
	CHECK_ERR(mvm_ioctl(c.vcpu.fd, MVM_SET_MSRS, &m), EINVAL);
}

/* User space may set what the guest may not. */
static void test_msrs_host(void)
{
	struct ctx c;
	u64 base;

	ctx_open(&c, out_forever, sizeof(out_forever));
	vcpu_set_msr(&c.vcpu, MSR_TSC, 1UL << 40);
	CHECK(vcpu_get_msr(&c.vcpu, MSR_TSC) - (1UL << 40) < 1UL << 36);
	base = vcpu_get_msr(&c.vcpu, MSR_APIC_BASE);
	CHECK_EQ(base, 0xfee00900);
	vcpu_set_msr(&c.vcpu, MSR_APIC_BASE, base);
}

static void test_xsave_length(void)
{
	u32 right = dev_info()->xsave_size;
	struct mvm_xsave x = { .buffer = (u64)mem_alloc(SZ_64K) };
	const u32 bad[] = { 0, 511, right - 1, right + 1, 0xffffffff };
	struct ctx c;

	ctx_open(&c, out_forever, sizeof(out_forever));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		x.length = bad[i];
		CHECK_ERR(mvm_ioctl(c.vcpu.fd, MVM_GET_XSAVE, &x), EINVAL);
		CHECK_ERR(mvm_ioctl(c.vcpu.fd, MVM_SET_XSAVE, &x), EINVAL);
	}
	x.length = right;
	CHECK_OK(mvm_ioctl(c.vcpu.fd, MVM_GET_XSAVE, &x));
	CHECK_OK(mvm_ioctl(c.vcpu.fd, MVM_SET_XSAVE, &x));
}

static void test_events(void)
{
	struct mvm_events good, e;
	struct ctx c;

	ctx_open(&c, out_forever, sizeof(out_forever));
	vcpu_get_events(&c.vcpu, &good);
#define BAD_EVENTS(change)                                                     \
	do {                                                                   \
		e = good;                                                      \
		change;                                                        \
		if (mvm_ioctl(c.vcpu.fd, MVM_SET_EVENTS, &e) != -1 ||          \
		    errno != EINVAL)                                           \
			FAIL("not refused: %s", #change);                      \
	} while (0)
	BAD_EVENTS(e.event = 1);
	BAD_EVENTS(e.event = 7);
	BAD_EVENTS(e.event = 8);
	BAD_EVENTS(e.event = 255);
	BAD_EVENTS(e.event = MVM_EVENT_EXCEPTION; e.vector = 32);
	BAD_EVENTS(e.event = MVM_EVENT_EXCEPTION; e.vector = 13;
		   e.has_error_code = 2);
	BAD_EVENTS(e.activity = 2);
	BAD_EVENTS(e.activity = 4);
	BAD_EVENTS(e.activity = 255);
	/* nothing is injected into a vCPU that waits for a SIPI */
	BAD_EVENTS(e.activity = 3; e.event = MVM_EVENT_NMI; e.vector = 2);
	BAD_EVENTS(e.activity = 3; e.vector = 0x31);
	BAD_EVENTS(e.nmi_pending = 2);
	BAD_EVENTS(e.intr_line = 2);
	BAD_EVENTS(e.reserved = 1);
	BAD_EVENTS(e.interruptibility = 1 << 5);
	BAD_EVENTS(e.interruptibility = 1U << 31);
	e = good;
	CHECK_OK(mvm_ioctl(c.vcpu.fd, MVM_SET_EVENTS, &e));
}

static void test_lapic_access(void)
{
	struct mvm_lapic_access a = { .offset = 0x30 };
	struct mvm_sregs s;
	struct ctx c;

	ctx_open(&c, out_forever, sizeof(out_forever));
	CHECK_OK(mvm_ioctl(c.vcpu.fd, MVM_LAPIC_ACCESS, &a));
	for (u32 low = 1; low < 16; low++) {
		a.offset = 0x30 | low;
		CHECK_ERR(mvm_ioctl(c.vcpu.fd, MVM_LAPIC_ACCESS, &a), EINVAL);
	}
	a.offset = 0x1000;
	CHECK_ERR(mvm_ioctl(c.vcpu.fd, MVM_LAPIC_ACCESS, &a), EINVAL);
	a.offset = 0xfffffff0;
	CHECK_ERR(mvm_ioctl(c.vcpu.fd, MVM_LAPIC_ACCESS, &a), EINVAL);
	a.offset = 0xff0;
	CHECK_OK(mvm_ioctl(c.vcpu.fd, MVM_LAPIC_ACCESS, &a));
	a.offset = 0x30;
	vcpu_get_sregs(&c.vcpu, &s);
	s.apic_base |= 1 << 10;
	vcpu_set_sregs(&c.vcpu, &s);
	CHECK_ERR(mvm_ioctl(c.vcpu.fd, MVM_LAPIC_ACCESS, &a), ENXIO);
	s.apic_base &= ~0xc00ULL;
	vcpu_set_sregs(&c.vcpu, &s);
	CHECK_ERR(mvm_ioctl(c.vcpu.fd, MVM_LAPIC_ACCESS, &a), ENXIO);
}

static void test_line(void)
{
	struct mvm_line l = { .line = 2 };
	struct ctx c;

	ctx_open(&c, out_forever, sizeof(out_forever));
	CHECK_ERR(mvm_ioctl(c.vcpu.fd, MVM_SET_LINE, &l), EINVAL);
	l.line = 0xffffffff;
	CHECK_ERR(mvm_ioctl(c.vcpu.fd, MVM_SET_LINE, &l), EINVAL);
	l.line = MVM_LINE_NMI;
	l.level = 2;
	CHECK_ERR(mvm_ioctl(c.vcpu.fd, MVM_SET_LINE, &l), EINVAL);
	l.level = 1;
	CHECK_OK(mvm_ioctl(c.vcpu.fd, MVM_SET_LINE, &l));
}

static void test_stats(void)
{
	struct mvm_stats s = { .count = 0, .entries = (u64)stats };
	struct ctx c;
	bool moved = false;
	u64 *before;
	u32 n;

	ctx_open(&c, out_forever, sizeof(out_forever));
	CHECK_ERR(mvm_ioctl(c.vcpu.fd, MVM_GET_STATS, &s), E2BIG);
	n = s.count;
	CHECK(n > 0 && n <= ARRAY_SIZE(stats));
	CHECK_OK(mvm_ioctl(c.vcpu.fd, MVM_GET_STATS, &s));
	CHECK_EQ(s.count, n);
	before = mem_alloc(PAGE_SIZE);
	for (u32 i = 0; i < n; i++) {
		CHECK(stats[i].name[0] && !stats[i].name[39]);
		for (u32 j = 0; j < i; j++)
			CHECK(strcmp((char *)stats[i].name,
				     (char *)stats[j].name));
		before[i] = stats[i].value;
	}
	for (int i = 0; i < 10; i++)
		vcpu_run_to(&c.vcpu, MVM_EXIT_IO);
	CHECK_OK(mvm_ioctl(c.vcpu.fd, MVM_GET_STATS, &s));
	for (u32 i = 0; i < n; i++)
		moved |= stats[i].value >= before[i] + 10;
	CHECK(moved);
}

static void test_kick_idle(void)
{
	struct ctx c;

	ctx_open(&c, out_forever, sizeof(out_forever));
	vcpu_kick(&c.vcpu);
	vcpu_run_to(&c.vcpu, MVM_EXIT_IO);
	vcpu_kick(&c.vcpu);
	vcpu_run_to(&c.vcpu, MVM_EXIT_IO);
}

static void on_signal(int sig)
{
	(void)sig;
}

static void test_eintr(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct ctx c;

	ctx_open(&c, spin, sizeof(spin));
	sigaction(SIGALRM, &sa, NULL);
	for (int i = 0; i < 3; i++) {
		ualarm(20000, 0);
		CHECK_ERR(sys_run(c.vcpu.fd, 0), EINTR);
	}
	/* it runs on: user space changes nothing under it, but may join */
	c.vcpu.run->immediate_exit = 1;
	vcpu_kick(&c.vcpu);
	CHECK_OK(sys_run(c.vcpu.fd, 0));
	CHECK_EQ(c.vcpu.run->exit_reason, MVM_EXIT_INTR);
	/* the asynchronous form joins as well */
	c.vcpu.run->immediate_exit = 0;
	ualarm(20000, 0);
	CHECK_ERR(sys_run(c.vcpu.fd, 0), EINTR);
	vcpu_run_async(&c.vcpu);
	CHECK(!vcpu_poll(&c.vcpu, 5));
	CHECK_EQ(vcpu_stop(&c.vcpu), MVM_EXIT_INTR);
	/* an exit that came after the signal is not lost */
	memcpy(c.vm.ram + 0x1000, out_forever, sizeof(out_forever));
	vcpu_run_to(&c.vcpu, MVM_EXIT_IO);
	memcpy(c.vm.ram + 0x1002, "\xeb\xfe\xeb\xfa", 4);
	ualarm(20000, 0);
	CHECK_ERR(sys_run(c.vcpu.fd, 0), EINTR);
	c.vm.ram[0x1003] = 0;
	CHECK(vcpu_poll(&c.vcpu, 5000));
	CHECK_OK(sys_run(c.vcpu.fd, 0));
	CHECK_EQ(c.vcpu.run->exit_reason, MVM_EXIT_IO);
	CHECK_EQ(c.vcpu.run->io.port, 0x80);
}

static const struct test tests[] = {
	{ "ioctl: every command succeeds with a valid argument", test_valid },
	{ "ioctl: a struct shorter than the first version gives EINVAL",
	  test_short },
	{ "ioctl: a longer struct whose tail is zero is taken", test_long_zero },
	{ "ioctl: a longer struct whose tail is not zero gives E2BIG",
	  test_long_nonzero },
	{ "ioctl: every flag bit without a meaning gives EINVAL", test_flags },
	{ "ioctl: every reserved byte gives EINVAL", test_reserved },
	{ "ioctl: a bad pointer gives EFAULT", test_efault },
	{ "ioctl: results to read-only memory give EFAULT", test_efault_out },
	{ "ioctl: bad pointers inside structs give EFAULT", test_efault_inner },
	{ "ioctl: commands to the wrong kind of descriptor give ENOTTY",
	  test_wrong_fd },
	{ "ioctl: unknown commands give ENOTTY", test_unknown_command },
	{ "owner: a forked child gets EPERM from VM and vCPU", test_fork },
	{ "owner: a forked child gets EPERM while the vCPU runs",
	  test_fork_running },
	{ "owner: a child in the same address space is the owner", test_vfork },
	{ "owner: after exec every VM and vCPU command gives EPERM", test_exec },
	{ "create: descriptors are close-on-exec", test_cloexec },
	{ "get_info: values are possible ones", test_info_values },
	{ "create_vm: names are printable, terminated, without slash",
	  test_names },
	{ "create_vcpu: its thread is named after VM and vCPU",
	  test_thread_name },
	{ "create_vm: ENOSPC at max_vms, and room again after a close",
	  test_max_vms },
	{ "create_vcpu: ids below max_vcpus, each once", test_vcpu_ids },
	{ "create: EMFILE leaves nothing behind", test_emfile },
	{ "run page: the module writes the fields at their offsets",
	  test_run_layout },
	{ "run page: wrong length, offset or descriptor is refused", test_mmap },
	{ "poll: POLLIN from the end of a run to the next", test_poll },
	{ "running: commands that need a stopped vCPU give EBUSY", test_busy },
	{ "running: CPUID and MSR policy are fixed by the first run",
	  test_busy_after_run },
	{ "running: slots may come and go", test_slot_while_running },
	{ "run: an impossible answer gives EINVAL and loses no exit",
	  test_impossible_answer },
	{ "run: immediate_exit ends it before the first instruction",
	  test_immediate_exit_first },
	{ "run: a signal gives EINTR and the next run joins", test_eintr },
	{ "kick: harmless when the vCPU does not run", test_kick_idle },
	{ "get_cpuid: too small a table gives E2BIG and the count",
	  test_cpuid_count },
	{ "set_cpuid: refuses what the host lacks, doubles, long tables",
	  test_set_cpuid },
	{ "set_msr_policy: knows two policies", test_msr_policy },
	{ "signal_msi: address, vector, mode and destination are checked",
	  test_msi },
	{ "set_irqfd: message, descriptor and what is there are checked",
	  test_irqfd },
	{ "set_doorbell: width, value, descriptor and what is there are checked",
	  test_doorbell },
	{ "set_posted: the range and what is there are checked", test_posted },
	{ "set_sregs: impossible control registers give EINVAL", test_sregs },
	{ "set_sregs: CR4 bits need their CPUID feature", test_sregs_cpuid },
	{ "msrs: done counts up to the first that fails", test_msrs },
	{ "set_msrs: user space may set TSC and APIC base", test_msrs_host },
	{ "xsave: a wrong length gives EINVAL", test_xsave_length },
	{ "set_events: impossible values give EINVAL", test_events },
	{ "lapic_access: offsets and modes are checked", test_lapic_access },
	{ "set_line: knows two lines and two levels", test_line },
	{ "get_stats: named counters that move, E2BIG with the count",
	  test_stats },
};

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "--after-exec"))
		return after_exec(argv);
	return run_tests(tests, ARRAY_SIZE(tests), argc, argv);
}
