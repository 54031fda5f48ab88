/*
 * The front: what bundle-tool does without its command line, which is TypeScript, or without waiting for it.
 *
 * `run` and `create` of a bundle whose program was kept execute that program at once (kept.c); lifecycle.c has what is done
 * with a container that exists. Where a program must be compiled first, a child does that, and is gone when the program runs.
 * All else goes to the command line, in the interpreter or in Node.js (node.c), with the arguments untouched; what it answers
 * is what counts, so the front has no words of its own: when a program fails, the command line compiles again to explain the
 * step.
 */
#include "front/front.h"

#include "runner/run.h"
#include "runner/start.h"
#include "runner/vm.h"
#include "system/environment.h"
#include "system/file.h"
#include "system/memory.h"
#include "system/seal.h"
#include "system/start.h"
#include "system/text.h"

#include <asm/stat.h>

const char *option(char **argv, int *i, const char *name)
{
	const char *arg = argv[*i];
	size_t length = strlen(name);

	if (streq(arg, name) && argv[*i + 1])
		return argv[++*i];
	return has_prefix(arg, name) && has_prefix(name, "--") && arg[length] == '=' ? arg + length + 1 : NULL;
}

bool is_plain_id(const char *id)
{
	if (!*id || *id == '.' || *id == '-' || strlen(id) >= 255)
		return false;
	for (; *id; id++)
		if (!((*id >= 'a' && *id <= 'z') || (*id >= 'A' && *id <= 'Z') || (*id >= '0' && *id <= '9') ||
		      *id == '_' || *id == '+' || *id == '-' || *id == '.'))
			return false;
	return true;
}

/* An option with an empty value is not given. */
static const char *not_empty(const char *value)
{
	return *value ? value : NULL;
}

static const struct {
	const char *name;
	bool has_value;
	bool is_for_node;
} globals[GLOBAL_COUNT] = {
#define ROW(option, ...) [GLOBAL_##option] = {__VA_ARGS__},
	GLOBAL_OPTIONS(ROW)
#undef ROW
};

static bool take_global(struct call *call, int *i)
{
	char **argv = call->argv;

	for (int k = 0; k < GLOBAL_COUNT; k++) {
		const char *value = globals[k].has_value ? option(argv, i, globals[k].name) : argv[*i];

		if (!value || (!globals[k].has_value && !streq(value, globals[k].name)))
			continue;
		call->given[k] = not_empty(value);
		call->has_more |= globals[k].is_for_node;
		return true;
	}
	return false;
}

/* The options before the command. */
static void parse_globals(struct call *call)
{
	int i = 1;

	while (call->argv[i] && take_global(call, &i))
		i++;
	call->command = i;
}

bool make_absolute(char *to, size_t size, const char *path)
{
	char cwd[PATH_SIZE];
	const char *const whole[] = {path, NULL}, *const below[] = {cwd, "/", path, NULL}, *const here[] = {cwd, NULL};

	if (*path == '/' ? !join(to, size, whole)
			 : !*path || sys(getcwd, cwd, sizeof cwd) < 0 || !join(to, size, streq(path, ".") ? here : below))
		return false;
	for (const char *c = to; *c; c++)
		if (*c == '/' && (!c[1] || c[1] == '/' || (c[1] == '.' && (!c[2] || c[2] == '/' || c[2] == '.'))))
			return false;
	return true;
}

static bool look_at_directory(const char *path, uint64_t flags, struct stat *st)
{
	long fd = sys(openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC | flags);
	long r = fd < 0 ? fd : sys(fstat, fd, st);

	return fd >= 0 && sys(close, fd) >= 0 && r >= 0;
}

/*
 * The root of a user who has no runtime directory. Anybody can have made it: false unless it is the user's alone, and nobody
 * else can replace it. the command line has the words (src/temporary-root.ts).
 */
static bool find_temporary_root(char *to, size_t size, uint32_t euid)
{
	char number[24], parent[] = TEMPORARY_ROOT_PREFIX;
	const char *const pieces[] = {TEMPORARY_ROOT_PREFIX, number, NULL};
	struct stat st;

	decimal(number, euid);
	parent[base_name(parent) - parent] = '\0';
	if (!join(to, size, pieces) || !look_at_directory(parent, 0, &st) || (st.st_uid && st.st_uid != euid) ||
	    ((st.st_mode & 022) && !(st.st_mode & S_ISVTX)))
		return false;
	return look_at_directory(to, O_NOFOLLOW, &st) && st.st_uid == euid && !(st.st_mode & 077);
}

/* In a user namespace root is a user, as podman's is, unless USER says otherwise. src/state-root.ts has the same rule. */
static bool is_root_of_user(const struct call *call)
{
	static const uint64_t initial[] = {0, 0, UINT32_MAX};
	const char *directory = variable(call->env, "XDG_RUNTIME_DIR"), *user = variable(call->env, "USER");
	char map[64];
	const char *at = map;
	uint64_t number;

	if (!directory || !*directory || (user && streq(user, "root")) ||
	    read_file(AT_FDCWD, "/proc/self/uid_map", map, sizeof map) <= 0)
		return false;
	for (size_t i = 0; i < sizeof initial / sizeof *initial; i++) {
		while (*at == ' ')
			at++;
		if (!parse_decimal(&at, &number) || number != initial[i])
			return true;
	}
	return false;
}

