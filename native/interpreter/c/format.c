/* Formatted texts, as far as the engine makes any: C11 7.21.6.1 without wide characters and fractions, which it formats itself. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n);
size_t strlen(const char *s);
_Noreturn void stop(const char *text);

int vsnprintf(char *to, size_t size, const char *format, va_list values);
int snprintf(char *to, size_t size, const char *format, ...);

/* The text so far: it has a length also where there is no room. */
struct text {
	char *to;
	size_t size, length;
};

/* How one value is to be written. */
struct form {
	bool is_left, is_signed, has_zeros;
	int width, precision; /* -1 where there is none */
};

static void add(struct text *text, char c)
{
	if (text->length + 1 < text->size)
		text->to[text->length] = c;
	text->length++;
}

static void add_times(struct text *text, char c, int times)
{
	for (; times > 0; times--)
		add(text, c);
}

/* Digits or characters behind a sign, in the width. */
static void add_field(struct text *text, const struct form *form, char sign, const char *from, int length)
{
	int space = form->width - length - (sign != 0);

	if (!form->is_left && !form->has_zeros)
		add_times(text, ' ', space);
	if (sign)
		add(text, sign);
	if (form->has_zeros)
		add_times(text, '0', space);
	for (int at = 0; at < length; at++)
		add(text, from[at]);
	if (form->is_left)
		add_times(text, ' ', space);
}

static void add_number(struct text *text, struct form form, char sign, uint64_t value, unsigned base, const char *digits)
{
	char all[64];
	int at = sizeof all;

	for (; value || (at == sizeof all && form.precision != 0); value /= base)
		all[--at] = digits[value % base];
	while ((int)sizeof all - at < form.precision && at > 0)
		all[--at] = '0';
	form.has_zeros = form.has_zeros && !form.is_left && form.precision < 0;
	add_field(text, &form, sign, all + at, (int)sizeof all - at);
}

/* A number in the format, or of the values where it has an asterisk. */
static int number_at(const char **format, va_list *values)
{
	int number = 0;

	if (**format == '*') {
		(*format)++;
		return va_arg(*values, int);
	}
	for (; **format >= '0' && **format <= '9'; (*format)++)
		number = number * 10 + (**format - '0');
	return number;
}

static struct form form_at(const char **format, va_list *values)
{
	struct form form = {.precision = -1};

	for (;; (*format)++) {
		if (**format == '-')
			form.is_left = true;
		else if (**format == '+')
			form.is_signed = true;
		else if (**format == '0')
			form.has_zeros = true;
		else
			break;
	}
	form.width = number_at(format, values);
	if (form.width < 0) {
		form.is_left = true;
		form.width = -form.width;
	}
	if (**format == '.') {
		(*format)++;
		form.precision = number_at(format, values);
	}
	return form;
}

static void add_string(struct text *text, struct form form, const char *s)
{
	int length = 0;

	while ((form.precision < 0 || length < form.precision) && s[length])
		length++;
	form.has_zeros = false;
	add_field(text, &form, 0, s, length);
}

static void add_integer(struct text *text, const struct form *form, char kind, bool is_long, va_list *values)
{
	if (kind == 'd' || kind == 'i') {
		int64_t value = is_long ? va_arg(*values, long) : va_arg(*values, int);
		uint64_t size = value < 0 ? -(uint64_t)value : (uint64_t)value;

		add_number(text, *form, value < 0 ? '-' : form->is_signed ? '+' : 0, size, 10, "0123456789");
	} else {
		uint64_t value = is_long ? va_arg(*values, unsigned long) : va_arg(*values, unsigned);
		const char *digits = kind == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";

		add_number(text, *form, 0, value, kind == 'u' ? 10 : 16, digits);
	}
}

int vsnprintf(char *to, size_t size, const char *format, va_list given)
{
	struct text text = {.to = to, .size = size};
	va_list values;

	va_copy(values, given);
	for (; *format; format++) {
		struct form form;
		bool is_long = false;
		char c;

		if (*format != '%') {
			add(&text, *format);
			continue;
		}
		format++;
		form = form_at(&format, &values);
		for (; *format == 'l' || *format == 'z' || *format == 'j' || *format == 'h'; format++)
			is_long = is_long || *format != 'h';
		switch (*format) {
		case 'd':
		case 'i':
		case 'u':
		case 'x':
		case 'X':
			add_integer(&text, &form, *format, is_long, &values);
			break;
		case 'p':
			add_string(&text, (struct form){.precision = -1}, "0x");
			add_number(&text, form, 0, (uintptr_t)va_arg(values, void *), 16, "0123456789abcdef");
			break;
		case 'c':
			c = (char)va_arg(values, int);
			add_field(&text, &form, 0, &c, 1);
			break;
		case 's':
			add_string(&text, form, va_arg(values, const char *));
			break;
		case '%':
			add(&text, '%');
			break;
		default:
			stop("a text has a format that is not known");
		}
	}
	va_end(values);
	if (size)
		to[text.length < size ? text.length : size - 1] = 0;
	return (int)text.length;
}

int snprintf(char *to, size_t size, const char *format, ...)
{
	va_list values;
	int length;

	va_start(values, format);
	length = vsnprintf(to, size, format, values);
	va_end(values);
	return length;
}
