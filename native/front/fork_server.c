/*
 * The fork server: it runs kept programs for a program that has loaded the library (src/runtime/fork-server.ts), which
 * would have to copy itself for each. A fork of Node.js takes two milliseconds, and more the more memory it has; this
 * process has a few pages, executes nothing anew, and has taken itself off its file once for all containers.
 *
 * It is a child of that program, has the same of all that a container inherits, and ends with it; so do its runs. What it says are
 * reports, each with the number of the order that it answers.
 */
#include "front/front.h"
#include "runner/vm.h"
#include "runner/wait.h"
#include "system/file.h"
#include "system/memory.h"
#include "system/process.h"

#include <asm/signal.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/signalfd.h>
#include <linux/wait.h>

enum { MAX_RUNS = 4096, MAX_CALL_WORDS = 16 };

struct server {
	int socket, signals;
	long pid;
	int highest; /* descriptor that it has had */
	uint32_t count;
	struct {
		uint32_t number;
		int32_t pid;
	} runs[MAX_RUNS];
	char words[MAX_ORDER];
};

static long reply(const struct server *server, uint32_t number, struct report report)
{
	report.order = number;
	return write_all(server->socket, (const char *)&report, sizeof report);
}

static long say_end(const struct server *server, uint32_t number, int status)
{
	return reply(server, number, (struct report){.kind = REPORT_ENDED, .status = status});
}

/* Closes the descriptors above the socket: some are pipes of other runs, whose readers wait until nobody has them open. */
static void close_others(const struct server *server)
{
	if (probe(close_range, server->socket + 1, ~0U) != -ENOSYS) /* Linux 5.9 */
		return;
	for (int fd = server->socket + 1; fd <= server->highest; fd++)
		probe(close, fd);
}

static int become_run(struct vm *vm, const struct server *server, const struct order *order, const struct call *call)
{
	static char name[] = "bundle-tool";
	char *argv[MAX_CALL_WORDS + 2] = {name}, *word = (char *)server->words;
	struct call run = {.argv = argv, .env = call->env, .exe = call->exe};
	const char *end = word + order->words;
	long r = 0;

	for (int i = 1; word < end && i <= MAX_CALL_WORDS; word += strlen(word) + 1)
		argv[i++] = word;
	for (int fd = 0; fd < 3 && r >= 0; fd++) {
		r = order->value[fd];
		if (r < 0)
			r = sys(openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC);
		if (r >= 0 && r != fd)
			r = sys(dup3, r, fd, 0);
	}
	close_others(server);
	vm->order = order->number;
	if (r >= 0)
		r = end_with_caller(vm, server->pid);
	return r < 0 || word < end ? NO_PROGRAM : execute_kept(vm, &run, server->socket);
}

/* The descriptors that it has been given are its own: pipes that were made for it. */
static long close_values(const struct server *server, const struct order *order)
{
	long r = 0;

	for (int i = 0; i < 3 && r >= 0; i++)
		if (order->value[i] > server->socket)
			r = sys(close, order->value[i]);
	return r;
}

static long start_run(struct vm *vm, struct server *server, const struct order *order, const struct call *call)
{
	struct clone_args args = {.exit_signal = SIGCHLD};
	long pid = server->count < MAX_RUNS ? start_process(&args) : -EAGAIN, r;

	if (pid == 0)
		exit_with(become_run(vm, server, order, call));
	r = close_values(server, order);
	if (r < 0 || pid < 0)
		return r < 0 ? r : say_end(server, order->number, NO_PROGRAM);
	server->runs[server->count].number = order->number;
	server->runs[server->count++].pid = (int32_t)pid;
	return 0;
}

/* The program opens its end by way of /proc/PID/fd, and says then that it can be closed. */
static long make_pipe(struct server *server, uint32_t number)
{
	int pipe[2] = {-1, -1};
	long r = sys(pipe2, pipe, O_CLOEXEC);

	for (int i = 0; i < 2; i++)
		if (pipe[i] > server->highest)
			server->highest = pipe[i];
	return reply(server, number, (struct report){.kind = REPORT_PIPE, .error = (int32_t)-r, .pid = pipe[0], .status = pipe[1]});
}

static long send_signal(const struct server *server, const struct order *order)
{
	for (uint32_t i = 0; i < server->count; i++)
		if (server->runs[i].number == order->number)
			return sys(kill, server->runs[i].pid, order->value[0]);
	return 0; /* it has ended, and the program is about to hear of it */
}

static long read_whole(int fd, void *to, size_t size)
{
	for (size_t done = 0; done < size;) {
		long r = sys(read, fd, (char *)to + done, size - done);

		if (r <= 0)
			return r < 0 ? r : -EPIPE;
		done += (size_t)r;
	}
	return 0;
}

static long take_order(struct vm *vm, struct server *server, const struct call *call)
{
	struct order order;
	long r = read_whole(server->socket, &order, sizeof order);

	if (r < 0 || order.words > sizeof server->words)
		return r < 0 ? r : -EMSGSIZE;
	r = read_whole(server->socket, server->words, order.words);
	if (r < 0 || (order.words && server->words[order.words - 1]))
		return r < 0 ? r : -EBADMSG;
	switch ((enum order_kind)order.kind) {
	case ORDER_RUN:
		return start_run(vm, server, &order, call);
	case ORDER_PIPE:
		return make_pipe(server, order.number);
	case ORDER_CLOSE:
		return close_values(server, &order);
	case ORDER_SIGNAL:
		return send_signal(server, &order);
	}
	return -EBADMSG;
}

static long reap_runs(struct server *server)
{
	struct signalfd_siginfo info;
	long r = sys(read, server->signals, &info, sizeof info);

	while (r >= 0) {
		int status;
		long pid = sys(wait4, -1, &status, WNOHANG, NULL);
		uint32_t i = 0;

		if (pid <= 0)
			return pid == -ECHILD ? 0 : pid;
		while (i < server->count && server->runs[i].pid != pid)
			i++;
		if (i == server->count) /* none of them */
			continue;
		r = say_end(server, server->runs[i].number, exit_code(status));
		server->runs[i] = server->runs[--server->count];
	}
	return r;
}

int serve(struct vm *vm, const struct call *call, int socket)
{
	static struct server server;
	uint64_t all = ~0ULL, child = 1ULL << (SIGCHLD - 1);
	long r = sys(rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof all);

	server.socket = socket;
	server.pid = sys(getpid);
	if (r >= 0)
		r = sys(fcntl, socket, F_SETFD, FD_CLOEXEC);
	if (r >= 0) /* what the program was called in can be unmounted when it has left */
		r = sys(chdir, "/");
	if (r >= 0)
		r = server.highest = server.signals = (int)sys(signalfd4, -1, &child, sizeof child, SFD_CLOEXEC);
	while (r >= 0) {
		struct pollfd fds[2] = {{socket, POLLIN, 0}, {server.signals, POLLIN, 0}};

		r = sys(ppoll, fds, 2, NULL, NULL, 0);
		if (r >= 0 && fds[1].revents)
			r = reap_runs(&server);
		if (r >= 0 && fds[0].revents)
			r = take_order(vm, &server, call);
	}
	return r == -EPIPE ? 0 : 1;
}
