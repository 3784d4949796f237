# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# tap.sh - for the tests that are shell scripts, here and in the VM: TAP, and a
# folder of the test's own.  Sourced.
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
count=0
failed=0

# result STATUS NAME: one test; out, err and log in $folder explain a failure
result() {
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $count - $2"
		return
	fi
	failed=$((failed + 1))
	echo "not ok $count - $2"
	for shown in out err log; do
		[ ! -f "$folder/$shown" ] || sed "s/^/# $shown: /" "$folder/$shown"
	done
}

# skip NAME WHY
skip() {
	count=$((count + 1))
	echo "ok $count - $1 # SKIP $2"
}

finish() {
	echo "1..$count"
	[ "$failed" -eq 0 ]
	exit
}
