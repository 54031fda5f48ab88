/* The words of run, create and exec, as far as the front understands them: two dashes, or one and a letter. */
#include "front.h"

/* Of an option, what a kept program depends on: APART: its value is found in another way. */
enum kept { NEVER, BY_NAME, BY_VALUE, APART };

static const struct {
	const char *name;
	const char *letter;
	bool has_value;
	enum kept kept;
} options[OPTION_COUNT] = {
	[OPTION_BUNDLE] = {"--bundle", "-b", true, APART},
	[OPTION_DETACH] = {"--detach", "-d", false, BY_NAME},
	[OPTION_NO_PIVOT] = {"--no-pivot", NULL, false, BY_NAME},
	[OPTION_NO_NEW_KEYRING] = {"--no-new-keyring", NULL, false, BY_NAME},
	[OPTION_NO_SUBREAPER] = {"--no-subreaper", NULL, false, BY_NAME},
	[OPTION_NO_CACHE] = {"--no-cache", NULL, false, NEVER},
	[OPTION_KEEP] = {"--keep", NULL, false, BY_NAME},
	[OPTION_PID_FILE] = {"--pid-file", NULL, true, BY_NAME},
	[OPTION_CONSOLE_SOCKET] = {"--console-socket", NULL, true, BY_NAME},
	[OPTION_PIDFD_SOCKET] = {"--pidfd-socket", NULL, true, NEVER},
	[OPTION_PRESERVE_FDS] = {"--preserve-fds", NULL, true, BY_VALUE},
	[OPTION_PROCESS] = {"--process", "-p", true, APART},
	[OPTION_CWD] = {"--cwd", NULL, true, BY_VALUE},
	[OPTION_ENV] = {"--env", "-e", true, BY_VALUE},
	[OPTION_TTY] = {"--tty", "-t", false, BY_NAME},
	[OPTION_USER] = {"--user", "-u", true, BY_VALUE},
	[OPTION_ADDITIONAL_GIDS] = {"--additional-gids", "-g", true, BY_VALUE},
	[OPTION_PROCESS_LABEL] = {"--process-label", NULL, true, BY_VALUE},
	[OPTION_APPARMOR] = {"--apparmor", NULL, true, BY_VALUE},
	[OPTION_NO_NEW_PRIVS] = {"--no-new-privs", NULL, false, BY_NAME},
	[OPTION_CAP] = {"--cap", "-c", true, BY_VALUE},
	[OPTION_CGROUP] = {"--cgroup", NULL, true, NEVER},
	[OPTION_IGNORE_PAUSED] = {"--ignore-paused", NULL, false, NEVER},
};

static bool take_option(char **argv, int *i, struct request *q)
{
	for (int k = 0; k < OPTION_COUNT; k++) {
		const char *name = options[k].name, *letter = options[k].letter ? options[k].letter : name, *value = argv[*i];

		if (options[k].has_value ? !(value = option(argv, i, name)) && !(value = option(argv, i, letter))
					 : !streq(value, name) && !streq(value, letter))
			continue;
		q->is_repeated |= q->given[k] != NULL;
		q->given[k] = value;
		return true;
	}
	return false;
}

bool parse_request(const struct call *call, struct request *q)
{
	char **argv = call->argv;
	int i = call->command + 1;
	bool is_exec = streq(argv[call->command], "exec");

	*q = (struct request){.command = argv[call->command]};
	for (; argv[i] && argv[i][0] == '-'; i++)
		if (!take_option(argv, &i, q))
			return false;
	if (!is_exec && argv[i] && argv[i + 1] && !q->given[OPTION_BUNDLE])
		q->given[OPTION_BUNDLE] = argv[i++];
	q->id = argv[i];
	q->words = argv + i + 1;
	return q->id && is_plain_id(q->id) && (is_exec || !*q->words);
}

char *append(char *to, const char *end, const char *text)
{
	size_t length = strlen(text);

	if (!to || length >= (size_t)(end - to))
		return NULL;
	memcpy(to, text, length + 1);
	return to + length;
}

static bool is_line(const char *text)
{
	while (*text && *text != '\n')
		text++;
	return !*text;
}

char *describe_request(const struct request *q, char *to, const char *end)
{
	to = q->is_repeated ? NULL : append(to, end, q->command);
	for (int k = 0; k < OPTION_COUNT; k++) {
		if (!q->given[k] || options[k].kept == APART)
			continue;
		if (options[k].kept == NEVER || !is_line(q->given[k]))
			return NULL;
		to = append(append(to, end, "\n"), end, options[k].name);
		if (options[k].kept == BY_VALUE)
			to = append(append(to, end, "="), end, q->given[k]);
	}
	return to;
}
