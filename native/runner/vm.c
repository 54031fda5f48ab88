/* Operands of steps: texts with registers, slots, errors that may pass. */
#include "runner/vm.h"

#include "system/text.h"

#include <linux/time.h>

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
