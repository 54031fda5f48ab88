/*
 * start, state, kill, delete, pause and resume of a container, by the record that was written beside its state.json when
 * it was created (src/runtime/kept/front-record.ts). Whatever is not plain success is left to the command line, which starts over: no
 * step here does harm when it is done twice. The one error that is said here is that of `kill` after the end of a container, as
 * engines call it to be sure, in the words of the record.
 */
#include "front/front.h"
#include "front/record.h"
#include "system/directory.h"
#include "system/file.h"
#include "system/memory.h"
#include "system/process.h"
#include "system/text.h"

#include <asm/signal.h>
#include <asm/stat.h>
#include <linux/poll.h>
#include <linux/time_types.h>

enum { STATE_SIZE = 65536, KILL_TIMEOUT_MS = 10000, FREEZE_TIMEOUT_MS = 100 };

/* 1 or 0; an error when it cannot be found out. */
static int is_alive(const struct container *c)
{
	char state;
	uint64_t start_time;
	int r = read_process(c->pid, &state, &start_time);

	if (r < 0)
		return r == -ENOENT || r == -ESRCH ? 0 : r;
	return start_time == c->start_time && state != 'Z' && state != 'X';
}

/* OTHER: on the way to one of the two, below a frozen one, or not to be found out. */
enum freezer { THAWED, FROZEN, OTHER };

/* True when one of the lines of a text is this one. */
static bool has_line(const char *text, const char *line)
{
	size_t length = strlen(line);

	for (const char *at = text; *at; at++)
		if ((at == text || at[-1] == '\n') && has_prefix(at, line) && (at[length] == '\n' || !at[length]))
			return true;
	return false;
}

static enum freezer read_freezer(const struct container *c)
{
	char now[16], proof[128];
	const char *file = c->line[RECORD_FREEZER_LINE];
	long r = *file ? read_file(AT_FDCWD, file, now, sizeof now) : -ENOENT;

	if (r == -ENOENT || r == -ENODEV || (r >= 0 && has_line(now, c->line[RECORD_THAWED_LINE])))
		return THAWED;
	if (r < 0 || !has_line(now, c->line[RECORD_FROZEN_LINE]) ||
	    read_file(AT_FDCWD, c->line[RECORD_PROOF_LINE], proof, sizeof proof) < 0)
		return OTHER;
	return has_line(proof, c->line[RECORD_PROVEN_LINE]) ? FROZEN : OTHER;
}

static bool is_thawed(const struct container *c)
{
	return read_freezer(c) == THAWED;
}

static bool write_freezer(const struct container *c, enum record_line value)
{
	const char *file = c->line[RECORD_FREEZER_LINE], *text = c->line[value];

	return *file && write_file(AT_FDCWD, file, 0, 0, text, strlen(text)) >= 0;
}

static bool is_created(const struct container *c)
{
	return sys(faccessat, c->directory, START_FIFO, 0) >= 0;
}

static bool is_plain(const struct container *c, enum record_flag flag)
{
	for (const char *f = c->line[RECORD_FLAGS_LINE]; *f; f++)
		if (*f == (char)flag)
			return true;
	return false;
}

static bool state_container(const struct container *c, char **words)
{
	static char out[STATE_SIZE];
	char pid[24];
	int alive = is_alive(c);
	enum freezer freezer = read_freezer(c);
	const char *status = freezer == FROZEN ? "paused" : !alive ? "stopped" : is_created(c) ? "created" : "running";

	if (words[0] || alive < 0 || freezer == OTHER)
		return false;
	decimal(pid, alive ? c->pid : 0);
	return JOIN(out, c->head, "\n  \"pid\": ", pid, ",\n  \"status\": \"", status, "\",\n", c->tail, "\n") &&
	       write_all(1, out, strlen(out)) == 0;
}

/* True when nobody but the caller and the container can write to the FIFO. */
static bool is_closed_to_others(const struct container *c)
{
	struct stat st;

	return sys(fstat, c->directory, &st) >= 0 && !(st.st_mode & 077);
}

