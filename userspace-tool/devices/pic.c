// SPDX-License-Identifier: GPL-2.0-only
/*
 * pic.c - two cascaded Intel 8259A interrupt controllers and the ELCR.
 *
 * The slave's output is wired to the master's input 2, the master's output to
 * the CPU's INTR (LINT0).  Devices drive the lines by pic_set_irq(); vcpu.c
 * acknowledges by pic_acknowledge() when the CPU takes an interrupt.
 *
 * Source: Intel 8259A data sheet (order 231468); the ELCR at 0x4d0 and 0x4d1
 * as in Intel's 82371AB (PIIX4) data sheet, 4.2.4.
 */
#include <errno.h>
#include <stdlib.h>

#include "device.h"
#include "pic.h"

#define ICW1_NEEDS_ICW4		BIT(0)
#define ICW1_SINGLE		BIT(1)
#define ICW1_LEVEL		BIT(3)
#define ICW1_SELECT		BIT(4)
#define ICW4_AUTO_EOI		BIT(1)
#define ICW4_SPECIAL_NESTED	BIT(4)
#define OCW3_SELECT		BIT(3)
#define OCW3_READ_ISR		BIT(0)
#define OCW3_READ		BIT(1)
#define OCW3_POLL		BIT(2)
#define OCW3_SPECIAL_MASK	BIT(5)
#define OCW3_SET_SPECIAL_MASK	BIT(6)
#define POLL_INTERRUPT		BIT(7)

/* OCW2: bits 7 to 5 */
enum ocw2 {
	OCW2_ROTATE_AEOI_CLEAR = 0,
	OCW2_EOI = 1,
	OCW2_NOTHING = 2,
	OCW2_SPECIFIC_EOI = 3,
	OCW2_ROTATE_AEOI_SET = 4,
	OCW2_ROTATE_EOI = 5,
	OCW2_SET_PRIORITY = 6,
	OCW2_ROTATE_SPECIFIC_EOI = 7,
};

#define NO_IRQ		(-1)

/**
 * struct chip - one 8259A
 * @lines:		level of the inputs
 * @irr:		interrupt request register
 * @isr:		in-service register
 * @imr:		interrupt mask register
 * @elcr:		inputs that are level triggered
 * @base:		vector of input 0
 * @lowest:		input of the lowest priority
 * @init_step:		initialisation word expected next: 2, 3, 4; 0: none
 * @needs_icw4:		ICW1 announced an ICW4
 * @single:		no cascade: no ICW3
 * @level:		all inputs level triggered (ICW1)
 * @auto_eoi:		no in-service bit is left after an acknowledge
 * @rotate_auto_eoi:	rotate priorities at each acknowledge
 * @special_nested:	a cascade in service does not block its own input
 * @special_mask:	masked inputs do not block lower ones
 * @read_isr:		a read of the first port gives the ISR, not the IRR
 * @poll:		the next read acknowledges
 * @master:		input 2 is the slave
 */
struct chip {
	u8 lines;
	u8 irr;
	u8 isr;
	u8 imr;
	u8 elcr;
	u8 base;
	u8 lowest;
	u8 init_step;
	bool needs_icw4;
	bool single;
	bool level;
	bool auto_eoi;
	bool rotate_auto_eoi;
	bool special_nested;
	bool special_mask;
	bool read_isr;
	bool poll;
	bool master;
};

struct pic {
	struct device_env *env;
	struct chip master;
	struct chip slave;
	bool output;
};

static bool level_triggered(const struct chip *chip, unsigned int input)
{
	return chip->level || (chip->elcr & BIT(input));
}

static void chip_set_input(struct chip *chip, unsigned int input, bool level)
{
	u8 bit = (u8)BIT(input);

	if (level) {
		if (level_triggered(chip, input) || !(chip->lines & bit))
			chip->irr |= bit;
		chip->lines |= bit;
	} else {
		/*
		 * An input has to stay up until it is acknowledged, in edge
		 * mode too: the request goes away with it.
		 */
		chip->irr &= (u8)~bit;
		chip->lines &= (u8)~bit;
	}
}

