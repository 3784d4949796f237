// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_run.c - "mini-vm run": from the command line to the end of the guest.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cmd.h"
#include "control/server.h"
#include "machine.h"
#include "machine_control.h"
#include "name.h"
#include "report.h"
#include "sandbox.h"
#include "size.h"

#define DEFAULT_MEMORY	(256 * MIB)

enum option_key {
	KEY_INITRD = 'i',
	KEY_APPEND = 'a',
	KEY_MEMORY = 'm',
	KEY_CPUS = 'c',
	KEY_NAME = 'n',
	KEY_TYPE = 't',
	KEY_ON_RESET = 0x100,
	KEY_STATS,
	KEY_FW_CFG,
	KEY_DEBUGCON,
	KEY_MODULE,
	KEY_PIN,
	KEY_PV,
};

static const struct argp_option options[] = {
	{ "initrd", KEY_INITRD, "FILE", 0,
	  "initial RAM disk of a Linux kernel; modules of a Multiboot image, separated by commas", 0 },
	{ "append", KEY_APPEND, "STRING", 0,
	  "command line of a kernel", 0 },
	{ "module", KEY_MODULE, "FILE[ STRING]", 0,
	  "module of a Multiboot image and what it is told; can be repeated", 0 },
	{ "memory", KEY_MEMORY, "SIZE", 0,
	  "the guest's memory, with suffix M or G (default 256M)", 0 },
	{ "cpus", KEY_CPUS, "N", 0,
	  "how many CPUs the guest has (default 1)", 0 },
	{ "pin", KEY_PIN, "LIST", 0,
	  "the host's CPUs that the guest's run on, as in 0,2-3", 0 },
	{ "pv", KEY_PV, "INTERFACE", 0,
	  "the hypervisor that the guest finds beside mini-vm: kvm or none (default kvm)", 0 },
	{ "name", KEY_NAME, "NAME", 0,
	  "name of the VM (default: the image's)", 0 },
	{ "type", KEY_TYPE, "TYPE", 0,
	  "auto, bzimage, elf, multiboot, bootsector or flat (default auto)", 0 },
	{ "on-reset", KEY_ON_RESET, "ACTION", 0,
	  "when the guest resets: reboot (default) or exit", 0 },
	{ "fw-cfg", KEY_FW_CFG, "name=NAME,file=FILE|string=STRING", 0,
	  "give the guest a file by QEMU's fw_cfg interface", 0 },
	{ "debugcon", KEY_DEBUGCON, "FILE", 0,
	  "write what the guest writes to port 0xe9 to FILE (default: standard error)", 0 },
	{ "stats", KEY_STATS, NULL, 0,
	  "print counters on standard error at the end", 0 },
	{ NULL, 0, NULL, 0, NULL, 0 },
};

static error_t parse_memory(const char *text, struct machine_config *config,
			    struct argp_state *state)
{
	int error = size_parse(text, &config->memory);

	if (error == -EINVAL)
		argp_error(state, "--memory: '%s' is not a size; write for example 512M or 2G",
			   text);
	else if (error || config->memory > GUEST_MEM_MAX)
		argp_error(state, "--memory: %s is too much; a guest may have %lluG at most",
			   text, GUEST_MEM_MAX / GIB);
	else if (config->memory < GUEST_MEM_MIN)
		argp_error(state, "--memory: %s is too little; a guest needs %lluM at least",
			   text, GUEST_MEM_MIN / MIB);
	return 0;
}

static void parse_cpus(const char *text, struct machine_config *config,
		       struct argp_state *state)
{
	char *end;
	unsigned long cpus = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end)
		argp_error(state, "--cpus: '%s' is not a number", text);
	else if (!cpus)
		argp_error(state, "--cpus: a guest needs 1 CPU at least");
	else if (cpus > VM_VCPUS_MAX)
		argp_error(state, "--cpus: %s is too many; a guest may have %d CPUs at most",
			   text, VM_VCPUS_MAX);
	config->cpus = (unsigned int)cpus;
}

static void parse_pin(const char *text, struct machine_config *config,
		      struct argp_state *state)
{
	const char *wrong = pin_parse(text, &config->pin);

