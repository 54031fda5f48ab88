/*
 * The runner: executes a program that the TypeScript side compiled.
 *
 *   bundle-tool-runner PROGRAM-FD REPORT-FD ID [PARENT]
 *
 * With the ID of its parent process it ends with that, and so does what it runs.
 *
 * As "bundle-tool:execute" it makes way for a program that Node.js has started; as "bundle-tool:tree" it makes files
 * (tree.h), and as "bundle-tool:copy" a copy of a directory (copy.h).
 *
 * Knows system calls and nothing about containers: which step comes when, which error may pass and what is to be
 * undone is all in the program.
 */
#include "runner/start.h"

#include "runner/copy.h"
#include "runner/run.h"
#include "runner/tree.h"
#include "runner/vm.h"
#include "runner/wait.h"
#include "system/caller.h"
#include "system/environment.h"
#include "system/file.h"
#include "system/memory.h"
#include "system/seal.h"
#include "system/text.h"

#include <asm/stat.h>

/* The program's file, or its pipe, belongs to whoever has made it. */
static int load(struct vm *vm, int fd)
{
	void *image = NULL;
	size_t size = 0;
	struct stat st;
	int r = (int)sys(fstat, fd, &st);

	if (r >= 0)
		r = check_owner(&st);
	if (r >= 0)
		r = read_program(fd, &image, &size);
	return r < 0 ? r : prepare(vm, image, size);
}

static int refuse(struct vm *vm, int error)
{
	struct report report = {.kind = REPORT_REFUSED, .error = -error, .syscall = (int32_t)call_of(error)};

	return send_report(vm, &report) < 0 ? 3 : 2;
}

static int execute_program(int argc, char **argv, char **envp)
{
	static struct vm machine; /* without initial values it takes no pages of the file, of which seal() makes copies */
	struct vm *vm = &machine;
	const char *program_fd = argc > 1 ? argv[1] : "", *report_fd = argc > 2 ? argv[2] : "";
	const char *caller = argc > 4 ? argv[4] : "0";
	uint64_t fd = 0, report = 0, parent = 0;
	int r;

	if (argc < 4 || argc > 5 || !parse_decimal(&program_fd, &fd) || !parse_decimal(&report_fd, &report) ||
	    !parse_decimal(&caller, &parent) || strlen(argv[3]) >= MAX_REGISTER)
		return 2;
	vm->report = (int)report;
	vm->id = argv[3];
	vm->env = envp;
	r = seal(argv, envp);
	if (r >= 0 && parent)
		r = end_with_caller(vm, (long)parent);
	if (r >= 0)
		r = (int)restore_limit(envp);
	if (r >= 0)
		r = (int)sys(fcntl, vm->report, F_SETFD, FD_CLOEXEC);
	if (r >= 0)
		r = load(vm, (int)fd);
	if (r >= 0)
		r = (int)sys(close, fd);
	return r < 0 ? refuse(vm, r) : run(vm);
}

/*
 * Executes a program, its path and then its argv, as it would be without Node.js and what its caller has left: the exit code when
 * that is not possible.
 */
static int become_program(char **argv, char **env)
{
	if (restore_limit(env) >= 0 && argv[0] && argv[1])
		execute_file(argv[0], argv + 1, env);
	return NOT_EXECUTED;
}

int start_runner(int argc, char **argv, char **envp)
{
	if (argc > 0 && streq(argv[0], ARGV0_EXECUTE))
		return become_program(argv + 1, envp);
	if (argc > 0 && streq(argv[0], ARGV0_COPY))
		return make_copy(argv + 1);
	return argc > 0 && streq(argv[0], ARGV0_TREE) ? make_tree(argv + 1) : execute_program(argc, argv, envp);
}