/* The input of the highest priority in @set, or NO_IRQ. */
static int highest(const struct chip *chip, u8 set)
{
	unsigned int i;

	for (i = 1; i <= 8; i++) {
		unsigned int input = (chip->lowest + i) & 7;

		if (set & BIT(input))
			return (int)input;
	}
	return NO_IRQ;
}

/* Priority of an input, 0 is the highest. */
static unsigned int rank(const struct chip *chip, int input)
{
	return ((unsigned int)input - chip->lowest - 1) & 7;
}

/* The input that should interrupt now, or NO_IRQ. */
static int chip_pending(const struct chip *chip)
{
	int request = highest(chip, chip->irr & (u8)~chip->imr);
	u8 service = chip->isr;
	int serving;

	if (request == NO_IRQ || chip->init_step)
		return NO_IRQ;
	if (chip->special_mask)
		service &= (u8)~chip->imr;
	if (chip->special_nested && chip->master)
		service &= (u8)~BIT(IRQ_CASCADE);
	serving = highest(chip, service);
	if (serving != NO_IRQ && rank(chip, request) >= rank(chip, serving))
		return NO_IRQ;
	return request;
}

/*
 * The interrupt acknowledge: the request becomes a service.  Without a request
 * (it went away meanwhile) the answer is input 7, and no service begins.
 */
static unsigned int chip_acknowledge(struct chip *chip, bool *spurious)
{
	int input = chip_pending(chip);

	*spurious = input == NO_IRQ;
	if (input == NO_IRQ)
		return 7;
	if (chip->auto_eoi) {
		if (chip->rotate_auto_eoi)
			chip->lowest = (u8)input;
	} else {
		chip->isr |= (u8)BIT(input);
	}
	if (!level_triggered(chip, (unsigned int)input))
		chip->irr &= (u8)~BIT(input);
	return (unsigned int)input;
}

/* Bring the cascade and the CPU's pin up to date. */
static void pic_update(struct pic *pic)
{
	bool cascade = chip_pending(&pic->slave) != NO_IRQ;
	bool output;

	/*
	 * The slave holds its output while it has a request; a new request
	 * behind an acknowledged one shows as a new edge.
	 */
	if (cascade && !(pic->master.irr & BIT(IRQ_CASCADE)))
		chip_set_input(&pic->master, IRQ_CASCADE, false);
	chip_set_input(&pic->master, IRQ_CASCADE, cascade);

	output = chip_pending(&pic->master) != NO_IRQ;
	if (output != pic->output) {
		pic->output = output;
		pic->env->intr(pic->env, output);
	}
}

/**
 * pic_set_irq() - drive an interrupt line
 * @pic: the pair
 * @line: 0 to 15; 2 is the cascade and cannot be driven
 * @level: the new level
 */
void pic_set_irq(struct pic *pic, unsigned int line, bool level)
{
	if (line > 15 || line == IRQ_CASCADE)
		return;
	if (line < 8)
		chip_set_input(&pic->master, line, level);
	else
		chip_set_input(&pic->slave, line - 8, level);
	pic_update(pic);
}

/**
 * pic_output() - level of the line to the CPU
 * @pic: the pair
 *
 * Return: true while an interrupt is requested.
 */
bool pic_output(const struct pic *pic)
{
	return pic->output;
}

/**
 * pic_acknowledge() - the CPU's interrupt acknowledge cycle
 * @pic: the pair
 *
 * Return: the vector.  Without a request it is the spurious one, input 7 of
 * the chip that was asked.  The caller drives the CPU's pin again from
 * pic_output(): while a request remains env->intr() is not called.
 */
