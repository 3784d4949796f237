#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# test_acpi_iasl.sh - ACPICA's own tool reads the tables: each disassembles
# without a complaint, and what comes out compiles without one.
cd "$(dirname "$0")/.." || exit 1
here=$PWD
# shellcheck source=tests/vm/tap.sh
. tests/vm/tap.sh

"$here/build/tests/test_acpi_tables" "$folder" >"$folder/log"
result $? "the tables are right by our own reading"
cd "$folder" || exit 1
for table in RSDT XSDT FACP APIC FACS DSDT; do
	iasl -d "$table.dat" >log 2>&1 && [ -s "$table.dsl" ] &&
		! grep -Ei 'warning|error|invalid|incorrect|unknown' log "$table.dsl"
	result $? "iasl disassembles $table without a warning"
	iasl -we -va -p "again-$table" "$table.dsl" >log 2>&1 &&
		grep -q '0 Errors, 0 Warnings' log
	result $? "and compiles it again"
done
finish
