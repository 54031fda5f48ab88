/* Files: opened so that nobody else can make this process wait or read what is not its own, read and written whole. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stat;

/* -EACCES when others than the caller and root could have written it. */
int check_owner(const struct stat *st);

/* Opens a file that somebody else may have put there, for reading: it never waits, and is a regular file. */
long open_regular(int at, const char *path, uint64_t flags, struct stat *st);

/* The same for one that nobody but the caller and root can have written, and that is no link. */
long open_own(int at, const char *path);

/* read(2) until the end or the buffer is full, NUL-terminated; the number of bytes. */
long read_file(int at, const char *path, char *to, size_t size);

/* The same of a descriptor, which is closed. */
long read_opened(long fd, char *to, size_t size);

/* Reads all of a descriptor into new memory. */
int read_program(int fd, void **image, size_t *size);

/* write(2) of everything; -EIO when the kernel takes only a part. */
int write_all(int fd, const char *from, size_t length);

/* One write(2) of the whole content; flags beside O_WRONLY. */
long write_file(int at, const char *path, uint64_t flags, uint64_t mode, const char *content, size_t length);

/* "/proc/self/fd/N" of the host's /proc: mount(2) takes only names, and this one leads to the descriptor. */
void name_of_fd(char *to, int fd);

/* The number of a device as stat(2) has it: makedev(3). */
uint64_t device_number(uint64_t major, uint64_t minor);

/* "/proc/self/fd/FD/NAME": setxattr(2) has no form that takes a directory before Linux 6.13. False when there is no room. */
bool path_through_fd(char *to, size_t size, long fd, const char *name);

/* True for /dev/null, by whatever name. */
bool is_null_device(const struct stat *st);

/* Finds an executable as execvp(3) does, in the directories of `path`: -ENOENT, -EACCES ... */
int search_path(const char *name, const char *path, char *to, size_t size);

/* For access(2). */
enum { F_OK = 0, X_OK = 1 };

bool is_terminal(int fd);
