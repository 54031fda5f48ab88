/* The log that engines read, as src/cli/log.ts writes it. */
#include "front/front.h"
#include "system/clock.h"
#include "system/file.h"
#include "system/memory.h"
#include "system/text.h"

#include <linux/time.h>

static bool is_log_format(const char *text)
{
	static const char *const formats[] = {LOG_FORMATS};

	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
		if (streq(text, formats[i]))
			return true;
	return false;
}

bool make_log(const struct call *call)
{
	const char *log = call->given[GLOBAL_LOG], *format = call->given[GLOBAL_LOG_FORMAT];
	long fd;

	if (format && !is_log_format(format))
		return false;
	if (!log)
		return true;
	fd = probe(openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	return fd >= 0 && sys(close, fd) >= 0;
}

static bool write_error(int fd, bool is_json, const char *quoted)
{
	struct __kernel_timespec now;
	char line[1024], time[40];

	if (sys(clock_gettime, CLOCK_REALTIME, &now) < 0)
		return false;
	format_time(time, now.tv_sec, 0);
	return (is_json ? JOIN(line, "{\"level\":\"error\",\"msg\":", quoted, ",\"time\":\"", time, "\"}\n")
			: JOIN(line, "time=\"", time, "\" level=error msg=", quoted, "\n")) &&
	       write_all(fd, line, strlen(line)) == 0;
}

bool log_error(const struct call *call, const char *message, const char *quoted)
{
	const char *log = call->given[GLOBAL_LOG], *format = call->given[GLOBAL_LOG_FORMAT];
	bool is_json = format && streq(format, "json");
	char line[512];
	long fd;

	if (!log)
		return write_error(2, is_json, quoted);
	fd = probe(openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CLOEXEC);
	return fd >= 0 && write_error((int)fd, is_json, quoted) && JOIN(line, message, "\n") &&
	       write_all(2, line, strlen(line)) == 0;
}
