// SPDX-License-Identifier: GPL-2.0-only
/*
 * borrow.c - beside KVM on the same CPU: VMX is KVM's while it has a VM, and
 * both compute right; KVM comes and goes while a VM runs
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/guest.h"
#include "lib/host.h"
#include "lib/proc.h"

/*
 * The guest of KVM, in real mode: adds 1 to 1000 as 32-bit numbers in memory,
 * shows the sum at port 0x10, and does it again.
 */
GUEST_CODE(kvm_code, 16,
	   "again: xor %eax, %eax\n"
	   "mov %eax, 0x2000\n"
	   "mov $1000, %ecx\n"
	   "1: add %ecx, 0x2000\n"
	   "dec %ecx\n"
	   "jnz 1b\n"
	   "mov 0x2000, %eax\n"
	   "outl %eax, $0x10\n"
	   "jmp again\n");

/**
 * struct kvm - a VM of KVM
 * @dev:	/dev/kvm
 * @vm:		the VM
 * @vcpu:	its vCPU
 * @run:	its shared page
 * @mem:	64 KiB of memory
 * @turns:	sums that were right
 * @end:	tells the thread to end
 * @error:	what went wrong, or NULL
 */
struct kvm {
	int dev, vm, vcpu;
	struct kvm_run *run;
	long run_size;
	u8 *mem;
	volatile u32 turns;
	volatile bool end;
	const char *volatile error;
};

static bool kvm_loaded(void)
{
	return access("/sys/module/kvm_intel", F_OK) == 0;
}

static void kvm_load(void)
{
	if (!kvm_loaded() &&
	    system("modprobe kvm_intel enable_apicv=0 2>/dev/null"))
		test_skip("kvm_intel cannot be loaded");
	for (int i = 0; i < 100 && access("/dev/kvm", F_OK); i++)
		usleep(10000);
	if (access("/dev/kvm", R_OK | W_OK))
		test_skip("/dev/kvm: %m");
}

static bool kvm_unload(void)
{
	return syscall(SYS_delete_module, "kvm_intel", O_NONBLOCK) == 0;
}

static void kvm_open(struct kvm *k)
{
	struct kvm_userspace_memory_region region = {
		.memory_size = SZ_64K,
	};
	struct kvm_sregs sregs;
	struct kvm_regs regs = { .rip = 0x1000, .rflags = 2, .rsp = 0x7000 };

	memset(k, 0, sizeof(*k));
	k->dev = CHECK_OK(open("/dev/kvm", O_RDWR | O_CLOEXEC));
	k->vm = CHECK_OK(ioctl(k->dev, KVM_CREATE_VM, 0));
	k->mem = mem_alloc(SZ_64K);
	memcpy(k->mem + 0x1000, kvm_code, GUEST_CODE_SIZE(kvm_code));
	region.userspace_addr = (u64)k->mem;
	CHECK_OK(ioctl(k->vm, KVM_SET_USER_MEMORY_REGION, &region));
	k->vcpu = CHECK_OK(ioctl(k->vm, KVM_CREATE_VCPU, 0));
	k->run_size = CHECK_OK(ioctl(k->dev, KVM_GET_VCPU_MMAP_SIZE, 0));
	k->run = mmap(NULL, k->run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		      k->vcpu, 0);
	CHECK(k->run != MAP_FAILED);
	CHECK_OK(ioctl(k->vcpu, KVM_GET_SREGS, &sregs));
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	CHECK_OK(ioctl(k->vcpu, KVM_SET_SREGS, &sregs));
	CHECK_OK(ioctl(k->vcpu, KVM_SET_REGS, &regs));
}

static void kvm_close(struct kvm *k)
{
	munmap(k->run, k->run_size);
	close(k->vcpu);
	close(k->vm);
	close(k->dev);
	munmap(k->mem, SZ_64K);
}

/* One sum. */
static bool kvm_turn(struct kvm *k)
{
	int r;

	do {
		r = ioctl(k->vcpu, KVM_RUN, 0);
	} while (r && errno == EINTR);
	if (r) {
		k->error = "KVM_RUN fails";
		return false;
	}
	if (k->run->exit_reason != KVM_EXIT_IO || k->run->io.port != 0x10) {
		static char text[80];

		snprintf(text, sizeof(text), "KVM's exit reason is %u",
			 k->run->exit_reason);
		k->error = text;
		return false;
	}
	if (*(u32 *)((u8 *)k->run + k->run->io.data_offset) != 500500) {
		k->error = "KVM's guest adds wrong";
		return false;
	}
	k->turns++;
	return true;
}

static void *kvm_thread(void *arg)
{
	struct kvm *k = arg;

	while (!k->end && kvm_turn(k))
		;
	return NULL;
}

/* ------------------------------------------------------------------------
 * Our own guest: the same sum and a look at its registers
 */

static volatile u64 sum;

