/* What every op has in hand: the program, the slots, the registers, and the way to the other process. */
#ifndef VM_H
#define VM_H

#include "runner/program.h"

enum { DETAIL_SIZE = 1024 };

/* Shared by the runner and its child until execve: it outlives whichever of them dies first. */
struct shared {
	int32_t pid; /* of the container's first process, in the runner's PID namespace */
	int32_t listener; /* what seccomp(2) gave the container's process */
	uint64_t ignored; /* signals, a bit each: what the runner has found out for the container's process */
	int32_t knows_ignored;
	int32_t has_failed;
	uint32_t step;
	int32_t error;
	int32_t syscall;
	int32_t status; /* of the helper that failed, as wait4(2) says it */
	char detail[DETAIL_SIZE]; /* what it wrote */
};

enum report_kind {
	REPORT_READY = 1,
	REPORT_FAILED,
	REPORT_UNDO_FAILED,
	REPORT_EXITED,
	REPORT_REFUSED,
	REPORT_BEGUN,
	REPORT_PIPE, /* of the fork server: its ends are in `pid` and `status` */
	REPORT_ENDED, /* of the fork server: the exit code of a run */
};

/* What the runner says, on the report descriptor: numbers only. The one who compiled the program has the words. */
struct report {
	uint32_t kind;
	uint32_t step;
	int32_t error;
	int32_t syscall;
	int32_t pid;
	int32_t status;
	int32_t end; /* 1 and how the new process ended, as wait4(2) says it, if that was before it was killed; else 0 */
	uint32_t order; /* of the fork server; 0: of nobody */
	char detail[DETAIL_SIZE]; /* NUL-terminated; what a failed helper wrote */
};

/* Of the caller's descriptors 0 to 2, one that failed while it was relayed: what the container wrote there is lost. */
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
	uint32_t order; /* that its reports answer: see fork_server.c */
	int caller; /* the directory that the front was called in; 0: not known */
	enum phase phase;
	bool in_directory; /* an earlier chdir succeeded */
	bool has_made_cgroup; /* the last cgroup_make: it was not there before */
	bool has_masked; /* the mount that masks directories is attached somewhere */
	bool has_reaped; /* kill_child has seen its end */
	bool has_exited; /* supervise saw the end of the container */
	bool ends_with_caller; /* see end_with_caller */
	bool is_given_up; /* END_SIGNAL has come: nobody waits for what others still write */
	bool keeps; /* what the program made stays when the container has exited */
	struct relay *relay; /* of a foreground container; NULL: nothing to relay */
	struct loss loss; /* the first, once it has ended */
	int given[3]; /* what is to be the container's descriptors 0 to 2, in place of the runner's; -1: nothing */
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

/* Whether the step tolerates this error (a negative errno). */
bool is_tolerated(const struct step *s, long error);

/* clone3(2), or clone(2) before Linux 5.3. A flag that only the new call knows is cleared when its work is not done. */
struct clone_args;
long start_process(struct clone_args *args);

/*
 * Lets the kernel send END_SIGNAL when `parent`, which waits for the container, has ended: the container is killed then, or
 * what is done so far undone. -ESRCH when it has ended already.
 */
enum { END_SIGNAL = 30 }; /* SIGPWR: nobody who waits for a container passes that on */
int end_with_caller(struct vm *vm, long parent);

/* Of the monotonic clock. */
long milliseconds_now(void);

/* What is left until then, for a wait; a deadline of -1 is none. */
int left_ms(long deadline);

/* One wait: 1 when one of the two can be read, 0 after a signal, a negative error as wait_readable's; -1: none. */
int wait_once(struct vm *vm, int fd, int other, int timeout_ms);

/*
 * Waits until fd can be read, at most timeout_ms (-1: for ever). -EINTR when a signal asks the runner to stop,
 * -ETIMEDOUT when time is up.
 */
int wait_readable(struct vm *vm, int fd, int timeout_ms);

/* As wait_readable, until one of the two can be read. */
int wait_either(struct vm *vm, int fd, int other, int timeout_ms);

