/* The command in a process in JSON. */
#include "front/process_text.h"

#include "system/text.h"

/* One character of a string in JSON, ASCII alone; 0 for one of another form, or at the end of the text. */
static char take_character(const char **at)
{
	const char *c = *at;
	char value = *c;

	if (value < ' ' || value > '~')
		return '\0';
	if (value != '\\') {
		++*at;
		return value;
	}
	*at += 2;
	if (!has_prefix(c, "\\u00"))
		return c[1] == '"' || c[1] == '\\' || c[1] == '/' ? c[1] : c[1] == 'n' ? '\n' : c[1] == 't' ? '\t' : '\0';
	*at += 4;
	value = 0;
	for (int i = 4; i < 6; i++) {
		char digit = c[i] | 0x20;
		bool is_letter = digit >= 'a' && digit <= 'f';

		if (!is_letter && (c[i] < '0' || c[i] > '9'))
			return '\0';
		value = (char)(value << 4 | (is_letter ? digit - 'a' + 10 : c[i] - '0'));
	}
	return value > 0 ? value : '\0';
}

bool take_command(char *process, char **words, char *text)
{
	char *start = process, *to = text;
	const char *at;
	size_t count = 0;

	while (*start && !has_prefix(start, "\"args\":["))
		start++;
	if (!*start)
		return false;
	at = start += 8;
	do {
		if (*at++ != '"' || count == MAX_WORDS - 1)
			return false;
		words[count++] = to;
		while (*at != '"')
			if (!(*to++ = take_character(&at)))
				return false;
		*to++ = '\0';
	} while (*++at == ',' && at++);
	if (*at != ']')
		return false;
	do
		*start++ = *at;
	while (*at++);
	words[count] = NULL;
	return *text;
}
