# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The main job: an unmodified Debian kernel boots as a guest of mini-vm.

entry debian-guest-answers-a-nonce 'the stock Debian kernel boots as guest and hashes a number the host picked'
debian_guest_answers_a_nonce() {
	local nonce expected status=0
	nonce=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
	expected=$(printf %s "$nonce" | sha256sum)
	"$LAB_ROOT/lab/run" --no-selftests --timeout 900 -- \
		mini-vm run /guests/vmlinuz --initrd /guests/initrd \
		--append "console=ttyS0 quiet cryptomgr.notests demo nonce=$nonce end=debug code=21" | tee "$WORK/guest" ||
		status=$?
	# The guest's own way of ending: (21 << 1) | 1.
	[[ $status == 43 ]]
	tr -d '\r' <"$WORK/guest" | grep -qx "RESULT ${expected%% *}"
}

entry running-guests-obey 'ps, pause, resume, stat and stop do what they say to guests that run'
running_guests_obey() {
	RUN_OPTIONS=(--no-selftests --add "$LAB_ROOT/userspace-tool/tests/vm:/tool-tests")
	run_programs control-vm /tool-tests/ control.sh
}
