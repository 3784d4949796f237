// SPDX-License-Identifier: GPL-2.0-only
/*
 * boot_kvm.c - a board of mini-vm's with a vCPU of KVM: what "mini-vm run" would be
 * on KVM, for comparison.
 *
 * KVM has the local APIC in the kernel, as the module has, and leaves the PIC, the
 * I/O APIC and the PIT to user space (KVM_CAP_SPLIT_IRQCHIP).  One thread is in
 * KVM_RUN and serves the devices, so that no exit is handed over.  Timers end KVM_RUN
 * by a signal: a second thread sleeps until the event loop has something.
 *
 * Left out: the end of level-triggered interrupts.  Linux does not have one before
 * its init on this board; one that is sent ends the run with an error.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../devices/pic.h"
#include "../lapic.h"
#include "../report.h"
#include "../vm.h"
#include "boot.h"
#include "kvm_vm.h"

/* The one that ends KVM_RUN. */
#define SIGNAL		SIGUSR1

/* A message's trigger mode (SDM 3A 11.11.2) */
#define MSI_LEVEL	BIT(15)

/* IA32_APIC_BASE after power-up, of the bootstrap processor (SDM 3A 11.4.4) */
#define APIC_BASE	(0xfee00000ULL | BIT(8) | BIT(11))

/* IA32_MISC_ENABLE (SDM 4, table 2-2) */
#define MSR_MISC_ENABLE		0x1a0
#define MISC_ENABLE_FAST_STRINGS BIT(0)

/**
 * struct boot_kvm - a machine with a vCPU of KVM
 * @board:	memory, devices, loop
 * @vm:		of KVM
 * @runner:	the thread that is in KVM_RUN and serves the devices
 * @watcher:	the thread that sleeps until the loop has something
 * @asked:	@watcher wants the loop turned
 * @turned:	it was
 * @end:	an eventfd: @watcher is to end
 * @stopped:	the run is over
 * @status:	exit status then
 */
struct boot_kvm {
	struct board board;
	struct kvm_vm vm;
	pthread_t runner;
	pthread_t watcher;
	bool asked;
	sem_t turned;
	int end;
	bool stopped;
	int status;
};

static struct boot_kvm *boot_of(struct device_env *env)
{
	return (struct boot_kvm *)((char *)env - offsetof(struct boot_kvm, board.env));
}

static void stop(struct boot_kvm *boot, int status)
{
	if (boot->stopped)
		return;
	boot->stopped = true;
	boot->status = status;
}

/* ------------------------------------------------------------------------
 * What devices may ask of the CPU's side
 */

static bool env_msi(struct device_env *env, u64 address, u32 data)
{
	struct boot_kvm *boot = boot_of(env);
	struct kvm_msi msi = {
		.address_lo = (u32)address,
		.address_hi = (u32)(address >> 32),
		.data = data,
	};
	int taken;

	if (data & MSI_LEVEL) {
		report_error("the guest has a level-triggered interrupt, whose end the benchmark does not bring to the I/O APIC on KVM");
		stop(boot, STATUS_RESOURCE);
		return false;
	}
	taken = ioctl(boot->vm.fd, KVM_SIGNAL_MSI, &msi);
	/* no local APIC matches: KVM says EPERM, and that is the guest's affair */
	if (taken < 0 && errno != EPERM)
		stop(boot, kvm_vm_refused("take an interrupt message"));
	return taken > 0;
}

/* offer_interrupt() looks at the PIC's output before each entry. */
static void env_intr(struct device_env *env, bool level)
{
	(void)env;
	(void)level;
}

static void env_request(struct device_env *env, enum device_request request, int status)
{
	stop(boot_of(env), request == REQUEST_EXIT ? status : STATUS_RESET);
}

static void env_post(struct device_env *env, u16 port)
{
	struct boot_kvm *boot = boot_of(env);
	int status = kvm_vm_post_writes(&boot->vm, port, 1);

	if (status != STATUS_OK)
		stop(boot, status);
}

static void env_serial_out(struct device_env *env, u8 byte)
{
	const struct machine_config *config = boot_of(env)->board.config;

	config->output(config->output_context, byte);
}

