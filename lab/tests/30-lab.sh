# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Tests of the lab itself: a lab that reports wrongly makes every test wrong.

entry lab-returns-what-the-command-did 'arguments, status and files pass through the lab VM unchanged'
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

entry lab-sees-a-kernel-panic 'a panic of the lab VM ends the run with 99 and is shown'
lab_sees_a_kernel_panic() {
	local status=0
	run_plain -- sh -c 'echo c >/proc/sysrq-trigger; sleep 1000' 2>"$WORK/panic" || status=$?
	cat "$WORK/panic"
	[[ $status == 99 ]]
	grep -q 'sysrq triggered crash' "$WORK/panic"
}

entry lab-ends-when-the-time-is-up 'a command that does not end is stopped with 124'
lab_ends_when_the_time_is_up() {
	local status=0
	run_plain --timeout 40 -- sleep 100000 || status=$?
	[[ $status == 124 ]]
}

run_plain() {
	"$LAB_ROOT/lab/run" --emulator qemu --no-module --no-tool --no-selftests "$@"
}

entry lab-vm-has-vmx-and-kvm 'the lab VM has VMX, EPT and unrestricted guest, and KVM loads'
lab_vm_has_vmx_and_kvm() {
	"$LAB_ROOT/lab/run" --no-module --no-tool --no-selftests --timeout 300 -- \
		sh -c 'grep -m1 "^vmx flags.* ept .*unrestricted_guest" /proc/cpuinfo &&
			modprobe kvm_intel && test -c /dev/kvm'
}
