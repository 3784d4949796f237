# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Completion of mini-vm for bash. Commands and options are read from the
# program's own --help, so that they are those of the version installed.

# The long options that --help of a command lists.
_mini_vm_options() {
	"$1" ${2:+"$2"} --help 2>/dev/null | grep -o -- '^ *\(-., \)\{0,1\}--[a-z-]*=\{0,1\}' |
		grep -o -- '--.*'
}

# The commands: the indented lines under "Commands:".
_mini_vm_commands() {
	"$1" --help 2>/dev/null | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'
}

_mini_vm_files() {
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

_mini_vm() {
	local program=$1 word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} line
	local command=${COMP_WORDS[1]-}
	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		mapfile -t COMPREPLY < <(compgen -W "$(_mini_vm_commands "$program")
			$(_mini_vm_options "$program")" -- "$word")
		return
	fi
	# bash splits at "=": --type = WORD
	if [[ $word == = ]]; then
		word=''
	elif [[ $before == = ]]; then
		before=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	case $before in
	--on-reset)
		mapfile -t COMPREPLY < <(compgen -W 'reboot exit' -- "$word")
		return
		;;
	--pv)
		mapfile -t COMPREPLY < <(compgen -W 'kvm none' -- "$word")
		return
		;;
	-t | --type)
		[[ $command != run ]] || {
			# "--type=TYPE  auto, bzimage, bootsector or flat (default auto)"
			line=$("$program" run --help | tr -s ' \n' ' ' | sed -n 's/.*--type=TYPE \([^(]*\) (.*/\1/p')
			line=${line//,/ }
			mapfile -t COMPREPLY < <(compgen -W "${line/ or / }" -- "$word")
		}
		return
		;;
	-i | --initrd)
		[[ $command != run && $command != bench ]] || _mini_vm_files "$word"
		return
		;;
	-j | --json | -k | --kernel)
		if [[ $command == bench ]]; then
			_mini_vm_files "$word"
			return
		fi
		;;
	-a | --append | -c | --cpus | -m | --memory | -n | --name | --pin | --timeout | --tries) return ;;
	esac
	if [[ $word == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_mini_vm_options "$program" "$command")" -- "$word")
		[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace 2>/dev/null
		return
	fi
	case $command in
	run) _mini_vm_files "$word" ;;
	bench)
		mapfile -t COMPREPLY < <(compgen -W "$("$program" bench --list 2>/dev/null | cut -d' ' -f1)" -- "$word")
		;;
	stop | pause | resume | stat)
		mapfile -t COMPREPLY < <(compgen -W "$("$program" ps --quiet 2>/dev/null)" -- "$word")
		;;
	esac
}

complete -F _mini_vm mini-vm