/* The container's process writes a byte once somebody reads there; then it executes its program. */
static bool start_container(const struct container *c, char **words)
{
	struct pollfd gate = {.events = POLLIN};
	struct __kernel_timespec time = {.tv_nsec = 10000000};
	char byte;

	if (words[0] || !is_plain(c, PLAIN_START) || !is_closed_to_others(c) || !is_thawed(c) || is_alive(c) != 1)
		return false;
	gate.fd = (int)sys(openat, c->directory, START_FIFO, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (gate.fd < 0)
		return false;
	while (sys(read, gate.fd, &byte, 1) != 1) {
		/* Dead or started by another: what the command line finds too. */
		if (is_alive(c) != 1 || !is_created(c) || sys(ppoll, &gate, 1, &time, NULL, 0) < 0)
			return false;
		if (gate.revents == POLLHUP)
			sleep_ms(1);
	}
	return sys(unlinkat, c->directory, START_FIFO, 0) >= 0;
}

static bool parse_signal(const char *text, uint64_t *number)
{
	static const char names[31][8] = {"HUP",  "INT",  "QUIT",   "ILL",  "TRAP", "ABRT", "BUS",   "FPE",
					  "KILL", "USR1", "SEGV",   "USR2", "PIPE", "ALRM", "TERM",  "STKFLT",
					  "CHLD", "CONT", "STOP",   "TSTP", "TTIN", "TTOU", "URG",   "XCPU",
					  "XFSZ", "VTALRM", "PROF", "WINCH", "IO",  "PWR",  "SYS"};
	const char *end = text;

	if (parse_decimal(&end, number))
		return !*end && strlen(text) <= 2 && *number <= 64;
	if (strlen(text) > 3 && !memcmp(text, "SIG", 3))
		text += 3;
	for (*number = 1; *number <= 31; ++*number)
		if (streq(text, names[*number - 1]))
			return true;
	return false;
}

static bool send_signal(const struct container *c, uint64_t signal)
{
	long pidfd;

	/* Without a PID namespace of their own, SIGKILL is for all processes; a frozen one dies only when thawed. */
	if (signal == SIGKILL && (!is_plain(c, PLAIN_KILL) || !is_thawed(c)))
		return false;
	pidfd = sys(pidfd_open, c->pid, 0);
	return pidfd >= 0 && is_alive(c) == 1 && sys(pidfd_send_signal, pidfd, signal, NULL, 0) >= 0;
}

static bool kill_container(const struct container *c, char **words)
{
	uint64_t signal = SIGTERM;

	if (words[0] && (words[1] || !parse_signal(words[0], &signal)))
		return false;
	/* Without a PID namespace of their own, other processes can outlive the first one, and SIGKILL is for them, too. */
	if ((signal != SIGKILL || is_plain(c, PLAIN_KILL)) && is_alive(c) == 0) {
		*c->code = 1;
		return log_error(c->call, c->line[RECORD_NOT_RUNNING_LINE], c->line[RECORD_QUOTED_NOT_RUNNING_LINE]);
	}
	/* A person is told by the command line what a signal will not do. */
	return (signal == SIGKILL || !is_terminal(2)) && send_signal(c, signal);
}

static bool end_container(const struct container *c)
{
	long deadline = milliseconds_now() + KILL_TIMEOUT_MS;
	int alive;

	if (!send_signal(c, SIGKILL))
		return false;
	while ((alive = is_alive(c)) == 1 && milliseconds_now() < deadline)
		sleep_ms(1);
	return !alive;
}

static bool delete_container(const struct container *c, char **words)
{
	int alive = is_alive(c);

	if (words[0] || !is_plain(c, PLAIN_DELETE) || alive < 0 || !is_thawed(c))
		return false;
	if (alive && (!(c->is_forced || is_created(c)) || !end_container(c)))
		return false;
	for (const char *const *path = c->cgroups; *path; path++)
		if (remove_cgroup(*path) < 0)
			return false;
	return end_recorded(c->directory, KEEPER_FILE, true) >= 0 && unlink_entries(c->directory) >= 0 &&
	       sys(unlinkat, c->root, c->id, AT_REMOVEDIR) >= 0;
}

/* Processes that come during the freeze can keep a cgroup from it: each further request takes them in. */
static bool pause_container(const struct container *c, char **words)
{
	if (words[0] || is_alive(c) != 1 || !is_thawed(c))
		return false;
	for (long deadline = milliseconds_now() + FREEZE_TIMEOUT_MS; milliseconds_now() < deadline; sleep_ms(1)) {
		if (!write_freezer(c, RECORD_FROZEN_LINE))
			break;
		if (read_freezer(c) == FROZEN)
			return true;
	}
	write_freezer(c, RECORD_THAWED_LINE); /* that this fails, too, is for the command line to find out */
	return false;
}

static bool resume_container(const struct container *c, char **words)
{
	return !words[0] && read_freezer(c) == FROZEN && write_freezer(c, RECORD_THAWED_LINE);
}

/* True when nothing of the container is left: engines delete by force, once more, a container that they have deleted. */
static bool is_gone(const char *root, const char *id)
{
	char path[PATH_SIZE];
	struct stat st;

	return JOIN(path, root, "/", id) &&
	       probe(newfstatat, AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) == -ENOENT;
}

bool accepts_exec(const char *root, const char *id)
{
	struct container c = {0};

	return find_container(&c, root, id) && is_thawed(&c);
}

static const struct {
	const char *name;
	bool (*run)(const struct container *c, char **words);
} commands[] = {
#define ROW(name) {#name, name##_container},
	LIFECYCLE_COMMANDS(ROW)
#undef ROW
};

enum option_bit {
#define BIT(name, ...) OPTION_BIT_##name,
	LIFECYCLE_OPTIONS(BIT)
#undef BIT
};

/* Takes the options of a command that stand before its first word, a bit each. */
static char **take_options(const char *command, char **words, unsigned int *given)
{
	static const struct {
		const char *command, *name, *letter;
	} options[] = {
#define ROW(name, ...) {__VA_ARGS__},
		LIFECYCLE_OPTIONS(ROW)
#undef ROW
	};

	for (size_t k = 0; *words && k < sizeof options / sizeof *options; k++)
		if (streq(command, options[k].command) && (streq(*words, options[k].name) || streq(*words, options[k].letter))) {
			*given |= 1U << k;
			words++;
		}
	return words;
}

int lifecycle(const char *root, const struct call *call)
{
	char **words = call->argv + call->command;
	int code = 0;
	struct container c = {.call = call, .code = &code};
	unsigned int given = 0;
	size_t i = 0;

	while (i < sizeof commands / sizeof *commands && !streq(words[0], commands[i].name))
		i++;
	if (i == sizeof commands / sizeof *commands)
		return -1;
	words = take_options(commands[i].name, words + 1, &given);
	c.is_forced = given >> OPTION_BIT_FORCE & 1;
	if (!*words || !is_plain_id(*words) || !make_log(call))
		return -1;
	if (c.is_forced && !words[1] && is_gone(root, *words))
		return 0;
	return find_container(&c, root, *words) && commands[i].run(&c, words + 1) ? code : -1;
}
