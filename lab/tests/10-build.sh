# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Tests that only compile and read: warnings, the ABI header, style, budgets.

# A module that a student reads in a weekend.
MODULE_LINES=6111

entry module-builds-without-a-warning 'the module builds with W=1 and prints no warning' 40
module_builds_without_a_warning() {
	build_module_anew w1 W=1
}

entry module-is-clean-for-sparse 'sparse (C=2) finds nothing in the module' 40
module_is_clean_for_sparse() {
	build_module_anew sparse C=2 CHECK=sparse
}

# build_module_anew NAME ARG...: a full build whose output must be quiet.
build_module_anew() {
	local name=$1 output=$WORK/make
	shift
	find_stock_kernel
	PROJECT=$LAB_BUILD/$name
	copy_project
	make -C "$PROJECT" clean KDIR="$KERNEL_HEADERS"
	make -C "$PROJECT" module -j"$(nproc)" KDIR="$KERNEL_HEADERS" "$@" >"$output" 2>&1 || {
		cat "$output"
		return 1
	}
	cat "$output"
	if grep -E 'warning:|error:|WARNING:' "$output" | grep -v 'Skipping BTF'; then
		return 1
	fi
}

entry header-compiles-alone 'uapi/linux/mini_vm.h compiles alone as C and C++, 32 and 64 bit'
header_compiles_alone() {
	local language bits name status
	# The kernel's headers for 64 bit serve 32 bit too.
	for language in c c++; do
		for bits in 32 64; do
			name=header-compiles-alone.$language-$bits-bit status=pass
			echo '#include <linux/mini_vm.h>' |
				gcc -x "$language" -m$bits -fsyntax-only -Wall -Wextra -Werror \
					-I "$LAB_ROOT/uapi" -isystem "/usr/include/$(gcc -print-multiarch)" - ||
				status=fail
			result "$status" "$name"
		done
	done
}

entry module-keeps-its-layers 'no file of the module includes one of a higher layer'
module_keeps_its_layers() {
	"$LAB_ROOT/lab/tests/check-layers" "$LAB_ROOT/lab/tests/layers" "$LAB_ROOT/module"
}

entry module-does-not-grow "the module without its tests has at most $MODULE_LINES lines of code"
module_does_not_grow() {
	local lines files
	mapfile -t files < <(git -C "$LAB_ROOT" ls-files module |
		grep -vE '_test\.c$|/kunit\.c$|/compat/' | sed "s,^,$LAB_ROOT/,")
	((${#files[@]})) || return 1
	lines=$(cloc --quiet --csv "${files[@]}" | awk -F, '$2 == "SUM" { print $5 }')
	echo "the module has $lines lines of code"
	((lines > 0 && lines <= MODULE_LINES))
}

entry kernel-doc-is-sound 'kernel-doc reads the comments of module and ABI without a complaint'
kernel_doc_is_sound() {
	local files output=$WORK/kernel-doc
	find_kernel_source
	mapfile -t files < <(find "$LAB_ROOT/module" "$LAB_ROOT/uapi" -name '*.[ch]')
	((${#files[@]})) || return 1
	"$BUILT_SOURCE/scripts/kernel-doc" -none "${files[@]}" 2>&1 | tee "$output"
	[[ ! -s $output ]]
}

entry documents-build-and-agree 'the documents build without a warning, and their reading order names the files there are' 40
documents_build_and_agree() {
	PROJECT=$LAB_BUILD/documents
	copy_project
	make -C "$PROJECT/Documentation" html
	"$LAB_ROOT/Documentation/check-reading-order"
}

entry shell-scripts-are-clean 'shellcheck finds nothing in the lab and the selftests'
shell_scripts_are_clean() {
	local files
	mapfile -t files < <(grep -rlE '^#!/bin/(ba)?sh|shellcheck shell=' "$LAB_ROOT/lab" "$LAB_ROOT/.ci" \
		"$LAB_ROOT/selftests/silicon")
	((${#files[@]})) || return 1
	# SC1091, SC2034, SC2153: files that source each other share variables.
	# SC2317: functions that a table of tests or a trap calls.
	shellcheck -e SC1091,SC2034,SC2153,SC2317 "${files[@]}"
}

entry every-file-names-its-licence 'each tracked text file has an SPDX line among its first three'
every_file_names_its_licence() {
	local file bad=0
	while read -r file; do
		[[ -f $LAB_ROOT/$file ]] || continue
		case $file in
		# A fuzzer's inputs are what they are; debian/copyright speaks for its folder.
		LICENSES/* | */corpus/* | debian/* | *.md | COPYING | *.png | *.svg | .gitignore | .gitattributes) continue ;;
		esac
		head -n 3 "$LAB_ROOT/$file" | grep -q 'SPDX-License-Identifier:' || {
			echo "$file: no SPDX line"
			bad=1
		}
	done < <(git -C "$LAB_ROOT" ls-files)
	return $bad
}
