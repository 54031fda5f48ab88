/* Directories. */
#include "system/directory.h"

#include "contract.h"
#include "system/process.h"
#include "system/sys.h"
#include "system/text.h"

enum { RETRY_MS = 1, RETRIES = 2000, MAX_DEPTH = 32 };

const struct directory_entry *next_entry(struct listing *l)
{
	for (;;) {
		const struct directory_entry *entry = (const void *)(l->buffer + l->at);

		if (l->at >= l->size) {
			l->at = 0;
			l->size = sys(getdents64, l->directory, l->buffer, sizeof l->buffer);
			if (l->size <= 0)
				return NULL;
			continue;
		}
		l->at += entry->length;
		if (!streq(entry->name, ".") && !streq(entry->name, ".."))
			return entry;
	}
}

long unlink_entries(long directory)
{
	struct listing all = {.directory = directory};
	const struct directory_entry *entry;
	bool has_last = false;
	long r = 0;

	while (r >= 0 && (entry = next_entry(&all))) {
		if (streq(entry->name, STATE_FILE))
			has_last = true;
		else
			r = sys(unlinkat, directory, entry->name, 0);
	}
	if (r >= 0)
		r = all.size;
	return r >= 0 && has_last ? sys(unlinkat, directory, STATE_FILE, 0) : r;
}

enum { DIRECTORY = 4 };

/* rmdir(2), children first: a cgroup directory's files go with it. */
static long remove_below(long at, const char *name, int depth)
{
	struct listing all = {0};
	const struct directory_entry *entry;
	long r = sys(unlinkat, at, name, AT_REMOVEDIR);

	if ((r != -EBUSY && r != -ENOTEMPTY) || depth == MAX_DEPTH)
		return r == -ENOENT ? 0 : r;
	all.directory = sys(openat, at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (all.directory < 0)
		return all.directory;
	while ((entry = next_entry(&all))) {
		r = entry->type == DIRECTORY ? remove_below(all.directory, entry->name, depth + 1) : 0;
		if (r < 0 && r != -EBUSY)
			return r;
	}
	r = sys(close, all.directory);
	if (all.size < 0 || r < 0)
		return all.size < 0 ? all.size : r;
	return sys(unlinkat, at, name, AT_REMOVEDIR);
}

long remove_cgroup(const char *path)
{
	long r = -EBUSY;

	for (int i = 0; i < RETRIES && r == -EBUSY; i++) {
		if (i > 0)
			r = sleep_ms(RETRY_MS);
		r = remove_below(AT_FDCWD, path, 0);
	}
	return r;
}
