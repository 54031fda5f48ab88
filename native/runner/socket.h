/* Sockets by which descriptors are sent. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct vm;

/* A new unix(7) socket, bound or connected to a path; "@" begins an abstract name. */
long unix_socket(const char *path, int type, bool is_bound);

/* recvmsg(2), with a descriptor into *fd when there is one. */
long receive_message(struct vm *vm, int socket, void *to, size_t size, int *fd);

/* sendmsg(2) of a descriptor with a name. */
int send_descriptor(int socket, int fd, const char *name, size_t length);
