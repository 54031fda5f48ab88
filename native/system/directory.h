/* Directories: their entries, and the removal of a state directory and of cgroups. */
#pragma once

#include <stdint.h>

struct directory_entry {
	uint64_t inode;
	int64_t offset;
	uint16_t length;
	uint8_t type;
	char name[];
};

/* A directory being read: all but `directory` begins as 0. */
struct listing {
	long directory;
	long at, size; /* size: an error at the end, if there was one */
	_Alignas(struct directory_entry) char buffer[2048];
};

/* The next entry, without "." and ".."; NULL at the end. */
const struct directory_entry *next_entry(struct listing *listing);

/* Unlinks the files in a directory, state.json last: as long as anything is left, it says what that is. */
long unlink_entries(long directory);

/* Removes a cgroup and those below it; waits for the kernel to let go of what has just ended. One that is gone is no error. */
long remove_cgroup(const char *path);
