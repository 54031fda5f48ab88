/* The relay of a foreground container. */
#pragma once

#include "runner/program.h"

struct vm;
struct pollfd;

/*
 * From now on, what is read of the caller's descriptor 0 goes to a pipe of the container, which does not block; `back`: its
 * other end, where that is to be taken back that the container does not read, or -1.
 */
void relay_input(struct vm *vm, const struct step *s, int to, int back);

/* The same from a pipe of the container to the caller's descriptor 1 or 2. */
void relay_output(struct vm *vm, const struct step *s, int from, int to, bool is_file);

/* The same for both directions of a terminal, which does not block. */
void relay_terminal(struct vm *vm, const struct step *s, int terminal);

/* ppoll(2), in which the relay goes on; -ETIMEDOUT when time is up. At most three descriptors. */
long wait_for(struct vm *vm, struct pollfd *fds, size_t count, int timeout_ms);

/* True when more data may come from this descriptor. */
bool relays_from(const struct vm *vm, int fd);

/* Has the relay read a terminal again that it may not have read in the background. */
void wake_relay(struct vm *vm);

/* Waits until all that the container wrote is where it belongs and nobody can write more, or a signal asks to stop. */
int end_relay(struct vm *vm);

/* Closes the runner's side of the relay. */
int drop_relay(struct vm *vm);
