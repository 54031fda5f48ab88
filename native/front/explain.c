/* The command line puts the report of a program that failed into words. */
#include "front/front.h"
#include "runner/vm.h"
#include "runner/wait.h"
#include "system/memory.h"
#include "system/process.h"
#include "system/start.h"
#include "system/text.h"

#include <asm/signal.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/wait.h>

/* It takes a second on a slow host; without the threads that it wants, Node.js can wait for ever. */
enum { EXPLAIN_TIMEOUT_MS = 10000 };

static char *append_report(char *to, const struct report *report)
{
#define NUMBER(name) report->name,
	const int64_t numbers[] = {REPORT_NUMBERS(NUMBER)};
#undef NUMBER

	for (size_t i = 0; report->kind && i < sizeof numbers / sizeof *numbers; i++) {
		if (numbers[i] < 0)
			*to++ = '-';
		to += decimal(to, (uint64_t)(numbers[i] < 0 ? -numbers[i] : numbers[i]));
		*to++ = ' ';
	}
	*to = '\0';
	return to;
}

/*
 * Takes back what a program did to this process. In a PID namespace that is only for its children a process can start no
 * thread, and Node.js wants some; without privilege a program changes none of the two.
 */
static bool become_ordinary(const struct vm *vm)
{
	static const char *const namespaces[] = {"/proc/self/ns/pid", "/proc/self/ns/time"};
	long r = sys(umask, vm->umask);

	for (int i = 0; i < 2 && r >= 0; i++) {
		long fd = sys(openat, AT_FDCWD, namespaces[i], O_RDONLY | O_CLOEXEC);

		if (fd == -ENOENT) /* no time namespaces before Linux 5.6 */
			continue;
		r = fd < 0 ? fd : sys(setns, fd, 0);
		if (fd >= 0)
			r = closing(fd, r == -EPERM ? 0 : r);
	}
	return r >= 0;
}

/*
 * True when the child has ended by itself, in time. To stop is what a failed program is doing: a signal that asks for that, as
 * that of `delete --force`, waits for the words.
 */
static bool has_explained(struct vm *vm, long child, int *status)
{
	long deadline = milliseconds_now() + EXPLAIN_TIMEOUT_MS, r, waited = 0;

	while ((r = sys(wait4, child, status, WNOHANG, NULL)) == 0 && (waited >= 0 || waited == -EINTR))
		waited = wait_once(vm, -1, -1, left_ms(deadline));
	if (r == 0 && sys(kill, child, SIGKILL) >= 0)
		sys(wait4, child, NULL, 0, NULL);
	return r > 0 && !(*status & 0x7f);
}

/* The step that failed, where no command line can be had to put it into words. */
static int explain_plainly(const struct vm *vm)
{
	const struct step *s = &vm->program.steps[vm->last.step];
	const char *from = vm->program.strings + s->from;
	char text[PATH_SIZE], number[24];

	decimal(number, (uint64_t)vm->last.error);
	if (!JOIN(text, from, *from ? ": " : "", op_name(s->op), " failed with error ", number,
		  " of errno(3), and nothing could be run to explain it: allow more processes and memory"))
		return 1;
	complain(text);
	return 1;
}

int explain(const struct call *call, struct vm *vm)
{
	static char numbers[400] = VARIABLE_REPORTS "=", details[2][DETAIL_SIZE + 32];
	char *const more[] = {numbers, details[0], details[1], NULL};
	struct clone_args args = {.exit_signal = SIGCHLD};
	int status = 0;
	long child;

	append_report(append_report(numbers + strlen(numbers), &vm->last), &vm->leftover);
	if (!become_ordinary(vm) || !JOIN(details[0], VARIABLE_REPORT_DETAIL "=", vm->last.detail) ||
	    !JOIN(details[1], VARIABLE_LEFTOVER_DETAIL "=", vm->leftover.detail))
		return explain_plainly(vm);
	child = start_process(&args);
	if (child == 0)
		exit_with(sys(prctl, PR_SET_PDEATHSIG, SIGKILL) < 0 ? 1 : become_command_line(call, more, false));
	return child > 0 && has_explained(vm, child, &status) ? exit_code(status) : explain_plainly(vm);
}
