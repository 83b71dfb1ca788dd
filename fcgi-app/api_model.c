/*
 * Models that tasks put out, as JSON.
 */
#include "fcgi-app/app.h"
#include "lib/wire/messages.h"
#include "lib/wire/pbjson.h"
#include "fcgi-app/route.h"
#include "fcgi-app/tracked.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_job.h"
#include "lib/db/db_model.h"
#include "lib/model/model_object.h"

static const struct db_model_part *
part_ending(const struct db_model_part *parts, size_t n, const char *ending)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (str_ends(parts[i].buffer_name, ending))
			return &parts[i];
	}
	return NULL;
}

/* An empty object for a part that is NULL. */
static int
part_json(struct request *req, const struct db_model_part *part,
    struct json_object **out)
{
	const ProtobufCMessageDescriptor *d;
	struct buf data = BUF_INIT;
	int r;

	*out = NULL;
	if (part == NULL) {
		*out = json_object_new_object();
		return 0;
	}
	if ((d = messages_find(part->message)) == NULL)
		return err_set(ERR_UNSUPPORTED,
		    "the message %s of %s is not known to this version",
		    part->message, part->component);
	if ((r = model_object_read(
		 req->app->conf, part, MODEL_OBJECT_MAX, &data)) == 0)
		r = pbjson_unpack(d, data.data, data.len, out);
	buf_fini(&data);
	return r;
}

/*
 * What the job's task put out, under the job's id as version; for a predict
 * job, which trains nothing, the model that it used.
 */
static int
find_parts(struct request *req, const struct tracked *t,
    struct db_model_part **parts, size_t *n)
{
	struct db *db = req->app->db;
	struct db_model_key key = { .role = t->role, .party_id = t->party_id };
	struct db_job *job;
	int r;

	r = db_model_part_newest(db, req->arena, NULL, t->job_id, t->role,
	    t->party_id, t->component, NULL, parts, n);
	if (r != 0 || *n > 0)
		return r;
	r = db_job_get_brief(db, req->arena, t->job_id, &job);
	if (r == ERR_NOT_FOUND) {
		err_clear();
		return 0;
	}
	if (r != 0 || !str_eq(job->job_type, "predict"))
		return r;
	key.model_id = job->model_id;
	key.model_version = job->model_version;
	return db_model_part_sealed(
	    db, req->arena, &key, t->component, parts, n);
}

int
api_output_model(struct request *req, struct reply *rp)
{
	const struct db_model_part *param, *meta;
	struct json_object *data, *meta_data;
	struct db_model_part *parts;
	const char *why;
	struct tracked t;
	size_t n;
	int r;

	if ((r = tracked_find(req, &t)) != 0 ||
	    (r = find_parts(req, &t, &parts, &n)) != 0)
		return r;
	param = part_ending(parts, n, "Param");
	meta = part_ending(parts, n, "Meta");
	if (param == NULL) {
		why = tracked_no_data(req, &t);
		if (n == 0 && str_eq(why, "no data"))
			reply_message(rp, "no define_meta");
		else if (n == 0)
			reply_message(rp, "no define_meta; %s", why);
		else
			reply_message(rp, "no data");
		return reply_data(rp, json_object_new_object());
	}
	if ((r = part_json(req, param, &data)) != 0)
		return r;
	reply_data(rp, data);
	if ((r = part_json(req, meta, &meta_data)) != 0)
		return r;
	rp->meta = json_object_new_object();
	json_add(rp->meta, "meta_data", meta_data);
	json_add_str(rp->meta, "module_name", param->module);
	json_add_str(rp->meta, "model_alias", param->alias);
	return 0;
}
