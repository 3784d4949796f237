# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The lab on hosts that are not Debian 12. They are systems in folders; Ubuntu's
# archive is not tried, only a Debian 13 that says it is Ubuntu.

. "$LAB_ROOT/lab/lib/roots.sh"

long_entry lab-works-on-other-hosts 'the lab runs on Debian 13, and where the system says it is Ubuntu, in a Debian 12 of its own' 900
lab_works_on_other_hosts() {
	trap close_root EXIT
	open_root "$WORK/host" trixie sudo
	in_root useradd --create-home --uid 1234 ada
	# shellcheck disable=SC2016 # for the shell there
	in_root sh -ec 'echo "ada ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/ada'
	git -C "$LAB_ROOT" ls-files -z | (cd "$LAB_ROOT" && xargs -0 tar -cf -) |
		as_root sh -c "mkdir '$ROOT/home/ada/mini-vm' && tar -C '$ROOT/home/ada/mini-vm' --no-same-owner -xf - &&
			chown -R 1234:1234 '$ROOT/home/ada/mini-vm'"
	host_without_apt_is_told
	user_gets_status_and_files
	ended_lab_leaves_nothing
	ubuntu_runs_the_emulator_with_vmx
}

# as_ada COMMAND...: a user with sudo, in her folder.
as_ada() {
	in_root setpriv --reuid=1234 --regid=1234 --init-groups env --chdir=/home/ada HOME=/home/ada "$@"
}

plain=(mini-vm/lab/run --emulator qemu --no-module --no-tool --no-selftests)

host_without_apt_is_told() {
	local status=0
	in_root mv /usr/bin/apt-get /usr/bin/apt-get.away
	as_ada "${plain[@]}" -- true 2>"$WORK/told" || status=$?
	in_root mv /usr/bin/apt-get.away /usr/bin/apt-get
	cat "$WORK/told"
	[[ $status == 125 ]]
	[[ $(wc -l <"$WORK/told") == 1 ]]
	grep -q 'this is Debian GNU/Linux 13.*apt-get$' "$WORK/told"
}

# Nothing is there yet: this makes the Debian 12.
user_gets_status_and_files() {
	local status=0 output
	as_ada sh -c 'head -c 100000 /dev/urandom >sent'
	# shellcheck disable=SC2016 # for the VM's shell
	output=$(echo 'not for the VM' | as_ada "${plain[@]}" --add sent --get /root/sent:back -- \
		sh -c 'echo "$1|$#"; exit 37' sh "it's  \"so\"") || status=$?
	[[ $status == 37 ]]
	[[ $output == "it's  \"so\"|1" ]]
	as_ada cmp sent back
	[[ $(in_root stat -c %U /home/ada/back) == ada ]]
	[[ -z $(in_root find /home/ada -xdev -path '*/mini-vm-lab/debian' -prune -o ! -user ada -print) ]]
}

# A signal to the lab outside ends the emulator inside.
ended_lab_leaves_nothing() {
	# shellcheck disable=SC2016 # for the shell there
	as_ada sh -c '
		"$@" -- sh -c "echo up; sleep 1000" >up &
		pid=$!
		for try in $(seq 300); do
			! grep -q up up || break
			sleep 1
		done
		grep -q up up
		pidof qemu-system-x86_64
		kill $pid
		wait $pid
		test $? = 125
		! pidof qemu-system-x86_64' sh "${plain[@]}" || return 1
	[[ -z $(in_root find /tmp -mindepth 1 -name 'mini-vm-*') ]]
}

# As root this time, with what the user had made.
ubuntu_runs_the_emulator_with_vmx() {
	in_root sh -ec 'rm /etc/os-release; echo "ID=ubuntu
		VERSION_ID=24.04
		PRETTY_NAME=\"Ubuntu 24.04 LTS\"" >/etc/os-release'
	in_root env MINI_VM_LAB_CACHE=/home/ada/.cache/mini-vm-lab /home/ada/mini-vm/lab/run -- mini-vm check
}
