// SPDX-License-Identifier: GPL-2.0-only
/*
 * inject.c - events on their way into the guest: MVM_SET_EVENTS, priorities,
 * windows and shadows, NMI blocking, delivery that meets missing memory, faults
 * in delivery, and the INTR line
 */
#include <unistd.h>

#include "lib/guest.h"

/* Pages that tests take away and give back, outside the guest's RAM. */
#define PAGE_A		0x10000000UL
#define PAGE_B		0x10100000UL

extern const char guest_stubs[];

/* What arrived, in order. */
static volatile struct {
	u64 vector;
	u64 error;
	u64 rip;
	u64 rflags;
} seen[64];
static volatile u64 n_seen;

static void on_event(struct trap_frame *frame)
{
	if (n_seen < ARRAY_SIZE(seen)) {
		seen[n_seen].vector = frame->vector;
		seen[n_seen].error = frame->error;
		seen[n_seen].rip = frame->rip;
		seen[n_seen].rflags = frame->rflags;
	}
	n_seen++;
}

/* Likewise, after an end-of-interrupt to an x2APIC. */
static void on_interrupt(struct trap_frame *frame)
{
	on_event(frame);
	gwrmsr(0x80b, 0);
}

static void handle_all(void)
{
	for (int i = 0; i < 256; i++)
		if (i != GUEST_USER_VECTOR)
			guest_handler[i] = on_event;
}

static void enable_x2apic(void)
{
	gwrmsr(MSR_APIC_BASE, grdmsr(MSR_APIC_BASE) | 3 << 10);
	gwrmsr(0x80f, 0x1ff);
	gwrmsr(0x836, 0x400);
	for (int i = 32; i < 256; i++)
		guest_handler[i] = on_interrupt;
}

static void send_msi(struct vm *vm, u32 data)
{
	struct mvm_msi m = { .address = 0xfee00000, .data = data };

	CHECK_OK(mvm_ioctl(vm->fd, MVM_SIGNAL_MSI, &m));
}

static void set_line(struct vcpu *vcpu, u32 line, u32 level)
{
	struct mvm_line l = { .line = line, .level = level };

	CHECK_OK(mvm_ioctl(vcpu->fd, MVM_SET_LINE, &l));
}

static void lapic_write(struct vcpu *vcpu, u32 offset, u32 value)
{
	struct mvm_lapic_access a = {
		.flags = MVM_LAPIC_WRITE, .offset = offset, .value = value
	};

	CHECK_OK(mvm_ioctl(vcpu->fd, MVM_LAPIC_ACCESS, &a));
}

/* LINT1 passes NMIs on, as firmware sets it up. */
static void enable_lint1(struct vcpu *vcpu)
{
	lapic_write(vcpu, 0xf0, 0x1ff);
	lapic_write(vcpu, 0x360, 0x400);
}

static void set_event(struct vcpu *vcpu, u8 event, u8 vector, s64 error, u8 len)
{
	struct mvm_events e;

	vcpu_get_events(vcpu, &e);
	e.event = event;
	e.vector = vector;
	e.has_error_code = error >= 0;
	e.error_code = error >= 0 ? error : 0;
	e.insn_len = len;
	vcpu_set_events(vcpu, &e);
}

/* Go on behind the instruction, without completing it: shadows stay as set. */
static void skip(struct vcpu *vcpu)
{
	vcpu->run->rip = vcpu->run->next_rip;
	vcpu->run->action = MVM_ACTION_RETRY;
}

/* ------------------------------------------------------------------------
 * Each type
 */

static void guest_types(u64 arg)
{
	(void)arg;
	handle_all();
	/* an interrupt */
	gsti();
	GUEST_SYNC(1);
	GUEST_EQ(n_seen, 1);
	GUEST_EQ(seen[0].vector, 0x40);
	gcli();
	/* exceptions */
	GUEST_SYNC(2);
	GUEST_EQ(n_seen, 2);
	GUEST_EQ(seen[1].vector, 13);
	GUEST_EQ(seen[1].error, 0x5678);
	GUEST_SYNC(3);
	GUEST_EQ(n_seen, 3);
	GUEST_EQ(seen[2].vector, 6);
	GUEST_SYNC(4);
	GUEST_EQ(n_seen, 4);
	GUEST_EQ(seen[3].vector, 14);
	GUEST_EQ(seen[3].error, 2);
	GUEST_EQ(gread_cr2(), 0xabc000);
	/* NMI */
	GUEST_SYNC(5);
	GUEST_EQ(n_seen, 5);
	GUEST_EQ(seen[4].vector, 2);
	/* not twice */
	GUEST_SYNC(6);
	GUEST_EQ(n_seen, 5);
	/* an interrupt waits for IF */
	for (int i = 0; i < 20; i++)
		gnop();
	GUEST_EQ(n_seen, 5);
	gsti();
	gnop();
	gcli();
	GUEST_EQ(n_seen, 6);
	GUEST_EQ(seen[5].vector, 0x41);
}

