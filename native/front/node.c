/* Node.js in place of this process; and the interpreter, or Node.js, as a child that compiles a program for it. */
#include "front/front.h"
#include "system/caller.h"
#include "system/environment.h"
#include "system/file.h"
#include "system/memory.h"
#include "system/process.h"
#include "system/start.h"
#include "system/text.h"

#include <asm/signal.h>
#include <asm/stat.h>
#include <linux/poll.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/time_types.h>

/* Commands of the runtime talk to no registry, which alone needs what NODE_EXTRA_CA_CERTS loads: as long as Node.js takes. */
static bool needs_network(const char *command)
{
	static const char *const offline[] = {OFFLINE_COMMANDS};

	for (size_t i = 0; command && i < sizeof offline / sizeof *offline; i++)
		if (streq(command, offline[i]))
			return false;
	return true;
}

/* It takes a second on a slow host; without the threads that it wants, Node.js can wait for ever. */
enum { COMPILE_TIMEOUT_S = 30 };

/* Whoever writes to a FIFO would see the interpreter open it, and may write once. */
static bool is_regular(const char *directory, const char *name)
{
	char path[PATH_SIZE];
	struct stat st;

	return JOIN(path, directory, *directory ? "/" : "", name) && sys(newfstatat, AT_FDCWD, path, &st, 0) >= 0 &&
	       S_ISREG(st.st_mode);
}

/* True when the call needs nothing of the whole command line. */
static bool is_for_interpreter(const struct call *call)
{
	struct request q;
	char root[PATH_SIZE], state[PATH_SIZE];

	if (call->has_more || !parse_request(call, &q))
		return false;
	if (!streq(q.command, "exec") && q.given[OPTION_CONFIG])
		return is_regular("", q.given[OPTION_CONFIG]);
	if (!streq(q.command, "exec"))
		return is_regular(q.given[OPTION_BUNDLE] ? q.given[OPTION_BUNDLE] : ".", "config.json");
	return find_root(root, sizeof root, call) && JOIN(state, q.id, "/" STATE_FILE) && is_regular(root, state) &&
	       (!q.given[OPTION_PROCESS] || is_regular("", q.given[OPTION_PROCESS]));
}

/*
 * The interpreter is beside this binary, unless a build had no cargo, or where a variable says: then it must be there. An empty
 * variable means that none is wanted.
 */
static bool find_interpreter(const struct call *call, char *to, size_t size)
{
	static const char name[] = "bundle-tool-interpreter";
	const char *given = variable(call->env, VARIABLE_INTERPRETER);
	const char *const path[] = {given, NULL};
	size_t directory = (size_t)(base_name(call->exe) - call->exe);

	if (given)
		return *given && join(to, size, path);
	if (directory + sizeof name > size)
		return false;
	memcpy(to, call->exe, directory);
	memcpy(to + directory, name, sizeof name);
	return sys(faccessat, AT_FDCWD, to, X_OK) >= 0;
}

/* Where bin/ is beside this binary, or beside the directory of those for one architecture, as in a package. */
static size_t length_of_directory(const char *exe)
{
	static const char own[] = "/" ARCHITECTURE "/";
	const char *name = base_name(exe), *end = name - (sizeof own - 1);

	return (size_t)((end > exe && !memcmp(end, own, sizeof own - 1) ? end + 1 : name) - exe);
}

/* True when the scripts are where this binary looks for them: somebody may have copied it alone. */
static bool has_scripts(const struct call *call)
{
	static const char boot[] = "bin/boot.js";
	char script[PATH_SIZE];
	size_t directory = length_of_directory(call->exe);

	if (directory + sizeof boot > sizeof script)
		return true;
	memcpy(script, call->exe, directory);
	memcpy(script + directory, boot, sizeof boot);
	return probe(faccessat, AT_FDCWD, script, 0) != -ENOENT;
}

/* "--": Node.js would read the file of an --env-file behind the script, too. The interpreter takes the script for its directory. */
static char **arguments_for(bool is_interpreter, char *binary, const struct call *call)
{
	static const char boot[] = "bin/boot.js";
	static char script[PATH_SIZE];
	size_t directory = length_of_directory(call->exe);
	char *for_node[] = {binary, "--", script, NULL}, *for_interpreter[] = {binary, script, NULL};

	if (directory + sizeof boot > sizeof script)
		return NULL;
	memcpy(script, call->exe, directory);
	memcpy(script + directory, boot, sizeof boot);
	return with_variables(is_interpreter ? for_interpreter : for_node, call->argv + 1);
}

static char **environment_for_node(const struct call *call, char *limit, char *const *more)
{
	static char name[PATH_SIZE];
	char *const own[] = {name, limit, NULL};
	char **env = with_variables(call->env, own);

	if (!env || !JOIN(name, VARIABLE_NAME "=", base_name(call->argv[0])) ||
	    !hide_variables(env, needs_network(call->argv[call->command])))
		return NULL;
	return with_variables(env, more);
}

/* The number of descriptors that Node.js needs for itself, and for threads where a command has some; with fewer it aborts. */
static uint64_t descriptors_for_node(const struct call *call)
{
	return needs_network(call->argv[call->command]) ? 64 : 32;
}

/* The status of a command that this binary cannot do: engines know that of an exec which has run nothing. */
static int own_failure(const struct call *call)
{
	const char *command = call->argv[call->command];

	return command && streq(command, "exec") ? 255 : 1;
}

static int complain_of_limit(const struct call *call)
{
	char text[128], number[24];

	decimal(number, descriptors_for_node(call));
	if (JOIN(text, "too few file descriptors are allowed: Node.js needs ", number, " (ulimit -n)"))
		complain(text);
	return own_failure(call);
}