/* A new unix(7) socket, bound or connected to a path; "@" begins an abstract name. */
long unix_socket(const char *path, int type, bool is_bound);

/* recvmsg(2), with a descriptor into *fd when there is one. */
long receive_message(struct vm *vm, int socket, void *to, size_t size, int *fd);

/* sendmsg(2) of a descriptor with a name. */
int send_descriptor(int socket, int fd, const char *name, size_t length);

/*
 * Closes what a process must not hold that outlives the runner: whoever reads the reports waits for their end, and the
 * directory that the front was called in is nobody else's.
 */
int close_of_host(struct vm *vm);

/* Runs the steps of a child's phase in the process that clone made; does not return. */
_Noreturn void run_child(struct vm *vm, enum phase phase);

int send_report(struct vm *vm, struct report *report);

/* Loads a program and readies the machine for it: memory, signals, umask. */
int prepare(struct vm *vm, void *image, size_t size);

/* Runs a program that is ready: its exit code. */
int run(struct vm *vm);

/* What a shell makes of the status that wait4(2) gives. */
int exit_code(int status);

/* mmap(2), zeroed; `sharing` is MAP_PRIVATE or MAP_SHARED. NULL when there is none. */
void *new_memory(size_t size, unsigned long sharing);

/* For access(2). */
enum { X_OK = 1 };

/* A copy of `env` with more variables, both ending in NULL; NULL when there is no memory. */
char **with_variables(char **env, char *const *more);

/*
 * Renames the variables of an environment that are for other processes than Node.js (src/cli/process.ts gives them their names
 * back); `has_network`: not those for TLS. False when there is no memory.
 */
bool hide_variables(char **env, bool has_network);

/* Finds an executable as execvp(3) does, in the directories of `path`: -ENOENT, -EACCES ... */
int search_path(const char *name, const char *path, char *to, size_t size);

/* Reads all of a descriptor into new memory. */
int read_program(int fd, void **image, size_t *size);

/* -EACCES when others than the caller and root could have written it. */
struct stat;
int check_owner(const struct stat *st);

/* Opens a file that somebody else may have put there, for reading: it never waits, and is a regular file. */
long open_regular(int at, const char *path, uint64_t flags, struct stat *st);

/* The same for one that nobody but the caller and root can have written, and that is no link. */
long open_own(int at, const char *path);

/*
 * Parts this process from the file of this binary: 0 when that is done, or it goes on in a copy, with these variables; `argv`
 * is the one that it was started with.
 */
int seal(char **argv, char **envp);

/* The tool under its own name: its exit code. */
int front(struct vm *vm, char **argv, char **env);

/* Copies pieces one after the other; false when they do not fit. The last one is NULL. */
bool join(char *to, size_t size, const char *const *pieces);
#define JOIN(to, ...) join(to, sizeof(to), (const char *const[]){__VA_ARGS__, NULL})

/* The flags of openat(2) from those of a program, in which they are x86-64's: two are other bits elsewhere. */
static inline uint64_t open_flags(uint64_t flags)
{
	const uint64_t directory = 0200000, nofollow = 0400000;

	return (flags & ~(directory | nofollow)) | (flags & directory ? O_DIRECTORY : 0) | (flags & nofollow ? O_NOFOLLOW : 0);
}

/* Opens beneath `at` through no symbolic link; flags as openat(2). */
long open_beneath(int at, const char *path, uint64_t flags);

/* Opens a path of the rootfs as if `root` were "/"; through no magic link. */
long open_in_root(int root, const char *path, uint64_t flags);

/* The same with O_PATH, and makes what is missing of the path, as the kind says. */
long resolve(int root, const char *path, enum resolve_kind kind, uint64_t mode);

/* read(2) until the end or the buffer is full, NUL-terminated; the number of bytes. */
long read_file(int at, const char *path, char *to, size_t size);

/* The same of a descriptor, which is closed. */
long read_opened(long fd, char *to, size_t size);

/* One write(2) of the whole content; flags beside O_WRONLY. */
long write_file(int at, const char *path, uint64_t flags, uint64_t mode, const char *content, size_t length);

