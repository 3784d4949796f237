# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The tests are tested: faults that are put into the module must make them fail.

entry mutants 'faults of lab/mutants.list make their tests fail (a rotating five, with --long all)' 240
mutants() {
	local status=0 which=(--few '3,2')
	[[ $LONG != yes ]] || which=()
	"$LAB_ROOT/lab/mutants" "${which[@]}" >"$WORK/mutants" || status=$?
	cat "$WORK/mutants"
	((status != 125)) || return 125
	read_tap mutants "$WORK/mutants" >>"$RESULTS"
}
