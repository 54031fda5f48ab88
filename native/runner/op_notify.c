/* sd_notify(3) of a container, passed on to the socket of the host. */
#include "runner/run.h"
#include "runner/socket.h"
#include "runner/vm.h"
#include "runner/wait.h"
#include "system/file.h"
#include "system/memory.h"
#include "system/process.h"
#include "system/text.h"

#include <asm/signal.h>
#include <linux/sched.h>

enum { SOCKET_DATAGRAM = 2, MESSAGE_SIZE = 4096, DONT_WAIT = 0x40, BARRIER_TIMEOUT_MS = 30000 };

int op_bind(struct vm *vm, const struct step *s)
{
	return fill_slot(vm, s, 0, unix_socket(string(vm, s, 1), SOCKET_DATAGRAM, true));
}

/* A line of a message that begins with READY=, its end a NUL; NULL when there is none. */
static const char *ready_line(char *message)
{
	char *end = message;

	for (char *line = message; *end; line = end + 1) {
		for (end = line; *end && *end != '\n';)
			end++;
		if (end - line < 6 || memcmp(line, "READY=", 6))
			continue;
		*end = '\0';
		return line;
	}
	return NULL;
}

/* One line, a message of its own. */
static long tell(long host, const char *name, const char *value)
{
	char text[MESSAGE_SIZE + 2];

	return JOIN(text, name, value, "\n") ? write_all((int)host, text, strlen(text)) : -EMSGSIZE;
}

/* Sends "BARRIER=1" with a pipe, which its reader closes once it has read everything before; not every reader does. */
static long pass_barrier(struct vm *vm, long host)
{
	int pipe[2];
	long r = sys(pipe2, pipe, O_CLOEXEC);

	if (r >= 0)
		r = send_descriptor((int)host, pipe[1], "BARRIER=1", 9);
	if (r >= 0)
		r = sys(close, pipe[1]);
	if (r >= 0)
		r = wait_readable(vm, pipe[0], BARRIER_TIMEOUT_MS);
	return r == -ETIMEDOUT ? 0 : r;
}

/* Until the container says that it is ready, or has ended: a negative pidfd. */
static long relay(struct vm *vm, const struct step *s, int pidfd)
{
	static char message[MESSAGE_SIZE + 1];
	const char *ready = NULL;
	long host = unix_socket(string(vm, s, 1), SOCKET_DATAGRAM, false), r = host;

	while (r >= 0 && !ready) {
		r = pidfd < 0 ? 0 : wait_either(vm, slot(vm, s, 0), pidfd, -1);
		if (r >= 0)
			r = sys(recvfrom, slot(vm, s, 0), message, MESSAGE_SIZE, DONT_WAIT, NULL, NULL);
		message[r > 0 ? r : 0] = '\0';
		ready = ready_line(message);
	}
	if (r == -EAGAIN) /* no message: it is the container that has ended */
		return 0;
	if (r >= 0)
		r = tell(host, ready, "");
	if (r >= 0)
		r = tell(host, "MAINPID=", text(vm, s, 3, 0, NULL));
	return r < 0 ? r : pass_barrier(vm, host);
}

int op_notify_relay(struct vm *vm, const struct step *s)
{
	const char *given = string(vm, s, 2);
	uint64_t pid = (uint64_t)vm->shared->pid;
	struct clone_args args = {.exit_signal = SIGCHLD};
	long pidfd, r;

	if (given && !parse_decimal(&given, &pid))
		return -EINVAL;
	pidfd = sys(pidfd_open, pid, 0); /* before anybody reaps it */
	if (pidfd < 0 && pidfd != -ESRCH)
		return (int)pidfd;
	if (!s->arg[4])
		return (int)relay(vm, s, (int)pidfd);
	r = start_process(&args);
	if (r != 0)
		return r < 0 ? (int)r : 0;
	vm->signals = -1; /* they are the runner's business */
	exit_with(close_of_host(vm) < 0 || relay(vm, s, (int)pidfd) < 0);
}
