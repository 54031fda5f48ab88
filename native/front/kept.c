/*
 * Kept programs: what a file in the state root says that src/runtime/kept/program.ts wrote there. It is used while every
 * guard in it holds: each is one thing that the program was compiled from.
 */
#include "front/front.h"

#include <asm/stat.h>
#include <linux/capability.h>
#include <linux/utsname.h>

/* FNV-1a, which names the file; the file itself says again what it is for. */
static uint64_t hash(const char *s)
{
	uint64_t value = 0xcbf29ce484222325ULL;

	for (; *s; s++)
		value = (value ^ (unsigned char)*s) * 0x100000001b3ULL;
	return value;
}

#ifndef BUILD_ID /* the digest of all sources, which the compiler has too: .ci/build.mjs */
#define BUILD_ID ""
#endif

enum { PROCESS_SIZE = 65536, MAX_WORDS = 4096, PIECE_SIZE = 65536 };

/* Where the program of this request is kept, and the text that says what it is for. */
struct place {
	char path[PATH_SIZE];
	char root[PATH_SIZE];
	char directory[PATH_SIZE]; /* the bundle, or that of the container's state */
	char pid_file[MAX_REGISTER];
	char console_socket[MAX_REGISTER];
	char process[PROCESS_SIZE]; /* what the file of --process says, but for the command */
	char *words[MAX_WORDS]; /* the command */
	char text[PROCESS_SIZE]; /* of the words */
	char key[4 * PATH_SIZE + PROCESS_SIZE];
};

/* One character of a string in JSON, ASCII alone; 0 for one of another form, or at the end of the text. */
static char take_character(const char **at)
{
	const char *c = *at;
	char value = *c;

	if (value < ' ' || value > '~')
		return '\0';
	if (value != '\\') {
		++*at;
		return value;
	}
	*at += 2;
	if (!has_prefix(c, "\\u00"))
		return c[1] == '"' || c[1] == '\\' || c[1] == '/' ? c[1] : c[1] == 'n' ? '\n' : c[1] == 't' ? '\t' : '\0';
	*at += 4;
	value = 0;
	for (int i = 4; i < 6; i++) {
		char digit = c[i] | 0x20;
		bool is_letter = digit >= 'a' && digit <= 'f';

		if (!is_letter && (c[i] < '0' || c[i] > '9'))
			return '\0';
		value = (char)(value << 4 | (is_letter ? digit - 'a' + 10 : c[i] - '0'));
	}
	return value > 0 ? value : '\0';
}

/*
 * Takes the command out of a process, "args":[...] in JSON as engines write it; src/runtime/process-text.ts does the same.
 * `text` gets the text of the words, which is no longer than the process.
 */
static bool take_command(char *process, char **words, char *text)
{
	char *start = process, *to = text;
	const char *at;
	size_t count = 0;

	while (*start && !has_prefix(start, "\"args\":["))
		start++;
	if (!*start)
		return false;
	at = start += 8;
	do {
		if (*at++ != '"' || count == MAX_WORDS - 1)
			return false;
		words[count++] = to;
		while (*at != '"')
			if (!(*to++ = take_character(&at)))
				return false;
		*to++ = '\0';
	} while (*++at == ',' && at++);
	if (*at != ']')
		return false;
	do
		*start++ = *at;
	while (*at++);
	words[count] = NULL;
	return *text;
}

/* Only of a regular file, which Node.js can read once more: whoever writes to a FIFO would see it opened. */
static bool read_process_file(struct place *p, const char *path)
{
	struct stat st;
	long fd, r;

	if (syscall6(__NR_newfstatat, AT_FDCWD, (long)path, (long)&st, 0, 0, 0) < 0 || !S_ISREG(st.st_mode))
		return false;
	fd = open_regular(AT_FDCWD, path, 0, &st);
	if (fd < 0)
		return false;
	r = read_opened(fd, p->process, sizeof p->process);
	return r >= 0 && r < PROCESS_SIZE - 1 && strlen(p->process) == (size_t)r &&
	       take_command(p->process, p->words, p->text);
}

/* Whether the descriptors to hand on are there; this process has opened none yet. */
static bool has_descriptors(const char *count)
{
	uint64_t number = 0;

	if (count && (!parse_decimal(&count, &number) || *count || number > 1024))
		return false;
	for (uint64_t fd = 3; fd < 3 + number; fd++)
		if (syscall6(__NR_fcntl, (long)fd, F_GETFD, 0, 0, 0, 0) < 0)
			return false;
	return true;
}

