/*
 * What can be said of DSLs without a job: the inference DSL of a training DSL.
 */
#include <stdlib.h>
#include <string.h>

#include "fcgi-app/dsl_body.h"
#include "fcgi-app/route.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/json/faults.h"
#include "lib/json/json.h"
#include "lib/model/dsl.h"
#include "lib/model/predict_dsl.h"

static int
check_version(const struct request *req)
{
	int64_t version;

	if (request_int(req, "version", 2, 2, 2, &version) != 0 || version != 2)
		return err_set(ERR_INVALID,
		    "version must be 2; only the v2 version is supported");
	return 0;
}

static int
deduce(struct request *req, struct json_object **out)
{
	struct dsl_names *names = arena_alloc(req->arena, sizeof(*names));
	struct faults faults = FAULTS_INIT;
	struct json_object *dsl = NULL;
	int r;

	*out = NULL;
	if ((r = check_version(req)) != 0 ||
	    (r = dsl_body_names(req, "cpn_str", names)) != 0 ||
	    (r = dsl_body_dsl(req, "train_dsl", &dsl)) != 0)
		goto out;
	r = predict_dsl_deduce(dsl, names->items, names->n, &faults,
	    JSON_PATH_KEY(NULL, "train_dsl"), out);
	if (faults_any(&faults))
		r = faults_err(&faults, "no inference DSL follows");
out:
	json_object_put(dsl);
	faults_fini(&faults);
	return r;
}

int
api_dsl_generate(struct request *req, struct reply *rp)
{
	const char *file = request_text(req, "filename");
	struct json_object *dsl;
	int r;

	if (deduce(req, &dsl) != 0)
		return reply_status(rp, 210, "%s", err_text());
	if (file == NULL)
		return reply_data(rp, dsl);
	r = reply_file_json(rp, file, dsl);
	json_object_put(dsl);
	return r;
}
