/* Processes: the clone, the barriers between the two sides, the wait for the end. */
#include "runner/op_stdio.h"
#include "runner/run.h"
#include "runner/vm.h"
#include "runner/wait.h"
#include "system/caller.h"
#include "system/file.h"
#include "system/memory.h"
#include "system/process.h"
#include "system/text.h"

#include <asm/signal.h>
#include <linux/sched.h>
#include <linux/time.h>

enum { SOCKET_UNIX = 1, SOCKET_SEQPACKET = 5 };

static enum phase phase_after_clone(const struct vm *vm)
{
	bool has_stage = vm->program.first[PHASE_STAGE] != vm->program.end[PHASE_STAGE];

	return vm->phase == PHASE_HOST && has_stage ? PHASE_STAGE : PHASE_CHILD;
}

enum {
	NAMESPACE_FLAGS = CLONE_NEWTIME | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
			  CLONE_NEWPID | CLONE_NEWNET,
};

/* The new process goes on when it is in its cgroup. */
static long move_into(int cgroup, int sync, long pid)
{
	char number[24], byte = 0;
	long r;

	if (!pid) {
		r = sys(read, sync, &byte, 1);
		return r == 0 ? FAIL_AS(read, -EPIPE) : r;
	}
	r = write_file(cgroup, "cgroup.procs", 0, 0, number, decimal(number, (uint64_t)pid));
	return r < 0 ? r : write_all(sync, &byte, 1);
}

/* Ends a process that could not come into its cgroup: the step has failed, and no other takes it back. */
static long abandon(struct vm *vm, int pid, long error)
{
	long r = sys(kill, pid, SIGKILL);

	if (r >= 0)
		r = reap(pid, &vm->status);
	vm->has_reaped = r >= 0 && error == -EPIPE; /* it had ended already */
	return error;
}

int op_clone(struct vm *vm, const struct step *s)
{
	enum phase next = phase_after_clone(vm);
	struct clone_args args = {.flags = s->arg[0], .exit_signal = s->arg[0] & CLONE_PARENT ? 0 : SIGCHLD};
	int pair[2] = {-1, -1};
	long r, closed = 0;

	/* Nothing that the two processes would share: memory, descriptors, signal handlers. */
	if (s->arg[0] & ~(uint64_t)(NAMESPACE_FLAGS | CLONE_PARENT))
		return -EINVAL;
	r = vm->phase == PHASE_HOST ? sys(socketpair, SOCKET_UNIX, SOCKET_SEQPACKET | O_CLOEXEC, 0, pair) : 0;
	if (r < 0)
		return (int)r;
	if (next == PHASE_CHILD) { /* known before the child runs, whoever of the two is faster */
		args.flags |= CLONE_PARENT_SETTID;
		args.parent_tid = (uint64_t)(uintptr_t)&vm->shared->pid;
	}
	if (has_slot(s, 1)) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint32_t)slot(vm, s, 1);
	}
	r = start_process(&args);
	if (r < 0)
		return (int)r;
	if (r > 0 && next == PHASE_STAGE)
		vm->stage = (int)r;
	if (vm->phase == PHASE_HOST) {
		vm->sync = pair[r == 0];
		closed = sys(close, pair[r > 0]);
		if (closed >= 0 && r > 0)
			closed = close_given(vm);
		if (closed >= 0 && has_slot(s, 1) && !(args.flags & CLONE_INTO_CGROUP))
			closed = move_into(slot(vm, s, 1), vm->sync, r);
	}
	if (r > 0)
		return (int)(closed < 0 ? abandon(vm, (int)r, closed) : 0);
	if (closed < 0)
		exit_with(255);
	run_child(vm, next);
}

int op_open_pidfd(struct vm *vm, const struct step *s)
{
	return fill_slot(vm, s, 0, sys(pidfd_open, vm->shared->pid, 0));
}

int op_take_listener(struct vm *vm, const struct step *s)
{
	long pidfd = sys(pidfd_open, vm->shared->pid, 0), r;

	if (pidfd < 0)
		return (int)pidfd;
	r = sys(pidfd_getfd, pidfd, vm->shared->listener, 0);
	return fill_slot(vm, s, 0, closing(pidfd, r));
}

