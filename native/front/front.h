/* The command line as the front understands it, and the functions by which its files call each other. */
#pragma once

#include "contract.h"
#include "runner/program.h"
#include "system/sys.h"

struct vm;

enum { PATH_SIZE = 4096 };

enum global_number {
#define NUMBER(name, ...) GLOBAL_##name,
	GLOBAL_OPTIONS(NUMBER)
#undef NUMBER
	GLOBAL_COUNT
};

/* How the tool was called. The command's words begin at argv[command], behind the options that come before it. */
struct call {
	char **argv;
	char **env;
	const char *exe; /* the path of this binary */
	int command;
	const char *given[GLOBAL_COUNT]; /* the values of options before the command; NULL: not given, or empty */
	bool has_more; /* options that only the command line understands */
};

enum option_number {
#define NUMBER(name, ...) OPTION_##name,
	CALL_OPTIONS(NUMBER)
#undef NUMBER
	OPTION_COUNT
};

/* A parsed call of run, create or exec. */
struct request {
	const char *command;
	const char *given[OPTION_COUNT]; /* the value of an option, or the option itself; NULL: not given, or empty */
	bool is_repeated; /* an option is given twice, and only the last is here */
	const char *id;
	char **words; /* behind the ID */
};

/* A program and what it is run for. */
struct job {
	const char *id;
	const char *directory; /* to run it in; empty: the caller's */
	char **argv; /* NULL, or the command that the program executes */
	const char *pid_file, *console_socket; /* empty, or absolute */
	char *program;
	size_t size;
	int compiler; /* a process that has compiled it and is ending; 0: none */
};

/* "--NAME VALUE" or "--NAME=VALUE" at argv[*i]; NULL when it is something else. */
const char *option(char **argv, int *i, const char *name);

/* True for a valid container ID that is no option. */
bool is_plain_id(const char *id);

/* The absolute state root. */
bool find_root(char *to, size_t size, const struct call *call);

/* An absolute path; false for one with ".", ".." or empty parts, which the command line resolves. */
bool make_absolute(char *to, size_t size, const char *path);

/* False for words that only the command line understands, or that no command has. */
bool parse_request(const struct call *call, struct request *request);

/*
 * The command and its options, a line each: what its program is kept for (src/runtime/kept/call.ts), but for places. Returns
 * the end of the text; NULL when there is no room, or for what no program is kept for.
 */
char *describe_request(const struct request *q, char *to, const char *end);

/* Copies a text that is no longer than up to `end`; returns where it ends, or NULL. */
char *append(char *to, const char *end, const char *text);

/* True for a command line of `try`. */
bool is_try(const struct call *call);

/* Its text, as describe_request has that of others. */
char *describe_try(const struct call *call, char *to, const char *end);

/* The ID of its container. False when another one was left behind by a process that was killed: Node.js removes it. */
bool name_try(char *id, const char *root);

/* Finds the program that was kept for this call, if all that it was compiled from is as it was. */
bool find_kept(const struct call *call, struct job *job);

/* Executes the program that was kept for the command line of `call`, and reports there: the exit code. */
int execute_kept(struct vm *vm, struct call *call, int report);

/* Does what the library asks for through a socket, until that is closed: the exit code. */
int serve(struct vm *vm, const struct call *call, int socket);

/*
 * The path of Node.js: by PATH, or else in a place that nobody but root and the caller can change; false when there is none.
 * `refused` is then one that others can change, or empty.
 */
bool find_node(const struct call *call, char *to, size_t size, char *refused, size_t refused_size);

/*
 * Goes on as all of the command line, in the interpreter or in Node.js; `more` are variables for it. `prefers_node`: the interpreter
 * only where there is no Node.js. Returns only when there is none of them: the exit code.
 */
int become_command_line(const struct call *call, char *const *more, bool prefers_node);

/* True when a call has nothing that only the command line understands, and reads small regular files alone. */
bool has_plain_documents(const struct call *call);

bool has_interpreter(const struct call *call);

/* Goes on as the compiler alone, in the interpreter. Returns only when it cannot be executed: the exit code. */
int become_compiler(const struct call *call, char *const *more);

/*
 * Lets a child compile what is asked for: the compiler, or the command line where the call needs all of it. Returns the exit code
 * when there is no program: the command line has said why.
 */
int compile(const struct call *call, struct job *job);

/* Finds the program and what it is run for in the message of a compiler; false when it is none. */
bool parse_handover(char *image, size_t size, struct job *job);

/* So that it is nobody else's to reap. */
void reap_compiler(const struct job *job);

/* The command line, as a child with a deadline, puts what the runner reports into words: the exit code. */
int explain(const struct call *call, struct vm *vm);

/*
 * start, state, kill, delete, pause and resume, by the record that a container has in its directory below `root`: the exit code.
 * -1 for all but plain success and what the record has words for: that is for the command line to do, and to put into words.
 */
int lifecycle(const char *root, const struct call *call);

/* True when the container exists and is not paused. */
bool accepts_exec(const char *root, const char *id);

/* Makes the log if there is to be one, as the command line does, though there is nothing to write into it. */
bool make_log(const struct call *call);

/* Writes an error into the log, where it is `quoted`, and if that is a file also to standard error. False: not all of it. */
bool log_error(const struct call *call, const char *message, const char *quoted);
