/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * client.h - talks to running VMs: what "ps", "stop" and their like share.
 */
#ifndef MINI_VM_CONTROL_CLIENT_H
#define MINI_VM_CONTROL_CLIENT_H

#include <jansson.h>
#include <sys/types.h>

#include "../types.h"
#include "protocol.h"

/* A VM that does not answer for so long is called unresponsive. */
#define CONTROL_PATIENCE_MS	5000

/**
 * struct control_link - a connection to a VM
 * @fd:		-1: none
 * @pid:	of the VM's process; 0: in a PID namespace that is not visible
 * @in:		received: the start of an answer
 * @in_count:	bytes of it
 */
struct control_link {
	int fd;
	pid_t pid;
	char *in;
	size_t in_count;
};

int control_connect(struct control_link *link, const char *name);
int control_send(struct control_link *link, json_t *request);
int control_receive(struct control_link *link, u64 deadline, json_t **result);
void control_disconnect(struct control_link *link);
json_t *control_request(const char *command);
int control_call(const char *name, const char *command, json_t **result);
int control_report(const char *name, int error);
int control_each(char **names, int (*what)(const char *name, void *context), void *context);

#endif /* MINI_VM_CONTROL_CLIENT_H */
