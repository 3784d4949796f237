// SPDX-License-Identifier: GPL-2.0-only
/*
 * check.c - finds out in which order things are missing, and says it in
 * sentences: what is, why, and what to do.
 *
 * The question that matters most comes first: when the device answers, the
 * machine is able and the rest is not asked.  Otherwise the CPU, the firmware,
 * the kernel's policy and the module are looked at.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/mini_vm.h>

#include "check.h"

#define MSR_FEATURE_CONTROL	0x3a
#define FEATURE_LOCKED		BIT(0)
#define FEATURE_VMX_OUTSIDE_SMX	BIT(2)

#define CPUID_1_ECX_VMX		BIT(5)
#define CPUID_1_ECX_HYPERVISOR	BIT(31)

#define SECURE_BOOT_VARIABLE \
	"/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"

/* One sentence for the report; what does not fit is left out whole. */
static void __attribute__((format(printf, 2, 3)))
say(struct check_report *report, const char *format, ...)
{
	size_t room = sizeof(report->text) - report->used;
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(report->text + report->used, room, format, args);
	va_end(args);
	if (length < 0 || (size_t)length + 2 > room) {
		report->text[report->used] = '\0';
		return;
	}
	report->used += (size_t)length;
	report->text[report->used++] = '\n';
	report->text[report->used] = '\0';
}

static bool make_path(const struct check_world *world, const char *path,
		      char *full)
{
	return snprintf(full, PATH_MAX, "%s%s", world->root, path) < PATH_MAX;
}

static bool exists(const struct check_world *world, const char *path)
{
	char full[PATH_MAX];
	struct stat status;

	return make_path(world, path, full) && !stat(full, &status);
}

/* The first bytes of a file, as a string; false when it cannot be read. */
static bool read_text(const struct check_world *world, const char *path,
		      char *text, size_t size, size_t *length)
{
	char full[PATH_MAX];
	ssize_t got;
	int fd;

	if (!make_path(world, path, full))
		return false;
	fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	got = read(fd, text, size - 1);
	close(fd);
	if (got < 0)
		return false;
	text[got] = '\0';
	if (length)
		*length = (size_t)got;
	return true;
}

static void vendor_name(const struct check_world *world, u32 leaf, char *name)
{
	u32 regs[4];

	world->cpuid(leaf, 0, regs);
	if (leaf) {		/* the hypervisor's: EBX, ECX, EDX */
		memcpy(name, &regs[CHECK_EBX], 4);
		memcpy(name + 4, &regs[CHECK_ECX], 4);
		memcpy(name + 8, &regs[CHECK_EDX], 4);
	} else {		/* the CPU's: EBX, EDX, ECX */
		memcpy(name, &regs[CHECK_EBX], 4);
		memcpy(name + 4, &regs[CHECK_EDX], 4);
		memcpy(name + 8, &regs[CHECK_ECX], 4);
	}
	name[12] = '\0';
}

static bool is_wsl(const struct check_world *world)
{
	return strstr(world->release, "microsoft") ||
	       strstr(world->release, "Microsoft");
}

/* Why a hypervisor below us hides VMX, and how it is made to show it. */
static void say_nested(const struct check_world *world,
		       struct check_report *report)
{
	char name[13];

	vendor_name(world, 0x40000000, name);
	if (is_wsl(world))
		say(report, "This is WSL 2, a virtual machine of Windows that shows no VMX: set 'nestedVirtualization=true' under [wsl2] in .wslconfig, run 'wsl --shutdown', and use Windows 11 on an Intel CPU.");
	else if (!strcmp(name, "Microsoft Hv"))
		say(report, "This is a virtual machine of Hyper-V that shows no VMX: on the host, with the machine off, run 'Set-VMProcessor -VMName NAME -ExposeVirtualizationExtensions $true'.");
	else if (!strcmp(name, "KVMKVMKVM"))
		say(report, "This is a virtual machine of KVM that shows no VMX: on the host load kvm_intel with nested=1 and give the machine the host's CPU model ('-cpu host').");
	else if (!strcmp(name, "VMwareVMware"))
		say(report, "This is a virtual machine of VMware that shows no VMX: switch on 'Virtualize Intel VT-x/EPT' in its processor settings.");
	else if (!strcmp(name, "VBoxVBoxVBox"))
		say(report, "This is a virtual machine of VirtualBox that shows no VMX: switch on 'Nested VT-x/AMD-V' in its processor settings.");
	else
		say(report, "This is a virtual machine (hypervisor '%s') that shows no VMX: switch on nested virtualization in it, or use a real machine or the lab ('lab/demo').",
		    name);
}

