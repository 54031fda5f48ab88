/* Generated from src/program/contract.ts and options.ts by `npm run generate`. Do not edit. */
#pragma once

#include <stdint.h>

/* Exit codes: there is no program, and nothing was done; a program could not be executed. */
enum { NO_PROGRAM = 75, NOT_EXECUTED = 127 };

/* First words of command lines, and variables, by which the processes of the tool tell each other something. */
#define ARGV0_EXECUTE "bundle-tool:execute"
#define ARGV0_ORDERS "bundle-tool:orders="
#define ARGV0_TREE "bundle-tool:tree"
#define ARGV0_COPY "bundle-tool:copy"
#define ARGV0_RUNNER "bundle-tool:run"
#define VARIABLE_PREFIX "BUNDLE_TOOL_"
#define VARIABLE_NAME "BUNDLE_TOOL_NAME"
#define VARIABLE_FRONT "BUNDLE_TOOL_FRONT"
#define VARIABLE_NOFILE "BUNDLE_TOOL_NOFILE"
#define VARIABLE_HANDOVER "BUNDLE_TOOL_HANDOVER"
#define VARIABLE_REPORTS "BUNDLE_TOOL_REPORTS"
#define VARIABLE_REPORT_DETAIL "BUNDLE_TOOL_REPORT_DETAIL"
#define VARIABLE_LEFTOVER_DETAIL "BUNDLE_TOOL_LEFTOVER_DETAIL"
#define VARIABLE_RUNNER "BUNDLE_TOOL_RUNNER"
#define VARIABLE_INTERPRETER "BUNDLE_TOOL_INTERPRETER"
#define VARIABLE_NO_NODE "BUNDLE_TOOL_NO_NODE"
#define VARIABLE_INTERPRETER_END "BUNDLE_TOOL_INTERPRETER_END"

/* A value of VARIABLE_NO_NODE: there are no scripts for Node.js. */
#define RUNTIME_ALONE "runtime alone"

/* Beginnings of variables that Node.js does not get; it gets the latter for a command that talks to servers. */
#define CODE_VARIABLES "NODE_", "OPENSSL_"
#define TRUST_VARIABLES "NODE_EXTRA_CA_CERTS=", "NODE_USE_SYSTEM_CA=", "OPENSSL_"

/* Variables that decide what a try runs; the beginning of the ID of its container. */
#define TRY_VARIABLES "HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "CONTAINERS_REGISTRIES_CONF", "CONTAINERS_CONF", "CONTAINERS_CONF_OVERRIDE", "_CONTAINERS_ROOTLESS_UID"
#define TRY_PREFIX "try-"

/* Commands that need Node.js. */
#define NODE_COMMANDS "pull", "unpack", "inspect", "list-tags", "copy", "push", "images", "rmi", "prune", "verify", "login", "logout", "export", "repack", "unshare", "try", "tag", "digest", "list-referrers", "diff", "doctor"

/* Names of files. */
#define STATE_FILE "state.json"
#define RECORD_FILE ".front"
#define START_FIFO "exec.fifo"
#define KEEPER_FILE "keeper"
#define KEPT_PREFIX ".program-"

/* The state root of a user without XDG_RUNTIME_DIR, and the number of the user behind it. */
#define TEMPORARY_ROOT_PREFIX "/tmp/bundle-tool-"

/* The first lines of a container's record, and characters in the line of flags: what is plain, so that the front does it. */
#define RECORD_VERSION "3"

enum record_line { RECORD_VERSION_LINE, RECORD_PID_LINE, RECORD_START_TIME_LINE, RECORD_FLAGS_LINE, RECORD_FREEZER_LINE, RECORD_THAWED_LINE, RECORD_FROZEN_LINE, RECORD_PROOF_LINE, RECORD_PROVEN_LINE, RECORD_NOT_RUNNING_LINE, RECORD_QUOTED_NOT_RUNNING_LINE, RECORD_LINES };
enum record_flag { PLAIN_KILL = 'k', PLAIN_START = 's', PLAIN_DELETE = 'd' };

#define FNV_OFFSET 0xcbf29ce484222325ULL
#define FNV_PRIME 0x100000001b3ULL

/* The first bytes of a program, and of a kept one. */
#define PROGRAM_MAGIC "BTPR"
#define KEPT_MAGIC "BTKP"

enum { PROGRAM_VERSION = 1, TEXT_ESCAPE = 1, TEXT_REGISTER = 65, OUTPUT_DIVIDER = 31 };
enum { MAX_OPERANDS = 6, MAX_SLOTS = 64, MAX_PROGRAM = 268435456 };
enum { DETAIL_SIZE = 1024, MAX_ORDER = 16384, MAX_REGISTER = 1024 };

