/*
 * Binding parameters by their letters.  Called by db_stmt.c.
 */
#include "lib/db/db_stmt_private.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

static void
time_of_ms(int64_t ms, MYSQL_TIME *out)
{
	time_t s = (time_t)(ms / 1000);
	struct tm tm;

	memset(out, 0, sizeof(*out));
	if (gmtime_r(&s, &tm) == NULL)
		return;
	out->year = (unsigned)tm.tm_year + 1900;
	out->month = (unsigned)tm.tm_mon + 1;
	out->day = (unsigned)tm.tm_mday;
	out->hour = (unsigned)tm.tm_hour;
	out->minute = (unsigned)tm.tm_min;
	out->second = (unsigned)tm.tm_sec;
	out->second_part = (unsigned long)(ms % 1000) * 1000;
	out->time_type = MYSQL_TIMESTAMP_DATETIME;
}

static void
bind_int(struct arg *a, MYSQL_BIND *b, const int64_t *v)
{
	b->buffer_type = MYSQL_TYPE_LONGLONG;
	b->buffer = &a->i;
	a->i = v != NULL ? *v : 0;
	a->null = v == NULL;
}

static void
bind_double(struct arg *a, MYSQL_BIND *b, const double *v)
{
	b->buffer_type = MYSQL_TYPE_DOUBLE;
	b->buffer = &a->d;
	a->d = v != NULL ? *v : 0;
	a->null = v == NULL;
}

static void
bind_bytes(struct arg *a, MYSQL_BIND *b, enum enum_field_types type,
    const void *data, size_t len)
{
	b->buffer_type = type;
	b->buffer = (void *)(uintptr_t)data; /* only read by the library */
	b->buffer_length = len;
	a->len = len;
	a->null = data == NULL;
}

/* Text that the server will take; words is whether it may be mended. */
static int
bind_text(struct arg *a, MYSQL_BIND *b, const char *s, bool words)
{
	size_t len = s != NULL ? strlen(s) : 0;

	free(a->copy);
	a->copy = NULL;
	if (s != NULL && !str_is_utf8(s, len)) {
		if (!words)
			return err_set(ERR_INVALID, "a text is not UTF-8");
		a->copy = xstrdup(s);
		for (char *p = a->copy; *p != '\0'; p++) {
			if ((unsigned char)*p >= 0x80)
				*p = '?';
		}
		s = a->copy;
	}
	bind_bytes(a, b, MYSQL_TYPE_STRING, s, len);
	return 0;
}

static void
bind_time(struct arg *a, MYSQL_BIND *b, int64_t ms)
{
	b->buffer_type = MYSQL_TYPE_DATETIME;
	b->buffer = &a->t;
	time_of_ms(ms, &a->t);
	a->null = ms == 0;
}

int
db_bind_params(struct prepared *p, va_list ap)
{
	const char *letter = p->decl->params;
	const void *data;
	int64_t i;
	double d;

	for (unsigned k = 0; letter[k] != '\0'; k++) {
		struct arg *a = &p->args[k];
		MYSQL_BIND *b = &p->params[k];

		memset(b, 0, sizeof(*b));
		b->is_null = &a->null;
		b->length = &a->len;
		switch (letter[k]) {
		case 'i':
			i = va_arg(ap, int64_t);
			bind_int(a, b, &i);
			break;
		case 'I':
			bind_int(a, b, va_arg(ap, const int64_t *));
			break;
		case 'd':
			d = va_arg(ap, double);
			bind_double(a, b, &d);
			break;
		case 'D':
			bind_double(a, b, va_arg(ap, const double *));
			break;
		case 's':
		case 'e':
			if (bind_text(a, b, va_arg(ap, const char *),
				letter[k] == 'e') != 0)
				return err_wrap("%s", p->decl->name);
			break;
		case 'b':
			data = va_arg(ap, const void *);
			bind_bytes(
			    a, b, MYSQL_TYPE_BLOB, data, va_arg(ap, size_t));
			break;
		case 't':
			bind_time(a, b, va_arg(ap, int64_t));
			break;
		default:
			return err_set(ERR_INTERNAL, "%s: parameter type %c",
			    p->decl->name, letter[k]);
		}
	}
	return 0;
}
