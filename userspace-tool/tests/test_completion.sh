#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# test_completion.sh - what bash offers after a command line, with a mini-vm
# that says that two VMs run.
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/vm/tap.sh
. tests/vm/tap.sh
cat >"$folder/mini-vm" <<END
#!/bin/sh
[ "\$1 \$2" != "ps --quiet" ] || { printf 'alpha\nbeta\n'; exit; }
exec "$PWD/build/mini-vm" "\$@"
END
chmod +x "$folder/mini-vm"
PATH=$folder:$PATH
export LC_ALL=C
: >"$folder/image-file"
. completion/mini-vm.bash

# offers WANT WORD...: the completions of the last word, sorted, are WANT
offers() {
	local want=$1 got
	shift
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	_mini_vm "$1" "${*: -1}" "${*: -2:1}"
	got=$(printf '%s\n' "${COMPREPLY[@]}" | sort | tr '\n' ' ')
	echo "${got% }" >"$folder/out"
	[[ ${got% } == "$want" ]]
	result $? "'$*' completes to '$want'"
}

offers "--help --version $(build/mini-vm --help |
	sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' | sort | tr '\n' ' ' | sed 's/ $//')" mini-vm ''
offers 'pause ps' mini-vm p
offers 'pause' mini-vm pa
offers '--version' mini-vm --v
offers 'alpha beta' mini-vm stop ''
offers 'beta' mini-vm stop b
offers 'beta' mini-vm pause alpha b
offers 'alpha beta' mini-vm resume ''
offers 'alpha' mini-vm stat --json a
offers '--force' mini-vm stop --f
offers '--timeout=' mini-vm stop --t
offers '' mini-vm stop --timeout ''
offers '--help --json --quiet --usage' mini-vm ps --
offers '' mini-vm ps ''
offers '--on-reset=' mini-vm run --on
offers 'kvm none' mini-vm run --pv ''
offers 'exit reboot' mini-vm run --on-reset ''
offers 'exit' mini-vm run --on-reset = e
offers 'exit reboot' mini-vm run --on-reset =
offers 'compute cpuid cr0-wp cr8-read cr8-write' mini-vm bench c
offers "$folder/image-file" mini-vm bench --json "$folder/im"
offers "$folder/image-file" mini-vm bench boot --kernel "$folder/im"
offers "$folder/image-file" mini-vm bench boot --initrd "$folder/im"
offers 'bootsector bzimage' mini-vm run --type b
offers "$folder/image-file" mini-vm run "$folder/im"
offers "$folder/image-file" mini-vm run --initrd "$folder/im"
offers '' mini-vm run --append "$folder/im"

finish
