#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# multiboot.sh - a Multiboot image checks the state it is entered in and what it
# is told (tests/guests/multiboot/main.c); here that is compared with what was
# asked for.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

# The checksum that the guest makes.
sum() {
	od -An -v -tu1 "$1" | awk '
		{ for (i = 1; i <= NF; i++) sum = (sum * 31 + $i) % 4294967296 }
		END { printf "%.0f", sum }'
}

# good NAME: each check of the guest held, and it came to its end
good() {
	! grep -q '^not ok' "$folder/out" && [ "$(grep -c '^ok' "$folder/out")" -eq 17 ] &&
		grep -q '^end$' "$folder/out"
	result $? "$1"
}

head -c 5000 /dev/urandom >"$folder/first"
echo second >"$folder/second"
: >"$folder/empty"

for image in multiboot.elf multiboot64.elf multiboot.bin; do
	run_guest 1 "$image runs" --memory 64M --append 'one  two' \
		--module "$folder/first some words" --module "$folder/second" \
		--module "$folder/empty" "$GUESTS/$image"
	good "and finds all that the specification promises"
	line "command line: $GUESTS/$image one  two|" "its name and its command line"
	line 'lower: 639' "memory below 1 MiB"
	line 'upper: 64512' "and above"
	line 'modules: 3' "its modules"
	line "module: $folder/first some words | bytes 5000 sum $(sum "$folder/first")" "one with a string"
	line "module: $folder/second | bytes 7 sum $(sum "$folder/second")" "one without"
	line "module: $folder/empty | bytes 0 sum 0" "one without content"
	line 'loader: mini-vm' "the loader's name"
done

run_guest 1 "without anything" "$GUESTS/multiboot.elf"
good "it is well too"
line "command line: $GUESTS/multiboot.elf|" "the name alone"
line 'modules: 0' "no modules"

run_guest 1 "--initrd with a list" --initrd "$folder/second a,$folder/first b c" "$GUESTS/multiboot.elf"
line "module: $folder/second a | bytes 7 sum $(sum "$folder/second")" "names modules"
line "module: $folder/first b c | bytes 5000 sum $(sum "$folder/first")" "as QEMU's does"
finish
