# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Which emulator runs the lab VM and how it is called. Both boot the same disk
# and write the same result channel (the printer port) and console (COM1).

# The default Bochs CPU: VMX with EPT A/D, APIC virtualization, XSAVE and AVX.
BOCHS_CPU=broadwell_ult
# Instructions per virtual second; the kernel is told the TSC runs that fast.
BOCHS_IPS=200000000

# host_has_vmx: KVM is usable here and gives VMX to its guests.
host_has_vmx() {
	grep -qw vmx /proc/cpuinfo && [[ -r /dev/kvm && -w /dev/kvm ]] &&
		[[ $(cat /sys/module/kvm_intel/parameters/nested 2>/dev/null) == [Y1] ]]
}

# choose_emulator WISH WITH-MODULE: sets EMULATOR to bochs, qemu-kvm or qemu-tcg.
choose_emulator() {
	local wish=$1 with_module=$2
	case $wish in
	auto)
		EMULATOR=bochs
		if host_has_vmx; then EMULATOR=qemu-kvm; fi
		;;
	bochs) EMULATOR=bochs ;;
	qemu)
		EMULATOR=qemu-tcg
		if host_has_vmx; then
			EMULATOR=qemu-kvm
		elif [[ $with_module == yes ]]; then
			fail 'QEMU without KVM and nested VMX emulates no VMX: use Bochs, or --no-module'
		fi
		;;
	*) usage_error "--emulator is auto, bochs or qemu, not $wish" ;;
	esac
}

# emulator_packages: the groups of lab/packages that EMULATOR needs.
emulator_packages() {
	case $EMULATOR in
	bochs) printf 'run\n' ;;
	*) printf 'run\nqemu\n' ;;
	esac
}

# kernel_arguments KERNEL CPU: what the kernel must be told on EMULATOR.
kernel_arguments() {
	local kernel=$1 cpu=$2 hidden=()
	[[ $EMULATOR == bochs ]] || return 0
	printf ' tsc_early_khz=%d' $((BOCHS_IPS / 1000))
	# The CPUs of Bochs have more cores by CPUID leaf 4 than logical processors by
	# leaf 1, and from 6.9 on Linux warns of that if the CPU has hyper-threading.
	if is_release_kernel "$kernel"; then hidden+=(ht); fi
	case $cpu in
	# Of these models Bochs gives the size of the standard format, not of the
	# compacted one, in CPUID.0DH.1:EBX; the kernel then warns and does without XSAVE.
	corei7_skylake_x | corei3_cnl | corei7_icelake_u | tigerlake)
		printf ' noxsaves'
		hidden+=(xsavec)
		;;
	esac
	if ((${#hidden[@]})); then
		printf ' clearcpuid=%s' "$(IFS=, && echo "${hidden[*]}")"
	fi
}

# emulator_command FOLDER DISK CPU CPUS MEMORY INTERACTIVE LOG SECOND-DISK: sets
# EMULATOR_COMMAND; its files are in FOLDER. SECOND-DISK may be empty.
emulator_command() {
	local folder=$1 disk=$2 cpu=$3 cpus=$4 memory=$5 interactive=$6 log=$7 second=$8
	case $EMULATOR in
	bochs)
		write_bochs_configuration "$@" >"$folder/bochsrc"
		echo continue >"$folder/debugger"
		EMULATOR_COMMAND=(bochs -q -f "$folder/bochsrc" -rc "$folder/debugger")
		if [[ $interactive == yes ]]; then
			EMULATOR_COMMAND+=('com1: enabled=1, mode=term, dev={tty}')
		fi
		;;
	qemu-*)
		EMULATOR_COMMAND=(qemu-system-x86_64 -nodefaults -no-user-config -display none
			-no-reboot -machine pc -smp "$cpus" -m "$memory"
			-drive "file=$disk,format=raw,if=ide,index=0"
			-parallel "file:$folder/channel" -D "$log")
		if [[ -n $second ]]; then
			EMULATOR_COMMAND+=(-drive "file=$second,format=raw,if=ide,index=1")
		fi
		if [[ $EMULATOR == qemu-kvm ]]; then
			EMULATOR_COMMAND+=(-accel kvm -cpu "${cpu:-host}")
		else
			EMULATOR_COMMAND+=(-accel tcg -cpu "${cpu:-max}")
		fi
		if [[ $interactive == yes ]]; then
			EMULATOR_COMMAND+=(-serial '{tty}')
		else
			EMULATOR_COMMAND+=(-serial "file:$folder/console")
		fi
		;;
	esac
}

write_bochs_configuration() {
	local folder=$1 disk=$2 cpu=$3 cpus=$4 memory=$5 interactive=$6 log=$7 second=$8
	local report=report
	# Nobody reads it then, and a guest's odd accesses can fill a disk with it.
	[[ $log != /dev/null ]] || report=ignore
	cat <<-EOF
		config_interface: textconfig
		display_library: term
		memory: guest=$memory, host=$memory
		romimage: file=/usr/share/bochs/BIOS-bochs-latest
		vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
		cpu: model=${cpu:-$BOCHS_CPU}, count=$cpus, quantum=32, ips=$BOCHS_IPS, reset_on_triple_fault=0
		clock: sync=none
		boot: disk
		ata0-master: type=disk, path="$disk", mode=flat
		parport1: enabled=1, file="$folder/channel"
		log: $log
		panic: action=fatal
		error: action=$report
		info: action=$report
		debug: action=ignore
	EOF
	[[ -z $second ]] || printf 'ata0-slave: type=disk, path="%s", mode=flat\n' "$second"
	[[ $interactive == yes ]] || printf 'com1: enabled=1, mode=file, dev="%s"\n' "$folder/console"
}

# use_debugger FOLDER FILE: Bochs executes the debugger commands in FILE.
use_debugger() {
	cp "$2" "$1/debugger"
	echo 'magic_break: enabled=1' >>"$1/bochsrc"
}

# take_slot: waits until fewer lab VMs run on this host than it has cores. Who
# waits holds the queue's lock, so nobody overtakes.
take_slot() {
	local queue
	mkdir -p "$LAB_CACHE/slots"
	exec {queue}>"$LAB_CACHE/slots/queue"
	if ! flock -n "$queue"; then
		stage 'waiting for a free lab slot'
		flock "$queue"
	elif ! try_slots; then
		stage 'waiting for a free lab slot'
	fi
	until [[ -n $SLOT ]] || try_slots; do
		sleep 0.5
	done
	exec {queue}>&-
}

# try_slots: takes a free slot, if there is one, and keeps it open in SLOT.
SLOT=''
try_slots() {
	local number
	for ((number = 0; number < $(nproc); number++)); do
		exec {SLOT}>"$LAB_CACHE/slots/$number"
		if flock -n "$SLOT"; then return; fi
		exec {SLOT}>&-
	done
	SLOT=''
	return 1
}
