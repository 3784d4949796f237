#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# control.sh - ps, pause, resume, stat and stop with guests that run.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
export MINI_VM_RUNTIME_DIR="$folder/run"
sockets=$folder/run

# start NAME ARGUMENT...: a guest in the background; its process in $run
start() {
	name=$1
	shift
	mini-vm run --name "$name" "$@" >"$folder/out" 2>"$folder/err" </dev/null &
	run=$!
	tries=0
	until [ "$(mini-vm ps --quiet)" = "$name" ] && [ -s "$folder/out" ]; do
		tries=$((tries + 1))
		[ $tries -le 100 ] || return 1
		sleep 0.1
	done
}

# ended STATUS NAME: the guest in the background has ended with it
ended() {
	wait "$run"
	status=$?
	[ "$status" -eq "$1" ]
	result $? "$2 (status $status, want $1)"
	[ "$(find "$sockets" -name '*.sock' | wc -l)" -eq 0 ]
	result $? "and the socket is gone"
}

size() {
	wc -c <"$folder/out"
}

# state NAME: the third column of ps
state() {
	mini-vm ps | awk -v name="$1" '$1 == name { print $3 }'
}

start ticker --memory 4M --type flat "$GUESTS/ticker.bin"
result $? "ps shows a guest that runs"
[ "$(stat -c %a "$sockets")" = 700 ] && [ "$(stat -c %a "$sockets/ticker.sock")" = 600 ]
result $? "its socket is the owner's alone"
mini-vm ps >"$folder/ps"
grep -q "^ticker  *$run  *running  *1  *4M  *00:00:[0-9][0-9]  *$GUESTS/ticker.bin$" "$folder/ps"
result $? "with its process, state, vCPUs, memory, uptime and image"
mini-vm ps --json >"$folder/json"
tr -d ' \n' <"$folder/json" | grep -q "{\"name\":\"ticker\",\"pid\":$run,\"state\":\"running\",\"vcpus\":1,\"memory\":4194304,\"uptime\":[0-9]*,\"image\":\"$GUESTS/ticker.bin\"}"
result $? "also in JSON"

mini-vm run --name ticker --type flat "$GUESTS/ticker.bin" >"$folder/out2" 2>"$folder/err2" </dev/null
status=$?
[ $status -eq 6 ] && grep -q "a VM called 'ticker' runs already" "$folder/err2"
result $? "a second VM of the same name is refused (status $status)"

mini-vm stat ticker >"$folder/stat" && grep -q '^exits: port I/O [1-9]' "$folder/stat" &&
	grep -q '^port: PIT ' "$folder/stat" && grep -q '^module: ' "$folder/stat"
result $? "stat shows its counters"

sleep 1
mini-vm pause ticker
result $? "pause succeeds"
[ "$(state ticker)" = paused ]
result $? "ps shows it"
before=$(size)
sleep 4
[ "$(size)" -eq "$before" ]
result $? "the guest stands still ($before bytes)"
mini-vm pause ticker
result $? "a second pause changes nothing"
mini-vm resume ticker && [ "$(state ticker)" = running ]
result $? "resume succeeds"
sleep 2
after=$(size)
[ "$after" -gt $((before + 10)) ]
result $? "the guest goes on ($after bytes)"
[ "$after" -lt $((before + 60)) ]
result $? "without making up for the time it has missed"
! grep -q J "$folder/out"
result $? "whose TSC it did not see"

mini-vm stop ticker >"$folder/stop"
result $? "stop succeeds"
grep -q '^ticker: ended; the guest heeds no power button$' "$folder/stop"
result $? "and says what happened"
ended 12 "the run has ended"
[ -z "$(mini-vm ps --quiet)" ]
result $? "ps shows it no more"

start one --type flat "$GUESTS/ticker.bin"
mini-vm pause one && mini-vm stop --force one >"$folder/stop" && grep -qx 'one: ended' "$folder/stop"
result $? "a VM can be stopped in a pause"
ended 12 "its run has ended"

start two --type flat "$GUESTS/ticker.bin"
kill -TERM $run
ended 12 "SIGTERM ends a run"

start three --type flat "$GUESTS/ticker.bin"
kill -KILL $run
wait $run
sleep 1
[ "$(find "$sockets" -name '*.sock' | wc -l)" -eq 0 ]
result $? "the socket goes even after SIGKILL"

start four --type flat "$GUESTS/ticker.bin"
kill -STOP $run
[ "$(state four)" = unresponsive ]
result $? "ps shows a VM whose process is stopped as unresponsive"
mini-vm stop --force four >"$folder/stop" && grep -q 'its process was killed' "$folder/stop"
result $? "stop --force ends it"
wait $run
sleep 1

start five "$GUESTS/reset.bin"
mini-vm pause five
before=$(size)
sleep 2
[ "$(size)" -eq "$before" ]
result $? "a guest that resets for ever pauses too ($before bytes)"
mini-vm resume five
sleep 3
[ "$(size)" -gt "$before" ]
result $? "and goes on ($(size) bytes)"
mini-vm stop five >"$folder/stop"
ended 12 "and ends"

# The command's thread has to turn its loop for each ps; the guest never exits.
start spinner --stats --type flat "$GUESTS/spin.bin"
for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
	mini-vm ps --quiet >"$folder/ps"
done
mini-vm pause spinner && [ "$(state spinner)" = paused ]
result $? "a guest without exits pauses while its command is busy"
mini-vm resume spinner && [ "$(state spinner)" = running ]
result $? "and runs on"
mini-vm stop --force spinner >"$folder/stop"
ended 12 "and ends"
lent=$(sed -n 's/^module: runs_lent //p' "$folder/err")
exits=$(sed -n 's/^module: exits_to_user //p' "$folder/err")
[ "$lent" -gt 0 ] && [ "$exits" -gt "$lent" ]
result $? "its own thread has run it, too ($lent of $exits runs were lent)"

start pair --cpus 2 --type flat "$GUESTS/smp.bin"
[ "$(mini-vm ps | awk '$1 == "pair" { print $4 }')" = 2 ]
result $? "ps shows two vCPUs"
sleep 1
mini-vm pause pair && [ "$(state pair)" = paused ]
result $? "a guest with two vCPUs pauses"
before=$(size)
sleep 4
[ "$(size)" -eq "$before" ]
result $? "and stands still ($before bytes)"
mini-vm resume pair
sleep 2
[ "$(size)" -gt "$before" ]
result $? "it goes on ($(size) bytes)"
grep -q '^2\(01\)\{4\}\.[.]*$' "$folder/out"
result $? "and on no vCPU it has seen the time, nor a TSC behind another's"
mini-vm stop pair >"$folder/stop"
ended 12 "and ends"

mini-vm run --type flat "$GUESTS/ticker.bin" >/dev/null 2>&1 </dev/null &
mini-vm run --type flat "$GUESTS/ticker.bin" >/dev/null 2>&1 </dev/null &
sleep 3
[ "$(mini-vm ps --quiet | tr '\n' ' ')" = "ticker.bin ticker.bin-2 " ]
result $? "two VMs of one image get two names ($(mini-vm ps --quiet | tr '\n' ' '))"
mini-vm stop ticker.bin ticker.bin-2 >"$folder/stop"
result $? "and end by one command"
wait
finish
