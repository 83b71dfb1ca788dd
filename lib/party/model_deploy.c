/*
 * Staging, sealing and dropping a child at one member.  What the inference
 * DSL uses decides which models it gets; they are the parent's files.
 */
#include "lib/party/model_deploy.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_checkpoint.h"
#include "lib/db/db_model.h"
#include "lib/db/db_quota.h"
#include "lib/json/decode.h"
#include "lib/model/dsl.h"
#include "lib/model/model_pipeline.h"
#include "lib/model/model_version.h"
#include "lib/party/model_stage.h"
#include "lib/party/party_private.h"

/* Rows of a version and its parts, roughly. */
#define CHILD_BYTES 16384

struct deploy_body {
	const char *model_id;
	const char *model_version;
	const char *root;
	const char *child;
	struct json_object *inference_dsl;
	struct json_object *checkpoints;
	struct json_object *members;
};

static const struct json_field body_fields[] = {
	JSON_STR(struct deploy_body, model_id, 1, 255, JSON_REQUIRED),
	JSON_STR(struct deploy_body, model_version, 1, 100, JSON_REQUIRED),
	JSON_STR(struct deploy_body, root, 64, 64, JSON_REQUIRED),
	JSON_STR(struct deploy_body, child, 14, 25, JSON_REQUIRED),
	JSON_OBJ(struct deploy_body, inference_dsl, JSON_REQUIRED),
	JSON_OBJ(struct deploy_body, checkpoints, JSON_NULLABLE),
	JSON_OBJ(struct deploy_body, members, JSON_NULLABLE),
};

struct deploy {
	const struct errand_ask *ask;
	struct deploy_body body;
	struct db_model *parent;
	struct db_model_key child;
	/* parts of the child; freed with parts_free() */
	struct db_model_part *parts;
	size_t n, cap;
};

/* --- what is asked, and by whom --- */

static int
read_body(struct deploy *d)
{
	struct faults faults = FAULTS_INIT;
	int r = 0;

	if (json_decode(d->ask->body, JSON_FIELDS(body_fields),
		JSON_FAULT_UNKNOWN, NULL, &faults, &d->body) != 0)
		r = faults_err(&faults, "body");
	else if (!str_is_job_id(d->body.child))
		r = err_set(
		    ERR_INVALID, "child: '%s' is no job id", d->body.child);
	faults_fini(&faults);
	d->child = (struct db_model_key){ d->body.model_id, d->body.child,
		d->ask->role, d->ask->party_id };
	return r;
}

/*
 * The success of the training may not have arrived here yet, or arrive between
 * the two looks.
 */
static int
find_sealed(struct deploy *d, const struct db_model_key *key)
{
	struct db *db = d->ask->db;
	int r = db_model_get(db, d->ask->arena, key, &d->parent);

	if (r != ERR_NOT_FOUND)
		return r;
	r = db_model_get_staged(db, d->ask->arena, key, &d->parent);
	if (r == ERR_NOT_FOUND)
		return db_model_get(db, d->ask->arena, key, &d->parent);
	if (r != 0 || (r = party_check_model(d->ask->caller, d->parent)) != 0)
		return r;
	return err_set(ERR_BUSY,
	    "version %s is not sealed here yet: its training has not "
	    "ended here",
	    key->model_version);
}

static int
find_parent(struct deploy *d)
{
	const struct db_model_key key = { d->body.model_id,
		d->body.model_version, d->ask->role, d->ask->party_id };
	int r;

	if ((r = find_sealed(d, &key)) != 0 ||
	    (r = party_check_model(d->ask->caller, d->parent)) != 0)
		return r;
	if (!d->parent->is_parent)
		return err_set(ERR_UNSUPPORTED,
		    "version %s was deployed itself (from %s) and cannot be "
		    "deployed again: deploy the version that training made",
		    key.model_version, d->parent->parent_version);
	if (!model_root_is_known(d->parent->root_hash))
		return err_set(ERR_UNSUPPORTED,
		    "version %s came by an archive without a manifest: nothing "
		    "proves that the members' halves belong together, so it "
		    "cannot be deployed; train again, or import archives that "
		    "have one",
		    key.model_version);
	return party_check_root(d->parent, d->body.root);
}

/* --- which parts --- */

static void
add_part(struct deploy *d, const struct db_model_part *p)
{
	struct db_model_part *copy;

	if (d->n == d->cap) {
		d->cap = d->cap == 0 ? 16 : 2 * d->cap;
		d->parts = xrealloc(d->parts, d->cap * sizeof(*d->parts));
	}
	copy = &d->parts[d->n++];
	*copy = *p;
	copy->model_version = d->child.model_version;
	copy->sealed = false;
}

