# SPDX-License-Identifier: GPL-2.0-only
#
# Completion of mini-vm for fish. Commands and options are read from the
# program's own --help, so that they are those of the version installed.

function __mini_vm_commands
	mini-vm --help 2>/dev/null | string replace -rf '^  ([a-z]+) +(.*)' '$1\t$2'
end

function __mini_vm_options
	set -l words (commandline -opc)
	mini-vm $words[2] --help 2>/dev/null |
		string replace -rf '^ *(?:-., )?(--[a-z-]+)(?:=\S+)? +(.*)' '$1\t$2'
end

complete -c mini-vm -n __fish_use_subcommand -f -a '(__mini_vm_commands)'
complete -c mini-vm -n 'not __fish_use_subcommand; and string match -q -- "-*" (commandline -ct)' \
	-a '(__mini_vm_options)'
complete -c mini-vm -n '__fish_seen_subcommand_from stop pause resume stat' \
	-f -a '(mini-vm ps --quiet 2>/dev/null)'
complete -c mini-vm -n '__fish_seen_subcommand_from bench' \
	-f -a "(mini-vm bench --list 2>/dev/null | string replace -rf '^(\\S+) +(.*)' '\$1\\t\$2')"
complete -c mini-vm -n '__fish_seen_subcommand_from ps check' -f
