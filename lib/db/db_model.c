/*
 * Versions of models: staging, sealing, reading.  Their parts are in
 * db_model_part.c.  Written by lib/party and by imports; read by fcgi-app.
 */
#include "lib/db/db_model.h"

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_event.h"
#include "lib/db/db_model_part.h"
#include "lib/db/db_quota.h"
#include "lib/db/db_rows.h"
#include "lib/db/db_tx.h"

#define NO_HASH "UNHEX(REPEAT('00', 32))"

#define BRIEF_COLS(X)                                                          \
	X(STR, model_id, "m.model_id")                                         \
	X(STR, model_version, "m.model_version")                               \
	X(STR, role, "m.role")                                                 \
	X(STR, party_id, "m.party_id")                                         \
	X(BOOL, sealed, "m.state = 'sealed'")                                  \
	X(STR, job_id, "m.job_id")                                             \
	X(BOOL, is_parent, "m.is_parent")                                      \
	X(STR, parent_version, "m.parent_version")                             \
	X(STR, parent_info, "m.parent_info")                                   \
	X(STR, roles, "m.roles")                                               \
	X(STR, initiator_role, "m.initiator_role")                             \
	X(STR, initiator_party, "m.initiator_party")                           \
	X(BIN, manifest_hash, "m.manifest_hash")                               \
	X(BIN, root_hash, "COALESCE(m.root_hash, " NO_HASH ")")                \
	X(INT, size_bytes, "m.size_bytes")                                     \
	X(INT, loaded_times, "m.loaded_times")                                 \
	X(BOOL, imported, "m.imported")                                        \
	X(BOOL, has_archive, "m.archive_sha256 IS NOT NULL")                   \
	X(BIN, archive_sha256, "COALESCE(m.archive_sha256, " NO_HASH ")")      \
	X(MS, created_ms, "m.created_at")                                      \
	X(MS, updated_ms, "m.updated_at")
#define DOC_COLS(X)                                                            \
	X(STR, train_dsl, "m.train_dsl")                                       \
	X(STR, inference_dsl, "m.inference_dsl")                               \
	X(STR, train_runtime_conf, "m.train_runtime_conf")                     \
	X(STR, runtime_conf_on_party, "m.runtime_conf_on_party")               \
	X(STR, manifest, "m.manifest")                                         \
	X(STR, members, "m.members")

#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_model, field) },
static const struct db_col brief_cols[] = { BRIEF_COLS(COL) };
static const struct db_col whole_cols[] = { BRIEF_COLS(COL) DOC_COLS(COL) };
#undef COL
static const struct db_shape brief_shape =
    DB_SHAPE(struct db_model, brief_cols);
static const struct db_shape whole_shape =
    DB_SHAPE(struct db_model, whole_cols);

#define KEY_WHERE                                                              \
	" model_id = ? AND model_version = ? AND role = ? AND party_id = ?"
#define KEY_PARAMS "ssss"
#define KEY_ARGS(k) (k)->model_id, (k)->model_version, (k)->role, (k)->party_id

static int
add_event(struct db *db, const struct db_model_key *k, const char *from,
    const char *to, const char *reason)
{
	/* An imported version may have a name that is no job's id. */
	return db_event_add(
	    db, &(struct db_event){ .job_id = str_is_job_id(k->model_version)
						  ? k->model_version
						  : NULL,
		    .role = k->role,
		    .party_id = k->party_id,
		    .kind = "model",
		    .from_state = from,
		    .to_state = to,
		    .reason = reason });
}

/* --- stage --- */

#define SAME(column) " " column " = VALUES(" column ")"
/* The formatter takes the macros between the texts for code. */
/* clang-format off */
static const struct db_stmt stage = { "model.stage",
	"sssssissssssssssbiibsi",
	"INSERT INTO model (model_id, model_version, role, party_id, state,"
	" job_id, is_parent, parent_version, parent_info, roles,"
	" initiator_role, initiator_party, train_dsl, inference_dsl,"
	" train_runtime_conf, runtime_conf_on_party, manifest, manifest_hash,"
	" size_bytes, imported, archive_sha256, stored_party, stored_bytes)"
	" VALUES (?, ?, ?, ?, 'staged', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
	" ?, ?, ?, ?, ?)"
	" ON DUPLICATE KEY UPDATE" SAME("job_id") "," SAME("is_parent") ","
	SAME("parent_version") "," SAME("parent_info") "," SAME("roles") ","
	SAME("initiator_role") "," SAME("initiator_party") ","
	SAME("train_dsl") "," SAME("inference_dsl") ","
	SAME("train_runtime_conf") "," SAME("runtime_conf_on_party") ","
	SAME("manifest") "," SAME("manifest_hash") "," SAME("size_bytes") ","
	SAME("imported") "," SAME("archive_sha256")
};
/* clang-format on */

