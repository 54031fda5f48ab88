/* Where Node.js is when PATH does not say, as under sudo(8): by what the build has written down, and in the usual places. */
#include "front/front.h"
#include "system/environment.h"
#include "system/file.h"
#include "system/memory.h"
#include "system/text.h"

#include <asm/stat.h>

/* True when nobody but root and the caller can change the file or directory at this path, whose parents are safe. */
static bool is_own(const char *path, uint32_t type)
{
	struct stat st;

	if (sys(newfstatat, AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || (st.st_mode & S_IFMT) != type ||
	    (st.st_uid != 0 && st.st_uid != (uint32_t)sys(geteuid)))
		return false;
	/* In a directory like /tmp nobody can replace what belongs to another. */
	return !(st.st_mode & 022) || (type == S_IFDIR && st.st_mode & S_ISVTX);
}

/* The real path of a file, if neither it nor a directory above it can be changed by others: a link to it may be anybody's. */
static bool find_own(const char *path, char *to, size_t size)
{
	char link[40];
	long fd = sys(openat, AT_FDCWD, path, O_PATH | O_CLOEXEC), length;

	if (fd < 0)
		return false;
	name_of_fd(link, (int)fd);
	length = closing(fd, sys(readlinkat, AT_FDCWD, link, to, size - 1));
	if (length <= 0 || *to != '/' || !is_own("/", S_IFDIR))
		return false;
	to[length] = '\0';
	for (char *c = to + 1; *c; c++) {
		bool is_safe;

		if (*c != '/')
			continue;
		*c = '\0';
		is_safe = is_own(to, S_IFDIR);
		*c = '/';
		if (!is_safe)
			return false;
	}
	return is_own(to, S_IFREG) && sys(faccessat, AT_FDCWD, to, X_OK) >= 0;
}

/* The path in the file "node" beside the binary, which the build writes. */
static bool read_recorded(const char *exe, char *to, size_t size)
{
	char file[PATH_SIZE];
	size_t length = (size_t)(base_name(exe) - exe);
	long fd, r;

	if (length + sizeof "node" > sizeof file)
		return false;
	memcpy(file, exe, length);
	memcpy(file + length, "node", sizeof "node");
	fd = sys(openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return false;
	r = closing(fd, sys(read, fd, to, size - 1));
	if (r <= 0 || *to != '/')
		return false;
	to[r] = '\0';
	for (char *c = to; *c; c++)
		if (*c == '\n')
			*c = '\0';
	return true;
}

/* PREFIX/bin/node for PREFIX/lib/node_modules/...: where npm, which has installed this, keeps its own Node.js. */
static bool find_npm_prefix(const char *exe, char *to, size_t size)
{
	static const char modules[] = "/lib/node_modules/", node[] = "/bin/node";

	for (size_t i = 0; exe[i]; i++)
		if (has_prefix(exe + i, modules) && i + sizeof node <= size) {
			memcpy(to, exe, i);
			memcpy(to + i, node, sizeof node);
			return true;
		}
	return false;
}

bool find_node(const struct call *call, char *to, size_t size, char *refused, size_t refused_size)
{
	static const char *const usual[] = {"/usr/local/bin/node", "/usr/bin/node"};
	const char *path = variable(call->env, "PATH");
	char named[PATH_SIZE];

	*refused = '\0';
	/* Some engines leave no environment at all; execvp(3) too has a default then. */
	if (search_path("node", path ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", to, size) >= 0)
		return true;
	for (int i = 0; i < 4; i++) {
		const char *const pieces[] = {i < 2 ? named : usual[i - 2], NULL};

		if ((i == 0 && !read_recorded(call->exe, named, sizeof named)) ||
		    (i == 1 && !find_npm_prefix(call->exe, named, sizeof named)))
			continue;
		if (find_own(pieces[0], to, size))
			return true;
		if (!*refused && sys(faccessat, AT_FDCWD, pieces[0], X_OK) >= 0 && !join(refused, refused_size, pieces))
			*refused = '\0';
	}
	return false;
}
