/* The functions for memory and texts that compilers and the engine call: as in C11 7.24. */
#include <stddef.h>
#include <stdint.h>

/* Words and vectors that lie anywhere, and that others may see as bytes. */
typedef uint16_t __attribute__((may_alias, aligned(1))) two;
typedef uint32_t __attribute__((may_alias, aligned(1))) four;
typedef uint64_t __attribute__((may_alias, aligned(1))) eight;
typedef unsigned char __attribute__((vector_size(16), may_alias, aligned(1))) sixteen;

/* From here on the processor's own copying is as fast. */
enum { LONG = 512 };

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
int bcmp(const void *a, const void *b, size_t n);
void *memchr(const void *from, int byte, size_t n);
size_t strlen(const char *s);
char *strcpy(char *restrict to, const char *restrict from);
int strcmp(const char *a, const char *b);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *s, const char *wanted);

/* The first and the last bytes of a block overlap, so that a size between two powers of two takes two steps. All is read first. */
#define COPY_ENDS(type, to, from, n) \
	do { \
		type first = *(const type *)(from), last = *(const type *)((from) + (n) - sizeof(type)); \
		*(type *)(to) = first; \
		*(type *)((to) + (n) - sizeof(type)) = last; \
	} while (0)

static void copy_short(unsigned char *t, const unsigned char *f, size_t n)
{
	if (n >= 16)
		COPY_ENDS(sixteen, t, f, n);
	else if (n >= 8)
		COPY_ENDS(eight, t, f, n);
	else if (n >= 4)
		COPY_ENDS(four, t, f, n);
	else if (n >= 2)
		COPY_ENDS(two, t, f, n);
	else if (n)
		*t = *f;
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	unsigned char *t = to;
	const unsigned char *f = from;

	if (n <= 32) {
		copy_short(t, f, n);
		return to;
	}
#if defined(__x86_64__)
	if (n >= LONG) {
		__asm__ volatile("rep movsb" : "+D"(t), "+S"(f), "+c"(n) : : "memory");
		return to;
	}
#endif
	for (size_t at = 0; at < n - 16; at += 16)
		*(sixteen *)(t + at) = *(const sixteen *)(f + at);
	*(sixteen *)(t + n - 16) = *(const sixteen *)(f + n - 16);
	return to;
}

void *memmove(void *to, const void *from, size_t n)
{
	unsigned char *t = to;
	const unsigned char *f = from;
	sixteen end;

	if (n <= 32) {
		copy_short(t, f, n);
		return to;
	}
	if ((uintptr_t)t - (uintptr_t)f >= n && (uintptr_t)f - (uintptr_t)t >= n)
		return memcpy(to, from, n);
	if ((uintptr_t)t - (uintptr_t)f >= n) {
		end = *(const sixteen *)(f + n - 16);
		for (size_t at = 0; at < n - 16; at += 16)
			*(sixteen *)(t + at) = *(const sixteen *)(f + at);
		*(sixteen *)(t + n - 16) = end;
		return to;
	}
	end = *(const sixteen *)f;
	for (size_t at = n - 16; at > 0; at = at > 16 ? at - 16 : 0)
		*(sixteen *)(t + at) = *(const sixteen *)(f + at);
	*(sixteen *)t = end;
	return to;
}

void *memset(void *to, int byte, size_t n)
{
	unsigned char *t = to;
	uint64_t all = (unsigned char)byte * 0x0101010101010101u;
	sixteen block;

	if (n < 16) {
		if (n >= 8) {
			*(eight *)t = *(eight *)(t + n - 8) = all;
		} else if (n >= 4) {
			*(four *)t = *(four *)(t + n - 4) = (uint32_t)all;
		} else if (n >= 2) {
			*(two *)t = *(two *)(t + n - 2) = (uint16_t)all;
		} else if (n) {
			*t = (unsigned char)byte;
		}
		return to;
	}
#if defined(__x86_64__)
	if (n >= LONG) {
		__asm__ volatile("rep stosb" : "+D"(t), "+c"(n) : "a"(byte) : "memory");
		return to;
	}
#endif
	block = (sixteen){0} + (unsigned char)byte;
	for (size_t at = 0; at < n - 16; at += 16)
		*(sixteen *)(t + at) = block;
	*(sixteen *)(t + n - 16) = block;
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	while (n >= 8 && *(const eight *)x == *(const eight *)y) {
		x += 8;
		y += 8;
		n -= 8;
	}
	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

int bcmp(const void *a, const void *b, size_t n)
{
	return memcmp(a, b, n);
}

void *memchr(const void *from, int byte, size_t n)
{
	for (const unsigned char *f = from; n; n--, f++)
		if (*f == (unsigned char)byte)
			return (void *)(uintptr_t)f;
	return NULL;
}

size_t strlen(const char *s)
{
	const char *end = s;

	while (*end)
		end++;
	return (size_t)(end - s);
}

char *strcpy(char *restrict to, const char *restrict from)
{
	return memcpy(to, from, strlen(from) + 1);
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (unsigned char)*a - (unsigned char)*b;
}

char *strchr(const char *s, int c)
{
	for (; *s != (char)c; s++)
		if (!*s)
			return NULL;
	return (char *)(uintptr_t)s;
}

char *strrchr(const char *s, int c)
{
	const char *found = NULL;

	do {
		if (*s == (char)c)
			found = s;
	} while (*s++);
	return (char *)(uintptr_t)found;
}

char *strstr(const char *s, const char *wanted)
{
	size_t length = strlen(wanted), left = strlen(s);

	for (; left >= length; s++, left--)
		if (memcmp(s, wanted, length) == 0)
			return (char *)(uintptr_t)s;
	return NULL;
}
