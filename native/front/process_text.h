/* A process in JSON, as engines write it. */
#pragma once

#include <stdbool.h>

/* Words of a command, and the NULL behind them. */
enum { MAX_WORDS = 4096 };

/*
 * Takes the command out of a process, "args":[...] in JSON as engines write it; src/runtime/process-text.ts does the same.
 * `text` gets the text of the words, which is no longer than the process.
 */
bool take_command(char *process, char **words, char *text);