static void guest_sums(u64 rounds)
{
	gwrmsr(MSR_LSTAR, 0x12345);
	gwrmsr(MSR_KERNEL_GS_BASE, 0x54321);
	for (u64 i = 0; i < rounds; i++) {
		u32 r[4];

		sum = 0;
		for (u32 n = 1; n <= 1000; n++)
			sum += n;
		GUEST_EQ(sum, 500500);
		gcpuid(0, 0, r);
		GUEST_EQ(grdmsr(MSR_LSTAR), 0x12345);
		GUEST_EQ(grdmsr(MSR_KERNEL_GS_BASE), 0x54321);
		if (i % 8 == 0)
			GUEST_SYNC(i);
	}
}

/* Our guest, alone, to its end. */
static void run_ours(u64 rounds)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_sums, rounds);
	for (u64 i = 0; i < rounds; i += 8)
		guest_sync(&vcpu, i);
	guest_done(&vcpu);
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
}

static void test_turns(void)
{
	struct vcpu vcpu;
	struct vm vm;
	struct kvm k;

	dev_fd();
	kvm_load();
	host_pin();
	kvm_open(&k);
	guest_create(&vm, &vcpu, 0, guest_sums, 80);
	pin_tasks("mvm-selftest", 0);
	for (u64 i = 0; i < 80; i += 8) {
		guest_sync(&vcpu, i);
		for (int j = 0; j < 3; j++)
			if (!kvm_turn(&k))
				FAIL("%s", k.error);
	}
	guest_done(&vcpu);
	kvm_close(&k);
}

static void test_together(void)
{
	pthread_t thread;
	struct kvm k;
	u32 before;

	dev_fd();
	kvm_load();
	host_pin();
	run_ours(16);
	kvm_open(&k);
	CHECK_EQ(pthread_create(&thread, NULL, kvm_thread, &k), 0);
	run_ours(400);
	/* KVM has come on meanwhile, and goes on after us */
	before = k.turns;
	for (int ms = 0; k.turns < before + 20 && !k.error; ms++) {
		CHECK(ms < 5000);
		usleep(1000);
	}
	k.end = true;
	pthread_join(thread, NULL);
	if (k.error)
		FAIL("%s", k.error);
	diag("%u sums by KVM", k.turns);
	CHECK(before > 0);
	kvm_close(&k);
	run_ours(16);
}

/* KVM is loaded, gets a VM, loses it, is unloaded, while our vCPU runs. */
static void test_come_and_go(void)
{
	struct host_state before, after;
	struct vcpu vcpu;
	struct vm vm;
	struct kvm k;
	u64 expect = 0;

	dev_fd();
	kvm_load();
	host_pin();
	host_read(&before);
	guest_create(&vm, &vcpu, 0, guest_sums, 100000);
	pin_tasks("mvm-selftest", 0);
	vcpu_run_async(&vcpu);
	for (int round = 0; round < 4; round++) {
		if (round == 1 && !kvm_unload())
			test_skip("kvm_intel is in use elsewhere");
		if (round == 2)
			kvm_load();
		if (round != 1) {
			kvm_open(&k);
			for (int i = 0; i < 10; i++)
				if (!kvm_turn(&k))
					FAIL("%s", k.error);
			kvm_close(&k);
		}
		/* ours has come on */
		for (int i = 0; i < 20; i++) {
			CHECK(vcpu_poll(&vcpu, 5000));
			guest_check(&vcpu);
			CHECK(guest_is_sync(&vcpu, expect));
			expect += 8;
			vcpu_run_async(&vcpu);
		}
	}
	vcpu_stop(&vcpu);
	guest_check(&vcpu);
	host_read(&after);
	host_compare(&before, &after);
}

/* MVM_CAP_BORROW: VMX was in use when the module was loaded. */
static void check_capability(bool want)
{
	pid_t pid;

	if (module_unload())
		test_skip("the module is in use elsewhere");
	CHECK_OK(module_load());
	pid = CHECK_OK(fork());
	if (!pid) {
		/* a process of its own: the descriptor must go again */
		CHECK_EQ(!!(dev_info()->capabilities & MVM_CAP_BORROW), want);
		run_ours(8);
		_exit(0);
	}
	wait_child(pid);
	wait_module_refs(0, "mvm-selftest");
}

static void test_capability(void)
{
	struct kvm k;

	if (module_refs())
		test_skip("the module is in use elsewhere, or not there");
	kvm_load();
	/* a look first at whether it can be loaded again */
	if (!module_load() || errno != EEXIST)
		FAIL("loading twice: errno %d (%m), not EEXIST", errno);
	kvm_open(&k);
	check_capability(true);
	kvm_close(&k);
	if (kvm_unload())
		check_capability(false);
}

static const struct test tests[] = {
	{ "kvm: in turns with ours", test_turns, 60 },
	{ "kvm: a running VM beside ours", test_together, 90 },
	{ "kvm: loaded and unloaded while ours runs", test_come_and_go, 90 },
	{ "kvm: the module says whether VMX was in use when it was loaded",
	  test_capability, 60 },
};

TEST_MAIN(tests)
