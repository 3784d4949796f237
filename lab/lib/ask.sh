# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Says what a command is about to install and how long it takes, and asks.

# ask_to_install YES DURATION GROUP...: asks when something is missing; not in a
# Debian of the lab's own, where that harms nobody.
ask_to_install() {
	local yes=$1 duration=$2 missing
	shift 2
	mapfile -t missing < <(missing_packages "$@")
	if ((${#missing[@]})); then
		stage "this installs the Debian packages ${missing[*]}"
	fi
	stage "this keeps kernels and builds in $LAB_CACHE, and takes $duration"
	if ((${#missing[@]})) && [[ -z ${LAB_IN_OWN_DEBIAN-} ]]; then
		ask_whether "$yes"
	fi
}

# ask_whether YES: only at a terminal, not with --yes (YES is "yes") and not in CI.
ask_whether() {
	local answer
	[[ $1 != yes && ${CI-} != true && -t 0 ]] || return 0
	read -r -p 'lab: go on? [y/N] ' answer
	[[ $answer == [Yy]* ]] || fail 'not started: nothing was installed'
}
