/* Processes and time. */
#include "system/process.h"

#include "system/file.h"
#include "system/memory.h"
#include "system/sys.h"
#include "system/text.h"

#include <asm/signal.h>
#include <linux/sched.h>
#include <linux/time.h>

long start_process(struct clone_args *args)
{
	const uint64_t new_flags = CLONE_INTO_CGROUP | CLONE_NEWTIME;
	long r = sys(clone3, args, sizeof *args);

	/* E2BIG: clone3(2) of Linux 5.3 to 5.6, which has no cgroup. For clone(2), CLONE_NEWTIME would be part of the signal. */
	if ((r != -ENOSYS && !(r == -E2BIG && args->flags & CLONE_INTO_CGROUP)) || args->flags & CLONE_NEWTIME)
		return r;
	args->flags &= ~new_flags;
	return sys(clone, args->flags | args->exit_signal, 0, args->parent_tid, 0, 0);
}

void name_of_process(char *to, uint64_t pid, const char *rest)
{
	memcpy(to, "/proc/", 6);
	to += 6 + decimal(to + 6, pid);
	memcpy(to, rest, strlen(rest) + 1);
}

const char *stat_field(const char *stat, int number)
{
	const char *end = stat;
	int at = 2;

	for (const char *c = stat; *c; c++)
		if (*c == ')')
			end = c;
	for (; *end && at < number; end++)
		at += *end == ' ';
	return end;
}

int read_stat(int at, const char *path, char *state, uint64_t *start_time)
{
	char content[1024];
	const char *number;
	long r = read_file(at, path, content, sizeof content);

	if (r < 0)
		return (int)r;
	*state = *stat_field(content, STAT_STATE);
	number = stat_field(content, STAT_START_TIME);
	return parse_decimal(&number, start_time) ? 0 : -EPROTO;
}

int read_process(uint64_t pid, char *state, uint64_t *start_time)
{
	char path[40];

	name_of_process(path, pid, "/stat");
	return read_stat(AT_FDCWD, path, state, start_time);
}

int exit_code(int status)
{
	return status & 0x7f ? 128 + (status & 0x7f) : status >> 8 & 0xff;
}

long milliseconds_now(void)
{
	struct __kernel_timespec now = {0};
	long r = sys(clock_gettime, CLOCK_MONOTONIC, &now);

	return r < 0 ? 0 : now.tv_sec * 1000 + (long)now.tv_nsec / 1000000;
}

int left_ms(long deadline)
{
	long left = deadline - milliseconds_now();

	return deadline < 0 ? -1 : left > 0 ? (int)left : 0;
}

long sleep_ms(long ms)
{
	struct __kernel_timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	return sys(nanosleep, &time, NULL);
}

int reap(int pid, int *status)
{
	long r = pid > 0 ? sys(wait4, pid, status, 0, NULL) : 0;

	return r == -ECHILD ? 0 : (int)r;
}

enum { END_TIMEOUT_MS = 10000 };

/* True while this very process exists and is not just waiting to be reaped. */
static bool goes_on(uint64_t pid, uint64_t start_time)
{
	char state;
	uint64_t found;

	return read_process(pid, &state, &found) >= 0 && found == start_time && state != 'Z' && state != 'X';
}

long end_recorded(int at, const char *path, bool is_awaited)
{
	char content[64];
	const char *c = content;
	uint64_t pid, start_time;
	long r, deadline = milliseconds_now() + END_TIMEOUT_MS, fd = open_own(at, path);

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	r = read_opened(fd, content, sizeof content);
	if (r < 0)
		return r;
	if (!parse_decimal(&c, &pid) || *c++ != ' ' || !parse_decimal(&c, &start_time) || *c != '\n')
		return -EPROTO;
	if (!goes_on(pid, start_time))
		return 0;
	r = sys(kill, pid, SIGKILL);
	while (r >= 0 && is_awaited && goes_on(pid, start_time))
		r = milliseconds_now() < deadline ? sleep_ms(1) : -ETIMEDOUT;
	return r == -ESRCH ? 0 : r;
}