/* Whether it is /dev/null, by whatever name. */
struct stat;
bool is_null_device(const struct stat *st);

/* struct statfs as 64-bit kernels write it (asm-generic/statfs.h). */
struct filesystem {
	long type;
	long sizes[9];
	long flags;
	long spare[4];
};

struct directory_entry {
	uint64_t inode;
	int64_t offset;
	uint16_t length;
	uint8_t type;
	char name[];
};

/* A directory being read: all but `directory` begins as 0. */
struct listing {
	long directory;
	long at, size; /* size: an error at the end, if there was one */
	_Alignas(struct directory_entry) char buffer[2048];
};

/* The next entry, without "." and ".."; NULL at the end. */
const struct directory_entry *next_entry(struct listing *listing);

/* "/proc/self/fd/N" of the host's /proc: mount(2) takes only names, and this one leads to the descriptor. */
void name_of_fd(char *to, int fd);

/* Whether mounts are made ready by mount(2), for want of a call of Linux 5.2 or of mount_setattr(2). */
bool is_old_kernel(void);

/* mount_setattr(2) of a mount by its descriptor; flags: AT_RECURSIVE. */
struct mount_attr;
long set_attributes(int mount, uint64_t flags, const struct mount_attr *attributes);

/* open_tree(2): a copy of a mount that is attached nowhere yet; no path: of what `at` stands for. */
long copy_mount(int at, const char *path, uint64_t flags);

/* fsopen(2) and so on: a new mount that is attached nowhere yet; options: names and values in turn. */
long make_mount(const char *type, char **options, uint64_t attributes);

/* move_mount(2) of such a mount, on `target` itself, or on what has this name there, which is no link. */
long attach_mount(int mount, int target, const char *name);

/* The root is a mount that is shared with the host, which would have what these leave on "/" for a while. */
void note_shared_root(void);

/* Takes off "/" what these have left there, unless a mount still waits to be attached; the last time, that too. */
long leave_stage(bool is_last);

/* The state letter of a process and its start, in clock ticks from boot, from its /proc/PID/stat. */
int read_process(uint64_t pid, char *state, uint64_t *start_time);

/* nanosleep(2) */
long sleep_ms(long ms);

/* Removes a cgroup and those below it; waits for the kernel to let go of what has just ended. One that is gone is no error. */
long remove_cgroup(const char *path);

/* Unlinks the files in a directory, state.json last: as long as anything is left, it says what that is. */
long unlink_entries(long directory);

bool is_terminal(int fd);

/* Waits for the end of the container, passing signals on; relays a terminal unless it is -1. */
int supervise(struct vm *vm, const struct step *s, int terminal);

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
struct pollfd;
long wait_for(struct vm *vm, struct pollfd *fds, size_t count, int timeout_ms);

/* Whether more may come from there. */
bool relays_from(const struct vm *vm, int fd);

/* Has the relay read a terminal again that it may not have read in the background. */
void wake_relay(struct vm *vm);

/* Waits until all that the container wrote is where it belongs and nobody can write more, or a signal asks to stop. */
int end_relay(struct vm *vm);

/* Closes the runner's side of the relay. */
int drop_relay(struct vm *vm);

/* dup3(2) of what the container is given over its descriptors 0 to 2. */
int take_given(struct vm *vm);

/* Closes what the container is given, once it has it. */
int close_given(struct vm *vm);

/*
 * SIG_DFL for every signal, before a program is executed, which would go on ignoring what the caller has ignored; handlers are
 * taken away by execve(2) itself. To find out takes 64 calls: the runner does it while it waits for the container's process.
 */
int default_signals(void);
int find_ignored(uint64_t *ignored);
int stop_ignoring(uint64_t ignored);

/* Makes up for what the caller has left out: SIGCHLD ignored, descriptors 0 to 2 closed. */
int settle(void);

/* write(2) of everything; -EIO when the kernel takes only a part. */
int write_all(int fd, const char *from, size_t length);

#endif
