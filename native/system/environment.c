/* The caller's variables and limits, as Node.js gets them: not the variables that change which code it runs, and enough descriptors to run at all. */
#include "system/environment.h"

#include "contract.h"
#include "system/memory.h"
#include "system/sys.h"
#include "system/text.h"

#include <asm/resource.h>
#include <linux/mman.h>

static const char prefix[] = VARIABLE_PREFIX, soft_limit[] = VARIABLE_NOFILE;

static bool begins_with_one(const char *entry, const char *const *beginnings, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (has_prefix(entry, beginnings[i]))
			return true;
	return false;
}

static bool is_hidden(const char *entry, bool has_network)
{
	static const char *const code[] = {CODE_VARIABLES}, *const trust[] = {TRUST_VARIABLES};

	return begins_with_one(entry, code, sizeof code / sizeof *code) &&
	       !(has_network && begins_with_one(entry, trust, sizeof trust / sizeof *trust));
}

bool hide_variables(char **env, bool has_network)
{
	size_t size = 0;
	char *to;

	for (char **entry = env; *entry; entry++)
		if (is_hidden(*entry, has_network))
			size += sizeof prefix + strlen(*entry);
	to = size ? new_memory(size, MAP_PRIVATE) : NULL;
	for (; *env && to; env++) {
		size_t length = strlen(*env);

		if (!is_hidden(*env, has_network))
			continue;
		memcpy(to, prefix, sizeof prefix - 1);
		memcpy(to + sizeof prefix - 1, *env, length + 1);
		*env = to;
		to += sizeof prefix + length;
	}
	return to || !size;
}

char *allow_descriptors(char **env, uint64_t count)
{
	static char entry[sizeof soft_limit + 24];
	uint64_t limit[2], soft;

	take_variable(env, soft_limit); /* of a Node.js that has started this process */
	if (sys(prlimit64, 0, RLIMIT_NOFILE, NULL, limit) < 0 || limit[1] < count)
		return NULL;
	soft = limit[0];
	limit[0] = count;
	if (soft < count && sys(prlimit64, 0, RLIMIT_NOFILE, limit, NULL) < 0)
		return NULL;
	memcpy(entry, soft_limit, sizeof soft_limit);
	entry[sizeof soft_limit - 1] = '=';
	decimal(entry + sizeof soft_limit, soft);
	return entry;
}

long restore_limit(char **env)
{
	const char *text = take_variable(env, soft_limit);
	uint64_t limit[2], soft;
	long r;

	if (!text || !parse_decimal(&text, &soft))
		return 0;
	r = sys(prlimit64, 0, RLIMIT_NOFILE, NULL, limit);
	if (r < 0 || limit[0] <= soft)
		return r;
	limit[0] = soft;
	return sys(prlimit64, 0, RLIMIT_NOFILE, limit, NULL);
}

const char *variable(char **env, const char *name)
{
	for (size_t length = strlen(name); *env; env++)
		if (has_prefix(*env, name) && (*env)[length] == '=')
			return *env + length + 1;
	return NULL;
}

char **with_variables(char **env, char *const *more)
{
	size_t count = 0, added = 0;
	char **all;

	while (env[count])
		count++;
	while (more[added])
		added++;
	all = new_memory((count + added + 1) * sizeof *all, MAP_PRIVATE);
	if (all) {
		memcpy(all, env, count * sizeof *all);
		memcpy(all + count, more, added * sizeof *all);
	}
	return all;
}

const char *take_variable(char **env, const char *name)
{
	const char *value = variable(env, name);

	if (!value)
		return NULL;
	while (*env + strlen(name) + 1 != value)
		env++;
	for (; *env; env++)
		env[0] = env[1];
	return value;
}
