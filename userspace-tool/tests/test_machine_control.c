// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_machine_control.c - what a machine answers at its control socket, without
 * a VM behind it: its state, its counters, and the power button.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/directory.h"
#include "control/server.h"
#include "machine.h"
#include "machine_control.h"
#include "report.h"
#include "tap.h"

static char folder[] = "/tmp/mini-vm-test.XXXXXX";
static char where[64];
static struct machine machine;
static struct machine_config config;
static struct control control;
static char heard[CONTROL_ANSWER_MAX + 1];

static void start(const char *image)
{
	memset(&machine, 0, sizeof(machine));
	config = (struct machine_config) { 
		.cpus = 4, .memory = 3 * GIB, .files.image_path = image };
	machine.config = &config;
	machine.started = loop_now() - 5 * NSEC_PER_SEC;
	if (loop_init(&machine.board.loop) || control_open(&control, "test", true))
		exit(1);
	config.name = control.socket.name;
	machine.control = &control;
	bus_init(&machine.board.ports, "port", 0x10000);
	bus_init(&machine.board.mmio_bus, "MMIO", 0);
	if (machine_open_control(&machine) != STATUS_OK)
		exit(1);
}

static void end(void)
{
	control_stop(&control);
	loop_close(&machine.board.loop);
	control_close(&control, machine.status);
}

/* Is @part in the answer to @request? */
static bool ask(const char *request, const char *part)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct sockaddr_un address;
	ssize_t got;

	control_address(where, "test", &address);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    write(fd, request, strlen(request)) < 0)
		exit(1);
	while (loop_wait(&machine.board.loop, 5) > 0)
		;
	got = read(fd, heard, CONTROL_ANSWER_MAX);
	heard[got > 0 ? got : 0] = '\0';
	close(fd);
	while (loop_wait(&machine.board.loop, 5) > 0)
		;
	if (strstr(heard, part))
		return true;
	printf("# heard %s\n", heard);
	return false;
}

static bool heeded, in_pause;
static unsigned int pressed;

static bool press(void *device)
{
	(void)device;
	pressed++;
	in_pause = machine.pause.wanted;
	return heeded;
}

#define REQUEST(rest)	"{\"version\":1,\"command\":" rest "}\n"

static void states(void)
{
	start("/boot/vm\xff\n\"linuz");
	ok(ask(REQUEST("\"status\""), "\"result\":{\"name\":\"test\",\"pid\":"), "the status has the name");
	ok(strstr(heard, ",\"state\":\"running\",\"vcpus\":4,\"memory\":3221225472,\"uptime\":5,"),
	   "and state, vCPUs, memory, uptime");
	ok(strstr(heard, "\"image\":\"/boot/vm?\\n\\\"linuz\""), "and the image, made UTF-8");
	machine.pause.complete = true;
	ok(ask(REQUEST("\"status\""), "\"state\":\"paused\""), "also in a pause");
	machine.pause.complete = false;
	machine.exits[MVM_EXIT_IO] = 12345678901234;
	machine.board.ports.unclaimed_reads = 7;
	ok(ask(REQUEST("\"stat\""), "\"exits\":{\"port I/O\":12345678901234}"), "stat counts exits");
	ok(strstr(heard, "\"ports\":[{\"device\":\"unclaimed\",\"reads\":7,\"writes\":0}]"),
	   "and accesses");
	end();
}

static void buttons(void)
{
	start("image");
	machine.board.env.power_button = press;
	heeded = true;
	ok(ask(REQUEST("\"stop\""), "\"how\":\"power-button\"") && pressed == 1 && !machine.stopped,
	   "stop presses the power button");
	machine.pause.wanted = true;
	ok(ask(REQUEST("\"stop\""), "\"how\":\"power-button\"") && pressed == 2 && !in_pause,
	   "in a pause after its end");
	heeded = false;
	ok(ask(REQUEST("\"stop\""), "\"how\":\"ended-deaf\"") && pressed == 3 && machine.stopped &&
	   machine.status == STATUS_KILLED, "and ends a VM whose guest does not heed it");
	end();
	start("image");
	ok(ask(REQUEST("\"stop\""), "\"how\":\"ended-deaf\"") && machine.stopped,
	   "a machine without a button ends");
	end();
	start("image");
	machine.board.env.power_button = press;
	heeded = true;
	ok(ask(REQUEST("\"stop\",\"force\":true"), "\"how\":\"ended\"") && pressed == 3 &&
	   machine.stopped && machine.status == STATUS_KILLED, "by force the button is not used");
	end();
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(folder))
		return 1;
	snprintf(where, sizeof(where), "%s/run", folder);
	setenv("MINI_VM_RUNTIME_DIR", where, 1);
	states();
	buttons();
	rmdir(where);
	ok(!rmdir(folder), "no file is left");
	return tap_done();
}