/* There is no input. */
static void env_serial_wants(struct device_env *env)
{
	(void)env;
}

static const struct device_env env_calls = {
	.intr = env_intr,
	.msi = env_msi,
	.request = env_request,
	.post = env_post,
	.serial_out = env_serial_out,
	.serial_wants = env_serial_wants,
};

/* ------------------------------------------------------------------------
 * Exits
 */

/* Strings come as arrays. */
static void serve_io(struct board *board, struct kvm_run *run)
{
	u8 *data = (u8 *)run + run->io.data_offset;
	u32 i, value;

	for (i = 0; i < run->io.count; i++, data += run->io.size) {
		value = 0;
		if (run->io.direction == KVM_EXIT_IO_IN) {
			value = (u32)bus_read(&board->ports, run->io.port, run->io.size);
			memcpy(data, &value, run->io.size);
		} else {
			memcpy(&value, data, run->io.size);
			bus_write(&board->ports, run->io.port, run->io.size, value);
		}
	}
}

static bool serve_mmio(struct board *board, struct kvm_run *run)
{
	u32 bytes = run->mmio.len;
	u64 value = 0;

	if (bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8)
		return false;
	if (run->mmio.is_write) {
		memcpy(&value, run->mmio.data, bytes);
		bus_write(&board->mmio_bus, run->mmio.phys_addr, bytes, value);
	} else {
		value = bus_read(&board->mmio_bus, run->mmio.phys_addr, bytes);
		memcpy(run->mmio.data, &value, bytes);
	}
	return true;
}

/**
 * boot_kvm_serve() - serve an exit of KVM
 * @board: the devices
 * @run: the exit; takes the answer
 *
 * Return: false for one that the board cannot answer.
 */
bool boot_kvm_serve(struct board *board, struct kvm_run *run)
{
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		serve_io(board, run);
		return true;
	case KVM_EXIT_MMIO:
		return serve_mmio(board, run);
	case KVM_EXIT_IRQ_WINDOW_OPEN:
	case KVM_EXIT_INTR:
		return true;
	default:
		return false;
	}
}

static void take_one(void *context, const struct kvm_coalesced_mmio *write)
{
	struct board *board = context;
	u32 value = 0;

	memcpy(&value, write->data, write->len < sizeof(value) ? write->len : sizeof(value));
	bus_write(&board->ports, write->phys_addr, write->len, value);
}

static void take_posted(struct boot_kvm *boot)
{
	struct kvm_coalesced_mmio_ring *ring = boot->vm.ring;

	if (ring && ring->first != __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE))
		kvm_vm_take_posted(ring, take_one, &boot->board);
}

static void unexpected(struct boot_kvm *boot)
{
	const struct kvm_run *run = boot->vm.runs[0];
	struct kvm_regs regs = { .rip = 0 };

	if (run->exit_reason == KVM_EXIT_SHUTDOWN) {
		report_error("the guest's CPU shut down (triple fault) on KVM");
		stop(boot, STATUS_TRIPLE_FAULT);
		return;
	}
	ioctl(boot->vm.vcpus[0], KVM_GET_REGS, &regs);
	report_error("the guest did what cannot be served on KVM: exit %u, RIP 0x%llx",
		     run->exit_reason, (unsigned long long)regs.rip);
	stop(boot, STATUS_RESOURCE);
}

/*
 * The PIC's interrupt: give it to KVM if the guest can take it at once, and else ask
 * for an exit when it can.
 */
static void offer_interrupt(struct boot_kvm *boot)
{
	struct pic *pic = boot->board.env.pic;
	struct kvm_run *run = boot->vm.runs[0];
	struct kvm_interrupt interrupt;

	if (pic_output(pic) && run->ready_for_interrupt_injection) {
		interrupt.irq = pic_acknowledge(pic);
		if (ioctl(boot->vm.vcpus[0], KVM_INTERRUPT, &interrupt))
			stop(boot, kvm_vm_refused("take an interrupt of the PIC"));
	}
	run->request_interrupt_window = pic_output(pic);
}

