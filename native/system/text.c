/* Texts that end in NUL. */
#include "system/text.h"

#include "system/memory.h"

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

bool has_prefix(const char *s, const char *prefix)
{
	while (*prefix && *s == *prefix)
		s++, prefix++;
	return !*prefix;
}

const char *base_name(const char *path)
{
	const char *name = path;

	for (; *path; path++)
		if (*path == '/')
			name = path + 1;
	return name;
}

bool join(char *to, size_t size, const char *const *pieces)
{
	for (; *pieces; pieces++) {
		size_t length = strlen(*pieces);

		if (length >= size)
			return false;
		memcpy(to, *pieces, length + 1);
		to += length;
		size -= length;
	}
	return true;
}
