/*
 * The reason to wait, for people.
 */
#include "cli/waits.h"

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

char *
waits_long(struct json_object *row)
{
	struct buf b = BUF_INIT;
	struct json_object *w = put_short(&b, row);
	struct json_object *numbers = json_get(w, "numbers");
	const char *before = " (";

	put_part(&b, ": ", json_get_str(w, "text", ""), "");
	if (numbers != NULL) {
		json_object_object_foreach(numbers, name, value)
		{
			buf_printf(&b, "%s%s %s", before, name,
			    json_object_get_string(value));
			before = ", ";
		}
		put_part(&b, "", *before == ',' ? ")" : "", "");
	}
	put_part(&b, "; clears with ", json_get_str(w, "clears", ""), "");
	return buf_steal(&b);
}
