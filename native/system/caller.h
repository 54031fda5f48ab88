/* Things that the caller leaves to this process and no container may have. */
#pragma once

#include <stdint.h>

/*
 * SIG_DFL for every signal, before a program is executed, which would go on ignoring what the caller has ignored; handlers are
 * taken away by execve(2) itself. To find out takes 64 calls: the runner does it while it waits for the container's process.
 */
int default_signals(void);
int find_ignored(uint64_t *ignored);
int stop_ignoring(uint64_t ignored);

/* execve(2) with signals as a new program expects them: the error. */
long execute_file(const char *path, char **argv, char **env);

/* Makes up for what the caller has left out: SIGCHLD ignored, descriptors 0 to 2 closed. */
int settle(void);
