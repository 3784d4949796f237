# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The selftests once more on the debug kernel: KASAN, UBSAN, lockdep,
# DEBUG_ATOMIC_SLEEP and kmemleak watch, and any splat or leak fails the run.

entry selftests-on-the-debug-kernel 'every selftest passes on the debug kernel, without a splat or a leak' 1500
selftests_on_the_debug_kernel() {
	local programs
	find_built_kernel debug
	mapfile -t programs < <(make -s -C "$LAB_ROOT/selftests" --no-print-directory list |
		sed 's,^build/,,' | grep -vxE 'cpuid_cost|kexec')
	((${#programs[@]})) || return 1
	RUN_OPTIONS=(--no-tool --kernel debug --memory 2048)
	PROGRAM_SECONDS=600 run_programs debug /selftests/ "${programs[@]}"
}
