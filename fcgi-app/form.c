/*
 * Forms.  Called by request.c, by auth_client.c (what was signed) and by
 * handlers of uploads.
 */
#include "fcgi-app/form.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

static bool
has_type(const struct request *req, const char *want)
{
	const char *type = request_env(req, "CONTENT_TYPE");

	return type != NULL && strncasecmp(type, want, strlen(want)) == 0;
}

bool
form_is_multipart(const struct request *req)
{
	return has_type(req, "multipart/form-data");
}

bool
form_is_urlencoded(const struct request *req)
{
	return has_type(req, "application/x-www-form-urlencoded");
}

void
form_urlencoded(const struct request *req, struct json_object *into)
{
	struct buf name = BUF_INIT, value = BUF_INIT;
	const char *s, *end, *amp, *eq;
	char *copy, *plus;

	copy = xstrndup(buf_str(&req->raw), req->raw.len);
	for (plus = copy; *plus != '\0'; plus++) {
		if (*plus == '+')
			*plus = ' ';
	}
	end = copy + strlen(copy);
	for (s = copy; s < end; s = amp + 1) {
		amp = s + strcspn(s, "&");
		eq = memchr(s, '=', (size_t)(amp - s));
		if (eq == NULL)
			continue;
		buf_clear(&name);
		buf_clear(&value);
		str_percent_decode(&name, s, (size_t)(eq - s));
		str_percent_decode(&value, eq + 1, (size_t)(amp - eq - 1));
		json_object_object_add(into, buf_str(&name),
		    json_object_new_string(buf_str(&value)));
	}
	free(copy);
	buf_fini(&name);
	buf_fini(&value);
}

int
form_multipart(const struct request *req, const struct multipart **out)
{
	*out = NULL;
	if (req->form_fault != 0)
		return err_set(req->form_fault, "%s", req->body_fault);
	if (req->form == NULL)
		return err_set(ERR_FORMAT, "there is no multipart form");
	*out = req->form;
	return 0;
}

struct field {
	const char *name;
	const char *value;
};

static int
by_name(const void *a, const void *b)
{
	const struct field *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static void
put_sorted(struct json_object *fields, struct buf *out)
{
	size_t i, n = 0, max = (size_t)json_object_object_length(fields);
	struct field *list = xcalloc(max + 1, sizeof(*list));

	json_object_object_foreach(fields, key, value)
	{
		list[n++] =
		    (struct field){ key, json_object_get_string(value) };
	}
	qsort(list, n, sizeof(*list), by_name);
	for (i = 0; i < n; i++) {
		if (i > 0)
			buf_putc(out, '&');
		str_percent_encode(out, list[i].name, strlen(list[i].name));
		buf_putc(out, '=');
		str_percent_encode(out, list[i].value, strlen(list[i].value));
	}
	free(list);
}

void
form_canonical(const struct request *req, struct buf *out)
{
	struct json_object *fields;

	if (req->form != NULL) {
		put_sorted(req->form->fields, out);
	} else if (form_is_urlencoded(req) && req->raw.len != 0) {
		fields = json_object_new_object();
		form_urlencoded(req, fields);
		put_sorted(fields, out);
		json_object_put(fields);
	}
}
