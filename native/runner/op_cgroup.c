/* Control groups: what takes more than a write to a file. */
#include "runner/vm.h"
#include "system/directory.h"
#include "system/file.h"
#include "system/memory.h"
#include "system/process.h"
#include "system/text.h"

#include <asm/signal.h>
#include <linux/bpf.h>

enum { CONTROLLERS_SIZE = 512, RETRY_MS = 1, RETRIES = 2000 };

int op_copy_if_empty(struct vm *vm, const struct step *s)
{
	char content[4096];
	const char *from = text(vm, s, 0, 0, NULL), *to = text(vm, s, 1, 1, NULL);
	long fd = sys(openat, AT_FDCWD, to, O_RDWR | O_CLOEXEC), r;

	if (fd < 0)
		return (int)fd;
	r = sys(pread64, fd, content, 1, 0);
	if (r == 0 || (r > 0 && content[0] == '\n')) {
		r = read_file(AT_FDCWD, from, content, sizeof content);
		if (r > 0)
			r = write_all((int)fd, content, (size_t)r);
	}
	r = closing(fd, r);
	return r < 0 ? (int)r : 0;
}

/* mkdir(2), and of so many levels above it as are missing. */
static long make_cgroup(char *path, uint64_t levels)
{
	long r = sys(mkdirat, AT_FDCWD, path, 0755);
	size_t end = strlen(path);

	if (r != -ENOENT || !levels)
		return r;
	while (end && path[end] != '/')
		end--;
	path[end] = '\0';
	r = make_cgroup(path, levels - 1);
	path[end] = '/';
	return r < 0 && r != -EEXIST ? r : sys(mkdirat, AT_FDCWD, path, 0755);
}

/* cgroup.procs: a pid in each line. */
static long read_processes(const char *cgroup, char *to, size_t size)
{
	long directory = sys(openat, AT_FDCWD, cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return directory < 0 ? directory : closing(directory, read_file((int)directory, "cgroup.procs", to, size));
}

int op_cgroup_make(struct vm *vm, const struct step *s)
{
	char *path = vm->scratch[0], content[2];
	long r;

	text(vm, s, 0, 0, NULL);
	r = make_cgroup(path, s->arg[1]);
	vm->has_made_cgroup = r >= 0;
	if (r != -EEXIST)
		return (int)r;
	r = read_processes(path, content, sizeof content);
	return r > 0 ? -EBUSY : (int)r;
}

/* Writes "+NAME" for each name, which have blanks between them and a line break behind: all in one write(2), or each in its own. */
static long turn_on(const struct step *s, int control, const char *names, bool is_at_once)
{
	char line[CONTROLLERS_SIZE * 2], *to = line;
	long r = 0;

	while (*names > ' ' && r >= 0) {
		*to++ = '+';
		while (*names > ' ')
			*to++ = *names++;
		if (*names == ' ')
			*to++ = *names++;
		if (is_at_once && *names > ' ')
			continue;
		r = write_all(control, line, (size_t)(to - line));
		if (!is_at_once && is_tolerated(s, r))
			r = 0;
		to = line;
	}
	return r;
}

int op_enable_controllers(struct vm *vm, const struct step *s)
{
	char names[CONTROLLERS_SIZE];
	long directory = sys(openat, AT_FDCWD, text(vm, s, 0, 0, NULL), O_PATH | O_DIRECTORY | O_CLOEXEC), control, r;

	if (directory < 0)
		return (int)directory;
	r = read_file((int)directory, "cgroup.controllers", names, sizeof names);
	if (r >= 0)
		r = control = sys(openat, directory, "cgroup.subtree_control", O_WRONLY | O_CLOEXEC);
	if (r >= 0) {
		r = turn_on(s, (int)control, names, true);
		if (is_tolerated(s, r)) /* one of them stands for all */
			r = turn_on(s, (int)control, names, false);
		r = closing(control, r);
	}
	return (int)closing(directory, r);
}

int op_expect_not(struct vm *vm, const struct step *s)
{
	const char *unwanted = string(vm, s, 1);
	char content[32];
	long r;

	if (s->arg[2] && vm->has_made_cgroup)
		return 0;
	r = read_file(AT_FDCWD, text(vm, s, 0, 0, NULL), content, sizeof content);

	if (r < 0 || !unwanted)
		return (int)r;
	return (size_t)r >= strlen(unwanted) && !memcmp(content, unwanted, strlen(unwanted)) ? -EBUSY : 0;
}

int op_cgroup_remove(struct vm *vm, const struct step *s)
{
	return (int)remove_cgroup(text(vm, s, 0, 0, NULL));
}

int op_report_file(struct vm *vm, const struct step *s)
{
	long r = read_file(AT_FDCWD, text(vm, s, 0, 0, NULL), vm->shared->detail, DETAIL_SIZE);

	return r < 0 ? (int)r : 0;
}

int op_device_filter(struct vm *vm, const struct step *s)
{
	static const char license[] = "GPL"; /* the kernel wants one; the filter calls nothing that needs it */
	union bpf_attr load = {.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
			       .insns = (uint64_t)(uintptr_t)(vm->program.strings + (uint32_t)s->arg[1]),
			       .insn_cnt = (uint32_t)((s->arg[1] >> 32) / sizeof(struct bpf_insn)),
			       .license = (uint64_t)(uintptr_t)license};
	union bpf_attr attach = {.target_fd = (uint32_t)slot(vm, s, 0), .attach_type = BPF_CGROUP_DEVICE,
				 .attach_flags = BPF_F_ALLOW_MULTI};
	long filter = sys(bpf, BPF_PROG_LOAD, &load, sizeof load), r;

	if (filter < 0)
		return (int)filter;
	attach.attach_bpf_fd = (uint32_t)filter;
	r = sys(bpf, BPF_PROG_ATTACH, &attach, sizeof attach);
	return (int)closing(filter, r);
}

/* Signals every process of a cgroup; the number of them, or -errno. One that can be removed has none. */
static long kill_processes(const char *cgroup)
{
	char content[16384];
	long r = sys(unlinkat, AT_FDCWD, cgroup, AT_REMOVEDIR), count = 0;
	const char *at = content;
	uint64_t pid;

	if (r >= 0)
		return 0;
	r = read_processes(cgroup, content, sizeof content);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	for (; parse_decimal(&at, &pid) && *at == '\n'; at++, count++) {
		r = pid ? sys(kill, pid, SIGKILL) : 0;
		if (r < 0 && r != -ESRCH)
			return r;
	}
	return count;
}

int op_cgroup_kill(struct vm *vm, const struct step *s)
{
	const char *path = text(vm, s, 0, 0, NULL);
	long left = 1, r = 0;

	for (int i = 0; i < RETRIES && left > 0 && r >= 0; i++) {
		left = kill_processes(path);
		if (left > 0)
			r = sleep_ms(RETRY_MS);
	}
	if (left < 0 || r < 0)
		return (int)(left < 0 ? left : r);
	return left ? -EBUSY : 0;
}
