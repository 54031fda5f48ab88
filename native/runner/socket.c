/* Sockets, and descriptors sent over them. */
#include "runner/socket.h"

#include "runner/wait.h"
#include "system/memory.h"
#include "system/sys.h"

#include <asm/socket.h>
#include <linux/un.h>

enum { SOCKET_UNIX = 1, LEVEL_SOCKET = 1, PASS_RIGHTS = 1, MESSAGE_CLOEXEC = 0x40000000, CONNECT_SECONDS = 10 };

/* struct iovec, struct msghdr and struct cmsghdr as the kernel has them (linux/uio.h, socket.h). */
struct io_vector {
	void *base;
	size_t length;
};

struct message {
	void *name;
	int name_length;
	struct io_vector *vectors;
	size_t vector_count;
	void *control;
	size_t control_length;
	unsigned int flags;
};

struct rights {
	size_t length;
	int level;
	int type;
	int fd;
	int padding;
};

long unix_socket(const char *path, int type, bool is_bound)
{
	const long patience[2] = {CONNECT_SECONDS, 0};
	struct sockaddr_un address = {.sun_family = SOCKET_UNIX};
	size_t length = path ? strlen(path) : 0;
	long fd, r;

	if (!length || length >= sizeof address.sun_path)
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, length);
	if (*path == '@')
		address.sun_path[0] = '\0';
	else
		length++;
	length += offsetof(struct sockaddr_un, sun_path);
	fd = sys(socket, SOCKET_UNIX, type | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	r = sys(setsockopt, fd, LEVEL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	if (r >= 0)
		r = is_bound ? sys(bind, fd, &address, length) : sys(connect, fd, &address, length);
	return r < 0 ? r : fd;
}

int send_descriptor(int socket, int fd, const char *name, size_t length)
{
	struct io_vector data = {(void *)(uintptr_t)name, length};
	struct rights rights = {.length = sizeof rights - sizeof(int), .level = LEVEL_SOCKET, .type = PASS_RIGHTS, .fd = fd};
	struct message message = {.vectors = &data, .vector_count = 1, .control = &rights,
				  .control_length = sizeof rights};
	long r = sys(sendmsg, socket, &message, 0);

	return r < 0 ? (int)r : 0;
}

long receive_message(struct vm *vm, int socket, void *to, size_t size, int *fd)
{
	struct io_vector data = {to, size};
	struct rights rights = {0};
	struct message message = {.vectors = &data, .vector_count = 1, .control = &rights,
				  .control_length = sizeof rights};
	long r = wait_readable(vm, socket, -1);

	if (r >= 0)
		r = sys(recvmsg, socket, &message, MESSAGE_CLOEXEC);
	if (r > 0 && rights.type == PASS_RIGHTS)
		*fd = rights.length == sizeof rights - sizeof(int) ? rights.fd : -EPROTO;
	return r;
}
