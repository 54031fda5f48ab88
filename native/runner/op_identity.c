/* Ids, capabilities, keys and limits of a process. */
#include "runner/op_resolve.h"
#include "runner/vm.h"
#include "system/file.h"

#include <asm/stat.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>

/* "keyring;UID;GID;PERMISSIONS;NAME", the permissions in hexadecimal; false for another form. */
static bool parse_permissions(const char *description, uint32_t *permissions)
{
	int fields = 0;

	*permissions = 0;
	for (; *description && fields < 4; description++) {
		char c = *description;

		if (c == ';')
			fields++;
		else if (fields == 3)
			*permissions = *permissions << 4 | (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	return fields == 4;
}

int op_session_keyring(struct vm *vm, const struct step *s)
{
	uint32_t permissions;
	long key = sys(keyctl, KEYCTL_JOIN_SESSION_KEYRING, text(vm, s, 0, 0, NULL)), length;

	if (key < 0)
		return (int)key;
	length = sys(keyctl, KEYCTL_DESCRIBE, key, vm->command, sizeof vm->command);
	if (length < 0)
		return (int)length;
	if (length > (long)sizeof vm->command) /* then the kernel has written nothing */
		return -ENAMETOOLONG;
	if (!parse_permissions(vm->command, &permissions))
		return -EPROTO;
	return (int)sys(keyctl, KEYCTL_SETPERM, key, permissions | (uint32_t)s->arg[1]);
}

int op_prlimit(struct vm *vm, const struct step *s)
{
	const uint64_t limit[2] = {s->arg[1], s->arg[2]};

	return (int)sys(prlimit64, vm->phase == PHASE_HOST ? vm->shared->pid : 0, s->arg[0], limit, NULL);
}

/* An operand of kind `bytes`: where it is, and how long. */
static const void *bytes(const struct vm *vm, const struct step *s, int i)
{
	return vm->program.strings + (uint32_t)s->arg[i];
}

int op_set_memory_policy(struct vm *vm, const struct step *s)
{
	uint64_t size = s->arg[1] >> 32;

	return (int)sys(set_mempolicy, s->arg[0], size ? bytes(vm, s, 1) : NULL, size * 8);
}

int op_seccomp(struct vm *vm, const struct step *s)
{
	struct sock_fprog filter = {.len = (uint16_t)((s->arg[0] >> 32) / sizeof(struct sock_filter)),
				    .filter = (struct sock_filter *)(uintptr_t)bytes(vm, s, 0)};
	long r = sys(seccomp, SECCOMP_SET_MODE_FILTER, s->arg[1], &filter);

	if (r < 0 || !(s->arg[1] & SECCOMP_FILTER_FLAG_NEW_LISTENER))
		return (int)r;
	vm->shared->listener = (int32_t)r;
	return fill_slot(vm, s, 2, r);
}

int op_chdir(struct vm *vm, const struct step *s)
{
	char path[4096];
	long r;

	if (vm->in_directory)
		return 0;
	r = sys(chdir, string(vm, s, 0));
	if (r >= 0)
		r = sys(getcwd, path, sizeof path);
	if (r < 0)
		return (int)r;
	if (path[0] != '/') /* "(unreachable)...": outside of the root (CVE-2024-21626) */
		return -EXDEV;
	vm->in_directory = true;
	return 0;
}

int op_bounding_set(struct vm *vm, const struct step *s)
{
	(void)vm;
	for (unsigned int cap = 0; cap < 64; cap++) {
		long r;

		if (s->arg[0] >> cap & 1)
			continue;
		r = sys(prctl, PR_CAPBSET_DROP, cap, 0, 0, 0);
		if (r == -EINVAL && cap > 0) /* the first that this kernel does not know */
			return 0;
		if (r < 0)
			return (int)r;
	}
	return 0;
}

int op_capset(struct vm *vm, const struct step *s)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	long r = sys(capget, &header, data);

	(void)vm;
	for (int i = 0; i < 2 && r >= 0; i++) {
		uint32_t may = data[i].permitted;

		data[i].permitted = may & (uint32_t)(s->arg[1] >> 32 * i);
		data[i].effective = data[i].permitted & (uint32_t)(s->arg[0] >> 32 * i);
		data[i].inheritable = may & (uint32_t)(s->arg[2] >> 32 * i);
	}
	return (int)(r < 0 ? r : sys(capset, &header, data));
}

int op_ambient_set(struct vm *vm, const struct step *s)
{
	long r = sys(prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);

	(void)vm;
	for (unsigned int cap = 0; cap < 64 && r >= 0; cap++)
		if (s->arg[0] >> cap & 1)
			r = sys(prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
	return (int)r;
}

int op_setgroups(struct vm *vm, const struct step *s)
{
	return (int)sys(setgroups, (s->arg[0] >> 32) / 4, bytes(vm, s, 0));
}

int op_chown_stdio(struct vm *vm, const struct step *s)
{
	for (int fd = 0; fd <= 2; fd++) {
		struct stat st;
		long r = sys(fstat, fd, &st);

		if (r == -EBADF || (r >= 0 && (is_null_device(&st) || st.st_uid == s->arg[0])))
			continue;
		if (r >= 0)
			r = sys(fchown, fd, s->arg[0], -1);
		if (r < 0 && !is_tolerated(s, r))
			return (int)r;
	}
	(void)vm;
	return 0;
}

int op_reopen_null(struct vm *vm, const struct step *s)
{
	long null = -1, r = 0;

	for (int fd = 0; fd <= 2 && r >= 0; fd++) {
		struct stat st;

		r = vm->nulls < 0 ? sys(fstat, fd, &st) : 0;
		if (r < 0 || !(vm->nulls < 0 ? is_null_device(&st) : vm->nulls >> fd & 1)) {
			r = r == -EBADF ? 0 : r;
			continue;
		}
		if (null < 0)
			r = null = open_beneath(slot(vm, s, 0), "dev/null", O_RDWR);
		if (r >= 0)
			r = sys(fstat, null, &st);
		if (r >= 0)
			r = is_null_device(&st) ? sys(dup3, null, fd, 0) : -ENODEV;
	}
	return (int)(r >= 0 && null >= 0 ? sys(close, null) : r);
}
