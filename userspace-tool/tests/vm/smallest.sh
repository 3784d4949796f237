#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# smallest.sh - two guests, for a look at one more machine.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"

mini-vm check >"$folder/out" 2>"$folder/err"
result $? "check says that this machine can run VMs"

run_guest 85 "a boot sector ends by the debug-exit port" "$GUESTS/hello.bin"
has out '^hello from the boot sector$' "and its line arrives"

run_guest 3 "timer interrupts wake a guest from HLT" --type flat "$GUESTS/timer.bin"
has out '^\.\.\.\.\.\.\.\.\.\.$' "ten times"

finish
