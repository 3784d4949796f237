// SPDX-License-Identifier: GPL-2.0-only
/*
 * modes.c - the test guests of guests/, one a CPU mode, from their real-mode
 * entry to their own verdict
 */
#include <sched.h>

#include "lib/proc.h"
#include "lib/vm.h"

#define LOAD_GPA	0x10000
#define PORT_END	0xf4
#define PORT_LINE	0xf6

#define BLOB(name)                                                             \
	asm(".pushsection .rodata\n"                                           \
	    ".balign 16\n"                                                     \
	    "blob_" #name ": .incbin \"guests/" #name ".bin\"\n"               \
	    "blob_" #name "_end:\n"                                            \
	    ".popsection");                                                    \
	extern const u8 blob_##name[], blob_##name##_end[]

BLOB(real);
BLOB(protected);
BLOB(paging32);
BLOB(pae);
BLOB(v8086);
BLOB(compat);
BLOB(long);

static void load(struct vm *vm, struct vcpu *vcpu, const u8 *blob, const u8 *end)
{
	vm_create(vm, 0);
	vm_ram(vm, SZ_2M);
	vcpu_create(vcpu, vm, 0);
	memcpy(vm->ram + LOAD_GPA, blob, end - blob);
	vcpu_real_mode(vcpu, LOAD_GPA >> 4, 0);
}

/* Look at the exit; true at the guest's end. */
static bool look(struct vcpu *vcpu, const char *name, u32 *line)
{
	const struct mvm_run *run = vcpu->run;

	if (run->exit_reason == MVM_EXIT_INTR)
		return false;
	if (run->exit_reason != MVM_EXIT_IO || (run->io.flags & MVM_IO_IN))
		FAIL("%s: exit is %s", name, exit_text(vcpu));
	if (run->io.port == PORT_LINE) {
		*line = run->io.data;
		return false;
	}
	if (run->io.port != PORT_END)
		FAIL("%s: exit is %s", name, exit_text(vcpu));
	if (run->io.data)
		FAIL("guests/%s.S:%u: the guest's check failed", name, *line);
	return true;
}

static void run_blob(const char *name, const u8 *blob, const u8 *end)
{
	struct vcpu vcpu;
	struct vm vm;
	u32 line = 0;

	load(&vm, &vcpu, blob, end);
	do {
		vcpu_run(&vcpu);
	} while (!look(&vcpu, name, &line));
}

#define RUN_BLOB(name)                                                         \
	static void test_##name(void)                                          \
	{                                                                      \
		run_blob(#name, blob_##name, blob_##name##_end);               \
	}

RUN_BLOB(real)
RUN_BLOB(protected)
RUN_BLOB(paging32)
RUN_BLOB(pae)
RUN_BLOB(v8086)
RUN_BLOB(compat)
RUN_BLOB(long)

/* ------------------------------------------------------------------------
 * The same with stops at random places, and all system registers written back
 * at each.
 */

static void test_stops(void)
{
	static const struct {
		const char *name;
		const u8 *blob, *end;
	} b[] = {
		{ "real", blob_real, blob_real_end },
		{ "protected", blob_protected, blob_protected_end },
		{ "paging32", blob_paging32, blob_paging32_end },
		{ "pae", blob_pae, blob_pae_end },
		{ "v8086", blob_v8086, blob_v8086_end },
		{ "compat", blob_compat, blob_compat_end },
		{ "long", blob_long, blob_long_end },
	};
	struct sched_param prio = { .sched_priority = 1 };
	struct random r = { .state = 3 };
	unsigned int stops = 0;

	/* or the guest has done its part before we wake up */
	CHECK_OK(sched_setscheduler(0, SCHED_FIFO, &prio));

	for (size_t i = 0; i < ARRAY_SIZE(b); i++) {
		struct mvm_sregs s;
		struct vcpu vcpu;
		struct vm vm;
		u32 line = 0;

		load(&vm, &vcpu, b[i].blob, b[i].end);
		do {
			vcpu_run_async(&vcpu);
			/* some microseconds, or many where the kernel is slow */
			sleep_ns(random_below(&r, 1000 << random_below(&r, 12)));
			if (vcpu_stop(&vcpu) == MVM_EXIT_INTR) {
				stops++;
				vcpu_get_sregs(&vcpu, &s);
				vcpu_set_sregs(&vcpu, &s);
			}
		} while (!look(&vcpu, b[i].name, &line));
		vcpu_destroy(&vcpu);
		vm_destroy(&vm);
	}
	diag("%u stops", stops);
	CHECK(stops > 0);
}

static const struct test tests[] = {
	{ "modes: real mode", test_real },
	{ "modes: protected mode without paging, CPL 0 and 3", test_protected },
	{ "modes: 32-bit paging", test_paging32 },
	{ "modes: PAE paging", test_pae },
	{ "modes: virtual-8086 mode", test_v8086 },
	{ "modes: compatibility mode, and out of IA-32e mode", test_compat },
	{ "modes: 64-bit mode", test_long },
	{ "modes: each survives stops at random places", test_stops, 60 },
};

TEST_MAIN(tests)
