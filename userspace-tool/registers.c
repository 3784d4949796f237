// SPDX-License-Identifier: GPL-2.0-only
/*
 * registers.c - shows a stopped vCPU's registers when a run ends badly.
 */
#include <stdio.h>
#include <string.h>

#include "machine.h"
#include "report.h"

static const char *const gpr_names[MVM_NR_GPRS] = {
	"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
	"R8 ", "R9 ", "R10", "R11", "R12", "R13", "R14", "R15",
};

static void report_segment(const char *name, const struct mvm_segment *segment)
{
	report_line("  %s %04x base %016llx limit %08x access %05x%s", name,
		    segment->selector, (unsigned long long)segment->base,
		    segment->limit, segment->access,
		    segment->access & MVM_SEGMENT_UNUSABLE ? " unusable" : "");
}

/* The bytes at RIP, when the page tables lead to them. */
static void report_code(const struct machine_vcpu *vcpu,
			const struct mvm_sregs *sregs)
{
	const struct machine *machine = vcpu->machine;
	const struct mvm_run *run = vcpu->vcpu->run;
	u64 linear = sregs->cs.base + run->rip;
	char text[3 * 16 + 1];
	struct walk walk;
	unsigned int i;
	u32 error_code;

	walk_init(&walk, &machine->board.mem, sregs, run->rflags,
		  machine->vm.phys_bits);
	for (i = 0; i < 16; i++) {
		u8 byte;
		u64 gpa;

		if (walk_linear(&walk, linear + i, 0, &gpa, &error_code) !=
		    WALK_OK ||
		    !guest_mem_read(&machine->board.mem, gpa, &byte, 1))
			break;
		snprintf(text + 3 * i, 4, " %02x", byte);
	}
	if (i)
		report_line("  code%s", text);
	else
		report_line("  code: not in memory");
}

/**
 * registers_report() - print a vCPU's registers
 * @vcpu: is stopped
 */
void registers_report(const struct machine_vcpu *vcpu)
{
	const struct mvm_run *run = vcpu->vcpu->run;
	struct mvm_sregs sregs;
	unsigned int i;

	report_line("  vCPU %u:", vcpu->id);
	for (i = 0; i < MVM_NR_GPRS; i += 4)
		report_line("  %s %016llx %s %016llx %s %016llx %s %016llx",
			    gpr_names[i], (unsigned long long)run->gpr[i],
			    gpr_names[i + 1],
			    (unsigned long long)run->gpr[i + 1],
			    gpr_names[i + 2],
			    (unsigned long long)run->gpr[i + 2],
			    gpr_names[i + 3],
			    (unsigned long long)run->gpr[i + 3]);
	report_line("  RIP %016llx RFLAGS %08llx",
		    (unsigned long long)run->rip,
		    (unsigned long long)run->rflags);
	if (vm_get_sregs(vcpu->vcpu, &sregs))
		return;
	report_segment("CS ", &sregs.cs);
	report_segment("SS ", &sregs.ss);
	report_segment("DS ", &sregs.ds);
	report_segment("ES ", &sregs.es);
	report_segment("FS ", &sregs.fs);
	report_segment("GS ", &sregs.gs);
	report_segment("TR ", &sregs.tr);
	report_segment("LDT", &sregs.ldt);
	report_line("  GDT base %016llx limit %04x  IDT base %016llx limit %04x",
		    (unsigned long long)sregs.gdt.base, sregs.gdt.limit,
		    (unsigned long long)sregs.idt.base, sregs.idt.limit);
	report_line("  CR0 %08llx CR2 %016llx CR3 %016llx CR4 %08llx EFER %04llx",
		    (unsigned long long)sregs.cr0,
		    (unsigned long long)sregs.cr2,
		    (unsigned long long)sregs.cr3,
		    (unsigned long long)sregs.cr4,
		    (unsigned long long)sregs.efer);
	report_code(vcpu, &sregs);
}
