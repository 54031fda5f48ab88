/* Paths of the rootfs. */
#pragma once

#include "runner/ops.h"

#include <stdint.h>

/* Opens beneath `at` through no symbolic link; flags as openat(2). */
long open_beneath(int at, const char *path, uint64_t flags);

/* Opens a path of the rootfs as if `root` were "/"; through no magic link. */
long open_in_root(int root, const char *path, uint64_t flags);

/* The same with O_PATH, and makes what is missing of the path, as the kind says. */
long resolve(int root, const char *path, enum resolve_kind kind, uint64_t mode);
