/* The runner as a binary of its own. */
#include "runner/start.h"
#include "system/start.h"

int start(int argc, char **argv, char **envp)
{
	return start_runner(argc, argv, envp);
}
