/*
 * The table of faults.
 */
#include "lib/model/fault.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

static const struct kind {
	const char *name;
	enum fault_remedy remedy;
	const char *words;
} kinds[] = {
#define X(name, text, remedy, words) [FAULT_##name] = { text, remedy, words },
	FAULT_LIST(X)
#undef X
};

const char *
fault_name(enum fault_kind f)
{
	return kinds[f].name;
}

enum fault_kind
fault_parse(const char *name)
{
	for (int i = 0; i < FAULT_KINDS; i++)
		if (str_eq(kinds[i].name, name))
			return (enum fault_kind)i;
	return FAULT_NONE;
}

enum fault_remedy
fault_remedy(enum fault_kind f)
{
	return kinds[f].remedy;
}

enum fault_kind
fault_of_error(int code)
{
	switch (code) {
	case ERR_DB:
	case ERR_DB_RETRY:
	case ERR_IO:
	case ERR_BUSY:
	case ERR_INTERNAL:
	case ERR_CLOSED:
		return FAULT_HOST;
	case ERR_FULL:
		return FAULT_DISK;
	case ERR_NOMEM:
		return FAULT_MEMORY;
	case ERR_NET:
	case ERR_TIMEOUT:
	case ERR_REMOTE:
		return FAULT_PARTNER;
	case ERR_DENIED:
	case ERR_AUTH:
		return FAULT_REFUSED;
	default:
		/* Its inputs, its parameters, its outputs, its manners. */
		return FAULT_COMPONENT;
	}
}

const char *
fault_outward(const char *detail, enum fault_kind f, const char *text)
{
	if (text == NULL || *text == '\0')
		return text;
	return str_eq(detail, "class") || strstr(text, FAULT_INWARD) != NULL
		   ? kinds[f].words
		   : text;
}

static bool
is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

const char *
fault_named(struct arena *a, const char *text, const char *party)
{
	static const char here[] = "this site";
	const size_t len = sizeof(here) - 1;
	struct buf b = BUF_INIT;
	const char *at, *out;

	if (text == NULL || strstr(text, here) == NULL)
		return text;
	for (at = text; *at != '\0';) {
		if (strncmp(at, here, len) == 0 && !is_word(at[len]) &&
		    (at == text || !is_word(at[-1]))) {
			buf_printf(&b, "party %s", party);
			at += len;
		} else
			buf_putc(&b, *at++);
	}
	out = arena_strdup(a, buf_str(&b));
	buf_fini(&b);
	return out;
}
