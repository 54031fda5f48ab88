/* Runs a program: its phases in order, and what takes them back. */
#include "runner/run.h"

#include "runner/relay.h"
#include "runner/vm.h"
#include "system/file.h"
#include "system/memory.h"
#include "system/process.h"

#include <asm/signal.h>
#include <linux/mman.h>
#include <linux/poll.h>
#include <linux/signalfd.h>
#include <linux/time_types.h>

static op_function *const functions[] = {
#define FUNCTION(name, number, kinds) [number] = op_##name,
	OPS(FUNCTION, NOTHING)
#undef FUNCTION
};

int send_report(struct vm *vm, struct report *report)
{
	report->order = vm->order;
	if (vm->report < 0) { /* nobody reads: the front has these for Node.js */
		*(report->kind == REPORT_UNDO_FAILED ? &vm->leftover : &vm->last) = *report;
		return 0;
	}
	return write_all(vm->report, (const char *)report, sizeof *report);
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
			memcpy(report.detail, vm->shared->detail, sizeof report.detail);
			if (send_report(vm, &report) < 0)
				return r;
		}
	}
	return first_error;
}

/* The report of the step that failed; it is made before the undo steps run. */
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
	vm->sync = -1;
	memcpy(vm->start_time, "0", 2);
	memcpy(vm->created, "0001-01-01T00:00:00Z", 21);
	vm->given[0] = vm->given[1] = vm->given[2] = vm->nulls = -1;
	vm->output[0] = vm->output[1] = -1;
	vm->shared = new_memory(sizeof *vm->shared, MAP_SHARED);
	vm->scratch[0] = new_memory(2 * vm->program.longest_text, MAP_PRIVATE);
	vm->scratch[1] = vm->scratch[0] + vm->program.longest_text;
	vm->umask = sys(umask, 0);
	return vm->shared && vm->scratch[0] ? 0 : -ENOMEM;
}
