/* Records of containers. */
#include "front/record.h"

#include "system/file.h"
#include "system/sys.h"
#include "system/text.h"

/* The line at *at, NUL-terminated; NULL behind the last. */
static char *next_line(char **at)
{
	char *line = *at, *c = line;

	while (*c && *c != '\n')
		c++;
	if (!*c)
		return NULL;
	*c = '\0';
	*at = c + 1;
	return line;
}

bool parse_record(struct container *c, char *at)
{
	const char *pid, *start_time, *line;
	int count = 0;

	for (int i = 0; i < RECORD_LINES; i++)
		if (!(c->line[i] = next_line(&at)))
			return false;
	pid = c->line[RECORD_PID_LINE];
	start_time = c->line[RECORD_START_TIME_LINE];
	if (!streq(c->line[RECORD_VERSION_LINE], RECORD_VERSION) || !parse_decimal(&pid, &c->pid) ||
	    !parse_decimal(&start_time, &c->start_time))
		return false;
	while ((line = next_line(&at)) && *line && count < MAX_CGROUPS - 1)
		c->cgroups[count++] = line;
	if (!line || *line)
		return false;
	c->head = at;
	for (int i = 0; i < 3; i++, at[-1] = '\n')
		if (!next_line(&at))
			return false;
	at[-1] = '\0';
	c->tail = at;
	return *at != '\0';
}

static bool read_record(struct container *c)
{
	void *image;
	size_t size;
	long fd;

	c->directory = (int)probe(openat, c->root, c->id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (c->directory < 0)
		return false;
	fd = open_own(c->directory, RECORD_FILE);
	if (fd < 0 || read_program((int)fd, &image, &size) < 0 || !size)
		return false;
	((char *)image)[size - 1] = '\0'; /* its last line needs no end */
	return parse_record(c, image);
}

bool find_container(struct container *c, const char *root, const char *id)
{
	c->id = id;
	c->root = (int)probe(openat, AT_FDCWD, root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return c->root >= 0 && read_record(c);
}
