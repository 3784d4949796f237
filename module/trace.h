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
#include "vcpu.h"
#include "vm.h"
#include "vmx_ops.h"

/* The guest is about to be entered. */
TRACE_EVENT(mvm_entry,
	TP_PROTO(struct mvm_vcpu *vcpu),
	TP_ARGS(vcpu),
	TP_STRUCT__entry(
		__field(u64, vm)
		__field(u32, vcpu)
		__field(u64, rip)
	),
	TP_fast_assign(
		__entry->vm = vcpu->vm->serial;
		__entry->vcpu = vcpu->id;
		__entry->rip = vmcs_read_natural(VMCS_GUEST_RIP);
	),
	TP_printk("vm=%llu vcpu=%u rip=0x%llx", __entry->vm, __entry->vcpu,
		  __entry->rip)
);

/* The guest was left. */
TRACE_EVENT(mvm_exit,
	TP_PROTO(struct mvm_vcpu *vcpu),
	TP_ARGS(vcpu),
	TP_STRUCT__entry(
		__field(u64, vm)
		__field(u32, vcpu)
		__field(u32, reason)
		__field(u64, qualification)
		__field(u64, rip)
		__field(u32, intr_info)
	),
	TP_fast_assign(
		__entry->vm = vcpu->vm->serial;
		__entry->vcpu = vcpu->id;
		__entry->reason = vcpu->exit_reason;
		__entry->qualification = vmcs_read_natural(VMCS_EXIT_QUALIFICATION);
		__entry->rip = vmcs_read_natural(VMCS_GUEST_RIP);
		__entry->intr_info = vmcs_read32(VMCS_EXIT_INTR_INFO);
	),
	TP_printk("vm=%llu vcpu=%u reason=%u qualification=0x%llx rip=0x%llx intr_info=0x%x",
		  __entry->vm, __entry->vcpu, __entry->reason,
		  __entry->qualification, __entry->rip, __entry->intr_info)
);

/* An event goes into the guest at the next entry. */
TRACE_EVENT(mvm_inject,
	TP_PROTO(struct mvm_vcpu *vcpu, u32 info, u32 error_code),
	TP_ARGS(vcpu, info, error_code),
	TP_STRUCT__entry(
		__field(u64, vm)
		__field(u32, vcpu)
		__field(u32, info)
		__field(u32, error_code)
	),
	TP_fast_assign(
		__entry->vm = vcpu->vm->serial;
		__entry->vcpu = vcpu->id;
		__entry->info = info;
		__entry->error_code = error_code;
	),
	TP_printk("vm=%llu vcpu=%u vector=%u type=%u error_code=0x%x", __entry->vm,
		  __entry->vcpu, __entry->info & INTR_VECTOR,
		  (__entry->info & INTR_TYPE) >> 8, __entry->error_code)
);

/* An EPT violation was served. */
TRACE_EVENT(mvm_ept_fault,
	TP_PROTO(struct mvm_vcpu *vcpu, int result),
	TP_ARGS(vcpu, result),
	TP_STRUCT__entry(
		__field(u64, vm)
		__field(u32, vcpu)
		__field(u64, gpa)
		__field(u64, access)
		__field(int, result)
	),
	TP_fast_assign(
		__entry->vm = vcpu->vm->serial;
		__entry->vcpu = vcpu->id;
		__entry->gpa = vcpu->fault_gpa;
		__entry->access = vcpu->fault_access;
		__entry->result = result;
	),
	TP_printk("vm=%llu vcpu=%u gpa=0x%llx access=%s result=%s", __entry->vm,
		  __entry->vcpu, __entry->gpa,
		  __entry->access == EPT_WRITE ? "write" :
		  __entry->access == EPT_EXEC ? "fetch" : "read",
		  __entry->result == MVM_FAULT_MAPPED ? "mapped" :
		  __entry->result == MVM_FAULT_MMIO ? "mmio" : "error")
);

#endif /* MVM_TRACE_H */

#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
