/*
 * The command line in place of this process: in the interpreter, or in Node.js for the commands that need it, and where there is
 * no interpreter. The compiler of programs alone is in the interpreter.
 */
#include "front/front.h"
#include "system/caller.h"
#include "system/environment.h"
#include "system/file.h"
#include "system/memory.h"
#include "system/process.h"
#include "system/start.h"
#include "system/text.h"

#include <asm/stat.h>

/* The descriptors that a process needs for itself; with fewer Node.js aborts, which has threads for commands that are its own. */
enum { FOR_INTERPRETER = 16, FOR_NODE = 32, FOR_THREADS = 64 };

/* A command that only Node.js can do, and the only ones that talk to servers. */
static bool needs_node(const struct call *call)
{
	static const char *const names[] = {NODE_COMMANDS};
	const char *command = call->argv[call->command];

	for (size_t i = 0; command && i < sizeof names / sizeof *names; i++)
		if (streq(command, names[i]))
			return true;
	return false;
}

/* A document of somebody else's: what is no file may have a writer who waits for its reader, and writes once. */
enum document { REGULAR, MISSING, ODD };

static enum document document_at(const char *directory, const char *name)
{
	char path[PATH_SIZE];
	struct stat st;

	if (!JOIN(path, directory, *directory ? "/" : "", name) || sys(newfstatat, AT_FDCWD, path, &st, 0) < 0)
		return MISSING;
	return S_ISREG(st.st_mode) ? REGULAR : ODD;
}

/* The kind of the first document of a call that is no regular file; REGULAR where all of them are. */
static enum document documents_of(const struct call *call, const struct request *q)
{
	char root[PATH_SIZE], name[PATH_SIZE];
	enum document state;

