/* Who the process is: ids, capabilities, names, limits, environment, command. */
#include "runner/op_resolve.h"
#include "runner/vm.h"
#include "system/caller.h"
#include "system/directory.h"
#include "system/file.h"
#include "system/memory.h"
#include "system/text.h"

#include <asm/signal.h>
#include <asm/stat.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/keyctl.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>

/* "keyring;UID;GID;PERMISSIONS;NAME", the permissions in hexadecimal; false for another form. */
static bool parse_permissions(const char *description, uint32_t *permissions)
{
	int fields = 0;

	*permissions = 0;
	for (; *description && fields < 4; description++) {
		char c = *description;

		if (c == ';')
			fields++;
		else if (fields == 3)
			*permissions = *permissions << 4 | (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	return fields == 4;
}

int op_session_keyring(struct vm *vm, const struct step *s)
{
	uint32_t permissions;
	long key = sys(keyctl, KEYCTL_JOIN_SESSION_KEYRING, text(vm, s, 0, 0, NULL)), length;

	if (key < 0)
		return (int)key;
	length = sys(keyctl, KEYCTL_DESCRIBE, key, vm->command, sizeof vm->command);
	if (length < 0)
		return (int)length;
	if (length > (long)sizeof vm->command) /* then the kernel has written nothing */
		return -ENAMETOOLONG;
	if (!parse_permissions(vm->command, &permissions))
		return -EPROTO;
	return (int)sys(keyctl, KEYCTL_SETPERM, key, permissions | (uint32_t)s->arg[1]);
}

int op_prlimit(struct vm *vm, const struct step *s)
{
	const uint64_t limit[2] = {s->arg[1], s->arg[2]};

	return (int)sys(prlimit64, vm->phase == PHASE_HOST ? vm->shared->pid : 0, s->arg[0], limit, NULL);
}

/* An operand of kind `bytes`: where it is, and how long. */
static const void *bytes(const struct vm *vm, const struct step *s, int i)
{
	return vm->program.strings + (uint32_t)s->arg[i];
}

int op_set_memory_policy(struct vm *vm, const struct step *s)
{
	uint64_t size = s->arg[1] >> 32;

	return (int)sys(set_mempolicy, s->arg[0], size ? bytes(vm, s, 1) : NULL, size * 8);
}

int op_seccomp(struct vm *vm, const struct step *s)
{
	struct sock_fprog filter = {.len = (uint16_t)((s->arg[0] >> 32) / sizeof(struct sock_filter)),
				    .filter = (struct sock_filter *)(uintptr_t)bytes(vm, s, 0)};
	long r = sys(seccomp, SECCOMP_SET_MODE_FILTER, s->arg[1], &filter);

	if (r < 0 || !(s->arg[1] & SECCOMP_FILTER_FLAG_NEW_LISTENER))
		return (int)r;
	vm->shared->listener = (int32_t)r;
	return fill_slot(vm, s, 2, r);
}

int op_chdir(struct vm *vm, const struct step *s)
{
	char path[4096];
	long r;

	if (vm->in_directory)
		return 0;
	r = sys(chdir, string(vm, s, 0));
	if (r >= 0)
		r = sys(getcwd, path, sizeof path);
	if (r < 0)
		return (int)r;
	if (path[0] != '/') /* "(unreachable)...": outside of the root (CVE-2024-21626) */
		return -EXDEV;
	vm->in_directory = true;
	return 0;
}

int op_bounding_set(struct vm *vm, const struct step *s)
{
	(void)vm;
	for (unsigned int cap = 0; cap < 64; cap++) {
		long r;

		if (s->arg[0] >> cap & 1)
			continue;
		r = sys(prctl, PR_CAPBSET_DROP, cap, 0, 0, 0);
		if (r == -EINVAL && cap > 0) /* the first that this kernel does not know */
			return 0;
		if (r < 0)
			return (int)r;
	}
	return 0;
}

int op_capset(struct vm *vm, const struct step *s)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	long r = sys(capget, &header, data);

	(void)vm;
	for (int i = 0; i < 2 && r >= 0; i++) {
		uint32_t may = data[i].permitted;

		data[i].permitted = may & (uint32_t)(s->arg[1] >> 32 * i);
		data[i].effective = data[i].permitted & (uint32_t)(s->arg[0] >> 32 * i);
		data[i].inheritable = may & (uint32_t)(s->arg[2] >> 32 * i);
	}
	return (int)(r < 0 ? r : sys(capset, &header, data));
}

int op_ambient_set(struct vm *vm, const struct step *s)
{
	long r = sys(prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);

	(void)vm;
	for (unsigned int cap = 0; cap < 64 && r >= 0; cap++)
		if (s->arg[0] >> cap & 1)
			r = sys(prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
	return (int)r;
}

int op_setgroups(struct vm *vm, const struct step *s)
{
	uint64_t bytes = s->arg[0] >> 32;

	return (int)sys(setgroups, bytes / 4, vm->program.strings + (uint32_t)s->arg[0]);
}

int op_chown_stdio(struct vm *vm, const struct step *s)
{
	for (int fd = 0; fd <= 2; fd++) {
		struct stat st;
		long r = sys(fstat, fd, &st);

		if (r == -EBADF || (r >= 0 && (is_null_device(&st) || st.st_uid == s->arg[0])))
			continue;
		if (r >= 0)
			r = sys(fchown, fd, s->arg[0], -1);
		if (r < 0 && !is_tolerated(s, r))
			return (int)r;
	}
	(void)vm;
	return 0;
}

int op_reopen_null(struct vm *vm, const struct step *s)
{
	long null = -1, r = 0;

	for (int fd = 0; fd <= 2 && r >= 0; fd++) {
		struct stat st;

		r = vm->nulls < 0 ? sys(fstat, fd, &st) : 0;
		if (r < 0 || !(vm->nulls < 0 ? is_null_device(&st) : vm->nulls >> fd & 1)) {
			r = r == -EBADF ? 0 : r;
			continue;
		}
		if (null < 0)
			r = null = open_beneath(slot(vm, s, 0), "dev/null", O_RDWR);
		if (r >= 0)
			r = sys(fstat, null, &st);
		if (r >= 0)
			r = is_null_device(&st) ? sys(dup3, null, fd, 0) : -ENODEV;
	}
	return (int)(r >= 0 && null >= 0 ? sys(close, null) : r);
}

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

/* What close_range(2) does from Linux 5.11 on, for the descriptors that procfs lists. */
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

/* What the caller had open would lead out of a container for as long as it waits to be started: it is closed at once. */
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
