/*
 *   decoders COUNT FILE...
 *
 * The decoders of what the runner reads: a program, a kept program with its guards, the message of a compiler with a program, the
 * record of a container, a process. The input goes to the decoder that its first bytes are for, and then everything that the decoder let through is used as the
 * runner would use it: the sanitizers see any step outside.
 *
 * With LIBFUZZER it is a target of libFuzzer; else it takes each file that it is given, and COUNT mutations of it.
 */
#include "contract.h"
#include "front/front.h"
#include "front/guards.h"
#include "front/process_text.h"
#include "front/record.h"
#include "runner/program.h"
#include "system/file.h"
#include "system/memory.h"
#include "system/sys.h"
#include "system/text.h"

#include <asm/stat.h>
#include <linux/memfd.h>

/* The headers of the C library do not go with those of the kernel. */
void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void free(void *memory);
_Noreturn void abort(void);

/* The linker has this called in place of open_regular(): no file that an input names is opened. */
long __wrap_open_regular(int at, const char *path, uint64_t flags, struct stat *st);

void *new_memory(size_t size, unsigned long sharing)
{
	(void)sharing;
	return calloc(1, size);
}

/* The name of a file is what is in it. */
long __wrap_open_regular(int at, const char *path, uint64_t flags, struct stat *st)
{
	long fd = sys(memfd_create, "named", MFD_CLOEXEC), r;

	(void)at, (void)flags;
	r = fd < 0 ? fd : sys(pwrite64, fd, path, strlen(path), 0);
	return r < 0 ? r : sys(fstat, fd, st) < 0 ? -EIO : fd;
}

static volatile uint64_t used;

static void use(const void *bytes, size_t length)
{
	for (const unsigned char *b = bytes; length--; b++)
		used += *b;
}

static void use_string(const char *s)
{
	use(s, strlen(s) + 1);
}

/* As text() in vm.c fills it in, with registers as long as they can be. */
static size_t filled(const char *s)
{
	size_t length = 1;

	for (; *s; s++, length++)
		if (*s == TEXT_ESCAPE && *++s != TEXT_ESCAPE)
			length += MAX_REGISTER - 1;
	return length;
}

static void use_operand(const struct program *p, enum operand_kind kind, uint64_t value)
{
	switch (kind) {
	case OPERAND_TEXT:
		if (filled(p->strings + value) > p->longest_text)
			abort();
		use_string(p->strings + value);
		break;
	case OPERAND_STRING:
		use_string(p->strings + value);
		break;
	case OPERAND_LIST:
		for (char **entry = (char **)(void *)(p->lists + value); *entry; entry++)
			use_string(*entry);
		break;
	case OPERAND_BYTES:
		use(p->strings + (uint32_t)value, value >> 32);
		break;
	case OPERAND_SLOT:
	case OPERAND_NEW_SLOT:
		if (value >= MAX_SLOTS && (kind == OPERAND_NEW_SLOT || value != UINT64_MAX))
			abort();
		break;
	case OPERAND_NONE:
	case OPERAND_NUMBER:
		break;
	}
}

static void try_program(void *image, size_t size)
{
	struct program p;

	if (program_load(&p, image, size) < 0)
		return;
	for (int phase = 0; phase < PHASE_COUNT; phase++)
		for (uint32_t i = p.first[phase]; i < p.end[phase]; i++) {
			const struct step *s = &p.steps[i];

			use_string(p.strings + s->from);
			for (int operand = 0; operand < MAX_OPERANDS; operand++)
				use_operand(&p, operand_kinds[s->op][operand], s->arg[operand]);
		}
}

static void try_kept(char *image, size_t size)
{
	const struct kept_header *h = (const void *)image;

	if (guards_hold(image, size, "key"))
		try_program(image + h->program, size - h->program);
}

/* The message has nothing to know it by: in an input it comes behind this. */
static const char message_mark[8] = "message";

static void try_message(char *image, size_t size)
{
	struct job job = {0};

	if (!parse_handover(image, size, &job))
		return;
	use_string(job.id);
	use_string(job.directory);
	use_string(job.pid_file);
	use_string(job.console_socket);
	if (job.program <= job.console_socket || job.program + job.size != image + size)
		abort();
	try_program(job.program, job.size);
}

static void try_record(char *record, size_t size)
{
	struct container c = {0};

	record[size - 1] = '\0';
	if (!parse_record(&c, record))
		return;
	for (int i = 0; i < RECORD_LINES; i++)
		use_string(c.line[i]);
	for (const char *const *path = c.cgroups; *path; path++)
		use_string(*path);
	use_string(c.head);
	use_string(c.tail);
}

/* A process in JSON, of which the command is taken out. */
static void try_process(const char *image, size_t size)
{
	char *process = malloc(size + 1), *text = malloc(size + 1), **words = malloc(MAX_WORDS * sizeof *words);

	memcpy(process, image, size);
	process[size] = '\0';
	if (take_command(process, words, text)) {
		use_string(process);
		for (char **word = words; *word; word++)
			use_string(*word);
	}
	free(process);
	free(text);
	free(words);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *image = size ? malloc(size) : NULL; /* as long as the input: a byte further is an error */

	if (!image)
		return 0;
	memcpy(image, data, size);
	if (size >= 4 && !memcmp(image, PROGRAM_MAGIC, 4))
		try_program(image, size);
	else if (size >= 4 && !memcmp(image, KEPT_MAGIC, 4))
		try_kept(image, size);
	else if (size > sizeof message_mark && !memcmp(image, message_mark, sizeof message_mark))
		try_message(image + sizeof message_mark, size - sizeof message_mark);
	else if (*image == '{')
		try_process(image, size);
	else
		try_record(image, size);
	free(image);
	return 0;
}

#ifndef LIBFUZZER
int open(const char *path, int flags, ...);
long read(int fd, void *to, size_t size);
int close(int fd);
int printf(const char *format, ...);

enum { LARGEST = 1 << 20 };

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	return *state ^= *state << 5;
}

/* A few bytes changed, mostly to values at a limit; sometimes cut short. */
static size_t mutate(uint8_t *to, const uint8_t *from, size_t size, uint32_t *state)
{
	static const uint8_t values[] = {0, 1, 2, 0x7f, 0x80, 0xff};

	memcpy(to, from, size);
	for (uint32_t n = 1 + next_random(state) % 4; n--;) {
		uint32_t r = next_random(state);

		to[next_random(state) % size] = r & 1 ? values[(r >> 1) % sizeof values] : (uint8_t)(r >> 8);
	}
	return next_random(state) % 8 ? size : 1 + next_random(state) % size;
}

int main(int argc, char **argv)
{
	static uint8_t input[LARGEST], mutation[LARGEST];
	const char *number = argc > 1 ? argv[1] : "";
	uint32_t state = 1;
	uint64_t count = 0;
	long runs = 0;

	if (!parse_decimal(&number, &count))
		return 2;
	for (int i = 2; i < argc; i++) {
		int file = open(argv[i], O_RDONLY);
		long size = read(file, input, sizeof input);

		if (size <= 0 || close(file) < 0)
			return 2;
		LLVMFuzzerTestOneInput(input, (size_t)size);
		for (uint64_t n = 0; n < count; n++, runs++)
			LLVMFuzzerTestOneInput(mutation, mutate(mutation, input, (size_t)size, &state));
	}
	printf("%ld\n", runs);
	return 0;
}
#endif
