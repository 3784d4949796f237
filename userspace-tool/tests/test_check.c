// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_check.c - every sentence of "mini-vm check", on machines made of a
 * folder, a CPUID function and answers.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/mini_vm.h>

#include "check.h"
#include "tap.h"

#define RELEASE	"6.1.0-test"

static const char *cpu_vendor;
static const char *hypervisor;
static bool has_vmx;
static bool msr_readable;
static u64 msr_value;
static enum check_device device;
static u32 device_abi;
static char root[PATH_MAX];
static struct check_report report;

static void put_name(u32 out[4], const char *name, bool cpu)
{
	char text[13] = { 0 };

	memcpy(text, name, strlen(name));
	memcpy(&out[1], text, 4);
	memcpy(&out[cpu ? 3 : 2], text + 4, 4);
	memcpy(&out[cpu ? 2 : 3], text + 8, 4);
}

static void fake_cpuid(u32 leaf, u32 subleaf, u32 out[4])
{
	(void)subleaf;
	memset(out, 0, 4 * sizeof(*out));
	if (leaf == 0) {
		put_name(out, cpu_vendor, true);
	} else if (leaf == 1) {
		if (has_vmx)
			out[2] |= 1U << 5;
		if (hypervisor)
			out[2] |= 1U << 31;
	} else if (leaf == 0x40000000 && hypervisor) {
		put_name(out, hypervisor, false);
	}
}

static bool fake_msr(const struct check_world *world, u32 index, u64 *value)
{
	(void)world;
	*value = msr_value;
	return msr_readable && index == 0x3a;
}

static enum check_device fake_device(const struct check_world *world,
				     u32 *abi_version)
{
	(void)world;
	*abi_version = device_abi;
	return device;
}

static void run(const char *release)
{
	struct check_world world = {
		.root = root,
		.release = release,
		.cpuid = fake_cpuid,
		.read_msr = fake_msr,
		.device = fake_device,
	};

	check_machine(&world, &report);
}

/* A file of the machine, with all folders above it. */
static void put_file(const char *path, const void *bytes, size_t length)
{
	char full[PATH_MAX * 2];
	char *slash;
	int fd;

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (slash = strchr(full + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(full, 0700);
		*slash = '/';
	}
	fd = open(full, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, bytes, length) != (ssize_t)length)
		exit(1);
	close(fd);
}

/* A good Intel machine without the module. */
static void new_machine(void)
{
	char command[PATH_MAX + 16];

	if (*root) {
		snprintf(command, sizeof(command), "rm -rf %s", root);
		if (system(command))
			exit(1);
	}
	strcpy(root, "/tmp/mini-vm-check-XXXXXX");
	if (!mkdtemp(root))
		exit(1);
	cpu_vendor = "GenuineIntel";
	hypervisor = NULL;
	has_vmx = true;
	msr_readable = true;
	msr_value = 5;
	device = CHECK_DEVICE_ABSENT;
	device_abi = MVM_ABI_VERSION;
}

#define says(words, name) do {						\
	if (!ok(strstr(report.text, words), "%s", name))			\
		printf("# it said: %s\n", report.text);			\
} while (0)

static void test_device(void)
{
	new_machine();
	device = CHECK_DEVICE_OK;
	run(RELEASE);
	ok(report.able, "a device that answers is a machine that is able");
	says("can run VMs.", "and it says so");
	device_abi = MVM_ABI_VERSION + 1;
	run(RELEASE);
	ok(!report.able, "another ABI version is not");
	says("Install both from the same release", "versions that differ");
	device = CHECK_DEVICE_FORBIDDEN;
	run(RELEASE);
	ok(!report.able, "a device one may not use is not");
	says("you may not use /dev/mini-vm", "no permission");
	device = CHECK_DEVICE_STRANGE;
	run(RELEASE);
	says("does not answer as", "something else at the device's path");
}

