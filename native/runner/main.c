/*
 * The runner: executes a program that the TypeScript side compiled.
 *
 *   bundle-tool-runner PROGRAM-FD REPORT-FD ID [PARENT]
 *
 * With the ID of its parent process it ends with that, and so does what it runs.
 *
 * Under any other name the binary is the front of the tool: front.c. (As "bundle-tool:execute" it makes way for a program that
 * Node.js has started: caller.c.)
 *
 * Knows system calls and nothing about containers: which step comes when, which error may pass and what is to be
 * undone is all in the program.
 */
#include "front/front.h"

#include <asm/signal.h>
#include <asm/stat.h>
#include <linux/mman.h>
#include <linux/poll.h>
#include <linux/prctl.h>
#include <linux/signalfd.h>
#include <linux/time.h>
#include <linux/wait.h>

static op_function *const functions[] = {
#define FUNCTION(name, number, kinds) [number] = op_##name,
	OPS(FUNCTION, NOTHING)
#undef FUNCTION
};

static const int tolerable_errors[] = {TOLERABLE_ERRORS};

bool is_tolerated(const struct step *s, long error)
{
	for (size_t i = 0; i < sizeof tolerable_errors / sizeof *tolerable_errors; i++)
		if (s->tolerate >> i & 1 && error == -tolerable_errors[i])
			return true;
	return false;
}

enum { TICKS_PER_SECOND = 100, NANOSECONDS_PER_TICK = 10000000 };

/* Since the boot, as /proc/PID/stat counts: USER_HZ. */
static uint64_t ticks_now(void)
{
	struct __kernel_timespec now = {0};

	if (sys(clock_gettime, CLOCK_BOOTTIME, &now) < 0)
		return 0;
	return (uint64_t)now.tv_sec * TICKS_PER_SECOND + (uint64_t)now.tv_nsec / NANOSECONDS_PER_TICK;
}

static const char *register_value(struct vm *vm, int number, char *buffer)
{
	switch ((enum register_number)number) {
	case REGISTER_ID:
		return vm->id;
	case REGISTER_PID:
		decimal(buffer, (uint64_t)vm->shared->pid);
		return buffer;
	case REGISTER_START_TIME:
		return vm->start_time;
	case REGISTER_CREATED:
		return vm->created;
	case REGISTER_OWN_PID:
		decimal(buffer, (uint64_t)sys(getpid));
		return buffer;
	case REGISTER_PID_FILE:
		return vm->pid_file ? vm->pid_file : "";
	case REGISTER_CONSOLE_SOCKET:
		return vm->console_socket ? vm->console_socket : "";
	case REGISTER_BOOT_TICKS:
		decimal(buffer, ticks_now());
		return buffer;
	}
	return "";
}

const char *text(struct vm *vm, const struct step *s, int i, int buffer, size_t *length)
{
	char *to = vm->scratch[buffer];
	char number[24];

	for (const char *from = vm->program.strings + s->arg[i]; *from; from++) {
		if (*from != TEXT_ESCAPE || *++from == TEXT_ESCAPE) {
			*to++ = *from;
			continue;
		}
		for (const char *v = register_value(vm, *from - TEXT_REGISTER, number); *v; v++)
			*to++ = *v;
	}
	*to = '\0';
	if (length)
		*length = (size_t)(to - vm->scratch[buffer]);
	return vm->scratch[buffer];
}

int fill_slot(struct vm *vm, const struct step *s, int i, long fd)
{
	int *place = &vm->slot[s->arg[i]];
	long r;

	if (fd < 0)
		return (int)fd;
	if (*place >= 0 && (r = sys(close, *place)) < 0)
		return (int)r;
	*place = (int)fd;
	return 0;
}

int send_report(struct vm *vm, struct report *report)
{
	report->order = vm->order;
	if (vm->report < 0) { /* nobody reads: the front has these for Node.js */
		*(report->kind == REPORT_UNDO_FAILED ? &vm->leftover : &vm->last) = *report;
		return 0;
	}
	return write_all(vm->report, (const char *)report, sizeof *report);
}

