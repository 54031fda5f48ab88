/* Network interfaces: requests of rtnetlink(7) that the compiler wrote, with the numbers only this machine knows. */
#include "runner/vm.h"
#include "system/file.h"
#include "system/memory.h"

#include <linux/memfd.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>

enum { SOCKET_INET = 2, SOCKET_DATAGRAM = 2, SOCKET_NETLINK = 16, SOCKET_RAW = 3, INTERFACE_UP = 1 };
enum { MAX_REQUEST = 512, MAX_REPLY = 32 << 10 };

/* struct ifreq, as netdevice(7) has it. */
struct interface_request {
	char name[16];
	union {
		int16_t flags;
		int32_t index;
	};
	char rest[20];
};

/* A request about one interface; struct ifaddrmsg has its number at the same place as struct ifinfomsg. */
union request {
	struct {
		struct nlmsghdr header;
		struct ifinfomsg link;
	};
	char bytes[MAX_REQUEST];
};
_Static_assert(offsetof(struct ifinfomsg, ifi_index) == offsetof(struct ifaddrmsg, ifa_index), "one index for both");

/* An ioctl(2) about the interface of this name in the network namespace of the socket. */
static long ask(long socket, unsigned long what, const char *name, struct interface_request *request)
{
	size_t length = name ? strlen(name) : 0;

	if (!length || length >= sizeof request->name)
		return -ENODEV;
	memset(request, 0, sizeof *request);
	memcpy(request->name, name, length);
	return sys(ioctl, socket, what, request);
}

int op_loopback_up(struct vm *vm, const struct step *s)
{
	struct interface_request request;
	long fd = sys(socket, SOCKET_INET, SOCKET_DATAGRAM | O_CLOEXEC, 0), r;

	(void)vm, (void)s;
	if (fd < 0)
		return (int)fd;
	r = ask(fd, SIOCGIFFLAGS, "lo", &request);
	request.flags |= INTERFACE_UP;
	if (r >= 0)
		r = sys(ioctl, fd, SIOCSIFFLAGS, &request);
	return (int)closing(fd, r);
}

int op_netlink_socket(struct vm *vm, const struct step *s)
{
	return fill_slot(vm, s, 0, sys(socket, SOCKET_NETLINK, SOCKET_RAW | O_CLOEXEC, NETLINK_ROUTE));
}

/* Sends a request that asks for an acknowledgement: what the kernel says to it. */
static int transact(int socket, const struct nlmsghdr *request)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char request[MAX_REQUEST];
	} reply;
	long r = sys(sendto, socket, request, request->nlmsg_len, 0, NULL, 0);

	if (r >= 0)
		r = sys(recvfrom, socket, &reply, sizeof reply, 0, NULL, NULL);
	if (r < 0)
		return (int)r;
	if ((size_t)r < NLMSG_LENGTH(sizeof reply.error) || reply.header.nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	return reply.error.error < 0 ? (int)FAIL_AS(sendto, reply.error.error) : 0;
}

/*
 * True when a container has had the network device, which then stays its own: an undo step brings back only a device that no
 * container has had.
 */
static bool is_given_away(const struct vm *vm)
{
	return vm->phase == PHASE_UNDO && vm->has_exited && !vm->shared->has_failed;
}

int op_netlink_request(struct vm *vm, const struct step *s)
{
	uint64_t length = s->arg[1] >> 32;
	struct interface_request interface;
	union request request;
	int netns = slot(vm, s, 3);
	long r = is_given_away(vm) ? 0 : ask(slot(vm, s, 0), SIOCGIFINDEX, string(vm, s, 2), &interface);

	if (r < 0 || is_given_away(vm))
		return (int)r;
	if (length < NLMSG_LENGTH(sizeof request.link) + (has_slot(s, 3) ? sizeof netns : 0) || length > sizeof request)
		return -EMSGSIZE;
	memcpy(request.bytes, vm->program.strings + (uint32_t)s->arg[1], length);
	request.header.nlmsg_len = (uint32_t)length;
	request.link.ifi_index = interface.index;
	if (has_slot(s, 3)) /* the last attribute of the request is IFLA_NET_NS_FD */
		memcpy(request.bytes + length - sizeof netns, &netns, sizeof netns);
	return transact(slot(vm, s, 0), &request.header);
}

int op_expect_no_interface(struct vm *vm, const struct step *s)
{
	struct interface_request interface;
	long r = ask(slot(vm, s, 0), SIOCGIFINDEX, string(vm, s, 1), &interface);

	return r == -ENODEV ? 0 : r < 0 ? (int)r : -EEXIST;
}

