// SPDX-License-Identifier: GPL-2.0-only
/*
 * fpu.c - x87, SSE and AVX registers of guests and of the host: nobody loses or
 * sees another's
 *
 * The program is compiled without FPU code of its own; everything here is
 * written out.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/guest.h"

#define XCR0_AVX	4

/* ------------------------------------------------------------------------
 * Registers as bytes
 */

struct fpu_image {
	u8 fx[512] __attribute__((aligned(64)));	/* FXSAVE */
	u8 high[16][16];				/* upper halves of YMM */
} __attribute__((aligned(64)));

static void make_pattern(struct fpu_image *p, u64 seed)
{
	u8 *b = (u8 *)p;

	for (u32 i = 0; i < sizeof(*p); i++) {
		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		b[i] = seed >> 56;
	}
	/* control words that are possible; no exception pending */
	*(u16 *)&p->fx[0] = 0x37f & ~(0xc00 * (seed & 1));
	*(u16 *)&p->fx[2] = 0;
	p->fx[4] = 0xff;
	p->fx[5] = 0;
	*(u16 *)&p->fx[6] = 0;
	*(u64 *)&p->fx[8] = 0;
	*(u64 *)&p->fx[16] = 0;
	*(u32 *)&p->fx[24] = 0x1f80 | (seed >> 1 & 3) << 13;
	*(u32 *)&p->fx[28] = 0;
	for (u32 i = 0; i < 8; i++) {
		u8 *st = &p->fx[32 + 16 * i];

		/* a normal number: FXSAVE keeps 10 bytes */
		st[7] |= 0x80;
		st[8] = 0x10;
		st[9] = 0x40;
		for (u32 j = 10; j < 16; j++)
			st[j] = 0;
	}
	for (u32 i = 416; i < 512; i++)
		p->fx[i] = 0;
}

#define FOR_16(x)                                                              \
	x(0) x(1) x(2) x(3) x(4) x(5) x(6) x(7) x(8) x(9) x(10) x(11) x(12)    \
		x(13) x(14) x(15)
#define LOAD_HIGH(n)                                                           \
	"vinsertf128 $1, 16*" #n "(%[h]), %%ymm" #n ", %%ymm" #n "\n\t"
#define STORE_HIGH(n)                                                          \
	"vextractf128 $1, %%ymm" #n ", 16*" #n "(%[h])\n\t"

static void load_fpu(const struct fpu_image *p, bool avx)
{
	asm volatile("fxrstor64 %0" : : "m"(p->fx[0]) : "memory");
	if (avx)
		asm volatile(FOR_16(LOAD_HIGH) : : [h] "r"(p->high) : "memory");
}

static void store_fpu(struct fpu_image *p, bool avx)
{
	if (avx)
		asm volatile(FOR_16(STORE_HIGH) : : [h] "r"(p->high) : "memory");
	asm volatile("fxsave64 %0" : "=m"(p->fx[0]) : : "memory");
}

/* The bytes in which FXSAVE stores registers; AMD and Bochs leave others. */
static u32 fpu_differs(const struct fpu_image *a, const struct fpu_image *b,
		       bool avx)
{
	for (u32 i = 0; i < 416; i++) {
		/* last opcode and addresses; MXCSR_MASK */
		if ((i >= 6 && i < 24) || (i >= 28 && i < 32))
			continue;
		/* six bytes beside each x87 register */
		if (i >= 32 && i < 160 && i % 16 >= 10)
			continue;
		if (a->fx[i] != b->fx[i])
			return i + 1;
	}
	for (u32 i = 0; avx && i < 256; i++)
		if (a->high[i / 16][i % 16] != b->high[i / 16][i % 16])
			return 1000 + i;
	return 0;
}

/* Host: hold registers for a while in one piece of code, then look at them. */
static void host_hold(const struct fpu_image *p, struct fpu_image *out, bool avx,
		      u64 rounds)
{
	if (avx)
		asm volatile("fxrstor64 (%[p])\n\t"
			     "mov %[hi], %[h]\n\t" FOR_16(LOAD_HIGH)
			     "1: pause\n\t"
			     "dec %[n]\n\t"
			     "jnz 1b\n\t"
			     "mov %[ho], %[h]\n\t" FOR_16(STORE_HIGH)
			     "fxsave64 (%[o])\n\t"
			     "vzeroupper"
			     : [n] "+r"(rounds), [h] "=&r"((u64){ 0 })
			     : [p] "r"(p->fx), [o] "r"(out->fx),
			       [hi] "r"(p->high), [ho] "r"(out->high)
			     : "memory", "cc");
	else
		asm volatile("fxrstor64 (%[p])\n"
			     "1: pause\n\t"
			     "dec %[n]\n\t"
			     "jnz 1b\n\t"
			     "fxsave64 (%[o])"
			     : [n] "+r"(rounds)
			     : [p] "r"(p->fx), [o] "r"(out->fx)
			     : "memory", "cc");
	asm volatile("fninit");
}

