/*
 * Kept programs: what a file in the state root says that src/runtime/kept/program.ts wrote there. It is used while every
 * guard in it holds: each is one thing that the program was compiled from.
 */
#include "front/front.h"
#include "front/guards.h"
#include "front/process_text.h"
#include "system/environment.h"
#include "system/file.h"
#include "system/memory.h"
#include "system/text.h"

#include <asm/stat.h>

/* FNV-1a, which names the file; the file itself says again what it is for. */
static uint64_t hash(const char *s)
{
	uint64_t value = FNV_OFFSET;

	for (; *s; s++)
		value = (value ^ (unsigned char)*s) * FNV_PRIME;
	return value;
}

#ifndef BUILD_ID /* the digest of all sources, which the compiler has too: scripts/build.mjs */
#define BUILD_ID ""
#endif

enum { PROCESS_SIZE = 65536 };

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

/* Only of a regular file, which a compiler can read once more: whoever writes to a FIFO would see it opened. */
static bool read_process_file(struct place *p, const char *path)
{
	struct stat st;
	long fd, r;

	if (probe(newfstatat, AT_FDCWD, path, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	fd = open_regular(AT_FDCWD, path, 0, &st);
	if (fd < 0)
		return false;
	r = read_opened(fd, p->process, sizeof p->process);
	return r >= 0 && r < PROCESS_SIZE - 1 && strlen(p->process) == (size_t)r &&
	       take_command(p->process, p->words, p->text);
}

/* True when the descriptors to hand on are open; this process has opened none yet. */
static bool has_descriptors(const char *count)
{
	uint64_t number = 0;

	if (count && (!parse_decimal(&count, &number) || *count || number > 1024))
		return false;
	for (uint64_t fd = 3; fd < 3 + number; fd++)
		if (probe(fcntl, fd, F_GETFD) < 0)
			return false;
	return true;
}

/* Finds the subject of the command: a bundle, or a container and a command in it. */
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

/* The file of the program, by the key, which the build ends. */
static bool find_file(struct place *p, char *end_of_key, const struct call *call, bool is_exec)
{
	const char *end = p->key + sizeof p->key;
	char name[17] = {0}, *to = append(append(end_of_key, end, "\n"), end, call->exe);

	if (!append(append(to, end, "\n"), end, BUILD_ID))
		return false;
	for (uint64_t value = hash(p->key), i = 16; i--; value >>= 4)
		name[i] = "0123456789abcdef"[value & 15];
	return JOIN(p->path, is_exec ? p->directory : p->root, "/" KEPT_PREFIX, name);
}

static bool find_place(struct place *p, const struct request *q, const struct call *call)
{
	bool is_exec = streq(q->command, "exec");
	const char *pid_file = q->given[OPTION_PID_FILE], *console = q->given[OPTION_CONSOLE_SOCKET];
	const char *end = p->key + sizeof p->key;
	char *to;

	if (!has_descriptors(q->given[OPTION_PRESERVE_FDS]) || !find_root(p->root, sizeof p->root, call) ||
	    !find_subject(p, q, call))
		return false;
	if ((pid_file && !make_absolute(p->pid_file, sizeof p->pid_file, pid_file)) ||
	    (console && !make_absolute(p->console_socket, sizeof p->console_socket, console)))
		return false;
	to = append(append(describe_request(q, p->key, end), end, "\n"), end, p->directory);
	if (!is_exec || q->given[OPTION_PROCESS])
		to = append(append(to, end, "\n"), end, is_exec ? p->process : p->root);
	return find_file(p, to, call, is_exec);
}

/* Reads the file of a program; false when there is none, or when a guard does not hold. */
static bool load_program(const struct place *p, struct job *job)
{
	const struct kept_header *h;
	void *image = NULL;
	size_t size = 0;
	long fd = open_own(AT_FDCWD, p->path);

	if (fd < 0 || read_program((int)fd, &image, &size) < 0 || sys(close, fd) < 0 || !guards_hold(image, size, p->key))
		return false;
	h = image;
	job->program = (char *)image + h->program;
	job->size = size - h->program;
	return true;
}

static bool find_tried(struct place *p, const struct call *call, struct job *job)
{
	static char id[sizeof TRY_PREFIX + 24];
	const char *end = p->key + sizeof p->key;

	*job = (struct job){.id = id, .directory = "", .pid_file = "", .console_socket = ""};
	return find_root(p->root, sizeof p->root, call) &&
	       find_file(p, append(append(describe_try(call, p->key, end), end, "\n"), end, p->root), call, false) &&
	       load_program(p, job) && name_try(id, p->root) && make_log(call);
}

bool find_kept(const struct call *call, struct job *job)
{
	static struct place place;
	struct request request;
	bool is_exec;

	if (is_try(call))
		return find_tried(&place, call, job);
	if (!parse_request(call, &request) || !find_place(&place, &request, call))
		return false;
	is_exec = streq(request.command, "exec");
	*job = (struct job){.id = request.id, .directory = is_exec ? "" : place.directory,
			    .argv = *place.words ? place.words : *request.words ? request.words : NULL,
			    .pid_file = place.pid_file, .console_socket = place.console_socket};
	return load_program(&place, job) && (!is_exec || accepts_exec(place.root, request.id)) && make_log(call);
}
