# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The main job: an unmodified Debian kernel boots as a guest of mini-vm.

entry debian-guest-answers-a-nonce 'the stock Debian kernel boots as guest and hashes a number the host picked' 200
debian_guest_answers_a_nonce() {
	guest_answers_a_nonce /guests/vmlinuz
}

entry debian-vmlinux-answers-a-nonce 'the same kernel boots as the ELF file (vmlinux) that is inside its bzImage' 200
debian_vmlinux_answers_a_nonce() {
	extract_vmlinux
	guest_answers_a_nonce /guests/vmlinux --add "$WORK/vmlinux:/guests/vmlinux"
}

# extract_vmlinux: makes $WORK/vmlinux. As that the kernel need not decompress itself,
# which takes the emulator longer than all the rest of the boot.
extract_vmlinux() {
	find_lab_tools
	find_stock_kernel
	"$LAB_TOOLS/kernel-image" --elf "$KERNEL_IMAGE" "$WORK/vmlinux"
}

# guest_answers_a_nonce KERNEL [lab/run's OPTION]...
guest_answers_a_nonce() {
	local kernel=$1 nonce expected status=0
	shift
	nonce=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
	expected=$(printf %s "$nonce" | sha256sum)
	"$LAB_ROOT/lab/run" --no-selftests --timeout 900 "$@" -- \
		mini-vm run "$kernel" --initrd /guests/initrd \
		--append "console=ttyS0 quiet cryptomgr.notests demo nonce=$nonce end=debug code=21" | tee "$WORK/guest" ||
		status=$?
	# The guest's own way of ending: (21 << 1) | 1.
	[[ $status == 43 ]]
	tr -d '\r' <"$WORK/guest" | grep -qx "RESULT ${expected%% *}"
}

# linux_guest OPTION... -- WORD...: boots the Debian kernel with options of
# mini-vm run and words of its command line; the output, without CRs, goes to
# $WORK/guest. Returns its status.
linux_guest() {
	local options=() status=0
	while [[ $1 != -- ]]; do
		options+=("$1")
		shift
	done
	shift
	extract_vmlinux
	"$LAB_ROOT/lab/run" --no-selftests --timeout 1200 --add "$WORK/vmlinux:/guests/vmlinux" -- \
		mini-vm run /guests/vmlinux --initrd /guests/initrd "${options[@]}" \
		--append "console=ttyS0 cryptomgr.notests $*" >"$WORK/guest.raw" || status=$?
	tr -d '\r' <"$WORK/guest.raw" | tee "$WORK/guest"
	return "$status"
}

entry debian-guest-powers-off 'the stock Debian kernel uses ACPI, I/O APIC and APIC timer without a complaint, and powers off' 200
debian_guest_powers_off() {
	linux_guest -- loglevel=5 demo end=poweroff || return 1
	grep -q '^guest: Linux' "$WORK/guest" || return 1
	# Without KVM's name, no x2APIC: each end of an interrupt would go to user space.
	grep -qx 'Hypervisor detected: KVM' "$WORK/guest" || return 1
	grep -qx 'x2apic enabled' "$WORK/guest" || return 1
	# Warnings and errors of the kernel, loglevel 5, are on the console.
	if grep -Ei 'ACPI.*(error|warn|bug|exception|invalid|fail)|RSDP|IO-?APIC.*(fail|error)|irq.*nobody cared' "$WORK/guest"; then
		return 1
	fi
	grep -Eq '^ *4: +[1-9][0-9]* +IO-APIC +4-edge +ttyS0' "$WORK/guest" || return 1
	grep -Eq '^ *9: +[0-9]+ +IO-APIC +9-fasteoi +acpi' "$WORK/guest" || return 1
	# No timer by PIC and PIT: the local APIC has it.
	if grep -q 'XT-PIC' "$WORK/guest"; then
		return 1
	fi
	grep -Eq '^ *LOC: +[1-9][0-9]{2,} ' "$WORK/guest"
}

long_entry debian-guest-reboots 'a reboot of the stock Debian kernel ends the run with status 8, or starts the machine again' 500
debian_guest_reboots() {
	local status=0
	linux_guest --on-reset exit -- quiet demo end=reboot || status=$?
	[[ $status == 8 ]] || return 1
	cat >"$WORK/twice" <<-'END'
		mini-vm run /guests/vmlinuz --initrd /guests/initrd --append 'console=ttyS0 cryptomgr.notests demo end=reboot' >/tmp/out &
		pid=$!
		while [ "$(grep -c 'Linux version' /tmp/out)" -lt 2 ]; do
			kill -0 $pid || exit 1
			sleep 1
		done
		kill $pid
		wait $pid
		status=$?
		grep -c '^guest: Linux' /tmp/out
		exit $status
	END
	status=0
	"$LAB_ROOT/lab/run" --no-selftests --timeout 1200 --add "$WORK/twice:/lab/twice" -- \
		sh /lab/twice >"$WORK/guest" || status=$?
	cat "$WORK/guest"
	# Ended by SIGTERM, after one whole run.
	[[ $status == 12 ]] && grep -qx 1 "$WORK/guest"
}

entry debian-guest-has-two-cpus 'the stock Debian kernel brings up 2 vCPUs, and each hashes a file that the host picked' 300
debian_guest_has_two_cpus() {
	guest_works_in_parallel 2
}

long_entry debian-guest-has-four-cpus 'likewise 4 vCPUs on 2 CPUs' 500
debian_guest_has_four_cpus() {
	guest_works_in_parallel 4
}

