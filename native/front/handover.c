/* The message of a compiler: a program, and what it is run for. src/runtime/compiled-call.ts writes it. */
#include "front/front.h"

#include "system/memory.h"
#include "system/text.h"

bool parse_handover(char *image, size_t size, struct job *job)
{
	const struct handover *h = (const void *)image;
	uint32_t program = size < sizeof *h ? 0 : h->program;

	if (program <= sizeof *h || program % 8 || program > size || image[program - 1])
		return false;
	job->id = image + sizeof *h;
	job->directory = job->id + strlen(job->id) + 1;
	if (job->directory >= image + program)
		return false;
	job->program = image + program;
	job->size = size - program;
	return true;
}
