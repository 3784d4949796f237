# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# On a host that is not Debian 12 the lab runs in a Debian 12 of its own: a
# folder of its cache, made once. Of the host's own folders those that are no
# part of its system (/home, /root, /tmp, /srv, ...) are there too, at the same
# place. The host is given two packages and is otherwise left as it is.

. "$LAB_ROOT/lab/lib/packages.sh"
. "$LAB_ROOT/lab/lib/roots.sh"

# What every installed Debian has, and the lab uses beyond lab/packages.
OWN_DEBIAN_PACKAGES=(ca-certificates git sudo)

# What is taken along of the environment.
OWN_DEBIAN_ENVIRONMENT=(CI LAB_START LONG MINI_VM_LAB_CACHE MVM_DEBUG TERM TMPDIR XDG_CACHE_HOME)

# enter_debian HOST COMMAND [ARG]...: runs a command of the lab there, and ends
# as it did. HOST is this system's name.
enter_debian() {
	local host=$1 sum
	shift
	if ((EUID != 0)) && ! command -v sudo >/dev/null; then
		fail "it runs on Debian 12, this is $host, and a Debian 12 of its own needs root or sudo"
	fi
	sum=$(printf '%s\n' "${OWN_DEBIAN_PACKAGES[@]}" | sha256sum)
	OWN_DEBIAN=$LAB_CACHE/debian/bookworm-${sum:0:12}
	if [[ ! -e $OWN_DEBIAN.complete ]]; then
		command -v apt-get >/dev/null ||
			fail "it runs on Debian 12, this is $host, and a Debian 12 of its own is made only where there is apt-get"
		ask_for_debian "$host" "$@"
		with_lock "$LAB_CACHE/locks/debian" make_own_debian
	fi
	as_root unshare --mount --pid --fork true ||
		fail 'this host does not let root make namespaces (a container?)'
	with_lock "$LAB_CACHE/locks/debian" introduce_user
	run_in_debian "$@"
}

# ask_for_debian HOST COMMAND [ARG]...: a command that asks does it here.
ask_for_debian() {
	local argument yes=no missing
	mapfile -t missing < <(missing_packages host)
	stage "this is $1: the lab makes a Debian 12 for itself in $LAB_CACHE/debian (3 GB with all it needs)${missing[*]:+ and installs ${missing[*]} here}"
	declare -F ask_to_install >/dev/null || return 0
	shift
	for argument in "$@"; do
		[[ $argument != --yes ]] || yes=yes
	done
	ask_whether "$yes"
}

# Nobody but root looks in from outside: a program that is setuid there is
# meant for there.
make_own_debian() {
	[[ ! -e $OWN_DEBIAN.complete ]] || return 0
	install_packages host
	stage 'build: a Debian 12 for the lab (a few minutes, once)'
	mkdir -p "${OWN_DEBIAN%/*}"
	as_root rm -rf --one-file-system "$OWN_DEBIAN"
	as_root mkdir -m 700 "$OWN_DEBIAN"
	bootstrap "$OWN_DEBIAN/root" bookworm "${OWN_DEBIAN_PACKAGES[@]}"
	as_root chmod 755 "$OWN_DEBIAN/root"
	touch "$OWN_DEBIAN.complete"
}

# The user is known there by name and may use sudo; names of hosts and apt's
# proxy are this host's.
introduce_user() {
	# shellcheck disable=SC2016 # for the inner shell
	apt-config dump 2>/dev/null | sed -n '/^Acquire::.*[Pp]roxy/p' | as_root sh -ec '
		root=$1 name=$2 uid=$3 gid=$4 home=$5
		cat >"$root/etc/apt/apt.conf.d/50host"
		cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
		if ! cut -d: -f3 "$root/etc/passwd" | grep -qx "$uid"; then
			echo "$name:*:$uid:$gid::$home:/bin/bash" >>"$root/etc/passwd"
			umask 337
			echo "#$uid ALL=(ALL) NOPASSWD: ALL" >"$root/etc/sudoers.d/user-$uid"
		fi' sh "$OWN_DEBIAN/root" "$(id -un)" "$(id -u)" "$(id -g)" "$HOME"
}

# set_shown: sets SHOWN to enter-root's options for this host's folders.
set_shown() {
	local folder
	SHOWN=()
	for folder in /*; do
		case $folder in
		/bin | /dev | /etc | /lib* | /proc | /run | /sbin | /usr | /var) continue ;;
		esac
		[[ ! -d $folder || -L $folder ]] || SHOWN+=(--show "$folder")
	done
	# These may be elsewhere; what Debian has itself stays visible.
	for folder in "$LAB_ROOT" "$LAB_CACHE" "$PWD" "${TMPDIR:-/tmp}"; do
		SHOWN+=(--fill "$folder")
	done
}

# run_in_debian COMMAND [ARG]...: as this user, in this folder, at this terminal.
run_in_debian() {
	local name variables=() status=0
	for name in "${OWN_DEBIAN_ENVIRONMENT[@]}"; do
		[[ -z ${!name+set} ]] || variables+=("$name=${!name}")
	done
	set_shown
	inside_folder=$(mktemp -d "${TMPDIR:-/tmp}/mini-vm-debian.XXXXXX")
	trap 'rm -rf "$inside_folder"' EXIT
	interrupted=''
	trap 'interrupted=INT' INT
	trap 'interrupted=TERM' TERM HUP
	# Started in the background, it would be deaf for Ctrl-C.
	as_root unshare --mount --pid --fork --kill-child "$LAB_ROOT/lab/host/enter-root" \
		--pid "$inside_folder/pid" "${SHOWN[@]}" "$OWN_DEBIAN/root" \
		/usr/bin/env -i --chdir="$PWD" --default-signal=INT,QUIT HOME="$HOME" USER="$(id -un)" \
		LOGNAME="$(id -un)" LC_ALL=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		LAB_IN_OWN_DEBIAN=yes "${variables[@]}" \
		setpriv --reuid="$(id -u)" --regid="$(id -g)" --groups="$(id -G | tr ' ' ,)" "$@" <&0 &
	wait $! || status=$?
	if [[ -n $interrupted ]]; then
		end_inside
		status=125
	fi
	exit "$status"
}

# end_inside: a signal came here. Ctrl-C came there too, and gets two seconds; others
# are passed on. What has not ended ten seconds later is ended by force.
end_inside() {
	local pid tries
	for ((tries = 0; tries < 125; tries++)); do
		[[ -n $(jobs -rp) ]] || return 0
		read -r pid 2>/dev/null <"$inside_folder/pid" || pid=''
		case $interrupted-$tries in
		TERM-0 | INT-20) [[ -z $pid ]] || signal_inside TERM "$pid" ;;
		*-120) signal_inside KILL "${pid:-$(jobs -rp)}" ;;
		esac
		sleep 0.1
	done
}

signal_inside() {
	kill "-$1" "$2" 2>/dev/null || as_root kill "-$1" "$2" 2>/dev/null || :
}
