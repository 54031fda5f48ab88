/* Mounts and the root. A path inside the rootfs is resolved once; after that there are only descriptors. */
#include "vm.h"

#include <asm/stat.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/openat2.h>

/* struct statfs as 64-bit kernels write it (asm-generic/statfs.h); only the type is used. */
struct filesystem {
	long type;
	long rest[14];
};

enum { MAX_SYMLINKS = 40, PATH_SIZE = 4096, MNT_DETACH = 2 };

static long open_in_root(int root, const char *path, uint64_t flags)
{
	struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};

	return sys(openat2, root, path, &how, sizeof how);
}

/* `dir` + "/" + `target` + `rest`, or target + rest when the target is absolute: where a symbolic link leads. */
static long follow(char *path, size_t dir, const char *target, size_t target_length, const char *rest)
{
	char joined[PATH_SIZE];
	size_t length = target[0] == '/' ? 0 : dir;

	if (length + target_length + strlen(rest) + 2 > sizeof joined)
		return -ENAMETOOLONG;
	memcpy(joined, path, length);
	joined[length++] = '/';
	memcpy(joined + length, target, target_length);
	memcpy(joined + length + target_length, rest, strlen(rest) + 1);
	memcpy(path, joined, strlen(joined) + 1);
	return 0;
}

static long make_entry(long parent, const char *name, bool is_file, uint64_t mode)
{
	long fd;

	if (!is_file)
		return sys(mkdirat, parent, name, mode);
	fd = sys(openat, parent, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, mode);
	return fd < 0 ? fd : sys(close, fd);
}

/*
 * Makes the first component of `path` (beneath root) that is missing; a dangling symbolic link is replaced in `path` by
 * its target. 1: made or replaced something, try again. 0: nothing is missing.
 */
static long make_next(int root, char *path, enum resolve_kind kind, uint64_t mode)
{
	char target[PATH_SIZE];

	for (size_t start = 0, end; path[start]; start = end) {
		long parent, r;
		char after;

		while (path[start] == '/')
			start++;
		for (end = start; path[end] && path[end] != '/';)
			end++;
		if (end == start)
			return 0;
		after = path[end];
		path[end] = '\0';
		r = open_in_root(root, path, O_PATH);
		if (r >= 0) {
			r = sys(close, r);
			path[end] = after;
			if (r < 0)
				return r;
			continue;
		}
		if (r != -ENOENT)
			return r;
		path[start ? start - 1 : 0] = '\0';
		parent = open_in_root(root, start > 1 ? path : "/", O_PATH | O_DIRECTORY);
		if (start)
			path[start - 1] = '/';
		if (parent < 0)
			return parent;
		r = sys(readlinkat, parent, path + start, target, sizeof target - 1);
		if (r >= 0) {
			path[end] = after;
			r = follow(path, start ? start - 1 : 0, target, (size_t)r, path + end);
		} else {
			r = make_entry(parent, path + start, kind == RESOLVE_FILE && !after,
				       kind == RESOLVE_FILE && after ? 0755 : mode);
			path[end] = after;
			if (r == -EEXIST)
				r = 0;
		}
		if (r >= 0)
			r = sys(close, parent);
		return r < 0 ? r : 1;
	}
	return 0;
}

/* Opens a path of the rootfs, making what is missing of it. */
static long resolve(int root, const char *wanted, enum resolve_kind kind, uint64_t mode)
{
	char path[PATH_SIZE];
	uint64_t flags = kind == RESOLVE_ORDINARY ? O_PATH | O_NOFOLLOW | O_DIRECTORY : O_PATH;
	long fd, r = 1;

	if (!wanted || wanted[0] != '/' || strlen(wanted) + 1 > sizeof path)
		return -EINVAL;
	memcpy(path, wanted, strlen(wanted) + 1);
	fd = open_in_root(root, path, flags);
	for (int i = 0; fd == -ENOENT && kind != RESOLVE_EXISTING && r > 0; i++) {
		r = i < MAX_SYMLINKS + PATH_SIZE / 2 ? make_next(root, path, kind, mode) : -ELOOP;
		if (r < 0)
			return r;
		fd = open_in_root(root, path, flags);
	}
	return fd;
}

int op_resolve(struct vm *vm, const struct step *s)
{
	return fill_slot(vm, s, 0, resolve(slot(vm, s, 1), string(vm, s, 2), (enum resolve_kind)s->arg[3], s->arg[4]));
}

int op_resolve_like(struct vm *vm, const struct step *s)
{
	struct stat st;
	long r = sys(newfstatat, slot(vm, s, 3), "", &st, AT_EMPTY_PATH);

	if (r < 0)
		return (int)r;
	r = S_ISDIR(st.st_mode) ? resolve(slot(vm, s, 1), string(vm, s, 2), RESOLVE_DIRECTORY, 0755)
				: resolve(slot(vm, s, 1), string(vm, s, 2), RESOLVE_FILE, 0644);
	return fill_slot(vm, s, 0, r);
}

