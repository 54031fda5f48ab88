/* Files and directories. */
#include "runner/copy.h"
#include "runner/op_resolve.h"
#include "runner/vm.h"
#include "system/directory.h"
#include "system/file.h"
#include "system/memory.h"
#include "system/text.h"

#include <asm/stat.h>
#include <linux/limits.h>

int op_open(struct vm *vm, const struct step *s)
{
	return fill_slot(vm, s, 0, sys(openat, slot(vm, s, 1), text(vm, s, 2, 0, NULL), open_flags(s->arg[3]) | O_CLOEXEC, 0600));
}

int op_close(struct vm *vm, const struct step *s)
{
	long r = sys(close, slot(vm, s, 0));

	if (has_slot(s, 0))
		vm->slot[s->arg[0]] = -1;
	return (int)r;
}

int op_mknod(struct vm *vm, const struct step *s)
{
	return (int)sys(mknodat, slot(vm, s, 0), text(vm, s, 1, 0, NULL), s->arg[2],
			device_number(s->arg[3], s->arg[4]));
}

int op_write_file(struct vm *vm, const struct step *s)
{
	size_t length;
	const char *path = text(vm, s, 1, 0, NULL), *content = text(vm, s, 2, 1, &length);

	return (int)write_file(slot(vm, s, 0), path, open_flags(s->arg[3]) | O_NOFOLLOW, s->arg[4], content, length);
}

int op_expect_link(struct vm *vm, const struct step *s)
{
	char found[PATH_MAX];
	size_t length;
	const char *path = text(vm, s, 1, 0, NULL), *target = text(vm, s, 2, 1, &length);
	long r = sys(readlinkat, slot(vm, s, 0), path, found, sizeof found);

	if (r < 0 && r != -EINVAL)
		return (int)r;
	/* EINVAL: it is no link */
	return r == (long)length && !memcmp(found, target, length) ? 0 : (int)FAIL_AS(readlinkat, -EEXIST);
}

int op_write_lines(struct vm *vm, const struct step *s)
{
	long fd = sys(openat, AT_FDCWD, text(vm, s, 0, 0, NULL), O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	int r = 0;

	if (fd < 0)
		return (int)fd;
	for (char **line = list(vm, s, 1); *line && !r; line++)
		r = write_all((int)fd, *line, strlen(*line));
	return (int)closing(fd, r);
}

/*
 * Opens the directory that holds `path` beneath `at`, through no symbolic link, and points *name at the last component.
 * A path without a slash is in `at` itself; the caller closes what is not `at`.
 */
static long open_parent(struct vm *vm, const struct step *s, const char **name)
{
	const char *path = string(vm, s, 1);
	size_t length = 0;

	*name = path;
	if (!path)
		return -EINVAL;
	for (const char *p = path; *p; p++)
		if (*p == '/') {
			*name = p + 1;
			length = (size_t)(p - path);
		}
	if (!length)
		return slot(vm, s, 0) < 0 ? -EBADF : slot(vm, s, 0);
	if (length >= sizeof vm->command)
		return -ENAMETOOLONG;
	memcpy(vm->command, path, length);
	vm->command[length] = '\0';
	return open_beneath(slot(vm, s, 0), vm->command, O_PATH | O_DIRECTORY);
}

static int close_parent(struct vm *vm, const struct step *s, long parent, long result)
{
	return (int)(parent >= 0 && parent != slot(vm, s, 0) ? closing(parent, result) : result);
}

int op_setxattr(struct vm *vm, const struct step *s)
{
	const char *name, *value = vm->program.strings + (uint32_t)s->arg[3];
	long parent = open_parent(vm, s, &name), r = parent;

	if (r >= 0)
		r = path_through_fd(vm->command, sizeof vm->command, parent, name) ? 0 : -ENAMETOOLONG;
	if (r >= 0)
		r = sys(lsetxattr, vm->command, string(vm, s, 2), value, s->arg[3] >> 32, 0);
	return close_parent(vm, s, parent, r);
}

/* Two 32-bit lengths, the name and the value for each attribute; two zeros end the list. */
int op_list_xattrs(struct vm *vm, const struct step *s)
{
	static char names[XATTR_LIST_MAX], value[XATTR_SIZE_MAX];
	const char *name;
	long parent = open_parent(vm, s, &name), r = parent, size;
	int to = slot(vm, s, 2);
	uint32_t lengths[2] = {0, 0};

	if (r >= 0)
		r = path_through_fd(vm->command, sizeof vm->command, parent, name) ? 0 : -ENAMETOOLONG;
	if (r >= 0)
		r = sys(llistxattr, vm->command, names, sizeof names);
	size = r == -EOPNOTSUPP ? 0 : r; /* a file system that has no attributes */
	for (char *at = names; size > 0 && at < names + size; at += lengths[0] + 1) {
		lengths[0] = (uint32_t)strlen(at);
		r = sys(lgetxattr, vm->command, at, value, sizeof value);
		lengths[1] = (uint32_t)r;
		if (r < 0 || (r = write_all(to, (const char *)lengths, sizeof lengths)) < 0 ||
		    (r = write_all(to, at, lengths[0])) < 0 || (r = write_all(to, value, lengths[1])) < 0)
			return close_parent(vm, s, parent, r);
	}
	memset(lengths, 0, sizeof lengths);
	return close_parent(vm, s, parent, size < 0 ? size : write_all(to, (const char *)lengths, sizeof lengths));
}

int op_utimens(struct vm *vm, const struct step *s)
{
	const int64_t times[2][2] = {{(int64_t)s->arg[2], (int64_t)s->arg[3]}, {(int64_t)s->arg[2], (int64_t)s->arg[3]}};
	const char *name;
	long parent = open_parent(vm, s, &name), r = parent;

	if (r >= 0)
		r = sys(utimensat, parent, name, times, AT_SYMLINK_NOFOLLOW);
	return close_parent(vm, s, parent, r);
}

int op_make_node(struct vm *vm, const struct step *s)
{
	const char *name;
	long parent = open_parent(vm, s, &name), r = parent;

	if (r >= 0)
		r = sys(mknodat, parent, name, s->arg[2], device_number(s->arg[5] >> 32, s->arg[5] & 0xffffffff));
	if (r >= 0)
		r = sys(fchownat, parent, name, s->arg[3], s->arg[4], AT_SYMLINK_NOFOLLOW);
	if (r >= 0 && s->arg[2] & (S_ISUID | S_ISGID))
		r = sys(fchmodat, parent, name, s->arg[2] & 07777);
	return close_parent(vm, s, parent, r);
}

int op_remove_directory(struct vm *vm, const struct step *s)
{
	const char *path = text(vm, s, 0, 0, NULL);
	long directory = sys(openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r;

	if (directory < 0)
		return (int)directory;
	r = closing(directory, unlink_entries(directory));
	return (int)(r < 0 ? r : sys(unlinkat, AT_FDCWD, path, AT_REMOVEDIR));
}

int op_copy_tree(struct vm *vm, const struct step *s)
{
	uint64_t flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	long from = sys(openat, slot(vm, s, 0), ".", flags), to, r;

	if (from < 0)
		return (int)from;
	r = to = sys(openat, slot(vm, s, 1), ".", flags);
	if (r >= 0) {
		r = copy_content_of(from, to);
		r = closing(to, r);
	}
	return (int)closing(from, r);
}
