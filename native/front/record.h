/* The record of a container, which src/runtime/front-record.ts writes beside its state.json when it is created. */
#pragma once

#include "contract.h"

#include <stdbool.h>
#include <stdint.h>

enum { MAX_CGROUPS = 32 };

struct call;

struct container {
	const struct call *call; /* that is about it */
	int *code;		 /* its exit code if the command is done; 0 unless changed */
	int root;
	int directory;
	const char *id;
	bool is_forced; /* delete --force */
	uint64_t pid;
	uint64_t start_time;
	const char *line[RECORD_LINES]; /* the first ones, by enum record_line of the contract */
	const char *cgroups[MAX_CGROUPS];
	const char *head; /* of its state, to the pid */
	const char *tail; /* from behind the status */
};

/* Takes a record apart, in place: a text that ends in NUL. */
bool parse_record(struct container *c, char *at);

/* Opens the directory of a container below `root`, and reads its record. */
bool find_container(struct container *c, const char *root, const char *id);