static void test_types(void)
{
	struct mvm_sregs s;
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_types, 0);
	guest_sync(&vcpu, 1);
	set_event(&vcpu, MVM_EVENT_INTERRUPT, 0x40, -1, 0);
	guest_sync(&vcpu, 2);
	set_event(&vcpu, MVM_EVENT_EXCEPTION, 13, 0x5678, 0);
	guest_sync(&vcpu, 3);
	set_event(&vcpu, MVM_EVENT_EXCEPTION, 6, -1, 0);
	guest_sync(&vcpu, 4);
	vcpu_get_sregs(&vcpu, &s);
	s.cr2 = 0xabc000;
	vcpu_set_sregs(&vcpu, &s);
	set_event(&vcpu, MVM_EVENT_EXCEPTION, 14, 2, 0);
	guest_sync(&vcpu, 5);
	set_event(&vcpu, MVM_EVENT_NMI, 2, -1, 0);
	guest_sync(&vcpu, 6);
	set_event(&vcpu, MVM_EVENT_INTERRUPT, 0x41, -1, 0);
	guest_done(&vcpu);
}

/* Software events are made at the instruction and return behind it. */
static void guest_software(u64 arg)
{
	extern const char soft_int[], soft_int1[], soft_int3[];

	(void)arg;
	handle_all();
	asm volatile("movl $1, %%eax; outl %%eax, %%dx\n"
		     "soft_int: int $0x50; nop\n\t"
		     : : "d"(PORT_SYNC) : "rax", "memory");
	GUEST_EQ(n_seen, 1);
	GUEST_EQ(seen[0].vector, 0x51);
	GUEST_EQ(seen[0].rip, soft_int + 2);
	asm volatile("movl $2, %%eax; outl %%eax, %%dx\n"
		     "soft_int1: .byte 0xf1; nop\n\t"
		     : : "d"(PORT_SYNC) : "rax", "memory");
	GUEST_EQ(n_seen, 2);
	GUEST_EQ(seen[1].vector, 1);
	GUEST_EQ(seen[1].rip, soft_int1 + 1);
	asm volatile("movl $3, %%eax; outl %%eax, %%dx\n"
		     "soft_int3: int3; nop\n\t"
		     : : "d"(PORT_SYNC) : "rax", "memory");
	GUEST_EQ(n_seen, 3);
	GUEST_EQ(seen[2].vector, 3);
	GUEST_EQ(seen[2].rip, soft_int3 + 1);
}

static void test_software(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_software, 0);
	guest_sync(&vcpu, 1);
	/* another vector than the instruction's shows who made it */
	set_event(&vcpu, MVM_EVENT_SOFT_INT, 0x51, -1, 2);
	guest_sync(&vcpu, 2);
	set_event(&vcpu, MVM_EVENT_PRIV_SOFT_EXC, 1, -1, 1);
	guest_sync(&vcpu, 3);
	set_event(&vcpu, MVM_EVENT_SOFT_EXC, 3, -1, 1);
	guest_done(&vcpu);
}

/* ------------------------------------------------------------------------
 * Priorities, windows, shadows
 */

static void guest_priorities(u64 arg)
{
	(void)arg;
	handle_all();
	enable_x2apic();
	gsti();
	GUEST_SYNC(1);
	gcli();
	/*
	 * The exception is delivered, the NMI interrupts its handler before the
	 * first instruction, the interrupt waits until both are done.
	 */
	GUEST_EQ(n_seen, 3);
	GUEST_EQ(seen[0].vector, 2);
	GUEST_EQ(seen[0].rip, guest_stubs + 6 * 16);
	GUEST_EQ(seen[1].vector, 6);
	GUEST_EQ(seen[2].vector, 0x61);
	GUEST_EQ(seen[2].rip, seen[1].rip);
}

static void test_priorities(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_priorities, 0);
	guest_sync(&vcpu, 1);
	send_msi(&vm, 0x61);
	set_line(&vcpu, MVM_LINE_NMI, 1);
	set_event(&vcpu, MVM_EVENT_EXCEPTION, 6, -1, 0);
	guest_done(&vcpu);
}

static void guest_sti(u64 arg)
{
	extern const char sti_1[], sti_2[];

	(void)arg;
	handle_all();
	enable_x2apic();
	GUEST_SYNC(1);
	/* pending since before STI: delivered behind the instruction after it */
	asm volatile("sti\n\tnop\nsti_1: nop\n\tcli" : : : "memory");
	GUEST_EQ(n_seen, 1);
	GUEST_EQ(seen[0].rip, sti_1);
	/* an STI that is followed by CLI opens no window */
	GUEST_SYNC(2);
	for (int i = 0; i < 20; i++)
		asm volatile("sti; cli" : : : "memory");
	GUEST_EQ(n_seen, 1);
	/* an instruction that exits in the shadow is behind it just so */
	asm volatile("sti\n\tcpuid\nsti_2: nop\n\tcli"
		     : : "a"(0), "c"(0) : "rbx", "rdx", "memory");
	GUEST_EQ(n_seen, 2);
	GUEST_EQ(seen[1].rip, sti_2);
	/* POPF has no shadow */
	GUEST_SYNC(3);
	asm volatile("pushfq; orq $0x200, (%%rsp); popfq; cli" : : : "memory");
	GUEST_EQ(n_seen, 3);
}

