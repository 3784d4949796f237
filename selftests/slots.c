// SPDX-License-Identifier: GPL-2.0-only
/*
 * slots.c - guest memory: slots, and what happens when the owner changes the
 * memory behind them
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/guest.h"
#include "lib/proc.h"

/* Where slots under test begin; a multiple of 2 MiB. */
#define GPA	0x20000000UL

/* ------------------------------------------------------------------------
 * A guest that does as it is told: one access to memory at a time
 */

enum op { OP_READ, OP_WRITE, OP_CALL, OP_READ_LOOP, OP_WRITE_LOOP };

static volatile struct {
	u64 op;
	volatile u64 *addr;
	u64 value;
} cmd;

static void guest_commands(u64 arg)
{
	(void)arg;
	for (;;) {
		volatile u64 *addr;
		u64 value;

		GUEST_SYNC(0);
		addr = cmd.addr;
		value = cmd.value;
		switch (cmd.op) {
		/* instructions of 3 bytes, for those who step over them */
		case OP_READ:
			asm volatile("movq (%%rdx), %%rax"
				     : "=a"(value) : "d"(addr) : "memory");
			cmd.value = value;
			break;
		case OP_WRITE:
			asm volatile("movq %%rax, (%%rdx)"
				     : : "a"(value), "d"(addr) : "memory");
			break;
		case OP_CALL:
			cmd.value = ((u64 (*)(void))addr)();
			break;
		case OP_READ_LOOP:
			/* until it reads the value */
			while (*addr != value)
				;
			break;
		case OP_WRITE_LOOP:
			for (;;)
				(*addr)++;
		}
	}
}

static void open_commands(struct vm *vm, struct vcpu *vcpu)
{
	guest_create(vm, vcpu, 0, guest_commands, 0);
	guest_sync(vcpu, 0);
}

static void set_command(struct vcpu *vcpu, enum op op, u64 addr, u64 value)
{
	volatile typeof(cmd) *c = GUEST_VAR(vcpu->vm, cmd);

	c->op = op;
	c->addr = (u64 *)addr;
	c->value = value;
}

/* The command must end well. */
static u64 command(struct vcpu *vcpu, enum op op, u64 addr, u64 value)
{
	set_command(vcpu, op, addr, value);
	guest_sync(vcpu, 0);
	return GUEST_VAR(vcpu->vm, cmd)->value;
}

#define g_read(vcpu, addr)		command(vcpu, OP_READ, addr, 0)
#define g_write(vcpu, addr, value)	command(vcpu, OP_WRITE, addr, value)

/* The command must end in a memory fault with EFAULT at this address. */
static void command_faults(struct vcpu *vcpu, enum op op, u64 addr, void *user,
			   u32 flag)
{
	set_command(vcpu, op, addr, 1);
	guest_exit(vcpu, MVM_EXIT_MEMORY_FAULT);
	CHECK_EQ(vcpu->run->memory.gpa & ~0xfffUL, addr & ~0xfffUL);
	CHECK_EQ(vcpu->run->memory.user_addr & ~0xfffUL, (u64)user & ~0xfffUL);
	CHECK_EQ(vcpu->run->memory.error, EFAULT);
	CHECK(vcpu->run->memory.flags & flag);
}

/* Try again after the cause is mended. */
static u64 command_retry(struct vcpu *vcpu)
{
	vcpu->run->action = MVM_ACTION_RETRY;
	guest_sync(vcpu, 0);
	return GUEST_VAR(vcpu->vm, cmd)->value;
}

/* Whether the command ends in an MMIO exit. */
static void command_mmio(struct vcpu *vcpu, enum op op, u64 addr, u32 flag)
{
	set_command(vcpu, op, addr, 1);
	guest_exit(vcpu, MVM_EXIT_MMIO);
	CHECK_EQ(vcpu->run->mmio.gpa, addr);
	CHECK(vcpu->run->mmio.flags & flag);
}

/* ------------------------------------------------------------------------
 * The ioctl
 */

static int try_slot(struct vm *vm, u32 slot, u64 gpa, u64 length, u64 addr)
{
	struct mvm_slot s = {
		.slot = slot,
		.gpa = gpa,
		.length = length,
		.user_addr = addr,
	};

	return mvm_ioctl(vm->fd, MVM_SET_SLOT, &s);
}

static void test_alignment(void)
{
	u64 mem = (u64)mem_alloc(SZ_64K);
	struct vm vm;

	vm_create(&vm, 0);
	for (u64 bit = 1; bit < PAGE_SIZE; bit <<= 1) {
		CHECK_ERR(try_slot(&vm, 0, GPA + bit, PAGE_SIZE, mem), EINVAL);
		CHECK_ERR(try_slot(&vm, 0, GPA, PAGE_SIZE + bit, mem), EINVAL);
		CHECK_ERR(try_slot(&vm, 0, GPA, bit, mem), EINVAL);
		CHECK_ERR(try_slot(&vm, 0, GPA, PAGE_SIZE, mem + bit), EINVAL);
	}
	CHECK_OK(try_slot(&vm, 0, GPA, PAGE_SIZE, mem));
}

