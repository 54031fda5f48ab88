/*
 * The relay of a foreground container: what it writes goes to the caller's descriptors, and what can be read there goes to it.
 * It goes on in every wait of the runner.
 */
#include "runner/relay.h"

#include "runner/op_stdio.h"
#include "runner/vm.h"
#include "runner/wait.h"
#include "system/file.h"
#include "system/memory.h"

#include <linux/poll.h>
#include <linux/time_types.h>

enum { MAX_FLOWS = 3, MAX_WAITS = 3, FLOW_SIZE = 65536, SHORT_WRITE = 4096, SEEK_CURRENT = 1 };

/* One direction: bytes that have been read and not yet written. */
struct flow {
	int from, to;
	int own; /* closed at its end; -1: none */
	int back; /* where what the container has not read can be read again; -1: nowhere */
	int standard; /* which of the caller's descriptors it is of */
	size_t most; /* bytes for one write(2): poll(2) says that there is room, not for how many */
	size_t start, end;
	bool is_open;
	bool rests; /* nothing is read until SIGCONT */
	char buffer[FLOW_SIZE];
};

struct relay {
	struct flow flows[MAX_FLOWS];
	uint32_t count;
	bool has_terminal;
	struct loss loss;
};

static struct flow *new_flow(struct vm *vm, const struct step *s)
{
	static struct relay relay;

	vm->relay = &relay;
	relay.loss.step = (uint32_t)(s - vm->program.steps);
	relay.flows[relay.count].is_open = true;
	relay.flows[relay.count].back = -1;
	return &relay.flows[relay.count++];
}

void relay_input(struct vm *vm, const struct step *s, int to, int back)
{
	struct flow *flow = new_flow(vm, s);

	flow->from = 0;
	flow->to = flow->own = to;
	flow->back = back;
	flow->most = FLOW_SIZE;
}

void relay_output(struct vm *vm, const struct step *s, int from, int to, bool is_file)
{
	struct flow *flow = new_flow(vm, s);

	flow->from = flow->own = from;
	flow->to = flow->standard = to;
	flow->most = is_file ? FLOW_SIZE : SHORT_WRITE;
}

void relay_terminal(struct vm *vm, const struct step *s, int terminal)
{
	relay_input(vm, s, terminal, -1);
	vm->relay->flows[0].own = -1; /* as long as somebody sees what is written there, it is open */
	relay_output(vm, s, terminal, 1, false);
	vm->relay->has_terminal = true;
}

/* Records an error; the first one is reported. */
static void lose(struct relay *relay, const struct flow *flow, long error)
{
	if (relay->loss.error)
		return;
	relay->loss.error = (int32_t)-error;
	relay->loss.syscall = (int32_t)call_of(error);
	relay->loss.standard = flow->standard;
}

/* The container finds its pipe closed, and loses a terminal that nobody sees. */
static void end_flow(struct relay *relay, struct flow *flow)
{
	long r = flow->own < 0 ? 0 : sys(close, flow->own);

	flow->is_open = false;
	flow->start = flow->end = 0;
	if (r < 0)
		lose(relay, flow, r);
	for (uint32_t i = 0; flow->own >= 0 && i < relay->count; i++)
		if (relay->flows[i].to == flow->own)
			relay->flows[i].is_open = false;
	flow->own = -1;
}

static void fill(struct relay *relay, struct flow *flow)
{
	long r = sys(read, flow->from, flow->buffer, FLOW_SIZE);

	flow->start = 0;
	flow->end = r > 0 ? (size_t)r : 0;
	if (r > 0 || r == -EAGAIN)
		return;
	/* EIO: a terminal is not to be read in the background; of the container's, that its other side is closed. */
	if (r == -EIO && flow->from == 0 && is_terminal(0))
		flow->rests = true;
	else if (r == -EIO && relay->has_terminal)
		flow->is_open = false;
	else {
		if (r < 0 && r != -EBADF) /* EBADF: it is for writing alone, and the container need not ask for more */
			lose(relay, flow, r);
		end_flow(relay, flow);
	}
}

static void drain(struct relay *relay, struct flow *flow)
{
	size_t length = flow->end - flow->start;
	long r = sys(write, flow->to, flow->buffer + flow->start, length < flow->most ? length : flow->most);

	if (r > 0)
		flow->start += (size_t)r;
	if (r >= 0 || r == -EAGAIN)
		return;
	if (r != -EPIPE)
		lose(relay, flow, r);
	end_flow(relay, flow);
}