static bool check_cpu(const struct check_world *world,
		      struct check_report *report)
{
	u32 regs[4];
	char name[13];

	vendor_name(world, 0, name);
	world->cpuid(1, 0, regs);
	if (!strcmp(name, "AuthenticAMD") || !strcmp(name, "HygonGenuine")) {
		say(report, "The CPU is an AMD: it virtualizes by SVM, and mini-vm knows Intel's VMX only. Use a machine with an Intel CPU, or the lab, which emulates one ('lab/demo').");
		return false;
	}
	if (strcmp(name, "GenuineIntel")) {
		say(report, "The CPU calls itself '%s': mini-vm needs an Intel CPU with VMX. Use the lab, which emulates one ('lab/demo').",
		    name);
		return false;
	}
	if (regs[CHECK_ECX] & CPUID_1_ECX_VMX) {
		say(report, "The CPU has VMX.");
		return true;
	}
	if (regs[CHECK_ECX] & CPUID_1_ECX_HYPERVISOR)
		say_nested(world, report);
	else
		say(report, "The CPU has no VMX, or the firmware hides it: look for 'Intel Virtualization Technology' (VT-x) in the firmware's set-up; if it is not there, use another machine or the lab ('lab/demo').");
	return false;
}

static bool check_firmware(const struct check_world *world,
			   struct check_report *report)
{
	u64 value;

	if (!world->read_msr(world, MSR_FEATURE_CONTROL, &value)) {
		say(report, "Whether the firmware has switched VMX off cannot be seen: run as root after 'modprobe msr' to know.");
		return true;
	}
	if (value & FEATURE_LOCKED && !(value & FEATURE_VMX_OUTSIDE_SMX)) {
		say(report, "The firmware has switched VMX off and locked it: enable 'Intel Virtualization Technology' (VT-x) in the firmware's set-up and switch the machine off and on.");
		return false;
	}
	say(report, "The firmware leaves VMX on.");
	return true;
}

/* Does the line, which ends where @end points, have this word? */
static bool has_word(const char *line, const char *end, const char *word)
{
	size_t length = strlen(word);
	const char *at;

	for (at = strstr(line, word); at && at < end; at = strstr(at + 1, word))
		if (at > line && strchr(" \t", at[-1]) && strchr(" \n", at[length]))
			return true;
	return false;
}

/*
 * What the module needs beyond VMX, as far as a CPU is known that lacks it.  The
 * kernel lists it for anybody to read, unless the firmware has switched VMX off.
 */
static bool check_features(const struct check_world *world,
			   struct check_report *report)
{
	char text[16384];
	const char *line, *end;

	if (!read_text(world, "/proc/cpuinfo", text, sizeof(text), NULL))
		return true;
	line = strstr(text, "\nvmx flags");
	end = line ? strchr(line + 1, '\n') : NULL;
	if (!end)
		return true;
	if (!has_word(line, end, "ept"))
		say(report, "The CPU has no EPT (extended page tables), which mini-vm needs: use a machine with an Intel CPU of 2010 (Westmere) or later, or the lab, which emulates one ('lab/demo').");
	else if (!has_word(line, end, "unrestricted_guest"))
		say(report, "The CPU has no unrestricted guests (real mode under EPT), which mini-vm needs: use a machine with an Intel CPU of 2010 (Westmere) or later, or the lab, which emulates one ('lab/demo').");
	else
		return true;
	return false;
}

/* "none [integrity] confidentiality": the brackets mark what holds. */
static bool locked_down(const struct check_world *world, char *mode,
			size_t size)
{
	char text[128];
	char *open, *close_bracket;

	if (!read_text(world, "/sys/kernel/security/lockdown", text,
		       sizeof(text), NULL))
		return false;
	open = strchr(text, '[');
	close_bracket = open ? strchr(open, ']') : NULL;
	if (!close_bracket)
		return false;
	*close_bracket = '\0';
	snprintf(mode, size, "%s", open + 1);
	return strcmp(mode, "none");
}

