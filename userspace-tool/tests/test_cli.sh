#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# test_cli.sh - the command line as a person meets it: statuses and sentences.
# Runs build/mini-vm on the host; nothing here needs the kernel module.
cd "$(dirname "$0")/.." || exit 1
tool=build/mini-vm
# shellcheck source=tests/vm/tap.sh
. tests/vm/tap.sh
export MINI_VM_RUNTIME_DIR="$folder/run"

# expect STATUS PATTERN NAME ARGUMENT...: status, and a line of stderr
expect() {
	want=$1 pattern=$2 name=$3
	shift 3
	"$tool" "$@" >"$folder/out" 2>"$folder/err" </dev/null
	status=$?
	[ "$status" -eq "$want" ] && grep -q -- "$pattern" "$folder/err" &&
		! grep -vq '^mini-vm: \|^Try ' "$folder/err"
	result $? "$name (status $status)"
}

# shows PATTERN NAME ARGUMENT...: status 0 and a line of stdout
shows() {
	pattern=$1 name=$2
	shift 2
	"$tool" "$@" >"$folder/out" 2>"$folder/err" </dev/null &&
		grep -q -- "$pattern" "$folder/out" && [ ! -s "$folder/err" ]
	result $? "$name"
}

shows '^mini-vm [0-9.]* (ABI [0-9]*)$' "--version shows version and ABI" --version
shows '^Usage: mini-vm COMMAND' "--help shows the commands" --help
shows '^Usage: mini-vm run .*IMAGE' "run --help shows its usage" run --help
shows '--initrd=FILE' "run --help shows its options" run --help
shows '^Usage: mini-vm check' "check --help shows its usage" check --help

expect 2 'which command?' "no command"
expect 2 "'walk' is not a command" "an unknown command" walk
expect 2 'which image?' "no image" run
expect 2 'one image at a time' "two images" run one two
expect 2 "unrecognized option '--nope'" "an unknown option" run --nope image
expect 2 "option '--memory' requires an argument" "an option without its argument" run image --memory
expect 2 "'many' is not a size" "a size that is none" run --memory many image
expect 2 "the name is empty" "--fw-cfg without a name" run --fw-cfg ,string=a image
expect 2 "write name=NAME" "--fw-cfg without a value" run --fw-cfg name=opt/a image
expect 2 "mini-vm's own" "--fw-cfg with a name of the machine" run --fw-cfg etc/e820,string=a image
expect 6 'nowhere: cannot read it for --fw-cfg' "--fw-cfg with a file that is not there" run --fw-cfg opt/a,file=/nowhere build/guests/hello.bin
expect 6 'too big for --fw-cfg' "--fw-cfg with a file without an end" run --fw-cfg opt/a,file=/dev/zero build/guests/hello.bin
expect 6 'nowhere/file: cannot open it for the debug console' "--debugcon where nothing can be" run --debugcon /nowhere/file build/guests/hello.bin
expect 2 "'12X' is not a size" "a size with a wrong suffix" run --memory 12X image
expect 2 "'-5M' is not a size" "a negative size" run --memory -5M image
expect 2 'is too much' "too much memory" run --memory 2000G image
expect 2 'is too much' "a size that overflows" run --memory 99999999999999999999 image
expect 2 'is too much' "a size of 2^64 + 256" run --memory 18446744073709551872 image
expect 2 'is too much' "a size of 2^44 + 1 MiB" run --memory 17592186044417 image
expect 2 "'two' is not a number" "a number of CPUs that is none" run --cpus two image
expect 2 "'-1' is not a number" "a negative one" run --cpus -1 image
expect 2 'needs 1 CPU at least' "a guest without a CPU" run --cpus 0 image
expect 2 'may have 8 CPUs at most' "too many CPUs" run --cpus 9 image
expect 2 'may have 8 CPUs at most' "2^32 + 1 CPUs" run --cpus 4294967297 image
expect 2 'may have 8 CPUs at most' "more than any number" run --cpus 99999999999999999999 image
expect 2 'write CPU numbers as in' "a list of CPUs that is none" run --pin all image
expect 2 'the higher one last' "a range that goes down" run --pin 3-1 image
expect 2 "'xen' is not an interface" "an interface that there is not" run --pv xen image
expect 2 'is too little' "too little memory" run --memory 1M image
expect 2 'cannot be a name' "a name with a slash" run --name a/b image
expect 2 'cannot be a name' "an empty name" run --name '' image
expect 2 'cannot be a name' "a name that is too long" run --name 12345678901234567890123456789012 image
expect 2 'is not an image type' "an unknown type" run --type floppy image
expect 2 'is not an action' "an unknown action" run --on-reset dance image
expect 2 'check takes no arguments' "check with an argument" check now
expect 2 'ps takes no arguments' "ps with an argument" ps all
expect 2 'not both' "ps with two forms" ps --json --quiet
shows '^Usage: mini-vm bench .*OPERATION' "bench --help shows its usage" bench --help
shows '^wrmsr  *WRMSR of TSC_ADJUST$' "bench --list lists the operations" bench --list
shows '^ipi  *IPI .* (needs two CPUs)$' "and says which need two CPUs" bench --list
expect 2 "'cpuide' is not an operation" "bench of what is no operation" bench cpuid cpuide
cpus=$(taskset -cp $$ | sed 's/.*: //')
taskset -cp "${cpus%%[-,]*}" $$ >"$folder/out"
expect 4 "'ipi' needs two CPUs" "bench of what needs two CPUs, on one" bench cpuid ipi
taskset -cp "$cpus" $$ >"$folder/out"
expect 2 'is not a number of tries' "bench with no tries" bench --tries 0
expect 2 'is not a number of tries' "bench with tries that are no number" bench --tries 8x
expect 2 'is not a number of tries' "bench with too many tries" bench --tries 1001
shows '^boot  *boot of a Linux kernel' "bench --list has the boot" bench --list
expect 2 'needs a kernel and its initial RAM disk; name them' "bench of the boot of nothing" bench boot
expect 2 'needs a kernel and its initial RAM disk; name them' "or of a kernel alone" bench --kernel /nowhere boot
expect 2 'has no rounds to mark' "bench of a boot with marks" bench --mark --kernel a --initrd b boot
expect 6 '^mini-vm: /nowhere: ' "bench of a kernel that is not there" bench --kernel /nowhere --initrd /nowhere boot
expect 6 'multiboot.elf is not a Linux kernel' "bench of the boot of something else" bench --kernel build/guests/multiboot.elf --initrd build/guests/hello.bin boot
for command in stop pause resume stat; do
	expect 2 'which VM?' "$command without a name" $command
	expect 6 "no VM called 'nobody' runs" "$command of no VM" $command nobody
	expect 6 "no VM called '../x' runs" "$command of a name that is none" $command ../x
	shows "^Usage: mini-vm $command .*NAME" "$command --help shows its usage" $command --help
