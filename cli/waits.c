/*
 * The reason to wait, for people.
 */
#include "cli/waits.h"

#include <ctype.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/model/wait.h"

static void
put_part(struct buf *b, const char *before, const char *text, const char *after)
{
	if (*text != '\0')
		buf_printf(b, "%s%s%s", before, text, after);
}

static void
put_short(struct buf *b, struct json_object *w)
{
	put_part(b, "", json_get_str(w, "code", ""), "");
	put_part(b, ", ", json_get_str(w, "role", ""), " ");
	put_part(b, "", json_get_str(w, "party_id", ""), "");
	put_part(b, ", ", json_get_str(w, "on", ""), "");
}

char *
waits_short(struct json_object *wait)
{
	struct buf b = BUF_INIT;

	put_short(&b, wait);
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
waits_long(struct json_object *wait)
{
	struct buf b = BUF_INIT;
	const char *text = json_get_str(wait, "text", "");

	put_short(&b, wait);
	/* A site that is newer may have a code that has no words here. */
	if (*text == '\0')
		text = wait_words(wait_parse(json_get_str(wait, "code", "")));
	put_part(&b, ": ", text, "");
	put_numbers(&b, json_get(wait, "numbers"), text);
	put_part(&b, "; clears with ", json_get_str(wait, "clears", ""), "");
	return buf_steal(&b);
}

bool
waits_is_brief(struct json_object *wait)
{
	return wait_is_brief(wait_parse(json_get_str(wait, "code", "")));
}
