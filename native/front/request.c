/* The words of run, create and exec, as far as the front understands them: two dashes, or one and a letter, or some letters of switches. */
#include "front/front.h"
#include "system/memory.h"
#include "system/text.h"

static const struct {
	const char *name;
	const char *letter;
	bool has_value;
	enum dependence kept;
} options[OPTION_COUNT] = {
#define ROW(option, ...) [OPTION_##option] = {__VA_ARGS__},
	CALL_OPTIONS(ROW)
#undef ROW
};

static bool take_option(char **argv, int *i, struct request *q)
{
	for (int k = 0; k < OPTION_COUNT; k++) {
		const char *name = options[k].name, *letter = options[k].letter ? options[k].letter : name, *value = argv[*i];

		if (options[k].has_value ? !(value = option(argv, i, name)) && !(value = option(argv, i, letter))
					 : !streq(value, name) && !streq(value, letter))
			continue;
		q->is_repeated |= q->given[k] != NULL;
		q->given[k] = *value ? value : NULL;
		return true;
	}
	return false;
}

/* Switches of one letter each behind one dash, as in -it. */
static bool take_letters(const char *word, struct request *q)
{
	char one[] = "-?";

	for (const char *letter = word + 1; *letter; letter++) {
		int k = 0;

		one[1] = *letter;
		while (k < OPTION_COUNT && !(options[k].letter && !options[k].has_value && streq(one, options[k].letter)))
			k++;
		if (k == OPTION_COUNT)
			return false;
		q->is_repeated |= q->given[k] != NULL;
		q->given[k] = options[k].letter;
	}
	return word[1] != '\0';
}

bool parse_request(const struct call *call, struct request *q)
{
	char **argv = call->argv;
	int i = call->command + 1;
	bool is_exec = streq(argv[call->command], "exec");

	*q = (struct request){.command = argv[call->command]};
	for (; argv[i] && argv[i][0] == '-'; i++)
		if (!take_option(argv, &i, q) && !take_letters(argv[i], q))
			return false;
	if (!is_exec && argv[i] && argv[i + 1] && !q->given[OPTION_BUNDLE])
		q->given[OPTION_BUNDLE] = argv[i++];
	q->id = argv[i];
	if (!q->id)
		return false;
	q->words = argv + i + 1;
	if (is_exec && *q->words && streq(*q->words, "--"))
		q->words++;
	return is_plain_id(q->id) && (is_exec || !*q->words);
}

char *append(char *to, const char *end, const char *text)
{
	size_t length = strlen(text);

	if (!to || length >= (size_t)(end - to))
		return NULL;
	memcpy(to, text, length + 1);
	return to + length;
}

static bool is_line(const char *text)
{
	while (*text && *text != '\n')
		text++;
	return !*text;
}

char *describe_request(const struct request *q, char *to, const char *end)
{
	to = q->is_repeated ? NULL : append(to, end, q->command);
	for (int k = 0; k < OPTION_COUNT; k++) {
		if (!q->given[k] || options[k].kept == APART || options[k].kept == NONE)
			continue;
		if (options[k].kept == NEVER || !is_line(q->given[k]))
			return NULL;
		to = append(append(to, end, "\n"), end, options[k].name);
		if (options[k].kept == BY_VALUE)
			to = append(append(to, end, "="), end, q->given[k]);
	}
	return to;
}
