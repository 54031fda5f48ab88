/* Node.js: in place of this process, or as a child that compiles a program for it. */
#include "front/front.h"
#include "system/caller.h"
#include "system/directory.h"
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

enum { MAX_UNSEEDED = 128 << 10, CPU_WORDS = 1024 / 8, CPUS_IN_WORD = 64 };

/* Without that seed somebody can choose keys that collide; in a small file there is no room for many. */
static bool is_small(const char *directory, const char *name)
{
	char path[PATH_SIZE];
	struct stat st;

	return JOIN(path, directory, *directory ? "/" : "", name) && sys(newfstatat, AT_FDCWD, path, &st, 0) >= 0 &&
	       S_ISREG(st.st_mode) && st.st_size <= MAX_UNSEEDED;
}

/* The process that compiles a program. src/cli/compiler.ts is loaded in half the time of the whole command line. */
enum compiler { COMMAND_LINE, COMPILER_IN_NODE, INTERPRETER };

/* True when the call needs nothing of the whole command line. */
static bool is_for_compiler(const struct call *call)
{
	struct request q;
	char root[PATH_SIZE], state[PATH_SIZE];

	if (call->has_more || !parse_request(call, &q))
		return false;
	if (!streq(q.command, "exec"))
		return is_small(q.given[OPTION_BUNDLE] ? q.given[OPTION_BUNDLE] : ".", "config.json");
	return find_root(root, sizeof root, call) && JOIN(state, q.id, "/" STATE_FILE) && is_small(root, state) &&
	       (!q.given[OPTION_PROCESS] || is_small("", q.given[OPTION_PROCESS]));
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

static enum compiler choose_compiler(const struct call *call)
{
	char path[PATH_SIZE];

	if (!is_for_compiler(call))
		return COMMAND_LINE;
	return find_interpreter(call, path, sizeof path) ? INTERPRETER : COMPILER_IN_NODE;
}

/* Where bin/ is beside this binary, or beside the directory of those for one architecture, as in a package. */
static size_t length_of_directory(const char *exe)
{
	static const char own[] = "/" ARCHITECTURE "/";
	const char *name = base_name(exe), *end = name - (sizeof own - 1);

	return (size_t)((end > exe && !memcmp(end, own, sizeof own - 1) ? end + 1 : name) - exe);
}

static char **arguments_for(enum compiler compiler, char *binary, const struct call *call)
{
	static const char boot[] = "bin/boot.js", boot_compiler[] = "bin/boot-compiler.cjs";
	static char script[PATH_SIZE];
	size_t directory = length_of_directory(call->exe);
	/* "--": Node.js would read the file of an --env-file behind the script, too. */
	char *plain[] = {binary, "--", script, NULL}, *with_flags[] = {binary, COMPILER_FLAGS, "--", script, NULL};
	char *interpreter[] = {binary, script, NULL};

	if (directory + sizeof boot_compiler > sizeof script)
		return NULL;
	memcpy(script, call->exe, directory);
	memcpy(script + directory, compiler ? boot_compiler : boot, compiler ? sizeof boot_compiler : sizeof boot);
	return with_variables(compiler == INTERPRETER ? interpreter : compiler ? with_flags : plain, call->argv + 1);
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
static uint64_t descriptors_for(enum compiler compiler, const struct call *call)
{
	if (compiler == INTERPRETER)
		return 8;
	return needs_network(call->argv[call->command]) ? 64 : 32;
}

static int complain_of_limit(const struct call *call)
{
	const char *command = call->argv[call->command];
	char text[128], number[24];

	decimal(number, descriptors_for(COMMAND_LINE, call));
	if (JOIN(text, "too few file descriptors are allowed: Node.js needs ", number, " (ulimit -n)"))
		complain(text);
	return command && streq(command, "exec") ? 255 : 1;
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

static int become(const struct call *call, char *const *more, enum compiler compiler)
{
	static char binary[PATH_SIZE], refused[PATH_SIZE];
	bool is_interpreter = compiler == INTERPRETER;
	char *limit = allow_descriptors(call->env, descriptors_for(compiler, call));
	char **argv = arguments_for(compiler, binary, call), **env = environment_for_node(call, limit, more);
	uint64_t none = 0;

	if (is_interpreter && !find_interpreter(call, binary, sizeof binary))
		return 1;
	if (!is_interpreter && !find_node(call, binary, sizeof binary, refused, sizeof refused))
		return complain_of_node(refused);
	if (!limit)
		return is_interpreter ? NO_PROGRAM : complain_of_limit(call);
	if (argv && env && default_signals() >= 0 && sys(rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof none) >= 0)
		sys(execve, binary, argv, env);
	complain(is_interpreter ? "bundle-tool-interpreter cannot be executed" : "node cannot be executed");
	return 1;
}

int become_node(const struct call *call, char *const *more)
{
	return become(call, more, COMMAND_LINE);
}

/* The child: it ends with its parent, which alone could use what it makes. */
static _Noreturn void become_child(const struct call *call, int pipe, enum compiler compiler)
{
	char fd[40] = VARIABLE_HANDOVER "=", no_openssl[] = "OPENSSL_CONF=/dev/null"; /* which takes a millisecond to be read */
	char *const more[] = {fd, compiler == COMPILER_IN_NODE ? no_openssl : NULL, NULL};

	decimal(fd + strlen(fd), (uint64_t)pipe);
	if (sys(prctl, PR_SET_PDEATHSIG, SIGKILL) < 0 || sys(fcntl, pipe, F_SETFD, 0) < 0)
		exit_with(1);
	exit_with(become(call, more, compiler));
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

/*
 * Lets the child end on other CPUs than this one, if there are some: the last of its threads frees all that Node.js has in
 * memory, which takes milliseconds, and it would be the one that waits for this process to give way.
 */
static void keep_apart(int child)
{
	unsigned long cpus[CPU_WORDS];
	struct listing threads = {0};
	const struct directory_entry *entry;
	char path[48] = "/proc/";
	uint32_t cpu = 0;
	long size = sys(sched_getaffinity, 0, sizeof cpus, cpus);

	if (size < 0 || sys(getcpu, &cpu, NULL) < 0)
		return;
	cpus[cpu / CPUS_IN_WORD] &= ~(1UL << cpu % CPUS_IN_WORD);
	memcpy(path + 6 + decimal(path + 6, (uint64_t)child), "/task", 6);
	threads.directory = sys(openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (threads.directory < 0)
		return;
	while ((entry = next_entry(&threads))) {
		const char *name = entry->name;
		uint64_t thread;

		if (parse_decimal(&name, &thread) && sys(sched_setaffinity, thread, size, cpus) < 0)
			break; /* there is no other CPU */
	}
	sys(close, threads.directory);
}

/* True when there is something to be read, or the end, before the time is up. */
static bool is_in_time(int pipe)
{
	struct pollfd end = {pipe, POLLIN, 0};
	const struct __kernel_timespec time = {.tv_sec = COMPILE_TIMEOUT_S};

	return sys(ppoll, &end, 1, &time, NULL, 0) != 0;
}

/*
 * The program is whole when the child has closed the pipe: this process goes on then, and the kernel ends a compiler meanwhile,
 * which takes Node.js longer than a container takes to start. All of the command line may have something to say after it. Sets
 * `status`, as wait4(2) has it, of a child that has given no program.
 */
static int take_program(int pipe, int child, enum compiler compiler, struct job *job, int *status)
{
	void *image = NULL;
	size_t size = 0;
	long r;

	if (compiler && !is_in_time(pipe)) {
		if (sys(kill, child, SIGKILL) < 0 || sys(wait4, child, status, 0, NULL) < 0 || sys(close, pipe) < 0)
			return 1;
		if (compiler == COMPILER_IN_NODE)
			complain("node has compiled nothing in 30 seconds: allow more processes and memory");
		return 1;
	}
	r = read_program(pipe, &image, &size);
	if (sys(close, pipe) < 0 || r < 0)
		return 1;
	if (compiler && size && parse_handover(image, size, job)) {
		job->compiler = child;
		if (compiler == COMPILER_IN_NODE)
			keep_apart(child);
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

/* Goes on as all of the command line, which says why there is no program. Only a fault of the interpreter is said by its end. */
static int go_on_without(const struct call *call, enum compiler compiler, int status)
{
	char fault[40] = VARIABLE_INTERPRETER_END "=";
	char *const more[] = {fault, NULL}, *const nothing[] = {NULL};

	decimal(fault + strlen(fault), (uint64_t)status);
	return become_node(call, compiler == INTERPRETER && status != NO_PROGRAM << 8 ? more : nothing);
}

int compile_by_node(const struct call *call, struct job *job)
{
	struct clone_args args = {.exit_signal = SIGCHLD};
	char *const nothing[] = {NULL};
	enum compiler compiler = choose_compiler(call);
	int pipe[2] = {-1, -1}, status = 0, code;
	long pid = sys(pipe2, pipe, O_CLOEXEC);

	if (pid >= 0)
		pid = start_process(&args);
	if (pid < 0)
		return become_node(call, nothing);
	if (pid == 0)
		become_child(call, pipe[1], compiler);
	if (sys(close, pipe[1]) < 0)
		return 1;
	code = take_program(pipe[0], (int)pid, compiler, job, &status);
	if (!job->program && (compiler == INTERPRETER || (compiler && code == NO_PROGRAM)))
		return go_on_without(call, compiler, status);
	return code;
}

void reap_compiler(const struct job *job)
{
	if (job->compiler)
		probe(wait4, job->compiler); /* perhaps it is, with the container's orphans */
}