static void test_sti(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_sti, 0);
	for (u32 i = 1; i <= 3; i++) {
		guest_sync(&vcpu, i);
		send_msi(&vm, 0x60 + i);
	}
	guest_done(&vcpu);
}

/* Shadows that user space sees and sets. */
static void guest_shadow(u64 arg)
{
	extern const char shadow_1[], shadow_2[], shadow_3[], shadow_4[];

	(void)arg;
	handle_all();
	enable_x2apic();
	/* at an exit in the shadow, bit 0 is set; it ends with the instruction */
	asm volatile("movl $1, %%eax; sti; outl %%eax, %%dx\n"
		     "shadow_1: nop; cli"
		     : : "d"(PORT_SYNC) : "rax", "memory");
	GUEST_EQ(n_seen, 1);
	GUEST_EQ(seen[0].rip, shadow_1);
	/* set by user space: the next instruction is not interrupted */
	asm volatile("movl $2, %%eax; sti; nop; outl %%eax, %%dx\n\t"
		     "nop\n"
		     "shadow_2: nop; cli"
		     : : "d"(PORT_SYNC) : "rax", "memory");
	GUEST_EQ(n_seen, 2);
	GUEST_EQ(seen[1].rip, shadow_2);
	asm volatile("movl $3, %%eax; sti; nop; outl %%eax, %%dx\n\t"
		     "nop\n"
		     "shadow_3: nop; cli"
		     : : "d"(PORT_SYNC) : "rax", "memory");
	GUEST_EQ(n_seen, 3);
	GUEST_EQ(seen[2].rip, shadow_3);
	/* to complete an instruction ends the shadow that was set */
	asm volatile("movl $4, %%eax; sti; nop; outl %%eax, %%dx\n"
		     "shadow_4: nop; nop; cli"
		     : : "d"(PORT_SYNC) : "rax", "memory");
	GUEST_EQ(n_seen, 4);
	GUEST_EQ(seen[3].rip, shadow_4);
}

static void test_shadow(void)
{
	struct mvm_events e;
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_shadow, 0);
	guest_sync(&vcpu, 1);
	CHECK_EQ(vcpu.run->interruptibility & 3, 1);
	send_msi(&vm, 0x61);
	guest_sync(&vcpu, 2);
	CHECK_EQ(vcpu.run->interruptibility, 0);
	vcpu_get_events(&vcpu, &e);
	CHECK_EQ(e.interruptibility, 0);
	e.interruptibility = 1;
	vcpu_set_events(&vcpu, &e);
	send_msi(&vm, 0x62);
	skip(&vcpu);
	guest_sync(&vcpu, 3);
	vcpu_get_events(&vcpu, &e);
	e.interruptibility = 2;
	vcpu_set_events(&vcpu, &e);
	send_msi(&vm, 0x63);
	skip(&vcpu);
	guest_sync(&vcpu, 4);
	vcpu_get_events(&vcpu, &e);
	e.interruptibility = 1;
	vcpu_set_events(&vcpu, &e);
	send_msi(&vm, 0x64);
	guest_done(&vcpu);
}

static void guest_mov_ss(u64 arg)
{
	(void)arg;
	asm volatile("movl $1, %%eax; mov %%ss, %%ecx\n\t"
		     "mov %%ecx, %%ss; outl %%eax, %%dx"
		     : : "d"(PORT_SYNC) : "rax", "rcx", "memory");
}

static void test_mov_ss(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_mov_ss, 0);
	guest_sync(&vcpu, 1);
	CHECK_EQ(vcpu.run->interruptibility & 3, 2);
	guest_done(&vcpu);
	CHECK_EQ(vcpu.run->interruptibility, 0);
}

/* ------------------------------------------------------------------------
 * NMI
 */

static volatile u64 nmi_depth, nmi_max_depth;

static void on_nmi(struct trap_frame *frame)
{
	nmi_depth++;
	if (nmi_depth > nmi_max_depth)
		nmi_max_depth = nmi_depth;
	on_event(frame);
	GUEST_SYNC(0x20 + n_seen);
	for (int i = 0; i < 50; i++)
		gnop();
	nmi_depth--;
}