/* "/proc/self/fd/N" of the host's /proc: mount(2) takes only names, and this one leads to the descriptor. */
static void name_of_fd(char *to, int fd)
{
	memcpy(to, "/proc/self/fd/", 14);
	decimal(to + 14, (uint64_t)fd);
}

int op_mount(struct vm *vm, const struct step *s)
{
	char target[40];
	const char *path = string(vm, s, 2);

	if (has_slot(s, 1)) {
		name_of_fd(target, slot(vm, s, 1));
		path = target;
	}
	return (int)sys(mount, string(vm, s, 0), path, string(vm, s, 3), s->arg[4], string(vm, s, 5));
}

int op_set_propagation(struct vm *vm, const struct step *s)
{
	char path[40];
	long at = sys(openat, slot(vm, s, 0), ".", O_PATH | O_DIRECTORY | O_CLOEXEC), r = -EINVAL, up, closed;

	/* EINVAL: not the root of a mount. Only outside of any mount would there be no end. */
	for (int depth = 0; at >= 0 && r == -EINVAL && depth < PATH_SIZE; depth++) {
		name_of_fd(path, (int)at);
		r = sys(mount, NULL, path, NULL, s->arg[1], NULL);
		up = r == -EINVAL ? sys(openat, at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
		closed = sys(close, at);
		if (closed < 0)
			return (int)closed;
		if (r == -EINVAL)
			at = up;
	}
	return (int)(at < 0 ? at : r);
}

int op_mount_tmpfs(struct vm *vm, const struct step *s)
{
	char target[40], data[PATH_SIZE] = "mode=";
	const char *path = string(vm, s, 1), *rest = string(vm, s, 4) ? string(vm, s, 4) : "";
	struct stat st;
	long fd = open_in_root(slot(vm, s, 0), path, O_PATH), r = fd, closed;
	size_t length = 5;

	if (fd >= 0)
		r = sys(newfstatat, fd, "", &st, AT_EMPTY_PATH);
	if (fd == -ENOENT)
		r = fd = resolve(slot(vm, s, 0), path, RESOLVE_DIRECTORY, 0755);
	else
		for (int shift = 9; r >= 0 && shift >= 0; shift -= 3)
			data[length++] = (char)('0' + (st.st_mode >> shift & 7));
	if (r >= 0 && strlen(rest) + length + 2 > sizeof data)
		r = -ENAMETOOLONG;
	if (r < 0)
		return (int)r;
	data[length] = ',';
	memcpy(data + length + 1, rest, strlen(rest) + 1);
	name_of_fd(target, (int)fd);
	r = sys(mount, string(vm, s, 2), target, "tmpfs", s->arg[3], length > 5 ? data : rest);
	closed = sys(close, fd);
	return (int)(r < 0 ? r : closed);
}

int op_open_tree(struct vm *vm, const struct step *s)
{
	const char *path = string(vm, s, 2);

	return fill_slot(vm, s, 0,
			 sys(open_tree, slot(vm, s, 1), path ? path : "", s->arg[3] | (path ? 0 : AT_EMPTY_PATH) |
			     OPEN_TREE_CLOEXEC));
}

int op_mount_setattr(struct vm *vm, const struct step *s)
{
	struct mount_attr attributes = {.attr_set = s->arg[2], .attr_clr = s->arg[3], .propagation = s->arg[4],
					.userns_fd = has_slot(s, 5) ? (uint32_t)slot(vm, s, 5) : 0};

	return (int)sys(mount_setattr, slot(vm, s, 0), "", s->arg[1] | AT_EMPTY_PATH, &attributes, sizeof attributes);
}

int op_bind_flags(struct vm *vm, const struct step *s)
{
	struct mount_attr attributes = {.attr_set = s->arg[1], .attr_clr = s->arg[2]};
	long r = sys(mount_setattr, slot(vm, s, 0), "", AT_EMPTY_PATH, &attributes, sizeof attributes);

	if (r != -EPERM)
		return (int)r;
	attributes.attr_clr = s->arg[3];
	return (int)sys(mount_setattr, slot(vm, s, 0), "", AT_EMPTY_PATH, &attributes, sizeof attributes);
}

static long attach(int from, int to)
{
	return sys(move_mount, from, "", to, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

int op_move_mount(struct vm *vm, const struct step *s)
{
	return (int)attach(slot(vm, s, 0), slot(vm, s, 1));
}

int op_new_mount(struct vm *vm, const struct step *s)
{
	char **options = list(vm, s, 2);
	long context = sys(fsopen, string(vm, s, 1), FSOPEN_CLOEXEC), r = context, closed, made = -1;

	for (; r >= 0 && options[0] && options[1]; options += 2)
		r = sys(fsconfig, context, FSCONFIG_SET_STRING, options[0], options[1], 0);
	if (r >= 0)
		r = sys(fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (r >= 0)
		r = made = sys(fsmount, context, FSMOUNT_CLOEXEC, s->arg[3]);
	closed = context >= 0 ? sys(close, context) : 0;
	if (r < 0 || closed < 0)
		return (int)(r < 0 ? r : closed);
	return fill_slot(vm, s, 0, made);
}

/* Unmounts a mount and what is below it, here alone: from a mount that is shared, it would go from its peers too. */
static long detach(const char *path)
{
	long r = sys(mount, NULL, path, NULL, MS_SLAVE | MS_REC, NULL);

	return r < 0 ? r : sys(umount2, path, MNT_DETACH);
}

int op_umount(struct vm *vm, const struct step *s)
{
	return (int)detach(string(vm, s, 0));
}

int op_pivot_root(struct vm *vm, const struct step *s)
{
	long old = sys(openat, AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC), r, closed;

	if (old < 0)
		return (int)old;
	r = sys(fchdir, slot(vm, s, 0));
	/* The old root ends up on top of the new one: pivot_root(2), "Notes". To mount(2), "." would be the new one still. */
	if (r >= 0)
		r = sys(pivot_root, ".", ".");
	if (r >= 0)
		r = sys(fchdir, old);
	if (r >= 0)
		r = detach(".");
	closed = sys(close, old);
	if (r >= 0)
		r = closed;
	return (int)(r < 0 ? r : sys(chdir, "/"));
}

int op_chroot(struct vm *vm, const struct step *s)
{
	long r = sys(fchdir, slot(vm, s, 0));

	if (r >= 0)
		r = sys(chroot, ".");
	return (int)(r < 0 ? r : sys(chdir, "/"));
}

int op_move_root(struct vm *vm, const struct step *s)
{
	long r = sys(fchdir, slot(vm, s, 0));

	if (r >= 0)
		r = sys(mount, ".", "/", NULL, MS_MOVE, NULL);
	if (r >= 0)
		r = sys(chroot, ".");
	return (int)(r < 0 ? r : sys(chdir, "/"));
}

/* Attaches a copy of a mount on what an O_PATH descriptor stands for. */
static long cover(int target, int mount, uint64_t tree_flags, uint64_t attributes)
{
	struct mount_attr attr = {.attr_set = attributes};
	long copy = sys(open_tree, mount, "", tree_flags | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH), r = copy,
	     closed;

	if (copy < 0)
		return copy;
	if (attributes)
		r = sys(mount_setattr, copy, "", AT_EMPTY_PATH, &attr, sizeof attr);
	if (r >= 0)
		r = attach((int)copy, target);
	closed = sys(close, copy);
	return r < 0 ? r : closed;
}

int op_mask(struct vm *vm, const struct step *s)
{
	struct stat st;
	long target = open_in_root(slot(vm, s, 0), string(vm, s, 1), O_PATH), r, closed;

	if (target < 0)
		return (int)target;
	r = sys(newfstatat, target, "", &st, AT_EMPTY_PATH);
	/* A detached mount cannot be copied before Linux 6.15: the first directory gets the mount itself. */
	if (r >= 0 && S_ISDIR(st.st_mode) && !vm->has_masked)
		r = attach(slot(vm, s, 3), (int)target);
	else if (r >= 0)
		r = cover((int)target, slot(vm, s, S_ISDIR(st.st_mode) ? 3 : 2), 0, 0);
	if (r >= 0 && S_ISDIR(st.st_mode))
		vm->has_masked = true;
	closed = sys(close, target);
	return (int)(r < 0 ? r : closed);
}

int op_readonly_path(struct vm *vm, const struct step *s)
{
	long target = open_in_root(slot(vm, s, 0), string(vm, s, 1), O_PATH), r, closed;

	if (target < 0)
		return (int)target;
	r = cover((int)target, (int)target, AT_RECURSIVE, MOUNT_ATTR_RDONLY);
	closed = sys(close, target);
	return (int)(r < 0 ? r : closed);
}

int op_expect_device(struct vm *vm, const struct step *s)
{
	struct stat st;
	long r = sys(newfstatat, slot(vm, s, 0), "", &st, AT_EMPTY_PATH);
	uint64_t device = st.st_rdev;

	if (r < 0)
		return (int)r;
	return (st.st_mode & S_IFMT) == s->arg[1] && (device >> 8 & 0xfff) == s->arg[2] &&
			       ((device & 0xff) | (device >> 12 & 0xfff00)) == s->arg[3]
		       ? 0
		       : -ENODEV;
}

int op_expect_filesystem(struct vm *vm, const struct step *s)
{
	struct filesystem fs;
	long r = sys(fstatfs, slot(vm, s, 0), &fs);

	if (r < 0)
		return (int)r;
	return (uint64_t)fs.type == s->arg[1] ? 0 : -EXDEV;
}
