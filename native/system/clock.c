/* Dates. */
#include "system/clock.h"

#include "system/memory.h"
#include "system/text.h"

static char *two_digits(char *to, int64_t value, char after)
{
	*to++ = (char)('0' + value / 10);
	*to++ = (char)('0' + value % 10);
	*to++ = after;
	return to;
}

void format_time(char *to, int64_t seconds, int64_t nanoseconds)
{
	int64_t days = seconds / 86400 + 719468, rest = seconds % 86400;
	int64_t era = days / 146097, day_of_era = days % 146097;
	int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t month = (5 * day_of_year + 2) / 153;
	int64_t year = year_of_era + era * 400 + (month >= 10);

	to += decimal(to, (uint64_t)year);
	*to++ = '-';
	to = two_digits(to, month < 10 ? month + 3 : month - 9, '-');
	to = two_digits(to, day_of_year - (153 * month + 2) / 5 + 1, 'T');
	to = two_digits(to, rest / 3600, ':');
	to = two_digits(to, rest / 60 % 60, ':');
	to = two_digits(to, rest % 60, '.');
	for (int64_t unit = 100000000; nanoseconds; nanoseconds %= unit, unit /= 10)
		*to++ = (char)('0' + nanoseconds / unit);
	memcpy(to - (to[-1] == '.'), "Z", 2);
}