struct staging {
	const struct db_model *m;
	const struct db_model_part *parts;
	size_t n;
};

static int
insert_staged(struct db *db, const struct db_model *m)
{
	return db_exec(db, &stage, NULL, KEY_ARGS(m), m->job_id,
	    (int64_t)m->is_parent, m->parent_version, m->parent_info, m->roles,
	    m->initiator_role, m->initiator_party, m->train_dsl,
	    m->inference_dsl, m->train_runtime_conf, m->runtime_conf_on_party,
	    m->manifest, (const void *)m->manifest_hash, (size_t)DB_HASH_SIZE,
	    m->size_bytes, (int64_t)m->imported,
	    m->has_archive ? (const void *)m->archive_sha256 : NULL,
	    (size_t)DB_HASH_SIZE,
	    m->stored_party != NULL ? m->stored_party : "", m->stored_bytes);
}

static const struct db_stmt is_staged = { "model.is_staged", KEY_PARAMS,
	"SELECT COUNT(*) FROM model WHERE" KEY_WHERE " AND state = 'staged'" };

/*
 * One that is staged already has been counted, and is not again.  Two who
 * stage the same at once queue at the sum: a row that is not there yet has no
 * lock.
 */
static int
count_stored(
    struct db *db, const struct db_model *m, const struct db_model_key *k)
{
	int64_t n;
	int r;

	if (m->stored_party == NULL)
		return 0;
	if ((r = db_quota_store(db, m->stored_party, 0)) != 0)
		return r;
	r = db_query_int(db, &is_staged, &n, KEY_ARGS(k));
	return r != 0 || n > 0
		   ? r
		   : db_quota_store(db, m->stored_party, m->stored_bytes);
}

static int
stage_tx(struct db *db, void *ctx)
{
	const struct staging *s = ctx;
	const struct db_model_key k = { s->m->model_id, s->m->model_version,
		s->m->role, s->m->party_id };
	int r;

	if ((r = count_stored(db, s->m, &k)) != 0 ||
	    (r = insert_staged(db, s->m)) != 0)
		return r;
	for (size_t i = 0; i < s->n; i++)
		if ((r = db_model_part_put(db, &s->parts[i])) != 0)
			return r;
	return add_event(db, &k, "", "staged", NULL);
}

int
db_model_stage(struct db *db, const struct db_model *m,
    const struct db_model_part *parts, size_t n)
{
	struct staging s = { m, parts, n };

	return db_tx(db, stage_tx, &s);
}

/* --- seal --- */

static const struct db_stmt is_sealed = { "model.is_sealed", KEY_PARAMS "bb",
	"SELECT COUNT(*) FROM model WHERE" KEY_WHERE
	" AND state = 'sealed' AND manifest_hash = ? AND root_hash = ?" };
static const struct db_stmt drop_sealed = { "model.drop_sealed", KEY_PARAMS,
	"DELETE FROM model WHERE" KEY_WHERE " AND state = 'sealed'" };
static const struct db_stmt seal = { "model.seal", "b" KEY_PARAMS "b",
	"UPDATE model SET state = 'sealed', root_hash = ? WHERE" KEY_WHERE
	" AND state = 'staged' AND manifest_hash = ?" };

struct sealing {
	const struct db_model_key *key;
	const void *manifest_hash, *root_hash;
	const struct db_model_part *parts;
	size_t n;
	bool effective;
};

