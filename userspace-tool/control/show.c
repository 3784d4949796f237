// SPDX-License-Identifier: GPL-2.0-only
/*
 * show.c - members of a VM's answer, made harmless for a terminal.
 *
 * The VM may be hostile: a guest that took over its process would like to
 * write to the terminal of whoever asks.
 */
#include <stdio.h>
#include <string.h>

#include "show.h"

static bool is_c1(const unsigned char *at)
{
	return at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f;
}

/**
 * show_clean() - put '?' in place of control characters
 * @text: UTF-8
 *
 * C1 controls, U+0080 to U+009F, are c2 80 to c2 9f in UTF-8.
 */
void show_clean(char *text)
{
	unsigned char *from = (unsigned char *)text, *to = from;

	while (*from) {
		if (is_c1(from)) {
			from += 2;
			*to++ = '?';
		} else {
			*to++ = *from < 0x20 || *from == 0x7f ? '?' : *from;
			from++;
		}
	}
	*to = '\0';
}

/**
 * show_text() - a string
 * @object: may be NULL
 * @key: of the member
 * @out: its text, cut where it is too long; "-" without one
 */
void show_text(const json_t *object, const char *key, char out[SHOW_SIZE])
{
	const char *text = json_string_value(json_object_get(object, key));

	snprintf(out, SHOW_SIZE, "%s", text && *text ? text : "-");
	show_clean(out);
}

static bool number(const json_t *object, const char *key, u64 *value)
{
	const json_t *member = json_object_get(object, key);

	*value = (u64)json_integer_value(member);
	return json_is_integer(member) && json_integer_value(member) >= 0;
}

/**
 * show_number() - a number
 * @object: may be NULL
 * @key: of the member
 * @out: its digits; "-" when it is none
 */
void show_number(const json_t *object, const char *key, char out[SHOW_SIZE])
{
	u64 value;

	if (number(object, key, &value))
		snprintf(out, SHOW_SIZE, "%llu", (unsigned long long)value);
	else
		strcpy(out, "-");
}

/**
 * show_memory() - bytes, as --memory takes them
 * @object: may be NULL
 * @key: of the member
 * @out: "512M" or "2G"; "-" when it is no number
 */
void show_memory(const json_t *object, const char *key, char out[SHOW_SIZE])
{
	u64 bytes;

	if (!number(object, key, &bytes))
		strcpy(out, "-");
	else if (bytes && bytes % GIB == 0)
		snprintf(out, SHOW_SIZE, "%lluG", (unsigned long long)(bytes / GIB));
	else
		snprintf(out, SHOW_SIZE, "%lluM", (unsigned long long)(bytes / MIB));
}

/**
 * show_uptime() - seconds, in the form of ps(1): [DAYS-]HH:MM:SS
 * @object: may be NULL
 * @key: of the member
 * @out: the text; "-" when it is no number
 */
void show_uptime(const json_t *object, const char *key, char out[SHOW_SIZE])
{
	unsigned long long seconds, days;
	char prefix[32] = "";
	u64 value;

	if (!number(object, key, &value)) {
		strcpy(out, "-");
		return;
	}
	seconds = value % 86400;
	days = value / 86400;
	if (days)
		snprintf(prefix, sizeof(prefix), "%llu-", days);
	snprintf(out, SHOW_SIZE, "%s%02llu:%02llu:%02llu", prefix, seconds / 3600,
		 seconds / 60 % 60, seconds % 60);
}