u8 pic_acknowledge(struct pic *pic)
{
	bool spurious;
	unsigned int input = chip_acknowledge(&pic->master, &spurious);
	u8 vector = (u8)(pic->master.base + input);

	if (!spurious && input == IRQ_CASCADE) {
		input = chip_acknowledge(&pic->slave, &spurious);
		vector = (u8)(pic->slave.base + input);
	}
	pic_update(pic);
	return vector;
}

static void write_icw1(struct chip *chip, u8 value)
{
	chip->irr = 0;
	chip->isr = 0;
	chip->imr = 0;
	chip->lowest = 7;
	chip->init_step = 2;
	chip->needs_icw4 = value & ICW1_NEEDS_ICW4;
	chip->single = value & ICW1_SINGLE;
	chip->level = value & ICW1_LEVEL;
	chip->auto_eoi = false;
	chip->rotate_auto_eoi = false;
	chip->special_nested = false;
	chip->special_mask = false;
	chip->read_isr = false;
	chip->poll = false;
	/* the edge detectors are cleared too: inputs have to rise again */
	if (chip->level)
		chip->irr = chip->lines;
	else
		chip->irr = chip->lines & chip->elcr;
}

static void end_of_interrupt(struct chip *chip, int input, bool rotate)
{
	if (input == NO_IRQ)
		return;
	chip->isr &= (u8)~BIT(input);
	if (level_triggered(chip, (unsigned int)input) &&
	    (chip->lines & BIT(input)))
		chip->irr |= (u8)BIT(input);
	if (rotate)
		chip->lowest = (u8)input;
}

/* The service that a non-specific end of interrupt ends. */
static int current_service(const struct chip *chip)
{
	u8 service = chip->isr;

	/* in special mask mode a masked service is not ended by it */
	if (chip->special_mask)
		service &= (u8)~chip->imr;
	return highest(chip, service);
}

static void write_ocw2(struct chip *chip, u8 value)
{
	int input = value & 7;

	switch ((enum ocw2)(value >> 5)) {
	case OCW2_ROTATE_AEOI_CLEAR:
		chip->rotate_auto_eoi = false;
		break;
	case OCW2_ROTATE_AEOI_SET:
		chip->rotate_auto_eoi = true;
		break;
	case OCW2_EOI:
		end_of_interrupt(chip, current_service(chip), false);
		break;
	case OCW2_ROTATE_EOI:
		end_of_interrupt(chip, current_service(chip), true);
		break;
	case OCW2_SPECIFIC_EOI:
		end_of_interrupt(chip, input, false);
		break;
	case OCW2_ROTATE_SPECIFIC_EOI:
		end_of_interrupt(chip, input, true);
		break;
	case OCW2_SET_PRIORITY:
		chip->lowest = (u8)input;
		break;
	case OCW2_NOTHING:
		break;
	}
}

static void write_ocw3(struct chip *chip, u8 value)
{
	if (value & OCW3_POLL)
		chip->poll = true;
	if (value & OCW3_READ)
		chip->read_isr = value & OCW3_READ_ISR;
	if (value & OCW3_SET_SPECIAL_MASK)
		chip->special_mask = value & OCW3_SPECIAL_MASK;
}

static void write_icw234(struct chip *chip, u8 value)
{
	switch (chip->init_step) {
	case 2:
		chip->base = value & 0xf8;
		if (!chip->single)
			chip->init_step = 3;
		else
			chip->init_step = chip->needs_icw4 ? 4 : 0;
		break;
	case 3:
		/* the wiring of the cascade is fixed on this board */
		chip->init_step = chip->needs_icw4 ? 4 : 0;
		break;
	default:
		chip->auto_eoi = value & ICW4_AUTO_EOI;
		chip->special_nested = value & ICW4_SPECIAL_NESTED;
		chip->init_step = 0;
		break;
	}
}

