/* The descriptors that a container is given in place of the caller's. */
#pragma once

struct vm;

/* dup3(2) of what the container is given over its descriptors 0 to 2. */
int take_given(struct vm *vm);

/* Closes what the container is given, once it has it. */
int close_given(struct vm *vm);