/* SIGPWR: nobody waits for the container any more. */
enum { END_SIGNAL = 30 };

enum guard_kind { GUARD_KEY = 1, GUARD_PLACE = 2, GUARD_PRESENT = 3, GUARD_ABSENT = 4, GUARD_EXECUTABLE = 5, GUARD_NOT_EXECUTABLE = 6, GUARD_CONTENT = 7, GUARD_MOUNTS = 8, GUARD_CALLER = 9, GUARD_KERNEL = 10, GUARD_FILE = 11 };
enum report_kind { REPORT_READY = 1, REPORT_FAILED = 2, REPORT_UNDO_FAILED = 3, REPORT_EXITED = 4, REPORT_REFUSED = 5, REPORT_BEGUN = 6, REPORT_PIPE = 7, REPORT_ENDED = 8 };
enum order_kind { ORDER_RUN = 1, ORDER_PIPE = 2, ORDER_CLOSE = 3, ORDER_SIGNAL = 4 };
enum tree_kind { TREE_ENTER = 1, TREE_DIRECTORY = 2, TREE_UNLINK = 3, TREE_REMOVE = 4, TREE_SYMLINK = 5, TREE_LINK = 6, TREE_FILE = 7, TREE_DATA = 8, TREE_DONE = 9 };
enum tree_flag { WITH_OWNER = 1, WITH_MODE = 2, WITH_TIME = 4, WITH_COMPLETE = 8, WITH_RESIZE = 16 };
enum { TREE_MEMORY = 33554432, TREE_TEXT = 4096 };

/* An encoded program begins with this; then come the steps, the lists and the strings. */
struct program_header {
	char magic[4];
	uint32_t version;
	uint32_t size; /* of the whole program */
	uint32_t steps[4]; /* how many in each phase, in this order */
	uint32_t list_words; /* lists: words of 64 bits; 0 ends a list, others are offsets of strings */
	uint32_t strings; /* bytes; the first is NUL, so that offset 0 means "none" */
	uint32_t reserved[7];
};

_Static_assert(sizeof(struct program_header) == 64, "as src/program/structs.ts lays it out");

/* One step of a program. */
struct step {
	uint16_t op;
	uint8_t phase;
	uint8_t reserved;
	uint32_t tolerate; /* a bit for each entry of TOLERABLE_ERRORS */
	uint64_t arg[6];
	uint32_t from; /* the JSON pointer it came from: for whoever prints the program */
	uint32_t undoes; /* undo steps: the host step that must have been done */
};

_Static_assert(sizeof(struct step) == 64, "as src/program/structs.ts lays it out");

/* A report of a runner or a fork server. */
struct report {
	uint32_t kind;
	uint32_t step;
	int32_t error;
	int32_t syscall;
	int32_t pid;
	int32_t status;
	int32_t end; /* how the new process ended, plus 1, as wait4(2) says it, if that was before it was killed; else 0 */
	uint32_t order; /* of the fork server; 0: of nobody */
	char detail[1024]; /* ends in NUL; what a failed helper wrote, its standard output, OUTPUT_DIVIDER and standard error */
};

_Static_assert(sizeof(struct report) == 1056, "as src/program/structs.ts lays it out");

/* An order to a fork server; the words of a command line follow, each with its NUL. */
struct order {
	uint32_t kind;
	uint32_t number;
	uint32_t words; /* bytes */
	int32_t value[3]; /* run: descriptors 0 to 2 of it, -1 for /dev/null; close: which, -1 for none; signal: the first */
};

_Static_assert(sizeof(struct order) == 24, "as src/program/structs.ts lays it out");

/* The file of a kept program begins with this; then come its guards, then the program. */
struct kept_header {
	char magic[4];
	uint32_t version;
	uint32_t guards; /* how many */
	uint32_t program; /* where it begins */
};

_Static_assert(sizeof(struct kept_header) == 16, "as src/program/structs.ts lays it out");

/* A fact that must still be as it was. A text follows, then perhaps content as long as the first value says; both padded to 8 bytes. */
struct guard {
	uint32_t kind;
	uint32_t text; /* bytes, with the NUL */
	uint64_t value[8];
};

_Static_assert(sizeof(struct guard) == 72, "as src/program/structs.ts lays it out");

/* The message from Node.js to the front: then come the ID, the directory to run in, the pid file and the console socket, each with its NUL, padded to 8 bytes; then the program. */
struct handover {
	uint32_t program; /* where it begins */
	uint32_t reserved;
};

_Static_assert(sizeof(struct handover) == 8, "as src/program/structs.ts lays it out");

