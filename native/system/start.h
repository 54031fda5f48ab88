/* How a binary begins. */
#pragma once

/* The rest of main(): the exit code. Each binary has its own. */
int start(int argc, char **argv, char **envp);

/* A line of its own on standard error. */
void complain(const char *what);
