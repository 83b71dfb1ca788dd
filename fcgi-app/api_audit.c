/*
 * What was done at this site and refused, for its admins.
 */
#include "fcgi-app/app.h"
#include "fcgi-app/route.h"
#include "lib/base/err.h"
#include "lib/db/db_audit.h"
#include "lib/json/decode.h"
#include "lib/party/audit_json.h"

#define LIMIT 100
#define LIMIT_MAX 1000

static const struct json_field fields[] = {
	JSON_STR(struct db_audit_filter, actor, 1, 200, JSON_NULLABLE),
	JSON_STR(struct db_audit_filter, action, 1, 100, JSON_NULLABLE),
	JSON_STR(struct db_audit_filter, subject, 1, 500, JSON_NULLABLE),
	JSON_STR(struct db_audit_filter, outcome, 1, 20, JSON_NULLABLE),
	JSON_INT(struct db_audit_filter, since_ms, 0, INT64_MAX / 1000,
	    JSON_LENIENT),
	JSON_INT(struct db_audit_filter, before_id, 0, INT64_MAX, JSON_LENIENT),
	JSON_INT(struct db_audit_filter, limit, 1, LIMIT_MAX, JSON_LENIENT),
};

static int
read_filter(struct request *req, struct db_audit_filter *f)
{
	struct faults faults = FAULTS_INIT;
	int r = 0;

	if (json_decode(req->json, JSON_FIELDS(fields), JSON_IGNORE_UNKNOWN,
		NULL, &faults, f) != 0)
		r = faults_err(&faults, "audit/query");
	faults_fini(&faults);
	return r;
}

int
api_audit_query(struct request *req, struct reply *rp)
{
	struct db_audit_filter f = { .limit = LIMIT };
	struct json_object *list;
	struct db_audit *rows;
	size_t n;
	int r;

	if ((r = read_filter(req, &f)) != 0 ||
	    (r = db_audit_find(req->app->db, req->arena, &f, &rows, &n)) != 0)
		return r;
	list = json_object_new_array();
	for (size_t i = 0; i < n; i++)
		json_object_array_add(list, audit_json(&rows[i]));
	return reply_data(rp, list);
}
