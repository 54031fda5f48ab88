/* Files. */
#include "system/file.h"

#include "contract.h"
#include "system/memory.h"
#include "system/sys.h"
#include "system/text.h"

#include <asm/ioctls.h>
#include <asm/stat.h>
#include <asm/termbits.h>
#include <linux/mman.h>

long open_regular(int at, const char *path, uint64_t flags, struct stat *st)
{
	long fd = sys(openat, at, path, flags | O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), r;

	if (fd < 0)
		return fd;
	r = sys(fstat, fd, st);
	if (r >= 0 && !S_ISREG(st->st_mode))
		r = -EBADF;
	return r < 0 ? closing(fd, r) : fd;
}

int check_owner(const struct stat *st)
{
	if ((st->st_uid != (uint32_t)sys(geteuid) && st->st_uid != 0) || (S_ISREG(st->st_mode) && st->st_mode & 022))
		return -EACCES;
	return 0;
}

long open_own(int at, const char *path)
{
	struct stat st;
	long fd = open_regular(at, path, O_NOFOLLOW, &st);

	return fd >= 0 && check_owner(&st) < 0 ? closing(fd, -EACCES) : fd;
}

long read_file(int at, const char *path, char *to, size_t size)
{
	long fd = sys(openat, at, path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? fd : read_opened(fd, to, size);
}

long read_opened(long fd, char *to, size_t size)
{
	size_t used = 0;
	long r = 0;

	while (used < size - 1 && (r = sys(read, fd, to + used, size - 1 - used)) > 0)
		used += (size_t)r;
	to[used] = '\0';
	r = closing(fd, r);
	return r < 0 ? r : (long)used;
}

/* Reads all of a pipe or file into memory that grows by doubling. */
int read_program(int fd, void **image, size_t *size)
{
	size_t capacity = 64 << 10, used = 0;
	char *memory = new_memory(capacity, MAP_PRIVATE);

	while (memory) {
		long r = sys(read, fd, memory + used, capacity - used);

		if (r < 0)
			return (int)r;
		if (r == 0) {
			*image = memory;
			*size = used;
			return 0;
		}
		used += (size_t)r;
		if (used < capacity)
			continue;
		if (capacity > MAX_PROGRAM)
			return -EFBIG;
		r = sys(mremap, memory, capacity, capacity * 2, MREMAP_MAYMOVE);
		memory = r < 0 && r > -4096 ? NULL : (char *)r;
		capacity *= 2;
	}
	return -ENOMEM;
}

int write_all(int fd, const char *from, size_t length)
{
	long r = sys(write, fd, from, length);

	if (r < 0)
		return (int)r;
	return (size_t)r == length ? 0 : (int)FAIL_AS(write, -EIO);
}

long write_file(int at, const char *path, uint64_t flags, uint64_t mode, const char *content, size_t length)
{
	long fd = sys(openat, at, path, flags | O_WRONLY | O_CLOEXEC, mode), r;

	if (fd < 0)
		return fd;
	r = write_all((int)fd, content, length);
	return closing(fd, r);
}

void name_of_fd(char *to, int fd)
{
	memcpy(to, "/proc/self/fd/", 14);
	decimal(to + 14, (uint64_t)fd);
}

uint64_t device_number(uint64_t major, uint64_t minor)
{
	return (minor & 0xff) | (major & 0xfff) << 8 | (minor & ~0xffULL) << 12 | (major & ~0xfffULL) << 32;
}

bool path_through_fd(char *to, size_t size, long fd, const char *name)
{
	char directory[40];

	name_of_fd(directory, (int)fd);
	return join(to, size, (const char *const[]){directory, "/", name, NULL});
}

bool is_null_device(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == device_number(1, 3);
}

/* Returns 0 when the file can be executed; a directory cannot. */
static long try_command(const char *path)
{
	struct stat st;
	long r = sys(newfstatat, AT_FDCWD, path, &st, 0);

	if (r < 0)
		return r;
	if (S_ISDIR(st.st_mode))
		return -EACCES;
	/* The real ids are the effective ones by now; old filters do not know faccessat2(2), which heeds capabilities. */
	r = sys(faccessat, AT_FDCWD, path, X_OK);
	return r == -EACCES && sys(faccessat2, AT_FDCWD, path, X_OK, AT_EACCESS) >= 0 ? 0 : r;
}

int search_path(const char *name, const char *path, char *to, size_t size)
{
	size_t name_length = strlen(name);
	int result = -ENOENT;

	if (!name_length || name_length >= size)
		return name_length ? -ENAMETOOLONG : -ENOENT;
	memcpy(to, name, name_length + 1);
	for (const char *c = name; *c; c++)
		if (*c == '/')
			return (int)try_command(to);
	for (const char *start = path; start; path++) {
		size_t length = (size_t)(path - start);
		long r = -ENAMETOOLONG;

		if (*path && *path != ':')
			continue;
		if (length + name_length + 2 < size) {
			memcpy(to, start, length);
			if (!length)
				to[length++] = '.';
			to[length] = '/';
			memcpy(to + length + 1, name, name_length + 1);
			r = try_command(to);
		}
		if (r >= 0)
			return 0;
		if (r == -EACCES)
			result = -EACCES;
		start = *path ? path + 1 : NULL;
	}
	return result;
}

bool is_terminal(int fd)
{
	struct termios settings;

	return probe(ioctl, fd, TCGETS, &settings) >= 0;
}