static void test_limits(void)
{
	u64 max = dev_info()->max_gpa, mem = (u64)mem_alloc(SZ_64K);
	struct vm vm;

	vm_create(&vm, 0);
	CHECK_ERR(try_slot(&vm, 0, max, PAGE_SIZE, mem), EINVAL);
	CHECK_ERR(try_slot(&vm, 0, max - PAGE_SIZE, 2 * PAGE_SIZE, mem),
		  EINVAL);
	CHECK_ERR(try_slot(&vm, 0, -PAGE_SIZE, PAGE_SIZE, mem), EINVAL);
	/* wraps to 0 and beyond */
	CHECK_ERR(try_slot(&vm, 0, -PAGE_SIZE, 2 * PAGE_SIZE, mem), EINVAL);
	CHECK_ERR(try_slot(&vm, 0, PAGE_SIZE, -PAGE_SIZE, mem), EINVAL);
	CHECK_ERR(try_slot(&vm, 0, PAGE_SIZE, 1UL << 63, mem), EINVAL);
	CHECK_ERR(try_slot(&vm, dev_info()->max_slots, GPA, PAGE_SIZE, mem),
		  EINVAL);
	CHECK_ERR(try_slot(&vm, 0xffffffff, GPA, PAGE_SIZE, mem), EINVAL);
	/* not in the user's half, or beginning there and leaving it */
	CHECK_ERR(try_slot(&vm, 0, GPA, PAGE_SIZE, -PAGE_SIZE), EFAULT);
	CHECK_ERR(try_slot(&vm, 0, GPA, PAGE_SIZE, 1UL << 63), EFAULT);
	CHECK_ERR(try_slot(&vm, 0, GPA, PAGE_SIZE, 0xffff888000000000), EFAULT);
	CHECK_ERR(try_slot(&vm, 0, GPA, SZ_2M, (1UL << 47) - SZ_64K), EFAULT);
	CHECK_OK(try_slot(&vm, 0, max - PAGE_SIZE, PAGE_SIZE, mem));
	CHECK_OK(try_slot(&vm, dev_info()->max_slots - 1, GPA, PAGE_SIZE, mem));
}

static void test_overlap(void)
{
	u64 mem = (u64)mem_alloc(SZ_64K), p = PAGE_SIZE;
	struct vm vm;

	vm_create(&vm, 0);
	CHECK_OK(try_slot(&vm, 0, GPA, 4 * p, mem));
	CHECK_ERR(try_slot(&vm, 1, GPA, 4 * p, mem), EEXIST);
	CHECK_ERR(try_slot(&vm, 1, GPA + p, p, mem), EEXIST);
	CHECK_ERR(try_slot(&vm, 1, GPA - p, 2 * p, mem), EEXIST);
	CHECK_ERR(try_slot(&vm, 1, GPA + 3 * p, 2 * p, mem), EEXIST);
	CHECK_ERR(try_slot(&vm, 1, GPA - p, 6 * p, mem), EEXIST);
	/* neighbours touch and do not overlap */
	CHECK_OK(try_slot(&vm, 1, GPA + 4 * p, p, mem));
	CHECK_OK(try_slot(&vm, 2, GPA - p, p, mem));
	CHECK_ERR(try_slot(&vm, 3, GPA + 4 * p, p, mem), EEXIST);
	/* what was refused left nothing behind */
	vm_slot_remove(&vm, 0);
	CHECK_OK(try_slot(&vm, 3, GPA, 4 * p, mem));
}

static void test_exists(void)
{
	u64 mem = (u64)mem_alloc(SZ_64K);
	struct vm vm;

	vm_create(&vm, 0);
	CHECK_ERR(try_slot(&vm, 0, 0, 0, 0), ENOENT);
	CHECK_OK(try_slot(&vm, 0, GPA, PAGE_SIZE, mem));
	CHECK_ERR(try_slot(&vm, 0, GPA, PAGE_SIZE, mem), EEXIST);
	CHECK_ERR(try_slot(&vm, 0, 2 * GPA, PAGE_SIZE, mem), EEXIST);
	CHECK_ERR(try_slot(&vm, 1, 0, 0, 0), ENOENT);
	vm_slot_remove(&vm, 0);
	CHECK_ERR(try_slot(&vm, 0, 0, 0, 0), ENOENT);
	CHECK_OK(try_slot(&vm, 0, 2 * GPA, PAGE_SIZE, mem));
}

/* ------------------------------------------------------------------------
 * What the guest sees
 */

static void test_both_ways(void)
{
	u64 *mem = mem_alloc(2 * PAGE_SIZE);
	struct vcpu vcpu;
	struct vm vm;

	open_commands(&vm, &vcpu);
	vm_slot(&vm, SLOT_FREE, 0, GPA, 2 * PAGE_SIZE, mem);
	/* a page that nobody has written reads as zero, then takes a write */
	CHECK_EQ(g_read(&vcpu, GPA), 0);
	g_write(&vcpu, GPA, 0x1122334455667788);
	CHECK_EQ(mem[0], 0x1122334455667788);
	mem[0] = 5;
	CHECK_EQ(g_read(&vcpu, GPA), 5);
	/* the owner first */
	mem[512] = 6;
	CHECK_EQ(g_read(&vcpu, GPA + PAGE_SIZE), 6);
	g_write(&vcpu, GPA + 2 * PAGE_SIZE - 8, 7);
	CHECK_EQ(mem[1023], 7);
	/* while the guest runs */
	set_command(&vcpu, OP_READ_LOOP, GPA, 8);
	vcpu_run_async(&vcpu);
	CHECK(!vcpu_poll(&vcpu, 20));
	mem[0] = 8;
	CHECK(vcpu_poll(&vcpu, 5000));
	CHECK(guest_is_sync(&vcpu, 0));
}

