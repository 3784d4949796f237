# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The main job: an unmodified Debian kernel boots as a guest of mini-vm.

entry debian-guest-answers-a-nonce 'the stock Debian kernel boots as guest and hashes a number the host picked'
debian_guest_answers_a_nonce() {
	guest_answers_a_nonce /guests/vmlinuz
}

entry debian-vmlinux-answers-a-nonce 'the same kernel boots as the ELF file (vmlinux) that is inside its bzImage'
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
