/* The command line of the runner. */
#pragma once

/* Executes a program that the TypeScript side compiled, or makes way for one that Node.js has started: the exit code. */
int start_runner(int argc, char **argv, char **envp);
