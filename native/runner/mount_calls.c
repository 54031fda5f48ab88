/*
 * Mounts that are attached when they are ready: the calls of Linux 5.2 and mount_setattr(2) of Linux 5.12, or, where one
 * of them is missing, mount(2). A mount is then made in a tmpfs on top of "/", which only paths with "/.." lead to, gets
 * its attributes by its descriptor, and is moved from there.
 */
#include "runner/mount_calls.h"

#include "system/file.h"
#include "system/sys.h"
#include "system/text.h"

#include <asm/stat.h>
#include <linux/limits.h>
#include <linux/mount.h>

#define STAGE_DIRECTORY "/../d"
#define STAGE_FILE "/../f"

enum { DATA_SIZE = 4096, MNT_DETACH = 2 };

/* The flags of statfs(2), as linux/statfs.h has them for the kernel alone. */
enum { ST_NOATIME = 0x400, ST_NODIRATIME = 0x800, ST_RELATIME = 0x1000, ST_NOSYMFOLLOW = 0x2000, SAME_BITS = 0xf };

#define IS_MISSING(name) (probe(name, -1, 0, 0, -1, -1) == -ENOSYS)

bool is_old_kernel(void)
{
	static int is_old = -1;

	if (is_old < 0)
		is_old = IS_MISSING(mount_setattr) || IS_MISSING(open_tree) || IS_MISSING(move_mount) ||
			 IS_MISSING(fsopen) || IS_MISSING(fsconfig) || IS_MISSING(fsmount);
	return is_old;
}

static uint64_t current_attributes(const struct filesystem *fs)
{
	uint64_t flags = (uint64_t)fs->flags, attributes = flags & SAME_BITS;

	if (flags & ST_NOATIME)
		attributes |= MOUNT_ATTR_NOATIME;
	else if (!(flags & ST_RELATIME))
		attributes |= MOUNT_ATTR_STRICTATIME;
	if (flags & ST_NODIRATIME)
		attributes |= MOUNT_ATTR_NODIRATIME;
	return flags & ST_NOSYMFOLLOW ? attributes | MOUNT_ATTR_NOSYMFOLLOW : attributes;
}

static uint64_t mount_flags(uint64_t attributes)
{
	uint64_t flags = attributes & SAME_BITS, atime = attributes & MOUNT_ATTR__ATIME;

	flags |= atime == MOUNT_ATTR_NOATIME ? MS_NOATIME : atime == MOUNT_ATTR_STRICTATIME ? MS_STRICTATIME : MS_RELATIME;
	if (attributes & MOUNT_ATTR_NODIRATIME)
		flags |= MS_NODIRATIME;
	return attributes & MOUNT_ATTR_NOSYMFOLLOW ? flags | MS_NOSYMFOLLOW : flags;
}

static bool root_is_shared;

void note_shared_root(void)
{
	root_is_shared = true;
}

/* By whichever process that entered this mount namespace: a setns(2) would have its root there, if it stayed. */
static bool has_stage(void)
{
	struct stat root, top;

	return sys(newfstatat, AT_FDCWD, "/", &root, 0) >= 0 && sys(newfstatat, AT_FDCWD, "/..", &top, 0) >= 0 &&
	       root.st_dev != top.st_dev;
}

static long make_stage(void)
{
	long r = root_is_shared ? sys(mount, NULL, "/", NULL, MS_SLAVE, NULL) : 0;

	if (r >= 0)
		r = sys(mount, "tmpfs", "/", "tmpfs", 0, "mode=700");
	if (r >= 0)
		r = sys(mkdirat, AT_FDCWD, STAGE_DIRECTORY, 0700);
	return r < 0 ? r : sys(mknodat, AT_FDCWD, STAGE_FILE, S_IFREG | 0600, 0);
}

long leave_stage(bool is_last)
{
	long r = is_old_kernel() && has_stage() ? sys(umount2, "/", is_last ? MNT_DETACH : 0) : 0;

	return r == -EBUSY ? 0 : r; /* another mount waits there */
}

/* mount(2) there, on what the new mount can cover; its descriptor. */
static long stage(bool is_file, const char *source, const char *type, uint64_t flags, const char *data)
{
	const char *place = is_file ? STAGE_FILE : STAGE_DIRECTORY;
	long r = has_stage() ? 0 : make_stage();

	if (r >= 0)
		r = sys(mount, source, place, type, flags, data);
	return r < 0 ? r : sys(openat, AT_FDCWD, place, O_PATH | O_CLOEXEC);
}