/* Writes the request that gives an interface an address again, if it is one that outlives a move. */
static long save_address(long to, const struct nlmsghdr *message, int index)
{
	const struct ifaddrmsg *address = NLMSG_DATA(message);
	union request request = {.header = {.nlmsg_type = RTM_NEWADDR,
					    .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL}};
	struct ifaddrmsg again = {.ifa_family = address->ifa_family, .ifa_prefixlen = address->ifa_prefixlen};
	size_t length = NLMSG_LENGTH(sizeof again), left;

	if ((int)address->ifa_index != index || address->ifa_scope != RT_SCOPE_UNIVERSE ||
	    !(address->ifa_flags & IFA_F_PERMANENT))
		return 0;
	memcpy(NLMSG_DATA(&request.header), &again, sizeof again);
	left = message->nlmsg_len - length;
	for (const struct rtattr *at = IFA_RTA(address); RTA_OK(at, left); at = RTA_NEXT(at, left)) {
		if (at->rta_type != IFA_ADDRESS && at->rta_type != IFA_LOCAL && at->rta_type != IFA_BROADCAST)
			continue;
		if (length + RTA_ALIGN(at->rta_len) > sizeof request)
			return -EMSGSIZE;
		memcpy(request.bytes + length, at, at->rta_len);
		length += RTA_ALIGN(at->rta_len);
	}
	request.header.nlmsg_len = (uint32_t)length;
	return write_all((int)to, request.bytes, sizeof request);
}

static long save_addresses(int socket, long to, int index)
{
	static char reply[MAX_REPLY] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct {
		struct nlmsghdr header;
		struct ifaddrmsg address;
	} all = {.header = {.nlmsg_len = sizeof all, .nlmsg_type = RTM_GETADDR,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};
	long r = sys(sendto, socket, &all, sizeof all, 0, NULL, 0);

	while (r >= 0) {
		size_t left;

		r = sys(recvfrom, socket, reply, sizeof reply, 0, NULL, NULL);
		left = r < 0 ? 0 : (size_t)r;
		for (struct nlmsghdr *at = (void *)reply; r >= 0 && NLMSG_OK(at, left); at = NLMSG_NEXT(at, left)) {
			if (at->nlmsg_type == NLMSG_DONE)
				return 0;
			if (at->nlmsg_type == NLMSG_ERROR)
				return FAIL_AS(sendto, ((struct nlmsgerr *)NLMSG_DATA(at))->error);
			if (at->nlmsg_type == RTM_NEWADDR && at->nlmsg_len >= NLMSG_LENGTH(sizeof(struct ifaddrmsg)))
				r = save_address(to, at, index);
		}
	}
	return r;
}

int op_save_interface(struct vm *vm, const struct step *s)
{
	int socket = slot(vm, s, 1);
	const char *name = string(vm, s, 2);
	struct interface_request interface = {0};
	union request state = {.header = {.nlmsg_len = NLMSG_LENGTH(sizeof state.link), .nlmsg_type = RTM_NEWLINK,
					  .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
			       .link = {.ifi_change = INTERFACE_UP}};
	long to = sys(memfd_create, "interface", MFD_CLOEXEC), r = to;

	if (r >= 0)
		r = ask(socket, SIOCGIFINDEX, name, &interface);
	if (r >= 0)
		r = save_addresses(socket, to, interface.index);
	if (r >= 0)
		r = ask(socket, SIOCGIFFLAGS, name, &interface);
	state.link.ifi_flags = interface.flags & INTERFACE_UP;
	if (r >= 0)
		r = write_all((int)to, state.bytes, sizeof state);
	return r < 0 ? (int)r : fill_slot(vm, s, 0, to);
}

int op_restore_interface(struct vm *vm, const struct step *s)
{
	int socket = slot(vm, s, 0), error = 0;
	struct interface_request interface;
	union request request;
	long r = is_given_away(vm) ? 0 : ask(socket, SIOCGIFINDEX, string(vm, s, 1), &interface);

	for (uint64_t at = 0; r >= 0 && !error && !is_given_away(vm); at += sizeof request) {
		r = sys(pread64, slot(vm, s, 2), &request, sizeof request, at);
		if (r != sizeof request)
			break;
		request.link.ifi_index = interface.index;
		error = transact(socket, &request.header);
	}
	return r < 0 ? (int)r : error;
}