static bool have_avx(void)
{
	return dev_info()->xcr0_mask & XCR0_AVX;
}

/* ------------------------------------------------------------------------
 * Guests
 */

static struct fpu_image pattern, now;
static volatile u32 rounds, how;

enum { HOW_EXITS, HOW_SPIN };

static void enable_avx(bool avx)
{
	gwrite_cr0(gread_cr0() & ~(X86_CR0_EM | X86_CR0_TS));
	if (!avx)
		return;
	gwrite_cr4(gread_cr4() | X86_CR4_OSXSAVE);
	asm volatile("xsetbv" : : "a"(7), "d"(0), "c"(0));
}

static void guest_keep(u64 avx)
{
	enable_avx(avx);
	load_fpu(&pattern, avx);
	for (u32 i = 0; i < rounds; i++) {
		if (how == HOW_EXITS)
			gout32(0x80, i);
		else
			for (u32 j = 0; j < 2000; j++)
				gpause();
		store_fpu(&now, avx);
		GUEST_EQ(fpu_differs(&pattern, &now, avx), 0);
	}
}

static void make_guest(struct vm *vm, struct vcpu *vcpu, u32 way, u32 n, u64 seed)
{
	guest_create(vm, vcpu, 0, guest_keep, have_avx());
	make_pattern(GUEST_VAR(vm, pattern), seed);
	*GUEST_VAR(vm, how) = way;
	*GUEST_VAR(vm, rounds) = n;
}

static void test_exits(void)
{
	struct fpu_image trash;
	struct vcpu vcpu;
	struct vm vm;

	make_guest(&vm, &vcpu, HOW_EXITS, 50, 1);
	for (u32 i = 0; i < 50; i++) {
		make_pattern(&trash, 1000 + i);
		load_fpu(&trash, have_avx());
		guest_exit(&vcpu, MVM_EXIT_IO);
		CHECK_EQ(vcpu.run->io.data, i);
	}
	asm volatile("fninit");
	guest_done(&vcpu);
}

static void test_preempted(void)
{
	struct fpu_image mine, out;
	struct vcpu vcpu;
	struct vm vm;
	u32 i;

	make_guest(&vm, &vcpu, HOW_SPIN, 200, 2);
	vcpu_run_async(&vcpu);
	for (i = 0; i < 1000 && !vcpu_poll(&vcpu, 0); i++) {
		make_pattern(&mine, 3 + i);
		host_hold(&mine, &out, have_avx(), 20000);
		CHECK_EQ(fpu_differs(&mine, &out, have_avx()), 0);
		sched_yield();
	}
	CHECK(vcpu_poll(&vcpu, 10000));
	guest_check(&vcpu);
	CHECK(guest_is_done(&vcpu));
	diag("%u turns of the host", i);
}

static void test_two_guests(void)
{
	struct vcpu a, b;
	struct vm va, vb;

	make_guest(&va, &a, HOW_SPIN, 100, 4);
	make_guest(&vb, &b, HOW_SPIN, 100, 5);
	vcpu_run_async(&a);
	vcpu_run_async(&b);
	CHECK(vcpu_poll(&a, 15000));
	CHECK(vcpu_poll(&b, 15000));
	guest_check(&a);
	guest_check(&b);
	CHECK(guest_is_done(&a));
	CHECK(guest_is_done(&b));
}

static void guest_trash(u64 avx)
{
	enable_avx(avx);
	for (;;) {
		load_fpu(&pattern, avx);
		for (u32 i = 0; i < 100; i++)
			gpause();
	}
}

static void test_host(void)
{
	struct fpu_image mine, out;
	struct vcpu vcpu;
	struct vm vm;
	u32 differs = 0;

	guest_create(&vm, &vcpu, 0, guest_trash, have_avx());
	make_pattern(GUEST_VAR(&vm, pattern), 6);
	vcpu_run_async(&vcpu);
	CHECK(!vcpu_poll(&vcpu, 10));
	for (u32 i = 0; i < 10; i++) {
		make_pattern(&mine, 7 + i);
		host_hold(&mine, &out, have_avx(), 1000000);
		differs |= fpu_differs(&mine, &out, have_avx());
	}
	CHECK_EQ(differs, 0);
	CHECK_EQ(vcpu_stop(&vcpu), MVM_EXIT_INTR);
}

/* ------------------------------------------------------------------------
 * MVM_GET_XSAVE, MVM_SET_XSAVE
 */

static u8 image[16384] __attribute__((aligned(64)));

static int xsave_ioctl(struct vcpu *vcpu, unsigned int cmd)
{
	struct mvm_xsave x = {
		.length = dev_info()->xsave_size, .buffer = (u64)image
	};

	CHECK(x.length <= sizeof(image));
	return mvm_ioctl(vcpu->fd, cmd, &x);
}

