/* Compares what the interpreter has instead of a C library with the C library. */
#define memcpy own_memcpy
#define memmove own_memmove
#define memset own_memset
#define memcmp own_memcmp
#define bcmp own_bcmp
#define memchr own_memchr
#define strlen own_strlen
#define strcpy own_strcpy
#define strcmp own_strcmp
#define strchr own_strchr
#define strrchr own_strrchr
#define strstr own_strstr
#define snprintf own_snprintf
#define vsnprintf own_vsnprintf
#include "../../native/interpreter/c/memory.c"

#include "../../native/interpreter/c/format.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef bcmp
#undef memchr
#undef strlen
#undef strcpy
#undef strcmp
#undef strchr
#undef strrchr
#undef strstr
#undef snprintf
#undef vsnprintf
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void stop(const char *text)
{
	fprintf(stderr, "%s\n", text);
	exit(1);
}

/* Larger than what the processor copies by itself. */
enum { MOST = 700, SIZE = 3 * MOST };
static unsigned char expected[SIZE], own[SIZE];

static void fill(void)
{
	for (int at = 0; at < SIZE; at++)
		expected[at] = own[at] = (unsigned char)(at * 7 + (at >> 8));
}

static void check(const char *name, size_t n, int distance)
{
	if (memcmp(expected, own, SIZE) == 0)
		return;
	fprintf(stderr, "%s of %zu bytes over %d differs\n", name, n, distance);
	exit(1);
}

static void compare_memory(void)
{
	for (size_t n = 0; n <= MOST; n++) {
		fill();
		memcpy(expected + 1, expected + SIZE - n, n);
		own_memcpy(own + 1, own + SIZE - n, n);
		check("memcpy", n, 0);
		memset(expected + 3, (int)n, n);
		own_memset(own + 3, (int)n, n);
		check("memset", n, 0);
		for (int distance = -40; distance <= 40; distance++) {
			fill();
			memmove(expected + MOST + distance, expected + MOST, n);
			own_memmove(own + MOST + distance, own + MOST, n);
			check("memmove", n, distance);
		}
	}
}

static int sign(int number)
{
	return (number > 0) - (number < 0);
}

static void compare_texts(void)
{
	static const char *const texts[] = {"", "a", "b", "aa", "ab", "aab", "abcabcd", "abcabcabcd", "\xff\x01", "a/b/c"};
	enum { COUNT = sizeof texts / sizeof *texts };
	char copy[32];

	for (int i = 0; i < COUNT; i++) {
		const char *text = texts[i];
		size_t n = strlen(text);

		if (own_strlen(text) != n || strcmp(own_strcpy(copy, text), text) != 0)
			stop("strlen or strcpy differs");
		for (int c = 0; c < 256; c++)
			if (own_strchr(text, c) != strchr(text, c) || own_strrchr(text, c) != strrchr(text, c) ||
			    own_memchr(text, c, n) != memchr(text, c, n))
				stop("a search for a character differs");
		for (int k = 0; k < COUNT; k++) {
			size_t least = n < strlen(texts[k]) ? n : strlen(texts[k]);

			if (sign(own_strcmp(text, texts[k])) != sign(strcmp(text, texts[k])) ||
			    sign(own_memcmp(text, texts[k], least)) != sign(memcmp(text, texts[k], least)) ||
			    own_strstr(text, texts[k]) != strstr(text, texts[k]))
				stop("a comparison differs");
		}
	}
}

#define COMPARE(...) \
	for (size_t size = 0; size <= sizeof wanted; size += size < 24 ? 1 : 40) { \
		int length = snprintf(wanted, size, __VA_ARGS__); \
		if (own_snprintf(given, size, __VA_ARGS__) != length || (size && strcmp(wanted, given) != 0)) { \
			fprintf(stderr, "in %zu bytes, \"%s\" is \"%s\"\n", size, wanted, given); \
			exit(1); \
		} \
	}

static void compare_formats(void)
{
	char wanted[128], given[128];
	static const int numbers[] = {0, 1, -1, 7, -42, 12345678, INT_MAX, INT_MIN};

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		int n = numbers[i];

		COMPARE("%d %i|%5d|%-5d|%05d|%+d|%+07d", n, n, n, n, n, n, n);
		COMPARE("%u %x %X|%04x|%8x|%08x|%-8x|", n, n, n, n, n, n, n);
		COMPARE("%ld %lu %zu %zd|%20ld", (long)n * 1048576, (long)n, (size_t)n, (size_t)n, (long)n);
		COMPARE("%0*d|%*d|%.3d|%2.0d|%8.3d", 4, n, -6, n, n, n, n);
	}
	COMPARE("%s|%10s|%-10s|%.3s|%.*s|%.0s", "text", "text", "text", "text", 2, "text", "text");
	COMPARE("100%% of %c and %3c|", 'x', 'y');
	COMPARE("%.3s, %02d %.3s %0*d ", "MonTue", 5, "JanFeb", 4, 2026);
}

int main(void)
{
	compare_memory();
	compare_texts();
	compare_formats();
	return 0;
}
