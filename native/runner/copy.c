/*
 * Copies of directories. Several processes share the files of one by their inodes, so that all names of a file are one's:
 * each walks through all directories, and makes those that another one has not made yet.
 */
#include "runner/copy.h"

#include "contract.h"
#include "system/directory.h"
#include "system/file.h"
#include "system/memory.h"
#include "system/process.h"
#include "system/sys.h"
#include "system/text.h"

#include <asm/signal.h>
#include <asm/stat.h>
#include <linux/limits.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/sched.h>

enum { COPY_CHUNK = 1 << 30, MAX_COPY_DEPTH = 520, MAX_PARTS = 8 };
enum { TYPE_UNKNOWN = 0, TYPE_DIRECTORY = 4 }; /* of an entry of a directory */
enum { SEEK_DATA = 3, SEEK_HOLE = 4 };

/* The names of files that have several, by their inodes. Memory that is not used takes none. */
enum { NAME_SLOTS = 1 << 20, NAME_BYTES = 1 << 28 };
struct names {
	struct {
		uint64_t inode;
		uint64_t path;
	} slots[NAME_SLOTS];
	size_t count, used;
	char paths[NAME_BYTES];
};

struct copy {
	uint64_t part, parts;
	bool makes; /* files and directories */
	bool settles; /* the attributes of directories, when all is in them */
	bool is_whole; /* with hard links and extended attributes */
	long top; /* of the copy */
	struct names *names;
	char path[PATH_MAX];
	size_t length; /* of the path from the top */
};

static char names_of_file[XATTR_LIST_MAX], value[XATTR_SIZE_MAX];

/* The extended attributes of an open file or directory. */
static long copy_xattrs(long from, long to)
{
	long size = probe(flistxattr, from, names_of_file, sizeof names_of_file), r = 0;

	for (const char *at = names_of_file; r >= 0 && at < names_of_file + size; at += strlen(at) + 1) {
		r = sys(fgetxattr, from, at, value, sizeof value);
		if (r >= 0)
			r = sys(fsetxattr, to, at, value, (size_t)r, 0);
	}
	return size < 0 && size != -EOPNOTSUPP ? FAIL_AS(flistxattr, size) : r;
}

/* Those of a file that is not opened, by its name in an open directory. */
static long copy_xattrs_of(long from, long to, const char *name)
{
	static char source[PATH_MAX], target[PATH_MAX];
	long size, r = 0;

	if (!path_through_fd(source, sizeof source, from, name) || !path_through_fd(target, sizeof target, to, name))
		return -ENAMETOOLONG;
	size = probe(llistxattr, source, names_of_file, sizeof names_of_file);
	for (const char *at = names_of_file; r >= 0 && at < names_of_file + size; at += strlen(at) + 1) {
		r = sys(lgetxattr, source, at, value, sizeof value);
		if (r >= 0)
			r = sys(lsetxattr, target, at, value, (size_t)r, 0);
	}
	return size < 0 && size != -EOPNOTSUPP ? FAIL_AS(llistxattr, size) : r;
}

static long set_times(long at, const char *name, const struct stat *st)
{
	const int64_t times[2][2] = {{(int64_t)st->st_atime, (int64_t)st->st_atime_nsec},
				     {(int64_t)st->st_mtime, (int64_t)st->st_mtime_nsec}};

	return sys(utimensat, at, name, times, name ? AT_SYMLINK_NOFOLLOW : 0);
}

/* Another owner takes setuid bits and capabilities away, so they come after it. */
static long set_attributes(const struct copy *c, long from, long fd, const struct stat *st)
{
	long r = sys(fchown, fd, st->st_uid, st->st_gid);

	if (r >= 0 && c->is_whole)
		r = copy_xattrs(from, fd);
	if (r >= 0)
		r = sys(fchmod, fd, st->st_mode & 07777);
	return r < 0 ? r : set_times(fd, NULL, st);
}

/* The same range of both files; the kernel shares their blocks where it can. */
static long copy_range(long from, long to, int64_t at, int64_t end)
{
	int64_t in = at, out = at;

	while (in < end) {
		size_t length = (size_t)(end - in < COPY_CHUNK ? end - in : COPY_CHUNK);
		long r = probe(copy_file_range, from, &in, to, &out, length, 0);

		if (r == -EXDEV || r == -EINVAL || r == -ENOSYS || r == -EOPNOTSUPP) {
			r = sys(lseek, to, out, 0);
			r = r < 0 ? r : sys(sendfile, to, from, &in, length);
			out = in;
		}
		if (r <= 0)
			return r;
	}
	return 0;
}