static void guest_nmi(u64 arg)
{
	(void)arg;
	handle_all();
	guest_handler[2] = on_nmi;
	GUEST_SYNC(1);
	GUEST_EQ(n_seen, 2);
	GUEST_EQ(nmi_max_depth, 1);
	/* the second one arrived right behind the first one's IRET */
	GUEST_EQ(seen[0].rip, seen[1].rip);
	GUEST_SYNC(2);
	GUEST_EQ(n_seen, 2);
}

static void test_nmi(void)
{
	struct mvm_events e;
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_nmi, 0);
	enable_lint1(&vcpu);
	guest_sync(&vcpu, 1);
	set_line(&vcpu, MVM_LINE_NMI, 1);
	vcpu_get_events(&vcpu, &e);
	CHECK_EQ(e.nmi_pending, 1);
	guest_sync(&vcpu, 0x21);
	/* inside the handler: blocked; three more edges are one NMI */
	CHECK_EQ(vcpu.run->interruptibility, 1 << 3);
	for (int i = 0; i < 3; i++) {
		set_line(&vcpu, MVM_LINE_NMI, 0);
		set_line(&vcpu, MVM_LINE_NMI, 1);
	}
	guest_sync(&vcpu, 0x22);
	vcpu_get_events(&vcpu, &e);
	CHECK_EQ(e.nmi_pending, 0);
	guest_sync(&vcpu, 2);
	CHECK_EQ(vcpu.run->interruptibility, 0);
	/* a level that stays is no edge */
	set_line(&vcpu, MVM_LINE_NMI, 1);
	guest_done(&vcpu);
}

static void guest_no_nmi(u64 arg)
{
	(void)arg;
	handle_all();
	GUEST_SYNC(1);
	for (int i = 0; i < 20; i++)
		gnop();
	GUEST_SYNC(2);
	GUEST_EQ(n_seen, 0);
}

static void test_nmi_masked(void)
{
	struct mvm_events e;
	struct vcpu vcpu;
	struct vm vm;

	/* LVT1 is masked after reset */
	guest_create(&vm, &vcpu, 0, guest_no_nmi, 0);
	guest_sync(&vcpu, 1);
	set_line(&vcpu, MVM_LINE_NMI, 1);
	vcpu_get_events(&vcpu, &e);
	CHECK_EQ(e.nmi_pending, 0);
	guest_sync(&vcpu, 2);
	/* the edge is lost, also when LVT1 passes on what comes later */
	enable_lint1(&vcpu);
	guest_done(&vcpu);
}

static void guest_nmi_blocked(u64 arg)
{
	extern const char nmi_after[];

	(void)arg;
	handle_all();
	GUEST_SYNC(1);
	for (int i = 0; i < 20; i++)
		gnop();
	GUEST_EQ(n_seen, 0);
	/* IRET ends the blocking */
	asm volatile("mov %%ss, %%eax\n\t"
		     "push %%rax\n\t"
		     "lea 8(%%rsp), %%rax\n\t"
		     "push %%rax\n\t"
		     "pushfq\n\t"
		     "mov %%cs, %%eax\n\t"
		     "push %%rax\n\t"
		     "push $nmi_after\n\t"
		     "iretq\n"
		     "nmi_after: nop"
		     : : : "rax", "memory");
	GUEST_EQ(n_seen, 1);
	GUEST_EQ(seen[0].vector, 2);
	GUEST_EQ(seen[0].rip, nmi_after);
}

static void test_nmi_blocked(void)
{
	struct mvm_events e;
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_nmi_blocked, 0);
	guest_sync(&vcpu, 1);
	vcpu_get_events(&vcpu, &e);
	e.interruptibility = 1 << 3;
	e.nmi_pending = 1;
	vcpu_set_events(&vcpu, &e);
	guest_done(&vcpu);
}

/* An NMI in a MOV SS shadow waits for one instruction. */
static void guest_nmi_mov_ss(u64 arg)
{
	extern const char nmi_ss[];

	(void)arg;
	handle_all();
	asm volatile("movl $1, %%eax; outl %%eax, %%dx\n\t"
		     "nop\n"
		     "nmi_ss: nop"
		     : : "d"(PORT_SYNC) : "rax", "memory");
	GUEST_EQ(n_seen, 1);
	GUEST_EQ(seen[0].rip, nmi_ss);
}

static void test_nmi_mov_ss(void)
{
	struct mvm_events e;
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_nmi_mov_ss, 0);
	guest_sync(&vcpu, 1);
	vcpu_get_events(&vcpu, &e);
	e.interruptibility = 2;
	e.nmi_pending = 1;
	vcpu_set_events(&vcpu, &e);
	skip(&vcpu);
	guest_done(&vcpu);
}

static void guest_nmi_hlt(u64 arg)
{
	(void)arg;
	handle_all();
	/* IF is clear: only an NMI ends it */
	ghlt();
	GUEST_EQ(n_seen, 1);
	GUEST_EQ(seen[0].vector, 2);
}

