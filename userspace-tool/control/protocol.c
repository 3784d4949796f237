// SPDX-License-Identifier: GPL-2.0-only
/*
 * protocol.c - reads requests and writes answers.
 *
 * The server (server.c) hands over each line as it came: anybody who may open
 * the socket chose it.  The fuzzer fuzz/control.c comes here too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol.h"

static const char *const commands[] = {
	[CONTROL_STATUS] = "status",
	[CONTROL_STAT] = "stat",
	[CONTROL_PAUSE] = "pause",
	[CONTROL_RESUME] = "resume",
	[CONTROL_STOP] = "stop",
	[CONTROL_WAIT] = "wait",
};

static const char *const errors[] = {
	[CONTROL_BAD_REQUEST] = "bad-request",
	[CONTROL_BAD_VERSION] = "bad-version",
	[CONTROL_UNKNOWN_COMMAND] = "unknown-command",
	[CONTROL_DENIED] = "denied",
	[CONTROL_BUSY] = "busy",
	[CONTROL_FAILED] = "failed",
};

static bool refuse(struct control_refusal *refusal, enum control_error error,
		   const char *message)
{
	refusal->error = error;
	snprintf(refusal->message, sizeof(refusal->message), "%s", message);
	return false;
}

static bool find_command(const json_t *value, struct control_request *request,
			 struct control_refusal *refusal)
{
	const char *text = json_string_value(value);
	size_t i;

	if (!text)
		return refuse(refusal, CONTROL_BAD_REQUEST,
			      "'command' is missing or not a string");
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!strcmp(text, commands[i])) {
			request->command = (enum control_command)i;
			return true;
		}
	}
	return refuse(refusal, CONTROL_UNKNOWN_COMMAND,
		      "there is no such command");
}

static bool take_members(json_t *object, struct control_request *request,
			 struct control_refusal *refusal)
{
	const json_t *version = json_object_get(object, "version");
	const json_t *force = json_object_get(object, "force");
	size_t known = 2;

	/* first, since a later version may differ in everything else */
	if (!json_is_integer(version))
		return refuse(refusal, CONTROL_BAD_REQUEST,
			      "'version' is missing or not an integer");
	if (json_integer_value(version) != CONTROL_VERSION)
		return refuse(refusal, CONTROL_BAD_VERSION,
			      "this VM speaks version 1 of the protocol");
	if (!find_command(json_object_get(object, "command"), request, refusal))
		return false;
	if (force && request->command == CONTROL_STOP) {
		if (!json_is_boolean(force))
			return refuse(refusal, CONTROL_BAD_REQUEST,
				      "'force' is not true or false");
		request->force = json_is_true(force);
		known++;
	}
	if (json_object_size(object) != known)
		return refuse(refusal, CONTROL_BAD_REQUEST,
			      "the request has a member that its command does not know");
	return true;
}

/**
 * control_parse() - read a request
 * @line: its line, any bytes, without the line end; not NUL terminated
 * @length: bytes of it
 * @request: out, when true is returned
 * @refusal: out, when false is returned
 *
 * Return: true for a valid request.
 */
bool control_parse(const char *line, size_t length,
		   struct control_request *request,
		   struct control_refusal *refusal)
{
	json_error_t error;
	json_t *object;
	bool good;

	*request = (struct control_request) { .force = false };
	/* its depth is bounded by jansson: JSON_PARSER_MAX_DEPTH */
	object = json_loadb(line, length, JSON_REJECT_DUPLICATES, &error);
	if (!object)
		return refuse(refusal, CONTROL_BAD_REQUEST,
			      "the line is not JSON");
	if (json_is_object(object))
		good = take_members(object, request, refusal);
	else
		good = refuse(refusal, CONTROL_BAD_REQUEST,
			      "the line is not a JSON object");
	json_decref(object);
	return good;
}

/* One line of it; takes @answer over. */
static char *to_line(json_t *answer)
{
	char *text, *line;
	size_t length;

	if (!answer)
		return NULL;
	text = json_dumps(answer, JSON_COMPACT);
	json_decref(answer);
	if (!text)
		return NULL;
	length = strlen(text);
	line = realloc(text, length + 2);
	if (!line) {
		free(text);
		return NULL;
	}
	memcpy(line + length, "\n", 2);
	return line;
}

/**
 * control_answer() - the answer to a request that was served
 * @result: what came of it; the reference is taken over
 *
 * Return: a line for free(), or NULL when out of memory.
 */
char *control_answer(json_t *result)
{
	return to_line(json_pack("{s:i,s:b,s:o}", "version", CONTROL_VERSION,
				 "ok", 1, "result", result));
}

/**
 * control_refuse() - the answer to a request that was not served
 * @error: for programs
 * @message: for people, one sentence in ASCII
 *
 * Return: a line for free(), or NULL when out of memory.
 */
char *control_refuse(enum control_error error, const char *message)
{
	return to_line(json_pack("{s:i,s:b,s:s,s:s}", "version",
				 CONTROL_VERSION, "ok", 0, "error",
				 errors[error], "message", message));
}

/**
 * control_text() - a JSON string of any bytes
 * @text: a file's name, for example, which need not be UTF-8
 *
 * Return: the string, '?' in place of what is not ASCII unless all of it is
 * UTF-8; NULL when out of memory.
 */
json_t *control_text(const char *text)
{
	json_t *value = json_string(text);
	char *copy, *at;

	if (value)
		return value;
	copy = strdup(text);
	if (!copy)
		return NULL;
	for (at = copy; *at; at++)
		if ((unsigned char)*at >= 0x80)
			*at = '?';
	value = json_string(copy);
	free(copy);
	return value;
}
