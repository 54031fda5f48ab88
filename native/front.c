/*
 * The front: what bundle-tool does without Node.js.
 *
 * `run` and `create` of a bundle whose program was kept, while everything it was compiled from still holds (its guards),
 * execute that program at once; lifecycle.c has what is done with a container that exists. All else goes to Node.js with
 * the arguments untouched; what it answers is what counts, so the front has no words of its own: when a kept program
 * fails, Node.js compiles again to explain the step.
 */
#include "vm.h"

#include <asm/signal.h>
#include <asm/stat.h>
#include <linux/capability.h>
#include <linux/mman.h>
#include <linux/utsname.h>

enum { PATH_SIZE = 4096, MAX_ENVIRONMENT = 4096, X_OK = 1 };

static bool has_prefix(const char *s, const char *prefix)
{
	return strlen(s) >= strlen(prefix) && !memcmp(s, prefix, strlen(prefix));
}

const char *base_name(const char *path)
{
	const char *name = path;

	for (; *path; path++)
		if (*path == '/')
			name = path + 1;
	return name;
}

bool join(char *to, size_t size, const char *const *pieces)
{
	for (; *pieces; pieces++) {
		size_t length = strlen(*pieces);

		if (length >= size)
			return false;
		memcpy(to, *pieces, length + 1);
		to += length;
		size -= length;
	}
	return true;
}

static const char *variable(char **env, const char *name)
{
	for (size_t length = strlen(name); *env; env++)
		if (has_prefix(*env, name) && (*env)[length] == '=')
			return *env + length + 1;
	return NULL;
}

/* What run and create are asked for, when it is no more than this. */
struct request {
	const char *mode; /* as CompileOptions has it */
	const char *root;
	const char *bundle;
	const char *id;
};

/* "--NAME VALUE" or "--NAME=VALUE" at argv[*i]; NULL when it is something else. */
static const char *option(char **argv, int *i, const char *name)
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

/* The options before the command. */
struct globals {
	const char *root;
	const char *log;
	const char *log_format;
	int command; /* where it is, in argv */
};

static struct globals parse_globals(char **argv)
{
	struct globals g = {0};
	const char *value;
	int i = 1;

	for (; argv[i]; i++) {
		if ((value = option(argv, &i, "--root")))
			g.root = value;
		else if ((value = option(argv, &i, "--log")))
			g.log = value;
		else if ((value = option(argv, &i, "--log-format")))
			g.log_format = value;
		else
			break;
	}
	g.command = i;
	return g;
}

/* False for anything but the plain forms: those are Node.js's business. */
static bool parse_request(char **argv, struct request *q)
{
	const char *words[3] = {NULL, NULL, NULL}, *value;
	struct globals g = parse_globals(argv);
	int i = g.command, count = 0;
	bool is_create, is_detached = false;

	q->root = g.root;
	if (g.log || g.log_format || !argv[i] || !((is_create = streq(argv[i], "create")) || streq(argv[i], "run")))
		return false;
	for (i++; argv[i]; i++) {
		if ((value = option(argv, &i, "--bundle")) || (value = option(argv, &i, "-b")))
			q->bundle = value;
		else if (!is_create && (streq(argv[i], "-d") || streq(argv[i], "--detach")))
			is_detached = true;
		else if (argv[i][0] == '-' || count == 2)
			return false;
		else
			words[count++] = argv[i];
	}
	if (count == 2 && !q->bundle)
		q->bundle = words[0];
	else if (count != 1)
		return false;
	q->id = words[count - 1];
	q->mode = is_create ? "create" : is_detached ? "detached" : "foreground";
	return is_plain_id(q->id);
}

/* An absolute path; false for one with ".", ".." or empty parts, which Node.js resolves. */
static bool make_absolute(char *to, size_t size, const char *path)
{
	char cwd[PATH_SIZE];
	const char *const whole[] = {path, NULL}, *const below[] = {cwd, "/", path, NULL}, *const here[] = {cwd, NULL};

	if (*path == '/' ? !join(to, size, whole)
			 : sys(getcwd, cwd, sizeof cwd) < 0 || !join(to, size, !path[0] || streq(path, ".") ? here : below))
		return false;
	for (const char *c = to; *c; c++)
		if (*c == '/' && (!c[1] || c[1] == '/' || (c[1] == '.' && (!c[2] || c[2] == '/' || c[2] == '.'))))
			return false;
	return true;
}

