/* CRIU as a child, `criu swrk`, which is talked to in the messages of its images/rpc.proto. */
#include "runner/op_stdio.h"
#include "runner/socket.h"
#include "runner/vm.h"
#include "system/caller.h"
#include "system/file.h"
#include "system/memory.h"
#include "system/process.h"

#include <asm/signal.h>
#include <linux/sched.h>

enum { SOCKET_UNIX = 1, SOCKET_SEQPACKET = 5, CRIU_SOCKET = 3, MESSAGE_SIZE = 8192, NOTIFY = 6, VARINT = 0, BYTES = 2 };

static _Noreturn void become_criu(struct vm *vm, const char *path, int socket, char **env)
{
	char *argv[] = {"criu", "swrk", "3", NULL};
	long r = sys(umask, vm->umask);

	if (r >= 0)
		r = take_given(vm);
	if (r >= 0)
		r = sys(dup3, socket, CRIU_SOCKET, 0);
	if (r >= 0)
		execute_file(path, argv, env);
	exit_with(NOT_EXECUTED);
}

int op_criu_start(struct vm *vm, const struct step *s)
{
	struct clone_args args = {.exit_signal = SIGCHLD};
	int pair[2] = {-1, -1};
	long r = sys(socketpair, SOCKET_UNIX, SOCKET_SEQPACKET | O_CLOEXEC, 0, pair), closed;

	if (r >= 0)
		r = start_process(&args);
	if (r < 0)
		return (int)r;
	if (r == 0)
		become_criu(vm, string(vm, s, 1), pair[1], vm->env);
	vm->shared->pid = (int)r;
	closed = sys(close, pair[1]);
	if (closed >= 0)
		closed = close_given(vm);
	return closed < 0 ? (int)closed : fill_slot(vm, s, 0, pair[0]);
}

int op_criu_directory(struct vm *vm, const struct step *s)
{
	long fd = sys(openat, AT_FDCWD, string(vm, s, 0), O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	if (fd < 0)
		return (int)fd;
	r = sys(dup3, fd, s->arg[1], 0);
	return (int)closing(fd, r);
}

int op_criu_send(struct vm *vm, const struct step *s)
{
	return write_all(slot(vm, s, 0), vm->program.strings + (uint32_t)s->arg[1], s->arg[1] >> 32);
}

/* The members of a response, and of the notification in it, that are used here. */
struct response {
	uint64_t type, is_success, error, pid;
	const uint8_t *script, *message;
	size_t script_length, message_length;
};

static uint64_t read_varint(const uint8_t **at, const uint8_t *end)
{
	uint64_t value = 0;

	for (int shift = 0; *at < end && shift < 64; shift += 7) {
		uint8_t byte = *(*at)++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			break;
	}
	return value;
}

/* One message; false for one that is cut off or has fields of kinds that CRIU does not use. */
static bool parse_response(const uint8_t *at, const uint8_t *end, bool is_notification, struct response *to)
{
	while (at < end) {
		uint64_t key = read_varint(&at, end), field = key >> 3 | (is_notification ? 64 : 0);
		uint64_t value = read_varint(&at, end);

		if ((key & 7) == BYTES && value > (uint64_t)(end - at))
			return false;
		if (key == (1 << 3 | VARINT) && !is_notification)
			to->type = value;
		else if (key == (2 << 3 | VARINT))
			*(is_notification ? &to->pid : &to->is_success) = value;
		else if (key == (7 << 3 | VARINT))
			to->error = value;
		else if (field == (64 | 1))
			to->script = at, to->script_length = value;
		else if (field == 9)
			to->message = at, to->message_length = value;
		else if (field == 5 && ((key & 7) != BYTES || !parse_response(at, at + value, true, to)))
			return false;
		if ((key & 7) == BYTES)
			at += value;
		else if ((key & 7) != VARINT)
			return false;
	}
	return true;
}

/* The reason of a failure is for whoever puts it into words. */
static int fail(struct vm *vm, const struct response *response)
{
	size_t length = response->message_length < DETAIL_SIZE ? response->message_length : DETAIL_SIZE - 1;

	vm->shared->status = (int)response->error;
	memcpy(vm->shared->detail, response->message, length);
	vm->shared->detail[length] = '\0';
	return -EIO;
}

/* It ends by itself when nobody asks for more. */
static int finish(struct vm *vm, const struct step *s)
{
	int status, criu = vm->stage ? vm->stage : vm->shared->pid;
	long r = sys(close, slot(vm, s, 1));

	if (r >= 0)
		r = sys(wait4, criu, &status, 0, NULL);
	if (!vm->stage)
		vm->shared->pid = 0;
	vm->stage = 0;
	return r < 0 ? (int)r : 0;
}

static bool is_script(const struct response *response, const char *name)
{
	return name && strlen(name) == response->script_length && !memcmp(response->script, name, response->script_length);
}

int op_criu_wait(struct vm *vm, const struct step *s)
{
	static uint8_t message[MESSAGE_SIZE];
	static const char proceed[] = {1 << 3, NOTIFY, 3 << 3, true};
	int socket = slot(vm, s, 1);

	for (;;) {
		struct response response = {.script = message, .message = message};
		int fd = -1;
		long r = receive_message(vm, socket, message, sizeof message, &fd);

		if (r <= 0)
			return r < 0 ? (int)r : (int)FAIL_AS(recvmsg, -EPIPE);
		if (!parse_response(message, message + r, false, &response))
			return -EPROTO;
		if (!response.is_success)
			return fail(vm, &response);
		if (fd >= 0 && (r = fill_slot(vm, s, 0, fd)) < 0)
			return (int)r;
		if (response.type != NOTIFY)
			return string(vm, s, 2) ? -EPROTO : finish(vm, s);
		if (is_script(&response, string(vm, s, 2))) {
			vm->stage = vm->stage ? vm->stage : vm->shared->pid;
			vm->shared->pid = (int)response.pid;
			return 0;
		}
		r = write_all(socket, proceed, sizeof proceed);
		if (r < 0)
			return (int)r;
	}
}
