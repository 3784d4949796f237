# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# lib.sh - for the tests that run where /dev/mini-vm is: TAP, with mini-vm in
# PATH and the guests of tests/guests in $GUESTS.  Sourced.
GUESTS=${GUESTS:-/guests}
# shellcheck source=tests/vm/tap.sh
. "$(dirname "$0")/tap.sh"

# run_guest STATUS NAME ARGUMENT...: output in $folder/out and $folder/err
run_guest() {
	want=$1 name=$2
	shift 2
	timeout 60 mini-vm run "$@" >"$folder/out" 2>"$folder/err" </dev/null
	status=$?
	[ "$status" -eq "$want" ]
	result $? "$name (status $status, want $want)"
}

# has FILE PATTERN NAME
has() {
	grep -q -- "$2" "$folder/$1"
	result $? "$3"
}

# line TEXT NAME: a whole line that the guest printed
line() {
	grep -qxF -- "$1" "$folder/out"
	result $? "$2"
}
