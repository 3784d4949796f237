# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The kernels of other Debian releases: the module is built for each with the
# compilers of its release, and runs guests on those newer than Debian 12's.

. "$LAB_ROOT/lab/lib/release-kernel.sh"

long_entry module-builds-for-other-kernels 'the module builds with W=1 and no warning for Linux 6.1, 6.12 and 7.2, with gcc and with clang' 900
module_builds_for_other_kernels() {
	local series compiler
	for series in $(list_release_kernels); do
		find_release "$series"
		PROJECT=$LAB_BUILD/builds-$series
		copy_project
		for compiler in gcc clang; do
			if build_quietly "$compiler"; then
				result pass "module-builds-for.$series-$compiler"
			else
				result fail "module-builds-for.$series-$compiler"
			fi
		done
	done
}

# build_quietly gcc|clang: a full build of PROJECT's module in ROOT.
build_quietly() {
	local output=$WORK/make-$1
	local -a with=()
	[[ $1 == gcc ]] || with=(LLVM=1)
	rm -f "$PROJECT/mini_vm.ko"
	# shellcheck disable=SC2016 # for the shell there
	in_root_with "$PROJECT" sh -ec '
		build=$1
		shift
		make -C "$build" M=/mini-vm "$@" clean
		make -j"$(nproc)" -C "$build" M=/mini-vm W=1 "$@" modules' \
		sh "/lib/modules/$KERNEL_RELEASE/build" "${with[@]}" >"$output" 2>&1 || {
		cat "$output"
		return 1
	}
	cat "$output"
	[[ -s $PROJECT/mini_vm.ko ]] || return 1
	# The kernel was built by gcc, and says so to clang.
	! grep -E 'warning:|error:|WARNING:' "$output" |
		grep -vE 'Skipping BTF|the compiler differs from the one used to build the kernel'
}

long_entry guest-boots-on-other-kernels 'on Linux 6.12 and 7.2, beside KVM, selftests pass and their own kernel boots as guest and hashes a number' 900
guest_boots_on_other_kernels() {
	local bit
	guest_boots_on 6.12
	# The lab VM's CPU needs no clearing of the branch history, and 7.2 is to run the
	# module's own.
	find_release 7.2
	bit=$(sed -n -E 's/^#define X86_FEATURE_CLEAR_BHB_VMEXIT[[:space:]]+(\([^)]*\)).*/\1/p' \
		"$ROOT"/usr/src/linux-headers-*/arch/x86/include/asm/cpufeatures.h)
	guest_boots_on 7.2 --append "setcpuid=$((bit))"
	grep -x '# branch history: cleared after each exit' "$WORK/programs"
}

# guest_boots_on SERIES [lab/run's OPTION]...: all in one boot. The two scripts are
# TAP programs, too.
guest_boots_on() {
	local series=$1 nonce
	shift
	nonce=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
	write_kvm_loader >"$WORK/load-kvm"
	write_nonce_guest "$nonce" >"$WORK/nonce-guest"
	chmod 755 "$WORK/load-kvm" "$WORK/nonce-guest"
	RUN_OPTIONS=(--kernel "$series" "$@" --add "$WORK/load-kvm:/lab/load-kvm"
		--add "$WORK/nonce-guest:/lab/nonce-guest")
	PROGRAM_SECONDS=600 BOOT_SECONDS=2400 run_programs "linux-$series" / \
		lab/load-kvm selftests/smoke selftests/exits lab/nonce-guest selftests/borrow
}

# From 6.12 on KVM is in VMX operation from when it is loaded.
write_kvm_loader() {
	cat <<-'END'
		#!/bin/sh
		echo 1..1
		modprobe kvm_intel enable_apicv=0 && [ "$(cat /sys/module/kvm/parameters/enable_virt_at_load)" = Y ] || printf 'not '
		echo "ok 1 - KVM is loaded and holds VMX"
		sed 's/^/# /' /sys/kernel/debug/mini-vm/mitigations
	END
}

# write_nonce_guest NONCE
write_nonce_guest() {
	local expected
	expected=$(printf %s "$1" | sha256sum)
	cat <<-END
		#!/bin/sh
		echo 1..2
		mini-vm run /guests/vmlinuz --initrd /guests/initrd --append \\
			"console=ttyS0 quiet cryptomgr.notests demo nonce=$1 end=debug code=21" >/tmp/guest
		[ \$? = 43 ] || printf 'not '
		echo "ok 1 - the guest ends as it was told"
		tr -d '\\r' </tmp/guest | grep -qx "RESULT ${expected%% *}" || printf 'not '
		echo "ok 2 - and answers with the hash"
		sed 's/^/# /' /tmp/guest
	END
}
