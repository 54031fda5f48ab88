/* Paths of the rootfs: resolved once, against its descriptor, by openat2(2) or, before Linux 5.6, step by step. */
#include "runner/op_resolve.h"

#include "runner/vm.h"
#include "system/memory.h"
#include "system/text.h"

#include <asm/stat.h>
#include <linux/openat2.h>

enum { MAX_SYMLINKS = 40, PATH_SIZE = 4096, NAME_SIZE = 256, MAX_WALKS = 256, WALK_AGAIN = -EAGAIN };

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

/* Takes "." out of the path, or ".." with what is before it. */
static long drop(char *path, size_t start, size_t end, bool is_parent)
{
	while (is_parent && start && path[start - 1] == '/')
		start--;
	while (is_parent && start && path[start - 1] != '/')
		start--;
	while ((path[start] = path[end]))
		start++, end++;
	return WALK_AGAIN;
}

/* Opens the component from start to end; WALK_AGAIN when the path has become another one instead. */
static long enter(long at, char *path, size_t start, size_t end, uint64_t flags, bool follows)
{
	bool is_last = !path[end];
	char name[NAME_SIZE], target[PATH_SIZE];
	struct stat st;
	long fd, r;

	if (end - start >= sizeof name)
		return -ENAMETOOLONG;
	memcpy(name, path + start, end - start);
	name[end - start] = '\0';
	if (streq(name, ".") || streq(name, ".."))
		return name[1] && !follows ? -EXDEV : drop(path, start, end, name[1]);
	fd = sys(openat, at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	r = fd < 0 ? fd : sys(fstat, fd, &st);
	if (r < 0)
		return r;
	if (S_ISLNK(st.st_mode) && !(is_last && flags & O_NOFOLLOW)) {
		r = follows ? sys(readlinkat, fd, "", target, sizeof target) : -ELOOP;
		if (r >= 0)
			r = follow(path, start ? start - 1 : 0, target, (size_t)r, path + end);
		r = r < 0 ? r : WALK_AGAIN;
	} else if (!S_ISDIR(st.st_mode) && (!is_last || flags & O_DIRECTORY))
		r = -ENOTDIR;
	else if (is_last && !(flags & O_PATH))
		r = sys(openat, at, name, flags | O_NOFOLLOW | O_CLOEXEC);
	else
		return fd;
	return closing(fd, r);
}

/* From the root to the end, or to a symbolic link or "..": WALK_AGAIN then. No name is ever looked up but in a descriptor. */
static long walk(int root, char *path, uint64_t flags, bool follows)
{
	long at = sys(openat, root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC), next;

	for (size_t start = 0, end; at >= 0; at = next, start = end) {
		while (path[start] == '/')
			start++;
		for (end = start; path[end] && path[end] != '/';)
			end++;
		if (end == start && flags & O_PATH)
			return at;
		next = end == start ? sys(openat, at, ".", flags | O_CLOEXEC) : enter(at, path, start, end, flags, follows);
		next = closing(at, next);
		if (next < 0 || !path[end])
			return next;
	}
	return at;
}

static long open_resolved(int root, const char *wanted, uint64_t flags, uint64_t how_to)
{
	struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = how_to};
	char path[PATH_SIZE];
	long r = sys(openat2, root, wanted, &how, sizeof how);

	/* EAGAIN: something else on the system was renamed while a ".." was followed. */
	if (r != -ENOSYS && r != -EAGAIN)
		return r;
	if (strlen(wanted) >= sizeof path)
		return -ENAMETOOLONG;
	memcpy(path, wanted, strlen(wanted) + 1);
	r = WALK_AGAIN;
	for (int i = 0; i < MAX_WALKS && r == WALK_AGAIN; i++)
		r = walk(root, path, flags, how_to & RESOLVE_IN_ROOT);
	return r == WALK_AGAIN ? -ELOOP : r;
}

long open_beneath(int at, const char *path, uint64_t flags)
{
	return open_resolved(at, path, flags, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

long open_in_root(int root, const char *path, uint64_t flags)
{
	return open_resolved(root, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
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
 * Opens the parent of the last component of `path` whose parent is there; that component is from *start to *end. Looked for
 * from the end, since mostly only the last one is missing.
 */
static long open_last_parent(int root, char *path, size_t *start, size_t *end)
{
	for (;;) {
		long parent;

		while (*end > 1 && path[*end - 1] == '/')
			--*end;
		for (*start = *end; path[*start - 1] != '/';)
			--*start;
		path[*start - 1] = '\0';
		parent = open_in_root(root, *start > 1 ? path : "/", O_PATH | O_DIRECTORY);
		path[*start - 1] = '/';
		if (parent != -ENOENT || *start == 1)
			return parent;
		*end = *start - 1;
	}
}

/*
 * Makes the first component of `path` (beneath root, and not there as a whole) that is missing; a dangling symbolic link is
 * replaced in `path` by its target. 1: made or replaced something, try again.
 */
static long make_next(int root, char *path, enum resolve_kind kind, uint64_t mode)
{
	char target[PATH_SIZE], after;
	size_t start, end = strlen(path);
	long parent = open_last_parent(root, path, &start, &end), r;

	if (parent < 0)
		return parent;
	after = path[end];
	path[end] = '\0';
	r = sys(readlinkat, parent, path + start, target, sizeof target - 1);
	if (r < 0) {
		r = make_entry(parent, path + start, kind == RESOLVE_FILE && !after,
			       kind == RESOLVE_FILE && after ? 0755 : mode);
		path[end] = after;
		if (r == -EEXIST)
			r = 0;
	} else {
		path[end] = after;
		r = follow(path, start - 1, target, (size_t)r, path + end);
	}
	if (r >= 0)
		r = sys(close, parent);
	return r < 0 ? r : 1;
}

/* Opens a path of the rootfs, making what is missing of it. */
long resolve(int root, const char *wanted, enum resolve_kind kind, uint64_t mode)
{
	char path[PATH_SIZE];
	uint64_t flags = kind == RESOLVE_ORDINARY ? O_PATH | O_NOFOLLOW | O_DIRECTORY : O_PATH;
	bool makes = kind != RESOLVE_EXISTING && kind != RESOLVE_ENTRY;
	long fd, r = 1;

	if (!wanted || wanted[0] != '/' || strlen(wanted) + 1 > sizeof path)
		return wanted && *wanted == '/' ? -ENAMETOOLONG : -EINVAL;
	memcpy(path, wanted, strlen(wanted) + 1);
	if (kind == RESOLVE_ENTRY)
		flags |= O_NOFOLLOW;
	fd = open_in_root(root, path, flags);
	for (int i = 0; fd == -ENOENT && makes && r > 0; i++) {
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
