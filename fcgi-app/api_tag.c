/*
 * Tags, by themselves and on versions of models.
 *
 * Whatever is wrong is retcode 100 here, as the platform's clients expect.
 */
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/route.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_tag.h"
#include "lib/json/json.h"

#define LIST_DEFAULT 10
#define LIST_MAX 100000
#define DESCRIPTION_MAX 10000 /* bytes */

/* What a person can put right is told as 100; our own trouble goes up. */
static int
refusal(struct reply *rp, int r)
{
	if (r == ERR_NOT_FOUND || r == ERR_EXISTS || r == ERR_INVALID)
		return reply_fault(rp, 100, "%s", err_text());
	return r;
}

static size_t
characters(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xC0) != 0x80;
	return n;
}

/* A name for a tag; ERR_INVALID says what a name may be. */
static int
name_of(const struct request *req, const char *field, const char **out)
{
	const char *s = request_text(req, field);

	*out = s;
	if (s == NULL || *s == '\0')
		return err_set(ERR_INVALID, "%s is needed: 1 to %d characters",
		    field, DB_TAG_NAME_MAX);
	if (characters(s) > DB_TAG_NAME_MAX)
		return err_set(ERR_INVALID,
		    "%s has %zu characters, at most %d are possible", field,
		    characters(s), DB_TAG_NAME_MAX);
	return 0;
}

static int
description_of(const struct request *req, const char *field, const char **out)
{
	*out = request_text(req, field);
	if (*out != NULL && strlen(*out) > DESCRIPTION_MAX)
		return err_set(ERR_INVALID,
		    "%s has %zu bytes, at most %d are possible", field,
		    strlen(*out), DESCRIPTION_MAX);
	return 0;
}

static struct json_object *
tags_json(const struct db_tag *tags, size_t n, bool counted)
{
	struct json_object *list = json_object_new_array(), *o;

	for (size_t i = 0; i < n; i++) {
		o = json_object_new_object();
		json_add_str(o, "name", tags[i].name);
		json_add_str(o, "description", tags[i].description);
		if (counted)
			json_add_int(o, "model_count", tags[i].models);
		json_object_array_add(list, o);
	}
	return list;
}

/* --- tags ---------------------------------------------------------------------- */

int
api_tag_create(struct request *req, struct reply *rp)
{
	const char *name, *description;
	int r;

	if ((r = name_of(req, "tag_name", &name)) != 0 ||
	    (r = description_of(req, "tag_desc", &description)) != 0 ||
	    (r = db_tag_create(req->app->db, name, description)) != 0)
		return refusal(rp, r);
	return reply_message(rp, "tag '%s' was created", name);
}

int
api_tag_list(struct request *req, struct reply *rp)
{
	struct json_object *data;
	struct db_tag *tags;
	int64_t limit;
	size_t n;
	int r;

	if ((r = request_int(
		 req, "limit", 1, LIST_MAX, LIST_DEFAULT, &limit)) != 0 ||
	    (r = db_tag_list(
		 req->app->db, req->arena, NULL, limit, &tags, &n)) != 0)
		return refusal(rp, r);
	data = json_object_new_object();
	json_add(data, "tags", tags_json(tags, n, true));
	return reply_data(rp, data);
}

static int
tagged_models(struct request *req, struct reply *rp, const char *name)
{
	struct json_object *data, *list, *o;
	struct db_tagged_model *models;
	struct db_tag *tag;
	size_t n;
	int r;

	if ((r = db_tag_get(req->app->db, req->arena, name, &tag)) != 0 ||
	    (r = db_tag_models(req->app->db, req->arena, name, &models, &n)) !=
		0)
		return refusal(rp, r);
	list = json_object_new_array();
	for (size_t i = 0; i < n; i++) {
		o = json_object_new_object();
		json_add_str(o, "model_id", models[i].model_id);
		json_add_str(o, "model_version", models[i].model_version);
		/* In KB, as in the list of models. */
		json_add_int(o, "model_size", (models[i].bytes + 1023) / 1024);
		json_add_str(o, "role", models[i].role);
		json_add_str(o, "party_id", models[i].party_id);
		json_object_array_add(list, o);
	}
	data = json_object_new_object();
	json_add(data, "models", list);
	json_add_int(data, "count", (int64_t)n);
	return reply_data(rp, data);
}