/* A descriptor that nothing is wanted from is left out: a hang-up would wake poll(2) again and again. */
static size_t watch(const struct relay *relay, struct pollfd *fds)
{
	for (uint32_t i = 0; i < relay->count; i++) {
		const struct flow *flow = &relay->flows[i];
		bool is_full = flow->start != flow->end;

		fds[i] = (struct pollfd){.fd = !flow->is_open || flow->rests ? -1 : is_full ? flow->to : flow->from,
					 .events = is_full ? POLLOUT : POLLIN};
	}
	return relay->count;
}

static void move(struct relay *relay, const struct pollfd *fds)
{
	for (uint32_t i = 0; i < relay->count; i++) {
		struct flow *flow = &relay->flows[i];

		if (!flow->is_open || !fds[i].revents)
			continue;
		if (fds[i].events == POLLIN)
			fill(relay, flow);
		if (flow->start != flow->end && (fds[i].events == POLLOUT || flow->most == FLOW_SIZE))
			drain(relay, flow);
	}
}

long wait_for(struct vm *vm, struct pollfd *fds, size_t count, int timeout_ms)
{
	struct pollfd all[MAX_WAITS + MAX_FLOWS];
	const struct __kernel_timespec time = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000};
	size_t more = vm->relay ? watch(vm->relay, all + count) : 0;
	long r;

	memcpy(all, fds, count * sizeof *fds);
	r = sys(ppoll, all, count + more, timeout_ms < 0 ? NULL : &time, NULL, 0);
	if (r <= 0)
		return r ? r : -ETIMEDOUT;
	memcpy(fds, all, count * sizeof *fds);
	if (more)
		move(vm->relay, all + count);
	return r;
}

bool relays_from(const struct vm *vm, int fd)
{
	for (uint32_t i = 0; vm->relay && i < vm->relay->count; i++)
		if (vm->relay->flows[i].is_open && vm->relay->flows[i].from == fd)
			return true;
	return false;
}

void wake_relay(struct vm *vm)
{
	for (uint32_t i = 0; vm->relay && i < vm->relay->count; i++)
		vm->relay->flows[i].rests = false;
}

/*
 * True when more data may come. The timeout is how long to wait for it: a terminal has all of it at once (0), a pipe has an
 * end (-1).
 */
static bool is_at_work(const struct relay *relay, int *timeout_ms)
{
	bool is_open = false, is_full = false;

	for (uint32_t i = 0; i < relay->count; i++) {
		is_open |= relay->flows[i].is_open;
		is_full |= relay->flows[i].is_open && relay->flows[i].start != relay->flows[i].end;
	}
	*timeout_ms = relay->has_terminal && !is_full ? 0 : -1;
	return is_open;
}

/*
 * Gives unread input back to a file, for its next reader: a shell whose loop runs containers has its list
 * as their standard input, too.
 */
static void give_back(struct relay *relay, struct flow *flow)
{
	long unread = (long)(flow->end - flow->start), r = 1;

	while (flow->back >= 0 && r > 0) {
		r = sys(read, flow->back, flow->buffer, FLOW_SIZE);
		unread += r > 0 ? r : 0;
	}
	r = flow->back < 0 || !unread ? 0 : sys(lseek, 0, -unread, SEEK_CURRENT);
	if (r < 0)
		lose(relay, flow, r);
	end_flow(relay, flow);
}

int end_relay(struct vm *vm)
{
	struct relay *relay = vm->relay;
	int r = close_given(vm), timeout_ms;

	if (!relay)
		return r;
	if (relay->flows[0].from == 0)
		give_back(relay, &relay->flows[0]);
	while (r >= 0 && !vm->is_given_up && is_at_work(relay, &timeout_ms))
		r = wait_once(vm, -1, -1, timeout_ms);
	vm->loss = relay->loss;
	drop_relay(vm);
	return r == -ETIMEDOUT || r == -EINTR ? 0 : r;
}

int drop_relay(struct vm *vm)
{
	struct relay *relay = vm->relay;
	long r = 0;

	for (uint32_t i = 0; relay && i < relay->count; i++) {
		end_flow(relay, &relay->flows[i]);
		if (r >= 0 && relay->flows[i].back >= 0)
			r = sys(close, relay->flows[i].back);
	}
	vm->relay = NULL;
	return (int)r;
}