static void test_alias(void)
{
	u64 *mem = mem_alloc(PAGE_SIZE);
	struct vcpu vcpu;
	struct vm vm;

	open_commands(&vm, &vcpu);
	vm_slot(&vm, 1, 0, GPA, PAGE_SIZE, mem);
	vm_slot(&vm, 2, 0, GPA + SZ_2M, PAGE_SIZE, mem);
	g_write(&vcpu, GPA, 1);
	CHECK_EQ(g_read(&vcpu, GPA + SZ_2M), 1);
	g_write(&vcpu, GPA + SZ_2M, 2);
	CHECK_EQ(g_read(&vcpu, GPA), 2);
	vm_slot_remove(&vm, 1);
	CHECK_EQ(g_read(&vcpu, GPA + SZ_2M), 2);
	command_mmio(&vcpu, OP_READ, GPA, MVM_MMIO_READ);
}

static void test_read_only(void)
{
	/* mov $0x2a, %eax; ret */
	static const u8 code[] = { 0xb8, 0x2a, 0, 0, 0, 0xc3 };
	u64 *mem = mem_alloc(PAGE_SIZE);
	struct vcpu vcpu;
	struct vm vm;

	open_commands(&vm, &vcpu);
	vm_slot(&vm, SLOT_FREE, MVM_SLOT_READONLY, GPA, PAGE_SIZE, mem);
	mem[0] = 3;
	memcpy(mem + 8, code, sizeof(code));
	CHECK_EQ(g_read(&vcpu, GPA), 3);
	CHECK_EQ(command(&vcpu, OP_CALL, GPA + 64, 0), 42);
	for (int i = 0; i < 3; i++) {
		set_command(&vcpu, OP_WRITE, GPA, 1);
		guest_exit(&vcpu, MVM_EXIT_MMIO);
		CHECK_EQ(vcpu.run->mmio.gpa, GPA);
		CHECK_EQ(vcpu.run->mmio.flags & ~MVM_MMIO_LINEAR,
			 MVM_MMIO_WRITE);
		CHECK_EQ(mem[0], 3);
		vcpu.run->next_rip = vcpu.run->rip + 3;
		guest_sync(&vcpu, 0);
	}
	CHECK_EQ(g_read(&vcpu, GPA), 3);
	/* the owner may write it */
	mem[0] = 4;
	CHECK_EQ(g_read(&vcpu, GPA), 4);
}

static void test_replace(void)
{
	u64 *a = mem_alloc(PAGE_SIZE), *b = mem_alloc(PAGE_SIZE);
	struct vcpu vcpu;
	struct vm vm;

	open_commands(&vm, &vcpu);
	*a = 10;
	*b = 20;
	for (int i = 0; i < 5; i++) {
		vm_slot(&vm, SLOT_FREE, 0, GPA, PAGE_SIZE, a);
		CHECK_EQ(g_read(&vcpu, GPA), 10);
		vm_slot_remove(&vm, SLOT_FREE);
		command_mmio(&vcpu, OP_READ, GPA, MVM_MMIO_READ);
		vm_slot(&vm, SLOT_FREE, 0, GPA, PAGE_SIZE, b);
		CHECK_EQ(command_retry(&vcpu), 20);
		vm_slot_remove(&vm, SLOT_FREE);
		/* the same memory at another place */
		vm_slot(&vm, SLOT_FREE, 0, GPA + SZ_1M, PAGE_SIZE, b);
		CHECK_EQ(g_read(&vcpu, GPA + SZ_1M), 20);
		vm_slot_remove(&vm, SLOT_FREE);
	}
}

static void test_remove_running(void)
{
	volatile u64 *mem = mem_alloc(PAGE_SIZE);
	struct vcpu vcpu;
	struct vm vm;
	u64 last;

	open_commands(&vm, &vcpu);
	for (int i = 0; i < 10; i++) {
		vm_slot(&vm, SLOT_FREE, 0, GPA, PAGE_SIZE, (void *)mem);
		if (!i)
			set_command(&vcpu, OP_WRITE_LOOP, GPA, 0);
		else
			vcpu.run->action = MVM_ACTION_RETRY;
		last = *mem;
		vcpu_run_async(&vcpu);
		for (int ms = 0; *mem == last; ms++) {
			CHECK(ms < 5000);
			usleep(1000);
		}
		vm_slot_remove(&vm, SLOT_FREE);
		/* from here on the memory is the owner's alone */
		last = *mem;
		usleep(2000);
		CHECK_EQ(*mem, last);
		CHECK(vcpu_poll(&vcpu, 5000));
		CHECK_EQ(vcpu.run->exit_reason, MVM_EXIT_MMIO);
		CHECK_EQ(vcpu.run->mmio.gpa, GPA);
		CHECK_EQ(*mem, last);
	}
}

static void test_many(void)
{
	u32 max = dev_info()->max_slots;
	u64 *mem;
	struct vcpu vcpu;
	struct vm vm;

	if (max > 2048)
		max = 2048;
	open_commands(&vm, &vcpu);
	mem = mem_alloc(max * PAGE_SIZE);
	/* every other page, from the last to the first */
	for (u32 i = max; --i > 0;) {
		mem[i * 512] = i;
		vm_slot(&vm, i, 0, GPA + 2 * i * PAGE_SIZE, PAGE_SIZE,
			mem + i * 512);
	}
	for (u32 i = 1; i < max; i += 1 + max / 16) {
		CHECK_EQ(g_read(&vcpu, GPA + 2 * i * PAGE_SIZE), i);
		command_mmio(&vcpu, OP_READ, GPA + (2 * i + 1) * PAGE_SIZE,
			     MVM_MMIO_READ);
		vcpu.run->next_rip = vcpu.run->rip + 3;
		guest_sync(&vcpu, 0);
	}
	for (u32 i = 1; i < max; i++)
		vm_slot_remove(&vm, i);
	command_mmio(&vcpu, OP_READ, GPA + 2 * PAGE_SIZE, MVM_MMIO_READ);
}

