// SPDX-License-Identifier: GPL-2.0-only
/* test_pin.c - lists of host CPUs, and a thread that moves to one of them. */
#include <errno.h>
#include <sched.h>
#include <string.h>

#include "pin.h"
#include "tap.h"

static void good(const char *text, unsigned int count, unsigned int first, unsigned int last)
{
	struct pin_list list;
	const char *wrong = pin_parse(text, &list);

	ok(!wrong && list.count == count && list.cpus[0] == first && list.cpus[count - 1] == last,
	   "'%s' is a list of %u", text, count);
}

static void bad(const char *text)
{
	struct pin_list list;

	ok(pin_parse(text, &list) != NULL, "'%s' is no list", text);
}

static void test_lists(void)
{
	good("0", 1, 0, 0);
	good("8191", 1, 8191, 8191);
	good("3,1", 2, 3, 1);
	good("0,2-3", 3, 0, 3);
	good("5-5,5", 2, 5, 5);
	good("0-63", 64, 0, 63);
	bad("");
	bad(",");
	bad("1,");
	bad(",1");
	bad("1,,2");
	bad("-1");
	bad("1-");
	bad("2-1");
	bad("8192");
	bad("99999999999999999999");
	bad("0-64");
	bad("0-63,0");
	bad("0-8191");
	bad("1 2");
	bad("0x1");
}

/* Which CPUs may this thread use? */
static int allowed(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	sched_getaffinity(0, sizeof(set), &set);
	return CPU_COUNT(&set);
}

static void test_moves(void)
{
	static struct pin_list list;
	static struct pin_mask mask;
	int before = allowed(), cpu = sched_getcpu();

	is(pin_save(&mask), 0, "the kernel says where this thread may run");
	list = (struct pin_list) { .count = 2, .cpus = { (u16)cpu, PIN_CPUS_MAX - 1 } };
	is(pin_set(&list, 0), 0, "it moves to one CPU");
	is(allowed(), 1, "and no other");
	is(sched_getcpu(), cpu, "of that number");
	is(pin_set(&list, 1), -EINVAL, "not to one that is not there");
	is(pin_set(&list, 2), 0, "the list begins anew");
	is(pin_restore(&mask), 0, "and the thread goes back");
	is(allowed(), before, "to where it was");
}

int main(void)
{
	test_lists();
	test_moves();
	return tap_done();
}
