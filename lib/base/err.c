/*
 * The error record: one per thread, overwritten by each err_set().
 */
#include "lib/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ERR_TEXT_MAX 8192 /* a DSL with many faults fits */

static _Thread_local struct {
	int code;
	int line;
	const char *file;
	char text[ERR_TEXT_MAX];
	char where[256];
} record;

static const struct {
	int code;
	int retcode;
	int http;
	const char *name;
	const char *meaning;
} codes[] = {
#define X(name, code, retcode, http, text)                                     \
	{ (code), (retcode), (http), #name, (text) },
	ERR_LIST(X)
#undef X
};

static void
record_v(const char *file, int line, int code, const char *fmt, va_list ap)
{
	char text[ERR_TEXT_MAX];

	/* Through a copy: an argument may be err_text() itself. */
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	memcpy(record.text, text, sizeof(text));
	record.code = code;
	record.file = file;
	record.line = line;
}

int
err_set_at(const char *file, int line, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	record_v(file, line, code, fmt, ap);
	va_end(ap);
	return code;
}

int
err_set_errno_at(const char *file, int line, int code, const char *fmt, ...)
{
	int saved = errno;
	size_t n;
	va_list ap;

	if (code == ERR_IO && (saved == ENOSPC || saved == EDQUOT))
		code = ERR_FULL;
	va_start(ap, fmt);
	record_v(file, line, code, fmt, ap);
	va_end(ap);
	n = strlen(record.text);
	(void)snprintf(
	    record.text + n, sizeof(record.text) - n, ": %s", strerror(saved));
	errno = saved;
	return code;
}

int
err_wrap(const char *fmt, ...)
{
	char context[ERR_TEXT_MAX];
	char old[ERR_TEXT_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(context, sizeof(context), fmt, ap);
	va_end(ap);
	if (n < 0)
		return record.code;
	memcpy(old, record.text, sizeof(old));
	/* A long chain is cut at its end, where the detail matters least. */
	if (snprintf(record.text, sizeof(record.text), "%s: ", context) < 0)
		return record.code;
	n = (int)strlen(record.text);
	(void)snprintf(
	    record.text + n, sizeof(record.text) - (size_t)n, "%s", old);
	return record.code;
}

int
err_code(void)
{
	return record.code;
}

const char *
err_text(void)
{
	return record.text[0] != '\0' ? record.text : "no error recorded";
}

const char *
err_where(void)
{
	(void)snprintf(record.where, sizeof(record.where), "%s:%d",
	    record.file != NULL ? record.file : "?", record.line);
	return record.where;
}

void
err_clear(void)
{
	memset(&record, 0, sizeof(record));
}

static size_t
find(int code)
{
	size_t i;

	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].code == code)
			return i;
	return 0;
}

const char *
err_name(int code)
{
	return code == 0 ? "OK" : codes[find(code)].name;
}

const char *
err_meaning(int code)
{
	return code == 0 ? "success" : codes[find(code)].meaning;
}

int
err_retcode(int code)
{
	return code == 0 ? 0 : codes[find(code)].retcode;
}

int
err_http_status(int code)
{
	return code == 0 ? 200 : codes[find(code)].http;
}
