// SPDX-License-Identifier: GPL-2.0-only
/*
 * directory.c - finds, makes and distrusts the folder of the control sockets.
 *
 * It is /run/mini-vm for root, $XDG_RUNTIME_DIR/mini-vm for others, and where
 * there is no such variable (cron, su) a folder in /tmp, which has to belong to
 * the user: whoever may write to the folder may pose as a VM.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../report.h"
#include "directory.h"

/**
 * control_path() - name the folder
 * @path: out
 *
 * Return: 0, or -ENAMETOOLONG after a report.
 */
int control_path(char path[CONTROL_PATH_MAX + 1])
{
	const char *chosen = getenv("MINI_VM_RUNTIME_DIR");
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	int length;

	if (chosen && chosen[0] == '/')
		length = snprintf(path, CONTROL_PATH_MAX + 1, "%s", chosen);
	else if (geteuid() == 0)
		length = snprintf(path, CONTROL_PATH_MAX + 1, "/run/mini-vm");
	else if (runtime && runtime[0] == '/')
		length = snprintf(path, CONTROL_PATH_MAX + 1, "%s/mini-vm", runtime);
	else
		length = snprintf(path, CONTROL_PATH_MAX + 1, "/tmp/mini-vm-%u",
				  (unsigned int)geteuid());
	if (length >= 0 && (size_t)length <= CONTROL_PATH_MAX)
		return 0;
	report_error("the folder for control sockets has too long a name; %zu bytes are the most (XDG_RUNTIME_DIR)",
		     CONTROL_PATH_MAX);
	return -ENAMETOOLONG;
}

/* Whoever else can write there could put a socket of his own in our way. */
static int check_folder(int fd, const char *path)
{
	struct stat status;

	if (fstat(fd, &status))
		return -errno;
	if (status.st_uid != geteuid() && status.st_uid != 0) {
		report_error("%s belongs to another user; remove it, or name another folder in MINI_VM_RUNTIME_DIR",
			     path);
		return -EPERM;
	}
	if (status.st_mode & S_IWOTH ||
	    (status.st_mode & S_IWGRP && status.st_uid != 0)) {
		report_error("others may write to %s; take that away: chmod go-w %s",
			     path, path);
		return -EPERM;
	}
	return 0;
}

/**
 * control_directory() - open the folder
 * @create: make it, with mode 0700, if it is not there
 * @path: out: its name
 *
 * Return: a descriptor, -ENOENT without a report when there is none, or another
 * -errno after a report.
 */
int control_directory(bool create, char path[CONTROL_PATH_MAX + 1])
{
	int error = control_path(path), fd;

	if (error)
		return error;
	if (create && mkdir(path, 0700) && errno != EEXIST) {
		error = -errno;
		report_error("cannot make the folder %s: %s", path, strerror(errno));
		return error == -ENOENT ? -ENOTDIR : error;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		error = -errno;
		if (error != -ENOENT)
			report_error("cannot use the folder %s: %s", path, strerror(errno));
		return error;
	}
	error = check_folder(fd, path);
	if (error) {
		close(fd);
		return error;
	}
	return fd;
}

/**
 * control_address() - the address of a VM's socket
 * @path: of the folder, from control_directory()
 * @name: of the VM, valid
 * @address: out
 */
void control_address(const char *path, const char *name,
		     struct sockaddr_un *address)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	snprintf(address->sun_path, sizeof(address->sun_path), "%s/%s%s", path, name,
		 CONTROL_SUFFIX);
}

/* The VM's name in a file's, or false. */
static bool take_name(const char *file, char name[NAME_MAX_LENGTH + 1])
{
	size_t length = strlen(file), suffix = strlen(CONTROL_SUFFIX);

	if (length <= suffix || length - suffix > NAME_MAX_LENGTH ||
	    strcmp(file + length - suffix, CONTROL_SUFFIX))
		return false;
	memcpy(name, file, length - suffix);
	name[length - suffix] = '\0';
	return name_valid(name);
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

/**
 * control_names() - the names under which there are sockets, dead ones too
 * @names: out: sorted, for free()
 * @count: out: how many
 *
 * Return: 0, or -errno after a report.
 */
int control_names(char (**names)[NAME_MAX_LENGTH + 1], size_t *count)
{
	char path[CONTROL_PATH_MAX + 1];
	int fd = control_directory(false, path);
	struct dirent *entry;
	DIR *folder;

	*names = NULL;
	*count = 0;
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fd;
	folder = fdopendir(fd);
	*names = calloc(CONTROL_NAMES_MAX, sizeof(**names));
	if (!folder || !*names) {
		report_error("cannot read the folder %s: %s", path, strerror(errno));
		if (folder)
			closedir(folder);
		else
			close(fd);
		free(*names);
		return -EIO;
	}
	while ((entry = readdir(folder)) && *count < CONTROL_NAMES_MAX)
		if (take_name(entry->d_name, (*names)[*count]))
			++*count;
	closedir(folder);
	qsort(*names, *count, sizeof(**names), compare);
	return 0;
}
