# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The lab VM's initial RAM disk, two cpio archives one after the other: the
# base (cached: busybox, init, the kernel's KVM modules, /guests) and what
# belongs to this run (module, tool, selftests, added files, the command).

# The kernel's modules that are in the lab VM; their dependencies come along.
VM_MODULES=(kvm kvm-intel msr tun zram)
# Those of a second disk and its file system.
VM_MODULES+=(ata_piix sd_mod crc32c_generic ext4)

# pack FOLDER ARCHIVE
pack() {
	(cd "$1" && find . -mindepth 1 -print0 | LC_ALL=C sort -z |
		cpio --null --create --format=newc --owner=0:0 --quiet) >"$2"
}

# add_program ROOT SOURCE TARGET: copies a program and its shared libraries.
add_program() {
	local root=$1 from=$2 to=$3
	mkdir -p "$root/$(dirname "$to")"
	cp -L --preserve=mode,timestamps "$from" "$root/$to"
	add_libraries "$root" "$from"
}

add_libraries() {
	local root=$1 file=$2 library
	[[ $(head -c 4 "$file" | tr -d '\0') == $'\x7fELF' ]] || return 0
	while read -r library; do
		[[ ! -e $root$library ]] || continue
		mkdir -p "$root$(dirname "$library")"
		cp -L "$library" "$root$library"
	done < <(ldd "$file" 2>/dev/null | awk '{ for (i = 1; i <= NF; i++) if ($i ~ /^\//) { print $i; break } }')
}

# make_skeleton ROOT: the usual folders, with /bin, /sbin and /lib merged.
make_skeleton() {
	local root=$1
	mkdir -p "$root"/{dev,etc,guests,lab,proc,root,run,selftests,sys,tmp,var/tmp} \
		"$root"/usr/{bin,sbin,lib,lib64}
	ln -sfn usr/bin "$root/bin"
	ln -sfn usr/sbin "$root/sbin"
	ln -sfn usr/lib "$root/lib"
	ln -sfn usr/lib64 "$root/lib64"
}

# add_busybox ROOT: busybox and a link for each of its programs.
add_busybox() {
	local root=$1 name
	cp /bin/busybox "$root/usr/bin/busybox"
	for name in $(/bin/busybox --list); do
		[[ $name == busybox ]] || ln -sf /usr/bin/busybox "$root/usr/bin/$name"
	done
}

# list_module_files MODULES.DEP NAME: the module's file and those it needs.
list_module_files() {
	awk -v want="/$2[.]ko([.](xz|zst))?:\$" '
		$1 ~ want {
			sub(/:$/, "", $1)
			for (i = 1; i <= NF; i++)
				print $i
			exit
		}' "$1"
}

# add_kernel_modules ROOT: VM_MODULES of the VM's kernel, ready for modprobe.
add_kernel_modules() {
	local root=$1 name file
	local modules=lib/modules/$KERNEL_RELEASE
	for name in "${VM_MODULES[@]}"; do
		while read -r file; do
			mkdir -p "$root/usr/$modules/$(dirname "$file")"
			cp "$KERNEL_DIR/$modules/$file" "$root/usr/$modules/$file"
			case $file in
			*.xz) xz -d -f "$root/usr/$modules/$file" ;;
			*.zst) zstd -q -d --rm -f "$root/usr/$modules/$file" ;;
			esac
		done < <(list_module_files "$KERNEL_DIR/$modules/modules.dep" "$name")
	done
	cp "$KERNEL_DIR/$modules"/modules.{order,builtin,builtin.modinfo} "$root/usr/$modules/"
	logged depmod depmod -b "$root/usr" "$KERNEL_RELEASE"
}

# find_base_archive: sets BASE_ARCHIVE.
find_base_archive() {
	local sum
	sum=$({
		printf '%s\n' "$KERNEL_RELEASE-$KERNEL_VERSION" "${VM_MODULES[*]}"
		cat "$LAB_ROOT/lab/lib/initramfs.sh" "$LAB_ROOT"/lab/guest/*
		sha256sum "$LAB_TOOLS/init" /bin/busybox | cut -d' ' -f1
	} | sha256sum)
	BASE_ARCHIVE=$LAB_CACHE/base/${sum:0:16}.cpio
	[[ -e $BASE_ARCHIVE ]] ||
		with_lock "$LAB_CACHE/locks/base" make_base_archive
}

make_base_archive() {
	local root=$BASE_ARCHIVE.root
	[[ ! -e $BASE_ARCHIVE ]] || return 0
	stage 'build: the lab VM'"'"'s file system'
	rm -rf "$root"
	make_skeleton "$root"
	add_busybox "$root"
	cp "$LAB_TOOLS/init" "$root/init"
	printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$root/etc/passwd"
	printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
	add_kernel_modules "$root"
	cp "$KERNEL_IMAGE" "$root/guests/vmlinuz"
	make_guest_initrd "$root/guests/initrd"
	pack "$root" "$BASE_ARCHIVE.new"
	rm -rf "$root"
	mv "$BASE_ARCHIVE.new" "$BASE_ARCHIVE"
}

# make_guest_initrd FILE: the initial RAM disk of a Debian kernel as guest.
make_guest_initrd() {
	local root=$1.root
	mkdir -p "$root"/{dev,proc,sys,tmp} "$root/bin"
	add_guest_busybox "$root"
	cp "$LAB_ROOT/lab/guest/init" "$root/init"
	chmod 755 "$root/init"
	pack "$root" "$1"
	rm -rf "$root"
}

add_guest_busybox() {
	local root=$1 name
	cp /bin/busybox "$root/bin/busybox"
	for name in $(/bin/busybox --list); do
		[[ $name == busybox ]] || ln -sf busybox "$root/bin/$name"
	done
}
