/*
 * Makes the files of a directory, as a stream of commands says. The data of files are in memory that whoever sends
 * the commands fills by its own descriptor.
 *
 * Nobody else changes the directory meanwhile, and commands name no symbolic link as a directory. Should they, the
 * command fails: directories are opened through no link, and files by their names in an open directory.
 */
#include "runner/tree.h"

#include "contract.h"
#include "runner/op_resolve.h"
#include "system/directory.h"
#include "system/memory.h"
#include "system/sys.h"
#include "system/text.h"

#include <asm/signal.h>
#include <linux/memfd.h>
#include <linux/mman.h>
#include <linux/prctl.h>

struct tree {
	int root, directory;
	int file; /* that is open; -1: none */
	struct tree_command made; /* the command that opened it */
	int memory_fd;
	const char *memory;
	uint32_t commands; /* since the last report */
};

static long send_report(const struct tree *t, long error)
{
	struct tree_report report = {
		.error = (int32_t)-error,
		.syscall = error ? (int32_t)call_of(error) : 0,
		.command = t->commands,
		.memory = t->memory_fd,
	};
	const char *at = (const char *)&report, *end = at + sizeof report;
	long r = 0;

	for (; at < end && r >= 0; at += r)
		r = sys(write, 1, at, (size_t)(end - at));
	return r;
}

static long enter(struct tree *t, const char *path)
{
	long fd = *path ? open_beneath(t->root, path, O_PATH | O_DIRECTORY) : t->root, old = t->directory;

	if (fd < 0)
		return fd;
	t->directory = (int)fd;
	return old == t->root ? 0 : sys(close, old);
}

static long set_times(const struct tree_command *c, long at, const char *name)
{
	const int64_t times[2][2] = {{c->seconds, c->nanoseconds}, {c->seconds, c->nanoseconds}};

	return c->flags & WITH_TIME ? sys(utimensat, at, name, times, name ? AT_SYMLINK_NOFOLLOW : 0) : 0;
}

/* Writing and another owner take setuid and setgid bits away, so the mode comes after them. */
static long complete(struct tree *t, const struct tree_command *last)
{
	const struct tree_command *c = &t->made;
	long fd = t->file, r = 0;

	t->file = -1;
	if (last->flags & WITH_RESIZE)
		r = sys(ftruncate, fd, last->position);
	if (r >= 0 && c->flags & WITH_OWNER)
		r = sys(fchown, fd, c->uid, c->gid);
	if (r >= 0 && c->flags & WITH_MODE)
		r = sys(fchmod, fd, c->mode);
	if (r >= 0)
		r = set_times(c, fd, NULL);
	return closing(fd, r);
}

static long add_data(struct tree *t, const struct tree_command *c)
{
	const char *at = t->memory + c->from, *end = at + c->length;
	uint64_t position = c->position;

	if ((uint64_t)c->from + c->length > TREE_MEMORY || t->file < 0)
		return -EPROTO;
	while (at < end) {
		long r = sys(pwrite64, t->file, at, (size_t)(end - at), position);

		if (r <= 0)
			return r < 0 ? r : FAIL_AS(pwrite64, -EIO);
		at += r;
		position += (uint64_t)r;
	}
	return c->flags & WITH_COMPLETE ? complete(t, c) : 0;
}

static long make_file(struct tree *t, const struct tree_command *c, const char *name)
{
	long fd = sys(openat, t->directory, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, c->mode);

	if (fd < 0 || t->file >= 0)
		return fd < 0 ? fd : closing(fd, -EPROTO);
	t->file = (int)fd;
	t->made = *c;
	return add_data(t, c);
}

static long make_symlink(const struct tree *t, const struct tree_command *c, const char *name, const char *target)
{
	long r = sys(symlinkat, target, t->directory, name);

	if (r >= 0 && c->flags & WITH_OWNER)
		r = sys(fchownat, t->directory, name, c->uid, c->gid, AT_SYMLINK_NOFOLLOW);
	return r < 0 ? r : set_times(c, t->directory, name);
}

static long make_link(const struct tree *t, char *from, const char *name)
{
	const char *base = base_name(from);
	long parent = t->root;

	if (base == from)
		return sys(linkat, parent, base, t->directory, name, 0);
	from[base - from - 1] = '\0';
	parent = open_beneath(t->root, from, O_PATH | O_DIRECTORY);
	return parent < 0 ? parent : closing(parent, sys(linkat, parent, base, t->directory, name, 0));
}

static long remove_tree(long at, const char *name);

/* Entries may be missed while others are removed: -ENOTEMPTY of the directory shows that. */
static long remove_entries(long directory)
{
	struct listing all = {.directory = directory};
	const struct directory_entry *entry;
	long r = 0;

	while (r >= 0 && (entry = next_entry(&all))) {
		r = sys(unlinkat, directory, entry->name, 0);
		if (r == -EISDIR)
			r = remove_tree(directory, entry->name);
	}
	return r < 0 ? r : all.size;
}

