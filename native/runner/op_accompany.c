/* Programs beside the container: each is started, its keeper recorded, and ended. */
#include "runner/keeper.h"
#include "runner/run.h"
#include "runner/vm.h"
#include "runner/wait.h"
#include "system/file.h"
#include "system/memory.h"
#include "system/process.h"
#include "system/text.h"

#include <asm/signal.h>
#include <linux/sched.h>

enum { READY_TIMEOUT_MS = 10000 };

/* In a process of its own, which enters the user namespace: the rights there are for the keeper alone. */
static _Noreturn void enter_and_start(struct vm *vm, struct keeper *k)
{
	struct clone_args args = {.flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_PARENT | CLONE_PARENT_SETTID,
				  .parent_tid = (uint64_t)(uintptr_t)&vm->shared->keeper};
	long r = close_of_host(vm);

	if (r >= 0 && k->user >= 0) {
		r = sys(setns, k->user, CLONE_NEWUSER);
		if (r >= 0)
			r = sys(setresgid, 0, 0, 0);
		if (r >= 0)
			r = sys(setresuid, 0, 0, 0);
	}
	if (r >= 0)
		r = start_process(&args);
	if (r == 0)
		run_keeper(vm, k);
	if (r < 0)
		fail_as_keeper(vm, r);
	exit_with(0);
}

/* The pid of the keeper, which has begun its work. */
static long start_keeper(struct vm *vm, struct keeper *k)
{
	struct clone_args args = {.exit_signal = SIGCHLD};
	int status = 0;
	long r = start_process(&args);

	if (r == 0)
		enter_and_start(vm, k);
	if (r > 0)
		r = reap((int)r, &status);
	return r < 0 ? r : vm->shared->keeper;
}

/* Waits until the program is ready: -ECHILD when it has failed, its output then in vm->shared. */
static long wait_until_ready(struct vm *vm, int told)
{
	char byte;
	long r = wait_readable(vm, told, READY_TIMEOUT_MS);

	if (r >= 0)
		r = sys(read, told, &byte, 1);
	if (r == 0)
		r = vm->shared->keeper_error ? fail_as(vm->shared->keeper_call, -vm->shared->keeper_error) : -ECHILD;
	return r;
}

static long write_record(const char *path, long pid)
{
	char text[64], number[24], start[24], state;
	uint64_t start_time;
	long r = read_process((uint64_t)pid, &state, &start_time);

	if (r < 0)
		return r;
	decimal(number, (uint64_t)pid);
	decimal(start, start_time);
	return JOIN(text, number, " ", start, "\n") ?
		       write_file(AT_FDCWD, path, O_CREAT | O_EXCL, 0600, text, strlen(text)) : -ENAMETOOLONG;
}

static long open_pipes(struct keeper *k, int *told)
{
	int pipes[3][2];
	long r = 0;

	for (int i = 0; i < 3 && r >= 0; i++)
		r = sys(pipe2, pipes[i], O_CLOEXEC);
	if (r < 0)
		return r;
	k->fd[OUTPUT] = pipes[0][0];
	k->output = pipes[0][1];
	k->fd[READY] = pipes[1][0];
	k->ready = pipes[1][1];
	*told = pipes[2][0];
	k->fd[TOLD] = pipes[2][1];
	return 0;
}

static long close_keepers(const struct keeper *k)
{
	const int all[] = {k->fd[OUTPUT], k->fd[READY], k->fd[TOLD], k->fd[PIDFD], k->output, k->ready};
	long r = 0;

	for (size_t i = 0; i < sizeof all / sizeof *all && r >= 0; i++)
		r = all[i] < 0 ? 0 : sys(close, all[i]);
	return r;
}

int op_accompany(struct vm *vm, const struct step *s)
{
	struct keeper k = {.network = slot(vm, s, 1), .user = has_slot(s, 2) ? slot(vm, s, 2) : -1, .at = string(vm, s, 3),
			   .argv = list(vm, s, 0), .ready_fd = (int)s->arg[4], .fd = {-1, -1, -1, -1, -1, -1, -1}};
	int told = -1, status;
	char state;
	long r = open_pipes(&k, &told), pid = 0, ended;

	if (r >= 0)
		r = read_process((uint64_t)vm->shared->pid, &state, &k.start_time);
	if (r >= 0) {
		r = sys(pidfd_open, vm->shared->pid, 0);
		k.fd[PIDFD] = r < 0 ? -1 : (int)r;
		r = r == -ENOSYS ? 0 : r;
	}
	if (r >= 0)
		r = pid = start_keeper(vm, &k);
	ended = close_keepers(&k);
	if (r >= 0)
		r = ended < 0 ? ended : wait_until_ready(vm, told);
	if (r >= 0)
		r = write_record(text(vm, s, 5, 0, NULL), pid);
	if (told >= 0)
		r = closing(told, r);
	if (r >= 0 || pid <= 0)
		return (int)(r < 0 ? r : 0);
	ended = sys(kill, pid, SIGKILL);
	if (ended >= 0 || ended == -ESRCH)
		ended = reap((int)pid, &status);
	return (int)(ended < 0 ? ended : r);
}

int op_end_recorded(struct vm *vm, const struct step *s)
{
	return (int)end_recorded(AT_FDCWD, text(vm, s, 0, 0, NULL), s->arg[1]);
}
