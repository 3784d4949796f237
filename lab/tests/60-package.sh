# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Tests of installing: by make, and by Debian's packages, in systems of their own.

. "$LAB_ROOT/lab/lib/roots.sh"

entry supported-range-agrees 'dkms.conf and compat.h support the same kernels, and versions agree'
supported_range_agrees() {
	local BUILD_EXCLUSIVE_KERNEL='' PACKAGE_VERSION='' kernel_source_dir='' dkms_tree=''
	local version major minor by_dkms by_header supported=0 refused=0
	# shellcheck source=/dev/null
	. "$LAB_ROOT/dkms.conf"
	mkdir -p "$WORK/range/linux" "$WORK/range/asm"
	touch "$WORK/range"/linux/{list,mm,types}.h "$WORK/range"/asm/{cpufeatures,msr}.h
	for version in 5.10 5.19 6.0 6.{1..19} 7.{0..9} 8.0 16.1 61.2; do
		major=${version%.*} minor=${version#*.}
		printf '#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + (c))\n%s\n' \
			"#define LINUX_VERSION_CODE KERNEL_VERSION($major, $minor, 99)" \
			>"$WORK/range/linux/version.h"
		by_header=no by_dkms=no
		if gcc -E -I "$WORK/range" "$LAB_ROOT/module/compat/compat.h" >/dev/null 2>&1; then
			by_header=yes
		fi
		if [[ $version.0-1-amd64 =~ $BUILD_EXCLUSIVE_KERNEL ]]; then by_dkms=yes; fi
		echo "$version: compat.h $by_header, dkms.conf $by_dkms"
		[[ $by_header == "$by_dkms" ]]
		if [[ $by_header == yes ]]; then
			supported=$((supported + 1))
		else
			refused=$((refused + 1))
		fi
	done
	((supported > 0 && refused > 0))
	grep -qx "VERSION	:= $PACKAGE_VERSION" "$LAB_ROOT/userspace-tool/Makefile"
	head -n 1 "$LAB_ROOT/debian/changelog" | grep -F "mini-vm ($PACKAGE_VERSION)"
}

entry make-installs-and-uninstalls 'make uninstall takes away every file of make install, for each MODULE' 40
make_installs_and_uninstalls() {
	local how there
	find_stock_kernel
	build_project "$KERNEL_HEADERS" package module tool
	for how in modules dkms none; do
		there=$WORK/install-$how
		install_with install "$how"
		(cd "$there" && find . ! -type d | sort) | tee "$WORK/files"
		grep -qx ./usr/local/bin/mini-vm "$WORK/files"
		grep -qx ./usr/local/share/man/man1/mini-vm-run.1 "$WORK/files"
		grep -qx ./usr/local/lib/udev/rules.d/60-mini-vm.rules "$WORK/files"
		[[ $(grep -c '^\./lib/modules/.*/updates/mini_vm\.ko$' "$WORK/files") == "$([[ $how != modules ]]; echo $?)" ]]
		[[ $(grep -c '^\./usr/src/mini-vm-.*/dkms\.conf$' "$WORK/files") == "$([[ $how != dkms ]]; echo $?)" ]]
		"$there/usr/local/bin/mini-vm" --version
		install_with uninstall "$how"
		[[ -z $(find "$there" ! -type d) ]]
	done
}

install_with() {
	make -C "$PROJECT" --no-print-directory "$1" KDIR="$KERNEL_HEADERS" DESTDIR="$there" MODULE="$2"
}

entry packages-install-and-go 'the Debian packages build in a clean system, DKMS builds the module in another, and purging leaves nothing' 350
packages_install_and_go() {
	trap 'close_roots' EXIT
	build_packages
	install_packages_there
	remove_packages_there
}

close_roots() {
	for ROOT in "$WORK/root-build" "$WORK/root"; do
		close_root
	done
}

# Nothing but what debian/control names, and what every build has.
build_packages() {
	local names
	mapfile -t names < <(awk '
		/^[A-Z]/ { inside = 0 }
		sub(/^Build-Depends: */, "") { inside = 1 }
		inside {
			sub(/,.*/, "")
			sub(/^debhelper-compat$|^dh-sequence-installsysusers$/, "debhelper", $1)
			sub(/^dh-sequence-dkms$/, "dh-dkms", $1)
			print $1
		}' "$LAB_ROOT/debian/control" | sort -u)
	((${#names[@]} > 3)) || return 1
	open_root "$WORK/root-build" bookworm build-essential lintian "${names[@]}"
	git -C "$LAB_ROOT" ls-files -z | (cd "$LAB_ROOT" && xargs -0 tar -cf -) |
		as_root sh -c "mkdir -p '$ROOT/build/mini-vm' && tar -C '$ROOT/build/mini-vm' --no-same-owner -xf -"
	# The tool's tests are an entry of their own.
	in_root sh -ec 'cd /build/mini-vm && DEB_BUILD_OPTIONS=nocheck dpkg-buildpackage -us -uc'
	# The maintainers have no address for packages, and no bug to close.
	in_root sh -ec 'cd /build && lintian --allow-root --fail-on error,warning --suppress-tags \
		bogus-mail-host,bogus-mail-host-in-debian-changelog,initial-upload-closes-no-bugs *.changes'
	cp "$ROOT"/build/*.deb "$WORK/"
}

# What is there before is what no package of ours has to bring: a kernel's headers.
install_packages_there() {
	local modules
	open_root "$WORK/root" bookworm apt dkms linux-headers-amd64
	as_root cp "$WORK"/mini-vm_*.deb "$WORK"/mini-vm-dkms_*.deb "$ROOT/tmp/"
	in_root apt-get -qq update
	in_root sh -ec 'apt-get -qq -y install /tmp/mini-vm-dkms_*.deb /tmp/mini-vm_*.deb'
	in_root getent group mini-vm
	in_root mini-vm --version
	in_root test -e /usr/share/man/man1/mini-vm-run.1.gz
	in_root test -e /usr/share/man/man1/mini-vm-resume.1.gz
	in_root test -e /usr/share/bash-completion/completions/mini-vm
	in_root grep -q 'GROUP="mini-vm"' /usr/lib/udev/rules.d/60-mini-vm.rules
	in_root systemd-tmpfiles --create mini-vm.conf
	[[ $(in_root stat -c '%a %U' /run/mini-vm) == '700 root' ]]
	in_root dkms status | grep '^mini-vm/.*: installed'
	modules=$(in_root find /lib/modules -name 'mini_vm.ko*')
	[[ $modules == /lib/modules/*/updates/dkms/mini_vm.ko* ]]
	in_root modinfo -F alias "$modules" | grep 'cpu:type:x86'
	# No such device in here: it has to say so with the status for that.
	in_root sh -c 'mini-vm check; test $? = 4'
}

remove_packages_there() {
	in_root apt-get -qq -y purge mini-vm mini-vm-dkms
	[[ -z $(in_root find / -xdev -path /proc -prune -o -path /tmp -prune -o \
		\( -name '*mini-vm*' -o -name 'mini_vm*' \) -print | grep -vE '^/(run/mini-vm|var/(log|cache)/)' | tee /dev/stderr) ]]
}
