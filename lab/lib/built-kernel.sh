# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Kernels that the lab builds from Debian's kernel source: lab/kernel-NAME.config
# says what each has beyond "allnoconfig". Built once and kept in the cache.

# The package with the source; its version is the archive's present one.
KERNEL_SOURCE_PACKAGE=linux-source-6.1

# Checkers that check each other find nothing and take most of the emulator's time.
KERNEL_MAKE=({KASAN,UBSAN}_SANITIZE_{lockdep,kmemleak}.o=n)

# list_built_kernels: the names that find_built_kernel knows.
list_built_kernels() {
	local file
	for file in "$LAB_ROOT"/lab/kernel-*.config; do
		file=${file##*/kernel-}
		printf '%s\n' "${file%.config}"
	done
}

# kernel_source_version: the archive's present one; nothing while apt has no lists.
kernel_source_version() {
	apt-cache --no-all-versions show "$KERNEL_SOURCE_PACKAGE" 2>/dev/null |
		sed -n 's/^Version: //p' || :
}

# find_kernel_source: sets BUILT_SOURCE, where Debian's kernel source is unpacked.
find_kernel_source() {
	local version
	version=$(kernel_source_version)
	if [[ -z $version ]]; then
		update_lists
		version=$(kernel_source_version)
	fi
	[[ -n $version ]] || fail "apt knows no $KERNEL_SOURCE_PACKAGE"
	BUILT_SOURCE=$LAB_CACHE/source/$version
	[[ -e $BUILT_SOURCE/complete ]] ||
		with_lock "$LAB_CACHE/locks/source" unpack_kernel_source
}

# find_built_kernel NAME: sets BUILT_KERNEL (the ELF vmlinux) and BUILT_KDIR
# (what make wants as KDIR); builds it when the cache does not have it.
find_built_kernel() {
	local name=$1 sum
	local config=$LAB_ROOT/lab/kernel-$name.config
	[[ -e $config ]] || fail "there is no kernel called $name"
	mapfile -t groups < <(printf 'run\nkernel\n')
	install_packages "${groups[@]}"
	find_kernel_source
	sum=$({
		cat "$config"
		printf '%s\n' "${KERNEL_MAKE[@]}"
		gcc --version
	} | sha256sum)
	BUILT_KDIR=$LAB_CACHE/built/$name-${BUILT_SOURCE##*/}-${sum:0:12}
	BUILT_KERNEL=$BUILT_KDIR/vmlinux
	[[ -e $BUILT_KDIR/complete ]] ||
		with_lock "$LAB_CACHE/locks/built-$name" build_kernel "$name" "$config"
}

unpack_kernel_source() {
	local new=$BUILT_SOURCE.new
	[[ ! -e $BUILT_SOURCE/complete ]] || return 0
	stage "download: $KERNEL_SOURCE_PACKAGE"
	rm -rf "$new" "$BUILT_SOURCE"
	mkdir -p "$new"
	logged 'apt-get download' download_into "$new" "$KERNEL_SOURCE_PACKAGE"
	stage "unpack: $KERNEL_SOURCE_PACKAGE"
	logged 'dpkg-deb -x' dpkg-deb -x "$new"/linux-source-*.deb "$new/package"
	logged 'tar' tar -C "$new" --strip-components=1 -xf "$new"/package/usr/src/linux-source-*.tar.xz
	rm -rf "$new/package" "$new"/*.deb
	touch "$new/complete"
	mv "$new" "$BUILT_SOURCE"
}

build_kernel() {
	local name=$1 config=$2 line
	[[ ! -e $BUILT_KDIR/complete ]] || return 0
	stage "build: the $name kernel (a few minutes, once)"
	rm -rf "$BUILT_KDIR"
	mkdir -p "$BUILT_KDIR"
	logged 'configuring the kernel' make -C "$BUILT_SOURCE" O="$BUILT_KDIR" \
		KCONFIG_ALLCONFIG="$config" allnoconfig
	while read -r line; do
		[[ $line == CONFIG_* ]] || continue
		grep -qxF "$line" "$BUILT_KDIR/.config" ||
			fail "the $name kernel did not accept $line"
	done <"$config"
	logged 'building the kernel' make -C "$BUILT_SOURCE" O="$BUILT_KDIR" \
		-j"$(nproc)" "${KERNEL_MAKE[@]}" vmlinux modules
	touch "$BUILT_KDIR/complete"
	stage "build: the $name kernel is ready"
}
