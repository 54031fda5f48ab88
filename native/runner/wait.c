/* The runner's waits: signals are read in each, and the relay goes on. */
#include "runner/wait.h"

#include "runner/relay.h"
#include "runner/vm.h"
#include "system/process.h"

#include <asm/signal.h>
#include <linux/poll.h>
#include <linux/prctl.h>
#include <linux/signalfd.h>

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