	if (!streq(q->command, "exec") && q->given[OPTION_CONFIG])
		return document_at("", q->given[OPTION_CONFIG]);
	if (!streq(q->command, "exec"))
		return document_at(q->given[OPTION_BUNDLE] ? q->given[OPTION_BUNDLE] : ".", "config.json");
	if (!find_root(root, sizeof root, call) || !JOIN(name, q->id, "/" STATE_FILE))
		return MISSING;
	state = document_at(root, name);
	return state == REGULAR && q->given[OPTION_PROCESS] ? document_at("", q->given[OPTION_PROCESS]) : state;
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

bool has_interpreter(const struct call *call)
{
	char path[PATH_SIZE];

	return find_interpreter(call, path, sizeof path);
}

bool has_plain_documents(const struct call *call)
{
	struct request q;

	return !call->has_more && parse_request(call, &q) && documents_of(call, &q) == REGULAR;
}

/* Where bin/ is beside this binary, or beside the directory of those for one architecture, as in a package. */
static size_t length_of_directory(const char *exe)
{
	static const char own[] = "/" ARCHITECTURE "/";
	const char *name = base_name(exe), *end = name - (sizeof own - 1);

	return (size_t)((end > exe && !memcmp(end, own, sizeof own - 1) ? end + 1 : name) - exe);
}

/* The path of a file of bin/, which need not be there for the interpreter: it has the code, and takes the path for its place. */
static bool find_script(const struct call *call, const char *name, char *to, size_t size)
{
	size_t directory = length_of_directory(call->exe);
	const char *const path[] = {"bin/", name, NULL};

	if (directory >= size)
		return false;
	memcpy(to, call->exe, directory);
	return join(to + directory, size - directory, path);
}

/* The status of a command that this binary cannot do: engines know that of an exec which has run nothing. */
static int own_failure(const struct call *call)
{
	const char *command = call->argv[call->command];

	return command && streq(command, "exec") ? 255 : 1;
}

static int complain_of_limit(const struct call *call, uint64_t count)
{
	char text[128], number[24];

	decimal(number, count);
	if (JOIN(text, "too few file descriptors are allowed: ", number, " are needed (ulimit -n)"))
		complain(text);
	return own_failure(call);
}

static int complain_of_copy(const struct call *call)
{
	char text[2 * PATH_SIZE];

	if (JOIN(text, call->exe, " is alone: the directory bin of its installation is not beside it; call the installed file, "
				  "or make a link to it, instead of a copy"))
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

/* An interpreter that executes a file of bin/: the compiler, or all of the command line. */
static int become_interpreter(const struct call *call, char *binary, const char *script, char *const *more)
{
	static char path[PATH_SIZE], name[PATH_SIZE];
	char *limit = allow_descriptors(call->env, FOR_INTERPRETER);
	char *words[] = {binary, path, NULL}, *const own[] = {name, limit, NULL};
	char **argv = with_variables(words, call->argv + 1), **env = with_variables(call->env, own);

	if (!limit)
		return NO_PROGRAM;
	if (argv && env && find_script(call, script, path, sizeof path) &&
	    JOIN(name, VARIABLE_NAME "=", base_name(call->argv[0])) && (env = with_variables(env, more)))
		sys(execve, binary, argv, env);
	complain("bundle-tool-interpreter cannot be executed");
	return 1;
}

/* "--": Node.js would read the file of an --env-file behind the script, too. */
static int become_node(const struct call *call, char *binary, char *const *more)
{
	static char path[PATH_SIZE], name[PATH_SIZE];
	uint64_t count = needs_node(call) ? FOR_THREADS : FOR_NODE;
	char *limit = allow_descriptors(call->env, count);
	char *words[] = {binary, "--", path, NULL}, *const own[] = {name, limit, NULL};
	char **argv = with_variables(words, call->argv + 1), **env = with_variables(call->env, own);

	if (!limit)
		return complain_of_limit(call, count);
	/* Commands that talk to no server need nothing of what NODE_EXTRA_CA_CERTS loads: it takes as long as Node.js. */
	if (argv && env && find_script(call, "boot.js", path, sizeof path) &&
	    JOIN(name, VARIABLE_NAME "=", base_name(call->argv[0])) && hide_variables(env, needs_node(call)) &&
	    (env = with_variables(env, more)))
		execute_file(binary, argv, env);
	complain("node cannot be executed");
	return 1;
}

int become_compiler(const struct call *call, char *const *more)
{
	static char interpreter[PATH_SIZE];

	return find_interpreter(call, interpreter, sizeof interpreter)
		       ? become_interpreter(call, interpreter, "compiler.js", more)
		       : NO_PROGRAM;
}

/* True when Node.js is to do what the interpreter could do: read a document that may be made to keep it busy. */
static bool is_better_in_node(const struct call *call)
{
	const char *command = call->argv[call->command];
	struct request q;

	return command && (streq(command, "run") || streq(command, "create") || streq(command, "exec")) &&
	       parse_request(call, &q) && documents_of(call, &q) == ODD;
}

/* True when the scripts are where this binary looks for them: a runtime alone has none. */
static bool has_scripts(const struct call *call)
{
	char script[PATH_SIZE];

	return find_script(call, "boot.js", script, sizeof script) && probe(faccessat, AT_FDCWD, script, F_OK) >= 0;
}

int become_command_line(const struct call *call, char *const *more, bool prefers_node)
{
	static char interpreter[PATH_SIZE], node[PATH_SIZE], refused[PATH_SIZE + 32] = VARIABLE_NO_NODE "=";
	const size_t length = sizeof VARIABLE_NO_NODE;
	bool is_there = find_interpreter(call, interpreter, sizeof interpreter), is_alone = !has_scripts(call);
	char *told[] = {is_alone ? VARIABLE_NO_NODE "=" RUNTIME_ALONE : refused, NULL};
	int code;

	if (!is_there && is_alone)
		return complain_of_copy(call);
	if (!is_there || prefers_node || needs_node(call) || is_better_in_node(call)) {
		if (!is_alone && find_node(call, node, sizeof node, refused + length, sizeof refused - length))
			return become_node(call, node, more);
		if (!is_there)
			return complain_of_node(refused + length);
		more = with_variables(told, more);
	}
	code = more ? become_interpreter(call, interpreter, "boot.js", more) : 1;
	return code == NO_PROGRAM ? complain_of_limit(call, FOR_INTERPRETER) : code;
}