static bool secure_boot(const struct check_world *world)
{
	char bytes[8];
	size_t length;

	/* four bytes of attributes, then the value */
	return read_text(world, SECURE_BOOT_VARIABLE, bytes, sizeof(bytes),
			 &length) && length >= 5 && bytes[4] == 1;
}

static void check_policy(const struct check_world *world,
			 struct check_report *report)
{
	char mode[32];

	if (locked_down(world, mode, sizeof(mode)))
		say(report, "The kernel is locked down (%s) and refuses modules without a signature it trusts: sign mini_vm.ko with a key that you enrol with 'mokutil --import', or switch Secure Boot off in the firmware's set-up.",
		    mode);
	else if (secure_boot(world))
		say(report, "Secure Boot is on: if the kernel refuses mini_vm.ko, sign it with a key that you enrol with 'mokutil --import', or switch Secure Boot off.");
}

static bool module_installed(const struct check_world *world)
{
	static const char *const folders[] = {
		"updates/dkms", "updates", "extra", "misc",
	};
	static const char *const suffixes[] = { "", ".xz", ".zst", ".gz" };
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(folders); i++) {
		for (j = 0; j < ARRAY_SIZE(suffixes); j++) {
			char path[PATH_MAX];

			snprintf(path, sizeof(path),
				 "/lib/modules/%s/%s/mini_vm.ko%s",
				 world->release, folders[i], suffixes[j]);
			if (exists(world, path))
				return true;
		}
	}
	return false;
}

static void check_module(const struct check_world *world,
			 struct check_report *report)
{
	char build[PATH_MAX];

	if (exists(world, "/sys/module/mini_vm")) {
		say(report, "The module mini_vm is loaded, yet there is no %s: udev may not have made it; look into 'dmesg', and unload and load the module.",
		    MVM_DEVICE_PATH);
		return;
	}
	if (module_installed(world)) {
		say(report, "The module mini_vm is installed but not loaded: run 'modprobe mini_vm' as root; if it refuses, 'dmesg' says why.");
		return;
	}
	snprintf(build, sizeof(build), "/lib/modules/%s/build/Makefile",
		 world->release);
	if (!exists(world, build)) {
		say(report, "The module mini_vm is not installed, and the headers of the running kernel %s to build it are missing: install the package linux-headers-%s, then build and install the module.",
		    world->release, world->release);
		return;
	}
	say(report, "The module mini_vm is not installed: build it ('make') and install it ('make install' as root), then run 'modprobe mini_vm'.");
}

/**
 * check_machine() - find out whether this machine can run VMs
 * @world: where the answers come from
 * @report: out: sentences, and the verdict
 */
void check_machine(const struct check_world *world,
		   struct check_report *report)
{
	u32 abi_version = 0;
	bool hardware;

	memset(report, 0, sizeof(*report));
	switch (world->device(world, &abi_version)) {
	case CHECK_DEVICE_OK:
		if (abi_version != MVM_ABI_VERSION) {
			say(report, "The kernel module and this command differ: the module has ABI version %u, the command %u. Install both from the same release and load the module again.",
			    abi_version, MVM_ABI_VERSION);
			return;
		}
		say(report, "This machine can run VMs.");
		report->able = true;
		return;
	case CHECK_DEVICE_FORBIDDEN:
		say(report, "The module is loaded, but you may not use %s: run as root, or join the group mini-vm ('sudo adduser USER mini-vm') and log in again.",
		    MVM_DEVICE_PATH);
		return;
	case CHECK_DEVICE_STRANGE:
		say(report, "%s does not answer as the mini-vm module does: unload the module and load the one of this version.",
		    MVM_DEVICE_PATH);
		return;
	case CHECK_DEVICE_ABSENT:
		break;
	}

	hardware = check_cpu(world, report) && check_firmware(world, report) &&
		   check_features(world, report);
	if (hardware) {
		check_policy(world, report);
		check_module(world, report);
	}
	say(report, "This machine cannot run VMs%s.",
	    hardware ? " yet" : " as it is");
}
