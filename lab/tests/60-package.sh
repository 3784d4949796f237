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
	mkdir -p "$WORK/range/linux" "$WORK/range/asm/cpuid"
	touch "$WORK/range"/linux/{list,mm,types}.h "$WORK/range"/asm/{cpufeatures,msr,cpuid/api}.h
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

entry packages-install-and-go 'the Debian packages build in a clean system, DKMS builds the module in another, purging leaves nothing; in the lab VM the commands that the README names first work, word for word' 600
packages_install_and_go() {
	trap 'close_roots' EXIT
	build_packages
	result pass packages.build
	install_packages_there
	keep_module
	remove_packages_there
	result pass packages.install-and-purge
	close_root
	prepare_vm_root
	# An emulator takes very long to compile: there DKMS is given the module that it
	# has built for this very kernel here.
	as_root install -D -m 644 "$WORK/dkms.tar.gz" \
		"$ROOT/usr/share/mini-vm-dkms/mini-vm-$(dkms_version).dkms.tar.gz"
	run_readme_in_the_vm 2400
	if grep '^Building initial module' "$WORK/first-use"; then return 1; fi
	result pass packages.readme-in-the-vm
}

long_entry packages-compile-in-the-vm 'the same commands, and DKMS compiles the module in the lab VM' 3600
packages_compile_in_the_vm() {
	trap 'close_roots' EXIT
	build_packages
	prepare_vm_root
	run_readme_in_the_vm 14400
	grep "^Building initial module for $KERNEL_RELEASE" "$WORK/first-use"
}

close_roots() {
	for ROOT in "$WORK/root-build" "$WORK/root" "$WORK/root-vm"; do
		close_root
	done
}

# Nothing but what debian/control names, and what every build has. Leaves the
# packages in $WORK/packages.
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
	mkdir "$WORK/packages"
	cp "$ROOT"/build/*.deb "$WORK/packages/"
	close_root
}

# open_plain_root FOLDER: a system as a user has it before he installs ours, with
# the kernel that the lab VM runs, that kernel's headers and DKMS. An initial RAM
# disk is made without drivers, which takes less time.
open_plain_root() {
	find_stock_kernel
	open_root "$1" bookworm apt busybox dkms "linux-headers-$KERNEL_RELEASE" \
		"linux-image-$KERNEL_RELEASE" sudo udev zstd
	in_root sh -c 'echo MODULES=list >/etc/initramfs-tools/conf.d/small'
}

install_packages_there() {
	local modules
	open_plain_root "$WORK/root"
	as_root cp "$WORK"/packages/mini-vm_*.deb "$WORK"/packages/mini-vm-dkms_*.deb "$ROOT/tmp/"
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

# keep_module: DKMS's own way to hand on what it has built; in $WORK/dkms.tar.gz.
keep_module() {
	in_root dkms mktarball -m mini-vm -v "$(dkms_version)" -k "$KERNEL_RELEASE" --archive mini-vm.tar.gz
	as_root cat "$ROOT/var/lib/dkms/mini-vm/$(dkms_version)/tarball/mini-vm.tar.gz" >"$WORK/dkms.tar.gz"
}

dkms_version() {
	sed -n 's/^PACKAGE_VERSION="\(.*\)"$/\1/p' "$LAB_ROOT/dkms.conf"
}

remove_packages_there() {
	in_root apt-get -qq -y purge mini-vm mini-vm-dkms
	[[ -z $(in_root find / -xdev -path /proc -prune -o -path /tmp -prune -o \
		\( -name '*mini-vm*' -o -name 'mini_vm*' \) -print | grep -vE '^/(run/mini-vm|var/(log|cache)/)' | tee /dev/stderr) ]]
}

# A Debian with a user, an initial RAM disk, our packages in the user's home and
# what they depend on. The VM has no network.
prepare_vm_root() {
	open_plain_root "$WORK/root-vm"
	in_root sh -ec 'useradd --create-home --shell /bin/bash --groups sudo user
		echo "user ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/user
		echo 127.0.0.1 debian >>/etc/hosts'
	as_root cp "$WORK"/packages/*.deb "$ROOT/home/user/"
	in_root apt-get -qq update
	# shellcheck disable=SC2016 # for the shell there
	in_root sh -ec 'for package in /home/user/mini-vm_*.deb /home/user/mini-vm-dkms_*.deb; do
			apt-get -qq -y satisfy "$(dpkg-deb -f "$package" Depends)"
		done'
	# Small, for the emulator: the lists that apt reads and the modules that depmod
	# reads.
	# shellcheck disable=SC2016 # likewise
	in_root sh -ec 'rm -r /var/lib/apt/lists/* /lib/modules/*/kernel/[!f]*
		depmod "$1"
		update-initramfs -c -k "$1"' sh "$KERNEL_RELEASE"
	write_first_use | as_root tee "$ROOT/root/first-use" >/dev/null
	readme_commands | as_root tee "$ROOT/root/readme" >/dev/null
}