static void test_high(void)
{
	u64 max = dev_info()->max_gpa, *mem = mem_alloc(SZ_2M);
	struct vcpu vcpu;
	struct vm vm;
	u64 *pd;

	open_commands(&vm, &vcpu);
	vm_slot(&vm, SLOT_FREE, 0, max - SZ_2M, SZ_2M, mem);
	/* the guest's window: the last 2 MiB that it maps */
	pd = (u64 *)(vm.ram + GUEST_PML4 + 0x2000);
	pd[2047] = (max - SZ_2M) | 0x87;
	g_write(&vcpu, GUEST_MAPPED - 8, 0x99);
	CHECK_EQ(mem[SZ_2M / 8 - 1], 0x99);
	mem[0] = 0x88;
	CHECK_EQ(g_read(&vcpu, GUEST_MAPPED - SZ_2M), 0x88);
}

/* ------------------------------------------------------------------------
 * The owner changes the memory
 */

static void test_dontneed(void)
{
	u64 *mem = mem_alloc(PAGE_SIZE);
	struct vcpu vcpu;
	struct vm vm;

	open_commands(&vm, &vcpu);
	vm_slot(&vm, SLOT_FREE, 0, GPA, PAGE_SIZE, mem);
	for (int i = 0; i < 10; i++) {
		g_write(&vcpu, GPA, 77);
		CHECK_EQ(*mem, 77);
		/* the running guest must come to see zeros */
		set_command(&vcpu, OP_READ_LOOP, GPA, 0);
		vcpu_run_async(&vcpu);
		CHECK(!vcpu_poll(&vcpu, 3));
		CHECK_OK(madvise(mem, PAGE_SIZE, MADV_DONTNEED));
		CHECK(vcpu_poll(&vcpu, 5000));
		CHECK(guest_is_sync(&vcpu, 0));
		CHECK_EQ(*mem, 0);
	}
}