static int complain_of_node(const char *refused)
{
	static const char install[] = "install Node.js 20.19 or newer in /usr/local/bin or /usr/bin, or add its directory to PATH "
				      "(under sudo: sudo env \"PATH=$PATH\" bundle-tool ...)";
	char text[2 * PATH_SIZE];

	if (*refused ? JOIN(text, "node is not in PATH, and others than you and root can change ", refused, ": ", install)
		     : JOIN(text, "node is not in PATH: ", install))
		complain(text);
	return 1;
}

static int complain_of_copy(const struct call *call)
{
	char text[2 * PATH_SIZE];

	if (JOIN(text, call->exe, " is alone: the directory bin of its installation is not beside it; call the installed file, "
				  "or make a link to it, instead of a copy"))
		complain(text);
	return own_failure(call);
}

/* Goes on as the interpreter at a path, or, without one, as Node.js. */
static int become(const struct call *call, char *const *more, char *interpreter)
{
	static char node[PATH_SIZE], refused[PATH_SIZE];
	char *limit = allow_descriptors(call->env, interpreter ? 8 : descriptors_for_node(call));
	char *binary = interpreter ? interpreter : node;
	char **argv = arguments_for(interpreter, binary, call), **env = environment_for_node(call, limit, more);

	if (!interpreter && !has_scripts(call))
		return complain_of_copy(call);
	if (!interpreter && !find_node(call, node, sizeof node, refused, sizeof refused))
		return complain_of_node(refused);
	if (!limit)
		return interpreter ? NO_PROGRAM : complain_of_limit(call);
	if (argv && env)
		execute_file(binary, argv, env);
	complain(interpreter ? "bundle-tool-interpreter cannot be executed" : "node cannot be executed");
	return 1;
}

int become_node(const struct call *call, char *const *more)
{
	return become(call, more, NULL);
}

/* The child: it ends with its parent, which alone could use what it makes. */
static _Noreturn void become_child(const struct call *call, int pipe, char *interpreter)
{
	char fd[40] = VARIABLE_HANDOVER "=";
	char *const more[] = {fd, NULL};

	decimal(fd + strlen(fd), (uint64_t)pipe);
	if (sys(prctl, PR_SET_PDEATHSIG, SIGKILL) < 0 || sys(fcntl, pipe, F_SETFD, 0) < 0)
		exit_with(1);
	exit_with(become(call, more, interpreter));
}

/* src/runtime/runner.ts writes it. */
static bool parse_handover(char *image, size_t size, struct job *job)
{
	const struct handover *h = (const void *)image;
	uint32_t program = size < sizeof *h ? 0 : h->program;

	if (program <= sizeof *h || program % 8 || program > size || image[program - 1])
		return false;
	job->id = image + sizeof *h;
	job->directory = job->id + strlen(job->id) + 1;
	if (job->directory >= image + program)
		return false;
	job->program = image + program;
	job->size = size - program;
	return true;
}

/* True when there is something to be read, or the end, before the time is up. */
static bool is_in_time(int pipe)
{
	struct pollfd end = {pipe, POLLIN, 0};
	const struct __kernel_timespec time = {.tv_sec = COMPILE_TIMEOUT_S};

	return sys(ppoll, &end, 1, &time, NULL, 0) != 0;
}

/* Ends a child that is late. */
static int give_up(int child, bool is_interpreter, int *status)
{
	if (sys(kill, child, SIGKILL) >= 0 && sys(wait4, child, status, 0, NULL) >= 0 && !is_interpreter)
		complain("node has compiled nothing in 30 seconds: allow more processes and memory");
	return 1;
}

/*
 * The program is whole when the child has closed the pipe: this process goes on then, and the kernel ends the interpreter
 * meanwhile. Node.js may have something to say after it. Sets `status`, as wait4(2) has it, of a child that has given no
 * program.
 */
static int take_program(int pipe, int child, bool is_interpreter, struct job *job, int *status)
{
	void *image = NULL;
	size_t size = 0;
	long r;

	r = read_program(pipe, &image, &size);
	if (sys(close, pipe) < 0 || r < 0)
		return 1;
	if (is_interpreter && size && parse_handover(image, size, job)) {
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

/* Goes on as Node.js, which says why there is no program. Only a fault of the interpreter is said by its end. */
static int go_on_without(const struct call *call, int status)
{
	char fault[40] = VARIABLE_INTERPRETER_END "=";
	char *const more[] = {fault, NULL}, *const nothing[] = {NULL};

	decimal(fault + strlen(fault), (uint64_t)status);
	return become_node(call, status == NO_PROGRAM << 8 ? nothing : more);
}

int compile(const struct call *call, struct job *job)
{
	static char path[PATH_SIZE];
	struct clone_args args = {.exit_signal = SIGCHLD};
	char *const nothing[] = {NULL};
	bool is_plain = is_for_interpreter(call); /* else Node.js may wait for somebody who writes what it reads */
	char *interpreter = is_plain && find_interpreter(call, path, sizeof path) ? path : NULL;
	int pipe[2] = {-1, -1}, status = 0, code;
	long pid = sys(pipe2, pipe, O_CLOEXEC);

	if (pid >= 0)
		pid = start_process(&args);
	if (pid < 0)
		return become_node(call, nothing);
	if (pid == 0)
		become_child(call, pipe[1], interpreter);
	if (sys(close, pipe[1]) < 0)
		return 1;
	code = is_plain && !is_in_time(pipe[0]) ? give_up((int)pid, interpreter, &status)
						: take_program(pipe[0], (int)pid, interpreter, job, &status);
	return interpreter && !job->program ? go_on_without(call, status) : code;
}

void reap_compiler(const struct job *job)
{
	if (job->compiler)
		probe(wait4, job->compiler); /* perhaps it is, with the container's orphans */
}
