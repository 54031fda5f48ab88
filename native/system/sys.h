/*
 * The kernel, without a C library: the runner is one small static binary that any C compiler makes, starts in
 * microseconds, and keeps no hidden state (locks, caches, buffers) that a fork could tear.
 *
 * Every call returns what the kernel does: a value, or -errno.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/stat.h>
#include <linux/types.h>

#if defined(__x86_64__)
#define ARCHITECTURE "x64" /* as Node.js names it */
static inline long syscall6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall" : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}
#elif defined(__aarch64__)
#define ARCHITECTURE "arm64"
static inline long syscall6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
}
#else
#error "this architecture needs its syscall6() and _start"
#endif

/* The last call that failed, and its error, for the report: an op may make several. */
struct failed_call {
	long number;
	long error;
};
extern struct failed_call failed;

/* The number for an error that an op found without a system call. 0 is read(2) on x86_64. */
enum { NO_CALL = -1 };

/* The call that gave this error; NO_CALL for one that the op found itself. */
static inline long call_of(long error)
{
	return failed.error == error ? failed.number : NO_CALL;
}

static inline long fail_as(long nr, long error)
{
	failed = (struct failed_call){nr, error};
	return error;
}

/* An error that stands for a call: of read(2) that finds the end, of write(2) that takes only a part. */
#define FAIL_AS(name, error) fail_as(__NR_##name, error)

static inline long sys6(long nr, long a, long b, long c, long d, long e, long f)
{
	long ret = syscall6(nr, a, b, c, d, e, f);

	if (ret < 0)
		failed = (struct failed_call){nr, ret};
	return ret;
}

#define CALL_BY_(way, nr, a, b, c, d, e, f, ...) \
	way(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
/* sys(openat, AT_FDCWD, path, flags): a call by name with up to six arguments. */
#define sys(name, ...) CALL_BY_(sys6, __NR_##name, __VA_ARGS__ __VA_OPT__(,) 0, 0, 0, 0, 0, 0, 0)
/* The same for a question to the kernel: an error is an answer, and no failure of the step, so `failed` stays as it is. */
#define probe(name, ...) CALL_BY_(syscall6, __NR_##name, __VA_ARGS__ __VA_OPT__(,) 0, 0, 0, 0, 0, 0, 0)

/* Closes what a call was made with: the call's result, or the error of closing it. */
static inline long closing(long fd, long r)
{
	long closed = sys(close, fd);

	return r < 0 || closed >= 0 ? r : closed;
}
_Noreturn void exit_with(int status);
