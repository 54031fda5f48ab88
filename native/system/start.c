/* The entry of a binary. */
#include "system/start.h"

#include "system/caller.h"
#include "system/file.h"
#include "system/memory.h"
#include "system/sys.h"

void complain(const char *what)
{
	const char *parts[] = {"bundle-tool: ", what, "\n"};

	for (size_t i = 0; i < 3; i++)
		if (write_all(2, parts[i], strlen(parts[i])) < 0)
			return;
}

/* The kernel starts a process with argc, argv, NULL, envp, NULL on its stack. */
_Noreturn void start_c(long *stack);

_Noreturn void start_c(long *stack)
{
	int argc = (int)stack[0];
	char **argv = (char **)(void *)(stack + 1);

	if (settle() < 0) {
		complain("standard input or output is closed, and /dev/null cannot be opened in its place");
		exit_with(1);
	}
	exit_with(start(argc, argv, argv + argc + 1));
}

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall start_c\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n\tmov x29, #0\n\tmov x0, sp\n\tb start_c\n");
#endif