int op_sync_send(struct vm *vm, const struct step *s)
{
	char barrier = (char)s->arg[0];

	return write_all(vm->sync, &barrier, 1);
}

/* The process that is waited for will want to know it, and is busy. */
static int note_ignored(struct vm *vm)
{
	struct shared *shared = vm->shared;
	int r = shared->knows_ignored ? 0 : find_ignored(&shared->ignored);

	shared->knows_ignored = r >= 0;
	return r;
}

static int wait_barrier(struct vm *vm, const struct step *s, int timeout_ms)
{
	char barrier = 0;
	/* Only the host hears signals; in the container a seccomp filter may be loaded, so one plain call. */
	bool is_host = vm->phase == PHASE_HOST;
	long r = is_host ? note_ignored(vm) : 0;

	if (r >= 0 && is_host)
		r = wait_readable(vm, vm->sync, timeout_ms);
	if (r >= 0)
		r = sys(read, vm->sync, &barrier, 1);
	if (r == 0 || r == -ECONNRESET)
		return (int)FAIL_AS(read, -EPIPE);
	if (r < 0)
		return (int)r;
	return barrier == (char)s->arg[0] ? 0 : -EPROTO;
}

int op_sync_wait(struct vm *vm, const struct step *s)
{
	return wait_barrier(vm, s, -1);
}

int op_sync_within(struct vm *vm, const struct step *s)
{
	return wait_barrier(vm, s, (int)s->arg[1]);
}

int op_sync_closed(struct vm *vm, const struct step *s)
{
	char byte;
	long r = wait_readable(vm, vm->sync, -1);

	(void)s;
	if (r >= 0)
		r = sys(read, vm->sync, &byte, 1);
	if (r == -ECONNRESET)
		r = 0;
	if (r != 0)
		return r < 0 ? (int)r : -EPROTO;
	return vm->shared->has_failed ? -EPIPE : 0;
}

int op_expect_process(struct vm *vm, const struct step *s)
{
	char state;
	uint64_t start_time;
	int r = read_stat(slot(vm, s, 0), "stat", &state, &start_time);

	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	return start_time == s->arg[1] ? 0 : -ESRCH;
}

int op_kill_child(struct vm *vm, const struct step *s)
{
	int pid = vm->shared->pid, ignored;
	long r;

	(void)s;
	if (vm->has_exited || vm->has_reaped)
		return 0;
	for (int i = 0; i < 2; i++) {
		int victim = i ? pid : vm->stage;

		r = victim > 0 ? sys(kill, victim, SIGKILL) : 0;
		if (r < 0 && r != -ESRCH)
			return (int)r;
	}
	r = reap(vm->stage, pid > 0 ? &ignored : &vm->status);
	if (r >= 0)
		r = reap(pid, &vm->status);
	vm->has_reaped = r >= 0;
	return r < 0 ? (int)r : 0;
}

int op_ready(struct vm *vm, const struct step *s)
{
	struct report report = {.kind = REPORT_READY, .pid = vm->shared->pid};

	(void)s;
	return send_report(vm, &report);
}

static void exit_by_signal(int signal)
{
	(void)signal;
	exit_with(2);
}

static void never_returns(void)
{
	exit_with(2);
}

int op_exit_on_signals(struct vm *vm, const struct step *s)
{
	static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGABRT, SIGTERM};
	/* The handler does not return, but without a restorer the kernel does not call it. */
	const struct sigaction action = {.sa_handler = exit_by_signal, .sa_flags = SA_RESTORER,
					 .sa_restorer = never_returns};
	uint64_t unblocked = 0;
	long r = 0;

	(void)vm, (void)s;
	for (size_t i = 0; i < sizeof signals / sizeof *signals && r >= 0; i++) {
		unblocked |= 1ULL << (signals[i] - 1);
		r = sys(rt_sigaction, signals[i], &action, NULL, sizeof action.sa_mask);
	}
	return (int)(r < 0 ? r : sys(rt_sigprocmask, SIG_UNBLOCK, &unblocked, NULL, sizeof unblocked));
}

int op_wait_start(struct vm *vm, const struct step *s)
{
	char name[24];

	decimal(name, (uint64_t)slot(vm, s, 1));
	return (int)write_file(slot(vm, s, 0), name, 0, 0, "0", 1);
}
