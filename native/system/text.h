/* Texts that end in NUL. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool streq(const char *a, const char *b);
/* Writes a number in decimal and its NUL; returns the length. The buffer holds 24 bytes or more. */
size_t decimal(char *to, uint64_t value);
/* Reads a decimal number at *s and moves *s behind it; false when there is none. */
bool parse_decimal(const char **s, uint64_t *value);

bool has_prefix(const char *s, const char *prefix);
const char *base_name(const char *path);

/* Copies pieces one after the other; false when they do not fit. The last one is NULL. */
bool join(char *to, size_t size, const char *const *pieces);
#define JOIN(to, ...) join(to, sizeof(to), (const char *const[]){__VA_ARGS__, NULL})
