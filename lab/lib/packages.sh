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
	local names
	mapfile -t names < <(list_packages "$@")
	comm -23 <(printf '%s\n' "${names[@]}" | sort -u) \
		<(dpkg-query -W -f '${Package} ${Status}\n' "${names[@]}" 2>/dev/null |
			sed -n 's/ install ok installed$//p' | sort -u)
}

# update_lists: makes sure that apt knows the archive as it is now.
update_lists() {
	stage 'install: apt-get update'
	with_lock "$LAB_CACHE/locks/apt-lists" logged 'apt-get update' as_root apt-get -qq update
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
	stage "install: ${missing[*]}"
	if ! apt_install "${missing[@]}" >/dev/null 2>&1; then
		# The lists are missing or older than the archive.
		update_lists
		logged 'apt-get install' apt_install "${missing[@]}"
	fi
}

apt_install() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
		-o DPkg::Lock::Timeout=300 install --no-install-recommends "$@"
}

# find_package NAME: sets PACKAGE_DIR to where a Debian package is unpacked, in the
# cache; it is not installed.
find_package() {
	local version
	version=$(package_version "$1")
	if [[ -z $version ]]; then
		update_lists
		version=$(package_version "$1")
	fi
	[[ -n $version ]] || fail "apt knows no $1"
	PACKAGE_DIR=$LAB_CACHE/packages/$1-$version
	[[ -e $PACKAGE_DIR ]] ||
		with_lock "$LAB_CACHE/locks/packages" unpack_package "$1"
}

package_version() {
	apt-cache --no-all-versions show "$1" 2>/dev/null | sed -n 's/^Version: //p' || :
}

unpack_package() {
	local new=$PACKAGE_DIR.new
	[[ ! -e $PACKAGE_DIR ]] || return 0
	stage "download: $1"
	rm -rf "$new"
	mkdir -p "$new/download"
	if ! download_into "$new/download" "$1" >/dev/null 2>&1; then
		update_lists
		logged 'apt-get download' download_into "$new/download" "$1"
	fi
	logged "dpkg-deb -x $1" dpkg-deb -x "$new"/download/*.deb "$new"
	rm -r "$new/download"
	mv "$new" "$PACKAGE_DIR"
}

# download_into FOLDER PACKAGE...: the package files alone, not installed.
download_into() (
	cd "$1" || exit
	shift
	apt-get -qq -o APT::Sandbox::User=root download "$@"
)
