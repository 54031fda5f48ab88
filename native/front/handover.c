/* The message of a compiler: a program, and what it is run for. src/runtime/compiled-call.ts writes it. */
#include "front/front.h"

#include "system/memory.h"
#include "system/text.h"

bool parse_handover(char *image, size_t size, struct job *job)
{
	const struct handover *h = (const void *)image;
	uint32_t program = size < sizeof *h ? 0 : h->program;
	const char *texts[4], *at = image + sizeof *h;

	if (program <= sizeof *h || program % 8 || program > size || image[program - 1])
		return false;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++, at += strlen(at) + 1)
		if ((texts[i] = at) >= image + program)
			return false;
	job->id = texts[0];
	job->directory = texts[1];
	job->pid_file = texts[2];
	job->console_socket = texts[3];
	if (strlen(job->pid_file) >= MAX_REGISTER || strlen(job->console_socket) >= MAX_REGISTER)
		return false;
	job->program = image + program;
	job->size = size - program;
	return true;
}