done
expect 2 'one VM at a time' "stat of two" stat one two
expect 6 "no VM called 'two' runs" "stop of two VMs tries both" stop one two
expect 2 'is not a number of seconds' "a timeout that is none" stop --timeout soon x
expect 2 'is not a number of seconds' "a negative timeout" stop --timeout -1 x
expect 2 'is not a number of seconds' "a timeout that is too long" stop --timeout 86401 x
expect 2 'is not a number of seconds' "an empty timeout" stop --timeout '' x
shows '^NAME  *PID  *STATE ' "ps without VMs shows its head" ps
shows '^\[\]$' "ps --json without VMs is an empty array" ps --json
"$tool" ps --quiet >"$folder/out" 2>"$folder/err" && [ ! -s "$folder/out" ]
result $? "ps --quiet without VMs is nothing"
mkdir -m 777 "$folder/open"
MINI_VM_RUNTIME_DIR=$folder/open
expect 6 'others may write to' "a folder that others may write to" ps
[ "$(id -u)" -ne 0 ] || expect 4 "will not find this VM" "run says when it has no control socket" \
	run build/guests/hello.bin
MINI_VM_RUNTIME_DIR=$folder/run

expect 6 'there is no such image' "a missing image" run "$folder/none"
mkdir "$folder/dir"
expect 6 'is not a regular file' "a folder as image" run "$folder/dir"
: >"$folder/empty"
expect 6 'this image is empty' "an empty image" run "$folder/empty"
echo text >"$folder/text"
expect 6 'not a kernel' "a text file" run "$folder/text"
expect 6 'a position-independent program' "a program" run "$tool"
# the boot flag and the magic number at 0x1fe, all that tells a kernel
{ head -c 510 /dev/zero; printf '\125\252\353\152HdrS'; head -c 300 /dev/zero; } >"$folder/kernel"
expect 6 'there is no such initrd' "a missing initrd" run --initrd "$folder/none" "$folder/kernel"
expect 2 'only a Multiboot image takes --module' "--module without a Multiboot image" run --module "$folder/text" "$folder/kernel"
expect 2 'modules at most' "too many modules" run $(printf -- '--module m %.0s' $(seq 65)) image
expect 6 'there is no such module' "a missing module" run --module "$folder/none and a string" build/guests/multiboot.elf
expect 6 'there is no such module' "a missing module in a list" run --initrd "$folder/text,$folder/none" build/guests/multiboot.elf
expect 2 'not with both' "modules named in two ways" run --module "$folder/text" --initrd "$folder/text" build/guests/multiboot.elf
expect 2 'a module needs a file' "a module without a file" run --module ' ' build/guests/multiboot.elf
expect 6 'no Multiboot header' "no Multiboot image" run --type multiboot "$folder/text"
expect 6 'does not begin with' "no ELF file" run --type elf "$folder/text"
expect 2 'only a kernel takes --append' "--append without a kernel" run --append quiet build/guests/hello.bin
expect 2 'only a kernel takes --initrd' "--initrd without a kernel" run --initrd "$folder/text" build/guests/hello.bin
expect 6 'a boot sector has 512 bytes' "a boot sector of the wrong size" run --type bootsector "$folder/text"
head -c 700000 /dev/zero >"$folder/big.flat"
expect 6 'a flat binary may have' "a flat binary that is too big" run "$folder/big.flat"
huge=$(awk '/^MemTotal/ { printf "%d", $2 / 1024 / 1024 + 2 }' /proc/meminfo)
if [ "$huge" -lt 1000 ]; then
	expect 6 'use less with --memory' "more memory than the machine has" \
		run --memory "${huge}G" build/guests/hello.bin
fi

if [ -e /dev/mini-vm ]; then
	skip "no device" "this machine has one"
else
	expect 4 'the kernel module is not loaded' "no device" run build/guests/hello.bin
	"$tool" check >"$folder/out" 2>"$folder/err"
	status=$?
	[ $status -eq 4 ] && grep -q '^This machine cannot run VMs' "$folder/out"
	result $? "check says that it cannot (status $status)"
fi

"$tool" --help >/dev/full 2>"$folder/err"
status=$?
: >"$folder/out"
[ $status -eq 6 ] && grep -q 'cannot write to standard output' "$folder/err"
result $? "a full disk is noticed (status $status)"

finish
