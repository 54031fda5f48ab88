/* The wait for the end of a foreground container: signals are passed on, and a terminal is relayed. */
#include "runner/relay.h"
#include "runner/vm.h"
#include "system/file.h"
#include "system/memory.h"
#include "system/text.h"

#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/termios.h>
#include <linux/poll.h>
#include <linux/signalfd.h>
#include <linux/wait.h>

/* The caller's terminal, which hands on every key while the container has one of its own. */
struct keyboard {
	struct termios saved;
	bool is_raw;
};

static long enter_raw_mode(struct keyboard *keyboard)
{
	struct termios raw;

	if (probe(ioctl, 0, TCGETS, &keyboard->saved) < 0)
		return 0; /* stdin is no terminal */
	raw = keyboard->saved;
	/* cfmakeraw(3), but what the container writes still gets its carriage returns from the terminal it is shown on */
	raw.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
	raw.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
	raw.c_cflag &= ~(tcflag_t)(CSIZE | PARENB);
	raw.c_cflag |= CS8;
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	keyboard->is_raw = true;
	return sys(ioctl, 0, TCSETS, &raw);
}

/* The container's terminal gets the size of the one the user sits at, if there is one. */
static long copy_window_size(int terminal)
{
	struct winsize size;

	for (int fd = 0; fd <= 2; fd++)
		if (probe(ioctl, fd, TIOCGWINSZ, &size) >= 0)
			return sys(ioctl, terminal, TIOCSWINSZ, &size);
	return 0;
}

static long start_relay(struct vm *vm, const struct step *s, int terminal, struct keyboard *keyboard)
{
	long r = sys(fcntl, terminal, F_SETFL, O_RDWR | O_NONBLOCK);

	if (r >= 0)
		r = copy_window_size(terminal);
	if (r >= 0)
		relay_terminal(vm, s, terminal);
	return r < 0 ? r : enter_raw_mode(keyboard);
}

/* Passes on the output that the container wrote before it ended, and restores the terminal. */
static long finish_relay(struct vm *vm, const struct keyboard *keyboard)
{
	int r = end_relay(vm);
	long restored = keyboard->is_raw ? sys(ioctl, 0, TCSETS, &keyboard->saved) : 0;

	return r < 0 ? r : restored;
}

/* Reaps what has ended; the container's first process sets has_exited. */
static long reap_all(struct vm *vm)
{
	for (;;) {
		int status;
		long pid = sys(wait4, -1, &status, WNOHANG, NULL);

		if (pid <= 0)
			return pid == -ECHILD ? 0 : pid;
		if (pid == vm->shared->pid) {
			vm->has_exited = true;
			vm->status = status == SIGKILL && vm->unheard ? vm->unheard : status;
		}
	}
}

/* True for a signal that ends a program which has no handler for it. */
static bool ends_programs(uint32_t signal)
{
	return signal == SIGINT || signal == SIGQUIT || signal == SIGTERM || signal == SIGHUP;
}

/* True when the process has a handler, or if that cannot be known. */
static bool hears(int pid, uint32_t signal)
{
	static const char field[] = "SigCgt:\t";
	char path[40] = "/proc/", status[4096];
	uint64_t mask = 0;
	const char *at = status;

	memcpy(path + 6 + decimal(path + 6, (uint64_t)pid), "/status", 8);
	if (read_file(AT_FDCWD, path, status, sizeof status) < 0)
		return true;
	while (*at && !has_prefix(at, field))
		at++;
	if (!*at)
		return true;
	for (at += sizeof field - 1; (*at >= '0' && *at <= '9') || (*at >= 'a' && *at <= 'f'); at++)
		mask = mask << 4 | (uint64_t)(*at <= '9' ? *at - '0' : *at - 'a' + 10);
	return mask >> (signal - 1) & 1;
}

static long take_signal(struct vm *vm, int terminal)
{
	struct signalfd_siginfo info;
	long r = sys(read, vm->signals, &info, sizeof info);

	if (r < 0)
		return r;
	switch (info.ssi_signo) {
	case SIGCHLD:
		return reap_all(vm);
	case SIGWINCH:
		if (terminal >= 0 && relays_from(vm, terminal))
			return copy_window_size(terminal);
		break;
	case SIGCONT:
		wake_relay(vm);
		break;
	case SIGPIPE:
	case SIGURG:
		return 0;
	case END_SIGNAL:
		vm->is_given_up = vm->ends_with_caller;
		if (vm->is_given_up)
			info.ssi_signo = SIGKILL;
		break;
	}
	/* A signal of the terminal goes to all processes of its group, so the container has it already. */
	if (info.ssi_code == SI_KERNEL && sys(getpgid, vm->shared->pid) == sys(getpgid, 0))
		return 0;
	if (vm->kills_unheard && ends_programs(info.ssi_signo) && !hears(vm->shared->pid, info.ssi_signo)) {
		vm->unheard = (int)info.ssi_signo;
		info.ssi_signo = SIGKILL;
	}
	r = sys(kill, vm->shared->pid, info.ssi_signo);
	return r == -ESRCH ? 0 : r;
}

static int supervise(struct vm *vm, const struct step *s, int terminal)
{
	struct keyboard keyboard = {0};
	long r = terminal < 0 ? 0 : start_relay(vm, s, terminal, &keyboard), restored;

	if (r >= 0)
		r = reap_all(vm);
	while (r >= 0 && !vm->has_exited) {
		struct pollfd signals = {vm->signals, POLLIN, 0};

		r = wait_for(vm, &signals, 1, -1);
		if (r >= 0 && signals.revents)
			r = take_signal(vm, terminal);
	}
	restored = terminal < 0 ? 0 : finish_relay(vm, &keyboard);
	return (int)(r < 0 ? r : restored);
}

int op_supervise(struct vm *vm, const struct step *s)
{
	if (vm->shared->pid <= 0)
		return -ESRCH;
	vm->keeps = s->arg[1];
	vm->kills_unheard = s->arg[2];
	return supervise(vm, s, has_slot(s, 0) ? slot(vm, s, 0) : -1);
}