bool find_root(char *to, size_t size, const struct call *call)
{
	uint32_t euid = (uint32_t)sys(geteuid);
	bool is_host = euid == 0 && !is_root_of_user(call);
	const char *base = is_host ? "/run" : variable(call->env, "XDG_RUNTIME_DIR");
	const char *const default_root[] = {base, "/bundle-tool", NULL};

	if (call->given[GLOBAL_ROOT])
		return make_absolute(to, size, call->given[GLOBAL_ROOT]);
	return base && *base ? join(to, size, default_root) : find_temporary_root(to, size, euid);
}

/* The path of this binary: from before it became a copy, or now. */
static const char *own_path(char **env, char *to, size_t size)
{
	const char *known = take_variable(env, VARIABLE_FRONT);
	long length;

	if (known)
		return known;
	length = sys(readlinkat, AT_FDCWD, "/proc/self/exe", to, size - 1);
	to[length > 0 ? length : 0] = '\0';
	return to;
}

/* A copy could not find out the path of this binary. */
static bool become_sealed(const struct call *call)
{
	static char entry[PATH_SIZE + 32];
	char *more[] = {entry, NULL}, **env;

	if (!JOIN(entry, VARIABLE_FRONT "=", call->exe))
		return false;
	env = with_variables(call->env, more);
	return env && seal(call->argv, env) >= 0;
}

/* The exit code of a command of the lifecycle that is done; -1: it is another command, or is left to the command line. */
static int finish_lifecycle(const struct call *call)
{
	char root[PATH_SIZE];

	return find_root(root, sizeof root, call) ? lifecycle(root, call) : -1;
}

/*
 * True when a command ends with the execution of a compiled program. LISTEN_PID names this process: a
 * compiler would take the descriptors of LISTEN_FDS for another's.
 */
static bool ends_in_program(const struct call *call)
{
	const char *command = call->argv[call->command];

	return (streq(command, "run") || streq(command, "create") || streq(command, "exec") || is_try(call)) &&
	       !variable(call->env, VARIABLE_RUNNER) && !variable(call->env, "LISTEN_FDS");
}

/* The socket that the library has given with the name of the tool, for a fork server; -1: none. A copy of this process needs it. */
static int find_socket(const struct call *call)
{
	static const char name[] = ARGV0_ORDERS;
	const char *text = call->argv[0] + sizeof name - 1;
	uint64_t fd;

	return has_prefix(call->argv[0], name) && parse_decimal(&text, &fd) && sys(fcntl, fd, F_GETFD) >= 0 ? (int)fd : -1;
}

static int execute(struct vm *vm, const struct call *call, const struct job *job, int report)
{
	struct report begun = {.kind = REPORT_BEGUN, .pid = report < 0 ? 0 : (int32_t)sys(getpid)};
	char *const nothing[] = {NULL};
	int code;

	vm->report = report;
	vm->caller = (int)sys(openat, AT_FDCWD, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	vm->id = job->id;
	vm->env = call->env;
	vm->argv = job->argv;
	vm->pid_file = job->pid_file;
	vm->console_socket = job->console_socket;
	if (vm->caller < 0 || (*job->directory && sys(chdir, job->directory) < 0) ||
	    prepare(vm, job->program, job->size) < 0) {
		reap_compiler(job);
		return report < 0 ? become_command_line(call, nothing, false) : NO_PROGRAM;
	}
	if (report >= 0 && send_report(vm, &begun) < 0)
		return NO_PROGRAM;
	code = run(vm);
	reap_compiler(job);
	if (report >= 0 || (vm->last.kind != REPORT_FAILED && !vm->leftover.kind))
		return code;
	/* There may be no other descriptor left. */
	return sys(fchdir, vm->caller) < 0 || sys(close, vm->caller) < 0 ? code : explain(call, vm);
}

int execute_kept(struct vm *vm, struct call *call, int report)
{
	struct job job = {0};

	parse_globals(call);
	if (!call->argv[call->command] || !ends_in_program(call) || !find_kept(call, &job))
		return NO_PROGRAM;
	return execute(vm, call, &job, report);
}

int start(int argc, char **argv, char **env)
{
	static struct vm vm; /* without initial values it takes no pages of the file, of which seal() makes copies */
	static char exe[PATH_SIZE];
	struct call call = {.argv = argv, .env = env};
	char *const nothing[] = {NULL};
	struct job job = {0};
	int socket = argc > 0 ? find_socket(&call) : -1, code;

	if (argc > 0 && (streq(argv[0], ARGV0_RUNNER) || streq(argv[0], ARGV0_EXECUTE)))
		return start_runner(argc, argv, env);
	call.exe = own_path(env, exe, sizeof exe);
	if (socket >= 0)
		return become_sealed(&call) ? serve(&vm, &call, socket) : 1;
	parse_globals(&call);
	if (!argv[call.command])
		return become_command_line(&call, nothing, false);
	code = finish_lifecycle(&call);
	if (code >= 0)
		return code;
	if (!ends_in_program(&call) || !become_sealed(&call))
		return become_command_line(&call, nothing, false);
	if (!find_kept(&call, &job)) {
		job = (struct job){0}; /* a program that is kept and must not run now is none */
		/* A try whose program is not kept needs its bundle first, which all of the command line makes. */
		code = is_try(&call) ? become_command_line(&call, nothing, false) : compile(&call, &job);

		if (!job.program)
			return code;
	}
	return execute(&vm, &call, &job, -1);
}