static long remove_tree(long at, const char *name)
{
	enum { TIMES = 16 };
	long r = -ENOTEMPTY;

	for (int i = 0; i < TIMES && r == -ENOTEMPTY; i++) {
		long fd = sys(openat, at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		r = fd < 0 ? fd : closing(fd, remove_entries(fd));
		if (r >= 0)
			r = sys(unlinkat, at, name, AT_REMOVEDIR);
	}
	return r;
}

static long carry_out(struct tree *t, const struct tree_command *c, const char *name, char *text)
{
	switch (c->kind) {
	case TREE_ENTER:
		return enter(t, name);
	case TREE_DIRECTORY:
		return sys(mkdirat, t->directory, name, c->mode);
	case TREE_UNLINK:
		return sys(unlinkat, t->directory, name, 0);
	case TREE_REMOVE:
		return remove_tree(t->directory, name);
	case TREE_SYMLINK:
		return make_symlink(t, c, name, text);
	case TREE_LINK:
		return make_link(t, text, name);
	case TREE_FILE:
		return make_file(t, c, name);
	case TREE_DATA:
		return add_data(t, c);
	case TREE_DONE:
		t->commands = 0;
		return send_report(t, 0);
	default:
		return -EPROTO;
	}
}

static size_t size_of(const struct tree_command *c)
{
	return (sizeof *c + c->name + c->text + 7) & ~(size_t)7;
}

static bool is_terminated(const char *text, size_t size)
{
	return size <= TREE_TEXT && (!size || !text[size - 1]);
}

static long carry_out_at(struct tree *t, char *at)
{
	const struct tree_command *c = (const struct tree_command *)(void *)at;
	char *name = at + sizeof *c, *text = name + c->name;
	long r = -EPROTO;
	static char nothing[1];

	if (is_terminated(name, c->name) && is_terminated(text, c->text))
		r = carry_out(t, c, c->name ? name : nothing, c->text ? text : nothing);
	if (c->kind != TREE_DONE)
		t->commands += r >= 0;
	return r;
}

/* Carries out the commands that are whole; the number of their bytes. */
static long carry_out_all(struct tree *t, char *buffer, size_t used)
{
	size_t at = 0;

	while (used - at >= sizeof(struct tree_command)) {
		size_t size = size_of((const struct tree_command *)(void *)(buffer + at));
		long r;

		if (used - at < size)
			break;
		r = carry_out_at(t, buffer + at);
		if (r < 0)
			return r;
		at += size;
	}
	return (long)at;
}

static long carry_out_stream(struct tree *t)
{
	/* Larger than any command. */
	static _Alignas(8) char buffer[4 << 16];
	size_t used = 0;
	long r;

	while ((r = sys(read, 0, buffer + used, sizeof buffer - used)) > 0) {
		used += (size_t)r;
		r = carry_out_all(t, buffer, used);
		if (r < 0)
			return r;
		used -= (size_t)r;
		for (size_t i = 0; i < used; i++)
			buffer[i] = buffer[(size_t)r + i];
	}
	return r < 0 || !used ? r : -EPROTO;
}

static long prepare_memory(struct tree *t)
{
	long r = sys(memfd_create, "files", MFD_CLOEXEC), at;

	t->memory_fd = (int)r;
	if (r >= 0)
		r = sys(ftruncate, t->memory_fd, TREE_MEMORY);
	if (r < 0)
		return r;
	at = sys(mmap, 0, TREE_MEMORY, PROT_READ, MAP_SHARED, t->memory_fd, 0);
	t->memory = (const char *)at;
	return at < 0 && at > -4096 ? at : send_report(t, 0);
}

/* It ends with its parent, and not by the signals of a terminal: the parent says when there is no more to do. */
static long begin(struct tree *t, const char *directory, const char *parent)
{
	uint64_t all = ~0ULL, pid = 0;
	long r;

	if (!parse_decimal(&parent, &pid))
		return -EINVAL;
	r = sys(prctl, PR_SET_PDEATHSIG, SIGKILL);
	if (r >= 0 && (uint64_t)sys(getppid) != pid)
		r = -ESRCH;
	if (r >= 0)
		r = sys(rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof all);
	if (r >= 0)
		r = sys(umask, 0);
	if (r >= 0)
		r = sys(openat, AT_FDCWD, directory, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	t->root = t->directory = (int)r;
	return r < 0 ? r : prepare_memory(t);
}

int make_tree(char **words)
{
	static struct tree tree = {.file = -1};
	long r = words[0] && words[1] ? begin(&tree, words[0], words[1]) : -EINVAL;

	if (r >= 0)
		r = carry_out_stream(&tree);
	if (r < 0)
		send_report(&tree, r);
	return r < 0;
}