/* What the command is about: a bundle, or a container and a command in it. */
static bool find_subject(struct place *p, const struct request *q, const struct call *call)
{
	const char *bundle = q->given[OPTION_BUNDLE], *process = q->given[OPTION_PROCESS];

	if (!streq(q->command, "exec"))
		return !call->has_more && !process && !variable(call->env, "NOTIFY_SOCKET") &&
		       make_absolute(p->directory, sizeof p->directory, bundle ? bundle : ".");
	if (bundle || !JOIN(p->directory, p->root, "/", q->id))
		return false;
	return process ? !*q->words && read_process_file(p, process) : *q->words && **q->words;
}

static bool find_place(struct place *p, const struct request *q, const struct call *call)
{
	bool is_exec = streq(q->command, "exec");
	const char *pid_file = q->given[OPTION_PID_FILE], *console = q->given[OPTION_CONSOLE_SOCKET];
	const char *end = p->key + sizeof p->key;
	char name[17] = {0}, *to;

	if (!has_descriptors(q->given[OPTION_PRESERVE_FDS]) || !find_root(p->root, sizeof p->root, call) ||
	    !find_subject(p, q, call))
		return false;
	if ((pid_file && !make_absolute(p->pid_file, sizeof p->pid_file, pid_file)) ||
	    (console && !make_absolute(p->console_socket, sizeof p->console_socket, console)))
		return false;
	to = append(append(describe_request(q, p->key, end), end, "\n"), end, p->directory);
	if (!is_exec || q->given[OPTION_PROCESS])
		to = append(append(to, end, "\n"), end, is_exec ? p->process : p->root);
	to = append(append(append(append(to, end, "\n"), end, call->exe), end, "\n"), end, BUILD_ID);
	if (!to)
		return false;
	for (uint64_t value = hash(p->key), i = 16; i--; value >>= 4)
		name[i] = "0123456789abcdef"[value & 15];
	return JOIN(p->path, is_exec ? p->directory : p->root, "/.program-", name);
}

struct kept_header {
	char magic[4];
	uint32_t version;
	uint32_t guards; /* how many */
	uint32_t program; /* where it begins */
};

/*
 * One thing that must still be as it was. Text follows: a path, then perhaps content, each padded to 8 bytes. How long the
 * content is, is the first value.
 */
struct guard {
	uint32_t kind;
	uint32_t text; /* bytes of the first text, with its NUL */
	uint64_t value[8];
};

static bool is_same_place(const char *path, const uint64_t *v)
{
	struct stat st;

	return syscall6(__NR_newfstatat, AT_FDCWD, (long)path, (long)&st, AT_SYMLINK_NOFOLLOW, 0, 0) >= 0 &&
	       st.st_dev == v[0] && st.st_ino == v[1] && st.st_mode == v[2];
}

static bool is_there(const char *path)
{
	struct stat st;

	return syscall6(__NR_newfstatat, AT_FDCWD, (long)path, (long)&st, 0, 0, 0) >= 0;
}

static bool may_execute(const char *path)
{
	return syscall6(__NR_faccessat, AT_FDCWD, (long)path, X_OK, 0, 0, 0) >= 0;
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

/* The bytes of what follows the text of a guard. */
static uint64_t content_size(const struct guard *g)
{
	return g->kind == GUARD_CONTENT || g->kind == GUARD_MOUNTS ? padded(g->value[0]) : 0;
}

/* Whether the file is for this request and every guard of it holds. */
static bool guards_hold(const char *image, size_t size, const char *key)
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

		if (at + sizeof *g > h->program || !g->text)
			return false;
		content = text + padded(g->text);
		next = at + sizeof *g + padded(g->text) + content_size(g);
		if (next > h->program || next < at || text[g->text - 1] ||
		    (g->kind == GUARD_MOUNTS && !has_end(content, g->value[0])) || !guard_holds(g, text, content, key))
			return false;
		has_key |= g->kind == GUARD_KEY;
		at = next;
	}
	return has_key && at == h->program;
}

bool find_kept(const struct call *call, struct job *job)
{
	static struct place place;
	struct request request;
	const struct kept_header *h;
	void *image = NULL;
	size_t size = 0;
	bool is_exec;
	long fd;

	if (!parse_request(call, &request) || !find_place(&place, &request, call))
		return false;
	is_exec = streq(request.command, "exec");
	fd = open_own(AT_FDCWD, place.path);
	if (fd < 0 || read_program((int)fd, &image, &size) < 0 || sys(close, fd) < 0 || !guards_hold(image, size, place.key))
		return false;
	if ((is_exec && !accepts_exec(place.root, request.id)) || !make_log(call))
		return false;
	h = image;
	*job = (struct job){.id = request.id, .directory = is_exec ? "" : place.directory,
			    .argv = *place.words ? place.words : *request.words ? request.words : NULL,
			    .pid_file = place.pid_file, .console_socket = place.console_socket,
			    .program = (char *)image + h->program, .size = size - h->program};
	return true;
}