static long copy_data(long from, long to, const struct stat *st)
{
	int64_t size = st->st_size, at = 0, end;
	long r = 0;

	if ((int64_t)st->st_blocks * 512 >= size)
		return copy_range(from, to, 0, size);
	while (r >= 0 && (at = probe(lseek, from, at, SEEK_DATA)) >= 0) {
		end = sys(lseek, from, at, SEEK_HOLE);
		r = end < 0 ? end : copy_range(from, to, at, end);
		at = end;
	}
	if (r >= 0 && at < 0 && at != -ENXIO)
		r = at;
	return r < 0 ? r : sys(ftruncate, to, size);
}

static long copy_file(const struct copy *c, long from, long to, const char *name, const struct stat *st)
{
	long in = sys(openat, from, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC), out, r;

	if (in < 0)
		return in;
	r = out = sys(openat, to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (r >= 0) {
		r = copy_data(in, out, st);
		if (r >= 0)
			r = set_attributes(c, in, out, st);
		r = closing(out, r);
	}
	return closing(in, r);
}

static long copy_symlink(long from, long to, const char *name)
{
	char target[PATH_MAX];
	long r = sys(readlinkat, from, name, target, sizeof target - 1);

	if (r < 0)
		return r;
	target[r] = '\0';
	return sys(symlinkat, target, to, name);
}

/* A symbolic link, a device, a FIFO or a socket. */
static long copy_special(const struct copy *c, long from, long to, const char *name, const struct stat *st)
{
	long r = S_ISLNK(st->st_mode) ? copy_symlink(from, to, name) : sys(mknodat, to, name, st->st_mode, st->st_rdev);

	if (r >= 0)
		r = sys(fchownat, to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW);
	if (r >= 0 && !S_ISLNK(st->st_mode) && st->st_mode & 07000)
		r = sys(fchmodat, to, name, st->st_mode & 07777);
	if (r >= 0 && c->is_whole)
		r = copy_xattrs_of(from, to, name);
	return r < 0 ? r : set_times(to, name, st);
}

/* The path of another name of the file in the copy; NULL when this is the first, which is kept. */
static const char *other_name(struct copy *c, const char *name, uint64_t inode, long *error)
{
	struct names *all = c->names;
	size_t slot = (size_t)(inode * 0x9e3779b97f4a7c15ULL >> 44), length = strlen(name) + 1;

	while (all->slots[slot].inode && all->slots[slot].inode != inode)
		slot = (slot + 1) % NAME_SLOTS;
	if (all->slots[slot].inode)
		return all->paths + all->slots[slot].path;
	*error = all->count * 2 >= NAME_SLOTS || all->used + c->length + length > NAME_BYTES ? -ENOSPC : 0;
	if (*error)
		return NULL;
	all->slots[slot].inode = inode;
	all->slots[slot].path = all->used;
	memcpy(all->paths + all->used, c->path, c->length);
	memcpy(all->paths + all->used + c->length, name, length);
	all->used += c->length + length;
	all->count++;
	return NULL;
}

static long copy_named(struct copy *c, long from, long to, const char *name, const struct stat *st)
{
	long r = 0;
	const char *other = c->is_whole && st->st_nlink > 1 ? other_name(c, name, st->st_ino, &r) : NULL;

	if (other)
		return sys(linkat, c->top, other, to, name, 0);
	if (r < 0)
		return r;
	return S_ISREG(st->st_mode) ? copy_file(c, from, to, name, st) : copy_special(c, from, to, name, st);
}

static long copy_directory(struct copy *c, long from, long to, int depth);

static long copy_below(struct copy *c, long from, long to, const char *name, int depth)
{
	size_t length = strlen(name), before = c->length;
	uint64_t flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	long in, out, r;

	if (c->length + length + 2 > sizeof c->path)
		return -ENAMETOOLONG;
	r = c->makes ? probe(mkdirat, to, name, 0700) : 0;
	if (r < 0 && !(r == -EEXIST && c->parts > 1))
		return FAIL_AS(mkdirat, r);
	in = sys(openat, from, name, flags);
	if (in < 0)
		return in;
	r = out = sys(openat, to, name, flags);
	if (r >= 0) {
		memcpy(c->path + c->length, name, length);
		c->path[c->length + length] = '/';
		c->length += length + 1;
		r = closing(out, copy_directory(c, in, out, depth + 1));
		c->length = before;
	}
	return closing(in, r);
}

static long copy_entry(struct copy *c, long from, long to, const struct directory_entry *entry, int depth)
{
	struct stat st;
	long r;

	if (entry->type == TYPE_DIRECTORY)
		return copy_below(c, from, to, entry->name, depth);
	if (entry->type != TYPE_UNKNOWN && (!c->makes || entry->inode % c->parts != c->part))
		return 0;
	r = sys(newfstatat, from, entry->name, &st, AT_SYMLINK_NOFOLLOW);
	if (r < 0)
		return r;
	if (S_ISDIR(st.st_mode))
		return copy_below(c, from, to, entry->name, depth);
	return c->makes && entry->inode % c->parts == c->part ? copy_named(c, from, to, entry->name, &st) : 0;
}

static long copy_directory(struct copy *c, long from, long to, int depth)
{
	struct listing all = {.directory = from};
	const struct directory_entry *entry;
	struct stat st;
	long r = sys(fstat, from, &st);

	if (depth == MAX_COPY_DEPTH)
		return -ELOOP;
	while (r >= 0 && (entry = next_entry(&all)))
		r = copy_entry(c, from, to, entry, depth);
	if (r < 0 || all.size < 0)
		return r < 0 ? r : all.size;
	return c->settles ? set_attributes(c, from, to, &st) : 0;
}

long copy_content_of(long from, long to)
{
	static struct copy copy = {.parts = 1, .makes = true, .settles = true};

	return copy_directory(&copy, from, to, 0);
}

/* The first error of all processes of a copy. */
struct outcome {
	int32_t error;
	int32_t syscall;
};

static long end_with(uint64_t parent)
{
	long r = sys(prctl, PR_SET_PDEATHSIG, SIGKILL);

	if (r < 0)
		return r;
	return (uint64_t)sys(getppid) == parent ? 0 : -ESRCH;
}

static long copy_part(struct copy *c, const char *source)
{
	long from = sys(openat, AT_FDCWD, source, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (from < 0)
		return from;
	if (!c->names)
		c->names = new_memory(sizeof *c->names, MAP_PRIVATE | MAP_NORESERVE);
	return closing(from, c->names ? copy_directory(c, from, c->top, 0) : -ENOMEM);
}

static void note(struct outcome *outcome, long r)
{
	if (r >= 0 || outcome->error)
		return;
	outcome->syscall = (int32_t)call_of(r);
	outcome->error = (int32_t)-r;
}

static _Noreturn void help(struct copy *c, const char *source, uint64_t parent, struct outcome *outcome)
{
	long r = end_with(parent);

	note(outcome, r < 0 ? r : copy_part(c, source));
	exit_with(0);
}

static uint64_t count_processors(void)
{
	static uint64_t set[128];
	long bytes = sys(sched_getaffinity, 0, sizeof set, set);
	uint64_t count = 0;

	for (long i = 0; i * 8 < bytes; i++)
		for (uint64_t rest = set[i]; rest; rest &= rest - 1)
			count++;
	return count < 1 ? 1 : count > MAX_PARTS ? MAX_PARTS : count;
}

static void copy_all(const char *source, long top, struct outcome *outcome)
{
	static struct copy copy = {.makes = true, .is_whole = true};
	uint64_t self = (uint64_t)sys(getpid);
	long r = 0;
	int status = 0;

	copy.top = top;
	copy.parts = count_processors();
	for (copy.part = 1; r >= 0 && copy.part < copy.parts; copy.part++) {
		struct clone_args args = {.exit_signal = SIGCHLD};

		r = start_process(&args);
		if (!r)
			help(&copy, source, self, outcome);
	}
	copy.part = 0;
	note(outcome, r < 0 ? r : copy_part(&copy, source));
	while (probe(wait4, -1, &status, 0, NULL) > 0)
		if (status)
			note(outcome, -EINTR);
	copy.makes = false;
	copy.settles = true;
	if (!outcome->error)
		note(outcome, copy_part(&copy, source));
}

int make_copy(char **words)
{
	struct outcome *outcome = new_memory(sizeof *outcome, MAP_SHARED);
	struct tree_report report = {.error = ENOMEM};
	const char *parent = words[0] && words[1] && words[2] ? words[2] : "";
	uint64_t pid = 0;
	long r = -EINVAL;

	if (outcome && parse_decimal(&parent, &pid)) {
		r = end_with(pid);
		if (r >= 0)
			r = sys(umask, 0);
		if (r >= 0)
			r = sys(mkdirat, AT_FDCWD, words[1], 0700);
		if (r >= 0)
			r = sys(openat, AT_FDCWD, words[1], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (r >= 0)
			copy_all(words[0], r, outcome);
		else
			note(outcome, r);
		report.error = outcome->error;
		report.syscall = outcome->syscall;
	}
	r = write_all(1, (const char *)&report, sizeof report);
	return r < 0 || report.error;
}