long set_attributes(int mount, uint64_t flags, const struct mount_attr *a)
{
	bool is_recursive = flags & AT_RECURSIVE;
	struct filesystem fs;
	char path[40];
	long r = 0;

	if (!is_old_kernel())
		return sys(mount_setattr, mount, "", flags | AT_EMPTY_PATH, a, sizeof *a);
	if (a->attr_set & MOUNT_ATTR_IDMAP || (is_recursive && (a->attr_set | a->attr_clr)))
		return FAIL_AS(mount_setattr, -ENOSYS);
	name_of_fd(path, mount);
	if (a->attr_set | a->attr_clr) {
		r = sys(fstatfs, mount, &fs);
		if (r >= 0)
			r = sys(mount, NULL, path, NULL, MS_REMOUNT | MS_BIND |
				mount_flags((current_attributes(&fs) & ~a->attr_clr) | a->attr_set), NULL);
	}
	if (r < 0 || !a->propagation)
		return r;
	return sys(mount, NULL, path, NULL, a->propagation | (is_recursive ? MS_REC : 0), NULL);
}

long copy_mount(int at, const char *path, uint64_t flags)
{
	struct stat st;
	char name[40];
	long source, r;

	if (!is_old_kernel())
		return sys(open_tree, at, path ? path : "", flags | (path ? 0 : AT_EMPTY_PATH) | OPEN_TREE_CLOEXEC);
	if (flags & AT_SYMLINK_NOFOLLOW) /* mount(2) follows it */
		return FAIL_AS(open_tree, -ENOSYS);
	source = path ? sys(openat, at, path, O_PATH | O_CLOEXEC) : at;
	if (source < 0)
		return source;
	name_of_fd(name, (int)source);
	r = sys(fstat, source, &st);
	if (r >= 0)
		r = stage(!S_ISDIR(st.st_mode), name, NULL, MS_BIND | (flags & AT_RECURSIVE ? MS_REC : 0), NULL);
	return path ? closing(source, r) : r;
}

long attach_mount(int mount, int target, const char *name)
{
	uint64_t flags = MOVE_MOUNT_F_EMPTY_PATH | (name ? 0 : MOVE_MOUNT_T_EMPTY_PATH);
	char from[40], base[40], to[PATH_MAX];
	long r;

	if (!is_old_kernel())
		return sys(move_mount, mount, "", target, name ? name : "", flags);
	name_of_fd(from, mount);
	name_of_fd(base, target);
	if (!JOIN(to, base, name ? "/" : NULL, name))
		return -ENAMETOOLONG;
	r = sys(mount, from, to, NULL, MS_MOVE, NULL);
	return r < 0 ? r : leave_stage(false);
}

/* The options as mount(2) has them: "name=value,name". */
static long join_options(char *to, size_t size, char **options, const char **source)
{
	for (; options[0] && options[1]; options += 2) {
		const char *const pieces[] = {options[0], *options[1] ? "=" : "", options[1], ",", NULL};

		if (streq(options[0], "source"))
			*source = options[1];
		else if (!join(to, size, pieces))
			return -ENAMETOOLONG;
		else
			while (*to)
				to++, size--;
	}
	return 0;
}

long make_mount(const char *type, char **options, uint64_t attributes)
{
	char data[DATA_SIZE] = "";
	const char *source = "none";
	long context, r, made = -1;

	if (is_old_kernel()) {
		const struct mount_attr attr = {.attr_set = attributes};

		r = join_options(data, sizeof data, options, &source);
		r = made = r < 0 ? r : stage(false, source, type, 0, data);
		if (r >= 0 && attributes)
			r = set_attributes((int)made, 0, &attr);
		return r < 0 ? r : made;
	}
	r = context = sys(fsopen, type, FSOPEN_CLOEXEC);
	for (; r >= 0 && options[0] && options[1]; options += 2)
		r = *options[1] ? sys(fsconfig, context, FSCONFIG_SET_STRING, options[0], options[1], 0)
				: sys(fsconfig, context, FSCONFIG_SET_FLAG, options[0], NULL, 0);
	if (r >= 0)
		r = sys(fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (r >= 0)
		r = made = sys(fsmount, context, FSMOUNT_CLOEXEC, attributes);
	if (context >= 0)
		r = closing(context, r);
	return r < 0 ? r : made;
}
