/* The rest of what the engine calls of a C library: its last words, and locks, of which one thread has no need. */
#include <stdarg.h>
#include <stddef.h>

_Noreturn void stop(const char *text);
void say_text(const char *text);
int vsnprintf(char *to, size_t size, const char *format, va_list values);

void *stdout, *stderr;
int printf(const char *format, ...);
int fprintf(void *file, const char *format, ...);
_Noreturn void __assert_fail(const char *claim, const char *file, unsigned line, const char *function);
_Noreturn void abort(void);
int pthread_once(int *once, void (*call)(void));

static void say_formatted(const char *format, va_list values)
{
	char text[512];

	vsnprintf(text, sizeof text, format, values);
	say_text(text);
}

int printf(const char *format, ...)
{
	va_list values;

	va_start(values, format);
	say_formatted(format, values);
	va_end(values);
	return 0;
}

int fprintf(void *file, const char *format, ...)
{
	va_list values;

	(void)file;
	va_start(values, format);
	say_formatted(format, values);
	va_end(values);
	return 0;
}

_Noreturn void __assert_fail(const char *claim, const char *file, unsigned line, const char *function)
{
	printf("%s:%u: %s: %s is not true\n", file, line, function, claim);
	stop("the engine has a fault");
}

_Noreturn void abort(void)
{
	stop("the engine has a fault");
}

/* Zero in the beginning: PTHREAD_ONCE_INIT. */
int pthread_once(int *once, void (*call)(void))
{
	if (*once == 0) {
		*once = 1;
		call();
	}
	return 0;
}

/* Locks, of which one thread has no need. */
#define WITHOUT_EFFECT(name) \
	int name(void *object); \
	int name(void *object) \
	{ \
		(void)object; \
		return 0; \
	}

WITHOUT_EFFECT(pthread_mutex_init)
WITHOUT_EFFECT(pthread_mutex_lock)
WITHOUT_EFFECT(pthread_mutex_unlock)

/* The engine links these and calls none: Atomics.wait() throws, since nobody could end it. */
#define NEVER_CALLED(name) \
	_Noreturn void name(void); \
	_Noreturn void name(void) \
	{ \
		stop("the engine calls " #name "()"); \
	}

NEVER_CALLED(pthread_cond_init)
NEVER_CALLED(pthread_cond_destroy)
NEVER_CALLED(pthread_cond_wait)
NEVER_CALLED(pthread_cond_timedwait)
NEVER_CALLED(pthread_cond_signal)
NEVER_CALLED(pthread_condattr_init)
NEVER_CALLED(pthread_condattr_destroy)
NEVER_CALLED(pthread_condattr_setclock)