# The commands under "Install it", a block after the other, with a line "--" behind
# each.
readme_commands() {
	awk '/^## / { inside = $0 == "## Install it" }
		inside && /^    / { print substr($0, 5); code = 1; next }
		code { print "--"; code = 0 }' "$LAB_ROOT/README.md"
}

# run_readme_in_the_vm SECONDS
run_readme_in_the_vm() {
	[[ $(readme_commands | grep -c -- '^--$') == 3 ]] || return 1
	make_disk "$WORK/debian.disk" 200
	"$LAB_ROOT/lab/run" --no-module --no-tool --no-selftests --memory 1536 --timeout "$1" \
		--disk "$WORK/debian.disk" -- /lab/in-debian bash /root/first-use | tr -d '\r' | tee "$WORK/first-use"
	grep -qx 'This machine can run VMs.' "$WORK/first-use" || return 1
	grep -q "^guest: Linux .* $KERNEL_RELEASE .*GNU/Linux$" "$WORK/first-use" || return 1
	grep -q '^guest: .*flags.* hypervisor' "$WORK/first-use" || return 1
	grep -qx 'first-use: the end' "$WORK/first-use"
}

# The script that runs in the Debian in the VM.
write_first_use() {
	cat <<-'END'
		# first-use: does what /root/readme says, as a user who logs in for each block;
		# then types at the guest that the last block starts.
		set -euo pipefail
		mapfile -d '' -t blocks < <(awk '$0 == "--" { printf "%c", 0; next } 1' /root/readme)
		fail() {
			printf 'first-use: %s\n' "$*"
			exit 1
		}
		# as_user COMMANDS: at a terminal, after a login.
		as_user() {
			printf '%s' "$1" >/tmp/commands
			script --quiet --return --flush --command 'su - user -c ". /tmp/commands"' /dev/null
		}
		for block in "${blocks[@]:0:2}"; do
			# apt asks whether to go on.
			echo y | as_user "$block" || fail "status $?: $block"
		done
		[[ -c /dev/mini-vm && $(stat -c '%a %G' /dev/mini-vm) == '660 mini-vm' ]] || fail 'the device is not for the group'
		# As at every start of the machine: udev finds the CPU and loads the module.
		modprobe -r mini_vm
		[[ ! -e /dev/mini-vm ]] || fail 'the device is still there'
		udevadm trigger --action=add --subsystem-match=cpu --settle
		udevadm settle
		[[ -c /dev/mini-vm && $(stat -c '%a %G' /dev/mini-vm) == '660 mini-vm' ]] || fail 'udev did not load the module'
		echo 'first-use: udev has loaded the module'
		mkfifo /tmp/keys
		as_user "${blocks[2]}" </tmp/keys >/tmp/screen 2>&1 &
		run=$!
		exec 3>/tmp/keys
		# await TEXT
		await() {
			until grep -qaF -- "$1" /tmp/screen; do
				kill -0 "$run" 2>/dev/null || {
					cat /tmp/screen
					fail "the guest ended before it showed '$1'"
				}
				sleep 0.5
			done
		}
		await '(initramfs)'
		printf '%s\r' 'echo "guest: $(uname -a)"; echo "guest: $(grep -m1 ^flags /proc/cpuinfo)"' >&3
		await 'guest: flags'
		printf '%s\r' 'poweroff -f' >&3
		status=0
		wait "$run" || status=$?
		cat /tmp/screen
		[[ $status == 0 ]] || fail "the run ended with status $status"
		echo 'first-use: the end'
	END
}
