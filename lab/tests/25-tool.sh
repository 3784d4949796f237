# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Tests of the command-line tool: those that need no module run on this host.

entry tool 'every test of the command-line tool that needs no module passes on this host' 60
# Its clock must not be late by more than some hundredths of a second.
alone tool
tool() {
	local status=0 name
	# A copy of its own: the tests may take long, and lab/run wants the other.
	PROJECT=$LAB_BUILD/tool
	with_lock "$LAB_BUILD/locks/tool" make_tool_check >"$WORK/tool" || status=$?
	cat "$WORK/tool"
	# The output names each program in a comment before its TAP lines.
	awk -v folder="$WORK" '
		/^# .*\/test_[A-Za-z0-9_.]+$/ {
			name = $2
			sub(/.*\//, "", name)
			file = folder "/tap-" name
		}
		file { print >file }' "$WORK/tool"
	for name in "$WORK"/tap-*; do
		[[ -f $name ]] || continue
		read_tap "tool.${name##*/tap-}" "$name" >>"$RESULTS"
	done
	[[ -s $RESULTS ]] || return 1
	return $status
}

entry tool-fuzz 'fuzzing each target for twenty seconds finds nothing' 150
tool_fuzz() {
	PROJECT=$LAB_BUILD/tool
	with_lock "$LAB_BUILD/locks/tool" fuzz_all
}

# One after the other: each gets a CPU for itself.
fuzz_all() {
	local name folder=$LAB_BUILD/tool/userspace-tool
	copy_project
	make -C "$folder" --no-print-directory -j"$(nproc)" fuzz-build
	for name in "$LAB_ROOT"/userspace-tool/fuzz/fuzz_*.c; do
		name=${name##*/fuzz_}
		name=${name%.c}
		# At its end a target says how often it ran; it must have begun to fuzz.
		if make -C "$folder" --no-print-directory "fuzz-$name" FUZZ_SECONDS=20 >"$WORK/fuzz" &&
			grep -Eq '^stat::number_of_executed_units: *[0-9]{3}' "$WORK/fuzz"; then
			result pass "tool-fuzz.$name"
		else
			result fail "tool-fuzz.$name" 'it found something or did not run'
		fi
		cat "$WORK/fuzz"
	done
}

make_tool_check() {
	copy_project
	make -C "$PROJECT/userspace-tool" --no-print-directory -j"$(nproc)" check
}
