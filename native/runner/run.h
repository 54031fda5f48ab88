/* Runs a program. */
#pragma once

#include "runner/program.h"

struct vm;
struct report;

/* Loads a program and readies the machine for it: memory, signals, umask. */
int prepare(struct vm *vm, void *image, size_t size);

/* Runs a program that is ready: its exit code. */
int run(struct vm *vm);

/* Runs the steps of a child's phase in the process that clone made; does not return. */
_Noreturn void run_child(struct vm *vm, enum phase phase);

/*
 * Closes what a process must not hold that outlives the runner: whoever reads the reports waits for their end, and the
 * directory that the front was called in is nobody else's.
 */
int close_of_host(struct vm *vm);

int send_report(struct vm *vm, struct report *report);
