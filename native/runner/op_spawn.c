/* Helpers: programs that a step runs to their end. */
#include "runner/vm.h"
#include "runner/wait.h"
#include "system/caller.h"
#include "system/environment.h"
#include "system/memory.h"
#include "system/process.h"
#include "system/text.h"

#include <asm/signal.h>
#include <linux/memfd.h>
#include <linux/sched.h>
#include <linux/wait.h>

struct helper {
	const char *path;
	char **argv;
	char **env;
	const char *input;
	int timeout_ms; /* -1: none */
};

/*
 * In the process that will be the helper: stdin and output are given, signals as a new program expects them, and the umask is
 * the caller's: what hooks make is not for everybody to write.
 */
static _Noreturn void become(const struct vm *vm, const struct helper *helper, int in, int out)
{
	long r = sys(umask, vm->umask);

	if (r >= 0)
		r = sys(dup3, in, 0, 0);
	for (int fd = 1; fd <= 2 && r >= 0; fd++)
		r = sys(dup3, out, fd, 0);
	if (r >= 0)
		execute_file(helper->path, helper->argv, helper->env);
	exit_with(NOT_EXECUTED);
}

/* Reads what the helper writes; of more than there is room for, the end is kept. 0 at its end. */
static long take_output(struct vm *vm, int from, size_t *used)
{
	char *detail = vm->shared->detail;
	size_t half = DETAIL_SIZE / 2;
	long r = sys(read, from, detail + *used, DETAIL_SIZE - 1 - *used);

	if (r <= 0)
		return r;
	*used += (size_t)r;
	detail[*used] = '\0';
	if (*used == DETAIL_SIZE - 1) {
		memcpy(detail, detail + *used - half, half);
		*used = half;
	}
	return r;
}

/* A file in memory for the helper's stdin: of any size, whether and when it is read or not. */
static long open_input(const char *input)
{
	size_t length = strlen(input);
	long fd = sys(memfd_create, "input", MFD_CLOEXEC), r;

	if (fd < 0 || !length)
		return fd;
	r = sys(pwrite64, fd, input, length, 0);
	if (r == (long)length)
		return fd;
	if (r >= 0)
		r = FAIL_AS(pwrite64, -EIO);
	return closing(fd, r);
}

/* Takes the helper's output until it has ended, whoever still holds the pipe; a helper that is late is killed. */
static long attend(struct vm *vm, int out, int pid, int timeout_ms)
{
	long deadline = timeout_ms < 0 ? -1 : milliseconds_now() + timeout_ms, r, killed;
	bool is_open = true;
	size_t used = 0;

	while ((r = sys(wait4, pid, &vm->shared->status, WNOHANG, NULL)) == 0) {
		r = wait_once(vm, is_open ? out : -1, -1, left_ms(deadline));
		if (r > 0)
			is_open = take_output(vm, out, &used) > 0;
		if (r < 0)
			break;
	}
	while (r >= 0 && is_open && wait_once(vm, out, -1, 0) > 0)
		is_open = take_output(vm, out, &used) > 0;
	if (r >= 0)
		return 0;
	killed = sys(kill, pid, SIGKILL);
	if (killed >= 0)
		killed = reap(pid, &vm->shared->status);
	return killed < 0 ? killed : r;
}

/* Runs a program to its end. -ECHILD when it did not exit with 0; its status and output are then in vm->shared. */
static int run_helper(struct vm *vm, const struct helper *helper)
{
	int out[2] = {-1, -1};
	struct clone_args args = {.exit_signal = SIGCHLD};
	long in = open_input(helper->input), r = in, pid, closed;

	if (r >= 0)
		r = sys(pipe2, out, O_CLOEXEC);
	if (r < 0)
		return (int)r;
	pid = start_process(&args);
	if (pid == 0)
		become(vm, helper, (int)in, out[1]);
	r = sys(close, in);
	closed = sys(close, out[1]);
	if (pid < 0 || r < 0 || closed < 0)
		return (int)(pid < 0 ? pid : r < 0 ? r : closed);
	r = closing(out[0], attend(vm, out[0], (int)pid, helper->timeout_ms));
	return r < 0 ? (int)r : vm->shared->status ? -ECHILD : 0;
}

static char **environment(const struct vm *vm, const struct step *s)
{
	char *const nothing[] = {NULL};
	char **env = s->arg[5] == 2 ? with_variables(vm->env, nothing) : vm->env;

	if (!s->arg[5])
		return list(vm, s, 2);
	return s->arg[5] == 2 && (!env || !hide_variables(env, false)) ? NULL : env;
}

int op_spawn(struct vm *vm, const struct step *s)
{
	const struct helper helper = {string(vm, s, 0), list(vm, s, 1), environment(vm, s), text(vm, s, 3, 0, NULL),
				      (int)s->arg[4]};

	return helper.env ? run_helper(vm, &helper) : -ENOMEM;
}

enum { MAX_MAP_WORDS = 3 * 340 };

int op_spawn_id_map(struct vm *vm, const struct step *s)
{
	static char *argv[MAX_MAP_WORDS + 3];
	static char *env[] = {NULL};
	char pid[24], **map = list(vm, s, 1);
	const char *helper = string(vm, s, 0);
	size_t n = 0;

	decimal(pid, (uint64_t)vm->shared->pid);
	argv[n++] = (char *)(uintptr_t)helper;
	argv[n++] = pid;
	while (*map && n < MAX_MAP_WORDS + 2)
		argv[n++] = *map++;
	argv[n] = NULL;
	const struct helper mapper = {helper, argv, env, "", -1};
	return *map ? -E2BIG : run_helper(vm, &mapper);
}