static int
seal_tx(struct db *db, void *ctx)
{
	struct sealing *s = ctx;
	const struct db_model_key *k = s->key;
	const size_t size = DB_HASH_SIZE;
	int64_t n;
	int r;

	s->effective = false;
	if ((r = db_query_int(db, &is_sealed, &n, KEY_ARGS(k), s->manifest_hash,
		 size, s->root_hash, size)) != 0 ||
	    n == 1)
		return r;
	if ((r = db_exec(db, &drop_sealed, NULL, KEY_ARGS(k))) != 0 ||
	    (r = db_exec(db, &seal, &n, s->root_hash, size, KEY_ARGS(k),
		 s->manifest_hash, size)) != 0)
		return r;
	if (n != 1)
		return err_set(ERR_CONFLICT,
		    "no version %.100s of %.20s %.10s with this manifest is "
		    "staged here",
		    k->model_version, k->role, k->party_id);
	if ((r = db_model_part_seal(db, k, s->parts, s->n)) != 0)
		return r;
	s->effective = true;
	return add_event(db, k, "staged", "sealed", NULL);
}

int
db_model_seal(struct db *db, const struct db_model_key *k,
    const unsigned char manifest_hash[DB_HASH_SIZE],
    const unsigned char root_hash[DB_HASH_SIZE],
    const struct db_model_part *parts, size_t n, bool *effective)
{
	struct sealing s = { .key = k,
		.manifest_hash = manifest_hash,
		.root_hash = root_hash,
		.parts = parts,
		.n = n };
	int r = db_tx(db, seal_tx, &s);

	if (effective != NULL)
		*effective = r == 0 && s.effective;
	return r;
}

static const struct db_stmt set_members = { "model.set_members", "s" KEY_PARAMS,
	"UPDATE model SET members = ? WHERE" KEY_WHERE
	" AND state = 'sealed'" };

int
db_model_set_members(
    struct db *db, const struct db_model_key *k, const char *members)
{
	int64_t n;
	int r = db_exec(db, &set_members, &n, members, KEY_ARGS(k));

	if (r == 0 && n == 0)
		r = err_set(ERR_NOT_FOUND, "no sealed version %.100s here",
		    k->model_version);
	return r;
}

/* --- read --- */

static const struct db_stmt get = { "model.get", KEY_PARAMS "s",
	"SELECT 1" BRIEF_COLS(DB_SQL)
	    DOC_COLS(DB_SQL) " FROM model m WHERE" KEY_WHERE " AND state = ?" };
static const struct db_stmt find = { "model.find", "sssss",
	"SELECT 1" BRIEF_COLS(DB_SQL) DOC_COLS(
	    DB_SQL) " FROM model m WHERE model_version = ?"
		    " AND (? IS NULL OR role = ?)"
		    " AND (? IS NULL OR party_id = ?) AND state = 'sealed'"
		    " ORDER BY model_id, role, party_id" };
#define EQUAL(column) " AND (? IS NULL OR m." column " = ?)"
/* clang-format off */
static const struct db_stmt list = { "model.list", "sssssssssssssssii",
	"SELECT 1" BRIEF_COLS(DB_SQL) " FROM model m WHERE m.state = ?"
	EQUAL("model_id") EQUAL("model_version") EQUAL("role")
	EQUAL("party_id") EQUAL("job_id") EQUAL("initiator_role")
	EQUAL("initiator_party")
	" ORDER BY m.created_at DESC, m.model_version DESC, m.role, m.party_id"
	" LIMIT ? OFFSET ?"
};
/* clang-format on */

static int
get_in(struct db *db, struct arena *a, const struct db_model_key *k,
    const char *state, struct db_model **out)
{
	int r =
	    db_select_one(db, &get, &whole_shape, a, out, KEY_ARGS(k), state);

	return r == ERR_NOT_FOUND
		   ? err_set(r,
			 "no %s version %.100s of model %.255s for %.20s "
			 "%.10s here",
			 state, k->model_version, k->model_id, k->role,
			 k->party_id)
		   : r;
}

int
db_model_get(struct db *db, struct arena *a, const struct db_model_key *k,
    struct db_model **out)
{
	return get_in(db, a, k, "sealed", out);
}

int
db_model_get_staged(struct db *db, struct arena *a,
    const struct db_model_key *k, struct db_model **out)
{
	return get_in(db, a, k, "staged", out);
}

int
db_model_find(struct db *db, struct arena *a, const char *model_version,
    const char *role, const char *party_id, struct db_model **rows, size_t *n)
{
	return db_select(db, &find, &whole_shape, a, rows, n, model_version,
	    role, role, party_id, party_id);
}

