/* The words of run, create and exec, as far as the front understands them: two dashes, or one and a letter. */
#include "front.h"

static const struct {
	const char *name;
	const char *letter;
	bool has_value;
} options[OPTION_COUNT] = {
	[OPTION_BUNDLE] = {"--bundle", "-b", true},
	[OPTION_DETACH] = {"--detach", "-d", false},
	[OPTION_NO_PIVOT] = {"--no-pivot", NULL, false},
	[OPTION_NO_NEW_KEYRING] = {"--no-new-keyring", NULL, false},
	[OPTION_NO_SUBREAPER] = {"--no-subreaper", NULL, false},
	[OPTION_NO_CACHE] = {"--no-cache", NULL, false},
	[OPTION_KEEP] = {"--keep", NULL, false},
	[OPTION_PID_FILE] = {"--pid-file", NULL, true},
	[OPTION_CONSOLE_SOCKET] = {"--console-socket", NULL, true},
	[OPTION_PIDFD_SOCKET] = {"--pidfd-socket", NULL, true},
	[OPTION_PRESERVE_FDS] = {"--preserve-fds", NULL, true},
	[OPTION_PROCESS] = {"--process", "-p", true},
	[OPTION_CWD] = {"--cwd", NULL, true},
	[OPTION_ENV] = {"--env", "-e", true},
	[OPTION_TTY] = {"--tty", "-t", false},
	[OPTION_USER] = {"--user", "-u", true},
	[OPTION_ADDITIONAL_GIDS] = {"--additional-gids", "-g", true},
	[OPTION_PROCESS_LABEL] = {"--process-label", NULL, true},
	[OPTION_APPARMOR] = {"--apparmor", NULL, true},
	[OPTION_NO_NEW_PRIVS] = {"--no-new-privs", NULL, false},
	[OPTION_CAP] = {"--cap", "-c", true},
	[OPTION_CGROUP] = {"--cgroup", NULL, true},
	[OPTION_IGNORE_PAUSED] = {"--ignore-paused", NULL, false},
};

static bool take_option(char **argv, int *i, struct request *q)
{
	for (int k = 0; k < OPTION_COUNT; k++) {
		const char *name = options[k].name, *letter = options[k].letter ? options[k].letter : name, *value = argv[*i];

		if (options[k].has_value ? !(value = option(argv, i, name)) && !(value = option(argv, i, letter))
					 : !streq(value, name) && !streq(value, letter))
			continue;
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