static void test_nmi_hlt(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_nmi_hlt, 0);
	enable_lint1(&vcpu);
	vcpu_run_async(&vcpu);
	send_msi(&vm, 0x61);
	CHECK(!vcpu_poll(&vcpu, 20));
	set_line(&vcpu, MVM_LINE_NMI, 1);
	CHECK(vcpu_poll(&vcpu, 5000));
	guest_check(&vcpu);
	CHECK(guest_is_done(&vcpu));
}

static void guest_pending_debug(u64 arg)
{
	extern const char pending_db[];

	(void)arg;
	handle_all();
	gwrite_dr6(0xffff0ff0);
	asm volatile("movl $1, %%eax; outl %%eax, %%dx\n"
		     "pending_db: nop"
		     : : "d"(PORT_SYNC) : "rax", "memory");
	/* before the next instruction, once for the pending one */
	GUEST_ASSERT(n_seen >= 1);
	GUEST_EQ(seen[0].vector, 1);
	GUEST_EQ(seen[0].rip, pending_db);
	GUEST_EQ(gread_dr6(), 0xffff0ff0 | 1);
}

static void test_pending_debug(void)
{
	struct mvm_events e;
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_pending_debug, 0);
	guest_sync(&vcpu, 1);
	vcpu_get_events(&vcpu, &e);
	/* B0 and "enabled breakpoint" */
	e.pending_debug = 1 | 1 << 12;
	vcpu_set_events(&vcpu, &e);
	skip(&vcpu);
	guest_done(&vcpu);
}

/* ------------------------------------------------------------------------
 * Delivery that meets missing memory
 */

/* The IDT moves to page A, the stack to page B. */
static void use_pages(struct vm *vm, struct vcpu *vcpu, void *idt, void *stack)
{
	struct mvm_sregs s;

	memcpy(idt, vm->ram + GUEST_IDT, PAGE_SIZE);
	vm_slot(vm, 1, 0, PAGE_A, PAGE_SIZE, idt);
	vm_slot(vm, 2, 0, PAGE_B, PAGE_SIZE, stack);
	vcpu_get_sregs(vcpu, &s);
	s.idt.base = PAGE_A;
	vcpu_set_sregs(vcpu, &s);
}

static void guest_missing(u64 arg)
{
	extern const char miss_int[], miss_ud[], miss_gp[];
	u64 rsp;

	(void)arg;
	handle_all();
	enable_x2apic();
	/* the stack of the moment of delivery is in page B */
	asm volatile("mov %%rsp, %[save]\n\t"
		     "mov %[stack], %%rsp\n\t"
		     /* a software interrupt */
		     "movl $1, %%eax; outl %%eax, %%dx\n"
		     "miss_int: int $0x50\n\t"
		     /* an exception without and one with an error code */
		     "movl $2, %%eax; outl %%eax, %%dx\n\t"
		     "movq $1f, miss_fixup\n"
		     "miss_ud: ud2\n"
		     "1: movl $3, %%eax; outl %%eax, %%dx\n\t"
		     "mov $0xf8, %%eax\n\t"
		     "movq $1f, miss_fixup\n"
		     "miss_gp: mov %%eax, %%es\n"
		     /* an interrupt, an NMI */
		     "1: sti; nop; movl $4, %%eax; outl %%eax, %%dx; nop; cli\n\t"
		     "movl $5, %%eax; outl %%eax, %%dx; nop\n\t"
		     "mov %[save], %%rsp"
		     : [save] "=&r"(rsp)
		     : [stack] "r"(PAGE_B + PAGE_SIZE), "d"(PORT_SYNC)
		     : "rax", "memory");
	GUEST_EQ(n_seen, 5);
	GUEST_EQ(seen[0].vector, 0x50);
	GUEST_EQ(seen[0].rip, miss_int + 2);
	GUEST_EQ(seen[1].vector, 6);
	GUEST_EQ(seen[1].rip, miss_ud);
	GUEST_EQ(seen[2].vector, 13);
	GUEST_EQ(seen[2].error, 0xf8);
	GUEST_EQ(seen[2].rip, miss_gp);
	GUEST_EQ(seen[3].vector, 0x64);
	GUEST_EQ(seen[4].vector, 2);
}

u64 miss_fixup;

/* Faults go on where the guest said. */
static void on_missing_fault(struct trap_frame *frame)
{
	on_event(frame);
	frame->rip = miss_fixup;
}

enum how { MAPPING_GOES, SLOT_GOES };

/* Take both pages away in the way that the test is about. */
static void take_away(struct vm *vm, enum how how, void *idt, void *stack)
{
	switch (how) {
	case MAPPING_GOES:
		/* only the mapping goes: the module brings it back itself */
		vm_slot_remove(vm, 1);
		vm_slot_remove(vm, 2);
		vm_slot(vm, 1, 0, PAGE_A, PAGE_SIZE, idt);
		vm_slot(vm, 2, 0, PAGE_B, PAGE_SIZE, stack);
		break;
	case SLOT_GOES:
		vm_slot_remove(vm, 1);
		vm_slot_remove(vm, 2);
		break;
	}
}

