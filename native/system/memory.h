/* Memory, without a C library. */
#pragma once

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);

/* mmap(2), zeroed; `sharing` is MAP_PRIVATE or MAP_SHARED. NULL when there is none. */
void *new_memory(size_t size, unsigned long sharing);
