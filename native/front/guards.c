/* Guards: the facts that a kept program was compiled from, compared with the host. src/runtime/kept-program.ts writes them. */
#include "front/guards.h"

#include "contract.h"
#include "runner/ops.h"
#include "system/file.h"
#include "system/memory.h"
#include "system/sys.h"
#include "system/text.h"

#include <asm/stat.h>
#include <linux/capability.h>
#include <linux/utsname.h>

enum { PIECE_SIZE = 65536, NANOSECONDS = 1000000000 };

static bool is_same_place(const char *path, const uint64_t *v)
{
	struct stat st;

	return probe(newfstatat, AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) >= 0 &&
	       st.st_dev == v[0] && st.st_ino == v[1] && st.st_mode == v[2];
}

/* The times: of the content, and of the inode, which nobody can set. */
static bool is_same_file(const char *path, const uint64_t *v)
{
	struct stat st;

	return probe(newfstatat, AT_FDCWD, path, &st) >= 0 && st.st_dev == v[0] && st.st_ino == v[1] &&
	       (uint64_t)st.st_size == v[2] && (uint64_t)st.st_mtime * NANOSECONDS + (uint64_t)st.st_mtime_nsec == v[3] &&
	       (uint64_t)st.st_ctime * NANOSECONDS + (uint64_t)st.st_ctime_nsec == v[4];
}

static bool is_there(const char *path)
{
	struct stat st;

	return probe(newfstatat, AT_FDCWD, path, &st) >= 0;
}

static bool may_execute(const char *path)
{
	return probe(faccessat, AT_FDCWD, path, X_OK) >= 0;
}

/* The rest of a content that a file must have. */
struct expected {
	const char *at;
	size_t left;
};

static bool take_expected(struct expected *e, const char *bytes, size_t length)
{
	if (length > e->left || memcmp(bytes, e->at, length))
		return false;
	e->at += length;
	e->left -= length;
	return true;
}

static bool has_content(const char *path, const char *content, uint64_t length)
{
	static char piece[PIECE_SIZE];
	struct expected e = {content, length};
	struct stat st;
	long fd = open_regular(AT_FDCWD, path, 0, &st), r = 1;

	if (fd < 0)
		return false;
	/* A file of procfs has size 0; another ends where it says. */
	while (r > 0 && !(st.st_size && !e.left)) {
		r = sys(read, fd, piece, e.left < sizeof piece ? e.left + 1 : sizeof piece);
		if (r > 0 && !take_expected(&e, piece, (size_t)r))
			r = -EBADMSG;
	}
	return closing(fd, r) >= 0 && !e.left && (!st.st_size || (uint64_t)st.st_size == length);
}

/* Where the field after the next blank begins; the end of the line when there is none. */
static const char *next_field(const char *at, const char *end)
{
	while (at < end && *at != ' ')
		at++;
	return at < end ? at + 1 : end;
}

/*
 * Compares a line of mountinfo, if its file system is of this type, but for the numbers of the mount, its parent and its
 * peer groups: src/host/mountinfo.ts takes the same out.
 */
static bool take_mount(struct expected *e, const char *line, const char *end, const char *type)
{
	const char *device = next_field(next_field(line, end), end), *more = device, *rest;

	for (int i = 0; i < 4; i++)
		more = next_field(more, end);
	rest = more;
	while (rest < end && (*rest != '-' || rest[1] != ' '))
		rest = next_field(rest, end);
	/* The type ends in a line break at the latest. */
	if (rest == end || !has_prefix(rest + 2, type))
		return true;
	return take_expected(e, device, (size_t)(more - device)) && take_expected(e, rest, (size_t)(end + 1 - rest));
}

/* Compares the lines in a piece of the file; the last of it, if that is no whole line, is moved to the beginning. */
static long take_mounts(struct expected *e, char *piece, size_t used, const char *type)
{
	size_t start = 0, left = 0;

	for (size_t end = 0; end < used; end++) {
		if (piece[end] != '\n')
			continue;
		if (!take_mount(e, piece + start, piece + end, type))
			return -EBADMSG;
		start = end + 1;
	}
	while (start < used)
		piece[left++] = piece[start++];
	return (long)left;
}

