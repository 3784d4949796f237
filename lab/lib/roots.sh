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

make_root() {
	local suite=$1
	shift
	[[ ! -e $ROOT_ARCHIVE ]] || return 0
	stage "build: a Debian $suite with $*"
	mkdir -p "${ROOT_ARCHIVE%/*}"
	bootstrap "$ROOT_ARCHIVE.new.tar" "$suite" "$@"
	as_root chown "$(id -u):$(id -g)" "$ROOT_ARCHIVE.new.tar"
	mv "$ROOT_ARCHIVE.new.tar" "$ROOT_ARCHIVE"
}

# bootstrap TARGET SUITE PACKAGE...: a Debian as a folder, or as an archive if
# TARGET ends with .tar. The lists of a suite may be some days old where a mirror
# is; they are signed. A kernel in there needs no initial RAM disk.
bootstrap() {
	local target=$1 suite=$2 packages
	shift 2
	packages=$(IFS=,; echo "$*")
	logged mmdebstrap as_root env INITRD=No mmdebstrap --mode=root --variant=minbase --components=main \
		--keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
		--aptopt='Acquire::Check-Valid-Until "false"' \
		--aptopt='APT::Install-Recommends "false"' \
		--include="$packages" "$suite" "$target"
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
	enter_root -- "$@"
}

# in_root_with FOLDER COMMAND...: likewise, and this machine's FOLDER is /mini-vm
# there.
in_root_with() {
	local folder=$1
	shift
	enter_root --project "$folder" -- "$@"
}

# enter_root [lab/host/enter-root's OPTION]... -- COMMAND...
enter_root() {
	local options=()
	while [[ $1 != -- ]]; do
		options+=("$1")
		shift
	done
	shift
	as_root unshare --mount --pid --fork --kill-child "$LAB_ROOT/lab/host/enter-root" \
		"${options[@]}" "$ROOT" /usr/bin/env -i HOME=/root LC_ALL=C.UTF-8 \
		PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"
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