static void deliver_missing(enum how how)
{
	u8 *idt = mem_alloc(PAGE_SIZE), *stack = mem_alloc(PAGE_SIZE);
	struct vcpu vcpu;
	struct vm vm;
	u32 next = 2, waits = 0;

	guest_create(&vm, &vcpu, 0, guest_missing, 0);
	use_pages(&vm, &vcpu, idt, stack);
	guest_sync(&vcpu, 1);
	*GUEST_VAR(&vm, guest_handler[6]) = on_missing_fault;
	*GUEST_VAR(&vm, guest_handler[13]) = on_missing_fault;
	take_away(&vm, how, idt, stack);
	for (;;) {
		struct mvm_run *run = vcpu.run;

		guest_run(&vcpu);
		if (guest_is_done(&vcpu))
			break;
		if (guest_is_sync(&vcpu, next)) {
			next++;
			take_away(&vm, how, idt, stack);
			if (next == 5)
				send_msi(&vm, 0x64);
			if (next == 6)
				set_line(&vcpu, MVM_LINE_NMI, 1);
			continue;
		}
		if (run->exit_reason != MVM_EXIT_MMIO ||
		    !(run->mmio.flags & MVM_MMIO_IN_DELIVERY))
			FAIL("after sync %u: exit is %s", next - 1,
			     exit_text(&vcpu));
		waits++;
		if (run->mmio.gpa >> 12 == PAGE_A >> 12)
			vm_slot(&vm, 1, 0, PAGE_A, PAGE_SIZE, idt);
		else if (run->mmio.gpa >> 12 == PAGE_B >> 12)
			vm_slot(&vm, 2, 0, PAGE_B, PAGE_SIZE, stack);
		else
			FAIL("exit is %s", exit_text(&vcpu));
		run->action = MVM_ACTION_RETRY;
	}
	CHECK_EQ(next, 6);
	CHECK_EQ(waits, how == SLOT_GOES ? 10 : 0);
}

static void test_missing_mapping(void)
{
	deliver_missing(MAPPING_GOES);
}

static void test_missing_slot(void)
{
	deliver_missing(SLOT_GOES);
}

/* ------------------------------------------------------------------------
 * Faults in delivery
 */

static void guest_double(u64 arg)
{
	(void)arg;
	handle_all();
	/* no gate for #GP: its delivery faults again */
	((u64 *)GUEST_IDT)[2 * 13] = 0;
	GUEST_SYNC(1);
	asm volatile("movq $1f, miss_fixup\n\t"
		     "mov $0xf8, %%eax; mov %%eax, %%es\n"
		     "1:" : : : "rax", "memory");
	GUEST_EQ(n_seen, 1);
	GUEST_EQ(seen[0].vector, 8);
	GUEST_EQ(seen[0].error, 0);
	/* the same for one that user space injects */
	asm volatile("movq $1f, miss_fixup\n\t"
		     "movl $2, %%eax; outl %%eax, %%dx\n"
		     "1:" : : "d"(PORT_SYNC) : "rax", "memory");
	GUEST_EQ(n_seen, 2);
	GUEST_EQ(seen[1].vector, 8);
	/* without a gate for #DF too */
	((u64 *)GUEST_IDT)[2 * 8] = 0;
	GUEST_SYNC(3);
	asm volatile("mov $0xf8, %%eax; mov %%eax, %%es" : : : "rax", "memory");
	GUEST_ASSERT(0);
}

static void test_double(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_double, 0);
	guest_sync(&vcpu, 1);
	*GUEST_VAR(&vm, guest_handler[8]) = on_missing_fault;
	guest_sync(&vcpu, 2);
	set_event(&vcpu, MVM_EVENT_EXCEPTION, 13, 0, 0);
	guest_sync(&vcpu, 3);
	guest_exit(&vcpu, MVM_EXIT_SHUTDOWN);
}

/* ------------------------------------------------------------------------
 * Events and stops
 */

static void guest_once(u64 arg)
{
	(void)arg;
	handle_all();
	GUEST_SYNC(1);
	GUEST_EQ(n_seen, 1);
	GUEST_EQ(seen[0].vector, 13);
	GUEST_EQ(seen[0].error, 0x42);
}

