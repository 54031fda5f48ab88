/* The command: its home, its file, the descriptors that it does not get, execve(2). */
#include "runner/vm.h"
#include "system/caller.h"
#include "system/directory.h"
#include "system/file.h"
#include "system/memory.h"
#include "system/text.h"

#include <asm/signal.h>
#include <asm/stat.h>
#include <linux/close_range.h>

/* The sixth field of the line of this uid in passwd(5), copied; "/" when there is none. */
static void find_home(const char *passwd, uint64_t uid, char *home, size_t size)
{
	memcpy(home, "/", 2);
	for (const char *line = passwd; *line;) {
		const char *at = line, *start;
		uint64_t found;
		size_t length = 0;

		for (int colons = 0; colons < 2 && *at && *at != '\n'; at++)
			colons += *at == ':';
		if (parse_decimal(&at, &found) && *at == ':' && found == uid) {
			for (int colons = 0; colons < 3 && *at && *at != '\n'; at++)
				colons += *at == ':';
			for (start = at; *at && *at != ':' && *at != '\n'; at++)
				length++;
			if (length && length < size) {
				memcpy(home, start, length);
				home[length] = '\0';
			}
			return;
		}
		while (*line && *line++ != '\n')
			;
	}
}

int op_default_home(struct vm *vm, const struct step *s)
{
	static char passwd[256 << 10];
	uint64_t *entry = vm->program.lists + s->arg[1];
	struct stat st;
	long fd = sys(openat, AT_FDCWD, "/etc/passwd", O_RDONLY | O_CLOEXEC | O_NONBLOCK), r = fd;

	if (fd >= 0) {
		r = sys(fstat, fd, &st);
		if (r >= 0 && S_ISREG(st.st_mode))
			r = sys(read, fd, passwd, sizeof passwd - 1);
		r = closing(fd, r);
	}
	if (r < 0 && r != -ENOENT && r != -EACCES && r != -ENOTDIR && r != -ELOOP)
		return (int)r;
	memcpy(vm->home, "HOME=", 5);
	find_home(passwd, s->arg[0], vm->home + 5, sizeof vm->home - 5);
	while (*entry)
		entry++;
	if (entry + 1 >= vm->program.lists + vm->program.list_words || entry[1])
		return -ENOSPC; /* the compiler leaves room for it: a second end mark */
	*entry = (uint64_t)(uintptr_t)vm->home;
	return 0;
}

int op_find_command(struct vm *vm, const struct step *s)
{
	const char *name = string(vm, s, 0);

	if (!name && vm->argv)
		name = vm->argv[0];
	return search_path(name ? name : "", string(vm, s, 1), vm->command, sizeof vm->command);
}

int op_close_slots(struct vm *vm, const struct step *s)
{
	for (uint64_t i = 0; i < MAX_SLOTS; i++) {
		long r;

		if (vm->slot[i] < 0 || i == s->arg[0] || i == s->arg[1])
			continue;
		r = sys(close, vm->slot[i]);
		if (r < 0)
			return (int)r;
		vm->slot[i] = -1;
	}
	return 0;
}

/* Marks descriptors as close-on-exec by the list in procfs, where close_range(2) cannot (before Linux 5.11). */
static long mark_from(uint64_t first)
{
	struct listing all = {.directory = sys(openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
	const struct directory_entry *entry;
	long r = all.directory;

	while (r >= 0 && (entry = next_entry(&all))) {
		const char *name = entry->name;
		uint64_t fd;

		if (parse_decimal(&name, &fd) && fd >= first)
			r = sys(fcntl, fd, F_SETFD, FD_CLOEXEC);
	}
	if (r < 0 || all.size < 0)
		return r < 0 ? r : all.size;
	return sys(close, all.directory);
}

/* The lowest descriptor of ours from this one on; UINT32_MAX: none. */
static uint64_t next_own(const struct vm *vm, uint64_t first)
{
	const int others[] = {vm->sync, vm->signals, vm->report, vm->caller};
	uint64_t lowest = UINT32_MAX;

	for (size_t i = 0; i < MAX_SLOTS + sizeof others / sizeof *others; i++) {
		int fd = i < MAX_SLOTS ? vm->slot[i] : others[i - MAX_SLOTS];

		if (fd >= 0 && (uint64_t)fd >= first && (uint64_t)fd < lowest)
			lowest = (uint64_t)fd;
	}
	return lowest;
}

/* Closes the caller's descriptors at once: they would lead out of a container that waits to be started. */
static long close_others(const struct vm *vm, uint64_t first)
{
	long r = 0;

	while (r >= 0 && first < UINT32_MAX) {
		uint64_t own = next_own(vm, first);

		if (own > first)
			r = sys(close_range, first, own - 1, 0);
		first = own + 1;
	}
	return r == -ENOSYS ? 0 : r;
}

int op_close_from(struct vm *vm, const struct step *s)
{
	long r = close_others(vm, s->arg[0]);

	if (r >= 0)
		r = sys(close_range, s->arg[0], ~0U, CLOSE_RANGE_CLOEXEC);
	return (int)(r == -ENOSYS || r == -EINVAL ? mark_from(s->arg[0]) : r);
}

/*
 * The runner may be gone by now and the process is the container's, so there is nobody to report to: the one sentence
 * the runner writes itself, on the stderr of the container, as runc does.
 */
static void say_cannot_execute(const char *command, long error)
{
	const char *reason = "cannot be executed";

	if (error == -ENOENT)
		reason = "no such file or directory";
	else if (error == -EACCES)
		reason = "permission denied";
	else if (error == -ENOEXEC)
		reason = "exec format error";
	else if (error == -E2BIG)
		reason = "argument list too long";
	const char *parts[] = {"exec ", command, ": ", reason, "\n"};

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (write_all(2, parts[i], strlen(parts[i])) < 0)
			return;
}

int op_execve(struct vm *vm, const struct step *s)
{
	char **argv = list(vm, s, 0);
	uint64_t none = 0;
	long r = vm->shared->knows_ignored ? stop_ignoring(vm->shared->ignored) : default_signals();

	if (r >= 0)
		r = sys(rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof none);
	if (r >= 0)
		r = sys(execve, vm->command, *argv || !vm->argv ? argv : vm->argv, list(vm, s, 1));
	say_cannot_execute(vm->command, r);
	exit_with(255);
}
