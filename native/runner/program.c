#include "runner/program.h"

#include "system/memory.h"

#define IN_BRACES(...) {__VA_ARGS__}

const uint8_t operand_kinds[][MAX_OPERANDS] = {
#define KINDS(name, number, kinds, ...) [number] = IN_BRACES kinds,
	OPS(KINDS, KINDS)
#undef KINDS
};

const char *op_name(uint16_t op)
{
	switch (op) {
#define NAME(name, number, ...) case number: return #name;
		OPS(NAME, NAME)
#undef NAME
	}
	return "";
}

static bool is_known(uint16_t op)
{
	return *op_name(op);
}

static bool text_is_valid(struct program *p, const char *text)
{
	size_t length = 1;

	for (const char *s = text; *s; s++, length++) {
		if (*s != TEXT_ESCAPE)
			continue;
		s++;
		if (*s != TEXT_ESCAPE && (*s < TEXT_REGISTER || *s >= TEXT_REGISTER + REGISTER_COUNT))
			return false;
		length += MAX_REGISTER;
	}
	if (length > p->longest_text)
		p->longest_text = length;
	return true;
}

static bool operand_is_valid(struct program *p, enum operand_kind kind, uint64_t value)
{
	uint32_t offset = (uint32_t)value;

	switch (kind) {
	case OPERAND_NONE:
		return value == 0;
	case OPERAND_SLOT:
		return value < MAX_SLOTS || value == UINT64_MAX;
	case OPERAND_NEW_SLOT:
		return value < MAX_SLOTS;
	case OPERAND_TEXT:
		return value > 0 && value < p->strings_size && text_is_valid(p, p->strings + value);
	case OPERAND_STRING:
		return value < p->strings_size;
	case OPERAND_LIST:
		return value < p->list_words;
	case OPERAND_BYTES:
		return offset > 0 && offset < p->strings_size && value >> 32 < p->strings_size - offset;
	case OPERAND_NUMBER:
		return true;
	}
	return false;
}

enum { TOLERABLE_COUNT = sizeof (const int[]){TOLERABLE_ERRORS} / sizeof(int) };

static bool step_is_valid(struct program *p, const struct step *step, uint32_t host_steps)
{
	if (!is_known(step->op) || step->reserved || step->tolerate >> TOLERABLE_COUNT || step->from >= p->strings_size)
		return false;
	if (step->phase == PHASE_UNDO ? step->undoes >= host_steps : step->undoes != 0)
		return false;
	for (int i = 0; i < MAX_OPERANDS; i++)
		if (!operand_is_valid(p, operand_kinds[step->op][i], step->arg[i]))
			return false;
	return true;
}

static bool lay_out(struct program *p, const struct program_header *h, char *image, size_t size)
{
	uint64_t steps = 0;

	if (h->size != size)
		return false;
	for (size_t i = 0; i < sizeof h->reserved / sizeof *h->reserved; i++)
		if (h->reserved[i])
			return false;
	for (int phase = 0; phase < PHASE_COUNT; phase++) {
		if (h->steps[phase] > MAX_STEPS)
			return false;
		p->first[phase] = (uint32_t)steps;
		steps += h->steps[phase];
		p->end[phase] = (uint32_t)steps;
	}
	if (steps * sizeof(struct step) + h->list_words * (uint64_t)8 + h->strings + sizeof *h != size)
		return false;
	p->steps = (struct step *)(void *)(image + sizeof *h);
	p->lists = (uint64_t *)(void *)(p->steps + steps);
	p->list_words = h->list_words;
	p->strings = (const char *)(p->lists + h->list_words);
	p->strings_size = h->strings;
	p->longest_text = 1;
	return p->strings_size && p->strings[0] == '\0' && p->strings[p->strings_size - 1] == '\0' &&
	       p->list_words && p->lists[p->list_words - 1] == 0;
}

int program_load(struct program *p, void *image, size_t size)
{
	const struct program_header *h = image;

	_Static_assert(sizeof h->steps / sizeof *h->steps == PHASE_COUNT, "a number for each phase");
	if (size < sizeof *h || size > MAX_PROGRAM || memcmp(h->magic, PROGRAM_MAGIC, 4) ||
	    h->version != PROGRAM_VERSION || !lay_out(p, h, image, size))
		return -ENOEXEC;
	for (uint32_t i = 0; i < p->list_words; i++) {
		if (p->lists[i] >= p->strings_size)
			return -ENOEXEC;
		if (p->lists[i])
			p->lists[i] = (uint64_t)(uintptr_t)(p->strings + p->lists[i]);
	}
	for (int phase = 0; phase < PHASE_COUNT; phase++)
		for (uint32_t i = p->first[phase]; i < p->end[phase]; i++)
			if (p->steps[i].phase != phase || !step_is_valid(p, &p->steps[i], h->steps[PHASE_HOST]))
				return -ENOEXEC;
	return 0;
}
