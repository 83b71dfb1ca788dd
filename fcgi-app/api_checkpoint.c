/*
 * Checkpoints of components.  Whatever is wrong is an HTTP status here.
 */
#include <stdlib.h>
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/route.h"
#include "fcgi-app/turns.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_checkpoint.h"
#include "lib/json/json.h"
#include "lib/model/model_object.h"

#define BUFFERS_MAX ((size_t)256 << 20) /* of one answer */

struct asked {
	const char *role;
	const char *party_id;
	const char *model_id;
	const char *model_version;
	const char *component;
	struct db_checkpoint *rows;
	size_t n;
	struct db_checkpoint_part *parts;
	size_t n_parts;
};

/* Every missing one is named. */
static int
take_names(const struct request *req, struct asked *a)
{
	const struct {
		const char *name;
		const char **to;
	} fields[] = {
		{ "role", &a->role },
		{ "party_id", &a->party_id },
		{ "model_id", &a->model_id },
		{ "model_version", &a->model_version },
		{ "component_name", &a->component },
	};
	struct buf missing = BUF_INIT;
	int r = 0;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		*fields[i].to = request_text(req, fields[i].name);
		if (*fields[i].to != NULL && **fields[i].to != '\0')
			continue;
		buf_printf(&missing, "%s%s", missing.len > 0 ? "," : "",
		    fields[i].name);
	}
	if (missing.len > 0)
		r = err_set(ERR_INVALID, "required argument are missing: %s; ",
		    buf_str(&missing));
	buf_fini(&missing);
	return r;
}

static int
find(struct request *req, struct asked *a)
{
	struct db *db = req->app->db;
	int r;

	if ((r = take_names(req, a)) != 0)
		return r;
	if ((r = db_checkpoint_list(db, req->arena, a->model_id,
		 a->model_version, a->role, a->party_id, a->component, &a->rows,
		 &a->n)) != 0)
		return r;
	return db_checkpoint_parts(db, req->arena, a->model_id,
	    a->model_version, a->role, a->party_id, a->component, &a->parts,
	    &a->n_parts);
}

static struct json_object *
row_json(const struct db_checkpoint *c, struct json_object *models)
{
	struct json_object *o = json_object_new_object();

	json_add_int(o, "step_index", c->step_index);
	json_add_str(o, "step_name", c->step_name);
	json_add_int(o, "create_time", c->created_ms);
	json_add(o, "models", models);
	return o;
}

static struct json_object *
described(const struct asked *a, const struct db_checkpoint *c)
{
	struct json_object *models = json_object_new_object(), *o;
	char hex[2 * DB_HASH_SIZE + 1];

	for (size_t i = 0; i < a->n_parts; i++) {
		const struct db_checkpoint_part *p = &a->parts[i];

		if (p->checkpoint_id != c->id)
			continue;
		str_to_hex(p->sha256, DB_HASH_SIZE, hex);
		o = json_object_new_object();
		json_add_str(o, "sha256", hex);
		json_add_str(o, "buffer_name", p->message);
		json_add_int(o, "bytes", p->bytes);
		json_add(models, p->buffer_name, o);
	}
	return row_json(c, models);
}

int
api_checkpoint_list(struct request *req, struct reply *rp)
{
	struct json_object *list;
	struct asked a = { 0 };
	int r;

	if ((r = find(req, &a)) == ERR_INVALID)
		return reply_status(rp, 400, "%s", err_text());
	if (r != 0)
		return r;
	list = json_object_new_array();
	for (size_t i = 0; i < a.n; i++)
		json_object_array_add(list, described(&a, &a.rows[i]));
	return reply_data(rp, list);
}

/* --- one with its content ---------------------------------------------------------- */

static int
with_content(struct request *req, const struct asked *a,
    const struct db_checkpoint *c, struct json_object **out)
{
	struct json_object *models = json_object_new_object();
	struct buf data = BUF_INIT, text = BUF_INIT;
	size_t left = BUFFERS_MAX;
	int r = 0;

	for (size_t i = 0; r == 0 && i < a->n_parts; i++) {
		const struct db_checkpoint_part *p = &a->parts[i];

		struct db_model_part file = { .component = c->component,
			.alias = "checkpoint",
			.buffer_name = p->buffer_name,
			.bytes = p->bytes };

		if (p->checkpoint_id != c->id)
			continue;
		buf_clear(&data);
		buf_clear(&text);
		memcpy(file.sha256, p->sha256, sizeof(file.sha256));
		if ((r = model_object_read(
			 req->app->conf, &file, left, &data)) != 0)
			break;
		left -= data.len;
		str_base64(&text, data.data, data.len);
		json_add_str(models, p->buffer_name, buf_str(&text));
	}
	buf_fini(&data);
	buf_fini(&text);
	if (r != 0) {
		json_object_put(models);
		return r;
	}
	*out = row_json(c, models);
	return 0;
}

/* A step by its number or its name; NULL when there is none. */
static const struct db_checkpoint *
choose(const struct asked *a, bool by_index, int64_t index, const char *name)
{
	/* The newest of a name. */
	for (size_t i = a->n; i-- > 0;) {
		if (by_index ? a->rows[i].step_index == index
			     : str_eq(a->rows[i].step_name, name))
			return &a->rows[i];
	}
	return NULL;
}

int
api_checkpoint_get(struct request *req, struct reply *rp)
{
	const char *name = request_text(req, "step_name");
	bool by_index = request_text(req, "step_index") != NULL;
	const struct db_checkpoint *c;
	struct json_object *data;
	struct asked a = { 0 };
	int64_t index = 0;
	int r;

	if (!by_index && name == NULL)
		return reply_status(
		    rp, 400, "step_index or step_name is required");
	if ((r = request_int(req, "step_index", 0, INT32_MAX, 0, &index)) !=
		0 ||
	    (r = find(req, &a)) == ERR_INVALID)
		return reply_status(rp, 400, "%s", err_text());
	if (r != 0)
		return r;
	if ((c = choose(&a, by_index, index, name)) == NULL)
		return reply_status(rp, 404,
		    "%s has no such checkpoint here; %zu others are kept",
		    a.component, a.n);
	/* It may be large, and stands in memory several times. */
	if ((r = turns_take(req->app->downloads)) == ERR_BUSY)
		return reply_busy(rp);
	if (r != 0)
		return r;
	r = with_content(req, &a, c, &data);
	turns_give(req->app->downloads);
	return r != 0 ? r : reply_data(rp, data);
}
