# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The kernels of other Debian releases: each in a system of its release, in a
# folder of the cache, with that release's compilers. The module is built in
# there; what the lab VM boots is its kernel image.

# SERIES SUITE; "stock" is the kernel of Debian 12, lab/lib/kernel.sh.
RELEASE_KERNELS='6.1 bookworm
6.12 trixie
7.2 sid'

# perl is for the kernel-doc of W=1.
RELEASE_PACKAGES=(clang gcc linux-headers-amd64 linux-image-amd64 lld llvm make perl)

list_release_kernels() {
	cut -d' ' -f1 <<<"$RELEASE_KERNELS"
}

# is_release_kernel SERIES
is_release_kernel() {
	grep -q "^$1 " <<<"$RELEASE_KERNELS"
}

# find_release SERIES: sets ROOT to its system and KERNEL_RELEASE, KERNEL_VERSION
# as find_stock_kernel does. Later kernels of the release are not looked for:
# what is in the cache stays.
find_release() {
	local series=$1 suite sum
	install_packages check
	suite=$(sed -n "s/^$series //p" <<<"$RELEASE_KERNELS")
	sum=$(printf '%s\n' "$suite" "${RELEASE_PACKAGES[@]}" | sha256sum)
	ROOT=$LAB_CACHE/release/$suite-${sum:0:12}
	[[ -e $ROOT/complete ]] ||
		with_lock "$LAB_CACHE/locks/release-$suite" make_release "$suite"
	KERNEL_RELEASE=$(ls "$ROOT/lib/modules")
	[[ $KERNEL_RELEASE == "$series".* ]] ||
		fail "Debian $suite has Linux $KERNEL_RELEASE, not $series ($ROOT)"
	KERNEL_VERSION=$(dpkg-query --admindir="$ROOT/var/lib/dpkg" -W -f '${Version}' \
		"linux-headers-$KERNEL_RELEASE")
}

make_release() {
	local new=$ROOT.new there=$ROOT
	[[ ! -e $there/complete ]] || return 0
	as_root rm -rf --one-file-system "$new" "$there"
	open_root "$new" "$1" "${RELEASE_PACKAGES[@]}"
	as_root rm "$ROOT_ARCHIVE"
	as_root touch "$new/complete"
	as_root mv "$new" "$there"
}

# find_release_kernel SERIES: find_release, with the rest of what
# find_stock_kernel sets but the headers: those are of use in ROOT only.
find_release_kernel() {
	find_release "$1"
	KERNEL_DIR=$ROOT
	KERNEL_IMAGE=$ROOT/boot/vmlinuz-$KERNEL_RELEASE
	KERNEL_HEADERS=/lib/modules/$KERNEL_RELEASE/build
	[[ -r $KERNEL_IMAGE ]] || fail "there is no kernel image in $ROOT"
}