/* FNV-1a, which names the file; the file itself says again what it is for. */
static uint64_t hash(const char *s)
{
	uint64_t value = 0xcbf29ce484222325ULL;

	for (; *s; s++)
		value = (value ^ (unsigned char)*s) * 0x100000001b3ULL;
	return value;
}

/* The absolute state root. */
static bool find_root(char *to, size_t size, const char *given, char **env)
{
	const char *base = sys(geteuid) == 0 ? "/run" : variable(env, "XDG_RUNTIME_DIR");
	const char *const default_root[] = {base, "/bundle-tool", NULL};

	return given ? make_absolute(to, size, given) : base && *base && join(to, size, default_root);
}

/* Where the program of this request is kept, and the text that says what it is for. */
static bool kept_path(char *to, size_t size, const struct request *q, char **env, char *key, size_t key_size)
{
	char bundle[PATH_SIZE], root[PATH_SIZE], name[17] = {0};
	const char *const parts[] = {q->mode, "\n", bundle, "\n", root, NULL};
	const char *const path[] = {root, "/.program-", name, NULL};

	if (variable(env, "BUNDLE_TOOL_RUNNER") || variable(env, "NOTIFY_SOCKET") || variable(env, "LISTEN_FDS") ||
	    !make_absolute(bundle, sizeof bundle, q->bundle ? q->bundle : "."))
		return false;
	if (!find_root(root, sizeof root, q->root, env) || !join(key, key_size, parts))
		return false;
	for (uint64_t value = hash(key), i = 16; i--; value >>= 4)
		name[i] = "0123456789abcdef"[value & 15];
	return join(to, size, path);
}

struct kept_header {
	char magic[4];
	uint32_t version;
	uint32_t guards; /* how many */
	uint32_t program; /* where it begins */
};

enum guard_kind { GUARD_KEY = 1, GUARD_IDENTITY, GUARD_PLACE, GUARD_PRESENT, GUARD_ABSENT, GUARD_CONTENT, GUARD_CALLER, GUARD_KERNEL };

/* One thing that must still be as it was. Text follows: a path, then perhaps content, each padded to 8 bytes. */
struct guard {
	uint32_t kind;
	uint32_t text; /* bytes of the first text, with its NUL */
	uint64_t value[8];
};

static bool is_same_file(const char *path, const uint64_t *v, bool is_whole)
{
	struct stat st;

	if (syscall6(__NR_newfstatat, AT_FDCWD, (long)path, (long)&st, is_whole ? 0 : AT_SYMLINK_NOFOLLOW, 0, 0) < 0)
		return false;
	if (st.st_dev != v[0] || st.st_ino != v[1] || st.st_mode != v[2])
		return false;
	return !is_whole || ((uint64_t)st.st_size == v[3] && st.st_mtime == v[4] && st.st_mtime_nsec == v[5] &&
			     st.st_ctime == v[6] && st.st_ctime_nsec == v[7]);
}

static bool is_there(const char *path)
{
	struct stat st;

	return syscall6(__NR_newfstatat, AT_FDCWD, (long)path, (long)&st, 0, 0, 0) >= 0;
}

static bool has_content(const char *path, const char *content, uint64_t length)
{
	static char now[65536];
	long r = read_file(AT_FDCWD, path, now, sizeof now);

	return r >= 0 && (uint64_t)r == length && !memcmp(now, content, length);
}

static bool is_same_caller(const uint64_t *v)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	return sys(capget, &header, data) >= 0 && (uint64_t)sys(geteuid) == v[0] && (uint64_t)sys(getegid) == v[1] &&
	       (data[0].effective | (uint64_t)data[1].effective << 32) == v[2];
}

static bool is_same_kernel(const char *text)
{
	struct new_utsname name;
	char now[sizeof name.release + sizeof name.version + 1];

	return sys(uname, &name) >= 0 && JOIN(now, name.release, " ", name.version) && streq(now, text);
}

static bool guard_holds(const struct guard *g, const char *text, const char *content, const char *key)
{
	switch ((enum guard_kind)g->kind) {
	case GUARD_KEY:
		return streq(text, key);
	case GUARD_IDENTITY:
		return is_same_file(text, g->value, true);
	case GUARD_PLACE:
		return is_same_file(text, g->value, false);
	case GUARD_PRESENT:
		return is_there(text);
	case GUARD_ABSENT:
		return !is_there(text);
	case GUARD_CONTENT:
		return has_content(text, content, g->value[0]);
	case GUARD_CALLER:
		return is_same_caller(g->value);
	case GUARD_KERNEL:
		return is_same_kernel(text);
	}
	return false;
}

