/* Files of kept programs: a header, the guards, then the program. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True when the file is for this key, and every guard of it holds. */
bool guards_hold(const char *image, size_t size, const char *key);
