# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What every command of the lab needs: where things are, stages with their
# elapsed time on standard error, and how the lab itself fails. Sourced first.

LAB_ROOT=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
LAB_CACHE=${MINI_VM_LAB_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/mini-vm-lab}
# Each checkout builds apart, and outside of itself: "make clean" there would
# otherwise reach in here.
LAB_BUILD=$LAB_CACHE/build/$(printf %s "$LAB_ROOT" | sha256sum | cut -c1-12)
LAB_START=${LAB_START:-$EPOCHREALTIME}
export LAB_START

# stage TEXT: says what begins now.
stage() {
	local now=${EPOCHREALTIME/[.,]/} start=${LAB_START/[.,]/}
	local tenths=$(((now - start) / 100000))
	printf 'lab: [%3d.%ds] %s\n' $((tenths / 10)) $((tenths % 10)) "$*" >&2
}

# fail TEXT: the lab itself failed.
fail() {
	stage "exit 125: the lab failed: $*"
	exit 125
}

# usage_error TEXT: the caller is wrong; counts as the lab failing.
usage_error() {
	printf 'lab: %s\nlab: try "%s --help"\n' "$*" "$0" >&2
	exit 125
}

# logged NAME COMMAND...: runs COMMAND quietly; shows its output if it fails.
logged() {
	local name=$1 log
	shift
	log=$(mktemp)
	if "$@" >"$log" 2>&1; then
		rm -f "$log"
		return
	fi
	cat "$log" >&2
	rm -f "$log"
	fail "$name failed (its output is above)"
}

# require_debian [ARG]...: the lab knows Debian 12 and its packages only. Called
# with this command's own arguments: elsewhere the command runs once more in a
# Debian 12 of the lab's own, and this one ends with it.
require_debian() {
	local ID='' VERSION_ID='' PRETTY_NAME='another system'
	if [[ -r /etc/os-release ]]; then
		# shellcheck source=/dev/null
		. /etc/os-release
	fi
	[[ $(uname -m) == x86_64 ]] || fail "it runs on x86-64, and this is $(uname -m)"
	[[ $ID != debian || $VERSION_ID != 12 ]] || return 0
	. "$LAB_ROOT/lab/lib/other-host.sh"
	enter_debian "$PRETTY_NAME" "$LAB_ROOT/lab/${0##*/}" "$@"
}

# with_lock FILE COMMAND...: runs COMMAND, in a subshell, while nobody else
# holds FILE's lock.
with_lock() {
	local file=$1
	shift
	mkdir -p "${file%/*}"
	(
		exec 9>"$file"
		flock 9
		"$@"
	)
}
