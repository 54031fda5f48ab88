/* Dates. */
#pragma once

#include <stdint.h>

/*
 * RFC 3339 in UTC with nanoseconds, without zeros at the end, as Go writes it: no more than 34 bytes with the NUL. The date is
 * computed from days by the Gregorian calendar, years beginning in March.
 */
void format_time(char *to, int64_t seconds, int64_t nanoseconds);