static void test_munmap(void)
{
	u64 *mem = mem_alloc(PAGE_SIZE);
	struct vcpu vcpu;
	struct vm vm;

	open_commands(&vm, &vcpu);
	vm_slot(&vm, SLOT_FREE, 0, GPA, PAGE_SIZE, mem);
	g_write(&vcpu, GPA, 5);
	CHECK_OK(munmap(mem, PAGE_SIZE));
	command_faults(&vcpu, OP_READ, GPA + 8, mem, MVM_MMIO_READ);
	/* still so */
	vcpu.run->action = MVM_ACTION_RETRY;
	guest_exit(&vcpu, MVM_EXIT_MEMORY_FAULT);
	CHECK(mmap(mem, PAGE_SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == mem);
	mem[1] = 0xabc;
	CHECK_EQ(command_retry(&vcpu), 0xabc);
	/* under a running guest */
	set_command(&vcpu, OP_WRITE_LOOP, GPA, 0);
	vcpu_run_async(&vcpu);
	CHECK(!vcpu_poll(&vcpu, 5));
	CHECK_OK(munmap(mem, PAGE_SIZE));
	CHECK(vcpu_poll(&vcpu, 5000));
	CHECK_EQ(vcpu.run->exit_reason, MVM_EXIT_MEMORY_FAULT);
	CHECK_EQ(vcpu.run->memory.error, EFAULT);
}

static void test_no_memory_at_all(void)
{
	void *mem = mem_alloc(PAGE_SIZE);
	struct vcpu vcpu;
	struct vm vm;

	/* a slot may name memory that comes later */
	open_commands(&vm, &vcpu);
	munmap(mem, PAGE_SIZE);
	vm_slot(&vm, SLOT_FREE, 0, GPA, PAGE_SIZE, mem);
	command_faults(&vcpu, OP_WRITE, GPA, mem, MVM_MMIO_WRITE);
	CHECK(mmap(mem, PAGE_SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == mem);
	command_retry(&vcpu);
	CHECK_EQ(*(u64 *)mem, 1);
}

static void test_mprotect(void)
{
	u64 *mem = mem_alloc(PAGE_SIZE);
	struct vcpu vcpu;
	struct vm vm;

	open_commands(&vm, &vcpu);
	vm_slot(&vm, SLOT_FREE, 0, GPA, PAGE_SIZE, mem);
	g_write(&vcpu, GPA, 5);
	CHECK_OK(mprotect(mem, PAGE_SIZE, PROT_READ));
	CHECK_EQ(g_read(&vcpu, GPA), 5);
	command_faults(&vcpu, OP_WRITE, GPA, mem, MVM_MMIO_WRITE);
	CHECK_EQ(*mem, 5);
	CHECK_OK(mprotect(mem, PAGE_SIZE, PROT_READ | PROT_WRITE));
	command_retry(&vcpu);
	CHECK_EQ(*mem, 1);
	CHECK_OK(mprotect(mem, PAGE_SIZE, PROT_NONE));
	command_faults(&vcpu, OP_READ, GPA, mem, MVM_MMIO_READ);
	CHECK_OK(mprotect(mem, PAGE_SIZE, PROT_READ));
	CHECK_EQ(command_retry(&vcpu), 1);
}

static void test_fork_cow(void)
{
	u64 *mem = mem_alloc(2 * PAGE_SIZE);
	int to[2], from[2];
	struct vcpu vcpu;
	struct vm vm;
	char c = 0;
	int status;
	pid_t pid;

	open_commands(&vm, &vcpu);
	vm_slot(&vm, SLOT_FREE, 0, GPA, 2 * PAGE_SIZE, mem);
	/* the guest's EPT has both pages writable before the fork */
	g_write(&vcpu, GPA, 1);
	g_write(&vcpu, GPA + PAGE_SIZE, 2);
	CHECK_OK(pipe(to));
	CHECK_OK(pipe(from));
	pid = CHECK_OK(fork());
	if (!pid) {
		CHECK_EQ(read(to[0], &c, 1), 1);
		/* the guest has written since: not here */
		CHECK_EQ(mem[0], 1);
		CHECK_EQ(mem[512], 2);
		mem[512] = 22;
		CHECK_EQ(write(from[1], &c, 1), 1);
		_exit(0);
	}
	g_write(&vcpu, GPA, 11);
	CHECK_EQ(mem[0], 11);
	CHECK_EQ(write(to[1], &c, 1), 1);
	close(from[1]);
	CHECK_EQ(read(from[0], &c, 1), 1);
	CHECK_EQ(g_read(&vcpu, GPA + PAGE_SIZE), 2);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	g_write(&vcpu, GPA + PAGE_SIZE, 3);
	CHECK_EQ(mem[512], 3);
}

static void test_memfd(void)
{
	int fd = CHECK_OK(memfd_create("slot", 0));
	struct vcpu vcpu;
	struct vm vm;
	u64 *a, *b, v;

	CHECK_OK(ftruncate(fd, 2 * PAGE_SIZE));
	a = mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	b = mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(a != MAP_FAILED && b != MAP_FAILED);
	open_commands(&vm, &vcpu);
	vm_slot(&vm, SLOT_FREE, 0, GPA, 2 * PAGE_SIZE, a);
	g_write(&vcpu, GPA, 1);
	CHECK_EQ(b[0], 1);
	b[1] = 2;
	CHECK_EQ(g_read(&vcpu, GPA + 8), 2);
	v = 3;
	CHECK_EQ(pwrite(fd, &v, 8, 16), 8);
	CHECK_EQ(g_read(&vcpu, GPA + 16), 3);
	/* a hole is zeros; the end of the file is a fault */
	CHECK_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			   PAGE_SIZE));
	CHECK_EQ(g_read(&vcpu, GPA), 0);
	g_write(&vcpu, GPA + PAGE_SIZE, 9);
	CHECK_OK(ftruncate(fd, PAGE_SIZE));
	set_command(&vcpu, OP_READ, GPA + PAGE_SIZE, 0);
	guest_exit(&vcpu, MVM_EXIT_MEMORY_FAULT);
	CHECK_EQ(vcpu.run->memory.error, EFAULT);
	CHECK_OK(ftruncate(fd, 2 * PAGE_SIZE));
	CHECK_EQ(command_retry(&vcpu), 0);
}

static void test_private_file(void)
{
	int fd = CHECK_OK(memfd_create("slot", 0));
	struct vcpu vcpu;
	struct vm vm;
	u64 *mem, v = 5;

	CHECK_EQ(pwrite(fd, &v, 8, 0), 8);
	CHECK_OK(ftruncate(fd, 2 * PAGE_SIZE));
	mem = mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd,
		   0);
	CHECK(mem != MAP_FAILED);
	open_commands(&vm, &vcpu);
	vm_slot(&vm, SLOT_FREE, 0, GPA, 2 * PAGE_SIZE, mem);
	/* reads the file, then writes a copy of its own */
	CHECK_EQ(g_read(&vcpu, GPA), 5);
	g_write(&vcpu, GPA, 6);
	CHECK_EQ(g_read(&vcpu, GPA), 6);
	CHECK_EQ(mem[0], 6);
	CHECK_EQ(pread(fd, &v, 8, 0), 8);
	CHECK_EQ(v, 5);
	/* a page that it has only read still follows the file */
	CHECK_EQ(g_read(&vcpu, GPA + PAGE_SIZE), 0);
	v = 7;
	CHECK_EQ(pwrite(fd, &v, 8, PAGE_SIZE), 8);
	CHECK_EQ(g_read(&vcpu, GPA + PAGE_SIZE), 7);
	/* thrown away, the copy gives way to the file */
	CHECK_OK(madvise(mem, PAGE_SIZE, MADV_DONTNEED));
	CHECK_EQ(g_read(&vcpu, GPA), 5);
}

