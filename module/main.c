// SPDX-License-Identifier: GPL-2.0-only
/*
 * main.c - the module: can this machine do it, and /dev/mini-vm.
 *
 * Loading turns nothing on.  VMX is entered only while a guest runs (window.c).
 */
#include <linux/debugfs.h>
#include <linux/dmi.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <asm/cpu_device_id.h>
#include "mitigations.h"
#include "vcpu.h"
#include "vm.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

struct mvm_caps mvm_caps __ro_after_init;
struct mvm_cpuid_table mvm_supported_cpuid __ro_after_init;
static bool vmx_in_use __ro_after_init;

static int apicv = -1;
module_param(apicv, int, 0444);
MODULE_PARM_DESC(apicv, "let the CPU deliver interrupts to guests by itself: 1: if it can; 0: no; -1: if it can and is not Bochs'");

static long get_info(void *object, void *args)
{
	*(struct mvm_info *)args = (struct mvm_info){
		.abi_version = MVM_ABI_VERSION,
		.run_size = MVM_RUN_SIZE,
		.max_vms = MVM_MAX_VMS,
		.max_vcpus = MVM_MAX_VCPUS,
		.max_slots = MVM_MAX_SLOTS,
		.xsave_size = mvm_xsave_size(),
		.xcr0_mask = mvm_caps.xcr0_mask,
		.max_gpa = mvm_memory_max_gpa(),
		.tsc_khz = mvm_caps.tsc_khz,
		.apic_timer_khz = mvm_caps_timer_hz(&mvm_caps) / 1000,
		.capabilities =
			(mvm_caps.ept_2m ? MVM_CAP_EPT_2M : 0) | (vmx_in_use ? MVM_CAP_BORROW : 0) |
			(mvm_caps.pin & PIN_BASED_VMX_PREEMPTION_TIMER ? MVM_CAP_PREEMPTION_TIMER
								       : 0) |
			(mvm_caps_delivers() ? MVM_CAP_APICV : 0) |
			(mvm_caps.proc & CPU_BASED_TPR_SHADOW ? MVM_CAP_TPR_SHADOW : 0) |
			MVM_CAP_TSC_DEADLINE,
	};
	return 0;
}

static const struct mvm_ioctl_op device_ioctls[] = {
	MVM_IOCTL(MVM_GET_INFO, struct mvm_info, .handler = get_info, .out = true),
	MVM_IOCTL(MVM_GET_SUPPORTED_CPUID, struct mvm_cpuid,
		  .handler = mvm_ioctl_get_supported_cpuid, .out = true),
	MVM_IOCTL(MVM_CREATE_VM, struct mvm_create_vm, .handler = mvm_vm_create,
		  .flags = MVM_VM_EXIT_HLT | MVM_VM_EXIT_VMCALL | MVM_VM_EXIT_EOI),
};

static long device_ioctl(struct file *file, unsigned int command, unsigned long arg)
{
	return mvm_ioctl(device_ioctls, ARRAY_SIZE(device_ioctls), NULL, NULL, command, arg);
}

static const struct file_operations device_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

/* 0600: a udev rule of the administrator opens it to a group. */
static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "mini-vm",
	.fops = &device_fops,
	.mode = 0600,
};

/* ---- /sys/kernel/debug/mini-vm ---- */

static struct dentry *debug_dir;

DEFINE_SHOW_ATTRIBUTE(mvm_mitigations);

static void debugfs_init(void)
{
	debug_dir = debugfs_create_dir("mini-vm", NULL);
	debugfs_create_file("mitigations", 0400, debug_dir, NULL, &mvm_mitigations_fops);
	debugfs_create_x32("pin_controls", 0400, debug_dir, &mvm_caps.pin);
	debugfs_create_x32("proc_controls", 0400, debug_dir, &mvm_caps.proc);
	debugfs_create_x32("proc2_controls", 0400, debug_dir, &mvm_caps.proc2);
	debugfs_create_x32("exit_controls", 0400, debug_dir, &mvm_caps.exit);
	debugfs_create_x32("entry_controls", 0400, debug_dir, &mvm_caps.entry);
}

/*
 * Can this machine run guests?  The answer of each refusal is one line in the
 * log, which the command line's "check" explains.
 */
static int __init preflight(void)
{
	struct vmx_capability_msrs raw;
	const char *why = NULL;
	int ret;

	vmx_read_capability_msrs(&raw);
	/*
	 * When the delivery of a virtual interrupt meets an EPT violation, Bochs says
	 * that another event was being delivered, one from before.
	 */
	if (apicv < 0)
		apicv = !dmi_match(DMI_BIOS_VENDOR, "The Bochs Project");
	if (!apicv)	/* the upper half: what may be 1 */
		raw.proc2 &= ~((u64)SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY << 32);
	ret = mvm_caps_negotiate(&raw, &mvm_caps, &why);
	if (ret) {
		pr_err("cannot run guests on this machine: %s\n", why);
		return ret;
	}
	mvm_cpuid_supported(&mvm_supported_cpuid, mvm_cpuid_read_host, &mvm_caps);
	/* Somebody else's VMX is no obstacle: windows borrow it. */
	vmx_in_use = __read_cr4() & X86_CR4_VMXE;
	return 0;
}

static int __init mvm_init(void)
{
	int ret;

	ret = preflight();
	if (ret)
		return ret;
	mvm_mitigations_init();
	mvm_windows_init();
	mvm_vms_init();
	ret = misc_register(&device);
	if (ret) {
		mvm_vms_exit();
		mvm_windows_exit();
		return ret;
	}
	debugfs_init();
	pr_info("ready, ABI version %d%s\n", MVM_ABI_VERSION,
		vmx_in_use ? "; VMX is in use: borrowing it" : "");
	return 0;
}

static void __exit mvm_exit(void)
{
	debugfs_remove(debug_dir);
	misc_deregister(&device);
	mvm_vms_exit();
	mvm_windows_exit();
}

/* Where a module is installed, udev loads it on the CPUs that might do. */
static const struct x86_cpu_id cpus_with_vmx[] = { X86_MATCH_FEATURE(X86_FEATURE_VMX, NULL), {} };
MODULE_DEVICE_TABLE(x86cpu, cpus_with_vmx);

module_init(mvm_init);
module_exit(mvm_exit);

MODULE_DESCRIPTION("mini-vm: a minimal Intel VMX hypervisor");
MODULE_AUTHOR("The mini-vm authors");
MODULE_LICENSE("GPL");
