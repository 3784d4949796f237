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

# run_until LETTER COUNT ARGUMENT...: a guest that goes on for ever runs until it has
# printed the letter so often, or for a minute; the status is in $status, and how many
# there were in $letters
run_until() {
	letter=$1 wanted=$2 tries=0
	shift 2
	mini-vm run "$@" >"$folder/out" 2>"$folder/err" </dev/null &
	pid=$!
	while [ "$(tr -cd "$letter" <"$folder/out" | wc -c)" -lt "$wanted" ] && [ $tries -lt 300 ] &&
		kill -0 $pid 2>/dev/null; do
		sleep 0.2
		tries=$((tries + 1))
	done
	kill -TERM $pid 2>/dev/null
	wait $pid
	status=$?
	letters=$(tr -cd "$letter" <"$folder/out" | wc -c)
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
