// SPDX-License-Identifier: GPL-2.0-only
/*
 * size.c - parses "256M" and "2G".
 */
#include <errno.h>

#include "size.h"

/**
 * size_parse() - parse a size
 * @text: decimal digits and a suffix M or G (either case, a "iB" may follow);
 *	without a suffix MiB are meant
 * @bytes: out
 *
 * Return: 0, -EINVAL (not a size) or -ERANGE (too big for 64 bits).
 */
int size_parse(const char *text, u64 *bytes)
{
	u64 value = 0, unit = MIB;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	for (; *text >= '0' && *text <= '9'; text++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (u64)(*text - '0'), &value))
			return -ERANGE;
	switch (*text) {
	case 'g':
	case 'G':
		unit = GIB;
		text++;
		break;
	case 'm':
	case 'M':
		text++;
		break;
	default:
		break;
	}
	if (text[0] == 'i' && text[1] == 'B')
		text += 2;
	if (*text)
		return -EINVAL;
	return __builtin_mul_overflow(value, unit, bytes) ? -ERANGE : 0;
}
