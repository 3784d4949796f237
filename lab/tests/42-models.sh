# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Other CPUs than the lab's usual one: those that lack what the module needs are
# refused with one sentence, the others run guests with what they have.

NEED_WESTMERE='use a machine with an Intel CPU of 2010 (Westmere) or later, or the lab, which emulates one ('"'lab/demo'"').'

entry cpu-penryn-is-refused 'on a CPU without EPT (2008) module and command line say so, and nothing stays' 60
cpu_penryn_is_refused() {
	cpu_is_refused core2_penryn_t9600 'the CPU has no EPT' \
		"The CPU has no EPT (extended page tables), which mini-vm needs: $NEED_WESTMERE"
}

entry cpu-lynnfield-is-refused 'on a CPU without unrestricted guests (2009) module and command line say so, and nothing stays' 60
cpu_lynnfield_is_refused() {
	cpu_is_refused corei5_lynnfield_750 'the CPU has no unrestricted guests (real mode under EPT)' \
		"The CPU has no unrestricted guests (real mode under EPT), which mini-vm needs: $NEED_WESTMERE"
}

# An older and a newer one than the default, Broadwell.
entry cpu-ivy-bridge-runs-guests 'guests run on a CPU of 2012: no accessed and dirty bits in the EPT, no INVPCID, no VMCS shadowing' 90
cpu_ivy_bridge_runs_guests() {
	cpu_runs_guests corei7_ivy_bridge_3770k
}

entry cpu-skylake-runs-guests 'guests run on a CPU of 2017: AVX-512, TSC scaling, page-modification logging' 90
cpu_skylake_runs_guests() {
	cpu_runs_guests corei7_skylake_x
}

long_entry other-cpus-run-guests 'guests run on CPUs of 2010 (the first with unrestricted guests), 2011, 2013, 2018 and later' 540
other_cpus_run_guests() {
	local model
	for model in corei5_arrandale_m520 corei7_sandy_bridge_2600k corei7_haswell_4770 \
		corei3_cnl corei7_icelake_u tigerlake; do
		cpu_runs_guests "$model"
	done
}

# cpu_runs_guests MODEL
cpu_runs_guests() {
	RUN_OPTIONS=(--emulator bochs --cpu "$1" --add "$LAB_ROOT/userspace-tool/tests/vm:/tool-tests")
	run_programs "$1" / selftests/smoke selftests/modes selftests/exits tool-tests/smallest.sh
}

# cpu_is_refused MODEL WHY ADVICE: the module's sentence, and the command line's.
cpu_is_refused() {
	local model=$1 why=$2 advice=$3
	cat >"$WORK/refusal" <<-'END'
		exec 2>&1
		ls -d /dev/* /sys/module/* /sys/class/misc/* /sys/kernel/debug/* >/tmp/before
		insmod /lab/mini_vm.ko
		echo "insmod: $?"
		# busybox tries twice
		dmesg | sed -n 's/^\[[^]]*\] mini-vm: //p' | sort -u
		ls -d /dev/* /sys/module/* /sys/class/misc/* /sys/kernel/debug/* | diff /tmp/before -
		grep 'mini.vm' /proc/modules /proc/misc /proc/kallsyms
		modprobe msr
		mini-vm check
		echo "check: $?"
		mini-vm run /guests/hello.bin
		echo "run: $?"
	END
	cat >"$WORK/expected" <<-END
		insmod: can't insert '/lab/mini_vm.ko': Operation not supported
		insmod: 95
		cannot run guests on this machine: $why
		The CPU has VMX.
		The firmware leaves VMX on.
		$advice
		This machine cannot run VMs as it is.
		check: 4
		mini-vm: there is no /dev/mini-vm: the kernel module is not loaded; run 'modprobe mini_vm' as root, or 'mini-vm check' to learn why that fails
		run: 4
	END
	"$LAB_ROOT/lab/run" --emulator bochs --cpu "$model" --no-load --no-selftests --timeout "$BOOT_SECONDS" \
		--add "$WORK/refusal:/lab/refusal" -- sh /lab/refusal >"$WORK/said" || {
		cat "$WORK/said"
		return 1
	}
	diff -u "$WORK/expected" "$WORK/said"
}
