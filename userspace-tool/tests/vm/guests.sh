#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# guests.sh - the small guests, for real.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

mini-vm check >"$folder/out" 2>"$folder/err"
result $? "check says that this machine can run VMs"
has out '^This machine can run VMs' "in a sentence"

run_guest 85 "a boot sector ends by the debug-exit port" "$GUESTS/hello.bin"
has out '^hello from the boot sector$' "and its line arrives"

run_guest 3 "string I/O" --type flat "$GUESTS/strings.bin"
has out '^one line by one instruction$' "REP OUTSB sends its line"

run_guest 3 "timer interrupts wake a guest from HLT" --type flat "$GUESTS/timer.bin"
has out '^\.\.\.\.\.\.\.\.\.\.$' "ten times"

run_guest 3 "MMIO is emulated" "$GUESTS/mmio.bin"

run_guest 10 "a triple fault is status 10" "$GUESTS/triple.bin"
has err 'mini-vm: .*triple fault' "with a sentence"
has err 'CS  *0000' "and the registers"

run_guest 8 "a reset with --on-reset exit is status 8" --on-reset exit "$GUESTS/reset.bin"

run_guest 8 "so is one by the register that ACPI names" --on-reset exit "$GUESTS/cf9.bin"

run_guest 3 "level-triggered interrupts come again until the line goes down" --type flat "$GUESTS/ioapic.bin"

run_guest 0 "a kernel written for QEMU finds fw_cfg and powers off" --type flat --fw-cfg name=opt/note,string=hello "$GUESTS/qemu.bin"
has err '^hello$' "and its debug console is standard error"

printf 'from a file' >"$folder/note"
run_guest 0 "--debugcon takes a file" --type flat --fw-cfg "opt/note,file=$folder/note" --debugcon "$folder/debug" "$GUESTS/qemu.bin"
[ "$(cat "$folder/debug")" = 'from a file' ] && [ ! -s "$folder/err" ]
result $? "which gets what the guest writes to port 0xe9"

# cf9.bin starts with memory and devices as new, or ends by debug-exit
run_until S 3 "$GUESTS/cf9.bin"
[ "$letters" -ge 3 ] && [ "$((status % 2))" -eq 0 ]
result $? "a machine that was reset is as new ($letters times, status $status)"

# --on-reset reboot: the guest resets for ever; three letters prove it
run_until R 3 "$GUESTS/reset.bin"
[ "$letters" -ge 3 ]
result $? "a reset guest starts again ($letters times)"

printf 'hello, guest.' | timeout 60 mini-vm run --type flat "$GUESTS/echo.bin" >"$folder/out" 2>"$folder/err"
status=$?
[ "$status" -eq 1 ] && [ "$(cat "$folder/out")" = "HELLO, GUEST" ]
result $? "input from a pipe arrives whole (status $status)"

head -c 5000 /dev/zero | tr '\0' a | sed 's/$/./' | timeout 100 mini-vm run --type flat "$GUESTS/echo.bin" >"$folder/out" 2>"$folder/err"
[ "$(tr -cd A <"$folder/out" | wc -c)" -eq 5000 ]
result $? "also when it is long"

mini-vm run --type flat "$GUESTS/echo.bin" </dev/null >"$folder/out" 2>"$folder/err" &
pid=$!
sleep 2
kill -TERM $pid
wait $pid
status=$?
[ "$status" -eq 12 ]
result $? "SIGTERM ends a run with status 12 (status $status)"

timeout 60 mini-vm run --type flat "$GUESTS/strings.bin" >/dev/full 2>"$folder/err" </dev/null
status=$?
[ "$status" -eq 6 ] && grep -q "cannot write the guest's output" "$folder/err"
result $? "a full disk ends a run with status 6 (status $status)"

# smp.bin says how many CPUs have come, and lets them work in turn for ever
run_until . 4 --cpus 8 --type flat "$GUESTS/smp.bin"
has out '^8[0-7]*\.\.[.]*$' "eight CPUs come and work in turn, and the TSC is one"
has out '^8\(01234567\)\{4\}\.' "what they write comes in the order of their turns"
run_until S 3 --cpus 4 --pin 0 "$GUESTS/cf9.bin"
[ "$letters" -ge 3 ] && [ ! -s "$folder/err" ]
result $? "a machine of four CPUs that are pinned is reset as one of one ($letters times)"
run_guest 6 "a CPU that is not there" --pin 4095 "$GUESTS/hello.bin"
has err 'cannot run vCPU 0 on CPU 4095: .*--pin' "is refused with a sentence"

run_guest 3 "a guest finds two hypervisors" --type flat "$GUESTS/signatures.bin"
[ "$(tr '\n' ' ' <"$folder/out")" = 'MiniVMMiniVM KVMKVMKVM... ' ]
result $? "mini-vm and the interface of KVM"
run_guest 3 "or one" --type flat --pv none "$GUESTS/signatures.bin"
[ "$(cat "$folder/out")" = MiniVMMiniVM ]
result $? "with --pv none"

run_guest 85 "--stats prints counters" --stats "$GUESTS/hello.bin"
has err '^exits: port I/O' "of exits"
beside=$(sed -n 's/^memory: .* beside it \([0-9]*\) KiB$/\1/p' "$folder/err")
[ -n "$beside" ] && [ "$beside" -le 4096 ]
result $? "the command needs 4 MiB at most beside the guest ($beside KiB)"

# runs that the command's own thread made, of all
lent() {
	sed -n 's/^module: runs_lent //p' "$folder/err"
}
exits=$(sed -n 's/^module: exits_to_user //p' "$folder/err")
[ "$exits" -gt 0 ] && [ "$(lent)" = "$exits" ]
result $? "the command's thread enters a guest of one CPU itself ($(lent) of $exits times)"
run_guest 85 "but not one that is pinned" --pin 0 --stats "$GUESTS/hello.bin"
[ "$(lent)" = 0 ]
result $? "whose thread runs it ($(lent) times)"

finish
