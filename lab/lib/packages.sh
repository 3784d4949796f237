# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Installs the Debian packages that lab/packages lists, only those missing.

# as_root COMMAND...: with sudo where that is needed.
as_root() {
	if ((EUID == 0)); then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		fail "installing packages needs root or sudo"
	fi
}

# list_packages GROUP...: the names in these groups of lab/packages.
list_packages() {
	local group
	for group in "$@"; do
		awk -F: -v group="[$group]" '
			/^#/ || NF == 0 { next }
			/^\[/ { inside = $1 == group; next }
			inside { print $1 }' "$LAB_ROOT/lab/packages"
	done
}

# missing_packages GROUP...: those that are not installed.
missing_packages() {
	local name
	for name in $(list_packages "$@"); do
		[[ $(dpkg-query -W -f '${Status}' "$name" 2>/dev/null) == 'install ok installed' ]] ||
			printf '%s\n' "$name"
	done
}

# apt_lists_fresh: makes sure that apt knows the archive.
apt_lists_fresh() {
	if [[ -z $(apt-cache madison linux-image-amd64 2>/dev/null) ]]; then
		stage 'install: apt-get update'
		logged 'apt-get update' as_root apt-get -qq update
	fi
}

# install_packages GROUP...: installs what is missing.
install_packages() {
	local missing
	mapfile -t missing < <(missing_packages "$@")
	((${#missing[@]})) || return 0
	with_lock "$LAB_CACHE/locks/apt" install_now "$@"
}

install_now() {
	local missing
	mapfile -t missing < <(missing_packages "$@")
	((${#missing[@]})) || return 0
	apt_lists_fresh
	stage "install: ${missing[*]}"
	if ! apt_install "${missing[@]}" >/dev/null 2>&1; then
		# The lists may be older than the archive.
		logged 'apt-get update' as_root apt-get -qq update
		logged 'apt-get install' apt_install "${missing[@]}"
	fi
}

apt_install() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
		-o DPkg::Lock::Timeout=300 install --no-install-recommends "$@"
}
