/* A child that compiles a program for this process: the compiler alone, or all of the command line. */
#include "front/front.h"
#include "system/file.h"
#include "system/memory.h"
#include "system/process.h"
#include "system/start.h"
#include "system/text.h"

#include <asm/signal.h>
#include <linux/poll.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/time_types.h>

/* It takes a second on a slow host; without the threads that it needs, Node.js can wait for ever. */
enum { COMPILE_TIMEOUT_S = 30 };

/* The child: it ends with its parent, which alone could use what it makes. */
static _Noreturn void become_child(const struct call *call, int pipe, bool is_compiler)
{
	char fd[40] = VARIABLE_HANDOVER "=";
	char *const more[] = {fd, NULL};

	decimal(fd + strlen(fd), (uint64_t)pipe);
	if (sys(prctl, PR_SET_PDEATHSIG, SIGKILL) < 0 || sys(fcntl, pipe, F_SETFD, 0) < 0)
		exit_with(1);
	exit_with(is_compiler ? become_compiler(call, more) : become_command_line(call, more, false));
}

/* True when there is something to be read, or the end, before the time is up. */
static bool is_in_time(int pipe)
{
	struct pollfd end = {pipe, POLLIN, 0};
	const struct __kernel_timespec time = {.tv_sec = COMPILE_TIMEOUT_S};

	return sys(ppoll, &end, 1, &time, NULL, 0) != 0;
}

/* Ends a child that is late. */
static int give_up(int child, bool is_compiler, int *status)
{
	if (sys(kill, child, SIGKILL) >= 0 && sys(wait4, child, status, 0, NULL) >= 0 && !is_compiler)
		complain("nothing was compiled in 30 seconds: allow more processes and memory");
	return 1;
}

/*
 * The program is whole when the child has closed the pipe: this process goes on then, and the kernel ends the compiler
 * meanwhile. All of the command line may have something to say after it. Sets `status`, as wait4(2) has it, of a child that has
 * given no program.
 */
static int take_program(int pipe, int child, bool is_compiler, struct job *job, int *status)
{
	void *image = NULL;
	size_t size = 0;
	long r;

	r = read_program(pipe, &image, &size);
	if (sys(close, pipe) < 0 || r < 0)
		return 1;
	if (is_compiler && size && parse_handover(image, size, job)) {
		job->compiler = child;
		return sys(kill, child, SIGKILL) < 0;
	}
	if (sys(wait4, child, status, 0, NULL) < 0)
		return 1;
	if (!*status && size && !parse_handover(image, size, job)) {
		complain("the program cannot be read: run \"npm run build\"");
		return 1;
	}
	return exit_code(*status);
}

/* Goes on as all of the command line, which says why there is no program. Only a fault of the compiler is said by its end. */
static int go_on_without(const struct call *call, int status)
{
	char fault[40] = VARIABLE_INTERPRETER_END "=";
	char *const more[] = {fault, NULL}, *const nothing[] = {NULL};

	decimal(fault + strlen(fault), (uint64_t)status);
	return status == NO_PROGRAM << 8 ? become_command_line(call, nothing, false) : become_command_line(call, more, true);
}

int compile(const struct call *call, struct job *job)
{
	struct clone_args args = {.exit_signal = SIGCHLD};
	char *const nothing[] = {NULL};
	bool is_plain = has_plain_documents(call); /* else the command line may wait for somebody who writes what it reads */
	bool is_compiler = is_plain && has_interpreter(call);
	int pipe[2] = {-1, -1}, status = 0, code;
	long pid = sys(pipe2, pipe, O_CLOEXEC);

	if (pid >= 0)
		pid = start_process(&args);
	if (pid < 0)
		return become_command_line(call, nothing, false);
	if (pid == 0)
		become_child(call, pipe[1], is_compiler);
	if (sys(close, pipe[1]) < 0)
		return 1;
	code = is_plain && !is_in_time(pipe[0]) ? give_up((int)pid, is_compiler, &status)
						: take_program(pipe[0], (int)pid, is_compiler, job, &status);
	return is_compiler && !job->program ? go_on_without(call, status) : code;
}

void reap_compiler(const struct job *job)
{
	if (job->compiler)
		probe(wait4, job->compiler); /* perhaps it is, with the container's orphans */
}