static void test_cpu(void)
{
	new_machine();
	cpu_vendor = "AuthenticAMD";
	run(RELEASE);
	ok(!report.able, "an AMD is not able");
	says("The CPU is an AMD", "AMD");
	says("as it is.", "and there is nothing to do about it");
	cpu_vendor = "CentaurHauls";
	run(RELEASE);
	says("calls itself 'CentaurHauls'", "another vendor");
	cpu_vendor = "GenuineIntel";
	has_vmx = false;
	run(RELEASE);
	says("The CPU has no VMX, or the firmware hides it", "no VMX");
	hypervisor = "Microsoft Hv";
	run(RELEASE);
	says("Set-VMProcessor", "inside Hyper-V");
	run("5.15.90.1-microsoft-standard-WSL2");
	says("nestedVirtualization=true", "inside WSL 2");
	hypervisor = "KVMKVMKVM";
	run(RELEASE);
	says("nested=1", "inside KVM");
	hypervisor = "VMwareVMware";
	run(RELEASE);
	says("Virtualize Intel VT-x", "inside VMware");
	hypervisor = "VBoxVBoxVBox";
	run(RELEASE);
	says("Nested VT-x", "inside VirtualBox");
	hypervisor = "SomethingNew";
	run(RELEASE);
	says("hypervisor 'SomethingNew'", "inside an unknown hypervisor");
	has_vmx = true;
	run(RELEASE);
	says("The CPU has VMX.", "nested virtualization is on");
}

static void test_firmware(void)
{
	new_machine();
	msr_value = 1;
	run(RELEASE);
	says("switched VMX off and locked it", "VMX locked off by the firmware");
	msr_value = 0;
	run(RELEASE);
	says("leaves VMX on", "not locked: the module can switch it on");
	msr_readable = false;
	run(RELEASE);
	says("cannot be seen", "the MSR cannot be read");
}

static void put_cpuinfo(const char *vmx_flags)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "processor\t: 0\nflags\t\t: fpu vmx ept unrestricted_guest\n%s\nbugs\t\t: ept\n\nprocessor\t: 1\n",
		 vmx_flags);
	put_file("/proc/cpuinfo", text, strlen(text));
}

static void test_features(void)
{
	new_machine();
	run(RELEASE);
	ok(!strstr(report.text, "EPT"), "no /proc/cpuinfo: nothing about EPT");
	put_cpuinfo("power : none");
	run(RELEASE);
	ok(!strstr(report.text, "EPT"), "no VMX flags: nothing about EPT");
	put_cpuinfo("vmx flags\t: vnmi unrestricted_guest ept_ad vept");
	run(RELEASE);
	says("The CPU has no EPT (extended page tables)", "no EPT");
	says("as it is.", "and there is nothing to do about it");
	ok(!strstr(report.text, "module"), "nor a word about the module");
	put_cpuinfo("vmx flags\t: ept vnmi");
	run(RELEASE);
	says("The CPU has no unrestricted guests", "no unrestricted guests");
	says("as it is.", "and there is nothing to do about it");
	put_cpuinfo("vmx flags\t: vnmi ept unrestricted_guest");
	run(RELEASE);
	says("cannot run VMs yet.", "a CPU that has both");
}

static void test_policy(void)
{
	static const char on[5] = { 6, 0, 0, 0, 1 };
	static const char off[5] = { 6, 0, 0, 0, 0 };
	static const char variable[] = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
	static const char lockdown[] = "/sys/kernel/security/lockdown";

	new_machine();
	run(RELEASE);
	ok(!strstr(report.text, "Secure Boot"), "no EFI: nothing about Secure Boot");
	put_file(variable, off, sizeof(off));
	run(RELEASE);
	ok(!strstr(report.text, "Secure Boot"), "Secure Boot off");
	put_file(variable, on, sizeof(on));
	run(RELEASE);
	says("Secure Boot is on", "Secure Boot on");
	put_file(lockdown, "[none] integrity confidentiality\n", 33);
	run(RELEASE);
	says("Secure Boot is on", "no lockdown");
	put_file(lockdown, "none [integrity] confidentiality\n", 33);
	run(RELEASE);
	says("locked down (integrity)", "lockdown");
	put_file(lockdown, "]none[ strange", 14);
	run(RELEASE);
	says("Secure Boot is on", "a lockdown file that makes no sense");
}

static void test_module(void)
{
	new_machine();
	run(RELEASE);
	says("linux-headers-" RELEASE, "headers missing");
	says("cannot run VMs yet.", "something can be done about it");
	put_file("/lib/modules/" RELEASE "/build/Makefile", "", 0);
	run(RELEASE);
	says("is not installed: build it", "module not installed");
	put_file("/lib/modules/" RELEASE "/updates/dkms/mini_vm.ko.xz", "", 0);
	run(RELEASE);
	says("installed but not loaded", "module not loaded");
	put_file("/sys/module/mini_vm/refcnt", "", 0);
	run(RELEASE);
	says("yet there is no /dev/mini-vm", "module loaded without its device");
}

int main(void)
{
	test_device();
	test_cpu();
	test_firmware();
	test_features();
	test_policy();
	test_module();
	new_machine();
	rmdir(root);
	return tap_done();
}
