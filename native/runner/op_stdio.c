/* The descriptors 0 to 2 of a container: the caller's own, or pipes to the relay in their place. */
#include "runner/op_stdio.h"

#include "runner/mount_calls.h"
#include "runner/relay.h"
#include "runner/vm.h"
#include "system/file.h"

#include <asm/resource.h>
#include <asm/stat.h>
#include <linux/kcmp.h>
#include <linux/magic.h>

#ifndef PIPEFS_MAGIC
#define PIPEFS_MAGIC 0x50495045
#endif

int op_expect_descriptors(struct vm *vm, const struct step *s)
{
	uint64_t limit[2];
	long r = sys(prlimit64, 0, RLIMIT_NOFILE, NULL, limit);

	(void)vm;
	return r < 0 ? (int)r : limit[0] < s->arg[0] ? -EMFILE : 0;
}

/* A pipe without a name: a FIFO in a file system is a file of the caller's. */
static bool is_pipe(int fd, const struct stat *st)
{
	struct filesystem of;

	return S_ISFIFO(st->st_mode) && sys(fstatfs, fd, &of) >= 0 && of.type == PIPEFS_MAGIC;
}

static bool has_owner(const struct step *s)
{
	return (uint32_t)s->arg[1] != UINT32_MAX || (uint32_t)s->arg[2] != UINT32_MAX;
}

/* Gives a pipe to a user of the container, who may open it again by then: /dev/stdout. */
static long give_pipe(const struct step *s, int fd)
{
	long r = has_owner(s) ? sys(fchown, fd, s->arg[1], s->arg[2]) : 0;

	return r < 0 && is_tolerated(s, r) ? 0 : r;
}

/* True when descriptor 2 is the same as descriptor 1, as after 2>&1; where the kernel does not say, each has a pipe. */
static bool is_output_twice(const struct vm *vm, int fd)
{
	long pid = fd == 2 && vm->given[1] >= 0 ? sys(getpid) : 0;

	return pid && probe(kcmp, pid, pid, KCMP_FILE, 1, 2) == 0;
}

/* A descriptor that does not block, apart from the container's, which does. */
static long open_again(int pipe)
{
	char path[40];

	name_of_fd(path, pipe);
	return sys(openat, AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

/* The container's end of the pipe may block, the relay's not. */
static long make_pipe(struct vm *vm, const struct step *s, int fd, bool is_file)
{
	int ends[2] = {-1, -1}, own = fd ? 0 : 1;
	long r = sys(pipe2, ends, O_CLOEXEC), back = r < 0 || fd || !is_file ? -1 : open_again(ends[0]);

	if (r < 0)
		return r;
	vm->given[fd] = ends[1 - own];
	if (fd)
		relay_output(vm, s, ends[own], fd, is_file);
	else
		relay_input(vm, s, ends[own], (int)back);
	r = give_pipe(s, ends[own]);
	return r < 0 ? r : sys(fcntl, ends[own], F_SETFL, O_NONBLOCK);
}

static long prepare_descriptor(struct vm *vm, const struct step *s, int fd)
{
	bool relays = s->arg[0];
	struct stat st;
	long r = sys(fstat, fd, &st);

	if (r < 0 || S_ISDIR(st.st_mode)) /* of the host's, from which ".." leads anywhere */
		return r < 0 ? r : -EISDIR;
	if (is_null_device(&st))
		vm->nulls |= 1 << fd;
	else if ((relays || has_owner(s)) && is_pipe(fd, &st))
		return give_pipe(s, fd);
	else if (relays && is_output_twice(vm, fd))
		vm->given[fd] = vm->given[1];
	else if (relays && !S_ISSOCK(st.st_mode))
		return make_pipe(vm, s, fd, S_ISREG(st.st_mode));
	return 0;
}

int op_prepare_stdio(struct vm *vm, const struct step *s)
{
	long r = 0;

	vm->nulls = 0;
	for (int fd = 0; fd <= 2 && r >= 0; fd++) {
		vm->shared->status = fd;
		r = prepare_descriptor(vm, s, fd);
	}
	if (r < 0)
		return (int)r;
	vm->shared->status = 0;
	return 0;
}

int close_given(struct vm *vm)
{
	long r = 0;

	for (int fd = 0; fd <= 2 && r >= 0; fd++) {
		if (vm->given[fd] >= 0 && !(fd == 2 && vm->given[1] == vm->given[2]))
			r = sys(close, vm->given[fd]);
	}
	vm->given[0] = vm->given[1] = vm->given[2] = -1;
	return r < 0 ? (int)r : 0;
}

int take_given(struct vm *vm)
{
	long r = 0;

	for (int fd = 0; fd <= 2 && r >= 0; fd++)
		if (vm->given[fd] >= 0)
			r = sys(dup3, vm->given[fd], fd, 0);
	return r < 0 ? (int)r : close_given(vm);
}

int op_take_stdio(struct vm *vm, const struct step *s)
{
	(void)s;
	return take_given(vm);
}
