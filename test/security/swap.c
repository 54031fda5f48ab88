/*
 * Puts one name in the place of another and takes it back, as fast as it can, for one pair after the other: swap A B [C D]...
 * Prints a line once it has begun, and counts in a file "swaps" of the current directory.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int exchange(const char *a, const char *b)
{
	if (renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) == 0)
		return 1;
	perror(a);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned long pairs = (unsigned long)(argc - 1) / 2, state = 88172645463325252;
	int file = open("swaps", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	char count[32];

	for (unsigned long swaps = 0;; swaps++) {
		char **pair = argv + 1 + state % pairs * 2;

		state ^= state << 13, state ^= state >> 7, state ^= state << 17;
		if (!exchange(pair[0], pair[1]))
			return 1;
		for (volatile unsigned long wait = state >> 32 & 0x3fff; wait; wait--)
			;
		if (!exchange(pair[0], pair[1]))
			return 1;
		if (swaps % 256 == 255 && pwrite(file, count, (size_t)sprintf(count, "%lu\n", swaps), 0) < 0)
			return 1;
		if (swaps == 256)
			puts("begun"), fflush(stdout);
	}
}
