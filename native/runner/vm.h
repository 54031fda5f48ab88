/* The state that every op works with: the program, the slots, the registers, and the way to the other process. */
#pragma once

#include "runner/program.h"

/* Shared by the runner and its child until execve: it outlives whichever of them dies first. */
struct shared {
	int32_t pid; /* of the container's first process, in the runner's PID namespace */
	int32_t listener; /* what seccomp(2) gave the container's process */
	int32_t keeper; /* pid of the last one, see keeper.h */
	int32_t keeper_error; /* that kept it from its work */
	int32_t keeper_call;
	uint64_t ignored; /* signals, a bit each: what the runner has found out for the container's process */
	int32_t knows_ignored;
	int32_t has_failed;
	uint32_t step;
	int32_t error;
	int32_t syscall;
	int32_t status; /* of the helper that failed, as wait4(2) says it */
	char detail[DETAIL_SIZE]; /* what it wrote */
};

/* One of the caller's descriptors 0 to 2 that failed while it was relayed, so that output of the container is lost. */
struct loss {
	uint32_t step;
	int32_t error;
	int32_t syscall;
	int32_t standard;
};

struct vm {
	struct program program;
	struct shared *shared;
	char *scratch[2]; /* where text operands are filled in; each as long as the longest */
	const char *id;
	char **env; /* of the runner */
	char **argv; /* the command of exec, for a program that any command runs; NULL: none */
	const char *pid_file, *console_socket; /* of the call, for a kept program; NULL: not given */
	char start_time[24];
	char created[40];
	char command[4096]; /* what find_command found */
	char home[4096];
	int slot[MAX_SLOTS];
	int sync; /* the socket to the other process; -1 before clone */
	int stage; /* pid of the stage process; 0: none */
	int signals; /* signalfd: every signal is blocked and read here */
	long umask; /* of the caller: here it is 0 */
	int report; /* -1: none, see `last` */
	uint32_t order; /* that its reports answer, where a fork server has started it */
	int caller; /* the directory that the front was called in; 0: not known */
	enum phase phase;
	bool in_directory; /* an earlier chdir succeeded */
	bool has_made_cgroup; /* the last cgroup_make: it was not there before */
	bool has_masked; /* the mount that masks directories is attached somewhere */
	bool has_reaped; /* kill_child has seen its end */
	bool has_exited; /* supervise saw the end of the container */
	bool ends_with_caller; /* see end_with_caller */
	bool is_given_up; /* END_SIGNAL has come: nobody waits for what others still write */
	bool kills_unheard; /* a signal that the container's first process has no handler for kills it */
	int unheard; /* that signal */
	bool keeps; /* what the program made stays when the container has exited */
	struct relay *relay; /* of a foreground container; NULL: nothing to relay */
	struct loss loss; /* the first, once it has ended */
	int given[3]; /* what is to be the container's descriptors 0 to 2, in place of the runner's; -1: nothing */
	int output[2]; /* stdout and stderr of hooks; -1: what they write is for the report */
	int nulls; /* those of 0 to 2 that are a null device, a bit each; -1: not known */
	struct report last; /* where nobody reads the reports: how it ended */
	struct report leftover; /* and of the steps of the undo list that failed, the last */
	int status; /* then: how it ended, as wait4(2) says it */
};

typedef int op_function(struct vm *vm, const struct step *s);

#define FUNCTION(name, number, kinds) op_function op_##name;
OPS(FUNCTION, NOTHING)
#undef FUNCTION

/* An op that is one system call. */
op_function call;

/* Operands. A slot that was never filled, or none, is AT_FDCWD: an absolute path, or an error from the kernel. */
static inline int slot(const struct vm *vm, const struct step *s, int i)
{
	return s->arg[i] < MAX_SLOTS ? vm->slot[s->arg[i]] : AT_FDCWD;
}

static inline bool has_slot(const struct step *s, int i)
{
	return s->arg[i] != UINT64_MAX;
}

/* NULL where the operand is none. */
static inline const char *string(const struct vm *vm, const struct step *s, int i)
{
	return s->arg[i] ? vm->program.strings + s->arg[i] : NULL;
}

static inline char **list(const struct vm *vm, const struct step *s, int i)
{
	return (char **)(void *)(vm->program.lists + s->arg[i]);
}

/* The text operand i with its registers filled in, in scratch buffer `buffer`; its length in *length if that is given. */
const char *text(struct vm *vm, const struct step *s, int i, int buffer, size_t *length);

/* Puts a descriptor (or passes an error on) into the slot that operand i names. */
int fill_slot(struct vm *vm, const struct step *s, int i, long fd);

/* True when the step tolerates this error (a negative errno). */
bool is_tolerated(const struct step *s, long error);

/* The flags of openat(2) from those of a program, in which they are x86-64's: two are other bits elsewhere. */
static inline uint64_t open_flags(uint64_t flags)
{
	const uint64_t directory = 0200000, nofollow = 0400000;

	return (flags & ~(directory | nofollow)) | (flags & directory ? O_DIRECTORY : 0) | (flags & nofollow ? O_NOFOLLOW : 0);
}
