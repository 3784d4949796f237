// SPDX-License-Identifier: GPL-2.0-only
/*
 * registers.c - turns a boot state into the registers of the first vCPU.
 */
#include <string.h>

#include "../walk.h"
#include "loader.h"

/* Access rights in the VMX format (SDM 3C 25.4.1) */
#define ACCESS_REAL_CODE	0x009b	/* present, code, read, accessed */
#define ACCESS_REAL_DATA	0x0093	/* present, data, write, accessed */
#define ACCESS_CODE_32		0xc09b	/* and 4 KiB units, 32 bits */
#define ACCESS_CODE_64		0xa09b	/* and 4 KiB units, 64 bits */
#define ACCESS_DATA_32		0xc093
#define ACCESS_TSS_BUSY		0x008b

static void set_segment(struct mvm_segment *segment, u16 selector, u64 base,
			u32 limit, u32 access)
{
	memset(segment, 0, sizeof(*segment));
	segment->selector = selector;
	segment->base = base;
	segment->limit = limit;
	segment->access = access;
}

static void set_data_segments(struct mvm_sregs *sregs, u16 selector, u64 base,
			      u32 limit, u32 access)
{
	set_segment(&sregs->ds, selector, base, limit, access);
	set_segment(&sregs->es, selector, base, limit, access);
	set_segment(&sregs->fs, selector, base, limit, access);
	set_segment(&sregs->gs, selector, base, limit, access);
	set_segment(&sregs->ss, selector, base, limit, access);
}

/**
 * boot_registers() - the registers for a boot state
 * @state: from a loader
 * @sregs: in: as after power-up; out: as the image wants them
 * @gpr: out: MVM_NR_GPRS general registers
 * @rip: out: instruction pointer
 * @rflags: out: flags, interrupts off
 */
void boot_registers(const struct boot_state *state, struct mvm_sregs *sregs,
		    u64 *gpr, u64 *rip, u64 *rflags)
{
	memset(gpr, 0, sizeof(*gpr) * MVM_NR_GPRS);
	gpr[MVM_RSP] = state->rsp;
	gpr[MVM_RSI] = state->rsi;
	gpr[MVM_RAX] = state->rax;
	gpr[MVM_RBX] = state->rbx;
	gpr[MVM_RDX] = state->rdx;
	*rip = state->rip;
	*rflags = RFLAGS_FIXED;

	if (state->mode == BOOT_REAL) {
		set_segment(&sregs->cs, state->code, (u64)state->code << 4,
			    0xffff, ACCESS_REAL_CODE);
		set_data_segments(sregs, state->data, (u64)state->data << 4,
				  0xffff, ACCESS_REAL_DATA);
		return;
	}

	set_segment(&sregs->cs, state->code, 0, 0xffffffff,
		    state->mode == BOOT_LONG ? ACCESS_CODE_64 :
		    ACCESS_CODE_32);
	set_data_segments(sregs, state->data, 0, 0xffffffff, ACCESS_DATA_32);
	set_segment(&sregs->tr, 0, 0, 0xffff, ACCESS_TSS_BUSY);
	memset(&sregs->gdt, 0, sizeof(sregs->gdt));
	sregs->gdt.base = state->gdt;
	sregs->gdt.limit = state->gdt_limit;
	memset(&sregs->idt, 0, sizeof(sregs->idt));
	sregs->cr0 = CR0_PE | CR0_ET | CR0_NE;
	if (state->mode == BOOT_LONG) {
		sregs->cr0 |= CR0_PG;
		sregs->cr3 = state->cr3;
		sregs->cr4 |= CR4_PAE;
		sregs->efer = EFER_LME | EFER_LMA;
	}
}
