/*
 * What few ask for: buffers of a version as text, and what this site cannot
 * do, with the reason and what to do instead.
 */
#include <stdlib.h>
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/route.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_model.h"
#include "lib/json/json.h"
#include "lib/model/model_object.h"

#define BUFFERS_MAX ((size_t)256 << 20) /* of one answer */

/* --- transfer --- */

/* ROLE#PARTY#MODEL_ID taken apart, in the arena. */
static int
take_apart(struct request *req, const char *party_model_id, const char *version,
    struct db_model_key *key)
{
	char *role = arena_strdup(req->arena, party_model_id), *party, *id;

	if ((party = strchr(role, '#')) == NULL ||
	    (id = strchr(party + 1, '#')) == NULL || *version == '\0')
		return err_set(ERR_INVALID,
		    "'%.300s' is no ROLE#PARTY#MODEL_ID, or the version is "
		    "missing",
		    party_model_id);
	*party++ = '\0';
	*id++ = '\0';
	*key = (struct db_model_key){ id, version, role, party };
	return 0;
}

static int
buffers_json(struct request *req, const struct db_model_key *key,
    struct json_object **out)
{
	struct json_object *o = json_object_new_object();
	struct buf data = BUF_INIT, text = BUF_INIT;
	struct db_model_part *parts;
	size_t left = BUFFERS_MAX, n;
	int r;

	r = db_model_part_sealed(
	    req->app->db, req->arena, key, NULL, &parts, &n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		buf_clear(&data);
		buf_clear(&text);
		if ((r = model_object_read(
			 req->app->conf, &parts[i], left, &data)) != 0)
			break;
		left -= data.len;
		str_base64(&text, data.data, data.len);
		json_add_str(o, parts[i].buffer_name, buf_str(&text));
	}
	buf_fini(&data);
	buf_fini(&text);
	if (r != 0) {
		json_object_put(o);
		o = NULL;
	}
	*out = o;
	return r;
}

static int
transfer(struct request *req, struct reply *rp, const char *party_model_id,
    const char *version)
{
	struct json_object *data;
	struct db_model_key key;
	struct db_model *row;
	int r;

	if (take_apart(req, party_model_id, version, &key) != 0)
		return reply_status(rp, 400, "%s", err_text());
	r = db_model_get(req->app->db, req->arena, &key, &row);
	if (r == ERR_NOT_FOUND)
		return reply_status(rp, 404, "%s", err_text());
	if (r != 0 || (r = buffers_json(req, &key, &data)) != 0)
		return r;
	return reply_data(rp, data);
}

int
api_model_transfer(struct request *req, struct reply *rp)
{
	const char *name = request_text(req, "name");
	const char *space = request_text(req, "namespace");

	if (name == NULL || space == NULL)
		return reply_status(rp, 400,
		    "namespace (ROLE#PARTY#MODEL_ID) and name (the version) "
		    "are needed");
	return transfer(req, rp, space, name);
}

/* In a path "~" stands for "#". */
int
api_model_transfer_path(struct request *req, struct reply *rp)
{
	char *id = arena_strdup(req->arena, request_param(req, "id"));

	for (char *p = id; *p != '\0'; p++)
		if (*p == '~')
			*p = '#';
	return transfer(req, rp, id, request_param(req, "version"));
}

/* --- what is not done --- */

static const struct {
	const char *path, *why;
} reasons[] = {
	{ "/v1/model/archive/packaging",
	    "archives are made when they are asked for and not kept on the "
	    "server: model/export sends one" },
	{ "/v1/model/service/register",
	    "no serving system can be configured here, so there is nobody to "
	    "find a registered model; model/export and model/transfer hand it "
	    "out" },
	{ "/v1/model/homo/convert",
	    "models of frameworks (scikit-learn, PyTorch) are Python objects, "
	    "which nothing here can make or read; the parameters stand in "
	    "tracking/component/output/model and, as JSON, in the archive of "
	    "model/export" },
	{ "/v1/model/homo/deploy",
	    "no serving system can be configured here; model/export hands the "
	    "model out, to be deployed by hand" },
	{ "/v1/component/hetero/merge",
	    "a merged model would bring all parties' halves to one site, which "
	    "is what training here avoids; each party exports its own half "
	    "(model/export)" },
	{ "/v1/component/woe_array/extract",
	    "WOE of a party's columns are its own and are not handed from one "
	    "party to another; tracking/component/output/model shows one's "
	    "own" },
	{ "/v1/component/woe_array/merge",
	    "WOE of another party are not taken over into a model; a job with "
	    "HeteroFeatureBinning makes them at the party that has the "
	    "columns" },
};

int
api_model_not_done(struct request *req, struct reply *rp)
{
	const char *why = "this site has no such operation";

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (str_eq(req->path, reasons[i].path))
			why = reasons[i].why;
	return reply_fault(rp, 100, "not supported: %s", why);
}
