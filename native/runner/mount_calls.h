/* Mounts that are attached when they are ready. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct mount_attr;

/* struct statfs as 64-bit kernels write it (asm-generic/statfs.h). */
struct filesystem {
	long type;
	long sizes[9];
	long flags;
	long spare[4];
};

/* True when mounts are prepared by mount(2), because a call of Linux 5.2 or mount_setattr(2) is missing. */
bool is_old_kernel(void);

/* mount_setattr(2) of a mount by its descriptor; flags: AT_RECURSIVE. */
long set_attributes(int mount, uint64_t flags, const struct mount_attr *attributes);

/* open_tree(2): a copy of a mount that is attached nowhere yet; no path: of what `at` stands for. */
long copy_mount(int at, const char *path, uint64_t flags);

/* fsopen(2) and so on: a new mount that is attached nowhere yet; options: names and values in turn. */
long make_mount(const char *type, char **options, uint64_t attributes);

/* move_mount(2) of such a mount, on `target` itself, or on what has this name there, which is no link. */
long attach_mount(int mount, int target, const char *name);

/* The root is a mount that is shared with the host, which would have what these leave on "/" for a while. */
void note_shared_root(void);

/* Takes off "/" what these have left there, unless a mount still waits to be attached; the last time, that too. */
long leave_stage(bool is_last);
