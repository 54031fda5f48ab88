/* Makes system calls and prints the error of each. The arguments are ones that the kernel refuses by another error than EPERM. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void show(const char *name, long result)
{
	printf("%s %s\n", name, result < 0 ? strerrorname_np(errno) : "ok");
	if (result == 0 && !strcmp(name, "clone"))
		_exit(0);
}

#define CALL(name, ...) (errno = 0, show(#name, syscall(SYS_##name, __VA_ARGS__)))
#define SOCKET(family, type) (errno = 0, show("socket " #family, syscall(SYS_socket, family, type, 0)))

int main(void)
{
	setbuf(stdout, NULL);
	CALL(mount, 1, 1, 1, 0, 0);
	CALL(umount2, 1, 0);
	CALL(unshare, 1);
	CALL(clone, CLONE_NEWUSER | CLONE_FS, 0, 0, 0, 0);
	CALL(clone3, 0, 0);
	CALL(setns, -1, 0);
	CALL(fsopen, 1, 0);
	CALL(keyctl, 9999);
	CALL(add_key, 1, 1, 1, 1, 0);
	CALL(request_key, 1, 1, 1, 0);
	CALL(bpf, 9999, 0, 0);
	CALL(io_uring_setup, 1, 0);
	CALL(userfaultfd, 1 << 5);
	CALL(perf_event_open, 1, 0, 0, 0, 0);
	CALL(open_by_handle_at, -1, 1, 0);
	CALL(name_to_handle_at, -1, 1, 1, 1, 0);
	CALL(init_module, 1, 1, 1);
	CALL(kcmp, 1, 1, 99, 0, 0);
	CALL(process_vm_readv, 999999, 1, 1, 1, 1, 0);
	CALL(ptrace, 16, 999999, 0, 0);
	CALL(get_mempolicy, 0, 0, 0, 0, 99);
	CALL(personality, 0);
	errno = 0;
	show("personality 0x40000", syscall(SYS_personality, 0x40000));
	CALL(chroot, 1);
	SOCKET(2, 1);
	SOCKET(16, 3);
	SOCKET(38, 5);
	SOCKET(40, 1);
	CALL(openat2, -1, 1, 0, 0);
	errno = 0;
	show("newer", syscall(9999));
	return 0;
}
