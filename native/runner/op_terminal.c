/* Terminals, and descriptors sent over sockets. */
#include "runner/socket.h"
#include "runner/vm.h"
#include "system/file.h"

#include <asm/termios.h>

enum { SOCKET_STREAM = 1, NAME_SIZE = 4096 };

int op_expect_terminal(struct vm *vm, const struct step *s)
{
	long fd;

	(void)s;
	for (fd = 0; fd <= 2; fd++)
		if (is_terminal((int)fd))
			return 0;
	/* A program of this kind has its own use for its terminal, and has said what the container's descriptors are. */
	fd = vm->ends_with_caller ? -ENXIO : sys(openat, AT_FDCWD, "/dev/tty", O_RDONLY | O_CLOEXEC);
	return (int)(fd < 0 ? -ENOTTY : sys(close, fd));
}

int op_open_pty(struct vm *vm, const struct step *s)
{
	struct winsize size = {.ws_row = (uint16_t)s->arg[3], .ws_col = (uint16_t)s->arg[4]};
	char path[40];
	int unlocked = 0;
	long controller, terminal, r;

	name_of_fd(path, slot(vm, s, 2));
	controller = sys(openat, AT_FDCWD, path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (controller < 0)
		return (int)controller;
	r = sys(ioctl, controller, TIOCSPTLCK, &unlocked);
	if (r >= 0 && (size.ws_row || size.ws_col))
		r = sys(ioctl, controller, TIOCSWINSZ, &size);
	if (r < 0)
		return (int)r;
	/* By descriptor, never by name: the name in the container's devpts may be anything (CVE-2025-52565). */
	terminal = sys(ioctl, controller, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (terminal < 0)
		return (int)terminal;
	r = fill_slot(vm, s, 0, controller);
	return (int)(r < 0 ? r : fill_slot(vm, s, 1, terminal));
}

int op_set_terminal(struct vm *vm, const struct step *s)
{
	int terminal = slot(vm, s, 0);
	long r = sys(ioctl, terminal, TIOCSCTTY, 0);

	for (int fd = 0; fd <= 2 && r >= 0; fd++)
		r = sys(dup3, terminal, fd, 0);
	return r < 0 ? (int)r : 0;
}

int op_connect(struct vm *vm, const struct step *s)
{
	return fill_slot(vm, s, 0, unix_socket(text(vm, s, 1, 0, NULL), SOCKET_STREAM, false));
}

int op_send_fd(struct vm *vm, const struct step *s)
{
	size_t length;
	const char *name = text(vm, s, 2, 0, &length);

	return send_descriptor(has_slot(s, 0) ? slot(vm, s, 0) : vm->sync, slot(vm, s, 1), name, length);
}

/* Output reaches a pipe as it was written: the terminal of the user, if there is one, adds carriage returns itself. */
static long clear_onlcr(int terminal)
{
	struct termios settings;
	long r = probe(ioctl, terminal, TCGETS, &settings);

	settings.c_oflag &= ~(tcflag_t)ONLCR;
	return r < 0 ? 0 : sys(ioctl, terminal, TCSETS, &settings);
}

int op_receive_fd(struct vm *vm, const struct step *s)
{
	static char name[NAME_SIZE];
	int fd = -EPROTO;
	long r = receive_message(vm, vm->sync, name, sizeof name, &fd);

	if (r == 0 || r == -ECONNRESET)
		return (int)FAIL_AS(recvmsg, -EPIPE);
	if (r < 0)
		return (int)r;
	/* The descriptor is the terminal's controlling side, and the container has not written to it yet. */
	if (vm->phase == PHASE_HOST && fd >= 0 && (r = clear_onlcr(fd)) < 0)
		return (int)r;
	return fill_slot(vm, s, 0, fd);
}