static void
parts_free(struct deploy *d)
{
	free(d->parts);
	d->parts = NULL;
	d->n = d->cap = 0;
}

/* The step that the deployment asks for; NULL: the model as it ended. */
static struct json_object *
step_of(const struct deploy *d, const char *component)
{
	return json_get(d->body.checkpoints, component);
}

static bool
is_step(const struct db_checkpoint *c, struct json_object *step)
{
	const char *name = json_get_str(step, "step_name", NULL);
	int64_t index;

	if (name != NULL)
		return str_eq(c->step_name, name);
	return json_whole_number(json_get(step, "step_index"), true, &index) &&
	       c->step_index == index;
}

static int
no_checkpoint(const char *component, struct json_object *step,
    const struct db_checkpoint *rows, size_t n)
{
	struct buf there = BUF_INIT;
	int r;

	for (size_t i = 0; i < n && i < 20; i++)
		buf_printf(&there, "%s%lld (%s)", i == 0 ? "" : ", ",
		    (long long)rows[i].step_index, rows[i].step_name);
	r = err_set(ERR_UNSUPPORTED,
	    "%s has no checkpoint of %s here; there are: %s", component,
	    json_text(step), there.len == 0 ? "none" : buf_str(&there));
	buf_fini(&there);
	return r;
}

/*
 * The component's model as it was at a step: its parts have the alias and
 * module of the sealed ones, of which like is one.
 */
static int
add_checkpoint(struct deploy *d, const struct db_model_part *like)
{
	const struct errand_ask *ask = d->ask;
	struct json_object *step = step_of(d, like->component);
	const struct db_checkpoint *found = NULL;
	struct db_checkpoint_part *parts;
	struct db_checkpoint *rows;
	size_t n, nparts;
	int r;

	if ((r = db_checkpoint_list(ask->db, ask->arena, like->model_id,
		 like->model_version, like->role, like->party_id,
		 like->component, &rows, &n)) != 0 ||
	    (r = db_checkpoint_parts(ask->db, ask->arena, like->model_id,
		 like->model_version, like->role, like->party_id,
		 like->component, &parts, &nparts)) != 0)
		return r;
	for (size_t i = 0; i < n; i++)
		if (rows[i].version == like->version && is_step(&rows[i], step))
			found = &rows[i];
	if (found == NULL)
		return no_checkpoint(like->component, step, rows, n);
	for (size_t i = 0; i < nparts; i++) {
		struct db_model_part p = *like;

		if (parts[i].checkpoint_id != found->id)
			continue;
		p.buffer_name = parts[i].buffer_name;
		p.message = parts[i].message;
		p.bytes = parts[i].bytes;
		memcpy(p.sha256, parts[i].sha256, sizeof(p.sha256));
		add_part(d, &p);
	}
	return 0;
}

/* Does the inference DSL read this model? */
static bool
is_used(const struct dsl *dsl, const struct db_model_part *p)
{
	for (size_t i = 0; i < dsl->n; i++) {
		const struct dsl_component *c = &dsl->components[i];

		for (size_t j = 0; j < c->n_stored; j++)
			if (str_eq(c->stored[j].component, p->component) &&
			    str_eq(c->stored[j].alias, p->alias))
				return true;
	}
	return false;
}

static int
choose_parts(struct deploy *d, const struct dsl *dsl)
{
	const struct db_model_key key = { d->parent->model_id,
		d->parent->model_version, d->parent->role,
		d->parent->party_id };
	const char *done = NULL; /* component taken from a checkpoint */
	struct db_model_part *rows;
	size_t n;
	int r;

	if ((r = db_model_part_sealed(
		 d->ask->db, d->ask->arena, &key, NULL, &rows, &n)) != 0)
		return r;
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (!is_used(dsl, &rows[i]))
			continue;
		if (step_of(d, rows[i].component) == NULL)
			add_part(d, &rows[i]);
		else if (!str_eq(done, rows[i].component)) {
			done = rows[i].component;
			r = add_checkpoint(d, &rows[i]);
		}
	}
	return r;
}

/* --- stage --- */