	if (wrong)
		argp_error(state, "--pin: '%s': %s", text, wrong);
}

static void parse_type(const char *text, struct machine_config *config,
		       struct argp_state *state)
{
	static const struct {
		const char *name;
		enum image_type type;
	} types[] = {
		{ "auto", IMAGE_AUTO },
		{ "bzimage", IMAGE_BZIMAGE },
		{ "elf", IMAGE_ELF },
		{ "multiboot", IMAGE_MULTIBOOT },
		{ "bootsector", IMAGE_BOOT_SECTOR },
		{ "flat", IMAGE_FLAT },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		if (!strcmp(text, types[i].name)) {
			config->files.type = types[i].type;
			return;
		}
	}
	argp_error(state, "--type: '%s' is not an image type; choose auto, bzimage, elf, multiboot, bootsector or flat",
		   text);
}

static void parse_fw_cfg(const char *text, struct machine_config *config,
			 struct argp_state *state)
{
	const char *wrong = fw_cfg_items_add(&config->fw_cfg, text);

	if (wrong)
		argp_error(state, "--fw-cfg: '%s': %s", text, wrong);
}

static error_t take_option(int key, char *argument, struct argp_state *state, void *context)
{
	struct machine_config *config = context;

	switch (key) {
	case KEY_INITRD:
		config->files.initrd_path = argument;
		break;
	case KEY_APPEND:
		config->files.command_line = argument;
		break;
	case KEY_MODULE:
		if (config->files.module_args == BOOT_MODULES_MAX)
			argp_error(state, "--module: a guest can have %d modules at most",
				   BOOT_MODULES_MAX);
		config->files.module_arg[config->files.module_args++] =
			argument;
		break;
	case KEY_MEMORY:
		return parse_memory(argument, config, state);
	case KEY_CPUS:
		parse_cpus(argument, config, state);
		break;
	case KEY_PIN:
		parse_pin(argument, config, state);
		break;
	case KEY_PV:
		if (strcmp(argument, "kvm") && strcmp(argument, "none"))
			argp_error(state, "--pv: '%s' is not an interface; choose kvm or none",
				   argument);
		config->kvm = !strcmp(argument, "kvm");
		break;
	case KEY_NAME:
		if (!name_valid(argument))
			argp_error(state, "--name: '%s' cannot be a name; use 1 to %d printable characters without '/' and spaces",
				   argument, NAME_MAX_LENGTH);
		config->name = argument;
		break;
	case KEY_TYPE:
		parse_type(argument, config, state);
		break;
	case KEY_ON_RESET:
		if (strcmp(argument, "reboot") && strcmp(argument, "exit"))
			argp_error(state, "--on-reset: '%s' is not an action; choose reboot or exit",
				   argument);
		config->reset_exits = !strcmp(argument, "exit");
		break;
	case KEY_FW_CFG:
		parse_fw_cfg(argument, config, state);
		break;
	case KEY_DEBUGCON:
		config->debugcon_path = argument;
		break;
	case KEY_STATS:
		config->stats = true;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct cmd_line line = {
	.options = options,
	.option = take_option,
	.args_doc = "IMAGE",
	.thing = "image",
	.hint = "name a kernel, a Multiboot image, a boot sector or a flat binary",
	.doc = "Boot IMAGE in a new virtual machine, its serial port on standard input and output.\v"
	       "In a terminal Ctrl-A x ends the guest and Ctrl-A h lists more keys.",
};

/* ------------------------------------------------------------------------
 * Signals
 */

static const int end_signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

struct signals {
	struct loop_source source;
	struct machine *machine;
};

static void stop_for_a_while(struct machine *machine)
{
	/* a guest that this thread runs stops, too, and so does its time */
	bool pause = machine->lends && !machine->pause.wanted;

	term_suspend(&machine->term);
	if (pause)
		machine_pause(machine);
	kill(getpid(), SIGSTOP);
	/* here again after SIGCONT */
	if (pause)
		machine_resume(machine);
	term_resume(&machine->term);
}

static void signal_ready(void *context, u32 events)
{
	struct signals *signals = context;
	struct signalfd_siginfo info;

	(void)events;
	if (read(signals->source.fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGTSTP)
		stop_for_a_while(signals->machine);
	else
		machine_stop(signals->machine, STATUS_KILLED);
}

/* From here on these signals are events of the loop. */
static int open_signals(struct signals *signals, struct machine *machine)
{
	sigset_t set;
	size_t i;
	int error;

	sigemptyset(&set);
	for (i = 0; i < ARRAY_SIZE(end_signals); i++)
		sigaddset(&set, end_signals[i]);
	sigaddset(&set, SIGTSTP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals->machine = machine;
	signals->source.ready = signal_ready;
	signals->source.context = signals;
	signals->source.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	error = signals->source.fd < 0 ? -errno :
		loop_add(&machine->board.loop, &signals->source, EPOLLIN);
	if (error) {
		report_error("cannot wait for signals: %s", strerror(-error));
		return STATUS_RESOURCE;
	}
	return STATUS_OK;
}

static int run(const struct machine_config *config, struct control *control)
{
	struct machine *machine = malloc(sizeof(*machine));
	struct signals signals;
	int status;

	if (!machine) {
		report_error("out of memory");
		return STATUS_RESOURCE;
	}
	status = machine_create(machine, config);
	machine->control = control;
	if (status == STATUS_OK)
		status = open_signals(&signals, machine);
	if (status == STATUS_OK)
		status = machine_open_control(machine);
	if (status == STATUS_OK && config->stats && stats_init())
		report_error("there is no /proc: --stats will not show memory");
	if (status == STATUS_OK)
		status = machine_open_terminal(machine);
	if (status == STATUS_OK)
		status = sandbox_enter();
	if (status == STATUS_OK)
		status = machine_run(machine);
	if (machine->term_open)
		term_close(&machine->term);
	machine->term_open = false;
	if (config->stats && machine->vm.vcpu_count)
		stats_report(machine);
	control_stop(control);
	machine_destroy(machine);
	free(machine);
	return status;
}

static int open_debugcon(struct machine_config *config)
{
	config->debugcon_fd = STDERR_FILENO;
	if (!config->debugcon_path)
		return STATUS_OK;
	config->debugcon_fd = open(config->debugcon_path,
				   O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
	if (config->debugcon_fd >= 0)
		return STATUS_OK;
	report_error("%s: cannot open it for the debug console: %s", config->debugcon_path,
		     strerror(errno));
	return STATUS_RESOURCE;
}

static void close_files(struct machine_config *config)
{
	if (config->debugcon_fd > STDERR_FILENO)
		close(config->debugcon_fd);
	fw_cfg_items_free(&config->fw_cfg);
	image_close(&config->files);
}

/*
 * Take the VM's name, make the VM and run it.  A name that was asked for is
 * given to one VM only; one made of the image's gets a number where it is taken.
 */
static int run_named(struct machine_config *config)
{
	char name[NAME_MAX_LENGTH + 1];
	struct control control;
	int error, status;

	name_from_path(config->files.image_path, name);
	error = control_open(&control, config->name ? config->name : name, config->name);
	if (error == -EADDRINUSE)
		return STATUS_RESOURCE;
	if (error)
		report_error("so 'mini-vm ps' and the like will not find this VM");
	config->name = control.socket.name;
	status = run(config, &control);
	control_close(&control, status);
	return status;
}

/**
 * cmd_run() - the run subcommand
 * @argc: arguments from "run" on
 * @argv: likewise
 *
 * Return: the exit status: the guest's or one of enum status.
 */
int cmd_run(int argc, char **argv)
{
	struct machine_config config = {
		.cpus = 1,
		.kvm = true,
		.memory = DEFAULT_MEMORY,
		.files.command_line = "",
	};
	char **image;
	int status;

	status = cmd_parse(&line, argc, argv, &config, &image);
	if (status != STATUS_OK) {
		fw_cfg_items_free(&config.fw_cfg);
		return status;
	}
	config.files.image_path = image[0];
	status = image_open(&config.files);
	if (status == STATUS_OK)
		status = fw_cfg_items_load(&config.fw_cfg);
	if (status == STATUS_OK)
		status = open_debugcon(&config);
	if (status == STATUS_OK)
		status = run_named(&config);
	close_files(&config);
	return status;
}
