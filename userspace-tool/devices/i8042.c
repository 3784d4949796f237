// SPDX-License-Identifier: GPL-2.0-only
/*
 * i8042.c - the keyboard controller, with nothing plugged into it.
 *
 * It is here for its reset line (command 0xfe, bit 0 of the output port), and
 * answers its own commands, so that an operating system finds a controller,
 * no keyboard and no mouse, without waiting for time-outs.  Port 0x92 is the
 * other way to the reset and A20 lines.  A20 is always open.
 *
 * Source: IBM PC AT Technical Reference (1985), 1-41 to 1-56; port 0x92 as in
 * Intel's 82371AB (PIIX4) data sheet, 4.2.5.
 */
#include <errno.h>
#include <stdlib.h>

#include "device.h"

#define STATUS_OUTPUT_FULL	BIT(0)
#define STATUS_SYSTEM		BIT(2)
#define STATUS_COMMAND		BIT(3)
#define STATUS_UNLOCKED		BIT(4)
#define STATUS_AUX		BIT(5)
#define STATUS_TIMEOUT		BIT(6)

#define CONFIG_KBD_IRQ		BIT(0)
#define CONFIG_SYSTEM		BIT(2)
#define CONFIG_KBD_OFF		BIT(4)
#define CONFIG_AUX_OFF		BIT(5)

#define OUTPUT_NOT_RESET	BIT(0)
#define OUTPUT_A20		BIT(1)

#define CMD_READ_RAM		0x20	/* to 0x3f; 0x20 is the configuration */
#define CMD_WRITE_RAM		0x60	/* to 0x7f */
#define CMD_AUX_OFF		0xa7
#define CMD_AUX_ON		0xa8
#define CMD_AUX_TEST		0xa9
#define CMD_SELF_TEST		0xaa
#define CMD_KBD_TEST		0xab
#define CMD_KBD_OFF		0xad
#define CMD_KBD_ON		0xae
#define CMD_READ_OUTPUT		0xd0
#define CMD_WRITE_OUTPUT	0xd1
#define CMD_KBD_LOOP		0xd2
#define CMD_AUX_LOOP		0xd3
#define CMD_AUX_WRITE		0xd4
#define CMD_PULSE		0xf0	/* to 0xff: pulse the lines that are 0 */

#define SELF_TEST_PASSED	0x55
#define KBD_TEST_PASSED		0x00
#define AUX_CLOCK_STUCK		0x01	/* no mouse connector */
#define REPLY_RESEND		0xfe	/* what a time-out looks like */

#define PORT92_RESET		BIT(0)
#define PORT92_A20		BIT(1)

struct i8042 {
	struct device_env *env;
	u8 status;
	u8 output;		/* the byte at 0x60 */
	u8 command;		/* waits for its data byte; 0: none */
	u8 ram[32];		/* byte 0 is the configuration */
	u8 port92;
};

static void update_line(struct i8042 *kbc)
{
	kbc->env->irq(kbc->env, IRQ_KEYBOARD,
		      kbc->status & STATUS_OUTPUT_FULL &&
		      kbc->ram[0] & CONFIG_KBD_IRQ);
}

static void reply(struct i8042 *kbc, u8 value, u8 status)
{
	kbc->output = value;
	kbc->status &= (u8)~(STATUS_TIMEOUT | STATUS_AUX);
	kbc->status |= STATUS_OUTPUT_FULL | status;
	update_line(kbc);
}

static void reset(struct i8042 *kbc)
{
	kbc->env->request(kbc->env, REQUEST_RESET, 0);
}

static void write_command(struct i8042 *kbc, u8 command)
{
	kbc->status |= STATUS_COMMAND;
	kbc->command = 0;
	if (command >= CMD_PULSE) {
		if (!(command & OUTPUT_NOT_RESET))
			reset(kbc);
		return;
	}
	if (command >= CMD_READ_RAM && command < CMD_READ_RAM + 32) {
		reply(kbc, kbc->ram[command - CMD_READ_RAM], 0);
		return;
	}
	if ((command >= CMD_WRITE_RAM && command < CMD_WRITE_RAM + 32) ||
	    (command >= CMD_WRITE_OUTPUT && command <= CMD_AUX_WRITE)) {
		kbc->command = command;
		return;
	}
	switch (command) {
	case CMD_SELF_TEST:
		kbc->ram[0] |= CONFIG_SYSTEM;
		kbc->status |= STATUS_SYSTEM;
		reply(kbc, SELF_TEST_PASSED, 0);
		break;
	case CMD_KBD_TEST:
		reply(kbc, KBD_TEST_PASSED, 0);
		break;
	case CMD_AUX_TEST:
		reply(kbc, AUX_CLOCK_STUCK, 0);
		break;
	case CMD_READ_OUTPUT:
		reply(kbc, OUTPUT_NOT_RESET | OUTPUT_A20, 0);
		break;
	case CMD_KBD_OFF:
		kbc->ram[0] |= CONFIG_KBD_OFF;
		break;
	case CMD_KBD_ON:
		kbc->ram[0] &= (u8)~CONFIG_KBD_OFF;
		break;
	case CMD_AUX_OFF:
		kbc->ram[0] |= CONFIG_AUX_OFF;
		break;
	case CMD_AUX_ON:
		kbc->ram[0] &= (u8)~CONFIG_AUX_OFF;
		break;
	default:
		break;		/* unknown commands have no effect */
	}
}

