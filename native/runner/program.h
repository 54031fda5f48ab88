/*
 * A program in memory. `program_load` checks all of it before the first step runs: after that, every operand is of the
 * kind its op declares, and no string, list or slot leaves its bounds.
 */
#pragma once

#include "runner/ops.h"
#include "system/sys.h"

enum { MAX_OPERANDS = 6, MAX_SLOTS = 64, MAX_STEPS = 1 << 17 };

struct step {
	uint16_t op;
	uint8_t phase;
	uint8_t reserved;
	uint32_t tolerate; /* a bit for each entry of tolerable_errors[] */
	uint64_t arg[MAX_OPERANDS];
	uint32_t from; /* the JSON pointer it came from: for whoever prints the program */
	uint32_t undoes; /* undo steps: the host step that must have been done */
};

struct program_header {
	char magic[4];
	uint32_t version;
	uint32_t size; /* of the whole program */
	uint32_t steps[PHASE_COUNT]; /* how many in each phase, in this order */
	uint32_t list_words; /* lists: words of 64 bits; 0 ends a list, others are offsets of strings */
	uint32_t strings; /* bytes; the first is NUL, so that offset 0 means "none" */
	uint32_t reserved[7];
};

struct program {
	struct step *steps;
	uint32_t first[PHASE_COUNT], end[PHASE_COUNT];
	uint64_t *lists; /* pointers, once loaded */
	uint32_t list_words;
	const char *strings;
	uint32_t strings_size;
	size_t longest_text; /* bytes that any `text` needs when its registers are filled in */
};

/* By the number of an op: what its operands are. */
extern const uint8_t operand_kinds[][MAX_OPERANDS];

/* What fills a register may be this long. */
enum { MAX_REGISTER = 1024 };

/* The name of an op in src/program/ops.ts; empty: there is none of this number. */
const char *op_name(uint16_t op);

/* Checks the image and points `program` into it; list entries are replaced by pointers in place. */
int program_load(struct program *program, void *image, size_t size);
