// SPDX-License-Identifier: GPL-2.0-only
/*
 * report.c - sentences on stderr.
 *
 * Called from everywhere.  Each report is one write(2), so that it does not
 * mix with the guest's output, and knows whether the terminal is raw (then a
 * line ends with CR LF).
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "report.h"

static bool terminal_is_raw;

/**
 * report_set_raw() - say whether stderr's terminal is in raw mode
 * @raw: true from the moment that term.c makes it so until it is restored
 */
void report_set_raw(bool raw)
{
	terminal_is_raw = raw;
}

static void report(const char *prefix, const char *format, va_list args)
{
	char text[1024];
	size_t used;
	ssize_t written;
	int length;

	used = (size_t)snprintf(text, sizeof(text) - 2, "%s", prefix);
	length = vsnprintf(text + used, sizeof(text) - 2 - used, format, args);
	if (length < 0)
		return;
	used += (size_t)length;
	if (used > sizeof(text) - 3)
		used = sizeof(text) - 3;
	if (terminal_is_raw)
		text[used++] = '\r';
	text[used++] = '\n';
	written = write(STDERR_FILENO, text, used);
	(void)written;		/* there is nobody left to tell */
}

/**
 * report_error() - print one sentence that a person can act on
 * @format: printf format, without a line end; "mini-vm: " is put before it
 */
void report_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report("mini-vm: ", format, args);
	va_end(args);
}

/**
 * report_line() - print a line of a longer report (registers, statistics)
 * @format: printf format, without a line end
 */
void report_line(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report("", format, args);
	va_end(args);
}