int
db_model_list(struct db *db, struct arena *a, const struct db_model_filter *f,
    struct db_model **rows, size_t *n)
{
	return db_select(db, &list, &brief_shape, a, rows, n,
	    f->staged ? "staged" : "sealed", f->model_id, f->model_id,
	    f->model_version, f->model_version, f->role, f->role, f->party_id,
	    f->party_id, f->job_id, f->job_id, f->initiator_role,
	    f->initiator_role, f->initiator_party, f->initiator_party,
	    f->limit > 0 ? f->limit : INT64_MAX, f->offset);
}

/* --- forget --- */

static const struct db_stmt drop = { "model.delete", KEY_PARAMS,
	"DELETE FROM model WHERE" KEY_WHERE };
static const struct db_stmt lock_staged = { "model.lock_staged", KEY_PARAMS,
	"SELECT is_parent = 1 AND imported = 0 FROM model WHERE" KEY_WHERE
	" AND state = 'staged' FOR UPDATE" };
static const struct db_stmt drop_staged = { "model.drop_staged", KEY_PARAMS,
	"DELETE FROM model WHERE" KEY_WHERE " AND state = 'staged'" };
/*
 * A staged version of a job that goes on, or that has just succeeded, will be
 * sealed; nobody comes back to the others.
 */
static const struct db_stmt abandoned = { "model.abandoned", "i",
	"SELECT 1" BRIEF_COLS(
	    DB_SQL) " FROM model m LEFT JOIN job j ON j.job_id = m.job_id"
		    " AND m.is_parent = 1 AND m.imported = 0"
		    " WHERE m.state = 'staged' AND IF(m.is_parent = 1"
		    " AND m.imported = 0, j.status IS NULL OR j.status IN"
		    " ('failed', 'canceled', 'timeout'),"
		    " m.updated_at < NOW(6) - INTERVAL ? * 1000 MICROSECOND)" };

static const struct db_stmt give_back = { "model.give_back", KEY_PARAMS "s",
	"UPDATE partner_stored p JOIN (SELECT stored_party, stored_bytes"
	" FROM model WHERE" KEY_WHERE " AND state = ?) m"
	" ON p.party_id = m.stored_party"
	" SET p.bytes = GREATEST(p.bytes - m.stored_bytes, 0)" };

static int
delete_tx(struct db *db, void *ctx)
{
	const struct db_model_key *k = ctx;
	int64_t n;
	int r;

	if ((r = db_exec(db, &give_back, NULL, KEY_ARGS(k), "staged")) != 0 ||
	    (r = db_exec(db, &give_back, NULL, KEY_ARGS(k), "sealed")) != 0 ||
	    (r = db_exec(db, &drop, &n, KEY_ARGS(k))) != 0 ||
	    (r = db_model_part_delete(db, k, DB_MODEL_PARTS_ALL)) != 0)
		return r;
	return n == 0 ? 0 : add_event(db, k, "", "deleted", NULL);
}

int
db_model_delete(struct db *db, const struct db_model_key *k)
{
	struct db_model_key key = *k;

	return db_tx(db, delete_tx, &key);
}

static int
drop_staged_tx(struct db *db, void *ctx)
{
	const struct db_model_key *k = ctx;
	int64_t is_trained;
	int r;

	r = db_query_int(db, &lock_staged, &is_trained, KEY_ARGS(k));
	if (r == ERR_NOT_FOUND) {
		err_clear();
		return 0;
	}
	if (r != 0 ||
	    (r = db_exec(db, &give_back, NULL, KEY_ARGS(k), "staged")) != 0 ||
	    (r = db_exec(db, &drop_staged, NULL, KEY_ARGS(k))) != 0 ||
	    (r = db_model_part_delete(db, k,
		 is_trained ? DB_MODEL_PARTS_PIPELINE
			    : DB_MODEL_PARTS_STAGED)) != 0)
		return r;
	return add_event(db, k, "staged", "", "not sealed");
}

int
db_model_drop_staged(struct db *db, const struct db_model_key *k)
{
	struct db_model_key key = *k;

	return db_tx(db, drop_staged_tx, &key);
}

int
db_model_abandoned(struct db *db, struct arena *a, int64_t age_ms,
    struct db_model **rows, size_t *n)
{
	return db_select(db, &abandoned, &brief_shape, a, rows, n, age_ms);
}
