/*
 * A program beside the container, as one that is its way to a network, and its keeper: the first process of a PID namespace of
 * its own. The kernel ends the program with its keeper, and the keeper ends with the container's first process.
 */
#pragma once

#include <stdint.h>

struct vm;

/* The descriptors of the keeper: they have these numbers there, and no others are open for long. */
enum kept_fd { OUTPUT = 3, READY, TOLD, PIDFD, KEPT_FDS };

struct keeper {
	int fd[KEPT_FDS]; /* from OUTPUT on; -1: none */
	int output, ready; /* the ends that the program writes to */
	int network, user; /* namespaces; user -1: it stays in the runner's */
	const char *at; /* where the program finds the network namespace */
	char **argv;
	int ready_fd; /* of the program */
	uint64_t start_time; /* of the container's first process */
};

/* Runs the keeper, in the first process of its PID namespace. A byte in TOLD says that the program is ready. */
_Noreturn void run_keeper(struct vm *vm, struct keeper *k);

/* Ends a process that was to become a keeper; the runner reports the error. */
_Noreturn void fail_as_keeper(struct vm *vm, long error);
