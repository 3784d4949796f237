#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# test_man.sh - the manual pages: mandoc finds nothing, each command has one, and
# page and --help know the same options.
cd "$(dirname "$0")/.." || exit 1
tool=build/mini-vm
# shellcheck source=tests/vm/tap.sh
. tests/vm/tap.sh
log=$folder/log

# What pages there are on this machine does not matter.
lint() {
	mandoc -T lint "$1" 2>&1 | grep -v 'outdated mandoc.db\|referenced manual not found' >"$log"
	[ ! -s "$log" ]
}

for page in *.1; do
	if command -v mandoc >/dev/null; then
		lint "$page"
		result $? "mandoc finds nothing in $page"
	else
		skip "mandoc finds nothing in $page" "there is no mandoc"
	fi
done

# resume is in the page of pause
page_of() {
	case $1 in
	resume) echo mini-vm-pause.1 ;;
	*) echo "mini-vm-$1.1" ;;
	esac
}

commands=$("$tool" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
[ -n "$commands" ]
result $? "--help lists commands"
for command in $commands; do
	page=$(page_of "$command")
	[ -f "$page" ] && grep -q "^\.Nm .*mini-vm[- ]$command" "$page" &&
		grep -q "Xr $(basename "$page" .1) 1" mini-vm.1
	result $? "$command has a page, and mini-vm.1 names it"
	"$tool" "$command" --help | grep -o -- '^ *\(-., \)\{0,1\}--[a-z-]*' | grep -o -- '--[a-z-]*' |
		grep -v -x -e --help -e --usage | sort >"$log"
	sed -n 's/^\.It \(Fl . , \)\{0,1\}Fl -\([a-z-]*\).*/--\2/p' "$page" | sort -u | diff "$log" - >"$folder/out"
	result $? "its page and its --help have the same options"
done

finish
