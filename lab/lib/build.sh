# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Builds: the lab's own programs (cached by content), and the project (module,
# command-line tool, selftests) from a copy of the checkout, so that building
# for the lab never touches or waits for the checkout's own build.

# find_lab_tools: sets LAB_TOOLS to where the lab's programs are.
find_lab_tools() {
	local sum
	sum=$(cd "$LAB_ROOT/lab" && sha256sum boot/* host/* vm/* lib/build.sh |
		sha256sum)
	LAB_TOOLS=$LAB_CACHE/tools/${sum:0:16}
	[[ -e $LAB_TOOLS/complete ]] ||
		with_lock "$LAB_CACHE/locks/tools" build_lab_tools
}

build_lab_tools() {
	local new=$LAB_TOOLS.new from=$LAB_ROOT/lab name
	local -a warn=(-O2 -Wall -Wextra -Werror -D_GNU_SOURCE)
	local -a bare=(-m32 -Wall -Wextra -Werror -Os -ffreestanding -fno-pic
		-fno-stack-protector -fno-asynchronous-unwind-tables -mgeneral-regs-only
		-fcf-protection=none)
	[[ ! -e $LAB_TOOLS/complete ]] || return 0
	stage 'build: the lab'"'"'s own programs'
	rm -rf "$new"
	mkdir -p "$new"
	for name in kernel-image boot-disk supervise; do
		logged "compiling $name" gcc "${warn[@]}" -o "$new/$name" "$from/host/$name.c"
	done
	logged 'compiling init' gcc "${warn[@]}" -static -o "$new/init" "$from/vm/init.c"
	logged 'compiling the boot loader' gcc "${bare[@]}" -c -o "$new/load.o" "$from/boot/load.c"
	logged 'assembling the boot loader' gcc -m32 -c -o "$new/loader.o" "$from/boot/loader.S"
	logged 'linking the boot loader' ld -m elf_i386 --build-id=none -T "$from/boot/loader.ld" \
		-o "$new/loader.elf" "$new/loader.o" "$new/load.o"
	logged 'cutting out the boot loader' objcopy -O binary "$new/loader.elf" "$new/loader.bin"
	touch "$new/complete"
	mv "$new" "$LAB_TOOLS"
}

# build_project KDIR NAME TARGET...: makes TARGETs (module, tool, selftests of
# the top Makefile, guests of the tool's) in the copy NAME and sets PROJECT to the copy.
# With MODULE_ROOT the module is built in that Debian system, where KDIR is.
MODULE_ROOT=''
build_project() {
	PROJECT=$LAB_BUILD/$2
	with_lock "$LAB_BUILD/locks/$2" build_project_now "$@"
}

build_project_now() {
	local kdir=$1 target folder
	shift 2
	copy_project
	for target in "$@"; do
		stage "build: $target"
		if [[ $target == module && -n $MODULE_ROOT ]]; then
			ROOT=$MODULE_ROOT logged "make $target" in_root_with "$PROJECT" \
				make -C /mini-vm --no-print-directory -j"$(nproc)" \
				"$target" KDIR="$kdir" MVM_DEBUG="${MVM_DEBUG-}"
			continue
		fi
		case $target in
		guests) folder=$PROJECT/userspace-tool ;;
		*) folder=$PROJECT ;;
		esac
		logged "make $target" make -C "$folder" --no-print-directory -j"$(nproc)" \
			"$target" KDIR="$kdir"
	done
}

# What is built in the copy stays; what vanished from the checkout goes.
copy_project() {
	local -a skip=(--exclude=/.git --exclude=/.cache --exclude=/lab --exclude=/.ci
		--exclude='*.o' --exclude='*.ko' --exclude='*.mod' --exclude='*.mod.c'
		--exclude='*.cmd' --exclude='*.a' --exclude='*.d' --exclude='entry_offsets.[hs]' --exclude=Module.symvers
		--exclude=modules.order --exclude=build/ --exclude='*.bin'
		--exclude=/userspace-tool/mini-vm --exclude='/*.mod*')
	mkdir -p "$PROJECT"
	logged 'copying the sources' rsync -a --delete "${skip[@]}" "$LAB_ROOT/" "$PROJECT/"
}