static void write_data(struct i8042 *kbc, u8 value)
{
	u8 command = kbc->command;

	kbc->status &= (u8)~STATUS_COMMAND;
	kbc->command = 0;
	if (command >= CMD_WRITE_RAM && command < CMD_WRITE_RAM + 32) {
		kbc->ram[command - CMD_WRITE_RAM] = value;
		update_line(kbc);
		return;
	}
	switch (command) {
	case CMD_WRITE_OUTPUT:
		if (!(value & OUTPUT_NOT_RESET))
			reset(kbc);
		break;
	case CMD_KBD_LOOP:
		reply(kbc, value, 0);
		break;
	case CMD_AUX_LOOP:
	case CMD_AUX_WRITE:
		/* there is no second channel: the byte never comes back */
		reply(kbc, REPLY_RESEND, STATUS_TIMEOUT | STATUS_AUX);
		break;
	default:
		/* nobody takes it: the controller reports a time-out */
		reply(kbc, REPLY_RESEND, STATUS_TIMEOUT);
		break;
	}
}

static u64 data_read(void *device, u64 offset, unsigned int bytes)
{
	struct i8042 *kbc = device;

	(void)offset;
	(void)bytes;
	kbc->status &= (u8)~(STATUS_OUTPUT_FULL | STATUS_TIMEOUT | STATUS_AUX);
	update_line(kbc);
	return kbc->output;
}

static void data_write(void *device, u64 offset, unsigned int bytes, u64 value)
{
	(void)offset;
	(void)bytes;
	write_data(device, (u8)value);
}

static u64 status_read(void *device, u64 offset, unsigned int bytes)
{
	struct i8042 *kbc = device;

	(void)offset;
	(void)bytes;
	return kbc->status;
}

static void command_write(void *device, u64 offset, unsigned int bytes,
			  u64 value)
{
	(void)offset;
	(void)bytes;
	write_command(device, (u8)value);
}

static u64 port92_read(void *device, u64 offset, unsigned int bytes)
{
	struct i8042 *kbc = device;

	(void)offset;
	(void)bytes;
	return kbc->port92;
}

static void port92_write(void *device, u64 offset, unsigned int bytes,
			 u64 value)
{
	struct i8042 *kbc = device;
	bool rises = value & PORT92_RESET && !(kbc->port92 & PORT92_RESET);

	(void)offset;
	(void)bytes;
	kbc->port92 = (value & PORT92_RESET) | PORT92_A20;
	if (rises)
		reset(kbc);
}

static const struct bus_ops data_ops = { data_read, data_write };
static const struct bus_ops command_ops = { status_read, command_write };
static const struct bus_ops port92_ops = { port92_read, port92_write };

static int i8042_create(struct device *device, struct device_env *env)
{
	struct i8042 *kbc = calloc(1, sizeof(*kbc));
	int error;

	if (!kbc)
		return -ENOMEM;
	kbc->env = env;
	kbc->status = STATUS_UNLOCKED | STATUS_SYSTEM;
	kbc->ram[0] = CONFIG_SYSTEM | CONFIG_AUX_OFF;
	kbc->port92 = PORT92_A20;
	error = bus_add(env->ports, 0x60, 1, "i8042", 1, &data_ops, kbc);
	if (!error)
		error = bus_add(env->ports, 0x64, 1, "i8042 command", 1,
				&command_ops, kbc);
	if (!error)
		error = bus_add(env->ports, 0x92, 1, "port 0x92", 1,
				&port92_ops, kbc);
	if (error) {
		free(kbc);
		return error;
	}
	device->state = kbc;
	return 0;
}

static void i8042_destroy(struct device *device)
{
	free(device->state);
}

const struct device_type i8042_device = {
	.name = "i8042",
	.help = "keyboard controller for reset, ports 0x60, 0x64 and 0x92; "
		"no keyboard",
	.create = i8042_create,
	.destroy = i8042_destroy,
};
