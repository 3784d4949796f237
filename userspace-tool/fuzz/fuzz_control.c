// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz_control.c - libFuzzer: any bytes at the control socket.
 *
 * Each line of the input is parsed.  What is a request must say so in a form that
 * can be checked from outside; what is none must give an answer of one line that
 * a client can read.
 */
#include <stdlib.h>
#include <string.h>

#include "control/protocol.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* One line, valid JSON, of the protocol's form. */
static void check_answer(char *line)
{
	json_t *answer;
	size_t length;

	require(line);
	length = strlen(line);
	require(length && length < CONTROL_ANSWER_MAX && strchr(line, '\n') == line + length - 1);
	answer = json_loadb(line, length, 0, NULL);
	require(json_integer_value(json_object_get(answer, "version")) == CONTROL_VERSION);
	require(json_is_boolean(json_object_get(answer, "ok")));
	json_decref(answer);
	free(line);
}

/* What was accepted names its command, and only "stop" may have a member more. */
static void check_request(const char *line, size_t length, const struct control_request *request)
{
	json_t *object = json_loadb(line, length, 0, NULL);

	require(json_is_object(object));
	require(json_integer_value(json_object_get(object, "version")) == CONTROL_VERSION);
	require(json_is_string(json_object_get(object, "command")));
	require((unsigned int)request->command <= CONTROL_WAIT);
	require(request->command == CONTROL_STOP || json_object_size(object) == 2);
	require(!request->force || json_is_true(json_object_get(object, "force")));
	json_decref(object);
}

static void one_line(const char *line, size_t length)
{
	struct control_request request;
	struct control_refusal refusal;

	if (control_parse(line, length, &request, &refusal)) {
		check_request(line, length, &request);
		return;
	}
	require(memchr(refusal.message, 0, sizeof(refusal.message)));
	check_answer(control_refuse(refusal.error, refusal.message));
}

/* An answer may hold any text, the image's path for example. */
static void as_text(const char *bytes, size_t size)
{
	char *text = malloc(size + 1);

	require(text);
	memcpy(text, bytes, size);
	text[size] = '\0';
	check_answer(control_answer(json_pack("{s:o}", "image", control_text(text))));
	free(text);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	json_object_seed(1);	/* the same each time */
	return 0;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	const char *line = (const char *)data, *end;

	as_text(line, size);
	while ((end = memchr(line, '\n', size))) {
		one_line(line, (size_t)(end - line));
		size -= (size_t)(end - line) + 1;
		line = end + 1;
	}
	one_line(line, size);
	return 0;
}
