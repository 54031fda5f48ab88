/* A question to a program that answers on a unix socket. */
#include "runner/socket.h"
#include "runner/vm.h"
#include "runner/wait.h"
#include "system/file.h"
#include "system/memory.h"
#include "system/text.h"

enum { SOCKET_STREAM = 1, SHUT_WRITING = 1, ANSWER_TIMEOUT_MS = 10000 };

/* Reads to the end, of more than there is room for the beginning. */
static long read_reply(struct vm *vm, int socket)
{
	char *reply = vm->shared->detail;
	size_t used = 0;
	long r;

	do {
		r = wait_readable(vm, socket, ANSWER_TIMEOUT_MS);
		if (r >= 0)
			r = sys(read, socket, reply + used, DETAIL_SIZE - 1 - used);
		used += r > 0 ? (size_t)r : 0;
		reply[used] = '\0';
	} while (r > 0 && used < DETAIL_SIZE - 1);
	return r;
}

int op_ask(struct vm *vm, const struct step *s)
{
	char path[256], directory[40];
	const char *request = string(vm, s, 2);
	long socket, r;

	/* The address of a socket has room only for a short path. */
	name_of_fd(directory, slot(vm, s, 0));
	if (!JOIN(path, directory, "/", string(vm, s, 1)))
		return -ENAMETOOLONG;
	r = socket = unix_socket(path, SOCKET_STREAM, false);
	if (r >= 0)
		r = write_all((int)socket, request, strlen(request));
	if (r >= 0)
		r = sys(shutdown, socket, SHUT_WRITING);
	if (r >= 0)
		r = read_reply(vm, (int)socket);
	if (socket >= 0)
		r = closing(socket, r);
	if (r < 0)
		return (int)r;
	return has_prefix(vm->shared->detail, string(vm, s, 3)) ? 0 : -EPROTO;
}
