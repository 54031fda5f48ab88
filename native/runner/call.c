/* Ops that are one system call, by the descriptions in the op table. */
#include "runner/vm.h"
#include "system/memory.h"

enum { ARGUMENT_CONSTANT, ARGUMENT_OPERAND, ARGUMENT_LENGTH };

struct argument {
	uint16_t kind;
	int16_t value; /* the constant, or which operand */
};

#define CONSTANT(value) {ARGUMENT_CONSTANT, value}
#define OPERAND(i) {ARGUMENT_OPERAND, i}
#define LENGTH(i) {ARGUMENT_LENGTH, i}

static const struct {
	uint16_t number;
	struct argument arguments[6];
} calls[] = {
#define CALL(name, op, kinds, called, ...) [op] = {__NR_##called, {__VA_ARGS__}},
	OPS(NOTHING, CALL)
#undef CALL
};

static long argument(struct vm *vm, const struct step *s, struct argument a, int *texts)
{
	enum operand_kind kind;
	uint64_t value;

	if (a.kind == ARGUMENT_CONSTANT)
		return a.value;
	kind = operand_kinds[s->op][a.value];
	value = s->arg[a.value];
	if (a.kind == ARGUMENT_LENGTH)
		return (long)(kind == OPERAND_BYTES ? value >> 32 : strlen(vm->program.strings + value));
	switch (kind) {
	case OPERAND_SLOT:
		return slot(vm, s, a.value);
	case OPERAND_TEXT:
		return (long)text(vm, s, a.value, (*texts)++, NULL);
	case OPERAND_STRING:
		return (long)string(vm, s, a.value);
	case OPERAND_BYTES:
		return (long)(vm->program.strings + (uint32_t)value);
	default:
		return (long)value;
	}
}

int call(struct vm *vm, const struct step *s)
{
	long a[6], r;
	int texts = 0;

	for (int i = 0; i < 6; i++)
		a[i] = argument(vm, s, calls[s->op].arguments[i], &texts);
	r = sys6(calls[s->op].number, a[0], a[1], a[2], a[3], a[4], a[5]);
	return r < 0 ? (int)r : 0;
}
