/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * protocol.h - the lines that go through a control socket.
 *
 * A request is one line of JSON, and so is its answer:
 *
 *	{"version":1,"command":"stop","force":true}
 *	{"version":1,"ok":true,"result":{"how":"ended"}}
 *	{"version":1,"ok":false,"error":"bad-request","message":"..."}
 *
 * Documentation/control.rst is the manual.
 */
#ifndef MINI_VM_CONTROL_PROTOCOL_H
#define MINI_VM_CONTROL_PROTOCOL_H

#include <jansson.h>

#include "../types.h"

#define CONTROL_VERSION		1
/* bytes of a request and of an answer, line end included */
#define CONTROL_REQUEST_MAX	4096
#define CONTROL_ANSWER_MAX	65536

enum control_command {
	CONTROL_STATUS,		/* what "ps" shows */
	CONTROL_STAT,		/* that, and the counters */
	CONTROL_PAUSE,		/* answered when the vCPU has stopped */
	CONTROL_RESUME,
	CONTROL_STOP,
	CONTROL_WAIT,		/* answered when the VM has ended */
};

/* Why a request failed: the word under "error". */
enum control_error {
	CONTROL_BAD_REQUEST,
	CONTROL_BAD_VERSION,
	CONTROL_UNKNOWN_COMMAND,
	CONTROL_DENIED,
	CONTROL_BUSY,
	CONTROL_FAILED,
};

/**
 * struct control_request - a request, checked
 * @command:	what to do
 * @force:	CONTROL_STOP: do not ask the guest
 */
struct control_request {
	enum control_command command;
	bool force;
};

/**
 * struct control_refusal - why there is no request
 * @error:	for programs
 * @message:	for people
 */
struct control_refusal {
	enum control_error error;
	char message[160];
};

bool control_parse(const char *line, size_t length,
		   struct control_request *request,
		   struct control_refusal *refusal);
char *control_answer(json_t *result);
char *control_refuse(enum control_error error, const char *message);
json_t *control_text(const char *text);

#endif /* MINI_VM_CONTROL_PROTOCOL_H */