static uint64_t padded(uint64_t size)
{
	return (size + 7) & ~7ULL;
}

/* Whether the file is for this request and every guard of it holds. */
static bool guards_hold(const char *image, size_t size, const char *key)
{
	const struct kept_header *h = (const void *)image;
	uint64_t at = sizeof *h;
	bool has_key = false;

	if (size < sizeof *h || memcmp(h->magic, KEPT_MAGIC, 4) || h->version != PROGRAM_VERSION || h->program > size)
		return false;
	for (uint32_t i = 0; i < h->guards; i++) {
		const struct guard *g = (const void *)(image + at);
		const char *text = image + at + sizeof *g, *content;
		uint64_t next;

		if (at + sizeof *g > h->program || !g->text)
			return false;
		content = text + padded(g->text);
		next = at + sizeof *g + padded(g->text) + (g->kind == GUARD_CONTENT ? padded(g->value[0]) : 0);
		if (next > h->program || next < at || text[g->text - 1] || !guard_holds(g, text, content, key))
			return false;
		has_key |= g->kind == GUARD_KEY;
		at = next;
	}
	return has_key && at == h->program;
}

static const char *find_node(char **env, char *to, size_t size)
{
	const char *path = variable(env, "PATH");

	if (!path) /* some engines leave no environment at all; execvp(3) too has a default then */
		path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	for (const char *start = path; start; path++) {
		char directory[PATH_SIZE];
		size_t length = (size_t)(path - start);
		const char *const parts[] = {directory, "/node", NULL};

		if (*path && *path != ':')
			continue;
		if (length && length < sizeof directory) {
			memcpy(directory, start, length);
			directory[length] = '\0';
			if (join(to, size, parts) && syscall6(__NR_faccessat, AT_FDCWD, (long)to, X_OK, 0, 0, 0) >= 0)
				return to;
		}
		start = *path ? path + 1 : NULL;
	}
	return NULL;
}

/* Commands that talk to a registry; only they need what NODE_EXTRA_CA_CERTS loads, which takes as long as Node.js does. */
static bool needs_network(char **argv)
{
	static const char *const runtime[] = {"run",   "create", "start", "state", "list",   "kill",	 "delete", "exec",
					      "pause", "resume", "ps",	  "spec",  "update", "features", "events", "explain"};

	for (int i = 1; argv[i]; i++)
		for (size_t k = 0; k < sizeof runtime / sizeof *runtime; k++)
			if (streq(argv[i], runtime[k]))
				return false;
	return true;
}

static void complain(const char *what)
{
	const char *parts[] = {"bundle-tool: ", what, "\n"};

	for (size_t i = 0; i < 3; i++)
		if (write_all(2, parts[i], strlen(parts[i])) < 0)
			return;
}

/* Goes on as Node.js; `added` are variables for it. Returns only when there is no Node.js. */
static int become_node(char **argv, char **env, const char *exe, char **added)
{
	static char *new_argv[MAX_ENVIRONMENT], *new_env[MAX_ENVIRONMENT];
	static char node[PATH_SIZE], script[PATH_SIZE], name[PATH_SIZE], certificates[PATH_SIZE];
	uint64_t none = 0;
	int n = 0, e = 0;
	size_t directory = (size_t)(base_name(exe) - exe);

	if (!find_node(env, node, sizeof node)) {
		complain("node is not in PATH: install Node.js 20 or later");
		return 1;
	}
	if (directory + 32 > sizeof script || !JOIN(name, "BUNDLE_TOOL_NAME=", base_name(argv[0])))
		return 1;
	memcpy(script, exe, directory);
	memcpy(script + directory, "../bin/bundle-tool.js", 22);
	new_argv[n++] = node;
	new_argv[n++] = script;
	for (int i = 1; argv[i] && n < MAX_ENVIRONMENT - 1; i++)
		new_argv[n++] = argv[i];
	for (; *env && e < MAX_ENVIRONMENT - 16; env++)
		if (has_prefix(*env, "NODE_EXTRA_CA_CERTS=") && !needs_network(argv) &&
		    JOIN(certificates, "BUNDLE_TOOL_", *env))
			new_env[e++] = certificates; /* JavaScript gives it back, for what it starts */
		else
			new_env[e++] = *env;
	new_env[e++] = name;
	while (*added)
		new_env[e++] = *added++;
	if (sys(rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof none) >= 0)
		sys(execve, node, new_argv, new_env);
	complain("node cannot be executed");
	return 1;
}

