# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Builds of the module for the kernels of other Debian releases, each with the
# compilers of its release.

long_entry module-builds-for-other-kernels 'the module builds with W=1 and no warning for Linux 6.1 and 6.12, with gcc and with clang' 600
module_builds_for_other_kernels() {
	trap close_root EXIT
	build_for bookworm 6.1
	close_root
	build_for trixie 6.12
}

# build_for SUITE SERIES: in a system of that release; perl is for the
# kernel-doc of W=1.
build_for() {
	local suite=$1 series=$2 compiler
	open_root "$WORK/root-$suite" "$suite" clang gcc linux-headers-amd64 lld llvm make perl
	[[ $(in_root ls /lib/modules) == "$series".* ]]
	for compiler in gcc clang; do
		as_root rm -rf "$ROOT/mini-vm"
		(cd "$LAB_ROOT" && git ls-files -z Kbuild module uapi | xargs -0 tar -cf -) |
			as_root sh -c "mkdir '$ROOT/mini-vm' && tar -C '$ROOT/mini-vm' --no-same-owner -xf -"
		if build_quietly "$compiler"; then
			result pass "module-builds-for.$series-$compiler"
		else
			result fail "module-builds-for.$series-$compiler"
		fi
	done
}

build_quietly() {
	local output=$WORK/make-$1
	local -a with=()
	[[ $1 == gcc ]] || with=(LLVM=1)
	# shellcheck disable=SC2016 # for the shell there
	in_root sh -ec 'make -j"$(nproc)" -C /lib/modules/*/build M=/mini-vm W=1 "$@" modules' \
		sh "${with[@]}" >"$output" 2>&1 || {
		cat "$output"
		return 1
	}
	cat "$output"
	[[ -s $ROOT/mini-vm/mini_vm.ko ]] || return 1
	# The kernel was built by gcc, and says so to clang.
	! grep -E 'warning:|error:|WARNING:' "$output" |
		grep -vE 'Skipping BTF|the compiler differs from the one used to build the kernel'
}
