/*
 * start, state, kill and delete of a container, by the record that was written beside its state.json when it was created
 * (src/runtime/front-record.ts). Whatever is not plain success is left to Node.js, which starts over: no step here does
 * harm when it is done twice.
 */
#include "vm.h"

#include <asm/signal.h>
#include <linux/poll.h>
#include <linux/time_types.h>

enum { MAX_CGROUPS = 32, STATE_SIZE = 65536, KILL_TIMEOUT_MS = 10000, REMOVE_TIMEOUT_MS = 500 };

struct container {
	int root;
	int directory;
	const char *id;
	uint64_t pid;
	uint64_t start_time;
	const char *flags; /* k: its PID namespace dies with it, s: start, d: delete need no more than is done here */
	const char *freezer; /* its control file; empty: none */
	const char *cgroups[MAX_CGROUPS];
	const char *head; /* of its state, to the pid */
	const char *tail; /* from behind the status */
};

/* The line at *at, NUL-terminated; NULL behind the last. */
static char *next_line(char **at)
{
	char *line = *at, *c = line;

	while (*c && *c != '\n')
		c++;
	if (!*c)
		return NULL;
	*c = '\0';
	*at = c + 1;
	return line;
}

static bool parse_record(struct container *c, char *at)
{
	const char *version = next_line(&at), *pid = next_line(&at), *start_time = next_line(&at), *line;
	int count = 0;

	c->flags = next_line(&at);
	c->freezer = next_line(&at);
	if (!c->freezer || !streq(version, "1") || !parse_decimal(&pid, &c->pid) ||
	    !parse_decimal(&start_time, &c->start_time))
		return false;
	while ((line = next_line(&at)) && *line && count < MAX_CGROUPS - 1)
		c->cgroups[count++] = line;
	if (!line || *line)
		return false;
	c->head = at;
	for (int i = 0; i < 3; i++)
		if (!next_line(&at))
			return false;
	c->tail = at;
	return *at != '\0';
}

static bool read_record(struct container *c)
{
	void *image;
	size_t size;
	long fd;

	c->directory = (int)syscall6(__NR_openat, c->root, (long)c->id,
				     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0, 0, 0);
	if (c->directory < 0)
		return false;
	fd = syscall6(__NR_openat, c->directory, (long)".front", O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0, 0, 0);
	if (fd < 0 || check_owner((int)fd) < 0 || read_program((int)fd, &image, &size) < 0 || !size)
		return false;
	((char *)image)[size - 1] = '\0'; /* its last line needs no end */
	return parse_record(c, image);
}

/* 1 or 0; an error when it cannot be found out. */
static int is_alive(const struct container *c)
{
	char path[40] = "/proc/", state;
	size_t length = 6 + decimal(path + 6, c->pid);
	uint64_t start_time;
	int r;

	memcpy(path + length, "/stat", 6);
	r = read_stat(AT_FDCWD, path, &state, &start_time);
	if (r < 0)
		return r == -ENOENT || r == -ESRCH ? 0 : r;
	return start_time == c->start_time && state != 'Z' && state != 'X';
}

/* False also for a cgroup that is about to freeze or that is only below a frozen one. */
static bool is_thawed(const struct container *c)
{
	char content[16];
	long r = *c->freezer ? read_file(AT_FDCWD, c->freezer, content, sizeof content) : -ENOENT;

	return r == -ENOENT || r == -ENODEV || (r > 0 && (content[0] == 'T' || content[0] == '0'));
}

static bool is_created(const struct container *c)
{
	return sys(faccessat, c->directory, "exec.fifo", 0) >= 0;
}

static bool has_flag(const struct container *c, char flag)
{
	for (const char *f = c->flags; *f; f++)
		if (*f == flag)
			return true;
	return false;
}

static void sleep_ms(long ms)
{
	struct __kernel_timespec time = {.tv_nsec = ms * 1000000};

	sys(nanosleep, &time, NULL);
}

static char *append(char *to, const char *from)
{
	size_t length = strlen(from);

	memcpy(to, from, length + 1);
	return to + length;
}

