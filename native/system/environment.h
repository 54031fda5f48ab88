/* The caller's variables and limits. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The value of a variable; NULL when there is none. */
const char *variable(char **env, const char *name);

/* Takes a variable out of the environment; its value. */
const char *take_variable(char **env, const char *name);

/* A copy of `env` with more variables, both ending in NULL; NULL when there is no memory. */
char **with_variables(char **env, char *const *more);

/*
 * Renames the variables of an environment that are for other processes than Node.js (src/cli/process.ts gives them their names
 * back); `has_network`: not those for TLS. False when there is no memory.
 */
bool hide_variables(char **env, bool has_network);

/*
 * Lets this process have so many descriptors. Returns a variable, for the runner, with the limit that the caller has set:
 * Node.js raises its own. NULL when the limit cannot be raised.
 */
char *allow_descriptors(char **env, uint64_t count);

/* The limit of that variable, for the runner and its container; takes the variable out. */
long restore_limit(char **env);
