# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The selftests: TAP programs that drive the module in the lab VM, as many in
# one boot as its kernel survives.

# How long one program may take, in the VM's seconds.
PROGRAM_SECONDS=120
# How long one boot may take, in this host's seconds.
BOOT_SECONDS=1200

entry selftests 'every selftest passes in the lab VM and its kernel stays sound' 500
selftests() {
	local programs
	# Those that want another machine, kernel or time have entries below.
	mapfile -t programs < <(make -s -C "$LAB_ROOT/selftests" --no-print-directory list |
		sed 's,^build/,,' | grep -vxE 'cpuid_cost|failslab|fuzz|hostevents|kexec|smp')
	((${#programs[@]})) || return 1
	RUN_OPTIONS=(--no-tool)
	run_programs selftests /selftests/ "${programs[@]}"
}

entry smp 'guests with up to 8 vCPUs on 2 CPUs: INIT and SIPI, IPIs in all modes, no wake-up of a million lost, a TSC that never goes back; also where the CPU delivers interrupts by itself' 450
smp() {
	write_apicv_wrapper
	RUN_OPTIONS=(--no-tool --cpus 2 --add "$WORK/apicv:/selftests/apicv")
	PROGRAM_SECONDS=400 run_programs smp /selftests/ smp 'apicv smp init:' 'apicv smp ipi:' 'apicv smp wake:'
}

long_entry smp-for-long 'no wake-up of five million is lost, and the TSC does not go back in 100,000 reads' 900
smp_for_long() {
	smp_often turns 5000000 'wake: two' && smp_often rest 100000 'wake: four' 'wake: by' tsc:
}

# smp_often GROUP ROUNDS WORD...
smp_often() {
	local status=0
	"$LAB_ROOT/lab/run" --no-tool --cpus 2 --timeout 7200 -- \
		env SMP_ROUNDS="$2" /selftests/smp "${@:3}" >"$WORK/often" || status=$?
	cat "$WORK/often"
	read_tap "smp-long.$1" "$WORK/often" >>"$RESULTS"
	return "$status"
}

entry apicv 'interrupts that the CPU delivers by itself do what those do that the module injects' 120
apicv() {
	write_apicv_wrapper
	RUN_OPTIONS=(--no-tool --add "$WORK/apicv:/selftests/apicv")
	run_programs apicv /selftests/ 'apicv apic cpu:' 'apicv apic modes:' 'apicv apic priority:' \
		'apicv apic xapic:' 'apicv apic ipi:' 'apicv apic msi:' 'apicv apic eoi:' 'apicv apic svr:' \
		'apicv apic esr:' 'apicv apic timer:' 'apicv lend'
}

# write_apicv_wrapper: makes $WORK/apicv. Bochs has the module do without unless it is
# told so (Documentation/architecture.rst); a guest that goes on in another VM would
# meet Bochs' fault.
write_apicv_wrapper() {
	cat >"$WORK/apicv" <<-'END'
		#!/bin/sh
		# apicv PROGRAM WORD
		rmmod mini_vm
		export SMP_ROUNDS=10000
		insmod /lab/mini_vm.ko apicv=1 && exec "/selftests/$@"
	END
	chmod +x "$WORK/apicv"
}

entry fuzz '100,000 random ioctls get documented answers and leave nothing behind' 600
fuzz() {
	RUN_OPTIONS=(--no-tool)
	PROGRAM_SECONDS=800 BOOT_SECONDS=2400 run_programs fuzz /selftests/ fuzz
}

long_entry selftests-lent 'guests do the same when the thread that waits for them enters them itself' 400
selftests_lent() {
	RUN_OPTIONS=(--no-tool)
	run_programs lent /selftests/ 'smoke -L' 'exits -L' 'modes -L' 'slots -L' 'inject -L' \
		'apic -L' 'fpu -L' 'state -L' 'twovms -L' 'attack -L' 'borrow -L'
}

long_entry storms-on-two-cpus 'guests lose no write while the host changes their memory, and survive what happens to a host of 2 CPUs' 600
storms_on_two_cpus() {
	RUN_OPTIONS=(--no-tool --cpus 2)
	PROGRAM_SECONDS=400 run_programs two-cpus /selftests/ storms hostevents
}

long_entry suspend-hides-a-lost-tsc 'a TSC that goes back while the host sleeps does not for a guest, and its vCPUs agree' 120
suspend_hides_a_lost_tsc() {
	RUN_OPTIONS=(--no-tool)
	MVM_DEBUG=1 run_programs lost-tsc /selftests/ 'hostevents TSC'
}

long_entry silicon-in-the-lab 'the checklist for real CPUs runs through in the lab, and no row passes: what only silicon shows is marked so' 400
silicon_in_the_lab() {
	local status=0
	"$LAB_ROOT/lab/run" --emulator bochs --no-tool --timeout 3600 --add "$LAB_ROOT/selftests/silicon:/selftests/silicon" -- \
		sh /selftests/silicon >"$WORK/silicon" || status=$?
	cat "$WORK/silicon"
	[[ $status == 0 ]] || return 1
	grep -qx 'Real CPU: no, Bochs, an emulator' "$WORK/silicon" || return 1
	# The first two columns of the table.
	sed '1,/^What /d; /^===/d' "$WORK/silicon" | cut -c1-38 | sed 's/ *$//' >"$WORK/rows"
	diff -u - "$WORK/rows" <<-'END'
		smallest guests               emulated
		attack guests                 emulated
		CPU modes                     emulated
		guest memory                  emulated
		migration between CPUs        skipped
		CPU offline and online        skipped
		sampling by a timer           emulated
		sampling by NMIs              skipped
		perf, sampling all CPUs       not run
		suspend, parts                emulated
		suspend to RAM                not run
		beside KVM                    emulated
		CPUID round trip              emulated
		kexec                         by hand
	END
}

long_entry kexec-beside-guests 'a kexec beside running guests leaves no CPU in VMX operation: the next kernel has both CPUs and runs guests' 700
kexec_beside_guests() {
	local status=0 name
	write_program_runner >"$WORK/run-programs"
	# The next kernel's initial RAM disk is made of what this one has; it has no
	# /guests. The lab's init in it goes on with the same result channel.
	cat >"$WORK/kexec" <<-'END'
		next=/tmp/next
		mkdir -p $next/lab $next/root $next/selftests
		cp -a /init /bin /sbin /lib /lib64 /usr /etc $next
		cp /lab/mini_vm.ko /lab/insmod /lab/next /lab/run-programs $next/lab
		cp /selftests/smoke /selftests/modes $next/selftests
		printf 'sh\0/lab/next\0' >$next/lab/command
		(cd $next && find . | cpio -o -H newc) >/tmp/initrd || exit 1
		rm -rf $next
		KEXEC_KERNEL=/guests/vmlinuz KEXEC_INITRD=/tmp/initrd exec /selftests/kexec
	END
	cat >"$WORK/next" <<-'END'
		grep -qw after-kexec /proc/cmdline && echo "next kernel: $(nproc) CPUs"
		exec sh /lab/run-programs /selftests/ 120 smoke modes
	END
	# It is silent while it decompresses itself.
	"$LAB_ROOT/lab/run" --no-tool --cpus 2 --stall 1200 --timeout 3600 --add "$WORK/run-programs:/lab/run-programs" \
		--add "$WORK/kexec:/lab/kexec" --add "$WORK/next:/lab/next" -- \
		sh /lab/kexec >"$WORK/programs" || status=$?
	cat "$WORK/programs"
	[[ $status == 0 ]] || return 1
	grep -qx '# 2 CPUs ran guests; now the next kernel' "$WORK/programs" || return 1
	grep -qx 'next kernel: 2 CPUs' "$WORK/programs" || return 1
	for name in smoke modes; do
		read_program "kexec.$name" "$name" "$WORK/programs" || return 1
	done
}

entry tool-runs-guests "the tool's own small guests, Multiboot images and a test kernel among them, run in the lab VM" 150
tool_runs_guests() {
	RUN_OPTIONS=(--no-selftests --add "$LAB_ROOT/userspace-tool/tests/vm:/tool-tests")
	run_programs tool-vm /tool-tests/ guests.sh multiboot.sh unittest.sh
}

# run_programs GROUP FOLDER PROGRAM...: runs TAP programs, each perhaps with
# arguments ('fuzz --calls 9'), in the lab VM, which lab/run starts with
# RUN_OPTIONS. When one takes the VM down, it has failed, and
# the next boot goes on behind it.
run_programs() {
	local group=$1 folder=$2 output=$WORK/programs status name index
	shift 2
	write_program_runner >"$WORK/run-programs"
	while (($#)); do
		status=0
		"$LAB_ROOT/lab/run" --timeout "$BOOT_SECONDS" "${RUN_OPTIONS[@]}" --add "$WORK/run-programs:/lab/run-programs" -- \
			sh /lab/run-programs "$folder" "$PROGRAM_SECONDS" "$@" >"$output" || status=$?
		cat "$output"
		while (($#)); do
			name=$1
			read_program "$group.${name%% *}" "$name" "$output" || break
			shift
		done
		if ((status == 0 && $# == 0)); then
			result pass "$group.vm-stays-sound"
		elif (($# == 0)); then
			result fail "$group.vm-stays-sound" "the run ended with status $status"
		else
			index=$(grep -c '^### begin ' "$output" || :)
			result fail "$group.${1%% *}" "did not end; the run ended with status $status"
			shift
			# A VM that does not even start the first program will not later.
			((index > 0)) || break
		fi
	done
	for name in "$@"; do
		result fail "$group.${name%% *}" 'could not be run'
	done
}

# read_program PREFIX NAME OUTPUT: the results of one program; fails when the
# output does not hold its end.
read_program() {
	local status
	status=$(sed -n "s,^### end $2 ,,p" "$3")
	[[ -n $status ]] || return 1
	awk -v begin="### begin $2" -v end="### end $2 " '
		$0 == begin { inside = 1; next }
		index($0, end) == 1 { inside = 0 }
		inside' "$3" >"$WORK/one"
	read_tap "$1" "$WORK/one" >"$WORK/one-results"
	cat "$WORK/one-results" >>"$RESULTS"
	# 4: all of it was skipped; else the status must agree with the lines.
	if [[ $status != 0 && $status != 4 ]] && ! grep -q '^fail' "$WORK/one-results"; then
		result fail "$1" "ended with status $status"
	fi
}

# The script that runs in the VM.
write_program_runner() {
	cat <<-'END'
		#!/bin/sh
		# run-programs FOLDER SECONDS PROGRAM...
		folder=$1 seconds=$2
		shift 2
		for program; do
			echo "### begin $program"
			status=0
			# A program's arguments are words of its own.
			timeout "$seconds" $folder$program </dev/null 2>&1 || status=$?
			echo
			echo "### end $program $status"
		done
	END
}
