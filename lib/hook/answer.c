/*
 * What services answer.  Called by hook.c.
 */
#include "lib/hook/answer.h"

#include <string.h>

#include "lib/base/err.h"
#include "lib/json/json.h"

static void
copy(char *out, size_t size, const char *text)
{
	size_t n = strlen(text);

	/* Cut where a character begins. */
	if (n >= size) {
		n = size - 1;
		while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
			n--;
	}
	memcpy(out, text, n);
	out[n] = '\0';
}

void
hook_answer_say(struct hook_answer *out, const char *text)
{
	copy(out->message, sizeof(out->message), text);
}

int
hook_answer_read(const struct http_reply *reply, struct hook_answer *out)
{
	struct json_object *o = NULL, *code, *data;
	int r;

	if (reply->status != 200)
		return err_set(ERR_FORMAT, "status %d", reply->status);
	if ((r = json_parse(buf_str(&reply->body), reply->body.len,
		 HOOK_ANSWER_MAX, &o)) != 0)
		return r;
	code = json_get(o, "code");
	if (!json_object_is_type(code, json_type_int)) {
		r = err_set(ERR_FORMAT, "no object with a number \"code\"");
	} else {
		hook_answer_say(out, json_get_str(o, "message", ""));
		data = json_get(o, "data");
		copy(out->name, sizeof(out->name),
		    json_get_str(data, "name", ""));
		copy(out->role, sizeof(out->role),
		    json_get_str(data, "role", ""));
		if (json_object_get_int64(code) != 0)
			r = err_set(ERR_DENIED, "%s",
			    out->message[0] != '\0' ? out->message
						    : "without a reason");
	}
	json_object_put(o);
	return r;
}
