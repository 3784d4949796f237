// SPDX-License-Identifier: GPL-2.0-only
/*
 * serial.c - a 16550A serial port, COM1.
 *
 * Output goes to env->serial_out() at once; the machine stops the vCPU while
 * the terminal cannot take more, so the transmitter is always empty.  Bytes may
 * be posted: what the guest reads of the port it reads after they have come.
 *
 * Input waits in a queue and moves into the receiver FIFO only when the guest
 * listens: it has enabled the receive interrupt, or it polls the line status
 * for nothing else.  A driver that resets the FIFO while it starts does not
 * destroy what was typed ahead or piped in: those bytes return to the queue,
 * as if the sender had seen RTS drop and waited.
 *
 * Source: National Semiconductor PC16550D data sheet (1995).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "serial.h"

#define REG_DATA	0
#define REG_IER		1
#define REG_IIR_FCR	2
#define REG_LCR		3
#define REG_MCR		4
#define REG_LSR		5
#define REG_MSR		6
#define REG_SCRATCH	7

#define IER_RX		BIT(0)
#define IER_THRE	BIT(1)
#define IER_LINE	BIT(2)
#define IER_MODEM	BIT(3)
#define IER_ALL		0x0f

#define IIR_MODEM	0x00
#define IIR_NONE	0x01
#define IIR_THRE	0x02
#define IIR_RX		0x04
#define IIR_LINE	0x06
#define IIR_TIMEOUT	0x0c
#define IIR_FIFOS	0xc0

#define FCR_ENABLE	BIT(0)
#define FCR_CLEAR_RX	BIT(1)

#define LCR_DLAB	BIT(7)

#define MCR_DTR		BIT(0)
#define MCR_RTS		BIT(1)
#define MCR_OUT1	BIT(2)
#define MCR_OUT2	BIT(3)
#define MCR_LOOP	BIT(4)
#define MCR_ALL		0x1f

#define LSR_READY	BIT(0)
#define LSR_OVERRUN	BIT(1)
#define LSR_BREAK	BIT(4)
#define LSR_THRE	BIT(5)
#define LSR_EMPTY	BIT(6)
#define LSR_FIFO_ERROR	BIT(7)

#define MSR_DELTA_CTS	BIT(0)
#define MSR_DELTA_DSR	BIT(1)
#define MSR_RING_END	BIT(2)
#define MSR_DELTA_DCD	BIT(3)
#define MSR_DELTAS	0x0f
#define MSR_CTS		BIT(4)
#define MSR_DSR		BIT(5)
#define MSR_RING	BIT(6)
#define MSR_DCD		BIT(7)

#define FIFO_SIZE	16
#define QUEUE_SIZE	64
/* an entry that is a break, not a byte */
#define ENTRY_BREAK	0x100

/* Line-status reads without anything else that mean: it waits for input. */
#define IDLE_POLLS	8

/**
 * struct ring - a queue of received bytes and breaks
 * @entry:	the contents
 * @head:	oldest
 * @count:	how many
 */
struct ring {
	u16 entry[QUEUE_SIZE];
	unsigned int head;
	unsigned int count;
};

struct serial {
	struct device_env *env;
	u8 ier;
	u8 fcr;
	u8 lcr;
	u8 mcr;
	u8 msr;
	u8 scratch;
	u8 divisor[2];
	u8 line_errors;		/* of the LSR, until it is read */
	u8 last;		/* what the empty receiver shows */
	bool thre_pending;
	unsigned int idle_polls;
	struct ring fifo;	/* what the guest can read */
	struct ring queue;	/* what has not reached it yet */
};

static bool ring_put(struct ring *ring, u16 entry)
{
	if (ring->count == QUEUE_SIZE)
		return false;
	ring->entry[(ring->head + ring->count++) % QUEUE_SIZE] = entry;
	return true;
}

static u16 ring_get(struct ring *ring)
{
	u16 entry = ring->entry[ring->head];

	ring->head = (ring->head + 1) % QUEUE_SIZE;
	ring->count--;
	return entry;
}

static unsigned int fifo_depth(const struct serial *serial)
{
	return serial->fcr & FCR_ENABLE ? FIFO_SIZE : 1;
}

static unsigned int trigger_level(const struct serial *serial)
{
	static const u8 levels[] = { 1, 4, 8, 14 };

	return serial->fcr & FCR_ENABLE ? levels[serial->fcr >> 6] : 1;
}

static u8 pending_interrupt(const struct serial *serial)
{
	if (serial->ier & IER_LINE && serial->line_errors)
		return IIR_LINE;
	if (serial->ier & IER_RX && serial->fifo.count)
		/*
		 * Bytes arrive in no time at all: fewer than the trigger level
		 * means that the sender pauses, which is the timeout.
		 */
		return serial->fifo.count >= trigger_level(serial) ?
		       IIR_RX : IIR_TIMEOUT;
	if (serial->ier & IER_THRE && serial->thre_pending)
		return IIR_THRE;
	if (serial->ier & IER_MODEM && serial->msr & MSR_DELTAS)
		return IIR_MODEM;
	return IIR_NONE;
}