static void test_queued(void)
{
	struct mvm_events e;
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_once, 0);
	guest_sync(&vcpu, 1);
	set_event(&vcpu, MVM_EVENT_EXCEPTION, 13, 0x42, 0);
	/* a run that ends before the entry keeps the event */
	vcpu.run->immediate_exit = 1;
	for (int i = 0; i < 3; i++) {
		vcpu_run_to(&vcpu, MVM_EXIT_INTR);
		vcpu_get_events(&vcpu, &e);
		CHECK_EQ(e.event, MVM_EVENT_EXCEPTION);
		CHECK_EQ(e.vector, 13);
		CHECK_EQ(e.has_error_code, 1);
		CHECK_EQ(e.error_code, 0x42);
	}
	vcpu.run->immediate_exit = 0;
	guest_done(&vcpu);
	vcpu_get_events(&vcpu, &e);
	CHECK_EQ(e.event, 0);
	CHECK_EQ(e.vector, 0);
}

static void guest_fault_once(u64 arg)
{
	(void)arg;
	handle_all();
	guest_handler[13] = on_missing_fault;
	asm volatile("movq $1f, miss_fixup\n\t"
		     "outl %%eax, %%dx\n"
		     "1:" : : "d"(PORT_SYNC), "a"(1) : "memory");
	GUEST_EQ(n_seen, 1);
	GUEST_EQ(seen[0].error, 0x42);
}

static void test_queued_action(void)
{
	struct mvm_events e;
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_fault_once, 0);
	guest_sync(&vcpu, 1);
	vcpu.run->exception = (struct mvm_exception){
		.vector = 13, .has_error_code = 1, .error_code = 0x42
	};
	vcpu.run->action = MVM_ACTION_EXCEPTION;
	vcpu.run->immediate_exit = 1;
	vcpu_run_to(&vcpu, MVM_EXIT_INTR);
	vcpu_get_events(&vcpu, &e);
	CHECK_EQ(e.event, MVM_EVENT_EXCEPTION);
	CHECK_EQ(e.vector, 13);
	CHECK_EQ(e.error_code, 0x42);
	vcpu.run->immediate_exit = 0;
	guest_done(&vcpu);
}

/* ------------------------------------------------------------------------
 * The INTR line
 */

static void guest_extint(u64 arg)
{
	(void)arg;
	handle_all();
	GUEST_SYNC(1);
	for (int i = 0; i < 20; i++)
		gnop();
	GUEST_EQ(n_seen, 0);
	/* IF is 1 from here */
	gsti();
	for (int i = 0; i < 20; i++)
		gnop();
	GUEST_SYNC(2);
	gcli();
	GUEST_EQ(n_seen, 2);
	GUEST_EQ(seen[0].vector, 0x28);
	GUEST_EQ(seen[1].vector, 5);
}

static void check_extint(struct vcpu *vcpu)
{
	struct mvm_events e;

	guest_exit(vcpu, MVM_EXIT_EXTINT);
	/* the exit takes the line down */
	vcpu_get_events(vcpu, &e);
	CHECK_EQ(e.intr_line, 0);
	CHECK(vcpu->run->rflags & RFLAGS_IF);
}

static void extint(struct vm *vm, struct vcpu *vcpu)
{
	struct mvm_events e;

	(void)vm;
	guest_sync(vcpu, 1);
	set_line(vcpu, MVM_LINE_INTR, 1);
	vcpu_get_events(vcpu, &e);
	CHECK_EQ(e.intr_line, 1);
	check_extint(vcpu);
	/* no such vector; then one, with more to come; even below 32 */
	vcpu->run->extint.vector = 256;
	CHECK_ERR(sys_run(vcpu->fd, 0), EINVAL);
	vcpu->run->extint.vector = 0x28;
	set_line(vcpu, MVM_LINE_INTR, 1);
	check_extint(vcpu);
	vcpu->run->extint.vector = 5;
	guest_sync(vcpu, 2);
	/* up and down again while nobody looks is nothing */
	set_line(vcpu, MVM_LINE_INTR, 1);
	set_line(vcpu, MVM_LINE_INTR, 0);
	guest_done(vcpu);
}

static void test_extint_lint0(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_extint, 0);
	lapic_write(&vcpu, 0xf0, 0x1ff);
	lapic_write(&vcpu, 0x350, 0x700);
	extint(&vm, &vcpu);
}

static void test_extint_no_apic(void)
{
	struct mvm_sregs s;
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_extint, 0);
	vcpu_get_sregs(&vcpu, &s);
	s.apic_base &= ~(1UL << 11);
	vcpu_set_sregs(&vcpu, &s);
	extint(&vm, &vcpu);
}

static void guest_extint_masked(u64 arg)
{
	(void)arg;
	handle_all();
	gsti();
	GUEST_SYNC(1);
	for (int i = 0; i < 100; i++)
		gnop();
	GUEST_SYNC(2);
	for (int i = 0; i < 100; i++)
		gnop();
	GUEST_EQ(n_seen, 1);
}

static void test_extint_masked(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_extint_masked, 0);
	lapic_write(&vcpu, 0xf0, 0x1ff);
	lapic_write(&vcpu, 0x350, 0x10700);
	guest_sync(&vcpu, 1);
	set_line(&vcpu, MVM_LINE_INTR, 1);
	/* masked: nothing comes of it */
	guest_sync(&vcpu, 2);
	lapic_write(&vcpu, 0x350, 0x700);
	check_extint(&vcpu);
	vcpu.run->extint.vector = 0x30;
	guest_done(&vcpu);
}