static char *append_number(char *to, int64_t number)
{
	to += decimal(to, (uint64_t)number);
	*to++ = ' ';
	*to = '\0';
	return to;
}

/* The report of the step that failed, for Node.js to put into words. */
static int explain_failure(char **argv, char **env, const char *exe, const struct report *report)
{
	static char numbers[160] = "BUNDLE_TOOL_FAILURE=", detail[DETAIL_SIZE + 32];
	char *added[] = {numbers, detail, NULL}, *to = numbers + 20;

	to = append_number(to, report->step);
	to = append_number(to, report->error);
	to = append_number(to, report->syscall);
	to = append_number(to, report->pid);
	append_number(to, report->status);
	if (!JOIN(detail, "BUNDLE_TOOL_FAILURE_DETAIL=", report->detail))
		detail[0] = '\0';
	return become_node(argv, env, exe, added);
}

/* Takes a variable out of the environment; its value. */
static const char *take_variable(char **env, const char *name)
{
	const char *value = variable(env, name);

	if (!value)
		return NULL;
	while (*env + strlen(name) + 1 != value)
		env++;
	for (; *env; env++)
		env[0] = env[1];
	return value;
}

/* The path of this binary: from before it was sealed, or now. */
static const char *own_path(char **env, char *to, size_t size)
{
	const char *known = take_variable(env, "BUNDLE_TOOL_FRONT");
	long length;

	if (known)
		return known;
	length = sys(readlinkat, AT_FDCWD, "/proc/self/exe", to, size - 1);
	to[length > 0 ? length : 0] = '\0';
	return to;
}

/* The environment with the path of this binary, which a sealed copy cannot find out. */
static char **with_own_path(char **env, const char *exe)
{
	static char *extended[MAX_ENVIRONMENT], entry[PATH_SIZE + 32];
	int n = 0;

	if (!JOIN(entry, "BUNDLE_TOOL_FRONT=", exe))
		return env;
	while (env[n] && n < MAX_ENVIRONMENT - 2) {
		extended[n] = env[n];
		n++;
	}
	extended[n] = entry;
	return extended;
}

/* Only the caller, or root, may have written it; opened without following a link. */
static long open_kept(const char *path)
{
	long fd = syscall6(__NR_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0, 0, 0);

	return fd >= 0 && check_owner((int)fd) >= 0 ? fd : -ENOENT;
}

/* Whether the command was one of the lifecycle's and is done. */
static bool finish_lifecycle(char **argv, char **env)
{
	struct globals g = parse_globals(argv);
	char root[PATH_SIZE];

	if (g.log_format && !streq(g.log_format, "json") && !streq(g.log_format, "text"))
		return false;
	return argv[g.command] && find_root(root, sizeof root, g.root, env) && lifecycle(root, g.log, argv + g.command);
}

int front(struct vm *vm, char **argv, char **env)
{
	static char exe_buffer[PATH_SIZE], path[PATH_SIZE], key[3 * PATH_SIZE];
	const char *exe = own_path(env, exe_buffer, sizeof exe_buffer);
	struct request request = {0};
	char *nothing[] = {NULL};
	void *image = NULL;
	size_t size = 0;
	long fd;

	if (finish_lifecycle(argv, env))
		return 0;
	if (!parse_request(argv, &request) || !kept_path(path, sizeof path, &request, env, key, sizeof key))
		return become_node(argv, env, exe, nothing);
	fd = open_kept(path);
	if (fd < 0 || seal(argv, with_own_path(env, exe)) < 0 || read_program((int)fd, &image, &size) < 0 ||
	    sys(close, fd) < 0 || !guards_hold(image, size, key))
		return become_node(argv, env, exe, nothing);
	const char *bundle = key + strlen(request.mode) + 1;
	char *end = (char *)(uintptr_t)bundle;

	while (*end && *end != '\n')
		end++;
	*end = '\0';
	const struct kept_header *h = image;

	long caller = sys(openat, AT_FDCWD, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	vm->report = -1;
	vm->id = request.id;
	vm->env = env;
	if (caller < 0 || sys(chdir, bundle) < 0 || prepare(vm, (char *)image + h->program, size - h->program) < 0)
		return become_node(argv, env, exe, nothing);
	int code = run(vm);

	if (sys(fchdir, caller) < 0)
		return code;
	return vm->last.kind == REPORT_FAILED ? explain_failure(argv, env, exe, &vm->last) : code;
}
