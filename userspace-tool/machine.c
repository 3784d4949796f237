// SPDX-License-Identifier: GPL-2.0-only
/*
 * machine.c - puts vCPUs of the module on a board, turns the event loop, resets
 * the machine and takes it apart.
 *
 * A reset is a new beginning: the VM of the module, the devices and the
 * guest's memory are made anew and the image is loaded again.  Only the memory
 * mapping, the terminal and the open files stay.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "devices/serial.h"
#include "machine.h"
#include "report.h"

static struct machine *machine_of(struct device_env *env)
{
	return (struct machine *)((char *)env - offsetof(struct machine, board.env));
}

/* ------------------------------------------------------------------------
 * What devices may ask of the CPUs' side
 */

/* A message that the guest made up and that no APIC takes is no fault of ours. */
static bool env_msi(struct device_env *env, u64 address, u32 data)
{
	struct machine *machine = machine_of(env);
	int error = vm_signal_msi(&machine->vm, address, data);

	if (error && error != -ENOENT && error != -EINVAL) {
		report_error("the kernel module refused a message: %s", strerror(-error));
		machine_stop(machine, STATUS_RESOURCE);
	}
	return !error;
}

static void env_intr(struct device_env *env, bool level)
{
	struct machine *machine = machine_of(env);
	/* the PIC is wired to the bootstrap processor */
	int error = vm_set_intr(machine->vcpus[0].vcpu, level);

	if (error) {
		report_error("the kernel module refused an interrupt: %s",
			     strerror(-error));
		machine_stop(machine, STATUS_RESOURCE);
	}
}

static void env_request(struct device_env *env, enum device_request request,
			int status)
{
	struct machine *machine = machine_of(env);

	if (request == REQUEST_EXIT)
		machine_stop(machine, status);
	else
		machine->reset_wanted = true;
}

/* Where that fails each write is an exit: slower, nothing else. */
static void env_post(struct device_env *env, u16 port)
{
	vm_post_writes(&machine_of(env)->vm, port);
}

static void env_serial_out(struct device_env *env, u8 byte)
{
	struct machine *machine = machine_of(env);

	if (machine->config->output)
		machine->config->output(machine->config->output_context, byte);
	else
		term_put(&machine->term, byte);
}

