// SPDX-License-Identifier: GPL-2.0-only
/* test_devices.c - the small devices, and the table of all. */
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "fake_env.h"
#include "tap.h"

static void test_i8042(void)
{
	fake_start(&i8042_device);
	is(in(0x64) & 0x03, 0, "the keyboard controller is idle");
	out(0x64, 0xaa);
	is(in(0x64) & 1, 1, "its self test answers");
	is(in(0x60), 0x55, "that it passed");
	is(in(0x64) & 1, 0, "reading takes the byte");
	out(0x64, 0x60);
	out(0x60, 0x45);
	out(0x64, 0x20);
	is(in(0x60), 0x45, "the configuration byte reads back");
	out(0x60, 0xf2);
	is(in(0x64) & 0x41, 0x41, "a missing keyboard is a time-out");
	ok(fake.irq[1], "which interrupts when enabled");
	in(0x60);
	ok(!fake.irq[1], "and reading ends the interrupt");
	out(0x64, 0xd3);
	out(0x60, 0x5a);
	ok(in(0x60) != 0x5a, "there is no mouse channel");
	out(0x64, 0xa9);
	is(in(0x60), 0x01, "and its test says so");
	is(fake.resets, 0, "no reset so far");
	out(0x64, 0xfe);
	is(fake.resets, 1, "command 0xfe resets");
	out(0x64, 0xd1);
	out(0x60, 0xdf);
	is(fake.resets, 1, "the output port with bit 0 does not");
	out(0x64, 0xd1);
	out(0x60, 0xde);
	is(fake.resets, 2, "without bit 0 it does");
	is(in(0x92), 0x02, "A20 is open");
	out(0x92, 0x03);
	is(fake.resets, 3, "port 0x92 resets");
	out(0x92, 0x03);
	is(fake.resets, 3, "on a rising bit only");
	fake_stop();
}

static void test_debug_exit(void)
{
	fake_start(&debug_exit_device);
	out(0xf4, 0);
	is(fake.exit_status, 1, "debug-exit of 0 is status 1");
	out(0xf4, 42);
	is(fake.exit_status, 85, "of 42 status 85");
	out(0xf4, 0xff);
	is(fake.exit_status, 255, "of 255 status 255");
	bus_write(&fake.ports, 0xf4, 4, 0x10);
	is(fake.exit_status, 33, "32 bits at once are one write, as with QEMU");
	bus_write(&fake.ports, 0xf4, 2, 0x0105);
	is(fake.exit_status, 11, "so are 16, of which eight count");
	out(0xf7, 2);
	is(fake.exit_status, 5, "QEMU's four ports are all the same");
	is(bus_read(&fake.ports, 0xf4, 4), 0, "and read as 0");
	fake_stop();
}

static void test_small(void)
{
	fake_start(&post_device);
	out(0x80, 0x31);
	is(in(0x80), 0x31, "the POST port reads back");
	fake_stop();
	fake_start(&pci_absent_device);
	bus_write(&fake.ports, 0xcf8, 4, 0x80000000);
	is(bus_read(&fake.ports, 0xcf8, 4), 0xffffffff, "there is no PCI");
	is(fake.ports.unclaimed_reads, 0, "by design, not by oversight");
	bus_write(&fake.ports, 0xcf8, 4, 0x8000ff00);
	is(fake.resets, 0, "a configuration address is no reset");
	out(0xcf9, 0x02);
	is(fake.resets, 0, "the reset control register takes the kind first");
	is(in(0xcf9), 0x02, "and reads back");
	out(0xcf9, 0x06);
	is(fake.resets, 1, "and resets on its rising bit");
	out(0xcf9, 0x06);
	is(fake.resets, 1, "only then");
	fake_stop();
}

static void test_debugcon(void)
{
	char text[64] = "";
	int ends[2];
	ssize_t got;

	fake_prepare();
	ok(!pipe2(ends, O_NONBLOCK), "a pipe for the debug console");
	fake.env.debugcon_fd = ends[1];
	fake_create(&debugcon_device);
	is(in(0xe9), 0xe9, "the debug console says that it is there");
	out(0xe9, 'h');
	out(0xe9, 'i');
	is(read(ends[0], text, sizeof(text)), (ssize_t)-1, "it collects a line");
	out(0xe9, '\n');
	got = read(ends[0], text, sizeof(text));
	ok(got == 3 && !memcmp(text, "hi\n", 3), "and writes it in one piece");
	out(0xe9, '?');
	fake_pass(NSEC_PER_SEC);
	got = read(ends[0], text, sizeof(text));
	ok(got == 1 && text[0] == '?', "a line without an end is written after a while");
	out(0xe9, '!');
	fake_stop();
	got = read(ends[0], text, sizeof(text));
	ok(got == 1 && text[0] == '!', "and at the end");
	close(ends[0]);

	signal(SIGPIPE, SIG_IGN);
	fake_prepare();
	fake.env.debugcon_fd = ends[1];
	fake_create(&debugcon_device);
	out(0xe9, '\n');
	is(fake.exit_status, 6, "output that nobody takes ends the run");
	fake_stop();
	close(ends[1]);
}

static void test_table(void)
{
	struct device devices[32];
	unsigned int i, good = 0;

	fake_start(&pic_device);
	for (i = 1; i < device_type_count && i < 32; i++) {
		devices[i].type = device_types[i];
		if (!device_types[i]->create(&devices[i], &fake.env))
			good++;
		else
			printf("# %s\n", device_types[i]->name);
	}
	is(good, device_type_count - 1, "all devices of the table fit together");
	for (i = 1; i < device_type_count && i < 32; i++)
		devices[i].type->destroy(&devices[i]);
	for (i = 0, good = 0; i < FAKE_TIMERS; i++)
		good += fake.timers[i].used;
	is(good, 0, "and leave no timer behind");
	fake_stop();
}

int main(void)
{
	test_i8042();
	test_debug_exit();
	test_small();
	test_debugcon();
	test_table();
	return tap_done();
}
