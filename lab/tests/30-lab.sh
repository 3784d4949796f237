# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Tests of the lab itself: a lab that reports wrongly makes every test wrong.

entry lab-returns-what-the-command-did 'arguments, status and files pass through the lab VM unchanged' 40
lab_returns_what_the_command_did() {
	local status=0 text
	head -c 300000 /dev/urandom >"$WORK/sent"
	# shellcheck disable=SC2016 # for the VM's shell
	text=$(run_plain --add "$WORK/sent:/root/sent" --get "/root/sent:$WORK/back" -- \
		sh -c 'echo "$1|$2|$3|$#"; exit 37' sh 'a  b' "it's \"so\"" '$HOME') || status=$?
	[[ $status == 37 ]]
	[[ $text == "a  b|it's \"so\"|\$HOME|3" ]]
	cmp "$WORK/sent" "$WORK/back"
}

entry lab-sees-a-kernel-panic 'a panic of the lab VM ends the run with 99 and is shown' 40
lab_sees_a_kernel_panic() {
	local status=0
	run_plain -- sh -c 'echo c >/proc/sysrq-trigger; sleep 1000' 2>"$WORK/panic" || status=$?
	cat "$WORK/panic"
	[[ $status == 99 ]]
	grep -q 'sysrq triggered crash' "$WORK/panic"
}

entry lab-ends-when-the-time-is-up 'a command that does not end is stopped with 124' 45
lab_ends_when_the_time_is_up() {
	local status=0
	run_plain --timeout 40 -- sleep 100000 || status=$?
	[[ $status == 124 ]]
}

run_plain() {
	"$LAB_ROOT/lab/run" --emulator qemu --no-module --no-tool --no-selftests "$@"
}

entry lab-vm-has-vmx-and-kvm 'the lab VM has VMX, EPT and unrestricted guest, and KVM loads' 60
lab_vm_has_vmx_and_kvm() {
	"$LAB_ROOT/lab/run" --no-module --no-tool --no-selftests --timeout 300 -- \
		sh -c 'grep -m1 "^vmx flags.* ept .*unrestricted_guest" /proc/cpuinfo &&
			modprobe kvm_intel && test -c /dev/kvm'
}

entry check-keeps-its-lanes-apart 'lab/check runs tests beside each other, tells each whole, and ends all of them when it is ended'
check_keeps_its_lanes_apart() {
	local status=0 pid
	mkdir -p "$WORK/project/lab/tests"
	cp -R "$LAB_ROOT"/lab/{check,lib,packages,allowed-skips} "$WORK/project/lab/"
	# Two that wait for each other, one that fails, one that is alone, one that
	# does not end.
	cat >"$WORK/project/lab/tests/some.sh" <<-'END'
		meet() {
			local tries
			touch "$MEETING/$1"
			for ((tries = 0; tries < 300; tries++)); do
				[[ ! -e $MEETING/$2 ]] || return 0
				echo "$1 waits for $2"
				sleep 0.1
			done
			return 1
		}
		entry last 'is alone' 900
		alone last
		last() {
			[[ ! -e $MEETING/there ]] && echo x >"$WORK/mine"
		}
		entry left 'meets right' 1
		left() {
			echo l >"$WORK/mine"
			meet left right
			[[ $(cat "$WORK/mine") == l ]]
			result pass left.1
			result pass left.2
		}
		entry right 'meets left' 1
		right() {
			echo r >"$WORK/mine"
			meet right left
			[[ $(cat "$WORK/mine") == r ]]
			touch "$MEETING/there"
			sleep 1
			rm "$MEETING/there"
		}
		entry bad 'fails' 9
		bad() {
			echo begin of bad
			echo end of bad
			return 7
		}
		long_entry endless 'does not end'
		endless() {
			sleep 1000 &
			echo $! >"$MEETING/sleeper"
			wait
		}
	END
	mkdir "$WORK/meeting"
	MEETING=$WORK/meeting "$WORK/project/lab/check" --jobs 2 >"$WORK/output" 2>"$WORK/stages" || status=$?
	cat "$WORK/output" "$WORK/stages"
	[[ $status == 1 ]]
	[[ $(tail -n 1 "$WORK/output") == '4 passed, 1 failed, 0 skipped' ]]
	# The longest began first, and the one that is alone last.
	[[ $(sed -n 's/.*check: //p' "$WORK/stages" | sed -n '1p;4p' | paste -sd ' ') == 'bad last' ]]
	grep -qx 'ok: left: meets right (2) \[[0-9]* s\]' "$WORK/output"
	[[ $(grep -A 3 '^--- FAILED: bad' "$WORK/output" | sed -n '2,3p' | paste -sd '|') == 'begin of bad|end of bad' ]]
	check_ends_with_its_entries TERM
	check_ends_with_its_entries HUP
}

# check_ends_with_its_entries SIGNAL: and with what these have started.
check_ends_with_its_entries() {
	local pid status=0 tries
	rm -f "$WORK/meeting/sleeper"
	# What is ignored when bash begins it cannot trap, and nohup has HUP ignored.
	MEETING=$WORK/meeting TMPDIR=$WORK/meeting \
		env --default-signal="$1" "$WORK/project/lab/check" endless &
	pid=$!
	for ((tries = 0; tries < 300; tries++)); do
		[[ ! -s $WORK/meeting/sleeper ]] || break
		sleep 0.1
	done
	kill "-$1" "$pid"
	wait "$pid" || status=$?
	[[ $status == 125 ]]
	if kill -0 "$(cat "$WORK/meeting/sleeper")"; then return 1; fi
	if ls -d "$WORK"/meeting/mini-vm-check.*; then return 1; fi
}
