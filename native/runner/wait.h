/* The runner's waits. */
#pragma once

struct vm;

/*
 * Lets the kernel send END_SIGNAL when `parent`, which waits for the container, has ended: the container is killed then, or
 * what is done so far undone. -ESRCH when it has ended already.
 */
int end_with_caller(struct vm *vm, long parent);

/* One wait: 1 when one of the two can be read, 0 after a signal, a negative error as wait_readable's; -1: none. */
int wait_once(struct vm *vm, int fd, int other, int timeout_ms);

/*
 * Waits until fd can be read, at most timeout_ms (-1: for ever). -EINTR when a signal asks the runner to stop,
 * -ETIMEDOUT when time is up.
 */
int wait_readable(struct vm *vm, int fd, int timeout_ms);

/* As wait_readable, until one of the two can be read. */
int wait_either(struct vm *vm, int fd, int other, int timeout_ms);