static void test_poison(void)
{
	u64 *mem = mem_alloc(PAGE_SIZE);
	struct vcpu vcpu;
	struct vm vm;

	open_commands(&vm, &vcpu);
	vm_slot(&vm, SLOT_FREE, 0, GPA, PAGE_SIZE, mem);
	g_write(&vcpu, GPA, 1);
	if (madvise(mem, PAGE_SIZE, MADV_HWPOISON))
		test_skip("madvise HWPOISON: %m");
	set_command(&vcpu, OP_READ, GPA, 0);
	guest_exit(&vcpu, MVM_EXIT_MEMORY_FAULT);
	CHECK_EQ(vcpu.run->memory.gpa, GPA);
	CHECK_EQ(vcpu.run->memory.error, EHWPOISON);
	/* a fresh page mends it */
	CHECK(mmap(mem, PAGE_SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == mem);
	CHECK_EQ(command_retry(&vcpu), 0);
}

static void test_mremap(void)
{
	u64 *mem = mem_alloc(2 * PAGE_SIZE), *away;
	struct vcpu vcpu;
	struct vm vm;

	open_commands(&vm, &vcpu);
	vm_slot(&vm, SLOT_FREE, 0, GPA, 2 * PAGE_SIZE, mem);
	g_write(&vcpu, GPA, 1);
	g_write(&vcpu, GPA + PAGE_SIZE, 2);
	away = mmap(NULL, PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0);
	CHECK(mremap(mem, PAGE_SIZE, PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
		     away) == away);
	/* the page moved out of the slot */
	command_faults(&vcpu, OP_READ, GPA, mem, MVM_MMIO_READ);
	CHECK_EQ(away[0], 1);
	/* and the second page moves to the first place */
	CHECK(mremap(mem + 512, PAGE_SIZE, PAGE_SIZE,
		     MREMAP_MAYMOVE | MREMAP_FIXED, mem) == mem);
	CHECK_EQ(command_retry(&vcpu), 2);
}

/* ------------------------------------------------------------------------
 * Huge pages
 */

static u64 *huge_alloc(void)
{
	u8 *p = mmap(NULL, 2 * SZ_2M, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	p = (u8 *)(((u64)p + SZ_2M - 1) & ~(SZ_2M - 1));
	madvise(p, SZ_2M, MADV_HUGEPAGE);
	return (u64 *)p;
}

/* kB of the process in transparent huge pages */
static long thp_kb(void)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "r");
	char line[128];
	long kb = -1;

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "AnonHugePages: %ld", &kb) == 1)
			break;
	fclose(f);
	return kb;
}

static void check_huge(struct vm *vm, struct vcpu *vcpu, u64 *mem)
{
	/* once, the whole 2 MiB: first, last, some between */
	for (u64 off = 0; off < SZ_2M; off += SZ_2M / 8) {
		g_write(vcpu, GPA + off, off + 1);
		CHECK_EQ(mem[off / 8], off + 1);
	}
	/* one page of it goes: zeros there, nothing lost elsewhere */
	CHECK_OK(madvise(mem + SZ_2M / 16, PAGE_SIZE, MADV_DONTNEED));
	CHECK_EQ(g_read(vcpu, GPA + SZ_2M / 2), 0);
	CHECK_EQ(g_read(vcpu, GPA), 1);
	CHECK_EQ(g_read(vcpu, GPA + SZ_2M * 7 / 8), SZ_2M * 7 / 8 + 1);
	vm_slot_remove(vm, SLOT_FREE);
	command_mmio(vcpu, OP_READ, GPA, MVM_MMIO_READ);
}

static void test_thp(void)
{
	u64 *mem = huge_alloc();
	struct vcpu vcpu;
	struct vm vm;

	mem[0] = 1;
	if (thp_kb() < 2048)
		test_skip("this kernel gave no transparent huge page");
	open_commands(&vm, &vcpu);
	vm_slot(&vm, SLOT_FREE, 0, GPA, SZ_2M, mem);
	check_huge(&vm, &vcpu, mem);
}

static void test_thp_offset(void)
{
	u64 *mem = huge_alloc();
	struct vcpu vcpu;
	struct vm vm;

	mem[0] = 1;
	if (thp_kb() < 2048)
		test_skip("this kernel gave no transparent huge page");
	open_commands(&vm, &vcpu);
	/* GPA and address differ by 4 KiB modulo 2 MiB: no 2 MiB mapping */
	vm_slot(&vm, SLOT_FREE, 0, GPA + PAGE_SIZE, SZ_2M - PAGE_SIZE, mem);
	for (u64 off = 0; off < SZ_2M - PAGE_SIZE; off += SZ_2M / 8) {
		g_write(&vcpu, GPA + PAGE_SIZE + off, off + 1);
		CHECK_EQ(mem[off / 8], off + 1);
	}
	/* the slot ends inside the huge page: what follows is not the guest's */
	command_mmio(&vcpu, OP_READ, GPA, MVM_MMIO_READ);
	vm_slot_remove(&vm, SLOT_FREE);
	vm_slot(&vm, SLOT_FREE, 0, GPA, SZ_2M - PAGE_SIZE, mem);
	CHECK_EQ(command_retry(&vcpu), 1);
	command_mmio(&vcpu, OP_READ, GPA + SZ_2M - PAGE_SIZE, MVM_MMIO_READ);
}

/* One line of a file of "name number" lines; colons and units do not matter. */
static long named_number(const char *path, const char *name)
{
	FILE *f = fopen(path, "r");
	char line[128], word[64];
	long value = -1, v;

	if (!f)
		return -1;
	while (value < 0 && fgets(line, sizeof(line), f))
		if (sscanf(line, "%63[^: ]%*[: ]%ld", word, &v) == 2 && !strcmp(word, name))
			value = v;
	fclose(f);
	return value;
}

#define zero_page_allocs()	named_number("/proc/vmstat", "thp_zero_page_alloc")
#define free_kb()		named_number("/proc/meminfo", "MemFree")

