# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Tests of the command-line tool: those that need no module run on this host.

entry tool 'every test of the command-line tool that needs no module passes on this host'
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

make_tool_check() {
	copy_project
	make -C "$PROJECT/userspace-tool" --no-print-directory -j"$(nproc)" check
}
