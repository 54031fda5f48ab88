/* Generated from src/program/contract.ts by `npm run generate`. Do not edit. */
#pragma once

/* An exit code: there is no program, and nothing was done. */
enum { NO_PROGRAM = 75 };

#define KEPT_MAGIC "BTKP"
#define STATE_FILE "state.json"

enum { MAX_PROGRAM = 268435456 };

/* The state root of a user without XDG_RUNTIME_DIR, and the number of the user behind it. */
#define TEMPORARY_ROOT_PREFIX "/tmp/bundle-tool-"

enum guard_kind { GUARD_KEY = 1, GUARD_PLACE = 2, GUARD_PRESENT = 3, GUARD_ABSENT = 4, GUARD_EXECUTABLE = 5, GUARD_NOT_EXECUTABLE = 6, GUARD_CONTENT = 7, GUARD_MOUNTS = 8, GUARD_CALLER = 9, GUARD_KERNEL = 10 };

/* How a kept program depends on an option. */
enum dependence { NEVER, BY_NAME, BY_VALUE, APART, NONE };

/* OPTION(name, with two dashes, with one or NULL, whether it has a value, dependence): those of run, create and exec. */
#define CALL_OPTIONS(OPTION) \
	OPTION(BUNDLE, "--bundle", "-b", true, APART) \
	OPTION(CONSOLE_SOCKET, "--console-socket", NULL, true, BY_NAME) \
	OPTION(PIDFD_SOCKET, "--pidfd-socket", NULL, true, NEVER) \
	OPTION(NO_CACHE, "--no-cache", NULL, false, NEVER) \
	OPTION(PID_FILE, "--pid-file", NULL, true, BY_NAME) \
	OPTION(NO_PIVOT, "--no-pivot", NULL, false, BY_NAME) \
	OPTION(NO_NEW_KEYRING, "--no-new-keyring", NULL, false, BY_NAME) \
	OPTION(PRESERVE_FDS, "--preserve-fds", NULL, true, BY_VALUE) \
	OPTION(CWD, "--cwd", NULL, true, BY_VALUE) \
	OPTION(ENV, "--env", "-e", true, BY_VALUE) \
	OPTION(TTY, "--tty", "-t", false, BY_NAME) \
	OPTION(INTERACTIVE, "--interactive", "-i", false, NONE) \
	OPTION(USER, "--user", "-u", true, BY_VALUE) \
	OPTION(ADDITIONAL_GIDS, "--additional-gids", "-g", true, BY_VALUE) \
	OPTION(PROCESS, "--process", "-p", true, APART) \
	OPTION(DETACH, "--detach", "-d", false, BY_NAME) \
	OPTION(KEEP, "--keep", NULL, false, BY_NAME) \
	OPTION(PROCESS_LABEL, "--process-label", NULL, true, BY_VALUE) \
	OPTION(APPARMOR, "--apparmor", NULL, true, BY_VALUE) \
	OPTION(NO_NEW_PRIVS, "--no-new-privs", NULL, false, BY_NAME) \
	OPTION(CAP, "--cap", "-c", true, BY_VALUE) \
	OPTION(CGROUP, "--cgroup", NULL, true, NEVER) \
	OPTION(IGNORE_PAUSED, "--ignore-paused", NULL, false, NEVER) \
	OPTION(NO_SUBREAPER, "--no-subreaper", NULL, false, BY_NAME)
