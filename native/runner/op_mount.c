/* Mounts and the root. A path inside the rootfs is resolved once; after that there are only descriptors. */
#include "runner/mount_calls.h"
#include "runner/op_resolve.h"
#include "runner/vm.h"
#include "system/file.h"
#include "system/memory.h"

#include <asm/stat.h>
#include <linux/mount.h>

enum { PATH_SIZE = 4096, MNT_DETACH = 2 };

int op_mount(struct vm *vm, const struct step *s)
{
	char target[40];
	const char *path = string(vm, s, 2);

	if (has_slot(s, 1)) {
		name_of_fd(target, slot(vm, s, 1));
		path = target;
	} else if (s->arg[4] & MS_SHARED) {
		note_shared_root();
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
	long fd = open_in_root(slot(vm, s, 0), path, O_PATH), r = fd;
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
	return (int)closing(fd, r);
}

int op_open_tree(struct vm *vm, const struct step *s)
{
	const char *path = text(vm, s, 2, 0, NULL);

	return fill_slot(vm, s, 0, copy_mount(slot(vm, s, 1), *path ? path : NULL, s->arg[3]));
}

int op_mount_setattr(struct vm *vm, const struct step *s)
{
	const struct mount_attr attributes = {.attr_set = s->arg[2], .attr_clr = s->arg[3], .propagation = s->arg[4],
					      .userns_fd = has_slot(s, 5) ? (uint32_t)slot(vm, s, 5) : 0};

	return (int)set_attributes(slot(vm, s, 0), s->arg[1], &attributes);
}

int op_bind_flags(struct vm *vm, const struct step *s)
{
	struct mount_attr attributes = {.attr_set = s->arg[1], .attr_clr = s->arg[2]};
	long r = set_attributes(slot(vm, s, 0), 0, &attributes);

	if (r != -EPERM)
		return (int)r;
	attributes.attr_clr = s->arg[3];
	return (int)set_attributes(slot(vm, s, 0), 0, &attributes);
}

int op_move_mount(struct vm *vm, const struct step *s)
{
	return (int)attach_mount(slot(vm, s, 0), slot(vm, s, 1), string(vm, s, 2));
}

int op_new_mount(struct vm *vm, const struct step *s)
{
	return fill_slot(vm, s, 0, make_mount(string(vm, s, 1), list(vm, s, 2), s->arg[3]));
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

static long enter_root(struct vm *vm, const struct step *s)
{
	long r = leave_stage(true);

	return r < 0 ? r : sys(fchdir, slot(vm, s, 0));
}

int op_pivot_root(struct vm *vm, const struct step *s)
{
	long old = sys(openat, AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC), r;

	if (old < 0)
		return (int)old;
	r = enter_root(vm, s);
	/* The old root ends up on top of the new one: pivot_root(2), "Notes". To mount(2), "." would be the new one still. */
	if (r >= 0)
		r = sys(pivot_root, ".", ".");
	if (r >= 0)
		r = sys(fchdir, old);
	if (r >= 0)
		r = detach(".");
	r = closing(old, r);
	return (int)(r < 0 ? r : sys(chdir, "/"));
}

static int change_root(struct vm *vm, const struct step *s, bool is_moved)
{
	long r = enter_root(vm, s);

	if (r >= 0 && is_moved)
		r = sys(mount, ".", "/", NULL, MS_MOVE, NULL);
	if (r >= 0)
		r = sys(chroot, ".");
	return (int)(r < 0 ? r : sys(chdir, "/"));
}

int op_chroot(struct vm *vm, const struct step *s)
{
	return change_root(vm, s, false);
}

int op_move_root(struct vm *vm, const struct step *s)
{
	return change_root(vm, s, true);
}

/* Attaches a copy of a mount on what an O_PATH descriptor stands for. */
static long cover(int target, int mount, uint64_t tree_flags, uint64_t attributes)
{
	const struct mount_attr attr = {.attr_set = attributes};
	long copy = copy_mount(mount, NULL, tree_flags | OPEN_TREE_CLONE), r = copy;

	if (copy < 0)
		return copy;
	if (attributes)
		r = set_attributes((int)copy, 0, &attr);
	if (r >= 0)
		r = attach_mount((int)copy, target, NULL);
	return closing(copy, r);
}

int op_mask(struct vm *vm, const struct step *s)
{
	struct stat st;
	long target = open_in_root(slot(vm, s, 0), string(vm, s, 1), O_PATH), r;

	if (target < 0)
		return (int)target;
	r = sys(newfstatat, target, "", &st, AT_EMPTY_PATH);
	/* A detached mount cannot be copied before Linux 6.15: the first directory gets the mount itself. */
	if (r >= 0 && S_ISDIR(st.st_mode) && !vm->has_masked)
		r = attach_mount(slot(vm, s, 3), (int)target, NULL);
	else if (r >= 0)
		r = cover((int)target, slot(vm, s, S_ISDIR(st.st_mode) ? 3 : 2), 0, 0);
	if (r >= 0 && S_ISDIR(st.st_mode))
		vm->has_masked = true;
	return (int)closing(target, r);
}

int op_readonly_path(struct vm *vm, const struct step *s)
{
	long target = open_in_root(slot(vm, s, 0), string(vm, s, 1), O_PATH), r;

	if (target < 0)
		return (int)target;
	r = cover((int)target, (int)target, AT_RECURSIVE, MOUNT_ATTR_RDONLY);
	return (int)closing(target, r);
}

int op_expect_device(struct vm *vm, const struct step *s)
{
	struct stat st;
	long r = sys(newfstatat, slot(vm, s, 0), "", &st, AT_EMPTY_PATH);

	if (r < 0)
		return (int)r;
	return (st.st_mode & S_IFMT) == s->arg[1] && st.st_rdev == device_number(s->arg[2], s->arg[3]) ? 0 : -ENODEV;
}

int op_expect_filesystem(struct vm *vm, const struct step *s)
{
	struct filesystem fs;
	long r = sys(fstatfs, slot(vm, s, 0), &fs);

	if (r < 0)
		return (int)r;
	return (uint64_t)fs.type == s->arg[1] ? 0 : -EXDEV;
}