/* A VM whose guest reads memory that was never touched. */
static void read_zeros(void)
{
	u64 *mem = huge_alloc();
	struct vcpu vcpu;
	struct vm vm;

	open_commands(&vm, &vcpu);
	vm_slot(&vm, SLOT_FREE, 0, GPA, SZ_2M, mem);
	for (u64 off = 0; off < SZ_2M; off += SZ_2M / 8)
		CHECK_EQ(g_read(&vcpu, GPA + off), 0);
	/* the guest's own page comes in the place of the zeros, and only there */
	g_write(&vcpu, GPA + SZ_2M / 2, 1);
	CHECK_EQ(g_read(&vcpu, GPA), 0);
	CHECK_EQ(mem[SZ_2M / 16], 1);
}

#define ZERO_ROUNDS	24

/*
 * All processes share one huge page of zeros.  The kernel counts its users, and
 * gives it back when there are none and memory is asked for; a reference that is
 * left makes it lose these 2 MiB, and it takes others the next time.
 */
static void test_huge_zero(void)
{
	long refs, allocs = 0, lost = 0;

	dev_fd();
	refs = module_refs();
	for (int i = 0; i <= ZERO_ROUNDS; i++) {
		int pid;

		CHECK(file_write("/proc/sys/vm/drop_caches", "2"));
		/* the first round is for what stays in caches */
		if (i == 1) {
			allocs = zero_page_allocs();
			lost = free_kb();
		}
		pid = fork();
		if (!pid) {
			read_zeros();
			_exit(0);
		}
		wait_child(pid);
		wait_module_refs(refs, "mvm-selftest");
		/* the owner's address space goes in the background */
		usleep(20000);
	}
	CHECK(file_write("/proc/sys/vm/drop_caches", "2"));
	allocs = zero_page_allocs() - allocs;
	lost -= free_kb();
	diag("%ld huge pages of zeros came and went, %ld KiB with them", allocs, lost);
	CHECK(allocs >= ZERO_ROUNDS / 2);
	CHECK(lost < allocs * 1024);
}

