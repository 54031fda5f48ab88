/*
 * Keeps the file of this binary from the containers. A process there could reach it through /proc/PID/exe while the runner
 * is inside, or by executing /proc/self/exe, and write to it when nobody executes it any more (CVE-2019-5736).
 *
 * Where the kernel lets it, this process takes its memory off that file and names another; else it goes on in a copy.
 */
#include "system/seal.h"

#include "system/file.h"
#include "system/memory.h"
#include "system/sys.h"

#include <asm/stat.h>
#include <linux/elf.h>
#include <linux/memfd.h>
#include <linux/mman.h>
#include <linux/prctl.h>

#ifndef MFD_EXEC /* Linux 6.3 */
#define MFD_EXEC 0x0010U
#endif

/* The mode of a copy in a file: only its user can read and execute it. */
enum { COPY_MODE = S_IRUSR | S_IXUSR };

/* A file without a name that can be executed, whatever vm.memfd_noexec says; before Linux 6.3 any can. */
static long make_file(void)
{
	static const char name[] = "bundle-tool-runner";
	long fd = sys(memfd_create, name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

	return fd == -EINVAL ? sys(memfd_create, name, MFD_CLOEXEC | MFD_ALLOW_SEALING) : fd;
}

static long forbid_writing(long fd)
{
	return sys(fcntl, fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
}

#if defined(__x86_64__)

enum { PAGE = 4096 };

extern const Elf64_Ehdr __ehdr_start;

/* Puts a copy of a segment where it is mapped from the file; the code that does so goes on in the copy. */
static long replace_segment(const Elf64_Phdr *segment)
{
	uintptr_t start = segment->p_vaddr & -(uintptr_t)PAGE;
	size_t size = (segment->p_vaddr + segment->p_filesz - start + PAGE - 1) & -(size_t)PAGE;
	long copy = sys(mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0), r = 0;
	void *to = (void *)copy;
	const void *from = (const void *)start;
	size_t left = size;

	if (copy < 0 && copy > -4096)
		return copy;
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(left)::"memory"); /* ten times as fast as memcpy() here */
	if (segment->p_flags & PF_X)
		r = sys(mprotect, copy, size, PROT_READ | PROT_EXEC);
	return r < 0 ? r : sys(mremap, copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, start);
}

/* Where the words of the command line and the variables lie, which the kernel wants to be told again: proc(5), cmdline. */
static void find_words(struct prctl_mm_map *map, char **argv, char **envp)
{
	char **last = argv;

	while (last[1])
		last++;
	map->start_stack = (uintptr_t)argv;
	map->arg_start = (uintptr_t)argv[0];
	map->arg_end = map->env_start = map->env_end = (uintptr_t)*last + strlen(*last) + 1;
	for (; *envp; envp++)
		if ((uintptr_t)*envp >= map->env_end) /* a variable of the front's lies elsewhere */
			map->env_end = (uintptr_t)*envp + strlen(*envp) + 1;
}

/* Makes /proc/PID/exe lead to an empty file that nobody can write, by PR_SET_MM_MAP of prctl(2); false when it does not. */
static bool leave_file(char **argv, char **envp)
{
	const Elf64_Phdr *segment = (const void *)((const char *)&__ehdr_start + __ehdr_start.e_phoff);
	struct prctl_mm_map map = {0};
	uint32_t size = 0;
	long fd, r;

	/* It takes a kernel that can restore checkpoints, and privilege. */
	if (sys(geteuid) || sys(prctl, PR_SET_MM, PR_SET_MM_MAP_SIZE, &size, 0, 0) < 0 || size != sizeof map)
		return false;
	fd = make_file();
	if (fd < 0)
		return false;
	r = forbid_writing(fd);
	for (int i = 0; r >= 0 && i < __ehdr_start.e_phnum; i++, segment++) {
		if (segment->p_type != PT_LOAD)
			continue;
		*(segment->p_flags & PF_X ? &map.start_code : &map.start_data) = segment->p_vaddr;
		*(segment->p_flags & PF_X ? &map.end_code : &map.end_data) = segment->p_vaddr + segment->p_filesz;
		r = replace_segment(segment);
	}
	if (r >= 0)
		r = sys(brk, 0);
	map.start_brk = map.brk = (uint64_t)r;
	map.exe_fd = (uint32_t)fd;
	find_words(&map, argv, envp);
	if (r >= 0)
		r = sys(prctl, PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0);
	return closing(fd, r) >= 0;
}

#else

static bool leave_file(char **argv, char **envp)
{
	(void)argv;
	(void)envp;
	return false;
}

#endif

/* True when this process is a sealed copy already. */
static bool is_copy(long self, const struct stat *st)
{
	long seals = sys(fcntl, self, F_GET_SEALS);

	if (seals > 0 && seals & F_SEAL_WRITE) /* any file of a tmpfs has F_SEAL_SEAL */
		return true;
	return !st->st_nlink && (st->st_mode & 07777) == COPY_MODE;
}

/* Executes a copy of this binary in a file that is open for writing. */
static long become_copy(long self, long copy, const struct stat *st, char **argv, char **envp)
{
	char path[64];
	long sent = 0, r = 0; /* not by the file's own offset: this may be the second copy */

	while (r >= 0 && sent < st->st_size) {
		r = sys(sendfile, copy, self, &sent, st->st_size - sent);
		if (r == 0)
			r = FAIL_AS(sendfile, -EIO);
	}
	if (r >= 0 && forbid_writing(copy) >= 0)
		return sys(execveat, copy, "", argv, envp, AT_EMPTY_PATH);
	name_of_fd(path, (int)copy);
	if (r >= 0)
		r = closing(copy, sys(openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC)); /* or it were busy */
	return r < 0 ? r : closing(r, sys(execveat, r, "", argv, envp, AT_EMPTY_PATH));
}

/* The copy is in memory, or where none may be executed from there (vm.memfd_noexec), in a file without a name. */
int seal(char **argv, char **envp)
{
	static const char *const places[] = {"/run", "/tmp", "/var/tmp"};
	struct stat st;
	long self = sys(openat, AT_FDCWD, "/proc/self/exe", O_RDONLY | O_CLOEXEC), copy, r;

	r = self < 0 ? self : sys(fstat, self, &st);
	if (r < 0)
		return (int)r;
	if (is_copy(self, &st) || leave_file(argv, envp))
		return (int)sys(close, self);
	copy = make_file();
	for (size_t i = 0;; i++) {
		r = copy < 0 ? copy : become_copy(self, copy, &st, argv, envp);
		if (i == sizeof places / sizeof *places)
			return (int)r;
		copy = sys(openat, AT_FDCWD, places[i], O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, COPY_MODE);
	}
}
