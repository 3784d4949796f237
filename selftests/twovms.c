// SPDX-License-Identifier: GPL-2.0-only
/*
 * twovms.c - several VMs at once on one CPU: each has its own memory, registers
 * and results
 */
#include <stdio.h>
#include <unistd.h>

#include "lib/guest.h"
#include "lib/host.h"
#include "lib/proc.h"

#define VMS	4

static u64 xorshift(u64 x)
{
	x ^= x << 13;
	x ^= x >> 7;
	return x ^ x << 17;
}

static u64 compute(u64 seed, u64 n)
{
	while (n--)
		seed = xorshift(seed);
	return seed;
}

/*
 * Each guest marks registers and memory with its number and looks after them
 * while it computes.
 */
static volatile u64 result;

static void guest_distinct(u64 id)
{
	volatile u64 *mem = (u64 *)GUEST_FREE;
	u64 x = id;

	gwrmsr(MSR_LSTAR, 0x10000 * id);
	gwrmsr(MSR_KERNEL_GS_BASE, 0x20000 * id);
	gwrmsr(MSR_GS_BASE, 0x30000 * id);
	gwrmsr(MSR_SYSENTER_EIP, 0x40000 * id);
	gwrite_dr0(0x1000 * id);
	gwrite_dr3(0x3000 * id);
	gwrite_cr2(0x5000 * id);
	gwrite_cr8(id);
	for (u32 i = 0; i < 64; i++)
		mem[i * 512] = id << 32 | i;
	for (u32 round = 0; round < 40; round++) {
		if (round % 4 == 0)
			GUEST_SYNC(round);
		x = compute(x, 2000);
		GUEST_EQ(grdmsr(MSR_LSTAR), 0x10000 * id);
		GUEST_EQ(grdmsr(MSR_KERNEL_GS_BASE), 0x20000 * id);
		GUEST_EQ(grdmsr(MSR_GS_BASE), 0x30000 * id);
		GUEST_EQ(grdmsr(MSR_SYSENTER_EIP), 0x40000 * id);
		GUEST_EQ(gread_dr0(), 0x1000 * id);
		GUEST_EQ(gread_dr3(), 0x3000 * id);
		GUEST_EQ(gread_cr2(), 0x5000 * id);
		GUEST_EQ(gread_cr8(), id);
		for (u32 i = 0; i < 64; i++)
			GUEST_EQ(mem[i * 512], id << 32 | i);
	}
	result = x;
}

static void test_turns(void)
{
	struct vcpu vcpu[VMS];
	struct vm vm[VMS];

	for (u32 i = 0; i < VMS; i++)
		guest_create(&vm[i], &vcpu[i], 0, guest_distinct, i + 1);
	for (u32 round = 0; round < 40; round += 4)
		for (u32 i = 0; i < VMS; i++)
			guest_sync(&vcpu[i], round);
	for (u32 i = 0; i < VMS; i++) {
		guest_done(&vcpu[i]);
		CHECK_EQ(*GUEST_VAR(&vm[i], result), compute(i + 1, 80000));
	}
}

static void test_together(void)
{
	struct vcpu vcpu[VMS];
	struct vm vm[VMS];
	u32 done = 0;

	host_pin();
	for (u32 i = 0; i < VMS; i++)
		guest_create(&vm[i], &vcpu[i], 0, guest_distinct, i + 1);
	CHECK_EQ(pin_tasks("mvm-selftest", 0), VMS);
	for (u32 i = 0; i < VMS; i++)
		vcpu_run_async(&vcpu[i]);
	while (done != (1 << VMS) - 1) {
		for (u32 i = 0; i < VMS; i++) {
			if (done & 1 << i)
				continue;
			if (!vcpu_poll(&vcpu[i], 10))
				continue;
			guest_check(&vcpu[i]);
			if (guest_is_done(&vcpu[i]))
				done |= 1 << i;
			else
				vcpu_run_async(&vcpu[i]);
		}
	}
	for (u32 i = 0; i < VMS; i++)
		CHECK_EQ(*GUEST_VAR(&vm[i], result), compute(i + 1, 80000));
}

static void guest_compute(u64 seed)
{
	result = compute(seed, 400000);
}