/* The conf speaks of the version that it belongs to. */
static const char *
conf_of_child(struct deploy *d)
{
	struct json_object *conf = NULL, *common;
	const char *text = d->parent->runtime_conf_on_party;

	if (json_parse_text(text, &conf) != 0) {
		err_clear();
		return text;
	}
	common = json_get(conf, "job_parameters");
	if (json_is_object(common) && json_has(common, "model_version")) {
		json_add_str(common, "model_version", d->child.model_version);
		text = arena_strdup(d->ask->arena, json_text(conf));
	}
	json_object_put(conf);
	return text;
}

static const char *
parent_info(struct deploy *d)
{
	struct json_object *o = json_object_new_object();
	const char *text;

	json_add_str(o, "parent_model_id", d->parent->model_id);
	json_add_str(o, "parent_model_version", d->parent->model_version);
	text = arena_strdup(d->ask->arena, json_text(o));
	json_object_put(o);
	return text;
}

/*
 * Partners' deployments count like their jobs, each once, and no more when
 * they are dropped.
 */
static int
check_stored(struct deploy *d, struct db_model *m)
{
	const struct errand_ask *ask = d->ask;
	struct db_model *staged;
	struct wait why;
	int r;

	if (ask->caller->is_site)
		return 0;
	m->stored_party = ask->caller->party_id;
	m->stored_bytes =
	    CHILD_BYTES +
	    (int64_t)(strlen(m->train_dsl) + strlen(m->inference_dsl) +
		      strlen(m->train_runtime_conf) +
		      strlen(m->runtime_conf_on_party));
	r = db_model_get_staged(ask->db, ask->arena, &d->child, &staged);
	if (r != ERR_NOT_FOUND)
		return r;
	err_clear();
	r = db_quota_check_stored(
	    ask->db, ask->arena, m->stored_party, m->stored_bytes, &why);
	return r == ERR_BUSY ? err_set(ERR_LIMIT, "%s", err_text()) : r;
}

static int
stage(struct deploy *d, uint8_t hash[])
{
	struct model_stage s = { .m = *d->parent,
		.parts = d->parts,
		.n = d->n,
		.parent_root = d->parent->root_hash };
	uint8_t contract[MODEL_HASH_SIZE];
	int r;

	s.m.model_version = d->child.model_version;
	s.m.is_parent = false;
	s.m.parent_version = d->parent->model_version;
	s.m.parent_info = parent_info(d);
	s.m.inference_dsl =
	    arena_strdup(d->ask->arena, json_text(d->body.inference_dsl));
	s.m.runtime_conf_on_party = conf_of_child(d);
	s.m.imported = false;
	s.m.has_archive = false;
	if ((r = check_stored(d, &s.m)) != 0)
		return r;
	r = model_manifest_contract(d->parent->manifest, contract);
	if (r == 0)
		s.contract_hash = contract;
	else if (r != ERR_NOT_FOUND)
		return r;
	if ((r = model_stage(d->ask->db, d->ask->conf, d->ask->arena, &s)) == 0)
		memcpy(hash, s.m.manifest_hash, MODEL_HASH_SIZE);
	return r;
}

/*
 * A version that is sealed here is never made anew: asked for by the same
 * deployment once more, it is what it is; else the name is taken.
 */
static int
check_taken(struct deploy *d, uint8_t hash[], bool *sealed)
{
	const struct errand_ask *ask = d->ask;
	struct db_model *row;
	struct db_job *job;
	int r;

	*sealed = false;
	r = db_model_get(ask->db, ask->arena, &d->child, &row);
	if (r == 0) {
		*sealed = str_eq(row->parent_version, d->body.model_version) &&
			  str_eq(row->inference_dsl,
			      json_text(d->body.inference_dsl));
		memcpy(hash, row->manifest_hash, MODEL_HASH_SIZE);
		return *sealed ? 0
			       : err_set(ERR_EXISTS,
				     "version %s of this model exists",
				     d->body.child);
	}
	if (r != ERR_NOT_FOUND)
		return r;
	r = db_job_get_brief(ask->db, ask->arena, d->body.child, &job);
	if (r == 0)
		return err_set(ERR_EXISTS, "%s is a job here", d->body.child);
	if (r != ERR_NOT_FOUND)
		return r;
	err_clear();
	return 0;
}

static int
stage_child(struct deploy *d, uint8_t hash[])
{
	struct faults faults = FAULTS_INIT;
	struct dsl *dsl = NULL;
	bool sealed;
	int r;

	if ((r = find_parent(d)) != 0 ||
	    (r = check_taken(d, hash, &sealed)) != 0 || sealed)
		return r;
	r = dsl_parse(d->body.inference_dsl, NULL,
	    JSON_PATH_KEY(NULL, "inference_dsl"), &faults, &dsl);
	if (faults_any(&faults))
		r = faults_err(&faults, "inference DSL");
	if (r == 0 && (r = choose_parts(d, dsl)) == 0)
		r = stage(d, hash);
	dsl_free(dsl);
	faults_fini(&faults);
	parts_free(d);
	return r;
}