static bool print_state(const struct container *c, char **words)
{
	static char out[STATE_SIZE];
	int alive = is_alive(c);
	char *to = out;
	const char *line = c->head;

	if (words[0] || alive < 0 || !is_thawed(c) || strlen(c->tail) + 2048 > sizeof out)
		return false;
	for (; line != c->tail; line += strlen(line) + 1) {
		if (strlen(line) > 512)
			return false;
		to = append(append(to, line), "\n");
	}
	to = append(to, "  \"pid\": ");
	to += decimal(to, alive ? c->pid : 0);
	to = append(append(to, ",\n  \"status\": \""), !alive ? "stopped" : is_created(c) ? "created" : "running");
	to = append(append(append(to, "\",\n"), c->tail), "\n");
	return write_all(1, out, (size_t)(to - out)) == 0;
}

/* The container's process writes a byte once somebody reads there; then it executes its program. */
static bool open_gate(const struct container *c, char **words)
{
	struct pollfd gate = {.events = POLLIN};
	struct __kernel_timespec time = {.tv_nsec = 10000000};
	char byte;

	if (words[0] || !has_flag(c, 's') || !is_thawed(c) || is_alive(c) != 1)
		return false;
	gate.fd = (int)sys(openat, c->directory, "exec.fifo", O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (gate.fd < 0)
		return false;
	while (sys(read, gate.fd, &byte, 1) != 1) {
		/* Dead or started by another: what Node.js finds too. */
		if (is_alive(c) != 1 || !is_created(c) || sys(ppoll, &gate, 1, &time, NULL, 0) < 0)
			return false;
		if (gate.revents == POLLHUP)
			sleep_ms(1);
	}
	return sys(unlinkat, c->directory, "exec.fifo", 0) >= 0;
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
	if (signal == SIGKILL && (!has_flag(c, 'k') || !is_thawed(c)))
		return false;
	pidfd = sys(pidfd_open, c->pid, 0);
	return pidfd >= 0 && is_alive(c) == 1 && sys(pidfd_send_signal, pidfd, signal, NULL, 0) >= 0;
}

static bool kill_container(const struct container *c, char **words)
{
	uint64_t signal = SIGTERM;

	if (words[0] && (words[1] || !parse_signal(words[0], &signal)))
		return false;
	return send_signal(c, signal);
}

/* The kernel lets go of a cgroup a moment after its last process has ended. */
static bool remove_cgroups(const struct container *c)
{
	long deadline = milliseconds_now() + REMOVE_TIMEOUT_MS;

	for (const char *const *path = c->cgroups; *path;) {
		long r = sys(unlinkat, AT_FDCWD, *path, AT_REMOVEDIR);

		if (r >= 0 || r == -ENOENT || r == -ENODEV)
			path++;
		else if (r == -EBUSY && milliseconds_now() < deadline)
			sleep_ms(1);
		else
			return false;
	}
	return true;
}

static bool end_container(const struct container *c)
{
	long deadline = milliseconds_now() + KILL_TIMEOUT_MS;

	if (!send_signal(c, SIGKILL))
		return false;
	while (is_alive(c) == 1 && milliseconds_now() < deadline)
		sleep_ms(1);
	return true;
}

static bool delete_container(const struct container *c, bool is_forced)
{
	int alive = is_alive(c);

	if (!has_flag(c, 'd') || alive < 0 || !is_thawed(c))
		return false;
	if (alive && (!(is_forced || is_created(c)) || !end_container(c) || is_alive(c) != 0))
		return false;
	return remove_cgroups(c) && unlink_entries(c->directory) >= 0 &&
	       sys(unlinkat, c->root, c->id, AT_REMOVEDIR) >= 0;
}

bool lifecycle(int root, char **words)
{
	struct container c = {.root = root};
	const char *command = *words++;
	bool is_delete = streq(command, "delete"), is_forced = false;

	if (is_delete && *words && (is_forced = streq(*words, "-f") || streq(*words, "--force")))
		words++;
	c.id = *words;
	if (!c.id || !is_plain_id(c.id))
		return false;
	words++;
	if (is_delete)
		return !words[0] && read_record(&c) && delete_container(&c, is_forced);
	if (streq(command, "state"))
		return read_record(&c) && print_state(&c, words);
	if (streq(command, "start"))
		return read_record(&c) && open_gate(&c, words);
	return streq(command, "kill") && read_record(&c) && kill_container(&c, words);
}
