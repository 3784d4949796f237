/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * socket.h - the file of a control socket, from its first moment to its last.
 */
#ifndef MINI_VM_CONTROL_SOCKET_H
#define MINI_VM_CONTROL_SOCKET_H

#include <sys/types.h>

#include "../name.h"
#include "../types.h"

/**
 * struct control_socket - a listening socket with a name
 * @listener:	listens; -1: there is none
 * @keeper:	process that removes the name once @lifeline is closed
 * @lifeline:	pipe to it; the kernel closes it however this process ends
 * @name:	of the VM
 */
struct control_socket {
	int listener;
	pid_t keeper;
	int lifeline;
	char name[NAME_MAX_LENGTH + 1];
};

int control_socket_open(struct control_socket *socket, const char *name,
			bool exact);
void control_socket_close(struct control_socket *socket);

#endif /* MINI_VM_CONTROL_SOCKET_H */
