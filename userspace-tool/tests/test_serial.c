// SPDX-License-Identifier: GPL-2.0-only
/* test_serial.c - the 16550A. */
#include "devices/serial.h"
#include "fake_env.h"
#include "tap.h"

#define DATA	0x3f8
#define IER	0x3f9
#define IIR	0x3fa
#define FCR	0x3fa
#define LCR	0x3fb
#define MCR	0x3fc
#define LSR	0x3fd
#define MSR	0x3fe
#define SCR	0x3ff

static void start(void)
{
	fake_start(&serial_device);
}

/* As a driver does: FIFO on, OUT2, receive interrupt. */
static void open_port(u8 ier)
{
	out(FCR, 0x87);
	out(MCR, 0x0b);
	out(IER, ier);
}

static void receive(const char *text)
{
	serial_receive(fake.env.serial, (const u8 *)text, strlen(text));
}

static void test_detection(void)
{
	start();
	out(IER, 0x00);
	is(in(IER), 0x00, "IER can be cleared");
	out(IER, 0xff);
	is(in(IER), 0x0f, "IER has four bits");
	out(IER, 0);
	out(SCR, 0x5a);
	is(in(SCR), 0x5a, "the scratch register is there");
	is(in(IIR), 0x01, "FIFO off: IIR is 1");
	out(FCR, 0x01);
	is(in(IIR), 0xc1, "FIFO on: IIR has both top bits, a 16550A");
	out(FCR, 0x00);
	is(in(IIR), 0x01, "and loses them");
	out(LCR, 0x83);
	out(DATA, 0x01);
	out(IER, 0x00);
	is(in(DATA), 0x01, "the divisor is behind DLAB");
	out(LCR, 0x03);
	is(in(LCR), 0x03, "LCR reads back");
	is(fake.output_count, 0, "and a divisor is not sent");
	is(in(MSR) & 0xf0, 0xb0, "CTS, DSR and DCD are on");
	fake_stop();
}

static void test_loopback(void)
{
	start();
	out(MCR, 0x1a);
	is(in(MSR) & 0xf0, 0x90, "loopback: RTS is CTS, OUT2 is DCD");
	out(MCR, 0x15);
	is(in(MSR) & 0xf0, 0x60, "loopback: DTR is DSR, OUT1 is RI");
	out(MCR, 0x10);
	ok(in(MSR) & 0x04, "loopback: the end of RI shows");
	out(DATA, 'x');
	is(fake.output_count, 0, "loopback: nothing leaves");
	is(in(LSR) & 1, 1, "loopback: what is sent is received");
	is(in(DATA), 'x', "as it was");
	out(MCR, 0x00);
	is(in(LSR) & 1, 0, "and forgotten when loopback ends");
	fake_stop();
}

static void test_sending(void)
{
	start();
	is(in(LSR) & 0x60, 0x60, "the transmitter is empty");
	out(DATA, 'a');
	out(DATA, 'b');
	is(fake.output_count, 2, "two bytes leave");
	ok(!memcmp(fake.output, "ab", 2), "in order");
	is(in(LSR) & 0x60, 0x60, "and the transmitter is empty again");

	open_port(0x02);
	ok(fake.irq[4], "enabling the THRE interrupt raises it");
	is(in(IIR) & 0x0f, 0x02, "IIR says so");
	ok(!fake.irq[4], "and reading it takes it back");
	out(IER, 0x00);
	out(IER, 0x02);
	ok(fake.irq[4], "each time it is enabled");
	in(IIR);
	out(DATA, 'c');
	ok(fake.irq[4], "and after each byte");
	out(MCR, 0x03);
	ok(!fake.irq[4], "without OUT2 there is no interrupt");
	fake_stop();
}

static void test_receiving(void)
{
	unsigned int i;
	char text[17];

	start();
	open_port(0x01);
	is(serial_room(fake.env.serial), 64, "an open port has room");
	receive("hi");
	ok(fake.irq[4], "a byte interrupts");
	is(in(IIR) & 0x0f, 0x0c, "below the trigger level it is the time-out");
	is(in(LSR) & 1, 1, "data is ready");
	is(in(DATA), 'h', "the first byte");
	ok(fake.irq[4], "the interrupt stays while there is more");
	is(in(DATA), 'i', "the second byte");
	ok(!fake.irq[4], "and goes with the last");
	is(in(LSR) & 1, 0, "no data");

	out(FCR, 0xc1);		/* trigger at 14 */
	receive("0123456789abcdefghij");
	is(in(IIR) & 0x0f, 0x04, "at the trigger level it is received data");
	for (i = 0; i < 16; i++)
		text[i] = (char)in(DATA);
	text[16] = '\0';
	ok(!strcmp(text, "0123456789abcdef"), "sixteen bytes in order");
	is(in(DATA), 'g', "the rest follows");
	for (i = 0; i < 3; i++)
		in(DATA);
	is(in(LSR) & 0x03, 0, "nothing is lost and nothing invented");
	fake_stop();
}

static void test_flow_control(void)
{
	unsigned int i;

	start();
	is(serial_room(fake.env.serial), 0, "a port that nobody opened takes nothing");
	for (i = 0; i < 3; i++)
		in(LSR);
	is(serial_room(fake.env.serial), 0, "a look at the line status is no request");
	for (i = 0; i < 8; i++)
		in(LSR);
	ok(serial_room(fake.env.serial), "a guest that polls for input gets it");
	receive("abc");
	is(in(LSR) & 1, 1, "data is ready");
	is(in(DATA), 'a', "the first byte");
	out(DATA, 'x');
	is(in(DATA), 'b', "sending between does not disturb it");
	fake_stop();

	start();
	open_port(0x01);
	receive("typed ahead");
	is(in(DATA), 't', "one byte is read");
	out(IER, 0x00);
	out(FCR, 0x07);
	is(in(LSR) & 1, 0, "resetting the FIFO empties it");
	in(DATA);
	is(serial_room(fake.env.serial), 0, "a closed port takes nothing");
	out(IER, 0x01);
	is(in(DATA), 'y', "what was in the FIFO comes again");
	is(in(DATA), 'p', "and what was behind it follows");
	fake_stop();

	start();
	open_port(0x01);
	for (i = 0; i < 64; i++)
		receive("z");
	is(serial_room(fake.env.serial), 0, "a full port has no room");
	in(DATA);
	is(serial_room(fake.env.serial), 1, "until a byte is read");
	receive("zz");
	is(in(LSR) & 0x02, 0x02, "more than the room is an overrun");
	fake_stop();
}

static void test_break(void)
{
	start();
	open_port(0x05);
	serial_break(fake.env.serial);
	is(in(IIR) & 0x0f, 0x06, "a break is a line-status interrupt");
	is(in(LSR) & 0x11, 0x11, "and shows in the line status");
	is(in(DATA), 0, "with a zero byte");
	is(in(LSR) & 0x11, 0, "once");
	fake_stop();
}

int main(void)
{
	test_detection();
	test_loopback();
	test_sending();
	test_receiving();
	test_flow_control();
	test_break();
	return tap_done();
}
