# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Debian systems in folders, for what must not be tried on this machine:
# installing packages, and other releases' kernels and compilers. A bare one is
# made once, kept in the cache as an archive and unpacked anew for each test.

# find_root SUITE PACKAGE...: sets ROOT_ARCHIVE to a system with these packages.
find_root() {
	local sum
	sum=$(printf '%s\n' "$@" | sha256sum)
	ROOT_ARCHIVE=$LAB_CACHE/roots/$1-${sum:0:12}.tar
	[[ -e $ROOT_ARCHIVE ]] ||
		with_lock "$LAB_CACHE/locks/roots" make_root "$@"
}

# The lists of a suite may be some days old where a mirror is; they are signed.
# A kernel in there needs no initial RAM disk.
make_root() {
	local suite=$1 packages
	shift
	packages=$(IFS=,; echo "$*")
	[[ ! -e $ROOT_ARCHIVE ]] || return 0
	stage "build: a Debian $suite with $*"
	mkdir -p "${ROOT_ARCHIVE%/*}"
	logged mmdebstrap as_root env INITRD=No mmdebstrap --mode=root --variant=minbase --components=main \
		--aptopt='Acquire::Check-Valid-Until "false"' \
		--aptopt='APT::Install-Recommends "false"' \
		--include="$packages" "$suite" "$ROOT_ARCHIVE.new.tar"
	as_root chown "$(id -u):$(id -g)" "$ROOT_ARCHIVE.new.tar"
	mv "$ROOT_ARCHIVE.new.tar" "$ROOT_ARCHIVE"
}

# open_root FOLDER SUITE PACKAGE...: unpacks it to FOLDER, and sets ROOT.
open_root() {
	ROOT=$1
	shift
	find_root "$@"
	as_root mkdir -p "$ROOT"
	as_root tar -C "$ROOT" --numeric-owner --exclude=./dev/'*' -xf "$ROOT_ARCHIVE"
	# The names of hosts are this machine's.
	as_root cp -L /etc/resolv.conf /etc/hosts "$ROOT/etc/"
}

# in_root COMMAND...: in ROOT, with a /proc, a /dev and processes of its own; all
# that is mounted for it goes with its last process.
in_root() {
	in_root_with '' "$@"
}

# in_root_with FOLDER COMMAND...: likewise, and this machine's FOLDER is /mini-vm
# there.
in_root_with() {
	local folder=$1
	shift
	# shellcheck disable=SC2016 # for the inner shell
	as_root unshare --mount --pid --fork --kill-child sh -ec '
		root=$1 folder=$2
		shift 2
		if [ -n "$folder" ]; then
			mkdir -p "$root/mini-vm"
			mount --bind "$folder" "$root/mini-vm"
		fi
		mount -t proc proc "$root/proc"
		mount -t tmpfs tmpfs "$root/dev"
		for name in null zero full random urandom tty; do
			touch "$root/dev/$name"
			mount --bind "/dev/$name" "$root/dev/$name"
		done
		mkdir "$root/dev/pts" "$root/dev/shm"
		mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
		ln -s pts/ptmx "$root/dev/ptmx"
		ln -s /proc/self/fd "$root/dev/fd"
		exec chroot "$root" /usr/bin/env -i HOME=/root LC_ALL=C.UTF-8 \
			PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"
		' sh "$ROOT" "$folder" "$@"
}

# close_root: removes what open_root unpacked.
close_root() {
	as_root rm -rf --one-file-system "$ROOT"
}

# make_disk FILE MIB: the system in ROOT as a disk for lab/run --disk, with so much
# room on it. The VM mounts it afresh each time: it needs no journal.
make_disk() {
	local file=$1 room=$2 size cylinder=$((16 * 63 * 512))
	size=$(as_root du -s --block-size=1 "$ROOT")
	size=$((${size%%[!0-9]*} * 11 / 10 + (room << 20)))
	truncate -s $((size / cylinder * cylinder)) "$file"
	logged mke2fs as_root mke2fs -q -F -t ext4 -i 8192 -m 0 \
		-O '^has_journal,^metadata_csum,^resize_inode' -d "$ROOT" "$file"
}
