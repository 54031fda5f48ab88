/*
 * Kills a process at one system call of another: kill-at WATCHED VICTIM N COMMAND...
 *
 * Processes count from 0, the command itself, in the order in which they are made. When WATCHED is about to make its
 * N-th system call, VICTIM gets SIGKILL and the others go on untraced. Prints the number of the system call, and exits
 * with 0 once the command has ended; with 3 when it ended before WATCHED came so far, with 4 when there was no VICTIM yet.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_PROCESSES = 64, SYSCALL_STOP = SIGTRAP | 0x80, NOT_REACHED = 3, NOBODY_THERE = 4 };

static pid_t pids[MAX_PROCESSES];
static long calls[MAX_PROCESSES];

static int number_of(pid_t pid)
{
	for (int i = 0; i < MAX_PROCESSES; i++) {
		if (!pids[i])
			pids[i] = pid;
		if (pids[i] == pid)
			return i;
	}
	_exit(2);
}

/* True at the entry to a system call, when it is the one that counts. */
static int is_time(pid_t pid, int watched, long n)
{
	struct __ptrace_syscall_info call = {0};
	int i = number_of(pid);

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof call, &call) <= 0 || call.op != PTRACE_SYSCALL_INFO_ENTRY ||
	    ++calls[i] != n || i != watched)
		return 0;
	printf("%llu\n", (unsigned long long)call.entry.nr);
	fflush(stdout);
	return 1;
}

/* Its end lets go of all it traces. */
static int trace(pid_t command, int watched, int victim, long n)
{
	long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
		       PTRACE_O_TRACEEXEC;
	int status;
	pid_t pid;

	number_of(command);
	if (ptrace(PTRACE_SEIZE, command, 0, options) < 0 || kill(command, SIGCONT) < 0)
		return 2;
	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		int signal = 0;

		if (!WIFSTOPPED(status)) {
			if (pid == command)
				return NOT_REACHED;
			continue;
		}
		if (WSTOPSIG(status) == SYSCALL_STOP) {
			if (is_time(pid, watched, n))
				return !pids[victim] ? NOBODY_THERE : kill(pids[victim], SIGKILL) < 0 ? 2 : 0;
		} else if (status >> 16 == 0) {
			signal = WSTOPSIG(status); /* one that was sent, not an event of ptrace */
		}
		ptrace(PTRACE_SYSCALL, pid, 0, signal);
	}
	return 2;
}

static void become(char **command)
{
	int nowhere = open("/dev/null", O_WRONLY);

	dup2(nowhere, 1); /* what a container leaves running must not hold it open */
	dup2(nowhere, 2);
	close(nowhere);
	raise(SIGSTOP);
	execv(command[0], command);
	_exit(2);
}

int main(int argc, char **argv)
{
	int status, traced;
	pid_t command, tracer;

	if (argc < 5)
		return 2;
	command = fork();
	if (command == 0)
		become(argv + 4);
	if (waitpid(command, &status, WUNTRACED) != command)
		return 2;
	tracer = fork();
	if (tracer == 0)
		_exit(trace(command, atoi(argv[1]), atoi(argv[2]), atol(argv[3])));
	if (waitpid(tracer, &traced, 0) != tracer || waitpid(command, &status, 0) != command)
		return 2;
	return WIFEXITED(traced) ? WEXITSTATUS(traced) : 2;
}