/* The content begins with the type. */
static bool has_mounts(const char *path, const char *content, uint64_t length)
{
	static char piece[PIECE_SIZE];
	struct expected e = {content, length};
	struct stat st;
	long fd = open_regular(AT_FDCWD, path, 0, &st), used = 0, r = 1;

	if (fd < 0)
		return false;
	e.at += strlen(content) + 1;
	e.left -= strlen(content) + 1;
	while (used >= 0 && used < PIECE_SIZE && (r = sys(read, fd, piece + used, PIECE_SIZE - (size_t)used)) > 0)
		used = take_mounts(&e, piece, (size_t)(used + r), content);
	return closing(fd, r) >= 0 && used == 0 && !e.left;
}

static bool is_same_caller(const uint64_t *v)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	return sys(capget, &header, data) >= 0 && (uint64_t)sys(geteuid) == v[0] && (uint64_t)sys(getegid) == v[1] &&
	       (data[0].effective | (uint64_t)data[1].effective << 32) == v[2];
}

static bool is_same_kernel(const char *text)
{
	struct new_utsname name;
	char now[sizeof name.release + sizeof name.version + 1];

	return sys(uname, &name) >= 0 && JOIN(now, name.release, " ", name.version) && streq(now, text);
}

static bool guard_holds(const struct guard *g, const char *text, const char *content, const char *key)
{
	switch ((enum guard_kind)g->kind) {
	case GUARD_KEY:
		return streq(text, key);
	case GUARD_PLACE:
		return is_same_place(text, g->value);
	case GUARD_PRESENT:
		return is_there(text);
	case GUARD_ABSENT:
		return !is_there(text);
	case GUARD_EXECUTABLE:
		return may_execute(text);
	case GUARD_NOT_EXECUTABLE:
		return !may_execute(text);
	case GUARD_CONTENT:
		return has_content(text, content, g->value[0]);
	case GUARD_MOUNTS:
		return has_mounts(text, content, g->value[0]);
	case GUARD_CALLER:
		return is_same_caller(g->value);
	case GUARD_KERNEL:
		return is_same_kernel(text);
	case GUARD_FILE:
		return is_same_file(text, g->value);
	}
	return false;
}

static uint64_t padded(uint64_t size)
{
	return (size + 7) & ~7ULL;
}

static bool has_end(const char *content, uint64_t length)
{
	while (length && *content)
		content++, length--;
	return length;
}

/* The bytes of what follows the text of a guard, without its padding. */
static uint64_t content_length(const struct guard *g)
{
	return g->kind == GUARD_CONTENT || g->kind == GUARD_MOUNTS ? g->value[0] : 0;
}

bool guards_hold(const char *image, size_t size, const char *key)
{
	const struct kept_header *h = (const void *)image;
	uint64_t at = sizeof *h;
	bool has_key = false;

	if (size < sizeof *h || memcmp(h->magic, KEPT_MAGIC, 4) || h->version != PROGRAM_VERSION || h->program > size)
		return false;
	for (uint32_t i = 0; i < h->guards; i++) {
		const struct guard *g = (const void *)(image + at);
		const char *text = image + at + sizeof *g, *content;
		uint64_t next;

		/* A length near 2^64 would be a short one when it is padded. */
		if (at + sizeof *g > h->program || !g->text || content_length(g) > h->program)
			return false;
		content = text + padded(g->text);
		next = at + sizeof *g + padded(g->text) + padded(content_length(g));
		if (next > h->program || text[g->text - 1] ||
		    (g->kind == GUARD_MOUNTS && !has_end(content, g->value[0])) || !guard_holds(g, text, content, key))
			return false;
		has_key |= g->kind == GUARD_KEY;
		at = next;
	}
	return has_key && at == h->program;
}