static void chip_write(struct chip *chip, u64 offset, u8 value)
{
	if (offset) {
		if (chip->init_step)
			write_icw234(chip, value);
		else
			chip->imr = value;
	} else if (value & ICW1_SELECT) {
		write_icw1(chip, value);
	} else if (value & OCW3_SELECT) {
		write_ocw3(chip, value);
	} else {
		write_ocw2(chip, value);
	}
}

static u8 chip_read(struct chip *chip, u64 offset)
{
	if (chip->poll) {
		bool spurious;
		unsigned int input = chip_acknowledge(chip, &spurious);

		chip->poll = false;
		return spurious ? 0 : (u8)(POLL_INTERRUPT | input);
	}
	if (offset)
		return chip->imr;
	return chip->read_isr ? chip->isr : chip->irr;
}

static u64 master_read(void *device, u64 offset, unsigned int bytes)
{
	struct pic *pic = device;
	u8 value = chip_read(&pic->master, offset);

	(void)bytes;
	pic_update(pic);
	return value;
}

static void master_write(void *device, u64 offset, unsigned int bytes,
			 u64 value)
{
	struct pic *pic = device;

	(void)bytes;
	chip_write(&pic->master, offset, (u8)value);
	pic_update(pic);
}

static u64 slave_read(void *device, u64 offset, unsigned int bytes)
{
	struct pic *pic = device;
	u8 value = chip_read(&pic->slave, offset);

	(void)bytes;
	pic_update(pic);
	return value;
}

static void slave_write(void *device, u64 offset, unsigned int bytes,
			u64 value)
{
	struct pic *pic = device;

	(void)bytes;
	chip_write(&pic->slave, offset, (u8)value);
	pic_update(pic);
}

/* Inputs whose trigger mode is fixed to edge: 0, 1, 2, 8 and 13. */
#define ELCR_MASTER_FIXED	0x07
#define ELCR_SLAVE_FIXED	0x21

static u64 elcr_read(void *device, u64 offset, unsigned int bytes)
{
	struct pic *pic = device;

	(void)bytes;
	return offset ? pic->slave.elcr : pic->master.elcr;
}

static void elcr_write(void *device, u64 offset, unsigned int bytes, u64 value)
{
	struct pic *pic = device;
	struct chip *chip = offset ? &pic->slave : &pic->master;

	(void)bytes;
	chip->elcr = (u8)(value & ~(offset ? ELCR_SLAVE_FIXED :
				    ELCR_MASTER_FIXED));
	chip->irr |= chip->elcr & chip->lines;
	pic_update(pic);
}

static const struct bus_ops master_ops = { master_read, master_write };
static const struct bus_ops slave_ops = { slave_read, slave_write };
static const struct bus_ops elcr_ops = { elcr_read, elcr_write };

static int pic_create(struct device *device, struct device_env *env)
{
	struct pic *pic = calloc(1, sizeof(*pic));
	int error;

	if (!pic)
		return -ENOMEM;
	pic->env = env;
	pic->master.master = true;
	pic->master.lowest = 7;
	pic->slave.lowest = 7;
	/* a firmware's work: the SCI is level triggered */
	pic->slave.elcr = BIT(IRQ_SCI - 8);

	error = bus_add(env->ports, 0x20, 2, "PIC", 1, &master_ops, pic);
	if (!error)
		error = bus_add(env->ports, 0xa0, 2, "PIC 2", 1, &slave_ops,
				pic);
	if (!error)
		error = bus_add(env->ports, 0x4d0, 2, "PIC ELCR", 1, &elcr_ops,
				pic);
	if (error) {
		free(pic);
		return error;
	}
	device->state = pic;
	env->pic = pic;
	return 0;
}

static void pic_destroy(struct device *device)
{
	free(device->state);
}

const struct device_type pic_device = {
	.name = "pic",
	.help = "two 8259A interrupt controllers, ports 0x20, 0xa0, 0x4d0",
	.create = pic_create,
	.destroy = pic_destroy,
};