static void env_serial_wants(struct device_env *env)
{
	/* machine_run() pumps the terminal at each turn of the loop */
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
 * The terminal
 */

static size_t term_room(void *context)
{
	struct machine *machine = context;

	/* an interrupt in a pause would be forgotten at its end */
	if (machine->pause.complete || !machine->board.env.serial)
		return 0;
	return serial_room(machine->board.env.serial);
}

static void term_receive(void *context, const u8 *bytes, size_t count)
{
	struct machine *machine = context;

	serial_receive(machine->board.env.serial, bytes, count);
}

static void term_send_break(void *context)
{
	struct machine *machine = context;

	/* not in a pause: see term_room() */
	if (machine->board.env.serial && !machine->pause.complete)
		serial_break(machine->board.env.serial);
}

static void term_quit(void *context)
{
	machine_stop(context, STATUS_KILLED);
}

static void term_failed(void *context, int error)
{
	if (error == EPIPE)
		report_error("nobody reads standard output any more; the guest was ended");
	else
		report_error("cannot write the guest's output: %s; the guest was ended",
			     strerror(error));
	machine_stop(context, STATUS_RESOURCE);
}

/* ------------------------------------------------------------------------
 * The machine
 */

/**
 * machine_stop() - end the run after the present event
 * @machine: the machine
 * @status: exit status; the first one given stays
 */
void machine_stop(struct machine *machine, int status)
{
	if (machine->stopped)
		return;
	machine->stopped = true;
	machine->status = status;
}

static void vcpu_ready(void *context, u32 events)
{
	struct machine_vcpu *vcpu = context;
	struct machine *machine = vcpu->machine;

	/* another vCPU may just have ended it all */
	if (machine->stopped || machine->reset_wanted)
		return;
	if (events & ~(u32)EPOLLPRI) {
		vcpu_serve_exit(vcpu);
		return;
	}
	if (!term_full(&machine->term))
		vcpu_take_posted(machine);
	machine_watch_vcpu(vcpu, true);
}

/**
 * machine_watch_vcpu() - let the loop wait for exits, or not
 * @vcpu: the vCPU
 * @watch: whether it should
 *
 * The first one stands for all in that the loop waits for posted writes, too, while
 * the terminal takes what they bring.  Else they stay in the ring, and when that is
 * full the next one is an exit.  A vCPU that this thread runs it does not wait for.
 */
void machine_watch_vcpu(struct machine_vcpu *vcpu, bool watch)
{
	struct machine *machine = vcpu->machine;
	u32 events = watch && !machine->lends ? EPOLLIN : 0;
	int error = 0;

	if (events && !vcpu->id && !term_full(&machine->term))
		events |= EPOLLPRI;
	if (events == vcpu->events)
		return;
	if (vcpu->events)
		loop_remove(&machine->board.loop, &vcpu->source);
	if (events)
		error = loop_add(&machine->board.loop, &vcpu->source, events);
	if (error) {
		report_error("cannot wait for a vCPU: %s", strerror(-error));
		machine_stop(machine, STATUS_RESOURCE);
		return;
	}
	vcpu->events = events;
}

/* The bootstrap processor begins with what was loaded. */
static int prepare_first(const struct vcpu *vcpu, const struct boot_state *state)
{
	struct mvm_run *run = vcpu->run;
	struct mvm_sregs sregs;
	int error;

	error = vm_get_sregs(vcpu, &sregs);
	if (!error) {
		boot_registers(state, &sregs, run->gpr, &run->rip,
			       &run->rflags);
		error = vm_set_sregs(vcpu, &sregs);
	}
	return error ? error : vm_set_virtual_wire(vcpu);
}

/* Let them wait where they will begin. */
static int prepare_vcpus(struct machine *machine, const struct boot_state *state)
{
	struct machine_vcpu *vcpu;
	int error = 0;

	machine_for_each_vcpu(machine, vcpu) {
		struct mvm_run *run = vcpu->vcpu->run;

		error = vcpu->id ? vm_wait_for_sipi(vcpu->vcpu) :
				   prepare_first(vcpu->vcpu, state);
		if (error) {
			report_error("the kernel module refused the guest's first registers: %s",
				     strerror(-error));
			return STATUS_RESOURCE;
		}
		/* there is no exit to complete: begin at rip */
		run->next_rip = run->rip;
		run->action = MVM_ACTION_RETRY;
		/* the pause, if a reset came before it */
		vcpu->held = machine->pause.wanted;
		machine_watch_vcpu(vcpu, !vcpu->held);
	}
	return machine->stopped ? machine->status : STATUS_OK;
}

static int start_vcpus(struct machine *machine)
{
	struct machine_vcpu *vcpu;

	if (machine->pause.wanted) {
		machine_paused(machine);
		return STATUS_OK;
	}
	if (machine->lends)
		return STATUS_OK;
	machine_for_each_vcpu(machine, vcpu) {
		int error = vm_start(vcpu->vcpu);

		if (error) {
			report_error("the kernel module refused to run the guest: %s",
				     strerror(-error));
			return STATUS_RESOURCE;
		}
	}
	return STATUS_OK;
}

/* Each on its CPU: see pin.c. */
static int add_vcpus(struct machine *machine)
{
	const struct pin_list *pin = &machine->config->pin;
	int status = STATUS_OK, error = 0;
	unsigned int id;

	for (id = 0; id < machine->config->cpus && status == STATUS_OK; id++) {
		struct machine_vcpu *vcpu = &machine->vcpus[id];

		error = pin->count ? pin_set(pin, id) : 0;
		if (error) {
			report_error("cannot run vCPU %u on CPU %u: %s; choose others with --pin",
				     id, pin->cpus[id % pin->count], strerror(-error));
			status = STATUS_RESOURCE;
			break;
		}
		status = vm_add_vcpu(&machine->vm);
		if (status == STATUS_OK && machine->config->kvm)
			error = vm_offer_kvm(&machine->vm.vcpus[id]);
		if (error) {
			report_error("the kernel module refused KVM's CPUID leaves: %s; use --pv none",
				     strerror(-error));
			status = STATUS_RESOURCE;
		}
		*vcpu = (struct machine_vcpu) {
			.machine = machine,
			.id = id,
			.vcpu = &machine->vm.vcpus[id],
			.source = {
				.fd = machine->vm.vcpus[id].fd,
				.ready = vcpu_ready,
				.context = vcpu,
			},
		};
	}
	error = pin->count ? pin_restore(&machine->affinity) : 0;
	if (error && status == STATUS_OK) {
		report_error("cannot go back to the CPUs of before: %s", strerror(-error));
		status = STATUS_RESOURCE;
	}
	return status;
}

/* Make VM, vCPUs and devices. */
static int power_on(struct machine *machine, const struct boot_state *state)
{
	int status;

	status = vm_create(&machine->vm, machine->config->name, &machine->board.mem);
	if (status != STATUS_OK)
		return status;
	if (machine->board.mem.high &&
	    machine->vm.info.max_gpa < GPA_4G + machine->board.mem.high) {
		report_error("this machine's CPU cannot give a guest so much memory; use less with --memory");
		return STATUS_RESOURCE;
	}
	status = add_vcpus(machine);
	if (status == STATUS_OK)
		status = board_add_devices(&machine->board, &env_calls);
	return status == STATUS_OK ? prepare_vcpus(machine, state) : status;
}

static void power_off(struct machine *machine)
{
	struct machine_vcpu *vcpu;

	machine_for_each_vcpu(machine, vcpu)
		machine_watch_vcpu(vcpu, false);
	board_remove_devices(&machine->board);
	vm_destroy(&machine->vm);
}

/* The same again: memory, VM and devices are new. */
static void begin_anew(struct machine *machine)
{
	struct boot_state state;
	int status;

	power_off(machine);
	if (guest_mem_clear(&machine->board.mem)) {
		report_error("cannot clear the guest's memory for its reset: %s",
			     strerror(errno));
		machine_stop(machine, STATUS_RESOURCE);
		return;
	}
	machine->resets++;
	status = board_load(&machine->board, &state);
	if (status == STATUS_OK)
		status = power_on(machine, &state);
	if (status == STATUS_OK)
		status = start_vcpus(machine);
	if (status != STATUS_OK)
		machine_stop(machine, status);
}

static void reset(struct machine *machine)
{
	machine->reset_wanted = false;
	if (machine->config->reset_exits) {
		machine_stop(machine, STATUS_RESET);
		return;
	}
	if (machine->watched)
		watcher_hold(&machine->watcher);
	machine->lends = machine->watched;
	/* it may just have kicked the vCPU that goes */
	machine->loop_empty = false;
	begin_anew(machine);
	if (machine->watched)
		watcher_release(&machine->watcher, machine->vm.vcpu_count ?
						   machine->vm.vcpus : NULL);
}

static int check_vcpus(struct machine *machine)
{
	const struct machine_config *config = machine->config;
	int error;

	if (config->cpus > machine->vm.info.max_vcpus) {
		report_error("the kernel module gives a guest %u vCPUs at most; use fewer with --cpus",
			     machine->vm.info.max_vcpus);
		return STATUS_RESOURCE;
	}
	error = config->pin.count ? pin_save(&machine->affinity) : 0;
	if (error) {
		report_error("cannot find out on which CPUs this process may run: %s",
			     strerror(-error));
		return STATUS_RESOURCE;
	}
	return STATUS_OK;
}

static int start_watcher(struct machine *machine)
{
	int error = watcher_start(&machine->watcher, &machine->board.loop, machine->vm.vcpus);

	if (error) {
		report_error("cannot make a thread: %s", strerror(-error));
		return STATUS_RESOURCE;
	}
	machine->watched = true;
	return STATUS_OK;
}

static void end_watcher(struct machine *machine)
{
	if (machine->watched)
		watcher_end(&machine->watcher);
	machine->watched = false;
	machine->lends = false;
}

/**
 * machine_create() - make a machine that is ready to run
 * @machine: to initialise
 * @config: what the user asked for, its files open; must stay valid
 *
 * Return: STATUS_OK, or another status after a report; machine_destroy() is due
 * in either case.
 */
int machine_create(struct machine *machine,
		   const struct machine_config *config)
{
	struct boot_state state;
	int status;

	memset(machine, 0, sizeof(*machine));
	machine->config = config;
	machine->vm.device = -1;
	machine->vm.fd = -1;
	machine->started = loop_now();
	/*
	 * With one vCPU this thread enters the guest itself, which saves two switches of
	 * threads at each exit.  With --pin the vCPU's does: it is where it should be.
	 */
	machine->lends = config->cpus == 1 && !config->pin.count;
	/* what is wrong with the image can be said without the module */
	status = board_create(&machine->board, config, &state);
	if (status == STATUS_OK)
		status = vm_open_device(&machine->vm);
	if (status == STATUS_OK)
		status = check_vcpus(machine);
	if (status == STATUS_OK)
		status = power_on(machine, &state);
	if (status == STATUS_OK && machine->lends)
		status = start_watcher(machine);
	machine->lends = machine->watched;
	return status;
}

static const struct term_ops *term_ops_of(struct machine *machine)
{
	static struct term_ops ops = {
		.room = term_room,
		.receive = term_receive,
		.send_break = term_send_break,
		.quit = term_quit,
		.failed = term_failed,
	};

	ops.context = machine;
	return &ops;
}

/**
 * machine_open_terminal() - connect the serial port to standard input and output
 * @machine: the machine
 *
 * Return: STATUS_OK, or STATUS_RESOURCE after a report.
 */
int machine_open_terminal(struct machine *machine)
{
	int error = term_open(&machine->term, &machine->board.loop,
			      term_ops_of(machine));

	if (error) {
		report_error("cannot use the terminal: %s", strerror(-error));
		return STATUS_RESOURCE;
	}
	machine->term_open = true;
	return STATUS_OK;
}

/* Is the vCPU ready to run in this thread, and nothing else to do? */
static bool may_enter(struct machine *machine)
{
	struct mvm_run *run;

	if (!machine->lends || machine->vcpus->held)
		return false;
	run = machine->vcpus->vcpu->run;
	/* the watcher's kick; what it came for is in the loop, and is looked for behind this */
	if (__atomic_load_n(&run->immediate_exit, __ATOMIC_RELAXED)) {
		__atomic_exchange_n(&run->immediate_exit, 0, __ATOMIC_SEQ_CST);
		machine->loop_empty = false;
	}
	return machine->loop_empty;
}

/* Turns of the loop that a guest without exits of its own has to wait for. */
#define MANY_TURNS	16

/*
 * The loop has so much to do that the guest hardly runs in between: its own thread
 * shall, until its next exit.
 */
static void stop_lending(struct machine *machine)
{
	watcher_hold(&machine->watcher);
	watcher_release(&machine->watcher, NULL);
	machine->lends = false;
	vcpu_resume(machine->vcpus);
}

/**
 * machine_lend() - a machine that can lend this thread does so again
 * @machine: its vCPU, if it has but one, has stopped
 */
void machine_lend(struct machine *machine)
{
	machine->turns = 0;
	if (!machine->watched || machine->lends)
		return;
	machine->lends = true;
	machine->loop_empty = false;
	watcher_hold(&machine->watcher);
	watcher_release(&machine->watcher, machine->vcpus->vcpu);
}

/* Serve what is there; wait for it, unless this thread has a vCPU to run. */
static void turn_loop(struct machine *machine)
{
	bool wait = !machine->lends || machine->vcpus->held;
	int count = loop_wait(&machine->board.loop, wait ? -1 : 0);

	if (count < 0) {
		report_error("the event loop failed: %s", strerror(-count));
		machine_stop(machine, STATUS_RESOURCE);
	}
	machine->loop_empty = !count;
	if (!wait && ++machine->turns >= MANY_TURNS && !machine->vcpus->held &&
	    !machine->stopped && !machine->reset_wanted)
		stop_lending(machine);
}

/**
 * machine_run() - let the guest begin, and turn the event loop until the run is over
 * @machine: made by machine_create(), its terminal open unless its output goes
 *	     elsewhere
 *
 * Return: the exit status.
 */
int machine_run(struct machine *machine)
{
	struct machine_vcpu *vcpu;
	int status = start_vcpus(machine);

	if (status != STATUS_OK)
		machine_stop(machine, status);
	while (!machine->stopped) {
		if (may_enter(machine))
			vcpu_enter(machine->vcpus);
		else
			turn_loop(machine);
		if (machine->reset_wanted && !machine->stopped)
			reset(machine);
		if (machine->term_open)
			term_pump(&machine->term);
		/* what waited for the reader of the output: posted writes, a vCPU */
		machine_for_each_vcpu(machine, vcpu) {
			if (vcpu->events)
				machine_watch_vcpu(vcpu, true);
			if (vcpu->held && !machine->pause.wanted && !machine->stopped)
				vcpu_resume(vcpu);
		}
	}
	/* who ends the run at any moment loses no output */
	if (machine->vm.vcpu_count)
		vcpu_take_posted(machine);
	return machine->status;
}

/**
 * machine_destroy() - give everything back
 * @machine: as machine_create() left it
 */
void machine_destroy(struct machine *machine)
{
	end_watcher(machine);
	if (machine->term_open)
		term_close(&machine->term);
	machine->term_open = false;
	power_off(machine);
	vm_close_device(&machine->vm);
	board_destroy(&machine->board);
}