static void guest_extint_none(u64 arg)
{
	(void)arg;
	handle_all();
	gsti();
	GUEST_SYNC(1);
	for (int i = 0; i < 20; i++)
		gnop();
	GUEST_SYNC(2);
	gcli();
	GUEST_EQ(n_seen, 0);
}

static void test_extint_retry(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_extint_none, 0);
	lapic_write(&vcpu, 0xf0, 0x1ff);
	lapic_write(&vcpu, 0x350, 0x700);
	guest_sync(&vcpu, 1);
	set_line(&vcpu, MVM_LINE_INTR, 1);
	check_extint(&vcpu);
	/* the PIC has nothing after all */
	vcpu.run->extint.vector = 0x30;
	vcpu.run->action = MVM_ACTION_RETRY;
	guest_sync(&vcpu, 2);
	guest_done(&vcpu);
}

static void guest_extint_hlt(u64 arg)
{
	(void)arg;
	handle_all();
	gsti_hlt();
	GUEST_EQ(n_seen, 1);
	GUEST_EQ(seen[0].vector, 0x2a);
}

static void test_extint_hlt(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_extint_hlt, 0);
	lapic_write(&vcpu, 0xf0, 0x1ff);
	lapic_write(&vcpu, 0x350, 0x700);
	vcpu_run_async(&vcpu);
	CHECK(!vcpu_poll(&vcpu, 20));
	set_line(&vcpu, MVM_LINE_INTR, 1);
	CHECK(vcpu_poll(&vcpu, 5000));
	CHECK_EQ(vcpu.run->exit_reason, MVM_EXIT_EXTINT);
	vcpu.run->extint.vector = 0x2a;
	guest_done(&vcpu);
}

static void guest_spin_if(u64 arg)
{
	(void)arg;
	handle_all();
	gsti();
	while (!n_seen)
		gpause();
	GUEST_EQ(seen[0].vector, 0x2b);
}

static void test_extint_running(void)
{
	struct vcpu vcpu;
	struct vm vm;

	guest_create(&vm, &vcpu, 0, guest_spin_if, 0);
	lapic_write(&vcpu, 0xf0, 0x1ff);
	lapic_write(&vcpu, 0x350, 0x700);
	vcpu_run_async(&vcpu);
	CHECK(!vcpu_poll(&vcpu, 20));
	/* the guest spins: the line must reach it there */
	set_line(&vcpu, MVM_LINE_INTR, 1);
	CHECK(vcpu_poll(&vcpu, 5000));
	CHECK_EQ(vcpu.run->exit_reason, MVM_EXIT_EXTINT);
	vcpu.run->extint.vector = 0x2b;
	guest_done(&vcpu);
}

static const struct test tests[] = {
	{ "set_events: interrupt, exceptions and NMI arrive once, with codes",
	  test_types },
	{ "set_events: INT n, INT1 and INT3 return behind the instruction",
	  test_software },
	{ "set_events: pending debug exceptions arrive before the instruction",
	  test_pending_debug },
	{ "priority: exception, then NMI, then interrupt", test_priorities },
	{ "window: an interrupt waits for the instruction behind STI",
	  test_sti },
	{ "window: user space sees and sets the shadows of STI and MOV SS",
	  test_shadow },
	{ "window: MOV SS shows in the run page", test_mov_ss },
	{ "nmi: blocked until IRET, one is latched meanwhile", test_nmi },
	{ "nmi: an edge is lost while LVT1 is masked", test_nmi_masked },
	{ "nmi: blocking that user space sets ends with IRET",
	  test_nmi_blocked },
	{ "nmi: waits for the end of a MOV SS shadow", test_nmi_mov_ss },
	{ "nmi: ends HLT with interrupts disabled", test_nmi_hlt },
	{ "delivery: meets a page that is mapped meanwhile: delivered once",
	  test_missing_mapping },
	{ "delivery: meets a slot that user space adds: delivered once",
	  test_missing_slot },
	{ "delivery: a fault in it is #DF, one in that a shutdown",
	  test_double },
	{ "queue: an event outlives runs that end at once", test_queued },
	{ "queue: so does an exception that an action raised",
	  test_queued_action },
	{ "extint: through LINT0 in ExtINT mode", test_extint_lint0 },
	{ "extint: with the APIC disabled", test_extint_no_apic },
	{ "extint: not while LVT0 is masked", test_extint_masked },
	{ "extint: may turn out to be none", test_extint_retry },
	{ "extint: ends HLT", test_extint_hlt },
	{ "extint: reaches a guest that spins", test_extint_running },
};

TEST_MAIN(tests)
