/*
 * The reason to wait, for people.
 */
#include "cli/waits.h"

#include <ctype.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/str.h"

static void
put_part(struct buf *b, const char *before, const char *text, const char *after)
{
	if (*text != '\0')
		buf_printf(b, "%s%s%s", before, text, after);
}

static struct json_object *
put_short(struct buf *b, struct json_object *row)
{
	struct json_object *w = json_get(row, "f_wait");

	put_part(b, "", json_get_str(w, "code", ""), "");
	put_part(b, ", ", json_get_str(w, "role", ""), " ");
	put_part(b, "", json_get_str(w, "party_id", ""), "");
	put_part(b, ", ", json_get_str(w, "on", ""), "");
	return w;
}

char *
waits_short(struct json_object *row)
{
	struct buf b = BUF_INIT;

	(void)put_short(&b, row);
	return buf_steal(&b);
}

/* Does the text have the number, by itself? */
static bool
says(const char *text, const char *number)
{
	size_t len = strlen(number);
	const char *at;

	for (at = text; (at = strstr(at, number)) != NULL; at++)
		if ((at == text || !isdigit((unsigned char)at[-1])) &&
		    !isdigit((unsigned char)at[len]))
			return true;
	return false;
}

/* Those that the words do not have: nobody reads a number twice. */
static void
put_numbers(struct buf *b, struct json_object *numbers, const char *text)
{
	const char *before = " (";

	if (numbers == NULL)
		return;
	json_object_object_foreach(numbers, name, value)
	{
		const char *number = json_object_get_string(value);

		if (number == NULL || says(text, number))
			continue;
		buf_printf(b, "%s%s %s", before, name, number);
		before = ", ";
	}
	put_part(b, "", *before == ',' ? ")" : "", "");
}

char *
waits_long(struct json_object *row)
{
	struct buf b = BUF_INIT;
	struct json_object *w = put_short(&b, row);
	const char *text = json_get_str(w, "text", "");

	put_part(&b, ": ", text, "");
	put_numbers(&b, json_get(w, "numbers"), text);
	put_part(&b, "; clears with ", json_get_str(w, "clears", ""), "");
	return buf_steal(&b);
}