/* A command on a tree of files. Its name and its text follow, each with its NUL; both together padded to 8 bytes. */
struct tree_command {
	uint16_t kind;
	uint16_t flags;
	uint16_t name; /* bytes, with the NUL; 0: none */
	uint16_t text; /* bytes, with the NUL; 0: none */
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	uint32_t nanoseconds;
	int64_t seconds; /* modification time */
	uint64_t position; /* in the file */
	uint32_t from; /* where the data begin in the memory */
	uint32_t length; /* of the data */
};

_Static_assert(sizeof(struct tree_command) == 48, "as src/program/structs.ts lays it out");

/* The first one of a process that makes a tree has the descriptor of its memory; others answer `done`, or tell a failure. One that copies a tree sends one. */
struct tree_report {
	int32_t error; /* of errno(3); 0: all is done */
	int32_t syscall; /* that failed */
	uint32_t command; /* that failed, counted from the last `done` */
	int32_t memory;
};

_Static_assert(sizeof(struct tree_report) == 16, "as src/program/structs.ts lays it out");

/* FIELD(name): the numbers of a report, in their order. */
#define REPORT_NUMBERS(FIELD) FIELD(kind) FIELD(step) FIELD(error) FIELD(syscall) FIELD(pid) FIELD(status) FIELD(end) FIELD(order)

/* OPTION(name, with two dashes, whether it has a value, whether it is left to Node.js): options before the command. */
#define GLOBAL_OPTIONS(OPTION) \
	OPTION(ROOT, "--root", true, false) \
	OPTION(LOG, "--log", true, false) \
	OPTION(LOG_FORMAT, "--log-format", true, false) \
	OPTION(SYSTEMD_CGROUP, "--systemd-cgroup", false, true)

#define LOG_FORMATS "text", "json"

/* COMMAND(name): on a container that is there. OPTION(name, its command, with two dashes, with one): what the front knows. */
#define LIFECYCLE_COMMANDS(COMMAND) COMMAND(start) COMMAND(state) COMMAND(kill) COMMAND(delete) COMMAND(pause) COMMAND(resume)

#define LIFECYCLE_OPTIONS(OPTION) \
	OPTION(FORCE, "delete", "--force", "-f")

/* How a kept program depends on an option. */
enum dependence { NEVER, BY_NAME, BY_VALUE, APART, NONE };

/* OPTION(name, with two dashes, with one or NULL, whether it has a value, dependence): those of run, create and exec. */
#define CALL_OPTIONS(OPTION) \
	OPTION(BUNDLE, "--bundle", "-b", true, APART) \
	OPTION(CONFIG, "--config", "-f", true, NEVER) \
	OPTION(CONSOLE_SOCKET, "--console-socket", NULL, true, BY_NAME) \
	OPTION(PIDFD_SOCKET, "--pidfd-socket", NULL, true, NEVER) \
	OPTION(NO_CACHE, "--no-cache", NULL, false, NEVER) \
	OPTION(PID_FILE, "--pid-file", NULL, true, BY_NAME) \
	OPTION(NO_PIVOT, "--no-pivot", NULL, false, BY_NAME) \
	OPTION(NO_NEW_KEYRING, "--no-new-keyring", NULL, false, BY_NAME) \
	OPTION(PRESERVE_FDS, "--preserve-fds", NULL, true, BY_VALUE) \
	OPTION(CWD, "--cwd", NULL, true, BY_VALUE) \
	OPTION(ENV, "--env", "-e", true, BY_VALUE) \
	OPTION(TTY, "--tty", "-t", false, BY_NAME) \
	OPTION(INTERACTIVE, "--interactive", "-i", false, NONE) \
	OPTION(USER, "--user", "-u", true, BY_VALUE) \
	OPTION(ADDITIONAL_GIDS, "--additional-gids", "-g", true, BY_VALUE) \
	OPTION(PROCESS, "--process", "-p", true, APART) \
	OPTION(DETACH, "--detach", "-d", false, BY_NAME) \
	OPTION(KEEP, "--keep", NULL, false, BY_NAME) \
	OPTION(PROCESS_LABEL, "--process-label", NULL, true, BY_VALUE) \
	OPTION(APPARMOR, "--apparmor", NULL, true, BY_VALUE) \
	OPTION(NO_NEW_PRIVS, "--no-new-privs", NULL, false, BY_NAME) \
	OPTION(CAP, "--cap", "-c", true, BY_VALUE) \
	OPTION(CGROUP, "--cgroup", NULL, true, NEVER) \
	OPTION(IGNORE_PAUSED, "--ignore-paused", NULL, false, NEVER) \
	OPTION(NO_SUBREAPER, "--no-subreaper", NULL, false, BY_NAME)