static void test_hugetlb(void)
{
	struct vcpu vcpu;
	struct vm vm;
	u64 *mem;

	file_write("/proc/sys/vm/nr_hugepages", "1");
	mem = mmap(NULL, SZ_2M, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (mem == MAP_FAILED)
		test_skip("no huge page from hugetlb: %m");
	open_commands(&vm, &vcpu);
	vm_slot(&vm, SLOT_FREE, 0, GPA, SZ_2M, mem);
	for (u64 off = 0; off < SZ_2M; off += SZ_2M / 8) {
		g_write(&vcpu, GPA + off, off + 1);
		CHECK_EQ(mem[off / 8], off + 1);
	}
	CHECK_OK(munmap(mem, SZ_2M));
	file_write("/proc/sys/vm/nr_hugepages", "0");
	command_faults(&vcpu, OP_READ, GPA, mem, MVM_MMIO_READ);
}

/* ------------------------------------------------------------------------
 * KSM
 */

#define KSM "/sys/kernel/mm/ksm/"

static void test_ksm(void)
{
	u64 *mem = mem_alloc(2 * PAGE_SIZE);
	struct vcpu vcpu;
	struct vm vm;
	int ms;

	if (madvise(mem, 2 * PAGE_SIZE, MADV_MERGEABLE))
		test_skip("madvise MERGEABLE: %m");
	open_commands(&vm, &vcpu);
	vm_slot(&vm, SLOT_FREE, 0, GPA, 2 * PAGE_SIZE, mem);
	for (int i = 0; i < 1024; i++)
		mem[i] = 0x1234567 + i % 512;
	g_write(&vcpu, GPA, 1);
	g_write(&vcpu, GPA + PAGE_SIZE, 1);
	if (!file_write(KSM "sleep_millisecs", "1") ||
	    !file_write(KSM "run", "1"))
		test_skip("no KSM: %m");
	for (ms = 0; ms < 3000; ms += 10) {
		if (file_number(KSM "pages_sharing") > 0)
			break;
		usleep(10000);
	}
	if (file_number(KSM "pages_sharing") < 1) {
		file_write(KSM "run", "0");
		test_skip("KSM merged nothing in %d ms", ms);
	}
	/* merged; a write of the guest parts them again */
	CHECK_EQ(g_read(&vcpu, GPA + PAGE_SIZE), 1);
	g_write(&vcpu, GPA, 2);
	CHECK_EQ(g_read(&vcpu, GPA + PAGE_SIZE), 1);
	CHECK_EQ(mem[0], 2);
	CHECK_EQ(mem[512], 1);
	file_write(KSM "run", "2");
}

/* ------------------------------------------------------------------------
 * Storms
 */

#define STORM_PAGES	16
#define STORM_ROUNDS	60

static volatile u64 storm_stop, storm_rounds;

/*
 * Each page holds its number and a count that only grows, or zeros after it
 * was thrown away.  Anything else is memory of somebody else.
 */
static void guest_storm(u64 arg)
{
	(void)arg;
	GUEST_SYNC(0);
	for (u64 round = 1; !storm_stop; round++) {
		for (u64 i = 0; i < STORM_PAGES; i++) {
			volatile u64 *p = (u64 *)(GPA + i * PAGE_SIZE);
			u64 id = p[0], count = p[1];

			if (id)
				GUEST_EQ(id, 0x5151000 + i);
			GUEST_ASSERT(count <= round);
			p[1] = round;
			p[0] = 0x5151000 + i;
		}
		storm_rounds = round;
	}
}

static void test_storm(void)
{
	u8 *mem = mem_alloc(STORM_PAGES * PAGE_SIZE);
	u8 *other = mem_alloc(PAGE_SIZE);
	struct vcpu vcpu;
	struct vm vm;
	u32 seed = 4711;

	guest_create(&vm, &vcpu, 0, guest_storm, 0);
	vm_slot(&vm, SLOT_FREE, 0, GPA, STORM_PAGES * PAGE_SIZE, mem);
	guest_sync(&vcpu, 0);
	vcpu_run_async(&vcpu);
	for (int i = 0; i < STORM_ROUNDS; i++) {
		u64 page;

		seed = seed * 1103515245 + 12345;
		page = (seed >> 16) % STORM_PAGES * PAGE_SIZE;
		switch (seed >> 28 & 3) {
		case 0:
			CHECK_OK(madvise(mem + page, PAGE_SIZE, MADV_DONTNEED));
			break;
		case 1:
			/* a fresh page in its place, the old one reused */
			CHECK(mremap(mem + page, PAGE_SIZE, PAGE_SIZE,
				     MREMAP_MAYMOVE | MREMAP_FIXED,
				     other) == other);
			CHECK(mmap(mem + page, PAGE_SIZE,
				   PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
				   0) == mem + page);
			memset(other, 0xee, PAGE_SIZE);
			break;
		case 2:
			CHECK_OK(mprotect(mem + page, PAGE_SIZE, PROT_READ));
			CHECK_OK(mprotect(mem + page, PAGE_SIZE,
					  PROT_READ | PROT_WRITE));
			break;
		case 3:
			usleep(300);
		}
		if (vcpu_poll(&vcpu, 0)) {
			guest_check(&vcpu);
			/* it may have met a page between unmap and map */
			CHECK_EQ(vcpu.run->exit_reason, MVM_EXIT_MEMORY_FAULT);
			vcpu.run->action = MVM_ACTION_RETRY;
			vcpu_run_async(&vcpu);
		}
	}
	*GUEST_VAR(&vm, storm_stop) = 1;
	while (!vcpu_poll(&vcpu, 5000) ||
	       vcpu.run->exit_reason == MVM_EXIT_MEMORY_FAULT) {
		CHECK_EQ(vcpu.run->exit_reason, MVM_EXIT_MEMORY_FAULT);
		vcpu.run->action = MVM_ACTION_RETRY;
		vcpu_run_async(&vcpu);
	}
	guest_check(&vcpu);
	CHECK(guest_is_done(&vcpu));
	diag("%llu rounds of the guest",
	     (unsigned long long)*GUEST_VAR(&vm, storm_rounds));
	CHECK(*GUEST_VAR(&vm, storm_rounds) > 1);
}

static void test_unmap_ram_destroy(void)
{
	struct vcpu vcpu;
	struct vm vm;

	/* all memory goes while the guest runs: it stops, nothing more */
	open_commands(&vm, &vcpu);
	set_command(&vcpu, OP_WRITE_LOOP, GUEST_FREE, 0);
	vcpu_run_async(&vcpu);
	CHECK(!vcpu_poll(&vcpu, 5));
	CHECK_OK(munmap(vm.ram, vm.ram_size));
	vm.ram = NULL;
	CHECK(vcpu_poll(&vcpu, 5000));
	CHECK_EQ(vcpu.run->exit_reason, MVM_EXIT_MEMORY_FAULT);
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
}

static const struct test tests[] = {
	{ "set_slot: anything not aligned to 4096 gives EINVAL",
	  test_alignment },
	{ "set_slot: wrap, max_gpa, max_slots and kernel addresses are refused",
	  test_limits },
	{ "set_slot: overlapping range gives EEXIST, neighbours do not",
	  test_overlap },
	{ "set_slot: a slot in use gives EEXIST, an absent one ENOENT",
	  test_exists },
	{ "memory: guest and owner see each other's writes", test_both_ways },
	{ "memory: two slots may show the same memory", test_alias },
	{ "memory: a read-only slot reads, executes, and forwards writes",
	  test_read_only },
	{ "memory: a slot that is replaced shows the new memory",
	  test_replace },
	{ "memory: after a removal the running guest has no access",
	  test_remove_running },
	{ "memory: as many slots as max_slots says", test_many },
	{ "memory: up to max_gpa", test_high },
	{ "owner: MADV_DONTNEED shows as zeros to the running guest",
	  test_dontneed },
	{ "owner: munmap gives MEMORY_FAULT, mapping again mends it",
	  test_munmap },
	{ "owner: a slot may name memory that is not there yet",
	  test_no_memory_at_all },
	{ "owner: mprotect holds for the guest", test_mprotect },
	{ "owner: fork parts the memory of guest and child", test_fork_cow },
	{ "owner: memfd, with holes and truncation", test_memfd },
	{ "owner: a private file mapping takes writes, the file does not",
	  test_private_file },
	{ "owner: a page with a memory failure gives EHWPOISON", test_poison },
	{ "owner: mremap moves pages out of and into a slot", test_mremap },
	{ "owner: a transparent huge page, whole and split", test_thp },
	{ "owner: a huge page at an odd offset", test_thp_offset },
	{ "owner: a guest that reads a huge page of zeros leaves no reference to it",
	  test_huge_zero, 60 },
	{ "owner: hugetlb", test_hugetlb },
	{ "owner: KSM merges pages, writes part them", test_ksm },
	{ "owner: a storm of changes shows the guest no foreign page",
	  test_storm, 60 },
	{ "owner: all memory may go under a running guest",
	  test_unmap_ram_destroy },
};

TEST_MAIN(tests)
