/*
 * Filters.  Called by api_job.c and api_task.c.
 */
#include "fcgi-app/filter.h"

#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_task.h"
#include "lib/json/json.h"

#define PAGE_MAX 1000000

static bool
is_scalar(struct json_object *o)
{
	return o != NULL && !json_is_object(o) && !json_is_array(o);
}

/* No id, name or status is this: it selects nothing. */
#define NOTHING "?"

static void
add_value(struct buf *out, struct json_object *o)
{
	const char *text;

	if (!is_scalar(o))
		return;
	text = json_object_get_string(o);
	/* A filter that cannot be met must not become none. */
	if (text[0] == '\0' || strchr(text, ',') != NULL)
		text = NOTHING;
	if (out->len != 0)
		buf_putc(out, ',');
	buf_puts(out, text);
}

const char *
filter_any(const struct request *req, const char *name)
{
	struct json_object *o = request_field(req, name);
	struct buf list = BUF_INIT;
	const char *text = NULL;
	size_t i;

	if (json_is_array(o)) {
		for (i = 0; i < json_object_array_length(o); i++)
			add_value(&list, json_object_array_get_idx(o, i));
	} else {
		add_value(&list, o);
	}
	if (list.len != 0)
		text = arena_strdup(req->arena, list.data);
	buf_fini(&list);
	return text;
}

static int64_t
element(struct json_object *list, size_t i)
{
	struct json_object *o = json_object_array_get_idx(list, i);

	return is_scalar(o) ? json_object_get_int64(o) : 0;
}

void
filter_range(
    const struct request *req, const char *name, int64_t *from, int64_t *to)
{
	struct json_object *o = request_field(req, name);

	*from = *to = 0;
	if (json_is_array(o) && json_object_array_length(o) == 2) {
		*from = element(o, 0);
		*to = element(o, 1);
	} else if (is_scalar(o)) {
		*from = *to = json_object_get_int64(o);
	}
}

static int
word_index(const char *word, const char *const *names)
{
	int i;

	for (i = 0; names[i] != NULL; i++) {
		if (strcmp(names[i], word) == 0)
			return i;
	}
	return -1;
}

int
filter_page(const struct request *req, const char *const *names,
    struct filter_page *out)
{
	const char *by = request_text(req, "order_by");
	const char *order = request_text(req, "order");
	int64_t page;
	int r;

	memset(out, 0, sizeof(*out));
	out->order = -1;
	if ((r = request_int(req, "limit", 0, PAGE_MAX, 0, &out->limit)) != 0 ||
	    (r = request_int(req, "page", 1, PAGE_MAX, 1, &page)) != 0)
		return r;
	out->offset = out->limit * (page - 1);
	if (by != NULL && (out->order = word_index(by, names)) < 0)
		return err_set(ERR_INVALID, "order_by '%s' is not known", by);
	if (order == NULL)
		return 0;
	out->descending = strcmp(order, "desc") == 0;
	if (!out->descending && strcmp(order, "asc") != 0)
		return err_set(ERR_INVALID, "order must be asc or desc");
	return 0;
}

int
filter_words(
    const struct request *req, const char *field, const char *const *names)
{
	const char *list = filter_any(req, field), *word;
	size_t n;

	if (list == NULL)
		return request_field(req, field) == NULL
			   ? 0
			   : err_set(
				 ERR_INVALID, "%s has no usable value", field);
	for (; *list != '\0'; list += n + (list[n] == ',')) {
		n = strcspn(list, ",");
		word = arena_strndup(req->arena, list, n);
		if (word_index(word, names) < 0)
			return err_set(
			    ERR_INVALID, "%s '%s' is not known", field, word);
	}
	return 0;
}

/* "JOB_COMPONENT" says both when they are not given on their own. */
static void
split_task_id(const struct request *req, struct db_task_filter *f)
{
	const char *id = request_text(req, "task_id");
	size_t n;

	if (id == NULL || (n = strcspn(id, "_")) == 0 || id[n] == '\0')
		return;
	if (f->job_id == NULL)
		f->job_id = arena_strndup(req->arena, id, n);
	if (f->components == NULL)
		f->component = id + n + 1;
}

bool
filter_tasks(const struct request *req, struct db_task_filter *f)
{
	f->job_id = request_text(req, "job_id");
	f->components = filter_any(req, "component_name");
	f->roles = filter_any(req, "role");
	f->parties = filter_any(req, "party_id");
	f->statuses = filter_any(req, "status");
	f->party_statuses = filter_any(req, "party_status");
	split_task_id(req, f);
	return f->job_id != NULL || f->components != NULL || f->roles != NULL ||
	       f->parties != NULL || f->statuses != NULL ||
	       f->party_statuses != NULL;
}