int
model_deploy_stage(const struct errand_ask *ask)
{
	struct deploy d = { .ask = ask };
	uint8_t hash[MODEL_HASH_SIZE];
	char hex[MODEL_HEX_SIZE];
	int r;

	if ((r = read_body(&d)) != 0 || (r = stage_child(&d, hash)) != 0)
		return r;
	str_to_hex(hash, sizeof(hash), hex);
	*ask->data = json_object_new_object();
	json_add_str(*ask->data, "manifest_hash", hex);
	return 0;
}

/* --- seal --- */

/* The members are those of the model: each guest, host and arbiter. */
static int
check_members(const struct deploy *d, const struct model_member *m, size_t n)
{
	struct json_object *roles = NULL;
	char party[JSON_PARTY_SIZE];
	size_t wanted = 0, named = 0;
	int r;

	if ((r = json_parse_text(d->parent->roles, &roles)) != 0)
		return r;
	json_object_object_foreach(roles, role, list)
	{
		for (size_t i = 0;
		     json_is_array(list) && i < json_object_array_length(list);
		     i++) {
			wanted++;
			named +=
			    json_party_id(
				json_object_array_get_idx(list, i), party) &&
			    model_members_find(m, n, role, party) != NULL;
		}
	}
	json_object_put(roles);
	return named == wanted && n == wanted
		   ? 0
		   : err_set(ERR_INVALID,
			 "%zu manifests name %zu of the model's %zu members", n,
			 named, wanted);
}

static int
read_members(struct deploy *d, struct model_member **members, size_t *n)
{
	struct faults faults = FAULTS_INIT;
	int r;

	r = model_members_read(d->body.members, JSON_PATH_KEY(NULL, "members"),
	    &faults, d->ask->arena, members, n);
	if (r != 0)
		r = faults_err(&faults, "body");
	faults_fini(&faults);
	return r;
}

/* It may have been dropped meanwhile: the same body stages the same. */
static int
ensure_staged(struct deploy *d, const uint8_t wanted[])
{
	const struct errand_ask *ask = d->ask;
	uint8_t hash[MODEL_HASH_SIZE];
	struct db_model *row;
	int r;

	r = db_model_get_staged(ask->db, ask->arena, &d->child, &row);
	if (r == 0 && memcmp(row->manifest_hash, wanted, sizeof(hash)) == 0)
		return 0;
	if (r != 0 && r != ERR_NOT_FOUND)
		return r;
	err_clear();
	if ((r = stage_child(d, hash)) != 0)
		return r;
	return memcmp(hash, wanted, sizeof(hash)) == 0
		   ? 0
		   : err_set(ERR_DENIED,
			 "the manifest of %s %s is another one here", ask->role,
			 ask->party_id);
}

int
model_deploy_seal(const struct errand_ask *ask)
{
	struct deploy d = { .ask = ask };
	const struct model_member *own;
	struct model_member *members;
	size_t n;
	int r;

	if ((r = read_body(&d)) != 0 || (r = find_parent(&d)) != 0 ||
	    (r = read_members(&d, &members, &n)) != 0 ||
	    (r = check_members(&d, members, n)) != 0)
		return r;
	own = model_members_find(members, n, ask->role, ask->party_id);
	if (own == NULL)
		return err_set(ERR_INVALID, "the manifests do not name %s %s",
		    ask->role, ask->party_id);
	if ((r = ensure_staged(&d, own->manifest_hash)) != 0)
		return r;
	return model_seal(ask->db, ask->arena, &d.child, members, n, NULL);
}

int
model_deploy_drop(const struct errand_ask *ask)
{
	struct deploy d = { .ask = ask };
	struct db_model *staged;
	int r;

	if ((r = read_body(&d)) != 0)
		return r;
	r = db_model_get_staged(ask->db, ask->arena, &d.child, &staged);
	if (r == ERR_NOT_FOUND) {
		err_clear();
		return 0;
	}
	if (r != 0 || (r = party_check_model(ask->caller, staged)) != 0)
		return r;
	if (staged->is_parent)
		return err_set(ERR_DENIED, "%s is no deployment", d.body.child);
	return db_model_drop_staged(ask->db, &d.child);
}
