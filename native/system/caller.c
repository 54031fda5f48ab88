/* Things that the caller leaves to this process and no container may have: signals that are ignored, closed standard descriptors. */
#include "system/caller.h"

#include "system/sys.h"

#include <asm/signal.h>

enum { LAST_SIGNAL = 64 };

static long default_signal(int signal)
{
	const struct sigaction action = {.sa_handler = SIG_DFL};

	return sys(rt_sigaction, signal, &action, NULL, sizeof action.sa_mask);
}

int find_ignored(uint64_t *ignored)
{
	struct sigaction now;
	long r = 0;

	*ignored = 0;
	for (int signal = 1; signal <= LAST_SIGNAL && r >= 0; signal++) {
		r = sys(rt_sigaction, signal, NULL, &now, sizeof now.sa_mask);
		if (r >= 0 && now.sa_handler == SIG_IGN)
			*ignored |= 1ULL << (signal - 1);
	}
	return (int)r;
}

int stop_ignoring(uint64_t ignored)
{
	long r = 0;

	for (int signal = 1; ignored && r >= 0; signal++, ignored >>= 1)
		if (ignored & 1)
			r = default_signal(signal);
	return (int)r;
}

int default_signals(void)
{
	uint64_t ignored;
	int r = find_ignored(&ignored);

	return r < 0 ? r : stop_ignoring(ignored);
}

long execute_file(const char *path, char **argv, char **env)
{
	uint64_t none = 0;
	long r = default_signals();

	if (r >= 0)
		r = sys(rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof none);
	return r < 0 ? r : sys(execve, path, argv, env);
}

/* A file that is opened later would get the number of a closed one, and the container with it. */
static long open_standard(int fd)
{
	long r = probe(fcntl, fd, F_GETFD);

	if (r != -EBADF)
		return r;
	r = sys(openat, AT_FDCWD, "/dev/null", O_RDWR);
	return r == fd || r < 0 ? r : -EBADF;
}

int settle(void)
{
	long r = default_signal(SIGCHLD); /* nobody hears of the end of a child while it is ignored */

	for (int fd = 0; fd <= 2 && r >= 0; fd++)
		r = open_standard(fd);
	return r < 0 ? (int)r : 0;
}
