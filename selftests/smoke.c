// SPDX-License-Identifier: GPL-2.0-only
/*
 * smoke.c - the smallest guests: the first program to run on a new machine
 *
 * Each test needs a little more of the module than the one before it.
 */
#include <unistd.h>

#include "lib/vm.h"

static void test_info(void)
{
	const struct mvm_info *info = dev_info();

	CHECK_EQ(info->abi_version, MVM_ABI_VERSION);
	CHECK(info->run_size >= sizeof(struct mvm_run));
	CHECK_EQ(info->run_size % PAGE_SIZE, 0);
}

static void test_create(void)
{
	struct vcpu vcpu;
	struct vm vm;

	vm_create(&vm, 0);
	vm_ram(&vm, SZ_64K);
	vcpu_create(&vcpu, &vm, 0);
	CHECK_EQ(vcpu.run->exit_reason, MVM_EXIT_NONE);
	vcpu_destroy(&vcpu);
	vm_destroy(&vm);
}

/* mov $42, %al; out %al, $0x80; hlt */
static const u8 out_code[] = { 0xb0, 42, 0xe6, 0x80, 0xf4 };

static void check_out(struct vcpu *vcpu)
{
	vcpu_run_to(vcpu, MVM_EXIT_IO);
	CHECK_EQ(vcpu->run->io.port, 0x80);
	CHECK_EQ(vcpu->run->io.bytes, 1);
	CHECK_EQ(vcpu->run->io.flags, 0);
	CHECK_EQ(vcpu->run->io.data, 42);
	vcpu_run_to(vcpu, MVM_EXIT_HLT);
}

static void test_out(void)
{
	struct vcpu vcpu;
	struct vm vm;

	vm_create(&vm, MVM_VM_EXIT_HLT);
	vm_ram(&vm, SZ_64K);
	vcpu_create(&vcpu, &vm, 0);
	vcpu_real_code(&vcpu, 0x1000, out_code, sizeof(out_code));
	check_out(&vcpu);
}

static void test_reset(void)
{
	u8 *rom = mem_alloc(SZ_64K);
	struct vcpu vcpu;
	struct vm vm;

	vm_create(&vm, MVM_VM_EXIT_HLT);
	memcpy(rom + 0xfff0, out_code, sizeof(out_code));
	vm_slot(&vm, 0, MVM_SLOT_READONLY, 0xffff0000, SZ_64K, rom);
	vcpu_create(&vcpu, &vm, 0);
	check_out(&vcpu);
}

/*
 *	   xor %cx, %cx
 * 1:	   in $0x60, %al
 *	   inc %ax
 *	   out %al, $0x61
 *	   jmp 1b
 */
static const u8 loop_code[] = { 0x31, 0xc9, 0xe4, 0x60, 0x40,
				0xe6, 0x61, 0xeb, 0xf9 };

static void test_in(void)
{
	struct vcpu vcpu;
	struct vm vm;

	vm_create(&vm, 0);
	vm_ram(&vm, SZ_64K);
	vcpu_create(&vcpu, &vm, 0);
	vcpu_real_code(&vcpu, 0x1000, loop_code, sizeof(loop_code));
	for (unsigned int i = 0; i < 100; i++) {
		vcpu_run_to(&vcpu, MVM_EXIT_IO);
		CHECK_EQ(vcpu.run->io.port, 0x60);
		CHECK_EQ(vcpu.run->io.flags, MVM_IO_IN);
		vcpu.run->io.data = i;
		vcpu_run_to(&vcpu, MVM_EXIT_IO);
		CHECK_EQ(vcpu.run->io.port, 0x61);
		CHECK_EQ(vcpu.run->io.data, i + 1);
	}
}

static void test_memory(void)
{
	/* mov $0x55aa, %ax; mov %ax, 0x3000; hlt */
	static const u8 code[] = { 0xb8, 0xaa, 0x55, 0xa3, 0x00, 0x30, 0xf4 };
	struct vcpu vcpu;
	struct vm vm;

	vm_create(&vm, MVM_VM_EXIT_HLT);
	vm_ram(&vm, SZ_64K);
	vcpu_create(&vcpu, &vm, 0);
	vcpu_real_code(&vcpu, 0x1000, code, sizeof(code));
	vcpu_run_to(&vcpu, MVM_EXIT_HLT);
	CHECK_EQ(*(u16 *)(vm.ram + 0x3000), 0x55aa);
}

static void test_async(void)
{
	struct vcpu vcpu;
	struct vm vm;

	vm_create(&vm, MVM_VM_EXIT_HLT);
	vm_ram(&vm, SZ_64K);
	vcpu_create(&vcpu, &vm, 0);
	vcpu_real_code(&vcpu, 0x1000, out_code, sizeof(out_code));
	vcpu_run_async(&vcpu);
	CHECK(vcpu_poll(&vcpu, 5000));
	CHECK_EQ(vcpu.run->exit_reason, MVM_EXIT_IO);
	vcpu_run_async(&vcpu);
	CHECK(vcpu_poll(&vcpu, 5000));
	CHECK_EQ(vcpu.run->exit_reason, MVM_EXIT_HLT);
}

static void test_kick(void)
{
	static const u8 spin[] = { 0xeb, 0xfe };
	struct vcpu vcpu;
	struct vm vm;

	vm_create(&vm, 0);
	vm_ram(&vm, SZ_64K);
	vcpu_create(&vcpu, &vm, 0);
	vcpu_real_code(&vcpu, 0x1000, spin, sizeof(spin));
	vcpu_run_async(&vcpu);
	CHECK(!vcpu_poll(&vcpu, 20));
	CHECK_EQ(vcpu_stop(&vcpu), MVM_EXIT_INTR);
	CHECK_EQ(vcpu.run->rip, 0x1000);
}

static const struct test tests[] = {
	{ "get_info: reports this ABI version", test_info },
	{ "create: a VM with memory and a vCPU comes and goes", test_create },
	{ "run: a real-mode guest's OUT and HLT end runs", test_out },
	{ "run: a new vCPU starts at the reset vector", test_reset },
	{ "run: IN takes the answer of user space, 100 times", test_in },
	{ "run: a guest's write arrives in the owner's memory", test_memory },
	{ "run: asynchronous runs end with poll", test_async },
	{ "kick: immediate_exit ends a guest that spins", test_kick },
};

TEST_MAIN(tests)
