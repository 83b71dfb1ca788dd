/*
 * Logging.  One write(2) per line, so that lines of several processes
 * appending to one file do not mix.
 */
#include "lib/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log_repeat.h"
#include "lib/base/mem.h"

#define CONTEXT_MAX 160
#define LINE_MAX_ 4096

static const char *program = "sluice";
static enum log_level threshold = LOG_INFO_;
static int log_fd = STDERR_FILENO;
static char *log_path;
static _Thread_local char context[4][CONTEXT_MAX];

static const char *const level_names[] = { "debug", "info", "warn", "error" };

void
log_init(const char *name, enum log_level level)
{
	program = name;
	threshold = level;
}

int
log_level_parse(const char *text, enum log_level *out)
{
	int i;

	for (i = 0; i < 4; i++) {
		if (strcmp(text, level_names[i]) == 0) {
			*out = (enum log_level)i;
			return 0;
		}
	}
	return err_set(ERR_INVALID,
	    "log level is '%s', must be debug, info, warn or error", text);
}

int
log_to_file(const char *path)
{
	int fd;

	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	if (fd < 0)
		return err_set_errno(ERR_IO, "log file %s", path);
	if (log_fd != STDERR_FILENO)
		(void)close(log_fd);
	log_fd = fd;
	if (path != log_path) {
		free(log_path);
		log_path = xstrdup(path);
	}
	return 0;
}

void
log_reopen(void)
{
	if (log_path != NULL && log_to_file(log_path) != 0)
		log_err("keeping the old log file");
}

void
log_context(const char *job, const char *task, const char *party)
{
	const char *const parts[] = { job, task, party };
	int i;

	for (i = 0; i < 3; i++)
		(void)snprintf(context[i + 1], CONTEXT_MAX, "%s",
		    parts[i] != NULL ? parts[i] : "");
}

void
log_request(const char *id)
{
	(void)snprintf(
	    context[0], LOG_REQUEST_SIZE, "%s", id != NULL ? id : "");
}

const char *
log_request_id(void)
{
	return context[0];
}

static size_t
add(char *line, size_t used, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (used >= LINE_MAX_ - 1)
		return used;
	va_start(ap, fmt);
	n = vsnprintf(line + used, LINE_MAX_ - used, fmt, ap);
	va_end(ap);
	if (n < 0)
		return used;
	used += (size_t)n;
	return used < LINE_MAX_ - 1 ? used : LINE_MAX_ - 2;
}

static void
write_v(enum log_level level, const char *tail, const char *fmt, va_list ap)
{
	static const char *const keys[] = { "request", "job", "task", "party" };
	char line[LINE_MAX_];
	struct timespec now;
	struct tm tm;
	size_t used, start, i;
	int saved = errno, n;

	if (level < threshold)
		return;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &tm);
	used = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &tm);
	used = add(line, used, ".%03ldZ %s %s", now.tv_nsec / 1000000,
	    level_names[level], program);
	/* The context, too, may be parts of a path that a stranger asked for. */
	start = used;
	for (i = 0; i < 4; i++)
		if (context[i][0] != '\0')
			used = add(line, used, " %s=%s", keys[i], context[i]);
	used = add(line, used, " ");
	n = vsnprintf(line + used, sizeof(line) - used, fmt, ap);
	if (n > 0) {
		used += (size_t)n;
		if (used > sizeof(line) - 2)
			used = sizeof(line) - 2;
	}
	if (tail != NULL)
		used = add(line, used, "%s", tail);
	/* A stranger's text must not forge a second line. */
	for (i = start; i < used; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = ' ';
	line[used++] = '\n';
	while (write(log_fd, line, used) < 0 && errno == EINTR)
		;
	errno = saved;
}

void
log_write(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_v(level, NULL, fmt, ap);
	va_end(ap);
}

void
log_error_record(const char *fmt, ...)
{
	char *tail;
	va_list ap;
	int held = 0;

	/* A database that is away is away for all who ask it. */
	if (err_code() == ERR_DB &&
	    (held = log_repeat(fmt, clock_mono_ms())) < 0)
		return;
	tail = held == 0 ? xasprintf(": %s (%s)", err_text(), err_where())
			 : xasprintf(": %s (%s), and %d like it before",
			       err_text(), err_where(), held);
	va_start(ap, fmt);
	write_v(LOG_ERROR_, tail, fmt, ap);
	va_end(ap);
	free(tail);
}
