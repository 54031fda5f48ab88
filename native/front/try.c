/* `try`: its whole command line is what a program was kept for (src/cli/try-call.ts); the container is named after this process. */
#include "front/front.h"
#include "system/directory.h"
#include "system/environment.h"
#include "system/file.h"
#include "system/memory.h"
#include "system/text.h"

bool is_try(const struct call *call)
{
	return streq(call->argv[call->command], "try");
}

/* A word with a line break would be two lines. */
static char *append_plain(char *to, const char *end, const char *text)
{
	for (const char *c = text; *c; c++)
		if (*c == '\n')
			return NULL;
	return append(to, end, text);
}

static char *append_line(char *to, const char *end, const char *text)
{
	return append_plain(append(to, end, "\n"), end, text);
}

char *describe_try(const struct call *call, char *to, const char *end)
{
	static const char *const variables[] = {TRY_VARIABLES};
	char directory[PATH_SIZE];

	if (call->has_more || !make_absolute(directory, sizeof directory, "."))
		return NULL;
	to = append_line(append(to, end, "try"), end, is_terminal(0) && is_terminal(1) ? "tty" : "no-tty");
	for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
		const char *value = variable(call->env, variables[i]);

		to = append_line(to, end, variables[i]);
		if (value)
			to = append_plain(append(to, end, "="), end, value);
	}
	to = append_line(to, end, directory);
	for (char **word = call->argv + 1; *word; word++)
		to = append_line(to, end, *word);
	return to;
}

/* True when the process of an ID is gone, or is this one: it was killed, or its number has come again. */
static bool is_left(const char *id)
{
	uint64_t pid;

	if (!has_prefix(id, TRY_PREFIX))
		return false;
	id += sizeof TRY_PREFIX - 1;
	return parse_decimal(&id, &pid) && (!*id || *id == '-') && (pid == (uint64_t)sys(getpid) || probe(kill, pid, 0) == -ESRCH);
}

bool name_try(char *id, const char *root)
{
	struct listing containers = {.directory = sys(openat, AT_FDCWD, root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
	const struct directory_entry *entry;
	bool has_left = false;

	if (containers.directory < 0)
		return false;
	while (!has_left && (entry = next_entry(&containers)))
		has_left = is_left(entry->name);
	memcpy(id, TRY_PREFIX, sizeof TRY_PREFIX);
	decimal(id + sizeof TRY_PREFIX - 1, (uint64_t)sys(getpid));
	return sys(close, containers.directory) >= 0 && !has_left;
}
