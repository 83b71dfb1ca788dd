/*
 * Looking up the version that a predict job uses.  Called at submit, and when
 * a partner asks this site to take part.
 */
#include "fcgi-app/deployed.h"

#include <stdlib.h>
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/loads.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_model.h"
#include "lib/model/model_version.h"
#include "lib/json/decode.h"
#include "lib/model/model_version.h"

struct lookup {
	struct request *req;
	const struct json_path *common; /* where the names stand */
	struct faults *faults;
	const char *initiator; /* a partner, or NULL */
	struct db_model_key key;
	char party[JSON_PARTY_SIZE];
	bool has_partners;
};

/* A text of job_parameters.common that must be there. */
static void
read_name(struct lookup *l, struct json_object *common, const char *key,
    const char **out)
{
	struct json_object *x = json_get(common, key);
	struct json_path at = { l->common, key, 0 };

	*out = json_is_string(x) ? json_object_get_string(x) : NULL;
	if (*out == NULL || **out == '\0')
		faults_add_value(l->faults, &at, x,
		    "a predict job names a deployed model here, as text");
}

/* Whose half: the given member's, else the initiator's. */
static bool
read_member(struct lookup *l, struct json_object *conf, const char *role,
    const char *party_id)
{
	struct json_object *initiator = json_get(conf, "initiator");

	l->key.role = role;
	l->key.party_id = party_id;
	if (role != NULL)
		return true;
	l->key.role = json_get_str(initiator, "role", NULL);
	l->key.party_id = l->party;
	/* Otherwise job_spec_build() says what is wrong. */
	return l->key.role != NULL &&
	       json_party_id(json_get(initiator, "party_id"), l->party);
}

static size_t
count_members(struct json_object *roles)
{
	size_t n = 0;

	if (!json_is_object(roles))
		return 0;
	json_object_object_foreach(roles, role, list)
	{
		(void)role;
		n += json_is_array(list) ? json_object_array_length(list) : 0;
	}
	return n;
}

static int
fault_version(struct lookup *l, const char *words)
{
	faults_add(l->faults, JSON_PATH_KEY(l->common, "model_version"),
	    "%s %s has no deployed model %.300s of version %.100s here: %s",
	    l->key.role, l->key.party_id, l->key.model_id, l->key.model_version,
	    words);
	return ERR_INVALID;
}

/* A partner that had no part in a version does not hear that it is there. */
static bool
may_hear(const struct lookup *l, const struct db_model *m)
{
	return l->initiator == NULL || model_has_party(m, l->initiator);
}

/* Why the version is not there: what somebody can do about it. */
static int
explain(struct lookup *l)
{
	struct db *db = l->req->app->db;
	struct arena *a = l->req->arena;
	struct db_model *staged, *rows;
	size_t n;
	int r;

	err_clear();
	r = db_model_get_staged(db, a, &l->key, &staged);
	if (r == 0 && may_hear(l, staged))
		return fault_version(l,
		    "not every member has sealed its half; train or deploy "
		    "again");
	if (r != 0 && r != ERR_NOT_FOUND)
		return r;
	err_clear();
	if ((r = db_model_find(
		 db, a, l->key.model_version, NULL, NULL, &rows, &n)) != 0)
		return r;
	if (n == 0 || !may_hear(l, &rows[0]))
		return fault_version(l, "no such version is known here");
	return fault_version(
	    l, arena_printf(a, "this version is one of model %s, at %s %s",
		   rows[0].model_id, rows[0].role, rows[0].party_id));
}

static int
parse_documents(const struct db_model *row, struct job_model *m)
{
	int r;

	if ((r = json_parse_text(row->train_dsl, &m->train_dsl)) == 0 &&
	    (r = json_parse_text(row->train_runtime_conf, &m->train_conf)) == 0)
		r = json_parse_text(row->inference_dsl, &m->inference_dsl);
	if (r == 0 &&
	    (!json_is_object(m->train_dsl) || !json_is_object(m->train_conf) ||
		!json_is_object(m->inference_dsl)))
		r = err_set(ERR_FORMAT, "a document is no object");
	return r == 0 ? 0
		      : err_wrap("model %s of version %s", row->model_id,
			    row->model_version);
}

