// SPDX-License-Identifier: GPL-2.0-only
/*
 * kexec.c - the next kernel starts while guests run
 *
 * A CPU that is in VMX operation cannot go on to another kernel: on the one that
 * executes kexec, the change of CR4 faults, and to the others INIT does not get
 * through.  This program ends the kernel that it runs in, so what came of it is
 * seen in the next one: lab/check kexec-beside-guests looks there.
 */
#include <fcntl.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/guest.h"
#include "lib/proc.h"

#define THREADS	"mvm-selftest"
#define VMS	2

static volatile u64 life;

static void guest_life(u64 arg)
{
	u32 r[4];

	for (;; life++)
		gcpuid((u32)arg, 0, r);
}

static void guests_live(struct vm *vms)
{
	u64 before[VMS];

	for (u32 i = 0; i < VMS; i++)
		before[i] = *GUEST_VAR(&vms[i], life);
	for (u32 i = 0; i < VMS; i++)
		for (u32 ms = 0; *GUEST_VAR(&vms[i], life) < before[i] + 100; ms++) {
			CHECK(ms < 10000);
			usleep(1000);
		}
}

/* With this kernel's command line, and a word more. */
static void load_kernel(const char *kernel, const char *initrd)
{
	char line[4096] = "";
	FILE *f = fopen("/proc/cmdline", "r");
	int kernel_fd = open(kernel, O_RDONLY), initrd_fd = open(initrd, O_RDONLY);

	CHECK(f && fgets(line, sizeof(line) - 16, f));
	fclose(f);
	line[strcspn(line, "\n")] = '\0';
	strcat(line, " after-kexec");
	CHECK(kernel_fd >= 0 && initrd_fd >= 0);
	CHECK_OK(syscall(SYS_kexec_file_load, kernel_fd, initrd_fd, strlen(line) + 1, line, 0UL));
	close(kernel_fd);
	close(initrd_fd);
}

static void test_kexec(void)
{
	const char *kernel = getenv("KEXEC_KERNEL"), *initrd = getenv("KEXEC_INITRD");
	int cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct vcpu vcpus[VMS];
	struct vm vms[VMS];

	if (!kernel || !initrd)
		test_skip("it ends this kernel: set KEXEC_KERNEL and KEXEC_INITRD");
	dev_fd();
	load_kernel(kernel, initrd);
	for (u32 i = 0; i < VMS; i++) {
		guest_create(&vms[i], &vcpus[i], 0, guest_life, MVM_CPUID_BASE);
		vcpu_run_async(&vcpus[i]);
	}
	/* each CPU has had windows; the last one has them until it is stopped */
	for (int cpu = 0; cpu < cpus; cpu++) {
		CHECK_EQ(pin_tasks(THREADS, cpu), VMS);
		guests_live(vms);
	}
	diag("%d CPUs ran guests; now the next kernel", cpus);
	/* the output has to be out before */
	usleep(500000);
	CHECK_OK(syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
			 LINUX_REBOOT_CMD_KEXEC, NULL));
	FAIL("this kernel still runs");
}

static const struct test tests[] = {
	{ "kexec: the next kernel starts beside running guests", test_kexec, 120 },
};

TEST_MAIN(tests)
