// SPDX-License-Identifier: GPL-2.0-only
/*
 * board.c - puts together what a machine has beside its CPUs, and takes it apart.
 */
#include <errno.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <time.h>

#include "acpi/tables.h"
#include "board.h"
#include "devices/ioapic.h"
#include "devices/pic.h"
#include "report.h"

static struct board *board_of(struct device_env *env)
{
	return (struct board *)((char *)env - offsetof(struct board, env));
}

/* ------------------------------------------------------------------------
 * What devices may ask, whatever the CPUs are
 */

static u64 env_now(struct device_env *env)
{
	return machine_clock_now(&board_of(env)->clock);
}

static u64 env_wall(struct device_env *env)
{
	struct timespec now;

	(void)env;
	clock_gettime(CLOCK_REALTIME, &now);
	return (u64)now.tv_sec * NSEC_PER_SEC + (u64)now.tv_nsec;
}

static void env_irq(struct device_env *env, unsigned int line, bool level)
{
	pic_set_irq(env->pic, line, level);
	ioapic_set_irq(env->ioapic, line == IRQ_TIMER ? IOAPIC_TIMER_PIN : line, level);
}

static struct device_timer *env_timer_new(struct device_env *env,
					  void (*fire)(void *opaque),
					  void *opaque)
{
	struct board *board = board_of(env);

	return machine_timer_new(&board->clock, &board->loop, fire, opaque);
}

/**
 * board_add_devices() - make all devices
 * @board: has memory and none yet
 * @calls: what the CPUs' side answers to them: @intr, @msi, @request, @post,
 *	   @serial_out and @serial_wants
 *
 * Return: STATUS_OK, or STATUS_RESOURCE after a report; board_remove_devices() is
 * due in either case.
 */
int board_add_devices(struct board *board, const struct device_env *calls)
{
	struct device_env *env = &board->env;
	unsigned int i;

	bus_init(&board->ports, "port", 0x10000);
	bus_init(&board->mmio_bus, "MMIO", 0);
	*env = *calls;
	env->ports = &board->ports;
	env->mmio = &board->mmio_bus;
	env->ram_low = board->mem.low;
	env->ram_high = board->mem.high;
	env->mem = &board->mem;
	env->cpus = board->config->cpus;
	env->fw_cfg = &board->config->fw_cfg;
	env->debugcon_fd = board->config->debugcon_fd;
	env->now = env_now;
	env->wall = env_wall;
	env->irq = env_irq;
	env->timer_new = env_timer_new;
	env->timer_set = machine_timer_set;
	env->timer_free = machine_timer_free;
	for (i = 0; i < device_type_count; i++) {
		struct device *device = &board->devices[i];
		int error;

		device->type = device_types[i];
		error = i < BOARD_MAX_DEVICES ? device->type->create(device, env) : -ENOSPC;
		if (error) {
			report_error("cannot make the device %s: %s",
				     device_types[i]->name, strerror(-error));
			return STATUS_RESOURCE;
		}
		board->device_count++;
	}
	return STATUS_OK;
}

/**
 * board_remove_devices() - undo board_add_devices()
 * @board: with or without devices
 */
void board_remove_devices(struct board *board)
{
	while (board->device_count) {
		struct device *device = &board->devices[--board->device_count];

		device->type->destroy(device);
	}
	board->env.pic = NULL;
	board->env.ioapic = NULL;
	board->env.power_button = NULL;
	board->env.serial = NULL;
}

static int check_memory(u64 bytes)
{
	struct sysinfo host;
	u64 total;

	if (sysinfo(&host))
		return STATUS_OK;
	total = (u64)host.totalram * host.mem_unit;
	if (bytes <= total)
		return STATUS_OK;
	report_error("the guest wants %llu MiB of memory and this machine has %llu MiB; use less with --memory",
		     (unsigned long long)(bytes / MIB),
		     (unsigned long long)(total / MIB));
	return STATUS_RESOURCE;
}

/**
 * board_load() - put the ACPI tables and the image into memory
 * @board: its memory is clear
 * @state: out: how the first CPU starts
 *
 * Return: STATUS_OK, or another status after a report.
 */
int board_load(struct board *board, struct boot_state *state)
{
	if (!acpi_tables_install(&board->mem, board->config->cpus)) {
		report_error("the ACPI tables do not fit into the guest's memory");
		return STATUS_RESOURCE;
	}
	return image_load(&board->config->files, &board->mem, state);
}

/**
 * board_create() - make memory, with the image in it, and the loop
 * @board: to initialise; zero
 * @config: what the user asked for, its files open; must stay valid
 * @state: out: how the first CPU starts
 *
 * Return: STATUS_OK, or another status after a report; board_destroy() is due in
 * either case.
 */
int board_create(struct board *board, const struct machine_config *config,
		 struct boot_state *state)
{
	int status, error;

	board->config = config;
	board->loop.epoll = -1;
	status = check_memory(config->memory);
	if (status != STATUS_OK)
		return status;
	error = guest_mem_create(&board->mem, config->memory);
	if (!error)
		error = loop_init(&board->loop);
	if (error) {
		report_error("cannot get %llu MiB of memory for the guest: %s; use less with --memory",
			     (unsigned long long)(config->memory / MIB),
			     strerror(-error));
		return STATUS_RESOURCE;
	}
	return board_load(board, state);
}

/**
 * board_destroy() - give everything back
 * @board: as board_create() left it, without devices
 */
void board_destroy(struct board *board)
{
	guest_mem_destroy(&board->mem);
	loop_close(&board->loop);
}
