# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The benchmark: it runs on mini-vm and on KVM, and what mini-vm's operations cost
# is held against lab/bench-budget.

entry benchmark-keeps-its-budget 'the benchmark runs on mini-vm and on KVM; no operation of mini-vm costs 3% more than lab/bench-budget says (mitigations=off)' 300
benchmark_keeps_its_budget() {
	local machine
	find_stock_kernel
	install_packages bench
	machine="bochs $(dpkg-query -W -f '${Version}' bochs), linux $KERNEL_RELEASE $KERNEL_VERSION, gcc $(gcc -dumpfullversion)"
	"$LAB_ROOT/lab/bench" --yes --mitigations off --timeout 1800 --json "$WORK/json" --svg "$WORK/svg"
	grep -q '^<svg' "$WORK/svg" || result fail bench.chart 'there is no SVG'
	python3 "$LAB_ROOT/lab/tests/check-budget" "$LAB_ROOT/lab/bench-budget" "$machine" "$WORK/json" >"$WORK/verdicts"
	cat "$WORK/verdicts"
	cat "$WORK/verdicts" >>"$RESULTS"
}
