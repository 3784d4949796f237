# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The selftests once more on the debug kernel: KASAN, UBSAN, lockdep,
# DEBUG_ATOMIC_SLEEP and kmemleak watch, and any splat or leak fails the run. To build
# that kernel takes 15 minutes of a core, to run all on it more than 30.

long_entry selftests-on-the-debug-kernel 'the selftests, and failing allocations, on the debug kernel: no splat, no leak' 2200
selftests_on_the_debug_kernel() {
	local programs
	mapfile -t programs < <(make -s -C "$LAB_ROOT/selftests" --no-print-directory list |
		sed 's,^build/,,' | grep -vxE 'cpuid_cost|fuzz|hostevents|kexec|smp')
	((${#programs[@]})) || return 1
	# Of smp what needs no second CPU.
	on_the_debug_kernel debug "${programs[@]}" 'smp start: init: wait: ipi: wake: TSC_ADJUST spin'
}

# What needs a second CPU, and what races on it: fewer rounds of it, as all is slower.
long_entry two-cpus-on-the-debug-kernel 'guests with several vCPUs, and storms that race best on two CPUs, on the debug kernel: no splat, no leak' 2400
two_cpus_on_the_debug_kernel() {
	printf '#!/bin/sh\nSMP_ROUNDS=%s exec /selftests/smp\n' 2000 >"$WORK/smp-few"
	chmod +x "$WORK/smp-few"
	on_the_debug_kernel debug-two smp-few 'storms DONTNEED mremap slots' -- --cpus 2 --stall 1500 --add "$WORK/smp-few:/selftests/smp-few"
}

# What the calls do is drawn as on the stock kernel; there they are compared, too.
long_entry fuzz-on-the-debug-kernel '20,000 random ioctls on the debug kernel: no splat, no leak' 900
fuzz_on_the_debug_kernel() {
	on_the_debug_kernel debug-fuzz 'fuzz --calls 20000 random afterwards nothing'
}

# on_the_debug_kernel GROUP PROGRAM... [-- OPTION OF lab/run...]
on_the_debug_kernel() {
	local group=$1 programs=()
	shift
	while (($#)) && [[ $1 != -- ]]; do
		programs+=("$1")
		shift
	done
	find_built_kernel debug
	# The memory: kmemleak reads KASAN's shadow of it.
	RUN_OPTIONS=(--no-tool --kernel debug --memory 768 "${@:2}")
	PROGRAM_SECONDS=1200 BOOT_SECONDS=5400 run_programs "$group" /selftests/ "${programs[@]}"
}