int
deployed_from_row(const struct db_model *row, struct job_model **out)
{
	struct job_model *m = xcalloc(1, sizeof(*m));
	int r;

	*out = NULL;
	m->model_id = row->model_id;
	m->model_version = row->model_version;
	memcpy(m->root_hash, row->root_hash, sizeof(m->root_hash));
	if ((r = parse_documents(row, m)) != 0) {
		deployed_free(m);
		return r;
	}
	*out = m;
	return 0;
}

static int
load(struct lookup *l, struct job_model **out)
{
	struct db_model *row;
	int r;

	r = db_model_get(l->req->app->db, l->req->arena, &l->key, &row);
	if (r == ERR_NOT_FOUND || (r == 0 && !may_hear(l, row)))
		return explain(l);
	if (r != 0)
		return r;
	if (row->is_parent)
		return fault_version(l,
		    "this is the version that training made; deploy it "
		    "(model/deploy) and use the version that this gives");
	if (l->has_partners && !model_root_is_known(row->root_hash))
		return fault_version(l,
		    "it came by an archive without a manifest, and nothing "
		    "proves that the members' halves belong together: it "
		    "serves jobs without partners only");
	return deployed_from_row(row, out);
}

int
deployed_find(struct request *req, struct json_object *dsl,
    struct json_object *conf, const struct deployed_for *who,
    const struct json_path *path, struct faults *faults, struct job_model **out)
{
	struct json_path parameters = { path, "job_parameters", 0 };
	struct json_path at = { &parameters, "common", 0 };
	struct lookup l = { .req = req,
		.common = &at,
		.faults = faults,
		.initiator = who->initiator };
	struct json_object *common;
	size_t before = faults_count(faults);

	*out = NULL;
	common = json_path_get(conf, "job_parameters", "common");
	if (!read_member(&l, conf, who->role, who->party_id))
		return 0;
	if (!str_eq(json_get_str(common, "job_type", NULL), "predict"))
		return loads_find(req, dsl, conf, l.key.role, l.key.party_id,
		    who->initiator, out);
	l.has_partners = count_members(json_get(conf, "role")) > 1;
	read_name(&l, common, "model_id", &l.key.model_id);
	read_name(&l, common, "model_version", &l.key.model_version);
	return faults_count(faults) != before ? ERR_INVALID : load(&l, out);
}

void
deployed_free(struct job_model *m)
{
	struct job_model *next;

	for (; m != NULL; m = next) {
		next = m->next;
		json_object_put(m->train_dsl);
		json_object_put(m->train_conf);
		json_object_put(m->inference_dsl);
		free(m);
	}
}

static int
check_root(const struct job_model *m, struct json_object *agreed)
{
	char own[2 * JOB_HASH_SIZE + 1];
	const char *theirs = json_get_str(agreed, "root_hash", "none");

	if (!model_root_is_known(m->root_hash))
		return err_set(ERR_DENIED,
		    "model %s of version %s was imported here without its "
		    "root: nothing proves which halves belong to it",
		    m->model_id, m->model_version);
	str_to_hex(m->root_hash, sizeof(m->root_hash), own);
	if (str_eq(own, theirs))
		return 0;
	return err_set(ERR_DENIED,
	    "model %s of version %s has the root %s here, the job's is %.80s: "
	    "these halves do not belong together",
	    m->model_id, m->model_version, own, theirs);
}

static const struct job_model *
find_loader(const struct job_model *m, const char *loader)
{
	while (m != NULL && !str_eq(m->loader, loader))
		m = m->next;
	return m;
}

int
deployed_check_root(const struct job_model *list, struct json_object *contract)
{
	struct json_object *loads = json_get(contract, "loads");
	const struct job_model *m;
	int r = 0;

	if (list != NULL && list->loader == NULL)
		return check_root(list, json_get(contract, "model"));
	for (m = list; m != NULL && r == 0; m = m->next)
		r = check_root(m, json_get(loads, m->loader));
	if (r != 0 || !json_is_object(loads))
		return r;
	json_object_object_foreach(loads, loader, agreed)
	{
		if (find_loader(list, loader) == NULL)
			return err_set(ERR_DENIED,
			    "%.100s loads version %.100s, which this member "
			    "has not sealed",
			    loader, json_get_str(agreed, "model_version", "?"));
	}
	return 0;
}