/* ------------------------------------------------------------------------
 * The two threads
 *
 * The watcher asks, and then sees to it that KVM_RUN ends: by the signal if the
 * runner is in there, by immediate_exit if it is about to go in.  The runner takes
 * immediate_exit back before it looks who asked, so that nobody who asks later is
 * forgotten.
 */

static void *watch(void *context)
{
	struct boot_kvm *boot = context;
	struct pollfd wakes[] = {
		{ .fd = boot->board.loop.epoll, .events = POLLIN },
		{ .fd = boot->end, .events = POLLIN },
	};

	for (;;) {
		if (poll(wakes, ARRAY_SIZE(wakes), -1) < 1)
			continue;
		if (wakes[1].revents)
			return NULL;
		__atomic_store_n(&boot->asked, true, __ATOMIC_SEQ_CST);
		__atomic_store_n(&boot->vm.runs[0]->immediate_exit, 1, __ATOMIC_SEQ_CST);
		pthread_kill(boot->runner, SIGNAL);
		while (sem_wait(&boot->turned))
			;
	}
}

static void turn_loop(struct boot_kvm *boot)
{
	int error;

	__atomic_store_n(&boot->vm.runs[0]->immediate_exit, 0, __ATOMIC_SEQ_CST);
	if (!__atomic_exchange_n(&boot->asked, false, __ATOMIC_SEQ_CST))
		return;
	error = loop_wait(&boot->board.loop, 0);
	if (error < 0) {
		report_error("the event loop failed: %s", strerror(-error));
		stop(boot, STATUS_RESOURCE);
	}
	sem_post(&boot->turned);
}

static void run_guest(struct boot_kvm *boot)
{
	while (!boot->stopped) {
		bool ended;

		offer_interrupt(boot);
		ended = !ioctl(boot->vm.vcpus[0], KVM_RUN, 0UL);
		if (!ended && errno != EINTR) {
			stop(boot, kvm_vm_refused("run the guest"));
			break;
		}
		/* what came before the exit is served before it */
		take_posted(boot);
		if (!ended)
			turn_loop(boot);
		else if (!boot_kvm_serve(&boot->board, boot->vm.runs[0]))
			unexpected(boot);
	}
}

static void nothing(int number)
{
	(void)number;
}

static int start_watcher(struct boot_kvm *boot)
{
	int error;

	boot->runner = pthread_self();
	sem_init(&boot->turned, 0, 0);
	boot->end = eventfd(0, EFD_CLOEXEC);
	error = boot->end < 0 ? errno : pthread_create(&boot->watcher, NULL, watch, boot);
	if (!error)
		return STATUS_OK;
	report_error("there is no thread for the benchmark: %s", strerror(error));
	if (boot->end >= 0)
		close(boot->end);
	return STATUS_RESOURCE;
}

static void end_watcher(struct boot_kvm *boot)
{
	/* whatever it waits for */
	eventfd_write(boot->end, 1);
	sem_post(&boot->turned);
	pthread_join(boot->watcher, NULL);
	close(boot->end);
}

/* With the watcher beside it. */
static int run_watched(struct boot_kvm *boot, u64 *ticks)
{
	const struct sigaction interrupt = { .sa_handler = nothing };
	struct sigaction before;
	int status;

	sigaction(SIGNAL, &interrupt, &before);
	status = start_watcher(boot);
	if (status == STATUS_OK) {
		*ticks = bench_ticks();
		run_guest(boot);
		*ticks = bench_ticks() - *ticks;
		end_watcher(boot);
		status = boot->status;
	}
	sigaction(SIGNAL, &before, NULL);
	sem_destroy(&boot->turned);
	return status;
}

/* ------------------------------------------------------------------------
 * The machine
 */

/* As vm_set_virtual_wire(). */
static int set_virtual_wire(const struct kvm_vm *vm)
{
	struct kvm_lapic_state lapic;
	static const u32 svr = WIRE_SVR, lint0 = WIRE_LVT_LINT0, lint1 = WIRE_LVT_LINT1;

	if (ioctl(vm->vcpus[0], KVM_GET_LAPIC, &lapic))
		return kvm_vm_refused("read its local APIC");
	memcpy(lapic.regs + LAPIC_SVR, &svr, sizeof(svr));
	memcpy(lapic.regs + LAPIC_LVT_LINT0, &lint0, sizeof(lint0));
	memcpy(lapic.regs + LAPIC_LVT_LINT1, &lint1, sizeof(lint1));
	return ioctl(vm->vcpus[0], KVM_SET_LAPIC, &lapic) ? kvm_vm_refused("set its local APIC") :
							STATUS_OK;
}

