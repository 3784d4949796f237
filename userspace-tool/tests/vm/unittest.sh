#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# unittest.sh - a test kernel that starts as unit tests of hypervisors do
# (tests/guests/unittest) is told its arguments, its environment and its machine.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

printf 'NR_CPUS=1\nMEMSIZE=48\n' >"$folder/environ"
run_guest 1 "a test kernel runs" --memory 48M --append 'first -second' \
	--initrd "$folder/environ" "$GUESTS/unittest.flat"
! grep -q '^not ok' "$folder/out" && [ "$(grep -c '^ok' "$folder/out")" -eq 8 ] &&
	grep -q '^end$' "$folder/out"
result $? "and each of its steps succeeds"
line 'mem_upper: 48128' "Multiboot tells its memory"
line "argument: $GUESTS/unittest.flat" "its name"
line 'argument: first' "and its arguments"
line 'argument: -second' "one by one"
line 'environment: NR_CPUS=1|MEMSIZE=48|' "--initrd is its environment"
line 'CPUs: 1' "fw_cfg counts its CPUs"
line 'memory: 50331648' "and its memory"
line 'test device: 0' "QEMU's test device is not there"

run_guest 1 "without anything" --memory 48M "$GUESTS/unittest.flat"
line 'modules: 0' "it has no environment"
finish
