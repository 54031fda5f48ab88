/* Terminals, descriptors sent over sockets, and the relay of a foreground container. */
#include "runner/vm.h"

#include <asm/ioctls.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/socket.h>
#include <asm/termbits.h>
#include <linux/poll.h>
#include <linux/signalfd.h>
#include <linux/socket.h>
#include <linux/un.h>
#include <linux/wait.h>

enum { SOCKET_UNIX = 1, SOCKET_STREAM = 1, LEVEL_SOCKET = 1, PASS_RIGHTS = 1, NAME_SIZE = 4096, MESSAGE_CLOEXEC = 0x40000000 };
enum { CONNECT_SECONDS = 10 };

/* struct winsize, struct iovec, struct msghdr and struct cmsghdr as the kernel has them (asm-generic/termios.h, socket.h). */
struct window_size {
	uint16_t rows, columns, x_pixels, y_pixels;
};

struct io_vector {
	void *base;
	size_t length;
};

struct message {
	void *name;
	int name_length;
	struct io_vector *vectors;
	size_t vector_count;
	void *control;
	size_t control_length;
	unsigned int flags;
};

struct rights {
	size_t length;
	int level;
	int type;
	int fd;
	int padding;
};

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
	struct window_size size = {.rows = (uint16_t)s->arg[3], .columns = (uint16_t)s->arg[4]};
	char path[40] = "/proc/self/fd/";
	int unlocked = 0;
	long controller, terminal, r;

	decimal(path + 14, (uint64_t)slot(vm, s, 2));
	controller = sys(openat, AT_FDCWD, path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (controller < 0)
		return (int)controller;
	r = sys(ioctl, controller, TIOCSPTLCK, &unlocked);
	if (r >= 0 && (size.rows || size.columns))
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

long unix_socket(const char *path, int type, bool is_bound)
{
	const long patience[2] = {CONNECT_SECONDS, 0};
	struct sockaddr_un address = {.sun_family = SOCKET_UNIX};
	size_t length = path ? strlen(path) : 0;
	long fd, r;

	if (!length || length >= sizeof address.sun_path)
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, length);
	if (*path == '@')
		address.sun_path[0] = '\0';
	else
		length++;
	length += offsetof(struct sockaddr_un, sun_path);
	fd = sys(socket, SOCKET_UNIX, type | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	r = sys(setsockopt, fd, LEVEL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	if (r >= 0)
		r = is_bound ? sys(bind, fd, &address, length) : sys(connect, fd, &address, length);
	return r < 0 ? r : fd;
}

int op_connect(struct vm *vm, const struct step *s)
{
	return fill_slot(vm, s, 0, unix_socket(text(vm, s, 1, 0, NULL), SOCKET_STREAM, false));
}

int send_descriptor(int socket, int fd, const char *name, size_t length)
{
	struct io_vector data = {(void *)(uintptr_t)name, length};
	struct rights rights = {.length = sizeof rights - sizeof(int), .level = LEVEL_SOCKET, .type = PASS_RIGHTS, .fd = fd};
	struct message message = {.vectors = &data, .vector_count = 1, .control = &rights,
				  .control_length = sizeof rights};
	long r = sys(sendmsg, socket, &message, 0);

	return r < 0 ? (int)r : 0;
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
	long r = syscall6(__NR_ioctl, terminal, TCGETS, (long)&settings, 0, 0, 0);

	settings.c_oflag &= ~(tcflag_t)ONLCR;
	return r < 0 ? 0 : sys(ioctl, terminal, TCSETS, &settings);
}

long receive_message(struct vm *vm, int socket, void *to, size_t size, int *fd)
{
	struct io_vector data = {to, size};
	struct rights rights = {0};
	struct message message = {.vectors = &data, .vector_count = 1, .control = &rights,
				  .control_length = sizeof rights};
	long r = wait_readable(vm, socket, -1);

	if (r >= 0)
		r = sys(recvmsg, socket, &message, MESSAGE_CLOEXEC);
	if (r > 0 && rights.type == PASS_RIGHTS)
		*fd = rights.length == sizeof rights - sizeof(int) ? rights.fd : -EPROTO;
	return r;
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
	/* What the host gets is the terminal, and the container has not written to it yet. */
	if (vm->phase == PHASE_HOST && fd >= 0 && (r = clear_onlcr(fd)) < 0)
		return (int)r;
	return fill_slot(vm, s, 0, fd);
}

/* The caller's terminal, which hands on every key while the container has one of its own. */
struct keyboard {
	struct termios saved;
	bool is_raw;
};

static long enter_raw_mode(struct keyboard *keyboard)
{
	struct termios raw;

	if (syscall6(__NR_ioctl, 0, TCGETS, (long)&keyboard->saved, 0, 0, 0) < 0)
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
	struct window_size size;

	for (int fd = 0; fd <= 2; fd++)
		if (syscall6(__NR_ioctl, fd, TIOCGWINSZ, (long)&size, 0, 0, 0) >= 0)
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

/* What the container wrote before it ended and nobody has read yet. */
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
			vm->status = status;
		}
	}
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
	/* What the terminal sends, the processes of a group have all got. */
	if (info.ssi_code == SI_KERNEL && sys(getpgid, vm->shared->pid) == sys(getpgid, 0))
		return 0;
	r = sys(kill, vm->shared->pid, info.ssi_signo);
	return r == -ESRCH ? 0 : r;
}

int supervise(struct vm *vm, const struct step *s, int terminal)
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
