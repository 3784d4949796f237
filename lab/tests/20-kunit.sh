# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The module's KUnit tests, in the lab's own small kernel with KASAN and UBSAN;
# they need no VMX, so QEMU runs them.

entry kunit 'every KUnit case of the module passes under KASAN and UBSAN' 400
kunit() {
	local console=$WORK/kunit-console status=0
	find_built_kernel kunit
	PROJECT=$LAB_BUILD/kunit
	copy_project
	make -C "$PROJECT" -j"$(nproc)" kunit KDIR="$BUILT_KDIR"
	"$LAB_ROOT/lab/run" --emulator qemu --kernel kunit --no-module --no-tool --no-selftests \
		--append 'loglevel=7 kunit.enable=1' --console "$console" --timeout 300 \
		--add "$PROJECT/mini_vm_kunit.ko" -- \
		insmod /root/mini_vm_kunit.ko || status=$?
	read_kunit "$console" >>"$RESULTS"
	[[ ! -s $RESULTS ]] || ! grep -q ^fail "$RESULTS" || cat "$console"
	[[ -s $RESULTS ]] || return 1
	return $status
}