static void guest_xsave(u64 avx)
{
	enable_avx(avx);
	load_fpu(&pattern, avx);
	GUEST_SYNC(1);
	store_fpu(&now, avx);
	/* what user space put there; the lowest bit of each register */
	for (u32 i = 0; i < 16; i++) {
		pattern.fx[160 + 16 * i] ^= 1;
		pattern.high[i][15] ^= 0x80;
	}
	GUEST_EQ(fpu_differs(&pattern, &now, avx), 0);
	GUEST_SYNC(2);
	store_fpu(&now, avx);
	GUEST_EQ(fpu_differs(&pattern, &now, avx), 0);
}

static void test_xsave(void)
{
	struct fpu_image want;
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_xsave, have_avx());
	make_pattern(GUEST_VAR(&vm, pattern), 8);
	make_pattern(&want, 8);
	guest_sync(&vcpu, 1);
	CHECK_OK(xsave_ioctl(&vcpu, MVM_GET_XSAVE));
	/* the standard format: FXSAVE first, YMM halves at 576 */
	for (u32 i = 160; i < 416; i++)
		CHECK_EQ(image[i], want.fx[i]);
	CHECK_EQ(*(u32 *)(image + 24), *(u32 *)(want.fx + 24));
	CHECK_EQ(*(u16 *)image, *(u16 *)want.fx);
	if (dev_info()->xcr0_mask)
		CHECK_EQ(*(u64 *)(image + 512) & 3, 3);
	if (have_avx()) {
		CHECK_EQ(*(u64 *)(image + 512) & 7, 7);
		CHECK(!memcmp(image + 576, want.high, 256));
	}
	for (u32 i = 0; i < 16; i++) {
		image[160 + 16 * i] ^= 1;
		if (have_avx())
			image[576 + 16 * i + 15] ^= 0x80;
	}
	CHECK_OK(xsave_ioctl(&vcpu, MVM_SET_XSAVE));
	guest_sync(&vcpu, 2);
	/* get and set without a change is no change */
	CHECK_OK(xsave_ioctl(&vcpu, MVM_GET_XSAVE));
	CHECK_OK(xsave_ioctl(&vcpu, MVM_SET_XSAVE));
	guest_done(&vcpu);
}

static void guest_init_state(u64 avx)
{
	enable_avx(avx);
	store_fpu(&now, avx);
	for (u32 i = 160; i < 416; i++)
		GUEST_EQ(now.fx[i], 0);
	GUEST_EQ(*(u32 *)&now.fx[24], 0x1f80);
	for (u32 i = 0; avx && i < 256; i++)
		GUEST_EQ(now.high[i / 16][i % 16], 0);
}

/* Nothing of the host's or of another guest's registers shows. */
static void test_init_state(void)
{
	struct fpu_image trash;
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_init_state, have_avx());
	make_pattern(&trash, 9);
	load_fpu(&trash, have_avx());
	guest_run(&vcpu);
	asm volatile("fninit");
	CHECK(guest_is_done(&vcpu));
}

