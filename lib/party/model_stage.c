/*
 * One half of a version becomes rows and files.  Called by lib/party for
 * training jobs and deployments, and by imports.
 */
#include "lib/party/model_stage.h"

#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_tx.h"
#include "lib/model/model_object.h"
#include "lib/model/model_pipeline.h"
#include "lib/model/model_version.h"

static struct db_model_key
key_of(const struct db_model *m)
{
	return (struct db_model_key){ m->model_id, m->model_version, m->role,
		m->party_id };
}

/*
 * A rerun's pipeline stands beside the sealed one until it is sealed itself,
 * so its number is the next.
 */
static int
pipeline_version(
    struct db *db, struct arena *a, const struct db_model_key *k, int64_t *out)
{
	struct db_model_part *rows;
	size_t n;
	int r;

	r = db_model_part_sealed(db, a, k, MODEL_PIPELINE, &rows, &n);
	*out = r == 0 && n > 0 ? rows[n - 1].version + 1 : 0;
	return r;
}

static int
keep_pipeline(struct db *db, const struct site_conf *conf, struct arena *a,
    const struct db_model *m, struct db_model_part *part)
{
	const struct db_model_key k = key_of(m);
	struct buf message = BUF_INIT;
	int r;

	*part = (struct db_model_part){ .model_id = m->model_id,
		.model_version = m->model_version,
		.role = m->role,
		.party_id = m->party_id,
		.component = MODEL_PIPELINE,
		.alias = MODEL_PIPELINE,
		.buffer_name = MODEL_PIPELINE_BUFFER,
		.message = MODEL_PIPELINE_BUFFER,
		.module = MODEL_PIPELINE_MODULE };
	model_pipeline_pack(m, &message);
	part->bytes = (int64_t)message.len;
	if ((r = pipeline_version(db, a, &k, &part->version)) == 0)
		r = model_object_keep(
		    conf, message.data, message.len, part->sha256);
	buf_fini(&message);
	return r;
}

static int
check_parts(const struct site_conf *conf, const struct model_stage *s)
{
	int r;

	for (size_t i = 0; i < s->n; i++)
		if ((r = model_object_check(conf, &s->parts[i])) != 0)
			return r;
	return 0;
}

static int
write_manifest(
    struct arena *a, struct model_stage *s, const struct db_model_part *parts)
{
	struct model_manifest manifest = { .key = key_of(&s->m),
		.contract_hash = s->contract_hash,
		.parent_version = s->m.parent_version,
		.parent_root = s->parent_root,
		.parts = parts,
		.n = s->n + 1 };
	struct buf text = BUF_INIT;
	int r;

	r = model_manifest_text(&manifest, &text, s->m.manifest_hash);
	s->m.manifest = arena_strdup(a, buf_str(&text));
	buf_fini(&text);
	s->m.size_bytes = 0;
	for (size_t i = 0; i < manifest.n; i++)
		s->m.size_bytes += parts[i].bytes;
	return r;
}

int
model_stage(struct db *db, const struct site_conf *conf, struct arena *a,
    struct model_stage *s)
{
	struct db_model_part *parts =
	    arena_alloc(a, (s->n + 1) * sizeof(*parts));
	int r;

	if (s->n > 0)
		memcpy(parts, s->parts, s->n * sizeof(*parts));
	if ((r = check_parts(conf, s)) != 0 ||
	    (r = keep_pipeline(db, conf, a, &s->m, &parts[s->n])) != 0 ||
	    (r = write_manifest(a, s, parts)) != 0)
		return r;
	return db_model_stage(db, &s->m, parts, s->n + 1);
}

/* What is staged here under that hash, or sealed with it already. */
static int
find_manifest(struct db *db, struct arena *a, const struct db_model_key *k,
    const uint8_t hash[], struct db_model **out)
{
	int r;

	r = db_model_get_staged(db, a, k, out);
	if (r == 0 && memcmp((*out)->manifest_hash, hash, DB_HASH_SIZE) == 0)
		return 0;
	if (r != 0 && r != ERR_NOT_FOUND)
		return r;
	r = db_model_get(db, a, k, out);
	if (r == 0 && memcmp((*out)->manifest_hash, hash, DB_HASH_SIZE) == 0)
		return 0;
	if (r != 0 && r != ERR_NOT_FOUND)
		return r;
	return err_set(ERR_CONFLICT,
	    "version %.100s is not staged with that manifest at %.20s %.10s",
	    k->model_version, k->role, k->party_id);
}

struct sealing {
	struct arena *arena;
	const struct db_model_key *key;
	const struct model_member *members;
	size_t n;
	const struct model_member *own;
	uint8_t root[MODEL_HASH_SIZE];
	bool effective;
};

static int
seal_tx(struct db *db, void *ctx)
{
	struct sealing *s = ctx;
	struct json_object *members;
	struct db_model_part *parts;
	struct db_model *m;
	size_t n;
	int r;

	s->effective = false;
	if ((r = find_manifest(
		 db, s->arena, s->key, s->own->manifest_hash, &m)) != 0 ||
	    (r = model_manifest_parts(m->manifest, s->arena, &parts, &n)) !=
		0 ||
	    (r = db_model_seal(db, s->key, s->own->manifest_hash, s->root,
		 parts, n, &s->effective)) != 0 ||
	    !s->effective)
		return r;
	members = model_members_json(s->members, s->n);
	r = db_model_set_members(db, s->key, json_text(members));
	json_object_put(members);
	return r;
}

int
model_seal(struct db *db, struct arena *a, const struct db_model_key *k,
    const struct model_member *members, size_t n, bool *effective)
{
	struct sealing s = { .arena = a, .key = k, .members = members, .n = n };
	int r;

	if (effective != NULL)
		*effective = false;
	s.own = model_members_find(members, n, k->role, k->party_id);
	if (s.own == NULL)
		return err_set(ERR_INVALID,
		    "the manifests do not name %.20s %.10s", k->role,
		    k->party_id);
	if ((r = model_root(members, n, s.root)) != 0 ||
	    (r = db_tx(db, seal_tx, &s)) != 0)
		return r;
	if (effective != NULL)
		*effective = s.effective;
	return 0;
}