static int set_registers(const struct kvm_vm *vm, const struct boot_state *state)
{
	struct mvm_sregs sregs = {
		.ldt.access = MVM_SEGMENT_UNUSABLE,
		.apic_base = APIC_BASE,
	};
	u64 gpr[MVM_NR_GPRS], rip, rflags;

	boot_registers(state, &sregs, gpr, &rip, &rflags);
	return kvm_vm_set_registers(vm, 0, &sregs, gpr, rip, rflags);
}

/*
 * KVM leaves it to user space that strings are fast, as CPUs and mini-vm have them
 * after a reset; a guest that finds them slow takes other code.
 */
static int allow_fast_strings(const struct kvm_vm *vm)
{
	struct kvm_msrs *msrs = calloc(1, sizeof(*msrs) + sizeof(msrs->entries[0]));
	bool done;

	if (!msrs) {
		report_error("there is no memory for the benchmark");
		return STATUS_RESOURCE;
	}
	msrs->nmsrs = 1;
	msrs->entries[0].index = MSR_MISC_ENABLE;
	done = ioctl(vm->vcpus[0], KVM_GET_MSRS, msrs) == 1;
	msrs->entries[0].data |= MISC_ENABLE_FAST_STRINGS;
	done = done && ioctl(vm->vcpus[0], KVM_SET_MSRS, msrs) == 1;
	free(msrs);
	return done ? STATUS_OK : kvm_vm_refused("allow the guest fast strings");
}

/* The CPUID that the guest has on mini-vm. */
static int create_vm(struct boot_kvm *boot)
{
	struct mvm_cpuid_entry entries[MVM_CPUID_MAX];
	u32 count;
	int status = bench_mini_vm_cpuid(entries, &count);

	if (status == STATUS_OK && boot->board.config->kvm && vm_add_kvm_leaves(entries, &count)) {
		report_error("KVM's CPUID leaves find no room");
		status = STATUS_RESOURCE;
	}
	if (status == STATUS_OK)
		status = kvm_vm_create(&boot->vm, KVM_VM_IRQCHIP_LAPIC, &boot->board.mem);
	return status == STATUS_OK ? kvm_vm_add_vcpu(&boot->vm, 0, entries, count) : status;
}

static int power_on(struct boot_kvm *boot, const struct boot_state *state)
{
	int status = create_vm(boot);

	if (status == STATUS_OK)
		status = set_registers(&boot->vm, state);
	if (status == STATUS_OK)
		status = set_virtual_wire(&boot->vm);
	if (status == STATUS_OK)
		status = allow_fast_strings(&boot->vm);
	if (status == STATUS_OK)
		status = board_add_devices(&boot->board, &env_calls);
	return status == STATUS_OK && boot->stopped ? boot->status : status;
}

/**
 * boot_on_kvm() - boot a kernel on KVM
 * @config: the machine, with one CPU
 * @ticks: out: how long it took, when it ended as it should
 *
 * Return: the exit status of the run, as machine_run() gives it.
 */
int boot_on_kvm(const struct machine_config *config, u64 *ticks)
{
	struct boot_kvm boot = { .stopped = false };
	struct boot_state state;
	struct loop_timer limit;
	int status;

	kvm_vm_init(&boot.vm);
	status = board_create(&boot.board, config, &state);
	if (status == STATUS_OK)
		status = power_on(&boot, &state);
	if (status == STATUS_OK)
		status = boot_limit(&limit, &boot.board);
	if (status == STATUS_OK) {
		status = run_watched(&boot, ticks);
		loop_timer_close(&limit);
	}
	board_remove_devices(&boot.board);
	kvm_vm_destroy(&boot.vm);
	board_destroy(&boot.board);
	return status;
}