int end_with_caller(struct vm *vm, long parent)
{
	long r = sys(prctl, PR_SET_PDEATHSIG, END_SIGNAL);

	vm->ends_with_caller = true;
	if (r < 0)
		return (int)r;
	return sys(getppid) == parent ? 0 : -ESRCH;
}

static bool asks_to_stop(const struct vm *vm, uint32_t signal)
{
	if (signal == END_SIGNAL)
		return vm->ends_with_caller;
	return signal == SIGTERM || signal == SIGINT || signal == SIGHUP || signal == SIGQUIT;
}

long milliseconds_now(void)
{
	struct __kernel_timespec now = {0};
	long r = sys(clock_gettime, CLOCK_MONOTONIC, &now);

	return r < 0 ? 0 : now.tv_sec * 1000 + (long)now.tv_nsec / 1000000;
}

int wait_once(struct vm *vm, int fd, int other, int timeout_ms)
{
	struct pollfd fds[3] = {{fd, POLLIN, 0}, {other, POLLIN, 0}, {vm->signals, POLLIN, 0}};
	struct signalfd_siginfo info;
	long r = wait_for(vm, fds, 3, timeout_ms);

	if (r < 0)
		return (int)r;
	if (fds[0].revents || fds[1].revents)
		return 1;
	if (!fds[2].revents) /* only the relay went on */
		return 0;
	r = sys(read, vm->signals, &info, sizeof info);
	return r >= 0 && asks_to_stop(vm, info.ssi_signo) ? -EINTR : r < 0 ? (int)r : 0;
}

int left_ms(long deadline)
{
	long left = deadline - milliseconds_now();

	return deadline < 0 ? -1 : left > 0 ? (int)left : 0;
}

int wait_readable(struct vm *vm, int fd, int timeout_ms)
{
	return wait_either(vm, fd, -1, timeout_ms);
}

int wait_either(struct vm *vm, int fd, int other, int timeout_ms)
{
	long deadline = timeout_ms < 0 ? -1 : milliseconds_now() + timeout_ms;
	int r = fd < 0 ? -EBADF : 0; /* ppoll(2) would wait for ever */

	while (r == 0)
		r = wait_once(vm, fd, other, left_ms(deadline));
	return r < 0 ? r : 0;
}

static int run_step(struct vm *vm, const struct step *s)
{
	int r;

	failed = (struct failed_call){.number = NO_CALL};
	r = (functions[s->op] ? functions[s->op] : call)(vm, s);
	return r < 0 && is_tolerated(s, r) ? 0 : r;
}

/* Runs a phase in order; the first error ends it, and *at is that step. */
static int run_phase(struct vm *vm, enum phase phase, uint32_t *at)
{
	vm->phase = phase;
	for (*at = vm->program.first[phase]; *at < vm->program.end[phase]; (*at)++) {
		int r = run_step(vm, &vm->program.steps[*at]);

		if (r < 0)
			return r;
	}
	return 0;
}

int close_of_host(struct vm *vm)
{
	int r = vm->report < 0 ? 0 : (int)sys(close, vm->report);

	if (r >= 0 && vm->caller > 0)
		r = (int)sys(close, vm->caller);
	if (r >= 0)
		r = drop_relay(vm);
	vm->report = -1; /* the stage has no more to close than this process */
	vm->caller = 0;
	return r;
}

_Noreturn void run_child(struct vm *vm, enum phase phase)
{
	struct shared *shared = vm->shared;
	uint32_t at = vm->program.first[phase];
	int r = close_of_host(vm);

	if (r >= 0)
		r = run_phase(vm, phase, &at);
	if (r < 0 && !shared->has_failed) {
		shared->step = at;
		shared->error = -r;
		shared->syscall = (int32_t)call_of(r);
		shared->has_failed = 1;
	}
	exit_with(r < 0 ? 255 : 0);
}

/* Takes back what the host steps before `done` left behind; the program has the last of them first. */
static int undo(struct vm *vm, uint32_t done)
{
	struct program *p = &vm->program;
	int first_error = 0;

	vm->phase = PHASE_UNDO;
	for (uint32_t i = p->first[PHASE_UNDO]; i < p->end[PHASE_UNDO]; i++) {
		int r;

		if (p->steps[i].undoes >= done)
			continue;
		r = run_step(vm, &p->steps[i]);
		if (r < 0 && !first_error) {
			struct report report = {.kind = REPORT_UNDO_FAILED, .step = i, .error = -r,
						.syscall = (int32_t)call_of(r),
						.status = vm->shared->status};

			first_error = r;
			if (send_report(vm, &report) < 0)
				return r;
		}
	}
	return first_error;
}