/* They do not wait for each other's end. */
static void test_spinning(void)
{
	struct vcpu vcpu[2];
	struct vm vm[2];

	host_pin();
	guest_create(&vm[0], &vcpu[0], 0, guest_compute, 1);
	guest_create(&vm[1], &vcpu[1], 0, guest_compute, 2);
	/* one that never exits beside one that ends */
	vcpu_real_mode(&vcpu[0], 0, 0x100);
	memcpy(vm[0].ram + 0x100, "\xfa\xeb\xfe", 3);
	pin_tasks("mvm-selftest", 0);
	vcpu_run_async(&vcpu[0]);
	vcpu_run_async(&vcpu[1]);
	CHECK(vcpu_poll(&vcpu[1], 10000));
	guest_check(&vcpu[1]);
	CHECK(guest_is_done(&vcpu[1]));
	CHECK_EQ(*GUEST_VAR(&vm[1], result), compute(2, 400000));
	CHECK(!vcpu_poll(&vcpu[0], 0));
	CHECK_EQ(vcpu_stop(&vcpu[0]), MVM_EXIT_INTR);
}

/* The same owner's memory in two VMs. */
static volatile u64 counter_gpa;

static void guest_increment(u64 n)
{
	volatile u64 *counter = (u64 *)counter_gpa;

	while (n--)
		asm volatile("lock incq %0" : "+m"(*counter) : : "memory");
}

static void test_shared(void)
{
	u64 *mem = mem_alloc(PAGE_SIZE);
	struct vcpu vcpu[2];
	struct vm vm[2];

	for (u32 i = 0; i < 2; i++) {
		u64 gpa = 0x10000000 + i * 0x1000000;

		guest_create(&vm[i], &vcpu[i], 0, guest_increment, 50000);
		vm_slot(&vm[i], SLOT_FREE, 0, gpa, PAGE_SIZE, mem);
		*GUEST_VAR(&vm[i], counter_gpa) = gpa;
	}
	for (u32 i = 0; i < 2; i++)
		vcpu_run_async(&vcpu[i]);
	for (u32 i = 0; i < 2; i++) {
		CHECK(vcpu_poll(&vcpu[i], 10000));
		guest_check(&vcpu[i]);
		CHECK(guest_is_done(&vcpu[i]));
	}
	CHECK_EQ(*mem, 100000);
}

/* Two vCPUs of one VM. */
static volatile u64 smp_counter, smp_turn;

static void guest_smp(u64 id)
{
	for (u32 i = 0; i < 30; i++) {
		/* in turns: each sees the other's write */
		while (smp_turn % 2 != id)
			gpause();
		smp_turn++;
	}
	for (u32 i = 0; i < 20000; i++)
		asm volatile("lock incq %0" : "+m"(smp_counter) : : "memory");
}

static void test_two_vcpus(void)
{
	struct vcpu vcpu[2];
	struct vm vm;

	if (dev_info()->max_vcpus < 2)
		test_skip("max_vcpus is 1");
	guest_create(&vm, &vcpu[0], 0, guest_smp, 0);
	vcpu_create(&vcpu[1], &vm, 1);
	guest_vcpu(&vcpu[1], guest_smp, 1);
	for (u32 i = 0; i < 2; i++)
		vcpu_run_async(&vcpu[i]);
	for (u32 i = 0; i < 2; i++) {
		CHECK(vcpu_poll(&vcpu[i], 15000));
		guest_check(&vcpu[i]);
		CHECK(guest_is_done(&vcpu[i]));
	}
	CHECK_EQ(*GUEST_VAR(&vm, smp_counter), 40000);
	CHECK_EQ(*GUEST_VAR(&vm, smp_turn), 60);
}

static const struct test tests[] = {
	{ "vms: four in turns keep registers and memory apart", test_turns },
	{ "vms: four at once on one CPU keep registers and memory apart",
	  test_together, 60 },
	{ "vms: one that spins does not stop another", test_spinning, 40 },
	{ "vms: two share memory that their owner gives both", test_shared },
	{ "vcpus: two of one VM see each other's writes", test_two_vcpus, 40 },
};

TEST_MAIN(tests)
