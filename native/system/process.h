/* Processes: how one is made, how it is found again, how it has ended; and time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct clone_args;

/* clone3(2), or clone(2) before Linux 5.3. A flag that only the new call knows is cleared when its work is not done. */
long start_process(struct clone_args *args);

/* "/proc/PID" and the rest, for which there must be room behind 26 bytes. */
void name_of_process(char *to, uint64_t pid, const char *rest);

/* A field of /proc/PID/stat behind the second, which is in parentheses and may hold anything: counted from its end. */
enum { STAT_STATE = 3, STAT_START_TIME = 22, STAT_EXIT_CODE = 52 };
const char *stat_field(const char *stat, int number);

/* The state letter of a process and its start, in clock ticks from boot, from its /proc/PID/stat. */
int read_process(uint64_t pid, char *state, uint64_t *start_time);

/* The same of a file in procfs. */
int read_stat(int at, const char *path, char *state, uint64_t *start_time);

/* The exit code that a shell derives from a status of wait4(2). */
int exit_code(int status);

/* The time of the monotonic clock. */
long milliseconds_now(void);

/* The milliseconds until the deadline, for a wait; a deadline of -1 is none. */
int left_ms(long deadline);

/* nanosleep(2) */
long sleep_ms(long ms);

/* Waits for the end of a child, if there is one (its pid is not 0) that nobody has waited for. */
int reap(int pid, int *status);

/*
 * Kills the process that a file names by its pid and its start, and waits for its end if that is asked for: 0 when there is no
 * such file or process. -EPROTO when the file says something else.
 */
long end_recorded(int at, const char *path, bool is_awaited);
