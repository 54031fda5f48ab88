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
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/time_types.h>
#include <linux/wait.h>

struct helper {
	const char *path;
	char **argv;
	char **env;
	const char *input;
	int timeout_ms; /* -1: none */
	const int *output; /* descriptors for its stdout and stderr; -1: what it writes there is for the report */
};

enum { OUTPUTS = 2 };

static const int reported[OUTPUTS] = {-1, -1};

/* The outputs of a helper, stdout and stderr: each through a pipe of its own, whose ends are here, or to a file (-1). */
struct outputs {
	int from[OUTPUTS], to[OUTPUTS];
	size_t used[OUTPUTS];
};

/*
 * In the process that will be the helper: stdin and output are given, signals as a new program expects them, and the umask is
 * the caller's: what hooks make is not for everybody to write.
 */
static _Noreturn void become(const struct vm *vm, const struct helper *helper, int in, const struct outputs *out)
{
	long r = sys(umask, vm->umask);

	if (r >= 0)
		r = sys(dup3, in, 0, 0);
	for (int i = 0; i < OUTPUTS && r >= 0; i++)
		r = sys(dup3, out->to[i] < 0 ? helper->output[i] : out->to[i], i + 1, 0);
	if (r >= 0)
		execute_file(helper->path, helper->argv, helper->env);
	exit_with(NOT_EXECUTED);
}

/* The room for each output: the text of the second one begins where that of the first ends at most. */
enum { ROOM = DETAIL_SIZE / OUTPUTS };

/* Reads one output of the helper; of more than there is room for, the end is kept. At its end the pipe is closed. */
static long take_output(struct vm *vm, struct outputs *out, int i)
{
	char *text = vm->shared->detail + i * ROOM;
	size_t half = ROOM / 2, *used = &out->used[i];
	long r = sys(read, out->from[i], text + *used, ROOM - 1 - *used);

	if (r <= 0) {
		long closed = sys(close, out->from[i]);

		out->from[i] = -1;
		return r < 0 ? r : closed;
	}
	*used += (size_t)r;
	if (*used == ROOM - 1) {
		memcpy(text, text + *used - half, half);
		*used = half;
	}
	return r;
}

/* Reads what is there of both outputs. */
static long take_outputs(struct vm *vm, struct outputs *out)
{
	struct pollfd fds[OUTPUTS] = {{out->from[0], POLLIN, 0}, {out->from[1], POLLIN, 0}};
	const struct __kernel_timespec now = {0};
	long r = sys(ppoll, fds, OUTPUTS, &now, NULL, 0), ready = r;

	for (int i = 0; i < OUTPUTS && r >= 0; i++)
		if (fds[i].revents)
			r = take_output(vm, out, i);
	return r < 0 ? r : ready;
}

/* Puts the texts one behind the other, with the byte between them that TypeScript divides them by. */
static void join_outputs(struct vm *vm, const struct outputs *out)
{
	char *detail = vm->shared->detail;
	size_t length = out->used[1];

	detail[out->used[0]] = OUTPUT_DIVIDER;
	for (size_t i = 0; i < length; i++)
		detail[out->used[0] + 1 + i] = detail[ROOM + i];
	detail[out->used[0] + 1 + length] = '\0';
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

/* Takes the helper's outputs until it has ended, whoever still holds the pipes; a helper that is late is killed. */
static long attend(struct vm *vm, struct outputs *out, int pid, int timeout_ms)
{
	long deadline = timeout_ms < 0 ? -1 : milliseconds_now() + timeout_ms, r, killed;

	while ((r = sys(wait4, pid, &vm->shared->status, WNOHANG, NULL)) == 0) {
		r = wait_once(vm, out->from[0], out->from[1], left_ms(deadline));
		if (r > 0)
			r = take_outputs(vm, out);
		if (r < 0)
			break;
	}
	while (r > 0 && (out->from[0] >= 0 || out->from[1] >= 0))
		r = take_outputs(vm, out);
	join_outputs(vm, out);
	if (r >= 0)
		return 0;
	killed = sys(kill, pid, SIGKILL);
	if (killed >= 0)
		killed = reap(pid, &vm->shared->status);
	return killed < 0 ? killed : r;
}

/* Makes a pipe for each output that goes to no file. */
static long open_outputs(const struct helper *helper, struct outputs *out)
{
	long r = 0;

	for (int i = 0; i < OUTPUTS && r >= 0; i++) {
		int ends[2] = {-1, -1};

		if (helper->output[i] < 0)
			r = sys(pipe2, ends, O_CLOEXEC);
		out->from[i] = ends[0];
		out->to[i] = ends[1];
	}
	return r;
}

static long close_all(const int fds[OUTPUTS])
{
	long r = 0;

	for (int i = 0; i < OUTPUTS; i++)
		if (fds[i] >= 0) {
			long closed = sys(close, fds[i]);

			r = r < 0 ? r : closed;
		}
	return r;
}

/* Runs a program to its end. -ECHILD when it did not exit with 0; its status and output are then in vm->shared. */
static int run_helper(struct vm *vm, const struct helper *helper)
{
	struct outputs out = {.from = {-1, -1}, .to = {-1, -1}};
	struct clone_args args = {.exit_signal = SIGCHLD};
	long in = open_input(helper->input), r = in, pid, closed;

	if (r >= 0)
		r = open_outputs(helper, &out);
	if (r < 0)
		return (int)r;
	pid = start_process(&args);
	if (pid == 0)
		become(vm, helper, (int)in, &out);
	r = sys(close, in);
	closed = close_all(out.to);
	if (pid < 0 || r < 0 || closed < 0)
		return (int)(pid < 0 ? pid : r < 0 ? r : closed);
	r = attend(vm, &out, (int)pid, helper->timeout_ms);
	closed = close_all(out.from);
	r = r < 0 ? r : closed;
	if (r >= 0 && !vm->shared->status)
		vm->shared->detail[0] = '\0'; /* which is for a failure of this step alone */
	return r < 0 ? (int)r : vm->shared->status ? -ECHILD : 0;
}

/* The descriptors are the helpers' from here on: no step that closes slots closes them. */
int op_helper_output(struct vm *vm, const struct step *s)
{
	for (int i = 0; i < OUTPUTS; i++)
		if (s->arg[i] < MAX_SLOTS) {
			vm->output[i] = vm->slot[s->arg[i]];
			vm->slot[s->arg[i]] = -1;
		}
	return 0;
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
				      (int)s->arg[4], s->arg[5] == 2 ? reported : vm->output};

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
	const struct helper mapper = {helper, argv, env, "", -1, reported};
	return *map ? -E2BIG : run_helper(vm, &mapper);
}
