/* The end of a process that is no child of this one: how it ended, where the kernel says so. */
#include "runner/vm.h"
#include "runner/wait.h"
#include "system/file.h"
#include "system/process.h"
#include "system/text.h"

enum { STAT_SIZE = 2048 };

/* Where pidfd_open(2) is not there, Linux before 5.3; and how long a process that has ended may wait to be reaped. */
enum { LOOK_MS = 20, REAP_MS = 1000 };

/* linux/pidfd.h since Linux 6.15 */
struct pidfd_info {
	uint64_t mask;
	uint64_t cgroup;
	uint32_t ids[11];
	int32_t exit_code;
};

#define GET_PIDFD_INFO 0xc040ff0b /* _IOWR(0xFF, 11, struct pidfd_info) */
#define PIDFD_INFO_EXIT 8

/* The kernel shows how a process has ended to those who may read its /proc/PID/io, to others a 0. */
static bool may_look_into(uint64_t pid)
{
	char path[40], content[512];

	name_of_process(path, pid, "/io");
	return read_file(AT_FDCWD, path, content, sizeof content) >= 0;
}

enum found { GONE, RUNNING, ENDED, ENDED_SECRETLY };

/* Looks up in /proc the process that started at that time, and its status, as wait4(2) has it, once it has ended. */
static enum found look(uint64_t pid, uint64_t start_time, int *status)
{
	char path[40], stat[STAT_SIZE];
	const char *state, *number;
	uint64_t started = 0, code = 0;

	name_of_process(path, pid, "/stat");
	if (read_file(AT_FDCWD, path, stat, sizeof stat) < 0)
		return GONE;
	state = stat_field(stat, STAT_STATE);
	number = stat_field(stat, STAT_START_TIME);
	if (!parse_decimal(&number, &started) || started != start_time || *state == 'X')
		return GONE;
	if (*state != 'Z')
		return RUNNING;
	number = stat_field(stat, STAT_EXIT_CODE);
	if (!may_look_into(pid) || !parse_decimal(&number, &code))
		return ENDED_SECRETLY;
	*status = (int)code;
	return ENDED;
}

/* A pidfd knows the status of a process that has been reaped since it was opened. */
static bool ask_pidfd(long pidfd, int *status)
{
	struct pidfd_info info = {.mask = PIDFD_INFO_EXIT};

	if (pidfd < 0 || sys(ioctl, pidfd, GET_PIDFD_INFO, &info) < 0 || !(info.mask & PIDFD_INFO_EXIT))
		return false;
	*status = info.exit_code;
	return true;
}

/* Until the process has ended: 1 when its status is known, 0 when it cannot be. */
static int await(struct vm *vm, const struct step *s, long pidfd)
{
	long deadline = -1;
	int status = 0, r = 0;

	for (;;) {
		enum found found = look(s->arg[0], s->arg[1], &status);

		if (found == ENDED || (found != RUNNING && ask_pidfd(pidfd, &status)))
			break;
		if (found == ENDED_SECRETLY && deadline < 0)
			deadline = milliseconds_now() + REAP_MS;
		if (found == GONE || (deadline >= 0 && !left_ms(deadline)))
			return 0;
		r = found == RUNNING ? wait_once(vm, (int)pidfd, -1, pidfd < 0 ? LOOK_MS : -1) : wait_once(vm, -1, -1, LOOK_MS);
		if (r < 0 && r != -ETIMEDOUT)
			return r;
	}
	vm->status = status;
	return 1;
}

int op_wait_exit(struct vm *vm, const struct step *s)
{
	long pidfd = probe(pidfd_open, s->arg[0]);
	int r = pidfd < 0 && pidfd != -ENOSYS && pidfd != -ESRCH ? (int)pidfd : await(vm, s, pidfd);

	vm->has_exited = r == 1;
	if (pidfd >= 0)
		r = (int)closing(pidfd, r);
	return r == 0 ? -ENODATA : r < 0 ? r : 0;
}