/* What failed, before undoing it runs more steps. */
static struct report failure_of(const struct vm *vm, uint32_t at, int error)
{
	const struct shared *shared = vm->shared;
	struct report report = {.kind = REPORT_FAILED, .step = at, .error = -error, .syscall = (int32_t)call_of(error),
				.pid = shared->pid, .status = shared->status};

	if (shared->has_failed) {
		report.step = shared->step;
		report.error = shared->error;
		report.syscall = shared->syscall;
	}
	memcpy(report.detail, shared->detail, sizeof report.detail);
	return report;
}

/* True when the new process has ended, or is about to: it has closed its end of the socket, as it does to execute its command. */
static bool is_deserted(const struct vm *vm)
{
	struct pollfd sync = {.fd = vm->sync};
	const struct __kernel_timespec now = {0};

	return vm->sync >= 0 && sys(ppoll, &sync, 1, &now, NULL, 0) == 1 && sync.revents & POLLHUP;
}

/* Takes all back, and adds to the report how the new process has ended, if that was before: whichever step has failed of it. */
static void take_back(struct vm *vm, uint32_t at, struct report *report)
{
	bool is_late = is_deserted(vm);

	undo(vm, at); /* what fails of it is reported */
	if (is_late && vm->has_reaped)
		report->end = 1 + vm->status;
	if (is_late && !report->detail[0]) /* perhaps an undo step has found out why */
		memcpy(report->detail, vm->shared->detail, sizeof report->detail);
}

int exit_code(int status)
{
	return status & 0x7f ? 128 + (status & 0x7f) : status >> 8 & 0xff;
}

int run(struct vm *vm)
{
	uint32_t at;
	int error = run_phase(vm, PHASE_HOST, &at), undo_error = 0, relay_error;

	if (!error && !vm->has_exited)
		return 0;
	if (!error && vm->shared->has_failed)
		error = -vm->shared->error;
	struct report report = failure_of(vm, at, error);
	if (error)
		take_back(vm, at, &report);
	else
		undo_error = vm->keeps ? 0 : undo(vm, at);
	relay_error = end_relay(vm);
	if (error)
		return send_report(vm, &report) < 0 ? 2 : 1;
	if (vm->loss.error) {
		report = (struct report){.kind = REPORT_FAILED, .step = vm->loss.step, .error = vm->loss.error,
					 .syscall = vm->loss.syscall, .pid = report.pid, .status = vm->loss.standard};
		return send_report(vm, &report) < 0 ? 2 : 1;
	}
	report = (struct report){.kind = REPORT_EXITED, .pid = vm->shared->pid, .status = exit_code(vm->status)};
	if (send_report(vm, &report) < 0 || undo_error || relay_error)
		return 1;
	return exit_code(vm->status);
}

void *new_memory(size_t size, unsigned long sharing)
{
	long r = sys(mmap, 0, size, PROT_READ | PROT_WRITE, sharing | MAP_ANONYMOUS, -1, 0);

	return r < 0 && r > -4096 ? NULL : (void *)r;
}

/* Reads all of a pipe or file into memory that grows by doubling. */
int read_program(int fd, void **image, size_t *size)
{
	size_t capacity = 64 << 10, used = 0;
	char *memory = new_memory(capacity, MAP_PRIVATE);

	while (memory) {
		long r = sys(read, fd, memory + used, capacity - used);

		if (r < 0)
			return (int)r;
		if (r == 0) {
			*image = memory;
			*size = used;
			return 0;
		}
		used += (size_t)r;
		if (used < capacity)
			continue;
		if (capacity > MAX_PROGRAM)
			return -EFBIG;
		r = sys(mremap, memory, capacity, capacity * 2, MREMAP_MAYMOVE);
		memory = r < 0 && r > -4096 ? NULL : (char *)r;
		capacity *= 2;
	}
	return -ENOMEM;
}

