#include "system/sys.h"

struct failed_call failed = {.number = NO_CALL};

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	unsigned char *t = to;
	const unsigned char *f = from;

	while (n--)
		*t++ = *f++;
	return to;
}

void *memset(void *to, int byte, size_t n)
{
	unsigned char *t = to;

	while (n--)
		*t++ = (unsigned char)byte;
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t strlen(const char *s)
{
	const char *end = s;

	while (*end)
		end++;
	return (size_t)(end - s);
}

bool streq(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

size_t decimal(char *to, uint64_t value)
{
	char digits[20];
	size_t n = 0, length;

	do
		digits[n++] = (char)('0' + value % 10);
	while (value /= 10);
	length = n;
	while (n)
		*to++ = digits[--n];
	*to = '\0';
	return length;
}

bool parse_decimal(const char **s, uint64_t *value)
{
	const char *start = *s;

	*value = 0;
	for (; **s >= '0' && **s <= '9'; (*s)++)
		*value = *value * 10 + (uint64_t)(**s - '0');
	return *s != start;
}

_Noreturn void exit_with(int status)
{
	for (;;)
		syscall6(__NR_exit_group, status, 0, 0, 0, 0, 0);
}
