/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guest.h - guests in 64-bit mode, written as functions of the test program
 *
 * guest_create() copies the program's whole image (text, data, strings) into
 * the guest's memory at the addresses it was linked for and maps guest memory
 * one to one, so a function and the strings and globals it uses mean the same
 * on both sides.  The guest has its own copy of the globals: GUEST_VAR() gives
 * the host access to it.
 *
 * A guest function must not call the C library.  It returns to end the guest
 * (the host sees guest_done()), stops with GUEST_SYNC(), and fails with
 * GUEST_ASSERT() or GUEST_EQ(): file and line arrive on the host.
 */
#ifndef SELFTESTS_GUEST_H
#define SELFTESTS_GUEST_H

#include "vm.h"

/* ------------------------------------------------------------------------
 * For the host
 */

#define GUEST_RAM	(8UL << 20)
/* Identity-mapped for the guest, RAM or not. */
#define GUEST_MAPPED	(4UL << 30)
/* Guest memory that the library leaves to tests. */
#define GUEST_FREE	0x100000UL
#define GUEST_FREE_END	0x300000UL

#define GUEST_PML4	0x1000
#define GUEST_GDT	0x8000
#define GUEST_IDT	0x9000
#define GUEST_TSS	0xa000
#define GUEST_STACK(id)	(0x3ff000UL - (id) * 0x10000UL)
/* stacks of vCPU 0 for traps from CPL 3, for IST 1, and for CPL 3 */
#define GUEST_STACK_TRAP	(GUEST_STACK(0) - 0x4000)
#define GUEST_STACK_IST		(GUEST_STACK(0) - 0x6000)
#define GUEST_STACK_USER	(GUEST_STACK(0) - 0x8000)

#define SEL_CODE64	0x08
#define SEL_DATA	0x10
#define SEL_CODE32	0x18
#define SEL_USER_DATA	0x23
#define SEL_USER_CODE64	0x2b
#define SEL_USER_CODE32	0x33
#define SEL_TSS		0x40

/* A VM with vCPU 0 about to call fn(arg) in 64-bit mode. */
void guest_create(struct vm *vm, struct vcpu *vcpu, u32 flags,
		  void (*fn)(u64 arg), u64 arg);
/* The parts of it: memory with the image, tables and the vCPU's registers. */
void guest_image(struct vm *vm);
void guest_vcpu(struct vcpu *vcpu, void (*fn)(u64 arg), u64 arg);

/* The guest's copy of a global. */
#define GUEST_VAR(vm, var)	((typeof(&(var)))((vm)->ram + (u64)&(var)))

/*
 * Run until an exit that is not one of the reports: the exit reason.  A failed
 * assertion of the guest ends the test.
 */
u32 guest_run(struct vcpu *vcpu);
/* The guest must reach this GUEST_SYNC() next, or this exit, or its end. */
void guest_sync_at(struct vcpu *vcpu, u32 value, const char *file, int line);
void guest_exit_at(struct vcpu *vcpu, u32 reason, const char *file, int line);
void guest_done_at(struct vcpu *vcpu, const char *file, int line);
/* Look at an exit that ended an asynchronous run, as guest_run() does. */
void guest_check(struct vcpu *vcpu);
bool guest_is_sync(const struct vcpu *vcpu, u32 value);
bool guest_is_done(const struct vcpu *vcpu);
#define guest_sync(vcpu, value)	guest_sync_at(vcpu, value, __FILE__, __LINE__)
#define guest_exit(vcpu, why)	guest_exit_at(vcpu, why, __FILE__, __LINE__)
#define guest_done(vcpu)	guest_done_at(vcpu, __FILE__, __LINE__)

/* ------------------------------------------------------------------------
 * For the guest
 */

#define PORT_FAIL	0x5a0
#define PORT_SYNC	0x5a4
#define PORT_DONE	0x5a8

/* What a guest that fails says about it. */
struct guest_report {
	const char *file;
	const char *text;
	u64 line;
	u64 a;
	u64 b;
};

/* What an exception or interrupt handler is given. */
struct trap_frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8;
	u64 rbp, rdi, rsi, rdx, rcx, rbx, rax;
	u64 vector, error, rip, cs, rflags, rsp, ss;
};

#define NO_TRAP	(~0ULL)

/* The last exception; the assembler code in TRY() knows that vector is first. */
struct guest_trap {
	u64 vector;
	u64 error;
	u64 rip;
	u64 rflags;
	u64 rsp;
	u64 cr2;
	u64 dr6;
};

extern volatile struct guest_report guest_report;
extern volatile struct guest_trap guest_trap;
/* where an exception goes on when there is no handler */
extern volatile u64 guest_recover;
/* handlers and counts by vector */
extern void (*volatile guest_handler[256])(struct trap_frame *frame);
extern volatile u32 guest_count[256];

_Noreturn void guest_fail(const char *file, u64 line, const char *text, u64 a,
			  u64 b);