/* Names with that text in them; with models the one tag of that name. */
int
api_tag_retrieve(struct request *req, struct reply *rp)
{
	struct json_object *data;
	const char *name;
	struct db_tag *tags;
	size_t n;
	int r;

	if ((r = name_of(req, "tag_name", &name)) != 0)
		return refusal(rp, r);
	if (request_flag(req, "with_model", false))
		return tagged_models(req, rp, name);
	if ((r = db_tag_list(
		 req->app->db, req->arena, name, LIST_MAX, &tags, &n)) != 0)
		return r;
	if (n == 0)
		return reply_fault(
		    rp, 100, "no tag has '%s' in its name", name);
	data = json_object_new_object();
	json_add(data, "tags", tags_json(tags, n, false));
	return reply_data(rp, data);
}

int
api_tag_update(struct request *req, struct reply *rp)
{
	const char *name, *new_name = NULL, *description;
	int r;

	if ((r = name_of(req, "tag_name", &name)) != 0 ||
	    (request_text(req, "new_tag_name") != NULL &&
		(r = name_of(req, "new_tag_name", &new_name)) != 0) ||
	    (r = description_of(req, "new_tag_desc", &description)) != 0 ||
	    (r = db_tag_update(req->app->db, name, new_name, description)) != 0)
		return refusal(rp, r);
	return reply_message(rp, "tag '%s' was updated", name);
}

int
api_tag_destroy(struct request *req, struct reply *rp)
{
	const char *name;
	int r;

	if ((r = name_of(req, "tag_name", &name)) != 0 ||
	    (r = db_tag_destroy(req->app->db, name)) != 0)
		return refusal(rp, r);
	return reply_message(rp, "tag '%s' was destroyed", name);
}

int
api_tag_other(struct request *req, struct reply *rp)
{
	return reply_fault(rp, 100,
	    "no such operation on tags: '%s'; there are create, list, "
	    "retrieve, update and destroy",
	    request_param(req, "other"));
}

/* --- tags of a version ----------------------------------------------------------- */

static int
version_of(const struct request *req, const char **out)
{
	*out = request_text(req, "job_id");
	if (*out == NULL || **out == '\0')
		return err_set(
		    ERR_INVALID, "job_id is needed: the version of the model");
	return 0;
}

int
api_model_tag_create(struct request *req, struct reply *rp)
{
	const char *version, *name;
	int r;

	if ((r = version_of(req, &version)) != 0 ||
	    (r = name_of(req, "tag_name", &name)) != 0 ||
	    (r = db_model_tag_add(req->app->db, version, name)) != 0)
		return refusal(rp, r);
	return reply_message(
	    rp, "version %s has the tag '%s' now", version, name);
}

int
api_model_tag_remove(struct request *req, struct reply *rp)
{
	const char *version, *name;
	int r;

	if ((r = version_of(req, &version)) != 0 ||
	    (r = name_of(req, "tag_name", &name)) != 0 ||
	    (r = db_model_tag_remove(req->app->db, version, name)) != 0)
		return refusal(rp, r);
	return reply_message(
	    rp, "version %s has the tag '%s' no more", version, name);
}

int
api_model_tag_retrieve(struct request *req, struct reply *rp)
{
	struct json_object *data;
	const char *version;
	struct db_tag *tags;
	size_t n;
	int r;

	if ((r = version_of(req, &version)) != 0 ||
	    (r = db_model_tag_list(
		 req->app->db, req->arena, version, &tags, &n)) != 0)
		return refusal(rp, r);
	data = json_object_new_object();
	json_add(data, "tags", tags_json(tags, n, false));
	json_add_int(data, "count", (int64_t)n);
	return reply_data(rp, data);
}

int
api_model_tag_other(struct request *req, struct reply *rp)
{
	return reply_fault(rp, 100,
	    "no such operation on a model's tags: '%s'; there are create, "
	    "remove and retrieve",
	    request_param(req, "other"));
}