# guest_works_in_parallel N: the guest is given a random file for each of its N CPUs,
# in an archive behind its initial RAM disk.
guest_works_in_parallel() {
	local cpus=$1 cpu sum status=0
	mkdir -p "$WORK/files/random"
	for ((cpu = 0; cpu < cpus; cpu++)); do
		head -c 500000 /dev/urandom >"$WORK/files/random/$cpu"
		sum=$(sha256sum <"$WORK/files/random/$cpu")
		echo "HASH $cpu ${sum%% *}"
	done >"$WORK/expected"
	(cd "$WORK/files" && find random | cpio --quiet --create --format=newc --owner=0:0) >"$WORK/files.cpio"
	cat >"$WORK/parallel" <<-END
		cat /guests/initrd /lab/files.cpio >/tmp/initrd
		exec mini-vm run /guests/vmlinux --initrd /tmp/initrd --cpus $cpus --stats \
			--append 'console=ttyS0 loglevel=5 cryptomgr.notests demo hash=$cpus end=debug code=21'
	END
	extract_vmlinux
	"$LAB_ROOT/lab/run" --no-selftests --cpus 2 --timeout 1800 --add "$WORK/vmlinux:/guests/vmlinux" \
		--add "$WORK/files.cpio:/lab/files.cpio" --add "$WORK/parallel:/lab/parallel" -- \
		sh /lab/parallel >"$WORK/guest.raw" || status=$?
	tr -d '\r' <"$WORK/guest.raw" | tee "$WORK/guest"
	[[ $status == 43 ]] || return 1
	grep -qx "CPUS $cpus" "$WORK/guest" || return 1
	# What the kernel says about CPUs that do not come, clocks and interrupts, loglevel 5.
	if grep -Ei 'CPU[0-9]* failed|tsc.*(unstable|warp)|firmware bug|ACPI.*(error|invalid)|not responding|stall|lockup' "$WORK/guest"; then
		return 1
	fi
	grep '^HASH ' "$WORK/guest" | diff "$WORK/expected" -
}

entry running-guests-obey 'ps, pause, resume, stat and stop do what they say to guests that run' 250
running_guests_obey() {
	RUN_OPTIONS=(--no-selftests --add "$LAB_ROOT/userspace-tool/tests/vm:/tool-tests")
	run_programs control-vm /tool-tests/ control.sh
}

# Kernels of others: a name, the Debian package, the file in it.
OTHER_KERNELS='gnumach gnumach-image-1.8-486 boot/gnumach-1.8-486.gz
xen xen-hypervisor-4.17-amd64 boot/xen-4.17-amd64.gz'

entry others-kernels-run-unchanged 'GNU Mach and Xen, as Debian ships them, say under mini-vm what they say under QEMU' 120
others_kernels_run_unchanged() {
	local name package file
	mkdir "$WORK/others"
	while read -r name package file; do
		find_package "$package"
		gzip -dc "$PACKAGE_DIR/$file" >"$WORK/others/$name"
	done <<<"$OTHER_KERNELS"
	write_others_runner >"$WORK/run-others"
	"$LAB_ROOT/lab/run" --no-selftests --timeout 1200 --add "$WORK/others:/others" --add "$WORK/run-others:/lab/run-others" -- \
		sh /lab/run-others /others mini-vm run --memory 64M --on-reset exit >"$WORK/others-here"
	# QEMU takes a 64-bit ELF file for no Multiboot image.
	objcopy -I elf64-x86-64 -O elf32-i386 "$WORK/others/gnumach"
	sh "$WORK/run-others" "$WORK/others" qemu-system-x86_64 -accel tcg -machine pc -m 64 -nodefaults \
		-display none -serial stdio -kernel >"$WORK/others-qemu"
	while read -r name package file; do
		what_it_said "$name" "$WORK/others-here" >"$WORK/said-here"
		what_it_said "$name" "$WORK/others-qemu" >"$WORK/said-qemu"
		cat "$WORK/said-here"
		if [[ $(wc -l <"$WORK/said-here") -ge 3 ]] && diff "$WORK/said-qemu" "$WORK/said-here"; then
			result pass "others-kernels.$name"
		else
			result fail "others-kernels.$name" 'it says something else than under QEMU'
		fi
	done <<<"$OTHER_KERNELS"
}

# what_it_said NAME FILE: without what differs from machine to machine.
what_it_said() {
	awk -v begin="### begin $1" -v end="### end $1" '
		{ gsub(/\r/, "") }
		$0 == begin { inside = 1; next }
		$0 == end { inside = 0 }
		inside' "$2" | grep -vE '^$|^(biosmem|vm_page|RTC time)|Bootloader:'
}

# The script that runs them, here and in the VM, each to its last word.
write_others_runner() {
	cat <<-'END'
		#!/bin/sh
		# run-others FOLDER COMMAND...
		folder=$1
		shift
		out=$(mktemp)
		for name in gnumach xen; do
			case $name in
			gnumach) line=console=com0 last='No bootstrap code loaded with the kernel!' ;;
			xen) line='console=com1 com1=115200,8n1' last='Reboot in five seconds...' ;;
			esac
			"$@" "$folder/$name" --append "$line" </dev/null >"$out" &
			pid=$! tries=0
			until grep -qaF -- "$last" "$out" || [ $tries -ge 300 ]; do
				tries=$((tries + 1))
				sleep 0.2
			done
			kill $pid
			wait $pid
			echo "### begin $name"
			cat "$out"
			echo
			echo "### end $name"
		done
		rm "$out"
	END
}