static void update_line(struct serial *serial)
{
	/* a PC gates the interrupt with OUT2, which loopback disconnects */
	bool gate = (serial->mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2;

	serial->env->irq(serial->env, IRQ_COM1,
			 gate && pending_interrupt(serial) != IIR_NONE);
}

/* The oldest entry of the FIFO shows its errors in the line status. */
static void show_head(struct serial *serial)
{
	if (serial->fifo.count &&
	    serial->fifo.entry[serial->fifo.head] & ENTRY_BREAK)
		serial->line_errors |= LSR_BREAK;
}

static bool listening(const struct serial *serial)
{
	if (serial->mcr & MCR_LOOP)
		return false;
	if (serial->ier & IER_RX && serial->mcr & MCR_OUT2)
		return true;
	return serial->idle_polls >= IDLE_POLLS;
}

/**
 * serial_room() - how much input the port takes now
 * @serial: the port
 *
 * Return: bytes that serial_receive() may be given; 0 while the guest does not
 * listen.  env->serial_wants() tells when that has changed.
 */
size_t serial_room(const struct serial *serial)
{
	unsigned int used = serial->queue.count + serial->fifo.count;

	if (!listening(serial) || used >= QUEUE_SIZE)
		return 0;
	return QUEUE_SIZE - used;
}

/* Move input to where the guest can read it. */
static void feed(struct serial *serial)
{
	if (!listening(serial))
		return;
	if (!serial->fifo.count) {
		while (serial->queue.count &&
		       serial->fifo.count < fifo_depth(serial))
			ring_put(&serial->fifo, ring_get(&serial->queue));
		show_head(serial);
	}
	if (serial_room(serial))
		serial->env->serial_wants(serial->env);
}

/* Empty the receiver; what came over the wire goes back into the queue. */
static void clear_receiver(struct serial *serial)
{
	if (!(serial->mcr & MCR_LOOP)) {
		while (serial->queue.count &&
		       serial->fifo.count < QUEUE_SIZE)
			ring_put(&serial->fifo, ring_get(&serial->queue));
		serial->queue = serial->fifo;
	}
	serial->fifo.count = 0;
	serial->line_errors = 0;
	serial->idle_polls = 0;
}

/**
 * serial_receive() - bytes arrive over the wire
 * @serial: the port
 * @bytes: the bytes
 * @count: at most serial_room(); more is lost, as an overrun
 */
void serial_receive(struct serial *serial, const u8 *bytes, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (serial->queue.count + serial->fifo.count >= QUEUE_SIZE ||
		    !ring_put(&serial->queue, bytes[i]))
			serial->line_errors |= LSR_OVERRUN;
	feed(serial);
	update_line(serial);
}

/**
 * serial_break() - the sender holds the line in the break state
 * @serial: the port
 */
void serial_break(struct serial *serial)
{
	if (serial->queue.count + serial->fifo.count >= QUEUE_SIZE)
		return;
	ring_put(&serial->queue, ENTRY_BREAK);
	feed(serial);
	update_line(serial);
}

/* Modem inputs: all on, or in loopback the port's own outputs. */
static u8 modem_inputs(const struct serial *serial)
{
	u8 value = 0;

	if (!(serial->mcr & MCR_LOOP))
		return MSR_CTS | MSR_DSR | MSR_DCD;
	if (serial->mcr & MCR_RTS)
		value |= MSR_CTS;
	if (serial->mcr & MCR_DTR)
		value |= MSR_DSR;
	if (serial->mcr & MCR_OUT1)
		value |= MSR_RING;
	if (serial->mcr & MCR_OUT2)
		value |= MSR_DCD;
	return value;
}

static void update_modem(struct serial *serial)
{
	u8 old = serial->msr, now = modem_inputs(serial);
	u8 changed = old ^ now;
	u8 deltas = old & MSR_DELTAS;

	if (changed & MSR_CTS)
		deltas |= MSR_DELTA_CTS;
	if (changed & MSR_DSR)
		deltas |= MSR_DELTA_DSR;
	if (changed & MSR_DCD)
		deltas |= MSR_DELTA_DCD;
	if (old & MSR_RING && !(now & MSR_RING))
		deltas |= MSR_RING_END;
	serial->msr = now | deltas;
}

static u8 read_data(struct serial *serial)
{
	if (serial->fifo.count) {
		serial->last = (u8)ring_get(&serial->fifo);
		show_head(serial);
		feed(serial);
	}
	return serial->last;
}

static u8 read_iir(struct serial *serial)
{
	u8 value = pending_interrupt(serial);

	if (value == IIR_THRE)
		serial->thre_pending = false;
	if (serial->fcr & FCR_ENABLE)
		value |= IIR_FIFOS;
	return value;
}

static u8 read_lsr(struct serial *serial)
{
	u8 value;

	if (!serial->fifo.count) {
		if (serial->idle_polls < IDLE_POLLS)
			serial->idle_polls++;
		feed(serial);
	}

	value = LSR_THRE | LSR_EMPTY | serial->line_errors;
	if (serial->fifo.count)
		value |= LSR_READY;
	if (serial->line_errors & LSR_BREAK && serial->fcr & FCR_ENABLE)
		value |= LSR_FIFO_ERROR;
	serial->line_errors = 0;
	return value;
}

static u64 serial_read(void *device, u64 offset, unsigned int bytes)
{
	struct serial *serial = device;
	bool dlab = serial->lcr & LCR_DLAB;
	u8 value;

	(void)bytes;
	switch (offset) {
	case REG_DATA:
		value = dlab ? serial->divisor[0] : read_data(serial);
		break;
	case REG_IER:
		value = dlab ? serial->divisor[1] : serial->ier;
		break;
	case REG_IIR_FCR:
		value = read_iir(serial);
		break;
	case REG_LCR:
		value = serial->lcr;
		break;
	case REG_MCR:
		value = serial->mcr;
		break;
	case REG_LSR:
		value = read_lsr(serial);
		break;
	case REG_MSR:
		value = serial->msr;
		serial->msr &= (u8)~MSR_DELTAS;
		break;
	default:
		value = serial->scratch;
		break;
	}
	update_line(serial);
	return value;
}

static void write_data(struct serial *serial, u8 value)
{
	if (!(serial->mcr & MCR_LOOP))
		serial->env->serial_out(serial->env, value);
	else if (serial->fifo.count < fifo_depth(serial))
		ring_put(&serial->fifo, value);
	else
		serial->line_errors |= LSR_OVERRUN;
	/* sent in no time: the holding register is empty again */
	serial->thre_pending = true;
}

static void write_ier(struct serial *serial, u8 value)
{
	u8 enabled = value & (u8)~serial->ier;

	serial->ier = value & IER_ALL;
	if (enabled & IER_THRE)
		serial->thre_pending = true;
	feed(serial);
}

static void write_fcr(struct serial *serial, u8 value)
{
	/* a change of bit 0 empties both FIFOs; the transmitter's is empty */
	if ((value ^ serial->fcr) & FCR_ENABLE ||
	    (value & FCR_ENABLE && value & FCR_CLEAR_RX))
		clear_receiver(serial);
	/* the other bits count only when bit 0 is written as 1 */
	serial->fcr = value & FCR_ENABLE ? value & 0xc9 : 0;
	feed(serial);
}

static void write_mcr(struct serial *serial, u8 value)
{
	if ((value ^ serial->mcr) & MCR_LOOP)
		clear_receiver(serial);
	serial->mcr = value & MCR_ALL;
	update_modem(serial);
	feed(serial);
}

static void serial_write(void *device, u64 offset, unsigned int bytes,
			 u64 data)
{
	struct serial *serial = device;
	bool dlab = serial->lcr & LCR_DLAB;
	u8 value = (u8)data;

	(void)bytes;
	serial->idle_polls = 0;
	switch (offset) {
	case REG_DATA:
		if (dlab)
			serial->divisor[0] = value;
		else
			write_data(serial, value);
		break;
	case REG_IER:
		if (dlab)
			serial->divisor[1] = value;
		else
			write_ier(serial, value);
		break;
	case REG_IIR_FCR:
		write_fcr(serial, value);
		break;
	case REG_LCR:
		serial->lcr = value;
		break;
	case REG_MCR:
		write_mcr(serial, value);
		break;
	case REG_SCRATCH:
		serial->scratch = value;
		break;
	default:
		break;		/* the status registers are read only */
	}
	update_line(serial);
}

static const struct bus_ops serial_ops = { serial_read, serial_write };

static int serial_create(struct device *device, struct device_env *env)
{
	struct serial *serial = calloc(1, sizeof(*serial));
	int error;

	if (!serial)
		return -ENOMEM;
	serial->env = env;
	serial->divisor[0] = 12;	/* 9600 baud */
	serial->msr = modem_inputs(serial);
	error = bus_add(env->ports, 0x3f8, 8, "COM1", 1, &serial_ops, serial);
	if (error) {
		free(serial);
		return error;
	}
	env->post(env, 0x3f8 + REG_DATA);
	device->state = serial;
	env->serial = serial;
	return 0;
}

static void serial_destroy(struct device *device)
{
	free(device->state);
}

const struct device_type serial_device = {
	.name = "serial",
	.help = "16550A serial port COM1, ports 0x3f8 to 0x3ff, interrupt 4",
	.create = serial_create,
	.destroy = serial_destroy,
};
