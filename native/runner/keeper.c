/* Keepers: the first process of a PID namespace, whose only child is a program beside the container. */
#include "runner/keeper.h"

#include "runner/vm.h"
#include "system/caller.h"
#include "system/file.h"
#include "system/memory.h"
#include "system/process.h"

#include <asm/signal.h>
#include <linux/mount.h>
#include <linux/poll.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/time_types.h>
#include <linux/wait.h>

enum { LOOK_MS = 100, MAX_FDS = 1024 };

static long set_stdio(int in, int out, int error)
{
	const int given[] = {in, out, error};
	long r = 0;

	for (int fd = 0; fd <= 2 && r >= 0; fd++)
		r = given[fd] < 0 ? 0 : sys(dup3, given[fd], fd, 0);
	return r;
}

/* In the process that becomes the program. */
static _Noreturn void become(const struct vm *vm, const struct keeper *k)
{
	static char *env[] = {NULL};
	uint64_t none = 0;
	long r = sys(umask, vm->umask);

	if (r >= 0)
		r = set_stdio(-1, k->ready_fd == 1 ? k->ready : k->output, k->output);
	if (r >= 0 && k->ready_fd > 2)
		r = sys(dup3, k->ready, k->ready_fd, 0);
	if (r >= 0)
		r = default_signals();
	if (r >= 0)
		r = sys(rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof none);
	if (r >= 0)
		r = sys(execve, k->argv[0], k->argv, env);
	exit_with(NOT_EXECUTED);
}

/* Moves what is kept to its numbers, from above all of them, and closes all else. */
static long keep_descriptors(struct keeper *k)
{
	int *const all[] = {&k->fd[OUTPUT], &k->fd[READY], &k->fd[TOLD], &k->fd[PIDFD], &k->output, &k->ready, &k->network};
	const int count = sizeof all / sizeof *all;
	long null = sys(openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC), r = null;

	if (r >= 0)
		r = set_stdio((int)null, (int)null, (int)null);
	for (int i = 0; i < count && r >= 0; i++)
		if (*all[i] >= 0)
			r = *all[i] = (int)sys(fcntl, *all[i], F_DUPFD_CLOEXEC, OUTPUT + count);
	for (int i = 0; i < count && r >= 0; i++) {
		r = *all[i] < 0 ? sys(close, OUTPUT + i) : sys(dup3, *all[i], OUTPUT + i, O_CLOEXEC);
		if (r == -EBADF && *all[i] < 0)
			r = 0;
		if (*all[i] >= 0)
			*all[i] = OUTPUT + i;
	}
	if (r >= 0)
		r = sys(close_range, OUTPUT + count, ~0U, 0);
	if (r != -ENOSYS)
		return r;
	for (int fd = OUTPUT + count; fd < MAX_FDS; fd++)
		probe(close, fd);
	return 0;
}

/* Puts the network namespace where the program looks for it, in a mount namespace that nobody else sees. */
static long show_network(const struct keeper *k)
{
	char name[40];
	long r = sys(mount, NULL, "/", NULL, MS_SLAVE | MS_REC, NULL);

	name_of_fd(name, k->network);
	if (r >= 0)
		r = sys(mount, name, k->at, NULL, MS_BIND, NULL);
	return r < 0 ? r : sys(close, k->network);
}

/* Takes output: the runner reports it if the program fails before it is ready, later it goes nowhere. False at its end. */
static bool take_output(struct vm *vm, int from, size_t *used)
{
	char nowhere[DETAIL_SIZE], *to = used ? vm->shared->detail + *used : nowhere;
	size_t room = used ? DETAIL_SIZE - 1 - *used : sizeof nowhere;
	long r = sys(read, from, room ? to : nowhere, room ? room : sizeof nowhere);

	if (r > 0 && used && room) {
		*used += (size_t)r;
		vm->shared->detail[*used] = '\0';
	}
	return r > 0;
}

static bool has_container_ended(const struct vm *vm, const struct keeper *k)
{
	char state;
	uint64_t start_time;

	return read_process((uint64_t)vm->shared->pid, &state, &start_time) < 0 || start_time != k->start_time ||
	       state == 'Z' || state == 'X';
}

/*
 * Waits for what comes first: output, a sign of readiness, the end of the container. Before Linux 5.3 it looks for that, and
 * for the end of a program that has closed its output.
 */
static long wait_for_news(const struct vm *vm, const struct keeper *k, struct pollfd *fds)
{
	const struct __kernel_timespec look = {.tv_nsec = LOOK_MS * 1000000L};

	for (int i = 0; i < KEPT_FDS; i++)
		fds[i] = (struct pollfd){.fd = i == OUTPUT || i == READY || i == PIDFD ? k->fd[i] : -1, .events = POLLIN};
	long r = sys(ppoll, fds, KEPT_FDS, k->fd[PIDFD] < 0 || k->fd[OUTPUT] < 0 ? &look : NULL, NULL, 0);
	if (r >= 0 && k->fd[PIDFD] < 0 && has_container_ended(vm, k))
		fds[PIDFD].revents = POLLIN;
	return r;
}

/* Until the program or the container has ended: all that the program has started ends with this process. */
static _Noreturn void keep(struct vm *vm, struct keeper *k, int program)
{
	struct pollfd fds[KEPT_FDS];
	bool is_ready = false;
	size_t used = 0;
	char byte;

	while (wait_for_news(vm, k, fds) >= 0 && !fds[PIDFD].revents) {
		if (fds[OUTPUT].revents && !take_output(vm, OUTPUT, is_ready ? NULL : &used))
			k->fd[OUTPUT] = -1;
		if (k->fd[OUTPUT] < 0 && sys(wait4, program, &vm->shared->status, WNOHANG, NULL) != 0)
			break;
		if (!fds[READY].revents)
			continue;
		k->fd[READY] = -1;
		is_ready = sys(read, READY, &byte, 1) == 1;
		if (is_ready && (write_all(TOLD, &byte, 1) < 0 || sys(close, TOLD) < 0))
			break;
	}
	exit_with(0);
}

_Noreturn void fail_as_keeper(struct vm *vm, long error)
{
	vm->shared->keeper_error = (int32_t)-error;
	vm->shared->keeper_call = (int32_t)call_of(error);
	exit_with(1);
}

/* The first process of the new PID namespace. Keys of the terminal are for the container alone. */
_Noreturn void run_keeper(struct vm *vm, struct keeper *k)
{
	struct clone_args args = {.exit_signal = SIGCHLD};
	long r = keep_descriptors(k), program;

	if (r >= 0)
		r = sys(setsid);
	if (r >= 0)
		r = sys(prctl, PR_SET_DUMPABLE, 0);
	if (r >= 0)
		r = show_network(k);
	program = r < 0 ? r : start_process(&args);
	if (program == 0)
		become(vm, k);
	r = program < 0 ? program : sys(chdir, "/");
	if (r >= 0)
		r = sys(close, k->output);
	if (r >= 0)
		r = sys(close, k->ready);
	if (r < 0)
		fail_as_keeper(vm, r);
	keep(vm, k, (int)program);
}
