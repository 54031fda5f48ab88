/* What Node.js gets of the caller: not the variables that change which code it runs. */
#include "front.h"

#include <linux/mman.h>

static const char prefix[] = "BUNDLE_TOOL_";

/*
 * Whether a variable is kept from Node.js: by those that begin with NODE_ it loads files, writes some or works in another way
 * (node(1)), and OpenSSL loads modules. What is for TLS is for commands that talk to a registry.
 */
static bool is_hidden(const char *entry, bool has_network)
{
	if (has_prefix(entry, "NODE_EXTRA_CA_CERTS=") || has_prefix(entry, "NODE_USE_SYSTEM_CA=") || has_prefix(entry, "OPENSSL_"))
		return !has_network;
	return has_prefix(entry, "NODE_");
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
