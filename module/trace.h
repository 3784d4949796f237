/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * trace.h - tracepoints, for trace-cmd and perf: events/mini_vm/.  Off, each is
 * a NOP in the code.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM mini_vm

#if !defined(MVM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define MVM_TRACE_H

#include <linux/tracepoint.h>
#include "inject.h"
#include "vm.h"
#include "vmx_ops.h"

/* What every event begins with. */
#define MVM_TRACE_FIELDS	__field(u64, vm) __field(u32, vcpu)
#define MVM_TRACE_ASSIGN(v)	(__entry->vm = (v)->vm->serial, __entry->vcpu = (v)->id)
#define MVM_TRACE_PRINTK(fmt, args...) \
	TP_printk("vm=%llu vcpu=%u " fmt, __entry->vm, __entry->vcpu, ##args)

/* The guest is about to be entered. */
TRACE_EVENT(mvm_entry,
	TP_PROTO(struct mvm_vcpu *vcpu), TP_ARGS(vcpu),
	TP_STRUCT__entry(MVM_TRACE_FIELDS __field(u64, rip)),
	TP_fast_assign(
		MVM_TRACE_ASSIGN(vcpu);
		__entry->rip = vmcs_read(GUEST_RIP);
	),
	MVM_TRACE_PRINTK("rip=0x%llx", __entry->rip)
);

/* The guest was left. */
TRACE_EVENT(mvm_exit,
	TP_PROTO(struct mvm_vcpu *vcpu), TP_ARGS(vcpu),
	TP_STRUCT__entry(
		MVM_TRACE_FIELDS
		__field(u32, reason) __field(u64, qualification)
		__field(u64, rip) __field(u32, intr_info)
	),
	TP_fast_assign(
		MVM_TRACE_ASSIGN(vcpu);
		__entry->reason = vcpu->exit_reason;
		__entry->qualification = vmcs_read(EXIT_QUALIFICATION);
		__entry->rip = vmcs_read(GUEST_RIP);
		__entry->intr_info = vmcs_read(VM_EXIT_INTR_INFO);
	),
	MVM_TRACE_PRINTK("reason=%u qualification=0x%llx rip=0x%llx intr_info=0x%x",
		__entry->reason, __entry->qualification, __entry->rip, __entry->intr_info)
);

/* An event goes into the guest at the next entry. */
TRACE_EVENT(mvm_inject,
	TP_PROTO(struct mvm_vcpu *vcpu, u32 info, u32 error_code), TP_ARGS(vcpu, info, error_code),
	TP_STRUCT__entry(MVM_TRACE_FIELDS __field(u32, info) __field(u32, error_code)),
	TP_fast_assign(
		MVM_TRACE_ASSIGN(vcpu);
		__entry->info = info;
		__entry->error_code = error_code;
	),
	MVM_TRACE_PRINTK("vector=%u type=%u error_code=0x%x",
		__entry->info & INTR_INFO_VECTOR_MASK,
		(__entry->info & INTR_INFO_INTR_TYPE_MASK) >> 8, __entry->error_code)
);

/* An EPT violation was served. */
TRACE_EVENT(mvm_ept_fault,
	TP_PROTO(struct mvm_vcpu *vcpu, int result), TP_ARGS(vcpu, result),
	TP_STRUCT__entry(MVM_TRACE_FIELDS __field(u64, gpa) __field(u32, flags) __field(int, result)),
	TP_fast_assign(
		MVM_TRACE_ASSIGN(vcpu);
		__entry->gpa = vcpu->fault.gpa;
		__entry->flags = vcpu->fault.flags;
		__entry->result = result;
	),
	MVM_TRACE_PRINTK("gpa=0x%llx access=%s result=%s", __entry->gpa,
		__entry->flags & MVM_MMIO_WRITE ? "write" :
		__entry->flags & MVM_MMIO_FETCH ? "fetch" : "read",
		__entry->result == 0 ? "mapped" :
		__entry->result == -ENXIO ? "mmio" : "error")
);

#endif /* MVM_TRACE_H */

#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