#define GUEST_ASSERT(cond)                                                     \
	do {                                                                   \
		if (!(cond))                                                   \
			guest_fail(__FILE__, __LINE__, #cond, 0, 0);           \
	} while (0)

#define GUEST_EQ(x, y)                                                         \
	do {                                                                   \
		u64 x_ = (u64)(x), y_ = (u64)(y);                              \
		if (x_ != y_)                                                  \
			guest_fail(__FILE__, __LINE__, #x " == " #y, x_, y_);  \
	} while (0)

#define GUEST_SYNC(value)	gout32(PORT_SYNC, value)

/*
 * An instruction that may fault: asm volatile(TRY("ud2") : ...: ... : "memory");
 * then guest_trap.vector is its exception or NO_TRAP.  rip is in guest_trap, the
 * guest goes on behind the instruction.
 */
#define TRY(insn)                                                              \
	"movq $-1, guest_trap\n\t"                                             \
	"movq $7799f, guest_recover\n\t" insn "\n7799:\n\t"                    \
	"movq $0, guest_recover\n\t"

static inline void gout8(u16 port, u8 v)
{
	asm volatile("outb %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline void gout16(u16 port, u16 v)
{
	asm volatile("outw %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline void gout32(u16 port, u32 v)
{
	asm volatile("outl %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline u32 gin32(u16 port)
{
	u32 v;

	asm volatile("inl %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

/* EAX, EBX, ECX, EDX to r[0] to r[3] */
static inline void gcpuid(u32 leaf, u32 index, u32 *r)
{
	asm volatile("cpuid"
		     : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
		     : "a"(leaf), "c"(index)
		     : "memory");
}

static inline u64 grdmsr(u32 index)
{
	u32 lo, hi;

	asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(index) : "memory");
	return (u64)hi << 32 | lo;
}

static inline void gwrmsr(u32 index, u64 data)
{
	asm volatile("wrmsr"
		     :
		     : "c"(index), "a"((u32)data), "d"((u32)(data >> 32))
		     : "memory");
}

/* The exception that the instruction raises, or NO_TRAP. */
static inline u64 try_rdmsr(u32 index, u64 *data)
{
	u32 lo = 0, hi = 0;

	asm volatile(TRY("rdmsr")
		     : "+a"(lo), "+d"(hi)
		     : "c"(index)
		     : "memory");
	*data = (u64)hi << 32 | lo;
	return guest_trap.vector;
}

static inline u64 try_wrmsr(u32 index, u64 data)
{
	asm volatile(TRY("wrmsr")
		     :
		     : "c"(index), "a"((u32)data), "d"((u32)(data >> 32))
		     : "memory");
	return guest_trap.vector;
}

/*
 * Call a function at CPL 3, on a stack of its own; it comes back when it
 * returns.  Interrupts stay as they are; TRY() works there too.
 */
void guest_user_call(void (*fn)(void));
#define GUEST_USER_VECTOR	0x81

#define GREG(name, reg)                                                        \
	static inline u64 gread_##name(void)                                   \
	{                                                                      \
		u64 v;                                                         \
		asm volatile("mov %%" reg ", %0" : "=r"(v) : : "memory");      \
		return v;                                                      \
	}                                                                      \
	static inline void gwrite_##name(u64 v)                                \
	{                                                                      \
		asm volatile("mov %0, %%" reg : : "r"(v) : "memory");          \
	}                                                                      \
	static inline u64 try_write_##name(u64 v)                              \
	{                                                                      \
		asm volatile(TRY("mov %0, %%" reg) : : "r"(v) : "memory");     \
		return guest_trap.vector;                                      \
	}

GREG(cr0, "cr0")
GREG(cr2, "cr2")
GREG(cr3, "cr3")
GREG(cr4, "cr4")
GREG(cr8, "cr8")
GREG(dr0, "dr0")
GREG(dr1, "dr1")
GREG(dr2, "dr2")
GREG(dr3, "dr3")
GREG(dr6, "dr6")
GREG(dr7, "dr7")

static inline u64 grflags(void)
{
	u64 v;

	asm volatile("pushfq; popq %0" : "=r"(v) : : "memory");
	return v;
}

static inline u64 grdtsc(void)
{
	u32 lo, hi;

	asm volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (u64)hi << 32 | lo;
}

static inline void gsti(void)
{
	asm volatile("sti" : : : "memory");
}

static inline void gcli(void)
{
	asm volatile("cli" : : : "memory");
}

static inline void ghlt(void)
{
	asm volatile("hlt" : : : "memory");
}

/* Interrupts are taken in HLT only: a condition tested before cannot change. */
static inline void gsti_hlt(void)
{
	asm volatile("sti; hlt; cli" : : : "memory");
}

static inline void gpause(void)
{
	asm volatile("pause" : : : "memory");
}

static inline void gnop(void)
{
	asm volatile("nop" : : : "memory");
}

/*
 * A guest, whose argument is a port: an OUT that it single-steps gives one #DB,
 * behind the OUT (SDM 3B 18.3.1.4).
 */
static inline void guest_steps_out(u64 port)
{
	u64 at;

	asm volatile(TRY("pushfq\n\t"
			 "orq $0x100, (%%rsp)\n\t"
			 "leaq 8f(%%rip), %0\n\t"
			 "popfq\n\t"
			 "outb %%al, %%dx\n"
			 "8:\n\t"
			 "nop")
		     "pushfq\n\t"
		     "andq $~0x100, (%%rsp)\n\t"
		     "popfq"
		     : "=&r"(at) : "a"(1), "d"((u16)port) : "memory", "cc");
	GUEST_EQ(guest_trap.vector, 1);
	GUEST_EQ(guest_trap.rip, at);
	GUEST_EQ(guest_trap.dr6 & 0x4000, 0x4000);
}

#endif
