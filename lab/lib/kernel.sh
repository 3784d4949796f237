# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The lab VM's kernels. The stock one is Debian's own package, unpacked into
# the cache with the headers that the module is built with; nothing of it is
# installed on this machine.

# After find_stock_kernel:
#   KERNEL_IMAGE    the distribution's vmlinuz
#   KERNEL_RELEASE  what uname -r says in it
#   KERNEL_VERSION  the package's version
#   KERNEL_DIR      where its packages are unpacked
#   KERNEL_HEADERS  what to give make as KDIR

# stock_kernel_package: name and version of the package that linux-image-amd64
# now stands for; nothing while apt has no lists.
stock_kernel_package() {
	apt-cache --no-all-versions show linux-image-amd64 2>/dev/null |
		sed -n -E 's/^Depends: (linux-image-[^ ]+) \(= ([^)]+)\).*/\1 \2/p' || :
}

find_stock_kernel() {
	local package found
	found=$(stock_kernel_package)
	if [[ -z $found ]]; then
		update_lists
		found=$(stock_kernel_package)
	fi
	[[ -n $found ]] || fail 'apt knows no linux-image-amd64'
	read -r package KERNEL_VERSION <<<"$found"
	KERNEL_RELEASE=${package#linux-image-}
	KERNEL_DIR=$LAB_CACHE/kernel/$KERNEL_RELEASE-$KERNEL_VERSION
	KERNEL_IMAGE=$KERNEL_DIR/boot/vmlinuz-$KERNEL_RELEASE
	KERNEL_HEADERS=$KERNEL_DIR/usr/src/linux-headers-$KERNEL_RELEASE
	[[ -e $KERNEL_DIR/complete ]] ||
		with_lock "$LAB_CACHE/locks/kernel" unpack_stock_kernel "$package"
}

unpack_stock_kernel() {
	local package=$1 new headers
	[[ ! -e $KERNEL_DIR/complete ]] || return 0
	stage "download: $package $KERNEL_VERSION and its headers"
	new=$KERNEL_DIR.new
	rm -rf "$new" "$KERNEL_DIR"
	mkdir -p "$new/download"
	headers=linux-headers-$KERNEL_RELEASE
	if ! download "$new/download" "$package" "$headers" >/dev/null 2>&1; then
		update_lists
		logged 'apt-get download' download "$new/download" "$package" "$headers"
	fi
	stage "unpack: $package"
	unpack_all "$new"
	# The headers' Makefile names the folder that the package would live in.
	# shellcheck disable=SC2016
	sed -i -E 's,^include /usr/src/,include $(dir $(lastword $(MAKEFILE_LIST)))../,' \
		"$new/usr/src/$headers/Makefile"
	logged depmod depmod -b "$new" "$KERNEL_RELEASE"
	rm -rf "$new/download"
	touch "$new/complete"
	mv "$new" "$KERNEL_DIR"
}

# download FOLDER IMAGE HEADERS: the packages and those of the headers' own
# dependencies that carry kernel headers and build tools.
download() {
	local more
	mapfile -t more < <(apt-cache depends "$3" |
		awk '$1 == "Depends:" && $2 ~ /^linux-(headers|kbuild)-/ { print $2 }')
	download_into "$1" "$2" "$3" "${more[@]}"
}

unpack_all() {
	local package
	for package in "$1"/download/*.deb; do
		logged "dpkg-deb -x ${package##*/}" dpkg-deb -x "$package" "$1"
	done
}

# find_flat_kernel FILE: decompresses a kernel once; sets FLAT_KERNEL and
# FLAT_NUMBERS, as lab/host/kernel-image.c makes them.
find_flat_kernel() {
	local image=$1 sum
	sum=$(sha256sum "$image" "$LAB_TOOLS/kernel-image" | sha256sum)
	FLAT_KERNEL=$LAB_CACHE/flat/${sum:0:16}
	[[ -e $FLAT_KERNEL.numbers ]] ||
		with_lock "$LAB_CACHE/locks/flat" make_flat_kernel "$image"
	# shellcheck disable=SC2034 # for the caller
	read -ra FLAT_NUMBERS <"$FLAT_KERNEL.numbers"
}

make_flat_kernel() {
	[[ ! -e $FLAT_KERNEL.numbers ]] || return 0
	stage "build: decompress the kernel ${1##*/}"
	mkdir -p "${FLAT_KERNEL%/*}"
	"$LAB_TOOLS/kernel-image" "$1" "$FLAT_KERNEL" >"$FLAT_KERNEL.new" ||
		fail "the kernel $1 cannot be used"
	mv "$FLAT_KERNEL.new" "$FLAT_KERNEL.numbers"
}
