/* Namespaces: one that is compared with the caller's, and a user namespace for the ids of a mount. */
#include "runner/mount_calls.h"
#include "runner/vm.h"
#include "system/file.h"
#include "system/memory.h"
#include "system/process.h"
#include "system/text.h"

#include <asm/signal.h>
#include <asm/stat.h>
#include <linux/prctl.h>
#include <linux/sched.h>

static long write_map(long pid, const char *file, const char *map)
{
	char path[40];

	name_of_process(path, (uint64_t)pid, file);
	return write_file(AT_FDCWD, path, 0, 0, map, strlen(map));
}

int op_expect_other(struct vm *vm, const struct step *s)
{
	struct stat one, other;
	long r = sys(newfstatat, slot(vm, s, 0), "", &one, AT_EMPTY_PATH);

	if (r >= 0)
		r = sys(newfstatat, AT_FDCWD, string(vm, s, 1), &other, 0);
	if (r < 0)
		return (int)r;
	return one.st_dev == other.st_dev && one.st_ino == other.st_ino ? -EEXIST : 0;
}

int op_make_userns(struct vm *vm, const struct step *s)
{
	struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
	const char *uids = string(vm, s, 1), *gids = string(vm, s, 2);
	long pid, r, fd = -1, killed;
	char path[40];
	int status;

	if (is_old_kernel()) /* there are no ID-mapped mounts */
		return (int)FAIL_AS(mount_setattr, -ENOSYS);
	pid = start_process(&args);
	if (pid < 0)
		return (int)pid;
	if (pid == 0 && sys(prctl, PR_SET_PDEATHSIG, SIGKILL) < 0)
		exit_with(1);
	while (pid == 0) /* this process is there only to have the namespace */
		sys(ppoll, NULL, 0, NULL, NULL, 0);
	r = write_map(pid, "/uid_map", uids ? uids : "");
	if (r >= 0)
		r = write_map(pid, "/gid_map", gids ? gids : "");
	if (r >= 0) {
		name_of_process(path, (uint64_t)pid, "/ns/user");
		r = fd = sys(openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	}
	killed = sys(kill, pid, SIGKILL);
	if (killed >= 0)
		killed = reap((int)pid, &status);
	if (killed < 0)
		return (int)killed;
	return r < 0 ? (int)r : fill_slot(vm, s, 0, fd);
}
