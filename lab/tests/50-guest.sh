# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The main job: an unmodified Debian kernel boots as a guest of mini-vm.

entry debian-guest-answers-a-nonce 'the stock Debian kernel boots as guest and hashes a number the host picked' 200
debian_guest_answers_a_nonce() {
	guest_answers_a_nonce /guests/vmlinuz
}

entry debian-vmlinux-answers-a-nonce 'the same kernel boots as the ELF file (vmlinux) that is inside its bzImage' 200
debian_vmlinux_answers_a_nonce() {
	find_lab_tools
	find_stock_kernel
	"$LAB_TOOLS/kernel-image" --elf "$KERNEL_IMAGE" "$WORK/vmlinux"
	guest_answers_a_nonce /guests/vmlinux --add "$WORK/vmlinux:/guests/vmlinux"
}

# guest_answers_a_nonce KERNEL [lab/run's OPTION]...
guest_answers_a_nonce() {
	local kernel=$1 nonce expected status=0
	shift
	nonce=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
	expected=$(printf %s "$nonce" | sha256sum)
	"$LAB_ROOT/lab/run" --no-selftests --timeout 900 "$@" -- \
		mini-vm run "$kernel" --initrd /guests/initrd \
		--append "console=ttyS0 quiet cryptomgr.notests demo nonce=$nonce end=debug code=21" | tee "$WORK/guest" ||
		status=$?
	# The guest's own way of ending: (21 << 1) | 1.
	[[ $status == 43 ]]
	tr -d '\r' <"$WORK/guest" | grep -qx "RESULT ${expected%% *}"
}

# linux_guest OPTION... -- WORD...: boots the Debian kernel with options of
# mini-vm run and words of its command line; the output, without CRs, goes to
# $WORK/guest. Returns its status.
linux_guest() {
	local options=() status=0
	while [[ $1 != -- ]]; do
		options+=("$1")
		shift
	done
	shift
	"$LAB_ROOT/lab/run" --no-selftests --timeout 1200 -- \
		mini-vm run /guests/vmlinuz --initrd /guests/initrd "${options[@]}" \
		--append "console=ttyS0 cryptomgr.notests $*" >"$WORK/guest.raw" || status=$?
	tr -d '\r' <"$WORK/guest.raw" | tee "$WORK/guest"
	return "$status"
}

entry debian-guest-powers-off 'the stock Debian kernel uses ACPI, I/O APIC and APIC timer without a complaint, and powers off' 200
debian_guest_powers_off() {
	linux_guest -- loglevel=5 demo end=poweroff || return 1
	grep -q '^guest: Linux' "$WORK/guest" || return 1
	# Warnings and errors of the kernel, loglevel 5, are on the console.
	if grep -Ei 'ACPI.*(error|warn|bug|exception|invalid|fail)|RSDP|IO-?APIC.*(fail|error)|irq.*nobody cared' "$WORK/guest"; then
		return 1
	fi
	grep -Eq '^ *4: +[1-9][0-9]* +IO-APIC +4-edge +ttyS0' "$WORK/guest" || return 1
	grep -Eq '^ *9: +[0-9]+ +IO-APIC +9-fasteoi +acpi' "$WORK/guest" || return 1
	# No timer by PIC and PIT: the local APIC has it.
	if grep -q 'XT-PIC' "$WORK/guest"; then
		return 1
	fi
	grep -Eq '^ *LOC: +[1-9][0-9]{2,} ' "$WORK/guest"
}

long_entry debian-guest-reboots 'a reboot of the stock Debian kernel ends the run with status 8, or starts the machine again' 500
debian_guest_reboots() {
	local status=0
	linux_guest --on-reset exit -- quiet demo end=reboot || status=$?
	[[ $status == 8 ]] || return 1
	cat >"$WORK/twice" <<-'END'
		mini-vm run /guests/vmlinuz --initrd /guests/initrd --append 'console=ttyS0 cryptomgr.notests demo end=reboot' >/tmp/out &
		pid=$!
		while [ "$(grep -c 'Linux version' /tmp/out)" -lt 2 ]; do
			kill -0 $pid || exit 1
			sleep 1
		done
		kill $pid
		wait $pid
		status=$?
		grep -c '^guest: Linux' /tmp/out
		exit $status
	END
	status=0
	"$LAB_ROOT/lab/run" --no-selftests --timeout 1200 --add "$WORK/twice:/lab/twice" -- \
		sh /lab/twice >"$WORK/guest" || status=$?
	cat "$WORK/guest"
	# Ended by SIGTERM, after one whole run.
	[[ $status == 12 ]] && grep -qx 1 "$WORK/guest"
}

entry running-guests-obey 'ps, pause, resume, stat and stop do what they say to guests that run' 250
running_guests_obey() {
	RUN_OPTIONS=(--no-selftests --add "$LAB_ROOT/userspace-tool/tests/vm:/tool-tests")
	run_programs control-vm /tool-tests/ control.sh
}
