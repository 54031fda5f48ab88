/*
 * A program in memory. `program_load` checks all of it before the first step runs: after that, every operand is of the
 * kind its op declares, and no string, list or slot leaves its bounds.
 */
#pragma once

#include "contract.h"
#include "runner/ops.h"
#include "system/sys.h"

enum { MAX_STEPS = 1 << 17 };

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

/* The name of an op in src/program/ops.ts; empty: there is none of this number. */
const char *op_name(uint16_t op);

/* Checks the image and points `program` into it; list entries are replaced by pointers in place. */
int program_load(struct program *program, void *image, size_t size);
