#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# linux.sh [APPEND] - boots the kernel and initrd of $GUESTS to its init, which
# ends the run by the debug-exit port with a status of its own.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
timeout "${LIMIT:-600}" mini-vm run --stats --memory 256M \
	--initrd "$GUESTS/initrd" \
	--append "console=ttyS0 panic=-1 $*" \
	"$GUESTS/vmlinuz" >"$folder/out" 2>"$folder/err" </dev/null
status=$?
tail -n 25 "$folder/out" | sed 's/^/# /'
sed 's/^/# /' "$folder/err"
has out 'Linux version' "the kernel speaks"
has out 'ttyS0 .*16550A' "and finds the serial port's kind"
has out 'Run /init as init process' "and starts its init"
[ $((status % 2)) -eq 1 ]
result $? "which ends the run by the debug-exit port (status $status)"
finish
