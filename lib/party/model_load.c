/*
 * What a member answers when it is to load a version.  No serving system is
 * supported yet: what can be said of the version is said, then that.
 */
#include "lib/party/model_load.h"

#include "lib/base/err.h"
#include "lib/db/db_model.h"
#include "lib/json/decode.h"
#include "lib/party/party_private.h"

struct load_body {
	const char *model_id;
	const char *model_version;
};

static const struct json_field body_fields[] = {
	JSON_STR(struct load_body, model_id, 1, 255, JSON_REQUIRED),
	JSON_STR(struct load_body, model_version, 1, 100, JSON_REQUIRED),
};

static int
read_body(const struct errand_ask *ask, struct load_body *body)
{
	struct faults faults = FAULTS_INIT;
	int r = 0;

	if (json_decode(ask->body, JSON_FIELDS(body_fields),
		JSON_IGNORE_UNKNOWN, NULL, &faults, body) != 0)
		r = faults_err(&faults, "body");
	faults_fini(&faults);
	return r;
}

int
model_load(const struct errand_ask *ask)
{
	struct load_body body = { NULL, NULL };
	struct db_model_key key = { .role = ask->role,
		.party_id = ask->party_id };
	struct db_model *row;
	int r;

	if ((r = read_body(ask, &body)) != 0)
		return r;
	key.model_id = body.model_id;
	key.model_version = body.model_version;
	if ((r = db_model_get(ask->db, ask->arena, &key, &row)) == 0)
		r = party_check_model(ask->caller, row);
	if (r == ERR_NOT_FOUND)
		return err_set(ERR_UNSUPPORTED, "%s", err_text());
	if (r != 0)
		return r;
	if (row->is_parent)
		return err_set(ERR_UNSUPPORTED,
		    "version %s is not deployed: deploy it (model/deploy) and "
		    "load the version that this gives",
		    key.model_version);
	return err_set(ERR_UNSUPPORTED,
	    "no serving is configured at the site of %s %s", key.role,
	    key.party_id);
}