static void test_refused(void)
{
	struct vcpu vcpu;
	struct vm vm;
	u64 mask = dev_info()->xcr0_mask;

	guest_create(&vm, &vcpu, 0, guest_keep, 0);
	CHECK_OK(xsave_ioctl(&vcpu, MVM_GET_XSAVE));
#define REFUSED(type, offset, value)                                           \
	do {                                                                   \
		type *p_ = (type *)(image + (offset)), old_ = *p_;             \
		*p_ = (value);                                                 \
		if (xsave_ioctl(&vcpu, MVM_SET_XSAVE) != -1 ||                 \
		    errno != EINVAL)                                           \
			FAIL("%s at %d is not refused", #value, offset);       \
		*p_ = old_;                                                    \
	} while (0)
	REFUSED(u32, 24, 0xffffffff);
	REFUSED(u32, 24, 0x1f80 | 1 << 16);
	if (!mask)
		return;
	/* XSTATE_BV, XCOMP_BV, and the bytes behind them */
	REFUSED(u64, 512, 1UL << 63);
	REFUSED(u64, 512, ~mask);
	REFUSED(u64, 520, 1UL << 63);
	REFUSED(u64, 520, 1);
	for (int i = 528; i < 576; i += 5)
		REFUSED(u8, i, 1);
	CHECK_OK(xsave_ioctl(&vcpu, MVM_SET_XSAVE));
	/* components may be absent: they take their initial state */
	*(u64 *)(image + 512) = 0;
	CHECK_OK(xsave_ioctl(&vcpu, MVM_SET_XSAVE));
}

static void guest_size(u64 mask)
{
	u32 r[4];

	gwrite_cr4(gread_cr4() | X86_CR4_OSXSAVE);
	asm volatile("xsetbv" : : "a"((u32)mask), "d"((u32)(mask >> 32)), "c"(0));
	gcpuid(0xd, 0, r);
	GUEST_SYNC(r[1]);
	GUEST_EQ(r[0] | (u64)r[3] << 32, mask);
}

static void test_size(void)
{
	struct vcpu vcpu;
	struct vm vm;

	if (!dev_info()->xcr0_mask)
		test_skip("no XSAVE on this machine");
	guest_create(&vm, &vcpu, 0, guest_size, dev_info()->xcr0_mask);
	guest_sync(&vcpu, dev_info()->xsave_size);
	guest_done(&vcpu);
}

/* ------------------------------------------------------------------------
 * Exceptions
 */

static u64 vmovups_trap(void)
{
	asm volatile(TRY("vmovups %%ymm0, %%ymm1") : : : "memory");
	return guest_trap.vector;
}

static u64 movups_trap(void)
{
	asm volatile(TRY("movups %%xmm0, %%xmm1") : : : "memory");
	return guest_trap.vector;
}

static u64 fnop_trap(void)
{
	asm volatile(TRY("fnop") : : : "memory");
	return guest_trap.vector;
}

static void guest_traps(u64 avx)
{
	static const u32 bad_mxcsr = 0x1f80 | 1 << 16, unmasked = 0, zero = 0;
	static const u16 fcw = 0x37b;
	u64 cr0 = gread_cr0(), cr4 = gread_cr4();

	GUEST_EQ(movups_trap(), NO_TRAP);
	gwrite_cr0(cr0 | X86_CR0_TS);
	GUEST_EQ(movups_trap(), 7);
	GUEST_EQ(fnop_trap(), 7);
	asm volatile("clts");
	GUEST_EQ(movups_trap(), NO_TRAP);
	gwrite_cr0(cr0 | X86_CR0_EM);
	GUEST_EQ(movups_trap(), 6);
	GUEST_EQ(fnop_trap(), 7);
	gwrite_cr0(cr0);
	gwrite_cr4(cr4 & ~X86_CR4_OSFXSR);
	GUEST_EQ(movups_trap(), 6);
	gwrite_cr4(cr4);
	/* x87: divide by zero unmasked, reported by the next instruction */
	asm volatile("fninit; fldcw %0; fld1; fdivs %1"
		     : : "m"(fcw), "m"(zero));
	asm volatile(TRY("fwait") : : : "memory");
	GUEST_EQ(guest_trap.vector, 16);
	asm volatile("fninit");
	/* SSE: the same at once */
	asm volatile("ldmxcsr %0" : : "m"(unmasked));
	asm volatile("xorps %%xmm1, %%xmm1; pcmpeqd %%xmm0, %%xmm0\n\t"
		     "psrld $25, %%xmm0; pslld $23, %%xmm0" : : : "memory");
	asm volatile(TRY("divps %%xmm1, %%xmm0") : : : "memory");
	GUEST_EQ(guest_trap.vector, 19);
	asm volatile(TRY("ldmxcsr %0") : : "m"(bad_mxcsr) : "memory");
	GUEST_EQ(guest_trap.vector, 13);
	/* AVX: only with OSXSAVE and its bit in XCR0 */
	GUEST_EQ(vmovups_trap(), 6);
	if (!avx)
		return;
	gwrite_cr4(cr4 | X86_CR4_OSXSAVE);
	GUEST_EQ(vmovups_trap(), 6);
	asm volatile("xsetbv" : : "a"(3), "d"(0), "c"(0));
	GUEST_EQ(vmovups_trap(), 6);
	asm volatile("xsetbv" : : "a"(7), "d"(0), "c"(0));
	GUEST_EQ(vmovups_trap(), NO_TRAP);
	gwrite_cr0(cr0 | X86_CR0_TS);
	GUEST_EQ(vmovups_trap(), 7);
}

static void test_traps(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_traps, have_avx());
	guest_done(&vcpu);
}

static const struct test tests[] = {
	{ "registers: survive exits to user space, which uses its own",
	  test_exits },
	{ "registers: survive preemption by a host thread, and it too",
	  test_preempted, 40 },
	{ "registers: two guests have their own", test_two_guests, 40 },
	{ "registers: a guest that fills them harms no host thread",
	  test_host, 40 },
	{ "registers: a new vCPU's are in their initial state",
	  test_init_state },
	{ "xsave: get shows the guest's, set changes them", test_xsave },
	{ "xsave: headers and MXCSR with reserved bits give EINVAL",
	  test_refused },
	{ "xsave: size and components agree with CPUID", test_size },
	{ "exceptions: #NM, #UD, #MF, #XM and #GP arrive", test_traps },
};

TEST_MAIN(tests)
