/* When the container was created, and when its process began. */
#include "runner/vm.h"
#include "system/clock.h"
#include "system/process.h"
#include "system/text.h"

#include <linux/time.h>

int op_identify(struct vm *vm, const struct step *s)
{
	struct __kernel_timespec now;
	long r = sys(clock_gettime, CLOCK_REALTIME, &now);

	char state;
	uint64_t start_time = 0;

	(void)s;
	if (r < 0)
		return (int)r;
	format_time(vm->created, now.tv_sec, now.tv_nsec);
	r = read_process((uint64_t)vm->shared->pid, &state, &start_time);
	if (r >= 0)
		decimal(vm->start_time, start_time);
	return (int)r;
}
