# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The tests are tested: faults that are put into the module must make them fail.

entry mutants 'faults of lab/mutants.list make their KUnit tests fail (a rotating few, with --long all)' 150
mutants() {
	# Of those for the lab VM not all are known to be caught: --long tells.
	local status=0 which=(--few '3,0')
	[[ $LONG != yes ]] || which=()
	"$LAB_ROOT/lab/mutants" "${which[@]}" >"$WORK/mutants" || status=$?
	cat "$WORK/mutants"
	((status != 125)) || return 125
	read_tap mutants "$WORK/mutants" >>"$RESULTS"
}