/* Every signal is blocked and read from a descriptor: no handler ever interrupts a step. */
static int catch_signals(struct vm *vm)
{
	uint64_t all = ~0ULL;
	long r = sys(rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof all);

	if (r >= 0)
		r = vm->signals = (int)sys(signalfd4, -1, &all, sizeof all, SFD_CLOEXEC);
	return r < 0 ? (int)r : 0;
}

int prepare(struct vm *vm, void *image, size_t size)
{
	int r = program_load(&vm->program, image, size);

	if (r >= 0)
		r = catch_signals(vm);
	if (r < 0)
		return r;
	for (int i = 0; i < MAX_SLOTS; i++)
		vm->slot[i] = -1;
	vm->given[0] = vm->given[1] = vm->given[2] = vm->nulls = -1;
	vm->shared = new_memory(sizeof *vm->shared, MAP_SHARED);
	vm->scratch[0] = new_memory(2 * vm->program.longest_text, MAP_PRIVATE);
	vm->scratch[1] = vm->scratch[0] + vm->program.longest_text;
	vm->umask = sys(umask, 0);
	return vm->shared && vm->scratch[0] ? 0 : -ENOMEM;
}

/* The program's file, or its pipe, belongs to whoever has made it. */
static int load(struct vm *vm, int fd)
{
	void *image = NULL;
	size_t size = 0;
	struct stat st;
	int r = (int)sys(fstat, fd, &st);

	if (r >= 0)
		r = check_owner(&st);
	if (r >= 0)
		r = read_program(fd, &image, &size);
	return r < 0 ? r : prepare(vm, image, size);
}

static int refuse(struct vm *vm, int error)
{
	struct report report = {.kind = REPORT_REFUSED, .error = -error, .syscall = (int32_t)call_of(error)};

	return send_report(vm, &report) < 0 ? 3 : 2;
}

static int runner(struct vm *vm, int argc, char **argv, char **envp)
{
	const char *program_fd = argc > 1 ? argv[1] : "", *report_fd = argc > 2 ? argv[2] : "";
	const char *caller = argc > 4 ? argv[4] : "0";
	uint64_t fd = 0, report = 0, parent = 0;
	int r;

	if (argc < 4 || argc > 5 || !parse_decimal(&program_fd, &fd) || !parse_decimal(&report_fd, &report) ||
	    !parse_decimal(&caller, &parent) || strlen(argv[3]) >= MAX_REGISTER)
		return 2;
	vm->report = (int)report;
	vm->id = argv[3];
	vm->env = envp;
	r = seal(argv, envp);
	if (r >= 0 && parent)
		r = end_with_caller(vm, (long)parent);
	if (r >= 0)
		r = (int)restore_limit(envp);
	if (r >= 0)
		r = (int)sys(fcntl, vm->report, F_SETFD, FD_CLOEXEC);
	if (r >= 0)
		r = load(vm, (int)fd);
	if (r >= 0)
		r = (int)sys(close, fd);
	return r < 0 ? refuse(vm, r) : run(vm);
}

static int start(int argc, char **argv, char **envp)
{
	static struct vm vm; /* without initial values it takes no pages of the file, of which seal() makes copies */

	vm.sync = -1;
	memcpy(vm.start_time, "0", 2);
	memcpy(vm.created, "0001-01-01T00:00:00Z", 21);
	if (settle() < 0) {
		complain("standard input or output is closed, and /dev/null cannot be opened in its place");
		return 1;
	}
	if (argc > 0 && streq(argv[0], "bundle-tool:execute"))
		return become_program(argv + 1, envp);
	return argc > 0 && streq(base_name(argv[0]), "bundle-tool-runner") ? runner(&vm, argc, argv, envp)
									   : front(&vm, argv, envp);
}

/* The kernel starts a process with argc, argv, NULL, envp, NULL on its stack. */
_Noreturn void start_c(long *stack);

_Noreturn void start_c(long *stack)
{
	int argc = (int)stack[0];
	char **argv = (char **)(void *)(stack + 1);

	exit_with(start(argc, argv, argv + argc + 1));
}

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall start_c\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n\tmov x29, #0\n\tmov x0, sp\n\tb start_c\n");
#endif
